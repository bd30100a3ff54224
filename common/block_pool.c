#include "common/block_pool.h"

#include <stdlib.h>

#include "common/check.h"

int block_pool_init(struct block_pool *pool, uint32_t size) {
    *pool = (struct block_pool){.free_head = BLOCK_NONE};
    if (size < 1 || size > BLOCK_POOL_MAX) return MARCH_ERR_INVALID;
    pool->blocks = malloc(size * sizeof(*pool->blocks));
    if (pool->blocks == NULL) return MARCH_ERR_SYSTEM;
    pool->size = size;
    return MARCH_OK;
}

void block_pool_deinit(struct block_pool *pool) {
    free(pool->blocks);
    *pool = (struct block_pool){.free_head = BLOCK_NONE};
}

uint32_t block_pool_take(struct block_pool *pool) {
    if (pool->free_head != BLOCK_NONE) {
        uint32_t index = pool->free_head;
        pool->free_head = pool->blocks[index].next;
        pool->taken++;
        return index;
    }
    if (pool->touched == pool->size) return BLOCK_NONE;
    pool->taken++;
    return pool->touched++;
}

void block_pool_give(struct block_pool *pool, uint32_t index) {
    CHECK(index < pool->touched && pool->taken > 0);
    pool->blocks[index].next = pool->free_head;
    pool->free_head = index;
    pool->taken--;
}
