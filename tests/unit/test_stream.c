/* test_stream.c: events go from the outbox to the stream in order, at least once, whatever is killed meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "persist/stream.h"
#include "tests/unit/store_fixture.h"

struct bed {
    struct store_fixture stores;
    struct stream *stream;
};

static void bed_open(struct bed *bed) {
    *bed = (struct bed){0};
    store_fixture_open(&bed->stores, true);
    struct stream_config config = {.redis = bed->stores.redis,
                                   .pg = bed->stores.pg,
                                   .shard_epoch = bed->stores.shard_epoch,
                                   .entries_max = 5000,
                                   .seed = 1};
    assert_int_equal(stream_open(&bed->stream, bed->stores.loop, &config), 0);
}

static void bed_close(struct bed *bed) {
    store_fixture_disconnect(&bed->stores);
    stream_close(bed->stream);
    store_fixture_close(&bed->stores);
}

/* commit adds events `from` to `to` and wakes the publisher. */
static void commit(struct bed *bed, unsigned from, unsigned to) {
    char sql[512];
    snprintf(sql, sizeof sql,
             "with e as (insert into events (id, player, type, domain, key, detail) select i, i %% 7 + 1, 3, 1, i * 10, "
             "jsonb_build_object('n', i) from generate_series(%u, %u) i returning id) insert into outbox select id from e",
             from, to);
    pg_fixture_execute(&bed->stores.pg_server, sql);
    stream_wake(bed->stream);
}

/* await_empty runs until the outbox is. */
static void await_empty(struct bed *bed) {
    for (int i = 0; i < 2000; i++) {
        store_fixture_run(&bed->stores, 10);
        if (pg_fixture_number(&bed->stores.pg_server, "select count(*) from outbox") == 0) return;
    }
    fail_msg("the outbox does not empty");
}

/* check_stream reads the stream and checks what a consumer relies on: first arrivals in the order of ids, none missing from
 * `first` to `last`. Returns how many entries there are. */
static size_t check_stream(struct bed *bed, uint64_t first, uint64_t last) {
    redisContext *context = redisConnectUnix(bed->stores.redis_server.uri + strlen("unix://"));
    redisReply *reply = redisCommand(context, "XRANGE " STREAM_KEY " - +");
    assert_non_null(reply);
    uint64_t newest = first - 1;
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *fields = reply->element[i]->element[1];
        assert_int_equal(fields->elements, 16);
        assert_string_equal(fields->element[0]->str, "id");
        uint64_t id = strtoull(fields->element[1]->str, NULL, 10);
        if (id <= newest) continue;
        assert_int_equal(id, newest + 1);
        newest = id;
    }
    assert_int_equal(newest, last);
    size_t count = reply->elements;
    freeReplyObject(reply);
    redisFree(context);
    return count;
}

static void test_stream_publishes_all_in_order_once(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed);
    commit(&bed, 1, 1000);
    await_empty(&bed);
    assert_int_equal(check_stream(&bed, 1, 1000), 1000);
    commit(&bed, 1001, 1003);
    await_empty(&bed);
    assert_int_equal(check_stream(&bed, 1, 1003), 1003);
    assert_int_equal(stream_stats_get(bed.stream).published, 1003);
    assert_int_equal(stream_stats_get(bed.stream).failures, 0);
    redisContext *context = redisConnectUnix(bed.stores.redis_server.uri + strlen("unix://"));
    redisReply *reply = redisCommand(context, "XREVRANGE " STREAM_KEY " + - COUNT 1");
    static const char *const expected[] = {"player", "3", "other", "0",     "type",   "3",
                                           "domain", "1", "key",   "10030", "detail", "{\"n\": 1003}"};
    for (size_t i = 0; i < 12; i++) assert_string_equal(reply->element[0]->element[1]->element[4 + i]->str, expected[i]);
    freeReplyObject(reply);
    redisFree(context);
    bed_close(&bed);
}

static void test_stream_wakes_at_once(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed);
    store_fixture_run(&bed.stores, 50); /* it has looked and rests */
    commit(&bed, 1, 1);
    store_fixture_run(&bed.stores, 300); /* a third of the interval */
    assert_int_equal(stream_stats_get(bed.stream).published, 1);
    bed_close(&bed);
}

/* The connection is cut again and again, with pages under way: repeats, but no gap and no overtaking. */
static void test_stream_order_holds_over_lost_connections(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed);
    for (unsigned round = 0; round < 10; round++) {
        commit(&bed, round * 400 + 1, round * 400 + 400);
        store_fixture_run(&bed.stores, 1 + round * 2);
        redis_fixture_do(&bed.stores.redis_server, "CLIENT KILL TYPE normal");
    }
    await_empty(&bed);
    assert_true(check_stream(&bed, 1, 4000) >= 4000);
    bed_close(&bed);
}

/* A Redis killed with all it had: what was in the outbox arrives, in order, from the first that was not deleted. */
static void test_stream_redis_killed_in_mid_stream(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed);
    commit(&bed, 1, 3000);
    while (stream_stats_get(bed.stream).published < 512) store_fixture_run(&bed.stores, 1);
    store_fixture_lose_redis(&bed.stores);
    uint64_t first = (uint64_t)pg_fixture_number(&bed.stores.pg_server, "select coalesce(min(event), 0) from outbox");
    if (first > 0) {
        store_fixture_run(&bed.stores, 100);
        assert_int_equal(pg_fixture_number(&bed.stores.pg_server, "select min(event) from outbox"), first);
        store_fixture_restore_redis(&bed.stores);
        await_empty(&bed);
        (void)check_stream(&bed, first, 3000);
    }
    bed_close(&bed);
}

static void test_stream_frozen_redis_shows_as_lag(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed);
    redis_fixture_freeze(&bed.stores.redis_server);
    commit(&bed, 1, 2000);
    while (stream_stats_get(bed.stream).lag < 2000) store_fixture_run(&bed.stores, 20);
    assert_true(stream_stats_get(bed.stream).lag_ms > 0);
    redis_fixture_thaw(&bed.stores.redis_server);
    await_empty(&bed);
    (void)check_stream(&bed, 1, 2000);
    while (stream_stats_get(bed.stream).lag > 0) store_fixture_run(&bed.stores, 20);
    bed_close(&bed);
}

static void test_stream_is_bounded(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed);
    commit(&bed, 1, 8000);
    await_empty(&bed);
    assert_in_range(redis_fixture_number(&bed.stores.redis_server, "XLEN " STREAM_KEY), 5000, 5200);
    bed_close(&bed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_publishes_all_in_order_once),
        cmocka_unit_test(test_stream_wakes_at_once),
        cmocka_unit_test(test_stream_order_holds_over_lost_connections),
        cmocka_unit_test(test_stream_redis_killed_in_mid_stream),
        cmocka_unit_test(test_stream_frozen_redis_shows_as_lag),
        cmocka_unit_test(test_stream_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
