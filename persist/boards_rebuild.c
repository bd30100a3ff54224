/* boards_rebuild.c: boards in Redis from the scores in PostgreSQL.
 *
 *     NONE --connected--> ASKING --not ours--> PAGES --last page--> RENAMES --> MARKING --> NONE, ready
 *                           |ours: NONE, ready   |                    |            |
 *                           +------- WAITING <---+-------failed-------+------------+
 *
 * Scores that PostgreSQL has not taken yet are still in memory, and go to Redis once more when PAGES begins; from then on
 * until the renames are sent every update goes to the temporary key as well as to the live one. So none is missing.
 *
 * A new try begins only when all that the one before asked has been answered, so an answer is always of this try.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "persist/boards_inner.h"

#define PAGE_ROWS   8192
#define ZADD_SCORES 512
#define PG_MS       10000
#define REDIS_MS    5000
#define PAUSE_TICKS 4
#define CHECK_TICKS 20 /* flushes between looks whether the marker is still there: somebody may empty a Redis that lives */
#define SUFFIX      ":new"

static const struct pg_statement page_statement = {
    "boards_page", "select player, region, score from scores where board = $1::text and season = $2::int "
                   "and player > $3::bigint order by player limit $4::int"};

/* Rows of a page, by column. */
struct rows {
    uint32_t count;
    uint8_t regions[PAGE_ROWS];
    uint64_t players[PAGE_ROWS];
    int64_t scores[PAGE_ROWS];
};

static void fail(struct boards *boards) {
    struct rebuild *rebuild = &boards->rebuild;
    log_warn("boards.rebuild_failed", "state=%d board=%" PRIu32, (int)rebuild->state, rebuild->board);
    if (rebuild->state != REBUILD_ASKING) boards->stats.rebuild_failures++;
    rebuild->state = REBUILD_WAITING;
    rebuild->pause = PAUSE_TICKS;
}

static struct redis_request *begin(struct boards *boards, const char *verb) {
    redis_request_reset(&boards->request);
    redis_request_text(&boards->request, verb);
    return &boards->request;
}

static void step(struct boards *boards);

/* answered counts an answer, and goes on after the last. */
static void answered(struct boards *boards, bool good) {
    boards->rebuild.failed |= !good;
    if (--boards->rebuild.answers == 0) step(boards);
}

static void on_answer(void *ctx, int error, const struct redisReply *reply) {
    (void)reply;
    answered(ctx, error == 0);
}

/* send sends boards->request. */
static void send(struct boards *boards, redis_done done) {
    if (redis_send(boards->redis, &boards->request, REDIS_MS, done, boards) == 0)
        boards->rebuild.answers++;
    else
        boards->rebuild.failed = true;
}

/* --- which Redis is it */

static void on_marker(void *ctx, int error, const struct redisReply *reply) {
    struct boards *boards = ctx;
    boards->rebuild.ours =
        error == 0 && reply->type == REDIS_REPLY_STRING && strcmp(reply->str, boards->rebuild.marker) == 0;
    answered(boards, error == 0);
}

static void on_regions(void *ctx, int error, const struct redisReply *reply) {
    struct boards *boards = ctx;
    for (size_t i = 0; error == 0 && reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        const struct redisReply *name = reply->element[i];
        if (name->type != REDIS_REPLY_STRING || boards_region(boards, name->str, (size_t)name->len) < 0)
            log_warn("boards.bad_region", "shard=%" PRIu32, boards->shard);
    }
    answered(boards, error == 0);
}

void boards_rebuild_check(struct boards *boards) {
    struct rebuild *rebuild = &boards->rebuild;
    rebuild->state = REBUILD_WAITING;
    rebuild->pause = 1;
    if (rebuild->answers > 0 || rebuild->notes > 0 || rebuild->reading || !redis_is_available(boards->redis)) return;
    rebuild->state = REBUILD_ASKING;
    rebuild->failed = rebuild->ours = false;
    snprintf(rebuild->marker, sizeof rebuild->marker, "%s %" PRIu32, redis_run_id(boards->redis), boards->season);
    redis_request_key(begin(boards, "GET"), "march:board:ready:%" PRIu32, boards->shard);
    send(boards, on_marker);
    redis_request_key(begin(boards, "SMEMBERS"), "march:board:regions:%" PRIu32, boards->shard);
    send(boards, on_regions);
    if (rebuild->answers == 0) fail(boards);
}

void boards_rebuild_lost(struct boards *boards) {
    struct rebuild *rebuild = &boards->rebuild;
    if (rebuild->state != REBUILD_NONE && rebuild->state != REBUILD_WAITING) fail(boards);
}

void boards_rebuild_tick(struct boards *boards) {
    struct rebuild *rebuild = &boards->rebuild;
    if (!redis_is_available(boards->redis)) return;
    if (rebuild->state != REBUILD_WAITING && rebuild->state != REBUILD_NONE) return;
    if (rebuild->pause > 0) rebuild->pause--;
    if (rebuild->pause == 0) boards_rebuild_check(boards);
}

/* --- pages */

/* begin_zadd begins a ZADD to the temporary key of a region, which is removed first where it is met for the first time. */
static struct redis_request *begin_zadd(struct boards *boards, enum board board, uint32_t region) {
    char key[BOARDS_KEY_MAX];
    boards_key(boards, key, board, boards->season, boards->regions[region], SUFFIX);
    if (!boards->rebuild.met[board][region]) {
        boards->rebuild.met[board][region] = true;
        redis_request_text(begin(boards, "DEL"), key);
        send(boards, on_answer);
    }
    struct redis_request *request = begin(boards, "ZADD");
    redis_request_text(request, key);
    redis_request_text(request, "GT");
    return request;
}

static void on_noted(void *ctx, int error, const struct redisReply *reply) {
    struct boards *boards = ctx;
    (void)reply;
    boards->rebuild.notes--;
    boards->rebuild.failed |= error != 0;
    if (boards->rebuild.notes == 0 && boards->rebuild.answers == 0) step(boards);
}

void boards_rebuild_note(struct boards *boards, const struct board_batch *batch) {
    if (boards->rebuild.state != REBUILD_PAGES) return;
    struct redis_request *request = begin_zadd(boards, (enum board)batch->board, batch->region);
    for (uint32_t i = 0; i < batch->count; i++) {
        redis_request_u64(request, (uint64_t)batch->scores[i]);
        redis_request_u64(request, boards->updates[batch->updates[i]].player);
    }
    if (redis_send(boards->redis, request, REDIS_MS, on_noted, boards) == 0)
        boards->rebuild.notes++;
    else
        boards->rebuild.failed = true;
}

/* add_region sends the scores of one region of a page. */
static void add_region(struct boards *boards, const struct rows *rows, uint32_t region) {
    struct redis_request *request = NULL;
    for (uint32_t i = 0, count = 0; i < rows->count; i++) {
        if (rows->regions[i] != region) continue;
        if (count == 0) request = begin_zadd(boards, (enum board)boards->rebuild.board, region);
        redis_request_u64(request, (uint64_t)rows->scores[i]);
        redis_request_u64(request, rows->players[i]);
        if (++count < ZADD_SCORES) continue;
        send(boards, on_answer);
        request = NULL;
        count = 0;
    }
    if (request != NULL) send(boards, on_answer);
}

/* take_rows reads a page; what is not as expected fails it. */
static int take_rows(struct boards *boards, const PGresult *result, struct rows *rows) {
    int count = pg_rows(result);
    for (int i = 0; i < count && i < PAGE_ROWS; i++) {
        struct pg_row row = pg_row_at(result, i);
        size_t len;
        uint64_t player = pg_row_u64(&row, 0);
        const char *name = pg_row_text(&row, 1, &len);
        int64_t score = pg_row_int8(&row, 2);
        if (row.error || score < 0 || score > BOARDS_SCORE_MAX) return MARCH_ERR_INVALID;
        boards->rebuild.player = player;
        int region = boards_region(boards, name, len);
        if (region < 0) {
            log_warn("boards.bad_region", "player=%" PRIu64, player);
            continue;
        }
        rows->players[rows->count] = player;
        rows->scores[rows->count] = score;
        rows->regions[rows->count++] = (uint8_t)region;
    }
    return 0;
}

static void on_page(void *ctx, const struct pg_reply *reply) {
    struct boards *boards = ctx;
    struct rebuild *rebuild = &boards->rebuild;
    struct rows rows;
    rebuild->reading = false;
    if (rebuild->state != REBUILD_PAGES) return;
    rows.count = 0;
    if (reply->error || take_rows(boards, reply->results[0], &rows) != 0) {
        fail(boards);
        return;
    }
    for (uint32_t region = 0; region < boards->region_count; region++) add_region(boards, &rows, region);
    if (pg_rows(reply->results[0]) < PAGE_ROWS) {
        rebuild->board++;
        rebuild->player = 0;
    }
    boards->stats.rebuilt_scores += rows.count;
    if (rebuild->answers == 0) step(boards);
}

static void read_page(struct boards *boards) {
    struct rebuild *rebuild = &boards->rebuild;
    const char *name = board_name((enum board)rebuild->board);
    pg_params_reset(&boards->params);
    pg_params_text(&boards->params, name, strlen(name));
    pg_params_int4(&boards->params, (int32_t)boards->season);
    pg_params_int8(&boards->params, (int64_t)rebuild->player);
    pg_params_int4(&boards->params, PAGE_ROWS);
    struct pg_call call = {&page_statement, &boards->params};
    rebuild->reading = pg_run(boards->pg, &call, 1, PG_READ, PG_MS, on_page, boards) == 0;
    if (!rebuild->reading) fail(boards);
}

/* --- steps */

static void begin_pages(struct boards *boards) {
    struct rebuild *rebuild = &boards->rebuild;
    log_info("boards.rebuilding", "shard=%" PRIu32 " season=%" PRIu32, boards->shard, boards->season);
    boards->ready = false;
    rebuild->state = REBUILD_PAGES;
    rebuild->board = 0;
    rebuild->player = 0;
    memset(rebuild->met, 0, sizeof rebuild->met);
    boards->announced = 0;
    boards_queue_all(boards);
    read_page(boards);
}

static void send_renames(struct boards *boards) {
    char from[BOARDS_KEY_MAX], to[BOARDS_KEY_MAX];
    boards->rebuild.state = REBUILD_RENAMES;
    for (uint32_t i = 0; i < BOARD_COUNT * BOARDS_REGIONS_MAX; i++) {
        enum board board = (enum board)(i / BOARDS_REGIONS_MAX);
        uint32_t region = i % BOARDS_REGIONS_MAX;
        if (!boards->rebuild.met[board][region]) continue;
        boards_key(boards, from, board, boards->season, boards->regions[region], SUFFIX);
        boards_key(boards, to, board, boards->season, boards->regions[region], "");
        redis_request_text(begin(boards, "RENAME"), from);
        redis_request_text(&boards->request, to);
        send(boards, on_answer);
    }
    if (boards->rebuild.answers == 0) step(boards);
}

static void send_marker(struct boards *boards) {
    boards->rebuild.state = REBUILD_MARKING;
    redis_request_key(begin(boards, "SET"), "march:board:ready:%" PRIu32, boards->shard);
    redis_request_text(&boards->request, boards->rebuild.marker);
    send(boards, on_answer);
    if (boards->rebuild.answers == 0) step(boards);
}

static void become_ready(struct boards *boards) {
    boards->rebuild.state = REBUILD_NONE;
    boards->rebuild.forced = false;
    boards->rebuild.pause = CHECK_TICKS;
    boards->ready = true;
}

/* step goes on when all that was sent has been answered. */
static void step(struct boards *boards) {
    struct rebuild *rebuild = &boards->rebuild;
    if (rebuild->state == REBUILD_NONE || rebuild->state == REBUILD_WAITING || rebuild->reading) return;
    if (rebuild->failed) {
        fail(boards);
    } else if (rebuild->state == REBUILD_ASKING && rebuild->ours && !rebuild->forced) {
        become_ready(boards);
    } else if (rebuild->state == REBUILD_ASKING && boards->pg != NULL) {
        begin_pages(boards);
    } else if (rebuild->state == REBUILD_ASKING) {
        send_marker(boards);
    } else if (rebuild->state == REBUILD_PAGES && rebuild->board < BOARD_COUNT) {
        read_page(boards);
    } else if (rebuild->state == REBUILD_PAGES && rebuild->notes == 0) {
        send_renames(boards);
    } else if (rebuild->state == REBUILD_RENAMES) {
        send_marker(boards);
    } else if (rebuild->state == REBUILD_MARKING) {
        boards->stats.rebuilds++;
        log_info("boards.rebuilt", "shard=%" PRIu32 " scores=%" PRIu64, boards->shard, boards->stats.rebuilt_scores);
        become_ready(boards);
    }
}
