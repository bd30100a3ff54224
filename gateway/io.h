/* io.h: what wakes the gateway: UDP sockets, the descriptors of the bus, and time.
 *
 * Two back ends behind one interface, chosen at start: io_uring (io_uring.c: multishot receive into a ring of provided
 * buffers) and epoll (io_epoll.c: recvmmsg), for kernels and containers that refuse io_uring. Both hand every datagram to
 * the same handler, in place in the receive buffer, which the handler may overwrite (it opens seals there) but not keep.
 *
 * One thread owns it. Nothing is allocated after io_open. Sending is not its business: see sender.h.
 *
 * Limits: IO_SOCKETS_MAX sockets, IO_WATCHES_MAX watched descriptors, `buffers` datagrams a wait. When more arrive than
 * there are buffers, the rest waits in the socket's own buffer; when that is full the kernel drops and counts
 * (udp_socket_kernel_drops). A socket error is counted and the socket goes on.
 */
#ifndef MARCH_GATEWAY_IO_H
#define MARCH_GATEWAY_IO_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/error.h"

#define IO_SOCKETS_MAX  8
#define IO_WATCHES_MAX  128
#define IO_BUFFER_BYTES 1536 /* a netcode packet (at most 1300), its address and io_uring's header */
#define IO_BUFFERS_MIN  8
#define IO_BUFFERS_MAX  32768

enum io_back_end { IO_BACK_END_AUTO = 0, IO_BACK_END_URING, IO_BACK_END_EPOLL, IO_BACK_END_COUNT };

struct io_handlers {
    void *context;
    void (*woken)(void *context); /* after each sleep, before the others: the time to read the clock */
    /* from->via is the index of the socket in io_config.sockets. bytes: writable, valid during the call. */
    void (*datagram)(void *context, const struct addr *from, uint8_t *bytes, size_t len);
    /* A watched descriptor can be read. Called again at the next wait when it still can. */
    void (*readable)(void *context, unsigned tag);
};

struct io_config {
    enum io_back_end back_end; /* AUTO: io_uring, or epoll where that is refused */
    unsigned buffers;          /* power of two, IO_BUFFERS_MIN to IO_BUFFERS_MAX */
    unsigned socket_count;
    int sockets[IO_SOCKETS_MAX]; /* bound, non-blocking UDP sockets; they stay the caller's */
    struct io_handlers handlers;
};

struct io_stats {
    uint64_t datagrams;
    uint64_t bytes;
    uint64_t truncated;            /* longer than a buffer; dropped */
    uint64_t socket_errors;        /* receive failed with an error of the network */
    uint64_t buffers_exhausted;    /* io_uring: a receive ended because every buffer was in use */
    uint64_t receives_rearmed;     /* io_uring: multishot receives started again */
    uint64_t completions_overflow; /* io_uring: waits that found the completion queue overflowing */
    uint64_t waits;
};

struct io;

/* io_open starts receiving. Returns MARCH_ERR_UNSUPPORTED when the back end asked for is not allowed here,
 * MARCH_ERR_INVALID for a config out of limits, MARCH_ERR_SYSTEM (errno) otherwise. */
must_check int io_open(struct io **io, const struct io_config *config);

/* io_close stops receiving and frees; the sockets stay open. */
void io_close(struct io **io);

/* io_watch calls `readable` with `tag` (below 2^32) whenever `fd` can be read. MARCH_ERR_FULL past IO_WATCHES_MAX. */
must_check int io_watch(struct io *io, int fd, unsigned tag);

/* io_wait sleeps until `events_min` datagrams or descriptors are there or `timeout_ns` has passed, then calls the handlers
 * for all that is there. events_min above 1 saves wake-ups under load; the epoll back end takes it as "sleep out the timeout
 * first". Returns how many handlers were called, or MARCH_ERR_SYSTEM. */
must_check int io_wait(struct io *io, uint64_t timeout_ns, unsigned events_min);

const struct io_stats *io_stats(const struct io *io);

/* io_back_end_name returns "io_uring" or "epoll": what is in use. */
const char *io_back_end_name(const struct io *io);

/* io_back_end_parse reads "auto", "io_uring" or "epoll"; MARCH_ERR_INVALID otherwise. */
must_check int io_back_end_parse(const char *text, enum io_back_end *back_end);

#endif
