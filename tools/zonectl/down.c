/* down.c: zonectl down. Asks the supervisor to end and waits until it is gone; its processes go with it. */
#include <argp.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "tools/zonectl/process.h"
#include "tools/zonectl/run_dir.h"
#include "tools/zonectl/verb.h"

#define DOWN_SPARE_S 20 /* for the supervisor itself */

static error_t parse(int key, char *arg, struct argp_state *state) {
    const char **run_dir = state->input;
    if (key != 'r') return ARGP_ERR_UNKNOWN;
    *run_dir = arg;
    return 0;
}

static const struct argp_option OPTIONS[] = {
    {"run-dir", 'r', "DIR", 0, "Run directory of the cluster [" RUN_DIR_DEFAULT "]", 0},
    {0},
};
static const struct argp ARGP = {
    OPTIONS, parse, NULL, "Ends the cluster that runs in a run directory, in order, and waits for it.\v" VERB_EXIT_CODES,
    NULL,    NULL,  NULL};

/* open_supervisor returns a descriptor of the process that holds the lock, which is still that process after it was opened.
 */
static int open_supervisor(const char *run_dir, pid_t *pid) {
    pid_t again;
    int pidfd;
    if (run_dir_supervisor(run_dir, pid) != 0) return -1;
    pidfd = pidfd_open(*pid, 0);
    if (pidfd >= 0 && (run_dir_supervisor(run_dir, &again) != 0 || again != *pid)) {
        close(pidfd);
        return -1;
    }
    return pidfd;
}

/* down_wait_s returns how long a supervisor may take: each role is asked, and then killed. */
static int down_wait_s(void) {
    unsigned wait_s = DOWN_SPARE_S;
    for (enum role role = 0; role < ROLE_COUNT; role++) wait_s += 2 * role_stop_s(role);
    return (int)wait_s;
}

int verb_down(int argc, char **argv) {
    const char *run_dir = RUN_DIR_DEFAULT;
    argp_parse(&ARGP, argc, argv, 0, NULL, &run_dir);
    pid_t pid;
    int pidfd = open_supervisor(run_dir, &pid);
    if (pidfd < 0) {
        fprintf(stderr, "zonectl: no cluster runs in %s\n", run_dir);
        return EXIT_CODE_NO_CLUSTER;
    }
    int code = EXIT_CODE_OK;
    struct pollfd wait = {.fd = pidfd, .events = POLLIN};
    if (pidfd_send_signal(pidfd, SIGTERM, NULL, 0) != 0 && errno != ESRCH) {
        fprintf(stderr, "zonectl: cannot signal the supervisor (pid %d): %s\n", (int)pid, strerror(errno));
        code = EXIT_CODE_FAILED;
    } else if (poll(&wait, 1, down_wait_s() * 1000) <= 0) {
        fprintf(stderr, "zonectl: the supervisor (pid %d) did not end within %d s\n", (int)pid, down_wait_s());
        code = EXIT_CODE_FAILED;
    }
    close(pidfd);
    return code;
}
