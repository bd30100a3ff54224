/* cache.c: see cache.h. */
#include "persist/cache.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

#define NONE        UINT32_MAX
#define LARGE_SHARE 16 /* a value may take this part of all bytes */

_Static_assert(CACHE_SECRET_BYTES == crypto_shorthash_KEYBYTES, "the secret is a key of SipHash");

/* Entries are in three lists: their bucket (single), their kind and the order of coming (double). */
struct links {
    uint32_t before, after;
};

struct entry {
    uint64_t hash;
    uint64_t id;
    uint32_t kind;
    uint32_t next_in_bucket; /* or the next free one */
    struct links of_kind;
    struct links in_order; /* `before` came later */
    struct mono loaded, expires;
    char *block; /* text with its zero, then the value */
    size_t text_size, len;
    bool negative;
    bool visited; /* asked for since the hand went by */
};

struct waiter {
    cache_done done;
    void *ctx;
    struct handle next; /* of the same load */
};

struct load {
    uint64_t hash;
    uint64_t id;
    uint32_t kind;
    uint32_t next_in_bucket; /* of loads */
    bool parted;             /* invalidated: no longer its key's */
    char text[CACHE_TEXT_MAX + 1];
    struct handle first, last; /* waiters */
};

struct ends {
    uint32_t first, last;
};

struct cache {
    struct cache_config config;
    struct entry *entries;
    uint32_t *buckets;
    uint32_t bucket_mask;
    uint32_t *load_buckets;
    uint32_t load_mask;
    uint32_t free_entries;
    uint32_t touched;  /* entries from here on were never used */
    struct ends order; /* first: the newest */
    uint32_t hand;     /* of SIEVE: goes from the oldest to the newest; NONE: begin anew */
    struct ends kinds[CACHE_KINDS_MAX];
    struct pool loads;
    struct pool waiters;
    struct cache_stats stats;
};

/* create_buckets returns as many empty ones as a power of two can have, at least 16. */
static uint32_t *create_buckets(uint32_t least, uint32_t *mask) {
    uint32_t count = 16;
    while (count < least) count *= 2;
    *mask = count - 1;
    uint32_t *buckets = malloc(count * sizeof *buckets);
    if (buckets) memset(buckets, 0xff, count * sizeof *buckets);
    return buckets;
}

struct cache *cache_create(const struct cache_config *config) {
    CHECK(config->entries_max > 0 && config->entries_max <= 1u << 24 && config->loads_max > 0 && config->waiters_max > 0);
    struct cache *cache = calloc(1, sizeof *cache);
    if (!cache) return NULL;
    cache->config = *config;
    cache->buckets = create_buckets(config->entries_max, &cache->bucket_mask);
    cache->load_buckets = create_buckets(config->loads_max, &cache->load_mask);
    cache->entries = malloc(config->entries_max * sizeof *cache->entries);
    int loads = pool_init(&cache->loads, config->loads_max, sizeof(struct load));
    int waiters = pool_init(&cache->waiters, config->waiters_max, sizeof(struct waiter));
    if (!cache->buckets || !cache->load_buckets || !cache->entries || loads != 0 || waiters != 0) {
        cache_destroy(cache);
        return NULL;
    }
    cache->free_entries = cache->hand = NONE;
    cache->order = (struct ends){NONE, NONE};
    for (uint32_t i = 0; i < CACHE_KINDS_MAX; i++) cache->kinds[i] = (struct ends){NONE, NONE};
    return cache;
}

void cache_destroy(struct cache *cache) {
    if (!cache) return;
    if (cache->entries)
        for (uint32_t i = 0; i < cache->touched; i++) free(cache->entries[i].block);
    free(cache->entries);
    free(cache->buckets);
    free(cache->load_buckets);
    pool_deinit(&cache->loads);
    pool_deinit(&cache->waiters);
    free(cache);
}

/* --- keys */

static const char *text_of(const struct cache_key *key) {
    return key->text ? key->text : "";
}

static uint64_t hash_of(const struct cache *cache, const struct cache_key *key) {
    struct {
        uint64_t id;
        uint32_t kind;
        char text[CACHE_TEXT_MAX + 1];
    } whole = {.id = key->id, .kind = key->kind};
    const char *text = text_of(key);
    size_t len = strlen(text);
    CHECK(key->kind < CACHE_KINDS_MAX && len <= CACHE_TEXT_MAX);
    memcpy(whole.text, text, len);
    uint64_t hash;
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)&whole, offsetof(__typeof__(whole), text) + len,
                     cache->config.secret);
    return hash;
}

static uint32_t find(const struct cache *cache, const struct cache_key *key, uint64_t hash) {
    uint32_t at = cache->buckets[hash & cache->bucket_mask];
    for (; at != NONE; at = cache->entries[at].next_in_bucket) {
        const struct entry *entry = &cache->entries[at];
        if (entry->hash == hash && entry->kind == key->kind && entry->id == key->id &&
            strcmp(entry->block, text_of(key)) == 0)
            break;
    }
    return at;
}

static struct handle find_load(const struct cache *cache, const struct cache_key *key, uint64_t hash) {
    for (uint32_t at = cache->load_buckets[hash & cache->load_mask]; at != NONE;) {
        const struct load *load = pool_at(&cache->loads, at);
        if (!load->parted && load->hash == hash && load->kind == key->kind && load->id == key->id &&
            strcmp(load->text, text_of(key)) == 0)
            return pool_handle(&cache->loads, at);
        at = load->next_in_bucket;
    }
    return (struct handle){0};
}

/* --- entries */

/* Which of an entry's links a list uses. */
enum list { LIST_KIND, LIST_ORDER };

static struct links *links_of(struct cache *cache, uint32_t index, enum list list) {
    return list == LIST_KIND ? &cache->entries[index].of_kind : &cache->entries[index].in_order;
}

static void link_first(struct cache *cache, struct ends *ends, uint32_t index, enum list list) {
    *links_of(cache, index, list) = (struct links){NONE, ends->first};
    if (ends->first != NONE) {
        links_of(cache, ends->first, list)->before = index;
    } else {
        ends->last = index;
    }
    ends->first = index;
}

static void unlink_from(struct cache *cache, struct ends *ends, uint32_t index, enum list list) {
    struct links links = *links_of(cache, index, list);
    if (links.before != NONE) {
        links_of(cache, links.before, list)->after = links.after;
    } else {
        ends->first = links.after;
    }
    if (links.after != NONE) {
        links_of(cache, links.after, list)->before = links.before;
    } else {
        ends->last = links.before;
    }
}

static size_t cost_of(size_t text_size, size_t len) {
    return sizeof(struct entry) + text_size + len;
}

static void remove_entry(struct cache *cache, uint32_t index) {
    struct entry *entry = &cache->entries[index];
    uint32_t *at = &cache->buckets[entry->hash & cache->bucket_mask];
    while (*at != index) at = &cache->entries[*at].next_in_bucket;
    *at = entry->next_in_bucket;
    if (cache->hand == index) cache->hand = entry->in_order.before;
    unlink_from(cache, &cache->order, index, LIST_ORDER);
    unlink_from(cache, &cache->kinds[entry->kind], index, LIST_KIND);
    cache->stats.entries--;
    cache->stats.bytes -= cost_of(entry->text_size, entry->len);
    free(entry->block);
    entry->block = NULL;
    entry->next_in_bucket = cache->free_entries;
    cache->free_entries = index;
}

/* evict_one removes what SIEVE picks: from the hand on towards newer entries, the first that was not asked for since the
 * hand last went by. */
static void evict_one(struct cache *cache) {
    uint32_t at = cache->hand;
    for (;;) {
        if (at == NONE) at = cache->order.last;
        if (!cache->entries[at].visited) break;
        cache->entries[at].visited = false;
        at = cache->entries[at].in_order.before;
    }
    cache->hand = at;
    remove_entry(cache, at);
    cache->stats.evicted++;
}

static uint32_t take_entry(struct cache *cache) {
    uint32_t index = cache->free_entries;
    if (index == NONE) {
        CHECK(cache->touched < cache->config.entries_max);
        return cache->touched++;
    }
    cache->free_entries = cache->entries[index].next_in_bucket;
    return index;
}

/* keep enters a value under a load's key, which has no entry. */
static void keep(struct cache *cache, const struct load *load, const void *bytes, size_t len, struct mono now) {
    const struct cache_times *times = &cache->config.kinds[load->kind];
    uint32_t ttl_ms = bytes ? times->ttl_ms : times->negative_ms;
    size_t text_size = strlen(load->text) + 1, cost = cost_of(text_size, len);
    if (ttl_ms == 0) return;
    if (cost > cache->config.bytes_max / LARGE_SHARE) {
        cache->stats.too_large++;
        return;
    }
    char *block = malloc(text_size + len);
    if (!block) return;
    memcpy(block, load->text, text_size);
    if (len > 0) memcpy(block + text_size, bytes, len);
    while (cache->stats.entries == cache->config.entries_max || cache->stats.bytes + cost > cache->config.bytes_max)
        evict_one(cache);
    uint32_t index = take_entry(cache), *bucket = &cache->buckets[load->hash & cache->bucket_mask];
    cache->entries[index] = (struct entry){.hash = load->hash,
                                           .id = load->id,
                                           .kind = load->kind,
                                           .next_in_bucket = *bucket,
                                           .loaded = now,
                                           .expires = mono_add_ms(now, ttl_ms),
                                           .block = block,
                                           .text_size = text_size,
                                           .len = len,
                                           .negative = !bytes};
    *bucket = index;
    link_first(cache, &cache->order, index, LIST_ORDER);
    link_first(cache, &cache->kinds[load->kind], index, LIST_KIND);
    cache->stats.entries++;
    cache->stats.bytes += cost;
}

static struct cache_value value_of(const struct entry *entry, struct mono now) {
    uint64_t age_ms = mono_since_ns(now, entry->loaded) / NS_PER_MS;
    return (struct cache_value){.bytes = entry->negative ? NULL : entry->block + entry->text_size,
                                .len = entry->len,
                                .stale = mono_reached(now, entry->expires),
                                .age_ms = age_ms < UINT32_MAX ? (uint32_t)age_ms : UINT32_MAX};
}

/* --- loads */

static bool add_waiter(struct cache *cache, struct load *load, cache_done done, void *ctx) {
    struct handle handle = pool_take(&cache->waiters);
    struct waiter *waiter = pool_get(&cache->waiters, handle);
    if (!waiter) return false;
    *waiter = (struct waiter){done, ctx, {0}};
    struct waiter *last = pool_get(&cache->waiters, load->last);
    if (last) {
        last->next = handle;
    } else {
        load->first = handle;
    }
    load->last = handle;
    cache->stats.waiters++;
    return true;
}

static enum cache_result begin_load(struct cache *cache, const struct cache_key *key, uint64_t hash, cache_done done,
                                    void *ctx, struct handle *out) {
    *out = pool_take(&cache->loads);
    struct load *load = pool_get(&cache->loads, *out);
    if (!load) return CACHE_BUSY;
    *load = (struct load){.hash = hash, .id = key->id, .kind = key->kind};
    memcpy(load->text, text_of(key), strlen(text_of(key)) + 1);
    if (!add_waiter(cache, load, done, ctx)) {
        pool_give(&cache->loads, *out);
        return CACHE_BUSY;
    }
    uint32_t *bucket = &cache->load_buckets[hash & cache->load_mask];
    load->next_in_bucket = *bucket;
    *bucket = out->index;
    cache->stats.loads++;
    cache->stats.misses++;
    return CACHE_LOAD;
}

enum cache_result cache_get(struct cache *cache, const struct cache_key *key, struct mono now, cache_done done, void *ctx,
                            struct cache_value *value, struct handle *load) {
    uint64_t hash = hash_of(cache, key);
    uint32_t index = find(cache, key, hash);
    if (index != NONE && !mono_reached(now, cache->entries[index].expires)) {
        cache->entries[index].visited = true;
        *value = value_of(&cache->entries[index], now);
        if (value->bytes) {
            cache->stats.hits++;
        } else {
            cache->stats.negative_hits++;
        }
        return CACHE_HIT;
    }
    struct handle under_way = find_load(cache, key, hash);
    enum cache_result result = CACHE_WAIT;
    if (handle_is_null(under_way)) {
        result = begin_load(cache, key, hash, done, ctx, load);
    } else if (!add_waiter(cache, pool_get(&cache->loads, under_way), done, ctx)) {
        result = CACHE_BUSY;
    } else {
        cache->stats.joined++;
    }
    if (result == CACHE_BUSY) cache->stats.busy++;
    return result;
}

static void tell_waiters(struct cache *cache, struct handle first, int error, const struct cache_value *value) {
    while (!handle_is_null(first)) {
        struct waiter waiter = *(struct waiter *)pool_get(&cache->waiters, first);
        pool_give(&cache->waiters, first);
        cache->stats.waiters--;
        first = waiter.next;
        if (value && value->stale) cache->stats.stale++;
        waiter.done(waiter.ctx, error, value);
    }
}

static struct load end_load(struct cache *cache, struct handle handle) {
    struct load *load = pool_get(&cache->loads, handle);
    CHECK(load != NULL);
    struct load ended = *load;
    uint32_t *at = &cache->load_buckets[load->hash & cache->load_mask];
    while (*at != handle.index) at = &((struct load *)pool_at(&cache->loads, *at))->next_in_bucket;
    *at = load->next_in_bucket;
    pool_give(&cache->loads, handle);
    cache->stats.loads--;
    return ended;
}

static uint32_t find_of_load(const struct cache *cache, const struct load *load) {
    return find(cache, &(struct cache_key){load->kind, load->id, load->text}, load->hash);
}

void cache_loaded(struct cache *cache, struct handle handle, const void *bytes, size_t len, struct mono now) {
    struct load load = end_load(cache, handle);
    if (!load.parted) {
        uint32_t old = find_of_load(cache, &load);
        if (old != NONE) remove_entry(cache, old);
        keep(cache, &load, bytes, bytes ? len : 0, now);
    }
    const struct cache_value value = {.bytes = bytes, .len = bytes ? len : 0};
    tell_waiters(cache, load.first, 0, &value);
}

void cache_failed(struct cache *cache, struct handle handle, int error, struct mono now) {
    CHECK(error < 0);
    struct load load = end_load(cache, handle);
    cache->stats.failed++;
    uint32_t index = load.parted ? NONE : find_of_load(cache, &load);
    if (index != NONE && mono_reached(now, mono_add_ms(cache->entries[index].expires, cache->config.stale_ms))) {
        remove_entry(cache, index);
        index = NONE;
    }
    char *copy = NULL; /* because a callback may remove the entry */
    struct cache_value value = {0};
    if (index != NONE) {
        value = value_of(&cache->entries[index], now);
        value.stale = true;
        copy = malloc(value.len + 1);
        if (copy && value.bytes) {
            memcpy(copy, value.bytes, value.len);
            value.bytes = copy;
        }
    }
    tell_waiters(cache, load.first, copy ? 0 : error, copy ? &value : NULL);
    free(copy);
}

/* --- invalidation */

static void part_load(struct cache *cache, struct load *load) {
    if (load->parted) return;
    load->parted = true;
    cache->stats.invalidated++;
}

void cache_invalidate(struct cache *cache, const struct cache_key *key) {
    uint64_t hash = hash_of(cache, key);
    uint32_t index = find(cache, key, hash);
    if (index != NONE) {
        remove_entry(cache, index);
        cache->stats.invalidated++;
    }
    struct load *load = pool_get(&cache->loads, find_load(cache, key, hash));
    if (load) part_load(cache, load);
}

void cache_invalidate_kind(struct cache *cache, uint32_t kind) {
    CHECK(kind < CACHE_KINDS_MAX);
    while (cache->kinds[kind].first != NONE) {
        remove_entry(cache, cache->kinds[kind].first);
        cache->stats.invalidated++;
    }
    for (uint32_t i = 0; i < cache->config.loads_max; i++) {
        struct load *load = pool_at(&cache->loads, i);
        if (load && load->kind == kind) part_load(cache, load);
    }
}

void cache_clear(struct cache *cache) {
    for (uint32_t kind = 0; kind < CACHE_KINDS_MAX; kind++) cache_invalidate_kind(cache, kind);
}

const struct cache_stats *cache_stats(const struct cache *cache) {
    return &cache->stats;
}
