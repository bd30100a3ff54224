/* journal_dir.h: the journal's directory: its lock, which segments are in it, and reading one whole. All of it blocks: for
 * the start, and for tools.
 *
 * Segments are files NNNNNNNN.journal, numbered from 1; `lock` is locked by whoever has the journal. Other files are left
 * alone.
 */
#ifndef MARCH_PERSIST_JOURNAL_DIR_H
#define MARCH_PERSIST_JOURNAL_DIR_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "persist/journal_format.h"

#define JOURNAL_NAME_SIZE  24
#define JOURNAL_INDEX_MAX  99999999u
#define JOURNAL_LOCK_NAME  "lock"
#define JOURNAL_PATH_BYTES 256

struct journal_segment {
    uint32_t index;
    uint64_t first; /* position of its first record; 0 when its header is not whole */
    uint64_t bytes; /* of the file */
};

struct journal_dir {
    char path[JOURNAL_PATH_BYTES];
    int fd;
    int lock_fd;
    uint8_t id[JOURNAL_ID_BYTES];     /* of the segments that are there; zeros when there is none */
    struct journal_segment *segments; /* rising index */
    uint32_t count;
};

/* journal_dir_open creates the directory where it is not there, locks it, and reads the segments' headers. Segments that
 * were made ahead and never used are removed. Errors, with text, as journal_open. */
must_check int journal_dir_open(struct journal_dir *dir, const char *path, char *error, size_t error_size);

/* journal_dir_close gives up the lock; fine twice. */
void journal_dir_close(struct journal_dir *dir);

void journal_segment_name(char name[JOURNAL_NAME_SIZE], uint32_t index);

/* journal_dir_read reads a segment into memory that the caller frees. */
must_check int journal_dir_read(const struct journal_dir *dir, const struct journal_segment *segment, uint8_t **bytes,
                                size_t *len, char *error, size_t error_size);

/* journal_dir_cut makes a segment `bytes` long; 0 removes it. It is durable on return. */
must_check int journal_dir_cut(struct journal_dir *dir, uint32_t at, uint64_t bytes, char *error, size_t error_size);

/* journal_fault_text writes "DIR/NAME: offset N: what is F, expected E". Returns MARCH_ERR_INVALID. */
int journal_fault_text(const struct journal_dir *dir, uint32_t index, const struct journal_fault *fault, char *error,
                       size_t error_size);

#endif
