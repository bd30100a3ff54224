#include "zone/edge.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/edge_url.h"
#include "common/log.h"

_Static_assert(WIRE_BUS_BYTES_MAX <= BUS_FRAME_BYTES_MAX, "a full batch fits one message of the bus");
_Static_assert(SIM_GATEWAYS_MAX >= CONFIG_GATEWAYS_MAX, "a zone has an edge to each gateway");

struct edge {
    struct bus_edge *bus;
    const char *gateway;
    uint32_t index; /* of the gateway */
    enum edge_state state;
    uint32_t generation;  /* of the connection we said Hello on */
    uint64_t incarnation; /* of the gateway whose sessions the zone has; 0: none yet */
    struct mono lost_at;
    bool keeping; /* the connection is lost, its players wait */
    uint64_t sent_tick;
    struct edge_stats stats;
};

struct edges {
    struct sim *sim;
    struct book *book;
    struct wire_hello hello;
    struct wire_builder *builder;
    uint32_t count;
    struct edge edges[SIM_GATEWAYS_MAX];
};

/* --- opening */

static int open_edge(struct edges *edges, struct edge *edge, const struct config *config, const char *url,
                     const uint8_t *key, struct mono now, char *error, size_t error_size) {
    size_t queue_bytes =
        config->bus.queue_bytes_max > BUS_FRAME_BYTES_MAX ? config->bus.queue_bytes_max : BUS_FRAME_BYTES_MAX;
    struct bus_edge_config bus = {.url = url,
                                  .role = BUS_LISTEN,
                                  .local_name = edges->hello.name,
                                  .peer_name = edge->gateway,
                                  .key = key,
                                  .frame_max_bytes = BUS_FRAME_BYTES_MAX,
                                  .queue_max_bytes = queue_bytes};
    int result = bus_edge_open(&edge->bus, &bus, now);
    if (result) {
        const char *why = result == MARCH_ERR_EXISTS   ? "the address is in use"
                          : result == MARCH_ERR_SYSTEM ? strerror(errno)
                                                       : march_error_text(result);
        snprintf(error, error_size, "%s: can't listen: %s", url, why);
    }
    return result;
}

int edges_open(struct edges **out, const struct config *config, uint32_t zone_index, const char *run_dir,
               const struct wire_hello *hello, const uint8_t *key, struct sim *sim, struct book *book, struct mono now,
               char *error, size_t error_size) {
    *out = NULL;
    struct edges *edges = calloc(1, sizeof *edges);
    struct wire_builder *builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    if (!edges || !builder) {
        snprintf(error, error_size, "out of memory");
        free(edges);
        wire_builder_destroy(builder);
        return MARCH_ERR_SYSTEM;
    }
    *edges = (struct edges){.sim = sim, .book = book, .hello = *hello, .builder = builder};
    for (uint32_t g = 0; g < config->gateways_count; g++) {
        struct edge *edge = &edges->edges[g];
        *edge = (struct edge){.gateway = config->gateways[g].name, .index = g};
        char url[EDGE_URL_SIZE];
        int result = edge_url(config, run_dir, EDGE_ZONE_GATEWAY, zone_index, g, url, sizeof url);
        if (result)
            snprintf(error, error_size, "no address for the edge to %s: the run directory's path is too long",
                     edge->gateway);
        if (!result) result = open_edge(edges, edge, config, url, key, now, error, error_size);
        if (result) {
            edges_close(edges);
            return result;
        }
        sim_set_connected(sim, g, false);
        edges->count++;
    }
    *out = edges;
    return 0;
}

void edges_close(struct edges *edges) {
    if (!edges) return;
    for (uint32_t g = 0; g < edges->count; g++) bus_edge_close(edges->edges[g].bus);
    wire_builder_destroy(edges->builder);
    free(edges);
}

/* --- connections */

/* The one place where the state of an edge changes. */
static void edge_move(struct edges *edges, struct edge *edge, enum edge_state state) {
    static const bool allowed[EDGE_STATE_COUNT][EDGE_STATE_COUNT] = {
        [EDGE_AWAY] = {[EDGE_GREETING] = true},
        [EDGE_GREETING] = {[EDGE_UP] = true, [EDGE_AWAY] = true},
        [EDGE_UP] = {[EDGE_AWAY] = true},
    };
    CHECK(allowed[edge->state][state]);
    edge->state = state;
    sim_set_connected(edges->sim, edge->index, state == EDGE_UP);
}

static void lose(struct edges *edges, struct edge *edge, struct mono now) {
    bool was_up = edge->state == EDGE_UP;
    edge_move(edges, edge, EDGE_AWAY);
    if (!was_up) return;
    edge->stats.losses++;
    edge->keeping = true;
    edge->lost_at = now;
    log_warn("gateway.lost", "gateway=%s", edge->gateway);
}

/* Says Hello on a new connection; where the bus refuses, the next update tries again. */
static void greet(struct edges *edges, struct edge *edge) {
    struct wire_bytes bytes;
    int error = wire_hello_pack(edges->builder, &edges->hello, &bytes);
    CHECK(error == 0);
    if (bus_send(edge->bus, bytes.data, bytes.len)) return;
    edge->generation = bus_generation(edge->bus);
    edge_move(edges, edge, EDGE_GREETING);
}

static void update(struct edges *edges, struct edge *edge, struct mono now) {
    bus_update(edge->bus, now);
    bool connected = bus_connected(edge->bus);
    if (edge->state != EDGE_AWAY && (!connected || bus_generation(edge->bus) != edge->generation)) lose(edges, edge, now);
    if (connected && edge->state == EDGE_AWAY) greet(edges, edge);
    if (edge->keeping && mono_reached(now, mono_add_ms(edge->lost_at, EDGE_KEEP_MS))) {
        edge->keeping = false;
        edge->stats.expired++;
        book_drop_gateway(edges->book, edge->index);
        log_warn("gateway.sessions_expired", "gateway=%s", edge->gateway);
    }
}

static void take_hello(struct edges *edges, struct edge *edge, const struct wire_hello *hello) {
    if (edge->state != EDGE_GREETING || hello->role != WIRE_ROLE_GATEWAY || strcmp(hello->name, edge->gateway) != 0) {
        edge->stats.messages_bad++;
        return;
    }
    if (edge->incarnation && edge->incarnation != hello->incarnation) {
        edge->stats.incarnations++;
        book_drop_gateway(edges->book, edge->index);
    }
    edge->incarnation = hello->incarnation;
    edge->keeping = false;
    edge_move(edges, edge, EDGE_UP);
    log_info("gateway.up", "gateway=%s incarnation=%016" PRIx64, edge->gateway, hello->incarnation);
}

/* --- receiving */

static void take_batch(struct edges *edges, uint32_t gateway, const struct wire_gateway_batch *b, struct mono now) {
    struct sim *sim = edges->sim;
    struct book *book = edges->book;
    for (uint32_t i = 0; i < b->attach_count; i++) book_attach(book, gateway, &b->attaches[i], now);
    for (uint32_t i = 0; i < b->detach_count; i++) book_detach(book, gateway, b->detaches[i].session);
    for (uint32_t i = 0; i < b->input_count; i++) {
        if (!book_holds(book, gateway, b->inputs[i].session)) sim_input(sim, gateway, &b->inputs[i]);
    }
    for (uint32_t i = 0; i < b->ack_count; i++) sim_ack(sim, gateway, b->acks[i].session, b->acks[i].snapshot_seq);
    for (uint32_t i = 0; i < b->message_count; i++) {
        sim_message(sim, gateway, b->messages[i].session, b->blob + b->messages[i].offset, b->messages[i].len);
    }
}

static void take_message(struct edges *edges, struct edge *edge, const uint8_t *bytes, size_t len, struct mono now) {
    struct wire_bus_view view;
    if (wire_bus_open(bytes, len, &view)) {
        edge->stats.messages_bad++;
        log_warn("gateway.message_bad", "gateway=%s bytes=%zu", edge->gateway, len);
    } else if (view.kind == WIRE_BUS_HELLO) {
        take_hello(edges, edge, &view.hello);
    } else if (view.kind == WIRE_BUS_GATEWAY_BATCH && edge->state == EDGE_UP) {
        edge->stats.batches_received++;
        take_batch(edges, edge->index, &view.gateway, now);
    } else {
        edge->stats.messages_bad++;
    }
}

static void receive(struct edges *edges, struct edge *edge, struct mono now) {
    for (uint32_t i = 0; i < EDGE_RECEIVES_MAX; i++) {
        const uint8_t *bytes;
        size_t len;
        if (bus_receive(edge->bus, &bytes, &len)) return;
        if (bus_generation(edge->bus) != edge->generation) update(edges, edge, now); /* the first of a new connection */
        take_message(edges, edge, bytes, len, now);
        bus_release(edge->bus);
    }
}

void edges_receive(struct edges *edges, struct mono now) {
    for (uint32_t g = 0; g < edges->count; g++) {
        update(edges, &edges->edges[g], now);
        receive(edges, &edges->edges[g], now);
    }
}

/* --- sending */

static void send_output(struct edges *edges, struct edge *edge, uint64_t tick) {
    struct output *output = sim_output(edges->sim, edge->index);
    if (output_is_empty(output) && tick < edge->sent_tick + EDGE_HEARTBEAT_TICKS) return;
    struct wire_zone_batch batch = output_batch(output, tick);
    struct wire_bytes bytes;
    int error = wire_zone_batch_pack(edges->builder, &batch, &bytes);
    CHECK(error == 0);
    if (bus_send(edge->bus, bytes.data, bytes.len)) {
        edge->stats.sends_refused++;
        output_clear_snapshots(output);
        return;
    }
    edge->sent_tick = tick;
    edge->stats.batches_sent++;
    edge->stats.bytes_sent += bytes.len;
    output_clear(output);
}

void edges_send(struct edges *edges, uint64_t tick) {
    for (uint32_t g = 0; g < edges->count; g++) {
        if (edges->edges[g].state == EDGE_UP) send_output(edges, &edges->edges[g], tick);
    }
}

/* --- looking in */

uint32_t edges_count(const struct edges *edges) {
    return edges->count;
}

enum edge_state edges_state(const struct edges *edges, uint32_t gateway) {
    CHECK(gateway < edges->count);
    return edges->edges[gateway].state;
}

const struct edge_stats *edges_stats(const struct edges *edges, uint32_t gateway) {
    CHECK(gateway < edges->count);
    return &edges->edges[gateway].stats;
}

void edges_bus_statistics(const struct edges *edges, uint32_t gateway, struct bus_statistics *out) {
    CHECK(gateway < edges->count);
    bus_statistics_read(edges->edges[gateway].bus, out);
}
