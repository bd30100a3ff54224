/* reads_wire.h: what reads.h tells, as the messages that clients get over the bus. Names longer than a message takes are cut
 * between characters. */
#ifndef MARCH_PERSIST_READS_WIRE_H
#define MARCH_PERSIST_READS_WIRE_H

#include "persist/reads.h"
#include "schemas/wire.h"

void reads_wire_profile(const struct reads_profile *profile, struct wire_server_message *out);

/* The first WIRE_BOARD_ROWS_MAX entries. `region` as asked for, NULL: all. */
void reads_wire_board(const struct reads_board *board, const char *region, struct wire_server_message *out);

#endif
