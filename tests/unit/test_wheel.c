/* test_wheel.c: the swarm's timing wheel, against a naive twin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tools/swarm/wheel.h"

#define CLIENTS 64

static void test_wheel_client_is_due_at_its_time(void **state) {
    (void)state;
    struct wheel w;
    assert_int_equal(wheel_init(&w, CLIENTS, 1000), 0);
    wheel_add(&w, 3, 1005);
    wheel_add(&w, 4, 1005);
    wheel_add(&w, 5, 1006);
    assert_int_equal(wheel_take(&w, 1004), WHEEL_NONE);
    uint32_t a = wheel_take(&w, 1005);
    uint32_t b = wheel_take(&w, 1005);
    assert_int_equal(a + b, 7);
    assert_int_equal(wheel_take(&w, 1005), WHEEL_NONE);
    assert_int_equal(wheel_take(&w, 1100), 5);
    wheel_deinit(&w);
}

static void test_wheel_past_time_is_the_next_slot(void **state) {
    (void)state;
    struct wheel w;
    assert_int_equal(wheel_init(&w, CLIENTS, 1000), 0);
    wheel_add(&w, 1, 10);
    assert_int_equal(wheel_take(&w, 1000), WHEEL_NONE);
    assert_int_equal(wheel_take(&w, 1001), 1);
    wheel_deinit(&w);
}

static void test_wheel_far_time_is_cut_to_its_reach(void **state) {
    (void)state;
    struct wheel w;
    assert_int_equal(wheel_init(&w, CLIENTS, 0), 0);
    wheel_add(&w, 1, 1000000);
    assert_int_equal(wheel_take(&w, WHEEL_SLOTS - 2), WHEEL_NONE);
    assert_int_equal(wheel_take(&w, WHEEL_SLOTS - 1), 1);
    wheel_deinit(&w);
}

static void test_wheel_random_use_matches_a_list_of_times(void **state) {
    (void)state;
    struct wheel w;
    uint64_t due[CLIENTS] = {0}; /* 0: not in the wheel */
    srand(7);
    assert_int_equal(wheel_init(&w, CLIENTS, 1), 0);
    uint64_t now = 1;
    for (int step = 0; step < 20000; step++) {
        uint32_t client = (uint32_t)rand() % CLIENTS;
        if (due[client] == 0) {
            due[client] = now + 1 + (uint64_t)rand() % (WHEEL_SLOTS - 1);
            wheel_add(&w, client, due[client]);
        }
        now += (uint64_t)rand() % 40;
        for (uint32_t taken; (taken = wheel_take(&w, now)) != WHEEL_NONE;) {
            assert_true(due[taken] != 0 && due[taken] <= now);
            due[taken] = 0;
        }
        for (uint32_t i = 0; i < CLIENTS; i++) assert_true(due[i] == 0 || due[i] > now);
    }
    wheel_deinit(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wheel_client_is_due_at_its_time),
        cmocka_unit_test(test_wheel_past_time_is_the_next_slot),
        cmocka_unit_test(test_wheel_far_time_is_cut_to_its_reach),
        cmocka_unit_test(test_wheel_random_use_matches_a_list_of_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
