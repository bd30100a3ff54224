/* test_client_value.c: the client library reads what the server packs, the server reads what the library writes, and the
 * inventory follows the differences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "schemas/wire.h"
#include "tools/client/client_match.h"
#include "tools/client/client_value.h"

_Static_assert((int)MARCH_VERB_COUNT == (int)WIRE_COMMAND_VERB_COUNT, "one numbering");
_Static_assert((int)MARCH_STATUS_COUNT == (int)WIRE_STATUS_COUNT, "one numbering");
_Static_assert((int)MARCH_EVENT_ENDED == (int)WIRE_SERVER_ENDED, "one numbering");
_Static_assert(MARCH_CHANGE_MAX == WIRE_DIFF_ITEMS_MAX && MARCH_REMOVED_MAX == WIRE_DIFF_REMOVED_MAX, "one limit");
_Static_assert(MARCH_ROWS_MAX == WIRE_BOARD_ROWS_MAX && MARCH_ROWS_MAX == WIRE_GUILD_MEMBERS_MAX, "one limit");
_Static_assert(MARCH_TRADE_MAX == WIRE_TRADE_ITEMS_MAX && MARCH_COMMAND_TEXT_SIZE == WIRE_COMMAND_TEXT_MAX + 1, "one limit");
_Static_assert(MARCH_NAME_SIZE == WIRE_VALUE_NAME_MAX + 1 && MARCH_TEXT_SIZE == WIRE_TEXT_MAX + 1, "one limit");

_Static_assert((int)MARCH_EVENT_MATCH == (int)WIRE_SERVER_MATCH, "one numbering");
_Static_assert((int)MARCH_TICKET_STATE_COUNT == (int)WIRE_TICKET_STATE_COUNT, "one numbering");
_Static_assert((int)MARCH_TICKET_REASON_COUNT == (int)WIRE_REASON_COUNT, "one numbering");
_Static_assert((int)MARCH_TICKET_UNAVAILABLE == (int)WIRE_REASON_UNAVAILABLE, "one numbering");
_Static_assert((int)MARCH_TICKET_VERB_COUNT == (int)WIRE_TICKET_VERB_COUNT, "one numbering");
_Static_assert((int)MARCH_PARTY_VERB_COUNT == (int)WIRE_PARTY_VERB_COUNT, "one numbering");
_Static_assert((int)MARCH_MATCH_OVER == (int)WIRE_MATCH_OVER, "one numbering");
_Static_assert(MARCH_PARTY_MAX == WIRE_PARTY_MEMBERS_MAX && MARCH_TEAMS_MAX == WIRE_TEAMS_MAX, "one limit");
_Static_assert(MARCH_NAME_SIZE == WIRE_MODE_NAME_MAX + 1, "one limit");

static int builder_setup(void **state) {
    *state = wire_builder_create(WIRE_CLIENT_BYTES_MAX);
    return 0;
}

static int builder_teardown(void **state) {
    wire_builder_destroy(*state);
    return 0;
}

/* told packs a message as a server does, and reads it as the library does, from memory of just its size. */
static struct march_event told(struct wire_builder *builder, const struct wire_server_message *message) {
    struct wire_bytes packed;
    assert_int_equal(wire_server_message_pack(builder, message, &packed), 0);
    uint8_t *copy = malloc(packed.len);
    memcpy(copy, packed.data, packed.len);
    struct march_event event;
    client_value_read(copy, packed.len, &event);
    assert_int_equal(event.kind, (int)message->kind);
    for (size_t len = 0; len < packed.len; len++) { /* cut anywhere it is refused or loses nothing but padding */
        uint8_t *cut = malloc(len ? len : 1);
        struct march_event ignored;
        memcpy(cut, copy, len);
        client_value_read(cut, len, &ignored);
        assert_true(ignored.kind == MARCH_EVENT_OTHER || len + 8 > packed.len);
        free(cut);
    }
    free(copy);
    return event;
}

static void same_item(const struct march_item *a, const struct wire_item *b) {
    assert_true(a->id == b->id && a->kind == b->kind && a->count == b->count && a->version == b->version);
    assert_int_equal(a->slot, b->slot);
}

static struct wire_item item(uint64_t id, uint32_t count) {
    return (struct wire_item){
        .id = id, .kind = (uint32_t)id + 1, .count = count, .version = (uint32_t)id + 2, .slot = (uint16_t)(id + 3)};
}

static void test_client_value_reads_what_zones_and_gateways_tell(void **state) {
    struct wire_server_message in = {.kind = WIRE_SERVER_WELCOME};
    in.welcome = (struct wire_welcome){.entity = 1, .player = UINT64_MAX, .zone = "north", .tick_hz = 60};
    in.welcome.snapshot_hz = 20, in.welcome.view_radius_m = 64, in.welcome.rect = (struct wire_rect){-1, -2, 3, 4};
    struct march_welcome w = told(*state, &in).welcome;
    assert_true(w.entity == 1 && w.player == UINT64_MAX && w.tick_hz == 60 && w.snapshot_hz == 20);
    assert_true(w.view_radius_m == 64 && w.min_x_m == -1 && w.min_y_m == -2 && w.max_x_m == 3 && w.max_y_m == 4);
    assert_string_equal(w.zone, "north");
    in = (struct wire_server_message){.kind = WIRE_SERVER_ZONE_STATUS, .zone_state = WIRE_ZONE_BACK};
    assert_true(told(*state, &in).zone_back);
    in.zone_state = WIRE_ZONE_LOST;
    assert_false(told(*state, &in).zone_back);
    in = (struct wire_server_message){.kind = WIRE_SERVER_HEARD, .heard = {.entity = 4, .player = 5, .text = "hi"}};
    struct march_event event = told(*state, &in);
    assert_true(event.heard.entity == 4 && event.heard.player == 5);
    assert_string_equal(event.heard.text, "hi");
    in = (struct wire_server_message){.kind = WIRE_SERVER_DIED, .died_by = 6};
    assert_int_equal(told(*state, &in).died_by, 6);
    in = (struct wire_server_message){.kind = WIRE_SERVER_RESPAWNED};
    (void)told(*state, &in);
    in = (struct wire_server_message){.kind = WIRE_SERVER_PROGRESS, .progress = {.experience = 1ULL << 40, .level = 7}};
    event = told(*state, &in);
    assert_true(event.progress.experience == 1ULL << 40 && event.progress.level == 7);
    in = (struct wire_server_message){.kind = WIRE_SERVER_ENDED, .ended = WIRE_END_TOKEN_USED};
    assert_int_equal(told(*state, &in).ended, 2);
}

static void test_client_value_reads_what_persist_tells_of_value(void **state) {
    struct wire_server_message in = {.kind = WIRE_SERVER_COMMAND_RESULT, .result = {9, WIRE_STATUS_EXISTS, 10}};
    struct march_event event = told(*state, &in);
    assert_true(event.result.key == 9 && event.result.status == MARCH_STATUS_EXISTS && event.result.object == 10);

    in = (struct wire_server_message){.kind = WIRE_SERVER_INVENTORY_DIFF};
    in.inventory = (struct wire_inventory_diff){.reset = true, .more = true, .guild = 4, .version = 5, .gold = 6};
    in.inventory.added_count = WIRE_DIFF_ITEMS_MAX - 1, in.inventory.updated_count = 1, in.inventory.removed_count = 2;
    for (uint64_t i = 0; i < WIRE_DIFF_ITEMS_MAX; i++) in.inventory.added[i] = item(i, 1);
    in.inventory.updated[0] = item(99, 2), in.inventory.removed[1] = 77;
    event = told(*state, &in);
    const struct march_change *c = &event.change;
    assert_true(c->reset && c->more && c->guild == 4 && c->version == 5 && c->gold == 6);
    assert_true(c->added_count == WIRE_DIFF_ITEMS_MAX - 1 && c->updated_count == 1 && c->removed_count == 2);
    for (unsigned i = 0; i < c->added_count; i++) same_item(&c->items[i], &in.inventory.added[i]);
    same_item(&c->items[c->added_count], &in.inventory.updated[0]);
    assert_int_equal(c->removed[1], 77);

    in = (struct wire_server_message){.kind = WIRE_SERVER_TRADE_OFFERED};
    in.trade_offered = (struct wire_trade_offered){1, 2, 3, 4, 5, 60, 1, 2, {item(7, 1)}, {item(8, 2), item(9, 3)}};
    event = told(*state, &in);
    const struct march_trade *t = &event.trade;
    assert_true(t->trade == 1 && t->offerer == 2 && t->accepter == 3 && t->give_gold == 4 && t->want_gold == 5);
    assert_true(t->expires_in_s == 60 && t->give_count == 1 && t->want_count == 2);
    same_item(&t->give[0], &in.trade_offered.give[0]);
    same_item(&t->want[1], &in.trade_offered.want[1]);
    in = (struct wire_server_message){.kind = WIRE_SERVER_TRADE_CLOSED, .trade_closed = {8, WIRE_TRADE_EXPIRED}};
    event = told(*state, &in);
    assert_true(event.trade_closed.trade == 8 && event.trade_closed.outcome == 3);

    in = (struct wire_server_message){.kind = WIRE_SERVER_AUCTION_STATE};
    in.auction = (struct wire_auction_state){1, 2, WIRE_AUCTION_SOLD, item(3, 4), 5, 6, 7, 8, 9};
    event = told(*state, &in);
    assert_true(event.auction.auction == 1 && event.auction.seller == 2 && event.auction.phase == 2);
    assert_true(event.auction.min_bid == 5 && event.auction.buyout == 6 && event.auction.bid == 7);
    assert_true(event.auction.bidder == 8 && event.auction.ends_in_s == 9);
    same_item(&event.auction.item, &in.auction.item);
}

static void test_client_value_reads_what_persist_tells_of_players(void **state) {
    struct wire_server_message in = {.kind = WIRE_SERVER_GUILD_INVITED, .guild_invited = {5, 6, "wolves"}};
    struct march_event event = told(*state, &in);
    assert_true(event.invited.guild == 5 && event.invited.by == 6);
    assert_string_equal(event.invited.name, "wolves");

    in = (struct wire_server_message){.kind = WIRE_SERVER_GUILD_STATE};
    in.guild = (struct wire_guild_state){1, 2, "wolves", WIRE_GUILD_OFFICER, 3, 4, WIRE_GUILD_MEMBERS_MAX, {{0}}};
    in.guild.members[31] = (struct wire_guild_member){.player = 9, .rank = 2};
    event = told(*state, &in);
    assert_true(event.guild.guild == 1 && event.guild.version == 2 && event.guild.rank == 1);
    assert_true(event.guild.members_total == 3 && event.guild.member_first == 4 && event.guild.member_count == 32);
    assert_true(event.guild.members[31].player == 9 && event.guild.members[31].rank == 2);

    in = (struct wire_server_message){.kind = WIRE_SERVER_BOARD_ROWS, .board = {"gold", "main", 2, 3, 1, {{4, 5, 6, 0}}}};
    event = told(*state, &in);
    assert_string_equal(event.board.board, "gold");
    assert_string_equal(event.board.region, "main");
    assert_true(event.board.season == 2 && event.board.total == 3 && event.board.row_count == 1);
    assert_true(event.board.rows[0].player == 4 && event.board.rows[0].score == 5 && event.board.rows[0].rank == 6);

    in = (struct wire_server_message){.kind = WIRE_SERVER_PROFILE};
    in.profile = (struct wire_profile){1, "ann", "main", "wolves", 2, 3, 4, true};
    event = told(*state, &in);
    assert_true(event.profile.player == 1 && event.profile.guild == 2 && event.profile.experience == 3);
    assert_true(event.profile.level == 4 && event.profile.online);
    assert_string_equal(event.profile.name, "ann");
    assert_string_equal(event.profile.guild_name, "wolves");
}

static void test_client_value_damaged_bytes_never_read_outside(void **state) {
    struct wire_server_message in = {.kind = WIRE_SERVER_TRADE_OFFERED};
    in.trade_offered = (struct wire_trade_offered){1, 2, 3, 4, 5, 60, 1, 2, {item(7, 1)}, {item(8, 2), item(9, 3)}};
    struct wire_bytes packed;
    assert_int_equal(wire_server_message_pack(*state, &in, &packed), 0);
    uint8_t *copy = malloc(packed.len);
    for (size_t bit = 0; bit < packed.len * 8; bit++) {
        struct march_event event;
        memcpy(copy, packed.data, packed.len);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        client_value_read(copy, packed.len, &event);
        assert_true(event.kind != MARCH_EVENT_TRADE_OFFERED || event.trade.want_count <= MARCH_TRADE_MAX);
    }
    free(copy);
}

static struct wire_command read_back(const struct march_command *command) {
    uint8_t bytes[CLIENT_COMMAND_BYTES_MAX];
    int len = client_value_write(command, bytes);
    assert_true(len > 0);
    struct wire_client_message message;
    assert_int_equal(wire_client_message_read(bytes, (size_t)len, &message), 0);
    assert_int_equal(message.kind, WIRE_CLIENT_COMMAND);
    return message.command;
}

static void test_client_value_commands_are_read_by_the_server(void **state) {
    (void)state;
    for (unsigned parts = 0; parts < 8; parts++) {
        struct march_command c = {.key = UINT64_MAX, .verb = MARCH_VERB_TRADE_OFFER, .player = 1, .item = 2};
        c.other_item = 3, c.version = 4, c.other_version = 5, c.object = 6, c.count = 7, c.slot = 8, c.rank = 9;
        c.gold = 10, c.price = 11, c.duration_s = 12;
        c.give_count = parts & 1 ? MARCH_TRADE_MAX : 0;
        c.want_count = parts & 2 ? 3 : 0;
        for (unsigned i = 0; i < MARCH_TRADE_MAX; i++) c.give[i] = (struct march_item_ref){i + 1, i + 2, i + 3};
        for (unsigned i = 0; i < MARCH_TRADE_MAX; i++) c.want[i] = (struct march_item_ref){i + 4, i + 5, i + 6};
        if (parts & 4) memset(c.text, 't', sizeof c.text - 1);
        struct wire_command w = read_back(&c);
        assert_true(w.key == c.key && w.verb == c.verb && w.player == 1 && w.item == 2 && w.other_item == 3);
        assert_true(w.version == 4 && w.other_version == 5 && w.object == 6 && w.count == 7 && w.slot == 8 && w.rank == 9);
        assert_true(w.gold == 10 && w.price == 11 && w.duration_s == 12);
        assert_int_equal(w.give_count, c.give_count);
        assert_int_equal(w.want_count, c.want_count);
        assert_memory_equal(w.give, c.give, c.give_count * sizeof *w.give);
        assert_memory_equal(w.want, c.want, c.want_count * sizeof *w.want);
        assert_string_equal(w.text, c.text);
    }
}

static void test_client_value_command_that_cannot_be_is_refused(void **state) {
    (void)state;
    uint8_t bytes[CLIENT_COMMAND_BYTES_MAX];
    struct march_command c = {.key = 1, .verb = MARCH_VERB_USE, .give_count = MARCH_TRADE_MAX + 1};
    assert_int_equal(client_value_write(&c, bytes), MARCH_ERR_INVALID);
    c = (struct march_command){.key = 0, .verb = MARCH_VERB_USE};
    assert_int_equal(client_value_write(&c, bytes), MARCH_ERR_INVALID);
    c = (struct march_command){.key = 1, .verb = MARCH_VERB_GUILD_CREATE, .text = "\xff"};
    assert_int_equal(client_value_write(&c, bytes), MARCH_ERR_INVALID);
}

static void test_client_value_inventory_follows_differences(void **state) {
    (void)state;
    struct march_inventory inventory = {0};
    struct march_change first = {.reset = true, .more = true, .version = 1, .gold = 5, .added_count = 2};
    first.items[0] = (struct march_item){.id = 1, .count = 10}, first.items[1] = (struct march_item){.id = 2, .count = 20};
    client_value_apply(&inventory, &first);
    struct march_change second = {.version = 1, .gold = 5, .added_count = 1, .items = {{.id = 3, .count = 30}}};
    client_value_apply(&inventory, &second);
    assert_true(inventory.whole && inventory.count == 3 && inventory.gold == 5);

    struct march_change third = {.version = 2, .gold = 7, .added_count = 1, .updated_count = 1, .removed_count = 2};
    third.items[0] = (struct march_item){.id = 4, .count = 40}, third.items[1] = (struct march_item){.id = 2, .count = 21};
    third.removed[0] = 1, third.removed[1] = 55; /* one that was never there */
    client_value_apply(&inventory, &third);
    assert_true(inventory.version == 2 && inventory.gold == 7 && inventory.count == 3);
    uint32_t counts[5] = {0};
    for (uint32_t i = 0; i < inventory.count; i++) counts[inventory.items[i].id] = inventory.items[i].count;
    assert_true(counts[1] == 0 && counts[2] == 21 && counts[3] == 30 && counts[4] == 40);

    struct march_change bank = {.guild = 9, .reset = true};
    client_value_apply(&inventory, &bank);
    assert_int_equal(inventory.count, 3);
    struct march_change empty = {.reset = true, .version = 3};
    client_value_apply(&inventory, &empty);
    assert_true(inventory.count == 0 && inventory.gold == 0 && inventory.whole);
}

static void test_client_value_inventory_is_bounded(void **state) {
    (void)state;
    static struct march_inventory inventory;
    struct march_change change = {.reset = true, .added_count = MARCH_CHANGE_MAX};
    for (uint64_t page = 0; page < 5; page++) {
        for (uint64_t i = 0; i < MARCH_CHANGE_MAX; i++) change.items[i].id = page * MARCH_CHANGE_MAX + i + 1;
        client_value_apply(&inventory, &change);
        change.reset = false;
        assert_int_equal(inventory.whole, (page + 1) * MARCH_CHANGE_MAX <= MARCH_INVENTORY_MAX);
    }
    assert_int_equal(inventory.count, MARCH_INVENTORY_MAX);
}

static void test_client_value_reads_tickets(void **state) {
    struct wire_server_message in = {.kind = WIRE_SERVER_TICKET};
    in.ticket = (struct wire_ticket_state_message){.ticket = UINT64_MAX, .mode = "duel", .state = WIRE_TICKET_ASKED};
    in.ticket.reason = WIRE_REASON_FULL, in.ticket.waited_ms = 1, in.ticket.estimate_ms = 2, in.ticket.position = 3;
    in.ticket.queued = 4, in.ticket.window = 5, in.ticket.ready_ms = 6, in.ticket.instance = 7, in.ticket.team = 7;
    struct march_ticket t = told(*state, &in).ticket;
    assert_true(t.ticket == UINT64_MAX && t.state == MARCH_TICKET_ASKED && t.reason == MARCH_TICKET_FULL);
    assert_true(t.waited_ms == 1 && t.estimate_ms == 2 && t.position == 3 && t.queued == 4 && t.window == 5);
    assert_true(t.ready_ms == 6 && t.instance == 7 && t.team == 7);
    assert_string_equal(t.mode, "duel");
}

static void test_client_value_reads_parties_and_matches(void **state) {
    struct wire_server_message in = {.kind = WIRE_SERVER_PARTY, .party = {.leader = 1, .invited_by = 2}};
    in.party.reason = WIRE_REASON_NOT_LEADER, in.party.member_count = MARCH_PARTY_MAX;
    for (uint64_t i = 0; i < MARCH_PARTY_MAX; i++) in.party.members[i] = UINT64_MAX - i;
    struct march_party p = told(*state, &in).party;
    assert_true(p.leader == 1 && p.invited_by == 2 && p.reason == MARCH_TICKET_NOT_LEADER);
    assert_int_equal(p.member_count, MARCH_PARTY_MAX);
    assert_memory_equal(p.members, in.party.members, sizeof p.members);

    in = (struct wire_server_message){.kind = WIRE_SERVER_MATCH, .match = {.template_name = "arena", .instance = 1}};
    in.match.phase = WIRE_MATCH_OVER, in.match.goal = 2, in.match.wave = 3, in.match.team = 4, in.match.team_count = 5;
    in.match.gold = UINT64_MAX, in.match.item_kind = 6, in.match.item_count = 7, in.match.points = -8;
    for (uint32_t i = 0; i < in.match.team_count; i++) in.match.scores[i] = 10 + i;
    struct march_match m = told(*state, &in).match;
    assert_true(m.instance == 1 && m.phase == MARCH_MATCH_OVER && m.goal == 2 && m.wave == 3 && m.team == 4);
    assert_true(m.team_count == 5 && m.gold == UINT64_MAX && m.item_kind == 6 && m.item_count == 7 && m.points == -8);
    assert_string_equal(m.template_name, "arena");
    assert_memory_equal(m.scores, in.match.scores, sizeof m.scores);
    in.match.phase = WIRE_MATCH_STARTING; /* the default, which is not written */
    assert_int_equal(told(*state, &in).match.phase, MARCH_MATCH_STARTING);
}

static void test_client_value_team_that_is_too_great_is_refused(void **state) {
    struct wire_server_message in = {.kind = WIRE_SERVER_TICKET, .ticket = {.team = 7}};
    struct wire_bytes packed;
    assert_int_equal(wire_server_message_pack(*state, &in, &packed), 0);
    uint8_t copy[WIRE_CLIENT_BYTES_MAX];
    memcpy(copy, packed.data, packed.len);
    uint8_t *at = memmem(copy, packed.len, &(uint32_t){7}, 4);
    assert_non_null(at);
    struct march_event event;
    client_value_read(copy, packed.len, &event);
    assert_int_equal(event.kind, MARCH_EVENT_TICKET);
    *at = MARCH_TEAMS_MAX;
    client_value_read(copy, packed.len, &event);
    assert_int_equal(event.kind, MARCH_EVENT_OTHER);
}

/* asked is how the server reads what the library wrote. */
static struct wire_client_message asked(const uint8_t *bytes, int len) {
    struct wire_client_message message;
    assert_in_range(len, 1, CLIENT_MATCH_BYTES_MAX);
    uint8_t *copy = malloc((size_t)len);
    memcpy(copy, bytes, (size_t)len);
    assert_int_equal(wire_client_message_read(copy, (size_t)len, &message), 0);
    free(copy);
    return message;
}

static void test_client_value_what_is_asked_of_the_matchmaker_is_read_by_the_server(void **state) {
    (void)state;
    uint8_t bytes[CLIENT_MATCH_BYTES_MAX] = {0};
    static const char *const names[] = {"a", "duel", "gr\xc3\xbc\xc3\x9f", "a-name-that-is-as-long-as-can-be"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[MARCH_NAME_SIZE];
        memset(name, 0, sizeof name);
        memcpy(name, names[i], strnlen(names[i], MARCH_NAME_SIZE - 1));
        const struct march_wish wish = {.mode = name, .roles = 0x80000005};
        struct wire_client_message m = asked(bytes, client_match_write_enter(&wish, bytes));
        assert_true(m.kind == WIRE_CLIENT_ENTER && m.enter.roles == 0x80000005);
        assert_true(m.enter.latency_count == 0 && m.enter.avoid_count == 0);
        assert_string_equal(m.enter.mode, name);
    }
    for (int verb = 0; verb < MARCH_TICKET_VERB_COUNT; verb++) {
        struct wire_client_message m = asked(bytes, client_match_write_ticket((enum march_ticket_verb)verb, bytes));
        assert_true(m.kind == WIRE_CLIENT_TICKET && (int)m.ticket == verb);
    }
    for (int verb = 0; verb < MARCH_PARTY_VERB_COUNT; verb++) {
        struct wire_client_message m =
            asked(bytes, client_match_write_party((enum march_party_verb)verb, UINT64_MAX - 5, bytes));
        assert_true(m.kind == WIRE_CLIENT_PARTY && (int)m.party.verb == verb && m.party.player == UINT64_MAX - 5);
    }
}

/* Names of every length put what follows them at every alignment. */
static void test_client_value_latencies_and_players_to_avoid_are_read_by_the_server(void **state) {
    (void)state;
    uint8_t bytes[CLIENT_MATCH_BYTES_MAX] = {0};
    static const uint64_t avoid[MARCH_AVOID_MAX] = {7, INT64_MAX, 1, UINT64_MAX};
    char names[MARCH_LATENCIES_MAX][MARCH_NAME_SIZE];
    struct march_latency latencies[MARCH_LATENCIES_MAX];
    for (uint32_t len = 1; len < MARCH_NAME_SIZE; len++) {
        for (uint32_t i = 0; i < MARCH_LATENCIES_MAX; i++) {
            uint32_t own = (len + i * 5) % (MARCH_NAME_SIZE - 1) + 1;
            memset(names[i], 0, MARCH_NAME_SIZE);
            memset(names[i], (int)('a' + i), len == MARCH_NAME_SIZE - 1 ? len : own);
            latencies[i] = (struct march_latency){.region = names[i], .ms = (uint16_t)(UINT16_MAX - i * len)};
        }
        struct march_wish wish = {.mode = names[0], .latencies = latencies, .avoid = avoid};
        wish.latency_count = len == MARCH_NAME_SIZE - 1 ? MARCH_LATENCIES_MAX : len % (MARCH_LATENCIES_MAX + 1);
        wish.avoid_count = len == MARCH_NAME_SIZE - 1 ? MARCH_AVOID_MAX : len % (MARCH_AVOID_MAX + 1);
        struct wire_client_message m = asked(bytes, client_match_write_enter(&wish, bytes));
        assert_string_equal(m.enter.mode, names[0]);
        assert_int_equal(m.enter.latency_count, wish.latency_count);
        for (uint32_t i = 0; i < wish.latency_count; i++) {
            assert_string_equal(m.enter.latencies[i].region, names[i]);
            assert_int_equal(m.enter.latencies[i].ms, latencies[i].ms);
        }
        assert_int_equal(m.enter.avoid_count, wish.avoid_count);
        for (uint32_t i = 0; i < wish.avoid_count; i++) assert_true(m.enter.avoid[i] == avoid[i]);
    }
}

/* A message of one latency whose vector is made one of `count`, all of which are that one. */
static int read_with_latencies(uint32_t count, struct wire_client_message *message) {
    enum { VTABLE = 24, LATENCIES = 68, LATENCY_BYTES = 32, TABLE = 8 }; /* vtable, table and "main" */
    static const struct march_latency latency = {"main", 30};
    const struct march_wish wish = {.mode = "a", .latency_count = 1, .latencies = &latency};
    uint8_t bytes[CLIENT_MATCH_BYTES_MAX], copy[CLIENT_MATCH_BYTES_MAX];
    assert_int_equal(client_match_write_enter(&wish, bytes), LATENCIES + 8 + LATENCY_BYTES + 4);
    memcpy(copy, bytes, sizeof copy);
    store_le(copy + VTABLE + 10, 0, 2); /* there is nobody to avoid */
    store_le(copy + LATENCIES, count, 4);
    size_t behind = LATENCIES + 4 + count * 4;
    for (uint32_t i = 0; i < count; i++) store_le(copy + LATENCIES + 4 + i * 4, behind + TABLE - (LATENCIES + 4 + i * 4), 4);
    memcpy(copy + behind, bytes + LATENCIES + 8, LATENCY_BYTES);
    return wire_client_message_read(copy, behind + LATENCY_BYTES, message);
}

static void test_client_value_more_latencies_than_there_may_be_are_refused_by_the_server(void **state) {
    (void)state;
    struct wire_client_message m;
    assert_int_equal(read_with_latencies(WIRE_ENTER_LATENCIES_MAX, &m), 0);
    assert_int_equal(m.enter.latency_count, WIRE_ENTER_LATENCIES_MAX);
    assert_string_equal(m.enter.latencies[WIRE_ENTER_LATENCIES_MAX - 1].region, "main");
    assert_int_equal(read_with_latencies(WIRE_ENTER_LATENCIES_MAX + 1, &m), MARCH_ERR_INVALID);
}

static int written(struct march_wish wish) {
    uint8_t bytes[CLIENT_MATCH_BYTES_MAX];
    return client_match_write_enter(&wish, bytes);
}

static void test_client_value_what_can_not_be_asked_of_the_matchmaker_is_refused(void **state) {
    (void)state;
    uint8_t bytes[CLIENT_MATCH_BYTES_MAX];
    static const char *const bad[] = {NULL, "", "a\nb", "a-name-that-is-longer-than-it-may"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct march_latency latencies[] = {{"main", 1}, {bad[i], 2}};
        assert_int_equal(written((struct march_wish){.mode = bad[i]}), MARCH_ERR_INVALID);
        assert_true(written((struct march_wish){.mode = "a", .latency_count = 1, .latencies = latencies}) > 0);
        assert_int_equal(written((struct march_wish){.mode = "a", .latency_count = 2, .latencies = latencies}),
                         MARCH_ERR_INVALID);
    }
    assert_int_equal(written((struct march_wish){.mode = "a", .latency_count = MARCH_LATENCIES_MAX + 1}), MARCH_ERR_INVALID);
    assert_int_equal(written((struct march_wish){.mode = "a", .avoid_count = MARCH_AVOID_MAX + 1}), MARCH_ERR_INVALID);
    assert_int_equal(client_match_write_ticket(MARCH_TICKET_VERB_COUNT, bytes), MARCH_ERR_INVALID);
    assert_int_equal(client_match_write_party(MARCH_PARTY_VERB_COUNT, 1, bytes), MARCH_ERR_INVALID);
    assert_string_equal(march_ticket_state_text(MARCH_TICKET_MATCHED), "matched");
    assert_string_equal(march_ticket_state_text(99), "unknown");
    assert_string_equal(march_ticket_reason_text(MARCH_TICKET_NOT_FOUND), "not found");
    assert_string_equal(march_ticket_reason_text(99), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_value_reads_what_zones_and_gateways_tell),
        cmocka_unit_test(test_client_value_reads_what_persist_tells_of_value),
        cmocka_unit_test(test_client_value_reads_what_persist_tells_of_players),
        cmocka_unit_test(test_client_value_damaged_bytes_never_read_outside),
        cmocka_unit_test(test_client_value_commands_are_read_by_the_server),
        cmocka_unit_test(test_client_value_command_that_cannot_be_is_refused),
        cmocka_unit_test(test_client_value_inventory_follows_differences),
        cmocka_unit_test(test_client_value_inventory_is_bounded),
        cmocka_unit_test(test_client_value_reads_tickets),
        cmocka_unit_test(test_client_value_reads_parties_and_matches),
        cmocka_unit_test(test_client_value_team_that_is_too_great_is_refused),
        cmocka_unit_test(test_client_value_what_is_asked_of_the_matchmaker_is_read_by_the_server),
        cmocka_unit_test(test_client_value_latencies_and_players_to_avoid_are_read_by_the_server),
        cmocka_unit_test(test_client_value_more_latencies_than_there_may_be_are_refused_by_the_server),
        cmocka_unit_test(test_client_value_what_can_not_be_asked_of_the_matchmaker_is_refused),
    };
    return cmocka_run_group_tests(tests, builder_setup, builder_teardown);
}
