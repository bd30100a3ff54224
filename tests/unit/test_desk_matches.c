/* test_desk_matches.c: matches that are launched, joined and left. */
#include "tests/unit/desk_fixture.h"

/* --- launched */

static void test_desk_match_is_told_once_it_is_kept(void **state) {
    (void)state;
    struct world *w = world_new(1);
    (void)world_queue(w, 1, "duel");
    uint64_t transactions = w->model->transactions;
    uint64_t ticket;
    assert_int_equal(world_enter(w, 2, "duel", &ticket), WIRE_REASON_NONE);
    assert_true(model_take(w->model, w->keep, 0) && model_work(w->model, 0) && model_tell(w->model, w->keep, 0));
    assert_int_equal(world_ticket(w, ticket).state, WIRE_TICKET_MATCHED);
    assert_false(desk_ticket_is_durable(w->desk, ticket));
    assert_int_equal(w->told[1].matches + w->told[2].tickets, 0);
    assert_true(model_take(w->model, w->keep, 0) && model_work(w->model, 0));
    assert_int_equal(w->model->transactions, transactions + 1);
    assert_non_null(model_document(w->model, WIRE_DOCUMENT_INSTANCE, 1));
    assert_true(model_tell(w->model, w->keep, 0));
    world_step(w, 0);
    assert_int_equal(w->told[2].ticket.state, WIRE_TICKET_MATCHED);
    assert_int_equal(w->told[2].match.phase, WIRE_MATCH_STARTING);
    assert_string_equal(w->told[2].match.template_name, "hall");
    assert_int_equal(world_enter(w, 1, "duel", NULL), WIRE_REASON_BUSY);
    world_free(w);
}

/* check_whole: whoever is kept as a member of an instance that has begun is not kept as one who waits. */
static void check_whole(void *context) {
    struct world *w = context;
    for (uint64_t id = 1; id < w->next_instance; id++) {
        struct fake_instance f = {0};
        if (!fake_read(&f, model_document(w->model, WIRE_DOCUMENT_INSTANCE, id))) continue;
        for (uint32_t k = 0; k < f.d.member_count; k++)
            assert_null(model_document(w->model, WIRE_DOCUMENT_TICKET, w->tickets[f.members[k].player]));
    }
}

static void test_desk_more_matches_than_a_message_takes_lose_nobody(void **state) {
    (void)state;
    struct world *w = world_new(1);
    w->instances->cells = 0;
    for (uint64_t player = 1; player <= 1800; player++)
        assert_int_equal(world_enter(w, player, "duel", &w->tickets[player]), WIRE_REASON_NONE);
    world_settle(w);
    w->instances->cells = 900;
    for (uint32_t i = 0; i < 12; i++) world_step(w, 100);
    assert_int_equal(desk_stats_get(w->desk).matches, 900);
    assert_true(model_take(w->model, w->keep, 0) && model_work(w->model, 0));
    world_restart(w);
    w->instances->cells = 0;
    world_settle(w);
    uint32_t matched = 0;
    for (uint64_t player = 1; player <= 1800; player++) {
        struct desk_ticket t = world_ticket(w, w->tickets[player]);
        assert_int_equal(t.state, instances_of_player(w->instances, player) ? WIRE_TICKET_MATCHED : WIRE_TICKET_WAITING);
        matched += t.state == WIRE_TICKET_MATCHED;
    }
    assert_in_range(matched, 2, 1800);
    w->instances->cells = 900;
    for (uint32_t i = 0; i < 12; i++) world_step(w, 100);
    world_settle(w);
    for (uint64_t player = 1; player <= 1800; player++) assert_int_equal(w->told[player].ticket.state, WIRE_TICKET_MATCHED);
    world_free(w);
}

static void test_desk_places_filled_beyond_a_message_are_each_whole(void **state) {
    (void)state;
    struct world *w = world_new(1);
    for (uint64_t player = 1; player <= 1200; player++)
        assert_int_equal(world_enter(w, player, "siege", &w->tickets[player]), WIRE_REASON_NONE);
    world_settle(w);
    assert_int_equal(desk_stats_get(w->desk).matches, 300);
    for (uint32_t id = 1; id <= 300; id++) {
        fake_run(w, id);
        for (uint32_t k = 0; k < 2; k++) fake_come(w, id, w->instances->list[id].members[k].player);
    }
    world_step(w, 1000);
    w->instances->cells = 0; /* nobody who comes now is matched anew */
    for (uint64_t player = 1201; player <= 1800; player++)
        assert_int_equal(world_enter(w, player, "siege", &w->tickets[player]), WIRE_REASON_NONE);
    world_settle(w);
    w->model->on_transaction = check_whole;
    w->model->context = w;
    for (uint64_t key = 1; key <= 1001; key++) { /* so that a message ends between a join and its erasure, if it can */
        assert_int_equal(keep_erase(w->keep, WIRE_DOCUMENT_RESULT, key), 0);
        keep_cut(w->keep);
    }
    world_step(w, 30000); /* those who were away have left */
    w->instances->cells = 1;
    for (uint32_t i = 0; i < 25; i++) world_step(w, 100);
    world_settle(w);
    for (uint64_t player = 1201; player <= 1800; player++)
        assert_int_equal(w->told[player].ticket.state, WIRE_TICKET_MATCHED);
    world_free(w);
}

static void test_desk_no_cell_free_has_them_wait_on(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint64_t first = world_queue(w, 1, "duel");
    world_step(w, 5000);
    w->instances->cells = 0;
    uint64_t second = world_queue(w, 2, "duel");
    assert_int_equal(world_ticket(w, first).state, WIRE_TICKET_WAITING);
    assert_int_equal(world_ticket(w, second).state, WIRE_TICKET_WAITING);
    assert_in_range(world_ticket(w, first).waited_ms, 5000, 5100);
    world_step(w, 2000);
    assert_int_equal(world_ticket(w, first).state, WIRE_TICKET_WAITING);
    w->instances->cells = 1;
    for (uint32_t i = 0; i < 12; i++) world_step(w, 100);
    world_settle(w);
    assert_int_equal(world_ticket(w, first).state, WIRE_TICKET_MATCHED);
    assert_int_equal(w->told[2].match.instance, 1);
    world_free(w);
}

static void test_desk_cell_gone_while_they_are_asked_has_them_wait_on(void **state) {
    (void)state;
    struct world *w = world_new(1);
    for (uint64_t player = 1; player <= 4; player++) (void)world_queue(w, player, "arena");
    w->instances->cells = 0;
    for (uint64_t player = 1; player <= 4; player++)
        assert_int_equal(desk_answer(w->desk, player, true, w->now), WIRE_REASON_NONE);
    world_settle(w);
    for (uint64_t player = 1; player <= 4; player++) {
        assert_int_equal(w->told[player].ticket.state, WIRE_TICKET_WAITING);
        assert_int_not_equal(desk_ticket_of(w->desk, player), 0);
    }
    w->instances->cells = 5;
    world_step(w, 1000);
    world_settle(w);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_ASKED);
    world_free(w);
}

static void test_desk_launch_takes_players_out_of_the_queue(void **state) {
    (void)state;
    struct world *w = world_new(1);
    const uint64_t players[3] = {1, 2, 3};
    uint32_t id;
    uint64_t ticket = world_queue(w, 1, "duel");
    assert_int_equal(
        desk_launch(w->desk, &w->templates.templates[0], INSTANCES_ANYWHERE, players, 3, w->now, w->wall_ms, &id), 0);
    world_settle(w);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_MATCHED);
    assert_int_equal(w->told[1].ticket.instance, id);
    (void)world_queue(w, 4, "duel"); /* nobody waits for it */
    assert_int_equal(w->told[4].ticket.state, WIRE_TICKET_WAITING);
    assert_int_equal(w->instances->list[id].d.team_count, 3); /* all against all */
    assert_int_equal(
        desk_launch(w->desk, &w->templates.templates[0], INSTANCES_ANYWHERE, players, 3, w->now, w->wall_ms, &id),
        MARCH_ERR_EXISTS);
    fake_run(w, id);
    fake_come_all(w, id);
    world_settle(w);
    assert_int_equal(desk_ticket_of(w->desk, 1), 0);
    assert_null(model_document(w->model, WIRE_DOCUMENT_TICKET, ticket));
    w->instances->list[id].d.scores[1] = 4;
    fake_end(w, id, INSTANCE_END_GOAL, WIRE_GOAL_KILLS);
    world_settle(w);
    assert_int_equal(w->told[2].match.gold, 100);
    assert_int_equal(model_settled(w->model, id, 2)->settle.flags, 0);
    assert_string_equal(model_settled(w->model, id, 2)->settle.mode, "");
    const uint64_t twice[2] = {7, 7};
    assert_int_equal(desk_launch(w->desk, &w->templates.templates[0], INSTANCES_ANYWHERE, twice, 2, w->now, w->wall_ms, &id),
                     MARCH_ERR_INVALID);
    world_free(w);
}

/* --- backfill */

static void test_desk_place_of_who_left_is_filled(void **state) {
    (void)state;
    struct world *w = world_new(1);
    for (uint64_t player = 1; player <= 4; player++) (void)world_queue(w, player, "siege");
    fake_run(w, 1);
    for (uint64_t player = 1; player <= 3; player++) fake_come(w, 1, player);
    uint32_t team = w->told[4].match.team;
    (void)world_queue(w, 5, "siege");
    world_step(w, 1000);
    world_step(w, 20000);
    assert_int_equal(w->told[5].ticket.state, WIRE_TICKET_WAITING);
    world_step(w, 12000);
    world_step(w, 1000);
    world_settle(w);
    assert_int_equal(w->told[5].ticket.state, WIRE_TICKET_MATCHED);
    assert_int_equal(w->told[5].match.instance, 1);
    assert_int_equal(w->told[5].match.team, team);
    assert_int_equal(world_enter(w, 4, "siege", NULL), WIRE_REASON_BUSY); /* until that match is settled */
    (void)world_queue(w, 6, "siege");
    world_step(w, 5000);
    assert_int_equal(w->told[6].ticket.state, WIRE_TICKET_WAITING); /* one place was free */
    fake_come(w, 1, 5);
    w->instances->list[1].d.scores[team] = 3;
    fake_end(w, 1, INSTANCE_END_GOAL, WIRE_GOAL_KILLS);
    world_settle(w);
    assert_int_equal(model_settled(w->model, 1, 5)->settle.flags, 0); /* rewarded, not rated */
    assert_int_equal(model_settled(w->model, 1, 5)->settle.gold, 100);
    assert_int_equal(model_settled(w->model, 1, 4)->settle.flags, WIRE_SETTLE_RATED);
    assert_int_equal(model_settled(w->model, 1, 4)->settle.gold, 0);
    assert_int_equal(world_enter(w, 4, "siege", NULL), WIRE_REASON_NONE);
    world_free(w);
}

static void test_desk_place_is_filled_once_there_is_room_to_keep_it(void **state) {
    (void)state;
    struct world *w = world_new(1);
    for (uint64_t player = 1; player <= 4; player++) (void)world_queue(w, player, "siege");
    fake_run(w, 1);
    for (uint64_t player = 1; player <= 3; player++) fake_come(w, 1, player);
    (void)world_queue(w, 5, "siege");
    w->instances->is_join_full = true;
    for (uint32_t second = 0; second < 34; second++) world_step(w, 1000);
    assert_int_equal(w->told[5].ticket.state, WIRE_TICKET_WAITING);
    w->instances->is_join_full = false;
    for (uint32_t second = 0; second < 3; second++) world_step(w, 1000);
    world_settle(w);
    assert_int_equal(w->told[5].ticket.state, WIRE_TICKET_MATCHED);
    assert_int_equal(w->told[5].match.instance, 1);
    world_free(w);
}

/* --- left */

static void test_desk_leaving_is_for_good_and_counts_as_lost(void **state) {
    (void)state;
    struct world *w = world_new(1);
    assert_int_equal(desk_leave(w->desk, 1, w->now), WIRE_REASON_NOT_FOUND);
    for (uint64_t player = 1; player <= 4; player++) {
        (void)world_queue(w, player, "arena");
        w->told[player].ticket.state = WIRE_TICKET_NONE;
    }
    for (uint64_t player = 1; player <= 4; player++) (void)desk_answer(w->desk, player, true, w->now);
    world_settle(w);
    fake_run(w, 1);
    fake_come_all(w, 1);
    struct fake_instance *f = &w->instances->list[1];
    uint32_t team = w->told[2].match.team;
    f->d.scores[team] = 9;
    assert_int_equal(desk_leave(w->desk, 2, w->now), WIRE_REASON_NONE);
    assert_int_not_equal(w->told[2].ticket.state, WIRE_TICKET_NONE); /* it would not survive yet */
    world_settle(w);
    assert_int_equal(w->told[2].ticket.state, WIRE_TICKET_NONE);
    assert_int_equal(w->told[2].ticket.reason, WIRE_REASON_NONE);
    assert_false(fake_is_member(f, 2));
    assert_int_equal(desk_leave(w->desk, 2, w->now), WIRE_REASON_NOT_FOUND);
    assert_int_equal(world_enter(w, 2, "duel", NULL), WIRE_REASON_BUSY);
    fake_end(w, 1, INSTANCE_END_GOAL, WIRE_GOAL_KILLS);
    world_settle(w);
    assert_int_equal(world_enter(w, 2, "duel", NULL), WIRE_REASON_NONE);
    uint64_t mate = 0, loser = 0;
    for (uint64_t player = 1; player <= 4; player++) {
        bool is_ours = player != 2 && w->told[player].match.team == team;
        if (is_ours) mate = player;
        if (w->told[player].match.team != team) loser = player;
    }
    const struct wire_settle *left = &model_settled(w->model, 1, 2)->settle,
                             *won = &model_settled(w->model, 1, mate)->settle,
                             *lost = &model_settled(w->model, 1, loser)->settle;
    assert_true(left->gold == 0 && left->item_count == 0 && left->is_won == 0 && left->flags == WIRE_SETTLE_RATED);
    assert_true(won->gold == 100 && won->is_won == 1 && won->mu > 25.001);
    assert_true(left->mu < 24.999 && left->mu > lost->mu - 0.001 && left->mu < lost->mu + 0.001);
    assert_int_equal(w->told[2].match.points, rating_points((struct rating){left->mu, left->sigma}));
    struct desk_result result;
    const struct model_document *kept = model_document(w->model, WIRE_DOCUMENT_RESULT, 1);
    assert_int_equal(desk_result_read(kept->bytes, kept->len, &result), 0);
    for (uint32_t i = 0; i < result.player_count; i++)
        assert_int_equal(result.players[i].has_left, result.players[i].player == 2);
    world_free(w);
}

static void test_desk_place_of_who_leaves_is_filled_at_once(void **state) {
    (void)state;
    struct world *w = world_new(1);
    for (uint64_t player = 1; player <= 4; player++) (void)world_queue(w, player, "siege");
    fake_run(w, 1);
    fake_come_all(w, 1);
    uint32_t team = w->told[4].match.team;
    (void)world_queue(w, 5, "siege");
    for (uint32_t i = 0; i < 3; i++) world_step(w, 1000);
    assert_int_equal(w->told[5].ticket.state, WIRE_TICKET_WAITING);
    const struct wire_client_message message = {.kind = WIRE_CLIENT_TICKET, .ticket = WIRE_TICKET_LEAVE};
    desk_message(w->desk, 4, &message, w->now, w->wall_ms);
    for (uint32_t i = 0; i < 3; i++) world_step(w, 1000);
    world_settle(w);
    assert_int_equal(w->told[5].match.instance, 1);
    assert_int_equal(w->told[5].match.team, team);
    desk_message(w->desk, 4, &message, w->now, w->wall_ms);
    assert_int_equal(w->told[4].ticket.reason, WIRE_REASON_NOT_FOUND);
    world_free(w);
}

static void test_desk_leaving_before_it_has_begun_ends_the_ticket(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint64_t left = world_queue(w, 1, "duel"), stayed = world_queue(w, 2, "duel");
    assert_int_equal(desk_leave(w->desk, 1, w->now), WIRE_REASON_NONE);
    world_settle(w);
    assert_null(model_document(w->model, WIRE_DOCUMENT_TICKET, left));
    fake_end(w, 1, INSTANCE_END_REFUSED, 0);
    world_settle(w);
    assert_int_equal(world_ticket(w, left).state, WIRE_TICKET_MATCHED);
    assert_int_equal(desk_ticket_of(w->desk, 1), 0);
    assert_int_equal(world_ticket(w, stayed).state, WIRE_TICKET_WAITING);
    world_free(w);
}

/* --- over */

static void test_desk_match_that_is_over_takes_nobody_in(void **state) {
    (void)state;
    struct world *w = world_new(1);
    for (uint64_t player = 1; player <= 4; player++) (void)world_queue(w, player, "siege");
    fake_run(w, 1);
    for (uint64_t player = 1; player <= 3; player++) fake_come(w, 1, player);
    world_step(w, 1000);
    world_step(w, 31000);
    fake_end(w, 1, INSTANCE_END_GOAL, WIRE_GOAL_KILLS);
    world_settle(w);
    (void)world_queue(w, 5, "siege");
    assert_int_equal(w->told[5].ticket.state, WIRE_TICKET_WAITING);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_desk_match_is_told_once_it_is_kept),
        cmocka_unit_test(test_desk_more_matches_than_a_message_takes_lose_nobody),
        cmocka_unit_test(test_desk_places_filled_beyond_a_message_are_each_whole),
        cmocka_unit_test(test_desk_no_cell_free_has_them_wait_on),
        cmocka_unit_test(test_desk_cell_gone_while_they_are_asked_has_them_wait_on),
        cmocka_unit_test(test_desk_launch_takes_players_out_of_the_queue),
        cmocka_unit_test(test_desk_place_of_who_left_is_filled),
        cmocka_unit_test(test_desk_place_is_filled_once_there_is_room_to_keep_it),
        cmocka_unit_test(test_desk_leaving_is_for_good_and_counts_as_lost),
        cmocka_unit_test(test_desk_place_of_who_leaves_is_filled_at_once),
        cmocka_unit_test(test_desk_leaving_before_it_has_begun_ends_the_ticket),
        cmocka_unit_test(test_desk_match_that_is_over_takes_nobody_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
