/* config.c: see config.h.
 *
 * yaml_load fills the structs by the schema and the rules below; here is what it asks then: relations between values. A new
 * key is a field in config.h, a line in a schema and a line in RULES here.
 */
#include "common/config.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/blocks.h"
#include "common/yaml_load.h"

#define METRES_MIN CONFIG_METRES_MIN
#define METRES_MAX CONFIG_METRES_MAX

#define NEEDED   CYAML_FLAG_DEFAULT
#define OPTIONAL CYAML_FLAG_OPTIONAL
#define LIST     CYAML_FLAG_POINTER

/* --- which keys there are, and of what type */

static const cyaml_strval_t IO_NAMES[] = {
    {"auto", CONFIG_IO_AUTO}, {"io_uring", CONFIG_IO_URING}, {"epoll", CONFIG_IO_EPOLL}};

static const cyaml_strval_t TRANSPORT_NAMES[] = {{"ipc", CONFIG_TRANSPORT_IPC}, {"tcp", CONFIG_TRANSPORT_TCP}};

static const cyaml_strval_t AUTH_NAMES[] = {
    {"dev", CONFIG_AUTH_DEV}, {"ed25519", CONFIG_AUTH_ED25519}, {"hmac", CONFIG_AUTH_HMAC}};

static const cyaml_schema_value_t FILE_NAME = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, CONFIG_FILE_SIZE - 1)};
static const cyaml_schema_value_t ADDRESS = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, CONFIG_ADDRESS_SIZE - 1)};

static const cyaml_schema_field_t CLUSTER_FIELDS[] = {
    CYAML_FIELD_STRING("name", OPTIONAL, struct config_cluster, name, 1),
    CYAML_FIELD_UINT("protocol_id", NEEDED, struct config_cluster, protocol_id),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t GATEWAY_FIELDS[] = {
    CYAML_FIELD_STRING("name", NEEDED, struct config_gateway, name, 1),
    CYAML_FIELD_SEQUENCE_COUNT("listen", LIST, struct config_gateway, listen_addresses, listen_count, &ADDRESS, 1,
                               CONFIG_ADDRESSES_MAX),
    CYAML_FIELD_SEQUENCE_COUNT("public", LIST | OPTIONAL, struct config_gateway, public_addresses, public_count, &ADDRESS, 1,
                               CONFIG_ADDRESSES_MAX),
    CYAML_FIELD_STRING("http", OPTIONAL, struct config_gateway, http, 1),
    CYAML_FIELD_UINT("max_clients", OPTIONAL, struct config_gateway, max_clients),
    CYAML_FIELD_INT("cpu", OPTIONAL, struct config_gateway, cpu),
    CYAML_FIELD_ENUM("io", OPTIONAL | CYAML_FLAG_STRICT, struct config_gateway, io, IO_NAMES, CONFIG_IO_COUNT),
    CYAML_FIELD_STRING("region", OPTIONAL, struct config_gateway, region, 1),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t RECT_FIELDS[] = {
    CYAML_FIELD_INT("x_m", NEEDED, struct config_rect, x_m),
    CYAML_FIELD_INT("y_m", NEEDED, struct config_rect, y_m),
    CYAML_FIELD_INT("width_m", NEEDED, struct config_rect, width_m),
    CYAML_FIELD_INT("height_m", NEEDED, struct config_rect, height_m),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t ZONE_FIELDS[] = {
    CYAML_FIELD_STRING("name", NEEDED, struct config_zone, name, 1),
    CYAML_FIELD_MAPPING("rect", OPTIONAL, struct config_zone, rect, RECT_FIELDS),
    CYAML_FIELD_UINT("seed", OPTIONAL, struct config_zone, seed),
    CYAML_FIELD_UINT("creatures", OPTIONAL, struct config_zone, creatures),
    CYAML_FIELD_UINT("max_players", OPTIONAL, struct config_zone, max_players),
    CYAML_FIELD_UINT("max_entities", OPTIONAL, struct config_zone, max_entities),
    CYAML_FIELD_INT("cpu", OPTIONAL, struct config_zone, cpu),
    CYAML_FIELD_BOOL("spin", OPTIONAL, struct config_zone, spin),
    CYAML_FIELD_STRING("region", OPTIONAL, struct config_zone, region, 1),
    CYAML_FIELD_STRING("http", OPTIONAL, struct config_zone, http, 1),
    CYAML_FIELD_STRING("bus_host", OPTIONAL, struct config_zone, bus_host, 1),
    CYAML_FIELD_UINT("bus_port", OPTIONAL, struct config_zone, bus_port),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t PERSIST_FIELDS[] = {
    CYAML_FIELD_STRING("name", NEEDED, struct config_persist, name, 1),
    CYAML_FIELD_STRING("http", OPTIONAL, struct config_persist, http, 1),
    CYAML_FIELD_INT("cpu", OPTIONAL, struct config_persist, cpu),
    CYAML_FIELD_STRING("bus_host", OPTIONAL, struct config_persist, bus_host, 1),
    CYAML_FIELD_UINT("bus_port", OPTIONAL, struct config_persist, bus_port),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t PERSISTENCE_FIELDS[] = {
    CYAML_FIELD_UINT("report_ms", OPTIONAL, struct config_persistence, report_ms),
    CYAML_FIELD_UINT("flush_ms", OPTIONAL, struct config_persistence, flush_ms),
    CYAML_FIELD_UINT("hot_ms", OPTIONAL, struct config_persistence, hot_ms),
    CYAML_FIELD_UINT("journal_bytes_max", OPTIONAL, struct config_persistence, journal_bytes_max),
    CYAML_FIELD_UINT("journal_segment_bytes", OPTIONAL, struct config_persistence, journal_segment_bytes),
    CYAML_FIELD_STRING("journal_dir", OPTIONAL, struct config_persistence, journal_dir, 0),
    CYAML_FIELD_UINT("session_ttl_s", OPTIONAL, struct config_persistence, session_ttl_s),
    CYAML_FIELD_UINT("idempotency_keep_h", OPTIONAL, struct config_persistence, idempotency_keep_h),
    CYAML_FIELD_UINT("events_keep_days", OPTIONAL, struct config_persistence, events_keep_days),
    CYAML_FIELD_UINT("season", OPTIONAL, struct config_persistence, season),
    CYAML_FIELD_UINT("guild_window_ms", OPTIONAL, struct config_persistence, guild_window_ms),
    CYAML_FIELD_UINT("cache_entries_max", OPTIONAL, struct config_persistence, cache_entries_max),
    CYAML_FIELD_UINT("cache_ttl_ms", OPTIONAL, struct config_persistence, cache_ttl_ms),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t FRONT_FIELDS[] = {
    CYAML_FIELD_STRING("address", NEEDED, struct config_front, address, 1),
    CYAML_FIELD_ENUM("auth", NEEDED | CYAML_FLAG_STRICT, struct config_front, auth, AUTH_NAMES, CONFIG_AUTH_COUNT),
    CYAML_FIELD_SEQUENCE_COUNT("keys", LIST | OPTIONAL, struct config_front, key_files, key_count, &FILE_NAME, 1,
                               CONFIG_KEYS_MAX),
    CYAML_FIELD_STRING("issuer", OPTIONAL, struct config_front, issuer, 0),
    CYAML_FIELD_STRING("audience", OPTIONAL, struct config_front, audience, 0),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t MATCHMAKER_FIELDS[] = {
    CYAML_FIELD_STRING("name", NEEDED, struct config_matchmaker, name, 1),
    CYAML_FIELD_STRING("http", OPTIONAL, struct config_matchmaker, http, 1),
    CYAML_FIELD_INT("cpu", OPTIONAL, struct config_matchmaker, cpu),
    CYAML_FIELD_STRING("bus_host", OPTIONAL, struct config_matchmaker, bus_host, 1),
    CYAML_FIELD_UINT("bus_port", OPTIONAL, struct config_matchmaker, bus_port),
    CYAML_FIELD_UINT("reconnect_ms", OPTIONAL, struct config_matchmaker, reconnect_ms),
    CYAML_FIELD_UINT("silence_ms", OPTIONAL, struct config_matchmaker, silence_ms),
    CYAML_FIELD_BOOL("balance", OPTIONAL, struct config_matchmaker, balance),
    CYAML_FIELD_UINT("split_percent", OPTIONAL, struct config_matchmaker, split_percent),
    CYAML_FIELD_UINT("merge_percent", OPTIONAL, struct config_matchmaker, merge_percent),
    CYAML_FIELD_UINT("balance_hold_s", OPTIONAL, struct config_matchmaker, balance_hold_s),
    CYAML_FIELD_UINT("balance_pause_s", OPTIONAL, struct config_matchmaker, balance_pause_s),
    CYAML_FIELD_UINT("split_min_m", OPTIONAL, struct config_matchmaker, split_min_m),
    CYAML_FIELD_MAPPING("front", OPTIONAL, struct config_matchmaker, front, FRONT_FIELDS),
    CYAML_FIELD_STRING("modes", OPTIONAL, struct config_matchmaker, modes, 0),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t INSTANCES_FIELDS[] = {
    CYAML_FIELD_UINT("blocks", OPTIONAL, struct config_instances, blocks),
    CYAML_FIELD_UINT("cells", OPTIONAL, struct config_instances, cells),
    CYAML_FIELD_UINT("side_m", OPTIONAL, struct config_instances, side_m),
    CYAML_FIELD_UINT("think_us", OPTIONAL, struct config_instances, think_us),
    CYAML_FIELD_STRING("templates", OPTIONAL, struct config_instances, templates, 0),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t WORLD_FIELDS[] = {
    CYAML_FIELD_UINT("tick_hz", OPTIONAL, struct config_world, tick_hz),
    CYAML_FIELD_UINT("snapshot_hz", OPTIONAL, struct config_world, snapshot_hz),
    CYAML_FIELD_UINT("view_radius_m", OPTIONAL, struct config_world, view_radius_m),
    CYAML_FIELD_UINT("snapshot_budget_bytes", OPTIONAL, struct config_world, snapshot_budget_bytes),
    CYAML_FIELD_UINT("view_max", OPTIONAL, struct config_world, view_max),
    CYAML_FIELD_STRING("map", OPTIONAL, struct config_world, map, 0),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t BUS_FIELDS[] = {
    CYAML_FIELD_ENUM("transport", OPTIONAL | CYAML_FLAG_STRICT, struct config_bus, transport, TRANSPORT_NAMES,
                     CONFIG_TRANSPORT_COUNT),
    CYAML_FIELD_UINT("queue_bytes_max", OPTIONAL, struct config_bus, queue_bytes_max),
    CYAML_FIELD_UINT("flush_lead_us", OPTIONAL, struct config_bus, flush_lead_us),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t LIMITS_FIELDS[] = {
    CYAML_FIELD_UINT("prefix_packets_per_s", OPTIONAL, struct config_limits, prefix_packets_per_s),
    CYAML_FIELD_UINT("prefix_burst", OPTIONAL, struct config_limits, prefix_burst),
    CYAML_FIELD_UINT("player_packets_per_s", OPTIONAL, struct config_limits, player_packets_per_s),
    CYAML_FIELD_UINT("player_burst", OPTIONAL, struct config_limits, player_burst),
    CYAML_FIELD_UINT("connect_token_max_s", OPTIONAL, struct config_limits, connect_token_max_s),
    CYAML_FIELD_UINT("client_timeout_s", OPTIONAL, struct config_limits, client_timeout_s),
    CYAML_FIELD_UINT("link_dead_s", OPTIONAL, struct config_limits, link_dead_s),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t DEV_FIELDS[] = {
    CYAML_FIELD_UINT("bots", OPTIONAL, struct config_dev, bots),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t GATEWAY = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_gateway, GATEWAY_FIELDS)};
static const cyaml_schema_value_t ZONE = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_zone, ZONE_FIELDS)};
static const cyaml_schema_value_t PERSIST = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_persist, PERSIST_FIELDS)};

static const cyaml_schema_field_t CONFIG_FIELDS[] = {
    CYAML_FIELD_MAPPING("cluster", NEEDED, struct config, cluster, CLUSTER_FIELDS),
    CYAML_FIELD_SEQUENCE("gateways", LIST, struct config, gateways, &GATEWAY, 1, CONFIG_GATEWAYS_MAX),
    CYAML_FIELD_SEQUENCE("zones", LIST, struct config, zones, &ZONE, 1, CONFIG_ZONES_MAX),
    CYAML_FIELD_SEQUENCE("persists", LIST | OPTIONAL, struct config, persists, &PERSIST, 1, CONFIG_PERSISTS_MAX),
    CYAML_FIELD_MAPPING("persist", OPTIONAL, struct config, persist, PERSISTENCE_FIELDS),
    CYAML_FIELD_MAPPING("matchmaker", OPTIONAL, struct config, matchmaker, MATCHMAKER_FIELDS),
    CYAML_FIELD_MAPPING("instances", OPTIONAL, struct config, instances, INSTANCES_FIELDS),
    CYAML_FIELD_MAPPING("world", OPTIONAL, struct config, world, WORLD_FIELDS),
    CYAML_FIELD_MAPPING("bus", OPTIONAL, struct config, bus, BUS_FIELDS),
    CYAML_FIELD_MAPPING("limits", OPTIONAL, struct config, limits, LIMITS_FIELDS),
    CYAML_FIELD_MAPPING("dev", OPTIONAL, struct config, dev, DEV_FIELDS),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t CONFIG = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct config, CONFIG_FIELDS)};

/* --- ranges and defaults */

#define NAME_RULE(path, text)                                                                                               \
    { path, YAML_FORM_NAME, 1, CONFIG_NAME_SIZE - 1, 0, text }
#define ADDRESS_RULE(path, text)                                                                                            \
    { path, YAML_FORM_ADDRESS, 1, CONFIG_ADDRESS_SIZE - 1, 0, text }
#define HOST_RULE(path, text)                                                                                               \
    { path, YAML_FORM_HOST, 1, CONFIG_ADDRESS_SIZE - 1, 0, text }
#define FOLDER_RULE(path)                                                                                                   \
    { path, YAML_FORM_FOLDER, 0, CONFIG_FOLDER_SIZE - 1, 0, NULL }
#define FILE_RULE(path)                                                                                                     \
    { path, YAML_FORM_FILE, 0, CONFIG_FILE_SIZE - 1, 0, NULL }
#define TEXT_RULE(path)                                                                                                     \
    { path, YAML_FORM_TEXT, 0, CONFIG_TEXT_SIZE - 1, 0, NULL }
#define INTEGER_RULE(path, min, max, fallback)                                                                              \
    { path, YAML_FORM_INTEGER, min, max, fallback, NULL }

static const struct yaml_rule RULES[] = {
    NAME_RULE("cluster.name", "marchland"),
    INTEGER_RULE("cluster.protocol_id", 1, UINT64_MAX, 0),
    NAME_RULE("gateways[].name", NULL),
    ADDRESS_RULE("gateways[].listen[]", NULL),
    ADDRESS_RULE("gateways[].public[]", NULL),
    ADDRESS_RULE("gateways[].http", "127.0.0.1:0"),
    INTEGER_RULE("gateways[].max_clients", 1, 65535, 12000),
    INTEGER_RULE("gateways[].cpu", CONFIG_CPU_NONE, 1023, CONFIG_CPU_NONE),
    NAME_RULE("gateways[].region", "main"),
    NAME_RULE("zones[].name", NULL),
    INTEGER_RULE("zones[].rect.x_m", METRES_MIN, METRES_MAX - 1, 0),
    INTEGER_RULE("zones[].rect.y_m", METRES_MIN, METRES_MAX - 1, 0),
    INTEGER_RULE("zones[].rect.width_m", 1, METRES_MAX, 0),
    INTEGER_RULE("zones[].rect.height_m", 1, METRES_MAX, 0),
    INTEGER_RULE("zones[].seed", 0, UINT64_MAX, 1),
    INTEGER_RULE("zones[].creatures", 0, CONFIG_ENTITIES_MAX, 200),
    INTEGER_RULE("zones[].max_players", 1, 16384, 3000),
    INTEGER_RULE("zones[].max_entities", 16, CONFIG_ENTITIES_MAX, 8192),
    INTEGER_RULE("zones[].cpu", CONFIG_CPU_NONE, 1023, CONFIG_CPU_NONE),
    NAME_RULE("zones[].region", ""),
    ADDRESS_RULE("zones[].http", "127.0.0.1:0"),
    HOST_RULE("zones[].bus_host", "127.0.0.1"),
    INTEGER_RULE("zones[].bus_port", 1, 65535, 0),
    NAME_RULE("persists[].name", NULL),
    ADDRESS_RULE("persists[].http", "127.0.0.1:0"),
    INTEGER_RULE("persists[].cpu", CONFIG_CPU_NONE, 1023, CONFIG_CPU_NONE),
    HOST_RULE("persists[].bus_host", "127.0.0.1"),
    INTEGER_RULE("persists[].bus_port", 1, 65535, 0),
    INTEGER_RULE("persist.report_ms", 100, 1000, 200),
    INTEGER_RULE("persist.flush_ms", 100, 60000, 5000),
    INTEGER_RULE("persist.hot_ms", 100, 60000, 1000),
    INTEGER_RULE("persist.journal_bytes_max", CONFIG_JOURNAL_BYTES_MIN, CONFIG_JOURNAL_BYTES_MAX, 1 << 30),
    INTEGER_RULE("persist.journal_segment_bytes", CONFIG_SEGMENT_BYTES_MIN, CONFIG_SEGMENT_BYTES_MAX, 64 << 20),
    FOLDER_RULE("persist.journal_dir"),
    INTEGER_RULE("persist.session_ttl_s", 15, 3600, 30),
    INTEGER_RULE("persist.idempotency_keep_h", 1, 8760, 24),
    INTEGER_RULE("persist.events_keep_days", 1, 3650, 30),
    INTEGER_RULE("persist.season", 1, 1000000, 1),
    INTEGER_RULE("persist.guild_window_ms", 1, 1000, 100),
    INTEGER_RULE("persist.cache_entries_max", 16, 10000000, 100000),
    INTEGER_RULE("persist.cache_ttl_ms", 1, 3600000, 30000),
    NAME_RULE("matchmaker.name", ""),
    ADDRESS_RULE("matchmaker.http", "127.0.0.1:0"),
    INTEGER_RULE("matchmaker.cpu", CONFIG_CPU_NONE, 1023, CONFIG_CPU_NONE),
    HOST_RULE("matchmaker.bus_host", "127.0.0.1"),
    INTEGER_RULE("matchmaker.bus_port", 1, 65535, 0),
    INTEGER_RULE("matchmaker.reconnect_ms", 0, 60000, 200),
    INTEGER_RULE("matchmaker.silence_ms", 200, 60000, 500),
    INTEGER_RULE("matchmaker.split_percent", 2, 100, 80),
    INTEGER_RULE("matchmaker.merge_percent", 1, 99, 25),
    INTEGER_RULE("matchmaker.balance_hold_s", 1, 3600, 10),
    INTEGER_RULE("matchmaker.balance_pause_s", 1, 3600, 30),
    INTEGER_RULE("matchmaker.split_min_m", 16, METRES_MAX, 128),
    ADDRESS_RULE("matchmaker.front.address", NULL),
    FILE_RULE("matchmaker.front.keys[]"),
    TEXT_RULE("matchmaker.front.issuer"),
    TEXT_RULE("matchmaker.front.audience"),
    FOLDER_RULE("matchmaker.modes"),
    INTEGER_RULE("instances.blocks", 0, CONFIG_BLOCKS_MAX, 0),
    INTEGER_RULE("instances.cells", 1, CONFIG_CELLS_MAX, 256),
    INTEGER_RULE("instances.side_m", 16, 512, 128),
    INTEGER_RULE("instances.think_us", 0, 100000, 500),
    FOLDER_RULE("instances.templates"),
    INTEGER_RULE("world.tick_hz", 10, 120, 60),
    INTEGER_RULE("world.snapshot_hz", 1, 120, 20),
    INTEGER_RULE("world.view_radius_m", 1, CONFIG_VIEW_RADIUS_M_MAX, 40),
    INTEGER_RULE("world.snapshot_budget_bytes", CONFIG_SNAPSHOT_BYTES_MIN, CONFIG_SNAPSHOT_BYTES_MAX, 1100),
    INTEGER_RULE("world.view_max", 16, CONFIG_VIEW_MAX, 1024),
    FILE_RULE("world.map"),
    INTEGER_RULE("bus.queue_bytes_max", 65536, 1 << 30, 8 << 20),
    INTEGER_RULE("bus.flush_lead_us", 0, 10000, 2000),
    INTEGER_RULE("limits.prefix_packets_per_s", 1, 100000000, 20000),
    INTEGER_RULE("limits.prefix_burst", 1, 100000000, 40000),
    INTEGER_RULE("limits.player_packets_per_s", 1, 100000, 120),
    INTEGER_RULE("limits.player_burst", 1, 100000, 240),
    INTEGER_RULE("limits.connect_token_max_s", 1, 3600, 30),
    INTEGER_RULE("limits.client_timeout_s", 1, 300, 10),
    INTEGER_RULE("limits.link_dead_s", 1, 3600, 30),
    INTEGER_RULE("dev.bots", 0, 20000, 200),
};

/* --- relations between values */

/* What the checks below work on. */
struct relations {
    const struct config *config;
    const struct yaml_node *root;
    struct yaml_relations *noted; /* what the first that failed found */
};

#define fail(r, node, ...) yaml_relations_fail((r)->noted, node, __VA_ARGS__)

#define ENTRY_ALONE     UINT32_MAX /* an index: not in a list */
#define ENTRY_PATH_SIZE 32

static const struct yaml_node *entry_child(const struct relations *r, const char *list, uint32_t index, const char *key) {
    const struct yaml_node *entry = yaml_child(r->root, list);
    if (index != ENTRY_ALONE) entry = yaml_entry(entry, index);
    const struct yaml_node *child = yaml_child(entry, key);
    return child ? child : entry;
}

/* An entry of one of the lists, or the matchmaker, each of which is a process. */
struct entry {
    const char *list;
    uint32_t index;
    const char *name;
};

/* entry_path writes what the file calls an entry: "zones[2]". */
static const char *entry_path(const char *list, uint32_t index, char path[ENTRY_PATH_SIZE]) {
    if (index == ENTRY_ALONE) {
        snprintf(path, ENTRY_PATH_SIZE, "%s", list);
    } else {
        snprintf(path, ENTRY_PATH_SIZE, "%s[%" PRIu32 "]", list, index);
    }
    return path;
}

static uint32_t entries_count(const struct config *config) {
    return config->gateways_count + config->zones_count + config->persists_count + config_has_matchmaker(config);
}

static struct entry entry_at(const struct config *config, uint32_t index) {
    if (index < config->gateways_count) return (struct entry){"gateways", index, config->gateways[index].name};
    index -= config->gateways_count;
    if (index < config->zones_count) return (struct entry){"zones", index, config->zones[index].name};
    index -= config->zones_count;
    if (index < config->persists_count) return (struct entry){"persists", index, config->persists[index].name};
    return (struct entry){"matchmaker", ENTRY_ALONE, config->matchmaker.name};
}

/* Names that other things in the run directory go by. */
static bool name_is_taken(const char *name) {
    static const char *const taken[] = {"bots", "cluster", "connect", "postgres", "redis", "zonectl"};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        if (strcmp(name, taken[i]) == 0) return true;
    return false;
}

/* Names are unique over all lists together, since each names a process. */
static int check_names(struct relations *r) {
    for (uint32_t i = 0; i < entries_count(r->config); i++) {
        struct entry entry = entry_at(r->config, i);
        char path[ENTRY_PATH_SIZE];
        entry_path(entry.list, entry.index, path);
        const struct yaml_node *node = entry_child(r, entry.list, entry.index, "name");
        if (name_is_taken(entry.name))
            return fail(r, node, "%s.name: expected a name of its own, found \"%s\", which zonectl uses", path, entry.name);
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(entry.name, entry_at(r->config, j).name) == 0)
                return fail(r, node, "%s.name: expected a name used once, found \"%s\" again", path, entry.name);
    }
    return 0;
}

static bool rects_overlap(const struct config_rect *a, const struct config_rect *b) {
    return a->x_m < b->x_m + b->width_m && b->x_m < a->x_m + a->width_m && a->y_m < b->y_m + b->height_m &&
           b->y_m < a->y_m + a->height_m;
}

static int check_rects(struct relations *r) {
    const struct config_zone *zones = r->config->zones;
    uint32_t partitions = 0;
    for (uint32_t i = 0; i < r->config->zones_count; i++) {
        if (config_zone_is_spare(&zones[i])) continue;
        partitions++;
        const struct config_rect *rect = &zones[i].rect;
        const struct yaml_node *node = entry_child(r, "zones", i, "rect");
        if (rect->x_m + rect->width_m > METRES_MAX || rect->y_m + rect->height_m > METRES_MAX)
            return fail(r, node, "zones[%" PRIu32 "].rect: expected to end at %d m or before, found %d, %d", i, METRES_MAX,
                        rect->x_m + rect->width_m, rect->y_m + rect->height_m);
        for (uint32_t j = 0; j < i; j++)
            if (!config_zone_is_spare(&zones[j]) && rects_overlap(rect, &zones[j].rect))
                return fail(r, node, "zones[%" PRIu32 "].rect: expected no overlap, found one with zones[%" PRIu32 "] (%s)",
                            i, j, zones[j].name);
    }
    const struct yaml_node *list = yaml_child(r->root, "zones");
    if (partitions == 0) return fail(r, list, "zones: expected at least one with a rect, found none");
    if (partitions < r->config->zones_count && !config_has_matchmaker(r->config))
        return fail(r, list, "zones: expected a rect of each where there is no matchmaker, which gives spares theirs");
    return 0;
}

static int check_zone_sizes(struct relations *r) {
    for (uint32_t i = 0; i < r->config->zones_count; i++) {
        const struct config_zone *zone = &r->config->zones[i];
        if (zone->creatures + zone->max_players > zone->max_entities)
            return fail(r, entry_child(r, "zones", i, "max_entities"),
                        "zones[%" PRIu32 "].max_entities: expected at least creatures + max_players = %" PRIu32
                        ", found %" PRIu32,
                        i, zone->creatures + zone->max_players, zone->max_entities);
    }
    return 0;
}

/* A region is what players have a way to: without a gateway of it there are no matches in it. */
static int check_regions(struct relations *r) {
    for (uint32_t i = 0; i < r->config->zones_count; i++) {
        const char *region = r->config->zones[i].region;
        bool is_known = region[0] == '\0';
        for (uint32_t j = 0; j < r->config->gateways_count; j++)
            is_known |= strcmp(r->config->gateways[j].region, region) == 0;
        if (!is_known)
            return fail(r, entry_child(r, "zones", i, "region"),
                        "zones[%" PRIu32 "].region: expected that of a gateway, found \"%s\"", i, region);
    }
    return 0;
}

/* Where an entry listens for its edges. */
struct bus_place {
    const char *list;
    uint32_t index;
    const char *host;
    uint32_t port;
};

static struct bus_place bus_place_at(const struct config *config, uint32_t index) {
    if (index < config->zones_count)
        return (struct bus_place){"zones", index, config->zones[index].bus_host, config->zones[index].bus_port};
    index -= config->zones_count;
    if (index < config->persists_count)
        return (struct bus_place){"persists", index, config->persists[index].bus_host, config->persists[index].bus_port};
    return (struct bus_place){"matchmaker", ENTRY_ALONE, config->matchmaker.bus_host, config->matchmaker.bus_port};
}

static int check_bus_ports(struct relations *r) {
    uint32_t count = r->config->zones_count + r->config->persists_count + config_has_matchmaker(r->config);
    for (uint32_t i = 0; i < count; i++) {
        struct bus_place place = bus_place_at(r->config, i);
        char path[ENTRY_PATH_SIZE];
        entry_path(place.list, place.index, path);
        const struct yaml_node *node = entry_child(r, place.list, place.index, "bus_port");
        if (r->config->bus.transport == CONFIG_TRANSPORT_TCP && place.port == 0)
            return fail(r, node, "%s.bus_port: missing, expected an integer from 1 to 65535 where bus.transport is tcp",
                        path);
        for (uint32_t j = 0; j < i; j++) {
            struct bus_place other = bus_place_at(r->config, j);
            if (place.port != 0 && place.port == other.port && strcmp(place.host, other.host) == 0)
                return fail(r, node, "%s.bus_port: expected a port used once on %s, found %" PRIu32 " again", path,
                            place.host, place.port);
        }
    }
    return 0;
}

/* A journal must be able to go on while what its first segments hold is written behind. */
static int check_journal(struct relations *r) {
    const struct config_persistence *persist = &r->config->persist;
    const struct yaml_node *node = yaml_child(r->root, "persist");
    const struct yaml_node *child = yaml_child(node, "journal_bytes_max");
    const struct yaml_node *segment = yaml_child(node, "journal_segment_bytes");
    if (persist->journal_segment_bytes % CONFIG_SEGMENT_BYTES_UNIT != 0)
        return fail(r, segment, "persist.journal_segment_bytes: expected a multiple of %d, found %" PRIu64,
                    CONFIG_SEGMENT_BYTES_UNIT, persist->journal_segment_bytes);
    if (persist->journal_bytes_max < 4 * persist->journal_segment_bytes)
        return fail(r, child ? child : node,
                    "persist.journal_bytes_max: expected at least 4 * journal_segment_bytes = %" PRIu64 ", found %" PRIu64,
                    4 * persist->journal_segment_bytes, persist->journal_bytes_max);
    return 0;
}

/* What was merged must not be split again at once. */
static int check_balance(struct relations *r) {
    const struct config_matchmaker *m = &r->config->matchmaker;
    const struct yaml_node *node = yaml_child(yaml_child(r->root, "matchmaker"), "merge_percent");
    if (!config_has_matchmaker(r->config) || m->merge_percent < m->split_percent) return 0;
    return fail(r, node ? node : yaml_child(r->root, "matchmaker"),
                "matchmaker.merge_percent: expected less than split_percent = %" PRIu32 ", found %" PRIu32, m->split_percent,
                m->merge_percent);
}

/* Whoever reaches a front door in dev mode may be any player. */
static int check_front(struct relations *r) {
    const struct config_front *front = &r->config->matchmaker.front;
    const struct yaml_node *node = yaml_child(yaml_child(r->root, "matchmaker"), "front");
    const struct yaml_node *keys = yaml_child(node, "keys");
    struct addr address;
    if (!config_has_front(r->config)) return 0;
    if (front->auth != CONFIG_AUTH_DEV) {
        if (front->key_count > 0) return 0;
        return fail(r, node, "matchmaker.front.keys: missing, expected at least one where auth is not dev");
    }
    if (keys) return fail(r, keys, "matchmaker.front.keys: expected none where auth is dev, found some");
    if (addr_parse(&address, front->address) == 0 && addr_is_loopback(&address)) return 0;
    return fail(r, yaml_child(node, "address"),
                "matchmaker.front.address: expected one of this machine alone where auth is dev, found \"%s\"",
                front->address);
}

static int check_rates(struct relations *r) {
    const struct config_world *world = &r->config->world;
    const struct yaml_node *node = yaml_child(r->root, "world");
    const struct yaml_node *rate = yaml_child(node, "snapshot_hz");
    if (world->tick_hz % world->snapshot_hz != 0)
        return fail(r, rate ? rate : node,
                    "world.snapshot_hz: expected a divisor of world.tick_hz = %" PRIu32 ", found %" PRIu32, world->tick_hz,
                    world->snapshot_hz);
    return 0;
}

/* Blocks are given to zones like parts of the world, and are beside it. */
static int check_instances(struct relations *r) {
    const struct config_instances *instances = &r->config->instances;
    const struct yaml_node *node = yaml_child(yaml_child(r->root, "instances"), "blocks");
    if (instances->blocks == 0) return 0;
    if (!config_has_matchmaker(r->config))
        return fail(r, node,
                    "instances.blocks: expected 0 where there is no matchmaker, which gives them to zones, found %" PRIu32,
                    instances->blocks);
    uint32_t room = blocks_room(r->config);
    if (instances->blocks <= room) return 0;
    return fail(r, node,
                "instances.blocks: expected at most %" PRIu32 ", which is what has room beside the world, found %" PRIu32,
                room, instances->blocks);
}

static int check_relations(struct yaml_relations *noted) {
    int (*const checks[])(struct relations *) = {check_names,     check_rects,    check_zone_sizes, check_regions,
                                                 check_bus_ports, check_journal,  check_rates,      check_balance,
                                                 check_front,     check_instances};
    struct relations relations = {.config = noted->data, .root = noted->root, .noted = noted};
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        int result = checks[i](&relations);
        if (result != 0) return result;
    }
    return 0;
}

/* --- loading */

static const struct yaml_format FORMAT = {
    &CONFIG, {RULES, sizeof RULES / sizeof RULES[0]}, CONFIG_FILE_BYTES_MAX, check_relations};

int config_parse(const char *path, const char *bytes, size_t len, struct config **out, char *error, size_t error_size) {
    void *data;
    int result = yaml_load(&FORMAT, path, bytes, len, &data, error, error_size);
    *out = data;
    return result;
}

int config_load(const char *path, struct config **out, char *error, size_t error_size) {
    void *data;
    int result = yaml_load_file(&FORMAT, path, &data, error, error_size);
    *out = data;
    return result;
}

int config_beside(const char *path, const char *name, char *out, size_t size, char *error, size_t error_size) {
    char *real = name[0] == '/' ? NULL : realpath(path, NULL);
    if (name[0] != '/' && !real) {
        snprintf(error, error_size, "%s: cannot find: %s", path, strerror(errno));
        return MARCH_ERR_SYSTEM;
    }
    int folder = real ? (int)(strrchr(real, '/') - real) + 1 : 0;
    int len = snprintf(out, size, "%.*s%s", folder, real ? real : "", name);
    free(real);
    if (len >= 0 && (size_t)len < size) return 0;
    snprintf(error, error_size, "%s: path too long", name);
    return MARCH_ERR_INVALID;
}

void config_free(struct config *config) {
    yaml_unload(&FORMAT, config);
}

const struct config_gateway *config_gateway_find(const struct config *config, const char *name) {
    for (uint32_t i = 0; i < config->gateways_count; i++)
        if (strcmp(config->gateways[i].name, name) == 0) return &config->gateways[i];
    return NULL;
}

const struct config_persist *config_persist_find(const struct config *config, const char *name) {
    for (uint32_t i = 0; i < config->persists_count; i++)
        if (strcmp(config->persists[i].name, name) == 0) return &config->persists[i];
    return NULL;
}

const struct config_zone *config_zone_find(const struct config *config, const char *name) {
    for (uint32_t i = 0; i < config->zones_count; i++)
        if (strcmp(config->zones[i].name, name) == 0) return &config->zones[i];
    return NULL;
}
