/* fuzz_http_target.c: any bytes as a request's target. What is accepted is text within the limits, and escaped anew it is
 * read as the same. */
#include <stdio.h>
#include <string.h>

#include "common/check.h"
#include "common/http_target.h"
#include "common/text.h"
#include "common/utf8.h"

static void check_text(const char *text) {
    size_t len = strlen(text);
    CHECK(len == 0 || utf8_text_valid(text, len, HTTP_TARGET_MAX));
}

static void check_path(const struct http_target *target) {
    CHECK(target->segment_count <= HTTP_SEGMENTS_MAX);
    for (uint32_t i = 0; i < target->segment_count; i++) {
        CHECK(target->segments[i][0] != '\0');
        check_text(target->segments[i]);
    }
}

static void check_arguments(const struct http_target *target) {
    CHECK(target->argument_count <= HTTP_ARGUMENTS_MAX);
    for (uint32_t i = 0; i < target->argument_count; i++) {
        check_text(target->arguments[i].name);
        check_text(target->arguments[i].value);
        CHECK(http_target_argument(target, target->arguments[i].name) == target->arguments[i].value);
    }
}

static void escape(struct text *text, const char *piece) {
    for (; *piece != '\0'; piece++) text_append(text, "%%%02x", (unsigned char)*piece);
}

static void check_round_trip(const struct http_target *target) {
    static char bytes[4 * HTTP_TARGET_MAX];
    static struct http_target again;
    struct text text;
    text_init(&text, bytes, sizeof bytes);
    for (uint32_t i = 0; i < target->segment_count; i++) {
        text_append(&text, "/");
        escape(&text, target->segments[i]);
    }
    if (target->segment_count == 0) text_append(&text, "/");
    for (uint32_t i = 0; i < target->argument_count; i++) {
        text_append(&text, "%c", i == 0 ? '?' : '&');
        escape(&text, target->arguments[i].name);
        text_append(&text, "=");
        escape(&text, target->arguments[i].value);
    }
    int len = text_finish(&text);
    CHECK(len >= 0);
    if (len > HTTP_TARGET_MAX) return;
    CHECK(http_target_parse(&again, bytes, (size_t)len) == 0);
    CHECK(again.segment_count == target->segment_count && again.argument_count == target->argument_count);
    for (uint32_t i = 0; i < again.segment_count; i++) CHECK(strcmp(again.segments[i], target->segments[i]) == 0);
    for (uint32_t i = 0; i < again.argument_count; i++) {
        CHECK(strcmp(again.arguments[i].name, target->arguments[i].name) == 0);
        CHECK(strcmp(again.arguments[i].value, target->arguments[i].value) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    static struct http_target target;
    int result = http_target_parse(&target, (const char *)bytes, len);
    if (target.has_path) check_path(&target);
    if (result != 0) return 0;
    CHECK(target.has_path);
    check_arguments(&target);
    const char *parameters[HTTP_PARAMETERS_MAX] = {0};
    if (http_target_matches(&target, "/v1/players/{}/inventory", parameters)) CHECK(parameters[0] == target.segments[2]);
    check_round_trip(&target);
    return 0;
}
