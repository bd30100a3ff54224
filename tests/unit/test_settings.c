/* Where a persist's databases are, as zonectl writes it; and which shard it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/file.h"
#include "persist/settings.h"

static int set_up(void **state) {
    char *dir = strdup("/tmp/march-settings-XXXXXX");
    assert_non_null(mkdtemp(dir));
    *state = dir;
    return 0;
}

static int tear_down(void **state) {
    char path[100];
    snprintf(path, sizeof path, "%s/p.postgres", (char *)*state);
    unlink(path);
    snprintf(path, sizeof path, "%s/p.redis", (char *)*state);
    unlink(path);
    rmdir(*state);
    free(*state);
    return 0;
}

static void write_file(const char *dir, const char *name, const char *text) {
    char path[100], error[200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(file_write(path, text, strlen(text), 0600, error, sizeof error), 0);
}

static void test_settings_stores_are_read_with_and_without_a_replica(void **state) {
    struct stores stores;
    char error[300];
    write_file(*state, "p.postgres", "postgresql:///march_0\n");
    write_file(*state, "p.redis", "unix:///run/redis.sock");
    assert_int_equal(settings_stores(*state, "p", &stores, error, sizeof error), 0);
    assert_string_equal(stores.postgres, "postgresql:///march_0");
    assert_string_equal(stores.replica, "");
    assert_string_equal(stores.redis, "unix:///run/redis.sock");
    write_file(*state, "p.postgres", "postgresql:///a\npostgresql:///b\n");
    assert_int_equal(settings_stores(*state, "p", &stores, error, sizeof error), 0);
    assert_string_equal(stores.replica, "postgresql:///b");
}

static void test_settings_stores_that_are_not_as_expected_are_refused(void **state) {
    static const char *const texts[] = {"", "\n", "a\nb\nc\n"};
    struct stores stores;
    char error[300], longer[SETTINGS_ADDRESS_SIZE + 2];
    assert_int_equal(settings_stores(*state, "p", &stores, error, sizeof error), MARCH_ERR_NOT_FOUND);
    write_file(*state, "p.redis", "unix:///run/redis.sock\n");
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_file(*state, "p.postgres", texts[i]);
        assert_int_equal(settings_stores(*state, "p", &stores, error, sizeof error), MARCH_ERR_INVALID);
        assert_non_null(strstr(error, "p.postgres: expected one or two lines"));
    }
    memset(longer, 'x', sizeof longer);
    longer[SETTINGS_ADDRESS_SIZE] = '\0';
    write_file(*state, "p.postgres", longer);
    assert_int_equal(settings_stores(*state, "p", &stores, error, sizeof error), MARCH_ERR_INVALID);
}

static void test_settings_shard_must_be_the_configurations(void **state) {
    (void)state;
    assert_true(settings_shard_is("1/4", 1, 4));
    assert_false(settings_shard_is("1/4", 2, 4));
    assert_false(settings_shard_is("1/4", 1, 5));
    assert_false(settings_shard_is("1", 1, 4));
    assert_false(settings_shard_is(" 1/4", 1, 4));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_settings_stores_are_read_with_and_without_a_replica),
        TEST(test_settings_stores_that_are_not_as_expected_are_refused),
        cmocka_unit_test(test_settings_shard_must_be_the_configurations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
