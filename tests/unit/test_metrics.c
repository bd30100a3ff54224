/* test_metrics.c: the Prometheus text, line by line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/metric_table.h"
#include "common/metrics.h"

#define TEXT_SIZE 65536

static char text[TEXT_SIZE];

static void render(const struct metrics *metrics) {
    int len = metrics_render(metrics, text, sizeof text);
    assert_true(len > 0 && (size_t)len == strlen(text));
}

static void test_metrics_series_of_one_name_stand_together(void **state) {
    (void)state;
    struct metrics *metrics = metrics_create(4, "test");
    struct metric_counter *replay = metrics_counter(metrics, "march_test_drops_total", "Dropped.", "reason=\"replay\"");
    struct metric_gauge *sessions = metrics_gauge(metrics, "march_test_sessions", "Open.", NULL);
    struct metric_counter *full = metrics_counter(metrics, "march_test_drops_total", "Dropped.", "reason=\"full\"");
    struct metric_gauge *age = metrics_gauge_ns(metrics, "march_test_age_seconds", "Age.", NULL);
    counter_add(replay, 41);
    counter_inc(replay);
    counter_set(full, UINT64_MAX);
    gauge_set(sessions, 5);
    gauge_add(sessions, -7);
    gauge_set(age, 1500000000);
    assert_true(counter_value(replay) == 42 && gauge_value(sessions) == -2);
    render(metrics);
    const char *expected = "# HELP march_test_drops_total Dropped.\n"
                           "# TYPE march_test_drops_total counter\n"
                           "march_test_drops_total{reason=\"replay\"} 42\n"
                           "march_test_drops_total{reason=\"full\"} 18446744073709551615\n"
                           "# HELP march_test_sessions Open.\n"
                           "# TYPE march_test_sessions gauge\n"
                           "march_test_sessions -2\n"
                           "# HELP march_test_age_seconds Age.\n"
                           "# TYPE march_test_age_seconds gauge\n"
                           "march_test_age_seconds 1.5\n"
                           "# HELP process_resident_memory_bytes";
    assert_memory_equal(text, expected, strlen(expected));
    metrics_destroy(metrics);
    metrics_destroy(NULL);
}

static void test_metrics_of_a_table_are_what_stands_in_the_struct(void **state) {
    (void)state;
    struct counts {
        uint64_t wide;
        uint32_t narrow, next;
        bool on, off;
    };
    static const struct metric_row rows[] = {
        {METRIC_COUNTER, "march_test_wide_total", NULL, "Wide.", METRIC_AT(struct counts, wide)},
        {METRIC_GAUGE, "march_test_narrow", "of=\"it\"", "Narrow.", METRIC_AT(struct counts, narrow)},
        {METRIC_GAUGE, "march_test_on", NULL, "On.", METRIC_AT(struct counts, on)},
        {METRIC_GAUGE, "march_test_off", NULL, "Off.", METRIC_AT(struct counts, off)},
    };
    union metric_series series[4];
    struct metrics *metrics = metrics_create(4, "test");
    metric_table_register(metrics, rows, 4, series);
    metric_table_mirror(rows, 4, &(struct counts){UINT64_MAX, UINT32_MAX, 5, true, false}, series);
    render(metrics);
    assert_non_null(strstr(text, "# TYPE march_test_wide_total counter\nmarch_test_wide_total 18446744073709551615\n"));
    assert_non_null(strstr(text, "# TYPE march_test_narrow gauge\nmarch_test_narrow{of=\"it\"} 4294967295\n"));
    assert_non_null(strstr(text, "\nmarch_test_on 1\n"));
    assert_non_null(strstr(text, "\nmarch_test_off 0\n"));
    metric_table_mirror(rows, 4, &(struct counts){UINT64_MAX, 7, 5, false, true}, series);
    assert_int_equal(gauge_value(series[1].gauge), 7);
    assert_int_equal(gauge_value(series[3].gauge), 1);
    metrics_destroy(metrics);
}

static double value_of(const char *series) {
    const char *line = strstr(text, series);
    if (!line) fail_msg("no series %s", series);
    return strtod(line + strlen(series), NULL);
}

static void test_metrics_histogram_bounds_are_exact_and_cumulative(void **state) {
    (void)state;
    struct metrics *metrics = metrics_create(1, "test");
    struct histogram *h = metrics_histogram(metrics, "march_test_batch", "Size.", "edge=\"a\"", METRIC_UNIT_PLAIN);
    histogram_record(h, 0);
    histogram_record(h, 1);
    histogram_record(h, 2);
    histogram_record(h, 3);
    histogram_record(h, 4);
    histogram_record(h, 100000);
    render(metrics);
    assert_true(value_of("march_test_batch_bucket{edge=\"a\",le=\"1\"} ") == 2);
    assert_true(value_of("march_test_batch_bucket{edge=\"a\",le=\"3\"} ") == 4);
    assert_true(value_of("march_test_batch_bucket{edge=\"a\",le=\"7\"} ") == 5);
    assert_true(value_of("march_test_batch_bucket{edge=\"a\",le=\"65535\"} ") == 5);
    assert_true(value_of("march_test_batch_bucket{edge=\"a\",le=\"+Inf\"} ") == 6);
    assert_true(value_of("march_test_batch_sum{edge=\"a\"} ") == 100010);
    assert_true(value_of("march_test_batch_count{edge=\"a\"} ") == 6);
    metrics_destroy(metrics);
}

static void test_metrics_histogram_of_ns_is_told_in_seconds(void **state) {
    (void)state;
    struct metrics *metrics = metrics_create(1, "test");
    struct histogram *h = metrics_histogram(metrics, "march_test_tick_seconds", "Tick.", NULL, METRIC_UNIT_NS);
    histogram_record(h, 1023);
    histogram_record(h, 1024);
    histogram_record(h, 1000000);
    histogram_record(h, 60ULL * 1000000000);
    render(metrics);
    assert_true(value_of("march_test_tick_seconds_bucket{le=\"1.023e-06\"} ") == 1);
    assert_true(value_of("march_test_tick_seconds_bucket{le=\"1.535e-06\"} ") == 2);
    assert_true(value_of("march_test_tick_seconds_bucket{le=\"0.000786431\"} ") == 2);
    assert_true(value_of("march_test_tick_seconds_bucket{le=\"0.001048575\"} ") == 3);
    assert_true(value_of("march_test_tick_seconds_bucket{le=\"17.17986918\"} ") == 3);
    assert_true(value_of("march_test_tick_seconds_bucket{le=\"+Inf\"} ") == 4);
    double sum = value_of("march_test_tick_seconds_sum ");
    assert_true(sum > 60.001 && sum < 60.0011);
    metrics_destroy(metrics);
}

static void test_metrics_process_values_are_plausible(void **state) {
    (void)state;
    struct metrics *metrics = metrics_create(1, "test");
    render(metrics);
    assert_true(value_of("\nprocess_resident_memory_bytes ") > 100000);
    assert_true(value_of("\nprocess_cpu_seconds_total ") > 0);
    assert_true(value_of("\nprocess_start_time_seconds ") > 1.6e9);
    assert_true(value_of("\nprocess_open_fds ") >= 3);
    assert_non_null(strstr(text, "\nmarch_build_info{process=\"test\",version=\""));
    metrics_destroy(metrics);
}

static void test_metrics_render_into_too_small_a_buffer_fails_at_every_size(void **state) {
    (void)state;
    struct metrics *metrics = metrics_create(2, "test");
    metrics_counter(metrics, "march_test_a_total", "A.", NULL);
    metrics_gauge(metrics, "march_test_b", "B.", NULL);
    for (size_t size = 1; size < 400; size++) {
        char *small = malloc(size);
        assert_non_null(small);
        assert_int_equal(metrics_render(metrics, small, size), MARCH_ERR_FULL);
        assert_true(strlen(small) < size);
        free(small);
    }
    metrics_destroy(metrics);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics_series_of_one_name_stand_together),
        cmocka_unit_test(test_metrics_of_a_table_are_what_stands_in_the_struct),
        cmocka_unit_test(test_metrics_histogram_bounds_are_exact_and_cumulative),
        cmocka_unit_test(test_metrics_histogram_of_ns_is_told_in_seconds),
        cmocka_unit_test(test_metrics_process_values_are_plausible),
        cmocka_unit_test(test_metrics_render_into_too_small_a_buffer_fails_at_every_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
