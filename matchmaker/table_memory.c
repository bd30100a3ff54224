/* table_memory.c: see table_memory.h. */
#include "matchmaker/table_memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE_BYTES ((size_t)2 << 20)

void *table_memory_take(size_t count, size_t bytes) {
    if (bytes != 0 && count > SIZE_MAX / 2 / bytes) return NULL;
    size_t size = count * bytes;
    if (size < HUGE_PAGE_BYTES) return calloc(count, bytes);
    size = (size + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
    void *memory = aligned_alloc(HUGE_PAGE_BYTES, size);
    if (!memory) return NULL;
    (void)madvise(memory, size, MADV_HUGEPAGE); /* where the system has none, small pages do */
    return memset(memory, 0, size);
}
