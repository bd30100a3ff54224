/* compass.h: which zone a player is brought to, by the newest directory and what it has said before.
 *
 * Who is where is for zones to say (transfer.h); the compass answers for players whom no zone has: those that come, and
 * those whose zone is dead. A player whose place is known goes to the owner of the partition there. Of a player of a dead
 * zone it is known what that zone owned when it last owned anything: one of those places, the same one each time. A place
 * that nobody owns now is waited for with the slot that had it. Anybody else is spread by the player's id over the slots
 * that own part of the world; a slot that owns nothing gets nobody.
 *
 * Blocks (schemas/cells.h) are not of the world: whose place is known to be in one goes to its owner, and nobody else is
 * sent there. Who was in one whose owner died is at home in the world, so he goes where one goes of whom nothing is known.
 *
 * A value without pointers; a version is taken in a few microseconds.
 */
#ifndef MARCH_GATEWAY_COMPASS_H
#define MARCH_GATEWAY_COMPASS_H

#include <stdbool.h>
#include <stdint.h>

#include "schemas/directory.h"

#define COMPASS_PLACES_MAX 16 /* kept of what one slot owned */

struct compass_place {
    int32_t x, y; /* Q16.16 metres */
};

struct compass_memory {
    uint32_t count;
    struct compass_place places[COMPASS_PLACES_MAX]; /* one in each partition but blocks */
};

struct compass {
    struct directory directory;
    struct compass_memory owned[WIRE_WORKERS_MAX]; /* by slot, when it last owned anything */
};

void compass_init(struct compass *compass, const struct directory *directory);

/* compass_take takes a version; false, with nothing changed, where it is not newer. */
bool compass_take(struct compass *compass, const struct wire_directory *directory);

/* compass_spawn returns a slot for a player of whom nothing is known, compass_at one for a place in Q16.16 metres,
 * compass_successor one for a player of a slot that is dead or owns nothing: that slot itself where the player is to wait
 * there. Slot 0 while there is no directory. */
uint32_t compass_spawn(const struct compass *compass, uint64_t player);
uint32_t compass_at(const struct compass *compass, int32_t x, int32_t y, uint64_t player);
uint32_t compass_successor(const struct compass *compass, uint32_t slot, uint64_t player);

#endif
