/* utf8.h: what a short text from outside may hold. */
#ifndef MARCH_COMMON_UTF8_H
#define MARCH_COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* utf8_text_valid tells whether `len` bytes are 1 to `max` bytes of well-formed UTF-8 (no overlong forms, no surrogates,
 * Unicode table 3-7) without control characters, NUL included. */
bool utf8_text_valid(const char *text, size_t len, size_t max);

/* utf8_text_clean puts a question mark for each byte of a text that such a text may not hold, as of a character that was
 * cut. */
void utf8_text_clean(char *text);

#endif
