#include "common/bus_session.h"

#include <sodium.h>
#include <string.h>

#include "common/check.h"

static bool same_id(const struct bus_frame_id *a, const struct bus_frame_id *b) {
    return memcmp(a->bytes, b->bytes, BUS_FRAME_ID_BYTES) == 0;
}

void bus_session_init(struct bus_session *s, struct bus_frame_codec *codec) {
    *s = (struct bus_session){.codec = codec};
    bus_session_restart(s, false);
}

void bus_session_restart(struct bus_session *s, bool connected) {
    s->open = false;
    s->greeting_due = connected;
    randombytes_buf(s->own_id.bytes, BUS_FRAME_ID_BYTES);
    s->peer_id = s->echo_id = s->echoed_id = (struct bus_frame_id){{0}};
    s->next_seq = 1;
    s->last_seq = 0;
}

static struct bus_frame_header next_header(struct bus_session *s, enum bus_frame_type type) {
    return (struct bus_frame_header){.type = type, .sender = s->own_id, .seq = s->next_seq++};
}

size_t bus_session_greet(struct bus_session *s, uint8_t *out) {
    struct bus_frame_header header = next_header(s, BUS_FRAME_GREETING);
    s->greeting_due = false;
    s->echoed_id = s->echo_id;
    return bus_frame_seal(s->codec, &header, NULL, s->echo_id.bytes, BUS_FRAME_ID_BYTES, out);
}

size_t bus_session_seal(struct bus_session *s, const void *message, size_t len, uint8_t *out) {
    CHECK(s->open);
    struct bus_frame_header header = next_header(s, len > 0 ? BUS_FRAME_MESSAGE : BUS_FRAME_KEEP_ALIVE);
    return bus_frame_seal(s->codec, &header, &s->peer_id, message, len, out);
}

static void open_with(struct bus_session *s, const struct bus_frame_header *header) {
    s->open = true;
    s->generation++;
    s->peer_id = s->echo_id = header->sender;
    s->last_seq = header->seq;
    s->greeting_due = !same_id(&s->echoed_id, &header->sender);
}

/* greeted decides on a greeting whose seal is good; the transitions stand in bus_session.h. */
static void greeted(struct bus_session *s, const struct bus_frame_header *header, const struct bus_frame_id *echo) {
    if (s->open && same_id(&header->sender, &s->peer_id)) return; /* a second greeting of the peer we have */
    if (!s->open && same_id(echo, &s->own_id)) {
        open_with(s, header);
        return;
    }
    if (s->open) bus_session_restart(s, true);
    s->echo_id = header->sender;
    s->greeting_due = true;
}

/* stale tells whether a frame's header alone shows that it does not belong here. */
static bool stale(const struct bus_session *s, const struct bus_frame_header *header) {
    bool of_peer = s->open && same_id(&header->sender, &s->peer_id);
    if (header->type == BUS_FRAME_GREETING && !of_peer) return false;
    return !of_peer || header->seq <= s->last_seq;
}

int bus_session_receive(struct bus_session *s, uint8_t *frame, size_t frame_len, const uint8_t **message, size_t *len) {
    struct bus_frame_header header;
    int error = bus_frame_read_header(s->codec, frame, frame_len, &header);
    if (error) {
        s->bad_frames++;
        return error;
    }
    if (stale(s, &header)) {
        s->stale_frames++;
        return MARCH_ERR_REPLAY;
    }
    error = bus_frame_open(s->codec, &header, &s->own_id, frame, frame_len, message);
    if (error) {
        s->bad_frames++;
        return error;
    }
    s->valid_frames++;
    if (header.type == BUS_FRAME_GREETING) {
        struct bus_frame_id echo;
        memcpy(echo.bytes, *message, BUS_FRAME_ID_BYTES);
        if (s->open && same_id(&header.sender, &s->peer_id)) s->last_seq = header.seq;
        greeted(s, &header, &echo);
        return MARCH_ERR_EMPTY;
    }
    s->gaps += header.seq - s->last_seq - 1;
    s->last_seq = header.seq;
    *len = header.len;
    return header.type == BUS_FRAME_MESSAGE ? 0 : MARCH_ERR_EMPTY;
}
