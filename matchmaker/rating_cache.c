/* rating_cache.c: see rating_cache.h. */
#include "matchmaker/rating_cache.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "matchmaker/table_memory.h"

#define WAYS     4
#define SETS     (RATING_CACHE_MAX / WAYS)
#define SET_BITS 18

_Static_assert(SETS == 1u << SET_BITS && sizeof(struct rating_cached) == 32, "what it costs is told in its header");

int rating_cache_create(struct rating_cache *cache, uint64_t seed) {
    *cache = (struct rating_cache){.ratings = table_memory_reserve(RATING_CACHE_MAX, sizeof *cache->ratings), .seed = seed};
    return cache->ratings ? 0 : MARCH_ERR_SYSTEM;
}

void rating_cache_destroy(struct rating_cache *cache) {
    free(cache->ratings);
    *cache = (struct rating_cache){0};
}

/* set_of returns the first rating of a set: a seeded product, as players may have chosen their ids. */
static struct rating_cached *set_of(const struct rating_cache *cache, uint64_t player, uint32_t mode) {
    uint64_t z = ((player ^ cache->seed) + mode) * 0x9e3779b97f4a7c15ULL;
    return &cache->ratings[(z >> (64 - SET_BITS)) * WAYS];
}

static uint32_t way_of(const struct rating_cached *set, uint64_t player, uint32_t mode) {
    uint32_t way = 0;
    while (way < WAYS && !(set[way].player == player && set[way].mode == mode)) way++;
    return way;
}

void rating_cache_put(struct rating_cache *cache, uint32_t mode, const struct wire_rating *rating) {
    CHECK(rating->player != 0);
    struct rating_cached *set = set_of(cache, rating->player, mode);
    uint32_t way = way_of(set, rating->player, mode);
    if (way == WAYS) way--;
    memmove(&set[1], &set[0], way * sizeof *set);
    set[0] = (struct rating_cached){.player = rating->player,
                                    .mu = (float)rating->mu,
                                    .sigma = (float)rating->sigma,
                                    .rated_at_s = (uint32_t)rating->rated_at_s,
                                    .season = rating->season,
                                    .mode = mode};
}

bool rating_cache_find(const struct rating_cache *cache, uint64_t player, uint32_t mode, struct wire_rating *rating) {
    const struct rating_cached *set = set_of(cache, player, mode);
    uint32_t way = way_of(set, player, mode);
    if (way == WAYS) return false;
    *rating = (struct wire_rating){.player = player,
                                   .mu = (double)set[way].mu,
                                   .sigma = (double)set[way].sigma,
                                   .rated_at_s = set[way].rated_at_s,
                                   .season = set[way].season};
    return true;
}

void rating_cache_clear(struct rating_cache *cache) {
    table_memory_clear(cache->ratings, RATING_CACHE_MAX, sizeof *cache->ratings);
}
