/* client.c: the client library's calls; see marchland.h. Each part of the work has a file of its own: netcode_client
 * (connection), common/channel (acknowledgements, messages), common/snapshot (the table), client_inputs, server_clock and
 * client_view. This one wires them together. */
#include "tools/client/client.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "tools/client/client_value.h"

#define INPUT_HZ_DEFAULT       20
#define INPUT_REPEAT_DEFAULT   4
#define TICK_HZ_DEFAULT        60
#define TICK_HZ_MAX            1000
#define MESSAGE_BLOCKS_DEFAULT 256
#define PACKETS_IN_UPDATE_MAX  (CHANNEL_WINDOW + 2)

_Static_assert((int)MARCH_CLIENT_INVALID == MARCH_ERR_INVALID && (int)MARCH_CLIENT_FULL == MARCH_ERR_FULL, "one numbering");
_Static_assert((int)MARCH_CLIENT_EMPTY == MARCH_ERR_EMPTY && (int)MARCH_CLIENT_EXPIRED == MARCH_ERR_EXPIRED,
               "one numbering");
_Static_assert((int)MARCH_CLIENT_NOT_FOUND == MARCH_ERR_NOT_FOUND && (int)MARCH_CLIENT_SYSTEM == MARCH_ERR_SYSTEM,
               "one numbering");
_Static_assert(MARCH_TOKEN_BYTES == NETCODE_TOKEN_BYTES && MARCH_PACKET_MAX >= NETCODE_PACKET_MAX, "as in netcode");
_Static_assert(MARCH_MESSAGE_MAX == FRAME_MESSAGE_BYTES_MAX && MARCH_ENTITIES_MAX == SNAPSHOT_SLOTS_MAX, "as in common");

/* --- lifetime */

static uint32_t or_default(uint32_t value, uint32_t otherwise) {
    return value != 0 ? value : otherwise;
}

static void config_fill(struct march_config *config) {
    config->input_hz = or_default(config->input_hz, INPUT_HZ_DEFAULT);
    config->input_repeat = or_default(config->input_repeat, INPUT_REPEAT_DEFAULT);
    config->tick_hz = or_default(config->tick_hz, TICK_HZ_DEFAULT);
    config->entities_max = or_default(config->entities_max, MARCH_ENTITIES_MAX);
    config->message_bytes_max = or_default(config->message_bytes_max, MARCH_MESSAGE_MAX);
    config->message_blocks = or_default(config->message_blocks, MESSAGE_BLOCKS_DEFAULT);
}

static uint32_t message_fragments(const struct march_config *config) {
    return (config->message_bytes_max + FRAME_FRAGMENT_BYTES - 1) / FRAME_FRAGMENT_BYTES;
}

static bool config_is_valid(const struct march_config *config) {
    return config->input_hz <= MARCH_INPUT_HZ_MAX && config->input_repeat <= FRAME_COMMANDS_MAX &&
           config->tick_hz <= TICK_HZ_MAX && config->entities_max <= MARCH_ENTITIES_MAX &&
           config->message_bytes_max <= MARCH_MESSAGE_MAX && config->message_blocks <= BLOCK_POOL_MAX &&
           config->message_blocks / 2 > message_fragments(config);
}

struct march_client *march_client_create(const struct march_config *config) {
    struct march_client *client = calloc(1, sizeof(*client));
    if (client == NULL) return NULL;
    client->fd = -1;
    client->config = *config;
    config_fill(&client->config);
    if (!config_is_valid(&client->config) || sodium_init() < 0) goto failed;
    if (block_pool_init(&client->pool, client->config.message_blocks) < 0) goto failed;
    client->table = snapshot_table_create(client->config.entities_max);
    client->message = malloc(client->config.message_bytes_max);
    if (client->table == NULL || client->message == NULL) goto failed;
    netcode_client_init(&client->netcode);
    return client;
failed:
    march_client_destroy(client);
    return NULL;
}

void march_client_destroy(struct march_client *client) {
    if (client == NULL) return;
    march_client_close(client);
    channel_deinit(&client->channel);
    block_pool_deinit(&client->pool);
    snapshot_table_destroy(client->table);
    free(client->message);
    sodium_memzero(&client->netcode, sizeof(client->netcode));
    free(client);
}

/* session_init forgets all that was known of a former session. */
static void session_init(struct march_client *client) {
    const struct march_config *config = &client->config;
    uint32_t half = config->message_blocks / 2;
    uint32_t ahead = half - message_fragments(config);
    struct channel_config channel = {
        .accept = CHANNEL_ACCEPT_AT_CLIENT,
        .message_bytes_max = config->message_bytes_max,
        .send_blocks_max = (uint16_t)(half < UINT16_MAX ? half : UINT16_MAX),
        .receive_ahead_max = (uint16_t)(ahead < CHANNEL_WINDOW ? ahead : CHANNEL_WINDOW),
    };
    channel_deinit(&client->channel);
    channel_init(&client->channel, &channel, &client->pool);
    client_inputs_init(&client->inputs, config->input_hz, (uint8_t)config->input_repeat);
    server_clock_init(&client->clock, config->tick_hz);
    client_view_init(&client->view, config->tick_hz);
    snapshot_table_reset(client->table);
    client->inventory = (struct march_inventory){0};
    client->taken_over = false;
    client->leaving = false;
    client->reason = MARCH_REASON_NONE;
    client->rtt_ns = 0;
}

int march_client_connect(struct march_client *client, const uint8_t token[MARCH_TOKEN_BYTES], uint64_t now_ns,
                         uint64_t wall_s) {
    session_init(client);
    struct mono now = {now_ns};
    int error = netcode_client_connect(&client->netcode, now, token, MARCH_TOKEN_BYTES);
    if (error < 0) return error;
    if (client->netcode.token.expire_s <= wall_s) {
        netcode_client_disconnect(&client->netcode, NULL, NULL);
        client->reason = MARCH_REASON_EXPIRED;
        return MARCH_ERR_EXPIRED;
    }
    return MARCH_OK;
}

void march_client_disconnect(struct march_client *client) {
    if (client->netcode.state > NETCODE_CLIENT_DISCONNECTED) client->leaving = true;
}

enum march_client_state march_client_state(const struct march_client *client) {
    if (client->leaving || client->netcode.state <= NETCODE_CLIENT_DISCONNECTED) return MARCH_CLIENT_DISCONNECTED;
    return client->netcode.state == NETCODE_CLIENT_CONNECTED ? MARCH_CLIENT_CONNECTED : MARCH_CLIENT_CONNECTING;
}

enum march_client_reason march_client_reason(const struct march_client *client) {
    if (client->leaving) return MARCH_REASON_REQUESTED;
    if (client->reason != MARCH_REASON_NONE) return client->reason;
    switch (client->netcode.state) {
    case NETCODE_CLIENT_TOKEN_EXPIRED: return MARCH_REASON_EXPIRED;
    case NETCODE_CLIENT_TIMED_OUT: return MARCH_REASON_TIMED_OUT;
    case NETCODE_CLIENT_RESPONSE_TIMED_OUT:
    case NETCODE_CLIENT_REQUEST_TIMED_OUT: return MARCH_REASON_NO_ANSWER;
    case NETCODE_CLIENT_DENIED: return MARCH_REASON_DENIED;
    case NETCODE_CLIENT_DISCONNECTED:
        if (client->netcode.started.ns == 0) return MARCH_REASON_NONE;
        return client->taken_over ? MARCH_REASON_TAKEN_OVER : MARCH_REASON_SERVER;
    case NETCODE_CLIENT_TOKEN_INVALID:
    case NETCODE_CLIENT_REQUESTING:
    case NETCODE_CLIENT_RESPONDING:
    case NETCODE_CLIENT_CONNECTED: return MARCH_REASON_NONE;
    }
    return MARCH_REASON_NONE;
}

const char *march_client_reason_text(enum march_client_reason reason) {
    switch (reason) {
    case MARCH_REASON_NONE: return "no reason";
    case MARCH_REASON_REQUESTED: return "disconnected as asked";
    case MARCH_REASON_SERVER: return "disconnected by the server";
    case MARCH_REASON_TIMED_OUT: return "nothing heard from the server";
    case MARCH_REASON_NO_ANSWER: return "no server answered";
    case MARCH_REASON_DENIED: return "the server is full";
    case MARCH_REASON_EXPIRED: return "the connect token expired";
    case MARCH_REASON_TAKEN_OVER: return "the player came in elsewhere";
    }
    return "unknown reason";
}

/* --- receiving */

struct march_address march_client_server_address(const struct march_client *client) {
    const struct addr *server = netcode_client_server(&client->netcode);
    struct march_address address = {.family = server->family, .port = server->port};
    memcpy(address.bytes, server->bytes, sizeof(address.bytes));
    return address;
}

static void take_snapshot(struct march_client *client, struct mono now, const struct frame_bytes *snapshot,
                          const struct channel_received *received) {
    if (snapshot_table_read(client->table, snapshot->bytes, snapshot->len) < 0) {
        channel_unread(&client->channel, received);
        client->snapshots_refused++;
        return;
    }
    client->snapshots++;
    const struct snapshot_header *header = &client->table->header;
    client_view_snapshot(&client->view, now, header, client->table->fresh);
    uint64_t rtt_ns = client_inputs_ack(&client->inputs, now, header->input_ack);
    if (rtt_ns == 0) return;
    client->rtt_ns = rtt_ns;
    if (client->config.rtt != NULL) client->config.rtt(client->config.rtt_context, rtt_ns);
}

static int take_payload(struct march_client *client, struct mono now, const uint8_t *payload, size_t len) {
    struct channel_received received;
    int error = channel_read(&client->channel, now, payload, len, &received);
    if (error < 0) return error;
    struct frame frame;
    while (frame_next(&received.frames, &frame) > 0) {
        if (frame.type == FRAME_SNAPSHOT) take_snapshot(client, now, &frame.snapshot, &received);
        if (frame.type == FRAME_PONG && server_clock_pong(&client->clock, now, &frame.pong) < 0) error = MARCH_ERR_INVALID;
    }
    return error;
}

/* take_datagram returns 0, or why the datagram was dropped. What netcode takes without a payload is seen by its effect. */
static int take_datagram(struct march_client *client, struct mono now, uint8_t *packet, size_t len) {
    enum netcode_client_state state = client->netcode.state;
    const uint8_t *payload;
    size_t payload_len =
        netcode_client_receive(&client->netcode, now, netcode_client_server(&client->netcode), packet, len, &payload);
    if (payload_len > 0) return take_payload(client, now, payload, payload_len);
    bool taken = client->netcode.state != state || client->netcode.received.ns == now.ns;
    return taken ? MARCH_OK : MARCH_ERR_INVALID;
}

int march_client_receive(struct march_client *client, uint64_t now_ns, uint8_t *packet, size_t len) {
    client->packets_down++;
    client->bytes_down += len;
    int error = take_datagram(client, (struct mono){now_ns}, packet, len);
    if (error == MARCH_ERR_EXPIRED) {
        client->packets_late++;
    } else if (error < 0) {
        client->packets_refused++;
    }
    return error;
}

/* --- sending */

struct sink {
    struct march_client *client;
    march_send_fn send;
    void *context;
};

static void sink_send(const struct sink *sink, const uint8_t *packet, size_t len) {
    sink->client->packets_up++;
    sink->client->bytes_up += len;
    sink->send(sink->context, packet, len);
}

static void sink_farewell(void *context, const struct addr *to, const uint8_t *packet, size_t len) {
    (void)to;
    sink_send(context, packet, len);
}

/* send_packet sends one session packet: an input if given, a ping if due, and what fits of the messages. */
static void send_packet(struct sink *sink, struct mono now, const struct frame_input *input) {
    struct march_client *client = sink->client;
    uint8_t room[NETCODE_HEADROOM + CHANNEL_PACKET_MAX + NETCODE_MAC_BYTES];
    uint8_t *sealed;
    struct channel_packet packet;
    uint32_t ping_us;
    channel_begin(&client->channel, &packet, room + NETCODE_HEADROOM, CHANNEL_PACKET_MAX);
    if (input != NULL) {
        int error = frame_write_input(&packet.frames, input);
        if (error == MARCH_OK && server_clock_ping(&client->clock, now, &ping_us)) {
            error = frame_write_ping(&packet.frames, ping_us);
        }
        CHECK(error == MARCH_OK); /* both fit an empty packet */
    }
    channel_put_fragments(&client->channel, now, &packet);
    size_t len = channel_finish(&client->channel, now, &packet);
    int sealed_len = netcode_client_seal(&client->netcode, now, room + NETCODE_HEADROOM, len, &sealed);
    if (sealed_len > 0) sink_send(sink, sealed, (size_t)sealed_len);
}

static void send_session(struct sink *sink, struct mono now) {
    struct march_client *client = sink->client;
    struct frame_input input;
    uint32_t view_tick = 0;
    if (client->view.snapshots > 0) {
        view_tick = (uint32_t)client_view_tick(&client->view, client_view_at(&client->view, now));
    }
    if (client_inputs_sample(&client->inputs, now, view_tick, &input)) send_packet(sink, now, &input);
    for (unsigned i = 0; i < PACKETS_IN_UPDATE_MAX && channel_due(&client->channel, now); i++) send_packet(sink, now, NULL);
}

void march_client_update(struct march_client *client, uint64_t now_ns, march_send_fn send, void *context) {
    struct sink sink = {client, send, context};
    struct mono now = {now_ns};
    if (client->leaving) {
        netcode_client_disconnect(&client->netcode, sink_farewell, &sink);
        client->leaving = false;
        client->reason = MARCH_REASON_REQUESTED;
        return;
    }
    if (client->netcode.state == NETCODE_CLIENT_CONNECTED) send_session(&sink, now);
    uint8_t room[NETCODE_CLIENT_PACKET_MAX];
    const uint8_t *packet;
    size_t len = netcode_client_update(&client->netcode, now, room, &packet);
    if (len > 0) sink_send(&sink, packet, len);
}

/* --- play */

static int clamp_direction(int8_t direction) {
    return direction > 0 ? 1 : direction < 0 ? -1 : 0;
}

void march_client_input(struct march_client *client, const struct march_input *input) {
    struct frame_command command = {
        .move = FRAME_MOVE(clamp_direction(input->move_x), clamp_direction(input->move_y)),
        .buttons = input->buttons,
        .aim = input->aim,
    };
    client_inputs_hold(&client->inputs, command);
}

size_t march_client_entities(struct march_client *client, uint64_t now_ns, struct march_entity *out, size_t max) {
    const struct snapshot_table *table = client->table;
    if (client->view.snapshots == 0) return 0;
    double at = client_view_at(&client->view, (struct mono){now_ns});
    client_view_show(&client->view, at);
    size_t count = 0;
    for (uint32_t i = 0; i < table->slots_used && count < max; i++) {
        if (table->slots[i].id == 0) continue;
        struct client_view_entity entity;
        client_view_entity(&client->view, &table->slots[i], at, &entity);
        out[count++] = (struct march_entity){
            .id = table->slots[i].id,
            .x_m = (float)(entity.x_m - (double)client->config.origin_x_m),
            .y_m = (float)(entity.y_m - (double)client->config.origin_y_m),
            .vx_m_s = (float)entity.vx_m_s,
            .vy_m_s = (float)entity.vy_m_s,
            .yaw = entity.yaw,
            .kind = entity.kind,
            .health = entity.health,
            .action = entity.action,
            .own = i == 0,
        };
    }
    return count;
}

double march_client_server_tick(const struct march_client *client, uint64_t now_ns) {
    return server_clock_tick(&client->clock, (struct mono){now_ns});
}

double march_client_view_tick(const struct march_client *client, uint64_t now_ns) {
    if (client->view.snapshots == 0) return 0;
    return client_view_tick(&client->view, client_view_at(&client->view, (struct mono){now_ns}));
}

int march_client_send(struct march_client *client, uint64_t now_ns, const uint8_t *bytes, size_t len) {
    if (march_client_state(client) != MARCH_CLIENT_CONNECTED) return MARCH_ERR_NOT_FOUND;
    return channel_send(&client->channel, (struct mono){now_ns}, bytes, len);
}

int march_client_next_message(struct march_client *client, const uint8_t **bytes) {
    *bytes = client->message;
    if (client->channel.pool == NULL) return MARCH_ERR_EMPTY;
    return channel_next_message(&client->channel, client->message, client->config.message_bytes_max);
}

int march_client_next_event(struct march_client *client, struct march_event *event) {
    const uint8_t *bytes;
    int len = march_client_next_message(client, &bytes);
    if (len < 0) return len;
    client_value_read(bytes, (size_t)len, event);
    if (event->kind == MARCH_EVENT_INVENTORY) client_value_apply(&client->inventory, &event->change);
    if (event->kind == MARCH_EVENT_ENDED) client->taken_over = event->ended == 1;
    return len;
}

int march_client_command(struct march_client *client, uint64_t now_ns, struct march_command *command) {
    uint8_t bytes[CLIENT_COMMAND_BYTES_MAX];
    while (command->key == 0) randombytes_buf(&command->key, sizeof(command->key));
    int len = client_value_write(command, bytes);
    return len < 0 ? len : march_client_send(client, now_ns, bytes, (size_t)len);
}

const struct march_inventory *march_client_inventory(const struct march_client *client) {
    return &client->inventory;
}

/* --- figures */

static uint32_t count_entities(const struct snapshot_table *table) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->slots_used; i++) count += table->slots[i].id != 0;
    return count;
}

void march_client_stats(const struct march_client *client, struct march_stats *out) {
    struct channel_stats channel;
    channel_stats(&client->channel, &channel);
    uint64_t expected = channel.packets_received + channel.packets_missed;
    *out = (struct march_stats){
        .packets_up = client->packets_up,
        .packets_down = client->packets_down,
        .bytes_up = client->bytes_up,
        .bytes_down = client->bytes_down,
        .packets_refused = client->packets_refused,
        .packets_late = client->packets_late,
        .snapshots = client->snapshots,
        .snapshots_refused = client->snapshots_refused,
        .inputs_sent = client->inputs.count,
        .messages_sent = channel.messages_sent,
        .messages_received = channel.messages_received,
        .rtt_ns = client->rtt_ns,
        .ping_ns = client->clock.rtt_ns,
        .loss_up = channel.loss,
        .loss_down = expected > 0 ? (float)channel.packets_missed / (float)expected : 0,
        .entities = count_entities(client->table),
        .snapshot_interval_ticks = (uint32_t)(client->view.interval + 0.5),
    };
}
