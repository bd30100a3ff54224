/* test_histogram.c: bucket edges, and quantiles against a sorted list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "common/histogram.h"

static void test_histogram_every_bucket_begins_after_the_one_before(void **state) {
    (void)state;
    for (size_t i = 0; i < HISTOGRAM_BUCKET_COUNT; i++) {
        uint64_t top = histogram_bucket_max(i);
        assert_int_equal(histogram_index(top), i);
        if (i + 1 < HISTOGRAM_BUCKET_COUNT)
            assert_int_equal(histogram_index(top + 1), i + 1);
        else
            assert_true(top == UINT64_MAX);
    }
}

static void test_histogram_small_values_are_exact(void **state) {
    (void)state;
    for (uint64_t value = 0; value < 32; value++) assert_true(histogram_bucket_max(histogram_index(value)) == value);
}

static void test_histogram_bucket_is_within_a_sixteenth(void **state) {
    (void)state;
    for (uint64_t value = 1; value < UINT64_MAX / 3; value += value / 4 + 1) {
        uint64_t top = histogram_bucket_max(histogram_index(value));
        assert_true(top >= value && top - value <= value / HISTOGRAM_SUB_COUNT);
    }
}

static void test_histogram_empty_answers_zero(void **state) {
    (void)state;
    static struct histogram h;
    assert_true(histogram_quantile(&h, 0.99) == 0 && histogram_max(&h) == 0 && histogram_count(&h) == 0);
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t next_random(uint64_t *seed) {
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return *seed >> 33;
}

/* The naive twin keeps every value and sorts. */
static void test_histogram_quantiles_follow_a_sorted_list(void **state) {
    (void)state;
    enum { COUNT = 5000 };
    static struct histogram h;
    static uint64_t values[COUNT];
    uint64_t seed = 20261;
    uint64_t sum = 0;
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = next_random(&seed) >> (next_random(&seed) % 30);
        sum += values[i];
        histogram_record(&h, values[i]);
    }
    qsort(values, COUNT, sizeof values[0], compare);
    assert_true(histogram_count(&h) == COUNT && histogram_sum(&h) == sum && histogram_max(&h) == values[COUNT - 1]);
    for (int percent = 0; percent <= 100; percent++) {
        size_t rank = (size_t)(percent * COUNT) / 100;
        uint64_t exact = values[rank ? rank - 1 : 0];
        uint64_t found = histogram_quantile(&h, percent / 100.0);
        /* The rank may round up by one where percent / 100.0 is not exact. */
        uint64_t most = values[rank < COUNT ? rank : COUNT - 1];
        assert_true(found >= exact && found <= most + most / HISTOGRAM_SUB_COUNT);
    }
    assert_true(histogram_quantile(&h, 1.0) == values[COUNT - 1]);
    histogram_reset(&h);
    assert_true(histogram_count(&h) == 0 && histogram_sum(&h) == 0 && histogram_max(&h) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histogram_every_bucket_begins_after_the_one_before),
        cmocka_unit_test(test_histogram_small_values_are_exact),
        cmocka_unit_test(test_histogram_bucket_is_within_a_sixteenth),
        cmocka_unit_test(test_histogram_empty_answers_zero),
        cmocka_unit_test(test_histogram_quantiles_follow_a_sorted_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
