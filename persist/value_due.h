/* value_due.h: when trades and auctions end: a heap by time.
 *
 * What has ended otherwise meanwhile stays in the heap and is told in its time; who is told looks whether it is still there.
 * So the heap grows to what was opened within the longest term at most.
 */
#ifndef MARCH_PERSIST_VALUE_DUE_H
#define MARCH_PERSIST_VALUE_DUE_H

#include <stdbool.h>
#include <stdint.h>

struct due_entry {
    uint64_t at_ms;
    uint64_t id;
    bool is_auction;
};

struct due {
    struct due_entry *heap;
    uint32_t count, room;
};

/* due_push adds an end; due_clear forgets all and keeps the memory; due_deinit frees it. Zeroed is empty. */
void due_push(struct due *due, struct due_entry entry);
void due_clear(struct due *due);
void due_deinit(struct due *due);

/* due_pop takes out the earliest entry that is due at `now_ms`; false when there is none. */
bool due_pop(struct due *due, uint64_t now_ms, struct due_entry *out);

#endif
