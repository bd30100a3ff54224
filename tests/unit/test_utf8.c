/* test_utf8.c: every edge of well-formed UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/utf8.h"

static const struct {
    const char *text;
    bool valid;
} CASES[] = {
    {"a", true},
    {"", false},
    {"~ !", true},
    {"\x1f", false},
    {"\x7f", false},
    {"\t", false},
    {"\x80", false},
    {"\xbf", false},
    {"\xc0\x80", false},
    {"\xc1\xbf", false},
    {"\xc2\x9f", false}, /* C1 control */
    {"\xc2\xa0", true},
    {"\xdf\xbf", true},
    {"\xdf", false},
    {"\xe0\x9f\xbf", false},
    {"\xe0\xa0\x80", true},
    {"\xed\x9f\xbf", true},
    {"\xed\xa0\x80", false}, /* surrogate */
    {"\xee\x80\x80", true},
    {"\xef\xbf\xbd", true},
    {"\xef\xbf", false},
    {"\xf0\x8f\xbf\xbf", false},
    {"\xf0\x90\x80\x80", true},
    {"\xf4\x8f\xbf\xbf", true},
    {"\xf4\x90\x80\x80", false},
    {"\xf5\x80\x80\x80", false},
    {"\xf0\x90\x80", false},
    {"\xc3(", false},
    {"\xff", false},
};

static void test_utf8_edges_are_judged(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        if (utf8_text_valid(CASES[i].text, strlen(CASES[i].text), 8) != CASES[i].valid) fail_msg("case %zu", i);
    }
}

static void test_utf8_limits_hold(void **state) {
    (void)state;
    assert_true(utf8_text_valid("abcd", 4, 4));
    assert_false(utf8_text_valid("abcd", 4, 3));
    assert_false(utf8_text_valid("a\0b", 3, 8));
}

static void test_utf8_clean_keeps_what_is_whole(void **state) {
    (void)state;
    char mixed[] = "\xc3\xa9\n\xc2\x89z\x7f\xe2\x82";
    utf8_text_clean(mixed);
    assert_string_equal(mixed, "\xc3\xa9???z???");
    char empty[] = "";
    utf8_text_clean(empty);
    assert_string_equal(empty, "");
    char whole[] = "h\xc3\xb6he: 2 \xe2\x82\xac";
    utf8_text_clean(whole);
    assert_string_equal(whole, "h\xc3\xb6he: 2 \xe2\x82\xac");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_edges_are_judged),
        cmocka_unit_test(test_utf8_limits_hold),
        cmocka_unit_test(test_utf8_clean_keeps_what_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
