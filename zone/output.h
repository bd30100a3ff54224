/* output.h: what a zone has to tell one gateway: the parts of the next ZoneBatch.
 *
 * During a tick the simulation appends: results of attaches, reliable messages, and last the snapshots, which are built
 * straight into the blob. The shell then packs output_batch and sends it, and clears. What could not be sent stays:
 * snapshots are dropped at the next tick (newer ones replace them), the rest goes out with a later batch.
 *
 * Limits: the packed batch stays below WIRE_BUS_BYTES_MAX and each list below its maximum. What does not fit is dropped and
 * counted: a snapshot is lost as if the network had lost it; a message too, so the shell must send in time.
 */
#ifndef MARCH_ZONE_OUTPUT_H
#define MARCH_ZONE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "schemas/wire.h"

#define OUTPUT_MESSAGES_MAX 8192
#define OUTPUT_DETACHED_MAX 1024
#define OUTPUT_RETURNED_MAX 1024

struct output {
    struct wire_attached *attached;
    struct wire_snapshot *snapshots;
    struct wire_message *messages;
    struct wire_detach *detached;
    struct wire_activated *activated;
    struct wire_carried *reroutes;
    struct wire_message *returned;
    struct wire_routed *forgotten;
    uint8_t *blob;         /* messages, then snapshots */
    uint32_t attached_max; /* also the most snapshots */
    uint32_t attached_count, snapshot_count, message_count, detached_count;
    uint32_t activated_count, reroute_count, returned_count, forgotten_count;
    uint32_t message_bytes; /* of the blob */
    uint32_t blob_len;
    uint64_t dropped; /* results, messages and snapshots that did not fit */
};

/* output_create makes room for the results and snapshots of `sessions_max` sessions; NULL when there is no memory. */
struct output *output_create(uint32_t sessions_max);
void output_destroy(struct output *output);

void output_attached(struct output *output, uint64_t session, uint64_t entity, uint32_t result);
void output_elsewhere(struct output *output, uint64_t session, uint32_t zone);
void output_detached(struct output *output, uint64_t session, uint32_t reason);

/* What the handoff has for the gateway (handoff.h). Of a session that is attached or activated it was perhaps said before in
 * this tick that it is not here, which the gateway would read behind it: that is dropped. A reroute that finds no room is
 * false, not counted, and tried again. */
void output_activated(struct output *output, const struct wire_activated *activated);
void output_forgotten(struct output *output, const struct wire_routed *routed);
bool output_reroute(struct output *output, const struct wire_carried *carried);

/* output_returned gives back a message of a client whose player is not here any more. Comes before the tick's snapshots. */
void output_returned(struct output *output, uint64_t session, struct wire_bytes bytes);

/* output_text copies the bytes of a message into the blob once and stores their place, for any number of receivers. Comes
 * before the tick's snapshots. MARCH_ERR_FULL, counted, when there is no room. */
must_check int output_text(struct output *output, struct wire_bytes bytes, uint32_t *offset);

/* output_message addresses bytes of the blob to a session. */
void output_message(struct output *output, uint64_t session, uint32_t offset, uint32_t len);

/* output_snapshot_room returns where a snapshot of up to `size` bytes may be written, NULL (counted) when there is no room;
 * output_snapshot_add then adds the `len` bytes written there. */
uint8_t *output_snapshot_room(struct output *output, size_t size);
void output_snapshot_add(struct output *output, uint64_t session, size_t len, uint16_t seq);

/* output_batch returns a view of everything, valid until the next change. */
struct wire_zone_batch output_batch(const struct output *output, uint64_t tick);

/* output_is_empty tells that there is nothing to send. */
bool output_is_empty(const struct output *output);

void output_clear(struct output *output);
void output_clear_snapshots(struct output *output);

#endif
