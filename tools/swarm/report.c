/* report.c: see report.h. */
#include "tools/swarm/report.h"

#include <inttypes.h>

#include <jansson.h>

#include "common/clock.h"

#define REAL_DIGITS 6

bool report_clean(const struct report *r) {
    bool stayed = r->connected == r->clients && r->unconnected == 0 && r->disconnected == 0;
    return stayed && r->matches.lost == 0 && r->messages_out_of_order == 0 && r->messages_malformed == 0;
}

static uint64_t errors(const struct report *r) {
    return r->unconnected + r->disconnected + r->packets_refused + r->snapshots_refused + r->messages_malformed +
           r->messages_out_of_order + r->unsent;
}

static double quantile(const struct histogram *h, double q, double unit) {
    return (double)histogram_quantile(h, q) / unit;
}

static double max(const struct histogram *h, double unit) {
    return (double)histogram_max(h) / unit;
}

/* us_per_pair returns the CPU time of this process for one packet up and one down. */
static double us_per_pair(const struct report *r) {
    double pairs = (double)(r->packets_up + r->packets_down) / 2;
    return pairs > 0 ? r->cpu_s * 1e6 / pairs : 0;
}

static double per_s(const struct report *r, uint64_t count) {
    return r->played_s > 0 ? (double)count / r->played_s : 0;
}

static double gap_ms(const struct gaps *gaps, double q) {
    return (double)gaps_quantile(gaps, q) / (double)NS_PER_MS;
}

static void print_continuity(const struct report *r, FILE *out) {
    const struct continuity_report *c = &r->continuity;
    fprintf(out,
            "crossings    %" PRIu64 " (%.1f/s), gap p50 %.1f ms, p99 %.1f ms, p99.9 %.1f ms, max %.1f ms, %" PRIu64
            " ticks; %" PRIu64 " blinks\n",
            c->crossings.count, per_s(r, c->crossings.count), gap_ms(&c->crossings, 0.5), gap_ms(&c->crossings, 0.99),
            gap_ms(&c->crossings, 0.999), gap_ms(&c->crossings, 1), c->crossing_ticks_max, r->blinks);
    fprintf(out, "gaps         p50 %.1f ms, p99 %.1f ms, max %.1f ms; %" PRIu64 " over %d ms, of %" PRIu64 " clients\n",
            gap_ms(&c->all, 0.5), gap_ms(&c->all, 0.99), gap_ms(&c->all, 1), c->interruptions, CONTINUITY_INTERRUPTION_MS,
            c->clients_interrupted);
    if (r->reconnects + r->moves + r->moves_failed == 0) return;
    fprintf(out,
            "gateways     %" PRIu64 " reconnects, %" PRIu64 " resumed; %" PRIu64 " moves, %" PRIu64
            " into another entity, %" PRIu64 " failed\n",
            r->reconnects, r->resumed, r->moves, r->moved_to_another, r->moves_failed);
}

static void print_commands(const struct report *r, FILE *out) {
    fprintf(out,
            "commands     %" PRIu64 " answered (%.1f/s), %" PRIu64 " unknown, %" PRIu64 " repeats, %" PRIu64 " reconnects\n",
            r->commands, per_s(r, r->commands), r->commands_unknown, r->command_repeats, r->reconnects);
    for (unsigned i = 0; i < MARCH_STATUS_COUNT; i++)
        if (r->statuses[i] > 0) fprintf(out, "  %-14s %" PRIu64 "\n", march_status_text(i), r->statuses[i]);
    for (unsigned i = 0; i < MARCH_VERB_COUNT; i++) {
        const struct histogram *h = &r->command_ns[i];
        if (histogram_count(h) == 0) continue;
        fprintf(out, "  %-14s %" PRIu64 ", p50 %.1f ms, p99 %.1f ms\n", march_verb_text(i), histogram_count(h),
                quantile(h, 0.5, (double)NS_PER_MS), quantile(h, 0.99, (double)NS_PER_MS));
    }
    fprintf(out, "holdings     %" PRIu64 " items, %" PRIu64 " gold\n", r->items, r->gold);
}

static void print_matches(const struct report *r, FILE *out) {
    const struct queuer_report *m = &r->matches;
    const double ms = (double)NS_PER_MS;
    fprintf(out,
            "queue        %" PRIu64 " entered, %" PRIu64 " matched, %" PRIu64 " timed out, %" PRIu64 " ended, %" PRIu64
            " forgotten, %" PRIu64 " refused; waited p50 %.1f ms, p99 %.1f ms, max %.1f ms\n",
            m->entered, m->matched, m->timed_out, m->ended, m->forgotten, m->refused, quantile(&m->wait_ns, 0.5, ms),
            quantile(&m->wait_ns, 0.99, ms), max(&m->wait_ns, ms));
    fprintf(out,
            "matches      %" PRIu64 " came, %" PRIu64 " absent, %" PRIu64 " played, %" PRIu64 " returned, %" PRIu64
            " lost, %" PRIu64 " gold; there after p50 %.1f ms, p99 %.1f ms, max %.1f ms\n",
            m->came, m->absent, m->played, m->returned, m->lost, m->gold, quantile(&m->travel_ns, 0.5, ms),
            quantile(&m->travel_ns, 0.99, ms), max(&m->travel_ns, ms));
}

void report_print(const struct report *r, FILE *out) {
    const double ms = (double)NS_PER_MS;
    fprintf(out, "clients      %u: %u connected, %u could not, %" PRIu64 " dropped\n", r->clients, r->connected,
            r->unconnected, r->disconnected);
    fprintf(out, "connect      p50 %.1f ms, p99 %.1f ms\n", quantile(&r->connect_ns, 0.5, ms),
            quantile(&r->connect_ns, 0.99, ms));
    fprintf(out, "played       %.1f s\n", r->played_s);
    fprintf(out, "round trip   p50 %.1f ms, p99 %.1f ms, max %.1f ms (input to the snapshot made with it)\n",
            quantile(&r->rtt_ns, 0.5, ms), quantile(&r->rtt_ns, 0.99, ms), max(&r->rtt_ns, ms));
    fprintf(out, "snapshots    p1 %.2f/s, p50 %.2f/s a client\n", r->snapshot_hz_p1, r->snapshot_hz_p50);
    fprintf(out, "bytes        down %.2f KB/s, up %.2f KB/s a client (mean)\n", r->bytes_down_per_s / 1e3,
            r->bytes_up_per_s / 1e3);
    fprintf(out, "in view      p50 %.0f, p99 %.0f entities\n", quantile(&r->entities, 0.5, 1),
            quantile(&r->entities, 0.99, 1));
    fprintf(out, "zones        lost %" PRIu64 " times, back %" PRIu64 " times\n", r->zone_lost, r->zone_back);
    fprintf(out, "speech       %" PRIu64 " lines said, %" PRIu64 " heard by their speaker, %" PRIu64 " out of order\n",
            r->said, r->heard_own, r->messages_out_of_order);
    print_continuity(r, out);
    if (r->commands + r->commands_unknown > 0) print_commands(r, out);
    if (r->matches.entered + r->matches.refused + r->matches.came > 0) print_matches(r, out);
    fprintf(out,
            "errors       %" PRIu64 " (%" PRIu64 " refused datagrams, %" PRIu64 " refused snapshots, %" PRIu64 " unsent)\n",
            errors(r), r->packets_refused, r->snapshots_refused, r->unsent);
    fprintf(out, "swarm cpu    %.0f %% of a core, %.2f us for a packet up and one down\n",
            r->played_s > 0 ? r->cpu_s / r->played_s * 100 : 0, us_per_pair(r));
}

static json_t *spread(const struct histogram *h, double unit) {
    return json_pack("{s:f, s:f, s:f}", "p50", quantile(h, 0.5, unit), "p99", quantile(h, 0.99, unit), "max", max(h, unit));
}

/* gaps_json has a ladder of quantiles beside those that are asked for by name, for plots. */
static json_t *gaps_json(const struct gaps *gaps) {
    static const double rungs[] = {0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 1};
    json_t *ladder = json_array();
    for (unsigned i = 0; i < sizeof(rungs) / sizeof(rungs[0]); i++)
        json_array_append_new(ladder, json_pack("[f, f]", rungs[i], gap_ms(gaps, rungs[i])));
    return json_pack("{s:f, s:f, s:f, s:f, s:o}", "p50", gap_ms(gaps, 0.5), "p99", gap_ms(gaps, 0.99), "p999",
                     gap_ms(gaps, 0.999), "max", gap_ms(gaps, 1), "ladder", ladder);
}

static json_t *continuity_json(const struct report *r) {
    const struct continuity_report *c = &r->continuity;
    return json_pack("{s:I, s:f, s:o, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "crossings",
                     (json_int_t)c->crossings.count, "crossings_per_s", per_s(r, c->crossings.count), "crossing_gap_ms",
                     gaps_json(&c->crossings), "crossing_gap_ticks_max", (json_int_t)c->crossing_ticks_max, "gap_ms",
                     gaps_json(&c->all), "blinks", (json_int_t)r->blinks, "interruptions", (json_int_t)c->interruptions,
                     "clients_interrupted", (json_int_t)c->clients_interrupted, "reconnects", (json_int_t)r->reconnects,
                     "resumed", (json_int_t)r->resumed, "moves", (json_int_t)r->moves, "moved_to_another",
                     (json_int_t)r->moved_to_another, "moves_failed", (json_int_t)r->moves_failed);
}

static json_t *commands_json(const struct report *r) {
    json_t *statuses = json_object();
    json_t *verbs = json_object();
    for (unsigned i = 0; i < MARCH_STATUS_COUNT; i++)
        if (r->statuses[i] > 0)
            json_object_set_new(statuses, march_status_text(i), json_integer((json_int_t)r->statuses[i]));
    for (unsigned i = 0; i < MARCH_VERB_COUNT; i++) {
        const struct histogram *h = &r->command_ns[i];
        if (histogram_count(h) == 0) continue;
        json_t *verb = spread(h, (double)NS_PER_MS);
        json_object_set_new(verb, "count", json_integer((json_int_t)histogram_count(h)));
        json_object_set_new(verbs, march_verb_text(i), verb);
    }
    return json_pack("{s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "answered", (json_int_t)r->commands, "per_s",
                     per_s(r, r->commands), "unknown", (json_int_t)r->commands_unknown, "repeats",
                     (json_int_t)r->command_repeats, "unavailable", (json_int_t)r->unavailable, "items",
                     (json_int_t)r->items, "gold", (json_int_t)r->gold, "levels", (json_int_t)r->levels, "reconnects",
                     (json_int_t)r->reconnects, "statuses", statuses, "verbs_ms", verbs);
}

/* travels_json has a ladder of quantiles beside those that are asked for by name, for plots. */
static json_t *travels_json(const struct histogram *h) {
    static const double rungs[] = {0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 1};
    const double ms = (double)NS_PER_MS;
    json_t *ladder = json_array(), *travels = spread(h, ms);
    for (unsigned i = 0; i < sizeof(rungs) / sizeof(rungs[0]); i++)
        json_array_append_new(ladder, json_pack("[f, f]", rungs[i], quantile(h, rungs[i], ms)));
    json_object_set_new(travels, "ladder", ladder);
    return travels;
}

static json_t *matches_json(const struct report *r) {
    const struct queuer_report *m = &r->matches;
    const double ms = (double)NS_PER_MS;
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "entered",
                     (json_int_t)m->entered, "matched", (json_int_t)m->matched, "timed_out", (json_int_t)m->timed_out,
                     "ended", (json_int_t)m->ended, "forgotten", (json_int_t)m->forgotten, "refused", (json_int_t)m->refused,
                     "came", (json_int_t)m->came, "absent", (json_int_t)m->absent, "played", (json_int_t)m->played,
                     "returned", (json_int_t)m->returned, "lost", (json_int_t)m->lost, "gold", (json_int_t)m->gold,
                     "wait_ms", spread(&m->wait_ns, ms), "travel_ms", travels_json(&m->travel_ns));
}

void report_print_json(const struct report *r, FILE *out) {
    const double ms = (double)NS_PER_MS;
    json_t *counts =
        json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I}", "unconnected", (int)r->unconnected, "disconnected",
                  (json_int_t)r->disconnected, "packets_refused", (json_int_t)r->packets_refused, "snapshots_refused",
                  (json_int_t)r->snapshots_refused, "messages_malformed", (json_int_t)r->messages_malformed, "unsent",
                  (json_int_t)r->unsent, "strangers", (json_int_t)r->strangers);
    json_t *object =
        json_pack("{s:i, s:i, s:I, s:o, s:o, s:{s:f, s:f}, s:f, s:f, s:o, s:I, s:o, s:f, s:f, s:f, s:I, s:I}", "clients",
                  (int)r->clients, "connected", (int)r->connected, "disconnected", (json_int_t)r->disconnected, "connect_ms",
                  spread(&r->connect_ns, ms), "rtt_ms", spread(&r->rtt_ns, ms), "snapshot_hz", "p1", r->snapshot_hz_p1,
                  "p50", r->snapshot_hz_p50, "bytes_down_per_s", r->bytes_down_per_s, "bytes_up_per_s", r->bytes_up_per_s,
                  "entities_seen", spread(&r->entities, 1), "errors", (json_int_t)errors(r), "error_counts", counts,
                  "played_s", r->played_s, "swarm_cpu_s", r->cpu_s, "swarm_us_per_pair", us_per_pair(r), "packets_up",
                  (json_int_t)r->packets_up, "packets_down", (json_int_t)r->packets_down);
    json_t *told = json_pack("{s:I, s:I, s:I, s:I, s:I}", "said", (json_int_t)r->said, "heard_own", (json_int_t)r->heard_own,
                             "messages_out_of_order", (json_int_t)r->messages_out_of_order, "zone_lost",
                             (json_int_t)r->zone_lost, "zone_back", (json_int_t)r->zone_back);
    json_object_update(object, told);
    json_object_set_new(object, "continuity", continuity_json(r));
    json_object_set_new(object, "commands", commands_json(r));
    json_object_set_new(object, "matches", matches_json(r));
    json_decref(told);
    json_dumpf(object, out, JSON_INDENT(2) | JSON_REAL_PRECISION(REAL_DIGITS));
    fputc('\n', out);
    json_decref(object);
}
