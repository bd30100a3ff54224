/* test_directory.c: who has which part of the world. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schemas/cells.h"
#include "schemas/directory.h"

static struct config_gateway gateways[1] = {{.name = "gateway-0"}};
static struct config_zone zones[3] = {{.name = "zone-0", .rect = {-100, 0, 100, 50}, .creatures = 7},
                                      {.name = "zone-1", .rect = {0, 0, 60, 50}},
                                      {.name = "zone-2"}};
static const struct config fixed = {.gateways = gateways, .gateways_count = 1, .zones = zones, .zones_count = 3};

static void test_directory_initial_gives_each_slot_its_rectangle(void **state) {
    (void)state;
    struct directory d;
    directory_initial(&d, &fixed);
    assert_int_equal(d.version, 1);
    assert_int_equal(d.partition_count, 2);
    assert_true(directory_owns(&d, 0) && directory_owns(&d, 1) && !directory_owns(&d, 2));
    assert_int_equal(directory_find(&d, 0)->creatures, 7);
    assert_null(directory_find(&d, 2));
    struct wire_rect world = directory_world(&d);
    assert_true(world.min_x == -100 && world.min_y == 0 && world.max_x == 60 && world.max_y == 50);
}

static void test_directory_at_borders_takes_the_greater_side(void **state) {
    (void)state;
    struct directory d;
    directory_initial(&d, &fixed);
    assert_int_equal(directory_at(&d, -1, 0)->id, 0);
    assert_int_equal(directory_at(&d, 0, 0)->id, 1);
    assert_int_equal(directory_at(&d, -100 * 65536, 50 * 65536 - 1)->id, 0);
    assert_null(directory_at(&d, -100 * 65536 - 1, 0));
    assert_null(directory_at(&d, 0, 50 * 65536));
}

static void test_directory_take_only_what_is_newer(void **state) {
    (void)state;
    struct config config = fixed;
    config.matchmaker = (struct config_matchmaker){.name = "matchmaker-0"};
    struct directory d, other;
    directory_initial(&d, &config);
    directory_initial(&other, &config);
    other.partition_count = 1;
    other.workers[1].incarnation = 9;
    struct wire_directory in = directory_view(&other);
    assert_false(directory_take(&d, &in));
    assert_int_equal(d.partition_count, 2);
    in.version = 2;
    assert_true(directory_take(&d, &in));
    assert_int_equal(d.partition_count, 1);
    assert_int_equal(d.version, 2);
    assert_true(directory_hears(&d, 1, 9));
    assert_false(directory_hears(&d, 1, 8) || directory_hears(&d, 0, 0) || directory_hears(&d, 3, 9));
    d.workers[1].state = WIRE_WORKER_AWAY; /* dead, and named only until it is fenced */
    assert_false(directory_hears(&d, 1, 9));
}

static void test_directory_without_a_matchmaker_never_changes(void **state) {
    (void)state;
    struct directory d;
    directory_initial(&d, &fixed);
    struct wire_directory in = {.version = 5};
    assert_false(directory_take(&d, &in));
    assert_true(directory_hears(&d, 0, 1234));
}

static void test_directory_blocks_wait_for_an_owner_beyond_the_world(void **state) {
    (void)state;
    struct config config = fixed;
    config.matchmaker = (struct config_matchmaker){.name = "matchmaker-0"};
    config.instances = (struct config_instances){.blocks = 2, .cells = 20, .side_m = 16};
    struct directory d;
    directory_initial(&d, &config);
    assert_int_equal(d.partition_count, 4);
    for (uint32_t n = 0; n < 2; n++) {
        const struct wire_directory_partition *p = directory_find(&d, CELLS_BLOCK_BIT | n);
        struct wire_rect rect = cells_block_rect(&config, n);
        assert_memory_equal(&p->rect, &rect, sizeof rect);
        assert_true(p->owner == WIRE_SLOT_NONE && p->former == WIRE_SLOT_NONE && p->creatures == 0);
        assert_ptr_equal(directory_at(&d, rect.min_x * 65536, rect.min_y * 65536), p);
    }
    struct wire_rect world = directory_world(&d);
    assert_true(world.min_x == -100 && world.min_y == 0 && world.max_x == 60 && world.max_y == 50);
    d.partitions[0] = d.partitions[2];
    d.partition_count = 1;
    world = directory_world(&d);
    assert_true(world.min_x == 0 && world.min_y == 0 && world.max_x == 0 && world.max_y == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directory_initial_gives_each_slot_its_rectangle),
        cmocka_unit_test(test_directory_blocks_wait_for_an_owner_beyond_the_world),
        cmocka_unit_test(test_directory_at_borders_takes_the_greater_side),
        cmocka_unit_test(test_directory_take_only_what_is_newer),
        cmocka_unit_test(test_directory_without_a_matchmaker_never_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
