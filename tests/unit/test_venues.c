/* test_venues.c: instances in one zone: players that travel there, what is refused, and how everybody goes home. */
#include "tests/unit/venues_fixture.h"

/* --- travels */

static void test_instances_travel_keeps_the_way_home(void **state) {
    (void)state;
    struct fx_venue f;
    fx_open(&f);
    f.sim->game->bodies[f.a].hit_points = 17;
    fx_go(&f);
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
    fx_close(&f);
}

static void test_instances_travel_twice_is_harmless(void **state) {
    (void)state;
    struct fx_venue f;
    fx_open(&f);
    fx_go(&f);
    fx_run(f.sim, 5);
    f.orders.travels[0].x = fx_x(2, 30);
    f.orders.travels[0].instance = 6;
    sim_instance_orders(f.sim, &f.orders.orders);
    assert_int_equal(f.sim->entities->x[f.a], fx_x(1, 10));
    assert_int_equal(game_guest(f.sim->game, f.a).instance, 5);
    assert_int_equal(sim_character(f.sim, sim_slot(f.sim, 0, 1)).x, M(10) + 32768);
    assert_int_equal(sim_stats(f.sim)->travels, 3);
    fx_close(&f);
}

static void test_instances_nobody_travels_to_where_nothing_is_known(void **state) {
    (void)state;
    struct fx_venue f;
    fx_open(&f);
    const int32_t places[][2] = {{M(5000), M(5)}, {M(40), M(40)}, {fx_x(1, FX_SIDE + 5), M(5)}};
    for (unsigned i = 0; i < 3; i++) {
        f.orders.orders.travel_count = 0;
        fx_travel(&f.orders, 1, 5, 0, places[i][0], places[i][1]);
        fx_travel(&f.orders, 99, 5, 0, fx_x(1, 10), M(10)); /* nobody */
        sim_instance_orders(f.sim, &f.orders.orders);
        assert_int_equal(game_guest(f.sim->game, f.a).instance, 0);
    }
    fx_close(&f);
}

/* The link-dead travel, too, and what they are is carried from zone to zone. */
static void test_instances_journey_is_carried(void **state) {
    (void)state;
    struct fx_venue f;
    fx_open(&f);
    sim_cut(f.sim, 0, 1);
    fx_go(&f);
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
    fx_assert_home(f.sim, sim_entity_of(f.sim, slot));
    fx_close(&f);
}

/* --- ends */

static void test_instances_all_go_home_a_while_after_it_is_over(void **state) {
    (void)state;
    struct fx_venue f;
    struct wire_instance_order *o = fx_open(&f);
    o->ends_at_ms = (uint64_t)FX_START_TICK * 1000 / FX_HZ + 2000;
    fx_wave(&f.orders, 3);
    fx_go(&f);
    fx_run_ms(f.sim, 1500);
    assert_int_equal(fx_creatures(f.sim, 5), 3);
    fx_kill(f.sim, f.b, f.c);
    fx_run_ms(f.sim, 1000);
    assert_int_equal(fx_status(f.sim, 5).phase, WIRE_PHASE_OVER);
    assert_int_equal(game_creatures(f.sim->game), 0);
    fx_run_ms(f.sim, 4000);
    assert_int_equal(fx_status(f.sim, 5).players, 3);
    fx_run_ms(f.sim, 1000);
    fx_assert_home(f.sim, f.a);
    fx_assert_home(f.sim, f.b);
    fx_assert_home(f.sim, f.c);
    assert_true(fx_status(f.sim, 5).phase == WIRE_PHASE_OVER && fx_status(f.sim, 5).players == 0);
    fx_close(&f);
}

static void test_instances_ordered_end_is_answered_until_it_is_not_ordered(void **state) {
    (void)state;
    struct fx_venue f;
    struct wire_instance_order *o = fx_open(&f);
    fx_wave(&f.orders, 3);
    fx_go(&f);
    fx_run_ms(f.sim, FX_BEGUN_MS);
    o->state = WIRE_INSTANCE_END;
    o->version = 2;
    f.orders.orders.travel_count = 0;
    sim_instance_orders(f.sim, &f.orders.orders);
    fx_run(f.sim, 2);
    fx_assert_home(f.sim, f.a);
    fx_assert_home(f.sim, f.c);
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
    fx_close(&f);
}

/* It is told by a newer order that it is no member. */
static void test_instances_who_is_no_member_any_more_goes_home(void **state) {
    (void)state;
    struct fx_venue f;
    struct wire_instance_order *o = fx_open(&f);
    f.orders.orders.is_complete = true;
    fx_go(&f);
    fx_run_ms(f.sim, 3000);
    o->version = 2;
    o->first_member = 1; /* all but player 1 */
    o->member_count--;
    sim_instance_orders(f.sim, &f.orders.orders);
    fx_run_ms(f.sim, FX_LOOK_MS);
    assert_int_equal(fx_status(f.sim, 5).players, 2);
    fx_run_ms(f.sim, 2000);
    fx_assert_home(f.sim, f.a);
    assert_int_equal(game_guest(f.sim->game, f.b).instance, 5);
    fx_close(&f);
}

static void test_instances_players_of_an_unknown_one_go_home(void **state) {
    (void)state;
    struct fx_venue f;
    fx_open(&f);
    f.orders.orders.instance_count = 0;
    fx_go(&f);
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
    fx_assert_home(f.sim, f.a);
    fx_close(&f);
}

static void test_instances_player_in_a_block_without_a_journey_goes_somewhere_in_the_world(void **state) {
    (void)state;
    struct fx_venue f;
    struct wire_instance_order *o = fx_open(&f);
    o->id = 0; /* makes no sense */
    f.orders.orders.is_complete = true;
    sim_instance_orders(f.sim, &f.orders.orders);
    f.sim->entities->x[f.a] = fx_x(3, 5);
    f.sim->entities->y[f.a] = M(5);
    fx_run_ms(f.sim, 3000);
    assert_in_range(f.sim->entities->x[f.a], 0, M(64));
    assert_int_equal(sim_instances_stats(f.sim)->strays, 1);
    fx_close(&f);
}

static void test_instances_what_can_not_be_is_refused(void **state) {
    (void)state;
    struct fx_venue f;
    struct wire_instance_order *o = fx_open(&f);
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
    fx_run_ms(f.sim, FX_BEGUN_MS);
    assert_int_equal(game_creatures(f.sim->game), 200);
    f.orders.instances[1].cell = 6; /* thought over */
    f.orders.instances[1].version = 2;
    sim_instance_orders(f.sim, &f.orders.orders);
    assert_int_equal(fx_status(f.sim, 2).phase, WIRE_PHASE_RUNNING);
    fx_close(&f);
}

static void test_instances_same_seed_gives_the_same_places(void **state) {
    (void)state;
    int32_t x[2][8];
    for (uint32_t i = 0; i < 2; i++) {
        struct fx_venue f;
        fx_open(&f);
        struct wire_instance_order *o = fx_order(&f.orders, 8, 1);
        o->seed = 77;
        fx_wave(&f.orders, 8);
        if (i == 1) fx_order(&f.orders, 4, 9);
        if (i == 1) fx_wave(&f.orders, 5); /* another one, whatever happens there */
        f.orders.orders.instances++;
        f.orders.orders.instance_count--;
        sim_instance_orders(f.sim, &f.orders.orders);
        fx_run_ms(f.sim, FX_BEGUN_MS);
        uint32_t count = 0;
        for (uint32_t n = 0; n < game_creatures(f.sim->game); n++) {
            const struct creature *c = &f.sim->game->creatures[n];
            if (game_guest(f.sim->game, c->index).instance == 8) x[i][count++] = c->home_x;
        }
        assert_int_equal(count, 8);
        fx_close(&f);
    }
    assert_memory_equal(x[0], x[1], sizeof x[0]);
}

/* --- a table that is full */

enum { MANY_CELLS = 1024, MANY_SIDE = 8, MANY_PITCH = 60, RUN_MAX = WIRE_INSTANCES_MAX - VENUES_ANSWERS_MAX };

/* A zone with a block of as many cells as its table has places. */
static struct sim *sim_of_many(void) {
    struct sim_config config = fx_config(0);
    struct directory d = fx_directory(2, 0, WIRE_SLOT_NONE);
    config.cells = (struct cells){MANY_CELLS, MANY_SIDE, MANY_PITCH};
    d.partitions[1].rect = (struct wire_rect){FX_BLOCK_X, 0, FX_BLOCK_X + 16 * MANY_PITCH, 64 * MANY_PITCH};
    struct sim *sim = sim_create(&config);
    assert_true(sim && sim_set_directory(sim, &d) == 0);
    return sim;
}

static void order_one(struct sim *sim, uint32_t id, uint32_t cell, enum wire_instance_state state) {
    struct fx_orders o;
    fx_begin(&o);
    struct wire_instance_order *order = fx_order(&o, id, cell);
    order->side_m = MANY_SIDE;
    order->state = state;
    order->version = state == WIRE_INSTANCE_END ? 2 : 1;
    sim_instance_orders(sim, &o.orders);
}

static void test_instances_beyond_the_table_are_refused_until_there_is_room(void **state) {
    (void)state;
    struct sim *sim = sim_of_many();
    for (uint32_t id = 1; id <= WIRE_INSTANCES_MAX; id++) order_one(sim, id, id - 1, WIRE_INSTANCE_RUN);
    assert_int_equal(fx_status(sim, RUN_MAX).phase, WIRE_PHASE_RUNNING);
    for (uint32_t id = RUN_MAX + 1; id <= WIRE_INSTANCES_MAX; id++)
        assert_int_equal(fx_status(sim, id).phase, WIRE_PHASE_REFUSED);
    order_one(sim, 2000, 1000, WIRE_INSTANCE_RUN); /* no room even for that answer: it is asked again */
    assert_int_equal(fx_status(sim, 2000).id, 0);
    assert_int_equal(sim_instances_stats(sim)->orders_delayed, 1);
    for (uint32_t id = RUN_MAX + 1; id <= WIRE_INSTANCES_MAX; id++) order_one(sim, id, id - 1, WIRE_INSTANCE_END);
    fx_run_ms(sim, VENUES_ENDED_MS + FX_LOOK_MS);
    order_one(sim, 2000, 1000, WIRE_INSTANCE_RUN);
    assert_int_equal(fx_status(sim, 2000).phase, WIRE_PHASE_REFUSED);
    order_one(sim, 1, 0, WIRE_INSTANCE_END);
    fx_run_ms(sim, VENUES_ENDED_MS + FX_LOOK_MS);
    order_one(sim, 2001, 0, WIRE_INSTANCE_RUN);
    assert_int_equal(fx_status(sim, 2001).phase, WIRE_PHASE_RUNNING);
    sim_destroy(sim);
}

/* Orders that make no sense take no place of one that may run. */
static void test_instances_refused_take_no_place_of_those_that_run(void **state) {
    (void)state;
    struct sim *sim = sim_of_many();
    for (uint32_t id = 1; id <= WIRE_INSTANCES_MAX; id++) order_one(sim, id, MANY_CELLS, WIRE_INSTANCE_RUN);
    order_one(sim, 2000, 5, WIRE_INSTANCE_RUN);
    assert_int_equal(fx_status(sim, 2000).phase, WIRE_PHASE_RUNNING);
    sim_destroy(sim);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instances_travel_keeps_the_way_home),
        cmocka_unit_test(test_instances_travel_twice_is_harmless),
        cmocka_unit_test(test_instances_nobody_travels_to_where_nothing_is_known),
        cmocka_unit_test(test_instances_journey_is_carried),
        cmocka_unit_test(test_instances_all_go_home_a_while_after_it_is_over),
        cmocka_unit_test(test_instances_ordered_end_is_answered_until_it_is_not_ordered),
        cmocka_unit_test(test_instances_who_is_no_member_any_more_goes_home),
        cmocka_unit_test(test_instances_players_of_an_unknown_one_go_home),
        cmocka_unit_test(test_instances_player_in_a_block_without_a_journey_goes_somewhere_in_the_world),
        cmocka_unit_test(test_instances_what_can_not_be_is_refused),
        cmocka_unit_test(test_instances_same_seed_gives_the_same_places),
        cmocka_unit_test(test_instances_beyond_the_table_are_refused_until_there_is_room),
        cmocka_unit_test(test_instances_refused_take_no_place_of_those_that_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
