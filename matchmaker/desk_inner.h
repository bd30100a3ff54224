/* desk_inner.h: what the parts of the desk share. Not for others.
 *
 *   desk.c            modes, time, and what the queue tells
 *   desk_enter.c      how a ticket comes about: asked for, rated
 *   desk_tickets.c    tickets: in the queue, ended, recalled, looked at
 *   desk_parties.c    parties and invitations
 *   desk_matches.c    matches in their instances: launched, joined, left
 *   desk_held.c       tickets of matches that nobody has come to yet
 *   desk_results.c    what matches come to: ranks, ratings, settlements
 *   desk_debts.c      what players have of matches, and could not be settled yet
 *   desk_documents.c  what is kept of all that, as bytes
 *   desk_tells.c      what players are told, and when
 *
 * The queue tells its events while it must not be called: what they lead to that needs the queue is put off until its call
 * returns, by lists of tickets (enum desk_list_kind) and flags.
 */
#ifndef MARCH_MATCHMAKER_DESK_INNER_H
#define MARCH_MATCHMAKER_DESK_INNER_H

#include "common/pool.h"
#include "common/ring.h"
#include "matchmaker/desk.h"
#include "matchmaker/player_map.h"
#include "matchmaker/rating_cache.h"
#include "matchmaker/timer_wheel.h"

#define DESK_NONE         UINT32_MAX
#define DESK_CONFIRM_MS   3000         /* a new ticket that is not durable by then is not to be had now */
#define DESK_INVITE_MS    60000        /* an invitation stands */
#define DESK_INVITES_MAX  65536        /* that stand, of all parties: beyond that the oldest of the party with most goes */
#define DESK_IDLE_MS      3600000      /* who asks nothing for so long, and neither waits nor plays, leaves his party */
#define DESK_LATER_MS     1000         /* what a party could not keep is tried again */
#define DESK_TIMERS_MAX   1024         /* of parties, in a step */
#define DESK_SETTLE_MS    1000         /* what is not settled by then is owed, and keeps nobody from the next match */
#define DESK_DEBTS_MAX    32768        /* owed to players; beyond that they wait until there is room */
#define DESK_DEBTS_ASKED  1024         /* of them, of persist at once */
#define DESK_DEBT_BIT     (1ULL << 40) /* in keys of documents of kind INSTANCE: those of debts */
#define DESK_PARTIES_MAX  65536
#define DESK_PARTIED_MAX  (1u << 18) /* players in parties */
#define DESK_CHECKS_MAX   16384      /* ready checks under way */
#define DESK_SEATED_MAX   (INSTANCES_MAX * WIRE_INSTANCE_PLAYERS_MAX)
#define DESK_DUES_MAX     (2 * KEEP_DOCUMENTS_MAX) /* to be told once durable; those beyond are not told */
#define DESK_RETURNS_MAX  512                      /* tickets that come back into the queue in a step */
#define DESK_HOLD_MS      250                      /* no match is formed for so long after there was no room for one */
#define DESK_REST_MS      2000                     /* none of a mode for so long after a zone had no room for one */
#define DESK_REFUSALS_MAX 5                        /* so often a ticket comes back of a match that no zone could run */
#define DESK_PENDING_MAX  (KEEP_DOCUMENTS_MAX / 8) /* the same while so many documents are not durable */
#define DESK_LOOK_MS      1000                     /* between two looks at who is away from matches that run */
#define DESK_ABSENT_MS    30000                    /* who is away from one for so long has left it, where others may join */
#define DESK_TICKET_BYTES 1024                     /* of a document */
#define DESK_PARTY_BYTES  256
#define DESK_RESULT_BYTES 4352
#define DESK_DEBT_BYTES   128
#define DESK_RECENT_BIT   0x80000000u /* in `ids`: an index of `recents` */

/* --- tickets */

enum desk_stage {
    DESK_ENTERING = 0, /* ratings are asked for */
    DESK_COMING = 1,   /* is put into the queue in a step to come */
    DESK_WAITING = 2,  /* in the queue */
    DESK_ASKED = 3,
    DESK_HELD = 4 /* matched: it comes back if nobody can come to the match */
};

/* What a ticket may be in, one at a time. */
enum desk_list_kind {
    DESK_LIST_NONE = 0,
    DESK_LIST_UNCONFIRMED = 1, /* not durable yet, oldest first, but for those that came back meanwhile */
    DESK_LIST_COMING = 2,
    DESK_LIST_KIND_COUNT
};

struct desk_link {
    uint32_t next, previous;
};

struct desk_list {
    uint32_t first, last;
};

struct desk_member {
    uint64_t player;
    float mu, sigma; /* its rating, to a millionth or so */
    uint32_t next;   /* of the ticket */
    bool is_rated;   /* persist has said */
};

struct desk_avoid {
    uint64_t players[QUEUE_AVOID_MAX];
};

/* A ticket that lives; small, for a million of them: who leads is within it, and what few have elsewhere. Times are of the
 * desk's clock, ms, the low 32 bits. */
struct desk_live {
    uint64_t id;
    uint64_t mark;       /* when its document is durable */
    uint64_t entered_ms; /* Unix time */
    struct desk_member leader;
    uint32_t version;
    uint32_t since_ms;           /* waits since; moved on by the time in which it was asked, or held */
    uint32_t began_ms, asked_ms; /* asked_ms: or held */
    uint32_t avoid;              /* index of whom it avoids, where it avoids somebody */
    struct desk_link link;
    int16_t rating;
    uint8_t latency[QUEUE_REGIONS_MAX]; /* QUEUE_LATENCY_MS */
    uint8_t roles, list, stage, mode, count, avoid_count, region, refusals;
    uint8_t unrated;                    /* how many have no rating yet */
    bool is_kept : 1, is_confirmed : 1; /* its document was put; it need not be durable in time any more */
    bool is_changed : 1, is_provisional : 1;
};
_Static_assert(sizeof(struct desk_live) == 96 && sizeof(struct desk_member) == 24, "small");
_Static_assert(MODE_ROLES_MAX <= 8 && MODE_TIME_MS_MAX <= INT32_MAX, "what is cut to fewer bits is the same");

/* One that ended not long ago. */
struct desk_recent {
    uint64_t id, version, mark, entered_ms; /* id 0: none */
    uint32_t waited_ms, instance;
    int32_t rating;
    char mode[WIRE_MODE_NAME_MAX + 1];
    uint8_t state, reason, count, region;
    bool is_provisional, is_told; /* is_told: of its end */
    uint8_t teams[DESK_PARTY_MAX];
    uint64_t players[DESK_PARTY_MAX];
};

/* --- parties */

struct desk_invitation {
    uint64_t player;
    int64_t until_ms;
};

struct desk_group {
    uint64_t mark; /* when it would survive as it is */
    uint32_t member_count, invited_count;
    uint64_t members[DESK_PARTY_MAX]; /* the leader first */
    struct desk_invitation invited[DESK_PARTY_MAX];
    int64_t heard_ms[DESK_PARTY_MAX]; /* by member: when it asked for something */
    struct desk_link crowd;           /* of parties that invite as many */
};

/* --- matches */

struct desk_seat {
    uint64_t player, ticket; /* ticket: that it was made of; not kept, 0: not known any more */
    struct rating before;
    uint8_t team, role;
};

struct desk_joined { /* who came later */
    uint64_t player, ticket;
    uint8_t team, role;
};

struct desk_away {
    uint64_t player;
    int64_t since_ms;
};

/* What one player has of a match that is over. */
struct desk_gain {
    struct wire_settle settle;
    int32_t points; /* from now on; 0: not rated */
    uint32_t team;
    bool is_asked, is_done; /* is_done: or it is owed */
};

/* What a player has of a match that is forgotten already. Those of a player are settled one after the other, for each is
 * rated by what the one before made of it. */
struct desk_debt {
    struct wire_settle settle;
    uint64_t key;  /* of its document */
    uint32_t next; /* of the player, by match; DESK_NONE */
    bool is_asked;
};

/* What is kept with an instance: who was to play what, and the ratings before. Without a mode nobody is rated. */
struct desk_note {
    char mode[WIRE_MODE_NAME_MAX + 1];
    uint32_t season, region, seat_count;
    struct desk_seat seats[MODE_PLAYERS_MAX];
};

struct desk_match {
    uint32_t id;
    bool is_over, is_result_kept, is_closed;
    bool has_begun;    /* somebody has come: its tickets are not held any more */
    bool is_let_go;    /* nobody could come, and its players are free again */
    bool is_barred;    /* nobody can join it any more */
    bool is_to_reopen; /* a place is free that nobody was asked for */
    struct desk_note note;
    struct handle backfill;
    uint32_t joined_count, away_count, gain_count, done_count;
    int64_t over_ms;
    struct desk_joined joined[MODE_PLAYERS_MAX];
    struct desk_away away[MODE_PLAYERS_MAX];
    struct desk_gain gains[WIRE_INSTANCE_PLAYERS_MAX];
};

/* --- what is to be told once it is durable */

enum desk_due_kind {
    DESK_DUE_TICKET = 0,
    DESK_DUE_PARTY = 1,
    DESK_DUE_NOW = 2 /* what the player has then */
};

struct desk_due {
    uint64_t mark;
    uint64_t key; /* of a ticket its id, else the player who is to be told */
    enum desk_due_kind kind;
};

struct desk {
    struct desk_config config;
    struct mode_set modes;
    struct template_set templates;
    struct queue *queue; /* NULL until there are modes */
    struct mono began, now;
    int64_t now_ms; /* since `began` */
    uint64_t wall_ms, next_id;
    bool is_ready, is_full;                    /* is_full: an instance found no room in this call */
    uint32_t held_modes;                       /* by bit */
    enum wire_ticket_reason cancel_reason;     /* NONE: what the queue cancels does not end */
    int64_t held_until_ms, looked_ms, owed_ms; /* looked_ms: at matches; owed_ms: at debts */
    int64_t rest_until_ms[QUEUE_MODES_MAX];

    struct pool tickets, members, avoids; /* members: but those who lead */
    struct pool parties, matches, debts;
    struct rating_cache ratings; /* that were settled */
    struct desk_list lists[DESK_LIST_KIND_COUNT];
    uint32_t *changed; /* tickets to be told of when the call ends, which may have ended; each is there once */
    uint32_t changed_count;
    struct player_map of_player; /* tickets, by player */
    struct player_map ids;       /* tickets and recents, by id */
    struct desk_recent *recents; /* a ring */
    uint32_t recent_next;
    struct ring unerased;                        /* ids of tickets whose documents are to be erased still */
    struct ring dues;                            /* struct desk_due */
    struct timer_wheel party_timers;             /* of each party: when an invitation ends, or a member has been idle */
    struct desk_list crowds[DESK_PARTY_MAX + 1]; /* parties by how many they invite, who did so longest first */
    uint32_t invite_count, debts_asked;
    struct player_map debtors; /* the first debt, by player */
    struct player_map partied; /* parties, by member */
    struct player_map invited; /* parties, by who was last invited to one */
    struct player_map by_id;   /* matches, by instance */
    struct player_map seated;  /* matches, by player: until what they are worth is settled */
    struct desk_result result; /* that is being made */
    uint8_t bytes[WIRE_DOCUMENT_BYTES_MAX];
    struct desk_stats stats;
};

static inline struct desk_live *desk_live_at(const struct desk *d, uint32_t index) {
    return pool_at(&d->tickets, index);
}

/* desk_member_after returns the next member of a ticket, from its leader on; NULL: none. */
static inline struct desk_member *desk_member_after(const struct desk *d, const struct desk_member *member) {
    return member->next == DESK_NONE ? NULL : pool_at(&d->members, member->next);
}

static inline struct rating desk_member_rating(const struct desk_member *member) {
    return (struct rating){(double)member->mu, (double)member->sigma};
}

static inline void desk_member_rate(struct desk_member *member, struct rating rating) {
    member->mu = (float)rating.mu;
    member->sigma = (float)rating.sigma;
}

static inline uint16_t desk_latency_ms(const struct desk_live *t, uint32_t region) {
    return t->latency[region] == QUEUE_FAR ? QUEUE_UNREACHABLE_MS : (uint16_t)(t->latency[region] * QUEUE_LATENCY_MS);
}

/* desk_ticket_avoids returns whom a ticket avoids: avoid_count of them. */
static inline const uint64_t *desk_ticket_avoids(const struct desk *d, const struct desk_live *t) {
    return t->avoid_count > 0 ? ((const struct desk_avoid *)pool_at(&d->avoids, t->avoid))->players : NULL;
}

/* --- desk.c */

void desk_advance(struct desk *desk, struct mono now, uint64_t wall_ms);

/* desk_hold_if_full has no match formed for a while, where one found no room. */
void desk_hold_if_full(struct desk *desk);

/* desk_finish ends a call: what was put off is done, and what is to be told is told. */
void desk_finish(struct desk *desk);

/* desk_list_put moves a ticket to the end of a list, out of the one that it is in. */
void desk_list_put(struct desk *desk, uint32_t index, enum desk_list_kind kind);

/* --- desk_enter.c */

/* desk_rating_settled: persist has the rating that a settlement makes. */
void desk_rating_settled(struct desk *desk, const struct wire_settle *settle);

/* --- desk_tickets.c */

/* desk_ticket_at finds one that lives by player: DESK_NONE. */
uint32_t desk_ticket_at(const struct desk *desk, uint64_t player);

/* desk_ticket_take returns a ticket of these players, none of whom has one; DESK_NONE where there is no room. */
uint32_t desk_ticket_take(struct desk *desk, const uint64_t *players, uint32_t count, uint64_t id);

/* desk_ticket_avoid has a new ticket avoid some players. */
void desk_ticket_avoid(struct desk *desk, struct desk_live *ticket, const uint64_t *players, uint32_t count);

/* desk_ticket_sum_up says what the ratings of its players make of a ticket, as the queue does. */
void desk_ticket_sum_up(const struct desk *desk, struct desk_live *ticket);

/* desk_ticket_begin puts a ticket that is rated into the queue. */
void desk_ticket_begin(struct desk *desk, uint32_t index);

/* desk_ticket_drop ends a ticket wherever it is, by `reason`; not from within an event of the queue. */
void desk_ticket_drop(struct desk *desk, uint32_t index, enum wire_ticket_reason reason);

/* desk_ticket_end ends one that is in the queue no more. `instance`: what it was matched to, with `teams` of its players;
 * its document is erased with whatever is put in the same group. */
void desk_ticket_end(struct desk *desk, uint32_t index, enum wire_ticket_reason reason, uint32_t instance,
                     const uint8_t *teams);

/* desk_ticket_withdraw takes one out of the queue that is to be held. */
void desk_ticket_withdraw(struct desk *desk, uint32_t index);

/* desk_ticket_return has one that is not in the queue any more come back, with the time that it waited. */
void desk_ticket_return(struct desk *desk, uint32_t index);
void desk_ticket_recall(struct desk *desk, uint64_t key, const uint8_t *bytes, uint32_t len, uint64_t wall_ms);
uint32_t desk_ticket_waited_ms(const struct desk *desk, const struct desk_live *ticket);
void desk_tickets_ready(struct desk *desk);
void desk_tickets_step(struct desk *desk);

/* --- desk_parties.c */

void desk_party_recall(struct desk *desk, uint64_t key, const uint8_t *bytes, uint32_t len);
void desk_parties_step(struct desk *desk);

/* desk_party_heard: a player has asked for something. */
void desk_party_heard(struct desk *desk, uint64_t player);

/* desk_party_members writes the members of a player's party, the player alone where it has none; returns how many, 0 where
 * another leads it. */
uint32_t desk_party_members(const struct desk *desk, uint64_t player, uint64_t *members);

/* --- desk_matches.c */

/* desk_match_launch and _join have what the queue has matched played; both return its tickets where there is no room. */
void desk_match_launch(struct desk *desk, const struct queue_match *match);
void desk_match_join(struct desk *desk, const struct queue_match *match);
struct desk_match *desk_match_of(const struct desk *desk, uint32_t id);

/* desk_match_take makes the record of an instance, from its note, if there is none yet. */
struct desk_match *desk_match_take(struct desk *desk, const struct instance_view *view);
void desk_match_close(struct desk *desk, struct desk_match *match);
void desk_match_forget(struct desk *desk, uint32_t id);
bool desk_is_seated(const struct desk *desk, uint64_t player);
struct desk_match *desk_match_seating(const struct desk *desk, uint64_t player); /* NULL: none does */
void desk_matches_step(struct desk *desk);

/* desk_matches_unlink forgets the backfills of a queue that is no more. */
void desk_matches_unlink(struct desk *desk);

/* --- desk_held.c */

/* desk_hold_tickets has the tickets of a match that was launched wait until somebody has come to it. */
void desk_hold_tickets(struct desk *desk, const struct queue_match *match);

/* desk_hold_launched does so with that of a player who was launched with, or ends it where others of it were not. */
void desk_hold_launched(struct desk *desk, const struct desk_match *match, uint64_t player);

/* desk_held_begun: somebody has come, or will not any more. Its tickets end, as matched. */
void desk_held_begun(struct desk *desk, struct desk_match *match);

/* desk_held_end does so with one of them. */
void desk_held_end(struct desk *desk, uint32_t index);

/* desk_held_return has its tickets wait again, as nobody could come; it tries again later where that could not be kept. */
void desk_held_return(struct desk *desk, struct desk_match *match);

/* desk_held_ready holds, or ends, tickets of before a restart that are those of matches. */
void desk_held_ready(struct desk *desk);

/* desk_held_show fills in what a ticket that is held is matched to. */
void desk_held_show(const struct desk *desk, const struct desk_live *ticket, struct desk_ticket *out);

/* desk_is_void tells whether an instance is over that nobody could come to. */
bool desk_is_void(const struct instance_view *view);

/* --- desk_results.c */

/* desk_result_make says what a match came to, by its note and its last report alone; and who gains what by it, up to
 * WIRE_INSTANCE_PLAYERS_MAX: returns how many. */
uint32_t desk_result_make(const struct desk_note *note, const struct instance_view *view, struct desk_result *result,
                          struct desk_gain *gains);

/* desk_match_over settles a match that is over, or goes on with it where there was no room to. */
void desk_match_over(struct desk *desk, struct desk_match *match, const struct instance_view *view);

/* --- desk_debts.c */

/* desk_debt_add has a gain owed. MARCH_ERR_FULL. */
must_check int desk_debt_add(struct desk *desk, const struct desk_match *match, uint32_t gain);
void desk_debt_recall(struct desk *desk, uint64_t key, const uint8_t *bytes, uint32_t len);

/* desk_debt_find tells whether a player is owed something of a match, of any where that is 0. */
bool desk_debt_find(const struct desk *desk, uint64_t player, uint64_t match);

/* desk_debt_rating has the rating that a player is owed in a mode; false where that is none. */
bool desk_debt_rating(const struct desk *desk, uint64_t player, const char *mode, struct wire_rating *rating);

/* desk_debt_settled tells whether what was settled had been owed. */
bool desk_debt_settled(struct desk *desk, uint64_t match, uint64_t player, bool is_done);
void desk_debts_step(struct desk *desk);

/* --- desk_documents.c: writers return the length; readers MARCH_ERR_INVALID for what can't be read */

uint32_t desk_write_ticket(const struct desk *desk, const struct desk_live *ticket, uint8_t *bytes);
uint32_t desk_write_party(const struct desk_group *party, uint8_t *bytes);
uint32_t desk_write_note(const struct desk_note *note, uint8_t *bytes);
uint32_t desk_write_result(const struct desk_result *result, uint8_t *bytes);
uint32_t desk_write_debt(const struct wire_settle *settle, uint8_t *bytes);

/* What a ticket's document says, before it is a ticket again. */
struct desk_ticket_document {
    char mode[WIRE_MODE_NAME_MAX + 1];
    uint64_t entered_ms;
    uint32_t roles, avoid_count, count, refusals;
    uint16_t latency_ms[QUEUE_REGIONS_MAX];
    uint64_t avoid[QUEUE_AVOID_MAX];
    uint64_t players[DESK_PARTY_MAX];
    struct rating ratings[DESK_PARTY_MAX];
};
must_check int desk_read_ticket(const struct desk *desk, const uint8_t *bytes, uint32_t len,
                                struct desk_ticket_document *document);
must_check int desk_read_party(const uint8_t *bytes, uint32_t len, struct desk_group *party);
must_check int desk_read_debt(const uint8_t *bytes, uint32_t len, struct wire_settle *settle);
must_check int desk_read_note(const uint8_t *bytes, uint32_t len, struct desk_note *note);

/* --- desk_tells.c */

/* desk_changed has a ticket's players told when the call ends, or when it is durable. */
void desk_changed(struct desk *desk, uint32_t index);

/* desk_due has them told once `mark` is durable. */
void desk_due(struct desk *desk, enum desk_due_kind kind, uint64_t key, uint64_t mark);
void desk_tell_ticket(struct desk *desk, uint64_t id); /* now */
void desk_tells_flush(struct desk *desk);
void desk_tell_refused(struct desk *desk, uint64_t player, const char *mode, enum wire_ticket_reason reason);
void desk_tell_party(struct desk *desk, uint64_t player, enum wire_ticket_reason reason);

/* desk_tell_match tells a player of a match, with what it gains where that is over. */
void desk_tell_match(struct desk *desk, uint64_t player, uint32_t team, const struct instance_view *view,
                     const struct desk_gain *gain);

/* desk_tell_now tells the state of what a player has: a ticket, a match, or nothing. */
void desk_tell_now(struct desk *desk, uint64_t player);

#endif
