/* The journal as its users see it: what was durable is there again, and what it does at its limits. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "persist/journal_dir.h"
#include "tests/unit/journal_fixture.h"

static struct journal_fixture f;

static int open_folder(void **state) {
    (void)state;
    journal_fixture_init(&f);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    journal_fixture_deinit(&f);
    return 0;
}

static void start(uint64_t applied) {
    int result = journal_fixture_start(&f, applied);
    if (result) print_message("%s\n", f.error);
    assert_int_equal(result, 0);
}

static void restart(uint64_t applied) {
    journal_fixture_stop(&f);
    start(applied);
}

static void assert_seen(uint64_t first, uint64_t last) {
    assert_int_equal(f.seen_bad, 0);
    assert_int_equal(f.seen_count, last + 1 - first);
    if (f.seen_count > 0) assert_int_equal(f.seen_first, first);
}

static void test_journal_reopened_gives_back_every_record(void **state) {
    (void)state;
    start(0);
    assert_int_equal(journal_appended(f.journal), 0);
    uint8_t id[JOURNAL_ID_BYTES];
    memcpy(id, journal_id(f.journal), sizeof id);
    assert_int_equal(journal_fixture_commit(&f, 100, 60), 0);
    assert_int_equal(journal_fixture_commit(&f, 1, JOURNAL_RECORD_BYTES_MAX), 0);
    assert_int_equal(journal_fixture_commit(&f, 1, 1), 0);
    assert_int_equal(journal_durable(f.journal), 102);
    restart(0);
    assert_seen(1, 102);
    assert_memory_equal(journal_id(f.journal), id, sizeof id);
    assert_int_equal(journal_fixture_commit(&f, 10, 60), 0);
    assert_int_equal(journal_durable(f.journal), 112);
    restart(50);
    assert_seen(51, 112);
    restart(112);
    assert_seen(113, 112);
}

static void test_journal_append_is_not_durable_before_its_commit(void **state) {
    (void)state;
    start(0);
    assert_int_equal(journal_fixture_append(&f, 60), 0);
    assert_int_equal(journal_appended(f.journal), 1);
    assert_int_equal(journal_durable(f.journal), 0);
    assert_int_equal(journal_wait(f.journal), 0);
    assert_int_equal(journal_durable(f.journal), 1);
}

static void test_journal_records_gather_into_one_block(void **state) {
    (void)state;
    start(0);
    assert_int_equal(journal_fixture_commit(&f, 1000, 60), 0);
    assert_int_equal(journal_stats_get(f.journal).blocks, 1);
    assert_int_equal(journal_stats_get(f.journal).records, 1000);
}

static void test_journal_full_ring_refuses_until_the_disk_has_it(void **state) {
    (void)state;
    start(0);
    unsigned taken = 0;
    while (journal_fixture_append(&f, 4000) == 0) taken++;
    assert_true(taken >= (JOURNAL_BLOCKS_MAX - 1) * (JOURNAL_BLOCK_BYTES_MAX / 4100));
    assert_false(journal_is_full(f.journal));
    assert_int_equal(journal_stats_get(f.journal).refused, 1);
    assert_int_equal(journal_wait(f.journal), 0);
    assert_int_equal(journal_fixture_commit(&f, 1, 4000), 0);
    restart(0);
    assert_seen(1, taken + 1);
}

static void test_journal_second_opener_is_refused(void **state) {
    (void)state;
    start(0);
    struct journal *other;
    assert_int_equal(journal_open(&f.config, &other, f.error, sizeof f.error), MARCH_ERR_EXISTS);
    assert_non_null(strstr(f.error, "another process"));
}

/* append_segments commits about `count` segments' worth. */
static void append_segments(unsigned count) {
    uint64_t bytes = 0;
    while (bytes < (uint64_t)count * JOURNAL_FIXTURE_SEGMENT) {
        assert_int_equal(journal_fixture_commit(&f, 100, 4000), 0);
        bytes += 100 * 4000;
    }
}

static void await_segments(uint32_t count) {
    for (int i = 0; i < 10000 && journal_stats_get(f.journal).segments > count; i++) {
        journal_update(f.journal, mono_now());
        usleep(100);
    }
    assert_true(journal_stats_get(f.journal).segments <= count);
}

static void test_journal_release_removes_segments_and_keeps_positions(void **state) {
    (void)state;
    start(0);
    append_segments(4);
    uint64_t last = journal_durable(f.journal);
    assert_true(journal_stats_get(f.journal).segments >= 4);
    assert_true(journal_fill(f.journal) > 0.4);
    journal_release(f.journal, 100);
    journal_update(f.journal, mono_now());
    assert_int_equal(journal_stats_get(f.journal).released, 0);
    journal_release(f.journal, last);
    await_segments(1);
    assert_true(journal_fill(f.journal) <= 0.13);
    restart(last);
    assert_seen(last + 1, last);
    assert_int_equal(journal_appended(f.journal), last);
    assert_int_equal(journal_fixture_commit(&f, 5, 60), 0);
    restart(last);
    assert_seen(last + 1, last + 5);
}

static void test_journal_restarted_idle_many_times_keeps_its_positions(void **state) {
    (void)state;
    start(0);
    assert_int_equal(journal_fixture_commit(&f, 3, 60), 0);
    for (int i = 0; i < 10; i++) restart(3);
    assert_int_equal(journal_stats_get(f.journal).segments, 1);
    assert_int_equal(journal_fixture_commit(&f, 1, 60), 0);
    assert_int_equal(journal_durable(f.journal), 4);
    await_segments(1);
}

static void test_journal_at_its_limit_refuses_and_goes_on_after_release(void **state) {
    (void)state;
    f.config.bytes_max = 2 * JOURNAL_FIXTURE_SEGMENT;
    start(0);
    while (journal_fixture_commit(&f, 20, 4000) == 0) continue;
    assert_true(journal_is_full(f.journal));
    assert_int_equal(journal_wait(f.journal), 0); /* what was taken found room */
    assert_true(journal_fill(f.journal) > 0.9);
    assert_true(journal_stats_get(f.journal).refused > 0);
    assert_false(journal_stats_get(f.journal).is_short); /* the limit is our own */
    uint64_t last = journal_durable(f.journal);
    assert_int_equal(journal_appended(f.journal), last);
    restart(0); /* it is full still: the database was away all the time */
    assert_seen(1, last);
    for (int i = 0; i < 100; i++) journal_update(f.journal, mono_now());
    assert_int_equal(journal_fixture_append(&f, 60), MARCH_ERR_FULL);
    journal_release(f.journal, last);
    await_segments(1);
    assert_false(journal_is_full(f.journal));
    assert_int_equal(journal_fixture_commit(&f, 5, 60), 0);
    restart(last);
    assert_seen(last + 1, last + 5);
}

/* inode_of returns that of a file of the folder, 0: it is not there. */
static ino_t inode_of(const char *name) {
    char path[PATH_MAX];
    struct stat stat_of;
    snprintf(path, sizeof path, "%s/%s", f.dir, name);
    return stat(path, &stat_of) == 0 ? stat_of.st_ino : 0;
}

static uint64_t bytes_of_all(void) {
    uint64_t bytes = 0;
    DIR *entries = opendir(f.dir);
    assert_non_null(entries);
    const struct dirent *entry;
    struct stat stat_of;
    while ((entry = readdir(entries)))
        if (entry->d_name[0] != '.' && fstatat(dirfd(entries), entry->d_name, &stat_of, 0) == 0)
            bytes += (uint64_t)stat_of.st_size;
    closedir(entries);
    return bytes;
}

static void check_recycling(bool plain) {
    f.config.plain_io = plain;
    f.config.bytes_max = 4 * JOURNAL_FIXTURE_SEGMENT;
    start(0);
    assert_int_equal(journal_fixture_commit(&f, 1, 60), 0);
    ino_t inode = inode_of("00000001.journal");
    uint32_t again = 0;
    assert_int_not_equal(inode, 0);
    for (uint32_t index = 2; index < 20; index++) {
        char name[JOURNAL_NAME_SIZE];
        append_segments(1);
        journal_release(f.journal, journal_durable(f.journal));
        await_segments(1);
        assert_true(bytes_of_all() <= f.config.bytes_max);
        journal_segment_name(name, index);
        again += inode_of(name) == inode;
    }
    assert_true(again > 0);
    uint64_t last = journal_durable(f.journal);
    restart(last - 10);
    assert_seen(last - 9, last);
    assert_int_equal(inode_of("spare"), 0);
}

static void test_journal_released_segment_is_used_again(void **state) {
    (void)state;
    check_recycling(false);
}

static void test_journal_released_segment_is_used_again_by_plain_calls(void **state) {
    (void)state;
    check_recycling(true);
}

static void test_journal_spare_segment_is_within_the_limit(void **state) {
    (void)state;
    f.config.bytes_max = 2 * JOURNAL_FIXTURE_SEGMENT;
    start(0);
    for (uint32_t i = 0; i < 6; i++) {
        while (journal_fixture_commit(&f, 20, 4000) == 0) assert_true(bytes_of_all() <= f.config.bytes_max);
        journal_release(f.journal, journal_durable(f.journal));
        await_segments(1);
    }
}

static void release_all(void) {
    journal_release(f.journal, journal_durable(f.journal));
    await_segments(1);
}

static void test_journal_spare_segment_that_is_gone_is_not_needed(void **state) {
    (void)state;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/spare", f.dir);
    start(0);
    append_segments(2);
    release_all();
    for (uint32_t i = 0; i < 1000 && inode_of("spare") == 0; i++) {
        append_segments(1);
        release_all();
    }
    assert_int_equal(unlink(path), 0);
    append_segments(3);
    release_all();
    uint64_t last = journal_durable(f.journal);
    restart(last - 10);
    assert_seen(last - 9, last);
}

/* A folder of that name stands in its way. */
static void test_journal_segment_that_can_not_be_kept_is_removed(void **state) {
    (void)state;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/spare", f.dir);
    start(0);
    assert_int_equal(mkdir(path, 0700), 0);
    append_segments(4);
    release_all();
    assert_int_equal(inode_of("00000001.journal"), 0);
    assert_int_equal(rmdir(path), 0);
}

static void test_journal_removes_what_an_earlier_start_left(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", f.dir, i ? "ahead" : "spare");
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fclose(file), 0);
    }
    start(0);
    assert_int_equal(inode_of("ahead") + inode_of("spare"), 0);
}

static void test_journal_plain_calls_do_the_same(void **state) {
    (void)state;
    f.config.plain_io = true;
    f.config.bytes_max = 4 * JOURNAL_FIXTURE_SEGMENT;
    start(0);
    append_segments(2);
    uint64_t last = journal_durable(f.journal);
    journal_release(f.journal, last);
    await_segments(1);
    restart(last - 10);
    assert_seen(last - 9, last);
}

static void test_journal_bad_configuration_is_refused(void **state) {
    (void)state;
    struct journal *journal;
    f.config.segment_bytes = JOURNAL_SEGMENT_BYTES_MIN - JOURNAL_SEGMENT_BYTES_MIN / 2;
    assert_int_equal(journal_open(&f.config, &journal, f.error, sizeof f.error), MARCH_ERR_INVALID);
    assert_non_null(strstr(f.error, "segment_bytes"));
    f.config.segment_bytes = JOURNAL_SEGMENT_BYTES_MIN + 1;
    assert_int_equal(journal_open(&f.config, &journal, f.error, sizeof f.error), MARCH_ERR_INVALID);
    f.config.segment_bytes = JOURNAL_SEGMENT_BYTES_MIN;
    f.config.bytes_max = JOURNAL_SEGMENT_BYTES_MIN;
    assert_int_equal(journal_open(&f.config, &journal, f.error, sizeof f.error), MARCH_ERR_INVALID);
    assert_non_null(strstr(f.error, "bytes_max"));
}

/* --- processes that end badly */

/* write_until_killed appends, and tells through the pipe what is durable. */
__attribute__((noreturn)) static void write_until_killed(int pipe_fd) {
    if (journal_fixture_start(&f, 0) != 0) _exit(2);
    for (;;) {
        for (int i = 0; i < 50; i++) {
            if (journal_fixture_append(&f, 200) != 0) break;
        }
        journal_update(f.journal, mono_now());
        uint64_t durable = journal_durable(f.journal);
        if (durable > 1000) journal_release(f.journal, durable - 1000);
        if (write(pipe_fd, &durable, sizeof durable) != (ssize_t)sizeof durable) _exit(3);
    }
}

static void test_journal_killed_at_any_time_has_what_it_acknowledged(void **state) {
    (void)state;
    uint64_t seen_before = 0;
    for (unsigned round = 0; round < 12; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            write_until_killed(ends[1]);
        }
        close(ends[1]);
        uint64_t durable = 0, next;
        unsigned said = 0;
        while (read(ends[0], &next, sizeof next) == (ssize_t)sizeof next) {
            assert_true(next >= durable);
            durable = next;
            if (++said == 150 + 211 * round) kill(child, SIGKILL);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        close(ends[0]);
        start(0);
        assert_int_equal(f.seen_bad, 0);
        assert_true(f.seen_last >= durable);
        assert_true(durable >= seen_before);
        seen_before = f.seen_last;
        journal_fixture_stop(&f);
    }
}

/* The journal's descriptor of its segment is put in front of /dev/full, whose writes fail. */
static void break_the_disk(void) {
    int full = open("/dev/full", O_RDWR);
    for (int fd = 3; fd < 64; fd++) {
        char link[32], path[256] = {0};
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        if (readlink(link, path, sizeof path - 1) > 0 && strstr(path, ".journal")) CHECK(dup2(full, fd) == fd);
    }
}

static void check_broken_disk_aborts(bool plain) {
    f.config.plain_io = plain;
    pid_t child = fork();
    if (child == 0) {
        if (journal_fixture_start(&f, 0) != 0 || journal_fixture_commit(&f, 10, 60) != 0) _exit(2);
        break_the_disk();
        signal(SIGABRT, SIG_DFL);
        (void)!journal_fixture_commit(&f, 10, 60);
        _exit(3);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    start(0);
    assert_true(f.seen_count >= 10 && f.seen_bad == 0);
    journal_fixture_stop(&f);
}

static void test_journal_failed_write_ends_the_process(void **state) {
    (void)state;
    check_broken_disk_aborts(false);
    check_broken_disk_aborts(true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_journal_reopened_gives_back_every_record),
        TEST(test_journal_append_is_not_durable_before_its_commit),
        TEST(test_journal_records_gather_into_one_block),
        TEST(test_journal_full_ring_refuses_until_the_disk_has_it),
        TEST(test_journal_second_opener_is_refused),
        TEST(test_journal_release_removes_segments_and_keeps_positions),
        TEST(test_journal_restarted_idle_many_times_keeps_its_positions),
        TEST(test_journal_at_its_limit_refuses_and_goes_on_after_release),
        TEST(test_journal_released_segment_is_used_again),
        TEST(test_journal_released_segment_is_used_again_by_plain_calls),
        TEST(test_journal_spare_segment_is_within_the_limit),
        TEST(test_journal_spare_segment_that_is_gone_is_not_needed),
        TEST(test_journal_segment_that_can_not_be_kept_is_removed),
        TEST(test_journal_removes_what_an_earlier_start_left),
        TEST(test_journal_plain_calls_do_the_same),
        TEST(test_journal_bad_configuration_is_refused),
        TEST(test_journal_killed_at_any_time_has_what_it_acknowledged),
        TEST(test_journal_failed_write_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
