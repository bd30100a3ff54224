/* resident.h: how much of a table's memory was touched. */
#ifndef MARCH_TESTS_UNIT_RESIDENT_H
#define MARCH_TESTS_UNIT_RESIDENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <sys/mman.h>

#define RESIDENT_PAGE ((uintptr_t)4096)

/* resident_bytes counts the pages that are wholly within. */
static inline size_t resident_bytes(const void *memory, size_t bytes) {
    uintptr_t from = ((uintptr_t)memory + RESIDENT_PAGE - 1) & ~(RESIDENT_PAGE - 1);
    size_t pages = ((uintptr_t)memory + bytes - from) / RESIDENT_PAGE, count = 0;
    unsigned char *is_there = calloc(pages, 1);
    assert_non_null(is_there);
    assert_int_equal(mincore((void *)from, pages * RESIDENT_PAGE, is_there), 0);
    for (size_t i = 0; i < pages; i++) count += is_there[i] & 1;
    free(is_there);
    return count * RESIDENT_PAGE;
}

#endif
