#include "zone/output.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

struct output *output_create(uint32_t sessions_max) {
    struct output *o = calloc(1, sizeof *o);
    if (!o) return NULL;
    o->attached_max = sessions_max;
    o->attached = calloc(sessions_max, sizeof *o->attached);
    o->snapshots = calloc(sessions_max, sizeof *o->snapshots);
    o->messages = calloc(OUTPUT_MESSAGES_MAX, sizeof *o->messages);
    o->detached = calloc(OUTPUT_DETACHED_MAX, sizeof *o->detached);
    o->activated = calloc(sessions_max, sizeof *o->activated);
    o->reroutes = calloc(WIRE_CARRIED_MAX, sizeof *o->reroutes);
    o->returned = calloc(OUTPUT_RETURNED_MAX, sizeof *o->returned);
    o->forgotten = calloc(sessions_max, sizeof *o->forgotten);
    o->blob = calloc(WIRE_BUS_BYTES_MAX, 1);
    bool has_all = o->attached && o->snapshots && o->messages && o->detached && o->activated && o->reroutes && o->returned &&
                   o->forgotten && o->blob;
    if (has_all) return o;
    output_destroy(o);
    return NULL;
}

void output_destroy(struct output *o) {
    if (!o) return;
    free(o->attached);
    free(o->snapshots);
    free(o->messages);
    free(o->detached);
    free(o->activated);
    free(o->reroutes);
    free(o->returned);
    free(o->forgotten);
    free(o->blob);
    free(o);
}

struct wire_zone_batch output_batch(const struct output *o, uint64_t tick) {
    return (struct wire_zone_batch){.tick = tick,
                                    .attached = o->attached,
                                    .attached_count = o->attached_count,
                                    .snapshots = o->snapshots,
                                    .snapshot_count = o->snapshot_count,
                                    .messages = o->messages,
                                    .message_count = o->message_count,
                                    .detached = o->detached,
                                    .detached_count = o->detached_count,
                                    .activated = o->activated,
                                    .activated_count = o->activated_count,
                                    .reroutes = o->reroutes,
                                    .reroute_count = o->reroute_count,
                                    .returned = o->returned,
                                    .returned_count = o->returned_count,
                                    .forgotten = o->forgotten,
                                    .forgotten_count = o->forgotten_count,
                                    .blob = o->blob,
                                    .blob_len = o->blob_len};
}

/* Tells whether the packed batch has room for so many bytes more and the list for one entry more; counts when not. */
static bool has_room(struct output *o, size_t bytes, uint32_t count, uint32_t count_max) {
    struct wire_zone_batch batch = output_batch(o, 0);
    if (count < count_max && wire_zone_batch_bytes(&batch) + bytes <= WIRE_BUS_BYTES_MAX) return true;
    o->dropped++;
    return false;
}

/* take_back drops what was said of a session before in this tick: that it is not here. */
static void take_back(struct output *o, uint64_t session) {
    uint32_t left = 0;
    for (uint32_t i = 0; i < o->detached_count; i++)
        if (o->detached[i].session != session) o->detached[left++] = o->detached[i];
    o->detached_count = left;
}

void output_attached(struct output *o, uint64_t session, uint64_t entity, uint32_t result) {
    if (!has_room(o, sizeof *o->attached, o->attached_count, o->attached_max)) return;
    o->attached[o->attached_count++] = (struct wire_attached){.session = session, .entity = entity, .result = result};
    if (result == WIRE_ATTACHED) take_back(o, session);
}

void output_elsewhere(struct output *o, uint64_t session, uint32_t zone) {
    if (!has_room(o, sizeof *o->attached, o->attached_count, o->attached_max)) return;
    o->attached[o->attached_count++] =
        (struct wire_attached){.session = session, .result = WIRE_ATTACH_ELSEWHERE, .zone = zone};
}

void output_detached(struct output *o, uint64_t session, uint32_t reason) {
    if (!has_room(o, sizeof *o->detached, o->detached_count, OUTPUT_DETACHED_MAX)) return;
    o->detached[o->detached_count++] = (struct wire_detach){.session = session, .reason = reason};
}

void output_activated(struct output *o, const struct wire_activated *activated) {
    if (!has_room(o, sizeof *o->activated, o->activated_count, o->attached_max)) return;
    o->activated[o->activated_count++] = *activated;
    if (activated->result == WIRE_ACTIVATED) take_back(o, activated->session);
}

void output_forgotten(struct output *o, const struct wire_routed *routed) {
    if (!has_room(o, sizeof *o->forgotten, o->forgotten_count, o->attached_max)) return;
    o->forgotten[o->forgotten_count++] = *routed;
}

bool output_reroute(struct output *o, const struct wire_carried *carried) {
    struct wire_zone_batch batch = output_batch(o, 0);
    if (o->reroute_count == WIRE_CARRIED_MAX || wire_zone_batch_bytes(&batch) + sizeof *carried > WIRE_BUS_BYTES_MAX)
        return false;
    o->reroutes[o->reroute_count++] = *carried;
    return true;
}

void output_returned(struct output *o, uint64_t session, struct wire_bytes bytes) {
    uint32_t offset;
    if (output_text(o, bytes, &offset) || !has_room(o, sizeof *o->returned, o->returned_count, OUTPUT_RETURNED_MAX)) return;
    o->returned[o->returned_count++] = (struct wire_message){session, offset, (uint32_t)bytes.len};
}

int output_text(struct output *o, struct wire_bytes bytes, uint32_t *offset) {
    if (o->snapshot_count) output_clear_snapshots(o); /* of a tick that was never sent */
    if (!has_room(o, bytes.len, 0, 1)) return MARCH_ERR_FULL;
    memcpy(o->blob + o->blob_len, bytes.data, bytes.len);
    *offset = o->blob_len;
    o->blob_len += (uint32_t)bytes.len;
    o->message_bytes = o->blob_len;
    return 0;
}

void output_message(struct output *o, uint64_t session, uint32_t offset, uint32_t len) {
    CHECK(offset + len <= o->message_bytes);
    if (!has_room(o, sizeof *o->messages, o->message_count, OUTPUT_MESSAGES_MAX)) return;
    o->messages[o->message_count++] = (struct wire_message){session, offset, len};
}

uint8_t *output_snapshot_room(struct output *o, size_t size) {
    if (!has_room(o, sizeof *o->snapshots + size, o->snapshot_count, o->attached_max)) return NULL;
    return o->blob + o->blob_len;
}

void output_snapshot_add(struct output *o, uint64_t session, size_t len, uint16_t seq) {
    CHECK(o->blob_len + len <= WIRE_BUS_BYTES_MAX && len <= UINT16_MAX);
    o->snapshots[o->snapshot_count++] =
        (struct wire_snapshot){.session = session, .offset = o->blob_len, .len = (uint16_t)len, .snapshot_seq = seq};
    o->blob_len += (uint32_t)len;
}

bool output_is_empty(const struct output *o) {
    return o->attached_count + o->snapshot_count + o->message_count + o->detached_count + o->activated_count +
               o->reroute_count + o->returned_count + o->forgotten_count ==
           0;
}

void output_clear(struct output *o) {
    o->attached_count = o->snapshot_count = o->message_count = o->detached_count = 0;
    o->activated_count = o->reroute_count = o->returned_count = o->forgotten_count = 0;
    o->message_bytes = o->blob_len = 0;
}

void output_clear_snapshots(struct output *o) {
    o->snapshot_count = 0;
    o->blob_len = o->message_bytes;
}
