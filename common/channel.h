/* channel.h: one session's packets: sequence numbers, acknowledgements, reliable ordered messages.
 *
 *   packet = u16 seq | u16 ack | u32 ack_bits | frame*      at most CHANNEL_PACKET_MAX bytes, little endian
 *
 * The same code runs in the gateway and in the client. It does no I/O, reads no clock and allocates nothing; time is passed
 * in.
 *
 * Sequences. Each side numbers its packets from 1. `ack` is the newest sequence received (0: none yet) and bit i of
 * `ack_bits` says that ack - 1 - i was received. A packet that is acknowledged for the first time gives back the snapshot it
 * carried and releases the fragments that went in it. A packet that leaves the window of 33 without an acknowledgement
 * counts as lost.
 *
 * Messages. A message of 1 to 64 KiB is cut into fragments of 1 KiB, kept in blocks of a shared pool until acknowledged.
 * The sender keeps at most CHANNEL_WINDOW fragments under way, counted from the oldest one not acknowledged. A fragment is
 * sent again when a packet CHANNEL_REORDER_MAX newer than its own was acknowledged, or when the retransmission time-out (RFC
 * 6298 with a floor of 50 ms, doubled for each time it was sent, at most 1 s) has passed. The receiver keeps fragments of
 * the next message, and up to CHANNEL_WINDOW fragments of those after it. What it cannot keep it does not acknowledge, so
 * the sender tries again: a reader that is slow slows the writer down.
 *
 * Hostile input. channel_read refuses a packet with an error that the caller counts; the channel survives all of them, and
 * nothing a peer sends makes it take more than its share of the pool. A caller should end a session that keeps on sending
 * packets that are MARCH_ERR_INVALID: an honest peer never does.
 */
#ifndef MARCH_COMMON_CHANNEL_H
#define MARCH_COMMON_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/block_pool.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/frame.h"

#define CHANNEL_PACKET_MAX   1200 /* what netcode carries */
#define CHANNEL_HEADER_SIZE  8
#define CHANNEL_FRAMES_MAX   64  /* frames in one packet */
#define CHANNEL_SENT_MAX     128 /* packets remembered until acknowledged: 1 s at 60 a second and a window of fragments */
#define CHANNEL_ACKS_MAX     33  /* packets that one header acknowledges */
#define CHANNEL_WINDOW       32  /* fragments under way; not above CHANNEL_ACKS_MAX, or acks of a burst would be lost */
#define CHANNEL_REORDER_MAX  4   /* packets by which another may overtake before it is taken for lost */
#define CHANNEL_FAST_RESENDS 3   /* then only the time-out counts: the peer may have no room */
#define CHANNEL_ACK_DELAY_MS 20  /* longest time that a received fragment waits for a packet to be acknowledged in */
#define CHANNEL_STALL_MS     10000
#define CHANNEL_RTO_START_MS 250
#define CHANNEL_RTO_MIN_MS   50
#define CHANNEL_RTO_MAX_MS   1000
#define CHANNEL_SNAPSHOT_MAX (CHANNEL_PACKET_MAX - CHANNEL_HEADER_SIZE - FRAME_SNAPSHOT_HEADER_SIZE)

_Static_assert(CHANNEL_WINDOW < CHANNEL_ACKS_MAX, "a window in one burst must fit the acknowledgement of one packet");
_Static_assert((CHANNEL_SENT_MAX & (CHANNEL_SENT_MAX - 1)) == 0, "indexed by a mask");

#define FRAME_SET(type)          ((uint8_t)(1u << (type)))
#define CHANNEL_ACCEPT_AT_SERVER (FRAME_SET(FRAME_INPUT) | FRAME_SET(FRAME_FRAGMENT) | FRAME_SET(FRAME_PING))
#define CHANNEL_ACCEPT_AT_CLIENT (FRAME_SET(FRAME_SNAPSHOT) | FRAME_SET(FRAME_FRAGMENT) | FRAME_SET(FRAME_PONG))

struct channel_config {
    uint8_t accept;             /* frame types that the peer may send: CHANNEL_ACCEPT_AT_* */
    uint32_t message_bytes_max; /* longest message taken from the peer, 1 to FRAME_MESSAGE_BYTES_MAX */
    uint16_t send_blocks_max;   /* blocks that messages to the peer may hold */
    uint16_t receive_ahead_max; /* blocks that messages after the next one may hold, to CHANNEL_WINDOW; 0: CHANNEL_WINDOW */
};

/* A packet that was sent: what its acknowledgement tells. */
struct channel_sent {
    uint32_t sent_us;
    uint16_t snapshot_seq;
    uint8_t has_snapshot;
    uint8_t has_fragments;
};

/* A message that is being received; `blocks` is a list in any order. */
struct channel_message {
    uint64_t have;     /* bit i: fragment i is here */
    uint32_t blocks;   /* BLOCK_NONE: no fragment yet */
    uint8_t fragments; /* how many it has */
};

/* The newest of a run of sequence numbers, and which of the 33 up to it were seen. */
struct channel_window {
    uint32_t newest; /* wider than on the wire, so that it never wraps in a session's life */
    uint32_t unseen; /* how many left the 33 unseen */
    uint64_t seen;   /* bit i: newest - i; what lies before the first packet counts as seen */
};

struct channel_stats {
    uint64_t packets_sent;
    uint64_t packets_received; /* taken: not the refused ones */
    uint64_t packets_lost;     /* sent and never acknowledged */
    uint64_t packets_missed;   /* sent by the peer and never taken here */
    uint64_t fragments_sent;   /* first time */
    uint64_t fragments_resent;
    uint64_t fragments_refused; /* no room in the window, the share or the pool */
    uint64_t messages_sent;
    uint64_t messages_received;
    uint32_t rtt_us; /* smoothed, from packet to acknowledgement; 0 before the first */
    uint32_t rtt_var_us;
    float loss; /* smoothed part of the sent packets that got lost, 0 to 1 */
};

struct channel {
    struct block_pool *pool;
    struct channel_window received;
    struct channel_window acked; /* of our packets */
    uint32_t next_seq;           /* of the next packet sent; the wire has its low 16 bits */
    uint32_t newest_snapshot;    /* sequence of the newest packet received with a snapshot */
    uint32_t owed_since_us;      /* when the oldest fragment came that no packet has acknowledged yet */
    uint32_t progress_us;        /* when a fragment was last acknowledged or received, or the first was queued */
    uint32_t rtt_us, rtt_var_us; /* RFC 6298 */
    uint32_t loss;               /* of 2^24 */

    uint32_t send_head, send_tail; /* fragments not acknowledged, in order */
    uint32_t send_position;        /* of the next fragment queued */
    uint16_t send_count;
    uint16_t send_message_id; /* of the next message queued */

    uint16_t receive_message_id; /* of the next message to hand out */
    uint16_t receive_count;      /* blocks held */
    uint8_t owed;                /* packets with fragments received since the last packet sent */
    uint8_t accept;
    uint8_t fragments_max; /* of a received message */
    uint16_t send_blocks_max;
    uint16_t receive_ahead_max;

    uint32_t packets_received;
    uint32_t fragments_sent, fragments_resent, fragments_refused;
    uint32_t messages_received, messages_sent;

    struct channel_message messages[CHANNEL_WINDOW]; /* index: message id % CHANNEL_WINDOW */
    struct channel_sent sent[CHANNEL_SENT_MAX];      /* index: sequence % CHANNEL_SENT_MAX */
};
_Static_assert(sizeof(struct channel) < 2560, "a gateway holds 12,000 of these");

/* channel_init starts a channel over a pool that outlives it. */
void channel_init(struct channel *channel, const struct channel_config *config, struct block_pool *pool);

/* channel_deinit gives its blocks back. Safe to call twice, and on a zeroed channel. */
void channel_deinit(struct channel *channel);

/* --- receiving --- */

struct channel_received {
    struct channel_window before;         /* for channel_unread */
    struct frame_reader frames;           /* the packet's frames; checked, so frame_next cannot fail on them */
    uint8_t snapshots_count;              /* snapshots known to have arrived, by this packet's acknowledgements */
    uint16_t snapshots[CHANNEL_ACKS_MAX]; /* their sequence numbers as given to channel_put_snapshot, oldest first */
    bool message_ready;                   /* channel_next_message has something */
    bool acked_any;                       /* it acknowledged a packet that nothing did before */
};

/* channel_read takes a packet from the peer: acknowledgements and fragments are applied, the other frames are left to the
 * caller in out->frames (skip FRAME_FRAGMENT there). `packet` must stay unchanged while out->frames is read.
 * Returns 0, or, with out->frames empty and nothing of the packet applied (but fragments before a bad one, which do no
 * harm): MARCH_ERR_INVALID  cut, a frame that is malformed or not for this side, two snapshots, too many frames, an
 *                      acknowledgement of what was never sent, a fragment that contradicts an earlier one of its message, a
 *                      message that is too long
 *   MARCH_ERR_REPLAY   a sequence received before
 *   MARCH_ERR_EXPIRED  older than the window, or with a snapshot and older than another one with a snapshot
 * A fragment for which there is no room is not an error: the rest of the packet is good, but it will not be acknowledged. */
must_check int channel_read(struct channel *channel, struct mono now, const uint8_t *packet, size_t len,
                            struct channel_received *out);

/* channel_unread takes back the acknowledgement of the packet that channel_read took last: its snapshot could not be
 * decoded, so the sender must not build on it. No other packet may have been read in between. Fragments that came with it
 * stay. */
void channel_unread(struct channel *channel, const struct channel_received *received);

/* channel_stalled tells whether the channel has held blocks for CHANNEL_STALL_MS without a fragment acknowledged or
 * received: the peer plays dead on the stream, whatever else it sends. A message that waits to be handed out is not the
 * peer's fault. Ask now and then, and end such a session, since the pool is shared. */
bool channel_stalled(const struct channel *channel, struct mono now);

/* channel_excuse gives the peer CHANNEL_STALL_MS from now on: call it when messages were handed out, for which its next ones
 * may have waited. */
void channel_excuse(struct channel *channel, struct mono now);

/* channel_next_message copies the next message, in order, into `bytes` (`size` at least the configured message_bytes_max)
 * and frees its blocks. Returns its length, or MARCH_ERR_EMPTY. */
must_check int channel_next_message(struct channel *channel, uint8_t *bytes, size_t size);

/* --- sending --- */

/* channel_send queues a copy of a message of 1 to FRAME_MESSAGE_BYTES_MAX bytes. Returns 0, MARCH_ERR_INVALID for a bad
 * length, or MARCH_ERR_FULL (nothing queued) when the channel's share or the pool is used up. */
must_check int channel_send(struct channel *channel, struct mono now, const uint8_t *bytes, size_t len);

/* channel_due tells whether a packet should go out now for the channel's own sake: a fragment to send or send again, or
 * fragments received that wait to be acknowledged. Cheap when no message is under way. */
bool channel_due(const struct channel *channel, struct mono now);

/* channel_forget_snapshots has channel_read report no snapshot that was sent until now. */
void channel_forget_snapshots(struct channel *channel);

/* A packet that is being written. Frames other than snapshots and fragments are appended with frame_write_*(&packet.frames).
 */
struct channel_packet {
    struct frame_writer frames;
    uint16_t snapshot_seq;
    bool has_snapshot;
    bool has_fragments;
};

/* channel_begin starts a packet in `bytes`, `size` from CHANNEL_HEADER_SIZE to CHANNEL_PACKET_MAX. Until channel_finish the
 * channel is unchanged, so a packet without fragments may be abandoned. */
void channel_begin(const struct channel *channel, struct channel_packet *packet, uint8_t *bytes, size_t size);

/* channel_put_snapshot appends a snapshot frame, the only one of its packet. Returns 0 or MARCH_ERR_FULL. */
must_check int channel_put_snapshot(struct channel_packet *packet, uint16_t snapshot_seq, const uint8_t *bytes, size_t len);

/* channel_put_fragments appends fragments that are due, as many as fit, and returns their number. A packet that got
 * fragments must be finished. Where a snapshot leaves no room, ask channel_due after it and send a second packet. */
unsigned channel_put_fragments(struct channel *channel, struct mono now, struct channel_packet *packet);

/* channel_finish writes sequence and acknowledgements, remembers the packet and returns its length. If the datagram is not
 * sent after all, it counts as lost. */
size_t channel_finish(struct channel *channel, struct mono now, struct channel_packet *packet);

void channel_stats(const struct channel *channel, struct channel_stats *out);

#endif
