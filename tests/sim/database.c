/* database.c: persist/pg.h on a made-up PostgreSQL: jobs of motion.h, and loot under its key. A job is carried out some time
 * after it was sent, whole or not at all; its answer may be lost, and so may the server be: what it did not have to make
 * durable is gone then. What a dead persist has sent may still be carried out, unless a newer one has raised the epoch. See
 * world.h. */
#include "persist/pg.h"

#include <endian.h>
#include <string.h>

#include "common/check.h"
#include "tests/sim/world.h"

#define JOB_MS_MAX   25
#define HELD_UP_MS   800 /* now and then */
#define AWAY_MS      1500
#define ARRAY_HEADER 20 /* bytes in front of an array's elements, each of which has its length in front */
#define TICK_COLUMN  2

struct pg_result { /* of a load, or of statements that changed something */
    uint32_t count, affected;
    const struct wire_player_state *rows;
};

/* --- results, as of pg_params.h */

int pg_rows(const PGresult *result) {
    return (int)result->count;
}

uint64_t pg_affected(const PGresult *result) {
    return result->affected;
}

struct pg_row pg_row_at(const PGresult *result, int row) {
    return (struct pg_row){.result = result, .row = row, .bad = -1};
}

uint64_t pg_row_u64(struct pg_row *row, int column) {
    const struct wire_player_state *s = &row->result->rows[row->row];
    const uint64_t fields[] = {s->player, s->session_epoch, s->tick, s->experience};
    return fields[column];
}

int32_t pg_row_int4(struct pg_row *row, int column) {
    const struct wire_player_state *s = &row->result->rows[row->row];
    const int32_t fields[] = {s->x, s->y, s->yaw, s->level, s->hit_points, s->flags};
    return fields[column - 4];
}

/* --- calls read */

static uint64_t int8_of(const struct pg_params *p, unsigned value) {
    uint64_t raw;
    memcpy(&raw, p->bytes + p->offsets[value], sizeof raw);
    return be64toh(raw);
}

static uint64_t int8_at(const struct pg_params *p, unsigned value, uint32_t index) {
    uint64_t raw;
    memcpy(&raw, p->bytes + p->offsets[value] + ARRAY_HEADER + 12 * index + 4, sizeof raw);
    return be64toh(raw);
}

static int32_t int4_at(const struct pg_params *p, unsigned value, uint32_t index) {
    uint32_t raw;
    memcpy(&raw, p->bytes + p->offsets[value] + ARRAY_HEADER + 8 * index + 4, sizeof raw);
    return (int32_t)be32toh(raw);
}

static uint32_t elements(const struct pg_params *p, unsigned value) {
    return ((uint32_t)p->lengths[value] - ARRAY_HEADER) / 12; /* of 8 bytes each */
}

static void read_rows(struct job *job, const struct pg_params *p) {
    job->count = elements(p, 0);
    CHECK(job->count <= PLAYERS);
    for (uint32_t i = 0; i < job->count; i++) {
        job->rows[i] = (struct wire_player_state){.player = int8_at(p, 0, i)};
        if (job->is_load) continue;
        job->rows[i].session_epoch = int8_at(p, 1, i);
        job->rows[i].tick = int8_at(p, TICK_COLUMN, i);
        job->rows[i].experience = int8_at(p, 3, i);
        job->rows[i].x = int4_at(p, 4, i);
        job->rows[i].y = int4_at(p, 5, i);
        job->rows[i].yaw = (uint16_t)int4_at(p, 6, i);
        job->rows[i].level = (uint16_t)int4_at(p, 7, i);
        job->rows[i].hit_points = (uint16_t)int4_at(p, 8, i);
        job->rows[i].flags = (uint16_t)int4_at(p, 9, i);
    }
}

static void read_call(struct job *job, const struct pg_call *call) {
    const char *name = call->statement->name;
    if (strcmp(name, "motion_fence") == 0 || strcmp(name, "motion_fence_lazy") == 0) {
        job->epoch = int8_of(call->params, 0);
        job->is_lazy = strcmp(name, "motion_fence_lazy") == 0;
    } else if (strcmp(name, "motion_upsert") == 0) {
        read_rows(job, call->params);
    } else if (strcmp(name, "motion_watermark") == 0) {
        job->is_last = true;
        job->watermark = int8_of(call->params, 1);
    } else if (strcmp(name, "motion_load") == 0) {
        job->is_load = true;
        read_rows(job, call->params);
    } else if (strcmp(name, "motion_claim") != 0) {
        fail_run("a database does not know %s", name);
    }
}

/* --- jobs */

static struct job *take_job(struct pg *pg) {
    if (pg->away_ms > W.ms) return NULL;
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        struct job *job = &pg->jobs[i];
        if (job->is_used) continue;
        uint32_t most = !W.is_quiet && chance(10) ? HELD_UP_MS : JOB_MS_MAX;
        *job = (struct job){.is_used = true, .due_ms = W.ms + 1 + draw(most)};
        pg->job_count++;
        return job;
    }
    return NULL;
}

int pg_run(struct pg *pg, const struct pg_call *calls, unsigned count, enum pg_mode mode, uint32_t deadline_ms, pg_done done,
           void *ctx) {
    (void)mode, (void)deadline_ms;
    struct job *job = take_job(pg);
    if (!job) {
        pg->failed_ms = W.ms;
        return MARCH_ERR_UNAVAILABLE;
    }
    for (unsigned i = 0; i < count; i++) read_call(job, &calls[i]);
    job->done = done;
    job->ctx = ctx;
    return 0;
}

bool database_grant(struct pg *pg, uint64_t epoch, uint64_t position, const struct wire_loot_grant *grant) {
    struct job *job = take_job(pg);
    if (!job) return false;
    job->epoch = epoch;
    job->position = position;
    job->grant = *grant;
    return true;
}

static bool is_newer(const struct wire_player_state *a, const struct wire_player_state *b) {
    return a->session_epoch != b->session_epoch ? a->session_epoch > b->session_epoch : a->tick > b->tick;
}

static uint32_t upsert(struct pg *pg, const struct job *job) {
    uint32_t affected = 0;
    for (uint32_t i = 0; i < job->count; i++) {
        uint32_t player = player_of(job->rows[i].player);
        CHECK(player < PLAYERS);
        if (pg->now.is_there[player] && !is_newer(&job->rows[i], &pg->now.rows[player])) continue;
        pg->now.is_there[player] = true;
        pg->now.rows[player] = job->rows[i];
        affected++;
    }
    return affected;
}

/* book_loot books loot under its key, once. */
static void book_loot(struct pg *pg, const struct wire_loot_grant *grant) {
    struct loot *loot = loot_find(grant->player, grant->key);
    if (!loot) fail_run("loot %llx was granted by nobody", (unsigned long long)grant->key);
    if (loot->is_applied) return;
    loot->is_applied = true;
    pg->gold[player_of(grant->player)] += grant->gold;
    W.seen.loot++;
}

static struct wire_player_state found[PLAYERS];

static struct pg_result load(const struct pg *pg, const struct job *job) {
    struct pg_result result = {.rows = found};
    for (uint32_t i = 0; i < job->count; i++) {
        uint32_t player = player_of(job->rows[i].player);
        if (pg->now.is_there[player]) found[result.count++] = pg->now.rows[player];
    }
    return result;
}

/* carry_out does a job; returns what is to be answered. */
static int carry_out(struct pg *pg, const struct job *job, struct pg_result *result) {
    *result = (struct pg_result){0};
    if (job->is_load) {
        *result = load(pg, job);
        return 0;
    }
    if (job->epoch != pg->epoch) return MARCH_ERR_FENCED;
    if (job->grant.player != 0) {
        book_loot(pg, &job->grant);
        return 0;
    }
    result->affected = upsert(pg, job);
    if (job->is_last && job->watermark > pg->now.watermark) pg->now.watermark = job->watermark;
    if (!job->is_lazy) pg->safe = pg->now; /* the log is in order */
    return 0;
}

static void answer(struct pg *pg, const struct job *job, int error, struct pg_result *result) {
    PGresult *results[PG_CALLS_MAX];
    for (unsigned i = 0; i < PG_CALLS_MAX; i++) results[i] = result;
    if (error) pg->failed_ms = W.ms;
    struct pg_reply reply = {.error = error, .sqlstate = "", .message = "", .results = error ? NULL : results};
    if (job->done) job->done(job->ctx, &reply);
    if (!job->done && job->grant.player != 0) shard_granted((uint32_t)(pg - W.databases), job->position, error);
}

static struct job end_job(struct pg *pg, uint32_t i) {
    pg->jobs[i].is_used = false;
    pg->job_count--;
    return pg->jobs[i];
}

void database_step(struct pg *pg) {
    for (uint32_t i = 0; i < JOBS_MAX && pg->job_count > 0; i++) {
        if (!pg->jobs[i].is_used || pg->jobs[i].due_ms > W.ms) continue;
        struct job job = end_job(pg, i);
        struct pg_result result;
        bool is_lost = W.weather.stops && chance(30); /* the answer */
        int error = carry_out(pg, &job, &result);
        if (!job.is_orphan) answer(pg, &job, is_lost && !error ? MARCH_ERR_EXPIRED : error, &result);
    }
}

void database_crash(struct pg *pg) {
    pg->now = pg->safe;
    pg->away_ms = W.ms + draw(AWAY_MS);
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        if (!pg->jobs[i].is_used) continue;
        struct job job = end_job(pg, i);
        if (!job.is_orphan) answer(pg, &job, MARCH_ERR_EXPIRED, NULL);
    }
}

void database_forget(struct pg *pg) {
    for (uint32_t i = 0; i < JOBS_MAX; i++) {
        if (!pg->jobs[i].is_used || pg->jobs[i].is_orphan) continue;
        pg->jobs[i].is_orphan = true;
        struct job job = pg->jobs[i];
        if (job.done) answer(pg, &job, MARCH_ERR_EXPIRED, NULL);
    }
}
