/* client.h: the inside of struct march_client; shared by client.c, client_move.c and socket.c only. See marchland.h.
 *
 * A client has two sessions: the one that it plays in, and while it moves to another gateway the one that it goes to.
 * sessions[current] is the former at all times.
 */
#ifndef MARCH_TOOLS_CLIENT_CLIENT_H
#define MARCH_TOOLS_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/block_pool.h"
#include "common/channel.h"
#include "common/snapshot.h"
#include "tools/client/client_inputs.h"
#include "tools/client/client_move.h"
#include "tools/client/client_past.h"
#include "tools/client/client_view.h"
#include "tools/client/marchland.h"
#include "tools/client/netcode_client.h"
#include "tools/client/server_clock.h"

/* One connection to a gateway. */
struct client_session {
    struct netcode_client netcode;
    struct channel channel;
    struct client_inputs inputs;
    bool leaving; /* the server is still to be told, since the client plays elsewhere */
};

struct march_client {
    struct march_config config; /* defaults filled in */
    bool leaving;               /* the server is still to be told */
    enum march_client_reason reason;
    int fd; /* -1: none */
    uint8_t fd_family;

    struct client_session sessions[2];
    uint8_t current;
    uint8_t sending; /* session that packets are made for */
    struct client_move move;
    struct server_clock clock;
    struct client_view view;
    struct client_past past;
    struct block_pool pool;
    struct snapshot_table *table;
    uint8_t *message; /* config.message_bytes_max: the one handed out last */
    struct march_inventory inventory;
    bool taken_over;   /* the server said so */
    bool uses_matches; /* something about matches was asked */

    struct mono now;         /* the latest that was told */
    struct mono snapshot_at; /* when the newest one came */
    uint64_t rtt_ns;
    uint64_t packets_up, packets_down, bytes_up, bytes_down;
    uint64_t packets_refused, packets_late;
    uint64_t snapshots, snapshots_refused;
    uint64_t stream_changes;
    uint64_t gap_max_ns, change_gap_max_ns;
    uint32_t change_gap_max_ticks;
};

static inline struct client_session *client_current(struct march_client *client) {
    return &client->sessions[client->current];
}

static inline struct client_session *client_other(struct march_client *client) {
    return &client->sessions[client->current ^ 1];
}

static inline bool session_is_open(const struct client_session *session) {
    return session->netcode.state > NETCODE_CLIENT_DISCONNECTED;
}

/* client_session_init forgets what was known of a former session, and begins one. */
void client_session_init(struct march_client *client, struct client_session *session);

#endif
