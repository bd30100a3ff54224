/* netcode_packet.h: the packets of netcode 1.02, sealed and opened in place, and the replay window.
 *
 * An encrypted packet on the wire (STANDARD.md of netcode 1.02):
 *
 *   1       prefix: low 4 bits type (1 to 6), high 4 bits length of the sequence (1 to 8)
 *   1 to 8  sequence, little-endian without its high zero bytes
 *   n       data, ChaCha20-Poly1305; nonce: 4 zero bytes, then the sequence in 8
 *   16      MAC, over the data, the version, the protocol id and the prefix
 *
 * A connection request (type 0) is 1,078 bytes in clear: 0, version (13), protocol id (8), expiry (8), nonce (24), sealed
 * private connect token (1,024).
 *
 * Sealing needs NETCODE_HEADROOM bytes of room before the data and NETCODE_MAC_BYTES after; the packet starts inside the
 * headroom, where depends on the length of the sequence. Opening leaves the data where it was. Nothing is copied or
 * allocated. Data of a packet that does not open is overwritten.
 */
#ifndef MARCH_COMMON_NETCODE_PACKET_H
#define MARCH_COMMON_NETCODE_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/netcode_token.h"

#define NETCODE_HEADROOM        9 /* prefix and the longest sequence */
#define NETCODE_PAYLOAD_MAX     1200
#define NETCODE_PACKET_MAX      (NETCODE_HEADROOM + NETCODE_PAYLOAD_MAX + NETCODE_MAC_BYTES)
#define NETCODE_PACKET_MIN      (1 + 1 + NETCODE_MAC_BYTES)
#define NETCODE_REQUEST_BYTES   (1 + NETCODE_VERSION_BYTES + 8 + 8 + NETCODE_TOKEN_NONCE_BYTES + NETCODE_TOKEN_PRIVATE_BYTES)
#define NETCODE_CHALLENGE_DATA  (8 + NETCODE_CHALLENGE_BYTES) /* data of challenge and response */
#define NETCODE_KEEP_ALIVE_DATA 8
#define NETCODE_CONTROL_PACKET_MAX                                                                                          \
    (NETCODE_HEADROOM + NETCODE_CHALLENGE_DATA + NETCODE_MAC_BYTES) /* all but payload, request */
#define NETCODE_REPLAY_WINDOW       256
#define NETCODE_SEQUENCE_NEVER      UINT64_MAX /* ignored by receivers, so never sent */
#define NETCODE_MAX_CLIENTS_ON_WIRE 256        /* the largest max_clients that other implementations accept */

_Static_assert(NETCODE_REQUEST_BYTES == 1078, "the standard's request");

enum netcode_packet_type {
    NETCODE_REQUEST = 0,
    NETCODE_DENIED = 1,
    NETCODE_CHALLENGE = 2,
    NETCODE_RESPONSE = 3,
    NETCODE_KEEP_ALIVE = 4,
    NETCODE_PAYLOAD = 5,
    NETCODE_DISCONNECT = 6,
    NETCODE_PACKET_TYPE_COUNT
};

/* A protocol's associated data, prepared once. */
struct netcode_protocol {
    uint64_t id;
    uint8_t associated[NETCODE_VERSION_BYTES + 8]; /* the prefix byte follows it */
};

/* What a packet says of itself in clear. */
struct netcode_header {
    enum netcode_packet_type type; /* never NETCODE_REQUEST */
    uint8_t prefix;
    uint8_t data_offset;
    uint16_t data_len; /* without the MAC */
    uint64_t sequence;
};

/* A connection request, pointing into its packet. */
struct netcode_request {
    uint64_t expire_s;
    const uint8_t *nonce;
    uint8_t *sealed;    /* NETCODE_TOKEN_PRIVATE_BYTES */
    const uint8_t *mac; /* the last 16 bytes of sealed: names the token */
};

/* The last NETCODE_REPLAY_WINDOW sequence numbers. All zero: nothing received yet. */
struct replay_window {
    uint64_t next; /* the highest sequence received, plus one */
    uint64_t bits[NETCODE_REPLAY_WINDOW / 64];
};

void netcode_protocol_init(struct netcode_protocol *protocol, uint64_t protocol_id);

/* netcode_packet_seal encrypts `len` bytes at `data` in place and puts prefix, sequence and MAC around them. Returns the
 * packet's length and where it starts. */
size_t netcode_packet_seal(const struct netcode_protocol *protocol, enum netcode_packet_type type, uint64_t sequence,
                           const uint8_t key[NETCODE_KEY_BYTES], uint8_t *data, size_t len, uint8_t **packet);

/* netcode_header_parse reads an encrypted packet's clear part and checks all lengths that can be known before it is opened.
 * MARCH_ERR_INVALID when it can't be one. */
must_check int netcode_header_parse(struct netcode_header *header, const uint8_t *packet, size_t len);

/* netcode_packet_open decrypts a parsed packet in place; its data is then at packet + header->data_offset. MARCH_ERR_CRYPTO
 * when the seal is not by this key, MARCH_ERR_INVALID when the data has not the length of its type. */
must_check int netcode_packet_open(const struct netcode_protocol *protocol, const uint8_t key[NETCODE_KEY_BYTES],
                                   const struct netcode_header *header, uint8_t *packet);

/* netcode_request_write writes NETCODE_REQUEST_BYTES from a token's public part. */
void netcode_request_write(uint8_t packet[NETCODE_REQUEST_BYTES], const struct netcode_token_public *token);

/* netcode_request_parse checks length, version and protocol id of a connection request. MARCH_ERR_INVALID otherwise. */
must_check int netcode_request_parse(struct netcode_request *request, const struct netcode_protocol *protocol,
                                     uint8_t *packet, size_t len);

/* Replay protection covers keep-alive, payload and disconnect packets. */
static inline bool netcode_is_replay_protected(enum netcode_packet_type type) {
    return type >= NETCODE_KEEP_ALIVE;
}

/* replay_window_seen tells whether a sequence was received before or is too old to tell; true for NETCODE_SEQUENCE_NEVER. */
static inline bool replay_window_seen(const struct replay_window *w, uint64_t sequence) {
    if (sequence == NETCODE_SEQUENCE_NEVER) return true;
    if (sequence >= w->next) return false;
    if (w->next - sequence > NETCODE_REPLAY_WINDOW) return true;
    return (w->bits[sequence / 64 % (NETCODE_REPLAY_WINDOW / 64)] >> (sequence % 64) & 1) != 0;
}

/* replay_window_advance marks a sequence as received, once its packet has opened. */
void replay_window_advance(struct replay_window *w, uint64_t sequence);

#endif
