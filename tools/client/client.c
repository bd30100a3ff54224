/* client.c: the client library's calls; see marchland.h. Each part of the work has a file of its own: netcode_client
 * (connection), common/channel (acknowledgements, messages), common/snapshot (the table), client_inputs, server_clock,
 * client_view, client_past (what was in view before) and client_move (to another gateway). This one wires them together. */
#include "tools/client/client.h"

#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "tools/client/client_match.h"
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
    if (client_past_init(&client->past, client->config.entities_max) != MARCH_OK) goto failed;
    for (unsigned i = 0; i < 2; i++) netcode_client_init(&client->sessions[i].netcode);
    return client;
failed:
    march_client_destroy(client);
    return NULL;
}

void march_client_destroy(struct march_client *client) {
    if (client == NULL) return;
    march_client_close(client);
    for (unsigned i = 0; i < 2; i++) channel_deinit(&client->sessions[i].channel);
    block_pool_deinit(&client->pool);
    snapshot_table_destroy(client->table);
    client_past_deinit(&client->past);
    free(client->message);
    sodium_memzero(client->sessions, sizeof(client->sessions));
    sodium_memzero(&client->move, sizeof(client->move));
    free(client);
}

void client_session_init(struct march_client *client, struct client_session *session) {
    const struct march_config *config = &client->config;
    uint32_t half = config->message_blocks / 2;
    uint32_t ahead = half - message_fragments(config);
    struct channel_config channel = {
        .accept = CHANNEL_ACCEPT_AT_CLIENT,
        .message_bytes_max = config->message_bytes_max,
        .send_blocks_max = (uint16_t)(half < UINT16_MAX ? half : UINT16_MAX),
        .receive_ahead_max = (uint16_t)(ahead < CHANNEL_WINDOW ? ahead : CHANNEL_WINDOW),
    };
    channel_deinit(&session->channel);
    channel_init(&session->channel, &channel, &client->pool);
    client_inputs_init(&session->inputs, config->input_hz, (uint8_t)config->input_repeat);
    session->leaving = false;
}

/* forget is for a new connection: nothing that was known of a former one counts. */
static void forget(struct march_client *client) {
    const struct march_config *config = &client->config;
    struct client_session *other = client_other(client);
    netcode_client_disconnect(&other->netcode, NULL, NULL);
    channel_deinit(&other->channel);
    other->leaving = false;
    client_move_reset(client);
    client_session_init(client, client_current(client));
    server_clock_init(&client->clock, config->tick_hz);
    client_view_init(&client->view, config->tick_hz);
    client_past_reset(&client->past);
    snapshot_table_reset(client->table);
    client->inventory = (struct march_inventory){0};
    client->taken_over = false;
    client->leaving = false;
    client->reason = MARCH_REASON_NONE;
    client->rtt_ns = 0;
    client->snapshot_at = (struct mono){0};
}

int march_client_connect(struct march_client *client, const uint8_t token[MARCH_TOKEN_BYTES], uint64_t now_ns,
                         uint64_t wall_s) {
    struct netcode_client *netcode = &client_current(client)->netcode;
    forget(client);
    client->now = (struct mono){now_ns};
    int error = netcode_client_connect(netcode, client->now, token, MARCH_TOKEN_BYTES);
    if (error < 0) return error;
    if (netcode->token.expire_s <= wall_s) {
        netcode_client_disconnect(netcode, NULL, NULL);
        client->reason = MARCH_REASON_EXPIRED;
        return MARCH_ERR_EXPIRED;
    }
    return MARCH_OK;
}

void march_client_disconnect(struct march_client *client) {
    client->leaving = client->leaving || session_is_open(&client->sessions[0]) || session_is_open(&client->sessions[1]);
    client_move_reset(client);
}

enum march_client_state march_client_state(const struct march_client *client) {
    enum netcode_client_state state = client->sessions[client->current].netcode.state;
    if (client->leaving) return MARCH_CLIENT_DISCONNECTED;
    if (state == NETCODE_CLIENT_CONNECTED) return MARCH_CLIENT_CONNECTED;
    bool opens = state > NETCODE_CLIENT_DISCONNECTED || client->move.state != CLIENT_MOVE_NONE;
    return opens ? MARCH_CLIENT_CONNECTING : MARCH_CLIENT_DISCONNECTED;
}

static enum march_client_reason reason_of(const struct march_client *client, const struct netcode_client *netcode) {
    switch (netcode->state) {
    case NETCODE_CLIENT_TOKEN_EXPIRED: return MARCH_REASON_EXPIRED;
    case NETCODE_CLIENT_TIMED_OUT: return MARCH_REASON_TIMED_OUT;
    case NETCODE_CLIENT_RESPONSE_TIMED_OUT:
    case NETCODE_CLIENT_REQUEST_TIMED_OUT: return MARCH_REASON_NO_ANSWER;
    case NETCODE_CLIENT_DENIED: return MARCH_REASON_DENIED;
    case NETCODE_CLIENT_DISCONNECTED:
        if (netcode->started.ns == 0) return MARCH_REASON_NONE;
        return client->taken_over ? MARCH_REASON_TAKEN_OVER : MARCH_REASON_SERVER;
    case NETCODE_CLIENT_TOKEN_INVALID:
    case NETCODE_CLIENT_REQUESTING:
    case NETCODE_CLIENT_RESPONDING:
    case NETCODE_CLIENT_CONNECTED: return MARCH_REASON_NONE;
    }
    return MARCH_REASON_NONE;
}

enum march_client_reason march_client_reason(const struct march_client *client) {
    if (client->leaving) return MARCH_REASON_REQUESTED;
    if (client->reason != MARCH_REASON_NONE) return client->reason;
    if (march_client_state(client) != MARCH_CLIENT_DISCONNECTED) return MARCH_REASON_NONE;
    return reason_of(client, &client->sessions[client->current].netcode);
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
    const struct addr *server = netcode_client_server(&client->sessions[client->sending].netcode);
    struct march_address address = {.family = server->family, .port = server->port};
    memcpy(address.bytes, server->bytes, sizeof(address.bytes));
    return address;
}

bool march_client_is_server(const struct march_client *client, const struct march_address *address) {
    struct addr from = {.family = address->family, .port = address->port};
    memcpy(from.bytes, address->bytes, sizeof(from.bytes));
    for (unsigned i = 0; i < 2; i++) {
        const struct client_session *session = &client->sessions[i];
        bool counts = i == client->current || session_is_open(session);
        if (counts && addr_equal(&from, netcode_client_server(&session->netcode))) return true;
    }
    return false;
}

/* note_gap keeps the figures of the time since the snapshot before. */
static void note_gap(struct march_client *client, struct mono now, uint32_t tick_before) {
    struct march_gap gap = {.first = client->snapshot_at.ns == 0};
    if (!gap.first) {
        gap.ns = mono_since_ns(now, client->snapshot_at);
        gap.ticks = client->table->header.tick - tick_before;
        gap.changed = client->table->fresh;
    }
    client->snapshot_at = now;
    if (gap.ns > client->gap_max_ns) client->gap_max_ns = gap.ns;
    if (gap.changed) {
        client->stream_changes++;
        if (gap.ns > client->change_gap_max_ns) client->change_gap_max_ns = gap.ns;
        if ((int32_t)gap.ticks > (int32_t)client->change_gap_max_ticks) client->change_gap_max_ticks = gap.ticks;
    }
    if (client->config.gap != NULL) client->config.gap(client->config.gap_context, &gap);
}

static double view_tick_now(const struct march_client *client, struct mono now) {
    return client_view_tick(&client->view, client_view_at(&client->view, now));
}

/* cross has another stream begin: what was in view is kept, and moved along where the stream's ticks are others. */
static void cross(struct march_client *client, struct mono now) {
    double before = view_tick_now(client, now);
    client_past_keep(&client->past, now, client->table);
    snapshot_table_apply(client->table);
    if (!client_view_snapshot(&client->view, now, &client->table->header, true)) return;
    client_past_shift(&client->past, (int32_t)(uint32_t)llround(view_tick_now(client, now) - before));
}

static void apply_snapshot(struct march_client *client, struct mono now) {
    if (client->table->fresh) {
        cross(client, now);
    } else {
        snapshot_table_apply(client->table);
        (void)client_view_snapshot(&client->view, now, &client->table->header, false);
    }
    client_past_follow(&client->past, now, client->table);
}

/* parse_snapshot checks it. The first of a session that the client moves to begins a stream. */
static int parse_snapshot(struct march_client *client, const struct client_session *session,
                          const struct frame_bytes *snapshot) {
    bool any = client->table->any;
    if (session != client_current(client)) snapshot_table_end_stream(client->table);
    int error = snapshot_table_parse(client->table, snapshot->bytes, snapshot->len);
    if (error < 0) client->table->any = any;
    return error;
}

static void take_snapshot(struct march_client *client, struct client_session *session, struct mono now,
                          const struct frame_bytes *snapshot, const struct channel_received *received) {
    if (parse_snapshot(client, session, snapshot) < 0) {
        channel_unread(&session->channel, received);
        client->snapshots_refused++;
        return;
    }
    client->snapshots++;
    const struct snapshot_header *header = &client->table->header;
    uint32_t tick_before = header->tick;
    apply_snapshot(client, now);
    if (session != client_current(client)) client_move_finish(client, now);
    client_move_recognise(client, client->table->slots[0].id);
    note_gap(client, now, tick_before);
    uint64_t rtt_ns = client_inputs_ack(&session->inputs, now, header->input_ack);
    if (rtt_ns == 0) return;
    client->rtt_ns = rtt_ns;
    if (client->config.rtt != NULL) client->config.rtt(client->config.rtt_context, rtt_ns);
}

static int take_payload(struct march_client *client, struct client_session *session, struct mono now, const uint8_t *payload,
                        size_t len) {
    struct channel_received received;
    int error = channel_read(&session->channel, now, payload, len, &received);
    if (error < 0) return error;
    struct frame frame;
    while (frame_next(&received.frames, &frame) > 0) {
        if (frame.type == FRAME_SNAPSHOT) take_snapshot(client, session, now, &frame.snapshot, &received);
        if (frame.type == FRAME_PONG && server_clock_pong(&client->clock, now, &frame.pong) < 0) error = MARCH_ERR_INVALID;
    }
    return error;
}

/* take_datagram returns 0, or why the datagram was dropped. *opened tells whether it was the session's at all. What netcode
 * takes without a payload is seen by its effect: on its state, or on when it heard something last. */
static int take_datagram(struct march_client *client, struct client_session *session, struct mono now, uint8_t *packet,
                         size_t len, bool *opened) {
    struct netcode_client *netcode = &session->netcode;
    enum netcode_client_state state = netcode->state;
    struct mono heard = netcode->received;
    const uint8_t *payload;
    netcode->received.ns = UINT64_MAX;
    size_t payload_len = netcode_client_receive(netcode, now, netcode_client_server(netcode), packet, len, &payload);
    *opened = payload_len > 0 || netcode->state != state || netcode->received.ns != UINT64_MAX;
    if (netcode->received.ns == UINT64_MAX) netcode->received = heard;
    if (payload_len > 0) return take_payload(client, session, now, payload, payload_len);
    return *opened ? MARCH_OK : MARCH_ERR_INVALID;
}

/* take_of_either finds out by its key which of two sessions a datagram is for. Trying one key spoils it for the other.
 * What still comes from a session that was left is late. */
static int take_of_either(struct march_client *client, struct mono now, uint8_t *packet, size_t len) {
    uint8_t copy[MARCH_PACKET_MAX];
    bool opened;
    if (len > sizeof(copy)) return MARCH_ERR_INVALID;
    memcpy(copy, packet, len);
    int error = take_datagram(client, client_current(client), now, packet, len, &opened);
    if (opened) return error;
    if (client->move.state != CLIENT_MOVE_UNDER_WAY) return MARCH_ERR_EXPIRED;
    return take_datagram(client, client_other(client), now, copy, len, &opened);
}

int march_client_receive(struct march_client *client, uint64_t now_ns, uint8_t *packet, size_t len) {
    bool opened;
    struct mono now = client->now = (struct mono){now_ns};
    client->packets_down++;
    client->bytes_down += len;
    int error = session_is_open(client_other(client))
                    ? take_of_either(client, now, packet, len)
                    : take_datagram(client, client_current(client), now, packet, len, &opened);
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
static void send_packet(struct sink *sink, struct client_session *session, struct mono now,
                        const struct frame_input *input) {
    struct march_client *client = sink->client;
    uint8_t room[NETCODE_HEADROOM + CHANNEL_PACKET_MAX + NETCODE_MAC_BYTES];
    uint8_t *sealed;
    struct channel_packet packet;
    uint32_t ping_us;
    channel_begin(&session->channel, &packet, room + NETCODE_HEADROOM, CHANNEL_PACKET_MAX);
    if (input != NULL) {
        int error = frame_write_input(&packet.frames, input);
        if (error == MARCH_OK && session == client_current(client) && server_clock_ping(&client->clock, now, &ping_us)) {
            error = frame_write_ping(&packet.frames, ping_us);
        }
        CHECK(error == MARCH_OK); /* both fit an empty packet */
    }
    channel_put_fragments(&session->channel, now, &packet);
    size_t len = channel_finish(&session->channel, now, &packet);
    int sealed_len = netcode_client_seal(&session->netcode, now, room + NETCODE_HEADROOM, len, &sealed);
    if (sealed_len > 0) sink_send(sink, sealed, (size_t)sealed_len);
}

static void send_session(struct sink *sink, struct client_session *session, struct mono now) {
    struct march_client *client = sink->client;
    struct frame_input input;
    uint32_t view_tick = 0;
    if (client->view.snapshots > 0) {
        view_tick = (uint32_t)client_view_tick(&client->view, client_view_at(&client->view, now));
    }
    if (client_inputs_sample(&session->inputs, now, view_tick, &input)) send_packet(sink, session, now, &input);
    for (unsigned i = 0; i < PACKETS_IN_UPDATE_MAX && channel_due(&session->channel, now); i++)
        send_packet(sink, session, now, NULL);
}

static void update_session(struct sink *sink, struct client_session *session, struct mono now) {
    if (!session_is_open(session)) return;
    if (session->leaving || sink->client->leaving) {
        netcode_client_disconnect(&session->netcode, sink_farewell, sink);
        session->leaving = false;
        return;
    }
    if (session->netcode.state == NETCODE_CLIENT_CONNECTED) send_session(sink, session, now);
    uint8_t room[NETCODE_CLIENT_PACKET_MAX];
    const uint8_t *packet;
    size_t len = netcode_client_update(&session->netcode, now, room, &packet);
    if (len > 0) sink_send(sink, packet, len);
}

void march_client_update(struct march_client *client, uint64_t now_ns, march_send_fn send, void *context) {
    struct sink sink = {client, send, context};
    struct mono now = client->now = (struct mono){now_ns};
    client_move_update(client, now);
    for (unsigned i = 0; i < 2; i++) {
        client->sending = (uint8_t)i;
        update_session(&sink, &client->sessions[i], now);
    }
    client->sending = client->current;
    if (!client->leaving) return;
    client->leaving = false;
    client->reason = MARCH_REASON_REQUESTED;
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
    for (unsigned i = 0; i < 2; i++) client_inputs_hold(&client->sessions[i].inputs, command);
}

static struct march_entity shown(const struct march_client *client, uint64_t id, bool own,
                                 const struct client_view_entity *entity) {
    return (struct march_entity){
        .id = id,
        .x_m = (float)(entity->x_m - (double)client->config.origin_x_m),
        .y_m = (float)(entity->y_m - (double)client->config.origin_y_m),
        .vx_m_s = (float)entity->vx_m_s,
        .vy_m_s = (float)entity->vy_m_s,
        .yaw = entity->yaw,
        .kind = entity->kind,
        .health = entity->health,
        .action = entity->action,
        .own = own,
    };
}

/* show_table fills in what the table has. */
static size_t show_table(const struct march_client *client, double at, struct march_entity *out, size_t max) {
    const struct snapshot_table *table = client->table;
    const struct client_past *past = &client->past;
    uint16_t past_of[SNAPSHOT_SLOTS_MAX];
    size_t count = 0;
    if (past->count > 0) client_past_index(past, past_of);
    for (uint32_t i = 0; i < table->slots_used && count < max; i++) {
        if (table->slots[i].id == 0) continue;
        bool seen_before = past->count > 0 && past_of[i] != 0;
        struct client_view_entity entity;
        client_view_entity(&client->view, &table->slots[i], seen_before ? &past->entities[past_of[i] - 1] : NULL, at,
                           &entity);
        out[count++] = shown(client, table->slots[i].id, i == 0, &entity);
    }
    return count;
}

/* show_past appends what the table does not have yet; the own entity comes first here, too. */
static size_t show_past(const struct march_client *client, struct mono now, double at, struct march_entity *out,
                        size_t count, size_t max) {
    const struct client_past *past = &client->past;
    for (uint32_t i = 0; i < past->count && count < max; i++) {
        const struct client_past_entity *before = &past->entities[i];
        if (!client_past_shows(before, now)) continue;
        struct client_view_entity entity;
        client_view_entity(&client->view, NULL, before, at, &entity);
        out[count] = shown(client, before->id, before->own, &entity);
        if (before->own && count > 0) {
            struct march_entity own = out[count];
            out[count] = out[0];
            out[0] = own;
        }
        count++;
    }
    return count;
}

size_t march_client_entities(struct march_client *client, uint64_t now_ns, struct march_entity *out, size_t max) {
    struct mono now = {now_ns};
    if (client->view.snapshots == 0) return 0;
    double at = client_view_at(&client->view, now);
    client_view_show(&client->view, at);
    size_t count = show_table(client, at, out, max);
    return show_past(client, now, at, out, count, max);
}

bool march_client_own(const struct march_client *client, struct march_entity *out) {
    const struct snapshot_slot *slot = &client->table->slots[0];
    if (client->view.snapshots == 0 || client->table->slots_used == 0 || slot->id == 0) return false;
    struct client_view_entity entity;
    client_view_entity(&client->view, slot, NULL, client->view.newest, &entity);
    *out = shown(client, slot->id, true, &entity);
    return true;
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
    return channel_send(&client_current(client)->channel, (struct mono){now_ns}, bytes, len);
}

/* next_of takes a session's next message, but those that the application need not see. */
static int next_of(struct march_client *client, struct client_session *session, bool is_former) {
    if (session->channel.pool == NULL) return MARCH_ERR_EMPTY;
    int len;
    do len = channel_next_message(&session->channel, client->message, client->config.message_bytes_max);
    while (len >= 0 && client_move_hear(client, is_former, client->message, (size_t)len));
    return len;
}

int march_client_next_message(struct march_client *client, const uint8_t **bytes) {
    *bytes = client->message;
    struct client_session *other = client_other(client);
    if (client->move.state == CLIENT_MOVE_NONE && other->channel.pool != NULL) { /* first what came before it moved */
        int len = next_of(client, other, true);
        if (len >= 0) return len;
        channel_deinit(&other->channel);
    }
    return next_of(client, client_current(client), false);
}

/* tell_move makes an event of how a move ended. The matchmaker learns by a look where the player is now; where there is no
 * room for it, the application asks again as for anything that is not answered. */
static int tell_move(struct march_client *client, struct march_event *event) {
    memset(event, 0, sizeof(*event));
    event->kind = MARCH_EVENT_MOVED;
    event->moved = client->move.outcome;
    client->move.ended = false;
    if (event->moved.moved && client->uses_matches) (void)march_client_ticket(client, client->now.ns, MARCH_TICKET_LOOK);
    return 1;
}

int march_client_next_event(struct march_client *client, struct march_event *event) {
    const uint8_t *bytes;
    if (client->move.ended) return tell_move(client, event);
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

static int send_match(struct march_client *client, uint64_t now_ns, const uint8_t *bytes, int len) {
    if (len < 0) return len;
    client->uses_matches = true;
    return march_client_send(client, now_ns, bytes, (size_t)len);
}

int march_client_enter(struct march_client *client, uint64_t now_ns, const struct march_wish *wish) {
    uint8_t bytes[CLIENT_MATCH_BYTES_MAX];
    return send_match(client, now_ns, bytes, client_match_write_enter(wish, bytes));
}

int march_client_ticket(struct march_client *client, uint64_t now_ns, enum march_ticket_verb verb) {
    uint8_t bytes[CLIENT_MATCH_BYTES_MAX];
    return send_match(client, now_ns, bytes, client_match_write_ticket(verb, bytes));
}

int march_client_party(struct march_client *client, uint64_t now_ns, enum march_party_verb verb, uint64_t player) {
    uint8_t bytes[CLIENT_MATCH_BYTES_MAX];
    return send_match(client, now_ns, bytes, client_match_write_party(verb, player, bytes));
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
    const struct client_session *session = &client->sessions[client->current];
    channel_stats(&session->channel, &channel);
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
        .inputs_sent = session->inputs.count,
        .messages_sent = channel.messages_sent,
        .messages_received = channel.messages_received,
        .rtt_ns = client->rtt_ns,
        .ping_ns = client->clock.rtt_ns,
        .loss_up = channel.loss,
        .loss_down = expected > 0 ? (float)channel.packets_missed / (float)expected : 0,
        .entities = count_entities(client->table),
        .snapshot_interval_ticks = (uint32_t)(client->view.interval + 0.5),
        .stream_changes = client->stream_changes,
        .gap_max_ns = client->gap_max_ns,
        .change_gap_max_ns = client->change_gap_max_ns,
        .change_gap_max_ticks = client->change_gap_max_ticks,
        .blinks = client->past.blinks,
        .moves = client->move.moves,
        .moves_failed = client->move.failures,
    };
}
