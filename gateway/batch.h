/* batch.h: what a gateway has to tell one zone, collected until it is flushed.
 *
 * Arrays of fixed size, filled in any order and read by the zone array by array. A full array refuses with MARCH_ERR_FULL:
 * the caller flushes and tries again, keeps what must not be lost for later, or drops and counts what the next packet
 * repeats. Inputs of one session in one batch are merged, newest first, so a zone that can't keep up gets the newest ones.
 */
#ifndef MARCH_GATEWAY_BATCH_H
#define MARCH_GATEWAY_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/frame.h"
#include "schemas/wire.h"

#define BATCH_FLUSH_BYTES   (32 * 1024) /* flushed early at this size: larger gains nothing in nng, and waits longer */
#define BATCH_ATTACHES_MAX  64          /* a flush attaches this many: a zone that is back is not hit by all at once */
#define BATCH_ACTIVATES_MAX 256         /* 54 KiB */
#define BATCH_ROUTED_MAX    512
#define BATCH_DETACHES_MAX  512
#define BATCH_INPUTS_MAX    768
#define BATCH_ACKS_MAX      2048 /* 32 KiB */
#define BATCH_MESSAGES_MAX  256
#define BATCH_BLOB_BYTES    (2 * FRAME_MESSAGE_BYTES_MAX)

#define BATCH_BYTES_MAX                                                                                                     \
    (WIRE_BATCH_OVERHEAD_MAX + BATCH_ATTACHES_MAX * sizeof(struct wire_attach) +                                            \
     BATCH_ACTIVATES_MAX * sizeof(struct wire_carried) + BATCH_ROUTED_MAX * sizeof(struct wire_routed) +                    \
     BATCH_DETACHES_MAX * sizeof(struct wire_detach) + BATCH_INPUTS_MAX * sizeof(struct wire_input) +                       \
     BATCH_ACKS_MAX * sizeof(struct wire_ack) + BATCH_MESSAGES_MAX * sizeof(struct wire_message) + BATCH_BLOB_BYTES)
_Static_assert(BATCH_BYTES_MAX <= WIRE_BUS_BYTES_MAX, "a full batch fits one bus message");
_Static_assert(BATCH_ACTIVATES_MAX <= WIRE_CARRIED_MAX, "as many as a reader takes");
_Static_assert(BATCH_INPUTS_MAX * sizeof(struct wire_input) >= BATCH_FLUSH_BYTES, "flushed before the array is full");
_Static_assert(BATCH_ACKS_MAX * sizeof(struct wire_ack) >= BATCH_FLUSH_BYTES, "flushed before the array is full");

/* Where a session's input lies, while its batch is the one being filled; zero: nowhere. */
struct batch_place {
    uint32_t number;
    uint32_t index;
};

struct batch {
    uint32_t number; /* of this filling, from 1 */
    uint32_t attach_count, activate_count, routed_count, detach_count, input_count, ack_count, message_count, blob_len;
    uint64_t inputs_merged;
    struct wire_attach attaches[BATCH_ATTACHES_MAX];
    struct wire_carried activates[BATCH_ACTIVATES_MAX];
    struct wire_routed routed[BATCH_ROUTED_MAX];
    struct wire_detach detaches[BATCH_DETACHES_MAX];
    struct wire_input inputs[BATCH_INPUTS_MAX];
    struct wire_ack acks[BATCH_ACKS_MAX];
    struct wire_message messages[BATCH_MESSAGES_MAX];
    uint8_t blob[BATCH_BLOB_BYTES];
};

/* batch_clear empties it, which makes all places void. A zeroed batch is made ready by it. */
void batch_clear(struct batch *batch);

must_check int batch_attach(struct batch *batch, const struct wire_attach *attach);
must_check int batch_activate(struct batch *batch, const struct wire_carried *carried);
must_check int batch_routed(struct batch *batch, const struct wire_routed *routed);
must_check int batch_detach(struct batch *batch, uint64_t session, uint32_t reason);
must_check int batch_ack(struct batch *batch, uint64_t session, uint16_t snapshot_seq);

/* batch_input adds an input, or merges it with the session's earlier one; `place` is kept by the session. */
must_check int batch_input(struct batch *batch, struct batch_place *place, const struct wire_input *input);

/* batch_message_room returns where a message of up to FRAME_MESSAGE_BYTES_MAX bytes may be written, NULL when there is no
 * room; batch_message_commit adds it. */
uint8_t *batch_message_room(struct batch *batch);
void batch_message_commit(struct batch *batch, uint64_t session, size_t len);

/* batch_view points into the batch, for packing. */
struct wire_gateway_batch batch_view(const struct batch *batch);

bool batch_is_empty(const struct batch *batch);

/* batch_bytes is what it takes packed, at most. */
size_t batch_bytes(const struct batch *batch);

#endif
