/* test_handoff.c: each step of a handoff at its source, what is late, repeated or refused, and each limit. */
#include "tests/unit/handoff_fixture.h"

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
    handoff_gateway_up(f->handoff, f->now, GATE); /* at once, over the new connection */
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
    assert_false(handoff_detach(f->handoff, GATE, 501, WIRE_DETACH_LEFT));
    assert_false(handoff_detach(f->handoff, 1, 500, WIRE_DETACH_LEFT));
    assert_true(handoff_detach(f->handoff, GATE, 500, WIRE_DETACH_LEFT));
    assert_int_equal(f->ended, 1);
    assert_false(handoff_detach(f->handoff, GATE, 500, WIRE_DETACH_LEFT));
}

static void expect_link_dead(const struct fixture *f) {
    assert_int_equal(f->returned, 1);
    assert_true(f->bodies[0].player.gateway == HANDOFF_GATEWAY_NONE);
    assert_int_equal(f->bodies[0].player.attachment, ATTACHMENT); /* what the gateway gave out since is greater */
    assert_int_equal(handoff_count(f->handoff), 0);
}

static void test_handoff_session_that_is_taken_over_while_frozen(void **state) {
    struct fixture *f = *state;
    freeze_one(f);
    assert_true(handoff_detach(f->handoff, GATE, 500, WIRE_DETACH_TAKEN_OVER));
    expect_link_dead(f);
    assert_int_equal(f->ended, 0);
}

/* --- players that went */

static void go(struct fixture *f) {
    freeze_one(f);
    say_routed(f, ATTACHMENT, WIRE_ROUTED_DONE);
}

static void test_handoff_attach_of_one_who_has_just_gone_is_sent_on(void **state) {
    struct fixture *f = *state;
    go(f);
    assert_int_equal(attach(f, 700, 101, EPOCH + 1, 1), HANDOFF_ATTACH_UNKNOWN);          /* somebody else */
    assert_int_equal(attach(f, 500, 100, EPOCH, ATTACHMENT + 2), HANDOFF_ATTACH_UNKNOWN); /* its gateway knows better */
    assert_int_equal(attach(f, 700, 100, EPOCH + 1, 1), HANDOFF_ATTACH_ELSEWHERE);
    assert_int_equal(f->elsewhere, TARGET);
    assert_int_equal(stats(f)->sent_on, 1);
    handoff_peer_lost(f->handoff, TARGET);
    assert_int_equal(attach(f, 700, 100, EPOCH + 1, 1), HANDOFF_ATTACH_UNKNOWN);
    handoff_peer_up(f->handoff, TARGET, 77);
    pass_ms(f, HANDOFF_GONE_MS);
    assert_int_equal(attach(f, 700, 100, EPOCH + 1, 1), HANDOFF_ATTACH_UNKNOWN);
}

static void test_handoff_attach_of_one_who_is_back_is_not_sent_on(void **state) {
    struct fixture *f = *state;
    go(f);
    struct wire_carried carried = f->reroute;
    carried.attachment = ATTACHMENT + 2;
    handoff_activate(f->handoff, f->now, GATE, &carried);
    assert_int_equal(f->activated.result, WIRE_ACTIVATED);
    assert_int_equal(attach(f, 700, 100, EPOCH + 1, 1), HANDOFF_ATTACH_UNKNOWN); /* it is here: the world's to say */
    memset(f->bodies, 0, sizeof f->bodies);
    assert_int_equal(attach(f, 700, 100, EPOCH + 1, 1), HANDOFF_ATTACH_UNKNOWN); /* it has left the world from here */
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
    gateway_is_dead(f);
    handoff_gateway_up(f->handoff, f->now, GATE);
    assert_int_equal(step_of(f), HANDOFF_ASKED);
}

/* --- attaches of those who are frozen */

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
        TEST(test_handoff_session_that_is_taken_over_while_frozen),
        TEST(test_handoff_attach_of_one_who_has_just_gone_is_sent_on),
        TEST(test_handoff_attach_of_one_who_is_back_is_not_sent_on),
        TEST(test_handoff_dead_gateway_asks_until_answered),
        TEST(test_handoff_dead_gateway_and_no_leaves_it_link_dead),
        TEST(test_handoff_dead_gateway_and_dead_target_leave_it_link_dead),
        TEST(test_handoff_gateway_of_another_incarnation_is_dead),
        TEST(test_handoff_attach_of_a_frozen_player),
        TEST(test_handoff_attach_without_persist_takes_over_from_a_dead_gateway),
        TEST(test_handoff_starts_no_more_in_a_tick_and_has_no_more_under_way),
        TEST(test_handoff_starts_no_more_in_a_tick_for_all_zones_together),
        TEST(test_handoff_wanted_by_another_zone_begins_anew),
        TEST(test_handoff_slot_with_another_player_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
