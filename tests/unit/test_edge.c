/* The zone's edges over a real bus, against a gateway played by the test: greeting, batches, lost and new gateways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/edge_url.h"
#include "tests/unit/scripted_load.h"
#include "zone/edge.h"
#include "zone/telemetry.h"

#define ATTEMPTS_MAX 5000 /* of a millisecond each */

enum { LINK_DEAD_S = 20 };

static const uint64_t SESSION = 3ULL << 32 | 5;

static struct config_gateway gateways[1] = {{.name = "gateway-0", .max_clients = 64}};
static struct config_zone zones[1] = {{.name = "zone-0"}};

struct fixture {
    char run_dir[64];
    struct config config;
    struct sim *sim;
    struct reporter *reporter;
    struct edges *edges;
    struct crossing *crossing;
    struct directory directory;
    struct bus_edge *gateway;
    struct wire_builder *builder;
    uint64_t tick;
    uint64_t ahead_ns; /* the test's clock is ahead by this */
    /* what the gateway got last */
    struct wire_hello hello;
    struct wire_attached attached;
    uint32_t snapshots, messages;
};

static struct mono test_now(const struct fixture *f) {
    return mono_add_ns(mono_now(), f->ahead_ns);
}

static void gateway_dial(struct fixture *f) {
    char url[EDGE_URL_SIZE];
    assert_int_equal(edge_url(&f->config, f->run_dir, EDGE_ZONE_GATEWAY, 0, 0, url, sizeof url), 0);
    struct bus_edge_config bus = {.url = url,
                                  .role = BUS_DIAL,
                                  .local_name = "gateway-0",
                                  .peer_name = "zone-0",
                                  .frame_max_bytes = BUS_FRAME_BYTES_MAX,
                                  .queue_max_bytes = BUS_FRAME_BYTES_MAX};
    assert_int_equal(bus_edge_open(&f->gateway, &bus, test_now(f)), 0);
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->run_dir, sizeof f->run_dir, "/tmp/march-edge-XXXXXX");
    assert_non_null(mkdtemp(f->run_dir));
    char ipc[128];
    snprintf(ipc, sizeof ipc, "%s/ipc", f->run_dir);
    assert_int_equal(mkdir(ipc, 0700), 0);
    f->config = (struct config){
        .gateways = gateways, .gateways_count = 1, .zones = zones, .zones_count = 1, .limits.link_dead_s = LINK_DEAD_S};
    directory_initial(&f->directory, &f->config);
    struct sim_config sim = script_config();
    sim.gateways_max = 1;
    f->sim = sim_create(&sim);
    f->tick = SCRIPT_START_TICK;
    f->builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    char error[200];
    struct wire_hello hello = {.name = "zone-0", .role = WIRE_ROLE_ZONE, .incarnation = 99, .tick_hz = 60};
    assert_int_equal(
        reporter_open(&f->reporter, &f->config, 0, f->run_dir, &hello, NULL, f->sim, test_now(f), error, sizeof error),
        0); /* no persists: it only keeps the book */
    f->crossing = crossing_create(&f->config, f->sim, reporter_book(f->reporter));
    assert_int_equal(edges_open(&f->edges, &f->config, 0, f->run_dir, &hello, NULL, f->sim, reporter_book(f->reporter),
                                f->crossing, test_now(f), error, sizeof error),
                     0);
    gateway_dial(f);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    bus_edge_close(f->gateway);
    edges_close(f->edges);
    crossing_destroy(f->crossing);
    reporter_close(f->reporter);
    sim_destroy(f->sim);
    wire_builder_destroy(f->builder);
    char path[128];
    snprintf(path, sizeof path, "%s/ipc/zone-0.gateway-0", f->run_dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/ipc", f->run_dir);
    rmdir(path);
    rmdir(f->run_dir);
    free(f);
    return 0;
}

static void gateway_receive(struct fixture *f) {
    const uint8_t *bytes;
    size_t len;
    bus_update(f->gateway, test_now(f));
    while (bus_receive(f->gateway, &bytes, &len) == 0) {
        struct wire_bus_view view;
        assert_int_equal(wire_bus_open(bytes, len, &view), 0);
        if (view.kind == WIRE_BUS_HELLO) f->hello = view.hello;
        if (view.kind == WIRE_BUS_ZONE_BATCH) {
            if (view.zone.attached_count) f->attached = view.zone.attached[0];
            f->snapshots += view.zone.snapshot_count;
            f->messages += view.zone.message_count;
        }
        bus_release(f->gateway);
    }
}

/* A turn of both sides: a tick of the zone, then a millisecond. */
static void turn(struct fixture *f) {
    edges_receive(f->edges, &f->directory, test_now(f));
    sim_tick(f->sim, ++f->tick);
    crossing_tick(f->crossing, test_now(f));
    edges_send(f->edges, f->tick);
    if (f->gateway) gateway_receive(f);
    usleep(1000);
}

#define WAIT_FOR(f, condition)                                                                                              \
    do {                                                                                                                    \
        for (int attempt_ = 0; attempt_ < ATTEMPTS_MAX && !(condition); attempt_++) turn(f);                                \
        assert_true(condition);                                                                                             \
    } while (0)

static void gateway_send(struct fixture *f, const struct wire_bytes *bytes) {
    WAIT_FOR(f, bus_connected(f->gateway));
    assert_int_equal(bus_send(f->gateway, bytes->data, bytes->len), 0);
}

static void gateway_greet(struct fixture *f, uint64_t incarnation) {
    struct wire_hello hello = {.name = "gateway-0", .role = WIRE_ROLE_GATEWAY, .incarnation = incarnation};
    struct wire_bytes bytes;
    assert_int_equal(wire_hello_pack(f->builder, &hello, &bytes), 0);
    gateway_send(f, &bytes);
    WAIT_FOR(f, edges_link(f->edges, 0)->state == LINK_UP);
}

static void gateway_attach(struct fixture *f, uint64_t session) {
    struct wire_attach attach = {.session = session, .player = 8};
    struct wire_gateway_batch batch = {.attaches = &attach, .attach_count = 1};
    struct wire_bytes bytes;
    assert_int_equal(wire_gateway_batch_pack(f->builder, &batch, &bytes), 0);
    gateway_send(f, &bytes);
}

static void test_edge_greets_attaches_and_sends_snapshots(void **state) {
    struct fixture *f = *state;
    gateway_greet(f, 1);
    WAIT_FOR(f, f->hello.incarnation == 99);
    gateway_attach(f, SESSION);
    WAIT_FOR(f, f->snapshots >= 3);
    assert_true(f->attached.session == SESSION && f->attached.entity != 0);
    assert_true(f->messages >= 1);
    assert_int_equal(sim_players(f->sim), 1);
    assert_int_equal(edges_link(f->edges, 0)->stats.bad, 0);
}

static void test_edge_batch_before_hello_is_refused(void **state) {
    struct fixture *f = *state;
    gateway_attach(f, SESSION);
    WAIT_FOR(f, edges_link(f->edges, 0)->stats.bad == 1);
    assert_int_equal(sim_players(f->sim), 0);
}

static void test_edge_malformed_message_is_counted(void **state) {
    struct fixture *f = *state;
    gateway_greet(f, 1);
    uint8_t junk[64] = {1, 2, 3};
    gateway_send(f, &(struct wire_bytes){junk, sizeof junk});
    WAIT_FOR(f, edges_link(f->edges, 0)->stats.bad == 1);
    gateway_attach(f, SESSION);
    WAIT_FOR(f, sim_players(f->sim) == 1); /* the edge lives on */
}

static void lose_gateway(struct fixture *f) {
    bus_edge_close(f->gateway);
    f->gateway = NULL;
    WAIT_FOR(f, edges_link(f->edges, 0)->state == LINK_AWAY);
}

static void test_edge_players_of_a_gateway_that_died_go_on_under_their_next_session(void **state) {
    struct fixture *f = *state;
    gateway_greet(f, 1);
    gateway_attach(f, SESSION);
    WAIT_FOR(f, f->attached.entity != 0);
    uint64_t entity = f->attached.entity;
    lose_gateway(f);
    assert_int_equal(sim_players(f->sim), 1);
    gateway_dial(f);
    gateway_greet(f, 2);
    assert_int_equal(edges_link(f->edges, 0)->stats.restarts, 1);
    assert_int_equal(sim_slot(f->sim, 0, SESSION), SIM_SLOT_NONE);
    turn(f);
    assert_int_equal(crossing_link_dead(f->crossing), 1);
    assert_int_equal(handoff_doubts(crossing_handoff(f->crossing)), 0); /* it has been replaced */
    f->attached.entity = 0;
    gateway_attach(f, SESSION + (5ULL << 32));
    WAIT_FOR(f, f->attached.entity != 0);
    assert_true(f->attached.entity == entity);
    turn(f);
    assert_int_equal(crossing_link_dead(f->crossing), 0);
}

static void test_edge_gateway_of_the_same_incarnation_keeps_its_players(void **state) {
    struct fixture *f = *state;
    gateway_greet(f, 1);
    gateway_attach(f, SESSION);
    WAIT_FOR(f, f->attached.entity != 0);
    uint64_t entity = f->attached.entity;
    lose_gateway(f);
    gateway_dial(f);
    gateway_greet(f, 1);
    f->attached.entity = 0;
    gateway_attach(f, SESSION);
    WAIT_FOR(f, f->attached.entity != 0);
    assert_true(f->attached.entity == entity);
}

static void test_edge_players_of_a_lost_gateway_are_link_dead_and_leave_after_a_while(void **state) {
    struct fixture *f = *state;
    gateway_greet(f, 1);
    gateway_attach(f, SESSION);
    WAIT_FOR(f, sim_players(f->sim) == 1);
    lose_gateway(f);
    f->ahead_ns += (EDGE_KEEP_MS - 5000) * NS_PER_MS;
    turn(f);
    assert_int_equal(crossing_link_dead(f->crossing), 0);
    f->ahead_ns += 5000 * NS_PER_MS;
    turn(f);
    assert_int_equal(edges_expired(f->edges, 0), 1);
    assert_int_equal(crossing_link_dead(f->crossing), 1);
    assert_int_equal(handoff_doubts(crossing_handoff(f->crossing)), 1); /* it may come back */
    f->ahead_ns += (LINK_DEAD_S - 1) * NS_PER_S;
    turn(f);
    assert_int_equal(sim_players(f->sim), 1);
    f->ahead_ns += NS_PER_S;
    turn(f);
    assert_int_equal(sim_players(f->sim), 0);
    assert_int_equal(crossing_stats(f->crossing)->expired, 1);
}

static void test_edge_gateway_that_is_replaced_late_leaves_no_doubt(void **state) {
    struct fixture *f = *state;
    gateway_greet(f, 1);
    gateway_attach(f, SESSION);
    WAIT_FOR(f, sim_players(f->sim) == 1);
    lose_gateway(f);
    f->ahead_ns += EDGE_KEEP_MS * NS_PER_MS;
    turn(f);
    assert_int_equal(handoff_doubts(crossing_handoff(f->crossing)), 1);
    gateway_dial(f);
    gateway_greet(f, 2);
    assert_int_equal(sim_players(f->sim), 1);
    assert_int_equal(handoff_doubts(crossing_handoff(f->crossing)), 0);
}

static void expect_counter(const json_t *status, const char *name, json_int_t expected) {
    const json_t *value = json_object_get(json_object_get(status, "counters"), name);
    if (!json_is_integer(value) || json_integer_value(value) != expected)
        fail_msg("%s is %" JSON_INTEGER_FORMAT ", expected %" JSON_INTEGER_FORMAT, name, json_integer_value(value),
                 expected);
}

static void test_edge_what_is_refused_and_lost_is_in_the_metrics(void **state) {
    struct fixture *f = *state;
    gateway_greet(f, 1);
    gateway_attach(f, SESSION);
    WAIT_FOR(f, f->snapshots >= 1);
    sim_ack(f->sim, 0, SESSION, 0xf000);
    uint8_t junk[64] = {1, 2, 3};
    gateway_send(f, &(struct wire_bytes){junk, sizeof junk});
    WAIT_FOR(f, edges_link(f->edges, 0)->stats.bad == 1);
    lose_gateway(f);
    gateway_dial(f);
    gateway_greet(f, 2);
    struct telemetry *telemetry = telemetry_create("zone-0");
    struct pacer pacer = {.missed = 4};
    struct overload overload = {0};
    telemetry_mirror(telemetry,
                     &(struct telemetry_source){
                         .sim = f->sim, .edges = f->edges, .reporter = f->reporter, .pacer = &pacer, .overload = &overload});
    static char text[65536];
    assert_true(telemetry_status(telemetry, text, sizeof text) > 0);
    json_t *status = json_loads(text, 0, NULL);
    assert_non_null(status);
    expect_counter(status, "ticks_missed_total", 4);
    expect_counter(status, "acks_unknown_total", 1);
    expect_counter(status, "bus_messages_bad_total", 1);
    expect_counter(status, "bus_timeouts_total", 0);
    expect_counter(status, "gateway_losses_total", 1);
    expect_counter(status, "gateway_restarts_total", 1);
    expect_counter(status, "gateways_expired_total", 0);
    json_decref(status);
    telemetry_destroy(telemetry);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_edge_greets_attaches_and_sends_snapshots, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_edge_batch_before_hello_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_edge_malformed_message_is_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_edge_players_of_a_gateway_that_died_go_on_under_their_next_session, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_edge_gateway_of_the_same_incarnation_keeps_its_players, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_edge_gateway_that_is_replaced_late_leaves_no_doubt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_edge_players_of_a_lost_gateway_are_link_dead_and_leave_after_a_while, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_edge_what_is_refused_and_lost_is_in_the_metrics, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
