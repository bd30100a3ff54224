/* match_keep_documents.c: documents of the matchmaker: kept, recalled and read. */
#include <string.h>

#include "common/check.h"
#include "common/step.h"
#include "persist/match_keep_inner.h"

#define RECALL_PAGE 256

/* --- keeping */

/* The newest version of each counts, within the batch as well. */
static const struct pg_statement KEEP = {
    "match_documents_keep",
    "insert into match_documents (kind, key, version, body)"
    " select distinct on (kind, key) kind, key, version, nullif(body, ''::bytea)"
    " from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bytea[]) as d (kind, key, version, body)"
    " order by kind, key, version desc"
    " on conflict (kind, key) do update set version = excluded.version, body = excluded.body, changed_at = now()"
    " where match_documents.version < excluded.version"};

static void build_keep(struct match_keep *m) {
    const struct match_documents *batch = &m->storing;
    const struct wire_document *d = batch->list.items;
    struct pg_params *p = &m->documents_params;
    pg_params_reset(p);
    pg_params_array(p, PG_INT2);
    for (uint32_t i = 0; i < batch->list.count; i++) pg_params_push_int2(p, (int16_t)d[i].kind);
    pg_params_end(p);
    pg_params_array(p, PG_INT8);
    for (uint32_t i = 0; i < batch->list.count; i++) pg_params_push_int8(p, (int64_t)d[i].key);
    pg_params_end(p);
    pg_params_array(p, PG_INT8);
    for (uint32_t i = 0; i < batch->list.count; i++) pg_params_push_int8(p, (int64_t)d[i].version);
    pg_params_end(p);
    pg_params_array(p, PG_BYTEA);
    for (uint32_t i = 0; i < batch->list.count; i++) pg_params_push_bytea(p, batch->blob + d[i].offset, d[i].len);
    pg_params_end(p);
}

/* Who is told is the connection that asked; one that has come since asks again. */
static void durable(struct match_keep *m, const struct match_documents *batch) {
    if (batch->generation == m->generation && batch->seq > m->durable_seq) m->durable_seq = batch->seq;
}

static void kept(void *ctx, const struct pg_reply *reply) {
    struct match_keep *m = ctx;
    m->is_storing = false;
    if (reply->error) { /* the same again, as its outcome may not be known */
        match_keep_failed(m, reply);
        return;
    }
    STEP("persist.documents_written");
    m->stats.transactions++;
    m->stats.documents += m->storing.list.count;
    durable(m, &m->storing);
    match_documents_clear(&m->storing);
    match_keep_store(m);
    match_keep_recall(m);
}

void match_keep_store(struct match_keep *m) {
    if (m->is_storing || m->is_recalling) return;
    if (m->storing.list.count == 0) {
        if (m->is_recall_wanted && !m->is_recall_behind) return; /* pages of it are of one moment */
        m->is_recall_behind = false;
        struct match_documents next = m->gathering;
        m->gathering = m->storing;
        m->gathering.seq = next.seq;
        m->gathering.generation = next.generation;
        m->storing = next;
    }
    if (m->storing.list.count == 0) {
        durable(m, &m->storing);
        return;
    }
    build_keep(m);
    const struct pg_call calls[] = {match_keep_fence(m), {&KEEP, &m->documents_params}};
    m->is_storing = pg_run(m->config.pg, calls, 2, PG_TRANSACTION, MATCH_KEEP_DEADLINE_MS, kept, m) == 0;
}

/* --- recall */

static const struct pg_statement RECALL = {
    "match_documents_recall", "select kind, key, version, body from match_documents"
                              " where body is not null and kind < 4 and (kind, key) > ($1::integer::smallint, $2::bigint)"
                              " order by kind, key limit $3::integer"};

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
        m->stats.recalled++;
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
    match_keep_store(m);
}

void match_keep_recall(struct match_keep *m) {
    if (!m->is_recall_wanted || m->is_recalling || m->is_storing || m->storing.list.count > 0) return;
    if (m->out_recalled.list.count > 0) return;
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
                                         " left join match_documents d using (kind, key) order by a.n"};

static void have_read(void *ctx, const struct pg_reply *reply) {
    struct match_keep *m = ctx;
    struct match_lane *lane = &m->reads;
    const struct wire_document *asked = lane->asked.items;
    lane->is_under_way = false;
    if (reply->error) {
        match_keep_failed(m, reply);
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
}

void match_keep_read(struct match_keep *m) {
    struct match_lane *lane = &m->reads;
    if (lane->is_under_way || m->out_reads.list.count > 0) return;
    const struct wire_document *waiting = lane->waiting.items;
    uint32_t taken = 0;
    for (; taken < lane->waiting.count && lane->asked.count < MATCH_KEEP_BATCH_MAX; taken++)
        CHECK(match_list_add(&lane->asked, &waiting[taken], sizeof *waiting));
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
    lane->is_under_way = pg_run(m->config.pg, &call, 1, PG_READ, MATCH_KEEP_DEADLINE_MS, have_read, m) == 0;
}
