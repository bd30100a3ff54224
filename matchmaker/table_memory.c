/* table_memory.c: see table_memory.h. */
#include "matchmaker/table_memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_BYTES      ((uintptr_t)4096)
#define HUGE_PAGE_BYTES ((size_t)2 << 20)

static uintptr_t page_up(uintptr_t address) {
    return (address + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

/* Where the system has no huge pages, small ones do. */
static void advise(void *memory, size_t bytes, int advice) {
    uintptr_t from = page_up((uintptr_t)memory), to = (uintptr_t)memory + bytes;
    if (bytes >= 2 * HUGE_PAGE_BYTES) (void)madvise((void *)from, to - from, advice);
}

void *table_memory_take(size_t count, size_t bytes) {
    void *memory = calloc(count, bytes);
    if (memory) advise(memory, count * bytes, MADV_HUGEPAGE);
    return memory;
}

void *table_memory_reserve(size_t count, size_t bytes) {
    void *memory = calloc(count, bytes);
    if (memory) advise(memory, count * bytes, MADV_NOHUGEPAGE);
    return memory;
}

void table_memory_grow(void *memory, size_t count, size_t bytes) {
    advise(memory, count * bytes, MADV_HUGEPAGE);
}

void table_memory_clear(void *memory, size_t count, size_t bytes) {
    uintptr_t begin = (uintptr_t)memory, end = begin + count * bytes, from = page_up(begin), to = end & ~(PAGE_BYTES - 1);
    if (from < to && madvise((void *)from, to - from, MADV_DONTNEED) == 0) {
        memset(memory, 0, from - begin);
        memset((void *)to, 0, end - to);
    } else {
        memset(memory, 0, count * bytes);
    }
}
