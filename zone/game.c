#include "zone/game.h"

#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/check.h"
#include "common/net_state.h"
#include "zone/game_rules.h"
#include "zone/hash.h"

struct game *game_create(const struct game_config *config, struct entities *entities, const struct grid *grid) {
    struct game *game = calloc(1, sizeof *game);
    if (!game) return NULL;
    *game = (struct game){.config = *config, .entities = entities, .grid = grid, .rng = {config->seed}};
    game->bodies = calloc(entities->capacity, sizeof *game->bodies);
    game->journeys = calloc(entities->capacity, sizeof *game->journeys);
    game->events_max = 6 * entities->capacity;
    game->events = calloc(game->events_max, sizeof *game->events);
    game->hits = calloc(GAME_HITS_MAX, sizeof *game->hits);
    game->outcomes = calloc(GAME_HITS_MAX, sizeof *game->outcomes);
    game->rooms = game_rooms_create();
    if (!game->rooms || !game->bodies || !game->journeys || !game->events || !game->hits || !game->outcomes ||
        !creatures_create(game)) {
        game_destroy(game);
        return NULL;
    }
    return game;
}

void game_destroy(struct game *game) {
    if (!game) return;
    free(game->bodies);
    free(game->journeys);
    free(game->rooms);
    creatures_destroy(game);
    free(game->events);
    free(game->hits);
    free(game->outcomes);
    free(game);
}

void game_set_grid(struct game *game, const struct grid *grid) {
    game->grid = grid;
}

/* --- life and death */

int16_t game_full_health(const struct game *game, uint16_t index) {
    if (game->entities->kind[index] != GAME_KIND_PLAYER) return creatures_full_health(game, index);
    return (int16_t)(PLAYER_HEALTH + (game->bodies[index].level - 1) * LEVEL_HEALTH);
}

void game_add_event(struct game *game, const struct game_event *event) {
    if (event->index != ENTITY_NONE && game->entities->kind[event->index] != GAME_KIND_PLAYER) return;
    CHECK(game->event_count < game->events_max);
    game->events[game->event_count++] = *event;
}

/* The share of full health, of 255; the living show at least 1. */
void game_show_health(struct game *game, uint16_t index) {
    int32_t full = game_full_health(game, index);
    game->entities->health[index] = (uint8_t)((game->bodies[index].hit_points * 255 + full - 1) / full);
}

void game_place(struct game *game, const struct grid_rect *rect, int32_t *x, int32_t *y) {
    *x = rng_between(&game->rng, rect->x_min + BODY_RADIUS, rect->x_max - BODY_RADIUS);
    *y = rng_between(&game->rng, rect->y_min + BODY_RADIUS, rect->y_max - BODY_RADIUS);
}

void game_rise(struct game *game, uint16_t index, int32_t x, int32_t y) {
    struct entities *e = game->entities;
    e->x[index] = x;
    e->y[index] = y;
    game_step_aside(game, index);
    e->vx[index] = e->vy[index] = 0;
    e->action[index] = GAME_ACTION_NONE;
    struct body *body = &game->bodies[index];
    *body = (struct body){.ready_tick = game->tick, .experience = body->experience, .level = body->level};
    body->hit_points = game_full_health(game, index);
    game_show_health(game, index);
}

/* `at` is where the striker is in this zone, ENTITY_NONE when another one has it. */
static void die(struct game *game, uint16_t index, struct game_striker by, uint16_t at) {
    struct entities *e = game->entities;
    bool player = e->kind[index] == GAME_KIND_PLAYER;
    bool by_player = at != ENTITY_NONE ? e->kind[at] == GAME_KIND_PLAYER : by.player != 0;
    e->vx[index] = e->vy[index] = 0;
    e->action[index] = GAME_ACTION_DEAD;
    game->bodies[index].buttons = 0;
    bool is_guest = game_journey(game, index)->instance != 0;
    game->bodies[index].rise_tick = game->tick + (player || is_guest ? PLAYER_RESPAWN_TICKS : CREATURE_RESPAWN_TICKS);
    game_note_death(game, index, at);
    bool is_told = at == ENTITY_NONE && by.player != 0;
    game_add_event(game, &(struct game_event){.type = GAME_EVENT_DIED, .index = index, .by = by.id, .is_told = is_told});
    if (!player && by_player) game_reward(game, at, by, index);
}

static void hurt(struct game *game, uint16_t index, int32_t damage, struct game_striker by, uint16_t at) {
    struct body *body = &game->bodies[index];
    CHECK(body->hit_points > 0 && entities_is_own(game->entities, index));
    body->hit_points = damage < body->hit_points ? (int16_t)(body->hit_points - damage) : 0;
    game_show_health(game, index);
    if (body->hit_points == 0) die(game, index, by, at);
}

void game_hurt(struct game *game, uint16_t index, int16_t damage, uint16_t by) {
    hurt(game, index, damage, (struct game_striker){.id = game->entities->id[by]}, by);
}

void game_struck(struct game *game, uint16_t index, struct game_striker by, uint32_t damage) {
    struct body *body = &game->bodies[index];
    bool is_creature = game->entities->kind[index] != GAME_KIND_PLAYER;
    if (body->hit_points == 0 || (by.player == 0 && is_creature)) return;
    uint16_t known = entities_find(game->entities, by.id); /* as a ghost: its team, where it was here before */
    if (known != ENTITY_NONE && game_are_friends(game, known, index)) return;
    hurt(game, index, damage < INT16_MAX ? (int32_t)damage : INT16_MAX, by, ENTITY_NONE);
    bool killed = body->hit_points == 0;
    const struct journey *j = game_journey(game, index);
    if (by.player == 0 || !killed || (!is_creature && j->instance == 0)) return; /* nobody gains anything */
    if (game->outcome_count == GAME_HITS_MAX) {
        game->outcomes_lost++;
        return;
    }
    game->outcomes[game->outcome_count++] = (struct game_outcome){.attacker = by.id,
                                                                  .target = game->entities->id[index],
                                                                  .experience = is_creature ? CREATURE_EXPERIENCE : 0,
                                                                  .killed = true,
                                                                  .instance = !is_creature ? j->instance : 0,
                                                                  .zone = by.zone,
                                                                  .team = j->team};
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
    int32_t x, y;
    if (character && character->hit_points > 0) {
        struct grid_rect walls = territory_walls(game->config.territory, character->x, character->y);
        x = inside(character->x, walls.x_min + BODY_RADIUS, walls.x_max - BODY_RADIUS);
        y = inside(character->y, walls.y_min + BODY_RADIUS, walls.y_max - BODY_RADIUS);
    } else {
        game_place_at_home(game, &x, &y);
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

void game_revive(struct game *game, uint16_t index, int32_t x, int32_t y) {
    bool was_dead = game->bodies[index].hit_points == 0;
    game_rise(game, index, x, y);
    if (was_dead) game_add_event(game, &(struct game_event){.type = GAME_EVENT_RESPAWNED, .index = index});
}

void game_respawn(struct game *game, uint16_t index) {
    if (game->bodies[index].hit_points > 0 || game_journey(game, index)->instance != 0) return;
    int32_t x, y;
    game_place_at_home(game, &x, &y);
    game_revive(game, index, x, y);
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
    if (e->action[index] == GAME_ACTION_NONE || !entities_is_own(e, index)) return;
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

/* Where partitions leave gaps, a step into one does not happen. */
static void stay_in_world(struct game *game, uint16_t index, int32_t x, int32_t y) {
    struct entities *e = game->entities;
    const struct territory *t = game->config.territory;
    if (t->is_whole || territory_is_world(t, e->x[index], e->y[index])) return;
    if (territory_is_world(t, x, e->y[index])) {
        e->x[index] = x;
        e->vx[index] = 0;
    } else if (territory_is_world(t, e->x[index], y)) {
        e->y[index] = y;
        e->vy[index] = 0;
    } else {
        e->x[index] = x;
        e->y[index] = y;
        e->vx[index] = e->vy[index] = 0;
    }
}

/* In an instance walls may be nearer than those of its cell. */
static struct grid_rect walls_of(const struct game *game, uint16_t index) {
    const struct entities *e = game->entities;
    struct grid_rect walls = territory_walls(game->config.territory, e->x[index], e->y[index]);
    int32_t side = game_journey(game, index)->side_m * 65536;
    if (side == 0) return walls;
    if (walls.x_max - walls.x_min > side) walls.x_max = walls.x_min + side;
    if (walls.y_max - walls.y_min > side) walls.y_max = walls.y_min + side;
    return walls;
}

void game_move(struct game *game, uint32_t ticks) {
    struct entities *e = game->entities;
    for (uint32_t i = 0; i < e->count; i++) {
        uint16_t n = e->alive[i];
        if (e->vx[n] == 0 && e->vy[n] == 0) continue;
        int32_t x = e->x[n], y = e->y[n];
        struct grid_rect walls = walls_of(game, n);
        e->x[n] = step_axis(x, &e->vx[n], ticks, walls.x_min + BODY_RADIUS, walls.x_max - BODY_RADIUS);
        e->y[n] = step_axis(y, &e->vy[n], ticks, walls.y_min + BODY_RADIUS, walls.y_max - BODY_RADIUS);
        const struct room *room = game_room(game, n);
        if (room) game_walk(game, room, n, x, y);
        stay_in_world(game, n, x, y);
    }
}

/* --- from zone to zone. A creature has its home where a player has its target, and how strong it is where a player has its
 * way home. */

void game_carry(const struct game *game, uint16_t index, uint8_t bytes[WIRE_CARRIED_RULES_BYTES]) {
    const struct body *b = &game->bodies[index];
    uint16_t place = game->creature_of[index];
    const struct creature *c = place != ENTITY_NONE ? &game->creatures[place] : NULL;
    const struct journey *j = game_journey(game, index);
    uint16_t target = entities_index(game->entities, b->target);
    struct byte_writer w = {.bytes = bytes, .size = WIRE_CARRIED_RULES_BYTES};
    memset(bytes, 0, WIRE_CARRIED_RULES_BYTES);
    write_uint(&w, c ? c->wander_tick : b->experience, 8);
    write_uint(&w, b->ready_tick, 8);
    write_uint(&w, b->action_tick, 8);
    write_uint(&w, b->rise_tick, 8);
    write_uint(&w, b->target_tick, 8);
    write_uint(&w,
               c                       ? (uint32_t)c->home_x | (uint64_t)(uint32_t)c->home_y << 32
               : target != ENTITY_NONE ? game->entities->id[target]
                                       : 0,
               8);
    write_uint(&w, (uint16_t)b->hit_points, 2);
    write_uint(&w, b->aim, 2);
    write_uint(&w, b->buttons, 1);
    write_uint(&w, c ? c->chasing : j->team, 1);
    write_uint(&w, j->instance, 4);
    write_uint(&w, c ? c->health_percent : (uint16_t)j->home_x, 2);
    write_uint(&w, c ? c->damage_percent : (uint16_t)j->home_y, 2);
    write_uint(&w, c ? c->wave : j->kills, 2);
    write_uint(&w, j->deaths, 2);
    write_uint(&w, j->is_recounted, 1);
    CHECK(!w.overflow);
}

int game_arrive(struct game *game, uint16_t index, const uint8_t bytes[WIRE_CARRIED_RULES_BYTES]) {
    bool is_player = game->entities->kind[index] == GAME_KIND_PLAYER;
    struct byte_reader r = {.bytes = bytes, .len = WIRE_CARRIED_RULES_BYTES};
    uint64_t first = read_uint(&r, 8);
    struct body b = {.ready_tick = read_uint(&r, 8)};
    b.action_tick = read_uint(&r, 8);
    b.rise_tick = read_uint(&r, 8);
    b.target_tick = read_uint(&r, 8);
    uint64_t other = read_uint(&r, 8);
    uint16_t hit_points = (uint16_t)read_uint(&r, 2);
    b.aim = (uint16_t)read_uint(&r, 2);
    b.buttons = (uint8_t)read_uint(&r, 1) & (GAME_BUTTON_STRIKE | GAME_BUTTON_SHOOT);
    uint8_t team = (uint8_t)read_uint(&r, 1);
    struct journey j = {.generation = game->entities->generation[index], .instance = (uint32_t)read_uint(&r, 4)};
    uint16_t eighth = (uint16_t)read_uint(&r, 2), ninth = (uint16_t)read_uint(&r, 2);
    uint16_t tenth = (uint16_t)read_uint(&r, 2);
    struct creature c = {.wander_tick = first,
                         .home_x = (int32_t)(uint32_t)other,
                         .home_y = (int32_t)(uint32_t)(other >> 32),
                         .index = index,
                         .health_percent = eighth,
                         .damage_percent = ninth,
                         .wave = (uint8_t)tenth,
                         .chasing = team != 0};
    if (is_player) {
        j.team = team <= WIRE_TEAMS_MAX ? team : 0;
        j.home_x = (int16_t)eighth;
        j.home_y = (int16_t)ninth;
        j.kills = tenth;
        j.deaths = (uint16_t)read_uint(&r, 2);
        j.is_recounted = read_uint(&r, 1) != 0;
        b.experience = first < EXPERIENCE_MAX ? first : EXPERIENCE_MAX;
        b.level = game_level_of(b.experience);
        uint16_t target = entities_find(game->entities, other);
        if (target != ENTITY_NONE) b.target = entities_handle(game->entities, target);
    } else if (!creatures_add(game, &c)) {
        return MARCH_ERR_FULL;
    }
    game->bodies[index] = b;
    game->journeys[index] = j;
    game_step_aside(game, index);
    int16_t full = game_full_health(game, index);
    game->bodies[index].hit_points = hit_points < full ? (int16_t)hit_points : full;
    game_show_health(game, index);
    return 0;
}

void game_depart(struct game *game, uint16_t index) {
    if (game->creature_of[index] != ENTITY_NONE) creatures_remove(game, index);
    game_haunt(game, index);
}

void game_haunt(struct game *game, uint16_t index) {
    const struct entities *e = game->entities;
    bool is_alive = e->health[index] > 0 && e->action[index] != GAME_ACTION_DEAD;
    game->bodies[index] = (struct body){.hit_points = is_alive, .level = 1};
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

const struct game_hit *game_hits(const struct game *game, uint32_t *count) {
    *count = game->hit_count;
    return game->hits;
}

const struct game_outcome *game_outcomes(const struct game *game, uint32_t *count) {
    *count = game->outcome_count;
    return game->outcomes;
}

uint32_t game_outcomes_lost(const struct game *game) {
    return game->outcomes_lost;
}

void game_events_clear(struct game *game) {
    game->event_count = game->hit_count = game->outcome_count = game->outcomes_lost = game->gain_count = 0;
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
    return game_hash_journeys(game, creatures_hash(game, hash));
}
