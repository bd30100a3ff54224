/* The address of an edge: both transports, and what does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/edge_url.h"

static struct config_gateway gateways[2] = {{.name = "gateway-0"}, {.name = "gateway-1"}};
static struct config_zone zones[1] = {{.name = "zone-0", .bus_host = "10.0.0.1", .bus_port = 65534}};
static struct config config = {.gateways = gateways, .gateways_count = 2, .zones = zones, .zones_count = 1};

static void test_edge_url_ipc_names_both_ends(void **state) {
    (void)state;
    char url[EDGE_URL_SIZE];
    config.bus.transport = CONFIG_TRANSPORT_IPC;
    assert_int_equal(edge_url(&config, "run", 0, 1, url, sizeof url), 0);
    assert_string_equal(url, "ipc://run/ipc/zone-0.gateway-1");
}

static void test_edge_url_tcp_has_a_port_for_each_gateway(void **state) {
    (void)state;
    char url[EDGE_URL_SIZE];
    config.bus.transport = CONFIG_TRANSPORT_TCP;
    assert_int_equal(edge_url(&config, "run", 0, 1, url, sizeof url), 0);
    assert_string_equal(url, "tcp://10.0.0.1:65535");
    zones[0].bus_port = 65535;
    assert_int_equal(edge_url(&config, "run", 0, 1, url, sizeof url), MARCH_ERR_INVALID);
}

static void test_edge_url_too_long_is_refused(void **state) {
    (void)state;
    char url[EDGE_URL_SIZE], run_dir[200];
    memset(run_dir, 'd', sizeof run_dir - 1);
    run_dir[sizeof run_dir - 1] = 0;
    config.bus.transport = CONFIG_TRANSPORT_IPC;
    assert_int_equal(edge_url(&config, run_dir, 0, 0, url, sizeof url), MARCH_ERR_FULL);
    run_dir[90] = 0; /* fits the buffer, but not a socket's path */
    assert_int_equal(edge_url(&config, run_dir, 0, 0, url, sizeof url), MARCH_ERR_FULL);
    assert_int_equal(edge_url(&config, "run", 0, 0, url, 10), MARCH_ERR_FULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edge_url_ipc_names_both_ends),
        cmocka_unit_test(test_edge_url_tcp_has_a_port_for_each_gateway),
        cmocka_unit_test(test_edge_url_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
