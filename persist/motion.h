/* motion.h: where players are: the newest state of each, kept in memory, journaled, and written behind.
 *
 *     zone's report --> hot table --> journal ........ durable: the zone is told
 *                          |--every hot_ms----> Redis
 *                          '--every flush_ms--> PostgreSQL, with the journal's watermark in the same transaction
 *
 * Newer is who has the greater (session epoch, tick). An older state is refused and counted, here and by the table
 * player_state itself, so that whatever comes twice or late does no harm: replay, a report that is sent again, a flush whose
 * outcome was unknown. A player's session epoch also rises when it is loaded for a new session (motion_load).
 *
 * Watermark: when a flush begins, every dirty player is taken, and the journal's durable position at that time is what the
 * flush reaches: the last transaction of it says so, after the others have committed. It stays below what others still need
 * of the journal (`reach`). After the commit the journal is released up to it.
 *
 * A load looks into memory, then into PostgreSQL, and where that is away into what Redis was given (hot.h). What comes from
 * there is the newest that can be known then, and is not written anywhere: when PostgreSQL is back the next load looks
 * there, and the newer of the two stays.
 *
 * While PostgreSQL is away dirty players wait, one entry each. While the journal is full, states are kept here, coalesced,
 * and counted, and the report is not acknowledged: the zone sends what it has again, and it is journaled then, or found
 * durable because PostgreSQL got it first.
 *
 * Limits: `players_max` entries; entries of players who left, or who were not heard of for MOTION_IDLE_S s, are dropped once
 * PostgreSQL and Redis have them; past that new players are refused (MARCH_ERR_FULL) and counted. MOTION_LOADS_MAX loads
 * wait or are under way. One thread, that of the loop; nothing blocks.
 */
#ifndef MARCH_PERSIST_MOTION_H
#define MARCH_PERSIST_MOTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/error.h"
#include "common/histogram.h"
#include "persist/hot.h"
#include "schemas/wire_persist.h"

#define MOTION_RECORD           1 /* type of a journal record that is a struct wire_player_state */
#define MOTION_LOADS_MAX        16384
#define MOTION_LOAD_DEADLINE_MS 2000 /* somebody waits to enter the world */
#define MOTION_IDLE_S           600
#define MOTION_BATCH_ROWS       2000 /* rows of a flush's transaction: some 20 ms of the server */
#define MOTION_HOT_STATES       1000 /* states handed to `hot` at once */

struct pg;
struct journal;
struct motion;

/* The end of a load. `state` has the session epoch that was asked for; unless `result` is WIRE_LOAD_KNOWN only player and
 * session epoch are set. */
typedef void (*motion_loaded)(void *ctx, enum wire_load_result result, const struct wire_player_state *state);

struct motion_config {
    struct journal *journal;
    struct pg *pg;        /* the primary */
    int64_t epoch;        /* of the shard: fence of every transaction */
    uint32_t players_max; /* 1 to 2^24 */
    uint32_t flush_ms;
    uint32_t hot_ms;
    uint32_t batch_rows;  /* 0 is MOTION_BATCH_ROWS */
    uint32_t deadline_ms; /* of a flush's transaction; 0 is 10000 */
    uint64_t seed;        /* of the hash: players' ids can be chosen by others */
    /* `reach` returns the position up to which nobody else needs the journal, UINT64_MAX for all of it. NULL: nobody. */
    uint64_t (*reach)(void *ctx);
    /* `hot` takes at most MOTION_HOT_STATES states for Redis and returns how many it took, from the first on; the others
     * are offered again after hot_ms, as they are then. NULL for none. */
    uint32_t (*hot)(void *ctx, const struct wire_player_state *states, uint32_t count);
    /* `hot_read` asks Redis for players, as of hot.h; where it returns 0 `done` is called once, later. NULL for none. */
    int (*hot_read)(void *ctx, const uint64_t *players, uint32_t count, hot_done done, void *done_ctx);
    /* `fenced` says that a newer persist has taken the shard over: nothing is written any more. NULL for none. */
    void (*fenced)(void *ctx);
    void *ctx;
    struct histogram *flush_ns; /* of a whole flush; NULL for none */
};

/* Counts since the start, and what is now. */
struct motion_stats {
    uint64_t reported;    /* states */
    uint64_t journaled;   /* of these */
    uint64_t stale_epoch; /* refused: of a session that is over */
    uint64_t stale_tick;  /* refused: older than what is known, a state that came again included */
    uint64_t invalid;     /* refused: no player's id, or out of the range of the table's columns */
    uint64_t refused;     /* refused: table full */
    uint64_t coalesced;   /* kept in memory only, because the journal was full */
    uint64_t replayed;    /* records of the journal at the start */
    uint64_t flushes;     /* done */
    uint64_t flush_failures;
    uint64_t rows;       /* sent to PostgreSQL and committed */
    uint64_t rows_newer; /* of these, left as they were: what PostgreSQL had was newer */
    uint64_t hot;        /* states given to Redis */
    uint64_t loads;      /* asked */
    uint64_t load_hits;  /* answered from memory */
    uint64_t load_hot;   /* answered by what Redis had, PostgreSQL being away */
    uint64_t load_failures;
    uint64_t evicted;
    uint32_t players; /* in the table */
    uint32_t dirty;
    uint32_t unjournaled; /* in memory only, until the journal or PostgreSQL has them */
    uint64_t watermark;   /* that PostgreSQL has */
};

/* motion_create makes an empty table. Memory for players_max entries (some 100 bytes each) is reserved, and touched when it
 * is used. MARCH_ERR_SYSTEM when it is short, MARCH_ERR_INVALID for a configuration out of range. */
must_check int motion_create(const struct motion_config *config, struct motion **out);

/* motion_destroy frees everything; no job of it may be under way: close redis and destroy the pool first. Loads that wait
 * are answered WIRE_LOAD_UNAVAILABLE. NULL is fine. */
void motion_destroy(struct motion *motion);

/* motion_replay takes a record of the journal at the start, in order, of type MOTION_RECORD. MARCH_ERR_INVALID for one that
 * is none. The table grows where the journal has more than `players_max` players; MARCH_ERR_FULL past 2^24, MARCH_ERR_SYSTEM
 * when memory is short. */
must_check int motion_replay(struct motion *motion, uint64_t position, const uint8_t *bytes, size_t len);

/* What became of a report. */
struct motion_receipt {
    uint64_t position;    /* the report may be acknowledged once journal_durable has reached this */
    uint32_t stale_count; /* states of sessions that are over, in `stale` */
};

/* motion_report takes states, at most WIRE_REPORT_STATES_MAX. `stale` has room for `count`; it gets the players whose
 * session epoch is over, with the epoch that was reported. Returns 0, or MARCH_ERR_FULL: some of them are in memory only, or
 * not even that, and the report must not be acknowledged. */
must_check int motion_report(struct motion *motion, const struct wire_player_state *states, uint32_t count,
                             struct wire_player_load *stale, struct motion_receipt *receipt, struct mono now);

/* motion_load finds a player for the session `session_epoch`; older sessions' reports are refused from then on. `done` is
 * called once: from within when the player is in memory, else later. Loads that wait are sent as one query by the next
 * motion_update. While PostgreSQL is away a player is answered from the journal, or by what Redis has, else
 * WIRE_LOAD_UNAVAILABLE.
 * MARCH_ERR_FULL when MOTION_LOADS_MAX loads wait; `done` is not called then. */
must_check int motion_load(struct motion *motion, uint64_t player, uint64_t session_epoch, motion_loaded done, void *ctx,
                           struct mono now);

/* motion_look finds a player in the same way and lets reports of older sessions be: who asks has no zone for it yet. */
must_check int motion_look(struct motion *motion, uint64_t player, uint64_t session_epoch, motion_loaded done, void *ctx,
                           struct mono now);

/* motion_find returns the newest state that is in memory, NULL when there is none. Valid until the next call. */
const struct wire_player_state *motion_find(const struct motion *motion, uint64_t player);

/* motion_update flushes, feeds Redis, sends loads and drops old entries, each when it is time. To be called every 10 to 100
 * ms and after a bout of loads. */
void motion_update(struct motion *motion, struct mono now);

/* motion_flush begins a flush at once unless one is under way, as before an orderly end. */
void motion_flush(struct motion *motion, struct mono now);

/* motion_finish is motion_update before an orderly end: what comes while a flush is under way need not wait for flush_ms. */
void motion_finish(struct motion *motion, struct mono now);

/* motion_is_clean tells whether PostgreSQL has everything and nothing is under way. */
bool motion_is_clean(const struct motion *motion);

struct motion_stats motion_stats_get(const struct motion *motion);

#endif
