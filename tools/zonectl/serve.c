/* serve.c: zonectl serve, a verb of the supervisor's own: it starts it to become a private database server. Not listed,
 * since it is of no use by hand. */
#include <argp.h>
#include <stdint.h>
#include <stdio.h>

#include "common/log.h"
#include "common/option.h"
#include "tools/zonectl/private_server.h"
#include "tools/zonectl/run_dir.h"
#include "tools/zonectl/verb.h"

struct arguments {
    const char *run_dir;
    enum private_server server;
    pid_t parent;
};

static const struct argp_option OPTIONS[] = {
    {"run-dir", 'r', "DIR", 0, "Run directory of the cluster [" RUN_DIR_DEFAULT "]", 0},
    {"parent", 'p', "PID", 0, "Process to end with", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *a = state->input;
    switch (key) {
    case 'r': a->run_dir = arg; return 0;
    case 'p': a->parent = (pid_t)option_number(state, "--parent", arg, 1, INT32_MAX); return 0;
    case ARGP_KEY_ARG: a->server = private_server_parse(arg); return 0;
    case ARGP_KEY_END:
        if (a->server == PRIVATE_SERVER_COUNT || a->parent == 0)
            argp_error(state, "expected postgres or redis, and --parent");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp ARGP = {OPTIONS, parse, "postgres|redis", "Becomes a private server of a cluster.", NULL,
                                 NULL,    NULL};

int verb_serve(int argc, char **argv) {
    struct arguments a = {.run_dir = RUN_DIR_DEFAULT, .server = PRIVATE_SERVER_COUNT};
    char error[PRIVATE_SERVER_ERROR_SIZE];
    argp_parse(&ARGP, argc, argv, 0, NULL, &a);
    log_init(private_server_name(a.server), LOG_LEVEL_INFO);
    (void)!private_server_become(a.run_dir, a.server, a.parent, error);
    log_error("server.cannot_start", "error=%s", LOG_QUOTE(error));
    return EXIT_CODE_FAILED;
}
