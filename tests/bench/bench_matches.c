/* bench_matches: how long it takes from the ticket that completes a match until the match is announced.
 *
 * Matchmaker, persist and PostgreSQL are real; gateway and zones are stand-ins, which speak with the matchmaker over the bus
 * as they do. It is started by `zonectl up` (matches.py sees to that) under the name of what it stands in for.
 *
 *   zone      runs the instances of its blocks: all players are there at once, and after BENCH_LIFE_MS the first team has
 *             won
 *   gateway   queues BENCH_QUEUED players who lack a role and so wait, then lets RATE tickets a second come for
 *             BENCH_SECONDS, one evenly after the other, once in each scene:
 *
 *                 first   in the same mode, five against five, where each team needs two of the role that those who wait
 *                         lack; two of five tickets have it, so they are matched with some of these, and as many stay
 *                         queued. Nobody was seen before, so persist is asked for each rating
 *                 plain   in another mode, five against five: every tenth ticket completes a match
 *                 roles   as first. Here and in plain players come back REST_MS after they were matched, as those of a game
 *                         do, and new ones only where there are too few of them
 *
 * All times are of the gateway's clock: from when it sends what the player asks until it has what the player is told. The
 * first WARM_MS of a scene don't count. It writes one JSON object into RUN/matches.json.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/config.h"
#include "common/file.h"
#include "common/health.h"
#include "common/histogram.h"
#include "common/http.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/ring.h"
#include "tests/unit/fake_peer.h"

#define RATE            2000 /* tickets a second */
#define WARM_MS         6000 /* more than REST_MS: who comes back then has played in this scene */
#define REST_MS         4000
#define DRAIN_MS        3000 /* after a scene, until all have been told */
#define LIFE_MS         500
#define ENDED_MS        1000 /* an instance that ended is told of for so long */
#define TICK_MS         33   /* between two reports of a zone */
#define UNANSWERED      1000 /* asks under way while players are queued */
#define PLAYERS_MAX     400000
#define MATCHES_MAX     131072
#define RESTED_MAX      131072 /* those beyond don't come back */
#define INSTANCES       8192   /* numbers of those that run at once differ by less */
#define SEATS_MAX       10
#define BATCH_MAX       256
#define CARRY           1 /* roles */
#define WARD            2
#define CONFIRM_S       60
#define QUANTILES       40
#define WAIT_MS         1
#define RESULT_SIZE     16384
#define PROBE_EVERY_MS  100
#define INSTRUMENT_NICE (-10) /* whoever measures must not wait for a core himself; without the right to, he does */

static volatile sig_atomic_t stopping;

static void on_signal(int number) {
    (void)number;
    stopping = 1;
}

struct match {
    uint64_t asked_ns, told_ns; /* by whom asked last */
    uint32_t count;
};

struct run { /* an instance */
    uint32_t id, version, phase, member_count;
    struct mono began, heard;
    uint64_t members[SEATS_MAX];
    uint32_t teams[SEATS_MAX];
};

struct rest { /* a player who was matched, and may come back */
    uint64_t player, since_ns;
};

struct scene {
    const char *name, *mode;
    bool has_roles, is_new;
    uint64_t counted_from_ns;
    uint64_t asked, waiting, refused, matches;
    double stolen_percent; /* of the time of all cores, by other guests of the host: who reads the rest must know */
    struct histogram waiting_ns, announced_ns;
};

struct member {
    struct fake_peer peer; /* the first: it is the context of its link */
    const char *name, *run_dir;
    struct config *config;
    uint32_t index;
    struct health health;
    /* of a gateway */
    struct scene *scene;
    uint64_t *asked_ns; /* by player */
    bool *waits;        /* by player: asked, and not matched yet */
    struct match *matches;
    uint64_t next_player, confirmed, refused;
    struct ring rested; /* struct rest */
    struct wire_player_ask asks[BATCH_MAX];
    uint8_t blob[BATCH_MAX * 128];
    uint32_t ask_count, blob_len;
    struct wire_builder *small;
    /* of a zone */
    struct run *runs;
    struct wire_instance_status statuses[WIRE_INSTANCES_MAX];
    struct wire_presence present[WIRE_INSTANCES_MAX * SEATS_MAX];
    struct mono report_at;
    uint64_t life_ms;
};

/* --- a zone */

static void take_order(struct member *m, const struct wire_instance_orders *orders, const struct wire_instance_order *o) {
    struct run *r = &m->runs[o->id % INSTANCES];
    if (r->id != o->id && o->state == WIRE_INSTANCE_END) return;
    if (r->id != o->id) {
        CHECK(r->id == 0 && o->member_count <= SEATS_MAX);
        *r = (struct run){.id = o->id, .phase = WIRE_PHASE_RUNNING, .began = mono_now(), .member_count = o->member_count};
        for (uint32_t i = 0; i < o->member_count; i++) {
            r->members[i] = orders->members[o->first_member + i].player;
            r->teams[i] = orders->members[o->first_member + i].team;
        }
    }
    r->version = o->version;
    r->heard = mono_now();
    if (o->state == WIRE_INSTANCE_END) r->phase = WIRE_PHASE_ENDED;
}

static void report_instances(struct member *m, struct mono now) {
    struct wire_instance_report report = {.instances = m->statuses, .players = m->present};
    for (uint32_t i = 0; i < INSTANCES; i++) {
        struct run *r = &m->runs[i];
        if (r->id == 0) continue;
        uint64_t lasted_ms = mono_since_ns(now, r->began) / NS_PER_MS;
        if (r->phase == WIRE_PHASE_ENDED && mono_since_ns(now, r->heard) > ENDED_MS * NS_PER_MS) {
            r->id = 0;
            continue;
        }
        if (r->phase == WIRE_PHASE_RUNNING && lasted_ms >= m->life_ms) r->phase = WIRE_PHASE_OVER;
        CHECK(report.instance_count < WIRE_INSTANCES_MAX);
        m->statuses[report.instance_count++] = (struct wire_instance_status){
            .id = r->id, .version = r->version, .phase = r->phase, .lasted_ms = lasted_ms, .scores = {1, 0}};
        for (uint32_t k = 0; k < r->member_count && r->phase != WIRE_PHASE_ENDED; k++)
            m->present[report.player_count++] =
                (struct wire_presence){.player = r->members[k], .instance = r->id, .team = (uint16_t)r->teams[k]};
    }
    struct wire_bytes bytes;
    CHECK(wire_instance_report_pack(m->peer.builder, &report, &bytes) == 0);
    (void)!link_send(&m->peer.link, bytes);
}

static void live_as_zone(struct member *m) {
    struct fake_peer *p = &m->peer;
    struct mono now = mono_now();
    p->report.hold_count = 0;
    for (uint32_t i = 0; i < p->held.partition_count && p->report.hold_count < FAKE_PEER_HOLDS_MAX; i++)
        if (p->held.partitions[i].owner == m->index)
            p->holds[p->report.hold_count++] = (struct wire_hold){.partition = p->held.partitions[i].id};
    if (p->link.state != LINK_UP || !p->has_reported || !mono_reached(now, m->report_at)) return;
    m->report_at = mono_add_ms(now, TICK_MS);
    report_instances(m, now);
}

/* --- a gateway */

static void take_matched(struct member *m, uint64_t player, uint32_t instance, uint64_t now_ns) {
    struct scene *s = m->scene;
    CHECK(instance < MATCHES_MAX);
    struct match *match = &m->matches[instance];
    if (m->asked_ns[player] > match->asked_ns) {
        match->asked_ns = m->asked_ns[player];
        match->told_ns = now_ns;
    }
    if (++match->count != SEATS_MAX || match->asked_ns < s->counted_from_ns) return;
    s->matches++;
    histogram_record(&s->announced_ns, match->told_ns - match->asked_ns);
}

/* rest has a player come back later; that it was matched may be told twice. */
static void rest(struct member *m, uint64_t player, uint64_t now_ns) {
    struct rest *rest = m->waits[player] ? ring_push(&m->rested) : NULL;
    if (rest) *rest = (struct rest){player, now_ns};
    m->waits[player] = false;
}

static void take_tell(struct member *m, uint64_t player, const struct wire_server_message *message, uint64_t now_ns) {
    if (message->kind != WIRE_SERVER_TICKET || player >= PLAYERS_MAX) return;
    const struct wire_ticket_state_message *t = &message->ticket;
    struct scene *s = m->scene;
    if (t->state == WIRE_TICKET_WAITING) {
        m->confirmed++;
        if (s && m->asked_ns[player] >= s->counted_from_ns) {
            s->waiting++;
            histogram_record(&s->waiting_ns, now_ns - m->asked_ns[player]);
        }
    } else if (t->state == WIRE_TICKET_MATCHED) {
        CHECK(s);
        rest(m, player, now_ns);
        take_matched(m, player, t->instance, now_ns);
    } else {
        m->refused++;
        if (s) s->refused++;
    }
}

static void take(void *context, const struct wire_bus_view *view, struct mono now) {
    struct member *m = context;
    if (view->kind == WIRE_BUS_INSTANCE_ORDERS) {
        for (uint32_t i = 0; i < view->instance_orders.instance_count; i++)
            take_order(m, &view->instance_orders, &view->instance_orders.instances[i]);
    } else if (view->kind == WIRE_BUS_GATEWAY_TELLS) {
        uint64_t now_ns = mono_now().ns;
        for (uint32_t i = 0; i < view->gateway_tells.tell_count; i++) {
            const struct wire_player_tell *tell = &view->gateway_tells.tells[i];
            struct wire_server_message message;
            CHECK(wire_server_message_read(view->gateway_tells.blob + tell->offset, tell->len, &message) == 0);
            take_tell(m, tell->player, &message, now_ns);
        }
    } else {
        fake_peer_take(&m->peer, view, now);
    }
}

static void add_ask(struct member *m, uint64_t player, const char *mode, uint32_t roles) {
    struct wire_client_message message = {.kind = WIRE_CLIENT_ENTER, .enter = {.roles = roles}};
    struct wire_bytes bytes;
    snprintf(message.enter.mode, sizeof message.enter.mode, "%s", mode);
    CHECK(player < PLAYERS_MAX && m->ask_count < BATCH_MAX);
    CHECK(wire_client_message_pack(m->small, &message, &bytes) == 0 && m->blob_len + bytes.len <= sizeof m->blob);
    memcpy(m->blob + m->blob_len, bytes.data, bytes.len);
    m->asks[m->ask_count++] = (struct wire_player_ask){
        .session = player, .player = player, .session_epoch = 1, .offset = m->blob_len, .len = (uint32_t)bytes.len};
    m->blob_len += (uint32_t)bytes.len;
    m->asked_ns[player] = mono_now().ns;
    m->waits[player] = true;
}

static void send_asks(struct member *m) {
    const struct wire_gateway_asks asks = {m->asks, m->blob, m->ask_count, m->blob_len};
    struct wire_bytes bytes;
    if (m->ask_count == 0) return;
    CHECK(wire_gateway_asks_pack(m->peer.builder, &asks, &bytes) == 0);
    fake_peer_send(&m->peer, bytes);
    m->ask_count = m->blob_len = 0;
}

/* turn waits for what comes, and takes it. */
static void turn(struct member *m) {
    (void)poll(&(struct pollfd){.fd = bus_edge_fd(m->peer.link.edge), .events = POLLIN}, 1, WAIT_MS);
    health_beat(&m->health, mono_now());
    fake_peer_update(&m->peer);
    health_set_ready(&m->health, m->peer.held.version > 0);
}

static void turn_for(struct member *m, uint64_t ms) {
    for (struct mono end = mono_add_ms(mono_now(), ms); !stopping && !mono_reached(mono_now(), end);) turn(m);
}

/* probe waits until matches.py says that all players are there, and asks until a first one may queue: persist must be there.
 */
static void probe(struct member *m) {
    char path[256];
    snprintf(path, sizeof path, "%s/matches.begin", m->run_dir);
    while (!stopping && access(path, F_OK) != 0) turn_for(m, PROBE_EVERY_MS);
    while (!stopping && m->confirmed == 0) {
        if (m->peer.link.state == LINK_UP) add_ask(m, m->next_player, "ranks", CARRY);
        send_asks(m);
        turn_for(m, PROBE_EVERY_MS);
    }
    m->next_player++;
    m->confirmed = 1;
    m->refused = 0;
}

static void fill(struct member *m, uint64_t queued) {
    struct mono end = mono_add_ms(mono_now(), CONFIRM_S * 1000);
    while (!stopping && m->confirmed + m->refused < queued && !mono_reached(mono_now(), end)) {
        while (m->next_player <= queued && m->next_player - m->confirmed - m->refused < UNANSWERED &&
               m->ask_count < BATCH_MAX)
            add_ask(m, m->next_player++, "ranks", CARRY);
        send_asks(m);
        turn(m);
    }
}

/* comes_next returns who has rested longest, if long enough, or somebody new. */
static uint64_t comes_next(struct member *m, const struct scene *s) {
    const struct rest *first = ring_at(&m->rested, 0);
    if (s->is_new || !first || mono_now().ns - first->since_ns < REST_MS * NS_PER_MS) return m->next_player++;
    return ((const struct rest *)ring_pop(&m->rested))->player;
}

struct time_of_cores {
    unsigned long long all, stolen;
};

static struct time_of_cores time_of_cores(void) {
    enum { FIELDS = 8, STOLEN = 7 }; /* of proc(5): user, nice, system, idle, iowait, irq, softirq, steal */
    struct time_of_cores t = {0};
    unsigned long long fields[FIELDS] = {0};
    FILE *file = fopen("/proc/stat", "r");
    CHECK(file && fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &fields[0], &fields[1], &fields[2], &fields[3],
                         &fields[4], &fields[5], &fields[6], &fields[7]) == FIELDS);
    fclose(file);
    for (int i = 0; i < FIELDS; i++) t.all += fields[i];
    t.stolen = fields[STOLEN];
    return t;
}

static void play(struct member *m, struct scene *s, uint64_t seconds) {
    const struct time_of_cores before = time_of_cores();
    struct mono began = mono_now(), now = began;
    m->scene = s;
    while (ring_pop(&m->rested)) continue; /* they have no rating in this mode */
    s->counted_from_ns = mono_add_ms(began, WARM_MS).ns;
    for (uint64_t sent = 0; !stopping && mono_since_ns(now, began) < seconds * NS_PER_S; now = mono_now()) {
        uint64_t due = mono_since_ns(now, began) * RATE / NS_PER_S;
        for (; sent < due && m->ask_count < BATCH_MAX; sent++) {
            add_ask(m, comes_next(m, s), s->mode, !s->has_roles ? 0 : sent % 5 < 3 ? CARRY : WARD);
            s->asked++;
        }
        send_asks(m);
        turn(m);
    }
    turn_for(m, DRAIN_MS);
    const struct time_of_cores after = time_of_cores();
    s->stolen_percent = 100.0 * (double)(after.stolen - before.stolen) / (double)(after.all - before.all);
}

/* --- what is told */

static int write_spread(char *text, size_t size, const char *name, const struct histogram *h) {
    const double ms = (double)NS_PER_MS;
    int len = snprintf(
        text, size, "\"%s\":{\"count\":%llu,\"p50\":%.2f,\"p99\":%.2f,\"p999\":%.2f,\"max\":%.2f,\"ladder\":[", name,
        (unsigned long long)histogram_count(h), (double)histogram_quantile(h, 0.5) / ms,
        (double)histogram_quantile(h, 0.99) / ms, (double)histogram_quantile(h, 0.999) / ms, (double)histogram_max(h) / ms);
    double rare = 1;
    for (int i = 0; i < QUANTILES; i++, rare /= 1.26)
        len += snprintf(text + len, size - (size_t)len, "%s[%.6f,%.3f]", i ? "," : "", 1 - rare,
                        (double)histogram_quantile(h, 1 - rare) / ms);
    return len + snprintf(text + len, size - (size_t)len, "]}");
}

static int write_scene(char *text, size_t size, const struct scene *s) {
    int len = snprintf(text, size, "\"%s\":{\"asked\":%llu,\"refused\":%llu,\"matches\":%llu,\"stolen_percent\":%.2f,",
                       s->name, (unsigned long long)s->asked, (unsigned long long)s->refused, (unsigned long long)s->matches,
                       s->stolen_percent);
    len += write_spread(text + len, size - (size_t)len, "waiting_ms", &s->waiting_ns);
    len += snprintf(text + len, size - (size_t)len, ",");
    len += write_spread(text + len, size - (size_t)len, "announced_ms", &s->announced_ns);
    return len + snprintf(text + len, size - (size_t)len, "}");
}

static void publish(const struct member *m, const char *file, const char *text) {
    char path[256], error[512];
    snprintf(path, sizeof path, "%s/%s", m->run_dir, file);
    CHECK(file_write(path, text, strlen(text), 0600, error, sizeof error) == 0);
}

static uint64_t number(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void measure(struct member *m) {
    static struct scene scenes[] = {{.name = "first", .mode = "ranks", .has_roles = true, .is_new = true},
                                    {.name = "plain", .mode = "five"},
                                    {.name = "roles", .mode = "ranks", .has_roles = true}};
    static char text[RESULT_SIZE];
    uint64_t queued = number("BENCH_QUEUED", 100000), seconds = number("BENCH_SECONDS", 20);
    struct mono began = mono_now();
    probe(m);
    fill(m, queued);
    sync(); /* what that wrote would be written out within the scenes, all at once */
    double filled_s = (double)mono_since_ns(mono_now(), began) / 1e9;
    uint64_t confirmed = m->confirmed;
    int len = snprintf(text, sizeof text, "{\"queued\":%llu,\"fill_s\":%.2f", (unsigned long long)confirmed, filled_s);
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        play(m, &scenes[i], seconds);
        len += snprintf(text + len, sizeof text - (size_t)len, ",");
        len += write_scene(text + len, sizeof text - (size_t)len, &scenes[i]);
    }
    snprintf(text + len, sizeof text - (size_t)len, "}\n");
    publish(m, "matches.json", text);
}

/* --- life */

static void read_arguments(struct member *m, const char **config, int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--config") == 0) *config = argv[i + 1];
        if (strcmp(argv[i], "--name") == 0) m->name = argv[i + 1];
        if (strcmp(argv[i], "--run-dir") == 0) m->run_dir = argv[i + 1];
    }
}

static enum wire_role find_role(struct member *m) {
    for (m->index = 0; m->index < m->config->gateways_count; m->index++)
        if (strcmp(m->config->gateways[m->index].name, m->name) == 0) return WIRE_ROLE_GATEWAY;
    for (m->index = 0; m->index < m->config->zones_count; m->index++)
        if (strcmp(m->config->zones[m->index].name, m->name) == 0) return WIRE_ROLE_ZONE;
    exit(78);
}

static void live(struct member *m, enum wire_role role) {
    if (role == WIRE_ROLE_GATEWAY) {
        m->asked_ns = calloc(PLAYERS_MAX, sizeof *m->asked_ns);
        m->waits = calloc(PLAYERS_MAX, sizeof *m->waits);
        m->matches = calloc(MATCHES_MAX, sizeof *m->matches);
        m->small = wire_builder_create(WIRE_CLIENT_BYTES_MAX);
        CHECK(m->asked_ns && m->waits && m->matches && m->small &&
              ring_init(&m->rested, RESTED_MAX, sizeof(struct rest)) == 0);
        m->next_player = 1;
        (void)!nice(INSTRUMENT_NICE);
        measure(m);
    }
    m->runs = calloc(INSTANCES, sizeof *m->runs);
    CHECK(m->runs);
    m->life_ms = number("BENCH_LIFE_MS", LIFE_MS);
    while (!stopping) {
        turn(m);
        if (role == WIRE_ROLE_ZONE) live_as_zone(m);
    }
    wire_builder_destroy(m->small);
    ring_deinit(&m->rested);
    free(m->waits);
    free(m->asked_ns);
    free(m->matches);
    free(m->runs);
}

int main(int argc, char **argv) {
    static struct member m;
    const char *path = NULL;
    char error[CONFIG_ERROR_SIZE], text[ADDR_TEXT_MAX], file[128];
    read_arguments(&m, &path, argc, argv);
    if (!path || !m.name || !m.run_dir) {
        fprintf(stderr, "usage: it is started by zonectl up; see matches.py\n");
        return 2;
    }
    log_init(m.name, LOG_LEVEL_INFO);
    signal(SIGTERM, on_signal);
    CHECK(config_load(path, &m.config, error, sizeof error) == 0);
    enum wire_role role = find_role(&m);
    health_init(&m.health, mono_now());
    fake_peer_open(&m.peer, m.config, m.run_dir, role, m.index, wall_now_ns() ^ (uint64_t)getpid() << 48);
    m.peer.link.config.handlers.message = take;
    struct metrics *metrics = metrics_create(8, m.name);
    struct http *http;
    const struct http_options options = {.listen = "127.0.0.1:0", .metrics = metrics, .health = &m.health};
    CHECK(http_open(&http, &options, error, sizeof error) == 0);
    snprintf(file, sizeof file, "%s.http", m.name);
    publish(&m, file, addr_format(http_address(http), text));
    live(&m, role);
    http_close(http);
    metrics_destroy(metrics);
    fake_peer_close(&m.peer);
    config_free(m.config);
    return 0;
}
