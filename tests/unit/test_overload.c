/* Overload: steps in the stated order, with hysteresis, and without swinging. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "zone/overload.h"

#define BUDGET 16666

/* Runs windows at a load in percent and returns how often the level changed. */
static uint32_t windows(struct overload *o, uint32_t count, uint32_t percent) {
    uint32_t changes = 0;
    for (uint32_t i = 0; i < count * OVERLOAD_WINDOW; i++) changes += overload_tick(o, BUDGET * percent / 100, BUDGET);
    return changes;
}

static void test_overload_rises_one_level_a_heavy_window(void **state) {
    (void)state;
    struct overload o;
    overload_init(&o);
    for (uint32_t level = 1; level <= OVERLOAD_LEVEL_MAX; level++) {
        assert_int_equal(windows(&o, 1, 95), 1);
        assert_int_equal(o.level, level);
    }
    assert_int_equal(windows(&o, 5, 200), 0);
    assert_int_equal(o.level, OVERLOAD_LEVEL_MAX);
}

static void test_overload_few_long_ticks_are_enough(void **state) {
    (void)state;
    struct overload o;
    overload_init(&o);
    for (uint32_t i = 0; i < OVERLOAD_WINDOW; i++)
        overload_tick(&o, i < OVERLOAD_LATE_MAX ? 2 * BUDGET : BUDGET / 10, BUDGET);
    assert_int_equal(o.level, 1);
    overload_init(&o);
    for (uint32_t i = 0; i < OVERLOAD_WINDOW; i++) {
        overload_tick(&o, i < OVERLOAD_LATE_MAX - 1 ? 2 * BUDGET : BUDGET / 10, BUDGET);
    }
    assert_int_equal(o.level, 0);
}

static void test_overload_between_light_and_heavy_nothing_changes(void **state) {
    (void)state;
    struct overload o;
    overload_init(&o);
    windows(&o, 2, 95);
    assert_int_equal(windows(&o, 1000, 60), 0);
    assert_int_equal(o.level, 2);
}

static void test_overload_gives_back_after_a_run_of_light_windows(void **state) {
    (void)state;
    struct overload o;
    overload_init(&o);
    windows(&o, 2, 95);
    windows(&o, OVERLOAD_PATIENCE_MIN - 1, 20);
    assert_int_equal(o.level, 2);
    windows(&o, 1, 60); /* breaks the run */
    windows(&o, OVERLOAD_PATIENCE_MIN - 1, 20);
    assert_int_equal(o.level, 2);
    windows(&o, 1, 20);
    assert_int_equal(o.level, 1);
    windows(&o, OVERLOAD_PATIENCE_MIN, 20);
    assert_int_equal(o.level, 0);
}

/* A load that is heavy at level 0 and light at level 1. */
static void test_overload_load_between_two_levels_swings_less_and_less(void **state) {
    (void)state;
    struct overload o;
    overload_init(&o);
    uint32_t changes = 0;
    for (uint32_t i = 0; i < 1000; i++) changes += windows(&o, 1, o.level == 0 ? 95 : 40);
    assert_int_equal(o.patience, OVERLOAD_PATIENCE_MAX);
    assert_in_range(changes, 2, 2 * (5 + 1000 / OVERLOAD_PATIENCE_MAX));
    windows(&o, 3 * OVERLOAD_PATIENCE_MAX, 10);
    assert_int_equal(o.patience, OVERLOAD_PATIENCE_MIN); /* forgiven after a long calm */
}

static void test_overload_steps_take_things_in_the_stated_order(void **state) {
    (void)state;
    struct overload_step last = overload_step(0, 12);
    assert_int_equal(last.load.snapshot_every, 1);
    assert_int_equal(last.load.view_percent, 100);
    assert_int_equal(last.load.think_ticks, 12);
    assert_int_equal(last.stride, 1);
    const int taken[OVERLOAD_LEVEL_MAX + 1] = {-1, 0, 1, 1, 2, 3};
    for (uint32_t level = 1; level <= OVERLOAD_LEVEL_MAX; level++) {
        struct overload_step step = overload_step(level, 12);
        const int changed[4] = {step.load.snapshot_every > last.load.snapshot_every,
                                step.load.view_percent<last.load.view_percent, step.load.think_ticks> last.load.think_ticks,
                                step.stride > last.stride};
        for (int i = 0; i < 4; i++) assert_int_equal(changed[i], i == taken[level]);
        last = step;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overload_rises_one_level_a_heavy_window),
        cmocka_unit_test(test_overload_few_long_ticks_are_enough),
        cmocka_unit_test(test_overload_between_light_and_heavy_nothing_changes),
        cmocka_unit_test(test_overload_gives_back_after_a_run_of_light_windows),
        cmocka_unit_test(test_overload_load_between_two_levels_swings_less_and_less),
        cmocka_unit_test(test_overload_steps_take_things_in_the_stated_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
