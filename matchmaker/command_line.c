#include "matchmaker/command_line.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "common/config.h"
#include "common/option.h"
#include "common/version.h"

enum { KEY_LOG_LEVEL = 256 };

static const struct argp_option table[] = {
    {"config", 'c', "FILE", 0, "The cluster's configuration", 0},
    {"name", 'n', "NAME", 0, "The matchmaker's name in the configuration", 0},
    {"run-dir", 'd', "DIR", 0, "Folder of keys, sockets and addresses (run)", 0},
    {"cpu", 'p', "N", 0, "Pin the loop to a core, -1 to none; in place of the configuration's", 0},
    {"log-level", KEY_LOG_LEVEL, "LEVEL", 0, "debug, info, warn or error (info)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct command_line *s = state->input;
    switch (key) {
    case 'c': s->config = arg; break;
    case 'n': s->name = arg; break;
    case 'd': s->run_dir = arg; break;
    case 'p':
        s->has_cpu = true;
        s->cpu = strcmp(arg, "-1") == 0 ? CONFIG_CPU_NONE : (int32_t)option_number(state, "--cpu", arg, 0, 1023);
        break;
    case KEY_LOG_LEVEL:
        if (log_level_parse(arg, &s->log_level))
            argp_error(state, "--log-level: expected debug, info, warn or error, found %s", arg);
        break;
    case ARGP_KEY_END:
        if (!s->config || !s->name) argp_error(state, "--config and --name are needed");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

void command_line_parse(struct command_line *line, int argc, char **argv) {
    *line = (struct command_line){.run_dir = "run", .cpu = CONFIG_CPU_NONE, .log_level = LOG_LEVEL_INFO};
    argp_program_version = "matchmaker " MARCH_VERSION;
    const struct argp argp = {
        .options = table, .parser = parse, .doc = "Decides which zone of a Marchland cluster has which part of the world."};
    error_t error = argp_parse(&argp, argc, argv, ARGP_NO_ARGS, NULL, line);
    if (error) exit(EXIT_FAILURE);
}
