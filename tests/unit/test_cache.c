/* test_cache.c: the cache against a naive twin, and its limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "persist/cache.h"

#define TTL_MS      100
#define NEGATIVE_MS 40
#define STALE_MS    200

enum { KINDS = 3, KEYS = 15, ENTRIES = 7, LOADS = 4, WAITERS = 9 };

static struct cache_config config_of(uint32_t entries, size_t bytes) {
    struct cache_config config = {.entries_max = entries,
                                  .bytes_max = bytes,
                                  .loads_max = LOADS,
                                  .waiters_max = WAITERS,
                                  .stale_ms = STALE_MS,
                                  .secret = "fifteen bytes.."};
    for (int i = 0; i < KINDS; i++) config.kinds[i] = (struct cache_times){TTL_MS, NEGATIVE_MS};
    return config;
}

/* Keys differ in one part at a time. */
static struct cache_key key_of(unsigned number) {
    static const char *const texts[] = {NULL, "a", "b", "ab", "a"};
    unsigned part = number / KINDS;
    return (struct cache_key){number % KINDS, part == 4 ? 1 : 0, texts[part]};
}

static struct mono at_ms(uint64_t ms) {
    return (struct mono){ms * NS_PER_MS};
}

/* --- one at a time */

struct told {
    int count, error;
    uint64_t number; /* 0: nothing there */
    bool stale;
    uint32_t age_ms;
};

static void tell(void *ctx, int error, const struct cache_value *value) {
    struct told *told = ctx;
    *told = (struct told){.count = told->count + 1, .error = error};
    if (error) {
        assert_null(value);
        return;
    }
    if (value->bytes) memcpy(&told->number, value->bytes, sizeof told->number);
    told->stale = value->stale;
    told->age_ms = value->age_ms;
}

struct bench {
    struct cache *cache;
    struct told told;
    struct cache_value value;
    struct handle load;
};

static enum cache_result get(struct bench *b, unsigned key, uint64_t ms) {
    struct cache_key k = key_of(key);
    return cache_get(b->cache, &k, at_ms(ms), tell, &b->told, &b->value, &b->load);
}

static void put(struct bench *b, unsigned key, uint64_t number, uint64_t ms) {
    assert_int_equal(get(b, key, ms), CACHE_LOAD);
    cache_loaded(b->cache, b->load, number ? &number : NULL, sizeof number, at_ms(ms));
}

static uint64_t number_of(const struct cache_value *value) {
    uint64_t number = 0;
    if (value->bytes) memcpy(&number, value->bytes, sizeof number);
    return number;
}

static struct bench open_bench(uint32_t entries, size_t bytes) {
    struct cache_config config = config_of(entries, bytes);
    struct bench bench = {.cache = cache_create(&config)};
    assert_non_null(bench.cache);
    return bench;
}

static void test_cache_concurrent_misses_load_once(void **state) {
    (void)state;
    struct bench b = open_bench(ENTRIES, 1 << 20);
    assert_int_equal(get(&b, 0, 1), CACHE_LOAD);
    struct handle load = b.load;
    for (int i = 1; i < WAITERS; i++) assert_int_equal(get(&b, 0, 1), CACHE_WAIT);
    assert_int_equal(get(&b, 0, 1), CACHE_BUSY); /* no room for one more who waits */
    assert_int_equal(get(&b, 1, 1), CACHE_BUSY);
    uint64_t number = 7;
    cache_loaded(b.cache, load, &number, sizeof number, at_ms(2));
    assert_int_equal(b.told.count, WAITERS);
    assert_int_equal(b.told.number, 7);
    assert_int_equal(get(&b, 0, 3), CACHE_HIT);
    assert_int_equal(number_of(&b.value), 7);
    assert_int_equal(b.value.age_ms, 1);
    const struct cache_stats *stats = cache_stats(b.cache);
    assert_int_equal(stats->misses, 1);
    assert_int_equal(stats->joined, WAITERS - 1);
    assert_int_equal(stats->busy, 2);
    assert_int_equal(stats->waiters + stats->loads, 0);
    for (unsigned key = 1; key <= LOADS; key++) assert_int_equal(get(&b, key, 3), CACHE_LOAD);
    assert_int_equal(get(&b, LOADS + 1, 3), CACHE_BUSY);
    cache_destroy(b.cache);
    cache_destroy(NULL);
}

static void test_cache_entries_expire_each_after_its_time(void **state) {
    (void)state;
    struct bench b = open_bench(ENTRIES, 1 << 20);
    put(&b, 0, 7, 1000);
    put(&b, 1, 0, 1000); /* nothing there */
    assert_int_equal(get(&b, 1, 1000 + NEGATIVE_MS - 1), CACHE_HIT);
    assert_null(b.value.bytes);
    assert_int_equal(cache_stats(b.cache)->negative_hits, 1);
    assert_int_equal(get(&b, 1, 1000 + NEGATIVE_MS), CACHE_LOAD);
    assert_int_equal(get(&b, 0, 1000 + TTL_MS - 1), CACHE_HIT);
    assert_int_equal(get(&b, 0, 1000 + TTL_MS), CACHE_LOAD);
    cache_destroy(b.cache);
}

static void test_cache_failed_load_gives_what_is_stale_for_a_while(void **state) {
    (void)state;
    struct bench b = open_bench(ENTRIES, 1 << 20);
    put(&b, 0, 7, 1000);
    uint64_t ms = 1000 + TTL_MS + STALE_MS - 1;
    assert_int_equal(get(&b, 0, ms), CACHE_LOAD);
    assert_int_equal(get(&b, 0, ms), CACHE_WAIT);
    cache_failed(b.cache, b.load, MARCH_ERR_UNAVAILABLE, at_ms(ms));
    assert_int_equal(b.told.count, 3);
    assert_int_equal(b.told.error, 0);
    assert_int_equal(b.told.number, 7);
    assert_true(b.told.stale);
    assert_int_equal(b.told.age_ms, TTL_MS + STALE_MS - 1);
    assert_int_equal(cache_stats(b.cache)->stale, 2);
    assert_int_equal(get(&b, 0, ms + 1), CACHE_LOAD);
    cache_failed(b.cache, b.load, MARCH_ERR_UNAVAILABLE, at_ms(ms + 1));
    assert_int_equal(b.told.error, MARCH_ERR_UNAVAILABLE);
    assert_int_equal(cache_stats(b.cache)->entries, 0);
    put(&b, 0, 7, 5000);
    struct cache_key key = key_of(0);
    assert_int_equal(get(&b, 0, 5000 + TTL_MS), CACHE_LOAD);
    cache_invalidate(b.cache, &key); /* it is known to be wrong: not given out any more */
    cache_failed(b.cache, b.load, MARCH_ERR_UNAVAILABLE, at_ms(5000 + TTL_MS));
    assert_int_equal(b.told.error, MARCH_ERR_UNAVAILABLE);
    cache_destroy(b.cache);
}

static void test_cache_invalidation_during_a_load_is_heeded(void **state) {
    (void)state;
    struct bench b = open_bench(ENTRIES, 1 << 20);
    assert_int_equal(get(&b, 0, 1), CACHE_LOAD);
    struct handle before = b.load;
    struct cache_key key = key_of(0);
    cache_invalidate(b.cache, &key);
    assert_int_equal(get(&b, 0, 1), CACHE_LOAD); /* whoever knows of the change is not told what was before it */
    struct handle after = b.load;
    uint64_t number = 8;
    cache_loaded(b.cache, after, &number, sizeof number, at_ms(2));
    assert_int_equal(b.told.number, 8);
    number = 7;
    cache_loaded(b.cache, before, &number, sizeof number, at_ms(3));
    assert_int_equal(b.told.number, 7);
    assert_int_equal(b.told.count, 2);
    assert_int_equal(get(&b, 0, 4), CACHE_HIT);
    assert_int_equal(number_of(&b.value), 8);
    cache_destroy(b.cache);
}

static void test_cache_bytes_are_limited(void **state) {
    (void)state;
    enum { BYTES = 64 * 1024 };
    struct cache_config config = config_of(1000, BYTES);
    struct bench b = {.cache = cache_create(&config)};
    static char large[BYTES / 16];
    for (uint64_t id = 0; id < 500; id++) {
        struct cache_key key = {0, id, "text"};
        assert_int_equal(cache_get(b.cache, &key, at_ms(1), tell, &b.told, &b.value, &b.load), CACHE_LOAD);
        cache_loaded(b.cache, b.load, large, 1000, at_ms(1));
        assert_true(cache_stats(b.cache)->bytes <= BYTES);
    }
    const struct cache_stats *stats = cache_stats(b.cache);
    assert_true(stats->bytes > BYTES * 9 / 10);
    assert_int_equal(stats->evicted + stats->entries, 500);
    assert_int_equal(get(&b, 1, 1), CACHE_LOAD);
    cache_loaded(b.cache, b.load, large, sizeof large, at_ms(1));
    assert_int_equal(get(&b, 1, 1), CACHE_LOAD); /* it was not kept */
    assert_int_equal(stats->too_large, 1);
    cache_clear(b.cache);
    assert_int_equal(stats->entries, 0);
    assert_int_equal(stats->bytes, 0);
    cache_destroy(b.cache);
}

/* --- the naive twin: an array of entries, oldest first, and what SIEVE says about them */

struct twin_entry {
    unsigned key;
    uint64_t number, loaded_ms, expires_ms;
    bool visited;
};

struct twin_load {
    bool used, parted;
    unsigned key, waiters;
    struct handle load;
};

struct twin {
    struct twin_entry entries[ENTRIES];
    unsigned count;
    int hand; /* index, -1: none */
    struct twin_load loads[LOADS];
    unsigned waiters;
};

static int twin_find(const struct twin *t, unsigned key) {
    for (unsigned i = 0; i < t->count; i++)
        if (t->entries[i].key == key) return (int)i;
    return -1;
}

static void twin_remove(struct twin *t, unsigned index) {
    t->count--;
    memmove(&t->entries[index], &t->entries[index + 1], (t->count - index) * sizeof *t->entries);
    if (t->hand > (int)index) t->hand--;
    if (t->hand == (int)t->count) t->hand = -1;
}

static void twin_evict(struct twin *t) {
    if (t->hand < 0) t->hand = 0;
    while (t->entries[t->hand].visited) {
        t->entries[t->hand].visited = false;
        t->hand = (t->hand + 1) % (int)t->count;
    }
    twin_remove(t, (unsigned)t->hand);
}

static void twin_keep(struct twin *t, unsigned key, uint64_t number, uint64_t ms) {
    int old = twin_find(t, key);
    if (old >= 0) twin_remove(t, (unsigned)old);
    if (t->count == ENTRIES) twin_evict(t);
    t->entries[t->count++] = (struct twin_entry){key, number, ms, ms + (number ? TTL_MS : NEGATIVE_MS), false};
}

static struct twin_load *twin_find_load(struct twin *t, unsigned key) {
    for (unsigned i = 0; i < LOADS; i++)
        if (t->loads[i].used && !t->loads[i].parted && t->loads[i].key == key) return &t->loads[i];
    return NULL;
}

static enum cache_result twin_get(struct twin *t, unsigned key, uint64_t ms, struct twin_load **load) {
    int index = twin_find(t, key);
    if (index >= 0 && ms < t->entries[index].expires_ms) {
        t->entries[index].visited = true;
        return CACHE_HIT;
    }
    *load = twin_find_load(t, key);
    if (t->waiters == WAITERS) return CACHE_BUSY;
    if (*load) {
        (*load)->waiters++;
        t->waiters++;
        return CACHE_WAIT;
    }
    for (unsigned i = 0; i < LOADS; i++) {
        if (t->loads[i].used) continue;
        *load = &t->loads[i];
        **load = (struct twin_load){.used = true, .key = key, .waiters = 1};
        t->waiters++;
        return CACHE_LOAD;
    }
    return CACHE_BUSY;
}

/* twin_fail returns what those who wait are told: a number, 0 for nothing there, or -1 for the error. */
static int64_t twin_fail(struct twin *t, const struct twin_load *load, uint64_t ms) {
    int index = load->parted ? -1 : twin_find(t, load->key);
    if (index < 0) return -1;
    if (ms < t->entries[index].expires_ms + STALE_MS) return (int64_t)t->entries[index].number;
    twin_remove(t, (unsigned)index);
    return -1;
}

static void twin_invalidate(struct twin *t, unsigned first, unsigned step) {
    for (unsigned key = first; key < KEYS; key += step) {
        int index = twin_find(t, key);
        if (index >= 0) twin_remove(t, (unsigned)index);
        struct twin_load *load = twin_find_load(t, key);
        if (load) load->parted = true;
    }
}

/* --- both together */

static uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return *state >> 11;
}

static void both_get(struct bench *b, struct twin *t, unsigned key, uint64_t ms) {
    struct twin_load *load = NULL;
    enum cache_result expected = twin_get(t, key, ms, &load);
    assert_int_equal(get(b, key, ms), expected);
    if (expected == CACHE_HIT) {
        const struct twin_entry *entry = &t->entries[twin_find(t, key)];
        assert_int_equal(number_of(&b->value), entry->number);
        assert_int_equal(b->value.age_ms, ms - entry->loaded_ms);
        assert_false(b->value.stale);
    }
    if (expected == CACHE_LOAD) load->load = b->load;
}

static void both_finish(struct bench *b, struct twin *t, struct twin_load *load, uint64_t number, bool fail, uint64_t ms) {
    b->told = (struct told){0};
    int64_t expected = fail ? twin_fail(t, load, ms) : (int64_t)number;
    if (!fail && !load->parted) twin_keep(t, load->key, number, ms);
    if (fail) {
        cache_failed(b->cache, load->load, MARCH_ERR_UNAVAILABLE, at_ms(ms));
    } else {
        cache_loaded(b->cache, load->load, number ? &number : NULL, sizeof number, at_ms(ms));
    }
    assert_int_equal(b->told.count, load->waiters);
    assert_int_equal(b->told.error, expected < 0 ? MARCH_ERR_UNAVAILABLE : 0);
    assert_int_equal(b->told.number, expected < 0 ? 0 : expected);
    assert_int_equal(b->told.stale, fail && expected >= 0);
    t->waiters -= load->waiters;
    load->used = false;
}

static void both_invalidate(struct bench *b, struct twin *t, unsigned what, unsigned key) {
    struct cache_key k = key_of(key);
    if (what == 0) {
        cache_clear(b->cache);
        twin_invalidate(t, 0, 1);
    } else if (what < 4) {
        cache_invalidate_kind(b->cache, k.kind);
        twin_invalidate(t, k.kind, KINDS);
    } else {
        cache_invalidate(b->cache, &k);
        twin_invalidate(t, key, KEYS);
    }
}

static void test_cache_agrees_with_naive_twin(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct bench b = open_bench(ENTRIES, 1 << 20);
        struct twin t = {.hand = -1};
        uint64_t random = seed * 0x9e3779b97f4a7c15ULL, ms = 1000;
        for (int step = 0; step < 3000; step++) {
            uint64_t r = random_next(&random);
            unsigned key = (unsigned)(r / 1000 % KEYS);
            struct twin_load *load = &t.loads[r / 100000 % LOADS];
            if (r % 100 < 55) {
                both_get(&b, &t, key, ms);
            } else if (r % 100 < 95) {
                if (load->used) both_finish(&b, &t, load, r / 10 % 5, r / 50 % 4 == 0, ms);
            } else if (r % 100 < 97) {
                both_invalidate(&b, &t, (unsigned)(r / 200 % 40), key);
            } else {
                ms += r / 100 % 60;
            }
            const struct cache_stats *stats = cache_stats(b.cache);
            if (stats->entries != t.count || stats->waiters != t.waiters) fail_msg("seed %d, step %d", (int)seed, step);
        }
        cache_destroy(b.cache);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cache_concurrent_misses_load_once),
        cmocka_unit_test(test_cache_entries_expire_each_after_its_time),
        cmocka_unit_test(test_cache_failed_load_gives_what_is_stale_for_a_while),
        cmocka_unit_test(test_cache_invalidation_during_a_load_is_heeded),
        cmocka_unit_test(test_cache_bytes_are_limited),
        cmocka_unit_test(test_cache_agrees_with_naive_twin),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
