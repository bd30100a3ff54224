/* Tests of tools/swarm/speech.c: lines that come as they should, and in every way they should not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tools/swarm/speech.h"

static enum speech_verdict hear(struct speech *speech, uint32_t number) {
    struct wire_client_message line;
    speech_line(number, &line);
    return speech_hear(speech, line.say);
}

static void test_speech_line_is_as_long_as_allowed(void **state) {
    (void)state;
    static const uint32_t numbers[] = {0, 9, 10, UINT32_MAX};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct wire_client_message line;
        speech_line(numbers[i], &line);
        assert_int_equal(line.kind, WIRE_CLIENT_SAY);
        assert_int_equal(strlen(line.say), WIRE_TEXT_MAX);
    }
}

static void test_speech_in_order_is_in_order(void **state) {
    (void)state;
    struct speech speech = {.said = 20};
    for (uint32_t i = 0; i < 20; i++) assert_int_equal(hear(&speech, i), SPEECH_IN_ORDER);
}

static void test_speech_lost_repeated_swapped_or_strange_is_disorder(void **state) {
    (void)state;
    struct speech lost = {.said = 5, .expected = 2};
    assert_int_equal(hear(&lost, 3), SPEECH_DISORDER);
    assert_int_equal(hear(&lost, 4), SPEECH_IN_ORDER); /* each is told once */
    struct speech repeated = {.said = 5, .expected = 2};
    assert_int_equal(hear(&repeated, 1), SPEECH_DISORDER);
    struct speech unsaid = {.said = 2, .expected = 2};
    assert_int_equal(hear(&unsaid, 2), SPEECH_DISORDER);
    struct speech changed = {.said = 2};
    assert_int_equal(speech_hear(&changed, "0 aab"), SPEECH_DISORDER);
}

static void test_speech_after_a_loss_may_skip_once_and_only_forward(void **state) {
    (void)state;
    struct speech speech = {.said = 9, .expected = 2, .may_skip = true};
    assert_int_equal(hear(&speech, 5), SPEECH_IN_ORDER);
    assert_int_equal(hear(&speech, 7), SPEECH_DISORDER);
    struct speech back = {.said = 9, .expected = 2, .may_skip = true};
    assert_int_equal(hear(&back, 1), SPEECH_DISORDER);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_speech_line_is_as_long_as_allowed),
        cmocka_unit_test(test_speech_in_order_is_in_order),
        cmocka_unit_test(test_speech_lost_repeated_swapped_or_strange_is_disorder),
        cmocka_unit_test(test_speech_after_a_loss_may_skip_once_and_only_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
