/* listen.h: a gateway's public addresses: bound as the configuration says, and kept over restarts.
 *
 * Clients and tokens name a gateway by its address. So where the configuration leaves the port open (0), the port that
 * RUN/NAME.bound remembers for that address is tried first, and only if somebody else has it a new one is taken. A port that
 * the configuration names and somebody else has is an error. Either is tried for LISTEN_RETRY_MS: the kernel takes a while
 * to free the sockets that an io_uring of a killed predecessor was receiving from.
 */
#ifndef MARCH_GATEWAY_LISTEN_H
#define MARCH_GATEWAY_LISTEN_H

#include <stddef.h>

#include "common/addr.h"
#include "common/config.h"
#include "common/error.h"

#define LISTEN_RETRY_MS 1000

/* Of each socket, in and out. The kernel charges 768 bytes for a small datagram, so this holds 5,000: what 5,000 clients
 * send in 50 ms. A gateway that is further behind had better drop inputs, which clients repeat, than serve them late. */
#define LISTEN_BUFFER_BYTES (4 * 1024 * 1024)

struct listen {
    unsigned count; /* open sockets */
    int fds[CONFIG_ADDRESSES_MAX];
    unsigned bound_count;
    struct addr bound[CONFIG_ADDRESSES_MAX];
    unsigned public_count;
    struct addr
        public_addrs[CONFIG_ADDRESSES_MAX]; /* as tokens name the gateway: those of the configuration, or the bound */
};

/* listen_open binds the addresses of a gateway; `port` takes the place of their ports unless it is negative.
 * `bound_path` is RUN/NAME.bound. On failure nothing stays open and `error` holds a line that names the address. */
must_check int listen_open(struct listen *listen, const struct config_gateway *gateway, int port, const char *bound_path,
                           char *error, size_t error_size);

/* listen_read reads a file that listen_remember or listen_publish wrote, as far as it makes sense, and returns how many
 * addresses it has. */
unsigned listen_read(const char *path, struct addr addrs[CONFIG_ADDRESSES_MAX]);

/* listen_close closes the sockets; not to be called once somebody else owns them. */
void listen_close(struct listen *listen);

/* listen_remember writes the bound addresses to `bound_path`, listen_publish the public ones to `udp_path`, one a line. */
must_check int listen_remember(const struct listen *listen, const char *bound_path, char *error, size_t error_size);
must_check int listen_publish(const struct listen *listen, const char *udp_path, char *error, size_t error_size);

#endif
