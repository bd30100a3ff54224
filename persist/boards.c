/* boards.c: see boards.h. */
#include "persist/boards.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "persist/boards_inner.h"

#define PG_MS 5000

static const char *const names[BOARD_COUNT] = {"experience", "gold"};

static const struct pg_statement fence_statement = {"boards_fence", "select march_fence($1::bigint)"};
static const struct pg_statement raise_statement = {
    "boards_raise", "insert into scores as s (board, season, player, region, score) "
                    "select b, $5::int, p, r, n from unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[]) u (b, p, r, "
                    "n) order by b, p "
                    "on conflict (board, season, player) do update set score = excluded.score, region = excluded.region "
                    "where s.score < excluded.score"};

const char *board_name(enum board board) {
    CHECK((unsigned)board < BOARD_COUNT);
    return names[board];
}

int board_of(const char *name, enum board *board) {
    for (unsigned i = 0; i < BOARD_COUNT; i++) {
        if (strcmp(names[i], name) != 0) continue;
        *board = (enum board)i;
        return 0;
    }
    return MARCH_ERR_NOT_FOUND;
}

void boards_key(const struct boards *boards, char key[BOARDS_KEY_MAX], enum board board, uint32_t season, const char *region,
                const char *suffix) {
    int len = snprintf(key, BOARDS_KEY_MAX, "march:board:%s:%" PRIu32 ":%s:%" PRIu32 "%s", names[board], season, region,
                       boards->shard, suffix);
    CHECK(len > 0 && len < BOARDS_KEY_MAX);
}

static bool is_region(const char *name, size_t len) {
    if (len < 1 || len > BOARDS_REGION_MAX) return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!good) return false;
    }
    return true;
}

int boards_region(struct boards *boards, const char *name, size_t len) {
    for (uint32_t i = 0; i < boards->region_count; i++)
        if (strncmp(boards->regions[i], name, len) == 0 && boards->regions[i][len] == '\0') return (int)i;
    if (!is_region(name, len)) return MARCH_ERR_INVALID;
    if (boards->region_count == BOARDS_REGIONS_MAX) return MARCH_ERR_FULL;
    memcpy(boards->regions[boards->region_count], name, len);
    return (int)boards->region_count++;
}

/* --- updates in memory */

static void enqueue(struct board_queue *queue, uint32_t index) {
    CHECK(queue->count < BOARDS_PENDING_MAX);
    queue->ring[(queue->head + queue->count++) % BOARDS_PENDING_MAX] = index;
}

static uint32_t dequeue(struct board_queue *queue) {
    uint32_t index = queue->ring[queue->head];
    queue->head = (queue->head + 1) % BOARDS_PENDING_MAX;
    queue->count--;
    return index;
}

static void queue_for_redis(struct boards *boards, uint32_t index) {
    struct board_update *update = &boards->updates[index];
    if (update->redis_queued) return;
    update->redis_queued = true;
    enqueue(&boards->redis_queue, index);
}

static void queue_for_pg(struct boards *boards, uint32_t index) {
    struct board_update *update = &boards->updates[index];
    if (update->pg_queued || boards->pg == NULL) return;
    update->pg_queued = true;
    enqueue(&boards->pg_queue, index);
}

static void tidy_update(struct boards *boards, uint32_t index) {
    const struct board_update *update = &boards->updates[index];
    if (update->redis_queued || update->pg_queued || update->redis_flights > 0 || update->pg_flight) return;
    id_map_remove(&boards->by_player[update->board], update->player);
    boards->free_updates[boards->free_count++] = index;
}

void boards_queue_all(struct boards *boards) {
    for (uint32_t i = 0; i < boards->pg_queue.count; i++)
        queue_for_redis(boards, boards->pg_queue.ring[(boards->pg_queue.head + i) % BOARDS_PENDING_MAX]);
    for (uint32_t i = 0; i < boards->pg_row_count; i++) queue_for_redis(boards, boards->pg_rows[i]);
}

/* let_go makes room while Redis is away: what waits for it alone is in PostgreSQL, and comes back by a rebuild. */
static void let_go(struct boards *boards) {
    if (boards->pg == NULL || redis_is_available(boards->redis)) return;
    boards->rebuild.forced = true;
    while (boards->redis_queue.count > 0) {
        uint32_t index = dequeue(&boards->redis_queue);
        boards->updates[index].redis_queued = false;
        tidy_update(boards, index);
    }
    boards->redis_due = 0;
}

/* take_update returns the index of a new update, or ID_MAP_NONE. */
static uint32_t take_update(struct boards *boards, enum board board, uint64_t player) {
    if (boards->free_count == 0) let_go(boards);
    if (boards->free_count == 0) return ID_MAP_NONE;
    uint32_t index = boards->free_updates[--boards->free_count];
    boards->updates[index] = (struct board_update){.player = player, .score = -1, .board = (uint8_t)board};
    int error = id_map_put(&boards->by_player[board], player, index);
    CHECK(error == 0);
    return index;
}

int boards_raise(struct boards *boards, enum board board, const char *region, uint64_t player, int64_t score) {
    CHECK((unsigned)board < BOARD_COUNT);
    if (player == 0 || player > INT64_MAX || score < 0 || score > BOARDS_SCORE_MAX) return MARCH_ERR_INVALID;
    int number = boards_region(boards, region, strlen(region));
    if (number < 0) return number;
    uint32_t index = id_map_find(&boards->by_player[board], player);
    if (index != ID_MAP_NONE)
        boards->stats.coalesced++;
    else
        index = take_update(boards, board, player);
    if (index == ID_MAP_NONE) {
        boards->stats.full++;
        return MARCH_ERR_FULL;
    }
    boards->stats.updates++;
    struct board_update *update = &boards->updates[index];
    if (score <= update->score) return 0;
    update->score = score;
    update->region = (uint8_t)number;
    queue_for_redis(boards, index);
    queue_for_pg(boards, index);
    return 0;
}

/* --- to Redis */

static void pump_redis(struct boards *boards);

/* give_back ends a batch: taken, or to be sent again. */
static void give_back(struct board_batch *batch, bool again) {
    struct boards *boards = batch->boards;
    for (uint32_t i = 0; i < batch->count; i++) {
        uint32_t index = batch->updates[i];
        boards->updates[index].redis_flights--;
        if (again) queue_for_redis(boards, index);
        tidy_update(boards, index);
    }
    batch->count = 0;
    boards->free_batches[boards->free_batch_count++] = (uint32_t)(batch - boards->batches);
}

/* A refusal would be repeated for ever, so it is counted and let go; the score is in PostgreSQL. */
static void on_added(void *ctx, int error, const struct redisReply *reply) {
    struct board_batch *batch = ctx;
    struct boards *boards = batch->boards;
    (void)reply;
    if (error)
        boards->stats.redis_failures++;
    else
        boards->stats.redis_scores += batch->count;
    give_back(batch, error != 0 && error != MARCH_ERR_INVALID);
    /* Many free ones at once, so that each fills though boards and regions come mixed. */
    if (error == 0 && boards->free_batch_count >= BOARDS_BATCHES_MAX / 2) pump_redis(boards);
}

/* send_batch sends a ZADD; false when it can't be sent now. */
static bool send_batch(struct boards *boards, struct board_batch *batch) {
    char key[BOARDS_KEY_MAX];
    boards_key(boards, key, (enum board)batch->board, boards->season, boards->regions[batch->region], "");
    redis_request_reset(&boards->request);
    redis_request_text(&boards->request, "ZADD");
    redis_request_text(&boards->request, key);
    redis_request_text(&boards->request, "GT");
    for (uint32_t i = 0; i < batch->count; i++) {
        redis_request_u64(&boards->request, (uint64_t)batch->scores[i]);
        redis_request_u64(&boards->request, boards->updates[batch->updates[i]].player);
    }
    if (redis_send(boards->redis, &boards->request, BOARDS_DEADLINE_MS, on_added, batch) != 0) {
        boards->stats.redis_failures++;
        give_back(batch, true);
        return false;
    }
    boards_rebuild_note(boards, batch);
    return true;
}

/* pump_redis sends what is due, as far as batches go; the rest when one has been answered. */
static void pump_redis(struct boards *boards) {
    struct board_batch *open[BOARD_COUNT][BOARDS_REGIONS_MAX] = {{NULL}};
    bool good = redis_is_available(boards->redis);
    if (!good) boards->redis_due = 0;
    while (good && boards->redis_due > 0) {
        const struct board_update *next = &boards->updates[boards->redis_queue.ring[boards->redis_queue.head]];
        struct board_batch **batch = &open[next->board][next->region];
        if (*batch == NULL && boards->free_batch_count == 0) break;
        if (*batch == NULL) {
            *batch = &boards->batches[boards->free_batches[--boards->free_batch_count]];
            **batch = (struct board_batch){.boards = boards, .board = next->board, .region = next->region};
        }
        uint32_t index = dequeue(&boards->redis_queue);
        struct board_update *update = &boards->updates[index];
        boards->redis_due--;
        update->redis_queued = false;
        update->redis_flights++;
        (*batch)->updates[(*batch)->count] = index;
        (*batch)->scores[(*batch)->count++] = update->score;
        if ((*batch)->count < BOARDS_BATCH_MAX) continue;
        good = send_batch(boards, *batch);
        *batch = NULL;
    }
    for (uint32_t i = 0; i < BOARD_COUNT * BOARDS_REGIONS_MAX; i++) {
        struct board_batch *batch = open[i / BOARDS_REGIONS_MAX][i % BOARDS_REGIONS_MAX];
        if (batch != NULL) good = send_batch(boards, batch) && good;
    }
    if (!good) boards->redis_due = 0;
}

/* --- to PostgreSQL */

static void pump_pg(struct boards *boards);

static void on_stored(void *ctx, const struct pg_reply *reply) {
    struct boards *boards = ctx;
    if (reply->error)
        boards->stats.pg_failures++;
    else
        boards->stats.pg_scores += boards->pg_row_count;
    if (reply->error) log_warn("boards.not_stored", "error=\"%s\"", march_error_text(reply->error));
    uint32_t count = boards->pg_row_count;
    boards->pg_row_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = boards->pg_rows[i];
        boards->updates[index].pg_flight = false;
        if (reply->error) queue_for_pg(boards, index);
        tidy_update(boards, index);
    }
    if (reply->error == 0) pump_pg(boards);
}

static void build_rows(struct boards *boards) {
    struct pg_params *params = &boards->params;
    pg_params_reset(params);
    pg_params_array(params, PG_TEXT);
    for (uint32_t i = 0; i < boards->pg_row_count; i++) {
        const char *name = names[boards->updates[boards->pg_rows[i]].board];
        pg_params_push_text(params, name, strlen(name));
    }
    pg_params_end(params);
    pg_params_array(params, PG_INT8);
    for (uint32_t i = 0; i < boards->pg_row_count; i++)
        pg_params_push_int8(params, (int64_t)boards->updates[boards->pg_rows[i]].player);
    pg_params_end(params);
    pg_params_array(params, PG_TEXT);
    for (uint32_t i = 0; i < boards->pg_row_count; i++) {
        const char *region = boards->regions[boards->updates[boards->pg_rows[i]].region];
        pg_params_push_text(params, region, strlen(region));
    }
    pg_params_end(params);
    pg_params_int8_array(params, boards->pg_scores, boards->pg_row_count);
    pg_params_int4(params, (int32_t)boards->season);
}

/* pump_pg sends what is due, one statement at a time. */
static void pump_pg(struct boards *boards) {
    if (boards->pg_row_count > 0 || boards->pg_due == 0) return;
    while (boards->pg_due > 0 && boards->pg_row_count < BOARDS_ROWS_MAX) {
        uint32_t index = dequeue(&boards->pg_queue);
        struct board_update *update = &boards->updates[index];
        boards->pg_due--;
        update->pg_queued = false;
        update->pg_flight = true;
        boards->pg_scores[boards->pg_row_count] = update->score;
        boards->pg_rows[boards->pg_row_count++] = index;
    }
    build_rows(boards);
    struct pg_call calls[] = {{&fence_statement, &boards->fence}, {&raise_statement, &boards->params}};
    int error = pg_run(boards->pg, calls, 2, PG_TRANSACTION, PG_MS, on_stored, boards);
    if (error == 0) return;
    boards->pg_due = 0;
    on_stored(boards, &(struct pg_reply){.error = error});
}

static void on_announced(void *ctx, int error, const struct redisReply *reply) {
    struct boards *boards = ctx;
    (void)reply;
    if (error == 0) boards->announced = boards->announcing;
    boards->announcing = 0;
}

/* announce tells Redis which regions there are, so that a persist that starts anew knows them. */
static void announce(struct boards *boards) {
    if (boards->announced == boards->region_count || boards->announcing > 0) return;
    redis_request_reset(&boards->request);
    redis_request_text(&boards->request, "SADD");
    redis_request_key(&boards->request, "march:board:regions:%" PRIu32, boards->shard);
    for (uint32_t i = 0; i < boards->region_count; i++) redis_request_text(&boards->request, boards->regions[i]);
    if (redis_send(boards->redis, &boards->request, BOARDS_DEADLINE_MS, on_announced, boards) == 0)
        boards->announcing = boards->region_count;
}

void boards_flush(struct boards *boards) {
    announce(boards);
    boards->redis_due = boards->redis_queue.count;
    boards->pg_due = boards->pg_queue.count;
    pump_redis(boards);
    pump_pg(boards);
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int events) {
    (void)loop;
    (void)events;
    struct boards *boards = watcher->data;
    boards_rebuild_tick(boards);
    boards_flush(boards);
}

static void on_available(void *ctx, bool available) {
    struct boards *boards = ctx;
    boards->ready = false;
    boards_rebuild_lost(boards);
    if (available) boards_rebuild_check(boards);
}

/* --- life */

static bool allocate(struct boards *boards) {
    boards->updates = calloc(BOARDS_PENDING_MAX, sizeof *boards->updates);
    boards->free_updates = calloc(BOARDS_PENDING_MAX, sizeof *boards->free_updates);
    boards->redis_queue.ring = calloc(BOARDS_PENDING_MAX, sizeof *boards->redis_queue.ring);
    boards->pg_queue.ring = calloc(BOARDS_PENDING_MAX, sizeof *boards->pg_queue.ring);
    boards->batches = calloc(BOARDS_BATCHES_MAX, sizeof *boards->batches);
    boards->page = calloc(BOARDS_PAGE_MAX, sizeof *boards->page);
    boards->lists = calloc((size_t)BOARDS_PAGE_MAX * BOARDS_REGIONS_MAX, sizeof *boards->lists);
    bool good = boards->updates && boards->free_updates && boards->redis_queue.ring && boards->pg_queue.ring &&
                boards->batches && boards->page && boards->lists;
    for (unsigned i = 0; i < BOARD_COUNT; i++) good = good && id_map_create(&boards->by_player[i], BOARDS_PENDING_MAX) == 0;
    if (!good) return false;
    for (uint32_t i = 0; i < BOARDS_PENDING_MAX; i++)
        boards->free_updates[boards->free_count++] = BOARDS_PENDING_MAX - 1 - i;
    for (uint32_t i = 0; i < BOARDS_BATCHES_MAX; i++) boards->free_batches[boards->free_batch_count++] = i;
    return true;
}

int boards_open(struct boards **out, struct ev_loop *loop, const struct boards_config *config) {
    struct boards *boards = calloc(1, sizeof *boards);
    if (boards == NULL) return MARCH_ERR_SYSTEM;
    *boards = (struct boards){
        .loop = loop, .redis = config->redis, .pg = config->pg, .shard = config->shard, .season = config->season};
    redis_request_init(&boards->request);
    pg_params_init(&boards->fence);
    pg_params_init(&boards->params);
    pg_params_int8(&boards->fence, config->shard_epoch);
    ev_init(&boards->timer, on_timer);
    boards->timer.repeat = (config->flush_ms ? config->flush_ms : BOARDS_FLUSH_MS) / 1e3;
    boards->timer.data = boards;
    if (!allocate(boards)) {
        boards_close(boards);
        return MARCH_ERR_SYSTEM;
    }
    boards_read_init(boards);
    redis_watch(boards->redis, on_available, boards);
    if (redis_is_available(boards->redis)) boards_rebuild_check(boards);
    ev_timer_again(loop, &boards->timer);
    *out = boards;
    return 0;
}

void boards_close(struct boards *boards) {
    if (boards == NULL) return;
    ev_timer_stop(boards->loop, &boards->timer);
    redis_request_deinit(&boards->request);
    pg_params_deinit(&boards->fence);
    pg_params_deinit(&boards->params);
    for (unsigned i = 0; i < BOARD_COUNT; i++) id_map_destroy(&boards->by_player[i]);
    free(boards->updates);
    free(boards->free_updates);
    free(boards->redis_queue.ring);
    free(boards->pg_queue.ring);
    free(boards->batches);
    free(boards->page);
    free(boards->lists);
    free(boards);
}

struct boards_stats boards_stats_get(const struct boards *boards) {
    struct boards_stats stats = boards->stats;
    stats.pending = BOARDS_PENDING_MAX - boards->free_count;
    stats.rebuilding = boards->rebuild.state != REBUILD_NONE;
    return stats;
}
