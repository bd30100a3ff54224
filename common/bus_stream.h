/* bus_stream.h: frames over one byte stream of nng, from a ring and into a ring.
 *
 * On the wire frames follow each other, each at a multiple of 8 bytes:
 *
 *   offset  size
 *        0     4  length of the frame (little endian)
 *        4     4  "bus1", which tells at once when the stream is not ours
 *        8     .  the frame (bus_frame.h)
 *        .  0..7  zeros, up to the next multiple of 8
 *
 * A frame that is too short or longer than the maximum, or has not the mark, ends the stream.
 *
 * The owner's thread seals frames into the ring `out` and opens them in the ring `in`, in place. Threads of nng move the
 * bytes between rings and socket; each ring has one putter and one taker at any time.
 *
 *   out  whoever holds `sending` moves bytes to the socket. The owner tries at once, without another thread; what the socket
 *        has no room for is left to nng, whose callback goes on until nothing waits. One call carries all that has gathered.
 *   in   one receive is always under way, into the free part of the ring. Its callback hands whole frames over and receives
 *        on. Where the ring is full it pauses until the owner has released a quarter, so the peer's queue fills.
 *
 * Closing and nng. A stream is closed, then both operations are stopped, which waits for their callbacks (they never block),
 * and then it is freed; nng 1.5.2 loses nothing on the way. An operation that was begun on a closed stream would stay for
 * ever, if it were not stopped. The end of a stream comes up because a receive is under way, and nng reads what was sent
 * before the end first, unless the end was an error.
 */
#ifndef MARCH_COMMON_BUS_STREAM_H
#define MARCH_COMMON_BUS_STREAM_H

#include <nng/nng.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/byte_ring.h"
#include "common/error.h"
#include "common/notifier.h"

#define BUS_STREAM_PREFIX_BYTES 8
#define BUS_STREAM_FRAMES_MAX   256 /* that wait to be sent */

struct bus_stream {
    nng_stream *stream; /* NULL: none */
    struct notifier *notifier;
    size_t frame_max_bytes, queue_max_bytes;
    atomic_bool ended;
    bool is_broken; /* what came was no frame; read it when ended */

    struct byte_ring out;
    nng_aio *send_now;   /* has no callback: completes at once, or is cancelled */
    nng_aio *send_later; /* what the socket had no room for */
    atomic_bool sending;
    bool is_claimed;                            /* the owner holds `sending`, between bus_stream_room and bus_stream_send */
    uint64_t frame_ends[BUS_STREAM_FRAMES_MAX]; /* ring: where the frames that wait end in `out` */
    uint32_t frames_first, frames_count;

    struct byte_ring in; /* holds whole frames only, for the owner */
    nng_aio *receive;
    _Atomic uint64_t received; /* up to where bytes have come; behind the tail there is a part of a frame */
    atomic_bool is_paused;
    size_t taken; /* bytes of the frame that the owner holds */
};

/* bus_stream_init takes the memory; frames of up to `frame_max_bytes`, and `queue_max_bytes` of them waiting to be sent.
 * `notifier` is raised when a frame came or the stream ended. MARCH_ERR_SYSTEM. */
must_check int bus_stream_init(struct bus_stream *s, struct notifier *notifier, size_t frame_max_bytes,
                               size_t queue_max_bytes);
void bus_stream_deinit(struct bus_stream *s);

/* bus_stream_open takes over a connected stream and begins to receive; on MARCH_ERR_SYSTEM the stream has been freed. */
must_check int bus_stream_open(struct bus_stream *s, nng_stream *stream);

/* bus_stream_close ends it and returns how many frames had not gone yet, or not wholly. What waits to be received is
 * dropped; no frame may be held. Fine twice. */
uint32_t bus_stream_close(struct bus_stream *s);

bool bus_stream_is_open(const struct bus_stream *s);

/* bus_stream_ended tells whether the peer or an error has ended it. Frames may wait still. */
bool bus_stream_ended(const struct bus_stream *s);

/* bus_stream_room returns where a frame of up to `len_max` bytes may be written, to be sent by bus_stream_send with its
 * length, with nothing in between; NULL where the queue is full. A frame of no more than queue_max_bytes fits if nothing
 * else waits. */
uint8_t *bus_stream_room(struct bus_stream *s, size_t len_max);
void bus_stream_send(struct bus_stream *s, size_t len);

/* bus_stream_queue returns how many frames have not wholly gone, and what has not gone of them, in bytes on the wire. */
uint32_t bus_stream_queue(const struct bus_stream *s, size_t *bytes);

/* bus_stream_frame returns the next frame, 8-aligned, which may be changed in place until bus_stream_release; NULL when
 * there is none. */
uint8_t *bus_stream_frame(struct bus_stream *s, size_t *len);
void bus_stream_release(struct bus_stream *s);

/* bus_stream_has_frame tells whether a frame may wait. Once the stream has ended, bus_stream_frame has the last word. */
bool bus_stream_has_frame(const struct bus_stream *s);

#endif
