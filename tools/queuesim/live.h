/* live.h: a day in the matchmaker's own queue. */
#ifndef MARCH_TOOLS_QUEUESIM_LIVE_H
#define MARCH_TOOLS_QUEUESIM_LIVE_H

#include "common/error.h"
#include "tools/queuesim/day.h"
#include "tools/queuesim/outcome.h"

/* live_run plays the day in virtual time: tickets enter at theirs, the queue steps every LIVE_STEP_MS. The mode asks nobody
 * whether they are ready. MARCH_ERR_SYSTEM when memory is short; another error is the queue's, for a ticket that it should
 * have taken. */
#define LIVE_STEP_MS 50
must_check int live_run(const struct day *day, struct outcome *outcome);

#endif
