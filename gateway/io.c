#include "gateway/io.h"

#include <string.h>

#include "gateway/io_back_end.h"

static bool config_is_valid(const struct io_config *config) {
    bool power_of_two = (config->buffers & (config->buffers - 1)) == 0;
    return power_of_two && config->buffers >= IO_BUFFERS_MIN && config->buffers <= IO_BUFFERS_MAX &&
           config->socket_count >= 1 && config->socket_count <= IO_SOCKETS_MAX && config->back_end < IO_BACK_END_COUNT;
}

int io_open(struct io **io, const struct io_config *config) {
    *io = NULL;
    if (!config_is_valid(config)) return MARCH_ERR_INVALID;
    if (config->back_end == IO_BACK_END_EPOLL) return io_epoll_back_end_open(io, config);
    int result = io_uring_back_end_open(io, config);
    if (result == 0 || config->back_end == IO_BACK_END_URING) return result;
    return io_epoll_back_end_open(io, config);
}

void io_close(struct io **io) {
    if (*io) (*io)->ops->close(*io);
    *io = NULL;
}

int io_watch(struct io *io, int fd, unsigned tag) {
    if (io->watch_count == IO_WATCHES_MAX) return MARCH_ERR_FULL;
    unsigned watch = io->watch_count;
    io->watches[watch].fd = fd;
    io->watches[watch].tag = tag;
    int result = io->ops->watch(io, fd, watch);
    if (result == 0) io->watch_count++;
    return result;
}

int io_wait(struct io *io, uint64_t timeout_ns, unsigned events_min) {
    io->stats.waits++;
    return io->ops->wait(io, timeout_ns, events_min > 0 ? events_min : 1);
}

const struct io_stats *io_stats(const struct io *io) {
    return &io->stats;
}

const char *io_back_end_name(const struct io *io) {
    return io->ops->name;
}

int io_back_end_parse(const char *text, enum io_back_end *back_end) {
    static const char *const names[IO_BACK_END_COUNT] = {"auto", "io_uring", "epoll"};
    for (int i = 0; i < IO_BACK_END_COUNT; i++) {
        if (strcmp(text, names[i]) != 0) continue;
        *back_end = (enum io_back_end)i;
        return 0;
    }
    return MARCH_ERR_INVALID;
}
