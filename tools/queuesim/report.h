/* report.h: what queuesim tells: a table, JSON, and a plot. */
#ifndef MARCH_TOOLS_QUEUESIM_REPORT_H
#define MARCH_TOOLS_QUEUESIM_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/error.h"
#include "tools/queuesim/outcome.h"

#define REPORT_DAYS_MAX 8

/* A population's day. */
struct report_day {
    struct outcome_summary queue, twin;
    double scale; /* of the twin's windows; 0: it was not run */
};

struct report {
    char mode[MODE_NAME_SIZE];
    uint64_t seed;
    uint32_t day_count;
    struct report_day days[REPORT_DAYS_MAX];
};

/* report_ratio returns how the queue's mean gap compares with the twin's. `*is_equal` tells whether their mean waits, those
 * of tickets that timed out included, are within 2 % of each other, without which it says little. */
double report_ratio(const struct report_day *day, bool *is_equal);

void report_table(const struct report *report, FILE *out);
void report_json(const struct report *report, FILE *out);

/* report_plot lets gnuplot draw an SVG: gaps by wait, a line for each population, and what the populations wait. Returns
 * MARCH_ERR_SYSTEM when it can't be run or fails. */
must_check int report_plot(const struct report *report, const char *path);

#endif
