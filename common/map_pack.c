/* map_pack.c: sorts boxes, files each under the chunks that it touches, and writes these down in order. */
#include "common/map_pack.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/crc32c.h"

struct packing {
    const struct map_box *boxes;
    struct map_header header;
    uint64_t *filed; /* chunk << 32 | number of a box in it, in order: stored_count of them */
    uint8_t *bytes;
    char *error;
    size_t error_size;
};

static int compare_boxes(const void *a, const void *b) {
    return map_box_compare(a, b);
}

static int compare_filed(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* sort_boxes puts them in order, each once; returns how many are left. */
static uint32_t sort_boxes(struct map_box *boxes, uint32_t count) {
    uint32_t kept = 0;
    if (count > 0) qsort(boxes, count, sizeof *boxes, compare_boxes);
    for (uint32_t i = 0; i < count; i++)
        if (kept == 0 || map_box_compare(&boxes[kept - 1], &boxes[i]) != 0) boxes[kept++] = boxes[i];
    return kept;
}

static int file_boxes(struct packing *p) {
    uint64_t stored = 0;
    for (uint32_t i = 0; i < p->header.box_count; i++) {
        const struct map_box *b = &p->boxes[i];
        CHECK(b->x_min < b->x_max && b->y_min < b->y_max && b->z_min < b->z_max);
        stored += map_area_chunks(map_area_of_box(b));
    }
    if (stored > MAP_STORED_MAX) {
        snprintf(p->error, p->error_size, "expected at most %u boxes in all chunks together, found %llu", MAP_STORED_MAX,
                 (unsigned long long)stored);
        return MARCH_ERR_FULL;
    }
    p->header.stored_count = (uint32_t)stored;
    p->filed = malloc(stored * sizeof *p->filed + 1);
    if (!p->filed) return MARCH_ERR_SYSTEM;
    uint64_t *next = p->filed;
    for (uint32_t i = 0; i < p->header.box_count; i++) {
        struct map_area area = map_area_of_box(&p->boxes[i]);
        for (uint32_t row = area.row_first; row <= area.row_last; row++)
            for (uint32_t column = area.column_first; column <= area.column_last; column++)
                *next++ = (uint64_t)map_chunk(row, column) << 32 | i;
    }
    if (stored > 0) qsort(p->filed, stored, sizeof *p->filed, compare_filed);
    return 0;
}

static void count_chunks(struct packing *p) {
    for (uint32_t i = 0; i < p->header.stored_count; i++)
        p->header.chunk_count += i == 0 || p->filed[i] >> 32 != p->filed[i - 1] >> 32;
}

static int fail_chunk(const struct packing *p, uint32_t chunk) {
    int half = (1 << MAP_COLUMN_BITS) / 2;
    snprintf(p->error, p->error_size,
             "expected at most %u boxes in a square of %d m, found more in that from x %d m, y %d m", MAP_BOXES_MAX,
             MAP_CHUNK_M, ((int)map_column(chunk) - half) * MAP_CHUNK_M, ((int)map_row(chunk) - half) * MAP_CHUNK_M);
    return MARCH_ERR_FULL;
}

/* write_chunks writes boxes and index to where they lie in the file. */
static int write_chunks(struct packing *p) {
    struct map_entry *entry = (struct map_entry *)(void *)(p->bytes + MAP_HEADER_BYTES);
    struct map_box *boxes = (struct map_box *)(void *)(p->bytes + map_boxes_offset(&p->header, 0));
    uint32_t end = 0;
    for (uint32_t first = 0; first < p->header.stored_count; first = end, entry++) {
        uint32_t chunk = (uint32_t)(p->filed[first] >> 32);
        for (end = first; end < p->header.stored_count && p->filed[end] >> 32 == chunk; end++)
            boxes[end] = p->boxes[(uint32_t)p->filed[end]];
        if (end - first > MAP_BOXES_MAX) return fail_chunk(p, chunk);
        *entry = (struct map_entry){.chunk = chunk, .first = first, .count = end - first};
        entry->crc = crc32c(0, boxes + first, entry->count * sizeof *boxes);
    }
    return 0;
}

static void seal(struct packing *p) {
    size_t len = map_bytes(&p->header);
    CHECK(sodium_init() >= 0);
    crypto_generichash(p->header.hash, MAP_HASH_BYTES, p->bytes + MAP_HEADER_BYTES, len - MAP_HEADER_BYTES, NULL, 0);
    map_header_encode(p->bytes, &p->header, (const struct map_entry *)(const void *)(p->bytes + MAP_HEADER_BYTES));
}

int map_pack(struct map_box *boxes, uint32_t count, uint8_t **bytes, size_t *len, char *error, size_t error_size) {
    struct packing p = {.boxes = boxes, .error = error, .error_size = error_size};
    *bytes = NULL;
    snprintf(error, error_size, "out of memory");
    p.header.box_count = sort_boxes(boxes, count);
    int result = file_boxes(&p);
    if (result == 0) {
        count_chunks(&p);
        p.bytes = malloc(map_bytes(&p.header));
        result = p.bytes ? write_chunks(&p) : MARCH_ERR_SYSTEM;
    }
    free(p.filed);
    if (result != 0) {
        free(p.bytes);
        return result;
    }
    seal(&p);
    *bytes = p.bytes;
    *len = map_bytes(&p.header);
    return 0;
}
