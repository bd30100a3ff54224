/* sessions.c: see sessions.h. */
#include "persist/sessions.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "common/pool.h"
#include "common/step.h"
#include "persist/id_map.h"
#include "persist/session_store.h"

#define NONE              UINT32_MAX
#define PG_REFRESH_MAX    2048 /* sessions of one statement */
#define FINDS_MAX         4096
#define UPDATES_PER_ROUND 4

/* What memory knows of a player: a session (epoch not 0), claims that wait for each other, or both. */
struct slot {
    struct session_entry entry;
    uint32_t first_claim, last_claim; /* NONE: none; the first one is being decided */
    bool dirty;                       /* refreshed since the last flush */
};

struct token {
    uint64_t lo, hi, expires_ms;
    struct session_holder holder;
};

/* A claim that is being decided, or waits for its turn. */
struct claiming {
    struct sessions *sessions;
    struct session_claim claim;
    session_done done;
    void *ctx;
    uint64_t now_ms, epoch_min;
    uint32_t next; /* of the same player */
    bool begun;
};

struct finding {
    struct sessions *sessions;
    struct handle handle;
    uint64_t player;
    session_found found;
    void *ctx;
};

struct sessions {
    struct session_store store;
    struct sessions_config config;
    struct pool slots, tokens, claims, finds;
    struct id_map by_player, by_token;
    uint32_t *dirty; /* indexes of slots */
    uint32_t dirty_count;
    uint32_t slot_cursor, token_cursor; /* of sessions_update */
    uint64_t epoch_floor;               /* the highest that was forgotten */
    struct sessions_stats stats;
};

static bool holder_equal(const struct session_holder *a, const struct session_holder *b) {
    return a->session == b->session && a->incarnation == b->incarnation && a->gateway == b->gateway;
}

static struct slot *find_slot(const struct sessions *sessions, uint64_t player) {
    uint32_t index = id_map_find(&sessions->by_player, player);
    return index == ID_MAP_NONE ? NULL : pool_at(&sessions->slots, index);
}

/* need_slot returns the player's slot, a new one where there is none, NULL when all are taken. */
static struct slot *need_slot(struct sessions *sessions, uint64_t player) {
    struct slot *slot = find_slot(sessions, player);
    if (slot != NULL) return slot;
    struct handle handle = pool_take(&sessions->slots);
    if (handle_is_null(handle)) return NULL;
    int error = id_map_put(&sessions->by_player, player, handle.index);
    CHECK(error == 0); /* as many as slots */
    slot = pool_get(&sessions->slots, handle);
    slot->entry.player = player;
    slot->first_claim = slot->last_claim = NONE;
    return slot;
}

/* tidy_slot gives a slot back that holds nothing any more. A dirty one waits for the flush, which has its index. */
static void tidy_slot(struct sessions *sessions, struct slot *slot) {
    if (slot->entry.epoch != 0 || slot->first_claim != NONE || slot->dirty) return;
    uint32_t index = id_map_find(&sessions->by_player, slot->entry.player);
    id_map_remove(&sessions->by_player, slot->entry.player);
    pool_give(&sessions->slots, pool_handle(&sessions->slots, index));
}

static void clear_session(struct sessions *sessions, struct slot *slot) {
    if (slot->entry.epoch > sessions->epoch_floor) sessions->epoch_floor = slot->entry.epoch;
    slot->entry = (struct session_entry){.player = slot->entry.player};
    sessions->stats.sessions--;
    tidy_slot(sessions, slot);
}

static void set_session(struct sessions *sessions, struct slot *slot, uint64_t epoch, const struct session_holder *holder,
                        uint64_t now_ms) {
    if (slot->entry.epoch == 0) sessions->stats.sessions++;
    slot->entry.epoch = epoch;
    slot->entry.holder = *holder;
    slot->entry.expires_ms = now_ms + sessions->config.ttl_ms;
}

/* end_session ends one that its gateway did not end. */
static void end_session(struct sessions *sessions, struct slot *slot, enum session_ended_reason reason) {
    struct session_entry entry = slot->entry;
    sessions->stats.expired++;
    session_store_end(&sessions->store, &entry);
    clear_session(sessions, slot);
    if (sessions->config.ended) sessions->config.ended(sessions->config.ctx, &entry, reason);
}

/* --- tokens */

static struct token *find_token(const struct sessions *sessions, const struct session_claim *claim) {
    uint32_t index = id_map_find(&sessions->by_token, claim->token_lo);
    struct token *token = index == ID_MAP_NONE ? NULL : pool_at(&sessions->tokens, index);
    return token && token->hi == claim->token_hi ? token : NULL;
}

/* remember_token notes who used a token. The map goes by one half of the hash; two tokens that share it (2^-64) or one that
 * finds no room are known to the stores alone. */
static void remember_token(struct sessions *sessions, const struct session_claim *claim) {
    if (claim->token_lo == 0 || find_token(sessions, claim) != NULL) return;
    struct handle handle = pool_take(&sessions->tokens);
    if (handle_is_null(handle) || id_map_find(&sessions->by_token, claim->token_lo) != ID_MAP_NONE) {
        if (!handle_is_null(handle)) pool_give(&sessions->tokens, handle);
        sessions->stats.token_overflows++;
        return;
    }
    int error = id_map_put(&sessions->by_token, claim->token_lo, handle.index);
    CHECK(error == 0);
    struct token *token = pool_get(&sessions->tokens, handle);
    uint64_t expires_ms = claim->token_expires_s >= UINT64_MAX / 1000 ? UINT64_MAX : claim->token_expires_s * 1000;
    *token = (struct token){claim->token_lo, claim->token_hi, expires_ms, claim->holder};
}

static bool token_is_used(const struct sessions *sessions, const struct session_claim *claim) {
    const struct token *token = find_token(sessions, claim);
    return token != NULL && !holder_equal(&token->holder, &claim->holder);
}

/* --- claims */

/* conclude takes over what was decided, and tells what is to be answered. `claimed` is as a store said, so judged here. */
static void conclude(struct sessions *sessions, const struct claiming *claiming, struct session_claimed *claimed) {
    const struct session_claim *claim = &claiming->claim;
    struct slot *slot = find_slot(sessions, claim->player);
    const struct session_entry before = slot->entry;
    if (claimed->result != SESSION_OK) {
        *claimed = (struct session_claimed){.result = claimed->result};
        return;
    }
    remember_token(sessions, claim);
    if (before.epoch != 0 && holder_equal(&before.holder, &claim->holder)) {
        *claimed = (struct session_claimed){.epoch = before.epoch};
        set_session(sessions, slot, before.epoch, &claim->holder, claiming->now_ms);
        return;
    }
    if (claimed->epoch <= before.epoch) claimed->epoch = before.epoch + 1; /* an older state than memory's */
    if (before.epoch != 0) {
        claimed->took_over = true;
        claimed->former = before.holder;
        claimed->former_epoch = before.epoch;
    } else if (claimed->took_over && holder_equal(&claimed->former, &claim->holder)) {
        claimed->took_over = false;
    }
    if (!claimed->took_over) claimed->former = (struct session_holder){0};
    if (!claimed->took_over) claimed->former_epoch = 0;
    set_session(sessions, slot, claimed->epoch, &claim->holder, claiming->now_ms);
}

static void count(struct sessions *sessions, const struct session_claimed *claimed) {
    sessions->stats.takeovers += claimed->took_over;
    sessions->stats.tokens_used += claimed->result == SESSION_TOKEN_USED;
    sessions->stats.unavailable += claimed->result == SESSION_UNAVAILABLE;
}

static void decide(struct sessions *sessions, uint64_t player);

/* finish answers the player's first claim and gives its place to the next one, which is not begun yet. */
static void finish(struct sessions *sessions, struct claiming *claiming, struct session_claimed claimed) {
    conclude(sessions, claiming, &claimed);
    count(sessions, &claimed);
    struct claiming answered = *claiming;
    struct slot *slot = find_slot(sessions, answered.claim.player);
    uint32_t index = slot->first_claim;
    CHECK(pool_at(&sessions->claims, index) == claiming);
    pool_give(&sessions->claims, pool_handle(&sessions->claims, index));
    slot->first_claim = answered.next;
    if (answered.next == NONE) slot->last_claim = NONE;
    tidy_slot(sessions, slot);
    answered.done(answered.ctx, &answered.claim, &claimed);
}

/* finish_and_go_on is finish at the end of a store's answer. */
static void finish_and_go_on(struct claiming *claiming, struct session_claimed claimed) {
    struct sessions *sessions = claiming->sessions;
    uint64_t player = claiming->claim.player;
    STEP("persist.claim_written");
    finish(sessions, claiming, claimed);
    decide(sessions, player);
}

/* by_memory decides where no store answers. */
static struct session_claimed by_memory(struct sessions *sessions, const struct claiming *claiming) {
    const struct slot *slot = find_slot(sessions, claiming->claim.player);
    bool complete = claiming->now_ms >= sessions->config.now_ms + sessions->config.ttl_ms;
    if (!complete && slot->entry.epoch == 0) return (struct session_claimed){.result = SESSION_UNAVAILABLE};
    sessions->stats.by_memory++;
    return (struct session_claimed){.epoch = claiming->epoch_min};
}

static void on_pg(void *ctx, const struct pg_reply *reply) {
    struct claiming *claiming = ctx;
    struct session_claimed claimed;
    if (reply->error == 0 && session_store_claimed_pg(reply->results[1], &claimed) == 0)
        claiming->sessions->stats.by_pg++;
    else
        claimed = by_memory(claiming->sessions, claiming);
    finish_and_go_on(claiming, claimed);
}

/* ask_pg returns whether PostgreSQL will answer. */
static bool ask_pg(struct claiming *claiming) {
    struct session_store *store = &claiming->sessions->store;
    return session_store_claim_pg(store, &claiming->claim, claiming->epoch_min, claiming->now_ms, on_pg, claiming) == 0;
}

static void on_redis(void *ctx, int error, const struct redisReply *reply) {
    struct claiming *claiming = ctx;
    struct session_claimed claimed;
    if (error == 0) error = session_store_claimed_redis(reply, &claimed);
    if (error == 0) {
        claiming->sessions->stats.by_redis++;
        finish_and_go_on(claiming, claimed);
    } else if (!ask_pg(claiming)) {
        finish_and_go_on(claiming, by_memory(claiming->sessions, claiming));
    }
}

/* begin decides a claim at once, from memory, or asks a store; true when it is decided. */
static bool begin(struct sessions *sessions, struct claiming *claiming, struct session_claimed *claimed) {
    const struct session_claim *claim = &claiming->claim;
    const struct slot *slot = find_slot(sessions, claim->player);
    claiming->begun = true;
    uint64_t least = slot->entry.epoch > sessions->epoch_floor ? slot->entry.epoch : sessions->epoch_floor;
    claiming->epoch_min = least >= claiming->now_ms ? least + 1 : claiming->now_ms;
    *claimed = (struct session_claimed){.result = SESSION_TOKEN_USED};
    if (token_is_used(sessions, claim)) return true;
    if (session_store_claim_redis(&sessions->store, claim, claiming->epoch_min, claiming->now_ms, on_redis, claiming) == 0)
        return false;
    if (ask_pg(claiming)) return false;
    *claimed = by_memory(sessions, claiming);
    return true;
}

/* is_repeat tells whether the claim's session is the player's already, by the same token. */
static bool is_repeat(const struct sessions *sessions, const struct claiming *claiming) {
    const struct slot *slot = find_slot(sessions, claiming->claim.player);
    return slot->entry.epoch != 0 && holder_equal(&slot->entry.holder, &claiming->claim.holder) &&
           !token_is_used(sessions, &claiming->claim);
}

/* decide begins the player's first claim, and goes on while claims are decided at once. */
static void decide(struct sessions *sessions, uint64_t player) {
    for (;;) {
        const struct slot *slot = find_slot(sessions, player);
        if (slot == NULL || slot->first_claim == NONE) return;
        struct claiming *claiming = pool_at(&sessions->claims, slot->first_claim);
        struct session_claimed claimed = {.epoch = slot->entry.epoch};
        if (claiming->begun) return;
        if (is_repeat(sessions, claiming))
            sessions->stats.repeats++;
        else if (!begin(sessions, claiming, &claimed))
            return;
        finish(sessions, claiming, claimed);
    }
}

int sessions_claim(struct sessions *sessions, const struct session_claim *claim, uint64_t now_ms, session_done done,
                   void *ctx) {
    if (claim->player == 0 || claim->player > INT64_MAX) return MARCH_ERR_INVALID;
    struct handle handle = pool_take(&sessions->claims);
    struct slot *slot = handle_is_null(handle) ? NULL : need_slot(sessions, claim->player);
    if (slot == NULL) {
        if (!handle_is_null(handle)) pool_give(&sessions->claims, handle);
        sessions->stats.full++;
        return MARCH_ERR_FULL;
    }
    sessions->stats.claims++;
    STEP("persist.claim_asked");
    struct claiming *claiming = pool_get(&sessions->claims, handle);
    *claiming =
        (struct claiming){.sessions = sessions, .claim = *claim, .done = done, .ctx = ctx, .now_ms = now_ms, .next = NONE};
    if (slot->last_claim == NONE) {
        slot->first_claim = slot->last_claim = handle.index;
        decide(sessions, claim->player);
    } else {
        struct claiming *last = pool_at(&sessions->claims, slot->last_claim);
        last->next = slot->last_claim = handle.index;
    }
    return 0;
}

/* --- refreshes */

static void make_dirty(struct sessions *sessions, struct slot *slot) {
    if (slot->dirty) return;
    slot->dirty = true;
    sessions->dirty[sessions->dirty_count++] = id_map_find(&sessions->by_player, slot->entry.player);
}

void sessions_refresh(struct sessions *sessions, uint64_t player, uint64_t epoch, const struct session_holder *holder,
                      uint64_t now_ms) {
    if (player == 0 || player > INT64_MAX || epoch == 0 || epoch > INT64_MAX) return;
    struct slot *slot = need_slot(sessions, player);
    if (slot == NULL) {
        sessions->stats.full++;
        return;
    }
    bool other = slot->entry.epoch != 0 && !holder_equal(&slot->entry.holder, holder);
    if (epoch < slot->entry.epoch || (other && epoch == slot->entry.epoch)) {
        struct session_entry stale = {.player = player, .epoch = epoch, .holder = *holder};
        sessions->stats.stale++;
        if (sessions->config.ended) sessions->config.ended(sessions->config.ctx, &stale, SESSION_TAKEN_OVER);
        return;
    }
    set_session(sessions, slot, epoch, holder, now_ms);
    make_dirty(sessions, slot);
}

static void on_refreshed(void *ctx, int error, const struct redisReply *reply) {
    struct sessions *sessions = ctx;
    uint64_t newer = 0;
    if (error || !redis_reply_u64(reply, &newer))
        sessions->stats.refresh_failures++;
    else if (newer > 0)
        log_warn("sessions.newer", "count=%llu", (unsigned long long)newer);
}

static void on_refreshed_pg(void *ctx, const struct pg_reply *reply) {
    struct sessions *sessions = ctx;
    sessions->stats.refresh_failures += reply->error != 0;
}

/* send_refreshes sends one batch to whichever store takes it. */
static void send_refreshes(struct sessions *sessions, const struct session_entry *const *entries, uint32_t entry_count,
                           bool redis) {
    int error = redis ? session_store_refresh_redis(&sessions->store, entries, entry_count, on_refreshed, sessions)
                      : session_store_refresh_pg(&sessions->store, entries, entry_count, on_refreshed_pg, sessions);
    if (error) sessions->stats.refresh_failures++;
}

void sessions_flush(struct sessions *sessions) {
    const struct session_entry *batch[PG_REFRESH_MAX];
    bool redis = sessions->config.redis != NULL && redis_is_available(sessions->config.redis);
    uint32_t batch_max = redis ? SESSION_REFRESH_MAX : PG_REFRESH_MAX, batch_count = 0;
    for (uint32_t i = 0; i < sessions->dirty_count; i++) {
        const struct slot *slot = pool_at(&sessions->slots, sessions->dirty[i]);
        if (slot->entry.epoch != 0) batch[batch_count++] = &slot->entry;
        if (batch_count < batch_max) continue;
        send_refreshes(sessions, batch, batch_count, redis);
        batch_count = 0;
    }
    if (batch_count > 0) send_refreshes(sessions, batch, batch_count, redis);
    for (uint32_t i = 0; i < sessions->dirty_count; i++) {
        struct slot *slot = pool_at(&sessions->slots, sessions->dirty[i]);
        slot->dirty = false;
        tidy_slot(sessions, slot);
    }
    sessions->dirty_count = 0;
}

/* --- ends */

void sessions_end(struct sessions *sessions, uint64_t player, uint64_t epoch) {
    struct slot *slot = find_slot(sessions, player);
    if (slot == NULL || slot->entry.epoch != epoch || epoch == 0) return;
    session_store_end(&sessions->store, &slot->entry);
    clear_session(sessions, slot);
}

void sessions_gateway_started(struct sessions *sessions, uint32_t gateway, uint64_t incarnation) {
    for (uint32_t i = 0; i < sessions->slots.capacity; i++) {
        struct slot *slot = pool_at(&sessions->slots, i);
        if (slot == NULL || slot->entry.epoch == 0) continue;
        if (slot->entry.holder.gateway != gateway || slot->entry.holder.incarnation == incarnation) continue;
        end_session(sessions, slot, SESSION_EXPIRED);
    }
}

static void expire_token(struct sessions *sessions, uint32_t index, uint64_t now_ms) {
    const struct token *token = pool_at(&sessions->tokens, index);
    if (token == NULL || token->expires_ms >= now_ms) return;
    id_map_remove(&sessions->by_token, token->lo);
    pool_give(&sessions->tokens, pool_handle(&sessions->tokens, index));
}

void sessions_update(struct sessions *sessions, uint64_t now_ms) {
    uint32_t share = sessions->slots.capacity / UPDATES_PER_ROUND + 1;
    for (uint32_t i = 0; i < share; i++) {
        struct slot *slot = pool_at(&sessions->slots, sessions->slot_cursor);
        sessions->slot_cursor = (sessions->slot_cursor + 1) % sessions->slots.capacity;
        if (slot == NULL || slot->entry.epoch == 0 || slot->entry.expires_ms >= now_ms) continue;
        end_session(sessions, slot, SESSION_EXPIRED);
    }
    share = sessions->tokens.capacity / UPDATES_PER_ROUND + 1;
    for (uint32_t i = 0; i < share; i++) {
        expire_token(sessions, sessions->token_cursor, now_ms);
        sessions->token_cursor = (sessions->token_cursor + 1) % sessions->tokens.capacity;
    }
}

/* --- look-ups */

const struct session_entry *sessions_lookup(const struct sessions *sessions, uint64_t player) {
    const struct slot *slot = find_slot(sessions, player);
    return slot && slot->entry.epoch != 0 ? &slot->entry : NULL;
}

static void found(struct finding *finding, int error, const struct session_entry *entry) {
    struct finding answered = *finding;
    pool_give(&finding->sessions->finds, finding->handle);
    answered.found(answered.ctx, error, error ? NULL : entry);
}

static void on_found_pg(void *ctx, const struct pg_reply *reply) {
    struct finding *finding = ctx;
    struct session_entry entry = {.player = finding->player};
    int error = reply->error ? MARCH_ERR_UNAVAILABLE : session_store_found_pg(reply->results[0], &entry);
    found(finding, error, &entry);
}

static void on_found_redis(void *ctx, int error, const struct redisReply *reply) {
    struct finding *finding = ctx;
    struct session_entry entry = {.player = finding->player};
    if (error == 0) error = session_store_found_redis(reply, &entry);
    if (error == 0 || error == MARCH_ERR_NOT_FOUND)
        found(finding, error, &entry);
    else if (session_store_find_pg(&finding->sessions->store, finding->player, on_found_pg, finding) != 0)
        found(finding, MARCH_ERR_UNAVAILABLE, NULL);
}

void sessions_find(struct sessions *sessions, uint64_t player, session_found done, void *ctx) {
    const struct session_entry *entry = sessions_lookup(sessions, player);
    if (entry != NULL) {
        done(ctx, 0, entry);
        return;
    }
    struct handle handle = pool_take(&sessions->finds);
    if (handle_is_null(handle)) {
        done(ctx, MARCH_ERR_UNAVAILABLE, NULL);
        return;
    }
    struct finding *finding = pool_get(&sessions->finds, handle);
    *finding = (struct finding){sessions, handle, player, done, ctx};
    if (session_store_find_redis(&sessions->store, player, on_found_redis, finding) == 0) return;
    if (session_store_find_pg(&sessions->store, player, on_found_pg, finding) == 0) return;
    found(finding, MARCH_ERR_UNAVAILABLE, NULL);
}

/* --- life */

int sessions_open(struct sessions **out, const struct sessions_config *config) {
    CHECK(config->sessions_max >= 1 && config->sessions_max <= SESSIONS_MAX && config->ttl_ms > 0);
    struct sessions *sessions = calloc(1, sizeof *sessions);
    if (sessions == NULL) return MARCH_ERR_SYSTEM;
    sessions->config = *config;
    sessions->dirty = calloc(config->sessions_max, sizeof *sessions->dirty);
    session_store_init(&sessions->store, config);
    int error = sessions->dirty ? 0 : MARCH_ERR_SYSTEM;
    if (!error) error = pool_init(&sessions->slots, config->sessions_max, sizeof(struct slot));
    if (!error) error = pool_init(&sessions->tokens, config->sessions_max, sizeof(struct token));
    if (!error) error = pool_init(&sessions->claims, SESSIONS_CLAIMS_MAX, sizeof(struct claiming));
    if (!error) error = pool_init(&sessions->finds, FINDS_MAX, sizeof(struct finding));
    if (!error) error = id_map_create(&sessions->by_player, config->sessions_max);
    if (!error) error = id_map_create(&sessions->by_token, config->sessions_max);
    if (error)
        sessions_close(sessions);
    else
        *out = sessions;
    return error;
}

void sessions_close(struct sessions *sessions) {
    if (sessions == NULL) return;
    session_store_deinit(&sessions->store);
    pool_deinit(&sessions->slots);
    pool_deinit(&sessions->tokens);
    pool_deinit(&sessions->claims);
    pool_deinit(&sessions->finds);
    id_map_destroy(&sessions->by_player);
    id_map_destroy(&sessions->by_token);
    free(sessions->dirty);
    free(sessions);
}

struct sessions_stats sessions_stats_get(const struct sessions *sessions) {
    struct sessions_stats stats = sessions->stats;
    stats.tokens = pool_count(&sessions->tokens);
    stats.claims_under_way = pool_count(&sessions->claims);
    return stats;
}
