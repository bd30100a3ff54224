#include "common/channel.h"

#include <string.h>

#include "common/bytes.h"
#include "common/check.h"

#define WINDOW_BITS 33 /* the newest sequence and the 32 before it */
#define WINDOW_MASK ((1ULL << WINDOW_BITS) - 1)
#define LOSS_ONE    (1u << 24)
#define LOSS_SHIFT  6 /* the loss is smoothed over about 64 packets */
#define SENDS_MAX   UINT16_MAX
#define RTT_MAX_US  10000000 /* longer than any session survives */

static uint32_t now_us(struct mono now) {
    return (uint32_t)(now.ns / NS_PER_US);
}

/* --- windows of sequence numbers */

/* window_widen returns the sequence nearest to the window's newest that has these low 16 bits. */
static uint32_t window_widen(const struct channel_window *window, uint16_t low) {
    int16_t step = (int16_t)(uint16_t)(low - window->newest);
    return (uint32_t)((int64_t)window->newest + step);
}

/* window_advance moves the window up to `newest`, without marking it, and counts the sequences that leave it unseen. */
static void window_advance(struct channel_window *window, uint32_t newest) {
    uint32_t steps = newest - window->newest;
    window->newest = newest;
    if (steps >= WINDOW_BITS) {
        window->unseen += (uint32_t)__builtin_popcountll(~window->seen & WINDOW_MASK) + steps - WINDOW_BITS;
        window->seen = 0;
        return;
    }
    uint64_t leaving = WINDOW_MASK & ~(WINDOW_MASK >> steps);
    window->unseen += (uint32_t)__builtin_popcountll(~window->seen & leaving);
    window->seen = (window->seen << steps) & WINDOW_MASK;
}

/* window_ack_bits returns which of the 32 sequences before the newest were seen, without those before the first packet. */
static uint32_t window_ack_bits(const struct channel_window *window) {
    uint32_t bits = (uint32_t)(window->seen >> 1);
    if (window->newest > 32) return bits;
    return window->newest < 2 ? 0 : bits & (uint32_t)((1ULL << (window->newest - 1)) - 1);
}

/* --- lifetime */

void channel_init(struct channel *channel, const struct channel_config *config, struct block_pool *pool) {
    CHECK(config->message_bytes_max >= 1 && config->message_bytes_max <= FRAME_MESSAGE_BYTES_MAX);
    memset(channel, 0, sizeof(*channel));
    channel->pool = pool;
    channel->received.seen = WINDOW_MASK;
    channel->acked.seen = WINDOW_MASK;
    channel->next_seq = 1;
    channel->send_head = BLOCK_NONE;
    channel->send_tail = BLOCK_NONE;
    channel->send_blocks_max = config->send_blocks_max;
    CHECK(config->receive_ahead_max <= CHANNEL_WINDOW);
    channel->receive_ahead_max = config->receive_ahead_max > 0 ? config->receive_ahead_max : CHANNEL_WINDOW;
    channel->accept = config->accept;
    channel->fragments_max = (uint8_t)((config->message_bytes_max + FRAME_FRAGMENT_BYTES - 1) / FRAME_FRAGMENT_BYTES);
    for (unsigned i = 0; i < CHANNEL_WINDOW; i++) channel->messages[i].blocks = BLOCK_NONE;
}

static void list_free(struct block_pool *pool, uint32_t head) {
    while (head != BLOCK_NONE) {
        uint32_t next = pool->blocks[head].next;
        block_pool_give(pool, head);
        head = next;
    }
}

void channel_deinit(struct channel *channel) {
    if (channel->pool == NULL) return;
    list_free(channel->pool, channel->send_head);
    for (unsigned i = 0; i < CHANNEL_WINDOW; i++) list_free(channel->pool, channel->messages[i].blocks);
    channel->pool = NULL;
}

/* --- acknowledgements of our packets */

/* rtt_sample follows RFC 6298, section 2. Packets never share a number, so that every sample is good. */
static void rtt_sample(struct channel *channel, uint32_t sample_us) {
    if (sample_us > RTT_MAX_US) sample_us = RTT_MAX_US;
    if (channel->rtt_us == 0) {
        channel->rtt_us = sample_us > 0 ? sample_us : 1;
        channel->rtt_var_us = sample_us / 2;
        return;
    }
    int32_t error = (int32_t)(sample_us - channel->rtt_us);
    uint32_t distance = error < 0 ? (uint32_t)-error : (uint32_t)error;
    channel->rtt_var_us += (uint32_t)(((int32_t)distance - (int32_t)channel->rtt_var_us) / 4);
    channel->rtt_us += (uint32_t)(error / 8);
    if (channel->rtt_us == 0) channel->rtt_us = 1;
}

/* loss_sample smooths the loss over packets whose fate is known. */
static void loss_sample(struct channel *channel, uint32_t lost, uint32_t arrived) {
    for (uint32_t i = 0; i < lost && i < WINDOW_BITS; i++) channel->loss += (LOSS_ONE - channel->loss) >> LOSS_SHIFT;
    for (uint32_t i = 0; i < arrived && i < WINDOW_BITS; i++) channel->loss -= channel->loss >> LOSS_SHIFT;
}

static bool block_went_in(const struct block *block, uint32_t seq) {
    unsigned known = block->sends < BLOCK_SENT_IN ? block->sends : BLOCK_SENT_IN;
    for (unsigned i = 0; i < known; i++) {
        if (block->sent_in[i] == seq) return true;
    }
    return false;
}

/* release_fragments frees the fragments that packet `seq` has delivered. */
static void release_fragments(struct channel *channel, uint32_t seq) {
    struct block *blocks = channel->pool->blocks;
    uint32_t before = BLOCK_NONE;
    uint32_t at = channel->send_head;
    if (at == BLOCK_NONE) return;
    uint32_t first = blocks[at].position;
    while (at != BLOCK_NONE && blocks[at].position - first < CHANNEL_WINDOW) {
        uint32_t next = blocks[at].next;
        if (!block_went_in(&blocks[at], seq)) {
            before = at;
        } else {
            if (before == BLOCK_NONE) {
                channel->send_head = next;
            } else {
                blocks[before].next = next;
            }
            if (channel->send_tail == at) channel->send_tail = before;
            channel->send_count--;
            block_pool_give(channel->pool, at);
        }
        at = next;
    }
}

/* packet_acked is called once for each packet that the peer says it has received. */
static void packet_acked(struct channel *channel, struct mono now, uint32_t seq, struct channel_received *out) {
    if (channel->next_seq - seq > CHANNEL_SENT_MAX) return;
    struct channel_sent *sent = &channel->sent[seq % CHANNEL_SENT_MAX];
    if (sent->has_snapshot) out->snapshots[out->snapshots_count++] = sent->snapshot_seq;
    if (sent->has_fragments) {
        release_fragments(channel, seq);
        channel->progress_us = now_us(now);
    }
    out->acked_any = true;
}

/* acks_apply takes the acknowledgements of a header. MARCH_ERR_INVALID when they name a packet that was never sent. */
static int acks_apply(struct channel *channel, struct mono now, uint16_t ack, uint32_t ack_bits,
                      struct channel_received *out) {
    struct channel_window *window = &channel->acked;
    uint32_t newest = window_widen(window, ack);
    if ((int32_t)(channel->next_seq - newest) <= 0 || (int32_t)newest < 0) return MARCH_ERR_INVALID;
    if (newest <= 32 && ack_bits >> (newest > 0 ? newest - 1 : 0) != 0) return MARCH_ERR_INVALID;
    if (newest == 0) return MARCH_OK;

    uint64_t seen = (uint64_t)ack_bits << 1 | 1;
    uint32_t advance = newest - window->newest;
    if ((int32_t)advance > 0) {
        uint32_t lost_before = window->unseen;
        window_advance(window, newest);
        uint32_t lost = window->unseen - lost_before;
        loss_sample(channel, lost, advance - lost);
        if (channel->next_seq - newest <= CHANNEL_SENT_MAX) {
            rtt_sample(channel, now_us(now) - channel->sent[newest % CHANNEL_SENT_MAX].sent_us);
        }
    } else {
        uint32_t behind = window->newest - newest;
        seen = behind < WINDOW_BITS ? (seen << behind) & WINDOW_MASK : 0;
    }
    uint64_t fresh = seen & ~window->seen;
    window->seen |= seen;
    while (fresh != 0) {
        unsigned oldest = 63u - (unsigned)__builtin_clzll(fresh);
        fresh &= ~(1ULL << oldest);
        packet_acked(channel, now, window->newest - oldest, out);
    }
    return MARCH_OK;
}

/* --- fragments from the peer */

/* fragment_has_room tells whether a fragment of a message `ahead` places after the next one may be kept. The next message
 * always may, so that those after it can never stand in its way. */
static bool fragment_has_room(const struct channel *channel, uint16_t ahead) {
    if (ahead == 0) return true;
    const struct channel_message *first = &channel->messages[channel->receive_message_id % CHANNEL_WINDOW];
    return channel->receive_count - __builtin_popcountll(first->have) < channel->receive_ahead_max;
}

/* fragment_take keeps a fragment. MARCH_ERR_FULL: no room, so its packet must not be acknowledged. */
static int fragment_take(struct channel *channel, struct mono now, const struct frame_fragment *fragment) {
    if (fragment->last_index >= channel->fragments_max) return MARCH_ERR_INVALID;
    uint16_t ahead = (uint16_t)(fragment->message_id - channel->receive_message_id);
    if (ahead >= 0x8000) return MARCH_OK; /* handed out long ago; its acknowledgement was lost */
    if (ahead >= CHANNEL_WINDOW) return MARCH_ERR_FULL;

    struct channel_message *message = &channel->messages[fragment->message_id % CHANNEL_WINDOW];
    if (message->have != 0 && message->fragments != fragment->last_index + 1) return MARCH_ERR_INVALID;
    uint64_t bit = 1ULL << fragment->index;
    if (message->have & bit) return MARCH_OK;
    if (!fragment_has_room(channel, ahead)) return MARCH_ERR_FULL;
    uint32_t index = block_pool_take(channel->pool);
    if (index == BLOCK_NONE) return MARCH_ERR_FULL;

    struct block *block = &channel->pool->blocks[index];
    block->next = message->blocks;
    block->index = fragment->index;
    block->len = fragment->len;
    memcpy(block->bytes, fragment->bytes, fragment->len);
    message->blocks = index;
    message->have |= bit;
    message->fragments = (uint8_t)(fragment->last_index + 1);
    channel->receive_count++;
    channel->progress_us = now_us(now);
    return MARCH_OK;
}

static bool message_is_whole(const struct channel_message *message) {
    return message->have != 0 && __builtin_popcountll(message->have) == message->fragments;
}

int channel_next_message(struct channel *channel, uint8_t *bytes, size_t size) {
    struct channel_message *message = &channel->messages[channel->receive_message_id % CHANNEL_WINDOW];
    if (!message_is_whole(message)) return MARCH_ERR_EMPTY;
    size_t len = 0;
    for (uint32_t at = message->blocks; at != BLOCK_NONE; at = channel->pool->blocks[at].next) {
        const struct block *block = &channel->pool->blocks[at];
        size_t start = (size_t)block->index * FRAME_FRAGMENT_BYTES;
        CHECK(start + block->len <= size);
        memcpy(bytes + start, block->bytes, block->len);
        len += block->len;
    }
    list_free(channel->pool, message->blocks);
    channel->receive_count = (uint16_t)(channel->receive_count - message->fragments);
    *message = (struct channel_message){.blocks = BLOCK_NONE};
    channel->receive_message_id++;
    channel->messages_received++;
    return (int)len;
}

/* --- reading a packet */

/* frames_check reads all frames once, so that a packet is refused before any of it is applied. Returns the set of types
 * among them, or MARCH_ERR_INVALID. */
static int frames_check(const struct channel *channel, struct frame_reader reader) {
    struct frame frame;
    unsigned count = 0;
    uint8_t types = 0;
    for (;;) {
        int got = frame_next(&reader, &frame);
        if (got < 0) return got;
        if (got == 0) return types;
        uint8_t type = FRAME_SET(frame.type);
        if (++count > CHANNEL_FRAMES_MAX || !(channel->accept & type)) return MARCH_ERR_INVALID;
        if (frame.type == FRAME_SNAPSHOT && types & type) return MARCH_ERR_INVALID;
        types |= type;
    }
}

/* fragments_take keeps the fragments of a packet. MARCH_ERR_FULL when some found no room; the others are kept. */
static int fragments_take(struct channel *channel, struct mono now, struct frame_reader reader) {
    struct frame frame;
    int result = MARCH_OK;
    while (frame_next(&reader, &frame) > 0) {
        if (frame.type != FRAME_FRAGMENT) continue;
        int taken = fragment_take(channel, now, &frame.fragment);
        if (taken == MARCH_ERR_INVALID) return taken;
        if (taken == MARCH_ERR_FULL) {
            channel->fragments_refused++;
            result = taken;
        }
    }
    return result;
}

static void packet_mark_received(struct channel *channel, uint32_t seq) {
    struct channel_window *window = &channel->received;
    if ((int32_t)(seq - window->newest) > 0) window_advance(window, seq);
    window->seen |= 1ULL << (window->newest - seq);
    channel->packets_received++;
}

/* sequence_check returns 0 for a packet that is neither known nor too old. */
static int sequence_check(const struct channel *channel, uint32_t seq) {
    const struct channel_window *window = &channel->received;
    int32_t ahead = (int32_t)(seq - window->newest);
    if (ahead > 0) return MARCH_OK;
    if (-ahead >= WINDOW_BITS) return MARCH_ERR_EXPIRED;
    return window->seen >> -ahead & 1 ? MARCH_ERR_REPLAY : MARCH_OK;
}

int channel_read(struct channel *channel, struct mono now, const uint8_t *packet, size_t len, struct channel_received *out) {
    frame_reader_init(&out->frames, packet, 0);
    out->before = channel->received;
    out->snapshots_count = 0;
    out->message_ready = false;
    out->acked_any = false;
    if (len < CHANNEL_HEADER_SIZE || len > CHANNEL_PACKET_MAX) return MARCH_ERR_INVALID;

    uint32_t seq = window_widen(&channel->received, (uint16_t)load_le(packet, 2));
    int error = sequence_check(channel, seq);
    if (error < 0) return error;
    struct frame_reader frames;
    frame_reader_init(&frames, packet + CHANNEL_HEADER_SIZE, len - CHANNEL_HEADER_SIZE);
    int types = frames_check(channel, frames);
    if (types < 0) return types;
    bool has_snapshot = types & FRAME_SET(FRAME_SNAPSHOT);
    if (has_snapshot && (int32_t)(seq - channel->newest_snapshot) < 0) return MARCH_ERR_EXPIRED;
    error = acks_apply(channel, now, (uint16_t)load_le(packet + 2, 2), (uint32_t)load_le(packet + 4, 4), out);
    if (error < 0) return error;

    if (types & FRAME_SET(FRAME_FRAGMENT)) {
        error = fragments_take(channel, now, frames);
        if (error == MARCH_ERR_INVALID) return error;
        if (channel->owed == 0) channel->owed_since_us = now_us(now);
        if (channel->owed < UINT8_MAX) channel->owed++;
        out->message_ready = message_is_whole(&channel->messages[channel->receive_message_id % CHANNEL_WINDOW]);
    }
    if (error != MARCH_ERR_FULL) packet_mark_received(channel, seq);
    if (has_snapshot) channel->newest_snapshot = seq;
    out->frames = frames;
    return MARCH_OK;
}

void channel_unread(struct channel *channel, const struct channel_received *received) {
    channel->received = received->before;
}

bool channel_stalled(const struct channel *channel, struct mono now) {
    const struct channel_message *next = &channel->messages[channel->receive_message_id % CHANNEL_WINDOW];
    bool waits_for_peer = channel->receive_count > 0 && !message_is_whole(next);
    if (channel->send_count == 0 && !waits_for_peer) return false;
    return now_us(now) - channel->progress_us >= CHANNEL_STALL_MS * 1000;
}

void channel_excuse(struct channel *channel, struct mono now) {
    channel->progress_us = now_us(now);
}

/* --- messages to the peer */

int channel_send(struct channel *channel, struct mono now, const uint8_t *bytes, size_t len) {
    if (len < 1 || len > FRAME_MESSAGE_BYTES_MAX) return MARCH_ERR_INVALID;
    unsigned count = (unsigned)((len + FRAME_FRAGMENT_BYTES - 1) / FRAME_FRAGMENT_BYTES);
    struct block_pool *pool = channel->pool;
    if (channel->send_count + count > channel->send_blocks_max || pool->size - pool->taken < count) return MARCH_ERR_FULL;
    if (channel->send_count == 0 && channel->receive_count == 0) channel->progress_us = now_us(now);
    for (unsigned i = 0; i < count; i++) {
        uint32_t index = block_pool_take(pool);
        struct block *block = &pool->blocks[index];
        size_t start = (size_t)i * FRAME_FRAGMENT_BYTES;
        size_t part = len - start < FRAME_FRAGMENT_BYTES ? len - start : FRAME_FRAGMENT_BYTES;
        block->next = BLOCK_NONE;
        block->position = channel->send_position++;
        block->sends = 0;
        block->message_id = channel->send_message_id;
        block->len = (uint16_t)part;
        block->index = (uint8_t)i;
        block->last_index = (uint8_t)(count - 1);
        memcpy(block->bytes, bytes + start, part);
        if (channel->send_tail == BLOCK_NONE) {
            channel->send_head = index;
        } else {
            pool->blocks[channel->send_tail].next = index;
        }
        channel->send_tail = index;
    }
    channel->send_count = (uint16_t)(channel->send_count + count);
    channel->send_message_id++;
    channel->messages_sent++;
    return MARCH_OK;
}

/* resend_after_us returns the time-out of a fragment that was sent `sends` times. */
static uint32_t resend_after_us(const struct channel *channel, unsigned sends) {
    uint32_t rto_us = CHANNEL_RTO_START_MS * 1000;
    if (channel->rtt_us != 0) rto_us = channel->rtt_us + 4 * channel->rtt_var_us;
    if (rto_us < CHANNEL_RTO_MIN_MS * 1000) rto_us = CHANNEL_RTO_MIN_MS * 1000;
    uint64_t backed_off = (uint64_t)rto_us << (sends - 1 < 5 ? sends - 1 : 5);
    return backed_off < CHANNEL_RTO_MAX_MS * 1000 ? (uint32_t)backed_off : CHANNEL_RTO_MAX_MS * 1000;
}

static bool block_is_due(const struct channel *channel, const struct block *block, uint32_t us) {
    if (block->sends == 0) return true;
    uint32_t last = block->sent_in[(block->sends - 1) % BLOCK_SENT_IN];
    int32_t overtaken = (int32_t)(channel->acked.newest - last);
    if (overtaken >= CHANNEL_REORDER_MAX && block->sends <= CHANNEL_FAST_RESENDS) return true;
    return us - block->sent_us >= resend_after_us(channel, block->sends);
}

bool channel_due(const struct channel *channel, struct mono now) {
    uint32_t us = now_us(now);
    if (channel->owed > 0) {
        if (channel->owed >= CHANNEL_WINDOW / 4 || us - channel->owed_since_us >= CHANNEL_ACK_DELAY_MS * 1000) return true;
    }
    const struct block *blocks = channel->pool->blocks;
    uint32_t at = channel->send_head;
    if (at == BLOCK_NONE) return false;
    uint32_t first = blocks[at].position;
    for (; at != BLOCK_NONE && blocks[at].position - first < CHANNEL_WINDOW; at = blocks[at].next) {
        if (block_is_due(channel, &blocks[at], us)) return true;
    }
    return false;
}

/* --- writing a packet */

void channel_begin(const struct channel *channel, struct channel_packet *packet, uint8_t *bytes, size_t size) {
    CHECK(size >= CHANNEL_HEADER_SIZE && size <= CHANNEL_PACKET_MAX);
    frame_writer_init(&packet->frames, bytes, size);
    store_le(bytes, (uint16_t)channel->next_seq, 2);
    store_le(bytes + 2, (uint16_t)channel->received.newest, 2);
    store_le(bytes + 4, window_ack_bits(&channel->received), 4);
    packet->frames.len = CHANNEL_HEADER_SIZE;
    packet->snapshot_seq = 0;
    packet->has_snapshot = false;
    packet->has_fragments = false;
}

int channel_put_snapshot(struct channel_packet *packet, uint16_t snapshot_seq, const uint8_t *bytes, size_t len) {
    CHECK(!packet->has_snapshot);
    int error = frame_write_snapshot(&packet->frames, bytes, len);
    if (error < 0) return error;
    packet->snapshot_seq = snapshot_seq;
    packet->has_snapshot = true;
    return MARCH_OK;
}

unsigned channel_put_fragments(struct channel *channel, struct mono now, struct channel_packet *packet) {
    struct block *blocks = channel->pool->blocks;
    uint32_t us = now_us(now);
    uint32_t at = channel->send_head;
    if (at == BLOCK_NONE) return 0;
    uint32_t first = blocks[at].position;
    unsigned count = 0;
    for (; at != BLOCK_NONE && blocks[at].position - first < CHANNEL_WINDOW; at = blocks[at].next) {
        struct block *block = &blocks[at];
        if (!block_is_due(channel, block, us)) continue;
        struct frame_fragment fragment = {block->message_id, block->index, block->last_index, block->len, block->bytes};
        if (frame_write_fragment(&packet->frames, &fragment) < 0) break;
        if (block->sends == 0) {
            channel->fragments_sent++;
        } else {
            channel->fragments_resent++;
        }
        block->sent_in[block->sends % BLOCK_SENT_IN] = channel->next_seq;
        if (block->sends < SENDS_MAX) block->sends++;
        block->sent_us = us;
        packet->has_fragments = true;
        count++;
    }
    return count;
}

size_t channel_finish(struct channel *channel, struct mono now, struct channel_packet *packet) {
    channel->sent[channel->next_seq % CHANNEL_SENT_MAX] =
        (struct channel_sent){now_us(now), packet->snapshot_seq, packet->has_snapshot, packet->has_fragments};
    channel->next_seq++;
    channel->owed = 0;
    return packet->frames.len;
}

void channel_forget_snapshots(struct channel *channel) {
    for (unsigned i = 0; i < CHANNEL_SENT_MAX; i++) channel->sent[i].has_snapshot = false;
}

void channel_stats(const struct channel *channel, struct channel_stats *out) {
    *out = (struct channel_stats){
        .packets_sent = channel->next_seq - 1,
        .packets_received = channel->packets_received,
        .packets_lost = channel->acked.unseen,
        .packets_missed = channel->received.unseen,
        .fragments_sent = channel->fragments_sent,
        .fragments_resent = channel->fragments_resent,
        .fragments_refused = channel->fragments_refused,
        .messages_sent = channel->messages_sent,
        .messages_received = channel->messages_received,
        .rtt_us = channel->rtt_us,
        .rtt_var_us = channel->rtt_var_us,
        .loss = (float)channel->loss / (float)LOSS_ONE,
    };
}
