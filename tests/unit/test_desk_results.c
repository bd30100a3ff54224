/* test_desk_results.c: what matches come to. */
#include "tests/unit/desk_fixture.h"

static void test_desk_result_rates_rewards_and_closes(void **state) {
    (void)state;
    struct world *w = world_new(2);
    uint32_t id = world_duel(w);
    assert_int_equal(w->told[1].match.phase, WIRE_MATCH_RUNNING);
    uint32_t team = w->told[1].match.team;
    w->instances->list[id].d.scores[team] = 5;
    w->instances->list[id].d.scores[1 - team] = 2;
    fake_end(w, id, INSTANCE_END_GOAL, WIRE_GOAL_KILLS);
    assert_int_equal(w->told[1].over, 0);
    assert_false(w->instances->list[id].d.is_closed);
    world_settle(w);
    assert_int_equal(w->told[1].match.phase, WIRE_MATCH_OVER);
    assert_int_equal(w->told[1].match.gold, 100);
    assert_int_equal(w->told[1].match.item_kind, 2);
    assert_int_equal(w->told[2].match.gold, 10);
    struct rating ratings[2] = {RATING_RULES.start, RATING_RULES.start};
    struct rating_team teams[2] = {{&ratings[0], 1, 0}, {&ratings[1], 1, 1}};
    assert_int_equal(rating_update(&RATING_RULES, teams, 2), 0);
    const struct wire_settle *winner = &model_settled(w->model, id, 1)->settle;
    assert_true(winner->mu > ratings[0].mu - 0.001 && winner->mu < ratings[0].mu + 0.001);
    assert_true(winner->sigma > ratings[0].sigma - 0.001 && winner->sigma < ratings[0].sigma + 0.001);
    assert_int_equal(winner->is_won, 1);
    assert_int_equal(winner->season, w->season);
    assert_int_equal(winner->flags, WIRE_SETTLE_RATED);
    assert_string_equal(winner->mode, "duel");
    assert_int_equal(w->told[1].match.points, rating_points(ratings[0]));
    assert_int_equal(w->told[2].match.points, rating_points(ratings[1]));
    assert_true(w->instances->list[id].d.is_closed);
    const struct model_document *kept = model_document(w->model, WIRE_DOCUMENT_RESULT, id);
    struct desk_result result;
    assert_non_null(kept);
    assert_int_equal(desk_result_read(kept->bytes, kept->len, &result), 0);
    assert_int_equal(result.player_count, 2);
    assert_int_equal(result.players[0].points_before, 1500);
    assert_int_equal(result.ranks[team], 0);
    assert_int_equal(result.ranks[1 - team], 1);
    assert_int_equal(result.players[0].kills, 3);
    assert_string_equal(result.mode, "duel");
    for (uint32_t len = 0; len < kept->len; len++) assert_int_not_equal(desk_result_read(kept->bytes, len, &result), 0);
    assert_int_equal(world_enter(w, 1, "duel", NULL), WIRE_REASON_BUSY); /* not home yet */
    fake_home(w, id);
    assert_int_equal(world_enter(w, 1, "duel", NULL), WIRE_REASON_NONE);
    world_free(w);
}

static void test_desk_draw_rates_and_nobody_wins(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint32_t id = world_duel(w);
    fake_end(w, id, INSTANCE_END_GOAL, 0);
    world_settle(w);
    for (uint64_t player = 1; player <= 2; player++) {
        const struct wire_settle *settle = &model_settled(w->model, id, player)->settle;
        assert_int_equal(settle->is_won, 0);
        assert_int_equal(settle->gold, 10);
        assert_true(settle->sigma < RATING_RULES.start.sigma);
    }
    world_free(w);
}

static void test_desk_last_team_wins_whatever_the_scores(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint32_t id = world_duel(w);
    struct fake_instance *f = &w->instances->list[id];
    f->d.scores[f->members[0].team] = 9;
    f->members[0].flags = WIRE_PRESENCE_DEAD | WIRE_PRESENCE_OUT;
    uint64_t loser = f->members[0].player;
    fake_end(w, id, INSTANCE_END_GOAL, WIRE_GOAL_LAST_TEAM);
    world_settle(w);
    assert_int_equal(model_settled(w->model, id, loser)->settle.is_won, 0);
    assert_int_equal(model_settled(w->model, id, 3 - loser)->settle.is_won, 1);
    world_free(w);
}

static void test_desk_cleared_dungeon_rewards_and_rates_nobody(void **state) {
    (void)state;
    struct world *w = world_new(1);
    for (uint64_t player = 1; player <= 4; player++) (void)world_queue(w, player, "crypt");
    fake_run(w, 1);
    for (uint64_t player = 1; player <= 3; player++) fake_come(w, 1, player); /* 4 never comes */
    fake_end(w, 1, INSTANCE_END_GOAL, WIRE_GOAL_CLEARED);
    world_settle(w);
    for (uint64_t player = 1; player <= 3; player++) {
        assert_int_equal(model_settled(w->model, 1, player)->settle.flags, 0);
        assert_int_equal(w->told[player].match.gold, 100);
        assert_int_equal(w->told[player].match.points, 0);
    }
    assert_null(model_settled(w->model, 1, 4));
    assert_int_equal(w->told[4].over, 1);
    assert_true(w->instances->list[1].d.is_closed);
    world_free(w);
}

static void test_desk_who_never_came_is_rated_with_his_team_and_gets_nothing(void **state) {
    (void)state;
    struct world *w = world_new(1);
    (void)world_queue(w, 1, "duel");
    (void)world_queue(w, 2, "duel");
    fake_run(w, 1);
    fake_come(w, 1, 1);
    w->instances->list[1].d.scores[w->told[1].match.team] = 1;
    fake_end(w, 1, INSTANCE_END_GOAL, WIRE_GOAL_KILLS);
    world_settle(w);
    const struct wire_settle *absent = &model_settled(w->model, 1, 2)->settle;
    assert_true(absent->flags == WIRE_SETTLE_RATED && absent->mu < 25 && absent->gold == 0);
    world_free(w);
}

static void test_desk_lost_instance_settles_nothing_and_closes(void **state) {
    (void)state;
    for (uint32_t end = INSTANCE_END_ORDERED; end < INSTANCE_END_COUNT; end++) {
        struct world *w = world_new(1);
        uint32_t id = world_duel(w);
        w->instances->list[id].d.scores[0] = 5;
        fake_end(w, id, (enum instance_end)end, 0);
        world_settle(w);
        assert_int_equal(w->model->settled_count, 0);
        assert_int_equal(w->told[1].over + w->told[2].over, 2);
        assert_non_null(model_document(w->model, WIRE_DOCUMENT_RESULT, id));
        assert_true(w->instances->list[id].d.is_closed);
        world_free(w);
    }
}

static void test_desk_refused_settlement_closes_all_the_same(void **state) {
    (void)state;
    struct world *w = world_new(1);
    w->model->refused = 2;
    uint32_t id = world_duel(w);
    fake_end(w, id, INSTANCE_END_GOAL, WIRE_GOAL_KILLS);
    world_settle(w);
    assert_int_equal(w->told[2].over, 1);
    assert_int_equal(w->told[2].match.gold, 0);
    assert_true(w->instances->list[id].d.is_closed);
    world_free(w);
}

static void test_desk_result_after_a_restart_is_the_same(void **state) {
    (void)state;
    struct world *w = world_new(1);
    uint32_t id = world_duel(w);
    w->instances->list[id].d.scores[1] = 5;
    fake_end(w, id, INSTANCE_END_GOAL, WIRE_GOAL_KILLS);
    assert_true(model_take(w->model, w->keep, 0) && model_work(w->model, 0)); /* and the answer is lost */
    struct wire_settle before = model_settled(w->model, id, 1)->settle;
    world_restart(w);
    world_settle(w);
    world_step(w, 1000);
    world_settle(w);
    assert_int_equal(w->model->settled_count, 2);
    assert_true(w->model->settled_again >= 2);
    assert_memory_equal(&before, &model_settled(w->model, id, 1)->settle, sizeof before);
    assert_int_equal(w->told[1].over, 1);
    assert_true(w->instances->list[id].d.is_closed);
    world_free(w);
}

/* What persist has is changed behind the desk's back, to see whether that is asked. */
static void test_desk_rating_that_it_made_is_not_asked_for_again(void **state) {
    (void)state;
    struct world *w = world_new(1);
    char error[MODE_ERROR_SIZE];
    uint64_t ticket;
    uint32_t id = world_duel(w);
    w->instances->list[id].d.scores[w->told[1].match.team] = 5;
    fake_end(w, id, INSTANCE_END_GOAL, WIRE_GOAL_KILLS);
    world_settle(w);
    fake_home(w, id);
    const struct rating settled = {model_settled(w->model, id, 1)->settle.mu, 1};
    model_rating(w->model, 1, "duel")->rating.mu = 45;
    model_rating(w->model, 1, "arena")->rating = (struct wire_rating){.player = 1, .mu = 30, .sigma = 2, .mode = "arena"};
    uint64_t asked = keep_stats_get(w->keep).asked;
    assert_int_equal(world_enter(w, 1, "duel", &ticket), WIRE_REASON_NONE);
    assert_int_equal(keep_stats_get(w->keep).asked, asked);
    assert_true(world_ticket(w, ticket).rating > 1500 && world_ticket(w, ticket).rating == rating_points(settled));
    world_settle(w);
    assert_int_equal(w->told[1].ticket.state, WIRE_TICKET_WAITING);
    assert_int_equal(desk_cancel(w->desk, ticket, 1, w->now), WIRE_REASON_NONE);
    ticket = world_queue(w, 1, "arena"); /* it was made in that mode alone */
    int32_t arena = world_ticket(w, ticket).rating;
    assert_int_equal(desk_cancel(w->desk, ticket, 1, w->now), WIRE_REASON_NONE);
    assert_true(arena > 1500 && arena < 1800); /* of a season before */
    w->modes.modes[0].window_max++;
    assert_int_equal(desk_set_modes(w->desk, &w->modes, &w->templates, w->now, error, sizeof error), 0);
    ticket = world_queue(w, 1, "duel");
    assert_int_equal(world_ticket(w, ticket).rating, 2700);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_desk_result_rates_rewards_and_closes),
        cmocka_unit_test(test_desk_draw_rates_and_nobody_wins),
        cmocka_unit_test(test_desk_last_team_wins_whatever_the_scores),
        cmocka_unit_test(test_desk_cleared_dungeon_rewards_and_rates_nobody),
        cmocka_unit_test(test_desk_who_never_came_is_rated_with_his_team_and_gets_nothing),
        cmocka_unit_test(test_desk_lost_instance_settles_nothing_and_closes),
        cmocka_unit_test(test_desk_refused_settlement_closes_all_the_same),
        cmocka_unit_test(test_desk_result_after_a_restart_is_the_same),
        cmocka_unit_test(test_desk_rating_that_it_made_is_not_asked_for_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
