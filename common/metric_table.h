/* metric_table.h: metrics as a table: each row is a series and where in a struct of counts its value lies. The loop fills
 * the struct when it has time and mirrors it; the metrics are atomic, for the HTTP thread. See metrics.h.
 */
#ifndef MARCH_COMMON_METRIC_TABLE_H
#define MARCH_COMMON_METRIC_TABLE_H

#include <stddef.h>

#include "common/metrics.h"

enum metric_kind { METRIC_COUNTER = 0, METRIC_GAUGE = 1, METRIC_KIND_COUNT = 2 };

/* The value is an unsigned integer or bool of `size` bytes, at most 8, at `offset`: METRIC_AT(struct, field) says both. */
struct metric_row {
    enum metric_kind kind;
    const char *name, *labels, *help;
    size_t offset, size;
};

#define METRIC_AT(type, field) offsetof(type, field), sizeof(((type *)0)->field)

/* A row's series, by its kind. */
union metric_series {
    struct metric_counter *counter;
    struct metric_gauge *gauge;
};

/* metric_table_register registers the series of `count` rows and writes them to `series`. */
void metric_table_register(struct metrics *metrics, const struct metric_row *rows, size_t count,
                           union metric_series *series);

/* metric_table_mirror sets each series to what stands in `counts`, the struct that the rows are of. */
void metric_table_mirror(const struct metric_row *rows, size_t count, const void *counts, const union metric_series *series);

#endif
