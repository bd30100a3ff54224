/* test_territory.c: the world as one zone sees it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "zone/territory.h"

#define M(metres) ((int32_t)((metres)*65536))

/* A world in the form of an L: 1 owns the corner, 2 has the arm to the right and 1 still hands it over, nobody the arm
 * above. */
static struct directory l_shape(void) {
    return (struct directory){
        .version = 5,
        .partition_count = 3,
        .partitions = {{.id = 0, .rect = {0, 0, 100, 100}, .owner = 1, .former = WIRE_SLOT_NONE},
                       {.id = 1, .rect = {100, 0, 200, 100}, .owner = 2, .former = 1},
                       {.id = 2, .rect = {0, 100, 100, 200}, .owner = WIRE_SLOT_NONE, .former = WIRE_SLOT_NONE}}};
}

static void test_territory_places_have_owners_up_to_the_edge_of_the_world(void **state) {
    (void)state;
    struct directory d = l_shape();
    struct territory t = {0};
    territory_set(&t, &d, 1);
    static const struct {
        double x, y;
        bool is_world;
        uint32_t owner;
    } cases[] = {{0, 0, true, 1},
                 {99.9, 99.9, true, 1},
                 {100, 0, true, 2},
                 {199.9, 99, true, 2},
                 {200, 50, false, WIRE_SLOT_NONE},
                 {50, 150, true, WIRE_SLOT_NONE},
                 {150, 150, false, WIRE_SLOT_NONE},
                 {-0.1, 0, false, WIRE_SLOT_NONE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(territory_is_world(&t, M(cases[i].x), M(cases[i].y)), cases[i].is_world);
        assert_int_equal(territory_owner(&t, M(cases[i].x), M(cases[i].y)), cases[i].owner);
    }
    assert_false(t.is_whole);
}

static void test_territory_reaches_over_what_is_own_and_what_is_handed_over(void **state) {
    (void)state;
    struct directory d = l_shape();
    struct territory t = {0};
    struct grid_rect rect;
    territory_set(&t, &d, 1);
    assert_true(territory_reach(&t, M(10), &rect));
    assert_true(rect.x_min == M(-10) && rect.y_min == M(-10) && rect.x_max == M(210) && rect.y_max == M(110));
    territory_set(&t, &d, 2);
    assert_true(territory_reach(&t, 0, &rect));
    assert_true(rect.x_min == M(100) && rect.x_max == M(200));
    territory_set(&t, &d, 3);
    assert_false(territory_reach(&t, M(10), &rect));
}

static void test_territory_parts_are_what_is_own_and_what_is_handed_over_grown(void **state) {
    (void)state;
    struct directory d = l_shape();
    struct territory t = {0};
    struct grid_rect parts[WIRE_PARTITIONS_MAX];
    territory_set(&t, &d, 1);
    assert_int_equal(territory_parts(&t, M(10), parts), 2);
    assert_true(parts[0].x_min == M(-10) && parts[0].y_min == M(-10) && parts[0].x_max == M(110) &&
                parts[0].y_max == M(110));
    assert_true(parts[1].x_min == M(90) && parts[1].y_min == M(-10) && parts[1].x_max == M(210) && parts[1].y_max == M(110));
    territory_set(&t, &d, 3);
    assert_int_equal(territory_parts(&t, M(10), parts), 0);
}

static void test_territory_at_the_ends_of_the_plane_does_not_overflow(void **state) {
    (void)state;
    struct directory d = {.partition_count = 1, .partitions = {{.rect = {-32768, -32768, 32767, 32767}, .owner = 0}}};
    struct territory t = {0};
    struct grid_rect rect;
    territory_set(&t, &d, 0);
    assert_true(t.is_whole && territory_is_world(&t, INT32_MIN, INT32_MIN));
    assert_true(territory_reach(&t, M(100), &rect));
    assert_true(rect.x_min == INT32_MIN && rect.x_max == INT32_MAX);
}

/* The world of l_shape, and beyond it two blocks of 20 cells: 16 in the first row, 4 in the second. */
static const struct cells cells = {.per_block = 20, .side_m = 32, .pitch_m = 50};

static struct directory with_blocks(void) {
    struct directory d = l_shape();
    d.partitions[d.partition_count++] = (struct wire_directory_partition){
        .id = CELLS_BLOCK_BIT, .rect = {1000, 0, 1800, 100}, .owner = 3, .former = WIRE_SLOT_NONE};
    d.partitions[d.partition_count++] = (struct wire_directory_partition){
        .id = CELLS_BLOCK_BIT | 1, .rect = {1000, 200, 1800, 300}, .owner = 1, .former = WIRE_SLOT_NONE};
    return d;
}

static void test_territory_walls_are_the_world_or_the_cell(void **state) {
    (void)state;
    struct directory d = with_blocks();
    struct territory t = {.cells = cells};
    territory_set(&t, &d, 1);
    static const struct {
        double x, y;
        struct wire_rect walls;
    } cases[] = {
        {0, 0, {0, 0, 200, 200}},           {150, 150, {0, 0, 200, 200}}, /* nobody's, but between the world's sides */
        {500, 50, {0, 0, 200, 200}},                                      /* nowhere */
        {1000, 0, {1000, 0, 1032, 32}},     {1031.9, 31.9, {1000, 0, 1032, 32}},
        {1032, 10, {1000, 0, 1032, 32}}, /* in a gap, nearer to this one */
        {1042, 42, {1050, 50, 1082, 82}},   {1790, 10, {1750, 0, 1782, 32}},
        {1500, 60, {1150, 50, 1182, 82}}, /* the second row ends before */
        {1160, 299, {1150, 250, 1182, 282}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct grid_rect walls = territory_walls(&t, M(cases[i].x), M(cases[i].y));
        struct grid_rect expected = territory_rect(cases[i].walls);
        if (memcmp(&walls, &expected, sizeof walls) != 0) fail_msg("case %zu", i);
    }
}

static void test_territory_blocks_are_no_part_of_what_the_world_is(void **state) {
    (void)state;
    struct directory d = with_blocks();
    struct territory t = {.cells = cells};
    territory_set(&t, &d, 1);
    assert_true(t.world.x_max == M(200) && t.world.y_max == M(200));
    assert_false(t.is_whole);
    assert_true(territory_is_world(&t, M(1010), M(10)) && territory_is_world(&t, M(1010), M(210)));
    assert_false(territory_is_world(&t, M(1010), M(150)) || territory_is_world(&t, M(900), M(10)));
    assert_int_equal(territory_owner(&t, M(1010), M(10)), 3);
    d.partitions[d.partition_count++] = (struct wire_directory_partition){.id = 9, .rect = {100, 100, 200, 200}};
    territory_set(&t, &d, 1);
    assert_true(t.is_whole && t.cells.per_block == 20);
    assert_true(territory_is_world(&t, M(1010), M(10)) && territory_is_world(&t, M(150), M(150)));
    assert_false(territory_is_world(&t, M(900), M(10)));
    struct grid_rect parts[WIRE_PARTITIONS_MAX];
    assert_int_equal(territory_parts(&t, 0, parts), 3);
}

static void test_territory_block_that_is_cut_otherwise_is_walled_as_a_whole(void **state) {
    (void)state;
    struct directory d = with_blocks();
    struct territory t = {.cells = {.per_block = 20, .side_m = 200, .pitch_m = 300}};
    d.partitions[3].rect = (struct wire_rect){32700, 0, 32767, 100};
    territory_set(&t, &d, 1);
    struct grid_rect walls = territory_walls(&t, M(32710), M(10)), expected = territory_rect(d.partitions[3].rect);
    assert_memory_equal(&walls, &expected, sizeof walls);
}

static void test_territory_of_no_blocks_has_one_rectangle_of_walls(void **state) {
    (void)state;
    struct directory d = with_blocks();
    struct territory t = {0}; /* as of a configuration without any */
    territory_set(&t, &d, 1);
    struct grid_rect walls = territory_walls(&t, M(1010), M(10));
    assert_memory_equal(&walls, &t.world, sizeof walls);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_territory_places_have_owners_up_to_the_edge_of_the_world),
        cmocka_unit_test(test_territory_reaches_over_what_is_own_and_what_is_handed_over),
        cmocka_unit_test(test_territory_parts_are_what_is_own_and_what_is_handed_over_grown),
        cmocka_unit_test(test_territory_at_the_ends_of_the_plane_does_not_overflow),
        cmocka_unit_test(test_territory_walls_are_the_world_or_the_cell),
        cmocka_unit_test(test_territory_blocks_are_no_part_of_what_the_world_is),
        cmocka_unit_test(test_territory_block_that_is_cut_otherwise_is_walled_as_a_whole),
        cmocka_unit_test(test_territory_of_no_blocks_has_one_rectangle_of_walls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
