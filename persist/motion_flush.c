/* motion_flush.c: write-behind.
 *
 * A flush sends what the dirty queue holds when it begins, in batches, MOTION_BATCHES_MAX at a time, each a transaction. The
 * last batch waits until the others have committed and carries the watermark, so the watermark never promises what is not
 * there. What fails goes back into the queue, and the flush ends without the watermark; sending it all once more does no
 * harm.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/log.h"
#include "persist/grants.h"
#include "persist/journal.h"
#include "persist/motion_state.h"

static const struct pg_statement FENCE = {.name = "motion_fence", .sql = "select march_fence($1::bigint)"};

static const struct pg_statement FENCE_LAZY = {
    .name = "motion_fence_lazy", .sql = "select march_fence($1::bigint), set_config('synchronous_commit', 'off', true)"};

static const struct pg_statement UPSERT = {
    .name = "motion_upsert",
    .sql = "insert into player_state as old (player, session_epoch, tick, experience, x, y, yaw, level, hit_points, flags)"
           " select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::int[], $6::int[], $7::int[],"
           " $8::int[], $9::int[], $10::int[])"
           " on conflict (player) do update set session_epoch = excluded.session_epoch, tick = excluded.tick,"
           " experience = excluded.experience, x = excluded.x, y = excluded.y, yaw = excluded.yaw, level = excluded.level,"
           " hit_points = excluded.hit_points, flags = excluded.flags"
           " where (old.session_epoch, old.tick) < (excluded.session_epoch, excluded.tick)"};

/* A journal that is new to the database begins at 0. */
static const struct pg_statement CLAIM = {
    .name = "motion_claim",
    .sql = "update watermark set journal_id = $1::uuid, position = 0 where journal_id is distinct from $1::uuid"};

/* A persist that began while the database was away replays what is below the watermark, too, and may hold it back at first:
 * it stays then. */
static const struct pg_statement WATERMARK = {
    .name = "motion_watermark", .sql = "select march_watermark($1::uuid, greatest($2::bigint, position)) from watermark"};

int motion_flush_init(struct motion *m) {
    for (unsigned i = 0; i < MOTION_BATCHES_MAX; i++) {
        struct motion_batch *batch = &m->flush.batches[i];
        batch->motion = m;
        batch->sent = calloc(m->config.batch_rows, sizeof *batch->sent);
        if (!batch->sent) return MARCH_ERR_SYSTEM;
    }
    return 0;
}

void motion_flush_deinit(struct motion *m) {
    CHECK(m->flush.busy_batches == 0);
    for (unsigned i = 0; i < MOTION_BATCHES_MAX; i++) free(m->flush.batches[i].sent);
}

/* --- a batch's parameters */

/* COLUMN adds an array of one field of all states that are sent. */
#define COLUMN(type, push, cast, field)                                                                                     \
    do {                                                                                                                    \
        pg_params_array(params, type);                                                                                      \
        for (uint32_t i = 0; i < batch->count; i++)                                                                         \
            push(params, (cast)batch->motion->table.entries[batch->sent[i].index].state.field);                             \
        pg_params_end(params);                                                                                              \
    } while (0)

static void columns_build(const struct motion_batch *batch, struct pg_params *params) {
    pg_params_reset(params);
    COLUMN(PG_INT8, pg_params_push_int8, int64_t, player);
    COLUMN(PG_INT8, pg_params_push_int8, int64_t, session_epoch);
    COLUMN(PG_INT8, pg_params_push_int8, int64_t, tick);
    COLUMN(PG_INT8, pg_params_push_int8, int64_t, experience);
    COLUMN(PG_INT4, pg_params_push_int4, int32_t, x);
    COLUMN(PG_INT4, pg_params_push_int4, int32_t, y);
    COLUMN(PG_INT4, pg_params_push_int4, int32_t, yaw);
    COLUMN(PG_INT4, pg_params_push_int4, int32_t, level);
    COLUMN(PG_INT4, pg_params_push_int4, int32_t, hit_points);
    COLUMN(PG_INT4, pg_params_push_int4, int32_t, flags);
}

/* --- sending */

static void batch_done(void *ctx, const struct pg_reply *reply);

/* batch_take moves entries from the dirty queue into the batch. */
static void batch_take(struct motion *m, struct motion_batch *batch) {
    batch->count = 0;
    batch->lazy = !batch->last;
    while (batch->count < m->config.batch_rows && m->flush.left > 0) {
        struct motion_entry *entry = motion_table_pop(&m->table, MOTION_QUEUE_DIRTY);
        CHECK(entry != NULL);
        m->flush.left--;
        entry->flushing = true;
        entry->flush_serial = m->flush.serial;
        if (entry->unjournaled) batch->lazy = false;
        batch->sent[batch->count++] = (struct motion_sent){
            .index = motion_table_index(&m->table, entry), .epoch = entry->state.session_epoch, .tick = entry->state.tick};
    }
}

static int batch_send(struct motion *m, struct motion_batch *batch) {
    struct pg_call calls[4];
    unsigned count = 0;
    pg_params_reset(&m->params[0]);
    pg_params_int8(&m->params[0], m->config.epoch);
    calls[count++] = (struct pg_call){batch->lazy ? &FENCE_LAZY : &FENCE, &m->params[0]};
    if (batch->count > 0) {
        columns_build(batch, &m->params[1]);
        calls[count++] = (struct pg_call){&UPSERT, &m->params[1]};
    }
    struct pg_params claim;
    pg_params_init(&claim);
    if (batch->last) {
        pg_params_uuid(&claim, journal_id(m->config.journal));
        if (!m->claimed) calls[count++] = (struct pg_call){&CLAIM, &claim};
        pg_params_reset(&m->params[2]);
        pg_params_uuid(&m->params[2], journal_id(m->config.journal));
        pg_params_int8(&m->params[2], (int64_t)m->flush.reached);
        calls[count++] = (struct pg_call){&WATERMARK, &m->params[2]};
    }
    int result = pg_run(m->config.pg, calls, count, PG_TRANSACTION, m->config.deadline_ms, batch_done, batch);
    pg_params_deinit(&claim);
    return result;
}

/* batch_return puts what was not committed back into the queue. */
static void batch_return(struct motion *m, struct motion_batch *batch) {
    for (uint32_t i = 0; i < batch->count; i++) {
        struct motion_entry *entry = &m->table.entries[batch->sent[i].index];
        entry->flushing = false;
        motion_table_push(&m->table, MOTION_QUEUE_DIRTY, entry);
    }
}

static void batch_committed(struct motion *m, struct motion_batch *batch, const struct pg_reply *reply) {
    uint64_t written = batch->count ? pg_affected(reply->results[1]) : 0;
    m->stats.rows += batch->count;
    m->stats.rows_newer += batch->count - written;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct motion_entry *entry = &m->table.entries[batch->sent[i].index];
        entry->flushing = false;
        if (written == batch->count) entry->verified = true; /* else one of them is older, and a load will tell */
        if (entry->state.session_epoch != batch->sent[i].epoch || entry->state.tick != batch->sent[i].tick) continue;
        m->stats.unjournaled -= entry->unjournaled;
        entry->unjournaled = false;
    }
    m->flush.lazy_count += batch->lazy;
    if (!batch->last) return;
    m->claimed = true;
    m->stats.watermark = m->flush.reached;
    journal_release(m->config.journal, m->flush.reached);
}

/* flush_undo makes dirty again what a failed flush committed without waiting for the disk: the server may have lost it. */
static void flush_undo(struct motion *m) {
    for (uint32_t i = 0; i < m->table.fresh && m->flush.lazy_count > 0; i++) {
        struct motion_entry *entry = &m->table.entries[i];
        if (!entry->used || entry->flush_serial != m->flush.serial) continue;
        motion_table_push(&m->table, MOTION_QUEUE_DIRTY, entry);
    }
}

static void flush_end(struct motion *m) {
    struct motion_flush *flush = &m->flush;
    flush->busy = false;
    flush->left = 0;
    if (flush->failed) {
        flush_undo(m);
        m->stats.flush_failures++;
        return;
    }
    m->stats.flushes++;
    if (m->config.flush_ns) histogram_record(m->config.flush_ns, mono_since_ns(mono_now(), flush->began));
}

static void batch_start(struct motion *m, struct motion_batch *batch) {
    batch->busy = true;
    m->flush.busy_batches++;
    int error = batch_send(m, batch);
    if (!error) return;
    batch->busy = false;
    m->flush.busy_batches--;
    m->flush.failed = true;
    batch_return(m, batch);
}

/* flush_go_on sends what can be sent now, and ends the flush when nothing is left. */
static void flush_go_on(struct motion *m) {
    struct motion_flush *flush = &m->flush;
    for (unsigned i = 0; i < MOTION_BATCHES_MAX && flush->left > m->config.batch_rows && !flush->failed; i++) {
        struct motion_batch *batch = &flush->batches[i];
        if (batch->busy) continue;
        batch->last = false;
        batch_take(m, batch);
        batch_start(m, batch);
    }
    if (flush->busy_batches > 0) return;
    struct motion_batch *last = &flush->batches[0];
    if (flush->failed || last->last) {
        flush_end(m);
        return;
    }
    last->last = true;
    batch_take(m, last);
    batch_start(m, last);
    if (flush->failed) flush_end(m);
}

static void batch_done(void *ctx, const struct pg_reply *reply) {
    struct motion_batch *batch = ctx;
    struct motion *m = batch->motion;
    batch->busy = false;
    m->flush.busy_batches--;
    if (reply->error) {
        m->flush.failed = true;
        batch_return(m, batch);
        log_warn("motion.flush_failed", "rows=%" PRIu32 " error=%s message=%s", batch->count,
                 LOG_QUOTE(march_error_text(reply->error)), LOG_QUOTE(reply->message));
        if (reply->error == MARCH_ERR_FENCED) motion_stop(m);
    } else {
        batch_committed(m, batch, reply);
    }
    flush_go_on(m);
}

/* --- when */

static uint64_t reachable(const struct motion *m) {
    uint64_t reached = journal_durable(m->config.journal);
    uint64_t others = m->config.reach ? m->config.reach(m->config.ctx) : UINT64_MAX;
    if (others < reached) reached = others;
    return reached > m->stats.watermark ? reached : m->stats.watermark;
}

void motion_flush(struct motion *m, struct mono now) {
    struct motion_flush *flush = &m->flush;
    if (flush->busy || m->is_fenced) return;
    m->now = now;
    flush->next = mono_add_ms(now, m->config.flush_ms);
    flush->reached = reachable(m);
    flush->left = m->table.queues[MOTION_QUEUE_DIRTY].count;
    if (flush->left == 0 && flush->reached == m->stats.watermark) return;
    flush->busy = true;
    flush->failed = false;
    flush->serial++;
    flush->lazy_count = 0;
    flush->began = now;
    flush->batches[0].last = false;
    flush_go_on(m);
}

void motion_flush_update(struct motion *m) {
    if (m->now.ns >= m->flush.next.ns) motion_flush(m, m->now);
}
