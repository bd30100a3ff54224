/* netcode_server.h: the server side of netcode 1.02 for thousands of clients, as a plain state machine.
 *
 * Bytes and time go in; replies and events come out. No sockets, no clock; nothing is allocated after creation. A packet's
 * path:
 *
 *   request   → checks in clear → limits → token history → token opened → pending, challenge sent
 *   response  → limits → opened under the pending key → challenge opened → slot taken, keep-alive sent (CONNECTED)
 *   others    → replay window → opened under the slot's key → PAYLOAD or DISCONNECTED, or nothing (keep-alive)
 *
 * Limits. Slots, pending handshakes and the token history have fixed sizes. Full slots, or a server that is closed: the
 * client is sent "denied". Full pending table or history: the request is ignored and the client tries again. Packets of
 * senders without a session pass limits.h first. A session has two budgets: payloads a second, and packets that do not open
 * (somebody forges its address): once half of that is spent, only packets with the sequence numbers next expected are tried;
 * once all is spent, none. To silence a client that way, somebody must know its address and its numbers and send thousands
 * of packets a second, which costs less than 1 % of a core to try.
 *
 * A connect token admits one session, ever. It is tied to the first address and port it comes from, and consumed by the
 * session. Since the history is lost by a restart, tokens that may be older than the start are ignored: a token is taken
 * only in the last `token_lifetime_s` seconds before it expires, a second earlier for a minter whose clock is ahead, and not
 * if an earlier incarnation could have taken it by that rule. So minters give every token that lifetime, and a token minted
 * up to NETCODE_TOKEN_SLACK_S after the second of the start is not taken. The wall clock never goes back within a server:
 * after a step back, tokens are judged by the latest time seen.
 *
 * Every packet that is dropped has a reason, and every reason a counter.
 */
#ifndef MARCH_GATEWAY_NETCODE_SERVER_H
#define MARCH_GATEWAY_NETCODE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/netcode_packet.h"
#include "common/netcode_token.h"
#include "gateway/limits.h"
#include "gateway/netcode_drop.h"

#define NETCODE_SERVER_SLOTS_MAX   65536
#define NETCODE_SERVER_ADDRS_MAX   16
#define NETCODE_KEEP_ALIVE_MS      100 /* 10 a second when nothing else was sent */
#define NETCODE_DISCONNECT_PACKETS 10

/* A client's slot, by index and generation; generation 0 is never given out. */
struct netcode_slot {
    uint32_t index;
    uint32_t generation;
};

struct netcode_server_config {
    uint64_t protocol_id;
    uint8_t connect_key[NETCODE_KEY_BYTES];
    uint8_t secret[NETCODE_KEY_BYTES];                  /* random, new for each start */
    struct addr public_addrs[NETCODE_SERVER_ADDRS_MAX]; /* as tokens name this server */
    uint32_t public_addr_count;
    uint64_t start_s; /* Unix time of the start */
    uint32_t token_lifetime_s;
    uint32_t timeout_max_s; /* longest silence a token may ask for; also stands in for "no time-out" */
    uint32_t slots_max;
    uint32_t pending_max;
    uint32_t history_max;
    uint32_t session_per_s; /* payload packets from each session; 0: no limit */
    uint32_t session_burst;
    uint32_t forged_per_s; /* packets from a session's address that don't open */
    uint32_t forged_burst;
    bool reports_second_login; /* see NETCODE_DROP_CLIENT_CONNECTED at the event */
    struct limits_config limits;
};

enum netcode_event_type {
    NETCODE_EVENT_NONE = 0,
    NETCODE_EVENT_CONNECTED,    /* slot, client_id; data: the token's 256 bytes of user data */
    NETCODE_EVENT_PAYLOAD,      /* slot, client_id, sequence; data: 1 to 1,200 bytes */
    NETCODE_EVENT_DISCONNECTED, /* slot (no longer valid), client_id: the client left */
    NETCODE_EVENT_COUNT
};

/* What came of one datagram. A reply, if reply_len is not 0, goes to the sender, whatever the type. */
struct netcode_event {
    enum netcode_event_type type;
    /* With reports_second_login, CLIENT_CONNECTED is told only of a client whose address is proved, with the slot of the
     * session that is in its way: once that is gone, the client's next packet connects. */
    enum netcode_drop drop;
    struct netcode_slot slot;
    uint64_t client_id;
    uint64_t sequence;
    uint8_t token_mac[NETCODE_MAC_BYTES]; /* of CONNECTED: the token's name, and when it expires */
    uint64_t token_expire_s;
    const uint8_t *data; /* inside the datagram's bytes, or inside this event */
    size_t len;
    const uint8_t *reply;
    size_t reply_len;
    uint8_t reply_buf[NETCODE_CONTROL_PACKET_MAX];
    struct netcode_challenge challenge;
};

/* Where netcode_server_update puts what it does. */
struct netcode_sink {
    void *context;
    /* send is called with each packet to send; the bytes are valid during the call only. */
    void (*send)(void *context, const struct addr *to, const uint8_t *packet, size_t len);
    /* timed_out is called after a slot was freed for silence. */
    void (*timed_out)(void *context, struct netcode_slot slot, uint64_t client_id);
};

struct netcode_server_stats {
    uint32_t connected;
    uint32_t pending;
    uint32_t tokens; /* in the history */
    uint64_t accepted_total;
    uint64_t left_total; /* disconnected by the client */
    uint64_t timed_out_total;
    uint64_t drops_total[NETCODE_DROP_COUNT];
};

struct netcode_server;

/* netcode_server_config_default sets every limit; protocol, keys, secret, addresses and start are the caller's. */
void netcode_server_config_default(struct netcode_server_config *config);

/* netcode_server_create allocates everything. MARCH_ERR_INVALID when the config is out of range or its secret all zero,
 * MARCH_ERR_SYSTEM without memory. sodium_init() must have run. */
must_check int netcode_server_create(struct netcode_server **out, const struct netcode_server_config *config);
void netcode_server_destroy(struct netcode_server *server);

/* netcode_server_receive works on one datagram; it writes into `bytes`. wall_s is Unix time. The event stays valid until the
 * next call with it or until the bytes are reused. */
void netcode_server_receive(struct netcode_server *server, struct mono now, uint64_t wall_s, const struct addr *from,
                            uint8_t *bytes, size_t len, struct netcode_event *event);

/* netcode_server_update sends keep-alives, frees silent slots and forgets what expired. Call it every few milliseconds: each
 * call visits a share of the slots, all within 20 ms. */
void netcode_server_update(struct netcode_server *server, struct mono now, uint64_t wall_s, const struct netcode_sink *sink);

/* netcode_server_seal makes a payload packet of `len` (1 to 1,200) bytes in place; data has NETCODE_HEADROOM before and
 * NETCODE_MAC_BYTES after it. Returns the packet's length and start; MARCH_ERR_NOT_FOUND for a slot that is gone,
 * MARCH_ERR_EMPTY before the client confirmed the session by its first packet (at most 100 ms and a round trip). */
must_check int netcode_server_seal(struct netcode_server *server, struct mono now, struct netcode_slot slot, uint8_t *data,
                                   size_t len, uint8_t **packet);

/* netcode_server_disconnect frees a slot and sends the client NETCODE_DISCONNECT_PACKETS disconnect packets. No effect when
 * the slot is gone. */
void netcode_server_disconnect(struct netcode_server *server, struct netcode_slot slot, const struct netcode_sink *sink);

/* netcode_server_close has every client that wants to come in denied, or lets them in again. */
void netcode_server_close(struct netcode_server *server, bool is_closed);

/* netcode_server_addr returns where the slot's client is, or NULL when the slot is gone. */
const struct addr *netcode_server_addr(const struct netcode_server *server, struct netcode_slot slot);

/* netcode_server_slot_at returns the live slot with an index, or generation 0. */
struct netcode_slot netcode_server_slot_at(const struct netcode_server *server, uint32_t index);

/* netcode_server_slot_of returns the live slot of a client, or generation 0. */
struct netcode_slot netcode_server_slot_of(const struct netcode_server *server, uint64_t client_id);

void netcode_server_stats(const struct netcode_server *server, struct netcode_server_stats *stats);

/* netcode_server_check aborts unless the tables agree with each other; for tests and fuzzers, slow. */
void netcode_server_check(const struct netcode_server *server);

#endif
