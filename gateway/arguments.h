/* arguments.h: the command line of a gateway. */
#ifndef MARCH_GATEWAY_ARGUMENTS_H
#define MARCH_GATEWAY_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/log.h"
#include "gateway/io.h"

struct arguments {
    const char *config;
    const char *name;
    const char *run_dir;
    bool has_cpu;
    int32_t cpu;
    bool has_port;
    uint16_t port; /* in place of the configuration's, for every address */
    bool has_io;
    enum io_back_end io;
    enum log_level log_level;
};

/* arguments_parse reads the command line; what is wrong with it ends the program with a message and exit code 64. */
void arguments_parse(struct arguments *arguments, int argc, char **argv);

#endif
