/* view.h: what the supervisor shows and tells while it runs.
 *
 * Events are lines that stay. On a terminal a table of the processes stands below them and is redrawn in place; elsewhere a
 * one-line summary comes every VIEW_SUMMARY_S seconds. Events also go to RUN/log/zonectl.log, bounded like the processes'
 * logs.
 */
#ifndef MARCH_ZONECTL_VIEW_H
#define MARCH_ZONECTL_VIEW_H

#include <stdbool.h>

#include "common/clock.h"
#include "tools/zonectl/child_log.h"
#include "tools/zonectl/cluster_status.h"

#define VIEW_SUMMARY_S 10

struct view {
    struct child_log log;
    bool terminal;
    bool quiet;     /* nothing but the log: detached */
    unsigned lines; /* of the table that stands on the terminal */
    struct mono next_summary;
};

/* view_open opens the log. MARCH_ERR_SYSTEM with errno. */
must_check int view_open(struct view *v, const char *log_path, bool quiet);

void view_close(struct view *v);

/* view_say tells an event. */
void view_say(struct view *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* view_show redraws the table or, when it is time, writes the summary. */
void view_show(struct view *v, const struct cluster_status *status, struct mono now);

#endif
