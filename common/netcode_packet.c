/* netcode_packet.c: see netcode_packet.h. */
#include "common/netcode_packet.h"

#include <sodium.h>
#include <string.h>

#include "common/bytes.h"
#include "common/check.h"

#define ASSOCIATED_BYTES (NETCODE_VERSION_BYTES + 8 + 1)
#define NONCE_BYTES      crypto_aead_chacha20poly1305_ietf_NPUBBYTES

_Static_assert(NONCE_BYTES == 12 && crypto_aead_chacha20poly1305_ietf_ABYTES == NETCODE_MAC_BYTES,
               "the standard's primitive");

void netcode_protocol_init(struct netcode_protocol *protocol, uint64_t protocol_id) {
    protocol->id = protocol_id;
    memcpy(protocol->associated, NETCODE_VERSION, NETCODE_VERSION_BYTES);
    store_le(protocol->associated + NETCODE_VERSION_BYTES, protocol_id, 8);
}

static void associate(uint8_t ad[ASSOCIATED_BYTES], const struct netcode_protocol *protocol, uint8_t prefix) {
    memcpy(ad, protocol->associated, ASSOCIATED_BYTES - 1);
    ad[ASSOCIATED_BYTES - 1] = prefix;
}

static void nonce_of(uint8_t nonce[NONCE_BYTES], uint64_t sequence) {
    memset(nonce, 0, 4);
    store_le(nonce + 4, sequence, 8);
}

static unsigned sequence_bytes(uint64_t sequence) {
    return sequence == 0 ? 1 : (71u - (unsigned)__builtin_clzll(sequence)) / 8;
}

size_t netcode_packet_seal(const struct netcode_protocol *protocol, enum netcode_packet_type type, uint64_t sequence,
                           const uint8_t key[NETCODE_KEY_BYTES], uint8_t *data, size_t len, uint8_t **packet) {
    CHECK(type > NETCODE_REQUEST && type < NETCODE_PACKET_TYPE_COUNT);
    CHECK(len <= NETCODE_PAYLOAD_MAX && sequence != NETCODE_SEQUENCE_NEVER);
    unsigned count = sequence_bytes(sequence);
    uint8_t prefix = (uint8_t)(count << 4 | type);
    uint8_t *start = data - count - 1;
    start[0] = prefix;
    store_le(start + 1, sequence, count);
    uint8_t ad[ASSOCIATED_BYTES];
    uint8_t nonce[NONCE_BYTES];
    associate(ad, protocol, prefix);
    nonce_of(nonce, sequence);
    crypto_aead_chacha20poly1305_ietf_encrypt_detached(data, data + len, NULL, data, len, ad, sizeof(ad), NULL, nonce, key);
    *packet = start;
    return 1 + count + len + NETCODE_MAC_BYTES;
}

int netcode_header_parse(struct netcode_header *header, const uint8_t *packet, size_t len) {
    if (len < NETCODE_PACKET_MIN || len > NETCODE_PACKET_MAX) return MARCH_ERR_INVALID;
    unsigned type = packet[0] & 15u;
    unsigned count = packet[0] >> 4;
    if (type == NETCODE_REQUEST || type >= NETCODE_PACKET_TYPE_COUNT) return MARCH_ERR_INVALID;
    if (count < 1 || count > 8 || len < 1 + count + NETCODE_MAC_BYTES) return MARCH_ERR_INVALID;
    *header = (struct netcode_header){
        .type = (enum netcode_packet_type)type,
        .prefix = packet[0],
        .data_offset = (uint8_t)(1 + count),
        .data_len = (uint16_t)(len - 1 - count - NETCODE_MAC_BYTES),
        .sequence = load_le(packet + 1, count),
    };
    return 0;
}

static bool length_fits(enum netcode_packet_type type, size_t len) {
    switch (type) {
    case NETCODE_DENIED:
    case NETCODE_DISCONNECT: return len == 0;
    case NETCODE_CHALLENGE:
    case NETCODE_RESPONSE: return len == NETCODE_CHALLENGE_DATA;
    case NETCODE_KEEP_ALIVE: return len == NETCODE_KEEP_ALIVE_DATA;
    case NETCODE_PAYLOAD: return len >= 1 && len <= NETCODE_PAYLOAD_MAX;
    default: return false;
    }
}

int netcode_packet_open(const struct netcode_protocol *protocol, const uint8_t key[NETCODE_KEY_BYTES],
                        const struct netcode_header *header, uint8_t *packet) {
    uint8_t ad[ASSOCIATED_BYTES];
    uint8_t nonce[NONCE_BYTES];
    associate(ad, protocol, header->prefix);
    nonce_of(nonce, header->sequence);
    uint8_t *data = packet + header->data_offset;
    if (crypto_aead_chacha20poly1305_ietf_decrypt_detached(data, NULL, data, header->data_len, data + header->data_len, ad,
                                                           sizeof(ad), nonce, key) != 0) {
        return MARCH_ERR_CRYPTO;
    }
    return length_fits(header->type, header->data_len) ? 0 : MARCH_ERR_INVALID;
}

void netcode_request_write(uint8_t packet[NETCODE_REQUEST_BYTES], const struct netcode_token_public *token) {
    struct byte_writer w = {.bytes = packet, .size = NETCODE_REQUEST_BYTES};
    write_uint(&w, NETCODE_REQUEST, 1);
    write_bytes(&w, NETCODE_VERSION, NETCODE_VERSION_BYTES);
    write_uint(&w, token->protocol_id, 8);
    write_uint(&w, token->expire_s, 8);
    write_bytes(&w, token->nonce, NETCODE_TOKEN_NONCE_BYTES);
    write_bytes(&w, token->sealed, NETCODE_TOKEN_PRIVATE_BYTES);
    CHECK(!w.overflow && w.len == NETCODE_REQUEST_BYTES);
}

int netcode_request_parse(struct netcode_request *request, const struct netcode_protocol *protocol, uint8_t *packet,
                          size_t len) {
    if (len != NETCODE_REQUEST_BYTES || packet[0] != NETCODE_REQUEST) return MARCH_ERR_INVALID;
    if (memcmp(packet + 1, protocol->associated, sizeof(protocol->associated)) != 0) return MARCH_ERR_INVALID;
    uint8_t *expiry = packet + 1 + sizeof(protocol->associated);
    request->expire_s = load_le(expiry, 8);
    request->nonce = expiry + 8;
    request->sealed = expiry + 8 + NETCODE_TOKEN_NONCE_BYTES;
    request->mac = request->sealed + NETCODE_TOKEN_PRIVATE_BYTES - NETCODE_MAC_BYTES;
    return 0;
}

void replay_window_advance(struct replay_window *w, uint64_t sequence) {
    CHECK(sequence != NETCODE_SEQUENCE_NEVER);
    if (sequence >= w->next) {
        if (sequence - w->next >= NETCODE_REPLAY_WINDOW) {
            memset(w->bits, 0, sizeof(w->bits));
        } else {
            for (uint64_t s = w->next; s < sequence; s++) w->bits[s / 64 % 4] &= ~(1ULL << (s % 64));
        }
        w->next = sequence + 1;
    } else if (w->next - sequence > NETCODE_REPLAY_WINDOW) {
        return;
    }
    w->bits[sequence / 64 % 4] |= 1ULL << (sequence % 64);
}
