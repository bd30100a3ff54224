/* timer_wheel.h: one timer for each of a fixed number of items, on a hashed wheel.
 *
 * Varghese and Lauck, "Hashed and hierarchical timing wheels" (1987), scheme 6, with one difference: a time further away
 * than a turn is cut to the wheel's reach, so an item may be taken too early, and whoever owns it arms it again. An item is
 * never taken more than TIMER_WHEEL_TICK_MS late by the wheel's doing. Arming and disarming are O(1); all memory is taken at
 * create. Items of one tick are taken in the order in which they were armed.
 */
#ifndef MARCH_MATCHMAKER_TIMER_WHEEL_H
#define MARCH_MATCHMAKER_TIMER_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

#define TIMER_WHEEL_TICK_MS  16
#define TIMER_WHEEL_SLOTS    8192                                            /* a power of two */
#define TIMER_WHEEL_REACH_MS (TIMER_WHEEL_TICK_MS * (TIMER_WHEEL_SLOTS - 2)) /* 131 s: twice the usual time-out */
#define TIMER_WHEEL_NONE     UINT32_MAX

/* Of a circle; an item that is not armed is a circle of its own. */
struct timer_link {
    uint32_t next, previous;
};

struct timer_wheel {
    struct timer_link *links; /* items, then slots */
    uint32_t item_count;
    uint64_t tick; /* being taken from; those before are empty */
};

/* timer_wheel_create makes a wheel of `item_count` items, none armed; MARCH_ERR_SYSTEM when memory is short. */
must_check int timer_wheel_create(struct timer_wheel *wheel, uint32_t item_count, uint64_t now_ms);
void timer_wheel_destroy(struct timer_wheel *wheel);

/* timer_wheel_arm sets an item's time, instead of what it was; one that is past is the next tick. */
void timer_wheel_arm(struct timer_wheel *wheel, uint32_t item, uint64_t due_ms);

/* timer_wheel_disarm is fine for an item that is not armed. */
void timer_wheel_disarm(struct timer_wheel *wheel, uint32_t item);

/* timer_wheel_take returns the next item whose time has come, disarmed, or TIMER_WHEEL_NONE. */
uint32_t timer_wheel_take(struct timer_wheel *wheel, uint64_t now_ms);

/* timer_wheel_prefetch begins to load an item's link; timer_wheel_prefetch_circle, after a while, those beside it. */
static inline void timer_wheel_prefetch(const struct timer_wheel *wheel, uint32_t item) {
    __builtin_prefetch(&wheel->links[item], 1);
}
static inline void timer_wheel_prefetch_circle(const struct timer_wheel *wheel, uint32_t item) {
    __builtin_prefetch(&wheel->links[wheel->links[item].next], 1);
    __builtin_prefetch(&wheel->links[wheel->links[item].previous], 1);
}

#endif
