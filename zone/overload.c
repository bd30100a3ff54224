#include "zone/overload.h"

#include "common/check.h"

void overload_init(struct overload *overload) {
    *overload = (struct overload){.patience = OVERLOAD_PATIENCE_MIN, .since_down = UINT32_MAX};
}

static bool step_up(struct overload *o) {
    o->light = 0;
    if (o->since_down < o->patience) {
        o->patience = o->patience * 2 < OVERLOAD_PATIENCE_MAX ? o->patience * 2 : OVERLOAD_PATIENCE_MAX;
    }
    if (o->level == OVERLOAD_LEVEL_MAX) return false;
    o->level++;
    return true;
}

static bool step_down(struct overload *o) {
    if (o->level == 0) {
        if (o->light >= OVERLOAD_PATIENCE_MAX) o->patience = OVERLOAD_PATIENCE_MIN;
        return false;
    }
    if (o->light < o->patience) return false;
    o->light = 0;
    o->level--;
    o->since_down = 0;
    return true;
}

static bool judge_window(struct overload *o) {
    bool heavy = o->busy_ns * 100 > o->budget_ns * OVERLOAD_HEAVY_PERCENT || o->late >= OVERLOAD_LATE_MAX;
    bool light = o->busy_ns * 100 < o->budget_ns * OVERLOAD_LIGHT_PERCENT && o->late == 0;
    o->ticks = o->late = 0;
    o->busy_ns = o->budget_ns = 0;
    if (o->since_down < UINT32_MAX) o->since_down++;
    if (heavy) return step_up(o);
    o->light = light ? o->light + 1 : 0;
    return step_down(o);
}

bool overload_tick(struct overload *o, uint64_t busy_ns, uint64_t budget_ns) {
    o->busy_ns += busy_ns;
    o->budget_ns += budget_ns;
    o->late += busy_ns > budget_ns;
    return ++o->ticks >= OVERLOAD_WINDOW && judge_window(o);
}

struct overload_step overload_step(uint32_t level, uint32_t think_ticks) {
    CHECK(level <= OVERLOAD_LEVEL_MAX);
    return (struct overload_step){.load = {.snapshot_every = level >= 1 ? 2 : 1,
                                           .view_percent = level >= 3   ? 50
                                                           : level >= 2 ? 75
                                                                        : 100,
                                           .think_ticks = level >= 4 ? 2 * think_ticks : think_ticks},
                                  .stride = level >= 5 ? 2 : 1};
}
