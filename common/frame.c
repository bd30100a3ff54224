#include "common/frame.h"

#include <stdbool.h>
#include <string.h>

#include "common/bytes.h"
#include "common/check.h"

#define COMMAND_SIZE      4
#define INPUT_HEADER_SIZE 7  /* count, newest_seq, view_tick */
#define PONG_SIZE         10 /* client_us, tick_low, tick_fraction */

/* claim returns the next `count` bytes of the packet, or NULL when it has fewer. */
static const uint8_t *claim(struct frame_reader *reader, size_t count) {
    if ((size_t)(reader->end - reader->next) < count) return NULL;
    const uint8_t *at = reader->next;
    reader->next += count;
    return at;
}

static bool command_is_valid(const struct frame_command *command) {
    return (command->move & 3) <= 2 && command->move >> 2 <= 2;
}

static int read_input(struct frame_reader *reader, struct frame_input *input) {
    const uint8_t *at = claim(reader, INPUT_HEADER_SIZE);
    if (at == NULL) return MARCH_ERR_INVALID;
    input->count = at[0];
    input->newest_seq = (uint16_t)load_le(at + 1, 2);
    input->view_tick = (uint32_t)load_le(at + 3, 4);
    if (input->count < 1 || input->count > FRAME_COMMANDS_MAX) return MARCH_ERR_INVALID;
    at = claim(reader, (size_t)input->count * COMMAND_SIZE);
    if (at == NULL) return MARCH_ERR_INVALID;
    for (unsigned i = 0; i < input->count; i++, at += COMMAND_SIZE) {
        input->commands[i] = (struct frame_command){at[0], at[1], (uint16_t)load_le(at + 2, 2)};
        if (!command_is_valid(&input->commands[i])) return MARCH_ERR_INVALID;
    }
    return 1;
}

static int read_snapshot(struct frame_reader *reader, struct frame_bytes *snapshot) {
    const uint8_t *at = claim(reader, 2);
    if (at == NULL) return MARCH_ERR_INVALID;
    snapshot->len = (uint16_t)load_le(at, 2);
    snapshot->bytes = claim(reader, snapshot->len);
    return snapshot->bytes != NULL && snapshot->len > 0 ? 1 : MARCH_ERR_INVALID;
}

static bool fragment_is_valid(const struct frame_fragment *fragment) {
    if (fragment->last_index >= FRAME_MESSAGE_FRAGMENTS || fragment->index > fragment->last_index) return false;
    if (fragment->index < fragment->last_index) return fragment->len == FRAME_FRAGMENT_BYTES;
    return fragment->len >= 1 && fragment->len <= FRAME_FRAGMENT_BYTES;
}

static int read_fragment(struct frame_reader *reader, struct frame_fragment *fragment) {
    const uint8_t *at = claim(reader, FRAME_FRAGMENT_HEADER_SIZE - 1);
    if (at == NULL) return MARCH_ERR_INVALID;
    fragment->message_id = (uint16_t)load_le(at, 2);
    fragment->index = at[2];
    fragment->last_index = at[3];
    fragment->len = (uint16_t)load_le(at + 4, 2);
    if (!fragment_is_valid(fragment)) return MARCH_ERR_INVALID;
    fragment->bytes = claim(reader, fragment->len);
    return fragment->bytes != NULL ? 1 : MARCH_ERR_INVALID;
}

static int read_ping(struct frame_reader *reader, uint32_t *client_us) {
    const uint8_t *at = claim(reader, 4);
    if (at == NULL) return MARCH_ERR_INVALID;
    *client_us = (uint32_t)load_le(at, 4);
    return 1;
}

static int read_pong(struct frame_reader *reader, struct frame_pong *pong) {
    const uint8_t *at = claim(reader, PONG_SIZE);
    if (at == NULL) return MARCH_ERR_INVALID;
    pong->client_us = (uint32_t)load_le(at, 4);
    pong->tick_low = (uint32_t)load_le(at + 4, 4);
    pong->tick_fraction = (uint16_t)load_le(at + 8, 2);
    return 1;
}

int frame_next(struct frame_reader *reader, struct frame *out) {
    const uint8_t *type = claim(reader, 1);
    if (type == NULL) return 0;
    out->type = (enum frame_type) * type;
    switch (out->type) {
    case FRAME_INPUT: return read_input(reader, &out->input);
    case FRAME_SNAPSHOT: return read_snapshot(reader, &out->snapshot);
    case FRAME_FRAGMENT: return read_fragment(reader, &out->fragment);
    case FRAME_PING: return read_ping(reader, &out->ping_client_us);
    case FRAME_PONG: return read_pong(reader, &out->pong);
    case FRAME_TYPE_COUNT: break;
    }
    return MARCH_ERR_INVALID;
}

/* reserve returns room for a whole frame with its type byte written, or NULL when it does not fit. */
static uint8_t *reserve(struct frame_writer *writer, enum frame_type type, size_t body) {
    if (writer->size - writer->len < 1 + body) return NULL;
    uint8_t *at = writer->bytes + writer->len;
    writer->len += 1 + body;
    *at = (uint8_t)type;
    return at + 1;
}

int frame_write_input(struct frame_writer *writer, const struct frame_input *input) {
    CHECK(input->count >= 1 && input->count <= FRAME_COMMANDS_MAX);
    uint8_t *at = reserve(writer, FRAME_INPUT, INPUT_HEADER_SIZE + (size_t)input->count * COMMAND_SIZE);
    if (at == NULL) return MARCH_ERR_FULL;
    at[0] = input->count;
    store_le(at + 1, input->newest_seq, 2);
    store_le(at + 3, input->view_tick, 4);
    at += INPUT_HEADER_SIZE;
    for (unsigned i = 0; i < input->count; i++, at += COMMAND_SIZE) {
        const struct frame_command *command = &input->commands[i];
        CHECK(command_is_valid(command));
        at[0] = command->move;
        at[1] = command->buttons;
        store_le(at + 2, command->aim, 2);
    }
    return MARCH_OK;
}

int frame_write_snapshot(struct frame_writer *writer, const uint8_t *bytes, size_t len) {
    CHECK(len >= 1 && len <= UINT16_MAX);
    uint8_t *at = reserve(writer, FRAME_SNAPSHOT, 2 + len);
    if (at == NULL) return MARCH_ERR_FULL;
    store_le(at, len, 2);
    memcpy(at + 2, bytes, len);
    return MARCH_OK;
}

int frame_write_fragment(struct frame_writer *writer, const struct frame_fragment *fragment) {
    CHECK(fragment_is_valid(fragment));
    uint8_t *at = reserve(writer, FRAME_FRAGMENT, FRAME_FRAGMENT_HEADER_SIZE - 1 + (size_t)fragment->len);
    if (at == NULL) return MARCH_ERR_FULL;
    store_le(at, fragment->message_id, 2);
    at[2] = fragment->index;
    at[3] = fragment->last_index;
    store_le(at + 4, fragment->len, 2);
    memcpy(at + FRAME_FRAGMENT_HEADER_SIZE - 1, fragment->bytes, fragment->len);
    return MARCH_OK;
}

int frame_write_ping(struct frame_writer *writer, uint32_t client_us) {
    uint8_t *at = reserve(writer, FRAME_PING, 4);
    if (at == NULL) return MARCH_ERR_FULL;
    store_le(at, client_us, 4);
    return MARCH_OK;
}

int frame_write_pong(struct frame_writer *writer, const struct frame_pong *pong) {
    uint8_t *at = reserve(writer, FRAME_PONG, PONG_SIZE);
    if (at == NULL) return MARCH_ERR_FULL;
    store_le(at, pong->client_us, 4);
    store_le(at + 4, pong->tick_low, 4);
    store_le(at + 8, pong->tick_fraction, 2);
    return MARCH_OK;
}
