/* bench_bus: what a message between two processes costs, in CPU time of both sides with the threads of nng.
 *
 *   bench_bus [MESSAGES]
 *
 * Two edges in this process, over ipc and over tcp on loopback. "bus": one message is on its way at a time, as between a
 * gateway and a zone, so each pays for its wake-ups. "bus_flow": as many as there is room for, one way. One line of JSON for
 * each transport and size; on tcp once with bytes that compress and once with bytes that don't.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/bus.h"
#include "common/check.h"

#define PATIENCE_MS 10000
#define FLOW_BURST  32
#define TCP_URL     "tcp://127.0.0.1:47613"

static const uint8_t KEY[BUS_FRAME_KEY_BYTES] = {1};

struct bench {
    struct bus_edge *zone, *gateway;
};

static uint64_t cpu_ns(void) {
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (uint64_t)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * NS_PER_S +
           (uint64_t)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * NS_PER_US;
}

static void open_edge(struct bus_edge **edge, const char *url, enum bus_role role) {
    bool zone = role == BUS_LISTEN;
    struct bus_edge_config config = {.url = url,
                                     .role = role,
                                     .local_name = zone ? "zone" : "gateway",
                                     .peer_name = zone ? "gateway" : "zone",
                                     .key = KEY,
                                     .frame_max_bytes = BUS_FRAME_BYTES_MAX,
                                     .queue_max_bytes = 4 * BUS_FRAME_BYTES_MAX};
    int error = bus_edge_open(edge, &config, mono_now());
    if (error) fprintf(stderr, "%s: %s\n", url, march_error_text(error));
    CHECK(error == 0);
}

/* drain takes what carries no message: greetings and keep-alives. */
static void drain(struct bus_edge *edge) {
    const uint8_t *bytes;
    size_t len;
    CHECK(bus_receive(edge, &bytes, &len) == MARCH_ERR_EMPTY);
}

/* await_message turns the receiving side until it has one; false when it does not come. */
static bool await_message(struct bench *b, const uint8_t **bytes, size_t *len) {
    struct mono give_up = mono_add_ms(mono_now(), PATIENCE_MS);
    while (bus_receive(b->gateway, bytes, len) != 0) {
        struct mono now = mono_now();
        if (mono_reached(now, give_up)) return false;
        poll(&(struct pollfd){.fd = bus_edge_fd(b->gateway), .events = POLLIN}, 1, 1);
        bus_update(b->gateway, now);
        bus_update(b->zone, now);
        drain(b->zone);
    }
    return true;
}

static void connect_edges(struct bench *b) {
    struct mono give_up = mono_add_ms(mono_now(), PATIENCE_MS);
    while (!bus_connected(b->zone) || !bus_connected(b->gateway)) {
        struct mono now = mono_now();
        CHECK(!mono_reached(now, give_up));
        bus_update(b->zone, now);
        bus_update(b->gateway, now);
        drain(b->zone);
        drain(b->gateway);
        poll(&(struct pollfd){.fd = bus_edge_fd(b->gateway), .events = POLLIN}, 1, 1);
    }
}

static void fill(uint8_t *bytes, size_t len, bool dense) {
    uint32_t random = 1;
    for (size_t i = 0; i < len; i++) {
        random = random * 1664525 + 1013904223;
        bytes[i] = dense || i % 8 == 0 ? (uint8_t)(random >> 24) : 0;
    }
}

static void measure(struct bench *b, const char *transport, size_t size, bool dense, unsigned messages) {
    uint8_t *bytes = malloc(size);
    CHECK(bytes);
    fill(bytes, size, dense);
    struct bus_statistics before, after;
    bus_statistics_read(b->zone, &before);
    uint64_t cpu = cpu_ns();
    struct mono start = mono_now();
    for (unsigned i = 0; i < messages; i++) {
        const uint8_t *got;
        size_t len;
        CHECK(bus_send(b->zone, bytes, size) == 0);
        CHECK(await_message(b, &got, &len) && len == size);
        bus_release(b->gateway);
    }
    uint64_t wall = mono_since_ns(mono_now(), start);
    cpu = cpu_ns() - cpu;
    bus_statistics_read(b->zone, &after);
    printf(
        "{\"bench\": \"bus\", \"transport\": \"%s\", \"dense\": %s, \"bytes\": %zu, \"wire_bytes\": %llu, \"messages\": %u, "
        "\"cpu_us\": %.2f, \"wall_us\": %.2f}\n",
        transport, dense ? "true" : "false", size,
        (unsigned long long)((after.wire_sent_bytes - before.wire_sent_bytes) / messages), messages,
        (double)cpu / messages / 1e3, (double)wall / messages / 1e3);
    fflush(stdout);
    free(bytes);
}

/* take_all receives what is there, or waits for it. */
static unsigned take_all(struct bench *b, size_t size) {
    const uint8_t *got;
    size_t len;
    unsigned count = 0;
    for (; bus_receive(b->gateway, &got, &len) == 0; count++) {
        CHECK(len == size);
        bus_release(b->gateway);
    }
    if (count == 0) poll(&(struct pollfd){.fd = bus_edge_fd(b->gateway), .events = POLLIN}, 1, 1);
    return count;
}

static void measure_flow(struct bench *b, const char *transport, size_t size, unsigned messages) {
    uint8_t *bytes = malloc(size);
    CHECK(bytes);
    fill(bytes, size, true);
    uint64_t cpu = cpu_ns();
    struct mono start = mono_now();
    for (unsigned sent = 0, received = 0; received < messages; received += take_all(b, size)) {
        struct mono now = mono_now();
        CHECK(mono_since_ns(now, start) < PATIENCE_MS * NS_PER_MS);
        bus_update(b->gateway, now);
        bus_update(b->zone, now);
        drain(b->zone);
        for (unsigned i = 0; i < FLOW_BURST && sent < messages && bus_send(b->zone, bytes, size) == 0; i++) sent++;
    }
    uint64_t wall = mono_since_ns(mono_now(), start);
    cpu = cpu_ns() - cpu;
    printf("{\"bench\": \"bus_flow\", \"transport\": \"%s\", \"dense\": true, \"bytes\": %zu, \"messages\": %u, \"cpu_us\": "
           "%.2f, \"wall_us\": %.2f, \"per_s\": %.0f}\n",
           transport, size, messages, (double)cpu / messages / 1e3, (double)wall / messages / 1e3,
           messages * 1e9 / (double)wall);
    fflush(stdout);
    free(bytes);
}

static void run(const char *transport, const char *url, unsigned messages) {
    static const size_t sizes[] = {1024, 32768, 262144};
    struct bench b;
    open_edge(&b.zone, url, BUS_LISTEN);
    open_edge(&b.gateway, url, BUS_DIAL);
    connect_edges(&b);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        measure(&b, transport, sizes[i], true, messages);
        if (strcmp(transport, "tcp") == 0) measure(&b, transport, sizes[i], false, messages);
        measure_flow(&b, transport, sizes[i], messages);
    }
    bus_edge_close(b.gateway);
    bus_edge_close(b.zone);
}

int main(int argc, char **argv) {
    unsigned messages = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 2000;
    if (messages == 0) {
        fprintf(stderr, "usage: bench_bus [MESSAGES]\n");
        return 2;
    }
    char directory[] = "/tmp/bench_bus.XXXXXX", path[48], url[64];
    CHECK(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/edge", directory);
    snprintf(url, sizeof url, "ipc://%s", path);
    run("ipc", url, messages);
    run("tcp", TCP_URL, messages);
    unlink(path);
    rmdir(directory);
    return 0;
}
