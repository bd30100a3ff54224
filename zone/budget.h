/* budget.h: how long the creatures of one instance may think in a tick, and how much less often they do where that is
 * passed.
 *
 *   1 ──the window took more than its budget──► 2 ──► 4 ──► 8     they think in one of so many of their turns
 *     ◄──BUDGET_PATIENCE windows in a row that took less than BUDGET_LIGHT_PERCENT of it──
 *
 * So one instance takes neither the time of the others in its zone, nor makes the zone give up something for all
 * (overload.h). Time is what the thread ran, not what passed. Only one tick in BUDGET_SAMPLE is measured, which meets each
 * creature's turn in a window. A state machine without clock: (time that was measured) -> pace. What it says is an input of
 * the simulation, and recorded as such.
 */
#ifndef MARCH_ZONE_BUDGET_H
#define MARCH_ZONE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define BUDGET_SAMPLE        5  /* has no factor in common with SIM_THINK_TICKS */
#define BUDGET_WINDOW        60 /* ticks: each creature's turn was measured once */
#define BUDGET_PACE_MAX      8
#define BUDGET_LIGHT_PERCENT 40 /* less than half: giving a step back doubles what is used */
#define BUDGET_PATIENCE      10

struct budget {
    uint64_t spent_ns; /* measured in this window */
    uint32_t light;    /* light windows in a row */
};

/* budget_is_measured tells whether a tick is one of those that are measured. */
static inline bool budget_is_measured(uint64_t tick) {
    return tick % BUDGET_SAMPLE == 0;
}

/* budget_judge ends a window, and returns the pace that follows on `pace`. `tick_us` is what there is for a tick, 0: no end
 * of it. */
uint32_t budget_judge(struct budget *budget, uint32_t pace, uint32_t tick_us);

#endif
