#include "zone/server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/health.h"
#include "common/http.h"
#include "common/log.h"
#include "zone/budget.h"
#include "zone/edge.h"
#include "zone/neighbours.h"
#include "zone/overload.h"
#include "zone/pacer.h"
#include "zone/record.h"
#include "zone/registrar.h"
#include "zone/reporter.h"
#include "zone/setup.h"
#include "zone/sim.h"
#include "zone/static_world.h"
#include "zone/telemetry.h"

#define HASH_EVERY_TICKS 60
#define FOLLOW_NS        NS_PER_S
#define BUSY_TICKS       64 /* that the average is taken over */

struct server {
    const struct options *options;
    const struct config *config;
    const struct config_zone *zone;
    struct sim *sim;
    struct reporter *reporter;
    struct edges *edges;
    struct registrar *registrar;
    struct neighbours *neighbours;
    struct crossing *crossing;
    struct static_world *statics; /* NULL: nothing stands in the world */
    struct recorder *recorder;
    bool is_recording; /* the recorder has not stopped early */
    struct telemetry *telemetry;
    struct http *http;
    struct health health;
    struct pacer pacer;
    struct overload overload;
    struct mono followed_at;
    uint32_t busy_us;      /* of a tick, on average */
    uint32_t budget_ticks; /* of this window (budget.h) */
    int awake_fd;          /* -1: not held */
};

/* --- opening */

static int open_map(struct server *s, char *error, size_t error_size) {
    char path[PATH_MAX];
    if (!s->config->world.map[0]) return 0;
    int result = config_beside(s->options->launch.config, s->config->world.map, path, sizeof path, error, error_size);
    if (result) return result;
    int32_t margin = (int32_t)s->config->world.view_radius_m * 65536;
    result = static_world_open(&s->statics, path, margin, error, error_size);
    if (result) return result;
    const struct map_header *map = static_world_header(s->statics);
    telemetry_set_map(s->telemetry, map);
    log_info("map.opened", "file=%s hash=%s chunks=%u boxes=%u", LOG_QUOTE(path),
             map_hash_text(map->hash, (char[MAP_TEXT_SIZE]){0}), map->chunk_count, map->box_count);
    return 0;
}

/* What this thread ran. */
static uint64_t cpu_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static int open_sim(struct server *s, uint32_t zone_index, uint64_t incarnation, char *error, size_t error_size) {
    struct setup_start start = {.seed = s->options->has_seed ? s->options->seed : s->zone->seed,
                                .tick = s->pacer.tick,
                                .incarnation = (uint16_t)incarnation};
    struct sim_config sim = setup_sim(s->config, zone_index, start);
    s->sim = sim_create(&sim);
    if (!s->sim) {
        snprintf(error, error_size,
                 "can't create the simulation: out of memory, or more creatures and players than entities");
        return MARCH_ERR_SYSTEM;
    }
    sim_set_clock(s->sim, s->config->instances.think_us > 0 ? cpu_now_ns : NULL);
    if (!s->options->record) return 0;
    struct record_header header = {.hash_every = HASH_EVERY_TICKS,
                                   .config_digest = setup_digest(&sim),
                                   .seed = sim.seed,
                                   .start_tick = sim.start_tick,
                                   .zone_index = sim.zone_index,
                                   .incarnation = sim.incarnation};
    int result = recorder_open(s->options->record, &header, &s->recorder);
    if (result) snprintf(error, error_size, "%s: can't record: %s", s->options->record, strerror(errno));
    sim_set_recorder(s->sim, s->recorder);
    s->is_recording = s->recorder != NULL;
    return result;
}

static int open_edges(struct server *s, uint32_t zone_index, uint64_t incarnation, char *error, size_t error_size) {
    const struct config_rect *r = &s->zone->rect;
    struct wire_hello hello = {.role = WIRE_ROLE_ZONE,
                               .incarnation = incarnation,
                               .index = zone_index,
                               .tick_hz = s->config->world.tick_hz,
                               .rect = {r->x_m, r->y_m, r->x_m + r->width_m, r->y_m + r->height_m}};
    memcpy(hello.name, s->zone->name, sizeof hello.name);
    uint8_t key[FILE_KEY_BYTES];
    bool tcp = s->config->bus.transport == CONFIG_TRANSPORT_TCP;
    if (tcp) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/cluster.key", s->options->launch.run_dir);
        int result = file_read_key(path, key, error, error_size);
        if (result) return result;
    }
    int result = reporter_open(&s->reporter, s->config, zone_index, s->options->launch.run_dir, &hello, tcp ? key : NULL,
                               s->sim, mono_now(), error, error_size);
    if (result) return result;
    const uint8_t *cluster_key = tcp ? key : NULL;
    result = registrar_open(&s->registrar, s->config, zone_index, s->options->launch.run_dir, &hello, cluster_key, s->sim,
                            mono_now(), error, error_size);
    if (result) return result;
    result = neighbours_open(&s->neighbours, s->config, zone_index, s->options->launch.run_dir, &hello, cluster_key, s->sim,
                             registrar_directory(s->registrar), mono_now(), error, error_size);
    if (result) return result;
    s->crossing = crossing_create(s->config, s->sim, reporter_book(s->reporter));
    if (!s->crossing) return MARCH_ERR_SYSTEM;
    struct neighbours_hooks hooks = crossing_hooks(s->crossing, s->neighbours);
    neighbours_set_hooks(s->neighbours, &hooks);
    return edges_open(&s->edges, s->config, zone_index, s->options->launch.run_dir, &hello, cluster_key, s->sim,
                      reporter_book(s->reporter), s->crossing, mono_now(), error, error_size);
}

/* Writes RUN/NAME.suffix. */
static int publish(const struct server *s, const char *suffix, const char *text, char *error, size_t error_size) {
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/%s.%s", s->options->launch.run_dir, s->zone->name, suffix);
    if (len < 0 || (size_t)len >= sizeof path) {
        snprintf(error, error_size, "%s: path too long", s->options->launch.run_dir);
        return MARCH_ERR_INVALID;
    }
    return file_write(path, text, strlen(text), 0600, error, error_size);
}

static int open_http(struct server *s, char *error, size_t error_size) {
    const struct http_route status = {
        .path = "/status", .content_type = "application/json", .render = telemetry_status, .context = s->telemetry};
    const struct http_options http = {.listen = s->zone->http,
                                      .metrics = telemetry_metrics(s->telemetry),
                                      .health = &s->health,
                                      .routes = &status,
                                      .route_count = 1};
    int result = http_open(&s->http, &http, error, error_size);
    if (result) return result;
    char text[ADDR_TEXT_MAX];
    addr_format(http_address(s->http), text);
    result = publish(s, "http", text, error, error_size);
    if (result) return result;
    snprintf(text, sizeof text, "%d\n", (int)getpid());
    return publish(s, "pid", text, error, error_size);
}

static int open_parts(struct server *s, uint32_t zone_index, char *error, size_t error_size) {
    uint64_t incarnation = 0;
    while (incarnation == 0) {
        if (getrandom(&incarnation, sizeof incarnation, 0) != sizeof incarnation) return MARCH_ERR_SYSTEM;
    }
    s->telemetry = telemetry_create(s->zone->name);
    if (!s->telemetry) return MARCH_ERR_SYSTEM;
    int result = open_map(s, error, error_size); /* takes a while where much stands in the world: before time counts */
    if (result) return result;
    pacer_init(&s->pacer, s->config->world.tick_hz, mono_now(), wall_now_ns());
    overload_init(&s->overload);
    health_init(&s->health, mono_now());
    result = open_sim(s, zone_index, incarnation, error, error_size);
    if (!result) result = open_edges(s, zone_index, incarnation, error, error_size);
    if (!result) result = open_http(s, error, error_size);
    return result;
}

int server_open(struct server **out, const struct options *options, const struct config *config, uint32_t zone_index,
                char *error, size_t error_size) {
    *out = NULL;
    snprintf(error, error_size, "out of memory");
    struct server *s = calloc(1, sizeof *s);
    if (!s) return MARCH_ERR_SYSTEM;
    *s = (struct server){.options = options, .config = config, .zone = &config->zones[zone_index], .awake_fd = -1};
    int result = open_parts(s, zone_index, error, error_size);
    if (result) {
        server_close(s);
        return result;
    }
    *out = s;
    return 0;
}

void server_close(struct server *s) {
    if (!s) return;
    if (s->awake_fd >= 0) close(s->awake_fd);
    health_set_ready(&s->health, false);
    http_close(s->http);
    edges_close(s->edges);
    crossing_destroy(s->crossing);
    neighbours_close(s->neighbours);
    registrar_close(s->registrar);
    reporter_close(s->reporter);
    int recorded = recorder_close(s->recorder);
    if (recorded)
        log_error("recording.incomplete", "file=%s error=\"%s\"", LOG_QUOTE(s->options->record), march_error_text(recorded));
    sim_destroy(s->sim);
    static_world_close(s->statics);
    telemetry_destroy(s->telemetry);
    free(s);
}

/* --- running */

/* Records the time since the last lap as that of a phase. */
static void lap(struct server *s, enum telemetry_phase phase, struct mono *at) {
    struct mono now = mono_now();
    telemetry_phase(s->telemetry, phase, mono_since_ns(now, *at));
    *at = now;
}

static void judge_load(struct server *s, uint64_t busy_ns) {
    uint64_t budget_ns = NS_PER_S * s->pacer.stride / s->pacer.tick_hz;
    uint32_t before = s->overload.level;
    if (!overload_tick(&s->overload, busy_ns, budget_ns)) return;
    struct overload_step step = overload_step(s->overload.level, SIM_THINK_TICKS);
    sim_set_load(s->sim, step.load);
    pacer_set_stride(&s->pacer, step.stride);
    log_warn("overload", "level=%u before=%u busy_us=%" PRIu64, s->overload.level, before, (uint64_t)(busy_ns / NS_PER_US));
}

static void judge_instances(struct server *s) {
    if (++s->budget_ticks < BUDGET_WINDOW) return;
    s->budget_ticks = 0;
    sim_instances_judge(s->sim, s->config->instances.think_us);
}

static void look_after(struct server *s, struct mono now) {
    if (mono_since_ns(now, s->followed_at) >= FOLLOW_NS) {
        s->followed_at = now;
        pacer_follow(&s->pacer, mono_now(), wall_now_ns());
        if (s->is_recording && recorder_stopped(s->recorder)) {
            s->is_recording = false;
            log_error("recording.stopped", "file=%s reason=\"the disk is too slow, or full\"",
                      LOG_QUOTE(s->options->record));
            sim_set_recorder(s->sim, NULL);
        }
    }
    if (s->pacer.tick % TELEMETRY_EVERY_TICKS < s->pacer.stride) {
        telemetry_mirror(s->telemetry, &(struct telemetry_source){.sim = s->sim,
                                                                  .edges = s->edges,
                                                                  .reporter = s->reporter,
                                                                  .neighbours = s->neighbours,
                                                                  .crossing = s->crossing,
                                                                  .statics = s->statics,
                                                                  .pacer = &s->pacer,
                                                                  .overload = &s->overload,
                                                                  .recording = s->is_recording});
    }
    health_beat(&s->health, now);
}

/* The map follows the directory. Nothing of the simulation looks at it yet. */
static void follow_map(struct server *s) {
    if (!s->statics || !static_world_follow(s->statics, sim_territory(s->sim))) return;
    const struct static_world_stats *stats = static_world_stats(s->statics);
    log_info("map.part", "chunks=%u boxes=%" PRIu64, stats->chunks, stats->boxes);
}

static void send_registrar(struct server *s, struct mono now) {
    const struct registrar_load load = {.busy_us = s->busy_us, .late_ticks = s->pacer.missed, .crossing = s->crossing};
    registrar_send(s->registrar, &load, now);
}

static void run_tick(struct server *s, struct mono now) {
    uint64_t tick = pacer_begin(&s->pacer, now);
    struct mono at = now;
    edges_receive(s->edges, registrar_directory(s->registrar), now);
    reporter_receive(s->reporter, now);
    if (registrar_receive(s->registrar, now)) log_error("directory.no_memory", "effect=%s", LOG_QUOTE("it is not followed"));
    neighbours_receive(s->neighbours, now);
    follow_map(s);
    lap(s, TELEMETRY_RECEIVE, &at);
    sim_begin(s->sim, tick);
    for (unsigned phase = 0; phase < SIM_PHASE_COUNT; phase++) {
        sim_run(s->sim, (enum sim_phase)phase);
        lap(s, (enum telemetry_phase)(TELEMETRY_SIM + phase), &at);
    }
    sim_end(s->sim);
    lap(s, TELEMETRY_RECORD, &at);
    crossing_tick(s->crossing, now);
    neighbours_send(s->neighbours);
    edges_send(s->edges, tick);
    reporter_send(s->reporter, tick, now);
    if (reporter_has_leases(s->reporter)) send_registrar(s, now);
    lap(s, TELEMETRY_SEND, &at);
    uint64_t busy_ns = mono_since_ns(at, now);
    telemetry_tick(s->telemetry, busy_ns);
    s->busy_us = (uint32_t)(((uint64_t)s->busy_us * (BUSY_TICKS - 1) + busy_ns / NS_PER_US) / BUSY_TICKS);
    judge_load(s, busy_ns);
    judge_instances(s);
    look_after(s, now);
}

/* It costs power, so only a zone with a core of its own asks for it; where that is not allowed, ticks are as they are. */
static void keep_awake(struct server *s) {
    s->awake_fd = pacer_keep_awake();
    if (s->awake_fd < 0) log_info("cpu.may_idle", "error=\"%s\"", strerror(errno));
}

/* Pins this thread alone: nng's and HTTP's are started by now, and stay where the kernel likes. */
static void take_core(struct server *s) {
    int32_t cpu = s->options->launch.has_cpu ? s->options->launch.cpu : s->zone->cpu;
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* wake at the tick, not within 50 us of it */
    if (cpu != CONFIG_CPU_NONE || s->zone->spin) keep_awake(s);
    if (cpu == CONFIG_CPU_NONE) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set)) log_warn("cpu.not_pinned", "cpu=%d error=\"%s\"", cpu, strerror(errno));
}

/* is_replaced tells whether others have taken this zone for dead. */
static bool is_replaced(const struct server *s) {
    if (registrar_is_replaced(s->registrar)) return true;
    for (uint32_t i = 0; registrar_link(s->registrar) && i < reporter_count(s->reporter); i++) {
        if (reporter_lease(s->reporter, i) == REPORTER_LEASE_STALE) return true;
    }
    return false;
}

bool server_run(struct server *s, const volatile sig_atomic_t *stopping) {
    take_core(s);
    pacer_init(&s->pacer, s->config->world.tick_hz, mono_now(), wall_now_ns());
    s->followed_at = mono_now();
    health_set_ready(&s->health, true);
    char http[ADDR_TEXT_MAX];
    log_info("zone.running", "zone=%s tick_hz=%u http=%s", s->zone->name, s->config->world.tick_hz,
             addr_format(http_address(s->http), http));
    while (!*stopping && !is_replaced(s)) {
        struct mono due = pacer_due(&s->pacer);
        bool early = mono_now().ns < due.ns;
        struct mono now = pacer_wait(due, s->zone->spin);
        if (!mono_reached(now, due)) continue; /* a signal */
        if (early) telemetry_woke(s->telemetry, mono_since_ns(now, due));
        run_tick(s, now);
    }
    log_info("zone.stopped", "zone=%s ticks_missed=%" PRIu64, s->zone->name, s->pacer.missed);
    return !is_replaced(s);
}
