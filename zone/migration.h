/* migration.h: creatures that walk from zone to zone: each is simulated by exactly one at any time.
 *
 * A creature whose place belongs to another zone is frozen: what the rules keep of it is written down, and it becomes a
 * ghost of that zone, which takes it and says so. A border between two owners is passed 2 m beyond it, so that who walks
 * along it is not carried to and fro; from a partition that is only still handed over a creature goes at once.
 *
 *   own ──beyond the border──► due ──in a batch──► sent ──taken──► forgotten
 *    ▲                          ▲                   │
 *    │                          └─── heard anew ────┤
 *    └──room for it── back ◄──full, zone is lost────┘
 *
 * A connection that ends loses what was on its way, and a zone hears nobody whom its directory does not list yet. So what
 * was sent and not answered is sent again over the next one, and when the other begins to hear; who had taken it says so
 * again: it knows by what it simulates, what it has carried on itself, and by arrivals.h. Each journey of a creature has a
 * greater tick than the one before, also where clocks differ. An answer names it, so a late one is never taken for that of
 * the next journey.
 *
 * Limits: MIGRATION_FLIGHTS_MAX under way, MIGRATION_STARTS_MAX begun in a tick, to zones that are connected; the rest walks
 * on here until there is room. Who is refused tries again after MIGRATION_AGAIN_MS. Nothing allocates after create. All of
 * this is state of the simulation: connections and what zones tell have to be recorded; what was told to them bears on
 * nothing.
 */
#ifndef MARCH_ZONE_MIGRATION_H
#define MARCH_ZONE_MIGRATION_H

#include <stdint.h>

#include "schemas/wire.h"
#include "zone/entities.h"
#include "zone/game.h"
#include "zone/ghosts.h"
#include "zone/territory.h"

#define MIGRATION_FLIGHTS_MAX  512 /* all of them fit in one batch */
#define MIGRATION_STARTS_MAX   32  /* in a tick */
#define MIGRATION_HYSTERESIS_M 2
#define MIGRATION_AGAIN_MS     1000

struct migration_config {
    struct entities *entities; /* these four outlive it */
    struct game *game;
    struct ghosts *ghosts;
    const struct territory *territory;
    uint32_t tick_hz;
};

struct migration_stats {
    uint64_t started, finished;
    uint64_t taken, repeated; /* from others; repeated: carried although it was taken before */
    uint64_t refused;         /* of others', by us */
    uint64_t bad;             /* of those, no creatures or out of the world */
    uint64_t back;            /* ours, refused by others or their zone was lost */
    uint64_t elsewhere;       /* not taken back, since a third zone has it by now */
    uint64_t delayed;         /* ticks in which something had to wait for room under way */
    uint64_t answers_unknown; /* to no journey, or an older one */
    uint64_t answers_no_room; /* carried more than a zone can have under way: answered when it is carried again */
};

struct migration;

/* migration_create returns NULL without memory. */
struct migration *migration_create(const struct migration_config *config);
void migration_destroy(struct migration *migration);

/* --- connections to zones, by slot below WIRE_WORKERS_MAX; at first all are lost */

/* migration_open: a connection begins: what was not answered is told again. */
void migration_open(struct migration *migration, uint32_t slot, uint64_t tick);

/* migration_again: the zone has only now begun to hear us: what was told before may be lost, though the connection lasts.
 * What was not answered is told again. */
void migration_again(struct migration *migration, uint32_t slot);

/* migration_close: it ended, and the same incarnation may come back. */
void migration_close(struct migration *migration, uint32_t slot);

/* migration_lose: the incarnation is not heard any more. What was on its way there comes back. */
void migration_lose(struct migration *migration, uint32_t slot, uint64_t tick);

/* --- what a zone tells, between ticks */

void migration_take(struct migration *migration, uint32_t slot, uint64_t tick, const struct wire_carried_creature *creatures,
                    uint32_t count);
void migration_take_answers(struct migration *migration, uint32_t slot, uint64_t tick,
                            const struct wire_creature_taken *taken, uint32_t count);

/* --- once a tick, after combat */

void migration_update(struct migration *migration, uint64_t tick);

/* migration_tell fills in what a zone is to be told, the creatures and answers of a batch; valid until the next call.
 * Nothing, where it is not connected. migration_told: that batch is on its way; one that could not be sent is told again. */
void migration_tell(struct migration *migration, uint32_t slot, struct wire_peer_batch *batch);
void migration_told(struct migration *migration, uint32_t slot);

/* --- looking in */

/* migration_in_flight counts creatures that left a rectangle and are not known to have arrived. */
uint32_t migration_in_flight(const struct migration *migration, struct wire_rect rect);
const struct migration_stats *migration_stats(const struct migration *migration);

/* migration_hash mixes what bears on the future into a hash; it stays as it is where no zone was ever connected. */
uint64_t migration_hash(const struct migration *migration, uint64_t hash);

#endif
