/* metrics.h: a registry of counters, gauges and histograms, and their Prometheus text.
 *
 * Every metric is registered at start, in a registry of fixed capacity; registering too many, a bad name or the same name
 * and labels twice is a bug and aborts. Labels are fixed at registration, so the number of series is bounded.
 *
 * Each metric has one writing thread, its loop. Updating is a plain load, add and store on a line that this thread alone
 * writes; the HTTP thread reads meanwhile. Accesses are atomic so that this is defined, and relaxed because a reader wants a
 * recent value, not an order between values.
 *
 * Names: `march_<process>_<what>_<unit>`, base units (seconds, bytes), counters end in `_total`.
 */
#ifndef MARCH_COMMON_METRICS_H
#define MARCH_COMMON_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/histogram.h"

#define METRICS_CAPACITY_MAX 4096 /* series a registry can be created for */
#define METRICS_LABELS_MAX   128  /* bytes of the labels of a series */

struct metrics;

struct metric_counter {
    _Atomic uint64_t value;
};

struct metric_gauge {
    _Atomic int64_t value;
};

/* What a recorded value is, which decides how it is exposed. */
enum metric_unit {
    METRIC_UNIT_PLAIN = 0, /* as it is, bounds 1 to 65535 */
    METRIC_UNIT_BYTES = 1, /* as it is, bounds 15 to 2^27 - 1 */
    METRIC_UNIT_NS = 2, /* recorded in nanoseconds, exposed in seconds, bounds 1 us to 17 s; the name ends in `_seconds` */
    METRIC_UNIT_COUNT = 3
};

/* metrics_create makes a registry for at most `capacity` series (a histogram is one). `process` goes into the build info.
 * NULL when memory is short. */
struct metrics *metrics_create(size_t capacity, const char *process);

/* metrics_destroy frees the registry and every metric in it; NULL is fine. Stop whoever renders first. */
void metrics_destroy(struct metrics *metrics);

/* metrics_counter registers a counter. `labels` is the text between the braces, as in `reason="replay"`, or NULL; series of
 * one name share type and help (that of the first). The strings are copied; the result lives as long as the registry. */
struct metric_counter *metrics_counter(struct metrics *metrics, const char *name, const char *help, const char *labels);

/* metrics_gauge registers a gauge of whole numbers. */
struct metric_gauge *metrics_gauge(struct metrics *metrics, const char *name, const char *help, const char *labels);

/* metrics_gauge_ns registers a gauge that is set in nanoseconds and exposed in seconds. */
struct metric_gauge *metrics_gauge_ns(struct metrics *metrics, const char *name, const char *help, const char *labels);

/* metrics_histogram registers a histogram; record with histogram_record. */
struct histogram *metrics_histogram(struct metrics *metrics, const char *name, const char *help, const char *labels,
                                    enum metric_unit unit);

/* metrics_render writes the Prometheus text (version 0.0.4) of every series and of the process itself: resident memory, CPU
 * time, start time, open descriptors, build info. Safe from any thread once registration is over. Returns the length,
 * MARCH_ERR_FULL when `size` is too small. */
must_check int metrics_render(const struct metrics *metrics, char *buf, size_t size);

static inline void counter_add(struct metric_counter *counter, uint64_t count) {
    histogram_add(&counter->value, count);
}

static inline void counter_inc(struct metric_counter *counter) {
    histogram_add(&counter->value, 1);
}

/* counter_set mirrors a count that is kept elsewhere; it must never go back. */
static inline void counter_set(struct metric_counter *counter, uint64_t value) {
    atomic_store_explicit(&counter->value, value, memory_order_relaxed);
}

static inline uint64_t counter_value(const struct metric_counter *counter) {
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

static inline void gauge_set(struct metric_gauge *gauge, int64_t value) {
    atomic_store_explicit(&gauge->value, value, memory_order_relaxed);
}

static inline void gauge_add(struct metric_gauge *gauge, int64_t delta) {
    gauge_set(gauge, atomic_load_explicit(&gauge->value, memory_order_relaxed) + delta);
}

static inline int64_t gauge_value(const struct metric_gauge *gauge) {
    return atomic_load_explicit(&gauge->value, memory_order_relaxed);
}

#endif
