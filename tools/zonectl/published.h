/* published.h: reads what the supervisor keeps in RUN/cluster.json, for verbs that ask about a running cluster. */
#ifndef MARCH_ZONECTL_PUBLISHED_H
#define MARCH_ZONECTL_PUBLISHED_H

#include "tools/zonectl/cluster_status.h"
#include "tools/zonectl/run_dir.h"

/* published_read fills `status`, without figures. Returns an exit code (verb.h): EXIT_CODE_OK, EXIT_CODE_NO_CLUSTER or
 * EXIT_CODE_FAILED with a line in `error`. A supervisor that has just started is waited for a moment. */
int published_read(struct cluster_status *status, const char *run_dir, char error[RUN_DIR_ERROR_SIZE]);

/* published_find returns a process by its name, NULL when there is none. */
const struct process_status *published_find(const struct cluster_status *status, const char *name);

#endif
