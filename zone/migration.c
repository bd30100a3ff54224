#include "zone/migration.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/step.h"
#include "zone/arrivals.h"
#include "zone/hash.h"

_Static_assert(MIGRATION_FLIGHTS_MAX <= WIRE_PEER_ITEMS_MAX, "all that is under way fits in one batch");
_Static_assert(WIRE_WORKERS_MAX < ENTITY_OWN, "a slot is not mistaken for our own");

enum link { LINK_LOST = 0, LINK_CLOSED = 1, LINK_UP = 2 };
enum flight_state { FLIGHT_DUE = 0, FLIGHT_SENT = 1, FLIGHT_BACK = 2 };

struct flight {
    struct wire_carried_creature carried;
    uint32_t slot;
    enum flight_state state;
};

/* What a zone is still to be answered: at most as many as it can have under way. */
struct answers {
    struct wire_creature_taken items[MIGRATION_FLIGHTS_MAX];
    uint32_t count;
};

/* When a creature that was refused may try again. */
struct wait {
    uint64_t id;
    uint64_t until_tick;
};

struct migration {
    struct migration_config config;
    uint64_t again_ticks;
    enum link links[WIRE_WORKERS_MAX];
    uint64_t ids[MIGRATION_FLIGHTS_MAX]; /* of the flights, apart so that a search walks over little */
    struct flight flights[MIGRATION_FLIGHTS_MAX];
    uint32_t flight_count;
    struct answers answers[WIRE_WORKERS_MAX];
    struct arrivals *arrivals;
    struct wait *waits; /* by index of the entity */
    struct grid_rect own[WIRE_PARTITIONS_MAX];
    uint32_t own_count;
    struct wire_carried_creature out[MIGRATION_FLIGHTS_MAX];
    struct migration_stats stats;
};

struct migration *migration_create(const struct migration_config *config) {
    struct migration *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    m->config = *config;
    m->again_ticks = (uint64_t)config->tick_hz * MIGRATION_AGAIN_MS / 1000;
    m->arrivals = arrivals_create(config->tick_hz);
    m->waits = calloc(config->entities->capacity, sizeof *m->waits);
    if (m->arrivals && m->waits) return m;
    migration_destroy(m);
    return NULL;
}

void migration_destroy(struct migration *m) {
    if (!m) return;
    arrivals_destroy(m->arrivals);
    free(m->waits);
    free(m);
}

/* --- the flights */

static uint32_t find_flight(const struct migration *m, uint64_t id) {
    uint32_t i = 0;
    while (i < m->flight_count && m->ids[i] != id) i++;
    return i;
}

static void forget(struct migration *m, uint32_t i) {
    CHECK(i < m->flight_count);
    m->flight_count--;
    m->ids[i] = m->ids[m->flight_count];
    m->flights[i] = m->flights[m->flight_count];
}

/* take_over makes a creature ours, in place of its ghost where there is one; with `stay`, where that is by now. */
static bool take_over(struct migration *m, const struct wire_carried_creature *c, bool stay, uint16_t *index) {
    struct entities *e = m->config.entities;
    *index = entities_find(e, c->id);
    bool is_new = *index == ENTITY_NONE;
    if (is_new && entities_spawn_as(e, c->id, ENTITY_OWN, c->kind, c->x, c->y, index)) return false;
    CHECK(is_new || !entities_is_own(e, *index));
    if (!is_new) ghosts_own(m->config.ghosts, *index);
    int error = game_arrive(m->config.game, *index, c->rules);
    CHECK(error == 0); /* there is room for as many creatures as for entities */
    if (!stay) {
        e->x[*index] = c->x;
        e->y[*index] = c->y;
    }
    e->vx[*index] = c->vx;
    e->vy[*index] = c->vy;
    e->yaw[*index] = c->yaw;
    e->action[*index] = c->action;
    return true;
}

/* A creature that a third zone tells of is that one's, whatever became of the one that it was sent to. */
static bool is_elsewhere(const struct migration *m, const struct flight *f) {
    const struct entities *e = m->config.entities;
    uint16_t index = entities_find(e, f->carried.id);
    if (index == ENTITY_NONE) return false;
    uint32_t slot = e->ghost_of[index];
    return slot != f->slot && (slot == ENTITY_OWN || (slot < WIRE_WORKERS_MAX && m->links[slot] != LINK_LOST));
}

/* bring_back ends a flight, unless there is no room: then it is tried again each tick. */
static void bring_back(struct migration *m, uint32_t i) {
    uint16_t index;
    m->flights[i].state = FLIGHT_BACK;
    if (!take_over(m, &m->flights[i].carried, true, &index)) return;
    m->stats.back++;
    forget(m, i);
}

/* The zone that a creature was sent to may have taken it and carried it on before it was lost. */
static void bring_back_or_leave(struct migration *m, uint32_t i) {
    if (!is_elsewhere(m, &m->flights[i])) {
        bring_back(m, i);
        return;
    }
    m->stats.elsewhere++;
    forget(m, i);
}

/* --- connections */

static void begin_anew(struct migration *m, uint32_t slot, enum link link) {
    CHECK(slot < WIRE_WORKERS_MAX);
    m->links[slot] = link;
    m->answers[slot].count = 0; /* they will be asked for again */
}

void migration_again(struct migration *m, uint32_t slot) {
    for (uint32_t i = 0; i < m->flight_count; i++) {
        if (m->flights[i].slot == slot && m->flights[i].state == FLIGHT_SENT) m->flights[i].state = FLIGHT_DUE;
    }
}

void migration_open(struct migration *m, uint32_t slot, uint64_t tick) {
    begin_anew(m, slot, LINK_UP);
    migration_again(m, slot);
    arrivals_renew(m->arrivals, tick);
}

void migration_close(struct migration *m, uint32_t slot) {
    CHECK(slot < WIRE_WORKERS_MAX);
    if (m->links[slot] == LINK_UP) begin_anew(m, slot, LINK_CLOSED);
}

void migration_lose(struct migration *m, uint32_t slot, uint64_t tick) {
    begin_anew(m, slot, LINK_LOST);
    arrivals_renew(m->arrivals, tick);
    for (uint32_t i = m->flight_count; i-- > 0;) {
        if (m->flights[i].slot == slot && m->flights[i].state != FLIGHT_BACK) bring_back_or_leave(m, i);
    }
}

/* --- from others */

static bool is_sound(const struct migration *m, const struct wire_carried_creature *c) {
    return c->kind == GAME_KIND_CREATURE && c->tick > 0 && territory_is_world(m->config.territory, c->x, c->y);
}

/* was_taken tells whether this journey, or one after it, has ended here. A flight of an older journey is over: the creature
 * has been there and comes back. */
static bool was_taken(struct migration *m, const struct wire_carried_creature *c) {
    const struct entities *e = m->config.entities;
    uint16_t index = entities_find(e, c->id);
    if (index != ENTITY_NONE && entities_is_own(e, index)) return true;
    if (arrivals_find(m->arrivals, c->id) >= c->tick) return true;
    uint32_t i = find_flight(m, c->id);
    if (i == m->flight_count) return false;
    if (m->flights[i].carried.tick >= c->tick) return true;
    forget(m, i);
    return false;
}

static enum wire_taken_result take_one(struct migration *m, uint64_t tick, const struct wire_carried_creature *c) {
    const struct entities *e = m->config.entities;
    if (!is_sound(m, c)) {
        m->stats.bad++;
        m->stats.refused++;
        return WIRE_TAKEN_FULL;
    }
    if (was_taken(m, c)) {
        m->stats.repeated++;
        return WIRE_TAKEN;
    }
    uint16_t ghost = entities_find(e, c->id), index;
    bool fits = ghost == ENTITY_NONE || e->kind[ghost] == c->kind;
    if (!fits || !arrivals_has_room(m->arrivals, c->id) || !take_over(m, c, false, &index)) {
        m->stats.refused++;
        return WIRE_TAKEN_FULL;
    }
    arrivals_note(m->arrivals, c->id, c->tick, tick);
    m->stats.taken++;
    STEP("target.creature_taken");
    return WIRE_TAKEN;
}

void migration_take(struct migration *m, uint32_t slot, uint64_t tick, const struct wire_carried_creature *creatures,
                    uint32_t count) {
    CHECK(slot < WIRE_WORKERS_MAX);
    struct answers *a = &m->answers[slot];
    for (uint32_t i = 0; i < count; i++) {
        const struct wire_carried_creature *c = &creatures[i];
        enum wire_taken_result result = take_one(m, tick, c);
        if (a->count == MIGRATION_FLIGHTS_MAX) {
            m->stats.answers_no_room++;
            continue;
        }
        a->items[a->count++] = (struct wire_creature_taken){.id = c->id, .result = result, .tick = (uint32_t)c->tick};
    }
}

static void take_answer(struct migration *m, uint32_t slot, uint64_t tick, const struct wire_creature_taken *taken) {
    uint32_t i = find_flight(m, taken->id);
    const struct flight *f = &m->flights[i];
    if (i == m->flight_count || f->slot != slot || f->state == FLIGHT_BACK || (uint32_t)f->carried.tick != taken->tick) {
        m->stats.answers_unknown++;
        return;
    }
    if (taken->result == WIRE_TAKEN) {
        m->stats.finished++;
        STEP("source.creature_done");
        forget(m, i);
        return;
    }
    bring_back(m, i);
    uint16_t index = entities_find(m->config.entities, taken->id);
    if (index != ENTITY_NONE) m->waits[index] = (struct wait){.id = taken->id, .until_tick = tick + m->again_ticks};
}

void migration_take_answers(struct migration *m, uint32_t slot, uint64_t tick, const struct wire_creature_taken *taken,
                            uint32_t count) {
    CHECK(slot < WIRE_WORKERS_MAX);
    for (uint32_t i = 0; i < count; i++) take_answer(m, slot, tick, &taken[i]);
}

/* --- to others */

static bool is_within(const struct grid_rect *r, int64_t margin, int32_t x, int32_t y) {
    return x >= r->x_min - margin && x < r->x_max + margin && y >= r->y_min - margin && y < r->y_max + margin;
}

static bool is_near_own(const struct migration *m, int64_t margin, int32_t x, int32_t y) {
    for (uint32_t i = 0; i < m->own_count; i++) {
        if (is_within(&m->own[i], margin, x, y)) return true;
    }
    return false;
}

/* Returns the slot that a creature is to go to, WIRE_SLOT_NONE: it stays. */
static uint32_t destination(const struct migration *m, uint16_t index) {
    const struct entities *e = m->config.entities;
    const struct territory *t = m->config.territory;
    int32_t x = e->x[index], y = e->y[index];
    if (is_near_own(m, 0, x, y)) return WIRE_SLOT_NONE; /* so it is with nearly all */
    const struct wire_directory_partition *p = directory_at(&t->directory, x, y);
    if (!p || p->owner >= WIRE_WORKERS_MAX || m->links[p->owner] != LINK_UP) return WIRE_SLOT_NONE;
    bool is_far = p->former == t->slot || !is_near_own(m, (int64_t)MIGRATION_HYSTERESIS_M * 65536, x, y);
    return is_far ? p->owner : WIRE_SLOT_NONE;
}

static void start(struct migration *m, uint16_t index, uint32_t slot, uint64_t tick) {
    const struct entities *e = m->config.entities;
    uint64_t before = arrivals_find(m->arrivals, e->id[index]);
    struct flight *f = &m->flights[m->flight_count];
    *f = (struct flight){.slot = slot,
                         .state = FLIGHT_DUE,
                         .carried = {.id = e->id[index],
                                     .tick = tick > before ? tick : before + 1,
                                     .x = e->x[index],
                                     .y = e->y[index],
                                     .vx = e->vx[index],
                                     .vy = e->vy[index],
                                     .kind = e->kind[index],
                                     .yaw = e->yaw[index],
                                     .health = e->health[index],
                                     .action = e->action[index]}};
    game_carry(m->config.game, index, f->carried.rules);
    m->ids[m->flight_count++] = f->carried.id;
    ghosts_leave(m->config.ghosts, index, slot, tick);
    m->stats.started++;
    STEP("source.creature_left");
}

/* Backwards: whoever goes is replaced in the list by the last one, which was looked at. */
static void start_some(struct migration *m, uint64_t tick) {
    const struct entities *e = m->config.entities;
    uint32_t started = 0;
    for (uint32_t n = game_creatures(m->config.game); n-- > 0;) {
        uint16_t index = game_creature(m->config.game, n);
        uint32_t slot = destination(m, index);
        if (slot == WIRE_SLOT_NONE) continue;
        if (m->waits[index].id == e->id[index] && tick < m->waits[index].until_tick) continue;
        if (started == MIGRATION_STARTS_MAX || m->flight_count == MIGRATION_FLIGHTS_MAX) {
            m->stats.delayed++;
            return;
        }
        start(m, index, slot, tick);
        started++;
    }
}

static void find_own(struct migration *m) {
    const struct territory *t = m->config.territory;
    m->own_count = 0;
    for (uint32_t i = 0; i < t->directory.partition_count; i++) {
        const struct wire_directory_partition *p = &t->directory.partitions[i];
        if (p->owner == t->slot) m->own[m->own_count++] = territory_rect(p->rect);
    }
}

static bool any_closed(const struct migration *m) {
    for (uint32_t i = 0; i < WIRE_WORKERS_MAX; i++) {
        if (m->links[i] == LINK_CLOSED) return true;
    }
    return false;
}

void migration_update(struct migration *m, uint64_t tick) {
    for (uint32_t i = m->flight_count; i-- > 0;) {
        if (m->flights[i].state == FLIGHT_BACK) bring_back_or_leave(m, i);
    }
    find_own(m);
    start_some(m, tick);
    if (!any_closed(m)) arrivals_expire(m->arrivals, tick);
}

void migration_tell(struct migration *m, uint32_t slot, struct wire_peer_batch *batch) {
    CHECK(slot < WIRE_WORKERS_MAX);
    batch->creatures = m->out;
    batch->taken = m->answers[slot].items;
    batch->creature_count = batch->taken_count = 0;
    if (m->links[slot] != LINK_UP) return;
    for (uint32_t i = 0; i < m->flight_count; i++) {
        const struct flight *f = &m->flights[i];
        if (f->slot == slot && f->state == FLIGHT_DUE) m->out[batch->creature_count++] = f->carried;
    }
    batch->taken_count = m->answers[slot].count;
}

void migration_told(struct migration *m, uint32_t slot) {
    CHECK(slot < WIRE_WORKERS_MAX);
    if (m->links[slot] != LINK_UP) return;
    for (uint32_t i = 0; i < m->flight_count; i++) {
        struct flight *f = &m->flights[i];
        if (f->slot == slot && f->state == FLIGHT_DUE) f->state = FLIGHT_SENT;
    }
    m->answers[slot].count = 0;
}

/* --- looking in */

uint32_t migration_in_flight(const struct migration *m, struct wire_rect rect) {
    struct grid_rect r = territory_rect(rect);
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->flight_count; i++) {
        const struct wire_carried_creature *c = &m->flights[i].carried;
        count += is_within(&r, 0, c->x, c->y);
    }
    return count;
}

const struct migration_stats *migration_stats(const struct migration *m) {
    return &m->stats;
}

/* What was sent and what is to be answered bears on nothing here, only on what is told. */
uint64_t migration_hash(const struct migration *m, uint64_t hash) {
    for (uint32_t i = 0; i < WIRE_WORKERS_MAX; i++) {
        if (m->links[i] != LINK_LOST) hash = hash_word(hash, (uint64_t)i << 8 | m->links[i]);
    }
    for (uint32_t i = 0; i < m->flight_count; i++) {
        const struct flight *f = &m->flights[i];
        hash = hash_word(hash, f->carried.id);
        hash = hash_word(hash, f->carried.tick);
        hash = hash_word(hash, (uint64_t)f->slot << 8 | (f->state == FLIGHT_BACK));
    }
    for (uint32_t n = 0; n < game_creatures(m->config.game); n++) {
        uint16_t index = game_creature(m->config.game, n);
        const struct wait *w = &m->waits[index];
        if (w->until_tick != 0 && w->id == m->config.entities->id[index]) hash = hash_word(hash, w->until_tick);
    }
    return arrivals_hash(m->arrivals, hash);
}
