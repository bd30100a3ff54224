/* handoff_inner.h: what the parts of the handoff share. Not for others.
 *
 *   handoff.c         who is there, doubts, time; what peers say, and what is seen of it
 *   handoff_flight.c  players on their way out: their steps, and how they end
 *   handoff_source.c  how they are offered, let go of, asked for and given
 *   handoff_target.c  places that are kept, and players that are given
 *   handoff_gateway.c who attaches, leaves, or is brought by a gateway
 *   handoff_memory.c  what is remembered: visits, players that went, promises
 */
#ifndef MARCH_ZONE_HANDOFF_INNER_H
#define MARCH_ZONE_HANDOFF_INNER_H

#include "zone/handoff.h"

#define HANDOFF_NONE UINT32_MAX

_Static_assert(HANDOFF_START_PER_TICK <= WIRE_PEER_ITEMS_MAX && HANDOFF_FLIGHT_MAX <= WIRE_PEER_ITEMS_MAX &&
                   HANDOFF_ANSWERS_MAX <= WIRE_PEER_ITEMS_MAX,
               "what there is for a peer in a tick fits a batch");

/* A player on its way out. */
struct flight {
    enum handoff_step step;
    uint32_t slot; /* HANDOFF_NONE once it is frozen */
    uint32_t target, gateway;
    bool is_wanted;      /* said in this tick */
    bool is_target_dead; /* the incarnation that was to have it */
    uint64_t target_incarnation;
    uint64_t entity;
    struct mono since, due; /* due: of whatever its step waits for */
    uint32_t link_dead_ms;
    struct wire_carried carried;
};

/* What a peer is to be told. */
struct mail {
    struct wire_offer *offers;
    struct wire_offer_answer *answers;
    struct wire_query *queries, *query_answers;
    struct wire_give *gives;
    struct wire_given *given;
    uint32_t offer_count, answer_count, query_count, query_answer_count, give_count, given_count;
};

struct peer {
    uint64_t incarnation;
    bool is_up;
    struct mail mail;
};

enum gateway_state { GATEWAY_DEAD = 0, GATEWAY_LOST = 1, GATEWAY_UP = 2 };

/* A place that is kept for a player who was offered. In the order of time. */
struct reservation {
    uint64_t entity; /* 0: it came */
    struct mono until;
};

/* A promise to refuse. */
struct tomb {
    uint64_t player, session_epoch; /* player 0: free */
    uint32_t attachment;            /* up to this one */
    struct mono until;
};

/* A player that another zone has. */
struct gone {
    uint64_t player, session_epoch; /* player 0: none */
    uint32_t target;
    struct mono until;
};

/* What became of a give here: the player was here under an attachment, or that was refused. */
struct visit {
    uint64_t entity, player, session_epoch; /* entity 0: free */
    uint64_t tick;                          /* it was let go of in */
    uint32_t attachment;
    bool was_here;
    struct mono until;
};

/* A link-dead player under whose attachment another zone may have it, or of which its gateway may give out greater ones. */
struct doubt {
    uint64_t entity;  /* 0: none */
    uint32_t gateway; /* that may, HANDOFF_GATEWAY_NONE: none */
};

struct handoff {
    struct handoff_config config;
    struct flight flights[HANDOFF_FLIGHT_MAX]; /* the first `count` */
    uint64_t sessions[HANDOFF_FLIGHT_MAX];     /* of those that are frozen; each input of an unknown session is looked for */
    uint32_t count, started;                   /* started in this tick */
    struct mono now;                           /* of the newest tick */
    uint32_t *flight_of;                       /* by slot */
    struct peer *peers;
    enum gateway_state *gateways;
    struct reservation reserved[HANDOFF_RESERVED_MAX]; /* a ring */
    uint32_t reserved_first, reserved_count, reserved_open;
    struct tomb tombs[HANDOFF_TOMBS_MAX];
    uint32_t tomb_count; /* that may be in use; the next to go stands at tomb_next once they all are */
    uint32_t tomb_next;
    struct gone gone[HANDOFF_GONE_MAX]; /* a ring */
    uint32_t gone_next;
    struct visit visits[HANDOFF_VISITS_MAX]; /* a ring */
    uint32_t visit_next;
    struct doubt *doubts; /* by slot */
    uint32_t doubt_count;
    struct handoff_stats stats;
};

static inline const struct handoff_world *world_of(const struct handoff *h) {
    return &h->config.world;
}

/* The order of all simulations of a player. */
static inline bool is_newer(uint64_t epoch, uint32_t attachment, uint64_t than_epoch, uint32_t than_attachment) {
    return epoch != than_epoch ? epoch > than_epoch : attachment > than_attachment;
}

static inline bool is_frozen(const struct flight *f) {
    return f->step >= HANDOFF_FROZEN;
}

/* --- doubts */

void handoff_doubt(struct handoff *h, uint32_t slot, uint64_t entity, uint32_t gateway);

/* --- flights, by their place among all */

/* handoff_flight_move is the one place where a step changes. */
void handoff_flight_move(struct flight *f, struct mono now, enum handoff_step step, uint64_t due_ms);
void handoff_flight_drop(struct handoff *h, uint32_t i);
void handoff_flight_cancel(struct handoff *h, uint32_t i);

/* handoff_find_frozen returns the place of a session's frozen player, HANDOFF_NONE when there is none. */
uint32_t handoff_find_frozen(const struct handoff *h, uint32_t gateway, uint64_t session);

/* handoff_find_frozen_player does the same by player. Without persist a player may be here in several sessions, which are
 * not told apart by an epoch: those are of different players. */
uint32_t handoff_find_frozen_player(const struct handoff *h, uint64_t player, uint64_t epoch);

/* handoff_restore brings a frozen player back, under what is new in `as`. Returns its slot, HANDOFF_NONE when there is no
 * room. */
uint32_t handoff_restore(struct handoff *h, uint32_t i, uint32_t gateway, const struct wire_carried *as);

/* handoff_restore_link_dead brings back a player whose gateway can't tell: its attachment stays. The gateway may have given
 * out greater ones before it died, to the target and to zones after it; wherever one of them is, or was and reached persist,
 * that one is real, and this one is let go of as stale. */
void handoff_restore_link_dead(struct handoff *h, uint32_t i);

/* handoff_restore_refused brings back a player whom its target refused: who was to have it promised never to take it under
 * the attachment that was to begin. */
void handoff_restore_refused(struct handoff *h, struct mono now, uint32_t i);

/* handoff_forget ends a flight whose player another zone has. */
void handoff_forget(struct handoff *h, uint32_t i);

/* --- the source */

void handoff_tell_again(struct handoff *h, struct mono now, struct flight *f);

/* handoff_update_flight does what is due; it may end the flight. */
void handoff_update_flight(struct handoff *h, struct mono now, uint32_t i);
void handoff_take_answer(struct handoff *h, struct mono now, uint32_t peer, const struct wire_offer_answer *answer);
void handoff_take_query_answer(struct handoff *h, struct mono now, uint32_t peer, const struct wire_query *answer);
void handoff_take_given(struct handoff *h, struct mono now, uint32_t peer, const struct wire_given *given);

/* --- the target */

/* handoff_use_reservation frees the place that was kept for an entity. */
void handoff_use_reservation(struct handoff *h, uint64_t entity);
void handoff_expire_reservations(struct handoff *h, struct mono now);
void handoff_take_offer(struct handoff *h, struct mono now, uint32_t peer, const struct wire_offer *offer);
void handoff_take_query(struct handoff *h, struct mono now, uint32_t peer, const struct wire_query *query);
void handoff_take_give(struct handoff *h, struct mono now, uint32_t peer, const struct wire_give *gift);

/* --- what is remembered */

struct visit *handoff_find_visit(struct handoff *h, struct mono now, uint64_t entity);
void handoff_remember(struct handoff *h, struct mono now, const struct wire_carried *c, uint32_t attachment, bool was_here);

/* handoff_answer_again answers a give of which a visit tells, or of one after it; false: it is a new one. Without persist
 * the attachments of the next session begin anew, so there ticks tell. */
bool handoff_answer_again(const struct visit *v, const struct wire_carried *c, uint32_t *result);

/* handoff_find_gone returns where it is noted that a player went, NULL where it is not. */
struct gone *handoff_find_gone(struct handoff *h, uint64_t player);
void handoff_note_gone(struct handoff *h, const struct flight *f);
void handoff_note_here(struct handoff *h, uint64_t player);
void handoff_promise(struct handoff *h, struct mono now, const struct wire_query *query);

/* handoff_is_promised tells whether this zone has promised to refuse a player under an attachment. */
bool handoff_is_promised(const struct handoff *h, struct mono now, uint64_t player, uint64_t epoch, uint32_t attachment);

/* handoff_has_had tells whether a player was here under a greater attachment than `attachment`, or later. Of visits without
 * an epoch it can't be told. */
bool handoff_has_had(const struct handoff *h, struct mono now, uint64_t player, uint64_t epoch, uint32_t attachment);

#endif
