/* metric_table.c: see metric_table.h. */
#include "common/metric_table.h"

#include <string.h>

void metric_table_register(struct metrics *metrics, const struct metric_row *rows, size_t count,
                           union metric_series *series) {
    for (size_t i = 0; i < count; i++) {
        const struct metric_row *row = &rows[i];
        if (row->kind == METRIC_COUNTER) {
            series[i].counter = metrics_counter(metrics, row->name, row->help, row->labels);
        } else {
            series[i].gauge = metrics_gauge(metrics, row->name, row->help, row->labels);
        }
    }
}

static uint64_t value_of(const struct metric_row *row, const void *counts) {
    uint64_t value = 0; /* little endian, as the wire's structs demand anyway */
    memcpy(&value, (const char *)counts + row->offset, row->size);
    return value;
}

void metric_table_mirror(const struct metric_row *rows, size_t count, const void *counts,
                         const union metric_series *series) {
    for (size_t i = 0; i < count; i++) {
        uint64_t value = value_of(&rows[i], counts);
        if (rows[i].kind == METRIC_COUNTER) {
            counter_set(series[i].counter, value);
        } else {
            gauge_set(series[i].gauge, (int64_t)value);
        }
    }
}
