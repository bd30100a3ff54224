/* Days in the queue: they are as they are described, and the queue's matches are about as close as those of a naive matcher
 * that looks at everybody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "tools/queuesim/live.h"
#include "tools/queuesim/twin.h"

static const struct mode DUEL = {.name = "duel",
                                 .teams = 2,
                                 .team_size = 1,
                                 .max_party = 1,
                                 .window_start = 100,
                                 .window_step = 50,
                                 .window_max = 1000,
                                 .window_every_ms = 2000,
                                 .latency_start_ms = 50,
                                 .latency_step_ms = 20,
                                 .latency_max_ms = 150,
                                 .balance_max = 10000,
                                 .timeout_ms = 60000};

/* mode_of_teams is the same for two teams; with roles where it says so. */
static struct mode mode_of_teams(uint32_t team_size, bool has_roles) {
    struct mode mode = DUEL;
    mode.team_size = mode.max_party = team_size;
    mode.balance_max = 120;
    if (!has_roles) return mode;
    mode.role_count = 2;
    mode.roles[0] = (struct mode_role){"healer", 1};
    mode.roles[1] = (struct mode_role){"damage", team_size - 1};
    return mode;
}

static void test_queuesim_day_is_decided_by_its_seed(void **state) {
    (void)state;
    struct mode mode = mode_of_teams(5, true);
    struct day day, same, other;
    assert_int_equal(day_init(&day, &mode, 5000, 7), 0);
    assert_int_equal(day_init(&same, &mode, 5000, 7), 0);
    assert_int_equal(day_init(&other, &mode, 5000, 8), 0);
    assert_int_equal(day.ticket_count, same.ticket_count);
    assert_memory_equal(day.tickets, same.tickets, day.ticket_count * sizeof *day.tickets);
    assert_memory_equal(day.players, same.players, day.player_count * sizeof *day.players);
    assert_memory_not_equal(day.tickets, other.tickets, 1000 * sizeof *day.tickets);
    day_deinit(&day);
    day_deinit(&same);
    day_deinit(&other);
    day_deinit(&other);
}

static void test_queuesim_day_is_as_described(void **state) {
    (void)state;
    struct mode mode = mode_of_teams(5, true);
    struct day day;
    assert_int_equal(day_init(&day, &mode, 20000, 3), 0);
    assert_true(fabs(day.ticket_count - 20000.0) < 5 * sqrt(20000));
    double sum = 0, squares = 0;
    uint32_t alone = 0, player = 0;
    for (uint32_t i = 0; i < day.ticket_count; i++) {
        const struct day_ticket *ticket = &day.tickets[i];
        assert_true(ticket->entered_ms < DAY_MS && (i == 0 || ticket->entered_ms >= ticket[-1].entered_ms));
        assert_true(ticket->count >= 1 && ticket->count <= 5 && ticket->first == player);
        alone += ticket->count == 1;
        for (uint32_t j = 0; j < ticket->count; j++, player++) {
            assert_int_equal(day.players[player].id, player + 1);
            assert_int_equal(day.ticket_of[player], i);
            assert_true(day.players[player].roles >= 1 && day.players[player].roles <= 3);
            sum += day.players[player].rating;
            squares += (double)day.players[player].rating * day.players[player].rating;
        }
    }
    double mean = sum / player, deviation = sqrt(squares / player - mean * mean);
    assert_true(fabs(mean - 1500) < 15);
    assert_true(fabs(deviation - 500) < 15);
    assert_true(fabs((double)alone / day.ticket_count - 0.6) < 0.02);
    day_deinit(&day);
}

static void test_queuesim_outcome_is_summed_up(void **state) {
    (void)state;
    struct day_ticket tickets[] = {{.entered_ms = 0, .rating = 1000},
                                   {.entered_ms = 500, .rating = 1300},
                                   {.entered_ms = 600, .rating = 2000},
                                   {.entered_ms = 700, .rating = 2000},
                                   {.entered_ms = 800, .rating = 9000}};
    struct day day = {.mode = DUEL, .tickets = tickets, .ticket_count = 5};
    struct outcome outcome;
    struct outcome_summary summary;
    assert_int_equal(outcome_init(&outcome, &day), 0);
    outcome_match(&outcome, &day, (const uint32_t[]){0, 1}, 2, 300, 4500);
    outcome_match(&outcome, &day, (const uint32_t[]){3, 2}, 2, 0, 700);
    outcome.timed_out = 1;
    outcome_sum_up(&outcome, &day, &summary);
    outcome_deinit(&outcome);
    assert_int_equal(summary.matched, 4);
    assert_int_equal(summary.matches, 2);
    assert_true(fabs(summary.wait_mean_s - (4.5 + 4.0 + 0.1 + 0) / 4) < 1e-9);
    assert_true(fabs(summary.ended_mean_s - (4.5 + 4.0 + 0.1 + 0 + 60) / 5) < 1e-9);
    assert_true(fabs(summary.gap_mean - 150) < 1e-9);
    assert_true(fabs(summary.team_gap_mean - 150) < 1e-9);
    assert_true(fabs(summary.wait_p50_s - 4.0) < 1e-9);
    assert_int_equal(summary.curve[0].count, 2);
    assert_int_equal(summary.curve[3].count, 2);
    assert_true(fabs(summary.curve[3].wait_s - 4.25) < 1e-9);
}

/* Every ticket has one end at most, within the limits of the mode. */
static void check_outcome(const struct day *day, const struct outcome *outcome, uint32_t late_ms) {
    assert_true(outcome->ticket_count > 0);
    assert_true(outcome->ticket_count + outcome->timed_out <= day->ticket_count);
    for (uint32_t i = 0; i < outcome->ticket_count; i++) {
        assert_true(outcome->tickets[i].gap <= day->mode.window_max + 1); /* a half point is rounded by each in its way */
        assert_true(outcome->tickets[i].waited_ms <= day->mode.timeout_ms + late_ms);
    }
    assert_true(outcome->team_gaps <= outcome->matches * (day->mode.balance_max + 1));
}

static void test_queuesim_queue_is_nearly_as_close_as_its_naive_twin(void **state) {
    (void)state;
    const struct {
        struct mode mode;
        uint32_t tickets;
    } cases[] = {{DUEL, 4000}, {mode_of_teams(2, false), 8000}, {mode_of_teams(3, true), 10000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct day day;
        struct outcome outcome;
        struct outcome_summary queue, twin;
        double scale;
        assert_int_equal(day_init(&day, &cases[i].mode, cases[i].tickets, 20 + i), 0);
        assert_int_equal(outcome_init(&outcome, &day), 0);
        assert_int_equal(twin_run(&day, 1, &outcome), 0);
        check_outcome(&day, &outcome, 0);
        outcome_deinit(&outcome);

        assert_int_equal(outcome_init(&outcome, &day), 0);
        assert_int_equal(live_run(&day, &outcome), 0);
        check_outcome(&day, &outcome, 2 * LIVE_STEP_MS);
        outcome_sum_up(&outcome, &day, &queue);
        outcome_deinit(&outcome);

        assert_int_equal(twin_run_at_wait(&day, queue.ended_mean_s, &scale, &twin), 0);
        day_deinit(&day);
        if (fabs(queue.ended_mean_s / twin.ended_mean_s - 1) > 0.02 || queue.gap_mean > 1.1 * twin.gap_mean)
            fail_msg("case %zu: the queue's mean wait is %.2f s, gap %.1f; the twin's %.2f s, %.1f", i, queue.ended_mean_s,
                     queue.gap_mean, twin.ended_mean_s, twin.gap_mean);
        print_message("case %zu: gap x %.3f of the twin's, with windows x %.2f\n", i, queue.gap_mean / twin.gap_mean, scale);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queuesim_day_is_decided_by_its_seed),
        cmocka_unit_test(test_queuesim_day_is_as_described),
        cmocka_unit_test(test_queuesim_outcome_is_summed_up),
        cmocka_unit_test(test_queuesim_queue_is_nearly_as_close_as_its_naive_twin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
