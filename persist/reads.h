/* reads.h: what may be asked of a shard: profiles, names, inventories, guilds, auctions, daily statistics, boards.
 *
 * Everything goes through one cache (cache.h), so that many who ask the same cost one query; `struct reads_meta` says how
 * old an answer is. Guilds and inventories are loaded by value.h, whose rows are what was last committed, so a player reads
 * his own writes; the rest comes by the read pool, that of a replica where there is one, and may lag behind by as much as
 * that does and the time to live below. Boards come from Redis (boards.h).
 *
 * What was cached is dropped by whoever changes it (reads_*_changed: value's hooks, other processes' invalidations, the
 * database's notifications). While the database is away what is past its time is still given, up to READS_STALE_MS after it,
 * and said to be stale; what is not there is MARCH_ERR_UNAVAILABLE.
 *
 * Names that nobody has are told by a Bloom filter without asking anybody; it is filled at the start, page by page, and
 * until then every name may exist. After it the profiles that were seen last are put into the cache.
 *
 * A player of another shard is asked for there (abroad.h). reads_profiles asks all shards at once and gives what it has by
 * its deadline.
 *
 * Errors: MARCH_ERR_NOT_FOUND, _UNAVAILABLE (a server is away), _EXPIRED (too slow), _FULL (too many at once), _INVALID (the
 * database told nonsense; logged). Callbacks come once, possibly from within the call. One thread, that of the loop.
 */
#ifndef MARCH_PERSIST_READS_H
#define MARCH_PERSIST_READS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "persist/boards.h"
#include "persist/cache.h"
#include "persist/ledger_rows.h"

#define READS_DEADLINE_MS    1500 /* of a query */
#define READS_TTL_MS         5000 /* unless configured */
#define READS_NEGATIVE_MS    2000
#define READS_BOARD_TTL_MS   1000
#define READS_DAILY_TTL_MS   60000
#define READS_FOREIGN_TTL_MS 1000 /* of another shard's players, of whose changes we may not hear */
#define READS_LAG_MS         5000 /* that a replica may be behind */
#define READS_STALE_MS       (10 * 60 * 1000)
#define READS_ENTRIES_MAX    100000 /* unless configured */
#define READS_BYTES_MAX      (64u << 20)
#define READS_ASKED_MAX      4096 /* calls that wait at once */
#define READS_PROFILES_MAX   100  /* in one call */
#define READS_PAGE_MAX       100  /* rows of a page */
#define READS_BOARD_MAX      1000 /* entries of a board in one answer, and the last rank of one merged over shards */
#define READS_DAYS_MAX       90
#define READS_WARM_MAX       1000            /* profiles at the start */
#define READS_CHANNEL        "march_changed" /* of LISTEN */
#define READS_NAME_MAX       127             /* bytes; the database counts 32 characters */
#define READS_NAMES_A_PAGE   5000
#define READS_NAMES_FALSE    0.01 /* share of unknown names that are looked up all the same */

struct ev_loop;
struct pg;
struct value;
struct abroad;
struct reads;

struct reads_meta {
    bool stale;      /* the database is away: this was true `age_ms` ago */
    uint32_t age_ms; /* since it was read */
};

struct reads_profile {
    uint64_t player;
    uint64_t guild; /* 0: none */
    uint64_t experience;
    int64_t created_ms, seen_ms; /* since the Unix epoch */
    uint32_t level;
    bool online;
    char name[READS_NAME_MAX + 1];
    char region[READS_NAME_MAX + 1];
    char guild_name[READS_NAME_MAX + 1]; /* "" without one */
};

/* One of a batch. */
struct reads_profile_result {
    int error;
    struct reads_profile profile; /* when error is 0; its player in any case */
    struct reads_meta meta;
};

struct reads_inventory {
    uint64_t player;
    int64_t gold;
    uint64_t version; /* 0: never had anything */
    uint32_t item_count;
    struct ledger_item items[LEDGER_ACCOUNT_ITEMS_MAX]; /* rising slots */
};

struct reads_guild {
    uint64_t guild, leader, version;
    char name[READS_NAME_MAX + 1];
    uint32_t member_count;
    struct ledger_member members[LEDGER_MEMBERS_MAX]; /* in the order of joining */
};

/* What motion knows of a player who plays here now, newer than the database. */
struct reads_live {
    uint64_t experience;
    uint32_t level;
    bool online;
};

struct reads_config {
    struct ev_loop *loop;
    struct pg *pg;         /* for reading: of a replica where there is one */
    struct pg *primary;    /* with a replica: what has just changed is read here; else NULL */
    struct value *value;   /* NULL: guilds and inventories come by `pg` too */
    struct boards *boards; /* NULL: there are none */
    struct abroad *abroad; /* NULL: the only shard */
    uint32_t shard_index, shard_count;
    uint32_t season;                                                  /* of boards that are asked for without one */
    uint32_t entries_max;                                             /* 0: READS_ENTRIES_MAX */
    uint32_t ttl_ms;                                                  /* 0: READS_TTL_MS */
    uint32_t warm_max;                                                /* profiles to begin with; 0: READS_WARM_MAX */
    void *ctx;                                                        /* of the next */
    bool (*live)(void *ctx, uint64_t player, struct reads_live *out); /* false: does not play here now; NULL: nobody does */
};

struct reads_stats {
    struct cache_stats cache;
    uint64_t queries;        /* sent to the database */
    uint64_t query_failures; /* of these */
    uint64_t names_denied;   /* by the filter, without a query */
    uint64_t names_wrong;    /* let through by it, and not there */
    uint64_t foreign;        /* asked of other shards */
    uint64_t refused;        /* more than READS_ASKED_MAX */
    uint32_t asked;          /* wait now */
    uint32_t names;          /* in the filter */
    bool names_complete;
    bool warm;
};

/* reads_create copies the configuration; what that points to outlives it. NULL when memory is short. */
struct reads *reads_create(const struct reads_config *config);

/* reads_destroy: who waits is told MARCH_ERR_UNAVAILABLE. To be called after what may call back is gone: the read pool,
 * value, boards and abroad. NULL is fine. */
void reads_destroy(struct reads *reads);

/* reads_start begins to fill the filter and the cache, in the background; call when the database is there. */
void reads_start(struct reads *reads);

/* reads_profiles asks for up to READS_PROFILES_MAX players, wherever they are at home; with `local` those of other shards
 * are MARCH_ERR_NOT_FOUND. Results come in the order of asking; 0 and ids too great are MARCH_ERR_NOT_FOUND. */
typedef void (*reads_profiles_done)(void *ctx, const struct reads_profile_result *results, uint32_t count);
void reads_profiles(struct reads *reads, const uint64_t *players, uint32_t count, bool local, reads_profiles_done done,
                    void *ctx);

/* reads_player_named finds the player of a name; where this shard has none and `local` is false, on the other shards. */
typedef void (*reads_id_done)(void *ctx, int error, uint64_t id);
void reads_player_named(struct reads *reads, const char *name, bool local, reads_id_done done, void *ctx);

/* reads_guild_named finds a guild of this shard. */
void reads_guild_named(struct reads *reads, const char *name, reads_id_done done, void *ctx);

/* reads_inventory: of a player of this shard; a player without an account has an empty one. */
typedef void (*reads_inventory_done)(void *ctx, int error, const struct reads_inventory *inventory, struct reads_meta meta);
void reads_inventory(struct reads *reads, uint64_t player, reads_inventory_done done, void *ctx);

/* reads_guild: a guild of this shard. */
typedef void (*reads_guild_done)(void *ctx, int error, const struct reads_guild *guild, struct reads_meta meta);
void reads_guild(struct reads *reads, uint64_t guild, reads_guild_done done, void *ctx);

/* Text in JSON: an array of rows, or an object. */
typedef void (*reads_json_done)(void *ctx, int error, const char *json, size_t len, struct reads_meta meta);

/* reads_auctions: open auctions of this shard with ids above `after`, of one kind of item or of all (0), up to `count`. */
void reads_auctions(struct reads *reads, uint32_t item_kind, uint64_t after, uint32_t count, reads_json_done done,
                    void *ctx);

/* reads_daily: the last `days` days of events by type, the newest first. */
void reads_daily(struct reads *reads, uint32_t days, reads_json_done done, void *ctx);

struct reads_board {
    enum board board;
    uint32_t season;
    uint64_t total;          /* players on the board */
    struct board_entry self; /* of reads_board_around and reads_board_place; player 0: none */
    bool from_rows;          /* of a database, Redis being away: told as stale */
    uint32_t count;
    struct board_entry entries[READS_BOARD_MAX];
};

/* reads_board: `count` (up to READS_BOARD_MAX) entries of a board from rank `from` on, of one region or of all (NULL), of
 * season 0: the present one. All shards are merged unless `local`; then from + count is at most READS_BOARD_MAX + 1, as it
 * is for all regions. MARCH_ERR_INVALID past that. An answer that lacks a shard is an error. Without Redis a board is made
 * of the rows of `scores`, which is slower, as far as rank READS_BOARD_MAX, and marked stale. */
typedef void (*reads_board_done)(void *ctx, int error, const struct reads_board *board, struct reads_meta meta);
void reads_board(struct reads *reads, enum board board, uint32_t season, const char *region, uint32_t from, uint32_t count,
                 bool local, reads_board_done done, void *ctx);

/* reads_board_around: a player, with up to `around` (BOARDS_AROUND_MAX) entries before and after. His shard reads his score
 * and asks the others where he stands with it there, unless `local`: then it is his place among this shard's players. As of
 * all shards: an answer that lacks one is an error. MARCH_ERR_NOT_FOUND without a score. */
void reads_board_around(struct reads *reads, enum board board, uint32_t season, const char *region, uint64_t player,
                        uint32_t around, bool local, reads_board_done done, void *ctx);

/* reads_board_place: where a player of another shard stands with his score among the players of this one; `self` has his
 * place and is between the entries, but does not count in `total`. What shards ask each other. */
void reads_board_place(struct reads *reads, enum board board, uint32_t season, const char *region, uint64_t player,
                       int64_t score, uint32_t around, reads_board_done done, void *ctx);

/* Something has changed; each drops what is cached of it. */
void reads_player_changed(struct reads *reads, uint64_t player);
void reads_account_changed(struct reads *reads, uint32_t owner_kind, uint64_t owner);
void reads_guild_changed(struct reads *reads, uint64_t guild);
void reads_auctions_changed(struct reads *reads);
void reads_all_changed(struct reads *reads); /* or: changes may have been missed */

/* reads_heard takes what was said on the database's channel READS_CHANNEL, by the triggers of 002_changes.sql when rows were
 * changed by somebody else than persist, or by hand, as in `notify march_changed, 'all'`: "player ID", "guild ID", "auction"
 * or "all". `value` forgets what it has of that, too. False for anything else. */
bool reads_heard(struct reads *reads, const char *payload);

/* A name is now taken. */
void reads_player_created(struct reads *reads, uint64_t player, const char *name);
void reads_guild_created(struct reads *reads, uint64_t guild, const char *name);

/* reads_home returns the shard of a player; reads_is_home whether it is this one. */
uint32_t reads_home(const struct reads *reads, uint64_t player);
bool reads_is_home(const struct reads *reads, uint64_t player);

struct reads_stats reads_stats_get(const struct reads *reads);

#endif
