/* crossing.h: players that cross the borders of a zone: the handoff (handoff.h) in the simulation's world, and players whose
 * gateway is dead.
 *
 * After each tick crossing_tick looks where players stand. Who stands in another zone's part, 2 m beyond the border, or at
 * once where this zone only hands over what it had, is offered to that zone, which takes it two hops later (see
 * handoff.h). Who is in an instance waits until that runs there (venues.h).
 *
 * A gateway that comes back as another incarnation, that the directory does not list, or that is away for EDGE_KEEP_MS
 * (edge.h) is dead. Its players stay in the world, link-dead, for limits.link_dead_s: they stand still until a newer session
 * takes them on (book.h), then they leave. They are handed over like others, and the time goes on with them. A player whose
 * session a newer one has taken over is link-dead in the same way, until that attaches.
 *
 * Limits are those of handoff.h. Nothing allocates after create.
 */
#ifndef MARCH_ZONE_CROSSING_H
#define MARCH_ZONE_CROSSING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/config.h"
#include "schemas/wire.h"
#include "zone/book.h"
#include "zone/handoff.h"
#include "zone/neighbours.h"
#include "zone/sim.h"

#define CROSSING_HYSTERESIS_M 2

struct crossing_stats {
    uint64_t orphaned; /* times that a gateway's players became link-dead */
    uint64_t expired;  /* link-dead players that left */
};

struct crossing;

/* crossing_create: sim and book outlive it. NULL without memory. */
struct crossing *crossing_create(const struct config *config, struct sim *sim, struct book *book);
void crossing_destroy(struct crossing *crossing);

/* crossing_hooks are for neighbours.h; `neighbours` outlives the crossing. */
struct neighbours_hooks crossing_hooks(struct crossing *crossing, const struct neighbours *neighbours);

/* --- what gateways say and are; before a tick */

void crossing_gateway_up(struct crossing *crossing, uint32_t gateway, struct mono now);
void crossing_gateway_lost(struct crossing *crossing, uint32_t gateway);
void crossing_gateway_dead(struct crossing *crossing, uint32_t gateway, struct mono now);

/* crossing_gateway_away, before that, says that the gateway was away for too long, but may come back; then its players are
 * not handed over until crossing_gateway_replaced has said that another has come in its place. */
void crossing_gateway_away(struct crossing *crossing, uint32_t gateway);
void crossing_gateway_replaced(struct crossing *crossing, uint32_t gateway);

void crossing_attach(struct crossing *crossing, uint32_t gateway, const struct wire_attach *attach, struct mono now);
void crossing_activate(struct crossing *crossing, uint32_t gateway, const struct wire_carried *carried, struct mono now);
void crossing_routed(struct crossing *crossing, uint32_t gateway, const struct wire_routed *routed);
void crossing_detach(struct crossing *crossing, uint32_t gateway, const struct wire_detach *detach);

/* crossing_has tells whether a session's player is frozen: what its client says is for another zone. */
bool crossing_has(const struct crossing *crossing, uint32_t gateway, uint64_t session);

/* crossing_tick moves on what is under way: after each tick, before neighbours and gateways are told of it. */
void crossing_tick(struct crossing *crossing, struct mono now);

/* --- looking in */

/* crossing_in_flight counts players that left a partition and are not known to have arrived. */
uint32_t crossing_in_flight(const struct crossing *crossing, const struct wire_directory_partition *partition);
uint32_t crossing_link_dead(const struct crossing *crossing);
const struct crossing_stats *crossing_stats(const struct crossing *crossing);
const struct handoff *crossing_handoff(const struct crossing *crossing);

#endif
