/* frame.h: the frames inside a session packet, between gateway and client.
 *
 * A session packet is the payload of one netcode packet: a header of 8 bytes (channel.h), then frames back to back, each a
 * type byte and a body. All numbers are little endian. schemas/PROTOCOL.md, section 2, has the byte tables.
 *
 * Reading is zero-copy and bounded: snapshot and fragment point into the packet. A frame that is cut, of an unknown type or
 * with a field outside its range is MARCH_ERR_INVALID, and nothing after it can be read. Writing never goes past the room:
 * a frame that does not fit is MARCH_ERR_FULL and leaves the packet as it was.
 */
#ifndef MARCH_COMMON_FRAME_H
#define MARCH_COMMON_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define FRAME_COMMANDS_MAX         8    /* inputs repeated in one INPUT frame: survives seven lost packets in a row */
#define FRAME_FRAGMENT_BYTES       1024 /* bytes of every fragment of a message but the last */
#define FRAME_FRAGMENT_HEADER_SIZE 7
#define FRAME_MESSAGE_FRAGMENTS    64
#define FRAME_MESSAGE_BYTES_MAX    (FRAME_FRAGMENT_BYTES * FRAME_MESSAGE_FRAGMENTS)
#define FRAME_SNAPSHOT_HEADER_SIZE 3

enum frame_type {
    FRAME_INPUT = 1,    /* client to server: the newest inputs */
    FRAME_SNAPSHOT = 2, /* server to client: what is around it; at most one a packet */
    FRAME_FRAGMENT = 3, /* both ways: a piece of a reliable message */
    FRAME_PING = 4,     /* client to server */
    FRAME_PONG = 5,     /* server to client */
    FRAME_TYPE_COUNT = 6
};

/* FRAME_SET makes a set of one type; sets are joined with |. */
#define FRAME_SET(type) ((uint8_t)(1u << (type)))

/* One input of a player. */
struct frame_command {
    uint8_t move;    /* bits 0-1 x, bits 2-3 y, each 0, 1, 2 for -1, 0, +1; other bits are 0 */
    uint8_t buttons; /* bit 0 strike, bit 1 shoot; the game gives meaning to the others */
    uint16_t aim;    /* 1/65536 turn, counter-clockwise from +x */
};
_Static_assert(sizeof(struct frame_command) == 4, "copied as a block");

/* FRAME_MOVE packs two directions, each -1, 0 or +1. */
#define FRAME_MOVE(x, y) ((uint8_t)(((x) + 1) | ((y) + 1) << 2))

struct frame_input {
    uint8_t count;       /* 1 to FRAME_COMMANDS_MAX */
    uint16_t newest_seq; /* of commands[0]; commands[i] is newest_seq - i */
    uint32_t view_tick;  /* low 32 bits of the tick that the player was looking at */
    struct frame_command commands[FRAME_COMMANDS_MAX];
};

struct frame_bytes {
    const uint8_t *bytes;
    uint16_t len;
};

struct frame_fragment {
    uint16_t message_id;
    uint8_t index;      /* 0 to last_index */
    uint8_t last_index; /* 0 to FRAME_MESSAGE_FRAGMENTS - 1 */
    uint16_t len;       /* FRAME_FRAGMENT_BYTES, or 1 to that where index is last_index */
    const uint8_t *bytes;
};

struct frame_pong {
    uint32_t client_us;     /* of the ping */
    uint32_t tick_low;      /* low 32 bits of the server's tick when it answered */
    uint16_t tick_fraction; /* how far into that tick, of 65536 */
};

struct frame {
    enum frame_type type;
    union {
        struct frame_input input;
        struct frame_bytes snapshot;
        struct frame_fragment fragment;
        uint32_t ping_client_us;
        struct frame_pong pong;
    };
};

struct frame_reader {
    const uint8_t *next;
    const uint8_t *end;
};

struct frame_writer {
    uint8_t *bytes;
    size_t size; /* room */
    size_t len;
};

static inline void frame_reader_init(struct frame_reader *reader, const uint8_t *bytes, size_t len) {
    *reader = (struct frame_reader){bytes, bytes + len};
}

/* frame_next reads the next frame into *out. Returns 1, 0 at the end of the packet, or MARCH_ERR_INVALID. */
must_check int frame_next(struct frame_reader *reader, struct frame *out);

static inline void frame_writer_init(struct frame_writer *writer, uint8_t *bytes, size_t size) {
    *writer = (struct frame_writer){.bytes = bytes, .size = size};
}

/* frame_write_* append one frame. Return 0 or MARCH_ERR_FULL. The fields must be in range: that is the caller's own data. */
must_check int frame_write_input(struct frame_writer *writer, const struct frame_input *input);
must_check int frame_write_snapshot(struct frame_writer *writer, const uint8_t *bytes, size_t len);
must_check int frame_write_fragment(struct frame_writer *writer, const struct frame_fragment *fragment);
must_check int frame_write_ping(struct frame_writer *writer, uint32_t client_us);
must_check int frame_write_pong(struct frame_writer *writer, const struct frame_pong *pong);

#endif
