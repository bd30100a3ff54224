/* keep_log.h: documents on their way to persist, in the order in which they were put.
 *
 *     acked ──► sent ──► head      positions in the order of puts; what is before `acked` is durable
 *
 * A group is what must be kept together: all between two cuts. A message takes whole groups, as many as go in; of a document
 * that is in it twice only the newest goes, for the message is one transaction. What is not acknowledged when the connection
 * ends is sent again.
 *
 * Limits: those of keep.h; half of the entries are for erasures alone. A group that passes what a message takes is cut.
 */
#ifndef MARCH_MATCHMAKER_KEEP_LOG_H
#define MARCH_MATCHMAKER_KEEP_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "common/ring.h"
#include "matchmaker/keep.h"

struct keep_log {
    struct keep_entry *entries;      /* of position p: p % KEEP_DOCUMENTS_MAX */
    uint8_t *bytes;                  /* the same of KEEP_BYTES_MAX; a document's lie in one piece */
    uint64_t acked, sent, head;      /* positions of entries */
    uint64_t cut;                    /* where the open group begins */
    uint64_t filled;                 /* what keep_log_sent would make of `sent` */
    uint64_t bytes_tail, bytes_head; /* positions of bytes */
    uint64_t group_bytes, version;   /* version: of the next entry */
    struct ring messages;            /* on their way: struct keep_message */
    struct wire_document *documents; /* those of a message, and their bytes */
    uint8_t *blob;
    uint32_t *seen; /* by key, of a message */
};

must_check int keep_log_init(struct keep_log *log, uint64_t first_version);
void keep_log_deinit(struct keep_log *log);

/* keep_log_add takes a document, or with len 0 an erasure; `flags` are those of enum wire_document_flag. MARCH_ERR_FULL. */
must_check int keep_log_add(struct keep_log *log, uint32_t kind, uint64_t key, uint32_t flags, const void *bytes,
                            uint32_t len);
void keep_log_cut(struct keep_log *log);

/* keep_log_fill cuts, and fills in the documents of the next message; false where there are none, or too many on their way.
 */
bool keep_log_fill(struct keep_log *log, struct wire_match_ask *ask);

/* keep_log_sent: what was filled goes in message `seq`. */
void keep_log_sent(struct keep_log *log, uint64_t seq);
void keep_log_durable(struct keep_log *log, uint64_t seq);
void keep_log_lost(struct keep_log *log);

/* keep_log_all makes all durable that there is: nobody keeps it. */
void keep_log_all(struct keep_log *log);

#endif
