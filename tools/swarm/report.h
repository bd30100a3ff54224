/* report.h: the figures of a swarm, and how they are told.
 *
 * Figures of play are over the time from the moment when every client had connected or failed to the end; clients that were
 * dropped meanwhile count as disconnected and in nothing else.
 */
#ifndef MARCH_SWARM_REPORT_H
#define MARCH_SWARM_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/histogram.h"

#define REPORT_MILLI 1000 /* snapshot rates and byte rates are recorded in thousandths */

struct report {
    uint32_t clients;
    uint32_t connected;    /* reached the world at least once */
    uint32_t unconnected;  /* never did */
    uint64_t disconnected; /* times a client was dropped */
    uint64_t refused;      /* datagrams and snapshots that clients could not use */
    uint64_t unsent;       /* datagrams that the kernel refused */
    uint64_t strangers;    /* datagrams from elsewhere than the server */
    double played_s;       /* what rates are over */
    double cpu_s;          /* of this process in that time */
    uint64_t packets_up, packets_down;
    struct histogram connect_ns, rtt_ns, entities, snapshot_mhz, down_mbytes_per_s, up_mbytes_per_s;
};

/* report_clean tells whether every client connected and none was dropped. */
bool report_clean(const struct report *r);

void report_print(const struct report *r, FILE *out);
void report_print_json(const struct report *r, FILE *out);

#endif
