/* bus_session.h: who is at the other end of an edge now, and which of its frames count. A state machine without I/O.
 *
 * Each end has a random id for each connection. A greeting carries the sender's id and echoes the newest id it has seen of
 * the receiver. A session opens at a greeting that echoes our id of now: only whoever holds the cluster key and heard our
 * greeting can have made it. While open, frames of that peer's id with a rising sequence number count, all others are stale.
 *
 *   closed ── greeting echoes our id ──► open                            (and we greet back, unless we have echoed it
 * before) closed ── any other greeting ──────► closed, greet back open   ── greeting of another id ──► closed under a new
 * id, greet back any    ── connection comes or goes ► closed under a new id           (bus_session_restart)
 *
 * What it guarantees where frames are sealed: a message was sent by the named peer to us, in this session, and is delivered
 * at most once and in order; frames of other sessions, of earlier lives of either process, reflected or repeated ones are
 * never delivered. An attacker on the wire can cut or stall a session (as by cutting the wire), not deceive it. Where frames
 * are plain the same holds among honest processes.
 */
#ifndef MARCH_COMMON_BUS_SESSION_H
#define MARCH_COMMON_BUS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bus_frame.h"

struct bus_session {
    struct bus_frame_codec *codec;
    bool open;
    bool greeting_due; /* the owner sends bus_session_greet's frame, then forgets this */
    struct bus_frame_id own_id, peer_id;
    struct bus_frame_id echo_id; /* what our next greeting echoes */
    struct bus_frame_id echoed_id;
    uint64_t next_seq; /* never repeats under one own_id */
    uint64_t last_seq; /* of the peer */
    uint32_t generation;
    uint64_t bad_frames, stale_frames, gaps;
    uint64_t valid_frames;
};

void bus_session_init(struct bus_session *session, struct bus_frame_codec *codec);

/* bus_session_restart closes the session under a new id; a greeting is due where `connected`. */
void bus_session_restart(struct bus_session *session, bool connected);

/* bus_session_greet writes a greeting to `out` (BUS_FRAME_ID_BYTES + BUS_FRAME_OVERHEAD_BYTES) and returns its length. */
size_t bus_session_greet(struct bus_session *session, uint8_t *out);

/* bus_session_seal writes the frame of a message, or with len 0 of a keep-alive, to `out` (len + BUS_FRAME_OVERHEAD_BYTES)
 * and returns its length. The session must be open, and frames must be sent in the order they were sealed. */
size_t bus_session_seal(struct bus_session *session, const void *message, size_t len, uint8_t *out);

/* bus_session_receive takes a frame, which it may change. Returns 0 and the message; MARCH_ERR_EMPTY for a frame that
 * carries none; for refused frames MARCH_ERR_INVALID, MARCH_ERR_CRYPTO or MARCH_ERR_REPLAY, which it has counted. */
must_check int bus_session_receive(struct bus_session *session, uint8_t *frame, size_t frame_len, const uint8_t **message,
                                   size_t *len);

#endif
