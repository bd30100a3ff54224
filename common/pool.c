/* pool.c: see pool.h. */
#include "common/pool.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

static void *slot(const struct pool *pool, uint32_t index) {
    return pool->objects + (size_t)index * pool->object_bytes;
}

int pool_init(struct pool *pool, uint32_t capacity, size_t object_bytes) {
    CHECK(capacity > 0 && object_bytes > 0);
    size_t align = _Alignof(max_align_t);
    *pool = (struct pool){.capacity = capacity, .free_count = capacity};
    pool->object_bytes = (object_bytes + align - 1) / align * align;
    pool->objects = calloc(capacity, pool->object_bytes);
    pool->generations = calloc(capacity, sizeof *pool->generations);
    pool->free_slots = calloc(capacity, sizeof *pool->free_slots);
    if (!pool->objects || !pool->generations || !pool->free_slots) {
        pool_deinit(pool);
        return MARCH_ERR_SYSTEM;
    }
    return 0;
}

void pool_deinit(struct pool *pool) {
    free(pool->objects);
    free(pool->generations);
    free(pool->free_slots);
    *pool = (struct pool){0};
}

struct handle pool_take(struct pool *pool) {
    if (pool->free_count == 0) return (struct handle){0};
    pool->free_count--;
    uint32_t index = pool->given_count > 0 ? pool->free_slots[--pool->given_count] : pool->fresh++;
    pool->generations[index]++;
    CHECK(pool->generations[index] & 1);
    memset(slot(pool, index), 0, pool->object_bytes);
    return (struct handle){index, pool->generations[index]};
}

void pool_give(struct pool *pool, struct handle handle) {
    CHECK(pool_get(pool, handle) != NULL);
    pool->generations[handle.index]++;
    pool->free_slots[pool->given_count++] = handle.index;
    pool->free_count++;
}

void *pool_get(const struct pool *pool, struct handle handle) {
    if (handle.index >= pool->capacity || !(handle.generation & 1)) return NULL;
    return pool->generations[handle.index] == handle.generation ? slot(pool, handle.index) : NULL;
}

void *pool_at(const struct pool *pool, uint32_t index) {
    CHECK(index < pool->capacity);
    return pool->generations[index] & 1 ? slot(pool, index) : NULL;
}

struct handle pool_handle(const struct pool *pool, uint32_t index) {
    CHECK(index < pool->capacity);
    if (!(pool->generations[index] & 1)) return (struct handle){0};
    return (struct handle){index, pool->generations[index]};
}
