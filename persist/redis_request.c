/* redis_request.c: see redis_request.h. */
#include "persist/redis_request.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_BYTES_MAX 16 /* "$8388608\r\n" */

void redis_request_init(struct redis_request *request) {
    *request = (struct redis_request){0};
}

void redis_request_reset(struct redis_request *request) {
    request->len = 0;
    request->count = 0;
    request->error = 0;
}

void redis_request_deinit(struct redis_request *request) {
    free(request->bytes);
    *request = (struct redis_request){0};
}

/* room makes sure that `more` bytes fit. */
static int room(struct redis_request *request, size_t more) {
    size_t need = request->len + more;
    if (need <= request->size) return 0;
    if (need > REDIS_REQUEST_BYTES_MAX) return MARCH_ERR_FULL;
    size_t size = request->size ? request->size : 512;
    while (size < need) size *= 2;
    char *bytes = realloc(request->bytes, size);
    if (bytes == NULL) return MARCH_ERR_SYSTEM;
    request->bytes = bytes;
    request->size = size;
    return 0;
}

void redis_request_bytes(struct redis_request *request, const void *bytes, size_t len) {
    if (request->error) return;
    if (request->count == REDIS_REQUEST_ARGS_MAX || len > REDIS_REQUEST_BYTES_MAX) request->error = MARCH_ERR_FULL;
    if (!request->error) request->error = room(request, len + LENGTH_BYTES_MAX + 2);
    if (request->error) return;
    request->len += (size_t)snprintf(request->bytes + request->len, LENGTH_BYTES_MAX, "$%zu\r\n", len);
    if (len > 0) memcpy(request->bytes + request->len, bytes, len);
    memcpy(request->bytes + request->len + len, "\r\n", 2);
    request->len += len + 2;
    request->count++;
}

void redis_request_text(struct redis_request *request, const char *text) {
    redis_request_bytes(request, text, strlen(text));
}

void redis_request_u64(struct redis_request *request, uint64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    do digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    redis_request_bytes(request, digits + at, sizeof digits - at);
}

void redis_request_i64(struct redis_request *request, int64_t value) {
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRId64, value);
    redis_request_bytes(request, digits, (size_t)len);
}

void redis_request_key(struct redis_request *request, const char *format, ...) {
    char key[256];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(key, sizeof key, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof key) {
        if (!request->error) request->error = MARCH_ERR_INVALID;
        return;
    }
    redis_request_bytes(request, key, (size_t)len);
}
