/* gaps.h: for how long players on their way between two zones were in neither, as the gateways measure it. For verbs. */
#ifndef MARCH_ZONECTL_GAPS_H
#define MARCH_ZONECTL_GAPS_H

#include <stdint.h>

#include "tools/zonectl/world.h"

struct gaps;

/* Players that changed zones, by whatever cause; times in milliseconds, NAN where there were none. */
struct gaps_figures {
    uint64_t players;
    double p50_ms, p99_ms, max_ms; /* as fine as the gateways' histograms: to a third */
};

/* gaps_begin notes what the gateways have measured up to now; NULL when there is no memory. */
struct gaps *gaps_begin(struct world *world);

/* gaps_end returns what they have measured since, and frees. A gateway that does not answer is left out. */
struct gaps_figures gaps_end(struct gaps *gaps, struct world *world);

#endif
