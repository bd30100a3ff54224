/* atlas_fixture.h: an atlas with a clock of its own and workers that do as they are told, for tests of it. */
#ifndef MARCH_TESTS_UNIT_ATLAS_FIXTURE_H
#define MARCH_TESTS_UNIT_ATLAS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/check.h"
#include "matchmaker/atlas.h"
#include "schemas/cells.h"

#define ATLAS_WALL_MS   1700000000000ULL
#define ATLAS_RECONNECT 200
#define ATLAS_SILENCE   500
#define ATLAS_STEP_MS   50

struct atlas_worker_fake {
    uint64_t incarnation; /* 0: it does not run */
    bool is_linked, is_silent, has_reported;
    struct directory held; /* the newest that it was told */
    struct wire_worker_report report;
    struct wire_hold holds[WIRE_PARTITIONS_MAX];
};

struct atlas_fixture {
    struct atlas atlas;
    struct mono now;
    uint64_t unix_ms;
    uint32_t shard_count;
    uint32_t shards_away; /* by bit: these don't answer */
    uint64_t incarnations;
    unsigned versions;
    struct atlas_worker_fake workers[WIRE_WORKERS_MAX];
    struct atlas_worker_fake gateways[WIRE_DIRECTORY_GATES_MAX]; /* only what gateways have */
};

/* A world of 2 x 2 partitions of 512 m and `spares` spares. */
static inline struct atlas_config atlas_fixture_config(uint32_t spares, uint32_t gateways, uint32_t shards) {
    struct atlas_config config = {.worker_count = 4 + spares,
                                  .gateway_count = gateways,
                                  .shard_count = shards,
                                  .reconnect_ms = ATLAS_RECONNECT,
                                  .silence_ms = ATLAS_SILENCE,
                                  .tick_us = 16667};
    struct directory *d = &config.initial;
    d->version = 1;
    d->worker_count = config.worker_count;
    d->gateway_count = gateways;
    for (uint32_t i = 0; i < 4; i++) {
        int32_t x = (int32_t)(i % 2) * 512, y = (int32_t)(i / 2) * 512;
        d->partitions[d->partition_count++] = (struct wire_directory_partition){.epoch = 1,
                                                                                .respawn = 1,
                                                                                .rect = {x, y, x + 512, y + 512},
                                                                                .id = i,
                                                                                .owner = i,
                                                                                .former = WIRE_SLOT_NONE,
                                                                                .creatures = 200};
    }
    return config;
}

static inline struct atlas_fixture *atlas_fixture_create(const struct atlas_config *config) {
    struct atlas_fixture *f = calloc(1, sizeof *f);
    CHECK(f);
    f->now = (struct mono){10 * NS_PER_S};
    f->unix_ms = ATLAS_WALL_MS;
    f->shard_count = config->shard_count;
    atlas_init(&f->atlas, config, f->now);
    return f;
}

/* Another atlas takes over; connections begin anew. */
static inline void atlas_fixture_restart(struct atlas_fixture *f) {
    struct atlas_config config = f->atlas.config;
    atlas_init(&f->atlas, &config, f->now);
    for (uint32_t i = 0; i < config.worker_count; i++) f->workers[i].is_linked = f->workers[i].has_reported = false;
    for (uint32_t i = 0; i < config.gateway_count; i++) f->gateways[i].is_linked = f->gateways[i].has_reported = false;
}

static inline void atlas_fixture_link(struct atlas_fixture *f, uint32_t slot) {
    f->workers[slot].is_linked = true;
    f->workers[slot].has_reported = false;
    atlas_worker_up(&f->atlas, slot, f->workers[slot].incarnation, f->now);
}

static inline void atlas_fixture_unlink(struct atlas_fixture *f, uint32_t slot) {
    if (f->workers[slot].is_linked) atlas_worker_lost(&f->atlas, slot, f->now);
    f->workers[slot].is_linked = false;
}

/* A new process in the slot, which knows nothing. */
static inline void atlas_fixture_start(struct atlas_fixture *f, uint32_t slot) {
    atlas_fixture_unlink(f, slot);
    f->workers[slot] = (struct atlas_worker_fake){.incarnation = 100 * ++f->incarnations + slot};
    atlas_fixture_link(f, slot);
}

static inline void atlas_fixture_kill(struct atlas_fixture *f, uint32_t slot) {
    atlas_fixture_unlink(f, slot);
    f->workers[slot].incarnation = 0;
}

static inline void atlas_fixture_start_gateway(struct atlas_fixture *f, uint32_t index) {
    struct atlas_worker_fake *g = &f->gateways[index];
    if (g->is_linked) atlas_gateway_lost(&f->atlas, index, f->now);
    *g = (struct atlas_worker_fake){.incarnation = 100 * ++f->incarnations + index, .is_linked = true};
    atlas_gateway_up(&f->atlas, index, g->incarnation, f->now);
}

static inline void atlas_fixture_report(struct atlas_fixture *f, uint32_t slot) {
    struct atlas_worker_fake *w = &f->workers[slot];
    if (!w->is_linked || w->is_silent) return;
    w->report.directory = (struct wire_directory){0};
    if (!w->has_reported) w->report.directory = directory_view(&w->held);
    w->report.version = w->held.version;
    w->report.holds = w->holds;
    w->has_reported = true;
    atlas_worker_report(&f->atlas, slot, &w->report, f->now);
}

static inline void atlas_fixture_report_gateway(struct atlas_fixture *f, uint32_t index) {
    struct atlas_worker_fake *g = &f->gateways[index];
    if (!g->is_linked || g->is_silent) return;
    struct wire_gateway_report report = {.version = g->held.version, .sessions = g->report.players};
    if (!g->has_reported) report.directory = directory_view(&g->held);
    g->has_reported = true;
    atlas_gateway_report(&f->atlas, index, &report, f->now);
}

static inline void atlas_fixture_answer(struct atlas_fixture *f, uint32_t shard) {
    struct wire_fence fences[WIRE_FENCES_MAX];
    if (f->shards_away >> shard & 1) return;
    uint32_t count = atlas_fences(&f->atlas, shard, fences);
    for (uint32_t i = 0; i < count; i++) atlas_fenced(&f->atlas, shard, &fences[i]);
}

static inline void atlas_fixture_tell(struct atlas_fixture *f) {
    struct wire_directory told = directory_view(&f->atlas.told);
    for (uint32_t i = 0; i < f->atlas.config.worker_count; i++)
        if (f->workers[i].is_linked && !f->workers[i].is_silent) (void)directory_take(&f->workers[i].held, &told);
    for (uint32_t i = 0; i < f->atlas.config.gateway_count; i++)
        if (f->gateways[i].is_linked && !f->gateways[i].is_silent) (void)directory_take(&f->gateways[i].held, &told);
}

/* One step as the shell makes it: time passes, everybody reports, shards answer, a version goes out. */
static inline bool atlas_fixture_step(struct atlas_fixture *f, uint64_t ms) {
    f->now = mono_add_ms(f->now, ms);
    f->unix_ms += ms;
    for (uint32_t i = 0; i < f->atlas.config.worker_count; i++) atlas_fixture_report(f, i);
    for (uint32_t i = 0; i < f->atlas.config.gateway_count; i++) atlas_fixture_report_gateway(f, i);
    for (uint32_t i = 0; i < f->shard_count; i++) atlas_fixture_answer(f, i);
    bool is_new = atlas_step(&f->atlas, f->now, f->unix_ms);
    f->versions += is_new;
    if (f->atlas.phase == ATLAS_RUNNING) atlas_fixture_tell(f);
    return is_new;
}

static inline void atlas_fixture_run(struct atlas_fixture *f, uint64_t ms) {
    for (uint64_t past = 0; past < ms; past += ATLAS_STEP_MS) (void)atlas_fixture_step(f, ATLAS_STEP_MS);
}

/* A running cluster. */
static inline struct atlas_fixture *atlas_fixture_begin_with(const struct atlas_config *config) {
    struct atlas_fixture *f = atlas_fixture_create(config);
    for (uint32_t i = 0; i < config->worker_count; i++) atlas_fixture_start(f, i);
    for (uint32_t i = 0; i < config->gateway_count; i++) atlas_fixture_start_gateway(f, i);
    atlas_fixture_run(f, 200);
    return f;
}

/* One of 4 partitions with so many spares, gateways and shards. */
static inline struct atlas_fixture *atlas_fixture_begin(uint32_t spares, uint32_t gateways, uint32_t shards) {
    struct atlas_config config = atlas_fixture_config(spares, gateways, shards);
    return atlas_fixture_begin_with(&config);
}

static inline const struct wire_directory_partition *atlas_fixture_partition(const struct atlas_fixture *f, uint32_t id) {
    return directory_find(&f->atlas.told, id);
}

#define assert_owner(f, id, slot)  assert_int_equal(atlas_fixture_partition(f, id)->owner, slot)
#define assert_former(f, id, slot) assert_int_equal(atlas_fixture_partition(f, id)->former, slot)
#define assert_worker(f, slot, is) assert_int_equal((f)->atlas.told.workers[slot].state, is)

/* atlas_fixture_hold says what a worker has in a partition. */
static inline void atlas_fixture_hold(struct atlas_fixture *f, uint32_t slot, uint32_t id, uint32_t players,
                                      uint32_t creatures, uint32_t in_flight) {
    struct atlas_worker_fake *w = &f->workers[slot];
    uint32_t i = 0;
    while (i < w->report.hold_count && w->holds[i].partition != id) i++;
    if (i == w->report.hold_count) w->report.hold_count++;
    w->holds[i] = (struct wire_hold){id, players, creatures, in_flight};
}

/* atlas_fixture_add_blocks adds blocks that nobody has yet, from a place on, one every `pitch_m`. */
static inline void atlas_fixture_add_blocks(struct directory *d, uint32_t count, int32_t x_m, int32_t pitch_m,
                                            int32_t side_m) {
    for (uint32_t n = 0; n < count; n++, x_m += pitch_m)
        d->partitions[d->partition_count++] = (struct wire_directory_partition){.epoch = 1,
                                                                                .respawn = 1,
                                                                                .rect = {x_m, 0, x_m + side_m, side_m},
                                                                                .id = CELLS_BLOCK_BIT | n,
                                                                                .owner = WIRE_SLOT_NONE,
                                                                                .former = WIRE_SLOT_NONE};
}

#endif
