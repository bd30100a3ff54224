/* clock.h: monotonic time as a type.
 *
 * Cores take `struct mono now` as a parameter; only the shells of processes read the clock. Durations are plain integers
 * that name their unit (`_ns`, `_ms`).
 */
#ifndef MARCH_COMMON_CLOCK_H
#define MARCH_COMMON_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define NS_PER_US 1000ULL
#define NS_PER_MS 1000000ULL
#define NS_PER_S  1000000000ULL

/* A point on CLOCK_MONOTONIC, in nanoseconds. Wrapped in a struct so that it can't be mixed with a duration. */
struct mono {
    uint64_t ns;
};

static inline struct mono mono_now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (struct mono){(uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec};
}

static inline struct mono mono_add_ns(struct mono t, uint64_t ns) {
    return (struct mono){t.ns + ns};
}

static inline struct mono mono_add_ms(struct mono t, uint64_t ms) {
    return (struct mono){t.ns + ms * NS_PER_MS};
}

/* mono_since_ns returns how long after `earlier` `later` is, in ns; 0 when it is not. */
static inline uint64_t mono_since_ns(struct mono later, struct mono earlier) {
    return later.ns > earlier.ns ? later.ns - earlier.ns : 0;
}

/* mono_reached tells whether `now` is at or past `deadline`. */
static inline bool mono_reached(struct mono now, struct mono deadline) {
    return now.ns >= deadline.ns;
}

/* wall_now_s returns seconds since the Unix epoch, as connect tokens count them. */
static inline uint64_t wall_now_s(void) {
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec;
}

/* wall_now_ns returns nanoseconds since the Unix epoch; ticks of the whole cluster are numbered from it. */
static inline uint64_t wall_now_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* tick_at returns the tick in which a moment (ns since the Unix epoch) lies; tick_start_ns when a tick begins, rounded up.
 * Seconds and the rest apart: ticks x 10^9 does not fit in 64 bits. */
static inline uint64_t tick_at(uint64_t wall_ns, uint32_t tick_hz) {
    return wall_ns / NS_PER_S * tick_hz + wall_ns % NS_PER_S * tick_hz / NS_PER_S;
}

static inline uint64_t tick_start_ns(uint64_t tick, uint32_t tick_hz) {
    return tick / tick_hz * NS_PER_S + (tick % tick_hz * NS_PER_S + tick_hz - 1) / tick_hz;
}

#endif
