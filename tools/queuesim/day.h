/* day.h: a day of players who want a match: when each ticket comes, who is in it, and how far they are from the regions.
 *
 * Drawn from a seed: the same seed and mode give the same day. Tickets come as a Poisson process whose rate follows the
 * evening of each region; skills are normal with the mean and deviation that ratings start with; friends are alike; of roles
 * that are rarely wanted there are few. Nobody comes twice.
 */
#ifndef MARCH_TOOLS_QUEUESIM_DAY_H
#define MARCH_TOOLS_QUEUESIM_DAY_H

#include <stdint.h>

#include "common/error.h"
#include "matchmaker/mode.h"
#include "matchmaker/queue.h"

#define DAY_MS          86400000u
#define DAY_REGIONS     3
#define DAY_TICKETS_MAX 2000000

struct day_ticket {
    uint32_t entered_ms;
    uint32_t first;                   /* its players in the day's; their ids are their indices + 1 */
    uint32_t count;                   /* of them */
    int32_t rating;                   /* as the queue rates it: midway between the mean and the best */
    uint16_t latency_ms[DAY_REGIONS]; /* of the player who is farthest away */
};

struct day {
    struct mode mode;
    struct day_ticket *tickets; /* by the time at which they come */
    struct queue_player *players;
    uint32_t *ticket_of; /* by player */
    uint32_t ticket_count, player_count;
};

/* day_init draws a day of about `tickets` tickets, at most DAY_TICKETS_MAX. MARCH_ERR_SYSTEM when memory is short. */
must_check int day_init(struct day *day, const struct mode *mode, uint32_t tickets, uint64_t seed);
void day_deinit(struct day *day);

#endif
