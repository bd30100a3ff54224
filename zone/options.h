/* options.h: the command line of a zone. */
#ifndef MARCH_ZONE_OPTIONS_H
#define MARCH_ZONE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/launch.h"

struct options {
    struct launch launch;
    const char *record; /* NULL: none */
    const char *replay;
    uint64_t seed;
    bool has_seed;
};

/* options_parse reads the command line; what is wrong with it ends the program with a message and exit code 64. */
void options_parse(struct options *options, int argc, char **argv);

#endif
