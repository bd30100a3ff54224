/* view.h: what each client sees: interest, priority, baselines, and the snapshots made of them.
 *
 * A view is the zone's picture of one client's snapshot table. view_build runs in four steps:
 *   1. interest   the grid gives who is within the radius; who left (10 % further out, or gone) is removed, who came gets
 *                 the lowest free slot;
 *   2. need       an entity needs an update when what the client predicts is off by more than a threshold, when its yaw,
 *                 health or action changed, when it is new, or when its last update was lost;
 *   3. priority   what needs an update gathers weight (near, new, hurt, own group first) with each snapshot until it is
 *                 sent, so nothing starves; the packet's budget is filled from the top;
 *   4. write      in slot order, against the newest version the client has acknowledged.
 * view_ack turns the updates of a snapshot into baselines. A snapshot older by three than an acknowledged one is lost.
 *
 * All views of a zone live in one reserved mapping of which only what is used gets memory: a view of 60 entities touches
 * two or three pages. Limits: VIEW_SLOTS_MAX slots a view, VIEW_LOG_MAX updates and VIEW_SNAPSHOTS_MAX snapshots in flight;
 * past them a snapshot carries fewer updates (counted), the rest waits. Where more stands in the radius than there are
 * slots, the nearest are seen. Nothing allocates after create.
 */
#ifndef MARCH_ZONE_VIEW_H
#define MARCH_ZONE_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/net_state.h"
#include "common/snapshot.h"
#include "zone/grid.h"

#define VIEW_SLOTS_MAX     SNAPSHOT_SLOTS_MAX
#define VIEW_LOG_MAX       1024
#define VIEW_SNAPSHOTS_MAX 32
#define VIEW_OWN_NONE      0xffffu
#define VIEW_RADIUS_MAX    (450 * NET_POSITION_PER_M) /* with hysteresis, squares of distances fit in 32 bits */
#define VIEW_BYTES_MIN     256                        /* room of a snapshot: fits every removal, and an update */

/* What a zone publishes of each entity once a tick, under its index: one cache line read tells a view all. An index is
 * stable for an entity's life. An entity is alive when state.tick is the world's tick. */
struct view_entity {
    _Alignas(32) uint64_t id;
    struct net_state state;
    uint16_t generation; /* low bits; changes when the index gets another entity */
    uint16_t group;      /* 0: none */
};
_Static_assert(sizeof(struct view_entity) == 32, "two to a cache line");

/* The world at one tick. The grid holds the living entities and nothing else. */
struct view_world {
    const struct view_entity *entities;
    const struct grid *grid;
    uint32_t tick; /* low 32 bits */
};

struct views_config {
    uint32_t clients_max;
    uint32_t entities_max;   /* at most 65535 */
    uint32_t slots_max;      /* of one view, own entity included: 2 to VIEW_SLOTS_MAX */
    uint32_t error_near_max; /* 1/64 m: prediction error that is let pass; 4 is 1/16 m */
    uint32_t error_far_max;  /* the same beyond half the radius */
    uint32_t yaw_error_max;  /* 1/256 turn */
};

/* What to build for. `own` is the index of the client's entity or VIEW_OWN_NONE; x, y is what the view is centred on. */
struct view_request {
    uint16_t own;
    uint16_t input_ack;
    uint16_t target; /* index of the entity the client is fighting, or VIEW_OWN_NONE: it goes first, like the own group */
    int32_t x, y;    /* 1/64 m */
    uint32_t radius; /* 1/64 m, at most VIEW_RADIUS_MAX (more counts as that) */
};

struct view_result {
    uint16_t seq;      /* for view_ack */
    uint16_t in_view;  /* entities with a slot, own included */
    uint16_t updates;  /* written */
    uint16_t deferred; /* needed, but no room: they wait */
    uint16_t removals;
    size_t len;
};

/* Sums over all views since views_create: counters for metrics. */
struct views_stats {
    uint64_t builds;
    uint64_t bytes;
    uint64_t updates;
    uint64_t full_updates;
    uint64_t deferred;
    uint64_t removals;     /* slots removed, not counting repeats */
    uint64_t lost;         /* snapshots taken for lost */
    uint64_t log_full;     /* builds cut short by VIEW_LOG_MAX */
    uint64_t slots_full;   /* builds in which an entity in the radius found no slot */
    uint64_t unknown_acks; /* of snapshots that are not in flight any more, or never were */
};

struct views;

/* views_create reserves room for clients_max views. NULL when there is no memory or the configuration is out of range. */
struct views *views_create(const struct views_config *config);
void views_destroy(struct views *views);

/* view_reset makes the view of `client` (below clients_max) empty, for a client that just came. `stream` tells this view
 * from the one the client had before, in this zone or another: the client empties its table when it changes. */
void view_reset(struct views *views, uint32_t client, uint8_t stream);

/* view_ack takes in that the client has received snapshot `seq`. Safe for any number: what is not in flight is counted
 * and ignored. */
void view_ack(struct views *views, uint32_t client, uint16_t seq);

/* view_build writes the next snapshot into `size` bytes, at least VIEW_BYTES_MIN. Never fails: what does not fit waits. */
void view_build(struct views *views, uint32_t client, const struct view_world *world, const struct view_request *request,
                uint8_t *bytes, size_t size, struct view_result *result);

const struct views_stats *views_stats(const struct views *views);

#endif
