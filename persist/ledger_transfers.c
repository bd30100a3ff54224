/* ledger_transfers.c: value on its way between shards, one way at a time.
 *
 * The source puts what goes into an account of the transfer and keeps it there. The destination does with it what it is for,
 * under the transfer's id as key, so that being told twice does it once, and answers. Then the source books it out to
 * `abroad`, or gives it back. At each moment the value is in a shard's accounts, or booked in at the destination and not yet
 * out at the source; never in neither. */
#include "common/item_kinds.h"
#include "persist/ledger_set.h"

enum ledger_status transfer_open(struct ledger *ledger, const struct ledger_transfer *what,
                                 const struct ledger_parcel *parcels, uint32_t count, uint64_t *id) {
    CHECK(count <= LEDGER_TRADE_ITEMS_MAX && what->dest_shard < ledger->config.shard_count);
    if (ledger->resident[LEDGER_ROW_TRANSFER] >= LEDGER_RESIDENT_MAX) return LEDGER_NO_ROOM;
    *id = ledger_make_id(ledger);
    struct ledger_row *escrow = row_new(ledger, LEDGER_ROW_ACCOUNT, LEDGER_OWNER_TRANSFER, *id);
    row_write(ledger, escrow);
    enum ledger_status status = account_put(ledger, escrow, parcels, count);
    CHECK(status == LEDGER_OK);
    status = account_put_gold(ledger, escrow, what->gold);
    CHECK(status == LEDGER_OK);
    struct ledger_row *row = row_new(ledger, LEDGER_ROW_TRANSFER, 0, *id);
    struct ledger_transfer *transfer = &row->body.transfer;
    *transfer = *what;
    transfer->id = *id;
    transfer->created_ms = ledger->now_ms;
    transfer->item_count = count;
    for (uint32_t i = 0; i < count; i++)
        transfer->items[i] = (struct ledger_transfer_item){.id = parcels[i].item.id,
                                                           .origin = parcels[i].origin,
                                                           .kind = parcels[i].item.kind,
                                                           .count = parcels[i].item.count};
    row_begin(ledger, row);
    return LEDGER_OK;
}

enum ledger_status deliver(struct ledger *ledger, uint64_t player, const struct ledger_parcel *parcels, uint32_t count,
                           int64_t gold) {
    if (ledger_is_local(ledger, player)) {
        struct ledger_row *account = account_of(ledger, LEDGER_OWNER_PLAYER, player);
        enum ledger_status status = account_put(ledger, account, parcels, count);
        return status == LEDGER_OK ? account_put_gold(ledger, account, gold) : status;
    }
    if (count == 0 && gold == 0) return LEDGER_OK;
    struct ledger_transfer transfer = {.other = player,
                                       .gold = gold,
                                       .dest_shard = shard_of_player(player, ledger->config.shard_count),
                                       .purpose = LEDGER_PURPOSE_CREDIT};
    uint64_t id = 0;
    return transfer_open(ledger, &transfer, parcels, count, &id);
}

void ledger_transfer_command(const struct ledger_transfer *transfer, struct ledger_command *command) {
    *command = (struct ledger_command){.verb = LEDGER_TRANSFER_IN, .domain = LEDGER_DOMAIN_TRANSFER};
    command->player = transfer->purpose == LEDGER_PURPOSE_CREDIT ? transfer->other : transfer->player;
    command->key = transfer->id;
    command->transfer = *transfer;
}

void ledger_done_command(const struct ledger_transfer *transfer, bool accepted, struct ledger_command *command) {
    *command = (struct ledger_command){.verb = LEDGER_TRANSFER_DONE, .domain = LEDGER_DOMAIN_TRANSFER};
    command->player = transfer->player ? transfer->player : transfer->other;
    command->key = command->object = transfer->id;
    command->accepted = accepted;
}

static enum ledger_status receive(struct ledger *ledger, const struct ledger_transfer *transfer,
                                  const struct ledger_parcel *parcels) {
    switch (transfer->purpose) {
    case LEDGER_PURPOSE_CREDIT:
        if (!player_id_valid(transfer->other) || !ledger_is_local(ledger, transfer->other)) return LEDGER_INVALID;
        return deliver(ledger, transfer->other, parcels, transfer->item_count, transfer->gold);
    case LEDGER_PURPOSE_TRADE_ACCEPT: return trade_accept_from_abroad(ledger, transfer, parcels);
    case LEDGER_PURPOSE_AUCTION_BID:
        if (transfer->item_count > 0) return LEDGER_INVALID;
        return auction_take_bid(ledger, transfer->object, transfer->player, transfer->gold);
    case LEDGER_PURPOSE_AUCTION_BUY:
        if (transfer->item_count > 0) return LEDGER_INVALID;
        return auction_take_buyout(ledger, transfer->object, transfer->player, transfer->gold);
    case LEDGER_PURPOSE_GUILD_DEPOSIT:
        return guild_take_deposit(ledger, transfer->object, transfer->player, parcels, transfer->item_count, transfer->gold);
    default: return LEDGER_INVALID;
    }
}

enum ledger_status ledger_do_transfer_in(struct ledger *ledger, const struct ledger_command *command) {
    const struct ledger_transfer *transfer = &command->transfer;
    struct ledger_key key = {.type = LEDGER_ROW_TRANSFER, .id = transfer->id};
    uint32_t source = shard_of_id(transfer->id);
    if (!body_valid(&key, &(union ledger_body){.transfer = *transfer})) return LEDGER_INVALID;
    if (source >= ledger->config.shard_count || source == ledger->config.shard_index || command->key != transfer->id ||
        transfer->dest_shard != ledger->config.shard_index)
        return LEDGER_INVALID;
    if (ledger->now_ms > transfer->created_ms + LEDGER_TRANSFER_MS_MAX) {
        ledger->transient = true;
        return LEDGER_UNAVAILABLE;
    }
    struct ledger_parcel parcels[LEDGER_TRADE_ITEMS_MAX];
    for (uint32_t i = 0; i < transfer->item_count; i++) {
        const struct ledger_transfer_item *item = &transfer->items[i];
        parcels[i] = (struct ledger_parcel){.item = {.id = item->id, .kind = item->kind, .count = item->count},
                                            .origin = item->origin};
    }
    enum ledger_status status = receive(ledger, transfer, parcels);
    /* a credit has no way back: it waits for room */
    ledger->transient = status == LEDGER_NO_ROOM && transfer->purpose == LEDGER_PURPOSE_CREDIT;
    if (status != LEDGER_OK) return status;
    ledger_mint(ledger, LEDGER_OWNER_ABROAD, source, ITEM_KIND_GOLD, -transfer->gold);
    for (uint32_t i = 0; i < transfer->item_count; i++)
        ledger_mint(ledger, LEDGER_OWNER_ABROAD, source, transfer->items[i].kind, -(int64_t)transfer->items[i].count);
    ledger->event_other = command->player == transfer->other ? transfer->player : transfer->other;
    return LEDGER_OK;
}

enum ledger_status ledger_do_transfer_done(struct ledger *ledger, const struct ledger_command *command) {
    struct ledger_row *row = row_present(ledger, LEDGER_ROW_TRANSFER, command->object);
    if (!row) return LEDGER_NOT_FOUND;
    struct ledger_row *escrow = account_of(ledger, LEDGER_OWNER_TRANSFER, command->object);
    const struct ledger_transfer transfer = row->body.transfer;
    struct ledger_parcel parcels[LEDGER_ACCOUNT_ITEMS_MAX];
    int64_t gold = 0;
    if (!command->accepted && transfer.player == 0) {
        ledger->transient = true;
        return LEDGER_FORBIDDEN; /* a credit belongs to nobody here */
    }
    uint32_t count = account_empty(ledger, escrow, parcels, &gold);
    if (command->accepted) {
        ledger_mint(ledger, LEDGER_OWNER_ABROAD, transfer.dest_shard, ITEM_KIND_GOLD, gold);
        for (uint32_t i = 0; i < count; i++)
            ledger_mint(ledger, LEDGER_OWNER_ABROAD, transfer.dest_shard, parcels[i].item.kind, parcels[i].item.count);
    } else {
        enum ledger_status status = deliver(ledger, transfer.player, parcels, count, gold);
        ledger->transient = status != LEDGER_OK; /* until there is room again */
        if (status != LEDGER_OK) return status;
        if (transfer.purpose == LEDGER_PURPOSE_TRADE_ACCEPT)
            ledger_notify(ledger, LEDGER_NOTICE_TRADE_FAILED, transfer.player, transfer.object, 0);
    }
    row_delete(ledger, escrow);
    row_delete(ledger, row);
    return LEDGER_OK;
}
