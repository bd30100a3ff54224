/* sightings.h: what one neighbour is told of this zone's entities: those that stand near enough to what it has that somebody
 * there may see them.
 *
 * It keeps what the neighbour believes of each. The neighbour predicts like we do: an entity is told of when it comes near,
 * and again when it is not what the neighbour predicts. Creatures that stand and players that walk straight on cost nothing.
 * The bus is reliable within a connection, so nothing is acknowledged; a new connection begins with everything
 * (sightings_reset).
 *
 * Near is what views reach, a tenth more than their radius, and another tenth for what was told of already. Limits:
 * WIRE_PEER_GHOSTS_MAX and WIRE_PEER_ITEMS_MAX in one batch; the rest comes with the next. Nothing allocates after create.
 */
#ifndef MARCH_ZONE_SIGHTINGS_H
#define MARCH_ZONE_SIGHTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "schemas/wire.h"
#include "zone/entities.h"
#include "zone/grid.h"
#include "zone/territory.h"

struct sightings;

/* What is looked at: after a tick, its grid built from the entities' places of now. */
struct sightings_world {
    const struct entities *entities;
    const struct grid *grid;
    const struct territory *territory;
    uint64_t tick;
    int32_t view_radius; /* Q16.16 metres */
};

/* sightings_create is for the neighbour in `slot`. NULL without memory. */
struct sightings *sightings_create(uint32_t slot, uint32_t entities_max);
void sightings_destroy(struct sightings *sightings);

/* sightings_reset forgets what was told. */
void sightings_reset(struct sightings *sightings);

/* sightings_again has all that was told, and is still so, told again: the neighbour may not have heard it. */
void sightings_again(struct sightings *sightings);

/* sightings_look fills in ghosts and gone, which are valid until the next look, and takes them for told: a batch that can't
 * be sent costs a reset. */
void sightings_look(struct sightings *sightings, const struct sightings_world *world, struct wire_peer_batch *batch);

#endif
