#include "zone/budget.h"

_Static_assert(BUDGET_WINDOW % BUDGET_SAMPLE == 0, "as many ticks of each window are measured");

uint32_t budget_judge(struct budget *b, uint32_t pace, uint32_t tick_us) {
    uint64_t most_ns = (uint64_t)tick_us * 1000 * (BUDGET_WINDOW / BUDGET_SAMPLE), spent_ns = b->spent_ns;
    b->spent_ns = 0;
    if (tick_us == 0) return 1;
    bool is_light = spent_ns * 100 < most_ns * BUDGET_LIGHT_PERCENT;
    b->light = is_light && pace > 1 ? b->light + 1 : 0;
    if (spent_ns > most_ns) return pace < BUDGET_PACE_MAX ? 2 * pace : pace;
    if (b->light < BUDGET_PATIENCE) return pace;
    b->light = 0;
    return pace / 2;
}
