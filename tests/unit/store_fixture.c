/* store_fixture.c: see store_fixture.h. */
#include "tests/unit/store_fixture.h"

#include "common/check.h"
#include "common/clock.h"

#define PATIENCE_MS 20000

static void on_wake(struct ev_loop *loop, ev_timer *watcher, int events) {
    (void)loop;
    (void)watcher;
    (void)events;
}

bool store_fixture_await(struct store_fixture *fixture, const unsigned *count, unsigned wanted) {
    struct mono limit = mono_add_ms(mono_now(), PATIENCE_MS);
    ev_timer wake;
    ev_timer_init(&wake, on_wake, 0.02, 0.02);
    ev_timer_start(fixture->loop, &wake);
    while (*count < wanted && !mono_reached(mono_now(), limit)) ev_run(fixture->loop, EVRUN_ONCE);
    ev_timer_stop(fixture->loop, &wake);
    return *count >= wanted;
}

void store_fixture_run(struct store_fixture *fixture, uint32_t ms) {
    struct mono end = mono_add_ms(mono_now(), ms);
    ev_timer wake;
    ev_timer_init(&wake, on_wake, 0.005, 0.005);
    ev_timer_start(fixture->loop, &wake);
    while (!mono_reached(mono_now(), end)) ev_run(fixture->loop, EVRUN_ONCE);
    ev_timer_stop(fixture->loop, &wake);
}

void store_fixture_open(struct store_fixture *fixture, bool with_pg) {
    *fixture = (struct store_fixture){.loop = ev_loop_new(EVFLAG_AUTO)};
    redis_fixture_open(&fixture->redis_server, NULL);
    struct redis_config config = {.address = fixture->redis_server.uri, .seed = 1, .retry_cap_ms = 50, .connect_ms = 500};
    CHECK(redis_open(&fixture->redis, fixture->loop, &config) == 0);
    CHECK(redis_ready_within(fixture->redis, PATIENCE_MS) == 0);
    if (!with_pg) return;
    pg_fixture_open(&fixture->pg_server, NULL);
    fixture->shard_epoch = pg_fixture_migrate(&fixture->pg_server);
    struct pg_config pg = {.name = "test", .uri = fixture->pg_server.uri, .connections = 2, .seed = 1};
    CHECK(pg_create(fixture->loop, &pg, &fixture->pg) == 0);
    struct mono limit = mono_add_ms(mono_now(), PATIENCE_MS);
    while (!pg_is_available(fixture->pg) && !mono_reached(mono_now(), limit)) store_fixture_run(fixture, 5);
    CHECK(pg_is_available(fixture->pg));
}

void store_fixture_disconnect(struct store_fixture *fixture) {
    redis_close(fixture->redis);
    pg_destroy(fixture->pg);
    fixture->redis = NULL;
    fixture->pg = NULL;
}

void store_fixture_close(struct store_fixture *fixture) {
    store_fixture_disconnect(fixture);
    ev_loop_destroy(fixture->loop);
    redis_fixture_close(&fixture->redis_server);
    pg_fixture_close(&fixture->pg_server);
}

void store_fixture_lose_redis(struct store_fixture *fixture) {
    redis_fixture_kill(&fixture->redis_server);
    while (redis_is_available(fixture->redis)) store_fixture_run(fixture, 2);
}

void store_fixture_restore_redis(struct store_fixture *fixture) {
    redis_fixture_start(&fixture->redis_server);
    CHECK(redis_ready_within(fixture->redis, PATIENCE_MS) == 0);
}
