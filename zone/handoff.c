#include "zone/handoff.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/step.h"

#define NONE UINT32_MAX

_Static_assert(HANDOFF_START_PER_TICK <= WIRE_PEER_ITEMS_MAX && HANDOFF_FLIGHT_MAX <= WIRE_PEER_ITEMS_MAX &&
                   HANDOFF_ANSWERS_MAX <= WIRE_PEER_ITEMS_MAX,
               "what there is for a peer in a tick fits a batch");

/* A player on its way out. */
struct flight {
    enum handoff_step step;
    uint32_t slot; /* NONE once it is frozen */
    uint32_t target, gateway;
    bool is_wanted;      /* said in this tick */
    bool is_target_dead; /* the incarnation that was to have it */
    uint64_t target_incarnation;
    uint64_t entity;
    struct mono since, due; /* due: of whatever its step waits for */
    uint32_t link_dead_ms;
    struct wire_carried carried;
};

/* What a peer is to be told. */
struct mail {
    struct wire_offer *offers;
    struct wire_offer_answer *answers;
    struct wire_query *queries, *query_answers;
    struct wire_give *gives;
    struct wire_given *given;
    uint32_t offer_count, answer_count, query_count, query_answer_count, give_count, given_count;
};

struct peer {
    uint64_t incarnation;
    bool is_up;
    struct mail mail;
};

enum gateway_state { GATEWAY_DEAD = 0, GATEWAY_LOST = 1, GATEWAY_UP = 2 };

/* A place that is kept for a player who was offered. In the order of time. */
struct reservation {
    uint64_t entity; /* 0: it came */
    struct mono until;
};

/* A promise to refuse. */
struct tomb {
    uint64_t player, session_epoch; /* player 0: free */
    uint32_t attachment;            /* up to this one */
    struct mono until;
};

/* A player that another zone has. */
struct gone {
    uint64_t player, session_epoch; /* player 0: none */
    uint32_t target;
    struct mono until;
};

/* What became of a give here: the player was here under an attachment, or that was refused. */
struct visit {
    uint64_t entity, player, session_epoch; /* entity 0: free */
    uint64_t tick;                          /* it was let go of in */
    uint32_t attachment;
    bool was_here;
    struct mono until;
};

/* A link-dead player under whose attachment another zone may have it, or of which its gateway may give out greater ones. */
struct doubt {
    uint64_t entity;  /* 0: none */
    uint32_t gateway; /* that may, HANDOFF_GATEWAY_NONE: none */
};

struct handoff {
    struct handoff_config config;
    struct flight flights[HANDOFF_FLIGHT_MAX]; /* the first `count` */
    uint32_t count, started;                   /* started in this tick */
    struct mono now;                           /* of the newest tick */
    uint32_t *flight_of;                       /* by slot */
    struct peer *peers;
    enum gateway_state *gateways;
    struct reservation reserved[HANDOFF_RESERVED_MAX]; /* a ring */
    uint32_t reserved_first, reserved_count, reserved_open;
    struct tomb tombs[HANDOFF_TOMBS_MAX];
    uint32_t tomb_count; /* that may be in use; the next to go stands at tomb_next once they all are */
    uint32_t tomb_next;
    struct gone gone[HANDOFF_GONE_MAX]; /* a ring */
    uint32_t gone_next;
    struct visit visits[HANDOFF_VISITS_MAX]; /* a ring */
    uint32_t visit_next;
    struct doubt *doubts; /* by slot */
    uint32_t doubt_count;
    struct handoff_stats stats;
};

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

static const struct handoff_world *world_of(const struct handoff *h) {
    return &h->config.world;
}

/* --- the order of all simulations of a player */

static bool is_newer(uint64_t epoch, uint32_t attachment, uint64_t than_epoch, uint32_t than_attachment) {
    return epoch != than_epoch ? epoch > than_epoch : attachment > than_attachment;
}

/* --- flights */

static bool is_frozen(const struct flight *f) {
    return f->step >= HANDOFF_FROZEN;
}

/* move is the one place where a step changes. */
static void move(struct flight *f, struct mono now, enum handoff_step step, uint64_t due_ms) {
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

static void drop_flight(struct handoff *h, uint32_t i) {
    if (h->flights[i].slot != NONE) h->flight_of[h->flights[i].slot] = NONE;
    h->flights[i] = h->flights[--h->count];
    if (i < h->count && h->flights[i].slot != NONE) h->flight_of[h->flights[i].slot] = i;
}

static void cancel(struct handoff *h, uint32_t i) {
    h->stats.cancelled++;
    drop_flight(h, i);
}

/* find_frozen returns the place of a session's frozen player, NONE when there is none. */
static uint32_t find_frozen(const struct handoff *h, uint32_t gateway, uint64_t session) {
    for (uint32_t i = 0; i < h->count; i++) {
        const struct flight *f = &h->flights[i];
        if (is_frozen(f) && f->gateway == gateway && f->carried.session == session) return i;
    }
    return NONE;
}

/* find_frozen_player does the same by player. Without persist a player may be here in several sessions, which are not told
 * apart by an epoch: those are of different players. */
static uint32_t find_frozen_player(const struct handoff *h, uint64_t player, uint64_t epoch) {
    for (uint32_t i = 0; i < h->count; i++) {
        const struct flight *f = &h->flights[i];
        bool is_alone = epoch != 0 || f->gateway == HANDOFF_GATEWAY_NONE;
        if (is_frozen(f) && is_alone && f->carried.player == player) return i;
    }
    return NONE;
}

/* restore brings a frozen player back, under what is new in `as`. Returns its slot, NONE when there is no room. */
static uint32_t restore(struct handoff *h, uint32_t i, uint32_t gateway, const struct wire_carried *as) {
    const struct handoff_world *w = world_of(h);
    struct wire_carried carried = *as;
    uint32_t link_dead_ms = h->flights[i].link_dead_ms, slot;
    drop_flight(h, i);
    if (w->import(w->context, gateway, &carried, true, &slot) == 0) {
        if (gateway == HANDOFF_GATEWAY_NONE) w->link_dead(w->context, slot, link_dead_ms);
        return slot;
    }
    h->stats.lost++;
    w->ended(w->context, &carried);
    return NONE;
}

static void doubt(struct handoff *h, uint32_t slot, uint64_t entity, uint32_t gateway) {
    if (h->doubts[slot].entity == 0) h->doubt_count++;
    h->doubts[slot] = (struct doubt){.entity = entity, .gateway = gateway};
}

/* restore_link_dead: its attachment stays. The gateway may have given out greater ones before it died, to the target and to
 * zones after it; wherever one of them is, or was and reached persist, that one is real, and this one is let go of as stale.
 */
static void restore_link_dead(struct handoff *h, uint32_t i) {
    struct wire_carried carried = h->flights[i].carried;
    h->stats.link_dead++;
    uint32_t slot = restore(h, i, HANDOFF_GATEWAY_NONE, &carried);
    if (slot != NONE) doubt(h, slot, carried.entity, HANDOFF_GATEWAY_NONE);
}

/* restore_refused: who was to have it promised never to take it under the attachment that was to begin. */
static void restore_refused(struct handoff *h, struct mono now, uint32_t i) {
    struct wire_carried carried = h->flights[i].carried;
    uint32_t target = h->flights[i].target;
    carried.attachment += 2;
    h->stats.link_dead++;
    uint32_t slot = restore(h, i, HANDOFF_GATEWAY_NONE, &carried);
    if (slot == NONE) return;
    if (h->flight_of[slot] != NONE) cancel(h, h->flight_of[slot]); /* of a player that has left */
    h->flight_of[slot] = h->count;                                 /* one has just gone */
    struct flight *f = &h->flights[h->count++];
    *f = (struct flight){.slot = slot, .target = target, .gateway = HANDOFF_GATEWAY_NONE, .entity = carried.entity};
    move(f, now, HANDOFF_RESTING, HANDOFF_REFUSED_MS);
}

/* --- visits */

static struct visit *find_visit(struct handoff *h, struct mono now, uint64_t entity) {
    for (uint32_t i = 0; i < HANDOFF_VISITS_MAX; i++) {
        struct visit *v = &h->visits[i];
        if (v->entity == entity && !mono_reached(now, v->until)) return v;
    }
    return NULL;
}

static void remember(struct handoff *h, struct mono now, const struct wire_carried *c, uint32_t attachment, bool was_here) {
    struct visit *v = find_visit(h, now, c->entity);
    if (!v) {
        v = &h->visits[h->visit_next++ % HANDOFF_VISITS_MAX];
        h->stats.visits_lost += v->entity != 0 && !mono_reached(now, v->until);
    }
    *v = (struct visit){.entity = c->entity,
                        .player = c->player,
                        .session_epoch = c->session_epoch,
                        .tick = c->tick,
                        .attachment = attachment,
                        .was_here = was_here,
                        .until = mono_add_ms(now, HANDOFF_TOMB_MS)};
}

/* is_past tells whether a visit says of an attachment that a greater one has been: here, or where it was refused some time
 * after this one. */
static bool is_past(const struct visit *v, uint64_t epoch, uint32_t attachment) {
    return is_newer(v->session_epoch, v->attachment, epoch, v->was_here ? attachment : attachment + 1);
}

/* answer_again answers a give of which a visit tells, or of one after it; false: it is a new one. Without persist the
 * attachments of the next session begin anew, so there ticks tell. */
static bool answer_again(const struct visit *v, const struct wire_carried *c, uint32_t *result) {
    bool has_epoch = c->session_epoch != 0;
    bool is_new =
        has_epoch ? is_newer(c->session_epoch, c->attachment + 1, v->session_epoch, v->attachment) : c->tick > v->tick;
    bool was_past = has_epoch ? is_past(v, c->session_epoch, c->attachment) : v->was_here || c->tick < v->tick;
    *result = was_past ? WIRE_GIVEN : WIRE_GIVE_REFUSED;
    return !is_new;
}

/* find_gone returns where it is noted that a player went, NULL where it is not. */
static struct gone *find_gone(struct handoff *h, uint64_t player) {
    for (uint32_t i = 0; i < HANDOFF_GONE_MAX; i++)
        if (h->gone[i].player == player) return &h->gone[i];
    return NULL;
}

static void note_gone(struct handoff *h, const struct flight *f) {
    struct gone *gone = find_gone(h, f->carried.player);
    if (!gone) gone = &h->gone[h->gone_next++ % HANDOFF_GONE_MAX];
    *gone = (struct gone){.player = f->carried.player,
                          .session_epoch = f->carried.session_epoch,
                          .target = f->target,
                          .until = mono_add_ms(h->now, HANDOFF_GONE_MS)};
}

static void note_here(struct handoff *h, uint64_t player) {
    struct gone *gone = find_gone(h, player);
    if (gone) gone->player = 0;
}

/* forget ends a flight whose player another zone has. */
static void forget(struct handoff *h, uint32_t i) {
    const struct handoff_world *w = world_of(h);
    note_gone(h, &h->flights[i]);
    w->gone(w->context, &h->flights[i].carried);
    drop_flight(h, i);
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
            cancel(h, i);
        } else if (f->step != HANDOFF_FROZEN) {
            restore_link_dead(h, i);
        }
    }
}

static void tell_again(struct handoff *h, struct mono now, struct flight *f) {
    const struct handoff_world *w = world_of(h);
    if (h->gateways[f->gateway] != GATEWAY_UP || !w->reroute(w->context, f->gateway, &f->carried)) return;
    f->due = mono_add_ms(now, HANDOFF_AGAIN_MS);
}

void handoff_gateway_up(struct handoff *h, struct mono now, uint32_t gateway) {
    CHECK(gateway < h->config.gateways_max);
    h->gateways[gateway] = GATEWAY_UP;
    for (uint32_t i = 0; i < h->count; i++) {
        struct flight *f = &h->flights[i];
        if (f->step != HANDOFF_FROZEN || f->gateway != gateway) continue;
        f->due = now; /* where there is no room, in the next tick */
        tell_again(h, now, f);
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
            cancel(h, i);
        } else if (f->is_target_dead) {
            restore_link_dead(h, i);
        } else {
            f->gateway = HANDOFF_GATEWAY_NONE; /* its sessions' names mean nothing any more */
            move(f, now, HANDOFF_ASKED, 0);
        }
    }
}

/* --- doubts */

void handoff_gateway_away(struct handoff *h, uint32_t gateway) {
    CHECK(gateway < h->config.gateways_max);
    const struct handoff_world *w = world_of(h);
    struct handoff_player p;
    for (uint32_t slot = 0; slot < h->config.slots_max; slot++)
        if (w->by_slot(w->context, slot, &p) && p.gateway == gateway) doubt(h, slot, p.entity, gateway);
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

static bool is_gateway_up(const struct handoff *h, uint32_t gateway) {
    return gateway == HANDOFF_GATEWAY_NONE || h->gateways[gateway] == GATEWAY_UP;
}

static bool is_target_up(const struct handoff *h, const struct flight *f) {
    const struct peer *peer = &h->peers[f->target];
    return peer->is_up && peer->incarnation == f->target_incarnation;
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

/* update_flight does what is due; it may end the flight. */
static void update_flight(struct handoff *h, struct mono now, uint32_t i) {
    struct flight *f = &h->flights[i];
    f->is_wanted = false;
    if (f->step == HANDOFF_ACCEPTED || !mono_reached(now, f->due)) return;
    if (f->step == HANDOFF_OFFERED) {
        h->stats.silent++;
        move(f, now, HANDOFF_RESTING, HANDOFF_SILENT_MS);
    } else if (f->step == HANDOFF_FROZEN) {
        tell_again(h, now, f);
    } else if (f->step == HANDOFF_ASKED) {
        ask(h, now, f);
    } else if (f->step == HANDOFF_GIVEN && mono_reached(now, mono_add_ms(f->since, HANDOFF_GIVE_MS))) {
        move(f, now, HANDOFF_ASKED, 0);
    } else if (f->step == HANDOFF_GIVEN) {
        give(h, now, f);
    } else if (f->step == HANDOFF_RESTING) {
        drop_flight(h, i);
    }
}

static void expire_reservations(struct handoff *h, struct mono now) {
    while (h->reserved_count > 0) {
        const struct reservation *r = &h->reserved[h->reserved_first];
        if (r->entity != 0 && !mono_reached(now, r->until)) return;
        h->stats.reservations_expired += r->entity != 0;
        h->reserved_open -= r->entity != 0;
        h->reserved_first = (h->reserved_first + 1) % HANDOFF_RESERVED_MAX;
        h->reserved_count--;
    }
}

void handoff_update(struct handoff *h, struct mono now) {
    h->now = now;
    h->started = 0;
    for (uint32_t i = h->count; i-- > 0;) update_flight(h, now, i);
    expire_reservations(h, now);
    forget_doubts(h);
}

/* --- the source */

void handoff_left(struct handoff *h, uint32_t slot) {
    CHECK(slot < h->config.slots_max);
    if (h->flight_of[slot] != NONE) cancel(h, h->flight_of[slot]);
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
    move(f, now, HANDOFF_OFFERED, HANDOFF_OFFER_MS);
    peer->mail.offers[peer->mail.offer_count++] =
        (struct wire_offer){.entity = p->entity, .player = p->player, .session_epoch = p->session_epoch};
    STEP("source.offered");
}

void handoff_want(struct handoff *h, struct mono now, const struct handoff_player *p, uint32_t target) {
    CHECK(p->slot < h->config.slots_max);
    bool is_doubted = p->gateway == HANDOFF_GATEWAY_NONE && h->doubts[p->slot].entity == p->entity;
    if (target >= h->config.peers_max || is_doubted) return;
    uint32_t i = h->flight_of[p->slot];
    const struct flight *f = i != NONE ? &h->flights[i] : NULL;
    if (f && (f->target != target || f->gateway != p->gateway || f->entity != p->entity)) {
        cancel(h, i);
        i = NONE;
    }
    if (i == NONE) {
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
        cancel(h, i);
        return;
    }
    uint32_t slot = f->slot;
    h->flight_of[slot] = NONE;
    f->slot = NONE; /* so that its leaving is not taken for the end of the flight */
    f->link_dead_ms = p.link_dead_ms;
    w->freeze(w->context, slot, f->target, &f->carried);
    h->stats.frozen++;
    if (f->gateway == HANDOFF_GATEWAY_NONE) {
        move(f, now, HANDOFF_GIVEN, 0);
        give(h, now, f);
    } else {
        move(f, now, HANDOFF_FROZEN, 0);
        tell_again(h, now, f);
    }
    STEP("source.frozen");
}

void handoff_freeze(struct handoff *h, struct mono now) {
    for (uint32_t i = h->count; i-- > 0;) {
        if (h->flights[i].step == HANDOFF_ACCEPTED) freeze_flight(h, now, i);
    }
}

static void take_answer(struct handoff *h, struct mono now, uint32_t peer, const struct wire_offer_answer *answer) {
    const struct handoff_world *w = world_of(h);
    for (uint32_t i = 0; i < h->count; i++) {
        struct flight *f = &h->flights[i];
        if (f->step != HANDOFF_OFFERED || f->entity != answer->entity || f->target != peer) continue;
        if (answer->result == WIRE_OFFER_ACCEPTED) {
            h->stats.accepted++;
            move(f, now, HANDOFF_ACCEPTED, 0);
            w->closing(w->context, f->slot);
            STEP("source.accepted");
        } else {
            h->stats.refused++;
            move(f, now, HANDOFF_RESTING, HANDOFF_REFUSED_MS);
        }
        return;
    }
}

/* pass_on ends a flight of a player without a gateway, whom its target has had. Whoever had it before asks this zone. */
static void pass_on(struct handoff *h, struct mono now, uint32_t i) {
    remember(h, now, &h->flights[i].carried, h->flights[i].carried.attachment, true);
    forget(h, i);
}

static void take_query_answer(struct handoff *h, struct mono now, uint32_t peer, const struct wire_query *answer) {
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
            restore_link_dead(h, i);
        }
        return;
    }
}

static void take_given(struct handoff *h, struct mono now, uint32_t peer, const struct wire_given *given) {
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
            restore_refused(h, now, i);
        }
        return;
    }
}

/* --- the target */

static bool reserve(struct handoff *h, struct mono now, uint64_t entity) {
    const struct handoff_world *w = world_of(h);
    if (h->reserved_count == HANDOFF_RESERVED_MAX || w->room(w->context) <= h->reserved_open) return false;
    uint32_t place = (h->reserved_first + h->reserved_count++) % HANDOFF_RESERVED_MAX;
    h->reserved[place] = (struct reservation){.entity = entity, .until = mono_add_ms(now, HANDOFF_RESERVED_MS)};
    h->reserved_open++;
    return true;
}

/* use_reservation frees the place that was kept for an entity. */
static void use_reservation(struct handoff *h, uint64_t entity) {
    if (entity == 0) return;
    for (uint32_t n = 0; n < h->reserved_count; n++) {
        struct reservation *r = &h->reserved[(h->reserved_first + n) % HANDOFF_RESERVED_MAX];
        if (r->entity != entity) continue;
        r->entity = 0;
        h->reserved_open--;
        return;
    }
}

static void take_offer(struct handoff *h, struct mono now, uint32_t peer, const struct wire_offer *offer) {
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
        use_reservation(h, offer->entity); /* of an earlier offer */
        if (!reserve(h, now, offer->entity)) result = WIRE_OFFER_FULL;
    }
    if (result == WIRE_OFFER_ACCEPTED) STEP("target.reserved");
    h->stats.offers_taken += result == WIRE_OFFER_ACCEPTED;
    h->stats.offers_refused += result != WIRE_OFFER_ACCEPTED;
    mail->answers[mail->answer_count++] = (struct wire_offer_answer){.entity = offer->entity, .result = result};
}

/* find_tomb returns the promise about a player of a session, or where a new one goes. */
static struct tomb *find_tomb(struct handoff *h, struct mono now, uint64_t player, uint64_t epoch) {
    struct tomb *open = NULL;
    for (uint32_t i = 0; i < h->tomb_count; i++) {
        struct tomb *t = &h->tombs[i];
        if (t->player != 0 && mono_reached(now, t->until)) *t = (struct tomb){0};
        if (t->player == player && t->session_epoch == epoch) return t;
        if (t->player == 0) open = t;
    }
    if (open) return open;
    if (h->tomb_count < HANDOFF_TOMBS_MAX) return &h->tombs[h->tomb_count++];
    h->stats.tombs_lost++;
    h->tombs[h->tomb_next] = (struct tomb){0};
    open = &h->tombs[h->tomb_next];
    h->tomb_next = (h->tomb_next + 1) % HANDOFF_TOMBS_MAX;
    return open;
}

static void promise(struct handoff *h, struct mono now, const struct wire_query *query) {
    struct tomb *t = find_tomb(h, now, query->player, query->session_epoch);
    bool is_known = t->player != 0;
    uint32_t attachment = query->attachment + 1;
    if (is_known && t->attachment > attachment) attachment = t->attachment;
    *t = (struct tomb){.player = query->player,
                       .session_epoch = query->session_epoch,
                       .attachment = attachment,
                       .until = mono_add_ms(now, HANDOFF_TOMB_MS)};
    h->stats.tombs += !is_known;
}

/* is_promised tells whether this zone has promised to refuse a player under an attachment. */
static bool is_promised(const struct handoff *h, struct mono now, uint64_t player, uint64_t epoch, uint32_t attachment) {
    for (uint32_t i = 0; i < h->tomb_count; i++) {
        const struct tomb *t = &h->tombs[i];
        if (t->player == player && t->session_epoch == epoch && !mono_reached(now, t->until))
            return attachment <= t->attachment;
    }
    return false;
}

/* has_had tells whether a player was here under a greater attachment than `attachment`, or later. Of visits without an epoch
 * it can't be told. */
static bool has_had(const struct handoff *h, struct mono now, uint64_t player, uint64_t epoch, uint32_t attachment) {
    const struct handoff_world *w = world_of(h);
    struct handoff_player p;
    if (w->by_player(w->context, player, &p) && is_newer(p.session_epoch, p.attachment, epoch, attachment)) return true;
    for (uint32_t i = 0; i < h->count; i++) {
        const struct wire_carried *c = &h->flights[i].carried;
        if (is_frozen(&h->flights[i]) && c->player == player && is_newer(c->session_epoch, c->attachment, epoch, attachment))
            return true;
    }
    for (uint32_t i = 0; i < HANDOFF_VISITS_MAX && epoch != 0; i++) {
        const struct visit *v = &h->visits[i];
        if (v->entity != 0 && v->player == player && !mono_reached(now, v->until) && is_past(v, epoch, attachment))
            return true;
    }
    return false;
}

static void take_query(struct handoff *h, struct mono now, uint32_t peer, const struct wire_query *query) {
    struct mail *mail = &h->peers[peer].mail;
    if (mail->query_answer_count == HANDOFF_ANSWERS_MAX || query->player == 0) {
        h->stats.answers_lost++;
        return;
    }
    struct wire_query answer = *query;
    bool has = has_had(h, now, query->player, query->session_epoch, query->attachment);
    answer.result = has ? WIRE_QUERY_YES : WIRE_QUERY_NO;
    if (!has) promise(h, now, query);
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
        if (is_frozen(&h->flights[i]) && is_same) forget(h, i);
    }
}

static uint32_t accept(struct handoff *h, struct mono now, const struct wire_give *gift) {
    const struct handoff_world *w = world_of(h);
    struct wire_carried c = gift->carried;
    const struct visit *v = find_visit(h, now, c.entity);
    uint32_t again;
    if (v && answer_again(v, &c, &again)) {
        h->stats.gives_again++;
        return again;
    }
    if (c.session_epoch != 0 && has_had(h, now, c.player, c.session_epoch, c.attachment)) {
        h->stats.gives_again++;
        return WIRE_GIVEN; /* or a newer session does, which ends this one everywhere */
    }
    c.attachment++;
    uint32_t slot = NONE;
    bool may = !is_promised(h, now, c.player, c.session_epoch, c.attachment) && w->room(w->context) > 0;
    if (may) give_way(h, &c);
    if (may && w->import(w->context, HANDOFF_GATEWAY_NONE, &c, false, &slot) != 0) slot = NONE;
    if (slot != NONE) {
        w->link_dead(w->context, slot, gift->link_dead_ms);
        note_here(h, c.player);
    }
    remember(h, now, &c, c.attachment, slot != NONE);
    h->stats.gives_taken += slot != NONE;
    h->stats.gives_refused += slot == NONE;
    return slot != NONE ? WIRE_GIVEN : WIRE_GIVE_REFUSED;
}

static void take_give(struct handoff *h, struct mono now, uint32_t peer, const struct wire_give *gift) {
    struct mail *mail = &h->peers[peer].mail;
    const struct wire_carried *c = &gift->carried;
    if (mail->given_count == HANDOFF_ANSWERS_MAX || c->entity == 0 || c->player == 0) {
        h->stats.answers_lost++;
        return;
    }
    use_reservation(h, c->entity);
    mail->given[mail->given_count++] = (struct wire_given){
        .entity = c->entity, .session_epoch = c->session_epoch, .attachment = c->attachment, .result = accept(h, now, gift)};
    STEP("target.given");
}

void handoff_take(struct handoff *h, struct mono now, uint32_t peer, const struct wire_peer_batch *b) {
    CHECK(peer < h->config.peers_max);
    for (uint32_t i = 0; i < b->offer_count; i++) take_offer(h, now, peer, &b->offers[i]);
    for (uint32_t i = 0; i < b->offer_answer_count; i++) take_answer(h, now, peer, &b->offer_answers[i]);
    for (uint32_t i = 0; i < b->query_count; i++) take_query(h, now, peer, &b->queries[i]);
    for (uint32_t i = 0; i < b->query_answer_count; i++) take_query_answer(h, now, peer, &b->query_answers[i]);
    for (uint32_t i = 0; i < b->give_count; i++) take_give(h, now, peer, &b->gives[i]);
    for (uint32_t i = 0; i < b->given_count; i++) take_given(h, now, peer, &b->given[i]);
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

/* --- what gateways say */

/* is_elsewhere tells whether a player went to another zone of late, and has not been here since. */
static bool is_elsewhere(struct handoff *h, struct mono now, const struct wire_attach *attach, uint32_t *elsewhere) {
    const struct handoff_world *w = world_of(h);
    const struct gone *gone = find_gone(h, attach->player);
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
    uint32_t i = find_frozen(h, gateway, attach->session);
    bool is_same = i != NONE;
    if (!is_same) i = find_frozen_player(h, attach->player, attach->session_epoch);
    bool is_promised_away =
        attach->session_epoch != 0 && is_promised(h, now, attach->player, attach->session_epoch, attach->attachment);
    if (is_promised_away) return HANDOFF_ATTACH_STALE;
    if (i == NONE) return is_elsewhere(h, now, attach, elsewhere) ? HANDOFF_ATTACH_ELSEWHERE : HANDOFF_ATTACH_UNKNOWN;
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
    restore(h, i, gateway, &carried);
    return HANDOFF_ATTACH_RESTORED;
}

bool handoff_detach(struct handoff *h, uint32_t gateway, uint64_t session, enum wire_detach_reason reason) {
    const struct handoff_world *w = world_of(h);
    uint32_t i = find_frozen(h, gateway, session);
    if (i == NONE) return false;
    if (reason == WIRE_DETACH_TAKEN_OVER) {
        restore_link_dead(h, i);
        return true;
    }
    h->stats.ended++;
    w->ended(w->context, &h->flights[i].carried);
    drop_flight(h, i);
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
    uint32_t i = find_frozen(h, gateway, c->session);
    if (i == NONE) i = find_frozen_player(h, c->player, c->session_epoch);
    if (i == NONE || (c->session_epoch == 0 && h->flights[i].carried.entity != c->entity)) return true;
    const struct wire_carried *frozen = &h->flights[i].carried;
    if (!is_newer(c->session_epoch, c->attachment, frozen->session_epoch, frozen->attachment)) return false;
    forget(h, i);
    return true;
}

/* is_told_twice tells whether a session's player is here under this attachment, or has been and was let go of. */
static bool is_told_twice(const struct handoff *h, uint32_t gateway, const struct wire_carried *c) {
    const struct handoff_world *w = world_of(h);
    struct handoff_player p;
    if (w->by_session(w->context, gateway, c->session, &p) && p.player == c->player && p.attachment >= c->attachment)
        return true;
    uint32_t i = find_frozen(h, gateway, c->session);
    return i != NONE && h->flights[i].carried.player == c->player && h->flights[i].carried.attachment >= c->attachment;
}

static uint32_t activate(struct handoff *h, struct mono now, uint32_t gateway, const struct wire_carried *c) {
    const struct handoff_world *w = world_of(h);
    if (is_told_twice(h, gateway, c)) {
        h->stats.arrived_again++;
        return WIRE_ACTIVATED;
    }
    if (is_promised(h, now, c->player, c->session_epoch, c->attachment) || !make_way(h, gateway, c)) {
        h->stats.arrived_refused++;
        return WIRE_ACTIVATE_REFUSED;
    }
    uint32_t slot;
    if (w->room(w->context) == 0 || w->import(w->context, gateway, c, false, &slot) != 0) {
        h->stats.arrived_full++;
        return WIRE_ACTIVATE_FULL;
    }
    h->stats.arrived++;
    note_here(h, c->player);
    return WIRE_ACTIVATED;
}

void handoff_activate(struct handoff *h, struct mono now, uint32_t gateway, const struct wire_carried *c) {
    CHECK(gateway < h->config.gateways_max);
    const struct handoff_world *w = world_of(h);
    STEP("target.activate");
    use_reservation(h, c->entity);
    struct wire_activated answer = {
        .session = c->session, .attachment = c->attachment, .result = activate(h, now, gateway, c)};
    w->activated(w->context, gateway, &answer);
    STEP("target.activated");
}

void handoff_routed(struct handoff *h, uint32_t gateway, const struct wire_routed *routed) {
    CHECK(gateway < h->config.gateways_max);
    const struct handoff_world *w = world_of(h);
    uint32_t i = find_frozen(h, gateway, routed->session);
    if (routed->result == WIRE_ROUTED_DONE) {
        if (i != NONE && h->flights[i].carried.attachment == routed->attachment) {
            h->stats.done++;
            STEP("source.done");
            forget(h, i);
        }
        w->forgotten(w->context, gateway, routed);
        STEP("source.forgotten");
    } else if (routed->result == WIRE_ROUTED_RESTORED && i != NONE &&
               h->flights[i].carried.attachment < routed->attachment) {
        struct wire_carried carried = h->flights[i].carried;
        carried.attachment = routed->attachment;
        h->stats.restored++;
        STEP("source.restored");
        restore(h, i, gateway, &carried);
    }
}

/* --- looking in */

bool handoff_has(const struct handoff *h, uint32_t gateway, uint64_t session) {
    return h->count > 0 && find_frozen(h, gateway, session) != NONE;
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
