#include "common/byte_ring.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/check.h"

static size_t size_for(size_t size_min) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (size_min + page - 1) / page * page;
}

/* map_twice maps `size` bytes of a file to two places side by side; NULL with errno. The first mapping only holds the place.
 */
static uint8_t *map_twice(int fd, size_t size) {
    uint8_t *bytes = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bytes == MAP_FAILED) return NULL;
    for (int i = 0; i < 2; i++) {
        void *half = mmap(bytes + (size_t)i * size, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
        if (half != MAP_FAILED) continue;
        int error = errno;
        munmap(bytes, 2 * size);
        errno = error;
        return NULL;
    }
    return bytes;
}

int byte_ring_init(struct byte_ring *ring, size_t size_min) {
    CHECK(size_min > 0 && size_min <= BYTE_RING_BYTES_MAX);
    *ring = (struct byte_ring){.size = size_for(size_min)};
    int fd = memfd_create("march-ring", MFD_CLOEXEC);
    if (fd < 0) return MARCH_ERR_SYSTEM;
    if (ftruncate(fd, (off_t)ring->size) == 0) ring->bytes = map_twice(fd, ring->size);
    int error = errno;
    close(fd);
    errno = error;
    return ring->bytes ? 0 : MARCH_ERR_SYSTEM;
}

void byte_ring_deinit(struct byte_ring *ring) {
    if (ring->bytes) munmap(ring->bytes, 2 * ring->size);
    ring->bytes = NULL;
}

static uint64_t next_lap(const struct byte_ring *ring, uint64_t position) {
    return (position + ring->size - 1) / ring->size * ring->size;
}

/* Relaxed: no other thread is there; whatever lets one in again orders this before it. */
static void start_at(struct byte_ring *ring, uint64_t position) {
    atomic_store_explicit(&ring->head, position, memory_order_relaxed);
    atomic_store_explicit(&ring->tail, position, memory_order_relaxed);
}

void byte_ring_rewind(struct byte_ring *ring) {
    CHECK(byte_ring_waiting(ring) == 0);
    start_at(ring, next_lap(ring, byte_ring_tail(ring)));
}

void byte_ring_clear(struct byte_ring *ring) {
    start_at(ring, next_lap(ring, byte_ring_tail(ring)));
}
