/* gauges.h: what a persist tells of itself: metrics, and /status as JSON.
 *
 * The loop mirrors the modules' counts into the metrics a few times a second; the HTTP thread reads atomics alone. The
 * journal's fill has an alarm, logged and a metric, long before the journal is full: past GAUGES_ALARM_FILL, or when the
 * disk has no room for the segment after the current one.
 */
#ifndef MARCH_PERSIST_GAUGES_H
#define MARCH_PERSIST_GAUGES_H

#include <stddef.h>

#include "common/metrics.h"

#define GAUGES_ALARM_FILL 0.5 /* of journal_bytes_max */

enum gauges_histogram {
    GAUGES_COMMIT = 0,   /* of the journal */
    GAUGES_FLUSH = 1,    /* of motion */
    GAUGES_POSTGRES = 2, /* jobs of the pool that writes */
    GAUGES_REDIS = 3,
    GAUGES_HISTOGRAM_COUNT = 4
};

struct service;
struct gauges;

/* gauges_create registers every metric; the service outlives it. NULL when there is no memory. */
struct gauges *gauges_create(struct service *service);
void gauges_destroy(struct gauges *gauges);

const struct metrics *gauges_metrics(const struct gauges *gauges);

/* gauges_histogram is one for a module to record into. */
struct histogram *gauges_histogram(const struct gauges *gauges, enum gauges_histogram which);

/* gauges_mirror copies all counts; on the loop's thread, once everything is open. */
void gauges_mirror(struct gauges *gauges);

/* gauges_status is an http_render; the context is the gauges. */
int gauges_status(void *context, char *buf, size_t size);

#endif
