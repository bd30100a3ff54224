/* metrics.c: see metrics.h.
 *
 * Series are kept in the order of registration; those of one name are chained, because the text must list a name's series
 * together under one HELP and TYPE. Values of counters and gauges stand apart from the descriptions, packed, so that the
 * lines a loop writes hold nothing else.
 */
#include "common/metrics.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/text.h"
#include "common/version.h"

#define NAME_BYTES       96
#define HELP_BYTES       160
#define CACHE_LINE_BYTES 64
#define SERIES_NONE      SIZE_MAX

enum metric_type { METRIC_COUNTER = 0, METRIC_GAUGE = 1, METRIC_HISTOGRAM = 2, METRIC_TYPE_COUNT = 3 };

struct series {
    char name[NAME_BYTES];
    char help[HELP_BYTES];
    char labels[METRICS_LABELS_MAX];
    enum metric_type type;
    enum metric_unit unit;
    bool first;  /* of its name */
    size_t next; /* of the same name, or SERIES_NONE */
    void *value; /* struct metric_counter, metric_gauge or histogram */
};

struct metrics {
    char process[32];
    double start_s; /* since the Unix epoch */
    size_t capacity;
    size_t count;
    struct series *series;
    union {
        struct metric_counter counter;
        struct metric_gauge gauge;
    } * values; /* one for each series, on lines of their own */
};

/* The `le` bounds of a histogram are the tops of its rows and, where `halves` is set, of half rows, so that cumulative
 * counts are exact: 2^k - 1 and 1.5 x 2^k - 1. */
struct bounds {
    unsigned first_bit, last_bit;
    bool halves;
    double scale;
};

static const struct bounds BOUNDS[METRIC_UNIT_COUNT] = {
    [METRIC_UNIT_PLAIN] = {1, 16, false, 1.0},
    [METRIC_UNIT_BYTES] = {4, 27, false, 1.0},
    [METRIC_UNIT_NS] = {10, 34, true, 1e-9},
};

static const char *const TYPE_NAMES[METRIC_TYPE_COUNT] = {"counter", "gauge", "histogram"};

struct metrics *metrics_create(size_t capacity, const char *process) {
    CHECK(capacity > 0 && capacity <= METRICS_CAPACITY_MAX);
    struct metrics *metrics = calloc(1, sizeof *metrics);
    if (!metrics) return NULL;
    size_t values_bytes = (capacity * sizeof *metrics->values + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
    metrics->series = calloc(capacity, sizeof *metrics->series);
    metrics->values = aligned_alloc(CACHE_LINE_BYTES, values_bytes);
    if (!metrics->series || !metrics->values) {
        metrics_destroy(metrics);
        return NULL;
    }
    memset((void *)metrics->values, 0, values_bytes);
    metrics->capacity = capacity;
    metrics->start_s = (double)wall_now_ns() * 1e-9; /* the registry is made first thing, so that is near enough */
    snprintf(metrics->process, sizeof metrics->process, "%s", process);
    return metrics;
}

void metrics_destroy(struct metrics *metrics) {
    if (!metrics) return;
    for (size_t i = 0; i < metrics->count; i++)
        if (metrics->series[i].type == METRIC_HISTOGRAM) free(metrics->series[i].value);
    free(metrics->series);
    free((void *)metrics->values);
    free(metrics);
}

static bool name_ends_with(const char *name, const char *ending) {
    size_t len = strlen(name);
    size_t ending_len = strlen(ending);
    return len > ending_len && strcmp(name + len - ending_len, ending) == 0;
}

static void check_name(const char *name, enum metric_type type, enum metric_unit unit) {
    CHECK(isalpha((unsigned char)name[0]) && strlen(name) < NAME_BYTES);
    for (const char *c = name; *c; c++) CHECK(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_');
    CHECK((type == METRIC_COUNTER) == name_ends_with(name, "_total"));
    CHECK(unit != METRIC_UNIT_NS || name_ends_with(name, "_seconds"));
}

/* series_link chains a new series to the last one of its name, and tells whether it is the first. */
static bool series_link(struct metrics *metrics, size_t index) {
    struct series *added = &metrics->series[index];
    struct series *last = NULL;
    for (size_t i = 0; i < index; i++) {
        struct series *other = &metrics->series[i];
        if (strcmp(other->name, added->name) != 0) continue;
        CHECK(other->type == added->type && other->unit == added->unit);
        CHECK(strcmp(other->labels, added->labels) != 0);
        last = other;
    }
    if (last) last->next = index;
    return last == NULL;
}

static struct series *series_register(struct metrics *metrics, const char *name, const char *help, const char *labels,
                                      enum metric_type type, enum metric_unit unit) {
    CHECK(metrics->count < metrics->capacity);
    check_name(name, type, unit);
    CHECK(strlen(help) < HELP_BYTES && !strpbrk(help, "\n\\"));
    if (!labels) labels = "";
    CHECK(strlen(labels) < METRICS_LABELS_MAX && !strchr(labels, '\n'));
    struct series *series = &metrics->series[metrics->count];
    snprintf(series->name, sizeof series->name, "%s", name);
    snprintf(series->help, sizeof series->help, "%s", help);
    snprintf(series->labels, sizeof series->labels, "%s", labels);
    series->type = type;
    series->unit = unit;
    series->next = SERIES_NONE;
    series->first = series_link(metrics, metrics->count);
    series->value = (void *)&metrics->values[metrics->count];
    metrics->count++;
    return series;
}

struct metric_counter *metrics_counter(struct metrics *metrics, const char *name, const char *help, const char *labels) {
    return series_register(metrics, name, help, labels, METRIC_COUNTER, METRIC_UNIT_PLAIN)->value;
}

struct metric_gauge *metrics_gauge(struct metrics *metrics, const char *name, const char *help, const char *labels) {
    return series_register(metrics, name, help, labels, METRIC_GAUGE, METRIC_UNIT_PLAIN)->value;
}

struct metric_gauge *metrics_gauge_ns(struct metrics *metrics, const char *name, const char *help, const char *labels) {
    return series_register(metrics, name, help, labels, METRIC_GAUGE, METRIC_UNIT_NS)->value;
}

struct histogram *metrics_histogram(struct metrics *metrics, const char *name, const char *help, const char *labels,
                                    enum metric_unit unit) {
    CHECK(unit >= 0 && unit < METRIC_UNIT_COUNT);
    struct histogram *histogram = calloc(1, sizeof *histogram);
    CHECK(histogram != NULL); /* 8 KB at start: there is no going on without */
    struct series *series = series_register(metrics, name, help, labels, METRIC_HISTOGRAM, unit);
    series->value = histogram;
    return histogram;
}

/* --- rendering */

static void render_histogram(struct text *out, const struct series *series) {
    const struct histogram *h = series->value;
    const struct bounds *bounds = &BOUNDS[series->unit];
    const char *comma = series->labels[0] ? "," : "";
    const char *open = series->labels[0] ? "{" : "";
    const char *close = series->labels[0] ? "}" : "";
    uint64_t count = 0;
    size_t next = 0;
    unsigned steps = (bounds->last_bit - bounds->first_bit) * (bounds->halves ? 2 : 1);
    for (unsigned step = 0; step <= steps; step++) {
        unsigned bit = bounds->first_bit + (bounds->halves ? step / 2 : step);
        uint64_t bound = 1ULL << bit;
        if (bounds->halves && step % 2 == 1) bound += bound / 2;
        for (; next < HISTOGRAM_BUCKET_COUNT && histogram_bucket_max(next) < bound; next++)
            count += atomic_load_explicit(&h->buckets[next], memory_order_relaxed);
        text_append(out, "%s_bucket{%s%sle=\"%.10g\"} %" PRIu64 "\n", series->name, series->labels, comma,
                    (double)(bound - 1) * bounds->scale, count);
    }
    for (; next < HISTOGRAM_BUCKET_COUNT; next++) count += atomic_load_explicit(&h->buckets[next], memory_order_relaxed);
    text_append(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", series->name, series->labels, comma, count);
    text_append(out, "%s_sum%s%s%s %.10g\n", series->name, open, series->labels, close,
                (double)histogram_sum(h) * bounds->scale);
    text_append(out, "%s_count%s%s%s %" PRIu64 "\n", series->name, open, series->labels, close, count);
}

static void render_series(struct text *out, const struct series *series) {
    if (series->type == METRIC_HISTOGRAM) {
        render_histogram(out, series);
        return;
    }
    text_append(out, series->labels[0] ? "%s{%s} " : "%s%s ", series->name, series->labels);
    if (series->type == METRIC_COUNTER)
        text_append(out, "%" PRIu64 "\n", counter_value(series->value));
    else if (series->unit == METRIC_UNIT_NS)
        text_append(out, "%.10g\n", (double)gauge_value(series->value) * 1e-9);
    else
        text_append(out, "%" PRId64 "\n", gauge_value(series->value));
}

static void render_heading(struct text *out, const char *name, const char *help, const char *type) {
    text_append(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void render_process_value(struct text *out, const char *name, const char *help, const char *type, double value) {
    render_heading(out, name, help, type);
    text_append(out, "%s %.17g\n", name, value);
}

/* resident_bytes reads the second field of /proc/self/statm; 0 where /proc is missing. */
static double resident_bytes(void) {
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return 0;
    unsigned long pages = 0;
    if (fscanf(file, "%*u %lu", &pages) != 1) pages = 0;
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* open_fds counts the entries of /proc/self/fd, less ".", ".." and the descriptor that reads them. */
static double open_fds(void) {
    DIR *dir = opendir("/proc/self/fd");
    if (!dir) return 0;
    int count = -3;
    while (readdir(dir)) count++;
    closedir(dir);
    return count;
}

static double cpu_seconds(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static void render_process(struct text *out, const struct metrics *metrics) {
    render_process_value(out, "process_resident_memory_bytes", "Resident memory.", "gauge", resident_bytes());
    render_process_value(out, "process_cpu_seconds_total", "User and system CPU time spent.", "counter", cpu_seconds());
    render_process_value(out, "process_start_time_seconds", "Start, in seconds since the Unix epoch.", "gauge",
                         metrics->start_s);
    render_process_value(out, "process_open_fds", "Open file descriptors.", "gauge", open_fds());
    render_heading(out, "march_build_info", "Always 1; what runs stands in the labels.", "gauge");
    text_append(out, "march_build_info{process=\"%s\",version=\"%s\",compiler=\"%s\"} 1\n", metrics->process, MARCH_VERSION,
                __VERSION__);
}

int metrics_render(const struct metrics *metrics, char *buf, size_t size) {
    struct text out;
    text_init(&out, buf, size);
    for (size_t i = 0; i < metrics->count; i++) {
        const struct series *first = &metrics->series[i];
        if (!first->first) continue;
        render_heading(&out, first->name, first->help, TYPE_NAMES[first->type]);
        for (size_t j = i; j != SERIES_NONE; j = metrics->series[j].next) render_series(&out, &metrics->series[j]);
    }
    render_process(&out, metrics);
    return text_finish(&out);
}
