/* ledger_auctions.c: one stack for sale to who bids most until an end, or to the first who pays the buyout.
 *
 * What is sold and the gold of the highest bid lie in the auction's own account. An auction that has ended stays, deaf to
 * bids, until both sides have room for what they get. */
#include "common/item_kinds.h"
#include "persist/ledger_set.h"

#define AUCTION_DEFAULT_MS (3600u * 1000u)

static enum ledger_status list_check(const struct ledger *ledger, const struct ledger_command *command,
                                     struct ledger_tally tally) {
    if (command->duration_ms > LEDGER_AUCTION_MS_MAX || command->gold < 1) return LEDGER_INVALID;
    if (command->price != 0 && command->price < command->gold) return LEDGER_INVALID;
    if (tally.auctions >= LEDGER_AUCTIONS_OPEN_MAX) return LEDGER_NO_ROOM;
    return ledger->resident[LEDGER_ROW_AUCTION] >= LEDGER_RESIDENT_MAX ? LEDGER_NO_ROOM : LEDGER_OK;
}

enum ledger_status ledger_do_auction_list(struct ledger *ledger, const struct ledger_command *command) {
    struct ledger_row *account = account_of(ledger, LEDGER_OWNER_PLAYER, command->player);
    enum ledger_status status = list_check(ledger, command, ledger_tally_of(ledger, command->player));
    if (status != LEDGER_OK) return status;
    struct ledger_ref ref = {.id = command->item, .version = command->version, .count = command->count};
    struct ledger_parcel parcel;
    status = account_take(ledger, account, &ref, &parcel);
    if (status != LEDGER_OK) return status;
    uint64_t id = ledger_make_id(ledger);
    struct ledger_row *escrow = row_new(ledger, LEDGER_ROW_ACCOUNT, LEDGER_OWNER_AUCTION, id);
    status = account_put(ledger, escrow, &parcel, 1);
    CHECK(status == LEDGER_OK);
    struct ledger_row *row = row_new(ledger, LEDGER_ROW_AUCTION, 0, id);
    row->body.auction = (struct ledger_auction){
        .seller = command->player,
        .ends_ms = ledger->now_ms + (command->duration_ms ? command->duration_ms : AUCTION_DEFAULT_MS),
        .min_bid = command->gold,
        .buyout = command->price,
        .item_kind = parcel.item.kind,
        .item_count = parcel.item.count};
    row_begin(ledger, row);
    ledger->result->object = id;
    ledger_notify(ledger, LEDGER_NOTICE_AUCTION_OPEN, command->player, id, 0);
    return LEDGER_OK;
}

/* open_auction returns an auction that takes bids and purchases of this player. */
static enum ledger_status open_auction(struct ledger *ledger, uint64_t auction, uint64_t player, struct ledger_row **row) {
    *row = row_present(ledger, LEDGER_ROW_AUCTION, auction);
    if (!*row) return LEDGER_NOT_FOUND;
    if ((*row)->body.auction.seller == player) return LEDGER_FORBIDDEN;
    return ledger->now_ms >= (*row)->body.auction.ends_ms ? LEDGER_EXPIRED : LEDGER_OK;
}

/* refund_bid gives the highest bidder its gold back. */
static enum ledger_status refund_bid(struct ledger *ledger, struct ledger_row *row, struct ledger_row *escrow) {
    const struct ledger_auction *auction = &row->body.auction;
    if (auction->bidder == 0) return LEDGER_OK;
    enum ledger_status status = account_take_gold(ledger, escrow, auction->bid);
    CHECK(status == LEDGER_OK);
    return deliver(ledger, auction->bidder, NULL, 0, auction->bid);
}

/* bid_allowed judges a bid before its gold is touched. */
static enum ledger_status bid_allowed(const struct ledger_auction *auction, int64_t gold) {
    if (auction->buyout != 0 && gold >= auction->buyout) return LEDGER_INVALID;
    return gold < auction->min_bid || gold <= auction->bid ? LEDGER_NOT_ENOUGH : LEDGER_OK;
}

enum ledger_status auction_take_bid(struct ledger *ledger, uint64_t id, uint64_t bidder, int64_t gold) {
    struct ledger_row *row = NULL;
    enum ledger_status status = open_auction(ledger, id, bidder, &row);
    if (status == LEDGER_OK) status = bid_allowed(&row->body.auction, gold);
    if (status != LEDGER_OK) return status;
    struct ledger_row *escrow = account_of(ledger, LEDGER_OWNER_AUCTION, id);
    status = refund_bid(ledger, row, escrow);
    if (status == LEDGER_OK) status = account_put_gold(ledger, escrow, gold);
    if (status != LEDGER_OK) return status;
    uint64_t outbid = row->body.auction.bidder;
    row_write(ledger, row);
    row->body.auction.bidder = bidder;
    row->body.auction.bid = gold;
    ledger->event_other = row->body.auction.seller;
    if (outbid != 0 && outbid != bidder) ledger_notify(ledger, LEDGER_NOTICE_AUCTION_OUTBID, outbid, id, bidder);
    ledger_notify(ledger, LEDGER_NOTICE_AUCTION_OPEN, row->body.auction.seller, id, bidder);
    ledger_notify(ledger, LEDGER_NOTICE_AUCTION_OPEN, bidder, id, bidder);
    return LEDGER_OK;
}

/* close_auction ends an auction whose account is empty by now. */
static void close_auction(struct ledger *ledger, struct ledger_row *row, struct ledger_row *escrow, uint64_t taker,
                          enum ledger_notice_type why) {
    uint64_t seller = row->body.auction.seller;
    row_delete(ledger, escrow);
    row_delete(ledger, row);
    ledger_notify(ledger, why, seller, row->key.id, taker);
    if (taker != 0 && taker != seller) ledger_notify(ledger, why, taker, row->key.id, seller);
}

/* hand_over gives the seller `price`, which has left every account, and the stack to `taker`, and ends the auction. */
static enum ledger_status hand_over(struct ledger *ledger, struct ledger_row *row, struct ledger_row *escrow, uint64_t taker,
                                    int64_t price, enum ledger_notice_type why) {
    struct ledger_parcel parcels[LEDGER_ACCOUNT_ITEMS_MAX];
    int64_t left = 0;
    uint32_t count = account_empty(ledger, escrow, parcels, &left);
    CHECK(count == 1 && left == 0);
    enum ledger_status status = deliver(ledger, taker, parcels, count, 0);
    if (status == LEDGER_OK && price > 0) status = deliver(ledger, row->body.auction.seller, NULL, 0, price);
    if (status == LEDGER_OK) close_auction(ledger, row, escrow, taker, why);
    return status;
}

enum ledger_status auction_take_buyout(struct ledger *ledger, uint64_t id, uint64_t buyer, int64_t gold) {
    struct ledger_row *row = NULL;
    enum ledger_status status = open_auction(ledger, id, buyer, &row);
    if (status != LEDGER_OK) return status;
    if (row->body.auction.buyout == 0) return LEDGER_INVALID;
    if (gold != row->body.auction.buyout) return LEDGER_CONFLICT;
    struct ledger_row *escrow = account_of(ledger, LEDGER_OWNER_AUCTION, id);
    uint64_t outbid = row->body.auction.bidder;
    ledger->event_other = row->body.auction.seller;
    status = refund_bid(ledger, row, escrow);
    if (status == LEDGER_OK) status = hand_over(ledger, row, escrow, buyer, gold, LEDGER_NOTICE_AUCTION_SOLD);
    if (status == LEDGER_OK && outbid != 0 && outbid != buyer)
        ledger_notify(ledger, LEDGER_NOTICE_AUCTION_OUTBID, outbid, id, buyer);
    return status;
}

/* pay_abroad sends gold to the shard of an auction. */
static enum ledger_status pay_abroad(struct ledger *ledger, const struct ledger_command *command,
                                     enum ledger_purpose purpose) {
    struct ledger_row *account = account_of(ledger, LEDGER_OWNER_PLAYER, command->player);
    if (command->gold < 1) return LEDGER_INVALID;
    enum ledger_status status = account_take_gold(ledger, account, command->gold);
    if (status != LEDGER_OK) return status;
    struct ledger_transfer transfer = {.player = command->player,
                                       .object = command->object,
                                       .gold = command->gold,
                                       .dest_shard = shard_of_id(command->object),
                                       .purpose = purpose};
    return transfer_open(ledger, &transfer, NULL, 0, &ledger->result->object);
}

enum ledger_status ledger_do_auction_bid(struct ledger *ledger, const struct ledger_command *command) {
    uint32_t shard = shard_of_id(command->object);
    if (shard >= ledger->config.shard_count) return LEDGER_NOT_FOUND;
    if (shard != ledger->config.shard_index) return pay_abroad(ledger, command, LEDGER_PURPOSE_AUCTION_BID);
    /* the bid first: who raises its own has the old one back by then */
    enum ledger_status status = auction_take_bid(ledger, command->object, command->player, command->gold);
    if (status != LEDGER_OK) return status;
    return account_take_gold(ledger, account_of(ledger, LEDGER_OWNER_PLAYER, command->player), command->gold);
}

enum ledger_status ledger_do_auction_buy(struct ledger *ledger, const struct ledger_command *command) {
    uint32_t shard = shard_of_id(command->object);
    if (shard >= ledger->config.shard_count) return LEDGER_NOT_FOUND;
    if (shard != ledger->config.shard_index) return pay_abroad(ledger, command, LEDGER_PURPOSE_AUCTION_BUY);
    enum ledger_status status = auction_take_buyout(ledger, command->object, command->player, command->gold);
    if (status != LEDGER_OK) return status;
    return account_take_gold(ledger, account_of(ledger, LEDGER_OWNER_PLAYER, command->player), command->gold);
}

enum ledger_status ledger_do_auction_cancel(struct ledger *ledger, const struct ledger_command *command) {
    struct ledger_row *row = row_present(ledger, LEDGER_ROW_AUCTION, command->object);
    if (!row) return LEDGER_NOT_FOUND;
    if (row->body.auction.seller != command->player || row->body.auction.bidder != 0) return LEDGER_FORBIDDEN;
    struct ledger_row *escrow = account_of(ledger, LEDGER_OWNER_AUCTION, command->object);
    return hand_over(ledger, row, escrow, command->player, 0, LEDGER_NOTICE_AUCTION_CANCELLED);
}

enum ledger_status ledger_do_auction_expire(struct ledger *ledger, const struct ledger_command *command) {
    struct ledger_row *row = row_present(ledger, LEDGER_ROW_AUCTION, command->object);
    if (!row) return LEDGER_NOT_FOUND;
    const struct ledger_auction auction = row->body.auction;
    if (ledger->now_ms < auction.ends_ms) return LEDGER_CONFLICT;
    struct ledger_row *escrow = account_of(ledger, LEDGER_OWNER_AUCTION, command->object);
    ledger->event_other = auction.seller;
    if (auction.bidder == 0) return hand_over(ledger, row, escrow, auction.seller, 0, LEDGER_NOTICE_AUCTION_EXPIRED);
    enum ledger_status status = account_take_gold(ledger, escrow, auction.bid);
    CHECK(status == LEDGER_OK);
    return hand_over(ledger, row, escrow, auction.bidder, auction.bid, LEDGER_NOTICE_AUCTION_SOLD);
}
