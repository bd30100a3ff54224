/* ledger_needs.c: which rows a command reads or changes, so that they can be loaded before it is applied. What verbs look at
 * by row_need and account_of must be listed here. */
#include <string.h>

#include "persist/ledger_set.h"

struct needs {
    struct ledger *ledger;
    struct ledger_need *list;
    unsigned count;
};

/* need returns the row when it is known, else lists it. */
static struct ledger_row *need(struct needs *needs, enum ledger_row_type type, uint32_t owner_kind, uint64_t id) {
    struct ledger_row *row = row_find(needs->ledger, type, owner_kind, id);
    if (row) {
        row_used(needs->ledger, row);
        return row;
    }
    struct ledger_key key = {.id = id, .type = type, .owner_kind = owner_kind};
    for (unsigned i = 0; i < needs->count; i++)
        if (memcmp(&needs->list[i].key, &key, sizeof(key)) == 0) return NULL;
    CHECK(needs->count < LEDGER_NEEDS_MAX);
    needs->list[needs->count++] = (struct ledger_need){.key = key};
    return NULL;
}

/* need_player lists the account of a player of this shard; others are reached by transfers. */
static struct ledger_row *need_player(struct needs *needs, uint64_t player) {
    if (!player_id_valid(player) || !ledger_is_local(needs->ledger, player)) return NULL;
    return need(needs, LEDGER_ROW_ACCOUNT, LEDGER_OWNER_PLAYER, player);
}

static void need_name(struct needs *needs, const char *name) {
    unsigned before = needs->count;
    need(needs, LEDGER_ROW_GUILD_NAME, 0, ledger_name_hash(name));
    if (needs->count == before) return;
    char *out = needs->list[before].name;
    strncpy(out, name, LEDGER_NAME_MAX);
}

static struct ledger_row *need_guild(struct needs *needs, uint64_t guild) {
    if (guild == 0 || guild > INT64_MAX) return NULL;
    struct ledger_row *row = need(needs, LEDGER_ROW_GUILD, 0, guild);
    return row && row->present ? row : NULL;
}

static void need_trade_sides(struct needs *needs, uint64_t trade) {
    const struct ledger_row *row = row_present(needs->ledger, LEDGER_ROW_TRADE, trade);
    if (!row) return;
    need_player(needs, row->body.trade.offerer);
    need_player(needs, row->body.trade.accepter);
}

static void need_auction_sides(struct needs *needs, uint64_t auction) {
    const struct ledger_row *row = row_present(needs->ledger, LEDGER_ROW_AUCTION, auction);
    if (!row) return;
    need_player(needs, row->body.auction.seller);
    if (row->body.auction.bidder) need_player(needs, row->body.auction.bidder);
}

/* need_own_guild lists the guild that the player is in, with its bank and its name where they may be wanted. */
static void need_own_guild(struct needs *needs, const struct ledger_row *account, bool bank, bool name) {
    if (!account || account->body.account.guild == 0) return;
    const struct ledger_row *guild = need_guild(needs, account->body.account.guild);
    if (bank) need(needs, LEDGER_ROW_ACCOUNT, LEDGER_OWNER_GUILD, account->body.account.guild);
    if (name && guild) need_name(needs, guild->body.guild->name);
}

static void need_guild_verb(struct needs *needs, const struct ledger_command *command, const struct ledger_row *account) {
    switch (command->verb) {
    case LEDGER_GUILD_CREATE:
        if (strlen(command->text) <= LEDGER_NAME_MAX) need_name(needs, command->text);
        break;
    case LEDGER_GUILD_JOIN: need_guild(needs, command->object); break;
    case LEDGER_GUILD_KICK:
        need_own_guild(needs, account, false, false);
        need_player(needs, command->other);
        break;
    case LEDGER_GUILD_LEAVE: need_own_guild(needs, account, true, true); break;
    case LEDGER_GUILD_DEPOSIT:
    case LEDGER_GUILD_WITHDRAW: need_own_guild(needs, account, true, false); break;
    default: need_own_guild(needs, account, false, false); break;
    }
}

static void need_transfer(struct needs *needs, const struct ledger_transfer *transfer) {
    switch (transfer->purpose) {
    case LEDGER_PURPOSE_CREDIT: need_player(needs, transfer->other); break;
    case LEDGER_PURPOSE_TRADE_ACCEPT: need_trade_sides(needs, transfer->object); break;
    case LEDGER_PURPOSE_AUCTION_BID:
    case LEDGER_PURPOSE_AUCTION_BUY:
        need_player(needs, transfer->player);
        need_auction_sides(needs, transfer->object);
        break;
    case LEDGER_PURPOSE_GUILD_DEPOSIT:
        if (need_guild(needs, transfer->object)) need(needs, LEDGER_ROW_ACCOUNT, LEDGER_OWNER_GUILD, transfer->object);
        break;
    default: break;
    }
}

unsigned ledger_needs(struct ledger *ledger, const struct ledger_command *command,
                      struct ledger_need needs[LEDGER_NEEDS_MAX]) {
    struct needs all = {.ledger = ledger, .list = needs};
    if (!ledger_command_valid(ledger, command)) return 0;
    struct ledger_row *account = need_player(&all, command->player);
    switch (command->verb) {
    case LEDGER_TRADE_OFFER: need_player(&all, command->other); break;
    case LEDGER_TRADE_ACCEPT: need_trade_sides(&all, command->object); break;
    case LEDGER_AUCTION_BID:
    case LEDGER_AUCTION_BUY:
    case LEDGER_AUCTION_EXPIRE: need_auction_sides(&all, command->object); break;
    case LEDGER_TRANSFER_IN: need_transfer(&all, &command->transfer); break;
    case LEDGER_TRANSFER_DONE: {
        const struct ledger_row *row = row_present(ledger, LEDGER_ROW_TRANSFER, command->object);
        if (row && row->body.transfer.player) need_player(&all, row->body.transfer.player);
        break;
    }
    default:
        if (command->verb >= LEDGER_GUILD_CREATE && command->verb <= LEDGER_GUILD_WITHDRAW)
            need_guild_verb(&all, command, account);
    }
    return all.count;
}
