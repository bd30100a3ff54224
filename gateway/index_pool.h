/* index_pool.h: the free indices of an array of fixed size, and a cursor that sweeps the used part of it.
 *
 * Low indices are handed out first, so that a sweep does not visit what was never used. A sweep visits every entry once in
 * INDEX_POOL_PASS_NS, a share of them in each call, so that no single call is long.
 */
#ifndef MARCH_GATEWAY_INDEX_POOL_H
#define MARCH_GATEWAY_INDEX_POOL_H

#include <stdint.h>

#include "common/clock.h"
#include "common/error.h"

#define INDEX_POOL_PASS_NS (20 * NS_PER_MS)

struct index_pool {
    uint32_t *free;
    uint32_t free_count;
    uint32_t size;
    uint32_t high;      /* highest index ever used, plus one */
    uint32_t cursor;    /* of the sweep */
    uint64_t credit_ns; /* time that was not swept for yet */
};

/* index_pool_create allocates; MARCH_ERR_SYSTEM without memory. */
must_check int index_pool_create(struct index_pool *pool, uint32_t size);
void index_pool_destroy(struct index_pool *pool);

/* index_pool_take returns a free index; there must be one (free_count > 0). */
uint32_t index_pool_take(struct index_pool *pool);
void index_pool_give(struct index_pool *pool, uint32_t index);

/* index_pool_share returns how many entries to visit after elapsed_ns, at most all that were ever used. */
uint32_t index_pool_share(struct index_pool *pool, uint64_t elapsed_ns);

/* index_pool_next returns the next index to visit; used or free, the caller knows. */
uint32_t index_pool_next(struct index_pool *pool);

static inline uint32_t index_pool_used(const struct index_pool *pool) {
    return pool->size - pool->free_count;
}

#endif
