/* redis.h: Redis without blocking: one pipelined connection, deadlines, scripts, a circuit breaker.
 *
 * Commands go out in the order in which they are submitted and are answered in that order. How a command ends, `error` of
 * its callback:
 *   0                       `reply` is the answer, of any type but an error: data from outside, to be checked
 *   MARCH_ERR_INVALID       the server refused it; `reply` is its error
 *   MARCH_ERR_UNAVAILABLE   the server can't serve it now: loading, a replica, out of memory; nothing was done; no `reply`
 *   MARCH_ERR_EXPIRED       outcome unknown: the deadline passed or the connection was lost; no `reply`.
 *                           It may yet be carried out by a server that wakes up later.
 * A command that is refused at once by the return value has no callback.
 *
 * Scripts are registered once and called by their hash. A server that does not know it (restarted, SCRIPT FLUSH) is sent
 * the text instead; so a script that is tried again may run after commands that were submitted behind it.
 *
 * Limits: `in_flight_max` commands and `out_bytes_max` bytes unsent (MARCH_ERR_FULL), REDIS_SCRIPTS_MAX,
 * REDIS_WATCHERS_MAX. Failing: without a connection, and while the breaker is open after too many deadlines or failed
 * connections in a row, MARCH_ERR_UNAVAILABLE at once. A server that leaves the oldest command unanswered for
 * REDIS_STALL_MS past its deadline loses the connection.
 *
 * One thread, that of the loop. Callbacks may call anything here but redis_close.
 */
#ifndef MARCH_PERSIST_REDIS_H
#define MARCH_PERSIST_REDIS_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hiredis/hiredis.h>

#include "common/breaker.h"
#include "common/error.h"
#include "common/histogram.h"
#include "persist/redis_request.h"

#define REDIS_IN_FLIGHT_MAX (1u << 17)
#define REDIS_SCRIPTS_MAX   16
#define REDIS_WATCHERS_MAX  8
#define REDIS_STALL_MS      1000

struct redis;

typedef void (*redis_done)(void *ctx, int error, const struct redisReply *reply);

/* Told when the server can be used, and when it can't any more. */
typedef void (*redis_watcher)(void *ctx, bool available);

struct redis_config {
    const char *address;    /* as of redis_address.h */
    uint32_t in_flight_max; /* up to REDIS_IN_FLIGHT_MAX; 0 is 16384 */
    size_t out_bytes_max;   /* 0 is 32 MiB */
    uint32_t connect_ms;    /* patience for a connection; 0 is 2000 */
    uint32_t retry_cap_ms;  /* longest wait between tries; 0 is 2000 */
    struct breaker_config breaker;
    uint64_t seed;             /* of the jitter */
    struct histogram *latency; /* ns from submission to answer; NULL for none */
};

/* Counts since the start, and what is now. */
struct redis_stats {
    uint64_t commands;    /* accepted */
    uint64_t answers;     /* good ones */
    uint64_t refusals;    /* MARCH_ERR_INVALID from the server */
    uint64_t unavailable; /* refused at once, or by a server that could not */
    uint64_t unknown;     /* MARCH_ERR_EXPIRED */
    uint64_t full;        /* refused: too many in flight, or too much unsent */
    uint64_t reloads;     /* scripts that the server did not know */
    uint64_t connects, losses, connect_failures;
    uint64_t breaker_opens;
    uint32_t in_flight;
    bool available;
    enum breaker_state breaker;
};

/* redis_open begins to connect. MARCH_ERR_INVALID for an address that does not parse, MARCH_ERR_SYSTEM without memory. */
must_check int redis_open(struct redis **out, struct ev_loop *loop, const struct redis_config *config);

/* redis_close ends what is in flight with MARCH_ERR_EXPIRED, then the connection; NULL is fine. */
void redis_close(struct redis *redis);

/* redis_watch registers a watcher, for good; past REDIS_WATCHERS_MAX it aborts. It is not told of the present state. */
void redis_watch(struct redis *redis, redis_watcher watcher, void *ctx);

bool redis_is_available(const struct redis *redis);

/* redis_run_id names the start of the server that we are connected to, "" where it is not known. A server that lost what it
 * had, or went back to an older state of it, has a new one. */
const char *redis_run_id(const struct redis *redis);

/* redis_send submits a command, to be answered within `deadline_ms`. The request is copied. `done` is called exactly once,
 * later, never from within redis_send; NULL for none. Returns 0, MARCH_ERR_UNAVAILABLE, MARCH_ERR_FULL, or the error that
 * stuck in the request; then `done` is not called. */
must_check int redis_send(struct redis *redis, const struct redis_request *request, uint32_t deadline_ms, redis_done done,
                          void *ctx);

/* redis_script registers a script and returns its number. `source` is kept, so static. */
unsigned redis_script(struct redis *redis, const char *source);

/* redis_eval calls a script as redis_send does; the first `key_count` arguments of the request are its keys. */
must_check int redis_eval(struct redis *redis, unsigned script, uint32_t key_count, const struct redis_request *request,
                          uint32_t deadline_ms, redis_done done, void *ctx);

/* redis_ready_within runs the loop until the server can be used: for a start that waits, and for tests. MARCH_ERR_EXPIRED
 * when it can't. */
must_check int redis_ready_within(struct redis *redis, uint32_t ms);

struct redis_stats redis_stats_get(const struct redis *redis);

/* --- reading replies: false, or NULL, where the reply is not as asked */

/* redis_reply_item returns element `index` of an array. */
const struct redisReply *redis_reply_item(const struct redisReply *reply, size_t index);

/* redis_reply_u64 and _i64 read an integer, or a string of decimal digits. */
bool redis_reply_u64(const struct redisReply *reply, uint64_t *out);
bool redis_reply_i64(const struct redisReply *reply, int64_t *out);

#endif
