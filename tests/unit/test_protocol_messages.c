/* test_protocol_messages.c: the examples of section 4 of schemas/PROTOCOL.md say what the page says, and are what we send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "schemas/wire.h"
#include "tests/unit/protocol_doc.h"

#define ENTITY 0x0001000200000009ULL

/* server_example reads an example; packing what it says must give the same bytes. */
static struct wire_server_message server_example(const char *name) {
    uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
    size_t len = protocol_doc_hex(name, bytes, sizeof bytes);
    assert_int_not_equal(len, 0);
    struct wire_server_message message = {0};
    assert_int_equal(wire_server_message_read(bytes, len, &message), 0);

    struct wire_builder *builder = wire_builder_create(WIRE_CLIENT_BYTES_MAX);
    struct wire_bytes packed;
    assert_int_equal(wire_server_message_pack(builder, &message, &packed), 0);
    assert_int_equal(packed.len, len);
    assert_memory_equal(packed.data, bytes, len);
    wire_builder_destroy(builder);
    return message;
}

static struct wire_client_message client_example(const char *name) {
    uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
    size_t len = protocol_doc_hex(name, bytes, sizeof bytes);
    assert_int_not_equal(len, 0);
    struct wire_client_message message = {0};
    assert_int_equal(wire_client_message_read(bytes, len, &message), 0);

    struct wire_builder *builder = wire_builder_create(WIRE_CLIENT_BYTES_MAX);
    struct wire_bytes packed;
    assert_int_equal(wire_client_message_pack(builder, &message, &packed), 0);
    assert_int_equal(packed.len, len);
    assert_memory_equal(packed.data, bytes, len);
    wire_builder_destroy(builder);
    return message;
}

static void test_protocol_messages_welcome_is_as_documented(void **state) {
    (void)state;
    struct wire_server_message m = server_example("message-welcome");
    assert_int_equal(m.kind, WIRE_SERVER_WELCOME);
    assert_true(m.welcome.entity == 0x0001000200000007ULL);
    assert_true(m.welcome.player == 42);
    assert_string_equal(m.welcome.zone, "zone-0");
    assert_int_equal(m.welcome.tick_hz, 60);
    assert_int_equal(m.welcome.snapshot_hz, 20);
    assert_int_equal(m.welcome.view_radius_m, 64);
    struct wire_rect rect = {-1024, -1024, 0, 0};
    assert_memory_equal(&m.welcome.rect, &rect, sizeof rect);
}

static void test_protocol_messages_of_servers_are_as_documented(void **state) {
    (void)state;
    struct wire_server_message m = server_example("message-zone-back");
    assert_int_equal(m.kind, WIRE_SERVER_ZONE_STATUS);
    assert_int_equal(m.zone_state, WIRE_ZONE_BACK);
    m = server_example("message-zone-lost");
    assert_int_equal(m.kind, WIRE_SERVER_ZONE_STATUS);
    assert_int_equal(m.zone_state, WIRE_ZONE_LOST);
    m = server_example("message-heard");
    assert_int_equal(m.kind, WIRE_SERVER_HEARD);
    assert_true(m.heard.entity == ENTITY && m.heard.player == 43);
    assert_string_equal(m.heard.text, "hello");
    m = server_example("message-died");
    assert_int_equal(m.kind, WIRE_SERVER_DIED);
    assert_true(m.died_by == ENTITY);
    assert_int_equal(server_example("message-respawned").kind, WIRE_SERVER_RESPAWNED);
}

static void test_protocol_messages_of_clients_are_as_documented(void **state) {
    (void)state;
    struct wire_client_message m = client_example("message-say");
    assert_int_equal(m.kind, WIRE_CLIENT_SAY);
    assert_string_equal(m.say, "hello");
    m = client_example("message-viewport");
    assert_int_equal(m.kind, WIRE_CLIENT_VIEWPORT);
    assert_int_equal(m.viewport_radius_m, 40);
    assert_int_equal(client_example("message-respawn").kind, WIRE_CLIENT_RESPAWN);
}

#define ITEM 0x0001000000000005ULL

static void test_protocol_messages_commands_are_as_documented(void **state) {
    (void)state;
    struct wire_command c = client_example("message-command-move").command;
    assert_true(c.key == 0x1122334455667788 && c.verb == WIRE_COMMAND_MOVE && c.item == ITEM);
    assert_true(c.version == 3 && c.slot == 7);
    c = client_example("message-command-trade").command;
    assert_true(c.verb == WIRE_COMMAND_TRADE_OFFER && c.player == 43 && c.price == 250 && c.duration_s == 60);
    assert_true(c.give_count == 1 && c.give[0].id == ITEM && c.give[0].version == 4 && c.give[0].count == 2);
    c = client_example("message-command-guild").command;
    assert_int_equal(c.verb, WIRE_COMMAND_GUILD_CREATE);
    assert_string_equal(c.text, "wolves");
    struct wire_command_result r = server_example("message-result").result;
    assert_true(r.key == 0x1122334455667789 && r.status == WIRE_STATUS_CONFLICT && r.object == 0);
}

static void test_protocol_messages_of_items_are_as_documented(void **state) {
    (void)state;
    struct wire_inventory_diff d = server_example("message-inventory").inventory;
    assert_true(!d.reset && !d.more && d.guild == 0 && d.version == 9 && d.gold == 250 && d.added_count == 0);
    assert_true(d.updated_count == 1 && d.removed_count == 1 && d.removed[0] == ITEM + 1);
    struct wire_item item = {.id = ITEM, .kind = 1, .count = 2, .version = 4, .slot = 7};
    assert_memory_equal(&d.updated[0], &item, sizeof item);
    struct wire_trade_offered t = server_example("message-trade-offered").trade_offered;
    assert_true(t.trade == 0x0001000000000008 && t.offerer == 42 && t.accepter == 43 && t.want_gold == 250);
    assert_true(t.expires_in_s == 60 && t.give_count == 1 && t.want_count == 0 && t.give_gold == 0);
    assert_memory_equal(&t.give[0], &item, sizeof item);
    struct wire_trade_closed closed = server_example("message-trade-closed").trade_closed;
    assert_true(closed.trade == 0x0001000000000008 && closed.outcome == WIRE_TRADE_DONE);
    struct wire_auction_state a = server_example("message-auction").auction;
    assert_true(a.auction == 0x000100000000000a && a.seller == 42 && a.phase == WIRE_AUCTION_OPEN && a.item.version == 5);
    assert_true(a.item.count == 2 && a.min_bid == 10 && a.buyout == 100 && a.bid == 12 && a.bidder == 43);
    assert_int_equal(a.ends_in_s, 30);
}

static void test_protocol_messages_of_guilds_and_players_are_as_documented(void **state) {
    (void)state;
    struct wire_guild_invited i = server_example("message-guild-invited").guild_invited;
    assert_true(i.guild == 0x0001000000000009 && i.by == 42);
    assert_string_equal(i.name, "wolves");
    struct wire_guild_state g = server_example("message-guild").guild;
    assert_true(g.guild == i.guild && g.version == 2 && g.rank == WIRE_GUILD_LEADER && g.members_total == 2);
    assert_true(g.member_count == 2 && g.members[0].player == 42 && g.members[0].rank == 2 && g.members[1].player == 43);
    struct wire_board_rows b = server_example("message-board").board;
    assert_string_equal(b.board, "experience");
    assert_string_equal(b.region, "");
    assert_true(b.season == 1 && b.total == 2 && b.row_count == 1);
    assert_true(b.rows[0].player == 42 && b.rows[0].score == 900 && b.rows[0].rank == 1);
    struct wire_profile p = server_example("message-profile").profile;
    assert_true(p.player == 42 && p.guild == i.guild && p.level == 4 && p.experience == 900 && p.online);
    assert_string_equal(p.name, "ann");
    assert_string_equal(p.region, "main");
    assert_string_equal(p.guild_name, "wolves");
    struct wire_progress progress = server_example("message-progress").progress;
    assert_true(progress.level == 4 && progress.experience == 900);
    assert_int_equal(server_example("message-ended").ended, WIRE_END_TOKEN_USED);
}

static void test_protocol_messages_of_matches_are_as_documented(void **state) {
    (void)state;
    struct wire_client_message c = client_example("message-enter");
    assert_int_equal(c.kind, WIRE_CLIENT_ENTER);
    assert_string_equal(c.enter.mode, "duel");
    assert_int_equal(c.enter.roles, 0);
    assert_true(c.enter.latency_count == 0 && c.enter.avoid_count == 0);
    c = client_example("message-enter-far");
    assert_true(c.enter.latency_count == 2 && c.enter.latencies[0].ms == 30 && c.enter.latencies[1].ms == 110);
    assert_string_equal(c.enter.latencies[0].region, "main");
    assert_string_equal(c.enter.latencies[1].region, "east");
    assert_true(c.enter.avoid_count == 1 && c.enter.avoid[0] == 43);
    assert_int_equal(client_example("message-ready").ticket, WIRE_TICKET_READY);
    c = client_example("message-invite");
    assert_true(c.kind == WIRE_CLIENT_PARTY && c.party.verb == WIRE_PARTY_INVITE && c.party.player == 43);
    struct wire_ticket_state_message t = server_example("message-ticket").ticket;
    assert_true(t.ticket == 0x000000010000000b && t.state == WIRE_TICKET_MATCHED && t.reason == WIRE_REASON_NONE);
    assert_true(t.waited_ms == 1500 && t.instance == 7 && t.team == 1);
    assert_string_equal(t.mode, "duel");
    struct wire_party_state p = server_example("message-party").party;
    assert_true(p.leader == 42 && p.invited_by == 0 && p.member_count == 2 && p.members[0] == 42 && p.members[1] == 43);
    struct wire_match_state m = server_example("message-match").match;
    assert_string_equal(m.template_name, "duel");
    assert_true(m.instance == 7 && m.phase == WIRE_MATCH_OVER && m.goal == WIRE_GOAL_KILLS && m.team == 1);
    assert_true(m.team_count == 2 && m.scores[0] == 3 && m.scores[1] == 5 && m.gold == 50 && m.points == 1520);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protocol_messages_welcome_is_as_documented),
        cmocka_unit_test(test_protocol_messages_of_servers_are_as_documented),
        cmocka_unit_test(test_protocol_messages_of_clients_are_as_documented),
        cmocka_unit_test(test_protocol_messages_commands_are_as_documented),
        cmocka_unit_test(test_protocol_messages_of_items_are_as_documented),
        cmocka_unit_test(test_protocol_messages_of_guilds_and_players_are_as_documented),
        cmocka_unit_test(test_protocol_messages_of_matches_are_as_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
