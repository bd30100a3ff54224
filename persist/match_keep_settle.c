/* match_keep_settle.c: what players have of matches: first the reward, then the rating, each once. */
#include <stdio.h>
#include <string.h>

#include "common/check.h"
#include "common/item_kinds.h"
#include "common/log.h"
#include "common/shard.h"
#include "common/step.h"
#include "persist/match_keep_inner.h"
#include "persist/value.h"

#define DOUBLE_TEXT_SIZE 32

static bool is_sound(const struct match_keep *m, const struct wire_settle *s) {
    bool is_rated = (s->flags & WIRE_SETTLE_RATED) != 0;
    bool is_ours = player_id_valid(s->player) && shard_of_player(s->player, m->config.shard_count) == m->config.shard_index;
    return is_ours && s->match != 0 && s->match <= UINT32_MAX && s->gold <= INT64_MAX / 2 &&
           (s->item_count == 0 || item_kind_find(s->item_kind)) &&
           (!is_rated || (s->mode[0] != '\0' && s->sigma > 0 && s->sigma < 1e6 && s->mu > -1e9 && s->mu < 1e9));
}

static void answer(struct match_keep *m, const struct wire_settle *s, enum wire_match_result result) {
    struct wire_settled settled = {.match = s->match, .player = s->player, .result = result};
    CHECK(match_list_add(&m->out_settled, &settled, sizeof settled));
    m->stats.settled += result == WIRE_MATCH_OK;
    m->stats.settles_refused += result == WIRE_MATCH_REFUSED;
}

static void free_settling(struct settling *one) {
    one->state = SETTLE_FREE;
    one->matches->settle_count--;
}

void match_keep_add_settle(struct match_keep *m, const struct wire_settle *settle) {
    struct settling *room = NULL;
    if (!is_sound(m, settle)) {
        answer(m, settle, WIRE_MATCH_REFUSED);
        return;
    }
    uint32_t seen = 0;
    for (uint32_t i = 0; i < MATCH_KEEP_SETTLES_MAX && (seen < m->settle_count || !room); i++) {
        struct settling *one = &m->settles[i];
        bool is_free = one->state == SETTLE_FREE;
        seen += !is_free;
        if (is_free && !room) room = one;
        if (!is_free && one->settle.match == settle->match && one->settle.player == settle->player) return;
    }
    if (!room) {
        answer(m, settle, WIRE_MATCH_UNAVAILABLE);
        return;
    }
    *room = (struct settling){.matches = m, .settle = *settle, .state = SETTLE_NEW};
    m->settle_count++;
}

/* --- was it settled before? The ledger forgets its keys sooner than the matchmaker may ask again. */

static const struct pg_statement FIND = {
    "match_settled_find", /* with a limit, as of ratings_look_up */
    "select s.match is not null from unnest($1::bigint[], $2::bigint[]) with ordinality as a (match, player, n)"
    " left join lateral (select match from match_settled where match = a.match and player = a.player limit 1) s on true"
    " order by a.n"};

static void looked(struct settling *one, const PGresult *result, int at) {
    struct pg_row row = pg_row_at(result, at);
    bool is_settled = pg_row_bool(&row, 0);
    one->state = row.error ? SETTLE_NEW : SETTLE_WAITING;
    if (row.error || !is_settled) return;
    answer(one->matches, &one->settle, WIRE_MATCH_OK);
    free_settling(one);
}

/* Rows come in the order of those that are looked for, which is that of the table. */
static void found(void *ctx, const struct pg_reply *reply) {
    struct match_keep *m = ctx;
    int at = 0;
    m->is_looking = false;
    if (reply->error) match_keep_failed(m, reply);
    for (uint32_t i = 0; i < MATCH_KEEP_SETTLES_MAX; i++) {
        struct settling *one = &m->settles[i];
        if (one->state != SETTLE_LOOKING) continue;
        if (reply->error) {
            one->state = SETTLE_NEW;
        } else {
            looked(one, reply->results[0], at++);
        }
    }
    if (!reply->error) match_keep_settle(m);
}

static void push_keys(struct pg_params *p, struct settling *const *batch, uint32_t count) {
    pg_params_array(p, PG_INT8);
    for (uint32_t i = 0; i < count; i++) pg_params_push_int8(p, (int64_t)batch[i]->settle.match);
    pg_params_end(p);
    pg_params_array(p, PG_INT8);
    for (uint32_t i = 0; i < count; i++) pg_params_push_int8(p, (int64_t)batch[i]->settle.player);
    pg_params_end(p);
}

static void look(struct match_keep *m) {
    struct settling *batch[MATCH_KEEP_BATCH_MAX];
    uint32_t count = 0;
    if (m->is_looking) return;
    for (uint32_t i = 0; i < MATCH_KEEP_SETTLES_MAX && count < MATCH_KEEP_BATCH_MAX; i++)
        if (m->settles[i].state == SETTLE_NEW) batch[count++] = &m->settles[i];
    if (count == 0) return;
    pg_params_reset(&m->looking_params);
    push_keys(&m->looking_params, batch, count);
    const struct pg_call call = {&FIND, &m->looking_params};
    m->is_looking = pg_run(m->config.pg, &call, 1, PG_READ, MATCH_KEEP_DEADLINE_MS, found, m) == 0;
    for (uint32_t i = 0; m->is_looking && i < count; i++) batch[i]->state = SETTLE_LOOKING;
}

/* --- the reward */

static bool is_for_later(enum ledger_status status) {
    return status == LEDGER_UNAVAILABLE || status == LEDGER_BUSY || status == LEDGER_CONFLICT || status == LEDGER_DISABLED;
}

static void granted(void *ctx, const struct ledger_result *result) {
    struct settling *one = ctx;
    struct match_keep *m = one->matches;
    const struct wire_settle *s = &one->settle;
    one->state = is_for_later(result->status) ? SETTLE_WAITING : SETTLE_GRANTED;
    if (one->state == SETTLE_WAITING) return;
    STEP("persist.granted");
    bool is_part = result->status != LEDGER_OK || result->is_part;
    if (is_part && !result->repeated)
        log_warn("reward.lost", "match=%u player=%llu status=%d part=%d", (unsigned)s->match, (unsigned long long)s->player,
                 (int)result->status, result->is_part);
    if (is_part) m->config.no_room(m->config.ctx, s->player, MATCH_KEEP_KEY | s->match, result->object);
    match_keep_settle(m);
}

static void grant(struct settling *one) {
    const struct wire_settle *s = &one->settle;
    if (s->gold == 0 && s->item_count == 0) {
        one->state = SETTLE_GRANTED;
        return;
    }
    const struct ledger_command command = {.verb = LEDGER_GRANT,
                                           .domain = LEDGER_DOMAIN_LOOT,
                                           .player = s->player,
                                           .key = MATCH_KEEP_KEY | s->match,
                                           .kind = s->item_count ? s->item_kind : 0,
                                           .count = s->item_count,
                                           .gold = (int64_t)s->gold};
    one->state = SETTLE_GRANTING;
    enum ledger_status status = value_submit(one->matches->config.value, &command, granted, one);
    if (status == LEDGER_OK) return;
    one->state = SETTLE_WAITING;
    if (is_for_later(status)) return;
    answer(one->matches, s, WIRE_MATCH_REFUSED);
    free_settling(one);
}

/* --- the rating, and the note that it is done */

static const struct pg_statement SETTLE = {
    "match_settle",
    "with asked as (select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::integer[], $5::text[], $6::text[],"
    "  $7::integer[], $8::integer[], $9::integer[])"
    "  as a (match, player, mode, season, mu, sigma, points, won, rated)),"
    " fresh as (insert into match_settled (match, player) select match, player from asked on conflict do nothing"
    "  returning match, player)"
    " insert into ratings (player, mode, season, mu, sigma, points, played, won, rated_at)"
    " select player, mode, season, mu::double precision, sigma::double precision, points, 1, won, now()"
    "  from asked join fresh using (match, player) where rated = 1"
    " on conflict (player, mode) do update set season = excluded.season, mu = excluded.mu, sigma = excluded.sigma,"
    "  points = excluded.points, rated_at = excluded.rated_at,"
    "  played = case when ratings.season = excluded.season then ratings.played else 0 end + 1,"
    "  won = case when ratings.season = excluded.season then ratings.won else 0 end + excluded.won"};

static void stored(void *ctx, const struct pg_reply *reply) {
    struct match_keep *m = ctx;
    m->is_settling = false;
    if (reply->error) match_keep_failed(m, reply);
    if (!reply->error) STEP("persist.settled");
    for (uint32_t i = 0; i < MATCH_KEEP_SETTLES_MAX; i++) {
        struct settling *one = &m->settles[i];
        if (one->state != SETTLE_STORING) continue;
        if (reply->error) {
            one->state = SETTLE_GRANTED;
            continue;
        }
        answer(m, &one->settle, WIRE_MATCH_OK);
        free_settling(one);
    }
    if (!reply->error) match_keep_settle(m);
}

static void push_ints(struct pg_params *p, struct settling *const *batch, uint32_t count,
                      int32_t (*of)(const struct wire_settle *)) {
    pg_params_array(p, PG_INT4);
    for (uint32_t i = 0; i < count; i++) pg_params_push_int4(p, of(&batch[i]->settle));
    pg_params_end(p);
}

static int32_t season_of(const struct wire_settle *s) {
    return (int32_t)s->season;
}

static int32_t points_of(const struct wire_settle *s) {
    return s->points;
}

static int32_t won_of(const struct wire_settle *s) {
    return s->is_won != 0;
}

static int32_t rated_of(const struct wire_settle *s) {
    return (s->flags & WIRE_SETTLE_RATED) != 0;
}

static void push_double(struct pg_params *p, double value) {
    char text[DOUBLE_TEXT_SIZE];
    int len = snprintf(text, sizeof text, "%.17g", value);
    pg_params_push_text(p, text, (size_t)len);
}

static void build(struct pg_params *p, struct settling *const *batch, uint32_t count) {
    pg_params_reset(p);
    push_keys(p, batch, count);
    pg_params_array(p, PG_TEXT);
    for (uint32_t i = 0; i < count; i++) match_keep_push_mode(p, batch[i]->settle.mode);
    pg_params_end(p);
    push_ints(p, batch, count, season_of);
    pg_params_array(p, PG_TEXT);
    for (uint32_t i = 0; i < count; i++) push_double(p, batch[i]->settle.mu);
    pg_params_end(p);
    pg_params_array(p, PG_TEXT);
    for (uint32_t i = 0; i < count; i++) push_double(p, batch[i]->settle.sigma);
    pg_params_end(p);
    push_ints(p, batch, count, points_of);
    push_ints(p, batch, count, won_of);
    push_ints(p, batch, count, rated_of);
}

static bool has_player(struct settling *const *batch, uint32_t count, uint64_t player) {
    for (uint32_t i = 0; i < count; i++)
        if (batch[i]->settle.player == player) return true;
    return false;
}

/* A player is in a transaction once: two matches of one player are two changes of one row. */
static uint32_t pick(struct match_keep *m, struct settling *batch[MATCH_KEEP_BATCH_MAX]) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < MATCH_KEEP_SETTLES_MAX && count < MATCH_KEEP_BATCH_MAX; i++) {
        struct settling *one = &m->settles[i];
        if (one->state == SETTLE_WAITING) grant(one);
        if (one->state == SETTLE_GRANTED && !has_player(batch, count, one->settle.player)) batch[count++] = one;
    }
    return count;
}

void match_keep_settle(struct match_keep *m) {
    struct settling *batch[MATCH_KEEP_BATCH_MAX];
    if (m->settle_count == 0) return;
    look(m);
    if (m->is_settling) return;
    uint32_t count = pick(m, batch);
    if (count == 0) return;
    build(&m->settle_params, batch, count);
    const struct pg_call calls[] = {match_keep_fence(m), {&SETTLE, &m->settle_params}};
    m->is_settling = pg_run(m->config.pg, calls, 2, PG_TRANSACTION, MATCH_KEEP_DEADLINE_MS, stored, m) == 0;
    for (uint32_t i = 0; m->is_settling && i < count; i++) batch[i]->state = SETTLE_STORING;
}
