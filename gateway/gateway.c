#include "gateway/gateway.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "gateway/admission.h"
#include "gateway/matches.h"
#include "gateway/routing.h"
#include "gateway/stream.h"

_Static_assert(GUIDE_BYTES_MAX <= BATCH_BYTES_MAX && KEEPER_BYTES_MAX <= BATCH_BYTES_MAX, "one builder is for all");

/* --- one turn of the loop */

static void phase_done(struct gateway *g, enum gateway_phase phase) {
    struct mono now = mono_now();
    if (g->phases[phase]) histogram_record(g->phases[phase], mono_since_ns(now, g->now));
    g->now = now;
}

static void on_woken(void *context) {
    struct gateway *g = context;
    phase_done(g, GATEWAY_PHASE_WAIT);
    g->wall_ns = wall_now_ns();
}

/* Routes are watched under their indices, keepers behind them, then the guide. */
#define GUIDE_TAG (SESSION_ROUTES_MAX + CONFIG_PERSISTS_MAX)

static void on_readable(void *context, unsigned tag) {
    struct gateway *g = context;
    if (tag < SESSION_ROUTES_MAX) {
        link_receive(&g->routes[tag]->link, g->now);
    } else if (tag == GUIDE_TAG) {
        link_receive(&g->guide->link, g->now);
    } else {
        link_receive(&g->keepers[tag - SESSION_ROUTES_MAX]->link, g->now);
    }
}

/* sleep_ns returns how long nothing has to be done if nothing arrives. */
static uint64_t sleep_ns(const struct gateway *g) {
    if (g->due.count > 0) return 0;
    uint64_t sleep = matches_sleep_ns(g, admission_sleep_ns(g, GATEWAY_SLEEP_NS));
    bool waits = false;
    for (unsigned i = 0; i < g->route_count; i++) waits |= route_waits(g->routes[i]);
    if (!waits) return sleep;
    uint64_t until_flush = mono_since_ns(g->flush_at, g->now);
    return until_flush < sleep ? until_flush : sleep;
}

static int receive(struct gateway *g) {
    uint64_t sleep = sleep_ns(g);
    unsigned events_min = 1;
    if (g->is_busy) {
        events_min = GATEWAY_COALESCE_EVENTS;
        if (sleep > GATEWAY_COALESCE_NS) sleep = GATEWAY_COALESCE_NS;
    }
    int handled = io_wait(g->io, sleep, events_min);
    g->is_busy = handled >= GATEWAY_BUSY_EVENTS;
    return handled;
}

static void update(struct gateway *g) {
    netcode_server_update(g->netcode, g->now, g->wall_ns / NS_PER_S, &g->sink);
    for (unsigned i = 0; i < g->route_count; i++) link_update(&g->routes[i]->link, g->now);
    const uint32_t *counts = g->sessions.state_counts;
    if (g->guide) {
        uint32_t sessions = g->sessions.size - counts[SESSION_FREE];
        guide_update(g->guide, &g->compass.directory, sessions, counts[SESSION_MOVING], g->now);
    }
    transfer_update(&g->transfers, g->now);
    drain_update(g);
}

/* next_flush returns the next moment that is flush_lead_ns before a tick. */
static struct mono next_flush(const struct gateway *g) {
    uint64_t aimed_ns = g->wall_ns + g->flush_lead_ns;
    return mono_add_ns(g->now, tick_start_ns(tick_at(aimed_ns, g->tick_hz) + 1, g->tick_hz) - aimed_ns);
}

/* Zones look at what gateways told them when a tick begins, so once a tick is enough, shortly before: a message costs tens
 * of microseconds in nng, whatever its size. */
static void flush(struct gateway *g, bool now) {
    if (now || mono_reached(g->now, g->flush_at)) {
        for (unsigned i = 0; i < g->route_count; i++) route_flush(g->routes[i]);
        g->flush_at = next_flush(g);
    }
    admission_flush(g, now);
    matches_flush(g);
    for (unsigned i = 0; i < g->socket_count; i++) sender_flush(g->senders[i]);
}

int gateway_turn(struct gateway *g) {
    int handled = receive(g);
    if (handled < 0) return handled;
    phase_done(g, GATEWAY_PHASE_RECEIVE);
    update(g);
    phase_done(g, GATEWAY_PHASE_UPDATE);
    admission_update(g);
    phase_done(g, GATEWAY_PHASE_ADMIT);
    downstream_attach(g);
    phase_done(g, GATEWAY_PHASE_ATTACH);
    downstream_due(g);
    phase_done(g, GATEWAY_PHASE_DUE);
    flush(g, false);
    phase_done(g, GATEWAY_PHASE_FLUSH);
    g->stats.turns++;
    return 0;
}

/* --- netcode's sink */

static void on_timed_out(void *context, struct netcode_slot slot, uint64_t client_id) {
    struct gateway *g = context;
    struct session *session = session_at(&g->sessions, slot.index);
    CHECK(session && session->generation == slot.generation && session->player == client_id);
    upstream_end(g, session, SESSION_END_TIMED_OUT);
}

/* --- opening and closing */

static int queue_create(struct session_queue *queue, uint32_t size) {
    *queue = (struct session_queue){.indices = calloc(size, sizeof *queue->indices), .size = size};
    return queue->indices ? 0 : MARCH_ERR_SYSTEM;
}

static size_t pack_zone_status(struct gateway *g, enum wire_zone_state state, uint8_t bytes[GATEWAY_ZONE_MESSAGE_MAX]) {
    struct wire_server_message message = {.kind = WIRE_SERVER_ZONE_STATUS, .zone_state = state};
    struct wire_bytes packed;
    CHECK(wire_server_message_pack(g->builder, &message, &packed) == 0 && packed.len <= GATEWAY_ZONE_MESSAGE_MAX);
    memcpy(bytes, packed.data, packed.len);
    return packed.len;
}

static int create_tables(struct gateway *g, const struct gateway_config *config) {
    uint32_t size = config->netcode.slots_max;
    struct transfer_handlers transfers = routing_transfers(g);
    if (config->keeper_count > 0) g->claims = calloc(size, sizeof *g->claims);
    g->builder = wire_builder_create(BATCH_BYTES_MAX);
    if (!g->builder || (config->keeper_count > 0 && !g->claims) || session_table_create(&g->sessions, size) != 0 ||
        transfer_init(&g->transfers, &g->sessions, &transfers) != 0 || queue_create(&g->due, size) != 0 ||
        queue_create(&g->active, size) != 0) {
        return MARCH_ERR_SYSTEM;
    }
    for (unsigned i = 0; i < g->socket_count; i++) {
        g->senders[i] = malloc(sizeof *g->senders[i]);
        if (!g->senders[i]) return MARCH_ERR_SYSTEM;
        sender_init(g->senders[i], config->sockets[i]);
    }
    g->zone_lost_len = pack_zone_status(g, WIRE_ZONE_LOST, g->zone_lost);
    g->zone_back_len = pack_zone_status(g, WIRE_ZONE_BACK, g->zone_back);
    return netcode_server_create(&g->netcode, &config->netcode);
}

static int open_io(struct gateway *g, const struct gateway_config *config) {
    struct io_config io = {
        .back_end = config->io,
        .buffers = config->io_buffers,
        .socket_count = config->socket_count,
        .handlers = {.context = g, .woken = on_woken, .datagram = upstream_datagram, .readable = on_readable}};
    memcpy(io.sockets, config->sockets, sizeof io.sockets);
    return io_open(&g->io, &io);
}

static int explain(int result, const char *what, char *error, size_t error_size) {
    if (result != 0)
        snprintf(error, error_size, "%s: %s", what, result == MARCH_ERR_SYSTEM ? strerror(errno) : march_error_text(result));
    return result;
}

static int open_route(struct gateway *g, const struct gateway_config *config, unsigned index, char *error,
                      size_t error_size) {
    struct route_config route = {
        .index = index,
        .hello = config->hello,
        .bus = config->buses[index],
        .builder = g->builder,
        .handlers = {.context = g, .up = downstream_zone_up, .lost = downstream_zone_lost, .batch = downstream_zone_batch}};
    struct route *opened = malloc(sizeof *opened);
    if (!opened) return explain(MARCH_ERR_SYSTEM, "routes", error, error_size);
    int result = route_open(opened, &route, g->now, error, error_size);
    if (result != 0) {
        free(opened);
        return result;
    }
    g->routes[g->route_count++] = opened;
    return explain(io_watch(g->io, bus_edge_fd(opened->link.edge), index), opened->link.name, error, error_size);
}

static int open_keeper(struct gateway *g, const struct gateway_config *config, unsigned shard, char *error,
                       size_t error_size) {
    struct keeper_config keeper = {.shard = shard,
                                   .shard_count = config->keeper_count,
                                   .hello = config->hello,
                                   .bus = config->keeper_buses[shard],
                                   .builder = g->builder,
                                   .handlers = {.context = g,
                                                .up = admission_persist_up,
                                                .lost = admission_persist_lost,
                                                .sessions = admission_persist_sessions,
                                                .unanswered = admission_unanswered}};
    memcpy(keeper.region, config->region, sizeof keeper.region);
    struct keeper *opened = malloc(sizeof *opened);
    if (!opened) return explain(MARCH_ERR_SYSTEM, "keepers", error, error_size);
    int result = keeper_open(opened, &keeper, g->now, error, error_size);
    if (result != 0) {
        free(opened);
        return result;
    }
    g->keepers[g->keeper_count++] = opened;
    result = io_watch(g->io, bus_edge_fd(opened->link.edge), SESSION_ROUTES_MAX + shard);
    return explain(result, opened->link.name, error, error_size);
}

static int open_guide(struct gateway *g, const struct gateway_config *config, char *error, size_t error_size) {
    struct guide_config guide = {.hello = config->hello,
                                 .bus = config->guide_bus,
                                 .builder = g->builder,
                                 .handlers = {.context = g, .directory = routing_directory, .tells = matches_tells}};
    struct guide *opened = malloc(sizeof *opened);
    if (!opened) return explain(MARCH_ERR_SYSTEM, "the way to the matchmaker", error, error_size);
    int result = guide_open(opened, &guide, g->now, error, error_size);
    if (result != 0) {
        free(opened);
        return result;
    }
    g->guide = opened;
    return explain(io_watch(g->io, bus_edge_fd(opened->link.edge), GUIDE_TAG), opened->link.name, error, error_size);
}

int gateway_create(struct gateway **out, const struct gateway_config *config, struct mono now, uint64_t wall_ns, char *error,
                   size_t error_size) {
    *out = NULL;
    CHECK(config->route_count >= 1 && config->route_count <= SESSION_ROUTES_MAX && config->socket_count <= IO_SOCKETS_MAX);
    CHECK(config->keeper_count <= CONFIG_PERSISTS_MAX);
    struct gateway *g = calloc(1, sizeof *g);
    CHECK(g);
    g->now = now;
    g->wall_ns = wall_ns;
    g->tick_hz = config->tick_hz;
    g->flush_lead_ns = config->flush_lead_ns;
    g->socket_count = config->socket_count;
    memcpy(g->sockets, config->sockets, sizeof g->sockets);
    g->index = config->hello.index;
    g->drain = (struct drain){.config = config->drain,
                              .protocol_id = config->netcode.protocol_id,
                              .token_lifetime_s = config->netcode.token_lifetime_s,
                              .timeout_s = (int32_t)config->netcode.timeout_max_s};
    memcpy(g->drain.connect_key, config->netcode.connect_key, sizeof g->drain.connect_key);
    compass_init(&g->compass, &config->directory);
    g->sink = (struct netcode_sink){.context = g, .send = downstream_raw, .timed_out = on_timed_out};
    const char *what = "tables of sessions";
    int result = create_tables(g, config);
    if (result == 0) {
        what = "receiving from the sockets";
        result = open_io(g, config);
    }
    (void)explain(result, what, error, error_size);
    for (unsigned i = 0; result == 0 && i < config->route_count; i++) {
        result = open_route(g, config, i, error, error_size);
    }
    for (unsigned i = 0; result == 0 && i < config->keeper_count; i++) {
        result = open_keeper(g, config, i, error, error_size);
    }
    if (result == 0 && config->has_guide) result = open_guide(g, config, error, error_size);
    if (result == 0) {
        *out = g;
        return 0;
    }
    gateway_destroy(g);
    return result;
}

/* say_goodbye disconnects everybody; zones learn it by the end of the connection, or at once where there is room. */
static void say_goodbye(struct gateway *g) {
    for (uint32_t i = 0; i < g->sessions.size; i++) {
        struct session *session = session_at(&g->sessions, i);
        if (session) upstream_disconnect(g, session, SESSION_END_SHUTDOWN);
    }
    flush(g, true);
}

void gateway_destroy(struct gateway *g) {
    if (!g) return;
    if (g->netcode && g->io) say_goodbye(g);
    io_close(&g->io);
    for (unsigned i = 0; i < g->route_count; i++) {
        route_close(g->routes[i]);
        free(g->routes[i]);
    }
    for (unsigned i = 0; i < g->keeper_count; i++) {
        keeper_close(g->keepers[i]);
        free(g->keepers[i]);
    }
    if (g->guide) guide_close(g->guide);
    free(g->guide);
    for (unsigned i = 0; i < g->socket_count; i++) {
        free(g->senders[i]);
        close(g->sockets[i]);
    }
    netcode_server_destroy(g->netcode);
    wire_builder_destroy(g->builder);
    transfer_deinit(&g->transfers);
    session_table_destroy(&g->sessions);
    free(g->claims);
    free(g->due.indices);
    free(g->active.indices);
    sodium_memzero(g->drain.connect_key, sizeof g->drain.connect_key);
    free(g);
}

/* --- looking in */

unsigned gateway_routes_up(const struct gateway *g) {
    unsigned up = 0;
    for (unsigned i = 0; i < g->route_count; i++) up += g->routes[i]->link.state == LINK_UP;
    return up;
}

unsigned gateway_keepers_up(const struct gateway *g) {
    unsigned up = 0;
    for (unsigned i = 0; i < g->keeper_count; i++) up += g->keepers[i]->link.state == LINK_UP;
    return up;
}

bool gateway_has_directory(const struct gateway *g) {
    return g->compass.directory.version > 0;
}

const char *gateway_phase_name(enum gateway_phase phase) {
    static const char *const names[GATEWAY_PHASE_COUNT] = {"wait", "receive", "update", "admit", "attach", "due", "flush"};
    return names[phase];
}

const char *session_end_name(enum session_end end) {
    static const char *const names[SESSION_END_COUNT] = {"left",       "timed_out",  "malformed", "slow",
                                                         "stalled",    "refused",    "zone",      "shutdown",
                                                         "taken_over", "token_used", "unclaimed", "claim_late"};
    return names[end];
}
