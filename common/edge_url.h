/* edge_url.h: where the edge between two processes is: one listens there, the other dials. Both ask here, so that they
 * agree.
 *
 *   listener   dialler                        transport ipc                      transport tcp: BUS_HOST:PORT of the
 * listener zone       gateway                        ipc://RUN_DIR/ipc/ZONE.GATEWAY     bus_port + index of the gateway
 *   persist    gateway                        ipc://RUN_DIR/ipc/PERSIST.GATEWAY  bus_port + index of the gateway
 *   persist    zone                           ipc://RUN_DIR/ipc/PERSIST.ZONE     bus_port + gateways + index of the zone
 *   persist    persist of a greater index     ipc://RUN_DIR/ipc/PERSIST.PERSIST  bus_port + gateways + zones + its index
 */
#ifndef MARCH_COMMON_EDGE_URL_H
#define MARCH_COMMON_EDGE_URL_H

#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/error.h"

#define EDGE_URL_SIZE 128

enum edge_kind {
    EDGE_ZONE_GATEWAY = 0,
    EDGE_PERSIST_GATEWAY = 1,
    EDGE_PERSIST_ZONE = 2,
    EDGE_PERSIST_PERSIST = 3,
    EDGE_KIND_COUNT = 4
};

/* edge_url writes the address of the edge between the listener and the dialler of these indices, in the order of the kind's
 * name. MARCH_ERR_FULL when it is longer than `size` or, with ipc, than a socket's path may be; MARCH_ERR_INVALID when the
 * port is past 65535. */
must_check int edge_url(const struct config *config, const char *run_dir, enum edge_kind kind, uint32_t listener,
                        uint32_t dialler, char *url, size_t size);

#endif
