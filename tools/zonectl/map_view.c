#include "tools/zonectl/map_view.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLANE_MIN_M (-32768)

struct extent {
    struct map_box bounds;
    struct map_area area; /* chunks with boxes */
    uint32_t fullest;
    uint32_t counts[MAP_VIEW_ROWS][MAP_VIEW_COLUMNS];
};

static int32_t least(int32_t a, int32_t b) {
    return a < b ? a : b;
}

static int32_t most(int32_t a, int32_t b) {
    return a > b ? a : b;
}

static void grow_bounds(struct map_box *bounds, const struct map_box *box) {
    *bounds = (struct map_box){least(bounds->x_min, box->x_min), least(bounds->y_min, box->y_min),
                               least(bounds->z_min, box->z_min), most(bounds->x_max, box->x_max),
                               most(bounds->y_max, box->y_max),  most(bounds->z_max, box->z_max)};
}

/* find_area goes over the index alone: how many chunks a letter stands for must be known before boxes are counted. */
static void find_area(const struct map_file *file, struct extent *e) {
    e->area = (struct map_area){UINT32_MAX, 0, UINT32_MAX, 0};
    for (uint32_t i = 0; i < file->header.chunk_count; i++) {
        uint32_t row = map_row(file->entries[i].chunk), column = map_column(file->entries[i].chunk);
        if (row < e->area.row_first) e->area.row_first = row;
        if (row > e->area.row_last) e->area.row_last = row;
        if (column < e->area.column_first) e->area.column_first = column;
        if (column > e->area.column_last) e->area.column_last = column;
        if (file->entries[i].count > e->fullest) e->fullest = file->entries[i].count;
    }
}

static void size_overview(const struct map_file *file, const struct extent *e, struct map_overview *o) {
    *o = (struct map_overview){.chunks = 1};
    if (file->header.chunk_count == 0) return;
    unsigned rows = e->area.row_last - e->area.row_first + 1, columns = e->area.column_last - e->area.column_first + 1;
    while (rows > MAP_VIEW_ROWS * o->chunks || columns > MAP_VIEW_COLUMNS * o->chunks) o->chunks++;
    o->rows = (rows + o->chunks - 1) / o->chunks;
    o->columns = (columns + o->chunks - 1) / o->chunks;
    o->x_min_m = PLANE_MIN_M + (double)e->area.column_first * MAP_CHUNK_M;
    o->y_min_m = PLANE_MIN_M + (double)e->area.row_first * MAP_CHUNK_M;
}

/* read_boxes counts what each letter stands for. */
static int read_boxes(const struct map_file *file, struct extent *e, const struct map_overview *o, char *error) {
    struct map_box *boxes = malloc(MAP_BOXES_MAX * sizeof *boxes);
    snprintf(error, MAP_VIEW_ERROR_SIZE, "out of memory");
    int result = boxes ? 0 : MARCH_ERR_SYSTEM;
    for (uint32_t i = 0; result == 0 && i < file->header.chunk_count; i++) {
        uint32_t row = (map_row(file->entries[i].chunk) - e->area.row_first) / o->chunks;
        uint32_t column = (map_column(file->entries[i].chunk) - e->area.column_first) / o->chunks;
        result = map_file_read(file, i, boxes, error, MAP_VIEW_ERROR_SIZE);
        if (result != 0) break;
        if (i == 0) e->bounds = boxes[0];
        e->counts[row][column] += file->entries[i].count;
        for (uint32_t b = 0; b < file->entries[i].count; b++) grow_bounds(&e->bounds, &boxes[b]);
    }
    free(boxes);
    return result;
}

static void draw(const struct extent *e, struct map_overview *o) {
    for (unsigned row = 0; row < o->rows; row++)
        for (unsigned column = 0; column < o->columns; column++) {
            uint32_t count = e->counts[o->rows - 1 - row][column];
            o->letters[row][column] = count == 0 ? '.' : count < 10 ? (char)('0' + count) : '#';
        }
}

static json_t *range(int32_t from, int32_t to) {
    return json_pack("[f, f]", from / 65536.0, to / 65536.0);
}

static json_t *describe(const struct map_file *file, const struct extent *e) {
    const struct map_header *h = &file->header;
    json_t *bounds = h->chunk_count == 0 ? json_null()
                                         : json_pack("{s:o, s:o, s:o}", "x_m", range(e->bounds.x_min, e->bounds.x_max),
                                                     "y_m", range(e->bounds.y_min, e->bounds.y_max), "z_m",
                                                     range(e->bounds.z_min, e->bounds.z_max));
    return json_pack("{s:s, s:i, s:s, s:I, s:I, s:i, s:I, s:I, s:I, s:o}", "file", file->path, "version", (int)MAP_VERSION,
                     "hash", map_hash_text(h->hash, (char[MAP_TEXT_SIZE]){0}), "bytes", (json_int_t)map_bytes(h), "chunks",
                     (json_int_t)h->chunk_count, "chunk_m", MAP_CHUNK_M, "boxes", (json_int_t)h->box_count, "stored",
                     (json_int_t)h->stored_count, "fullest", (json_int_t)e->fullest, "bounds", bounds);
}

json_t *map_view(const char *path, struct map_overview *overview, char error[MAP_VIEW_ERROR_SIZE]) {
    struct map_file file;
    json_t *object = NULL;
    struct extent *extent = calloc(1, sizeof *extent);
    snprintf(error, MAP_VIEW_ERROR_SIZE, "out of memory");
    if (!extent) return NULL;
    int result = map_file_open(&file, path, error, MAP_VIEW_ERROR_SIZE);
    if (result == 0) result = map_file_verify(&file, error, MAP_VIEW_ERROR_SIZE);
    if (result == 0) {
        find_area(&file, extent);
        size_overview(&file, extent, overview);
        result = read_boxes(&file, extent, overview, error);
        draw(extent, overview);
        if (result == 0) object = describe(&file, extent);
    }
    map_file_close(&file);
    free(extent);
    return object;
}
