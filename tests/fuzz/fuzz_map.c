/* A map file, as raw bytes and with its CRCs put right: whatever it says, it is refused or keeps what map_format.h promises.
 * Then the same bytes as boxes, for a round trip. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/check.h"
#include "common/crc32c.h"
#include "common/map_format.h"
#include "common/map_pack.h"

#define FILE_MAX (64 * 1024)

static void check_fault(const struct map_fault *fault, size_t len) {
    char text[512];
    CHECK(fault->what != NULL && fault->offset <= len);
    map_fault_text("fuzz.map", fault, text, sizeof text);
    CHECK(strstr(text, "fuzz.map: offset ") == text);
}

static void check_box(const struct map_box *box, uint32_t chunk) {
    struct map_area area = map_area_of_box(box);
    CHECK(box->x_min < box->x_max && box->y_min < box->y_max && box->z_min < box->z_max);
    CHECK(map_row(chunk) >= area.row_first && map_row(chunk) <= area.row_last);
    CHECK(map_column(chunk) >= area.column_first && map_column(chunk) <= area.column_last);
}

/* read_map reads as map_file does; returns whether it is a whole map. */
static bool read_map(const uint8_t *bytes, size_t len, struct map_header *header) {
    struct map_fault fault = {.what = NULL};
    struct map_totals totals = {0};
    int result = map_header_decode(bytes, len, len, header, &fault);
    const struct map_entry *entries = (const struct map_entry *)(const void *)(bytes + MAP_HEADER_BYTES);
    if (result == 0) result = map_index_check(bytes, header, entries, &fault);
    for (uint32_t i = 0; result == 0 && i < header->chunk_count; i++) {
        uint64_t offset = map_boxes_offset(header, entries[i].first);
        CHECK(offset + entries[i].count * sizeof(struct map_box) <= len);
        const struct map_box *boxes = (const struct map_box *)(const void *)(bytes + offset);
        result = map_chunk_check(header, &entries[i], boxes, &fault);
        for (uint32_t b = 0; result == 0 && b < entries[i].count; b++) check_box(&boxes[b], entries[i].chunk);
        if (result == 0) map_totals_add(&totals, &entries[i], boxes);
    }
    if (result == 0) result = map_totals_check(&totals, header, &fault);
    if (result != 0) check_fault(&fault, len);
    return result == 0;
}

/* mend puts size and CRCs right, so that what lies behind them is reached. */
static void mend(uint8_t *bytes, size_t len) {
    if (len < MAP_HEADER_BYTES) return;
    uint64_t chunks = load_le(bytes + 32, 4) % ((len - MAP_HEADER_BYTES) / sizeof(struct map_entry) + 1);
    uint64_t boxes = (len - MAP_HEADER_BYTES - chunks * sizeof(struct map_entry)) / sizeof(struct map_box);
    struct map_header header = {.chunk_count = (uint32_t)chunks, .stored_count = (uint32_t)boxes};
    header.box_count = (uint32_t)(load_le(bytes + 36, 4) % (boxes + 1));
    struct map_entry *entries = (struct map_entry *)(void *)(bytes + MAP_HEADER_BYTES);
    for (uint32_t i = 0; i < chunks; i++) {
        struct map_entry *e = &entries[i];
        if (e->first > boxes || e->count > boxes - e->first) continue;
        e->crc = crc32c(0, bytes + map_boxes_offset(&header, e->first), e->count * sizeof(struct map_box));
    }
    map_header_encode(bytes, &header, entries);
    (void)read_map(bytes, map_bytes(&header), &header);
}

static int compare(const void *a, const void *b) {
    return map_box_compare(a, b);
}

static void round_trip(const uint8_t *data, size_t size) {
    static struct map_box boxes[FILE_MAX / sizeof(struct map_box)];
    uint32_t count = 0;
    for (; size >= sizeof boxes[0]; data += sizeof boxes[0], size -= sizeof boxes[0]) {
        struct map_box *b = &boxes[count];
        memcpy(b, data, sizeof *b);
        b->x_max = (int32_t)((uint32_t)b->x_min + ((uint32_t)b->x_max & 0xffffff));
        b->y_max = (int32_t)((uint32_t)b->y_min + ((uint32_t)b->y_max & 0xffffff));
        count += b->x_min < b->x_max && b->y_min < b->y_max && b->z_min < b->z_max;
    }
    uint8_t *bytes;
    size_t len;
    char error[256];
    if (map_pack(boxes, count, &bytes, &len, error, sizeof error) != 0) return;
    struct map_header header;
    CHECK(read_map(bytes, len, &header) && header.box_count <= count);
    struct map_box *stored = (struct map_box *)(void *)(bytes + map_boxes_offset(&header, 0));
    for (uint32_t i = 0; i < header.stored_count; i++)
        CHECK(bsearch(&stored[i], boxes, header.box_count, sizeof boxes[0], compare) != NULL);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct map_header header;
    if (size > FILE_MAX) return 0;
    uint8_t *copy = malloc(size + 1); /* at a multiple of 8, as what was read is */
    CHECK(copy != NULL);
    memcpy(copy, data, size);
    (void)read_map(copy, size, &header);
    mend(copy, size);
    free(copy);
    round_trip(data, size);
    return 0;
}
