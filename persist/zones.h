/* zones.h: the edges to zones: leases, loads, states, loot; what is durable and what items do goes back.
 *
 * A report is heard when its zone has the lease under the epoch that it carries; otherwise it is told that its lease is
 * stale, and nothing of it is taken. States go to motion.h and loot to grants.h; both are acknowledged when the journal has
 * them durable. States come first, so that a player who left and joins again is loaded as it left.
 *
 * When the journal is full motion keeps states in memory alone, if at all; nothing of that zone is acknowledged then, and
 * once there is room again the zone is asked for all of its states.
 *
 * Where a player is: the zone that was given it or reported it last, under the greatest (session epoch, attachment). Effects
 * of items go there. A zone that reports it under a lower one has handed it over, or was passed by: its state is not taken,
 * and it is told to let go of what it simulates under less. After a start this is learnt anew from the reports.
 *
 * Limits: ZONES_ACKS_MAX reports of a zone that wait to be durable (past that the newest two are acknowledged together),
 * ZONES_GRANTS_MAX grants (past that a zone is told to send them again), MOTION_LOADS_MAX loads, and in each message what
 * wire_persist.h allows: what has no room is asked again by the zone, but for effects, which are lost and counted.
 * Zones are listened for; all on the loop's thread.
 */
#ifndef MARCH_PERSIST_ZONES_H
#define MARCH_PERSIST_ZONES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/error.h"
#include "persist/flags.h"
#include "persist/leases.h"
#include "schemas/wire.h"

#define ZONES_ACKS_MAX   256
#define ZONES_GRANTS_MAX 16384

struct ev_loop;
struct grants;
struct journal;
struct motion;
struct pg;
struct zones;

struct zones_config {
    const struct config *config;
    uint32_t shard_index;
    const char *run_dir;
    struct wire_hello hello;
    const uint8_t *key; /* the cluster key, NULL with ipc */
    struct pg *pg;
    int64_t fence; /* the shard's epoch */
    struct journal *journal;
    struct motion *motion;
    struct grants *grants;
    const struct flags *flags;
    void *ctx;
    /* A player's experience is not what it was when it was last seen. */
    void (*experience)(void *ctx, uint64_t player, uint64_t experience);
};

struct zones_stats {
    uint64_t reports;
    uint64_t reports_stale; /* of zones without the lease */
    uint64_t bad;           /* malformed, or not that zone's to say */
    uint64_t states, states_stale;
    uint64_t states_passed;  /* of simulations that another zone goes on with */
    uint64_t unacknowledged; /* reports that motion could not keep */
    uint64_t resends;        /* times that a zone was asked for all its states */
    uint64_t loads, loads_refused;
    uint64_t grants, grants_again, grants_refused;
    uint64_t effects, effects_lost;
    uint64_t dropped; /* messages that the bus had no room for */
    uint32_t up;      /* zones that are connected */
    uint32_t players; /* whose zone is known */
    struct leases_stats leases;
};

must_check int zones_open(struct zones **out, struct ev_loop *loop, const struct zones_config *config, char *error,
                          size_t error_size);
/* zones_close: after the pool and motion, which call back. NULL is fine. */
void zones_close(struct zones *zones);

/* zones_durable acknowledges what has become durable: after each journal_update. */
void zones_durable(struct zones *zones);

/* zones_fence has nothing of an incarnation of a zone, or of all others, heard any more (leases.h). MARCH_ERR_INVALID for a
 * slot that is none. */
must_check int zones_fence(struct zones *zones, const struct wire_fence *fence, lease_fenced fenced, void *ctx);

/* zones_find tells which zone has a player, by its slot; false: none that is connected. */
bool zones_find(const struct zones *zones, uint64_t player, uint16_t *zone);

/* zones_effect tells the zone of a player what an item does to it. */
void zones_effect(struct zones *zones, uint64_t player, uint32_t kind, uint32_t amount);

struct zones_stats zones_stats(const struct zones *zones);

#endif
