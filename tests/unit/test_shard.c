/* Which shard keeps a player: always the same one, evenly, as written down here; ids name their home. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/shard.h"

/* Players of a running world must stay where they are: the function may never change. */
static void test_shard_of_player_is_as_it_always_was(void **state) {
    (void)state;
    static const uint32_t of_seven[] = {2, 4, 2, 6, 3, 3, 2, 4, 2, 1, 1, 1, 2, 5, 0, 2};
    for (uint64_t player = 1; player <= sizeof of_seven / sizeof *of_seven; player++) {
        assert_int_equal(shard_of_player(player, 7), of_seven[player - 1]);
        assert_int_equal(shard_of_player(player, 1), 0);
    }
}

static void test_shard_of_player_spreads_consecutive_ids_evenly(void **state) {
    (void)state;
    uint32_t counts[4] = {0};
    for (uint64_t player = 1; player <= 40000; player++) counts[shard_of_player(player, 4)]++;
    for (unsigned i = 0; i < 4; i++) assert_in_range(counts[i], 9600, 10400);
}

static void test_shard_id_names_its_home(void **state) {
    (void)state;
    assert_int_equal(shard_of_id(shard_id(3, 1)), 3);
    assert_int_equal(shard_of_id(shard_id(3, (1ULL << SHARD_ID_SHIFT) - 1)), 3);
    assert_int_equal(shard_of_id(shard_id(0, 5)), 0);
}

static void test_player_id_must_be_a_positive_bigint(void **state) {
    (void)state;
    assert_false(player_id_valid(0));
    assert_true(player_id_valid(1));
    assert_true(player_id_valid(INT64_MAX));
    assert_false(player_id_valid(1ULL << 63));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shard_of_player_is_as_it_always_was),
        cmocka_unit_test(test_shard_of_player_spreads_consecutive_ids_evenly),
        cmocka_unit_test(test_shard_id_names_its_home),
        cmocka_unit_test(test_player_id_must_be_a_positive_bigint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
