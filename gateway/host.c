#include "gateway/host.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/edge_url.h"
#include "common/file.h"
#include "common/health.h"
#include "common/http.h"
#include "common/log.h"
#include "gateway/gateway.h"
#include "gateway/listen.h"
#include "gateway/report.h"

#define RECEIVE_BUFFERS 1024 /* 1.5 MB, so they stay in the cache; what is more waits in the sockets */

_Static_assert(CONFIG_ADDRESSES_MAX <= IO_SOCKETS_MAX && CONFIG_ADDRESSES_MAX <= NETCODE_SERVER_ADDRS_MAX, "all bound");
_Static_assert(CONFIG_ZONES_MAX <= SESSION_ROUTES_MAX, "a route to every zone");

struct host {
    const struct arguments *arguments;
    const struct config *config;
    const struct config_gateway *entry;
    uint32_t index;
    uint64_t start_s;
    struct listen listen;
    struct gateway *gateway;
    struct report *report;
    struct http *http;
    struct health health;
    char urls[CONFIG_ZONES_MAX][EDGE_URL_SIZE], keeper_urls[CONFIG_PERSISTS_MAX][EDGE_URL_SIZE], guide_url[EDGE_URL_SIZE];
    uint8_t cluster_key[FILE_KEY_BYTES];
};

/* --- files of the run directory */

static int run_path(const struct host *h, const char *name, const char *suffix, char path[PATH_MAX], char *error,
                    size_t error_size) {
    int len = snprintf(path, PATH_MAX, "%s/%s.%s", h->arguments->launch.run_dir, name, suffix);
    if (len > 0 && len < PATH_MAX) return 0;
    snprintf(error, error_size, "%s: path too long", h->arguments->launch.run_dir);
    return MARCH_ERR_INVALID;
}

static int publish(const struct host *h, const char *suffix, const char *text, char *error, size_t error_size) {
    char path[PATH_MAX];
    int result = run_path(h, h->entry->name, suffix, path, error, error_size);
    return result ? result : file_write(path, text, strlen(text), 0600, error, error_size);
}

static int read_key(const struct host *h, const char *name, uint8_t key[FILE_KEY_BYTES], char *error, size_t error_size) {
    char path[PATH_MAX];
    int result = run_path(h, name, "key", path, error, error_size);
    return result ? result : file_read_key(path, key, error, error_size);
}

/* --- the other gateways, for drain.h */

/* Those of one host publish their addresses in the run directory; those of others have them in the configuration. */
static unsigned addresses_of(void *context, unsigned gateway, struct addr addrs[CONFIG_ADDRESSES_MAX]) {
    const struct host *h = context;
    char path[PATH_MAX], error[HOST_ERROR_SIZE];
    if (gateway >= h->config->gateways_count) return 0;
    const struct config_gateway *entry = &h->config->gateways[gateway];
    unsigned count = 0;
    if (run_path(h, entry->name, "udp", path, error, sizeof error) == 0) count = listen_read(path, addrs);
    if (count > 0) return count;
    for (unsigned i = 0; i < entry->public_count; i++)
        if (addr_parse(&addrs[count], entry->public_addresses[i]) == 0) count++;
    return count;
}

/* --- from the cluster's configuration to the gateway's */

static int configure_netcode(struct host *h, struct netcode_server_config *netcode, char *error, size_t error_size) {
    const struct config_limits *limits = &h->config->limits;
    netcode_server_config_default(netcode);
    netcode->protocol_id = h->config->cluster.protocol_id;
    netcode->start_s = h->start_s;
    netcode->token_lifetime_s = limits->connect_token_max_s;
    netcode->timeout_max_s = limits->client_timeout_s;
    netcode->slots_max = h->entry->max_clients;
    netcode->reports_second_login = h->config->persists_count > 0;
    netcode->session_per_s = limits->player_packets_per_s;
    netcode->session_burst = limits->player_burst;
    netcode->limits.network_per_s = limits->prefix_packets_per_s;
    netcode->limits.network_burst = limits->prefix_burst;
    netcode->public_addr_count = h->listen.public_count;
    memcpy(netcode->public_addrs, h->listen.public_addrs, h->listen.public_count * sizeof(struct addr));
    randombytes_buf(netcode->secret, sizeof netcode->secret);
    return read_key(h, "connect", netcode->connect_key, error, error_size);
}

/* configure_bus fills the edge to a zone, persist or matchmaker of an index and a name. */
static int configure_bus(struct host *h, enum edge_kind kind, unsigned index, const char *peer_name, char *url,
                         struct bus_edge_config *bus, char *error, size_t error_size) {
    *bus = (struct bus_edge_config){.url = url,
                                    .role = BUS_DIAL,
                                    .peer_name = peer_name,
                                    .key = h->config->bus.transport == CONFIG_TRANSPORT_TCP ? h->cluster_key : NULL,
                                    .queue_max_bytes = h->config->bus.queue_bytes_max};
    int result = edge_url(h->config, h->arguments->launch.run_dir, kind, index, h->index, url, EDGE_URL_SIZE);
    if (result)
        snprintf(error, error_size, "no address for the edge to %s: the run directory's path is too long", peer_name);
    return result;
}

static int configure_buses(struct host *h, struct gateway_config *gateway, char *error, size_t error_size) {
    bool is_tcp = h->config->bus.transport == CONFIG_TRANSPORT_TCP;
    int result = is_tcp ? read_key(h, "cluster", h->cluster_key, error, error_size) : 0;
    gateway->route_count = h->config->zones_count;
    for (unsigned i = 0; result == 0 && i < gateway->route_count; i++) {
        result = configure_bus(h, EDGE_ZONE_GATEWAY, i, h->config->zones[i].name, h->urls[i], &gateway->buses[i], error,
                               error_size);
    }
    gateway->keeper_count = h->config->persists_count;
    for (unsigned i = 0; result == 0 && i < gateway->keeper_count; i++) {
        result = configure_bus(h, EDGE_PERSIST_GATEWAY, i, h->config->persists[i].name, h->keeper_urls[i],
                               &gateway->keeper_buses[i], error, error_size);
    }
    gateway->has_guide = config_has_matchmaker(h->config);
    if (!gateway->has_guide) directory_initial(&gateway->directory, h->config);
    if (result == 0 && gateway->has_guide) {
        result = configure_bus(h, EDGE_MATCHMAKER_GATEWAY, 0, h->config->matchmaker.name, h->guide_url, &gateway->guide_bus,
                               error, error_size);
    }
    snprintf(gateway->region, sizeof gateway->region, "%s", h->entry->region);
    return result;
}

static enum io_back_end back_end(const struct host *h) {
    static const enum io_back_end back_ends[CONFIG_IO_COUNT] = {
        [CONFIG_IO_AUTO] = IO_BACK_END_AUTO, [CONFIG_IO_URING] = IO_BACK_END_URING, [CONFIG_IO_EPOLL] = IO_BACK_END_EPOLL};
    return h->arguments->has_io ? h->arguments->io : back_ends[h->entry->io];
}

static uint64_t new_incarnation(void) {
    uint64_t incarnation;
    do randombytes_buf(&incarnation, sizeof incarnation);
    while (incarnation == 0);
    return incarnation;
}

/* --- opening */

static int open_gateway(struct host *h, char *error, size_t error_size) {
    struct gateway_config *gateway = calloc(1, sizeof *gateway);
    if (!gateway) return MARCH_ERR_SYSTEM;
    gateway->io = back_end(h);
    gateway->io_buffers = RECEIVE_BUFFERS;
    gateway->tick_hz = h->config->world.tick_hz;
    gateway->flush_lead_ns = h->config->bus.flush_lead_us * NS_PER_US;
    gateway->hello = (struct wire_hello){.role = WIRE_ROLE_GATEWAY, .incarnation = new_incarnation(), .index = h->index};
    memcpy(gateway->hello.name, h->entry->name, sizeof gateway->hello.name);
    gateway->drain = (struct drain_config){.context = h, .servers = addresses_of};
    gateway->socket_count = h->listen.count;
    memcpy(gateway->sockets, h->listen.fds, sizeof h->listen.fds);
    int result = configure_netcode(h, &gateway->netcode, error, error_size);
    if (!result) result = configure_buses(h, gateway, error, error_size);
    if (!result) {
        h->listen.count = 0; /* the sockets are the gateway's from here */
        result = gateway_create(&h->gateway, gateway, mono_now(), wall_now_ns(), error, error_size);
    }
    sodium_memzero(gateway, sizeof *gateway);
    free(gateway);
    return result;
}

static int open_http(struct host *h, char *error, size_t error_size) {
    const struct http_route status = {
        .path = "/status", .content_type = "application/json", .render = report_status, .context = h->report};
    const struct http_options http = {.listen = h->entry->http,
                                      .metrics = report_metrics(h->report),
                                      .health = &h->health,
                                      .routes = &status,
                                      .route_count = 1};
    char text[ADDR_TEXT_MAX];
    int result = http_open(&h->http, &http, error, error_size);
    if (!result) result = publish(h, "http", addr_format(http_address(h->http), text), error, error_size);
    snprintf(text, sizeof text, "%d\n", (int)getpid());
    return result ? result : publish(h, "pid", text, error, error_size);
}

static int open_parts(struct host *h, char *error, size_t error_size) {
    char bound_path[PATH_MAX], udp_path[PATH_MAX];
    int port = h->arguments->has_port ? h->arguments->port : -1;
    int result = run_path(h, h->entry->name, "udp", udp_path, error, error_size);
    if (!result) result = run_path(h, h->entry->name, "bound", bound_path, error, error_size);
    if (!result) result = listen_open(&h->listen, h->entry, port, bound_path, error, error_size);
    if (!result) result = listen_remember(&h->listen, bound_path, error, error_size);
    if (!result) result = open_gateway(h, error, error_size);
    if (result) return result;
    h->report = report_create(h->entry->name, h->gateway);
    if (!h->report) return MARCH_ERR_SYSTEM;
    result = open_http(h, error, error_size);
    return result ? result : listen_publish(&h->listen, udp_path, error, error_size);
}

int host_open(struct host **out, const struct arguments *arguments, const struct config *config, uint32_t index, char *error,
              size_t error_size) {
    *out = NULL;
    snprintf(error, error_size, "out of memory");
    struct host *h = calloc(1, sizeof *h);
    if (!h || sodium_init() < 0) return MARCH_ERR_SYSTEM;
    h->arguments = arguments;
    h->config = config;
    h->entry = &config->gateways[index];
    h->index = index;
    h->start_s = wall_now_s();
    health_init(&h->health, mono_now());
    int result = open_parts(h, error, error_size);
    if (result) {
        host_close(h);
        return result;
    }
    *out = h;
    return 0;
}

void host_close(struct host *h) {
    if (!h) return;
    health_set_ready(&h->health, false);
    http_close(h->http); /* first: it reads what the rest owns */
    gateway_destroy(h->gateway);
    report_destroy(h->report);
    listen_close(&h->listen);
    sodium_memzero(h->cluster_key, sizeof h->cluster_key);
    free(h);
}

/* --- running */

/* Pins this thread alone: nng's and HTTP's are started by now, and stay where the kernel likes. */
static void take_core(const struct host *h) {
    int32_t cpu = h->arguments->launch.has_cpu ? h->arguments->launch.cpu : h->entry->cpu;
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    if (cpu == CONFIG_CPU_NONE) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set)) log_warn("cpu.not_pinned", "cpu=%d error=\"%s\"", cpu, strerror(errno));
}

/* Tokens minted in the first seconds are not taken, so players are not asked in before these have passed. */
static bool is_ready(const struct host *h, struct mono started) {
    if (h->gateway->wall_ns / NS_PER_S <= h->start_s + NETCODE_TOKEN_SLACK_S) return false;
    if (!gateway_has_directory(h->gateway)) return false; /* nobody could be brought anywhere */
    bool all_up = gateway_routes_up(h->gateway) == h->gateway->route_count &&
                  gateway_keepers_up(h->gateway) == h->gateway->keeper_count;
    return all_up || mono_reached(h->gateway->now, mono_add_ms(started, HOST_READY_WAIT_MS));
}

static void log_running(const struct host *h) {
    char udp[ADDR_TEXT_MAX], http[ADDR_TEXT_MAX];
    for (unsigned i = 0; i < h->listen.public_count; i++) {
        log_info("gateway.running", "gateway=%s udp=%s http=%s io=%s slots=%u", h->entry->name,
                 addr_format(&h->listen.public_addrs[i], udp), addr_format(http_address(h->http), http),
                 io_back_end_name(h->gateway->io), h->entry->max_clients);
    }
}

int host_run(struct host *h, const volatile sig_atomic_t *stopping) {
    struct mono started = mono_now(), mirrored = started;
    bool ready = false, takes_players = false;
    int result = 0;
    take_core(h);
    log_running(h);
    while (!*stopping && result == 0) {
        result = gateway_turn(h->gateway);
        struct mono now = h->gateway->now;
        health_beat(&h->health, now);
        if (!ready && is_ready(h, started)) {
            ready = true;
            log_info("gateway.ready", "zones_up=%u persists_up=%u", gateway_routes_up(h->gateway),
                     gateway_keepers_up(h->gateway));
        }
        if (takes_players != (ready && !h->gateway->drain.is_draining)) {
            takes_players = !takes_players;
            health_set_ready(&h->health, takes_players);
        }
        if (!mono_reached(now, mono_add_ms(mirrored, REPORT_MS))) continue;
        mirrored = now;
        report_mirror(h->report);
    }
    log_info("gateway.stopped", "sessions=%u", h->gateway->sessions.size - h->gateway->sessions.state_counts[SESSION_FREE]);
    return result;
}
