/* test_netcode_client.c: every state and time-out of the client, against the real server and against silence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include "gateway/netcode_server.h"
#include "tools/client/netcode_client.h"

#define PROTOCOL 77ULL
#define START_S  1700000000ULL
#define SERVERS  2

/* Two servers and a client on a wire that a test can cut. */
static struct netcode_server *servers[SERVERS];
static struct addr server_addrs[SERVERS], client_addr;
static bool cut_to_server[SERVERS], cut_to_client[SERVERS];
static uint8_t connect_key[NETCODE_KEY_BYTES] = {1};
static struct netcode_client client;
static struct mono now;
static uint64_t wall_s;
static struct netcode_token_params params;
static uint8_t token[NETCODE_TOKEN_BYTES];
static struct netcode_event event;
static uint32_t packets_to_server, payloads_at_client, left;
static uint8_t payload_at_client[NETCODE_PAYLOAD_MAX];

static int setup(void **state) {
    (void)state;
    now = (struct mono){5000 * NS_PER_S};
    wall_s = START_S + 100;
    assert_int_equal(addr_parse(&client_addr, "[2001:db8::99]:5555"), 0);
    assert_int_equal(addr_parse(&server_addrs[0], "203.0.113.1:40000"), 0);
    assert_int_equal(addr_parse(&server_addrs[1], "[2001:db8::1]:40000"), 0);
    for (size_t i = 0; i < SERVERS; i++) {
        struct netcode_server_config config;
        netcode_server_config_default(&config);
        config.protocol_id = PROTOCOL;
        config.start_s = START_S;
        config.slots_max = 1;
        config.public_addr_count = 1;
        config.public_addrs[0] = server_addrs[i];
        memcpy(config.connect_key, connect_key, sizeof(connect_key));
        memset(config.secret, (int)i + 1, sizeof(config.secret));
        assert_int_equal(netcode_server_create(&servers[i], &config), 0);
        cut_to_client[i] = cut_to_server[i] = false;
    }
    params = (struct netcode_token_params){.protocol_id = PROTOCOL,
                                           .client_id = 9,
                                           .create_s = wall_s,
                                           .expire_s = wall_s + 30,
                                           .timeout_s = 5,
                                           .server_count = SERVERS};
    memcpy(params.servers, server_addrs, sizeof(server_addrs));
    packets_to_server = payloads_at_client = left = 0;
    netcode_client_init(&client);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    for (size_t i = 0; i < SERVERS; i++) netcode_server_destroy(servers[i]);
    return 0;
}

static size_t index_of(const struct addr *server) {
    return addr_equal(server, &server_addrs[0]) ? 0 : 1;
}

static void to_client(size_t from, const uint8_t *packet, size_t len) {
    uint8_t bytes[NETCODE_PACKET_MAX];
    const uint8_t *payload;
    if (cut_to_client[from]) return;
    memcpy(bytes, packet, len);
    size_t payload_len = netcode_client_receive(&client, now, &server_addrs[from], bytes, len, &payload);
    if (payload_len == 0) return;
    payloads_at_client++;
    memcpy(payload_at_client, payload, payload_len);
}

static void to_server(void *context, const struct addr *to, const uint8_t *packet, size_t len) {
    (void)context;
    uint8_t bytes[NETCODE_PACKET_MAX];
    size_t i = index_of(to);
    packets_to_server++;
    if (cut_to_server[i]) return;
    memcpy(bytes, packet, len);
    netcode_server_receive(servers[i], now, wall_s, &client_addr, bytes, len, &event);
    left += event.type == NETCODE_EVENT_DISCONNECTED;
    if (event.reply_len > 0) to_client(i, event.reply, event.reply_len);
}

static void from_server(void *context, const struct addr *to, const uint8_t *packet, size_t len) {
    if (addr_equal(to, &client_addr)) to_client(*(size_t *)context, packet, len);
}

static void ignore_timeout(void *context, struct netcode_slot slot, uint64_t client_id) {
    (void)context, (void)slot, (void)client_id;
}

static void pass(uint64_t ms) {
    uint64_t start_ns = now.ns, start_s = wall_s;
    for (uint64_t at = 0; at <= ms; at += 10) {
        now.ns = start_ns + at * NS_PER_MS;
        wall_s = start_s + at / 1000;
        uint8_t buf[NETCODE_CLIENT_PACKET_MAX];
        const uint8_t *packet;
        size_t len = netcode_client_update(&client, now, buf, &packet);
        if (len > 0) to_server(NULL, netcode_client_server(&client), packet, len);
        for (size_t i = 0; i < SERVERS; i++) {
            struct netcode_sink sink = {.context = &i, .send = from_server, .timed_out = ignore_timeout};
            netcode_server_update(servers[i], now, wall_s, &sink);
        }
    }
}

static void start(void) {
    assert_int_equal(netcode_token_mint(token, &params, connect_key), 0);
    assert_int_equal(netcode_client_connect(&client, now, token, sizeof(token)), 0);
    assert_int_equal(client.state, NETCODE_CLIENT_REQUESTING);
}

static void test_client_connects_and_exchanges_payloads(void **state) {
    (void)state;
    uint8_t buf[64] = {0}, *packet;
    assert_int_equal(netcode_client_seal(&client, now, buf + NETCODE_HEADROOM, 1, &packet), MARCH_ERR_EMPTY);
    start();
    pass(50);
    assert_int_equal(client.state, NETCODE_CLIENT_CONNECTED);
    assert_true(addr_equal(netcode_client_server(&client), &server_addrs[0]));
    assert_int_equal(client.max_clients, 1);
    struct netcode_slot slot = netcode_server_slot_at(servers[0], 0);
    memcpy(buf + NETCODE_HEADROOM, "abc", 3);
    int len = netcode_server_seal(servers[0], now, slot, buf + NETCODE_HEADROOM, 3, &packet);
    assert_true(len > 0); /* its keep-alive has confirmed the session at once */
    to_client(0, packet, (size_t)len);
    to_client(0, packet, (size_t)len);
    assert_int_equal(payloads_at_client, 1);
    assert_memory_equal(payload_at_client, "abc", 3);
    memcpy(buf + NETCODE_HEADROOM, "xyz", 3);
    len = netcode_client_seal(&client, now, buf + NETCODE_HEADROOM, 3, &packet);
    to_server(NULL, netcode_client_server(&client), packet, (size_t)len);
    assert_int_equal(event.type, NETCODE_EVENT_PAYLOAD);
    assert_memory_equal(event.data, "xyz", 3);
    pass(20000); /* kept alive from both sides */
    assert_int_equal(client.state, NETCODE_CLIENT_CONNECTED);
    netcode_client_disconnect(&client, to_server, NULL);
    assert_int_equal(client.state, NETCODE_CLIENT_DISCONNECTED);
    assert_int_equal(left, 1);
    assert_int_equal(netcode_server_slot_at(servers[0], 0).generation, 0);
}

static void test_client_sends_ten_a_second(void **state) {
    (void)state;
    cut_to_server[0] = true;
    start();
    pass(990);
    assert_int_equal(packets_to_server, 10);
}

static void test_client_goes_on_to_next_server(void **state) {
    (void)state;
    cut_to_server[0] = true;
    start();
    pass(4900);
    assert_true(addr_equal(netcode_client_server(&client), &server_addrs[0]));
    pass(200);
    assert_int_equal(client.state, NETCODE_CLIENT_CONNECTED);
    assert_true(addr_equal(netcode_client_server(&client), &server_addrs[1]));
}

static void test_client_denied_everywhere_ends_denied(void **state) {
    (void)state;
    start();
    pass(50);
    struct netcode_client first = client;
    netcode_client_init(&client);
    params.client_id = 10;
    client_addr.port++;
    start();
    pass(50);
    assert_int_equal(client.state, NETCODE_CLIENT_CONNECTED); /* the first is full, the second not */
    assert_true(addr_equal(netcode_client_server(&client), &server_addrs[1]));
    params.client_id = 11;
    client_addr.port++;
    netcode_client_init(&client);
    start();
    pass(50);
    assert_int_equal(client.state, NETCODE_CLIENT_DENIED);
    assert_int_equal(first.state, NETCODE_CLIENT_CONNECTED);
}

static void test_client_silence_has_three_names(void **state) {
    (void)state;
    params.server_count = 1;
    cut_to_client[0] = true;
    start();
    pass(4990);
    assert_int_equal(client.state, NETCODE_CLIENT_REQUESTING);
    pass(20);
    assert_int_equal(client.state, NETCODE_CLIENT_REQUEST_TIMED_OUT);
    cut_to_client[0] = false;
    start();
    for (int i = 0; client.state == NETCODE_CLIENT_REQUESTING && i < 20; i++) {
        pass(0);
        cut_to_server[0] = client.state == NETCODE_CLIENT_RESPONDING;
        now = mono_add_ms(now, 10);
    }
    assert_int_equal(client.state, NETCODE_CLIENT_RESPONDING);
    pass(5100);
    assert_int_equal(client.state, NETCODE_CLIENT_RESPONSE_TIMED_OUT);
    cut_to_server[0] = false;
    start();
    pass(100);
    assert_int_equal(client.state, NETCODE_CLIENT_CONNECTED);
    cut_to_client[0] = true;
    pass(5100);
    assert_int_equal(client.state, NETCODE_CLIENT_TIMED_OUT);
}

static void test_client_token_expires_over_several_servers(void **state) {
    (void)state;
    cut_to_server[0] = cut_to_server[1] = true;
    params.expire_s = params.create_s + 7;
    start();
    pass(6900);
    assert_int_equal(client.state, NETCODE_CLIENT_REQUESTING);
    assert_int_equal(client.server_index, 1);
    pass(200);
    assert_int_equal(client.state, NETCODE_CLIENT_TOKEN_EXPIRED);
}

static void test_client_bad_token_is_invalid(void **state) {
    (void)state;
    start();
    token[0] = 0;
    assert_int_equal(netcode_client_connect(&client, now, token, sizeof(token)), MARCH_ERR_INVALID);
    assert_int_equal(client.state, NETCODE_CLIENT_TOKEN_INVALID);
    packets_to_server = 0;
    pass(1000);
    assert_int_equal(packets_to_server, 0);
}

static void test_client_without_timeout_waits(void **state) {
    (void)state;
    params.timeout_s = -1;
    params.expire_s = params.create_s + 1000000;
    cut_to_client[0] = true;
    start();
    pass(100000);
    assert_int_equal(client.state, NETCODE_CLIENT_REQUESTING);
    assert_int_equal(client.server_index, 0);
}

static void test_client_connects_again_with_a_new_token(void **state) {
    (void)state;
    start();
    uint64_t sequence = 0;
    for (int i = 0; i < 3; i++) {
        pass(10000);
        assert_int_equal(client.state, NETCODE_CLIENT_CONNECTED);
        netcode_client_disconnect(&client, to_server, NULL);
        params.create_s = wall_s;
        params.expire_s = wall_s + 30;
        start();
        assert_true(client.sequence > sequence); /* never used again, not even with other keys */
        sequence = client.sequence;
    }
}

static void test_client_told_by_the_server_is_disconnected(void **state) {
    (void)state;
    start();
    pass(50);
    size_t index = 0;
    struct netcode_sink sink = {.context = &index, .send = from_server, .timed_out = ignore_timeout};
    netcode_server_disconnect(servers[0], netcode_server_slot_at(servers[0], 0), &sink);
    assert_int_equal(client.state, NETCODE_CLIENT_DISCONNECTED);
}

static void test_client_ignores_others(void **state) {
    (void)state;
    start();
    uint8_t buf[NETCODE_CLIENT_PACKET_MAX], bytes[NETCODE_PACKET_MAX];
    const uint8_t *packet, *payload;
    size_t len = netcode_client_update(&client, now, buf, &packet);
    memcpy(bytes, packet, len);
    netcode_server_receive(servers[0], now, wall_s, &client_addr, bytes, len, &event);
    memcpy(bytes, event.reply, event.reply_len);
    assert_int_equal(netcode_client_receive(&client, now, &server_addrs[1], bytes, event.reply_len, &payload), 0);
    assert_int_equal(client.state, NETCODE_CLIENT_REQUESTING);
    bytes[20] ^= 1;
    assert_int_equal(netcode_client_receive(&client, now, &server_addrs[0], bytes, event.reply_len, &payload), 0);
    assert_int_equal(client.state, NETCODE_CLIENT_REQUESTING);
    to_client(0, event.reply, event.reply_len);
    assert_int_equal(client.state, NETCODE_CLIENT_RESPONDING);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_client_connects_and_exchanges_payloads),
        TEST(test_client_sends_ten_a_second),
        TEST(test_client_goes_on_to_next_server),
        TEST(test_client_denied_everywhere_ends_denied),
        TEST(test_client_silence_has_three_names),
        TEST(test_client_token_expires_over_several_servers),
        TEST(test_client_bad_token_is_invalid),
        TEST(test_client_without_timeout_waits),
        TEST(test_client_connects_again_with_a_new_token),
        TEST(test_client_told_by_the_server_is_disconnected),
        TEST(test_client_ignores_others),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
