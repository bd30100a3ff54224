#include "gateway/arguments.h"

#include <argp.h>

#include "common/option.h"
#include "common/version.h"

enum { KEY_IO = 256 };

static const struct argp_option table[] = {
    {"port", 'P', "N", 0, "UDP port of every address, 0 for any; in place of the configuration's", 0},
    {"io", KEY_IO, "KIND", 0, "auto, io_uring or epoll; in place of the configuration's", 0},
    {0},
};

static void parse_io(struct argp_state *state, struct arguments *a, const char *text) {
    a->has_io = true;
    if (io_back_end_parse(text, &a->io) != 0) argp_error(state, "--io: expected auto, io_uring or epoll, found %s", text);
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &a->launch; break;
    case 'P':
        a->has_port = true;
        a->port = (uint16_t)option_number(state, "--port", arg, 0, UINT16_MAX);
        break;
    case KEY_IO: parse_io(state, a, arg); break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

void arguments_parse(struct arguments *arguments, int argc, char **argv) {
    *arguments = (struct arguments){0};
    const struct argp_child children[] = {{.argp = &launch_argp}, {0}};
    const struct argp argp = {.options = table,
                              .parser = parse,
                              .children = children,
                              .doc =
                                  "Ends the connections of a Marchland cluster's clients, and routes them to their zones."};
    launch_parse(&argp, "gateway " MARCH_VERSION, argc, argv, arguments);
}
