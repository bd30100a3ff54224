/* document_table.h: the newest of each document that is on its way into PostgreSQL (documents.h).
 *
 * A hash table with chains, and a queue in the order of the groups that documents came with: what comes anew goes to its
 * end. What is erased before anything of it was sent is gone at once. Grows by doubling, up to DOCUMENT_TABLE_MAX. Indexes
 * stay valid until the entry is removed; pointers until something is put.
 */
#ifndef MARCH_PERSIST_DOCUMENT_TABLE_H
#define MARCH_PERSIST_DOCUMENT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "schemas/wire_match.h"

#define DOCUMENT_TABLE_MAX (1u << 22)
#define DOCUMENT_NONE      UINT32_MAX

struct document_entry {
    struct wire_document document; /* offset: unused */
    uint8_t *bytes;                /* document.len of them; NULL for none */
    uint64_t position;             /* in the journal, of the first piece of its group */
    uint32_t chain;                /* the next in the same bucket, or the next free one */
    uint32_t before, after;        /* in the queue */
    bool is_new;                   /* nothing under its key was ever sent to PostgreSQL */
};

struct document_table {
    struct document_entry *entries;
    uint32_t *buckets;
    uint32_t capacity; /* of both; a power of two */
    uint32_t used;     /* entries that were ever taken */
    uint32_t free, head, tail, count;
    uint64_t bytes; /* of all documents */
};

/* document_table_init: MARCH_ERR_SYSTEM when memory is short. */
must_check int document_table_init(struct document_table *table);
void document_table_deinit(struct document_table *table);

/* document_table_put takes a document unless a newer one is there, and copies its bytes; of its flags NEW counts where
 * nothing is there under its key. MARCH_ERR_FULL past DOCUMENT_TABLE_MAX, MARCH_ERR_SYSTEM when memory is short. */
must_check int document_table_put(struct document_table *table, const struct wire_document *document, const uint8_t *bytes,
                                  uint64_t position);

/* document_table_find returns an index, or DOCUMENT_NONE. */
uint32_t document_table_find(const struct document_table *table, uint32_t kind, uint64_t key);

void document_table_remove(struct document_table *table, uint32_t index);

#endif
