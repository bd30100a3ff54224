/* test_transfer_bytes.c: transfers as bytes, and bytes that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "persist/transfer_bytes.h"

static struct ledger_transfer example(void) {
    struct ledger_transfer t = {.id = 1ull << 48 | 5, .player = 7, .other = 8, .object = 9, .created_ms = 10, .gold = 11};
    t.dest_shard = 2;
    t.purpose = LEDGER_PURPOSE_TRADE_ACCEPT;
    t.item_count = LEDGER_TRADE_ITEMS_MAX;
    for (uint32_t i = 0; i < t.item_count; i++) t.items[i] = (struct ledger_transfer_item){100 + i, 200 + i, i + 1, i + 2};
    return t;
}

static void test_transfer_bytes_round_trip(void **state) {
    (void)state;
    uint8_t bytes[TRANSFER_BYTES_MAX];
    struct ledger_transfer in = example(), out;
    for (in.item_count = 0; in.item_count <= LEDGER_TRADE_ITEMS_MAX; in.item_count++) {
        size_t len = transfer_write(&in, bytes);
        assert_int_equal(transfer_read(bytes, len, &out), 0);
        assert_int_equal(out.id, in.id);
        assert_int_equal(out.player, in.player);
        assert_int_equal(out.other, in.other);
        assert_int_equal(out.object, in.object);
        assert_int_equal(out.created_ms, in.created_ms);
        assert_int_equal(out.gold, in.gold);
        assert_int_equal(out.dest_shard, in.dest_shard);
        assert_int_equal(out.purpose, in.purpose);
        assert_int_equal(out.item_count, in.item_count);
        assert_memory_equal(out.items, in.items, in.item_count * sizeof *in.items);
    }
}

static void test_transfer_bytes_of_other_lengths_are_refused(void **state) {
    (void)state;
    uint8_t bytes[TRANSFER_BYTES_MAX + 1] = {0};
    struct ledger_transfer in = example(), out;
    size_t len = transfer_write(&in, bytes);
    for (size_t cut = 0; cut < len; cut++) assert_int_equal(transfer_read(bytes, cut, &out), MARCH_ERR_INVALID);
    assert_int_equal(transfer_read(bytes, len + 1, &out), MARCH_ERR_INVALID);
}

static void test_transfer_bytes_out_of_range_are_refused(void **state) {
    (void)state;
    static const struct {
        size_t offset;
        uint8_t value;
    } CASES[] = {
        {47, 0x80},                       /* gold below zero */
        {47, 0x7f},                       /* more gold than there may be */
        {52, 0},                          /* purposes */
        {52, LEDGER_PURPOSE_COUNT},       /* */
        {55, 1},                          /* */
        {56, LEDGER_TRADE_ITEMS_MAX + 1}, /* items */
        {59, 0xff},                       /* */
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        uint8_t bytes[TRANSFER_BYTES_MAX];
        struct ledger_transfer in = example(), out;
        size_t len = transfer_write(&in, bytes);
        bytes[CASES[i].offset] = CASES[i].value;
        assert_int_equal(transfer_read(bytes, len, &out), MARCH_ERR_INVALID);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transfer_bytes_round_trip),
        cmocka_unit_test(test_transfer_bytes_of_other_lengths_are_refused),
        cmocka_unit_test(test_transfer_bytes_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
