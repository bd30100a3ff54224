/* test_netcode_packet.c: packets against vectors made by the reference implementation of netcode, and the replay window
 * against a naive twin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include "common/netcode_packet.h"

#define PROTOCOL 0x123456789abcdef0ULL

static struct netcode_protocol protocol;
static uint8_t client_to_server[NETCODE_KEY_BYTES], server_to_client[NETCODE_KEY_BYTES];

static int setup(void **state) {
    (void)state;
    netcode_protocol_init(&protocol, PROTOCOL);
    for (size_t i = 0; i < NETCODE_KEY_BYTES; i++) {
        client_to_server[i] = (uint8_t)(0x40 + i);
        server_to_client[i] = (uint8_t)(0x80 + i);
    }
    return 0;
}

static const struct {
    enum netcode_packet_type type;
    uint64_t sequence;
    const char *data;
    size_t data_len;
    const char *packet;
} vectors[] = {
    {NETCODE_PAYLOAD, 0, "hello march", 11, "1500ee7b5aee8b71ca2fa77e7c63e05b4e33f1c3011e1bc6ec65ad3866"},
    {NETCODE_PAYLOAD, 1000, "hello march", 11, "25e8032d450040fb8a8a0394b4199d5ba1822e87a6855993aab525513cdc"},
    {NETCODE_PAYLOAD, 1ULL << 63, "hello march", 11,
     "850000000000000080ce58350277ebbaec0b17c8891b043bc19568bb43a98014706ab057"},
    {NETCODE_PAYLOAD, UINT64_MAX - 1, "hello march", 11,
     "85feffffffffffffffe2d7537b8cc466f8d6a90e87a4c51693eea745acdcd97afb256be0"},
    {NETCODE_KEEP_ALIVE, 5, "\x07\0\0\0\0\x01\0\0", 8, "140534ecd39e805a7dc28df10cb3717c1aba8b9484fdd49b7945"},
    {NETCODE_DISCONNECT, 70000, "", 0, "367011016bf74a90a5e4e5aa816bb39753ef7c05"},
    {NETCODE_DENIED, 1ULL << 63, "", 0, "8100000000000000805e116e208acf6be41bd662d7033e7305"},
};
#define VECTOR_COUNT (sizeof(vectors) / sizeof(vectors[0]))

static const uint8_t *key_of(enum netcode_packet_type type) {
    return type == NETCODE_PAYLOAD ? client_to_server : server_to_client;
}

static void test_packet_reference_vectors_seal_the_same(void **state) {
    (void)state;
    for (size_t i = 0; i < VECTOR_COUNT; i++) {
        uint8_t buf[NETCODE_PACKET_MAX], *packet, want[NETCODE_PACKET_MAX];
        size_t want_len;
        assert_int_equal(
            sodium_hex2bin(want, sizeof(want), vectors[i].packet, strlen(vectors[i].packet), NULL, &want_len, NULL), 0);
        memcpy(buf + NETCODE_HEADROOM, vectors[i].data, vectors[i].data_len);
        size_t len = netcode_packet_seal(&protocol, vectors[i].type, vectors[i].sequence, key_of(vectors[i].type),
                                         buf + NETCODE_HEADROOM, vectors[i].data_len, &packet);
        assert_int_equal(len, want_len);
        assert_memory_equal(packet, want, len);
    }
}

static void test_packet_reference_vectors_open(void **state) {
    (void)state;
    for (size_t i = 0; i < VECTOR_COUNT; i++) {
        uint8_t packet[NETCODE_PACKET_MAX];
        size_t len;
        struct netcode_header header;
        assert_int_equal(
            sodium_hex2bin(packet, sizeof(packet), vectors[i].packet, strlen(vectors[i].packet), NULL, &len, NULL), 0);
        assert_int_equal(netcode_header_parse(&header, packet, len), 0);
        assert_int_equal(header.type, vectors[i].type);
        assert_true(header.sequence == vectors[i].sequence);
        assert_int_equal(netcode_packet_open(&protocol, key_of(header.type), &header, packet), 0);
        assert_int_equal(header.data_len, vectors[i].data_len);
        assert_memory_equal(packet + header.data_offset, vectors[i].data, header.data_len);
    }
}

static void test_packet_any_changed_bit_fails(void **state) {
    (void)state;
    uint8_t buf[64], *sealed;
    memcpy(buf + NETCODE_HEADROOM, "march", 5);
    size_t len = netcode_packet_seal(&protocol, NETCODE_PAYLOAD, 300, client_to_server, buf + NETCODE_HEADROOM, 5, &sealed);
    for (size_t bit = 0; bit < len * 8; bit++) {
        uint8_t packet[64];
        struct netcode_header header;
        memcpy(packet, sealed, len);
        packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (netcode_header_parse(&header, packet, len) != 0) continue;
        assert_int_equal(netcode_packet_open(&protocol, client_to_server, &header, packet), MARCH_ERR_CRYPTO);
    }
    struct netcode_protocol other;
    struct netcode_header header;
    netcode_protocol_init(&other, PROTOCOL + 1);
    assert_int_equal(netcode_header_parse(&header, sealed, len), 0);
    assert_int_equal(netcode_packet_open(&other, client_to_server, &header, sealed), MARCH_ERR_CRYPTO);
}

static void test_packet_impossible_headers_are_refused(void **state) {
    (void)state;
    static const struct {
        uint8_t prefix;
        size_t len;
        int expected;
    } cases[] = {
        {0x15, 0, MARCH_ERR_INVALID},  {0x15, 1, MARCH_ERR_INVALID},
        {0x15, 17, MARCH_ERR_INVALID}, {0x15, 18, 0},
        {0x85, 24, MARCH_ERR_INVALID}, {0x85, 25, 0},
        {0x05, 30, MARCH_ERR_INVALID}, {0x95, 30, MARCH_ERR_INVALID},
        {0xf5, 30, MARCH_ERR_INVALID}, {0x10, 30, MARCH_ERR_INVALID},
        {0x17, 30, MARCH_ERR_INVALID}, {0x1f, 30, MARCH_ERR_INVALID},
        {0x85, NETCODE_PACKET_MAX, 0}, {0x85, NETCODE_PACKET_MAX + 1, MARCH_ERR_INVALID},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t packet[NETCODE_PACKET_MAX + 1] = {cases[i].prefix};
        struct netcode_header header;
        assert_int_equal(netcode_header_parse(&header, packet, cases[i].len), cases[i].expected);
    }
}

/* A sender that holds the key still can't get a wrong length past the opening. */
static void test_packet_wrong_length_for_type_is_refused(void **state) {
    (void)state;
    static const struct {
        enum netcode_packet_type type;
        size_t len;
        int expected;
    } cases[] = {
        {NETCODE_DENIED, 0, 0},
        {NETCODE_DENIED, 1, MARCH_ERR_INVALID},
        {NETCODE_CHALLENGE, 308, 0},
        {NETCODE_CHALLENGE, 307, MARCH_ERR_INVALID},
        {NETCODE_RESPONSE, 308, 0},
        {NETCODE_RESPONSE, 309, MARCH_ERR_INVALID},
        {NETCODE_KEEP_ALIVE, 8, 0},
        {NETCODE_KEEP_ALIVE, 7, MARCH_ERR_INVALID},
        {NETCODE_PAYLOAD, 0, MARCH_ERR_INVALID},
        {NETCODE_PAYLOAD, 1, 0},
        {NETCODE_PAYLOAD, NETCODE_PAYLOAD_MAX, 0},
        {NETCODE_DISCONNECT, 0, 0},
        {NETCODE_DISCONNECT, 2, MARCH_ERR_INVALID},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t buf[NETCODE_PACKET_MAX] = {0}, *packet;
        struct netcode_header header;
        size_t len = netcode_packet_seal(&protocol, cases[i].type, 1, client_to_server, buf + NETCODE_HEADROOM, cases[i].len,
                                         &packet);
        assert_int_equal(netcode_header_parse(&header, packet, len), 0);
        assert_int_equal(netcode_packet_open(&protocol, client_to_server, &header, packet), cases[i].expected);
    }
}

static void test_packet_request_round_trips(void **state) {
    (void)state;
    static struct netcode_token_public token;
    uint8_t packet[NETCODE_REQUEST_BYTES];
    struct netcode_request request;
    token.protocol_id = PROTOCOL;
    token.expire_s = 0x0102030405060708;
    memset(token.nonce, 0xaa, sizeof(token.nonce));
    memset(token.sealed, 0xbb, sizeof(token.sealed));
    token.sealed[1008] = 0xcc;
    netcode_request_write(packet, &token);
    assert_int_equal(netcode_request_parse(&request, &protocol, packet, sizeof(packet)), 0);
    assert_true(request.expire_s == token.expire_s);
    assert_memory_equal(request.nonce, token.nonce, sizeof(token.nonce));
    assert_memory_equal(request.sealed, token.sealed, sizeof(token.sealed));
    assert_int_equal(request.mac[0], 0xcc);
    assert_int_equal(netcode_request_parse(&request, &protocol, packet, sizeof(packet) - 1), MARCH_ERR_INVALID);
    for (size_t i = 0; i < 1 + NETCODE_VERSION_BYTES + 8; i++) {
        packet[i] ^= 1;
        assert_int_equal(netcode_request_parse(&request, &protocol, packet, sizeof(packet)), MARCH_ERR_INVALID);
        packet[i] ^= 1;
    }
}

static void test_replay_window_edges_are_exact(void **state) {
    (void)state;
    struct replay_window w = {0};
    assert_false(replay_window_seen(&w, 0));
    assert_false(replay_window_seen(&w, UINT64_MAX - 1));
    assert_true(replay_window_seen(&w, UINT64_MAX));
    replay_window_advance(&w, 0);
    assert_true(replay_window_seen(&w, 0));
    replay_window_advance(&w, 255);
    assert_true(replay_window_seen(&w, 0));
    assert_false(replay_window_seen(&w, 1));
    replay_window_advance(&w, 256);
    assert_false(replay_window_seen(&w, 1));
    replay_window_advance(&w, 257);
    assert_true(replay_window_seen(&w, 1)); /* 256 behind: too old, though never received */
    assert_false(replay_window_seen(&w, 2));
    assert_false(replay_window_seen(&w, 512)); /* same bit as 0 and 256 */
    replay_window_advance(&w, UINT64_MAX - 1); /* no wrap at the top */
    assert_true(replay_window_seen(&w, UINT64_MAX - 1));
    assert_false(replay_window_seen(&w, UINT64_MAX - 2));
    assert_false(replay_window_seen(&w, UINT64_MAX - 256));
    assert_true(replay_window_seen(&w, UINT64_MAX - 257));
    assert_true(replay_window_seen(&w, 5));
}

static void test_replay_window_agrees_with_naive_twin(void **state) {
    (void)state;
    enum { SPAN = 20000 };
    static bool received[SPAN];
    struct replay_window w = {0};
    uint64_t newest = 0, random = 88172645463325252ULL;
    bool any = false;
    for (int i = 0; i < 200000; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        uint64_t back = random % 600, forward = random >> 32 & 3;
        if ((random >> 40) % 1000 == 0) forward = (random >> 50) % 700;
        uint64_t sequence = newest + forward > back / 2 ? newest + forward - (i % 2 ? back / 2 : 0) : 0;
        if (sequence >= SPAN) break;
        bool naive = any && (received[sequence] || (newest >= 256 && sequence <= newest - 256));
        assert_int_equal(replay_window_seen(&w, sequence), naive);
        if (naive) continue;
        replay_window_advance(&w, sequence);
        received[sequence] = any = true;
        if (sequence > newest) newest = sequence;
    }
    assert_true(newest > SPAN / 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_packet_reference_vectors_seal_the_same, setup),
        cmocka_unit_test_setup(test_packet_reference_vectors_open, setup),
        cmocka_unit_test_setup(test_packet_any_changed_bit_fails, setup),
        cmocka_unit_test_setup(test_packet_impossible_headers_are_refused, setup),
        cmocka_unit_test_setup(test_packet_wrong_length_for_type_is_refused, setup),
        cmocka_unit_test_setup(test_packet_request_round_trips, setup),
        cmocka_unit_test(test_replay_window_edges_are_exact),
        cmocka_unit_test(test_replay_window_agrees_with_naive_twin),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
