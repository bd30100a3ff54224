/* match_keep_inner.h: inside of match_keep.h: what its files lend each other. Nothing else includes it. */
#ifndef MARCH_PERSIST_MATCH_KEEP_INNER_H
#define MARCH_PERSIST_MATCH_KEEP_INNER_H

#include <ev.h>

#include "persist/match_keep.h"
#include "persist/pg.h"

#define MATCH_KEEP_DEADLINE_MS 3000
#define MATCH_KEEP_OUT_BYTES   (WIRE_MATCH_BLOB_MAX / 2) /* of documents, recalled or read, that wait to be told */

/* Things of one size that are asked or answered; grows by doubling. */
struct match_list {
    void *items;
    uint32_t count, capacity;
};

/* Documents with their bytes, to be told. */
struct match_documents {
    struct match_list list; /* of struct wire_document */
    uint8_t *blob;
    uint32_t blob_len, blob_capacity;
};

/* An ask that is answered once its documents, and those before it, are durable. */
struct match_pending {
    uint64_t seq, group;
};

struct settling {
    struct match_keep *matches;
    struct wire_settle settle;
    uint32_t next;  /* in the queue that it is in */
    uint32_t chain; /* in its bucket */
};

struct settle_queue {
    uint32_t head, tail;
};

/* free -> fresh -> looking -> waiting -> (value) -> granted -> storing -> free. What fails goes one step back; who turns out
 * to be settled already goes from looking to free. Each turn takes what has gathered a step further. */
struct settles {
    struct settling *all;
    uint32_t *buckets;
    uint32_t count; /* that are not free */
    struct settle_queue free, fresh, waiting, granted;
    uint32_t looking[MATCH_KEEP_BATCH_MAX], storing[MATCH_KEEP_BATCH_MAX];
    uint32_t looking_count, storing_count; /* 0: no statement is under way */
    struct pg_params looking_params, storing_params;
};

/* Questions of a kind: those that wait, and those that a statement under way answers. */
struct match_lane {
    struct match_list waiting, asked;
    struct pg_params params;
    bool is_under_way;
};

struct match_keep {
    struct match_keep_config config;
    struct match_keep_stats stats;
    ev_timer timer;
    struct pg_params fence;
    uint64_t generation; /* of the connection */
    uint64_t durable_seq, told_seq;
    uint64_t group;            /* the newest of this connection */
    struct match_list pending; /* of struct match_pending */

    bool is_recall_wanted, is_recall_begun, is_recalling, is_recall_told;
    uint64_t recall_generation; /* that the page under way is for */
    struct pg_params recall_params;
    int32_t after_kind;
    int64_t after_key;

    struct match_lane reads, lookups, pages;

    struct settles settles;

    /* what is to be told */
    struct match_documents out_recalled, out_reads;
    struct match_list out_ratings, out_settled, out_rows, out_ends;
    uint8_t *out_blob;
};

/* --- lists; false when memory is short */

bool match_list_add(struct match_list *list, const void *item, size_t size);
void match_list_drop(struct match_list *list, uint32_t count, size_t size); /* the first ones */
bool match_documents_add(struct match_documents *documents, const struct wire_document *document, const uint8_t *bytes);
void match_documents_clear(struct match_documents *documents);

/* --- each begins what is waiting and not under way; settles are taken on by the timer alone, for nobody waits for them, and
 * few large statements leave PostgreSQL the time for what somebody does wait for */

void match_keep_recall(struct match_keep *matches);
void match_keep_read(struct match_keep *matches);
void match_keep_look_up(struct match_keep *matches);
void match_keep_page(struct match_keep *matches);
void match_keep_settle(struct match_keep *matches);

/* match_settles_init: MARCH_ERR_SYSTEM when memory is short. */
must_check int match_settles_init(struct match_keep *matches);
void match_settles_deinit(struct match_keep *matches);

/* match_keep_add_settle takes a player on; one that is under way already is left alone. */
void match_keep_add_settle(struct match_keep *matches, const struct wire_settle *settle);

/* match_keep_failed counts a transaction that is to be done again, and says why where that is our own mistake. */
void match_keep_failed(struct match_keep *matches, const struct pg_reply *reply);

/* match_keep_push_mode adds a mode's name, which ends in zero, to a list of texts. */
void match_keep_push_mode(struct pg_params *params, const char *mode);

#endif
