/* reads_boards.c: leaderboards, kept for a second, so that many who look cost one look at Redis. A key of the cache has the
 * board and season as its number, and as its text "top/FROM/COUNT/LOCAL/REGION" or "around/PLAYER/AROUND/REGION". */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "persist/reads_core.h"
#include "persist/reads_json.h"
#include "persist/reads_rows.h"

#define SEASON_SHIFT 8

_Static_assert(BOARD_COUNT < 1 << SEASON_SHIFT, "a number holds both");
_Static_assert(READS_BOARD_MAX <= BOARDS_PAGE_MAX, "one call gives as many");

/* A board that is being put together from this shard's part and those of the others. */
struct board_load {
    struct reads *reads;
    struct handle load;
    uint32_t from, count; /* asked for */
    uint64_t player;      /* whose neighbours: 0: none */
    char region[BOARDS_REGION_MAX + 1];
    uint32_t left;
    int error;
    uint32_t part_count;
    bool merge;
    struct reads_board *parts; /* one a shard; the first is what is given in the end where there is no other */
};

/* What a key's text says. */
struct wanted {
    bool around, local;
    uint32_t from, count;
    uint64_t player;
    const char *region; /* NULL: all */
};

static struct wanted wanted_of(const char *text) {
    struct wanted w = {0};
    unsigned local;
    int at = 0;
    if (sscanf(text, "top/%" SCNu32 "/%" SCNu32 "/%u/%n", &w.from, &w.count, &local, &at) == 3 && at > 0) {
        w.local = local != 0;
    } else {
        CHECK(sscanf(text, "around/%" SCNu64 "/%" SCNu32 "/%n", &w.player, &w.count, &at) == 2 && at > 0);
        w.around = w.local = true;
    }
    w.region = text[at] != '\0' ? text + at : NULL;
    return w;
}

static size_t board_bytes(const struct reads_board *board) {
    return offsetof(struct reads_board, entries) + board->count * sizeof *board->entries;
}

/* merge makes one board of all parts and cuts out what was asked for. */
static void merge(struct board_load *b) {
    const struct board_entry **lists = calloc(b->part_count, sizeof *lists);
    uint32_t *counts = calloc(b->part_count, sizeof *counts);
    struct board_entry *all = calloc(READS_BOARD_MAX, sizeof *all);
    if (lists && counts && all) {
        uint64_t total = 0;
        for (uint32_t i = 0; i < b->part_count; i++) {
            lists[i] = b->parts[i].entries;
            counts[i] = b->parts[i].count;
            total += b->parts[i].total;
            b->parts[0].from_rows |= b->parts[i].from_rows;
        }
        uint32_t merged = boards_merge(lists, counts, b->part_count, all, b->from + b->count - 1), skip = b->from - 1;
        struct reads_board *out = &b->parts[0];
        out->total = total;
        out->count = merged > skip ? merged - skip : 0;
        if (out->count > 0) memcpy(out->entries, all + skip, out->count * sizeof *all);
    } else {
        b->error = MARCH_ERR_FULL;
    }
    free(lists);
    free(counts);
    free(all);
}

static void finish_part(struct board_load *b, int error) {
    if (error) b->error = error;
    if (--b->left > 0) return;
    if (!b->error && b->merge) merge(b);
    if (b->error == MARCH_ERR_NOT_FOUND) {
        reads_loaded(b->reads, b->load, NULL, 0);
    } else if (b->error) {
        reads_failed(b->reads, b->load, b->error);
    } else {
        reads_loaded(b->reads, b->load, &b->parts[0], board_bytes(&b->parts[0]));
    }
    free(b->parts);
    free(b);
}

static void on_rows(void *ctx, const struct pg_reply *reply) {
    struct board_load *b = ctx;
    int error = reads_query_failed(b->reads, reply);
    if (!error) error = reads_row_board(reply->results[0], b->player, &b->parts[0]);
    finish_part(b, error);
}

/* ask_rows asks the database for what Redis could not tell: `error`. */
static void ask_rows(struct board_load *b, int error) {
    struct reads_board *part = &b->parts[0];
    struct pg_params *params = &b->reads->params;
    uint32_t from = b->merge ? 1 : b->from, count = b->merge ? b->from + b->count - 1 : b->count;
    if (!b->player && (uint64_t)from + count > READS_BOARD_MAX + 1) {
        finish_part(b, error);
        return;
    }
    const char *name = board_name(part->board);
    pg_params_reset(params);
    pg_params_text(params, name, strlen(name));
    pg_params_int4(params, (int32_t)part->season);
    pg_params_text(params, b->region, strlen(b->region));
    if (b->player) {
        pg_params_int8(params, (int64_t)b->player);
    } else {
        pg_params_int4(params, (int32_t)from);
    }
    pg_params_int4(params, (int32_t)count);
    part->from_rows = true;
    const struct pg_call call = {b->player ? &READS_BOARD_AROUND : &READS_BOARD_TOP, params};
    error = reads_query(b->reads, &call, 1, false, on_rows, b);
    if (error) finish_part(b, error);
}

static void on_board(void *ctx, int error, const struct board_page *page) {
    struct board_load *b = ctx;
    if (error == MARCH_ERR_UNAVAILABLE || error == MARCH_ERR_EXPIRED) {
        ask_rows(b, error);
        return;
    }
    if (!error) {
        struct reads_board *part = &b->parts[0];
        CHECK(page->count <= READS_BOARD_MAX);
        part->total = page->total;
        part->self = page->self;
        part->count = page->count;
        if (page->count > 0) memcpy(part->entries, page->entries, page->count * sizeof *page->entries);
    }
    finish_part(b, error);
}

/* A part's context: the next part that is not filled yet is its own, for their order does not matter. */
static void on_foreign_board(void *ctx, int error, unsigned status, const char *body, size_t len) {
    struct board_load *b = ctx;
    if (!error && status != 200) error = MARCH_ERR_UNAVAILABLE;
    if (!error) {
        struct reads_board *part = &b->parts[b->part_count];
        error = reads_json_read_board(body, len, part);
        if (!error) b->part_count++;
    }
    finish_part(b, error);
}

static void ask_others(struct board_load *b, uint64_t id, const struct wanted *w) {
    struct reads *reads = b->reads;
    char target[512];
    int len =
        snprintf(target, sizeof target, "/v1/boards/%s?local=1&season=%" PRIu64 "&from=1&count=%" PRIu32,
                 board_name((enum board)(id & ((1U << SEASON_SHIFT) - 1))), id >> SEASON_SHIFT, b->from + b->count - 1);
    if (w->region) {
        len += snprintf(target + len, sizeof target - (size_t)len, "&region=");
        for (const char *c = w->region; *c; c++)
            len += snprintf(target + len, sizeof target - (size_t)len, "%%%02X", (unsigned char)*c);
    }
    for (uint32_t shard = 0; shard < reads->config.shard_count; shard++) {
        if (shard == reads->config.shard_index) continue;
        reads->stats.foreign++;
        b->left++;
        int error = abroad_get(reads->config.abroad, shard, target, READS_DEADLINE_MS, on_foreign_board, b);
        if (error) finish_part(b, error);
    }
}

void reads_fetch_board(struct reads *reads, struct handle load, const struct cache_key *key) {
    struct wanted w = wanted_of(key->text);
    enum board board = (enum board)(key->id & ((1U << SEASON_SHIFT) - 1));
    uint32_t season = (uint32_t)(key->id >> SEASON_SHIFT);
    bool all = !w.local && reads->config.abroad && reads->config.shard_count > 1;
    struct board_load *b = calloc(1, sizeof *b);
    struct reads_board *parts = calloc(all ? reads->config.shard_count : 1, sizeof *parts);
    if (!b || !parts) {
        free(b);
        free(parts);
        reads_failed(reads, load, MARCH_ERR_FULL);
        return;
    }
    *b = (struct board_load){.reads = reads,
                             .load = load,
                             .from = w.from,
                             .count = w.count,
                             .player = w.player,
                             .left = 1,
                             .part_count = 1,
                             .merge = all,
                             .parts = parts};
    snprintf(b->region, sizeof b->region, "%s", w.region ? w.region : "");
    parts[0].board = board;
    parts[0].season = season;
    if (all) ask_others(b, key->id, &w);
    struct boards *boards = reads->config.boards;
    int error = w.around ? boards_around(boards, board, season, w.region, w.player, w.count, on_board, b)
                : all    ? boards_top(boards, board, season, w.region, 1, w.from + w.count - 1, on_board, b)
                         : boards_top(boards, board, season, w.region, w.from, w.count, on_board, b);
    if (error) on_board(b, error, NULL);
}

/* --- public */

static void end_board(struct reads_ask *ask, int error, const struct cache_value *value) {
    struct reads_board *board = value ? malloc(sizeof *board) : NULL;
    struct reads_meta meta = {0};
    if (board) {
        memcpy(board, value->bytes, value->len);
        meta = reads_meta_of(value);
        meta.stale = meta.stale || board->from_rows;
    } else if (!error) {
        error = MARCH_ERR_FULL;
    }
    ask->done.board(ask->ctx, error, board, meta);
    free(board);
}

static void ask_board(struct reads *reads, enum board board, uint32_t season, const char *text, reads_board_done done,
                      void *ctx) {
    struct reads_ask *ask = reads->config.boards ? reads_ask_create(reads, end_board, ctx, 0) : NULL;
    if (!ask) {
        done(ctx, reads->config.boards ? MARCH_ERR_FULL : MARCH_ERR_UNAVAILABLE, NULL, (struct reads_meta){0});
        return;
    }
    ask->done.board = done;
    uint64_t id = (uint64_t)(season ? season : reads->config.season) << SEASON_SHIFT | board;
    reads_ask_cache(ask, &(struct cache_key){READS_KIND_BOARD, id, text});
}

void reads_board(struct reads *reads, enum board board, uint32_t season, const char *region, uint32_t from, uint32_t count,
                 bool local, reads_board_done done, void *ctx) {
    char text[CACHE_TEXT_MAX + 1];
    int len =
        snprintf(text, sizeof text, "top/%" PRIu32 "/%" PRIu32 "/%d/%s", from, count, local ? 1 : 0, region ? region : "");
    bool merged = !region || (!local && reads->config.shard_count > 1);
    bool good = from > 0 && count > 0 && count <= READS_BOARD_MAX && len > 0 && (size_t)len < sizeof text &&
                (!merged || (uint64_t)from + count <= READS_BOARD_MAX + 1);
    if (good) {
        ask_board(reads, board, season, text, done, ctx);
    } else {
        done(ctx, MARCH_ERR_INVALID, NULL, (struct reads_meta){0});
    }
}

void reads_board_around(struct reads *reads, enum board board, uint32_t season, const char *region, uint64_t player,
                        uint32_t around, reads_board_done done, void *ctx) {
    char text[CACHE_TEXT_MAX + 1];
    int len = snprintf(text, sizeof text, "around/%" PRIu64 "/%" PRIu32 "/%s", player, around, region ? region : "");
    if (around <= BOARDS_AROUND_MAX && len > 0 && (size_t)len < sizeof text) {
        ask_board(reads, board, season, text, done, ctx);
    } else {
        done(ctx, MARCH_ERR_INVALID, NULL, (struct reads_meta){0});
    }
}
