#include "zone/edge.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/edge_url.h"
#include "common/log.h"
#include "common/step.h"

_Static_assert(SIM_GATEWAYS_MAX >= CONFIG_GATEWAYS_MAX, "a zone has an edge to each gateway");

struct edge {
    struct edges *edges;
    struct link link;
    uint32_t index; /* of the gateway */
    struct mono lost_at;
    bool keeping;   /* the connection is lost, its players wait */
    uint64_t alive; /* incarnation whose players are here; 0: none */
    uint64_t sent_tick;
    uint64_t expired;
};

struct edges {
    struct sim *sim;
    struct book *book;
    struct crossing *crossing;
    struct wire_builder *builder;
    uint32_t count;
    struct edge edges[SIM_GATEWAYS_MAX];
};

/* --- receiving */

/* die makes the players of a gateway link-dead, once for each of its incarnations. */
static void die(struct edge *edge, struct mono now) {
    if (edge->alive == 0) return;
    edge->alive = 0;
    edge->keeping = false;
    crossing_gateway_dead(edge->edges->crossing, edge->index, now);
}

static void up(void *context, bool is_same, struct mono now) {
    struct edge *edge = context;
    if (!is_same) {
        die(edge, now);
        crossing_gateway_replaced(edge->edges->crossing, edge->index);
    }
    edge->alive = edge->link.peer.incarnation;
    edge->keeping = false;
    sim_set_connected(edge->edges->sim, edge->index, true);
    crossing_gateway_up(edge->edges->crossing, edge->index, now);
}

static void lost(void *context, struct mono now) {
    struct edge *edge = context;
    edge->keeping = true;
    edge->lost_at = now;
    sim_set_connected(edge->edges->sim, edge->index, false);
    crossing_gateway_lost(edge->edges->crossing, edge->index);
}

/* What a client says goes back where its player is not here: to whoever has it by then. */
static void take_message(struct edge *edge, const struct wire_message *m, const uint8_t *blob) {
    struct edges *edges = edge->edges;
    uint32_t gateway = edge->index;
    if (sim_slot(edges->sim, gateway, m->session) != SIM_SLOT_NONE) {
        sim_message(edges->sim, gateway, m->session, blob + m->offset, m->len);
    } else if (!book_holds(edges->book, gateway, m->session)) {
        output_returned(sim_output(edges->sim, gateway), m->session,
                        (struct wire_bytes){.data = blob + m->offset, .len = m->len});
    }
}

static void take_input(struct edge *edge, const struct wire_input *input) {
    struct edges *edges = edge->edges;
    bool is_underway =
        book_holds(edges->book, edge->index, input->session) || crossing_has(edges->crossing, edge->index, input->session);
    if (!is_underway) sim_input(edges->sim, edge->index, input); /* else the client repeats it */
}

static void take_batch(void *context, const struct wire_bus_view *view, struct mono now) {
    struct edge *edge = context;
    uint32_t gateway = edge->index;
    struct sim *sim = edge->edges->sim;
    struct crossing *crossing = edge->edges->crossing;
    const struct wire_gateway_batch *b = &view->gateway;
    for (uint32_t i = 0; i < b->attach_count; i++) crossing_attach(crossing, gateway, &b->attaches[i], now);
    for (uint32_t i = 0; i < b->activate_count; i++) crossing_activate(crossing, gateway, &b->activates[i], now);
    for (uint32_t i = 0; i < b->routed_count; i++) crossing_routed(crossing, gateway, &b->routed[i]);
    for (uint32_t i = 0; i < b->detach_count; i++) crossing_detach(crossing, gateway, &b->detaches[i]);
    for (uint32_t i = 0; i < b->input_count; i++) take_input(edge, &b->inputs[i]);
    for (uint32_t i = 0; i < b->ack_count; i++) sim_ack(sim, gateway, b->acks[i].session, b->acks[i].snapshot_seq);
    for (uint32_t i = 0; i < b->message_count; i++) take_message(edge, &b->messages[i], b->blob);
}

/* is_listed tells whether the directory knows of the gateway's incarnation, as far as it knows of gateways. */
static bool is_listed(const struct edge *edge, const struct directory *d) {
    if (d->is_fixed || edge->index >= d->gateway_count) return true;
    const struct wire_directory_gateway *g = &d->gateways[edge->index];
    return g->incarnation == 0 || g->incarnation == edge->alive;
}

static void expire(struct edge *edge, const struct directory *directory, struct mono now) {
    if (!edge->keeping) return;
    bool is_away = is_listed(edge, directory);
    if (is_away && !mono_reached(now, mono_add_ms(edge->lost_at, EDGE_KEEP_MS))) return;
    if (is_away) crossing_gateway_away(edge->edges->crossing, edge->index);
    edge->expired++;
    log_warn("gateway.dead", "gateway=%s", edge->link.name);
    die(edge, now);
}

void edges_receive(struct edges *edges, const struct directory *directory, struct mono now) {
    for (uint32_t g = 0; g < edges->count; g++) {
        struct edge *edge = &edges->edges[g];
        link_update(&edge->link, now);
        expire(edge, directory, now);
        link_receive(&edge->link, now);
    }
}

/* --- opening */

static int open_edge(struct edge *edge, const struct link_config *link, const struct config *config, uint32_t zone,
                     const char *run_dir, struct mono now, char *error, size_t error_size) {
    char url[EDGE_URL_SIZE];
    struct link_config own = *link;
    own.bus.url = url;
    own.bus.peer_name = config->gateways[edge->index].name;
    own.handlers.context = edge;
    int result = edge_url(config, run_dir, EDGE_ZONE_GATEWAY, zone, edge->index, url, sizeof url);
    if (result) {
        snprintf(error, error_size, "no address for the edge to %s: the run directory's path is too long",
                 own.bus.peer_name);
        return result;
    }
    sim_set_connected(edge->edges->sim, edge->index, false);
    return link_open(&edge->link, &own, now, error, error_size);
}

int edges_open(struct edges **out, const struct config *config, uint32_t zone_index, const char *run_dir,
               const struct wire_hello *hello, const uint8_t *key, struct sim *sim, struct book *book,
               struct crossing *crossing, struct mono now, char *error, size_t error_size) {
    *out = NULL;
    struct edges *edges = calloc(1, sizeof *edges);
    struct wire_builder *builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    if (!edges || !builder) {
        snprintf(error, error_size, "out of memory");
        free(edges);
        wire_builder_destroy(builder);
        return MARCH_ERR_SYSTEM;
    }
    *edges = (struct edges){.sim = sim, .book = book, .crossing = crossing, .builder = builder};
    struct link_config link = {.hello = *hello,
                               .peer = {.role = WIRE_ROLE_GATEWAY, .kind = WIRE_BUS_GATEWAY_BATCH},
                               .bus = {.role = BUS_LISTEN, .key = key, .queue_max_bytes = config->bus.queue_bytes_max},
                               .builder = builder,
                               .handlers = {.up = up, .lost = lost, .message = take_batch}};
    for (uint32_t g = 0; g < config->gateways_count; g++) {
        struct edge *edge = &edges->edges[edges->count++];
        *edge = (struct edge){.edges = edges, .index = g};
        int result = open_edge(edge, &link, config, zone_index, run_dir, now, error, error_size);
        if (result) {
            edges_close(edges);
            return result;
        }
    }
    *out = edges;
    return 0;
}

void edges_close(struct edges *edges) {
    if (!edges) return;
    for (uint32_t g = 0; g < edges->count; g++) link_close(&edges->edges[g].link);
    wire_builder_destroy(edges->builder);
    free(edges);
}

/* --- sending */

static void send_output(struct edges *edges, struct edge *edge, uint64_t tick) {
    struct output *output = sim_output(edges->sim, edge->index);
    if (output_is_empty(output) && tick < edge->sent_tick + EDGE_HEARTBEAT_TICKS) return;
    struct wire_zone_batch batch = output_batch(output, tick);
    struct wire_bytes bytes;
    int error = wire_zone_batch_pack(edges->builder, &batch, &bytes);
    CHECK(error == 0);
    if (link_send(&edge->link, bytes)) {
        output_clear_snapshots(output);
        return;
    }
    edge->sent_tick = tick;
    output_clear(output);
    if (batch.reroute_count > 0) STEP("source.sent");
    if (batch.activated_count > 0) STEP("target.sent");
}

void edges_send(struct edges *edges, uint64_t tick) {
    for (uint32_t g = 0; g < edges->count; g++) {
        if (edges->edges[g].link.state == LINK_UP) send_output(edges, &edges->edges[g], tick);
    }
}

/* --- looking in */

uint32_t edges_count(const struct edges *edges) {
    return edges->count;
}

const struct link *edges_link(const struct edges *edges, uint32_t gateway) {
    CHECK(gateway < edges->count);
    return &edges->edges[gateway].link;
}

uint64_t edges_expired(const struct edges *edges, uint32_t gateway) {
    CHECK(gateway < edges->count);
    return edges->edges[gateway].expired;
}
