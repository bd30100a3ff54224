/* test_order.c: a bot's command is repeated with its key until its answer is definite, and not for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/swarm/order.h"

static struct order begun(void) {
    struct order order;
    order_begin(&order, &(struct march_command){.key = 7, .verb = MARCH_VERB_USE}, 1000, 5);
    return order;
}

static void test_order_definite_answer_ends_it(void **state) {
    (void)state;
    struct order order = begun();
    assert_true(order_is_due(&order, 1000));
    order_sent(&order, 1000);
    assert_false(order_is_due(&order, 1001));
    assert_false(order_answer(&order, &(struct march_result){.key = 8}, 1002)); /* another's */
    assert_true(order_answer(&order, &(struct march_result){.key = 7, .status = MARCH_STATUS_CONFLICT, .object = 3}, 1003));
    assert_true(order.status == MARCH_STATUS_CONFLICT && order.object == 3);
    order_end(&order);
    assert_false(order_answer(&order, &(struct march_result){.key = 7}, 1004)); /* it is told twice */
}

static void test_order_not_now_is_repeated_with_growing_pauses(void **state) {
    (void)state;
    static const uint8_t statuses[] = {MARCH_STATUS_UNAVAILABLE, MARCH_STATUS_BUSY, MARCH_STATUS_JOURNAL_FULL};
    struct order order = begun();
    uint64_t now_ms = 1000, pause_ms = ORDER_PAUSE_MS;
    for (unsigned i = 0; i < 12; i++) {
        assert_true(order_is_due(&order, now_ms));
        order_sent(&order, now_ms);
        struct march_result result = {.key = 7, .status = statuses[i % 3]};
        assert_false(order_answer(&order, &result, now_ms));
        assert_false(order_is_due(&order, now_ms + pause_ms - 1));
        now_ms += pause_ms;
        pause_ms = pause_ms * 2 < ORDER_PAUSE_MAX_MS ? pause_ms * 2 : ORDER_PAUSE_MAX_MS;
        assert_int_equal(order.command.key, 7);
    }
    assert_int_equal(order.sends, 12);
}

static void test_order_without_answer_is_repeated(void **state) {
    (void)state;
    struct order order = begun();
    order_sent(&order, 1000);
    assert_false(order_is_due(&order, 1000 + ORDER_ANSWER_MS - 1));
    assert_true(order_is_due(&order, 1000 + ORDER_ANSWER_MS));
}

static void test_order_goes_out_at_once_on_a_new_connection(void **state) {
    (void)state;
    struct order order = begun();
    order_sent(&order, 1000);
    order_reconnected(&order, 1500);
    assert_true(order_is_due(&order, 1500));
    order_end(&order);
    order_reconnected(&order, 1600);
    assert_false(order_is_due(&order, 1600));
}

static void test_order_patience_has_an_end(void **state) {
    (void)state;
    struct order order = begun();
    assert_false(order_is_hopeless(&order, 1000 + ORDER_PATIENCE_MS - 1));
    assert_true(order_is_hopeless(&order, 1000 + ORDER_PATIENCE_MS));
    order_end(&order);
    assert_false(order_is_hopeless(&order, 1000 + ORDER_PATIENCE_MS));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_definite_answer_ends_it),
        cmocka_unit_test(test_order_not_now_is_repeated_with_growing_pauses),
        cmocka_unit_test(test_order_without_answer_is_repeated),
        cmocka_unit_test(test_order_goes_out_at_once_on_a_new_connection),
        cmocka_unit_test(test_order_patience_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
