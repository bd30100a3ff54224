/* test_ghosts.c: four zones around a corner show each other what stands near: after each tick every ghost is where its
 * original is, to the bit, whatever connections end; and hits, gains and speech go over the border. */
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

#define M(metres)  ((int32_t)((metres)*65536))
#define START_TICK UINT64_C(1000000000)

enum { ZONES = 4, SIDE_M = 100, VIEW_M = 30, PLAYERS = 12, CREATURES = 20, ENTITIES = 512 };

struct zone {
    struct sim *sim;
    struct sightings *sightings[ZONES];
    bool begins[ZONES]; /* the next batch to that zone */
    uint8_t *told[ZONES];
    size_t told_len[ZONES];
    struct look_of { /* own entities at the end of the tick, before hits of others */
        int32_t x, y;
        int16_t vx, vy;
        uint8_t kind, yaw, health, action;
    } looks[ENTITIES];
};

struct world {
    struct zone zones[ZONES];
    struct directory directory;
    struct wire_builder *builder;
    struct rng rng;
    uint64_t tick;
};

static struct sim_config config_of(uint16_t zone) {
    return (struct sim_config){.name = "zone",
                               .zone_index = zone,
                               .incarnation = 1,
                               .seed = 7u + zone,
                               .start_tick = START_TICK,
                               .players_max = 64,
                               .entities_max = ENTITIES,
                               .gateways_max = 1,
                               .sessions_max = 64,
                               .tick_hz = 60,
                               .snapshot_hz = 20,
                               .snapshot_bytes_max = 1100,
                               .view_radius_m = VIEW_M,
                               .view_max = 64};
}

static struct world *world_create(uint32_t creatures, uint64_t seed) {
    struct world *w = calloc(1, sizeof *w);
    *w = (struct world){.tick = START_TICK, .rng = {seed}, .directory = {.version = 1, .is_fixed = true}};
    w->builder = wire_builder_create(WIRE_BUS_BYTES_MAX);
    for (uint32_t i = 0; i < ZONES; i++) {
        int32_t x = (int32_t)(i % 2) * SIDE_M, y = (int32_t)(i / 2) * SIDE_M;
        w->directory.partitions[w->directory.partition_count++] =
            (struct wire_directory_partition){.epoch = 1,
                                              .respawn = 1,
                                              .rect = {x, y, x + SIDE_M, y + SIDE_M},
                                              .id = i,
                                              .owner = i,
                                              .former = WIRE_SLOT_NONE,
                                              .creatures = creatures};
    }
    for (uint16_t i = 0; i < ZONES; i++) {
        struct sim_config config = config_of(i);
        assert_non_null(w->zones[i].sim = sim_create(&config));
        assert_int_equal(sim_set_directory(w->zones[i].sim, &w->directory), 0);
        for (uint32_t j = 0; j < ZONES; j++) {
            assert_non_null(w->zones[i].sightings[j] = sightings_create(j, config.entities_max));
            w->zones[i].begins[j] = true;
        }
    }
    return w;
}

static void world_destroy(struct world *w) {
    for (uint32_t i = 0; i < ZONES; i++) {
        sim_destroy(w->zones[i].sim);
        for (uint32_t j = 0; j < ZONES; j++) sightings_destroy(w->zones[i].sightings[j]);
    }
    wire_builder_destroy(w->builder);
    free(w);
}

/* What a zone tells another after a tick, as it goes over the wire. */
static void look(struct world *w, uint32_t from, uint32_t to) {
    struct zone *zone = &w->zones[from];
    struct wire_peer_batch batch = {.reset = zone->begins[to]};
    sim_look(zone->sim, zone->sightings[to], to, &batch);
    zone->begins[to] = false;
    struct wire_bytes bytes;
    assert_int_equal(wire_peer_batch_pack(w->builder, &batch, &bytes), 0);
    zone->told[to] = malloc(bytes.len);
    zone->told_len[to] = bytes.len;
    memcpy(zone->told[to], bytes.data, bytes.len);
}

static void take(struct world *w, uint32_t from, uint32_t to) {
    struct zone *zone = &w->zones[from];
    struct wire_bus_view view;
    assert_int_equal(wire_bus_open(zone->told[to], zone->told_len[to], &view), 0);
    if (view.peer.reset) sightings_again(w->zones[to].sightings[from]);
    sim_peer_take(w->zones[to].sim, from, &view.peer);
    free(zone->told[to]);
}

static void cut(struct world *w, uint32_t from, uint32_t to) {
    w->zones[from].begins[to] = true;
    sightings_reset(w->zones[from].sightings[to]);
    sim_peer_lost(w->zones[to].sim, from);
}

static struct look_of look_of(const struct entities *e, uint16_t n) {
    return (struct look_of){e->x[n], e->y[n], e->vx[n], e->vy[n], e->kind[n], e->yaw[n], e->health[n], e->action[n]};
}

static void run_tick(struct world *w) {
    w->tick++;
    for (uint32_t i = 0; i < ZONES; i++) {
        sim_tick(w->zones[i].sim, w->tick);
        const struct entities *e = sim_entities(w->zones[i].sim);
        for (uint32_t k = 0; k < e->count; k++) w->zones[i].looks[e->alive[k]] = look_of(e, e->alive[k]);
    }
    for (uint32_t pair = 0; pair < ZONES * ZONES; pair++) {
        if (pair / ZONES != pair % ZONES) look(w, pair / ZONES, pair % ZONES);
    }
    for (uint32_t i = 0; i < ZONES; i++) sim_looked(w->zones[i].sim);
    for (uint32_t pair = 0; pair < ZONES * ZONES; pair++) {
        if (pair / ZONES != pair % ZONES) take(w, pair / ZONES, pair % ZONES);
    }
    for (uint32_t i = 0; i < ZONES; i++) output_clear(sim_output(w->zones[i].sim, 0));
}

/* Places a player of a zone. */
static uint16_t join(struct world *w, uint32_t zone, uint32_t n, double x, double y) {
    struct sim *sim = w->zones[zone].sim;
    struct game_character character = {.x = M(x), .y = M(y), .hit_points = 100};
    uint64_t id = sim_attach(sim, 0, 1ULL << 32 | n, 1000 * (zone + 1) + n, 1, &character);
    assert_true(id != 0);
    return entities_find(sim_entities(sim), id);
}

static void input(struct world *w, uint32_t zone, uint32_t n, uint16_t seq, struct wire_input_command command) {
    struct wire_input in = {.session = 1ULL << 32 | n, .newest_seq = seq, .count = 1, .commands = {command}};
    sim_input(w->zones[zone].sim, 0, &in);
}

/* What a zone has of another: how far from it something stands (Q16.16, along the axis that is farther). */
static int64_t distance_to(const struct wire_rect *r, int32_t x, int32_t y) {
    int64_t dx = x < M(r->min_x) ? M(r->min_x) - x : x >= M(r->max_x) ? x - M(r->max_x) : 0;
    int64_t dy = y < M(r->min_y) ? M(r->min_y) - y : y >= M(r->max_y) ? y - M(r->max_y) : 0;
    return dx > dy ? dx : dy;
}

static void assert_shown(const struct world *w, uint32_t from, uint32_t to) {
    const struct entities *a = sim_entities(w->zones[from].sim), *b = sim_entities(w->zones[to].sim);
    uint32_t near = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        uint16_t n = a->alive[i];
        if (!entities_is_own(a, n)) continue;
        if (distance_to(&w->directory.partitions[to].rect, a->x[n], a->y[n]) >= M(VIEW_M) + M(VIEW_M) / 10) continue;
        near++;
        uint16_t ghost = entities_find(b, a->id[n]);
        struct look_of is = w->zones[from].looks[n], shown = {0};
        if (ghost != ENTITY_NONE) shown = look_of(b, ghost);
        if (ghost == ENTITY_NONE || b->ghost_of[ghost] != from || memcmp(&is, &shown, sizeof is) != 0) {
            fail_msg("tick %llu: entity %llx of zone %u is not the same in zone %u",
                     (unsigned long long)(w->tick - START_TICK), (unsigned long long)a->id[n], from, to);
        }
    }
    uint32_t ghosts = 0;
    for (uint32_t i = 0; i < b->count; i++) ghosts += b->ghost_of[b->alive[i]] == from;
    assert_true(ghosts >= near);
}

static void assert_all_shown(const struct world *w) {
    for (uint32_t i = 0; i < ZONES; i++) {
        for (uint32_t j = 0; j < ZONES; j++) {
            if (i != j) assert_shown(w, i, j);
        }
    }
}

static void test_ghosts_are_their_originals_to_the_bit_whatever_is_cut(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct world *w = world_create(CREATURES, seed);
        for (uint32_t z = 0; z < ZONES; z++) {
            for (uint32_t n = 0; n < PLAYERS; n++)
                join(w, z, n, SIDE_M + (z % 2 ? 1.0 : -1.0) * (1 + n * 4), SIDE_M + (z / 2 ? 1.0 : -1.0) * (1 + n % 5 * 9));
        }
        for (uint32_t step = 1; step <= 900; step++) {
            for (uint32_t k = 0; k < 6; k++) {
                struct wire_input_command command = {.move = (uint8_t)(rng_below(&w->rng, 3) | rng_below(&w->rng, 3) << 2),
                                                     .buttons = (uint8_t)rng_below(&w->rng, 4),
                                                     .aim = (uint16_t)rng_next(&w->rng)};
                input(w, rng_below(&w->rng, ZONES), rng_below(&w->rng, PLAYERS), (uint16_t)step, command);
            }
            if (step % 113 == 0) cut(w, rng_below(&w->rng, ZONES), step / 113 % ZONES);
            run_tick(w);
            assert_all_shown(w);
        }
        world_destroy(w);
    }
}

static void test_ghost_of_who_left_is_gone_and_of_who_is_cut_off_stays_for_a_moment(void **state) {
    (void)state;
    struct world *w = world_create(0, 1);
    uint16_t a = join(w, 0, 1, 99, 50), b = join(w, 0, 2, 98, 50);
    const struct entities *here = sim_entities(w->zones[0].sim), *there = sim_entities(w->zones[1].sim);
    uint64_t id_a = here->id[a], id_b = here->id[b];
    run_tick(w);
    assert_int_not_equal(entities_find(there, id_a), ENTITY_NONE);
    sim_detach(w->zones[0].sim, 0, 1ULL << 32 | 1);
    run_tick(w);
    assert_int_equal(entities_find(there, id_a), ENTITY_NONE);

    sim_peer_lost(w->zones[1].sim, 0); /* and nothing more is heard of it */
    uint32_t ticks = 0;
    while (entities_find(there, id_b) != ENTITY_NONE) {
        sim_tick(w->zones[1].sim, ++w->tick);
        assert_true(++ticks <= 60 * GHOSTS_LIMBO_MS / 1000 + 2);
    }
    assert_true(ticks >= 60 * GHOSTS_LIMBO_MS / 1000);
    world_destroy(w);
}

/* The directory of 1 does not list 0 yet when that tells of a player that stands. */
static void test_ghost_is_told_again_to_who_begins_to_hear(void **state) {
    (void)state;
    struct world *w = world_create(0, 1);
    uint64_t id = sim_entities(w->zones[0].sim)->id[join(w, 0, 1, 99, 50)];
    sim_tick(w->zones[0].sim, w->tick + 1);
    look(w, 0, 1);
    free(w->zones[0].told[1]);
    w->tick++;
    for (uint32_t i = 1; i < ZONES; i++) sim_tick(w->zones[i].sim, w->tick);
    for (int i = 0; i < 2; i++) run_tick(w);
    uint16_t ghost = entities_find(sim_entities(w->zones[1].sim), id);
    assert_int_not_equal(ghost, ENTITY_NONE);
    assert_int_equal(sim_entities(w->zones[1].sim)->ghost_of[ghost], 0);
    uint64_t told = sim_ghosts_stats(w->zones[1].sim)->told;
    run_tick(w);
    assert_int_equal(sim_ghosts_stats(w->zones[1].sim)->told, told);
    world_destroy(w);
}

static void test_ghost_told_late_or_early_is_where_it_is_by_now(void **state) {
    (void)state;
    for (int behind = -2; behind <= 2; behind++) {
        struct world *w = world_create(0, 1);
        struct sim *sim = w->zones[0].sim;
        struct wire_ghost ghost = {
            .id = 55, .x = M(50), .y = M(50), .vx = 100, .vy = -40, .kind = GAME_KIND_CREATURE, .health = 9};
        struct wire_peer_batch batch = {.tick = START_TICK - (uint64_t)behind, .ghosts = &ghost, .ghost_count = 1};
        sim_peer_take(sim, 1, &batch);
        uint16_t index = entities_find(sim_entities(sim), 55);
        assert_int_equal(sim_entities(sim)->x[index], M(50) + behind * 100 * 32);
        assert_int_equal(sim_entities(sim)->y[index], M(50) - behind * 40 * 32);
        sim_tick(sim, START_TICK + 1);
        assert_int_equal(sim_entities(sim)->x[index], M(50) + (behind + 1) * 100 * 32);
        world_destroy(w);
    }
}

static void test_ghosts_say_nothing_about_what_is_simulated_here(void **state) {
    (void)state;
    struct world *w = world_create(0, 1);
    struct sim *sim = w->zones[0].sim;
    uint16_t own = join(w, 0, 1, 50, 50);
    uint64_t id = sim_entities(sim)->id[own];
    struct wire_ghost ghost = {.id = id, .x = M(1), .y = M(1), .kind = GAME_KIND_PLAYER};
    struct wire_ghost_gone gone = {.id = id, .reason = WIRE_GONE_AWAY};
    struct wire_peer_batch batch = {.tick = START_TICK, .ghosts = &ghost, .ghost_count = 1, .gone = &gone, .gone_count = 1};
    sim_peer_take(sim, 1, &batch);
    assert_int_equal(sim_entities(sim)->x[own], M(50));
    assert_true(entities_is_own(sim_entities(sim), own));
    assert_int_equal(sim_ghosts_stats(sim)->not_ours, 2);
    world_destroy(w);
}

static void test_shot_over_the_border_kills_and_is_worth_something(void **state) {
    (void)state;
    struct world *w = world_create(0, 1);
    join(w, 0, 1, 99, 50);
    struct sim *there = w->zones[1].sim;
    uint16_t victim = join(w, 1, 1, 104, 50);
    uint16_t seq = 0;
    for (uint32_t step = 0; step < 60 * 8 && sim_stats(there)->deaths == 0; step++) {
        if (step % 10 == 0) input(w, 0, 1, ++seq, (struct wire_input_command){.move = 5, .buttons = 2, .aim = 0});
        run_tick(w);
    }
    assert_int_equal(sim_stats(there)->deaths, 1);
    assert_true(sim_stats(w->zones[0].sim)->hits_sent >= 10);
    assert_int_equal(sim_stats(there)->hits_taken, sim_stats(w->zones[0].sim)->hits_sent);
    assert_int_equal(sim_entities(there)->action[victim], GAME_ACTION_DEAD);
    run_tick(w);
    uint16_t ghost = entities_find(sim_entities(w->zones[0].sim), sim_entities(there)->id[victim]);
    assert_int_equal(sim_entities(w->zones[0].sim)->action[ghost], GAME_ACTION_DEAD);
    world_destroy(w);
}

static void heard(void *context, uint64_t player, const struct game_event *event) {
    uint64_t *out = context;
    out[0] = player;
    out[1] = event->gold;
}

static void test_creature_killed_over_the_border_drops_for_its_killer(void **state) {
    (void)state;
    struct world *w = world_create(0, 1);
    uint16_t hunter = join(w, 0, 1, 99, 50);
    struct sim *there = w->zones[1].sim;
    uint64_t loot[2] = {0};
    sim_set_watcher(there, &(struct sim_watcher){.context = loot, .loot = heard});
    w->directory.version++;
    w->directory.partitions[1].creatures = 1;
    w->directory.partitions[1].respawn = 2;
    assert_int_equal(sim_set_directory(there, &w->directory), 0);
    struct entities *e = sim_entities(there);
    uint16_t prey = e->alive[0];
    uint16_t seq = 0;
    for (uint32_t step = 0; step < 60 * 8 && loot[0] == 0; step++) {
        e->x[prey] = M(103), e->y[prey] = M(50);
        e->vx[prey] = e->vy[prey] = 0;
        if (step % 10 == 0) input(w, 0, 1, ++seq, (struct wire_input_command){.move = 5, .buttons = 2, .aim = 0});
        run_tick(w);
    }
    assert_true(loot[0] == 1001 && loot[1] > 0);
    run_tick(w);
    uint32_t slot = sim_slot(w->zones[0].sim, 0, 1ULL << 32 | 1);
    assert_int_equal(sim_character(w->zones[0].sim, slot).experience, 20);
    assert_true(entities_is_own(sim_entities(w->zones[0].sim), hunter));
    world_destroy(w);
}

static void test_speech_is_heard_over_the_border(void **state) {
    (void)state;
    struct world *w = world_create(0, 1);
    join(w, 0, 1, 99, 50);
    join(w, 1, 1, 110, 50);
    join(w, 1, 2, 180, 50);
    struct wire_builder *builder = wire_builder_create(WIRE_CLIENT_BYTES_MAX);
    struct wire_client_message message = {.kind = WIRE_CLIENT_SAY, .say = "hello over there"};
    struct wire_bytes bytes;
    assert_int_equal(wire_client_message_pack(builder, &message, &bytes), 0);
    sim_message(w->zones[0].sim, 0, 1ULL << 32 | 1, bytes.data, bytes.len);
    output_clear(sim_output(w->zones[1].sim, 0));
    w->zones[0].begins[1] = true;
    look(w, 0, 1);
    take(w, 0, 1);
    struct wire_zone_batch out = output_batch(sim_output(w->zones[1].sim, 0), w->tick);
    assert_int_equal(out.message_count, 1);
    struct wire_server_message got;
    assert_int_equal(wire_server_message_read(out.blob + out.messages[0].offset, out.messages[0].len, &got), 0);
    assert_int_equal(got.kind, WIRE_SERVER_HEARD);
    assert_string_equal(got.heard.text, "hello over there");
    assert_true(got.heard.player == 1001 && out.messages[0].session == (1ULL << 32 | 1));
    wire_builder_destroy(builder);
    world_destroy(w);
}

/* Standing creatures and players that walk straight on cost nothing. */
static void test_sightings_tell_only_what_was_not_predicted(void **state) {
    (void)state;
    struct world *w = world_create(0, 1);
    join(w, 0, 1, 90, 50);
    input(w, 0, 1, 1, (struct wire_input_command){.move = 1 << 2 | 2}); /* along x */
    run_tick(w);
    run_tick(w);
    uint64_t told = sim_ghosts_stats(w->zones[1].sim)->told;
    for (int i = 0; i < 20; i++) run_tick(w);
    assert_int_equal(sim_ghosts_stats(w->zones[1].sim)->told, told);
    world_destroy(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ghosts_are_their_originals_to_the_bit_whatever_is_cut),
        cmocka_unit_test(test_ghost_of_who_left_is_gone_and_of_who_is_cut_off_stays_for_a_moment),
        cmocka_unit_test(test_ghost_is_told_again_to_who_begins_to_hear),
        cmocka_unit_test(test_ghost_told_late_or_early_is_where_it_is_by_now),
        cmocka_unit_test(test_ghosts_say_nothing_about_what_is_simulated_here),
        cmocka_unit_test(test_shot_over_the_border_kills_and_is_worth_something),
        cmocka_unit_test(test_creature_killed_over_the_border_drops_for_its_killer),
        cmocka_unit_test(test_speech_is_heard_over_the_border),
        cmocka_unit_test(test_sightings_tell_only_what_was_not_predicted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
