/* journal_view.c: see journal_view.h. */
#include "tools/zonectl/journal_view.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "persist/journal_format.h"

#define FILE_BYTES_MAX (JOURNAL_SEGMENT_BYTES_MAX + JOURNAL_PAGE)

struct view {
    struct journal_codec *codec;
    uint8_t *raw; /* of one block */
    char *error;
    json_t *segments;
    uint64_t expected; /* position that the next segment must begin with; 0: any */
    uint64_t first, last;
    bool torn, sound;
};

/* What is found in one segment. */
struct segment {
    uint64_t blocks, records;
    uint64_t by_type[JOURNAL_VIEW_TYPES_MAX + 1]; /* the last: all others */
};

static const char *type_text(unsigned type, char buf[16]) {
    static const char *const names[] = {NULL, "motion", "grant", "document"};
    if (type < sizeof(names) / sizeof(names[0]) && names[type] != NULL) return names[type];
    snprintf(buf, 16, type == JOURNAL_VIEW_TYPES_MAX ? "others" : "type-%u", type);
    return buf;
}

static json_t *types_json(const struct segment *segment) {
    json_t *object = json_object();
    for (unsigned type = 0; type <= JOURNAL_VIEW_TYPES_MAX; type++)
        if (segment->by_type[type] != 0)
            json_object_set_new(object, type_text(type, (char[16]){0}), json_integer((json_int_t)segment->by_type[type]));
    return object;
}

static void set_number(json_t *object, const char *key, uint64_t number) {
    json_object_set_new(object, key, json_integer((json_int_t)number));
}

/* set_fault notes what is wrong with a segment, in the words of a recovery. */
static void set_fault(struct view *v, json_t *object, const char *state, const struct journal_fault *fault) {
    char text[JOURNAL_VIEW_ERROR_SIZE];
    snprintf(text, sizeof(text),
             "offset %" PRIu64 ": %s is %" PRIu64 " (0x%" PRIx64 "), expected %" PRIu64 " (0x%" PRIx64 ")", fault->offset,
             fault->what, fault->found, fault->found, fault->expected, fault->expected);
    json_object_set_new(object, "state", json_string(state));
    json_object_set_new(object, "error", json_string(text));
    if (strcmp(state, "broken") == 0) v->sound = false;
}

static int count_records(struct view *v, struct segment *segment, const uint8_t *bytes, const struct journal_block *block,
                         struct journal_fault *fault) {
    int result = journal_block_open(v->codec, bytes, block, v->raw, fault);
    if (result != 0) return result;
    const uint8_t *next = v->raw;
    for (uint32_t i = 0; i < block->count; i++) {
        uint16_t type;
        size_t len;
        (void)journal_record_get(&next, &type, &len);
        segment->by_type[type < JOURNAL_VIEW_TYPES_MAX ? type : JOURNAL_VIEW_TYPES_MAX]++;
    }
    segment->blocks++;
    segment->records += block->count;
    return 0;
}

/* walk reads all blocks; what ends it is noted in `object`. */
static void walk(struct view *v, struct segment *segment, struct journal_cursor *cursor, json_t *object) {
    struct journal_block block;
    struct journal_fault fault;
    for (;;) {
        size_t offset = cursor->offset;
        uint64_t proof;
        int result = journal_cursor_next(cursor, &block, &fault);
        if (result == 0) {
            json_object_set_new(object, "state", json_string("whole"));
            return;
        }
        if (result > 0) {
            if (count_records(v, segment, cursor->bytes + offset, &block, &fault) == 0) continue;
            fault.offset = offset;
            set_fault(v, object, "broken", &fault);
            return;
        }
        v->torn = !journal_cursor_was_durable(cursor, &proof);
        set_fault(v, object, v->torn ? "torn" : "broken", &fault);
        return;
    }
}

static void view_blocks(struct view *v, const struct journal_segment_header *header, const uint8_t *bytes, size_t len,
                        json_t *object) {
    struct segment segment = {0};
    struct journal_fault fault = {.what = "first position", .expected = v->expected, .found = header->first};
    struct journal_cursor cursor = {.bytes = bytes, .len = len, .offset = JOURNAL_PAGE, .position = header->first};
    if (v->torn || (v->expected != 0 && header->first != v->expected))
        set_fault(v, object, "broken", &fault); /* something is missing before it */
    else
        walk(v, &segment, &cursor, object);
    v->expected = cursor.position;
    if (v->first == 0) v->first = header->first;
    v->last = cursor.position - 1;
    set_number(object, "first", header->first);
    set_number(object, "last", v->last);
    set_number(object, "blocks", segment.blocks);
    set_number(object, "used_bytes", cursor.offset);
    json_object_set_new(object, "records", types_json(&segment));
}

static int view_segment(struct view *v, const char *dir, const char *name) {
    char path[PATH_MAX];
    uint8_t *bytes;
    size_t len;
    snprintf(path, sizeof(path), "%.*s/%.255s", PATH_MAX - 300, dir, name);
    int result = file_read(path, FILE_BYTES_MAX, &bytes, &len, v->error, JOURNAL_VIEW_ERROR_SIZE);
    if (result != 0) return result;
    struct journal_segment_header header;
    struct journal_fault fault = {.what = "header"};
    json_t *object = json_pack("{s:s, s:I}", "file", name, "bytes", (json_int_t)len);
    result = journal_segment_decode(bytes, len, &header, &fault);
    if (result == 0) {
        view_blocks(v, &header, bytes, len, object);
    } else if (result == MARCH_ERR_EMPTY) {
        json_object_set_new(object, "state", json_string("unused"));
    } else {
        v->torn = result == MARCH_ERR_INVALID && !v->torn; /* its first page may have been on its way */
        set_fault(v, object, v->torn ? "torn" : "broken", &fault);
    }
    json_array_append_new(v->segments, object);
    free(bytes);
    return 0;
}

static int is_segment(const struct dirent *entry) {
    size_t digits = strspn(entry->d_name, "0123456789");
    return digits == 8 && strcmp(entry->d_name + digits, ".journal") == 0;
}

/* is_journal tells whether a persist has ever opened the folder. */
static bool is_journal(const char *dir) {
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s/lock", dir);
    return len > 0 && (size_t)len < sizeof(path) && access(path, F_OK) == 0;
}

/* view_all reads the segments by name, which is their order. */
static int view_all(struct view *v, const char *dir) {
    struct dirent **names;
    int count = scandir(dir, &names, is_segment, alphasort);
    int result = 0;
    if (count == 0 && !is_journal(dir)) {
        snprintf(v->error, JOURNAL_VIEW_ERROR_SIZE, "%.400s: expected a journal, found neither segments nor a lock file",
                 dir);
        result = MARCH_ERR_NOT_FOUND;
    }
    if (count < 0) {
        snprintf(v->error, JOURNAL_VIEW_ERROR_SIZE, "%.400s: cannot read: %s", dir, strerror(errno));
        return MARCH_ERR_SYSTEM;
    }
    for (int i = 0; i < count; i++) {
        if (result == 0) result = view_segment(v, dir, names[i]->d_name);
        free(names[i]);
    }
    free((void *)names);
    return result;
}

json_t *journal_view(const char *dir, char error[JOURNAL_VIEW_ERROR_SIZE]) {
    struct view v = {.codec = journal_codec_create(),
                     .raw = malloc(JOURNAL_BLOCK_BYTES_MAX),
                     .error = error,
                     .segments = json_array(),
                     .sound = true};
    json_t *object = NULL;
    snprintf(error, JOURNAL_VIEW_ERROR_SIZE, "out of memory");
    if (v.codec != NULL && v.raw != NULL && view_all(&v, dir) == 0)
        object = json_pack("{s:s, s:b, s:I, s:I, s:O}", "dir", dir, "sound", (int)v.sound, "first", (json_int_t)v.first,
                           "last", (json_int_t)v.last, "segments", v.segments);
    json_decref(v.segments);
    journal_codec_destroy(v.codec);
    free(v.raw);
    return object;
}
