#include "zone/ghosts.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/net_state.h"

struct ghosts {
    struct entities *entities;
    struct game *game;
    uint64_t limbo_ticks;
    uint64_t *limbo_until; /* by index; 0: not in limbo */
    uint32_t limbo_count;
    struct ghosts_stats stats;
};

struct ghosts *ghosts_create(struct entities *entities, struct game *game, uint32_t tick_hz) {
    struct ghosts *g = calloc(1, sizeof *g);
    if (!g) return NULL;
    *g = (struct ghosts){.entities = entities, .game = game, .limbo_ticks = (uint64_t)tick_hz * GHOSTS_LIMBO_MS / 1000 + 1};
    g->limbo_until = calloc(entities->capacity, sizeof *g->limbo_until);
    if (g->limbo_until) return g;
    free(g);
    return NULL;
}

void ghosts_destroy(struct ghosts *g) {
    if (!g) return;
    free(g->limbo_until);
    free(g);
}

static void leave_limbo(struct ghosts *g, uint16_t index) {
    g->limbo_count -= g->limbo_until[index] != 0;
    g->limbo_until[index] = 0;
}

static void enter_limbo(struct ghosts *g, uint16_t index, uint64_t tick) {
    if (g->limbo_until[index] != 0) return;
    g->limbo_until[index] = tick + g->limbo_ticks;
    g->limbo_count++;
}

void ghosts_vanish(struct ghosts *g, uint16_t index) {
    leave_limbo(g, index);
    entities_remove(g->entities, index);
}

/* Where something is that was told as of another tick than ours. */
static int32_t at_tick(int32_t position, int16_t velocity, int64_t ticks) {
    return (int32_t)((uint32_t)position + (uint32_t)(ticks * velocity * (1 << NET_VELOCITY_SHIFT)));
}

static void take_one(struct ghosts *g, uint32_t slot, int64_t behind, const struct wire_ghost *told) {
    struct entities *e = g->entities;
    uint16_t index = entities_find(e, told->id);
    if (index != ENTITY_NONE && (entities_is_own(e, index) || e->kind[index] != told->kind)) {
        g->stats.not_ours++;
        return;
    }
    if (index == ENTITY_NONE && entities_spawn_as(e, told->id, (uint8_t)slot, told->kind, told->x, told->y, &index)) {
        g->stats.no_room++;
        return;
    }
    leave_limbo(g, index);
    entities_set_ghost(e, index, (uint8_t)slot);
    e->x[index] = at_tick(told->x, told->vx, behind);
    e->y[index] = at_tick(told->y, told->vy, behind);
    e->vx[index] = told->vx;
    e->vy[index] = told->vy;
    e->yaw[index] = told->yaw;
    e->health[index] = told->health;
    e->action[index] = told->action;
    game_haunt(g->game, index);
    g->stats.told++;
}

void ghosts_take(struct ghosts *g, uint32_t slot, uint64_t told_tick, uint64_t tick, const struct wire_ghost *told,
                 uint32_t count) {
    CHECK(slot < ENTITY_OWN);
    int64_t behind = (int64_t)(tick - told_tick), most = (int64_t)g->limbo_ticks;
    if (behind > most || behind < -most) behind = 0; /* clocks that far apart: as told */
    for (uint32_t i = 0; i < count; i++) take_one(g, slot, behind, &told[i]);
}

void ghosts_take_gone(struct ghosts *g, uint32_t slot, uint64_t tick, const struct wire_ghost_gone *gone, uint32_t count) {
    const struct entities *e = g->entities;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t index = entities_find(e, gone[i].id);
        if (index == ENTITY_NONE) continue;
        if (e->ghost_of[index] != slot) {
            g->stats.not_ours++;
            continue;
        }
        g->stats.gone++;
        if (gone[i].reason == WIRE_GONE_HANDED) {
            enter_limbo(g, index, tick);
        } else {
            ghosts_vanish(g, index);
        }
    }
}

void ghosts_reset(struct ghosts *g, uint32_t slot, uint64_t tick) {
    const struct entities *e = g->entities;
    for (uint32_t i = 0; e->ghost_count > 0 && i < e->count; i++) {
        if (e->ghost_of[e->alive[i]] == slot) enter_limbo(g, e->alive[i], tick);
    }
}

void ghosts_leave(struct ghosts *g, uint16_t index, uint32_t slot, uint64_t tick) {
    CHECK(slot < ENTITY_OWN && entities_is_own(g->entities, index));
    entities_set_ghost(g->entities, index, (uint8_t)slot);
    game_depart(g->game, index);
    enter_limbo(g, index, tick);
}

void ghosts_own(struct ghosts *g, uint16_t index) {
    leave_limbo(g, index);
    entities_set_ghost(g->entities, index, ENTITY_OWN);
}

void ghosts_update(struct ghosts *g, uint64_t tick) {
    const struct entities *e = g->entities;
    for (uint32_t i = e->count; g->limbo_count > 0 && i-- > 0;) {
        uint16_t index = e->alive[i];
        if (g->limbo_until[index] == 0 || tick < g->limbo_until[index]) continue;
        g->stats.limbo_ended++;
        ghosts_vanish(g, index);
    }
}

const struct ghosts_stats *ghosts_stats(const struct ghosts *g) {
    return &g->stats;
}
