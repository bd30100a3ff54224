/* hash.h: the hash of simulated state: one multiply and a rotation a word. It tells two states apart; it resists no
 * attacker. */
#ifndef MARCH_ZONE_HASH_H
#define MARCH_ZONE_HASH_H

#include <stdint.h>

#define HASH_START 0x6d61726368ULL

static inline uint64_t hash_word(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * 0x9fb21c651e98df25ULL;
    return hash ^ (hash >> 29);
}

static inline uint64_t hash_pair(uint64_t hash, int32_t a, int32_t b) {
    return hash_word(hash, (uint64_t)(uint32_t)a << 32 | (uint32_t)b);
}

#endif
