/* table_memory.c: see table_memory.h. */
#include "matchmaker/table_memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE_BYTES      ((uintptr_t)4096)
#define HUGE_PAGE_BYTES ((size_t)2 << 20)

void *table_memory_take(size_t count, size_t bytes) {
    void *memory = calloc(count, bytes);
    if (!memory || count * bytes < 2 * HUGE_PAGE_BYTES) return memory;
    uintptr_t from = ((uintptr_t)memory + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1), to = (uintptr_t)memory + count * bytes;
    (void)madvise((void *)from, to - from, MADV_HUGEPAGE); /* where the system has none, small pages do */
    return memory;
}
