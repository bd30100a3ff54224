/* twin.h: a day by a naive matcher, which knows all who wait and looks at each of them at each attempt: O(N^2).
 *
 * What a clever queue is measured against. It keeps the same rules (windows, latency, roles, balance, time-out; an attempt
 * when a ticket comes, and after each window_every_ms), shares no code with the queue, and always takes the nearest in
 * rating of all who may be taken.
 */
#ifndef MARCH_TOOLS_QUEUESIM_TWIN_H
#define MARCH_TOOLS_QUEUESIM_TWIN_H

#include "common/error.h"
#include "tools/queuesim/day.h"
#include "tools/queuesim/outcome.h"

/* twin_run plays the day with the mode's windows times `scale`. MARCH_ERR_SYSTEM when memory is short. */
must_check int twin_run(const struct day *day, double scale, struct outcome *outcome);

/* twin_run_at_wait finds the scale at which the mean wait of all that ended is `wait_s`, and plays that day: the last
 * `*summary` and `*scale`. Between 1/16 and 16 there may be none that near: who reads it compares the waits. */
must_check int twin_run_at_wait(const struct day *day, double wait_s, double *scale, struct outcome_summary *summary);

#endif
