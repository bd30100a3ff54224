/* test_handoff_target.c: each step of a handoff at its target, what is late, repeated or refused, and promises. */
#include "tests/unit/handoff_fixture.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_handoff_offers_are_taken_while_there_is_room),
        TEST(test_handoff_who_comes_uses_the_place_kept),
        TEST(test_handoff_activate_told_twice_is_answered_twice_and_done_once),
        TEST(test_handoff_activate_of_who_was_let_go_of_again_is_answered),
        TEST(test_handoff_activate_among_sessions_of_the_player),
        TEST(test_handoff_activate_without_room),
        TEST(test_handoff_query_is_answered_yes_by_who_has_it_since),
        TEST(test_handoff_promise_refuses_what_is_late_and_ends),
        TEST(test_handoff_promises_beyond_the_table_lose_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
