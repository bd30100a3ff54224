/* sessions.h: who is logged in where, and which connect tokens were used.
 *
 * A claim makes a gateway's session the one session of a player: a takeover. It ends whichever session there was before,
 * which the answer names, and gets an epoch above all earlier ones: max(old + 1, Unix time in ms), so that it rises even
 * when every store was lost. A claim uses its token up: another one with the same token is refused, unless it is the very
 * same session again, whose claim is repeated with the same answer.
 *
 * Three stores, asked in this order:
 *   memory       the sessions of this shard, as claims and refreshes told; the truth while this process lives
 *   Redis        `march:session:{player}`, a hash of gateway, incarnation, session, epoch; and `march:token:{hash}`; both
 *                with expiry, both changed by one script (compare and set): survives this process
 *   PostgreSQL   unlogged tables `sessions` and `tokens`, while Redis does not answer
 * Where neither answers memory alone decides, once this process has lived for a TTL: by then every living session has been
 * refreshed and so is known. Before that a claim is answered UNAVAILABLE. A Redis that lost its memory is filled by the
 * refreshes. What can slip: a token used again after this process and the store that knew it were both lost within the
 * token's few seconds.
 *
 * Claims of one player are decided one after the other, in the order in which they came: the last one wins.
 *
 * Limits: `sessions_max` players and as many tokens, SESSIONS_CLAIMS_MAX claims under way. Past these a claim is answered
 * UNAVAILABLE and counted; a token that memory has no room for is known to the stores alone.
 * Answers come from the loop, or from within the call where memory knows. Callbacks may call anything here. One thread.
 * `now_ms` is Unix time.
 */
#ifndef MARCH_PERSIST_SESSIONS_H
#define MARCH_PERSIST_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "persist/pg.h"
#include "persist/redis.h"

#define SESSIONS_MAX         (1u << 20)
#define SESSIONS_CLAIMS_MAX  8192
#define SESSIONS_DEADLINE_MS 500 /* of a question to a store */

struct sessions;

/* A session of a gateway. `session` is unique in one incarnation of its gateway. */
struct session_holder {
    uint64_t session, incarnation;
    uint32_t gateway; /* its index in the configuration */
};

struct session_claim {
    uint64_t player;
    struct session_holder holder;
    uint64_t token_lo, token_hi; /* hash of the connect token; both 0: none is used up */
    uint64_t token_expires_s;
};

enum session_result { SESSION_OK = 0, SESSION_TOKEN_USED = 1, SESSION_UNAVAILABLE = 2, SESSION_RESULT_COUNT = 3 };

struct session_claimed {
    enum session_result result;
    uint64_t epoch; /* the rest only with SESSION_OK */
    bool took_over; /* there was another session, `former`, which is to be ended */
    struct session_holder former;
    uint64_t former_epoch;
};

typedef void (*session_done)(void *ctx, const struct session_claim *claim, const struct session_claimed *claimed);

/* One player's session. */
struct session_entry {
    uint64_t player, epoch;
    struct session_holder holder;
    uint64_t expires_ms;
};

typedef void (*session_found)(void *ctx, int error, const struct session_entry *entry);

enum session_ended_reason { SESSION_TAKEN_OVER = 1, SESSION_EXPIRED = 2 };

struct sessions_config {
    struct redis *redis; /* NULL: there is none */
    struct pg *pg;       /* NULL: there is none */
    int64_t shard_epoch; /* of the fence */
    uint32_t sessions_max;
    uint32_t ttl_ms;
    uint64_t now_ms; /* when this process began */
    /* A session ended other than by sessions_end or a claim: it was not refreshed, its gateway started anew, or a refresh
     * came from one that is not the player's any more (then `entry` is that one). NULL for none. */
    void (*ended)(void *ctx, const struct session_entry *entry, enum session_ended_reason reason);
    void *ctx;
};

/* Counts since the start, and what is now. */
struct sessions_stats {
    uint64_t claims, repeats, takeovers, tokens_used, unavailable, full;
    uint64_t by_redis, by_pg, by_memory; /* which store decided */
    uint64_t expired, stale;             /* sessions not refreshed; refreshes of sessions that are over */
    uint64_t refresh_failures;           /* batches that a store did not take */
    uint64_t token_overflows;
    uint32_t sessions, tokens, claims_under_way;
};

/* sessions_open takes all its memory. MARCH_ERR_SYSTEM when it is short. */
must_check int sessions_open(struct sessions **out, const struct sessions_config *config);

/* sessions_close frees it; NULL is fine. Only after its stores: first redis_close, then pg_destroy, which end what is under
 * way, then this. */
void sessions_close(struct sessions *sessions);

/* sessions_claim decides a claim; `done` is called once, maybe from within. Returns 0, MARCH_ERR_FULL (no call then),
 * MARCH_ERR_INVALID for player 0 or one that does not fit in 63 bits. */
must_check int sessions_claim(struct sessions *sessions, const struct session_claim *claim, uint64_t now_ms,
                              session_done done, void *ctx);

/* sessions_refresh keeps a gateway's session alive for another TTL, and makes it known where it is not. Call it for each,
 * then sessions_flush: it sends what came since the last to the stores. */
void sessions_refresh(struct sessions *sessions, uint64_t player, uint64_t epoch, const struct session_holder *holder,
                      uint64_t now_ms);
void sessions_flush(struct sessions *sessions);

/* sessions_end ends a player's session, if it is still the one with this epoch. */
void sessions_end(struct sessions *sessions, uint64_t player, uint64_t epoch);

/* sessions_gateway_started ends what earlier incarnations of a gateway held. */
void sessions_gateway_started(struct sessions *sessions, uint32_t gateway, uint64_t incarnation);

/* sessions_update ends what was not refreshed in time; a share of the table each time, all of it within four calls. Call it
 * a few times a second. */
void sessions_update(struct sessions *sessions, uint64_t now_ms);

/* sessions_lookup reads the player's session from memory: for checks of commands, loads, reports. NULL for none. Valid until
 * the next call that changes something. */
const struct session_entry *sessions_lookup(const struct sessions *sessions, uint64_t player);

/* sessions_find reads it from memory, or else from the stores; error 0, MARCH_ERR_NOT_FOUND or MARCH_ERR_UNAVAILABLE. What
 * was in memory is told at once, from within the call. */
void sessions_find(struct sessions *sessions, uint64_t player, session_found found, void *ctx);

struct sessions_stats sessions_stats_get(const struct sessions *sessions);

#endif
