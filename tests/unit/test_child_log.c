/* test_child_log.c: log files of supervised processes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/zonectl/child_log.h"

struct fixture {
    char dir[64];
    char path[80];
    char rotated[80];
    struct child_log log;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    if (f == NULL) return -1;
    snprintf(f->dir, sizeof(f->dir), "/tmp/test_child_log.XXXXXX");
    if (mkdtemp(f->dir) == NULL) return -1;
    snprintf(f->path, sizeof(f->path), "%s/a.log", f->dir);
    snprintf(f->rotated, sizeof(f->rotated), "%s/a.log.1", f->dir);
    *state = f;
    return child_log_open(&f->log, f->path, 100);
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    child_log_close(&f->log);
    child_log_close(&f->log);
    unlink(f->path);
    unlink(f->rotated);
    rmdir(f->dir);
    free(f);
    return 0;
}

static void child_writes(struct fixture *f, const char *text) {
    assert_int_equal(write(f->log.pipe[1], text, strlen(text)), strlen(text));
    child_log_drain(&f->log);
}

static long file_size(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

static void test_child_log_reason_is_the_last_error(void **state) {
    struct fixture *f = *state;
    assert_string_equal(child_log_reason(&f->log), "");
    child_writes(f, "level=info a\n");
    assert_string_equal(child_log_reason(&f->log), "level=info a");
    child_writes(f, "level=err");
    child_writes(f, "or b\nlevel=info c\n\n");
    assert_string_equal(child_log_reason(&f->log), "level=error b");
    child_log_forget(&f->log);
    assert_string_equal(child_log_reason(&f->log), "");
}

static void test_child_log_full_file_is_rotated(void **state) {
    struct fixture *f = *state;
    char line[61];
    memset(line, 'x', 59);
    line[59] = '\n';
    line[60] = '\0';
    child_writes(f, line);
    assert_int_equal(file_size(f->rotated), -1);
    child_writes(f, line);
    assert_int_equal(file_size(f->rotated), 60);
    assert_int_equal(file_size(f->path), 60);
    child_writes(f, "end\n");
    assert_int_equal(file_size(f->path), 64);
    assert_int_equal(f->log.lost_bytes, 0);
}

static void test_child_log_reopened_appends(void **state) {
    struct fixture *f = *state;
    child_writes(f, "one\n");
    child_log_close(&f->log);
    assert_int_equal(child_log_open(&f->log, f->path, 100), 0);
    child_writes(f, "two\n");
    assert_int_equal(file_size(f->path), 8);
}

static void test_child_log_long_line_is_kept_short(void **state) {
    struct fixture *f = *state;
    char line[CHILD_LOG_LINE_MAX * 2];
    memset(line, 'y', sizeof(line) - 2);
    line[sizeof(line) - 2] = '\n';
    line[sizeof(line) - 1] = '\0';
    child_writes(f, line);
    assert_int_equal(strlen(child_log_reason(&f->log)), CHILD_LOG_LINE_MAX - 1);
}

static void test_child_log_full_pipe_does_not_block_the_writer(void **state) {
    struct fixture *f = *state;
    char block[4096] = {0};
    ssize_t last = 0;
    for (int i = 0; i < 1000 && last >= 0; i++) last = write(f->log.pipe[1], block, sizeof(block));
    assert_int_equal(last, -1);
    assert_int_equal(errno, EAGAIN);
}

static void test_child_log_unwritable_path_is_refused(void **state) {
    (void)state;
    struct child_log log;
    assert_int_equal(child_log_open(&log, "/proc/nowhere/a.log", 100), MARCH_ERR_SYSTEM);
    child_log_close(&log);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_child_log_reason_is_the_last_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_child_log_full_file_is_rotated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_child_log_reopened_appends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_child_log_long_line_is_kept_short, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_child_log_full_pipe_does_not_block_the_writer, set_up, tear_down),
        cmocka_unit_test(test_child_log_unwritable_path_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
