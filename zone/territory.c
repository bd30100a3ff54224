#include "zone/territory.h"

static int64_t area_of(const struct grid_rect *r) {
    return ((int64_t)r->x_max - r->x_min) / 65536 * (((int64_t)r->y_max - r->y_min) / 65536);
}

void territory_set(struct territory *t, const struct directory *directory, uint32_t slot) {
    *t = (struct territory){.slot = slot, .cells = t->cells, .directory = *directory};
    t->world = territory_rect(directory_world(directory));
    int64_t filled = 0;
    for (uint32_t i = 0; i < directory->partition_count; i++) {
        if (cells_is_block(directory->partitions[i].id)) continue;
        struct grid_rect rect = territory_rect(directory->partitions[i].rect);
        filled += area_of(&rect);
    }
    t->is_whole = filled == area_of(&t->world);
}

bool territory_is_world(const struct territory *t, int32_t x, int32_t y) {
    const struct grid_rect *w = &t->world;
    bool inside = x >= w->x_min && x < w->x_max && y >= w->y_min && y < w->y_max;
    return (inside && t->is_whole) || directory_at(&t->directory, x, y);
}

struct grid_rect territory_cell_walls(const struct territory *t, int32_t x, int32_t y) {
    const struct wire_directory_partition *partition = t->cells.per_block > 0 ? directory_at(&t->directory, x, y) : NULL;
    if (!partition || !cells_is_block(partition->id)) return t->world;
    struct wire_rect cell = cells_rect(&t->cells, partition, cells_near(&t->cells, partition, x, y));
    bool is_in_it = cell.max_x <= partition->rect.max_x && cell.max_y <= partition->rect.max_y;
    return territory_rect(is_in_it ? cell : partition->rect); /* not in it: the block is of another configuration */
}

uint32_t territory_owner(const struct territory *t, int32_t x, int32_t y) {
    const struct wire_directory_partition *partition = directory_at(&t->directory, x, y);
    return partition ? partition->owner : WIRE_SLOT_NONE;
}

static int32_t clamped(int64_t position) {
    return position < INT32_MIN ? INT32_MIN : position > INT32_MAX ? INT32_MAX : (int32_t)position;
}

uint32_t territory_parts(const struct territory *t, int32_t margin, struct grid_rect rects[WIRE_PARTITIONS_MAX]) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < t->directory.partition_count; i++) {
        if (!territory_keeps(&t->directory.partitions[i], t->slot)) continue;
        struct grid_rect r = territory_rect(t->directory.partitions[i].rect);
        rects[count++] = (struct grid_rect){clamped((int64_t)r.x_min - margin), clamped((int64_t)r.y_min - margin),
                                            clamped((int64_t)r.x_max + margin), clamped((int64_t)r.y_max + margin)};
    }
    return count;
}

bool territory_reach(const struct territory *t, int32_t margin, struct grid_rect *rect) {
    struct grid_rect rects[WIRE_PARTITIONS_MAX];
    uint32_t count = territory_parts(t, margin, rects);
    if (count > 0) *rect = rects[0];
    for (uint32_t i = 1; i < count; i++) {
        const struct grid_rect *r = &rects[i];
        if (r->x_min < rect->x_min) rect->x_min = r->x_min;
        if (r->y_min < rect->y_min) rect->y_min = r->y_min;
        if (r->x_max > rect->x_max) rect->x_max = r->x_max;
        if (r->y_max > rect->y_max) rect->y_max = r->y_max;
    }
    return count > 0;
}
