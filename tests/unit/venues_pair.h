/* venues_pair.h: two zones that tell each other what there is after each tick, between which a block changes hands. */
#ifndef MARCH_TESTS_UNIT_VENUES_PAIR_H
#define MARCH_TESTS_UNIT_VENUES_PAIR_H

#include <stdlib.h>

#include "tests/unit/venues_fixture.h"

struct side {
    struct sim *sim;
    struct sightings *sightings;
    bool begins;
    _Alignas(16) uint8_t told[64 * 1024];
    size_t told_len;
};

struct pair {
    bool loses; /* half of the batches, by chance */
    struct rng rng;
    struct side *sides;
    struct wire_builder *builder;
    uint64_t tick;
};

static inline struct pair pair_create(void) {
    struct pair p = {.sides = aligned_alloc(16, 2 * sizeof *p.sides),
                     .builder = wire_builder_create(WIRE_BUS_BYTES_MAX),
                     .tick = FX_START_TICK};
    memset(p.sides, 0, 2 * sizeof *p.sides);
    for (uint16_t i = 0; i < 2; i++) {
        p.sides[i].sim = fx_sim(i);
        p.sides[i].sightings = sightings_create(1u - i, 512);
        p.sides[i].begins = true;
        sim_peer_up(p.sides[i].sim, 1u - i, true);
    }
    return p;
}

static inline void pair_destroy(struct pair *p) {
    for (uint32_t i = 0; i < 2; i++) {
        sightings_destroy(p->sides[i].sightings);
        sim_destroy(p->sides[i].sim);
    }
    wire_builder_destroy(p->builder);
    free(p->sides);
}

static inline void pair_tick(struct pair *p) {
    p->tick++;
    for (uint32_t i = 0; i < 2; i++) {
        struct wire_bus_view view;
        const struct side *from = &p->sides[1 - i];
        if (from->told_len == 0 || (p->loses && rng_below(&p->rng, 2) == 0)) continue;
        assert_int_equal(wire_bus_open(from->told, from->told_len, &view), 0);
        sim_peer_take(p->sides[i].sim, 1 - i, &view.peer);
    }
    for (uint32_t i = 0; i < 2; i++) {
        struct side *side = &p->sides[i];
        output_clear(sim_output(side->sim, 0));
        sim_tick(side->sim, p->tick);
        struct wire_peer_batch batch = {.reset = side->begins};
        struct wire_bytes bytes;
        sim_look(side->sim, side->sightings, 1 - i, &batch);
        assert_int_equal(wire_peer_batch_pack(p->builder, &batch, &bytes), 0);
        assert_true(bytes.len <= sizeof side->told);
        memcpy(side->told, bytes.data, bytes.len);
        side->told_len = bytes.len;
        side->begins = false;
        sim_told(side->sim, 1 - i);
        sim_looked(side->sim);
    }
}

static inline void pair_run_ms(struct pair *p, uint32_t ms) {
    for (uint32_t i = 0; i < ms * FX_HZ / 1000; i++) pair_tick(p);
}

static inline void pair_directory(struct pair *p, const struct directory *d) {
    for (uint32_t i = 0; i < 2; i++) assert_int_equal(sim_set_directory(p->sides[i].sim, d), 0);
}

/* pair_hand_over has a player go from one zone to the other. */
static inline void pair_hand_over(struct pair *p, uint32_t from, uint64_t player) {
    struct wire_carried carried;
    uint32_t slot;
    sim_export(p->sides[from].sim, sim_slot(p->sides[from].sim, 0, player), 1 - from, &carried);
    assert_int_equal(sim_import(p->sides[1 - from].sim, 0, &carried, &slot), 0);
    sim_gone(p->sides[from].sim, carried.entity);
}

#endif
