/* command_line.h: the command line of a matchmaker. */
#ifndef MARCH_MATCHMAKER_COMMAND_LINE_H
#define MARCH_MATCHMAKER_COMMAND_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/log.h"

struct command_line {
    const char *config;
    const char *name;
    const char *run_dir;
    bool has_cpu;
    int32_t cpu;
    enum log_level log_level;
};

/* command_line_parse reads the command line; what is wrong with it ends the program with a message and exit code 64. */
void command_line_parse(struct command_line *line, int argc, char **argv);

#endif
