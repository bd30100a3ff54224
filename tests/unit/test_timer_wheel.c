/* test_timer_wheel.c: the wheel against a naive list of times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "matchmaker/timer_wheel.h"

#define ITEMS 64

static void test_timer_wheel_takes_an_item_once_and_in_time(void **state) {
    (void)state;
    struct timer_wheel w;
    assert_int_equal(timer_wheel_create(&w, ITEMS, 1000), 0);
    timer_wheel_arm(&w, 3, 2000);
    timer_wheel_arm(&w, 4, 2000);
    assert_int_equal(timer_wheel_take(&w, 1999), TIMER_WHEEL_NONE);
    assert_int_equal(timer_wheel_take(&w, 2000 + TIMER_WHEEL_TICK_MS - 1), 3);
    assert_int_equal(timer_wheel_take(&w, 2000 + TIMER_WHEEL_TICK_MS - 1), 4);
    assert_int_equal(timer_wheel_take(&w, 500000), TIMER_WHEEL_NONE);
    timer_wheel_destroy(&w);
    timer_wheel_destroy(&w);
}

static void test_timer_wheel_past_time_is_the_next_tick(void **state) {
    (void)state;
    struct timer_wheel w;
    assert_int_equal(timer_wheel_create(&w, ITEMS, 1600), 0);
    timer_wheel_arm(&w, 0, 5);
    assert_int_equal(timer_wheel_take(&w, 1600), TIMER_WHEEL_NONE);
    assert_int_equal(timer_wheel_take(&w, 1600 + TIMER_WHEEL_TICK_MS), 0);
    timer_wheel_destroy(&w);
}

static void test_timer_wheel_far_time_is_cut_to_its_reach(void **state) {
    (void)state;
    struct timer_wheel w;
    assert_int_equal(timer_wheel_create(&w, ITEMS, 0), 0);
    timer_wheel_arm(&w, 0, 100 * (uint64_t)TIMER_WHEEL_REACH_MS);
    timer_wheel_arm(&w, 1, TIMER_WHEEL_REACH_MS);
    assert_int_equal(timer_wheel_take(&w, TIMER_WHEEL_REACH_MS - TIMER_WHEEL_TICK_MS), TIMER_WHEEL_NONE);
    assert_int_equal(timer_wheel_take(&w, TIMER_WHEEL_REACH_MS), 1);
    assert_int_equal(timer_wheel_take(&w, TIMER_WHEEL_REACH_MS + TIMER_WHEEL_TICK_MS), 0);
    timer_wheel_destroy(&w);
}

/* Whatever is armed, armed again, disarmed: taken when due, at most a tick late, never else. */
static void test_timer_wheel_random_use_matches_a_list_of_times(void **state) {
    (void)state;
    struct timer_wheel w;
    uint64_t due[ITEMS] = {0}, now = 77777; /* 0: not armed */
    srand(11);
    assert_int_equal(timer_wheel_create(&w, ITEMS, now), 0);
    for (int step = 0; step < 50000; step++) {
        uint32_t item = (uint32_t)rand() % ITEMS;
        if (rand() % 4 == 0) {
            timer_wheel_disarm(&w, item);
            due[item] = 0;
        } else {
            due[item] = now + (uint64_t)rand() % (rand() % 2 ? 200 : TIMER_WHEEL_REACH_MS - TIMER_WHEEL_TICK_MS);
            timer_wheel_arm(&w, item, due[item]);
        }
        now += (uint64_t)rand() % (rand() % 500 == 0 ? 100000 : 20);
        for (uint32_t taken; (taken = timer_wheel_take(&w, now)) != TIMER_WHEEL_NONE; due[taken] = 0)
            assert_true(due[taken] != 0 && due[taken] <= now);
        for (uint32_t i = 0; i < ITEMS; i++) assert_true(due[i] == 0 || due[i] + TIMER_WHEEL_TICK_MS >= now);
    }
    timer_wheel_destroy(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timer_wheel_takes_an_item_once_and_in_time),
        cmocka_unit_test(test_timer_wheel_past_time_is_the_next_tick),
        cmocka_unit_test(test_timer_wheel_far_time_is_cut_to_its_reach),
        cmocka_unit_test(test_timer_wheel_random_use_matches_a_list_of_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
