/* netcode_client.h: the client side of netcode 1.02, as a plain state machine.
 *
 * The caller owns the struct, the socket and the clock. It passes in what it received and the time, and sends what it is
 * given to netcode_client_server(). Nothing is allocated. From a connect token the client tries the token's servers in
 * order:
 *
 *   REQUESTING → (challenge) → RESPONDING → (keep-alive) → CONNECTED → (disconnect) → DISCONNECTED
 *   denied or silent before CONNECTED: the next server; after the last, the state says why
 *
 * Sequence numbers are not reset by a new connect, so a token tried twice never repeats a nonce.
 */
#ifndef MARCH_TOOLS_CLIENT_NETCODE_CLIENT_H
#define MARCH_TOOLS_CLIENT_NETCODE_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/netcode_packet.h"
#include "common/netcode_token.h"

#define NETCODE_CLIENT_SEND_MS            100 /* handshake packets and keep-alives: 10 a second */
#define NETCODE_CLIENT_DISCONNECT_PACKETS 10
#define NETCODE_CLIENT_PACKET_MAX         NETCODE_REQUEST_BYTES /* of what the client itself sends; payloads may be longer */

/* Numbers are the standard's. */
enum netcode_client_state {
    NETCODE_CLIENT_TOKEN_EXPIRED = -6,
    NETCODE_CLIENT_TOKEN_INVALID = -5,
    NETCODE_CLIENT_TIMED_OUT = -4,
    NETCODE_CLIENT_RESPONSE_TIMED_OUT = -3,
    NETCODE_CLIENT_REQUEST_TIMED_OUT = -2,
    NETCODE_CLIENT_DENIED = -1,
    NETCODE_CLIENT_DISCONNECTED = 0,
    NETCODE_CLIENT_REQUESTING = 1,
    NETCODE_CLIENT_RESPONDING = 2,
    NETCODE_CLIENT_CONNECTED = 3
};

struct netcode_client {
    enum netcode_client_state state;
    struct netcode_token_public token;
    struct netcode_protocol protocol;
    struct replay_window replay;
    uint64_t sequence;
    uint32_t server_index;
    uint32_t client_index; /* as the server said; capped by servers with more than 256 clients */
    uint32_t max_clients;
    struct mono started; /* of the whole attempt */
    struct mono received;
    struct mono sent; /* zero: send at once */
    uint8_t challenge[NETCODE_CHALLENGE_DATA];
};

/* netcode_client_init makes a client that is disconnected. sodium_init() must have run. */
void netcode_client_init(struct netcode_client *client);

/* netcode_client_connect starts over with a token; a session that is open is forgotten without a word to its server.
 * MARCH_ERR_INVALID (and state TOKEN_INVALID) when the token can't be read. */
must_check int netcode_client_connect(struct netcode_client *client, struct mono now, const uint8_t *token, size_t len);

/* netcode_client_update moves time on: call it a few times within each 100 ms. Returns the length of a packet to send,
 * written into buf, or 0. */
size_t netcode_client_update(struct netcode_client *client, struct mono now, uint8_t buf[NETCODE_CLIENT_PACKET_MAX],
                             const uint8_t **packet);

/* netcode_client_receive works on one datagram in place. Returns the length of a payload, which is then at *payload inside
 * bytes, or 0. Whatever can't be from the server is ignored. */
size_t netcode_client_receive(struct netcode_client *client, struct mono now, const struct addr *from, uint8_t *bytes,
                              size_t len, const uint8_t **payload);

/* netcode_client_seal makes a payload packet of `len` (1 to 1,200) bytes in place; data has NETCODE_HEADROOM before and
 * NETCODE_MAC_BYTES after it. Returns the packet's length and start; MARCH_ERR_EMPTY when not connected. */
must_check int netcode_client_seal(struct netcode_client *client, struct mono now, uint8_t *data, size_t len,
                                   uint8_t **packet);

/* netcode_client_disconnect closes the session; `send`, if not NULL, is given the packets that tell the server. */
void netcode_client_disconnect(struct netcode_client *client,
                               void (*send)(void *context, const struct addr *to, const uint8_t *packet, size_t len),
                               void *context);

/* netcode_client_server returns the address of the server being tried or in use. */
const struct addr *netcode_client_server(const struct netcode_client *client);

#endif
