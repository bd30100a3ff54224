/* From the cluster's configuration to a zone's; and what a zone tells of itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/unit/scripted_load.h"
#include "zone/setup.h"
#include "zone/telemetry.h"

static struct config_gateway gateways[2] = {{.name = "g0", .max_clients = 100}, {.name = "g1", .max_clients = 200}};
static struct config_zone zones[2] = {
    {.name = "a"},
    {.name = "b", .rect = {-10, 20, 30, 40}, .creatures = 5, .max_players = 10, .max_entities = CONFIG_ENTITIES_MAX}};

static struct config cluster(void) {
    return (struct config){.gateways = gateways,
                           .gateways_count = 2,
                           .zones = zones,
                           .zones_count = 2,
                           .world = {.tick_hz = 60,
                                     .snapshot_hz = 20,
                                     .view_radius_m = CONFIG_VIEW_RADIUS_M_MAX,
                                     .snapshot_budget_bytes = CONFIG_SNAPSHOT_BYTES_MIN,
                                     .view_max = CONFIG_VIEW_MAX}};
}

static void test_setup_takes_the_zone_at_the_edges_of_what_views_can(void **state) {
    (void)state;
    struct config config = cluster();
    struct sim_config sim = setup_sim(&config, 1, (struct setup_start){.seed = 3, .tick = 4, .incarnation = 5});
    assert_string_equal(sim.name, "b");
    assert_int_equal(sim.rect.min_x, -10);
    assert_int_equal(sim.rect.max_y, 60);
    assert_int_equal(sim.sessions_max, 200);
    assert_int_equal(sim.gateways_max, 2);
    assert_int_equal(sim.entities_max, CONFIG_ENTITIES_MAX);
    assert_int_equal(sim.view_radius_m, CONFIG_VIEW_RADIUS_M_MAX);
    assert_int_equal(sim.view_max, CONFIG_VIEW_MAX);
    assert_int_equal(sim.snapshot_bytes_max, CONFIG_SNAPSHOT_BYTES_MIN);
    struct sim *made = sim_create(&sim);
    assert_non_null(made);
    sim_destroy(made);
}

static void test_setup_with_a_matchmaker_begins_with_nothing(void **state) {
    (void)state;
    struct config config = cluster();
    strcpy(config.matchmaker.name, "m");
    assert_true(config_has_matchmaker(&config));
    struct sim_config sim = setup_sim(&config, 1, (struct setup_start){.seed = 3});
    struct sim *made = sim_create(&sim);
    assert_non_null(made);
    assert_int_equal(sim_entities(made)->count, 0);
    assert_false(directory_owns(&sim_territory(made)->directory, 1));
    sim_destroy(made);
}

static void test_setup_digest_tells_what_bears_on_the_state(void **state) {
    (void)state;
    struct config config = cluster();
    struct sim_config a = setup_sim(&config, 1, (struct setup_start){.seed = 3}), b = a;
    b.seed = 9;
    b.view_radius_m = 1;
    assert_true(setup_digest(&a) == setup_digest(&b));
    b.creatures++;
    assert_true(setup_digest(&a) != setup_digest(&b));
    b = a;
    b.rect.max_y++;
    assert_true(setup_digest(&a) != setup_digest(&b));
    config.instances = (struct config_instances){.blocks = 1, .cells = 20, .side_m = 16};
    b = setup_sim(&config, 1, (struct setup_start){.seed = 3});
    assert_int_equal(b.cells.per_block, 20);
    assert_true(setup_digest(&a) != setup_digest(&b));
}

static void test_telemetry_status_is_json_with_the_counts(void **state) {
    (void)state;
    struct telemetry *t = telemetry_create("zone-0");
    telemetry_tick(t, 1000000);
    for (unsigned p = 0; p < TELEMETRY_PHASE_COUNT; p++) telemetry_phase(t, (enum telemetry_phase)p, 1000);
    static char buf[65536];
    int len = telemetry_status(t, buf, sizeof buf);
    assert_true(len > 0);
    json_error_t error;
    json_t *status = json_loadb(buf, (size_t)len, 0, &error);
    assert_non_null(status);
    assert_string_equal(json_string_value(json_object_get(status, "zone")), "zone-0");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(status, "counters"), "ticks_total")), 1);
    assert_int_equal(json_object_size(json_object_get(status, "phases_us")), TELEMETRY_PHASE_COUNT);
    assert_true(json_is_null(json_object_get(status, "map")));
    json_decref(status);
    telemetry_set_map(t, &(struct map_header){.hash = {0xab, 1}});
    len = telemetry_status(t, buf, sizeof buf);
    status = json_loadb(buf, (size_t)len, 0, &error);
    const json_t *map = json_object_get(status, "map");
    assert_string_equal(json_string_value(json_object_get(map, "hash")), "ab010000000000000000000000000000");
    assert_int_equal(json_integer_value(json_object_get(map, "chunks")), 0);
    json_decref(status);
    assert_int_equal(telemetry_status(t, buf, 100), MARCH_ERR_FULL);
    telemetry_destroy(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_setup_takes_the_zone_at_the_edges_of_what_views_can),
        cmocka_unit_test(test_setup_with_a_matchmaker_begins_with_nothing),
        cmocka_unit_test(test_setup_digest_tells_what_bears_on_the_state),
        cmocka_unit_test(test_telemetry_status_is_json_with_the_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
