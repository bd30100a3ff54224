/* A segment of the journal, as raw bytes and with its CRCs put right: whatever it says, it is read to a valid prefix or
 * refused, and what is read is within bounds. Then the same bytes as records, for a round trip. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/check.h"
#include "common/crc32c.h"
#include "persist/journal_format.h"

#define SEGMENT_MAX (16 * JOURNAL_PAGE)

static struct journal_codec *codec;
static uint8_t raw[JOURNAL_BLOCK_BYTES_MAX], back[JOURNAL_BLOCK_BYTES_MAX], frame[JOURNAL_FRAME_MAX];

static void read_records(const uint8_t *records, const struct journal_block *block) {
    const uint8_t *next = records;
    for (uint32_t i = 0; i < block->count; i++) {
        uint16_t type;
        size_t len;
        const uint8_t *record = journal_record_get(&next, &type, &len);
        CHECK(record + len <= records + block->raw_len && len > 0 && len <= JOURNAL_RECORD_BYTES_MAX);
    }
    CHECK(next == records + block->raw_len);
}

static void read_segment(const uint8_t *bytes, size_t len) {
    struct journal_segment_header header;
    struct journal_fault fault;
    if (journal_segment_decode(bytes, len, &header, &fault) != 0) header.first = 1;
    if (len < JOURNAL_PAGE) return;
    struct journal_cursor cursor = {.bytes = bytes, .len = len, .offset = JOURNAL_PAGE, .position = header.first};
    struct journal_block block;
    int result;
    do {
        size_t offset = cursor.offset;
        result = journal_cursor_next(&cursor, &block, &fault);
        CHECK(cursor.offset <= len);
        if (result < 0) CHECK(fault.offset < len + JOURNAL_PAGE && fault.what != NULL);
        if (result == 1 && journal_block_open(codec, bytes + offset, &block, raw, &fault) == 0) read_records(raw, &block);
    } while (result == 1);
    uint64_t proof = 0;
    if (result < 0 && journal_cursor_was_durable(&cursor, &proof)) CHECK(proof < len);
}

/* mend puts the CRCs right, so that what lies behind them is reached. */
static void mend(uint8_t *bytes, size_t len) {
    for (size_t at = JOURNAL_PAGE; at + JOURNAL_PAGE <= len;) {
        size_t size = load_le(bytes + at + 24, 4);
        if (size == 0 || size % JOURNAL_PAGE != 0 || size > len - at) size = JOURNAL_PAGE;
        store_le(bytes + at, JOURNAL_BLOCK_MAGIC, 4);
        store_le(bytes + at + 24, size, 4);
        store_le(bytes + at + 4, crc32c(0, bytes + at + 8, size - 8), 4);
        at += size;
    }
}

static void round_trip(const uint8_t *data, size_t size) {
    struct journal_block block = {.first = 1};
    for (size_t at = 0; at + 1 < size && block.raw_len < JOURNAL_BLOCK_BYTES_MAX - 300; block.count++) {
        size_t len = (size_t)data[at] + 1;
        if (len > size - at) len = size - at;
        journal_record_put(raw + block.raw_len, data[at], data + at, len);
        block.raw_len += (uint32_t)journal_record_size(len);
        at += len;
    }
    if (block.count == 0) return;
    journal_block_seal(codec, &block, raw, frame);
    struct journal_block out;
    struct journal_fault fault;
    CHECK(journal_block_decode(frame, block.size, &out, &fault) == 0);
    CHECK(journal_block_open(codec, frame, &out, back, &fault) == 0);
    CHECK(out.raw_len == block.raw_len && memcmp(raw, back, out.raw_len) == 0);
    read_records(back, &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > SEGMENT_MAX) return 0;
    if (!codec) codec = journal_codec_create();
    CHECK(codec != NULL);
    read_segment(data, size);
    uint8_t *mended = malloc(size + 1);
    CHECK(mended != NULL);
    memcpy(mended, data, size);
    mend(mended, size);
    read_segment(mended, size);
    free(mended);
    round_trip(data, size);
    return 0;
}
