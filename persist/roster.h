/* roster.h: who has ever played here: rows of table `players`.
 *
 * A player who begins a session is entered, under the name "player-ID" as long as nobody gives another, or seen again.
 * Gathered and written together every ROSTER_FLUSH_MS; what could not be written is tried again.
 *
 * Limits: ROSTER_PENDING_MAX players wait; past that those who come are not noted, and counted: the next session does it.
 */
#ifndef MARCH_PERSIST_ROSTER_H
#define MARCH_PERSIST_ROSTER_H

#include <stdint.h>

#define ROSTER_FLUSH_MS    500
#define ROSTER_PENDING_MAX 16384
#define ROSTER_BATCH       1024
#define ROSTER_NAME_SIZE   32

struct ev_loop;
struct pg;
struct roster;

struct roster_stats {
    uint64_t seen;
    uint64_t written;
    uint64_t failures; /* batches */
    uint64_t dropped;
    uint32_t pending;
};

/* roster_create: `fence` is the shard's epoch. NULL when memory is short. roster_destroy: after the pool. */
struct roster *roster_create(struct ev_loop *loop, struct pg *pg, int64_t fence);
void roster_destroy(struct roster *roster);

/* roster_seen notes that a player has begun a session in a region. */
void roster_seen(struct roster *roster, uint64_t player, const char *region);

/* roster_name writes the name that a player has who was never given another. */
void roster_name(uint64_t player, char name[ROSTER_NAME_SIZE]);

struct roster_stats roster_stats(const struct roster *roster);

#endif
