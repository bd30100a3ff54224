/* io_epoll.c: the epoll back end of io.h, for where io_uring is not allowed.
 *
 * Level-triggered; a readable socket is drained by recvmmsg, BATCH datagrams a call, at most config.buffers a wait, so
 * that a flood on one socket can't starve the bus.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "gateway/io_back_end.h"

#define BATCH      64
#define EVENTS_MAX (IO_SOCKETS_MAX + IO_WATCHES_MAX)

/* epoll's data: sockets first, then watches. */
#define WATCH_FIRST IO_SOCKETS_MAX

struct epoll_io {
    struct io io;
    int fd;
    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    union io_address addresses[BATCH];
    uint8_t buffers[BATCH][IO_BUFFER_BYTES];
};

static struct epoll_io *epoll_of(struct io *io) {
    return (struct epoll_io *)io;
}

static int add(struct epoll_io *e, int fd, unsigned data) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = data};
    return epoll_ctl(e->fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : MARCH_ERR_SYSTEM;
}

static int epoll_watch(struct io *io, int fd, unsigned watch) {
    return add(epoll_of(io), fd, WATCH_FIRST + watch);
}

/* receive_batch hands on up to `max` datagrams; returns how many the kernel gave, 0 when there are none (left). */
static unsigned receive_batch(struct epoll_io *e, unsigned socket, unsigned max) {
    for (unsigned i = 0; i < max; i++) e->messages[i].msg_hdr.msg_namelen = sizeof e->addresses[i];
    int count = recvmmsg(e->io.config.sockets[socket], e->messages, max, MSG_DONTWAIT, NULL);
    if (count < 0) {
        if (errno != EAGAIN && errno != EINTR) e->io.stats.socket_errors++;
        return 0;
    }
    for (int i = 0; i < count; i++) {
        if (e->messages[i].msg_hdr.msg_flags & MSG_TRUNC) {
            e->io.stats.truncated++;
        } else {
            const struct msghdr *message = &e->messages[i].msg_hdr;
            io_deliver(&e->io, socket, message->msg_name, message->msg_namelen, e->buffers[i], e->messages[i].msg_len);
        }
    }
    return (unsigned)count;
}

static int receive(struct epoll_io *e, unsigned socket) {
    unsigned total = 0;
    while (total < e->io.config.buffers) {
        unsigned left = e->io.config.buffers - total;
        unsigned max = left < BATCH ? left : BATCH;
        unsigned count = receive_batch(e, socket, max);
        total += count;
        if (count < max) break;
    }
    return (int)total;
}

static int epoll_wait_once(struct io *io, uint64_t timeout_ns, unsigned events_min) {
    struct epoll_io *e = epoll_of(io);
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / NS_PER_S), .tv_nsec = (long)(timeout_ns % NS_PER_S)};
    if (events_min > 1) {
        (void)nanosleep(&timeout, NULL); /* a signal ends it early, which is what a signal is for */
        timeout = (struct timespec){0};
    }
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_pwait2(e->fd, events, EVENTS_MAX, &timeout, NULL);
    if (count < 0 && errno != EINTR) return MARCH_ERR_SYSTEM;
    io->config.handlers.woken(io->config.handlers.context);
    int handled = 0;
    for (int i = 0; i < count; i++) {
        unsigned data = events[i].data.u32;
        if (data < WATCH_FIRST) {
            handled += receive(e, data);
            continue;
        }
        io->config.handlers.readable(io->config.handlers.context, io->watches[data - WATCH_FIRST].tag);
        handled++;
    }
    return handled;
}

static void epoll_close(struct io *io) {
    if (epoll_of(io)->fd >= 0) close(epoll_of(io)->fd);
    free(io);
}

static const struct io_ops epoll_ops = {
    .name = "epoll", .close = epoll_close, .watch = epoll_watch, .wait = epoll_wait_once};

int io_epoll_back_end_open(struct io **io, const struct io_config *config) {
    struct epoll_io *e = calloc(1, sizeof *e);
    if (!e) return MARCH_ERR_SYSTEM;
    e->io.ops = &epoll_ops;
    e->io.config = *config;
    for (unsigned i = 0; i < BATCH; i++) {
        e->vectors[i] = (struct iovec){e->buffers[i], IO_BUFFER_BYTES};
        e->messages[i].msg_hdr = (struct msghdr){.msg_name = &e->addresses[i], .msg_iov = &e->vectors[i], .msg_iovlen = 1};
    }
    e->fd = epoll_create1(EPOLL_CLOEXEC);
    int result = e->fd >= 0 ? 0 : MARCH_ERR_SYSTEM;
    for (unsigned i = 0; result == 0 && i < config->socket_count; i++) result = add(e, config->sockets[i], i);
    if (result != 0) {
        epoll_close(&e->io);
        return result;
    }
    *io = &e->io;
    return 0;
}
