/* map_format.h: the bytes of a map file, without I/O. MAP.md has the tables.
 *
 * A map is the static geometry of a world: solid boxes along the axes. The plane is cut into squares of MAP_CHUNK_M, the
 * chunks; a box is in each chunk that it touches. Behind a header lies an index of the chunks that have boxes, by number,
 * and behind that the boxes, chunk by chunk. So any rectangle of the world is found in any map: a map knows of no zones.
 *
 * Entries of the index and boxes lie in the file as they do in memory, so they are checked and used where they were read.
 *
 * Reading trusts nothing, also after a CRC was good. What is wrong is told in a struct map_fault, whose offsets count from
 * the begin of the file. The limits below hold for every map that was checked.
 */
#ifndef MARCH_COMMON_MAP_FORMAT_H
#define MARCH_COMMON_MAP_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define MAP_MAGIC        "MARCHMAP"
#define MAP_VERSION      1u
#define MAP_HEADER_BYTES 64u
#define MAP_HASH_BYTES   16u
#define MAP_HASH_OFFSET  16u

#define MAP_CHUNK_M     64
#define MAP_CHUNK_SHIFT 22            /* a chunk is 1 << 22 in Q16.16 on a side */
#define MAP_COLUMN_BITS 10            /* of a chunk's number; above it is the row */
#define MAP_CHUNKS_MAX  (1u << 20)    /* all of the plane that 32-bit positions can name */
#define MAP_BOXES_MAX   4096u         /* in one chunk: a box a square metre */
#define MAP_STORED_MAX  (1u << 24)    /* in all chunks together: 400 MB, which a start still reads within seconds */
#define MAP_TEXT_SIZE   (2 * 16 + 1u) /* a hash in hex */

/* A solid box in Q16.16 metres; the far sides are not part of it. */
struct map_box {
    int32_t x_min, y_min, z_min, x_max, y_max, z_max;
};

/* A chunk in the index: its boxes are `count` from number `first` on. */
struct map_entry {
    uint32_t chunk; /* its number */
    uint32_t first, count;
    uint32_t crc; /* of its boxes */
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers lie in the file as in memory");
_Static_assert(sizeof(struct map_box) == 24 && sizeof(struct map_entry) == 16, "without holes");
_Static_assert(MAP_CHUNK_M << 16 == 1 << MAP_CHUNK_SHIFT, "two names of one length");
_Static_assert(MAP_CHUNKS_MAX == 1u << 2 * MAP_COLUMN_BITS && 32 - MAP_CHUNK_SHIFT == MAP_COLUMN_BITS,
               "a number for each chunk of the plane");

struct map_header {
    uint8_t hash[MAP_HASH_BYTES]; /* of all that follows the header: it names the map */
    uint32_t crc;                 /* of the header, where this is 0, and the index */
    uint32_t chunk_count;
    uint32_t box_count;    /* each once */
    uint32_t stored_count; /* in all chunks together */
};

/* Chunks by row and column, ends included; both from 0 at the least corner of the plane. */
struct map_area {
    uint32_t row_first, row_last, column_first, column_last;
};

/* What is wrong with bytes that were read. */
struct map_fault {
    uint64_t offset;
    const char *what; /* static, as in "magic of the map" */
    uint64_t expected, found;
};

/* map_axis returns the row or column of a position (Q16.16). */
static inline uint32_t map_axis(int32_t position) {
    return ((uint32_t)position ^ 0x80000000u) >> MAP_CHUNK_SHIFT;
}

/* map_area_of returns the chunks that a rectangle touches, whose far sides are not part of it and which is not empty. */
static inline struct map_area map_area_of(int32_t x_min, int32_t y_min, int32_t x_max, int32_t y_max) {
    return (struct map_area){map_axis(y_min), map_axis(y_max - 1), map_axis(x_min), map_axis(x_max - 1)};
}

static inline struct map_area map_area_of_box(const struct map_box *box) {
    return map_area_of(box->x_min, box->y_min, box->x_max, box->y_max);
}

static inline uint64_t map_area_chunks(struct map_area area) {
    return (uint64_t)(area.row_last - area.row_first + 1) * (area.column_last - area.column_first + 1);
}

/* map_chunk is the number of the chunk in a row and a column, map_row and map_column are these. */
static inline uint32_t map_chunk(uint32_t row, uint32_t column) {
    return row << MAP_COLUMN_BITS | column;
}

static inline uint32_t map_row(uint32_t chunk) {
    return chunk >> MAP_COLUMN_BITS;
}

static inline uint32_t map_column(uint32_t chunk) {
    return chunk & ((1u << MAP_COLUMN_BITS) - 1);
}

/* map_box_compare orders boxes: below 0, 0 or above 0 as `a` is before, the same as or behind `b`. */
int map_box_compare(const struct map_box *a, const struct map_box *b);

/* map_boxes_offset is where in a file box number `first` lies, map_bytes the size of the file. */
static inline uint64_t map_boxes_offset(const struct map_header *h, uint32_t first) {
    return MAP_HEADER_BYTES + (uint64_t)h->chunk_count * sizeof(struct map_entry) + (uint64_t)first * sizeof(struct map_box);
}

static inline uint64_t map_bytes(const struct map_header *h) {
    return map_boxes_offset(h, h->stored_count);
}

/* map_header_encode writes a header and sets its CRC; `entries` is the index. */
void map_header_encode(uint8_t bytes[MAP_HEADER_BYTES], struct map_header *header, const struct map_entry *entries);

/* map_header_decode reads the header at the begin of a file, of which `len` bytes are at `bytes`, and `file_bytes` are there
 * in all. MARCH_ERR_UNSUPPORTED for a map of another version, MARCH_ERR_INVALID for what is none, or was cut. */
must_check int map_header_decode(const uint8_t *bytes, size_t len, uint64_t file_bytes, struct map_header *header,
                                 struct map_fault *fault);

/* map_index_check checks the header's CRC and the `chunk_count` entries of the index. MARCH_ERR_INVALID when they are not
 * what map_header_encode saw, or not an index. */
must_check int map_index_check(const uint8_t header_bytes[MAP_HEADER_BYTES], const struct map_header *header,
                               const struct map_entry *entries, struct map_fault *fault);

/* map_chunk_check checks the boxes of a chunk: that its CRC is theirs, that each is solid and touches the chunk, and that
 * they are in order, each once. MARCH_ERR_INVALID otherwise. */
must_check int map_chunk_check(const struct map_header *header, const struct map_entry *entry, const struct map_box *boxes,
                               struct map_fault *fault);

/* What the chunks of a map add up to: boxes, each once, and how many chunks these touch. Zero is its start. */
struct map_totals {
    uint64_t boxes, stored;
};

/* map_totals_add adds a chunk that was checked; map_totals_check says whether all chunks together are what the header says:
 * MARCH_ERR_INVALID where a box is not in each of its chunks. */
void map_totals_add(struct map_totals *totals, const struct map_entry *entry, const struct map_box *boxes);
must_check int map_totals_check(const struct map_totals *totals, const struct map_header *header, struct map_fault *fault);

/* map_fault_text writes "PATH: offset 8: expected version of the map 1 (0x1), found 2 (0x2)". */
void map_fault_text(const char *path, const struct map_fault *fault, char *error, size_t error_size);

/* map_hash_text writes a hash in hex; returns `text`. */
const char *map_hash_text(const uint8_t hash[MAP_HASH_BYTES], char text[MAP_TEXT_SIZE]);

#endif
