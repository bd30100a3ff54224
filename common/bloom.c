/* bloom.c: see bloom.h. */
#include "common/bloom.h"

#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/check.h"

_Static_assert(BLOOM_SECRET_BYTES == crypto_shorthash_siphashx24_KEYBYTES, "the secret is a key of SipHash");

int bloom_create(struct bloom *bloom, uint32_t expected, double false_rate, const uint8_t secret[BLOOM_SECRET_BYTES]) {
    CHECK(expected > 0 && expected <= BLOOM_KEYS_MAX && false_rate >= 0.0001 && false_rate <= 0.5);
    double bits_a_key = -log(false_rate) / (M_LN2 * M_LN2);
    uint64_t words = (uint64_t)(bits_a_key * expected / 64) + 1;
    *bloom = (struct bloom){.bit_count = words * 64, .expected = expected};
    bloom->hash_count = (uint32_t)lround(bits_a_key * M_LN2);
    memcpy(bloom->secret, secret, BLOOM_SECRET_BYTES);
    bloom->words = calloc(words, sizeof *bloom->words);
    return bloom->words ? 0 : MARCH_ERR_SYSTEM;
}

void bloom_destroy(struct bloom *bloom) {
    free(bloom->words);
    *bloom = (struct bloom){0};
}

/* A key's positions are first, first + step, first + 2 step ... */
struct positions {
    uint64_t first, step;
};

static struct positions positions_of(const struct bloom *bloom, const void *key, size_t len) {
    uint8_t hash[crypto_shorthash_siphashx24_BYTES];
    crypto_shorthash_siphashx24(hash, key, len, bloom->secret);
    return (struct positions){load_le(hash, 8), load_le(hash + 8, 8) | 1};
}

void bloom_add(struct bloom *bloom, const void *key, size_t len) {
    struct positions at = positions_of(bloom, key, len);
    for (uint32_t i = 0; i < bloom->hash_count; i++, at.first += at.step) {
        uint64_t bit = at.first % bloom->bit_count;
        bloom->words[bit / 64] |= 1ULL << (bit % 64);
    }
    bloom->added++;
}

void bloom_complete(struct bloom *bloom) {
    bloom->complete = true;
}

bool bloom_may_have(const struct bloom *bloom, const void *key, size_t len) {
    if (!bloom->complete) return true;
    struct positions at = positions_of(bloom, key, len);
    for (uint32_t i = 0; i < bloom->hash_count; i++, at.first += at.step) {
        uint64_t bit = at.first % bloom->bit_count;
        if (!(bloom->words[bit / 64] >> (bit % 64) & 1)) return false;
    }
    return true;
}
