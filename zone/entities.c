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
    return e->x && e->y && e->vx && e->vy && e->kind && e->yaw && e->health && e->action && e->id && e->alive &&
           e->alive_at && e->generation && e->free_list;
}

struct entities *entities_create(uint32_t capacity, uint16_t zone_index, uint16_t incarnation) {
    CHECK(capacity >= 1 && capacity <= ENTITIES_MAX);
    struct entities *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    e->capacity = capacity;
    e->next_id = (uint64_t)zone_index << 48 | (uint64_t)incarnation << 32 | 1;
    if (!allocate_arrays(e)) {
        entities_destroy(e);
        return NULL;
    }
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
    free(e);
}

int entities_spawn(struct entities *e, uint8_t kind, int32_t x, int32_t y, uint16_t *index) {
    if (e->count == e->capacity) return MARCH_ERR_FULL;
    uint16_t i = e->free_list[e->capacity - e->count - 1];
    e->alive[e->count] = i;
    e->alive_at[i] = (uint16_t)e->count++;
    if (++e->generation[i] == 0) e->generation[i] = 1;

    e->x[i] = x;
    e->y[i] = y;
    e->vx[i] = e->vy[i] = 0;
    e->kind[i] = kind;
    e->yaw[i] = e->health[i] = e->action[i] = 0;
    e->id[i] = e->next_id++;
    *index = i;
    return 0;
}

void entities_remove(struct entities *e, uint16_t index) {
    CHECK(entities_is_alive(e, index));
    uint16_t last = e->alive[--e->count];
    e->alive[e->alive_at[index]] = last;
    e->alive_at[last] = e->alive_at[index];
    e->alive_at[index] = ENTITY_NONE;
    e->free_list[e->capacity - e->count - 1] = index;
}
