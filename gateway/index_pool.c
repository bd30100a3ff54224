/* index_pool.c: see index_pool.h. */
#include "gateway/index_pool.h"

#include <stdlib.h>

#include "common/check.h"

int index_pool_create(struct index_pool *pool, uint32_t size) {
    *pool = (struct index_pool){.size = size, .free_count = size, .free = calloc(size, sizeof(pool->free[0]))};
    if (pool->free == NULL) return MARCH_ERR_SYSTEM;
    for (uint32_t i = 0; i < size; i++) pool->free[i] = size - 1 - i;
    return 0;
}

void index_pool_destroy(struct index_pool *pool) {
    free(pool->free);
    *pool = (struct index_pool){0};
}

uint32_t index_pool_take(struct index_pool *pool) {
    CHECK(pool->free_count > 0);
    uint32_t index = pool->free[--pool->free_count];
    if (index >= pool->high) pool->high = index + 1;
    return index;
}

void index_pool_give(struct index_pool *pool, uint32_t index) {
    CHECK(pool->free_count < pool->size && index < pool->size);
    pool->free[pool->free_count++] = index;
}

uint32_t index_pool_share(struct index_pool *pool, uint64_t elapsed_ns) {
    uint64_t credit_ns = elapsed_ns < INDEX_POOL_PASS_NS ? pool->credit_ns + elapsed_ns : INDEX_POOL_PASS_NS;
    if (credit_ns > INDEX_POOL_PASS_NS) credit_ns = INDEX_POOL_PASS_NS;
    uint32_t share = (uint32_t)(pool->high * credit_ns / INDEX_POOL_PASS_NS);
    pool->credit_ns = share > 0 ? 0 : credit_ns;
    return share;
}

uint32_t index_pool_next(struct index_pool *pool) {
    if (pool->cursor >= pool->high) pool->cursor = 0;
    return pool->cursor++;
}
