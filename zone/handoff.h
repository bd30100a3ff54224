/* handoff.h: players on their way from zone to zone: the source's and the target's part, without sim, sockets or clock.
 *
 *   source  HERE ──offer──► OFFERED ──accepted──► ACCEPTED ──end of the tick──► FROZEN ──done──► gone
 *             ▲                │                     │                             │
 *             │◄── RESTING ◄───┘ refused, silent     │ went back, somebody away    ├──restored, attached anew──► HERE
 *             └──────────────────────────────────────┘                             ├──taken over──► link-dead
 *                                                                its gateway dies ─┴─► ASKED ──yes──► gone
 *                                                                                        └──no, or target dead──► link-dead
 *   target  offer ──► reserved ──activate──► HERE
 *
 * A link-dead player goes the same way without a gateway:
 *
 *   source  HERE ──► OFFERED ──► ACCEPTED ──end of the tick──► GIVEN ──taken──► gone
 *                                                               ├──refused──► HERE, link-dead as before
 *                                                               ├──target dead──► HERE, in doubt
 *                                                               └──silent for HANDOFF_GIVE_MS──► ASKED
 *   target  offer ──► reserved ──give──► HERE
 *
 * The gateway's route alone decides who simulates a player, so a zone does only when that player's gateway said so, under
 * the greatest (session epoch, attachment) there is. What a frozen player is stays with the source until it knows the end.
 * Where the gateway can't tell any more, the target is asked: it has the player, or promises (a tomb) to refuse it.
 *
 * Who has just gone to another zone, and attaches here under a newer session, is sent on to that: whoever told its gateway
 * where it is did not know yet.
 *
 * Repeats are harmless: a gateway that is back is told of all frozen players again, one that is silent every
 * HANDOFF_AGAIN_MS; an activate of what was activated is answered again; questions are asked until they are answered.
 *
 * A give is repeated until it is answered. Both zones remember it (a visit), so one that comes again is answered again, also
 * where the player has gone on, and a refusal holds. The attachment that begins is given out by the zone, which it may only
 * where no gateway can: a link-dead player is in doubt, and stays until a newer session takes it on or it has been link-dead
 * for limits.link_dead_s, where its gateway is merely away, or where another zone may have it under a greater attachment:
 * where the gateway died, or the session was taken over, while it was between two. A
 * newer session that attaches at the source takes the player back, for the greater epoch ends the other one wherever it is.
 *
 * Limits: HANDOFF_FLIGHT_MAX players on their way out, HANDOFF_START_PER_TICK offered in a tick, and as many given to a
 * zone, HANDOFF_RESERVED_MAX places kept for those who come, HANDOFF_TOMBS_MAX promises and HANDOFF_VISITS_MAX visits (the
 * oldest goes; they last HANDOFF_TOMB_MS), HANDOFF_GONE_MAX players that went (the same, HANDOFF_GONE_MS). What is past them
 * waits, is refused as FULL, or is counted. Nothing allocates after create.
 */
#ifndef MARCH_ZONE_HANDOFF_H
#define MARCH_ZONE_HANDOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/error.h"
#include "schemas/wire.h"

#define HANDOFF_FLIGHT_MAX     512
#define HANDOFF_START_PER_TICK 64
#define HANDOFF_RESERVED_MAX   1024
#define HANDOFF_TOMBS_MAX      1024
#define HANDOFF_GONE_MAX       1024
#define HANDOFF_VISITS_MAX     1024
#define HANDOFF_ANSWERS_MAX    1024 /* to one peer in a tick: as WIRE_PEER_ITEMS_MAX */
#define HANDOFF_GATEWAY_NONE   UINT32_MAX

#define HANDOFF_OFFER_MS    500  /* without an answer an offer is void, */
#define HANDOFF_SILENT_MS   250  /* and made again after this */
#define HANDOFF_REFUSED_MS  1000 /* the same after a refusal */
#define HANDOFF_RESERVED_MS 2000
#define HANDOFF_AGAIN_MS    500 /* a gateway that does not answer is told again */
#define HANDOFF_ASK_MS      250
#define HANDOFF_GIVE_MS     20000 /* then the target is asked: what it remembers of a give is there for much longer */
#define HANDOFF_TOMB_MS     60000
#define HANDOFF_GONE_MS     5000 /* reports to persist are a second old at most */

enum handoff_step {
    HANDOFF_RESTING = 1, /* still here: not offered again before its time */
    HANDOFF_OFFERED = 2,
    HANDOFF_ACCEPTED = 3, /* leaves at the end of the tick */
    HANDOFF_FROZEN = 4,
    HANDOFF_ASKED = 5, /* frozen, its gateway is dead: the target is asked */
    HANDOFF_GIVEN = 6, /* frozen, link-dead: sent to the target */
    HANDOFF_STEP_COUNT = 7
};

/* A player that is simulated here. */
struct handoff_player {
    uint64_t session, player, session_epoch, entity;
    uint32_t slot;    /* of the world's players; it keeps it for as long as it is here */
    uint32_t gateway; /* HANDOFF_GATEWAY_NONE: link-dead */
    uint32_t attachment;
    uint32_t link_dead_ms; /* for how long it has been */
};

/* The world in which the players are, and the ways to gateways. */
struct handoff_world {
    void *context;

    /* who is here */
    bool (*by_session)(void *context, uint32_t gateway, uint64_t session, struct handoff_player *out);
    bool (*by_player)(void *context, uint64_t player, struct handoff_player *out);
    bool (*by_slot)(void *context, uint32_t slot, struct handoff_player *out);

    uint32_t (*room)(void *context); /* for so many players more, those that are frozen counted as if they were here */
    bool (*is_mine)(void *context, const struct wire_offer *offer); /* as far as is known: its place belongs to this zone */

    /* closing: it was accepted, and leaves at the end of the tick. freeze takes it out and writes it down; attachment,
     * session, player and epoch are filled in by it, too. import brings one in, under the gateway's session or link-dead,
     * and stores its slot; MARCH_ERR_FULL. link_dead says for how long one that was brought in has been so. let_go drops an
     * older session's player, silently. ended: a frozen player's session is over. */
    void (*closing)(void *context, uint32_t slot);
    void (*freeze)(void *context, uint32_t slot, uint32_t target, struct wire_carried *out);
    int (*import)(void *context, uint32_t gateway, const struct wire_carried *carried, bool is_return, uint32_t *slot);
    void (*link_dead)(void *context, uint32_t slot, uint32_t ms);
    void (*let_go)(void *context, uint32_t slot);
    void (*ended)(void *context, const struct wire_carried *carried);
    void (*gone)(void *context, const struct wire_carried *carried); /* frozen, and another zone has it */

    /* to gateways; reroute returns false where there is no room in this tick */
    bool (*reroute)(void *context, uint32_t gateway, const struct wire_carried *carried);
    void (*activated)(void *context, uint32_t gateway, const struct wire_activated *activated);
    void (*forgotten)(void *context, uint32_t gateway, const struct wire_routed *routed);
};

struct handoff_config {
    uint32_t slots_max; /* of the world's players */
    uint32_t peers_max, gateways_max;
    struct handoff_world world;
};

struct handoff_stats {
    uint64_t offered, accepted, frozen, done;
    uint64_t refused, silent; /* offers */
    uint64_t cancelled;       /* it went back, left, or one of those who are needed was away */
    uint64_t restored;        /* by the gateway, or by an attach */
    uint64_t asked, asked_yes, asked_no;
    uint64_t gives, given, give_refused; /* told, and players: that other zones took, and did not */
    uint64_t gives_taken, gives_again, gives_refused;
    uint64_t link_dead; /* frozen players that go on here without a gateway */
    uint64_t ended;     /* frozen players whose session ended */
    uint64_t flights_full;
    uint64_t offers_taken, offers_refused, reservations_expired;
    uint64_t arrived, arrived_again, arrived_full, arrived_refused;
    uint64_t tombs, tombs_lost, visits_lost;
    uint64_t sent_on;      /* attaches, to where their player is now */
    uint64_t answers_lost; /* no room for them: whoever asked asks again */
    uint64_t lost;         /* players that found no room where they had been: must stay 0 */
};

struct handoff;

/* handoff_create returns NULL without memory. The world outlives it. */
struct handoff *handoff_create(const struct handoff_config *config);
void handoff_destroy(struct handoff *handoff);

/* --- who is there. A dead one is one that the directory does not list any more, or whose slot another has taken. */

void handoff_peer_up(struct handoff *handoff, uint32_t peer, uint64_t incarnation);
void handoff_peer_lost(struct handoff *handoff, uint32_t peer);
void handoff_peer_dead(struct handoff *handoff, uint32_t peer, uint64_t incarnation);

void handoff_gateway_up(struct handoff *handoff, struct mono now, uint32_t gateway);
void handoff_gateway_lost(struct handoff *handoff, uint32_t gateway);
void handoff_gateway_dead(struct handoff *handoff, struct mono now, uint32_t gateway);

/* handoff_gateway_away, before the players of a gateway that has been away for long become link-dead, says that it may come
 * back and give out attachments of theirs; handoff_gateway_replaced that it won't, as there is another in its place. */
void handoff_gateway_away(struct handoff *handoff, uint32_t gateway);
void handoff_gateway_replaced(struct handoff *handoff, uint32_t gateway);

/* --- each tick, in this order, after movement and combat */

/* handoff_update is for time-outs. */
void handoff_update(struct handoff *handoff, struct mono now);

/* handoff_want says of a player that its place belongs to another zone: in each tick in which it does. */
void handoff_want(struct handoff *handoff, struct mono now, const struct handoff_player *player, uint32_t target);

/* handoff_freeze lets go of those that were accepted. After the tick's snapshots. */
void handoff_freeze(struct handoff *handoff, struct mono now);

/* handoff_fill adds what a peer is to be told: offers, answers, questions and gives. The arrays are valid until
 * handoff_sent, which forgets them: what did not go is made up for by time-outs. */
void handoff_fill(struct handoff *handoff, uint32_t peer, struct wire_peer_batch *batch);
void handoff_sent(struct handoff *handoff, uint32_t peer);

/* handoff_left says that the world has dropped the player of a slot. Where that is not said, a time-out or the next player
 * of the slot makes it known. */
void handoff_left(struct handoff *handoff, uint32_t slot);

/* --- what peers say */

void handoff_take(struct handoff *handoff, struct mono now, uint32_t peer, const struct wire_peer_batch *batch);

/* --- what gateways say */

enum handoff_attach {
    HANDOFF_ATTACH_UNKNOWN = 0,   /* nothing here knows of it: it is for the caller */
    HANDOFF_ATTACH_RESTORED = 1,  /* it was frozen, and goes on under this attachment */
    HANDOFF_ATTACH_STALE = 2,     /* it is to be refused */
    HANDOFF_ATTACH_ELSEWHERE = 3, /* it is to be sent to another zone */
    HANDOFF_ATTACH_LATER = 4 /* it is to be asked again: without an epoch nobody can tell yet which zone has the player */
};

/* handoff_attach stores the slot of the zone that it is to be sent to. */
enum handoff_attach handoff_attach(struct handoff *handoff, struct mono now, uint32_t gateway,
                                   const struct wire_attach *attach, uint32_t *elsewhere);

/* handoff_detach ends the session of a player that is frozen, or has it go on here link-dead where a newer session has taken
 * it over; false where there is none. */
bool handoff_detach(struct handoff *handoff, uint32_t gateway, uint64_t session, enum wire_detach_reason reason);

void handoff_activate(struct handoff *handoff, struct mono now, uint32_t gateway, const struct wire_carried *carried);
void handoff_routed(struct handoff *handoff, uint32_t gateway, const struct wire_routed *routed);

/* --- looking in */

/* handoff_has tells whether a session's player is frozen here. */
bool handoff_has(const struct handoff *handoff, uint32_t gateway, uint64_t session);

/* handoff_nth returns the n-th player on its way out, n below handoff_count. */
struct handoff_view {
    enum handoff_step step;
    uint32_t target;
    struct mono since;                  /* when this step began */
    const struct wire_carried *carried; /* of a frozen one; else NULL */
};
uint32_t handoff_count(const struct handoff *handoff);
struct handoff_view handoff_nth(const struct handoff *handoff, uint32_t n);

/* handoff_doubts counts the link-dead players that are not handed over. */
uint32_t handoff_doubts(const struct handoff *handoff);

const struct handoff_stats *handoff_stats(const struct handoff *handoff);
const char *handoff_step_name(enum handoff_step step);

#endif
