/* test_lineup.c: sides, roles and balance, against search of everything where that is small. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "matchmaker/lineup.h"

static struct lineup_unit unit_of(uint32_t ticket, uint32_t count, const uint8_t *masks, int32_t sum) {
    struct lineup_unit unit = {.ticket = ticket, .sum = sum, .count = (uint8_t)count};
    for (uint32_t i = 0; i < count; i++) lineup_mask(&unit, masks[i]);
    return unit;
}

/* can_all_play tries every way to give roles. */
static bool can_all_play(uint8_t places[MODE_ROLES_MAX], const uint8_t *masks, uint32_t count) {
    if (count == 0) return true;
    for (uint32_t role = 0; role < MODE_ROLES_MAX; role++) {
        if (!(masks[0] >> role & 1) || places[role] == 0) continue;
        places[role]--;
        bool can = can_all_play(places, masks + 1, count - 1);
        places[role]++;
        if (can) return true;
    }
    return false;
}

static void test_lineup_roles_fit_exactly_if_there_is_a_way(void **state) {
    (void)state;
    int fits = 0, not = 0;
    srand(3);
    for (int round = 0; round < 20000; round++) {
        uint8_t places[MODE_ROLES_MAX], left[MODE_ROLES_MAX], masks[6], roles[6];
        uint32_t count = 1 + (uint32_t)rand() % 6;
        for (int i = 0; i < MODE_ROLES_MAX; i++) left[i] = places[i] = (uint8_t)(rand() % 3);
        for (uint32_t i = 0; i < count; i++) masks[i] = (uint8_t)(1 + rand() % (rand() % 2 ? 15 : 3));
        struct lineup_side side = lineup_side_of(places);
        struct lineup_unit unit = unit_of(0, count, masks, 0);
        bool can = can_all_play(places, masks, count);
        assert_int_equal(lineup_fits(&side, &unit), can);
        if (count == 1) assert_int_equal(side.classes >> lineup_class(1, masks[0]) & 1, can);
        assert_int_equal(lineup_roles(left, masks, roles, count), can);
        for (uint32_t i = 0; i < count && can; i++) {
            assert_true(masks[i] >> roles[i] & 1);
            assert_true(places[roles[i]]-- > 0);
        }
        fits += can;
        not += !can;
    }
    assert_true(fits > 3000 && not > 3000);
}

static void test_lineup_rests_are_sums_of_sizes(void **state) {
    (void)state;
    const uint8_t any = 1;
    assert_int_equal(lineup_rests(0), 1);
    assert_int_equal(lineup_rests(1u << lineup_class(1, any)), 0x1ffff);
    uint32_t threes_and_fives = 1u << lineup_class(3, any) | 1u << lineup_class(5, any);
    assert_int_equal(lineup_rests(threes_and_fives), 0x1ff69); /* not 1, 2, 4, 7 */
    assert_int_equal(lineup_rests(1u << lineup_class(16, any)), 0x10001);
}

static void test_lineup_leaves_no_rest_that_nobody_fills(void **state) {
    (void)state;
    const uint8_t masks[MODE_TEAM_SIZE_MAX] = {1, 1, 1, 1, 1}, places[MODE_ROLES_MAX] = {5};
    struct lineup l;
    lineup_begin(&l, lineup_rests(1u << lineup_class(2, 1) | 1u << lineup_class(3, 1)), false);
    lineup_add_side(&l, places);
    lineup_add_side(&l, places);
    struct lineup_unit two = unit_of(0, 2, masks, 0), three = unit_of(1, 3, masks, 0);
    assert_true(lineup_seat(&l, &two));
    assert_true(lineup_seat(&l, &two)); /* not beside the first, where 1 would be left */
    assert_false(lineup_seat(&l, &two));
    assert_true(lineup_seat(&l, &three));
    assert_true(lineup_seat(&l, &three));
    assert_int_equal(l.free, 0);
}

/* best_gap tries every way to part eight players in two teams of four. */
static int32_t best_gap(const int32_t ratings[8]) {
    int32_t best = INT32_MAX;
    for (uint32_t set = 0; set < 256; set++) {
        int32_t gap = 0;
        if (__builtin_popcount(set) != 4) continue;
        for (uint32_t i = 0; i < 8; i++) gap += set >> i & 1 ? ratings[i] : -ratings[i];
        if (abs(gap) < best) best = abs(gap);
    }
    return (best + 3) / 4;
}

static void test_lineup_balance_is_near_the_best(void **state) {
    (void)state;
    const uint8_t mask = 1, places[MODE_ROLES_MAX] = {4};
    int64_t ours = 0, best = 0;
    srand(5);
    for (int round = 0; round < 2000; round++) {
        int32_t ratings[8], sums[2] = {0};
        struct lineup l;
        lineup_begin(&l, UINT32_MAX, false);
        lineup_add_side(&l, places);
        lineup_add_side(&l, places);
        for (uint32_t i = 0; i < 8; i++) {
            ratings[i] = rand() % 400;
            struct lineup_unit unit = unit_of(i, 1, &mask, ratings[i]);
            assert_true(lineup_seat(&l, &unit));
        }
        uint32_t gap = lineup_balance(&l);
        for (uint32_t i = 0; i < 8; i++) sums[l.units[i].side] += ratings[l.units[i].ticket];
        assert_int_equal(gap, (abs(sums[0] - sums[1]) + 3) / 4);
        assert_true((int32_t)gap >= best_gap(ratings));
        ours += gap;
        best += best_gap(ratings);
    }
    assert_true(ours - best < 2000 * 4); /* points, in the mean */
}

/* Swaps keep parties, sizes and roles. */
static void test_lineup_balance_keeps_what_was_seated(void **state) {
    (void)state;
    const uint8_t places[MODE_ROLES_MAX] = {1, 2};
    srand(6);
    for (int round = 0; round < 2000; round++) {
        uint8_t masks[9][2];
        struct lineup l;
        lineup_begin(&l, UINT32_MAX, true);
        for (int side = 0; side < 3; side++) lineup_add_side(&l, places);
        for (uint32_t i = 0; i < 9; i++) {
            uint32_t count = 1 + (uint32_t)(rand() % 3 == 0);
            for (uint32_t k = 0; k < 2; k++) masks[i][k] = (uint8_t)(1 + rand() % 3);
            struct lineup_unit unit = unit_of(i, count, masks[i], rand() % 300);
            (void)lineup_seat(&l, &unit);
        }
        if (l.free > 0) continue;
        (void)lineup_balance(&l);
        for (uint32_t side = 0; side < 3; side++) {
            uint8_t left[MODE_ROLES_MAX] = {1, 2}, team[3] = {0};
            uint32_t count = 0;
            for (uint32_t i = 0; i < l.unit_count; i++)
                for (uint32_t k = 0; k < l.units[i].count && l.units[i].side == side; k++)
                    team[count++] = masks[l.units[i].ticket][k];
            assert_int_equal(count, 3);
            assert_true(can_all_play(left, team, 3));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lineup_roles_fit_exactly_if_there_is_a_way),
        cmocka_unit_test(test_lineup_rests_are_sums_of_sizes),
        cmocka_unit_test(test_lineup_leaves_no_rest_that_nobody_fills),
        cmocka_unit_test(test_lineup_balance_is_near_the_best),
        cmocka_unit_test(test_lineup_balance_keeps_what_was_seated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
