/* bench_pg: what a pool of PostgreSQL connections (persist/pg.h) costs, against a private server without fsync.
 *
 * One line a figure, `name value unit`: the time of one read at a time; reads a second with a full pipeline; transactions of
 * CALLS small inserts a second, one after another, and the same with blocking libpq, a call at a time.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "persist/pg.h"
#include "tests/unit/pg_fixture.h"

#define ROUNDS 3000
#define CALLS  10
#define FLOOD  60000
#define WINDOW 64

static const struct pg_statement READ = {"read", "select $1::bigint"};
static const struct pg_statement PUT = {"put", "insert into things (id) values ($1::bigint)"};

struct bench {
    struct ev_loop *loop;
    struct pg *pg;
    struct histogram trips;
    struct mono sent_at;
    unsigned left, under_way;
    unsigned calls; /* a job */
    enum pg_mode mode;
    int64_t next_id;
};

static void submit(struct bench *bench);

static void on_done(void *ctx, const struct pg_reply *reply) {
    struct bench *bench = ctx;
    CHECK(reply->error == 0);
    histogram_record(&bench->trips, mono_since_ns(mono_now(), bench->sent_at));
    bench->under_way--;
    if (bench->left > 0)
        submit(bench);
    else if (bench->under_way == 0)
        ev_break(bench->loop, EVBREAK_ALL);
}

static void submit(struct bench *bench) {
    static struct pg_params params[CALLS];
    struct pg_call calls[CALLS];
    for (unsigned i = 0; i < bench->calls; i++) {
        pg_params_reset(&params[i]);
        pg_params_int8(&params[i], bench->next_id++);
        calls[i] = (struct pg_call){bench->mode == PG_READ ? &READ : &PUT, &params[i]};
    }
    bench->left--;
    bench->under_way++;
    bench->sent_at = mono_now();
    CHECK(pg_run(bench->pg, calls, bench->calls, bench->mode, 10000, on_done, bench) == 0);
}

/* Runs `jobs` jobs, `window` at a time; returns jobs a second. */
static double run(struct bench *bench, unsigned jobs, unsigned window, unsigned calls, enum pg_mode mode) {
    histogram_reset(&bench->trips);
    bench->left = jobs;
    bench->calls = calls;
    bench->mode = mode;
    struct mono begin = mono_now();
    for (unsigned i = 0; i < window; i++) submit(bench);
    ev_run(bench->loop, 0);
    return jobs * 1e9 / (double)mono_since_ns(mono_now(), begin);
}

static void must(PGresult *result) {
    CHECK(PQresultStatus(result) == PGRES_COMMAND_OK);
    PQclear(result);
}

/* The same transactions with a round trip for each statement. */
static double run_blocking(const char *uri, unsigned jobs, int64_t next_id) {
    PGconn *conn = PQconnectdb(uri);
    must(PQprepare(conn, "put", "insert into things (id) values ($1)", 0, NULL));
    struct mono begin = mono_now();
    for (unsigned job = 0; job < jobs; job++) {
        must(PQexec(conn, "begin"));
        for (unsigned i = 0; i < CALLS; i++) {
            char text[24];
            snprintf(text, sizeof text, "%lld", (long long)next_id++);
            must(PQexecPrepared(conn, "put", 1, (const char *const[]){text}, NULL, NULL, 0));
        }
        must(PQexec(conn, "commit"));
    }
    double rate = jobs * 1e9 / (double)mono_since_ns(mono_now(), begin);
    PQfinish(conn);
    return rate;
}

int main(void) {
    struct pg_fixture fixture;
    static struct bench bench;
    log_set_level(LOG_LEVEL_WARN);
    pg_fixture_open(&fixture, NULL);
    pg_fixture_execute(&fixture, "create table things (id bigint primary key)");
    bench.loop = ev_loop_new(EVFLAG_AUTO);
    const struct pg_config config = {
        .name = "bench", .uri = fixture.uri, .connections = 1, .in_flight_max = PG_IN_FLIGHT_MAX};
    CHECK(pg_create(bench.loop, &config, &bench.pg) == 0);
    (void)run(&bench, ROUNDS / 10, 1, 1, PG_READ);
    (void)run(&bench, ROUNDS, 1, 1, PG_READ);
    printf("pg_read_p50 %.1f us\n", (double)histogram_quantile(&bench.trips, 0.5) / 1e3);
    printf("pg_read_p99 %.1f us\n", (double)histogram_quantile(&bench.trips, 0.99) / 1e3);
    printf("pg_reads_pipelined %.0f /s\n", run(&bench, FLOOD, WINDOW, 1, PG_READ));
    double pipelined = run(&bench, ROUNDS, 1, CALLS, PG_TRANSACTION);
    double blocking = run_blocking(fixture.uri, ROUNDS, bench.next_id);
    printf("pg_transactions_of_10 %.0f /s\n", pipelined);
    printf("pg_transactions_of_10_call_by_call %.0f /s\n", blocking);
    printf("pg_transaction_gain %.2f x\n", pipelined / blocking);
    pg_destroy(bench.pg);
    ev_loop_destroy(bench.loop);
    pg_fixture_close(&fixture);
    return 0;
}
