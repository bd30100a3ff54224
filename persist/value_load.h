/* value_load.h: rows from the database into the ledger.
 *
 * A load collects what is needed, becomes one job of calls, and enters what comes back. value_load_all asks for what is
 * always in memory instead: open trades, auctions, transfers and their escrow, and moves the counter of ids on by one, which
 * every batch names as it should be (value_store.h): a transaction that was thought lost either comes before, and is read
 * here, or is refused. It is a job that changes something.
 * Rows that make no sense are an error of the whole load: whoever can't read its own books must not write in them.
 */
#ifndef MARCH_PERSIST_VALUE_LOAD_H
#define MARCH_PERSIST_VALUE_LOAD_H

#include "persist/ledger.h"
#include "persist/pg.h"

#define VALUE_LOAD_CALLS_MAX 10
#define VALUE_LOAD_ROWS_MAX  4096 /* of a kind, in one load */

struct value_load {
    uint32_t account_count, guild_count, name_count, answer_count;
    struct ledger_key accounts[VALUE_LOAD_ROWS_MAX];
    uint64_t guilds[VALUE_LOAD_ROWS_MAX];
    char names[LEDGER_BATCH_MAX][LEDGER_NAME_MAX + 1];
    struct ledger_answer answers[LEDGER_BATCH_MAX];
    struct pg_params params[VALUE_LOAD_CALLS_MAX];
    struct pg_call calls[VALUE_LOAD_CALLS_MAX];
    unsigned call_count;
};

/* value_load_init and value_load_deinit own the memory of parameters; value_load_reset begins anew. */
void value_load_init(struct value_load *load);
void value_load_deinit(struct value_load *load);
void value_load_reset(struct value_load *load);

/* value_load_add asks for a row, once. What is past the limits is left out, to be asked for in the next load. */
void value_load_add(struct value_load *load, const struct ledger_need *need);

/* value_load_add_answer asks whether a key was answered before. */
void value_load_add_answer(struct value_load *load, enum ledger_domain domain, uint64_t player, uint64_t key);

/* value_load_count returns how many rows were asked for. */
uint32_t value_load_count(const struct value_load *load);

/* value_load_build makes the calls of what was asked for; value_load_build_all those of what is always in memory. */
void value_load_build(struct value_load *load);
void value_load_build_all(struct value_load *load, uint64_t epoch);

/* value_load_enter and value_load_enter_all enter the results of these calls; `stored_id` is the counter as it is stored.
 * MARCH_ERR_INVALID for rows that make no sense, said in the log. */
must_check int value_load_enter(const struct value_load *load, const struct pg_reply *reply, struct ledger *ledger);
must_check int value_load_enter_all(const struct pg_reply *reply, struct ledger *ledger, uint64_t *stored_id);

#endif
