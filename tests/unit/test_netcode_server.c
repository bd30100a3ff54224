/* test_netcode_server.c: handshake, sessions, tokens that admit once, limits, time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include "common/bytes.h"
#include "gateway/netcode_server.h"

#define PROTOCOL 77ULL
#define START_S  1700000000ULL

/* A client by hand: what it sends is up to the test. */
struct peer {
    struct addr addr;
    uint8_t token[NETCODE_TOKEN_BYTES];
    struct netcode_token_public public;
    uint64_t sequence;
    uint8_t challenge[NETCODE_CHALLENGE_DATA];
    struct netcode_slot slot;
};

static struct netcode_server_config config;
static struct netcode_server *server;
static struct netcode_protocol protocol;
static struct netcode_event event;
static struct mono now;
static uint64_t wall_s;
static struct netcode_server_stats stats;

static int setup(void **state) {
    (void)state;
    netcode_server_config_default(&config);
    config.protocol_id = PROTOCOL;
    memset(config.connect_key, 3, sizeof(config.connect_key));
    memset(config.secret, 4, sizeof(config.secret));
    assert_int_equal(addr_parse(&config.public_addrs[0], "203.0.113.1:40000"), 0);
    assert_int_equal(addr_parse(&config.public_addrs[1], "[2001:db8::1]:40000"), 0);
    config.public_addr_count = 2;
    config.start_s = START_S;
    config.slots_max = 4;
    config.pending_max = 4;
    config.history_max = 8;
    now = (struct mono){1000 * NS_PER_S};
    wall_s = START_S + 100;
    netcode_protocol_init(&protocol, PROTOCOL);
    return 0;
}

static void start(void) {
    assert_int_equal(netcode_server_create(&server, &config), 0);
}

static int teardown(void **state) {
    (void)state;
    if (server != NULL) netcode_server_check(server);
    netcode_server_destroy(server);
    server = NULL;
    return 0;
}

static void mint(struct peer *peer, uint64_t client_id, uint16_t port) {
    struct netcode_token_params params = {.protocol_id = PROTOCOL,
                                          .client_id = client_id,
                                          .create_s = wall_s,
                                          .expire_s = wall_s + config.token_lifetime_s,
                                          .timeout_s = 5,
                                          .server_count = 1};
    *peer = (struct peer){.addr = {.family = ADDR_IPV4, .bytes = {198, 51, 100, 7}, .port = port}};
    params.servers[0] = config.public_addrs[0];
    memset(params.user_data, (int)client_id, sizeof(params.user_data));
    assert_int_equal(netcode_token_mint(peer->token, &params, config.connect_key), 0);
    assert_int_equal(netcode_token_read_public(&peer->public, peer->token, sizeof(peer->token)), 0);
}

static enum netcode_drop receive(const struct addr *from, const uint8_t *packet, size_t len) {
    static uint8_t bytes[2048];
    memcpy(bytes, packet, len);
    netcode_server_receive(server, now, wall_s, from, bytes, len, &event);
    assert_true(event.reply_len <= len);
    return event.drop;
}

static enum netcode_drop send_request(const struct peer *peer) {
    uint8_t packet[NETCODE_REQUEST_BYTES];
    netcode_request_write(packet, &peer->public);
    return receive(&peer->addr, packet, sizeof(packet));
}

static enum netcode_drop send_sealed(struct peer *peer, enum netcode_packet_type type, const void *data, size_t len) {
    uint8_t buf[NETCODE_PACKET_MAX], *packet;
    memcpy(buf + NETCODE_HEADROOM, data, len);
    len = netcode_packet_seal(&protocol, type, peer->sequence++, peer->public.client_to_server, buf + NETCODE_HEADROOM, len,
                              &packet);
    return receive(&peer->addr, packet, len);
}

/* open_reply opens a packet from the server; returns its type. */
static enum netcode_packet_type open_packet(const struct peer *peer, const uint8_t *packet, size_t len, uint8_t *data,
                                            uint64_t *sequence) {
    uint8_t bytes[NETCODE_PACKET_MAX];
    struct netcode_header header;
    memcpy(bytes, packet, len);
    assert_int_equal(netcode_header_parse(&header, bytes, len), 0);
    assert_int_equal(netcode_packet_open(&protocol, peer->public.server_to_client, &header, bytes), 0);
    memcpy(data, bytes + header.data_offset, header.data_len);
    *sequence = header.sequence;
    return header.type;
}

static void expect_reply(struct peer *peer, enum netcode_packet_type type, uint8_t *data) {
    uint64_t sequence;
    assert_true(event.reply_len > 0);
    assert_int_equal(open_packet(peer, event.reply, event.reply_len, data, &sequence), type);
    assert_int_equal(sequence >> 63, type != NETCODE_KEEP_ALIVE); /* the halves of the sequence space stay apart */
}

static enum netcode_drop request(struct peer *peer) {
    enum netcode_drop drop = send_request(peer);
    if (drop == NETCODE_DROP_NONE) expect_reply(peer, NETCODE_CHALLENGE, peer->challenge);
    return drop;
}

static enum netcode_drop respond(struct peer *peer) {
    enum netcode_drop drop = send_sealed(peer, NETCODE_RESPONSE, peer->challenge, NETCODE_CHALLENGE_DATA);
    if (drop == NETCODE_DROP_NONE) {
        uint8_t data[NETCODE_PAYLOAD_MAX];
        assert_int_equal(event.type, NETCODE_EVENT_CONNECTED);
        expect_reply(peer, NETCODE_KEEP_ALIVE, data);
        peer->slot = event.slot;
    }
    return drop;
}

static void connect_peer(struct peer *peer, uint64_t client_id, uint16_t port) {
    mint(peer, client_id, port);
    assert_int_equal(request(peer), NETCODE_DROP_NONE);
    assert_int_equal(respond(peer), NETCODE_DROP_NONE);
}

struct outbox {
    uint32_t sent, timed_out;
    struct addr to;
    uint8_t packet[NETCODE_PACKET_MAX];
    size_t len;
    struct netcode_slot gone;
};

static void on_send(void *context, const struct addr *to, const uint8_t *packet, size_t len) {
    struct outbox *box = context;
    box->sent++;
    box->to = *to;
    box->len = len;
    memcpy(box->packet, packet, len);
}

static void on_timed_out(void *context, struct netcode_slot slot, uint64_t client_id) {
    struct outbox *box = context;
    (void)client_id;
    box->timed_out++;
    box->gone = slot;
}

/* pass lets time go by in steps of 5 ms. */
static void pass(struct outbox *box, uint64_t ms) {
    struct netcode_sink sink = {.context = box, .send = on_send, .timed_out = on_timed_out};
    uint64_t start_ns = now.ns, start_wall_s = wall_s;
    for (uint64_t at = 0; at <= ms; at += 5) {
        now.ns = start_ns + at * NS_PER_MS;
        wall_s = start_wall_s + at / 1000;
        netcode_server_update(server, now, wall_s, &sink);
    }
}

/* --- handshake and session */

static void test_server_handshake_opens_one_session(void **state) {
    (void)state;
    start();
    struct peer peer;
    mint(&peer, 9, 1000);
    assert_int_equal(request(&peer), NETCODE_DROP_NONE);
    assert_int_equal(request(&peer), NETCODE_DROP_NONE); /* repeated: challenged again */
    assert_int_equal(respond(&peer), NETCODE_DROP_NONE);
    assert_int_equal(event.client_id, 9);
    assert_int_equal(event.len, NETCODE_USER_DATA_BYTES);
    for (size_t i = 0; i < event.len; i++) assert_int_equal(event.data[i], 9);
    assert_true(addr_equal(netcode_server_addr(server, peer.slot), &peer.addr));
    assert_int_equal(respond(&peer), NETCODE_DROP_ADDR_CONNECTED); /* repeated: ignored */
    assert_int_equal(request(&peer), NETCODE_DROP_ADDR_CONNECTED);
    netcode_server_stats(server, &stats);
    assert_int_equal(stats.connected, 1);
    assert_int_equal(stats.pending, 0);
    assert_int_equal(stats.tokens, 1);
    assert_int_equal(stats.drops_total[NETCODE_DROP_ADDR_CONNECTED], 2);
}

static void test_server_payloads_arrive_once(void **state) {
    (void)state;
    start();
    struct peer peer;
    connect_peer(&peer, 9, 1000);
    assert_int_equal(send_sealed(&peer, NETCODE_PAYLOAD, "hello", 5), NETCODE_DROP_NONE);
    assert_int_equal(event.type, NETCODE_EVENT_PAYLOAD);
    assert_int_equal(event.len, 5);
    assert_memory_equal(event.data, "hello", 5);
    assert_int_equal(event.slot.index, peer.slot.index);
    peer.sequence--;
    assert_int_equal(send_sealed(&peer, NETCODE_PAYLOAD, "again", 5), NETCODE_DROP_REPLAY);
    assert_int_equal(send_sealed(&peer, NETCODE_CHALLENGE, "", 0), NETCODE_DROP_WRONG_TYPE);
    assert_int_equal(send_sealed(&peer, NETCODE_KEEP_ALIVE, "1234567", 7), NETCODE_DROP_LENGTH);
    assert_int_equal(event.type, NETCODE_EVENT_NONE);
}

static void test_server_seals_only_for_confirmed_sessions(void **state) {
    (void)state;
    start();
    struct peer peer;
    uint8_t buf[64], *packet, data[64];
    uint64_t sequence;
    connect_peer(&peer, 9, 1000);
    assert_int_equal(netcode_server_seal(server, now, peer.slot, buf + NETCODE_HEADROOM, 3, &packet), MARCH_ERR_EMPTY);
    assert_int_equal(send_sealed(&peer, NETCODE_KEEP_ALIVE, "12345678", 8), NETCODE_DROP_NONE);
    memcpy(buf + NETCODE_HEADROOM, "abc", 3);
    int len = netcode_server_seal(server, now, peer.slot, buf + NETCODE_HEADROOM, 3, &packet);
    assert_int_equal(len, 1 + 1 + 3 + NETCODE_MAC_BYTES);
    assert_int_equal(open_packet(&peer, packet, (size_t)len, data, &sequence), NETCODE_PAYLOAD);
    assert_memory_equal(data, "abc", 3);
    assert_int_equal(sequence, 1); /* the keep-alive that opened the session was 0 */
    struct netcode_slot stale = {.index = peer.slot.index, .generation = peer.slot.generation + 1};
    assert_int_equal(netcode_server_seal(server, now, stale, buf + NETCODE_HEADROOM, 3, &packet), MARCH_ERR_NOT_FOUND);
    stale = (struct netcode_slot){.index = 4000000, .generation = 1};
    assert_int_equal(netcode_server_seal(server, now, stale, buf + NETCODE_HEADROOM, 3, &packet), MARCH_ERR_NOT_FOUND);
}

static void test_server_client_that_leaves_frees_its_slot(void **state) {
    (void)state;
    start();
    struct peer peer, next;
    connect_peer(&peer, 9, 1000);
    assert_int_equal(send_sealed(&peer, NETCODE_DISCONNECT, "", 0), NETCODE_DROP_NONE);
    assert_int_equal(event.type, NETCODE_EVENT_DISCONNECTED);
    assert_int_equal(event.client_id, 9);
    assert_int_equal(send_sealed(&peer, NETCODE_DISCONNECT, "", 0), NETCODE_DROP_UNKNOWN_ADDR); /* the redundant ones */
    assert_null(netcode_server_addr(server, peer.slot));
    connect_peer(&next, 9, 1000); /* same id and address, new token */
    assert_int_equal(next.slot.index, peer.slot.index);
    assert_int_not_equal(next.slot.generation, peer.slot.generation);
    assert_int_equal(netcode_server_slot_at(server, next.slot.index).generation, next.slot.generation);
    assert_int_equal(netcode_server_slot_at(server, 3).generation, 0);
}

static void test_server_disconnect_tells_the_client_ten_times(void **state) {
    (void)state;
    start();
    struct peer peer;
    struct outbox box = {0};
    struct netcode_sink sink = {.context = &box, .send = on_send, .timed_out = on_timed_out};
    uint8_t data[64];
    uint64_t sequence;
    connect_peer(&peer, 9, 1000);
    netcode_server_disconnect(server, peer.slot, &sink);
    assert_int_equal(box.sent, NETCODE_DISCONNECT_PACKETS);
    assert_true(addr_equal(&box.to, &peer.addr));
    assert_int_equal(open_packet(&peer, box.packet, box.len, data, &sequence), NETCODE_DISCONNECT);
    assert_int_equal(sequence, 10);
    netcode_server_disconnect(server, peer.slot, &sink);
    assert_int_equal(box.sent, NETCODE_DISCONNECT_PACKETS);
    assert_int_equal(box.timed_out, 0);
}

/* --- a token admits one session */

static void test_token_is_pending_for_its_first_address_then_consumed(void **state) {
    (void)state;
    start();
    struct peer peer, thief;
    mint(&peer, 9, 1000);
    thief = peer;
    thief.addr.port = 1001;
    assert_int_equal(request(&peer), NETCODE_DROP_NONE);
    assert_int_equal(request(&thief), NETCODE_DROP_TOKEN_USED);
    assert_int_equal(respond(&peer), NETCODE_DROP_NONE);
    assert_int_equal(request(&thief), NETCODE_DROP_TOKEN_USED);
    assert_int_equal(send_sealed(&peer, NETCODE_DISCONNECT, "", 0), NETCODE_DROP_NONE);
    assert_int_equal(request(&peer), NETCODE_DROP_TOKEN_USED); /* not even from the same address */
    struct outbox box = {0};
    pass(&box, 29000);
    assert_int_equal(request(&peer), NETCODE_DROP_TOKEN_USED);
    pass(&box, 3000);
    assert_int_equal(request(&peer), NETCODE_DROP_TOKEN_EXPIRED);
    netcode_server_stats(server, &stats);
    assert_int_equal(stats.tokens, 0);
    wall_s -= 20; /* the clock steps back */
    assert_int_equal(request(&peer), NETCODE_DROP_TOKEN_EXPIRED);
}

static void test_token_history_full_refuses_and_never_evicts(void **state) {
    (void)state;
    start();
    struct peer peers[10];
    for (uint16_t i = 0; i < 8; i++) {
        connect_peer(&peers[i], i, (uint16_t)(1000 + i));
        assert_int_equal(send_sealed(&peers[i], NETCODE_DISCONNECT, "", 0), NETCODE_DROP_NONE);
    }
    mint(&peers[8], 8, 1008);
    assert_int_equal(request(&peers[8]), NETCODE_DROP_TOKEN_HISTORY_FULL);
    for (int i = 0; i < 8; i++) assert_int_equal(request(&peers[i]), NETCODE_DROP_TOKEN_USED);
    struct outbox box = {0};
    pass(&box, 31000);
    connect_peer(&peers[9], 9, 1009);
}

static void test_token_that_may_predate_the_start_is_ignored(void **state) {
    (void)state;
    static const struct {
        uint64_t now_s, expire_s;
        enum netcode_drop expected;
    } cases[] = {
        {START_S, START_S + 30, NETCODE_DROP_TOKEN_BEFORE_START},
        {START_S, START_S + 31, NETCODE_DROP_TOKEN_BEFORE_START}, /* taken before a restart in this second */
        {START_S, START_S + 32, NETCODE_DROP_TOKEN_EARLY},
        {START_S + 1, START_S + 30, NETCODE_DROP_TOKEN_BEFORE_START},
        {START_S + 2, START_S + 31, NETCODE_DROP_TOKEN_BEFORE_START},
        {START_S + 2, START_S + 32, NETCODE_DROP_NONE},
        {START_S + 1, START_S + 32, NETCODE_DROP_NONE}, /* the minter's second has begun, ours has not */
        {START_S + 1, START_S + 33, NETCODE_DROP_TOKEN_EARLY},
        {START_S + 29, START_S + 30, NETCODE_DROP_TOKEN_BEFORE_START},
        {START_S + 31, START_S + 31, NETCODE_DROP_TOKEN_EXPIRED},
        {START_S + 30, START_S + 32, NETCODE_DROP_NONE},
        {START_S + 30, UINT64_MAX, NETCODE_DROP_TOKEN_EARLY},
        {START_S + 30, 0, NETCODE_DROP_TOKEN_EXPIRED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        start();
        struct peer peer;
        wall_s = cases[i].expected == NETCODE_DROP_NONE ? cases[i].expire_s - 30 : cases[i].now_s;
        mint(&peer, 9, 1000);
        peer.public.expire_s = cases[i].expire_s;
        wall_s = cases[i].now_s;
        if (cases[i].expected == NETCODE_DROP_NONE) {
            assert_int_equal(request(&peer), NETCODE_DROP_NONE);
        } else {
            memset(peer.public.sealed, 0, sizeof(peer.public.sealed)); /* decided before anything is opened */
            assert_int_equal(send_request(&peer), cases[i].expected);
        }
        netcode_server_destroy(server);
        server = NULL;
    }
}

static void test_token_that_is_not_for_us_is_ignored(void **state) {
    (void)state;
    start();
    struct peer peer;
    mint(&peer, 9, 1000);
    peer.public.sealed[100] ^= 1;
    assert_int_equal(send_request(&peer), NETCODE_DROP_TOKEN_CRYPTO);
    mint(&peer, 9, 1000);
    peer.public.protocol_id++;
    assert_int_equal(send_request(&peer), NETCODE_DROP_MALFORMED);
    config.public_addrs[0].port++;
    mint(&peer, 9, 1000);
    assert_int_equal(send_request(&peer), NETCODE_DROP_TOKEN_OTHER_SERVER);
    config.public_addrs[0] = config.public_addrs[1];
    mint(&peer, 9, 1000);
    assert_int_equal(request(&peer), NETCODE_DROP_NONE);
    netcode_server_stats(server, &stats);
    assert_int_equal(stats.tokens, 1);
}

static void test_client_id_with_a_session_is_ignored_and_named(void **state) {
    (void)state;
    start();
    struct peer first, second, third;
    mint(&third, 9, 1002);
    assert_int_equal(request(&third), NETCODE_DROP_NONE); /* pending before the first has its session */
    connect_peer(&first, 9, 1000);
    mint(&second, 9, 1001);
    assert_int_equal(request(&second), NETCODE_DROP_CLIENT_CONNECTED);
    assert_int_equal(event.slot.index, first.slot.index);
    assert_int_equal(event.slot.generation, first.slot.generation);
    assert_int_equal(respond(&third), NETCODE_DROP_CLIENT_CONNECTED);
    assert_int_equal(event.slot.generation, first.slot.generation);
    assert_int_equal(send_sealed(&first, NETCODE_DISCONNECT, "", 0), NETCODE_DROP_NONE);
    assert_int_equal(request(&second), NETCODE_DROP_NONE);
    assert_int_equal(respond(&second), NETCODE_DROP_NONE);
}

static void test_second_login_is_reported_once_its_address_is_proved(void **state) {
    (void)state;
    config.reports_second_login = true;
    start();
    struct peer first, second;
    connect_peer(&first, 9, 1000);
    mint(&second, 9, 1001);
    assert_int_equal(request(&second), NETCODE_DROP_NONE); /* whoever only copied a request disturbs nobody */
    assert_int_equal(respond(&second), NETCODE_DROP_CLIENT_CONNECTED);
    assert_int_equal(event.slot.index, first.slot.index);
    assert_int_equal(event.slot.generation, first.slot.generation);
    assert_int_equal(send_sealed(&first, NETCODE_DISCONNECT, "", 0), NETCODE_DROP_NONE);
    assert_int_equal(respond(&second), NETCODE_DROP_NONE);
    assert_int_equal(event.type, NETCODE_EVENT_CONNECTED);
    assert_memory_equal(event.token_mac, second.public.sealed + sizeof second.public.sealed - NETCODE_MAC_BYTES,
                        NETCODE_MAC_BYTES);
    assert_true(event.token_expire_s == second.public.expire_s);
}

static void test_challenge_of_another_token_is_refused(void **state) {
    (void)state;
    start();
    struct peer one, two, same_id;
    mint(&one, 9, 1000);
    mint(&two, 10, 1001);
    assert_int_equal(request(&one), NETCODE_DROP_NONE);
    assert_int_equal(request(&two), NETCODE_DROP_NONE);
    uint8_t challenge[NETCODE_CHALLENGE_DATA];
    memcpy(challenge, one.challenge, sizeof(challenge));
    memcpy(one.challenge, two.challenge, sizeof(challenge));
    assert_int_equal(respond(&one), NETCODE_DROP_CHALLENGE);
    memcpy(one.challenge, challenge, sizeof(challenge));
    one.challenge[0] ^= 1;
    assert_int_equal(respond(&one), NETCODE_DROP_CHALLENGE);
    one.challenge[0] ^= 1;
    one.challenge[50] ^= 1;
    assert_int_equal(respond(&one), NETCODE_DROP_CHALLENGE);
    one.challenge[50] ^= 1;
    /* same client id, other user data */
    struct netcode_token_params params = {.protocol_id = PROTOCOL,
                                          .client_id = 9,
                                          .create_s = wall_s,
                                          .expire_s = wall_s + 30,
                                          .timeout_s = 5,
                                          .server_count = 1,
                                          .user_data = {42}};
    params.servers[0] = config.public_addrs[0];
    mint(&same_id, 9, 1002);
    assert_int_equal(netcode_token_mint(same_id.token, &params, config.connect_key), 0);
    assert_int_equal(netcode_token_read_public(&same_id.public, same_id.token, sizeof(same_id.token)), 0);
    assert_int_equal(request(&same_id), NETCODE_DROP_NONE);
    memcpy(same_id.challenge, one.challenge, sizeof(challenge));
    assert_int_equal(respond(&same_id), NETCODE_DROP_CHALLENGE);
    /* same user data, other client id */
    params.client_id = 11;
    memset(params.user_data, 9, sizeof(params.user_data));
    assert_int_equal(netcode_token_mint(same_id.token, &params, config.connect_key), 0);
    assert_int_equal(netcode_token_read_public(&same_id.public, same_id.token, sizeof(same_id.token)), 0);
    assert_int_equal(request(&same_id), NETCODE_DROP_NONE);
    memcpy(same_id.challenge, one.challenge, sizeof(challenge));
    assert_int_equal(respond(&same_id), NETCODE_DROP_CHALLENGE);
    assert_int_equal(respond(&one), NETCODE_DROP_NONE);
}

/* --- limits */

static void test_server_full_sends_denied(void **state) {
    (void)state;
    start();
    struct peer peers[6];
    uint8_t data[64];
    mint(&peers[4], 4, 2000);
    assert_int_equal(request(&peers[4]), NETCODE_DROP_NONE);
    for (uint16_t i = 0; i < 4; i++) connect_peer(&peers[i], 100u + i, (uint16_t)(1000 + i));
    mint(&peers[5], 5, 2001);
    assert_int_equal(send_request(&peers[5]), NETCODE_DROP_SERVER_FULL);
    expect_reply(&peers[5], NETCODE_DENIED, data);
    assert_int_equal(respond(&peers[4]), NETCODE_DROP_SERVER_FULL);
    expect_reply(&peers[4], NETCODE_DENIED, data);
    assert_int_equal(send_sealed(&peers[0], NETCODE_DISCONNECT, "", 0), NETCODE_DROP_NONE);
    assert_int_equal(respond(&peers[4]), NETCODE_DROP_NONE);
}

static void test_pending_full_ignores_until_handshakes_expire(void **state) {
    (void)state;
    config.history_max = 100;
    start();
    struct peer peers[6];
    for (uint16_t i = 0; i < 5; i++) mint(&peers[i], i, (uint16_t)(1000 + i));
    for (int i = 0; i < 4; i++) assert_int_equal(request(&peers[i]), NETCODE_DROP_NONE);
    assert_int_equal(request(&peers[4]), NETCODE_DROP_PENDING_FULL);
    assert_int_equal(event.reply_len, 0);
    struct outbox box = {0};
    pass(&box, 5100); /* the tokens' time-out */
    assert_int_equal(respond(&peers[0]), NETCODE_DROP_UNKNOWN_ADDR);
    assert_int_equal(request(&peers[4]), NETCODE_DROP_NONE);
    assert_int_equal(respond(&peers[4]), NETCODE_DROP_NONE);
    assert_int_equal(box.sent, 0);
}

static void test_handshake_expires_even_before_it_is_swept(void **state) {
    (void)state;
    start();
    struct peer peer;
    mint(&peer, 9, 1000);
    assert_int_equal(request(&peer), NETCODE_DROP_NONE);
    now = mono_add_ms(now, 5000);
    assert_int_equal(respond(&peer), NETCODE_DROP_UNKNOWN_ADDR);
    assert_int_equal(request(&peer), NETCODE_DROP_NONE);
    assert_int_equal(respond(&peer), NETCODE_DROP_NONE);
}

static void test_newer_token_of_an_address_takes_over_its_handshake(void **state) {
    (void)state;
    start();
    struct peer first, second;
    mint(&first, 1, 1000);
    mint(&second, 2, 1000);
    assert_int_equal(request(&first), NETCODE_DROP_NONE);
    assert_int_equal(request(&second), NETCODE_DROP_NONE);
    assert_int_equal(respond(&first), NETCODE_DROP_CRYPTO);
    assert_int_equal(respond(&second), NETCODE_DROP_NONE);
    assert_int_equal(event.client_id, 2);
}

static void test_garbage_is_dropped_with_its_reason(void **state) {
    (void)state;
    start();
    struct peer peer;
    mint(&peer, 9, 1000);
    uint8_t bytes[1400] = {0x15};
    assert_int_equal(receive(&peer.addr, bytes, 0), NETCODE_DROP_EMPTY);
    assert_int_equal(receive(&peer.addr, bytes, 40), NETCODE_DROP_UNKNOWN_ADDR);
    assert_int_equal(request(&peer), NETCODE_DROP_NONE);
    assert_int_equal(receive(&peer.addr, bytes, 1), NETCODE_DROP_MALFORMED);
    assert_int_equal(receive(&peer.addr, bytes, 40), NETCODE_DROP_WRONG_TYPE); /* a payload before the session */
    bytes[0] = 0x13;
    assert_int_equal(receive(&peer.addr, bytes, 326), NETCODE_DROP_CRYPTO);
    assert_int_equal(send_sealed(&peer, NETCODE_RESPONSE, bytes, 300), NETCODE_DROP_LENGTH);
    assert_int_equal(respond(&peer), NETCODE_DROP_NONE);
    bytes[0] = 0;
    assert_int_equal(receive(&peer.addr, bytes, 1), NETCODE_DROP_MALFORMED);
    assert_int_equal(receive(&peer.addr, bytes, 1400), NETCODE_DROP_MALFORMED);
    bytes[0] = 0x15;
    assert_int_equal(receive(&peer.addr, bytes, 1400), NETCODE_DROP_MALFORMED);
    memset(bytes + 1, 0xff, 8);
    bytes[0] = 0x85;
    assert_int_equal(receive(&peer.addr, bytes, 40), NETCODE_DROP_REPLAY); /* the number that is never sent */
    for (int drop = 0; drop < NETCODE_DROP_COUNT; drop++)
        assert_true(strlen(netcode_drop_name((enum netcode_drop)drop)) > 3);
}

static void test_network_of_strangers_is_limited_but_sessions_are_not(void **state) {
    (void)state;
    config.limits.network_per_s = 10;
    config.limits.network_burst = 10;
    start();
    struct peer peer, stranger;
    connect_peer(&peer, 9, 1000);
    mint(&stranger, 10, 1001);
    struct peer forged = stranger;
    forged.public.sealed[0] ^= 1;
    for (int i = 0; i < 8; i++) assert_int_equal(send_request(&forged), NETCODE_DROP_TOKEN_CRYPTO);
    assert_int_equal(request(&stranger), NETCODE_DROP_NETWORK_RATE);
    for (int i = 0; i < 50; i++) assert_int_equal(send_sealed(&peer, NETCODE_PAYLOAD, "x", 1), NETCODE_DROP_NONE);
    now = mono_add_ms(now, 100);
    assert_int_equal(request(&stranger), NETCODE_DROP_NONE);
    assert_int_equal(respond(&stranger), NETCODE_DROP_NETWORK_RATE);
}

static void test_payloads_of_a_session_are_limited_and_still_count_as_life(void **state) {
    (void)state;
    config.session_per_s = 100;
    config.session_burst = 20;
    start();
    struct peer peer;
    connect_peer(&peer, 9, 1000);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(send_sealed(&peer, NETCODE_PAYLOAD, "x", 1),
                         i < 20 ? NETCODE_DROP_NONE : NETCODE_DROP_SESSION_RATE);
    }
    now = mono_add_ms(now, 10);
    assert_int_equal(send_sealed(&peer, NETCODE_PAYLOAD, "x", 1), NETCODE_DROP_NONE);
    assert_int_equal(event.type, NETCODE_EVENT_PAYLOAD);
}

/* Somebody forges packets from a session's address: first any are tried, then only those with the next numbers, then none.
 */
static void test_forged_packets_are_bounded_and_the_session_lives_on(void **state) {
    (void)state;
    config.forged_per_s = 10;
    config.forged_burst = 20;
    start();
    struct peer peer;
    connect_peer(&peer, 9, 1000);
    uint8_t forged[40] = {0x85};
    int tried = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        store_le(forged + 1, 100000 + i, 8);
        enum netcode_drop drop = receive(&peer.addr, forged, sizeof(forged));
        tried += drop == NETCODE_DROP_CRYPTO;
        if (drop != NETCODE_DROP_CRYPTO) assert_int_equal(drop, NETCODE_DROP_FORGED_BUDGET);
    }
    assert_int_equal(tried, 11);
    assert_int_equal(send_sealed(&peer, NETCODE_PAYLOAD, "x", 1), NETCODE_DROP_NONE);
    tried = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        store_le(forged + 1, peer.sequence + i % 64, 8);
        tried += receive(&peer.addr, forged, sizeof(forged)) == NETCODE_DROP_CRYPTO;
    }
    assert_int_equal(tried, 9);
    assert_int_equal(send_sealed(&peer, NETCODE_PAYLOAD, "x", 1), NETCODE_DROP_FORGED_BUDGET);
    now = mono_add_ms(now, 200);
    assert_int_equal(send_sealed(&peer, NETCODE_PAYLOAD, "x", 1), NETCODE_DROP_NONE);
}

/* --- time */

static void test_keep_alives_are_sent_when_nothing_else_is(void **state) {
    (void)state;
    start();
    struct peer peer;
    struct outbox box = {0};
    uint8_t data[64], buf[64], *packet;
    uint64_t sequence;
    connect_peer(&peer, 9, 1000);
    assert_int_equal(send_sealed(&peer, NETCODE_KEEP_ALIVE, "12345678", 8), NETCODE_DROP_NONE);
    pass(&box, 1000);
    assert_in_range(box.sent, 8, 10);
    assert_int_equal(open_packet(&peer, box.packet, box.len, data, &sequence), NETCODE_KEEP_ALIVE);
    assert_int_equal(load_le(data, 4), peer.slot.index);
    assert_int_equal(load_le(data + 4, 4), 4);
    box = (struct outbox){0};
    for (int i = 0; i < 20; i++) {
        assert_true(netcode_server_seal(server, now, peer.slot, buf + NETCODE_HEADROOM, 1, &packet) > 0);
        pass(&box, 50);
    }
    assert_int_equal(box.sent, 0);
}

static void test_max_clients_is_capped_on_the_wire(void **state) {
    (void)state;
    config.slots_max = 1000;
    config.pending_max = 500;
    config.history_max = 1000;
    start();
    uint8_t data[64];
    for (uint16_t i = 0; i < 300; i++) {
        struct peer peer;
        connect_peer(&peer, i, (uint16_t)(1000 + i));
        expect_reply(&peer, NETCODE_KEEP_ALIVE, data);
        assert_int_equal(load_le(data + 4, 4), 256);
        assert_true(load_le(data, 4) < 256);
    }
    netcode_server_stats(server, &stats);
    assert_int_equal(stats.connected, 300);
    assert_int_equal(stats.accepted_total, 300);
}

static void test_silence_ends_the_session(void **state) {
    (void)state;
    start();
    struct peer peer;
    struct outbox box = {0};
    connect_peer(&peer, 9, 1000);
    pass(&box, 4900);
    assert_int_equal(send_sealed(&peer, NETCODE_KEEP_ALIVE, "12345678", 8), NETCODE_DROP_NONE);
    pass(&box, 4900);
    assert_int_equal(box.timed_out, 0);
    pass(&box, 200);
    assert_int_equal(box.timed_out, 1);
    assert_int_equal(box.gone.generation, peer.slot.generation);
    assert_int_equal(send_sealed(&peer, NETCODE_PAYLOAD, "x", 1), NETCODE_DROP_UNKNOWN_ADDR);
    netcode_server_stats(server, &stats);
    assert_int_equal(stats.connected, 0);
    assert_int_equal(stats.timed_out_total, 1);
}

static void test_config_out_of_range_is_refused(void **state) {
    (void)state;
    struct netcode_server_config good = config;
#define REFUSED(change)                                                                                                     \
    config = good;                                                                                                          \
    change;                                                                                                                 \
    assert_int_equal(netcode_server_create(&server, &config), MARCH_ERR_INVALID);                                           \
    assert_null(server)
    REFUSED(memset(config.secret, 0, sizeof(config.secret)));
    REFUSED(config.slots_max = 0);
    REFUSED(config.slots_max = NETCODE_SERVER_SLOTS_MAX + 1);
    REFUSED(config.pending_max = 0);
    REFUSED(config.history_max = 0);
    REFUSED(config.public_addr_count = 0);
    REFUSED(config.public_addr_count = NETCODE_SERVER_ADDRS_MAX + 1);
    REFUSED(config.token_lifetime_s = 0);
    REFUSED(config.timeout_max_s = 0);
    REFUSED(config.forged_per_s = 0);
#undef REFUSED
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_server_handshake_opens_one_session),
        TEST(test_server_payloads_arrive_once),
        TEST(test_server_seals_only_for_confirmed_sessions),
        TEST(test_server_client_that_leaves_frees_its_slot),
        TEST(test_server_disconnect_tells_the_client_ten_times),
        TEST(test_token_is_pending_for_its_first_address_then_consumed),
        TEST(test_token_history_full_refuses_and_never_evicts),
        TEST(test_token_that_may_predate_the_start_is_ignored),
        TEST(test_token_that_is_not_for_us_is_ignored),
        TEST(test_client_id_with_a_session_is_ignored_and_named),
        TEST(test_second_login_is_reported_once_its_address_is_proved),
        TEST(test_challenge_of_another_token_is_refused),
        TEST(test_server_full_sends_denied),
        TEST(test_pending_full_ignores_until_handshakes_expire),
        TEST(test_handshake_expires_even_before_it_is_swept),
        TEST(test_newer_token_of_an_address_takes_over_its_handshake),
        TEST(test_garbage_is_dropped_with_its_reason),
        TEST(test_network_of_strangers_is_limited_but_sessions_are_not),
        TEST(test_payloads_of_a_session_are_limited_and_still_count_as_life),
        TEST(test_forged_packets_are_bounded_and_the_session_lives_on),
        TEST(test_keep_alives_are_sent_when_nothing_else_is),
        TEST(test_max_clients_is_capped_on_the_wire),
        TEST(test_silence_ends_the_session),
        TEST(test_config_out_of_range_is_refused),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
