/* Entities: indices are stable, handles tell a reused index, ids are never reused, the alive list has no gaps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "zone/entities.h"

static void test_entities_spawn_and_remove_keep_indices(void **state) {
    (void)state;
    struct entities *e = entities_create(3, 2, 7);
    uint16_t a, b, c, d;
    assert_int_equal(entities_spawn(e, 1, 10, 20, &a), 0);
    assert_int_equal(entities_spawn(e, 2, 30, 40, &b), 0);
    assert_int_equal(entities_spawn(e, 3, 50, 60, &c), 0);
    assert_int_equal(entities_spawn(e, 4, 0, 0, &d), MARCH_ERR_FULL);
    entities_remove(e, a);
    assert_int_equal(e->count, 2);
    assert_int_equal(e->x[b], 30);
    assert_int_equal(e->kind[c], 3);
    assert_int_equal(e->alive[0], c);
    assert_int_equal(e->alive[1], b);
    entities_destroy(e);
}

static void test_entities_handle_of_removed_entity_finds_nothing(void **state) {
    (void)state;
    struct entities *e = entities_create(1, 0, 0);
    uint16_t a, b;
    assert_int_equal(entities_spawn(e, 1, 0, 0, &a), 0);
    struct entity_handle old = entities_handle(e, a);
    assert_int_equal(entities_index(e, old), a);
    entities_remove(e, a);
    assert_int_equal(entities_index(e, old), ENTITY_NONE);
    assert_int_equal(entities_spawn(e, 1, 0, 0, &b), 0);
    assert_int_equal(b, a);
    assert_int_equal(entities_index(e, old), ENTITY_NONE);
    assert_int_equal(entities_index(e, (struct entity_handle){0, 0}), ENTITY_NONE);
    assert_int_equal(entities_index(e, (struct entity_handle){99, 1}), ENTITY_NONE);
    entities_destroy(e);
}

static void test_entities_ids_name_zone_and_incarnation_and_never_repeat(void **state) {
    (void)state;
    struct entities *e = entities_create(1, 2, 7);
    uint16_t a;
    for (uint64_t n = 1; n < 100; n++) {
        assert_int_equal(entities_spawn(e, 1, 0, 0, &a), 0);
        assert_true(e->id[a] == (2ULL << 48 | 7ULL << 32 | n));
        entities_remove(e, a);
    }
    entities_destroy(e);
}

static void test_entities_random_churn_matches_naive_twin(void **state) {
    (void)state;
    enum { N = 64 };
    struct entities *e = entities_create(N, 0, 0);
    uint64_t twin[N] = {0}; /* id at each index, 0 when free */
    uint32_t random = 12345, alive = 0;
    for (int step = 0; step < 20000; step++) {
        random = random * 1664525u + 1013904223u;
        uint16_t index = (uint16_t)((random >> 8) % N);
        if (random >> 31) {
            if (entities_spawn(e, 1, 0, 0, &index) == 0) {
                assert_true(twin[index] == 0);
                twin[index] = e->id[index];
                alive++;
            } else {
                assert_int_equal(alive, N);
            }
        } else if (entities_is_alive(e, index)) {
            entities_remove(e, index);
            twin[index] = 0;
            alive--;
        }
        assert_int_equal(e->count, alive);
    }
    for (uint16_t i = 0; i < N; i++) assert_int_equal(entities_is_alive(e, i), twin[i] != 0);
    for (uint32_t i = 0; i < e->count; i++) assert_int_equal(e->alive_at[e->alive[i]], i);
    entities_destroy(e);
}

static void test_entities_ghosts_are_found_by_id_and_become_own_in_place(void **state) {
    (void)state;
    struct entities *e = entities_create(4, 1, 1);
    uint16_t own, ghost;
    assert_int_equal(entities_spawn(e, 1, 0, 0, &own), 0);
    assert_int_equal(entities_spawn_as(e, 77, 3, 2, 5, 6, &ghost), 0);
    assert_true(entities_is_own(e, own) && !entities_is_own(e, ghost));
    assert_int_equal(e->ghost_count, 1);
    assert_int_equal(entities_find(e, 77), ghost);
    assert_int_equal(entities_find(e, e->id[own]), own);
    assert_int_equal(entities_find(e, 78), ENTITY_NONE);
    struct entity_handle handle = entities_handle(e, ghost);
    entities_set_ghost(e, ghost, ENTITY_OWN);
    assert_int_equal(e->ghost_count, 0);
    assert_int_equal(entities_index(e, handle), ghost);
    entities_remove(e, ghost);
    assert_int_equal(entities_find(e, 77), ENTITY_NONE);
    entities_destroy(e);
}

/* Ids that collide in the table, in every order of removal. */
static void test_entities_find_survives_any_order_of_removals(void **state) {
    (void)state;
    enum { COUNT = 64 };
    struct entities *e = entities_create(COUNT, 0, 0);
    uint64_t random = 12345;
    for (int round = 0; round < 200; round++) {
        uint64_t ids[COUNT];
        for (uint32_t i = 0; i < COUNT; i++) {
            uint16_t index;
            random = random * 6364136223846793005u + 1442695040888963407u;
            ids[i] = (uint64_t)round << 32 | (random >> 40) << 8 | i; /* low bits alike: long runs */
            assert_int_equal(entities_spawn_as(e, ids[i], (uint8_t)(i % 3), 1, 0, 0, &index), 0);
        }
        for (uint32_t left = COUNT; left > 0; left--) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            uint32_t n = (uint32_t)(random >> 33) % left;
            uint16_t index = entities_find(e, ids[n]);
            assert_int_not_equal(index, ENTITY_NONE);
            entities_remove(e, index);
            assert_int_equal(entities_find(e, ids[n]), ENTITY_NONE);
            ids[n] = ids[left - 1];
            for (uint32_t i = 0; i + 1 < left; i++) assert_true(e->id[entities_find(e, ids[i])] == ids[i]);
        }
        assert_int_equal(e->ghost_count, 0);
    }
    entities_destroy(e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entities_spawn_and_remove_keep_indices),
        cmocka_unit_test(test_entities_handle_of_removed_entity_finds_nothing),
        cmocka_unit_test(test_entities_ids_name_zone_and_incarnation_and_never_repeat),
        cmocka_unit_test(test_entities_random_churn_matches_naive_twin),
        cmocka_unit_test(test_entities_ghosts_are_found_by_id_and_become_own_in_place),
        cmocka_unit_test(test_entities_find_survives_any_order_of_removals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
