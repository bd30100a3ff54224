/* queuer.h: a bot that asks for matches: it queues, says that it is ready, goes where the match is, and comes back.
 *
 *   IDLE ──enter──► ENTERING ──a ticket──► QUEUED ──matched──► CALLED ──its own entity is beyond the world──► INSIDE
 *    ▲ ▲                │ refused: after a pause │ ended                │ not within QUEUER_TRAVEL_MS            │
 *    │ └────────────────┴────────────────────────┴──────────────────────┘          back in the world             │
 *    └────────────────────────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * Bots of a party are neighbours by number; the first one leads: it invites the others, and enters once all have joined.
 * What is not answered for QUEUER_AGAIN_MS is looked for, so a message that is lost with a session costs no more than time.
 *
 * Lost is who is beyond the world for QUEUER_LOST_MS without knowing of a match there, or so long after one was over. Pure:
 * time is a parameter.
 */
#ifndef MARCH_SWARM_QUEUER_H
#define MARCH_SWARM_QUEUER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/histogram.h"
#include "tools/client/marchland.h"

#define QUEUER_PAUSE_MS  1000  /* before it asks for the next match, or again for one that was refused */
#define QUEUER_AGAIN_MS  5000  /* between two looks */
#define QUEUER_INVITE_MS 500   /* between two invitations of a leader */
#define QUEUER_ANSWER_MS 1000  /* between two answers that it is ready */
#define QUEUER_TRAVEL_MS 30000 /* after that a match that it does not come to is given up */
#define QUEUER_LOST_MS   15000

enum queuer_state { QUEUER_IDLE = 0, QUEUER_ENTERING, QUEUER_QUEUED, QUEUER_CALLED, QUEUER_INSIDE, QUEUER_STATE_COUNT };

/* Of all bots of a swarm; each member of a party counts. */
struct queuer_report {
    uint64_t entered;                   /* tickets that they had */
    uint64_t matched, timed_out, ended; /* what became of those; ended: otherwise without a match */
    uint64_t forgotten;                 /* tickets that were not there any more, and nobody said why */
    uint64_t refused;                   /* requests */
    uint64_t came, absent;              /* to a match; not in time */
    uint64_t played, gold;              /* matches that were over, and what they were told that they gain of them */
    uint64_t returned;                  /* to the world */
    uint64_t lost;
    struct histogram wait_ns;   /* from entering to matched */
    struct histogram travel_ns; /* from hearing so to the first snapshot beyond the world */
};

struct queuer {
    uint64_t player, leader;
    uint32_t party_size; /* 1: alone */
    enum queuer_state state;
    uint64_t ticket;              /* the newest that it had */
    bool is_matched;              /* the ticket */
    uint32_t instance, last_over; /* where its match is, 0: it knows of none; the one that was over last */
    bool is_asked;                /* whether it is ready, and has not said yet */
    bool is_beyond;               /* the world, by the newest snapshot */
    bool is_lost;                 /* and counted */
    uint64_t invited_by;
    uint64_t members[MARCH_PARTY_MAX];
    uint32_t member_count, next_invite;
    uint64_t answered_ms; /* that it is ready */
    uint64_t act_ms;      /* when it does something next */
    uint64_t entered_ns;  /* asked to enter */
    uint64_t matched_ns;  /* heard of the match */
    uint64_t strange_ns;  /* since when it is beyond the world without a match; 0: it is not */
};

/* What it wants to send; `kind` names the call of marchland.h. */
struct queuer_ask {
    enum { QUEUER_ASK_ENTER, QUEUER_ASK_TICKET, QUEUER_ASK_PARTY } kind;
    enum march_ticket_verb ticket;
    enum march_party_verb party;
    uint64_t player;
};

/* queuer_init: bot `index` of `count` whose players are numbered from `first` on, in parties of `party_size`. */
void queuer_init(struct queuer *queuer, uint32_t index, uint32_t count, uint64_t first, uint32_t party_size);

/* queuer_enter is for one that has come into the world (again): it looks for what it has. */
void queuer_enter(struct queuer *queuer);

/* queuer_hear takes in what the server tells. */
void queuer_hear(struct queuer *queuer, const struct march_event *event, uint64_t now_ns, struct queuer_report *report);

/* queuer_place takes in where its entity is by the newest snapshot. */
void queuer_place(struct queuer *queuer, bool is_beyond, uint64_t now_ns, struct queuer_report *report);

/* queuer_decide writes what it asks for now; false when that is nothing. `may_enter`: it may begin something new. */
bool queuer_decide(struct queuer *queuer, bool may_enter, uint64_t now_ns, struct queuer_report *report,
                   struct queuer_ask *ask);

#endif
