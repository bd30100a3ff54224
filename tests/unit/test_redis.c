/* test_redis.c: addresses, pipelining, deadlines, loss, scripts, the breaker, against a real Redis and a false one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "persist/redis.h"
#include "persist/redis_address.h"
#include "tests/unit/redis_fixture.h"

#define PATIENCE_MS 20000

struct seen {
    unsigned calls, good, refused, unavailable, expired;
    uint64_t values[4096];
};

struct bed {
    struct redis_fixture fixture;
    struct ev_loop *loop;
    struct redis *redis;
    struct redis_request request;
    struct seen seen;
};

static void on_done(void *ctx, int error, const struct redisReply *reply) {
    struct seen *seen = ctx;
    uint64_t value = 0;
    seen->good += error == 0;
    seen->refused += error == MARCH_ERR_INVALID;
    seen->unavailable += error == MARCH_ERR_UNAVAILABLE;
    seen->expired += error == MARCH_ERR_EXPIRED;
    assert_true((reply != NULL) == (error == 0 || error == MARCH_ERR_INVALID));
    if (error == 0) (void)redis_reply_u64(reply, &value);
    seen->values[seen->calls++ % 4096] = value;
}

static void bed_open(struct bed *bed, const struct redis_config *config) {
    *bed = (struct bed){0};
    redis_fixture_open(&bed->fixture, NULL);
    bed->loop = ev_loop_new(EVFLAG_AUTO);
    struct redis_config c = config ? *config : (struct redis_config){0};
    c.address = bed->fixture.uri;
    c.seed = 1;
    c.retry_cap_ms = 50;
    assert_int_equal(redis_open(&bed->redis, bed->loop, &c), 0);
    assert_int_equal(redis_ready_within(bed->redis, PATIENCE_MS), 0);
    redis_request_init(&bed->request);
}

static void bed_close(struct bed *bed) {
    redis_close(bed->redis);
    redis_request_deinit(&bed->request);
    ev_loop_destroy(bed->loop);
    redis_fixture_close(&bed->fixture);
}

static void on_patience(struct ev_loop *loop, ev_timer *watcher, int events) {
    (void)loop;
    (void)watcher;
    (void)events;
}

/* run_until runs the loop until `*count` has reached `wanted`. */
static void run_until(struct bed *bed, const unsigned *count, unsigned wanted) {
    struct mono limit = mono_add_ms(mono_now(), PATIENCE_MS);
    ev_timer wake;
    ev_timer_init(&wake, on_patience, 0.02, 0.02);
    ev_timer_start(bed->loop, &wake);
    while (*count < wanted) {
        if (mono_reached(mono_now(), limit)) fail_msg("%u of %u", *count, wanted);
        ev_run(bed->loop, EVRUN_ONCE);
    }
    ev_timer_stop(bed->loop, &wake);
}

static int command(struct bed *bed, const char *words, uint32_t deadline_ms) {
    char copy[256], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", words);
    redis_request_reset(&bed->request);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        redis_request_text(&bed->request, word);
    return redis_send(bed->redis, &bed->request, deadline_ms, on_done, &bed->seen);
}

static int eval(struct bed *bed, unsigned script, const char *key, uint64_t value) {
    redis_request_reset(&bed->request);
    redis_request_text(&bed->request, key);
    redis_request_u64(&bed->request, value);
    return redis_eval(bed->redis, script, 1, &bed->request, 5000, on_done, &bed->seen);
}

static void test_redis_address_forms_are_read(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int error;
        uint32_t hosts, db;
        const char *host;
        uint16_t port;
        const char *user, *password, *master;
    } cases[] = {
        {"unix:///run/redis", 0, 1, 0, "/run/redis", 0, "", "", ""},
        {"unix:///run/redis?db=3", 0, 1, 3, "/run/redis", 0, "", "", ""},
        {"redis://host", 0, 1, 0, "host", 6379, "", "", ""},
        {"redis://host:7000/2", 0, 1, 2, "host", 7000, "", "", ""},
        {"redis://me:secret@[::1]:7000/", 0, 1, 0, "::1", 7000, "me", "secret", ""},
        {"redis://:p@ss@h", 0, 1, 0, "h", 6379, "", "p@ss", ""},
        {"sentinel://a:1,b:2/main", 0, 2, 0, "a", 1, "", "", "main"},
        {"sentinel://u:p@a:1/main/4", 0, 1, 4, "a", 1, "u", "p", "main"},
        {"sentinel://a:1", MARCH_ERR_INVALID, 0, 0, "", 0, "", "", ""},
        {"sentinel://a/main", MARCH_ERR_INVALID, 0, 0, "", 0, "", "", ""},
        {"redis://", MARCH_ERR_INVALID, 0, 0, "", 0, "", "", ""},
        {"redis://h:0", MARCH_ERR_INVALID, 0, 0, "", 0, "", "", ""},
        {"redis://h:65536", MARCH_ERR_INVALID, 0, 0, "", 0, "", "", ""},
        {"redis://h/x", MARCH_ERR_INVALID, 0, 0, "", 0, "", "", ""},
        {"unix://relative", MARCH_ERR_INVALID, 0, 0, "", 0, "", "", ""},
        {"http://h", MARCH_ERR_INVALID, 0, 0, "", 0, "", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct redis_address address;
        print_message("%s\n", cases[i].text);
        assert_int_equal(redis_address_parse(&address, cases[i].text), cases[i].error);
        if (cases[i].error) continue;
        assert_int_equal(address.host_count, cases[i].hosts);
        assert_int_equal(address.db, cases[i].db);
        assert_string_equal(address.hosts[0].name, cases[i].host);
        assert_int_equal(address.hosts[0].port, cases[i].port);
        assert_string_equal(address.user, cases[i].user);
        assert_string_equal(address.password, cases[i].password);
        assert_string_equal(address.master, cases[i].master);
        if (cases[i].password[0]) assert_null(strstr(address.label, cases[i].password));
    }
}

static void test_redis_pipelined_commands_are_answered_in_order(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL);
    for (int i = 0; i < 4000; i++) assert_int_equal(command(&bed, "INCR counter", 5000), 0);
    run_until(&bed, &bed.seen.calls, 4000);
    assert_int_equal(bed.seen.good, 4000);
    for (unsigned i = 0; i < 4000; i++) assert_int_equal(bed.seen.values[i], i + 1);
    assert_int_equal(command(&bed, "INCR counter counter", 5000), 0);
    run_until(&bed, &bed.seen.calls, 4001);
    assert_int_equal(bed.seen.refused, 1);
    bed_close(&bed);
}

static void test_redis_in_flight_is_bounded(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, &(struct redis_config){.in_flight_max = 8});
    for (int i = 0; i < 8; i++) assert_int_equal(command(&bed, "INCR counter", 5000), 0);
    assert_int_equal(command(&bed, "INCR counter", 5000), MARCH_ERR_FULL);
    run_until(&bed, &bed.seen.calls, 8);
    assert_int_equal(command(&bed, "INCR counter", 5000), 0);
    run_until(&bed, &bed.seen.calls, 9);
    assert_int_equal(redis_stats_get(bed.redis).full, 1);
    bed_close(&bed);
}

/* A stopped server: commands end at their deadline, the breaker opens, all is refused at once, and it comes back. */
static void test_redis_frozen_server_opens_the_breaker(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, &(struct redis_config){.breaker = {.failures_max = 3}, .connect_ms = 200});
    redis_fixture_freeze(&bed.fixture);
    for (int i = 0; i < 3; i++) assert_int_equal(command(&bed, "INCR counter", 30), 0);
    struct mono start = mono_now();
    run_until(&bed, &bed.seen.calls, 3);
    assert_int_equal(bed.seen.expired, 3);
    assert_in_range(mono_since_ns(mono_now(), start) / NS_PER_MS, 29, 1000);
    assert_false(redis_is_available(bed.redis));
    assert_int_equal(command(&bed, "INCR counter", 30), MARCH_ERR_UNAVAILABLE);
    assert_int_equal(bed.seen.calls, 3);
    while (redis_stats_get(bed.redis).losses == 0) ev_run(bed.loop, EVRUN_ONCE); /* stalled: the connection is given up */
    redis_fixture_thaw(&bed.fixture);
    assert_int_equal(redis_ready_within(bed.redis, PATIENCE_MS), 0);
    assert_int_equal(command(&bed, "PING", 5000), 0);
    run_until(&bed, &bed.seen.calls, 4);
    assert_int_equal(bed.seen.good, 1);
    bed_close(&bed);
}

/* Late answers find nobody who waits, and the next ones their own. */
static void test_redis_late_answer_is_not_mistaken_for_another(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL);
    redis_fixture_freeze(&bed.fixture);
    assert_int_equal(command(&bed, "INCR counter", 20), 0);
    assert_int_equal(command(&bed, "INCRBY counter 100", 10000), 0);
    run_until(&bed, &bed.seen.calls, 1);
    redis_fixture_thaw(&bed.fixture);
    run_until(&bed, &bed.seen.calls, 2);
    assert_int_equal(bed.seen.expired, 1);
    assert_int_equal(bed.seen.values[1], 101);
    bed_close(&bed);
}

static void test_redis_killed_server_ends_what_is_in_flight(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL);
    for (int round = 0; round < 5; round++) {
        unsigned calls = bed.seen.calls;
        redis_fixture_freeze(&bed.fixture);
        for (int i = 0; i < 50; i++) assert_int_equal(command(&bed, "INCR counter", 60000), 0);
        redis_fixture_kill(&bed.fixture);
        run_until(&bed, &bed.seen.calls, calls + 50);
        assert_int_equal(command(&bed, "INCR counter", 60000), MARCH_ERR_UNAVAILABLE);
        redis_fixture_start(&bed.fixture);
        assert_int_equal(redis_ready_within(bed.redis, PATIENCE_MS), 0);
    }
    assert_int_equal(bed.seen.expired, 250);
    assert_int_equal(command(&bed, "INCR counter", 5000), 0);
    run_until(&bed, &bed.seen.calls, 251);
    assert_int_equal(bed.seen.values[250], 1);
    assert_int_equal(redis_stats_get(bed.redis).connects, 6);
    bed_close(&bed);
}

static void test_redis_script_is_loaded_again_when_forgotten(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL);
    unsigned script = redis_script(bed.redis, "return redis.call('INCRBY', KEYS[1], ARGV[1])");
    for (int i = 0; i < 3; i++) assert_int_equal(eval(&bed, script, "sum", 5), 0);
    run_until(&bed, &bed.seen.calls, 3);
    assert_int_equal(bed.seen.values[2], 15);
    assert_int_equal(redis_stats_get(bed.redis).reloads, 0);
    redis_fixture_do(&bed.fixture, "SCRIPT FLUSH");
    for (int i = 0; i < 3; i++) assert_int_equal(eval(&bed, script, "sum", 5), 0);
    run_until(&bed, &bed.seen.calls, 6);
    assert_int_equal(bed.seen.good, 6);
    assert_int_equal(bed.seen.values[5], 30);
    assert_in_range(redis_stats_get(bed.redis).reloads, 1, 3);
    redis_fixture_kill(&bed.fixture);
    redis_fixture_start(&bed.fixture);
    while (redis_is_available(bed.redis)) ev_run(bed.loop, EVRUN_ONCE);
    assert_int_equal(redis_ready_within(bed.redis, PATIENCE_MS), 0);
    assert_int_equal(eval(&bed, script, "sum", 5), 0);
    run_until(&bed, &bed.seen.calls, 7);
    assert_int_equal(bed.seen.values[6], 5);
    bed_close(&bed);
}

static void on_done_and_send(void *ctx, int error, const struct redisReply *reply) {
    struct bed *bed = ctx;
    on_done(&bed->seen, error, reply);
    if (bed->seen.calls < 100) {
        redis_request_reset(&bed->request);
        redis_request_text(&bed->request, "PING");
        if (redis_send(bed->redis, &bed->request, 5000, on_done_and_send, bed) != 0) bed->seen.calls = 100;
    }
}

static void test_redis_callbacks_may_send_even_when_the_connection_is_lost(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, NULL);
    on_done_and_send(&bed, MARCH_ERR_UNAVAILABLE, NULL);
    run_until(&bed, &bed.seen.calls, 50);
    redis_fixture_kill(&bed.fixture);
    run_until(&bed, &bed.seen.calls, 100);
    bed_close(&bed);
}

static unsigned watched;

static void on_available(void *ctx, bool available) {
    (void)ctx;
    watched = watched * 10 + (available ? 1 : 2);
}

static void test_redis_watchers_are_told_of_loss_and_return(void **state) {
    (void)state;
    struct bed bed;
    watched = 0;
    bed_open(&bed, NULL);
    redis_watch(bed.redis, on_available, NULL);
    char run_id[64];
    snprintf(run_id, sizeof run_id, "%s", redis_run_id(bed.redis));
    assert_int_equal(strlen(run_id), 40);
    redis_fixture_kill(&bed.fixture);
    redis_fixture_start(&bed.fixture);
    while (watched < 21) ev_run(bed.loop, EVRUN_ONCE);
    assert_int_equal(watched, 21);
    assert_string_not_equal(run_id, redis_run_id(bed.redis));
    bed_close(&bed);
}

/* A false server that answers with given bytes: whatever it says, we go on and connect again. */
static void test_redis_false_replies_cost_the_connection_only(void **state) {
    (void)state;
    static const char *const answers[] = {
        "+OK\r\n+OK\r\n+OK\r\n",              /* one more than asked for */
        "+OK\r\n$3\r\nabc\r\n*100000000\r\n", /* an array beyond all bounds */
        "+OK\r\n+OK\r\n$-5\r\n",              /* a negative length */
        "?what\r\n",                          /* no type at all */
        "-ERR no\r\n",                        /* refused */
        "+OK\r\n+OK\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
    };
    char path[] = "/tmp/march-false-XXXXXX", uri[128];
    assert_non_null(mkdtemp(path));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", path);
    snprintf(uri, sizeof uri, "unix://%s", address.sun_path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 8), 0);
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct redis *redis;
    struct redis_config config = {.address = uri, .seed = 1, .retry_cap_ms = 30, .connect_ms = 500};
    assert_int_equal(redis_open(&redis, loop, &config), 0);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        int peer;
        while ((peer = accept(listener, NULL, NULL)) < 0) ev_run(loop, EVRUN_NOWAIT);
        assert_true(write(peer, answers[i], strlen(answers[i])) > 0);
        struct redis_stats stats;
        do {
            ev_run(loop, EVRUN_ONCE);
            stats = redis_stats_get(redis);
        } while (stats.losses + stats.connect_failures <= i);
        close(peer);
    }
    redis_close(redis);
    ev_loop_destroy(loop);
    close(listener);
    unlink(address.sun_path);
    rmdir(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redis_address_forms_are_read),
        cmocka_unit_test(test_redis_pipelined_commands_are_answered_in_order),
        cmocka_unit_test(test_redis_in_flight_is_bounded),
        cmocka_unit_test(test_redis_frozen_server_opens_the_breaker),
        cmocka_unit_test(test_redis_late_answer_is_not_mistaken_for_another),
        cmocka_unit_test(test_redis_killed_server_ends_what_is_in_flight),
        cmocka_unit_test(test_redis_script_is_loaded_again_when_forgotten),
        cmocka_unit_test(test_redis_callbacks_may_send_even_when_the_connection_is_lost),
        cmocka_unit_test(test_redis_watchers_are_told_of_loss_and_return),
        cmocka_unit_test(test_redis_false_replies_cost_the_connection_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
