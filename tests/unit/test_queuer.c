/* test_queuer.c: a bot queues, says that it is ready, goes to its match and comes back, whatever is lost on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "common/clock.h"
#include "tools/swarm/queuer.h"

#define PLAYER 100

struct fixture {
    struct queuer q;
    struct queuer_report report;
    struct queuer_ask ask;
    uint64_t now_ns;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    f->now_ns = 1000 * NS_PER_S;
    queuer_init(&f->q, 0, 1, PLAYER, 1);
    queuer_enter(&f->q);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    free(*state);
    return 0;
}

static bool decide(struct fixture *f) {
    return queuer_decide(&f->q, true, f->now_ns, &f->report, &f->ask);
}

static void pass(struct fixture *f, uint64_t ms) {
    f->now_ns += ms * NS_PER_MS;
}

static void ticket(struct fixture *f, uint64_t id, enum march_ticket_state state, enum march_ticket_reason reason,
                   uint32_t instance) {
    struct march_event event = {.kind = MARCH_EVENT_TICKET};
    event.ticket =
        (struct march_ticket){.ticket = id, .state = (uint8_t)state, .reason = (uint8_t)reason, .instance = instance};
    queuer_hear(&f->q, &event, f->now_ns, &f->report);
}

static void match(struct fixture *f, uint32_t instance, enum march_match_phase phase, uint64_t gold) {
    struct march_event event = {.kind = MARCH_EVENT_MATCH};
    event.match = (struct march_match){.instance = instance, .phase = (uint8_t)phase, .gold = gold};
    queuer_hear(&f->q, &event, f->now_ns, &f->report);
}

static void party(struct queuer *q, uint64_t leader, uint64_t invited_by, uint32_t count) {
    struct march_event event = {.kind = MARCH_EVENT_PARTY};
    event.party = (struct march_party){.leader = leader, .invited_by = invited_by, .member_count = count};
    for (uint32_t i = 0; i < count; i++) event.party.members[i] = leader + i;
    struct queuer_report ignored = {0};
    queuer_hear(q, &event, 0, &ignored);
}

static void place(struct fixture *f, bool is_beyond) {
    queuer_place(&f->q, is_beyond, f->now_ns, &f->report);
}

/* enter looks for a ticket of before, and enters as there is none. */
static void enter(struct fixture *f) {
    assert_true(decide(f));
    assert_true(f->ask.kind == QUEUER_ASK_TICKET && f->ask.ticket == MARCH_TICKET_LOOK);
    ticket(f, 0, MARCH_TICKET_NONE, MARCH_TICKET_NO_REASON, 0);
    assert_false(decide(f));
    pass(f, QUEUER_PAUSE_MS);
    assert_true(decide(f) && f->ask.kind == QUEUER_ASK_ENTER);
    assert_false(decide(f));
}

static void test_queuer_plays_a_match_and_queues_again(void **state) {
    struct fixture *f = *state;
    place(f, false);
    enter(f);
    ticket(f, 7, MARCH_TICKET_WAITING, MARCH_TICKET_NO_REASON, 0);
    pass(f, 2000);
    ticket(f, 7, MARCH_TICKET_ASKED, MARCH_TICKET_NO_REASON, 0);
    assert_true(decide(f) && f->ask.kind == QUEUER_ASK_TICKET && f->ask.ticket == MARCH_TICKET_READY);
    pass(f, 500);
    ticket(f, 7, MARCH_TICKET_MATCHED, MARCH_TICKET_NO_REASON, 3);
    match(f, 3, MARCH_MATCH_STARTING, 0);
    pass(f, 200);
    place(f, true);
    place(f, true);
    assert_int_equal(f->q.state, QUEUER_INSIDE);
    pass(f, 60000);
    assert_false(decide(f));
    match(f, 3, MARCH_MATCH_OVER, 50);
    match(f, 3, MARCH_MATCH_OVER, 50); /* told again */
    pass(f, 300);
    place(f, false);
    const struct queuer_report *r = &f->report;
    assert_true(r->entered == 1 && r->matched == 1 && r->came == 1 && r->played == 1 && r->gold == 50 && r->returned == 1);
    assert_true(r->lost == 0 && r->absent == 0 && r->refused == 0 && r->forgotten == 0);
    assert_in_range(histogram_max(&r->wait_ns), 2500 * NS_PER_MS, 2700 * NS_PER_MS);
    assert_in_range(histogram_max(&r->travel_ns), 200 * NS_PER_MS, 220 * NS_PER_MS);
    assert_false(decide(f));
    pass(f, QUEUER_PAUSE_MS);
    assert_true(decide(f) && f->ask.kind == QUEUER_ASK_ENTER);
}

static void test_queuer_says_that_it_is_ready_once_a_moment(void **state) {
    struct fixture *f = *state;
    enter(f);
    ticket(f, 7, MARCH_TICKET_ASKED, MARCH_TICKET_NO_REASON, 0);
    assert_true(decide(f) && f->ask.ticket == MARCH_TICKET_READY);
    ticket(f, 7, MARCH_TICKET_ASKED, MARCH_TICKET_NO_REASON, 0); /* the answer to that */
    assert_false(decide(f));
    pass(f, QUEUER_ANSWER_MS);
    assert_true(decide(f) && f->ask.ticket == MARCH_TICKET_READY);
    ticket(f, 7, MARCH_TICKET_WAITING, MARCH_TICKET_NO_REASON, 0); /* another declined */
    assert_false(decide(f));
}

static void test_queuer_snapshot_that_overtakes_the_message_is_no_loss(void **state) {
    struct fixture *f = *state;
    enter(f);
    ticket(f, 7, MARCH_TICKET_WAITING, MARCH_TICKET_NO_REASON, 0);
    place(f, true);
    pass(f, 100);
    ticket(f, 7, MARCH_TICKET_MATCHED, MARCH_TICKET_NO_REASON, 3);
    assert_true(f->q.state == QUEUER_INSIDE && f->report.came == 1);
    for (int i = 0; i < 60; i++) pass(f, 1000), place(f, true);
    assert_int_equal(f->report.lost, 0);
}

static void test_queuer_ticket_that_ends_is_counted_by_reason(void **state) {
    struct fixture *f = *state;
    enter(f);
    ticket(f, 7, MARCH_TICKET_WAITING, MARCH_TICKET_NO_REASON, 0);
    ticket(f, 7, MARCH_TICKET_ENDED, MARCH_TICKET_TIMED_OUT, 0);
    ticket(f, 7, MARCH_TICKET_ENDED, MARCH_TICKET_TIMED_OUT, 0);
    assert_true(f->report.timed_out == 1 && f->report.ended == 0 && f->q.state == QUEUER_IDLE);
    pass(f, QUEUER_PAUSE_MS);
    assert_true(decide(f) && f->ask.kind == QUEUER_ASK_ENTER);
    ticket(f, 0, MARCH_TICKET_NONE, MARCH_TICKET_UNAVAILABLE, 0);
    assert_true(f->report.refused == 1 && f->q.state == QUEUER_IDLE);
    pass(f, QUEUER_PAUSE_MS);
    assert_true(decide(f) && f->ask.kind == QUEUER_ASK_ENTER);
    ticket(f, 8, MARCH_TICKET_WAITING, MARCH_TICKET_NO_REASON, 0);
    ticket(f, 8, MARCH_TICKET_ENDED, MARCH_TICKET_DECLINED, 0);
    assert_true(f->report.entered == 2 && f->report.timed_out == 1 && f->report.ended == 1);
}

static void test_queuer_looks_for_what_is_not_answered_and_notes_what_is_forgotten(void **state) {
    struct fixture *f = *state;
    enter(f);
    pass(f, QUEUER_AGAIN_MS);
    assert_true(decide(f) && f->ask.kind == QUEUER_ASK_TICKET && f->ask.ticket == MARCH_TICKET_LOOK);
    ticket(f, 7, MARCH_TICKET_WAITING, MARCH_TICKET_NO_REASON, 0);
    pass(f, QUEUER_AGAIN_MS);
    assert_true(decide(f) && f->ask.ticket == MARCH_TICKET_LOOK);
    ticket(f, 0, MARCH_TICKET_NONE, MARCH_TICKET_NOT_FOUND, 0);
    assert_true(f->report.forgotten == 1 && f->report.refused == 0 && f->q.state == QUEUER_IDLE);
}

static void test_queuer_match_it_does_not_come_to_is_given_up(void **state) {
    struct fixture *f = *state;
    place(f, false);
    enter(f);
    ticket(f, 7, MARCH_TICKET_MATCHED, MARCH_TICKET_NO_REASON, 3);
    assert_true(f->report.entered == 1 && f->report.matched == 1);
    pass(f, QUEUER_TRAVEL_MS + 1);
    assert_false(decide(f));
    assert_true(f->report.absent == 1 && f->q.state == QUEUER_IDLE);
    ticket(f, 7, MARCH_TICKET_MATCHED, MARCH_TICKET_NO_REASON, 3); /* still told */
    assert_true(f->report.matched == 1 && f->q.state == QUEUER_IDLE);
    pass(f, QUEUER_PAUSE_MS);
    assert_true(decide(f) && f->ask.kind == QUEUER_ASK_ENTER);
}

static void test_queuer_bot_beyond_the_world_without_a_match_is_lost_once(void **state) {
    struct fixture *f = *state;
    place(f, true);
    pass(f, QUEUER_LOST_MS - 1);
    place(f, true);
    assert_int_equal(f->report.lost, 0);
    pass(f, 1);
    place(f, true);
    pass(f, 1000);
    place(f, true);
    assert_int_equal(f->report.lost, 1);
    place(f, false); /* found */
    pass(f, 1000);
    place(f, true);
    pass(f, QUEUER_LOST_MS);
    place(f, true);
    assert_int_equal(f->report.lost, 2);
}

static void test_queuer_bot_that_is_not_taken_home_is_lost(void **state) {
    struct fixture *f = *state;
    enter(f);
    ticket(f, 7, MARCH_TICKET_MATCHED, MARCH_TICKET_NO_REASON, 3);
    place(f, true);
    pass(f, 60000);
    match(f, 3, MARCH_MATCH_OVER, 0);
    place(f, true);
    pass(f, QUEUER_LOST_MS);
    place(f, true);
    assert_int_equal(f->report.lost, 1);
}

static void test_queuer_connects_anew_in_the_middle_of_a_match(void **state) {
    struct fixture *f = *state;
    enter(f);
    ticket(f, 7, MARCH_TICKET_MATCHED, MARCH_TICKET_NO_REASON, 3);
    place(f, true);
    pass(f, 60000);
    queuer_enter(&f->q);
    assert_false(decide(f));
    place(f, true);
    assert_true(f->report.came == 1 && f->report.absent == 0 && f->q.state == QUEUER_INSIDE);
}

static void test_queuer_that_is_back_before_it_hears_that_its_match_is_over_goes_on(void **state) {
    struct fixture *f = *state;
    enter(f);
    ticket(f, 7, MARCH_TICKET_MATCHED, MARCH_TICKET_NO_REASON, 3);
    place(f, true);
    place(f, false);
    pass(f, QUEUER_PAUSE_MS);
    assert_true(decide(f) && f->ask.kind == QUEUER_ASK_ENTER);
    ticket(f, 8, MARCH_TICKET_WAITING, MARCH_TICKET_NO_REASON, 0);
    match(f, 3, MARCH_MATCH_OVER, 50);
    assert_true(f->q.state == QUEUER_QUEUED && f->report.played == 1 && f->report.gold == 50);
}

static void test_queuer_begins_nothing_when_play_ends(void **state) {
    struct fixture *f = *state;
    enter(f);
    ticket(f, 7, MARCH_TICKET_ENDED, MARCH_TICKET_TIMED_OUT, 0);
    ticket(f, 8, MARCH_TICKET_WAITING, MARCH_TICKET_NO_REASON, 0);
    ticket(f, 8, MARCH_TICKET_ENDED, MARCH_TICKET_TIMED_OUT, 0);
    pass(f, QUEUER_PAUSE_MS);
    assert_false(queuer_decide(&f->q, false, f->now_ns, &f->report, &f->ask));
}

static void test_queuer_party_comes_together_and_its_leader_enters(void **state) {
    struct fixture *f = *state;
    struct queuer q[3];
    for (uint32_t i = 0; i < 3; i++) queuer_init(&q[i], 3 + i, 8, PLAYER, 3); /* the second party of three */
    assert_true(q[0].leader == PLAYER + 3 && q[2].leader == PLAYER + 3 && q[2].party_size == 3);
    struct queuer_report *r = &f->report;
    assert_true(queuer_decide(&q[0], true, f->now_ns, r, &f->ask));
    assert_true(f->ask.kind == QUEUER_ASK_PARTY && f->ask.party == MARCH_PARTY_INVITE && f->ask.player == PLAYER + 4);
    party(&q[0], PLAYER + 3, 0, 1);
    party(&q[1], 0, PLAYER + 3, 0);
    pass(f, QUEUER_INVITE_MS);
    assert_true(queuer_decide(&q[0], true, f->now_ns, r, &f->ask) && f->ask.player == PLAYER + 5); /* and the next one */
    assert_true(queuer_decide(&q[1], true, f->now_ns, r, &f->ask));
    assert_true(f->ask.party == MARCH_PARTY_JOIN && f->ask.player == PLAYER + 3);
    assert_true(queuer_decide(&q[2], true, f->now_ns, r, &f->ask) && f->ask.party == MARCH_PARTY_LOOK);
    party(&q[0], PLAYER + 3, 0, 2);
    pass(f, QUEUER_INVITE_MS);
    assert_true(queuer_decide(&q[0], true, f->now_ns, r, &f->ask) && f->ask.player == PLAYER + 5); /* is a member: 4 */
    for (uint32_t i = 0; i < 3; i++) party(&q[i], PLAYER + 3, 0, 3);
    pass(f, QUEUER_INVITE_MS);
    assert_true(queuer_decide(&q[1], true, f->now_ns, r, &f->ask));
    assert_true(f->ask.kind == QUEUER_ASK_TICKET && f->ask.ticket == MARCH_TICKET_LOOK); /* who follows waits */
    assert_true(queuer_decide(&q[0], true, f->now_ns, r, &f->ask) && f->ask.kind == QUEUER_ASK_ENTER);
    queuer_init(&q[0], 7, 8, PLAYER, 3); /* what is left over is a party of two */
    assert_true(q[0].leader == PLAYER + 6 && q[0].party_size == 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_queuer_plays_a_match_and_queues_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_queuer_says_that_it_is_ready_once_a_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_queuer_snapshot_that_overtakes_the_message_is_no_loss, setup, teardown),
        cmocka_unit_test_setup_teardown(test_queuer_ticket_that_ends_is_counted_by_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(test_queuer_looks_for_what_is_not_answered_and_notes_what_is_forgotten, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_queuer_match_it_does_not_come_to_is_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_queuer_bot_beyond_the_world_without_a_match_is_lost_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_queuer_bot_that_is_not_taken_home_is_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_queuer_connects_anew_in_the_middle_of_a_match, setup, teardown),
        cmocka_unit_test_setup_teardown(test_queuer_that_is_back_before_it_hears_that_its_match_is_over_goes_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_queuer_begins_nothing_when_play_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_queuer_party_comes_together_and_its_leader_enters, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
