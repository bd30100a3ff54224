/* map_source.c: see map_source.h. Descends by libyaml's events; the first mistake is noted and ends all. */
#include "tools/zonectl/map_source.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/file.h"

#define METRES_MIN (-32768.0)
#define METRES_MAX 32767.0
#define FOUND_MAX  40 /* bytes of a value that an error quotes */
#define PLACE_MAX  64

struct source {
    const char *path;
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_event;
    char place[PLACE_MAX]; /* "boxes[3].x_m" */
    struct map_box *boxes;
    uint32_t count, room;
    char *error;
    size_t error_size;
};

__attribute__((format(printf, 2, 3))) static int fail(struct source *s, const char *format, ...) {
    char message[256];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    size_t line = s->has_event ? s->event.start_mark.line : s->parser.problem_mark.line;
    int len =
        snprintf(s->error, s->error_size, "%s:%zu: %s%s%s", s->path, line + 1, s->place, s->place[0] ? ": " : "", message);
    for (int i = 0; i < len && (size_t)i < s->error_size && s->error[i]; i++)
        if ((unsigned char)s->error[i] < 0x20 || s->error[i] == 0x7f) s->error[i] = '?';
    return MARCH_ERR_INVALID;
}

/* found says what the event is, in words. */
static const char *found(const struct source *s, char text[FOUND_MAX + 8]) {
    switch (s->event.type) {
    case YAML_SCALAR_EVENT:
        snprintf(text, FOUND_MAX + 8, "\"%.*s\"", FOUND_MAX, (const char *)s->event.data.scalar.value);
        return text;
    case YAML_MAPPING_START_EVENT: return "a mapping";
    case YAML_SEQUENCE_START_EVENT: return "a list";
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT: return "its end";
    case YAML_ALIAS_EVENT: return "an alias";
    case YAML_DOCUMENT_START_EVENT: return "another document";
    default: return "the end of the file";
    }
}

#define FOUND(s) found((s), (char[FOUND_MAX + 8]){0})

static int next(struct source *s) {
    if (s->has_event) yaml_event_delete(&s->event);
    s->has_event = false;
    if (!yaml_parser_parse(&s->parser, &s->event)) {
        s->place[0] = '\0';
        return fail(s, "not YAML: %s", s->parser.problem ? s->parser.problem : "unreadable");
    }
    s->has_event = true;
    return 0;
}

/* expect takes the next event, which is to be of a type. */
static int expect(struct source *s, yaml_event_type_t type, const char *what) {
    int result = next(s);
    if (result == 0 && s->event.type != type) result = fail(s, "expected %s, found %s", what, FOUND(s));
    return result;
}

/* --- numbers */

static int read_metres(struct source *s, int32_t *out) {
    const char *text = s->event.type == YAML_SCALAR_EVENT ? (const char *)s->event.data.scalar.value : "";
    bool is_plain = s->event.type == YAML_SCALAR_EVENT && s->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    char *end = NULL;
    double metres = strspn(text, "+-.0123456789eE") == strlen(text) ? strtod(text, &end) : 0;
    bool is_number = is_plain && end && end != text && !*end && isfinite(metres);
    if (!is_number || metres < METRES_MIN || metres > METRES_MAX)
        return fail(s, "expected two numbers of metres from %.0f to %.0f, found %s", METRES_MIN, METRES_MAX, FOUND(s));
    *out = (int32_t)lrint(metres * 65536);
    return 0;
}

static int read_range(struct source *s, int32_t *min, int32_t *max) {
    int result = expect(s, YAML_SEQUENCE_START_EVENT, "a list of two numbers");
    if (result == 0) result = next(s);
    if (result == 0) result = read_metres(s, min);
    if (result == 0) result = next(s);
    if (result == 0) result = read_metres(s, max);
    if (result == 0 && *min >= *max) result = fail(s, "expected the second number to be greater, found %s", FOUND(s));
    if (result == 0) result = expect(s, YAML_SEQUENCE_END_EVENT, "no more than two numbers");
    return result;
}

/* --- boxes */

static const char *const KEYS[] = {"x_m", "y_m", "z_m"};
#define KEY_COUNT 3u

static int read_key(struct source *s, unsigned *key) {
    const char *text = s->event.type == YAML_SCALAR_EVENT ? (const char *)s->event.data.scalar.value : "";
    for (*key = 0; *key < KEY_COUNT; ++*key)
        if (strcmp(text, KEYS[*key]) == 0) return 0;
    return fail(s, "expected one of x_m, y_m, z_m, found %s", FOUND(s));
}

static int add_box(struct source *s, const struct map_box *box) {
    if (s->count == MAP_STORED_MAX) return fail(s, "expected at most %u boxes", MAP_STORED_MAX);
    if (s->count == s->room) {
        uint32_t room = s->room == 0 ? 64 : 2 * s->room;
        struct map_box *boxes = realloc(s->boxes, room * sizeof *boxes);
        if (!boxes) return fail(s, "out of memory");
        s->boxes = boxes;
        s->room = room;
    }
    s->boxes[s->count++] = *box;
    return 0;
}

/* read_box reads what follows the begin of a mapping. */
static int read_box(struct source *s) {
    struct map_box box = {0};
    int32_t *const min[] = {&box.x_min, &box.y_min, &box.z_min}, *const max[] = {&box.x_max, &box.y_max, &box.z_max};
    bool has[KEY_COUNT] = {false};
    int result = next(s);
    while (result == 0 && s->event.type != YAML_MAPPING_END_EVENT) {
        unsigned key = 0;
        result = read_key(s, &key);
        if (result == 0 && has[key]) result = fail(s, "expected each key once, found %s again", KEYS[key]);
        if (result != 0) break;
        has[key] = true;
        snprintf(s->place, sizeof s->place, "boxes[%" PRIu32 "].%s", s->count, KEYS[key]);
        result = read_range(s, min[key], max[key]);
        if (result != 0) break;
        snprintf(s->place, sizeof s->place, "boxes[%" PRIu32 "]", s->count);
        result = next(s);
    }
    for (unsigned key = 0; key < KEY_COUNT && result == 0; key++)
        if (!has[key]) result = fail(s, "expected x_m, y_m and z_m, found no %s", KEYS[key]);
    return result == 0 ? add_box(s, &box) : result;
}

static int read_boxes(struct source *s) {
    int result = expect(s, YAML_SEQUENCE_START_EVENT, "a list");
    while (result == 0) {
        snprintf(s->place, sizeof s->place, "boxes[%" PRIu32 "]", s->count);
        result = next(s);
        if (result != 0 || s->event.type == YAML_SEQUENCE_END_EVENT) break;
        if (s->event.type == YAML_MAPPING_START_EVENT)
            result = read_box(s);
        else
            result = fail(s, "expected a mapping, found %s", FOUND(s));
    }
    return result;
}

static int read_document(struct source *s) {
    int result = expect(s, YAML_STREAM_START_EVENT, "text");
    if (result == 0) result = expect(s, YAML_DOCUMENT_START_EVENT, "a mapping with the key boxes");
    if (result == 0) result = expect(s, YAML_MAPPING_START_EVENT, "a mapping with the key boxes");
    if (result == 0) result = expect(s, YAML_SCALAR_EVENT, "the key boxes");
    if (result == 0 && strcmp((const char *)s->event.data.scalar.value, "boxes") != 0)
        result = fail(s, "expected the key boxes, found %s", FOUND(s));
    if (result == 0) snprintf(s->place, sizeof s->place, "boxes");
    if (result == 0) result = read_boxes(s);
    if (result == 0) s->place[0] = '\0';
    if (result == 0) result = expect(s, YAML_MAPPING_END_EVENT, "no other key than boxes");
    if (result == 0) result = expect(s, YAML_DOCUMENT_END_EVENT, "the end of the file");
    if (result == 0) result = expect(s, YAML_STREAM_END_EVENT, "the end of the file");
    return result;
}

int map_source_parse(const char *path, const uint8_t *bytes, size_t len, struct map_box **boxes, uint32_t *count,
                     char *error, size_t error_size) {
    struct source s = {.path = path, .error = error, .error_size = error_size};
    *boxes = NULL;
    *count = 0;
    if (!yaml_parser_initialize(&s.parser)) {
        snprintf(error, error_size, "%s: out of memory", path);
        return MARCH_ERR_SYSTEM;
    }
    yaml_parser_set_input_string(&s.parser, bytes, len);
    int result = read_document(&s);
    if (s.has_event) yaml_event_delete(&s.event);
    yaml_parser_delete(&s.parser);
    if (result != 0) {
        free(s.boxes);
        return result;
    }
    *boxes = s.boxes;
    *count = s.count;
    return 0;
}

int map_source_read(const char *path, struct map_box **boxes, uint32_t *count, char *error, size_t error_size) {
    uint8_t *bytes;
    size_t len;
    *boxes = NULL;
    *count = 0;
    int result = file_read(path, MAP_SOURCE_BYTES_MAX, &bytes, &len, error, error_size);
    if (result != 0) return result;
    result = map_source_parse(path, bytes, len, boxes, count, error, error_size);
    free(bytes);
    return result;
}
