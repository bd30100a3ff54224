/* byte_ring.h: a bounded queue of bytes between two threads, one that puts and one that takes, without a lock.
 *
 * The memory is mapped twice, back to back. So any `size` bytes from any position lie in one piece: what waits can be handed
 * to the system or read in place, and what is put can be written in place, wherever it wraps.
 *
 * Positions count up for ever; a position lies at `position % size`. Memory is reserved at init and touched when it is used;
 * a ring that runs empty can be started again at its first byte (byte_ring_rewind), so a ring that is used little stays in
 * few pages.
 *
 * The putter owns the bytes from tail to head + size, the taker those from head to tail. byte_ring_put and byte_ring_take
 * hand bytes over. Both are sequentially consistent, so each side can use them in the manner of Dekker: who says that it
 * sleeps, fences and looks once more either sees what the other has done, or is seen by it.
 */
#ifndef MARCH_COMMON_BYTE_RING_H
#define MARCH_COMMON_BYTE_RING_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define BYTE_RING_BYTES_MAX ((size_t)1 << 31)

struct byte_ring {
    uint8_t *bytes;
    size_t size; /* whole pages */
    /* Each on a cache line of its own: they are written by different threads. */
    alignas(64) _Atomic uint64_t head;
    alignas(64) _Atomic uint64_t tail;
};

/* byte_ring_init reserves room for at least `size_min` bytes, up to BYTE_RING_BYTES_MAX. MARCH_ERR_SYSTEM with errno. */
must_check int byte_ring_init(struct byte_ring *ring, size_t size_min);

/* byte_ring_deinit frees the ring; fine twice. */
void byte_ring_deinit(struct byte_ring *ring);

static inline uint8_t *byte_ring_at(const struct byte_ring *ring, uint64_t position) {
    return ring->bytes + position % ring->size;
}

/* byte_ring_waiting returns how many bytes wait to be taken: at least so many, for the taker; at most, for the putter.
 * Acquire on both: of the two, one is the other thread's, and what it handed over must be seen. */
static inline size_t byte_ring_waiting(const struct byte_ring *ring) {
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    return (size_t)(atomic_load_explicit(&ring->tail, memory_order_acquire) - head);
}

/* byte_ring_head returns the position of the first byte that waits, byte_ring_tail that where the next is put. */
static inline uint64_t byte_ring_head(const struct byte_ring *ring) {
    return atomic_load_explicit(&ring->head, memory_order_acquire);
}

static inline uint64_t byte_ring_tail(const struct byte_ring *ring) {
    return atomic_load_explicit(&ring->tail, memory_order_acquire);
}

/* byte_ring_put hands `count` more bytes, written at the tail, to the taker. */
static inline void byte_ring_put(struct byte_ring *ring, size_t count) {
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed); /* only the putter changes it */
    atomic_store_explicit(&ring->tail, tail + count, memory_order_seq_cst);
}

/* byte_ring_take gives the room of the first `count` bytes back to the putter. */
static inline void byte_ring_take(struct byte_ring *ring, size_t count) {
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed); /* only the taker changes it */
    atomic_store_explicit(&ring->head, head + count, memory_order_seq_cst);
}

/* byte_ring_rewind starts an empty ring again at its first byte. Only where no other thread uses it meanwhile. */
void byte_ring_rewind(struct byte_ring *ring);

/* byte_ring_clear drops what waits, and rewinds; as byte_ring_rewind. */
void byte_ring_clear(struct byte_ring *ring);

#endif
