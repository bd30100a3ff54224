/* map_view.h: what is in a map file, for zonectl map. All of the file is read and checked. */
#ifndef MARCH_ZONECTL_MAP_VIEW_H
#define MARCH_ZONECTL_MAP_VIEW_H

#include <stddef.h>

#include <jansson.h>

#include "common/error.h"
#include "common/map_file.h"

#define MAP_VIEW_COLUMNS    64
#define MAP_VIEW_ROWS       32
#define MAP_VIEW_ERROR_SIZE 4608 /* a path and a line */

/* Seen from above, the least corner of the plane below on the left: a letter stands for `chunks` x `chunks` chunks, '.' for
 * none in which a box is, a digit or '#' for so many, or ten and more; a box counts in each chunk that it touches. */
struct map_overview {
    unsigned chunks;
    unsigned rows, columns;                            /* 0: nothing is in the map */
    char letters[MAP_VIEW_ROWS][MAP_VIEW_COLUMNS + 1]; /* the greatest y first */
    double x_min_m, y_min_m;                           /* of the corner below on the left */
};

/* map_view returns a new object: {"file", "version", "hash", "bytes", "chunks", "chunk_m", "boxes", "stored", "fullest",
 * "bounds": {"x_m": [from, to], "y_m", "z_m"}}; `stored` counts a box in each chunk that it touches, `fullest` is the most
 * boxes in a chunk, and `bounds` is null without boxes. NULL with a line in `error` when the file can't be read, or is not a
 * whole map. `overview` is filled. */
json_t *map_view(const char *path, struct map_overview *overview, char error[MAP_VIEW_ERROR_SIZE]);

#endif
