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
 * their aim. Creatures wander about their home, chase the nearest player and bite. The dead lie where they fell, then rise
 * somewhere else. The zone's border is a wall. Who kills a creature gains experience, and by it levels, which make a player
 * hardier and stronger; and is granted gold and now and then an item, by the rules' own dice. Items themselves are none of
 * the rules' business: they only say who is granted what, and take the effects of those that are used.
 */
#ifndef MARCH_ZONE_GAME_H
#define MARCH_ZONE_GAME_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "zone/entities.h"
#include "zone/grid.h"

struct game;

struct game_config {
    struct grid_rect bounds; /* nothing leaves it */
    uint32_t creatures;      /* made at the start */
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
    uint16_t index;
    uint64_t by;        /* DIED: entity id of who did it. LOOT: of the creature that was killed */
    uint64_t gold;      /* LOOT */
    uint32_t item_kind; /* LOOT: of common/item_kinds.h, 0 for none */
    uint32_t item_count;
};

/* What lasts of a player between two visits to a zone. */
struct game_character {
    int32_t x, y;        /* Q16.16 metres */
    uint16_t yaw;        /* 65,536 to a turn */
    uint16_t level;      /* follows from the experience: read, never taken */
    uint16_t hit_points; /* 0: dead */
    uint64_t experience;
};

/* game_create sets up the rules over a zone's entities and grid, which outlive it, and spawns the creatures. `grid` is read
 * only during game_think and game_combat. NULL when there is no memory or no room for the creatures. */
struct game *game_create(const struct game_config *config, struct entities *entities, const struct grid *grid);
void game_destroy(struct game *game);

/* game_join spawns a player and stores its index; MARCH_ERR_FULL when the zone has no room. It comes as `character`, moved
 * inside the walls, its hit points at most what its level has; the dead rise somewhere. NULL: as one that never played. */
must_check int game_join(struct game *game, const struct game_character *character, uint16_t *index);
void game_leave(struct game *game, uint16_t index);

/* game_character tells what would have to be kept of a player. */
struct game_character game_character(const struct game *game, uint16_t index);

/* game_effect does to a living player what an item does that it used: `kind` of enum item_effect. Others do nothing. */
void game_effect(struct game *game, uint16_t index, uint32_t kind, uint32_t amount);

/* game_input is a player's new command. */
void game_input(struct game *game, uint16_t index, struct game_input input);

/* game_respawn lets a dead player rise now; nothing happens to a living one. */
void game_respawn(struct game *game, uint16_t index);

/* game_think runs timers and a share of the creatures' minds, so that each thinks once in `think_ticks`. */
void game_think(struct game *game, uint64_t tick, uint32_t think_ticks);

/* game_move moves everything by `ticks` ticks of its velocity, up to the walls. */
void game_move(struct game *game, uint32_t ticks);

/* game_combat resolves strikes and shots. The grid is of the places after game_move. */
void game_combat(struct game *game, uint64_t tick);

/* game_target returns the index of whom a player hit in the last seconds, ENTITY_NONE when there is nobody: its client is
 * told of that entity first. */
uint16_t game_target(const struct game *game, uint16_t index);

/* game_earshot returns how far speech carries, in Q16.16 metres. */
int32_t game_earshot(const struct game *game);

/* game_events returns what happened since game_events_clear, oldest first. */
const struct game_event *game_events(const struct game *game, uint32_t *count);
void game_events_clear(struct game *game);

/* game_hash mixes all state of the rules that is not in the entities into a hash. */
uint64_t game_hash(const struct game *game, uint64_t hash);

#endif
