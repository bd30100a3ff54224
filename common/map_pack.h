/* map_pack.h: from a list of boxes to the bytes of a map file, without I/O. For tools and tests: it allocates.
 *
 * The same boxes give the same bytes, in whatever order and however often they are listed; so the hash names what is in the
 * map, not how it was written down.
 */
#ifndef MARCH_COMMON_MAP_PACK_H
#define MARCH_COMMON_MAP_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/map_format.h"

/* map_pack makes a map of `count` boxes, whose near sides are below their far ones, and sorts them where they are. The
 * caller frees `*bytes`. MARCH_ERR_FULL where a chunk, or all of them together, would have more than the format can, and
 * MARCH_ERR_SYSTEM without memory, with a line in `error`. */
must_check int map_pack(struct map_box *boxes, uint32_t count, uint8_t **bytes, size_t *len, char *error, size_t error_size);

#endif
