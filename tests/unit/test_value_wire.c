/* Commands and rows between clients' messages and the ledger. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/item_kinds.h"
#include "persist/value_wire.h"

static void test_value_wire_command_keeps_every_field(void **state) {
    (void)state;
    struct wire_command wire = {.key = 9,
                                .verb = WIRE_COMMAND_TRADE_OFFER,
                                .player = 2,
                                .item = 3,
                                .other_item = 4,
                                .version = 5,
                                .other_version = 6,
                                .object = 7,
                                .count = 8,
                                .slot = 10,
                                .rank = 1,
                                .gold = 11,
                                .price = 12,
                                .duration_s = 13,
                                .give_count = 1,
                                .want_count = 2,
                                .give = {{14, 15, 16}},
                                .want = {{17, 18, 19}, {20, 21, 22}},
                                .text = "text"};
    struct ledger_command command;
    assert_int_equal(value_command_of_wire(&wire, 1, &command), 0);
    struct ledger_command expected = {.verb = LEDGER_TRADE_OFFER,
                                      .domain = LEDGER_DOMAIN_CLIENT,
                                      .player = 1,
                                      .key = 9,
                                      .other = 2,
                                      .item = 3,
                                      .other_item = 4,
                                      .object = 7,
                                      .version = 5,
                                      .other_version = 6,
                                      .count = 8,
                                      .duration_ms = 13000,
                                      .slot = 10,
                                      .rank = 1,
                                      .gold = 11,
                                      .price = 12,
                                      .give_count = 1,
                                      .want_count = 2,
                                      .give = {{14, 15, 16}},
                                      .want = {{17, 18, 19}, {20, 21, 22}},
                                      .text = "text"};
    assert_memory_equal(&command, &expected, sizeof(command));
}

static void test_value_wire_command_out_of_bounds_is_refused(void **state) {
    (void)state;
    struct ledger_command command;
    struct wire_command wire = {.key = 1, .verb = WIRE_COMMAND_BOARD};
    assert_int_equal(value_command_of_wire(&wire, 1, &command), MARCH_ERR_UNSUPPORTED);
    wire.verb = WIRE_COMMAND_MOVE;
    assert_int_equal(value_command_of_wire(&wire, 1, &command), 0);
    wire.gold = UINT64_MAX;
    assert_int_equal(value_command_of_wire(&wire, 1, &command), MARCH_ERR_INVALID);
    wire.gold = 0;
    wire.duration_s = UINT32_MAX;
    assert_int_equal(value_command_of_wire(&wire, 1, &command), MARCH_ERR_INVALID);
    wire.duration_s = 0;
    wire.key = 0;
    assert_int_equal(value_command_of_wire(&wire, 1, &command), MARCH_ERR_INVALID);
    wire.key = 1;
    wire.verb = (enum wire_command_verb)LEDGER_GRANT;
    assert_int_equal(value_command_of_wire(&wire, 1, &command), MARCH_ERR_INVALID);
}

static void test_value_wire_diff_in_parts_is_whole(void **state) {
    (void)state;
    static const uint32_t cases[][3] = {{0, 0, 0},   {1, 0, 0},     {32, 0, 0},   {32, 1, 16},  {33, 31, 17},
                                        {0, 128, 0}, {128, 0, 128}, {5, 60, 100}, {100, 100, 3}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static struct ledger_difference difference;
        difference.added_count = cases[i][0];
        difference.updated_count = cases[i][1];
        difference.removed_count = cases[i][2];
        for (uint32_t j = 0; j < LEDGER_ACCOUNT_ITEMS_MAX; j++) {
            difference.added[j].id = 1000 + j;
            difference.updated[j].id = 2000 + j;
            difference.removed[j] = 3000 + j;
        }
        struct ledger_holding after = {.gold = 5, .version = 6};
        uint32_t added = 0, updated = 0, removed = 0;
        struct wire_inventory_diff wire = {.more = true};
        for (uint32_t part = 0; wire.more; part++) {
            value_diff_to_wire(&difference, &after, 0, true, part, &wire);
            assert_int_equal(wire.reset, part == 0);
            assert_int_equal(wire.gold, 5);
            assert_true(wire.added_count + wire.updated_count <= WIRE_DIFF_ITEMS_MAX);
            for (uint32_t j = 0; j < wire.added_count; j++) assert_int_equal(wire.added[j].id, 1000 + added++);
            for (uint32_t j = 0; j < wire.updated_count; j++) assert_int_equal(wire.updated[j].id, 2000 + updated++);
            for (uint32_t j = 0; j < wire.removed_count; j++) assert_int_equal(wire.removed[j], 3000 + removed++);
        }
        assert_int_equal(added, cases[i][0]);
        assert_int_equal(updated, cases[i][1]);
        assert_int_equal(removed, cases[i][2]);
    }
}

static void test_value_wire_guild_in_pages_tells_all_members(void **state) {
    (void)state;
    static struct ledger_guild guild = {.name = "Bakers", .leader = 100, .version = 3, .member_count = 70};
    for (uint32_t i = 0; i < guild.member_count; i++) guild.members[i].player = 100 + i;
    guild.members[0].rank = LEDGER_RANK_LEADER;
    struct wire_guild_state wire;
    value_guild_to_wire(9, &guild, 100, 0, &wire);
    assert_int_equal(wire.rank, WIRE_GUILD_LEADER);
    assert_int_equal(wire.member_count, WIRE_GUILD_MEMBERS_MAX);
    value_guild_to_wire(9, &guild, 101, 64, &wire);
    assert_int_equal(wire.member_count, 6);
    assert_int_equal(wire.members[5].player, 169);
    value_guild_to_wire(9, &guild, 101, 1000, &wire);
    assert_int_equal(wire.member_count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value_wire_command_keeps_every_field),
        cmocka_unit_test(test_value_wire_command_out_of_bounds_is_refused),
        cmocka_unit_test(test_value_wire_diff_in_parts_is_whole),
        cmocka_unit_test(test_value_wire_guild_in_pages_tells_all_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
