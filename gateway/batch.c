#include "gateway/batch.h"

#include <string.h>

#include "common/check.h"

void batch_clear(struct batch *batch) {
    batch->number++;
    batch->attach_count = batch->activate_count = batch->routed_count = 0;
    batch->detach_count = batch->input_count = 0;
    batch->ack_count = batch->message_count = batch->blob_len = 0;
}

int batch_attach(struct batch *batch, const struct wire_attach *attach) {
    if (batch->attach_count == BATCH_ATTACHES_MAX) return MARCH_ERR_FULL;
    batch->attaches[batch->attach_count++] = *attach;
    return 0;
}

int batch_activate(struct batch *batch, const struct wire_carried *carried) {
    if (batch->activate_count == BATCH_ACTIVATES_MAX) return MARCH_ERR_FULL;
    batch->activates[batch->activate_count++] = *carried;
    return 0;
}

int batch_routed(struct batch *batch, const struct wire_routed *routed) {
    if (batch->routed_count == BATCH_ROUTED_MAX) return MARCH_ERR_FULL;
    batch->routed[batch->routed_count++] = *routed;
    return 0;
}

int batch_detach(struct batch *batch, uint64_t session, uint32_t reason) {
    if (batch->detach_count == BATCH_DETACHES_MAX) return MARCH_ERR_FULL;
    batch->detaches[batch->detach_count++] = (struct wire_detach){.session = session, .reason = reason};
    return 0;
}

int batch_ack(struct batch *batch, uint64_t session, uint16_t snapshot_seq) {
    if (batch->ack_count == BATCH_ACKS_MAX) return MARCH_ERR_FULL;
    batch->acks[batch->ack_count++] = (struct wire_ack){.session = session, .snapshot_seq = snapshot_seq};
    return 0;
}

/* merge puts `newer` before what is there. Where inputs are missing between the two, the old ones are given up: commands are
 * numbered without gaps. */
static void merge(struct wire_input *input, const struct wire_input *newer) {
    struct wire_input merged = *newer;
    bool contiguous = (uint16_t)(newer->newest_seq - newer->count) == input->newest_seq;
    for (unsigned i = 0; contiguous && i < input->count && merged.count < WIRE_INPUT_COMMANDS_MAX; i++) {
        merged.commands[merged.count++] = input->commands[i];
    }
    *input = merged;
}

int batch_input(struct batch *batch, struct batch_place *place, const struct wire_input *input) {
    if (place->number == batch->number && place->index < batch->input_count &&
        batch->inputs[place->index].session == input->session) {
        merge(&batch->inputs[place->index], input);
        batch->inputs_merged++;
        return 0;
    }
    if (batch->input_count == BATCH_INPUTS_MAX) return MARCH_ERR_FULL;
    *place = (struct batch_place){.number = batch->number, .index = batch->input_count};
    batch->inputs[batch->input_count++] = *input;
    return 0;
}

uint8_t *batch_message_room(struct batch *batch) {
    bool has_room =
        batch->message_count < BATCH_MESSAGES_MAX && BATCH_BLOB_BYTES - batch->blob_len >= FRAME_MESSAGE_BYTES_MAX;
    return has_room ? batch->blob + batch->blob_len : NULL;
}

void batch_message_commit(struct batch *batch, uint64_t session, size_t len) {
    CHECK(batch->message_count < BATCH_MESSAGES_MAX && len <= BATCH_BLOB_BYTES - batch->blob_len);
    batch->messages[batch->message_count++] =
        (struct wire_message){.session = session, .offset = batch->blob_len, .len = (uint32_t)len};
    batch->blob_len += (uint32_t)len;
}

struct wire_gateway_batch batch_view(const struct batch *batch) {
    return (struct wire_gateway_batch){.attaches = batch->attaches,
                                       .activates = batch->activates,
                                       .routed = batch->routed,
                                       .detaches = batch->detaches,
                                       .inputs = batch->inputs,
                                       .acks = batch->acks,
                                       .messages = batch->messages,
                                       .blob = batch->blob,
                                       .attach_count = batch->attach_count,
                                       .activate_count = batch->activate_count,
                                       .routed_count = batch->routed_count,
                                       .detach_count = batch->detach_count,
                                       .input_count = batch->input_count,
                                       .ack_count = batch->ack_count,
                                       .message_count = batch->message_count,
                                       .blob_len = batch->blob_len};
}

bool batch_is_empty(const struct batch *batch) {
    uint32_t told = batch->attach_count + batch->activate_count + batch->routed_count + batch->detach_count;
    return told + batch->input_count + batch->ack_count + batch->message_count == 0;
}

size_t batch_bytes(const struct batch *batch) {
    struct wire_gateway_batch view = batch_view(batch);
    return wire_gateway_batch_bytes(&view);
}
