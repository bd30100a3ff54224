/* outcome.h: what became of a day's tickets: how long those who were matched waited, and how far apart their match was. */
#ifndef MARCH_TOOLS_QUEUESIM_OUTCOME_H
#define MARCH_TOOLS_QUEUESIM_OUTCOME_H

#include <stdint.h>

#include "common/error.h"
#include "tools/queuesim/day.h"

#define OUTCOME_WAITS 12 /* of the curve: up to 1 s, 2 s, 4 s and so on */

/* A ticket that got its match. */
struct outcome_ticket {
    uint32_t waited_ms;
    uint32_t gap; /* between the best and the worst ticket of its match, points */
};

struct outcome {
    struct outcome_ticket *tickets; /* room for all of the day */
    uint32_t ticket_count;
    uint64_t matches, team_gaps; /* team_gaps: sum of the gaps between teams' means */
    uint32_t timed_out;
};

struct outcome_summary {
    uint32_t tickets, matched, timed_out; /* who still waits at the end of the day is neither of the latter */
    uint64_t matches;
    double wait_mean_s, wait_p50_s, wait_p90_s, wait_p99_s; /* of those matched */
    double ended_mean_s;                                    /* of those timed out, too */
    double gap_mean, gap_p50, gap_p90, team_gap_mean;
    struct {
        uint32_t count;
        double wait_s, gap; /* means */
    } curve[OUTCOME_WAITS]; /* of those who waited that long */
};

must_check int outcome_init(struct outcome *outcome, const struct day *day);
void outcome_deinit(struct outcome *outcome);

/* outcome_match notes a match of tickets of the day, by their indices. */
void outcome_match(struct outcome *outcome, const struct day *day, const uint32_t *tickets, uint32_t count,
                   uint32_t team_gap, uint32_t now_ms);

/* outcome_sum_up sorts the outcome's tickets. */
void outcome_sum_up(struct outcome *outcome, const struct day *day, struct outcome_summary *summary);

#endif
