/* keep.h: what the matchmaker finds again after a restart, and what it asks persist of players.
 *
 * Sans-I/O: one for all shards. Documents (schemas/wire_match.h) go to shard 0, ratings and what players get of matches to
 * the player's shard. All that is put between two cuts (keep_cut, or keep_fill for shard 0) is one transaction, up to what
 * one message takes: WIRE_MATCH_ITEMS_MAX documents and WIRE_MATCH_BLOB_MAX bytes of them. A *mark* is a moment in
 * the order of puts: whoever must not be told of something before it would survive waits until keep_is_durable(mark). What
 * is not answered when a connection ends is asked again over the next one; what is answered with "not now" after
 * KEEP_AGAIN_MS. Without shards all is durable at once, nobody has a rating, and nothing is recalled.
 *
 * Limits: KEEP_DOCUMENTS_MAX and KEEP_BYTES_MAX not yet durable, KEEP_ASKS_MAX questions under way; who comes beyond is
 * refused with MARCH_ERR_FULL and tells its player so. Half of the documents are for erasures alone, so whoever has put
 * something can erase what it replaces. Callbacks come from within keep_told and keep_step, and may call all but these.
 */
#ifndef MARCH_MATCHMAKER_KEEP_H
#define MARCH_MATCHMAKER_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/error.h"
#include "schemas/wire.h"

#define KEEP_DOCUMENTS_MAX 65536
#define KEEP_BYTES_MAX     (16u << 20) /* some seconds of the most that a matchmaker does */
#define KEEP_ASKS_MAX      65536
#define KEEP_PAGES_MAX     64
#define KEEP_MESSAGES_MAX  64         /* with documents, on their way at once */
#define KEEP_RECALLED_MAX  (1u << 20) /* documents of a kind; those beyond are not told */
#define KEEP_AGAIN_MS      250
#define KEEP_PATIENCE_MS   4000 /* who asked for something that is not durable by then is told that it can't be had now */

struct keep_handlers {
    void *context;
    void (*recalled)(void *context, const struct wire_document *document, const uint8_t *bytes); /* one of those kept */
    void (*ready)(void *context);                                                  /* that was all of them: once */
    void (*rating)(void *context, const struct wire_rating *rating);               /* of a lookup */
    void (*settled)(void *context, uint64_t match, uint64_t player, bool is_done); /* false: refused for good */
    void (*read)(void *context, uint32_t kind, uint64_t key, const uint8_t *bytes, uint32_t len); /* len 0: none */
    void (*page)(void *context, uint64_t request, const struct wire_page_row *rows, uint32_t count,
                 bool is_whole); /* rows of all shards, best first; not whole: a shard is away */
};

struct keep_config {
    uint32_t shard_count;
    uint64_t first_version; /* greater than any that was used before: Unix time, ns */
    struct keep_handlers handlers;
};

struct keep;

must_check int keep_create(struct keep **keep, const struct keep_config *config);
void keep_destroy(struct keep *keep);

struct keep_stats {
    uint64_t put, erased, durable, refused, asked, answered, again; /* again: answers of "not now" */
    uint32_t pending, asks;
};

/* --- what is kept. MARCH_ERR_UNAVAILABLE before all was recalled; MARCH_ERR_INVALID for too many bytes, or none. */

must_check int keep_put(struct keep *keep, enum wire_document_kind kind, uint64_t key, const void *bytes, uint32_t len);
/* keep_put_new: of a key that nothing was ever put under, so what is erased soon costs no database anything. */
must_check int keep_put_new(struct keep *keep, enum wire_document_kind kind, uint64_t key, const void *bytes, uint32_t len);
must_check int keep_erase(struct keep *keep, enum wire_document_kind kind, uint64_t key);
void keep_cut(struct keep *keep); /* what was put so far need not be kept together with what is put next */
uint64_t keep_mark(const struct keep *keep);
bool keep_is_durable(const struct keep *keep, uint64_t mark);
bool keep_is_ready(const struct keep *keep); /* all was recalled */

/* --- what is asked. A question that is under way already is not asked again. */

must_check int keep_lookup(struct keep *keep, uint64_t player, const char *mode);
must_check int keep_settle(struct keep *keep, const struct wire_settle *settle);
must_check int keep_read(struct keep *keep, enum wire_document_kind kind, uint64_t key);
must_check int keep_page(struct keep *keep, uint64_t request, const char *mode, uint32_t season, uint32_t count);

/* --- the way to the shards. keep_fill says what a shard is to be told now, false where that is nothing; what it points to
 * is good until keep_sent, which says that it is on its way. */

void keep_shard_up(struct keep *keep, uint32_t shard);
void keep_shard_lost(struct keep *keep, uint32_t shard);
bool keep_fill(struct keep *keep, uint32_t shard, struct wire_match_ask *ask);
void keep_sent(struct keep *keep, uint32_t shard);
void keep_told(struct keep *keep, uint32_t shard, const struct wire_match_told *told);

/* keep_step lets time pass; each turn, before keep_fill. */
void keep_step(struct keep *keep, struct mono now);

struct keep_stats keep_stats_get(const struct keep *keep);

#endif
