/* overload.h: what a zone does without when its ticks take too long, and when it takes it back.
 *
 *   level 0 ──► 1 snapshots at half the rate ──► 2 three quarters of the view radius ──► 3 half of it
 *           ──► 4 creatures think half as often ──► 5 every second tick                      and back, one by one
 *
 * Tick times are judged in windows of OVERLOAD_WINDOW ticks. A window is heavy when it used more than
 * OVERLOAD_HEAVY_PERCENT of its time, or when OVERLOAD_LATE_MAX of its ticks took longer than a tick lasts: one level more.
 * It is light below OVERLOAD_LIGHT_PERCENT: after a run of light windows, one level less. Where a level that was given back
 * had to be taken again soon, the run asked for doubles, up to OVERLOAD_PATIENCE_MAX, so a load between two levels does not
 * swing. A state machine without clock: (tick times) -> level.
 */
#ifndef MARCH_ZONE_OVERLOAD_H
#define MARCH_ZONE_OVERLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "zone/sim.h"

#define OVERLOAD_LEVEL_MAX     5
#define OVERLOAD_WINDOW        30 /* ticks: half a second */
#define OVERLOAD_HEAVY_PERCENT 85
#define OVERLOAD_LIGHT_PERCENT 45 /* half of heavy: giving back a level must not bring the load over it again */
#define OVERLOAD_LATE_MAX      3
#define OVERLOAD_PATIENCE_MIN  10  /* light windows: 5 s */
#define OVERLOAD_PATIENCE_MAX  160 /* 80 s */

struct overload {
    uint32_t level;
    uint32_t ticks; /* of this window */
    uint32_t late;  /* of them, longer than a tick lasts */
    uint64_t busy_ns, budget_ns;
    uint32_t light;      /* light windows in a row */
    uint32_t patience;   /* how many of them give back a level */
    uint32_t since_down; /* windows since a level was given back */
};

/* What a level means. */
struct overload_step {
    struct sim_load load;
    uint32_t stride; /* for the pacer */
};

void overload_init(struct overload *overload);

/* overload_tick takes the time a tick took and the time there is for one, and tells whether the level has changed. */
bool overload_tick(struct overload *overload, uint64_t busy_ns, uint64_t budget_ns);

/* overload_step returns what a level, 0 to OVERLOAD_LEVEL_MAX, means where creatures think every `think_ticks`. */
struct overload_step overload_step(uint32_t level, uint32_t think_ticks);

#endif
