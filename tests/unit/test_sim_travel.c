/* test_sim_travel.c: players that go from zone to zone are as they were, to the bit; and players whose gateway died. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/scripted_load.h"
#include "zone/rng.h"

#define M(metres) ((int32_t)((metres)*65536))

static const uint64_t SESSION = 1ULL << 32 | 7;

static struct sim *create(uint16_t zone) {
    struct sim_config config = script_config();
    config.zone_index = zone;
    config.creatures = 0;
    struct sim *sim = sim_create(&config);
    assert_non_null(sim);
    return sim;
}

/* Two zones, and one that has all of the world, in which the same happens. */
struct world {
    struct sim *zones[2], *whole;
    uint32_t at; /* the zone that has the player */
    uint64_t tick;
};

static struct world world_create(void) {
    struct world w = {.zones = {create(0), create(1)}, .whole = create(0), .tick = SCRIPT_START_TICK};
    struct game_character character = {.x = M(0), .y = M(64), .hit_points = 90, .experience = 450};
    uint64_t a = sim_attach(w.zones[0], 0, SESSION, 5, 1, &character), b = sim_attach(w.whole, 0, SESSION, 5, 1, &character);
    assert_true(a != 0 && a == b);
    return w;
}

static void world_destroy(struct world *w) {
    sim_destroy(w->zones[0]);
    sim_destroy(w->zones[1]);
    sim_destroy(w->whole);
}

static void run_tick(struct world *w) {
    w->tick++;
    sim_tick(w->zones[0], w->tick);
    sim_tick(w->zones[1], w->tick);
    sim_tick(w->whole, w->tick);
}

static struct wire_carried leave(struct world *w) {
    struct sim *from = w->zones[w->at];
    struct wire_carried carried;
    uint32_t slot = sim_slot(from, 0, SESSION);
    assert_int_not_equal(slot, SIM_SLOT_NONE);
    sim_export(from, slot, 1 - w->at, &carried);
    assert_int_equal(sim_slot(from, 0, SESSION), SIM_SLOT_NONE);
    return carried;
}

static void cross(struct world *w, uint32_t attachment) {
    struct wire_carried carried = leave(w);
    uint32_t slot;
    w->at = 1 - w->at;
    carried.attachment = attachment;
    assert_int_equal(sim_import(w->zones[w->at], 0, &carried, &slot), 0);
    assert_int_equal(slot, sim_slot(w->zones[w->at], 0, SESSION));
}

static void assert_same(const struct world *w, uint64_t seed) {
    struct sim *sim = w->zones[w->at];
    struct game_character a = sim_character(sim, sim_slot(sim, 0, SESSION)),
                          b = sim_character(w->whole, sim_slot(w->whole, 0, SESSION));
    if (a.x != b.x || a.y != b.y || a.yaw != b.yaw || a.hit_points != b.hit_points || a.experience != b.experience)
        fail_msg("seed %llu, tick %llu: %d %d is not %d %d", (unsigned long long)seed,
                 (unsigned long long)(w->tick - SCRIPT_START_TICK), a.x, a.y, b.x, b.y);
}

/* Whatever the client sends and whenever the player crosses, it is where it would be in one zone. */
static void test_travel_player_moves_as_if_there_were_one_zone(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world w = world_create();
        struct rng rng = {seed};
        uint16_t seq = 0;
        uint32_t attachment = 1;
        for (uint32_t step = 0; step < 600; step++) {
            if (rng_below(&rng, 3) == 0) {
                struct wire_input input = {.session = SESSION, .newest_seq = ++seq, .count = (uint8_t)(seq < 3 ? 1 : 3)};
                for (uint32_t i = 0; i < 3; i++)
                    input.commands[i] = (struct wire_input_command){.move = (uint8_t)((seq - i) * 7 % 11),
                                                                    .aim = (uint16_t)((seq - i) * 4000)};
                sim_input(w.zones[w.at], 0, &input);
                sim_input(w.whole, 0, &input);
            }
            run_tick(&w);
            assert_same(&w, seed);
            if (rng_below(&rng, 7) == 0) cross(&w, ++attachment);
        }
        assert_true(sim_stats(w.zones[0])->exported > 20);
        world_destroy(&w);
    }
}

static void test_travel_entity_keeps_its_id_and_is_a_ghost_where_it_was(void **state) {
    (void)state;
    struct world w = world_create();
    run_tick(&w);
    uint64_t id = sim_entities(w.zones[0])->id[0];
    uint16_t before = entities_find(sim_entities(w.zones[0]), id);
    cross(&w, 2);
    const struct entities *from = sim_entities(w.zones[0]), *to = sim_entities(w.zones[1]);
    assert_int_equal(entities_find(from, id), before);
    assert_int_equal(from->ghost_of[before], 1);
    assert_true(entities_is_own(to, entities_find(to, id)));
    cross(&w, 3); /* and back, into its ghost */
    assert_int_equal(entities_find(from, id), before);
    assert_true(entities_is_own(from, before));
    world_destroy(&w);
}

static void test_travel_first_snapshot_comes_at_once_under_the_new_stream(void **state) {
    (void)state;
    for (uint32_t wait = 0; wait < 4; wait++) {
        struct world w = world_create();
        for (uint32_t i = 0; i < wait; i++) run_tick(&w);
        cross(&w, 9);
        run_tick(&w);
        const struct output *o = sim_output(w.zones[1], 0);
        assert_int_equal(o->snapshot_count, 1);
        assert_int_equal(o->blob[o->snapshots[0].offset], 9);
        assert_int_equal(o->message_count, 0); /* no Welcome */
        world_destroy(&w);
    }
}

/* What it has heard in the zone that it left is not told to it again by that zone, as a neighbour. */
static void test_travel_speech_is_heard_once(void **state) {
    (void)state;
    struct world w = world_create();
    struct wire_speech speech = {.speaker = 9, .player = 5, .x = M(0), .y = M(64), .offset = 0, .len = 2};
    struct wire_peer_batch batch = {.speeches = &speech, .speech_count = 1, .blob = (const uint8_t *)"hi", .blob_len = 2};
    cross(&w, 2);
    sim_peer_take(w.zones[1], 0, &batch);
    assert_int_equal(sim_output(w.zones[1], 0)->message_count, 0);
    sim_peer_take(w.zones[1], 2, &batch);
    assert_int_equal(sim_output(w.zones[1], 0)->message_count, 1);
    run_tick(&w);
    sim_peer_take(w.zones[1], 0, &batch);
    assert_int_equal(sim_output(w.zones[1], 0)->message_count, 2);
    world_destroy(&w);
}

static void test_travel_what_can_not_be_is_refused(void **state) {
    (void)state;
    struct world w = world_create();
    struct wire_carried good = leave(&w), bad = good;
    uint32_t slot;
    bad.kind = GAME_KIND_CREATURE;
    assert_int_equal(sim_import(w.zones[1], 0, &bad, &slot), MARCH_ERR_INVALID);
    bad = good;
    bad.x = M(1000);
    assert_int_equal(sim_import(w.zones[1], 0, &bad, &slot), MARCH_ERR_INVALID);
    bad = good;
    bad.session = 1ULL << 32 | 1000000;
    assert_int_equal(sim_import(w.zones[1], 0, &bad, &slot), MARCH_ERR_INVALID);
    assert_int_equal(sim_import(w.zones[1], 0, &good, &slot), 0);
    assert_int_equal(sim_import(w.zones[1], 1, &good, &slot), MARCH_ERR_INVALID); /* it is there */
    assert_int_equal(sim_players(w.zones[1]), 1);
    world_destroy(&w);
}

static void test_travel_link_dead_player_stands_still_and_goes_on_under_another_session(void **state) {
    (void)state;
    struct sim *sim = create(0);
    uint64_t tick = SCRIPT_START_TICK, other = 2ULL << 32 | 9;
    struct game_character character = {.x = M(0), .y = M(64), .hit_points = 90};
    uint64_t entity = sim_attach(sim, 0, SESSION, 5, 1, &character);
    struct wire_input input = {.session = SESSION, .newest_seq = 1, .count = 1, .commands = {{.move = 2 | 1 << 2}}};
    sim_input(sim, 0, &input);
    for (int i = 0; i < 10; i++) sim_tick(sim, ++tick);
    uint32_t slot = sim_slot(sim, 0, SESSION);
    assert_true(sim_character(sim, slot).x > M(0));
    sim_orphan(sim, 0);
    int32_t x = sim_character(sim, slot).x;
    for (int i = 0; i < 10; i++) sim_tick(sim, ++tick);
    assert_int_equal(sim_character(sim, slot).x, x);
    assert_int_equal(sim_player_in(sim, slot).gateway, SIM_GATEWAY_NONE);
    assert_int_equal(sim_output(sim, 0)->snapshot_count, 0);
    assert_true(sim_rebind(sim, slot, 1, other, 4));
    assert_int_equal(sim_slot(sim, 1, other), slot);
    assert_true(sim_player_in(sim, slot).entity == entity && sim_player_in(sim, slot).attachment == 4);
    const struct output *o = sim_output(sim, 1);
    assert_true(o->attached_count == 1 && o->attached[0].entity == entity && o->message_count == 2);
    sim_destroy(sim);
}

static void test_travel_player_whose_session_is_taken_over_is_link_dead(void **state) {
    (void)state;
    struct sim *sim = create(0);
    uint64_t entity = sim_attach(sim, 0, SESSION, 5, 1, NULL), other = sim_attach(sim, 0, SESSION + 1, 6, 1, NULL);
    uint32_t slot = sim_slot(sim, 0, SESSION);
    sim_cut(sim, 0, SESSION + 7); /* nobody's */
    sim_cut(sim, 0, SESSION);
    assert_int_equal(sim_slot(sim, 0, SESSION), SIM_SLOT_NONE);
    assert_true(sim_player_in(sim, slot).gateway == SIM_GATEWAY_NONE && sim_player_in(sim, slot).entity == entity);
    assert_true(sim_player_in(sim, sim_slot(sim, 0, SESSION + 1)).entity == other);
    assert_int_equal(sim_players(sim), 2);
    sim_destroy(sim);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_travel_player_moves_as_if_there_were_one_zone),
        cmocka_unit_test(test_travel_entity_keeps_its_id_and_is_a_ghost_where_it_was),
        cmocka_unit_test(test_travel_first_snapshot_comes_at_once_under_the_new_stream),
        cmocka_unit_test(test_travel_speech_is_heard_once),
        cmocka_unit_test(test_travel_what_can_not_be_is_refused),
        cmocka_unit_test(test_travel_player_whose_session_is_taken_over_is_link_dead),
        cmocka_unit_test(test_travel_link_dead_player_stands_still_and_goes_on_under_another_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
