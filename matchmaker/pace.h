/* pace.h: how often one player may do a thing: PACE_BURST times at once, then once in PACE_MS.
 *
 * One time a player, the generic cell rate algorithm (ITU-T I.371), in a table of fixed size without chains: a player whose
 * place another one takes has a fresh start. So it is exact for a player who asks more often than others of his place, which
 * is whom it is for.
 */
#ifndef MARCH_MATCHMAKER_PACE_H
#define MARCH_MATCHMAKER_PACE_H

#include <stdint.h>

#include "common/clock.h"

#define PACE_BURST  10
#define PACE_MS     1000
#define PACE_PLACES 4096

struct pace {
    struct {
        uint64_t player;
        uint64_t free_at_ns; /* when all of the burst is there again */
    } places[PACE_PLACES];   /* zeroed at first */
};

/* pace_take returns 0, and counts it, when a player may now; else after how many seconds. */
uint32_t pace_take(struct pace *pace, uint64_t player, struct mono now);

#endif
