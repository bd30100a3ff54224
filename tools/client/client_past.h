/* client_past.h: what was in view when a stream of snapshots ended, until the next stream has brought it again.
 *
 * The view of another zone begins with an empty table, and fills over a few snapshots. Yet the world is one: what was seen
 * is still there. So the entities of the table are kept as they were, and each
 *
 *   goes on along its course for CLIENT_PAST_KEEP_MS, under its id;
 *   is handed on when the new stream brings its id: its last states are what the new ones are blended from;
 *   is gone when the time is up, or when the new stream has brought it and taken it away.
 *
 * One that is gone and comes back within CLIENT_PAST_BLINK_MS is counted: somebody saw it blink. When streams end in quick
 * succession what the one before still owes is kept, too. As many as the table has slots are kept; with more, those that
 * are owed for the longest give way. Pure: time is a parameter; nothing is allocated after init.
 */
#ifndef MARCH_TOOLS_CLIENT_CLIENT_PAST_H
#define MARCH_TOOLS_CLIENT_CLIENT_PAST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/snapshot.h"

#define CLIENT_PAST_KEEP_MS  500  /* a view of any size is there again after five to ten snapshots */
#define CLIENT_PAST_BLINK_MS 1000 /* after it was gone */
#define CLIENT_PAST_STATES   4 /* the view is two snapshots behind: one before the moment that is shown, and those after */
#define CLIENT_PAST_NO_SLOT  UINT16_MAX

struct client_past_entity {
    uint64_t id;
    struct mono since; /* when its stream ended, or when the new one took it away */
    uint16_t slot;     /* that has it in the new stream; CLIENT_PAST_NO_SLOT: none */
    uint8_t count;     /* of states, at least 1 */
    bool own;
    bool taken_away;
    struct net_state states[CLIENT_PAST_STATES]; /* newest first */
};

struct client_past {
    uint32_t max, count;
    uint64_t blinks;
    struct client_past_entity *entities;
};

/* client_past_init makes room for `max` entities. MARCH_ERR_SYSTEM when there is no memory. */
must_check int client_past_init(struct client_past *past, uint32_t max);
void client_past_deinit(struct client_past *past);

/* client_past_reset forgets all of it: for a new session. Blinks count on. */
void client_past_reset(struct client_past *past);

/* client_past_keep takes what is in the table, whose stream ends. */
void client_past_keep(struct client_past *past, struct mono now, const struct snapshot_table *table);

/* client_past_follow looks at what the snapshot that was applied last has brought and removed. */
void client_past_follow(struct client_past *past, struct mono now, const struct snapshot_table *table);

/* client_past_shift moves all of it by so many ticks: the new stream counts them from elsewhere. */
void client_past_shift(struct client_past *past, int32_t ticks);

/* client_past_shows tells whether an entity is to be shown, since no slot of the new stream has it. */
bool client_past_shows(const struct client_past_entity *entity, struct mono now);

/* client_past_index fills in, for each slot, the number of the entity it took over, plus 1; 0: none. */
void client_past_index(const struct client_past *past, uint16_t of_slot[SNAPSHOT_SLOTS_MAX]);

#endif
