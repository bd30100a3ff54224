/* link.h: an edge of the bus whose two ends have told each other who they are.
 *
 *   AWAY ──new connection: our Hello sent──► GREETING ──its Hello──► UP
 *     ▲                                          │                   │
 *     └──────────── connection ended or another began ───────────────┘
 *
 * A peer that is UP again may be another incarnation, which knows nothing, or the old one after a lost connection; `up` says
 * which. What was sent before and not answered may be lost either way, so the owner says anew what the peer must know.
 *
 * Messages that are not of wire.h or not of a kind that this peer sends, a Hello at the wrong time or of the wrong peer,
 * and anything before the Hello are dropped and counted. Nothing blocks. Of messages that came, `receives_max` are taken at
 * once; the rest waits in the bus.
 */
#ifndef MARCH_SCHEMAS_LINK_H
#define MARCH_SCHEMAS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bus.h"
#include "common/clock.h"
#include "common/error.h"
#include "schemas/wire.h"

#define LINK_RECEIVES_MAX 64 /* unless told otherwise */

enum link_state { LINK_AWAY = 0, LINK_GREETING = 1, LINK_UP = 2, LINK_STATE_COUNT = 3 };

/* Called from link_update and link_receive, whose time is handed on. `view` holds during the call. */
struct link_handlers {
    void *context;
    void (*greeting)(void *context, struct wire_hello *hello); /* before our Hello goes, which it may change; or NULL */
    void (*up)(void *context, bool is_same, struct mono now);  /* is_same: the incarnation that was up before */
    void (*lost)(void *context, struct mono now);              /* was up; or NULL */
    void (*message)(void *context, const struct wire_bus_view *view, struct mono now); /* of peer.kind or also */
};

/* What the peer must say of itself, beside the name in `bus`, and what it sends. */
struct link_peer {
    enum wire_role role;
    enum wire_bus_kind kind, also; /* also: a second kind, or 0 */
    uint32_t shard, shard_count;   /* of a persist */
};

struct link_config {
    struct wire_hello hello; /* what we say of ourselves */
    struct link_peer peer;
    struct bus_edge_config bus;   /* local_name and frame_max_bytes are filled in, queue_max_bytes is made to hold a frame */
    struct wire_builder *builder; /* shared with others of this thread */
    unsigned receives_max;        /* messages taken at once; 0: LINK_RECEIVES_MAX */
    struct link_handlers handlers;
};

struct link_stats {
    uint64_t received;
    uint64_t bad; /* not of wire.h, not of this peer, or not now */
    uint64_t sent, refused;
    uint64_t losses;
    uint64_t restarts; /* times that the peer came back as another incarnation */
};

struct link {
    struct link_config config;
    char name[WIRE_NAME_MAX + 1]; /* of the peer */
    struct bus_edge *edge;
    enum link_state state;
    uint32_t generation;    /* of the connection we said Hello on */
    struct wire_hello peer; /* its Hello; incarnation 0: none yet */
    struct link_stats stats;
};

/* link_open opens the edge; errors as of bus_edge_open, and `error` holds a line that names the address. The link must not
 * move in memory afterwards. link_close: also after a link_open that failed. */
must_check int link_open(struct link *link, const struct link_config *config, struct mono now, char *error,
                         size_t error_size);
void link_close(struct link *link);

/* link_update runs the edge and notices connections that began or ended: at least every 100 ms. */
void link_update(struct link *link, struct mono now);

/* link_receive takes what came: when bus_edge_fd can be read. */
void link_receive(struct link *link, struct mono now);

/* link_send sends a packed message; MARCH_ERR_NOT_FOUND while the peer is not up, else as bus_send. */
must_check int link_send(struct link *link, struct wire_bytes bytes);

const char *link_state_name(enum link_state state);

#endif
