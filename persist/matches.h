/* matches.h: what the matchmaker keeps here, and what players have of matches (schemas/wire_match.h).
 *
 *   documents   gathered while a transaction is under way; all of an ask in one, asks in order, several in one
 *   recall      all documents but results, page by page, while nothing is written
 *   reads       documents by key
 *   lookups     ratings, a batch in a statement
 *   settles     the reward is granted by the ledger under `MATCHES_KEY | match`; then one transaction notes that the match
 * is settled for the player and, where that is new, has the rating; so both happen once, however often it is asked and
 * whoever dies between the two pages       the best of a mode
 *
 * A document has a version, and an erased one stays as a row without a body for an hour, so a transaction that is carried
 * out late by a server that had hung changes nothing. What changes something is done again until its outcome is known, and
 * answered only then; what only reads is answered UNAVAILABLE where the database is away, documents apart, which wait.
 *
 * Limits: past MATCHES_WAITING_BYTES of what was asked matches_has_room is false, and no more is to be read from the
 * matchmaker; MATCHES_SETTLES_MAX players under way, the rest is answered UNAVAILABLE. One thread.
 */
#ifndef MARCH_PERSIST_MATCHES_H
#define MARCH_PERSIST_MATCHES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "schemas/wire.h"

#define MATCHES_WAITING_BYTES (8u << 20)
#define MATCHES_SETTLES_MAX   4096
#define MATCHES_BATCH_MAX     256                      /* documents read, lookups, settles of one statement */
#define MATCHES_KEY           ((uint64_t)0xffff << 48) /* of grants; those of kills have an index of a zone there */

struct ev_loop;
struct ledger_command;
struct ledger_result;
struct pg;
struct value;
struct matches;

struct matches_config {
    struct ev_loop *loop;
    struct pg *pg, *read_pg;
    struct value *value;
    int64_t epoch; /* of the fence */
    uint32_t shard_index, shard_count;
    void (*no_room)(void *ctx, uint64_t player, uint64_t key, uint64_t object); /* not all of a reward was created */
    void (*fenced)(void *ctx);
    void *ctx;
};

struct matches_stats {
    uint64_t asks, documents, transactions, failures; /* failures: transactions that have to be done again */
    uint64_t recalled, reads, lookups, settled, settles_refused, pages;
    uint32_t settling;
    uint64_t waiting_bytes;
};

must_check int matches_create(struct matches **out, const struct matches_config *config);

/* matches_destroy: after value and the pools, which call back. NULL is fine. */
void matches_destroy(struct matches *matches);

/* matches_begin: the matchmaker is connected anew; what it had asked for and was not answered is asked again. */
void matches_begin(struct matches *matches);
bool matches_has_room(const struct matches *matches);
void matches_ask(struct matches *matches, const struct wire_match_ask *ask);

/* matches_fill says what is to be told now, false where that is nothing; it is good until matches_told. */
bool matches_fill(struct matches *matches, struct wire_match_told *told);
void matches_told(struct matches *matches);

struct matches_stats matches_stats_get(const struct matches *matches);

#endif
