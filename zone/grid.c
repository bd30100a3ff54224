#include "zone/grid.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

static uint32_t cells_across(int32_t min, int32_t max, unsigned cell_shift) {
    uint64_t span = (uint64_t)((int64_t)max - min);
    return (uint32_t)((span + (1ULL << cell_shift) - 1) >> cell_shift);
}

struct grid *grid_create(struct grid_rect rect, uint32_t cell_m, uint32_t items_max) {
    CHECK(rect.x_min < rect.x_max && rect.y_min < rect.y_max);
    CHECK(cell_m >= 1 && cell_m <= 4096 && (cell_m & (cell_m - 1)) == 0);
    unsigned cell_shift = 16 + (unsigned)__builtin_ctz(cell_m);
    uint32_t columns = cells_across(rect.x_min, rect.x_max, cell_shift);
    uint32_t rows = cells_across(rect.y_min, rect.y_max, cell_shift);
    if ((uint64_t)columns * rows > GRID_CELLS_MAX) return NULL;

    struct grid *grid = calloc(1, sizeof *grid);
    if (!grid) return NULL;
    *grid = (struct grid){.origin_x = rect.x_min,
                          .origin_y = rect.y_min,
                          .cell_shift = cell_shift,
                          .columns = columns,
                          .rows = rows,
                          .items_max = items_max};
    grid->cell_start = calloc((size_t)(columns + 1) * rows, sizeof *grid->cell_start);
    grid->rows_used = calloc(rows, sizeof *grid->rows_used);
    grid->items = calloc(items_max, sizeof *grid->items);
    grid->cell_of = calloc(items_max, sizeof *grid->cell_of);
    if (!grid->cell_start || !grid->rows_used || !grid->items || !grid->cell_of) {
        grid_destroy(grid);
        return NULL;
    }
    return grid;
}

void grid_destroy(struct grid *grid) {
    if (!grid) return;
    free(grid->cell_start);
    free(grid->rows_used);
    free(grid->items);
    free(grid->cell_of);
    free(grid);
}

static void forget_rows(struct grid *grid) {
    uint32_t stride = grid->columns + 1;
    for (uint32_t i = 0; i < grid->rows_used_count; i++)
        memset(grid->cell_start + grid->rows_used[i] * stride, 0, stride * sizeof *grid->cell_start);
    grid->rows_used_count = 0;
}

/* Counts each cell's items one place ahead, sums the counts to starts, then files the items from the back: filing takes
 * each cell's counter down from its end to its start, and items of one cell keep the order of the list. While counting, the
 * end of a row tells whether it is used. */
void grid_build(struct grid *grid, const uint16_t *list, uint32_t count, const int32_t *x, const int32_t *y) {
    CHECK(count <= grid->items_max);
    uint32_t columns = grid->columns, sum = 0;
    forget_rows(grid);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = grid_row(grid, y[list[i]]), first = row * (columns + 1);
        uint32_t cell = first + grid_column(grid, x[list[i]]);
        if (grid->cell_start[first + columns] == 0) grid->rows_used[grid->rows_used_count++] = row;
        grid->cell_start[first + columns] = 1;
        grid->cell_of[i] = cell;
        grid->cell_start[cell]++;
    }
    for (uint32_t i = 0; i < grid->rows_used_count; i++) {
        uint32_t *start = grid->cell_start + grid->rows_used[i] * (columns + 1);
        for (uint32_t c = 0; c < columns; c++) {
            sum += start[c];
            start[c] = sum;
        }
        start[columns] = sum;
    }
    for (uint32_t i = count; i-- > 0;) grid->items[--grid->cell_start[grid->cell_of[i]]] = list[i];
    grid->count = count;
}
