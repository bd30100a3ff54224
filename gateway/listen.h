/* listen.h: a gateway's public addresses: bound as the configuration says, and kept over restarts.
 *
 * Clients and tokens name a gateway by its address. So where the configuration leaves the port open (0), the port that
 * RUN/NAME.udp remembers for that address is tried first, and only if somebody else has it a new one is taken. A port that
 * the configuration names and somebody else has is an error.
 */
#ifndef MARCH_GATEWAY_LISTEN_H
#define MARCH_GATEWAY_LISTEN_H

#include <stddef.h>

#include "common/addr.h"
#include "common/config.h"
#include "common/error.h"

#define LISTEN_BUFFER_BYTES (8 * 1024 * 1024) /* of each socket, in and out: 80 ms of 5,000 clients at their limit */

struct listen {
    unsigned count;
    int fds[CONFIG_ADDRESSES_MAX];
    struct addr bound[CONFIG_ADDRESSES_MAX];
    unsigned public_count;
    struct addr
        public_addrs[CONFIG_ADDRESSES_MAX]; /* as tokens name the gateway: those of the configuration, or the bound */
};

/* listen_open binds the addresses of a gateway; `port` takes the place of their ports unless it is negative. `path` is
 * RUN/NAME.udp. On failure nothing stays open and `error` holds a line that names the address. */
must_check int listen_open(struct listen *listen, const struct config_gateway *gateway, int port, const char *path,
                           char *error, size_t error_size);

/* listen_close closes the sockets; not to be called once somebody else owns them. */
void listen_close(struct listen *listen);

/* listen_publish writes the public addresses to RUN/NAME.udp, one a line. */
must_check int listen_publish(const struct listen *listen, const char *path, char *error, size_t error_size);

#endif
