/* test_netcode_token.c: connect and challenge tokens against vectors made by the reference implementation of netcode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include "common/bytes.h"
#include "common/netcode_token.h"

#define PROTOCOL 0x123456789abcdef0ULL

static uint8_t connect_key[NETCODE_KEY_BYTES];
static struct netcode_token_params params;
static struct netcode_token_random fixed;

static void assert_hex(const void *bytes, size_t len, const char *expected) {
    uint8_t want[2048];
    size_t want_len = 0;
    assert_int_equal(sodium_hex2bin(want, sizeof(want), expected, strlen(expected), NULL, &want_len, NULL), 0);
    assert_int_equal(want_len, len);
    assert_memory_equal(bytes, want, len);
}

static int setup(void **state) {
    (void)state;
    params = (struct netcode_token_params){.protocol_id = PROTOCOL,
                                           .client_id = 0x1122334455667788ULL,
                                           .create_s = 1700000000,
                                           .expire_s = 1700000030,
                                           .timeout_s = 15,
                                           .server_count = 2};
    assert_int_equal(addr_parse(&params.servers[0], "127.0.0.1:40000"), 0);
    assert_int_equal(addr_parse(&params.servers[1], "[2001:db8::17]:50000"), 0);
    for (size_t i = 0; i < NETCODE_KEY_BYTES; i++) {
        connect_key[i] = (uint8_t)(i + 1);
        fixed.client_to_server[i] = (uint8_t)(0x40 + i);
        fixed.server_to_client[i] = (uint8_t)(0x80 + i);
    }
    for (size_t i = 0; i < NETCODE_USER_DATA_BYTES; i++) params.user_data[i] = (uint8_t)(255 - i);
    for (size_t i = 0; i < NETCODE_TOKEN_NONCE_BYTES; i++) fixed.nonce[i] = (uint8_t)(0xa0 + i);
    return 0;
}

static void test_token_reference_vector_matches(void **state) {
    (void)state;
    uint8_t token[NETCODE_TOKEN_BYTES], hash[32];
    assert_int_equal(netcode_token_write(token, &params, &fixed, connect_key), 0);
    assert_hex(token, 96,
               "4e4554434f444520312e303200f0debc9a7856341200f15365000000001ef1536500000000a0a1a2a3a4a5a6a7a8a9aa"
               "abacadaeafb0b1b2b3b4b5b6b70c45e34ae7c1a530af0c0bf82c6f8234aa746a83237b85c0a3177e0cef21a3dc5f92b2");
    assert_hex(token + 1085, 34, "0f00000002000000017f000001409c020120b80d00000000000000000000170050c3");
    crypto_generichash(hash, sizeof(hash), token, sizeof(token), NULL, 0);
    assert_hex(hash, sizeof(hash), "c6c9d559879afe080ea30777e3a6c9fca7e090adfd52079157796a0b7912edf4");
}

static void test_token_minted_reads_back_on_both_sides(void **state) {
    (void)state;
    static const uint32_t counts[] = {1, 2, NETCODE_TOKEN_SERVERS_MAX};
    static struct netcode_token_public public;
    static struct netcode_token_private private;
    for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
        params.server_count = counts[c];
        for (uint32_t i = 0; i < counts[c]; i++) params.servers[i] = params.servers[1];
        uint8_t token[NETCODE_TOKEN_BYTES];
        assert_int_equal(netcode_token_mint(token, &params, connect_key), 0);
        assert_int_equal(netcode_token_read_public(&public, token, sizeof(token)), 0);
        assert_int_equal(public.protocol_id, PROTOCOL);
        assert_int_equal(public.create_s, params.create_s);
        assert_int_equal(public.expire_s, params.expire_s);
        assert_int_equal(public.timeout_s, 15);
        assert_int_equal(
            netcode_token_open_private(&private, public.sealed, PROTOCOL, public.expire_s, public.nonce, connect_key), 0);
        assert_int_equal(private.client_id, params.client_id);
        assert_int_equal(private.timeout_s, 15);
        assert_int_equal(private.server_count, counts[c]);
        assert_int_equal(public.server_count, counts[c]);
        assert_memory_equal(private.servers, params.servers, counts[c] * sizeof(struct addr));
        assert_memory_equal(public.servers, params.servers, counts[c] * sizeof(struct addr));
        assert_memory_equal(private.client_to_server, public.client_to_server, NETCODE_KEY_BYTES);
        assert_memory_equal(private.server_to_client, public.server_to_client, NETCODE_KEY_BYTES);
        assert_memory_not_equal(private.server_to_client, private.client_to_server, NETCODE_KEY_BYTES);
        assert_memory_equal(private.user_data, params.user_data, NETCODE_USER_DATA_BYTES);
    }
}

static void test_token_bad_params_are_refused(void **state) {
    (void)state;
    uint8_t token[NETCODE_TOKEN_BYTES];
    params.server_count = 0;
    assert_int_equal(netcode_token_mint(token, &params, connect_key), MARCH_ERR_INVALID);
    params.server_count = NETCODE_TOKEN_SERVERS_MAX + 1;
    assert_int_equal(netcode_token_mint(token, &params, connect_key), MARCH_ERR_INVALID);
    params.server_count = 3; /* the third has no address */
    assert_int_equal(netcode_token_mint(token, &params, connect_key), MARCH_ERR_INVALID);
    params.server_count = 2;
    params.expire_s = params.create_s - 1;
    assert_int_equal(netcode_token_mint(token, &params, connect_key), MARCH_ERR_INVALID);
    params.expire_s = params.create_s;
    assert_int_equal(netcode_token_mint(token, &params, connect_key), 0);
}

static void test_token_damaged_public_part_is_refused(void **state) {
    (void)state;
    static struct netcode_token_public public;
    uint8_t good[NETCODE_TOKEN_BYTES], token[NETCODE_TOKEN_BYTES];
    assert_int_equal(netcode_token_write(good, &params, &fixed, connect_key), 0);
    static const struct {
        size_t offset;
        uint8_t value;
    } damages[] = {
        {0, 'n'},  {12, 1},    {28, 0xff}, /* created after it expires */
        {1089, 0}, {1089, 33}, {1090, 1},  /* count of servers */
        {1093, 0}, {1093, 3},  {1100, 255} /* address types */
    };
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        memcpy(token, good, sizeof(token));
        token[damages[i].offset] = damages[i].value;
        assert_int_equal(netcode_token_read_public(&public, token, sizeof(token)), MARCH_ERR_INVALID);
    }
    assert_int_equal(netcode_token_read_public(&public, good, sizeof(good) - 1), MARCH_ERR_INVALID);
    assert_int_equal(netcode_token_read_public(&public, good, 0), MARCH_ERR_INVALID);
    assert_int_equal(netcode_token_read_public(&public, good, sizeof(good)), 0);
}

static void test_token_private_part_opens_only_as_sealed(void **state) {
    (void)state;
    static struct netcode_token_private out;
    uint8_t token[NETCODE_TOKEN_BYTES], sealed[NETCODE_TOKEN_PRIVATE_BYTES], other_key[NETCODE_KEY_BYTES] = {0};
    assert_int_equal(netcode_token_write(token, &params, &fixed, connect_key), 0);
    uint8_t *at = token + 61;
#define OPEN(protocol, expire, nonce, key)                                                                                  \
    (memcpy(sealed, at, sizeof(sealed)), netcode_token_open_private(&out, sealed, protocol, expire, nonce, key))
    assert_int_equal(OPEN(PROTOCOL, params.expire_s, fixed.nonce, connect_key), 0);
    assert_int_equal(OPEN(PROTOCOL + 1, params.expire_s, fixed.nonce, connect_key), MARCH_ERR_CRYPTO);
    assert_int_equal(OPEN(PROTOCOL, params.expire_s + 1, fixed.nonce, connect_key), MARCH_ERR_CRYPTO);
    assert_int_equal(OPEN(PROTOCOL, params.expire_s, fixed.nonce, other_key), MARCH_ERR_CRYPTO);
    uint8_t nonce[NETCODE_TOKEN_NONCE_BYTES] = {0};
    assert_int_equal(OPEN(PROTOCOL, params.expire_s, nonce, connect_key), MARCH_ERR_CRYPTO);
    at[1023] ^= 1;
    assert_int_equal(OPEN(PROTOCOL, params.expire_s, fixed.nonce, connect_key), MARCH_ERR_CRYPTO);
    at[1023] ^= 1;
#undef OPEN
}

/* Even a holder of the key can't make the server read outside: contents are checked after the seal. */
static void test_token_private_content_is_checked(void **state) {
    (void)state;
    static struct netcode_token_private out;
    static const struct {
        size_t offset;
        uint8_t value;
        int expected;
    } cases[] = {{12, 1, 0},
                 {12, 0, MARCH_ERR_INVALID},
                 {12, 33, MARCH_ERR_INVALID},
                 {15, 0x80, MARCH_ERR_INVALID},
                 {16, 0, MARCH_ERR_INVALID},
                 {16, 3, MARCH_ERR_INVALID}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t sealed[NETCODE_TOKEN_PRIVATE_BYTES] = {0}, ad[29];
        sealed[12] = 1;
        sealed[16] = 1;
        sealed[cases[i].offset] = cases[i].value;
        memcpy(ad, NETCODE_VERSION, NETCODE_VERSION_BYTES);
        store_le(ad + 13, PROTOCOL, 8);
        store_le(ad + 21, params.expire_s, 8);
        crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, sealed, 1008, ad, sizeof(ad), NULL, fixed.nonce,
                                                   connect_key);
        assert_int_equal(netcode_token_open_private(&out, sealed, PROTOCOL, params.expire_s, fixed.nonce, connect_key),
                         cases[i].expected);
    }
}

static void test_challenge_reference_vector_matches(void **state) {
    (void)state;
    struct netcode_challenge challenge = {.client_id = params.client_id}, out;
    memcpy(challenge.user_data, params.user_data, NETCODE_USER_DATA_BYTES);
    uint8_t sealed[NETCODE_CHALLENGE_BYTES];
    netcode_challenge_seal(sealed, &challenge, 1000, connect_key);
    assert_hex(sealed, sizeof(sealed),
               "cc069d9237ffb056d49a611eb36b7d1ab540babff7b5c8666dfc3c9074584ba20d5007a0a1eda112d9aa5cd9c4c054b6"
               "850bea4fea3279eb6a9fcec577d400bfbe9f460941537130aa078f9df8062be83458488921ec41a0964d3af4416fd1a0"
               "164bb7a40066ec99be1a82ae206ea5eb8e66946640bf38a4dd6f259a9201b7a02933418a4115a168311b983d95ca90fa"
               "e741331e91e76cb2bcda8fc48124be60f62ce2d1ce6d264e94f6e88cf9c6cfae120c2b70284b2f887999fd38c6b11dda"
               "b060f12cdf2da45fa9569855f94d41ea8d5e03fe270c056b84a6cad749d4cd83aa3fe6e820b28b136e695185715d2335"
               "f10d226bde3dd425ed13e0fa7e1c233807b3d0291130d212bc30c803124e7d2a9e7321948d80afa15ac0b294626c1a76"
               "cbac22a254b56806d0484e1a");
    uint8_t copy[NETCODE_CHALLENGE_BYTES];
    memcpy(copy, sealed, sizeof(copy));
    assert_int_equal(netcode_challenge_open(&out, copy, 1001, connect_key), MARCH_ERR_CRYPTO);
    assert_int_equal(netcode_challenge_open(&out, sealed, 1000, connect_key), 0);
    assert_int_equal(out.client_id, challenge.client_id);
    assert_memory_equal(out.user_data, challenge.user_data, NETCODE_USER_DATA_BYTES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_token_reference_vector_matches, setup),
        cmocka_unit_test_setup(test_token_minted_reads_back_on_both_sides, setup),
        cmocka_unit_test_setup(test_token_bad_params_are_refused, setup),
        cmocka_unit_test_setup(test_token_damaged_public_part_is_refused, setup),
        cmocka_unit_test_setup(test_token_private_part_opens_only_as_sealed, setup),
        cmocka_unit_test_setup(test_token_private_content_is_checked, setup),
        cmocka_unit_test_setup(test_challenge_reference_vector_matches, setup),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
