#include "matchmaker/placement.h"

#include <string.h>

static bool is_in(const struct placement_gateway *g, const char *region) {
    return region && strcmp(g->region, region) == 0;
}

/* Hundredths of a place that are taken. */
static int64_t taken(const struct placement_gateway *g) {
    return (int64_t)g->players * 100 - (g->was_last ? (int64_t)g->places * PLACEMENT_STICKY_PERCENT : 0);
}

/* is_better compares shares without dividing. */
static bool is_better(const struct placement_gateway *a, const struct placement_gateway *b, const char *region) {
    if (is_in(a, region) != is_in(b, region)) return is_in(a, region);
    return taken(a) * b->places < taken(b) * a->places;
}

uint32_t placement_choose(const struct placement_gateway *gateways, uint32_t count, const char *region,
                          uint32_t chosen[PLACEMENT_MAX]) {
    uint32_t chosen_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!gateways[i].is_open || gateways[i].players >= gateways[i].places) continue;
        uint32_t at = chosen_count < PLACEMENT_MAX ? chosen_count++ : PLACEMENT_MAX;
        for (; at > 0 && is_better(&gateways[i], &gateways[chosen[at - 1]], region); at--)
            if (at < PLACEMENT_MAX) chosen[at] = chosen[at - 1];
        if (at < PLACEMENT_MAX) chosen[at] = i;
    }
    return chosen_count;
}
