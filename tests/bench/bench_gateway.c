/* bench_gateway: what a pair of datagrams, one in and one out, costs the gateway, against the least it could cost.
 *
 *   bench_gateway [SECONDS [CLIENTS [HZ]]]        JSON on standard output
 *
 * The floor: bare io_uring multishot receive, AEAD open, AEAD seal, sendmmsg; no sessions, no acknowledgements, no zone.
 * The gateway: gateway_turn as in production, with netcode clients that send inputs and acknowledge snapshots, and a zone at
 * the other end of a real bus edge. Both get datagrams of the same length at the same pace, in the same run, taking turns;
 * told is CPU time of the server's thread for a pair, and of its whole process (nng's threads included). Clients and zone
 * live in another process, on another core where there is one.
 *
 * Sizes: 48 bytes of session payload in (an input packet with 8 commands), 200 out.
 */
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/bus.h"
#include "common/channel.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "gateway/gateway.h"
#include "gateway/udp_socket.h"
#include "schemas/wire.h"
#include "tools/client/netcode_client.h"

#define TICK_HZ      60
#define IN_BYTES     48 /* session payloads */
#define OUT_BYTES    200
#define SEALED_BYTES (3 + NETCODE_MAC_BYTES) /* what netcode adds: prefix, a sequence of two bytes, MAC */
#define SNAPSHOT_LEN (OUT_BYTES - CHANNEL_HEADER_SIZE - FRAME_SNAPSHOT_HEADER_SIZE)
#define CLIENTS_MAX  8000
#define ROUNDS       5
#define SOCKET_BYTES (8 << 20)
#define PROTOCOL_ID  0x62656e6368

static const uint8_t bench_key[NETCODE_KEY_BYTES] = {1, 2, 3};

struct figures {
    double thread_ns, process_ns; /* CPU for a pair */
    uint64_t pairs;
};

static void pin(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1) (void)sched_setaffinity(0, sizeof set, &set);
}

static uint64_t cpu_ns(clockid_t clock) {
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* --- the other side: clients, and the zone */

struct client {
    int fd;
    struct netcode_client netcode;
    struct channel channel;
    uint16_t input_seq;
};

struct peers {
    bool is_floor;
    uint32_t count, hz;
    struct client *clients;
    struct block_pool blocks;
    struct addr server;
    struct sockaddr_storage server_name;
    socklen_t server_name_len;
    int epoll;
    struct bus_edge *edge;
    struct wire_builder *builder;
    uint32_t greeted; /* generation of the bus */
    uint64_t *sessions;
    uint16_t *snapshot_seqs;
    uint32_t session_count, attached_count;
};

static void client_send(const struct client *c, const void *bytes, size_t len) {
    (void)!send(c->fd, bytes, len, MSG_DONTWAIT);
}

static void client_input(struct client *c, struct mono now) {
    uint8_t bytes[NETCODE_PACKET_MAX], *start;
    uint8_t *data = bytes + NETCODE_HEADROOM;
    struct channel_packet packet;
    struct frame_input input = {.count = FRAME_COMMANDS_MAX, .newest_seq = ++c->input_seq};
    channel_begin(&c->channel, &packet, data, CHANNEL_PACKET_MAX);
    CHECK(frame_write_input(&packet.frames, &input) == 0);
    size_t len = channel_finish(&c->channel, now, &packet);
    CHECK(len == IN_BYTES);
    int sealed = netcode_client_seal(&c->netcode, now, data, len, &start);
    if (sealed > 0) client_send(c, start, (size_t)sealed);
}

static void client_receive(struct peers *p, struct client *c, struct mono now) {
    uint8_t bytes[2048];
    for (;;) {
        ssize_t len = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (len < 0) return;
        if (p->is_floor) continue;
        const uint8_t *payload;
        struct channel_received received;
        size_t payload_len = netcode_client_receive(&c->netcode, now, &p->server, bytes, (size_t)len, &payload);
        if (payload_len > 0) (void)!channel_read(&c->channel, now, payload, payload_len, &received);
    }
}

static void clients_receive(struct peers *p, struct mono now) {
    struct epoll_event events[256];
    for (int count = 256; count == 256;) {
        count = epoll_wait(p->epoll, events, 256, 0);
        for (int i = 0; i < count; i++) client_receive(p, &p->clients[events[i].data.u32], now);
    }
}

static void zone_take(struct peers *p, const struct wire_gateway_batch *batch) {
    static struct wire_attached attached[BATCH_ATTACHES_MAX];
    for (uint32_t i = 0; i < batch->attach_count; i++) {
        attached[i] = (struct wire_attached){.session = batch->attaches[i].session, .entity = i + 1};
        p->sessions[p->session_count++] = batch->attaches[i].session;
    }
    if (batch->attach_count == 0) return;
    struct wire_zone_batch answer = {.attached = attached, .attached_count = batch->attach_count};
    struct wire_bytes bytes;
    CHECK(wire_zone_batch_pack(p->builder, &answer, &bytes) == 0);
    CHECK(bus_send(p->edge, bytes.data, bytes.len) == 0);
}

static void zone_receive(struct peers *p, struct mono now) {
    bus_update(p->edge, now);
    if (bus_connected(p->edge) && p->greeted != bus_generation(p->edge)) {
        struct wire_hello hello = {.name = "zone-0", .role = WIRE_ROLE_ZONE, .incarnation = 1, .tick_hz = TICK_HZ};
        struct wire_bytes bytes;
        CHECK(wire_hello_pack(p->builder, &hello, &bytes) == 0);
        if (bus_send(p->edge, bytes.data, bytes.len) == 0) p->greeted = bus_generation(p->edge);
    }
    const uint8_t *bytes;
    size_t len;
    while (bus_receive(p->edge, &bytes, &len) == 0) {
        struct wire_bus_view view;
        CHECK(wire_bus_open(bytes, len, &view) == 0);
        if (view.kind == WIRE_BUS_GATEWAY_BATCH) zone_take(p, &view.gateway);
        bus_release(p->edge);
    }
}

/* due tells whether number `i` has its turn in a tick: spread, so that each has `hz` turns a second. */
static bool due(const struct peers *p, uint32_t i, uint64_t tick) {
    return (i + tick) % (TICK_HZ / p->hz) == 0;
}

static void zone_send(struct peers *p, uint64_t tick) {
    static struct wire_snapshot snapshots[CLIENTS_MAX];
    static uint8_t blob[CLIENTS_MAX * SNAPSHOT_LEN];
    struct wire_zone_batch batch = {.tick = tick, .snapshots = snapshots, .blob = blob};
    for (uint32_t i = 0; i < p->session_count; i++) {
        if (!due(p, i, tick)) continue;
        snapshots[batch.snapshot_count++] = (struct wire_snapshot){
            .session = p->sessions[i], .offset = batch.blob_len, .len = SNAPSHOT_LEN, .snapshot_seq = p->snapshot_seqs[i]++};
        batch.blob_len += SNAPSHOT_LEN;
    }
    struct wire_bytes bytes;
    CHECK(wire_zone_batch_pack(p->builder, &batch, &bytes) == 0);
    (void)!bus_send(p->edge, bytes.data, bytes.len);
}

static void clients_update(struct peers *p, struct mono now) {
    uint8_t buf[NETCODE_CLIENT_PACKET_MAX];
    const uint8_t *packet;
    for (uint32_t i = 0; i < p->count; i++) {
        size_t len = netcode_client_update(&p->clients[i].netcode, now, buf, &packet);
        if (len > 0) client_send(&p->clients[i], packet, len);
        if (i % 64 == 63) clients_receive(p, now);
    }
}

static void clients_send(struct peers *p, struct mono now, uint64_t tick) {
    static const uint8_t zeros[IN_BYTES];
    uint8_t sealed[IN_BYTES + SEALED_BYTES] = {0};
    unsigned long long mac_len;
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES] = {0};
    crypto_aead_chacha20poly1305_ietf_encrypt(sealed + 3, &mac_len, zeros, IN_BYTES, NULL, 0, NULL, nonce, bench_key);
    for (uint32_t i = 0, sent = 0; i < p->count; i++) {
        if (!due(p, i, tick)) continue;
        if (p->is_floor) {
            client_send(&p->clients[i], sealed, sizeof sealed);
        } else {
            client_input(&p->clients[i], now);
        }
        if (++sent % 64 == 0) clients_receive(p, now);
    }
}

static void client_open(struct peers *p, uint32_t i) {
    struct client *c = &p->clients[i];
    struct addr any, bound;
    uint8_t token[NETCODE_TOKEN_BYTES];
    CHECK(addr_parse(&any, "127.0.0.1:0") == 0);
    c->fd = udp_socket_open(&any, 256 << 10, &bound);
    CHECK(c->fd >= 0 && connect(c->fd, (struct sockaddr *)&p->server_name, p->server_name_len) == 0);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
    CHECK(epoll_ctl(p->epoll, EPOLL_CTL_ADD, c->fd, &event) == 0);
    if (p->is_floor) return;
    struct netcode_token_params params = {.protocol_id = PROTOCOL_ID,
                                          .client_id = i + 1,
                                          .create_s = wall_now_s(),
                                          .expire_s = wall_now_s() + NETCODE_TOKEN_LIFETIME_DEFAULT,
                                          .timeout_s = 10,
                                          .server_count = 1,
                                          .servers = {p->server}};
    struct channel_config config = {
        .accept = CHANNEL_ACCEPT_AT_CLIENT, .message_bytes_max = FRAME_MESSAGE_BYTES_MAX, .send_blocks_max = 8};
    CHECK(netcode_token_mint(token, &params, bench_key) == 0);
    channel_init(&c->channel, &config, &p->blocks);
    netcode_client_init(&c->netcode);
    CHECK(netcode_client_connect(&c->netcode, mono_now(), token, sizeof token) == 0);
}

static void zone_open(struct peers *p, const char *url) {
    struct bus_edge_config bus = {.url = url,
                                  .role = BUS_LISTEN,
                                  .local_name = "zone-0",
                                  .peer_name = "gateway-0",
                                  .frame_max_bytes = BUS_FRAME_BYTES_MAX,
                                  .queue_max_bytes = 8 * BUS_FRAME_BYTES_MAX};
    p->builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    CHECK(p->builder && bus_edge_open(&p->edge, &bus, mono_now()) == 0);
}

/* peers_run plays until it is killed. */
static void peers_run(struct peers *p, const char *url) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(1);
    p->clients = calloc(p->count, sizeof *p->clients);
    p->sessions = calloc(p->count, sizeof *p->sessions);
    p->snapshot_seqs = calloc(p->count, sizeof *p->snapshot_seqs);
    p->epoll = epoll_create1(0);
    p->server_name_len = addr_to_sockaddr(&p->server, &p->server_name);
    CHECK(p->clients && p->sessions && p->snapshot_seqs && p->epoll >= 0 && block_pool_init(&p->blocks, 1024) == 0);
    if (!p->is_floor) zone_open(p, url);
    for (uint32_t i = 0; i < p->count; i++) client_open(p, i);
    struct mono next = mono_now();
    for (uint64_t tick = 0;; tick++, next = mono_add_ns(next, NS_PER_S / TICK_HZ)) {
        struct mono now = mono_now();
        if (!p->is_floor) {
            zone_receive(p, now);
            if (p->session_count == p->count) zone_send(p, tick);
            clients_update(p, now);
        }
        clients_send(p, now, tick);
        while (!mono_reached(now = mono_now(), next)) {
            clients_receive(p, now);
            if (!p->is_floor) zone_receive(p, now);
            struct timespec pause = {.tv_nsec = 200 * NS_PER_US};
            nanosleep(&pause, NULL);
        }
    }
}

/* peers_start starts this program anew: nng can't be forked. */
static pid_t peers_start(const struct peers *p, const char *url) {
    char server[ADDR_TEXT_MAX], count[16], hz[16];
    snprintf(count, sizeof count, "%u", p->count);
    snprintf(hz, sizeof hz, "%u", p->hz);
    addr_format(&p->server, server);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid > 0) return pid;
    execl("/proc/self/exe", "bench_gateway", "--peers", server, count, hz, url, (char *)NULL);
    _exit(127);
}

/* peers_main is what it does then: --peers SERVER COUNT HZ [URL]. */
static int peers_main(int argc, char **argv) {
    struct peers peers = {.is_floor = argc < 6, .count = (uint32_t)atoi(argv[3]), .hz = (uint32_t)atoi(argv[4])};
    CHECK(addr_parse(&peers.server, argv[2]) == 0);
    peers_run(&peers, argv[5]);
    return 0;
}

static void peers_stop(pid_t pid) {
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* --- the floor */

#define FLOOR_BUFFERS 1024
#define FLOOR_BATCH   128
#define FLOOR_WAIT_NS (5 * NS_PER_MS) /* for a full batch: latency is no concern of a floor's, wake-ups are */

struct floor {
    int fd;
    struct io_uring ring;
    struct io_uring_buf_ring *buffer_ring;
    uint8_t *buffers;
    struct msghdr shape;
    struct mmsghdr messages[FLOOR_BATCH];
    struct iovec vectors[FLOOR_BATCH];
    struct sockaddr_in names[FLOOR_BATCH];
    uint8_t packets[FLOOR_BATCH][OUT_BYTES + SEALED_BYTES];
    unsigned count;
    bool armed;
    uint64_t pairs, nonce;
};

static void floor_open(struct floor *f, int fd) {
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
                                     .cq_entries = 2 * FLOOR_BUFFERS};
    size_t ring_bytes = FLOOR_BUFFERS * sizeof(struct io_uring_buf);
    f->fd = fd;
    f->shape.msg_namelen = sizeof(struct sockaddr_in);
    CHECK(io_uring_queue_init_params(16, &f->ring, &params) == 0);
    f->buffer_ring = mmap(NULL, ring_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    f->buffers = calloc(FLOOR_BUFFERS, IO_BUFFER_BYTES);
    CHECK(f->buffer_ring != MAP_FAILED && f->buffers);
    struct io_uring_buf_reg registration = {.ring_addr = (uintptr_t)f->buffer_ring, .ring_entries = FLOOR_BUFFERS};
    CHECK(io_uring_register_buf_ring(&f->ring, &registration, 0) == 0);
    for (unsigned i = 0; i < FLOOR_BUFFERS; i++) {
        io_uring_buf_ring_add(f->buffer_ring, f->buffers + (size_t)i * IO_BUFFER_BYTES, IO_BUFFER_BYTES, (uint16_t)i,
                              FLOOR_BUFFERS - 1, (int)i);
    }
    io_uring_buf_ring_advance(f->buffer_ring, FLOOR_BUFFERS);
    for (unsigned i = 0; i < FLOOR_BATCH; i++) {
        f->messages[i].msg_hdr = (struct msghdr){
            .msg_name = &f->names[i], .msg_namelen = sizeof f->names[i], .msg_iov = &f->vectors[i], .msg_iovlen = 1};
        f->vectors[i] = (struct iovec){f->packets[i], sizeof f->packets[i]};
    }
}

static void floor_close(struct floor *f) {
    io_uring_queue_exit(&f->ring);
    munmap(f->buffer_ring, FLOOR_BUFFERS * sizeof(struct io_uring_buf));
    free(f->buffers);
    close(f->fd);
}

static void floor_flush(struct floor *f) {
    for (unsigned done = 0; done < f->count;) {
        int sent = sendmmsg(f->fd, f->messages + done, f->count - done, MSG_DONTWAIT);
        done += sent > 0 ? (unsigned)sent : 1;
    }
    f->pairs += f->count;
    f->count = 0;
}

static void floor_answer(struct floor *f, const struct io_uring_cqe *cqe, uint8_t *buffer) {
    struct io_uring_recvmsg_out *out = io_uring_recvmsg_validate(buffer, cqe->res, &f->shape);
    CHECK(out);
    uint8_t *bytes = io_uring_recvmsg_payload(out, &f->shape);
    unsigned len = io_uring_recvmsg_payload_length(out, cqe->res, &f->shape);
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES] = {0};
    unsigned long long opened, sealed;
    CHECK(crypto_aead_chacha20poly1305_ietf_decrypt(bytes + 3, &opened, NULL, bytes + 3, len - 3, NULL, 0, nonce,
                                                    bench_key) == 0);
    unsigned i = f->count++;
    memcpy(&f->names[i], io_uring_recvmsg_name(out), sizeof f->names[i]);
    memcpy(nonce, &f->nonce, sizeof f->nonce);
    f->nonce++;
    crypto_aead_chacha20poly1305_ietf_encrypt(f->packets[i] + 3, &sealed, f->packets[i] + 3, OUT_BYTES, NULL, 0, NULL, nonce,
                                              bench_key);
    if (f->count == FLOOR_BATCH) floor_flush(f);
}

static void floor_turn(struct floor *f) {
    if (!f->armed) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&f->ring);
        io_uring_prep_recvmsg_multishot(sqe, f->fd, &f->shape, 0);
        sqe->flags |= IOSQE_BUFFER_SELECT;
        f->armed = true;
    }
    struct __kernel_timespec timeout = {.tv_nsec = FLOOR_WAIT_NS};
    struct io_uring_cqe *cqe;
    (void)!io_uring_submit_and_wait_timeout(&f->ring, &cqe, FLOOR_BATCH, &timeout, NULL);
    unsigned head, count = 0;
    io_uring_for_each_cqe(&f->ring, head, cqe) {
        count++;
        if (!(cqe->flags & IORING_CQE_F_MORE)) f->armed = false;
        if (!(cqe->flags & IORING_CQE_F_BUFFER)) continue;
        unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
        uint8_t *buffer = f->buffers + (size_t)id * IO_BUFFER_BYTES;
        floor_answer(f, cqe, buffer);
        io_uring_buf_ring_add(f->buffer_ring, buffer, IO_BUFFER_BYTES, (uint16_t)id, FLOOR_BUFFERS - 1, 0);
        io_uring_buf_ring_advance(f->buffer_ring, 1);
    }
    io_uring_cq_advance(&f->ring, count);
    floor_flush(f);
}

/* --- measuring */

struct span {
    uint64_t thread_ns, process_ns, count;
};

static struct span span_at(uint64_t count) {
    return (struct span){cpu_ns(CLOCK_THREAD_CPUTIME_ID), cpu_ns(CLOCK_PROCESS_CPUTIME_ID), count};
}

static struct figures figures_of(struct span from, struct span to) {
    double pairs = (double)(to.count - from.count);
    return (struct figures){.thread_ns = (double)(to.thread_ns - from.thread_ns) / pairs,
                            .process_ns = (double)(to.process_ns - from.process_ns) / pairs,
                            .pairs = to.count - from.count};
}

static int server_socket(struct addr *bound) {
    struct addr any;
    CHECK(addr_parse(&any, "127.0.0.1:0") == 0);
    int fd = udp_socket_open(&any, SOCKET_BYTES, bound);
    CHECK(fd >= 0);
    return fd;
}

static struct figures measure_floor(uint32_t clients, uint32_t hz, double seconds) {
    static struct floor f;
    struct peers peers = {.is_floor = true, .count = clients, .hz = hz};
    f = (struct floor){0};
    floor_open(&f, server_socket(&peers.server));
    pid_t pid = peers_start(&peers, NULL);
    pin(0);
    struct mono start = mono_now();
    while (mono_since_ns(mono_now(), start) < NS_PER_S) floor_turn(&f);
    struct span from = span_at(f.pairs);
    start = mono_now();
    while (mono_since_ns(mono_now(), start) < (uint64_t)(seconds * 1e9)) floor_turn(&f);
    struct figures figures = figures_of(from, span_at(f.pairs));
    peers_stop(pid);
    floor_close(&f);
    return figures;
}

static uint64_t pairs_of(const struct gateway *g) {
    return (g->stats.packets_in + g->stats.packets_out) / 2;
}

static void turn_for(struct gateway *g, uint64_t ns) {
    struct mono start = mono_now();
    while (mono_since_ns(mono_now(), start) < ns) CHECK(gateway_turn(g) == 0);
}

static struct figures measure_gateway(uint32_t clients, uint32_t hz, double seconds) {
    static struct gateway_config config;
    struct peers peers = {.count = clients, .hz = hz};
    char url[64], error[256];
    snprintf(url, sizeof url, "ipc:///tmp/march-bench-%d.ipc", (int)getpid());
    config = (struct gateway_config){.io_buffers = 1024,
                                     .socket_count = 1,
                                     .tick_hz = TICK_HZ,
                                     .flush_lead_ns = 2000 * NS_PER_US,
                                     .hello = {.name = "gateway-0", .role = WIRE_ROLE_GATEWAY, .incarnation = 1},
                                     .route_count = 1,
                                     .directory = {.version = 1,
                                                   .is_fixed = true,
                                                   .worker_count = 1,
                                                   .partition_count = 1,
                                                   .partitions = {{.rect = {-1, -1, 1, 1}, .former = WIRE_SLOT_NONE}}}};
    config.sockets[0] = server_socket(&peers.server);
    config.buses[0] = (struct bus_edge_config){.url = url,
                                               .role = BUS_DIAL,
                                               .local_name = "gateway-0",
                                               .peer_name = "zone-0",
                                               .frame_max_bytes = BUS_FRAME_BYTES_MAX,
                                               .queue_max_bytes = 8 * BUS_FRAME_BYTES_MAX};
    netcode_server_config_default(&config.netcode);
    config.netcode.protocol_id = PROTOCOL_ID;
    memcpy(config.netcode.connect_key, bench_key, sizeof bench_key);
    randombytes_buf(config.netcode.secret, sizeof config.netcode.secret);
    config.netcode.public_addrs[0] = peers.server;
    config.netcode.public_addr_count = 1;
    config.netcode.limits.network_per_s = config.netcode.limits.strangers_per_s = 0;
    pid_t pid = peers_start(&peers, url);
    struct gateway *g;
    if (gateway_create(&g, &config, mono_now(), wall_now_ns(), error, sizeof error) != 0) {
        fprintf(stderr, "bench_gateway: %s\n", error);
        exit(EXIT_FAILURE);
    }
    pin(0);
    struct mono start = mono_now();
    while (g->sessions.state_counts[SESSION_PLAYING] < clients) {
        CHECK(gateway_turn(g) == 0);
        CHECK(mono_since_ns(mono_now(), start) < 20 * NS_PER_S);
    }
    turn_for(g, NS_PER_S);
    struct span from = span_at(pairs_of(g));
    turn_for(g, (uint64_t)(seconds * 1e9));
    struct figures figures = figures_of(from, span_at(pairs_of(g)));
    CHECK(g->sessions.state_counts[SESSION_PLAYING] == clients);
    gateway_destroy(g);
    peers_stop(pid);
    unlink(url + sizeof "ipc://" - 1);
    return figures;
}

static int compare_figures(const void *a, const void *b) {
    const struct figures *x = a, *y = b;
    return (x->thread_ns > y->thread_ns) - (x->thread_ns < y->thread_ns);
}

int main(int argc, char **argv) {
    CHECK(sodium_init() >= 0);
    log_set_level(LOG_LEVEL_ERROR);
    prctl(PR_SET_TIMERSLACK, 1UL);
    if (argc > 4 && strcmp(argv[1], "--peers") == 0) return peers_main(argc, argv);
    double seconds = argc > 1 ? atof(argv[1]) : 15;
    uint32_t clients = argc > 2 ? (uint32_t)atoi(argv[2]) : 5000;
    uint32_t hz = argc > 3 ? (uint32_t)atoi(argv[3]) : 20;
    if (clients < 1 || clients > CLIENTS_MAX || hz < 1 || TICK_HZ % hz != 0 || seconds <= 0) {
        fprintf(stderr, "usage: bench_gateway [SECONDS [CLIENTS up to %d [HZ that divides %d]]]\n", CLIENTS_MAX, TICK_HZ);
        return 64;
    }
    struct figures floors[ROUNDS], gateways[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        floors[i] = measure_floor(clients, hz, seconds / (2 * ROUNDS));
        gateways[i] = measure_gateway(clients, hz, seconds / (2 * ROUNDS));
    }
    qsort(floors, ROUNDS, sizeof floors[0], compare_figures);
    qsort(gateways, ROUNDS, sizeof gateways[0], compare_figures);
    const struct figures *floor = &floors[ROUNDS / 2], *gateway = &gateways[ROUNDS / 2];
    double ratio = gateway->thread_ns / floor->thread_ns, process_ratio = gateway->process_ns / floor->process_ns;
    printf("{\"clients\":%u,\"hz\":%u,\"in_bytes\":%d,\"out_bytes\":%d,\"floor_ns\":%.0f,\"gateway_ns\":%.0f,"
           "\"gateway_process_ns\":%.0f,\"ratio\":%.3f,\"process_ratio\":%.3f,\"pairs\":%lu}\n",
           clients, hz, IN_BYTES, OUT_BYTES, floor->thread_ns, gateway->thread_ns, gateway->process_ns, ratio, process_ratio,
           (unsigned long)gateway->pairs);
    return 0;
}
