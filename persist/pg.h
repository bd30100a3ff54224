/* pg.h: PostgreSQL without blocking: a pool of pipelined connections to one server.
 *
 * A job is a list of calls (statement and parameters). They are sent in one flight, closed by a Sync, so a job costs one
 * round trip, and PostgreSQL treats what lies before a Sync as one transaction: all of it is committed, or nothing. Several
 * jobs may be in flight on a connection; each is a transaction of its own. Jobs on different connections run in any order:
 * who needs an order submits the next when the last is done.
 *
 *     idle --connect--> connecting --ready--> ready --lost, late, refused--> waiting (back-off, jitter) --> connecting
 *
 * How a job ends, `error` of its reply:
 *   0                       committed; `results` has one result for each call
 *   MARCH_ERR_UNAVAILABLE   surely not done: never sent, or the server said that it could not and rolled back
 *   MARCH_ERR_EXPIRED       outcome unknown: it was sent, and then the connection was lost or the deadline passed. It may
 * yet be carried out by a server that wakes up later, so what changes something must be guarded by a key, a version or the
 * fence, and be looked up before it is believed lost MARCH_ERR_CONFLICT      rolled back: MV001, or 40001, 40P01, 55P03 of
 * the server: read again and try again MARCH_ERR_FENCED        rolled back: MV002, a newer owner of the shard has taken over
 *   MARCH_ERR_EXISTS        rolled back: 23505, a unique key is there already
 *   MARCH_ERR_INVALID       rolled back: any other SQLSTATE; a mistake in statement or data
 * An ERROR of the server means that it rolled back; whatever ends the connection leaves the outcome unknown.
 * Reads are sent again by the pool, at most PG_READ_TRIES times in all and within their deadline; jobs that change something
 * are their owner's to repeat.
 *
 * Limits: PG_CALLS_MAX calls a job, `queue_max` jobs and `queue_bytes_max` bytes of parameters waiting; past that pg_run
 * returns MARCH_ERR_FULL. While the circuit breaker is open it returns MARCH_ERR_UNAVAILABLE. Results are held whole in
 * memory, so statements that may return many rows must page. A host's name is looked up off the loop (resolve.h);
 * of several hosts (pg_uri.h) give addresses.
 *
 * Behind pgBouncer in transaction mode prepared statements are not possible (before 1.21): add `march_prepared=off` to the
 * URI's parameters. Then statements are sent with their text, and nothing is set on the session.
 *
 * One thread, that of the loop. Passwords are in the URI alone, which is never logged.
 */
#ifndef MARCH_PERSIST_PG_H
#define MARCH_PERSIST_PG_H

#include <ev.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/breaker.h"
#include "common/error.h"
#include "common/histogram.h"
#include "persist/pg_params.h"

#define PG_CALLS_MAX       64   /* calls of a job: the largest, a batch of commands, has some 20 */
#define PG_CONNECTIONS_MAX 16   /* of a pool; a shard's writers are one, its readers a few */
#define PG_IN_FLIGHT_MAX   32   /* jobs on a connection */
#define PG_STATEMENTS_MAX  256  /* different statements of a pool */
#define PG_QUEUE_MAX       4096 /* jobs waiting */
#define PG_READ_TRIES      3

#define PG_SQLSTATE_CONFLICT "MV001" /* march_expect, march_watermark */
#define PG_SQLSTATE_FENCED   "MV002" /* march_fence */

/* A statement. Must be static: it is known by its address. Parameters are binary, so write each with its type, as
 * $1::bigint. */
struct pg_statement {
    const char *name; /* for logs and metrics */
    const char *sql;
};

struct pg_call {
    const struct pg_statement *statement;
    const struct pg_params *params; /* NULL for none; copied by pg_run */
};

enum pg_mode {
    PG_TRANSACTION = 0, /* all or nothing, sent at most once */
    PG_READ = 1         /* changes nothing: the pool may send it again */
};

/* What became of a job. All pointers are valid during the callback only. */
struct pg_reply {
    int error;
    const char *sqlstate;              /* 5 characters, "" where the server did not say */
    const char *message;               /* what the server or libpq said, for a log; "" for none */
    const struct pg_statement *failed; /* the statement that was refused, NULL where unknown */
    PGresult *const *results;          /* one for each call; NULL on error */
    unsigned count;
};

typedef void (*pg_done)(void *ctx, const struct pg_reply *reply);

struct pg_config {
    const char *name;       /* "primary", "replica", "upkeep": for logs; copied */
    const char *uri;        /* a libpq URI or keyword string, with march_prepared=on|off if wished; copied */
    unsigned connections;   /* 1 to PG_CONNECTIONS_MAX */
    unsigned in_flight_max; /* jobs on a connection, 1 to PG_IN_FLIGHT_MAX; 0 is 8 */
    unsigned queue_max;     /* 1 to PG_QUEUE_MAX; 0 is 1024 */
    size_t queue_bytes_max; /* of parameters of jobs not yet done; 0 is 64 MiB */
    uint32_t connect_ms;    /* patience for a connection; 0 is 3000 */
    uint32_t statement_ms;  /* the server gives a statement up after this long; 0 is 10000. Not set without prepared */
    struct breaker_config breaker; /* all 0: the defaults of breaker.h */
    uint64_t seed;                 /* of the jitter */
    struct histogram *latency;     /* ns from pg_run to the reply, of jobs that were answered; NULL for none */
    void (*on_ready)(void *ctx);   /* the pool has a connection again after it had none; NULL for none */
    void *ctx;
};

/* Counts since the start, and what is now. Read on the loop's thread; mirror with counter_set and gauge_set. */
struct pg_stats {
    uint64_t jobs;        /* accepted */
    uint64_t calls;       /* statements of these */
    uint64_t done;        /* committed */
    uint64_t unavailable; /* replies by error, refusals at once included */
    uint64_t unknown;     /* MARCH_ERR_EXPIRED */
    uint64_t conflicts;
    uint64_t fenced;
    uint64_t exists;
    uint64_t invalid;
    uint64_t full;     /* refused: queue at its limit */
    uint64_t tripped;  /* refused at once: breaker open */
    uint64_t retries;  /* reads sent again */
    uint64_t connects; /* connections made */
    uint64_t connect_failures;
    uint64_t losses; /* connections lost after they were ready */
    uint64_t breaker_opens;
    uint32_t ready; /* connections */
    uint32_t queued;
    uint32_t in_flight;
    size_t held_bytes; /* of parameters */
    enum breaker_state breaker;
};

struct pg;

/* pg_create makes a pool and begins to connect. MARCH_ERR_INVALID for a configuration that is out of range or a URI that
 * does not parse (said in the log without the URI), MARCH_ERR_SYSTEM when memory is short. */
must_check int pg_create(struct ev_loop *loop, const struct pg_config *config, struct pg **out);

/* pg_destroy closes the connections. Jobs that are not done get their reply first: MARCH_ERR_UNAVAILABLE where they were not
 * sent, else MARCH_ERR_EXPIRED; they must not submit more. Never from within a callback of the pool. NULL is fine. */
void pg_destroy(struct pg *pg);

/* pg_run submits a job: `count` calls, 1 to PG_CALLS_MAX, to be done within `deadline_ms`. Everything is copied. `done` is
 * called exactly once, later, never from within pg_run. Returns 0, MARCH_ERR_UNAVAILABLE (breaker open), MARCH_ERR_FULL
 * (queue, or parameters past their limit); then `done` is not called. */
must_check int pg_run(struct pg *pg, const struct pg_call *calls, unsigned count, enum pg_mode mode, uint32_t deadline_ms,
                      pg_done done, void *ctx);

/* pg_is_available tells whether a job would be accepted and a connection is ready for it now. */
bool pg_is_available(const struct pg *pg);

/* pg_is_away tells whether the server is known not to answer: pg_run would refuse at once. */
bool pg_is_away(const struct pg *pg);

/* pg_stats_get returns the counts. */
struct pg_stats pg_stats_get(const struct pg *pg);

#endif
