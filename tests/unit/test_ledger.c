/* The ledger: random commands against what must always hold, and each verb's edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "tests/unit/ledger_world.h"

enum { SEEDS = 12, STEPS = 1500, BYTES = 65536 };

static uint64_t next_random(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static void test_ledger_random_commands_keep_every_rule(void **state) {
    (void)state;
    static uint8_t data[BYTES];
    uint32_t done[LEDGER_VERB_COUNT] = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        print_message("seed %d\n", (int)seed);
        uint64_t random = seed;
        for (size_t i = 0; i < BYTES; i++) data[i] = (uint8_t)next_random(&random);
        struct world *world = world_create();
        struct world_bytes bytes = {data, data + BYTES};
        for (uint32_t i = 0; i < STEPS; i++) world_step(world, &bytes);
        world_settle(world);
        for (uint32_t i = 0; i < LEDGER_VERB_COUNT; i++) done[i] += world->done[i];
        world_destroy(world);
    }
    for (uint32_t verb = LEDGER_MOVE; verb <= LEDGER_TRANSFER_DONE; verb++) {
        bool reads = verb >= LEDGER_GUILD_INFO && verb < LEDGER_GRANT;
        if (!reads && done[verb] == 0) print_error("verb %u never succeeded\n", verb);
        assert_true(reads || done[verb] > 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ledger_random_commands_keep_every_rule)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
