/* test_key_map.c: the address table against a naive twin, and its edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "gateway/index_pool.h"
#include "gateway/key_map.h"

static const uint8_t secret[KEY_MAP_SECRET_BYTES] = "sixteen bytes..";

struct key {
    uint8_t bytes[KEY_MAP_KEY_BYTES];
};

static struct key key_of(uint32_t number) {
    struct key key = {0};
    memcpy(key.bytes, &number, sizeof(number));
    return key;
}

static void test_key_map_full_refuses_and_keeps_what_it_has(void **state) {
    (void)state;
    struct key_map map;
    assert_int_equal(key_map_create(&map, 5, secret), 0);
    for (uint32_t i = 0; i < 5; i++) assert_int_equal(key_map_insert(&map, key_of(i).bytes, i * 10), 0);
    assert_int_equal(key_map_insert(&map, key_of(2).bytes, 1), MARCH_ERR_EXISTS);
    assert_int_equal(key_map_insert(&map, key_of(5).bytes, 1), MARCH_ERR_FULL);
    for (uint32_t i = 0; i < 5; i++) assert_int_equal(key_map_find(&map, key_of(i).bytes), i * 10);
    assert_int_equal(key_map_find(&map, key_of(5).bytes), KEY_MAP_NONE);
    assert_int_equal(key_map_remove(&map, key_of(5).bytes), MARCH_ERR_NOT_FOUND);
    assert_int_equal(key_map_remove(&map, key_of(0).bytes), 0);
    assert_int_equal(key_map_insert(&map, key_of(5).bytes, 1), 0);
    assert_int_equal(key_map_find(&map, key_of(5).bytes), 1);
    key_map_destroy(&map);
    key_map_destroy(&map);
}

/* A small map, so that runs of entries collide, wrap around the end and are shifted back all the time. */
static void test_key_map_agrees_with_naive_twin(void **state) {
    (void)state;
    enum { KEYS = 48, MAX = 30 };
    uint64_t random = 0x9e3779b97f4a7c15ULL;
    for (uint8_t round = 0; round < 20; round++) {
        uint8_t round_secret[KEY_MAP_SECRET_BYTES] = {round};
        struct key_map map;
        uint32_t twin[KEYS], count = 0;
        memset(twin, 0xff, sizeof(twin));
        assert_int_equal(key_map_create(&map, MAX, round_secret), 0);
        for (uint32_t step = 0; step < 5000; step++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            uint32_t number = (uint32_t)(random % KEYS);
            struct key key = key_of(number);
            if (random >> 32 & 1) {
                int expected = twin[number] != KEY_MAP_NONE ? MARCH_ERR_EXISTS : count == MAX ? MARCH_ERR_FULL : 0;
                assert_int_equal(key_map_insert(&map, key.bytes, step), expected);
                if (expected == 0) twin[number] = step, count++;
            } else {
                assert_int_equal(key_map_remove(&map, key.bytes), twin[number] != KEY_MAP_NONE ? 0 : MARCH_ERR_NOT_FOUND);
                if (twin[number] != KEY_MAP_NONE) twin[number] = KEY_MAP_NONE, count--;
            }
            assert_int_equal(map.count, count);
            for (uint32_t i = 0; i < KEYS; i++) assert_int_equal(key_map_find(&map, key_of(i).bytes), twin[i]);
        }
        key_map_destroy(&map);
    }
}

static void test_index_pool_sweep_visits_all_once_in_a_pass(void **state) {
    (void)state;
    struct index_pool pool;
    assert_int_equal(index_pool_create(&pool, 1000), 0);
    assert_int_equal(index_pool_share(&pool, 0), 0); /* nothing was ever used */
    for (uint32_t i = 0; i < 300; i++) assert_int_equal(index_pool_take(&pool), i);
    uint32_t visits[300] = {0}, total = 0;
    for (int call = 0; call < 20; call++) {
        for (uint32_t n = index_pool_share(&pool, INDEX_POOL_PASS_NS / 20); n > 0; n--, total++) {
            visits[index_pool_next(&pool)]++;
        }
    }
    assert_int_equal(total, 300);
    for (uint32_t i = 0; i < 300; i++) assert_int_equal(visits[i], 1);
    assert_int_equal(index_pool_share(&pool, 1000 * INDEX_POOL_PASS_NS), 300); /* a stall does not add up */
    index_pool_give(&pool, 7);
    assert_int_equal(index_pool_used(&pool), 299);
    assert_int_equal(index_pool_take(&pool), 7);
    index_pool_destroy(&pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_map_full_refuses_and_keeps_what_it_has),
        cmocka_unit_test(test_key_map_agrees_with_naive_twin),
        cmocka_unit_test(test_index_pool_sweep_visits_all_once_in_a_pass),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
