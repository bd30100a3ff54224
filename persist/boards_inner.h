/* boards_inner.h: what the files of boards share. Nobody else includes it.
 *
 *     boards.c          updates: gathered, sent to both stores, tried again
 *     boards_rebuild.c  from PostgreSQL into a Redis that lost them
 *     boards_read.c     pages, ranks, the merge
 */
#ifndef MARCH_PERSIST_BOARDS_INNER_H
#define MARCH_PERSIST_BOARDS_INNER_H

#include "persist/boards.h"
#include "persist/id_map.h"

#define BOARDS_BATCH_MAX   128  /* scores of one ZADD */
#define BOARDS_BATCHES_MAX 128  /* ZADDs in flight */
#define BOARDS_ROWS_MAX    4096 /* scores of one statement */
#define BOARDS_KEY_MAX     128

/* A player's score that a store has not taken yet. Free when neither queued nor in flight anywhere. */
struct board_update {
    uint64_t player;
    int64_t score;
    uint8_t board, region;
    bool redis_queued, pg_queued;
    uint8_t redis_flights; /* ZADDs in flight that have it, maybe with an older score */
    bool pg_flight;
};

/* A queue of indexes of updates. Each is in it at most once, so it never overflows. */
struct board_queue {
    uint32_t *ring; /* BOARDS_PENDING_MAX */
    uint32_t head, count;
};

/* A ZADD that is being filled, or in flight. */
struct board_batch {
    struct boards *boards;
    uint32_t count;
    uint8_t board, region;
    uint32_t updates[BOARDS_BATCH_MAX];
    int64_t scores[BOARDS_BATCH_MAX];
};

enum rebuild_state {
    REBUILD_NONE = 0,    /* Redis has the boards, or is away */
    REBUILD_ASKING = 1,  /* which Redis were they built in, which regions are there */
    REBUILD_PAGES = 2,   /* updates go to the temporary keys, too */
    REBUILD_RENAMES = 3, /* all of it is sent */
    REBUILD_MARKING = 4,
    REBUILD_WAITING = 5, /* failed; tried again with a later flush */
    REBUILD_STATE_COUNT = 6
};

struct rebuild {
    enum rebuild_state state;
    bool forced;      /* updates were let go */
    bool ours;        /* this Redis has our boards */
    bool failed;      /* something that was sent was not taken */
    bool reading;     /* a page is asked for */
    uint32_t answers; /* that are to come */
    uint32_t notes;   /* the same, of updates to temporary keys */
    uint32_t board;
    uint64_t player;                           /* the last of the page before */
    uint32_t pause;                            /* flushes until it is tried again */
    bool met[BOARD_COUNT][BOARDS_REGIONS_MAX]; /* a temporary key was begun */
    char marker[64];
};

struct boards {
    struct ev_loop *loop;
    struct redis *redis;
    struct pg *pg;
    uint32_t shard, season, reads_under_way;
    bool ready; /* what Redis has is ours */
    ev_timer timer;
    unsigned top_script, place_script;
    struct redis_request request;
    struct pg_params fence, params;
    char regions[BOARDS_REGIONS_MAX][BOARDS_REGION_MAX + 1];
    uint32_t region_count;
    uint32_t announced, announcing; /* how many regions Redis knows; was told and has not answered */
    struct id_map by_player[BOARD_COUNT];
    struct board_update *updates;
    uint32_t *free_updates, free_count;
    struct board_queue redis_queue, pg_queue;
    uint32_t redis_due, pg_due; /* of the queues: what this flush sends */
    struct board_batch *batches;
    uint32_t free_batches[BOARDS_BATCHES_MAX], free_batch_count;
    uint32_t pg_rows[BOARDS_ROWS_MAX]; /* in flight */
    int64_t pg_scores[BOARDS_ROWS_MAX];
    uint32_t pg_row_count; /* 0: none */
    struct rebuild rebuild;
    struct board_entry *page, *lists; /* of the read that is being answered */
    struct boards_stats stats;
};

/* boards_region returns the number of a region, a new one where it is not known; MARCH_ERR_INVALID, MARCH_ERR_FULL. */
must_check int boards_region(struct boards *boards, const char *name, size_t len);

/* boards_key writes the key of a board; `suffix` is "" or that of the temporary one. */
void boards_key(const struct boards *boards, char key[BOARDS_KEY_MAX], enum board board, uint32_t season, const char *region,
                const char *suffix);

/* boards_queue_all lets every update that is in memory go to Redis once more. */
void boards_queue_all(struct boards *boards);

/* boards_rebuild_check asks whether Redis has our boards, and rebuilds them where it has not. boards_rebuild_lost: the
 * connection is lost. boards_rebuild_tick: a flush. */
void boards_rebuild_check(struct boards *boards);
void boards_rebuild_lost(struct boards *boards);
void boards_rebuild_tick(struct boards *boards);

/* boards_rebuild_note sends scores to the temporary key, too, while there is one. `boards->request` is used. */
void boards_rebuild_note(struct boards *boards, const struct board_batch *batch);

void boards_read_init(struct boards *boards);

#endif
