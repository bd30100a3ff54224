/* test_bus_session.c: sealed frames and sessions without sockets: what is forged, flipped, repeated, reflected or from
 * another life is refused; two ends always find together, whatever is lost when connections break. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "common/bus_session.h"
#include "common/bytes.h"

#define MESSAGE_MAX 4096
#define PIPE_MAX    64

static const uint8_t KEY[BUS_FRAME_KEY_BYTES] = {4, 2};

struct frame {
    uint8_t bytes[MESSAGE_MAX + BUS_FRAME_OVERHEAD_BYTES];
    size_t len;
};

struct end {
    struct bus_frame_codec codec;
    struct bus_session session;
    struct frame inbox[PIPE_MAX]; /* on their way to this end, oldest first */
    size_t count;
};

static void end_init(struct end *end, const uint8_t *key, const char *name, const char *peer) {
    assert_int_equal(bus_frame_codec_init(&end->codec, key, name, peer, MESSAGE_MAX), 0);
    bus_session_init(&end->session, &end->codec);
    end->count = 0;
}

static struct end *pair_create(const uint8_t *key) {
    struct end *ends = calloc(2, sizeof *ends);
    end_init(&ends[0], key, "zone-0", "gateway-0");
    end_init(&ends[1], key, "gateway-0", "zone-0");
    return ends;
}

static void pair_destroy(struct end *ends) {
    bus_frame_codec_deinit(&ends[0].codec);
    bus_frame_codec_deinit(&ends[1].codec);
    free(ends);
}

static void greet_if_due(struct end *from, struct end *to) {
    if (!from->session.greeting_due) return;
    assert_true(to->count < PIPE_MAX);
    struct frame *frame = &to->inbox[to->count++];
    frame->len = bus_session_greet(&from->session, frame->bytes);
}

static int receive(struct end *end, const struct frame *frame, const uint8_t **message, size_t *len) {
    static struct frame copy;
    copy = *frame;
    return bus_session_receive(&end->session, copy.bytes, copy.len, message, len);
}

/* deliver hands the oldest frame on its way to an end; the end's answer goes out. */
static void deliver(struct end *to, struct end *from) {
    const uint8_t *message;
    size_t len;
    struct frame frame = to->inbox[0];
    memmove(to->inbox, to->inbox + 1, --to->count * sizeof *to->inbox);
    (void)!receive(to, &frame, &message, &len);
    greet_if_due(to, from);
}

/* settle delivers everything; the greetings must come to an end. */
static void settle(struct end *ends) {
    greet_if_due(&ends[0], &ends[1]);
    greet_if_due(&ends[1], &ends[0]);
    for (int i = 0; ends[0].count + ends[1].count > 0; i++) {
        assert_true(i < 100);
        struct end *to = ends[0].count > 0 ? &ends[0] : &ends[1];
        deliver(to, to == &ends[0] ? &ends[1] : &ends[0]);
    }
}

static void connect_ends(struct end *ends) {
    ends[0].count = ends[1].count = 0;
    bus_session_restart(&ends[0].session, true);
    bus_session_restart(&ends[1].session, true);
    settle(ends);
    assert_true(ends[0].session.open && ends[1].session.open);
}

static struct frame seal(struct end *from, const void *message, size_t len) {
    static struct frame frame;
    frame.len = bus_session_seal(&from->session, message, len, frame.bytes);
    return frame;
}

static void test_bus_session_message_arrives_once(void **state) {
    const uint8_t *keys[] = {KEY, NULL};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct end *ends = pair_create(keys[i]);
        connect_ends(ends);
        struct frame frame = seal(&ends[1], "strike", 6);
        const uint8_t *message;
        size_t len;
        assert_int_equal(receive(&ends[0], &frame, &message, &len), 0);
        assert_int_equal(len, 6);
        assert_memory_equal(message, "strike", 6);
        assert_int_equal(receive(&ends[0], &frame, &message, &len), MARCH_ERR_REPLAY);
        assert_int_equal(ends[0].session.stale_frames, 1);
        pair_destroy(ends);
    }
}

static void test_bus_session_reordered_frame_is_refused(void **state) {
    (void)state;
    struct end *ends = pair_create(KEY);
    connect_ends(ends);
    struct frame first = seal(&ends[1], "1", 1), second = seal(&ends[1], "2", 1);
    const uint8_t *message;
    size_t len;
    assert_int_equal(receive(&ends[0], &second, &message, &len), 0);
    assert_int_equal(ends[0].session.gaps, 1);
    assert_int_equal(receive(&ends[0], &first, &message, &len), MARCH_ERR_REPLAY);
    pair_destroy(ends);
}

static void test_bus_session_flipped_bit_is_refused(void **state) {
    (void)state;
    struct end *ends = pair_create(KEY);
    connect_ends(ends);
    uint8_t text[300] = {0}; /* is packed too */
    struct frame frame = seal(&ends[1], text, sizeof text);
    assert_true(frame.len < sizeof text);
    const uint8_t *message;
    size_t len;
    for (size_t bit = 0; bit < frame.len * 8; bit++) {
        frame.bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_true(receive(&ends[0], &frame, &message, &len) < 0);
        frame.bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t cut = 0; cut < frame.len; cut++) {
        struct frame part = frame;
        part.len = cut;
        assert_true(receive(&ends[0], &part, &message, &len) < 0);
    }
    assert_int_equal(ends[0].session.bad_frames + ends[0].session.stale_frames, frame.len * 9);
    assert_int_equal(receive(&ends[0], &frame, &message, &len), 0);
    assert_int_equal(len, sizeof text);
    assert_memory_equal(message, text, sizeof text);
    pair_destroy(ends);
}

static void test_bus_session_other_key_or_name_is_refused(void **state) {
    (void)state;
    static const uint8_t other_key[BUS_FRAME_KEY_BYTES] = {4, 3};
    struct {
        const uint8_t *key;
        const char *name, *peer;
    } cases[] = {{other_key, "gateway-0", "zone-0"},
                 {NULL, "gateway-0", "zone-0"},
                 {KEY, "gateway-1", "zone-0"},
                 {KEY, "gateway-0", "zone-1"},
                 {KEY, "zone-0", "gateway-0"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct end *ends = pair_create(KEY);
        bus_frame_codec_deinit(&ends[1].codec);
        end_init(&ends[1], cases[i].key, cases[i].name, cases[i].peer);
        bus_session_restart(&ends[0].session, true);
        bus_session_restart(&ends[1].session, true);
        settle(ends);
        assert_false(ends[0].session.open || ends[1].session.open);
        assert_true(ends[0].session.bad_frames > 0 && ends[1].session.bad_frames > 0);
        pair_destroy(ends);
    }
}

static void test_bus_session_reflected_frame_is_refused(void **state) {
    (void)state;
    struct end *ends = pair_create(KEY);
    connect_ends(ends);
    struct frame frame = seal(&ends[1], "mine", 4);
    const uint8_t *message;
    size_t len;
    assert_true(receive(&ends[1], &frame, &message, &len) < 0);
    frame.len = bus_session_greet(&ends[1].session, frame.bytes);
    assert_int_equal(receive(&ends[1], &frame, &message, &len), MARCH_ERR_CRYPTO);
    assert_true(ends[1].session.open);
    pair_destroy(ends);
}

/* An attacker kept every frame of an old connection, greetings too, and plays them to a restarted receiver. */
static void test_bus_session_recorded_connection_does_not_play_again(void **state) {
    (void)state;
    struct end *ends = pair_create(KEY);
    bus_session_restart(&ends[0].session, true);
    bus_session_restart(&ends[1].session, true);
    struct frame tape[16];
    size_t taped = 0;
    greet_if_due(&ends[0], &ends[1]);
    greet_if_due(&ends[1], &ends[0]);
    while (ends[0].count + ends[1].count > 0) {
        if (ends[0].count > 0) tape[taped++] = ends[0].inbox[0];
        ends[0].count > 0 ? deliver(&ends[0], &ends[1]) : deliver(&ends[1], &ends[0]);
    }
    assert_true(ends[0].session.open);
    tape[taped++] = seal(&ends[1], "pay 5", 5);

    bus_session_restart(&ends[0].session, true);
    for (int twice = 0; twice < 2; twice++) {
        for (size_t i = 0; i < taped; i++) {
            const uint8_t *message;
            size_t len;
            assert_int_not_equal(receive(&ends[0], &tape[i], &message, &len), 0);
            assert_false(ends[0].session.open);
        }
    }
    pair_destroy(ends);
}

static void test_bus_session_dense_messages_are_left_unpacked(void **state) {
    (void)state;
    struct end *ends = pair_create(KEY);
    connect_ends(ends);
    uint8_t dense[2048], even[2048] = {0};
    randombytes_buf(dense, sizeof dense);
    assert_int_equal(seal(&ends[0], dense, sizeof dense).len, sizeof dense + BUS_FRAME_OVERHEAD_BYTES);
    assert_int_equal(seal(&ends[0], even, sizeof even).len, sizeof even + BUS_FRAME_OVERHEAD_BYTES); /* not tried */
    size_t len = sizeof even;
    for (int i = 0; i < 20; i++) len = seal(&ends[0], even, sizeof even).len;
    assert_true(len < sizeof even / 4);
    pair_destroy(ends);
}

static void test_bus_session_frame_for_another_connection_does_not_open(void **state) {
    (void)state;
    struct end *ends = pair_create(KEY);
    connect_ends(ends);
    struct frame frame = seal(&ends[1], "hello", 5), copy = frame;
    struct bus_frame_header header;
    const uint8_t *message;
    struct bus_frame_id other = ends[0].session.own_id;
    other.bytes[0] ^= 1;
    assert_int_equal(bus_frame_read_header(&ends[0].codec, frame.bytes, frame.len, &header), 0);
    assert_int_equal(bus_frame_open(&ends[0].codec, &header, &other, copy.bytes, copy.len, &message), MARCH_ERR_CRYPTO);
    assert_int_equal(bus_frame_open(&ends[0].codec, &header, &ends[0].session.own_id, frame.bytes, frame.len, &message), 0);
    pair_destroy(ends);
}

/* A header that says more than is packed, or less, or more than the maximum. */
static void test_bus_session_wrong_unpacked_length_is_refused(void **state) {
    (void)state;
    struct end *ends = pair_create(KEY);
    connect_ends(ends);
    struct bus_frame_header header = {.type = BUS_FRAME_MESSAGE, .sender = ends[1].session.own_id, .seq = 100};
    uint8_t even[1024] = {0};
    struct frame frame;
    frame.len = bus_frame_seal(&ends[1].codec, &header, &ends[0].session.own_id, even, sizeof even, frame.bytes);
    const uint8_t *message;
    struct bus_frame_header read;
    assert_int_equal(bus_frame_read_header(&ends[0].codec, frame.bytes, frame.len, &read), 0);
    assert_true(read.packed && read.len == sizeof even);
    assert_int_equal(bus_frame_open(&ends[0].codec, &read, &ends[0].session.own_id, frame.bytes, frame.len, &message), 0);
    store_le(frame.bytes + 4, MESSAGE_MAX + 1, 4);
    assert_int_equal(bus_frame_read_header(&ends[0].codec, frame.bytes, frame.len, &read), MARCH_ERR_INVALID);
    pair_destroy(ends);
}

/* Connections break at any time; each end notices by itself, sooner or later; frames on their way may stay in a queue and
 * come out in the next connection. In the end the two always find together. Messages arrive in order, each at most once. */
static void test_bus_session_always_settles(void **state) {
    (void)state;
    uint32_t seed = randombytes_random();
    print_message("seed %u\n", seed);
    srand(seed);
    for (int round = 0; round < 200; round++) {
        struct end *ends = pair_create(round % 4 ? NULL : KEY);
        uint32_t sent[2] = {0}, seen[2] = {0};
        for (int step = 0; step < 200; step++) {
            int i = rand() % 2;
            struct end *end = &ends[i], *other = &ends[!i];
            int what = rand() % 32;
            if (what == 0) bus_session_restart(&end->session, true);
            if (what == 1) end->count = end->count > 0 ? (size_t)rand() % end->count : 0; /* the newest are lost */
            greet_if_due(end, other);
            if (what < 12 && end->session.open && other->count < PIPE_MAX / 2) {
                struct frame *frame = &other->inbox[other->count++];
                uint32_t number = ++sent[i];
                frame->len = bus_session_seal(&end->session, &number, sizeof number, frame->bytes);
            } else if (end->count > 0) {
                const uint8_t *message;
                size_t len;
                struct frame frame = end->inbox[0];
                memmove(end->inbox, end->inbox + 1, --end->count * sizeof *end->inbox);
                if (receive(end, &frame, &message, &len) == 0) {
                    uint32_t number;
                    memcpy(&number, message, sizeof number);
                    assert_true(number > seen[i]);
                    seen[i] = number;
                }
                greet_if_due(end, other);
            }
        }
        bus_session_restart(&ends[0].session, true); /* the last break is noticed by both; nothing is lost after it */
        bus_session_restart(&ends[1].session, true);
        settle(ends);
        assert_true(ends[0].session.open && ends[1].session.open);
        pair_destroy(ends);
    }
}

int main(void) {
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bus_session_message_arrives_once),
        cmocka_unit_test(test_bus_session_reordered_frame_is_refused),
        cmocka_unit_test(test_bus_session_flipped_bit_is_refused),
        cmocka_unit_test(test_bus_session_other_key_or_name_is_refused),
        cmocka_unit_test(test_bus_session_reflected_frame_is_refused),
        cmocka_unit_test(test_bus_session_recorded_connection_does_not_play_again),
        cmocka_unit_test(test_bus_session_dense_messages_are_left_unpacked),
        cmocka_unit_test(test_bus_session_frame_for_another_connection_does_not_open),
        cmocka_unit_test(test_bus_session_wrong_unpacked_length_is_refused),
        cmocka_unit_test(test_bus_session_always_settles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
