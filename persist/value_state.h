/* value_state.h: the inside of value.h, shared by value.c (queues, reads, clocks) and value_batch.c (batches).
 *
 *     STARTING  the first load, and again whenever what is cached can't be trusted
 *     IDLE      nothing under way
 *     LOADING   rows for the batch are read
 *     STORING   the batch is written
 *     WAITING   the database does not answer: a while until the next try
 *     FENCED    for ever
 */
#ifndef MARCH_PERSIST_VALUE_STATE_H
#define MARCH_PERSIST_VALUE_STATE_H

#include <ev.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "persist/pg.h"
#include "persist/value.h"
#include "persist/value_due.h"
#include "persist/value_load.h"
#include "persist/value_store.h"

enum value_state {
    VALUE_STARTING = 0,
    VALUE_IDLE = 1,
    VALUE_LOADING = 2,
    VALUE_STORING = 3,
    VALUE_WAITING = 4,
    VALUE_FENCED = 5,
    VALUE_STATE_COUNT = 6
};

/* A command that waits or is in the batch. */
struct value_pending {
    struct ledger_command command;
    struct ledger_result result;
    value_done done;
    void *ctx;
    struct mono at;          /* of submission */
    uint64_t deadline_ns;    /* 0: none; on the monotonic clock */
    bool is_guild, answered; /* answered: past its deadline, though still in the batch */
    bool check_key;          /* it may have been done before: read its answer first */
    struct value_pending *prev, *next;
};

struct value_read {
    uint32_t type; /* ACCOUNT or GUILD */
    uint32_t owner_kind;
    uint64_t id;
    value_account_done account_done;
    value_guild_done guild_done;
    void *ctx;
    uint64_t deadline_ns;
    struct value_read *prev, *next;
};

struct value {
    struct ev_loop *loop;
    struct pg *pg;
    struct value_config config;
    struct value_hooks hooks;
    struct ledger *ledger;
    struct value_store *store;
    struct value_load load;
    struct due due;
    struct backoff backoff;
    enum value_state state;
    bool was_started; /* the first load was done once */
    uint64_t stored_id, next_stored_id;

    struct value_pending *prompt, *guild; /* lists */
    uint32_t prompt_count, guild_count;
    uint32_t guild_open; /* so many of the guild's list may go: their window is over */
    struct value_read *reads;
    uint32_t read_count;

    struct value_pending *batch[LEDGER_BATCH_MAX];
    uint32_t batch_count, applied_count;
    struct ledger_key forget[VALUE_FORGET_MAX];
    uint32_t forget_count; /* past VALUE_FORGET_MAX: everything */

    uint32_t rounds;  /* loads of this batch */
    uint32_t tries;   /* stores of this batch and of what follows it, that were refused */
    uint32_t singles; /* so many batches of one: a statement was refused for what one of the commands says */
    struct mono job_at;
    unsigned jobs; /* under way at `pg`, 0 or 1 */
    bool destroyed;

    struct ev_timer kick, window, retry, tick;
    struct value_stats stats;
    struct histogram batch_commands, load_ns, store_ns, command_ns, guild_ns;
};

/* --- value.c */

uint64_t value_wall_ms(const struct value *value);

/* value_enqueue puts a command last, value_requeue first; both take it over. */
void value_enqueue(struct value *value, struct value_pending *pending);
void value_requeue(struct value *value, struct value_pending *pending);

/* value_open_window lets all guild commands go once the first has waited for its window. */
void value_open_window(struct value *value);

/* value_refuse_all answers everything in the queues with UNAVAILABLE. */
void value_refuse_all(struct value *value);

/* value_take takes the next command that may go; NULL when there is none. */
struct value_pending *value_take(struct value *value);

/* value_answer tells the result to whoever waits for it; value_end does so and lets go of the command. */
void value_answer(struct value *value, struct value_pending *pending, const struct ledger_result *result);
void value_end(struct value *value, struct value_pending *pending, enum ledger_status status);

/* value_answer_reads answers the reads whose rows are known, and adds the others to the load. */
void value_answer_reads(struct value *value);
void value_refuse_reads(struct value *value);

/* value_kick has value_pump called when the loop comes round. */
void value_kick(struct value *value);

/* --- value_batch.c */

/* value_forget_now drops what is to be forgotten, unless a batch is under way. */
void value_forget_now(struct value *value);

/* value_start begins the first load; value_pump the next batch, when nothing is under way. */
void value_start(struct value *value);
void value_pump(struct value *value);

#endif
