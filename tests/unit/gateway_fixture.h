/* gateway_fixture.h: a gateway in process, for tests: real sockets, real bus edges, a netcode client, a made-up zone and,
 * where asked, a made-up persist, another zone and a made-up matchmaker. */
#ifndef MARCH_TESTS_UNIT_GATEWAY_FIXTURE_H
#define MARCH_TESTS_UNIT_GATEWAY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "common/channel.h"
#include "common/log.h"
#include "gateway/gateway.h"
#include "gateway/udp_socket.h"
#include "tests/unit/fake_matchmaker.h"
#include "tests/unit/fake_persist.h"
#include "tests/unit/fake_zone.h"
#include "tools/client/netcode_client.h"

#define PROTOCOL_ID 99
#define PLAYER      1001
#define TICK_HZ     60
#define SLOTS       16
#define PUMPS       4000 /* of at most 5 ms */
#define MESSAGE_MAX FRAME_MESSAGE_BYTES_MAX

static const uint8_t connect_key[NETCODE_KEY_BYTES] = {7};

struct client {
    int fd;
    struct netcode_client netcode;
    struct channel channel;
    uint16_t input_seq;
    unsigned packets, pongs, messages;
    uint8_t snapshot[CHANNEL_SNAPSHOT_MAX];
    size_t snapshot_len;
    unsigned snapshots;
    struct frame_pong pong;
    uint8_t message[MESSAGE_MAX]; /* the newest */
    int message_len;
    struct wire_server_message told; /* the newest that is of wire.h */
};

struct fixture {
    char dir[32];
    struct fake_zone zone;
    struct fake_persist persist; /* these two are closed but in a cluster with persist */
    struct fake_zone other_zone;
    struct fake_matchmaker matchmaker; /* closed but in a cluster with one */
    struct directory directory;        /* the newest one of the cluster */
    bool has_other_gateway;
    struct gateway *gateway;
    struct addr server[2];
    struct block_pool blocks;
    struct client client;
};

/* --- the client */

static inline void client_flush(struct client *c, const uint8_t *packet, size_t len) {
    struct sockaddr_storage name;
    socklen_t name_len = addr_to_sockaddr(netcode_client_server(&c->netcode), &name);
    (void)!sendto(c->fd, packet, len, 0, (struct sockaddr *)&name, name_len);
}

static inline void client_seal(struct client *c, uint8_t *data, size_t len) {
    uint8_t *packet;
    int sealed = netcode_client_seal(&c->netcode, mono_now(), data, len, &packet);
    assert_true(sealed > 0);
    client_flush(c, packet, (size_t)sealed);
}

/* client_write sends one packet with what is due and, where given, an input or a ping. */
static inline void client_write(struct client *c, const struct frame_input *input, const uint32_t *ping) {
    uint8_t bytes[NETCODE_PACKET_MAX];
    struct channel_packet packet;
    channel_begin(&c->channel, &packet, bytes + NETCODE_HEADROOM, CHANNEL_PACKET_MAX);
    if (input) assert_int_equal(frame_write_input(&packet.frames, input), 0);
    if (ping) assert_int_equal(frame_write_ping(&packet.frames, *ping), 0);
    (void)channel_put_fragments(&c->channel, mono_now(), &packet);
    client_seal(c, bytes + NETCODE_HEADROOM, channel_finish(&c->channel, mono_now(), &packet));
}

static inline void client_input(struct client *c, uint8_t count) {
    struct frame_input input = {.count = count, .newest_seq = ++c->input_seq, .view_tick = 5};
    client_write(c, &input, NULL);
}

static inline void client_take(struct client *c, const uint8_t *payload, size_t len) {
    struct channel_received received;
    struct frame frame;
    if (channel_read(&c->channel, mono_now(), payload, len, &received) != 0) return;
    c->packets++;
    while (frame_next(&received.frames, &frame) == 1) {
        if (frame.type == FRAME_SNAPSHOT) {
            memcpy(c->snapshot, frame.snapshot.bytes, frame.snapshot.len);
            c->snapshot_len = frame.snapshot.len;
            c->snapshots++;
        } else if (frame.type == FRAME_PONG) {
            c->pong = frame.pong;
            c->pongs++;
        }
    }
    for (int message_len; (message_len = channel_next_message(&c->channel, c->message, MESSAGE_MAX)) >= 0;) {
        c->message_len = message_len;
        c->messages++;
        (void)!wire_server_message_read(c->message, (size_t)message_len, &c->told);
    }
}

static inline void client_update(struct client *c) {
    uint8_t bytes[2048];
    const uint8_t *packet;
    size_t len = netcode_client_update(&c->netcode, mono_now(), bytes, &packet);
    if (len > 0) client_flush(c, packet, len);
    for (ssize_t received; (received = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0;) {
        len = netcode_client_receive(&c->netcode, mono_now(), netcode_client_server(&c->netcode), bytes, (size_t)received,
                                     &packet);
        if (len > 0) client_take(c, packet, len);
    }
    if (c->netcode.state == NETCODE_CLIENT_CONNECTED && channel_due(&c->channel, mono_now())) client_write(c, NULL, NULL);
}

static inline void client_start(struct fixture *f, const struct addr *server) {
    struct client *c = &f->client;
    uint8_t token[NETCODE_TOKEN_BYTES];
    struct netcode_token_params params = {.protocol_id = PROTOCOL_ID,
                                          .client_id = PLAYER,
                                          .create_s = wall_now_s(),
                                          .expire_s = wall_now_s() + NETCODE_TOKEN_LIFETIME_DEFAULT,
                                          .timeout_s = 5,
                                          .server_count = 1,
                                          .servers = {*server}};
    assert_int_equal(netcode_token_mint(token, &params, connect_key), 0);
    struct addr any = *server, bound;
    any.port = 0;
    c->fd = udp_socket_open(&any, 1 << 20, &bound);
    assert_true(c->fd >= 0);
    netcode_client_init(&c->netcode);
    assert_int_equal(netcode_client_connect(&c->netcode, mono_now(), token, sizeof token), 0);
}

/* --- all of it */

static inline void pump(struct fixture *f) {
    if (f->client.fd >= 0) client_update(&f->client);
    fake_zone_update(&f->zone);
    fake_persist_update(&f->persist);
    fake_zone_update(&f->other_zone);
    fake_matchmaker_update(&f->matchmaker);
    if (f->gateway) assert_int_equal(gateway_turn(f->gateway), 0);
}

#define PUMP_UNTIL(f, condition)                                                                                            \
    do {                                                                                                                    \
        for (int i_ = 0; i_ < PUMPS && !(condition); i_++) pump(f);                                                         \
        assert_true(condition);                                                                                             \
    } while (0)

static inline struct bus_edge_config bus_to(const char *url, const char *peer_name) {
    return (struct bus_edge_config){.url = url,
                                    .role = BUS_DIAL,
                                    .local_name = "gateway-0",
                                    .peer_name = peer_name,
                                    .frame_max_bytes = BUS_FRAME_BYTES_MAX,
                                    .queue_max_bytes = 4 * BUS_FRAME_BYTES_MAX};
}

/* first_directory: zone-0 has what is east of 0, zone-1 what is west of it. */
static inline struct directory first_directory(unsigned zones, bool has_matchmaker) {
    struct directory d = {
        .version = 1, .is_fixed = !has_matchmaker, .worker_count = zones, .partition_count = zones, .gateway_count = 2};
    for (uint32_t i = 0; i < zones; i++) {
        int32_t min_x = i == 0 ? 0 : -100;
        d.workers[i] = (struct wire_directory_worker){.incarnation = i == 0 ? 77 : 88, .state = WIRE_WORKER_ACTIVE};
        d.partitions[i] = (struct wire_directory_partition){
            .epoch = 1, .rect = {min_x, -100, min_x + 100, 0}, .id = i, .owner = i, .former = WIRE_SLOT_NONE};
    }
    for (uint32_t i = 0; i < d.gateway_count; i++)
        d.gateways[i] = (struct wire_directory_gateway){.incarnation = 1 + i, .state = WIRE_GATEWAY_UP};
    return d;
}

/* The other gateway is where this one's second address is. */
static inline unsigned other_gateway(void *context, unsigned gateway, struct addr addrs[CONFIG_ADDRESSES_MAX]) {
    struct fixture *f = context;
    assert_int_equal(gateway, 1);
    addrs[0] = f->server[1];
    return f->has_other_gateway;
}

/* setup_parts opens a gateway with one zone, or with persist and two; with a matchmaker also that. */
static inline int setup_parts(void **state, enum io_back_end io, bool has_persist, bool has_matchmaker) {
    static const char *const any[2] = {"127.0.0.1:0", "[::1]:0"};
    struct fixture *f = calloc(1, sizeof *f);
    char error[256];
    strcpy(f->dir, "/tmp/march-gateway-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    fake_zone_open(&f->zone, f->dir, "zone-0", 77);
    f->zone.attaches_all = true;
    struct gateway_config *config = calloc(1, sizeof *config);
    *config = (struct gateway_config){.io = io,
                                      .io_buffers = 64,
                                      .socket_count = 2,
                                      .tick_hz = TICK_HZ,
                                      .flush_lead_ns = NS_PER_MS,
                                      .hello = {.name = "gateway-0", .role = WIRE_ROLE_GATEWAY, .incarnation = 1},
                                      .route_count = 1};
    config->buses[0] = bus_to(f->zone.url, "zone-0");
    if (has_persist) {
        fake_persist_open(&f->persist, f->dir, 5);
        fake_zone_open(&f->other_zone, f->dir, "zone-1", 88);
        f->other_zone.attaches_all = true;
        config->route_count = 2;
        config->buses[1] = bus_to(f->other_zone.url, "zone-1");
        config->keeper_count = 1;
        config->keeper_buses[0] = bus_to(f->persist.url, "persist-0");
        strcpy(config->region, "main");
    }
    config->drain = (struct drain_config){.context = f, .servers = other_gateway};
    f->directory = first_directory(config->route_count, has_matchmaker);
    config->has_guide = has_matchmaker;
    if (has_matchmaker) {
        fake_matchmaker_open(&f->matchmaker, f->dir, 9);
        config->guide_bus = bus_to(f->matchmaker.url, "matchmaker-0");
    } else {
        config->directory = f->directory;
    }
    netcode_server_config_default(&config->netcode);
    config->netcode.reports_second_login = has_persist;
    config->netcode.protocol_id = PROTOCOL_ID;
    memcpy(config->netcode.connect_key, connect_key, sizeof connect_key);
    randombytes_buf(config->netcode.secret, sizeof config->netcode.secret);
    config->netcode.slots_max = SLOTS;
    config->netcode.session_per_s = 0;
    config->netcode.public_addr_count = 2;
    for (int i = 0; i < 2; i++) {
        struct addr address;
        assert_int_equal(addr_parse(&address, any[i]), 0);
        config->sockets[i] = udp_socket_open(&address, 1 << 20, &f->server[i]);
        assert_true(config->sockets[i] >= 0);
        config->netcode.public_addrs[i] = f->server[i];
    }
    assert_int_equal(gateway_create(&f->gateway, config, mono_now(), wall_now_ns(), error, sizeof error), 0);
    free(config);
    assert_int_equal(block_pool_init(&f->blocks, 1024), 0);
    struct channel_config channel = {
        .accept = CHANNEL_ACCEPT_AT_CLIENT, .message_bytes_max = MESSAGE_MAX, .send_blocks_max = 256};
    channel_init(&f->client.channel, &channel, &f->blocks);
    f->client.fd = -1;
    *state = f;
    return 0;
}

/* setup_gateway opens a gateway with one zone, or with persist and two. */
static inline int setup_gateway(void **state, enum io_back_end io, bool has_persist) {
    return setup_parts(state, io, has_persist, false);
}

static inline int teardown(void **state) {
    struct fixture *f = *state;
    gateway_destroy(f->gateway);
    fake_zone_free(&f->zone);
    fake_zone_free(&f->other_zone);
    fake_persist_free(&f->persist);
    fake_matchmaker_free(&f->matchmaker);
    channel_deinit(&f->client.channel);
    block_pool_deinit(&f->blocks);
    if (f->client.fd >= 0) close(f->client.fd);
    rmdir(f->dir);
    free(f);
    return 0;
}

static inline bool is_up(const struct fixture *f) {
    return gateway_routes_up(f->gateway) == f->gateway->route_count;
}

static inline uint32_t in_state(const struct fixture *f, enum session_state state) {
    return f->gateway->sessions.state_counts[state];
}

/* play connects a client over IPv4 or IPv6, until its zone has it and it has been heard. */
static inline struct fixture *play(void **state, unsigned family) {
    struct fixture *f = *state;
    PUMP_UNTIL(f, is_up(f));
    client_start(f, &f->server[family]);
    PUMP_UNTIL(f, f->client.netcode.state == NETCODE_CLIENT_CONNECTED);
    client_write(&f->client, NULL, NULL);
    PUMP_UNTIL(f, in_state(f, SESSION_PLAYING) == 1 && f->gateway->stats.packets_in == 1);
    return f;
}

static inline uint64_t session_of(const struct fixture *f) {
    return f->zone.attaches[f->zone.attach_count - 1].session;
}

#endif
