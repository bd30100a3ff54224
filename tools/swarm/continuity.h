/* continuity.h: how whole the world was for those who play: what crossing a border, or the end of a process, was noticed by.
 *
 * Each snapshot of each bot is told. A *gap* is the time from a bot's snapshot to its next one, whatever lay between: a
 * border, another gateway, a new connection. One of more than CONTINUITY_INTERRUPTION_MS is an interruption. A *crossing* is
 * a gap in which the view became that of another zone. Kept for a bot: when its newest snapshot came, and how often it was
 * interrupted; all else is one table for all, so its size does not depend on what happens.
 *
 * Beside the report there may be a timeline: a line of JSON each CONTINUITY_EVERY_MS or as told, with what happened in that
 * time, and with the *silence* at its end: for how long each bot has been waiting for a snapshot.
 */
#ifndef MARCH_SWARM_CONTINUITY_H
#define MARCH_SWARM_CONTINUITY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/error.h"
#include "tools/client/marchland.h"
#include "tools/swarm/gaps.h"

#define CONTINUITY_INTERRUPTION_MS 100
#define CONTINUITY_EVERY_MS        1000

/* What is kept of a bot. */
struct continuity_bot {
    struct mono snapshot_at; /* zero: none yet */
    uint32_t interruptions;
};

struct continuity_report {
    struct gaps all, crossings;
    uint64_t crossing_ticks_max; /* by the server's ticks */
    uint64_t interruptions;
    uint64_t clients_interrupted;
};

struct continuity {
    struct continuity_report *report;
    FILE *timeline; /* NULL: none */
    uint32_t every_ms;
    struct mono next;
    struct gaps gaps, crossings, silence; /* of the line that is next */
    uint64_t interruptions;
};

/* What a line of the timeline tells beside gaps; totals since the start but `playing`. */
struct continuity_line {
    double t_s; /* since the swarm began */
    uint32_t playing;
    uint64_t disconnected, reconnects, resumed, moves;
};

/* continuity_open starts to count into a report; `path` NULL: without a timeline. MARCH_ERR_SYSTEM with errno. */
must_check int continuity_open(struct continuity *c, struct continuity_report *report, const char *path, uint32_t every_ms,
                               struct mono now);

/* continuity_close ends the timeline. MARCH_ERR_SYSTEM when something of it could not be written. Twice is fine. */
must_check int continuity_close(struct continuity *c);

/* continuity_snapshot is told of a bot's snapshot; it counts for the report when play is on. */
void continuity_snapshot(struct continuity *c, struct continuity_bot *bot, struct mono now, const struct march_gap *gap,
                         bool plays);

/* continuity_due tells whether a line of the timeline is; then continuity_silence for each bot, and continuity_write. */
bool continuity_due(const struct continuity *c, struct mono now);
void continuity_silence(struct continuity *c, const struct continuity_bot *bot, struct mono now);
void continuity_write(struct continuity *c, struct mono now, const struct continuity_line *line);

#endif
