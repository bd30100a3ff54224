/* The same seed and inputs give the same state, at every level of optimisation. `make test-determinism` runs this test built
 * with -O0, -O2 and -O3. When the rules change on purpose, take the golden hash from the failure's message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/scripted_load.h"

#define TICKS       3000
#define GOLDEN_HASH 0x3c52dbc7ad173378ULL

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_determinism_scripted_load_gives_golden_hash),
        cmocka_unit_test(test_determinism_snapshots_do_not_touch_the_state),
        cmocka_unit_test(test_determinism_another_seed_gives_another_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
