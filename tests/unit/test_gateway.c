/* The gateway as a whole, in process: real sockets, a real bus edge, a netcode client and a made-up zone. */
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
#include <jansson.h>
#include <sodium.h>

#include "gateway/report.h"
#include "tests/unit/gateway_fixture.h"

static int setup_uring(void **state) {
    return setup_gateway(state, IO_BACK_END_URING, false);
}

static int setup_epoll(void **state) {
    return setup_gateway(state, IO_BACK_END_EPOLL, false);
}

static void zone_snapshot(struct fixture *f, uint16_t seq, size_t len) {
    static uint8_t blob[2000];
    memset(blob, seq, sizeof blob);
    struct wire_snapshot snapshot = {.session = session_of(f), .offset = 3, .len = (uint16_t)len, .snapshot_seq = seq};
    struct wire_zone_batch batch = {.tick = seq, .snapshots = &snapshot, .snapshot_count = 1, .blob = blob};
    batch.blob_len = (uint32_t)len + 3;
    fake_zone_send(&f->zone, &batch);
}

static void zone_message(struct fixture *f, const uint8_t *bytes, uint32_t len) {
    struct wire_message message = {.session = session_of(f), .len = len};
    fake_zone_send(&f->zone,
                   &(struct wire_zone_batch){.messages = &message, .message_count = 1, .blob = bytes, .blob_len = len});
}

static void check_round_trip(void **state, unsigned family) {
    struct fixture *f = play(state, family);
    assert_int_equal(f->zone.attach_count, 1);
    assert_int_equal(f->zone.attaches[0].player, PLAYER);
    zone_snapshot(f, 9, 200);
    PUMP_UNTIL(f, f->client.snapshots == 1);
    assert_int_equal(f->client.snapshot_len, 200);
    assert_int_equal(f->client.snapshot[199], 9);
    client_input(&f->client, 1);
    client_input(&f->client, 2);
    PUMP_UNTIL(f, f->zone.ack_count >= 1 && f->gateway->stats.packets_in == 3);
    assert_int_equal(f->zone.acks[0].snapshot_seq, 9);
    assert_int_equal(f->zone.acks[0].session, session_of(f));
    PUMP_UNTIL(f, f->gateway->routes[0]->batch.input_count == 0 && f->zone.input_count >= 1);
    const struct wire_input *last = &f->zone.inputs[f->zone.input_count - 1];
    assert_int_equal(last->newest_seq, 2);
    assert_int_equal(last->count + (f->zone.input_count > 1 ? f->zone.inputs[0].count : 0), 2); /* each command once */
}

static void test_gateway_round_trip_over_ipv4(void **state) {
    check_round_trip(state, 0);
}

static void test_gateway_round_trip_over_ipv6(void **state) {
    check_round_trip(state, 1);
}

static void test_gateway_ping_is_answered_with_the_tick(void **state) {
    struct fixture *f = play(state, 0);
    uint64_t before = wall_now_ns();
    uint32_t client_us = 123456;
    client_write(&f->client, NULL, &client_us);
    PUMP_UNTIL(f, f->client.pongs == 1);
    double tick = (double)f->client.pong.tick_low + f->client.pong.tick_fraction / 65536.0;
    double first = (double)(before / NS_PER_S * TICK_HZ % (1ULL << 32)) + (double)(before % NS_PER_S) * TICK_HZ / 1e9;
    assert_int_equal(f->client.pong.client_us, client_us);
    assert_true(tick >= first - 0.01 && tick < first + 10 * TICK_HZ);
}

static void test_gateway_longest_messages_pass_both_ways(void **state) {
    struct fixture *f = play(state, 0);
    static uint8_t bytes[MESSAGE_MAX];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 7 + i / 256);
    assert_int_equal(channel_send(&f->client.channel, mono_now(), bytes, sizeof bytes), 0);
    zone_message(f, bytes, sizeof bytes);
    PUMP_UNTIL(f, f->zone.message_count == 1 && f->client.messages == 1);
    assert_int_equal(f->zone.message_session, session_of(f));
    assert_int_equal(f->zone.message_len, MESSAGE_MAX);
    assert_memory_equal(f->zone.message, bytes, MESSAGE_MAX);
    assert_int_equal(f->client.message_len, MESSAGE_MAX);
    assert_memory_equal(f->client.message, bytes, MESSAGE_MAX);
}

static void test_gateway_lost_zone_keeps_sessions_and_tells_them(void **state) {
    struct fixture *f = play(state, 0);
    uint64_t session = session_of(f);
    fake_zone_close(&f->zone);
    PUMP_UNTIL(f, f->client.messages == 1);
    assert_int_equal(f->client.told.kind, WIRE_SERVER_ZONE_STATUS);
    assert_int_equal(f->client.told.zone_state, WIRE_ZONE_LOST);
    assert_int_equal(in_state(f, SESSION_WAITING), 1);
    client_input(&f->client, 1);
    assert_int_equal(channel_send(&f->client.channel, mono_now(), (const uint8_t *)"wait", 4), 0);
    fake_zone_open(&f->zone, f->dir, "zone-0", 78);
    PUMP_UNTIL(f, f->client.messages == 2 && f->zone.message_count == 1);
    assert_int_equal(f->client.told.zone_state, WIRE_ZONE_BACK);
    assert_int_equal(in_state(f, SESSION_PLAYING), 1);
    assert_int_equal(f->zone.attach_count, 2);
    assert_int_equal(session_of(f), session);
    assert_memory_equal(f->zone.message, "wait", 4); /* what was said meanwhile is not lost */
    assert_int_equal(f->client.netcode.state, NETCODE_CLIENT_CONNECTED);
}

static void test_gateway_zone_that_is_back_hears_nothing_of_the_old_view(void **state) {
    struct fixture *f = play(state, 0);
    zone_snapshot(f, 9, 200);
    PUMP_UNTIL(f, f->client.snapshots == 1); /* and not acknowledged before the next zone has the session */
    int fd = f->client.fd;
    f->client.fd = -1;
    fake_zone_close(&f->zone);
    PUMP_UNTIL(f, in_state(f, SESSION_WAITING) == 1);
    fake_zone_open(&f->zone, f->dir, "zone-0", 78);
    PUMP_UNTIL(f, in_state(f, SESSION_PLAYING) == 1);
    f->client.fd = fd;
    client_input(&f->client, 1);
    zone_snapshot(f, 4, 200);
    PUMP_UNTIL(f, f->client.snapshots == 2);
    client_input(&f->client, 2);
    PUMP_UNTIL(f, f->zone.ack_count >= 1);
    assert_int_equal(f->zone.acks[0].snapshot_seq, 4);
    assert_int_equal(f->zone.attach_count, 2);
    assert_int_equal(f->zone.attaches[0].attachment, 1);
    assert_int_equal(f->zone.attaches[1].attachment, 2); /* so the client can tell the two views apart */
}

static void test_gateway_client_before_its_zone_waits_and_is_told(void **state) {
    struct fixture *f = *state;
    fake_zone_close(&f->zone);
    client_start(f, &f->server[0]);
    PUMP_UNTIL(f, f->client.netcode.state == NETCODE_CLIENT_CONNECTED);
    client_input(&f->client, 1);
    PUMP_UNTIL(f, f->client.messages == 1);
    assert_int_equal(f->client.told.zone_state, WIRE_ZONE_LOST);
    fake_zone_open(&f->zone, f->dir, "zone-0", 77);
    PUMP_UNTIL(f, f->client.messages == 2);
    assert_int_equal(f->client.told.zone_state, WIRE_ZONE_BACK);
    assert_int_equal(f->gateway->routes[0]->stats.inputs_dropped, 1);
}

static void test_gateway_refused_attach_disconnects(void **state) {
    struct fixture *f = *state;
    f->zone.attach_result = 1;
    PUMP_UNTIL(f, is_up(f));
    client_start(f, &f->server[0]);
    PUMP_UNTIL(f, f->gateway->stats.ended[SESSION_END_REFUSED] == 1);
    assert_int_equal(in_state(f, SESSION_FREE), SLOTS);
}

static void test_gateway_zone_may_end_a_session(void **state) {
    struct fixture *f = play(state, 0);
    struct wire_detach detach = {.session = session_of(f)};
    fake_zone_send(&f->zone, &(struct wire_zone_batch){.detached = &detach, .detached_count = 1});
    PUMP_UNTIL(f, f->client.netcode.state == NETCODE_CLIENT_DISCONNECTED);
    assert_int_equal(f->gateway->stats.ended[SESSION_END_ZONE], 1);
}

static void test_gateway_session_that_is_attached_is_not_ended_by_what_came_before(void **state) {
    struct fixture *f = *state;
    f->zone.attaches_all = false;
    PUMP_UNTIL(f, is_up(f));
    client_start(f, &f->server[0]);
    PUMP_UNTIL(f, f->zone.attach_count == 1);
    struct wire_detach detach = {.session = f->zone.attaches[0].session}; /* of an input, while it had not got it */
    fake_zone_send(&f->zone, &(struct wire_zone_batch){.detached = &detach, .detached_count = 1});
    struct wire_attached attached = {.session = f->zone.attaches[0].session, .entity = 7, .result = WIRE_ATTACHED};
    fake_zone_send(&f->zone, &(struct wire_zone_batch){.attached = &attached, .attached_count = 1});
    PUMP_UNTIL(f, in_state(f, SESSION_PLAYING) == 1);
    assert_int_equal(f->gateway->stats.ended[SESSION_END_ZONE], 0);
}

static void client_send_raw(void *context, const struct addr *to, const uint8_t *packet, size_t len) {
    (void)to;
    client_flush(context, packet, len);
}

static void test_gateway_client_that_leaves_is_detached(void **state) {
    struct fixture *f = play(state, 0);
    netcode_client_disconnect(&f->client.netcode, client_send_raw, &f->client);
    PUMP_UNTIL(f, f->zone.detach_count == 1);
    assert_int_equal(f->zone.detaches[0].session, session_of(f));
    assert_int_equal(f->zone.detaches[0].reason, SESSION_END_LEFT);
    assert_int_equal(in_state(f, SESSION_FREE), SLOTS);
}

static void test_gateway_client_that_leaves_while_its_zone_is_lost_is_detached_later(void **state) {
    struct fixture *f = play(state, 0);
    uint64_t session = session_of(f);
    fake_zone_close(&f->zone);
    PUMP_UNTIL(f, in_state(f, SESSION_WAITING) == 1);
    netcode_client_disconnect(&f->client.netcode, client_send_raw, &f->client);
    PUMP_UNTIL(f, in_state(f, SESSION_FREE) == SLOTS);
    fake_zone_open(&f->zone, f->dir, "zone-0", 77); /* the same, and it has the player still */
    PUMP_UNTIL(f, f->zone.detach_count == 1);
    assert_int_equal(f->zone.detaches[0].session, session);
}

static void test_gateway_malformed_packets_end_in_disconnect(void **state) {
    struct fixture *f = play(state, 0);
    uint8_t bytes[NETCODE_PACKET_MAX];
    for (unsigned i = 0; i < GATEWAY_STRIKES_MAX; i++) {
        memset(bytes, 0, sizeof bytes);
        bytes[NETCODE_HEADROOM] = 2; /* sequence: newer than the first packet's */
        bytes[NETCODE_HEADROOM + CHANNEL_HEADER_SIZE] = 0xff;
        client_seal(&f->client, bytes + NETCODE_HEADROOM, 30);
        if (i % 32 == 31) pump(f);
        if (i == GATEWAY_STRIKES_MAX / 2) assert_int_equal(in_state(f, SESSION_PLAYING), 1);
    }
    PUMP_UNTIL(f, f->client.netcode.state == NETCODE_CLIENT_DISCONNECTED);
    assert_int_equal(f->gateway->stats.packets_malformed, GATEWAY_STRIKES_MAX);
    assert_int_equal(f->gateway->stats.ended[SESSION_END_MALFORMED], 1);
}

static void test_gateway_zone_words_for_unknown_sessions_are_counted(void **state) {
    struct fixture *f = play(state, 0);
    uint64_t real = session_of(f), stale = real - (1ULL << 32), beyond = SLOTS;
    uint64_t names[3] = {stale, beyond, UINT64_MAX};
    for (unsigned i = 0; i < 3; i++) {
        f->zone.attaches[f->zone.attach_count - 1].session = names[i];
        zone_snapshot(f, 1, 10);
        zone_message(f, (const uint8_t *)"x", 1);
    }
    f->zone.attaches[f->zone.attach_count - 1].session = real;
    zone_snapshot(f, 2, CHANNEL_SNAPSHOT_MAX + 1);
    zone_snapshot(f, 3, CHANNEL_SNAPSHOT_MAX);
    PUMP_UNTIL(f, f->client.snapshots == 1);
    assert_int_equal(f->client.snapshot_len, CHANNEL_SNAPSHOT_MAX);
    assert_int_equal(f->gateway->stats.snapshots_unknown, 3);
    assert_int_equal(f->gateway->stats.messages_unknown, 3);
    assert_int_equal(f->gateway->stats.snapshots_long, 1);
}

static void test_gateway_reader_that_is_too_slow_is_disconnected(void **state) {
    struct fixture *f = play(state, 0);
    static const uint8_t bytes[MESSAGE_MAX] = {1};
    for (unsigned i = 0; i < 3; i++) zone_message(f, bytes, sizeof bytes);
    for (int i = 0; i < PUMPS && f->gateway->stats.ended[SESSION_END_SLOW] == 0; i++) {
        fake_zone_update(&f->zone); /* the client acknowledges nothing */
        assert_int_equal(gateway_turn(f->gateway), 0);
    }
    assert_int_equal(f->gateway->stats.ended[SESSION_END_SLOW], 1);
    assert_int_equal(f->gateway->sessions.blocks.taken, 0);
}

/* age makes the only session's stream look as if nothing had come of it for so long. */
static void age(struct fixture *f, uint32_t ms) {
    session_channel(&f->gateway->sessions, session_find(&f->gateway->sessions, session_of(f)))->progress_us -= ms * 1000;
}

static void test_gateway_stalled_stream_is_ended_and_counted(void **state) {
    struct fixture *f = play(state, 0);
    uint8_t bytes[NETCODE_PACKET_MAX];
    struct channel_packet packet;
    struct frame_fragment half = {
        .message_id = 0, .index = 0, .last_index = 1, .len = FRAME_FRAGMENT_BYTES, .bytes = (const uint8_t[1024]){1}};
    channel_begin(&f->client.channel, &packet, bytes + NETCODE_HEADROOM, CHANNEL_PACKET_MAX);
    assert_int_equal(frame_write_fragment(&packet.frames, &half), 0);
    client_seal(&f->client, bytes + NETCODE_HEADROOM, channel_finish(&f->client.channel, mono_now(), &packet));
    PUMP_UNTIL(f, f->gateway->sessions.blocks.taken == 1);
    age(f, CHANNEL_STALL_MS / 2);
    for (int i = 0; i < 20; i++) pump(f);
    assert_int_equal(in_state(f, SESSION_PLAYING), 1);
    age(f, CHANNEL_STALL_MS / 2);
    PUMP_UNTIL(f, f->client.netcode.state == NETCODE_CLIENT_DISCONNECTED);
    assert_int_equal(f->gateway->stats.ended[SESSION_END_STALLED], 1);
    assert_int_equal(f->gateway->sessions.blocks.taken, 0);
}

static void test_gateway_messages_that_wait_for_a_zone_are_no_stall(void **state) {
    struct fixture *f = play(state, 0);
    fake_zone_close(&f->zone);
    PUMP_UNTIL(f, f->client.messages == 1 && f->gateway->sessions.blocks.taken == 0);
    assert_int_equal(channel_send(&f->client.channel, mono_now(), (const uint8_t *)"wait", 4), 0);
    PUMP_UNTIL(f, f->gateway->sessions.blocks.taken == 1);
    age(f, 2 * CHANNEL_STALL_MS);
    for (int i = 0; i < 20; i++) pump(f);
    fake_zone_open(&f->zone, f->dir, "zone-0", 78);
    PUMP_UNTIL(f, f->zone.message_count == 1 && f->client.messages == 2);
    assert_int_equal(in_state(f, SESSION_PLAYING), 1);
}

static void test_gateway_client_that_hears_nothing_is_acknowledged(void **state) {
    struct fixture *f = play(state, 0);
    unsigned packets = f->client.packets;
    struct mono start = mono_now();
    while (mono_since_ns(mono_now(), start) < NS_PER_S) {
        client_input(&f->client, 1);
        for (int i = 0; i < 10; i++) pump(f);
    }
    assert_in_range(f->client.packets - packets, 3, NS_PER_S / NS_PER_MS / GATEWAY_ACK_MS + 1);
}

static json_int_t figure(const json_t *status, const char *part, const char *name) {
    const json_t *value = json_object_get(json_object_get(status, part), name);
    if (!json_is_integer(value)) fail_msg("no figure %s of %s", name, part);
    return json_integer_value(value);
}

static void test_gateway_report_tells_what_was_done_and_dropped(void **state) {
    struct fixture *f = play(state, 0);
    struct report *report = report_create("gateway-0", f->gateway);
    assert_non_null(report);
    zone_snapshot(f, 1, CHANNEL_SNAPSHOT_MAX + 1);
    zone_snapshot(f, 2, 10);
    uint8_t bytes[NETCODE_PACKET_MAX] = {0};
    bytes[NETCODE_HEADROOM] = 2;                          /* sequence */
    bytes[NETCODE_HEADROOM + CHANNEL_HEADER_SIZE] = 0xff; /* no frame begins so */
    client_seal(&f->client, bytes + NETCODE_HEADROOM, 30);
    client_flush(&f->client, bytes, 3); /* and no packet is so short */
    PUMP_UNTIL(f, f->client.snapshots == 1 && f->gateway->stats.packets_malformed == 1);
    report_mirror(report);
    static char text[1 << 16];
    assert_true(report_status(report, text, sizeof text) > 0);
    json_t *status = json_loads(text, 0, NULL);
    assert_non_null(status);
    assert_int_equal(figure(status, "sessions", "playing"), 1);
    assert_int_equal(figure(status, "counters", "snapshots_total"), 1);
    assert_int_equal(figure(status, "counters", "snapshots_long_total"), 1);
    assert_int_equal(figure(status, "counters", "bus_timeouts_total"), 0);
    assert_int_equal(figure(status, "counters", "transfers_started_total"), 0);
    assert_int_equal(figure(status, "directory", "version"), 1);
    assert_int_equal(figure(status, "transfers", "in_flight"), 0);
    assert_int_equal(figure(status, "drops", "session_malformed"), 1);
    assert_int_equal(figure(status, "drops", "malformed"), 1);
    json_decref(status);
    for (int i = 0; i < GATEWAY_PHASE_COUNT; i++) f->gateway->phases[i] = NULL;
    f->gateway->transfers.latency = NULL;
    report_destroy(report);
}

static void test_gateway_shutdown_tells_clients(void **state) {
    struct fixture *f = play(state, 0);
    gateway_destroy(f->gateway);
    f->gateway = NULL;
    PUMP_UNTIL(f, f->client.netcode.state == NETCODE_CLIENT_DISCONNECTED);
}

#define BOTH(test)                                                                                                          \
    {#test " (io_uring)", test, setup_uring, teardown, NULL}, {                                                             \
#test " (epoll)", test, setup_epoll, teardown, NULL                                                                 \
    }

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(test_gateway_round_trip_over_ipv4),
        BOTH(test_gateway_round_trip_over_ipv6),
        BOTH(test_gateway_ping_is_answered_with_the_tick),
        BOTH(test_gateway_longest_messages_pass_both_ways),
        cmocka_unit_test_setup_teardown(test_gateway_lost_zone_keeps_sessions_and_tells_them, setup_uring, teardown),
        cmocka_unit_test_setup_teardown(test_gateway_zone_that_is_back_hears_nothing_of_the_old_view, setup_uring, teardown),
        cmocka_unit_test_setup_teardown(test_gateway_client_before_its_zone_waits_and_is_told, setup_uring, teardown),
        cmocka_unit_test_setup_teardown(test_gateway_refused_attach_disconnects, setup_uring, teardown),
        cmocka_unit_test_setup_teardown(test_gateway_zone_may_end_a_session, setup_uring, teardown),
        cmocka_unit_test_setup_teardown(test_gateway_session_that_is_attached_is_not_ended_by_what_came_before, setup_uring,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_gateway_client_that_leaves_is_detached, setup_uring, teardown),
        cmocka_unit_test_setup_teardown(test_gateway_client_that_leaves_while_its_zone_is_lost_is_detached_later,
                                        setup_uring, teardown),
        cmocka_unit_test_setup_teardown(test_gateway_malformed_packets_end_in_disconnect, setup_uring, teardown),
        cmocka_unit_test_setup_teardown(test_gateway_zone_words_for_unknown_sessions_are_counted, setup_uring, teardown),
        cmocka_unit_test_setup_teardown(test_gateway_reader_that_is_too_slow_is_disconnected, setup_uring, teardown),
        cmocka_unit_test_setup_teardown(test_gateway_stalled_stream_is_ended_and_counted, setup_uring, teardown),
        cmocka_unit_test_setup_teardown(test_gateway_messages_that_wait_for_a_zone_are_no_stall, setup_uring, teardown),
        cmocka_unit_test_setup_teardown(test_gateway_client_that_hears_nothing_is_acknowledged, setup_uring, teardown),
        cmocka_unit_test_setup_teardown(test_gateway_report_tells_what_was_done_and_dropped, setup_uring, teardown),
        BOTH(test_gateway_shutdown_tells_clients),
    };
    if (sodium_init() < 0) return 1;
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
