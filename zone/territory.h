/* territory.h: the world as one zone sees it: which part of it is its own, whose the others are, and where it ends.
 *
 * It is made of a version of the directory and changes only with it. Nothing is a wall but the edge of the world: places
 * that no partition has. Beyond it are blocks (schemas/cells.h): whoever stands in one is walled in by its cell. A zone owns
 * any number of partitions and blocks, or none: then it is a spare.
 *
 * The directory's partitions are few, so places are looked up by walking over them; the common questions, whether a step
 * stays in the world and whether a place is still mine, are answered by one rectangle first.
 */
#ifndef MARCH_ZONE_TERRITORY_H
#define MARCH_ZONE_TERRITORY_H

#include <stdbool.h>
#include <stdint.h>

#include "schemas/cells.h"
#include "schemas/directory.h"
#include "zone/grid.h"

struct territory {
    uint32_t slot;
    struct cells cells;     /* how blocks are cut; whoever owns the territory sets it once, before all else */
    struct grid_rect world; /* the least rectangle around all partitions but blocks */
    bool is_whole;          /* those fill it */
    struct directory directory;
};

/* territory_set makes it what `directory` says of `slot`; `cells` stays. */
void territory_set(struct territory *territory, const struct directory *directory, uint32_t slot);

/* territory_is_world tells whether a place (Q16.16 metres) belongs to any partition, blocks included. */
bool territory_is_world(const struct territory *territory, int32_t x, int32_t y);

/* territory_cell_walls is territory_walls for places that are not in the world's own rectangle. */
struct grid_rect territory_cell_walls(const struct territory *territory, int32_t x, int32_t y);

/* territory_walls returns the rectangle that walls in who stands at a place (Q16.16 metres): the world's, or in a block that
 * of the cell, the nearest where it is in a gap, or the whole block where that is not cut as `cells` says. */
static inline struct grid_rect territory_walls(const struct territory *territory, int32_t x, int32_t y) {
    const struct grid_rect *w = &territory->world;
    if (x >= w->x_min && x < w->x_max && y >= w->y_min && y < w->y_max) return *w;
    return territory_cell_walls(territory, x, y);
}

/* territory_owner returns the slot that owns a place, WIRE_SLOT_NONE where nobody does. */
uint32_t territory_owner(const struct territory *territory, int32_t x, int32_t y);

/* territory_keeps tells whether a partition is of interest to a slot: its own, or one that it still hands over. */
static inline bool territory_keeps(const struct wire_directory_partition *partition, uint32_t slot) {
    return partition->owner == slot || partition->former == slot;
}

/* territory_parts stores the rectangles of what is of interest to the zone itself, each `margin` (Q16.16) further out on
 * every side, and returns how many there are. */
uint32_t territory_parts(const struct territory *territory, int32_t margin, struct grid_rect rects[WIRE_PARTITIONS_MAX]);

/* territory_reach returns the least rectangle around what is of interest to the zone itself, `margin` (Q16.16) further out
 * on each side; false where nothing is. */
bool territory_reach(const struct territory *territory, int32_t margin, struct grid_rect *rect);

/* territory_rect is a rectangle of metres in Q16.16; its far sides are not part of it. */
static inline struct grid_rect territory_rect(struct wire_rect rect) {
    return (struct grid_rect){rect.min_x * 65536, rect.min_y * 65536, rect.max_x * 65536, rect.max_y * 65536};
}

#endif
