/* main.c of queuesim: a mode's day in virtual time, for who chooses its windows. Parse, play each population, report. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/option.h"
#include "common/version.h"
#include "matchmaker/mode_file.h"
#include "tools/queuesim/live.h"
#include "tools/queuesim/report.h"
#include "tools/queuesim/twin.h"

enum { EXIT_CODE_OK = 0, EXIT_CODE_FAILED = 1, EXIT_CODE_USAGE = 2, EXIT_CODE_WORSE = 3 };

#define TICKETS_MIN   100
#define TWIN_MAX      20000 /* a naive day of more takes minutes */
#define RATIO_PERCENT 110

struct arguments {
    const char *mode, *plot;
    uint32_t tickets[REPORT_DAYS_MAX], day_count, twin_max;
    uint64_t seed;
    bool is_json, is_check;
};

static const struct argp_option OPTIONS[] = {
    {"mode", 'm', "FILE", 0, "Mode of play [deploy/config/modes/arena.yaml]", 0},
    {"tickets", 't', "N,...", 0, "Tickets a day, 100 to 2000000 each, at most 8 populations [10000,100000,1000000]", 0},
    {"twin-max", 'w', "N", 0, "Play populations of up to N by the naive twin, too; 0 for none [20000]", 0},
    {"seed", 's', "N", 0, "Seed of the days [1]", 0},
    {"plot", 'p', "FILE.svg", 0, "Draw gaps by wait and waits by population (needs gnuplot)", 0},
    {"json", 'j', NULL, 0, "Print JSON instead of a table", 0},
    {"check", 'c', NULL, 0,
     "Exit with 3 when a mean gap is more than 10 % above the naive twin's at equal wait, or there was none to compare with",
     0},
    {0},
};

static void parse_tickets(const struct argp_state *state, struct arguments *args, char *list) {
    args->day_count = 0;
    for (char *rest = list, *one; (one = strsep(&rest, ","));) {
        if (args->day_count == REPORT_DAYS_MAX) argp_error(state, "--tickets: expected at most %d numbers", REPORT_DAYS_MAX);
        args->tickets[args->day_count++] = (uint32_t)option_number(state, "--tickets", one, TICKETS_MIN, DAY_TICKETS_MAX);
    }
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct arguments *args = state->input;
    switch (key) {
    case 'm': args->mode = arg; return 0;
    case 't': parse_tickets(state, args, arg); return 0;
    case 'w': args->twin_max = (uint32_t)option_number(state, "--twin-max", arg, 0, DAY_TICKETS_MAX); return 0;
    case 's': args->seed = option_number(state, "--seed", arg, 0, UINT64_MAX); return 0;
    case 'p': args->plot = arg; return 0;
    case 'j': args->is_json = true; return 0;
    case 'c': args->is_check = true; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static int play_queue(const struct day *day, struct outcome_summary *summary) {
    struct outcome outcome;
    int result = outcome_init(&outcome, day);
    if (result != 0) return result;
    result = live_run(day, &outcome);
    if (result == 0) outcome_sum_up(&outcome, day, summary);
    outcome_deinit(&outcome);
    return result;
}

static int play_day(const struct arguments *args, const struct mode *mode, uint32_t tickets, struct report_day *out) {
    struct day day;
    int result = day_init(&day, mode, tickets, args->seed);
    if (result != 0) return result;
    result = play_queue(&day, &out->queue);
    if (result == 0 && tickets <= args->twin_max)
        result = twin_run_at_wait(&day, out->queue.ended_mean_s, &out->scale, &out->twin);
    day_deinit(&day);
    return result;
}

static bool is_good(const struct report *report) {
    bool is_compared = false;
    for (uint32_t i = 0; i < report->day_count; i++) {
        bool is_equal;
        double ratio = report_ratio(&report->days[i], &is_equal);
        if (is_equal && ratio * 100 > RATIO_PERCENT) return false;
        is_compared |= is_equal;
    }
    return is_compared;
}

static int report_all(const struct arguments *args, const struct report *report) {
    if (args->is_json)
        report_json(report, stdout);
    else
        report_table(report, stdout);
    if (args->plot && report_plot(report, args->plot) != 0) {
        fprintf(stderr, "queuesim: %s: gnuplot did not write it\n", args->plot);
        return EXIT_CODE_FAILED;
    }
    return args->is_check && !is_good(report) ? EXIT_CODE_WORSE : EXIT_CODE_OK;
}

int main(int argc, char **argv) {
    struct argp argp = {OPTIONS, parse, NULL, "queuesim: a day of players in a mode's queue, in virtual time.",
                        NULL,    NULL,  NULL};
    struct arguments args = {.mode = "deploy/config/modes/arena.yaml",
                             .tickets = {10000, 100000, 1000000},
                             .day_count = 3,
                             .twin_max = TWIN_MAX,
                             .seed = 1};
    argp_program_version = "queuesim " MARCH_VERSION;
    argp_err_exit_status = EXIT_CODE_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &args);

    char error[MODE_ERROR_SIZE] = "";
    struct mode mode;
    if (mode_file_load(args.mode, &mode, error, sizeof error) != 0) {
        fprintf(stderr, "queuesim: %s\n", error);
        return EXIT_CODE_USAGE;
    }
    mode.ready_ms = 0;
    static struct report report;
    report = (struct report){.seed = args.seed, .day_count = args.day_count};
    memcpy(report.mode, mode.name, sizeof report.mode);
    for (uint32_t i = 0; i < args.day_count; i++) {
        int result = play_day(&args, &mode, args.tickets[i], &report.days[i]);
        if (result == 0) continue;
        fprintf(stderr, "queuesim: a day of %u tickets: %s\n", args.tickets[i], march_error_text(result));
        return EXIT_CODE_FAILED;
    }
    return report_all(&args, &report);
}
