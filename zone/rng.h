/* rng.h: the random numbers of a zone: SplitMix64 (Steele, Lea, Flood 2014). One word of state, part of the simulated state,
 * so that a seed and the inputs decide everything. Not for secrets. */
#ifndef MARCH_ZONE_RNG_H
#define MARCH_ZONE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng) {
    uint64_t z = rng->state += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* rng_below returns a number from 0 to bound - 1; bound is at least 1. The bias is below 2^-32 x bound. */
static inline uint32_t rng_below(struct rng *rng, uint32_t bound) {
    return (uint32_t)(((rng_next(rng) >> 32) * bound) >> 32);
}

/* rng_between returns a number from first to last, both included. */
static inline int32_t rng_between(struct rng *rng, int32_t first, int32_t last) {
    uint32_t span = (uint32_t)last - (uint32_t)first;
    if (span == UINT32_MAX) return (int32_t)(rng_next(rng) >> 32);
    return (int32_t)((uint32_t)first + rng_below(rng, span + 1));
}

#endif
