/* venues_inner.h: inside of instances: their state, and what venues.c, venues_run.c and venues_carry.c lend each other.
 * Nothing outside these files includes it.
 */
#ifndef MARCH_ZONE_VENUES_INNER_H
#define MARCH_ZONE_VENUES_INNER_H

#include "zone/budget.h"
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
    uint16_t kills, deaths;
};

/* Scores by team. An instance is at two zones only while its block changes hands, and each adds to what it scored itself
 * alone: so the sum is right whatever is told twice, late or in another order. */
struct venue_scores {
    uint32_t base[WIRE_TEAMS_MAX];   /* of before it was here */
    uint32_t theirs[WIRE_TEAMS_MAX]; /* scored at `other`, which hands it over or took it */
    uint32_t own[WIRE_TEAMS_MAX];    /* scored here */
    uint32_t other;                  /* slot; WIRE_SLOT_NONE: nobody */
};

struct venue {
    struct wire_instance_order order; /* the newest; its ranges are ours */
    struct wire_instance_wave waves[WIRE_INSTANCE_WAVES_MAX];
    struct wire_instance_spot spots[WIRE_INSTANCE_SPOTS_MAX];
    struct wire_instance_box boxes[WIRE_INSTANCE_BOXES_MAX];
    struct venue_member members[WIRE_INSTANCE_PLAYERS_MAX];
    struct wire_rect rect; /* of its cell, metres, up to the walls */
    enum wire_instance_phase phase;
    uint32_t goal;
    uint32_t reserved; /* creatures that there is room for */
    bool is_left;      /* its block is another zone's by now, to which it is told */
    bool is_heard;     /* its former zone has told it */
    bool is_sure;      /* its base is what zones have counted, and no report */
    uint32_t left_to;  /* slot */
    uint64_t began_tick, over_tick, heard_tick, left_tick, settle_tick, seen_tick;
    uint64_t came_tick; /* its block came here, or it was ordered first */
    struct venue_scores scores;
    uint32_t wave;                 /* that are over */
    uint32_t started;              /* that began */
    uint32_t spawned;              /* creatures of the newest */
    uint64_t wave_tick, dead_tick; /* the newest began, all that began were found dead */
    struct rng rng;                /* for those who rise */
    uint32_t pace;                 /* its creatures think in one of so many of their turns */
    struct budget budget;          /* what was measured: no part of the state */
    struct instance_count count;
    struct {
        uint32_t serial;           /* of what is to be told where it is left; each change has a greater one */
        uint32_t told, taken;      /* the newest that was told, and answered */
        uint64_t told_tick;        /* bears on nothing but what is told, as all of this */
        uint32_t answer_to, heard; /* slot and serial to be answered; WIRE_SLOT_NONE: none */
    } carry;
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
    uint16_t *index;                                               /* by id, open addressing; 0xffff: free */
    uint64_t complete_tick;                                        /* since when all that runs here is known; 0: it is not */
    uint64_t look_tick;                                            /* of the next look */
    uint32_t world_creatures;                                      /* those of no instance, at the newest look */
    struct stray *strays;                                          /* by index of the entity */
    bool has_news;                                                 /* for other zones */
    struct wire_carried_instance carried[WIRE_PEER_INSTANCES_MAX]; /* of the newest telling */
    struct wire_carried_member carried_members[WIRE_PEER_ITEMS_MAX];
    struct wire_instance_taken taken[WIRE_PEER_INSTANCES_MAX];
    struct venues_stats stats;
};

static inline uint64_t venues_ticks(const struct venues *in, uint64_t ms) {
    return ms * in->config.tick_hz / 1000;
}

/* venues_find returns the instance of an id, NULL when it is not here. */
struct venue *venues_find(const struct venues *in, uint32_t id);

/* venues_remove forgets one; the last takes its place. */
void venues_remove(struct venues *in, uint32_t place);

static inline uint32_t venues_score(const struct venue *item, uint32_t team) {
    return item->scores.base[team] + item->scores.theirs[team] + item->scores.own[team];
}

/* venues_block returns the block of an instance, NULL where this zone does not own it. */
const struct wire_directory_partition *venues_block(const struct venues *in, uint32_t block);

/* venues_is_coming tells whether the block of an instance is still handed over to this zone. */
static inline bool venues_is_coming(const struct venues *in, const struct venue *item, uint64_t tick) {
    const struct wire_directory_partition *block = venues_block(in, item->order.block);
    return block && block->former != WIRE_SLOT_NONE && tick < item->came_tick + venues_ticks(in, VENUES_COMING_MS);
}

#endif
