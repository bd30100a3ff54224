/* match_keep.h: what the matchmaker keeps here, and what players have of matches (schemas/wire_match.h).
 *
 *   documents   by way of the journal (documents.h): those of an ask are a group, and asks are durable in their order
 *   recall      all documents but results, page by page from PostgreSQL, once it has what was kept before; what is kept
 *               meanwhile is none of it
 *   reads       documents by key
 *   lookups     ratings, a batch in a statement
 *   settles     who is noted as settled is answered so. Else the reward is granted by the ledger under
 *               `MATCH_KEEP_KEY | match`; then one transaction notes that the match is settled for the player and, where
 *               that is new, has the rating. So both happen once, however often it is asked and whoever dies between the
 *               two: upkeep.h leaves the ledger's key until the note is there
 *   pages       the best of a mode
 *
 * What changes something is done again until its outcome is known, and answered only then; what only reads is answered
 * UNAVAILABLE where the database is away, documents apart, which wait.
 *
 * Limits: past MATCH_KEEP_WAITING_BYTES of what was asked, or without room for documents, match_keep_has_room is false, and
 * no more is to be read from the matchmaker; MATCH_KEEP_SETTLES_MAX players under way, the rest is answered UNAVAILABLE;
 * MATCH_KEEP_BATCH_MAX of them go a step further each 50 ms. One thread.
 */
#ifndef MARCH_PERSIST_MATCH_KEEP_H
#define MARCH_PERSIST_MATCH_KEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "schemas/wire.h"

#define MATCH_KEEP_WAITING_BYTES (8u << 20)
#define MATCH_KEEP_SETTLES_MAX   4096
#define MATCH_KEEP_BATCH_MAX     512                      /* documents read, lookups, settles of one statement */
#define MATCH_KEEP_KEY           ((uint64_t)0xffff << 48) /* of grants; those of kills have an index of a zone there */

struct documents;
struct ev_loop;
struct pg;
struct value;
struct match_keep;

struct match_keep_config {
    struct ev_loop *loop;
    struct pg *pg, *read_pg, *look_pg; /* writes; pages; what a player waits for */
    struct value *value;
    struct documents *documents;
    int64_t epoch; /* of the fence */
    uint32_t shard_index, shard_count;
    void (*no_room)(void *ctx, uint64_t player, uint64_t key, uint64_t object); /* not all of a reward was created */
    void (*fenced)(void *ctx);
    void *ctx;
};

struct match_keep_stats {
    uint64_t asks, failures; /* failures: transactions and reads that have to be done again */
    uint64_t recalled, reads, lookups, settled, settles_refused, pages;
    uint32_t settling;
    uint64_t waiting_bytes;
};

must_check int match_keep_create(struct match_keep **out, const struct match_keep_config *config);

/* match_keep_destroy: after value and the pools, which call back. NULL is fine. */
void match_keep_destroy(struct match_keep *matches);

/* match_keep_begin: the matchmaker is connected anew; what it had asked for and was not answered is asked again. */
void match_keep_begin(struct match_keep *matches);
bool match_keep_has_room(const struct match_keep *matches);
void match_keep_ask(struct match_keep *matches, const struct wire_match_ask *ask);

/* match_keep_update learns what has become durable; after each documents_update. */
void match_keep_update(struct match_keep *matches);

/* match_keep_fill says what is to be told now, false where that is nothing; it is good until match_keep_told. */
bool match_keep_fill(struct match_keep *matches, struct wire_match_told *told);
void match_keep_told(struct match_keep *matches);

struct match_keep_stats match_keep_stats_get(const struct match_keep *matches);

#endif
