#include "persist/migrate.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "persist/pg_uri.h"

#define RETRY_MS       100
#define ARGS_MAX       4
#define NUMBER_BYTES   24
#define CHECKSUM_CHARS (2 * crypto_hash_sha256_BYTES + 1)
#define DAYS_AHEAD     9 /* yesterday, for transactions around midnight, and a week; upkeep goes on from there */

#define SQLSTATE_LOCK_NOT_AVAILABLE "55P03"

/* One connection, used step by step. After the first error nothing more is sent. */
struct session {
    PGconn *conn;
    PGresult *result; /* of the last statement */
    struct mono deadline;
    int error;
    char sqlstate[6];
    char *text; /* the error in words */
    size_t text_size;
};

__attribute__((format(printf, 3, 4))) static int refuse(struct session *session, int error, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(session->text, session->text_size, format, args);
    va_end(args);
    for (char *c = session->text; *c; c++)
        if (*c == '\n') *c = c[1] ? ' ' : '\0';
    session->error = error;
    return error;
}

static int remaining_ms(const struct session *session) {
    uint64_t left = mono_since_ns(session->deadline, mono_now()) / NS_PER_MS;
    return left > INT32_MAX ? INT32_MAX : (int)left;
}

/* Waits for the socket; false past the deadline. */
static bool await_socket(struct session *session, short events) {
    struct pollfd wait = {.fd = PQsocket(session->conn), .events = events};
    for (;;) {
        int ready = poll(&wait, 1, remaining_ms(session));
        if (ready > 0) return true;
        if (ready == 0 || errno != EINTR) return false;
    }
}

static void ignore_notice(void *ctx, const PGresult *result) {
    (void)ctx;
    (void)result;
}

static bool try_connect(struct session *session, const char *uri) {
    PQfinish(session->conn);
    session->conn = PQconnectStart(uri);
    if (!session->conn || PQstatus(session->conn) == CONNECTION_BAD) return false;
    PQsetNoticeReceiver(session->conn, ignore_notice, NULL);
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
        if (!await_socket(session, state == PGRES_POLLING_READING ? POLLIN : POLLOUT)) return false;
        state = PQconnectPoll(session->conn);
    }
    return state == PGRES_POLLING_OK;
}

/* Tries until the server answers: it may be starting. */
static int open_session(struct session *session, const char *uri) {
    char clean[PG_URI_MAX];
    bool prepared;
    if (pg_uri_split(uri, clean, &prepared) != 0)
        return refuse(session, MARCH_ERR_INVALID, "the database's URI is malformed");
    while (!try_connect(session, clean)) {
        int left = remaining_ms(session);
        if (left == 0) {
            const char *why = session->conn ? PQerrorMessage(session->conn) : "";
            return refuse(session, MARCH_ERR_UNAVAILABLE, "no connection to the database: %s", *why ? why : "no answer");
        }
        int wait_ms = left < RETRY_MS ? left : RETRY_MS;
        nanosleep(&(struct timespec){.tv_nsec = wait_ms * (long)NS_PER_MS}, NULL);
    }
    return 0;
}

static void close_session(struct session *session) {
    PQclear(session->result);
    PQfinish(session->conn);
    session->result = NULL;
    session->conn = NULL;
}

/* Keeps the last result of a statement; a file of several has several. */
static bool collect(struct session *session) {
    for (;;) {
        while (PQisBusy(session->conn))
            if (!await_socket(session, POLLIN) || !PQconsumeInput(session->conn)) return false;
        PGresult *next = PQgetResult(session->conn);
        if (!next) return session->result != NULL;
        if (session->result && PQresultStatus(session->result) == PGRES_FATAL_ERROR) {
            PQclear(next);
            continue;
        }
        PQclear(session->result);
        session->result = next;
    }
}

/* Runs SQL: several statements when there are no arguments, else one with text parameters. */
static int execute(struct session *session, const char *what, const char *sql, int count, const char *const *args) {
    if (session->error != 0) return session->error;
    PQclear(session->result);
    session->result = NULL;
    int sent = count == 0 ? PQsendQuery(session->conn, sql)
                          : PQsendQueryParams(session->conn, sql, count, NULL, args, NULL, NULL, 0);
    if (!sent || !collect(session))
        return refuse(session, MARCH_ERR_UNAVAILABLE, "%s: connection lost, or no answer in time", what);
    ExecStatusType status = PQresultStatus(session->result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY) return 0;
    const char *sqlstate = PQresultErrorField(session->result, PG_DIAG_SQLSTATE);
    snprintf(session->sqlstate, sizeof session->sqlstate, "%s", sqlstate ? sqlstate : "");
    return refuse(session, MARCH_ERR_INVALID, "%s: %s", what, PQresultErrorMessage(session->result));
}

static const char *field(const struct session *session, int row, int column) {
    if (session->error != 0 || row >= PQntuples(session->result) || column >= PQnfields(session->result)) return "";
    return PQgetvalue(session->result, row, column);
}

/* A pooler has process ids of its own for the sessions of its clients, so the one that it told at login is not that of the
 * process which answers. Whether it keeps prepared statements it does not say, so the URI must. */
static int check_pooler(struct session *session, const char *uri) {
    if (pg_uri_tells_prepared(uri)) return 0;
    if (execute(session, "pooler", "select pg_backend_pid()", 0, NULL) != 0) return session->error;
    if (strtol(field(session, 0, 0), NULL, 10) == PQbackendPID(session->conn)) return 0;
    return refuse(session, MARCH_ERR_UNSUPPORTED,
                  "there is a pooler before the database: add march_prepared=off to the parameters of its URI (or "
                  "march_prepared=on if it gives each client a server's session of its own)");
}

/* --- migrations */

static void checksum_of(const char *sql, char out[CHECKSUM_CHARS]) {
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, (const uint8_t *)sql, strlen(sql));
    sodium_bin2hex(out, CHECKSUM_CHARS, hash, sizeof hash);
}

/* Compares what the database has with what the program knows. The rows are ordered by number. */
static int compare(struct session *session, const struct migration *migrations, unsigned count, unsigned *have) {
    unsigned rows = session->error == 0 ? (unsigned)PQntuples(session->result) : 0;
    for (unsigned i = 0; i < rows; i++) {
        const char *name = field(session, (int)i, 1);
        if (i >= count || strtol(field(session, (int)i, 0), NULL, 10) != migrations[i].number)
            return refuse(
                session, MARCH_ERR_CONFLICT,
                "the database has migration %s (%s), which this program does not know: it belongs to a newer version",
                field(session, (int)i, 0), name);
        char checksum[CHECKSUM_CHARS];
        checksum_of(migrations[i].sql, checksum);
        if (strcmp(checksum, field(session, (int)i, 2)) != 0)
            return refuse(session, MARCH_ERR_CONFLICT,
                          "migration %s was applied to the database with other contents (checksum %.12s, expected %.12s)",
                          migrations[i].name, field(session, (int)i, 2), checksum);
    }
    *have = rows;
    return session->error;
}

/* Applies the next migration in a transaction of its own. The lock makes others that start now wait. */
static int apply_next(struct session *session, const struct migration *migrations, unsigned count, bool *applied) {
    *applied = false;
    (void)execute(session, "migrations", "begin", 0, NULL);
    (void)execute(session, "migrations", "select pg_advisory_xact_lock(77, 0)", 0, NULL);
    (void)execute(session, "migrations",
                  "create table if not exists schema_migrations (number integer primary key, name text not null, "
                  "checksum text not null, applied_at timestamptz not null default now())",
                  0, NULL);
    (void)execute(session, "migrations", "select number, name, checksum from schema_migrations order by number", 0, NULL);
    unsigned have = 0;
    if (compare(session, migrations, count, &have) != 0) return session->error;
    if (have < count) {
        const struct migration *next = &migrations[have];
        char number[NUMBER_BYTES], checksum[CHECKSUM_CHARS];
        snprintf(number, sizeof number, "%d", next->number);
        checksum_of(next->sql, checksum);
        (void)execute(session, next->name, next->sql, 0, NULL);
        (void)execute(session, next->name, "insert into schema_migrations (number, name, checksum) values ($1::int, $2, $3)",
                      3, (const char *const[]){number, next->name, checksum});
        if (session->error == 0) log_info("migrate.applying", "name=%s", next->name);
        *applied = true;
    }
    return execute(session, "migrations", "commit", 0, NULL);
}

static int migrate(struct session *session, const struct migration *migrations, unsigned count, uint32_t *applied) {
    bool more = true;
    for (*applied = 0; more; *applied += more)
        if (apply_next(session, migrations, count, &more) != 0) return session->error;
    return 0;
}

int migrate_run(const char *uri, const struct migration *migrations, unsigned count, uint32_t deadline_ms, uint32_t *applied,
                char *error, size_t error_size) {
    struct session session = {.deadline = mono_add_ms(mono_now(), deadline_ms), .text = error, .text_size = error_size};
    *applied = 0;
    error[0] = '\0';
    if (open_session(&session, uri) == 0) (void)migrate(&session, migrations, count, applied);
    close_session(&session);
    return session.error;
}

/* --- the shard */

static int check_shard(struct session *session, uint32_t shard_index, uint32_t shard_count) {
    char index[NUMBER_BYTES], count[NUMBER_BYTES];
    snprintf(index, sizeof index, "%" PRIu32, shard_index);
    snprintf(count, sizeof count, "%" PRIu32, shard_count);
    (void)execute(session, "shard",
                  "insert into shard (shard_index, shard_count) values ($1::int, $2::int) on conflict do nothing", 2,
                  (const char *const[]){index, count});
    (void)execute(session, "shard", "update watermark set journal_id = gen_random_uuid() where journal_id is null", 0, NULL);
    (void)execute(session, "shard", "select shard_index, shard_count from shard", 0, NULL);
    if (session->error != 0) return session->error;
    if (strcmp(field(session, 0, 0), index) != 0 || strcmp(field(session, 0, 1), count) != 0)
        return refuse(session, MARCH_ERR_CONFLICT, "the database is that of shard %s of %s, not of shard %s of %s",
                      field(session, 0, 0), field(session, 0, 1), index, count);
    return 0;
}

/* Runs a function that gives up rather than waits for a lock, until it gets it. `between` is run after each refusal. */
static int insist(struct session *session, const char *what, const char *sql, const char *between) {
    while (execute(session, what, sql, 0, NULL) != 0) {
        bool locked = strcmp(session->sqlstate, SQLSTATE_LOCK_NOT_AVAILABLE) == 0;
        if (!locked || remaining_ms(session) == 0) return session->error;
        session->error = 0;
        session->sqlstate[0] = '\0';
        (void)execute(session, what, "rollback", 0, NULL);
        if (between) (void)execute(session, what, between, 0, NULL);
    }
    return 0;
}

/* Transactions of the last epoch are awaited. One that lasts may be half a transaction of a process that was stopped in the
 * middle of sending it, and would hold the lock for as long as that lives. */
static int raise_epoch(struct session *session, int64_t *epoch) {
    if (insist(
            session, "epoch", "begin; set local lock_timeout = '1s'; select march_raise_epoch()",
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and classid = 77 and objid = 1 and "
            "granted "
            "and database = (select oid from pg_database where datname = current_database()) and pid <> pg_backend_pid()") !=
        0)
        return session->error;
    *epoch = strtoll(field(session, 0, 0), NULL, 10);
    return execute(session, "epoch", "commit", 0, NULL);
}

static int read_state(struct session *session, struct shard_state *out) {
    if (execute(session, "shard", "select next_id, replace(journal_id::text, '-', ''), position from shard, watermark", 0,
                NULL) != 0)
        return session->error;
    out->next_id = strtoull(field(session, 0, 0), NULL, 10);
    out->journal_position = (uint64_t)strtoll(field(session, 0, 2), NULL, 10);
    const char *hex = field(session, 0, 1);
    size_t len = 0;
    if (sodium_hex2bin(out->journal_id, PG_UUID_BYTES, hex, strlen(hex), NULL, &len, NULL) != 0 || len != PG_UUID_BYTES)
        return refuse(session, MARCH_ERR_INVALID, "shard: the journal's id is not a uuid");
    return 0;
}

int shard_open(const char *uri, uint32_t shard_index, uint32_t shard_count, uint32_t deadline_ms, struct shard_state *out,
               char *error, size_t error_size) {
    struct session session = {.deadline = mono_add_ms(mono_now(), deadline_ms), .text = error, .text_size = error_size};
    char days[128];
    snprintf(days, sizeof days, "select events_create((now() at time zone 'UTC')::date - 1, %d)", DAYS_AHEAD);
    *out = (struct shard_state){0};
    error[0] = '\0';
    if (open_session(&session, uri) == 0 && check_pooler(&session, uri) == 0 &&
        migrate(&session, MIGRATIONS, MIGRATION_COUNT, &out->applied) == 0 &&
        check_shard(&session, shard_index, shard_count) == 0 && raise_epoch(&session, &out->epoch) == 0 &&
        read_state(&session, out) == 0)
        (void)insist(&session, "events", days, NULL);
    close_session(&session);
    return session.error;
}
