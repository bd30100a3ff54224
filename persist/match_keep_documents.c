/* match_keep_documents.c: documents of the matchmaker: recalled and read. */
#include <string.h>

#include "common/check.h"
#include "persist/documents.h"
#include "persist/match_keep_inner.h"

#define RECALL_PAGE 256

/* --- recall */

/* The first page begins with a row of key 0: the greatest version of what was erased last, as of the last transactions. For
 * a matchmaker whose clock was set back is to make greater ones. */
static const struct pg_statement RECALL = {
    "match_documents_recall",
    "select * from (select 0::smallint as kind, 0::bigint as key, max(version) as version, ''::bytea as body from"
    " (select version from match_documents where body is null order by changed_at desc limit 2048) as erased"
    " where $1::integer = 0 having count(*) > 0 union all"
    " (select kind, key, version, body from match_documents"
    " where body is not null and kind < 4 and (kind, key) > ($1::integer::smallint, $2::bigint)"
    " order by kind, key limit $3::integer)) as page order by kind, key"};

/* take_page takes as many rows as there is room to tell; true where that was the end. */
static bool take_page(struct match_keep *m, const PGresult *result) {
    int count = pg_rows(result);
    for (int i = 0; i < count; i++) {
        struct pg_row row = pg_row_at(result, i);
        struct wire_document d = {.kind = (uint32_t)pg_row_int2(&row, 0), .key = pg_row_u64(&row, 1)};
        size_t len;
        d.version = pg_row_u64(&row, 2);
        const uint8_t *body = pg_row_bytea(&row, 3, &len);
        bool is_sound = !row.error && len <= WIRE_DOCUMENT_BYTES_MAX;
        if (is_sound && m->out_recalled.blob_len + len > MATCH_KEEP_OUT_BYTES) return false;
        m->after_kind = (int32_t)d.kind;
        m->after_key = (int64_t)d.key;
        if (!is_sound) continue; /* no document of ours */
        d.len = (uint32_t)len;
        CHECK(match_documents_add(&m->out_recalled, &d, body));
        m->stats.recalled += d.key != 0;
    }
    return count < RECALL_PAGE;
}

static void recalled(void *ctx, const struct pg_reply *reply) {
    struct match_keep *m = ctx;
    m->is_recalling = false;
    if (m->recall_generation != m->generation) return;
    if (reply->error) {
        match_keep_failed(m, reply);
        return;
    }
    if (!take_page(m, reply->results[0])) return; /* the next, once this was told */
    m->is_recall_wanted = false;
    m->is_recall_told = true;
    documents_hold(m->config.documents, false);
}

/* begin_recall waits until PostgreSQL has what was kept before; from then on it stays as it is, as pages are of one moment.
 */
static bool begin_recall(struct match_keep *m) {
    if (m->is_recall_begun) return true;
    documents_flush(m->config.documents);
    if (!documents_is_clean(m->config.documents)) return false;
    documents_hold(m->config.documents, true);
    return m->is_recall_begun = true;
}

void match_keep_recall(struct match_keep *m) {
    if (!m->is_recall_wanted || m->is_recalling || m->out_recalled.list.count > 0 || !begin_recall(m)) return;
    m->recall_generation = m->generation;
    pg_params_reset(&m->recall_params);
    pg_params_int4(&m->recall_params, m->after_kind);
    pg_params_int8(&m->recall_params, m->after_key);
    pg_params_int4(&m->recall_params, RECALL_PAGE);
    const struct pg_call call = {&RECALL, &m->recall_params};
    m->is_recalling = pg_run(m->config.pg, &call, 1, PG_READ, MATCH_KEEP_DEADLINE_MS, recalled, m) == 0;
}

/* --- reads */

static const struct pg_statement READ = {"match_documents_read",
                                         "select a.kind, a.key, coalesce(d.version, 0), coalesce(d.body, ''::bytea)"
                                         " from unnest($1::smallint[], $2::bigint[]) with ordinality as a (kind, key, n)"
                                         " left join lateral (select version, body from match_documents"
                                         " where kind = a.kind and key = a.key limit 1) d on true order by a.n"};

/* ask_again has what was not answered wait again: by then it may be here. */
static void ask_again(struct match_lane *lane) {
    const struct wire_document *asked = lane->asked.items;
    for (uint32_t i = 0; i < lane->asked.count; i++) CHECK(match_list_add(&lane->waiting, &asked[i], sizeof *asked));
    lane->asked.count = 0;
}

static void have_read(void *ctx, const struct pg_reply *reply) {
    struct match_keep *m = ctx;
    struct match_lane *lane = &m->reads;
    const struct wire_document *asked = lane->asked.items;
    lane->is_under_way = false;
    if (reply->error) {
        match_keep_failed(m, reply);
        ask_again(lane);
        return;
    }
    uint32_t done = 0;
    for (int count = pg_rows(reply->results[0]); done < (uint32_t)count && done < lane->asked.count; done++) {
        struct pg_row row = pg_row_at(reply->results[0], (int)done);
        struct wire_document d = asked[done];
        size_t len;
        d.version = pg_row_u64(&row, 2);
        const uint8_t *body = pg_row_bytea(&row, 3, &len);
        if (row.error || len > WIRE_DOCUMENT_BYTES_MAX) len = 0;
        if (m->out_reads.blob_len + len > MATCH_KEEP_OUT_BYTES) break;
        d.len = (uint32_t)len;
        CHECK(match_documents_add(&m->out_reads, &d, body));
        m->stats.reads++;
    }
    match_list_drop(&lane->asked, done, sizeof *asked);
    ask_again(lane);
}

/* answer_at_once answers what PostgreSQL need not be asked for; false where there is no room to. */
static bool answer_at_once(struct match_keep *m, const struct wire_document *newer, const uint8_t *bytes) {
    if (m->out_reads.blob_len + newer->len > MATCH_KEEP_OUT_BYTES || m->out_reads.list.count == MATCH_KEEP_BATCH_MAX)
        return false;
    CHECK(match_documents_add(&m->out_reads, newer, bytes));
    m->stats.reads++;
    return true;
}

void match_keep_read(struct match_keep *m) {
    struct match_lane *lane = &m->reads;
    if (lane->is_under_way || m->out_reads.list.count > 0) return;
    const struct wire_document *waiting = lane->waiting.items;
    uint32_t taken = 0;
    for (; taken < lane->waiting.count && lane->asked.count < MATCH_KEEP_BATCH_MAX; taken++) {
        const uint8_t *bytes;
        const struct wire_document *newer =
            documents_find(m->config.documents, waiting[taken].kind, waiting[taken].key, &bytes);
        if (newer && !answer_at_once(m, newer, bytes)) break;
        if (!newer) CHECK(match_list_add(&lane->asked, &waiting[taken], sizeof *waiting));
    }
    match_list_drop(&lane->waiting, taken, sizeof *waiting);
    if (lane->asked.count == 0) return;
    const struct wire_document *asked = lane->asked.items;
    pg_params_reset(&lane->params);
    pg_params_array(&lane->params, PG_INT2);
    for (uint32_t i = 0; i < lane->asked.count; i++) pg_params_push_int2(&lane->params, (int16_t)asked[i].kind);
    pg_params_end(&lane->params);
    pg_params_array(&lane->params, PG_INT8);
    for (uint32_t i = 0; i < lane->asked.count; i++) pg_params_push_int8(&lane->params, (int64_t)asked[i].key);
    pg_params_end(&lane->params);
    const struct pg_call call = {&READ, &lane->params};
    lane->is_under_way = pg_run(m->config.look_pg, &call, 1, PG_READ, MATCH_KEEP_DEADLINE_MS, have_read, m) == 0;
    if (!lane->is_under_way) ask_again(lane);
}
