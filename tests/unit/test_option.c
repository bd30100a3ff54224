/* test_option.c: numbers on command lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/option.h"

static void test_option_number_in_range_is_read(void **state) {
    (void)state;
    uint64_t value;
    assert_int_equal(option_number_parse("0", 0, 10, &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(option_number_parse("10", 1, 10, &value), 0);
    assert_int_equal(value, 10);
    assert_int_equal(option_number_parse("18446744073709551615", 0, UINT64_MAX, &value), 0);
    assert_true(value == UINT64_MAX);
}

static void test_option_number_anything_else_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"", " 5", "5 ", "-1", "+1", "0x5", "5s", "11", "18446744073709551616", "ten"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint64_t value;
        if (option_number_parse(texts[i], 1, 10, &value) != MARCH_ERR_INVALID) fail_msg("taken: \"%s\"", texts[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_option_number_in_range_is_read),
        cmocka_unit_test(test_option_number_anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
