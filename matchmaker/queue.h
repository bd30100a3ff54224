/* queue.h: who waits for a match, and who plays with whom.
 *
 * Sans-I/O: whoever owns it enters and cancels tickets, passes answers on, and calls queue_step; what comes of it is told by
 * events. A ticket is of one player or of a party, which is never split. It belongs to its players, not to a connection, and
 * every player has one at most. `waited_ms` lets a ticket of a journal come back with the time that it has waited.
 *
 *     (entered) ──► WAITING ──match──► ASKED ──all are ready──► ended: QUEUE_MATCHED
 *                   │  │  ▲             │ └──somebody declined, was silent or cancelled──► ended, those who did
 *                   │  │  └─────────────┘    the others, in front of their list, with the time that they had waited
 *                   │  └─timeout_ms──► ended: QUEUE_TIMED_OUT
 *                   └────cancelled───► ended: QUEUE_CANCELLED
 *
 * A mode without ready_ms asks nobody: its tickets end as matched at once. After the call that ends a ticket no event names
 * it. The time in which a ticket is asked is not time that it waits.
 *
 * A ticket's rating is midway between the mean and the best of its players: a party plays nearer to its best, who leads, and
 * one strong player gains nothing by hiding behind weak ones. Teams are balanced by the players' own ratings.
 *
 * A match is tried when a ticket enters, and when its window widens, with this ticket in it; also at each step after the
 * widest. Nothing is ever searched for without one. What is looked at: tickets in the lists of the buckets within its
 * window, from its own bucket outward, of each list those who have waited longest first; at most QUEUE_LOOK_BASE +
 * QUEUE_LOOK_PER_PLAYER x the players of a match. There is a list for each mode, region (the nearest of the ticket), bucket
 * of ratings and class of lineup.h, so classes that no side has room for cost nothing; and in a window in which a role is
 * too rare no ticket is touched. In a match every ticket is within the window of every other, every player within the
 * latency that each ticket takes, nobody with whom a ticket avoids, roles are filled, and teams' means differ by balance_max
 * at most.
 *
 * Time is a parameter; it never goes back. Timers are up to TIMER_WHEEL_TICK_MS late. All memory is taken at create. One
 * thread. Events come from within the calls, before they return: who receives them must not call the queue.
 */
#ifndef MARCH_MATCHMAKER_QUEUE_H
#define MARCH_MATCHMAKER_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/error.h"
#include "common/pool.h"
#include "matchmaker/mode.h"

#define QUEUE_MODES_MAX   32
#define QUEUE_REGIONS_MAX 8
#define QUEUE_PARTY_MAX   MODE_TEAM_SIZE_MAX
#define QUEUE_AVOID_MAX   4 /* players that a ticket does not want to play with */
#define QUEUE_TICKETS_MAX (1u << 24)

#define QUEUE_BUCKETS       128 /* of ratings from 0 on; the first and the last take what is beyond */
#define QUEUE_BUCKET_POINTS 32
#define QUEUE_RATING_MAX    16000 /* and no less than its negative: others are cut to it */

#define QUEUE_LOOK_BASE         64
#define QUEUE_LOOK_PER_PLAYER   2
#define QUEUE_MENDS_MAX         4    /* of an unbalanced match: who is furthest from its mean is replaced */
#define QUEUE_TIMERS_MAX        1024 /* a call of queue_step: some milliseconds at worst */
#define QUEUE_BACKFILL_LOOK_MAX 8    /* open backfills that a ticket which enters is held against */
#define QUEUE_BACKFILL_AVOID    64   /* players avoided that are kept of a match that runs */

#define QUEUE_UNREACHABLE_MS UINT16_MAX /* latency to a region that the player can't play in */
#define QUEUE_LATENCY_MS     4          /* the unit in which latencies are kept, rounded up */
#define QUEUE_FAR            UINT8_MAX  /* so many units or more: unreachable */

enum queue_state { QUEUE_FREE = 0, QUEUE_WAITING = 1, QUEUE_ASKED = 2 };

/* Why a ticket ended; a ticket has one end. */
enum queue_end {
    QUEUE_MATCHED = 0,
    QUEUE_CANCELLED = 1,
    QUEUE_TIMED_OUT = 2,
    QUEUE_DECLINED = 3,
    QUEUE_SILENT = 4,
    QUEUE_END_COUNT = 5
};

enum queue_event_kind {
    QUEUE_EVENT_ASKED = 0,    /* `match` is to be, if all in it are ready within the mode's ready_ms */
    QUEUE_EVENT_MATCHED = 1,  /* `match` is; its tickets have ended */
    QUEUE_EVENT_RETURNED = 2, /* the match that the ticket was asked for is not to be: it waits again */
    QUEUE_EVENT_ENDED = 3,    /* the ticket ended, by `end`, which is not QUEUE_MATCHED */
    QUEUE_EVENT_KIND_COUNT = 4
};

struct queue_seat {
    uint64_t player;
    struct handle ticket;
    int32_t rating;
    uint8_t team, role; /* role: index into the mode's; 0 where it has none */
};

struct queue_match {
    uint64_t id; /* counts up from config.first_match; the running match's, where players join it */
    uint32_t mode, region;
    struct handle backfill; /* what the players join by; null for a new match */
    uint32_t gap;           /* between the means of the strongest and the weakest team, points; 0 for a backfill */
    uint32_t seat_count;    /* those of a ticket are neighbours */
    struct queue_seat seats[MODE_PLAYERS_MAX];
};

/* Pointers are good until the event's receiver returns. */
struct queue_event {
    enum queue_event_kind kind;
    const struct queue_match *match; /* ASKED, MATCHED */
    struct handle ticket;            /* RETURNED, ENDED, and what follows */
    enum queue_end end;
    uint32_t mode;
    uint64_t waited_ms;
    uint32_t player_count;
    const uint64_t *players;
};

struct queue_config {
    uint32_t mode_count, region_count; /* 1 to QUEUE_MODES_MAX, 1 to QUEUE_REGIONS_MAX */
    const struct mode *modes;          /* copied */
    uint32_t tickets_max;              /* 1 to QUEUE_TICKETS_MAX */
    uint32_t players_max;              /* of all tickets, at least tickets_max */
    uint32_t checks_max;               /* ready checks under way; while all are taken, modes that ask form no matches */
    uint32_t backfills_max;
    uint64_t first_match, seed; /* seed: of the table of players */
    void (*on_event)(void *ctx, const struct queue_event *event);
    void *ctx;
};

/* queue_latency returns a latency in units. */
static inline uint8_t queue_latency(uint16_t ms) {
    uint32_t units = (ms + QUEUE_LATENCY_MS - 1u) / QUEUE_LATENCY_MS;
    return (uint8_t)(units < QUEUE_FAR ? units : QUEUE_FAR);
}

struct queue_player {
    uint64_t id; /* not 0 */
    int32_t rating;
    uint32_t roles; /* by bit of the mode's; not looked at where it has none */
    uint16_t latency_ms[QUEUE_REGIONS_MAX];
};

struct queue_request {
    uint32_t mode;
    uint32_t player_count; /* 1 to the mode's max_party */
    const struct queue_player *players;
    uint32_t avoid_count; /* 0 to QUEUE_AVOID_MAX */
    const uint64_t *avoid;
    uint32_t waited_ms; /* 0 for a new ticket */
};

/* What a ticket's players may be told. */
struct queue_view {
    enum queue_state state;
    uint32_t mode, region; /* region: the nearest */
    uint64_t waited_ms;
    uint32_t position;    /* 1: nobody of the mode waits longer; to within a 128th of the mode's time-out */
    uint32_t queued;      /* tickets that wait in the mode */
    uint32_t estimate_ms; /* what tickets of about this rating waited of late, in all; 0: not known */
    uint32_t window, latency_ms;
    int32_t rating;
    uint32_t player_count;
    uint64_t players[QUEUE_PARTY_MAX];
    bool is_ready[QUEUE_PARTY_MAX]; /* ASKED: who has said so */
};

/* A match that runs and has places free. */
struct queue_wanted {
    uint64_t match;
    uint32_t mode, region;
    uint32_t free[MODE_TEAMS_MAX][MODE_ROLES_MAX]; /* by team and role; role 0 where the mode has none */
    int32_t target[MODE_TEAMS_MAX];                /* rating that is wished for, by team */
    uint32_t player_count, avoid_count;            /* avoid_count: 0 to QUEUE_BACKFILL_AVOID */
    const uint64_t *players, *avoid;               /* who play, and whom they avoid */
};

struct queue_stats {
    uint64_t entered, matches, matched_tickets, joined_tickets, checks, returned;
    uint64_t ended[QUEUE_END_COUNT];
    uint64_t attempts, hopeless, looked, mends, unbalanced,
        checks_full; /* hopeless: too few, or a role too rare: none looked at; unbalanced: tries that found a match, but no
                        fair one */
    uint32_t tickets, players, checks_open, backfills_open;
};

struct queue;

/* queue_create returns MARCH_ERR_INVALID for a configuration beyond the limits, MARCH_ERR_SYSTEM when memory is short. */
must_check int queue_create(struct queue **queue, const struct queue_config *config, struct mono now);
void queue_destroy(struct queue *queue);

/* queue_enter puts a ticket in, tries to match it, and sets *ticket, which events may have named before; it has ended
 * already when it was matched at once. MARCH_ERR_INVALID: a request beyond the mode's limits, a player twice, one who has no
 * role, or a party with no region in common. MARCH_ERR_EXISTS: a player has a ticket. MARCH_ERR_FULL. */
must_check int queue_enter(struct queue *queue, const struct queue_request *request, struct mono now, struct handle *ticket);

/* queue_find returns the ticket of a player, or the null handle. */
struct handle queue_find(const struct queue *queue, uint64_t player);

/* queue_cancel ends a ticket, for good. One that is asked takes its match with it. MARCH_ERR_NOT_FOUND: it has ended. */
must_check int queue_cancel(struct queue *queue, struct handle ticket, struct mono now);

/* queue_answer says whether a player who is asked is ready. MARCH_ERR_NOT_FOUND: nobody asks. */
must_check int queue_answer(struct queue *queue, uint64_t player, bool is_ready, struct mono now);

/* queue_attempt tries now to match a ticket that waits, and tells whether it did. */
bool queue_attempt(struct queue *queue, struct handle ticket, struct mono now);

/* queue_step lets time pass: windows widen, tickets and checks time out. True when there is more that is due: call again.
 * At least every 50 ms. */
must_check bool queue_step(struct queue *queue, struct mono now);

/* queue_hold stops a mode from forming matches, as while there is nowhere to play them, and lets it go on: tickets come,
 * wait, join matches that run and go meanwhile, and are tried again at their next steps. */
void queue_hold(struct queue *queue, uint32_t mode, bool is_held);

/* queue_view_get returns MARCH_ERR_NOT_FOUND when the ticket has ended. */
must_check int queue_view_get(const struct queue *queue, struct handle ticket, struct mono now, struct queue_view *view);

/* queue_backfill_open asks for players for a match: those who fit are told at once and as they come, a ticket at a time, by
 * ASKED and MATCHED, until all places are taken or it is closed. Its window widens like a ticket's; there is no time-out.
 * MARCH_ERR_INVALID: beyond the limits, no place free, or the mode does not allow it. MARCH_ERR_FULL. */
must_check int queue_backfill_open(struct queue *queue, const struct queue_wanted *wanted, struct mono now,
                                   struct handle *backfill);

/* queue_backfill_close is fine for one that was filled. Tickets that are asked for it wait again. */
void queue_backfill_close(struct queue *queue, struct handle backfill, struct mono now);

struct queue_stats queue_stats_get(const struct queue *queue);

/* queue_memory_bytes returns what all of it takes when it is full. */
uint64_t queue_memory_bytes(const struct queue *queue);

#endif
