/* value.h: commands of value against the database: queue, batches, cache, callbacks.
 *
 * Commands wait in a bounded queue. While no batch is under way up to LEDGER_BATCH_MAX of them become one:
 *
 *     LOADING   the rows that they need and the cache lacks, in one round trip (twice where the second row is named by the
 * first) applying  in memory (ledger.h) STORING   all changes, answers, events and the outbox in one transaction behind the
 * fence told      answers, then what changed for whom; the next batch begins
 *
 * so that the more there is to do the larger the batches are. Guild commands are held back to windows of guild_window_ms and
 * then go together; commands of one player may overtake each other by that, and in no other way.
 *
 * What other shards send comes again and again, with items that may be here by now, so whether it has been done is read
 * first.
 *
 * This is the only writer of its database, so what is cached is what is stored. Where that proves wrong (somebody else
 * wrote, and value_forget did not come in time: versions differ) everything is forgotten, loaded anew and tried again, 3
 * times at most, then answered CONFLICT. A key that the database knows already takes the batch back, its answers are loaded,
 * and it is done again without that command. When the connection is lost with a transaction under way nobody knows whether
 * it happened: everything is forgotten, and before anything else is stored the answers of that batch are read back; what is
 * there is answered as it was, the rest is done.
 *
 * How it fails: at once with BUSY (queue full), UNAVAILABLE (the breaker is open, or not started), DISABLED (switched off),
 * INVALID. Later with UNAVAILABLE past the command's deadline: whether it happened is not said, but repeating it with its
 * key gives the true answer. Grants and transfers have no deadline: they stay queued until done. Fenced (a newer persist has
 * taken over) everything is refused with UNAVAILABLE for good, and `fenced` is called.
 *
 * All on one event loop; callbacks come from there, never from within value_submit, and may call back into this.
 */
#ifndef MARCH_PERSIST_VALUE_H
#define MARCH_PERSIST_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/histogram.h"
#include "persist/ledger.h"

#define VALUE_QUEUE_MAX       8192 /* commands that wait; one second of what a shard does */
#define VALUE_READS_MAX       4096 /* reads that wait for rows */
#define VALUE_FORGET_MAX      256  /* owners that wait to be forgotten while a batch is under way */
#define VALUE_TRIES_MAX       3
#define VALUE_DEADLINE_MS     3000 /* of a client's command, from submission to answer */
#define VALUE_GUILD_WINDOW_MS 100

struct ev_loop;
struct pg;
struct value;

/* What can be switched off while running. */
enum value_subsystem {
    VALUE_ITEMS = 0,
    VALUE_TRADE = 1,
    VALUE_AUCTION = 2,
    VALUE_GUILD = 3,
    VALUE_LOOT = 4,
    VALUE_SUBSYSTEM_COUNT = 5
};

/* An owner's change by a batch, of players and of guild banks. */
struct value_change {
    enum ledger_owner_kind owner_kind;
    uint64_t owner;
    const struct ledger_holding *before, *after; /* for ledger_difference_of; before NULL: it was new */
};

/* Each may be NULL. All come after the commit, in this order for each batch: changed, notice, guild_changed, then the
 * commands' own callbacks, then committed. */
struct value_hooks {
    void *ctx;
    bool (*enabled)(void *ctx, enum value_subsystem subsystem);
    void (*changed)(void *ctx, const struct value_change *change);
    void (*notice)(void *ctx, const struct ledger_notice *notice);
    void (*guild_changed)(void *ctx, uint64_t guild); /* members, ranks or existence: drop what is cached of it */
    void (*transfer_created)(void *ctx, const struct ledger_transfer *transfer);
    void (*transfer_closed)(void *ctx, uint64_t transfer);
    void (*committed)(void *ctx, uint32_t events); /* there is something in the outbox */
    /* All that is resident is loaded: commands are taken, outstanding transfers can be listed. It comes again when what is
     * cached was not to be trusted and was loaded anew; of what a batch of unknown outcome did there is no other word. */
    void (*started)(void *ctx);
    void (*fenced)(void *ctx);
    /* What value_forget was told has been dropped from memory, now or once the batch under way had ended. */
    void (*forgotten)(void *ctx, enum ledger_owner_kind owner_kind, uint64_t owner);
};

struct value_config {
    uint32_t shard_index, shard_count;
    uint64_t epoch;           /* of the fence */
    uint32_t guild_window_ms; /* 0: VALUE_GUILD_WINDOW_MS */
    uint32_t deadline_ms;     /* 0: VALUE_DEADLINE_MS */
    uint32_t rows_max;        /* cached accounts and guilds; 0: 65,536 */
};

struct value_stats {
    uint64_t submitted, answered, repeated;
    uint64_t by_status[LEDGER_STATUS_COUNT];
    uint64_t batches, stored, events;
    uint64_t loads, rows_loaded;
    uint64_t cached;                                               /* commands that found all their rows in memory */
    uint64_t conflicts, key_conflicts, unknown_outcomes, failures; /* of stores */
    uint64_t refused_busy, refused_unavailable, expired;
    uint64_t evicted;
    uint32_t queued, queued_guild, waiting_reads, cached_rows, resident_trades, resident_auctions, resident_transfers;
    struct histogram *batch_commands; /* commands a batch */
    struct histogram *load_ns, *store_ns;
    struct histogram *command_ns; /* submission to answer; not of guild commands */
    struct histogram *guild_ns;   /* the same of guild commands, their window included */
};

typedef void (*value_done)(void *ctx, const struct ledger_result *result);

/* value_create makes the façade over `pg`, which outlives it, and begins its first load. NULL when memory is short. */
struct value *value_create(struct ev_loop *loop, struct pg *pg, const struct value_config *config,
                           const struct value_hooks *hooks);

/* value_destroy drops what waits without an answer. A transaction under way completes or not; what it comes back to is freed
 * then, at the latest by pg_destroy. NULL is fine. */
void value_destroy(struct value *value);

/* value_forget drops what is cached of a player's account, or of a guild and its bank: somebody else has changed their rows.
 * What a batch under way has read of it is found by its version. More than VALUE_FORGET_MAX at once: all is loaded anew. */
void value_forget(struct value *value, enum ledger_owner_kind owner_kind, uint64_t owner);

/* value_submit takes a command; it is copied. LEDGER_OK: taken, `done` will be called exactly once. Any other status is the
 * answer, and `done` won't be called. INVENTORY and other reads are INVALID here. */
must_check enum ledger_status value_submit(struct value *value, const struct ledger_command *command, value_done done,
                                           void *ctx);

/* value_account hands an account, as last committed, to `done`: from within the call when it is cached, else once loaded.
 * `holding` is NULL when the owner has none yet (empty), or with a status other than OK. */
typedef void (*value_account_done)(void *ctx, enum ledger_status status, const struct ledger_holding *holding);
void value_account(struct value *value, enum ledger_owner_kind owner_kind, uint64_t owner, value_account_done done,
                   void *ctx);

/* value_guild does the same for a guild; NOT_FOUND where there is none. */
typedef void (*value_guild_done)(void *ctx, enum ledger_status status, const struct ledger_guild *guild);
void value_guild(struct value *value, uint64_t guild, value_guild_done done, void *ctx);

/* Open trades, auctions and transfers are always in memory; NULL: there is none. Good until the loop goes on. */
const struct ledger_trade *value_trade(struct value *value, uint64_t trade);
const struct ledger_auction *value_auction(struct value *value, uint64_t auction);
const struct ledger_transfer *value_transfer(struct value *value, uint64_t transfer);

/* value_each_transfer lists the transfers that no destination has answered yet. */
void value_each_transfer(struct value *value, void (*visit)(void *ctx, const struct ledger_transfer *transfer), void *ctx);

/* value_is_started tells whether all that is resident is loaded: a transfer that is not there is over. */
bool value_is_started(const struct value *value);

/* value_stats returns the counts; they live as long as `value`. */
const struct value_stats *value_stats(struct value *value);

#endif
