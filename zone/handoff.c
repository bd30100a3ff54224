#include "zone/handoff.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "zone/handoff_inner.h"

/* --- life */

static bool create_mail(struct mail *mail) {
    mail->offers = calloc(HANDOFF_START_PER_TICK, sizeof *mail->offers);
    mail->answers = calloc(HANDOFF_ANSWERS_MAX, sizeof *mail->answers);
    mail->queries = calloc(HANDOFF_FLIGHT_MAX, sizeof *mail->queries);
    mail->query_answers = calloc(HANDOFF_ANSWERS_MAX, sizeof *mail->query_answers);
    mail->gives = calloc(HANDOFF_START_PER_TICK, sizeof *mail->gives);
    mail->given = calloc(HANDOFF_ANSWERS_MAX, sizeof *mail->given);
    return mail->offers && mail->answers && mail->queries && mail->query_answers && mail->gives && mail->given;
}

struct handoff *handoff_create(const struct handoff_config *config) {
    struct handoff *h = calloc(1, sizeof *h);
    if (!h) return NULL;
    h->config = *config;
    h->flight_of = malloc(config->slots_max * sizeof *h->flight_of);
    h->peers = calloc(config->peers_max, sizeof *h->peers);
    h->gateways = calloc(config->gateways_max, sizeof *h->gateways);
    h->doubts = calloc(config->slots_max, sizeof *h->doubts);
    bool ok = h->flight_of && h->peers && h->gateways && h->doubts;
    for (uint32_t i = 0; ok && i < config->peers_max; i++) ok = create_mail(&h->peers[i].mail);
    if (!ok) {
        handoff_destroy(h);
        return NULL;
    }
    memset(h->flight_of, 0xff, config->slots_max * sizeof *h->flight_of);
    return h;
}

void handoff_destroy(struct handoff *h) {
    if (!h) return;
    for (uint32_t i = 0; h->peers && i < h->config.peers_max; i++) {
        struct mail *mail = &h->peers[i].mail;
        free(mail->offers);
        free(mail->answers);
        free(mail->queries);
        free(mail->query_answers);
        free(mail->gives);
        free(mail->given);
    }
    free(h->doubts);
    free(h->flight_of);
    free(h->peers);
    free(h->gateways);
    free(h);
}

/* --- who is there */

void handoff_peer_up(struct handoff *h, uint32_t peer, uint64_t incarnation) {
    CHECK(peer < h->config.peers_max);
    h->peers[peer].is_up = true;
    h->peers[peer].incarnation = incarnation;
}

void handoff_peer_lost(struct handoff *h, uint32_t peer) {
    CHECK(peer < h->config.peers_max);
    h->peers[peer].is_up = false;
    handoff_sent(h, peer);
}

void handoff_peer_dead(struct handoff *h, uint32_t peer, uint64_t incarnation) {
    CHECK(peer < h->config.peers_max);
    if (h->peers[peer].incarnation == incarnation) handoff_peer_lost(h, peer);
    for (uint32_t i = h->count; i-- > 0;) {
        struct flight *f = &h->flights[i];
        if (f->target != peer || f->target_incarnation != incarnation) continue;
        f->is_target_dead = true;
        if (!is_frozen(f)) {
            handoff_flight_cancel(h, i);
        } else if (f->step != HANDOFF_FROZEN) {
            handoff_restore_link_dead(h, i);
        }
    }
}

void handoff_gateway_up(struct handoff *h, struct mono now, uint32_t gateway) {
    CHECK(gateway < h->config.gateways_max);
    h->gateways[gateway] = GATEWAY_UP;
    for (uint32_t i = 0; i < h->count; i++) {
        struct flight *f = &h->flights[i];
        if (f->step != HANDOFF_FROZEN || f->gateway != gateway) continue;
        f->due = now; /* where there is no room, in the next tick */
        handoff_tell_again(h, now, f);
    }
}

void handoff_gateway_lost(struct handoff *h, uint32_t gateway) {
    CHECK(gateway < h->config.gateways_max);
    if (h->gateways[gateway] == GATEWAY_UP) h->gateways[gateway] = GATEWAY_LOST;
}

void handoff_gateway_dead(struct handoff *h, struct mono now, uint32_t gateway) {
    CHECK(gateway < h->config.gateways_max);
    h->gateways[gateway] = GATEWAY_DEAD;
    for (uint32_t i = h->count; i-- > 0;) {
        struct flight *f = &h->flights[i];
        if (f->gateway != gateway) continue;
        if (!is_frozen(f)) {
            handoff_flight_cancel(h, i);
        } else if (f->is_target_dead) {
            handoff_restore_link_dead(h, i);
        } else {
            f->gateway = HANDOFF_GATEWAY_NONE; /* its sessions' names mean nothing any more */
            handoff_flight_move(f, now, HANDOFF_ASKED, 0);
        }
    }
}

/* --- doubts */

void handoff_doubt(struct handoff *h, uint32_t slot, uint64_t entity, uint32_t gateway) {
    if (h->doubts[slot].entity == 0) h->doubt_count++;
    h->doubts[slot] = (struct doubt){.entity = entity, .gateway = gateway};
}

void handoff_gateway_away(struct handoff *h, uint32_t gateway) {
    CHECK(gateway < h->config.gateways_max);
    const struct handoff_world *w = world_of(h);
    struct handoff_player p;
    for (uint32_t slot = 0; slot < h->config.slots_max; slot++)
        if (w->by_slot(w->context, slot, &p) && p.gateway == gateway) handoff_doubt(h, slot, p.entity, gateway);
}

static void trust(struct handoff *h, uint32_t slot) {
    h->doubts[slot] = (struct doubt){0};
    h->doubt_count--;
}

void handoff_gateway_replaced(struct handoff *h, uint32_t gateway) {
    CHECK(gateway < h->config.gateways_max);
    for (uint32_t slot = 0; slot < h->config.slots_max; slot++)
        if (h->doubts[slot].entity != 0 && h->doubts[slot].gateway == gateway) trust(h, slot);
}

/* forget_doubts drops those of players that have left, or were taken on by a session. */
static void forget_doubts(struct handoff *h) {
    const struct handoff_world *w = world_of(h);
    struct handoff_player p;
    for (uint32_t slot = 0; h->doubt_count > 0 && slot < h->config.slots_max; slot++) {
        if (h->doubts[slot].entity == 0) continue;
        bool is_here = w->by_slot(w->context, slot, &p) && p.entity == h->doubts[slot].entity;
        if (!is_here || p.gateway != HANDOFF_GATEWAY_NONE) trust(h, slot);
    }
}

/* --- time */

void handoff_update(struct handoff *h, struct mono now) {
    h->now = now;
    h->started = 0;
    for (uint32_t i = h->count; i-- > 0;) handoff_update_flight(h, now, i);
    handoff_expire_reservations(h, now);
    forget_doubts(h);
}

/* --- what peers say, and are told */

void handoff_take(struct handoff *h, struct mono now, uint32_t peer, const struct wire_peer_batch *b) {
    CHECK(peer < h->config.peers_max);
    for (uint32_t i = 0; i < b->offer_count; i++) handoff_take_offer(h, now, peer, &b->offers[i]);
    for (uint32_t i = 0; i < b->offer_answer_count; i++) handoff_take_answer(h, now, peer, &b->offer_answers[i]);
    for (uint32_t i = 0; i < b->query_count; i++) handoff_take_query(h, now, peer, &b->queries[i]);
    for (uint32_t i = 0; i < b->query_answer_count; i++) handoff_take_query_answer(h, now, peer, &b->query_answers[i]);
    for (uint32_t i = 0; i < b->give_count; i++) handoff_take_give(h, now, peer, &b->gives[i]);
    for (uint32_t i = 0; i < b->given_count; i++) handoff_take_given(h, now, peer, &b->given[i]);
}

void handoff_fill(struct handoff *h, uint32_t peer, struct wire_peer_batch *b) {
    CHECK(peer < h->config.peers_max);
    const struct mail *mail = &h->peers[peer].mail;
    b->offers = mail->offers, b->offer_count = mail->offer_count;
    b->offer_answers = mail->answers, b->offer_answer_count = mail->answer_count;
    b->queries = mail->queries, b->query_count = mail->query_count;
    b->query_answers = mail->query_answers, b->query_answer_count = mail->query_answer_count;
    b->gives = mail->gives, b->give_count = mail->give_count;
    b->given = mail->given, b->given_count = mail->given_count;
}

void handoff_sent(struct handoff *h, uint32_t peer) {
    CHECK(peer < h->config.peers_max);
    struct mail *mail = &h->peers[peer].mail;
    mail->offer_count = mail->answer_count = mail->query_count = mail->query_answer_count = 0;
    mail->give_count = mail->given_count = 0;
}

/* --- looking in */

bool handoff_has(const struct handoff *h, uint32_t gateway, uint64_t session) {
    return h->count > 0 && handoff_find_frozen(h, gateway, session) != HANDOFF_NONE;
}

uint32_t handoff_count(const struct handoff *h) {
    return h->count;
}

struct handoff_view handoff_nth(const struct handoff *h, uint32_t n) {
    CHECK(n < h->count);
    const struct flight *f = &h->flights[n];
    return (struct handoff_view){
        .step = f->step, .target = f->target, .since = f->since, .carried = is_frozen(f) ? &f->carried : NULL};
}

uint32_t handoff_doubts(const struct handoff *h) {
    return h->doubt_count;
}

const struct handoff_stats *handoff_stats(const struct handoff *h) {
    return &h->stats;
}

const char *handoff_step_name(enum handoff_step step) {
    static const char *const names[HANDOFF_STEP_COUNT] = {"", "resting", "offered", "accepted", "frozen", "asked", "given"};
    CHECK(step >= HANDOFF_RESTING && step < HANDOFF_STEP_COUNT);
    return names[step];
}
