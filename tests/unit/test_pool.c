/* test_pool.c: pools and rings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/pool.h"
#include "common/ring.h"
#include "tests/unit/resident.h"

static void test_pool_full_answers_with_the_null_handle(void **state) {
    (void)state;
    struct pool pool;
    assert_int_equal(pool_init(&pool, 3, sizeof(int)), 0);
    struct handle handles[3];
    for (uint32_t i = 0; i < 3; i++) {
        handles[i] = pool_take(&pool);
        assert_false(handle_is_null(handles[i]));
        assert_int_equal(handles[i].index, i);
    }
    assert_true(handle_is_null(pool_take(&pool)));
    assert_int_equal(pool_count(&pool), 3);
    pool_give(&pool, handles[1]);
    assert_int_equal(pool_count(&pool), 2);
    assert_int_equal(pool_take(&pool).index, 1);
    pool_deinit(&pool);
    pool_deinit(&pool);
}

static void test_pool_stale_handle_finds_nothing(void **state) {
    (void)state;
    struct pool pool;
    assert_int_equal(pool_init(&pool, 2, sizeof(int)), 0);
    struct handle first = pool_take(&pool);
    *(int *)pool_get(&pool, first) = 7;
    assert_int_equal(*(int *)pool_at(&pool, first.index), 7);
    pool_give(&pool, first);
    assert_null(pool_get(&pool, first));
    assert_null(pool_at(&pool, first.index));
    assert_true(handle_is_null(pool_handle(&pool, first.index)));
    struct handle second = pool_take(&pool);
    assert_int_equal(second.index, first.index);
    assert_false(handle_equal(first, second));
    assert_true(handle_equal(second, pool_handle(&pool, second.index)));
    assert_null(pool_get(&pool, first));
    assert_int_equal(*(int *)pool_get(&pool, second), 0);
    pool_deinit(&pool);
}

static void test_pool_foreign_handles_find_nothing(void **state) {
    (void)state;
    struct pool pool;
    assert_int_equal(pool_init(&pool, 2, 1), 0);
    assert_null(pool_get(&pool, (struct handle){0}));
    assert_null(pool_get(&pool, (struct handle){0, 1}));
    assert_null(pool_get(&pool, (struct handle){2, 1}));
    assert_null(pool_get(&pool, (struct handle){UINT32_MAX, UINT32_MAX}));
    pool_deinit(&pool);
}

static void test_pool_objects_do_not_touch(void **state) {
    (void)state;
    struct pool pool;
    assert_int_equal(pool_init(&pool, 4, 3), 0);
    struct handle handles[4];
    for (int i = 0; i < 4; i++) {
        handles[i] = pool_take(&pool);
        memset(pool_get(&pool, handles[i]), i + 1, 3);
        assert_int_equal((uintptr_t)pool_get(&pool, handles[i]) % _Alignof(max_align_t), 0);
    }
    for (int i = 0; i < 4; i++) {
        const unsigned char *object = pool_get(&pool, handles[i]);
        assert_true(object[0] == i + 1 && object[1] == i + 1 && object[2] == i + 1);
    }
    pool_deinit(&pool);
}

static void test_pool_touches_what_it_uses(void **state) {
    (void)state;
    struct pool pool;
    enum { CAPACITY = 1 << 20 };
    assert_int_equal(pool_init(&pool, CAPACITY, 64), 0);
    struct handle handles[100];
    for (int i = 0; i < 100; i++) handles[i] = pool_take(&pool);
    for (int i = 0; i < 100; i += 2) pool_give(&pool, handles[i]);
    assert_int_equal(pool_count(&pool), 50);
    assert_true(resident_bytes(pool.objects, (size_t)CAPACITY * pool.object_bytes) <= 4 * RESIDENT_PAGE);
    assert_true(resident_bytes(pool.free_slots, CAPACITY * sizeof *pool.free_slots) <= 4 * RESIDENT_PAGE);
    assert_true(resident_bytes(pool.generations, CAPACITY * sizeof *pool.generations) <= 4 * RESIDENT_PAGE);
    pool_deinit(&pool);
}

static void test_ring_is_first_in_first_out_through_many_rounds(void **state) {
    (void)state;
    struct ring ring;
    assert_int_equal(ring_init(&ring, 4, sizeof(uint32_t)), 0);
    ring.head = ring.tail = UINT32_MAX - 5; /* so that positions wrap on the way */
    uint32_t pushed = 0, popped = 0;
    for (uint32_t round = 0; round < 50; round++) {
        for (uint32_t i = 0; i <= round % 5; i++) {
            uint32_t *element = ring_push(&ring);
            if (!element) {
                assert_int_equal(ring_count(&ring), 4);
                break;
            }
            *element = pushed++;
        }
        assert_int_equal(ring_count(&ring), pushed - popped);
        for (uint32_t i = 0; i < ring_count(&ring); i++) assert_int_equal(*(uint32_t *)ring_at(&ring, i), popped + i);
        assert_null(ring_at(&ring, ring_count(&ring)));
        for (uint32_t i = 0; i <= round % 3; i++) {
            uint32_t *element = ring_pop(&ring);
            if (!element) break;
            assert_int_equal(*element, popped++);
        }
    }
    assert_true(pushed > 50);
    ring_clear(&ring);
    assert_null(ring_pop(&ring));
    ring_deinit(&ring);
    ring_deinit(&ring);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool_full_answers_with_the_null_handle),
        cmocka_unit_test(test_pool_stale_handle_finds_nothing),
        cmocka_unit_test(test_pool_foreign_handles_find_nothing),
        cmocka_unit_test(test_pool_objects_do_not_touch),
        cmocka_unit_test(test_pool_touches_what_it_uses),
        cmocka_unit_test(test_ring_is_first_in_first_out_through_many_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
