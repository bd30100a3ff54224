/* bytes.h: bounded little-endian cursors over bytes, for formats of fixed fields (connect tokens, packets, records).
 *
 * Both fail softly: past the end the writer stores nothing and the reader returns zeros, and `overflow` stays set, so a
 * caller checks once at the end. Neither allocates; the caller owns the bytes.
 */
#ifndef MARCH_COMMON_BYTES_H
#define MARCH_COMMON_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct byte_writer {
    uint8_t *bytes;
    size_t size; /* room */
    size_t len;  /* stored */
    bool overflow;
};

struct byte_reader {
    const uint8_t *bytes;
    size_t len;
    size_t next;
    bool overflow;
};

/* load_le returns `count` (0 to 8) little-endian bytes as a number. */
static inline uint64_t load_le(const uint8_t *bytes, size_t count) {
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++) value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

/* store_le stores the low `count` (0 to 8) bytes of value, lowest first. */
static inline void store_le(uint8_t *bytes, uint64_t value, size_t count) {
    for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)(value >> (8 * i));
}

static inline uint8_t *byte_writer_claim(struct byte_writer *w, size_t count) {
    if (w->size - w->len < count) {
        w->overflow = true;
        return NULL;
    }
    uint8_t *at = w->bytes + w->len;
    w->len += count;
    return at;
}

static inline void write_uint(struct byte_writer *w, uint64_t value, size_t count) {
    uint8_t *at = byte_writer_claim(w, count);
    if (at != NULL) store_le(at, value, count);
}

static inline void write_bytes(struct byte_writer *w, const void *bytes, size_t count) {
    uint8_t *at = byte_writer_claim(w, count);
    if (at != NULL) memcpy(at, bytes, count);
}

static inline const uint8_t *byte_reader_claim(struct byte_reader *r, size_t count) {
    if (r->len - r->next < count) {
        r->overflow = true;
        return NULL;
    }
    const uint8_t *at = r->bytes + r->next;
    r->next += count;
    return at;
}

static inline uint64_t read_uint(struct byte_reader *r, size_t count) {
    const uint8_t *at = byte_reader_claim(r, count);
    return at != NULL ? load_le(at, count) : 0;
}

static inline void read_bytes(struct byte_reader *r, void *out, size_t count) {
    const uint8_t *at = byte_reader_claim(r, count);
    if (at != NULL) {
        memcpy(out, at, count);
    } else {
        memset(out, 0, count);
    }
}

#endif
