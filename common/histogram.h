/* histogram.h: a log-linear histogram of unsigned 64-bit values.
 *
 * Each power of two is cut into 16 equal buckets, so a value is known to within 1/16 (6.25 %) of itself; values below 32 are
 * exact. 976 buckets (8 KB) cover all of uint64, so nothing overflows and nothing allocates. It follows the idea of HDR
 * histograms.
 *
 * One thread records; any thread may read meanwhile. Fields are atomics so that this is defined, and every access is
 * relaxed: a reader wants recent counts, not an order between them. Recording is thus plain loads, adds and stores.
 */
#ifndef MARCH_COMMON_HISTOGRAM_H
#define MARCH_COMMON_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_SUB_BITS     4
#define HISTOGRAM_SUB_COUNT    (1u << HISTOGRAM_SUB_BITS)
#define HISTOGRAM_BUCKET_COUNT ((64u - HISTOGRAM_SUB_BITS + 1u) * HISTOGRAM_SUB_COUNT)

struct histogram {
    _Atomic uint64_t sum; /* of all values; wraps, after 584 years where they are nanoseconds of time spent */
    _Atomic uint64_t max;
    _Atomic uint64_t buckets[HISTOGRAM_BUCKET_COUNT];
};

/* histogram_add adds `value` to a field that one thread writes. */
static inline void histogram_add(_Atomic uint64_t *field, uint64_t value) {
    atomic_store_explicit(field, atomic_load_explicit(field, memory_order_relaxed) + value, memory_order_relaxed);
}

/* histogram_index returns the bucket of a value. Values below 16 have a bucket each; above, the top bit picks the row and
 * the four bits below it the bucket in the row. */
static inline size_t histogram_index(uint64_t value) {
    if (value < HISTOGRAM_SUB_COUNT) return (size_t)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
    return (size_t)(shift * HISTOGRAM_SUB_COUNT + (value >> shift));
}

/* histogram_record counts one value. */
static inline void histogram_record(struct histogram *h, uint64_t value) {
    histogram_add(&h->buckets[histogram_index(value)], 1);
    histogram_add(&h->sum, value);
    if (value > atomic_load_explicit(&h->max, memory_order_relaxed))
        atomic_store_explicit(&h->max, value, memory_order_relaxed);
}

/* histogram_reset forgets everything; a zeroed histogram is a reset one. Called by the recording thread. */
void histogram_reset(struct histogram *h);

/* histogram_bucket_max returns the greatest value that falls in bucket `index`. */
uint64_t histogram_bucket_max(size_t index);

/* histogram_count returns the number of values recorded. */
uint64_t histogram_count(const struct histogram *h);

/* histogram_quantile returns a value that at least the share `q` (0 to 1) of the values do not pass: the top of its bucket,
 * or the maximum where that is less. 0 when empty. */
uint64_t histogram_quantile(const struct histogram *h, double q);

uint64_t histogram_max(const struct histogram *h);
uint64_t histogram_sum(const struct histogram *h);

#endif
