/* Subsystems that are switched off stay so over a restart; a file that is not understood is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/file.h"
#include "persist/flags.h"

static int set_up(void **state) {
    char *dir = strdup("/tmp/march-flags-XXXXXX");
    assert_non_null(mkdtemp(dir));
    *state = dir;
    return 0;
}

static int tear_down(void **state) {
    char path[100];
    snprintf(path, sizeof path, "%s/persist-0.flags", (char *)*state);
    unlink(path);
    rmdir(*state);
    free(*state);
    return 0;
}

static void test_flags_are_all_on_at_first(void **state) {
    struct flags flags;
    char error[200];
    assert_int_equal(flags_open(&flags, *state, "persist-0", error, sizeof error), 0);
    for (unsigned i = 0; i < FLAG_COUNT; i++) assert_true(flags_is_on(&flags, (enum flag)i));
}

static void test_flags_that_were_set_survive_a_restart(void **state) {
    struct flags flags;
    char error[200];
    assert_int_equal(flags_open(&flags, *state, "persist-0", error, sizeof error), 0);
    assert_int_equal(flags_set(&flags, FLAG_TRADE, false, error, sizeof error), 0);
    assert_int_equal(flags_set(&flags, FLAG_LOOT, false, error, sizeof error), 0);
    assert_int_equal(flags_set(&flags, FLAG_LOOT, true, error, sizeof error), 0);
    memset(&flags, 0xee, sizeof flags);
    assert_int_equal(flags_open(&flags, *state, "persist-0", error, sizeof error), 0);
    for (unsigned i = 0; i < FLAG_COUNT; i++) assert_int_equal(flags_is_on(&flags, (enum flag)i), i != FLAG_TRADE);
}

static void test_flags_that_cannot_be_written_stay(void **state) {
    (void)state;
    struct flags flags;
    char error[200];
    assert_int_equal(flags_open(&flags, "/nonexistent", "persist-0", error, sizeof error), 0);
    assert_int_equal(flags_set(&flags, FLAG_TRADE, false, error, sizeof error), MARCH_ERR_SYSTEM);
    assert_true(flags_is_on(&flags, FLAG_TRADE));
}

static void test_flags_have_names(void **state) {
    (void)state;
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        enum flag found;
        assert_int_equal(flags_find(flags_name((enum flag)i), &found), 0);
        assert_int_equal(found, i);
    }
    enum flag flag;
    assert_int_equal(flags_find("Trade", &flag), MARCH_ERR_NOT_FOUND);
    assert_int_equal(flags_find("", &flag), MARCH_ERR_NOT_FOUND);
}

static void test_flags_of_a_bad_file_are_refused_with_the_line(void **state) {
    static const char *const texts[] = {"trade off\nwings on\n", "trade on\ntrade maybe\n", "trade on\nloot\n",
                                        "trade on\n\nloot on\n"};
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
        char path[100], error[200];
        snprintf(path, sizeof path, "%s/persist-0.flags", (char *)*state);
        assert_int_equal(file_write(path, texts[i], strlen(texts[i]), 0600, error, sizeof error), 0);
        struct flags flags;
        assert_int_equal(flags_open(&flags, *state, "persist-0", error, sizeof error), MARCH_ERR_INVALID);
        assert_non_null(strstr(error, "persist-0.flags:2:"));
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_flags_are_all_on_at_first),
        TEST(test_flags_that_were_set_survive_a_restart),
        TEST(test_flags_that_cannot_be_written_stay),
        TEST(test_flags_have_names),
        TEST(test_flags_of_a_bad_file_are_refused_with_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
