/* test_invalidate.c: invalidations between two processes, lost connections, bad messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "persist/invalidate.h"
#include "tests/unit/store_fixture.h"

struct side {
    struct invalidate *invalidate;
    unsigned told, all;
    enum invalidate_kind kind;
    uint64_t id;
};

struct bed {
    struct store_fixture stores;
    struct side left, right;
};

static void on_stale(void *ctx, enum invalidate_kind kind, uint64_t id) {
    struct side *side = ctx;
    side->told++;
    side->all += kind == INVALIDATE_ALL;
    side->kind = kind;
    side->id = id;
}

static void open_side(struct bed *bed, struct side *side, uint64_t seed) {
    assert_int_equal(
        invalidate_open(&side->invalidate, bed->stores.loop, bed->stores.redis, bed->stores.redis_server.uri, seed), 0);
    invalidate_subscribe(side->invalidate, on_stale, side);
    while (!invalidate_stats_get(side->invalidate).listening) store_fixture_run(&bed->stores, 2);
}

static void bed_open(struct bed *bed) {
    *bed = (struct bed){0};
    store_fixture_open(&bed->stores, false);
    open_side(bed, &bed->left, 1);
    open_side(bed, &bed->right, 2);
}

static void bed_close(struct bed *bed) {
    store_fixture_disconnect(&bed->stores);
    invalidate_close(bed->left.invalidate);
    invalidate_close(bed->right.invalidate);
    store_fixture_close(&bed->stores);
}

static void test_invalidate_reaches_both_sides_once(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed);
    for (uint64_t id = 1; id <= 100; id++) invalidate_publish(bed.left.invalidate, INVALIDATE_GUILD, id);
    assert_int_equal(bed.left.told, 100);
    assert_true(store_fixture_await(&bed.stores, &bed.right.told, 100));
    assert_int_equal(bed.right.kind, INVALIDATE_GUILD);
    assert_int_equal(bed.right.id, 100);
    store_fixture_run(&bed.stores, 50);
    assert_int_equal(bed.left.told, 100); /* its own messages came back and were skipped */
    redis_fixture_number(&bed.stores.redis_server, "PING");
    assert_int_equal(bed.left.all + bed.right.all, 0);
    bed_close(&bed);
}

static void test_invalidate_lost_subscription_makes_all_stale(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed);
    store_fixture_lose_redis(&bed.stores);
    invalidate_publish(bed.left.invalidate, INVALIDATE_PLAYER, 7);
    assert_int_equal(bed.left.told, 1);
    store_fixture_restore_redis(&bed.stores);
    assert_true(store_fixture_await(&bed.stores, &bed.right.all, 1));
    assert_true(store_fixture_await(&bed.stores, &bed.left.all, 1));
    assert_int_equal(invalidate_stats_get(bed.left.invalidate).not_published, 1);
    bed_close(&bed);
}

/* The connection of commands is lost alone: who could not publish says "all" when it can again. */
static void test_invalidate_unpublished_is_made_up_for(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed);
    redis_fixture_do(&bed.stores.redis_server, "CLIENT KILL TYPE normal");
    while (redis_is_available(bed.stores.redis)) store_fixture_run(&bed.stores, 1);
    invalidate_publish(bed.left.invalidate, INVALIDATE_PLAYER, 7);
    assert_int_equal(bed.right.told, 0);
    assert_true(store_fixture_await(&bed.stores, &bed.right.all, 1));
    assert_int_equal(bed.left.all, 0);
    assert_true(invalidate_stats_get(bed.right.invalidate).listening);
    bed_close(&bed);
}

static void publish_text(struct bed *bed, const char *text) {
    struct redis_request request;
    redis_request_init(&request);
    redis_request_text(&request, "PUBLISH");
    redis_request_text(&request, INVALIDATE_CHANNEL);
    redis_request_text(&request, text);
    assert_int_equal(redis_send(bed->stores.redis, &request, 1000, NULL, NULL), 0);
    redis_request_deinit(&request);
}

static void test_invalidate_bad_messages_are_dropped(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "guild",
        "guild 7",
        "guild x me",
        "what 7 me",
        "guild 7 me too",
        "guild 7 an-origin-of-more-than-23-bytes",
        "guild 7 a-message-that-is-longer-than-any-can-be-and-so-is-not-even-looked-at-by-the-parser",
    };
    struct bed bed;
    bed_open(&bed);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) publish_text(&bed, bad[i]);
    publish_text(&bed, "guild 18446744073709551615 operator");
    assert_true(store_fixture_await(&bed.stores, &bed.right.told, 1));
    assert_int_equal(bed.right.id, UINT64_MAX);
    assert_int_equal(bed.right.told, 1);
    assert_int_equal(invalidate_stats_get(bed.right.invalidate).malformed, sizeof bad / sizeof *bad);
    bed_close(&bed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_invalidate_reaches_both_sides_once),
        cmocka_unit_test(test_invalidate_lost_subscription_makes_all_stale),
        cmocka_unit_test(test_invalidate_unpublished_is_made_up_for),
        cmocka_unit_test(test_invalidate_bad_messages_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
