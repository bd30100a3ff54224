/* Tick numbers and times: aligned on the epoch, late ones left out, the wall clock followed slowly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "zone/pacer.h"

#define WALL_NS 1800000000123456789ULL

static struct pacer start(struct mono *now) {
    struct pacer p;
    *now = (struct mono){5 * NS_PER_S};
    pacer_init(&p, 60, *now, WALL_NS);
    return p;
}

static void test_pacer_ticks_begin_on_multiples_since_the_epoch(void **state) {
    (void)state;
    struct mono now;
    struct pacer p = start(&now);
    for (uint32_t i = 0; i < 200; i++) {
        struct mono due = pacer_due(&p);
        assert_true(due.ns > now.ns && due.ns - now.ns <= NS_PER_S / 60 + 1);
        uint64_t wall = due.ns + (WALL_NS - 5 * NS_PER_S), tick = pacer_begin(&p, due);
        assert_true(tick == wall / NS_PER_S * 60 + wall % NS_PER_S * 60 / NS_PER_S);
        assert_true(pacer_at(&p, (struct mono){due.ns - 1}) == tick - 1);
        now = due;
    }
    assert_int_equal(p.missed, 0);
    assert_true(p.tick == 1800000000123456789ULL / 1000000000 * 60 + 7 + 200);
}

static void test_pacer_late_tick_leaves_numbers_out(void **state) {
    (void)state;
    struct mono now;
    struct pacer p = start(&now);
    uint64_t first = pacer_begin(&p, pacer_due(&p));
    struct mono late = mono_add_ms(pacer_due(&p), 10); /* less than a tick: nothing is lost */
    assert_true(pacer_begin(&p, late) == first + 1);
    assert_int_equal(p.missed, 0);
    assert_true(pacer_begin(&p, mono_add_ms(pacer_due(&p), 55)) == first + 5);
    assert_int_equal(p.missed, 3);
}

static void test_pacer_stride_runs_every_second_number(void **state) {
    (void)state;
    struct mono now;
    struct pacer p = start(&now);
    pacer_set_stride(&p, 2);
    uint64_t first = pacer_begin(&p, pacer_due(&p));
    assert_int_equal(first % 2, 0);
    assert_true(pacer_begin(&p, pacer_due(&p)) == first + 2);
    assert_true(pacer_begin(&p, mono_add_ms(pacer_due(&p), 40)) == first + 6);
    assert_int_equal(p.missed, 1);
    pacer_set_stride(&p, 1);
    assert_true(pacer_begin(&p, pacer_due(&p)) == first + 7);
}

static void test_pacer_follows_the_wall_clock_slowly(void **state) {
    (void)state;
    struct mono now;
    struct pacer p = start(&now);
    int64_t offset = p.offset_ns;
    uint64_t wall = WALL_NS + NS_PER_S;
    pacer_follow(&p, mono_add_ms(now, 1000), wall + 200 * NS_PER_US);
    assert_true(p.offset_ns == offset + 200 * (int64_t)NS_PER_US);
    pacer_follow(&p, mono_add_ms(now, 1000), wall - 3600 * NS_PER_S); /* stepped back by an hour */
    assert_true(p.offset_ns == offset + 200 * (int64_t)NS_PER_US - (int64_t)PACER_SLEW_NS);
    uint64_t tick = p.tick;
    assert_true(pacer_begin(&p, pacer_due(&p)) == tick + 1);
}

static void test_pacer_wait_does_not_return_early(void **state) {
    (void)state;
    for (int spin = 0; spin < 2; spin++) {
        struct mono due = mono_add_ms(mono_now(), 3);
        assert_true(mono_reached(pacer_wait(due, spin), due));
        assert_true(mono_reached(mono_now(), due));
        assert_true(mono_reached(pacer_wait(due, spin), due)); /* past already */
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pacer_ticks_begin_on_multiples_since_the_epoch),
        cmocka_unit_test(test_pacer_late_tick_leaves_numbers_out),
        cmocka_unit_test(test_pacer_stride_runs_every_second_number),
        cmocka_unit_test(test_pacer_follows_the_wall_clock_slowly),
        cmocka_unit_test(test_pacer_wait_does_not_return_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
