#include "common/utf8.h"

#include <stdint.h>
#include <string.h>

/* character_len returns the bytes of the character at `s`, of which `left` are there; 0 where it is malformed or a control.
 */
static size_t character_len(const uint8_t *s, size_t left) {
    if (s[0] < 0x20 || s[0] == 0x7f) return 0;
    if (s[0] < 0x80) return 1;
    size_t len = s[0] >= 0xc2 && s[0] <= 0xdf ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4 : 0;
    if (len == 0 || len > left) return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    uint32_t second = s[1];
    if (s[0] == 0xc2 && second < 0xa0) return 0; /* C1 controls */
    if ((s[0] == 0xe0 && second < 0xa0) || (s[0] == 0xed && second > 0x9f)) return 0;
    if ((s[0] == 0xf0 && second < 0x90) || (s[0] == 0xf4 && second > 0x8f)) return 0;
    return len;
}

bool utf8_text_valid(const char *text, size_t len, size_t max) {
    if (len == 0 || len > max) return false;
    const uint8_t *s = (const uint8_t *)text;
    for (size_t i = 0; i < len;) {
        size_t step = character_len(s + i, len - i);
        if (step == 0) return false;
        i += step;
    }
    return true;
}

void utf8_text_clean(char *text) {
    for (size_t len = strlen(text), i = 0; i < len;) {
        size_t step = character_len((const uint8_t *)text + i, len - i);
        if (step == 0) text[i] = '?';
        i += step ? step : 1;
    }
}
