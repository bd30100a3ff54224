/* arrivals.h: which creatures came from other zones of late, and at which tick they were carried: so that one that is
 * carried twice, because the answer was lost, is taken once, also where it has gone on since.
 *
 * The bus delivers in order within a connection, so an answer that was given ARRIVALS_KEEP_MS ago over a connection that
 * lasts has come: whoever would carry the creature again would have to be silent for longer than the bus bears. Who has
 * connections that ended does not let entries end (arrivals_expire is not called), and begins their time anew with a new
 * one.
 *
 * Limits: ARRIVALS_MAX creatures. What finds no room is refused, and stays where it is. Nothing allocates after create.
 */
#ifndef MARCH_ZONE_ARRIVALS_H
#define MARCH_ZONE_ARRIVALS_H

#include <stdbool.h>
#include <stdint.h>

#define ARRIVALS_MAX     4096
#define ARRIVALS_KEEP_MS 10000

struct arrivals;

/* arrivals_create returns NULL without memory. */
struct arrivals *arrivals_create(uint32_t tick_hz);
void arrivals_destroy(struct arrivals *arrivals);

/* arrivals_has_room tells whether arrivals_note can note a creature. */
bool arrivals_has_room(const struct arrivals *arrivals, uint64_t id);

/* arrivals_note keeps that a creature was carried at a tick, instead of what was known of it; `now` is our own tick. There
 * is room. */
void arrivals_note(struct arrivals *arrivals, uint64_t id, uint64_t carried_tick, uint64_t now);

/* arrivals_find returns the tick that a creature was last carried at, 0 where that is not known. */
uint64_t arrivals_find(const struct arrivals *arrivals, uint64_t id);

/* arrivals_renew begins the time of all entries anew. */
void arrivals_renew(struct arrivals *arrivals, uint64_t now);

/* arrivals_expire drops old entries; it looks at a few of the places, all within three seconds of calls once a tick. */
void arrivals_expire(struct arrivals *arrivals, uint64_t now);

uint32_t arrivals_count(const struct arrivals *arrivals);

/* arrivals_hash mixes all entries into a hash; it stays as it is where there are none. */
uint64_t arrivals_hash(const struct arrivals *arrivals, uint64_t hash);

#endif
