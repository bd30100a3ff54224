/* outcome.c: see outcome.h. */
#include "tools/queuesim/outcome.h"

#include <stdlib.h>

int outcome_init(struct outcome *outcome, const struct day *day) {
    *outcome = (struct outcome){.tickets = calloc((size_t)day->ticket_count + 1, sizeof(struct outcome_ticket))};
    return outcome->tickets ? 0 : MARCH_ERR_SYSTEM;
}

void outcome_deinit(struct outcome *outcome) {
    free(outcome->tickets);
    *outcome = (struct outcome){0};
}

void outcome_match(struct outcome *outcome, const struct day *day, const uint32_t *tickets, uint32_t count,
                   uint32_t team_gap, uint32_t now_ms) {
    int32_t best = INT32_MIN, worst = INT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        int32_t rating = day->tickets[tickets[i]].rating;
        if (rating > best) best = rating;
        if (rating < worst) worst = rating;
    }
    for (uint32_t i = 0; i < count; i++)
        outcome->tickets[outcome->ticket_count++] =
            (struct outcome_ticket){now_ms - day->tickets[tickets[i]].entered_ms, (uint32_t)(best - worst)};
    outcome->matches++;
    outcome->team_gaps += team_gap;
}

static int by_gap(const void *a, const void *b) {
    const struct outcome_ticket *x = a, *y = b;
    return (x->gap > y->gap) - (x->gap < y->gap);
}

static int by_wait(const void *a, const void *b) {
    const struct outcome_ticket *x = a, *y = b;
    if (x->waited_ms == y->waited_ms) return by_gap(a, b);
    return x->waited_ms > y->waited_ms ? 1 : -1;
}

static void sum_up_curve(const struct outcome *outcome, struct outcome_summary *summary) {
    for (uint32_t i = 0; i < outcome->ticket_count; i++) {
        uint32_t at = 0;
        while (at + 1 < OUTCOME_WAITS && outcome->tickets[i].waited_ms >= 1000u << at) at++;
        summary->curve[at].count++;
        summary->curve[at].wait_s += outcome->tickets[i].waited_ms / 1000.0;
        summary->curve[at].gap += outcome->tickets[i].gap;
    }
    for (uint32_t at = 0; at < OUTCOME_WAITS; at++) {
        if (summary->curve[at].count == 0) continue;
        summary->curve[at].wait_s /= summary->curve[at].count;
        summary->curve[at].gap /= summary->curve[at].count;
    }
}

void outcome_sum_up(struct outcome *outcome, const struct day *day, struct outcome_summary *summary) {
    struct outcome_ticket *tickets = outcome->tickets;
    uint32_t count = outcome->ticket_count;
    *summary = (struct outcome_summary){
        .tickets = day->ticket_count, .matched = count, .timed_out = outcome->timed_out, .matches = outcome->matches};
    summary->ended_mean_s = day->mode.timeout_ms / 1000.0;
    if (count == 0) return;
    for (uint32_t i = 0; i < count; i++) {
        summary->wait_mean_s += tickets[i].waited_ms / 1000.0 / count;
        summary->gap_mean += (double)tickets[i].gap / count;
    }
    double matched_part = (double)count / (count + outcome->timed_out);
    summary->ended_mean_s += matched_part * (summary->wait_mean_s - summary->ended_mean_s);
    summary->team_gap_mean = (double)outcome->team_gaps / (double)outcome->matches;
    qsort(tickets, count, sizeof *tickets, by_gap);
    summary->gap_p50 = tickets[count / 2].gap;
    summary->gap_p90 = tickets[(uint64_t)count * 9 / 10].gap;
    qsort(tickets, count, sizeof *tickets, by_wait);
    summary->wait_p50_s = tickets[count / 2].waited_ms / 1000.0;
    summary->wait_p90_s = tickets[(uint64_t)count * 9 / 10].waited_ms / 1000.0;
    summary->wait_p99_s = tickets[(uint64_t)count * 99 / 100].waited_ms / 1000.0;
    sum_up_curve(outcome, summary);
}
