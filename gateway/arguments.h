/* arguments.h: the command line of a gateway. */
#ifndef MARCH_GATEWAY_ARGUMENTS_H
#define MARCH_GATEWAY_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/launch.h"
#include "gateway/io.h"

struct arguments {
    struct launch launch;
    bool has_port;
    uint16_t port; /* in place of the configuration's, for every address */
    bool has_io;
    enum io_back_end io;
};

/* arguments_parse reads the command line; what is wrong with it ends the program with a message and exit code 64. */
void arguments_parse(struct arguments *arguments, int argc, char **argv);

#endif
