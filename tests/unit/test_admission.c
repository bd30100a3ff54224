/* test_admission.c: a gateway and its persist: claims, takeover, commands, and persist away and back. */
#include "gateway/admission.h"
#include "tests/unit/gateway_fixture.h"

#define KEY 0x1122334455667788ULL

static int setup_persist(void **state) {
    return setup_gateway(state, IO_BACK_END_EPOLL, true);
}

static int setup_without(void **state) {
    return setup_gateway(state, IO_BACK_END_EPOLL, false);
}

static bool keeper_is_up(const struct fixture *f) {
    return gateway_keepers_up(f->gateway) == 1;
}

/* enter connects a client and has it heard. */
static struct fixture *enter(void **state) {
    struct fixture *f = *state;
    PUMP_UNTIL(f, is_up(f) && (f->gateway->keeper_count == 0 || keeper_is_up(f)));
    client_start(f, &f->server[0]);
    PUMP_UNTIL(f, f->client.netcode.state == NETCODE_CLIENT_CONNECTED);
    client_write(&f->client, NULL, NULL);
    PUMP_UNTIL(f, f->gateway->stats.packets_in == 1);
    return f;
}

static struct fixture *play_claimed(void **state) {
    struct fixture *f = enter(state);
    PUMP_UNTIL(f, in_state(f, SESSION_PLAYING) == 1);
    return f;
}

static void client_send_raw(void *context, const struct addr *to, const uint8_t *packet, size_t len) {
    (void)to;
    client_flush(context, packet, len);
}

static void command(struct fixture *f, uint64_t key) {
    struct wire_builder *builder = wire_builder_create(WIRE_CLIENT_BYTES_MAX);
    struct wire_client_message message = {.kind = WIRE_CLIENT_COMMAND};
    message.command = (struct wire_command){.key = key, .verb = WIRE_COMMAND_USE, .item = 5};
    struct wire_bytes bytes;
    assert_int_equal(wire_client_message_pack(builder, &message, &bytes), 0);
    assert_int_equal(channel_send(&f->client.channel, mono_now(), bytes.data, bytes.len), 0);
    wire_builder_destroy(builder);
}

static bool was_answered(const struct fixture *f, uint64_t key, enum wire_command_status status) {
    const struct wire_server_message *told = &f->client.told;
    return f->client.messages > 0 && told->kind == WIRE_SERVER_COMMAND_RESULT && told->result.key == key &&
           told->result.status == status;
}

static void lose_persist(struct fixture *f) {
    fake_persist_close(&f->persist);
    PUMP_UNTIL(f, !keeper_is_up(f));
}

static void test_admission_claims_before_the_zone_is_told(void **state) {
    struct fixture *f = *state;
    f->persist.is_mute = true;
    enter(state);
    PUMP_UNTIL(f, f->persist.claim_count == 1);
    for (int i = 0; i < 30; i++) pump(f);
    assert_int_equal(in_state(f, SESSION_CLAIMING), 1);
    assert_int_equal(f->zone.attach_count, 0);
    const struct wire_session_claim *claim = &f->persist.claims[0];
    assert_int_equal(claim->player, PLAYER);
    assert_true(claim->token_lo != 0 && claim->token_hi != 0 && claim->token_expires_s > wall_now_s());
    assert_string_equal(f->persist.region, "main");
    f->persist.claimed.session_epoch = 70;
    fake_persist_answer(&f->persist, claim);
    PUMP_UNTIL(f, in_state(f, SESSION_PLAYING) == 1);
    assert_int_equal(f->zone.attaches[0].session_epoch, 71);
    assert_int_equal(f->zone.attaches[0].session, claim->session);
}

static void test_admission_token_used_or_refused_disconnects(void **state) {
    struct fixture *f = *state;
    f->persist.result = WIRE_CLAIM_TOKEN_USED;
    enter(state);
    PUMP_UNTIL(f, f->client.netcode.state == NETCODE_CLIENT_DISCONNECTED);
    assert_int_equal(f->gateway->stats.ended[SESSION_END_TOKEN_USED], 1);
    assert_int_equal(f->zone.attach_count, 0);
    assert_int_equal(f->persist.end_count, 0); /* it never had the session */
}

static void test_admission_undecided_claim_is_asked_again(void **state) {
    struct fixture *f = *state;
    f->persist.result = WIRE_CLAIM_UNAVAILABLE;
    enter(state);
    PUMP_UNTIL(f, f->persist.claim_count == 2);
    f->persist.result = WIRE_CLAIM_OK;
    PUMP_UNTIL(f, in_state(f, SESSION_PLAYING) == 1);
}

static void test_admission_waits_for_a_persist_that_is_away(void **state) {
    struct fixture *f = *state;
    PUMP_UNTIL(f, is_up(f) && keeper_is_up(f));
    lose_persist(f);
    client_start(f, &f->server[0]);
    PUMP_UNTIL(f, f->client.netcode.state == NETCODE_CLIENT_CONNECTED);
    client_write(&f->client, NULL, NULL);
    for (int i = 0; i < 30; i++) pump(f);
    assert_int_equal(in_state(f, SESSION_CLAIMING), 1);
    fake_persist_open(&f->persist, f->dir, 6);
    PUMP_UNTIL(f, in_state(f, SESSION_PLAYING) == 1);
    lose_persist(f);
    for (int i = 0; i < 30; i++) pump(f);
    assert_int_equal(in_state(f, SESSION_PLAYING), 1); /* who plays goes on */
}

static void test_admission_claim_without_answer_ends(void **state) {
    struct fixture *f = *state;
    f->persist.is_mute = true;
    enter(state);
    PUMP_UNTIL(f, f->persist.claim_count == 1);
    f->gateway->claims[(uint32_t)f->persist.claims[0].session].since_ns -= ADMISSION_WAIT_MS * NS_PER_MS;
    PUMP_UNTIL(f, f->client.netcode.state == NETCODE_CLIENT_DISCONNECTED);
    assert_int_equal(f->gateway->stats.ended[SESSION_END_CLAIM_LATE], 1);
    assert_int_equal(f->client.told.kind, WIRE_SERVER_ENDED);
    assert_int_equal(f->client.told.ended, WIRE_END_UNAVAILABLE);
    fake_persist_answer(&f->persist, &f->persist.claims[0]); /* too late: it is given back */
    PUMP_UNTIL(f, f->persist.end_count == 1);
    assert_int_equal(f->persist.ends[0].player, PLAYER);
}

static void test_admission_player_goes_to_the_zone_of_its_place(void **state) {
    static const struct {
        int32_t x, y;
        bool is_known, is_other;
    } cases[] = {{-1, -100 * 65536, true, true},
                 {-100 * 65536, -1, true, true},
                 {0, -1, true, false},                /* that rectangle ends there: it is the first's */
                 {-100 * 65536 - 1, -1, true, false}, /* nobody's: as if it were not known */
                 {-1, -1, false, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(i == 0 ? 0 : setup_persist(state), 0);
        struct fixture *f = *state;
        PUMP_UNTIL(f, is_up(f) && keeper_is_up(f));
        f->persist.claimed.flags = cases[i].is_known ? WIRE_CLAIMED_POSITION_KNOWN : 0;
        f->persist.claimed.x = cases[i].x, f->persist.claimed.y = cases[i].y;
        play_claimed(state);
        assert_int_equal(f->other_zone.attach_count, cases[i].is_other);
        assert_int_equal(f->zone.attach_count, !cases[i].is_other);
        if (i + 1 < sizeof cases / sizeof *cases) teardown(state);
    }
}

static void test_admission_player_that_a_zone_has_goes_there(void **state) {
    struct fixture *f = *state;
    PUMP_UNTIL(f, is_up(f) && keeper_is_up(f));
    f->persist.claimed.flags = WIRE_CLAIMED_POSITION_KNOWN | WIRE_CLAIMED_ZONE_KNOWN;
    f->persist.claimed.x = 0, f->persist.claimed.y = -1; /* the first zone's */
    f->persist.claimed.zone = 1;
    play_claimed(state);
    assert_int_equal(f->other_zone.attach_count, 1);
    assert_int_equal(f->zone.attach_count, 0);
    assert_int_equal(teardown(state) + setup_persist(state), 0);
    f = *state;
    PUMP_UNTIL(f, is_up(f) && keeper_is_up(f));
    f->persist.claimed.flags = WIRE_CLAIMED_ZONE_KNOWN;
    f->persist.claimed.zone = 77; /* a slot that there is not */
    play_claimed(state);
}

static void test_admission_player_that_is_elsewhere_goes_on_there(void **state) {
    struct fixture *f = *state;
    PUMP_UNTIL(f, is_up(f) && keeper_is_up(f));
    f->persist.claimed.flags = WIRE_CLAIMED_ZONE_KNOWN;
    f->persist.claimed.zone = 0;
    f->zone.attach_result = WIRE_ATTACH_ELSEWHERE;
    f->zone.attach_elsewhere = 1;
    play_claimed(state);
    assert_int_equal(f->zone.attach_count, 1);
    assert_int_equal(f->other_zone.attach_count, 1);
    assert_int_equal(f->other_zone.attaches[0].attachment, 2);
}

static void test_admission_player_that_is_elsewhere_waits_for_a_zone_that_is_lost(void **state) {
    struct fixture *f = *state;
    PUMP_UNTIL(f, is_up(f) && keeper_is_up(f));
    f->persist.claimed.flags = WIRE_CLAIMED_ZONE_KNOWN;
    f->zone.attach_result = WIRE_ATTACH_ELSEWHERE;
    f->zone.attach_elsewhere = 1;
    fake_zone_close(&f->other_zone);
    PUMP_UNTIL(f, gateway_routes_up(f->gateway) == 1);
    client_start(f, &f->server[0]);
    PUMP_UNTIL(f, f->client.netcode.state == NETCODE_CLIENT_CONNECTED);
    client_write(&f->client, NULL, NULL);
    PUMP_UNTIL(f, f->client.told.kind == WIRE_SERVER_ZONE_STATUS);
    assert_int_equal(in_state(f, SESSION_WAITING), 1);
    assert_int_equal(f->zone.attach_count, 1); /* not asked again and again */
    fake_zone_open(&f->other_zone, f->dir, "zone-1", 88);
    f->other_zone.attaches_all = true;
    PUMP_UNTIL(f, in_state(f, SESSION_PLAYING) == 1);
    assert_int_equal(f->other_zone.attach_count, 1);
}

static void test_admission_takeover_elsewhere_ends_the_session_here(void **state) {
    struct fixture *f = play_claimed(state);
    struct wire_session_ended ended = {.session = session_of(f),
                                       .player = PLAYER,
                                       .session_epoch = f->persist.claimed.session_epoch + 1,
                                       .reason = WIRE_ENDED_TAKEN_OVER};
    fake_persist_send(&f->persist, &(struct wire_persist_sessions){.ended = &ended, .ended_count = 1});
    for (int i = 0; i < 30; i++) pump(f);
    assert_int_equal(in_state(f, SESSION_PLAYING), 1); /* another epoch: not this session */
    ended.session_epoch--;
    fake_persist_send(&f->persist, &(struct wire_persist_sessions){.ended = &ended, .ended_count = 1});
    PUMP_UNTIL(f, f->client.netcode.state == NETCODE_CLIENT_DISCONNECTED);
    assert_int_equal(f->gateway->stats.ended[SESSION_END_TAKEN_OVER], 1);
    assert_int_equal(f->client.told.kind, WIRE_SERVER_ENDED);
    assert_int_equal(f->client.told.ended, WIRE_END_TAKEN_OVER);
    PUMP_UNTIL(f, f->zone.detach_count == 1);
    assert_int_equal(f->zone.detaches[0].reason, WIRE_DETACH_TAKEN_OVER);
}

static void test_admission_second_login_here_takes_over(void **state) {
    struct fixture *f = play_claimed(state);
    uint64_t first = session_of(f);
    int fd = f->client.fd;
    channel_deinit(&f->client.channel);
    struct channel_config channel = {
        .accept = CHANNEL_ACCEPT_AT_CLIENT, .message_bytes_max = MESSAGE_MAX, .send_blocks_max = 256};
    channel_init(&f->client.channel, &channel, &f->blocks);
    client_start(f, &f->server[0]); /* the same player, another token and address */
    PUMP_UNTIL(f, f->client.netcode.state == NETCODE_CLIENT_CONNECTED);
    client_write(&f->client, NULL, NULL);
    PUMP_UNTIL(f, in_state(f, SESSION_PLAYING) == 1 && f->zone.attach_count == 2);
    assert_true(session_of(f) != first);
    assert_int_equal(f->gateway->stats.ended[SESSION_END_TAKEN_OVER], 1);
    assert_int_equal(f->persist.claim_count, 2);
    assert_int_equal(f->zone.detaches[0].session, first);
    close(fd);
}

static void test_admission_session_that_leaves_is_ended_at_persist(void **state) {
    struct fixture *f = play_claimed(state);
    uint64_t session = session_of(f);
    netcode_client_disconnect(&f->client.netcode, client_send_raw, &f->client);
    PUMP_UNTIL(f, f->persist.end_count == 1);
    assert_true(f->persist.ends[0].session == session && f->persist.ends[0].session_epoch == 1);
}

static void test_admission_persist_that_is_back_is_told_of_all(void **state) {
    struct fixture *f = play_claimed(state);
    lose_persist(f);
    f->persist.refresh_count = 0;
    f->gateway->refresh_at = (struct mono){UINT64_MAX}; /* not by the usual round */
    fake_persist_open(&f->persist, f->dir, 6);
    PUMP_UNTIL(f, f->persist.refresh_count >= 1);
    assert_true(f->persist.refreshes[0].session == session_of(f) && f->persist.refreshes[0].player == PLAYER);
    assert_int_equal(f->persist.refreshes[0].session_epoch, 1);
    assert_int_equal(f->persist.claim_count, 1);
    assert_int_equal(in_state(f, SESSION_PLAYING), 1);
}

static void test_admission_sessions_are_refreshed(void **state) {
    struct fixture *f = play_claimed(state);
    PUMP_UNTIL(f, f->persist.refresh_count >= 1);
}

static void test_admission_command_goes_to_persist_and_its_answer_to_the_client(void **state) {
    struct fixture *f = play_claimed(state);
    command(f, KEY);
    PUMP_UNTIL(f, f->persist.command_count == 1);
    const struct wire_session_command *c = &f->persist.commands[0];
    assert_true(c->session == session_of(f) && c->player == PLAYER && c->session_epoch == 1);
    assert_true(f->persist.command.command.key == KEY && f->persist.command.command.item == 5);
    assert_int_equal(f->zone.message_count, 0);
    assert_int_equal(f->gateway->keepers[0]->waiting_count, 1);
    struct wire_server_message answer = {.kind = WIRE_SERVER_COMMAND_RESULT, .result = {.key = KEY}};
    fake_persist_tell(&f->persist, c->session, &answer);
    PUMP_UNTIL(f, was_answered(f, KEY, WIRE_STATUS_OK));
    assert_int_equal(f->gateway->keepers[0]->waiting_count, 0);
    struct wire_server_message notice = {.kind = WIRE_SERVER_TRADE_CLOSED, .trade_closed = {9, WIRE_TRADE_DONE}};
    fake_persist_tell(&f->persist, c->session, &notice);
    PUMP_UNTIL(f, f->client.told.kind == WIRE_SERVER_TRADE_CLOSED);
    fake_persist_tell(&f->persist, c->session + (1ULL << 32), &notice);
    PUMP_UNTIL(f, f->gateway->stats.messages_unknown == 1);
}

static void test_admission_command_while_persist_is_away_is_answered_at_once(void **state) {
    struct fixture *f = play_claimed(state);
    command(f, KEY);
    PUMP_UNTIL(f, f->persist.command_count == 1);
    f->gateway->keepers[0]->waiting[0].until_ns = UINT64_MAX;
    fake_persist_close(&f->persist); /* with that one unanswered */
    PUMP_UNTIL(f, was_answered(f, KEY, WIRE_STATUS_UNAVAILABLE));
    assert_int_equal(f->gateway->keepers[0]->stats.commands_unanswered, 1);
    command(f, KEY + 1);
    PUMP_UNTIL(f, was_answered(f, KEY + 1, WIRE_STATUS_UNAVAILABLE));
    assert_int_equal(f->gateway->keepers[0]->stats.commands_unanswered, 1); /* it never went out */
    assert_int_equal(in_state(f, SESSION_PLAYING), 1);
}

static void test_admission_command_that_persist_never_answers_is_given_up(void **state) {
    struct fixture *f = play_claimed(state);
    command(f, KEY);
    PUMP_UNTIL(f, f->persist.command_count == 1);
    f->gateway->keepers[0]->waiting[f->gateway->keepers[0]->waiting_head].until_ns = 1;
    PUMP_UNTIL(f, was_answered(f, KEY, WIRE_STATUS_UNAVAILABLE));
}

static void test_admission_too_many_commands_are_busy(void **state) {
    struct fixture *f = play_claimed(state);
    unsigned count = ADMISSION_COMMANDS_BURST + 10;
    for (unsigned i = 0; i < count; i++) {
        command(f, KEY + i);
        for (int k = 0; k < 3 && f->client.channel.send_count > 20; k++) pump(f);
    }
    PUMP_UNTIL(f, f->gateway->stats.commands == count);
    uint64_t busy = f->gateway->stats.commands_refused[WIRE_STATUS_BUSY];
    assert_in_range(busy, 1, 10);
    PUMP_UNTIL(f, f->client.messages == busy && f->persist.command_count == count - busy);
    assert_int_equal(f->client.told.result.status, WIRE_STATUS_BUSY);
}

static void test_admission_other_shard_is_not_believed(void **state) {
    struct fixture *f = *state;
    f->persist.shard = 1;
    PUMP_UNTIL(f, f->gateway->keepers[0]->link.stats.bad == 1);
    assert_false(keeper_is_up(f));
}

static void test_admission_without_persist_commands_are_disabled(void **state) {
    struct fixture *f = enter(state);
    PUMP_UNTIL(f, in_state(f, SESSION_PLAYING) == 1);
    command(f, KEY);
    PUMP_UNTIL(f, was_answered(f, KEY, WIRE_STATUS_DISABLED));
    assert_int_equal(f->zone.attaches[0].session_epoch, 0);
    assert_int_equal(f->zone.message_count, 0);
}

#define WITH_PERSIST(test) cmocka_unit_test_setup_teardown(test, setup_persist, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_PERSIST(test_admission_claims_before_the_zone_is_told),
        WITH_PERSIST(test_admission_token_used_or_refused_disconnects),
        WITH_PERSIST(test_admission_undecided_claim_is_asked_again),
        WITH_PERSIST(test_admission_waits_for_a_persist_that_is_away),
        WITH_PERSIST(test_admission_claim_without_answer_ends),
        WITH_PERSIST(test_admission_player_goes_to_the_zone_of_its_place),
        WITH_PERSIST(test_admission_player_that_a_zone_has_goes_there),
        WITH_PERSIST(test_admission_player_that_is_elsewhere_goes_on_there),
        WITH_PERSIST(test_admission_player_that_is_elsewhere_waits_for_a_zone_that_is_lost),
        WITH_PERSIST(test_admission_takeover_elsewhere_ends_the_session_here),
        WITH_PERSIST(test_admission_second_login_here_takes_over),
        WITH_PERSIST(test_admission_session_that_leaves_is_ended_at_persist),
        WITH_PERSIST(test_admission_persist_that_is_back_is_told_of_all),
        WITH_PERSIST(test_admission_sessions_are_refreshed),
        WITH_PERSIST(test_admission_command_goes_to_persist_and_its_answer_to_the_client),
        WITH_PERSIST(test_admission_command_while_persist_is_away_is_answered_at_once),
        WITH_PERSIST(test_admission_command_that_persist_never_answers_is_given_up),
        WITH_PERSIST(test_admission_too_many_commands_are_busy),
        WITH_PERSIST(test_admission_other_shard_is_not_believed),
        cmocka_unit_test_setup_teardown(test_admission_without_persist_commands_are_disabled, setup_without, teardown),
    };
    if (sodium_init() < 0) return 1;
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
