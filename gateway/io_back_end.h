/* io_back_end.h: what io.c and its two back ends share; no one else includes it. */
#ifndef MARCH_GATEWAY_IO_BACK_END_H
#define MARCH_GATEWAY_IO_BACK_END_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "gateway/io.h"

union io_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct io_ops {
    const char *name;
    void (*close)(struct io *io); /* frees io */
    int (*watch)(struct io *io, int fd, unsigned watch);
    int (*wait)(struct io *io, uint64_t timeout_ns, unsigned events_min);
};

/* The first member of each back end's own struct. */
struct io {
    const struct io_ops *ops;
    struct io_config config;
    struct io_stats stats;
    unsigned watch_count;
    struct {
        int fd;
        unsigned tag;
    } watches[IO_WATCHES_MAX];
};

/* Each opens with the sockets of the config, and leaves nothing behind when it fails. */
must_check int io_uring_back_end_open(struct io **io, const struct io_config *config);
must_check int io_epoll_back_end_open(struct io **io, const struct io_config *config);

/* io_deliver counts a datagram and hands it on. */
static inline void io_deliver(struct io *io, unsigned socket, const void *from, socklen_t from_len, uint8_t *bytes,
                              size_t len) {
    struct addr addr;
    if (addr_from_sockaddr(&addr, from, from_len) != 0) return; /* no address, no one to answer */
    addr.via = (uint8_t)socket;
    io->stats.datagrams++;
    io->stats.bytes += len;
    io->config.handlers.datagram(io->config.handlers.context, &addr, bytes, len);
}

#endif
