#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/breaker.h"

static struct mono at_ms(uint64_t ms) {
    return (struct mono){ms * NS_PER_MS};
}

static const struct breaker_config CONFIG = {
    .failures_max = 3, .cool_down_ms = 100, .cool_down_cap_ms = 400, .probe_ms = 50};

static void test_breaker_opens_after_failures_in_a_row_only(void **state) {
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker, &CONFIG, 1);
    for (int i = 0; i < 10; i++) { /* two, then a success */
        breaker_failure(&breaker, at_ms(0));
        breaker_failure(&breaker, at_ms(0));
        breaker_success(&breaker);
    }
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    for (int i = 0; i < 3; i++) {
        assert_true(breaker_admit(&breaker, at_ms(0)));
        breaker_failure(&breaker, at_ms(0));
    }
    assert_int_equal(breaker.state, BREAKER_OPEN);
    assert_int_equal(breaker.opens, 1);
    assert_false(breaker_admit(&breaker, at_ms(0)));
}

static void test_breaker_half_open_lets_one_probe_through(void **state) {
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker, &CONFIG, 2);
    for (int i = 0; i < 3; i++) breaker_failure(&breaker, at_ms(0));
    assert_true(breaker_admit(&breaker, at_ms(100))); /* the longest first cool-down */
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    assert_false(breaker_admit(&breaker, at_ms(100)));
    assert_false(breaker_admit(&breaker, at_ms(149)));
    assert_true(breaker_admit(&breaker, at_ms(150))); /* nothing was heard of the probe */
    breaker_success(&breaker);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    assert_true(breaker_admit(&breaker, at_ms(150)));
    assert_true(breaker_admit(&breaker, at_ms(150)));
}

static void test_breaker_failed_probe_opens_again_for_longer_up_to_the_cap(void **state) {
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker, &CONFIG, 3);
    for (int i = 0; i < 3; i++) breaker_failure(&breaker, at_ms(0));
    uint64_t longest = 0;
    struct mono now = at_ms(0);
    for (int i = 0; i < 200; i++) {
        uint64_t wait_ms = mono_since_ns(breaker.until, now) / NS_PER_MS;
        assert_true(wait_ms >= 1 && wait_ms <= 400);
        if (wait_ms > longest) longest = wait_ms;
        now = breaker.until;
        assert_true(breaker_admit(&breaker, now));
        breaker_failure(&breaker, now);
        assert_int_equal(breaker.state, BREAKER_OPEN);
    }
    assert_true(longest > 350);
    assert_int_equal(breaker.opens, 201);
}

static void test_breaker_hint_shortens_the_cool_down(void **state) {
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker, &CONFIG, 4);
    breaker_hint(&breaker);
    assert_int_equal(breaker.state, BREAKER_CLOSED);
    for (int i = 0; i < 3; i++) breaker_failure(&breaker, at_ms(0));
    breaker_hint(&breaker);
    assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
    assert_true(breaker_admit(&breaker, at_ms(0)));
    assert_false(breaker_admit(&breaker, at_ms(0)));
    breaker_hint(&breaker); /* says nothing new: the probe is still under way */
    assert_false(breaker_admit(&breaker, at_ms(0)));
}

static void test_breaker_failures_while_open_do_not_prolong_it(void **state) {
    (void)state;
    struct breaker breaker;
    breaker_init(&breaker, &CONFIG, 5);
    for (int i = 0; i < 3; i++) breaker_failure(&breaker, at_ms(0));
    struct mono until = breaker.until;
    breaker_failure(&breaker, at_ms(0));
    assert_int_equal(breaker.until.ns, until.ns);
    assert_int_equal(breaker.opens, 1);
}

static void test_backoff_grows_to_its_cap_and_starts_anew(void **state) {
    (void)state;
    struct backoff backoff;
    backoff_init(&backoff, 10, 1000, 7);
    uint32_t limit = 10;
    for (int i = 0; i < 5000; i++) {
        uint32_t wait_ms = backoff_next_ms(&backoff);
        assert_true(wait_ms >= 1 && wait_ms <= limit);
        limit = limit * 2 > 1000 ? 1000 : limit * 2;
    }
    backoff_reset(&backoff);
    assert_true(backoff_next_ms(&backoff) <= 10);
}

static void test_backoff_jitter_fills_the_range_and_differs_by_seed(void **state) {
    (void)state;
    struct backoff one, two;
    backoff_init(&one, 1000, 1000, 1);
    backoff_init(&two, 1000, 1000, 2);
    unsigned quarters[4] = {0}, same = 0;
    for (int i = 0; i < 4000; i++) {
        uint32_t wait_ms = backoff_next_ms(&one);
        same += wait_ms == backoff_next_ms(&two);
        quarters[(wait_ms - 1) / 250]++;
    }
    for (int i = 0; i < 4; i++) assert_true(quarters[i] > 800 && quarters[i] < 1200);
    assert_true(same < 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_breaker_opens_after_failures_in_a_row_only),
        cmocka_unit_test(test_breaker_half_open_lets_one_probe_through),
        cmocka_unit_test(test_breaker_failed_probe_opens_again_for_longer_up_to_the_cap),
        cmocka_unit_test(test_breaker_hint_shortens_the_cool_down),
        cmocka_unit_test(test_breaker_failures_while_open_do_not_prolong_it),
        cmocka_unit_test(test_backoff_grows_to_its_cap_and_starts_anew),
        cmocka_unit_test(test_backoff_jitter_fills_the_range_and_differs_by_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
