/* static_world.h: the part of the map that a zone needs: what stands in its partitions and within view of them.
 *
 * All zones have the same file. Each keeps the chunks that touch what is of interest to it, and when another directory gives
 * it more or less, a thread reads what is newly needed and lets go of the rest; what stays is not read again. The tick
 * thread never waits: it says what it needs, goes on with the part that it has, and takes the next one when it is whole.
 *
 *   tick thread    territory changed ──► asked                    done ──► current, the one before ──► retired
 *   reading thread             asked ──► newest, from the one before ──► done        retired ──► freed
 *
 * The whole file is checked when it is opened, so a zone does not start with a map that would fail it at a border that moves
 * at night. A chunk that can't be read any more later (somebody changed the file in place) is logged, counted and left out
 * until the territory changes again.
 *
 * Limits: those of map_format.h; two parts at once, of which the second has only what differs to itself. A part is allocated
 * by the thread that reads it.
 */
#ifndef MARCH_ZONE_STATIC_WORLD_H
#define MARCH_ZONE_STATIC_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/map_format.h"
#include "zone/grid.h"
#include "zone/territory.h"

struct static_world_stats {
    uint32_t chunks;       /* that are there now */
    uint64_t boxes;        /* in them; one that touches several is counted in each */
    uint64_t chunks_read;  /* ever */
    uint64_t chunks_freed; /* ever */
    uint64_t chunks_failed;
};

struct static_world;

/* static_world_open opens a map and checks all of it; it blocks. Nothing is needed yet. `margin` (Q16.16) is how far beyond
 * its partitions a zone needs it. On failure `error` has a line that names the file; the errors are those of
 * map_file_open. */
must_check int static_world_open(struct static_world **out, const char *path, int32_t margin, char *error,
                                 size_t error_size);
void static_world_close(struct static_world *world);

/* static_world_follow asks for what a territory needs, when it is another version than the last, and takes what was read
 * since. Once a tick; never blocks. Returns true where the world has become another. */
bool static_world_follow(struct static_world *world, const struct territory *territory);

/* static_world_is_settled tells whether all that was asked for is there. */
bool static_world_is_settled(const struct static_world *world);

/* static_world_boxes stores the boxes that touch a rectangle, each once and always in the same order, and returns how many
 * there are: only the first `max` of them are stored. Complete for rectangles within what the zone needs. Any part of the
 * tick thread; valid as long as the caller likes. */
uint32_t static_world_boxes(const struct static_world *world, struct grid_rect rect, struct map_box *out, uint32_t max);

const struct static_world_stats *static_world_stats(const struct static_world *world);

/* static_world_header tells of the whole map. */
const struct map_header *static_world_header(const struct static_world *world);

#endif
