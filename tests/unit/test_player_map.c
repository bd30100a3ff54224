/* test_player_map.c: the map against a naive array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "matchmaker/player_map.h"
#include "tests/unit/resident.h"

#define IDS       300
#define HUGE_PAGE ((size_t)2 << 20)

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

/* Through all its sizes, with as many that go as stay. */
static void test_player_map_finds_all_when_it_has_grown(void **state) {
    (void)state;
    struct player_map map;
    const uint32_t players = 100000;
    assert_int_equal(player_map_create(&map, players, 3), 0);
    uint32_t before = map.size, sizes = 0;
    for (uint32_t at = 1; at <= players; at++) {
        player_map_add(&map, id_of(at), at);
        sizes += map.size != before;
        before = map.size;
        if (at % 4 == 0) player_map_remove(&map, id_of(at / 2));
        if (at % 4 == 0) player_map_add(&map, id_of(at / 2), 2 * at);
    }
    assert_in_range(sizes, 20, 40);
    assert_true(map.size <= map.size_max && map.size / 4 * 3 >= players);
    for (uint32_t at = 1; at <= players; at++)
        assert_int_equal(player_map_find(&map, id_of(at)), at % 2 == 0 && at <= players / 2 ? 4 * at : at);
    for (uint32_t at = 1; at <= players; at++) player_map_remove(&map, id_of(at));
    assert_int_equal(map.count, 0);
    player_map_destroy(&map);
}

/* A map for millions is as small as its players are few, however it came to its size. */
static void test_player_map_takes_18_bytes_a_player(void **state) {
    (void)state;
    struct player_map map;
    const uint32_t first = 100, last = 600000;
    assert_int_equal(player_map_create(&map, 1 << 21, 7), 0);
    size_t bytes = map.size_max * sizeof *map.entries, page = RESIDENT_PAGE;
    for (uint64_t id = 1; id <= last; id++) {
        player_map_add(&map, id, (uint32_t)id);
        if (id != first && id != last) continue;
        size_t resident = resident_bytes(map.entries, bytes) + resident_bytes(map.other, bytes);
        assert_true(resident <= (id == first ? 13 * page : last * 18 + HUGE_PAGE));
    }
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
        cmocka_unit_test(test_player_map_finds_all_when_it_has_grown),
        cmocka_unit_test(test_player_map_takes_18_bytes_a_player),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
