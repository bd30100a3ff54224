/* test_lifecycle.c: restart policy of supervised processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/zonectl/lifecycle.h"

#define DEATHS_MAX 4

static struct mono at_ms(uint64_t ms) {
    return (struct mono){ms * NS_PER_MS};
}

static void test_lifecycle_init_is_due_at_once(void **state) {
    (void)state;
    struct lifecycle l;
    lifecycle_init(&l, at_ms(7));
    assert_true(lifecycle_due(&l, at_ms(7)));
    assert_false(lifecycle_running(&l));
    lifecycle_started(&l, at_ms(7));
    assert_false(lifecycle_due(&l, at_ms(8)));
    assert_true(lifecycle_running(&l));
    assert_int_equal(l.restarts, 0);
}

static void test_lifecycle_probe_moves_between_starting_and_ready(void **state) {
    (void)state;
    struct lifecycle l;
    lifecycle_init(&l, at_ms(0));
    lifecycle_probed(&l, true);
    assert_int_equal(l.state, LIFECYCLE_WAITING);
    lifecycle_started(&l, at_ms(0));
    lifecycle_probed(&l, true);
    assert_int_equal(l.state, LIFECYCLE_READY);
    lifecycle_probed(&l, false);
    assert_int_equal(l.state, LIFECYCLE_STARTING);
    lifecycle_stop(&l);
    lifecycle_probed(&l, true);
    assert_int_equal(l.state, LIFECYCLE_STOPPING);
}

static void test_lifecycle_backoff_doubles_to_its_cap(void **state) {
    (void)state;
    const uint64_t expected_ms[] = {50, 100, 200, 400, 800, 1000, 1000};
    for (uint32_t i = 0; i < sizeof(expected_ms) / sizeof(expected_ms[0]); i++)
        assert_int_equal(lifecycle_backoff_ms(i + 1), expected_ms[i]);
    assert_int_equal(lifecycle_backoff_ms(UINT32_MAX), 1000);
}

static void test_lifecycle_quick_death_waits_before_the_restart(void **state) {
    (void)state;
    struct lifecycle l;
    lifecycle_init(&l, at_ms(0));
    lifecycle_started(&l, at_ms(0));
    lifecycle_died(&l, at_ms(10), DEATHS_MAX);
    assert_int_equal(l.state, LIFECYCLE_WAITING);
    assert_false(lifecycle_due(&l, at_ms(59)));
    assert_true(lifecycle_due(&l, at_ms(60)));
    lifecycle_started(&l, at_ms(60));
    assert_int_equal(l.restarts, 1);
    lifecycle_died(&l, at_ms(70), DEATHS_MAX);
    assert_false(lifecycle_due(&l, at_ms(169)));
    assert_true(lifecycle_due(&l, at_ms(170)));
}

static void test_lifecycle_long_life_forgives_quick_deaths(void **state) {
    (void)state;
    struct lifecycle l;
    lifecycle_init(&l, at_ms(0));
    lifecycle_started(&l, at_ms(0));
    lifecycle_died(&l, at_ms(1), DEATHS_MAX);
    lifecycle_started(&l, at_ms(100));
    lifecycle_died(&l, at_ms(100 + LIFECYCLE_QUICK_MS), DEATHS_MAX);
    assert_int_equal(l.quick_deaths, 0);
    assert_true(lifecycle_due(&l, at_ms(100 + LIFECYCLE_QUICK_MS)));
}

static void test_lifecycle_too_many_quick_deaths_fails_for_good(void **state) {
    (void)state;
    struct lifecycle l;
    lifecycle_init(&l, at_ms(0));
    uint64_t now_ms = 0;
    for (int i = 0; i < DEATHS_MAX; i++) {
        assert_int_equal(l.state, LIFECYCLE_WAITING);
        now_ms += 2000;
        lifecycle_started(&l, at_ms(now_ms));
        lifecycle_died(&l, at_ms(now_ms + 1), DEATHS_MAX);
    }
    assert_int_equal(l.state, LIFECYCLE_FAILED);
    assert_false(lifecycle_due(&l, at_ms(now_ms + 1000000)));
    lifecycle_stop(&l);
    assert_int_equal(l.state, LIFECYCLE_FAILED);
}

static void test_lifecycle_stop_ends_without_restart(void **state) {
    (void)state;
    struct lifecycle l;
    lifecycle_init(&l, at_ms(0));
    lifecycle_started(&l, at_ms(0));
    lifecycle_stop(&l);
    assert_true(lifecycle_running(&l));
    lifecycle_died(&l, at_ms(1), DEATHS_MAX);
    assert_int_equal(l.state, LIFECYCLE_STOPPED);
    assert_false(lifecycle_due(&l, at_ms(100000)));

    lifecycle_init(&l, at_ms(0));
    lifecycle_stop(&l);
    assert_int_equal(l.state, LIFECYCLE_STOPPED);
}

static void test_lifecycle_state_text_round_trips(void **state) {
    (void)state;
    for (int i = 0; i < LIFECYCLE_COUNT; i++)
        assert_int_equal(lifecycle_state_parse(lifecycle_state_text((enum lifecycle_state)i)), i);
    assert_int_equal(lifecycle_state_parse("dancing"), LIFECYCLE_COUNT);
}

static void test_lifecycle_revived_is_due_at_once(void **state) {
    (void)state;
    struct lifecycle l;
    lifecycle_init(&l, (struct mono){0});
    lifecycle_stop(&l);
    assert_int_equal(l.state, LIFECYCLE_STOPPED);
    assert_false(lifecycle_due(&l, (struct mono){NS_PER_S}));
    lifecycle_revive(&l, (struct mono){NS_PER_S});
    assert_true(lifecycle_due(&l, (struct mono){NS_PER_S}));
    lifecycle_started(&l, (struct mono){NS_PER_S});
    lifecycle_revive(&l, (struct mono){NS_PER_S}); /* it runs */
    assert_int_equal(l.state, LIFECYCLE_STARTING);
    lifecycle_died(&l, (struct mono){NS_PER_S}, 1);
    assert_int_equal(l.state, LIFECYCLE_FAILED);
    lifecycle_revive(&l, (struct mono){2 * NS_PER_S});
    assert_true(lifecycle_due(&l, (struct mono){2 * NS_PER_S}));
    assert_int_equal(l.quick_deaths, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lifecycle_revived_is_due_at_once),
        cmocka_unit_test(test_lifecycle_init_is_due_at_once),
        cmocka_unit_test(test_lifecycle_probe_moves_between_starting_and_ready),
        cmocka_unit_test(test_lifecycle_backoff_doubles_to_its_cap),
        cmocka_unit_test(test_lifecycle_quick_death_waits_before_the_restart),
        cmocka_unit_test(test_lifecycle_long_life_forgives_quick_deaths),
        cmocka_unit_test(test_lifecycle_too_many_quick_deaths_fails_for_good),
        cmocka_unit_test(test_lifecycle_stop_ends_without_restart),
        cmocka_unit_test(test_lifecycle_state_text_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
