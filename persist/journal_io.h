/* journal_io.h: what the journal asks of the file system, without waiting for it: io_uring, or plain calls where there is
 * none (old kernels, containers that forbid it). Plain calls block the loop for as long as the disk takes; it is said once,
 * as `journal.blocking`.
 *
 * At most JOURNAL_OPS_MAX operations are under way. They complete in any order, each once.
 */
#ifndef MARCH_PERSIST_JOURNAL_IO_H
#define MARCH_PERSIST_JOURNAL_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define JOURNAL_OPS_MAX 8

enum journal_op_kind {
    JOURNAL_OP_OPEN = 0,     /* name in the directory fd; result is the new descriptor */
    JOURNAL_OP_ALLOCATE = 1, /* len bytes of fd */
    JOURNAL_OP_WRITE = 2,    /* len bytes at offset of fd */
    JOURNAL_OP_COMMIT = 3,   /* the same, durable when done */
    JOURNAL_OP_SYNC = 4,     /* of fd */
    JOURNAL_OP_REMOVE = 5,   /* name in the directory fd */
    JOURNAL_OP_RENAME = 6,   /* name to new_name, both in the directory fd; a file that has that name is replaced */
    JOURNAL_OP_KIND_COUNT = 7
};

/* Names and bytes must stay until the operation is done. */
struct journal_op {
    enum journal_op_kind kind;
    int fd;
    int open_flags; /* of OPEN */
    const char *name, *new_name;
    const void *bytes;
    uint64_t offset;
    size_t len;
};

struct journal_io;

/* journal_io_open: MARCH_ERR_SYSTEM when there is no memory or no descriptor. `plain` asks for plain calls. */
must_check int journal_io_open(bool plain, struct journal_io **out);

/* journal_io_close waits for what is under way. NULL is fine. */
void journal_io_close(struct journal_io *io);

/* journal_io_submit begins an operation; `tag` comes back with its completion. More than JOURNAL_OPS_MAX is a bug. */
void journal_io_submit(struct journal_io *io, const struct journal_op *op, uint64_t tag);

/* journal_io_next takes a completion: its tag, and what the system call would have returned, errors as -errno. */
bool journal_io_next(struct journal_io *io, uint64_t *tag, int64_t *result);

/* journal_io_wait blocks until there is a completion; nothing under way is a bug. */
void journal_io_wait(struct journal_io *io);

/* journal_io_fd is readable while there are completions. */
int journal_io_fd(const struct journal_io *io);

unsigned journal_io_count(const struct journal_io *io); /* under way */

#endif
