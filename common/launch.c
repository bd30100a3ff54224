/* launch.c: see launch.h. */
#include "common/launch.h"

#include <stdlib.h>
#include <string.h>

#include "common/option.h"
#include "common/step.h"

enum { KEY_LOG_LEVEL = 512 }; /* beyond the keys of processes */

static const struct argp_option table[] = {
    {"config", 'c', "FILE", 0, "The cluster's configuration", 0},
    {"name", 'n', "NAME", 0, "Which process of the configuration this is", 0},
    {"run-dir", 'd', "DIR", 0, "Folder of keys, sockets, addresses and journals (run)", 0},
    {"cpu", 'p', "N", 0, "Pin the loop to a core, -1 to none; in place of the configuration's", 0},
    {"log-level", KEY_LOG_LEVEL, "LEVEL", 0, "debug, info, warn or error (info)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct launch *l = state->input;
    switch (key) {
    case ARGP_KEY_INIT: *l = (struct launch){.run_dir = "run", .cpu = CONFIG_CPU_NONE, .log_level = LOG_LEVEL_INFO}; break;
    case 'c': l->config = arg; break;
    case 'n': l->name = arg; break;
    case 'd': l->run_dir = arg; break;
    case 'p':
        l->has_cpu = true;
        l->cpu = strcmp(arg, "-1") == 0 ? CONFIG_CPU_NONE : (int32_t)option_number(state, "--cpu", arg, 0, 1023);
        break;
    case KEY_LOG_LEVEL:
        if (log_level_parse(arg, &l->log_level))
            argp_error(state, "--log-level: expected debug, info, warn or error, found %s", arg);
        break;
    case ARGP_KEY_END:
        if (!l->config || !l->name) argp_error(state, "--config and --name are needed");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

const struct argp launch_argp = {.options = table, .parser = parse};

void launch_parse(const struct argp *argp, const char *version, int argc, char **argv, void *input) {
    argp_program_version = version;
    error_t error = argp_parse(argp, argc, argv, ARGP_NO_ARGS, NULL, input);
    if (error) exit(EXIT_FAILURE);
}

struct config *launch_begin(const struct launch *launch) {
    char error[CONFIG_ERROR_SIZE];
    struct config *config;
    log_init(launch->name, launch->log_level);
    STEPS_OF(launch->run_dir, launch->name);
    if (config_load(launch->config, &config, error, sizeof error) == 0) return config;
    log_error("config.invalid", "error=%s", LOG_QUOTE(error));
    return NULL;
}

/* --- signals */

static volatile sig_atomic_t stopping;

static void on_signal(int number) {
    (void)number;
    stopping = 1;
}

const volatile sig_atomic_t *launch_catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    return &stopping;
}
