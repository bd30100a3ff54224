/* ledger_file.h: a file of JSON lines, one for each command that bots sent, written when it has ended; and where each bot
 * saw itself, about once a second while it plays.
 *
 *   {"player": 7, "key": 123, "verb": "move", "status": "ok", "object": 0, "sends": 1, "sent_ns": ..., "ended_ns": ...,
 *    "item": 5, "version": 2, ..., "give": [[id, version, count], ...]}
 *   {"player": 7, "seen_tick": 123, "at_ns": ..., "x_m": 1.50, "y_m": 2.25}
 *
 * seen_tick is the low 32 bits of the tick that the client showed. Arguments that are 0 or empty are left out. Keys are
 * unsigned 64-bit numbers; status is "unknown" for a command that was given up. Times are nanoseconds since the Unix epoch.
 * A write that fails is told once, and makes ledger_file_close fail.
 */
#ifndef MARCH_SWARM_LEDGER_FILE_H
#define MARCH_SWARM_LEDGER_FILE_H

#include <stdint.h>
#include <stdio.h>

#include "common/error.h"
#include "tools/swarm/order.h"

/* ledger_file_write writes one command that has ended; nothing without a file. */
void ledger_file_write(FILE *file, uint64_t player, const struct order *order, uint64_t wall_ns);

/* ledger_file_seen writes where a bot saw itself; nothing without a file. */
void ledger_file_seen(FILE *file, uint64_t player, uint32_t tick, uint64_t wall_ns, float x_m, float y_m);

/* ledger_file_close returns MARCH_ERR_SYSTEM when not all could be written. Takes NULL. */
must_check int ledger_file_close(FILE *file);

#endif
