#include "persist/upkeep.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "persist/ledger.h"

#define EVENTS_KEEP_DAYS   30
#define IDEMPOTENCY_KEEP_H 24
#define CALLS_MAX          5 /* of a task */

_Static_assert(LEDGER_TRANSFER_MS_MAX < UPKEEP_TRANSFER_KEEP_DAYS * 24ull * 3600 * 1000,
               "the answer to a transfer is kept for as long as it can come again");

static const struct pg_statement CREATE = {"events_create",
                                           "select events_create((now() at time zone 'UTC')::date, $1::integer)::bigint"};

/* 1 when a day was folded: there may be another. */
static const struct pg_statement FOLD = {
    "events_fold", "select (events_fold((now() at time zone 'UTC')::date - $1::integer) is not null)::int::bigint"};

/* Likewise. */
static const struct pg_statement CLOSE = {
    "events_close", "select (events_close(((now() - make_interval(mins => $1::integer)) at time zone 'UTC')::date) "
                    "is not null)::int::bigint"};

static const struct pg_statement STATS = {"daily_stats", "refresh materialized view concurrently daily_stats"};

/* The key of a match's reward (match_keep.h) stays until it is noted that the match is settled. */
static const struct pg_statement CLEAN_COMMANDS = {
    "clean_commands", "with gone as (delete from commands where ctid = any(array("
                      "select ctid from commands c where at < now() - make_interval(hours => $1::integer) "
                      "and (domain <> 3 and (domain <> 2 or key >> 48 <> -1 or coalesce((select true from match_settled s "
                      "where s.match = (c.key & ((1::bigint << 48) - 1)) and s.player = c.player), false)) "
                      "or at < now() - make_interval(days => $2::integer)) limit $3::integer)) returning 1) "
                      "select count(*) from gone"};

static const struct pg_statement CLEAN_SESSIONS = {
    "clean_sessions",
    "with gone as (delete from sessions where ctid = any(array("
    "select ctid from sessions where expires_at < now() limit $1::integer)) returning 1) select count(*) from gone"};

static const struct pg_statement CLEAN_TOKENS = {
    "clean_tokens",
    "with gone as (delete from tokens where ctid = any(array("
    "select ctid from tokens where expires_at < now() limit $1::integer)) returning 1) select count(*) from gone"};

static const struct pg_statement CLEAN_DOCUMENTS = {
    "clean_documents",
    "with gone as (delete from match_documents where ctid = any(array("
    "select ctid from match_documents where body is null and changed_at < now() - interval '1 hour' limit $2::integer)"
    " || array(select ctid from match_documents where kind = 4 "
    "and changed_at < now() - make_interval(days => $1::integer) limit $2::integer)) returning 1) "
    "select count(*) from gone"};

static const struct pg_statement CLEAN_SETTLED = {
    "clean_settled",
    "with gone as (delete from match_settled where ctid = any(array("
    "select ctid from match_settled where at < now() - make_interval(days => $1::integer) limit $2::integer)) "
    "returning 1) select count(*) from gone"};

static const uint32_t EVERY_MS[UPKEEP_TASK_COUNT] = {3600 * 1000, 3600 * 1000, 300 * 1000, 10 * 1000, 300 * 1000};

/* The tasks of each lane; of two that are due at the same time the first goes first. */
#define LANE_TASKS_MAX 3
static const struct {
    unsigned count;
    enum upkeep_task tasks[LANE_TASKS_MAX];
} LANES[UPKEEP_LANES] = {{2, {UPKEEP_CREATE, UPKEEP_CLEAN}}, {3, {UPKEEP_FOLD, UPKEEP_CLOSE, UPKEEP_STATS}}};

struct lane {
    struct upkeep *upkeep;
    unsigned index;
    ev_timer timer;
    enum upkeep_task task; /* the one under way */
    bool running;
    struct pg_params params[CALLS_MAX];
};

struct upkeep {
    struct ev_loop *loop;
    struct pg *pg;
    struct upkeep_config config;
    struct mono due[UPKEEP_TASK_COUNT];
    struct lane lanes[UPKEEP_LANES];
    struct upkeep_stats stats;
};

static const char *task_name(enum upkeep_task task) {
    static const char *const names[] = {"create", "fold", "stats", "clean", "close"};
    CHECK(task < UPKEEP_TASK_COUNT);
    return names[task];
}

static enum upkeep_task first_due(const struct lane *lane) {
    const struct mono *due = lane->upkeep->due;
    enum upkeep_task first = LANES[lane->index].tasks[0];
    for (unsigned i = 1; i < LANES[lane->index].count; i++) {
        enum upkeep_task task = LANES[lane->index].tasks[i];
        if (due[task].ns < due[first].ns) first = task;
    }
    return first;
}

static void arm(struct lane *lane) {
    struct upkeep *upkeep = lane->upkeep;
    uint64_t wait_ns = mono_since_ns(upkeep->due[first_due(lane)], mono_now());
    ev_timer_stop(upkeep->loop, &lane->timer);
    ev_timer_set(&lane->timer, (double)wait_ns / 1e9, 0.);
    ev_timer_start(upkeep->loop, &lane->timer);
}

/* Counts what a task did; true when there may be more to do. */
static bool account(struct upkeep_stats *stats, enum upkeep_task task, const struct pg_reply *reply) {
    uint64_t count = 0, most = 0;
    if (task == UPKEEP_STATS) return false;
    for (unsigned i = 0; i < reply->count; i++) {
        struct pg_row row = pg_row_at(reply->results[i], 0);
        uint64_t rows = pg_row_u64(&row, 0);
        count += rows;
        if (rows > most) most = rows;
    }
    if (task == UPKEEP_CREATE) stats->partitions_created += count;
    if (task == UPKEEP_FOLD) stats->days_folded += count;
    if (task == UPKEEP_CLOSE) stats->days_closed += count;
    if (task == UPKEEP_CLEAN) stats->rows_cleaned += count;
    if (task == UPKEEP_FOLD && count > 0) log_info("upkeep.folded", "days=%u", (unsigned)count);
    bool by_day = task == UPKEEP_FOLD || task == UPKEEP_CLOSE;
    return (by_day && count > 0) || (task == UPKEEP_CLEAN && most >= UPKEEP_CLEAN_ROWS);
}

static void finish(struct lane *lane, uint32_t wait_ms) {
    lane->running = false;
    lane->upkeep->due[lane->task] = mono_add_ms(mono_now(), wait_ms);
    arm(lane);
}

static void fail(struct lane *lane, int error, const char *why) {
    struct upkeep *upkeep = lane->upkeep;
    upkeep->stats.failures[lane->task]++;
    log_warn("upkeep.failed", "task=%s error=%s why=%s", task_name(lane->task), LOG_QUOTE(march_error_text(error)),
             LOG_QUOTE(why));
    uint32_t every_ms = upkeep->config.every_ms[lane->task];
    finish(lane, every_ms < UPKEEP_RETRY_MS ? every_ms : UPKEEP_RETRY_MS);
}

static void on_done(void *ctx, const struct pg_reply *reply) {
    struct lane *lane = ctx;
    struct upkeep *upkeep = lane->upkeep;
    if (reply->error != 0) {
        fail(lane, reply->error, reply->message);
        return;
    }
    upkeep->stats.runs[lane->task]++;
    upkeep->stats.succeeded_at[lane->task] = mono_now();
    bool more = account(&upkeep->stats, lane->task, reply);
    finish(lane, more ? UPKEEP_AGAIN_MS : upkeep->config.every_ms[lane->task]);
}

static void set_param(struct pg_params *params, uint32_t value) {
    pg_params_reset(params);
    pg_params_int4(params, (int32_t)value);
}

static unsigned build(struct lane *lane, struct pg_call calls[CALLS_MAX]) {
    const struct upkeep *upkeep = lane->upkeep;
    struct pg_params *params = lane->params;
    switch (lane->task) {
    case UPKEEP_CREATE:
        set_param(&params[0], UPKEEP_DAYS_AHEAD);
        calls[0] = (struct pg_call){&CREATE, &params[0]};
        return 1;
    case UPKEEP_FOLD:
        set_param(&params[0], upkeep->config.events_keep_days);
        calls[0] = (struct pg_call){&FOLD, &params[0]};
        return 1;
    case UPKEEP_CLOSE:
        set_param(&params[0], UPKEEP_CLOSE_MIN);
        calls[0] = (struct pg_call){&CLOSE, &params[0]};
        return 1;
    case UPKEEP_STATS: calls[0] = (struct pg_call){&STATS, NULL}; return 1;
    default: break;
    }
    set_param(&params[0], upkeep->config.idempotency_keep_h);
    pg_params_int4(&params[0], UPKEEP_TRANSFER_KEEP_DAYS);
    pg_params_int4(&params[0], UPKEEP_CLEAN_ROWS);
    set_param(&params[1], UPKEEP_CLEAN_ROWS);
    calls[0] = (struct pg_call){&CLEAN_COMMANDS, &params[0]};
    calls[1] = (struct pg_call){&CLEAN_SESSIONS, &params[1]};
    calls[2] = (struct pg_call){&CLEAN_TOKENS, &params[1]};
    set_param(&params[2], UPKEEP_RESULT_KEEP_DAYS);
    pg_params_int4(&params[2], UPKEEP_CLEAN_ROWS);
    calls[3] = (struct pg_call){&CLEAN_DOCUMENTS, &params[2]};
    set_param(&params[3], UPKEEP_TRANSFER_KEEP_DAYS);
    pg_params_int4(&params[3], UPKEEP_CLEAN_ROWS);
    calls[4] = (struct pg_call){&CLEAN_SETTLED, &params[3]};
    return CALLS_MAX;
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop, (void)events;
    struct lane *lane = timer->data;
    lane->task = first_due(lane);
    const struct upkeep_config *config = &lane->upkeep->config;
    if (lane->task == UPKEEP_CLEAN && config->may_clean && !config->may_clean(config->ctx)) {
        finish(lane, config->every_ms[UPKEEP_CLEAN]);
        return;
    }
    struct pg_call calls[CALLS_MAX];
    unsigned count = build(lane, calls);
    lane->running = true;
    int error = pg_run(lane->upkeep->pg, calls, count, PG_TRANSACTION, UPKEEP_DEADLINE_MS, on_done, lane);
    if (error != 0) fail(lane, error, "");
}

static void init_lane(struct upkeep *upkeep, unsigned index) {
    struct lane *lane = &upkeep->lanes[index];
    lane->upkeep = upkeep;
    lane->index = index;
    for (unsigned i = 0; i < CALLS_MAX; i++) pg_params_init(&lane->params[i]);
    ev_init(&lane->timer, on_timer);
    lane->timer.data = lane;
    arm(lane);
}

struct upkeep *upkeep_create(struct ev_loop *loop, struct pg *pg, const struct upkeep_config *config) {
    struct upkeep *upkeep = calloc(1, sizeof *upkeep);
    if (!upkeep) return NULL;
    upkeep->loop = loop;
    upkeep->pg = pg;
    upkeep->config = *config;
    if (upkeep->config.events_keep_days == 0) upkeep->config.events_keep_days = EVENTS_KEEP_DAYS;
    if (upkeep->config.idempotency_keep_h == 0) upkeep->config.idempotency_keep_h = IDEMPOTENCY_KEEP_H;
    for (unsigned i = 0; i < UPKEEP_TASK_COUNT; i++)
        if (upkeep->config.every_ms[i] == 0) upkeep->config.every_ms[i] = EVERY_MS[i];
    for (unsigned i = 0; i < UPKEEP_LANES; i++) init_lane(upkeep, i);
    return upkeep;
}

void upkeep_destroy(struct upkeep *upkeep) {
    if (!upkeep) return;
    for (unsigned l = 0; l < UPKEEP_LANES; l++) {
        struct lane *lane = &upkeep->lanes[l];
        CHECK(!lane->running);
        ev_timer_stop(upkeep->loop, &lane->timer);
        for (unsigned i = 0; i < CALLS_MAX; i++) pg_params_deinit(&lane->params[i]);
    }
    free(upkeep);
}

struct upkeep_stats upkeep_stats_get(const struct upkeep *upkeep) {
    struct upkeep_stats stats = upkeep->stats;
    for (unsigned i = 0; i < UPKEEP_LANES; i++) stats.running |= upkeep->lanes[i].running;
    return stats;
}
