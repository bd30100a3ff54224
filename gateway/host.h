/* host.h: a running gateway: the loop with its sockets, keys, files and HTTP around it.
 *
 * One thread does all the work; others are nng's and that of HTTP.
 */
#ifndef MARCH_GATEWAY_HOST_H
#define MARCH_GATEWAY_HOST_H

#include <signal.h>
#include <stddef.h>

#include "common/config.h"
#include "common/error.h"
#include "gateway/arguments.h"

#define HOST_ERROR_SIZE CONFIG_ERROR_SIZE
#define HOST_READY_WAIT_MS                                                                                                  \
    5000 /* for zones to be connected; after that the gateway takes players, who wait for their zone */

struct host;

/* host_open makes gateway `index` of a configuration ready to run: sockets bound, edges dialling, HTTP bound, and
 * NAME.bound, NAME.udp, NAME.http and NAME.pid written to the run directory. Arguments and config outlive it. On failure
 * `error` holds a line. */
must_check int host_open(struct host **out, const struct arguments *arguments, const struct config *config, uint32_t index,
                         char *error, size_t error_size);

/* host_run turns the loop until `*stopping` is set. MARCH_ERR_SYSTEM when the kernel refuses to wait. */
must_check int host_run(struct host *host, const volatile sig_atomic_t *stopping);

/* host_close tells every client that it is disconnected, and closes. */
void host_close(struct host *host);

#endif
