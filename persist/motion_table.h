/* motion_table.h: the entries of motion.h: found by player, queued for PostgreSQL and for Redis.
 *
 * Entries lie in one array and keep their index; an open-addressing table of indices, at most half full, finds them (linear
 * probing, splitmix64 of id and seed, deletion by shifting back). Two queues run through the entries, oldest first. Memory
 * is reserved for all and touched as entries come. One thread.
 */
#ifndef MARCH_PERSIST_MOTION_TABLE_H
#define MARCH_PERSIST_MOTION_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "schemas/wire_persist.h"

#define MOTION_NONE         UINT32_MAX
#define MOTION_PLAYERS_MAX  (1u << 24)
#define MOTION_QUEUE_DIRTY  0
#define MOTION_QUEUE_HOT    1
#define MOTION_QUEUES_COUNT 2

struct motion_entry {
    struct wire_player_state state; /* if not `known`, only the player */
    uint64_t epoch;                 /* reports of older sessions are refused; at least state.session_epoch */
    uint64_t position;              /* of the newest journal record of it; 0 for none */
    uint32_t next[MOTION_QUEUES_COUNT];
    uint32_t heard_s;
    uint32_t flush_serial; /* of the flush that took it last */
    bool queued[MOTION_QUEUES_COUNT];
    bool used;
    bool known;       /* there is a state */
    bool verified;    /* PostgreSQL has nothing newer */
    bool flushing;    /* a transaction with it is under way */
    bool unjournaled; /* the journal was full when this state came */
};

struct motion_queue {
    uint32_t head, tail; /* MOTION_NONE when empty */
    uint32_t count;
};

struct motion_table {
    struct motion_entry *entries;
    uint32_t *slots; /* index of an entry + 1, 0 where empty */
    uint32_t slot_mask;
    uint32_t capacity;
    uint32_t fresh;     /* entries from here on were never used */
    uint32_t free_head; /* of entries that were given back; linked through next[MOTION_QUEUE_DIRTY] */
    uint32_t count;
    uint64_t seed;
    struct motion_queue queues[MOTION_QUEUES_COUNT];
};

/* motion_table_init: MARCH_ERR_SYSTEM when memory is short. motion_table_deinit: fine twice. */
must_check int motion_table_init(struct motion_table *table, uint32_t capacity, uint64_t seed);
void motion_table_deinit(struct motion_table *table);

/* motion_table_grow doubles the capacity, up to MOTION_PLAYERS_MAX; entries keep their index but not their address.
 * MARCH_ERR_FULL, MARCH_ERR_SYSTEM. */
must_check int motion_table_grow(struct motion_table *table);

/* motion_table_find returns the entry of a player, NULL when there is none. */
struct motion_entry *motion_table_find(const struct motion_table *table, uint64_t player);

/* motion_table_take returns the player's entry, a new one where there was none; NULL when the table is full. */
struct motion_entry *motion_table_take(struct motion_table *table, uint64_t player);

/* motion_table_drop removes an entry; one in a queue is a bug. */
void motion_table_drop(struct motion_table *table, struct motion_entry *entry);

/* motion_table_push puts an entry at the end of a queue, unless it is in it. */
void motion_table_push(struct motion_table *table, unsigned queue, struct motion_entry *entry);

/* motion_table_pop takes the oldest of a queue; NULL when it is empty. */
struct motion_entry *motion_table_pop(struct motion_table *table, unsigned queue);

static inline uint32_t motion_table_index(const struct motion_table *table, const struct motion_entry *entry) {
    return (uint32_t)(entry - table->entries);
}

#endif
