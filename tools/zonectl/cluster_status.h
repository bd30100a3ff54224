/* cluster_status.h: what is known of a cluster at a moment, and how it is told: as a table, as JSON.
 *
 * The supervisor keeps RUN/cluster.json up to date with what only it knows (which processes, their pids, states, restarts),
 * replacing the file whole at each change. `zonectl status` reads it and asks the processes for the rest.
 */
#ifndef MARCH_ZONECTL_CLUSTER_STATUS_H
#define MARCH_ZONECTL_CLUSTER_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <jansson.h>

#include "common/config.h"
#include "common/error.h"
#include "tools/zonectl/figures.h"
#include "tools/zonectl/process.h"

#define CLUSTER_PROCESSES_MAX                                                                                               \
    (CONFIG_GATEWAYS_MAX + CONFIG_ZONES_MAX + CONFIG_PERSISTS_MAX + 4) /* bots, matchmaker, postgres, redis                 \
                                                                        */

struct process_status {
    char name[CONFIG_NAME_SIZE];
    enum role role;
    enum lifecycle_state state;
    pid_t pid; /* 0 when it does not run */
    uint32_t restarts;
    uint64_t started_ms; /* Unix time; 0 when it does not run */
    bool ready;
    struct figures figures;
};

struct cluster_status {
    char cluster[CONFIG_NAME_SIZE];
    pid_t supervisor;
    uint32_t count;
    struct process_status processes[CLUSTER_PROCESSES_MAX];
};

/* cluster_status_ready tells whether every process is, those apart that an operator has stopped. */
bool cluster_status_ready(const struct cluster_status *status);

/* cluster_status_json returns a new object; NULL when memory is short. Figures that are not known are left out. */
json_t *cluster_status_json(const struct cluster_status *status, uint64_t now_ms);

/* cluster_status_parse reads what cluster_status_json gave, without the figures. MARCH_ERR_INVALID when it is anything else.
 */
must_check int cluster_status_parse(struct cluster_status *out, const json_t *json);

/* cluster_status_print writes a table; returns its lines. */
unsigned cluster_status_print(const struct cluster_status *status, FILE *out, uint64_t now_ms);

/* cluster_status_print_short writes one line. */
void cluster_status_print_short(const struct cluster_status *status, FILE *out);

#endif
