/* figures.h: what is shown of a process, out of its metrics.
 *
 * Rates and quantiles are over the time between two readings; after the first reading the quantile is that of the process's
 * whole life and the rates are not known. What is not known is NAN.
 */
#ifndef MARCH_ZONECTL_FIGURES_H
#define MARCH_ZONECTL_FIGURES_H

#include <stdbool.h>

#include "common/clock.h"
#include "tools/zonectl/prom.h"

struct figures {
    double players;  /* simulated, of a zone */
    double entities; /* of a zone */
    double sessions; /* connected, of a gateway */
    double tick_p99_s;
    double drops;            /* packets, batches or ticks lost, since the start */
    double down_bytes_per_s; /* to clients, of a gateway */
    double up_bytes_per_s;   /* from clients */
    double commands_per_s;   /* of clients, to a persist */
    double queued;           /* commands that wait in a persist */
    double journal_fill;     /* of a persist: share of what its journal may take */
    double cpu;              /* share of a core */
    double resident_bytes;
};

/* What the next reading is compared with. Zero is "none yet". */
struct figures_past {
    bool known;
    struct mono at;
    double down_bytes, up_bytes, commands, cpu_s;
    struct prom_histogram tick;
};

/* figures_none fills in that nothing is known. */
void figures_none(struct figures *out);

/* figures_read fills `out` from metrics text, and `past` for the next time. */
void figures_read(struct figures *out, struct figures_past *past, const char *text, struct mono now);

#endif
