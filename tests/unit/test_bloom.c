/* test_bloom.c: nothing that was added is ever denied, and of the rest about as much as asked for is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>

#include "common/bloom.h"

static const uint8_t secret[BLOOM_SECRET_BYTES] = "fifteen bytes..";

static size_t name_of(char *name, size_t size, const char *prefix, unsigned number) {
    return (size_t)snprintf(name, size, "%s%u", prefix, number);
}

static unsigned taken_for_known(const struct bloom *bloom, unsigned count) {
    unsigned taken = 0;
    for (unsigned i = 0; i < count; i++) {
        char name[32];
        size_t len = name_of(name, sizeof name, "stranger-", i);
        taken += bloom_may_have(bloom, name, len);
    }
    return taken;
}

static void test_bloom_keys_are_known_and_strangers_mostly_not(void **state) {
    (void)state;
    static const struct {
        unsigned keys;
        double rate;
    } cases[] = {{1, 0.01}, {100, 0.5}, {5000, 0.1}, {20000, 0.01}, {20000, 0.0005}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bloom bloom;
        assert_int_equal(bloom_create(&bloom, cases[i].keys, cases[i].rate, secret), 0);
        for (unsigned k = 0; k < cases[i].keys; k++) {
            char name[32];
            bloom_add(&bloom, name, name_of(name, sizeof name, "player-", k));
        }
        bloom_complete(&bloom);
        for (unsigned k = 0; k < cases[i].keys; k++) {
            char name[32];
            assert_true(bloom_may_have(&bloom, name, name_of(name, sizeof name, "player-", k)));
        }
        unsigned strangers = 100000, taken = taken_for_known(&bloom, strangers);
        assert_true(taken <= 1.4 * cases[i].rate * strangers);
        if (cases[i].keys > 1) assert_true(taken >= 0.5 * cases[i].rate * strangers); /* no memory wasted either */
        bloom_destroy(&bloom);
        bloom_destroy(&bloom);
    }
}

static void test_bloom_incomplete_says_maybe(void **state) {
    (void)state;
    struct bloom bloom;
    assert_int_equal(bloom_create(&bloom, 10, 0.01, secret), 0);
    bloom_add(&bloom, "a", 1);
    assert_true(bloom_may_have(&bloom, "b", 1));
    bloom_complete(&bloom);
    assert_true(bloom_may_have(&bloom, "a", 1));
    assert_false(bloom_may_have(&bloom, "b", 1));
    assert_false(bloom_may_have(&bloom, "", 0));
    bloom_destroy(&bloom);
}

static void test_bloom_other_secret_sets_other_bits(void **state) {
    (void)state;
    const uint8_t other[BLOOM_SECRET_BYTES] = "another secret.";
    struct bloom a, b;
    assert_int_equal(bloom_create(&a, 1000, 0.01, secret), 0);
    assert_int_equal(bloom_create(&b, 1000, 0.01, other), 0);
    bloom_add(&a, "name", 4);
    bloom_add(&b, "name", 4);
    assert_int_equal(a.bit_count, b.bit_count);
    assert_memory_not_equal(a.words, b.words, a.bit_count / 8);
    bloom_destroy(&a);
    bloom_destroy(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bloom_keys_are_known_and_strangers_mostly_not),
        cmocka_unit_test(test_bloom_incomplete_says_maybe),
        cmocka_unit_test(test_bloom_other_secret_sets_other_bits),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
