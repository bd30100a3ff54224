/* venues.h: the instances that run in a zone's blocks: their waves, what ends them, who rises in them and who goes home.
 *
 *   ──order──► RUNNING ──goal, or its time is up──► OVER ──5 s──► all go home
 *      │          │                                   │
 *      │          └─ordered to end ──► all go home ◄──┘ ──nobody is in it──► ENDED ──no order for 2 s──► forgotten
 *      └──► REFUSED: no room for its creatures or in the table, a cell that is not free, or it makes no sense
 *
 * Orders come as often as the matchmaker likes, and take effect once; those for blocks that others own are passed over. Who
 * and what is there is found anew five times a second by one look at all entities, so nothing has to be told when they come
 * and go: a player's journey and a creature's instance and wave travel with them (game.h). Thus a block that another zone
 * takes over runs on: its former zone tells it all of each instance (venues_carry.c), and no wave begins and no goal counts
 * while a block changes hands (10 s at most), and for a second after; what depends on who is there waits until nobody is at
 * the former zone, however long. Where that was lost the order says which waves are over and what the scores were.
 *
 * What stands in its room is that of the order that began it (game_furnish); a zone that has no order yet knows of nothing
 * there.
 *
 * Creatures that think for too long do so less often, as the shell says that it measured (budget.h).
 *
 * A wave begins when the one before is dead, or overlaps it; its creatures stand at the spots of no team, in turn. The same
 * seed gives the same places. A player that died rises after a while at a spot of its team, as long as it has lives.
 * Kills and deaths of who leaves and comes again go on, as long as it is a member.
 *
 * Whoever is in a block of this zone without an instance that runs there and has it as a member goes home: after 2 s in
 * which all that runs was known. Who waits elsewhere for longer than 10 s goes home too.
 *
 * Everything here is state of the simulation: a function of the orders, what other zones tell, the ticks and the entities.
 * Limits: WIRE_INSTANCES_MAX, of which VENUES_ANSWERS_MAX places are for those that are refused or have ended, so that there
 * is an answer for who comes beyond; VENUES_CREATURES_MAX at once in one, and as many in all as there is room for beside
 * players and the world's. An order that has no place even for an answer is passed over, for it comes again. Nothing
 * allocates after create.
 */
#ifndef MARCH_ZONE_VENUES_H
#define MARCH_ZONE_VENUES_H

#include <stdbool.h>
#include <stdint.h>

#include "schemas/wire_world.h"
#include "zone/entities.h"
#include "zone/game.h"
#include "zone/territory.h"

#define VENUES_CREATURES_MAX 256 /* of one, at once */
#define VENUES_LOOKS_PER_S   5
#define VENUES_SETTLE_MS     1000  /* after an order or a hand-over, before waves begin */
#define VENUES_COMING_MS     10000 /* for so long at most a hand-over is waited for */
#define VENUES_OVER_MS       5000  /* players stay for so long */
#define VENUES_ENDED_MS      2000  /* without an order an end is told for so long */
#define VENUES_LEFT_MS       30000 /* what is another zone's by now is told that for so long at most, */
#define VENUES_AGAIN_MS      50    /* and so often until it is answered */
#define VENUES_ANSWERS_MAX   128   /* places of the table for what does not run: refused, or ended */
#define VENUES_STRAY_MS      2000
#define VENUES_STUCK_MS      10000
#define VENUES_CORPSE_MS     3000 /* dead creatures lie so long */

struct venues_config {
    const struct entities *entities; /* these three outlive it */
    struct game *game;
    const struct territory *territory;
    uint32_t tick_hz;
    uint32_t players_max;
    uint64_t (*player_of)(void *context, uint16_t index); /* the player whose entity that is, 0: nobody's */
    void *context;
};

struct venues_stats {
    uint64_t orders, orders_elsewhere, orders_refused;
    uint64_t orders_delayed; /* no place even for an answer */
    uint64_t told_on, heard; /* instances that other zones were told of, and those heard of from others; repeats count */
    uint64_t homes;          /* players that went home, */
    uint64_t strays;         /* of those, without an instance that runs here */
    uint64_t spawned;
    uint64_t slowings;                            /* times that creatures of one were to think less often */
    uint32_t running, players, creatures, slowed; /* at the newest look; slowed: instances */
};

struct venues;

/* venues_create returns NULL without memory. */
struct venues *venues_create(const struct venues_config *config);
void venues_destroy(struct venues *instances);

/* --- between ticks */

/* venues_take takes orders, not travels. venues_renew: what the matchmaker has told so far was over an older
 * connection: what runs here goes on, but may not be all. */
void venues_take(struct venues *instances, uint64_t tick, const struct wire_instance_orders *orders);
void venues_renew(struct venues *instances);

/* venues_directory: the territory has changed: what is another zone's by now is left, what came back goes on. */
void venues_directory(struct venues *instances, uint64_t tick);

/* venues_peer_take takes what another zone tells of instances whose block it handed over, and what it answers. venues_tell
 * fills in the same for one; valid until the next call. */
void venues_peer_take(struct venues *instances, uint32_t slot, uint64_t tick, const struct wire_peer_batch *batch);
void venues_tell(struct venues *instances, uint32_t slot, uint64_t tick, struct wire_peer_batch *batch);

/* venues_spent adds what was measured that the creatures of an instance thought. venues_judge ends a window (budget.h): it
 * fills in what is to change, and changes nothing; returns how many. venues_pace changes it: false where there is no such
 * instance, or pace. */
struct venues_pace {
    uint32_t id, pace;
};

void venues_spent(struct venues *instances, uint32_t id, uint64_t ns);
uint32_t venues_judge(struct venues *instances, uint32_t tick_us, struct venues_pace paces[WIRE_INSTANCES_MAX]);
bool venues_pace(struct venues *instances, uint32_t id, uint32_t pace);

/* --- in a tick */

/* venues_update: before the rules think. */
void venues_update(struct venues *instances, uint64_t tick);

/* venues_died scores the death of a player, which was done by the entity of an id; where another zone has that, the death
 * is scored there. venues_killed does so: a player here has killed one of a team, from 1 (0: none), in its instance. */
void venues_died(struct venues *instances, uint64_t tick, uint16_t index, uint64_t by);
void venues_killed(struct venues *instances, uint64_t tick, uint16_t killer, uint32_t team);

/* --- looking in */

/* venues_report fills in what the matchmaker is to be told of instances, and returns how many. */
uint32_t venues_report(const struct venues *instances, uint64_t tick, struct wire_instance_status out[WIRE_INSTANCES_MAX]);

/* venues_in_flight counts the instances of a block that the zone which has it now is still to be told of. */
uint32_t venues_in_flight(const struct venues *instances, uint64_t tick, uint32_t block);

/* venues_keeps tells whether who is in an instance is to stay: its block is another zone's by now, which has not answered
 * yet that it runs the instance. What is scored where nothing runs would not count. */
bool venues_keeps(const struct venues *instances, uint64_t tick, uint32_t id);

/* venues_is_out tells whether a guest has no life left in its instance. */
bool venues_is_out(const struct venues *instances, const struct game_guest *guest);

/* venues_hash stays as it is where there was never an instance. */
uint64_t venues_hash(const struct venues *instances, uint64_t hash);
const struct venues_stats *venues_stats(const struct venues *instances);

#endif
