#include "common/edge_url.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/un.h>

#include "common/check.h"

/* Who listens where, and who dials as which of the listener's diallers. */
struct ends {
    const char *listener, *dialler, *host;
    uint32_t port, place;
};

static struct ends listener_of(const struct config *c, enum edge_kind kind, uint32_t index) {
    if (kind == EDGE_ZONE_GATEWAY || kind == EDGE_ZONE_ZONE) {
        CHECK(index < c->zones_count);
        const struct config_zone *zone = &c->zones[index];
        return (struct ends){.listener = zone->name, .host = zone->bus_host, .port = zone->bus_port};
    }
    if (kind == EDGE_MATCHMAKER_GATEWAY || kind == EDGE_MATCHMAKER_ZONE) {
        CHECK(index == 0 && config_has_matchmaker(c));
        const struct config_matchmaker *m = &c->matchmaker;
        return (struct ends){.listener = m->name, .host = m->bus_host, .port = m->bus_port};
    }
    CHECK(index < c->persists_count);
    const struct config_persist *persist = &c->persists[index];
    return (struct ends){.listener = persist->name, .host = persist->bus_host, .port = persist->bus_port};
}

static struct ends ends_of(const struct config *c, enum edge_kind kind, uint32_t listener, uint32_t dialler) {
    struct ends ends = listener_of(c, kind, listener);
    switch (kind) {
    case EDGE_ZONE_GATEWAY:
    case EDGE_PERSIST_GATEWAY:
    case EDGE_MATCHMAKER_GATEWAY:
        CHECK(dialler < c->gateways_count);
        ends.dialler = c->gateways[dialler].name;
        ends.place = dialler;
        break;
    case EDGE_ZONE_ZONE:
    case EDGE_PERSIST_ZONE:
    case EDGE_MATCHMAKER_ZONE:
        CHECK(dialler < c->zones_count && (kind != EDGE_ZONE_ZONE || dialler > listener));
        ends.dialler = c->zones[dialler].name;
        ends.place = c->gateways_count + dialler;
        break;
    case EDGE_PERSIST_PERSIST:
        CHECK(dialler < c->persists_count && dialler > listener);
        ends.dialler = c->persists[dialler].name;
        ends.place = c->gateways_count + c->zones_count + dialler;
        break;
    case EDGE_PERSIST_MATCHMAKER:
        CHECK(dialler == 0 && config_has_matchmaker(c));
        ends.dialler = c->matchmaker.name;
        ends.place = c->gateways_count + c->zones_count + c->persists_count;
        break;
    case EDGE_KIND_COUNT: CHECK(false);
    }
    return ends;
}

int edge_url(const struct config *config, const char *run_dir, enum edge_kind kind, uint32_t listener, uint32_t dialler,
             char *url, size_t size) {
    struct ends ends = ends_of(config, kind, listener, dialler);
    int len;
    if (config->bus.transport == CONFIG_TRANSPORT_IPC) {
        len = snprintf(url, size, "ipc://%s/ipc/%s.%s", run_dir, ends.listener, ends.dialler);
        struct sockaddr_un address;
        if (len >= (int)(sizeof address.sun_path + sizeof "ipc://" - 1)) return MARCH_ERR_FULL;
    } else {
        uint32_t port = ends.port + ends.place;
        if (port > 65535) return MARCH_ERR_INVALID;
        len = snprintf(url, size, "tcp://%s:%" PRIu32, ends.host, port);
    }
    return len > 0 && (size_t)len < size ? 0 : MARCH_ERR_FULL;
}
