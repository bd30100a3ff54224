/* The same tests run for both back ends, on real loopback sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "gateway/io.h"
#include "gateway/sender.h"
#include "gateway/udp_socket.h"

#define BUFFERS_TINY 8
#define SEEN_MAX     8192
#define WAITS_MAX    2000 /* of at most 10 ms each: far more than anything here takes */

struct fixture {
    enum io_back_end back_end;
    struct io *io;
    int server[2], client[2]; /* IPv4, IPv6 */
    struct addr server_addr[2], client_addr[2];
    int pipes[IO_WATCHES_MAX][2];
    unsigned pipe_count;
    unsigned received, readable, from_other, woken;
    unsigned last_socket;
    struct addr last_from;
    uint8_t last[IO_BUFFER_BYTES];
    size_t last_len;
    bool leave_unread; /* the handler of descriptors reads nothing */
    uint8_t seen[SEEN_MAX];
};

static void on_datagram(void *context, const struct addr *from, uint8_t *bytes, size_t len) {
    struct fixture *f = context;
    f->received++;
    f->last_socket = from->via;
    f->last_from = *from;
    f->last_from.via = 0;
    f->last_len = len;
    memcpy(f->last, bytes, len);
    if (!addr_equal(&f->last_from, &f->client_addr[from->via])) f->from_other++;
    uint32_t number;
    if (len == sizeof number) {
        memcpy(&number, bytes, sizeof number);
        assert_in_range(number, 0, SEEN_MAX - 1);
        f->seen[number]++;
    }
    memset(bytes, 0xee, len); /* handlers may write */
}

static void on_woken(void *context) {
    ((struct fixture *)context)->woken++;
}

static void on_readable(void *context, unsigned tag) {
    struct fixture *f = context;
    f->readable++;
    assert_in_range(tag, 0, f->pipe_count - 1);
    char byte;
    if (!f->leave_unread) assert_int_equal(read(f->pipes[tag][0], &byte, 1), 1);
}

static struct fixture *open_with(void **state, unsigned buffers) {
    struct fixture *f = *state;
    struct io_config config = {
        .back_end = f->back_end,
        .buffers = buffers,
        .socket_count = 2,
        .sockets = {f->server[0], f->server[1]},
        .handlers = {.context = f, .woken = on_woken, .datagram = on_datagram, .readable = on_readable}};
    assert_int_equal(io_open(&f->io, &config), 0);
    return f;
}

static void wait_for(struct fixture *f, const unsigned *count, unsigned expected) {
    for (int i = 0; i < WAITS_MAX && *count < expected; i++) assert_true(io_wait(f->io, 10 * NS_PER_MS, 1) >= 0);
    assert_int_equal(*count, expected);
}

static void send_to(struct fixture *f, unsigned socket, const void *bytes, size_t len) {
    struct sockaddr_storage to;
    socklen_t to_len = addr_to_sockaddr(&f->server_addr[socket], &to);
    assert_int_equal(sendto(f->client[socket], bytes, len, 0, (struct sockaddr *)&to, to_len), (ssize_t)len);
}

static int setup(void **state, enum io_back_end back_end) {
    static const char *const any[2] = {"127.0.0.1:0", "[::1]:0"};
    struct fixture *f = calloc(1, sizeof *f);
    f->back_end = back_end;
    for (int i = 0; i < 2; i++) {
        struct addr address;
        assert_int_equal(addr_parse(&address, any[i]), 0);
        f->server[i] = udp_socket_open(&address, 4 << 20, &f->server_addr[i]);
        f->client[i] = udp_socket_open(&address, 4 << 20, &f->client_addr[i]);
        assert_true(f->server[i] >= 0 && f->client[i] >= 0);
    }
    *state = f;
    return 0;
}

static int setup_uring(void **state) {
    return setup(state, IO_BACK_END_URING);
}

static int setup_epoll(void **state) {
    return setup(state, IO_BACK_END_EPOLL);
}

static int teardown(void **state) {
    struct fixture *f = *state;
    io_close(&f->io);
    io_close(&f->io);
    for (int i = 0; i < 2; i++) {
        close(f->server[i]);
        close(f->client[i]);
    }
    for (unsigned i = 0; i < f->pipe_count; i++) {
        close(f->pipes[i][0]);
        close(f->pipes[i][1]);
    }
    free(f);
    return 0;
}

static void watch_pipes(struct fixture *f, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(pipe(f->pipes[i]), 0);
        f->pipe_count++;
        assert_int_equal(io_watch(f->io, f->pipes[i][0], i), 0);
    }
}

static void test_io_datagram_of_each_family_reaches_handler(void **state) {
    struct fixture *f = open_with(state, 64);
    for (unsigned i = 0; i < 2; i++) {
        send_to(f, i, "hello", 5);
        wait_for(f, &f->received, i + 1);
        assert_int_equal(f->last_socket, i);
        assert_true(addr_equal(&f->last_from, &f->client_addr[i]));
        assert_int_equal(f->last_len, 5);
        assert_memory_equal(f->last, "hello", 5);
    }
    assert_int_equal(io_stats(f->io)->datagrams, 2);
    assert_int_equal(io_stats(f->io)->bytes, 10);
}

static void test_io_more_datagrams_than_buffers_all_arrive(void **state) {
    struct fixture *f = open_with(state, BUFFERS_TINY);
    for (uint32_t i = 0; i < 1000; i++) send_to(f, i & 1, &i, sizeof i);
    wait_for(f, &f->received, 1000);
    for (uint32_t i = 0; i < 1000; i++) assert_int_equal(f->seen[i], 1);
    assert_int_equal(f->from_other, 0);
    if (f->back_end == IO_BACK_END_URING) {
        assert_true(io_stats(f->io)->buffers_exhausted > 0);
        assert_true(io_stats(f->io)->receives_rearmed > 0);
    }
}

static void test_io_more_events_than_completions_all_handled(void **state) {
    struct fixture *f = open_with(state, BUFFERS_TINY);
    watch_pipes(f, 64);
    assert_int_equal(io_wait(f->io, 0, 1), 0); /* everything is armed */
    for (unsigned i = 0; i < 64; i++) assert_int_equal(write(f->pipes[i][1], "x", 1), 1);
    for (uint32_t i = 0; i < 100; i++) send_to(f, i & 1, &i, sizeof i);
    wait_for(f, &f->readable, 64);
    wait_for(f, &f->received, 100);
    if (f->back_end == IO_BACK_END_URING) assert_true(io_stats(f->io)->completions_overflow > 0);
}

static void test_io_unread_descriptor_is_told_again(void **state) {
    struct fixture *f = open_with(state, 64);
    watch_pipes(f, 2);
    f->leave_unread = true;
    assert_int_equal(write(f->pipes[1][1], "x", 1), 1);
    wait_for(f, &f->readable, 3);
    f->leave_unread = false;
    wait_for(f, &f->readable, 4);
    assert_int_equal(io_wait(f->io, 0, 1), 0);
}

static void test_io_empty_and_long_datagrams_stop_nothing(void **state) {
    static const uint8_t long_bytes[4000];
    struct fixture *f = open_with(state, 64);
    send_to(f, 0, "", 0);
    send_to(f, 0, long_bytes, sizeof long_bytes);
    send_to(f, 0, "", 0);
    send_to(f, 0, long_bytes, 1300);
    send_to(f, 0, "end", 3);
    wait_for(f, &f->received, 4);
    assert_int_equal(f->last_len, 3);
    assert_int_equal(io_stats(f->io)->truncated, 1);
}

static void test_io_nothing_to_do_waits_out_timeout(void **state) {
    struct fixture *f = open_with(state, 64);
    uint64_t longest_ns = 0;
    for (int i = 0; i < 5; i++) { /* the last test's ring may still be closing, which interrupts */
        struct mono start = mono_now();
        assert_int_equal(io_wait(f->io, 20 * NS_PER_MS, 1), 0);
        uint64_t waited_ns = mono_since_ns(mono_now(), start);
        longest_ns = waited_ns > longest_ns ? waited_ns : longest_ns;
    }
    assert_true(longest_ns >= 19 * NS_PER_MS);
    assert_in_range(f->woken, 1, 5);
}

static void test_io_fewer_events_than_asked_come_with_timeout(void **state) {
    struct fixture *f = open_with(state, 64);
    send_to(f, 0, "one", 3);
    struct mono start = mono_now();
    assert_int_equal(io_wait(f->io, 20 * NS_PER_MS, 50), 1);
    assert_true(mono_since_ns(mono_now(), start) >= 19 * NS_PER_MS);
    assert_int_equal(f->received, 1);
}

static void test_io_config_out_of_limits_is_refused(void **state) {
    struct fixture *f = *state;
    struct io_config config = {.back_end = f->back_end, .buffers = 64, .socket_count = 1, .sockets = {f->server[0]}};
    struct io_config bad = config;
    bad.buffers = 100;
    assert_int_equal(io_open(&f->io, &bad), MARCH_ERR_INVALID);
    bad.buffers = 4;
    assert_int_equal(io_open(&f->io, &bad), MARCH_ERR_INVALID);
    bad = config;
    bad.socket_count = IO_SOCKETS_MAX + 1;
    assert_int_equal(io_open(&f->io, &bad), MARCH_ERR_INVALID);
    assert_null(f->io);
}

static void test_io_watch_past_limit_is_refused(void **state) {
    struct fixture *f = open_with(state, 64);
    watch_pipes(f, IO_WATCHES_MAX);
    assert_int_equal(io_watch(f->io, f->pipes[0][0], 0), MARCH_ERR_FULL);
}

/* --- the sender, received by either back end */

static void test_sender_batch_reaches_receiver(void **state) {
    struct fixture *f = open_with(state, 1024);
    struct sender *sender = malloc(sizeof *sender);
    sender_init(sender, f->client[0]);
    for (uint32_t i = 0; i < 1000; i++) {
        uint8_t *packet = sender_reserve(sender) + i % 8; /* packets may start anywhere in the room */
        memcpy(packet, &i, sizeof i);
        sender_commit(sender, &f->server_addr[0], packet, sizeof i);
    }
    sender_flush(sender);
    wait_for(f, &f->received, 1000);
    for (uint32_t i = 0; i < 1000; i++) assert_int_equal(f->seen[i], 1);
    assert_int_equal(sender->stats.datagrams, 1000);
    assert_int_equal(sender->stats.batches, 1000 / SENDER_BATCH_MAX + 1);
    free(sender);
}

static void test_sender_largest_datagrams_fill_arena_and_arrive(void **state) {
    struct fixture *f = open_with(state, 1024);
    struct sender *sender = malloc(sizeof *sender);
    sender_init(sender, f->client[1]);
    for (unsigned i = 0; i < 200; i++) {
        uint8_t *packet = memset(sender_reserve(sender), (int)i, SENDER_DATAGRAM_MAX);
        sender_commit(sender, &f->server_addr[1], packet, SENDER_DATAGRAM_MAX);
    }
    sender_flush(sender);
    wait_for(f, &f->received, 200);
    assert_int_equal(f->last_len, SENDER_DATAGRAM_MAX);
    assert_int_equal(f->last[SENDER_DATAGRAM_MAX - 1], 199);
    free(sender);
}

static void test_sender_refused_datagram_does_not_stop_batch(void **state) {
    struct fixture *f = open_with(state, 64);
    struct sender *sender = malloc(sizeof *sender);
    struct addr broadcast;
    assert_int_equal(addr_parse(&broadcast, "255.255.255.255:9"), 0); /* EACCES without SO_BROADCAST */
    sender_init(sender, f->client[0]);
    for (unsigned i = 0; i < 9; i++) {
        uint32_t number = i;
        uint8_t *packet = memcpy(sender_reserve(sender), &number, sizeof number);
        sender_commit(sender, i % 3 == 0 ? &broadcast : &f->server_addr[0], packet, sizeof number);
    }
    sender_flush(sender);
    wait_for(f, &f->received, 6);
    assert_int_equal(sender->stats.refused_other, 3);
    assert_int_equal(sender->stats.datagrams, 6);
    free(sender);
}

static void test_udp_socket_address_in_use_is_told(void **state) {
    struct fixture *f = *state;
    struct addr bound;
    assert_int_equal(udp_socket_open(&f->server_addr[0], 1 << 16, &bound), MARCH_ERR_EXISTS);
    assert_int_equal(udp_socket_open(&f->server_addr[1], 1 << 16, &bound), MARCH_ERR_EXISTS);
}

static void test_udp_socket_full_buffer_counts_kernel_drops(void **state) {
    struct fixture *f = *state;
    struct addr any, bound;
    assert_int_equal(addr_parse(&any, "127.0.0.1:0"), 0);
    int fd = udp_socket_open(&any, 4096, &bound);
    assert_true(fd >= 0);
    assert_int_equal(udp_socket_kernel_drops(fd), 0);
    close(f->server[0]);
    f->server[0] = fd;
    f->server_addr[0] = bound;
    for (uint32_t i = 0; i < 100; i++) send_to(f, 0, &i, sizeof i);
    assert_true(udp_socket_kernel_drops(fd) > 0);
}

static void test_io_auto_takes_io_uring_or_falls_back(void **state) {
    struct fixture *f = *state;
    f->back_end = IO_BACK_END_AUTO;
    (void)open_with(state, 64);
    send_to(f, 0, "x", 1);
    wait_for(f, &f->received, 1);
    enum io_back_end back_end;
    assert_int_equal(io_back_end_parse(io_back_end_name(f->io), &back_end), 0);
    assert_int_equal(io_back_end_parse("kqueue", &back_end), MARCH_ERR_INVALID);
}

#define BOTH(test)                                                                                                          \
    {#test " (io_uring)", test, setup_uring, teardown, NULL}, {                                                             \
#test " (epoll)", test, setup_epoll, teardown, NULL                                                                 \
    }

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(test_io_datagram_of_each_family_reaches_handler),
        BOTH(test_io_more_datagrams_than_buffers_all_arrive),
        BOTH(test_io_more_events_than_completions_all_handled),
        BOTH(test_io_unread_descriptor_is_told_again),
        BOTH(test_io_empty_and_long_datagrams_stop_nothing),
        BOTH(test_io_nothing_to_do_waits_out_timeout),
        BOTH(test_io_fewer_events_than_asked_come_with_timeout),
        BOTH(test_io_config_out_of_limits_is_refused),
        BOTH(test_io_watch_past_limit_is_refused),
        BOTH(test_sender_batch_reaches_receiver),
        BOTH(test_sender_largest_datagrams_fill_arena_and_arrive),
        BOTH(test_sender_refused_datagram_does_not_stop_batch),
        cmocka_unit_test_setup_teardown(test_io_auto_takes_io_uring_or_falls_back, setup_uring, teardown),
        cmocka_unit_test_setup_teardown(test_udp_socket_address_in_use_is_told, setup_epoll, teardown),
        cmocka_unit_test_setup_teardown(test_udp_socket_full_buffer_counts_kernel_drops, setup_epoll, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
