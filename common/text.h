/* text.h: appending formatted text to a buffer of fixed size.
 *
 * Fails softly: past the end nothing is stored and `overflow` is set, so that a caller checks once at the end. The text is
 * always terminated. The caller owns the bytes.
 */
#ifndef MARCH_COMMON_TEXT_H
#define MARCH_COMMON_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/error.h"

struct text {
    char *bytes;
    size_t size; /* room, with the final zero */
    size_t len;
    bool overflow;
};

/* text_init starts an empty text in `bytes`; `size` is at least 1. */
static inline void text_init(struct text *t, char *bytes, size_t size) {
    *t = (struct text){.bytes = bytes, .size = size};
    bytes[0] = '\0';
}

/* text_append adds a formatted piece, whole or not at all. */
__attribute__((format(printf, 2, 3))) static inline void text_append(struct text *t, const char *format, ...) {
    if (t->overflow) return;
    va_list args;
    va_start(args, format);
    int count = vsnprintf(t->bytes + t->len, t->size - t->len, format, args);
    va_end(args);
    if (count < 0 || (size_t)count >= t->size - t->len) {
        t->bytes[t->len] = '\0';
        t->overflow = true;
        return;
    }
    t->len += (size_t)count;
}

/* text_finish returns the length, or MARCH_ERR_FULL when something did not fit. */
must_check static inline int text_finish(const struct text *t) {
    return t->overflow ? MARCH_ERR_FULL : (int)t->len;
}

#endif
