/* Pools behind a real pgBouncer in transaction mode, with one connection to the server for all clients: whoever relied on
 * the state of a session would see that of another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>

#include "persist/migrate.h"
#include "persist/pg_uri.h"
#include "tests/unit/pg_fixture.h"
#include "tests/unit/pg_harness.h"

#define POOLER_PORT 6432 /* names the socket only */

static struct pg_fixture fixture;
static pid_t pooler;
static char pooler_uri[256];

static const struct pg_statement PUT = {"put", "insert into things (id, amount) values ($1::bigint, $2::bigint)"};
static const struct pg_statement SUM = {"sum", "select coalesce(sum(amount), 0)::bigint from things"};
static const struct pg_statement BACKEND = {"backend", "select pg_backend_pid()::bigint"};
static const struct pg_statement SLEEP = {"sleep", "select pg_sleep(30)"};

static void start_pooler(void) {
    char path[128], log_path[128], socket_path[128];
    snprintf(path, sizeof path, "%s/pooler.ini", fixture.fixture_path);
    snprintf(log_path, sizeof log_path, "%s/pooler.log", fixture.fixture_path);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file,
            "[databases]\n* = host=%s user=march\n[pgbouncer]\nlisten_addr =\nlisten_port = %d\nunix_socket_dir = %s\n"
            "auth_type = any\npool_mode = transaction\ndefault_pool_size = 1\nserver_login_retry = 0.1\n",
            fixture.fixture_path, POOLER_PORT, fixture.fixture_path);
    fclose(file);
    pooler = pg_fixture_spawn((const char *const[]){"/usr/sbin/pgbouncer", "-q", path, NULL}, log_path);
    snprintf(socket_path, sizeof socket_path, "postgresql://march@:%d/postgres?host=%s", POOLER_PORT, fixture.fixture_path);
    while (PQping(socket_path) != PQPING_OK) assert_int_equal(waitpid(pooler, NULL, WNOHANG), 0);
    snprintf(pooler_uri, sizeof pooler_uri, "postgresql://march@:%d/%s?march_prepared=off&host=%s", POOLER_PORT,
             PG_FIXTURE_DATABASE, fixture.fixture_path);
}

static int setup(void **state) {
    (void)state;
    pg_fixture_open(&fixture, NULL);
    pg_fixture_execute(&fixture,
                       "create table things (id bigint primary key, amount bigint not null check (amount < 1000))");
    start_pooler();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kill(pooler, SIGKILL);
    (void)waitpid(pooler, NULL, 0);
    pg_fixture_close(&fixture);
    return 0;
}

static struct harness open_pool(unsigned connections) {
    struct harness harness;
    harness_open(
        &harness,
        &(struct pg_config){.name = "pooled", .uri = pooler_uri, .connections = connections, .connect_ms = 500, .seed = 1});
    return harness;
}

static void submit_put(struct harness *harness, int64_t id, int64_t amount, struct harness_answer *answer) {
    struct pg_params params;
    pg_params_init(&params);
    pg_params_int8(&params, id);
    pg_params_int8(&params, amount);
    const struct pg_call calls[] = {{&PUT, &params}, {&SUM, NULL}};
    harness_submit(harness, calls, 2, PG_TRANSACTION, HARNESS_PATIENCE_MS, answer);
    pg_params_deinit(&params);
}

static void test_pooler_carries_pipelined_transactions_of_several_clients(void **state) {
    (void)state;
    enum { JOBS = 300 };
    static struct harness_answer answers[JOBS], others[JOBS];
    struct harness one = open_pool(3), two = open_pool(1);
    for (int i = 0; i < JOBS; i++) { /* every third is refused */
        submit_put(&one, i, i % 3 == 0 ? 5000 : 1, &answers[i]);
        submit_put(&two, JOBS + i, 1, &others[i]);
    }
    harness_until(&one, (ev_run(two.loop, EVRUN_NOWAIT), answers[JOBS - 1].done && others[JOBS - 1].done));
    for (int i = 0; i < JOBS; i++) {
        harness_until(&one, answers[i].done);
        harness_until(&two, others[i].done);
        assert_int_equal(answers[i].error, i % 3 == 0 ? MARCH_ERR_INVALID : 0);
        assert_int_equal(others[i].error, 0);
    }
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from things"), JOBS * 2 - JOBS / 3);
    struct harness_answer first = harness_run(&one, (const struct pg_call[]){{&BACKEND, NULL}}, 1, PG_READ);
    struct harness_answer second = harness_run(&two, (const struct pg_call[]){{&BACKEND, NULL}}, 1, PG_READ);
    assert_int_equal(first.numbers[0], second.numbers[0]); /* they did share one */
    assert_int_equal(pg_stats_get(one.pg).losses, 0);
    harness_close(&one);
    harness_close(&two);
}

static void test_pooler_whose_server_dies_leaves_the_outcome_unknown(void **state) {
    (void)state;
    struct harness harness = open_pool(1);
    struct harness_answer answer, late;
    pg_fixture_execute(&fixture, "truncate things");
    harness_submit(&harness, (const struct pg_call[]){{&SLEEP, NULL}}, 1, PG_TRANSACTION, HARNESS_PATIENCE_MS, &answer);
    harness_until(&harness,
                  pg_fixture_number(&fixture, "select count(*) from pg_stat_activity where query = 'select pg_sleep(30)' "
                                              "and state = 'active'") == 1);
    pg_fixture_crash(&fixture);
    harness_until(&harness, answer.done);
    assert_int_equal(answer.error, MARCH_ERR_EXPIRED);
    harness_until(&harness, pg_stats_get(harness.pg).connect_failures > 0); /* the pooler takes us, but has no server */
    assert_int_equal(pg_stats_get(harness.pg).ready, 0);
    pg_fixture_start(&fixture);
    harness_until(&harness, pg_is_available(harness.pg));
    submit_put(&harness, 1, 10, &late);
    harness_until(&harness, late.done);
    assert_int_equal(late.error, 0);
    assert_int_equal(late.numbers[1], 10);
    harness_close(&harness);
}

static void test_pooler_migrates_and_opens_a_shard(void **state) {
    (void)state;
    struct shard_state shard;
    char error[256];
    assert_int_equal(shard_open(pooler_uri, 0, 1, HARNESS_PATIENCE_MS, &shard, error, sizeof error), 0);
    assert_int_equal(shard.epoch, 1);
    assert_int_equal(shard_open(pooler_uri, 0, 1, HARNESS_PATIENCE_MS, &shard, error, sizeof error), 0);
    assert_int_equal(shard.epoch, 2);
}

static void test_pooler_that_the_uri_does_not_tell_of_is_refused(void **state) {
    (void)state;
    struct shard_state shard;
    char error[256], uri[256];
    snprintf(uri, sizeof uri, "postgresql://march@:%d/%s?host=%s", POOLER_PORT, PG_FIXTURE_DATABASE, fixture.fixture_path);
    assert_int_equal(shard_open(uri, 0, 1, HARNESS_PATIENCE_MS, &shard, error, sizeof error), MARCH_ERR_UNSUPPORTED);
    assert_non_null(strstr(error, "march_prepared=off"));
    assert_int_equal(shard_open(fixture.uri, 0, 1, HARNESS_PATIENCE_MS, &shard, error, sizeof error), 0);
}

static void test_uri_parameter_is_taken_out(void **state) {
    (void)state;
    static const struct {
        const char *uri, *clean;
        bool prepared;
        int error;
    } cases[] = {
        {"postgresql://u@/d?host=/s", "postgresql://u@/d?host=/s", true, 0},
        {"postgresql://u@/d?march_prepared=off", "postgresql://u@/d", false, 0},
        {"postgresql://u@/d?march_prepared=off&host=/s", "postgresql://u@/d?host=/s", false, 0},
        {"postgresql://u@/d?host=/s&march_prepared=off", "postgresql://u@/d?host=/s", false, 0},
        {"postgresql://u@/d?host=/s&march_prepared=on&user=x", "postgresql://u@/d?host=/s&user=x", true, 0},
        {"march_prepared=off host=/s", "host=/s", false, 0},
        {"host=/s march_prepared=off", "host=/s", false, 0},
        {"march_prepared=off", "", false, 0},
        {"postgresql://u@/d?march_prepared=", "", true, MARCH_ERR_INVALID},
        {"postgresql://u@/d?march_prepared=offf", "", true, MARCH_ERR_INVALID},
        {"postgresql://u@/d?what=1", "", true, MARCH_ERR_INVALID},
        {"nonsense", "", true, MARCH_ERR_INVALID},
    };
    char clean[PG_URI_MAX], longest[PG_URI_MAX + 1];
    bool prepared;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(pg_uri_split(cases[i].uri, clean, &prepared), cases[i].error);
        if (cases[i].error != 0) continue;
        assert_string_equal(clean, cases[i].clean);
        assert_int_equal(prepared, cases[i].prepared);
    }
    memset(longest, 'x', PG_URI_MAX);
    longest[PG_URI_MAX] = '\0';
    assert_int_equal(pg_uri_split(longest, clean, &prepared), MARCH_ERR_FULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pooler_carries_pipelined_transactions_of_several_clients),
        cmocka_unit_test(test_pooler_whose_server_dies_leaves_the_outcome_unknown),
        cmocka_unit_test(test_pooler_migrates_and_opens_a_shard),
        cmocka_unit_test(test_pooler_that_the_uri_does_not_tell_of_is_refused),
        cmocka_unit_test(test_uri_parameter_is_taken_out),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
