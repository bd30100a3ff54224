/* interest.h: who is near enough to be seen.
 *
 * The inner radius decides who comes, the outer one, 10 % further, who goes: an entity on the edge does not flicker. Where
 * more stands inside than a view has slots, both shrink until it fits, so that the nearest are seen: newcomers may take
 * seven eighths, the rest keeps those on the edge from flickering.
 */
#ifndef MARCH_ZONE_INTEREST_H
#define MARCH_ZONE_INTEREST_H

#include <stdint.h>

#include "zone/view_layout.h"

struct interest {
    int32_t x, y;    /* 1/64 m */
    uint32_t inner2; /* squares of distances in 1/64 m */
    uint32_t outer2;
    uint32_t inside; /* entities within the inner radius */
    struct grid_area area;
};

/* interest_distance2 returns the square of a distance. Each axis counts as 512 m at most, which is beyond every radius. */
static inline uint32_t interest_distance2(const struct interest *interest, int32_t x, int32_t y) {
    int32_t dx = x - interest->x, dy = y - interest->y;
    dx = dx > INT16_MAX ? INT16_MAX : dx < -INT16_MAX ? -INT16_MAX : dx;
    dy = dy > INT16_MAX ? INT16_MAX : dy < -INT16_MAX ? -INT16_MAX : dy;
    return (uint32_t)(dx * dx) + (uint32_t)(dy * dy);
}
_Static_assert(VIEW_RADIUS_MAX + VIEW_RADIUS_MAX / 10 < INT16_MAX, "the outer radius is below the clamp");

/* interest_prepare lays out the places of all entities for this tick's scans. */
void interest_prepare(struct views *views, const struct view_world *world);

/* interest_scan finds the radii for a view of at most `slots` others, and counts who is inside. A new view has those between
 * the radii, too: the client may come from another zone, in whose view they were. */
struct interest interest_scan(const struct views *views, const struct view_world *world, const struct view_request *request,
                              uint32_t slots, bool is_new);

/* interest_next returns where in the grid's items the next entity within the inner radius stands whose bit in
 * views->present is clear; UINT32_MAX when there is none. The cursor starts zeroed. */
struct interest_cursor {
    uint32_t rows_done;
    uint32_t next, end;
};
uint32_t interest_next(const struct views *views, const struct view_world *world, const struct interest *interest,
                       struct interest_cursor *cursor);

#endif
