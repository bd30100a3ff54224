/* The zone's link to the matchmaker: orders for instances come over it, reports of them go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/bus.h"
#include "common/edge_url.h"
#include "tests/unit/venues_fixture.h"
#include "zone/registrar.h"

static struct config_gateway gateways[] = {{.name = "gateway-0"}};
static struct config_zone zones[] = {{.name = "zone-0"}};

struct fixture {
    char run_dir[64], url[EDGE_URL_SIZE];
    struct config config;
    struct sim *sim;
    struct registrar *registrar;
    struct wire_builder *builder;
    struct bus_edge *edge;
    uint32_t greeted;
    unsigned reports, worker_reports;
    struct wire_instance_status status; /* the first of the newest report, id 0: there was none */
    uint32_t instance_count, player_count;
    uint32_t in_flight; /* of the block, by the newest report of the worker */
};

static void listen_as_matchmaker(struct fixture *f) {
    struct bus_edge_config bus = {.url = f->url,
                                  .role = BUS_LISTEN,
                                  .local_name = "matchmaker",
                                  .peer_name = "zone-0",
                                  .frame_max_bytes = BUS_FRAME_BYTES_MAX,
                                  .queue_max_bytes = BUS_FRAME_BYTES_MAX};
    f->greeted = 0;
    assert_int_equal(bus_edge_open(&f->edge, &bus, mono_now()), 0);
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->run_dir, sizeof f->run_dir, "/tmp/march-registrar-XXXXXX");
    assert_non_null(mkdtemp(f->run_dir));
    char ipc[128], error[200];
    snprintf(ipc, sizeof ipc, "%s/ipc", f->run_dir);
    assert_int_equal(mkdir(ipc, 0700), 0);
    f->config = (struct config){.gateways = gateways, .gateways_count = 1, .zones = zones, .zones_count = 1};
    snprintf(f->config.matchmaker.name, sizeof f->config.matchmaker.name, "matchmaker");
    f->sim = fx_sim(0);
    f->builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    struct wire_hello hello = {.name = "zone-0", .role = WIRE_ROLE_ZONE, .incarnation = 99, .tick_hz = FX_HZ};
    assert_int_equal(edge_url(&f->config, f->run_dir, EDGE_MATCHMAKER_ZONE, 0, 0, f->url, sizeof f->url), 0);
    assert_int_equal(
        registrar_open(&f->registrar, &f->config, 0, f->run_dir, &hello, NULL, f->sim, mono_now(), error, sizeof error), 0);
    listen_as_matchmaker(f);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    registrar_close(f->registrar);
    bus_edge_close(f->edge);
    sim_destroy(f->sim);
    wire_builder_destroy(f->builder);
    unlink(f->url + sizeof "ipc://" - 1);
    char ipc[128];
    snprintf(ipc, sizeof ipc, "%s/ipc", f->run_dir);
    rmdir(ipc);
    rmdir(f->run_dir);
    free(f);
    return 0;
}

static void take_report(struct fixture *f, const struct wire_instance_report *r) {
    f->reports++;
    f->instance_count = r->instance_count;
    f->player_count = r->player_count;
    f->status = r->instance_count > 0 ? r->instances[0] : (struct wire_instance_status){0};
}

static void take_worker_report(struct fixture *f, const struct wire_worker_report *r) {
    f->worker_reports++;
    f->in_flight = 0;
    for (uint32_t i = 0; i < r->hold_count; i++)
        if (r->holds[i].partition == CELLS_BLOCK_BIT) f->in_flight = r->holds[i].in_flight;
}

static void receive(struct fixture *f) {
    const uint8_t *bytes;
    size_t len;
    bus_update(f->edge, mono_now());
    while (bus_receive(f->edge, &bytes, &len) == 0) {
        struct wire_bus_view view;
        assert_int_equal(wire_bus_open(bytes, len, &view), 0);
        if (view.kind == WIRE_BUS_INSTANCE_REPORT) take_report(f, &view.instance_report);
        if (view.kind == WIRE_BUS_WORKER_REPORT) take_worker_report(f, &view.worker_report);
        bus_release(f->edge);
    }
    if (!bus_connected(f->edge) || f->greeted == bus_generation(f->edge)) return;
    struct wire_hello hello = {.name = "matchmaker", .role = WIRE_ROLE_MATCHMAKER, .incarnation = 7};
    struct wire_bytes out;
    assert_int_equal(wire_hello_pack(f->builder, &hello, &out), 0);
    if (bus_send(f->edge, out.data, out.len) == 0) f->greeted = bus_generation(f->edge);
}

/* One turn of the zone's loop and of the matchmaker's, 1 ms. */
static void turn(struct fixture *f) {
    struct registrar_load load = {0};
    assert_int_equal(registrar_receive(f->registrar, mono_now()), 0);
    registrar_send(f->registrar, &load, mono_now());
    receive(f);
    usleep(1000);
}

#define AWAIT(f, condition)                                                                                                 \
    do {                                                                                                                    \
        struct mono until_ = mono_add_ms(mono_now(), 10000);                                                                \
        while (!(condition)) {                                                                                              \
            assert_false(mono_reached(mono_now(), until_));                                                                 \
            turn(f);                                                                                                        \
        }                                                                                                                   \
    } while (0)

static void send_orders(struct fixture *f, const struct wire_instance_orders *orders) {
    struct wire_bytes bytes;
    assert_int_equal(wire_instance_orders_pack(f->builder, orders, &bytes), 0);
    assert_int_equal(bus_send(f->edge, bytes.data, bytes.len), 0);
}

static void test_registrar_orders_come_and_reports_go(void **state) {
    struct fixture *f = *state;
    struct fx_orders o;
    AWAIT(f, f->worker_reports > 0 && f->reports > 0); /* one that says that there is nothing */
    assert_true(f->instance_count == 0 && f->player_count == 0);
    unsigned before = f->reports;
    AWAIT(f, f->worker_reports > 3);
    assert_int_equal(f->reports, before); /* and no more of these */
    fx_attach(f->sim, 1);
    fx_begin(&o);
    fx_order(&o, 5, 1);
    fx_travel(&o, 1, 5, 0, fx_x(1, 10), M(10));
    send_orders(f, &o.orders);
    AWAIT(f, f->status.id == 5 && f->player_count == 1);
    assert_int_equal(f->status.phase, WIRE_PHASE_RUNNING);
    before = f->reports;
    AWAIT(f, f->reports >= before + 3); /* again and again */
}

static void test_registrar_change_is_told_at_once_and_the_end_too(void **state) {
    struct fixture *f = *state;
    struct fx_orders o;
    AWAIT(f, f->reports > 0);
    fx_begin(&o);
    struct wire_instance_order *order = fx_order(&o, 5, 1);
    send_orders(f, &o.orders);
    AWAIT(f, f->status.id == 5);
    order->state = WIRE_INSTANCE_END;
    order->version = 2;
    send_orders(f, &o.orders);
    AWAIT(f, f->status.version == 2);
    fx_run(f->sim, 1);
    AWAIT(f, f->status.phase == WIRE_PHASE_ENDED);
    fx_run_ms(f->sim, 2500);
    AWAIT(f, f->instance_count == 0);
}

/* What was complete over one connection need not be over the next. */
static void test_registrar_connection_begins_anew(void **state) {
    struct fixture *f = *state;
    struct wire_instance_orders complete = {.is_complete = true};
    AWAIT(f, f->reports > 0);
    send_orders(f, &complete);
    AWAIT(f, f->sim->instances && venues_hash(f->sim->instances, 1) != 1);
    bus_edge_close(f->edge);
    f->reports = 0;
    listen_as_matchmaker(f);
    AWAIT(f, f->reports > 0);
    assert_true(venues_hash(f->sim->instances, 1) == 1);
}

/* The handing over of a block is not done before its new zone knows what runs in it. */
static void test_registrar_holds_a_block_until_its_instances_are_answered(void **state) {
    struct fixture *f = *state;
    struct fx_orders o;
    struct wire_bytes bytes;
    AWAIT(f, f->worker_reports > 0);
    fx_begin(&o);
    fx_order(&o, 5, 1);
    sim_instance_orders(f->sim, &o.orders);
    struct directory d = fx_directory(3, 1, 0);
    struct wire_directory view = directory_view(&d);
    assert_int_equal(wire_directory_pack(f->builder, &view, &bytes), 0);
    assert_int_equal(bus_send(f->edge, bytes.data, bytes.len), 0);
    AWAIT(f, f->in_flight == 1);
    const struct wire_instance_taken taken = {.id = 5, .serial = 1};
    sim_peer_take(f->sim, 1, &(struct wire_peer_batch){.instances_taken = &taken, .instance_taken_count = 1});
    AWAIT(f, f->in_flight == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_registrar_orders_come_and_reports_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_registrar_change_is_told_at_once_and_the_end_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_registrar_connection_begins_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_registrar_holds_a_block_until_its_instances_are_answered, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
