/* boards_read.c: reads of boards, each one script call, and the merge of tops. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "persist/boards_inner.h"

/* Scripts get the keys of the regions asked for. Lists are {member, score, member, score ...} in the order of a board. */

/* ARGV: first and last index. Answer: {players, list of each key}. */
static const char top_source[] = "local total, reply = 0, {0} "
                                 "for i = 1, #KEYS do "
                                 "  total = total + redis.call('ZCARD', KEYS[i]) "
                                 "  reply[i + 1] = redis.call('ZREVRANGE', KEYS[i], ARGV[1], ARGV[2], 'WITHSCORES') "
                                 "end "
                                 "reply[1] = total "
                                 "return reply";

/* ARGV: player, how many around. Answer: {} or {players, rank, score, 0-based rank of the first in the list, list} for one
 * key; {players, rank, score, -1, nearest above and nearest not above of each key} for several. */
static const char around_source[] =
    "local score, total, above = nil, 0, 0 "
    "for i = 1, #KEYS do "
    "  local s = redis.call('ZSCORE', KEYS[i], ARGV[1]) "
    "  if s and (not score or tonumber(s) > tonumber(score)) then score = s end "
    "  total = total + redis.call('ZCARD', KEYS[i]) "
    "end "
    "if not score then return {} end "
    "if #KEYS == 1 then "
    "  local rank = redis.call('ZREVRANK', KEYS[1], ARGV[1]) "
    "  local first = math.max(0, rank - ARGV[2]) "
    "  return {total, rank + 1, score, first, redis.call('ZREVRANGE', KEYS[1], first, rank + ARGV[2], 'WITHSCORES')} "
    "end "
    "local reply = {total, 0, score, -1} "
    "for i = 1, #KEYS do "
    "  above = above + redis.call('ZCOUNT', KEYS[i], '(' .. score, '+inf') "
    "  reply[#reply + 1] = redis.call('ZRANGEBYSCORE', KEYS[i], '(' .. score, '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2]) "
    "  reply[#reply + 1] = redis.call('ZREVRANGEBYSCORE', KEYS[i], score, '-inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2] + 1) "
    "end "
    "reply[2] = above + 1 "
    "return reply";

/* ARGV: score. Answer: {how many are above}. */
static const char above_source[] = "local above = 0 "
                                   "for i = 1, #KEYS do above = above + redis.call('ZCOUNT', KEYS[i], ARGV[1], '+inf') end "
                                   "return {above}";

/* A read that is under way. */
struct reading {
    struct boards *boards;
    boards_done done;
    void *ctx;
    bool merged;          /* of several regions */
    uint32_t from, count; /* of a top */
    uint64_t player;      /* of neighbours */
    uint32_t around;
};

/* --- the merge */

static int compare_texts(uint64_t a, uint64_t b) {
    char x[24], y[24];
    snprintf(x, sizeof x, "%" PRIu64, a);
    snprintf(y, sizeof y, "%" PRIu64, b);
    return strcmp(x, y);
}

/* is_before tells whether `a` stands before `b` on a board. */
static bool is_before(const struct board_entry *a, const struct board_entry *b) {
    if (a->score != b->score) return a->score > b->score;
    return a->player != b->player && compare_texts(a->player, b->player) > 0;
}

static bool has_player(const struct board_entry *entries, uint32_t count, uint64_t player) {
    for (uint32_t i = 0; i < count; i++)
        if (entries[i].player == player) return true;
    return false;
}

uint32_t boards_merge(const struct board_entry *const *lists, const uint32_t *counts, uint32_t list_count,
                      struct board_entry *out, uint32_t max) {
    uint32_t heads[BOARDS_LISTS_MAX] = {0}, count = 0;
    CHECK(list_count <= BOARDS_LISTS_MAX);
    while (count < max) {
        uint32_t best = list_count;
        for (uint32_t i = 0; i < list_count; i++) {
            if (heads[i] == counts[i]) continue;
            if (best == list_count || is_before(&lists[i][heads[i]], &lists[best][heads[best]])) best = i;
        }
        if (best == list_count) return count;
        const struct board_entry *entry = &lists[best][heads[best]++];
        if (list_count > 1 && has_player(out, count, entry->player)) continue;
        out[count] = *entry;
        out[count].rank = count + 1;
        count++;
    }
    return count;
}

/* --- answers */

/* read_list reads a list of the reply into `out`; MARCH_ERR_INVALID when it is not one, or longer than `max`. */
static int read_list(const struct redisReply *reply, struct board_entry *out, uint32_t max, bool backwards,
                     uint32_t *count) {
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || reply->elements % 2 != 0 || reply->elements / 2 > max)
        return MARCH_ERR_INVALID;
    *count = (uint32_t)(reply->elements / 2);
    for (uint32_t i = 0; i < *count; i++) {
        struct board_entry *entry = &out[backwards ? *count - 1 - i : i];
        *entry = (struct board_entry){0};
        if (!redis_reply_u64(reply->element[2 * i], &entry->player) ||
            !redis_reply_i64(reply->element[2 * i + 1], &entry->score))
            return MARCH_ERR_INVALID;
    }
    return 0;
}

/* merge_lists merges every `step`-th list from element `at` of the reply on into `out`. */
static int merge_lists(struct boards *boards, const struct redisReply *reply, size_t at, size_t step, bool backwards,
                       struct board_entry *out, uint32_t max, uint32_t *count) {
    const struct board_entry *lists[BOARDS_REGIONS_MAX];
    uint32_t counts[BOARDS_REGIONS_MAX], list_count = 0;
    for (; at < reply->elements; at += step) {
        if (list_count == BOARDS_REGIONS_MAX) return MARCH_ERR_INVALID;
        struct board_entry *list = boards->lists + (size_t)list_count * BOARDS_PAGE_MAX;
        int error = read_list(reply->element[at], list, BOARDS_PAGE_MAX, backwards, &counts[list_count]);
        if (error) return error;
        lists[list_count++] = list;
    }
    *count = boards_merge(lists, counts, list_count, out, max);
    return 0;
}

static int read_top(const struct reading *reading, const struct redisReply *reply, struct board_page *page) {
    struct boards *boards = reading->boards;
    if (!redis_reply_u64(redis_reply_item(reply, 0), &page->total)) return MARCH_ERR_INVALID;
    uint32_t skip = reading->merged ? reading->from - 1 : 0;
    int error = merge_lists(boards, reply, 1, 1, false, boards->page, skip + reading->count, &page->count);
    if (error) return error;
    for (uint32_t i = 0; i < page->count; i++) boards->page[i].rank += reading->merged ? 0 : reading->from - 1;
    page->count = page->count > skip ? page->count - skip : 0;
    page->entries = boards->page + skip;
    return 0;
}

/* read_nearest reads neighbours out of several regions: the last `around` of those above, the player, the first `around` of
 * the others. */
static int read_nearest(const struct reading *reading, const struct redisReply *reply, struct board_page *page) {
    struct boards *boards = reading->boards;
    struct board_entry above[BOARDS_PAGE_MAX], below[BOARDS_AROUND_MAX + 2];
    uint32_t above_count, below_count;
    int error = merge_lists(boards, reply, 4, 2, true, above, BOARDS_PAGE_MAX, &above_count);
    if (!error) error = merge_lists(boards, reply, 5, 2, false, below, reading->around + 1, &below_count);
    if (error) return error;
    uint32_t first = above_count > reading->around ? above_count - reading->around : 0, count = 0;
    for (uint32_t i = first; i < above_count; i++) {
        if (above[i].player == reading->player) continue;
        above[i].rank = page->self.rank > above_count - i ? page->self.rank - (above_count - i) : 1;
        boards->page[count++] = above[i];
    }
    boards->page[count++] = page->self;
    for (uint32_t i = 0, rank = 1; i < below_count && rank <= reading->around; i++) {
        if (below[i].player == reading->player) continue;
        below[i].rank = page->self.rank + rank++;
        boards->page[count++] = below[i];
    }
    page->entries = boards->page;
    page->count = count;
    return 0;
}

static int read_around(const struct reading *reading, const struct redisReply *reply, struct board_page *page) {
    struct boards *boards = reading->boards;
    int64_t first;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 0) return MARCH_ERR_NOT_FOUND;
    page->self.player = reading->player;
    if (!redis_reply_u64(redis_reply_item(reply, 0), &page->total) ||
        !redis_reply_u64(redis_reply_item(reply, 1), &page->self.rank) ||
        !redis_reply_i64(redis_reply_item(reply, 2), &page->self.score) ||
        !redis_reply_i64(redis_reply_item(reply, 3), &first))
        return MARCH_ERR_INVALID;
    if (reading->merged) return read_nearest(reading, reply, page);
    int error = read_list(redis_reply_item(reply, 4), boards->page, BOARDS_PAGE_MAX, false, &page->count);
    for (uint32_t i = 0; !error && i < page->count; i++) boards->page[i].rank = (uint64_t)first + i + 1;
    page->entries = boards->page;
    return error;
}

static int read_above(const struct reading *reading, const struct redisReply *reply, struct board_page *page) {
    (void)reading;
    return redis_reply_u64(redis_reply_item(reply, 0), &page->total) ? 0 : MARCH_ERR_INVALID;
}

/* finish tells the reader what came of it. */
static void finish(struct reading *reading, int error, const struct redisReply *reply,
                   int (*read)(const struct reading *, const struct redisReply *, struct board_page *)) {
    struct boards *boards = reading->boards;
    struct board_page page = {0};
    if (error == 0) error = read(reading, reply, &page);
    if (error == MARCH_ERR_INVALID) error = MARCH_ERR_UNAVAILABLE; /* what is in Redis is not a board */
    if (error && error != MARCH_ERR_NOT_FOUND) boards->stats.read_failures++;
    boards->reads_under_way--;
    reading->done(reading->ctx, error, error ? NULL : &page);
    free(reading);
}

static void on_top(void *ctx, int error, const struct redisReply *reply) {
    finish(ctx, error, reply, read_top);
}

static void on_around(void *ctx, int error, const struct redisReply *reply) {
    finish(ctx, error, reply, read_around);
}

static void on_above(void *ctx, int error, const struct redisReply *reply) {
    finish(ctx, error, reply, read_above);
}

/* --- questions */

/* add_keys begins a request with the keys of a region or of all; returns how many. */
static uint32_t add_keys(struct boards *boards, enum board board, uint32_t season, const char *region) {
    char key[BOARDS_KEY_MAX];
    if (season == 0) season = boards->season;
    redis_request_reset(&boards->request);
    for (uint32_t i = 0; i < boards->region_count; i++) {
        if (region != NULL && strcmp(region, boards->regions[i]) != 0) continue;
        boards_key(boards, key, board, season, boards->regions[i], "");
        redis_request_text(&boards->request, key);
    }
    if (boards->request.count > 0) return boards->request.count;
    boards_key(boards, key, board, season, "none", ""); /* of a region that nobody was in: an empty board */
    redis_request_text(&boards->request, key);
    return 1;
}

static int ask(struct boards *boards, unsigned script, uint32_t key_count, const struct reading *asked, redis_done done) {
    struct reading *reading = malloc(sizeof *reading);
    if (reading == NULL) return MARCH_ERR_SYSTEM;
    *reading = *asked;
    reading->merged = key_count > 1;
    int error = redis_eval(boards->redis, script, key_count, &boards->request, BOARDS_DEADLINE_MS, done, reading);
    if (error) {
        free(reading);
        return error;
    }
    boards->reads_under_way++;
    boards->stats.reads++;
    return 0;
}

static int admit(const struct boards *boards, enum board board) {
    if ((unsigned)board >= BOARD_COUNT) return MARCH_ERR_INVALID;
    if (!boards->ready) return MARCH_ERR_UNAVAILABLE;
    return boards->reads_under_way == BOARDS_READS_MAX ? MARCH_ERR_FULL : 0;
}

int boards_top(struct boards *boards, enum board board, uint32_t season, const char *region, uint32_t from, uint32_t count,
               boards_done done, void *ctx) {
    int error = admit(boards, board);
    if (error) return error;
    if (from < 1 || count < 1 || count > BOARDS_PAGE_MAX || from > INT32_MAX) return MARCH_ERR_INVALID;
    uint32_t key_count = add_keys(boards, board, season, region);
    if (key_count > 1 && (uint64_t)from - 1 + count > BOARDS_PAGE_MAX) return MARCH_ERR_INVALID;
    redis_request_u64(&boards->request, key_count > 1 ? 0 : from - 1);
    redis_request_u64(&boards->request, (uint64_t)from + count - 2);
    struct reading reading = {.boards = boards, .done = done, .ctx = ctx, .from = from, .count = count};
    return ask(boards, boards->top_script, key_count, &reading, on_top);
}

int boards_around(struct boards *boards, enum board board, uint32_t season, const char *region, uint64_t player,
                  uint32_t around, boards_done done, void *ctx) {
    int error = admit(boards, board);
    if (error) return error;
    if (around > BOARDS_AROUND_MAX) return MARCH_ERR_INVALID;
    uint32_t key_count = add_keys(boards, board, season, region);
    redis_request_u64(&boards->request, player);
    redis_request_u64(&boards->request, around);
    struct reading reading = {.boards = boards, .done = done, .ctx = ctx, .player = player, .around = around};
    return ask(boards, boards->around_script, key_count, &reading, on_around);
}

int boards_above(struct boards *boards, enum board board, uint32_t season, const char *region, int64_t score,
                 boards_done done, void *ctx) {
    int error = admit(boards, board);
    if (error) return error;
    uint32_t key_count = add_keys(boards, board, season, region);
    redis_request_key(&boards->request, "(%" PRId64, score);
    struct reading reading = {.boards = boards, .done = done, .ctx = ctx};
    return ask(boards, boards->above_script, key_count, &reading, on_above);
}

void boards_read_init(struct boards *boards) {
    boards->top_script = redis_script(boards->redis, top_source);
    boards->around_script = redis_script(boards->redis, around_source);
    boards->above_script = redis_script(boards->redis, above_source);
}
