#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "persist/pg_listen.h"
#include "tests/unit/pg_fixture.h"
#include "tests/unit/pg_harness.h"

static struct pg_fixture fixture;

struct ear {
    struct ev_loop *loop; /* as harness_until wants it */
    struct pg_listen *listen;
    unsigned heard, missed;
    char last[32];
};

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

static void on_heard(void *ctx, const char *payload) {
    struct ear *ear = ctx;
    ear->heard++;
    snprintf(ear->last, sizeof ear->last, "%s", payload);
}

static void on_missed(void *ctx) {
    ((struct ear *)ctx)->missed++;
}

static void open_ear(struct ear *ear, uint32_t ping_ms) {
    *ear = (struct ear){.loop = ev_loop_new(EVFLAG_AUTO)};
    struct pg_listen_config config = {.uri = fixture.uri,
                                      .channel = "march_invalidate",
                                      .ping_ms = ping_ms,
                                      .heard = on_heard,
                                      .missed = on_missed,
                                      .ctx = ear};
    assert_int_equal(pg_listen_open(ear->loop, &config, &ear->listen), 0);
    harness_until(ear, pg_listen_stats_get(ear->listen).listening);
}

static void close_ear(struct ear *ear) {
    pg_listen_close(ear->listen);
    ev_loop_destroy(ear->loop);
}

static void test_listen_hears_what_is_committed(void **state) {
    (void)state;
    struct ear ear;
    open_ear(&ear, 0);
    pg_fixture_execute(&fixture, "begin; select pg_notify('march_invalidate', 'guild 8 x'); rollback");
    pg_fixture_execute(&fixture, "select pg_notify('other', 'guild 9 x')");
    pg_fixture_execute(&fixture, "select pg_notify('march_invalidate', 'guild 7 x')");
    harness_until(&ear, ear.heard > 0);
    assert_string_equal(ear.last, "guild 7 x");
    assert_int_equal(ear.heard, 1);
    assert_int_equal(ear.missed, 0);
    close_ear(&ear);
}

static void test_listen_after_a_loss_says_that_something_was_missed(void **state) {
    (void)state;
    struct ear ear;
    open_ear(&ear, 0);
    pg_fixture_crash(&fixture);
    harness_until(&ear, pg_listen_stats_get(ear.listen).losses == 1);
    pg_fixture_start(&fixture);
    harness_until(&ear, ear.missed == 1);
    pg_fixture_execute(&fixture, "notify march_invalidate, 'player 1 x'");
    harness_until(&ear, ear.heard == 1);
    close_ear(&ear);
}

static void test_listen_notices_a_server_that_is_silent(void **state) {
    (void)state;
    struct ear ear;
    open_ear(&ear, 1000);
    struct mono until = mono_add_ms(mono_now(), 2500); /* pings are answered for a while */
    harness_until(&ear, mono_reached(mono_now(), until));
    assert_int_equal(pg_listen_stats_get(ear.listen).losses, 0);
    pg_fixture_freeze(&fixture);
    harness_until(&ear, pg_listen_stats_get(ear.listen).losses == 1);
    pg_fixture_thaw(&fixture);
    harness_until(&ear, ear.missed == 1);
    close_ear(&ear);
}

static void test_listen_behind_a_pooler_is_unsupported(void **state) {
    (void)state;
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct pg_listen *listen;
    struct pg_listen_config config = {
        .uri = "postgresql://u@/d?march_prepared=off", .channel = "march", .heard = on_heard, .missed = on_missed};
    assert_int_equal(pg_listen_open(loop, &config, &listen), MARCH_ERR_UNSUPPORTED);
    config.uri = "postgresql://u@/d?nonsense=1";
    assert_int_equal(pg_listen_open(loop, &config, &listen), MARCH_ERR_INVALID);
    config.uri = fixture.uri;
    config.channel = "x; drop table shard";
    assert_int_equal(pg_listen_open(loop, &config, &listen), MARCH_ERR_INVALID);
    ev_loop_destroy(loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listen_hears_what_is_committed),
        cmocka_unit_test(test_listen_after_a_loss_says_that_something_was_missed),
        cmocka_unit_test(test_listen_notices_a_server_that_is_silent),
        cmocka_unit_test(test_listen_behind_a_pooler_is_unsupported),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
