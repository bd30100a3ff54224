/* instances_step.c: what waits for time, or until something is durable. */
#include "common/step.h"
#include "matchmaker/instances_inner.h"

bool instances_is_durable(const struct instances *i, const struct instance *n) {
    return !n->needs_put && keep_is_durable(i->config.keep, n->mark);
}

void instances_change(struct instances *i, uint32_t index) {
    instances_at(i, index)->version++;
    instances_at(i, index)->is_reported = false;
    i->wants_order[index] = i->wants_step[index] = true;
    instances_put(i, index);
    instances_travel_all(i, index);
}

void instances_finish(struct instances *i, uint32_t index, enum instance_end end) {
    struct instance *n = instances_at(i, index);
    i->stats.running -= n->stage == INSTANCE_RUNNING;
    n->stage = INSTANCE_OVER;
    n->end = end;
    n->is_recalled = false;
    i->stats.over[end]++;
    instances_change(i, index);
}

/* is_empty tells whether nobody is in an instance that is over: its zone says so, or there is none that might run it. */
static bool is_empty(const struct instances *i, uint32_t index) {
    const struct instance *n = instances_at(i, index);
    if (!n->has_ended && n->was_told && i->blocks[n->block].owner.incarnation != 0) return false;
    if (i->directory_version == 0) return false;
    for (uint32_t k = 0; k < n->member_count; k++)
        if (i->members[index * WIRE_INSTANCE_PLAYERS_MAX + k].is_present) return false;
    return true;
}

/* step_over tells that it is over, or forgets it; true when it is gone. */
static bool step_over(struct instances *i, uint32_t index) {
    struct instance *n = instances_at(i, index);
    if (!instances_is_durable(i, n)) return false;
    if (!n->is_told_over) {
        n->is_told_over = true;
        instances_tell(i, INSTANCES_OVER, index, 0);
    }
    if (!n->is_closed || !is_empty(i, index)) return false;
    if (keep_erase(i->config.keep, WIRE_DOCUMENT_INSTANCE, n->id)) return false;
    instances_tell(i, INSTANCES_GONE, index, 0);
    instances_free(i, index);
    STEP("matchmaker.instance_closed");
    return true;
}

/* step_one does what is due of an instance; true when it is gone. */
static bool step_one(struct instances *i, uint32_t index) {
    struct instance *n = instances_at(i, index);
    bool is_kept = n->needs_put;
    if (n->needs_put) instances_put(i, index);
    if (n->stage == INSTANCE_LAUNCHING && instances_is_durable(i, n)) {
        n->stage = INSTANCE_STARTING;
        is_kept = true;
        STEP("matchmaker.match_kept");
    }
    if (n->is_recalled || !instances_same_life(n->life, i->blocks[n->block].owner)) instances_check_owner(i, index);
    if (n->keep_ns != 0 && i->now.ns >= n->keep_ns && n->stage != INSTANCE_OVER) {
        uint32_t len = instances_write(i, index);
        if (keep_put(i->config.keep, WIRE_DOCUMENT_INSTANCE, n->id, i->document, len) == 0) n->keep_ns = 0;
    }
    if (n->stage == INSTANCE_OVER) return step_over(i, index);
    i->wants_step[index] = is_kept || n->needs_put || n->keep_ns != 0 || n->is_recalled || n->stage == INSTANCE_LAUNCHING;
    return false;
}

/* sweep looks at those who travel, and at the time limits: a zone that does not say that the time is up is not there. */
static void sweep(struct instances *i, uint64_t wall_ms) {
    if (i->now.ns - i->swept_ns < INSTANCES_REPEAT_MS * NS_PER_MS) return;
    i->swept_ns = i->now.ns;
    for (uint32_t k = 0; k < i->travel_count; k++) {
        struct instances_place *p = &i->places[i->travels[k]];
        if (p->is_absent || i->now.ns < p->until_ns || i->members[i->travels[k]].has_come) continue;
        p->is_absent = true;
        i->stats.absent++;
    }
    for (uint32_t k = 0; k < pool_count(&i->pool); k++) {
        const struct instance *n = instances_at(i, i->live[k]);
        if (n->ends_at_ms != 0 && n->stage != INSTANCE_OVER && wall_ms >= n->ends_at_ms + INSTANCES_LATE_MS)
            instances_finish(i, i->live[k], INSTANCE_END_GOAL);
    }
}

void instances_step(struct instances *i, struct mono now, uint64_t wall_ms) {
    i->now = now;
    if (!keep_is_ready(i->config.keep)) return;
    sweep(i, wall_ms);
    instances_placed_step(i);
    for (uint32_t k = 0; k < pool_count(&i->pool);) {
        uint32_t index = i->live[k];
        if (!i->wants_step[index] || !step_one(i, index)) k++;
    }
}
