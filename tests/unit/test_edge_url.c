/* The address of an edge: both transports, and what does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/edge_url.h"

static struct config_gateway gateways[2] = {{.name = "gateway-0"}, {.name = "gateway-1"}};
static struct config_zone zones[2] = {{.name = "zone-0", .bus_host = "10.0.0.1", .bus_port = 65530}, {.name = "zone-1"}};
static struct config_persist persists[2] = {{.name = "persist-0", .bus_host = "10.0.0.2", .bus_port = 7000},
                                            {.name = "persist-1", .bus_host = "10.0.0.3", .bus_port = 8000}};
static struct config config = {.gateways = gateways,
                               .gateways_count = 2,
                               .zones = zones,
                               .zones_count = 2,
                               .persists = persists,
                               .persists_count = 2,
                               .matchmaker = {.name = "matchmaker-0", .bus_host = "10.0.0.4", .bus_port = 9000}};

static void test_edge_url_ipc_names_both_ends(void **state) {
    (void)state;
    char url[EDGE_URL_SIZE];
    config.bus.transport = CONFIG_TRANSPORT_IPC;
    assert_int_equal(edge_url(&config, "run", EDGE_ZONE_GATEWAY, 0, 1, url, sizeof url), 0);
    assert_string_equal(url, "ipc://run/ipc/zone-0.gateway-1");
}

static void test_edge_url_tcp_has_a_port_for_each_gateway(void **state) {
    (void)state;
    char url[EDGE_URL_SIZE];
    config.bus.transport = CONFIG_TRANSPORT_TCP;
    assert_int_equal(edge_url(&config, "run", EDGE_ZONE_GATEWAY, 0, 1, url, sizeof url), 0);
    assert_string_equal(url, "tcp://10.0.0.1:65531");
    zones[0].bus_port = 65535;
    assert_int_equal(edge_url(&config, "run", EDGE_ZONE_GATEWAY, 0, 1, url, sizeof url), MARCH_ERR_INVALID);
    zones[0].bus_port = 65530;
}

static void test_edge_url_of_each_kind_has_an_address_of_its_own(void **state) {
    (void)state;
    static const struct {
        enum edge_kind kind;
        uint32_t listener, dialler;
        const char *ipc, *tcp;
    } cases[] = {
        {EDGE_PERSIST_GATEWAY, 0, 0, "ipc://run/ipc/persist-0.gateway-0", "tcp://10.0.0.2:7000"},
        {EDGE_PERSIST_GATEWAY, 1, 1, "ipc://run/ipc/persist-1.gateway-1", "tcp://10.0.0.3:8001"},
        {EDGE_PERSIST_ZONE, 0, 0, "ipc://run/ipc/persist-0.zone-0", "tcp://10.0.0.2:7002"},
        {EDGE_PERSIST_PERSIST, 0, 1, "ipc://run/ipc/persist-0.persist-1", "tcp://10.0.0.2:7005"},
        {EDGE_PERSIST_MATCHMAKER, 1, 0, "ipc://run/ipc/persist-1.matchmaker-0", "tcp://10.0.0.3:8006"},
        {EDGE_ZONE_ZONE, 0, 1, "ipc://run/ipc/zone-0.zone-1", "tcp://10.0.0.1:65533"},
        {EDGE_MATCHMAKER_GATEWAY, 0, 1, "ipc://run/ipc/matchmaker-0.gateway-1", "tcp://10.0.0.4:9001"},
        {EDGE_MATCHMAKER_ZONE, 0, 1, "ipc://run/ipc/matchmaker-0.zone-1", "tcp://10.0.0.4:9003"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char url[EDGE_URL_SIZE];
        config.bus.transport = CONFIG_TRANSPORT_IPC;
        assert_int_equal(edge_url(&config, "run", cases[i].kind, cases[i].listener, cases[i].dialler, url, sizeof url), 0);
        assert_string_equal(url, cases[i].ipc);
        config.bus.transport = CONFIG_TRANSPORT_TCP;
        assert_int_equal(edge_url(&config, "run", cases[i].kind, cases[i].listener, cases[i].dialler, url, sizeof url), 0);
        assert_string_equal(url, cases[i].tcp);
    }
}

static void test_edge_url_too_long_is_refused(void **state) {
    (void)state;
    char url[EDGE_URL_SIZE], run_dir[200];
    memset(run_dir, 'd', sizeof run_dir - 1);
    run_dir[sizeof run_dir - 1] = 0;
    config.bus.transport = CONFIG_TRANSPORT_IPC;
    assert_int_equal(edge_url(&config, run_dir, EDGE_ZONE_GATEWAY, 0, 0, url, sizeof url), MARCH_ERR_FULL);
    run_dir[90] = 0; /* fits the buffer, but not a socket's path */
    assert_int_equal(edge_url(&config, run_dir, EDGE_ZONE_GATEWAY, 0, 0, url, sizeof url), MARCH_ERR_FULL);
    assert_int_equal(edge_url(&config, "run", EDGE_ZONE_GATEWAY, 0, 0, url, 10), MARCH_ERR_FULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edge_url_ipc_names_both_ends),
        cmocka_unit_test(test_edge_url_tcp_has_a_port_for_each_gateway),
        cmocka_unit_test(test_edge_url_of_each_kind_has_an_address_of_its_own),
        cmocka_unit_test(test_edge_url_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
