#include "gateway/route.h"

#include <stdio.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"

_Static_assert(BATCH_BYTES_MAX <= BUS_FRAME_BYTES_MAX, "a full batch fits one message of the bus");
/* Detaches told again beside those since the zone was last heard: what it may not have read by then. */
#define LEFT_AGAIN 256

int route_open(struct route *route, const struct route_config *config, struct mono now) {
    memset(route, 0, sizeof *route);
    route->config = *config;
    snprintf(route->name, sizeof route->name, "%s", config->bus.peer_name);
    batch_clear(&route->batch);
    return bus_edge_open(&route->edge, &config->bus, now);
}

void route_close(struct route *route) {
    bus_edge_close(route->edge);
    route->edge = NULL;
}

int route_fd(const struct route *route) {
    return bus_edge_fd(route->edge);
}

/* route_move is the one place where the state changes. */
static void route_move(struct route *route, enum route_state state) {
    static const bool allowed[ROUTE_STATE_COUNT][ROUTE_STATE_COUNT] = {
        [ROUTE_AWAY] = {[ROUTE_GREETING] = true},
        [ROUTE_GREETING] = {[ROUTE_UP] = true, [ROUTE_AWAY] = true},
        [ROUTE_UP] = {[ROUTE_AWAY] = true},
    };
    CHECK(allowed[route->state][state]);
    route->state = (uint8_t)state;
}

/* --- connections */

static void leave(struct route *route) {
    if (route->state == ROUTE_AWAY) return;
    bool was_up = route->state == ROUTE_UP;
    route_move(route, ROUTE_AWAY);
    route->is_backed_up = false;
    batch_clear(&route->batch);
    if (!was_up) return;
    route->stats.losses++;
    log_warn("zone.lost", "zone=%s", route->name);
    route->config.handlers.lost(route->config.handlers.context, route->config.index);
}

/* greet says Hello on a new connection; it is tried again at the next update when the bus refuses. */
static void greet(struct route *route) {
    struct wire_bytes bytes;
    bool left_forgotten = route->left_total - route->left_at_heard > ROUTE_LEFT_MAX;
    if (left_forgotten) route->config.hello.incarnation++;
    CHECK(wire_hello_pack(route->config.builder, &route->config.hello, &bytes) == 0);
    if (bus_send(route->edge, bytes.data, bytes.len) != 0) return;
    route->bus_generation = bus_generation(route->edge);
    route_move(route, ROUTE_GREETING);
}

void route_update(struct route *route, struct mono now) {
    bus_update(route->edge, now);
    bool connected = bus_connected(route->edge);
    if (!connected || bus_generation(route->edge) != route->bus_generation) leave(route);
    if (connected && route->state == ROUTE_AWAY) greet(route);
}

/* left_again has the newest detaches told again to a zone that may have missed them; it ignores those it knows. */
static void left_again(struct route *route) {
    uint64_t slack = route->left_at_heard < LEFT_AGAIN ? route->left_at_heard : LEFT_AGAIN;
    uint64_t oldest = route->left_total < ROUTE_LEFT_MAX ? 0 : route->left_total - ROUTE_LEFT_MAX;
    uint64_t first = route->left_at_heard - slack;
    route->left_told = first > oldest ? first : oldest;
}

static void take_hello(struct route *route, const struct wire_hello *hello) {
    if (route->state != ROUTE_GREETING || hello->role != WIRE_ROLE_ZONE) {
        route->stats.messages_bad++;
        return;
    }
    bool is_same = hello->incarnation == route->zone_incarnation;
    if (is_same) left_again(route);
    if (!is_same) route->left_told = route->left_total; /* it never heard of them */
    route->zone = *hello;
    route->zone_incarnation = hello->incarnation;
    route_move(route, ROUTE_UP);
    log_info("zone.up", "zone=%s same=%d", route->name, is_same);
    route->config.handlers.up(route->config.handlers.context, route->config.index);
}

/* --- receiving */

static void take_message(struct route *route, const uint8_t *bytes, size_t len) {
    struct wire_bus_view view;
    if (wire_bus_open(bytes, len, &view) != 0) {
        route->stats.messages_bad++;
        log_warn("zone.message_bad", "zone=%s bytes=%zu", route->name, len);
    } else if (view.kind == WIRE_BUS_HELLO) {
        take_hello(route, &view.hello);
    } else if (view.kind == WIRE_BUS_ZONE_BATCH && route->state == ROUTE_UP) {
        route->stats.batches_received++;
        route->stats.snapshots_received += view.zone.snapshot_count;
        route->left_at_heard = route->left_total;
        route->config.handlers.batch(route->config.handlers.context, route->config.index, &view.zone);
    } else {
        route->stats.messages_bad++;
    }
}

void route_receive(struct route *route, struct mono now) {
    for (unsigned i = 0; i < ROUTE_RECEIVES_PER_POLL; i++) {
        const uint8_t *bytes;
        size_t len;
        if (bus_receive(route->edge, &bytes, &len) != 0) return;
        /* A message may be the first of a new connection. */
        if (bus_generation(route->edge) != route->bus_generation) route_update(route, now);
        take_message(route, bytes, len);
        bus_release(route->edge);
    }
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
    if (route->state != ROUTE_UP) return;
    tell_left(route);
    if (batch_is_empty(&route->batch)) return;
    struct wire_gateway_batch view = batch_view(&route->batch);
    struct wire_bytes bytes;
    CHECK(wire_gateway_batch_pack(route->config.builder, &view, &bytes) == 0);
    if (bus_send(route->edge, bytes.data, bytes.len) != 0) {
        route->is_backed_up = true;
        route->stats.flushes_refused++;
        return;
    }
    route->is_backed_up = false;
    route->stats.batches_sent++;
    route->stats.inputs_sent += view.input_count;
    route->stats.acks_sent += view.ack_count;
    route->stats.messages_sent += view.message_count;
    batch_clear(&route->batch);
}

bool route_waits(const struct route *route) {
    bool has_something = !batch_is_empty(&route->batch) || route->left_told < route->left_total;
    return route->state == ROUTE_UP && has_something;
}

/* While the bus is full only the owner tries again: packing for each input that comes would be a load of its own. */
static void flush_when_large(struct route *route) {
    if (!route->is_backed_up && batch_bytes(&route->batch) >= BATCH_FLUSH_BYTES) route_flush(route);
}

int route_attach(struct route *route, const struct wire_attach *attach) {
    if (route->state != ROUTE_UP) return MARCH_ERR_NOT_FOUND;
    return batch_attach(&route->batch, attach);
}

void route_detach(struct route *route, uint64_t session, uint32_t reason) {
    route->left[route->left_total++ % ROUTE_LEFT_MAX] = (struct wire_detach){.session = session, .reason = reason};
}

void route_input(struct route *route, struct batch_place *place, const struct wire_input *input) {
    int result = route->state == ROUTE_UP ? batch_input(&route->batch, place, input) : MARCH_ERR_NOT_FOUND;
    if (result != 0) route->stats.inputs_dropped++;
    flush_when_large(route);
}

void route_ack(struct route *route, uint64_t session, uint16_t snapshot_seq) {
    int result = route->state == ROUTE_UP ? batch_ack(&route->batch, session, snapshot_seq) : MARCH_ERR_NOT_FOUND;
    if (result != 0) route->stats.acks_dropped++;
    flush_when_large(route);
}

uint8_t *route_message_room(struct route *route) {
    if (route->state != ROUTE_UP) return NULL;
    uint8_t *room = batch_message_room(&route->batch);
    if (room || route->is_backed_up) return room;
    route_flush(route);
    return batch_message_room(&route->batch);
}

void route_message_commit(struct route *route, uint64_t session, size_t len) {
    batch_message_commit(&route->batch, session, len);
}

const char *route_state_name(enum route_state state) {
    static const char *const names[ROUTE_STATE_COUNT] = {"away", "greeting", "up"};
    return names[state];
}
