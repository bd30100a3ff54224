/* test_wire_value.c: messages of things of value, each at its limits, survive packing and reading; what passes a limit is
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schemas/wire.h"

static int builder_setup(void **state) {
    *state = wire_builder_create(WIRE_CLIENT_BYTES_MAX);
    return 0;
}

static int builder_teardown(void **state) {
    wire_builder_destroy(*state);
    return 0;
}

/* fill gives every byte of a message a value, so that a field which does not travel is seen. */
static void fill(void *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) ((uint8_t *)bytes)[i] = (uint8_t)(i * 7 + 1);
}

static void fill_text(char *text, size_t size) {
    memset(text, 'n', size - 1);
    text[size - 1] = 0;
}

/* Fields that the caller compares: padding between them need not travel. */
static struct wire_server_message server_trip(struct wire_builder *builder, const struct wire_server_message *in) {
    struct wire_bytes bytes;
    assert_int_equal(wire_server_message_pack(builder, in, &bytes), 0);
    assert_true(bytes.len <= WIRE_CLIENT_BYTES_MAX);
    struct wire_server_message out;
    memset(&out, 0, sizeof out);
    uint8_t *copy = malloc(bytes.len);
    memcpy(copy, bytes.data, bytes.len);
    assert_int_equal(wire_server_message_read(copy, bytes.len, &out), 0);
    for (size_t len = 0; len + 8 < bytes.len; len += 4) {
        struct wire_server_message ignored;
        assert_int_equal(wire_server_message_read(copy, len, &ignored), MARCH_ERR_INVALID);
    }
    free(copy);
    assert_int_equal(out.kind, in->kind);
    return out;
}

static void test_wire_value_result_round_trips(void **state) {
    for (int status = 0; status < WIRE_STATUS_COUNT; status++) {
        struct wire_server_message in = {.kind = WIRE_SERVER_COMMAND_RESULT};
        in.result = (struct wire_command_result){UINT64_MAX - 1, (enum wire_command_status)status, 1ULL << 48 | 9};
        struct wire_server_message out = server_trip(*state, &in);
        assert_true(out.result.key == in.result.key && out.result.object == in.result.object);
        assert_int_equal(out.result.status, status);
    }
}

static void test_wire_value_fullest_difference_fits_and_round_trips(void **state) {
    struct wire_server_message in = {.kind = WIRE_SERVER_INVENTORY_DIFF};
    struct wire_inventory_diff *d = &in.inventory;
    d->reset = true, d->more = true, d->guild = UINT64_MAX, d->version = UINT64_MAX - 2, d->gold = UINT64_MAX - 3;
    d->added_count = WIRE_DIFF_ITEMS_MAX - 1, d->updated_count = 1, d->removed_count = WIRE_DIFF_REMOVED_MAX;
    fill(d->added, sizeof d->added);
    fill(d->updated, sizeof d->updated);
    fill(d->removed, sizeof d->removed);
    struct wire_server_message out = server_trip(*state, &in);
    assert_true(out.inventory.reset && out.inventory.more && out.inventory.guild == d->guild);
    assert_true(out.inventory.version == d->version && out.inventory.gold == d->gold);
    assert_int_equal(out.inventory.added_count, d->added_count);
    assert_memory_equal(out.inventory.added, d->added, d->added_count * sizeof *d->added);
    assert_int_equal(out.inventory.updated_count, 1);
    assert_memory_equal(out.inventory.updated, d->updated, sizeof *d->updated);
    assert_int_equal(out.inventory.removed_count, WIRE_DIFF_REMOVED_MAX);
    assert_memory_equal(out.inventory.removed, d->removed, sizeof d->removed);
}

static void test_wire_value_trades_round_trip(void **state) {
    struct wire_server_message in = {.kind = WIRE_SERVER_TRADE_OFFERED};
    struct wire_trade_offered *t = &in.trade_offered;
    *t = (struct wire_trade_offered){.trade = 1, .offerer = 2, .accepter = 3, .give_gold = 4, .want_gold = 5};
    t->expires_in_s = 60, t->give_count = WIRE_TRADE_ITEMS_MAX, t->want_count = WIRE_TRADE_ITEMS_MAX;
    fill(t->give, sizeof t->give);
    fill(t->want, sizeof t->want);
    t->want[0].id = 77;
    struct wire_trade_offered out = server_trip(*state, &in).trade_offered;
    assert_memory_equal(&out, t, sizeof out);

    in = (struct wire_server_message){.kind = WIRE_SERVER_TRADE_CLOSED};
    in.trade_closed = (struct wire_trade_closed){8, WIRE_TRADE_FAILED};
    struct wire_trade_closed closed = server_trip(*state, &in).trade_closed;
    assert_int_equal(closed.trade, 8);
    assert_int_equal(closed.outcome, WIRE_TRADE_FAILED);
}

static void test_wire_value_guilds_round_trip(void **state) {
    struct wire_server_message in = {.kind = WIRE_SERVER_GUILD_INVITED, .guild_invited = {.guild = 5, .by = 6}};
    fill_text(in.guild_invited.name, sizeof in.guild_invited.name);
    struct wire_server_message out = server_trip(*state, &in);
    assert_true(out.guild_invited.guild == 5 && out.guild_invited.by == 6);
    assert_string_equal(out.guild_invited.name, in.guild_invited.name);

    in = (struct wire_server_message){.kind = WIRE_SERVER_GUILD_STATE};
    struct wire_guild_state *g = &in.guild;
    g->guild = 1, g->version = 2, g->rank = WIRE_GUILD_LEADER, g->members_total = 3, g->member_first = 4;
    g->member_count = WIRE_GUILD_MEMBERS_MAX;
    fill_text(g->name, sizeof g->name);
    fill(g->members, sizeof g->members);
    out = server_trip(*state, &in);
    assert_true(out.guild.guild == 1 && out.guild.version == 2 && out.guild.rank == WIRE_GUILD_LEADER);
    assert_true(out.guild.members_total == 3 && out.guild.member_first == 4);
    assert_string_equal(out.guild.name, g->name);
    assert_int_equal(out.guild.member_count, WIRE_GUILD_MEMBERS_MAX);
    assert_memory_equal(out.guild.members, g->members, sizeof g->members);
    in = (struct wire_server_message){.kind = WIRE_SERVER_GUILD_STATE};
    assert_string_equal(server_trip(*state, &in).guild.name, "");
}

static void test_wire_value_auctions_round_trip(void **state) {
    struct wire_server_message in = {.kind = WIRE_SERVER_AUCTION_STATE};
    struct wire_auction_state *a = &in.auction;
    *a = (struct wire_auction_state){.auction = 1, .seller = 2, .phase = WIRE_AUCTION_SOLD, .min_bid = 3, .buyout = 4};
    a->bid = 5, a->bidder = 6, a->ends_in_s = 7;
    a->item = (struct wire_item){.id = 9, .kind = 10, .count = 11, .version = 12, .slot = 13};
    struct wire_auction_state out = server_trip(*state, &in).auction;
    assert_int_equal(out.phase, WIRE_AUCTION_SOLD);
    assert_memory_equal(&out.item, &a->item, sizeof out.item);
    assert_true(out.auction == 1 && out.seller == 2 && out.min_bid == 3 && out.buyout == 4);
    assert_true(out.bid == 5 && out.bidder == 6 && out.ends_in_s == 7);
}

static void test_wire_value_boards_and_profiles_round_trip(void **state) {
    struct wire_server_message in = {.kind = WIRE_SERVER_BOARD_ROWS, .board = {.season = 2, .total = 1000000}};
    fill_text(in.board.board, sizeof in.board.board);
    fill_text(in.board.region, sizeof in.board.region);
    in.board.row_count = WIRE_BOARD_ROWS_MAX;
    fill(in.board.rows, sizeof in.board.rows);
    struct wire_board_rows board = server_trip(*state, &in).board;
    assert_memory_equal(&board, &in.board, sizeof board);

    in = (struct wire_server_message){.kind = WIRE_SERVER_PROFILE};
    struct wire_profile *p = &in.profile;
    *p = (struct wire_profile){.player = 1, .guild = 2, .experience = 3, .level = 4, .online = true};
    fill_text(p->name, sizeof p->name);
    fill_text(p->region, sizeof p->region);
    fill_text(p->guild_name, sizeof p->guild_name);
    struct wire_profile out = server_trip(*state, &in).profile;
    assert_memory_equal(&out, p, offsetof(struct wire_profile, online));
    assert_true(out.online);
    in = (struct wire_server_message){.kind = WIRE_SERVER_PROFILE, .profile = {.player = 1}};
    assert_string_equal(server_trip(*state, &in).profile.name, "");
}

static void test_wire_value_progress_and_end_round_trip(void **state) {
    struct wire_server_message in = {.kind = WIRE_SERVER_PROGRESS, .progress = {.experience = 1ULL << 40, .level = 60}};
    struct wire_progress out = server_trip(*state, &in).progress;
    assert_true(out.experience == 1ULL << 40 && out.level == 60);
    for (int reason = WIRE_END_TAKEN_OVER; reason < WIRE_END_REASON_COUNT; reason++) {
        in = (struct wire_server_message){.kind = WIRE_SERVER_ENDED, .ended = (enum wire_end_reason)reason};
        assert_int_equal(server_trip(*state, &in).ended, reason);
    }
}

static struct wire_command full_command(void) {
    struct wire_command c = {.key = UINT64_MAX, .verb = WIRE_COMMAND_TRADE_OFFER, .player = 1, .item = 2, .other_item = 3};
    c.version = 4, c.other_version = 5, c.object = 6, c.count = 7, c.slot = 8, c.rank = 9, c.gold = 10, c.price = 11;
    c.duration_s = 12, c.give_count = WIRE_TRADE_ITEMS_MAX, c.want_count = WIRE_TRADE_ITEMS_MAX;
    fill(c.give, sizeof c.give);
    fill(c.want, sizeof c.want);
    fill_text(c.text, sizeof c.text);
    return c;
}

static void test_wire_value_fullest_command_fits_and_round_trips(void **state) {
    struct wire_client_message in = {.kind = WIRE_CLIENT_COMMAND}, out;
    in.command = full_command();
    memset(&out, 0, sizeof out);
    struct wire_bytes bytes;
    assert_int_equal(wire_client_message_pack(*state, &in, &bytes), 0);
    assert_true(bytes.len <= WIRE_CLIENT_BYTES_MAX);
    assert_int_equal(wire_client_message_read(bytes.data, bytes.len, &out), 0);
    const struct wire_command *a = &in.command, *b = &out.command;
    assert_true(a->key == b->key && a->verb == b->verb && a->player == b->player && a->item == b->item);
    assert_true(a->other_item == b->other_item && a->version == b->version && a->other_version == b->other_version);
    assert_true(a->object == b->object && a->count == b->count && a->slot == b->slot && a->rank == b->rank);
    assert_true(a->gold == b->gold && a->price == b->price && a->duration_s == b->duration_s);
    assert_int_equal(b->give_count, WIRE_TRADE_ITEMS_MAX);
    assert_int_equal(b->want_count, WIRE_TRADE_ITEMS_MAX);
    assert_memory_equal(a->give, b->give, sizeof a->give);
    assert_memory_equal(a->want, b->want, sizeof a->want);
    assert_string_equal(a->text, b->text);
}

/* set_u32 overwrites the only place where the message has `from`. */
static void set_u32(uint8_t *bytes, size_t len, uint32_t from, uint32_t to) {
    uint8_t *at = memmem(bytes, len, &from, sizeof from);
    assert_non_null(at);
    assert_null(memmem(at + 1, (size_t)(bytes + len - at) - 1, &from, sizeof from));
    memcpy(at, &to, sizeof to);
}

static void test_wire_value_vector_past_its_limit_is_refused(void **state) {
    struct wire_server_message in = {.kind = WIRE_SERVER_INVENTORY_DIFF}, out;
    in.inventory.added_count = 29;
    in.inventory.removed_count = 13;
    struct wire_bytes bytes;
    uint8_t copy[WIRE_CLIENT_BYTES_MAX];
    static const struct {
        uint32_t from, to;
        int error;
    } cases[] = {{29, 30, 0}, {29, 31, MARCH_ERR_INVALID}, {13, 16, 0}, {13, 17, MARCH_ERR_INVALID}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(wire_server_message_pack(*state, &in, &bytes), 0);
        memset(copy, 0, sizeof copy); /* so that the longer vectors end within the message */
        memcpy(copy, bytes.data, bytes.len);
        set_u32(copy, bytes.len, cases[i].from, cases[i].to);
        assert_int_equal(wire_server_message_read(copy, sizeof copy, &out), cases[i].error);
    }
    struct wire_client_message command = {.kind = WIRE_CLIENT_COMMAND}, read;
    command.command = (struct wire_command){.key = 1, .verb = WIRE_COMMAND_TRADE_OFFER, .want_count = 7};
    for (uint32_t count = 7; count <= 9; count++) {
        assert_int_equal(wire_client_message_pack(*state, &command, &bytes), 0);
        memset(copy, 0, sizeof copy);
        memcpy(copy, bytes.data, bytes.len);
        uint8_t *at = copy + bytes.len - 7 * sizeof(struct wire_item_ref) - 4;
        uint32_t written;
        memcpy(&written, at, 4);
        assert_int_equal(written, 7);
        memcpy(at, &count, 4);
        assert_int_equal(wire_client_message_read(copy, sizeof copy, &read), count <= 8 ? 0 : MARCH_ERR_INVALID);
    }
}

static void test_wire_value_number_out_of_its_range_is_refused(void **state) {
    static const struct {
        enum wire_server_kind kind;
        uint8_t highest;
    } cases[] = {{WIRE_SERVER_COMMAND_RESULT, WIRE_STATUS_COUNT - 1},
                 {WIRE_SERVER_TRADE_CLOSED, WIRE_TRADE_OUTCOME_COUNT - 1},
                 {WIRE_SERVER_ENDED, WIRE_END_REASON_COUNT - 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wire_server_message in = {.kind = cases[i].kind}, out;
        if (in.kind == WIRE_SERVER_COMMAND_RESULT) in.result.status = cases[i].highest;
        if (in.kind == WIRE_SERVER_TRADE_CLOSED) in.trade_closed.outcome = cases[i].highest;
        if (in.kind == WIRE_SERVER_ENDED) in.ended = cases[i].highest;
        struct wire_bytes bytes;
        assert_int_equal(wire_server_message_pack(*state, &in, &bytes), 0);
        uint8_t copy[WIRE_CLIENT_BYTES_MAX];
        memcpy(copy, bytes.data, bytes.len);
        unsigned refused = 0;
        for (size_t at = 36; at < bytes.len; at++) {
            if (copy[at] != cases[i].highest) continue;
            copy[at]++;
            refused += wire_server_message_read(copy, bytes.len, &out) == MARCH_ERR_INVALID;
            copy[at]--;
        }
        assert_true(refused >= 1);
    }
}

static void test_wire_value_command_without_key_or_verb_is_refused(void **state) {
    struct wire_client_message in = {.kind = WIRE_CLIENT_COMMAND}, out;
    in.command = (struct wire_command){.key = 0x1122334455667788, .verb = 0x5b};
    struct wire_bytes bytes;
    assert_int_equal(wire_client_message_pack(*state, &in, &bytes), 0);
    uint8_t copy[WIRE_CLIENT_BYTES_MAX];
    memcpy(copy, bytes.data, bytes.len);
    assert_int_equal(wire_client_message_read(copy, bytes.len, &out), 0); /* a verb of the future is its reader's affair */
    assert_int_equal(out.command.verb, 0x5b);
    uint8_t *verb = memchr(copy, 0x5b, bytes.len);
    *verb = 0;
    assert_int_equal(wire_client_message_read(copy, bytes.len, &out), MARCH_ERR_INVALID);
    *verb = 1;
    uint8_t *key = memmem(copy, bytes.len, &in.command.key, 8);
    memset(key, 0, 8);
    assert_int_equal(wire_client_message_read(copy, bytes.len, &out), MARCH_ERR_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_value_result_round_trips),
        cmocka_unit_test(test_wire_value_fullest_difference_fits_and_round_trips),
        cmocka_unit_test(test_wire_value_trades_round_trip),
        cmocka_unit_test(test_wire_value_guilds_round_trip),
        cmocka_unit_test(test_wire_value_auctions_round_trip),
        cmocka_unit_test(test_wire_value_boards_and_profiles_round_trip),
        cmocka_unit_test(test_wire_value_progress_and_end_round_trip),
        cmocka_unit_test(test_wire_value_fullest_command_fits_and_round_trips),
        cmocka_unit_test(test_wire_value_vector_past_its_limit_is_refused),
        cmocka_unit_test(test_wire_value_number_out_of_its_range_is_refused),
        cmocka_unit_test(test_wire_value_command_without_key_or_verb_is_refused),
    };
    return cmocka_run_group_tests(tests, builder_setup, builder_teardown);
}
