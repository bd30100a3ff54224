/* fuzz_netcode_token.c: connect tokens. A client reads raw bytes; a server opens bytes that were sealed with the right key
 * but hold anything; what is minted from fuzzed parameters reads back the same on both sides. */
#include <sodium.h>
#include <string.h>

#include "common/bytes.h"
#include "common/check.h"
#include "common/netcode_token.h"

static const uint8_t key[NETCODE_KEY_BYTES] = {7};

static void check_servers(const struct addr *servers, uint32_t count) {
    CHECK(count >= 1 && count <= NETCODE_TOKEN_SERVERS_MAX);
    for (uint32_t i = 0; i < count; i++) CHECK(servers[i].family == ADDR_IPV4 || servers[i].family == ADDR_IPV6);
}

static void read_raw(const uint8_t *data, size_t len) {
    static struct netcode_token_public public;
    uint8_t token[NETCODE_TOKEN_BYTES] = NETCODE_VERSION;
    if (len > sizeof(token) - NETCODE_VERSION_BYTES) len = sizeof(token) - NETCODE_VERSION_BYTES;
    /* The fields after the sealed part are where the interest is: put the bytes there as well as at the start. */
    memcpy(token + NETCODE_VERSION_BYTES, data, len < 48 ? len : 48);
    if (len > 48) memcpy(token + 1085, data + 48, len - 48 < 963 ? len - 48 : 963);
    if (netcode_token_read_public(&public, token, sizeof(token)) == 0) check_servers(public.servers, public.server_count);
    CHECK(netcode_token_read_public(&public, token, len) == MARCH_ERR_INVALID);
}

static void open_sealed(const uint8_t *data, size_t len) {
    static struct netcode_token_private private;
    uint8_t sealed[NETCODE_TOKEN_PRIVATE_BYTES] = {0}, ad[29], nonce[NETCODE_TOKEN_NONCE_BYTES] = {1};
    size_t room = sizeof(sealed) - NETCODE_MAC_BYTES;
    memcpy(sealed, data, len < room ? len : room);
    memcpy(ad, NETCODE_VERSION, NETCODE_VERSION_BYTES);
    store_le(ad + 13, 77, 8);
    store_le(ad + 21, 99, 8);
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, sealed, room, ad, sizeof(ad), NULL, nonce, key);
    int error = netcode_token_open_private(&private, sealed, 77, 99, nonce, key);
    CHECK(error == 0 || error == MARCH_ERR_INVALID);
    if (error == 0) check_servers(private.servers, private.server_count);
}

static void round_trip(const uint8_t *data, size_t len) {
    static struct netcode_token_public public;
    static struct netcode_token_private private;
    struct netcode_token_params params = {0};
    uint8_t token[NETCODE_TOKEN_BYTES];
    struct byte_reader r = {.bytes = data, .len = len};
    params.protocol_id = read_uint(&r, 8);
    params.client_id = read_uint(&r, 8);
    params.create_s = read_uint(&r, 4);
    params.expire_s = params.create_s + read_uint(&r, 4);
    params.timeout_s = (int32_t)(uint32_t)read_uint(&r, 4);
    params.server_count = (uint32_t)read_uint(&r, 1) % NETCODE_TOKEN_SERVERS_MAX + 1;
    for (uint32_t i = 0; i < params.server_count; i++) {
        bool v6 = read_uint(&r, 1) & 1;
        params.servers[i].family = v6 ? ADDR_IPV6 : ADDR_IPV4;
        read_bytes(&r, params.servers[i].bytes, v6 ? 16 : 4);
        params.servers[i].port = (uint16_t)read_uint(&r, 2);
    }
    CHECK(netcode_token_mint(token, &params, key) == 0);
    CHECK(netcode_token_read_public(&public, token, sizeof(token)) == 0);
    CHECK(netcode_token_open_private(&private, public.sealed, params.protocol_id, params.expire_s, public.nonce, key) == 0);
    CHECK(public.server_count == params.server_count && private.server_count == params.server_count);
    CHECK(memcmp(public.servers, params.servers, params.server_count * sizeof(struct addr)) == 0);
    CHECK(memcmp(private.servers, params.servers, params.server_count * sizeof(struct addr)) == 0);
    CHECK(private.client_id == params.client_id && private.timeout_s == params.timeout_s);
    CHECK(memcmp(private.user_data, params.user_data, NETCODE_USER_DATA_BYTES) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    CHECK(sodium_init() >= 0);
    read_raw(data, len);
    open_sealed(data, len);
    round_trip(data, len);
    return 0;
}
