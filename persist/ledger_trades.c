/* ledger_trades.c: offers between two players. What is offered stays with its owner until the other accepts; then both sides
 * are checked by id and version and change hands at once.
 *
 * A trade lives on the offerer's shard. Where the accepter is of another, its side travels there as a transfer, which the
 * offerer's shard commits together with its own side, and what the accepter gets travels back as a credit. */
#include "common/item_kinds.h"
#include "persist/ledger_set.h"

#define TRADE_DEFAULT_MS (5u * 60u * 1000u)

/* side_of checks one side of an offer against its owner's account, and completes it. `account` NULL: owned elsewhere. */
static enum ledger_status side_of(const struct ledger_row *account, const struct ledger_ref *refs, uint32_t count,
                                  struct ledger_trade_item *items) {
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < i; j++)
            if (refs[j].id == refs[i].id) return LEDGER_INVALID;
        items[i] = (struct ledger_trade_item){.id = refs[i].id, .version = refs[i].version, .count = refs[i].count};
        if (!account) {
            if (refs[i].id == 0 || refs[i].count == 0 || refs[i].count > ITEM_STACK_MAX) return LEDGER_INVALID;
            continue;
        }
        uint32_t index = 0;
        enum ledger_status status = account_find(account, refs[i].id, refs[i].version, &index);
        if (status != LEDGER_OK) return status;
        const struct ledger_item *item = &account->body.account.items[index];
        if (refs[i].count > item->count) return LEDGER_NOT_ENOUGH;
        if (refs[i].count == 0) items[i].count = item->count;
        items[i].version = item->version;
        items[i].kind = item->kind;
    }
    return LEDGER_OK;
}

static bool offer_makes_sense(const struct ledger_command *command) {
    if (command->other == command->player || !player_id_valid(command->other)) return false;
    if (command->duration_ms > LEDGER_TRADE_MS_MAX) return false;
    return command->give_count > 0 || command->want_count > 0 || command->gold > 0 || command->price > 0;
}

enum ledger_status ledger_do_trade_offer(struct ledger *ledger, const struct ledger_command *command) {
    if (!offer_makes_sense(command)) return LEDGER_INVALID;
    struct ledger_row *offerer = account_of(ledger, LEDGER_OWNER_PLAYER, command->player);
    struct ledger_row *accepter =
        ledger_is_local(ledger, command->other) ? account_of(ledger, LEDGER_OWNER_PLAYER, command->other) : NULL;
    if (ledger_tally_of(ledger, command->player).trades >= LEDGER_TRADES_OPEN_MAX) return LEDGER_NO_ROOM;
    if (ledger->resident[LEDGER_ROW_TRADE] >= LEDGER_RESIDENT_MAX) return LEDGER_NO_ROOM;
    struct ledger_trade trade = {.offerer = command->player,
                                 .accepter = command->other,
                                 .give_gold = command->gold,
                                 .want_gold = command->price,
                                 .give_count = command->give_count,
                                 .want_count = command->want_count};
    trade.expires_ms = ledger->now_ms + (command->duration_ms ? command->duration_ms : TRADE_DEFAULT_MS);
    enum ledger_status status = side_of(offerer, command->give, command->give_count, trade.give);
    if (status == LEDGER_OK) status = side_of(accepter, command->want, command->want_count, trade.want);
    if (status != LEDGER_OK) return status;
    if (offerer->body.account.gold < command->gold) return LEDGER_NOT_ENOUGH;
    struct ledger_row *row = row_new(ledger, LEDGER_ROW_TRADE, 0, ledger_make_id(ledger));
    row->body.trade = trade;
    row_begin(ledger, row);
    ledger->result->object = row->key.id;
    ledger->event_other = command->other;
    ledger_notify(ledger, LEDGER_NOTICE_TRADE_OFFERED, command->player, row->key.id, command->other);
    ledger_notify(ledger, LEDGER_NOTICE_TRADE_OFFERED, command->other, row->key.id, command->player);
    return LEDGER_OK;
}

static enum ledger_status take_side(struct ledger *ledger, struct ledger_row *account, const struct ledger_trade_item *items,
                                    uint32_t count, struct ledger_parcel *parcels) {
    for (uint32_t i = 0; i < count; i++) {
        struct ledger_ref ref = {.id = items[i].id, .version = items[i].version, .count = items[i].count};
        enum ledger_status status = account_take(ledger, account, &ref, &parcels[i]);
        if (status != LEDGER_OK) return status;
    }
    return LEDGER_OK;
}

static void close_trade(struct ledger *ledger, struct ledger_row *row, enum ledger_notice_type why) {
    uint64_t offerer = row->body.trade.offerer, accepter = row->body.trade.accepter;
    ledger->event_other = ledger->command->player == offerer ? accepter : offerer;
    row_delete(ledger, row);
    ledger_notify(ledger, why, offerer, row->key.id, accepter);
    ledger_notify(ledger, why, accepter, row->key.id, offerer);
}

/* take_offered takes the offerer's side; where it no longer holds the offer is a conflict, for the accepter can't know. */
static enum ledger_status take_offered(struct ledger *ledger, struct ledger_row *offerer, const struct ledger_trade *trade,
                                       struct ledger_parcel *parcels) {
    if (take_side(ledger, offerer, trade->give, trade->give_count, parcels) != LEDGER_OK) return LEDGER_CONFLICT;
    return account_take_gold(ledger, offerer, trade->give_gold) == LEDGER_OK ? LEDGER_OK : LEDGER_CONFLICT;
}

static enum ledger_status accept_here(struct ledger *ledger, struct ledger_row *row) {
    struct ledger_parcel given[LEDGER_TRADE_ITEMS_MAX], wanted[LEDGER_TRADE_ITEMS_MAX];
    const struct ledger_trade *trade = &row->body.trade;
    struct ledger_row *offerer = account_of(ledger, LEDGER_OWNER_PLAYER, trade->offerer);
    struct ledger_row *accepter = account_of(ledger, LEDGER_OWNER_PLAYER, trade->accepter);
    enum ledger_status status = take_offered(ledger, offerer, trade, given);
    if (status == LEDGER_OK) status = take_side(ledger, accepter, trade->want, trade->want_count, wanted);
    if (status == LEDGER_OK) status = account_take_gold(ledger, accepter, trade->want_gold);
    if (status == LEDGER_OK) status = account_put(ledger, accepter, given, trade->give_count);
    if (status == LEDGER_OK) status = account_put_gold(ledger, accepter, trade->give_gold);
    if (status == LEDGER_OK) status = account_put(ledger, offerer, wanted, trade->want_count);
    if (status == LEDGER_OK) status = account_put_gold(ledger, offerer, trade->want_gold);
    if (status == LEDGER_OK) close_trade(ledger, row, LEDGER_NOTICE_TRADE_DONE);
    return status;
}

/* accept_abroad sends this player's side to the shard of the trade. */
static enum ledger_status accept_abroad(struct ledger *ledger, const struct ledger_command *command) {
    struct ledger_parcel parcels[LEDGER_TRADE_ITEMS_MAX];
    struct ledger_row *account = account_of(ledger, LEDGER_OWNER_PLAYER, command->player);
    for (uint32_t i = 0; i < command->give_count; i++) {
        enum ledger_status status = account_take(ledger, account, &command->give[i], &parcels[i]);
        if (status != LEDGER_OK) return status;
    }
    enum ledger_status status = account_take_gold(ledger, account, command->gold);
    if (status != LEDGER_OK) return status;
    struct ledger_transfer transfer = {.player = command->player,
                                       .object = command->object,
                                       .gold = command->gold,
                                       .dest_shard = shard_of_id(command->object),
                                       .purpose = LEDGER_PURPOSE_TRADE_ACCEPT};
    return transfer_open(ledger, &transfer, parcels, command->give_count, &ledger->result->object);
}

enum ledger_status ledger_do_trade_accept(struct ledger *ledger, const struct ledger_command *command) {
    uint32_t shard = shard_of_id(command->object);
    if (shard >= ledger->config.shard_count) return LEDGER_NOT_FOUND;
    if (shard != ledger->config.shard_index) return accept_abroad(ledger, command);
    struct ledger_row *row = row_present(ledger, LEDGER_ROW_TRADE, command->object);
    if (!row) return LEDGER_NOT_FOUND;
    if (row->body.trade.accepter != command->player) return LEDGER_FORBIDDEN;
    if (ledger->now_ms >= row->body.trade.expires_ms) return LEDGER_EXPIRED;
    return accept_here(ledger, row);
}

/* brings_wanted tells whether a transfer brings just what is wanted. Nothing else would come with it unnoticed. */
static bool brings_wanted(const struct ledger_trade *trade, const struct ledger_transfer *transfer) {
    if (transfer->gold != trade->want_gold || transfer->item_count != trade->want_count) return false;
    for (uint32_t i = 0; i < trade->want_count; i++) {
        bool found = false;
        for (uint32_t j = 0; j < transfer->item_count; j++)
            found = found ||
                    (transfer->items[j].origin == trade->want[i].id && transfer->items[j].count == trade->want[i].count);
        if (!found) return false;
    }
    return true;
}

enum ledger_status trade_accept_from_abroad(struct ledger *ledger, const struct ledger_transfer *transfer,
                                            const struct ledger_parcel *parcels) {
    struct ledger_parcel given[LEDGER_TRADE_ITEMS_MAX];
    struct ledger_row *row = row_present(ledger, LEDGER_ROW_TRADE, transfer->object);
    if (!row) return LEDGER_NOT_FOUND;
    const struct ledger_trade *trade = &row->body.trade;
    if (trade->accepter != transfer->player) return LEDGER_FORBIDDEN;
    if (ledger->now_ms >= trade->expires_ms) return LEDGER_EXPIRED;
    if (!brings_wanted(trade, transfer)) return LEDGER_CONFLICT;
    struct ledger_row *offerer = account_of(ledger, LEDGER_OWNER_PLAYER, trade->offerer);
    enum ledger_status status = take_offered(ledger, offerer, trade, given);
    if (status == LEDGER_OK) status = account_put(ledger, offerer, parcels, transfer->item_count);
    if (status == LEDGER_OK) status = account_put_gold(ledger, offerer, transfer->gold);
    if (status == LEDGER_OK) status = deliver(ledger, trade->accepter, given, trade->give_count, trade->give_gold);
    if (status == LEDGER_OK) close_trade(ledger, row, LEDGER_NOTICE_TRADE_DONE);
    return status;
}

enum ledger_status ledger_do_trade_cancel(struct ledger *ledger, const struct ledger_command *command) {
    if (ledger_is_abroad(ledger, command->object)) return LEDGER_FORBIDDEN;
    struct ledger_row *row = row_present(ledger, LEDGER_ROW_TRADE, command->object);
    if (!row) return LEDGER_NOT_FOUND;
    if (row->body.trade.offerer != command->player && row->body.trade.accepter != command->player) return LEDGER_FORBIDDEN;
    close_trade(ledger, row, LEDGER_NOTICE_TRADE_CANCELLED);
    return LEDGER_OK;
}

enum ledger_status ledger_do_trade_expire(struct ledger *ledger, const struct ledger_command *command) {
    struct ledger_row *row = row_present(ledger, LEDGER_ROW_TRADE, command->object);
    if (!row) return LEDGER_NOT_FOUND;
    if (ledger->now_ms < row->body.trade.expires_ms) return LEDGER_CONFLICT;
    close_trade(ledger, row, LEDGER_NOTICE_TRADE_EXPIRED);
    return LEDGER_OK;
}
