#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>

#include "tests/unit/pg_fixture.h"
#include "tests/unit/pg_harness.h"

static struct pg_fixture fixture;

static const struct pg_statement PUT = {"put", "insert into things (id, amount) values ($1::bigint, $2::bigint)"};
static const struct pg_statement SUM = {"sum", "select coalesce(sum(amount), 0)::bigint from things"};
static const struct pg_statement COUNT = {"count", "select count(*) from things"};
static const struct pg_statement FENCE = {"fence", "select march_fence($1::bigint)"};
static const struct pg_statement EXPECT = {
    "expect", "with changed as (update things set amount = amount + 1 where id = $1::bigint returning 1) "
              "select march_expect((select count(*) from changed), $2::bigint)"};
static const struct pg_statement BAD = {"bad", "select no_such_column from things"};
static const struct pg_statement DEFERRED = {"deferred", "insert into slots values ($1::bigint)"};
static const struct pg_statement NUMBERS = {"numbers", "select sum(n)::bigint from unnest($1::bigint[]) n"};
static const struct pg_statement BACKEND = {"backend", "select pg_backend_pid()::bigint"};

static int setup(void **state) {
    (void)state;
    pg_fixture_open(&fixture, NULL);
    (void)pg_fixture_migrate(&fixture);
    pg_fixture_execute(&fixture, "create table things (id bigint primary key, amount bigint not null check (amount < 1000));"
                                 "create table slots (slot bigint unique deferrable initially deferred)");
    return 0;
}

static int teardown(void **state) {
    (void)state;
    pg_fixture_close(&fixture);
    return 0;
}

static int each(void **state) {
    (void)state;
    pg_fixture_execute(&fixture, "truncate things, slots");
    return 0;
}

static struct harness open_pool(unsigned connections) {
    struct harness harness;
    harness_open(&harness, &(struct pg_config){.name = "test", .uri = fixture.uri, .connections = connections, .seed = 1});
    return harness;
}

static void put_params(struct pg_params *params, int64_t id, int64_t amount) {
    pg_params_reset(params);
    pg_params_int8(params, id);
    pg_params_int8(params, amount);
}

static void test_pg_transaction_is_all_or_nothing(void **state) {
    (void)state;
    struct harness harness = open_pool(1);
    struct pg_params one, two, huge;
    pg_params_init(&one), pg_params_init(&two), pg_params_init(&huge);
    put_params(&one, 1, 10);
    put_params(&two, 2, 20);
    put_params(&huge, 3, 1000); /* breaks the check */
    const struct pg_call good[] = {{&PUT, &one}, {&PUT, &two}, {&SUM, NULL}};
    struct harness_answer answer = harness_run(&harness, good, 3, PG_TRANSACTION);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.count, 3);
    assert_int_equal(answer.numbers[2], 30);
    put_params(&one, 4, 40);
    const struct pg_call refused[] = {{&PUT, &one}, {&PUT, &huge}, {&SUM, NULL}};
    answer = harness_run(&harness, refused, 3, PG_TRANSACTION);
    assert_int_equal(answer.error, MARCH_ERR_INVALID);
    assert_string_equal(answer.sqlstate, "23514");
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from things"), 2);
    const struct pg_call again[] = {{&PUT, &two}};
    answer = harness_run(&harness, again, 1, PG_TRANSACTION);
    assert_int_equal(answer.error, MARCH_ERR_EXISTS);
    pg_params_deinit(&one), pg_params_deinit(&two), pg_params_deinit(&huge);
    harness_close(&harness);
}

static void test_pg_many_in_flight_are_independent(void **state) {
    (void)state;
    enum { JOBS = 400 };
    static struct harness_answer answers[JOBS];
    struct harness harness = open_pool(2);
    struct pg_params params;
    pg_params_init(&params);
    for (int i = 0; i < JOBS; i++) { /* every fourth breaks the check, every fifth has bad SQL */
        put_params(&params, i, i % 4 == 0 ? 5000 : 1);
        const struct pg_call calls[] = {{&PUT, &params}, {i % 5 == 0 ? &BAD : &COUNT, NULL}};
        harness_submit(&harness, calls, 2, PG_TRANSACTION, HARNESS_PATIENCE_MS, &answers[i]);
    }
    struct pg_stats stats = pg_stats_get(harness.pg);
    assert_int_equal(stats.queued + stats.in_flight, JOBS);
    int good = 0;
    for (int i = 0; i < JOBS; i++) {
        harness_until(&harness, answers[i].done);
        bool refused = i % 4 == 0 || i % 5 == 0;
        if (refused) /* a statement that can't be prepared is not there for those who counted on it */
            assert_true(answers[i].error == MARCH_ERR_INVALID || answers[i].error == MARCH_ERR_UNAVAILABLE);
        else
            assert_int_equal(answers[i].error, 0);
        good += !refused;
    }
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from things"), good);
    stats = pg_stats_get(harness.pg);
    assert_int_equal(stats.done, good);
    assert_int_equal(stats.invalid + stats.unavailable, JOBS - good);
    assert_int_equal(stats.losses, 0);
    assert_int_equal(stats.held_bytes, 0);
    pg_params_deinit(&params);
    harness_close(&harness);
}

static void test_pg_deferred_constraint_is_refused_at_commit(void **state) {
    (void)state;
    struct harness harness = open_pool(1);
    struct pg_params params;
    pg_params_init(&params);
    pg_params_int8(&params, 7);
    const struct pg_call calls[] = {{&DEFERRED, &params}, {&DEFERRED, &params}};
    struct harness_answer first, second;
    harness_submit(&harness, calls, 2, PG_TRANSACTION, HARNESS_PATIENCE_MS, &first);
    harness_submit(&harness, calls, 1, PG_TRANSACTION, HARNESS_PATIENCE_MS, &second);
    harness_until(&harness, first.done && second.done);
    assert_int_equal(first.error, MARCH_ERR_EXISTS);
    assert_int_equal(second.error, 0);
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from slots"), 1);
    pg_params_deinit(&params);
    harness_close(&harness);
}

static void test_pg_conflict_and_fence_are_told_apart(void **state) {
    (void)state;
    struct harness harness = open_pool(1);
    int64_t epoch = pg_fixture_number(&fixture, "select epoch from shard");
    struct pg_params held, stale, put, expect;
    pg_params_init(&held), pg_params_init(&stale), pg_params_init(&put), pg_params_init(&expect);
    pg_params_int8(&held, epoch);
    pg_params_int8(&stale, epoch - 1);
    put_params(&put, 1, 1);
    put_params(&expect, 1, 1);
    const struct pg_call good[] = {{&FENCE, &held}, {&PUT, &put}, {&EXPECT, &expect}};
    assert_int_equal(harness_run(&harness, good, 3, PG_TRANSACTION).error, 0);
    const struct pg_call fenced[] = {{&FENCE, &stale}, {&EXPECT, &expect}};
    struct harness_answer answer = harness_run(&harness, fenced, 2, PG_TRANSACTION);
    assert_int_equal(answer.error, MARCH_ERR_FENCED);
    assert_string_equal(answer.sqlstate, PG_SQLSTATE_FENCED);
    put_params(&expect, 99, 1);
    const struct pg_call conflict[] = {{&FENCE, &held}, {&EXPECT, &expect}};
    answer = harness_run(&harness, conflict, 2, PG_TRANSACTION);
    assert_int_equal(answer.error, MARCH_ERR_CONFLICT);
    assert_string_equal(answer.message, "changed 0 rows, expected 1");
    assert_int_equal(pg_fixture_number(&fixture, "select amount from things"), 2);
    pg_params_deinit(&held), pg_params_deinit(&stale), pg_params_deinit(&put), pg_params_deinit(&expect);
    harness_close(&harness);
}

static void test_pg_watermark_never_goes_back(void **state) {
    (void)state;
    pg_fixture_execute(&fixture, "select march_watermark(journal_id, 500) from watermark");
    static const struct pg_statement MOVE = {"move",
                                             "select march_watermark((select journal_id from watermark), $1::bigint)"};
    struct harness harness = open_pool(1);
    struct pg_params params;
    pg_params_init(&params);
    pg_params_int8(&params, 499);
    const struct pg_call calls[] = {{&MOVE, &params}};
    assert_int_equal(harness_run(&harness, calls, 1, PG_TRANSACTION).error, MARCH_ERR_CONFLICT);
    pg_params_reset(&params);
    pg_params_int8(&params, 501);
    assert_int_equal(harness_run(&harness, calls, 1, PG_TRANSACTION).error, 0);
    assert_int_equal(pg_fixture_number(&fixture, "select position from watermark"), 501);
    pg_params_deinit(&params);
    harness_close(&harness);
}

static void test_pg_epoch_waits_for_the_transaction_behind_the_fence(void **state) {
    (void)state;
    static const struct pg_statement SLEEP = {"sleep", "select pg_sleep(0.3)"};
    struct harness harness = open_pool(1);
    struct pg_params held, put;
    pg_params_init(&held), pg_params_init(&put);
    pg_params_int8(&held, pg_fixture_number(&fixture, "select epoch from shard"));
    put_params(&put, 5, 5);
    const struct pg_call calls[] = {{&FENCE, &held}, {&SLEEP, NULL}, {&PUT, &put}};
    struct harness_answer answer;
    harness_submit(&harness, calls, 3, PG_TRANSACTION, HARNESS_PATIENCE_MS, &answer);
    harness_until(&harness, pg_fixture_number(&fixture, "select count(*) from pg_locks where locktype = 'advisory'") == 1);
    /* its snapshot is of after the wait, so it sees what the transaction did */
    assert_int_equal(pg_fixture_number(&fixture, "begin; select march_raise_epoch(); commit; select count(*) from things"),
                     1);
    harness_until(&harness, answer.done);
    assert_int_equal(answer.error, 0);
    const struct pg_call late[] = {{&FENCE, &held}};
    assert_int_equal(harness_run(&harness, late, 1, PG_TRANSACTION).error, MARCH_ERR_FENCED);
    pg_params_deinit(&held), pg_params_deinit(&put);
    harness_close(&harness);
}

static void test_pg_large_job_goes_both_ways(void **state) {
    (void)state;
    enum { COUNT_OF_NUMBERS = 1000000 };
    struct harness harness = open_pool(1);
    struct pg_params params;
    pg_params_init(&params);
    pg_params_array(&params, PG_INT8);
    for (int64_t i = 0; i < COUNT_OF_NUMBERS; i++) pg_params_push_int8(&params, i);
    pg_params_end(&params);
    assert_int_equal(params.error, 0);
    const struct pg_call calls[] = {{&NUMBERS, &params}, {&NUMBERS, &params}};
    struct harness_answer answer = harness_run(&harness, calls, 2, PG_READ);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.numbers[1], (int64_t)COUNT_OF_NUMBERS * (COUNT_OF_NUMBERS - 1) / 2);
    pg_params_deinit(&params);
    harness_close(&harness);
}

static void test_pg_queue_is_bounded(void **state) {
    (void)state;
    struct harness harness;
    harness_open(
        &harness,
        &(struct pg_config){.name = "test", .uri = fixture.uri, .connections = 1, .queue_max = 2, .queue_bytes_max = 100});
    struct harness_answer answers[3];
    struct pg_params params;
    pg_params_init(&params);
    char text[101] = {0};
    pg_params_bytea(&params, text, sizeof text);
    const struct pg_call large[] = {{&COUNT, &params}}, small[] = {{&COUNT, NULL}};
    harness_submit(&harness, large, 1, PG_READ, 1000, &answers[0]);
    assert_int_equal(answers[0].error, MARCH_ERR_FULL);
    for (int i = 0; i < 3; i++) harness_submit(&harness, small, 1, PG_READ, HARNESS_PATIENCE_MS, &answers[i]);
    assert_true(answers[2].done);
    assert_int_equal(answers[2].error, MARCH_ERR_FULL);
    harness_until(&harness, answers[0].done && answers[1].done);
    assert_int_equal(answers[0].error, 0);
    assert_int_equal(pg_stats_get(harness.pg).full, 2);
    pg_params_deinit(&params);
    harness_close(&harness);
}

static void test_pg_lost_statement_is_prepared_again(void **state) {
    (void)state;
    static const struct pg_statement FORGET = {"forget", "deallocate all"};
    struct harness harness = open_pool(1);
    const struct pg_call count[] = {{&COUNT, NULL}}, forget[] = {{&FORGET, NULL}};
    assert_int_equal(harness_run(&harness, count, 1, PG_READ).error, 0);
    assert_int_equal(harness_run(&harness, forget, 1, PG_TRANSACTION).error, 0);
    assert_int_equal(harness_run(&harness, count, 1, PG_READ).error, MARCH_ERR_UNAVAILABLE);
    assert_int_equal(harness_run(&harness, count, 1, PG_READ).error, 0);
    assert_int_equal(pg_stats_get(harness.pg).connects, 1);
    harness_close(&harness);
}

/* Two jobs count on a statement that the server refuses to prepare; by the time that they are told it can be prepared, and
 * each is followed by another, the second of which prepares what the first has prepared. */
struct twice {
    struct harness *harness;
    unsigned told;
    struct harness_answer followers[2];
};

static const struct pg_statement LATER = {"later", "select count(*) from later"};

static void follow(void *ctx, const struct pg_reply *reply) {
    struct twice *twice = ctx;
    const struct pg_call calls[] = {{&LATER, NULL}};
    assert_int_not_equal(reply->error, 0);
    if (twice->told == 0) pg_fixture_execute(&fixture, "create table later ()");
    harness_submit(twice->harness, calls, 1, PG_READ, HARNESS_PATIENCE_MS, &twice->followers[twice->told++]);
}

static void test_pg_statement_prepared_twice_is_prepared(void **state) {
    (void)state;
    struct harness harness = open_pool(1);
    struct twice twice = {.harness = &harness};
    const struct pg_call calls[] = {{&LATER, NULL}};
    harness_until(&harness, pg_is_available(harness.pg));
    for (int i = 0; i < 2; i++)
        assert_int_equal(pg_run(harness.pg, calls, 1, PG_READ, HARNESS_PATIENCE_MS, follow, &twice), 0);
    harness_until(&harness, twice.told == 2 && twice.followers[0].done && twice.followers[1].done);
    assert_int_equal(twice.followers[0].error, 0);
    assert_int_equal(twice.followers[1].error, 0);
    harness_close(&harness);
}

static void test_pg_changed_result_type_makes_a_new_connection(void **state) {
    (void)state;
    static const struct pg_statement ALL = {"all", "select * from things"};
    struct harness harness = open_pool(1);
    const struct pg_call all[] = {{&ALL, NULL}};
    assert_int_equal(harness_run(&harness, all, 1, PG_READ).error, 0);
    pg_fixture_execute(&fixture, "alter table things add extra text");
    assert_int_equal(harness_run(&harness, all, 1, PG_READ).error, MARCH_ERR_UNAVAILABLE);
    harness_until(&harness, pg_is_available(harness.pg));
    assert_int_equal(harness_run(&harness, all, 1, PG_READ).error, 0);
    assert_int_equal(pg_stats_get(harness.pg).connects, 2);
    harness_close(&harness);
}

struct chain {
    struct harness *harness;
    int left;
    bool done;
};

static void chain_next(void *ctx, const struct pg_reply *reply) {
    struct chain *chain = ctx;
    const struct pg_call calls[] = {{&BACKEND, NULL}};
    assert_int_equal(reply->error, 0);
    chain->done = --chain->left == 0;
    if (!chain->done) assert_int_equal(pg_run(chain->harness->pg, calls, 1, PG_READ, 5000, chain_next, chain), 0);
}

static void test_pg_run_from_a_callback_works(void **state) {
    (void)state;
    struct harness harness = open_pool(1);
    struct chain chain = {.harness = &harness, .left = 50};
    const struct pg_call calls[] = {{&BACKEND, NULL}};
    assert_int_equal(pg_run(harness.pg, calls, 1, PG_READ, 5000, chain_next, &chain), 0);
    harness_until(&harness, chain.done);
    harness_close(&harness);
}

static void test_pg_destroy_answers_everything(void **state) {
    (void)state;
    struct harness harness = open_pool(1);
    struct harness_answer never_sent, sent;
    const struct pg_call calls[] = {{&BACKEND, NULL}};
    harness_submit(&harness, calls, 1, PG_TRANSACTION, 5000, &never_sent);
    harness_close(&harness);
    assert_int_equal(never_sent.error, MARCH_ERR_UNAVAILABLE);
    harness = open_pool(1);
    harness_until(&harness, pg_is_available(harness.pg));
    harness_submit(&harness, calls, 1, PG_TRANSACTION, 5000, &sent);
    harness_close(&harness);
    assert_int_equal(sent.error, MARCH_ERR_EXPIRED);
}

static void test_pg_bad_configuration_is_refused(void **state) {
    (void)state;
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct pg *pg;
    struct pg_config config = {.name = "test", .uri = fixture.uri, .connections = PG_CONNECTIONS_MAX + 1};
    assert_int_equal(pg_create(loop, &config, &pg), MARCH_ERR_INVALID);
    config.connections = 1;
    config.uri = "postgresql://march@/x?march_prepared=maybe";
    assert_int_equal(pg_create(loop, &config, &pg), MARCH_ERR_INVALID);
    config.uri = "postgresql://march:secret@/x?what=1";
    assert_int_equal(pg_create(loop, &config, &pg), MARCH_ERR_INVALID);
    assert_null(pg);
    ev_loop_destroy(loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_pg_transaction_is_all_or_nothing, each),
        cmocka_unit_test_setup(test_pg_many_in_flight_are_independent, each),
        cmocka_unit_test_setup(test_pg_deferred_constraint_is_refused_at_commit, each),
        cmocka_unit_test_setup(test_pg_conflict_and_fence_are_told_apart, each),
        cmocka_unit_test_setup(test_pg_watermark_never_goes_back, each),
        cmocka_unit_test_setup(test_pg_epoch_waits_for_the_transaction_behind_the_fence, each),
        cmocka_unit_test(test_pg_large_job_goes_both_ways),
        cmocka_unit_test(test_pg_queue_is_bounded),
        cmocka_unit_test(test_pg_lost_statement_is_prepared_again),
        cmocka_unit_test(test_pg_statement_prepared_twice_is_prepared),
        cmocka_unit_test(test_pg_changed_result_type_makes_a_new_connection),
        cmocka_unit_test(test_pg_run_from_a_callback_works),
        cmocka_unit_test(test_pg_destroy_answers_everything),
        cmocka_unit_test(test_pg_bad_configuration_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
