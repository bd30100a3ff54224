/* test_resolve.c: names looked up in a thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/resolve.h"
#include "persist/pg_listen.h"
#include "persist/redis_link.h"
#include "tests/unit/pg_harness.h"

#define PATIENCE_MS 60000

static int await(struct resolver *resolver, const char *name, struct resolved *found) {
    int result;
    while ((result = resolver_ask(resolver, name, mono_now(), found)) == MARCH_ERR_EMPTY) {
        struct pollfd ready = {.fd = resolver_fd(resolver), .events = POLLIN};
        assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
    }
    return result;
}

static void test_resolve_addresses_are_known_at_once(void **state) {
    (void)state;
    static const char *const addresses[] = {"127.0.0.1", "::1"};
    struct resolver *resolver = resolver_create();
    struct resolved found;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(resolver_ask(resolver, addresses[i], mono_now(), &found), 0);
        assert_int_equal(found.count, 1);
        assert_string_equal(found.addresses[0], addresses[i]);
        assert_true(resolve_is_address(addresses[i]));
    }
    assert_false(resolve_is_address("localhost"));
    resolver_close(resolver);
}

static void test_resolve_name_is_looked_up_and_kept_for_a_while(void **state) {
    (void)state;
    struct resolver *resolver = resolver_create();
    struct resolved found;
    struct mono now = mono_now();
    assert_int_equal(resolver_ask(resolver, "localhost", now, &found), MARCH_ERR_EMPTY);
    assert_int_equal(await(resolver, "localhost", &found), 0);
    assert_true(found.count >= 1);
    assert_true(strcmp(found.addresses[0], "127.0.0.1") == 0 || strcmp(found.addresses[0], "::1") == 0);
    now = mono_now();
    assert_int_equal(resolver_ask(resolver, "localhost", now, &found), 0);
    now = mono_add_ms(now, RESOLVE_KEEP_MS);
    assert_int_equal(resolver_ask(resolver, "localhost", now, &found), MARCH_ERR_EMPTY);
    assert_int_equal(await(resolver, "localhost", &found), 0);
    resolver_close(resolver);
}

static void test_resolve_unknown_name_is_told_and_looked_up_again(void **state) {
    (void)state;
    static char longest[RESOLVE_NAME_MAX + 2];
    struct resolver *resolver = resolver_create();
    struct resolved found;
    assert_int_equal(await(resolver, "no such name", &found), MARCH_ERR_NOT_FOUND);
    assert_int_equal(resolver_ask(resolver, "no such name", mono_now(), &found), MARCH_ERR_EMPTY);
    memset(longest, 'x', sizeof longest - 1);
    assert_int_equal(resolver_ask(resolver, longest, mono_now(), &found), MARCH_ERR_INVALID);
    resolver_close(resolver); /* in the middle of it */
}

struct port {
    struct ev_loop *loop;
    int fd;
    uint16_t number;
};

static void open_port(struct port *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    port->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(port->fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(port->fd, 8), 0);
    assert_int_equal(getsockname(port->fd, (struct sockaddr *)&address, &len), 0);
    port->number = ntohs(address.sin_port);
    port->loop = ev_loop_new(EVFLAG_AUTO);
}

static bool somebody_came(struct port *port) {
    int fd = accept(port->fd, NULL, NULL);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

static void close_port(struct port *port) {
    ev_loop_destroy(port->loop);
    close(port->fd);
}

static void ignore(void *ctx) {
    (void)ctx;
}

static void ignore_reply(void *ctx, const struct redisReply *reply) {
    (void)ctx, (void)reply;
}

static void ignore_payload(void *ctx, const char *payload) {
    (void)ctx, (void)payload;
}

static void test_resolve_stores_are_found_by_name(void **state) {
    (void)state;
    static const struct redis_link_events events = {ignore, ignore_reply, NULL, NULL};
    struct port port;
    char uri[128];
    open_port(&port);
    snprintf(uri, sizeof uri, "postgresql://u@localhost:%u/d", port.number);
    struct pg *pg;
    assert_int_equal(pg_create(port.loop, &(struct pg_config){.name = "named", .uri = uri, .connections = 1}, &pg), 0);
    harness_until(&port, somebody_came(&port));
    pg_destroy(pg);
    struct pg_listen *ear;
    const struct pg_listen_config listen = {.uri = uri, .channel = "c", .heard = ignore_payload, .missed = ignore};
    assert_int_equal(pg_listen_open(port.loop, &listen, &ear), 0);
    harness_until(&port, somebody_came(&port));
    pg_listen_close(ear);
    struct redis_address address;
    snprintf(uri, sizeof uri, "redis://localhost:%u", port.number);
    assert_int_equal(redis_address_parse(&address, uri), 0);
    static struct redis_link link;
    const struct redis_link_config config = {.address = &address,
                                             .out_bytes_max = 65536,
                                             .connect_ms = 1000,
                                             .retry_base_ms = 10,
                                             .retry_cap_ms = 100,
                                             .events = &events};
    assert_int_equal(redis_link_open(&link, port.loop, &config), 0);
    harness_until(&port, somebody_came(&port));
    redis_link_close(&link);
    close_port(&port);
}

static void test_resolve_store_of_unknown_name_is_tried_again(void **state) {
    (void)state;
    struct harness harness;
    harness_open(&harness,
                 &(struct pg_config){.name = "nowhere", .uri = "host=no_such_host.invalid dbname=d", .connections = 1});
    harness_until(&harness, pg_stats_get(harness.pg).connect_failures >= 2);
    harness_close(&harness);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resolve_addresses_are_known_at_once),
        cmocka_unit_test(test_resolve_name_is_looked_up_and_kept_for_a_while),
        cmocka_unit_test(test_resolve_stores_are_found_by_name),
        cmocka_unit_test(test_resolve_store_of_unknown_name_is_tried_again),
        cmocka_unit_test(test_resolve_unknown_name_is_told_and_looked_up_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
