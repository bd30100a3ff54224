/* telemetry.h: what a zone tells of itself: metrics, and /status as JSON.
 *
 * The tick thread records and mirrors; the HTTP thread reads atomics. Figures that the simulation counts itself are mirrored
 * every TELEMETRY_EVERY_TICKS.
 */
#ifndef MARCH_ZONE_TELEMETRY_H
#define MARCH_ZONE_TELEMETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/metrics.h"
#include "zone/crossing.h"
#include "zone/edge.h"
#include "zone/neighbours.h"
#include "zone/overload.h"
#include "zone/pacer.h"
#include "zone/reporter.h"
#include "zone/sim.h"
#include "zone/static_world.h"

#define TELEMETRY_EVERY_TICKS 15

/* The parts of a tick that are timed: what the shell does around the phases of the simulation. */
enum telemetry_phase {
    TELEMETRY_RECEIVE = 0,
    TELEMETRY_SIM = 1, /* SIM_PHASE_COUNT of them */
    TELEMETRY_RECORD = TELEMETRY_SIM + SIM_PHASE_COUNT,
    TELEMETRY_SEND = TELEMETRY_RECORD + 1,
    TELEMETRY_PHASE_COUNT = TELEMETRY_SEND + 1
};

/* What the shell knows, for telemetry_mirror. */
struct telemetry_source {
    struct sim *sim;
    const struct edges *edges;
    const struct reporter *reporter;
    const struct neighbours *neighbours; /* or NULL, as the next */
    const struct crossing *crossing;
    const struct static_world *statics;
    const struct pacer *pacer;
    const struct overload *overload;
    bool recording;
};

struct telemetry;

/* telemetry_create registers all metrics of the zone called `name`; NULL when there is no memory. */
struct telemetry *telemetry_create(const char *name);
void telemetry_destroy(struct telemetry *telemetry);

/* telemetry_set_map names the map that the zone runs, before HTTP is open. */
void telemetry_set_map(struct telemetry *telemetry, const struct map_header *map);

const struct metrics *telemetry_metrics(const struct telemetry *telemetry);

/* telemetry_woke records how late the thread woke for a tick. */
void telemetry_woke(struct telemetry *telemetry, uint64_t late_ns);
void telemetry_phase(struct telemetry *telemetry, enum telemetry_phase phase, uint64_t ns);
void telemetry_tick(struct telemetry *telemetry, uint64_t ns);
void telemetry_mirror(struct telemetry *telemetry, const struct telemetry_source *source);

/* telemetry_status is an http_render: the zone in JSON. The context is the telemetry. */
int telemetry_status(void *context, char *buf, size_t size);

#endif
