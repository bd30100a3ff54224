/* test_rating_cache.c: ratings by player and mode; who was put last is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "matchmaker/rating_cache.h"

#define MANY (2ull * RATING_CACHE_MAX)
#define LAST 20000 /* more were put after none of these than would push it out by chance */

static void put(struct rating_cache *cache, uint64_t player, uint32_t mode, double mu) {
    const struct wire_rating rating = {.player = player, .mu = mu, .sigma = 2, .season = 3, .rated_at_s = 1700000000};
    rating_cache_put(cache, mode, &rating);
}

static bool has(const struct rating_cache *cache, uint64_t player, uint32_t mode, double mu) {
    struct wire_rating rating;
    if (!rating_cache_find(cache, player, mode, &rating)) return false;
    assert_true(rating.mu == mu && rating.sigma == 2);
    assert_int_equal(rating.player, player);
    assert_int_equal(rating.season, 3);
    assert_int_equal(rating.rated_at_s, 1700000000);
    return true;
}

static void test_rating_cache_has_what_was_put_last(void **state) {
    (void)state;
    struct rating_cache cache;
    assert_int_equal(rating_cache_create(&cache, 7), 0);
    assert_false(has(&cache, 1, 0, 25));
    put(&cache, 1, 0, 25);
    put(&cache, 1, 255, 26);
    put(&cache, UINT64_MAX, 0, 27);
    put(&cache, 1, 0, 28);
    assert_true(has(&cache, 1, 0, 28));
    assert_true(has(&cache, 1, 255, 26));
    assert_true(has(&cache, UINT64_MAX, 0, 27));
    assert_false(has(&cache, 2, 0, 25));
    assert_false(has(&cache, 1, 1, 25));
    rating_cache_clear(&cache);
    assert_false(has(&cache, 1, 0, 28));
    rating_cache_destroy(&cache);
}

static void test_rating_cache_forgets_who_was_put_longest_ago(void **state) {
    (void)state;
    struct rating_cache cache;
    uint64_t found = 0;
    assert_int_equal(rating_cache_create(&cache, 7), 0);
    for (uint64_t player = 2; player <= MANY; player++) {
        put(&cache, player, 0, (double)player);
        if (player % 1000 == 0) put(&cache, 1, 0, 1);
        assert_true(has(&cache, player, 0, (double)player));
    }
    assert_true(has(&cache, 1, 0, 1)); /* it was put again and again */
    for (uint64_t player = MANY - LAST + 1; player <= MANY; player++) assert_true(has(&cache, player, 0, (double)player));
    for (uint64_t player = 2; player <= MANY; player++) found += has(&cache, player, 0, (double)player);
    assert_in_range(found, RATING_CACHE_MAX / 2, RATING_CACHE_MAX);
    rating_cache_destroy(&cache);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rating_cache_has_what_was_put_last),
        cmocka_unit_test(test_rating_cache_forgets_who_was_put_longest_ago),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
