#include "zone/sightings.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/net_state.h"

/* What the neighbour believes of an entity, by index. */
struct belief {
    uint64_t id;
    uint64_t seen_tick; /* the newest look in which it was near */
    uint64_t tick;      /* that place and velocity are of */
    int32_t x, y;
    int16_t vx, vy;
    uint8_t yaw, health, action;
    bool is_told;
    bool is_doubted; /* the neighbour may not have heard of it */
};

struct sightings {
    uint32_t slot;
    struct belief *beliefs;
    uint16_t *told; /* indices of those with is_told, the first told_count */
    uint32_t told_count;
    struct wire_ghost *ghosts;
    struct wire_ghost_gone *gone;
};

struct sightings *sightings_create(uint32_t slot, uint32_t entities_max) {
    struct sightings *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    *s = (struct sightings){.slot = slot,
                            .beliefs = calloc(entities_max, sizeof *s->beliefs),
                            .told = calloc(entities_max, sizeof *s->told),
                            .ghosts = calloc(WIRE_PEER_GHOSTS_MAX, sizeof *s->ghosts),
                            .gone = calloc(WIRE_PEER_ITEMS_MAX, sizeof *s->gone)};
    if (s->beliefs && s->told && s->ghosts && s->gone) return s;
    sightings_destroy(s);
    return NULL;
}

void sightings_destroy(struct sightings *s) {
    if (!s) return;
    free(s->beliefs);
    free(s->told);
    free(s->ghosts);
    free(s->gone);
    free(s);
}

void sightings_reset(struct sightings *s) {
    for (uint32_t i = 0; i < s->told_count; i++) s->beliefs[s->told[i]].is_told = false;
    s->told_count = 0;
}

void sightings_again(struct sightings *s) {
    for (uint32_t i = 0; i < s->told_count; i++) s->beliefs[s->told[i]].is_doubted = true;
}

static bool is_within(const struct grid_rect *rect, int64_t margin, int32_t x, int32_t y) {
    return x >= rect->x_min - margin && x < rect->x_max + margin && y >= rect->y_min - margin && y < rect->y_max + margin;
}

/* is_as_predicted moves what the neighbour believes to this tick, and compares. */
static bool is_as_predicted(struct belief *b, const struct entities *e, uint16_t index, uint64_t tick) {
    int64_t ticks = (int64_t)(tick - b->tick);
    b->x = (int32_t)((uint32_t)b->x + (uint32_t)(ticks * b->vx * (1 << NET_VELOCITY_SHIFT)));
    b->y = (int32_t)((uint32_t)b->y + (uint32_t)(ticks * b->vy * (1 << NET_VELOCITY_SHIFT)));
    b->tick = tick;
    return b->x == e->x[index] && b->y == e->y[index] && b->vx == e->vx[index] && b->vy == e->vy[index] &&
           b->yaw == e->yaw[index] && b->health == e->health[index] && b->action == e->action[index];
}

static void tell(struct sightings *s, const struct sightings_world *w, uint16_t index, struct wire_peer_batch *batch) {
    const struct entities *e = w->entities;
    struct belief *b = &s->beliefs[index];
    if (!b->is_told) s->told[s->told_count++] = index;
    *b = (struct belief){.id = e->id[index],
                         .seen_tick = w->tick,
                         .tick = w->tick,
                         .x = e->x[index],
                         .y = e->y[index],
                         .vx = e->vx[index],
                         .vy = e->vy[index],
                         .yaw = e->yaw[index],
                         .health = e->health[index],
                         .action = e->action[index],
                         .is_told = true};
    s->ghosts[batch->ghost_count++] = (struct wire_ghost){.id = b->id,
                                                          .x = b->x,
                                                          .y = b->y,
                                                          .vx = b->vx,
                                                          .vy = b->vy,
                                                          .kind = e->kind[index],
                                                          .yaw = b->yaw,
                                                          .health = b->health,
                                                          .action = b->action};
}

/* As far as views reach, and as far as what was told of is told of on. */
static int64_t near_of(const struct sightings_world *w) {
    return (int64_t)w->view_radius + w->view_radius / 10;
}

static int64_t far_of(const struct sightings_world *w) {
    return (int64_t)w->view_radius + w->view_radius / 5;
}

static void look_at(struct sightings *s, const struct sightings_world *w, const struct grid_rect *rect, uint16_t index,
                    struct wire_peer_batch *batch) {
    const struct entities *e = w->entities;
    struct belief *b = &s->beliefs[index];
    if (!entities_is_own(e, index)) return;
    bool is_known = b->is_told && b->id == e->id[index];
    if (b->is_told && !is_known) return; /* the index has another entity now: first that one is gone */
    if (!is_within(rect, is_known ? far_of(w) : near_of(w), e->x[index], e->y[index])) return;
    if (is_known) {
        b->seen_tick = w->tick;
        if (is_as_predicted(b, e, index, w->tick) && !b->is_doubted) return;
    }
    if (batch->ghost_count < WIRE_PEER_GHOSTS_MAX) tell(s, w, index, batch);
}

static void look_around(struct sightings *s, const struct sightings_world *w, const struct grid_rect *rect,
                        struct wire_peer_batch *batch) {
    int64_t margin = far_of(w);
    struct grid_area area =
        grid_area_between(w->grid, rect->x_min - margin, rect->y_min - margin, rect->x_max + margin, rect->y_max + margin);
    for (uint32_t row = area.row_first; row <= area.row_last; row++) {
        struct grid_run run = grid_row_run(w->grid, area, row);
        for (uint32_t i = run.begin; i < run.end; i++) look_at(s, w, rect, w->grid->items[i], batch);
    }
}

/* What was not seen near is gone; what is a ghost by now was handed over. */
static void tell_gone(struct sightings *s, const struct sightings_world *w, struct wire_peer_batch *batch) {
    const struct entities *e = w->entities;
    for (uint32_t i = s->told_count; i-- > 0 && batch->gone_count < WIRE_PEER_ITEMS_MAX;) {
        uint16_t index = s->told[i];
        struct belief *b = &s->beliefs[index];
        bool is_same = entities_is_alive(e, index) && e->id[index] == b->id;
        if (is_same && entities_is_own(e, index) && b->seen_tick == w->tick) continue;
        bool is_handed = is_same && !entities_is_own(e, index);
        s->gone[batch->gone_count++] =
            (struct wire_ghost_gone){.id = b->id, .reason = is_handed ? WIRE_GONE_HANDED : WIRE_GONE_AWAY};
        b->is_told = false;
        s->told[i] = s->told[--s->told_count];
    }
}

void sightings_look(struct sightings *s, const struct sightings_world *w, struct wire_peer_batch *batch) {
    const struct directory *d = &w->territory->directory;
    batch->ghosts = s->ghosts;
    batch->gone = s->gone;
    for (uint32_t i = 0; i < d->partition_count; i++) {
        if (!territory_keeps(&d->partitions[i], s->slot)) continue;
        struct grid_rect rect = territory_rect(d->partitions[i].rect);
        look_around(s, w, &rect, batch);
    }
    tell_gone(s, w, batch);
}
