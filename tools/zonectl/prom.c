/* prom.c: see prom.h. A line is `name value` or `name{labels} value`. */
#include "tools/zonectl/prom.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One series: its labels (not terminated) and its value. */
struct series {
    const char *labels;
    size_t labels_len;
    double value;
};

/* next_series finds the next line of series `name` at or after `*cursor` and moves past it. */
static bool next_series(const char **cursor, const char *name, struct series *out) {
    size_t name_len = strlen(name);
    for (const char *line = *cursor; *line != '\0';) {
        const char *end = strchrnul(line, '\n');
        const char *rest = line + name_len;
        bool match = strncmp(line, name, name_len) == 0 && (*rest == ' ' || *rest == '{');
        line = *end == '\0' ? end : end + 1;
        if (!match) continue;
        *out = (struct series){.labels = rest};
        if (*rest == '{') {
            const char *close = memrchr(rest, '}', (size_t)(end - rest));
            if (close == NULL) continue;
            out->labels = rest + 1;
            out->labels_len = (size_t)(close - rest - 1);
            rest = close + 1;
        }
        char *parsed;
        out->value = strtod(rest, &parsed);
        if (parsed == rest || parsed > end) continue;
        *cursor = line;
        return true;
    }
    return false;
}

double prom_sum(const char *text, const char *name, const char *label) {
    double sum = NAN;
    struct series series;
    while (next_series(&text, name, &series)) {
        if (label != NULL && memmem(series.labels, series.labels_len, label, strlen(label)) == NULL) continue;
        sum = isnan(sum) ? series.value : sum + series.value;
    }
    return sum;
}

void prom_histogram_read(struct prom_histogram *out, const char *text, const char *name) {
    out->count = 0;
    char bucket[128];
    if (snprintf(bucket, sizeof(bucket), "%s_bucket", name) >= (int)sizeof(bucket)) return;
    struct series series;
    while (out->count < PROM_BUCKETS_MAX && next_series(&text, bucket, &series)) {
        static const char key[] = "le=\"";
        const char *le = memmem(series.labels, series.labels_len, key, sizeof(key) - 1);
        if (le == NULL) continue;
        double bound = strtod(le + sizeof(key) - 1, NULL);
        if (out->count > 0 && bound <= out->bounds[out->count - 1]) return; /* the next series begins */
        out->bounds[out->count] = bound;
        out->counts[out->count++] = series.value;
    }
}

/* count_up_to returns how many are at most `bound`: buckets that are left out at the front are empty. */
static double count_up_to(const struct prom_histogram *h, double bound) {
    double count = 0;
    for (uint32_t i = 0; i < h->count && h->bounds[i] <= bound; i++) count = h->counts[i];
    return count;
}

void prom_histogram_since(struct prom_histogram *histogram, const struct prom_histogram *before) {
    if (count_up_to(before, INFINITY) > count_up_to(histogram, INFINITY)) return;
    for (uint32_t i = 0; i < histogram->count; i++) histogram->counts[i] -= count_up_to(before, histogram->bounds[i]);
}

void prom_histogram_add(struct prom_histogram *sum, const struct prom_histogram *more) {
    struct prom_histogram a = *sum;
    sum->count = 0;
    for (uint32_t i = 0, k = 0; (i < a.count || k < more->count) && sum->count < PROM_BUCKETS_MAX;) {
        double left = i < a.count ? a.bounds[i] : INFINITY, right = k < more->count ? more->bounds[k] : INFINITY;
        double bound = left < right ? left : right;
        i += i < a.count && a.bounds[i] <= bound;
        k += k < more->count && more->bounds[k] <= bound;
        sum->bounds[sum->count] = bound;
        sum->counts[sum->count++] = count_up_to(&a, bound) + count_up_to(more, bound);
    }
}

/* since returns what bucket `i` counted since `before`, whose buckets are the same unless the process was replaced. */
static double since(const struct prom_histogram *now, const struct prom_histogram *before, uint32_t i) {
    return before == NULL || before->count != now->count ? now->counts[i] : now->counts[i] - before->counts[i];
}

double prom_histogram_quantile(const struct prom_histogram *now, const struct prom_histogram *before, double q) {
    if (now->count == 0) return NAN;
    double total = since(now, before, now->count - 1);
    if (!(total > 0)) return NAN;
    double rank = q * total;
    uint32_t i = 0;
    while (i + 1 < now->count && since(now, before, i) < rank) i++;
    double low = i == 0 ? 0 : now->bounds[i - 1];
    if (isinf(now->bounds[i])) return low;
    double below = i == 0 ? 0 : since(now, before, i - 1);
    double inside = since(now, before, i) - below;
    return inside > 0 ? low + (now->bounds[i] - low) * (rank - below) / inside : now->bounds[i];
}
