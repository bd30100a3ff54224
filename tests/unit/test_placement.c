/* test_placement.c: which gateways a player is sent to, against a naive twin; and how often one player may ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "matchmaker/pace.h"
#include "matchmaker/placement.h"

#define ROUNDS 20000

static const char *const REGIONS[] = {"eu", "us", "asia"};

static int64_t taken(const struct placement_gateway *g) {
    return (int64_t)g->players * 100 - (g->was_last ? (int64_t)g->places * 10 : 0);
}

/* Chooses the best of those that are left, again and again. */
static uint32_t naive(const struct placement_gateway *g, uint32_t count, const char *region,
                      uint32_t chosen[PLACEMENT_MAX]) {
    bool is_taken[CONFIG_GATEWAYS_MAX] = {false};
    uint32_t chosen_count = 0;
    for (; chosen_count < PLACEMENT_MAX; chosen_count++) {
        uint32_t best = count;
        for (uint32_t i = 0; i < count; i++) {
            if (is_taken[i] || !g[i].is_open || g[i].players >= g[i].places) continue;
            if (best == count) best = i;
            bool here = region && strcmp(g[i].region, region) == 0, there = region && strcmp(g[best].region, region) == 0;
            bool less = taken(&g[i]) * g[best].places < taken(&g[best]) * g[i].places;
            if ((here && !there) || (here == there && less)) best = i;
        }
        if (best == count) break;
        is_taken[best] = true;
        chosen[chosen_count] = best;
    }
    return chosen_count;
}

static void test_placement_is_that_of_the_naive_twin(void **state) {
    (void)state;
    srand(1);
    for (int round = 0; round < ROUNDS; round++) {
        struct placement_gateway gateways[CONFIG_GATEWAYS_MAX];
        uint32_t expected[PLACEMENT_MAX] = {0}, chosen[PLACEMENT_MAX] = {0};
        uint32_t count = (uint32_t)rand() % (CONFIG_GATEWAYS_MAX + 1);
        for (uint32_t i = 0; i < count; i++)
            gateways[i] = (struct placement_gateway){.is_open = rand() % 4 != 0,
                                                     .was_last = rand() % 4 == 0,
                                                     .players = (uint32_t)rand() % 12,
                                                     .places = 1 + (uint32_t)rand() % 12,
                                                     .region = REGIONS[rand() % 3]};
        const char *region = rand() % 2 ? REGIONS[rand() % 3] : NULL;
        uint32_t chosen_count = placement_choose(gateways, count, region, chosen);
        assert_int_equal(chosen_count, naive(gateways, count, region, expected));
        assert_memory_equal(chosen, expected, sizeof chosen);
    }
}

static void test_placement_prefers_the_region_then_the_least_share(void **state) {
    (void)state;
    const struct placement_gateway gateways[] = {
        {true, false, 50, 100, "eu"}, {true, false, 100, 1000, "us"}, {true, false, 40, 100, "eu"},
        {false, true, 0, 100, "eu"},  {true, false, 100, 100, "eu"},
    };
    uint32_t chosen[PLACEMENT_MAX];
    assert_int_equal(placement_choose(gateways, 5, "eu", chosen), 3);
    assert_int_equal(chosen[0], 2);
    assert_int_equal(chosen[1], 0);
    assert_int_equal(chosen[2], 1);
    assert_int_equal(placement_choose(gateways, 5, NULL, chosen), 3);
    assert_int_equal(chosen[0], 1);
    assert_int_equal(placement_choose(gateways, 0, NULL, chosen), 0);
}

static void test_pace_allows_a_burst_and_then_one_at_a_time(void **state) {
    (void)state;
    struct pace *pace = calloc(1, sizeof *pace);
    struct mono now = {77 * NS_PER_S};
    assert_non_null(pace);
    for (int i = 0; i < PACE_BURST; i++) assert_int_equal(pace_take(pace, 5, now), 0);
    assert_int_equal(pace_take(pace, 5, now), 1);
    assert_int_equal(pace_take(pace, 6, now), 0); /* another player's affair */
    now = mono_add_ms(now, PACE_MS - 1);
    assert_int_equal(pace_take(pace, 5, now), 1);
    now = mono_add_ms(now, 1);
    assert_int_equal(pace_take(pace, 5, now), 0);
    assert_int_equal(pace_take(pace, 5, now), 1);
    now = mono_add_ms(now, 100 * PACE_MS); /* what was not used does not add up */
    for (int i = 0; i < PACE_BURST; i++) assert_int_equal(pace_take(pace, 5, now), 0);
    assert_int_equal(pace_take(pace, 5, now), 1);
    free(pace);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_placement_is_that_of_the_naive_twin),
        cmocka_unit_test(test_placement_prefers_the_region_then_the_least_share),
        cmocka_unit_test(test_pace_allows_a_burst_and_then_one_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
