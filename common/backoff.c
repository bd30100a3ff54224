#include "common/backoff.h"

#include "common/check.h"

void backoff_init(struct backoff *backoff, uint32_t base_ms, uint32_t cap_ms, uint64_t seed) {
    CHECK(base_ms >= 1 && cap_ms >= base_ms);
    *backoff = (struct backoff){.base_ms = base_ms, .cap_ms = cap_ms, .random = seed};
}

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

uint32_t backoff_next_ms(struct backoff *backoff) {
    uint64_t most = backoff->cap_ms;
    if (backoff->tries < 32 && (uint64_t)backoff->base_ms << backoff->tries < most)
        most = (uint64_t)backoff->base_ms << backoff->tries;
    if (backoff->tries < UINT32_MAX) backoff->tries++;
    return (uint32_t)(1 + next_random(&backoff->random) % most);
}

void backoff_reset(struct backoff *backoff) {
    backoff->tries = 0;
}
