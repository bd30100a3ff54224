/* test_cells.c: where blocks are, and how they are cut into cells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/blocks.h"
#include "schemas/cells.h"

static struct config_zone zones[3] = {{.rect = {-100, 50, 200, 100}}, {.rect = {100, 50, 60, 80}}, {.name = "spare"}};

static struct config config_of(uint32_t blocks, uint32_t cells, uint32_t side_m) {
    return (struct config){.zones = zones,
                           .zones_count = 3,
                           .world = {.view_radius_m = 40},
                           .instances = {.blocks = blocks, .cells = cells, .side_m = side_m}};
}

static struct wire_directory_partition block_of(const struct config *config, uint32_t n) {
    return (struct wire_directory_partition){.id = CELLS_BLOCK_BIT | n, .rect = cells_block_rect(config, n)};
}

static void test_cells_are_sixteen_in_a_row_with_gaps_wider_than_a_view(void **state) {
    (void)state;
    struct config config = config_of(1, 256, 128);
    struct cells cells = cells_of(&config);
    assert_int_equal(cells.per_block, 256);
    assert_int_equal(cells.pitch_m, 128 + 40 + CELLS_GAP_M);
    struct wire_directory_partition block = block_of(&config, 0);
    assert_int_equal(block.rect.min_x, 160 + 40 + CELLS_GAP_M);
    assert_int_equal(block.rect.min_y, 50);
    assert_int_equal(block.rect.max_x - block.rect.min_x, 16 * 184);
    assert_int_equal(block.rect.max_y - block.rect.min_y, 16 * 184);
    struct wire_rect rect = cells_rect(&cells, &block, 35);
    assert_int_equal(rect.min_x, block.rect.min_x + 3 * 184);
    assert_int_equal(rect.min_y, block.rect.min_y + 2 * 184);
    assert_int_equal(rect.max_x, rect.min_x + 128);
    assert_int_equal(rect.max_y, rect.min_y + 128);
    assert_false(cells_is_block(35) || !cells_is_block(block.id));
}

static void test_cells_of_a_place_are_those_whose_rectangle_has_it(void **state) {
    (void)state;
    static const uint32_t counts[] = {1, 7, 16, 17, 35, 256};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        struct config config = config_of(1, counts[c], 16);
        struct cells cells = cells_of(&config);
        struct wire_directory_partition block = block_of(&config, 0);
        for (uint32_t i = 0; i < counts[c]; i++) {
            struct wire_rect r = cells_rect(&cells, &block, i);
            uint32_t cell;
            assert_true(r.min_x >= block.rect.min_x && r.max_x <= block.rect.max_x && r.max_y <= block.rect.max_y);
            assert_true(cells_at(&cells, &block, r.min_x * 65536, r.min_y * 65536, &cell) && cell == i);
            assert_true(cells_at(&cells, &block, r.max_x * 65536 - 1, r.max_y * 65536 - 1, &cell) && cell == i);
            assert_false(cells_at(&cells, &block, r.max_x * 65536, r.min_y * 65536, &cell));
            assert_false(cells_at(&cells, &block, r.min_x * 65536 - 1, r.min_y * 65536, &cell));
            assert_false(cells_at(&cells, &block, r.min_x * 65536, r.max_y * 65536, &cell));
            assert_int_equal(cells_near(&cells, &block, r.max_x * 65536, r.min_y * 65536 - 1), i);
        }
    }
}

static void test_cells_of_no_blocks_are_none(void **state) {
    (void)state;
    struct config config = config_of(0, 256, 128);
    struct cells cells = cells_of(&config);
    struct wire_directory_partition block = {.id = CELLS_BLOCK_BIT, .rect = {1000, 0, 2000, 1000}};
    uint32_t cell;
    assert_int_equal(cells.per_block, 0);
    assert_false(cells_at(&cells, &block, 1000 * 65536, 0, &cell));
}

static void check_apart(const struct config *config, uint32_t count) {
    int32_t gap_m = blocks_gap_m(config);
    for (uint32_t n = 0; n < count; n++) {
        struct wire_rect a = cells_block_rect(config, n);
        assert_true(a.min_x >= 160 + gap_m && a.min_y >= CONFIG_METRES_MIN);
        assert_true(a.max_x <= CONFIG_METRES_MAX && a.max_y <= CONFIG_METRES_MAX);
        for (uint32_t m = 0; m < n; m++) {
            struct wire_rect b = cells_block_rect(config, m);
            assert_true(a.min_x >= b.max_x + gap_m || a.min_y >= b.max_y + gap_m || b.min_y >= a.max_y + gap_m);
        }
    }
}

static void test_cells_blocks_of_any_size_are_apart_in_the_plane(void **state) {
    (void)state;
    static const struct {
        uint32_t cells, side_m, room;
    } cases[] = {{256, 128, 8}, {1, 16, 8}, {1024, 16, 8}, {1024, 128, 8}, {1024, 512, 3}, {256, 512, 8}, {400, 512, 8}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config config = config_of(1, cases[i].cells, cases[i].side_m);
        assert_int_equal(blocks_room(&config), cases[i].room);
        check_apart(&config, cases[i].room);
    }
}

static void test_cells_blocks_do_not_move_when_there_are_more(void **state) {
    (void)state;
    struct config one = config_of(1, 256, 128), many = config_of(8, 256, 128);
    struct wire_rect before = cells_block_rect(&one, 0), after = cells_block_rect(&many, 0);
    assert_memory_equal(&before, &after, sizeof before);
}

static void test_cells_beside_a_world_without_room_there_are_none(void **state) {
    (void)state;
    struct config config = config_of(1, 256, 128);
    static struct config_zone wide = {.rect = {-32768, 0, 65535, 100}};
    config.zones = &wide;
    config.zones_count = 1;
    assert_int_equal(blocks_room(&config), 0);
    wide.rect.width_m = 65535 - 40 - CELLS_GAP_M - 16 * 184;
    assert_int_equal(blocks_room(&config), 8);
    wide.rect.width_m++;
    assert_int_equal(blocks_room(&config), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells_are_sixteen_in_a_row_with_gaps_wider_than_a_view),
        cmocka_unit_test(test_cells_of_a_place_are_those_whose_rectangle_has_it),
        cmocka_unit_test(test_cells_of_no_blocks_are_none),
        cmocka_unit_test(test_cells_blocks_of_any_size_are_apart_in_the_plane),
        cmocka_unit_test(test_cells_blocks_do_not_move_when_there_are_more),
        cmocka_unit_test(test_cells_beside_a_world_without_room_there_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
