/* departures.h: entities of players that left this zone: where to, and what they gained elsewhere meanwhile.
 *
 *   departures_leave ──► on its way ──it is there────► gone: what comes is passed on
 *                           │
 *                           └──it is back, or its session is over──► forgotten
 *
 * What the target has of an entity was written down when that left. So a gain that comes later waits until the flight has
 * ended, and is then given out once: to the entity where that is back, else to the zone that has it.
 *
 * Limits: DEPARTURES_MAX entities, of which those that are gone make room, oldest first; DEPARTURES_WAITING_MAX gains. Who
 * finds no room loses the gain, and counts it. Nothing allocates.
 */
#ifndef MARCH_ZONE_DEPARTURES_H
#define MARCH_ZONE_DEPARTURES_H

#include <stdbool.h>
#include <stdint.h>

#include "schemas/wire.h"

#define DEPARTURES_MAX         1024 /* twice what may be on its way (handoff.h) */
#define DEPARTURES_WAITING_MAX 1024 /* as many as a neighbour tells of in a tick */

struct departure {
    uint64_t entity; /* 0: nobody */
    uint32_t target; /* slot */
    bool is_on_its_way;
};

/* All zero, nobody has left. */
struct departures {
    struct departure items[DEPARTURES_MAX];
    uint32_t next;                                       /* place of the oldest */
    struct wire_outcome waiting[DEPARTURES_WAITING_MAX]; /* in the order in which they came */
    uint32_t waiting_count;
    struct wire_outcome taken[DEPARTURES_WAITING_MAX];
};

/* departures_leave notes that an entity is on its way to a zone. Returns how many gains are lost as there were too many on
 * their way. */
uint32_t departures_leave(struct departures *departures, uint64_t entity, uint32_t target);

/* departures_find returns what is known of an entity; NULL: it has not left that anybody remembers. */
const struct departure *departures_find(const struct departures *departures, uint64_t entity);

/* departures_keep has a gain wait for the end of its attacker's flight; false where there is no room. */
bool departures_keep(struct departures *departures, const struct wire_outcome *outcome);

/* departures_end says how the flight of an entity has ended: it is at its target, or not to be remembered. Stores what
 * waited for it, valid until the next call, and returns how many. */
uint32_t departures_end(struct departures *departures, uint64_t entity, bool is_at_target,
                        const struct wire_outcome **waited);

uint64_t departures_hash(const struct departures *departures, uint64_t hash);

#endif
