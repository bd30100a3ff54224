#include "persist/tell.h"

#include <stdio.h>
#include <string.h>

#include "common/check.h"

_Static_assert(LEDGER_TRADE_ITEMS_MAX == WIRE_TRADE_ITEMS_MAX, "a side of a trade is as long here as there");
_Static_assert(LEDGER_NAME_MAX == WIRE_VALUE_NAME_MAX && LEDGER_TEXT_MAX == WIRE_COMMAND_TEXT_MAX, "texts as well");
_Static_assert((int)LEDGER_EXISTS == (int)WIRE_STATUS_EXISTS && (int)LEDGER_BUSY == (int)WIRE_STATUS_BUSY, "statuses");
_Static_assert((int)LEDGER_PROFILE == (int)WIRE_COMMAND_PROFILE && (int)LEDGER_DROP == (int)WIRE_COMMAND_DROP, "verbs");
_Static_assert((int)LEDGER_RANK_LEADER == (int)WIRE_GUILD_LEADER, "ranks");

/* --- inventories */

static struct wire_item item_of(const struct ledger_item *item) {
    return (struct wire_item){
        .id = item->id, .kind = item->kind, .count = item->count, .version = item->version, .slot = item->slot};
}

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static void tell_difference(const struct ledger_difference *d, const struct ledger_holding *after, uint64_t guild,
                            bool reset, tell_fn tell, void *ctx) {
    uint32_t added = 0, updated = 0, removed = 0;
    do {
        struct wire_server_message message = {.kind = WIRE_SERVER_INVENTORY_DIFF};
        struct wire_inventory_diff *diff = &message.inventory;
        diff->reset = reset;
        diff->guild = guild;
        diff->version = after ? after->version : 0;
        diff->gold = after ? (uint64_t)after->gold : 0;
        diff->added_count = least(d->added_count - added, WIRE_DIFF_ITEMS_MAX);
        for (uint32_t i = 0; i < diff->added_count; i++) diff->added[i] = item_of(&d->added[added++]);
        diff->updated_count = least(d->updated_count - updated, WIRE_DIFF_ITEMS_MAX - diff->added_count);
        for (uint32_t i = 0; i < diff->updated_count; i++) diff->updated[i] = item_of(&d->updated[updated++]);
        diff->removed_count = least(d->removed_count - removed, WIRE_DIFF_REMOVED_MAX);
        for (uint32_t i = 0; i < diff->removed_count; i++) diff->removed[i] = d->removed[removed++];
        diff->more = added < d->added_count || updated < d->updated_count || removed < d->removed_count;
        reset = false;
        tell(ctx, &message);
    } while (added < d->added_count || updated < d->updated_count || removed < d->removed_count);
}

void tell_change(const struct ledger_holding *before, const struct ledger_holding *after, uint64_t guild, tell_fn tell,
                 void *ctx) {
    struct ledger_difference difference;
    ledger_difference_of(before, after, &difference);
    tell_difference(&difference, after, guild, false, tell, ctx);
}

void tell_inventory(const struct ledger_holding *holding, uint64_t guild, tell_fn tell, void *ctx) {
    struct ledger_difference difference;
    ledger_difference_of(NULL, holding, &difference);
    tell_difference(&difference, holding, guild, true, tell, ctx);
}

/* --- trades and auctions */

static uint32_t seconds_until(uint64_t at_ms, uint64_t now_ms) {
    if (at_ms <= now_ms) return 0;
    uint64_t seconds = (at_ms - now_ms + 999) / 1000;
    return seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX;
}

static struct wire_item trade_item(const struct ledger_trade_item *item) {
    return (struct wire_item){.id = item->id, .kind = item->kind, .count = item->count, .version = item->version};
}

struct wire_server_message tell_trade(uint64_t trade, const struct ledger_trade *row, uint64_t now_ms) {
    struct wire_server_message message = {.kind = WIRE_SERVER_TRADE_OFFERED};
    struct wire_trade_offered *out = &message.trade_offered;
    *out = (struct wire_trade_offered){.trade = trade,
                                       .offerer = row->offerer,
                                       .accepter = row->accepter,
                                       .give_gold = (uint64_t)row->give_gold,
                                       .want_gold = (uint64_t)row->want_gold,
                                       .expires_in_s = seconds_until(row->expires_ms, now_ms),
                                       .give_count = row->give_count,
                                       .want_count = row->want_count};
    for (uint32_t i = 0; i < row->give_count; i++) out->give[i] = trade_item(&row->give[i]);
    for (uint32_t i = 0; i < row->want_count; i++) out->want[i] = trade_item(&row->want[i]);
    return message;
}

struct wire_server_message tell_trade_closed(uint64_t trade, enum wire_trade_outcome outcome) {
    return (struct wire_server_message){.kind = WIRE_SERVER_TRADE_CLOSED,
                                        .trade_closed = {.trade = trade, .outcome = outcome}};
}

struct wire_server_message tell_auction(uint64_t auction, const struct ledger_auction *row, enum wire_auction_phase phase,
                                        uint64_t now_ms) {
    struct wire_server_message message = {.kind = WIRE_SERVER_AUCTION_STATE};
    message.auction = (struct wire_auction_state){.auction = auction, .phase = phase};
    if (!row) return message;
    message.auction.seller = row->seller;
    message.auction.item = (struct wire_item){.kind = row->item_kind, .count = row->item_count};
    message.auction.min_bid = (uint64_t)row->min_bid;
    message.auction.buyout = (uint64_t)row->buyout;
    message.auction.bid = (uint64_t)row->bid;
    message.auction.bidder = row->bidder;
    message.auction.ends_in_s = seconds_until(row->ends_ms, now_ms);
    return message;
}

/* --- guilds and boards */

struct wire_server_message tell_guild(uint64_t id, const struct ledger_guild *guild, uint64_t player, uint32_t first) {
    struct wire_server_message message = {.kind = WIRE_SERVER_GUILD_STATE};
    const struct ledger_member *self = guild ? ledger_guild_member(guild, player) : NULL;
    if (!self) return message;
    struct wire_guild_state *out = &message.guild;
    out->guild = id;
    out->version = guild->version;
    memcpy(out->name, guild->name, sizeof out->name);
    out->rank = (uint8_t)self->rank;
    out->members_total = guild->member_count;
    out->member_first = least(first, guild->member_count);
    out->member_count = least(guild->member_count - out->member_first, WIRE_GUILD_MEMBERS_MAX);
    for (uint32_t i = 0; i < out->member_count; i++) {
        const struct ledger_member *member = &guild->members[out->member_first + i];
        out->members[i] = (struct wire_guild_member){.player = member->player, .rank = member->rank};
    }
    return message;
}

struct wire_server_message tell_board(enum board board, const char *region, uint32_t season, const struct board_page *page) {
    struct wire_server_message message = {.kind = WIRE_SERVER_BOARD_ROWS};
    struct wire_board_rows *out = &message.board;
    snprintf(out->board, sizeof out->board, "%s", board_name(board));
    snprintf(out->region, sizeof out->region, "%s", region ? region : "");
    out->season = season;
    out->total = page->total < UINT32_MAX ? (uint32_t)page->total : UINT32_MAX;
    out->row_count = least(page->count, WIRE_BOARD_ROWS_MAX);
    for (uint32_t i = 0; i < out->row_count; i++) {
        const struct board_entry *entry = &page->entries[i];
        out->rows[i] =
            (struct wire_board_row){.player = entry->player, .score = (uint64_t)entry->score, .rank = (uint32_t)entry->rank};
    }
    return message;
}

/* --- commands */

static void copy_refs(const struct wire_item_ref *in, uint32_t count, struct ledger_ref *out) {
    for (uint32_t i = 0; i < count; i++)
        out[i] = (struct ledger_ref){.id = in[i].id, .version = in[i].version, .count = in[i].count};
}

int tell_command(uint64_t player, const struct wire_command *in, struct ledger_command *out) {
    if (in->gold > LEDGER_GOLD_MAX || in->price > LEDGER_GOLD_MAX || in->duration_s > UINT32_MAX / 1000)
        return MARCH_ERR_INVALID;
    CHECK(in->give_count <= LEDGER_TRADE_ITEMS_MAX && in->want_count <= LEDGER_TRADE_ITEMS_MAX);
    *out = (struct ledger_command){.verb = (enum ledger_verb)in->verb,
                                   .domain = LEDGER_DOMAIN_CLIENT,
                                   .player = player,
                                   .key = in->key,
                                   .other = in->player,
                                   .item = in->item,
                                   .other_item = in->other_item,
                                   .object = in->object,
                                   .version = in->version,
                                   .other_version = in->other_version,
                                   .count = in->count,
                                   .duration_ms = in->duration_s * 1000,
                                   .slot = in->slot,
                                   .rank = in->rank,
                                   .gold = (int64_t)in->gold,
                                   .price = (int64_t)in->price,
                                   .give_count = in->give_count,
                                   .want_count = in->want_count};
    copy_refs(in->give, in->give_count, out->give);
    copy_refs(in->want, in->want_count, out->want);
    memcpy(out->text, in->text, sizeof out->text);
    return 0;
}
