/* test_prom.c: figures out of Prometheus text. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/zonectl/prom.h"

static const char TEXT[] = "# HELP drops packets\n"
                           "# TYPE drops counter\n"
                           "drops_total{reason=\"replay\"} 3\n"
                           "drops_total{reason=\"crypto\",family=\"4\"} 4\n"
                           "drops_total_more 100\n"
                           "players 17\n"
                           "broken\n"
                           "broken{a=\"}\n"
                           "tick_seconds_bucket{le=\"0.001\"} 50\n"
                           "tick_seconds_bucket{le=\"0.002\"} 90\n"
                           "tick_seconds_bucket{le=\"0.004\"} 100\n"
                           "tick_seconds_bucket{le=\"+Inf\"} 100\n"
                           "tick_seconds_sum 0.1\n";

static void assert_near(double value, double expected) {
    if (!(fabs(value - expected) < 1e-9)) fail_msg("%.12g, expected %.12g", value, expected);
}

static void test_prom_sum_adds_series_of_exactly_that_name(void **state) {
    (void)state;
    assert_near(prom_sum(TEXT, "drops_total", NULL), 7);
    assert_near(prom_sum(TEXT, "drops_total", "reason=\"crypto\""), 4);
    assert_near(prom_sum(TEXT, "players", NULL), 17);
}

static void test_prom_sum_absent_or_broken_is_nan(void **state) {
    (void)state;
    assert_true(isnan(prom_sum(TEXT, "drop", NULL)));
    assert_true(isnan(prom_sum(TEXT, "broken", NULL)));
    assert_true(isnan(prom_sum(TEXT, "drops_total", "reason=\"other\"")));
    assert_true(isnan(prom_sum("", "players", NULL)));
    assert_true(isnan(prom_sum("players", "players", NULL)));
}

static void test_prom_histogram_quantile_interpolates(void **state) {
    (void)state;
    struct prom_histogram h;
    prom_histogram_read(&h, TEXT, "tick_seconds");
    assert_int_equal(h.count, 4);
    assert_near(prom_histogram_quantile(&h, NULL, 0.5), 0.001);
    assert_near(prom_histogram_quantile(&h, NULL, 0.7), 0.0015);
    assert_near(prom_histogram_quantile(&h, NULL, 1), 0.004);
}

static void test_prom_histogram_quantile_since_a_reading_counts_the_rest(void **state) {
    (void)state;
    struct prom_histogram before;
    struct prom_histogram now;
    prom_histogram_read(&before, TEXT, "tick_seconds");
    now = before;
    assert_true(isnan(prom_histogram_quantile(&now, &before, 0.99)));
    now.counts[2] += 10;
    now.counts[3] += 10;
    assert_near(prom_histogram_quantile(&now, &before, 0.5), 0.003);
}

static void test_prom_histogram_absent_has_no_quantile(void **state) {
    (void)state;
    struct prom_histogram h;
    prom_histogram_read(&h, TEXT, "players");
    assert_int_equal(h.count, 0);
    assert_true(isnan(prom_histogram_quantile(&h, NULL, 0.5)));
}

static void test_prom_histogram_too_many_buckets_are_cut(void **state) {
    (void)state;
    size_t size = 64 * (PROM_BUCKETS_MAX + 10);
    char *text = malloc(size);
    size_t len = 0;
    for (int i = 0; i < PROM_BUCKETS_MAX + 10; i++)
        len += (size_t)snprintf(text + len, size - len, "h_bucket{le=\"%d\"} %d\n", i, i);
    struct prom_histogram h;
    prom_histogram_read(&h, text, "h");
    assert_int_equal(h.count, PROM_BUCKETS_MAX);
    free(text);
}

static struct prom_histogram read_buckets(const char *text) {
    struct prom_histogram h;
    prom_histogram_read(&h, text, "x");
    return h;
}

static void test_prom_histogram_since_and_sum_of_other_buckets(void **state) {
    (void)state;
    struct prom_histogram before = read_buckets("x_bucket{le=\"2\"} 1\nx_bucket{le=\"4\"} 3\nx_bucket{le=\"+Inf\"} 3\n");
    struct prom_histogram now = read_buckets("x_bucket{le=\"1\"} 1\nx_bucket{le=\"2\"} 3\nx_bucket{le=\"4\"} 7\n"
                                             "x_bucket{le=\"8\"} 8\nx_bucket{le=\"+Inf\"} 8\n");
    prom_histogram_since(&now, &before);
    static const double since[] = {1, 2, 4, 5, 5};
    for (uint32_t i = 0; i < 5; i++) assert_near(now.counts[i], since[i]);
    struct prom_histogram sum = {0};
    prom_histogram_add(&sum, &now);
    struct prom_histogram other = read_buckets("x_bucket{le=\"3\"} 2\nx_bucket{le=\"+Inf\"} 4\n");
    prom_histogram_add(&sum, &other);
    static const double bounds[] = {1, 2, 3, 4, 8}, counts[] = {1, 2, 4, 6, 7};
    assert_int_equal(sum.count, 6);
    for (uint32_t i = 0; i < 5; i++) {
        assert_near(sum.bounds[i], bounds[i]);
        assert_near(sum.counts[i], counts[i]);
    }
    assert_true(isinf(sum.bounds[5]));
    assert_near(sum.counts[5], 9);
}

static void test_prom_histogram_since_of_a_replaced_process_is_all_of_it(void **state) {
    (void)state;
    struct prom_histogram before = read_buckets("x_bucket{le=\"2\"} 9\nx_bucket{le=\"+Inf\"} 9\n");
    struct prom_histogram now = read_buckets("x_bucket{le=\"2\"} 1\nx_bucket{le=\"+Inf\"} 2\n");
    prom_histogram_since(&now, &before);
    assert_near(now.counts[0], 1);
    assert_near(now.counts[1], 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prom_sum_adds_series_of_exactly_that_name),
        cmocka_unit_test(test_prom_sum_absent_or_broken_is_nan),
        cmocka_unit_test(test_prom_histogram_quantile_interpolates),
        cmocka_unit_test(test_prom_histogram_quantile_since_a_reading_counts_the_rest),
        cmocka_unit_test(test_prom_histogram_absent_has_no_quantile),
        cmocka_unit_test(test_prom_histogram_too_many_buckets_are_cut),
        cmocka_unit_test(test_prom_histogram_since_and_sum_of_other_buckets),
        cmocka_unit_test(test_prom_histogram_since_of_a_replaced_process_is_all_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
