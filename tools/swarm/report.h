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
#include "tools/client/marchland.h"
#include "tools/swarm/continuity.h"
#include "tools/swarm/queuer.h"

struct report {
    uint32_t clients;
    uint32_t connected;         /* reached the world at least once */
    uint32_t unconnected;       /* never did */
    uint64_t disconnected;      /* times a client was dropped */
    uint64_t packets_refused;   /* datagrams that clients could not use, while they played */
    uint64_t snapshots_refused; /* snapshots that could not be decoded */
    uint64_t messages_malformed;
    uint64_t said, heard_own;       /* lines said, and lines of their own that the clients heard */
    uint64_t messages_out_of_order; /* of these: twice, overtaken, or with one missing before */
    uint64_t zone_lost, zone_back;  /* times that clients were told so */
    uint64_t unsent;                /* datagrams that the kernel refused */
    uint64_t strangers;             /* datagrams from elsewhere than the server */
    double played_s;                /* what rates are over */
    double cpu_s;                   /* of this process in that time */
    uint64_t packets_up, packets_down;
    double snapshot_hz_p1, snapshot_hz_p50;
    double bytes_up_per_s, bytes_down_per_s; /* of a client, on average */
    struct histogram connect_ns, rtt_ns, entities;
    uint64_t reconnects;          /* of clients that are allowed to come back */
    uint64_t resumed;             /* of these, back in the same entity */
    uint64_t moves, moves_failed; /* to another gateway, as a gateway asked for */
    uint64_t moved_to_another;    /* of the moves, those that ended in another entity */
    uint64_t blinks;              /* entities gone when a view changed, and back within a second */
    struct continuity_report continuity;
    uint64_t commands;                             /* with a definite answer */
    uint64_t commands_unknown;                     /* given up */
    uint64_t command_repeats;                      /* sendings but the first of each */
    uint64_t statuses[MARCH_STATUS_COUNT];         /* of definite answers */
    uint64_t unavailable;                          /* answers that asked for a repeat */
    struct histogram command_ns[MARCH_VERB_COUNT]; /* from the first sending to the definite answer */
    uint64_t items, gold;                          /* what the clients had in the end */
    struct queuer_report matches;                  /* of those who asked for any */
    uint64_t levels;                               /* times that a client rose or was told its level */
};

/* report_clean tells whether every client connected, none was dropped or lost, and messages came in order. */
bool report_clean(const struct report *r);

void report_print(const struct report *r, FILE *out);
void report_print_json(const struct report *r, FILE *out);

#endif
