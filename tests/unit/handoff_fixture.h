/* handoff_fixture.h: a zone's handoffs, whose gateway and neighbour are up, and what they did and said. */
#ifndef MARCH_TESTS_UNIT_HANDOFF_FIXTURE_H
#define MARCH_TESTS_UNIT_HANDOFF_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "zone/handoff.h"

#define SLOTS      600
#define PEERS      3
#define GATES      2
#define TARGET     1
#define GATE       0
#define EPOCH      7
#define ATTACHMENT 10
#define SAID_MAX   2048

struct body {
    bool is_here;
    struct handoff_player player;
    uint8_t input_flags;
};

struct fixture {
    struct handoff *handoff;
    struct mono now;
    struct body bodies[SLOTS];
    uint32_t room;
    bool is_mine, reroutes_full, import_full;
    /* what was done and said */
    unsigned closing, frozen, imported, returned, let_go, ended, gone;
    unsigned reroute_count, activated_count, forgotten_count;
    struct wire_carried reroute;
    struct wire_activated activated;
    struct wire_routed forgotten;
    /* of handoff_fill */
    struct wire_offer offers[SAID_MAX];
    struct wire_offer_answer answers[SAID_MAX];
    struct wire_query queries[SAID_MAX], query_answers[SAID_MAX];
    struct wire_give gives[SAID_MAX];
    struct wire_given given[SAID_MAX];
    uint32_t offer_count, answer_count, query_count, query_answer_count, give_count, given_count;
    uint32_t elsewhere; /* of an attach */
};

/* --- the world */

static inline bool tell(const struct body *b, struct handoff_player *out) {
    if (b->is_here) *out = b->player;
    return b->is_here;
}

static inline bool by_session(void *context, uint32_t gateway, uint64_t session, struct handoff_player *out) {
    const struct fixture *f = context;
    for (uint32_t i = 0; i < SLOTS; i++) {
        const struct handoff_player *p = &f->bodies[i].player;
        if (f->bodies[i].is_here && p->gateway == gateway && p->session == session) return tell(&f->bodies[i], out);
    }
    return false;
}

static inline bool by_player(void *context, uint64_t player, struct handoff_player *out) {
    const struct fixture *f = context;
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (f->bodies[i].is_here && f->bodies[i].player.player == player) return tell(&f->bodies[i], out);
    }
    return false;
}

static inline bool by_slot(void *context, uint32_t slot, struct handoff_player *out) {
    return tell(&((struct fixture *)context)->bodies[slot], out);
}

static inline uint32_t room(void *context) {
    return ((struct fixture *)context)->room;
}

static inline bool is_mine(void *context, const struct wire_offer *offer) {
    (void)offer;
    return ((struct fixture *)context)->is_mine;
}

static inline void closing(void *context, uint32_t slot) {
    (void)slot;
    ((struct fixture *)context)->closing++;
}

static inline void freeze(void *context, uint32_t slot, uint32_t target, struct wire_carried *out) {
    struct fixture *f = context;
    const struct handoff_player *p = &f->bodies[slot].player;
    *out = (struct wire_carried){.session = p->session,
                                 .player = p->player,
                                 .session_epoch = p->session_epoch,
                                 .entity = p->entity,
                                 .tick = (uint64_t)(f->now.ns / NS_PER_MS),
                                 .attachment = p->attachment,
                                 .target = target,
                                 .input_flags = WIRE_CARRIED_ANY};
    f->bodies[slot].is_here = false;
    f->frozen++;
}

static inline int import(void *context, uint32_t gateway, const struct wire_carried *c, bool is_return, uint32_t *place) {
    struct fixture *f = context;
    if (f->import_full) return MARCH_ERR_FULL;
    uint32_t slot = 0;
    while (f->bodies[slot].is_here) slot++;
    f->bodies[slot] = (struct body){.is_here = true,
                                    .input_flags = c->input_flags,
                                    .player = {.session = c->session,
                                               .player = c->player,
                                               .session_epoch = c->session_epoch,
                                               .entity = c->entity,
                                               .slot = slot,
                                               .gateway = gateway,
                                               .attachment = c->attachment}};
    f->imported += !is_return;
    f->returned += is_return;
    *place = slot;
    return 0;
}

static inline void link_dead(void *context, uint32_t slot, uint32_t ms) {
    struct fixture *f = context;
    f->bodies[slot].player.link_dead_ms = ms;
}

static inline void let_go(void *context, uint32_t slot) {
    struct fixture *f = context;
    f->bodies[slot].is_here = false;
    f->let_go++;
}

static inline void ended(void *context, const struct wire_carried *carried) {
    (void)carried;
    ((struct fixture *)context)->ended++;
}

static inline void gone(void *context, const struct wire_carried *carried) {
    (void)carried;
    ((struct fixture *)context)->gone++;
}

static inline bool reroute(void *context, uint32_t gateway, const struct wire_carried *carried) {
    struct fixture *f = context;
    assert_int_equal(gateway, GATE);
    if (f->reroutes_full) return false;
    f->reroute = *carried;
    f->reroute_count++;
    return true;
}

static inline void activated(void *context, uint32_t gateway, const struct wire_activated *answer) {
    struct fixture *f = context;
    assert_int_equal(gateway, GATE);
    f->activated = *answer;
    f->activated_count++;
}

static inline void forgotten(void *context, uint32_t gateway, const struct wire_routed *routed) {
    struct fixture *f = context;
    assert_int_equal(gateway, GATE);
    f->forgotten = *routed;
    f->forgotten_count++;
}

/* --- the fixture: a zone whose gateway and peer are up */

static inline int set_up(void **state) {
    static struct fixture fixture;
    struct fixture *f = &fixture;
    memset(f, 0, sizeof *f);
    f->now.ns = NS_PER_S;
    f->room = SLOTS;
    f->is_mine = true;
    f->handoff = handoff_create(&(struct handoff_config){.slots_max = SLOTS,
                                                         .peers_max = PEERS,
                                                         .gateways_max = GATES,
                                                         .world = {.context = f,
                                                                   .by_session = by_session,
                                                                   .by_player = by_player,
                                                                   .by_slot = by_slot,
                                                                   .room = room,
                                                                   .is_mine = is_mine,
                                                                   .closing = closing,
                                                                   .freeze = freeze,
                                                                   .import = import,
                                                                   .link_dead = link_dead,
                                                                   .let_go = let_go,
                                                                   .ended = ended,
                                                                   .gone = gone,
                                                                   .reroute = reroute,
                                                                   .activated = activated,
                                                                   .forgotten = forgotten}});
    assert_non_null(f->handoff);
    handoff_gateway_up(f->handoff, f->now, GATE);
    handoff_peer_up(f->handoff, TARGET, 77);
    *state = f;
    return 0;
}

static inline int tear_down(void **state) {
    handoff_destroy(((struct fixture *)*state)->handoff);
    return 0;
}

static inline const struct handoff_stats *stats(const struct fixture *f) {
    return handoff_stats(f->handoff);
}

static inline void pass_ms(struct fixture *f, uint64_t ms) {
    f->now = mono_add_ms(f->now, ms);
}

/* put places player `n` in slot `n`. */
static inline void put(struct fixture *f, uint32_t n) {
    f->bodies[n] = (struct body){.is_here = true,
                                 .player = {.session = 500 + n,
                                            .player = 100 + n,
                                            .session_epoch = EPOCH,
                                            .entity = 9000 + n,
                                            .slot = n,
                                            .gateway = GATE,
                                            .attachment = ATTACHMENT}};
}

/* tick is one in which the first `count` players are where TARGET is. */
static inline void tick(struct fixture *f, uint32_t count) {
    pass_ms(f, 16);
    handoff_update(f->handoff, f->now);
    for (uint32_t i = 0; i < count; i++) {
        if (f->bodies[i].is_here) handoff_want(f->handoff, f->now, &f->bodies[i].player, TARGET);
    }
    handoff_freeze(f->handoff, f->now);
    struct wire_peer_batch b = {0};
    handoff_fill(f->handoff, TARGET, &b);
    memcpy(f->offers, b.offers, (f->offer_count = b.offer_count) * sizeof *b.offers);
    memcpy(f->answers, b.offer_answers, (f->answer_count = b.offer_answer_count) * sizeof *b.offer_answers);
    memcpy(f->queries, b.queries, (f->query_count = b.query_count) * sizeof *b.queries);
    memcpy(f->query_answers, b.query_answers, (f->query_answer_count = b.query_answer_count) * sizeof *b.query_answers);
    memcpy(f->gives, b.gives, (f->give_count = b.give_count) * sizeof *b.gives);
    memcpy(f->given, b.given, (f->given_count = b.given_count) * sizeof *b.given);
    handoff_sent(f->handoff, TARGET);
}

static inline void answer_offer(struct fixture *f, uint64_t entity, enum wire_offer_result result) {
    struct wire_offer_answer answer = {.entity = entity, .result = result};
    handoff_take(f->handoff, f->now, TARGET, &(struct wire_peer_batch){.offer_answers = &answer, .offer_answer_count = 1});
}

/* freeze_one has player 0 frozen, its gateway told. */
static inline void freeze_one(struct fixture *f) {
    put(f, 0);
    tick(f, 1);
    assert_int_equal(f->offer_count, 1);
    answer_offer(f, f->offers[0].entity, WIRE_OFFER_ACCEPTED);
    tick(f, 1);
    assert_int_equal(f->frozen, 1);
    assert_int_equal(f->reroute_count, 1);
}

static inline void say_routed(struct fixture *f, uint32_t attachment, enum wire_routed_result result) {
    handoff_routed(f->handoff, GATE, &(struct wire_routed){.session = 500, .attachment = attachment, .result = result});
}

static inline enum handoff_step step_of(const struct fixture *f) {
    return handoff_count(f->handoff) == 0 ? 0 : handoff_nth(f->handoff, 0).step;
}

static inline enum handoff_attach attach(struct fixture *f, uint64_t session, uint64_t player, uint64_t epoch,
                                         uint32_t attachment) {
    return handoff_attach(
        f->handoff, f->now, GATE,
        &(struct wire_attach){.session = session, .player = player, .session_epoch = epoch, .attachment = attachment},
        &f->elsewhere);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
