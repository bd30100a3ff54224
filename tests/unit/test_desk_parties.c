/* test_desk_parties.c: parties and invitations. */
#include "matchmaker/timer_wheel.h"
#include "tests/unit/desk_fixture.h"

static void test_desk_party_grows_is_kept_and_passes_on(void **state) {
    (void)state;
    struct world *w = world_new(1);
    world_party(w, 1, 2);
    world_party(w, 1, 3);
    assert_int_equal(w->told[3].party.leader, 1);
    assert_int_equal(w->told[2].party.member_count, 3);
    assert_non_null(model_document(w->model, WIRE_DOCUMENT_PARTY, 1));
    assert_int_equal(desk_party(w->desk, 2, WIRE_PARTY_INVITE, 4, w->now), WIRE_REASON_NOT_LEADER);
    assert_int_equal(desk_party(w->desk, 1, WIRE_PARTY_INVITE, 3, w->now), WIRE_REASON_EXISTS);
    assert_int_equal(desk_party(w->desk, 1, WIRE_PARTY_LEAVE, 0, w->now), WIRE_REASON_NONE);
    world_settle(w);
    assert_int_equal(w->told[1].party.leader, 0);
    assert_int_equal(w->told[3].party.leader, 2);
    assert_null(model_document(w->model, WIRE_DOCUMENT_PARTY, 1));
    assert_non_null(model_document(w->model, WIRE_DOCUMENT_PARTY, 2));
    world_restart(w);
    world_settle(w);
    struct desk_party party = desk_party_of(w->desk, 3);
    assert_int_equal(party.leader, 2);
    assert_int_equal(party.member_count, 2);
    assert_int_equal(desk_party(w->desk, 2, WIRE_PARTY_REMOVE, 3, w->now), WIRE_REASON_NONE);
    world_settle(w);
    assert_int_equal(desk_party_of(w->desk, 2).leader, 0); /* one is no party */
    assert_null(model_document(w->model, WIRE_DOCUMENT_PARTY, 2));
    assert_int_equal(desk_stats_get(w->desk).parties, 0);
    world_free(w);
}

static void test_desk_invitation_ends_after_a_minute(void **state) {
    (void)state;
    struct world *w = world_new(1);
    assert_int_equal(desk_party(w->desk, 2, WIRE_PARTY_JOIN, 1, w->now), WIRE_REASON_NOT_FOUND);
    assert_int_equal(desk_party(w->desk, 1, WIRE_PARTY_INVITE, 2, w->now), WIRE_REASON_NONE);
    assert_int_equal(w->told[2].party.invited_by, 1);
    world_step(w, 30000);
    assert_int_equal(desk_party(w->desk, 1, WIRE_PARTY_INVITE, 2, w->now), WIRE_REASON_NONE); /* again */
    world_step(w, 30001);
    assert_int_equal(w->told[2].party.invited_by, 1);
    world_step(w, 30000 + TIMER_WHEEL_TICK_MS);
    assert_int_equal(w->told[2].party.invited_by, 0);
    assert_int_equal(desk_party(w->desk, 2, WIRE_PARTY_JOIN, 1, w->now), WIRE_REASON_NOT_FOUND);
    assert_int_equal(desk_stats_get(w->desk).parties, 0);
    world_free(w);
}

static void test_desk_party_has_room_for_so_many(void **state) {
    (void)state;
    struct world *w = world_new(1);
    for (uint64_t player = 2; player <= DESK_PARTY_MAX; player++) world_party(w, 1, player);
    assert_int_equal(desk_party(w->desk, 1, WIRE_PARTY_INVITE, 99, w->now), WIRE_REASON_FULL);
    assert_int_equal(desk_party_of(w->desk, 1).member_count, DESK_PARTY_MAX);
    world_free(w);
}

static void test_desk_party_plays_together_and_loses_its_ticket_when_it_changes(void **state) {
    (void)state;
    struct world *w = world_new(1);
    world_party(w, 1, 2);
    uint64_t ticket = world_queue(w, 1, "siege");
    assert_int_equal(desk_ticket_of(w->desk, 2), ticket);
    assert_int_equal(w->told[2].ticket.state, WIRE_TICKET_WAITING);
    assert_int_equal(desk_cancel(w->desk, ticket, 2, w->now), WIRE_REASON_NOT_LEADER);
    assert_int_equal(desk_party(w->desk, 2, WIRE_PARTY_LEAVE, 0, w->now), WIRE_REASON_NONE);
    world_settle(w);
    assert_int_equal(w->told[1].ticket.reason, WIRE_REASON_CANCELLED);
    assert_int_equal(w->told[2].ticket.reason, WIRE_REASON_CANCELLED);
    world_party(w, 1, 2);
    (void)world_queue(w, 1, "siege");
    (void)world_queue(w, 3, "siege");
    (void)world_queue(w, 4, "siege");
    assert_int_equal(w->told[1].match.instance, 1);
    assert_int_equal(w->told[1].match.team, w->told[2].match.team);
    assert_int_equal(w->told[3].match.team, w->told[4].match.team);
    assert_int_not_equal(w->told[1].match.team, w->told[3].match.team);
    assert_int_equal(desk_party(w->desk, 2, WIRE_PARTY_LEAVE, 0, w->now), WIRE_REASON_NONE); /* the match goes on */
    world_settle(w);
    assert_non_null(model_document(w->model, WIRE_DOCUMENT_INSTANCE, 1));
    world_free(w);
}

/* --- who is gone */

#define HOUR_MS 3600000

static void look(struct world *w, uint64_t player) {
    assert_int_equal(desk_party(w->desk, player, WIRE_PARTY_LOOK, 0, w->now), WIRE_REASON_NONE);
}

static void test_desk_party_is_left_by_who_is_idle_for_an_hour(void **state) {
    (void)state;
    struct world *w = world_new(1);
    world_party(w, 1, 2);
    world_party(w, 1, 3);
    for (uint32_t i = 0; i < 4; i++) {
        world_step(w, HOUR_MS / 4 - 1000);
        look(w, 2);
        look(w, 3);
    }
    assert_int_equal(desk_party_of(w->desk, 2).leader, 1);
    world_step(w, 5000);
    world_settle(w);
    assert_int_equal(w->told[1].party.leader, 0);
    assert_int_equal(w->told[2].party.leader, 2); /* it passes on */
    assert_int_equal(desk_party_of(w->desk, 2).member_count, 2);
    assert_null(model_document(w->model, WIRE_DOCUMENT_PARTY, 1));
    world_step(w, HOUR_MS / 2);
    look(w, 3);
    world_step(w, HOUR_MS / 2);
    world_settle(w);
    assert_int_equal(desk_stats_get(w->desk).parties, 0);
    assert_null(model_document(w->model, WIRE_DOCUMENT_PARTY, 2));
    world_free(w);
}

static void test_desk_party_whose_members_are_all_gone_ends(void **state) {
    (void)state;
    struct world *w = world_new(1);
    for (uint64_t player = 2; player <= 5; player++) world_party(w, 1, player);
    world_restart(w); /* the hour begins anew */
    world_settle(w);
    world_step(w, HOUR_MS - 10000);
    assert_int_equal(desk_party_of(w->desk, 5).member_count, 5);
    world_step(w, 11000);
    world_settle(w);
    assert_int_equal(desk_stats_get(w->desk).parties, 0);
    for (uint64_t player = 1; player <= 5; player++) assert_null(model_document(w->model, WIRE_DOCUMENT_PARTY, player));
    world_free(w);
}

static void test_desk_party_waits_for_who_waits_or_plays(void **state) {
    (void)state;
    struct world *w = world_new(1);
    w->modes.modes[3].timeout_ms = HOUR_MS;
    char error[MODE_ERROR_SIZE];
    assert_int_equal(desk_set_modes(w->desk, &w->modes, &w->templates, w->now, error, sizeof error), 0);
    world_party(w, 1, 2);
    world_party(w, 3, 4);
    world_party(w, 5, 6);
    world_step(w, 100000);
    (void)world_queue(w, 1, "siege");
    (void)world_queue(w, 3, "siege");
    fake_run(w, 1);
    fake_come_all(w, 1);
    uint64_t ticket = world_queue(w, 5, "siege");
    world_step(w, HOUR_MS - 10000);
    assert_int_equal(world_ticket(w, ticket).state, WIRE_TICKET_WAITING);
    assert_int_equal(desk_party_of(w->desk, 6).leader, 5);
    world_step(w, 20000);
    world_settle(w);
    assert_int_equal(desk_party_of(w->desk, 2).leader, 1);
    assert_int_equal(desk_party_of(w->desk, 4).leader, 3);
    world_free(w);
}

/* --- who wants too much */

static void test_desk_invitations_of_one_are_as_many_as_its_party_has_places(void **state) {
    (void)state;
    struct world *w = world_new(0);
    for (uint32_t i = 0; i < 2 * 65536; i++) {
        uint64_t other = 100 + i % 40;
        enum wire_ticket_reason reason = desk_party(w->desk, 1, WIRE_PARTY_INVITE, other, w->now);
        assert_true(reason == WIRE_REASON_NONE || reason == WIRE_REASON_FULL);
        if (reason == WIRE_REASON_FULL) (void)desk_party(w->desk, 1, WIRE_PARTY_REMOVE, 100 + i % 15, w->now);
    }
    assert_in_range(desk_party_of(w->desk, 1).invited_count, 1, DESK_PARTY_MAX - 1);
    world_party(w, 2, 3); /* nobody else is refused */
    world_step(w, 61000);
    assert_int_equal(desk_stats_get(w->desk).parties, 1);
    world_free(w);
}

static void test_desk_invitations_of_many_take_no_room_from_who_invites_few(void **state) {
    (void)state;
    struct world *w = world_new(0);
    uint32_t places = DESK_PARTY_MAX - 1, leaders = 65536 / places + 1, refused = 0;
    for (uint64_t leader = 1; leader <= leaders; leader++)
        for (uint64_t i = 0; i < places; i++)
            refused += desk_party(w->desk, leader, WIRE_PARTY_INVITE, 8000 + i, w->now) == WIRE_REASON_FULL;
    assert_in_range(refused, 1, places); /* the last of them, alone */
    world_party(w, 7000, 7001);
    assert_int_equal(desk_party(w->desk, 7000, WIRE_PARTY_INVITE, 7002, w->now), WIRE_REASON_NONE);
    assert_int_equal(desk_party_of(w->desk, 1).invited_count, places - 1); /* who began */
    struct desk_party second = desk_party_of(w->desk, 2);
    assert_int_equal(second.invited_count, places - 1);
    for (uint32_t i = 0; i < second.invited_count; i++) assert_int_not_equal(second.invited[i], 8000); /* its oldest went */
    assert_int_equal(desk_party(w->desk, 3, WIRE_PARTY_REMOVE, 8003, w->now), WIRE_REASON_NONE);
    assert_int_equal(desk_party(w->desk, 3, WIRE_PARTY_INVITE, 8003, w->now), WIRE_REASON_NONE);
    assert_int_equal(desk_party(w->desk, 1, WIRE_PARTY_INVITE, 8000, w->now), WIRE_REASON_FULL);
    world_step(w, 61000);
    for (uint32_t i = 0; i < leaders / 1024 + 1; i++) world_step(w, 50); /* so many in a step */
    assert_int_equal(desk_stats_get(w->desk).parties, 1);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_desk_party_grows_is_kept_and_passes_on),
        cmocka_unit_test(test_desk_invitation_ends_after_a_minute),
        cmocka_unit_test(test_desk_party_has_room_for_so_many),
        cmocka_unit_test(test_desk_party_plays_together_and_loses_its_ticket_when_it_changes),
        cmocka_unit_test(test_desk_party_is_left_by_who_is_idle_for_an_hour),
        cmocka_unit_test(test_desk_party_whose_members_are_all_gone_ends),
        cmocka_unit_test(test_desk_party_waits_for_who_waits_or_plays),
        cmocka_unit_test(test_desk_invitations_of_one_are_as_many_as_its_party_has_places),
        cmocka_unit_test(test_desk_invitations_of_many_take_no_room_from_who_invites_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
