/* fuzz_config.c: any bytes as a configuration. Either they are refused with one line that names the file, or what was loaded
 * keeps the promises that processes rely on. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/addr.h"
#include "common/check.h"
#include "common/config.h"

static void check_refused(const char *error) {
    CHECK(strncmp(error, "fuzz.yaml:", 10) == 0);
    CHECK(strlen(error) > 12);
    for (const char *c = error; *c; c++) CHECK((unsigned char)*c >= 0x20 && *c != 0x7f);
}

static void check_gateway(const struct config_gateway *gateway) {
    struct addr address;
    CHECK(gateway->name[0] && gateway->listen_count >= 1 && gateway->listen_count <= CONFIG_ADDRESSES_MAX);
    for (uint32_t i = 0; i < gateway->listen_count; i++) CHECK(addr_parse(&address, gateway->listen_addresses[i]) == 0);
    CHECK(gateway->public_count <= CONFIG_ADDRESSES_MAX);
    CHECK(addr_parse(&address, gateway->http) == 0);
    CHECK(gateway->max_clients > 0 && gateway->cpu >= CONFIG_CPU_NONE && gateway->io < CONFIG_IO_COUNT);
}

static void check_zone(const struct config_zone *zone) {
    CHECK(zone->name[0] && zone->rect.width_m > 0 && zone->rect.height_m > 0);
    CHECK(zone->rect.x_m >= -32768 && zone->rect.x_m + zone->rect.width_m <= 32767);
    CHECK(zone->rect.y_m >= -32768 && zone->rect.y_m + zone->rect.height_m <= 32767);
    CHECK(zone->max_players > 0 && zone->creatures + zone->max_players <= zone->max_entities);
    CHECK(zone->cpu >= CONFIG_CPU_NONE && zone->bus_host[0]);
}

static void check_loaded(const struct config *config) {
    CHECK(config->cluster.protocol_id != 0);
    CHECK(config->gateways_count >= 1 && config->gateways_count <= CONFIG_GATEWAYS_MAX);
    CHECK(config->zones_count >= 1 && config->zones_count <= CONFIG_ZONES_MAX);
    for (uint32_t i = 0; i < config->gateways_count; i++) {
        check_gateway(&config->gateways[i]);
        CHECK(config_gateway_find(config, config->gateways[i].name) == &config->gateways[i]);
    }
    for (uint32_t i = 0; i < config->zones_count; i++) {
        check_zone(&config->zones[i]);
        CHECK(config_zone_find(config, config->zones[i].name) == &config->zones[i]);
    }
    const struct config_world *world = &config->world;
    CHECK(world->tick_hz >= 10 && world->snapshot_hz >= 1 && world->tick_hz % world->snapshot_hz == 0);
    CHECK(world->snapshot_budget_bytes >= CONFIG_SNAPSHOT_BYTES_MIN);
    CHECK(world->snapshot_budget_bytes <= CONFIG_SNAPSHOT_BYTES_MAX && config->bus.flush_lead_us <= 10000 &&
          config->limits.client_timeout_s > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    char error[CONFIG_ERROR_SIZE] = "";
    struct config *config;
    int result = config_parse("fuzz.yaml", (const char *)bytes, len, &config, error, sizeof error);
    if (result != 0) {
        CHECK(config == NULL);
        check_refused(error);
        return 0;
    }
    check_loaded(config);
    config_free(config);
    return 0;
}
