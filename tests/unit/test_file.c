/* test_file.c: files in a fresh directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"

static char directory[64];
static char path[96];
static char error[512];

static int make_directory(void **state) {
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/test_file.XXXXXX");
    if (!mkdtemp(directory)) return -1;
    snprintf(path, sizeof path, "%s/file", directory);
    error[0] = '\0';
    return 0;
}

static int remove_directory(void **state) {
    (void)state;
    unlink(path);
    return rmdir(directory); /* fails, and the test with it, when a temporary file was left */
}

static void put(const char *bytes, size_t len, mode_t mode) {
    assert_int_equal(file_write(path, bytes, len, mode, error, sizeof error), 0);
}

static void expect_text(const char *expected) {
    uint8_t *bytes;
    size_t len;
    assert_int_equal(file_read(path, 100, &bytes, &len, error, sizeof error), 0);
    assert_int_equal(len, strlen(expected));
    assert_string_equal((char *)bytes, expected);
    free(bytes);
}

static void test_file_written_is_read_back_with_its_mode(void **state) {
    (void)state;
    put("hello", 5, 0640);
    expect_text("hello");
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    put("", 0, 0600);
    expect_text("");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
}

static void test_file_larger_than_allowed_is_refused(void **state) {
    (void)state;
    put("123456", 6, 0600);
    uint8_t *bytes = NULL;
    size_t len;
    assert_int_equal(file_read(path, 5, &bytes, &len, error, sizeof error), MARCH_ERR_FULL);
    assert_non_null(strstr(error, "/file: expected at most 5 bytes"));
    assert_int_equal(file_read(path, 6, &bytes, &len, error, sizeof error), 0);
    free(bytes);
}

static void test_file_missing_or_not_regular_is_named(void **state) {
    (void)state;
    uint8_t *bytes;
    size_t len;
    assert_int_equal(file_read(path, 5, &bytes, &len, error, sizeof error), MARCH_ERR_NOT_FOUND);
    assert_non_null(strstr(error, "/file: cannot open: No such file or directory"));
    assert_int_equal(file_read(directory, 5, &bytes, &len, error, sizeof error), MARCH_ERR_SYSTEM);
    assert_non_null(strstr(error, "expected a regular file"));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(file_read(path, 5, &bytes, &len, error, sizeof error), MARCH_ERR_SYSTEM);
}

static void test_file_write_into_nowhere_fails(void **state) {
    (void)state;
    char nowhere[128];
    snprintf(nowhere, sizeof nowhere, "%s/no/such", directory);
    assert_int_equal(file_write(nowhere, "x", 1, 0600, error, sizeof error), MARCH_ERR_SYSTEM);
    assert_non_null(strstr(error, "/no/such: cannot write"));
}

static void test_file_write_onto_a_directory_leaves_nothing_behind(void **state) {
    (void)state;
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(file_write(path, "x", 1, 0600, error, sizeof error), MARCH_ERR_SYSTEM);
    assert_int_equal(rmdir(path), 0);
}

static void test_file_key_is_read(void **state) {
    (void)state;
    put("0123456789abcdef0123456789abcdef", 32, 0600);
    uint8_t key[FILE_KEY_BYTES];
    assert_int_equal(file_read_key(path, key, error, sizeof error), 0);
    assert_memory_equal(key, "0123456789abcdef0123456789abcdef", 32);
    put("0123456789abcdef0123456789abcdef", 32, 0400);
    assert_int_equal(file_read_key(path, key, error, sizeof error), 0);
}

static void test_file_key_of_another_size_is_refused(void **state) {
    (void)state;
    uint8_t key[FILE_KEY_BYTES];
    put("0123456789abcdef0123456789abcde", 31, 0600);
    assert_int_equal(file_read_key(path, key, error, sizeof error), MARCH_ERR_INVALID);
    assert_non_null(strstr(error, "expected a key of 32 bytes, found 31"));
    put("0123456789abcdef0123456789abcdef\n", 33, 0600);
    assert_int_equal(file_read_key(path, key, error, sizeof error), MARCH_ERR_INVALID);
    assert_non_null(strstr(error, "found 33"));
}

static void test_file_key_that_others_can_read_is_refused(void **state) {
    (void)state;
    const mode_t modes[] = {0644, 0640, 0604, 0620, 0601};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        uint8_t key[FILE_KEY_BYTES];
        put("0123456789abcdef0123456789abcdef", 32, modes[i]);
        assert_int_equal(file_read_key(path, key, error, sizeof error), MARCH_ERR_INVALID);
        assert_non_null(strstr(error, "expected a key that only its owner can read (mode 0600), found mode 06"));
    }
}

static void test_file_key_of_another_user_is_refused(void **state) {
    (void)state;
    if (geteuid() != 0) skip(); /* only root can give a file away */
    uint8_t key[FILE_KEY_BYTES];
    put("0123456789abcdef0123456789abcdef", 32, 0600);
    assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
    assert_int_equal(file_read_key(path, key, error, sizeof error), MARCH_ERR_INVALID);
    assert_non_null(strstr(error, "found user 12345"));
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(test_file_written_is_read_back_with_its_mode),
        IN_DIRECTORY(test_file_larger_than_allowed_is_refused),
        IN_DIRECTORY(test_file_missing_or_not_regular_is_named),
        IN_DIRECTORY(test_file_write_into_nowhere_fails),
        IN_DIRECTORY(test_file_write_onto_a_directory_leaves_nothing_behind),
        IN_DIRECTORY(test_file_key_is_read),
        IN_DIRECTORY(test_file_key_of_another_size_is_refused),
        IN_DIRECTORY(test_file_key_that_others_can_read_is_refused),
        IN_DIRECTORY(test_file_key_of_another_user_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
