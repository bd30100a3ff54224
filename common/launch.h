/* launch.h: how a process of a cluster is started: the options that each has, the log, the configuration, and the signals
 * that end it. A process with options of its own has this argp as a child of its own one:
 *
 *     case ARGP_KEY_INIT: state->child_inputs[0] = &options->launch; break;
 */
#ifndef MARCH_COMMON_LAUNCH_H
#define MARCH_COMMON_LAUNCH_H

#include <argp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/log.h"

struct launch {
    const char *config;
    const char *name;
    const char *run_dir;
    bool has_cpu;
    int32_t cpu; /* CONFIG_CPU_NONE where none is given */
    enum log_level log_level;
};

/* The options of struct launch, which is its input: --config, --name, --run-dir, --cpu, --log-level. */
extern const struct argp launch_argp;

/* launch_parse reads a command line; what is wrong with it ends the program with a message and exit code 64. `version` is
 * what --version prints. */
void launch_parse(const struct argp *argp, const char *version, int argc, char **argv, void *input);

/* launch_begin opens the log under the process's name and loads its configuration. NULL when that is wrong, which is logged
 * then; config_free ends it. */
struct config *launch_begin(const struct launch *launch);

/* launch_catch_signals lets SIGTERM and SIGINT set what it returns, and has SIGPIPE ignored. */
const volatile sig_atomic_t *launch_catch_signals(void);

#endif
