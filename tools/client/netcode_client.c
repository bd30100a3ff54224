/* netcode_client.c: see netcode_client.h. */
#include "tools/client/netcode_client.h"

#include <sodium.h>
#include <string.h>

#include "common/bytes.h"
#include "common/check.h"

void netcode_client_init(struct netcode_client *client) {
    *client = (struct netcode_client){.state = NETCODE_CLIENT_DISCONNECTED};
}

const struct addr *netcode_client_server(const struct netcode_client *client) {
    return &client->token.servers[client->server_index];
}

/* close_in ends the attempt or session; the state says why. */
static void close_in(struct netcode_client *client, enum netcode_client_state state) {
    CHECK(state <= NETCODE_CLIENT_DISCONNECTED);
    client->state = state;
    sodium_memzero(client->token.client_to_server, NETCODE_KEY_BYTES);
    sodium_memzero(client->token.server_to_client, NETCODE_KEY_BYTES);
}

static void try_server(struct netcode_client *client, struct mono now, uint32_t index) {
    client->state = NETCODE_CLIENT_REQUESTING;
    client->server_index = index;
    client->received = now;
    client->sent = (struct mono){0};
    client->replay = (struct replay_window){0};
}

static void try_next_server(struct netcode_client *client, struct mono now, enum netcode_client_state otherwise) {
    if (client->server_index + 1 < client->token.server_count) {
        try_server(client, now, client->server_index + 1);
    } else {
        close_in(client, otherwise);
    }
}

int netcode_client_connect(struct netcode_client *client, struct mono now, const uint8_t *token, size_t len) {
    int error = netcode_token_read_public(&client->token, token, len);
    client->client_index = 0;
    client->max_clients = 0;
    client->server_index = 0;
    if (error != 0) {
        close_in(client, NETCODE_CLIENT_TOKEN_INVALID);
        return error;
    }
    netcode_protocol_init(&client->protocol, client->token.protocol_id);
    client->started = now;
    try_server(client, now, 0);
    return 0;
}

/* --- time */

static bool is_silent(const struct netcode_client *client, struct mono now) {
    return client->token.timeout_s > 0 &&
           mono_since_ns(now, client->received) >= (uint32_t)client->token.timeout_s * NS_PER_S;
}

static void check_time(struct netcode_client *client, struct mono now) {
    if (client->state == NETCODE_CLIENT_CONNECTED) {
        if (is_silent(client, now)) close_in(client, NETCODE_CLIENT_TIMED_OUT);
        return;
    }
    uint64_t lifetime_s = client->token.expire_s - client->token.create_s;
    if (mono_since_ns(now, client->started) / NS_PER_S >= lifetime_s) {
        close_in(client, NETCODE_CLIENT_TOKEN_EXPIRED);
    } else if (is_silent(client, now)) {
        try_next_server(client, now,
                        client->state == NETCODE_CLIENT_REQUESTING ? NETCODE_CLIENT_REQUEST_TIMED_OUT
                                                                   : NETCODE_CLIENT_RESPONSE_TIMED_OUT);
    }
}

static size_t seal(struct netcode_client *client, struct mono now, enum netcode_packet_type type, uint8_t *data, size_t len,
                   uint8_t **packet) {
    client->sent = now;
    return netcode_packet_seal(&client->protocol, type, client->sequence++, client->token.client_to_server, data, len,
                               packet);
}

size_t netcode_client_update(struct netcode_client *client, struct mono now, uint8_t buf[NETCODE_CLIENT_PACKET_MAX],
                             const uint8_t **packet) {
    if (client->state <= NETCODE_CLIENT_DISCONNECTED) return 0;
    check_time(client, now);
    if (client->state <= NETCODE_CLIENT_DISCONNECTED) return 0;
    if (client->sent.ns != 0 && !mono_reached(now, mono_add_ms(client->sent, NETCODE_CLIENT_SEND_MS))) return 0;
    uint8_t *data = buf + NETCODE_HEADROOM, *start = buf;
    size_t len;
    if (client->state == NETCODE_CLIENT_REQUESTING) {
        netcode_request_write(buf, &client->token);
        client->sent = now;
        len = NETCODE_REQUEST_BYTES;
    } else if (client->state == NETCODE_CLIENT_RESPONDING) {
        memcpy(data, client->challenge, NETCODE_CHALLENGE_DATA);
        len = seal(client, now, NETCODE_RESPONSE, data, NETCODE_CHALLENGE_DATA, &start);
    } else {
        memset(data, 0, NETCODE_KEEP_ALIVE_DATA);
        len = seal(client, now, NETCODE_KEEP_ALIVE, data, NETCODE_KEEP_ALIVE_DATA, &start);
    }
    *packet = start;
    return len;
}

/* --- packets in */

static void handle_control(struct netcode_client *client, struct mono now, enum netcode_packet_type type,
                           const uint8_t *data) {
    switch (type) {
    case NETCODE_DENIED:
        if (client->state != NETCODE_CLIENT_CONNECTED) try_next_server(client, now, NETCODE_CLIENT_DENIED);
        break;
    case NETCODE_CHALLENGE:
        if (client->state != NETCODE_CLIENT_REQUESTING) break;
        memcpy(client->challenge, data, NETCODE_CHALLENGE_DATA);
        client->state = NETCODE_CLIENT_RESPONDING;
        client->received = now;
        client->sent = (struct mono){0};
        break;
    case NETCODE_KEEP_ALIVE:
        if (client->state == NETCODE_CLIENT_REQUESTING) break;
        client->received = now;
        if (client->state == NETCODE_CLIENT_CONNECTED) break;
        client->client_index = (uint32_t)load_le(data, 4);
        client->max_clients = (uint32_t)load_le(data + 4, 4);
        client->state = NETCODE_CLIENT_CONNECTED;
        client->sent = (struct mono){0}; /* the server sends no payloads before it hears from us */
        break;
    default: /* NETCODE_DISCONNECT */
        if (client->state == NETCODE_CLIENT_CONNECTED) close_in(client, NETCODE_CLIENT_DISCONNECTED);
        break;
    }
}

size_t netcode_client_receive(struct netcode_client *client, struct mono now, const struct addr *from, uint8_t *bytes,
                              size_t len, const uint8_t **payload) {
    struct netcode_header header;
    if (client->state <= NETCODE_CLIENT_DISCONNECTED || !addr_equal(from, netcode_client_server(client))) return 0;
    if (netcode_header_parse(&header, bytes, len) != 0 || header.type == NETCODE_RESPONSE) return 0;
    bool protected = netcode_is_replay_protected(header.type);
    if (protected && replay_window_seen(&client->replay, header.sequence)) return 0;
    int error = netcode_packet_open(&client->protocol, client->token.server_to_client, &header, bytes);
    if (error == MARCH_ERR_CRYPTO) return 0;
    if (protected) replay_window_advance(&client->replay, header.sequence);
    if (error != 0) return 0;
    if (header.type != NETCODE_PAYLOAD) {
        handle_control(client, now, header.type, bytes + header.data_offset);
        return 0;
    }
    if (client->state != NETCODE_CLIENT_CONNECTED) return 0;
    client->received = now;
    *payload = bytes + header.data_offset;
    return header.data_len;
}

/* --- packets out */

int netcode_client_seal(struct netcode_client *client, struct mono now, uint8_t *data, size_t len, uint8_t **packet) {
    if (client->state != NETCODE_CLIENT_CONNECTED) return MARCH_ERR_EMPTY;
    CHECK(len >= 1 && len <= NETCODE_PAYLOAD_MAX);
    return (int)seal(client, now, NETCODE_PAYLOAD, data, len, packet);
}

void netcode_client_disconnect(struct netcode_client *client,
                               void (*send)(void *context, const struct addr *to, const uint8_t *packet, size_t len),
                               void *context) {
    if (client->state <= NETCODE_CLIENT_DISCONNECTED) return;
    for (int i = 0; send != NULL && i < NETCODE_CLIENT_DISCONNECT_PACKETS; i++) {
        uint8_t buf[NETCODE_HEADROOM + NETCODE_MAC_BYTES], *packet;
        size_t len = seal(client, client->sent, NETCODE_DISCONNECT, buf + NETCODE_HEADROOM, 0, &packet);
        send(context, netcode_client_server(client), packet, len);
    }
    close_in(client, NETCODE_CLIENT_DISCONNECTED);
}
