/* upkeep.h: what the database needs now and then: partitions ahead, old events folded away, statistics, old keys removed.
 *
 *     CREATE  hourly        partitions of events for today and the week to come
 *     FOLD    hourly        days past `events_keep_days` go into event_baseline and event_history, one a transaction
 *     CLOSE   each 5 min    days that are over for UPKEEP_CLOSE_MIN go into event_history, one a transaction
 *     STATS   each 5 min    daily_stats is refreshed, concurrently: readers see the old rows meanwhile. It reads sums of
 *                           closed days and the events of open ones, so its cost is that of a day, however many are kept
 *     CLEAN   each 10 s     idempotency keys past `idempotency_keep_h`, expired sessions and tokens, what is over of
 *                           matches, UPKEEP_CLEAN_ROWS of each at a time
 *
 * Two lanes, with one task at a time each: CREATE and CLEAN, which are short and must not be late, and FOLD, CLOSE and
 * STATS, which may take minutes. The pool is apart from that of play, with a long `statement_ms` and, so that no lane waits
 * behind the other, one job a connection and a connection for each lane. A task that did all that it may at once, and has
 * more to do, goes on shortly; one that failed is tried again after UPKEEP_RETRY_MS. Locks are not waited for. Each task may
 * be run by two processes at once without harm.
 *
 * Keys of transfers between shards are kept for UPKEEP_TRANSFER_KEEP_DAYS: their source may repeat them for as long as it
 * was down.
 */
#ifndef MARCH_PERSIST_UPKEEP_H
#define MARCH_PERSIST_UPKEEP_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "persist/pg.h"

#define UPKEEP_DAYS_AHEAD         8
#define UPKEEP_CLEAN_ROWS         500 /* a few milliseconds' work */
#define UPKEEP_AGAIN_MS           50  /* between two helpings of the same task */
#define UPKEEP_RETRY_MS           5000
#define UPKEEP_DEADLINE_MS        600000 /* a day's fold may read millions of events */
#define UPKEEP_TRANSFER_KEEP_DAYS 90
#define UPKEEP_RESULT_KEEP_DAYS   30 /* of matches; that a match was settled is kept like transfers' keys */
#define UPKEEP_CLOSE_MIN          60 /* longer than any transaction of persist takes: they have deadlines of seconds */
#define UPKEEP_LANES              2

enum upkeep_task {
    UPKEEP_CREATE = 0,
    UPKEEP_FOLD = 1,
    UPKEEP_STATS = 2,
    UPKEEP_CLEAN = 3,
    UPKEEP_CLOSE = 4,
    UPKEEP_TASK_COUNT = 5
};

struct upkeep_config {
    uint32_t events_keep_days;            /* 0 is 30 */
    uint32_t idempotency_keep_h;          /* 0 is 24 */
    uint32_t every_ms[UPKEEP_TASK_COUNT]; /* 0: as above */
    bool (*may_clean)(void *ctx);         /* whether keys may go by now; otherwise CLEAN waits its turn out. NULL: always */
    void *ctx;
};

struct upkeep_stats {
    uint64_t runs[UPKEEP_TASK_COUNT], failures[UPKEEP_TASK_COUNT];
    struct mono succeeded_at[UPKEEP_TASK_COUNT]; /* 0: never */
    uint64_t partitions_created, days_folded, days_closed, rows_cleaned;
    bool running; /* in either lane */
};

struct upkeep;

/* upkeep_create begins at once, with CREATE and FOLD. NULL when memory is short. */
struct upkeep *upkeep_create(struct ev_loop *loop, struct pg *pg, const struct upkeep_config *config);

/* upkeep_destroy stops; destroy the pool first, for a task that is under way needs its answer. NULL is fine. */
void upkeep_destroy(struct upkeep *upkeep);

struct upkeep_stats upkeep_stats_get(const struct upkeep *upkeep);

#endif
