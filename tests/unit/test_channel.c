/* Channels: sequence numbers and acknowledgements, reliable messages over a bad network, hostile packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "common/channel.h"
#include "tests/unit/protocol_doc.h"

/* Two channels that talk to each other. */
struct pair {
    struct block_pool pool;
    struct channel server, client;
    struct mono now;
};

static struct channel_config server_config(void) {
    return (struct channel_config){
        .accept = CHANNEL_ACCEPT_AT_SERVER, .message_bytes_max = FRAME_MESSAGE_BYTES_MAX, .send_blocks_max = 128};
}

static struct channel_config client_config(void) {
    struct channel_config config = server_config();
    config.accept = CHANNEL_ACCEPT_AT_CLIENT;
    return config;
}

static void pair_init(struct pair *pair, uint32_t blocks) {
    struct channel_config server = server_config();
    struct channel_config client = client_config();
    assert_int_equal(block_pool_init(&pair->pool, blocks), 0);
    channel_init(&pair->server, &server, &pair->pool);
    channel_init(&pair->client, &client, &pair->pool);
    pair->now = (struct mono){NS_PER_S};
}

/* pair_deinit also checks that no block was lost. */
static void pair_deinit(struct pair *pair) {
    channel_deinit(&pair->server);
    channel_deinit(&pair->client);
    channel_deinit(&pair->client);
    assert_int_equal(pair->pool.taken, 0);
    block_pool_deinit(&pair->pool);
}

static size_t write_packet(struct channel *channel, struct mono now, uint8_t bytes[CHANNEL_PACKET_MAX]) {
    struct channel_packet packet;
    channel_begin(channel, &packet, bytes, CHANNEL_PACKET_MAX);
    channel_put_fragments(channel, now, &packet);
    return channel_finish(channel, now, &packet);
}

static size_t write_snapshot_packet(struct channel *channel, struct mono now, uint16_t seq,
                                    uint8_t bytes[CHANNEL_PACKET_MAX]) {
    struct channel_packet packet;
    channel_begin(channel, &packet, bytes, CHANNEL_PACKET_MAX);
    assert_int_equal(channel_put_snapshot(&packet, seq, (const uint8_t *)"snap", 4), 0);
    return channel_finish(channel, now, &packet);
}

static int deliver(struct channel *to, struct mono now, const uint8_t *bytes, size_t len) {
    struct channel_received received;
    return channel_read(to, now, bytes, len, &received);
}

/* header writes a packet by hand. */
static size_t header(uint8_t *bytes, uint16_t seq, uint16_t ack, uint32_t ack_bits) {
    store_le(bytes, seq, 2);
    store_le(bytes + 2, ack, 2);
    store_le(bytes + 4, ack_bits, 4);
    return CHANNEL_HEADER_SIZE;
}

static size_t put_fragment(uint8_t *bytes, size_t len, uint16_t id, uint8_t index, uint8_t last_index) {
    static const uint8_t body[FRAME_FRAGMENT_BYTES];
    struct frame_writer writer;
    frame_writer_init(&writer, bytes, CHANNEL_PACKET_MAX);
    writer.len = len;
    struct frame_fragment fragment = {id, index, last_index, index == last_index ? 1 : FRAME_FRAGMENT_BYTES, body};
    assert_int_equal(frame_write_fragment(&writer, &fragment), 0);
    return writer.len;
}

static void test_channel_first_packet_has_sequence_one_and_acks_nothing(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair, 8);
    uint8_t bytes[CHANNEL_PACKET_MAX];
    assert_int_equal(write_packet(&pair.client, pair.now, bytes), CHANNEL_HEADER_SIZE);
    assert_memory_equal(bytes, "\1\0\0\0\0\0\0\0", 8);
    assert_int_equal(deliver(&pair.server, pair.now, bytes, 8), 0);
    write_packet(&pair.server, pair.now, bytes);
    assert_memory_equal(bytes, "\1\0\1\0\0\0\0\0", 8);
    pair_deinit(&pair);
}

static void test_channel_snapshot_is_told_once_when_acknowledged(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair, 8);
    uint8_t bytes[CHANNEL_PACKET_MAX];
    for (uint16_t i = 0; i < 5; i++) {
        size_t len = write_snapshot_packet(&pair.server, pair.now, (uint16_t)(100 + i), bytes);
        if (i != 2) assert_int_equal(deliver(&pair.client, pair.now, bytes, len), 0);
    }
    for (int round = 0; round < 2; round++) {
        size_t len = write_packet(&pair.client, pair.now, bytes);
        struct channel_received received;
        assert_int_equal(channel_read(&pair.server, pair.now, bytes, len, &received), 0);
        assert_int_equal(received.acked_any, round == 0);
        assert_int_equal(received.snapshots_count, round == 0 ? 4 : 0);
        static const uint16_t expected[4] = {100, 101, 103, 104};
        if (round == 0) assert_memory_equal(received.snapshots, expected, sizeof(expected));
    }
    pair_deinit(&pair);
}

static void test_channel_forgotten_snapshot_is_not_told(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair, 8);
    uint8_t bytes[CHANNEL_PACKET_MAX];
    for (uint16_t i = 0; i < 2; i++) {
        size_t len = write_snapshot_packet(&pair.server, pair.now, (uint16_t)(100 + i), bytes);
        assert_int_equal(deliver(&pair.client, pair.now, bytes, len), 0);
        if (i == 0) channel_forget_snapshots(&pair.server);
    }
    struct channel_received received;
    size_t len = write_packet(&pair.client, pair.now, bytes);
    assert_int_equal(channel_read(&pair.server, pair.now, bytes, len, &received), 0);
    assert_int_equal(received.snapshots_count, 1);
    assert_int_equal(received.snapshots[0], 101);
    pair_deinit(&pair);
}

static void test_channel_unread_packet_is_not_acknowledged(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair, 8);
    uint8_t bytes[CHANNEL_PACKET_MAX];
    struct channel_received received;
    size_t len = write_snapshot_packet(&pair.server, pair.now, 1, bytes);
    assert_int_equal(channel_read(&pair.client, pair.now, bytes, len, &received), 0);
    len = write_snapshot_packet(&pair.server, pair.now, 2, bytes);
    assert_int_equal(channel_read(&pair.client, pair.now, bytes, len, &received), 0);
    channel_unread(&pair.client, &received);
    len = write_packet(&pair.client, pair.now, bytes);
    assert_int_equal(channel_read(&pair.server, pair.now, bytes, len, &received), 0);
    assert_int_equal(received.snapshots_count, 1);
    assert_int_equal(received.snapshots[0], 1);
    pair_deinit(&pair);
}

static void test_channel_duplicate_and_old_packets_are_refused(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair, 8);
    uint8_t bytes[CHANNEL_PACKET_MAX];
    assert_int_equal(deliver(&pair.server, pair.now, bytes, header(bytes, 50, 0, 0)), 0);
    assert_int_equal(deliver(&pair.server, pair.now, bytes, header(bytes, 50, 0, 0)), MARCH_ERR_REPLAY);
    assert_int_equal(deliver(&pair.server, pair.now, bytes, header(bytes, 60, 0, 0)), 0);
    assert_int_equal(deliver(&pair.server, pair.now, bytes, header(bytes, 50, 0, 0)), MARCH_ERR_REPLAY);
    assert_int_equal(deliver(&pair.server, pair.now, bytes, header(bytes, 55, 0, 0)), 0);
    assert_int_equal(deliver(&pair.server, pair.now, bytes, header(bytes, 60 + 33, 0, 0)), 0);
    assert_int_equal(deliver(&pair.server, pair.now, bytes, header(bytes, 61, 0, 0)), 0);
    assert_int_equal(deliver(&pair.server, pair.now, bytes, header(bytes, 59, 0, 0)), MARCH_ERR_EXPIRED);

    pair_deinit(&pair);
}

static void test_channel_late_snapshot_is_dropped_and_late_messages_are_taken(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair, 8);
    uint8_t late[3][CHANNEL_PACKET_MAX], bytes[CHANNEL_PACKET_MAX];
    size_t late_len[3];
    late_len[0] = write_snapshot_packet(&pair.server, pair.now, 1, late[0]);
    assert_int_equal(channel_send(&pair.server, pair.now, (const uint8_t *)"hi", 2), 0);
    late_len[1] = write_packet(&pair.server, pair.now, late[1]);
    size_t len = write_snapshot_packet(&pair.server, pair.now, 2, bytes);
    late_len[2] = write_snapshot_packet(&pair.server, pair.now, 3, late[2]);
    assert_int_equal(deliver(&pair.client, pair.now, bytes, len), 0);
    len = write_packet(&pair.server, pair.now, bytes);
    assert_int_equal(deliver(&pair.client, pair.now, bytes, len), 0);
    assert_int_equal(deliver(&pair.client, pair.now, late[0], late_len[0]), MARCH_ERR_EXPIRED);
    assert_int_equal(deliver(&pair.client, pair.now, late[1], late_len[1]), 0);
    assert_int_equal(deliver(&pair.client, pair.now, late[2], late_len[2]), 0);
    assert_int_equal(channel_next_message(&pair.client, bytes, sizeof(bytes)), 2);
    len = write_packet(&pair.client, pair.now, bytes);
    struct channel_received received;
    assert_int_equal(channel_read(&pair.server, pair.now, bytes, len, &received), 0);
    assert_int_equal(received.snapshots_count, 2);
    assert_int_equal(received.snapshots[0], 2);
    assert_int_equal(received.snapshots[1], 3);
    pair_deinit(&pair);
}

static void test_channel_ack_of_never_sent_packet_is_refused(void **state) {
    (void)state;
    static const struct {
        uint16_t ack;
        uint32_t bits;
        int expected;
    } cases[] = {
        {4, 0, MARCH_ERR_INVALID},
        {0xffff, 0, MARCH_ERR_INVALID},
        {0, 1, MARCH_ERR_INVALID},
        {1, 1, MARCH_ERR_INVALID},
        {3, 4, MARCH_ERR_INVALID},
        {3, 0x80000000u, MARCH_ERR_INVALID},
        {0x8002, 0, MARCH_ERR_INVALID},
        {0, 0, 0},
        {1, 0, 0},
        {3, 3, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair pair;
        pair_init(&pair, 8);
        uint8_t bytes[CHANNEL_PACKET_MAX];
        for (int sent = 0; sent < 3; sent++) write_packet(&pair.server, pair.now, bytes);
        size_t len = header(bytes, 1, cases[i].ack, cases[i].bits);
        assert_int_equal(deliver(&pair.server, pair.now, bytes, len), cases[i].expected);
        if (cases[i].expected < 0) { /* it survives, and the refused packet was not marked as received */
            assert_int_equal(deliver(&pair.server, pair.now, bytes, header(bytes, 1, 3, 0)), 0);
        }
        pair_deinit(&pair);
    }
}

/* A random run of packets against a plain table of which were received: acknowledgements must agree, over the wrap of the
 * sequence on the wire. */
static void test_channel_acks_random_loss_agree_with_a_table(void **state) {
    (void)state;
    enum { COUNT = 70000 };
    struct pair pair;
    pair_init(&pair, 8);
    bool *got = calloc(COUNT, sizeof(*got));
    bool *told = calloc(COUNT, sizeof(*told));
    uint8_t bytes[CHANNEL_PACKET_MAX];
    struct channel_received received;
    uint32_t seed = 12345;
    for (uint32_t i = 0; i < COUNT; i++) {
        seed = seed * 1664525u + 1013904223u;
        pair.now = mono_add_ms(pair.now, 5);
        size_t len = write_snapshot_packet(&pair.server, pair.now, (uint16_t)i, bytes);
        if (seed >> 28 != 0) {
            assert_int_equal(channel_read(&pair.client, pair.now, bytes, len, &received), 0);
            got[i] = true;
        }
        if (seed >> 24 % 4 == 3) continue; /* the answer is lost */
        len = write_packet(&pair.client, pair.now, bytes);
        assert_int_equal(channel_read(&pair.server, pair.now, bytes, len, &received), 0);
        for (unsigned s = 0; s < received.snapshots_count; s++) {
            uint32_t index = i - (uint16_t)((uint16_t)i - received.snapshots[s]);
            assert_true(got[index]);
            assert_false(told[index]);
            told[index] = true;
        }
    }
    assert_memory_equal(got, told, COUNT - 1);
    struct channel_stats stats;
    channel_stats(&pair.server, &stats);
    uint64_t lost = 0;
    for (uint32_t i = 0; i < COUNT - 33; i++) lost += !got[i];
    assert_in_range(stats.packets_lost, lost - 8, lost + 8);
    assert_true(stats.loss > 0.01f && stats.loss < 0.2f);
    channel_stats(&pair.client, &stats);
    assert_in_range(stats.packets_missed, lost - 8, lost + 8);
    free(got);
    free(told);
    pair_deinit(&pair);
}

static void test_channel_message_of_any_size_arrives(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 2, 1023, 1024, 1025, 2048, 5000, 65535, 65536};
    static uint8_t sent[FRAME_MESSAGE_BYTES_MAX], got[FRAME_MESSAGE_BYTES_MAX];
    for (size_t i = 0; i < sizeof(sent); i++) sent[i] = (uint8_t)(i * 7 + i / 1024);
    struct pair pair;
    pair_init(&pair, 256);
    uint8_t bytes[CHANNEL_PACKET_MAX];
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_int_equal(channel_send(&pair.client, pair.now, sent, sizes[i]), 0);
        int len = MARCH_ERR_EMPTY;
        for (int step = 0; step < 200 && len < 0; step++) {
            pair.now = mono_add_ms(pair.now, 10);
            while (channel_due(&pair.client, pair.now)) {
                size_t packet_len = write_packet(&pair.client, pair.now, bytes);
                assert_int_equal(deliver(&pair.server, pair.now, bytes, packet_len), 0);
            }
            size_t packet_len = write_packet(&pair.server, pair.now, bytes);
            assert_int_equal(deliver(&pair.client, pair.now, bytes, packet_len), 0);
            len = channel_next_message(&pair.server, got, sizeof(got));
        }
        assert_int_equal(len, (int)sizes[i]);
        assert_memory_equal(got, sent, sizes[i]);
        assert_int_equal(channel_next_message(&pair.server, got, sizeof(got)), MARCH_ERR_EMPTY);
    }
    struct channel_stats stats;
    channel_stats(&pair.client, &stats);
    assert_int_equal(stats.fragments_resent, 0);
    assert_int_equal(channel_send(&pair.client, pair.now, sent, 0), MARCH_ERR_INVALID);
    assert_int_equal(channel_send(&pair.client, pair.now, sent, FRAME_MESSAGE_BYTES_MAX + 1), MARCH_ERR_INVALID);
    pair_deinit(&pair);
}

/* --- a bad network: loses, duplicates and reorders, from a seed */

#define FLIGHT_MAX 4096

struct flying {
    uint64_t at_ns;
    struct channel *to;
    uint16_t len;
    uint8_t bytes[CHANNEL_PACKET_MAX];
};

struct network {
    struct flying *packets;
    unsigned count;
    uint32_t seed;
};

static uint32_t network_random(struct network *network, uint32_t below) {
    network->seed = network->seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)network->seed * below) >> 32);
}

static void network_send(struct network *network, struct channel *to, struct mono now, const uint8_t *bytes, size_t len) {
    unsigned copies = 1 + (network_random(network, 100) < 5);
    for (unsigned i = 0; i < copies; i++) {
        if (network_random(network, 100) < 10) continue;
        assert_true(network->count < FLIGHT_MAX);
        struct flying *flying = &network->packets[network->count++];
        flying->at_ns = now.ns + (20 + network_random(network, 40)) * NS_PER_MS;
        flying->to = to;
        flying->len = (uint16_t)len;
        memcpy(flying->bytes, bytes, len);
    }
}

static void network_deliver(struct network *network, struct mono now) {
    for (unsigned i = 0; i < network->count;) {
        struct flying *flying = &network->packets[i];
        if (flying->at_ns > now.ns) {
            i++;
            continue;
        }
        int result = deliver(flying->to, now, flying->bytes, flying->len);
        assert_true(result == 0 || result == MARCH_ERR_REPLAY || result == MARCH_ERR_EXPIRED);
        *flying = network->packets[--network->count];
    }
}

static size_t message_len(uint32_t number) {
    static const size_t sizes[] = {1, 30, 200, 1024, 3000, 30, 9000, 40};
    return number % 50 == 49 ? FRAME_MESSAGE_BYTES_MAX : sizes[number % 8];
}

static void message_fill(uint8_t *bytes, size_t len, uint32_t number) {
    for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)(number + i + i / 256);
}

struct stream {
    struct channel *from, *to;
    uint32_t sent, got;
};

static void stream_run(struct stream *stream, struct mono now, uint32_t messages) {
    static uint8_t bytes[FRAME_MESSAGE_BYTES_MAX], expected[FRAME_MESSAGE_BYTES_MAX];
    while (stream->sent < messages) {
        size_t len = message_len(stream->sent);
        message_fill(bytes, len, stream->sent);
        if (channel_send(stream->from, now, bytes, len) < 0) break;
        stream->sent++;
    }
    int len;
    while ((len = channel_next_message(stream->to, bytes, sizeof(bytes))) >= 0) {
        assert_int_equal(len, (int)message_len(stream->got));
        message_fill(expected, (size_t)len, stream->got);
        assert_memory_equal(bytes, expected, (size_t)len);
        stream->got++;
    }
}

static void test_channel_messages_over_a_bad_network_arrive_once_in_order(void **state) {
    (void)state;
    enum { MESSAGES = 300 };
    for (uint32_t seed = 1; seed <= 5; seed++) {
        struct pair pair;
        pair_init(&pair, 600);
        struct network network = {.packets = malloc(FLIGHT_MAX * sizeof(struct flying)), .seed = seed};
        struct stream up = {&pair.client, &pair.server, 0, 0};
        struct stream down = {&pair.server, &pair.client, 0, 0};
        uint8_t bytes[CHANNEL_PACKET_MAX];
        unsigned steps = 0;
        for (; steps < 20000 && (up.got < MESSAGES || down.got < MESSAGES); steps++) {
            pair.now = mono_add_ms(pair.now, 5);
            network_deliver(&network, pair.now);
            stream_run(&up, pair.now, MESSAGES);
            stream_run(&down, pair.now, MESSAGES);
            bool tick = steps % 10 == 0;
            while (tick || channel_due(&pair.client, pair.now)) {
                network_send(&network, &pair.server, pair.now, bytes, write_packet(&pair.client, pair.now, bytes));
                tick = false;
            }
            while (channel_due(&pair.server, pair.now)) {
                network_send(&network, &pair.client, pair.now, bytes, write_packet(&pair.server, pair.now, bytes));
            }
        }
        if (up.got != MESSAGES || down.got != MESSAGES) print_error("seed %u\n", seed);
        assert_int_equal(up.got, MESSAGES);
        assert_int_equal(down.got, MESSAGES);
        struct channel_stats stats;
        channel_stats(&pair.client, &stats);
        assert_true(stats.fragments_resent > 0);
        assert_in_range(stats.rtt_us, 40000, 200000);
        free(network.packets);
        pair_deinit(&pair);
    }
}

/* --- limits and hostile packets */

static void test_channel_fragment_beyond_the_window_is_not_acknowledged(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair, 256);
    uint8_t bytes[CHANNEL_PACKET_MAX], answer[CHANNEL_PACKET_MAX];
    assert_int_equal(deliver(&pair.server, pair.now, bytes, put_fragment(bytes, header(bytes, 1, 0, 0), 31, 0, 0)), 0);
    assert_int_equal(deliver(&pair.server, pair.now, bytes, put_fragment(bytes, header(bytes, 2, 0, 0), 32, 0, 0)), 0);
    assert_int_equal(deliver(&pair.server, pair.now, bytes, put_fragment(bytes, header(bytes, 3, 0, 0), 0x7fff, 0, 0)), 0);
    write_packet(&pair.server, pair.now, answer);
    assert_memory_equal(answer + 2, "\1\0\0\0\0\0", 6);
    struct channel_stats stats;
    channel_stats(&pair.server, &stats);
    assert_int_equal(stats.fragments_refused, 2);
    pair_deinit(&pair);
}

static void test_channel_peer_cannot_hold_more_than_its_share(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair, 4000);
    uint8_t bytes[CHANNEL_PACKET_MAX];
    uint16_t seq = 1;
    for (uint16_t id = 0; id < 40; id++) { /* every fragment but the last of all messages in the window */
        for (uint8_t i = 0; i < 63; i++) {
            size_t len = put_fragment(bytes, header(bytes, seq++, 0, 0), id, i, 63);
            assert_int_equal(deliver(&pair.server, pair.now, bytes, len), 0);
        }
    }
    assert_int_equal(pair.pool.taken, 63 + CHANNEL_WINDOW);
    size_t len = put_fragment(bytes, header(bytes, seq++, 0, 0), 0, 63, 63); /* the next message can always end */
    static uint8_t message[FRAME_MESSAGE_BYTES_MAX];
    assert_int_equal(deliver(&pair.server, pair.now, bytes, len), 0);
    assert_int_equal(channel_next_message(&pair.server, message, sizeof(message)), 63 * 1024 + 1);
    pair_deinit(&pair);
}

static void test_channel_contradicting_fragments_are_refused(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair, 64);
    uint8_t bytes[CHANNEL_PACKET_MAX];
    assert_int_equal(deliver(&pair.server, pair.now, bytes, put_fragment(bytes, header(bytes, 1, 0, 0), 0, 0, 3)), 0);
    assert_int_equal(deliver(&pair.server, pair.now, bytes, put_fragment(bytes, header(bytes, 2, 0, 0), 0, 1, 4)),
                     MARCH_ERR_INVALID);
    assert_int_equal(deliver(&pair.server, pair.now, bytes, put_fragment(bytes, header(bytes, 3, 0, 0), 0, 0, 0)),
                     MARCH_ERR_INVALID);
    assert_int_equal(deliver(&pair.server, pair.now, bytes, put_fragment(bytes, header(bytes, 4, 0, 0), 0, 3, 3)), 0);
    pair_deinit(&pair);
}

static void test_channel_message_longer_than_configured_is_refused(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair, 64);
    struct channel_config config = server_config();
    config.message_bytes_max = 4096;
    channel_init(&pair.server, &config, &pair.pool);
    uint8_t bytes[CHANNEL_PACKET_MAX];
    assert_int_equal(deliver(&pair.server, pair.now, bytes, put_fragment(bytes, header(bytes, 1, 0, 0), 0, 0, 4)),
                     MARCH_ERR_INVALID);
    assert_int_equal(deliver(&pair.server, pair.now, bytes, put_fragment(bytes, header(bytes, 1, 0, 0), 0, 0, 3)), 0);
    pair_deinit(&pair);
}

static void test_channel_malformed_packets_are_refused_whole(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair, 64);
    uint8_t bytes[CHANNEL_PACKET_MAX + 1] = {0};
    for (size_t len = 0; len < CHANNEL_HEADER_SIZE; len++) {
        assert_int_equal(deliver(&pair.server, pair.now, bytes, len), MARCH_ERR_INVALID);
    }
    header(bytes, 1, 0, 0);
    assert_int_equal(deliver(&pair.server, pair.now, bytes, CHANNEL_PACKET_MAX + 1), MARCH_ERR_INVALID);
    size_t len = put_fragment(bytes, header(bytes, 1, 0, 0), 0, 0, 0);
    bytes[len] = 99; /* a good fragment, then nonsense: the fragment is not kept */
    assert_int_equal(deliver(&pair.server, pair.now, bytes, len + 1), MARCH_ERR_INVALID);
    assert_int_equal(pair.pool.taken, 0);
    memcpy(bytes + 8, "\2\1\0x", 4); /* a snapshot, to the server */
    assert_int_equal(deliver(&pair.server, pair.now, bytes, 12), MARCH_ERR_INVALID);
    memcpy(bytes + 12, "\2\1\0x", 4); /* two snapshots in a packet */
    assert_int_equal(deliver(&pair.client, pair.now, bytes, 16), MARCH_ERR_INVALID);
    assert_int_equal(deliver(&pair.client, pair.now, bytes, 12), 0);
    for (unsigned i = 0; i <= CHANNEL_FRAMES_MAX; i++) memcpy(bytes + 8 + i * 5, "\4\0\0\0\0", 5);
    assert_int_equal(deliver(&pair.server, pair.now, bytes, 8 + (CHANNEL_FRAMES_MAX + 1) * 5), MARCH_ERR_INVALID);
    assert_int_equal(deliver(&pair.server, pair.now, bytes, 8 + CHANNEL_FRAMES_MAX * 5), 0);
    pair_deinit(&pair);
}

static void test_channel_exhausted_pool_pushes_back_and_recovers(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair, 3);
    static uint8_t message[FRAME_MESSAGE_BYTES_MAX];
    uint8_t bytes[CHANNEL_PACKET_MAX];
    assert_int_equal(channel_send(&pair.client, pair.now, message, 4 * 1024), MARCH_ERR_FULL);
    assert_int_equal(pair.pool.taken, 0);
    assert_int_equal(channel_send(&pair.client, pair.now, message, 2 * 1024), 0);
    uint32_t hog = block_pool_take(&pair.pool);
    assert_int_equal(channel_send(&pair.client, pair.now, message, 1), MARCH_ERR_FULL);
    for (int i = 0; i < 2; i++) {
        size_t len = write_packet(&pair.client, pair.now, bytes);
        assert_int_equal(deliver(&pair.server, pair.now, bytes, len), 0);
    }
    struct channel_stats stats;
    channel_stats(&pair.server, &stats);
    assert_int_equal(stats.packets_received, 0);
    assert_int_equal(stats.fragments_refused, 2);
    block_pool_give(&pair.pool, hog);
    int len = MARCH_ERR_EMPTY;
    for (int step = 0; step < 100 && len < 0; step++) {
        pair.now = mono_add_ms(pair.now, 50);
        if (channel_due(&pair.client, pair.now)) {
            assert_int_equal(deliver(&pair.server, pair.now, bytes, write_packet(&pair.client, pair.now, bytes)), 0);
        }
        assert_int_equal(deliver(&pair.client, pair.now, bytes, write_packet(&pair.server, pair.now, bytes)), 0);
        len = channel_next_message(&pair.server, message, sizeof(message));
    }
    assert_int_equal(len, 2048);
    pair_deinit(&pair);
}

static void test_channel_due_waits_for_time_out_and_ack_delay(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair, 8);
    uint8_t bytes[CHANNEL_PACKET_MAX];
    assert_false(channel_due(&pair.client, pair.now));
    assert_int_equal(channel_send(&pair.client, pair.now, (const uint8_t *)"hi", 2), 0);
    assert_true(channel_due(&pair.client, pair.now));
    size_t len = write_packet(&pair.client, pair.now, bytes);
    assert_false(channel_due(&pair.client, mono_add_ms(pair.now, CHANNEL_RTO_START_MS - 1)));
    assert_true(channel_due(&pair.client, mono_add_ms(pair.now, CHANNEL_RTO_START_MS)));

    assert_int_equal(deliver(&pair.server, pair.now, bytes, len), 0);
    assert_false(channel_due(&pair.server, pair.now));
    assert_true(channel_due(&pair.server, mono_add_ms(pair.now, CHANNEL_ACK_DELAY_MS)));
    len = write_packet(&pair.server, pair.now, bytes);
    assert_false(channel_due(&pair.server, mono_add_ms(pair.now, 1000)));
    assert_int_equal(deliver(&pair.client, pair.now, bytes, len), 0);
    assert_false(channel_due(&pair.client, mono_add_ms(pair.now, 1000)));
    pair_deinit(&pair);
}

static void test_channel_overtaken_fragment_is_resent_at_once(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair, 8);
    uint8_t bytes[CHANNEL_PACKET_MAX];
    assert_int_equal(channel_send(&pair.client, pair.now, (const uint8_t *)"hi", 2), 0);
    write_packet(&pair.client, pair.now, bytes); /* lost */
    for (int i = 1; i <= CHANNEL_REORDER_MAX; i++) {
        assert_false(channel_due(&pair.client, pair.now));
        assert_int_equal(deliver(&pair.server, pair.now, bytes, write_packet(&pair.client, pair.now, bytes)), 0);
        assert_int_equal(deliver(&pair.client, pair.now, bytes, write_packet(&pair.server, pair.now, bytes)), 0);
    }
    assert_true(channel_due(&pair.client, pair.now));
    pair_deinit(&pair);
}

static void test_channel_stalled_when_the_peer_plays_dead(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair, 8);
    uint8_t bytes[CHANNEL_PACKET_MAX];
    assert_false(channel_stalled(&pair.client, mono_add_ms(pair.now, CHANNEL_STALL_MS)));
    assert_int_equal(channel_send(&pair.client, pair.now, (const uint8_t *)"hi", 2), 0);
    assert_false(channel_stalled(&pair.client, mono_add_ms(pair.now, CHANNEL_STALL_MS - 1)));
    assert_true(channel_stalled(&pair.client, mono_add_ms(pair.now, CHANNEL_STALL_MS)));
    size_t len = put_fragment(bytes, header(bytes, 1, 0, 0), 0, 0, 1);
    assert_int_equal(deliver(&pair.server, pair.now, bytes, len), 0);
    assert_true(channel_stalled(&pair.server, mono_add_ms(pair.now, CHANNEL_STALL_MS)));
    len = put_fragment(bytes, header(bytes, 2, 0, 0), 0, 1, 1);
    assert_int_equal(deliver(&pair.server, mono_add_ms(pair.now, 5000), bytes, len), 0);
    assert_false(channel_stalled(&pair.server, mono_add_ms(pair.now, CHANNEL_STALL_MS)));
    pair_deinit(&pair);
}

static void test_channel_reader_that_waits_is_no_stall_of_the_peer(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair, 8);
    uint8_t bytes[CHANNEL_PACKET_MAX], message[2048];
    size_t len = put_fragment(bytes, header(bytes, 1, 0, 0), 0, 0, 0);
    assert_int_equal(deliver(&pair.server, pair.now, bytes, len), 0);
    len = put_fragment(bytes, header(bytes, 2, 0, 0), 1, 0, 1); /* half of the second message */
    assert_int_equal(deliver(&pair.server, pair.now, bytes, len), 0);
    struct mono late = mono_add_ms(pair.now, 3 * CHANNEL_STALL_MS);
    assert_false(channel_stalled(&pair.server, late));
    assert_true(channel_next_message(&pair.server, message, sizeof(message)) > 0);
    assert_true(channel_stalled(&pair.server, late));
    channel_excuse(&pair.server, late);
    assert_false(channel_stalled(&pair.server, late));
    assert_true(channel_stalled(&pair.server, mono_add_ms(late, CHANNEL_STALL_MS)));
    pair_deinit(&pair);
}

/* --- the worked examples of schemas/PROTOCOL.md: written as the page says, and read as it tells */

static void write_client_example(struct channel *client, struct mono now, struct channel_packet *packet, uint8_t *bytes) {
    struct frame_input input = {.count = 2, .newest_seq = 41, .view_tick = 1000000};
    input.commands[0] = (struct frame_command){FRAME_MOVE(1, -1), 2, 0x4000};
    input.commands[1] = (struct frame_command){FRAME_MOVE(1, 0), 0, 0};
    channel_begin(client, packet, bytes, CHANNEL_PACKET_MAX);
    assert_int_equal(frame_write_input(&packet->frames, &input), 0);
    assert_int_equal(frame_write_ping(&packet->frames, 5000000), 0);
    channel_finish(client, now, packet);
}

static void test_channel_examples_of_the_protocol_are_what_it_writes(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair, 8);
    uint8_t page[CHANNEL_PACKET_MAX], snapshot[64], bytes[CHANNEL_PACKET_MAX], message[FRAME_FRAGMENT_BYTES];
    struct channel_packet packet;
    struct channel_received received;
    for (int i = 0; i < 2; i++) { /* two packets each way come before; the client's second is lost */
        assert_int_equal(deliver(&pair.client, pair.now, bytes, write_packet(&pair.server, pair.now, bytes)), 0);
        size_t len = write_packet(&pair.client, pair.now, bytes);
        if (i == 0) assert_int_equal(deliver(&pair.server, pair.now, bytes, len), 0);
    }
    write_client_example(&pair.client, pair.now, &packet, bytes);
    assert_int_equal(packet.frames.len, protocol_doc_hex("session-client", page, sizeof(page)));
    assert_memory_equal(page, bytes, packet.frames.len);
    assert_int_equal(channel_read(&pair.server, pair.now, page, packet.frames.len, &received), 0);

    size_t snapshot_len = protocol_doc_hex("snapshot-delta", snapshot, sizeof(snapshot));
    assert_int_equal(snapshot_len, 18);
    pair.server.send_message_id = pair.client.receive_message_id = 1; /* the first message has come and gone */
    assert_int_equal(channel_send(&pair.server, pair.now, (const uint8_t *)"abc", 3), 0);
    channel_begin(&pair.server, &packet, bytes, CHANNEL_PACKET_MAX);
    assert_int_equal(channel_put_snapshot(&packet, 769, snapshot, snapshot_len), 0);
    assert_int_equal(channel_put_fragments(&pair.server, pair.now, &packet), 1);
    struct frame_pong pong = {5000000, 1000006, 0x8000};
    assert_int_equal(frame_write_pong(&packet.frames, &pong), 0);
    size_t len = channel_finish(&pair.server, pair.now, &packet);
    assert_int_equal(len, protocol_doc_hex("session-server", page, sizeof(page)));
    assert_memory_equal(page, bytes, len);
    assert_int_equal(channel_read(&pair.client, pair.now, page, len, &received), 0);
    assert_int_equal(channel_next_message(&pair.client, message, sizeof(message)), 3);
    pair_deinit(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channel_first_packet_has_sequence_one_and_acks_nothing),
        cmocka_unit_test(test_channel_snapshot_is_told_once_when_acknowledged),
        cmocka_unit_test(test_channel_forgotten_snapshot_is_not_told),
        cmocka_unit_test(test_channel_unread_packet_is_not_acknowledged),
        cmocka_unit_test(test_channel_duplicate_and_old_packets_are_refused),
        cmocka_unit_test(test_channel_late_snapshot_is_dropped_and_late_messages_are_taken),
        cmocka_unit_test(test_channel_ack_of_never_sent_packet_is_refused),
        cmocka_unit_test(test_channel_acks_random_loss_agree_with_a_table),
        cmocka_unit_test(test_channel_message_of_any_size_arrives),
        cmocka_unit_test(test_channel_messages_over_a_bad_network_arrive_once_in_order),
        cmocka_unit_test(test_channel_fragment_beyond_the_window_is_not_acknowledged),
        cmocka_unit_test(test_channel_peer_cannot_hold_more_than_its_share),
        cmocka_unit_test(test_channel_contradicting_fragments_are_refused),
        cmocka_unit_test(test_channel_message_longer_than_configured_is_refused),
        cmocka_unit_test(test_channel_malformed_packets_are_refused_whole),
        cmocka_unit_test(test_channel_exhausted_pool_pushes_back_and_recovers),
        cmocka_unit_test(test_channel_due_waits_for_time_out_and_ack_delay),
        cmocka_unit_test(test_channel_stalled_when_the_peer_plays_dead),
        cmocka_unit_test(test_channel_reader_that_waits_is_no_stall_of_the_peer),
        cmocka_unit_test(test_channel_examples_of_the_protocol_are_what_it_writes),
        cmocka_unit_test(test_channel_overtaken_fragment_is_resent_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
