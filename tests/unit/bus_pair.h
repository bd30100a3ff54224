/* bus_pair.h: two edges in one process, over ipc or tcp, and a loop that turns both. Time is passed in, so silence is tested
 * by telling the edges that it has passed; what sockets do is waited for as a condition.
 *
 * The zone listens; the gateway dials, at another address where someone is between.
 */
#ifndef MARCH_TESTS_BUS_PAIR_H
#define MARCH_TESTS_BUS_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/bus.h"

#define MESSAGE_MAX 65536
#define PATIENCE_MS 10000

static const uint8_t KEY[32] = {1, 2, 3};

struct pair {
    char directory[64];
    char listen_url[128], dial_url[128];
    struct bus_edge_config zone_config, gateway_config;
    struct bus_edge *zone, *gateway;
    struct mono now;
    void (*between)(void *context); /* turns whoever is between them; or NULL */
    void *context;
};

static inline struct bus_edge_config config_of(const char *url, enum bus_role role, const char *local, const char *peer) {
    return (struct bus_edge_config){.url = url,
                                    .role = role,
                                    .local_name = local,
                                    .peer_name = peer,
                                    .key = KEY,
                                    .frame_max_bytes = MESSAGE_MAX,
                                    .queue_max_bytes = 4 * MESSAGE_MAX};
}

static inline int free_port(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static inline void tcp_url(char out[128]) {
    snprintf(out, 128, "tcp://127.0.0.1:%d", free_port());
}

static inline void pair_init(struct pair *p, bool tcp) {
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

static inline void pair_open(struct pair *p) {
    assert_int_equal(bus_edge_open(&p->zone, &p->zone_config, p->now), 0);
    assert_int_equal(bus_edge_open(&p->gateway, &p->gateway_config, p->now), 0);
}

static inline void pair_deinit(struct pair *p) {
    bus_edge_close(p->gateway);
    bus_edge_close(p->zone);
    char path[128];
    snprintf(path, sizeof path, "%s/zone-0.gateway-0", p->directory);
    unlink(path);
    assert_int_equal(rmdir(p->directory), 0);
}

static inline void update(struct pair *p) {
    if (p->zone) bus_update(p->zone, p->now);
    if (p->gateway) bus_update(p->gateway, p->now);
    if (p->between) p->between(p->context);
}

/* drain takes off what carries no message, so that greetings are answered; a message here is a surprise. */
static inline void drain(struct bus_edge *edge) {
    const uint8_t *bytes;
    size_t len;
    if (edge) assert_int_equal(bus_receive(edge, &bytes, &len), MARCH_ERR_EMPTY);
}

/* drain_old takes messages too, of the first connection alone. */
static inline void drain_old(struct bus_edge *edge) {
    const uint8_t *bytes;
    size_t len;
    while (bus_receive(edge, &bytes, &len) == 0) {
        assert_int_equal(bus_generation(edge), 1);
        bus_release(edge);
    }
}

static inline void drain_both(struct pair *p) {
    drain(p->zone);
    drain(p->gateway);
}

/* await_traffic sleeps until something comes, a millisecond at most, and lets as much time pass for the edges. */
static inline void await_traffic(struct pair *p) {
    struct pollfd fds[2] = {{.fd = -1}, {.fd = -1}};
    if (p->zone) fds[0] = (struct pollfd){.fd = bus_edge_fd(p->zone), .events = POLLIN};
    if (p->gateway) fds[1] = (struct pollfd){.fd = bus_edge_fd(p->gateway), .events = POLLIN};
    struct mono before = mono_now();
    poll(fds, 2, 1);
    p->now = mono_add_ns(p->now, mono_since_ns(mono_now(), before));
}

/* WAIT_UNTIL turns the loop of both edges until a condition holds. */
#define WAIT_UNTIL(p, condition, each)                                                                                      \
    do {                                                                                                                    \
        struct mono give_up_ = mono_add_ms(mono_now(), PATIENCE_MS);                                                        \
        for (;;) {                                                                                                          \
            update(p);                                                                                                      \
            each;                                                                                                           \
            if (condition) break;                                                                                           \
            if (mono_reached(mono_now(), give_up_)) fail_msg("waited in vain for %s", #condition);                          \
            await_traffic(p);                                                                                               \
        }                                                                                                                   \
    } while (0)

static inline void connect_pair(struct pair *p) {
    WAIT_UNTIL(p, bus_connected(p->zone) && bus_connected(p->gateway), drain_both(p));
}

static inline struct bus_statistics statistics(const struct bus_edge *edge) {
    struct bus_statistics s;
    bus_statistics_read(edge, &s);
    return s;
}

/* expect_message waits for the next message of an edge and compares it. */
static inline void expect_message(struct pair *p, struct bus_edge *edge, const void *bytes, size_t len) {
    const uint8_t *got = NULL;
    size_t got_len = 0;
    int error = MARCH_ERR_EMPTY;
    WAIT_UNTIL(p, error == 0, error = bus_receive(edge, &got, &got_len));
    assert_int_equal(got_len, len);
    assert_memory_equal(got, bytes, len);
    assert_int_equal((uintptr_t)got % 8, 0);
    bus_release(edge);
}

static inline void fill(uint8_t *bytes, size_t len, bool dense) {
    uint32_t random = 12345;
    for (size_t i = 0; i < len; i++)
        bytes[i] = dense ? (uint8_t)((random = random * 1664525 + 1013904223) >> 24) : (uint8_t)(i / 64);
}

#endif
