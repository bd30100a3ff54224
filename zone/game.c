#include "zone/game.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/net_state.h"
#include "zone/game_rules.h"
#include "zone/hash.h"

struct game *game_create(const struct game_config *config, struct entities *entities, const struct grid *grid) {
    struct game *game = calloc(1, sizeof *game);
    if (!game) return NULL;
    *game = (struct game){.config = *config, .entities = entities, .grid = grid, .rng = {config->seed}};
    game->bodies = calloc(entities->capacity, sizeof *game->bodies);
    game->events_max = 4 * entities->capacity;
    game->events = calloc(game->events_max, sizeof *game->events);
    if (!game->bodies || !game->events || !creatures_create(game)) {
        game_destroy(game);
        return NULL;
    }
    return game;
}

void game_destroy(struct game *game) {
    if (!game) return;
    free(game->bodies);
    free(game->creatures);
    free(game->events);
    free(game);
}

/* --- life and death */

int16_t game_full_health(const struct game *game, uint16_t index) {
    if (game->entities->kind[index] != GAME_KIND_PLAYER) return CREATURE_HEALTH;
    return (int16_t)(PLAYER_HEALTH + (game->bodies[index].level - 1) * LEVEL_HEALTH);
}

void game_add_event(struct game *game, const struct game_event *event) {
    if (game->entities->kind[event->index] != GAME_KIND_PLAYER) return;
    CHECK(game->event_count < game->events_max);
    game->events[game->event_count++] = *event;
}

/* The share of full health, of 255; the living show at least 1. */
void game_show_health(struct game *game, uint16_t index) {
    int32_t full = game_full_health(game, index);
    game->entities->health[index] = (uint8_t)((game->bodies[index].hit_points * 255 + full - 1) / full);
}

void game_place(struct game *game, int32_t *x, int32_t *y) {
    const struct grid_rect *bounds = &game->config.bounds;
    *x = rng_between(&game->rng, bounds->x_min + BODY_RADIUS, bounds->x_max - BODY_RADIUS);
    *y = rng_between(&game->rng, bounds->y_min + BODY_RADIUS, bounds->y_max - BODY_RADIUS);
}

void game_rise(struct game *game, uint16_t index, int32_t x, int32_t y) {
    struct entities *e = game->entities;
    e->x[index] = x;
    e->y[index] = y;
    e->vx[index] = e->vy[index] = 0;
    e->action[index] = GAME_ACTION_NONE;
    struct body *body = &game->bodies[index];
    *body = (struct body){.ready_tick = game->tick, .experience = body->experience, .level = body->level};
    body->hit_points = game_full_health(game, index);
    game_show_health(game, index);
}

static void die(struct game *game, uint16_t index, uint16_t by) {
    struct entities *e = game->entities;
    bool player = e->kind[index] == GAME_KIND_PLAYER;
    e->vx[index] = e->vy[index] = 0;
    e->action[index] = GAME_ACTION_DEAD;
    game->bodies[index].buttons = 0;
    game->bodies[index].rise_tick = game->tick + (player ? PLAYER_RESPAWN_TICKS : CREATURE_RESPAWN_TICKS);
    game_add_event(game, &(struct game_event){.type = GAME_EVENT_DIED, .index = index, .by = e->id[by]});
    if (!player && e->kind[by] == GAME_KIND_PLAYER) game_reward(game, by, index);
}

void game_hurt(struct game *game, uint16_t index, int16_t damage, uint16_t by) {
    struct body *body = &game->bodies[index];
    CHECK(body->hit_points > 0);
    body->hit_points = damage < body->hit_points ? (int16_t)(body->hit_points - damage) : 0;
    game_show_health(game, index);
    if (body->hit_points == 0) die(game, index, by);
}

static int32_t inside(int32_t position, int32_t min, int32_t max) {
    return position < min ? min : position > max ? max : position;
}

/* Gives a player that has just risen what it had when it was last seen. */
static void restore(struct game *game, uint16_t index, const struct game_character *character) {
    struct body *body = &game->bodies[index];
    if (character->hit_points == 0) return;
    if (character->hit_points < body->hit_points) body->hit_points = (int16_t)character->hit_points;
    body->aim = character->yaw;
    game->entities->yaw[index] = (uint8_t)(character->yaw >> 8);
    game_show_health(game, index);
}

int game_join(struct game *game, const struct game_character *character, uint16_t *index) {
    if (game->entities->count == game->entities->capacity) return MARCH_ERR_FULL;
    const struct grid_rect *bounds = &game->config.bounds;
    int32_t x, y;
    if (character && character->hit_points > 0) {
        x = inside(character->x, bounds->x_min + BODY_RADIUS, bounds->x_max - BODY_RADIUS);
        y = inside(character->y, bounds->y_min + BODY_RADIUS, bounds->y_max - BODY_RADIUS);
    } else {
        game_place(game, &x, &y);
    }
    int error = entities_spawn(game->entities, GAME_KIND_PLAYER, x, y, index);
    if (error) return error;
    uint64_t experience = !character ? 0 : character->experience < EXPERIENCE_MAX ? character->experience : EXPERIENCE_MAX;
    game->bodies[*index] = (struct body){.experience = experience, .level = game_level_of(experience)};
    game_rise(game, *index, x, y);
    if (character) restore(game, *index, character);
    return 0;
}

void game_leave(struct game *game, uint16_t index) {
    entities_remove(game->entities, index);
}

void game_respawn(struct game *game, uint16_t index) {
    if (game->bodies[index].hit_points > 0) return;
    int32_t x, y;
    game_place(game, &x, &y);
    game_rise(game, index, x, y);
    game_add_event(game, &(struct game_event){.type = GAME_EVENT_RESPAWNED, .index = index});
}

/* --- the phases of a tick */

void game_input(struct game *game, uint16_t index, struct game_input input) {
    struct entities *e = game->entities;
    struct body *body = &game->bodies[index];
    if (body->hit_points == 0) return;
    int16_t speed = input.move_x && input.move_y ? PLAYER_SPEED_DIAGONAL : PLAYER_SPEED;
    e->vx[index] = (int16_t)(input.move_x * speed);
    e->vy[index] = (int16_t)(input.move_y * speed);
    e->yaw[index] = (uint8_t)(input.aim >> 8);
    body->aim = input.aim;
    body->buttons = input.buttons;
}

/* A creature rises through its own mind, which knows its home. */
static void run_timers(struct game *game, uint16_t index) {
    struct entities *e = game->entities;
    const struct body *body = &game->bodies[index];
    if (e->action[index] == GAME_ACTION_NONE) return;
    if (body->hit_points > 0) {
        if (game->tick >= body->action_tick) e->action[index] = GAME_ACTION_NONE;
    } else if (e->kind[index] == GAME_KIND_PLAYER && game->tick >= body->rise_tick) {
        game_respawn(game, index);
    }
}

void game_think(struct game *game, uint64_t tick, uint32_t think_ticks) {
    CHECK(think_ticks >= 1);
    game->tick = tick;
    for (uint32_t i = 0; i < game->entities->count; i++) run_timers(game, game->entities->alive[i]);
    creatures_think(game, think_ticks);
}

/* Returns how far along an axis a step leads; at a wall the velocity ends, so that clients predict the stop. */
static int32_t step_axis(int32_t position, int16_t *velocity, uint32_t ticks, int32_t min, int32_t max) {
    int64_t moved = position + (int64_t)*velocity * ticks * (1 << NET_VELOCITY_SHIFT);
    if (moved >= min && moved <= max) return (int32_t)moved;
    *velocity = 0;
    return moved < min ? min : max;
}

void game_move(struct game *game, uint32_t ticks) {
    struct entities *e = game->entities;
    const struct grid_rect *bounds = &game->config.bounds;
    for (uint32_t i = 0; i < e->count; i++) {
        uint16_t n = e->alive[i];
        if (e->vx[n] == 0 && e->vy[n] == 0) continue;
        e->x[n] = step_axis(e->x[n], &e->vx[n], ticks, bounds->x_min + BODY_RADIUS, bounds->x_max - BODY_RADIUS);
        e->y[n] = step_axis(e->y[n], &e->vy[n], ticks, bounds->y_min + BODY_RADIUS, bounds->y_max - BODY_RADIUS);
    }
}

/* --- the rest */

uint16_t game_target(const struct game *game, uint16_t index) {
    const struct body *body = &game->bodies[index];
    if (game->tick >= body->target_tick + TARGET_TICKS) return ENTITY_NONE;
    return entities_index(game->entities, body->target);
}

int32_t game_earshot(const struct game *game) {
    (void)game;
    return SPEECH_REACH;
}

const struct game_event *game_events(const struct game *game, uint32_t *count) {
    *count = game->event_count;
    return game->events;
}

void game_events_clear(struct game *game) {
    game->event_count = 0;
}

uint64_t game_hash(const struct game *game, uint64_t hash) {
    hash = hash_word(hash, game->rng.state);
    hash = hash_word(hash, game->tick);
    for (uint32_t i = 0; i < game->entities->count; i++) {
        const struct body *body = &game->bodies[game->entities->alive[i]];
        hash = hash_word(hash, body->ready_tick);
        hash = hash_word(hash, body->action_tick);
        hash = hash_word(hash, body->rise_tick);
        hash = hash_word(hash, body->experience);
        hash = hash_word(hash, (uint64_t)(uint16_t)body->hit_points << 32 | (uint64_t)body->aim << 16 | body->buttons);
    }
    return creatures_hash(game, hash);
}
