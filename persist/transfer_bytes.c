#include "persist/transfer_bytes.h"

#include "common/bytes.h"
#include "common/check.h"

size_t transfer_write(const struct ledger_transfer *t, uint8_t bytes[TRANSFER_BYTES_MAX]) {
    struct byte_writer w = {.bytes = bytes, .size = TRANSFER_BYTES_MAX};
    const uint64_t longs[] = {t->id, t->player, t->other, t->object, t->created_ms, (uint64_t)t->gold};
    for (size_t i = 0; i < sizeof longs / sizeof *longs; i++) write_uint(&w, longs[i], 8);
    write_uint(&w, t->dest_shard, 4);
    write_uint(&w, (uint64_t)t->purpose, 4);
    write_uint(&w, t->item_count, 4);
    for (uint32_t i = 0; i < t->item_count; i++) {
        write_uint(&w, t->items[i].id, 8);
        write_uint(&w, t->items[i].origin, 8);
        write_uint(&w, t->items[i].kind, 4);
        write_uint(&w, t->items[i].count, 4);
    }
    CHECK(!w.overflow);
    return w.len;
}

int transfer_read(const uint8_t *bytes, size_t len, struct ledger_transfer *out) {
    struct byte_reader r = {.bytes = bytes, .len = len};
    *out = (struct ledger_transfer){.id = read_uint(&r, 8)};
    out->player = read_uint(&r, 8);
    out->other = read_uint(&r, 8);
    out->object = read_uint(&r, 8);
    out->created_ms = read_uint(&r, 8);
    out->gold = (int64_t)read_uint(&r, 8);
    out->dest_shard = (uint32_t)read_uint(&r, 4);
    uint64_t purpose = read_uint(&r, 4);
    out->item_count = (uint32_t)read_uint(&r, 4);
    if (r.overflow || out->item_count > LEDGER_TRADE_ITEMS_MAX || purpose == 0 || purpose >= LEDGER_PURPOSE_COUNT ||
        out->gold < 0 || out->gold > LEDGER_GOLD_MAX)
        return MARCH_ERR_INVALID;
    out->purpose = (enum ledger_purpose)purpose;
    for (uint32_t i = 0; i < out->item_count; i++) {
        out->items[i].id = read_uint(&r, 8);
        out->items[i].origin = read_uint(&r, 8);
        out->items[i].kind = (uint32_t)read_uint(&r, 4);
        out->items[i].count = (uint32_t)read_uint(&r, 4);
    }
    return r.overflow || r.next != r.len ? MARCH_ERR_INVALID : 0;
}
