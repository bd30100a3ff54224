/* reads_core.h: what the files of reads share: reads.c, reads_profiles.c, reads_boards.c. */
#ifndef MARCH_PERSIST_READS_CORE_H
#define MARCH_PERSIST_READS_CORE_H

#include "persist/abroad.h"
#include "persist/names.h"
#include "persist/pg.h"
#include "persist/reads.h"

#define READS_LOADS_MAX     READS_ASKED_MAX /* of the cache, at once */
#define READS_URL_MAX       4096
#define READS_CHANGED_SLOTS 4096

/* Kinds of keys in the cache; what `id` and `text` of each are. */
enum reads_kind {
    READS_KIND_PROFILE = 0,      /* player: struct reads_profile */
    READS_KIND_FOREIGN = 1,      /* player of another shard: the same */
    READS_KIND_NAME = 2,         /* text: player id */
    READS_KIND_FOREIGN_NAME = 3, /* text: player id */
    READS_KIND_GUILD_NAME = 4,   /* text: guild id */
    READS_KIND_INVENTORY = 5,    /* player: struct reads_inventory, its items as far as there are */
    READS_KIND_GUILD = 6,        /* guild: struct reads_guild, its members as far as there are */
    READS_KIND_AUCTIONS = 7,     /* after; "kind/count": JSON */
    READS_KIND_DAILY = 8,        /* days: JSON */
    READS_KIND_BOARD = 9,        /* see reads_boards.c: struct reads_board, its entries as far as there are */
    READS_KIND_COUNT = 10
};

/* A call that waits for the cache. All are in one list, to be ended by reads_destroy. */
struct reads_ask {
    struct reads_ask *next, *before;
    struct reads *reads;
    void *ctx;
    uint64_t id;
    char name[READS_NAME_MAX + 1]; /* of those who ask for one */
    union {
        void (*any)(void);
        reads_id_done id;
        reads_inventory_done inventory;
        reads_guild_done guild;
        reads_json_done json;
        reads_board_done board;
    } done;
    void (*end)(struct reads_ask *ask, int error, const struct cache_value *value); /* calls `done` */
};

/* Something that is being loaded, for the cache. */
struct reads_fetch {
    struct reads *reads;
    struct handle load;
    enum reads_kind kind;
    uint64_t id;
};

/* Profiles that wait to be asked for together. */
struct reads_queue {
    uint32_t count;
    uint64_t players[READS_PROFILES_MAX];
    struct handle loads[READS_PROFILES_MAX];
};

struct reads {
    struct reads_config config;
    struct cache *cache;
    struct names *names;
    struct reads_ask *asks;
    struct pool fetches;
    struct pg_params params;
    struct reads_queue queue;                 /* of this shard's profiles */
    struct reads_queue *foreign;              /* by shard */
    struct mono changed[READS_CHANGED_SLOTS]; /* when, by id; two that share a slot share its time */
    struct reads_stats stats;
    bool closing;
};

/* reads_ask_cache looks a key up, and loads it where that is needed; `ask.end` comes once, possibly from within. A NULL ask
 * (no memory, or READS_ASKED_MAX of them) is the caller's to refuse. */
struct reads_ask *reads_ask_create(struct reads *reads, void (*end)(struct reads_ask *, int, const struct cache_value *),
                                   void *ctx, uint64_t id);
void reads_ask_cache(struct reads_ask *ask, const struct cache_key *key);

/* reads_meta_of is what a value of the cache says of itself. */
struct reads_meta reads_meta_of(const struct cache_value *value);

/* reads_loaded and reads_failed end a load; reads_query sends the calls of a fetch, with the reply to `done`, to the
 * primary where it must be `fresh` or there is no replica now. */
void reads_loaded(struct reads *reads, struct handle load, const void *bytes, size_t len);
void reads_failed(struct reads *reads, struct handle load, int error);
must_check int reads_query(struct reads *reads, const struct pg_call *calls, unsigned count, bool fresh, pg_done done,
                           void *ctx);

/* reads_has_changed tells whether something was noted to have changed so lately that a replica may not know. */
void reads_note_change(struct reads *reads, uint64_t id);
bool reads_has_changed(const struct reads *reads, uint64_t id);

/* reads_query_failed counts and logs a reply's error, if it has one, and returns it as reads.h names errors. */
int reads_query_failed(struct reads *reads, const struct pg_reply *reply);

/* reads_profiles.c: a profile is to be loaded, soon: the caller flushes. */
void reads_queue_profile(struct reads *reads, enum reads_kind kind, uint64_t player, struct handle load);
void reads_flush_profiles(struct reads *reads);
/* Finds a name on the other shards. */
void reads_fetch_foreign_name(struct reads *reads, struct handle load, const char *name);
/* Puts the profiles that were seen last into the cache. */
void reads_warm_up(struct reads *reads);

/* reads_boards.c */
void reads_fetch_board(struct reads *reads, struct handle load, const struct cache_key *key);

#endif
