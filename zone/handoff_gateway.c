#include "common/check.h"
#include "common/step.h"
#include "zone/handoff_inner.h"

/* is_elsewhere tells whether a player went to another zone of late, and has not been here since. */
static bool is_elsewhere(struct handoff *h, struct mono now, const struct wire_attach *attach, uint32_t *elsewhere) {
    const struct handoff_world *w = world_of(h);
    const struct gone *gone = handoff_find_gone(h, attach->player);
    struct handoff_player p;
    if (!gone || attach->session_epoch <= gone->session_epoch || mono_reached(now, gone->until)) return false;
    if (!h->peers[gone->target].is_up || w->by_player(w->context, attach->player, &p)) return false;
    *elsewhere = gone->target;
    h->stats.sent_on++;
    return true;
}

enum handoff_attach handoff_attach(struct handoff *h, struct mono now, uint32_t gateway, const struct wire_attach *attach,
                                   uint32_t *elsewhere) {
    CHECK(gateway < h->config.gateways_max);
    uint32_t i = handoff_find_frozen(h, gateway, attach->session);
    bool is_same = i != HANDOFF_NONE;
    if (!is_same) i = handoff_find_frozen_player(h, attach->player, attach->session_epoch);
    bool is_promised_away =
        attach->session_epoch != 0 && handoff_is_promised(h, now, attach->player, attach->session_epoch, attach->attachment);
    if (is_promised_away) return HANDOFF_ATTACH_STALE;
    if (i == HANDOFF_NONE)
        return is_elsewhere(h, now, attach, elsewhere) ? HANDOFF_ATTACH_ELSEWHERE : HANDOFF_ATTACH_UNKNOWN;
    struct wire_carried carried = h->flights[i].carried;
    bool is_older = !is_newer(attach->session_epoch, attach->attachment, carried.session_epoch, carried.attachment);
    /* Without persist every session is of epoch 0: of one whose gateway is dead any other is a newer one. */
    if (is_older && (is_same || attach->session_epoch != 0)) return HANDOFF_ATTACH_STALE;
    /* A newer epoch wins wherever the player is. The same one does not, and the target may have it. */
    if (h->flights[i].step == HANDOFF_GIVEN && attach->session_epoch == carried.session_epoch) return HANDOFF_ATTACH_LATER;
    carried.session = attach->session;
    carried.session_epoch = attach->session_epoch;
    carried.attachment = attach->attachment;
    if (!is_same) carried.input_flags = carried.input_count = 0; /* another client's, which counts anew */
    h->stats.restored++;
    handoff_restore(h, i, gateway, &carried);
    return HANDOFF_ATTACH_RESTORED;
}

bool handoff_detach(struct handoff *h, uint32_t gateway, uint64_t session, enum wire_detach_reason reason) {
    const struct handoff_world *w = world_of(h);
    uint32_t i = handoff_find_frozen(h, gateway, session);
    if (i == HANDOFF_NONE) return false;
    if (reason == WIRE_DETACH_TAKEN_OVER) {
        handoff_restore_link_dead(h, i);
        return true;
    }
    h->stats.ended++;
    w->ended(w->context, &h->flights[i].carried);
    handoff_flight_drop(h, i);
    return true;
}

/* make_way lets go of what this zone has of an older session or attachment of a player that comes; false: of a newer one. */
static bool make_way(struct handoff *h, uint32_t gateway, const struct wire_carried *c) {
    const struct handoff_world *w = world_of(h);
    struct handoff_player p;
    bool is_here = w->by_session(w->context, gateway, c->session, &p) ||
                   (c->session_epoch != 0 && w->by_player(w->context, c->player, &p));
    if (is_here && !is_newer(c->session_epoch, c->attachment, p.session_epoch, p.attachment)) return false;
    if (is_here) w->let_go(w->context, p.slot);
    uint32_t i = handoff_find_frozen(h, gateway, c->session);
    if (i == HANDOFF_NONE) i = handoff_find_frozen_player(h, c->player, c->session_epoch);
    if (i == HANDOFF_NONE || (c->session_epoch == 0 && h->flights[i].carried.entity != c->entity)) return true;
    const struct wire_carried *frozen = &h->flights[i].carried;
    if (!is_newer(c->session_epoch, c->attachment, frozen->session_epoch, frozen->attachment)) return false;
    handoff_forget(h, i);
    return true;
}

/* is_told_twice tells whether a session's player is here under this attachment, or has been and was let go of. */
static bool is_told_twice(const struct handoff *h, uint32_t gateway, const struct wire_carried *c) {
    const struct handoff_world *w = world_of(h);
    struct handoff_player p;
    if (w->by_session(w->context, gateway, c->session, &p) && p.player == c->player && p.attachment >= c->attachment)
        return true;
    uint32_t i = handoff_find_frozen(h, gateway, c->session);
    return i != HANDOFF_NONE && h->flights[i].carried.player == c->player &&
           h->flights[i].carried.attachment >= c->attachment;
}

static uint32_t activate(struct handoff *h, struct mono now, uint32_t gateway, const struct wire_carried *c) {
    const struct handoff_world *w = world_of(h);
    if (is_told_twice(h, gateway, c)) {
        h->stats.arrived_again++;
        return WIRE_ACTIVATED;
    }
    if (handoff_is_promised(h, now, c->player, c->session_epoch, c->attachment) || !make_way(h, gateway, c)) {
        h->stats.arrived_refused++;
        return WIRE_ACTIVATE_REFUSED;
    }
    uint32_t slot;
    if (w->room(w->context) == 0 || w->import(w->context, gateway, c, false, &slot) != 0) {
        h->stats.arrived_full++;
        return WIRE_ACTIVATE_FULL;
    }
    h->stats.arrived++;
    handoff_note_here(h, c->player);
    return WIRE_ACTIVATED;
}

void handoff_activate(struct handoff *h, struct mono now, uint32_t gateway, const struct wire_carried *c) {
    CHECK(gateway < h->config.gateways_max);
    const struct handoff_world *w = world_of(h);
    STEP("target.activate");
    handoff_use_reservation(h, c->entity);
    struct wire_activated answer = {
        .session = c->session, .attachment = c->attachment, .result = activate(h, now, gateway, c)};
    w->activated(w->context, gateway, &answer);
    STEP("target.activated");
}

void handoff_routed(struct handoff *h, uint32_t gateway, const struct wire_routed *routed) {
    CHECK(gateway < h->config.gateways_max);
    const struct handoff_world *w = world_of(h);
    uint32_t i = handoff_find_frozen(h, gateway, routed->session);
    if (routed->result == WIRE_ROUTED_DONE) {
        if (i != HANDOFF_NONE && h->flights[i].carried.attachment == routed->attachment) {
            h->stats.done++;
            STEP("source.done");
            handoff_forget(h, i);
        }
        w->forgotten(w->context, gateway, routed);
        STEP("source.forgotten");
    } else if (routed->result == WIRE_ROUTED_RESTORED && i != HANDOFF_NONE &&
               h->flights[i].carried.attachment < routed->attachment) {
        struct wire_carried carried = h->flights[i].carried;
        carried.attachment = routed->attachment;
        h->stats.restored++;
        STEP("source.restored");
        handoff_restore(h, i, gateway, &carried);
    }
}
