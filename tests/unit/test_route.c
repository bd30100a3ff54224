/* Routes over a real bus edge, with a made-up zone at its other end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/route.h"
#include "tests/unit/fake_zone.h"

#define PUMPS 20000 /* of about 0.5 ms: far more than anything here takes */

struct fixture {
    char dir[32];
    struct fake_zone zone;
    struct route *route;
    struct wire_builder *builder;
    unsigned ups, losses, batches;
    uint64_t tick;
};

static void on_up(void *context, unsigned route) {
    assert_int_equal(route, 5);
    ((struct fixture *)context)->ups++;
}

static void on_lost(void *context, unsigned route) {
    assert_int_equal(route, 5);
    ((struct fixture *)context)->losses++;
}

static void on_batch(void *context, unsigned route, const struct wire_zone_batch *batch) {
    struct fixture *f = context;
    assert_int_equal(route, 5);
    f->batches++;
    f->tick = batch->tick;
}

static void pump_route(struct fixture *f) {
    struct mono now = mono_now();
    link_update(&f->route->link, now);
    link_receive(&f->route->link, now);
    route_flush(f->route);
}

static void pump(struct fixture *f) {
    fake_zone_update(&f->zone);
    pump_route(f);
    nanosleep(&(struct timespec){.tv_nsec = 300000}, NULL);
}

#define PUMP_UNTIL(f, condition)                                                                                            \
    do {                                                                                                                    \
        for (int i_ = 0; i_ < PUMPS && !(condition); i_++) pump(f);                                                         \
        assert_true(condition);                                                                                             \
    } while (0)

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/march-route-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->builder = wire_builder_create(BATCH_BYTES_MAX);
    f->route = malloc(sizeof *f->route);
    fake_zone_open(&f->zone, f->dir, "zone-0", 77);
    struct route_config config = {
        .index = 5,
        .hello = {.name = "gateway-0", .role = WIRE_ROLE_GATEWAY, .incarnation = 42},
        .bus = {.url = f->zone.url, .role = BUS_DIAL, .peer_name = "zone-0"},
        .builder = f->builder,
        .handlers = {.context = f, .up = on_up, .lost = on_lost, .batch = on_batch},
    };
    char error[200];
    assert_int_equal(route_open(f->route, &config, mono_now(), error, sizeof error), 0);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    route_close(f->route);
    fake_zone_free(&f->zone);
    wire_builder_destroy(f->builder);
    rmdir(f->dir);
    free(f->route);
    free(f);
    return 0;
}

static void lose_zone(struct fixture *f) {
    unsigned losses = f->losses;
    fake_zone_close(&f->zone);
    PUMP_UNTIL(f, f->losses == losses + 1);
    assert_int_equal(f->route->link.state, LINK_AWAY);
}

static void test_route_hello_both_ways_makes_it_up(void **state) {
    struct fixture *f = *state;
    assert_int_equal(route_attach(f->route, &(struct wire_attach){1, 1, 0, 1, 0}), MARCH_ERR_NOT_FOUND);
    PUMP_UNTIL(f, f->ups == 1 && f->zone.hellos == 1);
    assert_int_equal(f->route->link.state, LINK_UP);
    assert_int_equal(f->zone.hello.incarnation, 42);
    assert_string_equal(f->zone.hello.name, "gateway-0");
    assert_int_equal(f->route->link.peer.incarnation, 77);
}

static void test_route_what_is_told_arrives_in_one_batch(void **state) {
    struct fixture *f = *state;
    PUMP_UNTIL(f, f->ups == 1);
    struct batch_place place = {0};
    struct wire_input input = {.session = 11, .newest_seq = 9, .count = 1};
    assert_int_equal(route_attach(f->route, &(struct wire_attach){11, 1011, 7, 1, 0}), 0);
    route_input(f->route, &place, &input);
    route_ack(f->route, 11, 3);
    route_detach(f->route, 12, 6);
    memcpy(route_message_room(f->route), "hello", 5);
    route_message_commit(f->route, 11, 5);
    PUMP_UNTIL(f, f->zone.batches == 1);
    assert_int_equal(f->zone.attach_count, 1);
    assert_int_equal(f->zone.attaches[0].player, 1011);
    assert_int_equal(f->zone.attaches[0].session_epoch, 7);
    assert_int_equal(f->zone.detach_count, 1);
    assert_int_equal(f->zone.detaches[0].reason, 6);
    assert_int_equal(f->zone.input_count, 1);
    assert_int_equal(f->zone.inputs[0].newest_seq, 9);
    assert_int_equal(f->zone.ack_count, 1);
    assert_int_equal(f->zone.acks[0].snapshot_seq, 3);
    assert_int_equal(f->zone.message_count, 1);
    assert_memory_equal(f->zone.message, "hello", 5);
}

static void test_route_flush_waits_for_owner_or_size(void **state) {
    struct fixture *f = *state;
    PUMP_UNTIL(f, f->ups == 1);
    assert_false(route_waits(f->route));
    route_ack(f->route, 1, 1);
    assert_true(route_waits(f->route));
    assert_int_equal(f->route->link.stats.sent, 0);
    route_flush(f->route);
    assert_int_equal(f->route->link.stats.sent, 1);
    assert_false(route_waits(f->route));
    for (uint64_t session = 0; f->route->link.stats.sent == 1; session++) {
        struct wire_input input = {.session = session, .newest_seq = 1, .count = 1};
        assert_true(session <= BATCH_FLUSH_BYTES / sizeof input);
        route_input(f->route, &(struct batch_place){0}, &input);
    }
    PUMP_UNTIL(f, f->zone.batches == 2);
    assert_true(f->zone.input_count * sizeof(struct wire_input) > BATCH_FLUSH_BYTES * 9 / 10);
    assert_int_equal(f->route->stats.inputs_dropped, 0);
}

static void test_route_zone_batch_reaches_handler(void **state) {
    struct fixture *f = *state;
    PUMP_UNTIL(f, f->ups == 1);
    fake_zone_send(&f->zone, &(struct wire_zone_batch){.tick = 123});
    PUMP_UNTIL(f, f->batches == 1);
    assert_int_equal(f->tick, 123);
}

static void test_route_garbage_is_counted_and_harmless(void **state) {
    static const uint8_t garbage[100] = {1, 2, 3};
    struct fixture *f = *state;
    PUMP_UNTIL(f, f->ups == 1);
    assert_int_equal(bus_send(f->zone.edge, garbage, sizeof garbage), 0);
    fake_zone_greet(&f->zone); /* a second Hello on one connection */
    fake_zone_send(&f->zone, &(struct wire_zone_batch){.tick = 1});
    PUMP_UNTIL(f, f->batches == 1);
    assert_int_equal(f->route->link.stats.bad, 2);
    assert_int_equal(f->ups, 1);
}

static void test_route_other_incarnation_is_told_of_no_one_who_left(void **state) {
    struct fixture *f = *state;
    PUMP_UNTIL(f, f->ups == 1);
    route_detach(f->route, 5, 1);
    lose_zone(f);
    route_detach(f->route, 6, 1);
    fake_zone_open(&f->zone, f->dir, "zone-0", 78);
    PUMP_UNTIL(f, f->ups == 2);
    route_ack(f->route, 1, 1);
    PUMP_UNTIL(f, f->zone.ack_count == 1);
    assert_int_equal(f->zone.detach_count, 0);
    assert_int_equal(f->zone.hello.incarnation, 42);
}

static void test_route_same_incarnation_is_told_again_who_left(void **state) {
    struct fixture *f = *state;
    PUMP_UNTIL(f, f->ups == 1);
    route_detach(f->route, 5, 1);
    PUMP_UNTIL(f, f->zone.detach_count == 1);
    lose_zone(f);
    for (uint64_t session = 100; session < 100 + ROUTE_LEFT_MAX - 1; session++) route_detach(f->route, session, 1);
    f->zone.detach_count = 0;
    fake_zone_open(&f->zone, f->dir, "zone-0", 77);
    PUMP_UNTIL(f, f->zone.detach_count == ROUTE_LEFT_MAX);
    assert_int_equal(f->zone.detaches[0].session, 5);
    assert_int_equal(f->zone.detaches[ROUTE_LEFT_MAX - 1].session, 100 + ROUTE_LEFT_MAX - 2);
    assert_int_equal(f->zone.hello.incarnation, 42);
}

static void test_route_more_left_than_remembered_makes_new_incarnation(void **state) {
    struct fixture *f = *state;
    PUMP_UNTIL(f, f->ups == 1);
    lose_zone(f);
    for (uint64_t session = 0; session <= ROUTE_LEFT_MAX; session++) route_detach(f->route, session, 1);
    fake_zone_open(&f->zone, f->dir, "zone-0", 77);
    PUMP_UNTIL(f, f->ups == 2 && f->zone.hello.incarnation == 43);
}

static void test_route_full_bus_keeps_batch_and_drops_inputs_counted(void **state) {
    struct fixture *f = *state;
    PUMP_UNTIL(f, f->ups == 1);
    unsigned messages = 0;
    for (unsigned quiet = 0; quiet < 20;) { /* the zone reads nothing, but rings and the kernel take a while to fill up */
        struct mono now = mono_now();
        uint8_t *room = route_message_room(f->route);
        quiet = room ? 0 : quiet + 1;
        assert_in_range(messages, 0, 1000);
        if (room) {
            memset(room, (int)messages, FRAME_MESSAGE_BYTES_MAX);
            route_message_commit(f->route, messages++, FRAME_MESSAGE_BYTES_MAX);
            continue;
        }
        nanosleep(&(struct timespec){.tv_nsec = 5 * NS_PER_MS}, NULL);
        link_update(&f->route->link, now);
        route_flush(f->route);
    }
    assert_true(f->route->link.stats.refused > 0);
    for (uint64_t session = 0; session < BATCH_INPUTS_MAX + 3; session++) {
        struct wire_input input = {.session = session, .newest_seq = 1, .count = 1};
        route_input(f->route, &(struct batch_place){0}, &input);
    }
    assert_int_equal(f->route->stats.inputs_dropped, 3);
    PUMP_UNTIL(f, f->zone.message_count == messages);
    assert_int_equal(f->zone.input_count, BATCH_INPUTS_MAX);
    assert_int_equal(f->losses, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_route_hello_both_ways_makes_it_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_route_what_is_told_arrives_in_one_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_route_flush_waits_for_owner_or_size, setup, teardown),
        cmocka_unit_test_setup_teardown(test_route_zone_batch_reaches_handler, setup, teardown),
        cmocka_unit_test_setup_teardown(test_route_garbage_is_counted_and_harmless, setup, teardown),
        cmocka_unit_test_setup_teardown(test_route_other_incarnation_is_told_of_no_one_who_left, setup, teardown),
        cmocka_unit_test_setup_teardown(test_route_same_incarnation_is_told_again_who_left, setup, teardown),
        cmocka_unit_test_setup_teardown(test_route_more_left_than_remembered_makes_new_incarnation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_route_full_bus_keeps_batch_and_drops_inputs_counted, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
