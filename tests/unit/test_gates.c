/* test_gates.c: which gateways a player is let in by, as gateways come, go, drain and fill. Time is made up. */
#include "common/clock.h"
#include "matchmaker/gates.h"
#include "tests/unit/front_fixture.h"

#define NOW_S 100000

struct fixture {
    struct front_fixture front;
    struct gates *gates;
    struct mono now;
    uint64_t wall_s;
    struct gates_pass pass;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    char error[256];
    *state = f;
    front_fixture_open(&f->front, "");
    f->now = (struct mono){5 * NS_PER_S};
    f->wall_s = NOW_S;
    f->front.atlas->told.gateways[2].state = WIRE_GATEWAY_AWAY;
    const struct gates_config config = {.config = f->front.config, .run_dir = f->front.run_dir, .atlas = f->front.atlas};
    if (gates_open(&f->gates, &config, error, sizeof error) != 0) fail_msg("%s", error);
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    gates_close(f->gates);
    front_fixture_close(&f->front);
    free(f);
    return 0;
}

#define PLAYER 42

static enum gates_answer admit(struct fixture *f, const char *region) {
    return gates_admit(f->gates, PLAYER, region, f->now, f->wall_s, &f->pass);
}

static void admit_others(struct fixture *f, uint64_t first, int count, int sent[2]) {
    for (int i = 0; i < count; i++) {
        assert_int_equal(gates_admit(f->gates, first + (uint64_t)i, NULL, f->now, f->wall_s, &f->pass), GATES_DONE);
        sent[f->pass.addresses[0].port - 4000]++;
    }
}

static void pass_s(struct fixture *f, uint64_t seconds) {
    f->now = mono_add_ms(f->now, 1000 * seconds);
    f->wall_s += seconds;
}

/* expect_addresses compares with a list, each with a blank behind. */
static void expect_addresses(const struct fixture *f, const char *expected) {
    char text[1024] = "", address[ADDR_TEXT_MAX];
    for (uint32_t i = 0; i < f->pass.address_count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", addr_format(&f->pass.addresses[i], address));
    assert_string_equal(text, expected);
}

static void test_gates_token_is_what_a_gateway_takes(void **state) {
    struct fixture *f = *state;
    struct netcode_token_public public;
    assert_int_equal(admit(f, NULL), GATES_DONE);
    assert_int_equal(front_fixture_player(&f->front, f->pass.token, &public), 42);
    assert_int_equal(public.create_s, NOW_S);
    assert_int_equal(public.expire_s, NOW_S + FRONT_LIFETIME_S);
    assert_int_equal(f->pass.expires_s, public.expire_s);
    assert_int_equal(public.server_count, f->pass.address_count);
    assert_memory_equal(public.servers, f->pass.addresses, public.server_count * sizeof *public.servers);
    expect_addresses(f, "127.0.0.1:4000 [::1]:4000 127.0.0.1:4001 ");
}

static void test_gates_of_the_least_players_stand_first(void **state) {
    struct fixture *f = *state;
    f->front.atlas->gateways[0].sessions = 30;
    f->front.atlas->gateways[1].sessions = 10;
    assert_int_equal(admit(f, NULL), GATES_DONE);
    expect_addresses(f, "127.0.0.1:4001 127.0.0.1:4000 [::1]:4000 ");
    f->front.atlas->gateways[0].sessions = 0;
    assert_int_equal(admit(f, "east"), GATES_DONE);
    expect_addresses(f, "127.0.0.1:4001 127.0.0.1:4000 [::1]:4000 ");
    f->front.atlas->gateways[1].sessions = 100;
    assert_int_equal(admit(f, "east"), GATES_DONE); /* full */
    expect_addresses(f, "127.0.0.1:4000 [::1]:4000 ");
    f->front.atlas->gateways[0].sessions = 100;
    assert_int_equal(admit(f, NULL), GATES_FULL);
}

/* Between two reports of the gateways. */
static void test_gates_share_a_crowd_that_comes_at_once(void **state) {
    struct fixture *f = *state;
    int first[2] = {0};
    f->front.atlas->gateways[1].sessions = 10;
    admit_others(f, 100, 50, first);
    assert_int_equal(first[0], 30);
    assert_int_equal(first[1], 20);
    pass_s(f, 20); /* nobody came */
    f->front.atlas->gateways[1].sessions = 0;
    f->front.atlas->gateways[0].sessions = 1;
    assert_int_equal(admit(f, NULL), GATES_DONE);
    assert_int_equal(f->pass.addresses[0].port, 4001);
}

static void test_gates_take_back_who_reconnects(void **state) {
    struct fixture *f = *state;
    int sent[2] = {0};
    f->front.atlas->gateways[0].sessions = 1;
    assert_int_equal(admit(f, NULL), GATES_DONE);
    assert_int_equal(f->pass.addresses[0].port, 4001);
    pass_s(f, 20);
    f->front.atlas->gateways[0].sessions = 0;
    f->front.atlas->gateways[1].sessions = 9;
    admit_others(f, 100, 1, sent);
    assert_int_equal(sent[0], 1);
    pass_s(f, 20);
    assert_int_equal(admit(f, NULL), GATES_DONE);
    assert_int_equal(f->pass.addresses[0].port, 4001); /* a little fuller */
    pass_s(f, 20);
    f->front.atlas->gateways[1].sessions = 11;
    assert_int_equal(admit(f, NULL), GATES_DONE);
    assert_int_equal(f->pass.addresses[0].port, 4000); /* clearly fuller */
}

static void test_gates_that_drain_or_are_away_are_left_out(void **state) {
    struct fixture *f = *state;
    f->front.atlas->gateways[0].is_draining = true; /* asked for, and not told yet */
    assert_int_equal(admit(f, NULL), GATES_DONE);
    expect_addresses(f, "127.0.0.1:4001 ");
    f->front.atlas->told.gateways[1].state = WIRE_GATEWAY_DRAINING;
    assert_int_equal(admit(f, NULL), GATES_NONE);
    f->front.atlas->gateways[0].is_draining = false;
    f->front.atlas->told.gateways[0].state = WIRE_GATEWAY_AWAY;
    assert_int_equal(admit(f, NULL), GATES_NONE);
    f->front.atlas->told.gateways[0].state = WIRE_GATEWAY_UP;
    assert_int_equal(admit(f, NULL), GATES_DONE);
    f->front.atlas->phase = ATLAS_GATHERING;
    assert_int_equal(admit(f, NULL), GATES_STARTING);
}

/* A gateway takes no token that may be older than its start. */
static void test_gates_that_have_just_started_wait(void **state) {
    struct fixture *f = *state;
    assert_int_equal(admit(f, NULL), GATES_DONE);
    front_fixture_publish(&f->front, "gateway-0.udp", "127.0.0.1:5000\n", NOW_S);
    f->front.atlas->gateways[0].admitted++; /* another process: looked at at once */
    assert_int_equal(admit(f, NULL), GATES_DONE);
    expect_addresses(f, "127.0.0.1:4001 ");
    f->front.atlas->told.gateways[1].state = WIRE_GATEWAY_AWAY;
    assert_int_equal(admit(f, NULL), GATES_STARTING);
    pass_s(f, NETCODE_TOKEN_SLACK_S);
    assert_int_equal(admit(f, NULL), GATES_STARTING);
    pass_s(f, 1);
    assert_int_equal(admit(f, NULL), GATES_DONE);
    expect_addresses(f, "127.0.0.1:5000 ");
}

static void test_gates_of_other_machines_have_configured_addresses(void **state) {
    struct fixture *f = *state;
    f->front.atlas->told.gateways[0].state = f->front.atlas->told.gateways[1].state = WIRE_GATEWAY_AWAY;
    f->front.atlas->told.gateways[2].state = WIRE_GATEWAY_UP;
    assert_int_equal(admit(f, NULL), GATES_STARTING); /* for all that is known it has just started */
    pass_s(f, NETCODE_TOKEN_SLACK_S + 1);
    assert_int_equal(admit(f, NULL), GATES_DONE);
    expect_addresses(f, "203.0.113.2:4000 ");
    pass_s(f, 100);
    assert_int_equal(admit(f, NULL), GATES_DONE);
    f->front.atlas->gateways[2].admitted++;
    assert_int_equal(admit(f, NULL), GATES_STARTING);
}

static void test_gates_without_addresses_are_left_out(void **state) {
    struct fixture *f = *state;
    front_fixture_publish(&f->front, "gateway-0.udp", "nonsense\n", 1000);
    front_fixture_publish(&f->front, "gateway-1.udp", "", 1000);
    assert_int_equal(admit(f, NULL), GATES_NONE);
    front_fixture_publish(&f->front, "gateway-1.udp", "127.0.0.1:4001\n", 1000);
    pass_s(f, GATES_LOOK_MS / 1000);
    assert_int_equal(admit(f, NULL), GATES_DONE);
    expect_addresses(f, "127.0.0.1:4001 ");
}

static void test_gates_need_the_connect_key(void **state) {
    struct fixture *f = *state;
    char path[128], error[256];
    struct gates *gates;
    const struct gates_config config = {.config = f->front.config, .run_dir = f->front.run_dir, .atlas = f->front.atlas};
    snprintf(path, sizeof path, "%s/connect.key", f->front.run_dir);
    assert_int_equal(remove(path), 0);
    assert_int_equal(gates_open(&gates, &config, error, sizeof error), MARCH_ERR_NOT_FOUND);
    assert_non_null(strstr(error, path));
    gates_close(gates);
}

int main(void) {
#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        test(test_gates_token_is_what_a_gateway_takes),
        test(test_gates_of_the_least_players_stand_first),
        test(test_gates_take_back_who_reconnects),
        test(test_gates_share_a_crowd_that_comes_at_once),
        test(test_gates_that_drain_or_are_away_are_left_out),
        test(test_gates_that_have_just_started_wait),
        test(test_gates_of_other_machines_have_configured_addresses),
        test(test_gates_without_addresses_are_left_out),
        test(test_gates_need_the_connect_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
