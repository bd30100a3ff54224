/* test_desk_debts.c: what players have of matches that can't be settled now. */
#include "tests/unit/desk_fixture.h"

/* fight has 1 and 2 play a duel that player 1 wins, and everybody go home as soon as that is over; returns its id. */
static uint32_t fight(struct world *w) {
    uint32_t id = world_duel(w);
    w->instances->list[id].d.scores[w->told[1].match.team] = 5;
    fake_end(w, id, INSTANCE_END_GOAL, WIRE_GOAL_KILLS);
    for (uint32_t i = 0; i < 3; i++) {
        world_settle(w);
        world_step(w, 1000);
    }
    fake_home(w, id);
    world_settle(w);
    return id;
}

static int32_t points_after(const struct world *w, uint64_t player) {
    const struct wire_rating *rating = &model_rating(w->model, player, "duel")->rating;
    return rating_points((struct rating){rating->mu, rating->sigma});
}

static void test_desk_settler_that_is_away_keeps_nobody_from_the_next_match(void **state) {
    (void)state;
    struct world *w = world_new(2);
    w->model->is_settler_away = true;
    uint32_t first = fight(w);
    assert_int_equal(w->told[1].over + w->told[2].over, 2);
    assert_int_equal(w->told[1].match.gold, 0);
    assert_int_equal(w->model->settled_count, 0);
    assert_null(fake_at(w->instances, first));
    assert_int_equal(desk_stats_get(w->desk).owed, 2);
    uint64_t ticket = world_queue(w, 1, "duel");
    int32_t winner = world_ticket(w, ticket).rating;
    assert_true(winner > 1500); /* as it will be */
    assert_int_equal(desk_cancel(w->desk, ticket, 1, w->now), WIRE_REASON_NONE);
    ticket = world_queue(w, 1, "arena"); /* of that mode nothing is owed */
    assert_int_equal(world_ticket(w, ticket).rating, 1500);
    assert_int_equal(desk_cancel(w->desk, ticket, 1, w->now), WIRE_REASON_NONE);
    world_settle(w);
    uint32_t second = fight(w);
    assert_int_equal(desk_stats_get(w->desk).owed, 4);
    ticket = world_queue(w, 1, "duel");
    int32_t twice = world_ticket(w, ticket).rating;
    assert_true(twice > winner);
    w->model->is_settler_away = false;
    for (uint32_t i = 0; i < 4; i++) {
        world_step(w, 1000);
        world_settle(w);
    }
    assert_int_equal(w->model->settled_count, 4);
    assert_int_equal(model_settled(w->model, first, 1)->settle.gold, 100);
    assert_int_equal(model_settled(w->model, second, 2)->settle.gold, 10);
    assert_int_equal(points_after(w, 1), twice); /* one after the other */
    assert_int_equal(desk_stats_get(w->desk).owed, 0);
    assert_null(model_document(w->model, WIRE_DOCUMENT_INSTANCE, 1ULL << 40 | (uint64_t)first << 7));
    world_free(w);
}

static void test_desk_rating_that_was_owed_replaces_the_one_before(void **state) {
    (void)state;
    struct world *w = world_new(1);
    (void)fight(w);
    int32_t once = points_after(w, 1);
    w->model->is_settler_away = true;
    (void)fight(w);
    w->model->is_settler_away = false;
    for (uint32_t i = 0; i < 3; i++) {
        world_step(w, 1000);
        world_settle(w);
    }
    assert_int_equal(desk_stats_get(w->desk).owed, 0);
    assert_true(points_after(w, 1) > once);
    assert_int_equal(world_ticket(w, world_queue(w, 1, "duel")).rating, points_after(w, 1));
    world_free(w);
}

static void test_desk_debts_outlive_a_restart(void **state) {
    (void)state;
    for (uint32_t is_home = 0; is_home < 2; is_home++) {
        struct world *w = world_new(1);
        w->model->is_settler_away = true;
        uint32_t id = world_duel(w);
        w->instances->list[id].d.scores[w->told[1].match.team] = 5;
        fake_end(w, id, INSTANCE_END_GOAL, WIRE_GOAL_KILLS);
        for (uint32_t i = 0; i < 3; i++) {
            world_settle(w);
            world_step(w, 1000);
        }
        if (is_home) fake_home(w, id); /* else the match and what is owed of it are both found */
        world_settle(w);
        world_restart(w);
        world_settle(w);
        world_step(w, 1000);
        world_settle(w);
        assert_int_equal(desk_stats_get(w->desk).owed, 2);
        fake_home(w, id);
        uint64_t ticket = world_queue(w, 1, "duel");
        int32_t rating = world_ticket(w, ticket).rating;
        assert_true(rating > 1500);
        w->model->is_settler_away = false;
        for (uint32_t i = 0; i < 3; i++) {
            world_step(w, 1000);
            world_settle(w);
        }
        assert_int_equal(w->model->settled_count, 2);
        assert_int_equal(points_after(w, 1), rating);
        assert_int_equal(desk_stats_get(w->desk).owed, 0);
        world_restart(w);
        world_settle(w);
        assert_int_equal(desk_stats_get(w->desk).owed, 0);
        world_free(w);
    }
}

static void test_desk_debt_that_is_refused_is_forgotten(void **state) {
    (void)state;
    struct world *w = world_new(1);
    w->model->is_settler_away = true;
    (void)fight(w);
    w->model->refused = 1;
    w->model->is_settler_away = false;
    for (uint32_t i = 0; i < 3; i++) {
        world_step(w, 1000);
        world_settle(w);
    }
    assert_int_equal(w->model->settled_count, 1);
    assert_int_equal(desk_stats_get(w->desk).owed, 0);
    assert_int_equal(world_ticket(w, world_queue(w, 1, "duel")).rating, 1500);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_desk_settler_that_is_away_keeps_nobody_from_the_next_match),
        cmocka_unit_test(test_desk_rating_that_was_owed_replaces_the_one_before),
        cmocka_unit_test(test_desk_debts_outlive_a_restart),
        cmocka_unit_test(test_desk_debt_that_is_refused_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
