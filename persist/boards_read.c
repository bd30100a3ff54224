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

/* ARGV: player, how many around, and the score where the player is not in the keys. Answer: {} or {players, how many stand
 * before, score, list of each key around the player's place}. Of those with the player's score, who stand by their ids as
 * text, the place is found by halving. */
static const char place_source[] =
    "local id, around, score = ARGV[1], tonumber(ARGV[2]), ARGV[3] "
    "if not score then "
    "  for i = 1, #KEYS do "
    "    local s = redis.call('ZSCORE', KEYS[i], id) "
    "    if s and (not score or tonumber(s) > tonumber(score)) then score = s end "
    "  end "
    "  if not score then return {} end "
    "end "
    "local reply = {0, 0, score} "
    "for i = 1, #KEYS do "
    "  local first = redis.call('ZCOUNT', KEYS[i], '(' .. score, '+inf') "
    "  local last = first + redis.call('ZCOUNT', KEYS[i], score, score) "
    "  while first < last do "
    "    local middle = math.floor((first + last) / 2) "
    "    if redis.call('ZREVRANGE', KEYS[i], middle, middle)[1] > id then first = middle + 1 else last = middle end "
    "  end "
    "  reply[1] = reply[1] + redis.call('ZCARD', KEYS[i]) "
    "  reply[2] = reply[2] + first "
    "  reply[i + 3] = redis.call('ZREVRANGE', KEYS[i], math.max(0, first - around), first + around, 'WITHSCORES') "
    "end "
    "return reply";

/* A read that is under way. */
struct reading {
    struct boards *boards;
    boards_done done;
    void *ctx;
    bool merged;          /* of several regions */
    uint32_t from, count; /* of a top */
    uint64_t player;      /* of a place */
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

/* first_list returns the list whose next entry stands first, `list_count` when all have ended. */
static uint32_t first_list(const struct board_entry *const *lists, const uint32_t *nexts, const uint32_t *counts,
                           uint32_t list_count) {
    uint32_t best = list_count;
    for (uint32_t i = 0; i < list_count; i++) {
        if (nexts[i] == counts[i]) continue;
        if (best == list_count || is_before(&lists[i][nexts[i]], &lists[best][nexts[best]])) best = i;
    }
    return best;
}

/* last_list returns the list whose last entry before `ends` stands last, `list_count` when none has any. */
static uint32_t last_list(const struct board_entry *const *lists, const uint32_t *ends, uint32_t list_count) {
    uint32_t best = list_count;
    for (uint32_t i = 0; i < list_count; i++) {
        if (ends[i] == 0) continue;
        if (best == list_count || is_before(&lists[best][ends[best] - 1], &lists[i][ends[i] - 1])) best = i;
    }
    return best;
}

uint32_t boards_merge(const struct board_entry *const *lists, const uint32_t *counts, uint32_t list_count,
                      struct board_entry *out, uint32_t max) {
    uint32_t nexts[BOARDS_LISTS_MAX] = {0}, count = 0;
    CHECK(list_count <= BOARDS_LISTS_MAX);
    while (count < max) {
        uint32_t best = first_list(lists, nexts, counts, list_count);
        if (best == list_count) return count;
        const struct board_entry *entry = &lists[best][nexts[best]++];
        if (list_count > 1 && has_player(out, count, entry->player)) continue;
        out[count] = *entry;
        out[count].rank = count + 1;
        count++;
    }
    return count;
}

uint32_t boards_nearest(const struct board_entry *const *lists, const uint32_t *counts, uint32_t list_count,
                        const struct board_entry *self, uint32_t around, struct board_entry *out) {
    uint32_t ends[BOARDS_LISTS_MAX], nexts[BOARDS_LISTS_MAX], best;
    struct board_entry before[BOARDS_AROUND_MAX]; /* the nearest first */
    uint32_t before_count = 0, count = 0;
    CHECK(list_count <= BOARDS_LISTS_MAX && around <= BOARDS_AROUND_MAX);
    for (uint32_t i = 0; i < list_count; i++) {
        nexts[i] = 0;
        while (nexts[i] < counts[i] && is_before(&lists[i][nexts[i]], self)) nexts[i]++;
        ends[i] = nexts[i];
    }
    while (before_count < around && (best = last_list(lists, ends, list_count)) < list_count) {
        const struct board_entry *entry = &lists[best][--ends[best]];
        if (entry->player != self->player && !has_player(before, before_count, entry->player))
            before[before_count++] = *entry;
    }
    while (count < before_count) {
        uint64_t distance = before_count - count;
        out[count] = before[distance - 1];
        out[count++].rank = self->rank > distance ? self->rank - distance : 1; /* lists may be of different moments */
    }
    out[count++] = *self;
    while (count <= before_count + around && (best = first_list(lists, nexts, counts, list_count)) < list_count) {
        const struct board_entry *entry = &lists[best][nexts[best]++];
        if (has_player(out, count, entry->player)) continue;
        out[count] = *entry;
        out[count].rank = self->rank + (count - before_count);
        count++;
    }
    return count;
}

/* --- answers */

/* read_list reads a list of the reply into `out`; MARCH_ERR_INVALID when it is not one, or longer than `max`. */
static int read_list(const struct redisReply *reply, struct board_entry *out, uint32_t max, uint32_t *count) {
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || reply->elements % 2 != 0 || reply->elements / 2 > max)
        return MARCH_ERR_INVALID;
    *count = (uint32_t)(reply->elements / 2);
    for (uint32_t i = 0; i < *count; i++) {
        out[i] = (struct board_entry){0};
        if (!redis_reply_u64(reply->element[2 * i], &out[i].player) ||
            !redis_reply_i64(reply->element[2 * i + 1], &out[i].score))
            return MARCH_ERR_INVALID;
    }
    return 0;
}

/* The lists of a reply, one of each region. */
struct lists {
    uint32_t count;
    uint32_t counts[BOARDS_REGIONS_MAX];
    const struct board_entry *entries[BOARDS_REGIONS_MAX];
};

/* read_lists reads the lists from element `at` of the reply on. */
static int read_lists(struct boards *boards, const struct redisReply *reply, size_t at, struct lists *out) {
    out->count = 0;
    for (; at < reply->elements; at++) {
        if (out->count == BOARDS_REGIONS_MAX) return MARCH_ERR_INVALID;
        struct board_entry *list = boards->lists + (size_t)out->count * BOARDS_PAGE_MAX;
        int error = read_list(reply->element[at], list, BOARDS_PAGE_MAX, &out->counts[out->count]);
        if (error) return error;
        out->entries[out->count++] = list;
    }
    return 0;
}

static int read_top(const struct reading *reading, const struct redisReply *reply, struct board_page *page) {
    struct boards *boards = reading->boards;
    if (!redis_reply_u64(redis_reply_item(reply, 0), &page->total)) return MARCH_ERR_INVALID;
    uint32_t skip = reading->merged ? reading->from - 1 : 0;
    struct lists lists;
    int error = read_lists(boards, reply, 1, &lists);
    if (error) return error;
    page->count = boards_merge(lists.entries, lists.counts, lists.count, boards->page, skip + reading->count);
    for (uint32_t i = 0; i < page->count; i++) boards->page[i].rank += reading->merged ? 0 : reading->from - 1;
    page->count = page->count > skip ? page->count - skip : 0;
    page->entries = boards->page + skip;
    return 0;
}

static int read_place(const struct reading *reading, const struct redisReply *reply, struct board_page *page) {
    struct boards *boards = reading->boards;
    struct lists lists;
    uint64_t before;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 0) return MARCH_ERR_NOT_FOUND;
    if (!redis_reply_u64(redis_reply_item(reply, 0), &page->total) ||
        !redis_reply_u64(redis_reply_item(reply, 1), &before) ||
        !redis_reply_i64(redis_reply_item(reply, 2), &page->self.score))
        return MARCH_ERR_INVALID;
    int error = read_lists(boards, reply, 3, &lists);
    if (error) return error;
    page->self.player = reading->player;
    page->self.rank = before + 1;
    page->count = boards_nearest(lists.entries, lists.counts, lists.count, &page->self, reading->around, boards->page);
    page->entries = boards->page;
    return 0;
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

static void on_place(void *ctx, int error, const struct redisReply *reply) {
    finish(ctx, error, reply, read_place);
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

/* ask_place asks where a player stands with a score, or with the one that he has: -1. */
static int ask_place(struct boards *boards, enum board board, uint32_t season, const char *region, uint64_t player,
                     int64_t score, uint32_t around, boards_done done, void *ctx) {
    int error = admit(boards, board);
    if (error) return error;
    if (around > BOARDS_AROUND_MAX) return MARCH_ERR_INVALID;
    uint32_t key_count = add_keys(boards, board, season, region);
    redis_request_u64(&boards->request, player);
    redis_request_u64(&boards->request, around);
    if (score >= 0) redis_request_u64(&boards->request, (uint64_t)score);
    struct reading reading = {.boards = boards, .done = done, .ctx = ctx, .player = player, .around = around};
    return ask(boards, boards->place_script, key_count, &reading, on_place);
}

int boards_around(struct boards *boards, enum board board, uint32_t season, const char *region, uint64_t player,
                  uint32_t around, boards_done done, void *ctx) {
    return ask_place(boards, board, season, region, player, -1, around, done, ctx);
}

int boards_place(struct boards *boards, enum board board, uint32_t season, const char *region, uint64_t player,
                 int64_t score, uint32_t around, boards_done done, void *ctx) {
    if (score < 0 || score > BOARDS_SCORE_MAX) return MARCH_ERR_INVALID;
    return ask_place(boards, board, season, region, player, score, around, done, ctx);
}

void boards_read_init(struct boards *boards) {
    boards->top_script = redis_script(boards->redis, top_source);
    boards->place_script = redis_script(boards->redis, place_source);
}
