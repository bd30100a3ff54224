/* process.h: one supervised process: how it is started, its log, its life, what it says of itself.
 *
 * It is killed by the kernel when its supervisor dies, however that happens, and runs in a process group of its own, so that
 * Ctrl-C reaches the supervisor alone.
 */
#ifndef MARCH_ZONECTL_PROCESS_H
#define MARCH_ZONECTL_PROCESS_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "common/config.h"
#include "common/error.h"
#include "tools/zonectl/child_log.h"
#include "tools/zonectl/figures.h"
#include "tools/zonectl/lifecycle.h"
#include "tools/zonectl/ping.h"

#define PROCESS_ARGS_MAX 16

/* In the order in which a cluster ends: who talks to clients before who simulates, and who keeps what lasts in the end. A
 * role is started when those after it are ready; matchmaker, zones and gateways at once. */
enum role {
    ROLE_BOTS = 0,
    ROLE_GATEWAY = 1,
    ROLE_MATCHMAKER = 2, /* before zones, whose ends would be deaths to it */
    ROLE_ZONE = 3,
    ROLE_PERSIST = 4,
    ROLE_REDIS = 5,
    ROLE_POSTGRES = 6,
    ROLE_COUNT
};

struct process {
    char name[CONFIG_NAME_SIZE];
    enum role role;
    struct lifecycle life;
    bool is_asked;       /* by an operator to end, or to begin anew */
    struct mono kill_at; /* then: when it had long enough */
    struct child_log log;
    pid_t pid;
    int pidfd;                      /* -1 when none runs */
    char http[CONFIG_ADDRESS_SIZE]; /* of the present run; empty until it is known */
    bool asked;                     /* requests of the present run are under way */
    struct ping ping;               /* of a database server, instead of HTTP */
    char program[PATH_MAX];
    char *args[PROCESS_ARGS_MAX + 1]; /* the strings are the caller's */
    struct figures figures;
    struct figures_past past;
};

/* How a process ended: `signal` is 0 when it left by itself with `code`. */
struct process_end {
    int code;
    int signal;
    pid_t pid;
};

/* process_start runs program with args; the lifecycle must be due. MARCH_ERR_SYSTEM with errno when there was no fork; the
 * lifecycle then counts a start and a death. */
must_check int process_start(struct process *p, struct mono now, uint32_t deaths_max);

/* process_signal sends a signal; does nothing when it does not run. */
void process_signal(struct process *p, int signal);

/* process_reap takes the end of the process, with the last of its log; false when it still runs. */
bool process_reap(struct process *p, struct process_end *end);

const char *role_text(enum role role);

/* role_is_store tells whether it is a database server. */
bool role_is_store(enum role role);

/* role_stop_signal returns what asks such a process to end: PostgreSQL's fast shutdown is SIGINT. */
int role_stop_signal(enum role role);

/* role_stop_s returns how long it may take to end: PostgreSQL writes a checkpoint. */
unsigned role_stop_s(enum role role);

/* role_parse returns ROLE_COUNT for no role. */
enum role role_parse(const char *text);

#endif
