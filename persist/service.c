#include "persist/service.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "common/check.h"
#include "common/file.h"
#include "common/log.h"
#include "persist/service_parts.h"

#define TURN_S           0.02
#define CLOSE_MS         5000 /* for what is to be flushed at the end */
#define CONNECTIONS      4    /* of the pool that writes: batches of value, motion, sessions and boards side by side */
#define READ_CONNECTIONS 2
#define LOOK_CONNECTIONS                                                                                                    \
    1 /* of what somebody waits for, and what must be as it is now: not behind a batch that is written */
#define HOT_EXPIRY_S 86400

_Static_assert(CONFIG_ADDRESS_SIZE >= ADDR_TEXT_MAX, "an address that was bound fits where one is configured");

/* --- loot into value */

/* Tells a player that is here of loot that was not all created. */
static void tell_no_room(struct service *s, uint64_t player, uint64_t key, uint64_t object) {
    const struct wire_server_message message = {.kind = WIRE_SERVER_COMMAND_RESULT,
                                                .result = {.key = key, .status = WIRE_STATUS_NO_ROOM, .object = object}};
    clients_tell_player(s->clients, player, &message);
}

static void grant_done(void *ctx, const struct ledger_result *result) {
    struct applying *applying = ctx;
    struct service *s = applying->service;
    uint64_t position = applying->position, player = applying->player, key = applying->key;
    pool_give(&s->applying, applying->handle);
    bool again = result->status == LEDGER_UNAVAILABLE || result->status == LEDGER_BUSY ||
                 result->status == LEDGER_CONFLICT || result->status == LEDGER_DISABLED;
    if (again) {
        grants_retry(s->grants, position);
        return;
    }
    if (result->status != LEDGER_OK || result->is_part) { /* no room for all of it, or no such item */
        s->grants_lost++;
        log_warn("loot.lost", "position=%" PRIu64 " player=%" PRIu64 " status=%d part=%d", position, player,
                 (int)result->status, result->is_part);
    }
    if (result->status == LEDGER_NO_ROOM || result->is_part) tell_no_room(s, player, key, result->object);
    grants_applied(s->grants, position);
}

static int apply_grant(void *ctx, uint64_t position, const struct wire_loot_grant *grant) {
    struct service *s = ctx;
    struct handle handle = pool_take(&s->applying);
    struct applying *applying = pool_get(&s->applying, handle);
    if (!applying || !s->value) {
        if (applying) pool_give(&s->applying, handle);
        return MARCH_ERR_FULL;
    }
    *applying = (struct applying){handle, s, position, grant->player, grant->key};
    const struct ledger_command command = {.verb = LEDGER_GRANT,
                                           .domain = LEDGER_DOMAIN_LOOT,
                                           .player = grant->player,
                                           .key = grant->key,
                                           .kind = grant->item_kind,
                                           .count = grant->item_count,
                                           .gold = (int64_t)grant->gold};
    enum ledger_status status = value_submit(s->value, &command, grant_done, applying);
    if (status == LEDGER_OK) return 0;
    if (status == LEDGER_INVALID) { /* it never will be taken, and must not hold up those after it */
        grant_done(applying, &(struct ledger_result){.status = status});
        return 0;
    }
    pool_give(&s->applying, handle);
    return MARCH_ERR_FULL;
}

/* --- what modules tell each other */

static void fenced(void *ctx) {
    struct service *s = ctx;
    if (s->is_fenced) return;
    s->is_fenced = true;
    log_error("persist.fenced", "reason=\"a newer process has this shard\"");
    ev_break(s->loop, EVBREAK_ALL);
}

/* How far the journal is not needed but for motion. */
static uint64_t reach(void *ctx) {
    const struct service *s = ctx;
    uint64_t grants = grants_watermark(s->grants), documents = documents_watermark(s->documents);
    return grants < documents ? grants : documents;
}

static uint32_t write_hot(void *ctx, const struct wire_player_state *states, uint32_t count) {
    struct service *s = ctx;
    return hot_write(s->hot, states, count);
}

static int read_hot(void *ctx, const uint64_t *players, uint32_t count, hot_done done, void *done_ctx) {
    struct service *s = ctx;
    return hot_read(s->hot, players, count, done, done_ctx);
}

static void session_ended(void *ctx, const struct session_entry *entry, enum session_ended_reason reason) {
    struct service *s = ctx;
    if (s->clients) clients_ended(s->clients, entry, reason == SESSION_EXPIRED ? WIRE_ENDED_EXPIRED : WIRE_ENDED_TAKEN_OVER);
}

static void on_command(void *ctx, const struct client *client, const struct wire_command *command) {
    struct service *s = ctx;
    commands_take(s->commands, client, command);
}

static void on_seen(void *ctx, uint64_t player, const char *region) {
    struct service *s = ctx;
    char name[ROSTER_NAME_SIZE];
    roster_seen(s->roster, player, region);
    roster_name(player, name);
    reads_player_created(s->reads, player, name);
}

static bool on_whereabouts(void *ctx, uint64_t player, uint16_t *zone) {
    const struct service *s = ctx;
    return zones_find(s->zones, player, zone);
}

static void on_effect(void *ctx, uint64_t player, uint32_t kind, uint32_t power) {
    struct service *s = ctx;
    zones_effect(s->zones, player, kind, power);
}

/* A score that finds no room is raised by the next one. */
static void raise_score(struct service *s, enum board board, uint64_t player, uint64_t score) {
    const char *region = clients_region(s->clients, player);
    if (!region || score == 0 || score > BOARDS_SCORE_MAX || !flags_is_on(&s->flags, FLAG_BOARDS)) return;
    if (boards_raise(s->boards, board, region, player, (int64_t)score)) s->scores_dropped++;
}

static void on_experience(void *ctx, uint64_t player, uint64_t experience) {
    raise_score(ctx, BOARD_EXPERIENCE, player, experience);
}

static bool is_enabled(void *ctx, enum value_subsystem subsystem) {
    static const enum flag flags[VALUE_SUBSYSTEM_COUNT] = {[VALUE_ITEMS] = FLAG_ITEMS,
                                                           [VALUE_TRADE] = FLAG_TRADE,
                                                           [VALUE_AUCTION] = FLAG_AUCTION,
                                                           [VALUE_GUILD] = FLAG_GUILD,
                                                           [VALUE_LOOT] = FLAG_LOOT};
    const struct service *s = ctx;
    return flags_is_on(&s->flags, flags[subsystem]);
}

static void on_changed(void *ctx, const struct value_change *change) {
    struct service *s = ctx;
    commands_changed(s->commands, change);
    if (change->owner_kind == LEDGER_OWNER_PLAYER) {
        if (change->after) raise_score(s, BOARD_GOLD, change->owner, (uint64_t)change->after->gold);
        invalidate_publish(s->invalidate, INVALIDATE_INVENTORY, change->owner);
    } else if (change->owner_kind == LEDGER_OWNER_GUILD) {
        invalidate_publish(s->invalidate, INVALIDATE_GUILD, change->owner);
    }
}

static void on_notice(void *ctx, const struct ledger_notice *notice) {
    struct service *s = ctx;
    commands_notice(s->commands, notice);
    if (notice->type >= LEDGER_NOTICE_AUCTION_OUTBID) invalidate_publish(s->invalidate, INVALIDATE_AUCTION, notice->object);
    if (notice->type == LEDGER_NOTICE_GUILD_CHANGED) invalidate_publish(s->invalidate, INVALIDATE_PLAYER, notice->player);
}

static void on_guild_changed(void *ctx, uint64_t guild) {
    struct service *s = ctx;
    invalidate_publish(s->invalidate, INVALIDATE_GUILD, guild);
}

static void on_forgotten(void *ctx, enum ledger_owner_kind owner_kind, uint64_t owner) {
    struct service *s = ctx;
    if (!s->reads) return;
    if (owner_kind == LEDGER_OWNER_PLAYER) reads_account_changed(s->reads, owner_kind, owner);
    if (owner_kind == LEDGER_OWNER_GUILD) reads_guild_changed(s->reads, owner);
}

static void on_transfer_created(void *ctx, const struct ledger_transfer *transfer) {
    struct service *s = ctx;
    peers_created(s->peers, transfer);
}

static void on_transfer_closed(void *ctx, uint64_t transfer) {
    struct service *s = ctx;
    peers_closed(s->peers, transfer);
}

static void on_committed(void *ctx, uint32_t events) {
    struct service *s = ctx;
    if (events > 0) stream_wake(s->stream);
}

static void on_started(void *ctx) {
    struct service *s = ctx;
    log_info("value.started", " ");
    peers_started(s->peers);
    invalidate_publish(s->invalidate, INVALIDATE_ALL, 0);
}

static void on_peer_message(void *ctx, uint64_t player, const uint8_t *bytes, size_t len) {
    struct service *s = ctx;
    (void)clients_tell_bytes(s->clients, player, bytes, len);
}

static void on_reward_without_room(void *ctx, uint64_t player, uint64_t key, uint64_t object) {
    tell_no_room(ctx, player, key, object);
}

/* Answers to transfers are kept for as long as idempotency keys are, so there is nothing to hurry about. */
static void on_forget(void *ctx, uint64_t transfer) {
    struct service *s = ctx;
    (void)transfer;
    s->transfers_forgotten++;
}

/* What somebody's cache must drop; ours is told in the same way. */
static void on_stale(void *ctx, enum invalidate_kind kind, uint64_t id) {
    struct service *s = ctx;
    if (!s->reads) return;
    switch (kind) {
    case INVALIDATE_ALL: reads_all_changed(s->reads); break;
    case INVALIDATE_PLAYER:
    case INVALIDATE_NAME: reads_player_changed(s->reads, id); break;
    case INVALIDATE_INVENTORY: reads_account_changed(s->reads, LEDGER_OWNER_PLAYER, id); break;
    case INVALIDATE_GUILD: reads_guild_changed(s->reads, id); break;
    case INVALIDATE_AUCTION: reads_auctions_changed(s->reads); break;
    case INVALIDATE_KIND_COUNT: break;
    }
}

/* Somebody else has changed rows, as a channel of the database says. */
static void on_heard(void *ctx, const char *payload) {
    struct service *s = ctx;
    if (!reads_heard(s->reads, payload)) log_warn("postgres.notification_bad", "payload=%s", LOG_QUOTE(payload));
}

static void on_missed(void *ctx) {
    struct service *s = ctx;
    reads_all_changed(s->reads);
}

static bool is_live(void *ctx, uint64_t player, struct reads_live *out) {
    struct service *s = ctx;
    const struct wire_player_state *state = motion_find(s->motion, player);
    if (!state) return false;
    *out = (struct reads_live){
        .experience = state->experience, .level = state->level, .online = sessions_lookup(s->sessions, player) != NULL};
    return true;
}

/* --- opening */

static int open_pools(struct service *s, char *error, size_t error_size) {
    struct pg_config config = {.name = "primary",
                               .uri = s->stores.postgres,
                               .connections = CONNECTIONS,
                               .seed = s->seed,
                               .latency = gauges_histogram(s->gauges, GAUGES_POSTGRES)};
    int result = pg_create(s->loop, &config, &s->pg);
    config.name = "reads";
    config.uri = s->stores.replica[0] ? s->stores.replica : s->stores.postgres;
    config.connections = READ_CONNECTIONS;
    config.latency = NULL;
    if (!result) result = pg_create(s->loop, &config, &s->read_pg);
    config.name = "lookups";
    config.uri = s->stores.postgres;
    config.connections = LOOK_CONNECTIONS;
    if (!result) result = pg_create(s->loop, &config, &s->look_pg);
    config.name = "upkeep";
    config.connections = UPKEEP_LANES + AUDITS_MAX; /* none waits behind another */
    config.in_flight_max = 1;
    config.statement_ms = UPKEEP_DEADLINE_MS;
    if (!result) result = pg_create(s->loop, &config, &s->upkeep_pg);
    const struct redis_config redis = {
        .address = s->stores.redis, .seed = s->seed, .latency = gauges_histogram(s->gauges, GAUGES_REDIS)};
    if (result) {
        snprintf(error, error_size, "%s.postgres: %s", s->entry->name, march_error_text(result));
    } else if ((result = redis_open(&s->redis, s->loop, &redis)) != 0) {
        snprintf(error, error_size, "%s.redis: %s", s->entry->name, march_error_text(result));
    }
    return result;
}

static int open_motion(struct service *s, const struct shard_state *shard, char *error, size_t error_size) {
    int result = service_open_journal(s, error, error_size);
    if (result) return result;
    snprintf(error, error_size, "out of memory");
    const struct grants_config grants = {.journal = s->journal, .apply = apply_grant, .ctx = s};
    result = pool_init(&s->applying, GRANTS_APPLYING_MAX, sizeof(struct applying));
    if (!result) result = grants_create(&grants, &s->grants);
    const struct documents_config documents = {
        .journal = s->journal, .pg = s->pg, .epoch = shard->epoch, .fenced = fenced, .ctx = s};
    if (!result) result = documents_create(&s->documents, &documents);
    const struct motion_config motion = {.journal = s->journal,
                                         .pg = s->pg,
                                         .epoch = shard->epoch,
                                         .players_max = SESSIONS_MAX,
                                         .flush_ms = s->config->persist.flush_ms,
                                         .hot_ms = s->config->persist.hot_ms,
                                         .seed = s->seed,
                                         .reach = reach,
                                         .hot = write_hot,
                                         .hot_read = read_hot,
                                         .fenced = fenced,
                                         .ctx = s,
                                         .flush_ns = gauges_histogram(s->gauges, GAUGES_FLUSH)};
    if (!result) result = motion_create(&motion, &s->motion);
    return result ? result : service_recover(s, shard, error, error_size);
}

static int open_redis_parts(struct service *s, const struct shard_state *shard, char *error, size_t error_size) {
    const struct config_persistence *p = &s->config->persist;
    snprintf(error, error_size, "out of memory");
    const struct sessions_config sessions = {.redis = s->redis,
                                             .pg = s->pg,
                                             .shard_epoch = shard->epoch,
                                             .sessions_max = SESSIONS_MAX,
                                             .ttl_ms = p->session_ttl_s * 1000,
                                             .now_ms = wall_now_ns() / NS_PER_MS,
                                             .ended = session_ended,
                                             .ctx = s};
    const struct boards_config boards = {
        .redis = s->redis, .pg = s->pg, .shard_epoch = shard->epoch, .shard = s->index, .season = p->season};
    const struct stream_config stream = {.redis = s->redis, .pg = s->pg, .shard_epoch = shard->epoch, .seed = s->seed};
    int result = hot_open(&s->hot, s->redis, HOT_EXPIRY_S);
    if (!result) result = sessions_open(&s->sessions, &sessions);
    if (!result) result = boards_open(&s->boards, s->loop, &boards);
    if (!result) result = stream_open(&s->stream, s->loop, &stream);
    if (!result) result = invalidate_open(&s->invalidate, s->loop, s->redis, s->stores.redis, s->seed);
    if (!result) invalidate_subscribe(s->invalidate, on_stale, s);
    return result;
}

static int open_value(struct service *s, const struct shard_state *shard, char *error, size_t error_size) {
    const struct config_persistence *p = &s->config->persist;
    const struct value_config config = {.shard_index = s->index,
                                        .shard_count = s->config->persists_count,
                                        .epoch = (uint64_t)shard->epoch,
                                        .guild_window_ms = p->guild_window_ms,
                                        .rows_max = p->cache_entries_max};
    const struct value_hooks hooks = {.ctx = s,
                                      .enabled = is_enabled,
                                      .changed = on_changed,
                                      .notice = on_notice,
                                      .guild_changed = on_guild_changed,
                                      .transfer_created = on_transfer_created,
                                      .transfer_closed = on_transfer_closed,
                                      .committed = on_committed,
                                      .started = on_started,
                                      .fenced = fenced,
                                      .forgotten = on_forgotten};
    s->value = value_create(s->loop, s->pg, &config, &hooks);
    s->roster = roster_create(s->loop, s->pg, shard->epoch);
    const struct peers_config peers = {.config = s->config,
                                       .shard_index = s->index,
                                       .run_dir = s->settings->launch.run_dir,
                                       .hello = s->hello,
                                       .key = s->has_key ? s->key : NULL,
                                       .value = s->value,
                                       .ctx = s,
                                       .message = on_peer_message,
                                       .forget = on_forget};
    if (s->value && s->roster) return peers_open(&s->peers, s->loop, &peers, error, error_size);
    snprintf(error, error_size, "out of memory");
    return MARCH_ERR_SYSTEM;
}

static int open_matchmaker(struct service *s, const struct shard_state *shard, char *error, size_t error_size) {
    const struct match_keep_config matches = {.loop = s->loop,
                                              .pg = s->pg,
                                              .read_pg = s->read_pg,
                                              .look_pg = s->look_pg,
                                              .value = s->value,
                                              .documents = s->documents,
                                              .epoch = shard->epoch,
                                              .shard_index = s->index,
                                              .shard_count = s->config->persists_count,
                                              .no_room = on_reward_without_room,
                                              .fenced = fenced,
                                              .ctx = s};
    if (match_keep_create(&s->matches, &matches) != 0) {
        snprintf(error, error_size, "out of memory");
        return MARCH_ERR_SYSTEM;
    }
    const struct fences_config fences = {.config = s->config,
                                         .shard_index = s->index,
                                         .run_dir = s->settings->launch.run_dir,
                                         .hello = s->hello,
                                         .key = s->has_key ? s->key : NULL,
                                         .zones = s->zones,
                                         .matches = s->matches};
    return fences_open(&s->fences, s->loop, &fences, error, error_size);
}

static int open_edges(struct service *s, const struct shard_state *shard, char *error, size_t error_size) {
    const struct zones_config zones = {.config = s->config,
                                       .shard_index = s->index,
                                       .run_dir = s->settings->launch.run_dir,
                                       .hello = s->hello,
                                       .key = s->has_key ? s->key : NULL,
                                       .pg = s->pg,
                                       .fence = shard->epoch,
                                       .journal = s->journal,
                                       .motion = s->motion,
                                       .grants = s->grants,
                                       .flags = &s->flags,
                                       .ctx = s,
                                       .experience = on_experience};
    const struct clients_config clients = {.config = s->config,
                                           .shard_index = s->index,
                                           .run_dir = s->settings->launch.run_dir,
                                           .hello = s->hello,
                                           .key = s->has_key ? s->key : NULL,
                                           .sessions = s->sessions,
                                           .motion = s->motion,
                                           .ctx = s,
                                           .command = on_command,
                                           .seen = on_seen,
                                           .whereabouts = on_whereabouts};
    int result = clients_open(&s->clients, s->loop, &clients, error, error_size);
    const struct commands_config commands = {.shard_index = s->index,
                                             .shard_count = s->config->persists_count,
                                             .flags = &s->flags,
                                             .journal = s->journal,
                                             .value = s->value,
                                             .reads = s->reads,
                                             .peers = s->peers,
                                             .clients = s->clients,
                                             .ctx = s,
                                             .effect = on_effect};
    if (!result && !(s->commands = commands_create(&commands))) {
        snprintf(error, error_size, "out of memory");
        return MARCH_ERR_SYSTEM;
    }
    if (!result) result = zones_open(&s->zones, s->loop, &zones, error, error_size);
    return result ? result : open_matchmaker(s, shard, error, error_size);
}

/* Where another shard's endpoint is: its file in the run directory says. Only on one machine. */
static bool find_shard(void *ctx, uint32_t shard, char url[ABROAD_URL_SIZE]) {
    const struct service *s = ctx;
    char path[PATH_MAX], error[SERVICE_ERROR_SIZE];
    uint8_t *bytes;
    size_t len;
    int size = snprintf(path, sizeof path, "%s/%s.http", s->settings->launch.run_dir, s->config->persists[shard].name);
    if (size < 0 || (size_t)size >= sizeof path || file_read(path, ADDR_TEXT_MAX, &bytes, &len, error, sizeof error))
        return false;
    size = snprintf(url, ABROAD_URL_SIZE, "http://%.*s", (int)strcspn((const char *)bytes, "\n"), (const char *)bytes);
    free(bytes);
    return size > 0 && size < ABROAD_URL_SIZE;
}

/* What is replayed may have been applied long ago: its keys are to be there until it has all been asked about. */
static bool may_clean(void *ctx) {
    const struct service *s = ctx;
    return !grants_stats_get(s->grants).is_replaying;
}

static int open_reads(struct service *s, char *error, size_t error_size) {
    const struct config_persistence *p = &s->config->persist;
    if (s->config->persists_count > 1) s->abroad = abroad_create(s->loop, find_shard, s);
    s->audit = audit_create(s->upkeep_pg, s->pg);
    const struct reads_config reads = {.loop = s->loop,
                                       .pg = s->read_pg,
                                       .primary = s->stores.replica[0] ? s->pg : NULL,
                                       .value = s->value,
                                       .boards = s->boards,
                                       .abroad = s->abroad,
                                       .shard_index = s->index,
                                       .shard_count = s->config->persists_count,
                                       .season = p->season,
                                       .entries_max = p->cache_entries_max,
                                       .ttl_ms = p->cache_ttl_ms,
                                       .ctx = s,
                                       .live = is_live};
    s->reads = reads_create(&reads);
    const struct upkeep_config upkeep = {.events_keep_days = p->events_keep_days,
                                         .idempotency_keep_h = p->idempotency_keep_h,
                                         .may_clean = may_clean,
                                         .ctx = s};
    s->upkeep = upkeep_create(s->loop, s->upkeep_pg, &upkeep);
    if (s->audit && s->reads && s->upkeep && (s->abroad || s->config->persists_count == 1)) {
        reads_start(s->reads);
        const struct pg_listen_config listen = {.uri = s->stores.postgres,
                                                .channel = READS_CHANNEL,
                                                .seed = s->seed,
                                                .heard = on_heard,
                                                .missed = on_missed,
                                                .ctx = s};
        int result = pg_listen_open(s->loop, &listen, &s->listen);
        if (result == MARCH_ERR_UNSUPPORTED) log_info("postgres.not_heard", "reason=\"behind a pooler\"");
        if (result == 0 || result == MARCH_ERR_UNSUPPORTED) return 0;
    }
    snprintf(error, error_size, "out of memory");
    return MARCH_ERR_SYSTEM;
}

static bool is_region(void *ctx, const char *region) {
    const struct service *s = ctx;
    for (uint32_t i = 0; i < s->config->gateways_count; i++)
        if (strcmp(s->config->gateways[i].region, region) == 0) return true;
    return false;
}

static int open_http(struct service *s, char *error, size_t error_size) {
    char listen[CONFIG_ADDRESS_SIZE];
    snprintf(listen, sizeof listen, "%s", s->entry->http);
    if (s->waiting_room) addr_format(http_address(s->waiting_room), listen); /* where it has been found already */
    http_close(s->waiting_room);
    s->waiting_room = NULL;
    const struct http_route status = {
        .path = "/status", .content_type = "application/json", .render = gauges_status, .context = s->gauges};
    const struct http_api_config config = {.loop = s->loop,
                                           .listen = listen,
                                           .metrics = gauges_metrics(s->gauges),
                                           .health = &s->health,
                                           .routes = &status,
                                           .route_count = 1,
                                           .reads = s->reads,
                                           .flags = &s->flags,
                                           .audit = s->audit,
                                           .abroad = s->abroad,
                                           .shard_index = s->index,
                                           .is_region = is_region,
                                           .ctx = s};
    int result = http_api_open(&s->http, &config, error, error_size);
    return result ? result : service_publish_address(s, http_api_address(s->http), error, error_size);
}

static int open_identity(struct service *s, char *error, size_t error_size) {
    if (sodium_init() < 0) return MARCH_ERR_SYSTEM;
    s->hello = (struct wire_hello){.role = WIRE_ROLE_PERSIST, .index = s->index, .shard_count = s->config->persists_count};
    memcpy(s->hello.name, s->entry->name, sizeof s->hello.name);
    while (s->hello.incarnation == 0) randombytes_buf(&s->hello.incarnation, sizeof s->hello.incarnation);
    randombytes_buf(&s->seed, sizeof s->seed);
    int result = flags_open(&s->flags, s->settings->launch.run_dir, s->entry->name, error, error_size);
    if (!result) result = settings_stores(s->settings->launch.run_dir, s->entry->name, &s->stores, error, error_size);
    s->has_key = s->config->bus.transport == CONFIG_TRANSPORT_TCP;
    if (result || !s->has_key) return result;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/cluster.key", s->settings->launch.run_dir);
    return file_read_key(path, s->key, error, error_size);
}

static int open_parts(struct service *s, char *error, size_t error_size) {
    struct shard_state shard;
    char pid[32];
    snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    int result = open_identity(s, error, error_size);
    if (!result) result = service_publish(s, "pid", pid, error, error_size);
    if (!result) result = service_await_database(s, &shard, error, error_size);
    if (!result) result = open_pools(s, error, error_size);
    if (!result) result = open_motion(s, &shard, error, error_size);
    if (!result) result = open_redis_parts(s, &shard, error, error_size);
    if (!result) result = open_value(s, &shard, error, error_size);
    if (!result) result = open_reads(s, error, error_size);
    if (!result) result = open_edges(s, &shard, error, error_size);
    if (!result) result = open_http(s, error, error_size);
    if (!result)
        log_info("persist.ready", "shard=%u shards=%u epoch=%" PRId64 " migrations_applied=%u", s->index,
                 s->config->persists_count, shard.epoch, shard.applied);
    return result;
}

int service_open(struct service **out, const struct settings *settings, const struct config *config, uint32_t index,
                 const volatile sig_atomic_t *stopping, char *error, size_t error_size) {
    *out = NULL;
    snprintf(error, error_size, "out of memory");
    struct service *s = calloc(1, sizeof *s);
    if (!s) return MARCH_ERR_SYSTEM;
    *s = (struct service){
        .settings = settings, .config = config, .entry = &config->persists[index], .index = index, .stopping = stopping};
    health_init(&s->health, mono_now());
    s->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    s->gauges = gauges_create(s);
    int result = s->loop && s->gauges ? open_parts(s, error, error_size) : MARCH_ERR_SYSTEM;
    if (result) {
        service_close(s);
        return result;
    }
    *out = s;
    return 0;
}

/* --- running */

/* What gathered is committed, what has become durable is told. */
static void settle(struct service *s) {
    journal_update(s->journal, mono_now());
    zones_durable(s->zones);
    grants_update(s->grants);
    documents_update(s->documents, mono_now());
    match_keep_update(s->matches);
}

static void on_journal(struct ev_loop *loop, ev_io *io, int events) {
    (void)loop, (void)events;
    settle(io->data);
}

/* Before the loop sleeps, and before zones and clients flush what this has for them. */
static void on_prepare(struct ev_loop *loop, ev_prepare *prepare, int events) {
    (void)loop, (void)events;
    settle(prepare->data);
}

/* Says once what was lost, and what is there again. */
static void watch_store(bool *was_there, bool is_there, const char *name) {
    if (*was_there == is_there) return;
    *was_there = is_there;
    if (is_there) {
        log_info("store.connected", "store=%s", name);
    } else {
        log_error("store.lost", "store=%s", name);
    }
}

static void on_turn(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)events;
    struct service *s = timer->data;
    struct mono now = mono_now();
    motion_update(s->motion, now);
    if (s->turns++ % 12 == 0) {
        sessions_update(s->sessions, wall_now_ns() / NS_PER_MS);
        watch_store(&s->postgres_was_there, pg_is_available(s->pg), "postgres");
        watch_store(&s->redis_was_there, redis_is_available(s->redis), "redis");
        gauges_mirror(s->gauges);
    }
    health_beat(&s->health, now);
    if (*s->stopping) ev_break(loop, EVBREAK_ALL);
}

/* Pins this thread alone: those of nng and HTTP are started by now, and stay where the kernel likes. */
static void take_core(const struct service *s) {
    int32_t cpu = s->settings->launch.has_cpu ? s->settings->launch.cpu : s->entry->cpu;
    if (cpu == CONFIG_CPU_NONE) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set)) log_warn("cpu.not_pinned", "cpu=%d error=\"%s\"", cpu, strerror(errno));
}

int service_run(struct service *s) {
    take_core(s);
    ev_timer_init(&s->turn, on_turn, 0, TURN_S);
    ev_io_init(&s->journal_readable, on_journal, journal_fd(s->journal), EV_READ);
    ev_prepare_init(&s->prepare, on_prepare);
    ev_set_priority(&s->prepare, EV_MAXPRI);
    s->turn.data = s->journal_readable.data = s->prepare.data = s;
    ev_timer_start(s->loop, &s->turn);
    ev_io_start(s->loop, &s->journal_readable);
    ev_prepare_start(s->loop, &s->prepare);
    s->postgres_was_there = s->redis_was_there = false;
    health_set_ready(&s->health, true);
    if (!s->is_fenced) ev_run(s->loop, 0);
    health_set_ready(&s->health, false);
    return s->is_fenced ? MARCH_ERR_FENCED : 0;
}

/* --- closing */

static bool is_flushed(const struct service *s) {
    return motion_is_clean(s->motion) && documents_is_clean(s->documents);
}

/* An orderly end writes motion and documents behind, so that the next start has little to recover. */
static void flush_all(struct service *s) {
    if (!s->zones || s->is_fenced || !ev_is_active(&s->turn)) return;
    struct mono deadline = mono_add_ms(mono_now(), CLOSE_MS);
    ev_timer_stop(s->loop, &s->turn); /* it would break the loop */
    documents_hold(s->documents, false);
    documents_flush(s->documents);
    motion_flush(s->motion, mono_now());
    boards_flush(s->boards);
    while (!is_flushed(s) && pg_is_available(s->pg) && !mono_reached(mono_now(), deadline)) {
        ev_run(s->loop, EVRUN_NOWAIT);
        motion_finish(s->motion, mono_now()); /* a flush may have been under way, and zones go on reporting */
        usleep(1000);
    }
    log_info("persist.flushed", "clean=%d", is_flushed(s));
}

void service_close(struct service *s) {
    if (!s) return;
    flush_all(s);
    if (ev_is_active(&s->prepare)) ev_prepare_stop(s->loop, &s->prepare);
    if (ev_is_active(&s->journal_readable)) ev_io_stop(s->loop, &s->journal_readable);
    pg_listen_close(s->listen);
    redis_close(s->redis); /* each request and job gets its end while whoever asked is still there */
    value_destroy(s->value);
    pg_destroy(s->upkeep_pg);
    pg_destroy(s->look_pg);
    pg_destroy(s->read_pg);
    pg_destroy(s->pg);
    reads_destroy(s->reads); /* who waits for another shard's answer, a command of a client perhaps, is told */
    s->reads = NULL;
    abroad_destroy(s->abroad);
    motion_destroy(s->motion);
    invalidate_close(s->invalidate);
    stream_close(s->stream);
    boards_close(s->boards);
    sessions_close(s->sessions);
    hot_close(s->hot);
    peers_close(s->peers);
    fences_close(s->fences);
    match_keep_destroy(s->matches);
    zones_close(s->zones);
    clients_close(s->clients);
    commands_destroy(s->commands);
    roster_destroy(s->roster);
    upkeep_destroy(s->upkeep);
    audit_destroy(s->audit);
    http_api_close(s->http);
    http_close(s->waiting_room);
    grants_destroy(s->grants);
    documents_destroy(s->documents);
    journal_close(s->journal);
    pool_deinit(&s->applying);
    gauges_destroy(s->gauges);
    if (s->loop) ev_loop_destroy(s->loop);
    free(s);
}
