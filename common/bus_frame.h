/* bus_frame.h: the bytes of one frame between two processes. No sockets, no state of a connection.
 *
 *   offset  size
 *        0     1  version, 1
 *        1     1  type: 1 greeting, 2 message, 3 keep-alive
 *        2     1  flags: bit 0 the body is an LZ4 block, bit 1 sealed
 *        3     1  0
 *        4     4  length of the message, unpacked (little endian, as all)
 *        8    16  sender's connection id, random for each connection
 *       24     8  sequence number of the frame, from 1
 *       32     .  body; where sealed 16 bytes longer, by the tag of Poly1305
 *
 * A sealed frame is XChaCha20-Poly1305 under the cluster key. Its nonce is bytes 8 to 31, which never repeat. Its associated
 * data is the header, the names of sender and receiver, and the connection id of the receiver (zero in a greeting), so it
 * opens only at the end it was meant for, in the connection it was meant for.
 *
 * A frame that is malformed, says more than the maximum, or does not open is refused; nothing of it is used.
 */
#ifndef MARCH_COMMON_BUS_FRAME_H
#define MARCH_COMMON_BUS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define BUS_FRAME_HEADER_BYTES   32
#define BUS_FRAME_TAG_BYTES      16
#define BUS_FRAME_OVERHEAD_BYTES (BUS_FRAME_HEADER_BYTES + BUS_FRAME_TAG_BYTES)
#define BUS_FRAME_KEY_BYTES      32
#define BUS_FRAME_ID_BYTES       16
#define BUS_FRAME_NAME_BYTES     32 /* a name of up to 31 bytes, padded with zeros */

enum bus_frame_type { BUS_FRAME_GREETING = 1, BUS_FRAME_MESSAGE = 2, BUS_FRAME_KEEP_ALIVE = 3 };

struct bus_frame_id {
    uint8_t bytes[BUS_FRAME_ID_BYTES];
};

struct bus_frame_header {
    enum bus_frame_type type;
    bool packed, sealed;
    uint32_t len; /* of the message, unpacked */
    struct bus_frame_id sender;
    uint64_t seq;
};

/* What does not change over the frames of an edge, and two buffers for compression (only where sealed). */
struct bus_frame_codec {
    bool sealed;
    uint8_t key[BUS_FRAME_KEY_BYTES];
    char local_name[BUS_FRAME_NAME_BYTES], peer_name[BUS_FRAME_NAME_BYTES];
    size_t message_max_bytes;
    uint8_t *packed, *unpacked;
    unsigned pack_pause; /* messages left to send as they are, after one that compression did not help */
};

/* bus_frame_codec_init prepares a codec; frames are sealed and compressed where `key` is given. Names are 1 to 31 bytes. The
 * codec keeps a copy of the key, which deinit wipes. MARCH_ERR_INVALID for names that can't be, MARCH_ERR_SYSTEM without
 * memory. */
must_check int bus_frame_codec_init(struct bus_frame_codec *codec, const uint8_t *key, const char *local_name,
                                    const char *peer_name, size_t message_max_bytes);
void bus_frame_codec_deinit(struct bus_frame_codec *codec);

/* bus_frame_seal writes the frame of a message to `out`, which has room for len + BUS_FRAME_OVERHEAD_BYTES, and returns the
 * frame's length. `header` gives type, sender and seq; `receiver` is ignored in a greeting. */
size_t bus_frame_seal(struct bus_frame_codec *codec, const struct bus_frame_header *header,
                      const struct bus_frame_id *receiver, const void *message, size_t len, uint8_t *out);

/* bus_frame_read_header checks and reads the header alone; nothing in it is proven yet. */
must_check int bus_frame_read_header(const struct bus_frame_codec *codec, const uint8_t *frame, size_t len,
                                     struct bus_frame_header *header);

/* bus_frame_open opens a frame in place, after bus_frame_read_header. `message` points into the frame, or where it was
 * packed into the codec's buffer, valid until the next open. MARCH_ERR_CRYPTO or MARCH_ERR_INVALID. */
must_check int bus_frame_open(struct bus_frame_codec *codec, const struct bus_frame_header *header,
                              const struct bus_frame_id *receiver, uint8_t *frame, size_t len, const uint8_t **message);

#endif
