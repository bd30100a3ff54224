/* room.h: the room of an instance: walls around a square, and solid boxes in it.
 *
 * Nobody is nearer to what is solid than half a metre, so a body is a point, and each box that much larger on every side:
 * its sides are not part of it, so who leans against one is free. All of it is a function of integers.
 *
 * Limits: WIRE_INSTANCE_BOXES_MAX boxes, of which each call looks at each once; room_make and room_leave at each some times
 * more. A room has a place to stand, or it is none.
 */
#ifndef MARCH_SCHEMAS_ROOM_H
#define MARCH_SCHEMAS_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "schemas/wire.h"

#define ROOM_BODY 32768 /* half a metre: how near one comes to what is solid */

/* Where no body's middle is, Q16.16 metres. */
struct room_box {
    int32_t x_min, y_min, x_max, y_max;
};

struct room {
    struct room_box walls; /* within these it is, sides included */
    int32_t entry_x, entry_y;
    uint32_t count;
    struct room_box boxes[WIRE_INSTANCE_BOXES_MAX];
};

/* room_make makes the room of a rectangle, metres, at least one on a side, with up to WIRE_INSTANCE_BOXES_MAX boxes; of each
 * counts what is within the rectangle. MARCH_ERR_INVALID where they leave no place to stand. */
must_check int room_make(struct room *room, struct wire_rect rect, const struct wire_instance_box *boxes, uint32_t count);

/* room_is_free tells whether a place is in no box. */
bool room_is_free(const struct room *room, int32_t x, int32_t y);

/* room_leave moves a place that is in a box to the nearest that is not, along x or y; where there is none within the walls,
 * to the entry: the first free place from the least corner on. */
void room_leave(const struct room *room, int32_t *x, int32_t *y);

/* room_walk_x returns how far a body comes on its way from a free place along x; room_walk_y the same along y. */
int32_t room_walk_x(const struct room *room, int32_t x, int32_t y, int32_t to_x);
int32_t room_walk_y(const struct room *room, int32_t x, int32_t y, int32_t to_y);

/* room_sees tells whether nothing solid is between two places, which are no farther apart than a room is wide. */
bool room_sees(const struct room *room, int32_t x, int32_t y, int32_t to_x, int32_t to_y);

#endif
