/* map_file.h: a map file that is open: header and index in memory, chunks read where they are asked for.
 *
 * Chunks are read, not mapped: who has one can neither be made to wait for a disk by touching it, nor be ended by a signal
 * when somebody cuts the file. The file is the one that was opened, also when another takes its name. One that is changed in
 * place is noticed when a chunk is read.
 *
 * These calls block. After map_file_open any threads may read at once.
 */
#ifndef MARCH_COMMON_MAP_FILE_H
#define MARCH_COMMON_MAP_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/map_format.h"

struct map_file {
    int fd;
    char *path;
    struct map_header header;
    struct map_entry *entries; /* header.chunk_count, by chunk */
};

/* map_file_open opens a map and checks header, index and size. On failure `error` has a line: MARCH_ERR_NOT_FOUND without
 * such a file, MARCH_ERR_UNSUPPORTED for a map of another version, MARCH_ERR_INVALID for what is not a whole map,
 * MARCH_ERR_SYSTEM otherwise. */
must_check int map_file_open(struct map_file *file, const char *path, char *error, size_t error_size);

/* map_file_close is fine twice, and after a failed open. */
void map_file_close(struct map_file *file);

/* map_file_read reads and checks the boxes of entry `index`, as many as its count, into `boxes`. Errors as those of open. */
must_check int map_file_read(const struct map_file *file, uint32_t index, struct map_box *boxes, char *error,
                             size_t error_size);

/* map_file_verify reads all chunks, and checks the hash, and that each box is in all chunks that it touches by their
 * number. Errors as those of open. */
must_check int map_file_verify(const struct map_file *file, char *error, size_t error_size);

#endif
