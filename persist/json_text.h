/* json_text.h: small pieces of text for JSON. */
#ifndef MARCH_PERSIST_JSON_TEXT_H
#define MARCH_PERSIST_JSON_TEXT_H

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define JSON_TIME_SIZE 40

/* json_time writes milliseconds since the Unix epoch as "2026-01-31T12:00:00.000Z" (RFC 3339); "" for what no calendar has.
 */
static inline void json_time(char out[JSON_TIME_SIZE], int64_t unix_ms) {
    int64_t s = unix_ms / 1000, ms = unix_ms % 1000;
    if (ms < 0) s--, ms += 1000;
    time_t time = (time_t)s;
    struct tm tm;
    char text[24];
    out[0] = '\0';
    if (!gmtime_r(&time, &tm) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm) == 0) return;
    snprintf(out, JSON_TIME_SIZE, "%s.%03dZ", text, (int)ms);
}

#endif
