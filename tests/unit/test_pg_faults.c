#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/pg_fixture.h"
#include "tests/unit/pg_harness.h"

static struct pg_fixture fixture;

static const struct pg_statement PUT = {"put", "insert into things (id) values ($1::bigint)"};
static const struct pg_statement COUNT = {"count", "select count(*) from things"};
static const struct pg_statement SLEEP = {"sleep", "select pg_sleep(30)"};

static int setup(void **state) {
    (void)state;
    pg_fixture_open(&fixture, NULL);
    pg_fixture_execute(&fixture, "create table things (id bigint primary key)");
    return 0;
}

static int teardown(void **state) {
    (void)state;
    pg_fixture_close(&fixture);
    return 0;
}

static int each(void **state) {
    (void)state;
    pg_fixture_execute(&fixture, "truncate things");
    return 0;
}

static void count_ready(void *ctx) {
    ++*(int *)ctx;
}

static struct harness open_pool(const struct pg_config *more) {
    struct pg_config config = *more;
    struct harness harness;
    config.name = "test";
    config.uri = fixture.uri;
    config.seed = 3;
    if (config.connections == 0) config.connections = 1;
    harness_open(&harness, &config);
    harness_until(&harness, pg_is_available(harness.pg));
    return harness;
}

static void submit_put(struct harness *harness, int64_t id, uint32_t deadline_ms, struct harness_answer *answer) {
    struct pg_params params;
    pg_params_init(&params);
    pg_params_int8(&params, id);
    const struct pg_call calls[] = {{&PUT, &params}};
    harness_submit(harness, calls, 1, PG_TRANSACTION, deadline_ms, answer);
    pg_params_deinit(&params);
}

static void submit_count(struct harness *harness, uint32_t deadline_ms, struct harness_answer *answer) {
    harness_submit(harness, (const struct pg_call[]){{&COUNT, NULL}}, 1, PG_READ, deadline_ms, answer);
}

static void test_pg_frozen_server_is_answered_by_the_deadline(void **state) {
    (void)state;
    struct harness harness = open_pool(&(struct pg_config){0});
    struct harness_answer answer;
    submit_put(&harness, 0, 5000, &answer);
    harness_until(&harness, answer.done);
    pg_fixture_freeze(&fixture);
    struct mono begin = mono_now();
    submit_put(&harness, 1, 200, &answer);
    harness_until(&harness, answer.done);
    uint64_t took_ms = mono_since_ns(mono_now(), begin) / NS_PER_MS;
    assert_int_equal(answer.error, MARCH_ERR_EXPIRED);
    assert_true(took_ms >= 190 && took_ms < 2000);
    pg_fixture_thaw(&fixture);
    /* Outcome unknown means just that: what was sent is carried out now. */
    harness_until(&harness, pg_fixture_number(&fixture, "select count(*) from things") == 2);
    harness_until(&harness, pg_is_available(harness.pg));
    submit_count(&harness, 5000, &answer);
    harness_until(&harness, answer.done);
    assert_int_equal(answer.numbers[0], 2);
    harness_close(&harness);
}

static void test_pg_killed_server_leaves_the_outcome_unknown_and_is_found_again(void **state) {
    (void)state;
    enum { JOBS = 6 };
    int readies = 0;
    struct harness harness = open_pool(&(struct pg_config){.on_ready = count_ready, .ctx = &readies});
    struct harness_answer answers[JOBS], late, read;
    pg_fixture_freeze(&fixture); /* so that they are surely under way when it dies */
    for (int i = 0; i < JOBS; i++) submit_put(&harness, i, HARNESS_PATIENCE_MS, &answers[i]);
    submit_count(&harness, HARNESS_PATIENCE_MS, &read);
    pg_fixture_crash(&fixture);
    for (int i = 0; i < JOBS; i++) {
        harness_until(&harness, answers[i].done);
        assert_int_equal(answers[i].error, MARCH_ERR_EXPIRED);
    }
    assert_false(read.done); /* it waits for another try */
    pg_fixture_start(&fixture);
    harness_until(&harness, read.done);
    assert_int_equal(read.error, 0);
    assert_int_equal(read.numbers[0], 0);
    submit_put(&harness, 100, 5000, &late);
    harness_until(&harness, late.done);
    assert_int_equal(late.error, 0);
    assert_int_equal(readies, 2);
    assert_int_equal(pg_stats_get(harness.pg).retries, 1);
    assert_int_equal(pg_stats_get(harness.pg).unknown, JOBS);
    harness_close(&harness);
}

static void test_pg_committed_before_the_kill_is_there_after_it(void **state) {
    (void)state;
    struct harness harness = open_pool(&(struct pg_config){0});
    struct harness_answer answer;
    submit_put(&harness, 1, 5000, &answer);
    harness_until(&harness, answer.done);
    assert_int_equal(answer.error, 0);
    pg_fixture_crash(&fixture);
    pg_fixture_start(&fixture);
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from things"), 1);
    harness_close(&harness);
}

static void test_pg_breaker_opens_refuses_at_once_and_closes_again(void **state) {
    (void)state;
    struct harness harness = open_pool(&(struct pg_config){.connections = 2, .breaker = {.failures_max = 3}});
    struct harness_answer answer;
    pg_fixture_stop(&fixture);
    harness_until(&harness, pg_stats_get(harness.pg).breaker == BREAKER_OPEN);
    struct mono begin = mono_now();
    submit_put(&harness, 1, 5000, &answer);
    assert_true(answer.done);
    assert_int_equal(answer.error, MARCH_ERR_UNAVAILABLE);
    assert_true(mono_since_ns(mono_now(), begin) < 100 * NS_PER_MS);
    assert_int_equal(pg_stats_get(harness.pg).tripped, 1);
    assert_false(pg_is_available(harness.pg));
    pg_fixture_start(&fixture);
    harness_until(&harness, pg_stats_get(harness.pg).ready == 2);
    assert_int_equal(pg_stats_get(harness.pg).breaker, BREAKER_HALF_OPEN);
    submit_put(&harness, 2, 5000, &answer);
    assert_false(answer.done);
    struct harness_answer second;
    submit_put(&harness, 3, 5000, &second); /* one probe at a time */
    assert_true(second.done);
    assert_int_equal(second.error, MARCH_ERR_UNAVAILABLE);
    harness_until(&harness, answer.done);
    assert_int_equal(answer.error, 0);
    assert_int_equal(pg_stats_get(harness.pg).breaker, BREAKER_CLOSED);
    submit_put(&harness, 3, 5000, &second);
    harness_until(&harness, second.done);
    assert_int_equal(second.error, 0);
    harness_close(&harness);
}

static void test_pg_job_before_the_first_connection_waits_for_it_or_is_not_done(void **state) {
    (void)state;
    struct harness harness;
    struct harness_answer late, good;
    pg_fixture_stop(&fixture);
    harness_open(&harness, &(struct pg_config){
                               .name = "test", .uri = fixture.uri, .connections = 1, .breaker = {.failures_max = 1000}});
    submit_put(&harness, 1, 50, &late);
    submit_put(&harness, 2, HARNESS_PATIENCE_MS, &good);
    harness_until(&harness, late.done);
    assert_int_equal(late.error, MARCH_ERR_UNAVAILABLE);
    pg_fixture_launch(&fixture);
    harness_until(&harness, good.done);
    assert_int_equal(good.error, 0);
    assert_int_equal(pg_fixture_number(&fixture, "select sum(id) from things"), 2);
    harness_close(&harness);
}

static void test_pg_slow_statement_is_given_up_by_the_server(void **state) {
    (void)state;
    struct harness harness = open_pool(&(struct pg_config){.statement_ms = 100});
    struct pg_params params;
    pg_params_init(&params);
    pg_params_int8(&params, 1);
    const struct pg_call calls[] = {{&PUT, &params}, {&SLEEP, NULL}};
    struct harness_answer answer = harness_run(&harness, calls, 2, PG_TRANSACTION);
    assert_int_equal(answer.error, MARCH_ERR_UNAVAILABLE);
    assert_string_equal(answer.sqlstate, "57014");
    assert_int_equal(pg_stats_get(harness.pg).losses, 0);
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from things"), 0);
    pg_params_deinit(&params);
    harness_close(&harness);
}

static void test_pg_terminated_backend_leaves_the_outcome_unknown(void **state) {
    (void)state;
    struct harness harness = open_pool(&(struct pg_config){0});
    struct harness_answer answer;
    harness_submit(&harness, (const struct pg_call[]){{&SLEEP, NULL}}, 1, PG_TRANSACTION, HARNESS_PATIENCE_MS, &answer);
    static const char terminate[] =
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where query like '%pg_sleep(30)%' "
        "and state = 'active' and pid <> pg_backend_pid()";
    harness_until(&harness, pg_fixture_number(&fixture, terminate) == 1);
    harness_until(&harness, answer.done);
    assert_int_equal(answer.error, MARCH_ERR_EXPIRED);
    assert_non_null(strstr(answer.message, "administrator command"));
    harness_close(&harness);
}

static void test_pg_server_that_accepts_but_does_not_speak_is_given_up(void **state) {
    (void)state;
    struct harness harness;
    pg_fixture_freeze(&fixture);
    harness_open(&harness, &(struct pg_config){.name = "test", .uri = fixture.uri, .connections = 1, .connect_ms = 50});
    harness_until(&harness, pg_stats_get(harness.pg).connect_failures >= 3);
    pg_fixture_thaw(&fixture);
    harness_until(&harness, pg_is_available(harness.pg));
    harness_close(&harness);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_pg_frozen_server_is_answered_by_the_deadline, each),
        cmocka_unit_test_setup(test_pg_killed_server_leaves_the_outcome_unknown_and_is_found_again, each),
        cmocka_unit_test_setup(test_pg_committed_before_the_kill_is_there_after_it, each),
        cmocka_unit_test_setup(test_pg_breaker_opens_refuses_at_once_and_closes_again, each),
        cmocka_unit_test_setup(test_pg_job_before_the_first_connection_waits_for_it_or_is_not_done, each),
        cmocka_unit_test_setup(test_pg_slow_statement_is_given_up_by_the_server, each),
        cmocka_unit_test(test_pg_terminated_backend_leaves_the_outcome_unknown),
        cmocka_unit_test(test_pg_server_that_accepts_but_does_not_speak_is_given_up),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
