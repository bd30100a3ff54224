#include "zone/venues.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/step.h"
#include "schemas/cells.h"
#include "zone/hash.h"
#include "zone/venues_inner.h"

#define INDEX_FREE 0xffff

_Static_assert(WIRE_INSTANCES_MAX < INDEX_FREE, "a place in the table fits into the index");
_Static_assert(WIRE_INSTANCE_WAVES_MAX <= UINT8_MAX, "a creature knows its wave");

struct venues *venues_create(const struct venues_config *config) {
    struct venues *in = calloc(1, sizeof *in);
    if (!in) return NULL;
    in->config = *config;
    in->items = calloc(WIRE_INSTANCES_MAX, sizeof *in->items);
    in->index = malloc(VENUES_INDEX_SIZE * sizeof *in->index);
    in->strays = calloc(config->entities->capacity, sizeof *in->strays);
    if (!in->items || !in->index || !in->strays) {
        venues_destroy(in);
        return NULL;
    }
    memset(in->index, 0xff, VENUES_INDEX_SIZE * sizeof *in->index);
    return in;
}

void venues_destroy(struct venues *in) {
    if (!in) return;
    free(in->items);
    free(in->index);
    free(in->strays);
    free(in);
}

/* --- the table */

static uint16_t *index_entry(const struct venues *in, uint32_t id) {
    uint32_t at = id * 2654435769u;
    for (;; at++) {
        uint16_t *entry = &in->index[at % VENUES_INDEX_SIZE];
        if (*entry == INDEX_FREE || in->items[*entry].order.id == id) return entry;
    }
}

struct venue *venues_find(const struct venues *in, uint32_t id) {
    uint16_t place = *index_entry(in, id);
    return place != INDEX_FREE ? &in->items[place] : NULL;
}

void venues_remove(struct venues *in, uint32_t place) {
    CHECK(place < in->count);
    game_furnish(in->config.game, in->items[place].order.id, NULL);
    in->items[place] = in->items[--in->count];
    memset(in->index, 0xff, VENUES_INDEX_SIZE * sizeof *in->index);
    for (uint32_t i = 0; i < in->count; i++) *index_entry(in, in->items[i].order.id) = (uint16_t)i;
}

const struct wire_directory_partition *venues_block(const struct venues *in, uint32_t block) {
    const struct territory *t = in->config.territory;
    const struct wire_directory_partition *p = cells_is_block(block) ? directory_find(&t->directory, block) : NULL;
    return p && p->owner == t->slot ? p : NULL;
}

/* --- orders */

/* Returns how many creatures the waves may have at once: those that overlap are there together. */
static uint32_t most_creatures(const struct wire_instance_wave *waves, uint32_t count) {
    uint64_t most = 0, together = 0;
    for (uint32_t i = 0; i < count; i++) {
        together = waves[i].overlaps ? together + waves[i].creatures : waves[i].creatures;
        if (together > most) most = together;
    }
    return most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
}

/* Returns how many creatures more there is room for, beside players, the world's creatures and what is promised already. */
static uint32_t room(const struct venues *in) {
    uint64_t used = (uint64_t)in->config.players_max + in->world_creatures;
    for (uint32_t i = 0; i < in->count; i++) used += in->items[i].reserved;
    return used < in->config.entities->capacity ? (uint32_t)(in->config.entities->capacity - used) : 0;
}

static bool is_free(const struct venues *in, const struct venue *item) {
    for (uint32_t i = 0; i < in->count; i++) {
        const struct venue *other = &in->items[i];
        bool is_there = other->phase == WIRE_PHASE_RUNNING || other->phase == WIRE_PHASE_OVER;
        if (other != item && is_there && other->order.block == item->order.block && other->order.cell == item->order.cell)
            return false;
    }
    return true;
}

/* is_cell tells whether a block has such a cell, all of it. */
static bool is_cell(const struct venues *in, const struct wire_instance_order *o) {
    const struct cells *cells = &in->config.territory->cells;
    const struct wire_directory_partition *block = venues_block(in, o->block);
    if (!block || o->cell >= cells->per_block) return false;
    struct wire_rect r = cells_rect(cells, block, o->cell);
    return r.max_x <= block->rect.max_x && r.max_y <= block->rect.max_y;
}

/* rect_of returns the cell of an order, up to the walls. */
static struct wire_rect rect_of(const struct venues *in, const struct wire_instance_order *o) {
    struct wire_rect r = cells_rect(&in->config.territory->cells, venues_block(in, o->block), o->cell);
    if (o->side_m < (uint32_t)(r.max_x - r.min_x)) r.max_x = r.min_x + (int32_t)o->side_m;
    if (o->side_m < (uint32_t)(r.max_y - r.min_y)) r.max_y = r.min_y + (int32_t)o->side_m;
    return r;
}

static int make_room(const struct venues *in, const struct venue *item, struct room *room) {
    return room_make(room, rect_of(in, &item->order), item->boxes, item->order.box_count);
}

static bool makes_sense(const struct venues *in, const struct venue *item) {
    const struct wire_instance_order *o = &item->order;
    struct room room;
    bool may_clear = !(o->goals & WIRE_GOAL_CLEARED) || o->wave_count > 0;
    return is_cell(in, o) && o->team_count <= WIRE_TEAMS_MAX && o->side_m >= 2 && may_clear && o->wave <= o->wave_count &&
           make_room(in, item, &room) == 0;
}

/* copy_members keeps what was counted of those that are still members. */
static void copy_members(struct venue *item, const struct wire_instance_member *members, uint32_t count) {
    struct venue_member before[WIRE_INSTANCE_PLAYERS_MAX];
    memcpy(before, item->members, sizeof before);
    for (uint32_t i = 0; i < count; i++) {
        struct venue_member *m = &item->members[i];
        *m = (struct venue_member){.player = members[i].player};
        for (uint32_t k = 0; k < WIRE_INSTANCE_PLAYERS_MAX; k++)
            if (before[k].player == m->player) *m = before[k];
    }
    memset(item->members + count, 0, (WIRE_INSTANCE_PLAYERS_MAX - count) * sizeof *item->members);
}

static void copy_order(struct venue *item, const struct wire_instance_orders *orders, const struct wire_instance_order *o) {
    item->order = *o;
    if (item->order.wave_count > WIRE_INSTANCE_WAVES_MAX) item->order.wave_count = WIRE_INSTANCE_WAVES_MAX;
    if (item->order.spot_count > WIRE_INSTANCE_SPOTS_MAX) item->order.spot_count = WIRE_INSTANCE_SPOTS_MAX;
    if (item->order.box_count > WIRE_INSTANCE_BOXES_MAX) item->order.box_count = WIRE_INSTANCE_BOXES_MAX;
    if (item->order.member_count > WIRE_INSTANCE_PLAYERS_MAX) item->order.member_count = WIRE_INSTANCE_PLAYERS_MAX;
    for (uint32_t i = 0; i < item->order.wave_count; i++) item->waves[i] = orders->waves[o->first_wave + i];
    for (uint32_t i = 0; i < item->order.spot_count; i++) item->spots[i] = orders->spots[o->first_spot + i];
    for (uint32_t i = 0; i < item->order.box_count; i++) item->boxes[i] = orders->boxes[o->first_box + i];
    copy_members(item, orders->members + o->first_member, item->order.member_count);
}

/* is_answer tells whether an instance is kept only to be told of: it never ran, or runs no more. */
static bool is_answer(const struct venue *item) {
    return item->phase == WIRE_PHASE_REFUSED || item->phase == WIRE_PHASE_ENDED;
}

/* has_place tells whether the table has a place for one more that runs, or for one more answer. */
static bool has_place(const struct venues *in, const struct venue *item) {
    uint32_t answers = 0;
    for (uint32_t i = 0; i < in->count; i++) answers += is_answer(&in->items[i]);
    uint32_t others = in->count - answers;
    if (in->count == WIRE_INSTANCES_MAX) return false;
    return is_answer(item) ? answers < VENUES_ANSWERS_MAX : others < WIRE_INSTANCES_MAX - VENUES_ANSWERS_MAX;
}

/* judge_order tells whether an instance can run; where it can, its creatures have a promise of room. */
static bool judge_order(struct venues *in, struct venue *item) {
    item->reserved = 0;
    uint32_t most = most_creatures(item->waves, item->order.wave_count);
    if (!makes_sense(in, item) || most > VENUES_CREATURES_MAX || most > room(in) || !is_free(in, item)) return false;
    item->reserved = most;
    return true;
}

static void place_walls(const struct venues *in, struct venue *item) {
    struct room room;
    int error = make_room(in, item, &room);
    CHECK(error == 0); /* it was judged */
    item->rect = rect_of(in, &item->order);
    game_furnish(in->config.game, item->order.id, &room);
}

static void begin(struct venues *in, struct venue *item, uint64_t tick) {
    const struct wire_instance_order *o = &item->order;
    item->phase = WIRE_PHASE_RUNNING;
    item->began_tick = item->came_tick = item->seen_tick = item->wave_tick = item->dead_tick = tick;
    item->settle_tick = tick + venues_ticks(in, VENUES_SETTLE_MS);
    item->wave = item->started = o->wave;
    item->rng = (struct rng){o->seed};
    item->scores = (struct venue_scores){.other = WIRE_SLOT_NONE};
    memcpy(item->scores.base, o->scores, sizeof item->scores.base);
    place_walls(in, item);
    STEP("zone.instance_begun");
}

/* Takes what is newer of an order. Where its former zone has not told it yet, what that reported last may come late. */
static void renew(struct venues *in, struct venue *item, const struct wire_instance_orders *orders,
                  const struct wire_instance_order *o, uint64_t tick) {
    uint32_t block = item->order.block, cell = item->order.cell;
    copy_order(item, orders, o);
    if (item->phase == WIRE_PHASE_REFUSED) {
        if (judge_order(in, item)) begin(in, item, tick);
        return;
    }
    item->order.block = block;
    item->order.cell = cell;
    if (tick >= item->settle_tick || item->is_sure) return;
    if (o->wave > item->wave && o->wave <= item->order.wave_count) item->wave = o->wave;
    if (item->started < item->wave) item->started = item->wave;
    for (uint32_t i = 0; i < WIRE_TEAMS_MAX; i++) {
        if (o->scores[i] > item->scores.base[i]) item->scores.base[i] = o->scores[i];
    }
}

/* take_new takes an order of one that is not here. Where there is no place even for an answer it is passed over: it comes
 * again, and answers are forgotten soon. */
static void take_new(struct venues *in, uint64_t tick, const struct wire_instance_orders *orders,
                     const struct wire_instance_order *o) {
    struct venue item = {.heard_tick = tick, .began_tick = tick, .left_to = WIRE_SLOT_NONE, .pace = 1};
    item.carry.answer_to = WIRE_SLOT_NONE;
    copy_order(&item, orders, o);
    item.phase = o->state == WIRE_INSTANCE_END ? WIRE_PHASE_ENDED : WIRE_PHASE_RUNNING;
    if (item.phase == WIRE_PHASE_RUNNING && !(has_place(in, &item) && judge_order(in, &item))) {
        item.phase = WIRE_PHASE_REFUSED;
        in->stats.orders_refused++;
    }
    if (!has_place(in, &item)) {
        in->stats.orders_delayed++;
        return;
    }
    if (item.phase == WIRE_PHASE_RUNNING) begin(in, &item, tick);
    *index_entry(in, o->id) = (uint16_t)in->count;
    in->items[in->count++] = item;
}

static void take_order(struct venues *in, uint64_t tick, const struct wire_instance_orders *orders,
                       const struct wire_instance_order *o) {
    if (o->id == 0 || !venues_block(in, o->block)) {
        in->stats.orders_elsewhere++;
        return;
    }
    in->stats.orders++;
    struct venue *item = venues_find(in, o->id);
    if (item && (item->is_left || o->run != item->order.run)) { /* what is left of one before */
        venues_remove(in, (uint32_t)(item - in->items));
        item = NULL;
    }
    if (!item) {
        take_new(in, tick, orders, o);
        return;
    }
    item->heard_tick = tick;
    if (o->version <= item->order.version) return;
    if (item->order.state == WIRE_INSTANCE_END || o->state == WIRE_INSTANCE_END) {
        item->order.state = WIRE_INSTANCE_END;
        item->order.version = o->version;
        in->look_tick = 0; /* at once */
    } else {
        renew(in, item, orders, o, tick);
    }
}

void venues_take(struct venues *in, uint64_t tick, const struct wire_instance_orders *orders) {
    for (uint32_t i = 0; i < orders->instance_count; i++) take_order(in, tick, orders, &orders->instances[i]);
    if (orders->is_complete && in->complete_tick == 0) in->complete_tick = tick;
}

void venues_renew(struct venues *in) {
    in->complete_tick = 0;
}

/* --- how long creatures think */

void venues_spent(struct venues *in, uint32_t id, uint64_t ns) {
    struct venue *item = venues_find(in, id);
    if (item) item->budget.spent_ns += ns;
}

bool venues_pace(struct venues *in, uint32_t id, uint32_t pace) {
    struct venue *item = venues_find(in, id);
    if (!item || pace < 1 || pace > BUDGET_PACE_MAX) return false;
    in->stats.slowings += pace > item->pace;
    item->pace = pace;
    return true;
}

uint32_t venues_judge(struct venues *in, uint32_t tick_us, struct venues_pace paces[WIRE_INSTANCES_MAX]) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < in->count; i++) {
        struct venue *item = &in->items[i];
        uint32_t pace = budget_judge(&item->budget, item->pace, tick_us);
        if (pace != item->pace) paces[count++] = (struct venues_pace){item->order.id, pace};
    }
    return count;
}

/* --- looking in */

bool venues_is_out(const struct venues *in, const struct game_guest *guest) {
    const struct venue *item = venues_find(in, guest->instance);
    return item && item->order.lives > 0 && guest->deaths >= item->order.lives;
}

uint32_t venues_report(const struct venues *in, uint64_t tick, struct wire_instance_status out[WIRE_INSTANCES_MAX]) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < in->count; i++) {
        const struct venue *item = &in->items[i];
        if (item->is_left) continue;
        uint64_t until = item->phase == WIRE_PHASE_RUNNING ? tick : item->over_tick;
        struct wire_instance_status *s = &out[count++];
        *s = (struct wire_instance_status){.id = item->order.id,
                                           .version = item->order.version,
                                           .phase = item->phase,
                                           .goal = item->goal,
                                           .wave = item->wave,
                                           .creatures = item->count.creatures,
                                           .players = item->count.players,
                                           .slowed = item->pace};
        if (until > item->began_tick) s->lasted_ms = (until - item->began_tick) * 1000 / in->config.tick_hz;
        for (uint32_t k = 0; k < WIRE_TEAMS_MAX; k++) s->scores[k] = venues_score(item, k);
    }
    return count;
}

static uint64_t hash_item(const struct venue *item, uint64_t hash) {
    hash = hash_word(hash, (uint64_t)item->order.id << 32 | item->order.version);
    hash = hash_word(hash, (uint64_t)item->phase << 32 | (uint64_t)item->order.state << 16 | (uint64_t)item->is_left << 2 |
                               (uint64_t)item->is_heard << 1 | item->is_sure);
    hash = hash_word(hash, (uint64_t)item->left_to << 32 | item->scores.other);
    hash = hash_word(hash, (uint64_t)item->goal << 32 | (uint64_t)item->pace << 16 | item->spawned);
    hash = hash_word(hash, (uint64_t)item->wave << 32 | item->started);
    hash = hash_word(hash, item->over_tick ^ item->settle_tick << 1);
    hash = hash_word(hash, item->wave_tick ^ item->dead_tick << 1);
    hash = hash_word(hash, item->seen_tick ^ item->heard_tick << 1);
    hash = hash_word(hash, item->began_tick ^ item->came_tick << 1);
    hash = hash_word(hash, item->rng.state);
    for (uint32_t i = 0; i < WIRE_TEAMS_MAX; i++) {
        hash = hash_word(hash, (uint64_t)item->scores.base[i] << 32 | item->scores.theirs[i]);
        hash = hash_word(hash, item->scores.own[i]);
    }
    for (uint32_t i = 0; i < item->order.member_count; i++)
        hash = hash_word(hash, (uint64_t)item->members[i].kills << 16 | item->members[i].deaths);
    return hash_word(hash, (uint64_t)item->count.teams_seen << 32 | item->count.players);
}

uint64_t venues_hash(const struct venues *in, uint64_t hash) {
    if (in->complete_tick != 0) hash = hash_word(hash, in->complete_tick);
    for (uint32_t i = 0; i < in->count; i++) hash = hash_item(&in->items[i], hash);
    const struct entities *e = in->config.entities;
    for (uint32_t i = 0; i < e->count; i++) {
        const struct stray *s = &in->strays[e->alive[i]];
        if (s->since_tick != 0 && s->id == e->id[e->alive[i]]) hash = hash_word(hash, s->since_tick);
    }
    return hash;
}

const struct venues_stats *venues_stats(const struct venues *in) {
    return &in->stats;
}
