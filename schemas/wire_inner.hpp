/* wire_inner.hpp: what wire.cc, wire_persist.cc, wire_world.cc, wire_match.cc and wire_client.cc share. Nothing else
 * includes it. */
#ifndef MARCH_SCHEMAS_WIRE_INNER_HPP
#define MARCH_SCHEMAS_WIRE_INNER_HPP

#include <cstddef>
#include <cstring>

#include "bus_generated.h"
#include "client_generated.h"
#include "schemas/wire.h"

extern "C" {
#include "common/check.h"
#include "common/utf8.h"
}

namespace fb = march::wire;
using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;
using flatbuffers::Verifier;

/* The C structs are copied to and from the wire as they are. */
static_assert(FLATBUFFERS_LITTLEENDIAN, "structs are copied as they are");
#define SAME_LAYOUT(c_struct, fbs_struct, size)                                                                             \
    static_assert(sizeof(c_struct) == (size) && sizeof(fbs_struct) == (size), "size");                                      \
    static_assert(alignof(c_struct) == alignof(fbs_struct), "alignment")
#define AT(c_struct, field, offset) static_assert(offsetof(c_struct, field) == (offset), "offset as in the schema")

/* --- packing */

/* The FlatBuffers buffer is filled from its end downwards, once from this size: bytes_max and room for the builder's
 * scratch. */
static const size_t BUILDER_SCRATCH_BYTES = 1024;

struct wire_builder {
    FlatBufferBuilder fbb;
    size_t bytes_max;
    explicit wire_builder(size_t max) : fbb(max + BUILDER_SCRATCH_BYTES), bytes_max(max) {
    }
};

/* start empties the builder. The alignment makes the finished message start on 8 bytes even where it holds no u64. */
static inline FlatBufferBuilder &start(struct wire_builder *builder) {
    builder->fbb.Clear();
    builder->fbb.Align(sizeof(uint64_t));
    return builder->fbb;
}

template <typename T, typename C>
static Offset<flatbuffers::Vector<const T *>> structs(FlatBufferBuilder &fbb, const C *items, size_t count) {
    static_assert(sizeof(T) == sizeof(C), "the struct of bus.fbs is that of the header");
    return count == 0 ? 0 : fbb.CreateVectorOfStructs(reinterpret_cast<const T *>(items), count);
}

static inline Offset<flatbuffers::Vector<uint8_t>> blob_of(FlatBufferBuilder &fbb, const uint8_t *bytes, size_t len) {
    return len == 0 ? 0 : fbb.CreateVector(bytes, len);
}

/* Ranges of a blob as the reader will check them. */
template <typename C> static bool ranges_in_blob(const C *items, size_t count, size_t blob_len) {
    for (size_t i = 0; i < count; i++)
        if (items[i].offset > blob_len || items[i].len > blob_len - items[i].offset) return false;
    return true;
}

template <size_t SIZE> static Offset<flatbuffers::String> text_of(FlatBufferBuilder &fbb, const char (&text)[SIZE]) {
    size_t len = strnlen(text, SIZE);
    CHECK(utf8_text_valid(text, len, SIZE - 1));
    return fbb.CreateString(text, len);
}

/* An empty text is not written. */
template <size_t SIZE> static Offset<flatbuffers::String> text_or_none(FlatBufferBuilder &fbb, const char (&text)[SIZE]) {
    return text[0] == 0 ? 0 : text_of(fbb, text);
}

/* wire_match_server_body and wire_match_client_body pack what wire_match.h has for clients; other kinds abort. */
Offset<void> wire_match_server_body(FlatBufferBuilder &fbb, const struct wire_server_message &message);
Offset<void> wire_match_client_body(FlatBufferBuilder &fbb, const struct wire_client_message &message);

/* wire_bus_finish closes a BusMessage around its body. */
int wire_bus_finish(struct wire_builder *builder, fb::BusBody kind, Offset<void> body, struct wire_bytes *out);

/* --- reading */

/* items_of hands out a vector of structs; false where it is misaligned, which the library's verifier does not look at. */
template <typename C, typename T>
static bool items_of(const flatbuffers::Vector<const T *> *vector, const C **items, uint32_t *count) {
    static_assert(sizeof(T) == sizeof(C), "the struct of bus.fbs is that of the header");
    *items = vector ? reinterpret_cast<const C *>(vector->Data()) : nullptr;
    *count = vector ? vector->size() : 0;
    return reinterpret_cast<uintptr_t>(*items) % alignof(C) == 0;
}

/* blob_items hands out a blob, never NULL, so that an empty message of an empty blob has an address like any other. */
static inline void blob_items(const flatbuffers::Vector<uint8_t> *vector, const uint8_t **bytes, uint32_t *len) {
    static const uint8_t nothing[1] = {0};
    *bytes = vector ? vector->data() : nothing;
    *len = vector ? vector->size() : 0;
}

static inline wire_rect rect_of(const fb::Rect *r) {
    if (!r) return {};
    return {r->min_x(), r->min_y(), r->max_x(), r->max_y()};
}

/* copy_text copies a text of 1 byte to what `out` holds; false where there is none, or it is not one. */
template <size_t SIZE> static inline bool copy_text(const flatbuffers::String *text, char (&out)[SIZE]) {
    if (!text || !utf8_text_valid(text->c_str(), text->size(), SIZE - 1)) return false;
    memcpy(out, text->c_str(), text->size() + 1);
    return true;
}

/* copy_or_none takes a text that may be missing or empty. */
template <size_t SIZE> static inline bool copy_or_none(const flatbuffers::String *text, char (&out)[SIZE]) {
    out[0] = 0;
    return !text || text->size() == 0 || copy_text(text, out);
}

/* wire_persist_open fills the view of a verified message from or to persist; MARCH_ERR_UNSUPPORTED for another kind. */
int wire_persist_open(const fb::BusMessage &message, struct wire_bus_view *view);

/* wire_world_open does the same for what wire_world.h has. */
int wire_world_open(const fb::BusMessage &message, struct wire_bus_view *view);

/* wire_match_open does the same for what wire_match.h has; the other two copy out what it has for clients. */
int wire_match_open(const fb::BusMessage &message, struct wire_bus_view *view);
int wire_match_server_read(const fb::ServerMessage &in, struct wire_server_message *out);
int wire_match_client_read(const fb::ClientMessage &in, struct wire_client_message *out);

#endif
