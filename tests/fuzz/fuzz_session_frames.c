/* fuzz_session_frames.c: a pair of channels under a program of good and hostile packets, lost packets, messages and time.
 *
 * After each step: the pool's books agree, no side holds more than its share, frames that were read are written back as the
 * same bytes, and messages of the honest side arrive as they were sent.
 */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/channel.h"
#include "common/check.h"

#define STEPS     300
#define POOL_SIZE 400

struct side {
    struct channel channel;
    uint16_t hostile_seq; /* of the next packet forged to it */
};

static struct {
    struct block_pool pool;
    struct side sides[2]; /* server, client */
    struct mono now;
    bool forged;
    uint32_t sent, got; /* messages of the client to the server, while nothing was forged */
} w;

static void start(void) {
    if (w.pool.blocks == NULL) CHECK(block_pool_init(&w.pool, POOL_SIZE) == 0);
    for (int i = 0; i < 2; i++) {
        struct channel_config config = {.accept = i == 0 ? CHANNEL_ACCEPT_AT_SERVER : CHANNEL_ACCEPT_AT_CLIENT,
                                        .message_bytes_max = i == 0 ? 8192 : FRAME_MESSAGE_BYTES_MAX,
                                        .send_blocks_max = 100};
        channel_deinit(&w.sides[i].channel);
        channel_init(&w.sides[i].channel, &config, &w.pool);
        w.sides[i].hostile_seq = 1;
    }
    CHECK(w.pool.taken == 0);
    w.now = (struct mono){NS_PER_S};
    w.forged = false;
    w.sent = w.got = 0;
}

static void write_back(struct frame_writer *writer, const struct frame *frame) {
    int error = MARCH_ERR_INVALID;
    switch (frame->type) {
    case FRAME_INPUT: error = frame_write_input(writer, &frame->input); break;
    case FRAME_SNAPSHOT: error = frame_write_snapshot(writer, frame->snapshot.bytes, frame->snapshot.len); break;
    case FRAME_FRAGMENT: error = frame_write_fragment(writer, &frame->fragment); break;
    case FRAME_PING: error = frame_write_ping(writer, frame->ping_client_us); break;
    case FRAME_PONG: error = frame_write_pong(writer, &frame->pong); break;
    case FRAME_TYPE_COUNT: break;
    }
    CHECK(error == 0);
}

static void check_round_trip(struct frame_reader frames) {
    uint8_t bytes[CHANNEL_PACKET_MAX];
    struct frame_writer writer;
    struct frame frame;
    const uint8_t *start_of = frames.next;
    size_t len = (size_t)(frames.end - frames.next);
    frame_writer_init(&writer, bytes, sizeof(bytes));
    int got;
    while ((got = frame_next(&frames, &frame)) > 0) write_back(&writer, &frame);
    CHECK(got == 0 && writer.len == len && memcmp(bytes, start_of, len) == 0);
}

static void deliver(struct side *to, const uint8_t *packet, size_t len) {
    struct channel_received received;
    uint8_t *copy = malloc(len > 0 ? len : 1); /* of its exact size, so that reading past it is seen */
    memcpy(copy, packet, len);
    int error = channel_read(&to->channel, w.now, copy, len, &received);
    CHECK(error == 0 || error == MARCH_ERR_INVALID || error == MARCH_ERR_REPLAY || error == MARCH_ERR_EXPIRED);
    CHECK(received.snapshots_count <= CHANNEL_ACKS_MAX);
    if (error < 0) CHECK(received.frames.next == received.frames.end);
    check_round_trip(received.frames);
    if (error == 0 && len % 16 == 15) channel_unread(&to->channel, &received);
    free(copy);
}

static size_t write_packet(struct side *from, uint8_t *bytes, size_t size) {
    struct channel_packet packet;
    channel_begin(&from->channel, &packet, bytes, size);
    if (from == &w.sides[0]) (void)channel_put_snapshot(&packet, (uint16_t)from->channel.next_seq, (const uint8_t *)"s", 1);
    channel_put_fragments(&from->channel, w.now, &packet);
    size_t len = channel_finish(&from->channel, w.now, &packet);
    CHECK(len <= size);
    return len;
}

/* forge makes a packet to a side of fuzzed frames behind a header that passes. */
static void forge(struct side *to, const uint8_t *frames, size_t len) {
    uint8_t bytes[CHANNEL_PACKET_MAX];
    if (len > sizeof(bytes) - CHANNEL_HEADER_SIZE) len = sizeof(bytes) - CHANNEL_HEADER_SIZE;
    store_le(bytes, to->hostile_seq++, 2);
    store_le(bytes + 2, (uint16_t)to->channel.acked.newest, 2);
    store_le(bytes + 4, 0, 4);
    memcpy(bytes + CHANNEL_HEADER_SIZE, frames, len);
    deliver(to, bytes, CHANNEL_HEADER_SIZE + len);
}

static void send_message(struct side *from, unsigned size) {
    static uint8_t bytes[8192];
    size_t len = 1 + size * 32;
    memset(bytes, (int)w.sent, len);
    if (channel_send(&from->channel, w.now, bytes, len) == 0 && from == &w.sides[1]) w.sent++;
}

static void next_message(struct side *side) {
    static uint8_t bytes[FRAME_MESSAGE_BYTES_MAX];
    int len = channel_next_message(&side->channel, bytes, sizeof(bytes));
    if (len < 0 || side != &w.sides[0] || w.forged) return;
    CHECK(w.got < w.sent && bytes[0] == (uint8_t)w.got && bytes[len - 1] == (uint8_t)w.got);
    w.got++;
}

static void check_books(void) {
    uint32_t held = 0;
    for (int i = 0; i < 2; i++) {
        const struct channel *channel = &w.sides[i].channel;
        CHECK(channel->send_count <= 100);
        CHECK(channel->receive_count <= channel->fragments_max + CHANNEL_WINDOW);
        held += channel->send_count + channel->receive_count;
    }
    CHECK(held == w.pool.taken);
}

/* step takes one instruction of 3 bytes, and for a forged packet what follows. Returns the bytes used. */
static size_t step(const uint8_t *data, size_t size) {
    uint8_t bytes[CHANNEL_PACKET_MAX];
    struct side *side = &w.sides[data[0] & 1];
    struct side *other = &w.sides[~data[0] & 1];
    size_t wanted = data[1] | (size_t)(data[2] & 7) << 8;
    size_t len = wanted < size - 3 ? wanted : size - 3;
    switch (data[0] >> 1 & 7) {
    case 0:
        w.forged = true;
        deliver(side, data + 3, len);
        return 3 + len;
    case 1:
        w.forged = true;
        forge(side, data + 3, len);
        return 3 + len;
    case 2: send_message(side, data[1]); break;
    case 3: deliver(other, bytes, write_packet(side, bytes, sizeof(bytes))); break;
    case 4: write_packet(side, bytes, CHANNEL_HEADER_SIZE + wanted % 1000); break; /* lost */
    case 5: w.now = mono_add_ms(w.now, wanted); break;
    case 6: next_message(side); break;
    default: (void)channel_due(&side->channel, w.now); (void)channel_stalled(&side->channel, w.now);
    }
    return 3;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    start();
    for (unsigned i = 0; i < STEPS && size >= 3; i++) {
        size_t used = step(data, size);
        check_books();
        data += used;
        size -= used;
    }
    return 0;
}
