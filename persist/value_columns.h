/* value_columns.h: the inside of a store, shared by value_store.c and value_store_guilds.c: which parameters belong to which
 * statement, and rows turned into columns.
 */
#ifndef MARCH_PERSIST_VALUE_COLUMNS_H
#define MARCH_PERSIST_VALUE_COLUMNS_H

#include "persist/value_store.h"

/* The statements, in the order in which they are sent. */
enum store_call {
    CALL_FENCE = 0,
    CALL_NEXT_ID,
    CALL_ITEMS_GONE,
    CALL_ITEMS_CHANGED,
    CALL_ITEMS_NEW,
    CALL_ACCOUNTS_GONE,
    CALL_ACCOUNTS_CHANGED,
    CALL_ACCOUNTS_NEW,
    CALL_TRADES_GONE,
    CALL_TRADES_NEW,
    CALL_AUCTIONS_GONE,
    CALL_AUCTIONS_CHANGED,
    CALL_AUCTIONS_NEW,
    CALL_MEMBERS_GONE,
    CALL_MEMBERS_CHANGED,
    CALL_MEMBERS_NEW,
    CALL_PLAYERS,
    CALL_INVITES_GONE,
    CALL_INVITES_NEW,
    CALL_GUILDS_GONE,
    CALL_GUILDS_CHANGED,
    CALL_GUILDS_NEW,
    CALL_TRANSFERS_GONE,
    CALL_TRANSFERS_NEW,
    CALL_COMMANDS,
    CALL_EVENTS,
    CALL_COUNT
};

/* An item of the batch, where it was or where it is. */
struct placed {
    struct ledger_key owner;
    struct ledger_item item;
};

struct placed_list {
    struct placed *list;
    uint32_t count, room;
};

struct value_store {
    struct pg_params params[CALL_COUNT];
    struct pg_call calls[CALL_COUNT];
    const struct ledger *ledger;
    const struct ledger_change **rows; /* of one type, pointing into `changes` */
    struct ledger_change *changes;
    uint32_t change_count, change_room;
    struct placed_list before, after;
    char detail[LEDGER_DETAIL_BYTES_MAX];
};

enum fate { GONE = 0, CHANGED = 1, NEW = 2 };

/* store_select gathers in `rows` the changed rows of a type and a fate; returns how many. */
uint32_t store_select(struct value_store *store, enum ledger_row_type type, enum fate fate);

/* store_put_guilds writes guilds, their members and their invitations. */
void store_put_guilds(struct value_store *store);

/* COLUMN writes an array parameter; `value` is an expression of `row`, one of `count` rows. */
#define COLUMN(params, type, push, count, value)                                                                            \
    do {                                                                                                                    \
        pg_params_array((params), (type));                                                                                  \
        for (uint32_t n_ = 0; n_ < (count); n_++) {                                                                         \
            const __typeof__(*ROWS) row = ROWS[n_];                                                                         \
            pg_params_push_##push((params), (value));                                                                       \
        }                                                                                                                   \
        pg_params_end(params);                                                                                              \
    } while (0)
#define INT8(params, count, value) COLUMN(params, PG_INT8, int8, count, (int64_t)(value))
#define INT4(params, count, value) COLUMN(params, PG_INT4, int4, count, (int32_t)(value))
#define INT2(params, count, value) COLUMN(params, PG_INT2, int2, count, (int16_t)(value))
#define TIME(params, count, ms)    COLUMN(params, PG_TIMESTAMPTZ, timestamp, count, (int64_t)(ms)*1000)

#endif
