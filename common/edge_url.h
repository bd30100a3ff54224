/* edge_url.h: where the edge between two processes is: one listens there, the other dials. Both ask here, so that they
 * agree.
 *
 *   listener     dialler                      ipc: ipc://RUN_DIR/ipc/LISTENER.DIALLER; tcp: BUS_HOST of the listener, and
 * its bus_port with added zone         gateway                      index of the gateway zone         zone of a greater
 * index      gateways + its index persist      gateway                      index of the gateway persist      zone gateways
 * + index of the zone persist      persist of a greater index   gateways + zones + its index persist      matchmaker
 * gateways + zones + persists matchmaker   gateway                      index of the gateway matchmaker   zone gateways +
 * index of the zone
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
    EDGE_ZONE_ZONE = 4,
    EDGE_PERSIST_MATCHMAKER = 5,
    EDGE_MATCHMAKER_GATEWAY = 6,
    EDGE_MATCHMAKER_ZONE = 7,
    EDGE_KIND_COUNT = 8
};

/* edge_url writes the address of the edge between the listener and the dialler of these indices, in the order of the kind's
 * name; that of a matchmaker is 0. MARCH_ERR_FULL when it is longer than `size` or, with ipc, than a socket's path may be;
 * MARCH_ERR_INVALID when the port is past 65535. */
must_check int edge_url(const struct config *config, const char *run_dir, enum edge_kind kind, uint32_t listener,
                        uint32_t dialler, char *url, size_t size);

#endif
