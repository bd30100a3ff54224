/* ring.h: a first in, first out queue of a fixed power-of-two number of elements of one size.
 *
 * Memory is taken at init. A full ring refuses, and the caller decides: drop and count, or pop the oldest first. Positions
 * count up for ever and wrap with uint32, which a power of two divides. One thread.
 */
#ifndef MARCH_COMMON_RING_H
#define MARCH_COMMON_RING_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/error.h"

struct ring {
    unsigned char *elements;
    size_t element_bytes;
    uint32_t mask; /* capacity - 1 */
    uint32_t head; /* position of the oldest */
    uint32_t tail; /* position of the next to be pushed */
};

/* ring_init makes room for `capacity` elements, a power of two up to 2^31. MARCH_ERR_SYSTEM when memory is short. */
must_check static inline int ring_init(struct ring *ring, uint32_t capacity, size_t element_bytes) {
    CHECK(capacity > 0 && (capacity & (capacity - 1)) == 0 && element_bytes > 0);
    *ring = (struct ring){.element_bytes = element_bytes, .mask = capacity - 1};
    ring->elements = calloc(capacity, element_bytes);
    return ring->elements ? 0 : MARCH_ERR_SYSTEM;
}

/* ring_deinit frees the ring; fine twice. */
static inline void ring_deinit(struct ring *ring) {
    free(ring->elements);
    *ring = (struct ring){0};
}

/* ring_count returns how many elements wait. */
static inline uint32_t ring_count(const struct ring *ring) {
    return ring->tail - ring->head;
}

/* ring_push returns room for a new last element, to be filled in place, with what an older element left in it; NULL when the
 * ring is full. */
static inline void *ring_push(struct ring *ring) {
    if (ring_count(ring) > ring->mask) return NULL;
    return ring->elements + (size_t)(ring->tail++ & ring->mask) * ring->element_bytes;
}

/* ring_at returns element `index` from the oldest on, NULL past the last. */
static inline void *ring_at(const struct ring *ring, uint32_t index) {
    if (index >= ring_count(ring)) return NULL;
    return ring->elements + (size_t)((ring->head + index) & ring->mask) * ring->element_bytes;
}

/* ring_pop removes the oldest element and returns it, NULL when there is none. It stays readable until the next push. */
static inline void *ring_pop(struct ring *ring) {
    void *oldest = ring_at(ring, 0);
    if (oldest) ring->head++;
    return oldest;
}

static inline void ring_clear(struct ring *ring) {
    ring->head = ring->tail;
}

#endif
