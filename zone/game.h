/* game.h: the rules of the game: the one header between a zone and its rules, and what a studio replaces.
 *
 * The zone owns entities, grid, sessions and time; the rules own what an entity is and does. In each tick the zone calls, in
 * this order: game_input for each player with a new command, game_think, game_move, (the grid is rebuilt,) game_combat. It
 * calls game_join, game_leave and game_respawn between ticks, in the order it was told to.
 *
 * The rules are a function of (state, calls, seed): integers only, no clock, no address-dependent order. Everything that
 * bears on the future goes into game_hash.
 *
 * These rules are a small action game. Players walk in eight directions, strike what stands before them and shoot along
 * their aim; those of one team do each other no harm. Creatures wander about their home, chase the nearest player and bite.
 * The dead lie where they fell, then rise somewhere else; in an instance they wait for it to let them. The edge of the world
 * is a wall, and so is that of a cell; a zone's border is none. Nobody walks, strikes or shoots through what stands in an
 * instance's room; who walks into it slides along. Who kills a creature gains experience, and by it levels,
 * which make a player hardier and stronger; and is granted gold and now and then an item, by the rules' own dice. Items
 * themselves are none of the rules' business: they only say who is granted what, and take the effects of those that are
 * used.
 */
#ifndef MARCH_ZONE_GAME_H
#define MARCH_ZONE_GAME_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "schemas/room.h"
#include "zone/entities.h"
#include "zone/grid.h"
#include "zone/territory.h"

struct game;

struct game_config {
    const struct territory *territory; /* may change between ticks */
    uint64_t seed;
};

/* Net kinds and actions of these rules. */
enum game_kind { GAME_KIND_PLAYER = 1, GAME_KIND_CREATURE = 2 };
enum game_action { GAME_ACTION_NONE = 0, GAME_ACTION_STRIKE = 1, GAME_ACTION_SHOOT = 2, GAME_ACTION_DEAD = 3 };

enum game_button { GAME_BUTTON_STRIKE = 1, GAME_BUTTON_SHOOT = 2 };

/* What a player holds down; it lasts until the next one. */
struct game_input {
    int8_t move_x, move_y; /* -1, 0 or 1 */
    uint8_t buttons;       /* of enum game_button */
    uint16_t aim;          /* 65,536 to a turn */
};

enum game_event_type { GAME_EVENT_DIED = 0, GAME_EVENT_RESPAWNED = 1, GAME_EVENT_PROGRESS = 2, GAME_EVENT_LOOT = 3 };

/* What happened to a player that others than its neighbours are told. */
struct game_event {
    enum game_event_type type;
    uint16_t index;     /* LOOT: ENTITY_NONE where another zone has the player */
    uint64_t player;    /* LOOT, where another zone has it: its id */
    bool is_told;       /* DIED: who did it is told by an outcome what it has of that */
    uint64_t by;        /* DIED: entity id of who did it. LOOT: of the creature that was killed */
    uint64_t gold;      /* LOOT */
    uint32_t item_kind; /* LOOT: of common/item_kinds.h, 0 for none */
    uint32_t item_count;
};

/* A hit on a ghost, for the zone that has it to decide. */
struct game_hit {
    uint16_t target, attacker; /* indices */
    uint32_t damage;
};

/* What an attacker that another zone had gained here. */
struct game_outcome {
    uint64_t attacker, target; /* entity ids */
    uint32_t experience;
    bool killed;
    uint32_t instance; /* of a player that was killed; 0: none */
    uint32_t zone;     /* that told of its hit */
    uint8_t team;
};

/* Who hits, as another zone tells of it. */
struct game_striker {
    uint64_t id;
    uint64_t player; /* 0: a creature */
    uint32_t zone;   /* slot of the zone that tells */
};

/* Of what an entity is a part besides the world: an instance, for as long as it is there. */
struct game_guest {
    uint32_t instance; /* 0: in the world */
    bool is_alive;
    uint8_t team;           /* of a player, from 1; 0: none */
    uint16_t kills, deaths; /* of a player: of players of other teams and its own, up to 65,535: since it came, */
    bool is_recounted;      /* and before, for game_recount has added that */
    uint8_t wave;           /* of a creature */
    uint64_t died_tick;     /* where it is dead */
};

/* A creature of an instance. */
struct game_spawn {
    uint32_t instance;
    uint8_t wave;
    uint16_t health_percent, damage_percent;
    int32_t x, y; /* Q16.16 metres */
};

/* What lasts of a player between two visits to a zone. Of one that is in an instance it is where its way home ends. */
struct game_character {
    int32_t x, y;        /* Q16.16 metres */
    uint16_t yaw;        /* 65,536 to a turn */
    uint16_t level;      /* follows from the experience: read, never taken */
    uint16_t hit_points; /* 0: dead */
    uint64_t experience;
};

/* game_create sets up the rules over a zone's entities and grid, which outlive it. `grid` is read only during game_think and
 * game_combat. NULL when there is no memory. */
struct game *game_create(const struct game_config *config, struct entities *entities, const struct grid *grid);
void game_destroy(struct game *game);

/* game_set_grid gives it another grid, between ticks. */
void game_set_grid(struct game *game, const struct grid *grid);

/* game_settle spawns the creatures that a partition lacks: as many as it has, less those here whose home is in it. Stops at
 * the room that there is. Returns how many it spawned. */
uint32_t game_settle(struct game *game, const struct wire_directory_partition *partition);

/* game_join spawns a player and stores its index; MARCH_ERR_FULL when the zone has no room. It comes as `character`, moved
 * inside the walls, its hit points at most what its level has; the dead rise somewhere. NULL: as one that never played. */
must_check int game_join(struct game *game, const struct game_character *character, uint16_t *index);
void game_leave(struct game *game, uint16_t index);

/* game_carry writes what the rules keep of an entity, a player's or a creature's, for another zone; game_arrive gives it to
 * an entity that has just come from there, already in its place. MARCH_ERR_FULL where there is no room for a creature more.
 */
void game_carry(const struct game *game, uint16_t index, uint8_t bytes[WIRE_CARRIED_RULES_BYTES]);
must_check int game_arrive(struct game *game, uint16_t index, const uint8_t bytes[WIRE_CARRIED_RULES_BYTES]);

/* game_carried_character tells what would have to be kept of a player that is on its way. */
struct game_character game_carried_character(const struct wire_carried *carried);

/* game_depart lets go of an entity that goes on in another zone, as its ghost; game_haunt brings a ghost's body up to date
 * with what clients see of it. */
void game_depart(struct game *game, uint16_t index);
void game_haunt(struct game *game, uint16_t index);

/* game_struck does a hit that another zone tells of to a body of this one; nothing happens to the dead. */
void game_struck(struct game *game, uint16_t index, struct game_striker by, uint32_t damage);

/* game_killed counts that a player has killed one of another zone. */
void game_killed(struct game *game, uint16_t index);

/* game_gain gives a player what its hit in another zone was worth. */
void game_gain(struct game *game, uint16_t index, uint32_t experience);

/* game_hits and game_outcomes return what is to be told to other zones since game_events_clear. */
const struct game_hit *game_hits(const struct game *game, uint32_t *count);
const struct game_outcome *game_outcomes(const struct game *game, uint32_t *count);
uint32_t game_outcomes_lost(const struct game *game); /* for lack of room */

/* game_character tells what would have to be kept of a player. */
struct game_character game_character(const struct game *game, uint16_t index);

/* --- instances. What is in one neither leaves it nor rises on its own; who lies dead in one waits for game_revive. */

struct game_guest game_guest(const struct game *game, uint16_t index);

/* game_travel puts a player into an instance, in full health; where it stood is its home, unless it was in one before.
 * `team` is from 0; one beyond WIRE_TEAMS_MAX is none. game_go_home brings it back there, in full health, and who has no
 * home, or one that is none any more, anywhere. */
void game_travel(struct game *game, uint16_t index, uint32_t instance, uint32_t team, int32_t x, int32_t y);
void game_go_home(struct game *game, uint16_t index);

/* game_furnish tells what stands in the room of an instance, from now on; NULL: nothing. Of WIRE_INSTANCES_MAX at most. */
void game_furnish(struct game *game, uint32_t instance, const struct room *room);

/* game_fence tells how far from its cell's least corner an entity may walk, metres; it holds for as long as it is there. Who
 * stands in what has come to be known only now is beside it from then on. */
void game_fence(struct game *game, uint16_t index, uint16_t side_m);

/* game_pace has a creature think in one of so many of its turns, 1 to 15; for as long as it is there. */
void game_pace(struct game *game, uint16_t index, uint8_t pace);

/* game_recount adds what was counted of a guest before it came, once. */
void game_recount(struct game *game, uint16_t index, uint16_t kills, uint16_t deaths);

/* game_revive lets a dead player rise at a place. */
void game_revive(struct game *game, uint16_t index, int32_t x, int32_t y);

/* game_spawn makes a creature of an instance; MARCH_ERR_FULL when there is no room. game_dismiss takes one away. */
must_check int game_spawn(struct game *game, const struct game_spawn *spawn, uint16_t *index);
void game_dismiss(struct game *game, uint16_t index);

/* game_effect does to a living player what an item does that it used: `kind` of enum item_effect. Others do nothing. */
void game_effect(struct game *game, uint16_t index, uint32_t kind, uint32_t amount);

/* game_input is a player's new command. */
void game_input(struct game *game, uint16_t index, struct game_input input);

/* game_respawn lets a dead player rise now; nothing happens to a living one, or in an instance. */
void game_respawn(struct game *game, uint16_t index);

/* game_set_meter has it measured how long the creatures of instances think in the next game_think: `now_ns` is a clock,
 * which bears on nothing else. NULL: it is not measured any more. */
struct game_meter {
    uint64_t (*now_ns)(void);
    void (*spent)(void *context, uint32_t instance, uint64_t ns);
    void *context;
};

void game_set_meter(struct game *game, const struct game_meter *meter);

/* game_think runs timers and a share of the creatures' minds, so that each thinks once in `think_ticks`. */
void game_think(struct game *game, uint64_t tick, uint32_t think_ticks);

/* game_move moves everything by `ticks` ticks of its velocity, up to the edge of the world; ghosts as their zones do. */
void game_move(struct game *game, uint32_t ticks);

/* game_combat resolves strikes and shots. The grid is of the places after game_move. */
void game_combat(struct game *game, uint64_t tick);

/* game_target returns the index of whom a player hit in the last seconds, ENTITY_NONE when there is nobody: its client is
 * told of that entity first. */
uint16_t game_target(const struct game *game, uint16_t index);

/* game_earshot returns how far speech carries, in Q16.16 metres. */
int32_t game_earshot(const struct game *game);

/* game_creatures counts the creatures simulated here; game_creature returns the index of the n-th. */
uint32_t game_creatures(const struct game *game);
uint16_t game_creature(const struct game *game, uint32_t n);

/* game_events returns what happened since game_events_clear, oldest first. */
const struct game_event *game_events(const struct game *game, uint32_t *count);
void game_events_clear(struct game *game);

/* game_hash mixes all state of the rules that is not in the entities into a hash. */
uint64_t game_hash(const struct game *game, uint64_t hash);

#endif
