/* netcode_server.c: see netcode_server.h. */
#include "gateway/netcode_server.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/check.h"
#include "gateway/index_pool.h"
#include "gateway/key_map.h"
#include "gateway/token_history.h"

#define PENDING_BIT     0x80000000u /* in values of the address map: an index of a pending handshake, else of a slot */
#define STRICT_WINDOW   64u         /* sequence numbers ahead that are still tried once half of the forged budget is spent */
#define GLOBAL_SEQUENCE (1ULL << 63)

_Static_assert(KEY_MAP_KEY_BYTES == sizeof(struct addr), "addresses are keys as they are");
_Static_assert(NETCODE_SERVER_SLOTS_MAX < PENDING_BIT, "an index leaves the bit free");

/* What a packet needs, together; the times, which every sweep reads, apart. */
struct slot {
    struct addr addr;
    uint32_t generation;
    uint64_t client_id;
    uint64_t sequence; /* of the next packet to the client */
    struct replay_window replay;
    struct bucket payloads;
    struct bucket forged;
    uint8_t client_to_server[NETCODE_KEY_BYTES];
    uint8_t server_to_client[NETCODE_KEY_BYTES];
    bool confirmed;
};
_Static_assert(sizeof(struct slot) <= 192, "a slot is three cache lines");

struct slot_times {
    uint64_t sent_ns;
    uint64_t received_ns;
    uint64_t timeout_ns; /* zero: the slot is free */
};

/* A client that was sent a challenge. */
struct pending {
    struct addr addr;
    uint32_t timeout_s;
    uint64_t expires_ns; /* zero: free */
    uint64_t client_id;
    uint64_t user_data_hash;
    uint8_t token_mac[NETCODE_MAC_BYTES];
    uint64_t token_expire_s;
    uint8_t client_to_server[NETCODE_KEY_BYTES];
    uint8_t server_to_client[NETCODE_KEY_BYTES];
};

struct netcode_server {
    struct netcode_server_config config;
    struct netcode_protocol protocol;
    uint8_t challenge_key[NETCODE_KEY_BYTES];
    bool is_closed; /* nobody new comes in */
    uint8_t hash_secret[KEY_MAP_SECRET_BYTES];
    uint64_t global_sequence; /* packets before a slot; in the upper half, apart from the slots' */
    uint64_t challenge_sequence;
    uint64_t wall_s; /* latest seen */
    struct mono updated;
    struct bucket_rate payload_rate;
    struct bucket_rate forged_rate;
    struct key_map by_addr;
    struct key_map by_client;
    struct token_history history;
    struct limits limits;
    struct slot *slots;
    struct slot_times *times;
    struct index_pool slot_pool;
    struct pending *pendings;
    struct index_pool pending_pool;
    struct netcode_server_stats stats;
};

/* --- creation */

void netcode_server_config_default(struct netcode_server_config *config) {
    *config = (struct netcode_server_config){.token_lifetime_s = NETCODE_TOKEN_LIFETIME_DEFAULT,
                                             .timeout_max_s = 60,
                                             .slots_max = 12000,
                                             .pending_max = 8192,
                                             .history_max = 65536,
                                             .session_per_s = 150,
                                             .session_burst = 150,
                                             .forged_per_s = 5000,
                                             .forged_burst = 5000};
    limits_config_default(&config->limits);
}

static bool in_range(uint64_t value, uint64_t low, uint64_t high) {
    return value >= low && value <= high;
}

static bool config_fits(const struct netcode_server_config *c) {
    return in_range(c->slots_max, 1, NETCODE_SERVER_SLOTS_MAX) && in_range(c->pending_max, 1, 1 << 20) &&
           in_range(c->history_max, 1, 1 << 23) && in_range(c->public_addr_count, 1, NETCODE_SERVER_ADDRS_MAX) &&
           in_range(c->token_lifetime_s, 1, 86400) && in_range(c->timeout_max_s, 1, 86400) &&
           in_range(c->limits.networks_max, 1, 1 << 20) && c->forged_per_s > 0 && in_range(c->start_s, 0, 1ULL << 62) &&
           !sodium_is_zero(c->secret, sizeof(c->secret));
}

/* Keys for the several uses, all from the one secret. */
static void derive_secrets(struct netcode_server *server) {
    const uint8_t *secret = server->config.secret;
    uint8_t sequence[16];
    crypto_kdf_derive_from_key(server->challenge_key, NETCODE_KEY_BYTES, 1, "netcode", secret);
    crypto_kdf_derive_from_key(server->hash_secret, KEY_MAP_SECRET_BYTES, 2, "netcode", secret);
    crypto_kdf_derive_from_key(sequence, sizeof(sequence), 3, "netcode", secret);
    /* A random start keeps two servers that are named by one token from sealing different challenges under the same number.
     */
    server->global_sequence = GLOBAL_SEQUENCE | load_le(sequence, 8) >> 2;
}

int netcode_server_create(struct netcode_server **out, const struct netcode_server_config *config) {
    *out = NULL;
    if (!config_fits(config)) return MARCH_ERR_INVALID;
    struct netcode_server *server = calloc(1, sizeof(*server));
    if (server == NULL) return MARCH_ERR_SYSTEM;
    server->config = *config;
    server->wall_s = config->start_s;
    server->payload_rate = bucket_rate_of(config->session_per_s, config->session_burst);
    server->forged_rate = bucket_rate_of(config->forged_per_s, config->forged_burst);
    netcode_protocol_init(&server->protocol, config->protocol_id);
    derive_secrets(server);
    server->slots = calloc(config->slots_max, sizeof(server->slots[0]));
    server->times = calloc(config->slots_max, sizeof(server->times[0]));
    server->pendings = calloc(config->pending_max, sizeof(server->pendings[0]));
    if (server->slots == NULL || server->times == NULL || server->pendings == NULL ||
        index_pool_create(&server->slot_pool, config->slots_max) != 0 ||
        index_pool_create(&server->pending_pool, config->pending_max) != 0 ||
        key_map_create(&server->by_addr, config->slots_max + config->pending_max, server->hash_secret) != 0 ||
        key_map_create(&server->by_client, config->slots_max, server->hash_secret) != 0 ||
        token_history_create(&server->history, config->history_max, server->hash_secret) != 0 ||
        limits_create(&server->limits, &config->limits, server->hash_secret) != 0) {
        netcode_server_destroy(server);
        return MARCH_ERR_SYSTEM;
    }
    *out = server;
    return 0;
}

void netcode_server_destroy(struct netcode_server *server) {
    if (server == NULL) return;
    limits_destroy(&server->limits);
    token_history_destroy(&server->history);
    key_map_destroy(&server->by_client);
    key_map_destroy(&server->by_addr);
    if (server->slots != NULL) sodium_memzero(server->slots, server->config.slots_max * sizeof(server->slots[0]));
    if (server->pendings != NULL) sodium_memzero(server->pendings, server->config.pending_max * sizeof(server->pendings[0]));
    index_pool_destroy(&server->pending_pool);
    index_pool_destroy(&server->slot_pool);
    free(server->pendings);
    free(server->times);
    free(server->slots);
    sodium_memzero(server, sizeof(*server));
    free(server);
}

/* --- tables */

/* A client id as a key of the map, padded with zeros. */
struct client_key {
    uint8_t bytes[KEY_MAP_KEY_BYTES];
};

static struct client_key client_key_of(uint64_t client_id) {
    struct client_key key = {0};
    store_le(key.bytes, client_id, 8);
    return key;
}

static uint32_t find_client(const struct netcode_server *server, uint64_t client_id) {
    struct client_key key = client_key_of(client_id);
    return key_map_find(&server->by_client, key.bytes);
}

static struct slot *slot_of(const struct netcode_server *server, struct netcode_slot slot) {
    if (slot.generation == 0 || slot.index >= server->config.slots_max) return NULL;
    struct slot *s = &server->slots[slot.index];
    return s->generation == slot.generation && server->times[slot.index].timeout_ns != 0 ? s : NULL;
}

static struct netcode_slot handle_of(const struct netcode_server *server, uint32_t index) {
    return (struct netcode_slot){.index = index, .generation = server->slots[index].generation};
}

static void pending_free(struct netcode_server *server, uint32_t index) {
    struct pending *p = &server->pendings[index];
    int error = key_map_remove(&server->by_addr, &p->addr);
    CHECK(error == 0);
    sodium_memzero(p, sizeof(*p));
    index_pool_give(&server->pending_pool, index);
}

static void slot_free(struct netcode_server *server, uint32_t index) {
    struct slot *slot = &server->slots[index];
    struct client_key key = client_key_of(slot->client_id);
    int error = key_map_remove(&server->by_addr, &slot->addr);
    if (error == 0) error = key_map_remove(&server->by_client, key.bytes);
    CHECK(error == 0);
    uint32_t generation = slot->generation;
    sodium_memzero(slot, sizeof(*slot));
    slot->generation = generation;
    server->times[index] = (struct slot_times){0};
    index_pool_give(&server->slot_pool, index);
}

/* slot_open turns a pending handshake into a session; there is room. */
static uint32_t slot_open(struct netcode_server *server, struct mono now, uint32_t pending_index) {
    struct pending p = server->pendings[pending_index];
    pending_free(server, pending_index);
    uint32_t index = index_pool_take(&server->slot_pool);
    struct slot *slot = &server->slots[index];
    uint32_t generation = slot->generation + 1 != 0 ? slot->generation + 1 : 1;
    *slot = (struct slot){.addr = p.addr, .generation = generation, .client_id = p.client_id};
    memcpy(slot->client_to_server, p.client_to_server, NETCODE_KEY_BYTES);
    memcpy(slot->server_to_client, p.server_to_client, NETCODE_KEY_BYTES);
    server->times[index] =
        (struct slot_times){.sent_ns = now.ns, .received_ns = now.ns, .timeout_ns = p.timeout_s * NS_PER_S};
    struct client_key key = client_key_of(p.client_id);
    int error = key_map_insert(&server->by_addr, &slot->addr, index);
    if (error == 0) error = key_map_insert(&server->by_client, key.bytes, index);
    CHECK(error == 0);
    token_history_consume(&server->history, p.token_mac);
    sodium_memzero(&p, sizeof(p));
    return index;
}

/* --- packets out */

/* A packet sealed before there is a slot: nothing, or data that stands in event->reply_buf behind the headroom. */
static void reply_global(struct netcode_server *server, struct netcode_event *event, enum netcode_packet_type type,
                         const uint8_t *key, size_t len) {
    uint8_t *packet;
    event->reply_len = netcode_packet_seal(&server->protocol, type, server->global_sequence++, key,
                                           event->reply_buf + NETCODE_HEADROOM, len, &packet);
    event->reply = packet;
}

/* seal_slot makes the next packet to a slot's client. */
static size_t seal_slot(struct netcode_server *server, uint32_t index, enum netcode_packet_type type, uint8_t *data,
                        size_t len, uint8_t **packet) {
    struct slot *slot = &server->slots[index];
    CHECK(slot->sequence < GLOBAL_SEQUENCE);
    return netcode_packet_seal(&server->protocol, type, slot->sequence++, slot->server_to_client, data, len, packet);
}

static size_t seal_keep_alive(struct netcode_server *server, struct mono now, uint32_t index, uint8_t *data,
                              uint8_t **packet) {
    /* Other implementations take at most 256 clients and an index below that number; nothing hangs on either. */
    uint32_t clients = server->config.slots_max;
    if (clients > NETCODE_MAX_CLIENTS_ON_WIRE) clients = NETCODE_MAX_CLIENTS_ON_WIRE;
    store_le(data, index % clients, 4);
    store_le(data + 4, clients, 4);
    server->times[index].sent_ns = now.ns;
    return seal_slot(server, index, NETCODE_KEEP_ALIVE, data, NETCODE_KEEP_ALIVE_DATA, packet);
}

/* --- handshake */

static enum netcode_drop check_limits(struct netcode_server *server, struct mono now, const struct addr *from) {
    static const enum netcode_drop drops[LIMITS_VERDICT_COUNT] = {
        [LIMITS_NETWORK] = NETCODE_DROP_NETWORK_RATE, [LIMITS_STRANGERS] = NETCODE_DROP_STRANGERS_RATE};
    return drops[limits_take(&server->limits, from, now)];
}

/* check_token_times decides on what a request says in clear. */
static enum netcode_drop check_token_times(const struct netcode_server *server, uint64_t expire_s) {
    if (expire_s <= server->wall_s) return NETCODE_DROP_TOKEN_EXPIRED;
    uint64_t ahead_s = (uint64_t)server->config.token_lifetime_s + NETCODE_TOKEN_SLACK_S;
    if (expire_s - server->wall_s > ahead_s) return NETCODE_DROP_TOKEN_EARLY;
    if (expire_s <= server->config.start_s + ahead_s) return NETCODE_DROP_TOKEN_BEFORE_START;
    return NETCODE_DROP_NONE;
}

static bool names_this_server(const struct netcode_server *server, const struct netcode_token_private *token) {
    for (uint32_t i = 0; i < token->server_count; i++) {
        for (uint32_t k = 0; k < server->config.public_addr_count; k++) {
            if (addr_equal(&token->servers[i], &server->config.public_addrs[k])) return true;
        }
    }
    return false;
}

static uint64_t hash_user_data(const struct netcode_server *server, const uint8_t user_data[NETCODE_USER_DATA_BYTES]) {
    uint64_t hash;
    crypto_shorthash((uint8_t *)&hash, user_data, NETCODE_USER_DATA_BYTES, server->hash_secret);
    return hash;
}

/* pending_set remembers keys for an address; a newer token of the same address takes the place of an older one. */
static int pending_set(struct netcode_server *server, struct mono now, const struct addr *from, uint32_t known,
                       const struct netcode_token_private *token, const struct netcode_request *request) {
    uint32_t index = known & ~PENDING_BIT;
    if (known == KEY_MAP_NONE) {
        if (server->pending_pool.free_count == 0) return MARCH_ERR_FULL;
        index = index_pool_take(&server->pending_pool);
        int error = key_map_insert(&server->by_addr, from, PENDING_BIT | index);
        CHECK(error == 0);
    }
    uint32_t timeout_s = server->config.timeout_max_s;
    if (token->timeout_s > 0 && (uint32_t)token->timeout_s < timeout_s) timeout_s = (uint32_t)token->timeout_s;
    struct pending *p = &server->pendings[index];
    *p = (struct pending){.addr = *from,
                          .timeout_s = timeout_s,
                          .expires_ns = now.ns + timeout_s * NS_PER_S,
                          .client_id = token->client_id,
                          .token_expire_s = request->expire_s,
                          .user_data_hash = hash_user_data(server, token->user_data)};
    memcpy(p->token_mac, request->mac, NETCODE_MAC_BYTES);
    memcpy(p->client_to_server, token->client_to_server, NETCODE_KEY_BYTES);
    memcpy(p->server_to_client, token->server_to_client, NETCODE_KEY_BYTES);
    return 0;
}

static void reply_challenge(struct netcode_server *server, struct netcode_event *event,
                            const struct netcode_token_private *token) {
    uint8_t *data = event->reply_buf + NETCODE_HEADROOM;
    uint64_t sequence = server->challenge_sequence++;
    event->challenge.client_id = token->client_id;
    memcpy(event->challenge.user_data, token->user_data, NETCODE_USER_DATA_BYTES);
    store_le(data, sequence, 8);
    netcode_challenge_seal(data + 8, &event->challenge, sequence, server->challenge_key);
    reply_global(server, event, NETCODE_CHALLENGE, token->server_to_client, NETCODE_CHALLENGE_DATA);
}

/* accept_token goes on with a request whose token opened; `known` is what the address map says of the sender. */
static enum netcode_drop accept_token(struct netcode_server *server, struct mono now, const struct addr *from,
                                      uint32_t known, const struct netcode_request *request, enum token_state state,
                                      const struct netcode_token_private *token, struct netcode_event *event) {
    if (!names_this_server(server, token)) return NETCODE_DROP_TOKEN_OTHER_SERVER;
    if (server->is_closed) {
        reply_global(server, event, NETCODE_DENIED, token->server_to_client, 0);
        return NETCODE_DROP_SERVER_CLOSED;
    }
    uint32_t other = find_client(server, token->client_id);
    if (other != KEY_MAP_NONE && !server->config.reports_second_login) {
        event->slot = handle_of(server, other);
        event->client_id = token->client_id;
        return NETCODE_DROP_CLIENT_CONNECTED;
    }
    if (state == TOKEN_NEW) {
        int error = token_history_add(&server->history, request->mac, from, request->expire_s);
        CHECK(error == 0); /* looked up, and there was room */
    }
    if (server->slot_pool.free_count == 0) {
        reply_global(server, event, NETCODE_DENIED, token->server_to_client, 0);
        return NETCODE_DROP_SERVER_FULL;
    }
    if (pending_set(server, now, from, known, token, request) != 0) return NETCODE_DROP_PENDING_FULL;
    reply_challenge(server, event, token);
    return NETCODE_DROP_NONE;
}

static enum netcode_drop receive_request(struct netcode_server *server, struct mono now, const struct addr *from,
                                         uint8_t *bytes, size_t len, struct netcode_event *event) {
    struct netcode_request request;
    if (netcode_request_parse(&request, &server->protocol, bytes, len) != 0) return NETCODE_DROP_MALFORMED;
    enum netcode_drop drop = check_token_times(server, request.expire_s);
    if (drop != NETCODE_DROP_NONE) return drop;
    uint32_t known = key_map_find(&server->by_addr, from);
    if (known != KEY_MAP_NONE && (known & PENDING_BIT) == 0) return NETCODE_DROP_ADDR_CONNECTED;
    drop = check_limits(server, now, from);
    if (drop != NETCODE_DROP_NONE) return drop;
    enum token_state state = token_history_look(&server->history, request.mac, from);
    if (state == TOKEN_USED) return NETCODE_DROP_TOKEN_USED;
    if (state == TOKEN_NEW && server->history.pool.free_count == 0) return NETCODE_DROP_TOKEN_HISTORY_FULL;
    struct netcode_token_private token;
    int error = netcode_token_open_private(&token, request.sealed, server->protocol.id, request.expire_s, request.nonce,
                                           server->config.connect_key);
    if (error != 0) return error == MARCH_ERR_CRYPTO ? NETCODE_DROP_TOKEN_CRYPTO : NETCODE_DROP_TOKEN_INVALID;
    drop = accept_token(server, now, from, known, &request, state, &token, event);
    sodium_memzero(&token, sizeof(token));
    return drop;
}

/* open_challenge opens a response's challenge token and checks that it was made for this handshake's token. */
static bool open_challenge(struct netcode_server *server, const struct pending *p, uint8_t *data,
                           struct netcode_event *event) {
    struct netcode_challenge *challenge = &event->challenge;
    if (netcode_challenge_open(challenge, data + 8, load_le(data, 8), server->challenge_key) != 0) return false;
    return challenge->client_id == p->client_id && hash_user_data(server, challenge->user_data) == p->user_data_hash;
}

static enum netcode_drop receive_response(struct netcode_server *server, struct mono now, uint32_t index, uint8_t *bytes,
                                          size_t len, struct netcode_event *event) {
    struct pending *p = &server->pendings[index];
    struct netcode_header header;
    if (netcode_header_parse(&header, bytes, len) != 0) return NETCODE_DROP_MALFORMED;
    if (header.type != NETCODE_RESPONSE) return NETCODE_DROP_WRONG_TYPE;
    enum netcode_drop drop = check_limits(server, now, &p->addr);
    if (drop != NETCODE_DROP_NONE) return drop;
    int error = netcode_packet_open(&server->protocol, p->client_to_server, &header, bytes);
    if (error != 0) return error == MARCH_ERR_CRYPTO ? NETCODE_DROP_CRYPTO : NETCODE_DROP_LENGTH;
    if (!open_challenge(server, p, bytes + header.data_offset, event)) return NETCODE_DROP_CHALLENGE;
    if (server->is_closed) {
        reply_global(server, event, NETCODE_DENIED, p->server_to_client, 0);
        return NETCODE_DROP_SERVER_CLOSED;
    }
    uint32_t other = find_client(server, p->client_id);
    event->client_id = p->client_id;
    if (other != KEY_MAP_NONE) {
        event->slot = handle_of(server, other);
        return NETCODE_DROP_CLIENT_CONNECTED;
    }
    if (server->slot_pool.free_count == 0) {
        reply_global(server, event, NETCODE_DENIED, p->server_to_client, 0);
        return NETCODE_DROP_SERVER_FULL;
    }
    memcpy(event->token_mac, p->token_mac, NETCODE_MAC_BYTES);
    event->token_expire_s = p->token_expire_s;
    uint32_t slot = slot_open(server, now, index);
    uint8_t *packet;
    event->reply_len = seal_keep_alive(server, now, slot, event->reply_buf + NETCODE_HEADROOM, &packet);
    event->reply = packet;
    event->type = NETCODE_EVENT_CONNECTED;
    event->slot = handle_of(server, slot);
    event->data = event->challenge.user_data;
    event->len = NETCODE_USER_DATA_BYTES;
    server->stats.accepted_total++;
    return NETCODE_DROP_NONE;
}

/* --- sessions */

/* may_try tells whether the forged budget allows to open a packet: see the limits in netcode_server.h. */
static bool may_try(const struct netcode_server *server, const struct slot *slot, struct mono now, uint64_t sequence) {
    if (!bucket_has(&slot->forged, &server->forged_rate, now)) return false;
    if (bucket_debt_ns(&slot->forged, now) <= server->forged_rate.burst_ns / 2) return true;
    return sequence >= slot->replay.next && sequence - slot->replay.next < STRICT_WINDOW;
}

static enum netcode_drop open_session_packet(struct netcode_server *server, struct mono now, struct slot *slot,
                                             uint8_t *bytes, size_t len, struct netcode_header *header) {
    if (netcode_header_parse(header, bytes, len) != 0) return NETCODE_DROP_MALFORMED;
    if (header->type == NETCODE_RESPONSE) return NETCODE_DROP_ADDR_CONNECTED; /* repeated until a keep-alive arrives */
    if (!netcode_is_replay_protected(header->type)) return NETCODE_DROP_WRONG_TYPE;
    if (replay_window_seen(&slot->replay, header->sequence)) return NETCODE_DROP_REPLAY;
    if (!may_try(server, slot, now, header->sequence)) return NETCODE_DROP_FORGED_BUDGET;
    int error = netcode_packet_open(&server->protocol, slot->client_to_server, header, bytes);
    if (error == MARCH_ERR_CRYPTO) {
        bool taken = bucket_take(&slot->forged, &server->forged_rate, now);
        CHECK(taken);
        return NETCODE_DROP_CRYPTO;
    }
    replay_window_advance(&slot->replay, header->sequence);
    return error == 0 ? NETCODE_DROP_NONE : NETCODE_DROP_LENGTH;
}

static enum netcode_drop receive_session(struct netcode_server *server, struct mono now, uint32_t index, uint8_t *bytes,
                                         size_t len, struct netcode_event *event) {
    struct slot *slot = &server->slots[index];
    struct netcode_header header;
    enum netcode_drop drop = open_session_packet(server, now, slot, bytes, len, &header);
    if (drop != NETCODE_DROP_NONE) return drop;
    event->slot = handle_of(server, index);
    event->client_id = slot->client_id;
    event->sequence = header.sequence;
    if (header.type == NETCODE_DISCONNECT) {
        slot_free(server, index);
        event->type = NETCODE_EVENT_DISCONNECTED;
        server->stats.left_total++;
        return NETCODE_DROP_NONE;
    }
    server->times[index].received_ns = now.ns;
    slot->confirmed = true;
    if (header.type != NETCODE_PAYLOAD) return NETCODE_DROP_NONE;
    if (!bucket_take(&slot->payloads, &server->payload_rate, now)) return NETCODE_DROP_SESSION_RATE;
    event->type = NETCODE_EVENT_PAYLOAD;
    event->data = bytes + header.data_offset;
    event->len = header.data_len;
    return NETCODE_DROP_NONE;
}

static enum netcode_drop receive_encrypted(struct netcode_server *server, struct mono now, const struct addr *from,
                                           uint8_t *bytes, size_t len, struct netcode_event *event) {
    uint32_t known = key_map_find(&server->by_addr, from);
    if (known == KEY_MAP_NONE) return NETCODE_DROP_UNKNOWN_ADDR;
    if ((known & PENDING_BIT) == 0) return receive_session(server, now, known, bytes, len, event);
    uint32_t index = known & ~PENDING_BIT;
    if (server->pendings[index].expires_ns <= now.ns) return NETCODE_DROP_UNKNOWN_ADDR;
    return receive_response(server, now, index, bytes, len, event);
}

void netcode_server_receive(struct netcode_server *server, struct mono now, uint64_t wall_s, const struct addr *from,
                            uint8_t *bytes, size_t len, struct netcode_event *event) {
    event->type = NETCODE_EVENT_NONE;
    event->slot = (struct netcode_slot){0};
    event->client_id = 0;
    event->data = NULL;
    event->len = 0;
    event->reply = NULL;
    event->reply_len = 0;
    if (wall_s > server->wall_s) server->wall_s = wall_s;
    if (len == 0) {
        event->drop = NETCODE_DROP_EMPTY;
    } else if (bytes[0] == NETCODE_REQUEST) {
        event->drop = receive_request(server, now, from, bytes, len, event);
    } else {
        event->drop = receive_encrypted(server, now, from, bytes, len, event);
    }
    if (event->drop != NETCODE_DROP_NONE) server->stats.drops_total[event->drop]++;
}

int netcode_server_seal(struct netcode_server *server, struct mono now, struct netcode_slot slot, uint8_t *data, size_t len,
                        uint8_t **packet) {
    struct slot *s = slot_of(server, slot);
    if (s == NULL) return MARCH_ERR_NOT_FOUND;
    if (!s->confirmed) return MARCH_ERR_EMPTY;
    CHECK(len >= 1 && len <= NETCODE_PAYLOAD_MAX);
    server->times[slot.index].sent_ns = now.ns;
    return (int)seal_slot(server, slot.index, NETCODE_PAYLOAD, data, len, packet);
}

void netcode_server_close(struct netcode_server *server, bool is_closed) {
    server->is_closed = is_closed;
}

void netcode_server_disconnect(struct netcode_server *server, struct netcode_slot slot, const struct netcode_sink *sink) {
    struct slot *s = slot_of(server, slot);
    if (s == NULL) return;
    for (int i = 0; i < NETCODE_DISCONNECT_PACKETS; i++) {
        uint8_t buf[NETCODE_HEADROOM + NETCODE_MAC_BYTES], *packet;
        size_t len = seal_slot(server, slot.index, NETCODE_DISCONNECT, buf + NETCODE_HEADROOM, 0, &packet);
        sink->send(sink->context, &s->addr, packet, len);
    }
    slot_free(server, slot.index);
}

/* --- time */

static void update_slot(struct netcode_server *server, struct mono now, uint32_t index, const struct netcode_sink *sink) {
    const struct slot_times *times = &server->times[index];
    if (times->timeout_ns == 0) return;
    if (now.ns >= times->received_ns + times->timeout_ns) {
        struct netcode_slot slot = handle_of(server, index);
        uint64_t client_id = server->slots[index].client_id;
        slot_free(server, index);
        server->stats.timed_out_total++;
        sink->timed_out(sink->context, slot, client_id);
    } else if (now.ns >= times->sent_ns + NETCODE_KEEP_ALIVE_MS * NS_PER_MS) {
        uint8_t buf[NETCODE_HEADROOM + NETCODE_KEEP_ALIVE_DATA + NETCODE_MAC_BYTES], *packet;
        size_t len = seal_keep_alive(server, now, index, buf + NETCODE_HEADROOM, &packet);
        sink->send(sink->context, &server->slots[index].addr, packet, len);
    }
}

void netcode_server_update(struct netcode_server *server, struct mono now, uint64_t wall_s,
                           const struct netcode_sink *sink) {
    uint64_t elapsed_ns = mono_since_ns(now, server->updated);
    server->updated = now;
    if (wall_s > server->wall_s) server->wall_s = wall_s;
    struct index_pool *slots = &server->slot_pool, *pendings = &server->pending_pool;
    for (uint32_t n = index_pool_share(slots, elapsed_ns); n > 0; n--) {
        update_slot(server, now, index_pool_next(slots), sink);
    }
    for (uint32_t n = index_pool_share(pendings, elapsed_ns); n > 0; n--) {
        uint32_t index = index_pool_next(pendings);
        const struct pending *p = &server->pendings[index];
        if (p->expires_ns != 0 && p->expires_ns <= now.ns) pending_free(server, index);
    }
    token_history_sweep(&server->history, elapsed_ns, server->wall_s);
}

/* --- questions */

const struct addr *netcode_server_addr(const struct netcode_server *server, struct netcode_slot slot) {
    const struct slot *s = slot_of(server, slot);
    return s != NULL ? &s->addr : NULL;
}

struct netcode_slot netcode_server_slot_at(const struct netcode_server *server, uint32_t index) {
    if (index >= server->config.slots_max || server->times[index].timeout_ns == 0) return (struct netcode_slot){0};
    return handle_of(server, index);
}

struct netcode_slot netcode_server_slot_of(const struct netcode_server *server, uint64_t client_id) {
    uint32_t index = find_client(server, client_id);
    return netcode_server_slot_at(server, index); /* KEY_MAP_NONE is beyond the last */
}

void netcode_server_stats(const struct netcode_server *server, struct netcode_server_stats *stats) {
    *stats = server->stats;
    stats->connected = index_pool_used(&server->slot_pool);
    stats->pending = index_pool_used(&server->pending_pool);
    stats->tokens = token_history_count(&server->history);
}

void netcode_server_check(const struct netcode_server *server) {
    uint32_t slots = 0, pendings = 0;
    for (uint32_t i = 0; i < server->config.slots_max; i++) {
        if (server->times[i].timeout_ns == 0) continue;
        slots++;
        CHECK(i < server->slot_pool.high && server->slots[i].generation != 0);
        CHECK(key_map_find(&server->by_addr, &server->slots[i].addr) == i);
        CHECK(find_client(server, server->slots[i].client_id) == i);
    }
    for (uint32_t i = 0; i < server->config.pending_max; i++) {
        if (server->pendings[i].expires_ns == 0) continue;
        pendings++;
        CHECK(i < server->pending_pool.high);
        CHECK(key_map_find(&server->by_addr, &server->pendings[i].addr) == (PENDING_BIT | i));
    }
    CHECK(slots == index_pool_used(&server->slot_pool) && slots == server->by_client.count);
    CHECK(pendings == index_pool_used(&server->pending_pool) && slots + pendings == server->by_addr.count);
    CHECK(token_history_count(&server->history) == server->history.map.count);
    CHECK(server->global_sequence >= GLOBAL_SEQUENCE);
}
