/* crc32c.c: by the instruction, and by a table that stands in for it. */
#include "common/crc32c.h"

#include <string.h>

/* What four steps of the shift register make of each nibble: small enough to be checked by eye against the polynomial, and
 * the portable way is for machines that nobody runs a cluster on. */
static const uint32_t NIBBLES[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
                                     0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                     0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};

uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t len) {
    const uint8_t *next = bytes;
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= next[i];
        crc = crc >> 4 ^ NIBBLES[crc & 15];
        crc = crc >> 4 ^ NIBBLES[crc & 15];
    }
    return ~crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const uint8_t *next, size_t len) {
    uint64_t sum = ~crc;
    for (; len >= 8; next += 8, len -= 8) {
        uint64_t word;
        memcpy(&word, next, sizeof word);
        sum = __builtin_ia32_crc32di(sum, word);
    }
    uint32_t low = (uint32_t)sum;
    for (; len > 0; next++, len--) low = __builtin_ia32_crc32qi(low, *next);
    return ~low;
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t len) {
    if (__builtin_cpu_supports("sse4.2")) return crc32c_sse42(crc, bytes, len);
    return crc32c_portable(crc, bytes, len);
}

#else

uint32_t crc32c(uint32_t crc, const void *bytes, size_t len) {
    return crc32c_portable(crc, bytes, len);
}

#endif
