/* netcode_token.c: see netcode_token.h. Layouts follow the tables of the standard, field by field. */
#include "common/netcode_token.h"

#include <sodium.h>

#include "common/bytes.h"
#include "common/check.h"

#define WIRE_IPV4          1
#define WIRE_IPV6          2
#define TOKEN_AD_BYTES     (NETCODE_VERSION_BYTES + 8 + 8)
#define SERVER_BYTES_MAX   (1 + 16 + 2)
#define SERVERS_BYTES_MAX  (NETCODE_TOKEN_SERVERS_MAX * SERVER_BYTES_MAX)
#define PRIVATE_OPEN_BYTES (NETCODE_TOKEN_PRIVATE_BYTES - NETCODE_MAC_BYTES)

_Static_assert(sizeof(NETCODE_VERSION) == NETCODE_VERSION_BYTES, "the version travels with its zero");
_Static_assert(8 + 4 + 4 + SERVERS_BYTES_MAX + 2 * NETCODE_KEY_BYTES + NETCODE_USER_DATA_BYTES <= PRIVATE_OPEN_BYTES,
               "the largest private part fits");
_Static_assert(NETCODE_VERSION_BYTES + 3 * 8 + NETCODE_TOKEN_NONCE_BYTES + NETCODE_TOKEN_PRIVATE_BYTES + 4 + 4 +
                       SERVERS_BYTES_MAX + 2 * NETCODE_KEY_BYTES <=
                   NETCODE_TOKEN_BYTES,
               "the largest token fits");
_Static_assert(8 + NETCODE_USER_DATA_BYTES <= NETCODE_CHALLENGE_BYTES - NETCODE_MAC_BYTES, "a challenge fits");

/* An IPv6 address travels as eight 16-bit numbers in little-endian order, so each pair of bytes is swapped. */
static void swap_pairs(uint8_t out[16], const uint8_t in[16]) {
    for (size_t i = 0; i < 16; i++) out[i] = in[i ^ 1];
}

static void write_servers(struct byte_writer *w, const struct addr *servers, uint32_t count) {
    write_uint(w, count, 4);
    for (uint32_t i = 0; i < count; i++) {
        if (servers[i].family == ADDR_IPV4) {
            write_uint(w, WIRE_IPV4, 1);
            write_bytes(w, servers[i].bytes, 4);
        } else {
            uint8_t swapped[16];
            swap_pairs(swapped, servers[i].bytes);
            write_uint(w, WIRE_IPV6, 1);
            write_bytes(w, swapped, 16);
        }
        write_uint(w, servers[i].port, 2);
    }
}

static int read_servers(struct byte_reader *r, struct addr servers[NETCODE_TOKEN_SERVERS_MAX], uint32_t *count) {
    *count = (uint32_t)read_uint(r, 4);
    if (*count < 1 || *count > NETCODE_TOKEN_SERVERS_MAX) return MARCH_ERR_INVALID;
    for (uint32_t i = 0; i < *count; i++) {
        struct addr *server = &servers[i];
        *server = (struct addr){0};
        uint64_t type = read_uint(r, 1);
        if (type == WIRE_IPV4) {
            server->family = ADDR_IPV4;
            read_bytes(r, server->bytes, 4);
        } else if (type == WIRE_IPV6) {
            uint8_t swapped[16];
            server->family = ADDR_IPV6;
            read_bytes(r, swapped, 16);
            swap_pairs(server->bytes, swapped);
        } else {
            return MARCH_ERR_INVALID;
        }
        server->port = (uint16_t)read_uint(r, 2);
    }
    return 0;
}

static int check_params(const struct netcode_token_params *params) {
    if (params->server_count < 1 || params->server_count > NETCODE_TOKEN_SERVERS_MAX) return MARCH_ERR_INVALID;
    if (params->create_s > params->expire_s) return MARCH_ERR_INVALID;
    for (uint32_t i = 0; i < params->server_count; i++) {
        uint8_t family = params->servers[i].family;
        if (family != ADDR_IPV4 && family != ADDR_IPV6) return MARCH_ERR_INVALID;
    }
    return 0;
}

static void write_associated(uint8_t ad[TOKEN_AD_BYTES], uint64_t protocol_id, uint64_t expire_s) {
    memcpy(ad, NETCODE_VERSION, NETCODE_VERSION_BYTES);
    store_le(ad + NETCODE_VERSION_BYTES, protocol_id, 8);
    store_le(ad + NETCODE_VERSION_BYTES + 8, expire_s, 8);
}

static void seal_private(uint8_t sealed[NETCODE_TOKEN_PRIVATE_BYTES], const struct netcode_token_params *params,
                         const struct netcode_token_random *random, const uint8_t *connect_key) {
    memset(sealed, 0, NETCODE_TOKEN_PRIVATE_BYTES);
    struct byte_writer w = {.bytes = sealed, .size = PRIVATE_OPEN_BYTES};
    write_uint(&w, params->client_id, 8);
    write_uint(&w, (uint32_t)params->timeout_s, 4);
    write_servers(&w, params->servers, params->server_count);
    write_bytes(&w, random->client_to_server, NETCODE_KEY_BYTES);
    write_bytes(&w, random->server_to_client, NETCODE_KEY_BYTES);
    write_bytes(&w, params->user_data, NETCODE_USER_DATA_BYTES);
    CHECK(!w.overflow);
    uint8_t ad[TOKEN_AD_BYTES];
    write_associated(ad, params->protocol_id, params->expire_s);
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, sealed, PRIVATE_OPEN_BYTES, ad, sizeof(ad), NULL, random->nonce,
                                               connect_key);
}

int netcode_token_write(uint8_t token[NETCODE_TOKEN_BYTES], const struct netcode_token_params *params,
                        const struct netcode_token_random *random, const uint8_t connect_key[NETCODE_KEY_BYTES]) {
    int error = check_params(params);
    if (error != 0) return error;
    memset(token, 0, NETCODE_TOKEN_BYTES);
    struct byte_writer w = {.bytes = token, .size = NETCODE_TOKEN_BYTES};
    write_bytes(&w, NETCODE_VERSION, NETCODE_VERSION_BYTES);
    write_uint(&w, params->protocol_id, 8);
    write_uint(&w, params->create_s, 8);
    write_uint(&w, params->expire_s, 8);
    write_bytes(&w, random->nonce, NETCODE_TOKEN_NONCE_BYTES);
    seal_private(byte_writer_claim(&w, NETCODE_TOKEN_PRIVATE_BYTES), params, random, connect_key);
    write_uint(&w, (uint32_t)params->timeout_s, 4);
    write_servers(&w, params->servers, params->server_count);
    write_bytes(&w, random->client_to_server, NETCODE_KEY_BYTES);
    write_bytes(&w, random->server_to_client, NETCODE_KEY_BYTES);
    CHECK(!w.overflow);
    return 0;
}

int netcode_token_mint(uint8_t token[NETCODE_TOKEN_BYTES], const struct netcode_token_params *params,
                       const uint8_t connect_key[NETCODE_KEY_BYTES]) {
    struct netcode_token_random random;
    randombytes_buf(&random, sizeof(random));
    int error = netcode_token_write(token, params, &random, connect_key);
    sodium_memzero(&random, sizeof(random));
    return error;
}

int netcode_token_read_public(struct netcode_token_public *out, const uint8_t *token, size_t len) {
    if (len != NETCODE_TOKEN_BYTES || memcmp(token, NETCODE_VERSION, NETCODE_VERSION_BYTES) != 0) return MARCH_ERR_INVALID;
    struct byte_reader r = {.bytes = token, .len = len, .next = NETCODE_VERSION_BYTES};
    out->protocol_id = read_uint(&r, 8);
    out->create_s = read_uint(&r, 8);
    out->expire_s = read_uint(&r, 8);
    if (out->create_s > out->expire_s) return MARCH_ERR_INVALID;
    read_bytes(&r, out->nonce, NETCODE_TOKEN_NONCE_BYTES);
    read_bytes(&r, out->sealed, NETCODE_TOKEN_PRIVATE_BYTES);
    out->timeout_s = (int32_t)(uint32_t)read_uint(&r, 4);
    int error = read_servers(&r, out->servers, &out->server_count);
    if (error != 0) return error;
    read_bytes(&r, out->client_to_server, NETCODE_KEY_BYTES);
    read_bytes(&r, out->server_to_client, NETCODE_KEY_BYTES);
    return r.overflow ? MARCH_ERR_INVALID : 0;
}

int netcode_token_open_private(struct netcode_token_private *out, uint8_t sealed[NETCODE_TOKEN_PRIVATE_BYTES],
                               uint64_t protocol_id, uint64_t expire_s, const uint8_t nonce[NETCODE_TOKEN_NONCE_BYTES],
                               const uint8_t connect_key[NETCODE_KEY_BYTES]) {
    uint8_t ad[TOKEN_AD_BYTES];
    write_associated(ad, protocol_id, expire_s);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, NULL, NULL, sealed, NETCODE_TOKEN_PRIVATE_BYTES, ad, sizeof(ad),
                                                   nonce, connect_key) != 0) {
        return MARCH_ERR_CRYPTO;
    }
    struct byte_reader r = {.bytes = sealed, .len = PRIVATE_OPEN_BYTES};
    out->client_id = read_uint(&r, 8);
    out->timeout_s = (int32_t)(uint32_t)read_uint(&r, 4);
    int error = read_servers(&r, out->servers, &out->server_count);
    if (error != 0) return error;
    read_bytes(&r, out->client_to_server, NETCODE_KEY_BYTES);
    read_bytes(&r, out->server_to_client, NETCODE_KEY_BYTES);
    read_bytes(&r, out->user_data, NETCODE_USER_DATA_BYTES);
    return r.overflow ? MARCH_ERR_INVALID : 0;
}

static void challenge_nonce(uint8_t nonce[12], uint64_t sequence) {
    memset(nonce, 0, 4);
    store_le(nonce + 4, sequence, 8);
}

void netcode_challenge_seal(uint8_t sealed[NETCODE_CHALLENGE_BYTES], const struct netcode_challenge *challenge,
                            uint64_t sequence, const uint8_t key[NETCODE_KEY_BYTES]) {
    uint8_t nonce[12];
    challenge_nonce(nonce, sequence);
    memset(sealed, 0, NETCODE_CHALLENGE_BYTES);
    store_le(sealed, challenge->client_id, 8);
    memcpy(sealed + 8, challenge->user_data, NETCODE_USER_DATA_BYTES);
    crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, sealed, NETCODE_CHALLENGE_BYTES - NETCODE_MAC_BYTES, NULL, 0,
                                              NULL, nonce, key);
}

int netcode_challenge_open(struct netcode_challenge *out, uint8_t sealed[NETCODE_CHALLENGE_BYTES], uint64_t sequence,
                           const uint8_t key[NETCODE_KEY_BYTES]) {
    uint8_t nonce[12];
    challenge_nonce(nonce, sequence);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(sealed, NULL, NULL, sealed, NETCODE_CHALLENGE_BYTES, NULL, 0, nonce,
                                                  key) != 0) {
        return MARCH_ERR_CRYPTO;
    }
    out->client_id = load_le(sealed, 8);
    memcpy(out->user_data, sealed + 8, NETCODE_USER_DATA_BYTES);
    return 0;
}
