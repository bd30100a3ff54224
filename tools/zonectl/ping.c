/* ping.c: see ping.h. */
#include "tools/zonectl/ping.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

#define QUERY_SIZE 256

void ping_stop(struct ping *p) {
    if (p->postgres != NULL) PQfinish(p->postgres);
    if (p->redis != NULL) redisFree(p->redis);
    *p = (struct ping){.state = PING_IDLE};
}

/* --- PostgreSQL */

static int start_postgres(struct ping *p, const char *folder) {
    static const char *const keywords[] = {"host", "port", "user", "dbname", "sslmode", "application_name", NULL};
    const char *const values[] = {folder, "5432", POSTGRES_SUPERUSER, "postgres", "disable", "zonectl", NULL};
    p->postgres = PQconnectStartParams(keywords, values, 0);
    if (p->postgres == NULL || PQstatus(p->postgres) == CONNECTION_BAD) return MARCH_ERR_SYSTEM;
    p->wants = PGRES_POLLING_WRITING;
    return 0;
}

/* ask_missing asks for the first database that there is not. */
static enum ping_answer ask_missing(struct ping *p) {
    char query[QUERY_SIZE];
    snprintf(query, sizeof(query),
             "select i from generate_series(0, %d) i where not exists"
             " (select from pg_database where datname = 'march_' || i) order by i limit 1",
             (int)p->databases - 1);
    p->creating = false;
    return PQsendQuery(p->postgres, query) == 1 ? PING_PENDING : PING_NO;
}

static enum ping_answer create(struct ping *p, const char *index) {
    char name[32];
    char query[QUERY_SIZE];
    snprintf(name, sizeof(name), POSTGRES_DATABASE, (unsigned)strtoul(index, NULL, 10));
    snprintf(query, sizeof(query), "create database %s", name);
    p->creating = true;
    return PQsendQuery(p->postgres, query) == 1 ? PING_PENDING : PING_NO;
}

/* take_result moves on from the query that has ended. */
static enum ping_answer take_result(struct ping *p, PGresult *result) {
    ExecStatusType status = PQresultStatus(result);
    bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    char missing[16] = "";
    if (status == PGRES_TUPLES_OK && PQntuples(result) == 1)
        snprintf(missing, sizeof(missing), "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    for (PGresult *rest; (rest = PQgetResult(p->postgres)) != NULL;) PQclear(rest);
    if (!good) return PING_NO;
    if (p->creating) return ask_missing(p);
    return missing[0] == '\0' ? PING_YES : create(p, missing);
}

static enum ping_answer step_postgres(struct ping *p) {
    if (p->state == PING_CONNECTING) {
        p->wants = PQconnectPoll(p->postgres);
        if (p->wants == PGRES_POLLING_FAILED) return PING_NO;
        if (p->wants != PGRES_POLLING_OK) return PING_PENDING;
        p->state = PING_ASKING;
        p->wants = PGRES_POLLING_READING;
        return ask_missing(p);
    }
    enum ping_answer answer = PING_PENDING;
    if (PQconsumeInput(p->postgres) != 1) return PING_NO;
    while (answer == PING_PENDING && !PQisBusy(p->postgres)) {
        PGresult *result = PQgetResult(p->postgres);
        answer = result == NULL ? PING_NO : take_result(p, result);
    }
    return answer;
}

/* --- Redis */

static int start_redis(struct ping *p, const char *folder) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/%s", folder, REDIS_SOCKET) >= (int)sizeof(path)) return MARCH_ERR_INVALID;
    p->redis = redisConnectUnixNonBlock(path);
    if (p->redis == NULL || p->redis->err != 0 || redisAppendCommand(p->redis, "PING") != REDIS_OK) return MARCH_ERR_SYSTEM;
    return 0;
}

static enum ping_answer step_redis(struct ping *p) {
    if (p->state == PING_CONNECTING) {
        int done = 0;
        if (redisBufferWrite(p->redis, &done) != REDIS_OK) return PING_NO;
        if (done == 1) p->state = PING_ASKING;
        return PING_PENDING;
    }
    void *reply = NULL;
    if (redisBufferRead(p->redis) != REDIS_OK || redisGetReplyFromReader(p->redis, &reply) != REDIS_OK) return PING_NO;
    if (reply == NULL) return PING_PENDING;
    const redisReply *r = reply;
    bool pong = r->type == REDIS_REPLY_STATUS && strcmp(r->str, "PONG") == 0; /* an error while it loads its file */
    freeReplyObject(reply);
    return pong ? PING_YES : PING_NO;
}

/* --- both */

int ping_start(struct ping *p, enum private_server server, const char *folder, uint32_t databases, struct mono now) {
    CHECK(p->state == PING_IDLE && databases > 0);
    *p = (struct ping){
        .state = PING_CONNECTING, .server = server, .databases = databases, .deadline = mono_add_ms(now, PING_DEADLINE_MS)};
    int result = server == PRIVATE_REDIS ? start_redis(p, folder) : start_postgres(p, folder);
    if (result != 0) ping_stop(p);
    return result;
}

bool ping_poll(const struct ping *p, struct pollfd *out) {
    if (p->state == PING_IDLE) return false;
    bool writing = p->state == PING_CONNECTING && (p->server == PRIVATE_REDIS || p->wants == PGRES_POLLING_WRITING);
    out->fd = p->server == PRIVATE_REDIS ? p->redis->fd : PQsocket(p->postgres);
    out->events = writing ? POLLOUT : POLLIN;
    out->revents = 0;
    return out->fd >= 0;
}

enum ping_answer ping_step(struct ping *p, struct mono now) {
    struct pollfd wait;
    enum ping_answer answer = PING_PENDING;
    if (p->state == PING_IDLE) return PING_PENDING;
    if (!ping_poll(p, &wait))
        answer = PING_NO;
    else if (poll(&wait, 1, 0) > 0)
        answer = p->server == PRIVATE_REDIS ? step_redis(p) : step_postgres(p);
    if (answer == PING_PENDING && mono_reached(now, p->deadline)) answer = PING_NO;
    if (answer != PING_PENDING) ping_stop(p);
    return answer;
}
