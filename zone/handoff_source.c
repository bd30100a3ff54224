#include "common/check.h"
#include "common/step.h"
#include "zone/handoff_inner.h"

static bool is_gateway_up(const struct handoff *h, uint32_t gateway) {
    return gateway == HANDOFF_GATEWAY_NONE || h->gateways[gateway] == GATEWAY_UP;
}

static bool is_target_up(const struct handoff *h, const struct flight *f) {
    const struct peer *peer = &h->peers[f->target];
    return peer->is_up && peer->incarnation == f->target_incarnation;
}

void handoff_tell_again(struct handoff *h, struct mono now, struct flight *f) {
    const struct handoff_world *w = world_of(h);
    if (h->gateways[f->gateway] != GATEWAY_UP || !w->reroute(w->context, f->gateway, &f->carried)) return;
    f->due = mono_add_ms(now, HANDOFF_AGAIN_MS);
}

static void ask(struct handoff *h, struct mono now, struct flight *f) {
    struct peer *peer = &h->peers[f->target];
    if (!is_target_up(h, f) || peer->mail.query_count == HANDOFF_FLIGHT_MAX) return;
    peer->mail.queries[peer->mail.query_count++] = (struct wire_query){
        .player = f->carried.player, .session_epoch = f->carried.session_epoch, .attachment = f->carried.attachment};
    f->due = mono_add_ms(now, HANDOFF_ASK_MS);
    h->stats.asked++;
    STEP("source.asked");
}

/* give sends a player to its target, in the next tick where there is no room. */
static void give(struct handoff *h, struct mono now, struct flight *f) {
    struct mail *mail = &h->peers[f->target].mail;
    if (!is_target_up(h, f) || mail->give_count == HANDOFF_START_PER_TICK) return;
    mail->gives[mail->give_count++] = (struct wire_give){.carried = f->carried, .link_dead_ms = f->link_dead_ms};
    f->due = mono_add_ms(now, HANDOFF_ASK_MS);
    h->stats.gives++;
    STEP("source.given");
}

void handoff_update_flight(struct handoff *h, struct mono now, uint32_t i) {
    struct flight *f = &h->flights[i];
    f->is_wanted = false;
    if (f->step == HANDOFF_ACCEPTED || !mono_reached(now, f->due)) return;
    if (f->step == HANDOFF_OFFERED) {
        h->stats.silent++;
        handoff_flight_move(f, now, HANDOFF_RESTING, HANDOFF_SILENT_MS);
    } else if (f->step == HANDOFF_FROZEN) {
        handoff_tell_again(h, now, f);
    } else if (f->step == HANDOFF_ASKED) {
        ask(h, now, f);
    } else if (f->step == HANDOFF_GIVEN && mono_reached(now, mono_add_ms(f->since, HANDOFF_GIVE_MS))) {
        handoff_flight_move(f, now, HANDOFF_ASKED, 0);
    } else if (f->step == HANDOFF_GIVEN) {
        give(h, now, f);
    } else if (f->step == HANDOFF_RESTING) {
        handoff_flight_drop(h, i);
    }
}

/* --- out of here */

void handoff_left(struct handoff *h, uint32_t slot) {
    CHECK(slot < h->config.slots_max);
    if (h->flight_of[slot] != HANDOFF_NONE) handoff_flight_cancel(h, h->flight_of[slot]);
}

/* begin offers a player to its target. */
static void begin(struct handoff *h, struct mono now, const struct handoff_player *p, uint32_t target) {
    struct peer *peer = &h->peers[target];
    if (!peer->is_up || !is_gateway_up(h, p->gateway) || h->started == HANDOFF_START_PER_TICK ||
        peer->mail.offer_count == HANDOFF_START_PER_TICK)
        return;
    if (h->count == HANDOFF_FLIGHT_MAX) {
        h->stats.flights_full++;
        return;
    }
    h->started++;
    h->stats.offered++;
    h->flight_of[p->slot] = h->count;
    struct flight *f = &h->flights[h->count++];
    f->step = 0; /* what is carried is filled in when it is frozen */
    f->slot = p->slot;
    f->target = target;
    f->gateway = p->gateway;
    f->is_target_dead = false;
    f->is_wanted = true;
    f->link_dead_ms = 0;
    f->target_incarnation = peer->incarnation;
    f->entity = p->entity;
    handoff_flight_move(f, now, HANDOFF_OFFERED, HANDOFF_OFFER_MS);
    peer->mail.offers[peer->mail.offer_count++] =
        (struct wire_offer){.entity = p->entity, .player = p->player, .session_epoch = p->session_epoch};
    STEP("source.offered");
}

void handoff_want(struct handoff *h, struct mono now, const struct handoff_player *p, uint32_t target) {
    CHECK(p->slot < h->config.slots_max);
    bool is_doubted = p->gateway == HANDOFF_GATEWAY_NONE && h->doubts[p->slot].entity == p->entity;
    if (target >= h->config.peers_max || is_doubted) return;
    uint32_t i = h->flight_of[p->slot];
    const struct flight *f = i != HANDOFF_NONE ? &h->flights[i] : NULL;
    if (f && (f->target != target || f->gateway != p->gateway || f->entity != p->entity)) {
        handoff_flight_cancel(h, i);
        i = HANDOFF_NONE;
    }
    if (i == HANDOFF_NONE) {
        begin(h, now, p, target);
    } else {
        h->flights[i].is_wanted = true;
    }
}

/* freeze_flight lets go of a player. Where there is no room to tell the gateway, or the target of one who has none, it stays
 * a tick longer. */
static void freeze_flight(struct handoff *h, struct mono now, uint32_t i) {
    const struct handoff_world *w = world_of(h);
    struct flight *f = &h->flights[i];
    struct handoff_player p;
    if (!w->by_slot(w->context, f->slot, &p) || p.entity != f->entity || !f->is_wanted || !is_target_up(h, f) ||
        !is_gateway_up(h, f->gateway)) {
        handoff_flight_cancel(h, i);
        return;
    }
    uint32_t slot = f->slot;
    h->flight_of[slot] = HANDOFF_NONE;
    f->slot = HANDOFF_NONE; /* so that its leaving is not taken for the end of the flight */
    f->link_dead_ms = p.link_dead_ms;
    w->freeze(w->context, slot, f->target, &f->carried);
    h->sessions[i] = f->carried.session;
    h->stats.frozen++;
    if (f->gateway == HANDOFF_GATEWAY_NONE) {
        handoff_flight_move(f, now, HANDOFF_GIVEN, 0);
        give(h, now, f);
    } else {
        handoff_flight_move(f, now, HANDOFF_FROZEN, 0);
        handoff_tell_again(h, now, f);
    }
    STEP("source.frozen");
}

void handoff_freeze(struct handoff *h, struct mono now) {
    for (uint32_t i = h->count; i-- > 0;) {
        if (h->flights[i].step == HANDOFF_ACCEPTED) freeze_flight(h, now, i);
    }
}

/* --- what targets say */

void handoff_take_answer(struct handoff *h, struct mono now, uint32_t peer, const struct wire_offer_answer *answer) {
    const struct handoff_world *w = world_of(h);
    for (uint32_t i = 0; i < h->count; i++) {
        struct flight *f = &h->flights[i];
        if (f->step != HANDOFF_OFFERED || f->entity != answer->entity || f->target != peer) continue;
        if (answer->result == WIRE_OFFER_ACCEPTED) {
            h->stats.accepted++;
            handoff_flight_move(f, now, HANDOFF_ACCEPTED, 0);
            w->closing(w->context, f->slot);
            STEP("source.accepted");
        } else {
            h->stats.refused++;
            handoff_flight_move(f, now, HANDOFF_RESTING, HANDOFF_REFUSED_MS);
        }
        return;
    }
}

/* pass_on ends a flight of a player without a gateway, whom its target has had. Whoever had it before asks this zone. */
static void pass_on(struct handoff *h, struct mono now, uint32_t i) {
    handoff_remember(h, now, &h->flights[i].carried, h->flights[i].carried.attachment, true);
    handoff_forget(h, i);
}

void handoff_take_query_answer(struct handoff *h, struct mono now, uint32_t peer, const struct wire_query *answer) {
    for (uint32_t i = 0; i < h->count; i++) {
        const struct flight *f = &h->flights[i];
        if (f->step != HANDOFF_ASKED || f->target != peer || f->carried.player != answer->player ||
            f->carried.session_epoch != answer->session_epoch || f->carried.attachment != answer->attachment)
            continue;
        STEP("source.answered");
        if (answer->result == WIRE_QUERY_YES) {
            h->stats.asked_yes++;
            pass_on(h, now, i);
        } else {
            h->stats.asked_no++;
            handoff_restore_link_dead(h, i);
        }
        return;
    }
}

void handoff_take_given(struct handoff *h, struct mono now, uint32_t peer, const struct wire_given *given) {
    for (uint32_t i = 0; i < h->count; i++) {
        const struct flight *f = &h->flights[i];
        if (f->step != HANDOFF_GIVEN || f->target != peer || f->carried.entity != given->entity ||
            f->carried.session_epoch != given->session_epoch || f->carried.attachment != given->attachment)
            continue;
        STEP("source.given_answered");
        if (given->result == WIRE_GIVEN) {
            h->stats.given++;
            pass_on(h, now, i);
        } else {
            h->stats.give_refused++;
            handoff_restore_refused(h, now, i);
        }
        return;
    }
}
