/* test_limits.c: token buckets and the table of networks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include "gateway/limits.h"

static const uint8_t secret[LIMITS_SECRET_BYTES] = "sixteen bytes..";

static struct addr numbered(uint32_t network, uint16_t port) {
    struct addr a = {.family = ADDR_IPV4, .port = port, .bytes = {10}};
    a.bytes[0] = (uint8_t)(network >> 16);
    a.bytes[1] = (uint8_t)(network >> 8);
    a.bytes[2] = (uint8_t)network;
    return a;
}

static void test_bucket_gives_burst_then_rate(void **state) {
    (void)state;
    struct bucket_rate rate = bucket_rate_of(10, 5);
    struct bucket bucket = {0};
    struct mono now = {123456789};
    for (int i = 0; i < 5; i++) assert_true(bucket_take(&bucket, &rate, now));
    assert_false(bucket_take(&bucket, &rate, now));
    assert_false(bucket_take(&bucket, &rate, mono_add_ms(now, 99)));
    assert_true(bucket_take(&bucket, &rate, mono_add_ms(now, 100)));
    assert_false(bucket_take(&bucket, &rate, mono_add_ms(now, 100)));
    int taken = 0;
    for (uint64_t ms = 10000; ms < 20000; ms++) taken += bucket_take(&bucket, &rate, mono_add_ms(now, ms));
    assert_in_range(taken, 104, 105); /* ten seconds of rate and one burst */
}

static void test_bucket_without_rate_never_refuses(void **state) {
    (void)state;
    struct bucket_rate rate = bucket_rate_of(0, 0), fast = bucket_rate_of(2000000000, 0);
    struct bucket bucket = {0};
    for (int i = 0; i < 1000; i++) assert_true(bucket_take(&bucket, &rate, (struct mono){5}));
    assert_true(bucket_take(&bucket, &fast, (struct mono){5}));
    assert_false(bucket_take(&bucket, &fast, (struct mono){5})); /* a burst is at least one */
    assert_true(bucket_take(&bucket, &fast, (struct mono){6}));
}

static void test_limits_network_is_refused_and_others_are_not(void **state) {
    (void)state;
    struct limits limits;
    struct limits_config config = {.networks_max = 64, .network_per_s = 10, .network_burst = 3};
    assert_int_equal(limits_create(&limits, &config, secret), 0);
    struct addr other = numbered(2, 1);
    for (uint16_t port = 0; port < 10; port++) {
        struct addr a = numbered(1, port);
        assert_int_equal(limits_take(&limits, &a, (struct mono){1}), port < 3 ? LIMITS_PASS : LIMITS_NETWORK);
    }
    assert_int_equal(limits_take(&limits, &other, (struct mono){1}), LIMITS_PASS);
    limits_destroy(&limits);
    limits_destroy(&limits);
}

static void test_limits_all_strangers_together_are_bounded(void **state) {
    (void)state;
    struct limits limits;
    struct limits_config config = {.networks_max = 1024, .strangers_per_s = 100, .strangers_burst = 100};
    assert_int_equal(limits_create(&limits, &config, secret), 0);
    uint32_t passed = 0;
    for (uint32_t i = 0; i < 10000; i++) {
        struct addr a = numbered(i, 1);
        passed += limits_take(&limits, &a, (struct mono){i * NS_PER_MS / 10}) == LIMITS_PASS;
    }
    assert_in_range(passed, 199, 201);
    limits_destroy(&limits);
}

/* One set of four: a flood from ever new networks takes over debts, so it gets no more than four networks would. */
static void test_limits_full_set_passes_debt_on(void **state) {
    (void)state;
    struct limits limits;
    struct limits_config config = {.networks_max = 4, .network_per_s = 10, .network_burst = 3};
    assert_int_equal(limits_create(&limits, &config, secret), 0);
    uint32_t passed = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        struct addr a = numbered(i, 1);
        passed += limits_take(&limits, &a, (struct mono){1}) == LIMITS_PASS;
    }
    assert_int_equal(passed, 4 * 3);
    struct addr later = numbered(5000, 1);
    assert_int_equal(limits_take(&limits, &later, (struct mono){NS_PER_S}), LIMITS_PASS);
    limits_destroy(&limits);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bucket_gives_burst_then_rate),
        cmocka_unit_test(test_bucket_without_rate_never_refuses),
        cmocka_unit_test(test_limits_network_is_refused_and_others_are_not),
        cmocka_unit_test(test_limits_all_strangers_together_are_bounded),
        cmocka_unit_test(test_limits_full_set_passes_debt_on),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
