/* server_clock.h: what tick the server is at, estimated from pings.
 *
 * A ping comes back with the server's tick when it answered. Half the round trip later that is the tick now, up to the
 * asymmetry of the path; so of the last SERVER_CLOCK_SAMPLES pings the one with the shortest round trip is believed. The
 * estimate is fractional, and its integer part has the tick's low 32 bits.
 */
#ifndef MARCH_TOOLS_CLIENT_SERVER_CLOCK_H
#define MARCH_TOOLS_CLIENT_SERVER_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/frame.h"

#define SERVER_CLOCK_SAMPLES 8
#define SERVER_CLOCK_FAST_MS 100  /* between the first SERVER_CLOCK_SAMPLES pings */
#define SERVER_CLOCK_SLOW_MS 5000 /* between pings after that: an answer is a packet, and clocks drift a few ms a minute */
#define SERVER_CLOCK_RTT_MAX 10   /* seconds; a pong that took longer is not believed */

struct server_clock_sample {
    uint64_t rtt_ns;
    struct mono at; /* when the server answered, by our clock */
    uint32_t tick;
    double fraction;
};

struct server_clock {
    uint32_t tick_hz;
    struct mono ping_due;
    uint32_t pings;
    uint32_t pongs;
    uint64_t rtt_ns; /* smoothed; 0: none yet */
    uint32_t best;   /* of the samples */
    struct server_clock_sample samples[SERVER_CLOCK_SAMPLES];
};

void server_clock_init(struct server_clock *clock, uint32_t tick_hz);

/* server_clock_ping tells whether a ping is due, and what its time stamp is. The ping must then be sent. */
bool server_clock_ping(struct server_clock *clock, struct mono now, uint32_t *client_us);

/* server_clock_pong takes an answer. Returns 0, or MARCH_ERR_INVALID when it can't be to one of our pings. */
must_check int server_clock_pong(struct server_clock *clock, struct mono now, const struct frame_pong *pong);

/* server_clock_tick returns the server's tick at `now`, with its fraction; 0 before the first pong. */
double server_clock_tick(const struct server_clock *clock, struct mono now);

#endif
