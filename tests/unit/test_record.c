/* Recordings: what was recorded runs again to the same hashes; what was changed or cut is noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "tests/unit/scripted_load.h"
#include "zone/replay.h"

#define TICKS 600

static char path[64];

static int make_path(void **state) {
    (void)state;
    snprintf(path, sizeof path, "/tmp/march-record-%d", (int)getpid());
    unlink(path);
    return 0;
}

static int remove_path(void **state) {
    (void)state;
    unlink(path);
    return 0;
}

static void record(void) {
    struct sim_config config = script_config();
    struct sim *sim = sim_create(&config);
    struct record_header header = {.hash_every = 10,
                                   .config_digest = 5,
                                   .seed = config.seed,
                                   .start_tick = config.start_tick,
                                   .zone_index = config.zone_index,
                                   .incarnation = config.incarnation};
    struct recorder *recorder;
    assert_int_equal(recorder_open(path, &header, &recorder), 0);
    sim_set_recorder(sim, recorder);
    script_run(sim, TICKS);
    assert_int_equal(recorder_close(recorder), 0);
    sim_destroy(sim);
}

static int replay(struct replay_result *result) {
    struct sim_config config = script_config();
    config.snapshots = false;
    struct record_header header;
    struct replay *replay;
    int error = replay_open(path, &header, &replay);
    if (error) return error;
    assert_int_equal(header.config_digest, 5);
    assert_true(header.seed == config.seed && header.start_tick == config.start_tick);
    struct sim *sim = sim_create(&config);
    error = replay_run(replay, sim, result);
    sim_destroy(sim);
    replay_close(replay);
    return error;
}

/* Applies `change` to the recording's bytes and writes it back. */
static void edit(size_t (*change)(uint8_t *bytes, size_t len)) {
    FILE *file = fopen(path, "rb");
    struct stat st;
    assert_int_equal(fstat(fileno(file), &st), 0);
    uint8_t *bytes = malloc((size_t)st.st_size);
    assert_int_equal(fread(bytes, 1, (size_t)st.st_size, file), st.st_size);
    fclose(file);
    size_t len = change(bytes, (size_t)st.st_size);
    file = fopen(path, "wb");
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
    free(bytes);
}

static void test_replay_gives_the_same_hashes(void **state) {
    (void)state;
    struct replay_result result;
    record();
    assert_int_equal(replay(&result), 0);
    assert_int_equal(result.ticks, TICKS);
    assert_in_range(result.hashes, TICKS / 10 - 5, TICKS / 10 + 5);
    assert_false(result.differs);
    assert_false(result.truncated);
}

static size_t cut_a_little(uint8_t *bytes, size_t len) {
    (void)bytes;
    return len - 5;
}

static void test_replay_of_cut_file_runs_up_to_the_cut(void **state) {
    (void)state;
    struct replay_result result;
    record();
    edit(cut_a_little);
    assert_int_equal(replay(&result), 0);
    assert_int_equal(result.ticks, TICKS - 1);
    assert_true(result.truncated);
    assert_false(result.differs);
}

static size_t flip_in_the_middle(uint8_t *bytes, size_t len) {
    bytes[len / 2] ^= 0x10;
    return len;
}

static void test_replay_of_damaged_file_is_invalid(void **state) {
    (void)state;
    struct replay_result result;
    record();
    edit(flip_in_the_middle);
    assert_int_equal(replay(&result), MARCH_ERR_INVALID);
    assert_true(result.bad_offset > RECORD_HEADER_BYTES);
    assert_in_range(result.ticks, 1, TICKS - 1);
}

/* Turns the aim of the first input of some blocks, and makes their checks right again. */
static size_t change_inputs(uint8_t *bytes, size_t len) {
    size_t at = RECORD_HEADER_BYTES, n;
    for (int block = 0; at < len; block++, at += RECORD_BLOCK_HEADER + n) {
        n = (size_t)load_le(bytes + at, 4);
        uint8_t *body = bytes + at + RECORD_BLOCK_HEADER;
        if (block < 200 || n <= RECORD_BODY_MIN || body[RECORD_BODY_MIN] != RECORD_EVENT_INPUT) continue;
        body[RECORD_BODY_MIN + 10 + 7 + 3] ^= 0x40;
        store_le(bytes + at + 4, record_check(body, n), 4);
    }
    return len;
}

static void test_replay_of_changed_input_names_the_tick(void **state) {
    (void)state;
    struct replay_result result;
    record();
    edit(change_inputs);
    assert_int_equal(replay(&result), 0);
    assert_true(result.differs);
    assert_true(result.expected_hash != result.hash);
    assert_in_range(result.differs_tick - SCRIPT_START_TICK, 200, 260);
}

static size_t break_magic(uint8_t *bytes, size_t len) {
    bytes[0] ^= 1;
    return len;
}

static size_t break_version(uint8_t *bytes, size_t len) {
    bytes[8] = 99;
    return len;
}

static size_t huge_block(uint8_t *bytes, size_t len) {
    store_le(bytes + RECORD_HEADER_BYTES, RECORD_BODY_MAX + 1, 4);
    return len;
}

static size_t no_header(uint8_t *bytes, size_t len) {
    (void)bytes, (void)len;
    return 20;
}

static void test_replay_of_something_else_is_invalid(void **state) {
    (void)state;
    size_t (*const changes[])(uint8_t *, size_t) = {break_magic, break_version, huge_block, no_header};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct replay_result result;
        record();
        edit(changes[i]);
        assert_int_equal(replay(&result), MARCH_ERR_INVALID);
        unlink(path);
    }
}

static void test_recorder_does_not_overwrite(void **state) {
    (void)state;
    record();
    struct recorder *recorder;
    struct record_header header = {.hash_every = 1};
    assert_int_equal(recorder_open(path, &header, &recorder), MARCH_ERR_SYSTEM);
}

static void test_recorder_tick_too_large_stops_recording(void **state) {
    (void)state;
    struct recorder *recorder;
    struct record_header header = {.hash_every = 10};
    assert_int_equal(recorder_open(path, &header, &recorder), 0);
    recorder_tick(recorder, 1, false, 0);
    for (uint32_t i = 0; i < RECORD_BUFFER_BYTES / 10; i++) recorder_detach(recorder, 0, i);
    recorder_tick(recorder, 2, false, 0);
    assert_true(recorder_stopped(recorder));
    assert_int_equal(recorder_close(recorder), MARCH_ERR_FULL);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, RECORD_HEADER_BYTES + RECORD_BLOCK_HEADER + RECORD_BODY_MIN);
}

static void test_replay_block_of_random_bytes_is_survived(void **state) {
    (void)state;
    struct sim_config config = script_config();
    config.snapshots = false;
    struct sim *sim = sim_create(&config);
    struct rng rng = {3};
    uint64_t last_tick = SCRIPT_START_TICK;
    for (uint32_t i = 0; i < 20000; i++) {
        uint8_t body[80];
        size_t len = 17 + rng_below(&rng, sizeof body - 17);
        for (size_t k = 0; k < len; k++) body[k] = (uint8_t)rng_below(&rng, k < 20 ? 6 : 256);
        store_le(body, last_tick + 1, 8);
        struct replay_result result = {0};
        if (replay_block(sim, 2, body, len, last_tick, &result) == 0) last_tick++;
    }
    assert_true(last_tick > SCRIPT_START_TICK);
    uint8_t again[RECORD_BODY_MIN] = {0};
    store_le(again, last_tick, 8); /* a tick that has been */
    struct replay_result result = {0};
    assert_int_equal(replay_block(sim, 2, again, sizeof again, last_tick, &result), MARCH_ERR_INVALID);
    sim_destroy(sim);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_replay_gives_the_same_hashes, make_path, remove_path),
        cmocka_unit_test_setup_teardown(test_replay_of_cut_file_runs_up_to_the_cut, make_path, remove_path),
        cmocka_unit_test_setup_teardown(test_replay_of_damaged_file_is_invalid, make_path, remove_path),
        cmocka_unit_test_setup_teardown(test_replay_of_changed_input_names_the_tick, make_path, remove_path),
        cmocka_unit_test_setup_teardown(test_replay_of_something_else_is_invalid, make_path, remove_path),
        cmocka_unit_test_setup_teardown(test_recorder_does_not_overwrite, make_path, remove_path),
        cmocka_unit_test_setup_teardown(test_recorder_tick_too_large_stops_recording, make_path, remove_path),
        cmocka_unit_test(test_replay_block_of_random_bytes_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
