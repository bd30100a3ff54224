/* test_gateway_matches.c: a gateway between its players and the matchmaker: what they ask, what they are told. */
#include "gateway/admission.h"
#include "gateway/matches.h"
#include "tests/unit/gateway_fixture.h"

static int setup_matchmaker(void **state) {
    return setup_parts(state, IO_BACK_END_EPOLL, false, true);
}

static int setup_claims(void **state) {
    return setup_parts(state, IO_BACK_END_EPOLL, true, true);
}

static int setup_without(void **state) {
    return setup_parts(state, IO_BACK_END_EPOLL, false, false);
}

static void client_send_raw(void *context, const struct addr *to, const uint8_t *packet, size_t len) {
    (void)to;
    client_flush(context, packet, len);
}

static bool guide_is_up(const struct fixture *f) {
    return f->gateway->guide->link.state == LINK_UP;
}

static void publish(struct fixture *f) {
    PUMP_UNTIL(f, guide_is_up(f) && f->matchmaker.reports > 0);
    fake_matchmaker_send(&f->matchmaker, &f->directory);
    PUMP_UNTIL(f, gateway_has_directory(f->gateway));
}

static struct fixture *play_with_matchmaker(void **state) {
    publish(*state);
    return play(state, 0);
}

static void say(struct fixture *f, const struct wire_client_message *message) {
    struct wire_builder *builder = wire_builder_create(WIRE_CLIENT_BYTES_MAX);
    struct wire_bytes bytes;
    assert_int_equal(wire_client_message_pack(builder, message, &bytes), 0);
    assert_int_equal(channel_send(&f->client.channel, mono_now(), bytes.data, bytes.len), 0);
    wire_builder_destroy(builder);
}

static void look(struct fixture *f) {
    say(f, &(struct wire_client_message){.kind = WIRE_CLIENT_TICKET, .ticket = WIRE_TICKET_LOOK});
}

static const struct wire_server_message matched = {
    .kind = WIRE_SERVER_TICKET, .ticket = {.ticket = 9, .mode = "duel", .state = WIRE_TICKET_MATCHED, .instance = 3}};

static void test_gateway_matches_asks_go_to_the_matchmaker_and_not_to_the_zone(void **state) {
    struct fixture *f = play_with_matchmaker(state);
    say(f, &(struct wire_client_message){.kind = WIRE_CLIENT_ENTER, .enter = {.mode = "duel", .roles = 2}});
    PUMP_UNTIL(f, f->matchmaker.asks == 1);
    assert_int_equal(f->matchmaker.asked.kind, WIRE_CLIENT_ENTER);
    assert_string_equal(f->matchmaker.asked.enter.mode, "duel");
    assert_int_equal(f->matchmaker.asked.enter.roles, 2);
    assert_true(f->matchmaker.ask.player == PLAYER && f->matchmaker.ask.session == session_of(f));
    say(f, &(struct wire_client_message){.kind = WIRE_CLIENT_PARTY, .party = {WIRE_PARTY_INVITE, 43}});
    PUMP_UNTIL(f, f->matchmaker.asks == 2);
    assert_true(f->matchmaker.asked.kind == WIRE_CLIENT_PARTY && f->matchmaker.asked.party.player == 43);
    look(f);
    PUMP_UNTIL(f, f->matchmaker.asks == 3);
    assert_true(f->matchmaker.asked.kind == WIRE_CLIENT_TICKET && f->matchmaker.asked.ticket == WIRE_TICKET_LOOK);
    say(f, &(struct wire_client_message){.kind = WIRE_CLIENT_SAY, .say = "hello"});
    PUMP_UNTIL(f, f->zone.message_count == 1);
    const struct gateway_stats *stats = &f->gateway->stats;
    assert_true(stats->asks == 3 && stats->asks_refused == 0 && f->gateway->guide->stats.asks_sent == 3);
    assert_int_equal(f->matchmaker.asks, 3);
}

static void test_gateway_matches_asks_of_one_moment_are_one_message(void **state) {
    struct fixture *f = play_with_matchmaker(state);
    for (int i = 0; i < 8; i++) look(f);
    PUMP_UNTIL(f, f->matchmaker.asks == 8);
    assert_true(f->matchmaker.batches < 8);
}

static void test_gateway_matches_batches_keep_their_distance(void **state) {
    struct fixture *f = play_with_matchmaker(state);
    struct guide *guide = f->gateway->guide;
    struct wire_session_ref ref = {.session = 1, .player = PLAYER};
    static const uint8_t bytes[8] = {0};
    struct mono now = mono_add_ms(mono_now(), 1000);
    assert_int_equal(guide_ask(guide, &ref, bytes, sizeof bytes), 0);
    guide_flush(guide, now);
    assert_false(guide_waits(guide));
    assert_int_equal(guide_ask(guide, &ref, bytes, sizeof bytes), 0);
    guide_flush(guide, mono_add_ns(now, GUIDE_FLUSH_MS * NS_PER_MS - 1));
    assert_true(guide_waits(guide));
    guide_flush(guide, mono_add_ms(now, GUIDE_FLUSH_MS));
    assert_false(guide_waits(guide));
    assert_int_equal(guide->stats.asks_sent, 2);
}

static void test_gateway_matches_player_is_told(void **state) {
    struct fixture *f = play_with_matchmaker(state);
    unsigned before = f->client.messages;
    fake_matchmaker_tell(&f->matchmaker, PLAYER + 1, &matched);
    fake_matchmaker_tell(&f->matchmaker, PLAYER, &matched);
    PUMP_UNTIL(f, f->client.messages > before);
    assert_int_equal(f->client.told.kind, WIRE_SERVER_TICKET);
    assert_true(f->client.told.ticket.ticket == 9 && f->client.told.ticket.instance == 3);
    assert_true(f->gateway->stats.tells == 1 && f->gateway->stats.tells_unknown == 1);
}

static void test_gateway_matches_player_that_left_or_is_not_admitted_is_not_told(void **state) {
    struct fixture *f = *state;
    f->persist.is_mute = true;
    publish(f);
    PUMP_UNTIL(f, is_up(f) && gateway_keepers_up(f->gateway) == 1);
    client_start(f, &f->server[0]);
    PUMP_UNTIL(f, in_state(f, SESSION_CLAIMING) == 1);
    fake_matchmaker_tell(&f->matchmaker, PLAYER, &matched);
    PUMP_UNTIL(f, f->gateway->stats.tells_unknown == 1);
    f->persist.is_mute = false;
    fake_persist_answer(&f->persist, &f->persist.claims[0]);
    client_write(&f->client, NULL, NULL);
    PUMP_UNTIL(f, in_state(f, SESSION_PLAYING) == 1);
    fake_matchmaker_tell(&f->matchmaker, PLAYER, &matched);
    PUMP_UNTIL(f, f->gateway->stats.tells == 1);
    netcode_client_disconnect(&f->client.netcode, client_send_raw, &f->client);
    PUMP_UNTIL(f, in_state(f, SESSION_FREE) == SLOTS);
    fake_matchmaker_tell(&f->matchmaker, PLAYER, &matched);
    PUMP_UNTIL(f, f->gateway->stats.tells_unknown == 2);
}

static bool is_told_unavailable(const struct fixture *f, enum wire_server_kind kind) {
    const struct wire_server_message *told = &f->client.told;
    if (f->client.messages == 0 || told->kind != kind) return false;
    return kind == WIRE_SERVER_TICKET
               ? told->ticket.state == WIRE_TICKET_NONE && told->ticket.reason == WIRE_REASON_UNAVAILABLE
               : told->party.leader == 0 && told->party.reason == WIRE_REASON_UNAVAILABLE;
}

static void assert_unavailable(struct fixture *f) {
    look(f);
    PUMP_UNTIL(f, is_told_unavailable(f, WIRE_SERVER_TICKET));
    say(f, &(struct wire_client_message){.kind = WIRE_CLIENT_PARTY, .party = {WIRE_PARTY_LOOK, 0}});
    PUMP_UNTIL(f, is_told_unavailable(f, WIRE_SERVER_PARTY));
    say(f, &(struct wire_client_message){.kind = WIRE_CLIENT_ENTER, .enter = {.mode = "duel"}});
    PUMP_UNTIL(f, is_told_unavailable(f, WIRE_SERVER_TICKET));
    assert_true(f->gateway->stats.asks == 3 && f->gateway->stats.asks_refused == 3);
    assert_int_equal(f->zone.message_count, 0);
}

static void test_gateway_matches_without_a_matchmaker_is_unavailable(void **state) {
    assert_unavailable(play(state, 0));
}

static void test_gateway_matches_while_the_matchmaker_is_away_is_unavailable(void **state) {
    struct fixture *f = play_with_matchmaker(state);
    fake_matchmaker_close(&f->matchmaker);
    PUMP_UNTIL(f, !guide_is_up(f));
    assert_unavailable(f);
    fake_matchmaker_open(&f->matchmaker, f->dir, 10);
    PUMP_UNTIL(f, guide_is_up(f));
    look(f);
    PUMP_UNTIL(f, f->matchmaker.asks == 1); /* that one alone: the others were answered */
    assert_int_equal(f->gateway->stats.asks_refused, 3);
}

static void test_gateway_matches_more_than_a_session_may_ask_is_refused(void **state) {
    struct fixture *f = play_with_matchmaker(state);
    for (unsigned i = 0; i < 2 * ADMISSION_COMMANDS_BURST; i++) {
        look(f);
        if (i % 8 == 0) pump(f);
    }
    PUMP_UNTIL(f, f->gateway->stats.asks == 2 * ADMISSION_COMMANDS_BURST);
    assert_in_range(f->gateway->stats.asks_refused, 1, ADMISSION_COMMANDS_BURST);
    PUMP_UNTIL(f, f->matchmaker.asks == f->gateway->stats.asks - f->gateway->stats.asks_refused);
    PUMP_UNTIL(f, is_told_unavailable(f, WIRE_SERVER_TICKET));
}

static void test_gateway_matches_full_batch_refuses_and_what_was_lost_is_not_sent_later(void **state) {
    struct fixture *f = play_with_matchmaker(state);
    struct guide *guide = f->gateway->guide;
    struct wire_session_ref ref = {.session = 1, .player = PLAYER};
    static const uint8_t bytes[WIRE_CLIENT_BYTES_MAX] = {0};
    for (unsigned i = 0; i < GUIDE_ASKS_MAX; i++) assert_int_equal(guide_ask(guide, &ref, bytes, 8), 0);
    assert_int_equal(guide_ask(guide, &ref, bytes, 8), MARCH_ERR_FULL);
    guide->ask_count = guide->blob_len = 0;
    for (unsigned i = 0; i < GUIDE_BLOB_BYTES / WIRE_CLIENT_BYTES_MAX; i++)
        assert_int_equal(guide_ask(guide, &ref, bytes, sizeof bytes), 0);
    assert_int_equal(guide_ask(guide, &ref, bytes, 1), MARCH_ERR_FULL);
    fake_matchmaker_close(&f->matchmaker);
    guide->flush_at = mono_add_ms(mono_now(), 60000); /* so that they are still there when the link is lost */
    PUMP_UNTIL(f, !guide_is_up(f));
    assert_int_equal(guide_ask(guide, &ref, bytes, 8), MARCH_ERR_NOT_FOUND);
    assert_false(guide_waits(guide));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_gateway_matches_asks_go_to_the_matchmaker_and_not_to_the_zone, setup_matchmaker,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_gateway_matches_asks_of_one_moment_are_one_message, setup_matchmaker, teardown),
        cmocka_unit_test_setup_teardown(test_gateway_matches_batches_keep_their_distance, setup_matchmaker, teardown),
        cmocka_unit_test_setup_teardown(test_gateway_matches_player_is_told, setup_matchmaker, teardown),
        cmocka_unit_test_setup_teardown(test_gateway_matches_player_that_left_or_is_not_admitted_is_not_told, setup_claims,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_gateway_matches_without_a_matchmaker_is_unavailable, setup_without, teardown),
        cmocka_unit_test_setup_teardown(test_gateway_matches_while_the_matchmaker_is_away_is_unavailable, setup_matchmaker,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_gateway_matches_more_than_a_session_may_ask_is_refused, setup_matchmaker,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_gateway_matches_full_batch_refuses_and_what_was_lost_is_not_sent_later,
                                        setup_matchmaker, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
