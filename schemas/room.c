/* room.c: see room.h. */
#include "schemas/room.h"

#include <stdlib.h>

#include "common/check.h"

/* --- places */

static const struct room_box *box_at(const struct room *room, int32_t x, int32_t y) {
    for (uint32_t i = 0; i < room->count; i++) {
        const struct room_box *b = &room->boxes[i];
        if (x > b->x_min && x < b->x_max && y > b->y_min && y < b->y_max) return b;
    }
    return NULL;
}

bool room_is_free(const struct room *room, int32_t x, int32_t y) {
    return !box_at(room, x, y);
}

/* leave_x returns the first place from x on, up or down, that is in no box; leave_y the same along y. No box is met twice.
 */
static int32_t leave_x(const struct room *room, int32_t x, int32_t y, bool up) {
    for (const struct room_box *b; (b = box_at(room, x, y));) x = up ? b->x_max : b->x_min;
    return x;
}

static int32_t leave_y(const struct room *room, int32_t x, int32_t y, bool up) {
    for (const struct room_box *b; (b = box_at(room, x, y));) y = up ? b->y_max : b->y_min;
    return y;
}

void room_leave(const struct room *room, int32_t *x, int32_t *y) {
    if (room_is_free(room, *x, *y)) return;
    const int32_t ways[4][2] = {{leave_x(room, *x, *y, false), *y},
                                {leave_x(room, *x, *y, true), *y},
                                {*x, leave_y(room, *x, *y, false)},
                                {*x, leave_y(room, *x, *y, true)}};
    const struct room_box *w = &room->walls;
    int64_t nearest = INT64_MAX;
    int32_t to_x = room->entry_x, to_y = room->entry_y;
    for (unsigned i = 0; i < 4; i++) {
        int64_t distance = llabs((int64_t)ways[i][0] - *x) + llabs((int64_t)ways[i][1] - *y);
        bool is_within =
            ways[i][0] >= w->x_min && ways[i][0] <= w->x_max && ways[i][1] >= w->y_min && ways[i][1] <= w->y_max;
        if (!is_within || distance >= nearest) continue;
        nearest = distance;
        to_x = ways[i][0];
        to_y = ways[i][1];
    }
    *x = to_x;
    *y = to_y;
}

/* --- making */

/* next_row returns where the first box ends that a row passes through: up to there all that stands in it stands. */
static int32_t next_row(const struct room *room, int32_t y) {
    int32_t next = INT32_MAX;
    for (uint32_t i = 0; i < room->count; i++) {
        const struct room_box *b = &room->boxes[i];
        if (y > b->y_min && y < b->y_max && b->y_max < next) next = b->y_max;
    }
    return next;
}

static int find_entry(struct room *room) {
    const struct room_box *w = &room->walls;
    for (int32_t y = w->y_min; y <= w->y_max; y = next_row(room, y)) {
        room->entry_x = leave_x(room, w->x_min, y, true);
        room->entry_y = y;
        if (room->entry_x <= w->x_max) return 0;
    }
    return MARCH_ERR_INVALID;
}

static int32_t up_to(int32_t min_m, uint32_t offset_m, int32_t max_m) {
    return offset_m < (uint32_t)(max_m - min_m) ? (min_m + (int32_t)offset_m) * 65536 : max_m * 65536;
}

static int32_t in_plane(int64_t position) {
    return (int32_t)(position < INT32_MIN ? INT32_MIN : position > INT32_MAX ? INT32_MAX : position);
}

int room_make(struct room *room, struct wire_rect rect, const struct wire_instance_box *boxes, uint32_t count) {
    CHECK(rect.max_x > rect.min_x && rect.max_y > rect.min_y && count <= WIRE_INSTANCE_BOXES_MAX);
    *room = (struct room){.walls = {rect.min_x * 65536 + ROOM_BODY, rect.min_y * 65536 + ROOM_BODY,
                                    rect.max_x * 65536 - ROOM_BODY, rect.max_y * 65536 - ROOM_BODY}};
    for (uint32_t i = 0; i < count; i++) {
        struct room_box b = {
            up_to(rect.min_x, boxes[i].x_min_m, rect.max_x), up_to(rect.min_y, boxes[i].y_min_m, rect.max_y),
            up_to(rect.min_x, boxes[i].x_max_m, rect.max_x), up_to(rect.min_y, boxes[i].y_max_m, rect.max_y)};
        if (b.x_min >= b.x_max || b.y_min >= b.y_max) continue;
        room->boxes[room->count++] =
            (struct room_box){in_plane((int64_t)b.x_min - ROOM_BODY), in_plane((int64_t)b.y_min - ROOM_BODY),
                              in_plane((int64_t)b.x_max + ROOM_BODY), in_plane((int64_t)b.y_max + ROOM_BODY)};
    }
    return find_entry(room);
}

/* --- ways */

int32_t room_walk_x(const struct room *room, int32_t x, int32_t y, int32_t to_x) {
    for (uint32_t i = 0; i < room->count; i++) {
        const struct room_box *b = &room->boxes[i];
        if (y <= b->y_min || y >= b->y_max) continue;
        if (x <= b->x_min && to_x > b->x_min) to_x = b->x_min;
        if (x >= b->x_max && to_x < b->x_max) to_x = b->x_max;
    }
    return to_x;
}

int32_t room_walk_y(const struct room *room, int32_t x, int32_t y, int32_t to_y) {
    for (uint32_t i = 0; i < room->count; i++) {
        const struct room_box *b = &room->boxes[i];
        if (x <= b->x_min || x >= b->x_max) continue;
        if (y <= b->y_min && to_y > b->y_min) to_y = b->y_min;
        if (y >= b->y_max && to_y < b->y_max) to_y = b->y_max;
    }
    return to_y;
}

/* --- sight */

/* is_cut tells whether the line through a place along (dx, dy) has corners of a box on both sides. The box is within reach
 * of the line's end, so each product is below 2^53. */
static bool is_cut(const struct room_box *b, int32_t x, int32_t y, int64_t dx, int64_t dy) {
    int64_t left = ((int64_t)b->x_min - x) * dy, right = ((int64_t)b->x_max - x) * dy;
    int64_t below = ((int64_t)b->y_min - y) * dx, above = ((int64_t)b->y_max - y) * dx;
    const int64_t sides[4] = {below - left, below - right, above - left, above - right};
    bool is_some = false, is_other = false;
    for (unsigned i = 0; i < 4; i++) {
        is_some |= sides[i] > 0;
        is_other |= sides[i] < 0;
    }
    return is_some && is_other;
}

bool room_sees(const struct room *room, int32_t x, int32_t y, int32_t to_x, int32_t to_y) {
    int32_t left = x < to_x ? x : to_x, right = x < to_x ? to_x : x;
    int32_t below = y < to_y ? y : to_y, above = y < to_y ? to_y : y;
    for (uint32_t i = 0; i < room->count; i++) {
        const struct room_box *b = &room->boxes[i];
        struct room_box solid = {b->x_min + ROOM_BODY, b->y_min + ROOM_BODY, b->x_max - ROOM_BODY, b->y_max - ROOM_BODY};
        if (right <= solid.x_min || left >= solid.x_max || above <= solid.y_min || below >= solid.y_max) continue;
        if (is_cut(&solid, x, y, (int64_t)to_x - x, (int64_t)to_y - y)) return false;
    }
    return true;
}
