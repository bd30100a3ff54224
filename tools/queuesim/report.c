/* report.c: see report.h. */
#include "tools/queuesim/report.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

double report_ratio(const struct report_day *day, bool *is_equal) {
    bool is_compared = day->scale > 0 && day->queue.matched > 0 && day->twin.gap_mean > 0;
    *is_equal = is_compared && fabs(day->queue.ended_mean_s - day->twin.ended_mean_s) <= 0.02 * day->twin.ended_mean_s;
    return is_compared ? day->queue.gap_mean / day->twin.gap_mean : 0;
}

static double percent(uint32_t part, uint32_t whole) {
    return whole ? 100.0 * part / whole : 0;
}

static void table_row(const char *who, const struct outcome_summary *s, FILE *out) {
    fprintf(out, "%9" PRIu32 "  %-6s %8.2f %8.2f  %7.1f %7.1f %7.1f %7.1f  %6.0f %6.0f %6.0f %9.0f", s->tickets, who,
            percent(s->matched, s->tickets), percent(s->timed_out, s->tickets), s->wait_mean_s, s->wait_p50_s, s->wait_p90_s,
            s->wait_p99_s, s->gap_mean, s->gap_p50, s->gap_p90, s->team_gap_mean);
}

void report_table(const struct report *report, FILE *out) {
    fprintf(out, "mode %s, seed %" PRIu64 ": waits in s, gaps in points\n", report->mode, report->seed);
    fprintf(out, "  tickets  by      matched timeout  wait: mean   p50     p90     p99   gap: mean p50    p90  of teams\n");
    for (uint32_t i = 0; i < report->day_count; i++) {
        const struct report_day *day = &report->days[i];
        table_row("queue", &day->queue, out);
        fprintf(out, "\n");
        if (day->scale <= 0) continue;
        bool is_equal;
        double ratio = report_ratio(day, &is_equal);
        table_row("twin", &day->twin, out);
        fprintf(out, "  windows x %.3f; gap x %.3f%s\n", day->scale, ratio, is_equal ? "" : ", but at another wait");
    }
}

static void json_summary(const struct outcome_summary *s, FILE *out) {
    fprintf(out,
            "{\"matched\": %" PRIu32 ", \"timed_out\": %" PRIu32 ", \"matches\": %" PRIu64
            ", \"wait_s\": {\"mean\": %.3f, \"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f}"
            ", \"gap\": {\"mean\": %.2f, \"p50\": %.0f, \"p90\": %.0f}, \"team_gap_mean\": %.2f, \"curve\": [",
            s->matched, s->timed_out, s->matches, s->wait_mean_s, s->wait_p50_s, s->wait_p90_s, s->wait_p99_s, s->gap_mean,
            s->gap_p50, s->gap_p90, s->team_gap_mean);
    const char *comma = "";
    for (uint32_t at = 0; at < OUTCOME_WAITS; at++) {
        if (s->curve[at].count == 0) continue;
        fprintf(out, "%s{\"count\": %" PRIu32 ", \"wait_s\": %.3f, \"gap\": %.2f}", comma, s->curve[at].count,
                s->curve[at].wait_s, s->curve[at].gap);
        comma = ", ";
    }
    fprintf(out, "]}");
}

void report_json(const struct report *report, FILE *out) {
    fprintf(out, "{\"mode\": \"%s\", \"seed\": %" PRIu64 ", \"days\": [", report->mode, report->seed);
    for (uint32_t i = 0; i < report->day_count; i++) {
        const struct report_day *day = &report->days[i];
        fprintf(out, "%s\n  {\"tickets\": %" PRIu32 ", \"queue\": ", i ? "," : "", day->queue.tickets);
        json_summary(&day->queue, out);
        if (day->scale > 0) {
            bool is_equal;
            double ratio = report_ratio(day, &is_equal);
            fprintf(out, ",\n   \"twin\": ");
            json_summary(&day->twin, out);
            fprintf(out, ",\n   \"twin_windows\": %.4f, \"gap_ratio\": %.4f, \"equal_wait\": %s", day->scale, ratio,
                    is_equal ? "true" : "false");
        }
        fprintf(out, "}");
    }
    fprintf(out, "]}\n");
}

/* --- the plot */

static void plot_curve(const struct outcome_summary *s, FILE *out) {
    for (uint32_t at = 0; at < OUTCOME_WAITS; at++)
        if (s->curve[at].count > 0) fprintf(out, "%.4f %.3f\n", fmax(s->curve[at].wait_s, 0.1), s->curve[at].gap);
    fprintf(out, "e\n");
}

static void plot_gaps(const struct report *report, FILE *out) {
    fprintf(out, "set title 'gap of a match by how long its tickets waited'\nset xlabel 'wait, s'\n"
                 "set ylabel 'best less worst ticket, points'\nset key left top\nplot");
    const char *comma = "";
    for (uint32_t i = 0; i < report->day_count; i++) {
        fprintf(out, "%s '-' using 1:2 with linespoints lc %" PRIu32 " lw 2 title '%" PRIu32 " tickets a day'", comma, i + 1,
                report->days[i].queue.tickets);
        if (report->days[i].scale > 0)
            fprintf(out, ", '-' using 1:2 with linespoints lc %" PRIu32 " dt 2 title 'the same, naive twin'", i + 1);
        comma = ",";
    }
    fprintf(out, "\n");
    for (uint32_t i = 0; i < report->day_count; i++) {
        plot_curve(&report->days[i].queue, out);
        if (report->days[i].scale > 0) plot_curve(&report->days[i].twin, out);
    }
}

static void plot_waits(const struct report *report, FILE *out) {
    static const char *const titles[] = {"p50", "mean", "p90", "p99"};
    fprintf(out, "set title 'wait by population'\nset format x '%%.0s%%c'\nset autoscale xfix\nset xlabel 'tickets a "
                 "day'\nset ylabel 'wait, s'\nset logscale y\n"
                 "set key right top\nplot '-' using 1:2 with linespoints lw 2 title 'p50'");
    for (uint32_t q = 1; q < 4; q++) fprintf(out, ", '-' using 1:2 with linespoints lw 2 title '%s'", titles[q]);
    fprintf(out, "\n");
    for (uint32_t q = 0; q < 4; q++) {
        for (uint32_t i = 0; i < report->day_count; i++) {
            const struct outcome_summary *s = &report->days[i].queue;
            const double waits[] = {s->wait_p50_s, s->wait_mean_s, s->wait_p90_s, s->wait_p99_s};
            fprintf(out, "%" PRIu32 " %.4f\n", s->tickets, fmax(waits[q], 0.01));
        }
        fprintf(out, "e\n");
    }
}

int report_plot(const struct report *report, const char *path) {
    if (strchr(path, '\'') || strchr(path, '\n')) return MARCH_ERR_INVALID; /* would end the name in gnuplot's script */
    FILE *out = popen("gnuplot", "w");
    if (!out) return MARCH_ERR_SYSTEM;
    fprintf(out, "set terminal svg size 1100,480 font 'sans,12' background 'white'\nset output '%s'\n", path);
    fprintf(out, "set multiplot layout 1,2 title 'mode %s: a day in the queue'\nset logscale x\nset grid\n", report->mode);
    plot_gaps(report, out);
    plot_waits(report, out);
    fprintf(out, "unset multiplot\n");
    return pclose(out) == 0 ? 0 : MARCH_ERR_SYSTEM;
}
