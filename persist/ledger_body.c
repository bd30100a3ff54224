/* ledger_body.c: copies, ends and judges bodies of rows. */
#include <stdlib.h>
#include <string.h>

#include "common/item_kinds.h"
#include "common/utf8.h"
#include "persist/ledger_set.h"

/* --- copies */

void body_copy(uint32_t type, union ledger_body *to, const union ledger_body *from) {
    *to = *from;
    if (type == LEDGER_ROW_ACCOUNT) {
        const struct ledger_holding *holding = &from->account;
        to->account.items = NULL;
        to->account.item_room = holding->item_count;
        if (holding->item_count == 0) return;
        to->account.items = malloc(holding->item_count * sizeof(*holding->items));
        CHECK(to->account.items);
        memcpy(to->account.items, holding->items, holding->item_count * sizeof(*holding->items));
    } else if (type == LEDGER_ROW_GUILD && from->guild) {
        to->guild = malloc(sizeof(*to->guild));
        CHECK(to->guild);
        memcpy(to->guild, from->guild, sizeof(*to->guild));
    }
}

void body_free(uint32_t type, union ledger_body *body) {
    if (type == LEDGER_ROW_ACCOUNT) free(body->account.items);
    if (type == LEDGER_ROW_GUILD) free(body->guild);
    *body = (union ledger_body){0};
}

/* --- what comes from the database is checked too */

static bool item_valid(const struct ledger_item *item) {
    const struct item_kind_info *kind = item_kind_find(item->kind);
    return kind && item->id != 0 && item->count >= 1 && item->count <= kind->stack_max &&
           item->slot < LEDGER_ACCOUNT_ITEMS_MAX;
}

static bool holding_valid(const struct ledger_holding *holding) {
    if (holding->gold < 0 || holding->gold > LEDGER_GOLD_MAX || holding->item_count > LEDGER_ACCOUNT_ITEMS_MAX) return false;
    for (uint32_t i = 0; i < holding->item_count; i++) {
        if (!item_valid(&holding->items[i])) return false;
        if (i > 0 && holding->items[i].slot <= holding->items[i - 1].slot) return false;
    }
    return true;
}

static bool side_valid(const struct ledger_trade_item *items, uint32_t count, int64_t gold) {
    if (count > LEDGER_TRADE_ITEMS_MAX || gold < 0 || gold > LEDGER_GOLD_MAX) return false;
    for (uint32_t i = 0; i < count; i++)
        if (items[i].id == 0 || items[i].count == 0 || items[i].count > ITEM_STACK_MAX) return false;
    return true;
}

static bool trade_valid(const struct ledger_trade *trade) {
    return player_id_valid(trade->offerer) && player_id_valid(trade->accepter) && trade->offerer != trade->accepter &&
           side_valid(trade->give, trade->give_count, trade->give_gold) &&
           side_valid(trade->want, trade->want_count, trade->want_gold);
}

static bool auction_valid(const struct ledger_auction *auction) {
    return player_id_valid(auction->seller) && item_kind_find(auction->item_kind) && auction->item_count > 0 &&
           auction->min_bid >= 0 && auction->buyout >= 0 && auction->bid >= 0 &&
           (auction->bidder != 0) == (auction->bid > 0);
}

static bool guild_valid(const struct ledger_guild *guild) {
    if (guild->member_count < 1 || guild->member_count > LEDGER_MEMBERS_MAX || guild->invite_count > LEDGER_INVITES_MAX)
        return false;
    const struct ledger_member *leader = ledger_guild_member(guild, guild->leader);
    return leader && leader->rank == LEDGER_RANK_LEADER && memchr(guild->name, 0, sizeof(guild->name));
}

static bool transfer_valid(const struct ledger_transfer *transfer) {
    if (transfer->id == 0 || transfer->purpose < LEDGER_PURPOSE_CREDIT || transfer->purpose >= LEDGER_PURPOSE_COUNT)
        return false;
    if (transfer->gold < 0 || transfer->gold > LEDGER_GOLD_MAX || transfer->item_count > LEDGER_TRADE_ITEMS_MAX)
        return false;
    for (uint32_t i = 0; i < transfer->item_count; i++) {
        const struct ledger_transfer_item *item = &transfer->items[i];
        const struct item_kind_info *kind = item_kind_find(item->kind);
        if (!kind || item->id == 0 || item->count < 1 || item->count > kind->stack_max) return false;
        for (uint32_t j = 0; j < i; j++)
            if (transfer->items[j].id == item->id) return false;
    }
    return true;
}

bool body_valid(const struct ledger_key *key, const union ledger_body *body) {
    switch (key->type) {
    case LEDGER_ROW_ACCOUNT: return holding_valid(&body->account);
    case LEDGER_ROW_TRADE: return trade_valid(&body->trade);
    case LEDGER_ROW_AUCTION: return auction_valid(&body->auction);
    case LEDGER_ROW_GUILD: return guild_valid(body->guild);
    case LEDGER_ROW_TRANSFER: return transfer_valid(&body->transfer);
    case LEDGER_ROW_GUILD_NAME: return true;
    default: return false;
    }
}

const struct ledger_item *ledger_holding_find(const struct ledger_holding *holding, uint64_t item) {
    for (uint32_t i = 0; i < holding->item_count; i++)
        if (holding->items[i].id == item) return &holding->items[i];
    return NULL;
}

const struct ledger_member *ledger_guild_member(const struct ledger_guild *guild, uint64_t player) {
    for (uint32_t i = 0; i < guild->member_count; i++)
        if (guild->members[i].player == player) return &guild->members[i];
    return NULL;
}

uint64_t ledger_name_hash(const char *name) {
    uint64_t hash = 0xcbf29ce484222325; /* FNV-1a; two names of one hash can't both be taken, which does no harm */
    for (const char *at = name; *at; at++) hash = (hash ^ (uint8_t)*at) * 0x100000001b3;
    return hash;
}

void ledger_difference_of(const struct ledger_holding *before, const struct ledger_holding *after,
                          struct ledger_difference *out) {
    static const struct ledger_holding nothing = {0};
    if (!before) before = &nothing;
    if (!after) after = &nothing;
    out->added_count = out->updated_count = out->removed_count = 0;
    for (uint32_t i = 0; i < after->item_count; i++) {
        const struct ledger_item *now = &after->items[i];
        const struct ledger_item *was = ledger_holding_find(before, now->id);
        if (!was) {
            out->added[out->added_count++] = *now;
        } else if (was->count != now->count || was->slot != now->slot || was->version != now->version) {
            out->updated[out->updated_count++] = *now;
        }
    }
    for (uint32_t i = 0; i < before->item_count; i++)
        if (!ledger_holding_find(after, before->items[i].id)) out->removed[out->removed_count++] = before->items[i].id;
}
