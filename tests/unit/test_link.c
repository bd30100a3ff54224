/* A link over a real bus, with a persist played by the test at its other end: greetings, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "schemas/link.h"

#define PUMPS     20000 /* of about 0.3 ms: far more than anything here takes */
#define MESSAGES  100
#define SHARD     1
#define INCREASED 1000

struct fixture {
    char dir[32], url[64];
    struct wire_builder *builder;
    struct link link;
    struct bus_edge *peer;
    struct wire_hello heard; /* our Hello, as it came to the peer */
    unsigned hellos, batches;
    bool changes_hello;
    unsigned ups, losses, messages, told;
    bool is_same;
    struct mono now; /* of the newest pump */
};

static void greeting(void *context, struct wire_hello *hello) {
    struct fixture *f = context;
    if (f->changes_hello) hello->incarnation += INCREASED;
}

static void up(void *context, bool is_same, struct mono now) {
    struct fixture *f = context;
    assert_int_equal(now.ns, f->now.ns);
    assert_int_equal(f->link.state, LINK_UP);
    f->ups++;
    f->is_same = is_same;
}

static void lost(void *context, struct mono now) {
    struct fixture *f = context;
    assert_int_equal(now.ns, f->now.ns);
    assert_int_equal(f->link.state, LINK_AWAY);
    f->losses++;
}

static void message(void *context, const struct wire_bus_view *view, struct mono now) {
    struct fixture *f = context;
    assert_int_equal(now.ns, f->now.ns);
    assert_int_equal(view->kind, WIRE_BUS_PERSIST_REPORT);
    f->messages++;
}

static struct link_config link_of(struct fixture *f) {
    return (struct link_config){
        .hello = {.name = "zone-0", .role = WIRE_ROLE_ZONE, .incarnation = 7},
        .peer = {.role = WIRE_ROLE_PERSIST, .kind = WIRE_BUS_PERSIST_REPORT, .shard = SHARD, .shard_count = 2},
        .bus = {.url = f->url, .role = BUS_LISTEN, .peer_name = "persist-1"},
        .builder = f->builder,
        .receives_max = 3,
        .handlers = {.context = f, .greeting = greeting, .up = up, .lost = lost, .message = message}};
}

static void open_link(struct fixture *f) {
    char error[200];
    struct link_config config = link_of(f);
    if (link_open(&f->link, &config, mono_now(), error, sizeof error)) fail_msg("%s", error);
}

static void open_peer(struct fixture *f) {
    struct bus_edge_config bus = {.url = f->url,
                                  .role = BUS_DIAL,
                                  .local_name = "persist-1",
                                  .peer_name = "zone-0",
                                  .frame_max_bytes = BUS_FRAME_BYTES_MAX,
                                  .queue_max_bytes = BUS_FRAME_BYTES_MAX};
    assert_int_equal(bus_edge_open(&f->peer, &bus, mono_now()), 0);
}

static void close_peer(struct fixture *f) {
    bus_edge_close(f->peer);
    f->peer = NULL;
}

static void pump_peer(struct fixture *f) {
    const uint8_t *bytes;
    size_t len;
    if (!f->peer) return;
    bus_update(f->peer, mono_now());
    while (bus_receive(f->peer, &bytes, &len) == 0) {
        struct wire_bus_view view;
        assert_int_equal(wire_bus_open(bytes, len, &view), 0);
        if (view.kind == WIRE_BUS_HELLO) f->heard = view.hello;
        f->hellos += view.kind == WIRE_BUS_HELLO;
        f->batches += view.kind == WIRE_BUS_ZONE_REPORT;
        bus_release(f->peer);
    }
}

static void pump(struct fixture *f) {
    f->now = mono_now();
    link_update(&f->link, f->now);
    link_receive(&f->link, f->now);
    pump_peer(f);
    nanosleep(&(struct timespec){.tv_nsec = 300000}, NULL);
}

#define PUMP_UNTIL(f, condition)                                                                                            \
    do {                                                                                                                    \
        for (int i_ = 0; i_ < PUMPS && !(condition); i_++) pump(f);                                                         \
        assert_true(condition);                                                                                             \
    } while (0)

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/march-link-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->url, sizeof f->url, "ipc://%s/link.ipc", f->dir);
    f->builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    open_link(f);
    open_peer(f);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    link_close(&f->link);
    bus_edge_close(f->peer);
    wire_builder_destroy(f->builder);
    unlink(f->url + strlen("ipc://"));
    rmdir(f->dir);
    free(f);
    return 0;
}

static struct wire_hello hello_of(uint64_t incarnation) {
    return (struct wire_hello){
        .name = "persist-1", .role = WIRE_ROLE_PERSIST, .incarnation = incarnation, .index = SHARD, .shard_count = 2};
}

static void peer_send(struct fixture *f, struct wire_bytes bytes) {
    assert_int_equal(bus_send(f->peer, bytes.data, bytes.len), 0);
}

/* The peer's Hello may go once ours has come. */
static void peer_greet(struct fixture *f, const struct wire_hello *hello) {
    struct wire_bytes bytes;
    PUMP_UNTIL(f, f->link.state != LINK_AWAY && bus_connected(f->peer));
    assert_int_equal(wire_hello_pack(f->builder, hello, &bytes), 0);
    peer_send(f, bytes);
}

static void peer_report(struct fixture *f) {
    struct wire_bytes bytes;
    assert_int_equal(wire_persist_report_pack(f->builder, &(struct wire_persist_report){.durable_seq = 1}, &bytes), 0);
    peer_send(f, bytes);
}

static int report(struct fixture *f) {
    struct wire_bytes bytes;
    assert_int_equal(wire_zone_report_pack(f->builder, &(struct wire_zone_report){.partition = "zone-0", .seq = 1}, &bytes),
                     0);
    return link_send(&f->link, bytes);
}

static void come_up(struct fixture *f, uint64_t incarnation) {
    unsigned ups = f->ups;
    struct wire_hello hello = hello_of(incarnation);
    peer_greet(f, &hello);
    PUMP_UNTIL(f, f->ups == ups + 1);
}

static void test_link_hello_both_ways_makes_it_up(void **state) {
    struct fixture *f = *state;
    assert_int_equal(report(f), MARCH_ERR_NOT_FOUND);
    PUMP_UNTIL(f, f->hellos == 1);
    assert_int_equal(f->link.state, LINK_GREETING);
    assert_string_equal(f->heard.name, "zone-0");
    assert_int_equal(report(f), MARCH_ERR_NOT_FOUND);
    come_up(f, 3);
    assert_false(f->is_same);
    assert_int_equal(f->link.peer.incarnation, 3);
    assert_int_equal(report(f), 0);
    PUMP_UNTIL(f, f->batches == 1);
    peer_report(f);
    PUMP_UNTIL(f, f->messages == 1);
    const struct link_stats *stats = &f->link.stats;
    assert_true(stats->sent == 1 && stats->received == 1 && stats->bad == 0 && stats->losses == 0 && stats->restarts == 0);
}

static void test_link_hello_of_another_peer_is_refused(void **state) {
    struct fixture *f = *state;
    struct wire_hello bad[3] = {hello_of(3), hello_of(3), hello_of(3)};
    strcpy(bad[0].name, "persist-0");
    bad[1].index = 0;
    bad[2].shard_count = 3;
    for (unsigned i = 0; i < 3; i++) {
        peer_greet(f, &bad[i]);
        PUMP_UNTIL(f, f->link.stats.bad == i + 1);
        assert_int_equal(f->link.state, LINK_GREETING);
    }
    come_up(f, 3);
}

static void test_link_hello_of_another_role_is_refused(void **state) {
    struct fixture *f = *state;
    char error[200];
    struct link_config config = link_of(f);
    config.peer = (struct link_peer){.role = WIRE_ROLE_GATEWAY, .kind = WIRE_BUS_GATEWAY_BATCH};
    link_close(&f->link);
    assert_int_equal(link_open(&f->link, &config, mono_now(), error, sizeof error), 0);
    struct wire_hello hello = {.name = "persist-1", .role = WIRE_ROLE_ZONE, .incarnation = 3, .tick_hz = 60};
    peer_greet(f, &hello);
    PUMP_UNTIL(f, f->link.stats.bad == 1);
    hello = (struct wire_hello){.name = "persist-1", .role = WIRE_ROLE_GATEWAY, .incarnation = 3};
    peer_greet(f, &hello);
    PUMP_UNTIL(f, f->ups == 1);
}

static void test_link_messages_before_hello_are_dropped(void **state) {
    struct fixture *f = *state;
    PUMP_UNTIL(f, f->hellos == 1);
    peer_report(f);
    PUMP_UNTIL(f, f->link.stats.bad == 1);
    come_up(f, 3);
    assert_int_equal(f->messages, 0);
}

static void test_link_second_hello_other_kind_and_garbage_are_dropped(void **state) {
    static const uint8_t garbage[100] = {1, 2, 3};
    struct fixture *f = *state;
    struct wire_hello hello = hello_of(4);
    struct wire_bytes bytes;
    come_up(f, 3);
    peer_greet(f, &hello);
    PUMP_UNTIL(f, f->link.stats.bad == 1);
    assert_int_equal(wire_zone_batch_pack(f->builder, &(struct wire_zone_batch){.tick = 1}, &bytes), 0);
    peer_send(f, bytes);
    PUMP_UNTIL(f, f->link.stats.bad == 2);
    peer_send(f, (struct wire_bytes){garbage, sizeof garbage});
    PUMP_UNTIL(f, f->link.stats.bad == 3);
    peer_report(f);
    PUMP_UNTIL(f, f->messages == 1);
    assert_int_equal(f->link.peer.incarnation, 3);
    assert_int_equal(f->ups, 1);
}

/* The fixture's handler takes only reports: a second kind is counted by its own. */
static void count_told(void *context, const struct wire_bus_view *view, struct mono now) {
    (void)now;
    struct fixture *f = context;
    if (view->kind == WIRE_BUS_MATCH_TOLD) f->told++;
}

static void test_link_second_kind_is_taken_where_the_peer_sends_it(void **state) {
    struct fixture *f = *state;
    struct wire_bytes bytes;
    come_up(f, 3);
    for (int also = 0; also < 2; also++) {
        if (also) f->link.config.peer.also = WIRE_BUS_MATCH_TOLD, f->link.config.handlers.message = count_told;
        assert_int_equal(wire_match_told_pack(f->builder, &(struct wire_match_told){.durable_seq = 1}, &bytes), 0);
        peer_send(f, bytes);
        PUMP_UNTIL(f, f->link.stats.bad + f->told == 1U + (unsigned)also);
    }
    assert_int_equal(f->told, 1);
}

static void lose(struct fixture *f) {
    unsigned losses = f->losses;
    close_peer(f);
    PUMP_UNTIL(f, f->losses == losses + 1);
    assert_int_equal(report(f), MARCH_ERR_NOT_FOUND);
    open_peer(f);
}

static void test_link_lost_connection_comes_back_the_same(void **state) {
    struct fixture *f = *state;
    come_up(f, 3);
    lose(f);
    come_up(f, 3);
    assert_true(f->is_same);
    assert_int_equal(f->link.stats.losses, 1);
    assert_int_equal(f->link.stats.restarts, 0);
    assert_int_equal(f->hellos, 2); /* ours is said on each connection */
}

static void test_link_restarted_peer_is_another(void **state) {
    struct fixture *f = *state;
    come_up(f, 3);
    lose(f);
    come_up(f, 4);
    assert_false(f->is_same);
    assert_int_equal(f->link.stats.restarts, 1);
}

static void test_link_restarted_itself_knows_no_peer(void **state) {
    struct fixture *f = *state;
    come_up(f, 3);
    link_close(&f->link);
    open_link(f);
    come_up(f, 3);
    assert_false(f->is_same);
    PUMP_UNTIL(f, f->hellos == 2);
}

static void test_link_connection_that_ends_before_its_hello_is_no_loss(void **state) {
    struct fixture *f = *state;
    PUMP_UNTIL(f, f->link.state == LINK_GREETING);
    close_peer(f);
    PUMP_UNTIL(f, f->link.state == LINK_AWAY);
    assert_int_equal(f->losses, 0);
}

static void test_link_owner_may_change_our_hello(void **state) {
    struct fixture *f = *state;
    come_up(f, 3);
    lose(f);
    f->changes_hello = true;
    come_up(f, 3);
    PUMP_UNTIL(f, f->hellos == 2);
    assert_int_equal(f->heard.incarnation, 7 + INCREASED);
}

static void test_link_takes_no_more_at_once_than_told(void **state) {
    struct fixture *f = *state;
    come_up(f, 3);
    for (unsigned i = 0; i < MESSAGES; i++) peer_report(f);
    for (unsigned before = 0; f->messages < MESSAGES; before = f->messages) {
        pump(f);
        assert_in_range(f->messages - before, 0, 3);
    }
}

static void test_link_address_in_use_is_said(void **state) {
    struct fixture *f = *state;
    struct link second;
    char error[200], expected[200];
    struct link_config config = link_of(f);
    assert_int_equal(link_open(&second, &config, mono_now(), error, sizeof error), MARCH_ERR_EXISTS);
    snprintf(expected, sizeof expected, "%s: can't listen: the address is in use", f->url);
    assert_string_equal(error, expected);
    link_close(&second);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_link_hello_both_ways_makes_it_up),
        TEST(test_link_hello_of_another_peer_is_refused),
        TEST(test_link_hello_of_another_role_is_refused),
        TEST(test_link_messages_before_hello_are_dropped),
        TEST(test_link_second_hello_other_kind_and_garbage_are_dropped),
        TEST(test_link_second_kind_is_taken_where_the_peer_sends_it),
        TEST(test_link_lost_connection_comes_back_the_same),
        TEST(test_link_restarted_peer_is_another),
        TEST(test_link_restarted_itself_knows_no_peer),
        TEST(test_link_connection_that_ends_before_its_hello_is_no_loss),
        TEST(test_link_owner_may_change_our_hello),
        TEST(test_link_takes_no_more_at_once_than_told),
        TEST(test_link_address_in_use_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
