/* ledger.h: everything of value of a shard, as a set of rows in memory and commands that change it.
 *
 * Pure: no I/O, no clock. Whoever drives it loads the rows that commands need, opens a batch, applies commands, stores what
 * changed in one transaction, and then commits the batch, or takes it back.
 *
 *     while (ledger_needs(...) > 0) load them;  ledger_begin;  ledger_apply ...;  store ledger_change_at / events;
 *     ledger_commit (stored) or ledger_rollback (not stored: the set is as before ledger_begin)
 *
 * The set holds rows of the database: what is there, and what is known not to be there. Trades, auctions, their escrow and
 * transfers are always all in the set (LEDGER_RESIDENT_MAX bounds them), so a trade that is not in it does not exist.
 * Accounts and guilds come and go: the least recently used are dropped past a limit, by ledger_trim.
 *
 * A command is applied whole or not at all. What the rules refuse gets a status and leaves no trace but its answer. A
 * command with a (domain, player, key) that was answered before gets the same answer and does nothing, also within one
 * batch; the newest LEDGER_ANSWERS_MAX answers are remembered, for older ones the driver loads the row or is told by the
 * database's key.
 *
 * Double entry: every command that moves value leaves an event, whose entries are the change of each item in each account,
 * and of the source (what it created) and the sink (what it destroyed). They sum to 0 for each kind of item and for gold;
 * the ledger checks that itself before it lets a command stand, and aborts where it does not hold: a mistake of its own must
 * not reach the database.
 *
 * Guilds live whole on the shard where they were made; players of other shards can't be members. Ids that are made here
 * carry the shard's index (common/shard.h). One thread.
 */
#ifndef MARCH_PERSIST_LEDGER_H
#define MARCH_PERSIST_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "persist/ledger_rows.h"

#define LEDGER_BATCH_MAX       256   /* commands between begin and commit */
#define LEDGER_NEEDS_MAX       8     /* rows that one command can lack at a time */
#define LEDGER_ANSWERS_MAX     65536 /* remembered; 4 MB */
#define LEDGER_RESIDENT_MAX    65536 /* trades, auctions and transfers each; past it new ones get NO_ROOM */
#define LEDGER_TEXT_MAX        63    /* bytes of a command's text */
#define LEDGER_TRADE_MS_MAX    (24u * 3600u * 1000u)
#define LEDGER_AUCTION_MS_MAX  (7u * 24u * 3600u * 1000u)
#define LEDGER_TRANSFER_MS_MAX (60ull * 24u * 3600u * 1000u) /* an older one may have been done, and its answer be gone */
#define LEDGER_INVITE_MS       (24u * 3600u * 1000u)
#define LEDGER_SLOT_ANY        0xFFFFu

/* The first are those of clients, by the numbers of their protocol. */
enum ledger_verb {
    LEDGER_NONE = 0,
    LEDGER_INVENTORY = 1, /* reads are answered by value.h and refused here */
    LEDGER_MOVE = 2,
    LEDGER_STACK = 3,
    LEDGER_SPLIT = 4,
    LEDGER_USE = 5,
    LEDGER_DROP = 6,
    LEDGER_TRADE_OFFER = 7,
    LEDGER_TRADE_ACCEPT = 8,
    LEDGER_TRADE_CANCEL = 9,
    LEDGER_AUCTION_LIST = 10,
    LEDGER_AUCTION_BID = 11,
    LEDGER_AUCTION_BUY = 12,
    LEDGER_AUCTION_CANCEL = 13,
    LEDGER_GUILD_CREATE = 14,
    LEDGER_GUILD_INVITE = 15,
    LEDGER_GUILD_JOIN = 16,
    LEDGER_GUILD_LEAVE = 17,
    LEDGER_GUILD_KICK = 18,
    LEDGER_GUILD_RANK = 19,
    LEDGER_GUILD_DEPOSIT = 20,
    LEDGER_GUILD_WITHDRAW = 21,
    LEDGER_GUILD_INFO = 22,
    LEDGER_BOARD = 23,
    LEDGER_PROFILE = 24,
    LEDGER_GRANT = 32, /* from here on no client can ask for them */
    LEDGER_TRADE_EXPIRE = 33,
    LEDGER_AUCTION_EXPIRE = 34,
    LEDGER_TRANSFER_IN = 35,
    LEDGER_TRANSFER_DONE = 36,
    LEDGER_VERB_COUNT = 37
};

/* As in the protocol of clients. */
enum ledger_status {
    LEDGER_OK = 0,
    LEDGER_NOT_FOUND = 1,
    LEDGER_CONFLICT = 2,   /* a version is not the one that holds */
    LEDGER_NOT_ENOUGH = 3, /* gold or count */
    LEDGER_NO_ROOM = 4,    /* no free slot, the slot is taken, or a limit is reached */
    LEDGER_FORBIDDEN = 5,
    LEDGER_INVALID = 6,
    LEDGER_EXPIRED = 7,
    LEDGER_UNAVAILABLE = 8, /* this and the next three are of the driver: nothing was tried, nothing is remembered */
    LEDGER_BUSY = 9,
    LEDGER_JOURNAL_FULL = 10,
    LEDGER_DISABLED = 11,
    LEDGER_EXISTS = 12,
    LEDGER_STATUS_COUNT = 13
};

/* Where a key comes from. */
enum ledger_domain {
    LEDGER_DOMAIN_NONE = 0,     /* no answer is kept: expiries */
    LEDGER_DOMAIN_CLIENT = 1,   /* the client's random number */
    LEDGER_DOMAIN_LOOT = 2,     /* entity id of what was killed */
    LEDGER_DOMAIN_TRANSFER = 3, /* transfer id */
    LEDGER_DOMAIN_OPERATOR = 4
};

/* A command. Which fields count, by verb (versions: 0 is any; counts: 0 is the whole stack):
 *   MOVE            item, version, slot; or other_item, other_version: they change places
 *   STACK           item, version, other_item, other_version, count
 *   SPLIT           item, version, count, slot (LEDGER_SLOT_ANY: the first free one)       -> object: the new item
 *   USE             item, version; one of the stack
 *   DROP            item, version, count
 *   TRADE_OFFER     other, give[], gold (given), want[], price (gold wanted), duration_ms  -> object: the trade
 *   TRADE_ACCEPT    object; for a trade of another shard also give[] and gold, as the offer wants them
 *   TRADE_CANCEL    object; by either side, on the shard of the trade
 *   AUCTION_LIST    item, version, count, gold (least bid), price (buyout or 0), duration_ms -> object: the auction
 *   AUCTION_BID     object, gold
 *   AUCTION_BUY     object, gold: the buyout, or CONFLICT
 *   AUCTION_CANCEL  object; while there is no bid
 *   GUILD_CREATE    text                                                                     -> object: the guild
 *   GUILD_INVITE, GUILD_KICK  other;  GUILD_RANK  other, rank;  GUILD_JOIN  object;  GUILD_LEAVE
 *   GUILD_DEPOSIT, GUILD_WITHDRAW  item, version, count, or with item 0: gold
 *   GRANT           kind, count (0: no item), gold                                           -> object: the item; what fits
 * is granted, `is_part` tells of a rest TRADE_EXPIRE, AUCTION_EXPIRE  object TRANSFER_IN     transfer (as the source made
 * it);  TRANSFER_DONE  object, accepted
 */
struct ledger_ref {
    uint64_t id;
    uint32_t version, count;
};

struct ledger_command {
    enum ledger_verb verb;
    enum ledger_domain domain;
    uint64_t player, key;
    uint64_t other; /* another player */
    uint64_t item, other_item, object;
    uint32_t version, other_version;
    uint32_t count, kind;
    uint32_t duration_ms;
    uint16_t slot;
    uint8_t rank;
    bool accepted;
    int64_t gold, price;
    uint32_t give_count, want_count;
    struct ledger_ref give[LEDGER_TRADE_ITEMS_MAX], want[LEDGER_TRADE_ITEMS_MAX];
    char text[LEDGER_TEXT_MAX + 1];
    struct ledger_transfer transfer;
};

struct ledger_result {
    enum ledger_status status;
    uint64_t object;
    bool repeated;          /* the answer of an earlier time */
    bool is_part;           /* GRANT: some of it found no room, and was not created */
    uint32_t effect, power; /* USE: enum item_effect */
};

/* An answer that is remembered; (domain, player, key) names it. */
struct ledger_answer {
    uint64_t domain; /* enum ledger_domain */
    uint64_t player, key;
    uint64_t object;
    enum ledger_status status;
    uint32_t reserved;
};

/* A line of an event. Sums to 0 in each event for each item_kind (0 is gold). */
struct ledger_entry {
    uint64_t owner, item; /* item 0 in lines of gold, source and sink */
    uint32_t owner_kind, item_kind;
    int64_t delta;
};

struct ledger_event {
    uint64_t id;
    uint64_t player, key;
    uint64_t object, other; /* what it was about; the other player where there is one */
    enum ledger_verb verb;
    enum ledger_domain domain;
    uint32_t entry_first, entry_count; /* in ledger_entries */
};

/* What somebody else than the one who commanded should be told. */
enum ledger_notice_type {
    LEDGER_NOTICE_TRADE_OFFERED = 1, /* to both */
    LEDGER_NOTICE_TRADE_DONE = 2,    /* to both, as the next three */
    LEDGER_NOTICE_TRADE_CANCELLED = 3,
    LEDGER_NOTICE_TRADE_EXPIRED = 4,
    LEDGER_NOTICE_TRADE_FAILED = 5, /* to the accepter: the trade, of another shard, did not take its side, which is back */
    LEDGER_NOTICE_GUILD_INVITED = 6,
    LEDGER_NOTICE_GUILD_CHANGED = 7, /* to a player whose own membership or rank changed */
    LEDGER_NOTICE_AUCTION_OUTBID = 8,
    LEDGER_NOTICE_AUCTION_OPEN = 9,  /* to the seller and the bidder: listed, or a new bid */
    LEDGER_NOTICE_AUCTION_SOLD = 10, /* to the seller and to who got it */
    LEDGER_NOTICE_AUCTION_EXPIRED = 11,
    LEDGER_NOTICE_AUCTION_CANCELLED = 12,
    LEDGER_NOTICE_COUNT = 13
};

struct ledger_notice {
    enum ledger_notice_type type;
    uint64_t player; /* who is told; may be of another shard */
    uint64_t object; /* trade, auction or guild */
    uint64_t by;     /* the other player, 0 nobody */
};

enum ledger_row_type {
    LEDGER_ROW_ACCOUNT = 1, /* id: the owner */
    LEDGER_ROW_TRADE = 2,
    LEDGER_ROW_AUCTION = 3,
    LEDGER_ROW_GUILD = 4,
    LEDGER_ROW_TRANSFER = 5,
    LEDGER_ROW_GUILD_NAME = 6, /* id: a hash of the name; says only whether it is taken */
    LEDGER_ROW_TYPE_COUNT = 7
};

struct ledger_key {
    uint64_t id;
    uint32_t type;       /* enum ledger_row_type */
    uint32_t owner_kind; /* of accounts; else 0 */
};

/* A row that a command needs and that the set knows nothing of. */
struct ledger_need {
    struct ledger_key key;
    char name[LEDGER_NAME_MAX + 1]; /* of GUILD_NAME */
};

union ledger_body {
    struct ledger_holding account;
    struct ledger_trade trade;
    struct ledger_auction auction;
    struct ledger_guild *guild;
    struct ledger_transfer transfer;
    uint64_t guild_of_name;
};

/* A row that the open batch changed: absent before means to insert, absent after to delete. */
struct ledger_change {
    struct ledger_key key;
    const union ledger_body *before, *after; /* NULL: absent */
};

/* What a client that knew `before` must be told to know `after`. */
struct ledger_difference {
    uint32_t added_count, updated_count, removed_count;
    struct ledger_item added[LEDGER_ACCOUNT_ITEMS_MAX], updated[LEDGER_ACCOUNT_ITEMS_MAX];
    uint64_t removed[LEDGER_ACCOUNT_ITEMS_MAX];
};

struct ledger_config {
    uint32_t shard_index, shard_count;
    uint32_t rows_max; /* accounts and guilds that ledger_trim leaves */
};

struct ledger;

/* ledger_create makes an empty set that knows nothing. NULL when memory is short; later a lack of memory aborts. */
struct ledger *ledger_create(const struct ledger_config *config);
void ledger_destroy(struct ledger *ledger);

/* ledger_clear forgets every row, the answers too, and an open batch. */
void ledger_clear(struct ledger *ledger);

/* ledger_set_next_id tells the counter from which ids are made; ledger_next_id what it is now. It never falls. */
void ledger_set_next_id(struct ledger *ledger, uint64_t next_id);
uint64_t ledger_next_id(const struct ledger *ledger);

/* --- loading, between batches. A row that is known already is left as it is: what is in memory is newer. */

/* ledger_know enters a row: `body` NULL says that it does not exist. Items and the guild are copied. MARCH_ERR_INVALID when
 * it breaks a rule of this file (slots out of order, too many items, unknown kinds ...); nothing is entered then. */
must_check int ledger_know(struct ledger *ledger, const struct ledger_key *key, const union ledger_body *body);

/* ledger_know_answer enters an answer that was given before. */
void ledger_know_answer(struct ledger *ledger, enum ledger_domain domain, uint64_t player, uint64_t key,
                        enum ledger_status status, uint64_t object);

/* ledger_needs tells which rows `command` needs that are not known; returns how many. What it needs further may show only
 * once these are known. 0: it can be applied. */
unsigned ledger_needs(struct ledger *ledger, const struct ledger_command *command,
                      struct ledger_need needs[LEDGER_NEEDS_MAX]);

/* ledger_command_valid tells whether a command can be applied at all: a verb that changes something, numbers within limits,
 * a player of this shard. What is not valid is refused with INVALID, and that is not remembered. */
bool ledger_command_valid(const struct ledger *ledger, const struct ledger_command *command);

/* ledger_transfer_command makes the command by which a destination takes a transfer, ledger_done_command the one by which
 * its source ends it. A destination that answers NO_ROOM to a credit is to be asked again later, and so is a source that
 * answers anything but OK or NOT_FOUND; every other status of a destination is final, and OK means accepted. One
 * older than LEDGER_TRANSFER_MS_MAX whose answer is not known is UNAVAILABLE for good: better in escrow than done twice. */
void ledger_transfer_command(const struct ledger_transfer *transfer, struct ledger_command *command);
void ledger_done_command(const struct ledger_transfer *transfer, bool accepted, struct ledger_command *command);

/* --- a batch */

void ledger_begin(struct ledger *ledger);

/* ledger_apply does one command, of which ledger_needs was 0 at the time. Its status is also in the result. */
enum ledger_status ledger_apply(struct ledger *ledger, const struct ledger_command *command, uint64_t now_ms,
                                struct ledger_result *result);

/* ledger_change_count and ledger_change_at list the rows that the open batch changed, each once. */
uint32_t ledger_change_count(const struct ledger *ledger);
struct ledger_change ledger_change_at(const struct ledger *ledger, uint32_t index);

/* ledger_new_answers lists the answers that the open batch gave and that are to be stored. */
const struct ledger_answer *ledger_new_answers(const struct ledger *ledger, uint32_t *count);

const struct ledger_event *ledger_events(const struct ledger *ledger, uint32_t *count);
const struct ledger_entry *ledger_entries(const struct ledger *ledger);
const struct ledger_notice *ledger_notices(const struct ledger *ledger, uint32_t *count);

/* ledger_event_detail writes an event's detail as JSON,
 * {"object":..,"other":..,"entries":[[owner_kind,owner,item,kind,delta],..]}, and returns its length; MARCH_ERR_FULL when it
 * does not fit. LEDGER_DETAIL_BYTES_MAX is always enough. */
#define LEDGER_DETAIL_BYTES_MAX 65536
must_check int ledger_event_detail(const struct ledger *ledger, const struct ledger_event *event, char *buf, size_t size);

/* ledger_commit makes what the batch did final; ledger_rollback takes it back. After a commit changes, events and notices
 * can still be read, until ledger_begin, ledger_know, ledger_trim or ledger_clear. */
void ledger_commit(struct ledger *ledger);
void ledger_rollback(struct ledger *ledger);

/* ledger_trim drops the least recently used accounts and guilds beyond the limit; between batches. Returns how many. */
uint32_t ledger_trim(struct ledger *ledger);

/* ledger_forget drops an account of a player or guild, or a guild: what is stored is not what is here. Between batches. */
void ledger_forget(struct ledger *ledger, const struct ledger_key *key);

/* --- reading. What is returned holds until the next call that changes the set; it is what was last committed, without what
 * an open batch has changed. `known` tells a row that does not exist from one that was never loaded. */

const struct ledger_holding *ledger_account(struct ledger *ledger, uint32_t owner_kind, uint64_t owner, bool *known);
const struct ledger_guild *ledger_guild(struct ledger *ledger, uint64_t guild, bool *known);
const struct ledger_trade *ledger_trade(struct ledger *ledger, uint64_t trade);
const struct ledger_auction *ledger_auction(struct ledger *ledger, uint64_t auction);
const struct ledger_transfer *ledger_transfer(struct ledger *ledger, uint64_t transfer);

/* ledger_each calls for every row of a type that exists, in no order, with what was last committed. */
void ledger_each(struct ledger *ledger, enum ledger_row_type type,
                 void (*visit)(void *ctx, const struct ledger_key *key, const union ledger_body *body), void *ctx);

/* ledger_resident_count returns how many trades, auctions or transfers there are. */
uint32_t ledger_resident_count(const struct ledger *ledger, enum ledger_row_type type);

/* ledger_row_count returns how many rows of accounts and guilds the set holds. */
uint32_t ledger_row_count(const struct ledger *ledger);

/* ledger_difference_of compares two holdings, each of which may be NULL: empty. */
void ledger_difference_of(const struct ledger_holding *before, const struct ledger_holding *after,
                          struct ledger_difference *out);

/* ledger_name_hash returns the id of a GUILD_NAME row. */
uint64_t ledger_name_hash(const char *name);

#endif
