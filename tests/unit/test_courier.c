/* test_courier.c: what is offered when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "persist/courier.h"

static const struct mono START = {1000 * NS_PER_S};

static uint64_t next(struct courier *courier, struct mono now) {
    uint64_t id;
    return courier_next(courier, now, &id) == 0 ? id : 0;
}

static void test_courier_offers_at_once_and_again_after_a_while(void **state) {
    (void)state;
    struct courier *courier = courier_create();
    assert_non_null(courier);
    courier_add(courier, 7, START);
    courier_add(courier, 7, START);
    assert_int_equal(courier_count(courier), 1);
    assert_int_equal(next(courier, START), 7);
    assert_int_equal(next(courier, START), 0);
    assert_int_equal(next(courier, mono_add_ms(START, COURIER_AGAIN_MS - 1)), 0);
    assert_int_equal(next(courier, mono_add_ms(START, COURIER_AGAIN_MS)), 7);
    courier_destroy(courier);
}

static void test_courier_removed_is_never_offered(void **state) {
    (void)state;
    struct courier *courier = courier_create();
    for (uint64_t id = 1; id <= 3; id++) courier_add(courier, id, START);
    courier_remove(courier, 2);
    courier_remove(courier, 2);
    courier_remove(courier, 99);
    uint64_t sum = 0;
    for (uint64_t id; (id = next(courier, START)) != 0;) sum += id;
    assert_int_equal(sum, 4);
    assert_int_equal(courier_count(courier), 2);
    courier_destroy(courier);
}

static void test_courier_hurried_offers_all_again(void **state) {
    (void)state;
    struct courier *courier = courier_create();
    for (uint64_t id = 1; id <= 5; id++) courier_add(courier, id, START);
    while (next(courier, START)) continue;
    courier_add(courier, 6, mono_add_ms(START, 1)); /* one that is new goes before those that wait */
    assert_int_equal(next(courier, mono_add_ms(START, 1)), 6);
    courier_hurry(courier, mono_add_ms(START, 10));
    unsigned count = 0;
    while (next(courier, mono_add_ms(START, 10))) count++;
    assert_int_equal(count, 6);
    courier_destroy(courier);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_courier_offers_at_once_and_again_after_a_while),
        cmocka_unit_test(test_courier_removed_is_never_offered),
        cmocka_unit_test(test_courier_hurried_offers_all_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
