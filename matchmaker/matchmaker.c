#include "matchmaker/matchmaker.h"

#include <errno.h>
#include <ev.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "common/file.h"
#include "common/health.h"
#include "common/log.h"
#include "matchmaker/front.h"
#include "matchmaker/hall.h"
#include "matchmaker/links.h"
#include "matchmaker/operator_api.h"
#include "matchmaker/tally.h"

#define TURN_S       0.02
#define MIRROR_TURNS 12 /* every 240 ms */
#define MICROS_PER_S 1000000

struct matchmaker {
    const struct launch *launch;
    const struct config *config;
    const volatile sig_atomic_t *stopping;
    struct ev_loop *loop;
    ev_timer turn;
    ev_prepare prepare;
    ev_idle busy; /* while there is more to do the loop does not sleep */
    uint64_t turns;
    struct health health;
    struct tally *tally;
    struct links *links;
    struct operator_api *http;
    struct hall *hall;
    struct front *front; /* NULL where none is configured */
    bool was_ready;
    uint8_t key[FILE_KEY_BYTES];
    struct atlas atlas;
};

/* --- files of the run directory */

static int run_path(const struct matchmaker *s, const char *name, const char *suffix, char path[PATH_MAX], char *error,
                    size_t error_size) {
    int len = snprintf(path, PATH_MAX, "%s/%s.%s", s->launch->run_dir, name, suffix);
    if (len > 0 && len < PATH_MAX) return 0;
    snprintf(error, error_size, "%s: path too long", s->launch->run_dir);
    return MARCH_ERR_INVALID;
}

static int publish(const struct matchmaker *s, const char *suffix, const char *text, char *error, size_t error_size) {
    char path[PATH_MAX];
    int result = run_path(s, s->config->matchmaker.name, suffix, path, error, error_size);
    return result ? result : file_write(path, text, strlen(text), 0600, error, error_size);
}

/* --- opening */

static void begin_atlas(struct matchmaker *s) {
    const struct config *c = s->config;
    const struct config_matchmaker *m = &c->matchmaker;
    struct atlas_config config = {.worker_count = c->zones_count,
                                  .gateway_count = c->gateways_count,
                                  .shard_count = c->persists_count,
                                  .reconnect_ms = m->reconnect_ms,
                                  .silence_ms = m->silence_ms,
                                  .tick_us = MICROS_PER_S / c->world.tick_hz,
                                  .balance = {.is_on = m->balance,
                                              .split_percent = m->split_percent,
                                              .merge_percent = m->merge_percent,
                                              .hold_ms = (uint64_t)m->balance_hold_s * 1000,
                                              .pause_ms = (uint64_t)m->balance_pause_s * 1000,
                                              .side_m = (int32_t)m->split_min_m}};
    directory_initial(&config.initial, c);
    atlas_init(&s->atlas, &config, mono_now());
}

static uint64_t new_incarnation(void) {
    uint64_t incarnation;
    do randombytes_buf(&incarnation, sizeof incarnation);
    while (incarnation == 0);
    return incarnation;
}

static int open_links(struct matchmaker *s, char *error, size_t error_size) {
    bool is_tcp = s->config->bus.transport == CONFIG_TRANSPORT_TCP;
    char path[PATH_MAX];
    int result = is_tcp ? run_path(s, "cluster", "key", path, error, error_size) : 0;
    if (!result && is_tcp) result = file_read_key(path, s->key, error, error_size);
    if (result) return result;
    struct links_config config = {.config = s->config,
                                  .run_dir = s->launch->run_dir,
                                  .hello = {.role = WIRE_ROLE_MATCHMAKER, .incarnation = new_incarnation()},
                                  .key = is_tcp ? s->key : NULL,
                                  .atlas = &s->atlas,
                                  .handlers = hall_handlers(s->hall)};
    memcpy(config.hello.name, s->config->matchmaker.name, sizeof config.hello.name);
    return links_open(&s->links, s->loop, &config, error, error_size);
}

static int open_hall(struct matchmaker *s, char *error, size_t error_size) {
    const struct hall_config config = {
        .loop = s->loop, .config_path = s->launch->config, .config = s->config, .atlas = &s->atlas};
    return hall_open(&s->hall, &config, error, error_size);
}

static int open_http(struct matchmaker *s, char *error, size_t error_size) {
    const struct operator_api_config config = {.loop = s->loop,
                                               .config = s->config,
                                               .metrics = tally_metrics(s->tally),
                                               .health = &s->health,
                                               .atlas = &s->atlas,
                                               .links = s->links,
                                               .instances = hall_api(s->hall)};
    char text[ADDR_TEXT_MAX], pid[32];
    int result = operator_api_open(&s->http, &config, error, error_size);
    if (!result) result = publish(s, "http", addr_format(operator_api_address(s->http), text), error, error_size);
    snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    return result ? result : publish(s, "pid", pid, error, error_size);
}

static int open_front(struct matchmaker *s, char *error, size_t error_size) {
    const struct front_config config = {.loop = s->loop,
                                        .config_path = s->launch->config,
                                        .config = s->config,
                                        .run_dir = s->launch->run_dir,
                                        .health = &s->health,
                                        .atlas = &s->atlas,
                                        .desk = hall_desk(s->hall),
                                        .instances = hall_instances(s->hall),
                                        .keep = hall_keep(s->hall)};
    char text[ADDR_TEXT_MAX];
    if (!config_has_front(s->config)) return 0;
    int result = front_open(&s->front, &config, error, error_size);
    return result ? result : publish(s, "front", addr_format(front_address(s->front), text), error, error_size);
}

/* --- the loop */

static void mirror(struct matchmaker *s) {
    bool is_ready = atlas_is_ready(&s->atlas);
    if (is_ready && !s->was_ready) log_info("matchmaker.ready", "version=%" PRIu64, s->atlas.told.version);
    s->was_ready = is_ready;
    health_set_ready(&s->health, is_ready);
    if (s->turns++ % MIRROR_TURNS == 0) tally_mirror(s->tally, &s->atlas, s->links, s->front, s->hall);
}

static void on_turn(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)events;
    struct matchmaker *s = timer->data;
    struct mono now = mono_now();
    links_update(s->links, now);
    health_beat(&s->health, now);
    mirror(s);
    if (s->stopping && *s->stopping) ev_break(loop, EVBREAK_ALL);
}

static void on_busy(struct ev_loop *loop, ev_idle *idle, int events) {
    (void)loop, (void)idle, (void)events;
}

static void stay_awake(struct matchmaker *s, bool is_busy) {
    if (is_busy) {
        ev_idle_start(s->loop, &s->busy);
    } else {
        ev_idle_stop(s->loop, &s->busy);
    }
}

/* Before the loop sleeps: what came is judged, and what is new goes out. */
static void on_prepare(struct ev_loop *loop, ev_prepare *prepare, int events) {
    (void)loop, (void)events;
    struct matchmaker *s = prepare->data;
    struct mono now = mono_now();
    if (atlas_step(&s->atlas, now, wall_now_ns() / NS_PER_MS))
        log_info("directory.version", "version=%" PRIu64 " partitions=%u", s->atlas.told.version,
                 s->atlas.told.partition_count);
    stay_awake(s, hall_step(s->hall, now));
    operator_api_step(s->http, now);
    links_flush(s->links, now);
    histogram_record(tally_step_ns(s->tally), mono_since_ns(mono_now(), now));
}

static int open_parts(struct matchmaker *s, char *error, size_t error_size) {
    s->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    s->tally = tally_create(s->config->matchmaker.name);
    if (!s->loop || !s->tally || sodium_init() < 0) return MARCH_ERR_SYSTEM;
    begin_atlas(s);
    int result = open_hall(s, error, error_size);
    if (!result) result = open_links(s, error, error_size);
    if (!result) result = open_front(s, error, error_size);
    if (!result) result = open_http(s, error, error_size);
    if (result) return result;
    hall_connect(s->hall, s->links, s->front);
    ev_timer_init(&s->turn, on_turn, 0, TURN_S);
    ev_prepare_init(&s->prepare, on_prepare);
    ev_idle_init(&s->busy, on_busy);
    s->turn.data = s->prepare.data = s;
    ev_timer_start(s->loop, &s->turn);
    ev_prepare_start(s->loop, &s->prepare);
    return 0;
}

int matchmaker_open(struct matchmaker **out, const struct launch *launch, const struct config *config, char *error,
                    size_t error_size) {
    *out = NULL;
    snprintf(error, error_size, "out of memory");
    struct matchmaker *s = calloc(1, sizeof *s);
    if (!s) return MARCH_ERR_SYSTEM;
    CHECK(config_has_matchmaker(config));
    s->launch = launch;
    s->config = config;
    health_init(&s->health, mono_now());
    int result = open_parts(s, error, error_size);
    if (result) {
        matchmaker_close(s);
        return result;
    }
    *out = s;
    return 0;
}

void matchmaker_turn(struct matchmaker *s) {
    ev_run(s->loop, EVRUN_NOWAIT);
}

/* Pins this thread alone: those of nng and HTTP are started by now, and stay where the kernel likes. */
static void take_core(const struct matchmaker *s) {
    int32_t cpu = s->launch->has_cpu ? s->launch->cpu : s->config->matchmaker.cpu;
    if (cpu == CONFIG_CPU_NONE) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set)) log_warn("cpu.not_pinned", "cpu=%d error=\"%s\"", cpu, strerror(errno));
}

void matchmaker_run(struct matchmaker *s, const volatile sig_atomic_t *stopping) {
    char text[ADDR_TEXT_MAX];
    s->stopping = stopping;
    take_core(s);
    log_info("matchmaker.running", "http=%s zones=%u gateways=%u persists=%u",
             addr_format(operator_api_address(s->http), text), s->config->zones_count, s->config->gateways_count,
             s->config->persists_count);
    if (s->front) log_info("front.open", "address=%s", addr_format(front_address(s->front), text));
    ev_run(s->loop, 0);
    log_info("matchmaker.stopped", "version=%" PRIu64, s->atlas.told.version);
}

void matchmaker_close(struct matchmaker *s) {
    if (!s) return;
    if (ev_is_active(&s->turn)) ev_timer_stop(s->loop, &s->turn);
    if (ev_is_active(&s->prepare)) ev_prepare_stop(s->loop, &s->prepare);
    if (ev_is_active(&s->busy)) ev_idle_stop(s->loop, &s->busy);
    if (s->hall) hall_connect(s->hall, NULL, NULL);
    operator_api_close(s->http);
    front_close(s->front);
    links_close(s->links);
    hall_close(s->hall);
    tally_destroy(s->tally);
    if (s->loop) ev_loop_destroy(s->loop);
    sodium_memzero(s->key, sizeof s->key);
    free(s);
}

const struct addr *matchmaker_address(const struct matchmaker *s) {
    return operator_api_address(s->http);
}

const struct atlas *matchmaker_atlas(const struct matchmaker *s) {
    return &s->atlas;
}
