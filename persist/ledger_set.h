/* ledger_set.h: the inside of the ledger, shared by its files and by nobody else.
 *
 * A row is found by its key. The first time that a command changes a row, row_write keeps an image of it; images are what
 * a refused command, or a whole batch, is taken back by, what is stored, what clients are told, and what events are made of.
 * So a verb is written as plain checks and changes in any order, and may refuse at any point.
 */
#ifndef MARCH_PERSIST_LEDGER_SET_H
#define MARCH_PERSIST_LEDGER_SET_H

#include <uthash.h>

#include "common/check.h"
#include "common/shard.h"
#include "persist/ledger.h"

#define LEDGER_IMAGE_NONE UINT32_MAX
#define LEDGER_MINTED_MAX (2 * LEDGER_TRADE_ITEMS_MAX + 2)

struct ledger_row {
    struct ledger_key key;
    bool present;
    uint32_t first_image;           /* of this batch */
    uint64_t serial;                /* of the command that wrote it last */
    struct ledger_row *prev, *next; /* by use, the longest unused first; accounts of players and guilds, guilds, names */
    union ledger_body body;
    UT_hash_handle hh;
};

struct ledger_image {
    struct ledger_row *row;
    uint32_t type; /* the row's, which may be gone by then */
    bool present;
    union ledger_body body; /* owns its items or guild */
};

/* What one player has open; a row is there while one of them is not 0. */
struct ledger_tally {
    uint64_t player;
    uint32_t trades, auctions;
    UT_hash_handle hh;
};

struct ledger_answer_row {
    struct ledger_answer answer; /* its first three fields are the key */
    UT_hash_handle hh;
};

/* What a command created or destroyed: a line of source, sink or abroad. */
struct ledger_minted {
    uint32_t owner_kind, item_kind;
    uint64_t owner;
    int64_t delta; /* of that line: creating is negative */
};

struct ledger {
    struct ledger_config config;
    uint64_t next_id; /* counter part */
    struct ledger_row *rows;
    struct ledger_row *used; /* list by use */
    uint32_t used_count;
    uint32_t resident[LEDGER_ROW_TYPE_COUNT]; /* present trades, auctions, transfers */
    struct ledger_tally *tallies;
    struct ledger_answer_row *answers; /* in order of entry */

    /* the open batch */
    bool open;
    uint64_t serial; /* of the command under way */
    uint32_t command_count;
    struct ledger_image *images;
    uint32_t image_count, image_room;
    uint32_t *changes; /* indices of the first image of each row */
    uint32_t change_count, change_room;
    struct ledger_event *events;
    uint32_t event_count, event_room;
    struct ledger_entry *entries;
    uint32_t entry_count, entry_room;
    struct ledger_notice *notices;
    uint32_t notice_count, notice_room;
    struct ledger_answer new_answers[LEDGER_BATCH_MAX];
    uint32_t new_answer_count;

    /* the command under way */
    const struct ledger_command *command;
    uint64_t now_ms;
    uint32_t image_mark;
    struct ledger_minted minted[LEDGER_MINTED_MAX];
    uint32_t minted_count;
    struct ledger_result *result;
    uint64_t event_other;
    bool transient; /* a refusal that is not remembered */
};

/* Something taken out of an account and not yet put into another. */
struct ledger_parcel {
    struct ledger_item item;
    uint64_t origin;
};

/* --- ledger.c: rows */

/* row_find returns a row that is known, present or not; NULL: nothing is known of it. */
struct ledger_row *row_find(struct ledger *ledger, enum ledger_row_type type, uint32_t owner_kind, uint64_t id);

/* row_need returns a row that ledger_needs has seen to. */
struct ledger_row *row_need(struct ledger *ledger, enum ledger_row_type type, uint32_t owner_kind, uint64_t id);

/* row_present returns a trade, an auction, a transfer or a guild, NULL when there is none. */
struct ledger_row *row_present(struct ledger *ledger, enum ledger_row_type type, uint64_t id);

/* row_new returns an absent row to fill, new or known to be absent; row_begin then makes it present with version 1. */
struct ledger_row *row_new(struct ledger *ledger, enum ledger_row_type type, uint32_t owner_kind, uint64_t id);
void row_begin(struct ledger *ledger, struct ledger_row *row);

/* row_write must be called before a row is changed: keeps an image, raises the version. An absent account becomes present.
 */
void row_write(struct ledger *ledger, struct ledger_row *row);

/* row_delete makes a row absent. */
void row_delete(struct ledger *ledger, struct ledger_row *row);

/* row_used puts a row that is listed by use last. */
void row_used(struct ledger *ledger, struct ledger_row *row);

uint64_t ledger_make_id(struct ledger *ledger);
struct ledger_tally ledger_tally_of(struct ledger *ledger, uint64_t player);
bool ledger_is_local(const struct ledger *ledger, uint64_t player);
bool ledger_is_abroad(const struct ledger *ledger, uint64_t id); /* of a trade, a guild ...: made on another shard */
void ledger_notify(struct ledger *ledger, enum ledger_notice_type type, uint64_t player, uint64_t object, uint64_t by);

/* ledger_mint notes a line of source (delta below 0: creates), sink or abroad for the event of this command. */
void ledger_mint(struct ledger *ledger, uint32_t owner_kind, uint64_t owner, uint32_t item_kind, int64_t delta);

/* grow makes room in an array for one more. */
void *ledger_grow(void *array, uint32_t count, uint32_t *room, size_t size);
#define LEDGER_GROW(array, count, room) ((array) = ledger_grow((array), (count), &(room), sizeof(*(array))))

/* --- ledger_body.c: bodies */

void body_copy(uint32_t type, union ledger_body *to, const union ledger_body *from);
void body_free(uint32_t type, union ledger_body *body);
bool body_valid(const struct ledger_key *key, const union ledger_body *body);

/* --- ledger_accounts.c: what moves between accounts. All write the rows that they change. */

struct ledger_row *account_of(struct ledger *ledger, uint32_t owner_kind, uint64_t owner);

/* account_find returns an item; checks its version where that is not 0: NOT_FOUND or CONFLICT. */
enum ledger_status account_find(const struct ledger_row *account, uint64_t item, uint32_t version, uint32_t *index);

/* account_free_slot returns the first free slot, or LEDGER_SLOT_ANY when there is none. */
uint32_t account_free_slot(const struct ledger_row *account);
bool account_slot_is_free(const struct ledger_row *account, uint32_t slot);

void account_insert(struct ledger *ledger, struct ledger_row *account, struct ledger_item item); /* into its slot */
void account_remove(struct ledger *ledger, struct ledger_row *account, uint32_t index);
void account_set_count(struct ledger *ledger, struct ledger_row *account, uint32_t index, uint32_t count); /* 0 removes */

enum ledger_status account_take(struct ledger *ledger, struct ledger_row *account, const struct ledger_ref *ref,
                                struct ledger_parcel *parcel);
enum ledger_status account_put(struct ledger *ledger, struct ledger_row *account, const struct ledger_parcel *parcels,
                               uint32_t count);
enum ledger_status account_take_gold(struct ledger *ledger, struct ledger_row *account, int64_t gold);
enum ledger_status account_put_gold(struct ledger *ledger, struct ledger_row *account, int64_t gold);

/* account_empty takes everything; room for LEDGER_ACCOUNT_ITEMS_MAX parcels. Returns how many, gold by pointer. */
uint32_t account_empty(struct ledger *ledger, struct ledger_row *account, struct ledger_parcel *parcels, int64_t *gold);

/* --- ledger_transfers.c */

enum ledger_status transfer_open(struct ledger *ledger, const struct ledger_transfer *what,
                                 const struct ledger_parcel *parcels, uint32_t count, uint64_t *id);

/* deliver gives to a player wherever it lives: its account here, or a transfer to its shard. */
enum ledger_status deliver(struct ledger *ledger, uint64_t player, const struct ledger_parcel *parcels, uint32_t count,
                           int64_t gold);

/* --- verbs */

enum ledger_status ledger_do_move(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_stack(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_split(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_use(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_drop(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_grant(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_trade_offer(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_trade_accept(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_trade_cancel(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_trade_expire(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_auction_list(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_auction_bid(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_auction_buy(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_auction_cancel(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_auction_expire(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_guild_create(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_guild_invite(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_guild_join(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_guild_leave(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_guild_kick(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_guild_rank(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_guild_deposit(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_guild_withdraw(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_transfer_in(struct ledger *ledger, const struct ledger_command *command);
enum ledger_status ledger_do_transfer_done(struct ledger *ledger, const struct ledger_command *command);

/* What a transfer brings, done by the file that knows the rules. Funds have left no account here: they come from abroad. */
enum ledger_status trade_accept_from_abroad(struct ledger *ledger, const struct ledger_transfer *transfer,
                                            const struct ledger_parcel *parcels);
enum ledger_status auction_take_bid(struct ledger *ledger, uint64_t auction, uint64_t bidder, int64_t gold);
enum ledger_status auction_take_buyout(struct ledger *ledger, uint64_t auction, uint64_t buyer, int64_t gold);
enum ledger_status guild_take_deposit(struct ledger *ledger, uint64_t guild, uint64_t player,
                                      const struct ledger_parcel *parcels, uint32_t count, int64_t gold);

/* --- ledger_events.c */

/* event_close makes the event of the command that has just succeeded, and aborts unless its entries balance. */
void event_close(struct ledger *ledger);

#endif
