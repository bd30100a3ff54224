/* map_source.h: a map as people write it down: boxes in metres, in YAML or in JSON, which is read as YAML, too.
 *
 *     boxes:
 *       - {x_m: [10, 20], y_m: [5, 5.5], z_m: [0, 3]}    # from, to
 *
 * Read strictly, event by event, so that a large one needs no tree: unknown, doubled and missing keys, other than plain
 * decimal numbers and places out of the world are errors of one line:
 *
 *     deploy/maps/example.yaml:14: boxes[3].x_m: expected two numbers of metres from -32768 to 32767, found "abc"
 *
 * Limits: MAP_SOURCE_BYTES_MAX of text, MAP_STORED_MAX boxes. Places are rounded to 2^-16 m.
 */
#ifndef MARCH_ZONECTL_MAP_SOURCE_H
#define MARCH_ZONECTL_MAP_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/map_format.h"

#define MAP_SOURCE_BYTES_MAX (1024u * 1024 * 1024)

/* map_source_read reads a file; the caller frees `*boxes`. The error is MARCH_ERR_INVALID for what is no map, and what
 * file_read has for what can't be read, with a line in `error`. */
must_check int map_source_read(const char *path, struct map_box **boxes, uint32_t *count, char *error, size_t error_size);

/* map_source_parse is map_source_read for bytes in memory; `path` is only for the error. */
must_check int map_source_parse(const char *path, const uint8_t *bytes, size_t len, struct map_box **boxes, uint32_t *count,
                                char *error, size_t error_size);

#endif
