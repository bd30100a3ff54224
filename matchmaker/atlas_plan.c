/* atlas_plan.c: how partitions pass from worker to worker; see atlas.h. */
#include "common/check.h"
#include "common/log.h"
#include "common/step.h"
#include "matchmaker/atlas_inner.h"
#include "schemas/cells.h"

/* --- looking */

uint32_t atlas_owned_count(const struct atlas *a, uint32_t slot) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < a->draft.partition_count; i++) count += a->draft.partitions[i].owner == slot;
    return count;
}

uint32_t atlas_former_count(const struct atlas *a, uint32_t slot) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < a->draft.partition_count; i++) count += a->draft.partitions[i].former == slot;
    return count;
}

uint32_t atlas_index_of(const struct atlas *a, uint32_t id) {
    for (uint32_t i = 0; i < a->draft.partition_count; i++)
        if (a->draft.partitions[i].id == id) return i;
    return ATLAS_NONE;
}

struct wire_hold atlas_hold(const struct atlas *a, uint32_t slot, uint32_t id) {
    const struct atlas_worker *w = &a->workers[slot];
    for (uint32_t i = 0; i < w->hold_count; i++)
        if (w->holds[i].partition == id) return w->holds[i];
    return (struct wire_hold){.partition = id};
}

struct wire_hold atlas_left(const struct atlas *a, uint32_t slot) {
    struct wire_hold left = {.partition = ATLAS_NONE};
    for (uint32_t i = 0; i < a->draft.partition_count; i++) {
        const struct wire_directory_partition *p = &a->draft.partitions[i];
        if (p->former != slot && (p->owner != slot || !a->workers[slot].is_draining)) continue;
        struct wire_hold hold = atlas_hold(a, slot, p->id);
        left.players += hold.players;
        left.creatures += hold.creatures;
        left.in_flight += hold.in_flight;
    }
    return left;
}

uint32_t atlas_busiest(const struct atlas *a, uint32_t slot) {
    uint32_t id = ATLAS_NONE, most = 0;
    for (uint32_t i = 0; i < a->draft.partition_count; i++) {
        const struct wire_directory_partition *p = &a->draft.partitions[i];
        if (p->owner != slot || (cells_is_block(p->id) && id != ATLAS_NONE)) continue;
        uint32_t players = atlas_hold(a, slot, p->id).players;
        if (id == ATLAS_NONE || cells_is_block(id) || players > most) {
            id = p->id;
            most = players;
        }
    }
    return id;
}

/* knows_it tells whether the owner has seen the version in which it got the partition, and made its creatures. */
static bool knows_it(const struct atlas *a, uint32_t index) {
    const struct wire_directory_partition *p = &a->draft.partitions[index];
    if (a->partitions[index].is_new || a->partitions[index].is_lost || p->owner == WIRE_SLOT_NONE) return false;
    uint64_t version = a->workers[p->owner].version;
    return version >= p->epoch && version >= p->respawn;
}

/* --- spares */

static bool can_take(const struct atlas *a, uint32_t slot) {
    return atlas_is_present(a, slot) && !a->workers[slot].is_draining;
}

static bool is_spare(const struct atlas *a, uint32_t slot) {
    return can_take(a, slot) && atlas_owned_count(a, slot) == 0 && atlas_former_count(a, slot) == 0;
}

/* Players count most, then how busy it is; a slot is preferred for the partition that the configuration gives it. */
static bool is_better(const struct atlas *a, uint32_t slot, uint32_t than, uint32_t id) {
    const struct atlas_worker *w = &a->workers[slot], *other = &a->workers[than];
    if (w->players != other->players) return w->players < other->players;
    if (slot == id || than == id) return slot == id;
    return w->busy_us < other->busy_us;
}

uint32_t atlas_spare_for(const struct atlas *a, uint32_t index) {
    uint32_t best = ATLAS_NONE, id = index == ATLAS_NONE ? ATLAS_NONE : a->draft.partitions[index].id;
    for (uint32_t slot = 0; slot < a->config.worker_count; slot++)
        if (is_spare(a, slot) && (best == ATLAS_NONE || is_better(a, slot, best, id))) best = slot;
    return best;
}

/* block_spare_for returns a spare for a block: one that no part of the world needs, those included that still wait for a
 * fence. Instances can wait, the world can't. */
static uint32_t block_spare_for(const struct atlas *a, uint32_t index) {
    uint32_t spares = 0, needed = 0;
    for (uint32_t slot = 0; slot < a->config.worker_count; slot++) spares += is_spare(a, slot);
    for (uint32_t i = 0; i < a->draft.partition_count; i++) {
        const struct wire_directory_partition *p = &a->draft.partitions[i];
        needed += p->owner == WIRE_SLOT_NONE && !cells_is_block(p->id);
    }
    return spares > needed ? atlas_spare_for(a, index) : ATLAS_NONE;
}

static uint32_t spare_for(const struct atlas *a, uint32_t index) {
    return cells_is_block(a->draft.partitions[index].id) ? block_spare_for(a, index) : atlas_spare_for(a, index);
}

/* --- handing over */

/* pass gives a partition to another worker, to which the one that had it hands over. */
static void pass(struct atlas *a, uint32_t index, uint32_t to, enum atlas_handing why) {
    struct wire_directory_partition *p = &a->draft.partitions[index];
    CHECK(p->owner != to && (p->former == WIRE_SLOT_NONE || p->former == to));
    p->former = p->owner;
    p->owner = to;
    a->partitions[index].handing = why;
    a->partitions[index].is_new = true;
}

static void forget_former(struct atlas *a, uint32_t index) {
    a->draft.partitions[index].former = WIRE_SLOT_NONE;
    a->partitions[index].handing = ATLAS_HANDING_NONE;
}

/* settle ends a handing over of which the former owner says that nothing is left. */
static void settle(struct atlas *a, uint32_t index) {
    const struct wire_directory_partition *p = &a->draft.partitions[index];
    if (p->former == WIRE_SLOT_NONE || a->partitions[index].is_new) return;
    if (!atlas_is_present(a, p->former) || a->workers[p->former].version < p->epoch) return;
    struct wire_hold hold = atlas_hold(a, p->former, p->id);
    if (hold.players > 0 || hold.creatures > 0 || hold.in_flight > 0) return;
    forget_former(a, index);
    STEP("matchmaker.settled");
}

void atlas_bury(struct atlas *a, uint32_t slot) {
    for (uint32_t i = 0; i < a->draft.partition_count; i++) {
        struct wire_directory_partition *p = &a->draft.partitions[i];
        struct atlas_partition *more = &a->partitions[i];
        if (p->former == slot) {
            const struct wire_directory_partition *told = directory_find(&a->told, p->id);
            if (!told || told->owner == slot) p->owner = slot; /* nobody knows of the new one: it has all of it */
            forget_former(a, i);
            more->is_lost = true;
            more->waits |= atlas_bit(slot); /* whoever comes after the owner of now */
        }
        if (p->owner != slot) continue;
        p->owner = WIRE_SLOT_NONE;
        more->lost_by = slot;
        more->waits |= atlas_bit(slot);
        more->into = ATLAS_NONE;
    }
}

/* --- partitions without an owner */

/* companion_of returns a worker that took another partition of the same dead one in this step: what one could carry before,
 * one can carry again. */
static uint32_t companion_of(const struct atlas *a, uint32_t index, uint64_t takers) {
    uint32_t best = ATLAS_NONE;
    uint32_t lost_by = a->partitions[index].lost_by;
    for (uint32_t i = 0; lost_by != ATLAS_NONE && i < a->draft.partition_count; i++) {
        uint32_t owner = a->draft.partitions[i].owner;
        if (owner == WIRE_SLOT_NONE || a->partitions[i].lost_by != lost_by || (takers & atlas_bit(owner)) == 0) continue;
        if (best == ATLAS_NONE || atlas_owned_count(a, owner) < atlas_owned_count(a, best)) best = owner;
    }
    return best;
}

/* place gives one partition without an owner to whoever can take it; returns the slot as a bit. A block waits for a spare,
 * or for who had it before and has not handed over. */
static uint64_t place(struct atlas *a, uint32_t index, uint64_t takers) {
    struct wire_directory_partition *p = &a->draft.partitions[index];
    struct atlas_partition *more = &a->partitions[index];
    if (p->owner != WIRE_SLOT_NONE || more->waits != 0) return 0;
    uint32_t to = spare_for(a, index);
    if (to == ATLAS_NONE && !cells_is_block(p->id)) to = companion_of(a, index, takers);
    if (to == ATLAS_NONE && p->former != WIRE_SLOT_NONE && can_take(a, p->former)) to = p->former;
    if (to == ATLAS_NONE) return 0;
    if (to == p->former) forget_former(a, index);
    p->owner = to;
    more->is_new = more->is_lost = true;
    a->stats.takeovers++;
    log_info("partition.taken", "partition=%u slot=%u", p->id, to);
    STEP("matchmaker.taken");
    return atlas_bit(to);
}

/* place_home gives a partition that nobody had yet to the slot that the configuration gives it. */
static void place_home(struct atlas *a, uint32_t index) {
    struct wire_directory_partition *p = &a->draft.partitions[index];
    if (p->owner != WIRE_SLOT_NONE || p->epoch != 0 || p->id >= a->config.worker_count || !is_spare(a, p->id)) return;
    p->owner = p->id;
    a->partitions[index].is_new = a->partitions[index].is_lost = true;
}

static void place_all(struct atlas *a) {
    uint64_t takers = 0;
    if (a->open != 0) return;
    for (uint32_t i = 0; i < a->draft.partition_count; i++) place_home(a, i);
    for (uint32_t i = 0; i < a->draft.partition_count; i++)
        if (!cells_is_block(a->draft.partitions[i].id)) takers |= place(a, i, takers);
    for (uint32_t i = 0; i < a->draft.partition_count; i++)
        if (cells_is_block(a->draft.partitions[i].id)) (void)place(a, i, takers);
    for (uint32_t i = 0; i < a->draft.partition_count; i++)
        if (a->draft.partitions[i].owner != WIRE_SLOT_NONE) a->partitions[i].lost_by = ATLAS_NONE;
}

/* --- drains */

/* successor_of returns who gets a partition of a worker that drains: a spare, or one that got another of it. */
static uint32_t successor_of(const struct atlas *a, uint32_t index) {
    uint32_t slot = a->draft.partitions[index].owner, best = spare_for(a, index);
    if (best != ATLAS_NONE) return best;
    for (uint32_t i = 0; i < a->draft.partition_count; i++) {
        const struct wire_directory_partition *p = &a->draft.partitions[i];
        if (p->former != slot || a->partitions[i].handing != ATLAS_HANDING_DRAIN || p->owner == WIRE_SLOT_NONE) continue;
        if (can_take(a, p->owner) && (best == ATLAS_NONE || atlas_owned_count(a, p->owner) < atlas_owned_count(a, best)))
            best = p->owner;
    }
    return best;
}

static void drain_partition(struct atlas *a, uint32_t index) {
    const struct wire_directory_partition *p = &a->draft.partitions[index];
    if (p->owner == WIRE_SLOT_NONE || !a->workers[p->owner].is_draining || a->partitions[index].waits != 0) return;
    uint32_t to = ATLAS_NONE;
    if (p->former == WIRE_SLOT_NONE) {
        to = successor_of(a, index);
    } else if (a->partitions[index].handing == ATLAS_HANDING_DRAIN && can_take(a, p->former)) {
        to = p->former;
    }
    if (to != ATLAS_NONE) pass(a, index, to, ATLAS_HANDING_DRAIN);
}

/* needs_spare tells whether a slot has a partition that can be drained now, and to nobody. */
static bool needs_spare(const struct atlas *a, uint32_t slot) {
    for (uint32_t i = 0; i < a->draft.partition_count; i++) {
        const struct wire_directory_partition *p = &a->draft.partitions[i];
        if (p->owner == slot && p->former == WIRE_SLOT_NONE && successor_of(a, i) == ATLAS_NONE) return true;
    }
    return false;
}

enum atlas_answer atlas_drain(struct atlas *a, uint32_t slot, struct mono now) {
    if (a->phase != ATLAS_RUNNING || a->open != 0) return ATLAS_STARTING;
    if (slot >= a->config.worker_count) return ATLAS_UNKNOWN;
    struct atlas_worker *w = &a->workers[slot];
    if (w->admitted == 0) return ATLAS_AWAY;
    if (w->is_draining) return ATLAS_DONE;
    if (needs_spare(a, slot)) return ATLAS_NO_SPARE;
    w->is_draining = true;
    w->since = now;
    w->since_count = w->players;
    a->stats.drains++;
    STEP("matchmaker.drain");
    return ATLAS_DONE;
}

enum atlas_answer atlas_undrain(struct atlas *a, uint32_t slot) {
    if (a->phase != ATLAS_RUNNING || a->open != 0) return ATLAS_STARTING;
    if (slot >= a->config.worker_count) return ATLAS_UNKNOWN;
    struct atlas_worker *w = &a->workers[slot];
    if (w->admitted == 0) return ATLAS_AWAY;
    bool was_draining = w->is_draining;
    w->is_draining = false;
    for (uint32_t i = 0; i < a->draft.partition_count; i++) {
        const struct wire_directory_partition *p = &a->draft.partitions[i];
        if (p->former != slot || a->partitions[i].handing != ATLAS_HANDING_DRAIN) continue;
        was_draining = true;
        if (p->owner != WIRE_SLOT_NONE) pass(a, i, slot, ATLAS_HANDING_DRAIN); /* else it is placed when it may be */
    }
    STEP("matchmaker.undrain");
    return was_draining ? ATLAS_DONE : ATLAS_NOT_DRAINING;
}

/* --- splits */

static int32_t width(const struct wire_rect *r) {
    return r->max_x - r->min_x;
}

static int32_t height(const struct wire_rect *r) {
    return r->max_y - r->min_y;
}

/* cut takes the second half off a rectangle; false where the halves would be too small. */
static bool cut(struct wire_rect *rect, struct wire_rect *second) {
    *second = *rect;
    if (width(rect) >= height(rect)) {
        second->min_x = rect->max_x = rect->min_x + width(rect) / 2;
        return width(rect) >= ATLAS_SIDE_M;
    }
    second->min_y = rect->max_y = rect->min_y + height(rect) / 2;
    return height(rect) >= ATLAS_SIDE_M;
}

static int64_t area(const struct wire_rect *r) {
    return (int64_t)width(r) * height(r);
}

/* next_id returns an id for a new part of the world, one of a block when there is none left. */
static uint32_t next_id(const struct atlas *a) {
    uint32_t id = 0;
    for (uint32_t i = 0; i < a->draft.partition_count; i++) {
        uint32_t other = a->draft.partitions[i].id;
        if (!cells_is_block(other) && other >= id) id = other + 1;
    }
    return id;
}

static enum atlas_answer can_split(const struct atlas *a, uint32_t index) {
    const struct wire_directory_partition *p = &a->draft.partitions[index];
    struct wire_rect first = p->rect, second;
    if (cells_is_block(p->id)) return ATLAS_BLOCK;
    if (p->owner == WIRE_SLOT_NONE) return ATLAS_UNOWNED;
    if (a->workers[p->owner].is_draining) return ATLAS_DRAINING;
    if (p->former != WIRE_SLOT_NONE || a->partitions[index].into != ATLAS_NONE || a->partitions[index].waits != 0 ||
        !knows_it(a, index))
        return ATLAS_BUSY;
    if (!cut(&first, &second)) return ATLAS_TOO_SMALL;
    if (a->draft.partition_count == WIRE_PARTITIONS_MAX || cells_is_block(next_id(a))) return ATLAS_TOO_MANY;
    return atlas_spare_for(a, ATLAS_NONE) == ATLAS_NONE ? ATLAS_NO_SPARE : ATLAS_DONE;
}

enum atlas_answer atlas_split(struct atlas *a, uint32_t id) {
    if (a->phase != ATLAS_RUNNING || a->open != 0) return ATLAS_STARTING;
    uint32_t index = atlas_index_of(a, id);
    if (index == ATLAS_NONE) return ATLAS_UNKNOWN;
    enum atlas_answer answer = can_split(a, index);
    if (answer != ATLAS_DONE) return answer;
    uint32_t spare = atlas_spare_for(a, ATLAS_NONE), other = a->draft.partition_count;
    struct wire_directory_partition *first = &a->draft.partitions[index], *second = &a->draft.partitions[other];
    int64_t whole = area(&first->rect);
    *second = *first;
    second->id = next_id(a);
    (void)cut(&first->rect, &second->rect);
    second->creatures = (uint32_t)(first->creatures * area(&second->rect) / whole);
    first->creatures -= second->creatures;
    a->partitions[other] = (struct atlas_partition){.lost_by = ATLAS_NONE, .into = ATLAS_NONE};
    a->draft.partition_count++;
    pass(a, other, spare, ATLAS_HANDING_SPLIT);
    a->stats.splits++;
    log_info("partition.split", "partition=%u new=%u slot=%u", id, second->id, spare);
    return ATLAS_DONE;
}

/* --- merges */

bool atlas_union(const struct wire_rect *a, const struct wire_rect *b, struct wire_rect *out) {
    bool beside = a->min_y == b->min_y && a->max_y == b->max_y && (a->max_x == b->min_x || b->max_x == a->min_x);
    bool above = a->min_x == b->min_x && a->max_x == b->max_x && (a->max_y == b->min_y || b->max_y == a->min_y);
    *out = (struct wire_rect){a->min_x < b->min_x ? a->min_x : b->min_x, a->min_y < b->min_y ? a->min_y : b->min_y,
                              a->max_x > b->max_x ? a->max_x : b->max_x, a->max_y > b->max_y ? a->max_y : b->max_y};
    return beside || above;
}

static enum atlas_answer can_merge(const struct atlas *a, uint32_t into, uint32_t from) {
    const struct wire_directory_partition *p = &a->draft.partitions[into], *q = &a->draft.partitions[from];
    struct wire_rect rect;
    if (cells_is_block(p->id) || cells_is_block(q->id)) return ATLAS_BLOCK;
    if (into == from) return ATLAS_SAME;
    if (!atlas_union(&p->rect, &q->rect, &rect)) return ATLAS_APART;
    if (p->owner == WIRE_SLOT_NONE || q->owner == WIRE_SLOT_NONE) return ATLAS_UNOWNED;
    if (a->workers[p->owner].is_draining) return ATLAS_DRAINING;
    if (p->former != WIRE_SLOT_NONE || a->partitions[into].into != ATLAS_NONE) return ATLAS_BUSY;
    if ((a->partitions[into].waits | a->partitions[from].waits) != 0) return ATLAS_BUSY;
    return q->former != WIRE_SLOT_NONE && q->former != p->owner ? ATLAS_BUSY : ATLAS_DONE;
}

enum atlas_answer atlas_merge(struct atlas *a, uint32_t into, uint32_t from) {
    if (a->phase != ATLAS_RUNNING || a->open != 0) return ATLAS_STARTING;
    uint32_t index = atlas_index_of(a, into), other = atlas_index_of(a, from);
    if (index == ATLAS_NONE || other == ATLAS_NONE) return ATLAS_UNKNOWN;
    enum atlas_answer answer = can_merge(a, index, other);
    if (answer != ATLAS_DONE) return answer;
    uint32_t owner = a->draft.partitions[index].owner;
    a->partitions[other].into = into;
    if (a->draft.partitions[other].owner != owner) pass(a, other, owner, ATLAS_HANDING_MERGE);
    log_info("partition.merging", "partition=%u into=%u slot=%u", from, into, owner);
    return ATLAS_DONE;
}

static void remove_partition(struct atlas *a, uint32_t index) {
    uint32_t last = --a->draft.partition_count;
    a->draft.partitions[index] = a->draft.partitions[last];
    a->partitions[index] = a->partitions[last];
    a->draft.partitions[last] = (struct wire_directory_partition){0};
}

/* join makes a partition part of the one that it is merged into, once it is wholly that one's owner's; true when it is gone.
 */
static bool join(struct atlas *a, uint32_t index) {
    uint32_t into = a->partitions[index].into;
    if (into == ATLAS_NONE) return false;
    uint32_t other = atlas_index_of(a, into);
    const struct wire_directory_partition *q = &a->draft.partitions[index];
    if (other == ATLAS_NONE || a->draft.partitions[other].owner != q->owner) {
        a->partitions[index].into = ATLAS_NONE; /* one of them has another owner by now */
        return false;
    }
    struct wire_directory_partition *p = &a->draft.partitions[other];
    if (q->former != WIRE_SLOT_NONE || p->former != WIRE_SLOT_NONE || !knows_it(a, index) || !knows_it(a, other))
        return false;
    struct wire_rect whole;
    if (!atlas_union(&p->rect, &q->rect, &whole)) { /* the one was split meanwhile */
        a->partitions[index].into = ATLAS_NONE;
        return false;
    }
    p->rect = whole;
    p->creatures += q->creatures;
    log_info("partition.merged", "partition=%u into=%u slot=%u", q->id, into, p->owner);
    remove_partition(a, index);
    a->stats.merges++;
    return true;
}

void atlas_plan(struct atlas *a) {
    for (uint32_t i = 0; i < a->draft.partition_count; i++) settle(a, i);
    for (uint32_t i = 0; i < a->draft.partition_count;) i += !join(a, i);
    place_all(a);
    for (uint32_t i = 0; i < a->draft.partition_count; i++) drain_partition(a, i);
}

/* --- gateways */

static bool takes_sessions(const struct atlas *a, uint32_t index) {
    return a->gateways[index].admitted != 0 && !a->gateways[index].is_draining;
}

enum atlas_answer atlas_drain_gateway(struct atlas *a, uint32_t index, struct mono now) {
    if (a->phase != ATLAS_RUNNING) return ATLAS_STARTING;
    if (index >= a->config.gateway_count) return ATLAS_UNKNOWN;
    struct atlas_gateway *g = &a->gateways[index];
    if (g->admitted == 0) return ATLAS_AWAY;
    if (g->is_draining) return ATLAS_DONE;
    bool another = false;
    for (uint32_t i = 0; i < a->config.gateway_count; i++) another |= i != index && takes_sessions(a, i);
    if (!another) return ATLAS_LAST_GATEWAY;
    g->is_draining = true;
    g->since = now;
    g->since_count = g->sessions;
    a->stats.drains++;
    return ATLAS_DONE;
}

enum atlas_answer atlas_undrain_gateway(struct atlas *a, uint32_t index) {
    if (a->phase != ATLAS_RUNNING) return ATLAS_STARTING;
    if (index >= a->config.gateway_count) return ATLAS_UNKNOWN;
    struct atlas_gateway *g = &a->gateways[index];
    if (g->admitted == 0) return ATLAS_AWAY;
    if (!g->is_draining) return ATLAS_NOT_DRAINING;
    g->is_draining = false;
    return ATLAS_DONE;
}
