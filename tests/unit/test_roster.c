/* Players are entered once, under a name of their own, seen again, and not lost while PostgreSQL is away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "persist/roster.h"
#include "tests/unit/pg_fixture.h"
#include "tests/unit/pg_harness.h"

static struct pg_fixture fixture;
static int64_t fence;

static int setup(void **state) {
    (void)state;
    pg_fixture_open(&fixture, NULL);
    fence = pg_fixture_migrate(&fixture);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    pg_fixture_close(&fixture);
    return 0;
}

static void close_all(struct harness *harness, struct roster *roster) {
    pg_destroy(harness->pg);
    roster_destroy(roster);
    ev_loop_destroy(harness->loop);
}

static void test_roster_enters_players_once_and_keeps_the_last_region(void **state) {
    (void)state;
    struct harness harness;
    harness_open(&harness, &(struct pg_config){.name = "primary", .uri = fixture.uri, .connections = 1});
    struct roster *roster = roster_create(harness.loop, harness.pg, fence);
    roster_seen(roster, 7, "main");
    roster_seen(roster, INT64_MAX, "main");
    roster_seen(roster, 7, "west");
    harness_until(&harness, roster_stats(roster).written == 3);
    roster_seen(roster, 7, "north");
    harness_until(&harness, roster_stats(roster).written == 4);
    assert_int_equal(roster_stats(roster).pending, 0);
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from players"), 2);
    assert_int_equal(
        pg_fixture_number(&fixture, "select count(*) from players where name = 'player-7' and region = 'north'"), 1);
    close_all(&harness, roster);
}

static void test_roster_waits_for_a_database_that_is_away(void **state) {
    (void)state;
    struct harness harness;
    harness_open(&harness, &(struct pg_config){.name = "primary", .uri = fixture.uri, .connections = 1});
    struct roster *roster = roster_create(harness.loop, harness.pg, fence);
    roster_seen(roster, 6, "main");
    harness_until(&harness, roster_stats(roster).written == 1); /* a server waits a minute for who is just connecting */
    pg_fixture_stop(&fixture);
    roster_seen(roster, 8, "main");
    harness_until(&harness, roster_stats(roster).failures > 0);
    pg_fixture_start(&fixture);
    harness_until(&harness, roster_stats(roster).written == 2);
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from players where player = 8"), 1);
    close_all(&harness, roster);
}

static void test_roster_beyond_its_limit_is_counted(void **state) {
    (void)state;
    struct harness harness;
    harness_open(&harness, &(struct pg_config){.name = "primary", .uri = fixture.uri, .connections = 1});
    struct roster *roster = roster_create(harness.loop, harness.pg, fence);
    for (uint64_t player = 1; player <= ROSTER_PENDING_MAX + 2; player++) roster_seen(roster, player, "main");
    assert_int_equal(roster_stats(roster).dropped, 2);
    assert_int_equal(roster_stats(roster).pending, ROSTER_PENDING_MAX);
    close_all(&harness, roster);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roster_enters_players_once_and_keeps_the_last_region),
        cmocka_unit_test(test_roster_waits_for_a_database_that_is_away),
        cmocka_unit_test(test_roster_beyond_its_limit_is_counted),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
