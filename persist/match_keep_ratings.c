/* match_keep_ratings.c: ratings of players: looked up, and the best of a mode. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "persist/match_keep_inner.h"

#define US_PER_S 1000000

/* Numbers with a point go as text, which PostgreSQL writes and reads without loss. */
static double row_double(struct pg_row *row, int column) {
    return strtod(pg_row_text(row, column, NULL), NULL);
}

/* --- lookups */

/* A subquery with a limit is looked up by the key for each row, however small PostgreSQL believes the table to be: a plan
 * made while that was empty would read all of it. */
static const struct pg_statement LOOK_UP = {
    "ratings_look_up",
    "select coalesce(r.mu, 0)::text, coalesce(r.sigma, 0)::text, coalesce(r.season, 0), coalesce(r.played, 0),"
    " coalesce(r.won, 0), coalesce(r.rated_at, 'epoch'::timestamptz)"
    " from unnest($1::bigint[], $2::text[]) with ordinality as a (player, mode, n)"
    " left join lateral (select * from ratings s where s.player = a.player and s.mode = a.mode limit 1) r on true"
    " order by a.n"};

static void read_rating(struct wire_rating *rating, const PGresult *result, uint32_t at) {
    struct pg_row row = pg_row_at(result, (int)at);
    rating->mu = row_double(&row, 0);
    rating->sigma = row_double(&row, 1);
    rating->season = (uint32_t)pg_row_int4(&row, 2);
    rating->played = (uint32_t)pg_row_int4(&row, 3);
    rating->won = (uint32_t)pg_row_int4(&row, 4);
    rating->rated_at_s = (uint64_t)(pg_row_timestamp(&row, 5) / US_PER_S);
    if (row.error) rating->result = WIRE_MATCH_UNAVAILABLE;
}

/* answer_lookups tells of all that were asked; `result` NULL: none can be told now. */
static void answer_lookups(struct match_keep *m, const PGresult *result) {
    const struct wire_rating_lookup *asked = m->lookups.asked.items;
    for (uint32_t i = 0; i < m->lookups.asked.count; i++) {
        struct wire_rating rating = {.player = asked[i].player};
        memcpy(rating.mode, asked[i].mode, sizeof rating.mode);
        if (result) {
            read_rating(&rating, result, i);
        } else {
            rating.result = WIRE_MATCH_UNAVAILABLE;
        }
        CHECK(match_list_add(&m->out_ratings, &rating, sizeof rating));
        m->stats.lookups++;
    }
    m->lookups.asked.count = 0;
}

static void looked_up(void *ctx, const struct pg_reply *reply) {
    struct match_keep *m = ctx;
    m->lookups.is_under_way = false;
    if (reply->error) match_keep_failed(m, reply);
    answer_lookups(m, reply->error ? NULL : reply->results[0]);
    if (!reply->error) match_keep_look_up(m);
}

void match_keep_look_up(struct match_keep *m) {
    struct match_lane *lane = &m->lookups;
    if (lane->is_under_way || lane->waiting.count == 0 || m->out_ratings.count > WIRE_MATCH_ITEMS_MAX) return;
    const struct wire_rating_lookup *waiting = lane->waiting.items;
    uint32_t taken = 0;
    for (; taken < lane->waiting.count && taken < MATCH_KEEP_BATCH_MAX; taken++)
        CHECK(match_list_add(&lane->asked, &waiting[taken], sizeof *waiting));
    match_list_drop(&lane->waiting, taken, sizeof *waiting);
    const struct wire_rating_lookup *asked = lane->asked.items;
    pg_params_reset(&lane->params);
    pg_params_array(&lane->params, PG_INT8);
    for (uint32_t i = 0; i < taken; i++) pg_params_push_int8(&lane->params, (int64_t)asked[i].player);
    pg_params_end(&lane->params);
    pg_params_array(&lane->params, PG_TEXT);
    for (uint32_t i = 0; i < taken; i++) match_keep_push_mode(&lane->params, asked[i].mode);
    pg_params_end(&lane->params);
    const struct pg_call call = {&LOOK_UP, &lane->params};
    lane->is_under_way = pg_run(m->config.look_pg, &call, 1, PG_READ, MATCH_KEEP_DEADLINE_MS, looked_up, m) == 0;
    if (!lane->is_under_way) answer_lookups(m, NULL);
}

/* --- pages, one at a time */

static const struct pg_statement PAGE = {
    "ratings_page",
    "select r.player, r.points, r.played, r.won, coalesce(p.name, '')"
    " from ratings r left join players p using (player)"
    " where r.mode = $1::text and r.season = $2::integer order by r.points desc, r.player limit $3::integer"};

static void end_page(struct match_keep *m, const PGresult *result) {
    const struct wire_page_ask *asked = m->pages.asked.items;
    struct wire_page_end end = {.request = asked->request, .result = result ? WIRE_MATCH_OK : WIRE_MATCH_UNAVAILABLE};
    for (int i = 0; result && i < pg_rows(result); i++) {
        struct pg_row row = pg_row_at(result, i);
        struct wire_page_row out = {.request = asked->request, .player = pg_row_u64(&row, 0)};
        size_t len;
        out.points = pg_row_int4(&row, 1);
        out.played = (uint32_t)pg_row_int4(&row, 2);
        out.won = (uint32_t)pg_row_int4(&row, 3);
        const char *name = pg_row_text(&row, 4, &len);
        if (row.error) {
            end.result = WIRE_MATCH_UNAVAILABLE;
            break;
        }
        if (len < sizeof out.name) memcpy(out.name, name, len + 1);
        CHECK(match_list_add(&m->out_rows, &out, sizeof out));
    }
    CHECK(match_list_add(&m->out_ends, &end, sizeof end));
    m->pages.asked.count = 0;
    m->stats.pages++;
}

static void paged(void *ctx, const struct pg_reply *reply) {
    struct match_keep *m = ctx;
    m->pages.is_under_way = false;
    if (reply->error) match_keep_failed(m, reply);
    end_page(m, reply->error ? NULL : reply->results[0]);
    if (!reply->error) match_keep_page(m);
}

void match_keep_page(struct match_keep *m) {
    struct match_lane *lane = &m->pages;
    if (lane->is_under_way || lane->waiting.count == 0) return;
    if (m->out_rows.count + WIRE_BOARD_PAGE_MAX > WIRE_MATCH_ITEMS_MAX) return;
    const struct wire_page_ask *waiting = lane->waiting.items;
    struct wire_page_ask ask = *waiting;
    if (ask.count > WIRE_BOARD_PAGE_MAX) ask.count = WIRE_BOARD_PAGE_MAX;
    match_list_drop(&lane->waiting, 1, sizeof ask);
    CHECK(match_list_add(&lane->asked, &ask, sizeof ask));
    pg_params_reset(&lane->params);
    pg_params_text(&lane->params, ask.mode, strlen(ask.mode));
    pg_params_int4(&lane->params, (int32_t)ask.season);
    pg_params_int4(&lane->params, (int32_t)ask.count);
    const struct pg_call call = {&PAGE, &lane->params};
    lane->is_under_way = pg_run(m->config.read_pg, &call, 1, PG_READ, MATCH_KEEP_DEADLINE_MS, paged, m) == 0;
    if (!lane->is_under_way) end_page(m, NULL);
}
