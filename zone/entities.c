#include "zone/entities.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

static bool allocate_arrays(struct entities *e) {
    size_t n = e->capacity;
    e->x = calloc(n, sizeof *e->x);
    e->y = calloc(n, sizeof *e->y);
    e->vx = calloc(n, sizeof *e->vx);
    e->vy = calloc(n, sizeof *e->vy);
    e->kind = calloc(n, sizeof *e->kind);
    e->yaw = calloc(n, sizeof *e->yaw);
    e->health = calloc(n, sizeof *e->health);
    e->action = calloc(n, sizeof *e->action);
    e->id = calloc(n, sizeof *e->id);
    e->alive = calloc(n, sizeof *e->alive);
    e->alive_at = calloc(n, sizeof *e->alive_at);
    e->generation = calloc(n, sizeof *e->generation);
    e->free_list = calloc(n, sizeof *e->free_list);
    e->ghost_of = calloc(n, sizeof *e->ghost_of);
    e->by_id = malloc(((size_t)e->by_id_mask + 1) * sizeof *e->by_id);
    return e->x && e->y && e->vx && e->vy && e->kind && e->yaw && e->health && e->action && e->id && e->alive &&
           e->alive_at && e->generation && e->free_list && e->ghost_of && e->by_id;
}

struct entities *entities_create(uint32_t capacity, uint16_t zone_index, uint16_t incarnation) {
    CHECK(capacity >= 1 && capacity <= ENTITIES_MAX);
    struct entities *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    e->capacity = capacity;
    e->next_id = (uint64_t)zone_index << 48 | (uint64_t)incarnation << 32 | 1;
    e->by_id_mask = 1;
    while (e->by_id_mask < 2 * capacity) e->by_id_mask = e->by_id_mask << 1 | 1;
    if (!allocate_arrays(e)) {
        entities_destroy(e);
        return NULL;
    }
    memset(e->by_id, 0xff, ((size_t)e->by_id_mask + 1) * sizeof *e->by_id);
    for (uint32_t i = 0; i < capacity; i++) {
        e->alive_at[i] = ENTITY_NONE;
        e->free_list[i] = (uint16_t)(capacity - 1 - i); /* so that the first spawns get indices 0, 1, 2 ... */
    }
    return e;
}

void entities_destroy(struct entities *e) {
    if (!e) return;
    free(e->x);
    free(e->y);
    free(e->vx);
    free(e->vy);
    free(e->kind);
    free(e->yaw);
    free(e->health);
    free(e->action);
    free(e->id);
    free(e->alive);
    free(e->alive_at);
    free(e->generation);
    free(e->free_list);
    free(e->ghost_of);
    free(e->by_id);
    free(e);
}

/* --- by id: linear probing; at most half of the places are in use */

static uint32_t home_of(const struct entities *e, uint64_t id) {
    return (uint32_t)(id * 0x9e3779b97f4a7c15u >> 32) & e->by_id_mask;
}

static uint32_t place_of(const struct entities *e, uint64_t id) {
    uint32_t place = home_of(e, id);
    while (e->by_id[place] != ENTITY_NONE && e->id[e->by_id[place]] != id) place = (place + 1) & e->by_id_mask;
    return place;
}

/* What follows a place that becomes free moves up, so that no search ends too early. */
static void free_place(struct entities *e, uint32_t free_at) {
    for (uint32_t next = (free_at + 1) & e->by_id_mask; e->by_id[next] != ENTITY_NONE; next = (next + 1) & e->by_id_mask) {
        uint32_t home = home_of(e, e->id[e->by_id[next]]);
        if (((next - home) & e->by_id_mask) < ((next - free_at) & e->by_id_mask)) continue;
        e->by_id[free_at] = e->by_id[next];
        free_at = next;
    }
    e->by_id[free_at] = ENTITY_NONE;
}

uint16_t entities_find(const struct entities *e, uint64_t id) {
    return e->by_id[place_of(e, id)];
}

/* --- life */

int entities_spawn(struct entities *e, uint8_t kind, int32_t x, int32_t y, uint16_t *index) {
    int error = entities_spawn_as(e, e->next_id, ENTITY_OWN, kind, x, y, index);
    if (error == 0) e->next_id++;
    return error;
}

int entities_spawn_as(struct entities *e, uint64_t id, uint8_t ghost_of, uint8_t kind, int32_t x, int32_t y,
                      uint16_t *index) {
    if (e->count == e->capacity) return MARCH_ERR_FULL;
    uint32_t place = place_of(e, id);
    CHECK(e->by_id[place] == ENTITY_NONE);
    uint16_t i = e->free_list[e->capacity - e->count - 1];
    e->alive[e->count] = i;
    e->alive_at[i] = (uint16_t)e->count++;
    if (++e->generation[i] == 0) e->generation[i] = 1;

    e->x[i] = x;
    e->y[i] = y;
    e->vx[i] = e->vy[i] = 0;
    e->kind[i] = kind;
    e->yaw[i] = e->health[i] = e->action[i] = 0;
    e->id[i] = id;
    e->ghost_of[i] = ghost_of;
    e->ghost_count += ghost_of != ENTITY_OWN;
    e->by_id[place] = i;
    *index = i;
    return 0;
}

void entities_set_ghost(struct entities *e, uint16_t index, uint8_t ghost_of) {
    CHECK(entities_is_alive(e, index));
    e->ghost_count -= !entities_is_own(e, index);
    e->ghost_of[index] = ghost_of;
    e->ghost_count += ghost_of != ENTITY_OWN;
}

void entities_remove(struct entities *e, uint16_t index) {
    CHECK(entities_is_alive(e, index));
    free_place(e, place_of(e, e->id[index]));
    e->ghost_count -= !entities_is_own(e, index);
    uint16_t last = e->alive[--e->count];
    e->alive[e->alive_at[index]] = last;
    e->alive_at[last] = e->alive_at[index];
    e->alive_at[index] = ENTITY_NONE;
    e->free_list[e->capacity - e->count - 1] = index;
}
