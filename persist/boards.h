/* boards.h: leaderboards: each player's best score of a season.
 *
 * A board is a sorted set in Redis for each season and region: `march:board:{name}:{season}:{region}:{shard}`; members are
 * player ids in decimal. Scores only rise (ZADD GT), so an update may be repeated and come in any order. The durable copy is
 * PostgreSQL's table `scores`, written behind, also only where raised.
 *
 * Updates gather in memory, one for a player and board, and go out every flush_ms to both. What a store did not take stays
 * and is tried again. `march:board:ready:{shard}` holds the run id of the Redis that the boards were built in. Where it is
 * another (Redis started anew: empty, or with an older state) all are rebuilt from PostgreSQL: in pages, into temporary
 * keys, renamed at the end; meanwhile updates go to both. `march:board:regions:{shard}` names the regions.
 *
 * Order: score descending, then id as text, descending (as Redis has it). Ranks are places in this order, so no two are the
 * same: 1 + how many stand before, be it in one region, in all, or over shards, where these counts add up (boards_place).
 *
 * Limits: BOARDS_REGIONS_MAX regions, BOARDS_PENDING_MAX updates in memory (past that a new one is refused and counted;
 * while Redis is away those that wait for it alone are let go first, and it is rebuilt when it is back), BOARDS_PAGE_MAX
 * entries a page, BOARDS_READS_MAX reads under way. A player who changes region keeps a line in the old one until the next
 * rebuild, and counts there, too. Without Redis, and while the boards are rebuilt, reads end with MARCH_ERR_UNAVAILABLE;
 * reads.h then makes them of the rows of `scores`.
 */
#ifndef MARCH_PERSIST_BOARDS_H
#define MARCH_PERSIST_BOARDS_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "persist/pg.h"
#include "persist/redis.h"

#define BOARDS_REGIONS_MAX 32
#define BOARDS_REGION_MAX  31 /* bytes of a region's name */
#define BOARDS_LISTS_MAX   64 /* lists of one merge: regions or shards */
#define BOARDS_PENDING_MAX (1u << 18)
#define BOARDS_PAGE_MAX    1000
#define BOARDS_AROUND_MAX  50
#define BOARDS_READS_MAX   4096
#define BOARDS_FLUSH_MS    500
#define BOARDS_DEADLINE_MS 500
#define BOARDS_SCORE_MAX   ((1LL << 53) - 1) /* sorted sets keep doubles */

enum board { BOARD_EXPERIENCE = 0, BOARD_GOLD = 1, BOARD_COUNT = 2 };

struct boards;

struct board_entry {
    uint64_t player;
    int64_t score;
    uint64_t rank; /* 1 is the first */
};

/* A piece of a board. Valid during the callback. */
struct board_page {
    const struct board_entry *entries;
    uint32_t count;
    uint64_t total;          /* players on the board, in the regions asked for */
    struct board_entry self; /* of boards_around and boards_place: the player asked for */
};

/* error: 0, MARCH_ERR_NOT_FOUND (the player has no score), MARCH_ERR_UNAVAILABLE, MARCH_ERR_EXPIRED; page NULL then. */
typedef void (*boards_done)(void *ctx, int error, const struct board_page *page);

struct boards_config {
    struct redis *redis;
    struct pg *pg; /* NULL: nothing durable, no rebuild */
    int64_t shard_epoch;
    uint32_t shard;
    uint32_t season;   /* of updates */
    uint32_t flush_ms; /* 0: BOARDS_FLUSH_MS */
};

struct boards_stats {
    uint64_t updates;                     /* boards_raise calls that were taken */
    uint64_t coalesced;                   /* of these, on one that waited */
    uint64_t full;                        /* refused */
    uint64_t redis_scores, pg_scores;     /* sent and taken */
    uint64_t redis_failures, pg_failures; /* batches */
    uint64_t rebuilds, rebuild_failures, rebuilt_scores;
    uint64_t reads, read_failures;
    uint32_t pending; /* updates in memory */
    bool rebuilding;
};

/* board_name returns a board's name in keys and tables; board_of the board of a name, MARCH_ERR_NOT_FOUND for none. */
const char *board_name(enum board board);
must_check int board_of(const char *name, enum board *board);

/* boards_open takes its memory; MARCH_ERR_SYSTEM when it is short. boards_close forgets what waits (flush and await first
 * where that matters); only after its stores: first redis_close, then pg_destroy, then this. */
must_check int boards_open(struct boards **out, struct ev_loop *loop, const struct boards_config *config);
void boards_close(struct boards *boards);

/* boards_raise notes a player's score; below the best one it does nothing in the end. MARCH_ERR_FULL: too many wait, or a
 * region too many; MARCH_ERR_INVALID: score below 0 or past BOARDS_SCORE_MAX, or a bad region. */
must_check int boards_raise(struct boards *boards, enum board board, const char *region, uint64_t player, int64_t score);

/* boards_flush begins to send what waits now, rather than at the next interval. */
void boards_flush(struct boards *boards);

/* boards_top reads the entries from rank `from` (1 is the first), `count` of them, at most BOARDS_PAGE_MAX; `region` NULL:
 * all regions merged (from + count at most BOARDS_PAGE_MAX then). Returns MARCH_ERR_UNAVAILABLE, _FULL, _INVALID without a
 * call of `done`. `season` 0 is the present one. */
must_check int boards_top(struct boards *boards, enum board board, uint32_t season, const char *region, uint32_t from,
                          uint32_t count, boards_done done, void *ctx);

/* boards_around reads a player's rank and score and `around` entries before and after, at most BOARDS_AROUND_MAX; the player
 * is between them. */
must_check int boards_around(struct boards *boards, enum board board, uint32_t season, const char *region, uint64_t player,
                             uint32_t around, boards_done done, void *ctx);

/* boards_place is boards_around for a player of another shard, who is not on this board: where he stands here with his
 * `score`. A rank over shards is 1 + the sum of what each has before him: self.rank - 1. */
must_check int boards_place(struct boards *boards, enum board board, uint32_t season, const char *region, uint64_t player,
                            int64_t score, uint32_t around, boards_done done, void *ctx);

/* boards_merge merges the tops of several regions or shards, each in the order of a board, into `out`: at most `max`
 * entries, with new ranks from 1. Returns how many. Pure. A player who is in several lists counts once, at the best. */
uint32_t boards_merge(const struct board_entry *const *lists, const uint32_t *counts, uint32_t list_count,
                      struct board_entry *out, uint32_t max);

/* boards_nearest finds the neighbours of a player in several regions or shards: each list is in the order of a board and has
 * the nearest `around` on either side of his place there. Writes them and him, ranks counted from self->rank, at most
 * 2 * around + 1 (around at most BOARDS_AROUND_MAX). Returns how many. Pure. Nobody is told twice. */
uint32_t boards_nearest(const struct board_entry *const *lists, const uint32_t *counts, uint32_t list_count,
                        const struct board_entry *self, uint32_t around, struct board_entry *out);

struct boards_stats boards_stats_get(const struct boards *boards);

#endif
