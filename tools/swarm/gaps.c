/* gaps.c: see gaps.h. */
#include "tools/swarm/gaps.h"

#include <math.h>
#include <string.h>

void gaps_reset(struct gaps *gaps) {
    memset(gaps, 0, sizeof(*gaps));
}

void gaps_record(struct gaps *gaps, uint64_t ns) {
    uint64_t bucket = ns / GAPS_BUCKET_NS;
    gaps->buckets[bucket < GAPS_BUCKETS ? bucket : GAPS_BUCKETS]++;
    gaps->count++;
    if (ns > gaps->max_ns) gaps->max_ns = ns;
}

uint64_t gaps_quantile(const struct gaps *gaps, double q) {
    uint64_t wanted = (uint64_t)ceil(q * (double)gaps->count);
    uint64_t passed = 0;
    for (uint32_t i = 0; i < GAPS_BUCKETS; i++) {
        passed += gaps->buckets[i];
        uint64_t top_ns = (uint64_t)(i + 1) * GAPS_BUCKET_NS;
        if (passed >= wanted && passed > 0) return top_ns < gaps->max_ns ? top_ns : gaps->max_ns;
    }
    return gaps->max_ns;
}
