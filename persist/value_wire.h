/* value_wire.h: between the commands and rows of clients' messages and those of the ledger. */
#ifndef MARCH_PERSIST_VALUE_WIRE_H
#define MARCH_PERSIST_VALUE_WIRE_H

#include "common/error.h"
#include "persist/ledger.h"
#include "schemas/wire_value.h"

/* value_command_of_wire makes the ledger's command of what client `player` asks for. MARCH_ERR_UNSUPPORTED for verbs that
 * only read (inventory, guild info, board, profile), MARCH_ERR_INVALID for numbers that the ledger can't hold: answer
 * INVALID. */
must_check int value_command_of_wire(const struct wire_command *wire, uint64_t player, struct ledger_command *command);

/* value_trade_to_wire, value_auction_to_wire and value_guild_to_wire fill messages. Slots of a trade's items are not told.
 * An auction's item is `item` of its escrow account, or NULL once it has ended; `member_first` is the first member of a
 * guild to tell, and `player` whose rank it says. */
void value_trade_to_wire(uint64_t id, const struct ledger_trade *trade, uint64_t now_ms, struct wire_trade_offered *wire);
void value_auction_to_wire(uint64_t id, const struct ledger_auction *auction, const struct ledger_item *item,
                           uint64_t now_ms, enum wire_auction_phase phase, struct wire_auction_state *wire);
void value_guild_to_wire(uint64_t id, const struct ledger_guild *guild, uint64_t player, uint32_t member_first,
                         struct wire_guild_state *wire);

/* value_diff_to_wire cuts a difference into messages: call it with `part` 0, 1, 2 ... until `more` is false. `reset` makes
 * it all of an inventory (a difference from nothing). */
void value_diff_to_wire(const struct ledger_difference *difference, const struct ledger_holding *after, uint64_t guild,
                        bool reset, uint32_t part, struct wire_inventory_diff *wire);

#endif
