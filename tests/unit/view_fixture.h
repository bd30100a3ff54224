/* view_fixture.h: a small moving world for tests and benchmarks of views: entities that walk, turn, spawn, die and jump.
 *
 * Everything follows from the seed. The square world is `side_m` on a side, centred on the origin.
 */
#ifndef MARCH_TESTS_VIEW_FIXTURE_H
#define MARCH_TESTS_VIEW_FIXTURE_H

#include <stdbool.h>
#include <stdlib.h>

#include "zone/view.h"

#define FIXTURE_WALK 150 /* 2^-11 m per tick, along each axis: 4.4 m/s, 6.2 m/s across */

struct fixture {
    uint32_t capacity;
    int32_t *x, *y; /* Q16.16 */
    bool *alive;
    struct view_entity *entities;
    uint16_t *list;
    struct grid *grid;
    int32_t half; /* Q16.16 */
    uint64_t random;
    uint64_t next_id;
    struct view_world world;
};

static inline uint32_t fixture_random(struct fixture *f, uint32_t below) {
    f->random ^= f->random << 13;
    f->random ^= f->random >> 7;
    f->random ^= f->random << 17;
    return (uint32_t)((f->random >> 11) % below);
}

static inline void fixture_turn(struct fixture *f, uint32_t e) {
    struct net_state *state = &f->entities[e].state;
    state->vx = (int16_t)((int32_t)fixture_random(f, 2 * FIXTURE_WALK + 1) - FIXTURE_WALK);
    state->vy = (int16_t)((int32_t)fixture_random(f, 2 * FIXTURE_WALK + 1) - FIXTURE_WALK);
    state->yaw = (uint8_t)fixture_random(f, 256);
}

static inline void fixture_place(struct fixture *f, uint32_t e, int32_t x, int32_t y) {
    f->x[e] = x;
    f->y[e] = y;
}

static inline void fixture_spawn(struct fixture *f, uint32_t e, int32_t x, int32_t y) {
    f->alive[e] = true;
    f->entities[e].id = ++f->next_id;
    f->entities[e].generation++;
    f->entities[e].state.kind = (uint8_t)fixture_random(f, 4);
    f->entities[e].state.health = 255;
    f->entities[e].state.action = 0;
    fixture_place(f, e, x, y);
    fixture_turn(f, e);
}

static inline int32_t fixture_random_place(struct fixture *f) {
    return (int32_t)fixture_random(f, (uint32_t)f->half * 2) - f->half;
}

static inline void fixture_spawn_anywhere(struct fixture *f, uint32_t e) {
    int32_t x = fixture_random_place(f);
    fixture_spawn(f, e, x, fixture_random_place(f));
}

/* Publishes states and grid at the world's tick. */
static inline void fixture_publish(struct fixture *f) {
    uint32_t count = 0;
    for (uint32_t e = 0; e < f->capacity; e++) {
        if (!f->alive[e]) continue;
        struct net_state *state = &f->entities[e].state;
        state->x = f->x[e] >> NET_POSITION_SHIFT;
        state->y = f->y[e] >> NET_POSITION_SHIFT;
        state->tick = f->world.tick;
        f->list[count++] = (uint16_t)e;
    }
    grid_build(f->grid, f->list, count, f->x, f->y);
}

/* Moves everything by one tick; walkers turn back at the edge. */
static inline void fixture_step(struct fixture *f) {
    f->world.tick++;
    for (uint32_t e = 0; e < f->capacity; e++) {
        if (!f->alive[e]) continue;
        struct net_state *state = &f->entities[e].state;
        int32_t x = f->x[e] + state->vx * 32, y = f->y[e] + state->vy * 32;
        if (x < -f->half || x >= f->half) state->vx = (int16_t)-state->vx;
        if (y < -f->half || y >= f->half) state->vy = (int16_t)-state->vy;
        f->x[e] += state->vx * 32;
        f->y[e] += state->vy * 32;
    }
}

static inline struct fixture *fixture_create(uint32_t capacity, uint32_t side_m, uint64_t seed) {
    struct fixture *f = calloc(1, sizeof(*f));
    f->capacity = capacity;
    f->half = (int32_t)(side_m * 65536 / 2);
    f->x = calloc(capacity, sizeof(*f->x));
    f->y = calloc(capacity, sizeof(*f->y));
    f->alive = calloc(capacity, sizeof(*f->alive));
    f->entities = aligned_alloc(64, (capacity * sizeof(*f->entities) + 63) / 64 * 64);
    for (uint32_t e = 0; e < capacity; e++) f->entities[e] = (struct view_entity){0};
    f->list = calloc(capacity, sizeof(*f->list));
    f->grid = grid_create((struct grid_rect){-f->half, -f->half, f->half, f->half}, 16, capacity);
    f->random = seed * 0x9e3779b97f4a7c15u + 1;
    f->world = (struct view_world){.entities = f->entities, .grid = f->grid, .tick = 1000};
    return f;
}

static inline void fixture_destroy(struct fixture *f) {
    grid_destroy(f->grid);
    free(f->x);
    free(f->y);
    free(f->alive);
    free(f->entities);
    free(f->list);
    free(f);
}

/* A request centred on entity `own`. */
static inline struct view_request fixture_request(const struct fixture *f, uint32_t own, uint32_t radius_m) {
    const struct net_state *state = &f->entities[own].state;
    return (struct view_request){.own = (uint16_t)own,
                                 .target = VIEW_OWN_NONE,
                                 .x = state->x,
                                 .y = state->y,
                                 .radius = radius_m * NET_POSITION_PER_M};
}

#endif
