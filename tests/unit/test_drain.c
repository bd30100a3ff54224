/* A gateway that is to go: nobody new, and everybody is sent elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/gateway_fixture.h"

static int setup(void **state) {
    return setup_parts(state, IO_BACK_END_EPOLL, true, true);
}

static void tell(struct fixture *f, enum wire_gateway_state of_this) {
    f->directory.version++;
    f->directory.gateways[0].state = of_this;
    fake_matchmaker_send(&f->matchmaker, &f->directory);
    PUMP_UNTIL(f, f->gateway->compass.directory.version == f->directory.version);
    pump(f);
}

static struct fixture *playing(void **state) {
    struct fixture *f = *state;
    PUMP_UNTIL(f, is_up(f) && gateway_keepers_up(f->gateway) == 1 && f->gateway->guide->link.state == LINK_UP);
    tell(f, WIRE_GATEWAY_UP);
    client_start(f, &f->server[0]);
    PUMP_UNTIL(f, f->client.netcode.state == NETCODE_CLIENT_CONNECTED);
    client_input(&f->client, 1);
    PUMP_UNTIL(f, in_state(f, SESSION_PLAYING) == 1 && f->gateway->stats.packets_in == 1);
    return f;
}

static void test_drain_client_gets_a_token_for_the_others(void **state) {
    struct fixture *f = playing(state);
    f->has_other_gateway = true;
    tell(f, WIRE_GATEWAY_DRAINING);
    PUMP_UNTIL(f, f->client.told.kind == WIRE_SERVER_RECONNECT);
    assert_int_equal(f->client.told.reconnect.within_ms, NETCODE_TOKEN_LIFETIME_DEFAULT * 1000);
    struct netcode_token_public token;
    struct netcode_token_private sealed;
    assert_int_equal(netcode_token_read_public(&token, f->client.told.reconnect.token, WIRE_TOKEN_BYTES), 0);
    assert_int_equal(token.server_count, 1);
    assert_true(addr_equal(&token.servers[0], &f->server[1]));
    assert_int_equal(token.expire_s - token.create_s, NETCODE_TOKEN_LIFETIME_DEFAULT);
    assert_int_equal(
        netcode_token_open_private(&sealed, token.sealed, PROTOCOL_ID, token.expire_s, token.nonce, connect_key), 0);
    assert_int_equal(sealed.client_id, PLAYER);
    for (int i = 0; i < 50; i++) pump(f);
    assert_int_equal(f->gateway->drain.told, 1);       /* once */
    assert_int_equal(in_state(f, SESSION_PLAYING), 1); /* and it plays on */
    f->gateway->drain.round_at = f->gateway->now;      /* but who is here when the token has expired is told again */
    f->client.told.kind = WIRE_SERVER_RESPAWNED;
    PUMP_UNTIL(f, f->client.told.kind == WIRE_SERVER_RECONNECT);
    assert_int_equal(f->gateway->drain.told, 2);
}

static void test_drain_client_is_told_again_where_another_gateway_was_started_again(void **state) {
    struct fixture *f = playing(state);
    f->has_other_gateway = true;
    tell(f, WIRE_GATEWAY_DRAINING);
    PUMP_UNTIL(f, f->client.told.kind == WIRE_SERVER_RECONNECT);
    f->client.told.kind = WIRE_SERVER_RESPAWNED;
    f->directory.gateways[1].incarnation++;
    tell(f, WIRE_GATEWAY_DRAINING);
    struct mono since = f->gateway->now;
    f->gateway->drain.servers_at = since;
    PUMP_UNTIL(f, f->client.told.kind == WIRE_SERVER_RECONNECT);
    assert_in_range(mono_since_ns(f->gateway->now, since), DRAIN_RESTARTED_MS * NS_PER_MS,
                    (DRAIN_RESTARTED_MS + 2000) * NS_PER_MS);
    assert_int_equal(f->gateway->drain.told, 2);
}

static void test_drain_nobody_new_comes_in_until_it_ends(void **state) {
    struct fixture *f = *state;
    PUMP_UNTIL(f, is_up(f) && gateway_keepers_up(f->gateway) == 1 && f->gateway->guide->link.state == LINK_UP);
    tell(f, WIRE_GATEWAY_DRAINING);
    client_start(f, &f->server[0]);
    PUMP_UNTIL(f, f->client.netcode.state == NETCODE_CLIENT_DENIED);
    assert_int_equal(in_state(f, SESSION_FREE), SLOTS);
    struct netcode_server_stats stats;
    netcode_server_stats(f->gateway->netcode, &stats);
    assert_in_range(stats.drops_total[NETCODE_DROP_SERVER_CLOSED], 1, 100);
    close(f->client.fd);
    tell(f, WIRE_GATEWAY_UP);
    client_start(f, &f->server[0]);
    PUMP_UNTIL(f, f->client.netcode.state == NETCODE_CLIENT_CONNECTED);
}

static void test_drain_without_others_tells_nobody(void **state) {
    struct fixture *f = playing(state);
    tell(f, WIRE_GATEWAY_DRAINING);
    for (int i = 0; i < 50; i++) pump(f);
    assert_int_equal(f->gateway->drain.told, 0);
    assert_true(f->gateway->drain.is_draining);
    f->has_other_gateway = true;
    f->directory.gateways[1].state = WIRE_GATEWAY_AWAY; /* has an address, but is not there */
    tell(f, WIRE_GATEWAY_DRAINING);
    f->gateway->drain.servers_at = f->gateway->now;
    for (int i = 0; i < 50; i++) pump(f);
    assert_int_equal(f->gateway->drain.told, 0);
    f->directory.gateways[1].state = WIRE_GATEWAY_UP;
    tell(f, WIRE_GATEWAY_DRAINING);
    f->gateway->drain.servers_at = f->gateway->now;
    PUMP_UNTIL(f, f->client.told.kind == WIRE_SERVER_RECONNECT);
}

static void test_drain_is_paced(void **state) {
    struct fixture *f = playing(state);
    f->has_other_gateway = true;
    tell(f, WIRE_GATEWAY_DRAINING);
    PUMP_UNTIL(f, f->gateway->drain.told == 1);
    struct mono start = mono_now();
    unsigned rounds = 0;
    for (uint64_t told = 1; mono_since_ns(mono_now(), start) < 100 * NS_PER_MS; rounds += told != f->gateway->drain.told) {
        told = f->gateway->drain.told;
        f->gateway->drain.round_at = f->gateway->now; /* each step begins another round, of the one client */
        pump(f);
    }
    assert_in_range(rounds, 1, 100 / DRAIN_STEP_MS + 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_drain_client_gets_a_token_for_the_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drain_client_is_told_again_where_another_gateway_was_started_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_drain_nobody_new_comes_in_until_it_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drain_without_others_tells_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drain_is_paced, setup, teardown),
    };
    if (sodium_init() < 0) return 1;
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
