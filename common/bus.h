/* bus.h: one connection between two processes of the cluster, over nng.
 *
 * An edge is one nng pair0 socket between two named processes, opened once and kept: one side listens, the other dials and
 * dials again for ever. It carries frames (common/bus_frame.h) of up to `frame_max_bytes`; on tcp each is compressed where
 * it pays and sealed under the cluster key, on ipc (in a private directory) it is plain.
 *
 * Connections. After the two ends have greeted each other, bus_connected is true and bus_generation has risen. Messages of
 * one generation arrive in order, at most once, and never in another generation; when a connection ends, what was queued for
 * it is dropped. So whoever sees a new generation says anew what the peer must know.
 *
 * Nothing blocks. bus_send hands a message to nng, or queues it, up to `queue_max_bytes` and BUS_QUEUE_MESSAGES_MAX, then
 * refuses with MARCH_ERR_FULL; without a peer it refuses with MARCH_ERR_NOT_FOUND. Each loss is counted.
 *
 * An edge belongs to one thread. Only the two callbacks of nng run elsewhere, and touch two atomics.
 *
 * bus_update must be called at least every 100 ms, and bus_receive until it is empty (each tick or flush): the first greets
 * a new peer, moves what is queued, keeps the connection alive, and gives up one in which nothing was received for
 * BUS_SILENCE_MAX_MS, or that does not greet in BUS_GREETING_MAX_MS. Pauses of our own are not held against the peer. Where
 * nng itself is found unable to end connections, the process ends with BUS_STUCK_EXIT (bus_probe.h).
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
#define BUS_SILENCE_MAX_MS     5000
#define BUS_GREETING_MAX_MS    2000
#define BUS_KEEP_ALIVE_MS      1000
#define BUS_STUCK_EXIT         70

enum bus_role { BUS_LISTEN = 1, BUS_DIAL = 2 };

struct bus_edge_config {
    const char *url; /* ipc:///path or tcp://host:port */
    enum bus_role role;
    const char *local_name, *peer_name; /* 1 to 31 bytes, different */
    const uint8_t *key;                 /* the cluster key, BUS_FRAME_KEY_BYTES; must be given for tcp, not used for ipc */
    size_t frame_max_bytes;             /* greatest message either side sends; same on both */
    size_t queue_max_bytes;             /* at least frame_max_bytes */
};

struct bus_statistics {
    uint64_t sent_frames, sent_bytes;         /* messages taken by bus_send */
    uint64_t received_frames, received_bytes; /* messages given by bus_receive */
    uint64_t wire_sent_bytes;                 /* frames as they go to nng: sealed, compressed, with headers */
    uint64_t wire_received_bytes;
    uint64_t dropped_full;   /* refused by bus_send: the queue had no room */
    uint64_t dropped_closed; /* queued when the connection ended */
    uint64_t bad_frames;     /* malformed, too large when unpacked, or the seal did not open */
    uint64_t stale_frames;   /* replayed, out of order, or of another connection */
    uint64_t gaps;           /* frames that the peer sent in this connection and that never came */
    uint64_t connections;    /* generations so far */
    uint64_t timeouts;       /* connections given up for silence */
    uint64_t restarts;       /* diallers and listeners that were replaced, having had no connection for seconds */
    uint32_t queue_messages; /* now */
    uint64_t queue_bytes;
};

struct bus_edge;

/* bus_edge_open makes the socket and starts to listen or dial; it does not wait for the peer. Returns MARCH_ERR_INVALID for
 * a configuration that can't be, MARCH_ERR_EXISTS where the address is in use, MARCH_ERR_SYSTEM with errno otherwise. */
must_check int bus_edge_open(struct bus_edge **edge, const struct bus_edge_config *config, struct mono now);

/* bus_edge_close ends the edge; what is queued is lost. Takes NULL. Returns within a second or so. Only for the end of a
 * process: closing while messages come in can leave nng 1.5.2 unable to end connections, its other edges' too. */
void bus_edge_close(struct bus_edge *edge);

/* bus_edge_fd returns a descriptor that polls readable while nng holds received messages. It stays readable until they are
 * all taken: call bus_receive until MARCH_ERR_EMPTY after each wake-up. Never read from or close it. */
int bus_edge_fd(const struct bus_edge *edge);

void bus_update(struct bus_edge *edge, struct mono now);

/* bus_send takes a copy of 1 to frame_max_bytes bytes. Errors: MARCH_ERR_NOT_FOUND, MARCH_ERR_FULL; MARCH_ERR_INVALID for a
 * length that can't be sent. */
must_check int bus_send(struct bus_edge *edge, const void *bytes, size_t len);

/* bus_receive hands out the next message, 8-aligned, in place in nng's buffer: valid until bus_release, which must come
 * before the next bus_receive. MARCH_ERR_EMPTY when there is none. */
must_check int bus_receive(struct bus_edge *edge, const uint8_t **bytes, size_t *len);
void bus_release(struct bus_edge *edge);

bool bus_connected(const struct bus_edge *edge);

/* bus_generation counts connections, from 1; 0 before the first. It changes only in bus_update and bus_receive; a message
 * that bus_receive returned is of the generation that holds after the call. */
uint32_t bus_generation(const struct bus_edge *edge);

void bus_statistics_read(const struct bus_edge *edge, struct bus_statistics *out);

#endif
