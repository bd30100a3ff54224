/* test_sessions.c: claims, takeovers, tokens and expiry, with every store and with none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "persist/sessions.h"
#include "tests/unit/store_fixture.h"

#define START_MS 1700000000000ULL
#define TTL_MS   30000
#define A        1 /* gateways */
#define B        2

struct answer {
    struct session_claim claim;
    struct session_claimed claimed;
};

struct bed {
    struct store_fixture stores;
    struct sessions *sessions;
    unsigned answers, found, ended;
    struct answer answered[512];
    int found_error;
    struct session_entry found_entry, ended_entry;
    enum session_ended_reason ended_reason;
};

static void on_ended(void *ctx, const struct session_entry *entry, enum session_ended_reason reason) {
    struct bed *bed = ctx;
    bed->ended++;
    bed->ended_entry = *entry;
    bed->ended_reason = reason;
}

static void on_claimed(void *ctx, const struct session_claim *claim, const struct session_claimed *claimed) {
    struct bed *bed = ctx;
    bed->answered[bed->answers++ % 512] = (struct answer){*claim, *claimed};
}

static void on_found(void *ctx, int error, const struct session_entry *entry) {
    struct bed *bed = ctx;
    bed->found++;
    bed->found_error = error;
    if (entry) bed->found_entry = *entry;
}

static void start_sessions(struct bed *bed, uint64_t now_ms) {
    struct sessions_config config = {.redis = bed->stores.redis,
                                     .pg = bed->stores.pg,
                                     .shard_epoch = bed->stores.shard_epoch,
                                     .sessions_max = 1000,
                                     .ttl_ms = TTL_MS,
                                     .now_ms = now_ms,
                                     .ended = on_ended,
                                     .ctx = bed};
    assert_int_equal(sessions_open(&bed->sessions, &config), 0);
}

static void bed_open(struct bed *bed, bool with_pg) {
    *bed = (struct bed){0};
    store_fixture_open(&bed->stores, with_pg);
    start_sessions(bed, START_MS);
}

/* restart_sessions forgets what memory knew, as a process that was killed does. Scripts are registered again. */
static void restart_sessions(struct bed *bed, uint64_t now_ms) {
    sessions_close(bed->sessions);
    start_sessions(bed, now_ms);
}

static void bed_close(struct bed *bed) {
    store_fixture_disconnect(&bed->stores);
    sessions_close(bed->sessions);
    store_fixture_close(&bed->stores);
}

static struct session_claim claim_of(uint64_t player, uint32_t gateway, uint64_t session, uint64_t token) {
    return (struct session_claim){.player = player,
                                  .holder = {.session = session, .incarnation = gateway * 1000, .gateway = gateway},
                                  .token_lo = token,
                                  .token_hi = token ? ~token : 0,
                                  .token_expires_s = START_MS / 1000 + 60};
}

/* claim decides one claim and returns what was answered. */
static struct session_claimed claim(struct bed *bed, uint64_t player, uint32_t gateway, uint64_t session, uint64_t token,
                                    uint64_t now_ms) {
    struct session_claim c = claim_of(player, gateway, session, token);
    unsigned before = bed->answers;
    assert_int_equal(sessions_claim(bed->sessions, &c, now_ms, on_claimed, bed), 0);
    assert_true(store_fixture_await(&bed->stores, &bed->answers, before + 1));
    return bed->answered[before % 512].claimed;
}

static void test_sessions_claim_takeover_and_repeat(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, false);
    struct session_claimed first = claim(&bed, 7, A, 70, 11, START_MS);
    assert_int_equal(first.result, SESSION_OK);
    assert_int_equal(first.epoch, START_MS);
    assert_false(first.took_over);
    struct session_claimed repeat = claim(&bed, 7, A, 70, 11, START_MS + 5);
    assert_int_equal(repeat.result, SESSION_OK);
    assert_int_equal(repeat.epoch, first.epoch);
    assert_false(repeat.took_over);
    struct session_claimed second = claim(&bed, 7, B, 71, 12, START_MS);
    assert_int_equal(second.result, SESSION_OK);
    assert_int_equal(second.epoch, START_MS + 1);
    assert_true(second.took_over);
    assert_int_equal(second.former.gateway, A);
    assert_int_equal(second.former.session, 70);
    assert_int_equal(second.former_epoch, first.epoch);
    const struct session_entry *entry = sessions_lookup(bed.sessions, 7);
    assert_non_null(entry);
    assert_int_equal(entry->holder.gateway, B);
    char text[64];
    assert_string_equal(redis_fixture_text(&bed.stores.redis_server, "HGET march:session:7 session", text, sizeof text),
                        "71");
    sessions_end(bed.sessions, 7, first.epoch); /* the old one: nothing happens */
    assert_non_null(sessions_lookup(bed.sessions, 7));
    sessions_end(bed.sessions, 7, second.epoch);
    assert_null(sessions_lookup(bed.sessions, 7));
    store_fixture_run(&bed.stores, 50);
    assert_int_equal(redis_fixture_number(&bed.stores.redis_server, "EXISTS march:session:7"), 0);
    assert_true(claim(&bed, 7, A, 72, 13, START_MS - 60000).epoch > second.epoch); /* though the clock went back */
    bed_close(&bed);
}

static void test_sessions_token_is_used_once(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, true);
    assert_int_equal(claim(&bed, 1, A, 10, 5, START_MS).result, SESSION_OK);
    assert_int_equal(claim(&bed, 1, B, 20, 5, START_MS).result, SESSION_TOKEN_USED); /* from memory */
    assert_int_equal(sessions_lookup(bed.sessions, 1)->holder.gateway, A);
    restart_sessions(&bed, START_MS + 1);
    assert_int_equal(claim(&bed, 1, B, 20, 5, START_MS + 1).result, SESSION_TOKEN_USED); /* from Redis */
    assert_int_equal(claim(&bed, 1, A, 10, 5, START_MS + 1).result, SESSION_OK);
    uint64_t now = wall_now_s() * 1000; /* PostgreSQL goes by its own clock */
    store_fixture_lose_redis(&bed.stores);
    struct session_claim c = claim_of(2, A, 11, 6);
    c.token_expires_s = now / 1000 + 60;
    assert_int_equal(sessions_claim(bed.sessions, &c, now, on_claimed, &bed), 0);
    assert_true(store_fixture_await(&bed.stores, &bed.answers, 5));
    assert_int_equal(bed.answered[4].claimed.result, SESSION_OK);
    restart_sessions(&bed, now);
    assert_int_equal(claim(&bed, 2, B, 21, 6, now).result, SESSION_TOKEN_USED); /* from PostgreSQL */
    assert_int_equal(claim(&bed, 2, A, 11, 6, now).result, SESSION_OK);
    assert_int_equal(sessions_stats_get(bed.sessions).by_pg, 2);
    bed_close(&bed);
}

static void test_sessions_survive_a_restart_in_redis(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, false);
    uint64_t epoch = claim(&bed, 7, A, 70, 0, START_MS).epoch;
    restart_sessions(&bed, START_MS);
    assert_null(sessions_lookup(bed.sessions, 7));
    sessions_find(bed.sessions, 7, on_found, &bed);
    assert_true(store_fixture_await(&bed.stores, &bed.found, 1));
    assert_int_equal(bed.found_error, 0);
    assert_int_equal(bed.found_entry.holder.session, 70);
    assert_int_equal(bed.found_entry.epoch, epoch);
    struct session_claimed taken = claim(&bed, 7, B, 71, 0, START_MS - 1000);
    assert_true(taken.took_over);
    assert_int_equal(taken.former.session, 70);
    assert_int_equal(taken.epoch, epoch + 1);
    sessions_find(bed.sessions, 8, on_found, &bed);
    assert_true(store_fixture_await(&bed.stores, &bed.found, 2));
    assert_int_equal(bed.found_error, MARCH_ERR_NOT_FOUND);
    bed_close(&bed);
}

/* Redis is lost with everything in it: epochs rise, PostgreSQL remembers, refreshes fill the new one. */
static void test_sessions_epoch_rises_though_redis_was_lost(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, true);
    uint64_t now = wall_now_s() * 1000, epoch = 0;
    for (unsigned round = 0; round < 4; round++) {
        struct session_claimed claimed = claim(&bed, 7, A + round % 2, 70 + round, 0, now);
        assert_int_equal(claimed.result, SESSION_OK);
        assert_true(claimed.epoch > epoch);
        epoch = claimed.epoch;
        if (round == 1) store_fixture_lose_redis(&bed.stores);
        if (round > 0) assert_int_equal(claimed.former.session, 70 + round - 1);
    }
    restart_sessions(&bed, now);
    struct session_claimed taken = claim(&bed, 7, A, 90, 0, now); /* from PostgreSQL alone */
    assert_int_equal(taken.former.session, 73);
    assert_true(taken.epoch > epoch);
    store_fixture_restore_redis(&bed.stores);
    struct session_holder holder = claim_of(7, A, 90, 0).holder;
    sessions_refresh(bed.sessions, 7, taken.epoch, &holder, now);
    sessions_flush(bed.sessions);
    store_fixture_run(&bed.stores, 100);
    restart_sessions(&bed, now);
    struct session_claimed last = claim(&bed, 7, B, 91, 0, now);
    assert_int_equal(last.former.session, 90);
    assert_true(last.epoch > taken.epoch);
    bed_close(&bed);
}

static void test_sessions_without_stores_need_a_ttl_of_memory(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, false);
    store_fixture_lose_redis(&bed.stores);
    assert_int_equal(claim(&bed, 7, A, 70, 1, START_MS + TTL_MS - 1).result, SESSION_UNAVAILABLE);
    struct session_claimed first = claim(&bed, 7, A, 70, 1, START_MS + TTL_MS);
    assert_int_equal(first.result, SESSION_OK);
    assert_int_equal(claim(&bed, 7, B, 71, 1, START_MS + TTL_MS).result, SESSION_TOKEN_USED);
    struct session_claimed second = claim(&bed, 7, B, 71, 2, START_MS + TTL_MS);
    assert_true(second.took_over && second.epoch > first.epoch);
    assert_int_equal(sessions_stats_get(bed.sessions).by_memory, 2);
    bed_close(&bed);
}

/* Claims of one player from two gateways, all under way at once: decided one after the other, each names the one before. */
static void test_sessions_takeover_race_leaves_one_chain(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, false);
    for (unsigned i = 0; i < 200; i++) {
        struct session_claim c = claim_of(7, A + i % 2, 100 + i, 1000 + i);
        assert_int_equal(sessions_claim(bed.sessions, &c, START_MS, on_claimed, &bed), 0);
    }
    assert_true(store_fixture_await(&bed.stores, &bed.answers, 200));
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(bed.answered[i].claim.holder.session, 100 + i);
        assert_int_equal(bed.answered[i].claimed.result, SESSION_OK);
        if (i == 0) continue;
        assert_true(bed.answered[i].claimed.epoch > bed.answered[i - 1].claimed.epoch);
        assert_int_equal(bed.answered[i].claimed.former.session, 99 + i);
    }
    assert_int_equal(sessions_lookup(bed.sessions, 7)->holder.session, 299);
    assert_int_equal(sessions_stats_get(bed.sessions).claims_under_way, 0);
    bed_close(&bed);
}

/* on_claimed_again claims once more from within the answer, a few times. */
static void on_claimed_again(void *ctx, const struct session_claim *claim, const struct session_claimed *claimed) {
    struct bed *bed = ctx;
    on_claimed(bed, claim, claimed);
    if (bed->answers > 20) return;
    struct session_claim next = claim_of(7, A + bed->answers % 2, 1000 + bed->answers, 0);
    assert_int_equal(sessions_claim(bed->sessions, &next, START_MS, on_claimed_again, bed), 0);
}

static void test_sessions_callbacks_may_claim(void **state) {
    (void)state;
    for (unsigned begun = 1; begun <= 3; begun++) {
        struct bed bed;
        bed_open(&bed, false);
        for (unsigned i = 0; i < begun; i++) {
            struct session_claim c = claim_of(7, A, 100 + i, 0);
            assert_int_equal(sessions_claim(bed.sessions, &c, START_MS, on_claimed_again, &bed), 0);
        }
        unsigned all = 20 + begun;
        assert_true(store_fixture_await(&bed.stores, &bed.answers, all));
        for (unsigned i = 1; i < all; i++) {
            assert_true(bed.answered[i].claimed.epoch > bed.answered[i - 1].claimed.epoch);
            assert_int_equal(bed.answered[i].claimed.former.session, bed.answered[i - 1].claim.holder.session);
        }
        assert_int_equal(redis_stats_get(bed.stores.redis).commands, all + 3); /* each asked once; 3 scripts loaded */
        bed_close(&bed);
    }
}

/* Redis dies with claims under way, again and again: each is answered once, and the epochs of a player rise. */
static void test_sessions_redis_killed_in_mid_claims(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, true);
    uint64_t now = wall_now_s() * 1000, epochs[20] = {0};
    uint64_t session = 1;
    for (unsigned round = 0; round < 6; round++) {
        unsigned before = bed.answers;
        for (uint64_t player = 1; player < 20; player++) {
            struct session_claim c = claim_of(player, A + (uint32_t)(session % 2), session, session);
            session++;
            assert_int_equal(sessions_claim(bed.sessions, &c, now, on_claimed, &bed), 0);
        }
        if (round % 2 == 1) redis_fixture_freeze(&bed.stores.redis_server);
        ev_run(bed.stores.loop, EVRUN_NOWAIT);
        redis_fixture_kill(&bed.stores.redis_server);
        assert_true(store_fixture_await(&bed.stores, &bed.answers, before + 19));
        for (unsigned i = before; i < bed.answers; i++) {
            const struct answer *answer = &bed.answered[i];
            assert_int_equal(answer->claimed.result, SESSION_OK);
            assert_true(answer->claimed.epoch > epochs[answer->claim.player]);
            assert_int_equal(answer->claimed.took_over, round > 0);
            epochs[answer->claim.player] = answer->claimed.epoch;
        }
        redis_fixture_start(&bed.stores.redis_server);
        while (redis_is_available(bed.stores.redis)) store_fixture_run(&bed.stores, 2);
        assert_int_equal(redis_ready_within(bed.stores.redis, 10000), 0);
    }
    assert_int_equal(bed.answers, 6 * 19);
    bed_close(&bed);
}

/* A stopped Redis: the first claims wait for their deadline, then PostgreSQL decides. */
static void test_sessions_frozen_redis_falls_back(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, true);
    uint64_t now = wall_now_s() * 1000;
    redis_fixture_freeze(&bed.stores.redis_server);
    for (uint64_t player = 1; player <= 10; player++) {
        struct session_claimed claimed = claim(&bed, player, A, player, player, now);
        assert_int_equal(claimed.result, SESSION_OK);
    }
    assert_int_equal(sessions_stats_get(bed.sessions).by_pg, 10);
    assert_true(redis_stats_get(bed.stores.redis).unknown <= 5); /* then the breaker was open */
    redis_fixture_thaw(&bed.stores.redis_server);
    assert_int_equal(redis_ready_within(bed.stores.redis, 10000), 0);
    bed_close(&bed);
}

static void test_sessions_not_refreshed_expire(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, false);
    uint64_t epoch = claim(&bed, 7, A, 70, 0, START_MS).epoch;
    struct session_holder holder = claim_of(7, A, 70, 0).holder;
    sessions_refresh(bed.sessions, 7, epoch, &holder, START_MS + TTL_MS - 1);
    sessions_flush(bed.sessions);
    for (int i = 0; i < 4; i++) sessions_update(bed.sessions, START_MS + TTL_MS + 1);
    assert_int_equal(bed.ended, 0);
    for (int i = 0; i < 4; i++) sessions_update(bed.sessions, START_MS + 2 * TTL_MS);
    assert_int_equal(bed.ended, 1);
    assert_int_equal(bed.ended_reason, SESSION_EXPIRED);
    assert_int_equal(bed.ended_entry.epoch, epoch);
    assert_null(sessions_lookup(bed.sessions, 7));
    bed_close(&bed);
}

static void test_sessions_refresh_of_an_older_session_is_told(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, false);
    uint64_t old = claim(&bed, 7, A, 70, 0, START_MS).epoch;
    claim(&bed, 7, B, 71, 0, START_MS);
    struct session_holder holder = claim_of(7, A, 70, 0).holder;
    sessions_refresh(bed.sessions, 7, old, &holder, START_MS);
    assert_int_equal(bed.ended, 1);
    assert_int_equal(bed.ended_reason, SESSION_TAKEN_OVER);
    assert_int_equal(bed.ended_entry.holder.session, 70);
    assert_int_equal(sessions_lookup(bed.sessions, 7)->holder.session, 71);
    bed_close(&bed);
}

/* A persist that started anew learns who is there from the refreshes, and a gateway that did has nobody. */
static void test_sessions_refreshes_teach_and_a_new_gateway_ends(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, false);
    for (uint64_t player = 1; player <= 200; player++) {
        struct session_holder holder = claim_of(player, A + player % 2, player, 0).holder;
        sessions_refresh(bed.sessions, player, START_MS, &holder, START_MS);
    }
    sessions_flush(bed.sessions);
    store_fixture_run(&bed.stores, 100);
    assert_int_equal(redis_fixture_number(&bed.stores.redis_server, "DBSIZE"), 200);
    assert_int_equal(sessions_stats_get(bed.sessions).sessions, 200);
    sessions_gateway_started(bed.sessions, A, 999);
    assert_int_equal(bed.ended, 100);
    sessions_gateway_started(bed.sessions, B, 2000); /* the very one */
    assert_int_equal(bed.ended, 100);
    store_fixture_run(&bed.stores, 100);
    assert_int_equal(redis_fixture_number(&bed.stores.redis_server, "DBSIZE"), 100);
    bed_close(&bed);
}

static void test_sessions_full_table_refuses(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, false);
    for (uint64_t player = 1; player <= 1000; player++) {
        struct session_holder holder = claim_of(player, A, player, 0).holder;
        sessions_refresh(bed.sessions, player, START_MS, &holder, START_MS);
    }
    struct session_claim c = claim_of(5000, A, 1, 0);
    assert_int_equal(sessions_claim(bed.sessions, &c, START_MS, on_claimed, &bed), MARCH_ERR_FULL);
    c.player = 0;
    assert_int_equal(sessions_claim(bed.sessions, &c, START_MS, on_claimed, &bed), MARCH_ERR_INVALID);
    sessions_end(bed.sessions, 1, START_MS);
    sessions_flush(bed.sessions); /* its place was kept until it was told */
    assert_int_equal(claim(&bed, 5000, A, 1, 0, START_MS).result, SESSION_OK);
    bed_close(&bed);
}

/* What stands in Redis may be anything: it costs that claim the Redis, no more. */
static void test_sessions_garbage_in_redis_is_judged(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed, true);
    uint64_t now = wall_now_s() * 1000;
    redis_fixture_do(&bed.stores.redis_server, "SET march:session:1 text");
    redis_fixture_do(&bed.stores.redis_server, "HSET march:session:2 gateway x incarnation y session z epoch 5");
    redis_fixture_do(&bed.stores.redis_server, "HSET march:session:3 gateway 1 incarnation 1 session 1 epoch never");
    redis_fixture_do(&bed.stores.redis_server, "HSET march:session:4 gateway 1");
    for (uint64_t player = 1; player <= 4; player++)
        assert_int_equal(claim(&bed, player, A, player, 0, now).result, SESSION_OK);
    assert_int_equal(sessions_stats_get(bed.sessions).by_redis, 2);
    assert_int_equal(sessions_stats_get(bed.sessions).by_pg, 2);
    bed_close(&bed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions_claim_takeover_and_repeat),
        cmocka_unit_test(test_sessions_token_is_used_once),
        cmocka_unit_test(test_sessions_survive_a_restart_in_redis),
        cmocka_unit_test(test_sessions_epoch_rises_though_redis_was_lost),
        cmocka_unit_test(test_sessions_without_stores_need_a_ttl_of_memory),
        cmocka_unit_test(test_sessions_takeover_race_leaves_one_chain),
        cmocka_unit_test(test_sessions_callbacks_may_claim),
        cmocka_unit_test(test_sessions_redis_killed_in_mid_claims),
        cmocka_unit_test(test_sessions_frozen_redis_falls_back),
        cmocka_unit_test(test_sessions_not_refreshed_expire),
        cmocka_unit_test(test_sessions_refresh_of_an_older_session_is_told),
        cmocka_unit_test(test_sessions_refreshes_teach_and_a_new_gateway_ends),
        cmocka_unit_test(test_sessions_full_table_refuses),
        cmocka_unit_test(test_sessions_garbage_in_redis_is_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
