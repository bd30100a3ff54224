#include "schemas/cells.h"

#include "common/check.h"

struct cells cells_of(const struct config *config) {
    const struct config_instances *i = &config->instances;
    return (struct cells){.per_block = i->blocks > 0 ? i->cells : 0,
                          .side_m = (int32_t)i->side_m,
                          .pitch_m = (int32_t)i->side_m + blocks_gap_m(config)};
}

struct wire_rect cells_rect(const struct cells *c, const struct wire_directory_partition *block, uint32_t cell) {
    CHECK(cell < c->per_block);
    int32_t x = block->rect.min_x + (int32_t)(cell % CELLS_PER_ROW) * c->pitch_m;
    int32_t y = block->rect.min_y + (int32_t)(cell / CELLS_PER_ROW) * c->pitch_m;
    return (struct wire_rect){x, y, x + c->side_m, y + c->side_m};
}

/* Returns which of `count` cells in a line a place is nearest to, the one before it where it is in the middle of a gap. */
static uint32_t nearest(const struct cells *c, int32_t min_m, int32_t position, uint32_t count) {
    int64_t half_gap = (int64_t)(c->pitch_m - c->side_m) * 32768;
    int64_t offset = position - (int64_t)min_m * 65536 + half_gap;
    int64_t n = offset < 0 ? 0 : offset / ((int64_t)c->pitch_m * 65536);
    return n < count ? (uint32_t)n : count - 1;
}

uint32_t cells_near(const struct cells *c, const struct wire_directory_partition *block, int32_t x, int32_t y) {
    CHECK(c->per_block > 0);
    uint32_t row = nearest(c, block->rect.min_y, y, (c->per_block + CELLS_PER_ROW - 1) / CELLS_PER_ROW);
    uint32_t left = c->per_block - row * CELLS_PER_ROW; /* in that row and those above */
    return row * CELLS_PER_ROW + nearest(c, block->rect.min_x, x, left < CELLS_PER_ROW ? left : CELLS_PER_ROW);
}

bool cells_at(const struct cells *c, const struct wire_directory_partition *block, int32_t x, int32_t y, uint32_t *cell) {
    if (c->per_block == 0) return false;
    *cell = cells_near(c, block, x, y);
    struct wire_rect r = cells_rect(c, block, *cell);
    int32_t x_m = x >> 16, y_m = y >> 16;
    return x_m >= r.min_x && x_m < r.max_x && y_m >= r.min_y && y_m < r.max_y;
}

struct wire_rect cells_block_rect(const struct config *config, uint32_t n) {
    struct config_rect r = blocks_rect(config, n);
    return (struct wire_rect){r.x_m, r.y_m, r.x_m + r.width_m, r.y_m + r.height_m};
}
