/* http_target.c: see http_target.h. */
#include "common/http_target.h"

#include <string.h>

#include "common/check.h"
#include "common/utf8.h"

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* decode undoes the escapes of a piece in place, ends it with a zero and checks that it is text. The byte behind the piece
 * was its separator, or the end of the target. */
static int decode(char *text, size_t len, bool plus_is_blank) {
    size_t to = 0;
    for (size_t from = 0; from < len; from++) {
        char c = text[from];
        if (c == '+' && plus_is_blank) c = ' ';
        if (c == '%') {
            int high = len - from > 2 ? hex_value(text[from + 1]) : -1;
            int low = high >= 0 ? hex_value(text[from + 2]) : -1;
            if (low < 0) return MARCH_ERR_INVALID;
            c = (char)(high * 16 + low);
            from += 2;
        }
        text[to++] = c;
    }
    text[to] = '\0';
    return to == 0 || utf8_text_valid(text, to, HTTP_TARGET_MAX) ? 0 : MARCH_ERR_INVALID;
}

static int parse_path(struct http_target *target, char *at, const char *end) {
    while (at < end) {
        char *slash = memchr(at, '/', (size_t)(end - at));
        size_t len = slash ? (size_t)(slash - at) : (size_t)(end - at);
        if (len == 0 || (slash && slash + 1 == end)) return MARCH_ERR_INVALID;
        if (target->segment_count == HTTP_SEGMENTS_MAX) return MARCH_ERR_FULL;
        target->segments[target->segment_count++] = at;
        int result = decode(at, len, false);
        if (result != 0) return result;
        at += len + 1;
    }
    return 0;
}

static int parse_argument(struct http_target *target, char *at, size_t len) {
    char *equals = memchr(at, '=', len);
    size_t name_len = equals ? (size_t)(equals - at) : len;
    char *value = equals ? equals + 1 : at + len;
    size_t value_len = equals ? len - name_len - 1 : 0;
    if (name_len == 0) return MARCH_ERR_INVALID;
    if (target->argument_count == HTTP_ARGUMENTS_MAX) return MARCH_ERR_FULL;
    if (decode(value, value_len, true) != 0 || decode(at, name_len, true) != 0) return MARCH_ERR_INVALID;
    if (http_target_argument(target, at)) return MARCH_ERR_INVALID;
    target->arguments[target->argument_count++] = (struct http_argument){at, value};
    return 0;
}

static int parse_query(struct http_target *target, char *at, const char *end) {
    while (at < end) {
        char *next = memchr(at, '&', (size_t)(end - at));
        size_t len = next ? (size_t)(next - at) : (size_t)(end - at);
        int result = parse_argument(target, at, len);
        if (result != 0) return result;
        at += len + 1;
    }
    return 0;
}

int http_target_parse(struct http_target *target, const char *text, size_t len) {
    target->segment_count = 0;
    target->argument_count = 0;
    target->has_path = false;
    if (len > HTTP_TARGET_MAX) return MARCH_ERR_FULL;
    if (len == 0 || text[0] != '/' || memchr(text, '\0', len)) return MARCH_ERR_INVALID;
    memcpy(target->bytes, text, len);
    target->bytes[len] = '\0';
    char *end = target->bytes + len;
    char *query = memchr(target->bytes, '?', len);
    int result = parse_path(target, target->bytes + 1, query ? query : end);
    if (result != 0) return result;
    target->has_path = true;
    return query ? parse_query(target, query + 1, end) : 0;
}

const char *http_target_argument(const struct http_target *target, const char *name) {
    for (uint32_t i = 0; i < target->argument_count; i++)
        if (strcmp(target->arguments[i].name, name) == 0) return target->arguments[i].value;
    return NULL;
}

bool http_target_matches(const struct http_target *target, const char *pattern,
                         const char *parameters[HTTP_PARAMETERS_MAX]) {
    uint32_t index = 0, found = 0;
    const char *at = pattern + 1;
    while (*at != '\0') {
        size_t len = strcspn(at, "/");
        if (index == target->segment_count) return false;
        const char *segment = target->segments[index++];
        if (len == 2 && memcmp(at, "{}", 2) == 0) {
            CHECK(found < HTTP_PARAMETERS_MAX);
            parameters[found++] = segment;
        } else if (strlen(segment) != len || memcmp(segment, at, len) != 0) {
            return false;
        }
        at += len;
        if (*at == '/') at++;
    }
    return index == target->segment_count;
}
