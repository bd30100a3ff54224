/* pg_listen.h: hears what is said on a channel of PostgreSQL (LISTEN, NOTIFY), on a connection of its own.
 *
 *     WAITING --back-off over--> CONNECTING --> SUBSCRIBING --answer--> LISTENING --lost, or a ping unanswered--> WAITING
 *
 * NOTIFY reaches who listens at the moment of the commit. So whenever LISTENING is reached again after it was lost,
 * something may have been missed, and `missed` is called: everything cached is stale. A connection that says nothing is
 * asked for signs of life every PG_LISTEN_PING_MS.
 *
 * Not possible behind pgBouncer in transaction mode, where a session is not ours to keep: a URI with march_prepared=off is
 * refused with MARCH_ERR_UNSUPPORTED, and caches then live by their TTL alone. One thread, that of the loop. A payload is at
 * most 8,000 bytes, as PostgreSQL has it.
 */
#ifndef MARCH_PERSIST_PG_LISTEN_H
#define MARCH_PERSIST_PG_LISTEN_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

#define PG_LISTEN_CONNECT_MS 3000
#define PG_LISTEN_PING_MS    5000

struct pg_listen_config {
    const char *uri;                               /* copied */
    const char *channel;                           /* lower-case letters, digits and '_', at most 63; copied */
    uint64_t seed;                                 /* of the jitter */
    uint32_t ping_ms;                              /* 0: PG_LISTEN_PING_MS */
    void (*heard)(void *ctx, const char *payload); /* text of whoever may write to the database: check it */
    void (*missed)(void *ctx);
    void *ctx;
};

struct pg_listen_stats {
    uint64_t heard;
    uint64_t losses;
    uint64_t connect_failures;
    bool listening;
};

struct pg_listen;

/* pg_listen_open begins to connect. MARCH_ERR_UNSUPPORTED behind a pooler, MARCH_ERR_INVALID for a malformed URI or channel,
 * MARCH_ERR_SYSTEM when memory is short. */
must_check int pg_listen_open(struct ev_loop *loop, const struct pg_listen_config *config, struct pg_listen **out);

/* pg_listen_close ends it; never from a callback. NULL is fine. */
void pg_listen_close(struct pg_listen *listen);

struct pg_listen_stats pg_listen_stats_get(const struct pg_listen *listen);

#endif
