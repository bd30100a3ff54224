/* flat.h: reads the FlatBuffers of client.fbs out of bytes from anywhere, without the FlatBuffers library, which is C++.
 *
 * Every offset and length is checked against the message before it is followed. What lies outside reads as missing and sets
 * `bad`, once and for all: a reader takes all its fields, then looks at `bad`. Fields that are missing read as 0.
 * PROTOCOL.md section 4 tells the format.
 */
#ifndef MARCH_TOOLS_CLIENT_FLAT_H
#define MARCH_TOOLS_CLIENT_FLAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct flat_message {
    const uint8_t *bytes;
    uint32_t len;
    bool bad;
};

struct flat_table {
    struct flat_message *message;
    uint32_t at; /* of the table in the message; 0: no table, every field is missing */
    uint32_t vtable, vtable_size;
};

struct flat_vector {
    const uint8_t *items; /* at any alignment; NULL with count 0 */
    uint32_t count;
};

/* flat_root opens a message's root table. */
struct flat_table flat_root(struct flat_message *message);

/* Fields by their number in the table. */
uint8_t flat_u8(const struct flat_table *table, unsigned field, uint8_t otherwise);
uint16_t flat_u16(const struct flat_table *table, unsigned field);
uint32_t flat_u32(const struct flat_table *table, unsigned field);
uint64_t flat_u64(const struct flat_table *table, unsigned field);
struct flat_table flat_table_of(const struct flat_table *table, unsigned field);

/* flat_struct returns `size` bytes that lie in the table itself; NULL where they are missing. */
const uint8_t *flat_struct(const struct flat_table *table, unsigned field, uint32_t size);

/* flat_vector_of returns a vector of at most `most` items; a longer one is bad. */
struct flat_vector flat_vector_of(const struct flat_table *table, unsigned field, uint32_t item_size, uint32_t most);

/* flat_text copies a text with its final zero; empty where it is missing. One that does not fit `size`, or is not UTF-8
 * without control characters, is bad. */
void flat_text(const struct flat_table *table, unsigned field, char *text, size_t size);

#endif
