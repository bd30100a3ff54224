/* supervisor.h: runs the processes of one cluster and ends with them.
 *
 *     starting ──all ready──► running ──signal──► stopping ──all gone──► over
 *         └──────a process does not come up───────────▲
 *
 * Database servers start first, then persists, then matchmaker, zones and gateways. While starting,
 * SUPERVISOR_START_DEATHS_MAX quick deaths of one process or SUPERVISOR_START_S in which none becomes ready end the whole
 * cluster, with the reason. Later a process that dies is restarted (lifecycle.h); one that is given up after
 * SUPERVISOR_DEATHS_MAX quick deaths is said, and the others live on. Bots start when the servers are ready.
 *
 * While it runs, operators may have a process stopped, started and restarted (control.h).
 *
 * SIGINT, SIGTERM and SIGHUP end the cluster in the order of `enum role`, each at most role_stop_s, then SIGKILL.
 * A second signal kills at once. One thread, one loop, nothing in it waits but the wait.
 */
#ifndef MARCH_ZONECTL_SUPERVISOR_H
#define MARCH_ZONECTL_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/error.h"

#define SUPERVISOR_DEATHS_MAX       10
#define SUPERVISOR_START_DEATHS_MAX 3
#define SUPERVISOR_START_S          30
#define SUPERVISOR_PROBE_MS         1000 /* between two questions to a process */
#define SUPERVISOR_PROBE_START_MS   50   /* the same while not everything is ready */
#define SUPERVISOR_DEADLINE_MS      2000 /* for an answer */

struct supervisor_options {
    const char *bin_dir; /* where gateway, zone and swarm are */
    const char *run_dir; /* prepared and locked */
    const char *config_path;
    const struct config *config;
    const char *log_level; /* of zones and gateways; NULL: theirs */
    uint32_t bots;
    bool private_postgres, private_redis; /* run such a server */
    bool new_journal;                     /* persists may go on without the journal that they had */
    bool quiet;                           /* detached: no view */
    int ready_fd; /* closed when everything is ready; gets a line with the reason when it won't be; -1: none */
};

/* supervisor_run returns when the cluster has ended: 0 when it was asked to, MARCH_ERR_SYSTEM when it did not come up. */
must_check int supervisor_run(const struct supervisor_options *options);

#endif
