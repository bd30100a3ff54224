/* atlas_balance.c: splits what is too busy and undoes splits that are not needed any more; see atlas.h.
 *
 * One change at a time, with a pause between two, and only where the figures have been so for a while. What is merged stays
 * within a partition of the configuration. A worker that is merged away, and one that splits off, is a spare before or
 * afterwards, so the number of processes does not change.
 */
#include "common/check.h"
#include "matchmaker/atlas_inner.h"

static uint32_t busy_percent(const struct atlas *a, uint32_t slot) {
    return (uint32_t)((uint64_t)a->workers[slot].busy_us * 100 / a->config.tick_us);
}

/* has_lasted keeps since when something is so; true once that is hold_ms ago. */
static bool has_lasted(const struct atlas *a, uint64_t *since_ns, bool is_so, struct mono now) {
    if (!is_so) *since_ns = 0;
    if (is_so && *since_ns == 0) *since_ns = now.ns;
    return is_so && now.ns - *since_ns >= a->config.balance.hold_ms * NS_PER_MS;
}

static bool split_is_worth_it(const struct atlas *a, uint32_t id) {
    uint32_t index = atlas_index_of(a, id);
    if (index == ATLAS_NONE) return false;
    const struct wire_rect *r = &a->draft.partitions[index].rect;
    int32_t width = r->max_x - r->min_x, height = r->max_y - r->min_y;
    return (width > height ? width : height) / 2 >= a->config.balance.side_m;
}

static bool split_one(struct atlas *a, struct mono now, bool may) {
    bool done = false;
    for (uint32_t slot = 0; slot < a->config.worker_count; slot++) {
        bool over = atlas_is_present(a, slot) && busy_percent(a, slot) >= a->config.balance.split_percent;
        uint32_t id = over ? atlas_busiest(a, slot) : ATLAS_NONE;
        if (!has_lasted(a, &a->workers[slot].over_at, id != ATLAS_NONE, now) || done || !may) continue;
        done = split_is_worth_it(a, id) && atlas_split(a, id) == ATLAS_DONE;
        if (done) a->workers[slot].over_at = 0;
    }
    return done;
}

static bool is_within(const struct wire_rect *inner, const struct wire_rect *outer) {
    return inner->min_x >= outer->min_x && inner->max_x <= outer->max_x && inner->min_y >= outer->min_y &&
           inner->max_y <= outer->max_y;
}

static bool is_of_one_origin(const struct atlas *a, const struct wire_rect *rect) {
    for (uint32_t i = 0; i < a->config.initial.partition_count; i++)
        if (is_within(rect, &a->config.initial.partitions[i].rect)) return true;
    return false;
}

/* is_alone tells whether a partition is at rest and its worker has no other. */
static bool is_alone(const struct atlas *a, uint32_t index) {
    const struct wire_directory_partition *p = &a->draft.partitions[index];
    return p->owner != WIRE_SLOT_NONE && p->former == WIRE_SLOT_NONE && a->partitions[index].into == ATLAS_NONE &&
           atlas_is_present(a, p->owner) && !a->workers[p->owner].is_draining && atlas_owned_count(a, p->owner) == 1 &&
           atlas_former_count(a, p->owner) == 0;
}

/* home_of returns the partition that `from` could become part of, by index: one of a lesser id. */
static uint32_t home_of(const struct atlas *a, uint32_t from) {
    const struct wire_directory_partition *q = &a->draft.partitions[from];
    struct wire_rect rect;
    for (uint32_t i = 0; is_alone(a, from) && i < a->draft.partition_count; i++) {
        const struct wire_directory_partition *p = &a->draft.partitions[i];
        if (p->id < q->id && is_alone(a, i) && atlas_union(&p->rect, &q->rect, &rect) && is_of_one_origin(a, &rect) &&
            busy_percent(a, p->owner) + busy_percent(a, q->owner) <= a->config.balance.merge_percent)
            return i;
    }
    return ATLAS_NONE;
}

static bool merge_one(struct atlas *a, struct mono now, bool may) {
    bool done = false;
    for (uint32_t i = 0; i < a->draft.partition_count; i++) {
        uint32_t home = home_of(a, i);
        if (!has_lasted(a, &a->partitions[i].calm_at, home != ATLAS_NONE, now) || done || !may) continue;
        done = atlas_merge(a, a->draft.partitions[home].id, a->draft.partitions[i].id) == ATLAS_DONE;
    }
    return done;
}

void atlas_balance(struct atlas *a, struct mono now) {
    CHECK(a->config.tick_us > 0);
    bool may = a->balanced_at == 0 || now.ns - a->balanced_at >= a->config.balance.pause_ms * NS_PER_MS;
    bool done = split_one(a, now, may);
    done |= merge_one(a, now, may && !done);
    if (done) a->balanced_at = now.ns;
}
