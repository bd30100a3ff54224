/* redis_request.h: the arguments of a Redis command, encoded as they are added.
 *
 * A request keeps its memory across redis_request_reset, so a reused one does not allocate. Errors stick: once something did
 * not fit (REDIS_REQUEST_ARGS_MAX arguments, REDIS_REQUEST_BYTES_MAX bytes, memory) `error` is set, further calls do
 * nothing, and who sends the request is refused. The caller owns it.
 *
 * Format: each argument is `$<length>\r\n<bytes>\r\n`; the sender writes `*<count>\r\n` before them (RESP 2).
 */
#ifndef MARCH_PERSIST_REDIS_REQUEST_H
#define MARCH_PERSIST_REDIS_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define REDIS_REQUEST_ARGS_MAX  16384
#define REDIS_REQUEST_BYTES_MAX (8u << 20)

struct redis_request {
    char *bytes;
    size_t len, size;
    uint32_t count; /* arguments */
    int error;
};

/* redis_request_init makes an empty request; _reset empties it and keeps its memory; _deinit frees it, fine twice. */
void redis_request_init(struct redis_request *request);
void redis_request_reset(struct redis_request *request);
void redis_request_deinit(struct redis_request *request);

/* Each adds an argument. Numbers go as decimal text. */
void redis_request_bytes(struct redis_request *request, const void *bytes, size_t len);
void redis_request_text(struct redis_request *request, const char *text);
void redis_request_u64(struct redis_request *request, uint64_t value);
void redis_request_i64(struct redis_request *request, int64_t value);

/* redis_request_key adds a formatted argument of at most 255 bytes. */
__attribute__((format(printf, 2, 3))) void redis_request_key(struct redis_request *request, const char *format, ...);

#endif
