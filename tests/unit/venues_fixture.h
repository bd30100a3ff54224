/* venues_fixture.h: a zone with a part of the world and a block, and orders for it, for tests of instances. */
#ifndef MARCH_TESTS_UNIT_VENUES_FIXTURE_H
#define MARCH_TESTS_UNIT_VENUES_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/check.h"
#include "schemas/cells.h"
#include "zone/game_rules.h"
#include "zone/sim_inner.h"

#define M(metres) ((int32_t)((metres)*65536))

enum {
    FX_HZ = 60,
    FX_START_TICK = 100000,
    FX_BLOCK_X = 200,
    FX_SIDE = 64,
    FX_PITCH = 120,
    FX_CELLS = 32,
    FX_PLAYERS = 64,
    FX_ORDERS = 8,
    FX_MEMBERS = 20,
    FX_BEGUN_MS = 1300, /* an order has settled, and one look since has begun its first wave */
    FX_LOOK_MS = 400
};

static const struct cells fx_cells = {FX_CELLS, FX_SIDE, FX_PITCH};

/* What the matchmaker says: `orders` points into the rest. */
struct fx_orders {
    struct wire_instance_orders orders;
    struct wire_instance_order instances[FX_ORDERS];
    struct wire_instance_wave waves[FX_ORDERS * 4];
    struct wire_instance_spot spots[FX_ORDERS * 4];
    struct wire_instance_box boxes[WIRE_INSTANCE_BOXES_MAX];
    struct wire_instance_member members[FX_MEMBERS]; /* of all: players 1 to FX_MEMBERS */
    struct wire_travel travels[FX_PLAYERS];
};

/* The world lies in x 0 to 64, the block from FX_BLOCK_X on. */
static inline struct directory fx_directory(uint64_t version, uint32_t block_owner, uint32_t block_former) {
    return (struct directory){.version = version,
                              .is_fixed = true,
                              .partition_count = 2,
                              .partitions = {{.epoch = 1, .rect = {0, 0, 64, 64}, .former = WIRE_SLOT_NONE},
                                             {.epoch = version,
                                              .rect = {FX_BLOCK_X, 0, FX_BLOCK_X + 16 * FX_PITCH, 2 * FX_PITCH},
                                              .id = CELLS_BLOCK_BIT,
                                              .owner = block_owner,
                                              .former = block_former}}};
}

static inline struct sim_config fx_config(uint16_t slot) {
    struct sim_config config = {.name = "zone",
                                .zone_index = slot,
                                .incarnation = 1,
                                .seed = 3u + slot,
                                .start_tick = FX_START_TICK,
                                .players_max = FX_PLAYERS,
                                .entities_max = 512,
                                .gateways_max = 1,
                                .sessions_max = FX_PLAYERS,
                                .tick_hz = FX_HZ,
                                .snapshot_hz = 20,
                                .snapshot_bytes_max = 1100,
                                .view_radius_m = 40,
                                .view_max = 64,
                                .cells = fx_cells,
                                .snapshots = true};
    return config;
}

static inline struct sim *fx_sim(uint16_t slot) {
    struct sim_config config = fx_config(slot);
    struct directory d = fx_directory(2, 0, WIRE_SLOT_NONE);
    struct sim *sim = sim_create(&config);
    CHECK(sim && sim_set_directory(sim, &d) == 0);
    return sim;
}

static inline void fx_run(struct sim *sim, uint32_t ticks) {
    while (ticks-- > 0) {
        output_clear(sim_output(sim, 0));
        sim_tick(sim, sim_now(sim) + 1);
        sim_looked(sim);
    }
}

static inline void fx_run_ms(struct sim *sim, uint32_t ms) {
    fx_run(sim, ms * FX_HZ / 1000);
}

/* fx_begin starts a message; fx_order adds an instance without waves or spots in a cell, to be changed at will. */
static inline void fx_begin(struct fx_orders *o) {
    *o = (struct fx_orders){0};
    for (uint32_t i = 0; i < FX_MEMBERS; i++) o->members[i].player = i + 1;
    o->orders = (struct wire_instance_orders){.instances = o->instances,
                                              .waves = o->waves,
                                              .spots = o->spots,
                                              .boxes = o->boxes,
                                              .members = o->members,
                                              .member_count = FX_MEMBERS,
                                              .travels = o->travels};
}

static inline struct wire_instance_order *fx_order(struct fx_orders *o, uint32_t id, uint32_t cell) {
    struct wire_instance_order *order = &o->instances[o->orders.instance_count++];
    *order = (struct wire_instance_order){.seed = 7,
                                          .id = id,
                                          .block = CELLS_BLOCK_BIT,
                                          .cell = cell,
                                          .state = WIRE_INSTANCE_RUN,
                                          .version = 1,
                                          .side_m = FX_SIDE,
                                          .team_count = 2,
                                          .rise_ms = 2000,
                                          .first_wave = o->orders.wave_count,
                                          .first_spot = o->orders.spot_count,
                                          .first_box = o->orders.box_count,
                                          .member_count = FX_MEMBERS};
    return order;
}

/* Of the newest order. */
static inline struct wire_instance_wave *fx_wave(struct fx_orders *o, uint32_t creatures) {
    o->instances[o->orders.instance_count - 1].wave_count++;
    struct wire_instance_wave *wave = &o->waves[o->orders.wave_count++];
    *wave = (struct wire_instance_wave){.creatures = creatures, .health_percent = 100, .damage_percent = 100};
    return wave;
}

static inline void fx_spot(struct fx_orders *o, uint16_t x, uint16_t y, uint16_t radius, uint16_t team) {
    o->instances[o->orders.instance_count - 1].spot_count++;
    o->spots[o->orders.spot_count++] = (struct wire_instance_spot){x, y, radius, team};
}

static inline void fx_box(struct fx_orders *o, uint16_t x_min, uint16_t y_min, uint16_t x_max, uint16_t y_max) {
    CHECK(o->orders.box_count < WIRE_INSTANCE_BOXES_MAX);
    o->instances[o->orders.instance_count - 1].box_count++;
    o->boxes[o->orders.box_count++] = (struct wire_instance_box){x_min, y_min, x_max, y_max};
}

/* The place of a cell's corner and some metres. */
static inline int32_t fx_x(uint32_t cell, int32_t m) {
    return M(FX_BLOCK_X + (int32_t)cell * FX_PITCH + m);
}

static inline void fx_travel(struct fx_orders *o, uint64_t player, uint32_t instance, uint32_t team, int32_t x, int32_t y) {
    o->travels[o->orders.travel_count++] = (struct wire_travel){player, x, y, instance, team};
}

/* fx_attach brings a player in, at home at 10, 20, and returns the index of its entity. */
static inline uint16_t fx_attach(struct sim *sim, uint64_t player) {
    struct game_character character = {.x = M(10), .y = M(20), .hit_points = 90, .experience = 150};
    uint64_t entity = sim_attach(sim, 0, player, player, 1, &character);
    CHECK(entity != 0);
    return entities_find(sim_entities(sim), entity);
}

static inline uint16_t fx_index(const struct sim *sim, uint64_t player) {
    return sim_entity_of(sim, sim_slot(sim, 0, player));
}

static inline void fx_kill(struct sim *sim, uint16_t index, uint16_t by) {
    game_hurt(sim->game, index, INT16_MAX, by);
}

/* fx_kill_creatures has one kill so many of an instance's creatures. */
static inline void fx_kill_creatures(struct sim *sim, uint32_t instance, uint16_t by, uint32_t count) {
    for (uint32_t n = 0; n < game_creatures(sim->game) && count > 0; n++) {
        uint16_t index = game_creature(sim->game, n);
        struct game_guest guest = game_guest(sim->game, index);
        if (guest.instance != instance || !guest.is_alive) continue;
        fx_kill(sim, index, by);
        count--;
    }
}

static inline uint32_t fx_creatures(const struct sim *sim, uint32_t instance) {
    uint32_t count = 0;
    for (uint32_t n = 0; n < game_creatures(sim->game); n++) {
        struct game_guest guest = game_guest(sim->game, game_creature(sim->game, n));
        count += guest.instance == instance && guest.is_alive;
    }
    return count;
}

/* fx_status returns what is told of an instance, id 0 when nothing is. */
static inline struct wire_instance_status fx_status(struct sim *sim, uint32_t id) {
    struct wire_instance_report report;
    sim_instance_report(sim, &report);
    for (uint32_t i = 0; i < report.instance_count; i++) {
        if (report.instances[i].id == id) return report.instances[i];
    }
    return (struct wire_instance_status){0};
}

static inline struct wire_presence fx_presence(struct sim *sim, uint64_t player) {
    struct wire_instance_report report;
    sim_instance_report(sim, &report);
    for (uint32_t i = 0; i < report.player_count; i++) {
        if (report.players[i].player == player) return report.players[i];
    }
    return (struct wire_presence){0};
}

/* --- a sim, an instance 5 in cell 1, and two players of team 0 and one of team 1 for it */

struct fx_venue {
    struct sim *sim;
    struct fx_orders orders;
    uint16_t a, b, c;
};

static inline struct wire_instance_order *fx_open(struct fx_venue *f) {
    *f = (struct fx_venue){.sim = fx_sim(0)};
    f->a = fx_attach(f->sim, 1);
    f->b = fx_attach(f->sim, 2);
    f->c = fx_attach(f->sim, 3);
    fx_begin(&f->orders);
    return fx_order(&f->orders, 5, 1);
}

/* fx_go has them travel there. */
static inline void fx_go(struct fx_venue *f) {
    fx_travel(&f->orders, 1, 5, 0, fx_x(1, 10), M(10));
    fx_travel(&f->orders, 2, 5, 0, fx_x(1, 12), M(10));
    fx_travel(&f->orders, 3, 5, 1, fx_x(1, 40), M(40));
    sim_instance_orders(f->sim, &f->orders.orders);
}

static inline void fx_close(struct fx_venue *f) {
    sim_destroy(f->sim);
}

static inline void fx_assert_home(const struct sim *sim, uint16_t index) {
    const struct entities *e = sim->entities;
    assert_int_equal(e->x[index], M(10) + 32768);
    assert_int_equal(e->y[index], M(20) + 32768);
    assert_int_equal(game_guest(sim->game, index).instance, 0);
    assert_true(game_guest(sim->game, index).is_alive);
}

#endif
