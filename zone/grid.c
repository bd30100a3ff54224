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
    grid->cell_start = calloc((size_t)columns * rows + 1, sizeof *grid->cell_start);
    grid->items = calloc(items_max, sizeof *grid->items);
    grid->cell_of = calloc(items_max, sizeof *grid->cell_of);
    if (!grid->cell_start || !grid->items || !grid->cell_of) {
        grid_destroy(grid);
        return NULL;
    }
    return grid;
}

void grid_destroy(struct grid *grid) {
    if (!grid) return;
    free(grid->cell_start);
    free(grid->items);
    free(grid->cell_of);
    free(grid);
}

/* Counts each cell's items one place ahead, sums the counts to starts, then files the items from the back: filing takes
 * each cell's counter down from its end to its start, and items of one cell keep the order of the list. */
void grid_build(struct grid *grid, const uint16_t *list, uint32_t count, const int32_t *x, const int32_t *y) {
    CHECK(count <= grid->items_max);
    uint32_t cells = grid->columns * grid->rows;
    memset(grid->cell_start, 0, (cells + 1) * sizeof *grid->cell_start);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t cell = grid_row(grid, y[list[i]]) * grid->columns + grid_column(grid, x[list[i]]);
        grid->cell_of[i] = cell;
        grid->cell_start[cell]++;
    }
    uint32_t sum = 0;
    for (uint32_t cell = 0; cell <= cells; cell++) {
        sum += grid->cell_start[cell];
        grid->cell_start[cell] = sum;
    }
    for (uint32_t i = count; i-- > 0;) grid->items[--grid->cell_start[grid->cell_of[i]]] = list[i];
    grid->count = count;
}
