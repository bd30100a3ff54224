/* table_memory.h: memory of tables that are looked into at random: on huge pages where they are large.
 *
 * With a million tickets a page of 4 KB is never in the translation cache when it is needed, which doubles what a look
 * costs. What is not used is not touched. A table of less than two huge pages is ordinary memory.
 */
#ifndef MARCH_MATCHMAKER_TABLE_MEMORY_H
#define MARCH_MATCHMAKER_TABLE_MEMORY_H

#include <stddef.h>

/* table_memory_take returns zeroed memory for `count` things of `bytes`, NULL when it is short; free() gives it back. */
void *table_memory_take(size_t count, size_t bytes);

/* table_memory_reserve takes zeroed memory of small pages, for a table that grows within it. table_memory_grow asks for huge
 * pages for the first `count` things, of which none was touched yet; table_memory_clear gives them back, and they are zero
 * again. */
void *table_memory_reserve(size_t count, size_t bytes);
void table_memory_grow(void *memory, size_t count, size_t bytes);
void table_memory_clear(void *memory, size_t count, size_t bytes);

#endif
