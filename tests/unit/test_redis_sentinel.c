/* test_redis_sentinel.c: the master is asked of a real Sentinel, and followed when another takes its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "persist/redis.h"
#include "tests/unit/redis_fixture.h"

#define PATIENCE_MS 40000

struct bed {
    struct redis_fixture master, replica, sentinel;
    struct ev_loop *loop;
    struct redis *redis;
    unsigned answers;
    int error;
};

static void on_done(void *ctx, int error, const struct redisReply *reply) {
    struct bed *bed = ctx;
    (void)reply;
    bed->answers++;
    bed->error = error;
}

/* set_key writes a key and waits for the answer. */
static int set_key(struct bed *bed, const char *key) {
    struct redis_request request;
    unsigned before = bed->answers;
    redis_request_init(&request);
    redis_request_text(&request, "SET");
    redis_request_text(&request, key);
    redis_request_text(&request, "1");
    int error = redis_send(bed->redis, &request, 2000, on_done, bed);
    redis_request_deinit(&request);
    if (error) return error;
    while (bed->answers == before) ev_run(bed->loop, EVRUN_ONCE);
    return bed->error;
}

static void await_replica(struct bed *bed, int port) {
    char settings[64], text[64];
    snprintf(settings, sizeof settings, "--port %d --replicaof 127.0.0.1 %d", redis_fixture_free_port(), port);
    redis_fixture_open(&bed->replica, settings);
    while (strcmp(redis_fixture_text(&bed->replica, "GET before", text, sizeof text), "1") != 0) /* it has caught up */
        continue;
}

static void test_redis_sentinel_names_the_master_and_its_successor(void **state) {
    (void)state;
    struct bed bed = {.loop = ev_loop_new(EVFLAG_AUTO)};
    int master_port = redis_fixture_free_port(), sentinel_port = redis_fixture_free_port();
    char settings[64], uri[128];
    snprintf(settings, sizeof settings, "--port %d --repl-diskless-sync-delay 0", master_port);
    redis_fixture_open(&bed.master, settings);
    redis_fixture_do(&bed.master, "SET before 1");
    await_replica(&bed, master_port);
    redis_fixture_open_sentinel(&bed.sentinel, sentinel_port, master_port);
    /* the first Sentinel is not there: the second one is asked */
    snprintf(uri, sizeof uri, "sentinel://127.0.0.1:%d,127.0.0.1:%d/main", redis_fixture_free_port(), sentinel_port);
    struct redis_config config = {.address = uri, .seed = 1, .retry_cap_ms = 100, .connect_ms = 1000};
    assert_int_equal(redis_open(&bed.redis, bed.loop, &config), 0);
    assert_int_equal(redis_ready_within(bed.redis, PATIENCE_MS), 0);
    assert_int_equal(set_key(&bed, "first"), 0);
    assert_int_equal(redis_fixture_number(&bed.master, "EXISTS first"), 1);
    while (redis_fixture_number(&bed.replica, "EXISTS first") == 0) continue;
    /* The Sentinel learns of the replica from the master, every ten seconds; at once after it has begun. */
    redis_fixture_kill(&bed.master);
    struct mono limit = mono_add_ms(mono_now(), PATIENCE_MS);
    while (set_key(&bed, "second") != 0) {
        assert_false(mono_reached(mono_now(), limit));
        if (redis_ready_within(bed.redis, 500) != 0) continue;
    }
    assert_int_equal(redis_fixture_number(&bed.replica, "EXISTS second"), 1);
    redis_close(bed.redis);
    ev_loop_destroy(bed.loop);
    redis_fixture_close(&bed.sentinel);
    redis_fixture_close(&bed.replica);
    redis_fixture_close(&bed.master);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redis_sentinel_names_the_master_and_its_successor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
