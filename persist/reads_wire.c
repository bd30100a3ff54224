/* reads_wire.c: see reads_wire.h. */
#include "persist/reads_wire.h"

#include <string.h>

static void copy_name(char out[WIRE_VALUE_NAME_MAX + 1], const char *name) {
    size_t len = strlen(name);
    if (len > WIRE_VALUE_NAME_MAX) {
        len = WIRE_VALUE_NAME_MAX;
        while (len > 0 && ((unsigned char)name[len] & 0xc0) == 0x80) len--; /* not within a character of UTF-8 */
    }
    memcpy(out, name, len);
    out[len] = '\0';
}

void reads_wire_profile(const struct reads_profile *profile, struct wire_server_message *out) {
    *out = (struct wire_server_message){.kind = WIRE_SERVER_PROFILE};
    struct wire_profile *to = &out->profile;
    to->player = profile->player;
    to->guild = profile->guild;
    to->experience = profile->experience;
    to->level = (uint16_t)profile->level;
    to->online = profile->online;
    copy_name(to->name, profile->name);
    copy_name(to->region, profile->region);
    copy_name(to->guild_name, profile->guild_name);
}

void reads_wire_board(const struct reads_board *board, const char *region, struct wire_server_message *out) {
    *out = (struct wire_server_message){.kind = WIRE_SERVER_BOARD_ROWS};
    struct wire_board_rows *to = &out->board;
    copy_name(to->board, board_name(board->board));
    copy_name(to->region, region ? region : "");
    to->season = board->season;
    to->total = board->total < UINT32_MAX ? (uint32_t)board->total : UINT32_MAX;
    to->row_count = board->count < WIRE_BOARD_ROWS_MAX ? board->count : WIRE_BOARD_ROWS_MAX;
    for (uint32_t i = 0; i < to->row_count; i++) {
        const struct board_entry *from = &board->entries[i];
        to->rows[i] = (struct wire_board_row){.player = from->player,
                                              .score = (uint64_t)from->score,
                                              .rank = from->rank < UINT32_MAX ? (uint32_t)from->rank : UINT32_MAX};
    }
}
