/* interest.c: see interest.h. */
#include "zone/interest.h"

#include <string.h>

#define RING_COUNT 128 /* rings of equal area for a crowded view: a ring holds under 2 % of what is in the radius */

void interest_prepare(struct views *views, const struct view_world *world) {
    const struct grid *grid = world->grid;
    CHECK(grid->count <= views->config.entities_max);
    for (uint32_t i = 0; i < grid->count; i++) {
        const struct net_state *state = &world->entities[grid->items[i]].state;
        views->places.x[i] = state->x;
        views->places.y[i] = state->y;
    }
    views->places.tick = world->tick;
    views->places.ready = true;
}

/* Four lanes at a time, as SSE4.1 has them; compilers lower it to whatever the target has. */
typedef int32_t lanes __attribute__((vector_size(16)));

static lanes clamp_lanes(lanes v, int32_t limit) {
    lanes high = {limit, limit, limit, limit};
    lanes over = v > high, under = v < -high;
    return (high & over) | (-high & under) | (v & ~(over | under));
}

static uint32_t count_within(const struct interest *interest, const int32_t *xs, const int32_t *ys, uint32_t count,
                             uint32_t limit2) {
    lanes cx = {interest->x, interest->x, interest->x, interest->x};
    lanes cy = {interest->y, interest->y, interest->y, interest->y};
    int32_t limit = (int32_t)limit2;
    lanes limits = {limit, limit, limit, limit}, sum = {0, 0, 0, 0};
    uint32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        lanes x, y;
        memcpy(&x, xs + i, sizeof(x));
        memcpy(&y, ys + i, sizeof(y));
        lanes dx = clamp_lanes(x - cx, INT16_MAX), dy = clamp_lanes(y - cy, INT16_MAX);
        sum -= dx * dx + dy * dy <= limits; /* a true lane is -1 */
    }
    uint32_t inside = (uint32_t)(sum[0] + sum[1] + sum[2] + sum[3]);
    for (; i < count; i++) inside += interest_distance2(interest, xs[i], ys[i]) <= limit2;
    return inside;
}

static struct grid_run row_run(const struct view_world *world, const struct interest *interest, uint32_t row) {
    return grid_row_run(world->grid, interest->area, row);
}

static uint32_t scan_count(const struct views *views, const struct view_world *world, const struct interest *interest) {
    uint32_t inside = 0;
    for (uint32_t row = interest->area.row_first; row <= interest->area.row_last; row++) {
        struct grid_run run = row_run(world, interest, row);
        inside += count_within(interest, views->places.x + run.begin, views->places.y + run.begin, run.end - run.begin,
                               interest->inner2);
    }
    return inside;
}

static void scan_rings(const struct views *views, const struct view_world *world, const struct interest *interest,
                       unsigned shift, uint32_t rings[RING_COUNT]) {
    for (uint32_t row = interest->area.row_first; row <= interest->area.row_last; row++) {
        struct grid_run run = row_run(world, interest, row);
        for (uint32_t i = run.begin; i < run.end; i++) {
            uint32_t distance2 = interest_distance2(interest, views->places.x[i], views->places.y[i]);
            if (distance2 <= interest->inner2) rings[distance2 >> shift]++;
        }
    }
}

/* Returns the last ring up to which at most `slots` entities stand, at least the first: of a crowd on one spot, any will do.
 * Adds up the entities up to there. */
static uint32_t fitting_ring(const uint32_t rings[RING_COUNT], uint32_t slots, uint32_t *sum) {
    uint32_t ring = 0;
    *sum = rings[0];
    while (ring + 1 < RING_COUNT && *sum + rings[ring + 1] <= slots) *sum += rings[++ring];
    return ring;
}

/* Shrinks the radii to what `slots` can hold, when more than that is inside: newcomers take seven eighths, the rest is for
 * those who stay. */
static void shrink(const struct views *views, const struct view_world *world, struct interest *interest, uint32_t slots) {
    uint32_t rings[RING_COUNT] = {0}, sum;
    unsigned shift = 0;
    while (interest->inner2 >> shift >= RING_COUNT) shift++;
    scan_rings(views, world, interest, shift, rings);
    interest->outer2 = ((fitting_ring(rings, slots, &sum) + 1) << shift) - 1;
    uint32_t inner2 = ((fitting_ring(rings, slots - slots / 8, &sum) + 1) << shift) - 1;
    if (inner2 >= interest->inner2) return; /* all on one spot */
    interest->inner2 = inner2;
    interest->inside = sum;
}

struct interest interest_scan(const struct views *views, const struct view_world *world, const struct view_request *request,
                              uint32_t slots, bool is_new) {
    uint32_t radius = request->radius < VIEW_RADIUS_MAX ? request->radius : VIEW_RADIUS_MAX;
    uint32_t outer = radius + radius / 10;
    if (is_new) radius = outer;
    struct interest interest = {.x = request->x, .y = request->y, .inner2 = radius * radius, .outer2 = outer * outer};
    /* The grid files by exact places, published ones are rounded down: one unit more finds all. */
    int64_t x = (int64_t)request->x * (1 << NET_POSITION_SHIFT), y = (int64_t)request->y * (1 << NET_POSITION_SHIFT);
    int64_t reach = (int64_t)(radius + 1) << NET_POSITION_SHIFT;
    interest.area = grid_area_between(world->grid, x - reach, y - reach, x + reach, y + reach);
    interest.inside = scan_count(views, world, &interest);
    if (interest.inside > slots) {
        shrink(views, world, &interest, slots);
    } else if (interest.inside > slots - slots / 8) {
        interest.outer2 = interest.inner2; /* the slots are for who is inside */
    }
    return interest;
}

uint32_t interest_next(const struct views *views, const struct view_world *world, const struct interest *interest,
                       struct interest_cursor *cursor) {
    for (;;) {
        for (; cursor->next < cursor->end; cursor->next++) {
            uint32_t i = cursor->next, entity = world->grid->items[i];
            if (interest_distance2(interest, views->places.x[i], views->places.y[i]) > interest->inner2) continue;
            if (views->present[entity / 64] >> (entity % 64) & 1) continue;
            cursor->next++;
            return i;
        }
        uint32_t row = interest->area.row_first + cursor->rows_done;
        if (row > interest->area.row_last) return UINT32_MAX;
        struct grid_run run = row_run(world, interest, row);
        cursor->next = run.begin;
        cursor->end = run.end;
        cursor->rows_done++;
    }
}
