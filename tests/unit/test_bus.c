/* test_bus.c: edges over real sockets, ipc and tcp, with a man in the middle where it matters. Time is passed in, so silence
 * is tested by telling the edges that it has passed; what sockets do is waited for as a condition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/bus.h"
#include "common/bus_session.h"

#define MESSAGE_MAX 65536
#define PATIENCE_MS 10000
#define DEATHS      12
#define CALLERS     500

static const uint8_t KEY[32] = {1, 2, 3};
static const uint8_t OTHER_KEY[32] = {3, 2, 1};

/* Two edges and what they are opened with. The zone listens; the gateway dials, at another address where someone is between.
 */
struct pair {
    char directory[64];
    char listen_url[128], dial_url[128];
    struct bus_edge_config zone_config, gateway_config;
    struct bus_edge *zone, *gateway;
    struct mono now;
};

static struct bus_edge_config config_of(const char *url, enum bus_role role, const char *local, const char *peer) {
    return (struct bus_edge_config){.url = url,
                                    .role = role,
                                    .local_name = local,
                                    .peer_name = peer,
                                    .key = KEY,
                                    .frame_max_bytes = MESSAGE_MAX,
                                    .queue_max_bytes = 4 * MESSAGE_MAX};
}

static int free_port(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void tcp_url(char out[128]) {
    snprintf(out, 128, "tcp://127.0.0.1:%d", free_port());
}

static void pair_init(struct pair *p, bool tcp) {
    memset(p, 0, sizeof *p);
    snprintf(p->directory, sizeof p->directory, "/tmp/test_bus.XXXXXX");
    assert_non_null(mkdtemp(p->directory));
    if (tcp) {
        tcp_url(p->listen_url);
    } else {
        snprintf(p->listen_url, sizeof p->listen_url, "ipc://%s/zone-0.gateway-0", p->directory);
    }
    memcpy(p->dial_url, p->listen_url, sizeof p->dial_url);
    p->zone_config = config_of(p->listen_url, BUS_LISTEN, "zone-0", "gateway-0");
    p->gateway_config = config_of(p->dial_url, BUS_DIAL, "gateway-0", "zone-0");
    p->now = mono_now();
}

static void pair_open(struct pair *p) {
    assert_int_equal(bus_edge_open(&p->zone, &p->zone_config, p->now), 0);
    assert_int_equal(bus_edge_open(&p->gateway, &p->gateway_config, p->now), 0);
}

static void pair_deinit(struct pair *p) {
    bus_edge_close(p->gateway);
    bus_edge_close(p->zone);
    char path[128];
    snprintf(path, sizeof path, "%s/zone-0.gateway-0", p->directory);
    unlink(path);
    assert_int_equal(rmdir(p->directory), 0);
}

static void update(struct pair *p) {
    if (p->zone) bus_update(p->zone, p->now);
    if (p->gateway) bus_update(p->gateway, p->now);
}

/* drain takes off what carries no message, so that greetings are answered; a message here is a surprise. */
static void drain(struct bus_edge *edge) {
    const uint8_t *bytes;
    size_t len;
    if (edge) assert_int_equal(bus_receive(edge, &bytes, &len), MARCH_ERR_EMPTY);
}

/* drain_old takes messages too, of the first connection alone. */
static void drain_old(struct bus_edge *edge) {
    const uint8_t *bytes;
    size_t len;
    while (bus_receive(edge, &bytes, &len) == 0) {
        assert_int_equal(bus_generation(edge), 1);
        bus_release(edge);
    }
}

static void drain_both(struct pair *p) {
    drain(p->zone);
    drain(p->gateway);
}

/* Man in the middle: forwards frames between the edges, and can keep, repeat and change them. */
struct middle {
    nng_socket to_gateway, to_zone;
    char gateway_url[128];
    nng_msg *kept; /* a copy of the newest frame from gateway to zone */
    bool keep;
    int flips_left;
};

static void middle_open(struct middle *m, const char *zone_url) {
    memset(m, 0, sizeof *m);
    tcp_url(m->gateway_url);
    assert_int_equal(nng_pair0_open(&m->to_gateway), 0);
    assert_int_equal(nng_pair0_open(&m->to_zone), 0);
    assert_int_equal(nng_listen(m->to_gateway, m->gateway_url, NULL, 0), 0);
    assert_int_equal(nng_dial(m->to_zone, zone_url, NULL, NNG_FLAG_NONBLOCK), 0);
}

static void middle_close(struct middle *m) {
    nng_close(m->to_gateway);
    nng_close(m->to_zone);
    if (m->kept) nng_msg_free(m->kept);
}

static void middle_forward(struct middle *m) {
    nng_msg *msg;
    while (nng_recvmsg(m->to_zone, &msg, NNG_FLAG_NONBLOCK) == 0) assert_int_equal(nng_sendmsg(m->to_gateway, msg, 0), 0);
    while (nng_recvmsg(m->to_gateway, &msg, NNG_FLAG_NONBLOCK) == 0) {
        if (m->keep) {
            if (m->kept) nng_msg_free(m->kept);
            assert_int_equal(nng_msg_dup(&m->kept, msg), 0);
        }
        if (m->flips_left > 0) {
            ((uint8_t *)nng_msg_body(msg))[nng_msg_len(msg) - 1 - (size_t)m->flips_left] ^= 1;
            m->flips_left--;
        }
        assert_int_equal(nng_sendmsg(m->to_zone, msg, 0), 0);
    }
}

static void step(struct pair *p, struct middle *m) {
    update(p);
    if (m) middle_forward(m);
}

/* WAIT_UNTIL turns the loop of both edges until a condition holds. */
#define WAIT_UNTIL(p, m, condition, each)                                                                                   \
    do {                                                                                                                    \
        struct mono give_up_ = mono_add_ms(mono_now(), PATIENCE_MS);                                                        \
        for (;;) {                                                                                                          \
            step(p, m);                                                                                                     \
            each;                                                                                                           \
            if (condition) break;                                                                                           \
            if (mono_reached(mono_now(), give_up_)) fail_msg("waited in vain for %s", #condition);                          \
            await_traffic(p);                                                                                               \
        }                                                                                                                   \
    } while (0)

static void await_traffic(struct pair *p) {
    struct pollfd fds[2] = {{.fd = -1}, {.fd = -1}};
    if (p->zone) fds[0] = (struct pollfd){.fd = bus_edge_fd(p->zone), .events = POLLIN};
    if (p->gateway) fds[1] = (struct pollfd){.fd = bus_edge_fd(p->gateway), .events = POLLIN};
    poll(fds, 2, 1);
}

static void connect_pair(struct pair *p, struct middle *m) {
    WAIT_UNTIL(p, m, bus_connected(p->zone) && bus_connected(p->gateway), drain_both(p));
}

static struct bus_statistics statistics(const struct bus_edge *edge) {
    struct bus_statistics s;
    bus_statistics_read(edge, &s);
    return s;
}

/* expect_message waits for the next message of an edge and compares it. */
static void expect_message(struct pair *p, struct middle *m, struct bus_edge *edge, const void *bytes, size_t len) {
    const uint8_t *got = NULL;
    size_t got_len = 0;
    int error = MARCH_ERR_EMPTY;
    WAIT_UNTIL(p, m, error == 0, error = bus_receive(edge, &got, &got_len));
    assert_int_equal(got_len, len);
    assert_memory_equal(got, bytes, len);
    assert_int_equal((uintptr_t)got % 8, 0);
    bus_release(edge);
}

static void fill(uint8_t *bytes, size_t len, bool dense) {
    uint32_t random = 12345;
    for (size_t i = 0; i < len; i++)
        bytes[i] = dense ? (uint8_t)((random = random * 1664525 + 1013904223) >> 24) : (uint8_t)(i / 64);
}

static void echo_sizes(bool tcp) {
    struct pair p;
    pair_init(&p, tcp);
    pair_open(&p);
    connect_pair(&p, NULL);
    static const size_t sizes[] = {1, 7, 255, 256, 1024, 32768, MESSAGE_MAX};
    static uint8_t bytes[MESSAGE_MAX];
    size_t count = sizeof sizes / sizeof *sizes;
    for (size_t i = 0; i < 2 * count; i++) {
        size_t len = sizes[i % count];
        fill(bytes, len, i >= count);
        assert_int_equal(bus_send(p.gateway, bytes, len), 0);
        expect_message(&p, NULL, p.zone, bytes, len);
        assert_int_equal(bus_send(p.zone, bytes, len), 0);
        expect_message(&p, NULL, p.gateway, bytes, len);
    }
    struct bus_statistics s = statistics(p.gateway);
    assert_int_equal(s.sent_frames, 14);
    assert_int_equal(s.received_frames, 14);
    assert_int_equal(s.received_bytes, s.sent_bytes);
    assert_int_equal(s.bad_frames + s.stale_frames + s.gaps, 0);
    assert_int_equal(s.connections, 1);
    assert_true(tcp ? s.wire_sent_bytes < s.sent_bytes : s.wire_sent_bytes > s.sent_bytes); /* half of it compresses */
    pair_deinit(&p);
}

static void test_bus_ipc_echoes_every_size(void **state) {
    (void)state;
    echo_sizes(false);
}

static void test_bus_tcp_echoes_every_size(void **state) {
    (void)state;
    echo_sizes(true);
}

static void test_bus_without_peer_refuses_to_send(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    assert_int_equal(bus_edge_open(&p.zone, &p.zone_config, p.now), 0);
    update(&p);
    assert_false(bus_connected(p.zone));
    assert_int_equal(bus_generation(p.zone), 0);
    assert_int_equal(bus_send(p.zone, "x", 1), MARCH_ERR_NOT_FOUND);
    pair_deinit(&p);
}

static void test_bus_length_outside_limits_is_refused(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    pair_open(&p);
    connect_pair(&p, NULL);
    static uint8_t bytes[MESSAGE_MAX + 1];
    assert_int_equal(bus_send(p.gateway, bytes, 0), MARCH_ERR_INVALID);
    assert_int_equal(bus_send(p.gateway, bytes, MESSAGE_MAX + 1), MARCH_ERR_INVALID);
    pair_deinit(&p);
}

static void reconnect(bool tcp) {
    struct pair p;
    pair_init(&p, tcp);
    pair_open(&p);
    connect_pair(&p, NULL);
    for (uint32_t life = 2; life <= 4; life++) {
        bus_edge_close(p.zone);
        p.zone = NULL;
        WAIT_UNTIL(&p, NULL, !bus_connected(p.gateway), drain(p.gateway));
        assert_int_equal(bus_send(p.gateway, "lost", 4), MARCH_ERR_NOT_FOUND);
        assert_int_equal(bus_edge_open(&p.zone, &p.zone_config, p.now), 0);
        connect_pair(&p, NULL);
        assert_true(bus_generation(p.gateway) >= life);
        assert_int_equal(bus_send(p.gateway, &life, sizeof life), 0);
        expect_message(&p, NULL, p.zone, &life, sizeof life);
    }
    pair_deinit(&p);
}

static void test_bus_ipc_peer_reopened_connects_again(void **state) {
    (void)state;
    reconnect(false);
}

static void test_bus_tcp_peer_reopened_connects_again(void **state) {
    (void)state;
    reconnect(true);
}

/* The gateway sends without anyone reading until it is refused. What it was promised arrives, in order. */
static void test_bus_full_queue_refuses_and_keeps_order(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    pair_open(&p);
    connect_pair(&p, NULL);
    static uint8_t bytes[MESSAGE_MAX];
    uint32_t sent = 0;
    for (; sent < 10000; sent++) {
        memcpy(bytes, &sent, sizeof sent);
        if (bus_send(p.gateway, bytes, sizeof bytes) != 0) break;
    }
    assert_in_range(sent, 1, 9999);
    assert_int_equal(bus_send(p.gateway, bytes, sizeof bytes), MARCH_ERR_FULL);
    struct bus_statistics s = statistics(p.gateway);
    assert_int_equal(s.dropped_full, 2);
    assert_int_equal(s.sent_frames, sent);
    assert_true(s.queue_messages > 0 && s.queue_bytes <= p.gateway_config.queue_max_bytes + BUS_FRAME_OVERHEAD_BYTES);
    for (uint32_t i = 0; i < sent; i++) {
        memcpy(bytes, &i, sizeof i);
        expect_message(&p, NULL, p.zone, bytes, sizeof bytes);
    }
    s = statistics(p.gateway);
    assert_int_equal(s.queue_messages, 0);
    assert_int_equal(s.queue_bytes, 0);
    assert_int_equal(statistics(p.zone).gaps, 0);
    pair_deinit(&p);
}

static void send_until_full(struct bus_edge *edge) {
    static const uint8_t bytes[MESSAGE_MAX];
    while (bus_send(edge, bytes, sizeof bytes) == 0) continue;
}

/* The zone hangs until the gateway has given it up. What was on its way and in the queue never reaches the next connection.
 */
static void test_bus_messages_of_a_lost_connection_are_dropped(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    pair_open(&p);
    connect_pair(&p, NULL);
    struct bus_edge *zone = p.zone;
    p.zone = NULL;
    WAIT_UNTIL(&p, NULL, !bus_connected(p.gateway),
               (send_until_full(p.gateway), drain(p.gateway), p.now = mono_add_ms(p.now, 100)));
    assert_true(statistics(p.gateway).dropped_closed > 0);
    assert_int_equal(statistics(p.gateway).queue_messages, 0);
    p.zone = zone;
    WAIT_UNTIL(&p, NULL, bus_generation(p.zone) >= 2 && bus_connected(p.zone) && bus_connected(p.gateway),
               (drain(p.gateway), drain_old(p.zone)));
    assert_true(statistics(p.zone).stale_frames > 0);
    assert_int_equal(bus_send(p.gateway, "new", 3), 0);
    expect_message(&p, NULL, p.zone, "new", 3);
    pair_deinit(&p);
}

static void test_bus_oversize_frame_ends_the_connection_only(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    p.gateway_config.frame_max_bytes = 2 * MESSAGE_MAX; /* a peer that does not keep to the limit */
    pair_open(&p);
    connect_pair(&p, NULL);
    static uint8_t bytes[2 * MESSAGE_MAX];
    assert_int_equal(bus_send(p.gateway, bytes, sizeof bytes), 0);
    WAIT_UNTIL(&p, NULL, bus_generation(p.zone) >= 2 && bus_connected(p.zone) && bus_connected(p.gateway), drain_both(&p));
    assert_int_equal(bus_send(p.gateway, bytes, MESSAGE_MAX), 0);
    expect_message(&p, NULL, p.zone, bytes, MESSAGE_MAX);
    pair_deinit(&p);
}

static void open_through_middle(struct pair *p, struct middle *m) {
    pair_init(p, true);
    middle_open(m, p->listen_url);
    memcpy(p->dial_url, m->gateway_url, sizeof p->dial_url);
    pair_open(p);
}

static void test_bus_flipped_frame_is_refused_and_counted(void **state) {
    (void)state;
    struct pair p;
    struct middle m;
    open_through_middle(&p, &m);
    connect_pair(&p, &m);
    m.flips_left = 3;
    for (int i = 0; i < 3; i++) assert_int_equal(bus_send(p.gateway, "flipped", 7), 0);
    WAIT_UNTIL(&p, &m, statistics(p.zone).bad_frames == 3, drain_both(&p));
    assert_int_equal(bus_send(p.gateway, "whole", 5), 0);
    expect_message(&p, &m, p.zone, "whole", 5);
    assert_int_equal(statistics(p.zone).gaps, 3);
    middle_close(&m);
    pair_deinit(&p);
}

static void test_bus_replayed_frame_is_refused_and_counted(void **state) {
    (void)state;
    struct pair p;
    struct middle m;
    open_through_middle(&p, &m);
    connect_pair(&p, &m);
    m.keep = true;
    assert_int_equal(bus_send(p.gateway, "pay 5", 5), 0);
    expect_message(&p, &m, p.zone, "pay 5", 5);
    for (int i = 0; i < 4; i++) {
        nng_msg *again;
        assert_int_equal(nng_msg_dup(&again, m.kept), 0);
        assert_int_equal(nng_sendmsg(i % 2 ? m.to_gateway : m.to_zone, again, 0), 0); /* replayed, and reflected */
    }
    WAIT_UNTIL(&p, &m, statistics(p.zone).stale_frames == 2 && statistics(p.gateway).stale_frames == 2, drain_both(&p));

    bus_edge_close(p.zone); /* nor does the next life of the receiver take it */
    assert_int_equal(bus_edge_open(&p.zone, &p.zone_config, p.now), 0);
    nng_msg *again;
    assert_int_equal(nng_msg_dup(&again, m.kept), 0);
    assert_int_equal(nng_sendmsg(m.to_zone, again, 0), 0);
    WAIT_UNTIL(&p, &m, statistics(p.zone).stale_frames >= 1 && bus_connected(p.zone) && bus_connected(p.gateway),
               drain_both(&p));
    assert_int_equal(bus_send(p.gateway, "pay 6", 5), 0);
    expect_message(&p, &m, p.zone, "pay 6", 5);
    middle_close(&m);
    pair_deinit(&p);
}

static void test_bus_peer_with_another_key_never_connects(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, true);
    p.gateway_config.key = OTHER_KEY;
    pair_open(&p);
    WAIT_UNTIL(&p, NULL, statistics(p.zone).bad_frames > 0 && statistics(p.gateway).bad_frames > 0, drain_both(&p));
    assert_false(bus_connected(p.zone) || bus_connected(p.gateway));
    /* and is turned out after a while, so that it does not hold the place of the right one */
    WAIT_UNTIL(&p, NULL, statistics(p.zone).timeouts > 0, (drain_both(&p), p.now = mono_add_ms(p.now, 100)));
    bus_edge_close(p.gateway);
    p.gateway_config.key = KEY;
    assert_int_equal(bus_edge_open(&p.gateway, &p.gateway_config, p.now), 0);
    connect_pair(&p, NULL);
    pair_deinit(&p);
}

static void test_bus_silent_peer_is_given_up(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    pair_open(&p);
    connect_pair(&p, NULL);
    struct bus_edge *zone = p.zone;
    p.zone = NULL; /* the zone's thread hangs */
    WAIT_UNTIL(&p, NULL, !bus_connected(p.gateway), (drain(p.gateway), p.now = mono_add_ms(p.now, 100)));
    assert_int_equal(statistics(p.gateway).timeouts, 1);
    p.zone = zone; /* and goes on */
    WAIT_UNTIL(&p, NULL, bus_generation(p.gateway) >= 2 && bus_connected(p.gateway) && bus_connected(p.zone),
               drain_both(&p));
    pair_deinit(&p);
}

static void test_bus_idle_connection_is_kept_alive(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, true);
    pair_open(&p);
    connect_pair(&p, NULL);
    struct mono start = p.now;
    uint64_t received = statistics(p.zone).wire_received_bytes;
    while (mono_since_ns(p.now, start) < 3 * BUS_SILENCE_MAX_MS * NS_PER_MS) {
        for (int i = 0; i < BUS_KEEP_ALIVE_MS / 100; i++) {
            p.now = mono_add_ms(p.now, 100);
            update(&p);
        }
        WAIT_UNTIL(&p, NULL, statistics(p.zone).wire_received_bytes > received, drain_both(&p));
        received = statistics(p.zone).wire_received_bytes;
    }
    assert_int_equal(bus_generation(p.zone), 1);
    assert_int_equal(statistics(p.zone).timeouts, 0);
    pair_deinit(&p);
}

/* listen_bare listens at the pair's ipc address, without nng. */
static int listen_bare(const struct pair *p) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%.100s", p->listen_url + strlen("ipc://"));
    unlink(address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

/* await_connection lets real time pass until both ends know each other. */
static void await_connection(struct pair *p) {
    struct mono deadline = mono_add_ms(mono_now(), PATIENCE_MS);
    while (!bus_connected(p->gateway) || !bus_connected(p->zone)) {
        assert_false(mono_reached(p->now, deadline));
        poll(NULL, 0, 1);
        p->now = mono_now();
        update(p);
        drain_both(p);
    }
}

/* A peer that dies in the moment in which it is dialled: nng's own dialler would sooner or later give up for ever. */
static void test_bus_peer_that_dies_when_dialled_is_dialled_again(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    assert_int_equal(bus_edge_open(&p.gateway, &p.gateway_config, p.now), 0);
    for (int i = 0; i < DEATHS; i++) {
        struct pollfd wait = {.fd = listen_bare(&p), .events = POLLIN};
        struct mono deadline = mono_add_ms(mono_now(), PATIENCE_MS);
        while (poll(&wait, 1, i % 2 == 0 ? 0 : 20) == 0) {
            assert_false(mono_reached(mono_now(), deadline));
            bus_update(p.gateway, mono_now());
        }
        close(wait.fd);
    }
    p.now = mono_now();
    assert_int_equal(bus_edge_open(&p.zone, &p.zone_config, p.now), 0);
    await_connection(&p);
    pair_deinit(&p);
}

/* The same from the other side: those who connect are gone before they are greeted. */
static void test_bus_listener_whose_peers_die_when_they_connect_goes_on(void **state) {
    (void)state;
    struct pair p;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    pair_init(&p, false);
    snprintf(address.sun_path, sizeof address.sun_path, "%.100s", p.listen_url + strlen("ipc://"));
    assert_int_equal(bus_edge_open(&p.zone, &p.zone_config, p.now), 0);
    for (int i = 0; i < CALLERS; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        (void)!connect(fd, (struct sockaddr *)&address, sizeof address); /* refused once the listener has given up */
        close(fd);
    }
    p.now = mono_now();
    assert_int_equal(bus_edge_open(&p.gateway, &p.gateway_config, p.now), 0);
    await_connection(&p);
    pair_deinit(&p);
}

static void test_bus_peer_that_is_away_is_dialled_anew(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, false);
    assert_int_equal(bus_edge_open(&p.gateway, &p.gateway_config, p.now), 0);
    for (int ms = 0; ms < 9000; ms += 100) {
        p.now = mono_add_ms(p.now, 100);
        bus_update(p.gateway, p.now);
    }
    struct bus_statistics statistics;
    bus_statistics_read(p.gateway, &statistics);
    assert_int_equal(statistics.restarts, 4);
    assert_int_equal(bus_edge_open(&p.zone, &p.zone_config, p.now), 0);
    connect_pair(&p, NULL);
    pair_deinit(&p);
}

static void test_bus_bad_configuration_is_refused(void **state) {
    (void)state;
    struct bus_edge *edge;
    struct mono now = mono_now();
    struct bus_edge_config good = config_of("tcp://127.0.0.1:1", BUS_DIAL, "a", "b"), c = good;
    c.key = NULL; /* never unsealed over tcp */
    assert_int_equal(bus_edge_open(&edge, &c, now), MARCH_ERR_INVALID);
    c = good, c.url = "ws://127.0.0.1:1";
    assert_int_equal(bus_edge_open(&edge, &c, now), MARCH_ERR_INVALID);
    c = good, c.peer_name = "a";
    assert_int_equal(bus_edge_open(&edge, &c, now), MARCH_ERR_INVALID);
    c = good, c.local_name = "a name of 32 bytes is one too long";
    assert_int_equal(bus_edge_open(&edge, &c, now), MARCH_ERR_INVALID);
    c = good, c.queue_max_bytes = 1;
    assert_int_equal(bus_edge_open(&edge, &c, now), MARCH_ERR_INVALID);
    c = good, c.frame_max_bytes = BUS_FRAME_BYTES_MAX + 1;
    assert_int_equal(bus_edge_open(&edge, &c, now), MARCH_ERR_INVALID);
    bus_edge_close(NULL);
}

static void test_bus_address_in_use_is_said(void **state) {
    (void)state;
    struct pair p;
    pair_init(&p, true);
    assert_int_equal(bus_edge_open(&p.zone, &p.zone_config, p.now), 0);
    struct bus_edge *second;
    assert_int_equal(bus_edge_open(&second, &p.zone_config, p.now), MARCH_ERR_EXISTS);
    pair_deinit(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bus_ipc_echoes_every_size),
        cmocka_unit_test(test_bus_tcp_echoes_every_size),
        cmocka_unit_test(test_bus_without_peer_refuses_to_send),
        cmocka_unit_test(test_bus_length_outside_limits_is_refused),
        cmocka_unit_test(test_bus_ipc_peer_reopened_connects_again),
        cmocka_unit_test(test_bus_tcp_peer_reopened_connects_again),
        cmocka_unit_test(test_bus_full_queue_refuses_and_keeps_order),
        cmocka_unit_test(test_bus_messages_of_a_lost_connection_are_dropped),
        cmocka_unit_test(test_bus_oversize_frame_ends_the_connection_only),
        cmocka_unit_test(test_bus_flipped_frame_is_refused_and_counted),
        cmocka_unit_test(test_bus_replayed_frame_is_refused_and_counted),
        cmocka_unit_test(test_bus_peer_with_another_key_never_connects),
        cmocka_unit_test(test_bus_silent_peer_is_given_up),
        cmocka_unit_test(test_bus_idle_connection_is_kept_alive),
        cmocka_unit_test(test_bus_peer_that_dies_when_dialled_is_dialled_again),
        cmocka_unit_test(test_bus_listener_whose_peers_die_when_they_connect_goes_on),
        cmocka_unit_test(test_bus_peer_that_is_away_is_dialled_anew),
        cmocka_unit_test(test_bus_bad_configuration_is_refused),
        cmocka_unit_test(test_bus_address_in_use_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
