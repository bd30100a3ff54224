/* Recovery of journals that were cut, flipped, mixed up, or ran out of disk: a valid prefix, or precisely what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "common/crc32c.h"
#include "common/log.h"
#include "persist/journal_format.h"
#include "persist/journal_replay.h"
#include "tests/unit/journal_fixture.h"

#define BLOCKS        3
#define BLOCK_RECORDS 5
#define RECORD_LEN    60
#define FILE_BYTES    (JOURNAL_PAGE * (1 + BLOCKS))

static struct journal_fixture f;
static uint8_t file[FILE_BYTES];
static char path[96];

/* open_folder makes a journal of one segment with BLOCKS blocks of a page each, one after the other. */
static int open_folder(void **state) {
    (void)state;
    journal_fixture_init(&f);
    if (journal_fixture_start(&f, 0) != 0) return -1;
    for (int i = 0; i < BLOCKS; i++) {
        if (journal_fixture_commit(&f, BLOCK_RECORDS, RECORD_LEN) != 0) return -1;
    }
    journal_fixture_stop(&f);
    journal_fixture_path(&f, 1, path);
    return journal_fixture_load(path, file, sizeof file) == sizeof file ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    journal_fixture_deinit(&f);
    return 0;
}

/* recover reads the folder without a journal around it: what a start does, only faster. */
static int recover(uint64_t applied) {
    f.seen_first = f.seen_last = f.seen_count = f.seen_bad = 0;
    f.error[0] = '\0';
    struct journal_dir dir;
    struct journal_replay_result result;
    int outcome = journal_dir_open(&dir, f.dir, f.error, sizeof f.error);
    if (outcome) return outcome;
    outcome = journal_replay(&dir, applied, journal_fixture_seen, &f, &result, f.error, sizeof f.error);
    if (outcome == 0 && f.seen_count > 0) assert_int_equal(result.last, f.seen_last);
    journal_dir_close(&dir);
    assert_int_equal(f.seen_bad, 0);
    if (f.seen_count > 0) assert_int_equal(f.seen_first, applied + 1);
    return outcome;
}

static void test_journal_recovery_cut_at_every_byte_gives_the_whole_blocks_before(void **state) {
    (void)state;
    for (size_t len = 0; len <= FILE_BYTES; len++) {
        journal_fixture_store(path, file, len);
        assert_int_equal(recover(0), 0);
        size_t blocks = len < JOURNAL_PAGE ? 0 : len / JOURNAL_PAGE - 1;
        assert_int_equal(f.seen_count, blocks * BLOCK_RECORDS);
    }
}

static void test_journal_recovery_zeroed_from_every_byte_gives_a_prefix(void **state) {
    (void)state;
    static uint8_t zeroed[FILE_BYTES];
    for (size_t len = 0; len <= FILE_BYTES; len += len % 97 == 0 ? 1 : 7) {
        memset(zeroed, 0, sizeof zeroed);
        memcpy(zeroed, file, len);
        journal_fixture_store(path, zeroed, FILE_BYTES);
        assert_int_equal(recover(0), 0);
        size_t whole = 0; /* blocks that lost nothing but zeros */
        while (whole < BLOCKS && memcmp(zeroed, file, (whole + 2) * JOURNAL_PAGE) == 0) whole++;
        assert_int_equal(f.seen_count, whole * BLOCK_RECORDS);
    }
}

static void flip(size_t bit) {
    file[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

/* Every bit of what is written, and one bit of each byte of the zeros behind it. */
static size_t next_bit(size_t bit) {
    return bit % (8 * JOURNAL_PAGE) < 8 * (JOURNAL_BLOCK_HEADER + BLOCK_RECORDS * (RECORD_LEN + JOURNAL_RECORD_HEADER))
               ? bit + 1
               : bit + 9;
}

static void test_journal_recovery_flipped_bit_in_the_last_block_costs_that_block(void **state) {
    (void)state;
    for (size_t bit = 8 * BLOCKS * JOURNAL_PAGE; bit < 8 * FILE_BYTES; bit = next_bit(bit)) {
        flip(bit);
        journal_fixture_store(path, file, FILE_BYTES);
        flip(bit);
        assert_int_equal(recover(0), 0);
        assert_int_equal(f.seen_count, (BLOCKS - 1) * BLOCK_RECORDS);
    }
}

static void test_journal_recovery_flipped_bit_before_is_named_with_its_place(void **state) {
    (void)state;
    static uint8_t after[FILE_BYTES + 1];
    for (size_t bit = 8 * JOURNAL_PAGE; bit < 8 * (BLOCKS - 1) * JOURNAL_PAGE; bit = next_bit(bit)) {
        size_t block = bit / 8 / JOURNAL_PAGE;
        flip(bit);
        journal_fixture_store(path, file, FILE_BYTES);
        assert_int_equal(recover(0), MARCH_ERR_INVALID);
        assert_int_equal(f.seen_count, (block - 1) * BLOCK_RECORDS);
        assert_int_equal(strncmp(f.error, path, strlen(path)), 0);
        size_t offset = 0;
        assert_int_equal(sscanf(f.error + strlen(path), ": offset %zu: ", &offset), 1);
        assert_int_equal(offset / JOURNAL_PAGE, block);
        assert_non_null(strstr(f.error, "expected"));
        assert_non_null(strstr(f.error, "not a torn tail"));
        assert_int_equal(journal_fixture_load(path, after, sizeof after), FILE_BYTES);
        assert_memory_equal(after, file, FILE_BYTES); /* left as it is */
        flip(bit);
    }
}

static void test_journal_recovery_flipped_bit_in_the_header_is_named(void **state) {
    (void)state;
    for (size_t bit = 0; bit < 8 * 64; bit++) {
        flip(bit);
        journal_fixture_store(path, file, FILE_BYTES);
        flip(bit);
        assert_int_equal(recover(0), MARCH_ERR_INVALID);
        assert_int_equal(f.seen_count, 0);
        assert_non_null(strstr(f.error, "00000001.journal: offset"));
    }
}

/* Two blocks were on their way: the first is torn, the second is whole. Nobody was told of either. */
static void test_journal_recovery_torn_block_before_a_whole_one_in_flight_is_cut(void **state) {
    (void)state;
    struct journal_codec *codec = journal_codec_create();
    uint8_t raw[256], bytes[JOURNAL_RECORD_BYTES_MAX];
    struct journal_block block = {.first = BLOCKS * BLOCK_RECORDS + 1, .durable = (BLOCKS - 1) * BLOCK_RECORDS, .count = 1};
    journal_fixture_record(block.first, bytes, RECORD_LEN);
    journal_record_put(raw, (uint16_t)(block.first % 7), bytes, RECORD_LEN);
    block.raw_len = (uint32_t)journal_record_size(RECORD_LEN);
    uint8_t longer[FILE_BYTES + JOURNAL_PAGE];
    memcpy(longer, file, FILE_BYTES);
    journal_block_seal(codec, &block, raw, longer + FILE_BYTES);
    journal_codec_destroy(codec);
    journal_fixture_store(path, longer, sizeof longer);
    assert_int_equal(recover(0), 0);
    assert_int_equal(f.seen_count, block.first);
    longer[BLOCKS * JOURNAL_PAGE + 100] ^= 1;
    journal_fixture_store(path, longer, sizeof longer);
    assert_int_equal(recover(0), 0);
    assert_int_equal(f.seen_count, block.durable);
    assert_int_equal(journal_fixture_start(&f, 0), 0); /* positions go on from there */
    assert_int_equal(journal_appended(f.journal), block.durable);
}

/* --- several segments */

/* more_segments adds a segment with a block, by a restart. */
static void more_segments(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(journal_fixture_start(&f, 0), 0);
        assert_int_equal(journal_fixture_commit(&f, BLOCK_RECORDS, RECORD_LEN), 0);
        journal_fixture_stop(&f);
    }
}

static void test_journal_recovery_damage_in_an_older_segment_is_an_error(void **state) {
    (void)state;
    more_segments(1);
    file[FILE_BYTES - JOURNAL_PAGE + 60] ^= 4; /* its last block */
    journal_fixture_store(path, file, FILE_BYTES);
    assert_int_equal(recover(0), MARCH_ERR_INVALID);
    assert_non_null(strstr(f.error, "00000001.journal: offset 12292: CRC of the block is "));
    journal_fixture_store(path, file, FILE_BYTES - 1);
    assert_int_equal(recover(0), MARCH_ERR_INVALID);
    journal_fixture_store(path, file, FILE_BYTES - JOURNAL_PAGE);
    assert_int_equal(recover(0), MARCH_ERR_INVALID);
    assert_non_null(strstr(f.error, "00000002.journal: offset 0: first position of the segment is 16 (0x10), expected 11"));
}

static void test_journal_recovery_missing_segment_is_an_error(void **state) {
    (void)state;
    more_segments(2);
    char second[96];
    journal_fixture_path(&f, 2, second);
    assert_int_equal(unlink(second), 0);
    assert_int_equal(recover(0), MARCH_ERR_INVALID);
    assert_non_null(strstr(f.error, "00000003.journal: offset 0: first position of the segment is 21 (0x15), expected 16"));
}

static void test_journal_recovery_segment_of_another_journal_is_an_error(void **state) {
    (void)state;
    struct journal_fixture other;
    journal_fixture_init(&other);
    assert_int_equal(journal_fixture_start(&other, 0), 0);
    assert_int_equal(journal_fixture_commit(&other, 1, RECORD_LEN), 0);
    journal_fixture_stop(&other);
    more_segments(1);
    char theirs[96];
    journal_fixture_path(&other, 1, theirs);
    assert_int_equal(journal_fixture_load(theirs, file, sizeof file), sizeof file);
    journal_fixture_store(path, file, 2 * JOURNAL_PAGE);
    assert_int_equal(recover(0), MARCH_ERR_INVALID);
    assert_non_null(strstr(f.error, "another journal"));
    journal_fixture_deinit(&other);
}

static void test_journal_recovery_other_version_is_refused(void **state) {
    (void)state;
    struct journal_segment_header header;
    struct journal_fault fault;
    assert_int_equal(journal_segment_decode(file, FILE_BYTES, &header, &fault), 0);
    static const uint8_t zero[4];
    file[8] = 2;
    uint32_t crc = crc32c(crc32c(crc32c(0, file, 12), zero, 4), file + 16, JOURNAL_PAGE - 16);
    memcpy(file + 12, &crc, 4);
    journal_fixture_store(path, file, FILE_BYTES);
    assert_int_equal(recover(0), MARCH_ERR_UNSUPPORTED);
    assert_non_null(strstr(f.error, "version of the segment is 2 (0x2), expected 1"));
}

static void test_journal_recovery_that_ends_before_the_watermark_is_refused(void **state) {
    (void)state;
    assert_int_equal(recover(BLOCKS * BLOCK_RECORDS), 0);
    assert_int_equal(recover(BLOCKS * BLOCK_RECORDS + 1), MARCH_ERR_INVALID);
    assert_non_null(strstr(f.error, "ends at position 15, expected 16 at least"));
}

static int refuse_third(void *ctx, uint64_t position, uint16_t type, const uint8_t *bytes, size_t len) {
    (void)ctx, (void)type, (void)bytes, (void)len;
    return position == 3 ? MARCH_ERR_FULL : 0;
}

static void test_journal_recovery_refused_record_stops_it(void **state) {
    (void)state;
    struct journal_dir dir;
    struct journal_replay_result result;
    assert_int_equal(journal_dir_open(&dir, f.dir, f.error, sizeof f.error), 0);
    assert_int_equal(journal_replay(&dir, 0, refuse_third, NULL, &result, f.error, sizeof f.error), MARCH_ERR_FULL);
    journal_dir_close(&dir);
    assert_int_equal(result.records, 2);
    assert_non_null(strstr(f.error, "the record at position 3, type 3, 60 bytes, was refused"));
}

/* --- a full disk */

#define DISK_MIB 7

static void eat_disk(bool eat) {
    char ballast[96];
    snprintf(ballast, sizeof ballast, "%s/ballast", f.dir);
    if (!eat) {
        CHECK(unlink(ballast) == 0);
        return;
    }
    static const uint8_t block[65536];
    int fd = open(ballast, O_WRONLY | O_CREAT, 0600);
    CHECK(fd >= 0);
    while (write(fd, block, sizeof block) > 0) continue;
    while (write(fd, block, JOURNAL_PAGE) > 0) continue;
    close(fd);
}

static void spin(bool (*done)(void)) {
    struct mono limit = mono_add_ms(mono_now(), 20000);
    while (!done()) {
        journal_update(f.journal, mono_now());
        CHECK(!mono_reached(mono_now(), limit));
        usleep(500);
    }
}

static bool is_full(void) {
    return journal_is_full(f.journal);
}

static bool is_not_full(void) {
    return !journal_is_full(f.journal);
}

/* fill_disk runs in a process with a mount namespace of its own; its exit status says what happened. */
static int fill_disk(void) {
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return 77;
    char size[32];
    snprintf(size, sizeof size, "size=%dm", DISK_MIB);
    if (mount("march-test", f.dir, "tmpfs", 0, size) != 0) return 77;
    CHECK(journal_fixture_start(&f, 0) == 0);
    CHECK(journal_fixture_commit(&f, 10, 100) == 0);
    eat_disk(true);
    while (journal_fixture_commit(&f, 10, 4000) == 0) continue;
    spin(is_full);
    CHECK(journal_stats_get(f.journal).no_space > 0 && journal_stats_get(f.journal).is_short);
    uint64_t last = journal_durable(f.journal);
    journal_fixture_stop(&f);
    CHECK(journal_fixture_start(&f, 0) == 0); /* a start on a full disk: everything is there, nothing can be added */
    CHECK(f.seen_count >= last && f.seen_bad == 0);
    last = f.seen_count; /* what waited for room may have found some at the end */
    spin(is_full);
    CHECK(journal_fixture_append(&f, 100) == MARCH_ERR_FULL);
    eat_disk(false);
    spin(is_not_full);
    CHECK(!journal_stats_get(f.journal).is_short);
    CHECK(journal_fixture_commit(&f, 10, 100) == 0);
    journal_fixture_stop(&f);
    CHECK(journal_fixture_start(&f, 0) == 0);
    CHECK(f.seen_count == last + 10 && f.seen_bad == 0);
    journal_fixture_stop(&f);
    return 0;
}

static void test_journal_full_disk_refuses_loses_nothing_and_goes_on(void **state) {
    (void)state;
    pid_t child = fork();
    if (child == 0) _exit(fill_disk());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        print_message("skipped: may not mount here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_folder, remove_folder)

int main(void) {
    log_set_level(LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        TEST(test_journal_recovery_cut_at_every_byte_gives_the_whole_blocks_before),
        TEST(test_journal_recovery_zeroed_from_every_byte_gives_a_prefix),
        TEST(test_journal_recovery_flipped_bit_in_the_last_block_costs_that_block),
        TEST(test_journal_recovery_flipped_bit_before_is_named_with_its_place),
        TEST(test_journal_recovery_flipped_bit_in_the_header_is_named),
        TEST(test_journal_recovery_torn_block_before_a_whole_one_in_flight_is_cut),
        TEST(test_journal_recovery_damage_in_an_older_segment_is_an_error),
        TEST(test_journal_recovery_missing_segment_is_an_error),
        TEST(test_journal_recovery_segment_of_another_journal_is_an_error),
        TEST(test_journal_recovery_other_version_is_refused),
        TEST(test_journal_recovery_that_ends_before_the_watermark_is_refused),
        TEST(test_journal_recovery_refused_record_stops_it),
        TEST(test_journal_full_disk_refuses_loses_nothing_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
