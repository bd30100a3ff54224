/* test_venues_waves.c: creatures of instances: when a wave comes, where it stands, what becomes of it. */
#include "tests/unit/venues_fixture.h"

static void test_instances_waves_come_one_after_another(void **state) {
    (void)state;
    struct fx_venue f;
    struct wire_instance_order *o = fx_open(&f);
    o->goals = WIRE_GOAL_CLEARED;
    fx_wave(&f.orders, 3);
    fx_wave(&f.orders, 4)->after_ms = 3000;
    fx_go(&f);
    fx_run_ms(f.sim, 800);
    assert_int_equal(fx_creatures(f.sim, 5), 0);
    fx_run_ms(f.sim, FX_BEGUN_MS - 800);
    assert_int_equal(fx_creatures(f.sim, 5), 3);
    fx_run_ms(f.sim, 5000);
    assert_int_equal(fx_creatures(f.sim, 5), 3);
    fx_kill_creatures(f.sim, 5, f.a, 2);
    fx_run_ms(f.sim, 1000);
    assert_true(fx_status(f.sim, 5).wave == 0 && fx_status(f.sim, 5).creatures == 1);
    fx_kill_creatures(f.sim, 5, f.a, 1);
    fx_run_ms(f.sim, FX_LOOK_MS);
    assert_int_equal(fx_status(f.sim, 5).wave, 1);
    fx_run_ms(f.sim, 2400 - FX_LOOK_MS);
    assert_int_equal(fx_creatures(f.sim, 5), 0);
    fx_run_ms(f.sim, 1200);
    assert_int_equal(fx_creatures(f.sim, 5), 4);
    assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_RUNNING);
    fx_kill_creatures(f.sim, 5, f.a, 4);
    fx_run_ms(f.sim, FX_LOOK_MS);
    struct wire_instance_status s = fx_status(f.sim, 5);
    assert_true(s.phase == WIRE_PHASE_OVER && s.goal == WIRE_GOAL_CLEARED && s.wave == 2);
    fx_close(&f);
}

static void test_instances_overlapping_wave_does_not_wait(void **state) {
    (void)state;
    struct fx_venue f;
    fx_open(&f);
    fx_wave(&f.orders, 3);
    struct wire_instance_wave *second = fx_wave(&f.orders, 2);
    second->overlaps = 1;
    second->after_ms = 2000;
    fx_go(&f);
    fx_run_ms(f.sim, FX_BEGUN_MS);
    assert_int_equal(fx_creatures(f.sim, 5), 3);
    fx_run_ms(f.sim, 2200);
    assert_int_equal(fx_creatures(f.sim, 5), 5);
    for (uint32_t n = 0; n < game_creatures(f.sim->game); n++) { /* of the second wave alone */
        uint16_t index = game_creature(f.sim->game, n);
        if (game_guest(f.sim->game, index).wave == 1) fx_kill(f.sim, index, f.a);
    }
    fx_run_ms(f.sim, FX_LOOK_MS);
    assert_int_equal(fx_status(f.sim, 5).wave, 0);
    fx_kill_creatures(f.sim, 5, f.a, 3);
    fx_run_ms(f.sim, FX_LOOK_MS);
    assert_int_equal(fx_status(f.sim, 5).wave, 2);
    fx_close(&f);
}

static void test_instances_creatures_stand_at_their_spots_and_are_as_strong_as_told(void **state) {
    (void)state;
    struct fx_venue f;
    fx_open(&f);
    struct wire_instance_wave *wave = fx_wave(&f.orders, 6);
    wave->health_percent = 250;
    wave->damage_percent = 50;
    fx_spot(&f.orders, 50, 50, 3, 0xffff);
    fx_spot(&f.orders, 30, 30, 0, 0); /* a team's */
    fx_spot(&f.orders, 50, 20, 3, 0xffff);
    sim_instance_orders(f.sim, &f.orders.orders);
    fx_run_ms(f.sim, FX_BEGUN_MS);
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
    fx_close(&f);
}

static void test_instances_dead_creatures_vanish_and_do_not_rise(void **state) {
    (void)state;
    struct fx_venue f;
    fx_open(&f);
    fx_wave(&f.orders, 3);
    fx_go(&f);
    fx_run_ms(f.sim, FX_BEGUN_MS);
    fx_kill_creatures(f.sim, 5, f.a, 2);
    fx_run_ms(f.sim, 2500);
    assert_int_equal(game_creatures(f.sim->game), 3);
    fx_run_ms(f.sim, 1000);
    assert_int_equal(game_creatures(f.sim->game), 1);
    fx_run_ms(f.sim, 15000);
    assert_int_equal(fx_creatures(f.sim, 5), 1);
    fx_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instances_waves_come_one_after_another),
        cmocka_unit_test(test_instances_overlapping_wave_does_not_wait),
        cmocka_unit_test(test_instances_creatures_stand_at_their_spots_and_are_as_strong_as_told),
        cmocka_unit_test(test_instances_dead_creatures_vanish_and_do_not_rise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
