/* edge_url.h: where the edge between a zone and a gateway is: the zone listens there, the gateway dials. Both ask here, so
 * that they agree.
 *
 *   transport ipc   ipc://RUN_DIR/ipc/ZONE.GATEWAY
 *   transport tcp   tcp://BUS_HOST:PORT, PORT = the zone's bus_port + the index of the gateway in the configuration
 */
#ifndef MARCH_COMMON_EDGE_URL_H
#define MARCH_COMMON_EDGE_URL_H

#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/error.h"

#define EDGE_URL_SIZE 128

/* edge_url writes the address of one edge. MARCH_ERR_FULL when it is longer than `size` or, with ipc, than a socket's path
 * may be; MARCH_ERR_INVALID when the port is past 65535. */
must_check int edge_url(const struct config *config, const char *run_dir, uint32_t zone_index, uint32_t gateway_index,
                        char *url, size_t size);

#endif
