/* pool.h: a fixed number of objects of one size, found by handles.
 *
 * A handle is an index and a generation. Giving an object back makes its handles stale, so a handle kept too long finds
 * nothing instead of a stranger. Generations of a slot come round after 2^31 reuses. All memory is taken at init, and
 * touched when it is used; take and give are O(1); a full pool answers with the null handle. Slots are reused last in, first
 * out, so the order is deterministic and the memory warm. One thread.
 */
#ifndef MARCH_COMMON_POOL_H
#define MARCH_COMMON_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

/* Names an object of a pool. All zero is the null handle, which never names one. */
struct handle {
    uint32_t index;
    uint32_t generation; /* odd */
};

struct pool {
    unsigned char *objects;
    uint32_t *generations; /* of each slot; odd while it is taken */
    uint32_t *free_slots;  /* a stack: the first given_count */
    size_t object_bytes;
    uint32_t capacity;
    uint32_t free_count;
    uint32_t given_count; /* free ones that were taken before */
    uint32_t fresh;       /* from here on none ever was */
};

/* pool_init makes room for `capacity` objects, aligned as malloc aligns. MARCH_ERR_SYSTEM when memory is short. */
must_check int pool_init(struct pool *pool, uint32_t capacity, size_t object_bytes);

/* pool_deinit frees everything; fine twice. */
void pool_deinit(struct pool *pool);

/* pool_take returns the handle of a zeroed object, or the null handle when all are taken. */
struct handle pool_take(struct pool *pool);

/* pool_give ends an object. A stale handle is a bug and aborts. */
void pool_give(struct pool *pool, struct handle handle);

/* pool_get returns the object, NULL when the handle is stale, null or not from here. */
void *pool_get(const struct pool *pool, struct handle handle);

/* pool_at returns the object in slot `index`, NULL when the slot is free; to walk over all slots up to `capacity`. */
void *pool_at(const struct pool *pool, uint32_t index);

/* pool_handle returns the handle of the object in slot `index`, the null handle when the slot is free. */
struct handle pool_handle(const struct pool *pool, uint32_t index);

/* pool_count returns how many objects are taken. */
static inline uint32_t pool_count(const struct pool *pool) {
    return pool->capacity - pool->free_count;
}

static inline bool handle_is_null(struct handle handle) {
    return handle.generation == 0;
}

static inline bool handle_equal(struct handle a, struct handle b) {
    return a.index == b.index && a.generation == b.generation;
}

#endif
