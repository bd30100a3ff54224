/* tell.h: rows of value as the messages that clients are told them by. Pure.
 *
 * Lists that are longer than a message are told by several; each function that may need several takes a callback, which is
 * called for each in order, from within.
 */
#ifndef MARCH_PERSIST_TELL_H
#define MARCH_PERSIST_TELL_H

#include <stdint.h>

#include "persist/boards.h"
#include "persist/ledger.h"
#include "schemas/wire.h"

typedef void (*tell_fn)(void *ctx, const struct wire_server_message *message);

/* tell_change tells how an inventory became `after` from `before`, either NULL for empty; `guild` is 0 for a player's own.
 * tell_inventory tells all of one. */
void tell_change(const struct ledger_holding *before, const struct ledger_holding *after, uint64_t guild, tell_fn tell,
                 void *ctx);
void tell_inventory(const struct ledger_holding *holding, uint64_t guild, tell_fn tell, void *ctx);

/* tell_trade describes an open trade, as told to either side. */
struct wire_server_message tell_trade(uint64_t trade, const struct ledger_trade *row, uint64_t now_ms);

/* tell_trade_closed tells how a trade ended. */
struct wire_server_message tell_trade_closed(uint64_t trade, enum wire_trade_outcome outcome);

/* tell_guild describes a guild to one of its members, with members from number `first` on. */
struct wire_server_message tell_guild(uint64_t id, const struct ledger_guild *guild, uint64_t player, uint32_t first);

/* tell_auction describes an auction in `phase`; `row` NULL where it is gone. */
struct wire_server_message tell_auction(uint64_t auction, const struct ledger_auction *row, enum wire_auction_phase phase,
                                        uint64_t now_ms);

/* tell_board describes a piece of a board; `region` NULL for all. */
struct wire_server_message tell_board(enum board board, const char *region, uint32_t season, const struct board_page *page);

/* tell_command turns a client's command into one of the ledger's. Numbers are not judged but for sizes: MARCH_ERR_INVALID
 * where one does not fit. */
must_check int tell_command(uint64_t player, const struct wire_command *in, struct ledger_command *out);

#endif
