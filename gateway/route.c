#include "gateway/route.h"

#include <string.h>

#include "common/check.h"
#include "common/step.h"

/* Detaches told again beside those since the zone was last heard: what it may not have read by then. */
#define LEFT_AGAIN 256

/* --- what the link tells */

/* The zone drops all our sessions when more left than we remember. */
static void greeting(void *context, struct wire_hello *hello) {
    const struct route *route = context;
    bool left_forgotten = route->left_total - route->left_at_heard > ROUTE_LEFT_MAX;
    if (left_forgotten) hello->incarnation++;
}

/* left_again has the newest detaches told again to a zone that may have missed them; it ignores those it knows. */
static void left_again(struct route *route) {
    uint64_t slack = route->left_at_heard < LEFT_AGAIN ? route->left_at_heard : LEFT_AGAIN;
    uint64_t oldest = route->left_total < ROUTE_LEFT_MAX ? 0 : route->left_total - ROUTE_LEFT_MAX;
    uint64_t first = route->left_at_heard - slack;
    route->left_told = first > oldest ? first : oldest;
}

static void up(void *context, bool is_same, struct mono now) {
    (void)now;
    struct route *route = context;
    if (is_same) left_again(route);
    if (!is_same) route->left_told = route->left_total; /* it never heard of them */
    route->config.handlers.up(route->config.handlers.context, route->config.index);
}

static void lost(void *context, struct mono now) {
    (void)now;
    struct route *route = context;
    route->is_backed_up = false;
    batch_clear(&route->batch);
    route->config.handlers.lost(route->config.handlers.context, route->config.index);
}

static void take_batch(void *context, const struct wire_bus_view *view, struct mono now) {
    (void)now;
    struct route *route = context;
    route->stats.snapshots_received += view->zone.snapshot_count;
    route->left_at_heard = route->left_total;
    route->config.handlers.batch(route->config.handlers.context, route->config.index, &view->zone);
}

/* --- the link */

int route_open(struct route *route, const struct route_config *config, struct mono now, char *error, size_t error_size) {
    memset(route, 0, sizeof *route);
    route->config = *config;
    batch_clear(&route->batch);
    struct link_config link = {
        .hello = config->hello,
        .peer = {.role = WIRE_ROLE_ZONE, .kind = WIRE_BUS_ZONE_BATCH},
        .bus = config->bus,
        .builder = config->builder,
        .receives_max = ROUTE_RECEIVES_PER_POLL,
        .handlers = {.context = route, .greeting = greeting, .up = up, .lost = lost, .message = take_batch}};
    return link_open(&route->link, &link, now, error, error_size);
}

void route_close(struct route *route) {
    link_close(&route->link);
}

/* --- sending */

/* tell_left moves detaches into the batch, as many as fit. */
static void tell_left(struct route *route) {
    if (route->left_total - route->left_told > ROUTE_LEFT_MAX) route->left_told = route->left_total - ROUTE_LEFT_MAX;
    while (route->left_told < route->left_total) {
        const struct wire_detach *left = &route->left[route->left_told % ROUTE_LEFT_MAX];
        if (batch_detach(&route->batch, left->session, left->reason) != 0) return;
        route->left_told++;
    }
}

void route_flush(struct route *route) {
    if (route->link.state != LINK_UP) return;
    tell_left(route);
    if (batch_is_empty(&route->batch)) return;
    struct wire_gateway_batch view = batch_view(&route->batch);
    struct wire_bytes bytes;
    CHECK(wire_gateway_batch_pack(route->config.builder, &view, &bytes) == 0);
    route->is_backed_up = link_send(&route->link, bytes) != 0;
    if (route->is_backed_up) return;
    route->stats.inputs_sent += view.input_count;
    route->stats.acks_sent += view.ack_count;
    route->stats.messages_sent += view.message_count;
    batch_clear(&route->batch);
    if (view.activate_count > 0) STEP("gateway.activate_sent");
    if (view.attach_count > 0) STEP("gateway.attach_sent");
}

bool route_waits(const struct route *route) {
    bool has_something = !batch_is_empty(&route->batch) || route->left_told < route->left_total;
    return route->link.state == LINK_UP && has_something;
}

/* While the bus is full only the owner tries again: packing for each input that comes would be a load of its own. */
static void flush_when_large(struct route *route) {
    if (!route->is_backed_up && batch_bytes(&route->batch) >= BATCH_FLUSH_BYTES) route_flush(route);
}

int route_attach(struct route *route, const struct wire_attach *attach) {
    if (route->link.state != LINK_UP) return MARCH_ERR_NOT_FOUND;
    return batch_attach(&route->batch, attach);
}

int route_activate(struct route *route, const struct wire_carried *carried) {
    if (route->link.state != LINK_UP) return MARCH_ERR_NOT_FOUND;
    int result = batch_activate(&route->batch, carried);
    if (result == 0 || route->is_backed_up) return result;
    route_flush(route);
    return batch_activate(&route->batch, carried);
}

int route_routed(struct route *route, const struct wire_routed *routed) {
    if (route->link.state != LINK_UP) return MARCH_ERR_NOT_FOUND;
    int result = batch_routed(&route->batch, routed);
    if (result == 0 || route->is_backed_up) return result;
    route_flush(route);
    return batch_routed(&route->batch, routed);
}

void route_detach(struct route *route, uint64_t session, uint32_t reason) {
    route->left[route->left_total++ % ROUTE_LEFT_MAX] = (struct wire_detach){.session = session, .reason = reason};
}

void route_input(struct route *route, struct batch_place *place, const struct wire_input *input) {
    int result = route->link.state == LINK_UP ? batch_input(&route->batch, place, input) : MARCH_ERR_NOT_FOUND;
    if (result != 0) route->stats.inputs_dropped++;
    flush_when_large(route);
}

void route_ack(struct route *route, uint64_t session, uint16_t snapshot_seq) {
    int result = route->link.state == LINK_UP ? batch_ack(&route->batch, session, snapshot_seq) : MARCH_ERR_NOT_FOUND;
    if (result != 0) route->stats.acks_dropped++;
    flush_when_large(route);
}

uint8_t *route_message_room(struct route *route) {
    if (route->link.state != LINK_UP) return NULL;
    uint8_t *room = batch_message_room(&route->batch);
    if (room || route->is_backed_up) return room;
    route_flush(route);
    return batch_message_room(&route->batch);
}

void route_message_commit(struct route *route, uint64_t session, size_t len) {
    batch_message_commit(&route->batch, session, len);
}
