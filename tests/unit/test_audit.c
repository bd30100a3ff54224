/* test_audit.c: audits against a real PostgreSQL: what holds, and each way in which books may differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ev.h>
#include <jansson.h>
#include <stdio.h>

#include "persist/audit.h"
#include "tests/unit/pg_fixture.h"

struct fixture {
    struct pg_fixture server;
    struct ev_loop *loop;
    struct pg *pg, *primary;
    struct audit *audit;
    json_t *answer;
    unsigned answers;
    int error;
};

/* Player 5 was granted 10 of kind 2 and 100 gold (folded away already), traded with 6, put 10 gold into a transfer, and got
 * 7 from another shard. */
static const char BOOKS[] =
    "insert into event_baseline values (1, 5, 0, 0, 100), (8, 0, 0, 0, -100);"
    "insert into events (id, player, other, type, detail) values"
    " (1, 5, null, 32, '{\"entries\": [[1, 5, 77, 2, 10], [8, 0, 0, 2, -10]]}'),"
    " (2, 5, 6, 8, '{\"entries\": [[1, 5, 77, 2, -10], [1, 6, 77, 2, 10], [1, 5, 0, 0, -40], [1, 6, 0, 0, 40]]}'),"
    " (3, 5, null, 32, '{\"entries\": [[1, 5, 0, 0, -10], [4, 900, 0, 0, 10]]}'),"
    " (4, 5, null, 32, '{\"entries\": [[5, 1, 0, 0, -7], [1, 5, 0, 0, 7]]}'),"
    " (5, 6, null, 6, '{\"entries\": [[1, 6, 77, 2, -3], [9, 0, 0, 2, 3]]}');"
    "insert into accounts values (1, 5, 57, 1), (1, 6, 40, 1), (4, 900, 10, 1);"
    "insert into items values (77, 1, 6, 0, 2, 7, 1);"
    "insert into transfers values (900, 1, 1, '{}');"
    "insert into commands values (3, 5, 281474976710657, 0), (3, 5, 281474976710658, 3)";

static int set_up(void **state) {
    static struct fixture f;
    f = (struct fixture){.loop = ev_loop_new(0)};
    pg_fixture_open(&f.server, NULL);
    (void)pg_fixture_migrate(&f.server);
    pg_fixture_execute(&f.server, BOOKS);
    struct pg_config config = {.name = "test", .uri = f.server.uri, .connections = 1};
    assert_int_equal(pg_create(f.loop, &config, &f.pg), 0);
    config.name = "primary";
    assert_int_equal(pg_create(f.loop, &config, &f.primary), 0);
    f.audit = audit_create(f.pg, f.primary);
    *state = &f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    pg_destroy(f->pg);
    pg_destroy(f->primary);
    audit_destroy(f->audit);
    ev_loop_destroy(f->loop);
    pg_fixture_close(&f->server);
    return 0;
}

static void take(void *ctx, int error, const char *json, size_t len) {
    struct fixture *f = ctx;
    f->error = error;
    f->answer = error == 0 ? json_loadb(json, len, 0, NULL) : NULL;
    f->answers++;
}

/* audit runs one audit to its end; player 0 is the world. The answer is the caller's. */
static json_t *audit(struct fixture *f, uint64_t player) {
    f->answers = 0;
    while (!pg_is_available(f->pg)) ev_run(f->loop, EVRUN_ONCE);
    int result = player == 0 ? audit_world(f->audit, take, f) : audit_player(f->audit, player, take, f);
    assert_int_equal(result, 0);
    while (f->answers == 0) ev_run(f->loop, EVRUN_ONCE);
    assert_int_equal(f->error, 0);
    assert_non_null(f->answer);
    return f->answer;
}

static long number(const json_t *object, const char *list, size_t index, const char *key) {
    const json_t *from = list == NULL ? object : json_array_get(json_object_get(object, list), index);
    const json_t *value = json_object_get(from, key);
    assert_true(json_is_integer(value));
    return (long)json_integer_value(value);
}

static void assert_holds(struct fixture *f, uint64_t player, bool holds) {
    json_t *answer = audit(f, player);
    assert_int_equal(json_is_true(json_object_get(answer, "holds")), holds);
    assert_int_equal(json_array_size(json_object_get(answer, "differences")) == 0, holds);
    json_decref(answer);
}

static bool is_known(struct fixture *f, uint64_t player) {
    json_t *answer = audit(f, player);
    bool known = json_is_true(json_object_get(answer, "known"));
    assert_true(known || json_is_false(json_object_get(answer, "known")));
    json_decref(answer);
    return known;
}

static void test_audit_books_that_hold_are_told(void **state) {
    struct fixture *f = *state;
    json_t *answer = audit(f, 5);
    assert_true(json_is_true(json_object_get(answer, "holds")));
    assert_int_equal(number(answer, NULL, 0, "gold"), 57);
    assert_int_equal(number(answer, NULL, 0, "items"), 0);
    json_decref(answer);
    assert_holds(f, 6, true);
    assert_holds(f, 7, true); /* who owns nothing */
    assert_true(is_known(f, 5));
    assert_true(is_known(f, 6));
    assert_false(is_known(f, 7));
    pg_fixture_execute(&f->server, "insert into players (player, name) values (7, 'poor')");
    assert_true(is_known(f, 7));
    pg_fixture_execute(&f->server, "delete from players where player = 7");
    answer = audit(f, 0);
    assert_true(json_is_true(json_object_get(answer, "holds")));
    assert_int_equal(number(answer, "kinds", 0, "created"), 100);
    assert_int_equal(number(answer, "kinds", 0, "abroad"), -7);
    assert_int_equal(number(answer, "kinds", 0, "exists"), 107);
    assert_int_equal(number(answer, "kinds", 1, "kind"), 2);
    assert_int_equal(number(answer, "kinds", 1, "destroyed"), 3);
    assert_int_equal(number(answer, "open", 0, "transfer"), 900);
    assert_int_equal(number(answer, "open", 0, "amount"), 10);
    assert_int_equal(json_array_size(json_object_get(answer, "applied")), 1); /* the other one was refused */
    json_decref(answer);
}

static void test_audit_books_that_differ_are_told(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *change, *undo;
        uint64_t player;
    } cases[] = {
        {"update accounts set gold = 58 where owner = 5", "update accounts set gold = 57 where owner = 5", 5},
        {"delete from accounts where owner = 5", "insert into accounts values (1, 5, 57, 1)", 5},
        {"update items set count = 8", "update items set count = 7", 6},
        {"update items set kind = 3", "update items set kind = 2", 6},
        {"update items set owner = 5", "update items set owner = 6", 6},
        {"delete from items", "insert into items values (77, 1, 6, 0, 2, 7, 1)", 6},
        {"insert into items values (78, 1, 6, 1, 2, 1, 1)", "delete from items where id = 78", 6},
        {"delete from events where id = 2", /* a trade by half, as it were */
         "insert into events (id, player, other, type, detail) values (2, 5, 6, 8, '{\"entries\": [[1, 5, 77, 2, -10],"
         " [1, 6, 77, 2, 10], [1, 5, 0, 0, -40], [1, 6, 0, 0, 40]]}')",
         5},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pg_fixture_execute(&f->server, cases[i].change);
        assert_holds(f, cases[i].player, false);
        assert_holds(f, 0, false);
        pg_fixture_execute(&f->server, cases[i].undo);
        assert_holds(f, cases[i].player, true);
        assert_holds(f, 0, true);
    }
}

static void test_audit_more_than_the_limit_at_a_time_is_refused(void **state) {
    struct fixture *f = *state;
    json_decref(audit(f, 0)); /* connected */
    f->answers = 0;
    for (unsigned i = 0; i < AUDITS_MAX; i++) assert_int_equal(audit_world(f->audit, take, f), 0);
    assert_int_equal(audit_player(f->audit, 5, take, f), MARCH_ERR_FULL);
    while (f->answers < AUDITS_MAX) {
        ev_run(f->loop, EVRUN_ONCE);
        json_decref(f->answer);
        f->answer = NULL;
    }
    assert_holds(f, 5, true);
}

/* Refused at once, however long an audit may take, and done again when the server is back. */
static void test_audit_without_a_database_is_refused_at_once(void **state) {
    struct fixture *f = *state;
    json_decref(audit(f, 0));
    while (!pg_is_available(f->primary)) ev_run(f->loop, EVRUN_ONCE);
    pg_fixture_crash(&f->server);
    while (!pg_is_away(f->primary)) ev_run(f->loop, EVRUN_ONCE);
    f->answers = 0;
    assert_int_equal(audit_world(f->audit, take, f), MARCH_ERR_UNAVAILABLE);
    assert_int_equal(audit_player(f->audit, 5, take, f), MARCH_ERR_UNAVAILABLE);
    pg_fixture_start(&f->server);
    while (!pg_is_available(f->primary)) ev_run(f->loop, EVRUN_ONCE);
    assert_int_equal(f->answers, 0);
    assert_holds(f, 5, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_audit_books_that_hold_are_told),
        cmocka_unit_test(test_audit_books_that_differ_are_told),
        cmocka_unit_test(test_audit_more_than_the_limit_at_a_time_is_refused),
        cmocka_unit_test(test_audit_without_a_database_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
