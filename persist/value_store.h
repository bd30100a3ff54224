/* value_store.h: a batch of the ledger as one transaction.
 *
 * The fence first, then the counter of ids, which must be what the last batch left and moves on with each: so batches come
 * in the order in which they were made, and one that was given up can't be carried out behind another's back. Then for each
 * table what is gone, what is changed, what is new, a column of an array each; then answers, events and the outbox. Whatever
 * is changed or removed is named with the version that it had: when one of them is not there any more the database raises
 * MV001 and nothing is stored. Statements that would do nothing are left out.
 */
#ifndef MARCH_PERSIST_VALUE_STORE_H
#define MARCH_PERSIST_VALUE_STORE_H

#include "persist/ledger.h"
#include "persist/pg.h"

#define VALUE_STORE_CALLS_MAX 32

struct value_store;

/* value_store_create takes memory that is reused by every batch. NULL when memory is short. */
struct value_store *value_store_create(void);
void value_store_destroy(struct value_store *store);

/* value_store_build makes the calls of the ledger's open batch; they hold until the next time. `stored_id` is the counter as
 * the database has it, `next_id`, which is more, as it will be. Returns how many calls: 0, there is nothing to store. */
unsigned value_store_build(struct value_store *store, const struct ledger *ledger, uint64_t epoch, uint64_t stored_id,
                           uint64_t next_id, const struct pg_call **calls);

/* value_store_is_key_conflict tells whether a transaction was refused (MARCH_ERR_EXISTS) because a command's key was
 * answered before, and not because of some other row. */
bool value_store_is_key_conflict(const struct pg_reply *reply);

#endif
