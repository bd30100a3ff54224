#include "zone/options.h"

#include <argp.h>
#include <stdlib.h>

#include "common/config.h"
#include "common/option.h"
#include "common/version.h"

enum { KEY_RECORD = 256, KEY_REPLAY, KEY_SEED, KEY_LOG_LEVEL };

static const struct argp_option table[] = {
    {"config", 'c', "FILE", 0, "The cluster's configuration", 0},
    {"name", 'n', "NAME", 0, "Which zone of the configuration this is", 0},
    {"run-dir", 'd', "DIR", 0, "Folder of keys, sockets and addresses (run)", 0},
    {"cpu", 'p', "N", 0, "Pin the tick to a core, -1 to none; in place of the configuration's", 0},
    {"seed", KEY_SEED, "N", 0, "Seed of the simulation, in place of the configuration's", 0},
    {"record", KEY_RECORD, "FILE", 0, "Write all that comes in to a new file", 0},
    {"replay", KEY_REPLAY, "FILE", 0, "Run a recording and compare; exit code 1 at the first difference", 0},
    {"log-level", KEY_LOG_LEVEL, "LEVEL", 0, "debug, info, warn or error (info)", 0},
    {0},
};

static void parse_log_level(struct argp_state *state, struct options *o, const char *text) {
    if (log_level_parse(text, &o->log_level))
        argp_error(state, "--log-level: expected debug, info, warn or error, found %s", text);
}

static void parse_cpu(struct argp_state *state, struct options *o, const char *text) {
    o->has_cpu = true;
    o->cpu = text[0] == '-' && text[1] == '1' && text[2] == '\0' ? CONFIG_CPU_NONE
                                                                 : (int32_t)option_number(state, "--cpu", text, 0, 1023);
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case 'c': o->config = arg; break;
    case 'n': o->name = arg; break;
    case 'd': o->run_dir = arg; break;
    case 'p': parse_cpu(state, o, arg); break;
    case KEY_SEED:
        o->has_seed = true;
        o->seed = option_number(state, "--seed", arg, 0, UINT64_MAX);
        break;
    case KEY_RECORD: o->record = arg; break;
    case KEY_REPLAY: o->replay = arg; break;
    case KEY_LOG_LEVEL: parse_log_level(state, o, arg); break;
    case ARGP_KEY_END:
        if (!o->config || !o->name) argp_error(state, "--config and --name are needed");
        if (o->record && o->replay) argp_error(state, "--record and --replay exclude each other");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

void options_parse(struct options *options, int argc, char **argv) {
    *options = (struct options){.run_dir = "run", .cpu = CONFIG_CPU_NONE, .log_level = LOG_LEVEL_INFO};
    argp_program_version = "zone " MARCH_VERSION;
    const struct argp argp = {.options = table,
                              .parser = parse,
                              .doc = "Simulates one zone of a Marchland cluster: its players, creatures and fights."};
    error_t error = argp_parse(&argp, argc, argv, ARGP_NO_ARGS, NULL, options);
    if (error) exit(EXIT_FAILURE);
}
