/* test_desk_held.c: matches that nobody can come to: their players wait again. */
#include "tests/unit/desk_fixture.h"

/* refuse is what a zone says that has no room. */
static void refuse(struct world *w, uint32_t id) {
    fake_end(w, id, INSTANCE_END_REFUSED, 0);
    world_settle(w);
}

/* rest lets time pass until a mode may form matches again. */
static void rest(struct world *w) {
    for (uint32_t i = 0; i < 32; i++) world_step(w, 100); /* and until its tickets are tried again */
    world_settle(w);
}

static void test_desk_held_ticket_is_kept_until_somebody_has_come(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint64_t tickets[2] = {world_queue(w, 1, "duel"), world_queue(w, 2, "duel")};
    for (uint64_t player = 1; player <= 2; player++) {
        assert_int_equal(w->told[player].ticket.state, WIRE_TICKET_MATCHED);
        assert_non_null(model_document(w->model, WIRE_DOCUMENT_TICKET, tickets[player - 1]));
        assert_int_equal(desk_cancel(w->desk, tickets[player - 1], player, w->now), WIRE_REASON_NOT_FOUND);
        assert_int_equal(world_enter(w, player, "duel", NULL), WIRE_REASON_BUSY);
        assert_int_equal(world_ticket(w, tickets[player - 1]).instance, 1);
    }
    uint64_t version = world_ticket(w, tickets[0]).version, told = w->told[1].tickets;
    fake_run(w, 1);
    fake_come(w, 1, 2);
    world_settle(w);
    for (uint32_t i = 0; i < 2; i++) {
        assert_null(model_document(w->model, WIRE_DOCUMENT_TICKET, tickets[i]));
        assert_int_equal(world_ticket(w, tickets[i]).state, WIRE_TICKET_MATCHED);
    }
    assert_int_equal(world_ticket(w, tickets[0]).version, version); /* nothing new, and nothing told */
    assert_int_equal(w->told[1].tickets, told);
    assert_int_equal(desk_stats_get(w->desk).ended[QUEUE_MATCHED], 2);
    world_free(w);
}

static void test_desk_refused_match_has_its_players_wait_on_with_their_age(void **state) {
    (void)state;
    struct world *w = world_new(1);
    w->instances->cells = 0;
    uint64_t ticket = world_queue(w, 1, "duel");
    world_step(w, 20000);
    (void)world_queue(w, 2, "duel");
    w->instances->cells = 10;
    for (uint32_t i = 0; i < 12; i++) world_step(w, 100);
    world_settle(w);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_MATCHED);
    uint32_t waited_ms = world_ticket(w, ticket).waited_ms;
    world_step(w, 400);
    uint64_t changes = w->changes;
    refuse(w, 1);
    assert_int_equal(w->told[1].match.phase, WIRE_MATCH_OVER);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_WAITING);
    assert_int_equal(w->told[2].ticket.state, WIRE_TICKET_WAITING);
    assert_true(w->changes > changes);
    assert_int_equal(w->told[1].ticket.ticket, ticket);
    assert_in_range(world_ticket(w, ticket).waited_ms, waited_ms, waited_ms + 50); /* not while it was matched */
    assert_int_equal(desk_stats_get(w->desk).matches, 1);                          /* it rests */
    fake_home(w, 1);
    rest(w);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_MATCHED);
    assert_int_equal(w->told[1].ticket.instance, 2);
    fake_run(w, 2);
    fake_come_all(w, 2);
    world_settle(w);
    assert_null(model_document(w->model, WIRE_DOCUMENT_TICKET, ticket));
    world_free(w);
}

static void test_desk_refused_mode_alone_rests(void **state) {
    (void)state;
    struct world *w = world_new(1);
    (void)world_queue(w, 1, "duel");
    (void)world_queue(w, 2, "duel");
    refuse(w, 1);
    for (uint64_t player = 3; player <= 6; player++) (void)world_queue(w, player, "crypt");
    assert_int_equal(w->told[3].ticket.state, WIRE_TICKET_MATCHED);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_WAITING);
    world_free(w);
}

static void test_desk_refused_again_and_again_ends_as_full(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint64_t ticket = world_queue(w, 1, "duel");
    (void)world_queue(w, 2, "duel");
    for (uint32_t id = 1; id < 5; id++) {
        assert_int_equal(w->told[1].ticket.instance, id);
        refuse(w, id);
        if (id == 3) { /* counted whoever dies */
            world_restart(w);
            world_settle(w);
        }
        rest(w);
    }
    refuse(w, 5);
    for (uint64_t player = 1; player <= 2; player++) {
        assert_int_equal(w->told[player].ticket.state, WIRE_TICKET_ENDED);
        assert_int_equal(w->told[player].ticket.reason, WIRE_REASON_FULL);
    }
    assert_null(model_document(w->model, WIRE_DOCUMENT_TICKET, ticket));
    assert_int_equal(desk_ticket_of(w->desk, 1), 0);
    (void)world_queue(w, 1, "duel");
    world_free(w);
}

static void test_desk_refused_party_stays_together(void **state) {
    (void)state;
    struct world *w = world_new(1);
    world_party(w, 1, 2);
    uint64_t ticket = world_queue(w, 1, "siege");
    world_party(w, 3, 4);
    (void)world_queue(w, 3, "siege");
    assert_int_equal(desk_party(w->desk, 4, WIRE_PARTY_LEAVE, 0, w->now), WIRE_REASON_NONE); /* the match goes on */
    world_settle(w);
    assert_int_equal(w->told[4].ticket.state, WIRE_TICKET_MATCHED);
    refuse(w, 1);
    assert_int_equal(world_ticket(w, ticket).state, WIRE_TICKET_WAITING);
    assert_int_equal(world_ticket(w, ticket).player_count, 2);
    assert_int_equal(desk_ticket_of(w->desk, 2), ticket);
    rest(w);
    assert_int_equal(w->told[2].ticket.instance, 2);
    assert_int_equal(w->told[1].match.team, w->told[2].match.team);
    world_free(w);
}

static void test_desk_lost_match_returns_those_who_could_not_come(void **state) {
    (void)state;
    for (uint32_t has_come = 0; has_come < 2; has_come++) {
        struct world *w = world_new(1);
        uint64_t ticket = world_queue(w, 1, "duel");
        (void)world_queue(w, 2, "duel");
        fake_run(w, 1);
        if (has_come) fake_come(w, 1, 2);
        fake_end(w, 1, INSTANCE_END_LOST, 0);
        world_settle(w);
        assert_int_equal(world_ticket(w, ticket).state, has_come ? WIRE_TICKET_MATCHED : WIRE_TICKET_WAITING);
        assert_int_equal(desk_ticket_of(w->desk, 1), has_come ? 0 : ticket);
        world_free(w);
    }
}

static void test_desk_match_ended_before_anybody_came_is_no_refusal(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint64_t ticket = world_queue(w, 1, "duel");
    (void)world_queue(w, 2, "duel");
    fake_end(w, 1, INSTANCE_END_ORDERED, 0);
    world_settle(w);
    assert_int_equal(world_ticket(w, ticket).state, WIRE_TICKET_MATCHED);
    assert_int_equal(desk_ticket_of(w->desk, 1), 0);
    assert_null(model_document(w->model, WIRE_DOCUMENT_TICKET, ticket));
    world_free(w);
}

static void test_desk_held_is_what_it_was_after_a_restart(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint64_t ticket = world_queue(w, 1, "duel");
    (void)world_queue(w, 2, "duel");
    world_restart(w);
    world_settle(w);
    assert_int_equal(world_ticket(w, ticket).state, WIRE_TICKET_MATCHED);
    assert_int_equal(world_ticket(w, ticket).instance, 1);
    refuse(w, 1);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_WAITING);
    world_restart(w); /* that of the match is there still, and its players are not its own any more */
    world_settle(w);
    world_step(w, 1000);
    world_settle(w);
    assert_int_not_equal(desk_ticket_of(w->desk, 1), 0);
    assert_int_not_equal(w->told[1].ticket.state, WIRE_TICKET_ENDED);
    for (uint32_t i = 0; i < 3; i++) rest(w);
    uint32_t id = w->told[1].ticket.instance;
    assert_true(w->told[1].ticket.state == WIRE_TICKET_MATCHED && id > 1);
    fake_run(w, id);
    fake_come(w, id, 1);
    assert_true(model_take(w->model, w->keep, 0)); /* the erasure is lost on its way */
    world_restart(w);
    world_settle(w);
    fake_run(w, id);
    fake_come_all(w, id);
    world_settle(w);
    assert_int_equal(world_ticket(w, ticket).state, WIRE_TICKET_MATCHED);
    assert_null(model_document(w->model, WIRE_DOCUMENT_TICKET, ticket));
    assert_int_equal(desk_ticket_of(w->desk, 1), 0);
    world_free(w);
}

/* --- launches */

static uint32_t launch(struct world *w, const uint64_t *players, uint32_t count) {
    uint32_t id;
    assert_int_equal(
        desk_launch(w->desk, &w->templates.templates[0], INSTANCES_ANYWHERE, players, count, w->now, w->wall_ms, &id), 0);
    world_settle(w);
    return id;
}

/* However a launch comes to nothing, after a restart as well as before one. */
static void test_desk_refused_launch_has_its_players_wait_on_with_their_age(void **state) {
    (void)state;
    static const enum instance_end ends[] = {INSTANCE_END_REFUSED, INSTANCE_END_LOST, INSTANCE_END_ORDERED};
    for (uint32_t i = 0; i < 6; i++) {
        struct world *w = world_new(1);
        const uint64_t players[] = {9, 1};
        uint64_t ticket = world_queue(w, 1, "duel");
        world_step(w, 20000);
        uint32_t waited_ms = world_ticket(w, ticket).waited_ms, id = launch(w, players, 2);
        assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_MATCHED);
        assert_int_equal(world_ticket(w, ticket).teams[0], 1);
        if (i >= 3) {
            world_restart(w);
            world_settle(w);
            assert_int_equal(world_ticket(w, ticket).state, WIRE_TICKET_MATCHED);
        }
        fake_end(w, id, ends[i % 3], 0);
        world_settle(w);
        assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_WAITING);
        assert_int_equal(w->told[1].ticket.ticket, ticket);
        assert_true(world_ticket(w, ticket).waited_ms >= waited_ms);
        assert_non_null(model_document(w->model, WIRE_DOCUMENT_TICKET, ticket));
        fake_home(w, id);
        (void)world_queue(w, 2, "duel"); /* no mode rests for that */
        world_settle(w);
        assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_MATCHED);
        world_free(w);
    }
}

static void test_desk_launch_holds_parties_that_it_has_as_a_whole(void **state) {
    (void)state;
    struct world *w = world_new(1);
    const uint64_t players[] = {2, 1, 3};
    world_party(w, 1, 2);
    world_party(w, 3, 4);
    uint64_t whole = world_queue(w, 1, "crypt"), part = world_queue(w, 3, "siege");
    uint32_t id = launch(w, players, 3);
    assert_int_equal(world_ticket(w, whole).state, WIRE_TICKET_MATCHED);
    assert_int_equal(world_ticket(w, part).reason, WIRE_REASON_BUSY);
    assert_int_equal(desk_ticket_of(w->desk, 4), 0);
    refuse(w, id);
    assert_int_equal(world_ticket(w, whole).state, WIRE_TICKET_WAITING);
    assert_int_equal(world_ticket(w, whole).player_count, 2);
    world_free(w);
}

static void test_desk_launch_of_who_is_asked_has_the_others_wait_on(void **state) {
    (void)state;
    struct world *w = world_new(1);
    const uint64_t player = 1;
    uint64_t ticket = world_queue(w, 1, "arena");
    for (uint64_t other = 2; other <= 4; other++) (void)world_queue(w, other, "arena");
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_ASKED);
    uint32_t id = launch(w, &player, 1);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_MATCHED);
    assert_int_equal(w->told[2].ticket.state, WIRE_TICKET_WAITING);
    assert_int_equal(desk_answer(w->desk, 1, true, w->now), WIRE_REASON_NOT_FOUND);
    refuse(w, id);
    assert_int_equal(w->told[2].ticket.state, WIRE_TICKET_ASKED); /* again */
    assert_int_equal(world_ticket(w, ticket).state, WIRE_TICKET_ASKED);
    world_free(w);
}

/* Of a match before, which is not forgotten yet, more is found than of the one that its players are in by now. */
static void test_desk_held_ticket_is_that_of_the_newest_match(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint32_t first = world_duel(w);
    assert_int_equal(desk_leave(w->desk, 2, w->now), WIRE_REASON_NONE);
    fake_end(w, first, INSTANCE_END_GOAL, WIRE_GOAL_KILLS);
    world_settle(w);
    uint64_t ticket = world_queue(w, 2, "duel");
    world_restart(w); /* it is over, and nobody is home */
    world_settle(w);
    assert_int_equal(world_ticket(w, ticket).state, WIRE_TICKET_WAITING);
    (void)world_queue(w, 3, "duel");
    assert_int_equal(world_ticket(w, ticket).state, WIRE_TICKET_MATCHED);
    uint32_t second = w->told[2].ticket.instance;
    world_restart(w);
    world_settle(w);
    assert_int_equal(world_ticket(w, ticket).state, WIRE_TICKET_MATCHED);
    assert_int_equal(world_ticket(w, ticket).instance, second);
    fake_home(w, first);
    refuse(w, second);
    assert_int_equal(world_ticket(w, ticket).state, WIRE_TICKET_WAITING);
    world_free(w);
}

static void test_desk_held_ticket_whose_mode_is_gone_has_its_match(void **state) {
    (void)state;
    struct world *w = world_new(1);
    char error[MODE_ERROR_SIZE];
    uint64_t ticket = world_queue(w, 1, "duel");
    (void)world_queue(w, 2, "duel");
    struct mode_set modes = {.count = 1, .modes = {w->modes.modes[1]}};
    assert_int_equal(desk_set_modes(w->desk, &modes, &w->templates, w->now, error, sizeof error), 0);
    world_settle(w);
    assert_int_equal(world_ticket(w, ticket).state, WIRE_TICKET_MATCHED);
    assert_string_equal(world_ticket(w, ticket).mode, "duel");
    refuse(w, 1);
    assert_int_equal(world_ticket(w, ticket).state, WIRE_TICKET_MATCHED);
    assert_int_equal(desk_stats_get(w->desk).tickets, 0);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_desk_held_ticket_is_kept_until_somebody_has_come),
        cmocka_unit_test(test_desk_refused_match_has_its_players_wait_on_with_their_age),
        cmocka_unit_test(test_desk_refused_mode_alone_rests),
        cmocka_unit_test(test_desk_refused_again_and_again_ends_as_full),
        cmocka_unit_test(test_desk_refused_party_stays_together),
        cmocka_unit_test(test_desk_lost_match_returns_those_who_could_not_come),
        cmocka_unit_test(test_desk_match_ended_before_anybody_came_is_no_refusal),
        cmocka_unit_test(test_desk_held_is_what_it_was_after_a_restart),
        cmocka_unit_test(test_desk_refused_launch_has_its_players_wait_on_with_their_age),
        cmocka_unit_test(test_desk_launch_holds_parties_that_it_has_as_a_whole),
        cmocka_unit_test(test_desk_launch_of_who_is_asked_has_the_others_wait_on),
        cmocka_unit_test(test_desk_held_ticket_is_that_of_the_newest_match),
        cmocka_unit_test(test_desk_held_ticket_whose_mode_is_gone_has_its_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
