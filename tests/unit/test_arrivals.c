/* test_arrivals.c: which creatures came of late, against a naive list; full; time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "zone/arrivals.h"
#include "zone/rng.h"

enum { HZ = 60, KEEP_TICKS = HZ * ARRIVALS_KEEP_MS / 1000, SWEEP_TICKS = 3 * HZ, IDS = 64, STEPS = 20000 };

static void test_arrivals_keeps_the_newest_tick_of_each(void **state) {
    (void)state;
    struct arrivals *a = arrivals_create(HZ);
    assert_int_equal(arrivals_find(a, 7), 0);
    arrivals_note(a, 7, 500, 1);
    arrivals_note(a, 8, 600, 1);
    arrivals_note(a, 7, 501, 2);
    assert_int_equal(arrivals_find(a, 7), 501);
    assert_int_equal(arrivals_find(a, 8), 600);
    assert_int_equal(arrivals_count(a), 2);
    arrivals_destroy(a);
}

static void test_arrivals_when_full_has_room_only_for_those_it_knows(void **state) {
    (void)state;
    struct arrivals *a = arrivals_create(HZ);
    for (uint64_t id = 1; id <= ARRIVALS_MAX; id++) {
        assert_true(arrivals_has_room(a, id));
        arrivals_note(a, id, id, 1);
    }
    assert_false(arrivals_has_room(a, ARRIVALS_MAX + 1));
    assert_true(arrivals_has_room(a, 1));
    for (uint64_t id = 1; id <= ARRIVALS_MAX; id++) assert_int_equal(arrivals_find(a, id), id);
    arrivals_destroy(a);
}

static void test_arrivals_keeps_for_the_whole_time_and_not_much_longer(void **state) {
    (void)state;
    struct arrivals *a = arrivals_create(HZ);
    for (uint64_t id = 1; id <= ARRIVALS_MAX; id++) arrivals_note(a, id, id, 1);
    uint64_t now = 1;
    while (now < KEEP_TICKS) arrivals_expire(a, ++now);
    assert_int_equal(arrivals_count(a), ARRIVALS_MAX);
    arrivals_renew(a, now);
    for (uint64_t end = now + KEEP_TICKS - 1; now < end;) arrivals_expire(a, ++now);
    assert_int_equal(arrivals_count(a), ARRIVALS_MAX);
    for (uint64_t end = now + SWEEP_TICKS; now < end;) arrivals_expire(a, ++now);
    assert_int_equal(arrivals_count(a), 0);
    for (uint64_t id = 1; id <= ARRIVALS_MAX; id++) assert_int_equal(arrivals_find(a, id), 0);
    arrivals_destroy(a);
}

/* Ids that share their low bits after hashing meet often enough among IDS of them that chains are cut everywhere. */
static void test_arrivals_find_is_right_in_any_order_of_endings(void **state) {
    (void)state;
    struct arrivals *a = arrivals_create(HZ);
    struct rng rng = {20};
    struct {
        uint64_t id, tick, noted;
    } twin[IDS * 32] = {{0}};
    uint32_t count = sizeof twin / sizeof *twin;
    for (uint32_t i = 0; i < count; i++) twin[i].id = rng_next(&rng);
    uint64_t now = 1;
    for (uint32_t step = 0; step < STEPS; step++) {
        if (rng_below(&rng, 4) == 0) now++;
        uint32_t i = rng_below(&rng, count);
        twin[i].tick = now + 1;
        twin[i].noted = now;
        arrivals_note(a, twin[i].id, now + 1, now);
        arrivals_expire(a, now);
        uint32_t at = rng_below(&rng, count);
        uint64_t found = arrivals_find(a, twin[at].id);
        if (twin[at].noted != 0 && now < twin[at].noted + KEEP_TICKS) assert_int_equal(found, twin[at].tick);
        if (found != 0) assert_int_equal(found, twin[at].tick);
    }
    arrivals_destroy(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrivals_keeps_the_newest_tick_of_each),
        cmocka_unit_test(test_arrivals_when_full_has_room_only_for_those_it_knows),
        cmocka_unit_test(test_arrivals_keeps_for_the_whole_time_and_not_much_longer),
        cmocka_unit_test(test_arrivals_find_is_right_in_any_order_of_endings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
