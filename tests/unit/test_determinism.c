/* The same seed and inputs give the same state, at every level of optimisation. `make test-determinism` runs this test built
 * with -O0, -O2 and -O3. When the rules change on purpose, take the golden hash from the failure's message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/scripted_load.h"
#include "tests/unit/venues_fixture.h"

#define TICKS       3000
#define GOLDEN_HASH 0x3c52dbc7ad173378ULL
#define GOLDEN_MAP  0xbe70a74348de05d7ULL

static uint64_t run_hash(struct sim_config config) {
    struct sim *sim = sim_create(&config);
    assert_non_null(sim);
    script_run(sim, TICKS);
    uint64_t hash = sim_hash(sim);
    assert_true(sim_stats(sim)->deaths > 10 && sim_stats(sim)->loots > 10 && sim_stats(sim)->effects > 10);
    sim_destroy(sim);
    return hash;
}

static void test_determinism_scripted_load_gives_golden_hash(void **state) {
    (void)state;
    uint64_t hash = run_hash(script_config());
    if (hash != GOLDEN_HASH) printf("hash is 0x%016llxULL\n", (unsigned long long)hash);
    assert_true(hash == GOLDEN_HASH);
}

static void test_determinism_snapshots_do_not_touch_the_state(void **state) {
    (void)state;
    struct sim_config config = script_config();
    config.snapshots = false;
    assert_true(run_hash(config) == GOLDEN_HASH);
}

static void test_determinism_another_seed_gives_another_hash(void **state) {
    (void)state;
    struct sim_config config = script_config();
    config.seed++;
    assert_true(run_hash(config) != GOLDEN_HASH);
}

static void test_determinism_instance_with_a_map_gives_golden_hash(void **state) {
    (void)state;
    struct rng rng = {11};
    struct fx_venue f;
    struct wire_instance_order *o = fx_open(&f);
    o->rise_ms = 500;
    for (uint16_t i = 0; i < 16; i++)
        fx_box(&f.orders, (uint16_t)(4 + i % 4 * 15), (uint16_t)(4 + i / 4 * 15), (uint16_t)(7 + i % 4 * 15),
               (uint16_t)(5 + i + i / 4 * 11));
    fx_wave(&f.orders, 20)->damage_percent = 300;
    fx_go(&f);
    for (uint32_t step = 0; step < TICKS; step++) {
        uint16_t player = (const uint16_t[]){f.a, f.b, f.c}[step % 3];
        struct game_input input = {.buttons = (uint8_t)rng_below(&rng, 4), .aim = (uint16_t)rng_below(&rng, 65536)};
        input.move_x = (int8_t)((int)rng_below(&rng, 3) - 1);
        input.move_y = (int8_t)((int)rng_below(&rng, 3) - 1);
        if (step % 20 < 3) game_input(f.sim->game, player, input);
        fx_run(f.sim, 1);
    }
    uint64_t hash = sim_hash(f.sim);
    if (hash != GOLDEN_MAP) printf("hash is 0x%016llxULL\n", (unsigned long long)hash);
    assert_true(sim_stats(f.sim)->deaths > 3);
    assert_true(hash == GOLDEN_MAP);
    fx_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_determinism_scripted_load_gives_golden_hash),
        cmocka_unit_test(test_determinism_snapshots_do_not_touch_the_state),
        cmocka_unit_test(test_determinism_another_seed_gives_another_hash),
        cmocka_unit_test(test_determinism_instance_with_a_map_gives_golden_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
