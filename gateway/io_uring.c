/* io_uring.c: the io_uring back end of io.h.
 *
 * Each socket has one multishot recvmsg: armed once, it posts a completion per datagram and takes its buffer from a ring
 * that all sockets share. It ends (a completion without F_MORE) when the buffers run out, when the completion queue is
 * full, on an empty datagram or on a socket error; it is armed again at the start of the next wait, after buffers were
 * given back, so that it does not end at once for the same reason.
 *
 * A watched descriptor has a one-shot poll, armed again after its handler ran: level-triggered, as a handler may leave
 * messages behind.
 *
 * The kernel posts completions only when this thread waits (DEFER_TASKRUN, from 6.1; older kernels go without). No SQPOLL:
 * on few cores its polling thread takes more than it gives.
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/check.h"
#include "common/clock.h"
#include "gateway/io_back_end.h"

#define BUFFER_GROUP 0
#define SUBMISSIONS  16 /* when more are to be armed at once they go in several submissions */
_Static_assert(SUBMISSIONS <= 2 * IO_BUFFERS_MIN, "the completion queue may not be smaller than the submission queue");

/* What completed stands in the high half of user_data, which one in the low half. */
#define COMPLETED_RECEIVE 1u
#define COMPLETED_WATCH   2u

struct uring {
    struct io io;
    struct io_uring ring;
    struct io_uring_buf_ring *buffer_ring;
    uint8_t *buffers;
    int returned_count;  /* buffers put on the ring, not shown to the kernel yet */
    struct msghdr shape; /* tells the kernel how much room the address takes in a buffer */
    bool receive_armed[IO_SOCKETS_MAX];
    bool watch_armed[IO_WATCHES_MAX];
};

static struct uring *uring_of(struct io *io) {
    return (struct uring *)io;
}

/* --- buffers */

static size_t buffer_ring_bytes(const struct uring *u) {
    return u->io.config.buffers * sizeof(struct io_uring_buf);
}

static size_t buffers_bytes(const struct uring *u) {
    return (size_t)u->io.config.buffers * IO_BUFFER_BYTES;
}

static void buffer_return(struct uring *u, unsigned id) {
    uint8_t *buffer = u->buffers + (size_t)id * IO_BUFFER_BYTES;
    int mask = io_uring_buf_ring_mask(u->io.config.buffers);
    io_uring_buf_ring_add(u->buffer_ring, buffer, IO_BUFFER_BYTES, (unsigned short)id, mask, u->returned_count++);
}

static void buffers_publish(struct uring *u) {
    io_uring_buf_ring_advance(u->buffer_ring, u->returned_count);
    u->returned_count = 0;
}

static void *map_pages(size_t len) {
    void *pages = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

static int buffers_open(struct uring *u) {
    u->buffer_ring = map_pages(buffer_ring_bytes(u));
    u->buffers = map_pages(buffers_bytes(u));
    if (!u->buffer_ring || !u->buffers) return MARCH_ERR_SYSTEM;
    struct io_uring_buf_reg registration = {
        .ring_addr = (uintptr_t)u->buffer_ring, .ring_entries = u->io.config.buffers, .bgid = BUFFER_GROUP};
    if (io_uring_register_buf_ring(&u->ring, &registration, 0) != 0) return MARCH_ERR_UNSUPPORTED;
    io_uring_buf_ring_init(u->buffer_ring);
    for (unsigned id = 0; id < u->io.config.buffers; id++) buffer_return(u, id);
    buffers_publish(u);
    return 0;
}

/* --- arming */

static struct io_uring_sqe *next_submission(struct uring *u) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
    if (sqe) return sqe;
    (void)io_uring_submit(&u->ring); /* what it could not take stays queued */
    return io_uring_get_sqe(&u->ring);
}

static void arm_receive(struct uring *u, unsigned socket) {
    struct io_uring_sqe *sqe = next_submission(u);
    if (!sqe) return; /* tried again at the next wait */
    io_uring_prep_recvmsg_multishot(sqe, u->io.config.sockets[socket], &u->shape, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = BUFFER_GROUP;
    io_uring_sqe_set_data64(sqe, (uint64_t)COMPLETED_RECEIVE << 32 | socket);
    u->receive_armed[socket] = true;
}

static void arm_watch(struct uring *u, unsigned watch) {
    struct io_uring_sqe *sqe = next_submission(u);
    if (!sqe) return;
    io_uring_prep_poll_add(sqe, u->io.watches[watch].fd, POLLIN);
    io_uring_sqe_set_data64(sqe, (uint64_t)COMPLETED_WATCH << 32 | watch);
    u->watch_armed[watch] = true;
}

static void arm_all(struct uring *u) {
    for (unsigned i = 0; i < u->io.config.socket_count; i++) {
        if (u->receive_armed[i]) continue;
        arm_receive(u, i);
        u->io.stats.receives_rearmed++;
    }
    for (unsigned i = 0; i < u->io.watch_count; i++) {
        if (!u->watch_armed[i]) arm_watch(u, i);
    }
}

/* --- completions */

static void deliver(struct uring *u, unsigned socket, uint8_t *buffer, int len) {
    struct io_uring_recvmsg_out *out = io_uring_recvmsg_validate(buffer, len, &u->shape);
    if (!out || (out->flags & MSG_TRUNC)) {
        u->io.stats.truncated++;
        return;
    }
    uint8_t *payload = io_uring_recvmsg_payload(out, &u->shape);
    size_t payload_len = io_uring_recvmsg_payload_length(out, len, &u->shape);
    io_deliver(&u->io, socket, io_uring_recvmsg_name(out), out->namelen, payload, payload_len);
}

static void complete_receive(struct uring *u, unsigned socket, const struct io_uring_cqe *cqe) {
    if (!(cqe->flags & IORING_CQE_F_MORE)) u->receive_armed[socket] = false;
    if (cqe->res == -ENOBUFS) {
        u->io.stats.buffers_exhausted++;
    } else if (cqe->res < 0) {
        u->io.stats.socket_errors++;
    }
    if (!(cqe->flags & IORING_CQE_F_BUFFER)) return;
    unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
    if (cqe->res >= 0) deliver(u, socket, u->buffers + (size_t)id * IO_BUFFER_BYTES, cqe->res);
    buffer_return(u, id);
}

static void complete_watch(struct uring *u, unsigned watch) {
    u->watch_armed[watch] = false;
    u->io.config.handlers.readable(u->io.config.handlers.context, u->io.watches[watch].tag);
}

/* complete_all handles what is in the queue now, and not what arrives meanwhile, so that a flood can't hold the loop. */
static int complete_all(struct uring *u) {
    unsigned count = io_uring_cq_ready(&u->ring);
    for (unsigned i = 0; i < count; i++) {
        struct io_uring_cqe *cqe;
        CHECK(io_uring_peek_cqe(&u->ring, &cqe) == 0);
        unsigned index = (unsigned)cqe->user_data;
        if (cqe->user_data >> 32 == COMPLETED_RECEIVE) {
            complete_receive(u, index, cqe);
        } else {
            complete_watch(u, index);
        }
        io_uring_cqe_seen(&u->ring, cqe);
        if (u->returned_count >= IO_BUFFERS_MIN) buffers_publish(u);
    }
    buffers_publish(u);
    return (int)count;
}

static int uring_wait(struct io *io, uint64_t timeout_ns, unsigned events_min) {
    struct uring *u = uring_of(io);
    struct __kernel_timespec timeout = {.tv_sec = (long long)(timeout_ns / NS_PER_S),
                                        .tv_nsec = (long long)(timeout_ns % NS_PER_S)};
    struct io_uring_cqe *cqe;
    arm_all(u);
    int result = io_uring_submit_and_wait_timeout(&u->ring, &cqe, events_min, &timeout, NULL);
    /* EBUSY, EAGAIN: the queue overflowed or memory is short; what is in the queue is handled first, then it is tried again.
     */
    if (result < 0 && result != -ETIME && result != -EINTR && result != -EBUSY && result != -EAGAIN) {
        errno = -result;
        return MARCH_ERR_SYSTEM;
    }
    if (IO_URING_READ_ONCE(*u->ring.sq.kflags) & IORING_SQ_CQ_OVERFLOW) io->stats.completions_overflow++;
    io->config.handlers.woken(io->config.handlers.context);
    return complete_all(u);
}

static int uring_watch(struct io *io, int fd, unsigned watch) {
    (void)fd;
    uring_of(io)->watch_armed[watch] = false; /* the next wait arms it */
    return 0;
}

static void uring_close(struct io *io) {
    struct uring *u = uring_of(io);
    if (u->ring.ring_fd >= 0) io_uring_queue_exit(&u->ring);
    if (u->buffers) munmap(u->buffers, buffers_bytes(u));
    if (u->buffer_ring) munmap(u->buffer_ring, buffer_ring_bytes(u));
    free(u);
}

static const struct io_ops uring_ops = {.name = "io_uring", .close = uring_close, .watch = uring_watch, .wait = uring_wait};

/* --- opening */

/* ring_open asks for what newer kernels offer and goes without where they refuse. */
static int ring_open(struct uring *u) {
    static const unsigned flags[] = {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_COOP_TASKRUN, 0};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        struct io_uring_params params = {.flags = flags[i] | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
                                         .cq_entries = 2 * u->io.config.buffers};
        int result = io_uring_queue_init_params(SUBMISSIONS, &u->ring, &params);
        if (result == 0) {
            (void)io_uring_register_ring_fd(&u->ring); /* saves a descriptor look-up a wait; older kernels can't */
            return 0;
        }
        u->ring.ring_fd = -1;
        if (result != -EINVAL) break;
    }
    return MARCH_ERR_UNSUPPORTED;
}

/* receives_open arms every socket and sees at once whether the kernel knows multishot recvmsg (from 6.0). */
static int receives_open(struct uring *u) {
    for (unsigned i = 0; i < u->io.config.socket_count; i++) arm_receive(u, i);
    if (io_uring_submit(&u->ring) < 0) return MARCH_ERR_UNSUPPORTED;
    struct io_uring_cqe *cqe;
    bool refused = io_uring_peek_cqe(&u->ring, &cqe) == 0 && cqe->res == -EINVAL;
    return refused ? MARCH_ERR_UNSUPPORTED : 0;
}

int io_uring_back_end_open(struct io **io, const struct io_config *config) {
    struct uring *u = calloc(1, sizeof *u);
    if (!u) return MARCH_ERR_SYSTEM;
    u->io.ops = &uring_ops;
    u->io.config = *config;
    u->shape.msg_namelen = sizeof(union io_address);
    u->ring.ring_fd = -1;
    int result = ring_open(u);
    if (result == 0) result = buffers_open(u);
    if (result == 0) result = receives_open(u);
    if (result == 0) {
        *io = &u->io;
    } else {
        uring_close(&u->io);
    }
    return result;
}
