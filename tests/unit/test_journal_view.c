/* test_journal_view.c: what zonectl tells of journals that are in use, whole, torn and broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "persist/journal_format.h"
#include "tests/unit/journal_fixture.h"
#include "tools/zonectl/journal_view.h"

#define RECORD_BYTES 4000 /* a segment takes some 500 of them */
#define RECORDS      1200

static struct journal_fixture f;
static uint8_t file[JOURNAL_FIXTURE_SEGMENT + 4096];

static int open_folder(void **state) {
    (void)state;
    journal_fixture_init(&f);
    assert_int_equal(journal_fixture_start(&f, 0), 0);
    for (int i = 0; i < RECORDS; i += 20) assert_int_equal(journal_fixture_commit(&f, 20, RECORD_BYTES), 0);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    journal_fixture_deinit(&f);
    return 0;
}

static json_t *view(bool sound) {
    char error[JOURNAL_VIEW_ERROR_SIZE] = "";
    json_t *journal = journal_view(f.dir, error);
    if (journal == NULL) fail_msg("%s", error);
    assert_int_equal(json_is_true(json_object_get(journal, "sound")), sound);
    return journal;
}

static const json_t *segment_of(const json_t *journal, size_t index) {
    const json_t *segment = json_array_get(json_object_get(journal, "segments"), index);
    assert_non_null(segment);
    return segment;
}

static long number(const json_t *object, const char *key) {
    return (long)json_integer_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

/* flip changes a byte of the second block of a segment. */
static void flip(unsigned index) {
    char path[96];
    struct journal_block block;
    struct journal_fault fault;
    journal_fixture_path(&f, index, path);
    size_t len = journal_fixture_load(path, file, sizeof(file));
    assert_int_equal(journal_block_decode(file + JOURNAL_PAGE, len - JOURNAL_PAGE, &block, &fault), 0);
    file[JOURNAL_PAGE + block.size + 100] ^= 1;
    journal_fixture_store(path, file, len);
}

static void test_journal_view_of_one_in_use_tells_all_of_it(void **state) {
    (void)state;
    json_t *journal = view(true);
    long records = 0;
    assert_int_equal(number(journal, "first"), 1);
    assert_int_equal(number(journal, "last"), RECORDS);
    for (size_t i = 0; i < json_array_size(json_object_get(journal, "segments")); i++) {
        const json_t *segment = segment_of(journal, i);
        const char *type;
        json_t *count;
        if (strcmp(text(segment, "state"), "unused") == 0) continue;
        assert_string_equal(text(segment, "state"), "whole");
        assert_int_equal(number(segment, "first"), records + 1);
        json_object_foreach(json_object_get(segment, "records"), type, count) records += (long)json_integer_value(count);
        assert_int_equal(number(segment, "last"), records);
    }
    assert_int_equal(records, RECORDS);
    assert_int_equal(number(json_object_get(segment_of(journal, 0), "records"), "motion") > 50, true);
    assert_int_equal(number(json_object_get(segment_of(journal, 0), "records"), "type-6") > 50, true);
    json_decref(journal);
}

static void test_journal_view_of_a_broken_one_says_where(void **state) {
    (void)state;
    journal_fixture_stop(&f);
    flip(1);
    json_t *journal = view(false);
    assert_string_equal(text(segment_of(journal, 0), "state"), "broken");
    assert_non_null(strstr(text(segment_of(journal, 0), "error"), "offset "));
    json_decref(journal);
    char error[JOURNAL_VIEW_ERROR_SIZE];
    assert_int_not_equal(journal_fixture_start(&f, 0), 0); /* the recovery agrees */
    assert_null(journal_view("/no/such", error));
    assert_string_equal(error, "/no/such: cannot read: No such file or directory");
}

static void test_journal_view_of_a_folder_without_one_is_refused(void **state) {
    (void)state;
    char folder[96], path[112], error[JOURNAL_VIEW_ERROR_SIZE] = "";
    snprintf(folder, sizeof(folder), "%s/other", f.dir);
    snprintf(path, sizeof(path), "%s/lock", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_null(journal_view(folder, error));
    assert_non_null(strstr(error, "/other: expected a journal"));
    FILE *lock = fopen(path, "we"); /* a persist was here, and has written nothing yet */
    assert_non_null(lock);
    assert_int_equal(fclose(lock), 0);
    json_t *journal = journal_view(folder, error);
    assert_non_null(journal);
    assert_true(json_is_true(json_object_get(journal, "sound")));
    json_decref(journal);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void test_journal_view_of_a_torn_one_is_sound(void **state) {
    (void)state;
    journal_fixture_stop(&f);
    char path[96];
    journal_fixture_path(&f, 3, path);
    json_t *journal = view(true);
    size_t used = (size_t)number(segment_of(journal, 2), "used_bytes");
    json_decref(journal);
    size_t len = journal_fixture_load(path, file, sizeof(file));
    memset(file + used - JOURNAL_PAGE, 0, JOURNAL_PAGE); /* the end of the last block never came to the disk */
    journal_fixture_store(path, file, len);
    journal = view(true);
    assert_string_equal(text(segment_of(journal, 2), "state"), "torn");
    long last = number(journal, "last");
    assert_true(last < RECORDS);
    json_decref(journal);
    assert_int_equal(journal_fixture_start(&f, 0), 0);
    assert_int_equal((long)f.seen_last, last);
}

static void test_journal_view_of_a_lost_segment_is_broken(void **state) {
    (void)state;
    char path[96];
    journal_fixture_stop(&f);
    journal_fixture_path(&f, 2, path);
    assert_int_equal(unlink(path), 0);
    json_t *journal = view(false);
    assert_string_equal(text(segment_of(journal, 1), "state"), "broken");
    json_decref(journal);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_journal_view_of_one_in_use_tells_all_of_it, open_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_journal_view_of_a_broken_one_says_where, open_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_journal_view_of_a_folder_without_one_is_refused, open_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_journal_view_of_a_torn_one_is_sound, open_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_journal_view_of_a_lost_segment_is_broken, open_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
