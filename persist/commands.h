/* commands.h: what clients ask of persist: changes go to value.h, reads are answered from what is cached; each gets one
 * CommandResult. What commands changed is told to whoever it touches and is there; to players of other shards through
 * peers.h.
 *
 * Limits: COMMANDS_MAX asked and not answered; past that BUSY. What is switched off (flags.h) is DISABLED. While the journal
 * is full changes are JOURNAL_FULL, reads go on. One thread.
 */
#ifndef MARCH_PERSIST_COMMANDS_H
#define MARCH_PERSIST_COMMANDS_H

#include <stdint.h>

#include "common/error.h"
#include "persist/clients.h"
#include "persist/flags.h"
#include "persist/ledger.h"
#include "schemas/wire.h"

#define COMMANDS_MAX 16384

struct commands;
struct journal;
struct peers;
struct reads;
struct value;
struct value_change;

struct commands_config {
    uint32_t shard_index, shard_count;
    const struct flags *flags;
    const struct journal *journal;
    struct value *value;
    struct reads *reads;
    struct peers *peers;
    struct clients *clients;
    void *ctx;
    void (*effect)(void *ctx, uint64_t player, uint32_t kind, uint32_t power); /* of an item that was used */
};

struct commands_stats {
    uint64_t taken;
    uint64_t busy;                           /* refused: too many asked */
    uint64_t by_status[LEDGER_STATUS_COUNT]; /* answers */
    uint64_t told;                           /* messages about changes */
    uint32_t asked;                          /* now */
};

/* commands_create returns NULL when memory is short. commands_destroy: after value and reads, which call back. */
struct commands *commands_create(const struct commands_config *config);
void commands_destroy(struct commands *commands);

/* commands_take answers a command, now or later. */
void commands_take(struct commands *commands, const struct client *client, const struct wire_command *command);

/* commands_changed and commands_notice tell players what value.h says has happened. */
void commands_changed(struct commands *commands, const struct value_change *change);
void commands_notice(struct commands *commands, const struct ledger_notice *notice);

struct commands_stats commands_stats(const struct commands *commands);

#endif
