#include "gateway/sender.h"

#include <errno.h>
#include <string.h>

#include "common/check.h"

#define PACKET_ALIGN 8
_Static_assert(SENDER_ARENA_BYTES >= SENDER_DATAGRAM_MAX, "an empty arena has room for any datagram");

void sender_init(struct sender *sender, int fd) {
    memset(sender, 0, sizeof *sender);
    sender->fd = fd;
    for (unsigned i = 0; i < SENDER_BATCH_MAX; i++) {
        sender->messages[i].msg_hdr =
            (struct msghdr){.msg_name = &sender->addresses[i], .msg_iov = &sender->vectors[i], .msg_iovlen = 1};
    }
}

uint8_t *sender_reserve(struct sender *sender) {
    if (sender->count == SENDER_BATCH_MAX || SENDER_ARENA_BYTES - sender->used_bytes < SENDER_DATAGRAM_MAX) {
        sender_flush(sender);
    }
    return sender->arena + sender->used_bytes;
}

void sender_commit(struct sender *sender, const struct addr *to, uint8_t *packet, size_t len) {
    size_t start = (size_t)(packet - sender->arena);
    CHECK(start >= sender->used_bytes && start + len <= sender->used_bytes + SENDER_DATAGRAM_MAX);
    unsigned i = sender->count++;
    sender->messages[i].msg_hdr.msg_namelen = addr_to_sockaddr(to, &sender->addresses[i]);
    sender->vectors[i] = (struct iovec){packet, len};
    sender->used_bytes = (start + len + PACKET_ALIGN - 1) & ~(size_t)(PACKET_ALIGN - 1);
    sender->stats.bytes += len;
}

static void count_refused(struct sender *sender) {
    if (errno == EAGAIN || errno == ENOBUFS) {
        sender->stats.refused_full++;
    } else {
        sender->stats.refused_other++;
    }
}

void sender_flush(struct sender *sender) {
    unsigned done = 0;
    while (done < sender->count) {
        int sent = sendmmsg(sender->fd, sender->messages + done, sender->count - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            done += (unsigned)sent;
            sender->stats.datagrams += (unsigned)sent;
        } else if (errno != EINTR) {
            count_refused(sender); /* the first of the rest: step over it */
            done++;
        }
        sender->stats.batches++;
    }
    sender->count = 0;
    sender->used_bytes = 0;
}
