/* test_continuity.c: how a swarm counts gaps, crossings and interruptions, and what it tells of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "tools/swarm/report.h"

#define MS NS_PER_MS

static void test_gaps_quantiles_are_exact_to_a_quarter_millisecond(void **state) {
    (void)state;
    static struct gaps gaps;
    gaps_reset(&gaps);
    assert_int_equal(gaps_quantile(&gaps, 0.99), 0);
    for (uint64_t i = 1; i <= 1000; i++) gaps_record(&gaps, i * MS / 2); /* 0.5 to 500 ms */
    static const struct {
        double q;
        uint64_t ns;
    } cases[] = {{0, MS / 2}, {0.5, 250 * MS}, {0.99, 495 * MS}, {0.999, 999 * MS / 2}, {1, 500 * MS}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t ns = gaps_quantile(&gaps, cases[i].q);
        assert_in_range(ns, cases[i].ns, cases[i].ns + GAPS_BUCKET_NS);
    }
    gaps_record(&gaps, 70 * NS_PER_S); /* beyond the table */
    assert_int_equal(gaps_quantile(&gaps, 1), 70 * NS_PER_S);
    assert_int_equal(gaps.count, 1001);
}

static const struct march_gap ordinary = {.ns = 50 * MS, .ticks = 3};
static const struct march_gap crossing = {.ns = 50 * MS, .ticks = 4, .changed = true};
static const struct march_gap backwards = {.ns = 50 * MS, .ticks = 0u - 1, .changed = true};
static const struct march_gap first = {.first = true};

static struct report *counted(void) {
    struct report *r = calloc(1, sizeof(*r));
    struct continuity c;
    struct continuity_bot a = {0}, b = {0};
    struct mono now = {NS_PER_S};
    assert_int_equal(continuity_open(&c, &r->continuity, NULL, 1000, now), 0);
    continuity_snapshot(&c, &a, now, &first, true);
    continuity_snapshot(&c, &b, now, &first, true);
    continuity_snapshot(&c, &a, now = mono_add_ms(now, 50), &ordinary, true);
    continuity_snapshot(&c, &a, now = mono_add_ms(now, 100), &crossing, true); /* no interruption: that is more */
    continuity_snapshot(&c, &a, now = mono_add_ms(now, 60), &backwards, true);
    continuity_snapshot(&c, &b, now = mono_add_ms(now, 40), &ordinary, true); /* 250 */
    continuity_snapshot(&c, &b, now = mono_add_ms(now, 2000), &first,
                        true); /* another connection: the gap is one all the same */
    continuity_snapshot(&c, &a, now = mono_add_ms(now, 3000), &first, false); /* play is over */
    assert_false(continuity_due(&c, mono_add_ms(now, 100000)));
    assert_int_equal(continuity_close(&c), 0);
    return r;
}

static void test_continuity_counts_crossings_and_interruptions(void **state) {
    (void)state;
    struct report *r = counted();
    assert_int_equal(r->continuity.all.count, 5);
    assert_int_equal(r->continuity.all.max_ns, 2000 * MS);
    assert_int_equal(r->continuity.crossings.count, 2);
    assert_int_equal(r->continuity.crossings.max_ns, 100 * MS);
    assert_int_equal(r->continuity.crossing_ticks_max, 4);
    assert_int_equal(r->continuity.interruptions, 2);
    assert_int_equal(r->continuity.clients_interrupted, 1);
    free(r);
}

static void test_report_tells_of_continuity(void **state) {
    (void)state;
    struct report *r = counted();
    char *text;
    size_t size;
    r->played_s = 10;
    r->reconnects = 3;
    r->resumed = 2;
    r->moves = 5;
    r->moves_failed = 1;
    r->blinks = 4;
    FILE *out = open_memstream(&text, &size);
    report_print_json(r, out);
    assert_int_equal(fclose(out), 0);
    json_t *whole = json_loads(text, 0, NULL);
    json_t *told = json_object_get(whole, "continuity");
    static const struct {
        const char *name;
        double value;
    } numbers[] = {{"crossings", 2},    {"crossings_per_s", 0.2}, {"crossing_gap_ticks_max", 4},
                   {"blinks", 4},       {"interruptions", 2},     {"clients_interrupted", 1},
                   {"reconnects", 3},   {"resumed", 2},           {"moves", 5},
                   {"moves_failed", 1}, {"moved_to_another", 0}};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        double value = json_number_value(json_object_get(told, numbers[i].name));
        if (value != numbers[i].value) print_error("%s is %f\n", numbers[i].name, value);
        assert_true(value == numbers[i].value);
    }
    assert_true(json_number_value(json_object_get(json_object_get(told, "crossing_gap_ms"), "max")) == 100);
    assert_true(json_number_value(json_object_get(json_object_get(told, "gap_ms"), "p999")) == 2000);
    json_decref(whole);
    free(text);
    out = open_memstream(&text, &size);
    report_print(r, out);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(
        text, "crossings    2 (0.2/s), gap p50 60.2 ms, p99 100.0 ms, p99.9 100.0 ms, max 100.0 ms, 4 ticks; 4 blinks\n"));
    assert_non_null(strstr(text, "2 over 100 ms, of 1 clients\n"));
    assert_non_null(strstr(text, "gateways     3 reconnects, 2 resumed; 5 moves, 0 into another entity, 1 failed\n"));
    free(text);
    free(r);
}

static void test_continuity_timeline_is_a_line_for_each_interval(void **state) {
    (void)state;
    char path[] = "/tmp/march-timeline-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && close(fd) == 0);
    struct continuity c;
    struct continuity_report *report = calloc(1, sizeof(*report));
    struct continuity_bot bot = {0};
    struct mono now = {NS_PER_S};
    assert_int_equal(continuity_open(&c, report, path, 100, now), 0);
    continuity_snapshot(&c, &bot, now, &first, false);
    continuity_snapshot(&c, &bot, mono_add_ms(now, 70), &crossing, false);
    assert_false(continuity_due(&c, mono_add_ms(now, 99)));
    for (unsigned line = 1; line <= 2; line++) {
        now = mono_add_ms(now, 100);
        assert_true(continuity_due(&c, now));
        continuity_silence(&c, &bot, now);
        continuity_write(&c, now, &(struct continuity_line){.t_s = line, .playing = 7, .reconnects = 3});
        assert_false(continuity_due(&c, now));
    }
    now = mono_add_ms(now, 5000); /* after a stall it does not catch up */
    continuity_write(&c, now, &(struct continuity_line){.t_s = 3});
    assert_false(continuity_due(&c, mono_add_ms(now, 99)));
    assert_int_equal(continuity_close(&c), 0);
    assert_int_equal(continuity_close(&c), 0);

    static const struct {
        double gaps, gap_max, crossings, silence_max;
    } expected[] = {{1, 70, 1, 30}, {0, 0, 0, 130}, {0, 0, 0, 0}};
    FILE *in = fopen(path, "r");
    char text[1024];
    for (unsigned i = 0; i < 3; i++) {
        assert_non_null(fgets(text, sizeof(text), in));
        json_t *line = json_loads(text, 0, NULL);
        assert_non_null(line);
        json_t *gap = json_object_get(line, "gap_ms");
        assert_true(json_number_value(json_object_get(line, "t_s")) == i + 1);
        assert_true(json_number_value(json_object_get(gap, "count")) == expected[i].gaps);
        assert_true(json_number_value(json_object_get(gap, "max")) == expected[i].gap_max);
        assert_true(json_number_value(json_object_get(json_object_get(line, "crossing_ms"), "count")) ==
                    expected[i].crossings);
        assert_true(json_number_value(json_object_get(json_object_get(line, "silence_ms"), "p99")) ==
                    expected[i].silence_max);
        json_decref(line);
    }
    assert_null(fgets(text, sizeof(text), in));
    fclose(in);
    unlink(path);
    free(report);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gaps_quantiles_are_exact_to_a_quarter_millisecond),
        cmocka_unit_test(test_continuity_counts_crossings_and_interruptions),
        cmocka_unit_test(test_report_tells_of_continuity),
        cmocka_unit_test(test_continuity_timeline_is_a_line_for_each_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
