/* test_player_map.c: the map against a naive array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "matchmaker/player_map.h"
#include "tests/unit/resident.h"

#define IDS 300

/* Of the lower half, the upper, or both. */
static uint64_t id_of(uint32_t at) {
    return (at % 3 != 0 ? at : 0) | (at % 3 != 1 ? (uint64_t)at << 32 : 0);
}

static void test_player_map_random_use_matches_an_array(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct player_map map;
        uint32_t values[IDS + 1], count = 0;
        srand((unsigned)seed);
        assert_int_equal(player_map_create(&map, IDS / 2, seed), 0);
        for (int i = 0; i <= IDS; i++) values[i] = PLAYER_MAP_NONE;
        for (int step = 0; step < 10000; step++) {
            uint32_t at = 1 + (uint32_t)rand() % IDS;
            uint64_t id = id_of(at);
            assert_int_equal(player_map_find(&map, id), values[at]);
            if (values[at] != PLAYER_MAP_NONE) {
                player_map_remove(&map, id);
                values[at] = PLAYER_MAP_NONE;
                count--;
            } else if (count < IDS / 2) {
                values[at] = (uint32_t)rand();
                player_map_add(&map, id, values[at]);
                count++;
            }
            assert_int_equal(map.count, count);
        }
        for (uint32_t at = 1; at <= IDS; at++) assert_int_equal(player_map_find(&map, id_of(at)), values[at]);
        assert_int_equal(player_map_find(&map, 0), PLAYER_MAP_NONE);
        player_map_destroy(&map);
    }
}

/* A few players of a map for millions cost no more than a page each, and are found when it gets larger ones. */
static void test_player_map_touches_what_it_uses(void **state) {
    (void)state;
    struct player_map map;
    const uint32_t players = 4000;
    assert_int_equal(player_map_create(&map, 1 << 21, 7), 0);
    size_t bytes = map.size * sizeof *map.entries;
    for (uint64_t id = 1; id <= 100; id++) player_map_add(&map, id, (uint32_t)id);
    assert_true(resident_bytes(map.entries, bytes) <= 104 * RESIDENT_PAGE);
    assert_true(map.fills_at > 100 && map.fills_at < players);
    for (uint64_t id = 101; id <= players; id++) player_map_add(&map, id, (uint32_t)id);
    assert_int_equal(map.fills_at, 0);
    for (uint64_t id = 1; id <= players; id++) assert_int_equal(player_map_find(&map, id), id);
    player_map_destroy(&map);
}

static void test_player_map_of_one(void **state) {
    (void)state;
    struct player_map map;
    assert_int_equal(player_map_create(&map, 1, 5), 0);
    assert_int_equal(player_map_find(&map, 7), PLAYER_MAP_NONE);
    player_map_add(&map, 7, 1);
    assert_int_equal(player_map_find(&map, 7), 1);
    assert_int_equal(player_map_find(&map, 7ULL << 32), PLAYER_MAP_NONE);
    player_map_remove(&map, 7);
    player_map_add(&map, 7ULL << 32, 2);
    assert_int_equal(player_map_find(&map, 7ULL << 32), 2);
    player_map_destroy(&map);
    player_map_destroy(&map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_player_map_random_use_matches_an_array),
        cmocka_unit_test(test_player_map_of_one),
        cmocka_unit_test(test_player_map_touches_what_it_uses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
