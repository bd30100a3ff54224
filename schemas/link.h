/* link.h: an edge of the bus whose two ends have told each other who they are.
 *
 *   AWAY ──new connection: our Hello sent──► GREETING ──its Hello──► UP
 *     ▲                                          │                   │
 *     └──────────── connection ended or another began ───────────────┘
 *
 * A peer that is UP again may be another incarnation, which knows nothing, or the old one after a lost connection; `up` says
 * which. What was sent before and not answered may be lost either way, so the owner says anew what the peer must know.
 *
 * Messages that are not of wire.h, a Hello at the wrong time or of the wrong peer, and anything before the Hello are dropped
 * and counted. Nothing blocks. Of messages that came, LINK_RECEIVES_MAX are taken at once; the rest waits in the bus.
 */
#ifndef MARCH_SCHEMAS_LINK_H
#define MARCH_SCHEMAS_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bus.h"
#include "common/clock.h"
#include "common/error.h"
#include "schemas/wire.h"

#define LINK_RECEIVES_MAX 64

enum link_state { LINK_AWAY = 0, LINK_GREETING = 1, LINK_UP = 2, LINK_STATE_COUNT = 3 };

/* Called from link_update and link_receive. `view` holds during the call. */
struct link_handlers {
    void *context;
    void (*up)(void *context, bool is_same); /* is_same: the incarnation that was up before */
    void (*lost)(void *context);             /* was up */
    void (*message)(void *context, const struct wire_bus_view *view);
};

struct link_config {
    struct wire_hello hello; /* what we say of ourselves */
    enum wire_role peer_role;
    struct bus_edge_config bus;
    struct wire_builder *builder; /* shared with others of this thread */
    struct link_handlers handlers;
};

struct link_stats {
    uint64_t received;
    uint64_t bad; /* not of wire.h, or not now */
    uint64_t sent, refused;
    uint64_t losses;
};

struct link {
    struct link_config config;
    struct bus_edge *edge;
    enum link_state state;
    uint32_t generation;
    struct wire_hello peer; /* its Hello; incarnation 0: none yet */
    struct link_stats stats;
};

/* link_open opens the edge; errors as of bus_edge_open. The link must not move in memory afterwards. */
must_check int link_open(struct link *link, const struct link_config *config, struct mono now);
void link_close(struct link *link);

/* link_update runs the edge and notices connections that began or ended: at least every 100 ms. */
void link_update(struct link *link, struct mono now);

/* link_receive takes what came: when bus_edge_fd can be read. */
void link_receive(struct link *link, struct mono now);

/* link_send sends a packed message; MARCH_ERR_NOT_FOUND while the peer is not up, else as bus_send. */
must_check int link_send(struct link *link, struct wire_bytes bytes);

#endif
