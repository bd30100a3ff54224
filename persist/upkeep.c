#include "persist/upkeep.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "persist/ledger.h"

#define EVENTS_KEEP_DAYS   30
#define IDEMPOTENCY_KEEP_H 24

_Static_assert(LEDGER_TRANSFER_MS_MAX < UPKEEP_TRANSFER_KEEP_DAYS * 24ull * 3600 * 1000,
               "the answer to a transfer is kept for as long as it can come again");

static const struct pg_statement CREATE = {"events_create",
                                           "select events_create((now() at time zone 'UTC')::date, $1::integer)::bigint"};

/* 1 when a day was folded: there may be another. */
static const struct pg_statement FOLD = {
    "events_fold", "select (events_fold((now() at time zone 'UTC')::date - $1::integer) is not null)::int::bigint"};

static const struct pg_statement STATS = {"daily_stats", "refresh materialized view concurrently daily_stats"};

static const struct pg_statement CLEAN_COMMANDS = {
    "clean_commands",
    "with gone as (delete from commands where ctid = any(array("
    "select ctid from commands where at < now() - make_interval(hours => $1::integer) "
    "and (domain <> 3 or at < now() - make_interval(days => $2::integer)) limit $3::integer)) returning 1) "
    "select count(*) from gone"};

static const struct pg_statement CLEAN_SESSIONS = {
    "clean_sessions",
    "with gone as (delete from sessions where ctid = any(array("
    "select ctid from sessions where expires_at < now() limit $1::integer)) returning 1) select count(*) from gone"};

static const struct pg_statement CLEAN_TOKENS = {
    "clean_tokens",
    "with gone as (delete from tokens where ctid = any(array("
    "select ctid from tokens where expires_at < now() limit $1::integer)) returning 1) select count(*) from gone"};

static const uint32_t EVERY_MS[UPKEEP_TASK_COUNT] = {3600 * 1000, 3600 * 1000, 300 * 1000, 10 * 1000};

struct upkeep {
    struct ev_loop *loop;
    struct pg *pg;
    struct upkeep_config config;
    ev_timer timer;
    struct mono due[UPKEEP_TASK_COUNT];
    enum upkeep_task task; /* the one under way */
    struct pg_params params[3];
    struct upkeep_stats stats;
};

const char *upkeep_task_name(enum upkeep_task task) {
    static const char *const names[] = {"create", "fold", "stats", "clean"};
    CHECK(task < UPKEEP_TASK_COUNT);
    return names[task];
}

static enum upkeep_task first_due(const struct upkeep *upkeep) {
    enum upkeep_task first = UPKEEP_CREATE;
    for (unsigned i = 1; i < UPKEEP_TASK_COUNT; i++)
        if (upkeep->due[i].ns < upkeep->due[first].ns) first = (enum upkeep_task)i;
    return first;
}

static void arm(struct upkeep *upkeep) {
    uint64_t wait_ns = mono_since_ns(upkeep->due[first_due(upkeep)], mono_now());
    ev_timer_stop(upkeep->loop, &upkeep->timer);
    ev_timer_set(&upkeep->timer, (double)wait_ns / 1e9, 0.);
    ev_timer_start(upkeep->loop, &upkeep->timer);
}

/* Counts what a task did; true when there may be more to do. */
static bool account(struct upkeep *upkeep, const struct pg_reply *reply) {
    struct upkeep_stats *stats = &upkeep->stats;
    uint64_t count = 0, most = 0;
    if (upkeep->task == UPKEEP_STATS) return false;
    for (unsigned i = 0; i < reply->count; i++) {
        struct pg_row row = pg_row_at(reply->results[i], 0);
        uint64_t rows = pg_row_u64(&row, 0);
        count += rows;
        if (rows > most) most = rows;
    }
    if (upkeep->task == UPKEEP_CREATE) stats->partitions_created += count;
    if (upkeep->task == UPKEEP_FOLD) stats->days_folded += count;
    if (upkeep->task == UPKEEP_CLEAN) stats->rows_cleaned += count;
    if (upkeep->task == UPKEEP_FOLD && count > 0) log_info("upkeep.folded", "days=%u", (unsigned)count);
    return (upkeep->task == UPKEEP_FOLD && count > 0) || (upkeep->task == UPKEEP_CLEAN && most == UPKEEP_CLEAN_ROWS);
}

static void finish(struct upkeep *upkeep, uint32_t wait_ms) {
    upkeep->stats.running = false;
    upkeep->due[upkeep->task] = mono_add_ms(mono_now(), wait_ms);
    arm(upkeep);
}

static void fail(struct upkeep *upkeep, int error, const char *why) {
    upkeep->stats.failures[upkeep->task]++;
    log_warn("upkeep.failed", "task=%s error=%s why=%s", upkeep_task_name(upkeep->task), LOG_QUOTE(march_error_text(error)),
             LOG_QUOTE(why));
    uint32_t every_ms = upkeep->config.every_ms[upkeep->task];
    finish(upkeep, every_ms < UPKEEP_RETRY_MS ? every_ms : UPKEEP_RETRY_MS);
}

static void on_done(void *ctx, const struct pg_reply *reply) {
    struct upkeep *upkeep = ctx;
    if (reply->error != 0) {
        fail(upkeep, reply->error, reply->message);
        return;
    }
    upkeep->stats.runs[upkeep->task]++;
    upkeep->stats.succeeded_at[upkeep->task] = mono_now();
    finish(upkeep, account(upkeep, reply) ? UPKEEP_AGAIN_MS : upkeep->config.every_ms[upkeep->task]);
}

static void set_param(struct pg_params *params, uint32_t value) {
    pg_params_reset(params);
    pg_params_int4(params, (int32_t)value);
}

static unsigned build(struct upkeep *upkeep, struct pg_call calls[3]) {
    struct pg_params *params = upkeep->params;
    switch (upkeep->task) {
    case UPKEEP_CREATE:
        set_param(&params[0], UPKEEP_DAYS_AHEAD);
        calls[0] = (struct pg_call){&CREATE, &params[0]};
        return 1;
    case UPKEEP_FOLD:
        set_param(&params[0], upkeep->config.events_keep_days);
        calls[0] = (struct pg_call){&FOLD, &params[0]};
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
    return 3;
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop, (void)events;
    struct upkeep *upkeep = timer->data;
    upkeep->task = first_due(upkeep);
    struct pg_call calls[3];
    unsigned count = build(upkeep, calls);
    upkeep->stats.running = true;
    int error = pg_run(upkeep->pg, calls, count, PG_TRANSACTION, UPKEEP_DEADLINE_MS, on_done, upkeep);
    if (error != 0) fail(upkeep, error, "");
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
    for (unsigned i = 0; i < 3; i++) pg_params_init(&upkeep->params[i]);
    ev_init(&upkeep->timer, on_timer);
    upkeep->timer.data = upkeep;
    arm(upkeep);
    return upkeep;
}

void upkeep_destroy(struct upkeep *upkeep) {
    if (!upkeep) return;
    CHECK(!upkeep->stats.running);
    ev_timer_stop(upkeep->loop, &upkeep->timer);
    for (unsigned i = 0; i < 3; i++) pg_params_deinit(&upkeep->params[i]);
    free(upkeep);
}

struct upkeep_stats upkeep_stats_get(const struct upkeep *upkeep) {
    return upkeep->stats;
}
