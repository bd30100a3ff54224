#include "common/bus.h"

#include <errno.h>
#include <nng/nng.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus_connector.h"
#include "common/bus_session.h"
#include "common/bus_stream.h"
#include "common/check.h"
#include "common/notifier.h"

#define DISCARD_MAX         1024 /* frames without a message that one bus_receive takes off */
#define SILENCE_STEP_MAX_MS 200  /* a longer pause between two updates was ours, and is not held against the peer */

_Static_assert(BUS_QUEUE_MESSAGES_MAX == BUS_STREAM_FRAMES_MAX, "the queue of an edge is that of its stream");

struct bus_edge {
    struct notifier notifier;
    struct bus_connector connector;
    struct bus_stream stream;
    struct bus_frame_codec codec;
    struct bus_session session;
    size_t message_max_bytes;
    bool is_held; /* bus_receive has handed out a message */
    struct mono updated;
    uint64_t silent_ns, unsent_ns; /* since something valid came; since something was sent */
    uint64_t valid_seen, sent_seen;
    uint64_t frames_sent;   /* of every type */
    uint64_t broken_frames; /* that ended a connection; those of the session are counted there */
    struct bus_statistics statistics;
};

/* --- opening and closing */

/* failure turns an error of nng into ours, and errno. */
static int failure(int nng_error) {
    if (nng_error == NNG_EADDRINUSE) return MARCH_ERR_EXISTS;
    if (nng_error == NNG_EADDRINVAL || nng_error == NNG_EINVAL) return MARCH_ERR_INVALID;
    errno = nng_error & NNG_ESYSERR     ? nng_error & ~NNG_ESYSERR
            : nng_error == NNG_ENOMEM   ? ENOMEM
            : nng_error == NNG_EPERM    ? EACCES
            : nng_error == NNG_ENOENT   ? ENOENT
            : nng_error == NNG_ENOFILES ? EMFILE
                                        : EIO;
    return MARCH_ERR_SYSTEM;
}

static bool starts_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool config_valid(const struct bus_edge_config *c) {
    bool tcp = starts_with(c->url, "tcp://"), ipc = starts_with(c->url, "ipc://");
    return (ipc || (tcp && c->key)) && (c->role == BUS_LISTEN || c->role == BUS_DIAL) && c->frame_max_bytes > 0 &&
           c->frame_max_bytes <= BUS_FRAME_BYTES_MAX && c->queue_max_bytes >= c->frame_max_bytes &&
           c->queue_max_bytes <= BUS_QUEUE_BYTES_MAX;
}

int bus_edge_open(struct bus_edge **out, const struct bus_edge_config *config, struct mono now) {
    *out = NULL;
    if (!config_valid(config)) return MARCH_ERR_INVALID;
    if (sodium_init() < 0) return MARCH_ERR_UNSUPPORTED;
    struct bus_edge *edge = aligned_alloc(alignof(struct bus_edge), sizeof *edge);
    if (!edge) return MARCH_ERR_SYSTEM;
    *edge = (struct bus_edge){.updated = now, .message_max_bytes = config->frame_max_bytes};
    /* A greeting goes by the same way, and is longer than the shortest messages. */
    size_t unpacked_max = edge->message_max_bytes > BUS_FRAME_ID_BYTES ? edge->message_max_bytes : BUS_FRAME_ID_BYTES;
    size_t queue_max = config->queue_max_bytes > BUS_FRAME_ID_BYTES ? config->queue_max_bytes : BUS_FRAME_ID_BYTES;
    const uint8_t *key = starts_with(config->url, "tcp://") ? config->key : NULL;
    int error = bus_frame_codec_init(&edge->codec, key, config->local_name, config->peer_name, unpacked_max);
    if (error) goto free_edge;
    bus_session_init(&edge->session, &edge->codec);
    error = notifier_init(&edge->notifier);
    if (error) goto deinit_codec;
    error = bus_stream_init(&edge->stream, &edge->notifier, unpacked_max + BUS_FRAME_OVERHEAD_BYTES,
                            queue_max + BUS_FRAME_OVERHEAD_BYTES);
    if (error) goto deinit_notifier;
    int nng_error = bus_connector_open(&edge->connector, config->url, config->role == BUS_LISTEN, &edge->notifier);
    if (nng_error) {
        error = failure(nng_error);
        goto deinit_stream;
    }
    *out = edge;
    return 0;

deinit_stream:
    bus_stream_deinit(&edge->stream);
deinit_notifier:
    notifier_deinit(&edge->notifier);
deinit_codec:
    bus_frame_codec_deinit(&edge->codec);
free_edge:
    free(edge);
    return error;
}

void bus_edge_close(struct bus_edge *edge) {
    if (!edge) return;
    bus_release(edge);
    bus_connector_close(&edge->connector);
    bus_stream_deinit(&edge->stream);
    notifier_deinit(&edge->notifier);
    bus_frame_codec_deinit(&edge->codec);
    free(edge);
}

int bus_edge_fd(const struct bus_edge *edge) {
    return edge->notifier.fd;
}

/* --- sending */

static void send_frame(struct bus_edge *edge, size_t frame_len) {
    bus_stream_send(&edge->stream, frame_len);
    edge->frames_sent++;
    edge->statistics.wire_sent_bytes += frame_len;
}

static uint8_t *room_for(struct bus_edge *edge, size_t message_len) {
    return bus_stream_room(&edge->stream, message_len + BUS_FRAME_OVERHEAD_BYTES);
}

static void greet(struct bus_edge *edge) {
    if (!edge->session.greeting_due) return;
    uint8_t *room = room_for(edge, BUS_FRAME_ID_BYTES);
    if (room) send_frame(edge, bus_session_greet(&edge->session, room));
}

int bus_send(struct bus_edge *edge, const void *bytes, size_t len) {
    if (len == 0 || len > edge->message_max_bytes) return MARCH_ERR_INVALID;
    if (!edge->session.open) return MARCH_ERR_NOT_FOUND;
    uint8_t *room = room_for(edge, len);
    if (!room) {
        edge->statistics.dropped_full++;
        return MARCH_ERR_FULL;
    }
    send_frame(edge, bus_session_seal(&edge->session, bytes, len, room));
    edge->statistics.sent_frames++;
    edge->statistics.sent_bytes += len;
    return 0;
}

/* --- the connection */

static void begin_connection(struct bus_edge *edge, nng_stream *stream) {
    if (bus_stream_open(&edge->stream, stream) != 0) return; /* without memory: the next one, then */
    edge->silent_ns = edge->unsent_ns = 0;
    bus_session_restart(&edge->session, true);
    greet(edge);
}

static void end_connection(struct bus_edge *edge) {
    edge->broken_frames += bus_stream_ended(&edge->stream) && edge->stream.is_broken;
    edge->statistics.dropped_closed += bus_stream_close(&edge->stream);
    bus_session_restart(&edge->session, false);
}

/* observe ends a connection that is over, once what came before its end has been received, and begins the next. */
static void observe(struct bus_edge *edge) {
    if (edge->is_held) return; /* in the stream's memory */
    if (bus_stream_is_open(&edge->stream)) {
        if (!bus_stream_ended(&edge->stream) || bus_stream_has_frame(&edge->stream)) return;
        end_connection(edge);
    }
    nng_stream *stream = bus_connector_take(&edge->connector, edge->updated);
    if (stream) begin_connection(edge, stream);
}

/* watch counts silence in both directions: keeps the connection alive, or gives it up. */
static void watch(struct bus_edge *edge, uint64_t step_ns) {
    if (step_ns > SILENCE_STEP_MAX_MS * NS_PER_MS) step_ns = SILENCE_STEP_MAX_MS * NS_PER_MS;
    edge->silent_ns = edge->session.valid_frames != edge->valid_seen ? 0 : edge->silent_ns + step_ns;
    edge->unsent_ns = edge->frames_sent != edge->sent_seen ? 0 : edge->unsent_ns + step_ns;
    edge->valid_seen = edge->session.valid_frames;
    edge->sent_seen = edge->frames_sent;

    uint64_t limit_ms = edge->session.open ? BUS_SILENCE_MAX_MS : BUS_GREETING_MAX_MS;
    if (edge->silent_ns >= limit_ms * NS_PER_MS && !edge->is_held) {
        edge->statistics.timeouts++;
        end_connection(edge);
        return;
    }
    if (!edge->session.open || edge->unsent_ns < BUS_KEEP_ALIVE_MS * NS_PER_MS) return;
    size_t waiting;
    if (bus_stream_queue(&edge->stream, &waiting) > 0) return; /* what waits will tell the peer that we live */
    send_frame(edge, bus_session_seal(&edge->session, NULL, 0, room_for(edge, 0)));
}

void bus_update(struct bus_edge *edge, struct mono now) {
    uint64_t step_ns = mono_since_ns(now, edge->updated);
    edge->updated = now;
    observe(edge);
    if (!bus_stream_is_open(&edge->stream)) return;
    greet(edge);
    watch(edge, step_ns);
}

bool bus_connected(const struct bus_edge *edge) {
    return edge->session.open;
}

uint32_t bus_generation(const struct bus_edge *edge) {
    return edge->session.generation;
}

/* --- receiving */

/* take gives one frame to the session; 0 where it carries a message. */
static int take(struct bus_edge *edge, uint8_t *frame, size_t frame_len, const uint8_t **bytes, size_t *len) {
    bool was_open = edge->session.open;
    edge->statistics.wire_received_bytes += frame_len;
    int error = bus_session_receive(&edge->session, frame, frame_len, bytes, len);
    if (!was_open && edge->session.open) bus_connector_proven(&edge->connector);
    greet(edge);
    return error;
}

/* raise_again keeps the descriptor readable for what the caller may leave for later: bus_receive has lowered it perhaps. */
static void raise_again(struct bus_edge *edge) {
    if (bus_stream_has_frame(&edge->stream) || bus_stream_ended(&edge->stream)) notifier_raise(&edge->notifier);
}

/* hand_out makes a message the caller's until bus_release. */
static void hand_out(struct bus_edge *edge, size_t len) {
    edge->is_held = true;
    edge->statistics.received_frames++;
    edge->statistics.received_bytes += len;
}

int bus_receive(struct bus_edge *edge, const uint8_t **bytes, size_t *len) {
    CHECK(!edge->is_held);
    for (int i = 0; i < DISCARD_MAX; i++) {
        size_t frame_len;
        uint8_t *frame = bus_stream_frame(&edge->stream, &frame_len);
        if (!frame) {
            observe(edge);
            if (!notifier_lower(&edge->notifier)) return MARCH_ERR_EMPTY;
            continue; /* once more: what came before it was down has not raised it */
        }
        if (take(edge, frame, frame_len, bytes, len) == 0) {
            hand_out(edge, *len);
            return 0;
        }
        bus_stream_release(&edge->stream);
    }
    raise_again(edge);
    return MARCH_ERR_EMPTY;
}

void bus_release(struct bus_edge *edge) {
    if (!edge->is_held) return;
    edge->is_held = false;
    bus_stream_release(&edge->stream);
    raise_again(edge);
}

void bus_statistics_read(const struct bus_edge *edge, struct bus_statistics *out) {
    *out = edge->statistics;
    out->bad_frames = edge->session.bad_frames + edge->broken_frames;
    out->stale_frames = edge->session.stale_frames;
    out->gaps = edge->session.gaps;
    out->connections = edge->session.generation;
    size_t queue_bytes;
    out->queue_messages = bus_stream_queue(&edge->stream, &queue_bytes);
    out->queue_bytes = queue_bytes;
}
