/* ghosts.h: entities that other zones simulate and this one shows: as their zones tell of them, tick by tick.
 *
 * A ghost is an entity like any other: it stands in the grid, in views, and may be aimed at. Its zone says where it was at
 * the end of a tick and how it moves; until it says otherwise the ghost goes on like that, by the same integers, so it is
 * where its original is, to the bit.
 *
 *   told of ──► ghost of that zone ──told that it is gone──► removed
 *                 │      ▲
 *    handed over, │      │ told of, by whichever zone has it now
 *    or its zone  ▼      │
 *    is away ──► limbo ──┘        after GHOSTS_LIMBO_MS: removed
 *
 * An entity that this zone simulates itself is never made a ghost by what others say. Where an entity becomes a ghost or our
 * own (handoff.h), its index stays, so views do not notice.
 *
 * Limits: as many as there is room for among the zone's entities; what finds none is counted, and told of again only when it
 * changes. Nothing allocates after create.
 */
#ifndef MARCH_ZONE_GHOSTS_H
#define MARCH_ZONE_GHOSTS_H

#include <stdbool.h>
#include <stdint.h>

#include "schemas/wire.h"
#include "zone/entities.h"
#include "zone/game.h"

#define GHOSTS_LIMBO_MS 250

struct ghosts_stats {
    uint64_t told, gone;
    uint64_t no_room;
    uint64_t not_ours;    /* told of what this zone simulates, or gone by a zone that does not have it */
    uint64_t limbo_ended; /* removed: nobody told of them any more */
};

struct ghosts;

/* ghosts_create: entities and game outlive it. NULL without memory. */
struct ghosts *ghosts_create(struct entities *entities, struct game *game, uint32_t tick_hz);
void ghosts_destroy(struct ghosts *ghosts);

/* ghosts_take does what a zone tells after its tick `told_tick`; `tick` is our own newest. */
void ghosts_take(struct ghosts *ghosts, uint32_t slot, uint64_t told_tick, uint64_t tick, const struct wire_ghost *told,
                 uint32_t count);
void ghosts_take_gone(struct ghosts *ghosts, uint32_t slot, uint64_t tick, const struct wire_ghost_gone *gone,
                      uint32_t count);

/* ghosts_reset: a zone begins anew and will tell of everything: what it does not tell of soon is gone. Also for one that is
 * away. */
void ghosts_reset(struct ghosts *ghosts, uint32_t slot, uint64_t tick);

/* ghosts_leave makes an entity of ours the ghost of another zone, which will tell of it. */
void ghosts_leave(struct ghosts *ghosts, uint16_t index, uint32_t slot, uint64_t tick);

/* ghosts_own makes a ghost an entity of ours. */
void ghosts_own(struct ghosts *ghosts, uint16_t index);

/* ghosts_vanish removes a ghost at once. */
void ghosts_vanish(struct ghosts *ghosts, uint16_t index);

/* ghosts_update ends limbo: once a tick. */
void ghosts_update(struct ghosts *ghosts, uint64_t tick);

const struct ghosts_stats *ghosts_stats(const struct ghosts *ghosts);

#endif
