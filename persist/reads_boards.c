/* reads_boards.c: leaderboards, kept for a second, so that many who look cost one look at Redis. A key of the cache has the
 * board and season as its number, and as its text "top/FROM/COUNT/LOCAL/REGION" or
 * "around/PLAYER/AROUND/LOCAL/SCORE/REGION".
 *
 * A top is asked for everywhere at once and merged. A player's place takes two steps, for the others must be told the score:
 * his own shard reads where he is among its own, then asks the others where he stands there; ranks less 1 add up. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/shard.h"
#include "common/text.h"
#include "persist/reads_core.h"
#include "persist/reads_json.h"
#include "persist/reads_rows.h"

#define SEASON_SHIFT 8
#define NO_SCORE     (-1)

_Static_assert(BOARD_COUNT < 1 << SEASON_SHIFT, "a number holds both");
_Static_assert(READS_BOARD_MAX <= BOARDS_PAGE_MAX, "one call gives as many");

/* A board that is being put together from this shard's part and those of the others. */
struct board_load {
    struct reads *reads;
    struct handle load;
    uint32_t from, count; /* asked for; of a place how many around */
    uint64_t player;      /* whose place it is; 0: it is a top */
    int64_t score;        /* that he has; NO_SCORE: to be looked up here */
    char region[BOARDS_REGION_MAX + 1];
    uint32_t left;
    int error;
    uint32_t part_count;
    bool merge;                /* over all shards */
    struct reads_board *parts; /* one a shard; the first is this one's, and what is given in the end */
};

/* What a key's text says. */
struct wanted {
    bool around, local;
    uint32_t from, count;
    uint64_t player;
    int64_t score;
    const char *region; /* NULL: all */
};

static struct wanted wanted_of(const char *text) {
    struct wanted w = {.score = NO_SCORE};
    unsigned local = 0;
    int at = 0;
    if (sscanf(text, "top/%" SCNu32 "/%" SCNu32 "/%u/%n", &w.from, &w.count, &local, &at) != 3 || at == 0) {
        int fields =
            sscanf(text, "around/%" SCNu64 "/%" SCNu32 "/%u/%" SCNd64 "/%n", &w.player, &w.count, &local, &w.score, &at);
        CHECK(fields == 4 && at > 0);
        w.around = true;
    }
    w.local = local != 0;
    w.region = text[at] != '\0' ? text + at : NULL;
    return w;
}

static size_t board_bytes(const struct reads_board *board) {
    return offsetof(struct reads_board, entries) + board->count * sizeof *board->entries;
}

/* merge_lists makes one list of all parts': what was asked for of a top, or a player with his neighbours. */
static uint32_t merge_lists(const struct board_load *b, const struct board_entry *const *lists, const uint32_t *counts,
                            struct board_entry out[READS_BOARD_MAX]) {
    const struct reads_board *first = &b->parts[0];
    if (b->player) return boards_nearest(lists, counts, b->part_count, &first->self, b->count, out);
    uint32_t merged = boards_merge(lists, counts, b->part_count, out, b->from + b->count - 1), skip = b->from - 1;
    if (merged <= skip) return 0;
    memmove(out, out + skip, (merged - skip) * sizeof *out);
    return merged - skip;
}

/* merge makes the first part the board of all. */
static void merge(struct board_load *b) {
    struct reads_board *out = &b->parts[0];
    const struct board_entry *lists[BOARDS_LISTS_MAX];
    uint32_t counts[BOARDS_LISTS_MAX];
    struct board_entry *all = calloc(READS_BOARD_MAX, sizeof *all);
    CHECK(b->part_count <= BOARDS_LISTS_MAX);
    if (!all) {
        b->error = MARCH_ERR_FULL;
        return;
    }
    for (uint32_t i = 0; i < b->part_count; i++) {
        lists[i] = b->parts[i].entries;
        counts[i] = b->parts[i].count;
        if (i == 0) continue;
        out->total += b->parts[i].total;
        out->from_rows |= b->parts[i].from_rows;
        if (b->player) out->self.rank += b->parts[i].self.rank - 1;
    }
    out->count = merge_lists(b, lists, counts, all);
    memcpy(out->entries, all, out->count * sizeof *all);
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

/* What a shard gives to it: of a top that is merged all from the first on. */
struct piece {
    uint32_t from, count;
};

static struct piece piece_of(const struct board_load *b) {
    if (!b->merge || b->player) return (struct piece){b->from, b->count};
    return (struct piece){1, b->from + b->count - 1};
}

/* --- the other shards */

/* A part's context: the next part that is not filled yet is its own, for their order does not matter. */
static void on_foreign_board(void *ctx, int error, unsigned status, const char *body, size_t len) {
    struct board_load *b = ctx;
    if (!error && status != 200) error = status == 404 && !b->merge ? MARCH_ERR_NOT_FOUND : MARCH_ERR_UNAVAILABLE;
    if (!error) {
        struct reads_board *part = &b->parts[b->part_count];
        bool good = reads_json_read_board(body, len, part) == 0 && (!b->player || part->self.rank > 0);
        b->part_count += good;
        error = good ? 0 : MARCH_ERR_UNAVAILABLE;
    }
    finish_part(b, error);
}

/* ask_shard asks another shard for its part, or the player's own one for all that there is to say. */
static void ask_shard(struct board_load *b, uint32_t shard) {
    const struct reads_board *own = &b->parts[0];
    char target[512];
    struct text text;
    text_init(&text, target, sizeof target);
    text_append(&text, "/v1/boards/%s", board_name(own->board));
    if (!b->player) {
        text_append(&text, "?local=1&from=1&count=%" PRIu32, piece_of(b).count);
    } else if (b->merge) {
        text_append(&text, "/players/%" PRIu64 "?local=1&score=%" PRId64 "&around=%" PRIu32, b->player, own->self.score,
                    b->count);
    } else {
        text_append(&text, "/players/%" PRIu64 "?around=%" PRIu32, b->player, b->count);
    }
    text_append(&text, "&season=%" PRIu32 "&region=", own->season);
    for (const char *c = b->region; *c; c++) text_append(&text, "%%%02X", (unsigned char)*c);
    CHECK(!text.overflow);
    b->reads->stats.foreign++;
    b->left++;
    int error = abroad_get(b->reads->config.abroad, shard, target, READS_DEADLINE_MS, on_foreign_board, b);
    if (error) finish_part(b, error);
}

static void ask_others(struct board_load *b) {
    const struct reads_config *config = &b->reads->config;
    for (uint32_t shard = 0; shard < config->shard_count; shard++)
        if (shard != config->shard_index) ask_shard(b, shard);
}

/* --- this shard */

/* finish_own ends this shard's part; a player's place there is what the others must know. */
static void finish_own(struct board_load *b, int error) {
    if (!error && b->merge && b->player) ask_others(b);
    finish_part(b, error);
}

static void on_rows(void *ctx, const struct pg_reply *reply) {
    struct board_load *b = ctx;
    int error = reads_query_failed(b->reads, reply);
    if (!error) error = reads_row_board(reply->results[0], b->player, &b->parts[0]);
    finish_own(b, error);
}

/* ask_rows asks the database for what Redis could not tell: `error`. */
static void ask_rows(struct board_load *b, int error) {
    struct reads_board *part = &b->parts[0];
    struct pg_params *params = &b->reads->params;
    struct piece piece = piece_of(b);
    if (!b->player && (uint64_t)piece.from + piece.count > READS_BOARD_MAX + 1) {
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
        pg_params_int4(params, (int32_t)piece.from);
    }
    pg_params_int4(params, (int32_t)piece.count);
    if (b->score != NO_SCORE) pg_params_int8(params, b->score);
    part->from_rows = true;
    const struct pg_call call = {!b->player             ? &READS_BOARD_TOP
                                 : b->score == NO_SCORE ? &READS_BOARD_AROUND
                                                        : &READS_BOARD_PLACE,
                                 params};
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
    finish_own(b, error);
}

/* ask_own asks Redis, and where that can't tell the database. */
static void ask_own(struct board_load *b) {
    struct boards *boards = b->reads->config.boards;
    const struct reads_board *own = &b->parts[0];
    const char *region = b->region[0] ? b->region : NULL;
    struct piece piece = piece_of(b);
    int error;
    if (!b->player) {
        error = boards_top(boards, own->board, own->season, region, piece.from, piece.count, on_board, b);
    } else if (b->score == NO_SCORE) {
        error = boards_around(boards, own->board, own->season, region, b->player, piece.count, on_board, b);
    } else {
        error = boards_place(boards, own->board, own->season, region, b->player, b->score, piece.count, on_board, b);
    }
    if (error) on_board(b, error, NULL);
}

void reads_fetch_board(struct reads *reads, struct handle load, const struct cache_key *key) {
    struct wanted w = wanted_of(key->text);
    bool all = !w.local && reads->config.abroad && reads->config.shard_count > 1;
    bool elsewhere = all && w.around && !reads_is_home(reads, w.player);
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
                             .score = w.score,
                             .merge = all && !elsewhere,
                             .part_count = elsewhere ? 0 : 1,
                             .left = 1,
                             .parts = parts};
    snprintf(b->region, sizeof b->region, "%s", w.region ? w.region : "");
    parts[0].board = (enum board)(key->id & ((1U << SEASON_SHIFT) - 1));
    parts[0].season = (uint32_t)(key->id >> SEASON_SHIFT);
    if (elsewhere) {
        ask_shard(b, reads_home(reads, w.player));
        finish_part(b, 0);
        return;
    }
    if (b->merge && !b->player) ask_others(b);
    ask_own(b);
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

static void ask_around(struct reads *reads, enum board board, uint32_t season, const char *region, uint64_t player,
                       int64_t score, uint32_t around, bool local, reads_board_done done, void *ctx) {
    char text[CACHE_TEXT_MAX + 1];
    int len = snprintf(text, sizeof text, "around/%" PRIu64 "/%" PRIu32 "/%d/%" PRId64 "/%s", player, around, local ? 1 : 0,
                       score, region ? region : "");
    if (!player_id_valid(player)) {
        done(ctx, MARCH_ERR_NOT_FOUND, NULL, (struct reads_meta){0});
    } else if (around <= BOARDS_AROUND_MAX && len > 0 && (size_t)len < sizeof text) {
        ask_board(reads, board, season, text, done, ctx);
    } else {
        done(ctx, MARCH_ERR_INVALID, NULL, (struct reads_meta){0});
    }
}

void reads_board_around(struct reads *reads, enum board board, uint32_t season, const char *region, uint64_t player,
                        uint32_t around, bool local, reads_board_done done, void *ctx) {
    ask_around(reads, board, season, region, player, NO_SCORE, around, local, done, ctx);
}

void reads_board_place(struct reads *reads, enum board board, uint32_t season, const char *region, uint64_t player,
                       int64_t score, uint32_t around, reads_board_done done, void *ctx) {
    ask_around(reads, board, season, region, player, score, around, true, done, ctx);
}
