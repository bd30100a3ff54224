/* wire.cc: wire.h over the FlatBuffers library. The only C++ of the project, with its parts wire_persist.cc and
 * wire_inner.hpp: Debian has no FlatBuffers compiler for C. */
#include "schemas/wire_inner.hpp"

SAME_LAYOUT(wire_rect, fb::Rect, 16);
AT(wire_rect, max_x, 8);
SAME_LAYOUT(wire_attach, fb::Join, 32);
AT(wire_attach, player, 8);
AT(wire_attach, session_epoch, 16);
AT(wire_attach, attachment, 24);
SAME_LAYOUT(wire_detach, fb::Detach, 16);
AT(wire_detach, reason, 8);
SAME_LAYOUT(wire_input_command, fb::InputCommand, 4);
AT(wire_input_command, buttons, 1);
AT(wire_input_command, aim, 2);
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
SAME_LAYOUT(wire_snapshot, fb::Snapshot, 16);
AT(wire_snapshot, offset, 8);
AT(wire_snapshot, len, 12);
AT(wire_snapshot, snapshot_seq, 14);
static_assert(int(WIRE_BUS_SHARD_TRANSFERS) == int(fb::BusBody::MAX) && int(WIRE_BUS_HELLO) == int(fb::BusBody::Hello));
static_assert(int(WIRE_SERVER_RESPAWNED) == int(fb::ServerBody::Respawned));
static_assert(int(WIRE_CLIENT_RESPAWN) == int(fb::ClientBody::Respawn));
static_assert(int(WIRE_ROLE_PERSIST) == int(fb::Role::MAX) && int(WIRE_ZONE_BACK) == int(fb::ZoneState::Back));
static_assert(WIRE_CLIENT_BYTES_MAX >= 2 * WIRE_TEXT_MAX, "a message with the longest text must fit");

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
    CHECK(ranges_in_blob(b->messages, b->message_count, b->blob_len) && counts_valid(b->inputs, b->input_count));
    FlatBufferBuilder &fbb = start(builder);
    auto joins = structs<fb::Join>(fbb, b->attaches, b->attach_count);
    auto detaches = structs<fb::Detach>(fbb, b->detaches, b->detach_count);
    auto inputs = structs<fb::Input>(fbb, b->inputs, b->input_count);
    auto acks = structs<fb::Ack>(fbb, b->acks, b->ack_count);
    auto messages = structs<fb::Message>(fbb, b->messages, b->message_count);
    auto blob = blob_of(fbb, b->blob, b->blob_len);
    auto body = fb::CreateGatewayBatch(fbb, detaches, inputs, acks, messages, blob, joins);
    return wire_bus_finish(builder, fb::BusBody::GatewayBatch, body.Union(), out);
}

int wire_zone_batch_pack(struct wire_builder *builder, const struct wire_zone_batch *b, struct wire_bytes *out) {
    if (wire_zone_batch_bytes(b) > builder->bytes_max) return MARCH_ERR_FULL;
    CHECK(ranges_in_blob(b->snapshots, b->snapshot_count, b->blob_len) &&
          ranges_in_blob(b->messages, b->message_count, b->blob_len));
    FlatBufferBuilder &fbb = start(builder);
    auto attached = structs<fb::Attached>(fbb, b->attached, b->attached_count);
    auto snapshots = structs<fb::Snapshot>(fbb, b->snapshots, b->snapshot_count);
    auto messages = structs<fb::Message>(fbb, b->messages, b->message_count);
    auto detached = structs<fb::Detach>(fbb, b->detached, b->detached_count);
    auto blob = blob_of(fbb, b->blob, b->blob_len);
    auto body = fb::CreateZoneBatch(fbb, b->tick, attached, snapshots, messages, detached, blob);
    return wire_bus_finish(builder, fb::BusBody::ZoneBatch, body.Union(), out);
}

static Offset<flatbuffers::String> text_of(FlatBufferBuilder &fbb, const char *text, size_t size) {
    size_t len = strnlen(text, size);
    CHECK(utf8_text_valid(text, len, WIRE_TEXT_MAX));
    return fbb.CreateString(text, len);
}

static Offset<fb::Welcome> welcome_of(FlatBufferBuilder &fbb, const struct wire_welcome &w) {
    size_t len = strnlen(w.zone, sizeof w.zone);
    CHECK(len >= 1 && len <= WIRE_NAME_MAX);
    fb::Rect rect(w.rect.min_x, w.rect.min_y, w.rect.max_x, w.rect.max_y);
    auto zone = fbb.CreateString(w.zone, len);
    return fb::CreateWelcome(fbb, w.entity, w.player, zone, w.tick_hz, w.snapshot_hz, &rect, w.view_radius_m);
}

static Offset<void> server_body(FlatBufferBuilder &fbb, const struct wire_server_message &m) {
    switch (m.kind) {
    case WIRE_SERVER_WELCOME: return welcome_of(fbb, m.welcome).Union();
    case WIRE_SERVER_ZONE_STATUS: return fb::CreateZoneStatus(fbb, fb::ZoneState(m.zone_state)).Union();
    case WIRE_SERVER_HEARD: {
        auto text = text_of(fbb, m.heard.text, sizeof m.heard.text);
        return fb::CreateHeard(fbb, m.heard.entity, m.heard.player, text).Union();
    }
    case WIRE_SERVER_DIED: return fb::CreateDied(fbb, m.died_by).Union();
    case WIRE_SERVER_RESPAWNED: return fb::CreateRespawned(fbb).Union();
    }
    CHECK(!"a kind of server message");
}

static Offset<void> client_body(FlatBufferBuilder &fbb, const struct wire_client_message &m) {
    switch (m.kind) {
    case WIRE_CLIENT_SAY: {
        auto text = text_of(fbb, m.say, sizeof m.say);
        return fb::CreateSay(fbb, text).Union();
    }
    case WIRE_CLIENT_VIEWPORT: return fb::CreateViewport(fbb, m.viewport_radius_m).Union();
    case WIRE_CLIENT_RESPAWN: return fb::CreateRespawn(fbb).Union();
    }
    CHECK(!"a kind of client message");
}

int wire_server_message_pack(struct wire_builder *builder, const struct wire_server_message *m, struct wire_bytes *out) {
    FlatBufferBuilder &fbb = start(builder);
    auto body = server_body(fbb, *m);
    fbb.Finish(fb::CreateServerMessage(fbb, fb::ServerBody(m->kind), body));
    CHECK(fbb.GetSize() <= WIRE_CLIENT_BYTES_MAX);
    *out = {fbb.GetBufferPointer(), fbb.GetSize()};
    return 0;
}

int wire_client_message_pack(struct wire_builder *builder, const struct wire_client_message *m, struct wire_bytes *out) {
    FlatBufferBuilder &fbb = start(builder);
    auto body = client_body(fbb, *m);
    fbb.Finish(fb::CreateClientMessage(fbb, fb::ClientBody(m->kind), body));
    CHECK(fbb.GetSize() <= WIRE_CLIENT_BYTES_MAX);
    *out = {fbb.GetBufferPointer(), fbb.GetSize()};
    return 0;
}

/* --- reading */

static wire_rect rect_of(const fb::Rect *r) {
    if (!r) return {};
    return {r->min_x(), r->min_y(), r->max_x(), r->max_y()};
}

static bool copy_text(const flatbuffers::String *text, char (&out)[WIRE_TEXT_MAX + 1]) {
    if (!text || !utf8_text_valid(text->c_str(), text->size(), WIRE_TEXT_MAX)) return false;
    memcpy(out, text->c_str(), text->size() + 1);
    return true;
}

static int open_hello(const fb::Hello &in, struct wire_hello *out) {
    if (!copy_name(in.name(), out->name)) return MARCH_ERR_INVALID;
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
    aligned &= items_of(in.detaches(), &out->detaches, &out->detach_count);
    aligned &= items_of(in.inputs(), &out->inputs, &out->input_count);
    aligned &= items_of(in.acks(), &out->acks, &out->ack_count);
    aligned &= items_of(in.messages(), &out->messages, &out->message_count);
    blob_items(in.blob(), &out->blob, &out->blob_len);
    bool valid = aligned && ranges_in_blob(out->messages, out->message_count, out->blob_len) &&
                 counts_valid(out->inputs, out->input_count);
    return valid ? 0 : MARCH_ERR_INVALID;
}

static int open_zone_batch(const fb::ZoneBatch &in, struct wire_zone_batch *out) {
    out->tick = in.tick();
    bool aligned = items_of(in.attached(), &out->attached, &out->attached_count);
    aligned &= items_of(in.snapshots(), &out->snapshots, &out->snapshot_count);
    aligned &= items_of(in.messages(), &out->messages, &out->message_count);
    aligned &= items_of(in.detached(), &out->detached, &out->detached_count);
    blob_items(in.blob(), &out->blob, &out->blob_len);
    bool valid = aligned && ranges_in_blob(out->snapshots, out->snapshot_count, out->blob_len) &&
                 ranges_in_blob(out->messages, out->message_count, out->blob_len);
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
    default: return wire_persist_open(*message, view);
    }
}

/* Client messages lie at any alignment in a reassembled stream: the verified copy is aligned. */
struct aligned_message {
    alignas(uint64_t) uint8_t bytes[WIRE_CLIENT_BYTES_MAX];
};

template <typename T> static const T *verified(const uint8_t *bytes, size_t len, aligned_message &copy) {
    if (len < sizeof(uint64_t) || len > sizeof copy.bytes) return nullptr;
    memcpy(copy.bytes, bytes, len);
    Verifier verifier(copy.bytes, len);
    if (!verifier.VerifyBuffer<T>(nullptr)) return nullptr;
    const T *root = flatbuffers::GetRoot<T>(copy.bytes);
    return root->body() ? root : nullptr;
}

static int read_welcome(const fb::Welcome &in, struct wire_welcome *out) {
    if (!copy_name(in.zone(), out->zone)) return MARCH_ERR_INVALID;
    out->entity = in.entity();
    out->player = in.player();
    out->tick_hz = in.tick_hz();
    out->snapshot_hz = in.snapshot_hz();
    out->view_radius_m = in.view_radius_m();
    out->rect = rect_of(in.rect());
    return 0;
}

static int read_zone_status(const fb::ZoneStatus &in, enum wire_zone_state *out) {
    if (in.state() != fb::ZoneState::Lost && in.state() != fb::ZoneState::Back) return MARCH_ERR_INVALID;
    *out = wire_zone_state(in.state());
    return 0;
}

static int read_heard(const fb::Heard &in, struct wire_heard *out) {
    out->entity = in.entity();
    out->player = in.player();
    return copy_text(in.text(), out->text) ? 0 : MARCH_ERR_INVALID;
}

int wire_server_message_read(const uint8_t *bytes, size_t len, struct wire_server_message *message) {
    aligned_message copy;
    const fb::ServerMessage *root = verified<fb::ServerMessage>(bytes, len, copy);
    if (!root) return MARCH_ERR_INVALID;
    message->kind = wire_server_kind(root->body_type());
    switch (root->body_type()) {
    case fb::ServerBody::Welcome: return read_welcome(*root->body_as_Welcome(), &message->welcome);
    case fb::ServerBody::ZoneStatus: return read_zone_status(*root->body_as_ZoneStatus(), &message->zone_state);
    case fb::ServerBody::Heard: return read_heard(*root->body_as_Heard(), &message->heard);
    case fb::ServerBody::Died: message->died_by = root->body_as_Died()->by(); return 0;
    case fb::ServerBody::Respawned: return 0;
    default: return MARCH_ERR_UNSUPPORTED;
    }
}

int wire_client_message_read(const uint8_t *bytes, size_t len, struct wire_client_message *message) {
    aligned_message copy;
    const fb::ClientMessage *root = verified<fb::ClientMessage>(bytes, len, copy);
    if (!root) return MARCH_ERR_INVALID;
    message->kind = wire_client_kind(root->body_type());
    switch (root->body_type()) {
    case fb::ClientBody::Say: return copy_text(root->body_as_Say()->text(), message->say) ? 0 : MARCH_ERR_INVALID;
    case fb::ClientBody::Viewport: message->viewport_radius_m = root->body_as_Viewport()->radius_m(); return 0;
    case fb::ClientBody::Respawn: return 0;
    default: return MARCH_ERR_UNSUPPORTED;
    }
}
