/* test_hot.c: hot state in Redis: the value's format, batches, what is not ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "persist/hot.h"
#include "tests/unit/store_fixture.h"

struct bed {
    struct store_fixture stores;
    struct hot *hot;
    unsigned answers, count;
    int error;
    struct wire_player_state states[HOT_READ_MAX];
};

static void bed_open(struct bed *bed) {
    memset(bed, 0, sizeof *bed);
    store_fixture_open(&bed->stores, false);
    assert_int_equal(hot_open(&bed->hot, bed->stores.redis, 60), 0);
}

static void bed_close(struct bed *bed) {
    store_fixture_disconnect(&bed->stores);
    hot_close(bed->hot);
    store_fixture_close(&bed->stores);
}

static void on_read(void *ctx, int error, const struct wire_player_state *states, uint32_t count) {
    struct bed *bed = ctx;
    bed->answers++;
    bed->error = error;
    bed->count = count;
    if (count > 0) memcpy(bed->states, states, count * sizeof *states);
}

static struct wire_player_state state_of(uint64_t player) {
    return (struct wire_player_state){.player = player,
                                      .session_epoch = 1700000000000 + player,
                                      .tick = 1ULL << 40,
                                      .experience = player * 3,
                                      .x = -65536,
                                      .y = 12345678,
                                      .yaw = 65535,
                                      .level = 7,
                                      .hit_points = 100,
                                      .flags = WIRE_STATE_LEFT};
}

/* read_states asks and waits. */
static void read_states(struct bed *bed, const uint64_t *players, uint32_t count) {
    unsigned before = bed->answers;
    assert_int_equal(hot_read(bed->hot, players, count, on_read, bed), 0);
    assert_true(store_fixture_await(&bed->stores, &bed->answers, before + 1));
}

static void test_hot_value_is_as_documented(void **state) {
    (void)state;
    static const uint8_t expected[HOT_STATE_BYTES] = {
        1,    1,    0xff, 0xff, 7,    0,    100,  0,                          /* version, flags, yaw, level, hit points */
        0,    0,    0xff, 0xff, 0x4e, 0x61, 0xbc, 0,                          /* x, y */
        9,    0,    0,    0,    0,    0,    0,    0,                          /* player */
        0x09, 0x68, 0xe5, 0xcf, 0x8b, 1,    0,    0,                          /* session epoch */
        0,    0,    0,    0,    0,    1,    0,    0, 27, 0, 0, 0, 0, 0, 0, 0, /* tick, experience */
    };
    uint8_t bytes[HOT_STATE_BYTES];
    struct wire_player_state in = state_of(9), out;
    hot_encode(&in, bytes);
    assert_memory_equal(bytes, expected, sizeof bytes);
    assert_int_equal(hot_decode(bytes, sizeof bytes, &out), 0);
    assert_memory_equal(&in, &out, sizeof in);
    assert_int_equal(hot_decode(bytes, sizeof bytes - 1, &out), MARCH_ERR_INVALID);
    bytes[0] = 2;
    assert_int_equal(hot_decode(bytes, sizeof bytes, &out), MARCH_ERR_INVALID);
}

static void test_hot_batch_is_read_back_and_expires(void **state) {
    (void)state;
    struct bed bed;
    struct wire_player_state states[500];
    uint64_t players[600];
    bed_open(&bed);
    for (uint32_t i = 0; i < 500; i++) states[i] = state_of(2 * (uint64_t)i + 2);
    for (uint32_t i = 0; i < 600; i++) players[i] = i + 1;
    assert_int_equal(hot_write(bed.hot, states, 500), 500);
    read_states(&bed, players, 600);
    assert_int_equal(bed.error, 0);
    assert_int_equal(bed.count, 300);
    for (uint32_t i = 0; i < 300; i++) assert_memory_equal(&bed.states[i], &states[i], sizeof states[i]);
    assert_in_range(redis_fixture_number(&bed.stores.redis_server, "TTL march:hot:2"), 50, 60);
    redis_fixture_do(&bed.stores.redis_server, "DEL march:hot:2");
    read_states(&bed, players, 2);
    assert_int_equal(bed.count, 0);
    bed_close(&bed);
}

static void test_hot_foreign_values_are_not_there(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed);
    struct wire_player_state good = state_of(4), other = state_of(3);
    redis_fixture_do(&bed.stores.redis_server, "SET march:hot:1 short");
    redis_fixture_do(&bed.stores.redis_server, "SADD march:hot:2 member");
    assert_int_equal(hot_write(bed.hot, &other, 1), 1);
    assert_int_equal(hot_write(bed.hot, &good, 1), 1);
    store_fixture_run(&bed.stores, 50);
    redis_fixture_do(&bed.stores.redis_server, "RENAME march:hot:3 march:hot:5");
    read_states(&bed, (const uint64_t[]){1, 2, 4, 5}, 4);
    assert_int_equal(bed.error, 0);
    assert_int_equal(bed.count, 1);
    assert_int_equal(bed.states[0].player, 4);
    assert_int_equal(hot_stats_get(bed.hot).malformed, 2);
    bed_close(&bed);
}

static void test_hot_without_redis_says_so(void **state) {
    (void)state;
    struct bed bed;
    bed_open(&bed);
    struct wire_player_state one = state_of(1);
    redis_fixture_freeze(&bed.stores.redis_server);
    assert_int_equal(hot_read(bed.hot, &one.player, 1, on_read, &bed), 0);
    redis_fixture_kill(&bed.stores.redis_server);
    assert_true(store_fixture_await(&bed.stores, &bed.answers, 1));
    assert_int_equal(bed.error, MARCH_ERR_EXPIRED);
    assert_int_equal(hot_write(bed.hot, &one, 1), 0);
    assert_int_equal(hot_read(bed.hot, &one.player, 1, on_read, &bed), MARCH_ERR_UNAVAILABLE);
    bed_close(&bed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hot_value_is_as_documented),
        cmocka_unit_test(test_hot_batch_is_read_back_and_expires),
        cmocka_unit_test(test_hot_foreign_values_are_not_there),
        cmocka_unit_test(test_hot_without_redis_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
