/* regions.h: the regions of a cluster, numbered: those of its gateways, in the order of the configuration. */
#ifndef MARCH_MATCHMAKER_REGIONS_H
#define MARCH_MATCHMAKER_REGIONS_H

#include <stdint.h>

#include "common/config.h"
#include "matchmaker/queue.h"

struct regions {
    uint32_t count;
    const char *names[QUEUE_REGIONS_MAX]; /* the configuration's */
};

#define REGIONS_NONE UINT32_MAX

/* regions_of lists them; those beyond QUEUE_REGIONS_MAX are left out. */
struct regions regions_of(const struct config *config);

/* regions_find returns a region's number, REGIONS_NONE where there is none of that name. */
uint32_t regions_find(const struct regions *regions, const char *name);

#endif
