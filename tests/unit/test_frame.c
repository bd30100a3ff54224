/* Frames: what is written is read back; what is cut or out of range is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/frame.h"

static uint8_t room[1200];

static size_t write_one_of_each(uint8_t *bytes, size_t size) {
    static const uint8_t body[100] = {7, 8, 9};
    struct frame_writer writer;
    frame_writer_init(&writer, bytes, size);
    struct frame_input input = {.count = 2, .newest_seq = 0xfffe, .view_tick = 0x01020304};
    input.commands[0] = (struct frame_command){FRAME_MOVE(1, -1), 3, 0x8001};
    input.commands[1] = (struct frame_command){FRAME_MOVE(0, 0), 0, 1};
    assert_int_equal(frame_write_input(&writer, &input), 0);
    assert_int_equal(frame_write_snapshot(&writer, body, sizeof(body)), 0);
    struct frame_fragment fragment = {513, 1, 1, 3, body};
    assert_int_equal(frame_write_fragment(&writer, &fragment), 0);
    assert_int_equal(frame_write_ping(&writer, 0xdeadbeef), 0);
    struct frame_pong pong = {1, 2, 3};
    assert_int_equal(frame_write_pong(&writer, &pong), 0);
    return writer.len;
}

static void test_frame_each_type_reads_as_written(void **state) {
    (void)state;
    struct frame_reader reader;
    struct frame frame;
    frame_reader_init(&reader, room, write_one_of_each(room, sizeof(room)));

    assert_int_equal(frame_next(&reader, &frame), 1);
    assert_int_equal(frame.type, FRAME_INPUT);
    assert_int_equal(frame.input.count, 2);
    assert_int_equal(frame.input.newest_seq, 0xfffe);
    assert_int_equal(frame.input.view_tick, 0x01020304);
    assert_int_equal(frame.input.commands[0].move, 2);
    assert_int_equal(frame.input.commands[0].buttons, 3);
    assert_int_equal(frame.input.commands[0].aim, 0x8001);
    assert_int_equal(frame.input.commands[1].move, 5);

    assert_int_equal(frame_next(&reader, &frame), 1);
    assert_int_equal(frame.type, FRAME_SNAPSHOT);
    assert_int_equal(frame.snapshot.len, 100);
    assert_int_equal(frame.snapshot.bytes[2], 9);

    assert_int_equal(frame_next(&reader, &frame), 1);
    assert_int_equal(frame.type, FRAME_FRAGMENT);
    assert_int_equal(frame.fragment.message_id, 513);
    assert_int_equal(frame.fragment.index, 1);
    assert_int_equal(frame.fragment.last_index, 1);
    assert_int_equal(frame.fragment.len, 3);
    assert_int_equal(frame.fragment.bytes[0], 7);

    assert_int_equal(frame_next(&reader, &frame), 1);
    assert_int_equal(frame.type, FRAME_PING);
    assert_int_equal(frame.ping_client_us, 0xdeadbeef);

    assert_int_equal(frame_next(&reader, &frame), 1);
    assert_int_equal(frame.type, FRAME_PONG);
    assert_int_equal(frame.pong.client_us, 1);
    assert_int_equal(frame.pong.tick_low, 2);
    assert_int_equal(frame.pong.tick_fraction, 3);
    assert_int_equal(frame_next(&reader, &frame), 0);
}

static void test_frame_cut_anywhere_is_refused(void **state) {
    (void)state;
    size_t len = write_one_of_each(room, sizeof(room));
    struct frame_reader whole;
    struct frame frame;
    frame_reader_init(&whole, room, len);
    bool is_end[sizeof(room)] = {[0] = true};
    while (frame_next(&whole, &frame) > 0) is_end[whole.next - room] = true;

    for (size_t cut = 0; cut <= len; cut++) {
        struct frame_reader reader;
        frame_reader_init(&reader, room, cut);
        int got;
        while ((got = frame_next(&reader, &frame)) > 0) {
        }
        assert_int_equal(got, is_end[cut] ? 0 : MARCH_ERR_INVALID);
    }
}

static void test_frame_without_room_leaves_the_packet(void **state) {
    (void)state;
    size_t len = write_one_of_each(room, sizeof(room));
    struct frame_writer writer;
    frame_writer_init(&writer, room, len);
    struct frame_pong pong = {1, 2, 3};
    for (size_t used = len - 10; used <= len; used++) {
        writer.len = used;
        assert_int_equal(frame_write_pong(&writer, &pong), MARCH_ERR_FULL);
        assert_int_equal(writer.len, used);
    }
    writer.len = len - 11;
    assert_int_equal(frame_write_pong(&writer, &pong), 0);
    assert_int_equal(writer.len, len);
}

static void test_frame_out_of_range_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *what;
        uint8_t bytes[16];
        size_t len;
    } cases[] = {
        {"type 0", {0}, 1},
        {"type 6", {6}, 1},
        {"input without a command", {1, 0, 1, 0, 0, 0, 0, 0}, 8},
        {"input with nine commands", {1, 9, 1, 0, 0, 0, 0, 0}, 16},
        {"move x of 3", {1, 1, 1, 0, 0, 0, 0, 0, 0x03, 0, 0, 0}, 12},
        {"move y of 3", {1, 1, 1, 0, 0, 0, 0, 0, 0x0c, 0, 0, 0}, 12},
        {"move with bit 4", {1, 1, 1, 0, 0, 0, 0, 0, 0x15, 0, 0, 0}, 12},
        {"empty snapshot", {2, 0, 0}, 3},
        {"fragment of no bytes", {3, 0, 0, 0, 0, 0, 0}, 7},
        {"fragment past its last", {3, 0, 0, 1, 0, 1, 0, 9}, 8},
        {"65 fragments", {3, 0, 0, 64, 64, 1, 0, 9}, 8},
        {"short fragment in the middle", {3, 0, 0, 0, 1, 1, 0, 9}, 8},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct frame_reader reader;
        struct frame frame;
        frame_reader_init(&reader, cases[i].bytes, cases[i].len);
        int got = frame_next(&reader, &frame);
        if (got != MARCH_ERR_INVALID) print_error("taken: %s\n", cases[i].what);
        assert_int_equal(got, MARCH_ERR_INVALID);
    }
    uint8_t long_fragment[7 + 1025] = {3, 0, 0, 0, 0, 0x01, 0x04};
    struct frame_reader reader;
    struct frame frame;
    frame_reader_init(&reader, long_fragment, sizeof(long_fragment));
    assert_int_equal(frame_next(&reader, &frame), MARCH_ERR_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_each_type_reads_as_written),
        cmocka_unit_test(test_frame_cut_anywhere_is_refused),
        cmocka_unit_test(test_frame_without_room_leaves_the_packet),
        cmocka_unit_test(test_frame_out_of_range_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
