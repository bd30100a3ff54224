/* session_store.c: see session_store.h. */
#include "persist/session_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TOKEN_TTL_MIN_MS 1000
#define TOKEN_TTL_MAX_MS 86400000 /* no token lives longer than a day */
#define GATEWAY_TEXT_MAX 40

/* KEYS: session, token. ARGV: gateway, incarnation, session, least epoch, TTL, TTL of the token (0: none). Epochs are below
 * 2^53, which Lua's numbers hold exactly. Answer: {1} token used; {0, epoch} new or a repeat; {0, epoch, former gateway,
 * incarnation, session, epoch} a takeover. */
static const char claim_source[] =
    "if ARGV[6] ~= '0' then "
    "  local me = ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[3] "
    "  if not redis.call('SET', KEYS[2], me, 'NX', 'PX', ARGV[6]) and redis.call('GET', KEYS[2]) ~= me then return {1} end "
    "end "
    "local held = redis.call('HMGET', KEYS[1], 'gateway', 'incarnation', 'session', 'epoch') "
    "local old = held[1] and held[2] and held[3] and tonumber(held[4]) "
    "if old and held[1] == ARGV[1] and held[2] == ARGV[2] and held[3] == ARGV[3] then "
    "  redis.call('PEXPIRE', KEYS[1], ARGV[5]) "
    "  return {0, held[4]} "
    "end "
    "local epoch = ARGV[4] "
    "if old and old >= tonumber(epoch) then epoch = string.format('%.0f', old + 1) end "
    "redis.call('HSET', KEYS[1], 'gateway', ARGV[1], 'incarnation', ARGV[2], 'session', ARGV[3], 'epoch', epoch) "
    "redis.call('PEXPIRE', KEYS[1], ARGV[5]) "
    "if old then return {0, epoch, held[1], held[2], held[3], held[4]} end "
    "return {0, epoch}";

/* KEYS: sessions. ARGV: TTL, then gateway, incarnation, session, epoch of each. A newer one is left as it is: an older
 * persist may have been stopped and woken up. */
static const char refresh_source[] =
    "local newer = 0 "
    "for i = 1, #KEYS do "
    "  local a = 4 * i - 2 "
    "  local epoch = redis.call('HGET', KEYS[i], 'epoch') "
    "  if epoch and (tonumber(epoch) or 0) > tonumber(ARGV[a + 3]) then newer = newer + 1 else "
    "    if epoch ~= ARGV[a + 3] then "
    "      redis.call('HSET', KEYS[i], 'gateway', ARGV[a], 'incarnation', ARGV[a + 1], 'session', ARGV[a + 2], "
    "                 'epoch', ARGV[a + 3]) "
    "    end "
    "    redis.call('PEXPIRE', KEYS[i], ARGV[1]) "
    "  end "
    "end "
    "return newer";

/* KEYS: session. ARGV: epoch. */
static const char end_source[] =
    "if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] then return redis.call('DEL', KEYS[1]) end "
    "return 0";

static const struct pg_statement fence_statement = {"sessions_fence", "select march_fence($1::bigint)"};

/* A token that is there already is good only for the session that the player has. `former` reads what was before. */
static const struct pg_statement claim_statement = {
    "sessions_claim",
    "with token as (insert into tokens as t (hash, expires_at) select $6::bytea, $7::timestamptz where $8::boolean "
    "  on conflict (hash) do update set expires_at = excluded.expires_at where t.expires_at < now() returning 1), "
    "former as (select * from sessions where player = $1::bigint and expires_at > now()), "
    "allowed as (select where not $8::boolean or exists (select from token) "
    "  or exists (select from former where gateway = $2::text and session = $3::bigint)), "
    "claimed as (insert into sessions as s (player, epoch, gateway, session, expires_at) "
    "  select $1::bigint, $4::bigint, $2::text, $3::bigint, now() + $5::bigint * interval '1 millisecond' from allowed "
    "  on conflict (player) do update set gateway = excluded.gateway, session = excluded.session, "
    "    expires_at = excluded.expires_at, epoch = case when s.gateway = excluded.gateway and s.session = excluded.session "
    "      then s.epoch else greatest(s.epoch + 1, excluded.epoch) end returning epoch) "
    "select c.epoch, f.gateway, f.session, f.epoch from claimed c left join former f on true"};

static const struct pg_statement find_statement = {
    "sessions_find", "select gateway, session, epoch from sessions where player = $1::bigint and expires_at > now()"};

static const struct pg_statement refresh_statement = {
    "sessions_refresh",
    "insert into sessions as s (player, epoch, gateway, session, expires_at) "
    "select p, e, g, n, now() + $5::bigint * interval '1 millisecond' "
    "from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[]) u (p, e, g, n) order by p "
    "on conflict (player) do update set epoch = excluded.epoch, gateway = excluded.gateway, session = excluded.session, "
    "expires_at = excluded.expires_at where s.epoch <= excluded.epoch"};

static const struct pg_statement end_statement = {"sessions_end",
                                                  "delete from sessions where player = $1::bigint and epoch = $2::bigint"};

void session_store_init(struct session_store *store, const struct sessions_config *config) {
    *store = (struct session_store){
        .redis = config->redis, .pg = config->pg, .shard_epoch = config->shard_epoch, .ttl_ms = config->ttl_ms};
    redis_request_init(&store->request);
    pg_params_init(&store->fence);
    pg_params_init(&store->params);
    pg_params_int8(&store->fence, store->shard_epoch);
    if (store->redis == NULL) return;
    store->claim_script = redis_script(store->redis, claim_source);
    store->refresh_script = redis_script(store->redis, refresh_source);
    store->end_script = redis_script(store->redis, end_source);
}

void session_store_deinit(struct session_store *store) {
    redis_request_deinit(&store->request);
    pg_params_deinit(&store->fence);
    pg_params_deinit(&store->params);
}

static struct redis_request *begin_request(struct session_store *store) {
    redis_request_reset(&store->request);
    return &store->request;
}

static void add_session_key(struct redis_request *request, uint64_t player) {
    redis_request_key(request, "march:session:%" PRIu64, player);
}

static void add_holder(struct redis_request *request, const struct session_holder *holder) {
    redis_request_u64(request, holder->gateway);
    redis_request_u64(request, holder->incarnation);
    redis_request_u64(request, holder->session);
}

static bool has_token(const struct session_claim *claim) {
    return claim->token_lo != 0 || claim->token_hi != 0;
}

static uint64_t token_ttl_ms(const struct session_claim *claim, uint64_t now_ms) {
    uint64_t until_ms = claim->token_expires_s >= UINT64_MAX / 1000 ? UINT64_MAX : claim->token_expires_s * 1000;
    uint64_t left_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    if (left_ms < TOKEN_TTL_MIN_MS) return TOKEN_TTL_MIN_MS;
    return left_ms < TOKEN_TTL_MAX_MS ? left_ms : TOKEN_TTL_MAX_MS;
}

int session_store_claim_redis(struct session_store *store, const struct session_claim *claim, uint64_t epoch_min,
                              uint64_t now_ms, redis_done done, void *ctx) {
    if (store->redis == NULL) return MARCH_ERR_UNAVAILABLE;
    struct redis_request *request = begin_request(store);
    add_session_key(request, claim->player);
    redis_request_key(request, "march:token:%016" PRIx64 "%016" PRIx64, claim->token_hi, claim->token_lo);
    add_holder(request, &claim->holder);
    redis_request_u64(request, epoch_min);
    redis_request_u64(request, store->ttl_ms);
    redis_request_u64(request, has_token(claim) ? token_ttl_ms(claim, now_ms) : 0);
    return redis_eval(store->redis, store->claim_script, 2, request, SESSIONS_DEADLINE_MS, done, ctx);
}

/* read_holder reads gateway, incarnation, session and epoch from four elements on. */
static int read_holder(const struct redisReply *reply, size_t at, struct session_holder *holder, uint64_t *epoch) {
    uint64_t gateway;
    if (!redis_reply_u64(redis_reply_item(reply, at), &gateway) || gateway > UINT32_MAX ||
        !redis_reply_u64(redis_reply_item(reply, at + 1), &holder->incarnation) ||
        !redis_reply_u64(redis_reply_item(reply, at + 2), &holder->session) ||
        !redis_reply_u64(redis_reply_item(reply, at + 3), epoch))
        return MARCH_ERR_INVALID;
    holder->gateway = (uint32_t)gateway;
    return 0;
}

int session_store_claimed_redis(const struct redisReply *reply, struct session_claimed *out) {
    uint64_t used;
    *out = (struct session_claimed){0};
    if (!redis_reply_u64(redis_reply_item(reply, 0), &used) || used > 1) return MARCH_ERR_INVALID;
    out->result = used ? SESSION_TOKEN_USED : SESSION_OK;
    if (used) return 0;
    if (!redis_reply_u64(redis_reply_item(reply, 1), &out->epoch)) return MARCH_ERR_INVALID;
    if (reply->elements == 2) return 0;
    out->took_over = true;
    return read_holder(reply, 2, &out->former, &out->former_epoch);
}

static void format_gateway(char text[GATEWAY_TEXT_MAX], const struct session_holder *holder) {
    snprintf(text, GATEWAY_TEXT_MAX, "%" PRIu32 ":%" PRIu64, holder->gateway, holder->incarnation);
}

static int parse_gateway(const char *text, struct session_holder *holder) {
    int end = 0;
    if (sscanf(text, "%9" SCNu32 ":%20" SCNu64 "%n", &holder->gateway, &holder->incarnation, &end) != 2 || text[end] != '\0')
        return MARCH_ERR_INVALID;
    return 0;
}

/* run runs one statement behind the fence. Its result is the second. */
static int run(struct session_store *store, const struct pg_statement *statement, pg_done done, void *ctx) {
    struct pg_call calls[] = {{&fence_statement, &store->fence}, {statement, &store->params}};
    return pg_run(store->pg, calls, 2, PG_TRANSACTION, SESSIONS_DEADLINE_MS, done, ctx);
}

int session_store_claim_pg(struct session_store *store, const struct session_claim *claim, uint64_t epoch_min,
                           uint64_t now_ms, pg_done done, void *ctx) {
    if (store->pg == NULL) return MARCH_ERR_UNAVAILABLE;
    char gateway[GATEWAY_TEXT_MAX];
    uint64_t hash[2] = {claim->token_lo, claim->token_hi};
    struct pg_params *params = &store->params;
    format_gateway(gateway, &claim->holder);
    pg_params_reset(params);
    pg_params_int8(params, (int64_t)claim->player);
    pg_params_text(params, gateway, strlen(gateway));
    pg_params_int8(params, (int64_t)claim->holder.session);
    pg_params_int8(params, (int64_t)epoch_min);
    pg_params_int8(params, store->ttl_ms);
    pg_params_bytea(params, hash, sizeof hash);
    pg_params_timestamp(params, (int64_t)(now_ms + token_ttl_ms(claim, now_ms)) * 1000);
    pg_params_bool(params, has_token(claim));
    return run(store, &claim_statement, done, ctx);
}

int session_store_claimed_pg(const PGresult *result, struct session_claimed *out) {
    *out = (struct session_claimed){0};
    if (pg_rows(result) == 0) {
        out->result = SESSION_TOKEN_USED;
        return 0;
    }
    struct pg_row row = pg_row_at(result, 0);
    out->epoch = pg_row_u64(&row, 0);
    out->took_over = !pg_row_is_null(&row, 1);
    if (!out->took_over) return row.error;
    const char *gateway = pg_row_text(&row, 1, NULL);
    out->former.session = pg_row_u64(&row, 2);
    out->former_epoch = pg_row_u64(&row, 3);
    return row.error ? row.error : parse_gateway(gateway, &out->former);
}

int session_store_find_redis(struct session_store *store, uint64_t player, redis_done done, void *ctx) {
    static const char *const fields[] = {"gateway", "incarnation", "session", "epoch"};
    if (store->redis == NULL) return MARCH_ERR_UNAVAILABLE;
    struct redis_request *request = begin_request(store);
    redis_request_text(request, "HMGET");
    add_session_key(request, player);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) redis_request_text(request, fields[i]);
    return redis_send(store->redis, request, SESSIONS_DEADLINE_MS, done, ctx);
}

int session_store_found_redis(const struct redisReply *reply, struct session_entry *out) {
    const struct redisReply *epoch = redis_reply_item(reply, 3);
    if (epoch != NULL && epoch->type == REDIS_REPLY_NIL) return MARCH_ERR_NOT_FOUND;
    return read_holder(reply, 0, &out->holder, &out->epoch);
}

int session_store_find_pg(struct session_store *store, uint64_t player, pg_done done, void *ctx) {
    if (store->pg == NULL) return MARCH_ERR_UNAVAILABLE;
    pg_params_reset(&store->params);
    pg_params_int8(&store->params, (int64_t)player);
    struct pg_call call = {&find_statement, &store->params};
    return pg_run(store->pg, &call, 1, PG_READ, SESSIONS_DEADLINE_MS, done, ctx);
}

int session_store_found_pg(const PGresult *result, struct session_entry *out) {
    if (pg_rows(result) == 0) return MARCH_ERR_NOT_FOUND;
    struct pg_row row = pg_row_at(result, 0);
    const char *gateway = pg_row_text(&row, 0, NULL);
    out->holder.session = pg_row_u64(&row, 1);
    out->epoch = pg_row_u64(&row, 2);
    return row.error ? row.error : parse_gateway(gateway, &out->holder);
}

int session_store_refresh_redis(struct session_store *store, const struct session_entry *const *entries, uint32_t count,
                                redis_done done, void *ctx) {
    if (store->redis == NULL) return MARCH_ERR_UNAVAILABLE;
    struct redis_request *request = begin_request(store);
    for (uint32_t i = 0; i < count; i++) add_session_key(request, entries[i]->player);
    redis_request_u64(request, store->ttl_ms);
    for (uint32_t i = 0; i < count; i++) {
        add_holder(request, &entries[i]->holder);
        redis_request_u64(request, entries[i]->epoch);
    }
    return redis_eval(store->redis, store->refresh_script, count, request, SESSIONS_DEADLINE_MS, done, ctx);
}

int session_store_refresh_pg(struct session_store *store, const struct session_entry *const *entries, uint32_t count,
                             pg_done done, void *ctx) {
    if (store->pg == NULL) return MARCH_ERR_UNAVAILABLE;
    struct pg_params *params = &store->params;
    char gateway[GATEWAY_TEXT_MAX];
    pg_params_reset(params);
    pg_params_array(params, PG_INT8);
    for (uint32_t i = 0; i < count; i++) pg_params_push_int8(params, (int64_t)entries[i]->player);
    pg_params_end(params);
    pg_params_array(params, PG_INT8);
    for (uint32_t i = 0; i < count; i++) pg_params_push_int8(params, (int64_t)entries[i]->epoch);
    pg_params_end(params);
    pg_params_array(params, PG_TEXT);
    for (uint32_t i = 0; i < count; i++) {
        format_gateway(gateway, &entries[i]->holder);
        pg_params_push_text(params, gateway, strlen(gateway));
    }
    pg_params_end(params);
    pg_params_array(params, PG_INT8);
    for (uint32_t i = 0; i < count; i++) pg_params_push_int8(params, (int64_t)entries[i]->holder.session);
    pg_params_end(params);
    pg_params_int8(params, store->ttl_ms);
    return run(store, &refresh_statement, done, ctx);
}

static void ended_pg(void *ctx, const struct pg_reply *reply) {
    (void)ctx;
    (void)reply;
}

void session_store_end(struct session_store *store, const struct session_entry *entry) {
    struct redis_request *request = begin_request(store);
    add_session_key(request, entry->player);
    redis_request_u64(request, entry->epoch);
    if (store->redis != NULL &&
        redis_eval(store->redis, store->end_script, 1, request, SESSIONS_DEADLINE_MS, NULL, NULL) == 0)
        return;
    if (store->pg == NULL) return;
    pg_params_reset(&store->params);
    pg_params_int8(&store->params, (int64_t)entry->player);
    pg_params_int8(&store->params, (int64_t)entry->epoch);
    if (run(store, &end_statement, ended_pg, NULL) != 0) return; /* it expires */
}
