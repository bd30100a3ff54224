#include "gateway/keeper.h"

#include <stdio.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"

int keeper_open(struct keeper *keeper, const struct keeper_config *config, struct mono now) {
    memset(keeper, 0, sizeof *keeper);
    keeper->config = *config;
    snprintf(keeper->name, sizeof keeper->name, "%s", config->bus.peer_name);
    return bus_edge_open(&keeper->edge, &config->bus, now);
}

void keeper_close(struct keeper *keeper) {
    bus_edge_close(keeper->edge);
    keeper->edge = NULL;
}

int keeper_fd(const struct keeper *keeper) {
    return bus_edge_fd(keeper->edge);
}

/* keeper_move is the one place where the state changes. */
static void keeper_move(struct keeper *keeper, enum keeper_state state) {
    static const bool allowed[KEEPER_STATE_COUNT][KEEPER_STATE_COUNT] = {
        [KEEPER_AWAY] = {[KEEPER_GREETING] = true},
        [KEEPER_GREETING] = {[KEEPER_UP] = true, [KEEPER_AWAY] = true},
        [KEEPER_UP] = {[KEEPER_AWAY] = true},
    };
    CHECK(allowed[keeper->state][state]);
    keeper->state = (uint8_t)state;
}

/* --- commands under way: a ring in the order of asking, which is nearly that of the answers */

static struct keeper_waiting *waiting_at(struct keeper *keeper, uint32_t i) {
    return &keeper->waiting[(keeper->waiting_head + i) % KEEPER_WAITING_MAX];
}

/* drop_answered lets go of the oldest ones that were answered. */
static void drop_answered(struct keeper *keeper) {
    while (keeper->waiting_count > 0 && waiting_at(keeper, 0)->key == 0) {
        keeper->waiting_head = (keeper->waiting_head + 1) % KEEPER_WAITING_MAX;
        keeper->waiting_count--;
    }
}

void keeper_answered(struct keeper *keeper, uint64_t session, uint64_t key) {
    for (uint32_t i = 0; i < keeper->waiting_count; i++) {
        struct keeper_waiting *waiting = waiting_at(keeper, i);
        if (waiting->key != key || waiting->session != session) continue;
        waiting->key = 0;
        break;
    }
    drop_answered(keeper);
}

static void give_up_oldest(struct keeper *keeper) {
    struct keeper_waiting oldest = *waiting_at(keeper, 0);
    waiting_at(keeper, 0)->key = 0;
    drop_answered(keeper);
    keeper->stats.commands_unanswered++;
    keeper->config.handlers.unanswered(keeper->config.handlers.context, oldest.session, oldest.key);
}

/* --- connections */

static void leave(struct keeper *keeper) {
    if (keeper->state == KEEPER_AWAY) return;
    bool was_up = keeper->state == KEEPER_UP;
    keeper_move(keeper, KEEPER_AWAY);
    keeper->claim_count = keeper->refresh_count = keeper->command_count = keeper->blob_len = 0;
    while (keeper->waiting_count > 0) give_up_oldest(keeper);
    if (!was_up) return;
    keeper->stats.losses++;
    log_warn("persist.lost", "persist=%s", keeper->name);
    keeper->config.handlers.lost(keeper->config.handlers.context, keeper->config.shard);
}

/* greet says Hello on a new connection; it is tried again at the next update when the bus refuses. */
static void greet(struct keeper *keeper) {
    struct wire_bytes bytes;
    CHECK(wire_hello_pack(keeper->config.builder, &keeper->config.hello, &bytes) == 0);
    if (bus_send(keeper->edge, bytes.data, bytes.len) != 0) return;
    keeper->bus_generation = bus_generation(keeper->edge);
    keeper_move(keeper, KEEPER_GREETING);
}

static void look_at_connection(struct keeper *keeper, struct mono now) {
    bus_update(keeper->edge, now);
    bool connected = bus_connected(keeper->edge);
    if (!connected || bus_generation(keeper->edge) != keeper->bus_generation) leave(keeper);
    if (connected && keeper->state == KEEPER_AWAY) greet(keeper);
}

void keeper_update(struct keeper *keeper, struct mono now) {
    look_at_connection(keeper, now);
    while (keeper->waiting_count > 0 && waiting_at(keeper, 0)->until_ns <= now.ns) give_up_oldest(keeper);
}

static bool is_ours(const struct keeper *keeper, const struct wire_hello *hello) {
    return hello->role == WIRE_ROLE_PERSIST && hello->index == keeper->config.shard &&
           hello->shard_count == keeper->config.shard_count;
}

static void take_hello(struct keeper *keeper, const struct wire_hello *hello) {
    if (keeper->state != KEEPER_GREETING || !is_ours(keeper, hello)) {
        keeper->stats.messages_bad++;
        log_warn("persist.hello_bad", "persist=%s shard=%u of %u expected=%u of %u", keeper->name, hello->index,
                 hello->shard_count, keeper->config.shard, keeper->config.shard_count);
        return;
    }
    log_info("persist.up", "persist=%s same=%d", keeper->name, hello->incarnation == keeper->incarnation);
    keeper->incarnation = hello->incarnation;
    keeper_move(keeper, KEEPER_UP);
    keeper->config.handlers.up(keeper->config.handlers.context, keeper->config.shard);
}

/* --- receiving */

static void take_message(struct keeper *keeper, const uint8_t *bytes, size_t len) {
    struct wire_bus_view view;
    if (wire_bus_open(bytes, len, &view) != 0) {
        keeper->stats.messages_bad++;
        log_warn("persist.message_bad", "persist=%s bytes=%zu", keeper->name, len);
    } else if (view.kind == WIRE_BUS_HELLO) {
        take_hello(keeper, &view.hello);
    } else if (view.kind == WIRE_BUS_PERSIST_SESSIONS && keeper->state == KEEPER_UP) {
        keeper->stats.batches_received++;
        keeper->config.handlers.sessions(keeper->config.handlers.context, keeper->config.shard, &view.persist_sessions);
    } else {
        keeper->stats.messages_bad++;
    }
}

void keeper_receive(struct keeper *keeper, struct mono now) {
    for (unsigned i = 0; i < KEEPER_RECEIVES_PER_POLL; i++) {
        const uint8_t *bytes;
        size_t len;
        if (bus_receive(keeper->edge, &bytes, &len) != 0) return;
        /* A message may be the first of a new connection. */
        if (bus_generation(keeper->edge) != keeper->bus_generation) look_at_connection(keeper, now);
        take_message(keeper, bytes, len);
        bus_release(keeper->edge);
    }
}

/* --- sending */

/* ends_view copies the ends that are due in a row. */
static uint32_t ends_view(struct keeper *keeper) {
    if (keeper->ends_total - keeper->ends_told > KEEPER_ENDS_MAX) {
        keeper->stats.ends_lost += keeper->ends_total - keeper->ends_told - KEEPER_ENDS_MAX;
        keeper->ends_told = keeper->ends_total - KEEPER_ENDS_MAX;
    }
    uint32_t count = (uint32_t)(keeper->ends_total - keeper->ends_told);
    for (uint32_t i = 0; i < count; i++) keeper->ends_out[i] = keeper->ends[(keeper->ends_told + i) % KEEPER_ENDS_MAX];
    return count;
}

void keeper_flush(struct keeper *keeper) {
    if (!keeper_waits(keeper)) return;
    struct wire_gateway_claims view = {.claims = keeper->claims,
                                       .refreshes = keeper->refreshes,
                                       .commands = keeper->commands,
                                       .ends = keeper->ends_out,
                                       .blob = keeper->blob,
                                       .claim_count = keeper->claim_count,
                                       .refresh_count = keeper->refresh_count,
                                       .command_count = keeper->command_count,
                                       .end_count = ends_view(keeper),
                                       .blob_len = keeper->blob_len};
    memcpy(view.region, keeper->config.region, sizeof view.region);
    struct wire_bytes bytes;
    CHECK(wire_gateway_claims_pack(keeper->config.builder, &view, &bytes) == 0);
    if (bus_send(keeper->edge, bytes.data, bytes.len) != 0) {
        keeper->stats.flushes_refused++;
        return;
    }
    keeper->stats.batches_sent++;
    keeper->stats.commands_sent += keeper->command_count;
    keeper->claim_count = keeper->refresh_count = keeper->command_count = keeper->blob_len = 0;
    keeper->ends_told += view.end_count;
}

bool keeper_waits(const struct keeper *keeper) {
    bool has_something = keeper->claim_count > 0 || keeper->refresh_count > 0 || keeper->command_count > 0;
    return keeper->state == KEEPER_UP && (has_something || keeper->ends_told < keeper->ends_total);
}

int keeper_claim(struct keeper *keeper, const struct wire_session_claim *claim) {
    if (keeper->state != KEEPER_UP) return MARCH_ERR_NOT_FOUND;
    if (keeper->claim_count == KEEPER_CLAIMS_MAX) return MARCH_ERR_FULL;
    keeper->claims[keeper->claim_count++] = *claim;
    return 0;
}

int keeper_refresh(struct keeper *keeper, const struct wire_session_ref *ref) {
    if (keeper->state != KEEPER_UP) return MARCH_ERR_NOT_FOUND;
    if (keeper->refresh_count == KEEPER_REFRESHES_MAX) return MARCH_ERR_FULL;
    keeper->refreshes[keeper->refresh_count++] = *ref;
    return 0;
}

int keeper_command(struct keeper *keeper, struct mono now, const struct wire_session_ref *ref, uint64_t key,
                   const uint8_t *bytes, size_t len) {
    CHECK(len <= WIRE_CLIENT_BYTES_MAX && key != 0);
    if (keeper->state != KEEPER_UP) return MARCH_ERR_NOT_FOUND;
    if (keeper->command_count == KEEPER_COMMANDS_MAX || keeper->waiting_count == KEEPER_WAITING_MAX ||
        len > KEEPER_BLOB_BYTES - keeper->blob_len) {
        return MARCH_ERR_FULL;
    }
    memcpy(keeper->blob + keeper->blob_len, bytes, len);
    keeper->commands[keeper->command_count++] = (struct wire_session_command){.session = ref->session,
                                                                              .player = ref->player,
                                                                              .session_epoch = ref->session_epoch,
                                                                              .offset = keeper->blob_len,
                                                                              .len = (uint32_t)len};
    keeper->blob_len += (uint32_t)len;
    *waiting_at(keeper, keeper->waiting_count++) =
        (struct keeper_waiting){.session = ref->session, .key = key, .until_ns = now.ns + KEEPER_ANSWER_MS * NS_PER_MS};
    return 0;
}

void keeper_end(struct keeper *keeper, const struct wire_session_ref *ref) {
    keeper->ends[keeper->ends_total++ % KEEPER_ENDS_MAX] = *ref;
}

const char *keeper_state_name(enum keeper_state state) {
    static const char *const names[KEEPER_STATE_COUNT] = {"away", "greeting", "up"};
    return names[state];
}
