/* rating_cache.h: ratings that the matchmaker has made itself, so that who comes back from a match is not asked for again.
 *
 * A table of RATING_CACHE_MAX ratings in sets of four, each by a player and a mode: one that is put goes before the others
 * of its set, and the last of them is forgotten. Memory is 32 bytes a rating, touched as it is used. The matchmaker alone
 * changes ratings, so what is here is what persist has; modes are numbers, so it is cleared when these change.
 */
#ifndef MARCH_MATCHMAKER_RATING_CACHE_H
#define MARCH_MATCHMAKER_RATING_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "schemas/wire.h"

#define RATING_CACHE_MAX (1u << 20)

struct rating_cached {
    uint64_t player;     /* 0: none */
    float mu, sigma;     /* as a ticket has them */
    uint32_t rated_at_s; /* Unix time */
    uint32_t season, mode;
};

struct rating_cache {
    struct rating_cached *ratings;
    uint64_t seed;
};

/* MARCH_ERR_SYSTEM when memory is short. */
must_check int rating_cache_create(struct rating_cache *cache, uint64_t seed);
void rating_cache_destroy(struct rating_cache *cache);

/* rating_cache_put takes mu, sigma, season and time of a player's rating in a mode. */
void rating_cache_put(struct rating_cache *cache, uint32_t mode, const struct wire_rating *rating);

/* rating_cache_find writes them for a player; false where it has none. */
bool rating_cache_find(const struct rating_cache *cache, uint64_t player, uint32_t mode, struct wire_rating *rating);
void rating_cache_clear(struct rating_cache *cache);

#endif
