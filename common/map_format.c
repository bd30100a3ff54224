/* map_format.c: header, index and chunks: written and checked. */
#include "common/map_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/crc32c.h"

/* Offsets in the header. What lies behind HEADER_ZEROS is zero. */
#define HEADER_VERSION 8
#define HEADER_CRC     12
#define HEADER_CHUNKS  32
#define HEADER_BOXES   36
#define HEADER_STORED  40
#define HEADER_ZEROS   44

/* Offsets in an entry and in a box. */
#define ENTRY_FIRST 4
#define ENTRY_COUNT 8
#define BOX_MAX     12

static int fault_set(struct map_fault *fault, uint64_t offset, const char *what, uint64_t expected, uint64_t found) {
    *fault = (struct map_fault){.offset = offset, .what = what, .expected = expected, .found = found};
    return MARCH_ERR_INVALID;
}

int map_box_compare(const struct map_box *a, const struct map_box *b) {
    const int32_t left[] = {a->x_min, a->y_min, a->z_min, a->x_max, a->y_max, a->z_max};
    const int32_t right[] = {b->x_min, b->y_min, b->z_min, b->x_max, b->y_max, b->z_max};
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++)
        if (left[i] != right[i]) return left[i] < right[i] ? -1 : 1;
    return 0;
}

/* --- header and index */

static uint32_t head_crc(const uint8_t bytes[MAP_HEADER_BYTES], const struct map_entry *entries, uint32_t count) {
    static const uint8_t zero[4];
    uint32_t crc = crc32c(0, bytes, HEADER_CRC);
    crc = crc32c(crc, zero, sizeof zero);
    crc = crc32c(crc, bytes + MAP_HASH_OFFSET, MAP_HEADER_BYTES - MAP_HASH_OFFSET);
    return count > 0 ? crc32c(crc, entries, count * sizeof *entries) : crc;
}

void map_header_encode(uint8_t bytes[MAP_HEADER_BYTES], struct map_header *header, const struct map_entry *entries) {
    memset(bytes, 0, MAP_HEADER_BYTES);
    memcpy(bytes, MAP_MAGIC, 8);
    store_le(bytes + HEADER_VERSION, MAP_VERSION, 4);
    memcpy(bytes + MAP_HASH_OFFSET, header->hash, MAP_HASH_BYTES);
    store_le(bytes + HEADER_CHUNKS, header->chunk_count, 4);
    store_le(bytes + HEADER_BOXES, header->box_count, 4);
    store_le(bytes + HEADER_STORED, header->stored_count, 4);
    header->crc = head_crc(bytes, entries, header->chunk_count);
    store_le(bytes + HEADER_CRC, header->crc, 4);
}

int map_header_decode(const uint8_t *bytes, size_t len, uint64_t file_bytes, struct map_header *h, struct map_fault *fault) {
    if (len < MAP_HEADER_BYTES) return fault_set(fault, 0, "size of the header", MAP_HEADER_BYTES, len);
    if (memcmp(bytes, MAP_MAGIC, 8) != 0)
        return fault_set(fault, 0, "magic of the map", load_le((const uint8_t *)MAP_MAGIC, 8), load_le(bytes, 8));
    uint32_t version = (uint32_t)load_le(bytes + HEADER_VERSION, 4);
    if (version != MAP_VERSION) {
        (void)fault_set(fault, HEADER_VERSION, "version of the map", MAP_VERSION, version);
        return MARCH_ERR_UNSUPPORTED;
    }
    memcpy(h->hash, bytes + MAP_HASH_OFFSET, MAP_HASH_BYTES);
    h->crc = (uint32_t)load_le(bytes + HEADER_CRC, 4);
    h->chunk_count = (uint32_t)load_le(bytes + HEADER_CHUNKS, 4);
    h->box_count = (uint32_t)load_le(bytes + HEADER_BOXES, 4);
    h->stored_count = (uint32_t)load_le(bytes + HEADER_STORED, 4);
    if (h->chunk_count > MAP_CHUNKS_MAX)
        return fault_set(fault, HEADER_CHUNKS, "count of chunks, at most", MAP_CHUNKS_MAX, h->chunk_count);
    if (h->stored_count > MAP_STORED_MAX)
        return fault_set(fault, HEADER_STORED, "count of boxes in chunks, at most", MAP_STORED_MAX, h->stored_count);
    if (h->box_count > h->stored_count)
        return fault_set(fault, HEADER_BOXES, "count of boxes, at most", h->stored_count, h->box_count);
    for (size_t at = HEADER_ZEROS; at < MAP_HEADER_BYTES; at++)
        if (bytes[at] != 0) return fault_set(fault, at, "zero of the header", 0, bytes[at]);
    if (file_bytes != map_bytes(h)) return fault_set(fault, file_bytes, "size of the file", map_bytes(h), file_bytes);
    return 0;
}

int map_index_check(const uint8_t header_bytes[MAP_HEADER_BYTES], const struct map_header *h,
                    const struct map_entry *entries, struct map_fault *fault) {
    uint32_t crc = head_crc(header_bytes, entries, h->chunk_count);
    if (crc != h->crc) return fault_set(fault, HEADER_CRC, "CRC of header and index", crc, h->crc);
    uint32_t next = 0, first = 0; /* the least chunk that may follow, the box that must */
    for (uint32_t i = 0; i < h->chunk_count; i++) {
        const struct map_entry *e = &entries[i];
        uint64_t at = MAP_HEADER_BYTES + (uint64_t)i * sizeof *e;
        if (e->chunk < next || e->chunk >= MAP_CHUNKS_MAX)
            return fault_set(fault, at, "number of the chunk, at least", next, e->chunk);
        if (e->first != first) return fault_set(fault, at + ENTRY_FIRST, "first box of the chunk", first, e->first);
        if (e->count == 0 || e->count > MAP_BOXES_MAX)
            return fault_set(fault, at + ENTRY_COUNT, "count of the chunk's boxes, at most", MAP_BOXES_MAX, e->count);
        next = e->chunk + 1;
        first += e->count;
    }
    if (first != h->stored_count) return fault_set(fault, HEADER_STORED, "count of boxes in chunks", first, h->stored_count);
    return 0;
}

/* --- chunks */

static int box_check(uint32_t chunk, const struct map_box *box, uint64_t offset, struct map_fault *fault) {
    const int32_t least[] = {box->x_min, box->y_min, box->z_min}, most[] = {box->x_max, box->y_max, box->z_max};
    for (size_t axis = 0; axis < 3; axis++)
        if (least[axis] >= most[axis])
            return fault_set(fault, offset + BOX_MAX + 4 * axis, "far side of the box, more than", (uint32_t)least[axis],
                             (uint32_t)most[axis]);
    struct map_area area = map_area_of_box(box);
    uint32_t row = map_row(chunk), column = map_column(chunk);
    if (row < area.row_first || row > area.row_last || column < area.column_first || column > area.column_last)
        return fault_set(fault, offset, "a box that touches chunk", chunk, map_chunk(area.row_first, area.column_first));
    return 0;
}

int map_chunk_check(const struct map_header *header, const struct map_entry *entry, const struct map_box *boxes,
                    struct map_fault *fault) {
    uint64_t offset = map_boxes_offset(header, entry->first);
    uint32_t crc = crc32c(0, boxes, entry->count * sizeof *boxes);
    if (crc != entry->crc) return fault_set(fault, offset, "CRC of the chunk", entry->crc, crc);
    for (uint32_t i = 0; i < entry->count; i++, offset += sizeof *boxes) {
        int result = box_check(entry->chunk, &boxes[i], offset, fault);
        if (result != 0) return result;
        if (i > 0 && map_box_compare(&boxes[i - 1], &boxes[i]) >= 0)
            return fault_set(fault, offset, "a box that follows the one of x", (uint32_t)boxes[i - 1].x_min,
                             (uint32_t)boxes[i].x_min);
    }
    return 0;
}

/* A box is counted in the chunk of its least corner. */
void map_totals_add(struct map_totals *totals, const struct map_entry *entry, const struct map_box *boxes) {
    for (uint32_t i = 0; i < entry->count; i++) {
        struct map_area area = map_area_of_box(&boxes[i]);
        if (map_chunk(area.row_first, area.column_first) != entry->chunk) continue;
        totals->boxes++;
        totals->stored += map_area_chunks(area);
    }
}

int map_totals_check(const struct map_totals *totals, const struct map_header *h, struct map_fault *fault) {
    if (totals->stored != h->stored_count)
        return fault_set(fault, HEADER_STORED, "count of boxes in chunks", totals->stored, h->stored_count);
    if (totals->boxes != h->box_count) return fault_set(fault, HEADER_BOXES, "count of boxes", totals->boxes, h->box_count);
    return 0;
}

/* --- words */

void map_fault_text(const char *path, const struct map_fault *fault, char *error, size_t error_size) {
    snprintf(error, error_size,
             "%s: offset %" PRIu64 ": expected %s %" PRIu64 " (0x%" PRIx64 "), found %" PRIu64 " (0x%" PRIx64 ")", path,
             fault->offset, fault->what, fault->expected, fault->expected, fault->found, fault->found);
}

const char *map_hash_text(const uint8_t hash[MAP_HASH_BYTES], char text[MAP_TEXT_SIZE]) {
    for (size_t i = 0; i < MAP_HASH_BYTES; i++) snprintf(text + 2 * i, 3, "%02x", hash[i]);
    return text;
}
