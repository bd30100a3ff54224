/* bits.h: bit reader and writer for snapshots.
 *
 * Bits are packed least significant first into little-endian bytes. The writer fails softly: past the end it stores nothing
 * and sets `overflow`, so a caller checks once at the end. So does the reader: past the end it returns zeros and sets
 * `overflow`. Neither allocates; the caller owns the bytes.
 */
#ifndef MARCH_COMMON_BITS_H
#define MARCH_COMMON_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/check.h"

struct bit_writer {
    uint8_t *bytes;
    size_t size_bytes; /* room */
    size_t len_bytes;  /* whole bytes stored */
    uint64_t scratch;  /* bits not stored yet, lowest first */
    unsigned scratch_bits;
    bool overflow;
};

struct bit_reader {
    const uint8_t *bytes;
    size_t len_bytes;
    size_t next_byte;
    uint64_t scratch;
    unsigned scratch_bits;
    bool overflow;
};

static inline void bit_writer_init(struct bit_writer *w, uint8_t *bytes, size_t size_bytes) {
    *w = (struct bit_writer){.bytes = bytes, .size_bytes = size_bytes};
}

/* bits_write appends the low `count` bits of `value`, count 0 to 32; higher bits of value must be zero. */
static inline void bits_write(struct bit_writer *w, uint32_t value, unsigned count) {
    CHECK(count <= 32 && (count == 32 || value >> count == 0));
    w->scratch |= (uint64_t)value << w->scratch_bits;
    w->scratch_bits += count;
    if (w->scratch_bits < 32) return;
    if (w->size_bytes - w->len_bytes < 4) {
        w->overflow = true;
    } else {
        uint32_t word = (uint32_t)w->scratch;
        memcpy(w->bytes + w->len_bytes, &word, 4);
        w->len_bytes += 4;
    }
    w->scratch >>= 32;
    w->scratch_bits -= 32;
}

/* bits_written returns the number of bits appended so far, stored or still in scratch. */
static inline size_t bits_written(const struct bit_writer *w) {
    return w->len_bytes * 8 + w->scratch_bits;
}

/* bit_writer_finish pads with zero bits to a whole byte and returns the length in bytes; 0 when anything did not fit. */
static inline size_t bit_writer_finish(struct bit_writer *w) {
    while (w->scratch_bits > 0 && !w->overflow) {
        if (w->len_bytes == w->size_bytes) {
            w->overflow = true;
            break;
        }
        w->bytes[w->len_bytes++] = (uint8_t)w->scratch;
        w->scratch >>= 8;
        w->scratch_bits = w->scratch_bits > 8 ? w->scratch_bits - 8 : 0;
    }
    return w->overflow ? 0 : w->len_bytes;
}

static inline void bit_reader_init(struct bit_reader *r, const uint8_t *bytes, size_t len_bytes) {
    *r = (struct bit_reader){.bytes = bytes, .len_bytes = len_bytes};
}

/* bits_read returns the next `count` bits, count 0 to 32; zero past the end, with `overflow` set. */
static inline uint32_t bits_read(struct bit_reader *r, unsigned count) {
    CHECK(count <= 32);
    while (r->scratch_bits < count) {
        if (r->next_byte == r->len_bytes) {
            r->overflow = true;
            return 0;
        }
        r->scratch |= (uint64_t)r->bytes[r->next_byte++] << r->scratch_bits;
        r->scratch_bits += 8;
    }
    uint32_t value = (uint32_t)(r->scratch & ((1ULL << count) - 1));
    r->scratch >>= count;
    r->scratch_bits -= count;
    return value;
}

/* bits_write_gamma appends an Elias gamma code of a value from 1 to 65535: with n the position of its top bit, n zeros, a
 * one, then the low n bits. 1 costs 1 bit, 2 to 3 cost 3, 4 to 7 cost 5. */
static inline void bits_write_gamma(struct bit_writer *w, uint32_t value) {
    CHECK(value >= 1 && value <= 0xffff);
    unsigned n = 31u - (unsigned)__builtin_clz(value);
    bits_write(w, 1u << n, n + 1);
    bits_write(w, value & ((1u << n) - 1), n);
}

/* bits_read_gamma returns a value from 1 to 65535; 0 with `overflow` set on a code that can't be. */
static inline uint32_t bits_read_gamma(struct bit_reader *r) {
    unsigned n = 0;
    while (bits_read(r, 1) == 0) {
        if (r->overflow || ++n > 15) {
            r->overflow = true;
            return 0;
        }
    }
    return (1u << n) | bits_read(r, n);
}

#endif
