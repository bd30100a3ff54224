/* documents.h: documents of the matchmaker (schemas/wire_match.h) on their way into PostgreSQL.
 *
 *     put --> journal ......... durable: it may be told
 *        '--> table --every DOCUMENTS_FLUSH_MS--> PostgreSQL: not needed here any more
 *
 * What is put at once is a *group*: after a restart all of it is there, or nothing. A group's pieces are records of the
 * journal; what is not whole there at the start never was told, and is left out. Nothing of a group goes to PostgreSQL
 * before all of it is durable, so PostgreSQL has a part of a group only while the journal has the whole.
 * documents_watermark tells how far the journal's watermark may go meanwhile. A flush takes what was there at the flush
 * before, so that of a document that is NEW and lives for less PostgreSQL never hears.
 *
 * A document has a version: here and in PostgreSQL a newer one is never replaced by an older one. The one that was erased
 * stays there as a row without a body, so a transaction that is carried out late by a server that had hung changes nothing.
 * A transaction that fails, or whose outcome is not known, is done again.
 *
 * Limits: past DOCUMENTS_MAX documents, DOCUMENTS_BYTES_MAX of them, or DOCUMENTS_OUT_MAX bytes that the journal has no room
 * for, documents_has_room is false, and no more is to be put than what was under way already. A replay may find more
 * (document_table.h). One thread.
 */
#ifndef MARCH_PERSIST_DOCUMENTS_H
#define MARCH_PERSIST_DOCUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/error.h"
#include "schemas/wire_match.h"

#define DOCUMENTS_RECORD      3 /* type of a journal record that is a piece of a group */
#define DOCUMENTS_MAX         262144
#define DOCUMENTS_BYTES_MAX   (64u << 20)
#define DOCUMENTS_OUT_MAX     (24u << 20) /* for the journal, while it is full: more than one matchmaker has under way */
#define DOCUMENTS_GROUPS_MAX  4096        /* in the journal, and not durable */
#define DOCUMENTS_BATCH       512         /* documents of a transaction */
#define DOCUMENTS_FLUSH_MS    250
#define DOCUMENTS_DEADLINE_MS 3000

struct journal;
struct pg;
struct pg_reply;
struct documents;

struct documents_config {
    struct journal *journal;
    struct pg *pg;
    int64_t epoch; /* of the fence */
    void (*fenced)(void *ctx);
    void *ctx;
};

/* Counts since the start, and what is now. */
struct documents_stats {
    uint64_t put, durable; /* groups */
    uint64_t replayed;     /* groups of the journal at the start */
    uint64_t transactions, stored, failures;
    uint32_t waiting; /* documents that PostgreSQL does not have */
    uint64_t bytes;   /* of these */
};

/* documents_create: MARCH_ERR_SYSTEM when memory is short. documents_destroy: after the pool, which calls back; NULL is
 * fine. */
must_check int documents_create(struct documents **out, const struct documents_config *config);
void documents_destroy(struct documents *documents);

/* documents_replay takes a record of type DOCUMENTS_RECORD at the start, in order. MARCH_ERR_INVALID when it is none,
 * MARCH_ERR_FULL past DOCUMENT_TABLE_MAX, MARCH_ERR_SYSTEM when memory is short. */
must_check int documents_replay(struct documents *documents, uint64_t position, const uint8_t *bytes, size_t len);

bool documents_has_room(const struct documents *documents);

/* documents_put takes a group, at most what one message of the matchmaker has, and returns its number: 1 for the first, then
 * one more each time. documents_durable returns the number up to which all are durable. */
uint64_t documents_put(struct documents *documents, const struct wire_document *list, uint32_t count, const uint8_t *blob);
uint64_t documents_durable(const struct documents *documents);

/* documents_find returns what is durable and newer here than in PostgreSQL, NULL for none; len 0: it is erased. Good until
 * the next update. */
const struct wire_document *documents_find(const struct documents *documents, uint32_t kind, uint64_t key,
                                           const uint8_t **bytes);

/* documents_update goes on with the journal and flushes when it is time; after each journal_update. documents_flush begins
 * to flush at once; documents_hold leaves PostgreSQL as it is until it is told otherwise. */
void documents_update(struct documents *documents, struct mono now);
void documents_flush(struct documents *documents);
void documents_hold(struct documents *documents, bool is_held);

/* documents_is_clean tells whether PostgreSQL has everything and nothing is under way. */
bool documents_is_clean(const struct documents *documents);

/* documents_watermark returns the greatest position up to which no document waits; UINT64_MAX when none waits at all. */
uint64_t documents_watermark(const struct documents *documents);

struct documents_stats documents_stats_get(const struct documents *documents);

#endif
