/* grid.h: who stands where: a uniform grid over a zone's rectangle, rebuilt each tick.
 *
 * One counting sort files the index of every living entity under its cell: `items` holds the indices cell by cell, row by
 * row; with s the part of `cell_start` that is a row's, the ones of its cell c are items[s[c]] to items[s[c + 1] - 1].
 * Neighbouring cells of a row are neighbours in `items` too, so a query of a rectangle is one run of items per row:
 *
 *     struct grid_area area = grid_area_around(grid, x, y, radius);
 *     for (uint32_t row = area.row_first; row <= area.row_last; row++) {
 *         struct grid_run run = grid_row_run(grid, area, row);
 *         for (uint32_t i = run.begin; i < run.end; i++) use(grid->items[i]);
 *     }
 *
 * A run holds whole cells: the caller tests distances. Inside a cell the order is that of the list the grid was built from.
 * What stands outside the rectangle is filed under the nearest cell of the border.
 *
 * Rebuilding costs two passes over the entities and one over the cells of the rows in which there are any (2,000 entities,
 * 64 x 64 cells: about 10 us), and leaves nothing to keep up to date while things move. A row without any has only zeros, so
 * a large grid with little in it, as around a block of instances, costs little. Limits: GRID_CELLS_MAX cells, `items_max`
 * items; nothing allocates after create.
 */
#ifndef MARCH_ZONE_GRID_H
#define MARCH_ZONE_GRID_H

#include <stdint.h>

#include "common/error.h"

#define GRID_CELLS_MAX (1u << 20)

/* A rectangle of the world in Q16.16 metres; the far sides are not part of it. */
struct grid_rect {
    int32_t x_min, y_min, x_max, y_max;
};

struct grid {
    int32_t origin_x, origin_y; /* Q16.16 metres */
    unsigned cell_shift;        /* a cell is 1 << cell_shift in Q16.16 on a side */
    uint32_t columns, rows;
    uint32_t *cell_start; /* columns + 1 of each row: the last is where the row ends */
    uint32_t *rows_used;  /* those that have items, in no order */
    uint32_t rows_used_count;
    uint16_t *items;
    uint32_t count;
    uint32_t items_max;
    uint32_t *cell_of; /* scratch: the cell of each entry of the list the grid is built from */
};

/* The cells a query touches, ends included. */
struct grid_area {
    uint32_t column_first, column_last, row_first, row_last;
};

/* The items of neighbouring cells of one row: `begin` to `end - 1`. */
struct grid_run {
    uint32_t begin, end;
};

/* grid_create covers `rect` with cells of `cell_m` metres, a power of two from 1 to 4096, for at most `items_max` entities.
 * Returns NULL when there is no memory, or when that takes more than GRID_CELLS_MAX cells. */
struct grid *grid_create(struct grid_rect rect, uint32_t cell_m, uint32_t items_max);
void grid_destroy(struct grid *grid);

/* grid_build files the `count` indices in `list` by their places x[index], y[index]. `count` is at most items_max. */
void grid_build(struct grid *grid, const uint16_t *list, uint32_t count, const int32_t *x, const int32_t *y);

static inline uint32_t grid_axis(int64_t offset, unsigned cell_shift, uint32_t cells) {
    if (offset < 0) return 0;
    uint64_t cell = (uint64_t)offset >> cell_shift;
    return cell < cells ? (uint32_t)cell : cells - 1;
}

static inline uint32_t grid_column(const struct grid *grid, int64_t x) {
    return grid_axis(x - grid->origin_x, grid->cell_shift, grid->columns);
}

static inline uint32_t grid_row(const struct grid *grid, int64_t y) {
    return grid_axis(y - grid->origin_y, grid->cell_shift, grid->rows);
}

/* grid_area_between returns the cells that touch a rectangle (Q16.16, ends included), clamped to the grid. */
static inline struct grid_area grid_area_between(const struct grid *grid, int64_t x_min, int64_t y_min, int64_t x_max,
                                                 int64_t y_max) {
    return (struct grid_area){grid_column(grid, x_min), grid_column(grid, x_max), grid_row(grid, y_min),
                              grid_row(grid, y_max)};
}

/* grid_area_around returns the cells within `radius` (Q16.16) of a point along both axes. */
static inline struct grid_area grid_area_around(const struct grid *grid, int32_t x, int32_t y, int32_t radius) {
    return grid_area_between(grid, (int64_t)x - radius, (int64_t)y - radius, (int64_t)x + radius, (int64_t)y + radius);
}

/* grid_row_run returns the items of one row of an area. */
static inline struct grid_run grid_row_run(const struct grid *grid, struct grid_area area, uint32_t row) {
    const uint32_t *start = grid->cell_start + row * (grid->columns + 1);
    return (struct grid_run){start[area.column_first], start[area.column_last + 1]};
}

#endif
