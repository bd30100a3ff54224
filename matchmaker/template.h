/* template.h: what an instance is: its room, who may come, what lives in it, how it ends and what it is worth.
 *
 * A plain value. Whoever makes one keeps it within the limits below, as template_file does for files. An instance keeps the
 * value that it was started with.
 */
#ifndef MARCH_MATCHMAKER_TEMPLATE_H
#define MARCH_MATCHMAKER_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "schemas/wire.h"

#define TEMPLATE_NAME_SIZE     32
#define TEMPLATE_CREATURES_MAX 256 /* of a wave, and at once */
#define TEMPLATE_CAPACITY_MAX  WIRE_INSTANCE_PLAYERS_MAX
#define TEMPLATE_SIDE_MIN_M    16
#define TEMPLATE_SIDE_MAX_M    512
#define TEMPLATE_TIME_S_MAX    86400
#define TEMPLATE_GOLD_MAX      1000000
#define TEMPLATE_ITEMS_MAX     1000
#define TEMPLATE_KILLS_MAX     10000
#define TEMPLATE_LIVES_MAX     1000
#define TEMPLATE_PERCENT_MAX   10000

/* What one player gets. */
struct template_reward {
    uint32_t gold;
    uint32_t item_kind, item_count; /* of common/item_kinds.h; 0: none */
};

/* More than `players` in it make it harder, fewer make it no easier. */
struct template_scaling {
    uint32_t players;           /* for whom the waves are as they are written */
    uint32_t creatures_percent; /* more creatures for each player more */
    uint32_t health_percent;    /* the same of their health */
};

enum template_crash { TEMPLATE_CRASH_RETURN = 0, TEMPLATE_CRASH_RESTART = 1 };

struct template {
    char name[TEMPLATE_NAME_SIZE]; /* as that of a mode */
    uint32_t version;              /* rises each time that a changed file is loaded; 1 at first */
    uint32_t side_m;
    uint32_t capacity;     /* players, 1 to TEMPLATE_CAPACITY_MAX */
    uint32_t time_limit_s; /* 0: none */
    uint32_t goals;        /* of enum wire_instance_goal */
    uint32_t kills;
    uint32_t lives;   /* 0: no end of them */
    uint32_t rise_ms; /* how long one is dead */
    uint32_t empty_s;
    uint32_t wave_count, spot_count, box_count;
    struct wire_instance_wave waves[WIRE_INSTANCE_WAVES_MAX];
    struct wire_instance_spot spots[WIRE_INSTANCE_SPOTS_MAX];
    struct wire_instance_box boxes[WIRE_INSTANCE_BOXES_MAX];
    struct template_scaling scaling;
    struct template_reward win, lose;
    enum template_crash crash;
    bool checkpoints; /* a crashed instance that is restarted goes on with the wave that it was in */
};

/* template_scaled returns what a number of the waves becomes for so many players: so many percent of it more for each beyond
 * `least`, rounded down. All within the limits above. */
static inline uint64_t template_scaled(uint32_t value, uint32_t percent, uint32_t least, uint32_t players) {
    uint64_t more = players > least ? players - least : 0;
    return value + (uint64_t)value * percent * more / 100;
}

/* template_scale makes the waves those for so many players; of up to `capacity`, as template_file sees to, none comes to its
 * limit. */
void template_scale(struct template *template, uint32_t players);

#endif
