/* Grid: against a naive twin that looks at every entity, and the edges of the rectangle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "zone/grid.h"

#define M(metres) ((int32_t)((metres)*65536))

enum { N = 500 };

static uint32_t next_random(uint32_t *random) {
    *random = *random * 1664525u + 1013904223u;
    return *random >> 8;
}

static uint32_t items_in(const struct grid *grid) {
    struct grid_area all = {0, grid->columns - 1, 0, grid->rows - 1};
    uint32_t count = 0;
    for (uint32_t row = 0; row < grid->rows; row++) {
        struct grid_run run = grid_row_run(grid, all, row);
        count += run.end - run.begin;
    }
    return count;
}

static void test_grid_query_finds_all_that_a_full_scan_finds(void **state) {
    (void)state;
    struct grid_rect rect = {M(-100), M(50), M(156), M(250)};
    struct grid *grid = grid_create(rect, 16, N);
    int32_t x[N], y[N];
    uint16_t list[N];
    uint32_t random = 99;
    for (uint32_t round = 0; round < 20; round++) {
        for (uint16_t i = 0; i < N; i++) {
            list[i] = (uint16_t)(N - 1 - i);
            x[i] = rect.x_min - M(5) + (int32_t)(next_random(&random) % (uint32_t)M(266)); /* some outside */
            y[i] = rect.y_min - M(5) + (int32_t)(next_random(&random) % (uint32_t)M(210));
        }
        grid_build(grid, list, N, x, y);
        assert_int_equal(items_in(grid), N);
        int32_t cx = x[round], cy = y[round], radius = M(round * 3);
        uint8_t seen[N] = {0};
        struct grid_area area = grid_area_around(grid, cx, cy, radius);
        for (uint32_t row = area.row_first; row <= area.row_last; row++) {
            struct grid_run run = grid_row_run(grid, area, row);
            for (uint32_t i = run.begin; i < run.end; i++) {
                assert_int_equal(seen[grid->items[i]], 0);
                seen[grid->items[i]] = 1;
            }
        }
        for (uint16_t i = 0; i < N; i++) {
            int64_t dx = (int64_t)x[i] - cx, dy = (int64_t)y[i] - cy;
            if (dx * dx + dy * dy <= (int64_t)radius * radius) assert_int_equal(seen[i], 1);
        }
    }
    grid_destroy(grid);
}

static void test_grid_rows_that_are_left_are_empty(void **state) {
    (void)state;
    struct grid *grid = grid_create((struct grid_rect){0, 0, M(64), M(64)}, 16, 2);
    int32_t x[] = {M(1), M(60)}, y[] = {M(50), M(1)};
    const uint16_t list[] = {0, 1};
    grid_build(grid, list, 2, x, y);
    struct grid_area area = {3, 3, 0, 3};
    assert_int_equal(grid->items[grid_row_run(grid, area, 0).begin], 1);
    y[0] = y[1] = M(20);
    for (uint32_t count = 2; count != UINT32_MAX; count--) {
        grid_build(grid, list, count, x, y);
        assert_int_equal(items_in(grid), count);
        assert_int_equal(grid_row_run(grid, area, 1).end, count);
        assert_int_equal(grid_row_run(grid, area, 0).end + grid_row_run(grid, area, 3).end, 0);
    }
    grid_destroy(grid);
}

static void test_grid_items_of_a_cell_keep_the_order_of_the_list(void **state) {
    (void)state;
    struct grid *grid = grid_create((struct grid_rect){0, 0, M(64), M(64)}, 16, 4);
    const int32_t x[] = {M(1), M(2), M(20), M(3)}, y[] = {M(1), M(1), M(1), M(1)};
    const uint16_t list[] = {3, 2, 0, 1};
    grid_build(grid, list, 4, x, y);
    const uint16_t expected[] = {3, 0, 1, 2};
    assert_memory_equal(grid->items, expected, sizeof expected);
    grid_destroy(grid);
}

static void test_grid_extreme_coordinates_are_clamped(void **state) {
    (void)state;
    struct grid *grid = grid_create((struct grid_rect){INT32_MIN, INT32_MIN, INT32_MAX, INT32_MAX}, 128, 2);
    const int32_t x[] = {INT32_MIN, INT32_MAX}, y[] = {INT32_MIN, INT32_MAX};
    const uint16_t list[] = {0, 1};
    grid_build(grid, list, 2, x, y);
    struct grid_area area = grid_area_around(grid, INT32_MAX, INT32_MAX, INT32_MAX);
    assert_int_equal(area.column_last, grid->columns - 1);
    assert_int_equal(area.row_last, grid->rows - 1);
    assert_int_equal(grid_row_run(grid, area, grid->rows - 1).end, 2);
    grid_destroy(grid);
}

static void test_grid_with_too_many_cells_is_refused(void **state) {
    (void)state;
    assert_null(grid_create((struct grid_rect){INT32_MIN, INT32_MIN, INT32_MAX, INT32_MAX}, 1, 2));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grid_query_finds_all_that_a_full_scan_finds),
        cmocka_unit_test(test_grid_rows_that_are_left_are_empty),
        cmocka_unit_test(test_grid_items_of_a_cell_keep_the_order_of_the_list),
        cmocka_unit_test(test_grid_extreme_coordinates_are_clamped),
        cmocka_unit_test(test_grid_with_too_many_cells_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
