/* table_memory.c: see table_memory.h. */
#include "matchmaker/table_memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE_BYTES      ((uintptr_t)4096)
#define HUGE_PAGE_BYTES ((size_t)2 << 20)

/* Where the system has no huge pages, small ones do. */
static void advise(void *memory, size_t bytes, int advice) {
    uintptr_t from = ((uintptr_t)memory + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1), to = (uintptr_t)memory + bytes;
    if (bytes >= 2 * HUGE_PAGE_BYTES) (void)madvise((void *)from, to - from, advice);
}

void *table_memory_take_sparse(size_t count, size_t bytes) {
    void *memory = calloc(count, bytes);
    if (memory) advise(memory, count * bytes, MADV_NOHUGEPAGE);
    return memory;
}

void table_memory_fill(void *memory, size_t count, size_t bytes) {
    advise(memory, count * bytes, MADV_HUGEPAGE);
#ifdef MADV_COLLAPSE
    advise(memory, count * bytes, MADV_COLLAPSE); /* at once, not when the system gets round to it */
#endif
}

void *table_memory_take(size_t count, size_t bytes) {
    void *memory = calloc(count, bytes);
    if (memory) advise(memory, count * bytes, MADV_HUGEPAGE);
    return memory;
}
