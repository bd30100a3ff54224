/* histogram.c: see histogram.h. Reading; all loads are relaxed for the reason given there. */
#include "common/histogram.h"

#include "common/check.h"

static uint64_t load(const _Atomic uint64_t *field) {
    return atomic_load_explicit(field, memory_order_relaxed);
}

void histogram_reset(struct histogram *h) {
    atomic_store_explicit(&h->sum, 0, memory_order_relaxed);
    atomic_store_explicit(&h->max, 0, memory_order_relaxed);
    for (size_t i = 0; i < HISTOGRAM_BUCKET_COUNT; i++) atomic_store_explicit(&h->buckets[i], 0, memory_order_relaxed);
}

uint64_t histogram_bucket_max(size_t index) {
    CHECK(index < HISTOGRAM_BUCKET_COUNT);
    if (index < 2 * HISTOGRAM_SUB_COUNT) return index;
    size_t shift = index / HISTOGRAM_SUB_COUNT - 1;
    uint64_t lead = HISTOGRAM_SUB_COUNT + index % HISTOGRAM_SUB_COUNT; /* top bit and the four below it */
    return (lead << shift) + ((1ULL << shift) - 1);
}

uint64_t histogram_count(const struct histogram *h) {
    uint64_t count = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKET_COUNT; i++) count += load(&h->buckets[i]);
    return count;
}

uint64_t histogram_quantile(const struct histogram *h, double q) {
    CHECK(q >= 0.0 && q <= 1.0);
    uint64_t count = histogram_count(h);
    if (count == 0) return 0;
    double wanted = q * (double)count;
    uint64_t rank = (uint64_t)wanted;
    if ((double)rank < wanted || rank == 0) rank++;
    uint64_t max = load(&h->max);
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKET_COUNT; i++) {
        seen += load(&h->buckets[i]);
        if (seen < rank) continue;
        uint64_t top = histogram_bucket_max(i);
        return top < max ? top : max;
    }
    return max;
}

uint64_t histogram_max(const struct histogram *h) {
    return load(&h->max);
}

uint64_t histogram_sum(const struct histogram *h) {
    return load(&h->sum);
}
