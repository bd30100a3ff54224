/* client.h: the inside of struct march_client; shared by client.c and socket.c only. See marchland.h. */
#ifndef MARCH_TOOLS_CLIENT_CLIENT_H
#define MARCH_TOOLS_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/block_pool.h"
#include "common/channel.h"
#include "common/snapshot.h"
#include "tools/client/client_inputs.h"
#include "tools/client/client_view.h"
#include "tools/client/marchland.h"
#include "tools/client/netcode_client.h"
#include "tools/client/server_clock.h"

struct march_client {
    struct march_config config; /* defaults filled in */
    bool leaving;               /* the server is still to be told */
    enum march_client_reason reason;
    int fd; /* -1: none */
    uint8_t fd_family;

    struct netcode_client netcode;
    struct channel channel;
    struct client_inputs inputs;
    struct server_clock clock;
    struct client_view view;
    struct block_pool pool;
    struct snapshot_table *table;
    uint8_t *message; /* config.message_bytes_max: the one handed out last */
    struct march_inventory inventory;
    bool taken_over; /* the server said so */

    uint64_t rtt_ns;
    uint64_t packets_up, packets_down, bytes_up, bytes_down;
    uint64_t packets_refused, packets_late;
    uint64_t snapshots, snapshots_refused;
};

#endif
