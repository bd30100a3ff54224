/* cache.h: what was read from the database and may be asked again soon.
 *
 * Keys are a kind, a number and a short text (either may be nothing); values are bytes, or the knowledge that there is
 * nothing (negative). Each kind has its time to live. Pure: it never loads; whoever misses does, and is told whether it
 * must:
 *
 *     cache_get: CACHE_HIT      here it is
 *                CACHE_LOAD     nobody loads it yet: load it, then call cache_loaded or cache_failed, once
 *                CACHE_WAIT     somebody does
 *                CACHE_BUSY     too many loads or waiters at once; nothing is remembered
 *
 * Who got CACHE_LOAD or CACHE_WAIT is called back when the load ends. So however many ask, one key is loaded once at a time.
 * An invalidation removes the entry and parts the load that is under way from its key: those who waited for it get what it
 * finds, but it is not kept, and who asks from then on begins a new load; so nobody is told what was true only before the
 * invalidation that he knew of. An entry that is past its time stays for `stale_ms` more and is given out, said to be stale,
 * where a load fails.
 *
 * Limits: entries and bytes, beyond which the ones not asked for lately go (SIEVE: Zhang and others, SIEVE is Simpler than
 * LRU, NSDI 2024); loads; waiters. A value larger than a sixteenth of all bytes is not kept. Buckets are found by SipHash
 * with a secret. One thread.
 */
#ifndef MARCH_PERSIST_CACHE_H
#define MARCH_PERSIST_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/error.h"
#include "common/pool.h"

#define CACHE_KINDS_MAX    16
#define CACHE_TEXT_MAX     127 /* bytes */
#define CACHE_SECRET_BYTES 16

struct cache_key {
    uint32_t kind;
    uint64_t id;
    const char *text; /* copied; NULL is "" */
};

struct cache_value {
    const void *bytes; /* NULL where there is nothing (negative) */
    size_t len;
    bool stale;
    uint32_t age_ms; /* since it was loaded */
};

struct cache_times {
    uint32_t ttl_ms;      /* of values; 0: not kept */
    uint32_t negative_ms; /* of nothing */
};

struct cache_config {
    uint32_t entries_max; /* 1 to 2^24 */
    size_t bytes_max;     /* of values, keys and their records */
    uint32_t loads_max;   /* at once */
    uint32_t waiters_max; /* of all loads */
    uint32_t stale_ms;
    struct cache_times kinds[CACHE_KINDS_MAX];
    uint8_t secret[CACHE_SECRET_BYTES];
};

struct cache_stats {
    uint64_t hits, negative_hits, misses; /* misses became loads */
    uint64_t joined;                      /* waited for somebody else's load */
    uint64_t busy;
    uint64_t stale;       /* callbacks that were given something stale */
    uint64_t evicted;     /* to stay within the limits */
    uint64_t invalidated; /* entries and loads */
    uint64_t failed;      /* loads */
    uint64_t too_large;
    uint32_t entries, loads, waiters;
    size_t bytes;
};

enum cache_result { CACHE_HIT = 0, CACHE_LOAD = 1, CACHE_WAIT = 2, CACHE_BUSY = 3, CACHE_RESULT_COUNT = 4 };

/* Called once for each CACHE_LOAD and CACHE_WAIT, from within cache_loaded or cache_failed. `error` 0: `value` holds, until
 * the callback returns. Else the error of cache_failed, and no value. May call back into the cache. */
typedef void (*cache_done)(void *ctx, int error, const struct cache_value *value);

struct cache;

/* cache_create copies the configuration. NULL when memory is short. */
struct cache *cache_create(const struct cache_config *config);

/* cache_destroy drops everything; who waits is not called. NULL is fine. */
void cache_destroy(struct cache *cache);

/* cache_get looks a key up. With CACHE_HIT `value` is filled, for use until the next call; with CACHE_LOAD `load` is what
 * cache_loaded or cache_failed wants. */
enum cache_result cache_get(struct cache *cache, const struct cache_key *key, struct mono now, cache_done done, void *ctx,
                            struct cache_value *value, struct handle *load);

/* cache_loaded ends a load: tells who waits and keeps the value, if it may. `bytes` NULL: there is nothing. */
void cache_loaded(struct cache *cache, struct handle load, const void *bytes, size_t len, struct mono now);

/* cache_failed ends a load without a value. */
void cache_failed(struct cache *cache, struct handle load, int error, struct mono now);

/* cache_invalidate forgets one key, cache_invalidate_kind all of a kind, cache_clear all. */
void cache_invalidate(struct cache *cache, const struct cache_key *key);
void cache_invalidate_kind(struct cache *cache, uint32_t kind);
void cache_clear(struct cache *cache);

const struct cache_stats *cache_stats(const struct cache *cache);

#endif
