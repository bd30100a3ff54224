/* test_byte_ring.c: a ring beside a naive twin, and a ring and a notifier between two threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>

#include "common/byte_ring.h"
#include "common/notifier.h"

#define STEPS       20000
#define STREAM_SIZE (8u << 20)

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static uint8_t byte_at(uint64_t index) {
    return (uint8_t)(index * 2654435761u >> 13);
}

static void test_byte_ring_memory_is_mapped_twice(void **state) {
    (void)state;
    struct byte_ring ring;
    assert_int_equal(byte_ring_init(&ring, 5000), 0);
    assert_int_equal(ring.size, 8192); /* whole pages */
    for (size_t i = 0; i < ring.size; i++) ring.bytes[i] = byte_at(i);
    assert_memory_equal(ring.bytes, ring.bytes + ring.size, ring.size);
    ring.bytes[2 * ring.size - 1] = 77;
    assert_int_equal(ring.bytes[ring.size - 1], 77);
    byte_ring_deinit(&ring);
    byte_ring_deinit(&ring);
}

/* The twin is a plain array in which everything that was put stays: what is taken must be what stands there. */
static void test_byte_ring_gives_what_was_put_in_order(void **state) {
    (void)state;
    struct byte_ring ring;
    assert_int_equal(byte_ring_init(&ring, 9000), 0);
    uint32_t random = 1;
    uint64_t put = 0, taken = 0;
    for (int step = 0; step < STEPS; step++) {
        size_t room = ring.size - byte_ring_waiting(&ring);
        size_t count = next_random(&random) % (room + 1);
        uint8_t *to = byte_ring_at(&ring, byte_ring_tail(&ring));
        for (size_t i = 0; i < count; i++) to[i] = byte_at(put + i);
        byte_ring_put(&ring, count);
        put += count;
        assert_int_equal(byte_ring_waiting(&ring), put - taken);

        count = next_random(&random) % (byte_ring_waiting(&ring) + 1);
        const uint8_t *from = byte_ring_at(&ring, byte_ring_head(&ring));
        for (size_t i = 0; i < count; i++) assert_int_equal(from[i], byte_at(taken + i));
        byte_ring_take(&ring, count);
        taken += count;
        if (byte_ring_waiting(&ring) == 0 && step % 2 == 0) {
            byte_ring_rewind(&ring);
            assert_ptr_equal(byte_ring_at(&ring, byte_ring_tail(&ring)), ring.bytes);
        }
    }
    assert_true(put > 4 * ring.size);
    byte_ring_clear(&ring);
    assert_int_equal(byte_ring_waiting(&ring), 0);
    byte_ring_deinit(&ring);
}

struct shared {
    struct byte_ring ring;
    struct notifier to_taker, to_putter;
};

static void sleep_on(struct notifier *notifier) {
    poll(&(struct pollfd){.fd = notifier->fd, .events = POLLIN}, 1, 10000);
}

static void *put_stream(void *arg) {
    struct shared *s = arg;
    uint32_t random = 7;
    for (uint64_t put = 0; put < STREAM_SIZE;) {
        size_t room = s->ring.size - byte_ring_waiting(&s->ring), count = 1 + next_random(&random) % 3000;
        if (count > STREAM_SIZE - put) count = STREAM_SIZE - put;
        if (room < count) {
            if (!notifier_lower(&s->to_putter)) sleep_on(&s->to_putter);
            continue;
        }
        uint8_t *to = byte_ring_at(&s->ring, byte_ring_tail(&s->ring));
        for (size_t i = 0; i < count; i++) to[i] = byte_at(put + i);
        byte_ring_put(&s->ring, count);
        notifier_raise(&s->to_taker);
        put += count;
    }
    return NULL;
}

/* Each sleeps when it can't go on, and the other wakes it; a wake-up that was lost would last ten seconds. */
static void test_byte_ring_and_notifier_carry_a_stream_between_threads(void **state) {
    (void)state;
    struct shared s;
    assert_int_equal(byte_ring_init(&s.ring, 16384), 0);
    assert_int_equal(notifier_init(&s.to_taker), 0);
    assert_int_equal(notifier_init(&s.to_putter), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, put_stream, &s), 0);
    bool good = true;
    for (uint64_t taken = 0; taken < STREAM_SIZE;) {
        size_t waiting = byte_ring_waiting(&s.ring);
        if (waiting == 0) {
            if (!notifier_lower(&s.to_taker)) sleep_on(&s.to_taker);
            continue;
        }
        const uint8_t *from = byte_ring_at(&s.ring, byte_ring_head(&s.ring));
        for (size_t i = 0; i < waiting; i++) good &= from[i] == byte_at(taken + i);
        byte_ring_take(&s.ring, waiting);
        notifier_raise(&s.to_putter);
        taken += waiting;
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(good);
    notifier_deinit(&s.to_putter);
    notifier_deinit(&s.to_taker);
    byte_ring_deinit(&s.ring);
}

static int readable(const struct notifier *notifier) {
    return poll(&(struct pollfd){.fd = notifier->fd, .events = POLLIN}, 1, 0);
}

static void test_notifier_is_readable_while_raised(void **state) {
    (void)state;
    struct notifier notifier;
    assert_int_equal(notifier_init(&notifier), 0);
    assert_int_equal(readable(&notifier), 0);
    assert_false(notifier_lower(&notifier));
    for (int i = 0; i < 3; i++) {
        notifier_raise(&notifier);
        notifier_raise(&notifier);
        assert_int_equal(readable(&notifier), 1);
        assert_true(notifier_lower(&notifier));
        assert_int_equal(readable(&notifier), 0);
        assert_false(notifier_lower(&notifier));
    }
    notifier_deinit(&notifier);
    notifier_deinit(&notifier);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_byte_ring_memory_is_mapped_twice),
        cmocka_unit_test(test_byte_ring_gives_what_was_put_in_order),
        cmocka_unit_test(test_byte_ring_and_notifier_carry_a_stream_between_threads),
        cmocka_unit_test(test_notifier_is_readable_while_raised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
