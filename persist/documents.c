#include "persist/documents.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "common/step.h"
#include "persist/document_table.h"
#include "persist/journal.h"
#include "persist/pg.h"

/* A group is its documents one after the other, each a header and its bytes; cut into pieces, each behind a header. */
struct document_header {
    uint64_t key, version;
    uint16_t kind, flags; /* flags: enum wire_document_flag, which mean nothing after a restart */
    uint32_t len;
};

struct piece_header {
    uint32_t offset, total; /* of the group: where the piece begins, bytes in all */
};

_Static_assert(sizeof(struct document_header) == 24 && sizeof(struct piece_header) == 8, "as they lie in the journal");

#define PIECE_MAX   (JOURNAL_RECORD_BYTES_MAX - sizeof(struct piece_header))
#define GROUP_MAX   (WIRE_MATCH_BLOB_MAX + WIRE_MATCH_ITEMS_MAX * sizeof(struct document_header))
#define BYTES_FIRST (64u << 10)

/* Bytes one after the other; grows by doubling. */
struct stretch {
    uint8_t *bytes;
    size_t len, capacity;
};

/* A group that the journal has, and that may not be durable. */
struct appended {
    uint64_t first, last; /* positions of its pieces */
};

/* What was sent of an entry: PostgreSQL has it if it is still that. */
struct sent {
    uint32_t kind;
    uint64_t key, version;
};

struct documents {
    struct documents_config config;
    struct documents_stats stats;
    struct document_table table;

    struct stretch out; /* groups, each behind its length */
    size_t out_begin;   /* the first that is not durable */
    size_t out_at;      /* the first that is not in the journal */
    size_t out_done;    /* of that one, appended */
    uint64_t out_first; /* position of its first piece, 0: none yet */
    struct appended appended[DOCUMENTS_GROUPS_MAX];
    uint32_t appended_head, appended_count;

    struct stretch in; /* of a replay: the pieces of a group so far */
    size_t in_total;
    uint64_t in_first;

    struct pg_params fence, params;
    struct sent sent[DOCUMENTS_BATCH];
    uint32_t sent_count;
    bool is_storing, is_held;
    uint64_t flush_to;   /* position up to which this flush goes */
    uint64_t settled_to; /* and the next */
    struct mono next;
};

/* --- life */

int documents_create(struct documents **out, const struct documents_config *config) {
    *out = NULL;
    struct documents *d = calloc(1, sizeof *d);
    if (!d) return MARCH_ERR_SYSTEM;
    d->config = *config;
    int result = document_table_init(&d->table);
    pg_params_init(&d->fence);
    pg_params_init(&d->params);
    pg_params_int8(&d->fence, config->epoch);
    if (result || d->fence.error) {
        documents_destroy(d);
        return MARCH_ERR_SYSTEM;
    }
    *out = d;
    return 0;
}

void documents_destroy(struct documents *d) {
    if (!d) return;
    CHECK(!d->is_storing);
    document_table_deinit(&d->table);
    pg_params_deinit(&d->fence);
    pg_params_deinit(&d->params);
    free(d->out.bytes);
    free(d->in.bytes);
    free(d);
}

/* --- groups */

/* room_for returns where `len` bytes go at the end of a stretch; NULL when memory is short. */
static uint8_t *room_for(struct stretch *s, size_t len) {
    size_t capacity = s->capacity ? s->capacity : BYTES_FIRST;
    while (capacity < s->len + len) capacity *= 2;
    if (capacity > s->capacity) {
        uint8_t *bytes = realloc(s->bytes, capacity);
        if (!bytes) return NULL;
        s->bytes = bytes;
        s->capacity = capacity;
    }
    s->len += len;
    return s->bytes + s->len - len;
}

/* take_group has the table take the documents of a group that is whole, with those of their flags that count. */
static int take_group(struct documents *d, const uint8_t *bytes, size_t len, uint64_t position, uint32_t flags) {
    while (len > 0) {
        struct document_header header;
        if (len < sizeof header) return MARCH_ERR_INVALID;
        memcpy(&header, bytes, sizeof header);
        if (header.len > len - sizeof header || header.len > WIRE_DOCUMENT_BYTES_MAX) return MARCH_ERR_INVALID;
        const struct wire_document document = {.key = header.key,
                                               .version = header.version,
                                               .kind = header.kind,
                                               .len = header.len,
                                               .flags = header.flags & flags};
        int result = document_table_put(&d->table, &document, bytes + sizeof header, position);
        if (result) return result;
        bytes += sizeof header + header.len;
        len -= sizeof header + header.len;
    }
    return 0;
}

static size_t group_at(const struct documents *d, size_t at) {
    size_t total;
    memcpy(&total, d->out.bytes + at, sizeof total);
    return total;
}

/* append_piece returns whether the journal took it. */
static bool append_piece(struct documents *d, size_t total) {
    uint8_t record[JOURNAL_RECORD_BYTES_MAX];
    size_t len = total - d->out_done < PIECE_MAX ? total - d->out_done : PIECE_MAX;
    const struct piece_header header = {(uint32_t)d->out_done, (uint32_t)total};
    memcpy(record, &header, sizeof header);
    memcpy(record + sizeof header, d->out.bytes + d->out_at + sizeof total + d->out_done, len);
    uint64_t position;
    if (journal_append(d->config.journal, DOCUMENTS_RECORD, record, sizeof header + len, &position) != 0) return false;
    if (d->out_done == 0) d->out_first = position;
    d->out_done += len;
    return true;
}

/* append_groups goes on until the journal has them all, or takes no more for now. */
static void append_groups(struct documents *d) {
    while (d->out_at < d->out.len && d->appended_count < DOCUMENTS_GROUPS_MAX) {
        size_t total = group_at(d, d->out_at);
        while (d->out_done < total)
            if (!append_piece(d, total)) return;
        d->appended[(d->appended_head + d->appended_count++) % DOCUMENTS_GROUPS_MAX] =
            (struct appended){d->out_first, journal_appended(d->config.journal)};
        d->out_at += sizeof total + total;
        d->out_done = 0;
        d->out_first = 0;
    }
}

bool documents_has_room(const struct documents *d) {
    return d->out.len - d->out_at < DOCUMENTS_OUT_MAX && d->table.count < DOCUMENTS_MAX &&
           d->table.bytes < DOCUMENTS_BYTES_MAX;
}

uint64_t documents_put(struct documents *d, const struct wire_document *list, uint32_t count, const uint8_t *blob) {
    size_t total = count * sizeof(struct document_header);
    for (uint32_t i = 0; i < count; i++) total += list[i].len;
    CHECK(count > 0 && total <= GROUP_MAX);
    uint8_t *at = room_for(&d->out, sizeof total + total);
    CHECK(at); /* no memory for a few bytes */
    memcpy(at, &total, sizeof total);
    at += sizeof total;
    for (uint32_t i = 0; i < count; i++) {
        const struct document_header header = {list[i].key, list[i].version, (uint16_t)list[i].kind, (uint16_t)list[i].flags,
                                               list[i].len};
        memcpy(at, &header, sizeof header);
        if (list[i].len > 0) memcpy(at + sizeof header, blob + list[i].offset, list[i].len);
        at += sizeof header + list[i].len;
    }
    append_groups(d);
    return ++d->stats.put;
}

uint64_t documents_durable(const struct documents *d) {
    return d->stats.durable;
}

/* close_up moves what is not durable to the front once it is the smaller part. */
static void close_up(struct documents *d) {
    if (d->out_begin < d->out.len / 2) return;
    memmove(d->out.bytes, d->out.bytes + d->out_begin, d->out.len - d->out_begin);
    d->out.len -= d->out_begin;
    d->out_at -= d->out_begin;
    d->out_begin = 0;
}

/* What is in the table replaces what was there, which the journal may drop: so it must be durable. */
static void note_durable(struct documents *d) {
    uint64_t position = journal_durable(d->config.journal);
    uint64_t before = d->stats.durable;
    while (d->appended_count > 0 && d->appended[d->appended_head].last <= position) {
        const struct appended *group = &d->appended[d->appended_head];
        size_t total = group_at(d, d->out_begin);
        CHECK(take_group(d, d->out.bytes + d->out_begin + sizeof total, total, group->first, WIRE_DOCUMENT_NEW) ==
              0); /* memory */
        d->out_begin += sizeof total + total;
        d->appended_head = (d->appended_head + 1) % DOCUMENTS_GROUPS_MAX;
        d->appended_count--;
        d->stats.durable++;
    }
    if (d->stats.durable == before) return;
    close_up(d);
    STEP("persist.documents_written");
}

const struct wire_document *documents_find(const struct documents *d, uint32_t kind, uint64_t key, const uint8_t **bytes) {
    uint32_t index = document_table_find(&d->table, kind, key);
    if (index == DOCUMENT_NONE) return NULL;
    *bytes = d->table.entries[index].bytes;
    return &d->table.entries[index].document;
}

/* --- the start */

int documents_replay(struct documents *d, uint64_t position, const uint8_t *bytes, size_t len) {
    struct piece_header header;
    if (len <= sizeof header) return MARCH_ERR_INVALID;
    memcpy(&header, bytes, sizeof header);
    len -= sizeof header;
    if (header.total > GROUP_MAX || header.offset > header.total || len > header.total - header.offset)
        return MARCH_ERR_INVALID;
    if (header.offset == 0) { /* what was there before was not whole when its process ended */
        d->in.len = 0;
        d->in_total = header.total;
        d->in_first = position;
    }
    if (d->in_total == 0) return 0; /* PostgreSQL has what it is a part of */
    if (header.offset != d->in.len || header.total != d->in_total) return MARCH_ERR_INVALID;
    uint8_t *at = room_for(&d->in, len);
    if (!at) return MARCH_ERR_SYSTEM;
    memcpy(at, bytes + sizeof header, len);
    if (d->in.len < d->in_total) return 0;
    d->stats.replayed++;
    d->in_total = 0;
    return take_group(d, d->in.bytes, d->in.len, d->in_first, 0); /* it may have been sent before */
}

/* --- into PostgreSQL */

static const struct pg_statement FENCE = {"documents_fence", "select march_fence($1::bigint)"};

static const struct pg_statement STORE = {
    "documents_store",
    "insert into match_documents (kind, key, version, body)"
    " select kind, key, version, nullif(body, ''::bytea)"
    " from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bytea[]) as d (kind, key, version, body)"
    " order by kind, key"
    " on conflict (kind, key) do update set version = excluded.version, body = excluded.body,"
    " changed_at = now() where match_documents.version < excluded.version"};

/* gather takes the oldest that this flush is to write. */
static uint32_t gather(const struct documents *d, uint32_t batch[DOCUMENTS_BATCH]) {
    uint32_t count = 0;
    for (uint32_t i = d->table.head; i != DOCUMENT_NONE && count < DOCUMENTS_BATCH; i = d->table.entries[i].after) {
        if (d->table.entries[i].position > d->flush_to) break;
        batch[count++] = i;
    }
    return count;
}

static void build(struct documents *d, const uint32_t *batch, uint32_t count) {
    const struct document_entry *entries = d->table.entries;
    struct pg_params *p = &d->params;
    pg_params_reset(p);
    pg_params_array(p, PG_INT2);
    for (uint32_t i = 0; i < count; i++) pg_params_push_int2(p, (int16_t)entries[batch[i]].document.kind);
    pg_params_end(p);
    pg_params_array(p, PG_INT8);
    for (uint32_t i = 0; i < count; i++) pg_params_push_int8(p, (int64_t)entries[batch[i]].document.key);
    pg_params_end(p);
    pg_params_array(p, PG_INT8);
    for (uint32_t i = 0; i < count; i++) pg_params_push_int8(p, (int64_t)entries[batch[i]].document.version);
    pg_params_end(p);
    pg_params_array(p, PG_BYTEA);
    for (uint32_t i = 0; i < count; i++) pg_params_push_bytea(p, entries[batch[i]].bytes, entries[batch[i]].document.len);
    pg_params_end(p);
}

static void store(struct documents *d);

static void stored(void *ctx, const struct pg_reply *reply) {
    struct documents *d = ctx;
    d->is_storing = false;
    if (reply->error) { /* the same again, when it is time, as its outcome may not be known */
        d->stats.failures++;
        if (reply->error == MARCH_ERR_FENCED) d->config.fenced(d->config.ctx);
        if (reply->error == MARCH_ERR_INVALID)
            log_error("documents.refused", "sqlstate=%s why=%s", reply->sqlstate, LOG_QUOTE(reply->message));
        return;
    }
    d->stats.transactions++;
    d->stats.stored += d->sent_count;
    for (uint32_t i = 0; i < d->sent_count; i++) {
        uint32_t index = document_table_find(&d->table, d->sent[i].kind, d->sent[i].key);
        if (index != DOCUMENT_NONE && d->table.entries[index].document.version == d->sent[i].version)
            document_table_remove(&d->table, index);
    }
    store(d);
}

static void store(struct documents *d) {
    uint32_t batch[DOCUMENTS_BATCH];
    if (d->is_storing || d->is_held) return;
    uint32_t count = gather(d, batch);
    if (count == 0) return;
    build(d, batch, count);
    d->sent_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct document_entry *entry = &d->table.entries[batch[i]];
        entry->is_new = false;
        d->sent[i] = (struct sent){entry->document.kind, entry->document.key, entry->document.version};
    }
    const struct pg_call calls[] = {{&FENCE, &d->fence}, {&STORE, &d->params}};
    d->is_storing = pg_run(d->config.pg, calls, 2, PG_TRANSACTION, DOCUMENTS_DEADLINE_MS, stored, d) == 0;
}

void documents_flush(struct documents *d) {
    d->flush_to = journal_durable(d->config.journal);
    store(d);
}

void documents_update(struct documents *d, struct mono now) {
    note_durable(d);
    append_groups(d);
    if (!mono_reached(now, d->next)) return;
    d->next = mono_add_ms(now, DOCUMENTS_FLUSH_MS);
    if (d->settled_to > d->flush_to) d->flush_to = d->settled_to;
    d->settled_to = journal_durable(d->config.journal);
    store(d);
}

void documents_hold(struct documents *d, bool is_held) {
    d->is_held = is_held;
}

bool documents_is_clean(const struct documents *d) {
    return d->table.count == 0 && d->out.len == 0 && !d->is_storing;
}

uint64_t documents_watermark(const struct documents *d) {
    uint64_t first = d->out_first ? d->out_first : UINT64_MAX;
    if (d->appended_count > 0) first = d->appended[d->appended_head].first;
    if (d->table.count > 0 && d->table.entries[d->table.head].position < first)
        first = d->table.entries[d->table.head].position;
    return first == UINT64_MAX ? UINT64_MAX : first - 1;
}

struct documents_stats documents_stats_get(const struct documents *d) {
    struct documents_stats stats = d->stats;
    stats.waiting = d->table.count;
    stats.bytes = d->table.bytes;
    return stats;
}
