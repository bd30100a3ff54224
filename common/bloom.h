/* bloom.h: a Bloom filter: "surely not there" for keys that strangers choose, without asking who knows.
 *
 * Sized for a number of keys and the share of others that it may take for them. Keys are hashed by SipHash with a secret, so
 * nobody outside can fill it or choose keys that collide; the k positions come from two halves of one 128-bit hash (Kirsch
 * and Mitzenmacher, Less Hashing, Same Performance, 2008). Keys can't be removed. Until it is said to be complete it answers
 * "maybe" to everything, so it can be filled while it is in use; with more keys than it was made for it errs more often,
 * never the other way. One thread.
 */
#ifndef MARCH_COMMON_BLOOM_H
#define MARCH_COMMON_BLOOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define BLOOM_KEYS_MAX     (1u << 27) /* 160 MiB at 1 % */
#define BLOOM_SECRET_BYTES 16

struct bloom {
    uint64_t *words;
    uint64_t bit_count;
    uint64_t added;    /* calls of bloom_add, so keys that came twice count twice */
    uint32_t expected; /* keys it was made for */
    uint32_t hash_count;
    bool complete;
    uint8_t secret[BLOOM_SECRET_BYTES];
};

/* bloom_create makes an empty filter for `expected` keys (1 to BLOOM_KEYS_MAX), of which it wrongly takes `false_rate`
 * (0.0001 to 0.5) of all others to be. MARCH_ERR_SYSTEM when memory is short. */
must_check int bloom_create(struct bloom *bloom, uint32_t expected, double false_rate,
                            const uint8_t secret[BLOOM_SECRET_BYTES]);

/* bloom_destroy frees the filter; fine twice. */
void bloom_destroy(struct bloom *bloom);

void bloom_add(struct bloom *bloom, const void *key, size_t len);

/* bloom_complete says that every key was added that there was. */
void bloom_complete(struct bloom *bloom);

/* bloom_may_have returns false only where the key was surely never added. */
bool bloom_may_have(const struct bloom *bloom, const void *key, size_t len);

#endif
