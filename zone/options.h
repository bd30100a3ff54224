/* options.h: the command line of a zone. */
#ifndef MARCH_ZONE_OPTIONS_H
#define MARCH_ZONE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/log.h"

struct options {
    const char *config;
    const char *name;
    const char *run_dir;
    const char *record; /* NULL: none */
    const char *replay;
    int32_t cpu; /* CONFIG_CPU_NONE where none is given */
    bool has_cpu;
    uint64_t seed;
    bool has_seed;
    enum log_level log_level;
};

/* options_parse reads the command line; what is wrong with it ends the program with a message and exit code 64. */
void options_parse(struct options *options, int argc, char **argv);

#endif
