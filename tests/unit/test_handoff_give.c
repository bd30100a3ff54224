/* test_handoff_give.c: link-dead players that are given from zone to zone: what is late, repeated, refused or in doubt. */
#include "tests/unit/handoff_fixture.h"

#define LINK_DEAD_MS 1234

/* --- the source */

static void orphan(struct fixture *f) {
    for (uint32_t i = 0; i < SLOTS; i++) f->bodies[i].player.gateway = HANDOFF_GATEWAY_NONE;
    handoff_gateway_dead(f->handoff, f->now, GATE);
}

/* accept_one has player 0 offered and accepted. */
static void accept_one(struct fixture *f) {
    tick(f, 1);
    assert_int_equal(f->offer_count, 1);
    answer_offer(f, f->offers[0].entity, WIRE_OFFER_ACCEPTED);
}

/* give_one has player 0 link-dead and given. */
static void give_one(struct fixture *f) {
    put(f, 0);
    orphan(f);
    f->bodies[0].player.link_dead_ms = LINK_DEAD_MS;
    accept_one(f);
    assert_true(f->bodies[0].is_here); /* till the end of the tick */
    tick(f, 1);
    assert_int_equal(step_of(f), HANDOFF_GIVEN);
    assert_int_equal(f->give_count, 1);
}

static void answer_give(struct fixture *f, uint32_t attachment, enum wire_given_result result) {
    struct wire_given given = {.entity = 9000, .session_epoch = EPOCH, .attachment = attachment, .result = result};
    handoff_take(f->handoff, f->now, TARGET, &(struct wire_peer_batch){.given = &given, .given_count = 1});
}

static void answer_query(struct fixture *f, enum wire_query_result result) {
    struct wire_query answer = {.player = 100, .session_epoch = EPOCH, .attachment = ATTACHMENT, .result = result};
    handoff_take(f->handoff, f->now, TARGET, &(struct wire_peer_batch){.query_answers = &answer, .query_answer_count = 1});
}

static void expect_here(const struct fixture *f, uint32_t attachment) {
    assert_int_equal(f->returned, 1);
    assert_true(f->bodies[0].is_here && f->bodies[0].player.gateway == HANDOFF_GATEWAY_NONE);
    assert_int_equal(f->bodies[0].player.attachment, attachment);
    assert_int_equal(f->bodies[0].player.link_dead_ms, LINK_DEAD_MS);
}

/* expect_stays: it is not offered, however long it is wanted elsewhere. */
static void expect_stays(struct fixture *f) {
    for (int i = 0; i < 4; i++) {
        tick(f, 1);
        assert_int_equal(f->offer_count, 0);
        pass_ms(f, HANDOFF_REFUSED_MS);
    }
    assert_true(f->bodies[0].is_here);
}

static void test_give_is_made_of_a_link_dead_player_and_ends_when_it_is_taken(void **state) {
    struct fixture *f = *state;
    give_one(f);
    assert_false(f->bodies[0].is_here);
    assert_int_equal(f->reroute_count, 0);
    assert_true(f->gives[0].carried.player == 100 && f->gives[0].carried.session_epoch == EPOCH);
    assert_int_equal(f->gives[0].carried.attachment, ATTACHMENT);
    assert_int_equal(f->gives[0].link_dead_ms, LINK_DEAD_MS);
    answer_give(f, ATTACHMENT, WIRE_GIVEN);
    assert_int_equal(f->gone, 1);
    assert_int_equal(handoff_count(f->handoff), 0);
    assert_int_equal(stats(f)->given, 1);
    answer_give(f, ATTACHMENT, WIRE_GIVE_REFUSED); /* too late */
    assert_int_equal(f->returned, 0);
}

static void test_give_is_repeated_until_it_is_answered(void **state) {
    struct fixture *f = *state;
    give_one(f);
    tick(f, 0);
    assert_int_equal(f->give_count, 0);
    pass_ms(f, HANDOFF_ASK_MS);
    handoff_peer_lost(f->handoff, TARGET);
    tick(f, 0);
    assert_int_equal(f->give_count, 0);
    handoff_peer_up(f->handoff, TARGET, 77);
    tick(f, 0);
    assert_int_equal(f->give_count, 1);
    assert_int_equal(f->gives[0].carried.attachment, ATTACHMENT);
    answer_give(f, ATTACHMENT - 1, WIRE_GIVEN); /* to others */
    answer_give(f, ATTACHMENT + 1, WIRE_GIVE_REFUSED);
    struct wire_given other = {.entity = 9000, .session_epoch = EPOCH - 1, .attachment = ATTACHMENT};
    handoff_take(f->handoff, f->now, TARGET, &(struct wire_peer_batch){.given = &other, .given_count = 1});
    other = (struct wire_given){.entity = 9001, .session_epoch = EPOCH, .attachment = ATTACHMENT};
    handoff_take(f->handoff, f->now, TARGET, &(struct wire_peer_batch){.given = &other, .given_count = 1});
    other.entity = 9000;
    handoff_take(f->handoff, f->now, 2, &(struct wire_peer_batch){.given = &other, .given_count = 1});
    assert_int_equal(step_of(f), HANDOFF_GIVEN);
}

static void test_give_that_is_refused_goes_on_above_what_was_refused(void **state) {
    struct fixture *f = *state;
    give_one(f);
    answer_give(f, ATTACHMENT, WIRE_GIVE_REFUSED);
    expect_here(f, ATTACHMENT + 2);
    assert_int_equal(step_of(f), HANDOFF_RESTING);
    pass_ms(f, HANDOFF_REFUSED_MS - 40);
    tick(f, 1);
    assert_int_equal(f->offer_count, 0);
    pass_ms(f, 40);
    accept_one(f);
    tick(f, 1);
    assert_int_equal(f->give_count, 1);
    assert_int_equal(f->gives[0].carried.attachment, ATTACHMENT + 2);
}

static void test_give_whose_target_dies_stays_in_doubt(void **state) {
    struct fixture *f = *state;
    give_one(f);
    handoff_peer_dead(f->handoff, TARGET, 76); /* another incarnation */
    assert_int_equal(f->returned, 0);
    handoff_peer_dead(f->handoff, TARGET, 77);
    expect_here(f, ATTACHMENT);
    handoff_peer_up(f->handoff, TARGET, 78);
    expect_stays(f);
}

static void test_give_without_an_answer_becomes_a_question(void **state) {
    static const enum wire_query_result results[] = {WIRE_QUERY_YES, WIRE_QUERY_NO};
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        if (i > 0) assert_int_equal(tear_down(state) + set_up(state), 0);
        struct fixture *f = *state;
        give_one(f);
        pass_ms(f, HANDOFF_GIVE_MS);
        tick(f, 0);
        assert_int_equal(step_of(f), HANDOFF_ASKED);
        tick(f, 0);
        assert_int_equal(f->give_count, 0);
        assert_int_equal(f->query_count, 1);
        assert_int_equal(f->queries[0].attachment, ATTACHMENT);
        answer_query(f, results[i]);
        assert_int_equal(handoff_count(f->handoff), 0);
        assert_int_equal(f->gone, results[i] == WIRE_QUERY_YES);
        if (results[i] == WIRE_QUERY_YES) continue;
        expect_here(f, ATTACHMENT);
        expect_stays(f);
    }
}

static void test_give_is_not_made_of_who_was_restored_for_a_dead_gateway(void **state) {
    struct fixture *f = *state;
    freeze_one(f);
    handoff_gateway_dead(f->handoff, f->now, GATE);
    answer_query(f, WIRE_QUERY_NO);
    assert_true(f->bodies[0].is_here);
    expect_stays(f);
    /* a newer session takes it on; when that one's gateway dies nobody else has it */
    handoff_gateway_up(f->handoff, f->now, GATE);
    f->bodies[0].player.gateway = GATE;
    tick(f, 0);
    orphan(f);
    accept_one(f);
}

static void test_give_is_not_made_of_whose_gateway_may_come_back(void **state) {
    struct fixture *f = *state;
    put(f, 0);
    put(f, 1);
    f->bodies[1].player.gateway = 1; /* another gateway's */
    handoff_gateway_away(f->handoff, GATE);
    orphan(f);
    expect_stays(f);
    handoff_gateway_replaced(f->handoff, 1);
    expect_stays(f);
    tick(f, 2);
    assert_int_equal(f->offer_count, 1);
    assert_true(f->offers[0].player == 101);
    handoff_gateway_replaced(f->handoff, GATE);
    accept_one(f);
}

static void test_give_meets_an_attach_at_its_source(void **state) {
    static const struct {
        uint64_t given_epoch, epoch;
        uint32_t attachment;
        enum handoff_attach expected;
    } cases[] = {
        {EPOCH, EPOCH + 1, 1, HANDOFF_ATTACH_RESTORED}, /* a newer session wins wherever the player is */
        {EPOCH, EPOCH - 1, 99, HANDOFF_ATTACH_STALE},
        {EPOCH, EPOCH, ATTACHMENT, HANDOFF_ATTACH_STALE},
        {EPOCH, EPOCH, ATTACHMENT + 1, HANDOFF_ATTACH_LATER},
        {0, 0, 1, HANDOFF_ATTACH_LATER}, /* without persist nobody knows which one is newer */
        {0, 0, ATTACHMENT + 5, HANDOFF_ATTACH_LATER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (i > 0) assert_int_equal(tear_down(state) + set_up(state), 0);
        struct fixture *f = *state;
        put(f, 0);
        orphan(f);
        f->bodies[0].player.session_epoch = cases[i].given_epoch;
        accept_one(f);
        tick(f, 1);
        assert_int_equal(step_of(f), HANDOFF_GIVEN);
        if (attach(f, 900, 100, cases[i].epoch, cases[i].attachment) != cases[i].expected) fail_msg("case %zu", i);
        assert_int_equal(handoff_count(f->handoff), cases[i].expected != HANDOFF_ATTACH_RESTORED);
        if (cases[i].expected == HANDOFF_ATTACH_RESTORED) assert_int_equal(f->bodies[0].player.gateway, GATE);
    }
}

static void test_give_has_no_more_in_a_tick_than_have_room(void **state) {
    struct fixture *f = *state;
    for (uint32_t i = 0; i < 2 * HANDOFF_START_PER_TICK; i++) put(f, i);
    orphan(f);
    for (int round = 0; round < 2; round++) { /* all accepted in one tick */
        tick(f, SLOTS);
        assert_int_equal(f->offer_count, HANDOFF_START_PER_TICK);
    }
    for (uint32_t i = 0; i < 2 * HANDOFF_START_PER_TICK; i++) answer_offer(f, 9000 + i, WIRE_OFFER_ACCEPTED);
    tick(f, SLOTS);
    assert_int_equal(f->frozen, 2 * HANDOFF_START_PER_TICK);
    assert_int_equal(f->give_count, HANDOFF_START_PER_TICK);
    tick(f, SLOTS);
    assert_int_equal(f->give_count, HANDOFF_START_PER_TICK);
    assert_int_equal(stats(f)->gives, 2 * HANDOFF_START_PER_TICK);
}

/* --- the target */

/* given_in returns the answer to a give of an entity, let go of in a tick. */
static uint32_t given_in(struct fixture *f, uint64_t tick_number, uint64_t entity, uint64_t epoch, uint32_t attachment) {
    struct wire_give give = {.carried = {.session = 500,
                                         .player = 100,
                                         .session_epoch = epoch,
                                         .entity = entity,
                                         .tick = tick_number,
                                         .attachment = attachment,
                                         .input_flags = WIRE_CARRIED_ANY},
                             .link_dead_ms = LINK_DEAD_MS};
    handoff_take(f->handoff, f->now, TARGET, &(struct wire_peer_batch){.gives = &give, .give_count = 1});
    tick(f, 0);
    assert_int_equal(f->given_count, 1);
    assert_true(f->given[0].entity == entity && f->given[0].session_epoch == epoch);
    assert_int_equal(f->given[0].attachment, attachment);
    return f->given[0].result;
}

static uint32_t given_as(struct fixture *f, uint64_t entity, uint64_t epoch, uint32_t attachment) {
    return given_in(f, 1, entity, epoch, attachment);
}

static uint32_t given(struct fixture *f, uint32_t attachment) {
    return given_as(f, 9000, EPOCH, attachment);
}

static enum wire_query_result query_as(struct fixture *f, uint64_t epoch, uint32_t attachment) {
    struct wire_query in = {.player = 100, .session_epoch = epoch, .attachment = attachment};
    handoff_take(f->handoff, f->now, TARGET, &(struct wire_peer_batch){.queries = &in, .query_count = 1});
    tick(f, 0);
    assert_int_equal(f->query_answer_count, 1);
    return f->query_answers[0].result;
}

static enum wire_query_result query(struct fixture *f, uint32_t attachment) {
    return query_as(f, EPOCH, attachment);
}

static void test_give_is_taken_once_under_the_next_attachment(void **state) {
    struct fixture *f = *state;
    assert_int_equal(given(f, ATTACHMENT), WIRE_GIVEN);
    assert_int_equal(given(f, ATTACHMENT), WIRE_GIVEN); /* the answer was lost */
    assert_int_equal(f->imported, 1);
    const struct handoff_player *p = &f->bodies[0].player;
    assert_true(p->gateway == HANDOFF_GATEWAY_NONE && p->session_epoch == EPOCH);
    assert_int_equal(p->attachment, ATTACHMENT + 1);
    assert_int_equal(p->link_dead_ms, LINK_DEAD_MS);
    assert_int_equal(stats(f)->gives_again, 1);
    accept_one(f); /* it may be given on */
}

static void test_give_of_who_was_passed_on_is_answered_and_not_taken_again(void **state) {
    struct fixture *f = *state;
    assert_int_equal(given(f, ATTACHMENT), WIRE_GIVEN);
    accept_one(f);
    tick(f, 1);
    assert_int_equal(given(f, ATTACHMENT), WIRE_GIVEN); /* on its way */
    answer_give(f, ATTACHMENT + 1, WIRE_GIVEN);
    assert_int_equal(handoff_count(f->handoff), 0);
    assert_int_equal(given(f, ATTACHMENT), WIRE_GIVEN); /* and away */
    assert_int_equal(query(f, ATTACHMENT), WIRE_QUERY_YES);
    assert_int_equal(f->imported, 1);
    assert_int_equal(given(f, ATTACHMENT + 2), WIRE_GIVEN); /* it comes back */
    assert_int_equal(f->imported, 2);
    assert_int_equal(given(f, ATTACHMENT), WIRE_GIVEN);
    assert_int_equal(f->imported, 2);
}

static void test_give_of_who_has_left_is_remembered_for_long_enough(void **state) {
    struct fixture *f = *state;
    assert_int_equal(given(f, ATTACHMENT), WIRE_GIVEN);
    f->bodies[0].is_here = false;
    pass_ms(f, HANDOFF_GIVE_MS + HANDOFF_OFFER_MS); /* nobody gives for so long */
    assert_int_equal(given(f, ATTACHMENT), WIRE_GIVEN);
    assert_int_equal(query(f, ATTACHMENT), WIRE_QUERY_YES);
    assert_int_equal(f->imported, 1);
    pass_ms(f, HANDOFF_TOMB_MS);
    assert_int_equal(query(f, ATTACHMENT), WIRE_QUERY_NO);
}

static void test_give_without_room_is_refused_for_good(void **state) {
    for (uint32_t i = 0; i < 2; i++) {
        if (i > 0) assert_int_equal(tear_down(state) + set_up(state), 0);
        struct fixture *f = *state;
        f->room = i;
        f->import_full = true;
        assert_int_equal(given(f, ATTACHMENT), WIRE_GIVE_REFUSED);
        f->room = 1;
        f->import_full = false;
        assert_int_equal(given(f, ATTACHMENT), WIRE_GIVE_REFUSED); /* one that was on its way */
        assert_int_equal(query(f, ATTACHMENT), WIRE_QUERY_NO);
        assert_int_equal(f->imported, 0);
        assert_int_equal(given(f, ATTACHMENT + 2), WIRE_GIVEN);
        assert_int_equal(f->bodies[0].player.attachment, ATTACHMENT + 3);
        assert_int_equal(given(f, ATTACHMENT), WIRE_GIVEN);
        assert_int_equal(f->imported, 1);
    }
}

static void test_give_uses_the_place_kept(void **state) {
    struct fixture *f = *state;
    struct wire_offer offers[] = {{9000, 100, EPOCH}, {2, 3, EPOCH}};
    f->room = 1;
    handoff_take(f->handoff, f->now, TARGET, &(struct wire_peer_batch){.offers = offers, .offer_count = 1});
    tick(f, 0);
    assert_int_equal(given(f, ATTACHMENT), WIRE_GIVEN);
    handoff_take(f->handoff, f->now, TARGET, &(struct wire_peer_batch){.offers = &offers[1], .offer_count = 1});
    tick(f, 0); /* the fixture's room is what it was */
    assert_int_equal(f->answers[0].result, WIRE_OFFER_ACCEPTED);
}

static void test_give_meets_what_the_target_has(void **state) {
    static const struct {
        uint64_t epoch;
        uint32_t attachment;
        bool is_taken;
    } cases[] = {
        {EPOCH + 1, 1, false}, /* a newer session: it ends this one */
        {EPOCH, ATTACHMENT + 1, false},
        {EPOCH, ATTACHMENT - 1, true}, /* an older one of this zone's */
        {EPOCH - 1, 99, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (i > 0) assert_int_equal(tear_down(state) + set_up(state), 0);
        struct fixture *f = *state;
        put(f, 0);
        f->bodies[0].player.session_epoch = cases[i].epoch;
        f->bodies[0].player.attachment = cases[i].attachment;
        assert_int_equal(given(f, ATTACHMENT), WIRE_GIVEN);
        assert_int_equal(f->imported, cases[i].is_taken);
        assert_int_equal(f->let_go, cases[i].is_taken);
    }
}

static void test_give_back_ends_the_own_one_that_was_not_answered(void **state) {
    struct fixture *f = *state;
    give_one(f);
    assert_int_equal(given(f, ATTACHMENT + 1), WIRE_GIVEN); /* the answer is lost, and it comes back */
    assert_int_equal(f->imported, 1);
    assert_int_equal(f->gone, 1);
    assert_int_equal(handoff_count(f->handoff), 0);
    assert_int_equal(f->bodies[0].player.attachment, ATTACHMENT + 2);
}

static void test_give_is_refused_where_that_was_promised(void **state) {
    struct fixture *f = *state;
    assert_int_equal(query(f, ATTACHMENT), WIRE_QUERY_NO);
    assert_int_equal(given(f, ATTACHMENT), WIRE_GIVE_REFUSED);
    assert_int_equal(given(f, ATTACHMENT + 2), WIRE_GIVEN);
}

static void test_give_away_answers_who_had_it_before(void **state) {
    struct fixture *f = *state;
    give_one(f); /* it had come by its gateway, which died before it told the zone that had it before */
    answer_give(f, ATTACHMENT, WIRE_GIVEN);
    assert_int_equal(query(f, ATTACHMENT - 1), WIRE_QUERY_YES);
    assert_int_equal(query(f, ATTACHMENT), WIRE_QUERY_NO);
}

static void test_give_without_epochs_knows_players_by_their_entities(void **state) {
    struct fixture *f = *state;
    put(f, 0); /* another player of this number */
    f->bodies[0].player.session_epoch = 0;
    f->bodies[0].player.attachment = 50;
    assert_int_equal(given_as(f, 9500, 0, ATTACHMENT), WIRE_GIVEN);
    assert_int_equal(given_as(f, 9500, 0, ATTACHMENT), WIRE_GIVEN);
    assert_int_equal(f->imported, 1);
    assert_int_equal(f->let_go, 0);
    handoff_activate(f->handoff, f->now, GATE, &(struct wire_carried){.session = 900, .player = 100, .entity = 9600});
    assert_int_equal(f->activated.result, WIRE_ACTIVATED); /* a third one */
}

static void test_give_without_epochs_is_told_from_an_earlier_one_by_its_tick(void **state) {
    struct fixture *f = *state;
    assert_int_equal(given_in(f, 100, 9000, 0, ATTACHMENT), WIRE_GIVEN);
    f->bodies[0].is_here =
        false; /* resumed under a session whose attachments begin anew, it has gone on, and its gateway died */
    assert_int_equal(given_in(f, 200, 9000, 0, 2), WIRE_GIVEN);
    assert_int_equal(f->imported, 2);
    assert_int_equal(given_in(f, 100, 9000, 0, ATTACHMENT), WIRE_GIVEN);
    f->import_full = true;
    assert_int_equal(given_in(f, 300, 9000, 0, 3), WIRE_GIVE_REFUSED);
    f->import_full = false;
    assert_int_equal(given_in(f, 300, 9000, 0, 3), WIRE_GIVE_REFUSED);
    assert_int_equal(given_in(f, 200, 9000, 0, 2), WIRE_GIVEN);
    assert_int_equal(f->imported, 2);
    f->bodies[0].is_here = false;
    assert_int_equal(query_as(f, 0, 1), WIRE_QUERY_NO); /* that nobody can tell */
}

static void test_give_of_another_player_of_its_number_goes_on_beside_an_activate(void **state) {
    struct fixture *f = *state;
    put(f, 0);
    orphan(f);
    f->bodies[0].player.session_epoch = 0;
    accept_one(f);
    tick(f, 1);
    handoff_activate(f->handoff, f->now, GATE,
                     &(struct wire_carried){.session = 900, .player = 100, .entity = 9600, .attachment = 50});
    assert_int_equal(f->activated.result, WIRE_ACTIVATED);
    assert_int_equal(step_of(f), HANDOFF_GIVEN);
}

static void test_give_back_takes_the_slot_of_one_whose_leaving_was_not_told(void **state) {
    struct fixture *f = *state;
    put(f, 0);
    put(f, 1);
    orphan(f);
    handoff_gateway_up(f->handoff, f->now, GATE);
    f->bodies[1].player.gateway = GATE;
    tick(f, 2);
    answer_offer(f, 9000, WIRE_OFFER_ACCEPTED);
    tick(f, 2);
    assert_int_equal(handoff_count(f->handoff), 2); /* one given, one offered */
    f->bodies[0].is_here = true;                    /* of somebody else */
    f->bodies[1].is_here = false;
    answer_give(f, ATTACHMENT, WIRE_GIVE_REFUSED);
    assert_true(f->bodies[1].is_here);
    assert_int_equal(handoff_count(f->handoff), 1);
    assert_int_equal(step_of(f), HANDOFF_RESTING);
    handoff_left(f->handoff, 1);
    assert_int_equal(handoff_count(f->handoff), 0);
}

static void test_give_beyond_the_table_loses_the_oldest_visit(void **state) {
    struct fixture *f = *state;
    f->import_full = true;
    for (uint64_t i = 0; i <= HANDOFF_VISITS_MAX; i++) (void)given_as(f, 9000 + i, 0, ATTACHMENT);
    assert_int_equal(stats(f)->visits_lost, 1);
    f->import_full = false;
    assert_int_equal(given_as(f, 9001, 0, ATTACHMENT), WIRE_GIVE_REFUSED);
    assert_int_equal(given_as(f, 9000, 0, ATTACHMENT), WIRE_GIVEN); /* the oldest is forgotten */
}

static void test_give_of_nobody_is_not_answered(void **state) {
    struct fixture *f = *state;
    struct wire_give gives[] = {{.carried = {.player = 1}}, {.carried = {.entity = 1}}};
    handoff_take(f->handoff, f->now, TARGET, &(struct wire_peer_batch){.gives = gives, .give_count = 2});
    tick(f, 0);
    assert_int_equal(f->given_count, 0);
    assert_int_equal(f->imported, 0);
    assert_int_equal(stats(f)->answers_lost, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_give_is_made_of_a_link_dead_player_and_ends_when_it_is_taken),
        TEST(test_give_is_repeated_until_it_is_answered),
        TEST(test_give_that_is_refused_goes_on_above_what_was_refused),
        TEST(test_give_whose_target_dies_stays_in_doubt),
        TEST(test_give_without_an_answer_becomes_a_question),
        TEST(test_give_is_not_made_of_who_was_restored_for_a_dead_gateway),
        TEST(test_give_is_not_made_of_whose_gateway_may_come_back),
        TEST(test_give_meets_an_attach_at_its_source),
        TEST(test_give_has_no_more_in_a_tick_than_have_room),
        TEST(test_give_is_taken_once_under_the_next_attachment),
        TEST(test_give_of_who_was_passed_on_is_answered_and_not_taken_again),
        TEST(test_give_of_who_has_left_is_remembered_for_long_enough),
        TEST(test_give_without_room_is_refused_for_good),
        TEST(test_give_uses_the_place_kept),
        TEST(test_give_meets_what_the_target_has),
        TEST(test_give_back_ends_the_own_one_that_was_not_answered),
        TEST(test_give_is_refused_where_that_was_promised),
        TEST(test_give_away_answers_who_had_it_before),
        TEST(test_give_without_epochs_knows_players_by_their_entities),
        TEST(test_give_without_epochs_is_told_from_an_earlier_one_by_its_tick),
        TEST(test_give_of_another_player_of_its_number_goes_on_beside_an_activate),
        TEST(test_give_back_takes_the_slot_of_one_whose_leaving_was_not_told),
        TEST(test_give_beyond_the_table_loses_the_oldest_visit),
        TEST(test_give_of_nobody_is_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
