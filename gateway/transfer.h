/* transfer.h: the gateway's part in handing players from zone to zone: which of them has a player is what the gateway says.
 *
 *   (none) ──reroute: target told to activate──► MOVING ──activated: source told DONE──► DONE ──forgotten──► (none)
 *     │                                             │
 *     │                     refused, or target dead ├──► RESTORED ──told──► (none)
 *     │                             source away too └──► WAITING
 *     └──reroute, and the target can't be told: the source is told RESTORED at once
 *
 * A zone lets go of a player by a reroute that carries its whole state. From then on the session's route is the target,
 * under a new attachment (wire.h), and the session MOVING (session.h). Of all simulations of a player only that of the
 * greatest attachment is real, so whatever is late or repeated is known by its number:
 *
 *   - a reroute of an attachment that has passed is answered DONE, again and again: the source may have missed it;
 *   - one that is under way is not answered, since the answer will come;
 *   - one from the zone that the session is moving to, of the newest attachment: it was activated, and the answer is lost;
 *     that transfer ends first;
 *   - one of a session that is gone: its zone is told to detach it.
 *
 * Connections. A target is told once in a connection, or it might answer twice and differently. One that is lost is told
 * again when it is back under the same incarnation, and is dead under another, or when the directory says so. A source that
 * is lost is owed nothing: it asks again when it is back. RESTORED goes only to the incarnation that let go. While that is
 * lost the session waits for it, to be attached anew, and it still has the state; once it is dead the session waits for
 * whoever has the place now, and persist knows the state. A session that ends while it moves is detached from the target;
 * the source is told DONE once that has it, and detached as well where it has not: where nobody can tell, for good.
 *
 * A session that has an entry here keeps the client's messages back, so that they reach the target behind those that the
 * source returned; the wait for `forgotten` ends after TRANSFER_FORGET_MS. Messages of a player that crosses two borders
 * faster than a zone forgets may change places.
 *
 * Limits. At most TRANSFER_MAX entries; a reroute beyond is restored. What a zone's batch has no room for is tried again by
 * transfer_update. A reroute that can be neither is dropped and counted: nothing has changed, and its zone asks again.
 *
 * No sockets and no clock. The handlers may end the session they are given, not others.
 */
#ifndef MARCH_GATEWAY_TRANSFER_H
#define MARCH_GATEWAY_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/error.h"
#include "common/histogram.h"
#include "gateway/index_pool.h"
#include "gateway/session.h"
#include "schemas/wire.h"

#define TRANSFER_MAX       4096 /* a zone of 2,000 players drained, and as many on their way elsewhere */
#define TRANSFER_LOOK_MS   100  /* between two looks at what takes too long */
#define TRANSFER_FORGET_MS 1000 /* without `forgotten` a source has nothing to return */

_Static_assert(TRANSFER_MAX <= UINT16_MAX, "numbered from 1 in a session");

enum transfer_state { TRANSFER_FREE = 0, TRANSFER_MOVING, TRANSFER_DONE, TRANSFER_RESTORED, TRANSFER_STATE_COUNT };

struct transfer {
    uint64_t session;
    uint64_t source_incarnation, target_incarnation;
    uint64_t since_ns;   /* of the reroute */
    uint64_t told_ns;    /* when the batch of the zone that is to be told last had room; 0: never in this state */
    uint32_t attachment; /* of the source; that of the target is the next one */
    uint8_t state;       /* enum transfer_state */
    uint8_t source, target;
    bool is_told;       /* activate, DONE or RESTORED */
    bool is_ended;      /* the session is no more */
    uint8_t end_reason; /* enum wire_detach_reason, of a session that is no more */
    bool is_source_dead;
};

struct transfer_stats {
    uint64_t started, done;
    uint64_t restored;   /* started, and back at the source */
    uint64_t lost;       /* started, and no zone has it: it waits */
    uint64_t refused;    /* not started: the target can't be told, or the table is full */
    uint64_t stale;      /* reroutes of attachments that have passed */
    uint64_t unknown;    /* reroutes and answers of sessions or attachments that are gone */
    uint64_t unanswered; /* no room for any answer */
};

/* What it asks of and tells the zones and the sessions. */
struct transfer_handlers {
    void *context;
    /* The incarnation of a zone that can be told now: UP and heard by the directory; else 0. */
    uint64_t (*incarnation)(void *context, unsigned zone);
    /* Into the zone's batch; MARCH_ERR_FULL or MARCH_ERR_NOT_FOUND: not now. A detach is kept, and read behind activates. */
    int (*activate)(void *context, unsigned zone, const struct wire_carried *carried);
    int (*routed)(void *context, unsigned zone, const struct wire_routed *routed);
    void (*detach)(void *context, unsigned zone, uint64_t session, uint32_t reason);
    /* The zone that a player whom no zone has any more is to be attached to. */
    uint8_t (*successor)(void *context, const struct wire_carried *carried);
    /* The session plays (again), or its messages are not kept back any more. */
    void (*goes_on)(void *context, struct session *session);
    /* The session is WAITING. */
    void (*waits)(void *context, struct session *session);
};

struct transfer_table {
    struct session_table *sessions;
    struct transfer_handlers handlers;
    struct index_pool pool;
    struct transfer entries[TRANSFER_MAX];
    struct wire_carried carried[TRANSFER_MAX];
    bool is_owing; /* an entry is not told yet */
    struct mono look_at;
    struct transfer_stats stats;
    struct histogram *latency; /* from reroute to activated; may be NULL */
};

/* transfer_init empties a table over sessions that outlive it. MARCH_ERR_SYSTEM without memory. */
must_check int transfer_init(struct transfer_table *table, struct session_table *sessions,
                             const struct transfer_handlers *handlers);
void transfer_deinit(struct transfer_table *table);

/* What zones say. `zone` may be heard. */
void transfer_reroute(struct transfer_table *table, unsigned zone, const struct wire_carried *carried, struct mono now);
void transfer_activated(struct transfer_table *table, unsigned zone, const struct wire_activated *activated,
                        struct mono now);
void transfer_forgotten(struct transfer_table *table, unsigned zone, const struct wire_routed *forgotten);

/* What becomes of zones: a connection began, under an incarnation; it ended; of all its incarnations only `alive` is not
 * dead, which is 0 for none. */
void transfer_zone_up(struct transfer_table *table, unsigned zone, uint64_t incarnation, struct mono now);
void transfer_zone_lost(struct transfer_table *table, unsigned zone);
void transfer_zone_dead(struct transfer_table *table, unsigned zone, uint64_t alive, struct mono now);

/* transfer_session_ended: the session is about to be closed, from state ATTACHING on or with an entry. Returns the zone that
 * is to be told to detach it, for this reason. */
uint8_t transfer_session_ended(struct transfer_table *table, struct session *session, enum wire_detach_reason reason);

/* transfer_update tells what there was no room for, and looks at what takes too long: each turn. */
void transfer_update(struct transfer_table *table, struct mono now);

/* transfer_takes_input tells whether inputs of a session would find the player: not before the target has been told. */
bool transfer_takes_input(const struct transfer_table *table, const struct session *session);

static inline uint32_t transfer_count(const struct transfer_table *table) {
    return index_pool_used(&table->pool);
}

#endif
