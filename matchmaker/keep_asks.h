/* keep_asks.h: questions to persist with one answer each: ratings, settlements, documents by key.
 *
 *     (asked) ──► WAITING ──filled, sent──► SENT ──answered──► forgotten
 *                  ▲  ▲                     │  │
 *                  │  └──connection lost────┘  └──"not now"──► LATER
 *                  └──────────────KEEP_AGAIN_MS──────────────────┘
 *
 * Each is in one list of its shard. One that is under way is not taken twice.
 */
#ifndef MARCH_MATCHMAKER_KEEP_ASKS_H
#define MARCH_MATCHMAKER_KEEP_ASKS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/error.h"
#include "common/pool.h"
#include "matchmaker/keep.h"

enum keep_ask_kind { KEEP_ASK_LOOKUP = 0, KEEP_ASK_SETTLE = 1, KEEP_ASK_READ = 2 };
enum keep_ask_state { KEEP_ASK_WAITING = 0, KEEP_ASK_SENT = 1, KEEP_ASK_LATER = 2, KEEP_ASK_STATE_COUNT };

/* A settlement says all; of a lookup there are player and mode, of a read kind and key: `match` and `player`. */
struct keep_ask {
    enum keep_ask_kind kind;
    enum keep_ask_state state;
    uint32_t shard;
    uint32_t next, previous; /* of its list */
    uint32_t chain;          /* of those with the same hash */
    struct mono due;         /* LATER */
    struct wire_settle settle;
};

struct keep_list {
    uint32_t first, last;
};

struct keep_asks {
    struct pool pool;
    uint32_t *chains;
    uint32_t shard_count;
    struct keep_list *lists; /* KEEP_ASK_STATE_COUNT for each shard */
    uint32_t *filled;        /* by shard: how many of those that wait are in the message that was filled */
    struct wire_document *reads;
    struct wire_rating_lookup *lookups;
    struct wire_settle *settles;
};

must_check int keep_asks_init(struct keep_asks *asks, uint32_t shard_count);
void keep_asks_deinit(struct keep_asks *asks);

/* keep_asks_add takes a question, unless it is under way. MARCH_ERR_FULL. */
must_check int keep_asks_add(struct keep_asks *asks, uint32_t shard, enum keep_ask_kind kind,
                             const struct wire_settle *settle);

/* keep_asks_fill fills in the next questions to a shard; false where there are none. keep_asks_sent: they are on their way.
 */
bool keep_asks_fill(struct keep_asks *asks, uint32_t shard, struct wire_match_ask *ask);
void keep_asks_sent(struct keep_asks *asks, uint32_t shard);
void keep_asks_lost(struct keep_asks *asks, uint32_t shard);

/* keep_asks_answered takes a question that was sent to this shard away, and tells whether there was one. */
bool keep_asks_answered(struct keep_asks *asks, uint32_t shard, enum keep_ask_kind kind, const struct wire_settle *settle);

/* keep_asks_put_off has it asked again at `due`. */
void keep_asks_put_off(struct keep_asks *asks, uint32_t shard, enum keep_ask_kind kind, const struct wire_settle *settle,
                       struct mono due);

/* keep_asks_step asks again what is due. */
void keep_asks_step(struct keep_asks *asks, struct mono now);

/* keep_asks_take hands out the next question that waits for a shard, and forgets it; false where there is none. */
bool keep_asks_take(struct keep_asks *asks, uint32_t shard, struct keep_ask *out);

#endif
