/* health.h: what a process's loop tells the outside about itself.
 *
 * The loop beats once a turn and says when it is ready for players; the HTTP thread reads. One writing thread. Accesses are
 * relaxed: each value is looked at alone and orders nothing else.
 */
#ifndef MARCH_COMMON_HEALTH_H
#define MARCH_COMMON_HEALTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"

/* A loop that has not beaten for this long is stalled: a hundred ticks, and what a supervisor should act on. */
#define HEALTH_STALL_NS (2 * NS_PER_S)

struct health {
    _Atomic uint64_t beat_ns; /* of the last beat, on the monotonic clock */
    _Atomic bool ready;
};

/* health_init starts with a beat at `now`, not ready. */
static inline void health_init(struct health *health, struct mono now) {
    atomic_init(&health->beat_ns, now.ns);
    atomic_init(&health->ready, false);
}

static inline void health_beat(struct health *health, struct mono now) {
    atomic_store_explicit(&health->beat_ns, now.ns, memory_order_relaxed);
}

static inline void health_set_ready(struct health *health, bool ready) {
    atomic_store_explicit(&health->ready, ready, memory_order_relaxed);
}

/* health_is_alive tells whether the loop has beaten within HEALTH_STALL_NS. */
static inline bool health_is_alive(const struct health *health, struct mono now) {
    struct mono beat = {atomic_load_explicit(&health->beat_ns, memory_order_relaxed)};
    return mono_since_ns(now, beat) < HEALTH_STALL_NS;
}

/* health_is_ready tells whether the process takes players: said to be ready, and alive. */
static inline bool health_is_ready(const struct health *health, struct mono now) {
    return atomic_load_explicit(&health->ready, memory_order_relaxed) && health_is_alive(health, now);
}

#endif
