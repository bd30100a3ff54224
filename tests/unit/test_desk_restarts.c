/* test_desk_restarts.c: what a matchmaker that begins again finds. */
#include "tests/unit/desk_fixture.h"

static void test_desk_ticket_comes_back_with_the_time_it_waited(void **state) {
    (void)state;
    struct world *w = world_new(2);
    struct wire_rating *rating = &model_rating(w->model, 1, "arena")->rating;
    *rating = (struct wire_rating){.player = 1, .mu = 30, .sigma = 2, .season = w->season, .mode = "arena"};
    rating->rated_at_s = w->wall_ms / 1000;
    world_party(w, 1, 2);
    const struct desk_latency latencies[1] = {{1, 40}};
    const uint64_t avoid[1] = {9};
    const struct desk_request request = {
        .player = 1, .mode = "arena", .latency_count = 1, .latencies = latencies, .avoid_count = 1, .avoid = avoid};
    uint64_t ticket, lost;
    assert_int_equal(desk_enter(w->desk, &request, w->now, w->wall_ms, &ticket), WIRE_REASON_NONE);
    world_settle(w);
    struct desk_ticket before = world_ticket(w, ticket);
    assert_int_equal(world_enter(w, 3, "arena", &lost), WIRE_REASON_NONE);
    world_step(w, 10000);
    world_restart(w);
    w->now = mono_add_ms(w->now, 2000); /* while it is away */
    w->wall_ms += 2000;
    world_settle(w);
    struct desk_ticket after = world_ticket(w, ticket);
    assert_int_equal(after.state, WIRE_TICKET_WAITING);
    assert_in_range(after.waited_ms, before.waited_ms + 12000, before.waited_ms + 12100);
    assert_int_equal(after.entered_ms, before.entered_ms);
    assert_int_equal(after.rating, before.rating);
    assert_int_equal(after.player_count, 2);
    assert_string_equal(after.region, "south");
    assert_int_equal(desk_ticket_of(w->desk, 2), ticket);
    assert_int_equal(desk_ticket_of(w->desk, 3), 0); /* nobody was told of that one */
    assert_true(world_queue(w, 3, "arena") > ticket);
    world_free(w);
}

static void test_desk_ticket_avoids_whom_it_did_after_a_restart(void **state) {
    (void)state;
    struct world *w = world_new(1);
    const uint64_t avoid[4] = {9, 8, 7, 2};
    struct desk_request request = {.player = 1, .mode = "duel", .avoid_count = 3, .avoid = avoid + 1};
    uint64_t ticket;
    for (int i = 0; i < 2; i++) { /* whom the first avoids is forgotten with it */
        assert_int_equal(desk_enter(w->desk, &request, w->now, w->wall_ms, &ticket), WIRE_REASON_NONE);
        world_settle(w);
        if (i == 0) assert_int_equal(desk_cancel(w->desk, ticket, 1, w->now), WIRE_REASON_NONE);
        request.avoid_count = 4;
        request.avoid = avoid;
    }
    (void)world_queue(w, 2, "duel");
    assert_int_equal(world_ticket(w, ticket).state, WIRE_TICKET_WAITING);
    world_restart(w);
    world_settle(w);
    assert_int_equal(world_ticket(w, ticket).state, WIRE_TICKET_WAITING);
    (void)world_queue(w, 3, "duel"); /* has its match with either */
    assert_int_equal(world_ticket(w, desk_ticket_of(w->desk, 3)).state, WIRE_TICKET_MATCHED);
    world_free(w);
}

static void test_desk_players_in_instances_are_known_after_a_restart(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint32_t id = world_duel(w);
    world_settle(w);
    world_restart(w);
    world_settle(w);
    assert_int_equal(world_enter(w, 1, "duel", NULL), WIRE_REASON_BUSY);
    fake_come_all(w, id);
    w->instances->list[id].d.scores[1] = 5;
    fake_end(w, id, INSTANCE_END_GOAL, WIRE_GOAL_KILLS);
    world_settle(w);
    assert_int_equal(w->model->settled_count, 2);
    assert_string_equal(model_settled(w->model, id, 1)->settle.mode, "duel");
    world_free(w);
}

static void test_desk_ticket_of_who_is_in_an_instance_is_held_by_it_after_a_restart(void **state) {
    (void)state;
    struct world *w = world_new(1);
    const uint64_t player = 1;
    uint32_t id;
    uint64_t ticket = world_queue(w, player, "duel");
    assert_int_equal(
        desk_launch(w->desk, &w->templates.templates[0], INSTANCES_ANYWHERE, &player, 1, w->now, w->wall_ms, &id), 0);
    world_settle(w);
    world_restart(w);
    world_settle(w);
    assert_int_equal(world_ticket(w, ticket).instance, id);
    fake_run(w, id);
    fake_come_all(w, id);
    world_settle(w);
    assert_int_equal(desk_ticket_of(w->desk, player), 0);
    assert_null(model_document(w->model, WIRE_DOCUMENT_TICKET, ticket));
    world_free(w);
}

static void test_desk_ticket_whose_mode_is_gone_after_a_restart_ends(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint64_t ticket = world_queue(w, 1, "siege");
    w->modes.count = 3;
    world_restart(w);
    world_settle(w);
    assert_int_equal(world_ticket(w, ticket).reason, WIRE_REASON_UNKNOWN_MODE);
    assert_int_equal(w->told[1].ticket.reason, WIRE_REASON_UNKNOWN_MODE);
    assert_null(model_document(w->model, WIRE_DOCUMENT_TICKET, ticket));
    world_free(w);
}

static void test_desk_tickets_whose_mode_is_not_played_after_a_restart_end(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint64_t tickets[] = {world_queue(w, 1, "siege"), world_queue(w, 2, "siege")};
    w->modes.modes[3].instance[0] = '\0';
    w->modes.modes[3].team_size = w->modes.modes[3].max_party = 1; /* the two would be a match */
    world_restart(w);
    world_settle(w);
    for (uint32_t i = 0; i < 2; i++) assert_int_equal(world_ticket(w, tickets[i]).reason, WIRE_REASON_UNKNOWN_MODE);
    assert_null(model_document(w->model, WIRE_DOCUMENT_TICKET, tickets[0]));
    world_free(w);
}

static void test_desk_documents_of_nonsense_are_left_alone(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint64_t ticket = world_queue(w, 1, "duel");
    struct model_document *d = model_document(w->model, WIRE_DOCUMENT_TICKET, ticket);
    world_restart(w);
    for (uint32_t len = 1; len < d->len; len++) {
        const struct wire_document cut = {.kind = WIRE_DOCUMENT_TICKET, .key = len, .len = len};
        desk_recalled(w->desk, &cut, d->bytes, w->wall_ms);
    }
    assert_int_equal(desk_stats_get(w->desk).tickets, 0);
    for (uint32_t kind = WIRE_DOCUMENT_TICKET; kind <= WIRE_DOCUMENT_PARTY; kind++) {
        for (uint32_t seed = 1; seed < 2000; seed++) {
            uint8_t bytes[DESK_PARTY_MAX];
            for (uint32_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(model_random(w->model) >> 8);
            bytes[0] = kind == WIRE_DOCUMENT_TICKET ? 2 : 1;
            const struct wire_document any = {.kind = kind, .key = seed, .len = (uint32_t)(seed % sizeof bytes)};
            desk_recalled(w->desk, &any, bytes, w->wall_ms);
        }
    }
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_desk_ticket_comes_back_with_the_time_it_waited),
        cmocka_unit_test(test_desk_ticket_avoids_whom_it_did_after_a_restart),
        cmocka_unit_test(test_desk_players_in_instances_are_known_after_a_restart),
        cmocka_unit_test(test_desk_ticket_of_who_is_in_an_instance_is_held_by_it_after_a_restart),
        cmocka_unit_test(test_desk_ticket_whose_mode_is_gone_after_a_restart_ends),
        cmocka_unit_test(test_desk_tickets_whose_mode_is_not_played_after_a_restart_end),
        cmocka_unit_test(test_desk_documents_of_nonsense_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
