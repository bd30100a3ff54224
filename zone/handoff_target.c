#include "common/step.h"
#include "zone/handoff_inner.h"

/* --- places that are kept */

static bool reserve(struct handoff *h, struct mono now, uint64_t entity) {
    const struct handoff_world *w = world_of(h);
    if (h->reserved_count == HANDOFF_RESERVED_MAX || w->room(w->context) <= h->reserved_open) return false;
    uint32_t place = (h->reserved_first + h->reserved_count++) % HANDOFF_RESERVED_MAX;
    h->reserved[place] = (struct reservation){.entity = entity, .until = mono_add_ms(now, HANDOFF_RESERVED_MS)};
    h->reserved_open++;
    return true;
}

void handoff_use_reservation(struct handoff *h, uint64_t entity) {
    if (entity == 0) return;
    for (uint32_t n = 0; n < h->reserved_count; n++) {
        struct reservation *r = &h->reserved[(h->reserved_first + n) % HANDOFF_RESERVED_MAX];
        if (r->entity != entity) continue;
        r->entity = 0;
        h->reserved_open--;
        return;
    }
}

void handoff_expire_reservations(struct handoff *h, struct mono now) {
    while (h->reserved_count > 0) {
        const struct reservation *r = &h->reserved[h->reserved_first];
        if (r->entity != 0 && !mono_reached(now, r->until)) return;
        h->stats.reservations_expired += r->entity != 0;
        h->reserved_open -= r->entity != 0;
        h->reserved_first = (h->reserved_first + 1) % HANDOFF_RESERVED_MAX;
        h->reserved_count--;
    }
}

/* --- what sources say */

void handoff_take_offer(struct handoff *h, struct mono now, uint32_t peer, const struct wire_offer *offer) {
    const struct handoff_world *w = world_of(h);
    struct mail *mail = &h->peers[peer].mail;
    if (mail->answer_count == HANDOFF_ANSWERS_MAX) {
        h->stats.answers_lost++;
        return;
    }
    uint32_t result = WIRE_OFFER_ACCEPTED;
    if (offer->entity == 0 || !w->is_mine(w->context, offer)) {
        result = WIRE_OFFER_NOT_MINE;
    } else {
        handoff_use_reservation(h, offer->entity); /* of an earlier offer */
        if (!reserve(h, now, offer->entity)) result = WIRE_OFFER_FULL;
    }
    if (result == WIRE_OFFER_ACCEPTED) STEP("target.reserved");
    h->stats.offers_taken += result == WIRE_OFFER_ACCEPTED;
    h->stats.offers_refused += result != WIRE_OFFER_ACCEPTED;
    mail->answers[mail->answer_count++] = (struct wire_offer_answer){.entity = offer->entity, .result = result};
}

void handoff_take_query(struct handoff *h, struct mono now, uint32_t peer, const struct wire_query *query) {
    struct mail *mail = &h->peers[peer].mail;
    if (mail->query_answer_count == HANDOFF_ANSWERS_MAX || query->player == 0) {
        h->stats.answers_lost++;
        return;
    }
    struct wire_query answer = *query;
    bool has = handoff_has_had(h, now, query->player, query->session_epoch, query->attachment);
    answer.result = has ? WIRE_QUERY_YES : WIRE_QUERY_NO;
    if (!has) handoff_promise(h, now, query);
    mail->query_answers[mail->query_answer_count++] = answer;
    STEP("target.asked");
}

/* give_way lets go of what this zone has of a player that is given, which is older: it has not had a newer one. Without
 * persist a player of the same number may be another one, who is not told apart but by its entity. */
static void give_way(struct handoff *h, const struct wire_carried *c) {
    const struct handoff_world *w = world_of(h);
    struct handoff_player p;
    if (c->session_epoch != 0 && w->by_player(w->context, c->player, &p)) w->let_go(w->context, p.slot);
    for (uint32_t i = h->count; i-- > 0;) {
        const struct wire_carried *frozen = &h->flights[i].carried;
        bool is_same = frozen->entity == c->entity || (c->session_epoch != 0 && frozen->player == c->player);
        if (is_frozen(&h->flights[i]) && is_same) handoff_forget(h, i);
    }
}

static uint32_t accept(struct handoff *h, struct mono now, const struct wire_give *gift) {
    const struct handoff_world *w = world_of(h);
    struct wire_carried c = gift->carried;
    const struct visit *v = handoff_find_visit(h, now, c.entity);
    uint32_t again;
    if (v && handoff_answer_again(v, &c, &again)) {
        h->stats.gives_again++;
        return again;
    }
    if (c.session_epoch != 0 && handoff_has_had(h, now, c.player, c.session_epoch, c.attachment)) {
        h->stats.gives_again++;
        return WIRE_GIVEN; /* or a newer session does, which ends this one everywhere */
    }
    c.attachment++;
    uint32_t slot = HANDOFF_NONE;
    bool may = !handoff_is_promised(h, now, c.player, c.session_epoch, c.attachment) && w->room(w->context) > 0;
    if (may) give_way(h, &c);
    if (may && w->import(w->context, HANDOFF_GATEWAY_NONE, &c, false, &slot) != 0) slot = HANDOFF_NONE;
    if (slot != HANDOFF_NONE) {
        w->link_dead(w->context, slot, gift->link_dead_ms);
        handoff_note_here(h, c.player);
    }
    handoff_remember(h, now, &c, c.attachment, slot != HANDOFF_NONE);
    h->stats.gives_taken += slot != HANDOFF_NONE;
    h->stats.gives_refused += slot == HANDOFF_NONE;
    return slot != HANDOFF_NONE ? WIRE_GIVEN : WIRE_GIVE_REFUSED;
}

void handoff_take_give(struct handoff *h, struct mono now, uint32_t peer, const struct wire_give *gift) {
    struct mail *mail = &h->peers[peer].mail;
    const struct wire_carried *c = &gift->carried;
    if (mail->given_count == HANDOFF_ANSWERS_MAX || c->entity == 0 || c->player == 0) {
        h->stats.answers_lost++;
        return;
    }
    handoff_use_reservation(h, c->entity);
    mail->given[mail->given_count++] = (struct wire_given){
        .entity = c->entity, .session_epoch = c->session_epoch, .attachment = c->attachment, .result = accept(h, now, gift)};
    STEP("target.given");
}
