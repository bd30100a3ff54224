/* test_config.c: each kind of mistake in a configuration, with the line and key its error must name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config.h"
#include "tests/unit/yaml_fixture.h"

/* A good configuration. */
static const char *const GOOD[] = {
    /* 1 */ "cluster:",
    /* 2 */ "  name: test",
    /* 3 */ "  protocol_id: 0x1122334455667788",
    /* 4 */ "gateways:",
    /* 5 */ "  - name: gateway-0",
    /* 6 */ "    listen: [\"127.0.0.1:0\", \"[::1]:0\"]",
    /* 7 */ "    io: epoll",
    /* 8 */ "zones:",
    /* 9 */ "  - name: zone-0",
    /* 10 */ "    rect: {x_m: 0, y_m: 0, width_m: 256, height_m: 256}",
    /* 11 */ "  - name: zone-1",
    /* 12 */ "    rect:",
    /* 13 */ "      x_m: 256",
    /* 14 */ "      y_m: 0",
    /* 15 */ "      width_m: 256",
    /* 16 */ "      height_m: 256",
    /* 17 */ "    spin: true",
    /* 18 */ "    seed: 18446744073709551615",
    /* 19 */ "world:",
    /* 20 */ "  tick_hz: 40",
    /* 21 */ "bus:",
    /* 22 */ "  transport: ipc",
};
static const struct yaml_good GOOD_TEXT = {GOOD, sizeof GOOD / sizeof GOOD[0]};

static struct config *parse_good(const char *text) {
    char error[CONFIG_ERROR_SIZE] = "";
    struct config *config;
    if (config_parse("good.yaml", text, strlen(text), &config, error, sizeof error) != 0) fail_msg("%s", error);
    return config;
}

static void expect_error(const char *text, const char *expected) {
    char error[CONFIG_ERROR_SIZE] = "";
    struct config *config;
    int result = config_parse("c.yaml", text, strlen(text), &config, error, sizeof error);
    if (result != MARCH_ERR_INVALID || strcmp(error, expected) != 0)
        fail_msg("result %d\n  found    %s\n  expected %s", result, error, expected);
    assert_null(config);
}

static void test_config_good_text_is_filled_with_values_and_defaults(void **state) {
    (void)state;
    char text[YAML_FIXTURE_TEXT_SIZE];
    yaml_compose(&GOOD_TEXT, text, 0, NULL);
    struct config *config = parse_good(text);
    assert_string_equal(config->cluster.name, "test");
    assert_true(config->cluster.protocol_id == 0x1122334455667788ULL);
    assert_int_equal(config->gateways_count, 1);
    const struct config_gateway *gateway = config_gateway_find(config, "gateway-0");
    assert_non_null(gateway);
    assert_int_equal(gateway->listen_count, 2);
    assert_string_equal(gateway->listen_addresses[1], "[::1]:0");
    assert_int_equal(gateway->public_count, 0);
    assert_string_equal(gateway->http, "127.0.0.1:0");
    assert_int_equal(gateway->max_clients, 12000);
    assert_int_equal(gateway->cpu, CONFIG_CPU_NONE);
    assert_int_equal(gateway->io, CONFIG_IO_EPOLL);
    assert_string_equal(gateway->region, "main");
    assert_int_equal(config->zones_count, 2);
    const struct config_zone *zone = config_zone_find(config, "zone-1");
    assert_non_null(zone);
    assert_int_equal(zone->rect.x_m, 256);
    assert_int_equal(zone->rect.height_m, 256);
    assert_true(zone->spin);
    assert_true(zone->seed == UINT64_MAX);
    assert_true(config->zones[0].seed == 1);
    assert_false(config->zones[0].spin);
    assert_int_equal(zone->creatures, 200);
    assert_int_equal(zone->cpu, CONFIG_CPU_NONE);
    assert_int_equal(zone->max_players, 3000);
    assert_int_equal(zone->max_entities, 8192);
    assert_string_equal(zone->bus_host, "127.0.0.1");
    assert_int_equal(config->world.tick_hz, 40);
    assert_int_equal(config->world.snapshot_hz, 20);
    assert_int_equal(config->world.snapshot_budget_bytes, 1100);
    assert_int_equal(config->bus.transport, CONFIG_TRANSPORT_IPC);
    assert_int_equal(config->bus.flush_lead_us, 2000);
    assert_int_equal(config->limits.player_packets_per_s, 120);
    assert_int_equal(config->dev.bots, 200);
    assert_null(config_zone_find(config, "zone-2"));
    assert_null(config_gateway_find(config, "zone-0"));
    config_free(config);
    config_free(NULL);
}

static const struct yaml_mistake MISTAKES[] = {
    /* wrong type */
    {15, "      width_m: abc", "c.yaml:15: zones[1].rect.width_m: expected an integer from 1 to 32767, found \"abc\""},
    {15, "      width_m: 12abc", "c.yaml:15: zones[1].rect.width_m: expected an integer from 1 to 32767, found \"12abc\""},
    {15, "      width_m: 010", "c.yaml:15: zones[1].rect.width_m: expected an integer from 1 to 32767, found \"010\""},
    {15, "      width_m: 1.5", "c.yaml:15: zones[1].rect.width_m: expected an integer from 1 to 32767, found \"1.5\""},
    {15, "      width_m: [1]", "c.yaml:15: zones[1].rect.width_m: expected an integer from 1 to 32767, found a list of 1"},
    {15, "      width_m: ' 1'", "c.yaml:15: zones[1].rect.width_m: expected an integer from 1 to 32767, found \" 1\""},
    {15, "      width_m: {}", "c.yaml:15: zones[1].rect.width_m: expected an integer from 1 to 32767, found a mapping"},
    {15, "      width_m:", "c.yaml:15: zones[1].rect.width_m: expected an integer from 1 to 32767, found \"\""},
    {15, "      width_m: \"1\\n2\"", "c.yaml:15: zones[1].rect.width_m: expected an integer from 1 to 32767, found \"1?2\""},
    {17, "    region: east", "c.yaml:17: zones[1].region: expected that of a gateway, found \"east\""},
    {17, "    spin: maybe", "c.yaml:17: zones[1].spin: expected true or false, found \"maybe\""},
    {17, "    spin: 1", "c.yaml:17: zones[1].spin: expected true or false, found \"1\""},
    {7, "    io: uring", "c.yaml:7: gateways[0].io: expected one of auto, io_uring, epoll, found \"uring\""},
    {10, "    rect: 12", "c.yaml:10: zones[0].rect: expected a mapping, found \"12\""},
    {6, "    listen: \"127.0.0.1:0\"",
     "c.yaml:6: gateways[0].listen: expected a list of 1 to 8 entries, found \"127.0.0.1:0\""},
    {6, "    listen: []", "c.yaml:6: gateways[0].listen: expected a list of 1 to 8 entries, found a list of 0"},
    {6, "    listen: [a,a,a,a,a,a,a,a,a]",
     "c.yaml:6: gateways[0].listen: expected a list of 1 to 8 entries, found a list of 9"},
    {6, "    listen: [\"127.0.0.1:0\", {}]",
     "c.yaml:6: gateways[0].listen[1]: expected an address like \"127.0.0.1:0\" or \"[::1]:0\", found a mapping"},
    {6, "    listen: [\"127.0.0.1:0\", \"localhost:0\"]",
     "c.yaml:6: gateways[0].listen[1]: expected an address like \"127.0.0.1:0\" or \"[::1]:0\", found \"localhost:0\""},
    {6, "    listen: [\"127.0.0.1:65536\"]",
     "c.yaml:6: gateways[0].listen[0]: expected an address like \"127.0.0.1:0\" or \"[::1]:0\", found \"127.0.0.1:65536\""},
    {9, "  - name: Zone 0",
     "c.yaml:9: zones[0].name: expected a name of a-z, 0-9 and '-', from a letter on, at most 31 long, found \"Zone 0\""},
    {9, "  - name: zone-0123456789-0123456789-01234",
     "c.yaml:9: zones[0].name: expected a name of a-z, 0-9 and '-', from a letter on, at most 31 long, found "
     "\"zone-0123456789-0123456789-01234\""},
    /* unknown key */
    {7, "    oi: epoll",
     "c.yaml:7: gateways[0].oi: unknown key, expected one of name, listen, public, http, max_clients, cpu, io, region"},
    {19, "wrld:",
     "c.yaml:20: wrld: unknown key, expected one of cluster, gateways, zones, persists, persist, matchmaker, instances, "
     "world, bus, "
     "limits, dev"},
    /* missing */
    {3, NULL, "c.yaml:2: cluster.protocol_id: missing, expected an integer from 1 to 18446744073709551615"},
    {6, NULL, "c.yaml:5: gateways[0].listen: missing, expected a list of 1 to 8 entries"},
    {14, NULL, "c.yaml:13: zones[1].rect.y_m: missing, expected an integer from -32768 to 32766"},
    {10, NULL, "c.yaml:9: zones: expected a rect of each where there is no matchmaker, which gives spares theirs"},
    /* out of range */
    {15, "      width_m: 0", "c.yaml:15: zones[1].rect.width_m: expected an integer from 1 to 32767, found \"0\""},
    {15, "      width_m: -1", "c.yaml:15: zones[1].rect.width_m: expected an integer from 1 to 32767, found \"-1\""},
    {15, "      width_m: 32768", "c.yaml:15: zones[1].rect.width_m: expected an integer from 1 to 32767, found \"32768\""},
    {13, "      x_m: -32769", "c.yaml:13: zones[1].rect.x_m: expected an integer from -32768 to 32766, found \"-32769\""},
    {13, "      x_m: -0x8001", "c.yaml:13: zones[1].rect.x_m: expected an integer from -32768 to 32766, found \"-0x8001\""},
    {18, "    seed: 18446744073709551616",
     "c.yaml:18: zones[1].seed: expected an integer from 0 to 18446744073709551615, found \"18446744073709551616\""},
    {18, "    seed: -1", "c.yaml:18: zones[1].seed: expected an integer from 0 to 18446744073709551615, found \"-1\""},
    {20, "  snapshot_budget_bytes: 1151",
     "c.yaml:20: world.snapshot_budget_bytes: expected an integer from 256 to 1150, found \"1151\""},
    {20, "  snapshot_budget_bytes: 255",
     "c.yaml:20: world.snapshot_budget_bytes: expected an integer from 256 to 1150, found \"255\""},
    {20, "  view_radius_m: 451", "c.yaml:20: world.view_radius_m: expected an integer from 1 to 450, found \"451\""},
    {20, "  view_max: 1025", "c.yaml:20: world.view_max: expected an integer from 16 to 1024, found \"1025\""},
    {18, "    max_entities: 65536",
     "c.yaml:18: zones[1].max_entities: expected an integer from 16 to 65535, found \"65536\""},
    /* relations */
    {13, "      x_m: 255", "c.yaml:13: zones[1].rect: expected no overlap, found one with zones[0] (zone-0)"},
    {13, "      x_m: 32600", "c.yaml:13: zones[1].rect: expected to end at 32767 m or before, found 32856, 256"},
    {11, "  - name: zone-0", "c.yaml:11: zones[1].name: expected a name used once, found \"zone-0\" again"},
    {11, "  - name: gateway-0", "c.yaml:11: zones[1].name: expected a name used once, found \"gateway-0\" again"},
    {18, "    max_entities: 3199",
     "c.yaml:18: zones[1].max_entities: expected at least creatures + max_players = 3200, found 3199"},
    {20, "  snapshot_hz: 120", "c.yaml:20: world.snapshot_hz: expected a divisor of world.tick_hz = 60, found 120"},
    {20, "  snapshot_hz: 25", "c.yaml:20: world.snapshot_hz: expected a divisor of world.tick_hz = 60, found 25"},
    {22, "  transport: tcp",
     "c.yaml:9: zones[0].bus_port: missing, expected an integer from 1 to 65535 where bus.transport is tcp"},
    /* not what a configuration is written in */
    {17, "    spin: true\n    spin: true", "c.yaml:18: doubled key: spin"},
    {18, "    seed: &a 1", "c.yaml:18: anchors and tags are not supported: seed"},
    {18, "    seed: *a", "c.yaml:18: aliases are not supported: seed"},
    {18, "    seed: !!int 1", "c.yaml:18: anchors and tags are not supported: seed"},
    {18, "    ? [a]\n    : 1", "c.yaml:18: a key that is not a word"},
    {18, "    seed: \"1\\02\"", "c.yaml:18: a zero byte in a value"},
    {18, "    seed: [[[[[[[[]]]]]]]]", "c.yaml:18: nested too deep"},
    {18, "   seed: 1", "c.yaml:18: not YAML: did not find expected '-' indicator"},
    {18, "\tseed: 1", "c.yaml:18: not YAML: found a tab character that violates indentation"},
};

static void test_config_mistakes_are_named_by_line_and_key(void **state) {
    (void)state;
    yaml_expect_mistakes(&GOOD_TEXT, MISTAKES, sizeof MISTAKES / sizeof MISTAKES[0], expect_error);
}

static void test_config_whole_texts_that_are_none_are_refused(void **state) {
    (void)state;
    expect_error("", "c.yaml:1: expected a mapping, found nothing");
    expect_error("# only a comment\n", "c.yaml:1: expected a mapping, found nothing");
    expect_error("[]", "c.yaml:1: expected a mapping, found a list of 0");
    expect_error("x", "c.yaml:1: expected a mapping, found \"x\"");
    expect_error("{}", "c.yaml:1: cluster: missing, expected a mapping");
    expect_error("--- {}\n--- {}\n", "c.yaml:2: more than one document");
    char *large = calloc(1, CONFIG_FILE_BYTES_MAX + 2);
    assert_non_null(large);
    memset(large, ' ', CONFIG_FILE_BYTES_MAX + 1);
    expect_error(large, "c.yaml:1: expected at most 262144 bytes, found 262145");
    free(large);
}

/* A grid of zones that touch in every direction is good; the full number of them loads. */
static void test_config_most_zones_that_only_touch_load(void **state) {
    (void)state;
    char text[YAML_FIXTURE_TEXT_SIZE];
    size_t len = (size_t)snprintf(text, sizeof text,
                                  "cluster: {protocol_id: 1}\ngateways: [{name: g, listen: [\"0.0.0.0:1\"]}]\n"
                                  "bus: {transport: tcp}\nzones:\n");
    for (int i = 0; i < CONFIG_ZONES_MAX; i++)
        len += (size_t)snprintf(text + len, sizeof text - len,
                                "- {name: z%d, bus_port: %d, rect: {x_m: %d, y_m: %d, width_m: 10, height_m: 10}}\n", i,
                                i + 1, i % 8 * 10 - 40, i / 8 * 10 - 40);
    struct config *config = parse_good(text);
    assert_int_equal(config->zones_count, CONFIG_ZONES_MAX);
    assert_int_equal(config->zones[63].rect.x_m, 30);
    assert_int_equal(config->zones[63].bus_port, 64);
    config_free(config);
    snprintf(text + len, sizeof text - len,
             "- {name: zz, bus_port: 64, rect: {x_m: 100, y_m: 0, width_m: 10, height_m: 10}}\n");
    expect_error(text, "c.yaml:5: zones: expected a list of 1 to 64 entries, found a list of 65");
}

static void test_config_edges_of_ranges_are_good(void **state) {
    (void)state;
    struct config *config = parse_good(
        "cluster: {protocol_id: 0xffffffffffffffff}\n"
        "gateways: [{name: g, listen: ['[::]:65535'], cpu: -1, max_clients: 0xffff}]\n"
        "zones: [{name: z, rect: {x_m: -32768, y_m: -0x8000, width_m: 32767, height_m: 1}, creatures: 0, seed: 0}]\n"
        "dev: {bots: 0}\nlimits: {client_timeout_s: 300}\n");
    assert_true(config->cluster.protocol_id == UINT64_MAX);
    assert_int_equal(config->gateways[0].cpu, -1);
    assert_int_equal(config->gateways[0].max_clients, 65535);
    assert_int_equal(config->zones[0].rect.x_m, -32768);
    assert_int_equal(config->zones[0].rect.y_m, -32768);
    assert_int_equal(config->zones[0].creatures, 0);
    assert_true(config->zones[0].seed == 0);
    assert_int_equal(config->dev.bots, 0);
    assert_int_equal(config->limits.client_timeout_s, 300);
    config_free(config);
}

static void test_config_doubled_bus_port_is_refused(void **state) {
    (void)state;
    const char *text = "cluster: {protocol_id: 1}\ngateways: [{name: g, listen: [\"0.0.0.0:1\"]}]\nzones:\n"
                       "- {name: z0, bus_port: 7, rect: {x_m: 0, y_m: 0, width_m: 1, height_m: 1}}\n"
                       "- {name: z1, bus_port: 7, rect: {x_m: 1, y_m: 0, width_m: 1, height_m: 1}}\n";
    expect_error(text, "c.yaml:5: zones[1].bus_port: expected a port used once on 127.0.0.1, found 7 again");
}

#define PREFIX                                                                                                              \
    "cluster: {protocol_id: 1}\ngateways: [{name: g, listen: [\"0.0.0.0:1\"], region: north}]\n"                            \
    "zones: [{name: z, bus_port: 7, rect: {x_m: 0, y_m: 0, width_m: 1, height_m: 1}}]\n"

static void test_config_without_persists_has_none_and_defaults(void **state) {
    (void)state;
    struct config *config = parse_good(PREFIX);
    assert_int_equal(config->persists_count, 0);
    assert_string_equal(config->gateways[0].region, "north");
    assert_int_equal(config->persist.report_ms, 200);
    assert_int_equal(config->persist.flush_ms, 5000);
    assert_int_equal(config->persist.hot_ms, 1000);
    assert_true(config->persist.journal_bytes_max == 1 << 30);
    assert_true(config->persist.journal_segment_bytes == 64 << 20);
    assert_string_equal(config->persist.journal_dir, "");
    assert_int_equal(config->persist.session_ttl_s, 30);
    assert_int_equal(config->persist.idempotency_keep_h, 24);
    assert_int_equal(config->persist.events_keep_days, 30);
    assert_int_equal(config->persist.season, 1);
    assert_int_equal(config->persist.guild_window_ms, 100);
    assert_int_equal(config->persist.cache_entries_max, 100000);
    assert_int_equal(config->persist.cache_ttl_ms, 30000);
    assert_null(config_persist_find(config, "z"));
    config_free(config);
}

static void test_config_persists_are_filled_in_order(void **state) {
    (void)state;
    struct config *config =
        parse_good(PREFIX "persists:\n- {name: p0, bus_port: 8}\n- {name: p1, cpu: 3, http: '[::1]:9'}\n"
                          "persist: {journal_bytes_max: 0x8000000000, journal_dir: /var/lib/my journal}\n");
    assert_int_equal(config->persists_count, 2);
    assert_string_equal(config->persists[0].name, "p0");
    assert_string_equal(config->persists[0].bus_host, "127.0.0.1");
    assert_int_equal(config->persists[0].bus_port, 8);
    assert_int_equal(config->persists[0].cpu, CONFIG_CPU_NONE);
    assert_ptr_equal(config_persist_find(config, "p1"), &config->persists[1]);
    assert_int_equal(config->persists[1].cpu, 3);
    assert_string_equal(config->persists[1].http, "[::1]:9");
    assert_true(config->persist.journal_bytes_max == (uint64_t)1 << 39);
    assert_string_equal(config->persist.journal_dir, "/var/lib/my journal");
    config_free(config);
}

static void test_config_mistakes_in_persists_are_named(void **state) {
    (void)state;
    expect_error(PREFIX "persists: []\n", "c.yaml:4: persists: expected a list of 1 to 16 entries, found a list of 0");
    expect_error(PREFIX "persists: [{name: z}]\n",
                 "c.yaml:4: persists[0].name: expected a name used once, found \"z\" again");
    expect_error(PREFIX "persists: [{name: p}, {name: p}]\n",
                 "c.yaml:4: persists[1].name: expected a name used once, found \"p\" again");
    expect_error(PREFIX "persists: [{name: postgres}]\n",
                 "c.yaml:4: persists[0].name: expected a name of its own, found \"postgres\", which zonectl uses");
    expect_error(PREFIX "persists: [{name: p, bus_port: 7}]\n",
                 "c.yaml:4: persists[0].bus_port: expected a port used once on 127.0.0.1, found 7 again");
    expect_error(PREFIX "bus: {transport: tcp}\npersists:\n- {name: p}\n",
                 "c.yaml:6: persists[0].bus_port: missing, expected an integer from 1 to 65535 where bus.transport is tcp");
    expect_error(
        PREFIX "persist:\n  journal_bytes_max: 0x7ffffff\n  journal_segment_bytes: 0x2000000\n",
        "c.yaml:5: persist.journal_bytes_max: expected at least 4 * journal_segment_bytes = 134217728, found 134217727");
    expect_error(PREFIX "persist:\n  journal_segment_bytes: 0x200001\n",
                 "c.yaml:5: persist.journal_segment_bytes: expected a multiple of 4096, found 2097153");
    expect_error(PREFIX "persist: {journal_dir: []}\n",
                 "c.yaml:4: persist.journal_dir: expected the path of a folder, at most 511 bytes, found a list of 0");
    expect_error(PREFIX "persist: {report_ms: 99}\n",
                 "c.yaml:4: persist.report_ms: expected an integer from 100 to 1000, found \"99\"");
    expect_error(PREFIX "persist: {guild_window_ms: 0}\n",
                 "c.yaml:4: persist.guild_window_ms: expected an integer from 1 to 1000, found \"0\"");
}

static void test_config_balance_merges_only_what_it_would_not_split_again(void **state) {
    (void)state;
    char text[YAML_FIXTURE_TEXT_SIZE];
    static const struct {
        const char *lines, *error;
    } table[] = {
        {"matchmaker: {name: m, balance: true}", NULL},
        {"matchmaker: {name: m, split_percent: 50, merge_percent: 49}", NULL},
        {"matchmaker: {name: m, split_percent: 50, merge_percent: 50}",
         "c.yaml:23: matchmaker.merge_percent: expected less than split_percent = 50, found 50"},
        {"matchmaker: {name: m, split_percent: 20}",
         "c.yaml:23: matchmaker.merge_percent: expected less than split_percent = 20, found 25"},
        {"matchmaker: {name: m, split_min_m: 15}",
         "c.yaml:23: matchmaker.split_min_m: expected an integer from 16 to 32767, found \"15\""},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        yaml_compose(&GOOD_TEXT, text, 0, NULL);
        strcat(text, table[i].lines);
        if (table[i].error) {
            expect_error(text, table[i].error);
            continue;
        }
        struct config *config = parse_good(text);
        assert_int_equal(config->matchmaker.balance, i == 0);
        assert_int_equal(config->matchmaker.balance_hold_s, 10);
        assert_int_equal(config->matchmaker.balance_pause_s, 30);
        assert_int_equal(config->matchmaker.split_min_m, 128);
        config_free(config);
    }
}

#define FRONT(rest) "matchmaker: {name: m, front: {" rest "}}"

static void test_config_front_door_is_open_to_whom_it_says(void **state) {
    (void)state;
    char text[YAML_FIXTURE_TEXT_SIZE];
    static const struct {
        const char *line;
        const char *error; /* NULL: good */
    } cases[] = {
        {FRONT("address: \"127.0.0.1:0\", auth: dev"), NULL},
        {FRONT("address: \"[::1]:0\", auth: dev"), NULL},
        {FRONT("address: \"0.0.0.0:443\", auth: ed25519, keys: [a.pem, ../b.pem]"), NULL},
        {FRONT("address: \"0.0.0.0:443\", auth: hmac, keys: [k], issuer: \"https://a.b\", audience: world"), NULL},
        {FRONT("address: \"0.0.0.0:0\", auth: dev"),
         "c.yaml:23: matchmaker.front.address: expected one of this machine alone where auth is dev, found \"0.0.0.0:0\""},
        {FRONT("address: \"127.0.0.1:0\", auth: dev, keys: [k]"),
         "c.yaml:23: matchmaker.front.keys: expected none where auth is dev, found some"},
        {FRONT("address: \"127.0.0.1:0\", auth: hmac"),
         "c.yaml:23: matchmaker.front.keys: missing, expected at least one where auth is not dev"},
        {FRONT("address: \"127.0.0.1:0\", auth: hmac, keys: [a, b, c, d, e]"),
         "c.yaml:23: matchmaker.front.keys: expected a list of 1 to 4 entries, found a list of 5"},
        {FRONT("address: \"127.0.0.1:0\""), "c.yaml:23: matchmaker.front.auth: missing, expected one of dev, ed25519, hmac"},
        {FRONT("auth: dev"),
         "c.yaml:23: matchmaker.front.address: missing, expected an address like \"127.0.0.1:0\" or \"[::1]:0\""},
        {FRONT("address: \"127.0.0.1:0\", auth: hmac, keys: [k], issuer: \"\\u00e9\""),
         "c.yaml:23: matchmaker.front.issuer: expected printable ASCII, at most 127 bytes, found \"\u00e9\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        yaml_compose(&GOOD_TEXT, text, 0, NULL);
        strcat(text, cases[i].line);
        if (cases[i].error) {
            expect_error(text, cases[i].error);
            continue;
        }
        struct config *config = parse_good(text);
        assert_true(config_has_front(config));
        assert_int_equal(config->matchmaker.front.auth, i < 2 ? CONFIG_AUTH_DEV : i - 1);
        if (i == 2) assert_string_equal(config->matchmaker.front.key_files[1], "../b.pem");
        assert_string_equal(config->matchmaker.front.issuer, i == 3 ? "https://a.b" : "");
        config_free(config);
    }
    yaml_compose(&GOOD_TEXT, text, 0, NULL);
    struct config *config = parse_good(text);
    assert_false(config_has_front(config));
    config_free(config);
}

static void test_config_map_is_found_beside_the_configuration(void **state) {
    (void)state;
    char out[PATH_MAX], expected[PATH_MAX], error[CONFIG_ERROR_SIZE] = "";
    struct config *config = parse_good(PREFIX "world: {map: '../my maps/a.map'}\n");
    assert_string_equal(config->world.map, "../my maps/a.map");
    config_free(config);
    config = parse_good(PREFIX);
    assert_string_equal(config->world.map, "");
    config_free(config);
    expect_error(PREFIX "world: {map: [a]}\n",
                 "c.yaml:4: world.map: expected the path of a file, at most 511 bytes, found a list of 1");
    assert_int_equal(config_beside("deploy/config/cluster.yaml", "../a.map", out, sizeof out, error, sizeof error), 0);
    assert_non_null(realpath("deploy/config", expected));
    assert_memory_equal(out, expected, strlen(expected));
    assert_string_equal(out + strlen(expected), "/../a.map");
    assert_int_equal(config_beside("no/such.yaml", "/maps/a.map", out, sizeof out, error, sizeof error), 0);
    assert_string_equal(out, "/maps/a.map");
    assert_int_equal(config_beside("no/such.yaml", "a.map", out, sizeof out, error, sizeof error), MARCH_ERR_SYSTEM);
    assert_string_equal(error, "no/such.yaml: cannot find: No such file or directory");
    assert_int_equal(config_beside("/", "/maps/a.map", out, 11, error, sizeof error), MARCH_ERR_INVALID);
    assert_string_equal(error, "/maps/a.map: path too long");
}

#define INSTANCES(keys) "matchmaker: {name: m, modes: modes}\ninstances: {" keys "}"

static void test_config_instances_have_room_and_somebody_to_give_them(void **state) {
    (void)state;
    char text[YAML_FIXTURE_TEXT_SIZE];
    static const struct {
        const char *lines;
        const char *error; /* NULL: good */
    } cases[] = {
        {INSTANCES("blocks: 8, cells: 1024, side_m: 16"), NULL},
        {INSTANCES("blocks: 3, cells: 1024, side_m: 512, templates: a/b"), NULL},
        {"instances: {cells: 2}", NULL}, /* of no blocks */
        {"instances: {blocks: 1}",
         "c.yaml:23: instances.blocks: expected 0 where there is no matchmaker, which gives them to "
         "zones, found 1"},
        {INSTANCES("blocks: 4, cells: 1024, side_m: 512"),
         "c.yaml:24: instances.blocks: expected at most 3, which is what has room beside the world, found 4"},
        {INSTANCES("blocks: 9"), "c.yaml:24: instances.blocks: expected an integer from 0 to 8, found \"9\""},
        {INSTANCES("cells: 0"), "c.yaml:24: instances.cells: expected an integer from 1 to 1024, found \"0\""},
        {INSTANCES("side_m: 513"), "c.yaml:24: instances.side_m: expected an integer from 16 to 512, found \"513\""},
        {INSTANCES("think_us: 100001"),
         "c.yaml:24: instances.think_us: expected an integer from 0 to 100000, found \"100001\""},
        {INSTANCES("slots: 1"), "c.yaml:24: instances.slots: unknown key, expected one of blocks, cells, side_m, "
                                "think_us, templates"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        yaml_compose(&GOOD_TEXT, text, 0, NULL);
        strcat(text, cases[i].lines);
        if (cases[i].error)
            expect_error(text, cases[i].error);
        else
            config_free(parse_good(text));
    }
}

static void test_config_instances_are_none_when_left_out(void **state) {
    (void)state;
    char text[YAML_FIXTURE_TEXT_SIZE];
    yaml_compose(&GOOD_TEXT, text, 0, NULL);
    struct config *config = parse_good(text);
    assert_int_equal(config->instances.blocks, 0);
    assert_int_equal(config->instances.cells, 256);
    assert_int_equal(config->instances.side_m, 128);
    assert_string_equal(config->instances.templates, "");
    assert_string_equal(config->matchmaker.modes, "");
    config_free(config);
    strcat(text, INSTANCES("blocks: 2, cells: 5, templates: a/b"));
    config = parse_good(text);
    assert_int_equal(config->instances.blocks, 2);
    assert_int_equal(config->instances.cells, 5);
    assert_string_equal(config->instances.templates, "a/b");
    assert_string_equal(config->matchmaker.modes, "modes");
    config_free(config);
}

static void test_config_shipped_file_loads(void **state) {
    (void)state;
    char error[CONFIG_ERROR_SIZE] = "";
    struct config *config;
    if (config_load("deploy/config/cluster.yaml", &config, error, sizeof error) != 0) fail_msg("%s", error);
    assert_int_equal(config->gateways_count, 1);
    assert_int_equal(config->zones_count, 6);
    assert_true(config_zone_is_spare(&config->zones[4]) && config_zone_is_spare(&config->zones[5]));
    assert_int_equal(config->instances.blocks, 1);
    assert_string_equal(config->matchmaker.name, "matchmaker-0");
    assert_int_equal(config->persists_count, 1);
    assert_int_equal(config->world.tick_hz, 60);
    config_free(config);
}

static void test_config_missing_file_is_named(void **state) {
    (void)state;
    char error[CONFIG_ERROR_SIZE] = "";
    struct config *config;
    assert_int_equal(config_load("no/such.yaml", &config, error, sizeof error), MARCH_ERR_NOT_FOUND);
    assert_string_equal(error, "no/such.yaml: cannot open: No such file or directory");
    assert_null(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_good_text_is_filled_with_values_and_defaults),
        cmocka_unit_test(test_config_mistakes_are_named_by_line_and_key),
        cmocka_unit_test(test_config_whole_texts_that_are_none_are_refused),
        cmocka_unit_test(test_config_most_zones_that_only_touch_load),
        cmocka_unit_test(test_config_edges_of_ranges_are_good),
        cmocka_unit_test(test_config_doubled_bus_port_is_refused),
        cmocka_unit_test(test_config_without_persists_has_none_and_defaults),
        cmocka_unit_test(test_config_persists_are_filled_in_order),
        cmocka_unit_test(test_config_mistakes_in_persists_are_named),
        cmocka_unit_test(test_config_balance_merges_only_what_it_would_not_split_again),
        cmocka_unit_test(test_config_front_door_is_open_to_whom_it_says),
        cmocka_unit_test(test_config_map_is_found_beside_the_configuration),
        cmocka_unit_test(test_config_instances_have_room_and_somebody_to_give_them),
        cmocka_unit_test(test_config_instances_are_none_when_left_out),
        cmocka_unit_test(test_config_shipped_file_loads),
        cmocka_unit_test(test_config_missing_file_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
