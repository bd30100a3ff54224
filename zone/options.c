#include "zone/options.h"

#include <argp.h>

#include "common/option.h"
#include "common/version.h"

enum { KEY_RECORD = 256, KEY_REPLAY, KEY_SEED };

static const struct argp_option table[] = {
    {"seed", KEY_SEED, "N", 0, "Seed of the simulation, in place of the configuration's", 0},
    {"record", KEY_RECORD, "FILE", 0, "Write all that comes in to a new file", 0},
    {"replay", KEY_REPLAY, "FILE", 0, "Run a recording and compare; exit code 1 at the first difference", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &o->launch; break;
    case KEY_SEED:
        o->has_seed = true;
        o->seed = option_number(state, "--seed", arg, 0, UINT64_MAX);
        break;
    case KEY_RECORD: o->record = arg; break;
    case KEY_REPLAY: o->replay = arg; break;
    case ARGP_KEY_END:
        if (o->record && o->replay) argp_error(state, "--record and --replay exclude each other");
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

void options_parse(struct options *options, int argc, char **argv) {
    *options = (struct options){0};
    const struct argp_child children[] = {{.argp = &launch_argp}, {0}};
    const struct argp argp = {.options = table,
                              .parser = parse,
                              .children = children,
                              .doc = "Simulates one zone of a Marchland cluster: its players, creatures and fights."};
    launch_parse(&argp, "zone " MARCH_VERSION, argc, argv, options);
}
