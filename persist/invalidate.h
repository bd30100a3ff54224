/* invalidate.h: tells every persist that something cached is out of date, by the Redis channel `march:invalidate`.
 *
 * A message is text, `KIND ID ORIGIN`: the kind's name, the id in decimal, and who sent it, so that a sender skips its own.
 * `guild 7 operator` may be published by hand. Local subscribers are told at once, from within invalidate_publish; those of
 * other processes when the message comes.
 *
 * Messages may be lost while a connection is down, so when the subscription is there again after it was lost everything is
 * stale: kind INVALIDATE_ALL, id 0. Who could not publish does so for all when it can again. The subscription has a
 * connection of its own, and is asked for signs of life every INVALIDATE_PING_MS.
 *
 * Limits: INVALIDATE_SUBSCRIBERS_MAX. Malformed messages are counted and dropped.
 */
#ifndef MARCH_PERSIST_INVALIDATE_H
#define MARCH_PERSIST_INVALIDATE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "persist/redis.h"

#define INVALIDATE_CHANNEL         "march:invalidate"
#define INVALIDATE_SUBSCRIBERS_MAX 16
#define INVALIDATE_PING_MS         5000

enum invalidate_kind {
    INVALIDATE_ALL = 0,
    INVALIDATE_PLAYER = 1,    /* profile: name, level, guild; id is the player */
    INVALIDATE_INVENTORY = 2, /* id is the player */
    INVALIDATE_GUILD = 3,     /* members, bank; id is the guild */
    INVALIDATE_AUCTION = 4,
    INVALIDATE_NAME = 5, /* a name was taken or given up; id is who has it */
    INVALIDATE_KIND_COUNT = 6
};

struct invalidate;

typedef void (*invalidate_fn)(void *ctx, enum invalidate_kind kind, uint64_t id);

struct invalidate_stats {
    uint64_t published, not_published; /* by this process; the others were told "all" later */
    uint64_t received, malformed;
    uint64_t all; /* times everything was stale */
    bool listening;
};

/* invalidate_open begins to listen at `address` (as of redis_address.h) and publishes through `redis`. MARCH_ERR_INVALID,
 * MARCH_ERR_SYSTEM. `seed` tells processes apart: a random number. invalidate_close: after the redis; NULL is fine. */
must_check int invalidate_open(struct invalidate **out, struct ev_loop *loop, struct redis *redis, const char *address,
                               uint64_t seed);
void invalidate_close(struct invalidate *invalidate);

/* invalidate_subscribe adds a callback, for good; past the maximum it aborts. */
void invalidate_subscribe(struct invalidate *invalidate, invalidate_fn fn, void *ctx);

/* invalidate_publish tells everybody, after a commit. */
void invalidate_publish(struct invalidate *invalidate, enum invalidate_kind kind, uint64_t id);

struct invalidate_stats invalidate_stats_get(const struct invalidate *invalidate);

#endif
