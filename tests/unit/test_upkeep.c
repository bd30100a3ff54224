#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "persist/upkeep.h"
#include "tests/unit/pg_fixture.h"
#include "tests/unit/pg_harness.h"

#define NEVER_MS 3600000

static struct pg_fixture fixture;

static int setup(void **state) {
    (void)state;
    pg_fixture_open(&fixture, NULL);
    (void)pg_fixture_migrate(&fixture);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    pg_fixture_close(&fixture);
    return 0;
}

static struct harness open_pool(void) {
    struct harness harness;
    harness_open(
        &harness,
        &(struct pg_config){
            .name = "upkeep", .uri = fixture.uri, .connections = UPKEEP_LANES, .in_flight_max = 1, .statement_ms = 60000});
    return harness;
}

static void close_all(struct harness *harness, struct upkeep *upkeep) {
    pg_destroy(harness->pg);
    upkeep_destroy(upkeep);
    ev_loop_destroy(harness->loop);
}

static int64_t number(const char *sql) {
    return pg_fixture_number(&fixture, sql);
}

static void test_upkeep_creates_partitions_ahead(void **state) {
    (void)state;
    pg_fixture_execute(&fixture,
                       "do $$ declare day date; begin for day in select * from events_days() d where d > current_date loop "
                       "execute format('drop table %I', events_of_day(day)); end loop; end $$");
    struct harness harness = open_pool();
    struct upkeep *upkeep = upkeep_create(harness.loop, harness.pg, &(struct upkeep_config){0});
    harness_until(&harness, upkeep_stats_get(upkeep).runs[UPKEEP_CREATE] == 1);
    assert_int_equal(upkeep_stats_get(upkeep).partitions_created, UPKEEP_DAYS_AHEAD - 1);
    assert_int_equal(number("select count(*) from events_days() d where d >= (now() at time zone 'UTC')::date"),
                     UPKEEP_DAYS_AHEAD);
    harness_until(&harness, !upkeep_stats_get(upkeep).running);
    close_all(&harness, upkeep);
}

/* Three old days: a player gets 100 gold and an item, spends 30, destroys the item. */
static void make_history(void) {
    pg_fixture_execute(
        &fixture,
        "select events_create((now() at time zone 'UTC')::date - 40, 4);"
        "insert into events (id, at, player, type, detail) values"
        " (1, now() - interval '40 days', 5, 32, '{\"entries\": [[1,5,0,0,100],[8,0,0,0,-100],[1,5,70,3,2],[8,0,0,3,-2]]}'),"
        " (2, now() - interval '39 days', 5, 12, '{\"entries\": [[1,5,0,0,-30],[1,6,0,0,30]]}'),"
        " (3, now() - interval '39 days', 6, 12, '{\"entries\": [[1,6,0,0,-5],[9,0,0,0,5]]}'),"
        " (4, now() - interval '38 days', 5, 6, '{\"entries\": [[1,5,70,3,-2],[9,0,0,3,2]]}'),"
        " (5, now(), 5, 32, '{\"entries\": [[1,5,0,0,7],[8,0,0,0,-7]]}')");
}

static void test_upkeep_folds_old_days_into_the_baseline(void **state) {
    (void)state;
    make_history();
    static const char gold[] = "select sum(amount) from event_baseline where owner_kind = 1 and owner = 5 and item = 0";
    pg_fixture_execute(&fixture, "insert into outbox values (3)"); /* holds its day, and those after it, back */
    struct harness harness = open_pool();
    struct upkeep_config config = {.events_keep_days = 30, .every_ms = {[UPKEEP_FOLD] = 20, [UPKEEP_STATS] = 20}};
    struct upkeep *upkeep = upkeep_create(harness.loop, harness.pg, &config);
    harness_until(&harness, upkeep_stats_get(upkeep).runs[UPKEEP_FOLD] > 3);
    assert_int_equal(upkeep_stats_get(upkeep).days_folded, 1);
    assert_int_equal(number(gold), 100);
    assert_int_equal(number("select amount from event_baseline where owner = 5 and item = 70"), 2);
    pg_fixture_execute(&fixture, "delete from outbox");
    harness_until(&harness, upkeep_stats_get(upkeep).days_folded == 4);
    assert_int_equal(number(gold), 70);
    assert_int_equal(number("select amount from event_baseline where owner = 6"), 25);
    assert_int_equal(number("select count(*) from event_baseline where item = 70"), 0); /* it is gone, so is its row */
    assert_int_equal(number("select amount from event_baseline where owner_kind = 8 and item_kind = 3"), -2);
    assert_int_equal(number("select amount from event_baseline where owner_kind = 9 and item_kind = 3"), 2);
    assert_int_equal(number("select sum(amount) from event_baseline"), 0);
    assert_int_equal(number("select count(*) from events"), 1);
    assert_int_equal(number("select count(*) from events_days() d where d < current_date - 10"), 0);
    uint64_t runs = upkeep_stats_get(upkeep).runs[UPKEEP_STATS];
    harness_until(&harness, upkeep_stats_get(upkeep).runs[UPKEEP_STATS] > runs + 1);
    assert_int_equal(number("select sum(events) from daily_stats"), 5); /* of all time */
    assert_int_equal(number("select count(*) from daily_stats"), 4);
    assert_int_equal(number("select sum(gold_created) from daily_stats"), 107);
    assert_int_equal(number("select sum(gold_destroyed) from daily_stats"), 5);
    assert_int_equal(number("select events from daily_stats where type = 12"), 2);
    assert_int_equal(number("select players from daily_stats where type = 12"), 2);
    harness_until(&harness, !upkeep_stats_get(upkeep).running);
    close_all(&harness, upkeep);
}

static void test_upkeep_refreshes_while_it_is_read(void **state) {
    (void)state;
    PGconn *reader = PQconnectdb(fixture.uri);
    PQclear(PQexec(reader, "begin isolation level repeatable read; select count(*) from daily_stats"));
    struct harness harness = open_pool();
    struct upkeep *upkeep =
        upkeep_create(harness.loop, harness.pg, &(struct upkeep_config){.every_ms = {[UPKEEP_STATS] = 20}});
    harness_until(&harness, upkeep_stats_get(upkeep).runs[UPKEEP_STATS] >= 2);
    assert_int_equal(upkeep_stats_get(upkeep).failures[UPKEEP_STATS], 0);
    harness_until(&harness, !upkeep_stats_get(upkeep).running);
    close_all(&harness, upkeep);
    PQfinish(reader);
}

/* An event is taken from under a closed day and one from today: only the second is missed, for only today is read. */
static void test_upkeep_closed_days_are_not_read_again(void **state) {
    (void)state;
    static const char old_events[] =
        "select coalesce(sum(events), 0)::bigint from daily_stats where type = 50 and day < current_date - 1";
    static const char new_events[] = "select coalesce(sum(events), 0)::bigint from daily_stats where type = 51";
    pg_fixture_execute(&fixture,
                       "update event_closed set day = '-infinity'; delete from event_history;"
                       "select events_create((now() at time zone 'UTC')::date - 3, 3);"
                       "insert into events (id, at, player, type, detail) values"
                       " (801, now() - interval '3 days', 5, 50, '{}'), (802, now() - interval '2 days', 5, 50, '{}'),"
                       " (803, now(), 5, 51, '{}')");
    struct harness harness = open_pool();
    struct upkeep_config config = {.every_ms = {[UPKEEP_CLOSE] = 20, [UPKEEP_STATS] = 20}};
    struct upkeep *upkeep = upkeep_create(harness.loop, harness.pg, &config);
    harness_until(&harness, number(old_events) == 2 && number(new_events) == 1 && upkeep_stats_get(upkeep).days_closed >= 2);
    assert_int_equal(number("select count(*) from event_history where type = 50"), 2);
    assert_int_equal(number("select count(*) from event_history where type = 51"), 0); /* today is open */
    pg_fixture_execute(&fixture, "delete from events where id in (801, 803)");
    harness_until(&harness, number(new_events) == 0);
    assert_int_equal(number(old_events), 2);
    assert_int_equal(number("select count(*) from event_closed where day between current_date - 3 and current_date"), 1);
    harness_until(&harness, !upkeep_stats_get(upkeep).running);
    close_all(&harness, upkeep);
}

/* A refresh that hangs, behind somebody's lock, holds up neither cleaning nor new partitions. */
static void test_upkeep_slow_statistics_delay_no_other(void **state) {
    (void)state;
    PGconn *blocker = PQconnectdb(fixture.uri);
    PQclear(PQexec(blocker, "begin; lock table event_closed in access exclusive mode"));
    struct harness harness = open_pool();
    struct upkeep_config config = {
        .every_ms = {[UPKEEP_CREATE] = 20, [UPKEEP_FOLD] = NEVER_MS, [UPKEEP_CLEAN] = 20, [UPKEEP_STATS] = 20}};
    struct upkeep *upkeep = upkeep_create(harness.loop, harness.pg, &config);
    harness_until(&harness, number("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and "
                                   "query like 'refresh%'") == 1);
    uint64_t cleaned = upkeep_stats_get(upkeep).runs[UPKEEP_CLEAN], created = upkeep_stats_get(upkeep).runs[UPKEEP_CREATE];
    harness_until(&harness, upkeep_stats_get(upkeep).runs[UPKEEP_CLEAN] > cleaned + 2);
    harness_until(&harness, upkeep_stats_get(upkeep).runs[UPKEEP_CREATE] > created + 2);
    assert_int_equal(upkeep_stats_get(upkeep).runs[UPKEEP_STATS], 0);
    PQfinish(blocker);
    harness_until(&harness, upkeep_stats_get(upkeep).runs[UPKEEP_STATS] > 0);
    harness_until(&harness, !upkeep_stats_get(upkeep).running);
    close_all(&harness, upkeep);
}

static void test_upkeep_fold_does_not_wait_behind_a_reader(void **state) {
    (void)state;
    pg_fixture_execute(&fixture, "select events_create((now() at time zone 'UTC')::date - 50, 1)");
    PGconn *reader = PQconnectdb(fixture.uri);
    PQclear(PQexec(reader, "begin; select count(*) from events"));
    struct harness harness = open_pool();
    struct upkeep_config config = {.every_ms = {NEVER_MS, 20, NEVER_MS, NEVER_MS, NEVER_MS}};
    struct upkeep *upkeep = upkeep_create(harness.loop, harness.pg, &config);
    harness_until(&harness, upkeep_stats_get(upkeep).failures[UPKEEP_FOLD] >= 1);
    pg_fixture_execute(&fixture, "insert into events (id, player, type, detail) values (900, 1, 1, '{}')");
    PQfinish(reader);
    harness_until(&harness, upkeep_stats_get(upkeep).days_folded == 1);
    harness_until(&harness, !upkeep_stats_get(upkeep).running);
    close_all(&harness, upkeep);
}

static bool is_asked(void *ctx) {
    return ++*(unsigned *)ctx > 3;
}

static void test_upkeep_keys_stay_until_they_may_go(void **state) {
    (void)state;
    unsigned asked = 0;
    struct harness harness = open_pool();
    struct upkeep_config config = {.every_ms = {[UPKEEP_CLEAN] = 20}, .may_clean = is_asked, .ctx = &asked};
    struct upkeep *upkeep = upkeep_create(harness.loop, harness.pg, &config);
    harness_until(&harness, upkeep_stats_get(upkeep).runs[UPKEEP_CLEAN] > 0);
    assert_true(asked > 3);
    harness_until(&harness, !upkeep_stats_get(upkeep).running);
    close_all(&harness, upkeep);
}

/* A reward's key stays until its match is noted as settled; of documents the erased go and old results. */
static void test_upkeep_cleans_what_is_over_of_matches(void **state) {
    (void)state;
    pg_fixture_execute(&fixture,
                       "truncate commands, match_documents, match_settled;"
                       "insert into commands select 2, 7, -1::bigint << 48 | n, 0, 0, now() - interval '25 hours'"
                       " from generate_series(1, 3) n;"
                       "insert into commands values (2, 7, -1::bigint << 48 | 9, 0, 0, now() - interval '91 days'),"
                       " (2, 7, 1, 0, 0, now() - interval '25 hours');"
                       "insert into match_settled values (1, 7, now()), (2, 8, now()), (50, 7, now() - interval '91 days');"
                       "insert into match_documents values (1, 1, 1, null, now() - interval '61 minutes'),"
                       " (1, 2, 1, null, now() - interval '50 minutes'), (1, 3, 1, 'x', now() - interval '99 days'),"
                       " (4, 4, 1, 'x', now() - interval '31 days'), (4, 5, 1, 'x', now() - interval '29 days')");
    struct harness harness = open_pool();
    struct upkeep *upkeep = upkeep_create(harness.loop, harness.pg, &(struct upkeep_config){0});
    harness_until(&harness, upkeep_stats_get(upkeep).runs[UPKEEP_CLEAN] > 0);
    assert_int_equal(number("select count(*) from commands"), 2);
    assert_int_equal(number("select count(*) from commands where key & 255 in (2, 3)"), 2);
    assert_int_equal(number("select count(*) from match_settled"), 2);
    assert_int_equal(number("select sum(key) from match_documents"), 2 + 3 + 5);
    harness_until(&harness, !upkeep_stats_get(upkeep).running);
    close_all(&harness, upkeep);
    pg_fixture_execute(&fixture, "truncate commands, match_documents, match_settled");
}

static void test_upkeep_cleans_old_keys_in_helpings(void **state) {
    (void)state;
    pg_fixture_execute(
        &fixture,
        "insert into commands select 1, n, n, 0, 0, now() - interval '25 hours' from generate_series(1, 1700) n;"
        "insert into commands select 1, n, n + 5000, 0, 0, now() - interval '23 hours' from generate_series(1, 10) n;"
        "insert into commands values (3, 1, 1, 0, 0, now() - interval '80 days'), (3, 1, 2, 0, 0, now() - interval '91 "
        "days');"
        "insert into sessions values (1, 1, 'g', 1, now() - interval '1 s'), (2, 1, 'g', 1, now() + interval '1 h');"
        "insert into tokens values (decode(repeat('00', 16), 'hex'), now() - interval '1 s')");
    struct harness harness = open_pool();
    struct upkeep *upkeep = upkeep_create(harness.loop, harness.pg, &(struct upkeep_config){0});
    harness_until(&harness, upkeep_stats_get(upkeep).rows_cleaned == 1700 + 1 + 1 + 1);
    assert_true(upkeep_stats_get(upkeep).runs[UPKEEP_CLEAN] >= 4);
    assert_int_equal(number("select count(*) from commands"), 11);
    assert_int_equal(number("select player from sessions"), 2);
    assert_int_equal(number("select count(*) from tokens"), 0);
    harness_until(&harness, !upkeep_stats_get(upkeep).running);
    close_all(&harness, upkeep);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_upkeep_creates_partitions_ahead),
        cmocka_unit_test(test_upkeep_folds_old_days_into_the_baseline),
        cmocka_unit_test(test_upkeep_refreshes_while_it_is_read),
        cmocka_unit_test(test_upkeep_closed_days_are_not_read_again),
        cmocka_unit_test(test_upkeep_slow_statistics_delay_no_other),
        cmocka_unit_test(test_upkeep_fold_does_not_wait_behind_a_reader),
        cmocka_unit_test(test_upkeep_keys_stay_until_they_may_go),
        cmocka_unit_test(test_upkeep_cleans_what_is_over_of_matches),
        cmocka_unit_test(test_upkeep_cleans_old_keys_in_helpings),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
