/* test_log.c: lines are captured through a pipe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"

static int pipe_fds[2];

static int open_pipe(void **state) {
    (void)state;
    if (pipe(pipe_fds) != 0) return -1;
    log_init("test-0", LOG_LEVEL_INFO);
    log_set_fd(pipe_fds[1]);
    return 0;
}

static int close_pipe(void **state) {
    (void)state;
    log_set_fd(STDERR_FILENO);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return 0;
}

/* read_lines closes the writing end and returns what was logged; one write a line, so a read gets all. */
static size_t read_lines(char *buf, size_t size) {
    close(pipe_fds[1]);
    pipe_fds[1] = -1;
    size_t len = 0;
    ssize_t count;
    while ((count = read(pipe_fds[0], buf + len, size - 1 - len)) > 0) len += (size_t)count;
    buf[len] = '\0';
    return len;
}

/* expect_line checks a line apart from its time stamp, whose shape is checked. */
static const char *expect_line(const char *line, const char *rest) {
    const char *shape = "ts=dddd-dd-ddTdd:dd:dd.dddZ ";
    for (; *shape; shape++, line++) {
        if (*shape == 'd')
            assert_in_range(*line, '0', '9');
        else
            assert_int_equal(*line, *shape);
    }
    size_t len = strlen(rest);
    if (strncmp(line, rest, len) != 0 || line[len] != '\n') fail_msg("found    %s\nexpected %s", line, rest);
    return line + len + 1;
}

static void test_log_line_has_time_level_process_and_values(void **state) {
    (void)state;
    log_info("session.opened", "player=%" PRIu64 " addr=%s", (uint64_t)12, "127.0.0.1:4000");
    log_error("loop.ended");
    char buf[4096];
    read_lines(buf, sizeof buf);
    const char *next = expect_line(buf, "level=info proc=test-0 msg=\"session.opened\" player=12 addr=127.0.0.1:4000");
    next = expect_line(next, "level=error proc=test-0 msg=\"loop.ended\"");
    assert_string_equal(next, "");
}

static void test_log_below_level_is_not_written_and_arguments_not_evaluated(void **state) {
    (void)state;
    int evaluated = 0;
    log_debug("a", "n=%d", ++evaluated);
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("b", "n=%d", ++evaluated);
    log_set_level(LOG_LEVEL_ERROR);
    log_warn("c", "n=%d", ++evaluated);
    char buf[4096];
    read_lines(buf, sizeof buf);
    assert_string_equal(expect_line(buf, "level=debug proc=test-0 msg=\"b\" n=1"), "");
    assert_int_equal(evaluated, 1);
}

static void test_log_long_line_is_cut_and_says_so(void **state) {
    (void)state;
    char *value = malloc(5000);
    assert_non_null(value);
    memset(value, 'x', 4999);
    value[4999] = '\0';
    log_info("long", "value=%s", value);
    free(value);
    char buf[8192];
    size_t len = read_lines(buf, sizeof buf);
    assert_true(len <= LOG_LINE_MAX && len > LOG_LINE_MAX - 64);
    assert_string_equal(buf + len - strlen("xx cut=1\n"), "xx cut=1\n");
    assert_ptr_equal(strchr(buf, '\n'), buf + len - 1);
}

static void test_log_control_bytes_cannot_forge_a_line(void **state) {
    (void)state;
    log_info("forged", "name=%s", "a\nts=0 level=error\x1b[31m");
    char buf[4096];
    read_lines(buf, sizeof buf);
    assert_string_equal(expect_line(buf, "level=info proc=test-0 msg=\"forged\" name=a?ts=0 level=error?[31m"), "");
}

static void test_log_site_writes_at_most_its_share(void **state) {
    (void)state;
    for (int i = 0; i < 1000; i++) log_info("flood", "i=%d", i);
    log_info("other", "i=%d", 1);
    char buf[16384];
    read_lines(buf, sizeof buf);
    int lines = 0;
    for (const char *c = buf; (c = strchr(c, '\n')); c++) lines++;
    /* The clock may have passed into the next second once, or at worst twice. */
    assert_in_range(lines, LOG_SITE_LINES_MAX + 1, 3 * LOG_SITE_LINES_MAX + 3);
    assert_non_null(strstr(buf, "i=9 limited=1\n"));
    assert_non_null(strstr(buf, "msg=\"other\" i=1\n"));
}

static void test_log_site_admit_counts_windows(void **state) {
    (void)state;
    struct log_site site = {0};
    uint32_t suppressed;
    bool last;
    for (int i = 0; i < LOG_SITE_LINES_MAX; i++) {
        assert_true(log_site_admit(&site, 5, &suppressed, &last));
        assert_int_equal(suppressed, 0);
        assert_int_equal(last, i == LOG_SITE_LINES_MAX - 1);
    }
    for (int i = 0; i < 7; i++) assert_false(log_site_admit(&site, 5, &suppressed, &last));
    assert_true(log_site_admit(&site, 6, &suppressed, &last));
    assert_int_equal(suppressed, 7);
    assert_true(log_site_admit(&site, 6, &suppressed, &last));
    assert_int_equal(suppressed, 0);
}

struct quoting {
    const char *text, *quoted;
};

static void test_log_quote_escapes_what_is_not_a_word(void **state) {
    (void)state;
    const struct quoting cases[] = {
        {"word", "word"},
        {"[::1]:80", "[::1]:80"},
        {"", "\"\""},
        {NULL, "\"\""},
        {"two words", "\"two words\""},
        {"a=b", "\"a=b\""},
        {"q\"\\", "\"q\\\"\\\\\""},
        {"a\nb\x01", "\"a\\nb\\x01\""},
        {"gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(LOG_QUOTE(cases[i].text), cases[i].quoted);
}

static void test_log_quote_never_passes_its_buffer(void **state) {
    (void)state;
    const char *texts[] = {"0123456789abcdef", "0 23456789abcdef", "\n\n\n\n\n\n\n\n\n\n", "\x01\x01\x01\x01\x01\x01"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t size = 8; size < 40; size++) {
            char *buf = malloc(size);
            assert_non_null(buf);
            log_quote(buf, size, texts[i]);
            assert_true(strlen(buf) < size);
            assert_true(buf[0] != '"' || buf[strlen(buf) - 1] == '"');
            free(buf);
        }
    }
    char small[8];
    assert_string_equal(log_quote(small, sizeof small, "a b c d"), "\"a ...\"");
}

static void test_log_level_parse_knows_four_words(void **state) {
    (void)state;
    enum log_level level;
    assert_int_equal(log_level_parse("debug", &level), 0);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_int_equal(log_level_parse("error", &level), 0);
    assert_int_equal(level, LOG_LEVEL_ERROR);
    assert_int_equal(log_level_parse("Error", &level), MARCH_ERR_INVALID);
}

#define WITH_PIPE(test) cmocka_unit_test_setup_teardown(test, open_pipe, close_pipe)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_PIPE(test_log_line_has_time_level_process_and_values),
        WITH_PIPE(test_log_below_level_is_not_written_and_arguments_not_evaluated),
        WITH_PIPE(test_log_long_line_is_cut_and_says_so),
        WITH_PIPE(test_log_control_bytes_cannot_forge_a_line),
        WITH_PIPE(test_log_site_writes_at_most_its_share),
        cmocka_unit_test(test_log_site_admit_counts_windows),
        cmocka_unit_test(test_log_quote_escapes_what_is_not_a_word),
        cmocka_unit_test(test_log_quote_never_passes_its_buffer),
        cmocka_unit_test(test_log_level_parse_knows_four_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
