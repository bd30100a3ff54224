/* wire.cc: wire.h over the FlatBuffers library. The only C++ of the project, with its parts wire_persist.cc,
 * wire_world.cc, wire_match.cc, wire_client.cc and wire_inner.hpp: Debian has no FlatBuffers compiler for C. */
#include "schemas/wire_inner.hpp"

SAME_LAYOUT(wire_attach, fb::Join, 32);
AT(wire_attach, player, 8);
AT(wire_attach, session_epoch, 16);
AT(wire_attach, attachment, 24);
SAME_LAYOUT(wire_detach, fb::Detach, 16);
AT(wire_detach, reason, 8);
SAME_LAYOUT(wire_input, fb::Input, 48);
AT(wire_input, view_tick, 8);
AT(wire_input, newest_seq, 12);
AT(wire_input, count, 14);
AT(wire_input, commands, 16);
SAME_LAYOUT(wire_ack, fb::Ack, 16);
AT(wire_ack, snapshot_seq, 8);
SAME_LAYOUT(wire_message, fb::Message, 16);
AT(wire_message, offset, 8);
AT(wire_message, len, 12);
SAME_LAYOUT(wire_attached, fb::Attached, 24);
AT(wire_attached, entity, 8);
AT(wire_attached, result, 16);
AT(wire_attached, zone, 20);
SAME_LAYOUT(wire_snapshot, fb::Snapshot, 16);
AT(wire_snapshot, offset, 8);
AT(wire_snapshot, len, 12);
AT(wire_snapshot, snapshot_seq, 14);
static_assert(int(WIRE_BUS_GATEWAY_TELLS) == int(fb::BusBody::MAX) && int(WIRE_BUS_HELLO) == int(fb::BusBody::Hello));
static_assert(int(WIRE_ROLE_MATCHMAKER) == int(fb::Role::MAX));

/* --- packing */

struct wire_builder *wire_builder_create(size_t bytes_max) {
    CHECK(bytes_max >= WIRE_CLIENT_BYTES_MAX && bytes_max <= WIRE_BUS_BYTES_MAX);
    wire_builder *builder = new wire_builder(bytes_max);
    builder->fbb.CreateString(""); // the library allocates at the first byte: have that behind us
    return builder;
}

void wire_builder_destroy(struct wire_builder *builder) {
    delete builder;
}

static bool carried_valid(const wire_carried *carried, size_t count) {
    if (count > WIRE_CARRIED_MAX) return false;
    for (size_t i = 0; i < count; i++)
        if (carried[i].input_count > WIRE_CARRIED_INPUTS_MAX) return false;
    return true;
}

static bool counts_valid(const wire_input *inputs, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (inputs[i].count == 0 || inputs[i].count > WIRE_INPUT_COMMANDS_MAX) return false;
    return true;
}

int wire_bus_finish(struct wire_builder *builder, fb::BusBody kind, Offset<void> body, struct wire_bytes *out) {
    FlatBufferBuilder &fbb = builder->fbb;
    fb::FinishBusMessageBuffer(fbb, fb::CreateBusMessage(fbb, kind, body));
    CHECK(fbb.GetSize() <= builder->bytes_max);
    *out = {fbb.GetBufferPointer(), fbb.GetSize()};
    return 0;
}

int wire_hello_pack(struct wire_builder *builder, const struct wire_hello *hello, struct wire_bytes *out) {
    FlatBufferBuilder &fbb = start(builder);
    size_t name_len = strnlen(hello->name, sizeof hello->name);
    CHECK(name_len >= 1 && name_len <= WIRE_NAME_MAX && hello->incarnation != 0);
    const wire_rect &r = hello->rect;
    fb::Rect rect(r.min_x, r.min_y, r.max_x, r.max_y);
    auto name = fbb.CreateString(hello->name, name_len);
    auto body = fb::CreateHello(fbb, name, fb::Role(hello->role), hello->incarnation, hello->index, hello->tick_hz, &rect,
                                hello->shard_count);
    return wire_bus_finish(builder, fb::BusBody::Hello, body.Union(), out);
}

int wire_gateway_batch_pack(struct wire_builder *builder, const struct wire_gateway_batch *b, struct wire_bytes *out) {
    if (wire_gateway_batch_bytes(b) > builder->bytes_max) return MARCH_ERR_FULL;
    CHECK(ranges_in_blob(b->messages, b->message_count, b->blob_len) && counts_valid(b->inputs, b->input_count) &&
          carried_valid(b->activates, b->activate_count));
    FlatBufferBuilder &fbb = start(builder);
    auto joins = structs<fb::Join>(fbb, b->attaches, b->attach_count);
    auto detaches = structs<fb::Detach>(fbb, b->detaches, b->detach_count);
    auto inputs = structs<fb::Input>(fbb, b->inputs, b->input_count);
    auto acks = structs<fb::Ack>(fbb, b->acks, b->ack_count);
    auto messages = structs<fb::Message>(fbb, b->messages, b->message_count);
    auto blob = blob_of(fbb, b->blob, b->blob_len);
    auto activates = structs<fb::Carried>(fbb, b->activates, b->activate_count);
    auto routed = structs<fb::Routed>(fbb, b->routed, b->routed_count);
    auto body = fb::CreateGatewayBatch(fbb, detaches, inputs, acks, messages, blob, joins, activates, routed);
    return wire_bus_finish(builder, fb::BusBody::GatewayBatch, body.Union(), out);
}

int wire_zone_batch_pack(struct wire_builder *builder, const struct wire_zone_batch *b, struct wire_bytes *out) {
    if (wire_zone_batch_bytes(b) > builder->bytes_max) return MARCH_ERR_FULL;
    CHECK(ranges_in_blob(b->snapshots, b->snapshot_count, b->blob_len) &&
          ranges_in_blob(b->messages, b->message_count, b->blob_len) &&
          ranges_in_blob(b->returned, b->returned_count, b->blob_len) && carried_valid(b->reroutes, b->reroute_count));
    FlatBufferBuilder &fbb = start(builder);
    auto attached = structs<fb::Attached>(fbb, b->attached, b->attached_count);
    auto snapshots = structs<fb::Snapshot>(fbb, b->snapshots, b->snapshot_count);
    auto messages = structs<fb::Message>(fbb, b->messages, b->message_count);
    auto detached = structs<fb::Detach>(fbb, b->detached, b->detached_count);
    auto blob = blob_of(fbb, b->blob, b->blob_len);
    auto activated = structs<fb::Activated>(fbb, b->activated, b->activated_count);
    auto reroutes = structs<fb::Carried>(fbb, b->reroutes, b->reroute_count);
    auto returned = structs<fb::Message>(fbb, b->returned, b->returned_count);
    auto forgotten = structs<fb::Routed>(fbb, b->forgotten, b->forgotten_count);
    auto body = fb::CreateZoneBatch(fbb, b->tick, attached, snapshots, messages, detached, blob, activated, reroutes,
                                    returned, forgotten);
    return wire_bus_finish(builder, fb::BusBody::ZoneBatch, body.Union(), out);
}

/* --- reading */

static int open_hello(const fb::Hello &in, struct wire_hello *out) {
    if (!copy_text(in.name(), out->name)) return MARCH_ERR_INVALID;
    if (in.role() < fb::Role::MIN || in.role() > fb::Role::MAX || in.incarnation() == 0) return MARCH_ERR_INVALID;
    if (in.role() == fb::Role::Persist ? in.index() >= in.shard_count() : in.shard_count() != 0) return MARCH_ERR_INVALID;
    out->role = wire_role(in.role());
    out->incarnation = in.incarnation();
    out->index = in.index();
    out->tick_hz = in.tick_hz();
    out->rect = rect_of(in.rect());
    out->shard_count = in.shard_count();
    return 0;
}

static int open_gateway_batch(const fb::GatewayBatch &in, struct wire_gateway_batch *out) {
    bool aligned = items_of(in.joins(), &out->attaches, &out->attach_count);
    aligned &= items_of(in.activates(), &out->activates, &out->activate_count);
    aligned &= items_of(in.routed(), &out->routed, &out->routed_count);
    aligned &= items_of(in.detaches(), &out->detaches, &out->detach_count);
    aligned &= items_of(in.inputs(), &out->inputs, &out->input_count);
    aligned &= items_of(in.acks(), &out->acks, &out->ack_count);
    aligned &= items_of(in.messages(), &out->messages, &out->message_count);
    blob_items(in.blob(), &out->blob, &out->blob_len);
    bool valid = aligned && ranges_in_blob(out->messages, out->message_count, out->blob_len) &&
                 counts_valid(out->inputs, out->input_count) && carried_valid(out->activates, out->activate_count);
    return valid ? 0 : MARCH_ERR_INVALID;
}

static int open_zone_batch(const fb::ZoneBatch &in, struct wire_zone_batch *out) {
    out->tick = in.tick();
    bool aligned = items_of(in.attached(), &out->attached, &out->attached_count);
    aligned &= items_of(in.snapshots(), &out->snapshots, &out->snapshot_count);
    aligned &= items_of(in.messages(), &out->messages, &out->message_count);
    aligned &= items_of(in.detached(), &out->detached, &out->detached_count);
    aligned &= items_of(in.activated(), &out->activated, &out->activated_count);
    aligned &= items_of(in.reroutes(), &out->reroutes, &out->reroute_count);
    aligned &= items_of(in.returned(), &out->returned, &out->returned_count);
    aligned &= items_of(in.forgotten(), &out->forgotten, &out->forgotten_count);
    blob_items(in.blob(), &out->blob, &out->blob_len);
    bool valid = aligned && ranges_in_blob(out->snapshots, out->snapshot_count, out->blob_len) &&
                 ranges_in_blob(out->messages, out->message_count, out->blob_len) &&
                 ranges_in_blob(out->returned, out->returned_count, out->blob_len) &&
                 carried_valid(out->reroutes, out->reroute_count);
    return valid ? 0 : MARCH_ERR_INVALID;
}

int wire_bus_open(const uint8_t *bytes, size_t len, struct wire_bus_view *view) {
    if (len < sizeof(uint64_t) || len > WIRE_BUS_BYTES_MAX || reinterpret_cast<uintptr_t>(bytes) % alignof(uint64_t) != 0)
        return MARCH_ERR_INVALID;
    Verifier verifier(bytes, len);
    if (!fb::VerifyBusMessageBuffer(verifier)) return MARCH_ERR_INVALID;
    const fb::BusMessage *message = fb::GetBusMessage(bytes);
    if (!message->body()) return MARCH_ERR_INVALID;
    view->kind = wire_bus_kind(message->body_type());
    switch (message->body_type()) {
    case fb::BusBody::Hello: return open_hello(*message->body_as_Hello(), &view->hello);
    case fb::BusBody::GatewayBatch: return open_gateway_batch(*message->body_as_GatewayBatch(), &view->gateway);
    case fb::BusBody::ZoneBatch: return open_zone_batch(*message->body_as_ZoneBatch(), &view->zone);
    default: break;
    }
    int result = wire_persist_open(*message, view);
    if (result == MARCH_ERR_UNSUPPORTED) result = wire_world_open(*message, view);
    return result == MARCH_ERR_UNSUPPORTED ? wire_match_open(*message, view) : result;
}
