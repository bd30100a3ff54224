/* test_migration_zones.c: creatures walk between two whole zones, by what goes over the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "zone/rng.h"
#include "zone/sim.h"

enum { HZ = 60 };

struct side {
    struct sim *sim;
    struct sightings *sightings;
    bool begins;
    _Alignas(16) uint8_t told[64 * 1024]; /* of the last tick; aligned as what the bus gives */
    size_t told_len;
};

static void side_create(struct side *side, uint16_t slot, const struct directory *d) {
    struct sim_config config = {.name = "zone",
                                .zone_index = slot,
                                .incarnation = 1,
                                .seed = 3u + slot,
                                .start_tick = 1000,
                                .players_max = 8,
                                .entities_max = 512,
                                .gateways_max = 1,
                                .sessions_max = 8,
                                .tick_hz = HZ,
                                .snapshot_hz = 20,
                                .snapshot_bytes_max = 1100,
                                .view_radius_m = 20,
                                .view_max = 64};
    side->sim = sim_create(&config);
    side->sightings = sightings_create(1u - slot, config.entities_max);
    assert_true(side->sim && side->sightings);
    assert_int_equal(sim_set_directory(side->sim, d), 0);
}

static void side_tick(struct side *side, uint32_t other, uint64_t tick, struct wire_builder *builder) {
    sim_tick(side->sim, tick);
    struct wire_peer_batch batch = {.reset = side->begins};
    struct wire_bytes bytes;
    sim_look(side->sim, side->sightings, other, &batch);
    assert_int_equal(wire_peer_batch_pack(builder, &batch, &bytes), 0);
    assert_true(bytes.len <= sizeof side->told);
    memcpy(side->told, bytes.data, bytes.len);
    side->told_len = bytes.len;
    side->begins = false;
    sim_told(side->sim, other);
    sim_looked(side->sim);
}

static void side_hear(struct side *side, const struct side *from, uint32_t slot) {
    struct wire_bus_view view;
    assert_int_equal(wire_bus_open(from->told, from->told_len, &view), 0);
    if (view.peer.reset) sightings_again(side->sightings);
    sim_peer_take(side->sim, slot, &view.peer);
}

static uint32_t own_creatures(const struct sim *sim, uint64_t ids[], uint32_t count) {
    const struct entities *e = sim_entities((struct sim *)sim);
    for (uint32_t i = 0; i < e->count; i++) {
        if (entities_is_own(e, e->alive[i])) ids[count++] = e->id[e->alive[i]];
    }
    return count;
}

static void assert_all_different(const uint64_t ids[], uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < i; j++) assert_true(ids[i] != ids[j]);
    }
}

/* Creatures wander on their own, in strips so narrow that they cross the border often; the connection ends every now and
 * then, and takes what was told last along. The ghost of who has just come over is where it is. */
static void test_migration_between_two_whole_zones_keeps_all_creatures(void **state) {
    (void)state;
    enum { EACH = 50, TICKS = 4000 };
    struct directory d = {.version = 2, .is_fixed = true, .partition_count = 2};
    for (uint32_t i = 0; i < 2; i++) {
        d.partitions[i] = (struct wire_directory_partition){.epoch = 1,
                                                            .respawn = 1,
                                                            .rect = {(int32_t)i * 6, 0, (int32_t)i * 6 + 6, 200},
                                                            .id = i,
                                                            .owner = i,
                                                            .former = WIRE_SLOT_NONE,
                                                            .creatures = EACH};
    }
    struct side *sides = aligned_alloc(16, 2 * sizeof *sides);
    memset(sides, 0, 2 * sizeof *sides);
    struct wire_builder *builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    struct rng rng = {9};
    for (uint16_t i = 0; i < 2; i++) side_create(&sides[i], i, &d);
    bool is_up = false;
    for (uint64_t tick = 1001; tick <= 1000 + TICKS; tick++) {
        bool was_up = is_up;
        if (rng_below(&rng, was_up ? 100 : 10) == 0 || tick == 1000 + TICKS - HZ) is_up = !was_up;
        if (tick > 1000 + TICKS - HZ) is_up = true;
        for (uint32_t i = 0; i < 2; i++) {
            if (was_up && is_up) side_hear(&sides[i], &sides[1 - i], 1 - i);
            if (was_up && !is_up) sim_peer_lost(sides[i].sim, 1 - i);
            if (!was_up && is_up) {
                sim_peer_up(sides[i].sim, 1 - i, true);
                sightings_reset(sides[i].sightings);
                sides[i].begins = true;
            }
        }
        for (uint32_t i = 0; i < 2; i++) side_tick(&sides[i], 1 - i, tick, builder);
        uint64_t ids[4 * EACH];
        uint32_t count = own_creatures(sides[1].sim, ids, own_creatures(sides[0].sim, ids, 0));
        assert_all_different(ids, count);
        uint32_t going = 0;
        for (uint32_t i = 0; i < 2; i++) going += sim_in_flight(sides[i].sim, (struct wire_rect){0, 0, 12, 200});
        assert_true(count + going >= 2 * EACH);
        if (tick == 1000 + TICKS) assert_true(going < 8 && count >= 2 * EACH - going);
    }
    uint64_t crossed = 0, repeated = 0;
    for (uint32_t i = 0; i < 2; i++) {
        crossed += sim_migration_stats(sides[i].sim)->taken;
        repeated += sim_migration_stats(sides[i].sim)->repeated;
        assert_int_equal(sim_migration_stats(sides[i].sim)->refused, 0);
    }
    printf("%u crossed, %u carried twice\n", (unsigned)crossed, (unsigned)repeated);
    assert_true(crossed > 100 && repeated > 0);
    for (uint32_t i = 0; i < 2; i++) {
        sightings_destroy(sides[i].sightings);
        sim_destroy(sides[i].sim);
    }
    wire_builder_destroy(builder);
    free(sides);
}

/* A zone that has just come gives away what it has while the other's directory does not list it yet. */
static void test_migration_to_a_zone_that_hears_it_later_arrives(void **state) {
    (void)state;
    enum { EACH = 50, UNHEARD = 20 };
    const struct wire_rect rect = {0, 0, 40, 40};
    struct directory d = {.version = 2, .is_fixed = true, .partition_count = 1};
    d.partitions[0] = (struct wire_directory_partition){
        .epoch = 1, .respawn = 1, .rect = rect, .owner = 0, .former = WIRE_SLOT_NONE, .creatures = EACH};
    struct side *sides = aligned_alloc(16, 2 * sizeof *sides);
    memset(sides, 0, 2 * sizeof *sides);
    struct wire_builder *builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    for (uint16_t i = 0; i < 2; i++) side_create(&sides[i], i, &d);
    d.partitions[0].epoch = ++d.version;
    d.partitions[0].owner = 1;
    for (uint16_t i = 0; i < 2; i++) assert_int_equal(sim_set_directory(sides[i].sim, &d), 0);
    sim_peer_up(sides[0].sim, 1, false);
    sides[0].begins = true;
    uint64_t tick = 1001;
    for (; tick <= 1000 + UNHEARD; tick++) side_tick(&sides[0], 1, tick, builder);
    assert_int_equal(sim_in_flight(sides[0].sim, rect), EACH);
    sim_peer_up(sides[1].sim, 0, false);
    sides[1].begins = true;
    for (uint64_t end = tick + 4; tick < end; tick++) {
        for (uint32_t i = 0; i < 2; i++) side_tick(&sides[i], 1 - i, tick, builder);
        for (uint32_t i = 0; i < 2; i++) side_hear(&sides[i], &sides[1 - i], 1 - i);
    }
    uint64_t ids[2 * EACH];
    assert_int_equal(sim_in_flight(sides[0].sim, rect), 0);
    assert_int_equal(own_creatures(sides[0].sim, ids, 0), 0);
    assert_int_equal(own_creatures(sides[1].sim, ids, 0), EACH);
    for (uint32_t i = 0; i < 2; i++) {
        sightings_destroy(sides[i].sightings);
        sim_destroy(sides[i].sim);
    }
    wire_builder_destroy(builder);
    free(sides);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_migration_between_two_whole_zones_keeps_all_creatures),
        cmocka_unit_test(test_migration_to_a_zone_that_hears_it_later_arrives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
