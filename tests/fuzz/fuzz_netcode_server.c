/* fuzz_netcode_server.c: a server under a program of packets, good and bad, from a few addresses, with time going by.
 *
 * Each step is four bytes: what to do, who does it, and two arguments. After each step: a reply is never longer than the
 * request, no token gives two sessions, and the server's tables agree.
 */
#include <sodium.h>
#include <string.h>

#include "common/bytes.h"
#include "common/check.h"
#include "gateway/netcode_server.h"
#include "tools/client/netcode_client.h"

#define PEERS 6
#define STEPS 200

struct peer {
    struct netcode_client client;
    struct addr addr;
    uint8_t token[NETCODE_TOKEN_BYTES];
    uint8_t last[NETCODE_PACKET_MAX]; /* the last packet it sent, to be repeated or damaged */
    size_t last_len;
};

struct world {
    struct netcode_server *server;
    struct netcode_server_config config;
    struct peer peers[PEERS];
    uint64_t token_count;
    bool admitted[PEERS + STEPS]; /* by number of the token, which is its user data */
    struct netcode_event event;
    struct mono now;
    uint64_t wall_s;
};

static struct world w;

static void mint(struct peer *peer, uint64_t client_id) {
    struct netcode_token_params params = {.protocol_id = 77,
                                          .client_id = client_id,
                                          .create_s = w.wall_s,
                                          .expire_s = w.wall_s + 30,
                                          .timeout_s = 5,
                                          .server_count = 1};
    struct netcode_token_random random = {0};
    uint64_t number = w.token_count++;
    store_le(params.user_data, number, 8);
    store_le(random.nonce, number, 8);
    store_le(random.client_to_server, number, 8);
    store_le(random.server_to_client, number, 8);
    params.servers[0] = w.config.public_addrs[0];
    CHECK(netcode_token_write(peer->token, &params, &random, w.config.connect_key) == 0);
}

static void start(void) {
    w = (struct world){0};
    netcode_server_config_default(&w.config);
    w.config.protocol_id = 77;
    w.config.secret[0] = 1;
    w.config.public_addr_count = 1;
    CHECK(addr_parse(&w.config.public_addrs[0], "10.0.0.1:40000") == 0);
    w.config.start_s = 1000;
    w.config.slots_max = 3;
    w.config.pending_max = 3;
    w.config.history_max = 6;
    w.config.limits.networks_max = 4;
    w.config.limits.network_per_s = 1000;
    w.config.limits.network_burst = 100;
    w.now = (struct mono){100 * NS_PER_S};
    w.wall_s = 1100;
    CHECK(netcode_server_create(&w.server, &w.config) == 0);
    for (uint32_t i = 0; i < PEERS; i++) {
        w.peers[i] = (struct peer){0};
        CHECK(addr_parse(&w.peers[i].addr, "10.0.1.1:1") == 0);
        w.peers[i].addr.port = (uint16_t)i;
        netcode_client_init(&w.peers[i].client);
        mint(&w.peers[i], i / 2); /* two peers for each client id */
    }
}

static void deliver(struct peer *peer, const uint8_t *packet, size_t len) {
    uint8_t bytes[NETCODE_PACKET_MAX];
    const uint8_t *payload;
    memcpy(bytes, packet, len);
    netcode_client_receive(&peer->client, w.now, &w.config.public_addrs[0], bytes, len, &payload);
}

static void send_to_server(struct peer *peer, const struct addr *from, const uint8_t *packet, size_t len, bool answer) {
    uint8_t bytes[NETCODE_PACKET_MAX + 1];
    struct netcode_event *event = &w.event;
    if (len > sizeof(bytes)) len = sizeof(bytes);
    memcpy(bytes, packet, len);
    netcode_server_receive(w.server, w.now, w.wall_s, from, bytes, len, event);
    CHECK(event->reply_len <= len && event->type < NETCODE_EVENT_COUNT && event->drop < NETCODE_DROP_COUNT);
    CHECK(event->type == NETCODE_EVENT_NONE || event->drop == NETCODE_DROP_NONE);
    if (event->type == NETCODE_EVENT_CONNECTED) {
        uint64_t number = load_le(event->data, 8);
        CHECK(number < w.token_count && !w.admitted[number]);
        w.admitted[number] = true;
    }
    if (event->type == NETCODE_EVENT_PAYLOAD) CHECK(event->len >= 1 && netcode_server_addr(w.server, event->slot) != NULL);
    if (event->type == NETCODE_EVENT_DISCONNECTED) CHECK(netcode_server_addr(w.server, event->slot) == NULL);
    if (event->reply_len > 0 && answer) deliver(peer, event->reply, event->reply_len);
}

static void send_next(struct peer *peer, bool answer) {
    uint8_t buf[NETCODE_CLIENT_PACKET_MAX];
    const uint8_t *packet;
    peer->client.sent = (struct mono){0};
    size_t len = netcode_client_update(&peer->client, w.now, buf, &packet);
    if (len == 0) return;
    memcpy(peer->last, packet, len);
    peer->last_len = len;
    send_to_server(peer, &peer->addr, packet, len, answer);
}

static void send_payload(struct peer *peer, uint8_t a) {
    uint8_t buf[NETCODE_HEADROOM + 256 + NETCODE_MAC_BYTES] = {0}, *packet;
    int len = netcode_client_seal(&peer->client, w.now, buf + NETCODE_HEADROOM, a + 1u, &packet);
    if (len <= 0) return;
    memcpy(peer->last, packet, (size_t)len);
    peer->last_len = (size_t)len;
    send_to_server(peer, &peer->addr, packet, (size_t)len, true);
}

static void to_peer(void *context, const struct addr *to, const uint8_t *packet, size_t len) {
    (void)context;
    for (uint32_t i = 0; i < PEERS; i++) {
        if (addr_equal(to, &w.peers[i].addr)) deliver(&w.peers[i], packet, len);
    }
}

static void from_peer(void *context, const struct addr *to, const uint8_t *packet, size_t len) {
    struct peer *peer = context;
    (void)to;
    send_to_server(peer, &peer->addr, packet, len, true);
}

static void on_timed_out(void *context, struct netcode_slot slot, uint64_t client_id) {
    (void)context, (void)client_id;
    CHECK(netcode_server_addr(w.server, slot) == NULL);
}

static void step(const uint8_t *op, const uint8_t *rest, size_t rest_len) {
    struct peer *peer = &w.peers[op[1] % PEERS], *other = &w.peers[op[2] % PEERS];
    struct netcode_sink sink = {.send = to_peer, .timed_out = on_timed_out};
    switch (op[0] % 12) {
    case 0: CHECK(netcode_client_connect(&peer->client, w.now, peer->token, sizeof(peer->token)) == 0); break;
    case 1: send_next(peer, true); break;
    case 2: send_next(peer, false); break; /* the answer is lost */
    case 3: send_payload(peer, op[2]); break;
    case 4: send_to_server(peer, &peer->addr, peer->last, peer->last_len, true); break;
    case 5: send_to_server(peer, &other->addr, peer->last, peer->last_len, false); break; /* from a forged address */
    case 6:                                                                               /* damaged */
        if (peer->last_len > 0) peer->last[(op[2] << 3 | op[3] >> 5) % peer->last_len] ^= (uint8_t)(1u << (op[3] & 7));
        send_to_server(peer, &peer->addr, peer->last, peer->last_len, true);
        break;
    case 7: send_to_server(peer, &peer->addr, rest, rest_len, true); break;
    case 8: mint(peer, op[2] % 4); break;
    case 9: netcode_client_disconnect(&peer->client, from_peer, peer); break;
    case 10: netcode_server_disconnect(w.server, netcode_server_slot_at(w.server, op[2] % 4), &sink); break;
    default:
        w.now = mono_add_ms(w.now, op[2] * 40u);
        w.wall_s += op[2] / 25u;
        netcode_server_update(w.server, w.now, w.wall_s, &sink);
        break;
    }
    netcode_server_check(w.server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    CHECK(sodium_init() >= 0);
    start();
    for (size_t i = 0; i < STEPS && i * 4 + 4 <= len; i++) step(data + i * 4, data + i * 4 + 4, len - i * 4 - 4);
    netcode_server_destroy(w.server);
    return 0;
}
