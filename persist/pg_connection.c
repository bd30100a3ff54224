#include "persist/pg_connection.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "persist/pg_uri.h"

#define SLOT_COUNT    (2 * PG_STATEMENTS_MAX)
#define NAME_BYTES    16
#define ERROR_BYTES   256
#define BINARY_RESULT 1

static const struct pg_statement SETUP = {"setup", "select set_config('statement_timeout', $1, false)"};
static const struct pg_statement PROBE = {"probe", "select 1"};

/* Every parameter is binary. */
static const int FORMATS[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                              1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
_Static_assert(sizeof FORMATS / sizeof FORMATS[0] == PG_PARAMS_MAX, "a format for each parameter");

/* error_text returns what libpq says last, in one line; never the URI or password. */
static const char *error_text(const struct pg_connection *connection, char *buf, size_t size) {
    snprintf(buf, size, "%s", connection->conn ? PQerrorMessage(connection->conn) : "out of memory");
    size_t len = strlen(buf);
    while (len > 0 && buf[len - 1] == '\n') buf[--len] = '\0';
    for (char *c = buf; *c; c++)
        if (*c == '\n') *c = ' ';
    return buf;
}

/* --- which statements the server has */

/* The slot of a statement, by which it is also named; a new one gets one. */
static unsigned slot_of(struct pg_statement_table *table, const struct pg_statement *statement) {
    uint64_t hash = (uint64_t)(uintptr_t)statement * 0x9e3779b97f4a7c15;
    unsigned slot = (unsigned)(hash >> 32) % SLOT_COUNT;
    while (table->slots[slot] && table->slots[slot] != statement) slot = (slot + 1) % SLOT_COUNT;
    if (!table->slots[slot]) {
        CHECK(table->count < PG_STATEMENTS_MAX);
        table->slots[slot] = statement;
        table->count++;
    }
    return slot;
}

static bool is_prepared(const struct pg_connection *connection, unsigned slot) {
    return (connection->prepared[slot / 64] >> slot % 64 & 1) != 0;
}

static void mark_prepared(struct pg_connection *connection, unsigned slot, bool prepared) {
    uint64_t bit = 1ull << slot % 64;
    if (prepared)
        connection->prepared[slot / 64] |= bit;
    else
        connection->prepared[slot / 64] &= ~bit;
}

/* --- sending */

static void watch(struct pg_connection *connection, int events) {
    int fd = PQsocket(connection->conn);
    if (ev_is_active(&connection->io) && connection->io.fd == fd && (connection->io.events & (EV_READ | EV_WRITE)) == events)
        return;
    ev_io_stop(connection->loop, &connection->io);
    ev_io_set(&connection->io, fd, events);
    ev_io_start(connection->loop, &connection->io);
}

/* Never from within a call of the owner: it is told by the loop. */
static void lose_later(struct pg_connection *connection) {
    connection->state = PG_BROKEN;
    ev_timer_stop(connection->loop, &connection->timer);
    ev_timer_set(&connection->timer, 0., 0.);
    ev_timer_start(connection->loop, &connection->timer);
}

static bool flush(struct pg_connection *connection) {
    int left = PQflush(connection->conn);
    if (left < 0) return false;
    watch(connection, left > 0 ? EV_READ | EV_WRITE : EV_READ);
    return true;
}

static bool send_prepares(struct pg_connection *connection, struct pg_job *job) {
    char name[NAME_BYTES];
    if (!connection->statements) return true;
    for (unsigned i = 0; i < job->count; i++) {
        unsigned slot = slot_of(connection->statements, job->calls[i].statement);
        if (is_prepared(connection, slot)) continue;
        snprintf(name, sizeof name, "s%u", slot);
        if (!PQsendPrepare(connection->conn, name, job->calls[i].statement->sql, 0, NULL) ||
            !PQpipelineSync(connection->conn))
            return false;
        mark_prepared(connection, slot, true);
        job->prepares[job->prepare_count++] = (uint16_t)slot;
    }
    return true;
}

static bool send_call(struct pg_connection *connection, const struct pg_job_call *call) {
    int count = (int)call->param_count;
    if (!connection->statements)
        return PQsendQueryParams(connection->conn, call->statement->sql, count, NULL, call->values, call->lengths, FORMATS,
                                 BINARY_RESULT) != 0;
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "s%u", slot_of(connection->statements, call->statement));
    return PQsendQueryPrepared(connection->conn, name, count, call->values, call->lengths, FORMATS, BINARY_RESULT) != 0;
}

void pg_connection_send(struct pg_connection *connection, struct pg_job *job) {
    CHECK(connection->state == PG_READY);
    job->tries++;
    pg_job_push(&connection->in_flight, job);
    bool sent = send_prepares(connection, job);
    for (unsigned i = 0; i < job->count && sent; i++) sent = send_call(connection, &job->calls[i]);
    if (!sent || !PQpipelineSync(connection->conn) || !flush(connection)) lose_later(connection);
}

/* --- receiving */

static bool is_refusal(const PGresult *result) {
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity && strcmp(severity, "ERROR") == 0;
}

static bool has_sqlstate(const PGresult *result, const char *sqlstate) {
    const char *is = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return is && strcmp(is, sqlstate) == 0;
}

/* A statement that the server has already is as good as prepared. */
static void take_prepare(struct pg_connection *connection, struct pg_job *job, PGresult *result) {
    unsigned slot = job->prepares[job->prepared++];
    bool good = PQresultStatus(result) == PGRES_COMMAND_OK || has_sqlstate(result, "42P05");
    mark_prepared(connection, slot, good);
    if (!good && is_refusal(result))
        pg_job_refuse(job, result, connection->statements->slots[slot]);
    else
        PQclear(result);
}

/* What a refusal says of the connection: a prepared statement that is gone is prepared anew next time; where a plan's result
 * type changed or the primary became a replica, the connection is stale. */
static void learn(struct pg_connection *connection, const struct pg_job_call *call, const PGresult *result) {
    if (connection->statements && call && has_sqlstate(result, "26000"))
        mark_prepared(connection, slot_of(connection->statements, call->statement), false);
    bool stale = has_sqlstate(result, "25006") || (connection->statements && has_sqlstate(result, "0A000"));
    if (stale && connection->state == PG_READY) connection->state = PG_RETIRING;
}

/* FATAL: the connection ends, and nothing is said of the job. */
static void keep_last_words(struct pg_connection *connection, const PGresult *result) {
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (message && PQresultErrorField(result, PG_DIAG_SQLSTATE))
        snprintf(connection->last_words, sizeof connection->last_words, "%s", message);
}

/* A refusal after the last call is one of the commit itself: a deferred constraint. */
static void take_call(struct pg_connection *connection, struct pg_job *job, PGresult *result) {
    struct pg_job_call *call = job->answered < job->count ? &job->calls[job->answered] : NULL;
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_FATAL_ERROR && is_refusal(result)) {
        learn(connection, call, result);
        pg_job_refuse(job, result, call ? call->statement : NULL);
    } else if (call && (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)) {
        call->result = result;
    } else {
        if (status == PGRES_FATAL_ERROR) keep_last_words(connection, result);
        PQclear(result);
    }
    if (call) job->answered++;
}

/* A Sync is answered: the prepares are done, or the job is. False when the connection is no longer of use. */
static bool take_sync(struct pg_connection *connection, struct pg_job *job) {
    if (job->synced < job->prepare_count) {
        job->synced++;
        return true;
    }
    (void)pg_job_pop(&connection->in_flight);
    if (job->count > 0) {
        connection->events.answered(connection->events.ctx, connection, job);
        return true;
    }
    bool good = !job->refusal;
    pg_job_destroy(job);
    if (!good) return false;
    ev_timer_stop(connection->loop, &connection->timer);
    connection->state = PG_READY;
    connection->made = true;
    connection->events.ready(connection->events.ctx, connection);
    return true;
}

static bool take_result(struct pg_connection *connection, PGresult *result) {
    struct pg_job *job = connection->in_flight.head;
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_PIPELINE_SYNC) {
        PQclear(result);
        return take_sync(connection, job);
    }
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
        PQclear(result);
        return false;
    }
    if (job->prepared < job->prepare_count)
        take_prepare(connection, job, result);
    else
        take_call(connection, job, result);
    return true;
}

/* Reads every answer that has arrived. libpq puts a NULL between the results of two calls, which says nothing: two in a row
 * mean that there is no more. */
static bool take_results(struct pg_connection *connection) {
    unsigned separators = 0;
    while (connection->in_flight.head && separators < 2 && !PQisBusy(connection->conn)) {
        PGresult *result = PQgetResult(connection->conn);
        if (!result) {
            separators++;
            continue;
        }
        separators = 0;
        if (!take_result(connection, result)) return false;
    }
    return true;
}

/* --- the loop's side */

static void resolve(struct pg_connection *connection);

static void lose(struct pg_connection *connection, const char *why) {
    connection->events.lost(connection->events.ctx, connection, why);
}

static void lose_with_error(struct pg_connection *connection) {
    char error[ERROR_BYTES];
    const char *said = error_text(connection, error, sizeof error);
    lose(connection, connection->last_words[0] ? connection->last_words : said);
}

/* The first question to a server: sets its patience, or asks whether there is one behind a pooler. Its answer makes us
 * ready. */
static bool ask(struct pg_connection *connection) {
    char patience[16];
    snprintf(patience, sizeof patience, "%" PRIu32, connection->statement_ms);
    struct pg_job *job = pg_job_create(NULL, 0);
    if (!job) return false;
    pg_job_push(&connection->in_flight, job);
    const char *const values[] = {patience};
    bool set = connection->statements != NULL;
    return PQsendQueryParams(connection->conn, set ? SETUP.sql : PROBE.sql, set ? 1 : 0, NULL, values, NULL, NULL,
                             BINARY_RESULT) &&
           PQpipelineSync(connection->conn) && flush(connection);
}

static void begin_pipeline(struct pg_connection *connection) {
    connection->state = PG_ASKING;
    if (PQsetnonblocking(connection->conn, 1) != 0 || !PQenterPipelineMode(connection->conn) || !ask(connection))
        lose_with_error(connection);
}

static void continue_connect(struct pg_connection *connection) {
    switch (PQconnectPoll(connection->conn)) {
    case PGRES_POLLING_READING: watch(connection, EV_READ); return;
    case PGRES_POLLING_WRITING: watch(connection, EV_WRITE); return;
    case PGRES_POLLING_OK: begin_pipeline(connection); return;
    default: lose_with_error(connection);
    }
}

static void on_io(struct ev_loop *loop, ev_io *io, int events) {
    (void)loop;
    struct pg_connection *connection = io->data;
    if (connection->state == PG_CONNECTING) {
        if (connection->conn)
            continue_connect(connection);
        else
            resolve(connection);
        return;
    }
    if (connection->state == PG_BROKEN) return;
    bool good = (events & EV_READ) == 0 || PQconsumeInput(connection->conn);
    if (!take_results(connection)) good = false;
    if (connection->state == PG_BROKEN) return;
    if (good && (events & EV_WRITE) != 0) good = flush(connection);
    if (!good || PQstatus(connection->conn) == CONNECTION_BAD)
        lose_with_error(connection);
    else if (connection->state == PG_RETIRING && !connection->in_flight.head)
        lose(connection, "stale");
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop, (void)events;
    struct pg_connection *connection = timer->data;
    if (connection->state == PG_BROKEN)
        lose_with_error(connection);
    else
        lose(connection, "no answer in time");
}

static void on_notice(void *ctx, const PGresult *result) {
    (void)ctx;
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    log_debug("pg.notice", "text=%s", LOG_QUOTE(message ? message : ""));
}

/* --- life */

void pg_connection_init(struct pg_connection *connection, struct ev_loop *loop, const struct pg_connection_events *events,
                        struct pg_statement_table *statements, uint32_t statement_ms) {
    *connection =
        (struct pg_connection){.loop = loop, .events = *events, .statements = statements, .statement_ms = statement_ms};
    ev_init(&connection->io, on_io);
    ev_init(&connection->timer, on_timer);
    connection->io.data = connection->timer.data = connection;
}

static void begin_connect(struct pg_connection *connection, const char *host, const struct resolved *found) {
    connection->conn = pg_uri_connect(connection->uri, host, found);
    if (!connection->conn || PQstatus(connection->conn) == CONNECTION_BAD) {
        lose_later(connection);
        return;
    }
    PQsetNoticeReceiver(connection->conn, on_notice, NULL);
    watch(connection, EV_WRITE);
}

/* Asks for the host's addresses: now, or again when they were looked up. */
static void resolve(struct pg_connection *connection) {
    char host[RESOLVE_NAME_MAX + 1];
    struct resolved found;
    if (!pg_uri_host(connection->uri, host)) {
        begin_connect(connection, NULL, NULL);
        return;
    }
    if (!connection->resolver) connection->resolver = resolver_create();
    int error = connection->resolver ? resolver_ask(connection->resolver, host, mono_now(), &found) : MARCH_ERR_SYSTEM;
    if (error == 0) {
        begin_connect(connection, host, &found);
    } else if (error == MARCH_ERR_EMPTY) {
        ev_io_stop(connection->loop, &connection->io);
        ev_io_set(&connection->io, resolver_fd(connection->resolver), EV_READ);
        ev_io_start(connection->loop, &connection->io);
    } else {
        snprintf(connection->last_words, sizeof connection->last_words, "no address of the host: %s",
                 march_error_text(error));
        ev_io_stop(connection->loop, &connection->io);
        lose_later(connection);
    }
}

void pg_connection_open(struct pg_connection *connection, const char *uri, uint32_t connect_ms) {
    CHECK(connection->state == PG_IDLE);
    memset(connection->prepared, 0, sizeof connection->prepared);
    connection->uri = uri;
    connection->made = false;
    connection->last_words[0] = '\0';
    connection->state = PG_CONNECTING;
    ev_timer_set(&connection->timer, connect_ms / 1e3, 0.);
    ev_timer_start(connection->loop, &connection->timer);
    resolve(connection);
}

void pg_connection_deinit(struct pg_connection *connection) {
    CHECK(connection->state == PG_IDLE);
    resolver_close(connection->resolver);
    connection->resolver = NULL;
}

struct pg_job_queue pg_connection_close(struct pg_connection *connection) {
    struct pg_job_queue jobs = {0};
    ev_io_stop(connection->loop, &connection->io);
    ev_timer_stop(connection->loop, &connection->timer);
    PQfinish(connection->conn);
    connection->conn = NULL;
    connection->state = PG_IDLE;
    for (struct pg_job *job = pg_job_pop(&connection->in_flight); job; job = pg_job_pop(&connection->in_flight)) {
        if (job->count > 0)
            pg_job_push(&jobs, job);
        else
            pg_job_destroy(job);
    }
    connection->in_flight = (struct pg_job_queue){0};
    return jobs;
}
