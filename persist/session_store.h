/* session_store.h: what sessions ask of Redis and of PostgreSQL: the scripts and statements, and their answers read.
 *
 * Owned by sessions.c. Each call returns 0 and calls back once, later, or returns an error and does not. Answers are data
 * from outside: what is not as expected is MARCH_ERR_INVALID.
 */
#ifndef MARCH_PERSIST_SESSION_STORE_H
#define MARCH_PERSIST_SESSION_STORE_H

#include "persist/sessions.h"

#define SESSION_REFRESH_MAX 64 /* sessions of one script call */

struct session_store {
    struct redis *redis;
    struct pg *pg;
    int64_t shard_epoch;
    uint32_t ttl_ms;
    unsigned claim_script, refresh_script, end_script;
    struct redis_request request;
    struct pg_params fence, params;
};

void session_store_init(struct session_store *store, const struct sessions_config *config);
void session_store_deinit(struct session_store *store);

/* Claims: with an epoch of at least `epoch_min`, at Unix time `now_ms`. */
must_check int session_store_claim_redis(struct session_store *store, const struct session_claim *claim, uint64_t epoch_min,
                                         uint64_t now_ms, redis_done done, void *ctx);
must_check int session_store_claim_pg(struct session_store *store, const struct session_claim *claim, uint64_t epoch_min,
                                      uint64_t now_ms, pg_done done, void *ctx);
must_check int session_store_claimed_redis(const struct redisReply *reply, struct session_claimed *out);
must_check int session_store_claimed_pg(const PGresult *result, struct session_claimed *out);

/* Finding one player's session. MARCH_ERR_NOT_FOUND where there is none. */
must_check int session_store_find_redis(struct session_store *store, uint64_t player, redis_done done, void *ctx);
must_check int session_store_find_pg(struct session_store *store, uint64_t player, pg_done done, void *ctx);
must_check int session_store_found_redis(const struct redisReply *reply, struct session_entry *out);
must_check int session_store_found_pg(const PGresult *result, struct session_entry *out);

/* Keeping sessions alive: up to SESSION_REFRESH_MAX by one script, or any number by one statement. The script answers with
 * how many a newer session was found for. */
must_check int session_store_refresh_redis(struct session_store *store, const struct session_entry *const *entries,
                                           uint32_t count, redis_done done, void *ctx);
must_check int session_store_refresh_pg(struct session_store *store, const struct session_entry *const *entries,
                                        uint32_t count, pg_done done, void *ctx);

/* session_store_end tells both, and waits for neither: what stays expires. */
void session_store_end(struct session_store *store, const struct session_entry *entry);

#endif
