/* swarm.h: many clients that play, in one thread.
 *
 *     ramp ──every client has connected or failed──► play ──duration or signal, and all lines heard──► leave ──► over
 *
 * Clients connect at `ramp_per_s` a second. Then each is looked at when its next input is due, from a timing wheel;
 * datagrams come and go in batches once a millisecond. With no duration (0) clients that could not connect or were dropped
 * connect again with a new token after SWARM_RETRY_MS; with one they stay away and make the run a failure, unless they may
 * reconnect: then they come back through any gateway, and it counts whether they are in the entity that they were in. A
 * client that its gateway asks to go to another one does so by itself. Clients that deal in things of value (dealer.h) ask
 * for no more when play ends, and stay until all is answered. Those that ask for matches (queuer.h) just leave.
 */
#ifndef MARCH_SWARM_SWARM_H
#define MARCH_SWARM_SWARM_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/access.h"
#include "common/error.h"
#include "tools/swarm/behaviour.h"
#include "tools/swarm/report.h"
#include "tools/swarm/udp_pool.h"

#define SWARM_RETRY_MS        1000
#define SWARM_CONNECTING_MS   10    /* between looks at a client that connects */
#define SWARM_GOODBYE_MS      200   /* to say goodbye */
#define SWARM_LISTEN_MS       10000 /* that play may go on in silence until all that was said is heard */
#define SWARM_RESPAWN_MS      2000  /* after a death */
#define SWARM_PLACE_MS        500   /* between two lines of a ledger that tell where a bot is */
#define SWARM_SETTLE_MS       60000 /* the same until every command has its answer */
#define SWARM_BUSY_PER_S      4000  /* inputs a second from which on it wakes by the clock, not for each datagram */
#define SWARM_PROGRESS_S      1
#define SWARM_PROGRESS_LONG_S 10 /* without a duration: into a log */

struct swarm_options {
    struct access access;
    const char *run_dir; /* read again before clients reconnect; NULL: access stands */
    uint32_t clients;
    uint32_t duration_s; /* of play; 0: until a signal */
    uint32_t rate_hz;
    uint32_t say_hz; /* lines a second from each client; 0: silence */
    uint32_t ramp_per_s;
    uint32_t sockets;
    uint8_t family;     /* of the servers used */
    struct addr server; /* datagrams go here, whatever the tokens say; ADDR_NONE: to the tokens' servers */
    enum behaviour behaviour;
    struct borders borders;    /* that commuters walk across; none: between far places */
    bool is_close;             /* they turn close behind those */
    uint32_t crossings;        /* play ends when so many borders have been crossed; 0: that ends nothing */
    const char *timeline_path; /* see continuity.h; NULL: none */
    uint32_t timeline_ms;
    uint64_t seed;
    uint64_t player_base; /* player numbers are base + 1 to base + clients */
    uint32_t address_base;
    bool reconnects;            /* clients that are dropped come back, at any gateway, also with a duration */
    char mode[MARCH_NAME_SIZE]; /* that matchmakers queue for */
    uint32_t party_size;        /* of them, 1 to MARCH_PARTY_MAX */
    uint32_t latency_count;     /* that they tell; names of regions are the caller's */
    struct march_latency latencies[MARCH_LATENCIES_MAX];
    uint32_t pace_ms;                  /* between an answer and the next command of a client, on average */
    const char *ledger_path;           /* see ledger_file.h; NULL: none */
    const volatile sig_atomic_t *stop; /* non-zero ends it */
};

/* swarm_run plays and fills the report. MARCH_ERR_SYSTEM when sockets or memory can't be had, with `error` told. */
must_check int swarm_run(const struct swarm_options *options, struct report *report, char *error, size_t error_size);

#endif
