/* wire_value.h: what clients and persist tell each other of things of value, as plain C: commands, their results,
 * inventories, trades, auctions, guilds, boards. PROTOCOL.md section 4 says what each field means for each verb; wire.h
 * packs and reads.
 *
 * Limits stand below; every message within them fits WIRE_CLIENT_BYTES_MAX. What a reader hands out obeys them. Numbers are
 * not judged here: an id may name nothing, a count may be more than there is.
 */
#ifndef MARCH_SCHEMAS_WIRE_VALUE_H
#define MARCH_SCHEMAS_WIRE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#define WIRE_VALUE_NAME_MAX    31 /* bytes of a player's, guild's or board's name */
#define WIRE_COMMAND_TEXT_MAX  63 /* bytes of a command's text: a name, or a board and a region */
#define WIRE_TRADE_ITEMS_MAX   8  /* a side */
#define WIRE_DIFF_ITEMS_MAX    30 /* added and updated together, in one message */
#define WIRE_DIFF_REMOVED_MAX  16
#define WIRE_GUILD_MEMBERS_MAX 32 /* in one message */
#define WIRE_BOARD_ROWS_MAX    32 /* in one message */

enum wire_command_verb {
    WIRE_COMMAND_INVENTORY = 1,
    WIRE_COMMAND_MOVE = 2,
    WIRE_COMMAND_STACK = 3,
    WIRE_COMMAND_SPLIT = 4,
    WIRE_COMMAND_USE = 5,
    WIRE_COMMAND_DROP = 6,
    WIRE_COMMAND_TRADE_OFFER = 7,
    WIRE_COMMAND_TRADE_ACCEPT = 8,
    WIRE_COMMAND_TRADE_CANCEL = 9,
    WIRE_COMMAND_AUCTION_LIST = 10,
    WIRE_COMMAND_AUCTION_BID = 11,
    WIRE_COMMAND_AUCTION_BUY = 12,
    WIRE_COMMAND_AUCTION_CANCEL = 13,
    WIRE_COMMAND_GUILD_CREATE = 14,
    WIRE_COMMAND_GUILD_INVITE = 15,
    WIRE_COMMAND_GUILD_JOIN = 16,
    WIRE_COMMAND_GUILD_LEAVE = 17,
    WIRE_COMMAND_GUILD_KICK = 18,
    WIRE_COMMAND_GUILD_RANK = 19,
    WIRE_COMMAND_GUILD_DEPOSIT = 20,
    WIRE_COMMAND_GUILD_WITHDRAW = 21,
    WIRE_COMMAND_GUILD_INFO = 22,
    WIRE_COMMAND_BOARD = 23,
    WIRE_COMMAND_PROFILE = 24,
    WIRE_COMMAND_VERB_COUNT
};

enum wire_command_status {
    WIRE_STATUS_OK = 0,
    WIRE_STATUS_NOT_FOUND = 1,     /* no such player, item, trade, auction, guild or board */
    WIRE_STATUS_CONFLICT = 2,      /* a version is not the one that holds: look again */
    WIRE_STATUS_NOT_ENOUGH = 3,    /* gold or count */
    WIRE_STATUS_NO_ROOM = 4,       /* no free slot, or the slot is taken */
    WIRE_STATUS_FORBIDDEN = 5,     /* not yours, or not with your rank */
    WIRE_STATUS_INVALID = 6,       /* makes no sense */
    WIRE_STATUS_EXPIRED = 7,       /* a trade or an auction that has ended */
    WIRE_STATUS_UNAVAILABLE = 8,   /* not now: repeat with the same key */
    WIRE_STATUS_BUSY = 9,          /* too many at once: repeat with the same key */
    WIRE_STATUS_JOURNAL_FULL = 10, /* not now: repeat with the same key */
    WIRE_STATUS_DISABLED = 11,     /* switched off here */
    WIRE_STATUS_EXISTS = 12,       /* the name is taken, or it is so already */
    WIRE_STATUS_COUNT
};

/* Whoever has a status other than these three has a definite answer. */
static inline bool wire_status_is_definite(enum wire_command_status status) {
    return status != WIRE_STATUS_UNAVAILABLE && status != WIRE_STATUS_BUSY && status != WIRE_STATUS_JOURNAL_FULL;
}

struct wire_item {
    uint64_t id;
    uint32_t kind, count;
    uint32_t version; /* one more each time that the item changes */
    uint16_t slot;
    uint16_t reserved;
};

struct wire_item_ref { /* an item as its owner knew it */
    uint64_t id;
    uint32_t version;
    uint32_t count; /* of the stack; 0: all of it */
};

struct wire_command {
    uint64_t key;    /* the client's random number for this command, not 0; the same when it is repeated */
    uint8_t verb;    /* enum wire_command_verb, or one that this build does not know */
    uint64_t player; /* another one */
    uint64_t item, other_item;
    uint32_t version, other_version; /* of the two items */
    uint64_t object;                 /* a trade, an auction or a guild */
    uint32_t count;
    uint16_t slot;
    uint8_t rank;
    uint64_t gold, price;
    uint32_t duration_s;
    uint32_t give_count, want_count;
    struct wire_item_ref give[WIRE_TRADE_ITEMS_MAX], want[WIRE_TRADE_ITEMS_MAX];
    char text[WIRE_COMMAND_TEXT_MAX + 1]; /* utf8_text_valid, or empty */
};

struct wire_command_result {
    uint64_t key;
    enum wire_command_status status;
    uint64_t object; /* what the command made: an item, a trade, an auction, a guild; else 0 */
};

/* What has changed in an inventory, or with `reset` the first part of all of it. */
struct wire_inventory_diff {
    bool reset;       /* forget what was known of it first */
    bool more;        /* the next message goes on */
    uint64_t guild;   /* 0: the player's own; else the bank of this guild */
    uint64_t version; /* of the account, one more each time that it changes */
    uint64_t gold;
    uint32_t added_count, updated_count, removed_count;
    struct wire_item added[WIRE_DIFF_ITEMS_MAX], updated[WIRE_DIFF_ITEMS_MAX]; /* together WIRE_DIFF_ITEMS_MAX */
    uint64_t removed[WIRE_DIFF_REMOVED_MAX];
};

struct wire_trade_offered { /* told to both */
    uint64_t trade;
    uint64_t offerer, accepter; /* players */
    uint64_t give_gold, want_gold;
    uint32_t expires_in_s;
    uint32_t give_count, want_count;
    struct wire_item give[WIRE_TRADE_ITEMS_MAX], want[WIRE_TRADE_ITEMS_MAX]; /* as the offerer sees it */
};

enum wire_trade_outcome {
    WIRE_TRADE_DONE = 1,
    WIRE_TRADE_CANCELLED = 2,
    WIRE_TRADE_EXPIRED = 3,
    WIRE_TRADE_FAILED = 4, /* somebody no longer had what was named */
    WIRE_TRADE_OUTCOME_COUNT
};

struct wire_trade_closed {
    uint64_t trade;
    enum wire_trade_outcome outcome;
};

struct wire_guild_invited {
    uint64_t guild, by;
    char name[WIRE_VALUE_NAME_MAX + 1];
};

enum wire_guild_rank { WIRE_GUILD_MEMBER = 0, WIRE_GUILD_OFFICER = 1, WIRE_GUILD_LEADER = 2, WIRE_GUILD_RANK_COUNT };

struct wire_guild_member {
    uint64_t player;
    uint32_t rank; /* enum wire_guild_rank */
    uint32_t reserved;
};

struct wire_guild_state {
    uint64_t guild; /* 0: in none */
    uint64_t version;
    char name[WIRE_VALUE_NAME_MAX + 1];   /* empty with guild 0 */
    uint8_t rank;                         /* the player's own; enum wire_guild_rank */
    uint32_t members_total, member_first; /* members[] are number member_first and those after it */
    uint32_t member_count;
    struct wire_guild_member members[WIRE_GUILD_MEMBERS_MAX];
};

enum wire_auction_phase {
    WIRE_AUCTION_OPEN = 1,
    WIRE_AUCTION_SOLD = 2,
    WIRE_AUCTION_EXPIRED = 3,
    WIRE_AUCTION_CANCELLED = 4,
    WIRE_AUCTION_PHASE_COUNT
};

struct wire_auction_state { /* told to the seller, and to those who bid */
    uint64_t auction, seller;
    enum wire_auction_phase phase;
    struct wire_item item;
    uint64_t min_bid, buyout; /* buyout 0: only bids */
    uint64_t bid, bidder;     /* highest so far; bidder 0: none */
    uint32_t ends_in_s;
};

struct wire_board_row {
    uint64_t player;
    uint64_t score;
    uint32_t rank; /* from 1 */
    uint32_t reserved;
};

struct wire_board_rows {
    char board[WIRE_VALUE_NAME_MAX + 1];
    char region[WIRE_VALUE_NAME_MAX + 1]; /* empty: all regions */
    uint32_t season;
    uint32_t total; /* players on the board */
    uint32_t row_count;
    struct wire_board_row rows[WIRE_BOARD_ROWS_MAX];
};

struct wire_profile {
    uint64_t player;
    char name[WIRE_VALUE_NAME_MAX + 1]; /* each may be empty */
    char region[WIRE_VALUE_NAME_MAX + 1];
    char guild_name[WIRE_VALUE_NAME_MAX + 1];
    uint64_t guild;
    uint64_t experience;
    uint16_t level;
    bool online;
};

struct wire_progress {
    uint64_t experience;
    uint16_t level;
};

enum wire_end_reason {
    WIRE_END_TAKEN_OVER = 1, /* the player has come in elsewhere */
    WIRE_END_TOKEN_USED = 2,
    WIRE_END_REFUSED = 3,     /* persist did not take the player */
    WIRE_END_UNAVAILABLE = 4, /* persist did not answer in time */
    WIRE_END_REASON_COUNT
};

#endif
