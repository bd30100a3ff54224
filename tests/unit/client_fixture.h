/* client_fixture.h: a client of tools/client and a small gateway on a simulated network, in one process and on one thread.
 *
 * The gateway is the real netcode server with one channel; it plays the zone too: entities on known courses, sent in full in
 * every snapshot. The network delays, loses, duplicates and reorders from a seed. Time moves by fixture_run only.
 */
#ifndef MARCH_TESTS_UNIT_CLIENT_FIXTURE_H
#define MARCH_TESTS_UNIT_CLIENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "common/channel.h"
#include "common/net_state.h"
#include "common/snapshot.h"
#include "gateway/netcode_server.h"
#include "tools/client/marchland.h"

#define FIXTURE_START_S     1700000000ULL
#define FIXTURE_TICK_AT_0   0xfffffff0u /* the tick's low half wraps early in each test */
#define FIXTURE_TICK_HZ     60
#define FIXTURE_EVERY       3 /* ticks a snapshot */
#define FIXTURE_FLYING_MAX  2048
#define FIXTURE_ENTITIES    4
#define FIXTURE_INPUTS_SEEN 4096

struct fixture_flying {
    uint64_t at_ns;
    bool to_client;
    uint16_t len;
    uint8_t bytes[NETCODE_PACKET_MAX];
};

struct fixture {
    struct march_client *client;
    struct netcode_server *server;
    struct netcode_event event;
    struct netcode_slot slot;
    struct channel channel;
    struct block_pool pool;
    struct addr server_addr, client_addr;
    uint8_t connect_key[NETCODE_KEY_BYTES];
    struct mono now, start;
    uint64_t ticks_done;
    bool connected, client_left;
    bool mute;    /* the gateway sends nothing */
    bool still;   /* it sends no snapshots */
    bool borrows; /* the client is another fixture's */
    bool garbage; /* its snapshots are nonsense */
    uint16_t snapshot_seq, snapshots_acked;
    uint8_t stream;     /* of its snapshots */
    uint8_t slot_shift; /* entities but the first lie so many slots further on, in a circle */
    uint32_t absent;    /* bit i: entity i is not in view */
    uint32_t tick_skew; /* the zone counts ticks from elsewhere */
    uint64_t own_id;    /* of entity 0 */
    uint16_t input_ack;
    struct frame_input input; /* newest */
    struct frame_command inputs[FIXTURE_INPUTS_SEEN];
    bool input_seen[FIXTURE_INPUTS_SEEN];
    uint32_t loss_percent, duplicate_percent, delay_ms, jitter_ms;
    uint32_t seed;
    unsigned flying_count;
    struct fixture_flying flying[FIXTURE_FLYING_MAX];
};

static inline uint64_t fixture_wall_s(const struct fixture *f) {
    return FIXTURE_START_S + 100 + mono_since_ns(f->now, f->start) / NS_PER_S;
}

static inline double fixture_tick(const struct fixture *f) {
    return (double)mono_since_ns(f->now, f->start) * FIXTURE_TICK_HZ / (double)NS_PER_S;
}

static inline void fixture_token(struct fixture *f, uint64_t client_id, uint8_t token[MARCH_TOKEN_BYTES]) {
    struct netcode_token_params params = {.protocol_id = 7,
                                          .client_id = client_id,
                                          .create_s = fixture_wall_s(f),
                                          .expire_s = fixture_wall_s(f) + 30,
                                          .timeout_s = 3,
                                          .server_count = 1,
                                          .servers = {f->server_addr}};
    assert_int_equal(netcode_token_mint(token, &params, f->connect_key), 0);
}

/* fixture_create_at makes a gateway at an address, for a client that there is; the client comes with it where it is NULL. */
static inline struct fixture *fixture_create_at(const struct march_config *config, const char *address,
                                                struct march_client *client) {
    struct fixture *f = calloc(1, sizeof(*f));
    assert_true(sodium_init() >= 0);
    f->start = f->now = (struct mono){50 * NS_PER_S};
    f->seed = 1;
    f->delay_ms = 20;
    f->own_id = 100;
    f->borrows = client != NULL;
    assert_int_equal(addr_parse(&f->server_addr, address), 0);
    assert_int_equal(addr_parse(&f->client_addr, "203.0.113.9:5000"), 0);
    memset(f->connect_key, 5, sizeof(f->connect_key));
    struct netcode_server_config server;
    netcode_server_config_default(&server);
    server.protocol_id = 7;
    server.start_s = FIXTURE_START_S;
    server.slots_max = 1;
    server.public_addr_count = 1;
    server.public_addrs[0] = f->server_addr;
    memcpy(server.connect_key, f->connect_key, sizeof(f->connect_key));
    memset(server.secret, 9, sizeof(server.secret));
    assert_int_equal(netcode_server_create(&f->server, &server), 0);
    assert_int_equal(block_pool_init(&f->pool, 256), 0);
    f->client = f->borrows ? client : march_client_create(config);
    assert_non_null(f->client);
    return f;
}

static inline struct fixture *fixture_create(const struct march_config *config) {
    return fixture_create_at(config, "203.0.113.1:40000", NULL);
}

static inline void fixture_destroy(struct fixture *f) {
    if (!f->borrows) march_client_destroy(f->client);
    channel_deinit(&f->channel);
    assert_int_equal(f->pool.taken, 0);
    block_pool_deinit(&f->pool);
    netcode_server_destroy(f->server);
    free(f);
}

/* --- network */

static inline uint32_t fixture_random(struct fixture *f, uint32_t below) {
    f->seed = f->seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)f->seed * below) >> 32);
}

static inline void fixture_fly(struct fixture *f, bool to_client, const uint8_t *packet, size_t len) {
    unsigned copies = 1 + (fixture_random(f, 100) < f->duplicate_percent);
    for (unsigned i = 0; i < copies; i++) {
        uint32_t delay_ms = f->delay_ms + fixture_random(f, f->jitter_ms + 1);
        if (fixture_random(f, 100) < f->loss_percent) continue;
        assert_true(f->flying_count < FIXTURE_FLYING_MAX);
        struct fixture_flying *flying = &f->flying[f->flying_count++];
        flying->at_ns = f->now.ns + delay_ms * NS_PER_MS;
        flying->to_client = to_client;
        flying->len = (uint16_t)len;
        memcpy(flying->bytes, packet, len);
    }
}

static inline void fixture_client_sends(void *context, const uint8_t *packet, size_t len) {
    fixture_fly(context, false, packet, len);
}

static inline void fixture_server_sends(void *context, const struct addr *to, const uint8_t *packet, size_t len) {
    struct fixture *f = context;
    assert_true(addr_equal(to, &f->client_addr));
    if (!f->mute) fixture_fly(f, true, packet, len);
}

static inline void fixture_timed_out(void *context, struct netcode_slot slot, uint64_t client_id) {
    struct fixture *f = context;
    (void)slot;
    (void)client_id;
    f->connected = false;
}

static inline struct netcode_sink fixture_sink(struct fixture *f) {
    return (struct netcode_sink){f, fixture_server_sends, fixture_timed_out};
}

/* --- gateway and zone */

/* fixture_entity is where entity `index` is at a tick: 0 walks in a square (it turns every 30 ticks), the others straight.
 */
static inline struct net_state fixture_entity(unsigned index, uint32_t tick) {
    static const int16_t square[4][2] = {{640, 0}, {0, 640}, {-640, 0}, {0, -640}};
    uint32_t age = tick - FIXTURE_TICK_AT_0;
    struct net_state state = {.tick = tick, .kind = (uint8_t)(index + 1), .health = 200, .yaw = (uint8_t)(age * 3)};
    if (index > 0) {
        state.x = (int32_t)index * 1000 + net_predict_axis(0, (int16_t)(index * 64), (int32_t)age);
        state.vx = (int16_t)(index * 64);
        return state;
    }
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t sides = age / 30 / 4 + (age / 30 % 4 > i);
        uint32_t ticks = sides * 30 + (age / 30 % 4 == i ? age % 30 : 0);
        state.x += net_predict_axis(0, square[i][0], (int32_t)ticks);
        state.y += net_predict_axis(0, square[i][1], (int32_t)ticks);
    }
    state.vx = square[age / 30 % 4][0];
    state.vy = square[age / 30 % 4][1];
    return state;
}

static inline unsigned fixture_entity_of(const struct fixture *f, unsigned slot) {
    return slot == 0
               ? 0
               : 1 + (slot - 1 + FIXTURE_ENTITIES - 1 - f->slot_shift % (FIXTURE_ENTITIES - 1)) % (FIXTURE_ENTITIES - 1);
}

static inline size_t fixture_snapshot(struct fixture *f, uint8_t *bytes, size_t size, uint32_t tick) {
    struct snapshot_header header = {
        .stream = f->stream, .seq = ++f->snapshot_seq, .input_ack = f->input_ack, .tick = tick + f->tick_skew};
    struct snapshot_writer writer;
    uint32_t absent = f->absent & ((1u << FIXTURE_ENTITIES) - 1);
    snapshot_write_begin(&writer, bytes, size, &header);
    snapshot_write_removals(&writer, NULL, 0);
    snapshot_write_update_count(&writer, FIXTURE_ENTITIES - (uint32_t)__builtin_popcount(absent));
    for (uint16_t i = 0; i < FIXTURE_ENTITIES; i++) {
        unsigned entity = fixture_entity_of(f, i);
        if (absent >> entity & 1) continue;
        struct snapshot_update update = {.slot = i,
                                         .version = (uint8_t)(f->snapshot_seq % 16),
                                         .id = entity == 0 ? f->own_id : 100u + entity,
                                         .state = fixture_entity(entity, tick)};
        update.state.tick += f->tick_skew;
        snapshot_write_update(&writer, &update);
    }
    return snapshot_write_finish(&writer);
}

static inline void fixture_send(struct fixture *f, struct channel_packet *packet, uint8_t *room) {
    channel_put_fragments(&f->channel, f->now, packet);
    size_t len = channel_finish(&f->channel, f->now, packet);
    uint8_t *sealed;
    int sealed_len = netcode_server_seal(f->server, f->now, f->slot, room + NETCODE_HEADROOM, len, &sealed);
    if (sealed_len > 0) fixture_server_sends(f, &f->client_addr, sealed, (size_t)sealed_len);
}

static inline void fixture_send_snapshot(struct fixture *f, uint32_t tick) {
    uint8_t room[NETCODE_PACKET_MAX], snapshot[CHANNEL_SNAPSHOT_MAX];
    struct channel_packet packet;
    size_t len = fixture_snapshot(f, snapshot, sizeof(snapshot), tick);
    if (f->garbage) memset(snapshot + 8, 0xff, len - 8);
    channel_begin(&f->channel, &packet, room + NETCODE_HEADROOM, CHANNEL_PACKET_MAX);
    assert_int_equal(channel_put_snapshot(&packet, f->snapshot_seq, snapshot, len), 0);
    fixture_send(f, &packet, room);
}

static inline void fixture_pong(struct fixture *f, uint32_t client_us) {
    uint8_t room[NETCODE_PACKET_MAX];
    struct channel_packet packet;
    double tick = fixture_tick(f);
    uint32_t whole = (uint32_t)tick;
    struct frame_pong pong = {client_us, FIXTURE_TICK_AT_0 + whole, (uint16_t)((tick - whole) * 65536)};
    channel_begin(&f->channel, &packet, room + NETCODE_HEADROOM, CHANNEL_PACKET_MAX);
    assert_int_equal(frame_write_pong(&packet.frames, &pong), 0);
    fixture_send(f, &packet, room);
}

static inline void fixture_take_input(struct fixture *f, const struct frame_input *input) {
    for (unsigned i = 0; i < input->count; i++) {
        uint16_t seq = (uint16_t)(input->newest_seq - i);
        assert_in_range(seq, 1, FIXTURE_INPUTS_SEEN - 1);
        if (f->input_seen[seq]) assert_memory_equal(&f->inputs[seq], &input->commands[i], sizeof(input->commands[i]));
        f->input_seen[seq] = true;
        f->inputs[seq] = input->commands[i];
    }
    if (input->newest_seq > f->input_ack) {
        f->input_ack = input->newest_seq;
        f->input = *input;
    }
}

static inline void fixture_server_takes(struct fixture *f, uint8_t *bytes, size_t len) {
    netcode_server_receive(f->server, f->now, fixture_wall_s(f), &f->client_addr, bytes, len, &f->event);
    if (f->event.reply_len > 0) fixture_server_sends(f, &f->client_addr, f->event.reply, f->event.reply_len);
    if (f->event.type == NETCODE_EVENT_CONNECTED) {
        struct channel_config config = {
            .accept = CHANNEL_ACCEPT_AT_SERVER, .message_bytes_max = FRAME_MESSAGE_BYTES_MAX, .send_blocks_max = 128};
        f->slot = f->event.slot;
        f->connected = true;
        channel_deinit(&f->channel);
        channel_init(&f->channel, &config, &f->pool);
        memset(f->input_seen, 0, sizeof(f->input_seen));
        f->input_ack = 0;
    }
    if (f->event.type == NETCODE_EVENT_DISCONNECTED) {
        f->connected = false;
        f->client_left = true;
    }
    if (f->event.type != NETCODE_EVENT_PAYLOAD) return;
    struct channel_received received;
    int error = channel_read(&f->channel, f->now, f->event.data, f->event.len, &received);
    assert_true(error == 0 || error == MARCH_ERR_EXPIRED);
    f->snapshots_acked = (uint16_t)(f->snapshots_acked + received.snapshots_count);
    struct frame frame;
    while (frame_next(&received.frames, &frame) > 0) {
        if (frame.type == FRAME_INPUT) fixture_take_input(f, &frame.input);
        if (frame.type == FRAME_PING) fixture_pong(f, frame.ping_client_us);
    }
}

/* --- time */

static inline void fixture_deliver(struct fixture *f) {
    for (unsigned i = 0; i < f->flying_count;) {
        if (f->flying[i].at_ns > f->now.ns) {
            i++;
            continue;
        }
        struct fixture_flying flying = f->flying[i];
        f->flying_count--;
        memmove(&f->flying[i], &f->flying[i + 1], (f->flying_count - i) * sizeof(f->flying[0]));
        if (flying.to_client) {
            (void)march_client_receive(f->client, f->now.ns, flying.bytes, flying.len);
        } else {
            fixture_server_takes(f, flying.bytes, flying.len);
        }
    }
}

/* fixture_step_server moves time by 1 ms for all but the client. */
static inline void fixture_step_server(struct fixture *f) {
    f->now = mono_add_ms(f->now, 1);
    fixture_deliver(f);
    struct netcode_sink sink = fixture_sink(f);
    netcode_server_update(f->server, f->now, fixture_wall_s(f), &sink);
    while (f->ticks_done < (uint64_t)fixture_tick(f)) {
        f->ticks_done++;
        if (f->connected && !f->still && f->ticks_done % FIXTURE_EVERY == 0) {
            fixture_send_snapshot(f, FIXTURE_TICK_AT_0 + (uint32_t)f->ticks_done);
        }
    }
    while (f->connected && channel_due(&f->channel, f->now)) {
        uint8_t room[NETCODE_PACKET_MAX];
        struct channel_packet packet;
        channel_begin(&f->channel, &packet, room + NETCODE_HEADROOM, CHANNEL_PACKET_MAX);
        fixture_send(f, &packet, room);
    }
}

/* fixture_step moves time by 1 ms. */
static inline void fixture_step(struct fixture *f) {
    fixture_step_server(f);
    march_client_update(f->client, f->now.ns, fixture_client_sends, f);
}

static inline void fixture_run(struct fixture *f, unsigned ms) {
    for (unsigned i = 0; i < ms; i++) fixture_step(f);
}

/* fixture_connect connects and waits for the first snapshots. */
static inline void fixture_connect(struct fixture *f) {
    uint8_t token[MARCH_TOKEN_BYTES];
    fixture_token(f, 1, token);
    assert_int_equal(march_client_connect(f->client, token, f->now.ns, fixture_wall_s(f)), 0);
    for (unsigned i = 0; i < 3000 && march_client_state(f->client) != MARCH_CLIENT_CONNECTED; i++) fixture_step(f);
    assert_int_equal(march_client_state(f->client), MARCH_CLIENT_CONNECTED);
    fixture_run(f, 500);
}

#endif
