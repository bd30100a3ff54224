/* test_handoff.c: each step of a handoff at its source and its target, what is late, repeated or refused, and each limit.
 * Where the three roles are put together: test_handoff_random.c. */
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
    uint32_t offer_count, answer_count, query_count, query_answer_count;
};

/* --- the world */

static bool tell(const struct body *b, struct handoff_player *out) {
    if (b->is_here) *out = b->player;
    return b->is_here;
}

static bool by_session(void *context, uint32_t gateway, uint64_t session, struct handoff_player *out) {
    const struct fixture *f = context;
    for (uint32_t i = 0; i < SLOTS; i++) {
        const struct handoff_player *p = &f->bodies[i].player;
        if (f->bodies[i].is_here && p->gateway == gateway && p->session == session) return tell(&f->bodies[i], out);
    }
    return false;
}

static bool by_player(void *context, uint64_t player, struct handoff_player *out) {
    const struct fixture *f = context;
    for (uint32_t i = 0; i < SLOTS; i++) {
        if (f->bodies[i].is_here && f->bodies[i].player.player == player) return tell(&f->bodies[i], out);
    }
    return false;
}

static bool by_slot(void *context, uint32_t slot, struct handoff_player *out) {
    return tell(&((struct fixture *)context)->bodies[slot], out);
}

static uint32_t room(void *context) {
    return ((struct fixture *)context)->room;
}

static bool is_mine(void *context, const struct wire_offer *offer) {
    (void)offer;
    return ((struct fixture *)context)->is_mine;
}

static void closing(void *context, uint32_t slot) {
    (void)slot;
    ((struct fixture *)context)->closing++;
}

static void freeze(void *context, uint32_t slot, uint32_t target, struct wire_carried *out) {
    struct fixture *f = context;
    const struct handoff_player *p = &f->bodies[slot].player;
    *out = (struct wire_carried){.session = p->session,
                                 .player = p->player,
                                 .session_epoch = p->session_epoch,
                                 .entity = p->entity,
                                 .attachment = p->attachment,
                                 .target = target,
                                 .input_flags = WIRE_CARRIED_ANY};
    f->bodies[slot].is_here = false;
    f->frozen++;
}

static int import(void *context, uint32_t gateway, const struct wire_carried *c, bool is_return) {
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
    return 0;
}

static void let_go(void *context, uint32_t slot) {
    struct fixture *f = context;
    f->bodies[slot].is_here = false;
    f->let_go++;
}

static void ended(void *context, const struct wire_carried *carried) {
    (void)carried;
    ((struct fixture *)context)->ended++;
}

static void gone(void *context, const struct wire_carried *carried) {
    (void)carried;
    ((struct fixture *)context)->gone++;
}

static bool reroute(void *context, uint32_t gateway, const struct wire_carried *carried) {
    struct fixture *f = context;
    assert_int_equal(gateway, GATE);
    if (f->reroutes_full) return false;
    f->reroute = *carried;
    f->reroute_count++;
    return true;
}

static void activated(void *context, uint32_t gateway, const struct wire_activated *answer) {
    struct fixture *f = context;
    assert_int_equal(gateway, GATE);
    f->activated = *answer;
    f->activated_count++;
}

static void forgotten(void *context, uint32_t gateway, const struct wire_routed *routed) {
    struct fixture *f = context;
    assert_int_equal(gateway, GATE);
    f->forgotten = *routed;
    f->forgotten_count++;
}

/* --- the fixture: a zone whose gateway and peer are up */

static int set_up(void **state) {
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
                                                                   .let_go = let_go,
                                                                   .ended = ended,
                                                                   .gone = gone,
                                                                   .reroute = reroute,
                                                                   .activated = activated,
                                                                   .forgotten = forgotten}});
    assert_non_null(f->handoff);
    handoff_gateway_up(f->handoff, f->now, GATE, false);
    handoff_peer_up(f->handoff, TARGET, 77);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    handoff_destroy(((struct fixture *)*state)->handoff);
    return 0;
}

static const struct handoff_stats *stats(const struct fixture *f) {
    return handoff_stats(f->handoff);
}

static void pass_ms(struct fixture *f, uint64_t ms) {
    f->now = mono_add_ms(f->now, ms);
}

/* put places player `n` in slot `n`. */
static void put(struct fixture *f, uint32_t n) {
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
static void tick(struct fixture *f, uint32_t count) {
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
    handoff_sent(f->handoff, TARGET);
}

static void answer_offer(struct fixture *f, uint64_t entity, enum wire_offer_result result) {
    struct wire_offer_answer answer = {.entity = entity, .result = result};
    handoff_take(f->handoff, f->now, TARGET, &(struct wire_peer_batch){.offer_answers = &answer, .offer_answer_count = 1});
}

/* freeze_one has player 0 frozen, its gateway told. */
static void freeze_one(struct fixture *f) {
    put(f, 0);
    tick(f, 1);
    assert_int_equal(f->offer_count, 1);
    answer_offer(f, f->offers[0].entity, WIRE_OFFER_ACCEPTED);
    tick(f, 1);
    assert_int_equal(f->frozen, 1);
    assert_int_equal(f->reroute_count, 1);
}

static void say_routed(struct fixture *f, uint32_t attachment, enum wire_routed_result result) {
    handoff_routed(f->handoff, GATE, &(struct wire_routed){.session = 500, .attachment = attachment, .result = result});
}

static enum handoff_step step_of(const struct fixture *f) {
    return handoff_count(f->handoff) == 0 ? 0 : handoff_nth(f->handoff, 0).step;
}

/* --- the source */

static void test_handoff_offered_accepted_frozen_done(void **state) {
    struct fixture *f = *state;
    put(f, 0);
    tick(f, 1);
    assert_true(f->offers[0].entity == 9000 && f->offers[0].player == 100 && f->offers[0].session_epoch == EPOCH);
    assert_int_equal(step_of(f), HANDOFF_OFFERED);
    tick(f, 1);
    assert_int_equal(f->offer_count, 0); /* once is enough */
    assert_true(f->bodies[0].is_here);
    answer_offer(f, 9000, WIRE_OFFER_ACCEPTED);
    assert_int_equal(f->closing, 1);
    assert_true(f->bodies[0].is_here); /* till the end of the tick */
    tick(f, 1);
    assert_false(f->bodies[0].is_here);
    assert_true(f->reroute.session == 500 && f->reroute.attachment == ATTACHMENT && f->reroute.target == TARGET);
    assert_true(handoff_has(f->handoff, GATE, 500));
    say_routed(f, ATTACHMENT, WIRE_ROUTED_DONE);
    assert_int_equal(f->gone, 1);
    assert_int_equal(f->forgotten_count, 1);
    assert_int_equal(handoff_count(f->handoff), 0);
    assert_int_equal(stats(f)->done, 1);
}

static void test_handoff_refused_rests_a_second_and_is_offered_again(void **state) {
    static const enum wire_offer_result refusals[] = {WIRE_OFFER_FULL, WIRE_OFFER_NOT_MINE};
    struct fixture *f = *state;
    put(f, 0);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        tick(f, 1);
        assert_int_equal(f->offer_count, 1);
        answer_offer(f, 9000, refusals[i]);
        assert_int_equal(step_of(f), HANDOFF_RESTING);
        pass_ms(f, HANDOFF_REFUSED_MS - 40);
        tick(f, 1);
        assert_int_equal(f->offer_count, 0);
        pass_ms(f, 40);
    }
    tick(f, 1);
    assert_int_equal(f->offer_count, 1);
}

static void test_handoff_unanswered_offer_is_void_and_made_again(void **state) {
    struct fixture *f = *state;
    put(f, 0);
    tick(f, 1);
    pass_ms(f, HANDOFF_OFFER_MS - 20);
    tick(f, 1);
    assert_int_equal(step_of(f), HANDOFF_OFFERED);
    tick(f, 1);
    assert_int_equal(step_of(f), HANDOFF_RESTING);
    answer_offer(f, 9000, WIRE_OFFER_ACCEPTED); /* too late */
    tick(f, 1);
    assert_int_equal(f->frozen, 0);
    pass_ms(f, HANDOFF_SILENT_MS);
    tick(f, 1);
    assert_int_equal(f->offer_count, 1);
}

static void peer_is_lost(struct fixture *f) {
    handoff_peer_lost(f->handoff, TARGET);
}

static void peer_is_another(struct fixture *f) {
    handoff_peer_up(f->handoff, TARGET, 78);
}

static void gateway_is_lost(struct fixture *f) {
    handoff_gateway_lost(f->handoff, GATE);
}

static void player_left(struct fixture *f) {
    f->bodies[0].is_here = false;
    handoff_left(f->handoff, 0);
}

static void player_is_another(struct fixture *f) {
    f->bodies[0].player.entity = 9999;
}

static void peer_is_dead(struct fixture *f) {
    handoff_peer_dead(f->handoff, TARGET, 77);
}

static void gateway_is_dead(struct fixture *f) {
    handoff_gateway_dead(f->handoff, f->now, GATE);
}

static void test_handoff_accepted_stays_where_one_who_is_needed_is_away(void **state) {
    static void (*const what[])(struct fixture * f) = {peer_is_lost, peer_is_another,   gateway_is_lost, player_left,
                                                       peer_is_dead, player_is_another, gateway_is_dead};
    for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
        if (i > 0) assert_int_equal(tear_down(state) + set_up(state), 0);
        struct fixture *f = *state;
        put(f, 0);
        tick(f, 1);
        answer_offer(f, 9000, WIRE_OFFER_ACCEPTED);
        what[i](f);
        tick(f, 1);
        assert_int_equal(f->frozen, 0);
        assert_true(stats(f)->cancelled >= 1);
    }
}

static void test_handoff_accepted_who_went_back_stays(void **state) {
    struct fixture *f = *state;
    put(f, 0);
    tick(f, 1);
    answer_offer(f, 9000, WIRE_OFFER_ACCEPTED);
    tick(f, 0);
    assert_int_equal(f->frozen, 0);
    assert_int_equal(handoff_count(f->handoff), 0);
}

static void test_handoff_without_peer_or_gateway_is_not_begun(void **state) {
    struct fixture *f = *state;
    put(f, 0);
    handoff_peer_lost(f->handoff, TARGET);
    tick(f, 1);
    handoff_peer_up(f->handoff, TARGET, 77);
    handoff_gateway_lost(f->handoff, GATE);
    tick(f, 1);
    f->bodies[0].player.gateway = HANDOFF_GATEWAY_NONE; /* link-dead: it stays */
    handoff_gateway_up(f->handoff, f->now, GATE, true);
    tick(f, 1);
    assert_int_equal(stats(f)->offered, 0);
}

static void test_handoff_reroute_without_room_is_told_in_the_next_tick(void **state) {
    struct fixture *f = *state;
    put(f, 0);
    tick(f, 1);
    answer_offer(f, 9000, WIRE_OFFER_ACCEPTED);
    f->reroutes_full = true;
    tick(f, 1);
    assert_int_equal(f->reroute_count, 0);
    f->reroutes_full = false;
    tick(f, 1);
    assert_int_equal(f->reroute_count, 1);
}

static void test_handoff_silent_gateway_is_told_again(void **state) {
    struct fixture *f = *state;
    freeze_one(f);
    tick(f, 0);
    assert_int_equal(f->reroute_count, 1);
    pass_ms(f, HANDOFF_AGAIN_MS);
    tick(f, 0);
    assert_int_equal(f->reroute_count, 2);
    handoff_gateway_lost(f->handoff, GATE);
    pass_ms(f, HANDOFF_AGAIN_MS);
    tick(f, 0);
    assert_int_equal(f->reroute_count, 2);
    handoff_gateway_up(f->handoff, f->now, GATE, true); /* at once, over the new connection */
    assert_int_equal(f->reroute_count, 3);
}

static void test_handoff_done_of_another_attachment_forgets_nothing(void **state) {
    struct fixture *f = *state;
    freeze_one(f);
    say_routed(f, ATTACHMENT - 1, WIRE_ROUTED_DONE);
    say_routed(f, ATTACHMENT + 1, WIRE_ROUTED_DONE);
    assert_int_equal(f->gone, 0);
    assert_int_equal(f->forgotten_count, 2); /* there is nothing of those */
    assert_int_equal(f->forgotten.attachment, ATTACHMENT + 1);
    assert_int_equal(step_of(f), HANDOFF_FROZEN);
}

static void test_handoff_restored_goes_on_under_the_new_attachment_alone(void **state) {
    struct fixture *f = *state;
    freeze_one(f);
    say_routed(f, ATTACHMENT, WIRE_ROUTED_RESTORED);
    assert_int_equal(f->returned, 0);
    say_routed(f, ATTACHMENT + 2, WIRE_ROUTED_RESTORED);
    assert_int_equal(f->returned, 1);
    assert_int_equal(f->bodies[0].player.attachment, ATTACHMENT + 2);
    say_routed(f, ATTACHMENT + 2, WIRE_ROUTED_RESTORED); /* told twice */
    assert_int_equal(f->returned, 1);
    assert_int_equal(handoff_count(f->handoff), 0);
}

static void test_handoff_restored_without_room_ends_and_is_counted(void **state) {
    struct fixture *f = *state;
    freeze_one(f);
    f->import_full = true;
    say_routed(f, ATTACHMENT + 1, WIRE_ROUTED_RESTORED);
    assert_int_equal(stats(f)->lost, 1);
    assert_int_equal(f->ended, 1);
}

static void test_handoff_session_that_ends_while_frozen(void **state) {
    struct fixture *f = *state;
    freeze_one(f);
    assert_false(handoff_detach(f->handoff, GATE, 501));
    assert_false(handoff_detach(f->handoff, 1, 500));
    assert_true(handoff_detach(f->handoff, GATE, 500));
    assert_int_equal(f->ended, 1);
    assert_false(handoff_detach(f->handoff, GATE, 500));
}

/* --- the source whose gateway is dead */

static void answer_query(struct fixture *f, uint32_t attachment, enum wire_query_result result) {
    struct wire_query answer = {.player = 100, .session_epoch = EPOCH, .attachment = attachment, .result = result};
    handoff_take(f->handoff, f->now, TARGET, &(struct wire_peer_batch){.query_answers = &answer, .query_answer_count = 1});
}

static void test_handoff_dead_gateway_asks_until_answered(void **state) {
    struct fixture *f = *state;
    freeze_one(f);
    gateway_is_dead(f);
    assert_false(handoff_has(f->handoff, GATE, 500)); /* its next incarnation's session is another one */
    tick(f, 0);
    assert_int_equal(f->query_count, 1);
    assert_true(f->queries[0].player == 100 && f->queries[0].session_epoch == EPOCH);
    assert_int_equal(f->queries[0].attachment, ATTACHMENT);
    tick(f, 0);
    assert_int_equal(f->query_count, 0);
    pass_ms(f, HANDOFF_ASK_MS);
    peer_is_lost(f);
    tick(f, 0);
    assert_int_equal(f->query_count, 0);
    handoff_peer_up(f->handoff, TARGET, 77);
    tick(f, 0);
    assert_int_equal(f->query_count, 1);
    answer_query(f, ATTACHMENT + 1, WIRE_QUERY_YES); /* to another question */
    assert_int_equal(step_of(f), HANDOFF_ASKED);
    answer_query(f, ATTACHMENT, WIRE_QUERY_YES);
    assert_int_equal(f->gone, 1);
    assert_int_equal(handoff_count(f->handoff), 0);
}

static void expect_link_dead(const struct fixture *f) {
    assert_int_equal(f->returned, 1);
    assert_true(f->bodies[0].player.gateway == HANDOFF_GATEWAY_NONE);
    assert_int_equal(f->bodies[0].player.attachment, ATTACHMENT); /* what the gateway gave out since is greater */
    assert_int_equal(handoff_count(f->handoff), 0);
}

static void test_handoff_dead_gateway_and_no_leaves_it_link_dead(void **state) {
    struct fixture *f = *state;
    freeze_one(f);
    gateway_is_dead(f);
    tick(f, 0);
    answer_query(f, ATTACHMENT, WIRE_QUERY_NO);
    expect_link_dead(f);
}

static void test_handoff_dead_gateway_and_dead_target_leave_it_link_dead(void **state) {
    for (int i = 0; i < 2; i++) {
        if (i > 0) assert_int_equal(tear_down(state) + set_up(state), 0);
        struct fixture *f = *state;
        freeze_one(f);
        if (i == 0) gateway_is_dead(f);
        handoff_peer_dead(f->handoff, TARGET, 76); /* another incarnation */
        assert_int_equal(f->returned, 0);
        peer_is_dead(f);
        if (i == 1) assert_int_equal(f->returned, 0); /* the gateway will tell */
        if (i == 1) gateway_is_dead(f);
        expect_link_dead(f);
    }
}

static void test_handoff_gateway_of_another_incarnation_is_dead(void **state) {
    struct fixture *f = *state;
    freeze_one(f);
    handoff_gateway_up(f->handoff, f->now, GATE, false);
    assert_int_equal(step_of(f), HANDOFF_ASKED);
}

/* --- attaches of those who are frozen */

static enum handoff_attach attach(struct fixture *f, uint64_t session, uint64_t player, uint64_t epoch,
                                  uint32_t attachment) {
    return handoff_attach(
        f->handoff, f->now, GATE,
        &(struct wire_attach){.session = session, .player = player, .session_epoch = epoch, .attachment = attachment});
}

static void test_handoff_attach_of_a_frozen_player(void **state) {
    static const struct {
        uint64_t session, player, epoch;
        uint32_t attachment;
        bool is_gateway_dead;
        enum handoff_attach expected;
    } cases[] = {
        {500, 100, EPOCH, ATTACHMENT + 1, false, HANDOFF_ATTACH_RESTORED},
        {500, 100, EPOCH, ATTACHMENT, false, HANDOFF_ATTACH_STALE},
        {500, 100, EPOCH, ATTACHMENT - 1, false, HANDOFF_ATTACH_STALE},
        {900, 100, EPOCH + 1, 1, false, HANDOFF_ATTACH_RESTORED}, /* a newer session */
        {900, 100, EPOCH + 1, 1, true, HANDOFF_ATTACH_RESTORED},
        {900, 100, EPOCH - 1, 99, false, HANDOFF_ATTACH_STALE},
        {900, 101, EPOCH + 1, 1, false, HANDOFF_ATTACH_UNKNOWN},
        {900, 100, 0, 1, false, HANDOFF_ATTACH_UNKNOWN}, /* without persist: another one of that number, who plays too */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (i > 0) assert_int_equal(tear_down(state) + set_up(state), 0);
        struct fixture *f = *state;
        freeze_one(f);
        if (cases[i].is_gateway_dead) gateway_is_dead(f);
        if (attach(f, cases[i].session, cases[i].player, cases[i].epoch, cases[i].attachment) != cases[i].expected)
            fail_msg("case %zu", i);
        bool is_restored = cases[i].expected == HANDOFF_ATTACH_RESTORED;
        assert_int_equal(f->returned, is_restored);
        assert_int_equal(handoff_count(f->handoff), !is_restored);
        if (!is_restored) continue;
        const struct body *b = &f->bodies[0];
        assert_true(b->player.session == cases[i].session && b->player.session_epoch == cases[i].epoch);
        assert_int_equal(b->player.attachment, cases[i].attachment);
        assert_int_equal(b->input_flags, cases[i].session == 500 ? WIRE_CARRIED_ANY : 0); /* another client counts anew */
    }
}

static void test_handoff_attach_without_persist_takes_over_from_a_dead_gateway(void **state) {
    struct fixture *f = *state;
    put(f, 0);
    f->bodies[0].player.session_epoch = 0;
    tick(f, 1);
    answer_offer(f, 9000, WIRE_OFFER_ACCEPTED);
    tick(f, 1);
    assert_int_equal(attach(f, 900, 100, 0, 1), HANDOFF_ATTACH_UNKNOWN);
    gateway_is_dead(f);
    assert_int_equal(attach(f, 900, 100, 0, 1), HANDOFF_ATTACH_RESTORED);
}

/* --- the target */

static void offer(struct fixture *f, uint64_t entity) {
    struct wire_offer in = {.entity = entity, .player = 100, .session_epoch = EPOCH};
    handoff_take(f->handoff, f->now, TARGET, &(struct wire_peer_batch){.offers = &in, .offer_count = 1});
}

static uint32_t activate_as(struct fixture *f, uint64_t session, uint64_t epoch, uint32_t attachment) {
    unsigned before = f->activated_count;
    handoff_activate(f->handoff, f->now, GATE,
                     &(struct wire_carried){.session = session,
                                            .player = 100,
                                            .session_epoch = epoch,
                                            .entity = 9000,
                                            .attachment = attachment,
                                            .input_flags = WIRE_CARRIED_ANY});
    assert_int_equal(f->activated_count, before + 1);
    assert_true(f->activated.session == session && f->activated.attachment == attachment);
    return f->activated.result;
}

static uint32_t activate(struct fixture *f, uint32_t attachment) {
    return activate_as(f, 500, EPOCH, attachment);
}

static void test_handoff_offers_are_taken_while_there_is_room(void **state) {
    struct fixture *f = *state;
    f->room = 2;
    for (uint64_t entity = 1; entity <= 3; entity++) offer(f, entity);
    offer(f, 1); /* again: the same place */
    tick(f, 0);
    static const uint32_t expected[] = {WIRE_OFFER_ACCEPTED, WIRE_OFFER_ACCEPTED, WIRE_OFFER_FULL, WIRE_OFFER_ACCEPTED};
    assert_int_equal(f->answer_count, 4);
    for (uint32_t i = 0; i < 4; i++) assert_int_equal(f->answers[i].result, expected[i]);
    pass_ms(f, HANDOFF_RESERVED_MS);
    tick(f, 0); /* they did not come */
    offer(f, 4);
    tick(f, 0);
    assert_int_equal(f->answers[0].result, WIRE_OFFER_ACCEPTED);
    assert_true(stats(f)->reservations_expired >= 2);
    f->is_mine = false;
    offer(f, 5);
    tick(f, 0);
    assert_int_equal(f->answers[0].result, WIRE_OFFER_NOT_MINE);
}

static void test_handoff_who_comes_uses_the_place_kept(void **state) {
    struct fixture *f = *state;
    f->room = 1;
    offer(f, 9000);
    assert_int_equal(activate(f, ATTACHMENT + 1), WIRE_ACTIVATED);
    offer(f, 2); /* the fixture's room is what it was */
    tick(f, 0);
    assert_int_equal(f->answers[1].result, WIRE_OFFER_ACCEPTED);
}

static void test_handoff_activate_told_twice_is_answered_twice_and_done_once(void **state) {
    struct fixture *f = *state;
    assert_int_equal(activate(f, ATTACHMENT + 1), WIRE_ACTIVATED);
    assert_int_equal(activate(f, ATTACHMENT + 1), WIRE_ACTIVATED);
    assert_int_equal(f->imported, 1);
    assert_int_equal(stats(f)->arrived_again, 1);
}

static void test_handoff_activate_of_who_was_let_go_of_again_is_answered(void **state) {
    struct fixture *f = *state;
    freeze_one(f); /* under ATTACHMENT */
    assert_int_equal(activate(f, ATTACHMENT), WIRE_ACTIVATED);
    assert_int_equal(activate(f, ATTACHMENT - 1), WIRE_ACTIVATED);
    assert_int_equal(f->imported, 0);
    assert_int_equal(step_of(f), HANDOFF_FROZEN);
    assert_int_equal(activate(f, ATTACHMENT + 2), WIRE_ACTIVATED); /* it came back: what is frozen is old */
    assert_int_equal(f->imported, 1);
    assert_int_equal(f->gone, 1);
    assert_int_equal(handoff_count(f->handoff), 0);
}

static void test_handoff_activate_among_sessions_of_the_player(void **state) {
    struct fixture *f = *state;
    put(f, 0);
    assert_int_equal(activate_as(f, 900, EPOCH - 1, 50), WIRE_ACTIVATE_REFUSED); /* the one here is newer */
    assert_int_equal(f->let_go, 0);
    assert_int_equal(activate_as(f, 900, EPOCH + 1, 1), WIRE_ACTIVATED);
    assert_int_equal(f->let_go, 1);
    assert_true(f->bodies[0].player.session == 900);
}

static void test_handoff_activate_without_room(void **state) {
    struct fixture *f = *state;
    f->room = 0;
    assert_int_equal(activate(f, ATTACHMENT + 1), WIRE_ACTIVATE_FULL);
    f->room = 1;
    f->import_full = true;
    assert_int_equal(activate(f, ATTACHMENT + 1), WIRE_ACTIVATE_FULL);
    assert_int_equal(stats(f)->arrived_full, 2);
}

/* --- promises */

static void query(struct fixture *f, uint32_t attachment) {
    struct wire_query in = {.player = 100, .session_epoch = EPOCH, .attachment = attachment};
    handoff_take(f->handoff, f->now, TARGET, &(struct wire_peer_batch){.queries = &in, .query_count = 1});
    tick(f, 0);
    assert_int_equal(f->query_answer_count, 1);
    assert_true(f->query_answers[0].player == 100 && f->query_answers[0].attachment == attachment);
}

static void test_handoff_query_is_answered_yes_by_who_has_it_since(void **state) {
    struct fixture *f = *state;
    put(f, 0);
    query(f, ATTACHMENT - 1);
    assert_int_equal(f->query_answers[0].result, WIRE_QUERY_YES);
    query(f, ATTACHMENT); /* that is the one who asks */
    assert_int_equal(f->query_answers[0].result, WIRE_QUERY_NO);
    assert_int_equal(tear_down(state) + set_up(state), 0);
    f = *state;
    freeze_one(f);
    query(f, ATTACHMENT - 1);
    assert_int_equal(f->query_answers[0].result, WIRE_QUERY_YES);
}

static void test_handoff_promise_refuses_what_is_late_and_ends(void **state) {
    struct fixture *f = *state;
    query(f, ATTACHMENT);
    assert_int_equal(f->query_answers[0].result, WIRE_QUERY_NO);
    assert_int_equal(activate(f, ATTACHMENT + 1), WIRE_ACTIVATE_REFUSED);
    assert_int_equal(attach(f, 500, 100, EPOCH, ATTACHMENT + 1), HANDOFF_ATTACH_STALE);
    query(f, ATTACHMENT - 5); /* an older question takes nothing back */
    assert_int_equal(activate(f, ATTACHMENT + 1), WIRE_ACTIVATE_REFUSED);
    assert_int_equal(attach(f, 900, 100, EPOCH + 1, 1), HANDOFF_ATTACH_UNKNOWN);
    assert_int_equal(activate_as(f, 900, EPOCH + 1, 1), WIRE_ACTIVATED);
    f->bodies[0].is_here = false;
    assert_int_equal(activate(f, ATTACHMENT + 2), WIRE_ACTIVATED); /* nobody was promised that */
    f->bodies[0].is_here = false;
    pass_ms(f, HANDOFF_TOMB_MS);
    assert_int_equal(activate(f, ATTACHMENT + 1), WIRE_ACTIVATED);
}

static void test_handoff_promises_beyond_the_table_lose_the_oldest(void **state) {
    struct fixture *f = *state;
    struct wire_query in = {.session_epoch = EPOCH, .attachment = ATTACHMENT};
    for (uint64_t i = 0; i <= HANDOFF_TOMBS_MAX; i++) {
        in.player = 100 + i;
        handoff_take(f->handoff, f->now, TARGET, &(struct wire_peer_batch){.queries = &in, .query_count = 1});
        if (i % 64 == 0) tick(f, 0);
    }
    assert_int_equal(stats(f)->tombs_lost, 1);
    assert_int_equal(activate(f, ATTACHMENT + 1), WIRE_ACTIVATED); /* player 100's was the oldest */
}

/* --- limits */

static void test_handoff_starts_no_more_in_a_tick_and_has_no_more_under_way(void **state) {
    struct fixture *f = *state;
    for (uint32_t i = 0; i < SLOTS; i++) put(f, i);
    tick(f, SLOTS);
    assert_int_equal(f->offer_count, HANDOFF_START_PER_TICK);
    for (uint32_t i = 0; i < HANDOFF_FLIGHT_MAX / HANDOFF_START_PER_TICK; i++) tick(f, SLOTS);
    assert_int_equal(handoff_count(f->handoff), HANDOFF_FLIGHT_MAX);
    assert_int_equal(f->offer_count, 0);
    assert_true(stats(f)->flights_full > 0);
}

static void test_handoff_starts_no_more_in_a_tick_for_all_zones_together(void **state) {
    struct fixture *f = *state;
    handoff_peer_up(f->handoff, 2, 88);
    handoff_update(f->handoff, f->now);
    for (uint32_t i = 0; i < HANDOFF_START_PER_TICK + 10; i++) {
        put(f, i);
        handoff_want(f->handoff, f->now, &f->bodies[i].player, 1 + i % 2);
    }
    assert_int_equal(handoff_count(f->handoff), HANDOFF_START_PER_TICK);
}

static void test_handoff_wanted_by_another_zone_begins_anew(void **state) {
    struct fixture *f = *state;
    put(f, 0);
    tick(f, 1);
    handoff_peer_up(f->handoff, 2, 88);
    handoff_update(f->handoff, f->now);
    handoff_want(f->handoff, f->now, &f->bodies[0].player, 2);
    struct wire_peer_batch b = {0};
    handoff_fill(f->handoff, 2, &b);
    assert_int_equal(b.offer_count, 1);
    answer_offer(f, 9000, WIRE_OFFER_ACCEPTED); /* of the first */
    handoff_freeze(f->handoff, f->now);
    assert_int_equal(f->frozen, 0);
    assert_int_equal(stats(f)->cancelled, 1);
}

static void test_handoff_slot_with_another_player_begins_anew(void **state) {
    struct fixture *f = *state;
    put(f, 0);
    tick(f, 1);
    f->bodies[0].player.entity = 9999; /* nobody said that the first one left */
    tick(f, 1);
    assert_int_equal(f->offer_count, 1);
    assert_true(f->offers[0].entity == 9999);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_handoff_offered_accepted_frozen_done),
        TEST(test_handoff_refused_rests_a_second_and_is_offered_again),
        TEST(test_handoff_unanswered_offer_is_void_and_made_again),
        TEST(test_handoff_accepted_stays_where_one_who_is_needed_is_away),
        TEST(test_handoff_accepted_who_went_back_stays),
        TEST(test_handoff_without_peer_or_gateway_is_not_begun),
        TEST(test_handoff_reroute_without_room_is_told_in_the_next_tick),
        TEST(test_handoff_silent_gateway_is_told_again),
        TEST(test_handoff_done_of_another_attachment_forgets_nothing),
        TEST(test_handoff_restored_goes_on_under_the_new_attachment_alone),
        TEST(test_handoff_restored_without_room_ends_and_is_counted),
        TEST(test_handoff_session_that_ends_while_frozen),
        TEST(test_handoff_dead_gateway_asks_until_answered),
        TEST(test_handoff_dead_gateway_and_no_leaves_it_link_dead),
        TEST(test_handoff_dead_gateway_and_dead_target_leave_it_link_dead),
        TEST(test_handoff_gateway_of_another_incarnation_is_dead),
        TEST(test_handoff_attach_of_a_frozen_player),
        TEST(test_handoff_attach_without_persist_takes_over_from_a_dead_gateway),
        TEST(test_handoff_offers_are_taken_while_there_is_room),
        TEST(test_handoff_who_comes_uses_the_place_kept),
        TEST(test_handoff_activate_told_twice_is_answered_twice_and_done_once),
        TEST(test_handoff_activate_of_who_was_let_go_of_again_is_answered),
        TEST(test_handoff_activate_among_sessions_of_the_player),
        TEST(test_handoff_activate_without_room),
        TEST(test_handoff_query_is_answered_yes_by_who_has_it_since),
        TEST(test_handoff_promise_refuses_what_is_late_and_ends),
        TEST(test_handoff_promises_beyond_the_table_lose_the_oldest),
        TEST(test_handoff_starts_no_more_in_a_tick_and_has_no_more_under_way),
        TEST(test_handoff_starts_no_more_in_a_tick_for_all_zones_together),
        TEST(test_handoff_wanted_by_another_zone_begins_anew),
        TEST(test_handoff_slot_with_another_player_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
