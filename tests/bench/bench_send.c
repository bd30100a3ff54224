/* bench_send: what a datagram costs to send, by sendmmsg and by io_uring, in CPU time of the sending thread.
 *
 *   bench_send [--json] [SECONDS]
 *
 * A batch of packets goes to many receivers on loopback, whose sockets are emptied outside of what is measured. The ways
 * take turns, and the median of the rounds is told.
 */
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "gateway/sender.h"
#include "gateway/udp_socket.h"

#define RECEIVERS  64
#define PACKET_LEN 233 /* 200 bytes of payload in a session and netcode packet */
#define ROUNDS     9
#define WAYS       3
#define RING_SIZE  256

struct bench {
    struct addr receivers[RECEIVERS];
    int receiver_fds[RECEIVERS];
    struct sender *sender;
    struct io_uring ring;
};

static uint64_t thread_cpu_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* drain empties the receivers, outside of what is measured. */
static void drain(struct bench *b) {
    char bytes[2048];
    for (unsigned i = 0; i < RECEIVERS; i++) {
        while (recv(b->receiver_fds[i], bytes, sizeof bytes, MSG_DONTWAIT) >= 0) {
        }
    }
}

static void fill(struct bench *b, unsigned batch) {
    for (unsigned i = 0; i < batch; i++) {
        uint8_t *packet = memset(sender_reserve(b->sender), (int)i, PACKET_LEN);
        sender_commit(b->sender, &b->receivers[i % RECEIVERS], packet, PACKET_LEN);
    }
}

static void flush_uring(struct bench *b, bool registered) {
    struct sender *s = b->sender;
    for (unsigned i = 0; i < s->count; i++) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&b->ring);
        CHECK(sqe);
        io_uring_prep_sendmsg(sqe, registered ? 0 : s->fd, &s->messages[i].msg_hdr, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (registered) sqe->flags |= IOSQE_FIXED_FILE;
    }
    CHECK(io_uring_submit_and_wait(&b->ring, s->count) >= 0);
    io_uring_cq_advance(&b->ring, s->count);
    s->count = 0;
    s->used_bytes = 0;
}

/* measure returns ns of CPU per datagram, filling of the batch not counted. */
static double measure(struct bench *b, unsigned way, unsigned batch, double seconds) {
    uint64_t spent_ns = 0, count = 0;
    struct mono start = mono_now();
    while (mono_since_ns(mono_now(), start) < (uint64_t)(seconds * 1e9)) {
        fill(b, batch);
        uint64_t before = thread_cpu_ns();
        if (way == 0) {
            sender_flush(b->sender);
        } else {
            flush_uring(b, way == 2);
        }
        spent_ns += thread_cpu_ns() - before;
        count += batch;
        drain(b);
    }
    return (double)spent_ns / (double)count;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void bench_open(struct bench *b) {
    struct addr any, bound;
    CHECK(addr_parse(&any, "127.0.0.1:0") == 0);
    for (unsigned i = 0; i < RECEIVERS; i++) {
        b->receiver_fds[i] = udp_socket_open(&any, 1 << 20, &b->receivers[i]);
        CHECK(b->receiver_fds[i] >= 0);
    }
    int fd = udp_socket_open(&any, 4 << 20, &bound);
    CHECK(fd >= 0);
    b->sender = malloc(sizeof *b->sender);
    CHECK(b->sender);
    sender_init(b->sender, fd);
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    CHECK(io_uring_queue_init_params(RING_SIZE, &b->ring, &params) == 0);
    CHECK(io_uring_register_files(&b->ring, &fd, 1) == 0);
}

int main(int argc, char **argv) {
    static const char *const names[WAYS] = {"sendmmsg", "io_uring", "io_uring_fixed"};
    static const unsigned batches[] = {1, 8, 32, 128};
    bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
    double seconds = argc > 1 + json ? atof(argv[1 + json]) : 3;
    struct bench *b = calloc(1, sizeof *b);
    CHECK(b);
    bench_open(b);
    double slice = seconds / (ROUNDS * WAYS * 4);
    printf(json ? "{\"packet_bytes\":%d,\"cpu_ns_per_datagram\":{" : "packet of %d bytes, CPU ns a datagram\n", PACKET_LEN);
    for (unsigned i = 0; i < 4; i++) {
        double results[WAYS][ROUNDS];
        for (unsigned round = 0; round < ROUNDS; round++) {
            for (unsigned way = 0; way < WAYS; way++) results[way][round] = measure(b, way, batches[i], slice);
        }
        printf(json ? "%s\"batch_%u\":{" : "%sbatch %3u:", json && i > 0 ? "," : "", batches[i]);
        for (unsigned way = 0; way < WAYS; way++) {
            qsort(results[way], ROUNDS, sizeof(double), compare_doubles);
            printf(json ? "%s\"%s\":%.0f" : "%s  %s %.0f", json && way > 0 ? "," : "", names[way], results[way][ROUNDS / 2]);
        }
        printf(json ? "}" : "\n");
    }
    if (json) printf("}}\n");
    return 0;
}
