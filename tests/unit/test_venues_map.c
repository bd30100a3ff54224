/* test_venues_map.c: what stands in the room of an instance: nobody walks, strikes, shoots or comes in through it. */
#include "tests/unit/venues_fixture.h"

/* --- shorthands: places are metres from the cell's least corner */

static void put(struct sim *sim, uint16_t index, double x, double y) {
    sim->entities->x[index] = fx_x(1, 0) + M(x);
    sim->entities->y[index] = M(y);
    sim->entities->vx[index] = sim->entities->vy[index] = 0;
}

static void assert_at(const struct sim *sim, uint16_t index, double x, double y) {
    assert_int_equal(sim->entities->x[index] - fx_x(1, 0), M(x));
    assert_int_equal(sim->entities->y[index], M(y));
}

/* walk has one hold down a direction for some ticks. */
static void walk(struct sim *sim, uint16_t index, int8_t x, int8_t y, uint32_t ticks) {
    for (uint32_t i = 0; i < ticks; i++) {
        game_input(sim->game, index, (struct game_input){.move_x = x, .move_y = y});
        fx_run(sim, 1);
    }
    game_input(sim->game, index, (struct game_input){0});
}

/* Instance 5 with a wall from 20, 5 to 21, 30. */
static void open_with_a_wall(struct fx_venue *f) {
    fx_open(f);
    fx_box(&f->orders, 20, 5, 21, 30);
    fx_go(f);
    fx_run(f->sim, 1);
}

static bool is_in_box(const struct sim *sim, const struct fx_orders *o, uint16_t index) {
    int64_t x = (int64_t)sim->entities->x[index] - fx_x(1, 0), y = sim->entities->y[index];
    for (uint32_t i = 0; i < o->orders.box_count; i++) {
        const struct wire_instance_box *b = &o->boxes[i];
        if (x > M(b->x_min_m) - ROOM_BODY && x < M(b->x_max_m) + ROOM_BODY && y > M(b->y_min_m) - ROOM_BODY &&
            y < M(b->y_max_m) + ROOM_BODY)
            return true;
    }
    return false;
}

/* Counts those of instance 5, or fails with where one stands in a box. */
static uint32_t assert_none_in_a_box(const struct sim *sim, const struct fx_orders *o) {
    const struct entities *e = sim->entities;
    uint32_t count = 0;
    for (uint32_t i = 0; i < e->count; i++) {
        uint16_t n = e->alive[i];
        if (game_guest(sim->game, n).instance != 5) continue;
        count++;
        if (is_in_box(sim, o, n)) fail_msg("%u stands at %f, %f", n, (e->x[n] - fx_x(1, 0)) / 65536.0, e->y[n] / 65536.0);
    }
    return count;
}

/* --- ways */

static void test_map_stops_who_walks_into_a_wall(void **state) {
    (void)state;
    struct fx_venue f;
    open_with_a_wall(&f);
    const struct entities *e = f.sim->entities;
    put(f.sim, f.a, 18, 10);
    walk(f.sim, f.a, 1, 0, 60);
    assert_at(f.sim, f.a, 19.5, 10);
    assert_int_equal(e->vx[f.a], 0); /* as clients are told, so that they predict the stop */
    put(f.sim, f.a, 23, 10);
    walk(f.sim, f.a, -1, 0, 60);
    assert_at(f.sim, f.a, 21.5, 10);
    put(f.sim, f.a, 20.5, 2);
    walk(f.sim, f.a, 0, 1, 60);
    assert_at(f.sim, f.a, 20.5, 4.5);
    fx_close(&f);
}

static void test_map_slides_along_and_past_the_end(void **state) {
    (void)state;
    struct fx_venue f;
    open_with_a_wall(&f);
    const struct entities *e = f.sim->entities;
    put(f.sim, f.a, 19.5, 10);
    game_input(f.sim->game, f.a, (struct game_input){.move_x = 1, .move_y = 1});
    fx_run(f.sim, 1);
    assert_int_equal(e->vx[f.a], 0);
    assert_int_equal(e->vy[f.a], PLAYER_SPEED_DIAGONAL);
    walk(f.sim, f.a, 1, 1, 60);
    assert_int_equal(e->x[f.a] - fx_x(1, 0), M(19.5));
    assert_true(e->y[f.a] > M(13.5));
    put(f.sim, f.a, 19.5, 29);
    walk(f.sim, f.a, 1, 1, 60); /* round the end of it */
    assert_true(e->x[f.a] - fx_x(1, 0) > M(20) && e->y[f.a] > M(30.5));
    fx_close(&f);
}

static void test_map_is_that_of_its_instance_alone(void **state) {
    (void)state;
    struct fx_venue f;
    fx_open(&f);
    fx_box(&f.orders, 20, 5, 21, 30);
    fx_order(&f.orders, 6, 2);
    fx_travel(&f.orders, 3, 6, 1, fx_x(2, 18), M(10));
    fx_go(&f);
    fx_run(f.sim, 1);
    walk(f.sim, f.c, 1, 0, 60);
    assert_true(f.sim->entities->x[f.c] > fx_x(2, 22));
    put(f.sim, f.a, 18, 10);
    f.orders.instances[0].state = WIRE_INSTANCE_END;
    f.orders.instances[0].version = 2;
    f.orders.orders.travel_count = 0;
    sim_instance_orders(f.sim, &f.orders.orders);
    fx_run_ms(f.sim, VENUES_ENDED_MS + FX_LOOK_MS);
    assert_int_equal(fx_status(f.sim, 5).id, 0);
    f.orders.instances[0] = (struct wire_instance_order){.id = 5,
                                                         .run = 1,
                                                         .block = CELLS_BLOCK_BIT,
                                                         .cell = 1,
                                                         .state = WIRE_INSTANCE_RUN,
                                                         .version = 3,
                                                         .side_m = FX_SIDE,
                                                         .team_count = 2,
                                                         .member_count = FX_MEMBERS};
    fx_travel(&f.orders, 1, 5, 0, fx_x(1, 18), M(10));
    sim_instance_orders(f.sim, &f.orders.orders);
    fx_run(f.sim, 1);
    walk(f.sim, f.a, 1, 0, 60); /* what stood there was forgotten with it */
    assert_true(f.sim->entities->x[f.a] > fx_x(1, 22));
    fx_close(&f);
}

/* --- attacks */

/* Whether a shot, or a strike, along +x takes health of another. */
static bool hits(struct sim *sim, uint16_t by, uint16_t target, uint8_t button) {
    fx_run(sim, 60);
    int16_t before = sim->game->bodies[target].hit_points;
    game_input(sim->game, by, (struct game_input){.buttons = button, .aim = 0});
    fx_run(sim, 1);
    game_input(sim->game, by, (struct game_input){0});
    return sim->game->bodies[target].hit_points < before;
}

static void test_map_no_attack_goes_through_a_wall(void **state) {
    (void)state;
    struct fx_venue f;
    open_with_a_wall(&f);
    put(f.sim, f.b, 60, 60);
    put(f.sim, f.a, 12, 10);
    put(f.sim, f.c, 28, 10);
    assert_false(hits(f.sim, f.a, f.c, GAME_BUTTON_SHOOT));
    put(f.sim, f.c, 19.5, 10); /* before it */
    assert_true(hits(f.sim, f.a, f.c, GAME_BUTTON_SHOOT));
    put(f.sim, f.a, 12, 3); /* beside it */
    put(f.sim, f.c, 28, 3);
    assert_true(hits(f.sim, f.a, f.c, GAME_BUTTON_SHOOT));
    put(f.sim, f.a, 12, 4.75); /* its ray goes beside, and meets who leans out */
    put(f.sim, f.c, 28, 5.125);
    assert_true(hits(f.sim, f.a, f.c, GAME_BUTTON_SHOOT));
    put(f.sim, f.a, 12, 5.125);
    put(f.sim, f.c, 28, 4.75);
    assert_false(hits(f.sim, f.a, f.c, GAME_BUTTON_SHOOT));
    put(f.sim, f.a, 19.5, 10); /* within reach, on both sides of it */
    put(f.sim, f.c, 21.5, 10);
    assert_false(hits(f.sim, f.a, f.c, GAME_BUTTON_STRIKE));
    put(f.sim, f.c, 19.5, 11);
    put(f.sim, f.a, 18.5, 11);
    assert_true(hits(f.sim, f.a, f.c, GAME_BUTTON_STRIKE));
    fx_close(&f);
}

/* A wall across the room is all that is between them. */
static void test_map_creatures_slide_along_and_bite_nobody_through_it(void **state) {
    (void)state;
    struct fx_venue f;
    fx_open(&f);
    fx_box(&f.orders, 20, 0, 21, 64);
    fx_wave(&f.orders, 6);
    fx_spot(&f.orders, 24, 30, 2, 0xffff);
    fx_go(&f);
    fx_run_ms(f.sim, FX_BEGUN_MS);
    put(f.sim, f.b, 4, 4);
    put(f.sim, f.c, 4, 60);
    put(f.sim, f.a, 19.5, 30);
    for (uint32_t i = 0; i < 600; i++) {
        fx_run(f.sim, 1);
        assert_int_equal(assert_none_in_a_box(f.sim, &f.orders), 9);
    }
    const struct entities *e = f.sim->entities;
    for (uint32_t n = 0; n < game_creatures(f.sim->game); n++) { /* they came as near as they can */
        uint16_t index = game_creature(f.sim->game, n);
        assert_in_range(e->x[index] - fx_x(1, 0), M(21.5), M(21.5) + 1);
        assert_in_range(e->y[index], M(29), M(31));
    }
    assert_int_equal(f.sim->game->bodies[f.a].hit_points, game_full_health(f.sim->game, f.a));
    put(f.sim, f.a, 22, 30);
    fx_run_ms(f.sim, 3000);
    assert_true(f.sim->game->bodies[f.a].hit_points < game_full_health(f.sim->game, f.a));
    fx_close(&f);
}

/* --- coming in */

static void test_map_nobody_comes_in_or_rises_in_a_box(void **state) {
    (void)state;
    struct fx_venue f;
    struct wire_instance_order *o = fx_open(&f);
    o->rise_ms = 100;
    fx_box(&f.orders, 2, 0, 40, 60); /* all but a margin of the room */
    fx_box(&f.orders, 40, 2, 60, 64);
    fx_wave(&f.orders, 100);
    fx_go(&f);
    assert_int_equal(assert_none_in_a_box(f.sim, &f.orders), 3);
    fx_run_ms(f.sim, FX_BEGUN_MS);
    assert_int_equal(assert_none_in_a_box(f.sim, &f.orders), 103);
    for (uint32_t i = 0; i < 50; i++) {
        if (game_guest(f.sim->game, f.b).is_alive) fx_kill(f.sim, f.b, f.a);
        fx_run_ms(f.sim, FX_LOOK_MS);
        assert_none_in_a_box(f.sim, &f.orders);
    }
    assert_true(game_guest(f.sim->game, f.b).deaths >= 25);
    fx_close(&f);
}

/* Who came before the order, as when a block changes hands, is moved out by the next look. */
static void test_map_that_comes_to_be_known_late_moves_who_stands_in_it(void **state) {
    (void)state;
    struct fx_venue f;
    fx_open(&f);
    fx_box(&f.orders, 5, 5, 20, 20);
    f.orders.orders.instance_count = 0;
    fx_go(&f);
    fx_run(f.sim, 5);
    assert_true(is_in_box(f.sim, &f.orders, f.a));
    f.orders.orders.instance_count = 1;
    f.orders.orders.travel_count = 0;
    sim_instance_orders(f.sim, &f.orders.orders);
    fx_run_ms(f.sim, FX_LOOK_MS);
    assert_int_equal(assert_none_in_a_box(f.sim, &f.orders), 3);
    assert_at(f.sim, f.a, 4.5, 10);
    fx_close(&f);
}

/* More than there are places for rooms, a few at a time. */
static void test_map_is_forgotten_with_its_instance(void **state) {
    (void)state;
    struct fx_venue f;
    fx_open(&f);
    fx_box(&f.orders, 5, 5, 20, 20);
    for (uint32_t cell = 2; cell <= FX_ORDERS; cell++) fx_order(&f.orders, 5 + cell, cell)->box_count = 1;
    for (uint32_t i = 0; i < FX_ORDERS; i++) f.orders.instances[i].first_box = 0;
    for (uint64_t round = 0; round * FX_ORDERS <= WIRE_INSTANCES_MAX; round++) {
        sim_instance_orders(f.sim, &f.orders.orders);
        assert_int_equal(fx_status(f.sim, f.orders.instances[0].id).phase, WIRE_PHASE_RUNNING);
        struct directory gone = fx_directory(3 + 2 * round, 1, WIRE_SLOT_NONE),
                         back = fx_directory(4 + 2 * round, 0, WIRE_SLOT_NONE);
        assert_int_equal(sim_set_directory(f.sim, &gone), 0);
        assert_int_equal(sim_set_directory(f.sim, &back), 0);
        for (uint32_t i = 0; i < FX_ORDERS; i++) f.orders.instances[i].id += 100;
    }
    fx_close(&f);
}

static void test_map_that_leaves_no_place_to_stand_is_refused(void **state) {
    (void)state;
    struct fx_venue f;
    fx_open(&f);
    fx_box(&f.orders, 0, 0, FX_SIDE, FX_SIDE);
    fx_go(&f);
    assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_REFUSED);
    fx_close(&f);
}

/* --- at random */

static void test_map_players_with_any_inputs_are_never_in_a_box(void **state) {
    (void)state;
    struct rng rng = {5};
    for (uint32_t round = 0; round < 20; round++) {
        struct fx_venue f;
        struct wire_instance_order *o = fx_open(&f);
        o->rise_ms = 500;
        for (uint32_t i = 0; i < 16; i++) {
            uint16_t x = (uint16_t)rng_below(&rng, 60), y = (uint16_t)rng_below(&rng, 60);
            fx_box(&f.orders, x, y, (uint16_t)(x + 1 + rng_below(&rng, 12)), (uint16_t)(y + 1 + rng_below(&rng, 12)));
        }
        fx_wave(&f.orders, 20)->damage_percent = 20;
        fx_go(&f);
        for (uint32_t step = 0; step < 600; step++) {
            const uint16_t players[] = {f.a, f.b, f.c};
            for (uint32_t p = 0; p < 3; p++) {
                if (rng_below(&rng, 8) > 0) continue;
                game_input(f.sim->game, players[p],
                           (struct game_input){.move_x = (int8_t)(rng_below(&rng, 3)) - 1,
                                               .move_y = (int8_t)(rng_below(&rng, 3)) - 1,
                                               .buttons = (uint8_t)rng_below(&rng, 4),
                                               .aim = (uint16_t)rng_below(&rng, 65536)});
            }
            output_clear(sim_output(f.sim, 0));
            sim_tick(f.sim, sim_now(f.sim) + 1 + rng_below(&rng, SIM_STEP_MAX)); /* also after a stall */
            sim_looked(f.sim);
            assert_none_in_a_box(f.sim, &f.orders);
        }
        assert_true(fx_creatures(f.sim, 5) > 0);
        fx_close(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_stops_who_walks_into_a_wall),
        cmocka_unit_test(test_map_slides_along_and_past_the_end),
        cmocka_unit_test(test_map_is_that_of_its_instance_alone),
        cmocka_unit_test(test_map_no_attack_goes_through_a_wall),
        cmocka_unit_test(test_map_creatures_slide_along_and_bite_nobody_through_it),
        cmocka_unit_test(test_map_nobody_comes_in_or_rises_in_a_box),
        cmocka_unit_test(test_map_that_comes_to_be_known_late_moves_who_stands_in_it),
        cmocka_unit_test(test_map_is_forgotten_with_its_instance),
        cmocka_unit_test(test_map_that_leaves_no_place_to_stand_is_refused),
        cmocka_unit_test(test_map_players_with_any_inputs_are_never_in_a_box),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
