/* test_desk_parties.c: parties and invitations. */
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
    world_step(w, 30000);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_desk_party_grows_is_kept_and_passes_on),
        cmocka_unit_test(test_desk_invitation_ends_after_a_minute),
        cmocka_unit_test(test_desk_party_has_room_for_so_many),
        cmocka_unit_test(test_desk_party_plays_together_and_loses_its_ticket_when_it_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
