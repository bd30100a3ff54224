/* journal_format.h: the bytes of the journal, without I/O. JOURNAL.md has the tables.
 *
 * A segment is a header page and blocks; both begin at multiples of JOURNAL_PAGE. What has not been written is zero. A block
 * is a group commit: a header, the records (compressed where that saves a page), zeros up to the next page. Its CRC is over
 * all of it.
 *
 * Reading trusts nothing: every length is checked against the bytes there are before it is used, also after a CRC was good.
 * What is wrong is told in a struct journal_fault.
 */
#ifndef MARCH_PERSIST_JOURNAL_FORMAT_H
#define MARCH_PERSIST_JOURNAL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "persist/journal.h"

#define JOURNAL_PAGE           4096u /* what a disk writes at once, at most */
#define JOURNAL_VERSION        1u
#define JOURNAL_SEGMENT_MAGIC  "MARCHJNL"
#define JOURNAL_BLOCK_MAGIC    0x314b4c42u /* "BLK1" */
#define JOURNAL_BLOCK_HEADER   48u
#define JOURNAL_RECORD_HEADER  4u                                       /* length, type */
#define JOURNAL_FRAME_MAX      (JOURNAL_BLOCK_BYTES_MAX + JOURNAL_PAGE) /* a block as stored: never more than raw */
#define JOURNAL_RECORDS_MAX    (JOURNAL_BLOCK_BYTES_MAX / (JOURNAL_RECORD_HEADER + 1))
#define JOURNAL_FIRST_POSITION 1u

_Static_assert(JOURNAL_BLOCK_BYTES_MAX % JOURNAL_PAGE == 0, "a block's frame is whole pages");
_Static_assert(JOURNAL_SEGMENT_BYTES_MIN >= 2 * JOURNAL_FRAME_MAX + JOURNAL_PAGE, "a segment takes blocks of any size");
_Static_assert(JOURNAL_BLOCK_BYTES_MAX >= 16 * (JOURNAL_RECORD_BYTES_MAX + JOURNAL_RECORD_HEADER), "blocks hold many");

enum journal_encoding { JOURNAL_RAW = 0, JOURNAL_ZSTD = 1, JOURNAL_ENCODING_COUNT = 2 };

struct journal_segment_header {
    uint8_t id[JOURNAL_ID_BYTES];
    uint32_t index; /* as in its name */
    uint64_t first; /* position of its first record */
};

struct journal_block {
    uint64_t first;      /* position of its first record */
    uint64_t durable;    /* position up to which all was durable when the block was written */
    uint32_t size;       /* on the disk, header and padding included */
    uint32_t stored_len; /* bytes after the header */
    uint32_t raw_len;    /* of the records */
    uint32_t count;      /* of records, at least 1 */
    enum journal_encoding encoding;
};

/* What is wrong with bytes that were read. */
struct journal_fault {
    uint64_t offset;  /* in the segment */
    const char *what; /* static, as in "block position" */
    uint64_t expected, found;
};

struct journal_codec; /* the contexts of Zstandard */

/* journal_codec_create: NULL when memory is short. journal_codec_destroy(NULL) is fine. */
struct journal_codec *journal_codec_create(void);
void journal_codec_destroy(struct journal_codec *codec);

static inline size_t journal_page_up(size_t len) {
    return (len + JOURNAL_PAGE - 1) / JOURNAL_PAGE * JOURNAL_PAGE;
}

/* journal_segment_encode writes a header page. */
void journal_segment_encode(uint8_t page[JOURNAL_PAGE], const struct journal_segment_header *header);

/* journal_segment_decode reads one. MARCH_ERR_EMPTY when the segment was never used (the page is zero, or not there),
 * MARCH_ERR_UNSUPPORTED when it is whole and of another version, MARCH_ERR_INVALID when it is not whole. */
must_check int journal_segment_decode(const uint8_t *bytes, size_t len, struct journal_segment_header *header,
                                      struct journal_fault *fault);

/* journal_record_size returns what a record of `len` bytes takes in a block. */
static inline size_t journal_record_size(size_t len) {
    return JOURNAL_RECORD_HEADER + len;
}

/* journal_record_put writes a record at `at`, where there is room for journal_record_size(len). */
void journal_record_put(uint8_t *at, uint16_t type, const void *bytes, size_t len);

/* journal_block_bound returns the greatest size of a block with `raw_len` bytes of records. */
static inline size_t journal_block_bound(size_t raw_len) {
    return journal_page_up(JOURNAL_BLOCK_HEADER + raw_len);
}

/* journal_block_seal makes a block of `block->raw_len` bytes at `raw`, into `frame` with room for journal_block_bound.
 * Takes first, durable, raw_len and count of `block`, and sets the rest. */
void journal_block_seal(struct journal_codec *codec, struct journal_block *block, const uint8_t *raw, uint8_t *frame);

/* journal_block_decode reads the header of the block at `bytes` and checks its CRC. MARCH_ERR_INVALID when it is broken. */
must_check int journal_block_decode(const uint8_t *bytes, size_t len, struct journal_block *block,
                                    struct journal_fault *fault);

/* journal_block_open gets the records out: `raw` has room for JOURNAL_BLOCK_BYTES_MAX. All of them are checked, so that
 * journal_record_get needs no checks. */
must_check int journal_block_open(struct journal_codec *codec, const uint8_t *bytes, const struct journal_block *block,
                                  uint8_t *raw, struct journal_fault *fault);

/* journal_record_get reads the record at `*raw` of an opened block and moves on. */
const uint8_t *journal_record_get(const uint8_t **raw, uint16_t *type, size_t *len);

/* A walk over the blocks of a segment. */
struct journal_cursor {
    const uint8_t *bytes; /* of the segment */
    size_t len;
    size_t offset;     /* of the next block */
    uint64_t position; /* that the next block must begin with */
};

/* journal_cursor_next reads the next block, without opening it, and moves behind it. Returns 1; 0 at the end, where only
 * zeros follow; MARCH_ERR_INVALID when something else is there, and the cursor stays. */
must_check int journal_cursor_next(struct journal_cursor *cursor, struct journal_block *block, struct journal_fault *fault);

/* journal_cursor_was_durable tells whether what is broken at the cursor had been durable once: a whole block behind it says
 * so. Otherwise it is a torn tail. `proof` gets the offset of that block. */
bool journal_cursor_was_durable(const struct journal_cursor *cursor, uint64_t *proof);

#endif
