/* value_wire.c: field by field. */
#include "persist/value_wire.h"

#include <string.h>

_Static_assert((int)WIRE_COMMAND_INVENTORY == (int)LEDGER_INVENTORY && (int)WIRE_COMMAND_MOVE == (int)LEDGER_MOVE &&
                   (int)WIRE_COMMAND_DROP == (int)LEDGER_DROP && (int)WIRE_COMMAND_TRADE_OFFER == (int)LEDGER_TRADE_OFFER &&
                   (int)WIRE_COMMAND_AUCTION_LIST == (int)LEDGER_AUCTION_LIST &&
                   (int)WIRE_COMMAND_GUILD_CREATE == (int)LEDGER_GUILD_CREATE &&
                   (int)WIRE_COMMAND_GUILD_INFO == (int)LEDGER_GUILD_INFO &&
                   (int)WIRE_COMMAND_PROFILE == (int)LEDGER_PROFILE,
               "verbs have the same numbers");
_Static_assert((int)WIRE_STATUS_NOT_FOUND == (int)LEDGER_NOT_FOUND && (int)WIRE_STATUS_INVALID == (int)LEDGER_INVALID &&
                   (int)WIRE_STATUS_BUSY == (int)LEDGER_BUSY && (int)WIRE_STATUS_EXISTS == (int)LEDGER_EXISTS &&
                   (int)WIRE_STATUS_COUNT == (int)LEDGER_STATUS_COUNT,
               "statuses have the same numbers");
_Static_assert((int)WIRE_GUILD_LEADER == (int)LEDGER_RANK_LEADER, "ranks have the same numbers");
_Static_assert(WIRE_TRADE_ITEMS_MAX == LEDGER_TRADE_ITEMS_MAX && WIRE_COMMAND_TEXT_MAX == LEDGER_TEXT_MAX &&
                   WIRE_VALUE_NAME_MAX == LEDGER_NAME_MAX,
               "limits are the same");

static bool reads_only(enum wire_command_verb verb) {
    return verb == WIRE_COMMAND_INVENTORY || verb == WIRE_COMMAND_GUILD_INFO || verb == WIRE_COMMAND_BOARD ||
           verb == WIRE_COMMAND_PROFILE;
}

static void copy_refs(struct ledger_ref *to, const struct wire_item_ref *from, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        to[i] = (struct ledger_ref){.id = from[i].id, .version = from[i].version, .count = from[i].count};
}

int value_command_of_wire(const struct wire_command *wire, uint64_t player, struct ledger_command *command) {
    if (reads_only(wire->verb)) return MARCH_ERR_UNSUPPORTED;
    if (wire->key == 0 || wire->verb >= WIRE_COMMAND_VERB_COUNT || wire->gold > LEDGER_GOLD_MAX ||
        wire->price > LEDGER_GOLD_MAX || wire->duration_s > LEDGER_AUCTION_MS_MAX / 1000 ||
        wire->give_count > WIRE_TRADE_ITEMS_MAX || wire->want_count > WIRE_TRADE_ITEMS_MAX)
        return MARCH_ERR_INVALID;
    *command = (struct ledger_command){.verb = (enum ledger_verb)wire->verb,
                                       .domain = LEDGER_DOMAIN_CLIENT,
                                       .player = player,
                                       .key = wire->key,
                                       .other = wire->player,
                                       .item = wire->item,
                                       .other_item = wire->other_item,
                                       .object = wire->object,
                                       .version = wire->version,
                                       .other_version = wire->other_version,
                                       .count = wire->count,
                                       .duration_ms = wire->duration_s * 1000,
                                       .slot = wire->slot,
                                       .rank = wire->rank,
                                       .gold = (int64_t)wire->gold,
                                       .price = (int64_t)wire->price,
                                       .give_count = wire->give_count,
                                       .want_count = wire->want_count};
    copy_refs(command->give, wire->give, wire->give_count);
    copy_refs(command->want, wire->want, wire->want_count);
    memcpy(command->text, wire->text, strnlen(wire->text, LEDGER_TEXT_MAX));
    return 0;
}

static void item_to_wire(const struct ledger_item *item, struct wire_item *wire) {
    *wire = (struct wire_item){
        .id = item->id, .kind = item->kind, .count = item->count, .version = item->version, .slot = item->slot};
}

static uint32_t seconds_left(uint64_t at_ms, uint64_t now_ms) {
    return at_ms > now_ms ? (uint32_t)((at_ms - now_ms + 999) / 1000) : 0;
}

static void side_to_wire(const struct ledger_trade_item *items, uint32_t count, struct wire_item *wire) {
    for (uint32_t i = 0; i < count; i++)
        wire[i] = (struct wire_item){
            .id = items[i].id, .kind = items[i].kind, .count = items[i].count, .version = items[i].version};
}

void value_trade_to_wire(uint64_t id, const struct ledger_trade *trade, uint64_t now_ms, struct wire_trade_offered *wire) {
    *wire = (struct wire_trade_offered){.trade = id,
                                        .offerer = trade->offerer,
                                        .accepter = trade->accepter,
                                        .give_gold = (uint64_t)trade->give_gold,
                                        .want_gold = (uint64_t)trade->want_gold,
                                        .expires_in_s = seconds_left(trade->expires_ms, now_ms),
                                        .give_count = trade->give_count,
                                        .want_count = trade->want_count};
    side_to_wire(trade->give, trade->give_count, wire->give);
    side_to_wire(trade->want, trade->want_count, wire->want);
}

void value_auction_to_wire(uint64_t id, const struct ledger_auction *auction, const struct ledger_item *item,
                           uint64_t now_ms, enum wire_auction_phase phase, struct wire_auction_state *wire) {
    *wire = (struct wire_auction_state){.auction = id,
                                        .seller = auction->seller,
                                        .phase = phase,
                                        .item = {.kind = auction->item_kind, .count = auction->item_count},
                                        .min_bid = (uint64_t)auction->min_bid,
                                        .buyout = (uint64_t)auction->buyout,
                                        .bid = (uint64_t)auction->bid,
                                        .bidder = auction->bidder,
                                        .ends_in_s = seconds_left(auction->ends_ms, now_ms)};
    if (item) item_to_wire(item, &wire->item);
}

void value_guild_to_wire(uint64_t id, const struct ledger_guild *guild, uint64_t player, uint32_t member_first,
                         struct wire_guild_state *wire) {
    *wire = (struct wire_guild_state){.guild = id, .version = guild->version};
    memcpy(wire->name, guild->name, sizeof(wire->name));
    const struct ledger_member *self = ledger_guild_member(guild, player);
    wire->rank = self ? (uint8_t)self->rank : WIRE_GUILD_MEMBER;
    wire->members_total = guild->member_count;
    wire->member_first = member_first < guild->member_count ? member_first : guild->member_count;
    uint32_t left = guild->member_count - wire->member_first;
    wire->member_count = left < WIRE_GUILD_MEMBERS_MAX ? left : WIRE_GUILD_MEMBERS_MAX;
    for (uint32_t i = 0; i < wire->member_count; i++) {
        const struct ledger_member *member = &guild->members[wire->member_first + i];
        wire->members[i] = (struct wire_guild_member){.player = member->player, .rank = member->rank};
    }
}

/* take_part copies those of a list that fall into a part of so many: the lists follow each other as one. */
static uint32_t take_part(const struct ledger_item *items, uint32_t count, uint32_t from, uint32_t room,
                          struct wire_item *wire) {
    uint32_t taken = 0;
    for (uint32_t i = from; i < count && taken < room; i++) item_to_wire(&items[i], &wire[taken++]);
    return taken;
}

void value_diff_to_wire(const struct ledger_difference *difference, const struct ledger_holding *after, uint64_t guild,
                        bool reset, uint32_t part, struct wire_inventory_diff *wire) {
    *wire = (struct wire_inventory_diff){.reset = reset && part == 0, .guild = guild};
    if (after) {
        wire->version = after->version;
        wire->gold = (uint64_t)after->gold;
    }
    uint32_t first = part * WIRE_DIFF_ITEMS_MAX, room = WIRE_DIFF_ITEMS_MAX;
    wire->added_count = take_part(difference->added, difference->added_count, first, room, wire->added);
    room -= wire->added_count;
    uint32_t skipped = first > difference->added_count ? first - difference->added_count : 0;
    wire->updated_count = take_part(difference->updated, difference->updated_count, skipped, room, wire->updated);
    uint32_t removed_first = part * WIRE_DIFF_REMOVED_MAX;
    for (uint32_t i = removed_first; i < difference->removed_count && wire->removed_count < WIRE_DIFF_REMOVED_MAX; i++)
        wire->removed[wire->removed_count++] = difference->removed[i];
    wire->more = first + WIRE_DIFF_ITEMS_MAX < difference->added_count + difference->updated_count ||
                 removed_first + WIRE_DIFF_REMOVED_MAX < difference->removed_count;
}
