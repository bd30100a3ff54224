/* The jitter buffer of a player's commands: each once, in order, spread as they were made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "zone/input.h"

/* A packet whose commands tell their sequence number by their aim. */
static struct wire_input packet(uint16_t newest, uint8_t count) {
    struct wire_input input = {.newest_seq = newest, .count = count};
    for (uint8_t i = 0; i < count; i++) input.commands[i].aim = (uint16_t)(newest - i);
    return input;
}

static struct input_queue started(uint16_t seq, uint64_t tick) {
    struct input_queue q;
    struct wire_input_command c;
    input_init(&q, tick);
    struct wire_input first = packet(seq, 1);
    assert_int_equal(input_push(&q, &first, tick), 1);
    assert_true(input_next(&q, tick, &c));
    return q;
}

static void push(struct input_queue *q, uint16_t newest, uint8_t count, uint64_t tick, uint32_t fresh) {
    struct wire_input input = packet(newest, count);
    assert_int_equal(input_push(q, &input, tick), fresh);
}

static void test_input_of_first_packet_counts_the_newest_only(void **state) {
    (void)state;
    struct input_queue q;
    struct wire_input_command c;
    input_init(&q, 100);
    push(&q, 500, 8, 100, 1);
    assert_true(input_next(&q, 100, &c));
    assert_int_equal(c.aim, 500);
    assert_int_equal(q.applied_seq, 500);
    assert_false(input_next(&q, 101, &c));
}

static void test_input_repeated_or_older_is_dropped(void **state) {
    (void)state;
    struct input_queue q = started(10, 100);
    push(&q, 10, 4, 103, 0);
    push(&q, 9, 4, 103, 0);
    push(&q, 12, 4, 103, 2);
    push(&q, 11, 4, 104, 0);
    assert_int_equal(q.count, 2);
}

static void test_input_sequence_wraps(void **state) {
    (void)state;
    struct input_queue q = started(65534, 100);
    struct wire_input_command c;
    push(&q, 1, 8, 103, 3);
    assert_true(input_next(&q, 104, &c));
    assert_int_equal(q.applied_seq, 0); /* 65535 was skipped: two wait at most */
    push(&q, 65535, 8, 105, 0);
}

static void test_input_bunched_up_is_spread_again(void **state) {
    (void)state;
    struct input_queue q = started(10, 100);
    struct wire_input_command c;
    push(&q, 12, 3, 106, 2); /* both came at once, 20 Hz */
    assert_true(input_next(&q, 106, &c));
    assert_int_equal(c.aim, 11);
    assert_false(input_next(&q, 107, &c));
    assert_true(input_next(&q, 108, &c)); /* a tick early, so that what waits drains */
    assert_int_equal(c.aim, 12);
}

static void test_input_at_20_hz_is_applied_as_it_comes(void **state) {
    (void)state;
    struct input_queue q = started(10, 100);
    struct wire_input_command c;
    for (uint16_t i = 1; i < 100; i++) {
        uint64_t tick = 100 + i * 3u;
        push(&q, (uint16_t)(10 + i), 4, tick, 1);
        assert_true(input_next(&q, tick, &c));
        assert_false(input_next(&q, tick + 1, &c));
        assert_false(input_next(&q, tick + 2, &c));
    }
    assert_int_equal(q.interval_q8, 3 << 8);
}

static void test_input_interval_follows_the_client(void **state) {
    (void)state;
    struct input_queue q = started(0, 100);
    struct wire_input_command c;
    uint64_t tick = 100;
    for (uint16_t i = 1; i < 60; i++) {
        push(&q, i, 1, tick += 6, 1);
        input_next(&q, tick, &c);
    }
    assert_in_range(q.interval_q8, 5 << 8, 6 << 8);
    for (uint16_t i = 60; i < 160; i++) {
        push(&q, i, 1, ++tick, 1);
        assert_true(input_next(&q, tick, &c) || q.interval_q8 > 512);
    }
    assert_in_range(q.interval_q8, 256, 300);
}

static void test_input_too_much_waiting_is_skipped_but_its_buttons_stay(void **state) {
    (void)state;
    struct input_queue q = started(10, 100);
    struct wire_input_command c;
    struct wire_input burst = packet(18, 8);
    burst.commands[7].buttons = 2;
    assert_int_equal(input_push(&q, &burst, 110), 8);
    assert_true(input_next(&q, 110, &c));
    assert_int_equal(c.aim, 17);
    assert_int_equal(c.buttons, 2);
    assert_int_equal(q.count, 1);
}

static void test_input_lost_for_long_stands_still_once(void **state) {
    (void)state;
    struct input_queue q = started(10, 100);
    struct wire_input_command c;
    assert_false(input_next(&q, 100 + INPUT_HOLD_TICKS - 1, &c));
    assert_true(input_next(&q, 100 + INPUT_HOLD_TICKS, &c));
    assert_int_equal(c.move, 5);
    assert_int_equal(c.buttons, 0);
    assert_int_equal(c.aim, 10);
    assert_false(input_next(&q, 100 + 2 * INPUT_HOLD_TICKS, &c));
    assert_int_equal(q.applied_seq, 10);
    push(&q, 40, 8, 500, 8);
    assert_true(input_next(&q, 500, &c)); /* no waiting after a pause */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_input_of_first_packet_counts_the_newest_only),
        cmocka_unit_test(test_input_repeated_or_older_is_dropped),
        cmocka_unit_test(test_input_sequence_wraps),
        cmocka_unit_test(test_input_bunched_up_is_spread_again),
        cmocka_unit_test(test_input_at_20_hz_is_applied_as_it_comes),
        cmocka_unit_test(test_input_interval_follows_the_client),
        cmocka_unit_test(test_input_too_much_waiting_is_skipped_but_its_buttons_stay),
        cmocka_unit_test(test_input_lost_for_long_stands_still_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
