/* game_rules.h: inside of the rules module: its figures, its state, and what game.c, game_combat.c,
 * game_creatures.c, game_journey.c, game_progress.c and game_rooms.c lend each other. Nothing outside these files includes
 * it.
 */
#ifndef MARCH_ZONE_GAME_RULES_H
#define MARCH_ZONE_GAME_RULES_H

#include "zone/game.h"
#include "zone/rng.h"

#define GAME_METRES(m) ((int32_t)((m)*65536))

/* Speeds in 2^-11 m per tick: metres a second x 2048 / 60. The diagonal one is straight / sqrt 2. */
#define PLAYER_SPEED          188 /* 5.5 m/s */
#define PLAYER_SPEED_DIAGONAL 133
#define CREATURE_WALK_SPEED   51  /* 1.5 m/s */
#define CREATURE_CHASE_SPEED  137 /* 4.0 m/s: a player outruns it */

#define BODY_RADIUS ROOM_BODY

#define PLAYER_HEALTH        100
#define PLAYER_RESPAWN_TICKS 180 /* 3 s */
#define PLAYER_STRIKE_DAMAGE 25
#define PLAYER_STRIKE_TICKS  30
#define PLAYER_SHOT_DAMAGE   10
#define PLAYER_SHOT_TICKS    24
#define PLAYER_SHOT_RANGE    GAME_METRES(30)

#define CREATURE_HEALTH        60
#define CREATURE_EXPERIENCE    20
#define CREATURE_GOLD_MAX      6   /* from 1 */
#define CREATURE_RESPAWN_TICKS 600 /* 10 s */
#define CREATURE_BITE_DAMAGE   8
#define CREATURE_BITE_TICKS    60
#define CREATURE_AGGRO_RADIUS  GAME_METRES(12)
#define CREATURE_LEASH         GAME_METRES(30) /* farther from home than this, it walks home */

#define EXPERIENCE_MAX   INT64_MAX /* as a database keeps it */
#define LEVEL_MAX        60
#define LEVEL_EXPERIENCE 100 /* from level n to the next: n times this */
#define LEVEL_HEALTH     5
#define LEVEL_DAMAGE     1

#define STRIKE_REACH   GAME_METRES(2)
#define STRIKE_COS_Q14 8192 /* within 60 degrees of the aim */
#define ACTION_TICKS   12   /* an action shows this long: four snapshots at 20 Hz */
#define TARGET_TICKS   300  /* whom one has hit stays one's target for 5 s */
#define SPEECH_REACH   GAME_METRES(30)

/* A body: what the rules keep of an entity besides what clients are told. Indexed like the entities. */
struct body {
    uint64_t ready_tick;  /* may strike or shoot again */
    uint64_t action_tick; /* the action shown ends */
    uint64_t rise_tick;   /* the dead rise */
    uint64_t target_tick; /* when it hit `target`; shown to clients only, so it is no part of the hash */
    struct entity_handle target;
    uint64_t experience; /* of a player */
    int16_t hit_points;  /* 0: dead */
    uint16_t level;      /* of a player, from 1; follows from the experience */
    uint16_t aim;
    uint8_t buttons;
};

/* Of the entity of that generation alone: whatever has the index next is in no instance. A ghost keeps it, so that its team
 * is known. */
struct journey {
    uint32_t generation;
    uint32_t instance;
    int16_t home_x, home_y; /* of a player: whole metres, its middle is meant */
    uint16_t side_m;        /* 0: as far as the cell is wide */
    uint16_t kills, deaths;
    uint8_t team;
    bool is_recounted; /* what was before this journey is in them */
    uint8_t pace;      /* of a creature: it thinks in one of so many of its turns; 0: in each */
};

/* A creature's mind. */
struct creature {
    uint64_t wander_tick; /* makes up its mind anew */
    int32_t home_x, home_y;
    uint16_t index;
    uint16_t health_percent, damage_percent; /* 0: as they are */
    uint8_t wave;                            /* of an instance */
    bool chasing;
};

#define GAME_HITS_MAX 1024 /* on ghosts, between two clears; a shot more is lost */

struct game_rooms;

struct game {
    struct game_config config;
    struct entities *entities;
    const struct grid *grid;
    struct rng rng;
    uint64_t tick; /* of the newest game_think */
    struct body *bodies;
    struct journey *journeys;
    struct game_rooms *rooms;
    struct creature *creatures;
    uint32_t creature_count;
    uint16_t *creature_of;          /* by entity: its place in creatures; ENTITY_NONE: none */
    uint32_t think_next;            /* the creature whose turn it is */
    const struct game_meter *meter; /* NULL: nothing is measured */
    struct game_event *events;
    struct game_hit *hits;
    struct game_outcome *outcomes;
    uint32_t event_count, hit_count, outcome_count, outcomes_lost;
    uint32_t events_max; /* an entity rises and dies at most once between two clears, and each death is one's gain; and */
    uint32_t gain_count; /* so many gains in other zones are told */
};

/* game_hurt takes hit points off a living body; at none it dies. */
void game_hurt(struct game *game, uint16_t index, int16_t damage, uint16_t by);

/* game_full_health returns the most hit points of a body. */
int16_t game_full_health(const struct game *game, uint16_t index);

/* game_show_health brings what clients see up to date. */
void game_show_health(struct game *game, uint16_t index);

void game_add_event(struct game *game, const struct game_event *event);

/* game_reward gives a player what the death of a creature is worth: the one at `index`, or where that is ENTITY_NONE the one
 * of that id, in another zone. */
void game_reward(struct game *game, uint16_t index, struct game_striker by, uint16_t killed);

/* game_strength returns the damage of a body that does `damage` on the first level. */
int16_t game_strength(const struct game *game, uint16_t index, int16_t damage);

/* game_level_of returns the level that an amount of experience is. */
uint16_t game_level_of(uint64_t experience);

/* game_place_at_home picks a random place in what the zone owns of the world, or where that is nothing, anywhere in the
 * world. */
void game_place_at_home(struct game *game, int32_t *x, int32_t *y);

/* game_rise puts a body with full health at a place. */
void game_rise(struct game *game, uint16_t index, int32_t x, int32_t y);

/* game_place picks a random place in a rectangle, a body's radius inside. */
void game_place(struct game *game, const struct grid_rect *rect, int32_t *x, int32_t *y);

static inline const struct journey *game_journey(const struct game *game, uint16_t index) {
    static const struct journey none = {0};
    const struct journey *j = &game->journeys[index];
    return j->generation == game->entities->generation[index] ? j : &none;
}

/* game_are_friends tells whether two bodies are of one team. */
static inline bool game_are_friends(const struct game *game, uint16_t a, uint16_t b) {
    uint8_t team = game_journey(game, a)->team;
    return team != 0 && team == game_journey(game, b)->team;
}

struct game_rooms *game_rooms_create(void);

/* game_room returns what stands in the instance that an entity is in, NULL: nothing that is known here. */
const struct room *game_room(const struct game *game, uint16_t index);

/* game_step_aside moves an entity that stands in something beside it. */
void game_step_aside(struct game *game, uint16_t index);

/* game_walk takes an entity that has just moved from a place back to what it has met on its way, if anything. */
void game_walk(struct game *game, const struct room *room, uint16_t index, int32_t from_x, int32_t from_y);

/* game_sees tells whether nothing solid is between an entity and a place. */
static inline bool game_sees(const struct game *game, uint16_t index, int32_t x, int32_t y) {
    const struct room *room = game_room(game, index);
    return !room || room_sees(room, game->entities->x[index], game->entities->y[index], x, y);
}

/* game_note_death counts the death of a body; `by` is who did it, ENTITY_NONE: unknown here. */
void game_note_death(struct game *game, uint16_t index, uint16_t by);

#define CARRIED_HIT_POINTS_AT 48 /* of what game_carry writes */
#define CARRIED_AIM_AT        50
#define CARRIED_INSTANCE_AT   54
#define CARRIED_HOME_AT       58

uint64_t game_hash_journeys(const struct game *game, uint64_t hash);

/* game_is_target tells whether an index out of the grid still is a living body. (The grid may be older than the last
 * removal.) */
static inline bool game_is_target(const struct game *game, uint16_t index) {
    return entities_is_alive(game->entities, index) && game->bodies[index].hit_points > 0;
}

/* game_nearest_player returns the nearest living player within `radius`, ENTITY_NONE when there is none. */
uint16_t game_nearest_player(const struct game *game, int32_t x, int32_t y, int32_t radius);

/* game_strike_target returns the nearest body before `index` that it may strike, ENTITY_NONE when there is none. */
uint16_t game_strike_target(const struct game *game, uint16_t index);

/* game_shot_target returns the first body along the aim of `index`, ENTITY_NONE when there is none. */
uint16_t game_shot_target(const struct game *game, uint16_t index);

bool creatures_create(struct game *game);
void creatures_destroy(struct game *game);

/* creatures_add takes an entity for a creature; false where there is no room. creatures_remove forgets it. */
bool creatures_add(struct game *game, const struct creature *creature);
void creatures_remove(struct game *game, uint16_t index);
void creatures_think(struct game *game, uint32_t think_ticks);
int16_t creatures_full_health(const struct game *game, uint16_t index);
int16_t creatures_strength(const struct game *game, uint16_t index, int16_t damage);
uint64_t creatures_hash(const struct game *game, uint64_t hash);

#endif
