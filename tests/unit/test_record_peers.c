/* test_record_peers.c: a zone with neighbours is recorded and happens again: ghosts that come, go, are let go of by a
 * neighbour that begins anew; hits, gains and creatures over the border; connections that end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "zone/record.h"
#include "zone/replay.h"
#include "zone/rng.h"
#include "zone/sim.h"

#define M(metres)  ((int32_t)((metres)*65536))
#define START_TICK 1000000u

enum { SIDE_M = 60, TICKS = 900, GHOSTS = 40, SEED = 5 };

static const struct sim_config config = {.name = "zone-0",
                                         .incarnation = 1,
                                         .rect = {0, 0, SIDE_M, SIDE_M},
                                         .seed = 42,
                                         .start_tick = START_TICK,
                                         .creatures = 30,
                                         .players_max = 16,
                                         .entities_max = 256,
                                         .gateways_max = 1,
                                         .sessions_max = 16,
                                         .tick_hz = 60,
                                         .snapshot_hz = 20,
                                         .snapshot_bytes_max = 1100,
                                         .view_radius_m = 30,
                                         .view_max = 64};

static const struct record_header header = {.hash_every = 1, .seed = 42, .start_tick = START_TICK, .incarnation = 1};

static struct directory two_zones(void) {
    struct directory d = {.version = 2, .is_fixed = true, .partition_count = 2};
    for (uint32_t i = 0; i < 2; i++) {
        d.partitions[i] =
            (struct wire_directory_partition){.epoch = 1,
                                              .respawn = 1,
                                              .rect = {(int32_t)i * SIDE_M, 0, (int32_t)(i + 1) * SIDE_M, SIDE_M},
                                              .id = i,
                                              .owner = i,
                                              .former = WIRE_SLOT_NONE,
                                              .creatures = 30};
    }
    return d;
}

static void path_of(char path[64]) {
    snprintf(path, 64, "/tmp/march-record-peers-%d.rec", (int)getpid());
    unlink(path);
}

static struct sim *sim_begun(struct recorder *recorder) {
    struct sim *sim = sim_create(&config);
    assert_non_null(sim);
    sim_set_recorder(sim, recorder);
    return sim;
}

static struct replay_result replayed(const char *path) {
    struct replay *replay;
    struct record_header read;
    struct replay_result result;
    assert_int_equal(replay_open(path, &read, &replay), 0);
    struct sim *sim = sim_create(&config);
    assert_int_equal(replay_run(replay, sim, &result), 0);
    replay_close(replay);
    sim_destroy(sim);
    return result;
}

static void assert_happens_again(const char *path, uint64_t ticks) {
    struct replay_result result = replayed(path);
    if (result.differs) fail_msg("differs at tick %u", (unsigned)(result.differs_tick - START_TICK));
    assert_int_equal(result.ticks, ticks);
    assert_int_equal(result.hashes, ticks);
}

/* A neighbour whose batch was refused begins anew without a connection that ended, and does not tell of its ghost again. */
static void test_record_neighbour_that_begins_anew_lets_go_of_its_ghosts_again(void **state) {
    (void)state;
    char path[64];
    path_of(path);
    struct recorder *recorder;
    assert_int_equal(recorder_open(path, &header, &recorder), 0);
    struct sim *sim = sim_begun(recorder);
    struct directory d = two_zones();
    assert_int_equal(sim_set_directory(sim, &d), 0);
    struct wire_ghost ghost = {.id = 99, .x = M(65), .y = M(5), .kind = GAME_KIND_CREATURE, .health = 255};
    sim_peer_take(sim, 1, &(struct wire_peer_batch){.tick = START_TICK, .reset = true, .ghosts = &ghost, .ghost_count = 1});
    uint64_t tick = START_TICK;
    for (uint32_t i = 0; i < 60; i++) sim_tick(sim, ++tick);
    assert_true(entities_find(sim_entities(sim), 99) != ENTITY_NONE);
    sim_peer_take(sim, 1, &(struct wire_peer_batch){.tick = tick, .reset = true});
    for (uint32_t i = 0; i < 60; i++) sim_tick(sim, ++tick);
    assert_int_equal(entities_find(sim_entities(sim), 99), ENTITY_NONE);
    sim_destroy(sim);
    assert_int_equal(recorder_close(recorder), 0);
    assert_happens_again(path, 120);
    unlink(path);
}

/* --- a neighbour that does anything */

struct neighbour {
    struct sightings *sightings;
    struct rng rng;
    struct wire_ghost ghosts[GHOSTS];
    struct wire_carried_creature carried;
    struct wire_creature_taken taken[MIGRATION_FLIGHTS_MAX];
    uint32_t taken_count;
    bool is_up;
    uint64_t carried_count, hit_count;
};

static void connect(struct neighbour *n, struct sim *sim) {
    if (!n->is_up) {
        sim_peer_up(sim, 1, rng_below(&n->rng, 2));
        sightings_reset(n->sightings);
    } else {
        sim_peer_lost(sim, 1);
        if (rng_below(&n->rng, 2)) sim_peer_dead(sim, 1);
        n->taken_count = 0;
    }
    n->is_up = !n->is_up;
}

/* Tells of some ghosts about the border, strikes at whatever is here, carries a creature over, answers. */
static void speak(struct neighbour *n, struct sim *sim) {
    const struct entities *e = sim_entities(sim);
    struct wire_ghost told[4];
    struct wire_hit hit = {.attacker = n->ghosts[0].id, .attacker_player = rng_below(&n->rng, 2) * 7, .damage = 5};
    struct wire_ghost_gone gone = {.id = n->ghosts[rng_below(&n->rng, GHOSTS)].id, .reason = 1 + rng_below(&n->rng, 2)};
    for (uint32_t i = 0; i < 4; i++) {
        struct wire_ghost *g = &n->ghosts[rng_below(&n->rng, GHOSTS)];
        g->vx = (int16_t)rng_between(&n->rng, -200, 200);
        g->x = rng_between(&n->rng, M(50), M(75));
        told[i] = *g;
    }
    hit.target = e->id[e->alive[rng_below(&n->rng, e->count)]];
    struct wire_peer_batch batch = {.tick = sim_now(sim),
                                    .reset = rng_below(&n->rng, 50) == 0,
                                    .ghosts = told,
                                    .ghost_count = 4,
                                    .gone = &gone,
                                    .gone_count = rng_below(&n->rng, 2),
                                    .hits = &hit,
                                    .hit_count = 1,
                                    .creatures = &n->carried,
                                    .creature_count = rng_below(&n->rng, 20) == 0,
                                    .taken = n->taken,
                                    .taken_count = n->taken_count};
    n->carried.id++;
    n->carried.tick = sim_now(sim);
    n->carried_count += batch.creature_count;
    n->taken_count = 0;
    sim_peer_take(sim, 1, &batch);
}

static void listen(struct neighbour *n, struct sim *sim) {
    struct wire_peer_batch batch = {0};
    sim_look(sim, n->sightings, 1, &batch);
    bool went = rng_below(&n->rng, 10) != 0;
    for (uint32_t i = 0; went && i < batch.creature_count; i++) {
        if (rng_below(&n->rng, 3) == 0) continue; /* under way until the connection ends */
        n->taken[n->taken_count++] = (struct wire_creature_taken){
            .id = batch.creatures[i].id, .tick = (uint32_t)batch.creatures[i].tick, .result = rng_below(&n->rng, 2)};
    }
    if (went) sim_told(sim, 1);
    n->hit_count += batch.hit_count;
}

static struct neighbour *neighbour_create(void) {
    struct neighbour *n = calloc(1, sizeof *n);
    n->rng = (struct rng){SEED};
    n->sightings = sightings_create(1, config.entities_max);
    for (uint32_t i = 0; i < GHOSTS; i++) {
        n->ghosts[i] = (struct wire_ghost){.id = UINT64_C(1) << 48 | (i + 1),
                                           .x = M(65),
                                           .y = M(1) + (int32_t)i * M(1),
                                           .kind = i % 2 ? GAME_KIND_PLAYER : GAME_KIND_CREATURE,
                                           .health = 200};
    }
    n->carried = (struct wire_carried_creature){
        .id = UINT64_C(1) << 48 | 1000, .x = M(30), .y = M(30), .kind = GAME_KIND_CREATURE, .health = 255};
    n->carried.rules[5 * 8 + 8] = 60; /* hit points */
    return n;
}

static void gain(struct sim *sim, uint64_t tick, uint64_t entity) {
    struct wire_outcome outcome = {.attacker = entity, .experience = 3, .killed = 1};
    sim_peer_take(sim, 1, &(struct wire_peer_batch){.tick = tick, .outcomes = &outcome, .outcome_count = 1});
}

/* A player loses its gateway, is given to the neighbour and comes back from there; it goes again, and stays there. */
static void give(struct sim *sim, uint64_t tick) {
    static struct wire_carried carried;
    static uint32_t slot;
    struct game_character character = {.x = M(20), .y = M(20), .hit_points = 90};
    if (tick == START_TICK + 10) (void)sim_attach(sim, 0, 1ULL << 32, 5, 1, &character);
    if (tick == START_TICK + 20) slot = sim_slot(sim, 0, 1ULL << 32);
    if (tick == START_TICK + 20) sim_orphan(sim, 0);
    if (tick == START_TICK + 30) sim_export(sim, slot, 1, &carried);
    if (tick == START_TICK + 40) {
        carried.attachment += 2;
        assert_int_equal(sim_import(sim, SIM_GATEWAY_NONE, &carried, &slot), 0);
        assert_int_equal(sim_player_in(sim, slot).gateway, SIM_GATEWAY_NONE);
        assert_int_equal(sim_character(sim, slot).experience, 3);
    }
    if (tick == START_TICK + 50) sim_export(sim, slot, 1, &carried);
    if (tick == START_TICK + 35 || tick == START_TICK + 55 || tick == START_TICK + 65) gain(sim, tick, carried.entity);
    if (tick == START_TICK + 60) sim_gone(sim, carried.entity);
}

/* Creatures are driven over the border by what the neighbour shows them. */
static void test_record_a_zone_with_a_neighbour_happens_again(void **state) {
    (void)state;
    char path[64];
    path_of(path);
    struct recorder *recorder;
    assert_int_equal(recorder_open(path, &header, &recorder), 0);
    struct sim *sim = sim_begun(recorder);
    struct neighbour *n = neighbour_create();
    struct directory d = two_zones();
    assert_int_equal(sim_set_directory(sim, &d), 0);
    for (uint64_t tick = START_TICK + 1; tick <= START_TICK + TICKS; tick++) {
        if (rng_below(&n->rng, n->is_up ? 90 : 5) == 0) connect(n, sim);
        if (n->is_up && rng_below(&n->rng, 4) != 0) speak(n, sim);
        give(sim, tick);
        if (tick == START_TICK + TICKS / 2) { /* half of it goes to the other zone, which drives many creatures out */
            d.version++;
            d.partitions[0].rect.max_x = d.partitions[1].rect.min_x = SIDE_M / 2;
            assert_int_equal(sim_set_directory(sim, &d), 0);
        }
        sim_tick(sim, tick);
        if (n->is_up) listen(n, sim);
        sim_looked(sim);
    }
    const struct migration_stats *m = sim_migration_stats(sim);
    assert_true(m->started > 20 && m->finished > 5 && m->back > 5 && m->taken > 5);
    assert_true(sim_ghosts_stats(sim)->told > 500 && sim_ghosts_stats(sim)->limbo_ended > 5);
    assert_true(sim_stats(sim)->hits_taken > 50 && n->hit_count > 0);
    sightings_destroy(n->sightings);
    free(n);
    sim_destroy(sim);
    assert_int_equal(recorder_close(recorder), 0);
    assert_happens_again(path, TICKS);
    unlink(path);
}

/* A body of one event of a peer, complete but for its slot. */
static void test_replay_of_a_peer_in_our_own_slot_is_refused(void **state) {
    (void)state;
    static const uint8_t types[] = {RECORD_EVENT_PEER, RECORD_EVENT_PEER_LOST, RECORD_EVENT_PEER_UP, RECORD_EVENT_PEER_DEAD};
    for (size_t t = 0; t < sizeof types; t++) {
        for (uint8_t slot = 0; slot < 2; slot++) {
            uint8_t body[64] = {0};
            struct byte_writer w = {.bytes = body, .size = sizeof body};
            write_uint(&w, START_TICK + 1, 8);
            write_uint(&w, 0, 8);
            write_uint(&w, 0, 1);
            write_uint(&w, types[t], 1);
            write_uint(&w, slot, 1);
            size_t len = w.len;
            if (types[t] == RECORD_EVENT_PEER) len += RECORD_PEER_BYTES;
            if (types[t] == RECORD_EVENT_PEER_UP) len++;
            struct sim *sim = sim_create(&config);
            struct replay_result result = {0};
            int error = replay_block(sim, 1, body, len, START_TICK, &result);
            assert_int_equal(error, slot == 0 ? MARCH_ERR_INVALID : 0);
            sim_destroy(sim);
        }
    }
}

static void test_replay_of_an_instance_with_members_of_others_is_refused(void **state) {
    (void)state;
    for (uint32_t members = 0; members < 2; members++) {
        struct wire_carried_instance instance = {.id = 1, .member_count = members};
        uint8_t body[64 + sizeof instance] = {0};
        struct byte_writer w = {.bytes = body, .size = sizeof body};
        write_uint(&w, START_TICK + 1, 8);
        write_uint(&w, 0, 8);
        write_uint(&w, 0, 1);
        write_uint(&w, RECORD_EVENT_PEER, 1);
        write_uint(&w, 1, 1);
        w.len += 21; /* up to what there is of instances */
        write_uint(&w, 1, 2);
        w.len += 4;
        write_bytes(&w, &instance, sizeof instance);
        struct sim *sim = sim_create(&config);
        struct replay_result result = {0};
        int error = replay_block(sim, 1, body, w.len, START_TICK, &result);
        assert_int_equal(error, members == 0 ? 0 : MARCH_ERR_INVALID);
        sim_destroy(sim);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record_neighbour_that_begins_anew_lets_go_of_its_ghosts_again),
        cmocka_unit_test(test_record_a_zone_with_a_neighbour_happens_again),
        cmocka_unit_test(test_replay_of_a_peer_in_our_own_slot_is_refused),
        cmocka_unit_test(test_replay_of_an_instance_with_members_of_others_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
