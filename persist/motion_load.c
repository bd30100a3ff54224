/* motion_load.c: players out of PostgreSQL, or out of Redis while that is away.
 *
 *     waiting --query--> answered
 *                '-- failed, or refused --> asked of Redis --> the newest of this and memory is answered, or UNAVAILABLE
 *
 * Loads gather until the next update and go as one query. What comes back is merged with what is in memory, which is newer
 * where it came from the journal or a zone. An entry is `verified` once PostgreSQL was looked at: from then on memory
 * answers. What Redis had does not make it so.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/log.h"
#include "common/shard.h"
#include "persist/motion_state.h"

static const struct pg_statement LOAD = {
    .name = "motion_load",
    .sql = "select player, session_epoch, tick, experience, x, y, yaw, level, hit_points, flags from player_state"
           " where player = any($1::bigint[])"};

int motion_loads_init(struct motion *m) {
    struct motion_loads *loads = &m->loads;
    loads->ring = calloc(MOTION_LOADS_MAX, sizeof *loads->ring);
    if (!loads->ring) return MARCH_ERR_SYSTEM;
    for (unsigned i = 0; i < MOTION_LOAD_JOBS_MAX; i++) {
        loads->jobs[i].motion = m;
        loads->jobs[i].waiting = calloc(MOTION_LOAD_ROWS, sizeof *loads->jobs[i].waiting);
        loads->jobs[i].players = calloc(MOTION_LOAD_ROWS, sizeof *loads->jobs[i].players);
        if (!loads->jobs[i].waiting || !loads->jobs[i].players) return MARCH_ERR_SYSTEM;
    }
    return 0;
}

/* --- answers */

static void answer(const struct motion_waiting *waiting, enum wire_load_result result, const struct motion_entry *entry) {
    struct wire_player_state state = {.player = waiting->player};
    if (result == WIRE_LOAD_KNOWN) state = entry->state;
    state.session_epoch = waiting->epoch;
    state.flags = (uint16_t)(state.flags & ~WIRE_STATE_LEFT);
    waiting->done(waiting->ctx, result, &state);
}

/* begin_session answers from memory, and turns older sessions away from now on, unless this is but a look. */
static void begin_session(struct motion *m, const struct motion_waiting *waiting, struct motion_entry *entry) {
    entry->heard_s = (uint32_t)(m->now.ns / NS_PER_S);
    if (waiting->epoch < entry->epoch) {
        answer(waiting, WIRE_LOAD_STALE, NULL);
        return;
    }
    if (!waiting->is_look) entry->epoch = waiting->epoch;
    answer(waiting, entry->known ? WIRE_LOAD_KNOWN : WIRE_LOAD_NEW, entry);
}

/* answer_known answers by what is in memory: better than nothing when PostgreSQL could not be asked. */
static bool answer_known(struct motion *m, const struct motion_waiting *waiting) {
    struct motion_entry *entry = motion_table_find(&m->table, waiting->player);
    if (!entry || !entry->known) return false;
    begin_session(m, waiting, entry);
    return true;
}

static void fail(struct motion *m, const struct motion_waiting *waiting) {
    if (answer_known(m, waiting)) return;
    m->stats.load_failures++;
    answer(waiting, WIRE_LOAD_UNAVAILABLE, NULL);
}

void motion_loads_deinit(struct motion *m) {
    struct motion_loads *loads = &m->loads;
    CHECK(loads->busy_jobs == 0);
    for (; loads->count > 0; loads->count--) {
        answer(&loads->ring[loads->head], WIRE_LOAD_UNAVAILABLE, NULL);
        loads->head = (loads->head + 1) % MOTION_LOADS_MAX;
    }
    free(loads->ring);
    for (unsigned i = 0; i < MOTION_LOAD_JOBS_MAX; i++) {
        free(loads->jobs[i].waiting);
        free(loads->jobs[i].players);
    }
}

static void job_begin(struct motion_load_job *job) {
    job->busy = true;
    job->motion->loads.busy_jobs++;
}

static void job_end(struct motion_load_job *job) {
    job->busy = false;
    job->motion->loads.busy_jobs--;
}

/* merge takes a state into an entry, where it is newer than what is there. */
static bool merge(struct motion_entry *entry, const struct wire_player_state *state) {
    if (!motion_is_newer(entry, state->session_epoch, state->tick)) return false;
    entry->state = *state;
    entry->known = true;
    if (entry->epoch < state->session_epoch) entry->epoch = state->session_epoch;
    return true;
}

/* --- Redis, while PostgreSQL is away */

static void hot_merge(struct motion *m, const struct wire_player_state *state) {
    if (!motion_is_valid(state)) {
        m->stats.invalid++;
        return;
    }
    struct motion_entry *entry = motion_table_take(&m->table, state->player);
    m->stats.refused += !entry;
    if (entry && merge(entry, state)) m->stats.load_hot++;
}

static void hot_loaded(void *ctx, int error, const struct wire_player_state *states, uint32_t count) {
    struct motion_load_job *job = ctx;
    struct motion *m = job->motion;
    job_end(job);
    if (error) log_warn("motion.hot_failed", "players=%" PRIu32 " error=\"%s\"", job->count, march_error_text(error));
    for (uint32_t i = 0; i < count; i++) hot_merge(m, &states[i]);
    for (uint32_t i = 0; i < job->count; i++) fail(m, &job->waiting[i]);
}

/* job_fail asks Redis, also for those of whom something is in memory: a zone may have reported an older session since the
 * newest state was written behind and dropped. Where Redis is away memory answers. */
static void job_fail(struct motion_load_job *job) {
    struct motion *m = job->motion;
    for (uint32_t i = 0; i < job->count; i++) job->players[i] = job->waiting[i].player;
    if (m->config.hot_read && m->config.hot_read(m->config.ctx, job->players, job->count, hot_loaded, job) == 0) {
        job_begin(job);
        return;
    }
    for (uint32_t i = 0; i < job->count; i++) fail(m, &job->waiting[i]);
}

/* --- a query's result */

static int row_read(const PGresult *result, int at, struct wire_player_state *state) {
    struct pg_row row = pg_row_at(result, at);
    *state = (struct wire_player_state){.player = pg_row_u64(&row, 0),
                                        .session_epoch = pg_row_u64(&row, 1),
                                        .tick = pg_row_u64(&row, 2),
                                        .experience = pg_row_u64(&row, 3),
                                        .x = pg_row_int4(&row, 4),
                                        .y = pg_row_int4(&row, 5),
                                        .yaw = (uint16_t)pg_row_int4(&row, 6),
                                        .level = (uint16_t)pg_row_int4(&row, 7),
                                        .hit_points = (uint16_t)pg_row_int4(&row, 8),
                                        .flags = (uint16_t)pg_row_int4(&row, 9)};
    return row.error;
}

/* rows_merge takes what PostgreSQL has into the table, where it is newer than what is there. */
static void rows_merge(struct motion *m, const PGresult *result) {
    for (int i = 0; i < pg_rows(result); i++) {
        struct wire_player_state state;
        if (row_read(result, i, &state) != 0) {
            log_error("motion.bad_row", "row=%d", i);
            continue;
        }
        struct motion_entry *entry = motion_table_find(&m->table, state.player);
        if (entry) (void)merge(entry, &state);
    }
}

static void load_done(void *ctx, const struct pg_reply *reply) {
    struct motion_load_job *job = ctx;
    struct motion *m = job->motion;
    job_end(job);
    if (reply->error) {
        log_warn("motion.load_failed", "players=%" PRIu32 " message=%s", job->count, LOG_QUOTE(reply->message));
        job_fail(job);
        return;
    }
    for (uint32_t i = 0; i < job->count; i++) (void)motion_table_take(&m->table, job->waiting[i].player);
    rows_merge(m, reply->results[0]);
    for (uint32_t i = 0; i < job->count; i++) {
        struct motion_entry *entry = motion_table_find(&m->table, job->waiting[i].player);
        if (entry) {
            entry->verified = true;
            begin_session(m, &job->waiting[i], entry);
        } else {
            m->stats.refused++;
            fail(m, &job->waiting[i]);
        }
    }
}

/* --- asking */

static int load(struct motion *m, struct motion_waiting waiting, struct mono now) {
    m->now = now;
    m->stats.loads++;
    struct motion_loads *loads = &m->loads;
    if (!player_id_valid(waiting.player) || waiting.epoch > INT64_MAX) {
        m->stats.invalid++;
        answer(&waiting, WIRE_LOAD_STALE, NULL);
        return 0;
    }
    struct motion_entry *entry = motion_table_find(&m->table, waiting.player);
    if (entry && (entry->verified || waiting.epoch < entry->epoch)) {
        m->stats.load_hits++;
        begin_session(m, &waiting, entry);
        return 0;
    }
    if (loads->count == MOTION_LOADS_MAX) return MARCH_ERR_FULL;
    loads->ring[(loads->head + loads->count++) % MOTION_LOADS_MAX] = waiting;
    return 0;
}

int motion_load(struct motion *m, uint64_t player, uint64_t session_epoch, motion_loaded done, void *ctx, struct mono now) {
    return load(m, (struct motion_waiting){.player = player, .epoch = session_epoch, .done = done, .ctx = ctx}, now);
}

int motion_look(struct motion *m, uint64_t player, uint64_t session_epoch, motion_loaded done, void *ctx, struct mono now) {
    return load(m,
                (struct motion_waiting){.player = player, .epoch = session_epoch, .done = done, .ctx = ctx, .is_look = true},
                now);
}

static void job_start(struct motion *m, struct motion_load_job *job) {
    struct motion_loads *loads = &m->loads;
    struct pg_params *params = &m->params[1];
    pg_params_reset(params);
    pg_params_array(params, PG_INT8);
    for (job->count = 0; job->count < MOTION_LOAD_ROWS && loads->count > 0; loads->count--) {
        job->waiting[job->count++] = loads->ring[loads->head];
        pg_params_push_int8(params, (int64_t)loads->ring[loads->head].player);
        loads->head = (loads->head + 1) % MOTION_LOADS_MAX;
    }
    pg_params_end(params);
    struct pg_call call = {&LOAD, params};
    if (pg_run(m->config.pg, &call, 1, PG_READ, MOTION_LOAD_DEADLINE_MS, load_done, job) == 0) {
        job_begin(job);
        return;
    }
    job_fail(job);
}

void motion_loads_update(struct motion *m) {
    for (unsigned i = 0; i < MOTION_LOAD_JOBS_MAX && m->loads.count > 0; i++) {
        if (!m->loads.jobs[i].busy) job_start(m, &m->loads.jobs[i]);
    }
}
