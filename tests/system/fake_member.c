/* fake_member.c: stands in for zone, gateway and persist in tests of the matchmaker and of zonectl: it speaks with the
 * matchmaker over the bus as they do, and simulates nothing. What it is is told by the name that it is run under.
 *
 *     zone      has 30 players and 10 creatures in each partition of its own; hands over 60 players a second of what it has
 *               lost; ends with code 3 when the directory drops it
 *     gateway   has 40 sessions, 60 less a second while it drains
 *     persist   fences what it is told to
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/config.h"
#include "common/file.h"
#include "common/health.h"
#include "common/http.h"
#include "common/log.h"
#include "common/metrics.h"
#include "tests/unit/fake_peer.h"

#define PLAYERS    30
#define CREATURES  10
#define SESSIONS   40
#define LOSS_PER_S 60
#define DROPPED    3
#define TURN_US    5000

static volatile sig_atomic_t stopping;

static void on_signal(int number) {
    (void)number;
    stopping = 1;
}

struct member {
    const char *name, *run_dir;
    struct config *config;
    enum wire_role role;
    uint32_t index;
    struct fake_peer peer;
    bool was_listed;
    struct mono losing_since;
    struct health health;
};

static void find_role(struct member *m, const char *program) {
    const char *base = strrchr(program, '/') ? strrchr(program, '/') + 1 : program;
    m->role = strcmp(base, "zone") == 0      ? WIRE_ROLE_ZONE
              : strcmp(base, "gateway") == 0 ? WIRE_ROLE_GATEWAY
                                             : WIRE_ROLE_PERSIST;
    const struct config *c = m->config;
    uint32_t count = m->role == WIRE_ROLE_ZONE      ? c->zones_count
                     : m->role == WIRE_ROLE_GATEWAY ? c->gateways_count
                                                    : c->persists_count;
    for (m->index = 0; m->index < count; m->index++) {
        const char *name = m->role == WIRE_ROLE_ZONE      ? c->zones[m->index].name
                           : m->role == WIRE_ROLE_GATEWAY ? c->gateways[m->index].name
                                                          : c->persists[m->index].name;
        if (strcmp(name, m->name) == 0) return;
    }
    exit(78);
}

static void publish(const struct member *m, const char *suffix, const char *text) {
    char path[256], error[512];
    snprintf(path, sizeof path, "%s/%s.%s", m->run_dir, m->name, suffix);
    CHECK(file_write(path, text, strlen(text), 0600, error, sizeof error) == 0);
}

/* left returns what is left of `from` since it began to lose it. */
static uint32_t left(struct member *m, bool losing, uint32_t from, struct mono now) {
    if (!losing) return from;
    uint64_t lost = mono_since_ns(now, m->losing_since) * LOSS_PER_S / NS_PER_S;
    return lost >= from ? 0 : from - (uint32_t)lost;
}

static void live_as_zone(struct member *m, struct mono now) {
    struct fake_peer *p = &m->peer;
    const struct directory *d = &p->held;
    bool is_listed = directory_hears(d, m->index, p->link.config.hello.incarnation);
    if (m->was_listed && !is_listed) exit(DROPPED);
    m->was_listed |= is_listed;
    bool losing = false;
    for (uint32_t i = 0; i < d->partition_count; i++) losing |= d->partitions[i].former == m->index;
    if (!losing) m->losing_since = now;
    p->report.hold_count = p->report.players = 0;
    for (uint32_t i = 0; i < d->partition_count && p->report.hold_count < FAKE_PEER_HOLDS_MAX; i++) {
        bool own = d->partitions[i].owner == m->index;
        uint32_t players = left(m, !own, PLAYERS, now);
        if (!own && d->partitions[i].former != m->index) continue;
        p->holds[p->report.hold_count++] = (struct wire_hold){d->partitions[i].id, players, players > 0 ? CREATURES : 0, 0};
        p->report.players += players;
    }
    p->report.busy_us = 1000;
}

static void live_as_gateway(struct member *m, struct mono now) {
    const struct directory *d = &m->peer.held;
    bool draining = m->index < d->gateway_count && d->gateways[m->index].state == WIRE_GATEWAY_DRAINING;
    if (!draining) m->losing_since = now;
    m->peer.sessions = left(m, draining, SESSIONS, now);
}

static void live(struct member *m) {
    struct mono now = mono_now();
    health_beat(&m->health, now);
    fake_peer_update(&m->peer);
    if (m->role == WIRE_ROLE_ZONE) live_as_zone(m, now);
    if (m->role == WIRE_ROLE_GATEWAY) live_as_gateway(m, now);
    health_set_ready(&m->health, m->role == WIRE_ROLE_PERSIST || m->peer.held.version > 0);
}

static void read_arguments(struct member *m, const char **config, int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--config") == 0) *config = argv[i + 1];
        if (strcmp(argv[i], "--name") == 0) m->name = argv[i + 1];
        if (strcmp(argv[i], "--run-dir") == 0) m->run_dir = argv[i + 1];
    }
}

int main(int argc, char **argv) {
    struct member m = {0};
    const char *path = NULL;
    char error[CONFIG_ERROR_SIZE], text[ADDR_TEXT_MAX];
    read_arguments(&m, &path, argc, argv);
    log_init(m.name, LOG_LEVEL_INFO);
    signal(SIGTERM, on_signal);
    CHECK(config_load(path, &m.config, error, sizeof error) == 0);
    find_role(&m, argv[0]);
    health_init(&m.health, mono_now());
    fake_peer_open(&m.peer, m.config, m.run_dir, m.role, m.index, wall_now_ns() ^ (uint64_t)getpid() << 48);
    struct metrics *metrics = metrics_create(8, m.name);
    struct http *http;
    const struct http_options options = {.listen = "127.0.0.1:0", .metrics = metrics, .health = &m.health};
    CHECK(http_open(&http, &options, error, sizeof error) == 0);
    publish(&m, "http", addr_format(http_address(http), text));
    for (; !stopping; usleep(TURN_US)) live(&m);
    http_close(http);
    metrics_destroy(metrics);
    fake_peer_close(&m.peer);
    config_free(m.config);
    return 0;
}
