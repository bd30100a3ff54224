/* match_keep_settle.c: what players have of matches: first the reward, then the rating, each once. */
#include <stdio.h>
#include <stdlib.h>
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

/* --- who is under way: queues, and chains by match and player */

#define NONE UINT32_MAX

_Static_assert((MATCH_KEEP_SETTLES_MAX & (MATCH_KEEP_SETTLES_MAX - 1)) == 0, "buckets are chosen by a mask");

static void push(struct settles *s, struct settle_queue *queue, uint32_t index) {
    s->all[index].next = NONE;
    *(queue->head == NONE ? &queue->head : &s->all[queue->tail].next) = index;
    queue->tail = index;
}

static uint32_t pop(struct settles *s, struct settle_queue *queue) {
    uint32_t index = queue->head;
    if (index != NONE) queue->head = s->all[index].next;
    return index;
}

static uint32_t *bucket_of(struct settles *s, const struct wire_settle *settle) {
    uint64_t z = (settle->player ^ settle->match << 32) * 0x9e3779b97f4a7c15;
    return &s->buckets[(z ^ z >> 32) & (MATCH_KEEP_SETTLES_MAX - 1)];
}

static bool is_under_way(struct settles *s, const struct wire_settle *settle) {
    for (uint32_t i = *bucket_of(s, settle); i != NONE; i = s->all[i].chain)
        if (s->all[i].settle.match == settle->match && s->all[i].settle.player == settle->player) return true;
    return false;
}

static void forget(struct settles *s, uint32_t index) {
    uint32_t *link = bucket_of(s, &s->all[index].settle);
    while (*link != index) link = &s->all[*link].chain;
    *link = s->all[index].chain;
    push(s, &s->free, index);
    s->count--;
}

int match_settles_init(struct match_keep *m) {
    struct settles *s = &m->settles;
    pg_params_init(&s->looking_params);
    pg_params_init(&s->storing_params);
    s->free = s->fresh = s->waiting = s->granted = (struct settle_queue){NONE, NONE};
    s->all = calloc(MATCH_KEEP_SETTLES_MAX, sizeof *s->all);
    s->buckets = malloc(MATCH_KEEP_SETTLES_MAX * sizeof *s->buckets);
    if (!s->all || !s->buckets) return MARCH_ERR_SYSTEM;
    for (uint32_t i = 0; i < MATCH_KEEP_SETTLES_MAX; i++) {
        s->buckets[i] = NONE;
        push(s, &s->free, i);
    }
    return 0;
}

void match_settles_deinit(struct match_keep *m) {
    CHECK(m->settles.looking_count == 0 && m->settles.storing_count == 0);
    pg_params_deinit(&m->settles.looking_params);
    pg_params_deinit(&m->settles.storing_params);
    free(m->settles.all);
    free(m->settles.buckets);
}

void match_keep_add_settle(struct match_keep *m, const struct wire_settle *settle) {
    struct settles *s = &m->settles;
    if (!is_sound(m, settle)) {
        answer(m, settle, WIRE_MATCH_REFUSED);
        return;
    }
    if (is_under_way(s, settle)) return;
    uint32_t index = pop(s, &s->free);
    if (index == NONE) {
        answer(m, settle, WIRE_MATCH_UNAVAILABLE);
        return;
    }
    uint32_t *bucket = bucket_of(s, settle);
    s->all[index] = (struct settling){.matches = m, .settle = *settle, .chain = *bucket};
    *bucket = index;
    push(s, &s->fresh, index);
    s->count++;
}

static void end(struct match_keep *m, uint32_t index, enum wire_match_result result) {
    answer(m, &m->settles.all[index].settle, result);
    forget(&m->settles, index);
}

/* --- was it settled before? The ledger forgets its keys sooner than the matchmaker may ask again. */

static const struct pg_statement FIND = {
    "match_settled_find", /* with a limit, as of ratings_look_up */
    "select s.match is not null from unnest($1::bigint[], $2::bigint[]) with ordinality as a (match, player, n)"
    " left join lateral (select match from match_settled where match = a.match and player = a.player limit 1) s on true"
    " order by a.n"};

static void grant_all(struct match_keep *m);

/* Rows come in the order of those that are looked for. */
static void found(void *ctx, const struct pg_reply *reply) {
    struct match_keep *m = ctx;
    struct settles *s = &m->settles;
    uint32_t count = s->looking_count;
    s->looking_count = 0;
    if (reply->error) match_keep_failed(m, reply);
    for (uint32_t i = 0; i < count; i++) {
        struct pg_row row = {0};
        if (!reply->error) row = pg_row_at(reply->results[0], (int)i);
        bool is_unknown = reply->error || row.error;
        bool is_settled = !is_unknown && pg_row_bool(&row, 0);
        if (is_settled) {
            end(m, s->looking[i], WIRE_MATCH_OK);
        } else {
            push(s, is_unknown ? &s->fresh : &s->waiting, s->looking[i]);
        }
    }
    if (!reply->error) grant_all(m);
}

static void push_keys(struct pg_params *p, const struct settling *all, const uint32_t *batch, uint32_t count) {
    pg_params_array(p, PG_INT8);
    for (uint32_t i = 0; i < count; i++) pg_params_push_int8(p, (int64_t)all[batch[i]].settle.match);
    pg_params_end(p);
    pg_params_array(p, PG_INT8);
    for (uint32_t i = 0; i < count; i++) pg_params_push_int8(p, (int64_t)all[batch[i]].settle.player);
    pg_params_end(p);
}

static void look(struct match_keep *m) {
    struct settles *s = &m->settles;
    uint32_t count = 0;
    if (s->looking_count > 0) return;
    while (count < MATCH_KEEP_BATCH_MAX && s->fresh.head != NONE) s->looking[count++] = pop(s, &s->fresh);
    if (count == 0) return;
    pg_params_reset(&s->looking_params);
    push_keys(&s->looking_params, s->all, s->looking, count);
    const struct pg_call call = {&FIND, &s->looking_params};
    if (pg_run(m->config.pg, &call, 1, PG_READ, MATCH_KEEP_DEADLINE_MS, found, m) == 0) {
        s->looking_count = count;
        return;
    }
    for (uint32_t i = 0; i < count; i++) push(s, &s->fresh, s->looking[i]);
}

/* --- the reward */

static bool is_for_later(enum ledger_status status) {
    return status == LEDGER_UNAVAILABLE || status == LEDGER_BUSY || status == LEDGER_CONFLICT || status == LEDGER_DISABLED;
}

static void granted(void *ctx, const struct ledger_result *result) {
    struct settling *one = ctx;
    struct match_keep *m = one->matches;
    const struct wire_settle *s = &one->settle;
    uint32_t index = (uint32_t)(one - m->settles.all);
    if (is_for_later(result->status)) {
        push(&m->settles, &m->settles.waiting, index);
        return;
    }
    push(&m->settles, &m->settles.granted, index);
    STEP("persist.granted");
    bool is_part = result->status != LEDGER_OK || result->is_part;
    if (is_part && !result->repeated)
        log_warn("reward.lost", "match=%u player=%llu status=%d part=%d", (unsigned)s->match, (unsigned long long)s->player,
                 (int)result->status, result->is_part);
    if (is_part) m->config.no_room(m->config.ctx, s->player, MATCH_KEEP_KEY | s->match, result->object);
}

static void grant(struct match_keep *m, uint32_t index) {
    struct settling *one = &m->settles.all[index];
    const struct wire_settle *s = &one->settle;
    if (s->gold == 0 && s->item_count == 0) {
        push(&m->settles, &m->settles.granted, index);
        return;
    }
    const struct ledger_command command = {.verb = LEDGER_GRANT,
                                           .domain = LEDGER_DOMAIN_LOOT,
                                           .player = s->player,
                                           .key = MATCH_KEEP_KEY | s->match,
                                           .kind = s->item_count ? s->item_kind : 0,
                                           .count = s->item_count,
                                           .gold = (int64_t)s->gold};
    enum ledger_status status = value_submit(m->config.value, &command, granted, one);
    if (status == LEDGER_OK) return;
    if (is_for_later(status)) {
        push(&m->settles, &m->settles.waiting, index);
    } else {
        end(m, index, WIRE_MATCH_REFUSED);
    }
}

/* What can't be granted now waits again. */
static void grant_all(struct match_keep *m) {
    struct settle_queue all = m->settles.waiting;
    m->settles.waiting = (struct settle_queue){NONE, NONE};
    for (uint32_t i = pop(&m->settles, &all); i != NONE; i = pop(&m->settles, &all)) grant(m, i);
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
    struct settles *s = &m->settles;
    uint32_t count = s->storing_count;
    s->storing_count = 0;
    if (reply->error) match_keep_failed(m, reply);
    if (!reply->error) STEP("persist.settled");
    for (uint32_t i = 0; i < count; i++) {
        if (reply->error) {
            push(s, &s->granted, s->storing[i]);
        } else {
            end(m, s->storing[i], WIRE_MATCH_OK);
        }
    }
}

static void push_ints(struct pg_params *p, const struct settles *s, int32_t (*of)(const struct wire_settle *)) {
    pg_params_array(p, PG_INT4);
    for (uint32_t i = 0; i < s->storing_count; i++) pg_params_push_int4(p, of(&s->all[s->storing[i]].settle));
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

static void build(const struct settles *s, struct pg_params *p) {
    pg_params_reset(p);
    push_keys(p, s->all, s->storing, s->storing_count);
    pg_params_array(p, PG_TEXT);
    for (uint32_t i = 0; i < s->storing_count; i++) match_keep_push_mode(p, s->all[s->storing[i]].settle.mode);
    pg_params_end(p);
    push_ints(p, s, season_of);
    pg_params_array(p, PG_TEXT);
    for (uint32_t i = 0; i < s->storing_count; i++) push_double(p, s->all[s->storing[i]].settle.mu);
    pg_params_end(p);
    pg_params_array(p, PG_TEXT);
    for (uint32_t i = 0; i < s->storing_count; i++) push_double(p, s->all[s->storing[i]].settle.sigma);
    pg_params_end(p);
    push_ints(p, s, points_of);
    push_ints(p, s, won_of);
    push_ints(p, s, rated_of);
}

static bool has_player(const struct settles *s, uint64_t player) {
    for (uint32_t i = 0; i < s->storing_count; i++)
        if (s->all[s->storing[i]].settle.player == player) return true;
    return false;
}

/* A player is in a transaction once: two matches of one player are two changes of one row. */
static void gather(struct settles *s) {
    struct settle_queue all = s->granted;
    s->granted = (struct settle_queue){NONE, NONE};
    for (uint32_t i = pop(s, &all); i != NONE; i = pop(s, &all)) {
        bool is_for_now = s->storing_count < MATCH_KEEP_BATCH_MAX && !has_player(s, s->all[i].settle.player);
        if (is_for_now) {
            s->storing[s->storing_count++] = i;
        } else {
            push(s, &s->granted, i);
        }
    }
}

static void store(struct match_keep *m) {
    static const struct pg_statement fence = {"match_settle_fence", "select march_fence($1::bigint)"};
    struct settles *s = &m->settles;
    if (s->storing_count > 0 || s->granted.head == NONE) return;
    gather(s);
    build(s, &s->storing_params);
    const struct pg_call calls[] = {{&fence, &m->fence}, {&SETTLE, &s->storing_params}};
    if (pg_run(m->config.pg, calls, 2, PG_TRANSACTION, MATCH_KEEP_DEADLINE_MS, stored, m) == 0) return;
    for (uint32_t i = 0; i < s->storing_count; i++) push(s, &s->granted, s->storing[i]);
    s->storing_count = 0;
}

void match_keep_settle(struct match_keep *m) {
    look(m);
    grant_all(m);
    store(m);
}
