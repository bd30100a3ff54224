/* persist_model.h: what keep.h is told by: shards that answer late, doubly, not now, or whose connection ends.
 *
 * A message waits in the inbox until model_work takes it, all of it or nothing; its answer waits until model_tell. When the
 * connection ends both are lost, wherever they were. Ratings and settlements are kept by a rule as plain as can be.
 */
#ifndef MARCH_TESTS_UNIT_PERSIST_MODEL_H
#define MARCH_TESTS_UNIT_PERSIST_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uthash.h>

#include "common/shard.h"
#include "matchmaker/keep.h"

#define PERSIST_MODEL_SHARDS 4
#define PERSIST_MODEL_QUEUE  4096

struct model_document {
    struct model_document_key {
        uint64_t kind, key;
    } id;
    uint64_t version;
    uint32_t len; /* 0: erased */
    uint8_t bytes[WIRE_DOCUMENT_BYTES_MAX];
    UT_hash_handle hh;
};

struct model_settled {
    struct model_settled_key {
        uint64_t match, player;
    } id;
    struct wire_settle settle;
    UT_hash_handle hh;
};

struct model_rating {
    struct model_rating_key {
        uint64_t player;
        char mode[WIRE_MODE_NAME_MAX + 1];
    } id;
    struct wire_rating rating;
    UT_hash_handle hh;
};

/* A message with all that it points to. */
struct model_ask {
    struct wire_match_ask ask;
    struct wire_document *documents, *reads;
    struct wire_rating_lookup *lookups;
    struct wire_settle *settles;
    struct wire_page_ask *pages;
    uint8_t *blob;
};

struct model_answer {
    struct wire_match_told told;
    struct wire_document *documents, *reads;
    struct wire_rating *ratings;
    struct wire_settled *settled;
    struct wire_page_row *rows;
    struct wire_page_end *ends;
    uint8_t *blob;
};

struct model_shard {
    bool is_up;
    struct model_ask inbox[PERSIST_MODEL_QUEUE];
    struct model_answer outbox[PERSIST_MODEL_QUEUE];
    uint32_t in_first, in_count, out_first, out_count;
    uint64_t seq;
};

struct persist_model {
    uint32_t shard_count;
    uint32_t not_now;       /* one in so many questions is answered so; 0: none */
    uint64_t refused;       /* this player never has anything settled */
    bool is_settler_away;   /* what is rewarded can't be settled now */
    uint64_t transactions;  /* with documents */
    uint64_t settled_count; /* each once */
    uint64_t settled_again;
    struct model_document *documents;
    struct model_settled *settled;
    struct model_rating *ratings;
    struct model_shard shards[PERSIST_MODEL_SHARDS];
    void (*on_transaction)(void *context); /* after each */
    void *context;
    uint64_t random;
};

static inline uint64_t model_random(struct persist_model *m) {
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return m->random;
}

static inline void *model_copy(const void *bytes, size_t count, size_t size) {
    if (count == 0) return NULL;
    void *copy = malloc(count * size);
    assert_non_null(copy);
    memcpy(copy, bytes, count * size);
    return copy;
}

static inline void model_ask_free(struct model_ask *a) {
    free(a->documents);
    free(a->reads);
    free(a->lookups);
    free(a->settles);
    free(a->pages);
    free(a->blob);
}

static inline void model_answer_free(struct model_answer *a) {
    free(a->documents);
    free(a->reads);
    free(a->ratings);
    free(a->settled);
    free(a->rows);
    free(a->ends);
    free(a->blob);
}

static inline struct persist_model *model_create(uint32_t shard_count, uint64_t seed) {
    struct persist_model *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->shard_count = shard_count;
    m->random = seed * 2 + 1;
    return m;
}

/* --- connections */

static inline void model_drop(struct persist_model *m, uint32_t shard) {
    struct model_shard *s = &m->shards[shard];
    for (; s->in_count > 0; s->in_count--) model_ask_free(&s->inbox[s->in_first++ % PERSIST_MODEL_QUEUE]);
    for (; s->out_count > 0; s->out_count--) model_answer_free(&s->outbox[s->out_first++ % PERSIST_MODEL_QUEUE]);
    s->is_up = false;
}

static inline void model_lose(struct persist_model *m, struct keep *keep, uint32_t shard) {
    if (m->shards[shard].is_up && keep) keep_shard_lost(keep, shard);
    model_drop(m, shard);
}

static inline void model_connect(struct persist_model *m, struct keep *keep, uint32_t shard) {
    if (m->shards[shard].is_up) return;
    m->shards[shard].is_up = true;
    m->shards[shard].seq = 0;
    keep_shard_up(keep, shard);
}

static inline void model_destroy(struct persist_model *m) {
    struct model_document *d, *d_next;
    struct model_settled *s, *s_next;
    struct model_rating *r, *r_next;
    for (uint32_t i = 0; i < PERSIST_MODEL_SHARDS; i++) model_drop(m, i);
    HASH_ITER(hh, m->documents, d, d_next) {
        HASH_DEL(m->documents, d);
        free(d);
    }
    HASH_ITER(hh, m->settled, s, s_next) {
        HASH_DEL(m->settled, s);
        free(s);
    }
    HASH_ITER(hh, m->ratings, r, r_next) {
        HASH_DEL(m->ratings, r);
        free(r);
    }
    free(m);
}

/* model_take sends what keep has for a shard; false where that is nothing. */
static inline bool model_take(struct persist_model *m, struct keep *keep, uint32_t shard) {
    struct model_shard *s = &m->shards[shard];
    struct wire_match_ask ask;
    if (!s->is_up || s->in_count == PERSIST_MODEL_QUEUE || !keep_fill(keep, shard, &ask)) return false;
    assert_int_equal(ask.seq, ++s->seq);
    assert_true(ask.document_count <= WIRE_MATCH_ITEMS_MAX && ask.blob_len <= WIRE_MATCH_BLOB_MAX &&
                ask.lookup_count <= WIRE_MATCH_ITEMS_MAX && ask.settle_count <= WIRE_MATCH_ITEMS_MAX &&
                ask.read_count <= WIRE_MATCH_ITEMS_MAX && ask.page_count <= WIRE_MATCH_ITEMS_MAX);
    s->inbox[(s->in_first + s->in_count++) % PERSIST_MODEL_QUEUE] =
        (struct model_ask){.ask = ask,
                           .documents = model_copy(ask.documents, ask.document_count, sizeof *ask.documents),
                           .reads = model_copy(ask.reads, ask.read_count, sizeof *ask.reads),
                           .lookups = model_copy(ask.lookups, ask.lookup_count, sizeof *ask.lookups),
                           .settles = model_copy(ask.settles, ask.settle_count, sizeof *ask.settles),
                           .pages = model_copy(ask.pages, ask.page_count, sizeof *ask.pages),
                           .blob = model_copy(ask.blob, ask.blob_len, 1)};
    keep_sent(keep, shard);
    return true;
}

/* --- what they keep */

static inline struct model_document *model_document(const struct persist_model *m, uint64_t kind, uint64_t key) {
    struct model_document_key id = {kind, key};
    struct model_document *d;
    HASH_FIND(hh, m->documents, &id, sizeof id, d);
    return d && d->len > 0 ? d : NULL;
}

static inline void model_keep(struct persist_model *m, const struct wire_document *document, const uint8_t *blob) {
    struct model_document_key id = {document->kind, document->key};
    struct model_document *d;
    HASH_FIND(hh, m->documents, &id, sizeof id, d);
    if (!d) {
        d = calloc(1, sizeof *d);
        assert_non_null(d);
        d->id = id;
        HASH_ADD(hh, m->documents, id, sizeof d->id, d);
    }
    assert_true(document->len <= WIRE_DOCUMENT_BYTES_MAX);
    if (document->version <= d->version) return;
    d->version = document->version;
    d->len = document->len;
    if (document->len > 0) memcpy(d->bytes, blob + document->offset, document->len);
}

static inline struct model_rating *model_rating(struct persist_model *m, uint64_t player, const char *mode) {
    struct model_rating_key id = {.player = player};
    struct model_rating *r;
    strcpy(id.mode, mode);
    HASH_FIND(hh, m->ratings, &id, sizeof id, r);
    if (r) return r;
    r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->id = id;
    r->rating.player = player;
    strcpy(r->rating.mode, mode);
    HASH_ADD(hh, m->ratings, id, sizeof r->id, r);
    return r;
}

static inline struct model_settled *model_settled(const struct persist_model *m, uint64_t match, uint64_t player) {
    struct model_settled_key id = {match, player};
    struct model_settled *s;
    HASH_FIND(hh, m->settled, &id, sizeof id, s);
    return s;
}

static inline uint32_t model_settle(struct persist_model *m, const struct wire_settle *settle) {
    if (settle->player == m->refused) return WIRE_MATCH_REFUSED;
    if (model_settled(m, settle->match, settle->player)) {
        m->settled_again++;
        return WIRE_MATCH_OK;
    }
    struct model_settled *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->id = (struct model_settled_key){settle->match, settle->player};
    s->settle = *settle;
    HASH_ADD(hh, m->settled, id, sizeof s->id, s);
    m->settled_count++;
    if (settle->flags & WIRE_SETTLE_RATED) {
        struct wire_rating *r = &model_rating(m, settle->player, settle->mode)->rating;
        r->mu = settle->mu;
        r->sigma = settle->sigma;
        r->season = settle->season;
        r->played++;
        r->won += settle->is_won;
    }
    return WIRE_MATCH_OK;
}

/* --- answering */

static inline bool model_is_not_now(struct persist_model *m) {
    return m->not_now > 0 && model_random(m) % m->not_now == 0;
}

static inline void model_answer_documents(struct model_answer *answer, struct wire_document **list, uint32_t *count,
                                          const struct model_document *d, uint64_t kind, uint64_t key) {
    uint32_t len = d ? d->len : 0;
    *list = realloc(*list, (*count + 1) * sizeof **list);
    answer->blob = realloc(answer->blob, answer->told.blob_len + len + 1);
    assert_true(*list && answer->blob);
    if (len > 0) memcpy(answer->blob + answer->told.blob_len, d->bytes, len);
    (*list)[(*count)++] = (struct wire_document){
        .key = key, .version = d ? d->version : 0, .kind = (uint32_t)kind, .offset = answer->told.blob_len, .len = len};
    answer->told.blob_len += len;
}

/* model_recall tells all in messages of 10, the last of which says that it is, and how far the versions of what was erased
 * go. */
static inline void model_recall(struct persist_model *m, struct model_shard *s) {
    struct model_answer answer = {0};
    struct model_document erased = {0};
    for (struct model_document *d = m->documents; d; d = d->hh.next)
        if (d->len == 0 && d->version > erased.version) erased.version = d->version;
    for (struct model_document *d = m->documents; d; d = d->hh.next) {
        if (d->len == 0 || d->id.kind == WIRE_DOCUMENT_RESULT) continue;
        model_answer_documents(&answer, &answer.documents, &answer.told.document_count, d, d->id.kind, d->id.key);
        if (answer.told.document_count < 10) continue;
        s->outbox[(s->out_first + s->out_count++) % PERSIST_MODEL_QUEUE] = answer;
        answer = (struct model_answer){0};
    }
    model_answer_documents(&answer, &answer.documents, &answer.told.document_count, &erased, 0, 0);
    answer.told.is_recalled = true;
    s->outbox[(s->out_first + s->out_count++) % PERSIST_MODEL_QUEUE] = answer;
}

static inline void model_answer_players(struct persist_model *m, uint32_t shard, const struct model_ask *a,
                                        struct model_answer *answer) {
    for (uint32_t i = 0; i < a->ask.lookup_count; i++) {
        const struct wire_rating_lookup *lookup = &a->lookups[i];
        assert_int_equal(shard_of_player(lookup->player, m->shard_count), shard);
        answer->ratings[i] = model_rating(m, lookup->player, lookup->mode)->rating;
        if (model_is_not_now(m)) answer->ratings[i].result = WIRE_MATCH_UNAVAILABLE;
    }
    for (uint32_t i = 0; i < a->ask.settle_count; i++) {
        const struct wire_settle *settle = &a->settles[i];
        assert_int_equal(shard_of_player(settle->player, m->shard_count), shard);
        answer->settled[i] = (struct wire_settled){.match = settle->match, .player = settle->player};
        bool is_later = model_is_not_now(m) || (m->is_settler_away && (settle->gold > 0 || settle->item_count > 0));
        answer->settled[i].result = is_later ? (uint32_t)WIRE_MATCH_UNAVAILABLE : model_settle(m, settle);
    }
}

/* model_answer_pages gives each shard `count` rows: player ids are its own, points fall from 1000; of season 0 all are
 * equal. */
static inline void model_answer_pages(uint32_t shard, const struct model_ask *a, struct model_answer *answer) {
    answer->rows = calloc(a->ask.page_count * WIRE_BOARD_PAGE_MAX + 1, sizeof *answer->rows);
    for (uint32_t i = 0; i < a->ask.page_count; i++) {
        for (uint32_t k = 0; k < a->pages[i].count; k++)
            answer->rows[answer->told.row_count++] = (struct wire_page_row){
                .request = a->pages[i].request,
                .player = shard * 1000 + k + 1,
                .points = a->pages[i].season == 0 ? 5 : 1000 - (int64_t)(k * PERSIST_MODEL_SHARDS + shard)};
        answer->ends[answer->told.end_count++] = (struct wire_page_end){.request = a->pages[i].request};
    }
}

static inline void model_point(struct model_answer *answer) {
    answer->told.documents = answer->documents;
    answer->told.reads = answer->reads;
    answer->told.ratings = answer->ratings;
    answer->told.settled = answer->settled;
    answer->told.rows = answer->rows;
    answer->told.ends = answer->ends;
    answer->told.blob = answer->blob;
}

/* model_work takes the oldest message of a shard, if there is one, and makes it durable as a whole. */
static inline bool model_work(struct persist_model *m, uint32_t shard) {
    struct model_shard *s = &m->shards[shard];
    if (s->in_count == 0 || s->out_count + 2 + HASH_COUNT(m->documents) / 10 > PERSIST_MODEL_QUEUE) return false;
    struct model_ask a = s->inbox[s->in_first++ % PERSIST_MODEL_QUEUE];
    s->in_count--;
    if (a.ask.recalls) model_recall(m, s);
    for (uint32_t i = 0; i < a.ask.document_count; i++) {
        for (uint32_t k = 0; k < i && a.ask.document_count < 64; k++)
            assert_false(a.documents[k].key == a.documents[i].key && a.documents[k].kind == a.documents[i].kind);
        model_keep(m, &a.documents[i], a.blob);
    }
    if (a.ask.document_count > 0) m->transactions++;
    if (a.ask.document_count > 0 && m->on_transaction) m->on_transaction(m->context);
    struct model_answer answer = {
        .told = {.durable_seq = a.ask.seq, .rating_count = a.ask.lookup_count, .settled_count = a.ask.settle_count}};
    answer.ratings = calloc(a.ask.lookup_count + 1, sizeof *answer.ratings);
    answer.settled = calloc(a.ask.settle_count + 1, sizeof *answer.settled);
    answer.ends = calloc(a.ask.page_count + 1, sizeof *answer.ends);
    for (uint32_t i = 0; i < a.ask.read_count; i++)
        model_answer_documents(&answer, &answer.reads, &answer.told.read_count,
                               model_document(m, a.reads[i].kind, a.reads[i].key), a.reads[i].kind, a.reads[i].key);
    model_answer_players(m, shard, &a, &answer);
    model_answer_pages(shard, &a, &answer);
    s->outbox[(s->out_first + s->out_count++) % PERSIST_MODEL_QUEUE] = answer;
    model_ask_free(&a);
    return true;
}

/* model_tell hands the oldest answer to keep; now and then twice. */
static inline bool model_tell(struct persist_model *m, struct keep *keep, uint32_t shard) {
    struct model_shard *s = &m->shards[shard];
    if (s->out_count == 0) return false;
    struct model_answer answer = s->outbox[s->out_first++ % PERSIST_MODEL_QUEUE];
    s->out_count--;
    model_point(&answer);
    keep_told(keep, shard, &answer.told);
    if (model_random(m) % 16 == 0) keep_told(keep, shard, &answer.told);
    model_answer_free(&answer);
    return true;
}

/* model_settle_down has all connected, and everything said and answered. */
static inline void model_settle_down(struct persist_model *m, struct keep *keep, struct mono *now) {
    for (uint32_t quiet = 0; quiet < 3; quiet++) {
        for (uint32_t shard = 0; shard < m->shard_count; shard++) {
            model_connect(m, keep, shard);
            while (model_take(m, keep, shard) || model_work(m, shard) || model_tell(m, keep, shard)) quiet = 0;
        }
        *now = mono_add_ms(*now, KEEP_AGAIN_MS);
        keep_step(keep, *now);
    }
}

#endif
