/* keep_log.c: see keep_log.h. */
#include "matchmaker/keep_log.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

#define PUTS_MAX   (KEEP_DOCUMENTS_MAX / 2)
#define SEEN_SLOTS (2 * WIRE_MATCH_ITEMS_MAX)

_Static_assert((KEEP_DOCUMENTS_MAX & (KEEP_DOCUMENTS_MAX - 1)) == 0 && (SEEN_SLOTS & (SEEN_SLOTS - 1)) == 0, "masks");
_Static_assert(WIRE_DOCUMENT_BYTES_MAX <= WIRE_MATCH_BLOB_MAX, "each document goes into a message");

struct keep_entry {
    uint64_t key, version;
    uint64_t at; /* of its bytes */
    uint32_t kind;
    uint16_t len;
    uint8_t flags; /* of enum wire_document_flag */
    bool is_last;  /* of its group */
};
_Static_assert(WIRE_DOCUMENT_BYTES_MAX <= UINT16_MAX, "a length is 16 bits");

struct keep_message {
    uint64_t seq, end; /* end: position behind its last entry */
};

static struct keep_entry *entry_at(const struct keep_log *log, uint64_t position) {
    return &log->entries[position % KEEP_DOCUMENTS_MAX];
}

int keep_log_init(struct keep_log *log, uint64_t first_version) {
    *log = (struct keep_log){.version = first_version};
    log->entries = calloc(KEEP_DOCUMENTS_MAX, sizeof *log->entries);
    log->bytes = malloc(KEEP_BYTES_MAX);
    log->documents = calloc(WIRE_MATCH_ITEMS_MAX, sizeof *log->documents);
    log->blob = malloc(WIRE_MATCH_BLOB_MAX);
    log->seen = calloc(SEEN_SLOTS, sizeof *log->seen);
    int error = ring_init(&log->messages, KEEP_MESSAGES_MAX, sizeof(struct keep_message));
    bool is_whole = log->entries && log->bytes && log->documents && log->blob && log->seen && !error;
    return is_whole ? 0 : MARCH_ERR_SYSTEM;
}

void keep_log_deinit(struct keep_log *log) {
    ring_deinit(&log->messages);
    free(log->seen);
    free(log->blob);
    free(log->documents);
    free(log->bytes);
    free(log->entries);
    *log = (struct keep_log){0};
}

/* --- putting */

/* place_for returns where bytes go in one piece, or UINT64_MAX where there is no room. */
static uint64_t place_for(const struct keep_log *log, uint32_t len) {
    uint64_t at = log->bytes_head, offset = at % KEEP_BYTES_MAX;
    if (offset + len > KEEP_BYTES_MAX) at += KEEP_BYTES_MAX - offset;
    return at + len - log->bytes_tail <= KEEP_BYTES_MAX ? at : UINT64_MAX;
}

void keep_log_cut(struct keep_log *log) {
    if (log->cut == log->head) return;
    entry_at(log, log->head - 1)->is_last = true;
    log->cut = log->head;
    log->group_bytes = 0;
}

int keep_log_add(struct keep_log *log, uint32_t kind, uint64_t key, uint32_t flags, const void *bytes, uint32_t len) {
    CHECK(len <= WIRE_DOCUMENT_BYTES_MAX);
    uint64_t at = place_for(log, len);
    if (log->head - log->acked >= (len > 0 ? PUTS_MAX : KEEP_DOCUMENTS_MAX) || at == UINT64_MAX) return MARCH_ERR_FULL;
    if (log->head - log->cut == WIRE_MATCH_ITEMS_MAX || log->group_bytes + len > WIRE_MATCH_BLOB_MAX) keep_log_cut(log);
    if (len > 0) memcpy(log->bytes + at % KEEP_BYTES_MAX, bytes, len);
    *entry_at(log, log->head++) = (struct keep_entry){
        .key = key, .version = log->version++, .at = at, .kind = kind, .len = (uint16_t)len, .flags = (uint8_t)flags};
    log->bytes_head = at + len;
    log->group_bytes += len;
    return 0;
}

/* --- sending */

/* end_of_message returns the position up to which groups go into one message. */
static uint64_t end_of_message(const struct keep_log *log) {
    uint64_t end = log->sent, bytes = 0;
    for (uint64_t at = log->sent; at < log->head && at - log->sent < WIRE_MATCH_ITEMS_MAX; at++) {
        const struct keep_entry *e = entry_at(log, at);
        bytes += e->len;
        if (bytes > WIRE_MATCH_BLOB_MAX) break;
        if (e->is_last) end = at + 1;
    }
    return end;
}

/* is_new tells whether the document of `e` was not seen before in this message. */
static bool is_new(struct keep_log *log, const struct keep_entry *e, uint32_t index) {
    uint32_t slot = (uint32_t)((e->key * 0x9e3779b97f4a7c15ULL >> 32) + e->kind) % SEEN_SLOTS;
    for (; log->seen[slot] != 0; slot = (slot + 1) % SEEN_SLOTS) {
        const struct wire_document *d = &log->documents[log->seen[slot] - 1];
        if (d->key == e->key && d->kind == e->kind) return false;
    }
    log->seen[slot] = index + 1;
    return true;
}

bool keep_log_fill(struct keep_log *log, struct wire_match_ask *ask) {
    keep_log_cut(log);
    log->filled = log->sent;
    if (log->sent == log->head || ring_count(&log->messages) == KEEP_MESSAGES_MAX) return false;
    log->filled = end_of_message(log);
    memset(log->seen, 0, SEEN_SLOTS * sizeof *log->seen);
    for (uint64_t at = log->filled; at-- > log->sent;) { /* the newest first, for it is the one that counts */
        const struct keep_entry *e = entry_at(log, at);
        if (!is_new(log, e, ask->document_count)) continue;
        log->documents[ask->document_count++] = (struct wire_document){.key = e->key,
                                                                       .version = e->version,
                                                                       .kind = e->kind,
                                                                       .offset = ask->blob_len,
                                                                       .len = e->len,
                                                                       .flags = e->flags};
        memcpy(log->blob + ask->blob_len, log->bytes + e->at % KEEP_BYTES_MAX, e->len);
        ask->blob_len += e->len;
    }
    ask->documents = log->documents;
    ask->blob = log->blob;
    return true;
}

void keep_log_sent(struct keep_log *log, uint64_t seq) {
    if (log->filled == log->sent) return;
    struct keep_message *message = ring_push(&log->messages);
    CHECK(message);
    *message = (struct keep_message){seq, log->filled};
    log->sent = log->filled;
}

/* --- what became of it */

static void acknowledge(struct keep_log *log, uint64_t end) {
    log->acked = end;
    if (end < log->head) {
        log->bytes_tail = entry_at(log, end)->at;
    } else {
        log->bytes_tail = log->bytes_head = 0; /* memory that was never used stays so */
    }
}

void keep_log_durable(struct keep_log *log, uint64_t seq) {
    for (const struct keep_message *m; (m = ring_at(&log->messages, 0)) && m->seq <= seq;) {
        acknowledge(log, m->end);
        (void)ring_pop(&log->messages);
    }
}

/* What was sent may have arrived: sent again, it is not new. */
void keep_log_lost(struct keep_log *log) {
    for (uint64_t at = log->acked; at < log->sent; at++) entry_at(log, at)->flags = 0;
    ring_clear(&log->messages);
    log->sent = log->filled = log->acked;
}

void keep_log_all(struct keep_log *log) {
    keep_log_cut(log);
    log->sent = log->filled = log->head;
    acknowledge(log, log->head);
}
