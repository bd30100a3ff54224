/* backoff.h: how long to wait before trying again: exponential, with full jitter.
 *
 * The wait after failure n is uniform in [1 ms, min(cap, base * 2^n)], so that many who failed together don't come back
 * together
 * ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015). Pure: no clock, a seeded generator of its own.
 */
#ifndef MARCH_COMMON_BACKOFF_H
#define MARCH_COMMON_BACKOFF_H

#include <stdint.h>

struct backoff {
    uint32_t base_ms; /* at least 1 */
    uint32_t cap_ms;  /* at least base_ms */
    uint32_t tries;   /* failures since the last success */
    uint64_t random;
};

/* backoff_init starts with no failure. */
void backoff_init(struct backoff *backoff, uint32_t base_ms, uint32_t cap_ms, uint64_t seed);

/* backoff_next_ms counts a failure and returns how long to wait: 1 ms to cap_ms. */
uint32_t backoff_next_ms(struct backoff *backoff);

/* backoff_reset forgets the failures: it worked. */
void backoff_reset(struct backoff *backoff);

#endif
