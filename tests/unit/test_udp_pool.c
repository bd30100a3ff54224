/* test_udp_pool.c: many clients on few sockets, against an echo socket. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/swarm/udp_pool.h"

#define CLIENTS 100

struct fixture {
    int fd;
    struct addr address;
};

struct heard {
    uint32_t count;
    uint32_t wrong; /* came to another client than it was sent by */
};

static void open_server(struct fixture *f, const char *text) {
    struct addr any;
    struct sockaddr_storage sa;
    assert_int_equal(addr_parse(&any, text), 0);
    socklen_t len = addr_to_sockaddr(&any, &sa);
    f->fd = socket(sa.ss_family, SOCK_DGRAM, 0);
    assert_true(f->fd >= 0);
    assert_int_equal(bind(f->fd, (struct sockaddr *)&sa, len), 0);
    len = sizeof(sa);
    assert_int_equal(getsockname(f->fd, (struct sockaddr *)&sa, &len), 0);
    assert_int_equal(addr_from_sockaddr(&f->address, (struct sockaddr *)&sa, len), 0);
}

static void echo(const struct fixture *f, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        char bytes[64];
        struct sockaddr_storage from;
        socklen_t from_len = sizeof(from);
        ssize_t len = recvfrom(f->fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &from_len);
        assert_true(len > 0);
        assert_int_equal(sendto(f->fd, bytes, (size_t)len, 0, (struct sockaddr *)&from, from_len), len);
    }
}

static void take(void *context, uint32_t client, uint8_t *packet, size_t len) {
    struct heard *heard = context;
    uint32_t sender;
    assert_int_equal(len, sizeof(sender));
    memcpy(&sender, packet, sizeof(sender));
    heard->count++;
    heard->wrong += sender != client;
}

static void check_echo(const char *server_text, uint32_t sockets) {
    struct fixture f;
    struct udp_pool *pool;
    struct heard heard = {0};
    open_server(&f, server_text);
    assert_int_equal(udp_pool_open(&pool, CLIENTS, sockets, 65500 + 65536 * 7, &f.address), 0);
    for (uint32_t i = 0; i < CLIENTS; i++) udp_pool_set_server(pool, i, &f.address);
    for (uint32_t i = 0; i < CLIENTS; i++) udp_pool_send(pool, i, (const uint8_t *)&i, sizeof(i));
    udp_pool_flush(pool);
    echo(&f, CLIENTS);
    for (int i = 0; i < 10 * CLIENTS && heard.count < CLIENTS; i++) udp_pool_receive(pool, 10, take, &heard);
    assert_int_equal(heard.count, CLIENTS);
    assert_int_equal(heard.wrong, 0);
    assert_int_equal(udp_pool_stats(pool)->sent, CLIENTS);
    assert_int_equal(udp_pool_stats(pool)->unsent + udp_pool_stats(pool)->strangers, 0);
    udp_pool_close(pool);
    close(f.fd);
}

static void test_udp_pool_clients_share_one_socket(void **state) {
    (void)state;
    check_echo("127.0.0.1:0", 1);
}

static void test_udp_pool_clients_share_several_sockets(void **state) {
    (void)state;
    check_echo("127.0.0.1:0", 7);
}

static void test_udp_pool_ipv6_has_a_socket_each(void **state) {
    (void)state;
    check_echo("[::1]:0", 1);
}

static void test_udp_pool_stranger_is_dropped(void **state) {
    (void)state;
    struct fixture server;
    struct fixture stranger;
    struct udp_pool *pool;
    struct heard heard = {0};
    uint32_t zero = 0;
    open_server(&server, "127.0.0.1:0");
    open_server(&stranger, "127.0.0.1:0");
    assert_int_equal(udp_pool_open(&pool, 1, 1, 5, &server.address), 0);
    udp_pool_set_server(pool, 0, &server.address);
    udp_pool_send(pool, 0, (const uint8_t *)&zero, sizeof(zero));
    udp_pool_flush(pool);
    struct sockaddr_storage from;
    socklen_t from_len = sizeof(from);
    assert_int_equal(recvfrom(server.fd, &zero, sizeof(zero), 0, (struct sockaddr *)&from, &from_len), sizeof(zero));
    assert_int_equal(sendto(stranger.fd, &zero, sizeof(zero), 0, (struct sockaddr *)&from, from_len), sizeof(zero));
    ((struct sockaddr_in *)&from)->sin_addr.s_addr = htonl(0x7f000001); /* our port, but no client's address */
    assert_int_equal(sendto(server.fd, &zero, sizeof(zero), 0, (struct sockaddr *)&from, from_len), sizeof(zero));
    for (int i = 0; i < 100 && udp_pool_stats(pool)->received < 2; i++) udp_pool_receive(pool, 10, take, &heard);
    assert_int_equal(udp_pool_stats(pool)->strangers, 2);
    assert_int_equal(heard.count, 0);
    udp_pool_close(pool);
    close(server.fd);
    close(stranger.fd);
}

static void test_udp_pool_client_that_moves_hears_both_servers(void **state) {
    (void)state;
    struct fixture servers[3];
    struct udp_pool *pool;
    struct heard heard = {0};
    uint32_t zero = 0;
    for (int i = 0; i < 3; i++) open_server(&servers[i], "127.0.0.1:0");
    assert_int_equal(udp_pool_open(&pool, 1, 1, 5, &servers[0].address), 0);
    for (int i = 0; i < 3; i++) { /* in one batch, each to its own */
        udp_pool_set_server(pool, 0, &servers[i].address);
        udp_pool_set_server(pool, 0, &servers[i].address);
        udp_pool_send(pool, 0, (const uint8_t *)&zero, sizeof(zero));
    }
    udp_pool_flush(pool);
    for (int i = 0; i < 3; i++) echo(&servers[i], 1);
    for (int i = 0; i < 100 && udp_pool_stats(pool)->received < 3; i++) udp_pool_receive(pool, 10, take, &heard);
    assert_int_equal(heard.count, 2);
    assert_int_equal(udp_pool_stats(pool)->strangers, 1); /* the one before the last two */
    udp_pool_close(pool);
    for (int i = 0; i < 3; i++) close(servers[i].fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_udp_pool_clients_share_one_socket),
        cmocka_unit_test(test_udp_pool_clients_share_several_sockets),
        cmocka_unit_test(test_udp_pool_ipv6_has_a_socket_each),
        cmocka_unit_test(test_udp_pool_stranger_is_dropped),
        cmocka_unit_test(test_udp_pool_client_that_moves_hears_both_servers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
