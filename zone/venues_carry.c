/* venues_carry.c: instances whose block changes hands: what its former zone tells the one that has it now.
 *
 *   here ──the directory gives its block away──► left ──told, again and again──► answered ──nothing is left──► forgotten
 *    ▲                                            │
 *    └──────────── it gives the block back ───────┘
 *
 * What is told is the whole of it, with a serial that each death of a player raises, for who is not handed over yet fights
 * on. It waits in the hold of the block (registrar.h) until it is answered, so the directory does not call the handing over
 * done before; and until then no wave begins and no goal counts where it goes. Nor do players go there before the first
 * answer: nothing runs there yet in which they could score.
 */
#include <string.h>

#include "zone/venues_inner.h"

static const struct wire_directory_partition *partition_of(const struct venues *in, const struct venue *item) {
    return directory_find(&in->config.territory->directory, item->order.block);
}

static bool is_carried(const struct venue *item) {
    bool runs = item->phase == WIRE_PHASE_RUNNING || item->phase == WIRE_PHASE_OVER;
    return item->is_left && runs && item->order.state != WIRE_INSTANCE_END;
}

static bool is_unanswered(const struct venues *in, const struct venue *item, uint64_t tick) {
    return is_carried(item) && item->carry.taken != item->carry.serial &&
           tick < item->left_tick + venues_ticks(in, VENUES_LEFT_MS);
}

/* --- the directory */

/* fold: what the other zone scored is final. */
static void fold(struct venue_scores *s) {
    for (uint32_t i = 0; i < WIRE_TEAMS_MAX; i++) {
        s->base[i] += s->theirs[i];
        s->theirs[i] = 0;
    }
    s->other = WIRE_SLOT_NONE;
}

static void leave(struct venues *in, struct venue *item, uint64_t tick) {
    item->is_left = item->is_sure = true;
    item->is_heard = false;
    item->left_to = WIRE_SLOT_NONE; /* whoever it is, it has not answered this time */
    item->left_tick = tick;
    item->reserved = 0;
    item->carry.serial++;
    in->has_news = true;
}

/* come_back: it was never the other's alone, and goes on with what it came to here. */
static void come_back(struct venues *in, struct venue *item, uint64_t tick) {
    item->is_left = false;
    item->came_tick = tick;
    item->settle_tick = tick + venues_ticks(in, VENUES_SETTLE_MS);
}

/* follow does what the directory has of an instance's block; true: the instance is to be forgotten. */
static bool follow(struct venues *in, struct venue *item, uint64_t tick) {
    const struct wire_directory_partition *p = partition_of(in, item);
    uint32_t slot = in->config.territory->slot;
    bool is_ours = p && p->owner == slot;
    if (!is_ours) {
        if (!p || p->former != slot) return true;
        if (!item->is_left) leave(in, item, tick);
        if (item->left_to != p->owner) item->carry.told = item->carry.taken = 0;
        item->left_to = p->owner;
        return false;
    }
    if (item->is_left) {
        if (p->former != WIRE_SLOT_NONE && p->former != item->left_to) return true;
        come_back(in, item, tick);
    }
    if (p->former == WIRE_SLOT_NONE) {
        fold(&item->scores);
        item->is_heard = false;
    }
    return false;
}

void venues_directory(struct venues *in, uint64_t tick) {
    for (uint32_t i = in->count; i-- > 0;)
        if (follow(in, &in->items[i], tick)) venues_remove(in, i);
}

/* --- what is told */

static void tell_members(struct venues *in, const struct venue *item, struct wire_carried_instance *c,
                         struct wire_peer_batch *batch) {
    c->first_member = batch->member_count;
    for (uint32_t i = 0; i < item->order.member_count; i++) {
        const struct venue_member *m = &item->members[i];
        if (m->kills == 0 && m->deaths == 0) continue;
        in->carried_members[batch->member_count++] =
            (struct wire_carried_member){.player = m->player, .kills = m->kills, .deaths = m->deaths};
    }
    c->member_count = batch->member_count - c->first_member;
}

static void tell_one(struct venues *in, struct venue *item, uint64_t tick, struct wire_peer_batch *batch) {
    struct wire_carried_instance *c = &in->carried[batch->instance_count++];
    *c = (struct wire_carried_instance){.began_tick = item->began_tick,
                                        .over_tick = item->over_tick,
                                        .wave_tick = item->wave_tick,
                                        .dead_tick = item->dead_tick,
                                        .rng = item->rng.state,
                                        .id = item->order.id,
                                        .run = item->order.run,
                                        .serial = item->carry.serial,
                                        .phase = item->phase,
                                        .goal = item->goal,
                                        .wave = item->wave,
                                        .started = item->started,
                                        .spawned = item->spawned,
                                        .teams_seen = item->count.teams_seen};
    for (uint32_t i = 0; i < WIRE_TEAMS_MAX; i++) {
        c->base[i] = item->scores.base[i] + item->scores.theirs[i];
        c->own[i] = item->scores.own[i];
    }
    tell_members(in, item, c, batch);
    item->carry.told = item->carry.serial;
    item->carry.told_tick = tick;
    in->stats.told_on++;
}

static bool is_due(const struct venues *in, const struct venue *item, uint64_t tick) {
    bool is_new = item->carry.told != item->carry.serial;
    return is_unanswered(in, item, tick) && (is_new || tick >= item->carry.told_tick + venues_ticks(in, VENUES_AGAIN_MS));
}

void venues_tell(struct venues *in, uint32_t slot, uint64_t tick, struct wire_peer_batch *batch) {
    batch->instances = in->carried;
    batch->members = in->carried_members;
    batch->instances_taken = in->taken;
    batch->instance_count = batch->member_count = batch->instance_taken_count = 0;
    if (!in->has_news) return;
    in->has_news = false;
    for (uint32_t i = 0; i < in->count; i++) {
        struct venue *item = &in->items[i];
        if (item->carry.answer_to == slot && batch->instance_taken_count < WIRE_PEER_INSTANCES_MAX) {
            in->taken[batch->instance_taken_count++] =
                (struct wire_instance_taken){.id = item->order.id, .serial = item->carry.heard};
            item->carry.answer_to = WIRE_SLOT_NONE;
        }
        bool fits = batch->instance_count < WIRE_PEER_INSTANCES_MAX &&
                    batch->member_count + item->order.member_count <= WIRE_PEER_ITEMS_MAX;
        if (item->left_to == slot && fits && is_due(in, item, tick)) tell_one(in, item, tick, batch);
        in->has_news |= item->carry.answer_to != WIRE_SLOT_NONE || is_unanswered(in, item, tick);
    }
}

uint32_t venues_in_flight(const struct venues *in, uint64_t tick, uint32_t block) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < in->count; i++)
        count += in->items[i].order.block == block && is_unanswered(in, &in->items[i], tick);
    return count;
}

bool venues_keeps(const struct venues *in, uint64_t tick, uint32_t id) {
    const struct venue *item = venues_find(in, id);
    return item && item->carry.taken == 0 && is_unanswered(in, item, tick);
}

/* --- what others tell */

static bool is_sound(const struct venue *item, const struct wire_carried_instance *c) {
    bool runs = c->phase == WIRE_PHASE_RUNNING || c->phase == WIRE_PHASE_OVER;
    return runs && c->wave <= c->started && c->started <= item->order.wave_count;
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* hear_waves: creatures that came over may have begun a wave already, as far as was known then. */
static void hear_waves(struct venue *item, uint64_t tick, const struct wire_carried_instance *c) {
    if (c->wave > item->wave) item->wave = c->wave;
    if (c->started >= item->started) {
        item->started = c->started;
        item->spawned = c->spawned;
        item->wave_tick = earlier(c->wave_tick, tick);
    }
    item->dead_tick = earlier(c->dead_tick, tick);
    item->rng.state = c->rng;
}

static void hear_scores(struct venue *item, uint32_t slot, const struct wire_carried_instance *c) {
    struct venue_scores *s = &item->scores;
    if (s->other != slot) fold(s);
    s->other = slot;
    for (uint32_t i = 0; i < WIRE_TEAMS_MAX; i++) {
        if (!item->is_sure) s->base[i] = c->base[i];
        if (c->own[i] > s->theirs[i]) s->theirs[i] = c->own[i];
    }
}

static void hear_member(struct venue *item, const struct wire_carried_member *heard) {
    for (uint32_t i = 0; i < item->order.member_count; i++) {
        struct venue_member *m = &item->members[i];
        if (m->player != heard->player) continue;
        if (heard->kills > m->kills) m->kills = heard->kills;
        if (heard->deaths > m->deaths) m->deaths = heard->deaths;
    }
}

static void hear(struct venues *in, struct venue *item, uint32_t slot, uint64_t tick, const struct wire_carried_instance *c,
                 const struct wire_carried_member *members) {
    if (tick < item->settle_tick) hear_waves(item, tick, c);
    hear_scores(item, slot, c);
    for (uint32_t k = 0; k < c->member_count; k++) hear_member(item, &members[c->first_member + k]);
    item->is_heard = item->is_sure = true;
    item->began_tick = earlier(c->began_tick, item->began_tick);
    item->count.teams_seen |= c->teams_seen;
    in->stats.heard++;
    if (c->phase != WIRE_PHASE_OVER || item->phase != WIRE_PHASE_RUNNING) return;
    item->phase = WIRE_PHASE_OVER;
    item->goal = c->goal;
    item->over_tick = earlier(c->over_tick, tick);
    item->reserved = 0;
}

/* What is not ordered here yet gets no answer, and is told again; what makes no sense here is answered, and no more. */
static void take_carried(struct venues *in, uint32_t slot, uint64_t tick, const struct wire_carried_instance *c,
                         const struct wire_carried_member *members) {
    struct venue *item = venues_find(in, c->id);
    const struct wire_directory_partition *block = item && !item->is_left ? venues_block(in, item->order.block) : NULL;
    if (!block) return;
    item->carry.answer_to = slot;
    item->carry.heard = c->serial;
    in->has_news = true;
    bool runs = item->phase == WIRE_PHASE_RUNNING || item->phase == WIRE_PHASE_OVER;
    if (runs && block->former == slot && c->run == item->order.run && is_sound(item, c))
        hear(in, item, slot, tick, c, members);
}

void venues_peer_take(struct venues *in, uint32_t slot, uint64_t tick, const struct wire_peer_batch *batch) {
    for (uint32_t i = 0; i < batch->instance_count; i++) take_carried(in, slot, tick, &batch->instances[i], batch->members);
    for (uint32_t i = 0; i < batch->instance_taken_count; i++) {
        const struct wire_instance_taken *t = &batch->instances_taken[i];
        struct venue *item = venues_find(in, t->id);
        if (item && item->is_left && item->left_to == slot && t->serial == item->carry.serial) item->carry.taken = t->serial;
    }
}
