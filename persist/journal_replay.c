/* journal_replay.c: segment by segment, block by block, record by record.
 *
 * The writer begins a segment only when all before it is durable. So only the newest segment can have a torn tail, and
 * whatever is broken in an older one is damage. In the newest, a block that says that the broken place was durable when it
 * was written tells damage from a torn tail. */
#include "persist/journal_replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

struct replay {
    struct journal_dir *dir;
    struct journal_codec *codec;
    uint8_t *raw;
    uint64_t applied;
    journal_record_fn record;
    void *ctx;
    struct journal_replay_result *result;
    char *error;
    size_t error_size;
};

/* hand_out opens a block and gives away its records after `applied`. */
static int hand_out(struct replay *r, const struct journal_segment *segment, const uint8_t *bytes, uint64_t offset,
                    const struct journal_block *block) {
    if (block->first + block->count <= r->applied + 1) return 0;
    struct journal_fault fault;
    if (journal_block_open(r->codec, bytes + offset, block, r->raw, &fault) != 0) {
        fault.offset = offset;
        return journal_fault_text(r->dir, segment->index, &fault, r->error, r->error_size);
    }
    const uint8_t *next = r->raw;
    for (uint64_t position = block->first; position < block->first + block->count; position++) {
        uint16_t type;
        size_t len;
        const uint8_t *record = journal_record_get(&next, &type, &len);
        if (position <= r->applied) continue;
        int result = r->record(r->ctx, position, type, record, len);
        if (result < 0) {
            snprintf(r->error, r->error_size, "%s: the record at position %" PRIu64 ", type %u, %zu bytes, was refused: %s",
                     r->dir->path, position, type, len, march_error_text(result));
            return result;
        }
        r->result->records++;
    }
    return 0;
}

/* judge_tail decides about broken bytes at the cursor: cuts a torn tail of the newest segment, else says what is wrong. */
static int judge_tail(struct replay *r, uint32_t at, const struct journal_cursor *cursor, const struct journal_fault *fault,
                      bool has_blocks) {
    const struct journal_segment *segment = &r->dir->segments[at];
    uint64_t proof;
    bool newest = at + 1 == r->dir->count;
    if (!newest || journal_cursor_was_durable(cursor, &proof)) {
        (void)journal_fault_text(r->dir, segment->index, fault, r->error, r->error_size);
        size_t len = strlen(r->error);
        if (newest)
            snprintf(r->error + len, r->error_size - len,
                     "; not a torn tail: the block at offset %" PRIu64 " was written after it", proof);
        return MARCH_ERR_INVALID;
    }
    r->result->cut_bytes += segment->bytes - cursor->offset;
    log_warn("journal.tail_cut", "segment=%" PRIu32 " offset=%zu bytes=%" PRIu64 " what=%s", segment->index, cursor->offset,
             segment->bytes - cursor->offset, LOG_QUOTE(fault->what));
    bool keep = has_blocks || (at == 0 && segment->first > JOURNAL_FIRST_POSITION);
    return journal_dir_cut(r->dir, at, keep ? cursor->offset : 0, r->error, r->error_size);
}

/* blocks_read walks a segment whose bytes are in memory. */
static int blocks_read(struct replay *r, uint32_t at, struct journal_cursor *cursor) {
    const struct journal_segment *segment = &r->dir->segments[at];
    bool has_blocks = false;
    for (;;) {
        struct journal_block block;
        struct journal_fault fault;
        size_t offset = cursor->offset;
        int result = journal_cursor_next(cursor, &block, &fault);
        if (result < 0) {
            r->result->last = cursor->position - 1;
            return judge_tail(r, at, cursor, &fault, has_blocks);
        }
        if (result == 0) break;
        has_blocks = true;
        result = hand_out(r, segment, cursor->bytes, offset, &block);
        if (result) return result;
    }
    r->result->last = cursor->position - 1;
    if (cursor->offset == cursor->len) return 0;
    return journal_dir_cut(r->dir, at, cursor->offset, r->error, r->error_size); /* gives back what was made ahead */
}

static int segment_read(struct replay *r, uint32_t at, uint64_t expected) {
    struct journal_segment *segment = &r->dir->segments[at];
    struct journal_fault fault = {.what = "first position of the segment", .expected = expected, .found = segment->first};
    if (segment->first != 0 && segment->first != expected)
        return journal_fault_text(r->dir, segment->index, &fault, r->error, r->error_size);
    uint8_t *bytes = NULL;
    size_t len = 0;
    int result = journal_dir_read(r->dir, segment, &bytes, &len, r->error, r->error_size);
    if (result) return result;
    struct journal_cursor cursor = {.bytes = bytes, .len = len, .offset = JOURNAL_PAGE, .position = expected};
    struct journal_segment_header header;
    if (segment->first == 0 && journal_segment_decode(bytes, len, &header, &fault) != 0) {
        if (len < JOURNAL_PAGE) cursor.offset = len;
        r->result->last = expected - 1;
        result = judge_tail(r, at, &cursor, &fault, false);
    } else {
        result = blocks_read(r, at, &cursor);
    }
    free(bytes);
    return result;
}

static int segments_read(struct replay *r) {
    struct journal_dir *dir = r->dir;
    uint64_t expected = dir->count > 0 && dir->segments[0].first > 0 ? dir->segments[0].first : JOURNAL_FIRST_POSITION;
    if (r->applied > 0 && expected > r->applied + 1)
        log_error("journal.gap", "begins=%" PRIu64 " applied=%" PRIu64 " what=%s", expected, r->applied,
                  LOG_QUOTE("records between are gone: is the database an older copy?"));
    r->result->last = expected - 1;
    for (uint32_t at = 0; at < dir->count; at++) {
        int result = segment_read(r, at, expected);
        if (result) return result;
        expected = r->result->last + 1;
    }
    if (r->applied <= r->result->last) return 0;
    snprintf(r->error, r->error_size,
             "%s: ends at position %" PRIu64 ", expected %" PRIu64 " at least, which the database has", dir->path,
             r->result->last, r->applied);
    return MARCH_ERR_INVALID;
}

int journal_replay(struct journal_dir *dir, uint64_t applied, journal_record_fn record, void *ctx,
                   struct journal_replay_result *result, char *error, size_t error_size) {
    *result = (struct journal_replay_result){0};
    struct replay r = {.dir = dir,
                       .codec = journal_codec_create(),
                       .raw = malloc(JOURNAL_BLOCK_BYTES_MAX),
                       .applied = applied,
                       .record = record,
                       .ctx = ctx,
                       .result = result,
                       .error = error,
                       .error_size = error_size};
    int outcome = MARCH_ERR_SYSTEM;
    if (r.codec && r.raw) {
        outcome = segments_read(&r);
    } else {
        snprintf(error, error_size, "%s: out of memory", dir->path);
    }
    journal_codec_destroy(r.codec);
    free(r.raw);
    return outcome;
}
