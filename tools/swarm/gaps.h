/* gaps.h: how long the times between snapshots were, exact to a quarter of a millisecond.
 *
 * The targets are of single milliseconds, so this is a linear table: GAPS_BUCKETS of GAPS_BUCKET_NS each, and one for what
 * is longer, of which the longest is known. 16 KB whatever is recorded. Fails never.
 */
#ifndef MARCH_SWARM_GAPS_H
#define MARCH_SWARM_GAPS_H

#include <stdint.h>

#define GAPS_BUCKETS   4000 /* 1 s */
#define GAPS_BUCKET_NS 250000

struct gaps {
    uint64_t count;
    uint64_t max_ns;
    uint32_t buckets[GAPS_BUCKETS + 1];
};

void gaps_reset(struct gaps *gaps);
void gaps_record(struct gaps *gaps, uint64_t ns);

/* gaps_quantile returns a time in ns that at least the share `q` (0 to 1) of the gaps do not pass; 0 when there are none. */
uint64_t gaps_quantile(const struct gaps *gaps, double q);

#endif
