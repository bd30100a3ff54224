/* journal_format.c: segments, blocks and records, to bytes and back. */
#include "persist/journal_format.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "common/bytes.h"
#include "common/check.h"
#include "common/crc32c.h"

#define LEVEL (-5) /* of Zstandard: motion shrinks to 3/5; level 1 takes twice as long, on the way to durable, for 1/2 */

/* Offsets in a segment's header page. */
#define SEGMENT_VERSION 8
#define SEGMENT_CRC     12 /* of the page, this field as 0 */
#define SEGMENT_ID      16
#define SEGMENT_FIRST   32
#define SEGMENT_INDEX   40

/* Offsets in a block. */
#define BLOCK_CRC      4 /* of all that follows it */
#define BLOCK_FIRST    8
#define BLOCK_DURABLE  16
#define BLOCK_SIZE     24
#define BLOCK_STORED   28
#define BLOCK_RAW      32
#define BLOCK_COUNT    36
#define BLOCK_ENCODING 40 /* 1 byte, then 7 zeros */

struct journal_codec {
    ZSTD_CCtx *compress;
    ZSTD_DCtx *decompress;
};

struct journal_codec *journal_codec_create(void) {
    struct journal_codec *codec = calloc(1, sizeof *codec);
    if (!codec) return NULL;
    codec->compress = ZSTD_createCCtx();
    codec->decompress = ZSTD_createDCtx();
    if (codec->compress && codec->decompress) return codec;
    journal_codec_destroy(codec);
    return NULL;
}

void journal_codec_destroy(struct journal_codec *codec) {
    if (!codec) return;
    ZSTD_freeCCtx(codec->compress);
    ZSTD_freeDCtx(codec->decompress);
    free(codec);
}

static int fault_set(struct journal_fault *fault, uint64_t offset, const char *what, uint64_t expected, uint64_t found) {
    *fault = (struct journal_fault){.offset = offset, .what = what, .expected = expected, .found = found};
    return MARCH_ERR_INVALID;
}

/* first_non_zero returns where the first byte that is not zero is, or `len`. */
static size_t first_non_zero(const uint8_t *bytes, size_t len) {
    size_t at = 0;
    while (at + 8 <= len && load_le(bytes + at, 8) == 0) at += 8;
    while (at < len && bytes[at] == 0) at++;
    return at;
}

/* --- segment header */

static uint32_t segment_crc(const uint8_t page[JOURNAL_PAGE]) {
    static const uint8_t zero[4];
    uint32_t crc = crc32c(0, page, SEGMENT_CRC);
    crc = crc32c(crc, zero, sizeof zero);
    return crc32c(crc, page + SEGMENT_CRC + 4, JOURNAL_PAGE - SEGMENT_CRC - 4);
}

void journal_segment_encode(uint8_t page[JOURNAL_PAGE], const struct journal_segment_header *header) {
    memset(page, 0, JOURNAL_PAGE);
    memcpy(page, JOURNAL_SEGMENT_MAGIC, 8);
    store_le(page + SEGMENT_VERSION, JOURNAL_VERSION, 4);
    memcpy(page + SEGMENT_ID, header->id, JOURNAL_ID_BYTES);
    store_le(page + SEGMENT_FIRST, header->first, 8);
    store_le(page + SEGMENT_INDEX, header->index, 4);
    store_le(page + SEGMENT_CRC, segment_crc(page), 4);
}

int journal_segment_decode(const uint8_t *bytes, size_t len, struct journal_segment_header *header,
                           struct journal_fault *fault) {
    if (first_non_zero(bytes, len < JOURNAL_PAGE ? len : JOURNAL_PAGE) == (len < JOURNAL_PAGE ? len : JOURNAL_PAGE)) {
        (void)fault_set(fault, 0, "segment header", JOURNAL_PAGE, len);
        return MARCH_ERR_EMPTY;
    }
    if (len < JOURNAL_PAGE) return fault_set(fault, 0, "bytes of the segment header", JOURNAL_PAGE, len);
    if (memcmp(bytes, JOURNAL_SEGMENT_MAGIC, 8) != 0)
        return fault_set(fault, 0, "magic of the segment", load_le((const uint8_t *)JOURNAL_SEGMENT_MAGIC, 8),
                         load_le(bytes, 8));
    uint32_t crc = (uint32_t)load_le(bytes + SEGMENT_CRC, 4);
    if (crc != segment_crc(bytes))
        return fault_set(fault, SEGMENT_CRC, "CRC of the segment header", segment_crc(bytes), crc);
    uint32_t version = (uint32_t)load_le(bytes + SEGMENT_VERSION, 4);
    if (version != JOURNAL_VERSION) {
        (void)fault_set(fault, SEGMENT_VERSION, "version of the segment", JOURNAL_VERSION, version);
        return MARCH_ERR_UNSUPPORTED;
    }
    memcpy(header->id, bytes + SEGMENT_ID, JOURNAL_ID_BYTES);
    header->first = load_le(bytes + SEGMENT_FIRST, 8);
    header->index = (uint32_t)load_le(bytes + SEGMENT_INDEX, 4);
    if (header->first < JOURNAL_FIRST_POSITION || header->first > INT64_MAX)
        return fault_set(fault, SEGMENT_FIRST, "first position of the segment", JOURNAL_FIRST_POSITION, header->first);
    return 0;
}

/* --- records */

void journal_record_put(uint8_t *at, uint16_t type, const void *bytes, size_t len) {
    store_le(at, len, 2);
    store_le(at + 2, type, 2);
    memcpy(at + JOURNAL_RECORD_HEADER, bytes, len);
}

const uint8_t *journal_record_get(const uint8_t **raw, uint16_t *type, size_t *len) {
    const uint8_t *record = *raw;
    *len = load_le(record, 2);
    *type = (uint16_t)load_le(record + 2, 2);
    *raw = record + JOURNAL_RECORD_HEADER + *len;
    return record + JOURNAL_RECORD_HEADER;
}

static int records_check(const uint8_t *raw, const struct journal_block *block, struct journal_fault *fault) {
    size_t at = 0;
    for (uint32_t i = 0; i < block->count; i++) {
        size_t left = block->raw_len - at;
        if (left < JOURNAL_RECORD_HEADER)
            return fault_set(fault, at, "bytes of a record's header", JOURNAL_RECORD_HEADER, left);
        size_t len = load_le(raw + at, 2);
        if (len == 0 || len > JOURNAL_RECORD_BYTES_MAX || len > left - JOURNAL_RECORD_HEADER)
            return fault_set(fault, at, "length of a record", left - JOURNAL_RECORD_HEADER, len);
        at += JOURNAL_RECORD_HEADER + len;
    }
    if (at != block->raw_len) return fault_set(fault, at, "bytes of the records", block->raw_len, at);
    return 0;
}

/* --- blocks */

void journal_block_seal(struct journal_codec *codec, struct journal_block *block, const uint8_t *raw, uint8_t *frame) {
    CHECK(block->raw_len > 0 && block->raw_len <= JOURNAL_BLOCK_BYTES_MAX && block->count > 0);
    size_t bound = journal_block_bound(block->raw_len);
    size_t packed = 0;
    if (bound > JOURNAL_PAGE) { /* less than a page can't be saved */
        size_t room = bound - JOURNAL_PAGE - JOURNAL_BLOCK_HEADER;
        packed = ZSTD_compressCCtx(codec->compress, frame + JOURNAL_BLOCK_HEADER, room, raw, block->raw_len, LEVEL);
    }
    bool pays = packed != 0 && !ZSTD_isError(packed);
    block->encoding = pays ? JOURNAL_ZSTD : JOURNAL_RAW;
    block->stored_len = pays ? (uint32_t)packed : block->raw_len;
    block->size = (uint32_t)journal_page_up(JOURNAL_BLOCK_HEADER + block->stored_len);
    if (!pays) memcpy(frame + JOURNAL_BLOCK_HEADER, raw, block->raw_len);
    memset(frame, 0, JOURNAL_BLOCK_HEADER);
    store_le(frame, JOURNAL_BLOCK_MAGIC, 4);
    store_le(frame + BLOCK_FIRST, block->first, 8);
    store_le(frame + BLOCK_DURABLE, block->durable, 8);
    store_le(frame + BLOCK_SIZE, block->size, 4);
    store_le(frame + BLOCK_STORED, block->stored_len, 4);
    store_le(frame + BLOCK_RAW, block->raw_len, 4);
    store_le(frame + BLOCK_COUNT, block->count, 4);
    frame[BLOCK_ENCODING] = (uint8_t)block->encoding;
    size_t end = JOURNAL_BLOCK_HEADER + block->stored_len;
    memset(frame + end, 0, block->size - end);
    store_le(frame + BLOCK_CRC, crc32c(0, frame + BLOCK_FIRST, block->size - BLOCK_FIRST), 4);
}

/* fields_check judges what the CRC can't: a block that was written by something else than journal_block_seal. */
static int fields_check(const uint8_t *bytes, struct journal_block *block, struct journal_fault *fault) {
    if (block->raw_len == 0 || block->raw_len > JOURNAL_BLOCK_BYTES_MAX)
        return fault_set(fault, BLOCK_RAW, "bytes of the block's records", JOURNAL_BLOCK_BYTES_MAX, block->raw_len);
    if (block->count == 0 || block->count > JOURNAL_RECORDS_MAX)
        return fault_set(fault, BLOCK_COUNT, "count of the block's records", JOURNAL_RECORDS_MAX, block->count);
    if (block->stored_len > block->size - JOURNAL_BLOCK_HEADER)
        return fault_set(fault, BLOCK_STORED, "stored bytes of the block", block->size - JOURNAL_BLOCK_HEADER,
                         block->stored_len);
    uint64_t encoding = load_le(bytes + BLOCK_ENCODING, 8);
    if (encoding >= JOURNAL_ENCODING_COUNT)
        return fault_set(fault, BLOCK_ENCODING, "encoding of the block", JOURNAL_ZSTD, encoding);
    if (encoding == JOURNAL_RAW && block->stored_len != block->raw_len)
        return fault_set(fault, BLOCK_STORED, "stored bytes of the raw block", block->raw_len, block->stored_len);
    if (block->first < JOURNAL_FIRST_POSITION || block->first > INT64_MAX || block->durable >= block->first)
        return fault_set(fault, BLOCK_FIRST, "first position of the block", block->durable + 1, block->first);
    block->encoding = (enum journal_encoding)encoding;
    return 0;
}

int journal_block_decode(const uint8_t *bytes, size_t len, struct journal_block *block, struct journal_fault *fault) {
    if (len < JOURNAL_PAGE) return fault_set(fault, 0, "bytes of the block", JOURNAL_PAGE, len);
    uint32_t magic = (uint32_t)load_le(bytes, 4);
    if (magic != JOURNAL_BLOCK_MAGIC) return fault_set(fault, 0, "magic of the block", JOURNAL_BLOCK_MAGIC, magic);
    *block = (struct journal_block){.first = load_le(bytes + BLOCK_FIRST, 8),
                                    .durable = load_le(bytes + BLOCK_DURABLE, 8),
                                    .size = (uint32_t)load_le(bytes + BLOCK_SIZE, 4),
                                    .stored_len = (uint32_t)load_le(bytes + BLOCK_STORED, 4),
                                    .raw_len = (uint32_t)load_le(bytes + BLOCK_RAW, 4),
                                    .count = (uint32_t)load_le(bytes + BLOCK_COUNT, 4)};
    if (block->size == 0 || block->size % JOURNAL_PAGE != 0 || block->size > JOURNAL_FRAME_MAX || block->size > len)
        return fault_set(fault, BLOCK_SIZE, "size of the block, at most", len < JOURNAL_FRAME_MAX ? len : JOURNAL_FRAME_MAX,
                         block->size);
    uint32_t crc = crc32c(0, bytes + BLOCK_FIRST, block->size - BLOCK_FIRST);
    uint32_t found = (uint32_t)load_le(bytes + BLOCK_CRC, 4);
    if (crc != found) return fault_set(fault, BLOCK_CRC, "CRC of the block", crc, found);
    return fields_check(bytes, block, fault);
}

int journal_block_open(struct journal_codec *codec, const uint8_t *bytes, const struct journal_block *block, uint8_t *raw,
                       struct journal_fault *fault) {
    const uint8_t *stored = bytes + JOURNAL_BLOCK_HEADER;
    if (block->encoding == JOURNAL_RAW) {
        memcpy(raw, stored, block->raw_len);
        return records_check(raw, block, fault);
    }
    size_t len = ZSTD_decompressDCtx(codec->decompress, raw, block->raw_len, stored, block->stored_len);
    if (ZSTD_isError(len) || len != block->raw_len)
        return fault_set(fault, JOURNAL_BLOCK_HEADER, "bytes after decompression", block->raw_len,
                         ZSTD_isError(len) ? 0 : len);
    return records_check(raw, block, fault);
}

/* --- walking a segment */

int journal_cursor_next(struct journal_cursor *cursor, struct journal_block *block, struct journal_fault *fault) {
    const uint8_t *bytes = cursor->bytes + cursor->offset;
    size_t left = cursor->len - cursor->offset;
    if (left == 0) return 0;
    if (load_le(bytes, left < 8 ? left : 8) == 0) { /* not written yet; what follows must not be either */
        size_t at = first_non_zero(bytes, left);
        return at == left ? 0 : fault_set(fault, cursor->offset + at, "zero after the last block", 0, bytes[at]);
    }
    int error = journal_block_decode(bytes, left, block, fault);
    if (!error && block->first != cursor->position)
        error = fault_set(fault, BLOCK_FIRST, "first position of the block", cursor->position, block->first);
    if (error) {
        fault->offset += cursor->offset;
        return error;
    }
    cursor->offset += block->size;
    cursor->position += block->count;
    return 1;
}

bool journal_cursor_was_durable(const struct journal_cursor *cursor, uint64_t *proof) {
    struct journal_block block;
    struct journal_fault fault;
    for (size_t at = cursor->offset; at < cursor->len; at += JOURNAL_PAGE) {
        if (journal_block_decode(cursor->bytes + at, cursor->len - at, &block, &fault) != 0) continue;
        if (block.durable < cursor->position) continue;
        *proof = at;
        return true;
    }
    return false;
}
