/* test_tells.c: what waits for gateways, and where players were heard last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/shard.h"
#include "matchmaker/tells.h"

#define GATEWAYS 3

static int setup(void **state) {
    return tells_create((struct tells **)state, GATEWAYS);
}

static int teardown(void **state) {
    tells_destroy(*state);
    return 0;
}

static struct wire_bytes text(const char *bytes) {
    return (struct wire_bytes){(const uint8_t *)bytes, strlen(bytes)};
}

static void test_tells_player_is_where_it_asked_last(void **state) {
    struct tells *t = *state;
    assert_int_equal(tells_where(t, 7), TELLS_NOWHERE);
    assert_int_equal(tells_where(t, 0), TELLS_NOWHERE);
    tells_heard(t, 7, 2);
    assert_int_equal(tells_where(t, 7), 2);
    tells_heard(t, 7, 0);
    assert_int_equal(tells_where(t, 7), 0);
    uint64_t other = 8; /* one who has the same place */
    while (shard_of_player(other, TELLS_PLAYERS_MAX) != shard_of_player(7, TELLS_PLAYERS_MAX)) other++;
    assert_int_equal(tells_where(t, other), TELLS_NOWHERE);
    tells_heard(t, other, 1);
    assert_int_equal(tells_where(t, other), 1);
    assert_int_equal(tells_where(t, 7), TELLS_NOWHERE);
}

static void test_tells_of_each_gateway_wait_in_order(void **state) {
    struct tells *t = *state;
    struct wire_gateway_tells out;
    assert_false(tells_fill(t, 1, &out));
    assert_int_equal(tells_add(t, 1, 7, text("first")), 0);
    assert_int_equal(tells_add(t, 2, 8, text("other")), 0);
    assert_int_equal(tells_add(t, 1, 9, text("second")), 0);
    assert_true(tells_fill(t, 1, &out));
    assert_true(out.tell_count == 2 && out.tells[0].player == 7 && out.tells[1].player == 9);
    assert_int_equal(out.tells[1].len, 6);
    assert_memory_equal(out.blob + out.tells[0].offset, "first", 5);
    assert_memory_equal(out.blob + out.tells[1].offset, "second", 6);
    tells_clear(t, 1);
    assert_false(tells_fill(t, 1, &out));
    assert_true(tells_fill(t, 2, &out));
    assert_int_equal(out.tell_count, 1);
}

static void test_tells_full_batch_refuses(void **state) {
    struct tells *t = *state;
    static uint8_t large[WIRE_CLIENT_BYTES_MAX];
    struct wire_bytes message = {large, sizeof large};
    for (unsigned i = 0; i < TELLS_BLOB_BYTES / sizeof large; i++) assert_int_equal(tells_add(t, 0, 1, message), 0);
    assert_int_equal(tells_add(t, 0, 1, text("x")), MARCH_ERR_FULL);
    assert_int_equal(tells_add(t, 1, 1, text("x")), 0);
    tells_clear(t, 0);
    for (unsigned i = 0; i < TELLS_MAX; i++) assert_int_equal(tells_add(t, 0, 1, text("x")), 0);
    assert_int_equal(tells_add(t, 0, 1, text("x")), MARCH_ERR_FULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tells_player_is_where_it_asked_last, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tells_of_each_gateway_wait_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tells_full_batch_refuses, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
