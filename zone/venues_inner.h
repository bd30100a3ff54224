/* venues_inner.h: inside of instances: their state, and what instances.c and venues_run.c lend each other. Nothing
 * outside these files includes it.
 */
#ifndef MARCH_ZONE_VENUES_INNER_H
#define MARCH_ZONE_VENUES_INNER_H

#include "zone/rng.h"
#include "zone/venues.h"

/* Who and what is in an instance, as the newest look found it. Teams are bits, who has none is the lowest. */
struct instance_count {
    uint32_t creatures, players;
    uint32_t living[WIRE_INSTANCE_WAVES_MAX]; /* creatures of each wave */
    uint32_t teams_seen;                      /* that ever had somebody present */
    uint32_t teams_in;                        /* that have somebody who lives or may rise */
};

/* A player that an instance lists, and what was counted of it there, also before it left and came again. */
struct venue_member {
    uint64_t player;
    uint8_t kills, deaths;
};

struct venue {
    struct wire_instance_order order; /* the newest; its ranges are ours */
    struct wire_instance_wave waves[WIRE_INSTANCE_WAVES_MAX];
    struct wire_instance_spot spots[WIRE_INSTANCE_SPOTS_MAX];
    struct venue_member members[WIRE_INSTANCE_PLAYERS_MAX];
    struct wire_rect rect; /* of its cell, metres, up to the walls */
    enum wire_instance_phase phase;
    uint32_t goal;
    uint32_t reserved; /* creatures that there is room for */
    bool is_left;      /* its block is another zone's by now */
    bool is_told;      /* and that was told; not part of the state */
    uint64_t began_tick, over_tick, heard_tick, left_tick, settle_tick, seen_tick;
    uint32_t scores[WIRE_TEAMS_MAX];
    uint32_t wave;                 /* that are over */
    uint32_t started;              /* that began */
    uint32_t spawned;              /* creatures of the newest */
    uint64_t wave_tick, dead_tick; /* the newest began, all that began were found dead */
    struct rng rng;                /* for those who rise */
    struct instance_count count;
};

/* Since when an entity is where it does not belong. */
struct stray {
    uint64_t id;
    uint64_t since_tick, seen_tick;
};

#define VENUES_INDEX_SIZE (2 * WIRE_INSTANCES_MAX) /* a power of two */

struct venues {
    struct venues_config config;
    struct venue *items; /* the first `count` */
    uint32_t count;
    uint16_t *index;          /* by id, open addressing; 0xffff: free */
    uint64_t complete_tick;   /* since when all that runs here is known; 0: it is not */
    uint64_t look_tick;       /* of the next look */
    uint32_t world_creatures; /* those of no instance, at the newest look */
    struct stray *strays;     /* by index of the entity */
    struct venues_stats stats;
};

static inline uint64_t venues_ticks(const struct venues *in, uint64_t ms) {
    return ms * in->config.tick_hz / 1000;
}

/* venues_find returns the instance of an id, NULL when it is not here. */
struct venue *venues_find(const struct venues *in, uint32_t id);

/* venues_remove forgets one; the last takes its place. */
void venues_remove(struct venues *in, uint32_t place);

/* venues_block returns the block of an instance, NULL where this zone does not own it. */
const struct wire_directory_partition *venues_block(const struct venues *in, uint32_t block);

#endif
