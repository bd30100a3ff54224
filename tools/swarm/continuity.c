/* continuity.c: see continuity.h. */
#include "tools/swarm/continuity.h"

#include <inttypes.h>

int continuity_open(struct continuity *c, struct continuity_report *report, const char *path, uint32_t every_ms,
                    struct mono now) {
    *c = (struct continuity){.report = report, .every_ms = every_ms, .next = mono_add_ms(now, every_ms)};
    if (path == NULL) return MARCH_OK;
    c->timeline = fopen(path, "we");
    return c->timeline == NULL ? MARCH_ERR_SYSTEM : MARCH_OK;
}

int continuity_close(struct continuity *c) {
    if (c->timeline == NULL) return MARCH_OK;
    bool failed = ferror(c->timeline) != 0;
    failed = fclose(c->timeline) != 0 || failed;
    c->timeline = NULL;
    return failed ? MARCH_ERR_SYSTEM : MARCH_OK;
}

static void count(struct continuity *c, struct continuity_bot *bot, uint64_t ns, const struct march_gap *gap) {
    struct continuity_report *r = c->report;
    gaps_record(&r->all, ns);
    if (gap->changed) {
        gaps_record(&r->crossings, ns);
        if ((int32_t)gap->ticks > 0 && gap->ticks > r->crossing_ticks_max) r->crossing_ticks_max = gap->ticks;
    }
    if (ns <= CONTINUITY_INTERRUPTION_MS * NS_PER_MS) return;
    r->interruptions++;
    r->clients_interrupted += bot->interruptions++ == 0;
}

void continuity_snapshot(struct continuity *c, struct continuity_bot *bot, struct mono now, const struct march_gap *gap,
                         bool plays) {
    bool is_first = bot->snapshot_at.ns == 0;
    uint64_t ns = is_first ? 0 : mono_since_ns(now, bot->snapshot_at);
    bot->snapshot_at = now;
    if (is_first) return;
    if (plays) count(c, bot, ns, gap);
    if (c->timeline == NULL) return;
    gaps_record(&c->gaps, ns);
    if (gap->changed) gaps_record(&c->crossings, ns);
    c->interruptions += ns > CONTINUITY_INTERRUPTION_MS * NS_PER_MS;
}

/* --- the timeline */

bool continuity_due(const struct continuity *c, struct mono now) {
    return c->timeline != NULL && mono_reached(now, c->next);
}

void continuity_silence(struct continuity *c, const struct continuity_bot *bot, struct mono now) {
    if (bot->snapshot_at.ns != 0) gaps_record(&c->silence, mono_since_ns(now, bot->snapshot_at));
}

static void write_gaps(FILE *out, const char *name, const struct gaps *gaps) {
    const double ms = (double)NS_PER_MS;
    fprintf(out, ",\"%s\":{\"count\":%" PRIu64 ",\"p50\":%.2f,\"p99\":%.2f,\"max\":%.2f}", name, gaps->count,
            (double)gaps_quantile(gaps, 0.5) / ms, (double)gaps_quantile(gaps, 0.99) / ms, (double)gaps->max_ns / ms);
}

void continuity_write(struct continuity *c, struct mono now, const struct continuity_line *line) {
    uint64_t wall_ms = wall_now_ns() / NS_PER_MS;
    fprintf(c->timeline, "{\"t_s\":%.3f,\"wall_ms\":%" PRIu64 ",\"playing\":%" PRIu32, line->t_s, wall_ms, line->playing);
    write_gaps(c->timeline, "gap_ms", &c->gaps);
    write_gaps(c->timeline, "crossing_ms", &c->crossings);
    write_gaps(c->timeline, "silence_ms", &c->silence);
    fprintf(c->timeline,
            ",\"interruptions\":%" PRIu64 ",\"disconnected\":%" PRIu64 ",\"reconnects\":%" PRIu64 ",\"resumed\":%" PRIu64
            ",\"moves\":%" PRIu64 "}\n",
            c->interruptions, line->disconnected, line->reconnects, line->resumed, line->moves);
    fflush(c->timeline);
    gaps_reset(&c->gaps);
    gaps_reset(&c->crossings);
    gaps_reset(&c->silence);
    c->interruptions = 0;
    c->next = mono_add_ms(c->next, c->every_ms);
    if (mono_reached(now, c->next)) c->next = mono_add_ms(now, c->every_ms);
}
