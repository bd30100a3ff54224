/* report.h: what a gateway tells of itself: metrics, and /status as JSON.
 *
 * The loop records phases and mirrors its counters every REPORT_MS; the HTTP thread reads atomics.
 */
#ifndef MARCH_GATEWAY_REPORT_H
#define MARCH_GATEWAY_REPORT_H

#include <stddef.h>

#include "common/metrics.h"
#include "gateway/gateway.h"

#define REPORT_MS 250

struct report;

/* report_create registers the metrics of a gateway of that name and has its phases recorded. Neither name nor gateway may go
 * before the report. NULL when there is no memory. */
struct report *report_create(const char *name, struct gateway *gateway);
void report_destroy(struct report *report);

const struct metrics *report_metrics(const struct report *report);

/* report_mirror copies the gateway's counters into the metrics; called by the loop. */
void report_mirror(struct report *report);

/* report_status is an http_render: the gateway in JSON. The context is the report. */
int report_status(void *context, char *buf, size_t size);

#endif
