/* scripted_load.h: a small world and a load on it that is the same in every run, for tests of determinism and recording. */
#ifndef MARCH_TESTS_SCRIPTED_LOAD_H
#define MARCH_TESTS_SCRIPTED_LOAD_H

#include "common/item_kinds.h"
#include "zone/rng.h"
#include "zone/sim.h"

#define SCRIPT_START_TICK 100000000000ULL
#define SCRIPT_SESSIONS   96

static inline struct sim_config script_config(void) {
    return (struct sim_config){.name = "zone-0",
                               .zone_index = 3,
                               .incarnation = 9,
                               .rect = {-64, 0, 64, 128},
                               .seed = 7,
                               .start_tick = SCRIPT_START_TICK,
                               .creatures = 100,
                               .players_max = 80,
                               .entities_max = 256,
                               .gateways_max = 2,
                               .sessions_max = 64,
                               .tick_hz = 60,
                               .snapshot_hz = 20,
                               .snapshot_bytes_max = 1100,
                               .view_radius_m = 40,
                               .view_max = 64,
                               .snapshots = true};
}

static inline uint64_t script_session(uint32_t n) {
    return (uint64_t)(1 + n % 3) << 32 | n / 2;
}

/* script_character returns what a player had when it was last seen: every fourth has played before. */
static inline const struct game_character *script_character(uint32_t n, struct game_character *character) {
    *character = (struct game_character){.x = (int32_t)n * 65536 - 48 * 65536, .y = 5 * 65536, .yaw = (uint16_t)(n << 10)};
    character->hit_points = (uint16_t)(n * 2);
    character->experience = n * 40;
    return n % 4 ? NULL : character;
}

/* script_events does to a sim what happens before one tick: players come, go, walk, fight, heal and ask to rise. */
static inline void script_events(struct sim *sim, struct rng *rng, uint32_t step) {
    if (step % 5 == 0) {
        uint32_t n = rng_below(rng, SCRIPT_SESSIONS);
        struct game_character character;
        sim_attach(sim, n % 2, script_session(n), 1000 + n, 1, script_character(n, &character));
    }
    if (step % 17 == 0) {
        uint32_t n = rng_below(rng, SCRIPT_SESSIONS);
        sim_effect(sim, n % 2, script_session(n), ITEM_EFFECT_HEAL, 50);
    }
    if (step % 97 == 0) {
        uint32_t n = rng_below(rng, SCRIPT_SESSIONS);
        sim_detach(sim, n % 2, script_session(n));
    }
    if (step % 151 == 0) {
        sim_set_load(sim,
                     (struct sim_load){.snapshot_every = 1, .view_percent = 100, .think_ticks = 6 + rng_below(rng, 20)});
    }
    for (uint32_t n = 0; n < SCRIPT_SESSIONS; n++) {
        if ((step + n) % 3 || rng_below(rng, 10) == 0) continue;
        struct wire_input input = {.session = script_session(n), .newest_seq = (uint16_t)(step / 3), .count = 2};
        for (uint32_t i = 0; i < 2; i++) {
            uint32_t bits = rng_below(rng, 1u << 16);
            input.commands[i] = (struct wire_input_command){
                .move = (uint8_t)(bits & 15), .buttons = (uint8_t)((bits >> 4) & 3), .aim = (uint16_t)(bits ^ n << 9)};
        }
        sim_input(sim, n % 2, &input);
    }
}

static inline void script_clear_outputs(struct sim *sim) {
    for (uint32_t g = 0; g < sim_gateways(sim); g++) output_clear(sim_output(sim, g));
}

/* script_run runs `ticks` ticks; now and then a number is left out, as after a stall. */
static inline void script_run(struct sim *sim, uint32_t ticks) {
    struct rng rng = {1};
    uint64_t tick = SCRIPT_START_TICK;
    for (uint32_t step = 0; step < ticks; step++) {
        script_events(sim, &rng, step);
        tick += step % 211 == 210 ? 7 : 1;
        sim_tick(sim, tick);
        script_clear_outputs(sim);
    }
}

#endif
