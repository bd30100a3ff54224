#include "common/edge_url.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/un.h>

#include "common/check.h"

int edge_url(const struct config *config, const char *run_dir, uint32_t zone_index, uint32_t gateway_index, char *url,
             size_t size) {
    CHECK(zone_index < config->zones_count && gateway_index < config->gateways_count);
    const struct config_zone *zone = &config->zones[zone_index];
    const struct config_gateway *gateway = &config->gateways[gateway_index];
    int len;
    if (config->bus.transport == CONFIG_TRANSPORT_IPC) {
        len = snprintf(url, size, "ipc://%s/ipc/%s.%s", run_dir, zone->name, gateway->name);
        struct sockaddr_un address;
        if (len >= (int)(sizeof address.sun_path + sizeof "ipc://" - 1)) return MARCH_ERR_FULL;
    } else {
        uint32_t port = zone->bus_port + gateway_index;
        if (port > 65535) return MARCH_ERR_INVALID;
        len = snprintf(url, size, "tcp://%s:%" PRIu32, zone->bus_host, port);
    }
    return len > 0 && (size_t)len < size ? 0 : MARCH_ERR_FULL;
}
