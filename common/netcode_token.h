/* netcode_token.h: connect tokens and challenge tokens of netcode 1.02.
 *
 * A connect token admits one client to a list of servers. Whoever holds the 32-byte connect key mints it (2,048 bytes); the
 * client reads its public part; the server opens the sealed private part. A challenge token (300 bytes) is sealed by a
 * server for itself: it comes back only from clients that receive at their claimed address. Source: STANDARD.md of
 * netcode 1.02.
 *
 * Nothing here allocates. Bytes from outside are read through a bounded cursor and every field is checked.
 */
#ifndef MARCH_COMMON_NETCODE_TOKEN_H
#define MARCH_COMMON_NETCODE_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/error.h"

#define NETCODE_VERSION                "NETCODE 1.02" /* on the wire with its terminating zero */
#define NETCODE_VERSION_BYTES          13
#define NETCODE_KEY_BYTES              32
#define NETCODE_MAC_BYTES              16
#define NETCODE_USER_DATA_BYTES        256
#define NETCODE_TOKEN_BYTES            2048
#define NETCODE_TOKEN_NONCE_BYTES      24
#define NETCODE_TOKEN_PRIVATE_BYTES    1024 /* with its MAC, which is the last 16 bytes */
#define NETCODE_CHALLENGE_BYTES        300  /* with its MAC */
#define NETCODE_TOKEN_SERVERS_MAX      32
#define NETCODE_TOKEN_LIFETIME_DEFAULT 30 /* seconds; what a server must assume of every token, see netcode_server.h */
#define NETCODE_TOKEN_SLACK_S          1  /* a minter's clock may be so far ahead of a gateway's */

/* What the minter decides. */
struct netcode_token_params {
    uint64_t protocol_id;
    uint64_t client_id;
    uint64_t create_s; /* Unix time */
    uint64_t expire_s;
    int32_t timeout_s; /* silence that ends the connection; 0 and less: none, for debugging */
    uint32_t server_count;
    struct addr servers[NETCODE_TOKEN_SERVERS_MAX]; /* as clients reach them */
    uint8_t user_data[NETCODE_USER_DATA_BYTES];
};

/* What is drawn at random for each token. */
struct netcode_token_random {
    uint8_t nonce[NETCODE_TOKEN_NONCE_BYTES];
    uint8_t client_to_server[NETCODE_KEY_BYTES];
    uint8_t server_to_client[NETCODE_KEY_BYTES];
};

/* What a client reads from its token. */
struct netcode_token_public {
    uint64_t protocol_id;
    uint64_t create_s;
    uint64_t expire_s;
    uint8_t nonce[NETCODE_TOKEN_NONCE_BYTES];
    uint8_t sealed[NETCODE_TOKEN_PRIVATE_BYTES];
    int32_t timeout_s;
    uint32_t server_count;
    struct addr servers[NETCODE_TOKEN_SERVERS_MAX];
    uint8_t client_to_server[NETCODE_KEY_BYTES];
    uint8_t server_to_client[NETCODE_KEY_BYTES];
};

/* What a server finds in the sealed part. */
struct netcode_token_private {
    uint64_t client_id;
    int32_t timeout_s;
    uint32_t server_count;
    struct addr servers[NETCODE_TOKEN_SERVERS_MAX];
    uint8_t client_to_server[NETCODE_KEY_BYTES];
    uint8_t server_to_client[NETCODE_KEY_BYTES];
    uint8_t user_data[NETCODE_USER_DATA_BYTES];
};

struct netcode_challenge {
    uint64_t client_id;
    uint8_t user_data[NETCODE_USER_DATA_BYTES];
};

/* netcode_token_mint writes a connect token with keys and nonce from the system's random source. MARCH_ERR_INVALID when
 * params are not 1 to 32 servers with addresses, or expire before they are created. sodium_init() must have run. */
must_check int netcode_token_mint(uint8_t token[NETCODE_TOKEN_BYTES], const struct netcode_token_params *params,
                                  const uint8_t connect_key[NETCODE_KEY_BYTES]);

/* netcode_token_write is netcode_token_mint with given randomness: the same input gives the same bytes. */
must_check int netcode_token_write(uint8_t token[NETCODE_TOKEN_BYTES], const struct netcode_token_params *params,
                                   const struct netcode_token_random *random, const uint8_t connect_key[NETCODE_KEY_BYTES]);

/* netcode_token_read_public is the client's side. MARCH_ERR_INVALID on a wrong length, version, address or time order. */
must_check int netcode_token_read_public(struct netcode_token_public *out, const uint8_t *token, size_t len);

/* netcode_token_open_private is the server's side: it opens `sealed` in place (its content is lost) and reads it.
 * MARCH_ERR_CRYPTO when it was not sealed with this key for this protocol and expiry, MARCH_ERR_INVALID when its content
 * can't be. */
must_check int netcode_token_open_private(struct netcode_token_private *out, uint8_t sealed[NETCODE_TOKEN_PRIVATE_BYTES],
                                          uint64_t protocol_id, uint64_t expire_s,
                                          const uint8_t nonce[NETCODE_TOKEN_NONCE_BYTES],
                                          const uint8_t connect_key[NETCODE_KEY_BYTES]);

/* netcode_challenge_seal writes a challenge token; `sequence` must never repeat under one key. */
void netcode_challenge_seal(uint8_t sealed[NETCODE_CHALLENGE_BYTES], const struct netcode_challenge *challenge,
                            uint64_t sequence, const uint8_t key[NETCODE_KEY_BYTES]);

/* netcode_challenge_open opens `sealed` in place and reads it; MARCH_ERR_CRYPTO when it is not ours. */
must_check int netcode_challenge_open(struct netcode_challenge *out, uint8_t sealed[NETCODE_CHALLENGE_BYTES],
                                      uint64_t sequence, const uint8_t key[NETCODE_KEY_BYTES]);

#endif
