/* Instances in one zone: travels, waves, goals, deaths, teams, ways home; and two zones between which a block changes hands.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/venues_fixture.h"

enum { BEGUN_MS = 1300 /* an order has settled, and one look since has begun its first wave */, LOOK_MS = 400 };

/* A sim, an instance 5 in cell 1, and two players of team 0 and one of team 1 in it. */
struct fixture {
    struct sim *sim;
    struct fx_orders orders;
    uint16_t a, b, c;
};

static struct wire_instance_order *begin(struct fixture *f) {
    *f = (struct fixture){.sim = fx_sim(0)};
    f->a = fx_attach(f->sim, 1);
    f->b = fx_attach(f->sim, 2);
    f->c = fx_attach(f->sim, 3);
    fx_begin(&f->orders);
    return fx_order(&f->orders, 5, 1);
}

static void go(struct fixture *f) {
    fx_travel(&f->orders, 1, 5, 0, fx_x(1, 10), M(10));
    fx_travel(&f->orders, 2, 5, 0, fx_x(1, 12), M(10));
    fx_travel(&f->orders, 3, 5, 1, fx_x(1, 40), M(40));
    sim_instance_orders(f->sim, &f->orders.orders);
}

static void end(struct fixture *f) {
    sim_destroy(f->sim);
}

static void assert_is_home(const struct sim *sim, uint16_t index) {
    const struct entities *e = sim->entities;
    assert_int_equal(e->x[index], M(10) + 32768);
    assert_int_equal(e->y[index], M(20) + 32768);
    assert_int_equal(game_guest(sim->game, index).instance, 0);
    assert_true(game_guest(sim->game, index).is_alive);
}

/* --- travels */

static void test_instances_travel_keeps_the_way_home(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    f.sim->game->bodies[f.a].hit_points = 17;
    go(&f);
    const struct entities *e = f.sim->entities;
    assert_int_equal(e->x[f.a], fx_x(1, 10));
    assert_int_equal(e->y[f.a], M(10));
    assert_int_equal(f.sim->game->bodies[f.a].hit_points, game_full_health(f.sim->game, f.a));
    struct game_character c = sim_character(f.sim, sim_slot(f.sim, 0, 1));
    assert_int_equal(c.x, M(10) + 32768);
    assert_int_equal(c.y, M(20) + 32768);
    assert_int_equal(c.experience, 150);
    struct wire_presence p = fx_presence(f.sim, 3);
    assert_true(p.instance == 5 && p.team == 1 && p.flags == 0);
    assert_int_equal(sim_stats(f.sim)->travels, 3);
    end(&f);
}

static void test_instances_travel_twice_is_harmless(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    go(&f);
    fx_run(f.sim, 5);
    f.orders.travels[0].x = fx_x(2, 30);
    f.orders.travels[0].instance = 6;
    sim_instance_orders(f.sim, &f.orders.orders);
    assert_int_equal(f.sim->entities->x[f.a], fx_x(1, 10));
    assert_int_equal(game_guest(f.sim->game, f.a).instance, 5);
    assert_int_equal(sim_character(f.sim, sim_slot(f.sim, 0, 1)).x, M(10) + 32768);
    assert_int_equal(sim_stats(f.sim)->travels, 3);
    end(&f);
}

static void test_instances_nobody_travels_to_where_nothing_is_known(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    const int32_t places[][2] = {{M(5000), M(5)}, {M(40), M(40)}, {fx_x(1, FX_SIDE + 5), M(5)}};
    for (unsigned i = 0; i < 3; i++) {
        f.orders.orders.travel_count = 0;
        fx_travel(&f.orders, 1, 5, 0, places[i][0], places[i][1]);
        fx_travel(&f.orders, 99, 5, 0, fx_x(1, 10), M(10)); /* nobody */
        sim_instance_orders(f.sim, &f.orders.orders);
        assert_int_equal(game_guest(f.sim->game, f.a).instance, 0);
    }
    end(&f);
}

/* The link-dead travel, too, and what they are is carried from zone to zone. */
static void test_instances_journey_is_carried(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    sim_cut(f.sim, 0, 1);
    go(&f);
    fx_kill(f.sim, f.a, f.c);
    struct wire_carried carried;
    uint32_t slot;
    sim_export(f.sim, f.sim->slot_of_entity[f.a], 1, &carried);
    struct game_character c = game_carried_character(&carried);
    assert_true(c.x == M(10) + 32768 && c.y == M(20) + 32768);
    assert_int_equal(c.hit_points, game_full_health(f.sim->game, f.b)); /* as it will come home */
    assert_int_equal(sim_import(f.sim, SIM_GATEWAY_NONE, &carried, &slot), 0);
    struct game_guest guest = game_guest(f.sim->game, sim_entity_of(f.sim, slot));
    assert_true(guest.instance == 5 && guest.team == 1 && guest.deaths == 1 && !guest.is_alive);
    assert_int_equal(game_guest(f.sim->game, f.c).kills, 1);
    game_go_home(f.sim->game, sim_entity_of(f.sim, slot));
    assert_is_home(f.sim, sim_entity_of(f.sim, slot));
    end(&f);
}

/* --- waves */

static void test_instances_waves_come_one_after_another(void **state) {
    (void)state;
    struct fixture f;
    struct wire_instance_order *o = begin(&f);
    o->goals = WIRE_GOAL_CLEARED;
    fx_wave(&f.orders, 3);
    fx_wave(&f.orders, 4)->after_ms = 3000;
    go(&f);
    fx_run_ms(f.sim, 800);
    assert_int_equal(fx_creatures(f.sim, 5), 0);
    fx_run_ms(f.sim, BEGUN_MS - 800);
    assert_int_equal(fx_creatures(f.sim, 5), 3);
    fx_run_ms(f.sim, 5000);
    assert_int_equal(fx_creatures(f.sim, 5), 3);
    fx_kill_creatures(f.sim, 5, f.a, 2);
    fx_run_ms(f.sim, 1000);
    assert_true(fx_status(f.sim, 5).wave == 0 && fx_status(f.sim, 5).creatures == 1);
    fx_kill_creatures(f.sim, 5, f.a, 1);
    fx_run_ms(f.sim, LOOK_MS);
    assert_int_equal(fx_status(f.sim, 5).wave, 1);
    fx_run_ms(f.sim, 2400 - LOOK_MS);
    assert_int_equal(fx_creatures(f.sim, 5), 0);
    fx_run_ms(f.sim, 1200);
    assert_int_equal(fx_creatures(f.sim, 5), 4);
    assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_RUNNING);
    fx_kill_creatures(f.sim, 5, f.a, 4);
    fx_run_ms(f.sim, LOOK_MS);
    struct wire_instance_status s = fx_status(f.sim, 5);
    assert_true(s.phase == WIRE_PHASE_OVER && s.goal == WIRE_GOAL_CLEARED && s.wave == 2);
    end(&f);
}

static void test_instances_overlapping_wave_does_not_wait(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    fx_wave(&f.orders, 3);
    struct wire_instance_wave *second = fx_wave(&f.orders, 2);
    second->overlaps = 1;
    second->after_ms = 2000;
    go(&f);
    fx_run_ms(f.sim, BEGUN_MS);
    assert_int_equal(fx_creatures(f.sim, 5), 3);
    fx_run_ms(f.sim, 2200);
    assert_int_equal(fx_creatures(f.sim, 5), 5);
    for (uint32_t n = 0; n < game_creatures(f.sim->game); n++) { /* of the second wave alone */
        uint16_t index = game_creature(f.sim->game, n);
        if (game_guest(f.sim->game, index).wave == 1) fx_kill(f.sim, index, f.a);
    }
    fx_run_ms(f.sim, LOOK_MS);
    assert_int_equal(fx_status(f.sim, 5).wave, 0);
    fx_kill_creatures(f.sim, 5, f.a, 3);
    fx_run_ms(f.sim, LOOK_MS);
    assert_int_equal(fx_status(f.sim, 5).wave, 2);
    end(&f);
}

static void test_instances_creatures_stand_at_their_spots_and_are_as_strong_as_told(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    struct wire_instance_wave *wave = fx_wave(&f.orders, 6);
    wave->health_percent = 250;
    wave->damage_percent = 50;
    fx_spot(&f.orders, 50, 50, 3, 0xffff);
    fx_spot(&f.orders, 30, 30, 0, 0); /* a team's */
    fx_spot(&f.orders, 50, 20, 3, 0xffff);
    sim_instance_orders(f.sim, &f.orders.orders);
    fx_run_ms(f.sim, BEGUN_MS);
    uint32_t upper = 0;
    for (uint32_t n = 0; n < game_creatures(f.sim->game); n++) {
        const struct creature *c = &f.sim->game->creatures[n];
        int64_t dx = c->home_x - fx_x(1, 50), up = c->home_y - M(50), down = c->home_y - M(20);
        bool is_up = dx * dx + up * up <= (int64_t)M(3) * M(3), is_down = dx * dx + down * down <= (int64_t)M(3) * M(3);
        assert_true(is_up != is_down);
        upper += is_up;
        assert_int_equal(f.sim->game->bodies[c->index].hit_points, CREATURE_HEALTH * 5 / 2);
        assert_int_equal(game_strength(f.sim->game, c->index, CREATURE_BITE_DAMAGE), CREATURE_BITE_DAMAGE / 2);
    }
    assert_int_equal(upper, 3);
    end(&f);
}

static void test_instances_dead_creatures_vanish_and_do_not_rise(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    fx_wave(&f.orders, 3);
    go(&f);
    fx_run_ms(f.sim, BEGUN_MS);
    fx_kill_creatures(f.sim, 5, f.a, 2);
    fx_run_ms(f.sim, 2500);
    assert_int_equal(game_creatures(f.sim->game), 3);
    fx_run_ms(f.sim, 1000);
    assert_int_equal(game_creatures(f.sim->game), 1);
    fx_run_ms(f.sim, 15000);
    assert_int_equal(fx_creatures(f.sim, 5), 1);
    end(&f);
}

/* --- goals */

static void assert_over(struct sim *sim, uint32_t goal) {
    struct wire_instance_status s = fx_status(sim, 5);
    assert_int_equal(s.phase, WIRE_PHASE_OVER);
    assert_int_equal(s.goal, goal);
}

static void test_instances_kills_of_other_teams_are_scored(void **state) {
    (void)state;
    struct fixture f;
    struct wire_instance_order *o = begin(&f);
    o->goals = WIRE_GOAL_KILLS;
    o->kills = 4;
    o->scores[1] = 1;
    go(&f);
    fx_run_ms(f.sim, BEGUN_MS);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_RUNNING);
        fx_kill(f.sim, i == 0 ? f.a : f.b, f.c);
        fx_run_ms(f.sim, LOOK_MS);
        assert_int_equal(fx_status(f.sim, 5).scores[1], 2 + i);
    }
    assert_int_equal(fx_presence(f.sim, 3).kills, 2);
    fx_kill(f.sim, f.c, f.c); /* its own doing */
    fx_run_ms(f.sim, LOOK_MS);
    assert_int_equal(fx_status(f.sim, 5).scores[1], 3);
    fx_run_ms(f.sim, 3000);
    fx_kill(f.sim, f.a, f.c);
    fx_run_ms(f.sim, LOOK_MS);
    assert_over(f.sim, WIRE_GOAL_KILLS);
    assert_true(fx_presence(f.sim, 1).deaths == 2 && fx_presence(f.sim, 3).deaths == 1);
    assert_int_equal(fx_status(f.sim, 5).scores[0], 0);
    end(&f);
}

static void test_instances_last_team_is_found_after_two_were_there(void **state) {
    (void)state;
    struct fixture f;
    struct wire_instance_order *o = begin(&f);
    o->goals = WIRE_GOAL_LAST_TEAM;
    o->lives = 1;
    fx_travel(&f.orders, 3, 5, 1, fx_x(1, 40), M(40));
    sim_instance_orders(f.sim, &f.orders.orders);
    fx_run_ms(f.sim, 5000); /* alone so far */
    assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_RUNNING);
    go(&f);
    fx_run_ms(f.sim, LOOK_MS);
    fx_kill(f.sim, f.a, f.c);
    fx_run_ms(f.sim, LOOK_MS);
    assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_RUNNING);
    assert_int_equal(fx_presence(f.sim, 1).flags, WIRE_PRESENCE_DEAD | WIRE_PRESENCE_OUT);
    fx_kill(f.sim, f.b, f.c);
    fx_run_ms(f.sim, LOOK_MS);
    assert_over(f.sim, WIRE_GOAL_LAST_TEAM);
    end(&f);
}

static void test_instances_lost_when_nobody_lives_or_may_rise(void **state) {
    (void)state;
    struct fixture f;
    struct wire_instance_order *o = begin(&f);
    o->goals = WIRE_GOAL_LOST;
    o->lives = 2;
    sim_instance_orders(f.sim, &f.orders.orders);
    fx_run_ms(f.sim, 3000); /* nobody was there yet */
    assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_RUNNING);
    go(&f);
    fx_run_ms(f.sim, LOOK_MS);
    for (uint32_t life = 0; life < 2; life++) {
        assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_RUNNING);
        fx_kill(f.sim, f.a, f.c);
        fx_kill(f.sim, f.b, f.c);
        fx_kill(f.sim, f.c, f.c);
        fx_run_ms(f.sim, LOOK_MS);
        if (life == 0) fx_run_ms(f.sim, 2500);
    }
    assert_over(f.sim, WIRE_GOAL_LOST);
    end(&f);
}

static void test_instances_who_leaves_and_comes_again_has_no_more_lives(void **state) {
    (void)state;
    struct fixture f;
    struct wire_instance_order *o = begin(&f);
    o->goals = WIRE_GOAL_LAST_TEAM;
    o->lives = 2;
    go(&f);
    fx_run_ms(f.sim, LOOK_MS);
    fx_kill(f.sim, f.a, f.c);
    fx_kill(f.sim, f.c, f.a);
    fx_run_ms(f.sim, LOOK_MS);
    for (uint64_t player = 1; player <= 3; player += 2) sim_detach(f.sim, 0, player);
    f.a = fx_attach(f.sim, 1);
    f.c = fx_attach(f.sim, 3);
    o->version++; /* and the members are told in another order */
    f.orders.members[0].player = 3;
    f.orders.members[2].player = 1;
    sim_instance_orders(f.sim, &f.orders.orders);
    fx_run_ms(f.sim, LOOK_MS);
    assert_true(fx_presence(f.sim, 1).kills == 1 && fx_presence(f.sim, 1).deaths == 1);
    assert_true(fx_presence(f.sim, 3).kills == 1 && fx_presence(f.sim, 3).deaths == 1);
    fx_kill(f.sim, f.a, f.c);
    fx_run_ms(f.sim, LOOK_MS);
    assert_int_equal(fx_presence(f.sim, 1).flags, WIRE_PRESENCE_DEAD | WIRE_PRESENCE_OUT);
    assert_true(fx_presence(f.sim, 3).kills == 2 && fx_presence(f.sim, 3).deaths == 1);
    end(&f);
}

static void test_instances_empty_for_long_is_over(void **state) {
    (void)state;
    struct fixture f;
    struct wire_instance_order *o = begin(&f);
    o->goals = WIRE_GOAL_EMPTY;
    o->empty_ms = 4000;
    go(&f);
    fx_run_ms(f.sim, 6000);
    assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_RUNNING);
    for (uint64_t player = 1; player <= 3; player++) sim_detach(f.sim, 0, player);
    fx_run_ms(f.sim, 3500);
    assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_RUNNING);
    fx_run_ms(f.sim, 1000);
    assert_over(f.sim, WIRE_GOAL_EMPTY);
    end(&f);
}

static void test_instances_time_ends_what_nothing_else_does(void **state) {
    (void)state;
    struct fixture f;
    struct wire_instance_order *o = begin(&f);
    o->ends_at_ms = (uint64_t)FX_START_TICK * 1000 / FX_HZ + 3000;
    go(&f);
    fx_run_ms(f.sim, 2900);
    assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_RUNNING);
    fx_run_ms(f.sim, 400);
    assert_over(f.sim, 0);
    end(&f);
}

/* --- deaths and teams */

static void test_instances_dead_rise_at_a_spot_of_their_team(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    fx_spot(&f.orders, 20, 50, 2, 0);
    go(&f);
    fx_run_ms(f.sim, LOOK_MS);
    fx_kill(f.sim, f.a, f.c);
    fx_kill(f.sim, f.c, f.a);
    fx_run_ms(f.sim, 1900);
    game_respawn(f.sim->game, f.a); /* asking does not help */
    assert_false(game_guest(f.sim->game, f.a).is_alive);
    fx_run_ms(f.sim, LOOK_MS);
    assert_true(game_guest(f.sim->game, f.a).is_alive && game_guest(f.sim->game, f.c).is_alive);
    const struct entities *e = f.sim->entities;
    assert_in_range(e->x[f.a], fx_x(1, 18), fx_x(1, 22));
    assert_in_range(e->y[f.a], M(48), M(52));
    assert_in_range(e->x[f.c], fx_x(1, 0), fx_x(1, FX_SIDE)); /* of no spot: anywhere in the cell */
    end(&f);
}

static void shoot(struct sim *sim, uint16_t who) {
    game_input(sim->game, who, (struct game_input){.buttons = GAME_BUTTON_SHOOT | GAME_BUTTON_STRIKE, .aim = 0});
}

static void test_instances_friends_do_each_other_no_harm(void **state) {
    (void)state;
    for (uint32_t with_friend = 0; with_friend < 2; with_friend++) {
        struct fixture f;
        begin(&f);
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
        end(&f);
    }
}

/* --- walls */

static void test_instances_walls_may_be_nearer_than_those_of_the_cell(void **state) {
    (void)state;
    struct fixture f;
    struct wire_instance_order *o = begin(&f);
    o->side_m = 20;
    go(&f);
    fx_run_ms(f.sim, LOOK_MS);
    game_input(f.sim->game, f.a, (struct game_input){.move_x = 1, .move_y = 1});
    fx_run_ms(f.sim, 10000);
    assert_int_equal(f.sim->entities->x[f.a], fx_x(1, 20) - BODY_RADIUS);
    assert_int_equal(f.sim->entities->y[f.a], M(20) - BODY_RADIUS);
    game_input(f.sim->game, f.a, (struct game_input){.move_x = -1, .move_y = -1});
    fx_run_ms(f.sim, 10000);
    assert_int_equal(f.sim->entities->x[f.a], fx_x(1, 0) + BODY_RADIUS);
    end(&f);
}

/* Two players at the walls between two cells, as near as they can be. */
static void test_instances_two_cells_do_not_meet(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    fx_order(&f.orders, 6, 2);
    fx_travel(&f.orders, 1, 5, 0, fx_x(1, FX_SIDE - 1), M(10));
    fx_travel(&f.orders, 2, 6, 0, fx_x(2, 1), M(10));
    sim_instance_orders(f.sim, &f.orders.orders);
    fx_run_ms(f.sim, LOOK_MS);
    int16_t before = f.sim->game->bodies[f.b].hit_points;
    struct views_stats before_views = *sim_views_stats(f.sim);
    shoot(f.sim, f.a);
    fx_run_ms(f.sim, 2000);
    assert_int_equal(f.sim->game->bodies[f.b].hit_points, before);
    assert_int_equal(game_target(f.sim->game, f.a), ENTITY_NONE);
    const struct views_stats *views = sim_views_stats(f.sim); /* each sees itself, and nobody else */
    assert_true(views->updates - before_views.updates <= views->builds - before_views.builds);
    end(&f);
}

/* --- ends */

static void test_instances_all_go_home_a_while_after_it_is_over(void **state) {
    (void)state;
    struct fixture f;
    struct wire_instance_order *o = begin(&f);
    o->ends_at_ms = (uint64_t)FX_START_TICK * 1000 / FX_HZ + 2000;
    fx_wave(&f.orders, 3);
    go(&f);
    fx_run_ms(f.sim, 1500);
    assert_int_equal(fx_creatures(f.sim, 5), 3);
    fx_kill(f.sim, f.b, f.c);
    fx_run_ms(f.sim, 1000);
    assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_OVER);
    assert_int_equal(game_creatures(f.sim->game), 0);
    fx_run_ms(f.sim, 4000);
    assert_int_equal(fx_status(f.sim, 5).players, 3);
    fx_run_ms(f.sim, 1000);
    assert_is_home(f.sim, f.a);
    assert_is_home(f.sim, f.b);
    assert_is_home(f.sim, f.c);
    assert_true(fx_status(f.sim, 5).phase == WIRE_PHASE_OVER && fx_status(f.sim, 5).players == 0);
    end(&f);
}

static void test_instances_ordered_end_is_answered_until_it_is_not_ordered(void **state) {
    (void)state;
    struct fixture f;
    struct wire_instance_order *o = begin(&f);
    fx_wave(&f.orders, 3);
    go(&f);
    fx_run_ms(f.sim, BEGUN_MS);
    o->state = WIRE_INSTANCE_END;
    o->version = 2;
    f.orders.orders.travel_count = 0;
    sim_instance_orders(f.sim, &f.orders.orders);
    fx_run(f.sim, 2);
    assert_is_home(f.sim, f.a);
    assert_is_home(f.sim, f.c);
    assert_int_equal(game_creatures(f.sim->game), 0);
    assert_true(fx_status(f.sim, 5).phase == WIRE_PHASE_ENDED && fx_status(f.sim, 5).version == 2);
    fx_run_ms(f.sim, 1500);
    sim_instance_orders(f.sim, &f.orders.orders);
    fx_run_ms(f.sim, 1500);
    assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_ENDED);
    fx_run_ms(f.sim, 1000);
    assert_int_equal(fx_status(f.sim, 5).id, 0);
    sim_instance_orders(f.sim, &f.orders.orders); /* of one that is not known (any more) */
    assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_ENDED);
    end(&f);
}

/* It is told by a newer order that it is no member. */
static void test_instances_who_is_no_member_any_more_goes_home(void **state) {
    (void)state;
    struct fixture f;
    struct wire_instance_order *o = begin(&f);
    f.orders.orders.is_complete = true;
    go(&f);
    fx_run_ms(f.sim, 3000);
    o->version = 2;
    o->first_member = 1; /* all but player 1 */
    o->member_count--;
    sim_instance_orders(f.sim, &f.orders.orders);
    fx_run_ms(f.sim, LOOK_MS);
    assert_int_equal(fx_status(f.sim, 5).players, 2);
    fx_run_ms(f.sim, 2000);
    assert_is_home(f.sim, f.a);
    assert_int_equal(game_guest(f.sim->game, f.b).instance, 5);
    end(&f);
}

static void test_instances_players_of_an_unknown_one_go_home(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    f.orders.orders.instance_count = 0;
    go(&f);
    fx_run_ms(f.sim, 8000); /* that may just not have been told */
    assert_int_equal(game_guest(f.sim->game, f.a).instance, 5);
    f.orders.orders = (struct wire_instance_orders){.is_complete = true};
    sim_instance_orders(f.sim, &f.orders.orders);
    fx_run_ms(f.sim, 1500);
    sim_instances_renew(f.sim); /* another connection begins */
    fx_run_ms(f.sim, 5000);
    assert_int_equal(game_guest(f.sim->game, f.a).instance, 5);
    sim_instance_orders(f.sim, &f.orders.orders);
    fx_run_ms(f.sim, 1500);
    assert_int_equal(game_guest(f.sim->game, f.a).instance, 5);
    fx_run_ms(f.sim, 1000);
    assert_is_home(f.sim, f.a);
    end(&f);
}

static void test_instances_player_in_a_block_without_a_journey_goes_somewhere_in_the_world(void **state) {
    (void)state;
    struct fixture f;
    struct wire_instance_order *o = begin(&f);
    o->id = 0; /* makes no sense */
    f.orders.orders.is_complete = true;
    sim_instance_orders(f.sim, &f.orders.orders);
    f.sim->entities->x[f.a] = fx_x(3, 5);
    f.sim->entities->y[f.a] = M(5);
    fx_run_ms(f.sim, 3000);
    assert_in_range(f.sim->entities->x[f.a], 0, M(64));
    assert_int_equal(sim_instances_stats(f.sim)->strays, 1);
    end(&f);
}

static void test_instances_what_can_not_be_is_refused(void **state) {
    (void)state;
    struct fixture f;
    struct wire_instance_order *o = begin(&f);
    fx_wave(&f.orders, 200);
    o->id = 1;
    fx_order(&f.orders, 2, 1);        /* the cell is taken */
    fx_order(&f.orders, 3, FX_CELLS); /* there is none */
    fx_order(&f.orders, 4, 2);        /* 200 more are too many for the zone, */
    fx_wave(&f.orders, 250);
    fx_order(&f.orders, 5, 3); /* and 300 for an instance */
    fx_wave(&f.orders, 150);
    fx_wave(&f.orders, 150)->overlaps = 1;
    fx_order(&f.orders, 6, 4)->goals = WIRE_GOAL_CLEARED; /* of what? */
    fx_order(&f.orders, 7, 5)->block = CELLS_BLOCK_BIT | 1;
    sim_instance_orders(f.sim, &f.orders.orders);
    assert_int_equal(fx_status(f.sim, 1).phase, WIRE_PHASE_RUNNING);
    for (uint32_t id = 2; id <= 6; id++) assert_int_equal(fx_status(f.sim, id).phase, WIRE_PHASE_REFUSED);
    assert_int_equal(fx_status(f.sim, 7).id, 0); /* another zone's */
    fx_run_ms(f.sim, BEGUN_MS);
    assert_int_equal(game_creatures(f.sim->game), 200);
    f.orders.instances[1].cell = 6; /* thought over */
    f.orders.instances[1].version = 2;
    sim_instance_orders(f.sim, &f.orders.orders);
    assert_int_equal(fx_status(f.sim, 2).phase, WIRE_PHASE_RUNNING);
    end(&f);
}

static void test_instances_same_seed_gives_the_same_places(void **state) {
    (void)state;
    int32_t x[2][8];
    for (uint32_t i = 0; i < 2; i++) {
        struct fixture f;
        begin(&f);
        struct wire_instance_order *o = fx_order(&f.orders, 8, 1);
        o->seed = 77;
        fx_wave(&f.orders, 8);
        if (i == 1) fx_order(&f.orders, 4, 9);
        if (i == 1) fx_wave(&f.orders, 5); /* another one, whatever happens there */
        f.orders.orders.instances++;
        f.orders.orders.instance_count--;
        sim_instance_orders(f.sim, &f.orders.orders);
        fx_run_ms(f.sim, BEGUN_MS);
        uint32_t count = 0;
        for (uint32_t n = 0; n < game_creatures(f.sim->game); n++) {
            const struct creature *c = &f.sim->game->creatures[n];
            if (game_guest(f.sim->game, c->index).instance == 8) x[i][count++] = c->home_x;
        }
        assert_int_equal(count, 8);
        end(&f);
    }
    assert_memory_equal(x[0], x[1], sizeof x[0]);
}

/* --- a block changes hands */

struct side {
    struct sim *sim;
    struct sightings *sightings;
    bool begins;
    _Alignas(16) uint8_t told[64 * 1024];
    size_t told_len;
};

struct pair {
    struct side *sides;
    struct wire_builder *builder;
    uint64_t tick;
};

static struct pair pair_create(void) {
    struct pair p = {.sides = aligned_alloc(16, 2 * sizeof *p.sides),
                     .builder = wire_builder_create(WIRE_BUS_BYTES_MAX),
                     .tick = FX_START_TICK};
    memset(p.sides, 0, 2 * sizeof *p.sides);
    for (uint16_t i = 0; i < 2; i++) {
        p.sides[i].sim = fx_sim(i);
        p.sides[i].sightings = sightings_create(1u - i, 512);
        p.sides[i].begins = true;
        sim_peer_up(p.sides[i].sim, 1u - i, true);
    }
    return p;
}

static void pair_destroy(struct pair *p) {
    for (uint32_t i = 0; i < 2; i++) {
        sightings_destroy(p->sides[i].sightings);
        sim_destroy(p->sides[i].sim);
    }
    wire_builder_destroy(p->builder);
    free(p->sides);
}

static void pair_tick(struct pair *p) {
    p->tick++;
    for (uint32_t i = 0; i < 2; i++) {
        struct wire_bus_view view;
        const struct side *from = &p->sides[1 - i];
        if (from->told_len == 0) continue;
        assert_int_equal(wire_bus_open(from->told, from->told_len, &view), 0);
        sim_peer_take(p->sides[i].sim, 1 - i, &view.peer);
    }
    for (uint32_t i = 0; i < 2; i++) {
        struct side *side = &p->sides[i];
        output_clear(sim_output(side->sim, 0));
        sim_tick(side->sim, p->tick);
        struct wire_peer_batch batch = {.reset = side->begins};
        struct wire_bytes bytes;
        sim_look(side->sim, side->sightings, 1 - i, &batch);
        assert_int_equal(wire_peer_batch_pack(p->builder, &batch, &bytes), 0);
        assert_true(bytes.len <= sizeof side->told);
        memcpy(side->told, bytes.data, bytes.len);
        side->told_len = bytes.len;
        side->begins = false;
        sim_told(side->sim, 1 - i);
        sim_looked(side->sim);
    }
}

static void pair_run_ms(struct pair *p, uint32_t ms) {
    for (uint32_t i = 0; i < ms * FX_HZ / 1000; i++) pair_tick(p);
}

static void pair_directory(struct pair *p, const struct directory *d) {
    for (uint32_t i = 0; i < 2; i++) assert_int_equal(sim_set_directory(p->sides[i].sim, d), 0);
}

static void hand_player_over(struct pair *p, uint64_t player) {
    struct wire_carried carried;
    uint32_t slot;
    sim_export(p->sides[0].sim, sim_slot(p->sides[0].sim, 0, player), 1, &carried);
    assert_int_equal(sim_import(p->sides[1].sim, 0, &carried, &slot), 0);
}

/* Players and creatures go over one by one, while the wave runs; then it runs on where it was. */
static void test_instances_run_on_where_their_block_goes(void **state) {
    (void)state;
    struct pair p = pair_create();
    struct sim *from = p.sides[0].sim, *to = p.sides[1].sim;
    for (uint64_t player = 1; player <= 3; player++) fx_attach(from, player);
    struct fx_orders o;
    fx_begin(&o);
    struct wire_instance_order *order = fx_order(&o, 5, 1);
    order->goals = WIRE_GOAL_CLEARED | WIRE_GOAL_LOST | WIRE_GOAL_LAST_TEAM | WIRE_GOAL_EMPTY;
    order->lives = 2;
    o.orders.is_complete = true;
    fx_wave(&o, 1);
    fx_wave(&o, 6);
    fx_wave(&o, 2);
    for (uint64_t player = 1; player <= 3; player++)
        fx_travel(&o, player, 5, player == 3, fx_x(1, 5 * (int32_t)player), M(5));
    sim_instance_orders(from, &o.orders);
    sim_instance_orders(to, &o.orders); /* not its block yet */
    assert_int_equal(fx_status(to, 5).id, 0);
    pair_run_ms(&p, BEGUN_MS);
    fx_kill_creatures(from, 5, fx_index(from, 1), 1);
    fx_kill(from, fx_index(from, 2), fx_index(from, 3));
    pair_run_ms(&p, LOOK_MS);
    assert_int_equal(fx_creatures(from, 5), 6);
    fx_kill_creatures(from, 5, fx_index(from, 1), 2);

    struct directory drained = fx_directory(3, 1, 0);
    order->wave = 1;
    order->scores[1] = 1;
    order->version = 2;
    pair_directory(&p, &drained);
    sim_instance_orders(to, &o.orders);
    pair_run_ms(&p, 1000);
    assert_int_equal(fx_status(from, 5).id, 5); /* told until somebody heard it */
    sim_instances_told(from);
    assert_int_equal(fx_status(from, 5).id, 0);
    for (uint64_t player = 1; player <= 3; player++) {
        pair_run_ms(&p, player < 3 ? 700 : 11000); /* however long that takes */
        hand_player_over(&p, player);
    }
    pair_run_ms(&p, 1000);
    assert_int_equal(fx_creatures(from, 5), 0);
    assert_int_equal(fx_creatures(to, 5), 4);
    struct directory settled = fx_directory(4, 1, WIRE_SLOT_NONE);
    pair_directory(&p, &settled);
    pair_run_ms(&p, 3000);
    struct wire_instance_status s = fx_status(to, 5);
    assert_true(s.phase == WIRE_PHASE_RUNNING && s.wave == 1 && s.creatures == 4 && s.players == 3 && s.scores[1] == 1);
    assert_true(fx_presence(to, 2).deaths == 1 && fx_presence(to, 3).kills == 1);
    assert_int_equal(sim_instances_stats(to)->spawned, 0);
    fx_kill_creatures(to, 5, fx_index(to, 1), 4);
    pair_run_ms(&p, LOOK_MS);
    assert_int_equal(fx_creatures(to, 5), 2); /* the third wave */
    fx_kill_creatures(to, 5, fx_index(to, 1), 2);
    pair_run_ms(&p, LOOK_MS);
    assert_int_equal(fx_status(to, 5).goal, WIRE_GOAL_CLEARED);
    pair_run_ms(&p, 6000);
    assert_is_home(to, fx_index(to, 3));
    pair_destroy(&p);
}

/* A zone that has no room for a traveller, or does not answer, keeps it from nothing for long. */
static void test_instances_who_is_not_taken_goes_home(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    struct directory d = fx_directory(3, 1, WIRE_SLOT_NONE);
    assert_int_equal(sim_set_directory(f.sim, &d), 0);
    go(&f);
    assert_int_equal(game_guest(f.sim->game, f.a).instance, 5);
    fx_run_ms(f.sim, 9000);
    assert_int_equal(game_guest(f.sim->game, f.a).instance, 5);
    fx_run_ms(f.sim, 1500);
    assert_is_home(f.sim, f.a);
    end(&f);
}

/* What its former zone can't let go of does not keep an instance from going on. */
static void test_instances_do_not_wait_for_a_hand_over_for_ever(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    struct directory d = fx_directory(3, 0, 1);
    assert_int_equal(sim_set_directory(f.sim, &d), 0);
    fx_wave(&f.orders, 3);
    go(&f);
    fx_run_ms(f.sim, 10500);
    assert_int_equal(fx_creatures(f.sim, 5), 0);
    fx_run_ms(f.sim, 1500);
    assert_int_equal(fx_creatures(f.sim, 5), 3);
    end(&f);
}

/* How long one waited before it was taken, and came back, does not count. */
static void test_instances_who_travels_again_waits_anew(void **state) {
    (void)state;
    struct fixture f;
    begin(&f);
    struct directory d = fx_directory(3, 1, WIRE_SLOT_NONE);
    assert_int_equal(sim_set_directory(f.sim, &d), 0);
    go(&f);
    fx_run_ms(f.sim, 9000);
    game_go_home(f.sim->game, f.a);
    fx_run_ms(f.sim, 5000);
    go(&f);
    fx_run_ms(f.sim, 9000);
    assert_int_equal(game_guest(f.sim->game, f.a).instance, 5);
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instances_travel_keeps_the_way_home),
        cmocka_unit_test(test_instances_travel_twice_is_harmless),
        cmocka_unit_test(test_instances_nobody_travels_to_where_nothing_is_known),
        cmocka_unit_test(test_instances_journey_is_carried),
        cmocka_unit_test(test_instances_waves_come_one_after_another),
        cmocka_unit_test(test_instances_overlapping_wave_does_not_wait),
        cmocka_unit_test(test_instances_creatures_stand_at_their_spots_and_are_as_strong_as_told),
        cmocka_unit_test(test_instances_dead_creatures_vanish_and_do_not_rise),
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
        cmocka_unit_test(test_instances_all_go_home_a_while_after_it_is_over),
        cmocka_unit_test(test_instances_ordered_end_is_answered_until_it_is_not_ordered),
        cmocka_unit_test(test_instances_who_is_no_member_any_more_goes_home),
        cmocka_unit_test(test_instances_players_of_an_unknown_one_go_home),
        cmocka_unit_test(test_instances_player_in_a_block_without_a_journey_goes_somewhere_in_the_world),
        cmocka_unit_test(test_instances_what_can_not_be_is_refused),
        cmocka_unit_test(test_instances_same_seed_gives_the_same_places),
        cmocka_unit_test(test_instances_run_on_where_their_block_goes),
        cmocka_unit_test(test_instances_who_is_not_taken_goes_home),
        cmocka_unit_test(test_instances_do_not_wait_for_a_hand_over_for_ever),
        cmocka_unit_test(test_instances_who_travels_again_waits_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
