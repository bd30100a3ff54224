/* placement.h: which gateways a player is sent to, best first. Pure.
 *
 * Those of the region that is asked for stand before the others; within, who is least full by share of its places. The one
 * that the player had last counts for less full than it is by PLACEMENT_STICKY_PERCENT of its places, so who reconnects
 * comes back to it unless others are clearly emptier. Who is not open, or full, is not among them.
 */
#ifndef MARCH_MATCHMAKER_PLACEMENT_H
#define MARCH_MATCHMAKER_PLACEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"

#define PLACEMENT_MAX            4 /* gateways in one token: the others are for where the first does not answer */
#define PLACEMENT_STICKY_PERCENT 10

struct placement_gateway {
    bool is_open;
    bool was_last;    /* the player was there before */
    uint32_t players; /* that it has, or that are on their way to it */
    uint32_t places;
    const char *region;
};

/* placement_choose writes indices of gateways and returns how many; `region` may be NULL. Of equals the first stands first.
 */
uint32_t placement_choose(const struct placement_gateway *gateways, uint32_t count, const char *region,
                          uint32_t chosen[PLACEMENT_MAX]);

#endif
