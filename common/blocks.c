#include "common/blocks.h"

#include "common/check.h"

/* The least rectangle around all zones. */
struct bounds {
    int32_t min_y, max_x;
};

static struct bounds world_of(const struct config *config) {
    struct bounds world = {CONFIG_METRES_MAX, CONFIG_METRES_MIN};
    for (uint32_t i = 0; i < config->zones_count; i++) {
        const struct config_rect *r = &config->zones[i].rect;
        if (config_zone_is_spare(&config->zones[i])) continue;
        if (r->y_m < world.min_y) world.min_y = r->y_m;
        if (r->x_m + r->width_m > world.max_x) world.max_x = r->x_m + r->width_m;
    }
    return world;
}

/* How blocks are laid out: `room` of them, column by column. */
struct layout {
    int32_t x_m, y_m, width_m, height_m, gap_m;
    uint32_t per_column, room;
};

int32_t blocks_gap_m(const struct config *config) {
    return (int32_t)config->world.view_radius_m + BLOCKS_GAP_M;
}

static uint32_t fitting(int32_t space_m, int32_t size_m, int32_t gap_m) {
    if (space_m < size_m) return 0;
    uint32_t count = (uint32_t)((space_m + gap_m) / (size_m + gap_m));
    return count < CONFIG_BLOCKS_MAX ? count : CONFIG_BLOCKS_MAX;
}

static struct layout layout_of(const struct config *config) {
    struct bounds world = world_of(config);
    const struct config_instances *i = &config->instances;
    int32_t gap_m = blocks_gap_m(config), pitch_m = (int32_t)i->side_m + gap_m;
    int32_t cells = (int32_t)i->cells, columns = cells < BLOCKS_CELLS_PER_ROW ? cells : BLOCKS_CELLS_PER_ROW;
    struct layout l = {.x_m = world.max_x + gap_m,
                       .width_m = columns * pitch_m,
                       .height_m = (cells + BLOCKS_CELLS_PER_ROW - 1) / BLOCKS_CELLS_PER_ROW * pitch_m,
                       .gap_m = gap_m};
    l.per_column = fitting(CONFIG_METRES_MAX - CONFIG_METRES_MIN, l.height_m, gap_m);
    l.room = l.per_column * fitting(CONFIG_METRES_MAX - l.x_m, l.width_m, gap_m);
    if (l.room > CONFIG_BLOCKS_MAX) l.room = CONFIG_BLOCKS_MAX;
    int32_t highest = CONFIG_METRES_MAX - ((int32_t)l.per_column * (l.height_m + gap_m) - gap_m);
    l.y_m = world.min_y < highest ? world.min_y : highest;
    return l;
}

struct config_rect blocks_rect(const struct config *config, uint32_t n) {
    struct layout l = layout_of(config);
    CHECK(n < l.room);
    return (struct config_rect){l.x_m + (int32_t)(n / l.per_column) * (l.width_m + l.gap_m),
                                l.y_m + (int32_t)(n % l.per_column) * (l.height_m + l.gap_m), l.width_m, l.height_m};
}

uint32_t blocks_room(const struct config *config) {
    return layout_of(config).room;
}
