#include "matchmaker/regions.h"

#include <string.h>

uint32_t regions_find(const struct regions *regions, const char *name) {
    for (uint32_t i = 0; i < regions->count; i++)
        if (strcmp(regions->names[i], name) == 0) return i;
    return REGIONS_NONE;
}

struct regions regions_of(const struct config *config) {
    struct regions regions = {.count = 0};
    for (uint32_t i = 0; i < config->gateways_count && regions.count < QUEUE_REGIONS_MAX; i++) {
        const char *name = config->gateways[i].region;
        if (regions_find(&regions, name) == REGIONS_NONE) regions.names[regions.count++] = name;
    }
    return regions;
}
