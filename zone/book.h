/* book.h: what a zone owes to persist and is owed by it, without sockets or time of its own. reporter.h sends it.
 *
 *   players   by slot of the simulation: what was last reported of each, in which report, under which session
 *   departed  last states of players that left, until durable
 *   grants    loot, until persist has answered for it
 *   pending   attaches that wait for what persist knows of the player
 *
 * A state is due when it differs from the one reported last. What was sent over a connection that ended is due again
 * (book_resend), so that nothing depends on a report having arrived.
 *
 * An attach of a player that the simulation does not have waits until persist has answered, BOOK_PENDING_MS at most, then is
 * refused with WIRE_ATTACH_UNAVAILABLE; the gateway tries again. The newest session of a player wins: a player who is here,
 * link-dead or under an older session, goes on under the newer one as it is; an attach under an older epoch than the
 * player's is refused with WIRE_ATTACH_STALE. With no shards every attach goes through at once, and only the link-dead go
 * on.
 *
 * A player who comes from another zone brings all of it along (book_arrive), and one who goes there leaves nothing behind
 * (book_depart): it has not left the world, so persist is not told that it has. If an attach of it waits meanwhile, the
 * player goes on under that as it came.
 *
 * A grant's key is `zone index << 48 | low 16 bits of the lease's epoch << 32 | count`, so no two kills share one. The epoch
 * is that under which it is first reported.
 *
 * Limits: players_max players, as many pending attaches (a full table refuses), BOOK_DEPARTED_MAX departed (the one that
 * left first is given up and counted), BOOK_GRANTS_MAX grants (the oldest is given up and counted). Nothing allocates after
 * book_create; searches by player are linear in the players of the zone.
 */
#ifndef MARCH_ZONE_BOOK_H
#define MARCH_ZONE_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "schemas/wire.h"
#include "zone/sim.h"

#define BOOK_DEPARTED_MAX 4096 /* the sessions of a full gateway, leaving while persist is away */
#define BOOK_GRANTS_MAX   4096 /* ten minutes of a busy zone's kills */
#define BOOK_PENDING_MS   10000
#define BOOK_RETRY_MS     500  /* after persist could not answer */
#define BOOK_ANSWER_MS    5000 /* a grant without an answer is sent again: answers that find no room are dropped */

struct book_stats {
    uint64_t attaches_waited;  /* that had to ask persist */
    uint64_t attaches_expired; /* refused for lack of an answer */
    uint64_t attaches_full;    /* refused for lack of room in the table */
    uint64_t attaches_stale;   /* refused: the player has a newer session */
    uint64_t sessions_ended;   /* players let go for a newer session */
    uint64_t resumed;          /* players that went on under a newer session */
    uint64_t states_reported;
    uint64_t departed_lost; /* given up: the table was full */
    uint64_t grants;
    uint64_t grants_answered;
    uint64_t grants_lost;    /* given up: the list was full */
    uint64_t grants_refused; /* by persist, for good */
    uint64_t effects;
    uint64_t answers_unknown; /* of persist, to nothing that was asked */
};

struct book;

/* book_create keeps the books of a zone for `shard_count` persists. It becomes the watcher of the sim, which outlives it.
 * NULL when there is no memory. */
struct book *book_create(struct sim *sim, uint32_t zone_index, uint32_t shard_count);
void book_destroy(struct book *book);

/* Whether a player that is not here may come in: WIRE_ATTACHED, or what it is refused with. */
typedef enum wire_attach_result (*book_gate)(void *context);

/* book_guard has each attach of a player that is not here pass a gate. */
void book_guard(struct book *book, book_gate gate, void *context);

/* --- what gateways say */

void book_attach(struct book *book, uint32_t gateway, const struct wire_attach *attach, struct mono now);

/* book_detach lets a session's player go, or, where a newer session is about to have it, makes it link-dead. */
void book_detach(struct book *book, uint32_t gateway, const struct wire_detach *detach);

/* book_orphan makes the players of a gateway that is dead link-dead; its attaches that wait are forgotten. */
void book_orphan(struct book *book, uint32_t gateway);

/* book_arrive notes a player that was imported into a slot, book_depart one that is about to be exported */
void book_arrive(struct book *book, uint32_t slot, const struct wire_carried *carried);
void book_depart(struct book *book, uint32_t slot);
uint64_t book_epoch(const struct book *book, uint32_t slot); /* of the session of the player in a slot */

/* book_ended keeps the last state of a player that was frozen when its session ended. */
void book_ended(struct book *book, const struct wire_carried *carried, const struct game_character *character);

/* book_holds tells whether an attach of this session waits for persist. */
bool book_holds(const struct book *book, uint32_t gateway, uint64_t session);

/* --- what persist is told */

/* book_is_urgent tells whether something for a shard should not wait for the next regular report. */
bool book_is_urgent(const struct book *book, uint32_t shard, struct mono now);

/* book_report fills in what is due for a shard: loads, departed players and grants, with `states` also those of players in
 * the zone. The arrays are the book's, valid until its next call. Returns whether there is anything. */
bool book_report(struct book *book, uint32_t shard, uint64_t tick, struct mono now, bool states,
                 struct wire_zone_report *report);

/* book_reported says that what book_report filled in last was sent as report `seq`. */
void book_reported(struct book *book, uint64_t seq);

/* --- what persist says */

/* book_lease is the epoch that grants of players of this shard are named by. */
void book_lease(struct book *book, uint32_t shard, uint64_t epoch);

/* book_resend makes everything due again that a shard has not answered, and every player's state. */
void book_resend(struct book *book, uint32_t shard);

/* book_take applies a report of a shard. */
void book_take(struct book *book, uint32_t shard, const struct wire_persist_report *report, struct mono now);

/* book_expire refuses attaches that have waited too long. */
void book_expire(struct book *book, struct mono now);

/* --- looking in */

const struct book_stats *book_stats(const struct book *book);
uint32_t book_pending(const struct book *book);
uint32_t book_departed(const struct book *book);
uint32_t book_grants(const struct book *book);

#endif
