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

/* table_memory_take_sparse takes small pages, for a table in which few things would touch all of its huge ones;
 * table_memory_fill makes them huge when it fills, which takes some milliseconds for each 32 MB. */
void *table_memory_take_sparse(size_t count, size_t bytes);
void table_memory_fill(void *memory, size_t count, size_t bytes);

#endif
