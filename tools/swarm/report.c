/* report.c: see report.h. */
#include "tools/swarm/report.h"

#include <inttypes.h>

#include <jansson.h>

#include "common/clock.h"

#define REAL_DIGITS 6

bool report_clean(const struct report *r) {
    bool stayed = r->connected == r->clients && r->unconnected == 0 && r->disconnected == 0;
    return stayed && r->messages_out_of_order == 0 && r->messages_malformed == 0;
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
    fprintf(out,
            "errors       %" PRIu64 " (%" PRIu64 " refused datagrams, %" PRIu64 " refused snapshots, %" PRIu64 " unsent)\n",
            errors(r), r->packets_refused, r->snapshots_refused, r->unsent);
    fprintf(out, "swarm cpu    %.0f %% of a core, %.2f us for a packet up and one down\n",
            r->played_s > 0 ? r->cpu_s / r->played_s * 100 : 0, us_per_pair(r));
}

static json_t *spread(const struct histogram *h, double unit) {
    return json_pack("{s:f, s:f, s:f}", "p50", quantile(h, 0.5, unit), "p99", quantile(h, 0.99, unit), "max", max(h, unit));
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
    json_decref(told);
    json_dumpf(object, out, JSON_INDENT(2) | JSON_REAL_PRECISION(REAL_DIGITS));
    fputc('\n', out);
    json_decref(object);
}
