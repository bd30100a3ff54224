/* journal_io.c: io_uring, and the plain calls.
 *
 * With io_uring the ring's own descriptor is what is polled. Without, an eventfd holds the number of completions.
 */
#include "persist/journal_io.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/check.h"
#include "common/log.h"

#define FILE_MODE 0600

struct completion {
    uint64_t tag;
    int64_t result;
};

struct journal_io {
    bool plain;
    unsigned count; /* under way, completions that were not taken included */
    struct io_uring ring;
    int event;                               /* plain only */
    struct completion done[JOURNAL_OPS_MAX]; /* plain only; oldest first */
    unsigned done_count;
};

static int plain_open(struct journal_io *io) {
    io->plain = true;
    io->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return io->event < 0 ? MARCH_ERR_SYSTEM : 0;
}

int journal_io_open(bool plain, struct journal_io **out) {
    struct journal_io *io = calloc(1, sizeof *io);
    if (!io) return MARCH_ERR_SYSTEM;
    int refused = plain ? 0 : io_uring_queue_init(JOURNAL_OPS_MAX, &io->ring, 0);
    if (refused) log_warn("journal.blocking", "reason=io_uring error=%s", LOG_QUOTE(strerror(-refused)));
    if ((plain || refused) && plain_open(io) != 0) {
        free(io);
        return MARCH_ERR_SYSTEM;
    }
    *out = io;
    return 0;
}

void journal_io_close(struct journal_io *io) {
    if (!io) return;
    uint64_t tag;
    int64_t result;
    while (io->count > 0) {
        journal_io_wait(io);
        while (journal_io_next(io, &tag, &result)) continue;
    }
    if (io->plain) {
        close(io->event);
    } else {
        io_uring_queue_exit(&io->ring);
    }
    free(io);
}

/* --- plain calls */

static int64_t plain_write(const struct journal_op *op) {
    struct iovec part = {.iov_base = (void *)(uintptr_t)op->bytes, .iov_len = op->len};
    int flags = op->kind == JOURNAL_OP_COMMIT ? RWF_DSYNC : 0;
    return pwritev2(op->fd, &part, 1, (off_t)op->offset, flags);
}

static int64_t plain_run(const struct journal_op *op) {
    switch (op->kind) {
    case JOURNAL_OP_OPEN: return openat(op->fd, op->name, op->open_flags, FILE_MODE);
    case JOURNAL_OP_ALLOCATE: return fallocate(op->fd, 0, 0, (off_t)op->len);
    case JOURNAL_OP_WRITE:
    case JOURNAL_OP_COMMIT: return plain_write(op);
    case JOURNAL_OP_SYNC: return fsync(op->fd);
    case JOURNAL_OP_REMOVE: return unlinkat(op->fd, op->name, 0);
    case JOURNAL_OP_RENAME: return renameat(op->fd, op->name, op->fd, op->new_name);
    case JOURNAL_OP_KIND_COUNT: break;
    }
    CHECK(false); /* no such operation */
    return -1;
}

static void plain_submit(struct journal_io *io, const struct journal_op *op, uint64_t tag) {
    int64_t result = plain_run(op);
    io->done[io->done_count++] = (struct completion){.tag = tag, .result = result < 0 ? -errno : result};
    uint64_t one = 1;
    CHECK(write(io->event, &one, sizeof one) == (ssize_t)sizeof one);
}

static bool plain_next(struct journal_io *io, struct completion *out) {
    if (io->done_count == 0) return false;
    *out = io->done[0];
    memmove(io->done, io->done + 1, --io->done_count * sizeof io->done[0]);
    uint64_t count;
    if (io->done_count == 0) CHECK(read(io->event, &count, sizeof count) == (ssize_t)sizeof count);
    return true;
}

/* --- io_uring */

static void ring_prepare(struct io_uring_sqe *sqe, const struct journal_op *op) {
    switch (op->kind) {
    case JOURNAL_OP_OPEN: io_uring_prep_openat(sqe, op->fd, op->name, op->open_flags, FILE_MODE); return;
    case JOURNAL_OP_ALLOCATE: io_uring_prep_fallocate(sqe, op->fd, 0, 0, (off_t)op->len); return;
    case JOURNAL_OP_WRITE:
    case JOURNAL_OP_COMMIT:
        io_uring_prep_write(sqe, op->fd, op->bytes, (unsigned)op->len, op->offset);
        if (op->kind == JOURNAL_OP_COMMIT) sqe->rw_flags = RWF_DSYNC;
        return;
    case JOURNAL_OP_SYNC: io_uring_prep_fsync(sqe, op->fd, 0); return;
    case JOURNAL_OP_REMOVE: io_uring_prep_unlinkat(sqe, op->fd, op->name, 0); return;
    case JOURNAL_OP_RENAME: io_uring_prep_renameat(sqe, op->fd, op->name, op->fd, op->new_name, 0); return;
    case JOURNAL_OP_KIND_COUNT: break;
    }
    CHECK(false); /* no such operation */
}

static void ring_submit(struct journal_io *io, const struct journal_op *op, uint64_t tag) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring);
    CHECK(sqe != NULL); /* the ring has room for all that may be under way */
    ring_prepare(sqe, op);
    io_uring_sqe_set_data64(sqe, tag);
    (void)io_uring_submit(&io->ring); /* what the kernel could not take now stays queued: journal_io_next submits again */
}

static bool ring_next(struct journal_io *io, struct completion *out) {
    if (io_uring_sq_ready(&io->ring) > 0) (void)io_uring_submit(&io->ring);
    struct io_uring_cqe *cqe;
    if (io_uring_peek_cqe(&io->ring, &cqe) != 0) return false;
    *out = (struct completion){.tag = io_uring_cqe_get_data64(cqe), .result = cqe->res};
    io_uring_cqe_seen(&io->ring, cqe);
    return true;
}

/* --- both */

void journal_io_submit(struct journal_io *io, const struct journal_op *op, uint64_t tag) {
    CHECK(io->count < JOURNAL_OPS_MAX);
    io->count++;
    if (io->plain) {
        plain_submit(io, op, tag);
    } else {
        ring_submit(io, op, tag);
    }
}

bool journal_io_next(struct journal_io *io, uint64_t *tag, int64_t *result) {
    struct completion done;
    if (io->count == 0 || !(io->plain ? plain_next(io, &done) : ring_next(io, &done))) return false;
    io->count--;
    *tag = done.tag;
    *result = done.result;
    return true;
}

void journal_io_wait(struct journal_io *io) {
    CHECK(io->count > 0);
    if (io->plain) return; /* all are done */
    struct io_uring_cqe *cqe;
    while (io_uring_submit_and_wait(&io->ring, 1) == -EINTR || io_uring_peek_cqe(&io->ring, &cqe) != 0) continue;
}

int journal_io_fd(const struct journal_io *io) {
    return io->plain ? io->event : io->ring.ring_fd;
}

unsigned journal_io_count(const struct journal_io *io) {
    return io->count;
}
