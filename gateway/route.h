/* route.h: the way to one zone: the link (link.h), and what waits to be flushed to it.
 *
 * A zone that is UP may be another incarnation, or the old one after a lost connection. Either way the owner attaches all of
 * its sessions again, which the zone answers with the entity it still has or with a new one. So that the old incarnation
 * keeps no player who left meanwhile, detaches go through a ring of the newest ROUTE_LEFT_MAX and are told again; when more
 * left since the zone was last heard, our Hello carries a new incarnation, at which the zone forgets all our sessions.
 *
 * Limits. What is told goes into a batch (batch.h), flushed when the owner says so or at BATCH_FLUSH_BYTES. While the bus's
 * queue is full the batch stays: inputs in it are replaced by newer ones; what has no room is refused, and counted here or
 * tried again by the owner. Nothing blocks.
 */
#ifndef MARCH_GATEWAY_ROUTE_H
#define MARCH_GATEWAY_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bus.h"
#include "common/clock.h"
#include "common/error.h"
#include "gateway/batch.h"
#include "schemas/link.h"
#include "schemas/wire.h"

#define ROUTE_LEFT_MAX          1024
#define ROUTE_RECEIVES_PER_POLL 16 /* batches taken from a zone at once: four ticks late is a quarter of this */

struct route_handlers {
    void *context;
    void (*up)(void *context, unsigned route); /* before anything that was sent over this connection */
    void (*lost)(void *context, unsigned route);
    void (*batch)(void *context, unsigned route, const struct wire_zone_batch *batch); /* pointers hold during the call */
};

struct route_config {
    unsigned index; /* given to the handlers */
    struct wire_hello hello;
    struct bus_edge_config bus;
    struct wire_builder *builder; /* shared by all routes: for BATCH_BYTES_MAX or more */
    struct route_handlers handlers;
};

struct route_stats {
    uint64_t inputs_sent, acks_sent, messages_sent, snapshots_received;
    uint64_t inputs_dropped, acks_dropped; /* no room in the batch, or the zone away */
};

struct route {
    struct route_config config;
    struct link link;
    bool is_backed_up; /* the bus refused the last flush */
    struct route_stats stats;
    uint64_t left_total;    /* detaches so far; the newest are left[] */
    uint64_t left_told;     /* of these, how many were put into a batch */
    uint64_t left_at_heard; /* left_total when the zone was last heard */
    struct wire_detach left[ROUTE_LEFT_MAX];
    struct batch batch;
};

/* route_open opens the link; errors as of link_open. The route must not move in memory afterwards. The
 * owner runs the link: link_update each time round the loop, link_receive after it and when its edge can be read. */
must_check int route_open(struct route *route, const struct route_config *config, struct mono now, char *error,
                          size_t error_size);
void route_close(struct route *route);

/* route_flush sends what is in the batch, if there is anything. */
void route_flush(struct route *route);

/* route_waits tells whether there is something to flush. */
bool route_waits(const struct route *route);

/* What the zone is to be told. An attach, an activate and what was routed are refused where they can't be told:
 * MARCH_ERR_NOT_FOUND when the zone is not UP, MARCH_ERR_FULL when there is no room, for the last two even after a flush. A
 * detach is kept until it can be. Inputs and acks are dropped and counted: the client repeats the former, and the zone does
 * without the latter. */
must_check int route_attach(struct route *route, const struct wire_attach *attach);
must_check int route_activate(struct route *route, const struct wire_carried *carried);
must_check int route_routed(struct route *route, const struct wire_routed *routed);
void route_detach(struct route *route, uint64_t session, uint32_t reason);
void route_input(struct route *route, struct batch_place *place, const struct wire_input *input);
void route_ack(struct route *route, uint64_t session, uint16_t snapshot_seq);

/* route_message_room and route_message_commit are those of batch.h; room is NULL also while the zone is not UP. */
uint8_t *route_message_room(struct route *route);
void route_message_commit(struct route *route, uint64_t session, size_t len);

#endif
