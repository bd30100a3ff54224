#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "persist/migrate.h"
#include "tests/unit/pg_fixture.h"

#define DEADLINE_MS 20000

static struct pg_fixture fixture;

static int setup(void **state) {
    (void)state;
    pg_fixture_open(&fixture, NULL);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    pg_fixture_close(&fixture);
    return 0;
}

static void make_database(const char *name, char *uri, size_t size) {
    char sql[96];
    snprintf(sql, sizeof sql, "create database %s", name);
    pg_fixture_execute(&fixture, sql);
    pg_fixture_uri(&fixture, name, uri, size);
}

static const struct migration TWO[] = {{1, "001_one", "create table one (id bigint);\ninsert into one values (1);\n"},
                                       {2, "002_two", "create table two (id bigint);\n"}};

static void test_migrate_twice_applies_once(void **state) {
    (void)state;
    char uri[160], error[256];
    uint32_t applied;
    make_database("twice", uri, sizeof uri);
    assert_int_equal(migrate_run(uri, TWO, 1, DEADLINE_MS, &applied, error, sizeof error), 0);
    assert_int_equal(applied, 1);
    assert_int_equal(migrate_run(uri, TWO, 2, DEADLINE_MS, &applied, error, sizeof error), 0);
    assert_int_equal(applied, 1);
    assert_int_equal(migrate_run(uri, TWO, 2, DEADLINE_MS, &applied, error, sizeof error), 0);
    assert_int_equal(applied, 0);
}

static void test_migrate_changed_or_unknown_is_refused(void **state) {
    (void)state;
    char uri[160], error[256];
    uint32_t applied;
    make_database("changed", uri, sizeof uri);
    assert_int_equal(migrate_run(uri, TWO, 2, DEADLINE_MS, &applied, error, sizeof error), 0);
    struct migration changed[] = {TWO[0], {2, "002_two", "create table two (id integer);\n"}};
    assert_int_equal(migrate_run(uri, changed, 2, DEADLINE_MS, &applied, error, sizeof error), MARCH_ERR_CONFLICT);
    assert_non_null(strstr(error, "002_two was applied to the database with other contents"));
    assert_int_equal(migrate_run(uri, TWO, 1, DEADLINE_MS, &applied, error, sizeof error), MARCH_ERR_CONFLICT);
    assert_non_null(strstr(error, "migration 2 (002_two), which this program does not know"));
}

static void test_migrate_bad_statement_leaves_nothing(void **state) {
    (void)state;
    char uri[160], error[256];
    uint32_t applied;
    make_database("broken", uri, sizeof uri);
    struct migration broken[] = {{1, "001_one", "create table one (id bigint); select no_such_thing;"}};
    assert_int_equal(migrate_run(uri, broken, 1, DEADLINE_MS, &applied, error, sizeof error), MARCH_ERR_INVALID);
    assert_non_null(strstr(error, "001_one: "));
    assert_non_null(strstr(error, "no_such_thing"));
    assert_int_equal(applied, 0);
    assert_int_equal(migrate_run(uri, TWO, 2, DEADLINE_MS, &applied, error, sizeof error), 0);
    assert_int_equal(applied, 2);
}

static void test_shard_open_raises_the_epoch_and_keeps_the_rest(void **state) {
    (void)state;
    struct shard_state first, second;
    char error[256];
    assert_int_equal(shard_open(fixture.uri, 0, 2, DEADLINE_MS, &first, error, sizeof error), 0);
    assert_true(first.applied >= 1);
    assert_int_equal(first.epoch, 1);
    assert_int_equal(first.next_id, 1);
    assert_int_equal(first.journal_position, 0);
    pg_fixture_execute(&fixture, "update shard set next_id = 77; update watermark set position = 4096");
    assert_int_equal(shard_open(fixture.uri, 0, 2, DEADLINE_MS, &second, error, sizeof error), 0);
    assert_int_equal(second.applied, 0);
    assert_int_equal(second.epoch, 2);
    assert_int_equal(second.next_id, 77);
    assert_int_equal(second.journal_position, 4096);
    assert_memory_equal(first.journal_id, second.journal_id, sizeof first.journal_id);
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from events_days()"), 9);
    pg_fixture_execute(&fixture, "insert into events (id, player, type, detail) values (1, 1, 1, '{}')");
}

static void test_shard_open_of_another_shard_is_refused(void **state) {
    (void)state;
    struct shard_state out;
    char error[256];
    assert_int_equal(shard_open(fixture.uri, 1, 2, DEADLINE_MS, &out, error, sizeof error), MARCH_ERR_CONFLICT);
    assert_string_equal(error, "the database is that of shard 0 of 2, not of shard 1 of 2");
    assert_int_equal(shard_open(fixture.uri, 0, 3, DEADLINE_MS, &out, error, sizeof error), MARCH_ERR_CONFLICT);
}

static void test_shard_open_ends_a_transaction_that_holds_the_fence(void **state) {
    (void)state;
    struct shard_state before, after;
    char error[256];
    assert_int_equal(shard_open(fixture.uri, 0, 2, DEADLINE_MS, &before, error, sizeof error), 0);
    char sql[64];
    snprintf(sql, sizeof sql, "begin; select march_fence(%lld)", (long long)before.epoch);
    PGconn *stopped = PQconnectdb(fixture.uri); /* as of a process that was stopped in the middle of sending a transaction */
    PGresult *result = PQexec(stopped, sql);
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    PQclear(result);
    assert_int_equal(shard_open(fixture.uri, 0, 2, DEADLINE_MS, &after, error, sizeof error), 0);
    assert_int_equal(after.epoch, before.epoch + 1);
    result = PQexec(stopped, "commit");
    assert_int_equal(PQresultStatus(result), PGRES_FATAL_ERROR);
    PQclear(result);
    PQfinish(stopped);
}

static void test_migrate_by_two_at_once_applies_once(void **state) {
    (void)state;
    char uri[160], error[256];
    uint32_t applied;
    make_database("two_at_once", uri, sizeof uri);
    struct migration slow[] = {{1, "001_slow", "select pg_sleep(0.2); create table one (id bigint);"}};
    pid_t child = fork();
    if (child == 0)
        _exit(migrate_run(uri, slow, 1, DEADLINE_MS, &applied, error, sizeof error) == 0 ? 10 + (int)applied : 1);
    int status;
    assert_int_equal(migrate_run(uri, slow, 1, DEADLINE_MS, &applied, error, sizeof error), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal((uint32_t)WEXITSTATUS(status) + applied, 11);
}

static void test_shard_open_of_a_starting_server_waits(void **state) {
    (void)state;
    struct shard_state out;
    char error[256];
    pg_fixture_stop(&fixture);
    pg_fixture_launch(&fixture);
    assert_int_equal(shard_open(fixture.uri, 0, 2, DEADLINE_MS, &out, error, sizeof error), 0);
    assert_int_equal(out.epoch, 5);
}

static void test_shard_open_without_a_server_says_so_in_time(void **state) {
    (void)state;
    struct shard_state out;
    char error[256];
    assert_int_equal(shard_open("postgresql://march:secret@/x?host=/nowhere", 0, 1, 300, &out, error, sizeof error),
                     MARCH_ERR_UNAVAILABLE);
    assert_non_null(strstr(error, "no connection to the database"));
    assert_null(strstr(error, "secret"));
    assert_int_equal(shard_open("postgresql://march:secret@/x?nonsense=1", 0, 1, 300, &out, error, sizeof error),
                     MARCH_ERR_INVALID);
    assert_null(strstr(error, "secret"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_migrate_twice_applies_once),
        cmocka_unit_test(test_migrate_changed_or_unknown_is_refused),
        cmocka_unit_test(test_migrate_bad_statement_leaves_nothing),
        cmocka_unit_test(test_shard_open_raises_the_epoch_and_keeps_the_rest),
        cmocka_unit_test(test_shard_open_of_another_shard_is_refused),
        cmocka_unit_test(test_shard_open_ends_a_transaction_that_holds_the_fence),
        cmocka_unit_test(test_migrate_by_two_at_once_applies_once),
        cmocka_unit_test(test_shard_open_of_a_starting_server_waits),
        cmocka_unit_test(test_shard_open_without_a_server_says_so_in_time),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
