/* test_instances_placement.c: which zone gets an instance. Block 0 is of slot 1, block 1 of slot 2, and so on. */
#include "tests/unit/instances_fixture.h"

#define BLOCKS 3

static int setup(void **state) {
    struct fixture *f = fixture_create(BLOCKS, FIXTURE_CELLS);
    fixture_pass(f, 100);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture_destroy(*state);
    return 0;
}

static void set_busy(struct fixture *f, uint32_t first, uint32_t second, uint32_t third) {
    instances_zone_load(f->instances, 1, first, false);
    instances_zone_load(f->instances, 2, second, false);
    instances_zone_load(f->instances, 3, third, false);
}

/* launch returns the slot that got an instance with so many creatures. */
static uint32_t launch(struct fixture *f, uint32_t creatures) {
    struct template t = fixture_template();
    uint32_t id;
    t.waves[0].creatures = creatures;
    t.wave_count = 1;
    assert_int_equal(fixture_launch(f, &t, 1, 0, &id), 0);
    return fixture_view(f, id).slot;
}

static void forget_placed(struct fixture *f) {
    fixture_pass(f, 10 * 1000);
}

static void test_zone_that_is_least_busy_gets_it(void **state) {
    struct fixture *f = *state;
    assert_int_equal(launch(f, 100), 1);
    assert_int_equal(launch(f, 100), 2);
    assert_int_equal(launch(f, 100), 3);
    forget_placed(f);
    set_busy(f, 400, 300, 500);
    for (int i = 0; i < 3; i++) assert_int_equal(launch(f, 10), 2); /* though it has the most by then */
    set_busy(f, 400, 300, 100);
    assert_int_equal(launch(f, 10), 3);
}

static void test_zones_that_are_about_as_busy_are_told_apart_by_what_they_have(void **state) {
    struct fixture *f = *state;
    set_busy(f, 149, 120, 110);
    assert_int_equal(launch(f, 30), 1);
    assert_int_equal(launch(f, 20), 2);
    assert_int_equal(launch(f, 10), 3);
    assert_int_equal(launch(f, 1), 3);
    assert_int_equal(launch(f, 1), 3);
}

/* Reports say nothing yet of what has just been launched. */
static void test_crowd_that_comes_at_once_is_shared(void **state) {
    struct fixture *f = *state;
    uint32_t counts[FIXTURE_SLOTS] = {0};
    set_busy(f, 0, 60, 120);
    for (int i = 0; i < 12; i++) counts[launch(f, 100)]++;
    assert_true(counts[1] >= counts[2] && counts[2] >= counts[3] && counts[3] > 0);
    forget_placed(f);
    assert_int_equal(launch(f, 100), 1); /* the reports of now know of all of them */
}

static void test_zone_that_drains_gets_none(void **state) {
    struct fixture *f = *state;
    struct template t = fixture_template();
    uint32_t id;
    instances_zone_load(f->instances, 1, 0, true);
    instances_zone_load(f->instances, 2, 500, false);
    instances_zone_load(f->instances, 3, 600, false);
    assert_int_equal(instances_stats_get(f->instances).cells_free, 2 * FIXTURE_CELLS);
    assert_true(instances_has_room(f->instances));
    for (int i = 0; i < FIXTURE_CELLS; i++) assert_int_equal(launch(f, 1), 2);
    assert_int_equal(launch(f, 1), 3);
    instances_zone_load(f->instances, 3, 600, true);
    assert_int_equal(instances_stats_get(f->instances).cells_free, 0);
    assert_false(instances_has_room(f->instances)); /* and no match is formed */
    assert_int_equal(fixture_launch(f, &t, 1, 1, &id), MARCH_ERR_FULL);
    instances_zone_load(f->instances, 1, 0, false);
    assert_int_equal(launch(f, 1), 1);
}

static void test_zone_that_is_too_busy_gets_none(void **state) {
    struct fixture *f = *state;
    struct template t = fixture_template();
    uint32_t id;
    set_busy(f, INSTANCES_BUSY_MAX, INSTANCES_BUSY_MAX + 1, INSTANCES_BUSY_MAX - 1);
    for (int i = 0; i < FIXTURE_CELLS; i++) assert_int_equal(launch(f, 1), 3);
    assert_int_equal(fixture_launch(f, &t, 1, 1, &id), MARCH_ERR_FULL);
    assert_int_equal(instances_stats_get(f->instances).cells_free, 0);
    set_busy(f, 300, INSTANCES_BUSY_MAX, INSTANCES_BUSY_MAX);
    assert_int_equal(launch(f, 1), 1);
}

static void test_zone_of_the_matchs_region_comes_first(void **state) {
    struct fixture *f = *state;
    const uint32_t regions[FIXTURE_SLOTS] = {INSTANCES_ANYWHERE, 0, INSTANCES_ANYWHERE, 1};
    memcpy(f->regions, regions, sizeof regions);
    fixture_restart(f);
    fixture_pass(f, 100);
    set_busy(f, 0, 300, 600);
    f->region = 1;
    for (int i = 0; i < FIXTURE_CELLS; i++) assert_int_equal(launch(f, 1), 3);
    assert_int_equal(launch(f, 1), 2); /* of no region: nearer than one of another */
    f->region = 2;
    assert_int_equal(launch(f, 1), 2);
    f->region = INSTANCES_ANYWHERE;
    assert_int_equal(launch(f, 1), 1);
    f->region = 0;
    set_busy(f, INSTANCES_BUSY_MAX, 300, 600);
    assert_int_equal(launch(f, 1), 2);
    set_busy(f, 0, INSTANCES_BUSY_MAX, 600);
    f->region = 1;
    assert_int_equal(launch(f, 1), 1); /* rather than nowhere */
}

int main(void) {
#define placed(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        placed(test_zone_that_is_least_busy_gets_it),
        placed(test_zones_that_are_about_as_busy_are_told_apart_by_what_they_have),
        placed(test_crowd_that_comes_at_once_is_shared),
        placed(test_zone_that_drains_gets_none),
        placed(test_zone_that_is_too_busy_gets_none),
        placed(test_zone_of_the_matchs_region_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
