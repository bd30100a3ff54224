/* bus.h: one connection between two processes of the cluster, over byte streams of nng.
 *
 * An edge joins two named processes: one side listens, the other dials and dials again for ever. It carries frames
 * (common/bus_frame.h) of up to `frame_max_bytes`; on tcp each is compressed where it pays and sealed under the cluster key,
 * on ipc (in a private directory) it is plain. Edges may be opened and closed at any time, with messages coming in.
 *
 * Connections. After the two ends have greeted each other, bus_connected is true and bus_generation has risen. Messages of
 * one generation arrive in order, at most once, and never in another generation; when a connection ends, what was queued for
 * it is dropped, and what came before its end is still received, if the end was not an error. So whoever sees a new
 * generation says anew what the peer must know.
 *
 * A listener has one connection at a time. Who connects meanwhile waits, unheard, until it has ended: nobody can end the
 * connection of a proven peer by connecting. Who does not greet under the right key in BUS_GREETING_MAX_MS is turned out.
 *
 * Nothing blocks, and nothing is allocated while a connection lasts. Messages are sealed into one ring of bytes and opened
 * in another, in place. bus_send hands them to the system, or queues them, up to `queue_max_bytes` and
 * BUS_QUEUE_MESSAGES_MAX, then refuses with MARCH_ERR_FULL; without a peer it refuses with MARCH_ERR_NOT_FOUND. When a
 * reader stops, the rings and the system's buffers between the two fill up, and then the sender is refused. Each loss is
 * counted.
 *
 * An edge belongs to one thread. Callbacks of nng run elsewhere (bus_stream.h says what they touch).
 *
 * bus_update must be called at least every 100 ms, and bus_receive until it is empty (each tick or flush): they greet a new
 * peer and notice when the connection ends, which a killed peer's does at once. bus_update also keeps the connection alive,
 * and gives up one in which nothing was received for BUS_SILENCE_MAX_MS. Pauses of our own are not held against the peer.
 */
#ifndef MARCH_COMMON_BUS_H
#define MARCH_COMMON_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bus_frame.h"
#include "common/clock.h"
#include "common/error.h"

#define BUS_FRAME_KEY_BYTES    32
#define BUS_FRAME_BYTES_MAX    (1u << 20) /* the most that frame_max_bytes may be */
#define BUS_QUEUE_MESSAGES_MAX 256        /* four seconds of a zone's batches */
#define BUS_QUEUE_BYTES_MAX    (1u << 30)
#define BUS_SILENCE_MAX_MS     5000
#define BUS_GREETING_MAX_MS    2000
#define BUS_KEEP_ALIVE_MS      1000

enum bus_role { BUS_LISTEN = 1, BUS_DIAL = 2 };

struct bus_edge_config {
    const char *url; /* ipc:///path or tcp://host:port */
    enum bus_role role;
    const char *local_name, *peer_name; /* 1 to 31 bytes, different */
    const uint8_t *key;                 /* the cluster key, BUS_FRAME_KEY_BYTES; must be given for tcp, not used for ipc */
    size_t frame_max_bytes;             /* greatest message either side sends; same on both */
    size_t queue_max_bytes;             /* frame_max_bytes to BUS_QUEUE_BYTES_MAX */
};

struct bus_statistics {
    uint64_t sent_frames, sent_bytes;         /* messages taken by bus_send */
    uint64_t received_frames, received_bytes; /* messages given by bus_receive */
    uint64_t wire_sent_bytes;                 /* frames as they are queued: sealed, compressed, with headers */
    uint64_t wire_received_bytes;
    uint64_t dropped_full;   /* refused by bus_send: the queue had no room */
    uint64_t dropped_closed; /* queued when the connection ended */
    uint64_t bad_frames;     /* malformed, too large when unpacked, or the seal did not open */
    uint64_t stale_frames;   /* replayed, out of order, or of another connection */
    uint64_t gaps;           /* frames that the peer sent in this connection and that never came */
    uint64_t connections;    /* generations so far */
    uint64_t timeouts;       /* connections given up for silence */
    uint32_t queue_messages; /* now, with what has gone in part */
    uint64_t queue_bytes;    /* on the wire */
};

struct bus_edge;

/* bus_edge_open takes the memory and starts to listen or dial; it does not wait for the peer. Returns MARCH_ERR_INVALID for
 * a configuration that can't be, MARCH_ERR_EXISTS where the address is in use, MARCH_ERR_SYSTEM with errno otherwise. */
must_check int bus_edge_open(struct bus_edge **edge, const struct bus_edge_config *config, struct mono now);

/* bus_edge_close ends the edge; what is queued is lost. Takes NULL. It waits for callbacks that are running, no longer. */
void bus_edge_close(struct bus_edge *edge);

/* bus_edge_fd returns a descriptor that polls readable while received messages wait, or the connection has come or gone. It
 * stays readable until bus_receive has said MARCH_ERR_EMPTY. The same as long as the edge lives. Never read from or close
 * it.
 */
int bus_edge_fd(const struct bus_edge *edge);

void bus_update(struct bus_edge *edge, struct mono now);

/* bus_send takes a copy of 1 to frame_max_bytes bytes. Errors: MARCH_ERR_NOT_FOUND, MARCH_ERR_FULL; MARCH_ERR_INVALID for a
 * length that can't be sent. */
must_check int bus_send(struct bus_edge *edge, const void *bytes, size_t len);

/* bus_receive hands out the next message, 8-aligned, in place: valid until bus_release, which must come before the next
 * bus_receive. MARCH_ERR_EMPTY when there is none. */
must_check int bus_receive(struct bus_edge *edge, const uint8_t **bytes, size_t *len);
void bus_release(struct bus_edge *edge);

bool bus_connected(const struct bus_edge *edge);

/* bus_generation counts connections, from 1; 0 before the first. It changes only in bus_update and bus_receive; a message
 * that bus_receive returned is of the generation that holds after the call. */
uint32_t bus_generation(const struct bus_edge *edge);

void bus_statistics_read(const struct bus_edge *edge, struct bus_statistics *out);

#endif
