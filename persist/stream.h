/* stream.h: publishes events of value from the outbox to the Redis stream `march:events`.
 *
 *     idle --wake, or every STREAM_POLL_MS--> reading --a page--> publishing --all of it--> deleting --> reading ...
 *                                             none: idle          failed: waiting (back-off), then reading
 *
 * A page is read in the order of ids, published by one script call, and only then deleted from the outbox; nothing goes on
 * before that is done. So events arrive at least once and in order: the first arrivals of the events of a player (of the
 * whole shard) are in the order of their ids, and a page that is sent again repeats what was there. A consumer drops an id
 * that is not above the last of its shard. Ids say their shard (common/shard.h).
 *
 * That is as long as Redis keeps what it answered for. The private one syncs its log once a second (appendfsync everysec),
 * and the outbox is emptied after its answer, so a power cut can take about a second of the stream along; table `events`
 * has it all.
 *
 * Fields of an entry: id, at (ms since 1970), player, other (0: none), type, domain, key, detail (JSON).
 *
 * The stream is kept near `entries_max` entries; consumers that are further behind lose the oldest, which stay in table
 * `events`. One publisher a shard. Limits: STREAM_PAGE events a page. While Redis or PostgreSQL is away the outbox grows;
 * `lag` tells how far.
 */
#ifndef MARCH_PERSIST_STREAM_H
#define MARCH_PERSIST_STREAM_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "persist/pg.h"
#include "persist/redis.h"

#define STREAM_KEY         "march:events"
#define STREAM_PAGE        256
#define STREAM_POLL_MS     1000
#define STREAM_DEADLINE_MS 2000

struct stream;

struct stream_config {
    struct redis *redis;
    struct pg *pg;
    int64_t shard_epoch;
    uint32_t entries_max; /* 0: 1,000,000 */
    uint64_t seed;        /* of the jitter */
};

struct stream_stats {
    uint64_t published; /* events, repeats included */
    uint64_t pages, failures;
    uint64_t lag;    /* events in the outbox when it was last read */
    uint64_t lag_ms; /* age of the oldest of these then */
};

/* stream_open begins to publish. MARCH_ERR_SYSTEM without memory. stream_close: only after its stores,
 * first redis_close, then pg_destroy, then this. */
must_check int stream_open(struct stream **out, struct ev_loop *loop, const struct stream_config *config);
void stream_close(struct stream *stream);

/* stream_wake tells that something was committed. Cheap; call it after each commit. */
void stream_wake(struct stream *stream);

struct stream_stats stream_stats_get(const struct stream *stream);

#endif
