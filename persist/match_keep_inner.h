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

/* Documents with their bytes. */
struct match_documents {
    struct match_list list; /* of struct wire_document */
    uint8_t *blob;
    uint32_t blob_len, blob_capacity;
    uint64_t seq, generation; /* of the newest ask in it */
};

/* free -> new -> looking -> waiting -> granting -> granted -> storing -> free; what fails goes one step back, and who turns
 * out to be settled already goes from looking to free. */
enum settle_state {
    SETTLE_FREE = 0,
    SETTLE_NEW = 1,
    SETTLE_LOOKING = 2,
    SETTLE_WAITING = 3,
    SETTLE_GRANTING = 4,
    SETTLE_GRANTED = 5,
    SETTLE_STORING = 6,
    SETTLE_STATE_COUNT = 7
};

struct settling {
    struct match_keep *matches;
    struct wire_settle settle;
    enum settle_state state;
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

    struct match_documents gathering, storing;
    struct pg_params documents_params;
    bool is_storing;

    bool is_recall_wanted, is_recalling, is_recall_told;
    bool is_recall_behind;      /* what had gathered before it is to be stored first */
    uint64_t recall_generation; /* that the page under way is for */
    struct pg_params recall_params;
    int32_t after_kind;
    int64_t after_key;

    struct match_lane reads, lookups, pages;

    struct settling *settles;
    uint32_t settle_count; /* that are not free */
    struct pg_params looking_params, settle_params;
    bool is_looking, is_settling;

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

/* --- each begins what is waiting and not under way */

void match_keep_store(struct match_keep *matches);
void match_keep_recall(struct match_keep *matches);
void match_keep_read(struct match_keep *matches);
void match_keep_look_up(struct match_keep *matches);
void match_keep_page(struct match_keep *matches);
void match_keep_settle(struct match_keep *matches);

/* match_keep_add_settle takes a player on; one that is under way already is left alone. */
void match_keep_add_settle(struct match_keep *matches, const struct wire_settle *settle);

/* match_keep_fence is the first call of what changes something. */
struct pg_call match_keep_fence(const struct match_keep *matches);

/* match_keep_failed counts a transaction that is to be done again, and says why where that is our own mistake. */
void match_keep_failed(struct match_keep *matches, const struct pg_reply *reply);

/* match_keep_push_mode adds a mode's name, which ends in zero, to a list of texts. */
void match_keep_push_mode(struct pg_params *params, const char *mode);

#endif
