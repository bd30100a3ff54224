/* figures.c: see figures.h. */
#include "tools/zonectl/figures.h"

#include <math.h>
#include <stddef.h>

void figures_none(struct figures *out) {
    *out = (struct figures){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
}

/* sum2 adds two figures of which either may be unknown. */
static double sum2(double a, double b) {
    if (isnan(a)) return b;
    return isnan(b) ? a : a + b;
}

/* What each process counts when something is lost. */
static const char *const DROPS[] = {"march_gateway_drops_total",          "march_gateway_kernel_drops_total",
                                    "march_gateway_sends_full_total",     "march_gateway_sends_refused_total",
                                    "march_gateway_inputs_dropped_total", "march_zone_ticks_missed_total",
                                    "march_zone_snapshots_no_room_total", "march_zone_output_dropped_total",
                                    "march_zone_batches_refused_total",   "march_zone_bus_messages_bad_total"};

static double drops(const char *text) {
    double sum = NAN;
    for (size_t i = 0; i < sizeof(DROPS) / sizeof(DROPS[0]); i++) sum = sum2(sum, prom_sum(text, DROPS[i], NULL));
    /* What strangers send is no loss; nor are the repeated goodbyes of clients, which come from strangers after the first.
     */
    double strangers = prom_sum(text, "march_gateway_drops_total", "reason=\"unknown_addr\"");
    return isnan(strangers) ? sum : sum - strangers;
}

static double rate(double now, double before, double elapsed_s) {
    return now >= before && elapsed_s > 0 ? (now - before) / elapsed_s : NAN;
}

void figures_read(struct figures *out, struct figures_past *past, const char *text, struct mono now) {
    out->players = prom_sum(text, "march_zone_players", NULL);
    out->entities = prom_sum(text, "march_zone_entities", NULL);
    out->sessions = prom_sum(text, "march_gateway_sessions", NULL);
    out->drops = drops(text);
    out->resident_bytes = prom_sum(text, "process_resident_memory_bytes", NULL);
    double down_bytes = prom_sum(text, "march_gateway_out_bytes_total", NULL);
    double up_bytes = prom_sum(text, "march_gateway_in_bytes_total", NULL);
    double commands = prom_sum(text, "march_persist_clients_commands_total", NULL);
    out->queued =
        sum2(prom_sum(text, "march_persist_value_queued", NULL), prom_sum(text, "march_persist_value_queued_guild", NULL));
    out->journal_fill = prom_sum(text, "march_persist_journal_fill_permille", NULL) / 1000;
    double cpu_s = prom_sum(text, "process_cpu_seconds_total", NULL);
    struct prom_histogram tick;
    prom_histogram_read(&tick, text, "march_zone_tick_seconds");
    out->tick_p99_s = prom_histogram_quantile(&tick, past->known ? &past->tick : NULL, 0.99);
    double elapsed_s = past->known ? (double)mono_since_ns(now, past->at) / (double)NS_PER_S : 0;
    out->down_bytes_per_s = rate(down_bytes, past->down_bytes, elapsed_s);
    out->up_bytes_per_s = rate(up_bytes, past->up_bytes, elapsed_s);
    out->commands_per_s = rate(commands, past->commands, elapsed_s);
    out->cpu = rate(cpu_s, past->cpu_s, elapsed_s);
    past->known = true;
    past->at = now;
    past->down_bytes = down_bytes;
    past->up_bytes = up_bytes;
    past->commands = commands;
    past->cpu_s = cpu_s;
    past->tick = tick;
}
