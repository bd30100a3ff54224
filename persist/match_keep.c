#include "persist/match_keep.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "persist/documents.h"
#include "persist/match_keep_inner.h"

#define TURN_S     0.05
#define LIST_FIRST 64
#define BLOB_FIRST 4096

/* --- lists */

bool match_list_add(struct match_list *list, const void *item, size_t size) {
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity ? 2 * list->capacity : LIST_FIRST;
        void *items = realloc(list->items, capacity * size);
        if (!items) return false;
        list->items = items;
        list->capacity = capacity;
    }
    memcpy((uint8_t *)list->items + list->count++ * size, item, size);
    return true;
}

void match_list_drop(struct match_list *list, uint32_t count, size_t size) {
    CHECK(count <= list->count);
    list->count -= count;
    if (list->count > 0) memmove(list->items, (uint8_t *)list->items + count * size, list->count * size);
}

bool match_documents_add(struct match_documents *d, const struct wire_document *document, const uint8_t *bytes) {
    uint32_t needed = d->blob_len + document->len;
    if (needed > d->blob_capacity) {
        uint32_t capacity = d->blob_capacity ? d->blob_capacity : BLOB_FIRST;
        while (capacity < needed) capacity *= 2;
        uint8_t *blob = realloc(d->blob, capacity);
        if (!blob) return false;
        d->blob = blob;
        d->blob_capacity = capacity;
    }
    struct wire_document copy = *document;
    copy.offset = d->blob_len;
    if (!match_list_add(&d->list, &copy, sizeof copy)) return false;
    if (document->len > 0) memcpy(d->blob + d->blob_len, bytes, document->len);
    d->blob_len = needed;
    return true;
}

void match_documents_clear(struct match_documents *d) {
    d->list.count = d->blob_len = 0;
}

static void documents_free(struct match_documents *d) {
    free(d->list.items);
    free(d->blob);
}

static void lane_free(struct match_lane *lane) {
    CHECK(!lane->is_under_way);
    free(lane->waiting.items);
    free(lane->asked.items);
    pg_params_deinit(&lane->params);
}

/* --- for all of them */

void match_keep_failed(struct match_keep *m, const struct pg_reply *reply) {
    m->stats.failures++;
    if (reply->error == MARCH_ERR_FENCED) m->config.fenced(m->config.ctx);
    if (reply->error != MARCH_ERR_INVALID) return;
    log_error("matches.refused", "statement=%s sqlstate=%s why=%s", reply->failed ? reply->failed->name : "",
              reply->sqlstate, LOG_QUOTE(reply->message));
}

void match_keep_push_mode(struct pg_params *params, const char *mode) {
    pg_params_push_text(params, mode, strlen(mode));
}

static void run(struct match_keep *m) {
    match_keep_recall(m);
    match_keep_read(m);
    match_keep_look_up(m);
    match_keep_page(m);
}

/* What failed, or found no room, is tried again. */
static void on_timer(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)loop, (void)events;
    run(timer->data);
    match_keep_settle(timer->data);
}

/* --- life */

int match_keep_create(struct match_keep **out, const struct match_keep_config *config) {
    *out = NULL;
    struct match_keep *m = calloc(1, sizeof *m);
    if (!m) return MARCH_ERR_SYSTEM;
    m->config = *config;
    m->out_blob = malloc(WIRE_MATCH_BLOB_MAX);
    struct pg_params *params[] = {&m->fence, &m->recall_params, &m->reads.params, &m->lookups.params, &m->pages.params};
    for (size_t i = 0; i < sizeof params / sizeof *params; i++) pg_params_init(params[i]);
    pg_params_int8(&m->fence, config->epoch);
    ev_timer_init(&m->timer, on_timer, TURN_S, TURN_S);
    m->timer.data = m;
    if (match_settles_init(m) != 0 || !m->out_blob || m->fence.error) {
        match_keep_destroy(m);
        return MARCH_ERR_SYSTEM;
    }
    ev_timer_start(config->loop, &m->timer);
    *out = m;
    return 0;
}

void match_keep_destroy(struct match_keep *m) {
    if (!m) return;
    CHECK(!m->is_recalling);
    if (ev_is_active(&m->timer)) ev_timer_stop(m->config.loop, &m->timer);
    struct match_documents *documents[] = {&m->out_recalled, &m->out_reads};
    struct match_list *lists[] = {&m->pending, &m->out_ratings, &m->out_settled, &m->out_rows, &m->out_ends};
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) documents_free(documents[i]);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) free(lists[i]->items);
    lane_free(&m->reads);
    lane_free(&m->lookups);
    lane_free(&m->pages);
    pg_params_deinit(&m->fence);
    pg_params_deinit(&m->recall_params);
    match_settles_deinit(m);
    free(m->out_blob);
    free(m);
}

/* --- in */

void match_keep_begin(struct match_keep *m) {
    m->generation++;
    m->durable_seq = m->told_seq = 0;
    m->group = 0;
    m->pending.count = 0;
    m->is_recall_wanted = m->is_recall_begun = m->is_recall_told = false;
    documents_hold(m->config.documents, false);
    m->reads.waiting.count = m->lookups.waiting.count = m->pages.waiting.count = 0;
    match_documents_clear(&m->out_recalled);
    match_documents_clear(&m->out_reads);
    m->out_ratings.count = m->out_settled.count = m->out_rows.count = m->out_ends.count = 0;
}

static uint64_t waiting_bytes(const struct match_keep *m) {
    return m->reads.waiting.count * sizeof(struct wire_document) +
           m->lookups.waiting.count * sizeof(struct wire_rating_lookup) +
           m->pages.waiting.count * sizeof(struct wire_page_ask) + m->out_settled.count * sizeof(struct wire_settled);
}

bool match_keep_has_room(const struct match_keep *m) {
    return waiting_bytes(m) < MATCH_KEEP_WAITING_BYTES && documents_has_room(m->config.documents);
}

static void add_all(struct match_lane *lane, const void *items, uint32_t count, size_t size) {
    for (uint32_t i = 0; i < count; i++)
        CHECK(match_list_add(&lane->waiting, (const uint8_t *)items + i * size, size)); /* no memory for a few bytes */
}

void match_keep_ask(struct match_keep *m, const struct wire_match_ask *ask) {
    m->stats.asks++;
    if (ask->recalls && !m->is_recall_wanted) {
        m->is_recall_wanted = true;
        m->is_recall_begun = m->is_recall_told = false;
        m->after_kind = 0;
        m->after_key = 0;
    }
    if (ask->document_count > 0)
        m->group = documents_put(m->config.documents, ask->documents, ask->document_count, ask->blob);
    const struct match_pending pending = {ask->seq, m->group};
    CHECK(match_list_add(&m->pending, &pending, sizeof pending));
    add_all(&m->reads, ask->reads, ask->read_count, sizeof *ask->reads);
    add_all(&m->lookups, ask->lookups, ask->lookup_count, sizeof *ask->lookups);
    add_all(&m->pages, ask->pages, ask->page_count, sizeof *ask->pages);
    for (uint32_t i = 0; i < ask->settle_count; i++) match_keep_add_settle(m, &ask->settles[i]);
    run(m);
}

/* Asks are durable in their order; who is told is the connection that asked. */
void match_keep_update(struct match_keep *m) {
    const struct match_pending *pending = m->pending.items;
    uint64_t durable = documents_durable(m->config.documents);
    uint32_t count = 0;
    while (count < m->pending.count && pending[count].group <= durable) count++;
    if (count > 0) m->durable_seq = pending[count - 1].seq;
    match_list_drop(&m->pending, count, sizeof *pending);
    match_keep_recall(m);
}

/* --- out */

/* pick_documents has their bytes one after the other behind those that are there. */
static uint32_t pick_documents(struct match_keep *m, struct match_documents *from, uint32_t *blob_len) {
    struct wire_document *documents = from->list.items;
    uint32_t at = *blob_len;
    for (uint32_t i = 0; i < from->list.count; i++) {
        documents[i].offset = at;
        at += documents[i].len;
    }
    CHECK(from->blob_len <= MATCH_KEEP_OUT_BYTES && from->list.count <= WIRE_MATCH_ITEMS_MAX);
    if (from->blob_len > 0) memcpy(m->out_blob + *blob_len, from->blob, from->blob_len);
    *blob_len += from->blob_len;
    return from->list.count;
}

static uint32_t at_most(const struct match_list *list) {
    return list->count < WIRE_MATCH_ITEMS_MAX ? list->count : WIRE_MATCH_ITEMS_MAX;
}

/* Of documents there are never more than fit: match_keep_recall and match_keep_read hold the others back. */
bool match_keep_fill(struct match_keep *m, struct wire_match_told *told) {
    uint32_t blob_len = 0;
    *told = (struct wire_match_told){.durable_seq = m->durable_seq,
                                     .document_count = pick_documents(m, &m->out_recalled, &blob_len),
                                     .read_count = pick_documents(m, &m->out_reads, &blob_len),
                                     .rating_count = at_most(&m->out_ratings),
                                     .settled_count = at_most(&m->out_settled),
                                     .row_count = at_most(&m->out_rows),
                                     .end_count = m->out_rows.count <= WIRE_MATCH_ITEMS_MAX ? at_most(&m->out_ends) : 0};
    told->documents = m->out_recalled.list.items;
    told->reads = m->out_reads.list.items;
    told->ratings = m->out_ratings.items;
    told->settled = m->out_settled.items;
    told->rows = m->out_rows.items;
    told->ends = m->out_ends.items;
    told->blob = m->out_blob;
    told->blob_len = blob_len;
    told->is_recalled = m->is_recall_told;
    return told->document_count + told->read_count + told->rating_count + told->settled_count + told->row_count +
                   told->end_count >
               0 ||
           m->durable_seq > m->told_seq || told->is_recalled;
}

void match_keep_told(struct match_keep *m) {
    m->told_seq = m->durable_seq;
    m->is_recall_told = false;
    match_documents_clear(&m->out_recalled);
    match_documents_clear(&m->out_reads);
    match_list_drop(&m->out_ratings, at_most(&m->out_ratings), sizeof(struct wire_rating));
    match_list_drop(&m->out_settled, at_most(&m->out_settled), sizeof(struct wire_settled));
    bool has_all_rows = m->out_rows.count <= WIRE_MATCH_ITEMS_MAX;
    match_list_drop(&m->out_rows, at_most(&m->out_rows), sizeof(struct wire_page_row));
    if (has_all_rows) match_list_drop(&m->out_ends, at_most(&m->out_ends), sizeof(struct wire_page_end));
    run(m);
}

struct match_keep_stats match_keep_stats_get(const struct match_keep *m) {
    struct match_keep_stats stats = m->stats;
    stats.settling = m->settles.count;
    stats.waiting_bytes = waiting_bytes(m);
    return stats;
}
