#include "gateway/keeper.h"

#include <string.h>

#include "common/check.h"

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

/* --- the link */

static void up(void *context, bool is_same, struct mono now) {
    (void)is_same, (void)now;
    struct keeper *keeper = context;
    keeper->config.handlers.up(keeper->config.handlers.context, keeper->config.shard);
}

static void lost(void *context, struct mono now) {
    (void)now;
    struct keeper *keeper = context;
    keeper->claim_count = keeper->refresh_count = keeper->command_count = keeper->blob_len = 0;
    while (keeper->waiting_count > 0) give_up_oldest(keeper);
    keeper->config.handlers.lost(keeper->config.handlers.context, keeper->config.shard);
}

static void take_sessions(void *context, const struct wire_bus_view *view, struct mono now) {
    (void)now;
    struct keeper *keeper = context;
    keeper->config.handlers.sessions(keeper->config.handlers.context, keeper->config.shard, &view->persist_sessions);
}

int keeper_open(struct keeper *keeper, const struct keeper_config *config, struct mono now, char *error, size_t error_size) {
    memset(keeper, 0, sizeof *keeper);
    keeper->config = *config;
    struct link_config link = {.hello = config->hello,
                               .peer = {.role = WIRE_ROLE_PERSIST,
                                        .kind = WIRE_BUS_PERSIST_SESSIONS,
                                        .shard = config->shard,
                                        .shard_count = config->shard_count},
                               .bus = config->bus,
                               .builder = config->builder,
                               .receives_max = KEEPER_RECEIVES_PER_POLL,
                               .handlers = {.context = keeper, .up = up, .lost = lost, .message = take_sessions}};
    return link_open(&keeper->link, &link, now, error, error_size);
}

void keeper_close(struct keeper *keeper) {
    link_close(&keeper->link);
}

void keeper_update(struct keeper *keeper, struct mono now) {
    link_update(&keeper->link, now);
    while (keeper->waiting_count > 0 && waiting_at(keeper, 0)->until_ns <= now.ns) give_up_oldest(keeper);
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
    if (link_send(&keeper->link, bytes) != 0) return;
    keeper->stats.commands_sent += keeper->command_count;
    keeper->claim_count = keeper->refresh_count = keeper->command_count = keeper->blob_len = 0;
    keeper->ends_told += view.end_count;
}

bool keeper_waits(const struct keeper *keeper) {
    bool has_something = keeper->claim_count > 0 || keeper->refresh_count > 0 || keeper->command_count > 0;
    return keeper->link.state == LINK_UP && (has_something || keeper->ends_told < keeper->ends_total);
}

int keeper_claim(struct keeper *keeper, const struct wire_session_claim *claim) {
    if (keeper->link.state != LINK_UP) return MARCH_ERR_NOT_FOUND;
    if (keeper->claim_count == KEEPER_CLAIMS_MAX) return MARCH_ERR_FULL;
    keeper->claims[keeper->claim_count++] = *claim;
    return 0;
}

int keeper_refresh(struct keeper *keeper, const struct wire_session_ref *ref) {
    if (keeper->link.state != LINK_UP) return MARCH_ERR_NOT_FOUND;
    if (keeper->refresh_count == KEEPER_REFRESHES_MAX) return MARCH_ERR_FULL;
    keeper->refreshes[keeper->refresh_count++] = *ref;
    return 0;
}

int keeper_command(struct keeper *keeper, struct mono now, const struct wire_session_ref *ref, uint64_t key,
                   const uint8_t *bytes, size_t len) {
    CHECK(len <= WIRE_CLIENT_BYTES_MAX && key != 0);
    if (keeper->link.state != LINK_UP) return MARCH_ERR_NOT_FOUND;
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
