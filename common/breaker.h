/* breaker.h: a circuit breaker: who keeps failing is left alone for a while, and callers are told at once.
 *
 *     closed --`failures_max` failures in a row--> open --cool-down over, or a hint--> half-open --success--> closed
 *                                                   ^                                     |
 *                                                   +--------------- failure -------------+   (cool-down doubles, with
 * jitter)
 *
 * Half-open lets one probe through at a time; a probe of which nothing is heard for `probe_ms` is replaced by the next.
 * Pure: time is a parameter. After M. Nygard, "Release It!", 2007.
 */
#ifndef MARCH_COMMON_BREAKER_H
#define MARCH_COMMON_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/backoff.h"
#include "common/clock.h"

enum breaker_state { BREAKER_CLOSED = 0, BREAKER_OPEN = 1, BREAKER_HALF_OPEN = 2, BREAKER_STATE_COUNT = 3 };

struct breaker_config {
    uint32_t failures_max;     /* in a row; 0 is 5 */
    uint32_t cool_down_ms;     /* the first; 0 is 200 */
    uint32_t cool_down_cap_ms; /* the longest; 0 is 5000 */
    uint32_t probe_ms;         /* 0 is 5000 */
};

struct breaker {
    struct breaker_config config;
    enum breaker_state state;
    uint32_t failures; /* in a row */
    struct mono until; /* open: end of the cool-down; half-open: when the probe is given up */
    bool probing;
    struct backoff backoff;
    uint64_t opens; /* times it opened, for a metric */
};

/* breaker_init starts closed; zeros in `config` stand for the defaults. */
void breaker_init(struct breaker *breaker, const struct breaker_config *config, uint64_t seed);

/* breaker_admit tells whether a call may be made now. What it admits must be followed by breaker_success or breaker_failure.
 */
bool breaker_admit(struct breaker *breaker, struct mono now);

/* breaker_success tells that a call was answered; an error that the server itself reported is an answer. */
void breaker_success(struct breaker *breaker);

/* breaker_failure tells that a call got no answer. */
void breaker_failure(struct breaker *breaker, struct mono now);

/* breaker_hint tells that there are signs of life: an open one becomes half-open before its cool-down is over. */
void breaker_hint(struct breaker *breaker);

#endif
