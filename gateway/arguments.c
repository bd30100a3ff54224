#include "gateway/arguments.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "common/config.h"
#include "common/option.h"
#include "common/version.h"

enum { KEY_IO = 256, KEY_LOG_LEVEL };

static const struct argp_option table[] = {
    {"config", 'c', "FILE", 0, "The cluster's configuration", 0},
    {"name", 'n', "NAME", 0, "Which gateway of the configuration this is", 0},
    {"run-dir", 'd', "DIR", 0, "Folder of keys, sockets and addresses (run)", 0},
    {"cpu", 'p', "N", 0, "Pin the loop to a core, -1 to none; in place of the configuration's", 0},
    {"port", 'P', "N", 0, "UDP port of every address, 0 for any; in place of the configuration's", 0},
    {"io", KEY_IO, "KIND", 0, "auto, io_uring or epoll; in place of the configuration's", 0},
    {"log-level", KEY_LOG_LEVEL, "LEVEL", 0, "debug, info, warn or error (info)", 0},
    {0},
};

static void parse_cpu(struct argp_state *state, struct arguments *a, const char *text) {
    a->has_cpu = true;
    a->cpu = strcmp(text, "-1") == 0 ? CONFIG_CPU_NONE : (int32_t)option_number(state, "--cpu", text, 0, 1023);
}

static void parse_io(struct argp_state *state, struct arguments *a, const char *text) {
    a->has_io = true;
    if (io_back_end_parse(text, &a->io) != 0) argp_error(state, "--io: expected auto, io_uring or epoll, found %s", text);
}

static void parse_log_level(struct argp_state *state, struct arguments *a, const char *text) {
    if (log_level_parse(text, &a->log_level) != 0)
        argp_error(state, "--log-level: expected debug, info, warn or error, found %s", text);
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *a = state->input;
    switch (key) {
    case 'c': a->config = arg; break;
    case 'n': a->name = arg; break;
    case 'd': a->run_dir = arg; break;
    case 'p': parse_cpu(state, a, arg); break;
    case 'P':
        a->has_port = true;
        a->port = (uint16_t)option_number(state, "--port", arg, 0, UINT16_MAX);
        break;
    case KEY_IO: parse_io(state, a, arg); break;
    case KEY_LOG_LEVEL: parse_log_level(state, a, arg); break;
    case ARGP_KEY_END:
        if (!a->config || !a->name) argp_error(state, "--config and --name are needed");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

void arguments_parse(struct arguments *arguments, int argc, char **argv) {
    *arguments = (struct arguments){.run_dir = "run", .cpu = CONFIG_CPU_NONE, .log_level = LOG_LEVEL_INFO};
    argp_program_version = "gateway " MARCH_VERSION;
    const struct argp argp = {.options = table,
                              .parser = parse,
                              .doc =
                                  "Ends the connections of a Marchland cluster's clients, and routes them to their zones."};
    error_t error = argp_parse(&argp, argc, argv, ARGP_NO_ARGS, NULL, arguments);
    if (error) exit(EXIT_FAILURE);
}
