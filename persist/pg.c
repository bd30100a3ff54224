#include "persist/pg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/backoff.h"
#include "common/check.h"
#include "common/log.h"
#include "persist/pg_connection.h"
#include "persist/pg_uri.h"

#define NAME_BYTES        32
#define IN_FLIGHT         8
#define QUEUE             1024
#define QUEUE_BYTES       (64u * 1024 * 1024)
#define CONNECT_MS        3000
#define STATEMENT_MS      10000
#define BACKOFF_BASE_MS   50
#define BACKOFF_CAP_MS    2000
#define CONNECTION_STRIDE 0x9e3779b97f4a7c15 /* so that each has its own jitter */

/* A place for a connection, and when to try again. */
struct place {
    struct pg *pg;
    struct pg_connection connection;
    struct backoff backoff;
    ev_timer retry;
};

struct pg {
    struct ev_loop *loop;
    struct pg_config config;
    char name[NAME_BYTES];
    char uri[PG_URI_MAX];
    struct pg_statement_table statements;
    struct breaker breaker;
    struct pg_job_queue queue;
    ev_timer deadline; /* runs when the earliest deadline that it knows of is over */
    struct mono deadline_at;
    struct pg_stats stats;
    unsigned in_callback;
    bool closing;
    struct place places[PG_CONNECTIONS_MAX];
};

/* error_of returns the error that a SQLSTATE stands for when the server rolled back. */
static int error_of(const char *sqlstate) {
    static const struct {
        const char *prefix;
        int error;
    } table[] = {{PG_SQLSTATE_CONFLICT, MARCH_ERR_CONFLICT},
                 {"40001", MARCH_ERR_CONFLICT}, /* serialization_failure */
                 {"40P01", MARCH_ERR_CONFLICT}, /* deadlock_detected */
                 {"55P03", MARCH_ERR_CONFLICT}, /* lock_not_available */
                 {PG_SQLSTATE_FENCED, MARCH_ERR_FENCED},
                 {"23505", MARCH_ERR_EXISTS},      /* unique_violation */
                 {"08", MARCH_ERR_UNAVAILABLE},    /* connection exception; poolers use it */
                 {"25006", MARCH_ERR_UNAVAILABLE}, /* read_only_sql_transaction: it became a replica */
                 {"26000", MARCH_ERR_UNAVAILABLE}, /* invalid_sql_statement_name: prepared again next time */
                 {"0A000", MARCH_ERR_UNAVAILABLE}, /* cached plan must not change result type: likewise */
                 {"53", MARCH_ERR_UNAVAILABLE},    /* insufficient resources */
                 {"57", MARCH_ERR_UNAVAILABLE},    /* operator intervention; 57014 is the statement timeout */
                 {"58", MARCH_ERR_UNAVAILABLE}};   /* system error */
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strncmp(sqlstate, table[i].prefix, strlen(table[i].prefix)) == 0) return table[i].error;
    return MARCH_ERR_INVALID;
}

/* --- replies */

static void count_error(struct pg_stats *stats, int error) {
    switch (error) {
    case 0: stats->done++; break;
    case MARCH_ERR_UNAVAILABLE: stats->unavailable++; break;
    case MARCH_ERR_EXPIRED: stats->unknown++; break;
    case MARCH_ERR_CONFLICT: stats->conflicts++; break;
    case MARCH_ERR_FENCED: stats->fenced++; break;
    case MARCH_ERR_EXISTS: stats->exists++; break;
    default: stats->invalid++; break;
    }
}

static void reply(struct pg *pg, struct pg_job *job, int error, const char *message) {
    count_error(&pg->stats, error);
    pg->stats.held_bytes -= job->bytes;
    pg->in_callback++;
    pg_job_reply(job, error, message);
    pg->in_callback--;
}

/* What a refusal by the server means. */
static int refusal_error(const struct pg_job *job) {
    const char *sqlstate = PQresultErrorField(job->refusal, PG_DIAG_SQLSTATE);
    return error_of(sqlstate ? sqlstate : "");
}

/* --- deadlines. One timer for the earliest; replies that came in time leave it set, and it then finds nothing. */

static void arm_deadline(struct pg *pg, struct mono deadline, struct mono now) {
    if (ev_is_active(&pg->deadline) && pg->deadline_at.ns <= deadline.ns) return;
    pg->deadline_at = deadline;
    ev_timer_stop(pg->loop, &pg->deadline);
    ev_timer_set(&pg->deadline, (double)mono_since_ns(deadline, now) / 1e9, 0.);
    ev_timer_start(pg->loop, &pg->deadline);
}

/* Whether a job of a list is late; arms the timer for those that are not. */
static bool any_late(struct pg *pg, const struct pg_job_queue *jobs, struct mono now) {
    for (const struct pg_job *job = jobs->head; job; job = job->next) {
        if (job->count == 0) continue;
        if (mono_reached(now, job->deadline)) return true;
        arm_deadline(pg, job->deadline, now);
    }
    return false;
}

static void drop_late_in_queue(struct pg *pg, struct mono now) {
    struct pg_job_queue late = {0}, left = {0};
    for (struct pg_job *job = pg_job_pop(&pg->queue); job; job = pg_job_pop(&pg->queue))
        pg_job_push(mono_reached(now, job->deadline) ? &late : &left, job);
    pg->queue = left;
    (void)any_late(pg, &pg->queue, now);
    for (struct pg_job *job = pg_job_pop(&late); job; job = pg_job_pop(&late)) {
        /* a read that was sent before is as undone as one that was not */
        reply(pg, job, MARCH_ERR_UNAVAILABLE, "no connection in time");
    }
}

static void lose_connection(struct place *place, const char *why);

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop, (void)events;
    struct pg *pg = timer->data;
    struct mono now = mono_now();
    for (unsigned i = 0; i < pg->config.connections; i++)
        if (any_late(pg, &pg->places[i].connection.in_flight, now)) lose_connection(&pg->places[i], "deadline passed");
    drop_late_in_queue(pg, now);
}

/* --- which connection */

static struct place *pick(struct pg *pg) {
    struct place *best = NULL;
    for (unsigned i = 0; i < pg->config.connections; i++) {
        struct pg_connection *connection = &pg->places[i].connection;
        if (connection->state != PG_READY || connection->in_flight.count >= pg->config.in_flight_max) continue;
        if (!best || connection->in_flight.count < best->connection.in_flight.count) best = &pg->places[i];
    }
    return best;
}

static void dispatch(struct pg *pg) {
    while (pg->queue.head && !pg->closing) {
        struct place *place = pick(pg);
        if (!place) return;
        pg_connection_send(&place->connection, pg_job_pop(&pg->queue));
    }
}

static unsigned count_ready(const struct pg *pg) {
    unsigned ready = 0;
    for (unsigned i = 0; i < pg->config.connections; i++) ready += pg->places[i].connection.state == PG_READY;
    return ready;
}

/* --- what connections tell */

static void on_ready(void *ctx, struct pg_connection *connection) {
    struct place *place = ctx;
    struct pg *pg = place->pg;
    (void)connection;
    pg->stats.connects++;
    backoff_reset(&place->backoff);
    breaker_hint(&pg->breaker);
    bool first = count_ready(pg) == 1;
    if (first) log_info("pg.connected", "pool=%s", pg->name);
    dispatch(pg);
    if (first && pg->config.on_ready) {
        pg->in_callback++;
        pg->config.on_ready(pg->config.ctx);
        pg->in_callback--;
    }
}

static void on_answered(void *ctx, struct pg_connection *connection, struct pg_job *job) {
    struct place *place = ctx;
    struct pg *pg = place->pg;
    (void)connection;
    breaker_success(&pg->breaker);
    if (pg->config.latency) histogram_record(pg->config.latency, mono_since_ns(mono_now(), job->submitted));
    int error = job->refusal ? refusal_error(job) : 0;
    if (error == MARCH_ERR_INVALID) {
        const char *message = PQresultErrorField(job->refusal, PG_DIAG_MESSAGE_PRIMARY);
        log_error("pg.refused", "pool=%s statement=%s sqlstate=%s text=%s", pg->name,
                  job->failed ? job->failed->name : "commit", PQresultErrorField(job->refusal, PG_DIAG_SQLSTATE),
                  LOG_QUOTE(message ? message : ""));
    }
    reply(pg, job, error, "");
    dispatch(pg);
}

/* A job whose connection was lost: refused already, worth another try, or unknown. */
static void resolve_lost(struct pg *pg, struct pg_job *job, const char *why, struct mono now) {
    if (job->refusal) {
        reply(pg, job, refusal_error(job), why);
        return;
    }
    if (job->mode == PG_READ && job->tries < PG_READ_TRIES && !mono_reached(now, job->deadline) && !pg->closing) {
        pg->stats.retries++;
        pg_job_rewind(job);
        pg_job_push_front(&pg->queue, job);
        return;
    }
    reply(pg, job, MARCH_ERR_EXPIRED, why);
}

static void retry_later(struct place *place) {
    ev_timer_stop(place->pg->loop, &place->retry);
    ev_timer_set(&place->retry, backoff_next_ms(&place->backoff) / 1e3, 0.);
    ev_timer_start(place->pg->loop, &place->retry);
}

static void lose_connection(struct place *place, const char *why) {
    struct pg *pg = place->pg;
    struct mono now = mono_now();
    enum pg_connection_state was = place->connection.state;
    bool made = place->connection.made;
    char text[LOG_QUOTED_MAX];
    snprintf(text, sizeof text, "%s", why); /* before the connection that owns it goes */
    log_warn(made ? "pg.lost" : "pg.connect_failed", "pool=%s why=%s", pg->name, LOG_QUOTE(text));
    if (made)
        pg->stats.losses++;
    else
        pg->stats.connect_failures++;
    if (was != PG_RETIRING) breaker_failure(&pg->breaker, now);
    struct pg_job_queue jobs = pg_connection_close(&place->connection);
    retry_later(place);
    for (struct pg_job *job = pg_job_pop(&jobs); job; job = pg_job_pop(&jobs)) resolve_lost(pg, job, text, now);
    dispatch(pg);
}

static void on_lost(void *ctx, struct pg_connection *connection, const char *why) {
    (void)connection;
    lose_connection(ctx, why);
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop, (void)events;
    struct place *place = timer->data;
    pg_connection_open(&place->connection, place->pg->uri, place->pg->config.connect_ms);
}

/* --- the public side */

static unsigned or_default(unsigned value, unsigned otherwise) {
    return value ? value : otherwise;
}

static int set_config(struct pg *pg, const struct pg_config *config, bool *prepared) {
    pg->config = *config;
    struct pg_config *set = &pg->config;
    set->in_flight_max = or_default(set->in_flight_max, IN_FLIGHT);
    set->queue_max = or_default(set->queue_max, QUEUE);
    if (set->queue_bytes_max == 0) set->queue_bytes_max = QUEUE_BYTES;
    set->connect_ms = or_default(set->connect_ms, CONNECT_MS);
    set->statement_ms = or_default(set->statement_ms, STATEMENT_MS);
    snprintf(pg->name, sizeof pg->name, "%s", config->name);
    set->name = pg->name;
    set->uri = pg->uri;
    if (set->connections < 1 || set->connections > PG_CONNECTIONS_MAX || set->in_flight_max > PG_IN_FLIGHT_MAX ||
        set->queue_max > PG_QUEUE_MAX) {
        log_error("pg.config", "pool=%s text=\"connections, in_flight_max or queue_max out of range\"", pg->name);
        return MARCH_ERR_INVALID;
    }
    if (pg_uri_split(config->uri, pg->uri, prepared) != 0) {
        log_error("pg.config", "pool=%s text=\"the database's URI is malformed\"", pg->name);
        return MARCH_ERR_INVALID;
    }
    return 0;
}

static void init_place(struct pg *pg, unsigned index, bool prepared) {
    struct place *place = &pg->places[index];
    struct pg_connection_events events = {.ctx = place, .ready = on_ready, .answered = on_answered, .lost = on_lost};
    place->pg = pg;
    backoff_init(&place->backoff, BACKOFF_BASE_MS, BACKOFF_CAP_MS, pg->config.seed + (index + 1) * CONNECTION_STRIDE);
    ev_init(&place->retry, on_retry);
    place->retry.data = place;
    pg_connection_init(&place->connection, pg->loop, &events, prepared ? &pg->statements : NULL, pg->config.statement_ms);
    pg_connection_open(&place->connection, pg->uri, pg->config.connect_ms);
}

int pg_create(struct ev_loop *loop, const struct pg_config *config, struct pg **out) {
    struct pg *pg = calloc(1, sizeof *pg);
    bool prepared;
    *out = NULL;
    if (!pg) return MARCH_ERR_SYSTEM;
    int error = set_config(pg, config, &prepared);
    if (error != 0) {
        free(pg);
        return error;
    }
    pg->loop = loop;
    breaker_init(&pg->breaker, &config->breaker, config->seed);
    ev_init(&pg->deadline, on_deadline);
    pg->deadline.data = pg;
    for (unsigned i = 0; i < pg->config.connections; i++) init_place(pg, i, prepared);
    *out = pg;
    return 0;
}

void pg_destroy(struct pg *pg) {
    if (!pg) return;
    CHECK(pg->in_callback == 0);
    struct mono now = mono_now();
    pg->closing = true;
    ev_timer_stop(pg->loop, &pg->deadline);
    for (unsigned i = 0; i < pg->config.connections; i++) {
        ev_timer_stop(pg->loop, &pg->places[i].retry);
        struct pg_job_queue jobs = pg_connection_close(&pg->places[i].connection);
        for (struct pg_job *job = pg_job_pop(&jobs); job; job = pg_job_pop(&jobs)) resolve_lost(pg, job, "closed", now);
        pg_connection_deinit(&pg->places[i].connection);
    }
    for (struct pg_job *job = pg_job_pop(&pg->queue); job; job = pg_job_pop(&pg->queue))
        reply(pg, job, MARCH_ERR_UNAVAILABLE, "closed");
    free(pg);
}

bool pg_is_available(const struct pg *pg) {
    if (pg->queue.count >= pg->config.queue_max || pg->breaker.state == BREAKER_OPEN) return false;
    return count_ready(pg) > 0;
}

bool pg_is_away(const struct pg *pg) {
    return pg->breaker.state != BREAKER_CLOSED && count_ready(pg) == 0;
}

/* Whether there is room for a job, and a server that may be asked. */
static int admit(struct pg *pg, const struct pg_call *calls, unsigned count, struct mono now) {
    size_t bytes = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!calls[i].params) continue;
        if (calls[i].params->error != 0) return MARCH_ERR_FULL;
        bytes += calls[i].params->len;
    }
    if (pg->queue.count >= pg->config.queue_max || pg->stats.held_bytes + bytes > pg->config.queue_bytes_max)
        return MARCH_ERR_FULL;
    return !pg->closing && !pg_is_away(pg) && breaker_admit(&pg->breaker, now) ? 0 : MARCH_ERR_UNAVAILABLE;
}

int pg_run(struct pg *pg, const struct pg_call *calls, unsigned count, enum pg_mode mode, uint32_t deadline_ms, pg_done done,
           void *ctx) {
    CHECK(count >= 1 && count <= PG_CALLS_MAX);
    struct mono now = mono_now();
    int error = admit(pg, calls, count, now);
    struct pg_job *job = error == 0 ? pg_job_create(calls, count) : NULL;
    if (error == 0 && !job) error = MARCH_ERR_FULL;
    if (error != 0) {
        pg->stats.full += error == MARCH_ERR_FULL;
        pg->stats.tripped += error == MARCH_ERR_UNAVAILABLE;
        pg->stats.unavailable += error == MARCH_ERR_UNAVAILABLE;
        return error;
    }
    job->mode = mode;
    job->submitted = now;
    job->deadline = mono_add_ms(now, deadline_ms);
    job->done = done;
    job->ctx = ctx;
    pg->stats.jobs++;
    pg->stats.calls += count;
    pg->stats.held_bytes += job->bytes;
    pg_job_push(&pg->queue, job);
    arm_deadline(pg, job->deadline, now);
    dispatch(pg);
    return 0;
}

struct pg_stats pg_stats_get(const struct pg *pg) {
    struct pg_stats stats = pg->stats;
    stats.ready = count_ready(pg);
    stats.queued = pg->queue.count;
    for (unsigned i = 0; i < pg->config.connections; i++) {
        const struct pg_connection *connection = &pg->places[i].connection;
        if (connection->state != PG_ASKING) stats.in_flight += connection->in_flight.count;
    }
    stats.breaker = pg->breaker.state;
    stats.breaker_opens = pg->breaker.opens;
    return stats;
}
