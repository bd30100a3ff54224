/* ledger_rows.h: the rows of value as the ledger holds them: accounts, trades, auctions, guilds, transfers.
 *
 * Each mirrors rows of the database; `version` rises each time that a row changes and is what a store checks. Every list has
 * its limit here. Times are milliseconds since the Unix epoch.
 */
#ifndef MARCH_PERSIST_LEDGER_ROWS_H
#define MARCH_PERSIST_LEDGER_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#define LEDGER_ACCOUNT_ITEMS_MAX 128         /* slots 0 to 127 */
#define LEDGER_GOLD_MAX          (1ll << 53) /* of an account: a client's number holds it exactly */
#define LEDGER_TRADE_ITEMS_MAX   8           /* a side; also what one transfer carries */
#define LEDGER_TRADES_OPEN_MAX   16          /* that one player has offered */
#define LEDGER_AUCTIONS_OPEN_MAX 32          /* of one seller */
#define LEDGER_MEMBERS_MAX       200         /* of a guild */
#define LEDGER_INVITES_MAX       32          /* open ones of a guild */
#define LEDGER_NAME_MIN          3
#define LEDGER_NAME_MAX          31 /* bytes */

/* Who owns an account. */
enum ledger_owner_kind {
    LEDGER_OWNER_PLAYER = 1,
    LEDGER_OWNER_GUILD = 2,    /* a guild's bank */
    LEDGER_OWNER_AUCTION = 3,  /* what is up for sale, and the highest bid */
    LEDGER_OWNER_TRANSFER = 4, /* on its way to another shard */
    LEDGER_OWNER_ABROAD = 5,   /* only in entries: another shard, by its index; over all shards these sum to 0 at rest */
    LEDGER_OWNER_SOURCE = 8,   /* only in entries: creates */
    LEDGER_OWNER_SINK = 9      /* only in entries: destroys */
};

struct ledger_item {
    uint64_t id;
    uint32_t kind, count;
    uint32_t version;
    uint16_t slot;
    uint16_t reserved;
};

/* What an account holds. */
struct ledger_holding {
    int64_t gold;
    uint64_t version; /* 0: there is no row yet */
    uint64_t guild;   /* of a player: the guild that it is a member of, 0 none */
    uint32_t item_count, item_room;
    struct ledger_item *items; /* rising slots */
};

/* An item as a trade names it: whole stacks or a part of one. */
struct ledger_trade_item {
    uint64_t id;
    uint32_t version; /* 0: any */
    uint32_t count;   /* at least 1 in a stored trade */
    uint32_t kind;    /* 0: not known, the accepter is on another shard */
};

struct ledger_trade {
    uint64_t offerer, accepter;
    uint64_t version;
    uint64_t expires_ms;
    int64_t give_gold, want_gold;
    uint32_t give_count, want_count;
    struct ledger_trade_item give[LEDGER_TRADE_ITEMS_MAX], want[LEDGER_TRADE_ITEMS_MAX];
};

/* What is sold lies in the account (LEDGER_OWNER_AUCTION, id), and so does the gold of the bid. */
struct ledger_auction {
    uint64_t seller, bidder; /* bidder 0: no bid */
    uint64_t version;
    uint64_t ends_ms;
    int64_t min_bid, buyout, bid; /* buyout 0: bids only */
    uint32_t item_kind, item_count;
};

enum ledger_rank { LEDGER_RANK_MEMBER = 0, LEDGER_RANK_OFFICER = 1, LEDGER_RANK_LEADER = 2 };

struct ledger_member {
    uint64_t player;
    uint32_t rank; /* enum ledger_rank */
    uint32_t reserved;
};

struct ledger_invite {
    uint64_t player, by;
    uint64_t expires_ms;
};

struct ledger_guild {
    char name[LEDGER_NAME_MAX + 1];
    uint64_t leader;
    uint64_t version;
    uint32_t member_count, invite_count;
    struct ledger_member members[LEDGER_MEMBERS_MAX]; /* in the order of joining */
    struct ledger_invite invites[LEDGER_INVITES_MAX];
};

/* Why something goes to another shard. */
enum ledger_purpose {
    LEDGER_PURPOSE_CREDIT = 1,        /* for player `other` */
    LEDGER_PURPOSE_TRADE_ACCEPT = 2,  /* `player` accepts trade `object` with these */
    LEDGER_PURPOSE_AUCTION_BID = 3,   /* `player` bids the gold in auction `object` */
    LEDGER_PURPOSE_AUCTION_BUY = 4,   /* `player` buys auction `object` for the gold */
    LEDGER_PURPOSE_GUILD_DEPOSIT = 5, /* `player` puts these into the bank of guild `object` */
    LEDGER_PURPOSE_COUNT = 6
};

struct ledger_transfer_item {
    uint64_t id, origin; /* origin: the stack that it was split from, or its own id */
    uint32_t kind, count;
};

/* What is under way lies in the account (LEDGER_OWNER_TRANSFER, id) of the source until the destination has answered. */
struct ledger_transfer {
    uint64_t id; /* names the source shard */
    uint64_t player, other, object;
    uint64_t created_ms;
    int64_t gold;
    uint32_t dest_shard;
    enum ledger_purpose purpose;
    uint32_t item_count;
    struct ledger_transfer_item items[LEDGER_TRADE_ITEMS_MAX];
};

/* ledger_holding_find returns the item with this id, NULL when it is not there. */
const struct ledger_item *ledger_holding_find(const struct ledger_holding *holding, uint64_t item);

/* ledger_guild_member returns a member, NULL when the player is none. */
const struct ledger_member *ledger_guild_member(const struct ledger_guild *guild, uint64_t player);

#endif
