/* The gateway in a world of two zones that a matchmaker rules: who is brought where, who is heard, and players that are
 * handed from zone to zone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/stream.h"
#include "tests/unit/gateway_fixture.h"

static int setup(void **state) {
    return setup_parts(state, IO_BACK_END_EPOLL, true, true);
}

static bool all_up(const struct fixture *f) {
    return is_up(f) && gateway_keepers_up(f->gateway) == 1 && f->gateway->guide->link.state == LINK_UP;
}

/* tell makes the fixture's directory the next version. */
static void tell(struct fixture *f) {
    f->directory.version++;
    fake_matchmaker_send(&f->matchmaker, &f->directory);
    PUMP_UNTIL(f, f->gateway->compass.directory.version == f->directory.version);
}

/* in_world lets a client play in zone-0. */
static struct fixture *in_world(void **state) {
    struct fixture *f = *state;
    PUMP_UNTIL(f, all_up(f));
    tell(f);
    f->persist.claimed.flags = WIRE_CLAIMED_POSITION_KNOWN;
    f->persist.claimed.x = 5 * 65536, f->persist.claimed.y = -5 * 65536;
    client_start(f, &f->server[0]);
    PUMP_UNTIL(f, f->client.netcode.state == NETCODE_CLIENT_CONNECTED);
    client_input(&f->client, 1);
    PUMP_UNTIL(f, in_state(f, SESSION_PLAYING) == 1 && f->gateway->stats.packets_in == 1);
    assert_int_equal(f->zone.attach_count, 1);
    return f;
}

static struct session *the_session(struct fixture *f) {
    return session_find(&f->gateway->sessions, session_of(f));
}

static struct wire_carried carried_of(const struct fixture *f, uint32_t attachment, uint32_t target) {
    return (struct wire_carried){.session = session_of(f),
                                 .player = PLAYER,
                                 .attachment = attachment,
                                 .target = target,
                                 .x = -1,
                                 .y = -1,
                                 .newest_seq = f->client.input_seq,
                                 .input_flags = WIRE_CARRIED_ANY};
}

static void reroute(struct fixture *f, struct fake_zone *from, uint32_t attachment, uint32_t target) {
    struct wire_carried carried = carried_of(f, attachment, target);
    fake_zone_send(from, &(struct wire_zone_batch){.reroutes = &carried, .reroute_count = 1});
}

static void say(struct fixture *f, const char *text) {
    assert_int_equal(channel_send(&f->client.channel, mono_now(), (const uint8_t *)text, strlen(text)), 0);
}

static void snapshot(struct fixture *f, struct fake_zone *from) {
    static const uint8_t blob[8] = {1};
    struct wire_snapshot out = {.session = session_of(f), .len = sizeof blob, .snapshot_seq = 1};
    fake_zone_send(from,
                   &(struct wire_zone_batch){.snapshots = &out, .snapshot_count = 1, .blob = blob, .blob_len = sizeof blob});
}

static void test_routing_without_directory_nobody_is_attached(void **state) {
    struct fixture *f = *state;
    PUMP_UNTIL(f, all_up(f));
    assert_false(gateway_has_directory(f->gateway));
    client_start(f, &f->server[0]);
    PUMP_UNTIL(f, in_state(f, SESSION_WAITING) == 1);
    for (int i = 0; i < 50; i++) pump(f);
    assert_int_equal(f->zone.attach_count + f->other_zone.attach_count, 0);
    f->directory.partitions[0].owner = 1; /* zone-0 owns nothing */
    tell(f);
    PUMP_UNTIL(f, in_state(f, SESSION_PLAYING) == 1);
    assert_int_equal(f->other_zone.attach_count, 1);
}

static void test_routing_first_report_of_a_connection_carries_the_directory(void **state) {
    struct fixture *f = *state;
    PUMP_UNTIL(f, f->matchmaker.reports >= 1);
    assert_int_equal(f->matchmaker.held, 0); /* there is none */
    tell(f);
    PUMP_UNTIL(f, f->matchmaker.report.version == 2);
    assert_int_equal(f->matchmaker.held, 0);
    unsigned reports = f->matchmaker.reports;
    struct mono start = mono_now();
    PUMP_UNTIL(f, f->matchmaker.reports == reports + 3);
    assert_true(mono_since_ns(mono_now(), start) >= 2 * GUIDE_REPORT_MS * NS_PER_MS - NS_PER_MS);
    fake_matchmaker_close(&f->matchmaker);
    PUMP_UNTIL(f, f->gateway->guide->link.state == LINK_AWAY);
    assert_true(gateway_has_directory(f->gateway)); /* it holds while nobody tells of another */
    fake_matchmaker_open(&f->matchmaker, f->dir, 10);
    PUMP_UNTIL(f, f->matchmaker.held == 1);
    assert_int_equal(f->matchmaker.held_version, 2);
    fake_matchmaker_send(&f->matchmaker, &f->directory); /* what is known already changes nothing */
    PUMP_UNTIL(f, f->gateway->guide->stats.directories == 2);
    assert_int_equal(f->matchmaker.report.sessions, 0);
}

static void test_routing_unheard_incarnation_is_not_taken(void **state) {
    struct fixture *f = in_world(state);
    f->directory.workers[0].incarnation = 0; /* dead, and still the owner: nobody has been found yet */
    tell(f);
    assert_int_equal(in_state(f, SESSION_WAITING), 1);
    snapshot(f, &f->zone);
    reroute(f, &f->zone, 1, 1);
    PUMP_UNTIL(f, f->gateway->stats.batches_unheard == 2);
    assert_int_equal(f->client.snapshots, 0);
    assert_int_equal(in_state(f, SESSION_WAITING), 1);
    PUMP_UNTIL(f, f->client.messages == 1);
    assert_int_equal(f->client.told.zone_state, WIRE_ZONE_LOST);
    f->directory.partitions[0].owner = WIRE_SLOT_NONE; /* and now nobody */
    tell(f);
    for (int i = 0; i < 20; i++) pump(f);
    assert_int_equal(in_state(f, SESSION_WAITING), 1);
    f->directory.partitions[0].owner = 1;
    tell(f);
    PUMP_UNTIL(f, in_state(f, SESSION_PLAYING) == 1 && f->client.messages == 2);
    assert_int_equal(f->client.told.zone_state, WIRE_ZONE_BACK);
    assert_int_equal(f->other_zone.attach_count, 1);
    assert_int_equal(f->other_zone.attaches[0].attachment, 2);
}

static void test_routing_former_owner_keeps_its_sessions_until_it_is_away(void **state) {
    struct fixture *f = in_world(state);
    f->directory.partitions[0].owner = 1;
    f->directory.partitions[0].former = 0;
    tell(f);
    for (int i = 0; i < 20; i++) pump(f);
    snapshot(f, &f->zone);
    PUMP_UNTIL(f, f->client.snapshots == 1);
    assert_int_equal(f->other_zone.attach_count, 0);
    fake_zone_close(&f->zone);
    PUMP_UNTIL(f, in_state(f, SESSION_WAITING) == 1);
    for (int i = 0; i < 20; i++) pump(f);
    assert_int_equal(f->other_zone.attach_count, 0); /* a lost connection alone takes nothing from it */
    f->directory.workers[0].incarnation = 0;
    tell(f);
    PUMP_UNTIL(f, f->other_zone.attach_count == 1 && in_state(f, SESSION_PLAYING) == 1);
}

static void test_routing_lost_owner_is_waited_for(void **state) {
    struct fixture *f = in_world(state);
    fake_zone_close(&f->zone);
    PUMP_UNTIL(f, in_state(f, SESSION_WAITING) == 1);
    for (int i = 0; i < 20; i++) pump(f);
    fake_zone_open(&f->zone, f->dir, "zone-0", 78); /* the directory does not know that one yet */
    PUMP_UNTIL(f, is_up(f));
    for (int i = 0; i < 20; i++) pump(f);
    assert_int_equal(in_state(f, SESSION_WAITING), 1);
    f->directory.workers[0].incarnation = 78;
    tell(f);
    PUMP_UNTIL(f, in_state(f, SESSION_PLAYING) == 1);
    assert_int_equal(f->zone.attach_count, 2);
    assert_int_equal(f->other_zone.attach_count, 0);
}

static void test_routing_attach_that_a_former_owner_refuses_goes_to_the_owner(void **state) {
    struct fixture *f = *state;
    PUMP_UNTIL(f, all_up(f));
    tell(f);
    f->zone.attach_result = WIRE_ATTACH_UNAVAILABLE;
    f->persist.claimed.flags = WIRE_CLAIMED_POSITION_KNOWN;
    f->persist.claimed.x = 5 * 65536, f->persist.claimed.y = -5 * 65536;
    client_start(f, &f->server[0]);
    PUMP_UNTIL(f, f->zone.attach_count >= 2); /* asked again while it owns the place */
    assert_int_equal(f->other_zone.attach_count, 0);
    f->directory.partitions[0].owner = 1;
    tell(f);
    PUMP_UNTIL(f, in_state(f, SESSION_PLAYING) == 1);
    assert_int_equal(f->other_zone.attach_count, 1);
    assert_int_equal(the_session(f)->route, 1);
}

static void test_routing_player_is_handed_over(void **state) {
    struct fixture *f = in_world(state);
    f->other_zone.activates_all = true;
    client_input(&f->client, 1);
    PUMP_UNTIL(f, f->zone.input_count >= 1 && f->zone.inputs[f->zone.input_count - 1].newest_seq == 2);
    struct wire_carried carried = carried_of(f, 1, 1);
    carried.newest_seq = 1; /* the second was on its way when the player was frozen */
    fake_zone_send(&f->zone, &(struct wire_zone_batch){.reroutes = &carried, .reroute_count = 1});
    PUMP_UNTIL(f, f->zone.routed_count == 1);
    assert_int_equal(f->zone.routed[0].result, WIRE_ROUTED_DONE);
    assert_int_equal(f->zone.routed[0].attachment, 1);
    assert_int_equal(f->other_zone.activates[0].attachment, 2);
    assert_int_equal(f->other_zone.activates[0].x, -1);
    assert_int_equal(the_session(f)->state, SESSION_PLAYING);
    assert_int_equal(the_session(f)->route, 1);
    assert_int_equal(f->client.messages, 0); /* the client is told nothing */
    client_input(&f->client, 2);
    PUMP_UNTIL(f, f->other_zone.input_count == 1);
    assert_int_equal(f->other_zone.inputs[0].newest_seq, 3);
    assert_int_equal(f->other_zone.inputs[0].count, 2); /* and what the first zone never took */
    snapshot(f, &f->zone);
    snapshot(f, &f->other_zone);
    PUMP_UNTIL(f, f->client.snapshots == 1);
    assert_int_equal(f->gateway->stats.snapshots_unknown, 1);
    assert_int_equal(f->zone.detach_count, 0);
}

static void test_routing_messages_follow_in_order(void **state) {
    struct fixture *f = in_world(state);
    f->other_zone.activates_all = true;
    say(f, "first");
    PUMP_UNTIL(f, f->zone.message_count == 1);
    reroute(f, &f->zone, 1, 1);
    PUMP_UNTIL(f, f->zone.routed_count == 1);
    say(f, "second");
    PUMP_UNTIL(f, f->gateway->sessions.blocks.taken > 0);
    for (int i = 0; i < 20; i++) pump(f);
    assert_int_equal(f->other_zone.message_count, 0);
    struct wire_message back = {.session = session_of(f), .len = 5};
    struct wire_routed forgotten = {session_of(f), 1, WIRE_ROUTED_DONE};
    fake_zone_send(&f->zone, &(struct wire_zone_batch){
                                 .returned = &back, .returned_count = 1, .blob = (const uint8_t *)"first", .blob_len = 5});
    PUMP_UNTIL(f, f->other_zone.message_count == 1);
    assert_memory_equal(f->other_zone.message, "first", 5);
    fake_zone_send(&f->zone, &(struct wire_zone_batch){.forgotten = &forgotten, .forgotten_count = 1});
    PUMP_UNTIL(f, f->other_zone.message_count == 2);
    assert_memory_equal(f->other_zone.message, "second", 6);
    back.session = 3;
    fake_zone_send(&f->zone, &(struct wire_zone_batch){
                                 .returned = &back, .returned_count = 1, .blob = (const uint8_t *)"first", .blob_len = 5});
    PUMP_UNTIL(f, f->gateway->stats.returned_dropped == 1);
}

static void test_routing_target_that_is_full_gives_back(void **state) {
    struct fixture *f = in_world(state);
    f->other_zone.activates_all = true;
    f->other_zone.activate_result = WIRE_ACTIVATE_FULL;
    reroute(f, &f->zone, 1, 1);
    PUMP_UNTIL(f, f->zone.routed_count == 1);
    assert_int_equal(f->zone.routed[0].result, WIRE_ROUTED_RESTORED);
    assert_int_equal(f->zone.routed[0].attachment, 3);
    assert_int_equal(the_session(f)->route, 0);
    snapshot(f, &f->zone);
    PUMP_UNTIL(f, f->client.snapshots == 1);
}

static void test_routing_target_lost_in_between_is_told_again(void **state) {
    struct fixture *f = in_world(state);
    reroute(f, &f->zone, 1, 1);
    PUMP_UNTIL(f, f->other_zone.activate_count == 1);
    assert_int_equal(in_state(f, SESSION_MOVING), 1);
    PUMP_UNTIL(f, f->matchmaker.report.moving == 1);
    fake_zone_close(&f->other_zone);
    PUMP_UNTIL(f, gateway_routes_up(f->gateway) == 1);
    assert_int_equal(in_state(f, SESSION_MOVING), 1);
    f->other_zone.activates_all = true;
    fake_zone_open(&f->other_zone, f->dir, "zone-1", 88);
    PUMP_UNTIL(f, f->zone.routed_count == 1);
    assert_int_equal(f->other_zone.activate_count, 2);
    assert_int_equal(f->other_zone.attach_count, 0);
    assert_int_equal(f->zone.routed[0].result, WIRE_ROUTED_DONE);
}

static void test_routing_both_zones_dead_waits_for_the_owner(void **state) {
    struct fixture *f = in_world(state);
    reroute(f, &f->zone, 1, 1);
    PUMP_UNTIL(f, f->other_zone.activate_count == 1);
    f->directory.workers[0].incarnation = 0;
    f->directory.workers[1].incarnation = 0;
    tell(f);
    assert_int_equal(in_state(f, SESSION_WAITING), 1);
    assert_int_equal(the_session(f)->route, 1); /* it owns the place that the player was carried to */
    assert_int_equal(f->gateway->transfers.stats.lost, 1);
    f->directory.workers[0].incarnation = 77;
    f->directory.partitions[1].owner = 0;
    tell(f);
    PUMP_UNTIL(f, in_state(f, SESSION_PLAYING) == 1);
    assert_int_equal(f->zone.attaches[1].attachment, 3);
}

static void test_routing_client_that_leaves_while_it_moves(void **state) {
    struct fixture *f = in_world(state);
    reroute(f, &f->zone, 1, 1);
    PUMP_UNTIL(f, f->other_zone.activate_count == 1);
    upstream_disconnect(f->gateway, the_session(f), SESSION_END_MALFORMED);
    PUMP_UNTIL(f, f->other_zone.detach_count == 1);
    assert_int_equal(f->zone.detach_count, 0);
    fake_zone_activated(&f->other_zone, &f->other_zone.activates[0]);
    PUMP_UNTIL(f, f->zone.routed_count == 1);
    assert_int_equal(f->zone.routed[0].result, WIRE_ROUTED_DONE);
    assert_int_equal(transfer_count(&f->gateway->transfers), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_routing_without_directory_nobody_is_attached, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routing_first_report_of_a_connection_carries_the_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routing_unheard_incarnation_is_not_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routing_former_owner_keeps_its_sessions_until_it_is_away, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routing_lost_owner_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routing_attach_that_a_former_owner_refuses_goes_to_the_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routing_player_is_handed_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routing_messages_follow_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routing_target_that_is_full_gives_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routing_target_lost_in_between_is_told_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routing_both_zones_dead_waits_for_the_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(test_routing_client_that_leaves_while_it_moves, setup, teardown),
    };
    if (sodium_init() < 0) return 1;
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
