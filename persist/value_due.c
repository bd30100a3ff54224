/* value_due.c: a binary heap, the earliest first. */
#include "persist/value_due.h"

#include <stdlib.h>

#include "common/check.h"

static void swap(struct due_entry *a, struct due_entry *b) {
    struct due_entry kept = *a;
    *a = *b;
    *b = kept;
}

void due_push(struct due *due, struct due_entry entry) {
    if (due->count == due->room) {
        due->room = due->room ? due->room * 2 : 256;
        due->heap = realloc(due->heap, due->room * sizeof(*due->heap));
        CHECK(due->heap);
    }
    uint32_t at = due->count++;
    due->heap[at] = entry;
    for (; at > 0 && due->heap[(at - 1) / 2].at_ms > due->heap[at].at_ms; at = (at - 1) / 2)
        swap(&due->heap[at], &due->heap[(at - 1) / 2]);
}

void due_clear(struct due *due) {
    due->count = 0;
}

void due_deinit(struct due *due) {
    free(due->heap);
    *due = (struct due){0};
}

bool due_pop(struct due *due, uint64_t now_ms, struct due_entry *out) {
    if (due->count == 0 || due->heap[0].at_ms > now_ms) return false;
    *out = due->heap[0];
    due->heap[0] = due->heap[--due->count];
    for (uint32_t at = 0, child; (child = 2 * at + 1) < due->count; at = child) {
        if (child + 1 < due->count && due->heap[child + 1].at_ms < due->heap[child].at_ms) child++;
        if (due->heap[at].at_ms <= due->heap[child].at_ms) break;
        swap(&due->heap[at], &due->heap[child]);
    }
    return true;
}
