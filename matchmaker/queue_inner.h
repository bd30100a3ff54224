/* queue_inner.h: what the parts of the queue share. Not for others.
 *
 *   queue.c          what comes in: tickets, cancels, time; and what is seen of it
 *   queue_table.c    tickets and their players: kept, listed, counted
 *   queue_match.c    a match out of the lists, with a ticket that begins it
 *   queue_check.c    ready checks, and matches told
 *   queue_backfill.c matches that run and want players
 */
#ifndef MARCH_MATCHMAKER_QUEUE_INNER_H
#define MARCH_MATCHMAKER_QUEUE_INNER_H

#include "matchmaker/lineup.h"
#include "matchmaker/player_map.h"
#include "matchmaker/queue.h"
#include "matchmaker/timer_wheel.h"

#define QUEUE_NONE      UINT32_MAX
#define QUEUE_AGES      256 /* cells of a ring; tickets that wait are in the newest 129 of them */
#define QUEUE_AGE_PARTS 128 /* of a time-out: one is a cell */
#define QUEUE_GROUPS    8   /* of buckets, whose waits are averaged */
#define QUEUE_WAITS     32  /* what a new wait weighs in an average is one part of so many */
#define QUEUE_EPOCH_MS  (1ULL << 22)

_Static_assert(MODE_LATENCY_MS_MAX / QUEUE_LATENCY_MS < QUEUE_FAR, "no latency that is taken is kept as far");
_Static_assert(MODE_TIME_MS_MAX < QUEUE_EPOCH_MS, "a ticket that has waited already did not begin before 0");
_Static_assert(MODE_POINTS_MAX <= UINT16_MAX && QUEUE_RATING_MAX <= INT16_MAX, "windows and ratings are 16 bits");

/* Hot: what a search looks at. Times are milliseconds since QUEUE_EPOCH_MS before create, the low 32 bits. */
struct queue_ticket {
    uint32_t next, previous; /* in its list; of a free one, the next free */
    uint32_t generation;     /* odd: in use */
    uint32_t members;        /* index of the first */
    uint32_t entered_ms;     /* moved on by the time in which it was asked */
    uint32_t check;          /* slot in the pool, when it is asked */
    uint32_t avoid;          /* index of whom it avoids, where it avoids somebody */
    int16_t rating;
    uint16_t window;
    uint8_t latency[QUEUE_REGIONS_MAX]; /* the greatest of its players', QUEUE_LATENCY_MS; QUEUE_FAR: never */
    uint8_t latency_limit;
    uint8_t mode, state, count;
    uint8_t bucket, class, region, avoid_count;
};

struct queue_member {
    uint64_t id;
    int16_t rating;
    uint8_t roles;
    bool is_ready;
    uint32_t next; /* of the same ticket, or free */
};

/* Few tickets avoid anybody. */
struct queue_avoid {
    union {
        uint64_t players[QUEUE_AVOID_MAX];
        uint32_t next; /* of a free one */
    };
};

/* What a queued ticket of n players takes: itself, its timer, and for each player a record and a place in the map. */
#define QUEUE_TICKET_BYTES(n)                                                                                               \
    (sizeof(struct queue_ticket) + sizeof(struct timer_link) +                                                              \
     (n) * (sizeof(struct queue_member) + sizeof(struct player_map_entry) * 3 / 2))
_Static_assert(sizeof(struct queue_ticket) == 48 && sizeof(struct queue_member) == 16, "small, for a million of them");
_Static_assert(QUEUE_TICKET_BYTES(1) <= 96 && QUEUE_TICKET_BYTES(4) <= 192, "what a ticket may cost");

struct queue_list {
    uint32_t head, tail;
};

/* The mean of the first values, a moving average from then on. */
struct queue_average {
    uint32_t sum, count; /* count: QUEUE_WAITS at most */
};

struct queue_mode {
    struct mode mode;
    bool is_held;
    uint8_t places[MODE_ROLES_MAX];               /* of a team */
    uint32_t role_count, players;                 /* of a match */
    uint32_t queued;                              /* tickets that wait */
    uint32_t age_ms;                              /* of a cell of `ages` */
    uint32_t ages[QUEUE_AGES];                    /* tickets that wait, by when they entered */
    struct queue_average waits[QUEUE_GROUPS + 1]; /* by group of buckets; the last is of all */
    uint32_t backfill_first, backfill_last;
    uint32_t supply[MODE_ROLES_MAX][QUEUE_BUCKETS];     /* players who can play a role, of listed tickets */
    uint32_t classes[QUEUE_REGIONS_MAX][QUEUE_BUCKETS]; /* lists that are not empty, by bit of class */
    struct queue_list lists[QUEUE_REGIONS_MAX][QUEUE_BUCKETS][LINEUP_CLASSES];
};

/* What becomes a match at once, or when all are ready. Tickets of a new match are all of it; of a backfill there is one. */
struct queue_plan {
    uint64_t match;
    uint32_t mode, region, gap, ticket_count;
    struct handle backfill;
    uint32_t tickets[MODE_PLAYERS_MAX];
    uint8_t teams[MODE_PLAYERS_MAX]; /* of the tickets */
    uint8_t roles[MODE_PLAYERS_MAX]; /* of the players, ticket by ticket */
};

struct queue_check {
    struct queue_plan plan;
    uint64_t since_ms;
    uint32_t next, previous; /* checks of the same backfill */
    uint32_t player_count, ready_count;
};

struct queue_backfill {
    uint64_t match, since_ms;
    uint32_t mode, region;
    uint32_t next, previous; /* of the mode */
    uint32_t checks;         /* the first that asks for it */
    uint32_t player_count, avoid_count;
    uint8_t free[MODE_TEAMS_MAX][MODE_ROLES_MAX];
    int16_t target[MODE_TEAMS_MAX];
    uint64_t players[MODE_PLAYERS_MAX];
    uint64_t avoid[QUEUE_BACKFILL_AVOID];
};

struct queue {
    struct queue_config config;
    struct mono began;
    uint64_t now_ms, memory_bytes, next_match;
    bool is_telling;
    struct queue_mode *modes;
    struct queue_ticket *tickets;
    struct queue_member *members;
    struct queue_avoid *avoids;
    uint32_t ticket_free, member_free, avoid_free;    /* that were used before, by `next` */
    uint32_t ticket_fresh, member_fresh, avoid_fresh; /* from here on none ever was */
    uint32_t member_free_count;
    struct player_map map;    /* player to index of the ticket */
    struct timer_wheel wheel; /* tickets, then checks, then backfills */
    struct pool checks, backfills;
    struct queue_stats stats;
    struct queue_match match; /* what is being told */
};

/* --- queue_table.c */

/* queue_ticket_room tells whether there is room for a ticket of so many players. */
bool queue_ticket_room(const struct queue *queue, uint32_t player_count);

/* queue_ticket_new takes a ticket and its members for a request that is sound; its place in the lists comes later. */
uint32_t queue_ticket_new(struct queue *queue, const struct queue_request *request);

/* queue_ticket_at returns the ticket's index, QUEUE_NONE when it has ended. */
uint32_t queue_ticket_at(const struct queue *queue, struct handle ticket);
struct handle queue_ticket_handle(const struct queue *queue, uint32_t index);

/* queue_ticket_move takes a ticket from one state to another: into and out of lists and counts, its timer off; to QUEUE_FREE
 * it ends, and its players have none. `in_front`: of its list. */
void queue_ticket_move(struct queue *queue, uint32_t index, enum queue_state state, bool in_front);

/* queue_ticket_widen sets window and latency by the time waited, and the timer to the next step or the time-out. */
void queue_ticket_widen(struct queue *queue, uint32_t index);

/* queue_ticket_avoids returns whom a ticket avoids: avoid_count of them. */
static inline const uint64_t *queue_ticket_avoids(const struct queue *queue, const struct queue_ticket *ticket) {
    return queue->avoids[ticket->avoid].players;
}

/* queue_ticket_unit is a ticket as a lineup sees it. */
void queue_ticket_unit(const struct queue *queue, uint32_t index, struct lineup_unit *unit);

/* queue_ticket_event is what is told of a ticket, of whose players the numbers go to `players`, of QUEUE_PARTY_MAX. To be
 * made before the ticket moves. */
struct queue_event queue_ticket_event(const struct queue *queue, uint32_t index, enum queue_event_kind kind,
                                      uint64_t *players);

/* queue_ticket_end tells that a ticket ended otherwise than by a match, after it has. */
void queue_ticket_end(struct queue *queue, uint32_t index, enum queue_end end);

/* queue_ticket_prefetch begins to load what is beside a ticket; queue_ticket_prefetch_more, after a while, what is beside
 * that. Each look at memory costs a tenth of a microsecond in a large queue: those of a ticket that ends overlap then. */
static inline void queue_ticket_prefetch(const struct queue *queue, uint32_t index) {
    const struct queue_ticket *t = &queue->tickets[index];
    timer_wheel_prefetch(&queue->wheel, index);
    __builtin_prefetch(&queue->members[t->members], 1);
    if (t->next != QUEUE_NONE) __builtin_prefetch(&queue->tickets[t->next], 1);
    if (t->previous != QUEUE_NONE) __builtin_prefetch(&queue->tickets[t->previous], 1);
}
static inline void queue_ticket_prefetch_more(const struct queue *queue, uint32_t index) {
    timer_wheel_prefetch_circle(&queue->wheel, index);
    player_map_prefetch(&queue->map, queue->members[queue->tickets[index].members].id);
}

uint32_t queue_waited_ms(const struct queue *queue, const struct queue_ticket *ticket);

/* --- queue_match.c */

/* Tickets one after the other: buckets outward from one, in each the region's list first, then those of the others. */
struct queue_scan {
    const struct queue *queue;
    const struct queue_mode *mode;
    uint32_t region, bucket, reach; /* reach: buckets to either side */
    uint32_t look_left, looked;
    uint32_t step, region_step, lists; /* where it is; lists: classes of this bucket and region still to be seen */
    uint32_t class, next;
};

struct queue_scan queue_scan_begin(const struct queue *queue, uint32_t mode, uint32_t region, int32_t rating,
                                   uint32_t window, uint32_t look);

/* queue_scan_next returns the next ticket of one of `classes`, or QUEUE_NONE; the one before may have left its list. */
uint32_t queue_scan_next(struct queue_scan *scan, uint32_t classes);

/* queue_match_try tries to form a match with the ticket in it. */
bool queue_match_try(struct queue *queue, uint32_t ticket);

/* --- queue_check.c */

/* queue_plan_carry_out asks the players, or tells the match and ends its tickets, which wait until now. There must be a free
 * check where the mode asks. */
void queue_plan_carry_out(struct queue *queue, const struct queue_plan *plan);

/* queue_check_is_free tells whether a match of this mode can be carried out. */
bool queue_check_is_free(struct queue *queue, uint32_t mode);

/* queue_check_step ends a check whose time is over. */
void queue_check_step(struct queue *queue, uint32_t check);

/* queue_check_end takes a check back: `ticket` ends by `end`, if it is one of its tickets; the others wait again, and the
 * last of them is tried. QUEUE_SILENT ends each ticket with a player who has not answered instead. */
void queue_check_end(struct queue *queue, uint32_t check, uint32_t ticket, enum queue_end end);

/* --- queue_backfill.c */

/* queue_backfill_offer holds a ticket that waits against the mode's open backfills; true when it was taken. */
bool queue_backfill_offer(struct queue *queue, uint32_t ticket);

/* queue_backfill_step looks for tickets again, and sets the timer. */
void queue_backfill_step(struct queue *queue, uint32_t index);

/* queue_backfill_asked and _answered: a check of a backfill began, and ended; its places are taken until, if it came to
 * nothing, queue_backfill_refused gives them back, while the ticket is still there. A backfill that is closed needs nothing.
 */
void queue_backfill_asked(struct queue *queue, uint32_t check);
void queue_backfill_answered(struct queue *queue, uint32_t check);
void queue_backfill_refused(struct queue *queue, const struct queue_plan *plan);

/* queue_backfill_settle closes a backfill that has no place left and asks nobody. */
void queue_backfill_settle(struct queue *queue, struct handle backfill);

/* --- queue.c */

void queue_tell(struct queue *queue, const struct queue_event *event);
void queue_advance(struct queue *queue, struct mono now);

static inline uint32_t queue_bucket(int32_t rating) {
    int32_t bucket = rating / QUEUE_BUCKET_POINTS;
    return bucket < 0 ? 0 : bucket >= QUEUE_BUCKETS ? QUEUE_BUCKETS - 1 : (uint32_t)bucket;
}

/* queue_window and queue_latency: what is taken after a time waited. */
static inline uint32_t queue_window(const struct mode *mode, uint64_t waited_ms) {
    uint64_t window = mode->window_start + waited_ms / mode->window_every_ms * mode->window_step;
    return window < mode->window_max ? (uint32_t)window : mode->window_max;
}

static inline uint32_t queue_latency_ms(const struct mode *mode, uint64_t waited_ms) {
    uint64_t latency = mode->latency_start_ms + waited_ms / mode->window_every_ms * mode->latency_step_ms;
    return latency < mode->latency_max_ms ? (uint32_t)latency : mode->latency_max_ms;
}

#endif
