/* flat.c: see flat.h. */
#include "tools/client/flat.h"

#include <string.h>

#include "common/bytes.h"
#include "common/utf8.h"

/* has tells whether `size` bytes at `at` lie in the message. */
static bool has(struct flat_message *m, uint64_t at, uint64_t size) {
    if (at + size <= m->len) return true;
    m->bad = true;
    return false;
}

static struct flat_table table_at(struct flat_message *m, uint64_t at) {
    struct flat_table none = {.message = m};
    if (!has(m, at, 4)) return none;
    int64_t vtable = (int64_t)at - (int32_t)load_le(m->bytes + at, 4);
    if (vtable < 0 || !has(m, (uint64_t)vtable, 4)) {
        m->bad = true;
        return none;
    }
    struct flat_table table = {.message = m,
                               .at = (uint32_t)at,
                               .vtable = (uint32_t)vtable,
                               .vtable_size = (uint32_t)load_le(m->bytes + vtable, 2)};
    if (table.vtable_size < 4 || !has(m, table.vtable, table.vtable_size)) {
        m->bad = true;
        return none;
    }
    return table;
}

struct flat_table flat_root(struct flat_message *m) {
    struct flat_table none = {.message = m};
    return has(m, 0, 4) ? table_at(m, load_le(m->bytes, 4)) : none;
}

const uint8_t *flat_struct(const struct flat_table *t, unsigned field, uint32_t size) {
    uint32_t entry = 4 + 2 * field;
    if (t->at == 0 || entry + 2 > t->vtable_size) return NULL;
    uint32_t offset = (uint32_t)load_le(t->message->bytes + t->vtable + entry, 2);
    if (offset == 0) return NULL;
    return has(t->message, (uint64_t)t->at + offset, size) ? t->message->bytes + t->at + offset : NULL;
}

static uint64_t number(const struct flat_table *t, unsigned field, uint32_t size, uint64_t otherwise) {
    const uint8_t *bytes = flat_struct(t, field, size);
    return bytes ? load_le(bytes, size) : otherwise;
}

uint8_t flat_u8(const struct flat_table *t, unsigned field, uint8_t otherwise) {
    return (uint8_t)number(t, field, 1, otherwise);
}

uint16_t flat_u16(const struct flat_table *t, unsigned field) {
    return (uint16_t)number(t, field, 2, 0);
}

uint32_t flat_u32(const struct flat_table *t, unsigned field) {
    return (uint32_t)number(t, field, 4, 0);
}

uint64_t flat_u64(const struct flat_table *t, unsigned field) {
    return number(t, field, 8, 0);
}

/* follow returns where an offset in the table leads, 0 where there is none. */
static uint64_t follow(const struct flat_table *t, unsigned field) {
    const uint8_t *bytes = flat_struct(t, field, 4);
    if (!bytes) return 0;
    return (uint64_t)(bytes - t->message->bytes) + load_le(bytes, 4);
}

struct flat_table flat_table_of(const struct flat_table *t, unsigned field) {
    uint64_t at = follow(t, field);
    struct flat_table none = {.message = t->message};
    return at == 0 ? none : table_at(t->message, at);
}

struct flat_vector flat_vector_of(const struct flat_table *t, unsigned field, uint32_t item_size, uint32_t most) {
    struct flat_vector none = {0};
    uint64_t at = follow(t, field);
    if (at == 0 || !has(t->message, at, 4)) return none;
    uint32_t count = (uint32_t)load_le(t->message->bytes + at, 4);
    if (count > most || !has(t->message, at + 4, (uint64_t)count * item_size)) {
        t->message->bad = true;
        return none;
    }
    return (struct flat_vector){.items = t->message->bytes + at + 4, .count = count};
}

void flat_text(const struct flat_table *t, unsigned field, char *text, size_t size) {
    struct flat_vector bytes = flat_vector_of(t, field, 1, (uint32_t)size - 1);
    text[0] = 0;
    if (bytes.count == 0) return;
    if (!utf8_text_valid((const char *)bytes.items, bytes.count, size - 1)) {
        t->message->bad = true;
        return;
    }
    memcpy(text, bytes.items, bytes.count);
    text[bytes.count] = 0;
}
