/* fuzz_client.c: the client library, connected, and fed by a server that sends what it likes: sealed with the right key, so
 * that it reaches frames, snapshots and messages; or not sealed at all.
 *
 * After each step: everything that the library shows is finite and within its bounds, nothing of the past is shown beside
 * what has come of it, and what it sends is a packet.
 */
#include <math.h>
#include <sodium.h>
#include <string.h>

#include "common/bytes.h"
#include "common/check.h"
#include "common/netcode_packet.h"
#include "tools/client/client.h"

#define STEPS    200
#define ENTITIES 64

static struct march_client *client;
static struct netcode_protocol protocol;
static uint8_t token[NETCODE_TOKEN_BYTES];
static struct netcode_token_random keys;
static uint64_t now_ns, sequence;
static uint16_t session_seq;
static uint8_t snapshot_version;
static uint16_t snapshot_seq;
static uint8_t stream;

static void create(void) {
    uint8_t connect_key[NETCODE_KEY_BYTES] = {1};
    struct netcode_token_params params = {
        .protocol_id = 1, .create_s = 10, .expire_s = 40, .timeout_s = 5, .server_count = 1};
    struct march_config config = {
        .entities_max = ENTITIES, .message_bytes_max = 4096, .message_blocks = 20, .origin_x_m = 5};
    CHECK(sodium_init() >= 0 && addr_parse(&params.servers[0], "127.0.0.1:1") == 0);
    CHECK(netcode_token_write(token, &params, &keys, connect_key) == 0);
    netcode_protocol_init(&protocol, 1);
    client = march_client_create(&config);
    CHECK(client != NULL);
}

/* start puts the client behind a handshake: netcode's own fuzzers cover that. */
static void start(void) {
    if (client == NULL) create();
    now_ns = 1000 * NS_PER_S;
    CHECK(march_client_connect(client, token, now_ns, 10) == 0);
    CHECK(client->pool.taken == 0);
    client_current(client)->netcode.state = NETCODE_CLIENT_CONNECTED;
    sequence = 0;
    session_seq = 1;
    snapshot_seq = 1;
    snapshot_version = 0;
    stream = 1;
}

static void deliver_sealed(const uint8_t *payload, size_t len) {
    uint8_t room[NETCODE_PACKET_MAX];
    uint8_t *packet;
    if (len == 0 || len > NETCODE_PAYLOAD_MAX) return;
    memcpy(room + NETCODE_HEADROOM, payload, len);
    size_t packet_len = netcode_packet_seal(&protocol, NETCODE_PAYLOAD, sequence++, keys.server_to_client,
                                            room + NETCODE_HEADROOM, len, &packet);
    (void)march_client_receive(client, now_ns, packet, packet_len);
}

/* deliver_frames puts a header that passes before fuzzed frames. */
static void deliver_frames(const uint8_t *frames, size_t len) {
    uint8_t payload[CHANNEL_PACKET_MAX];
    if (len > sizeof(payload) - CHANNEL_HEADER_SIZE) len = sizeof(payload) - CHANNEL_HEADER_SIZE;
    store_le(payload, session_seq++, 2);
    store_le(payload + 2, (uint16_t)client_current(client)->channel.acked.newest, 2);
    store_le(payload + 4, 0, 4);
    memcpy(payload + CHANNEL_HEADER_SIZE, frames, len);
    deliver_sealed(payload, CHANNEL_HEADER_SIZE + len);
}

/* deliver_snapshot puts a frame and the start of a snapshot, with a fuzzed tick, before fuzzed bits. */
static void deliver_snapshot(const uint8_t *body, size_t len, uint8_t ticks) {
    uint8_t frame[CHANNEL_PACKET_MAX];
    if (len > 1000) len = 1000;
    frame[0] = FRAME_SNAPSHOT;
    store_le(frame + 1, SNAPSHOT_HEADER_BYTES + len, 2);
    frame[3] = stream;
    store_le(frame + 4, snapshot_seq++, 2);
    store_le(frame + 6, client->table->header.tick + ticks, 4);
    store_le(frame + 10, client_current(client)->inputs.seq, 2);
    memcpy(frame + 3 + SNAPSHOT_HEADER_BYTES, body, len);
    deliver_frames(frame, 3 + SNAPSHOT_HEADER_BYTES + len);
}

/* deliver_update writes a good snapshot of one entity of fuzzed state. */
static void deliver_update(const uint8_t *data, size_t size) {
    uint8_t body[14] = {0}, bits[200];
    memcpy(body, data, size < sizeof(body) ? size : sizeof(body));
    struct snapshot_header header = {.stream = stream,
                                     .seq = snapshot_seq++,
                                     .input_ack = (uint16_t)load_le(body + 8, 2),
                                     .tick = client->table->header.tick + body[10]};
    struct snapshot_update update = {.slot = body[11] % ENTITIES, .version = snapshot_version++ % 16, .id = 1u + body[12]};
    update.state = (struct net_state){.x = (int16_t)load_le(body, 2) * 64,
                                      .y = (int16_t)load_le(body + 2, 2) * 64,
                                      .vx = (int16_t)load_le(body + 4, 2),
                                      .vy = (int16_t)load_le(body + 6, 2),
                                      .yaw = body[13]};
    struct snapshot_writer writer;
    snapshot_write_begin(&writer, bits, sizeof(bits), &header);
    snapshot_write_removals(&writer, NULL, 0);
    snapshot_write_update_count(&writer, 1);
    snapshot_write_update(&writer, &update);
    size_t len = snapshot_write_finish(&writer);
    uint8_t frame[256] = {FRAME_SNAPSHOT};
    store_le(frame + 1, len, 2);
    memcpy(frame + 3, bits, len);
    uint64_t refused = client->snapshots_refused, late = client->packets_late;
    uint64_t taken = client->snapshots;
    deliver_frames(frame, 3 + len);
    CHECK(client->snapshots + client->snapshots_refused + client->packets_late + client->packets_refused > 0);
    CHECK(client->snapshots - taken + client->snapshots_refused - refused + client->packets_late - late <= 1);
}

static void on_send(void *context, const uint8_t *packet, size_t len) {
    (void)context;
    CHECK(len >= NETCODE_PACKET_MIN && len <= MARCH_PACKET_MAX && packet[0] != 0);
}

static void check_view(void) {
    struct march_entity seen[2 * ENTITIES + 1];
    double before = march_client_view_tick(client, now_ns);
    size_t count = march_client_entities(client, now_ns, seen, 2 * ENTITIES + 1);
    CHECK(count <= 2 * ENTITIES && before >= 0 && before < 4294967296.0);
    for (size_t i = 0; i < count; i++) {
        CHECK(seen[i].id != 0 && (!seen[i].own || i == 0));
        CHECK(isfinite(seen[i].x_m) && isfinite(seen[i].y_m) && isfinite(seen[i].vx_m_s) && isfinite(seen[i].vy_m_s));
    }
    for (uint32_t i = 0; i < client->past.count; i++) {
        const struct client_past_entity *past = &client->past.entities[i];
        CHECK(past->count >= 1 && past->count <= CLIENT_PAST_STATES && client->past.count <= ENTITIES);
        CHECK(past->slot == CLIENT_PAST_NO_SLOT || client->table->slots[past->slot].id == past->id);
    }
    struct march_stats stats;
    march_client_stats(client, &stats);
    CHECK(stats.entities <= count && (client->past.count > 0 || stats.entities == count) && stats.loss_up >= 0 &&
          stats.loss_up <= 1 && stats.loss_down >= 0 && stats.loss_down <= 1);
    double tick = march_client_server_tick(client, now_ns);
    CHECK(tick >= 0 && tick <= 4294967296.0);
    uint32_t taken = 0;
    for (unsigned i = 0; i < 2; i++) {
        const struct channel *channel = &client->sessions[i].channel;
        if (channel->pool != NULL) taken += (uint32_t)channel->send_count + channel->receive_count;
    }
    CHECK(client->pool.taken == taken);
}

static size_t step(const uint8_t *data, size_t size) {
    size_t wanted = data[1] | (size_t)(data[2] & 7) << 8;
    size_t len = wanted < size - 3 ? wanted : size - 3;
    const uint8_t *message;
    uint8_t datagram[2048];
    struct march_input input = {(int8_t)data[1], (int8_t)data[2], (uint16_t)(data[1] << 8), data[2]};
    switch (data[0] & 7) {
    case 0:
        memcpy(datagram, data + 3, len);
        (void)march_client_receive(client, now_ns, datagram, len);
        return 3 + len;
    case 1: deliver_sealed(data + 3, len); return 3 + len;
    case 2: deliver_frames(data + 3, len); return 3 + len;
    case 3: deliver_snapshot(data + 3, len, data[2] >> 3); return 3 + len;
    case 4:
        stream =
            (uint8_t)(stream + (data[2] > 200) - (data[2] == 200)); /* another zone; or what is late of the one before */
        deliver_update(data + 3, size - 3);
        stream = (uint8_t)(stream + (data[2] == 200));
        return size > 17 ? 17 : size;
    case 5:
        now_ns += wanted * NS_PER_MS / 4;
        march_client_update(client, now_ns, on_send, NULL);
        break;
    case 6:
        march_client_input(client, &input);
        (void)march_client_send(client, now_ns, token, 1 + wanted);
        break;
    default: CHECK(march_client_next_message(client, &message) <= 4096);
    }
    return 3;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    start();
    for (unsigned i = 0; i < STEPS && size >= 3; i++) {
        size_t used = step(data, size);
        check_view();
        data += used;
        size -= used;
    }
    return 0;
}
