/* test_venues_goals.c: what ends an instance, and who has how many lives until then. */
#include "tests/unit/venues_fixture.h"

static void assert_over(struct sim *sim, uint32_t goal) {
    struct wire_instance_status s = fx_status(sim, 5);
    assert_int_equal(s.phase, WIRE_PHASE_OVER);
    assert_int_equal(s.goal, goal);
}

static void test_instances_kills_of_other_teams_are_scored(void **state) {
    (void)state;
    struct fx_venue f;
    struct wire_instance_order *o = fx_open(&f);
    o->goals = WIRE_GOAL_KILLS;
    o->kills = 4;
    o->scores[1] = 1;
    fx_go(&f);
    fx_run_ms(f.sim, FX_BEGUN_MS);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_RUNNING);
        fx_kill(f.sim, i == 0 ? f.a : f.b, f.c);
        fx_run_ms(f.sim, FX_LOOK_MS);
        assert_int_equal(fx_status(f.sim, 5).scores[1], 2 + i);
    }
    assert_int_equal(fx_presence(f.sim, 3).kills, 2);
    fx_kill(f.sim, f.c, f.c); /* its own doing */
    fx_run_ms(f.sim, FX_LOOK_MS);
    assert_int_equal(fx_status(f.sim, 5).scores[1], 3);
    fx_run_ms(f.sim, 3000);
    fx_kill(f.sim, f.a, f.c);
    fx_run_ms(f.sim, FX_LOOK_MS);
    assert_over(f.sim, WIRE_GOAL_KILLS);
    assert_true(fx_presence(f.sim, 1).deaths == 2 && fx_presence(f.sim, 3).deaths == 1);
    assert_int_equal(fx_status(f.sim, 5).scores[0], 0);
    fx_close(&f);
}

static void test_instances_last_team_is_found_after_two_were_there(void **state) {
    (void)state;
    struct fx_venue f;
    struct wire_instance_order *o = fx_open(&f);
    o->goals = WIRE_GOAL_LAST_TEAM;
    o->lives = 1;
    fx_travel(&f.orders, 3, 5, 1, fx_x(1, 40), M(40));
    sim_instance_orders(f.sim, &f.orders.orders);
    fx_run_ms(f.sim, 5000); /* alone so far */
    assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_RUNNING);
    fx_go(&f);
    fx_run_ms(f.sim, FX_LOOK_MS);
    fx_kill(f.sim, f.a, f.c);
    fx_run_ms(f.sim, FX_LOOK_MS);
    assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_RUNNING);
    assert_int_equal(fx_presence(f.sim, 1).flags, WIRE_PRESENCE_DEAD | WIRE_PRESENCE_OUT);
    fx_kill(f.sim, f.b, f.c);
    fx_run_ms(f.sim, FX_LOOK_MS);
    assert_over(f.sim, WIRE_GOAL_LAST_TEAM);
    fx_close(&f);
}

static void test_instances_lost_when_nobody_lives_or_may_rise(void **state) {
    (void)state;
    struct fx_venue f;
    struct wire_instance_order *o = fx_open(&f);
    o->goals = WIRE_GOAL_LOST;
    o->lives = 2;
    sim_instance_orders(f.sim, &f.orders.orders);
    fx_run_ms(f.sim, 3000); /* nobody was there yet */
    assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_RUNNING);
    fx_go(&f);
    fx_run_ms(f.sim, FX_LOOK_MS);
    for (uint32_t life = 0; life < 2; life++) {
        assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_RUNNING);
        fx_kill(f.sim, f.a, f.c);
        fx_kill(f.sim, f.b, f.c);
        fx_kill(f.sim, f.c, f.c);
        fx_run_ms(f.sim, FX_LOOK_MS);
        if (life == 0) fx_run_ms(f.sim, 2500);
    }
    assert_over(f.sim, WIRE_GOAL_LOST);
    fx_close(&f);
}

static void test_instances_who_leaves_and_comes_again_has_no_more_lives(void **state) {
    (void)state;
    struct fx_venue f;
    struct wire_instance_order *o = fx_open(&f);
    o->goals = WIRE_GOAL_LAST_TEAM;
    o->lives = 2;
    fx_go(&f);
    fx_run_ms(f.sim, FX_LOOK_MS);
    fx_kill(f.sim, f.a, f.c);
    fx_kill(f.sim, f.c, f.a);
    fx_run_ms(f.sim, FX_LOOK_MS);
    for (uint64_t player = 1; player <= 3; player += 2) sim_detach(f.sim, 0, player);
    f.a = fx_attach(f.sim, 1);
    f.c = fx_attach(f.sim, 3);
    o->version++; /* and the members are told in another order */
    f.orders.members[0].player = 3;
    f.orders.members[2].player = 1;
    sim_instance_orders(f.sim, &f.orders.orders);
    fx_run_ms(f.sim, FX_LOOK_MS);
    assert_true(fx_presence(f.sim, 1).kills == 1 && fx_presence(f.sim, 1).deaths == 1);
    assert_true(fx_presence(f.sim, 3).kills == 1 && fx_presence(f.sim, 3).deaths == 1);
    fx_kill(f.sim, f.a, f.c);
    fx_run_ms(f.sim, FX_LOOK_MS);
    assert_int_equal(fx_presence(f.sim, 1).flags, WIRE_PRESENCE_DEAD | WIRE_PRESENCE_OUT);
    assert_true(fx_presence(f.sim, 3).kills == 2 && fx_presence(f.sim, 3).deaths == 1);
    fx_close(&f);
}

static void test_instances_empty_for_long_is_over(void **state) {
    (void)state;
    struct fx_venue f;
    struct wire_instance_order *o = fx_open(&f);
    o->goals = WIRE_GOAL_EMPTY;
    o->empty_ms = 4000;
    fx_go(&f);
    fx_run_ms(f.sim, 6000);
    assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_RUNNING);
    for (uint64_t player = 1; player <= 3; player++) sim_detach(f.sim, 0, player);
    fx_run_ms(f.sim, 3500);
    assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_RUNNING);
    fx_run_ms(f.sim, 1000);
    assert_over(f.sim, WIRE_GOAL_EMPTY);
    fx_close(&f);
}

static void test_instances_time_ends_what_nothing_else_does(void **state) {
    (void)state;
    struct fx_venue f;
    struct wire_instance_order *o = fx_open(&f);
    o->ends_at_ms = (uint64_t)FX_START_TICK * 1000 / FX_HZ + 3000;
    fx_go(&f);
    fx_run_ms(f.sim, 2900);
    assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_RUNNING);
    fx_run_ms(f.sim, 400);
    assert_over(f.sim, 0);
    fx_close(&f);
}

/* --- deaths and teams */

static void test_instances_dead_rise_at_a_spot_of_their_team(void **state) {
    (void)state;
    struct fx_venue f;
    fx_open(&f);
    fx_spot(&f.orders, 20, 50, 2, 0);
    fx_go(&f);
    fx_run_ms(f.sim, FX_LOOK_MS);
    fx_kill(f.sim, f.a, f.c);
    fx_kill(f.sim, f.c, f.a);
    fx_run_ms(f.sim, 1900);
    game_respawn(f.sim->game, f.a); /* asking does not help */
    assert_false(game_guest(f.sim->game, f.a).is_alive);
    fx_run_ms(f.sim, FX_LOOK_MS);
    assert_true(game_guest(f.sim->game, f.a).is_alive && game_guest(f.sim->game, f.c).is_alive);
    const struct entities *e = f.sim->entities;
    assert_in_range(e->x[f.a], fx_x(1, 18), fx_x(1, 22));
    assert_in_range(e->y[f.a], M(48), M(52));
    assert_in_range(e->x[f.c], fx_x(1, 0), fx_x(1, FX_SIDE)); /* of no spot: anywhere in the cell */
    fx_close(&f);
}

static void shoot(struct sim *sim, uint16_t who) {
    game_input(sim->game, who, (struct game_input){.buttons = GAME_BUTTON_SHOOT | GAME_BUTTON_STRIKE, .aim = 0});
}

static void test_instances_friends_do_each_other_no_harm(void **state) {
    (void)state;
    for (uint32_t with_friend = 0; with_friend < 2; with_friend++) {
        struct fx_venue f;
        fx_open(&f);
        fx_travel(&f.orders, 1, 5, 0, fx_x(1, 10), M(10));
        fx_travel(&f.orders, 2, 5, with_friend ? 0 : 1, fx_x(1, 11), M(10));
        sim_instance_orders(f.sim, &f.orders.orders);
        int16_t before = f.sim->game->bodies[f.b].hit_points;
        shoot(f.sim, f.a);
        fx_run_ms(f.sim, 1000);
        assert_true((f.sim->game->bodies[f.b].hit_points == before) == (with_friend == 1));
        struct game_striker striker = {.id = f.sim->entities->id[f.a], .player = 1}; /* as a ghost it was here before */
        before = f.sim->game->bodies[f.b].hit_points;
        game_struck(f.sim->game, f.b, striker, 5);
        assert_true((f.sim->game->bodies[f.b].hit_points == before) == (with_friend == 1));
        fx_close(&f);
    }
}

/* --- walls */

static void test_instances_walls_may_be_nearer_than_those_of_the_cell(void **state) {
    (void)state;
    struct fx_venue f;
    struct wire_instance_order *o = fx_open(&f);
    o->side_m = 20;
    fx_go(&f);
    fx_run_ms(f.sim, FX_LOOK_MS);
    game_input(f.sim->game, f.a, (struct game_input){.move_x = 1, .move_y = 1});
    fx_run_ms(f.sim, 10000);
    assert_int_equal(f.sim->entities->x[f.a], fx_x(1, 20) - BODY_RADIUS);
    assert_int_equal(f.sim->entities->y[f.a], M(20) - BODY_RADIUS);
    game_input(f.sim->game, f.a, (struct game_input){.move_x = -1, .move_y = -1});
    fx_run_ms(f.sim, 10000);
    assert_int_equal(f.sim->entities->x[f.a], fx_x(1, 0) + BODY_RADIUS);
    fx_close(&f);
}

/* Two players at the walls between two cells, as near as they can be. */
static void test_instances_two_cells_do_not_meet(void **state) {
    (void)state;
    struct fx_venue f;
    fx_open(&f);
    fx_order(&f.orders, 6, 2);
    fx_travel(&f.orders, 1, 5, 0, fx_x(1, FX_SIDE - 1), M(10));
    fx_travel(&f.orders, 2, 6, 0, fx_x(2, 1), M(10));
    sim_instance_orders(f.sim, &f.orders.orders);
    fx_run_ms(f.sim, FX_LOOK_MS);
    int16_t before = f.sim->game->bodies[f.b].hit_points;
    struct views_stats before_views = *sim_views_stats(f.sim);
    shoot(f.sim, f.a);
    fx_run_ms(f.sim, 2000);
    assert_int_equal(f.sim->game->bodies[f.b].hit_points, before);
    assert_int_equal(game_target(f.sim->game, f.a), ENTITY_NONE);
    const struct views_stats *views = sim_views_stats(f.sim); /* each sees itself, and nobody else */
    assert_true(views->updates - before_views.updates <= views->builds - before_views.builds);
    fx_close(&f);
}

static void test_instances_count_kills_and_deaths_beyond_a_byte(void **state) {
    (void)state;
    struct fx_venue f;
    fx_open(&f);
    fx_go(&f);
    fx_run_ms(f.sim, FX_LOOK_MS);
    for (uint32_t i = 0; i < 300; i++) {
        fx_kill(f.sim, f.c, f.a);
        fx_run(f.sim, 1);
        game_revive(f.sim->game, f.c, fx_x(1, 40), M(40));
    }
    assert_int_equal(fx_status(f.sim, 5).scores[0], 300);
    struct wire_carried carried;
    uint32_t slot;
    sim_export(f.sim, sim_slot(f.sim, 0, 3), 1, &carried);
    assert_int_equal(sim_import(f.sim, 0, &carried, &slot), 0);
    assert_int_equal(fx_presence(f.sim, 1).kills, 300);
    assert_int_equal(fx_presence(f.sim, 3).deaths, 300);
    fx_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instances_kills_of_other_teams_are_scored),
        cmocka_unit_test(test_instances_last_team_is_found_after_two_were_there),
        cmocka_unit_test(test_instances_lost_when_nobody_lives_or_may_rise),
        cmocka_unit_test(test_instances_who_leaves_and_comes_again_has_no_more_lives),
        cmocka_unit_test(test_instances_empty_for_long_is_over),
        cmocka_unit_test(test_instances_time_ends_what_nothing_else_does),
        cmocka_unit_test(test_instances_dead_rise_at_a_spot_of_their_team),
        cmocka_unit_test(test_instances_friends_do_each_other_no_harm),
        cmocka_unit_test(test_instances_walls_may_be_nearer_than_those_of_the_cell),
        cmocka_unit_test(test_instances_two_cells_do_not_meet),
        cmocka_unit_test(test_instances_count_kills_and_deaths_beyond_a_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
