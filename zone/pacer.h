/* pacer.h: when ticks begin, and what their numbers are.
 *
 * Tick n begins n / tick_hz seconds after the Unix epoch, so the zones of a cluster number the same moment alike. Waiting is
 * done on the monotonic clock; the offset between the two clocks is followed slowly (PACER_SLEW_NS a second), so a step of
 * the wall clock neither stalls a zone nor makes it hurry.
 *
 * A tick that begins late is not made up for: the numbers that have passed are left out (counted as missed), and the
 * simulation covers them in one step. So a zone that can't keep up does less; it never spirals. At a stride of 2 only every
 * second number is run.
 *
 * All but pacer_wait is arithmetic with time as a parameter.
 */
#ifndef MARCH_ZONE_PACER_H
#define MARCH_ZONE_PACER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/error.h"

#define PACER_SLEW_NS    (1 * NS_PER_MS)   /* at each pacer_follow: more than any well-behaved clock is slewed in a second */
#define PACER_SPIN_NS    (500 * NS_PER_US) /* before a tick, when spinning: more than the kernel wakes late */
#define PACER_STRIDE_MAX 2

struct pacer {
    uint32_t tick_hz;
    uint32_t stride;
    int64_t offset_ns; /* wall clock - monotonic clock */
    uint64_t tick;     /* begun last */
    uint64_t missed;   /* ticks left out because it was too late for them */
};

/* pacer_init starts before the next tick to begin. */
void pacer_init(struct pacer *pacer, uint32_t tick_hz, struct mono now, uint64_t wall_ns);

/* pacer_follow moves the offset towards what the two clocks say. Called once a second. */
void pacer_follow(struct pacer *pacer, struct mono now, uint64_t wall_ns);

/* pacer_set_stride runs every tick (1) or every second one (2) from now on. */
void pacer_set_stride(struct pacer *pacer, uint32_t stride);

/* pacer_due returns when the next tick begins. */
struct mono pacer_due(const struct pacer *pacer);

/* pacer_begin returns the number of the tick that begins now, at or after pacer_due: the one that was due, or a later one
 * when that has begun too. */
uint64_t pacer_begin(struct pacer *pacer, struct mono now);

/* pacer_at returns the tick whose time `now` is in. */
uint64_t pacer_at(const struct pacer *pacer, struct mono now);

/* pacer_wait sleeps until `due` and returns the time it woke. With `spin` it sleeps to PACER_SPIN_NS before and then watches
 * the clock. A signal ends the wait early. Returns at once when `due` is past. */
struct mono pacer_wait(struct mono due, bool spin);

/* pacer_keep_awake keeps the cores from idle states that take long to leave, until the descriptor that it returns is closed
 * (kernel: PM quality of service). Measured: a plain sleep then wakes 18 us late, else 120. MARCH_ERR_SYSTEM with errno
 * where that is not allowed. */
must_check int pacer_keep_awake(void);

#endif
