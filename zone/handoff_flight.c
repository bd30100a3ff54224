#include "common/check.h"
#include "zone/handoff_inner.h"

void handoff_flight_move(struct flight *f, struct mono now, enum handoff_step step, uint64_t due_ms) {
    static const bool allowed[HANDOFF_STEP_COUNT][HANDOFF_STEP_COUNT] = {
        [0] = {[HANDOFF_OFFERED] = true, [HANDOFF_RESTING] = true},
        [HANDOFF_RESTING] = {[HANDOFF_OFFERED] = true},
        [HANDOFF_OFFERED] = {[HANDOFF_RESTING] = true, [HANDOFF_ACCEPTED] = true},
        [HANDOFF_ACCEPTED] = {[HANDOFF_RESTING] = true, [HANDOFF_FROZEN] = true, [HANDOFF_GIVEN] = true},
        [HANDOFF_FROZEN] = {[HANDOFF_ASKED] = true},
        [HANDOFF_GIVEN] = {[HANDOFF_ASKED] = true},
    };
    CHECK(allowed[f->step][step]);
    f->step = step;
    f->since = now;
    f->due = mono_add_ms(now, due_ms);
}

void handoff_flight_drop(struct handoff *h, uint32_t i) {
    if (h->flights[i].slot != HANDOFF_NONE) h->flight_of[h->flights[i].slot] = HANDOFF_NONE;
    h->flights[i] = h->flights[--h->count];
    h->sessions[i] = h->sessions[h->count];
    if (i < h->count && h->flights[i].slot != HANDOFF_NONE) h->flight_of[h->flights[i].slot] = i;
}

void handoff_flight_cancel(struct handoff *h, uint32_t i) {
    h->stats.cancelled++;
    handoff_flight_drop(h, i);
}

uint32_t handoff_find_frozen(const struct handoff *h, uint32_t gateway, uint64_t session) {
    for (uint32_t i = 0; i < h->count; i++) {
        const struct flight *f = &h->flights[i];
        if (h->sessions[i] == session && is_frozen(f) && f->gateway == gateway) return i;
    }
    return HANDOFF_NONE;
}

uint32_t handoff_find_frozen_player(const struct handoff *h, uint64_t player, uint64_t epoch) {
    for (uint32_t i = 0; i < h->count; i++) {
        const struct flight *f = &h->flights[i];
        bool is_alone = epoch != 0 || f->gateway == HANDOFF_GATEWAY_NONE;
        if (is_frozen(f) && is_alone && f->carried.player == player) return i;
    }
    return HANDOFF_NONE;
}

uint32_t handoff_restore(struct handoff *h, uint32_t i, uint32_t gateway, const struct wire_carried *as) {
    const struct handoff_world *w = world_of(h);
    struct wire_carried carried = *as;
    uint32_t link_dead_ms = h->flights[i].link_dead_ms, slot;
    handoff_flight_drop(h, i);
    if (w->import(w->context, gateway, &carried, true, &slot) == 0) {
        if (gateway == HANDOFF_GATEWAY_NONE) w->link_dead(w->context, slot, link_dead_ms);
        return slot;
    }
    h->stats.lost++;
    w->ended(w->context, &carried);
    return HANDOFF_NONE;
}

void handoff_restore_link_dead(struct handoff *h, uint32_t i) {
    struct wire_carried carried = h->flights[i].carried;
    h->stats.link_dead++;
    uint32_t slot = handoff_restore(h, i, HANDOFF_GATEWAY_NONE, &carried);
    if (slot != HANDOFF_NONE) handoff_doubt(h, slot, carried.entity, HANDOFF_GATEWAY_NONE);
}

void handoff_restore_refused(struct handoff *h, struct mono now, uint32_t i) {
    struct wire_carried carried = h->flights[i].carried;
    uint32_t target = h->flights[i].target;
    carried.attachment += 2;
    h->stats.link_dead++;
    uint32_t slot = handoff_restore(h, i, HANDOFF_GATEWAY_NONE, &carried);
    if (slot == HANDOFF_NONE) return;
    if (h->flight_of[slot] != HANDOFF_NONE) handoff_flight_cancel(h, h->flight_of[slot]); /* of a player that has left */
    h->flight_of[slot] = h->count;                                                        /* one has just gone */
    struct flight *f = &h->flights[h->count++];
    *f = (struct flight){.slot = slot, .target = target, .gateway = HANDOFF_GATEWAY_NONE, .entity = carried.entity};
    handoff_flight_move(f, now, HANDOFF_RESTING, HANDOFF_REFUSED_MS);
}

void handoff_forget(struct handoff *h, uint32_t i) {
    const struct handoff_world *w = world_of(h);
    handoff_note_gone(h, &h->flights[i]);
    w->gone(w->context, &h->flights[i].carried);
    handoff_flight_drop(h, i);
}
