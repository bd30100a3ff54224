/* test_keep.c: what is kept, what is asked, and what is left of it when connections and processes end. */
#include <stdio.h>

#include "tests/unit/persist_model.h"

#define FIRST_VERSION 1000000
#define MODE          "duel"

struct told {
    uint32_t recalled, ready, ratings, settled, refused, reads, pages;
    uint64_t recalled_keys[4096];
    struct wire_rating rating;
    char read[64];
    struct wire_page_row rows[WIRE_BOARD_PAGE_MAX];
    uint32_t row_count;
    bool is_whole;
};

struct world {
    struct persist_model *model;
    struct keep *keep;
    struct mono now;
    struct told told;
};

static void on_recalled(void *context, const struct wire_document *d, const uint8_t *bytes) {
    struct told *told = context;
    assert_true(d->len > 0 && bytes);
    told->recalled_keys[told->recalled++] = d->key;
}

static void on_ready(void *context) {
    ((struct told *)context)->ready++;
}

static void on_rating(void *context, const struct wire_rating *rating) {
    struct told *told = context;
    told->ratings++;
    told->rating = *rating;
}

static void on_settled(void *context, uint64_t match, uint64_t player, bool is_done) {
    struct told *told = context;
    assert_true(match != 0 && player != 0);
    told->settled++;
    told->refused += !is_done;
}

static void on_read(void *context, uint32_t kind, uint64_t key, const uint8_t *bytes, uint32_t len) {
    struct told *told = context;
    assert_true(kind == WIRE_DOCUMENT_RESULT && key != 0);
    told->reads++;
    snprintf(told->read, sizeof told->read, "%.*s", (int)len, len > 0 ? (const char *)bytes : "");
}

static void on_page(void *context, uint64_t request, const struct wire_page_row *rows, uint32_t count, bool is_whole) {
    struct told *told = context;
    assert_int_equal(request, 77);
    told->pages++;
    told->row_count = count;
    told->is_whole = is_whole;
    memcpy(told->rows, rows, count * sizeof *rows);
}

static void begin_keep(struct world *w, uint64_t first_version) {
    const struct keep_config config = {.shard_count = w->model ? w->model->shard_count : 0,
                                       .first_version = first_version,
                                       .handlers = {.context = &w->told,
                                                    .recalled = on_recalled,
                                                    .ready = on_ready,
                                                    .rating = on_rating,
                                                    .settled = on_settled,
                                                    .read = on_read,
                                                    .page = on_page}};
    assert_int_equal(keep_create(&w->keep, &config), 0);
    keep_step(w->keep, w->now);
}

/* world_new has all shards connected, and nothing kept; without shards where that is 0. */
static struct world *world_new(uint32_t shard_count) {
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->now = (struct mono){1000 * NS_PER_S};
    if (shard_count > 0) w->model = model_create(shard_count, 1);
    begin_keep(w, FIRST_VERSION);
    if (w->model) model_settle_down(w->model, w->keep, &w->now);
    assert_int_equal(w->told.ready, 1);
    assert_true(keep_is_ready(w->keep));
    return w;
}

static void world_free(struct world *w) {
    keep_destroy(w->keep);
    if (w->model) model_destroy(w->model);
    free(w);
}

static void put(struct world *w, enum wire_document_kind kind, uint64_t key, const char *text) {
    assert_int_equal(keep_put(w->keep, kind, key, text, (uint32_t)strlen(text)), 0);
}

static const char *kept(const struct world *w, enum wire_document_kind kind, uint64_t key) {
    static char text[64];
    const struct model_document *d = model_document(w->model, kind, key);
    snprintf(text, sizeof text, "%.*s", d ? (int)d->len : 0, d ? (const char *)d->bytes : "");
    return text;
}

/* --- documents */

static void test_keep_put_is_durable_when_persist_says_so(void **state) {
    (void)state;
    struct world *w = world_new(2);
    assert_true(keep_is_durable(w->keep, keep_mark(w->keep)));
    put(w, WIRE_DOCUMENT_TICKET, 5, "one");
    uint64_t mark = keep_mark(w->keep);
    assert_false(keep_is_durable(w->keep, mark));
    assert_true(model_take(w->model, w->keep, 0));
    assert_false(model_take(w->model, w->keep, 0));
    assert_true(model_work(w->model, 0));
    assert_false(keep_is_durable(w->keep, mark));
    put(w, WIRE_DOCUMENT_TICKET, 5, "two");
    assert_true(model_tell(w->model, w->keep, 0));
    assert_true(keep_is_durable(w->keep, mark));
    assert_false(keep_is_durable(w->keep, keep_mark(w->keep)));
    assert_string_equal(kept(w, WIRE_DOCUMENT_TICKET, 5), "one");
    model_settle_down(w->model, w->keep, &w->now);
    assert_string_equal(kept(w, WIRE_DOCUMENT_TICKET, 5), "two");
    world_free(w);
}

static void test_keep_put_after_erase_wins_and_erase_after_put(void **state) {
    (void)state;
    struct world *w = world_new(1);
    put(w, WIRE_DOCUMENT_PARTY, 1, "a");
    assert_int_equal(keep_erase(w->keep, WIRE_DOCUMENT_PARTY, 1), 0);
    put(w, WIRE_DOCUMENT_PARTY, 1, "b");
    put(w, WIRE_DOCUMENT_PARTY, 2, "c");
    assert_int_equal(keep_erase(w->keep, WIRE_DOCUMENT_PARTY, 2), 0);
    model_settle_down(w->model, w->keep, &w->now);
    assert_string_equal(kept(w, WIRE_DOCUMENT_PARTY, 1), "b");
    assert_string_equal(kept(w, WIRE_DOCUMENT_PARTY, 2), "");
    assert_int_equal(w->model->transactions, 1);
    world_free(w);
}

static void test_keep_lost_on_the_way_is_sent_again(void **state) {
    (void)state;
    struct world *w = world_new(1);
    put(w, WIRE_DOCUMENT_TICKET, 9, "x");
    uint64_t mark = keep_mark(w->keep);
    assert_true(model_take(w->model, w->keep, 0));
    model_lose(w->model, w->keep, 0);
    assert_string_equal(kept(w, WIRE_DOCUMENT_TICKET, 9), "");
    model_settle_down(w->model, w->keep, &w->now);
    assert_true(keep_is_durable(w->keep, mark));
    assert_string_equal(kept(w, WIRE_DOCUMENT_TICKET, 9), "x");
    world_free(w);
}

static uint32_t flags_of(struct world *w, uint32_t index) {
    struct wire_match_ask ask = {0};
    assert_true(keep_fill(w->keep, 0, &ask));
    assert_true(index < ask.document_count);
    return ask.documents[ask.document_count - 1 - index].flags; /* the newest comes first */
}

static void test_keep_new_is_new_over_one_connection_only(void **state) {
    (void)state;
    struct world *w = world_new(1);
    put(w, WIRE_DOCUMENT_TICKET, 8, "x");
    assert_int_equal(keep_put_new(w->keep, WIRE_DOCUMENT_TICKET, 9, "x", 1), 0);
    assert_int_equal(flags_of(w, 0), 0);
    assert_int_equal(flags_of(w, 1), WIRE_DOCUMENT_NEW);
    assert_true(model_take(w->model, w->keep, 0));
    assert_int_equal(keep_put_new(w->keep, WIRE_DOCUMENT_TICKET, 10, "x", 1), 0);
    model_lose(w->model, w->keep, 0); /* 9 may have arrived, 10 was not sent */
    keep_shard_up(w->keep, 0);
    assert_int_equal(flags_of(w, 1), 0);
    assert_int_equal(flags_of(w, 2), WIRE_DOCUMENT_NEW);
    world_free(w);
}

static void test_keep_answer_for_a_message_that_was_never_sent_makes_nothing_durable(void **state) {
    (void)state;
    struct world *w = world_new(1);
    put(w, WIRE_DOCUMENT_TICKET, 9, "x");
    keep_told(w->keep, 0, &(struct wire_match_told){.durable_seq = UINT64_MAX});
    assert_false(keep_is_durable(w->keep, keep_mark(w->keep)));
    model_settle_down(w->model, w->keep, &w->now);
    assert_string_equal(kept(w, WIRE_DOCUMENT_TICKET, 9), "x");
    world_free(w);
}

static void test_keep_group_that_does_not_fit_waits_for_the_next_message(void **state) {
    (void)state;
    struct world *w = world_new(1);
    char bytes[WIRE_DOCUMENT_BYTES_MAX];
    memset(bytes, 'x', sizeof bytes);
    uint32_t half = WIRE_MATCH_BLOB_MAX / sizeof bytes / 2 + 1;
    for (uint64_t key = 1; key <= 2 * half; key++) {
        assert_int_equal(keep_put(w->keep, WIRE_DOCUMENT_INSTANCE, key, bytes, sizeof bytes), 0);
        if (key % half == 0) keep_cut(w->keep);
    }
    assert_true(model_take(w->model, w->keep, 0));
    assert_int_equal(w->model->shards[0].inbox[w->model->shards[0].in_first % PERSIST_MODEL_QUEUE].ask.document_count, half);
    model_settle_down(w->model, w->keep, &w->now);
    assert_int_equal(w->model->transactions, 2);
    assert_non_null(model_document(w->model, WIRE_DOCUMENT_INSTANCE, 2 * half));
    world_free(w);
}

static void test_keep_full_refuses_puts_and_still_erases(void **state) {
    (void)state;
    struct world *w = world_new(1);
    model_lose(w->model, w->keep, 0);
    uint64_t key = 0;
    while (keep_put(w->keep, WIRE_DOCUMENT_TICKET, ++key, "t", 1) == 0) continue;
    assert_int_equal(key, KEEP_DOCUMENTS_MAX / 2 + 1);
    assert_int_equal(keep_put(w->keep, WIRE_DOCUMENT_TICKET, key, "t", 1), MARCH_ERR_FULL);
    for (uint64_t i = 1; i < key; i++) assert_int_equal(keep_erase(w->keep, WIRE_DOCUMENT_TICKET, i), 0);
    assert_int_equal(keep_erase(w->keep, WIRE_DOCUMENT_TICKET, 1), MARCH_ERR_FULL);
    model_settle_down(w->model, w->keep, &w->now);
    assert_int_equal(keep_put(w->keep, WIRE_DOCUMENT_TICKET, 1, "t", 1), 0);
    char bytes[WIRE_DOCUMENT_BYTES_MAX + 1] = {1};
    assert_int_equal(keep_put(w->keep, WIRE_DOCUMENT_TICKET, 1, bytes, sizeof bytes), MARCH_ERR_INVALID);
    assert_int_equal(keep_put(w->keep, WIRE_DOCUMENT_TICKET, 1, bytes, 0), MARCH_ERR_INVALID);
    model_lose(w->model, w->keep, 0);
    uint32_t taken = 0;
    while (keep_put(w->keep, WIRE_DOCUMENT_TICKET, ++key, bytes, WIRE_DOCUMENT_BYTES_MAX) == 0) taken++;
    assert_in_range(taken, KEEP_BYTES_MAX / WIRE_DOCUMENT_BYTES_MAX - 2, KEEP_BYTES_MAX / WIRE_DOCUMENT_BYTES_MAX);
    world_free(w);
}

static void test_keep_recall_that_is_interrupted_tells_each_once(void **state) {
    (void)state;
    struct world *w = world_new(1);
    for (uint64_t key = 1; key <= 35; key++) put(w, WIRE_DOCUMENT_TICKET, key, "t");
    put(w, WIRE_DOCUMENT_PARTY, 1, "p"); /* the same key as a ticket's */
    put(w, WIRE_DOCUMENT_RESULT, 1, "r");
    model_settle_down(w->model, w->keep, &w->now);
    model_lose(w->model, w->keep, 0);
    keep_destroy(w->keep);
    memset(&w->told, 0, sizeof w->told);
    begin_keep(w, 2 * FIRST_VERSION);
    assert_int_equal(keep_put(w->keep, WIRE_DOCUMENT_TICKET, 1, "n", 1), MARCH_ERR_UNAVAILABLE);
    model_connect(w->model, w->keep, 0);
    assert_true(model_take(w->model, w->keep, 0));
    assert_true(model_work(w->model, 0));
    assert_true(model_tell(w->model, w->keep, 0));
    assert_int_equal(w->told.recalled, 10);
    assert_false(keep_is_ready(w->keep));
    model_lose(w->model, w->keep, 0);
    model_settle_down(w->model, w->keep, &w->now);
    assert_int_equal(w->told.recalled, 36);
    assert_int_equal(w->told.ready, 1);
    model_lose(w->model, w->keep, 0); /* and never again */
    model_settle_down(w->model, w->keep, &w->now);
    assert_int_equal(w->told.recalled, 36);
    assert_int_equal(w->told.ready, 1);
    world_free(w);
}

static void test_keep_clock_set_back_still_makes_newer_versions(void **state) {
    (void)state;
    struct world *w = world_new(1);
    put(w, WIRE_DOCUMENT_TICKET, 1, "old");
    put(w, WIRE_DOCUMENT_PARTY, 2, "old");
    assert_int_equal(keep_erase(w->keep, WIRE_DOCUMENT_PARTY, 2), 0); /* the newest of all is of what is no more */
    model_settle_down(w->model, w->keep, &w->now);
    model_lose(w->model, w->keep, 0);
    keep_destroy(w->keep);
    begin_keep(w, 1);
    model_settle_down(w->model, w->keep, &w->now);
    put(w, WIRE_DOCUMENT_PARTY, 2, "new");
    put(w, WIRE_DOCUMENT_TICKET, 1, "new");
    model_settle_down(w->model, w->keep, &w->now);
    assert_string_equal(kept(w, WIRE_DOCUMENT_TICKET, 1), "new");
    assert_string_equal(kept(w, WIRE_DOCUMENT_PARTY, 2), "new");
    world_free(w);
}

/* --- questions */

static void test_keep_lookup_is_asked_once_and_told_once(void **state) {
    (void)state;
    struct world *w = world_new(3);
    model_rating(w->model, 42, MODE)->rating.mu = 30;
    assert_int_equal(keep_lookup(w->keep, 42, MODE), 0);
    assert_int_equal(keep_lookup(w->keep, 42, MODE), 0);
    assert_int_equal(keep_lookup(w->keep, 42, "arena"), 0);
    assert_int_equal(keep_stats_get(w->keep).asks, 2);
    model_settle_down(w->model, w->keep, &w->now);
    assert_int_equal(w->told.ratings, 2);
    assert_int_equal(w->told.rating.player, 42);
    assert_int_equal(keep_stats_get(w->keep).asks, 0);
    assert_int_equal(keep_lookup(w->keep, 42, MODE), 0);
    model_settle_down(w->model, w->keep, &w->now);
    assert_int_equal(w->told.ratings, 3);
    assert_true(w->told.rating.mu == 30);
    world_free(w);
}

static void test_keep_not_now_is_asked_again_after_a_while(void **state) {
    (void)state;
    struct world *w = world_new(1);
    w->model->not_now = 1;
    assert_int_equal(keep_lookup(w->keep, 42, MODE), 0);
    assert_true(model_take(w->model, w->keep, 0) && model_work(w->model, 0) && model_tell(w->model, w->keep, 0));
    assert_false(model_take(w->model, w->keep, 0));
    keep_step(w->keep, mono_add_ms(w->now, KEEP_AGAIN_MS - 1));
    assert_false(model_take(w->model, w->keep, 0));
    w->model->not_now = 0;
    w->now = mono_add_ms(w->now, KEEP_AGAIN_MS);
    keep_step(w->keep, w->now);
    assert_true(model_take(w->model, w->keep, 0) && model_work(w->model, 0));
    assert_int_equal(w->told.ratings, 0);
    assert_true(model_tell(w->model, w->keep, 0));
    assert_int_equal(w->told.ratings, 1);
    world_free(w);
}

static void test_keep_settlement_whose_answer_is_lost_is_done_once(void **state) {
    (void)state;
    struct world *w = world_new(2);
    struct wire_settle settle = {.match = 8, .player = 42, .mu = 27, .sigma = 5, .flags = WIRE_SETTLE_RATED, .mode = MODE};
    uint32_t shard = shard_of_player(42, 2);
    assert_int_equal(keep_settle(w->keep, &settle), 0);
    assert_true(model_take(w->model, w->keep, shard) && model_work(w->model, shard));
    model_lose(w->model, w->keep, shard);
    assert_int_equal(w->told.settled, 0);
    model_settle_down(w->model, w->keep, &w->now);
    assert_int_equal(w->told.settled, 1);
    assert_int_equal(w->model->settled_count, 1);
    assert_int_equal(w->model->settled_again, 1);
    w->model->refused = 43;
    settle.player = 43;
    assert_int_equal(keep_settle(w->keep, &settle), 0);
    model_settle_down(w->model, w->keep, &w->now);
    assert_int_equal(w->told.settled, 2);
    assert_int_equal(w->told.refused, 1);
    world_free(w);
}

static void test_keep_read_finds_a_result_or_tells_that_there_is_none(void **state) {
    (void)state;
    struct world *w = world_new(2);
    put(w, WIRE_DOCUMENT_RESULT, 6, "won");
    assert_int_equal(keep_read(w->keep, WIRE_DOCUMENT_RESULT, 6), 0);
    model_settle_down(w->model, w->keep, &w->now);
    assert_int_equal(w->told.reads, 1);
    assert_string_equal(w->told.read, "won");
    assert_int_equal(keep_read(w->keep, WIRE_DOCUMENT_RESULT, 7), 0);
    model_settle_down(w->model, w->keep, &w->now);
    assert_int_equal(w->told.reads, 2);
    assert_string_equal(w->told.read, "");
    world_free(w);
}

static void test_keep_asks_full_are_refused(void **state) {
    (void)state;
    struct world *w = world_new(1);
    for (uint64_t player = 1; player <= KEEP_ASKS_MAX; player++) assert_int_equal(keep_lookup(w->keep, player, MODE), 0);
    assert_int_equal(keep_lookup(w->keep, KEEP_ASKS_MAX + 1, MODE), MARCH_ERR_FULL);
    assert_int_equal(keep_lookup(w->keep, 1, MODE), 0);
    model_settle_down(w->model, w->keep, &w->now);
    assert_int_equal(w->told.ratings, KEEP_ASKS_MAX);
    world_free(w);
}

/* --- pages */

static void test_keep_page_merges_the_rows_of_all_shards(void **state) {
    (void)state;
    struct world *w = world_new(4);
    assert_int_equal(keep_page(w->keep, 77, MODE, 1, 10), 0);
    assert_int_equal(keep_page(w->keep, 77, MODE, 1, 10), 0);
    model_settle_down(w->model, w->keep, &w->now);
    assert_int_equal(w->told.pages, 1);
    assert_true(w->told.is_whole);
    assert_int_equal(w->told.row_count, 10);
    for (uint32_t i = 0; i < 10; i++) assert_int_equal(w->told.rows[i].points, 1000 - (int)i);
    assert_int_equal(keep_page(w->keep, 77, MODE, 0, 10), 0); /* ties: by id, as each shard has them */
    model_settle_down(w->model, w->keep, &w->now);
    for (uint32_t i = 0; i < 10; i++) assert_int_equal(w->told.rows[i].player, i + 1);
    assert_int_equal(keep_page(w->keep, 0, MODE, 1, 10), MARCH_ERR_INVALID);
    assert_int_equal(keep_page(w->keep, 77, MODE, 1, WIRE_BOARD_PAGE_MAX + 1), MARCH_ERR_INVALID);
    world_free(w);
}

static void test_keep_page_with_a_shard_away_is_told_as_not_whole(void **state) {
    (void)state;
    struct world *w = world_new(2);
    assert_int_equal(keep_page(w->keep, 77, MODE, 1, 10), 0);
    for (uint32_t shard = 0; shard < 2; shard++) assert_true(model_take(w->model, w->keep, shard));
    assert_true(model_work(w->model, 0) && model_tell(w->model, w->keep, 0));
    assert_int_equal(w->told.pages, 0);
    model_lose(w->model, w->keep, 1);
    keep_step(w->keep, w->now);
    assert_int_equal(w->told.pages, 1);
    assert_false(w->told.is_whole);
    assert_int_equal(w->told.row_count, 10);
    model_lose(w->model, w->keep, 0);
    assert_int_equal(keep_page(w->keep, 77, MODE, 1, 10), 0);
    keep_step(w->keep, w->now);
    assert_int_equal(w->told.pages, 2);
    assert_false(w->told.is_whole);
    assert_int_equal(w->told.row_count, 0);
    world_free(w);
}

static void test_keep_pages_full_are_refused(void **state) {
    (void)state;
    struct world *w = world_new(1);
    for (uint64_t request = 1; request <= KEEP_PAGES_MAX; request++)
        assert_int_equal(keep_page(w->keep, request, MODE, 1, 1), 0);
    assert_int_equal(keep_page(w->keep, KEEP_PAGES_MAX + 1, MODE, 1, 1), MARCH_ERR_FULL);
    world_free(w);
}

static void test_keep_without_shards_answers_and_forgets(void **state) {
    (void)state;
    struct world *w = world_new(0);
    put(w, WIRE_DOCUMENT_TICKET, 5, "one");
    assert_true(keep_is_durable(w->keep, keep_mark(w->keep)));
    assert_int_equal(keep_lookup(w->keep, 42, MODE), 0);
    assert_int_equal(keep_settle(w->keep, &(struct wire_settle){.match = 1, .player = 42}), 0);
    assert_int_equal(keep_read(w->keep, WIRE_DOCUMENT_RESULT, 1), 0);
    assert_int_equal(keep_page(w->keep, 77, MODE, 1, 10), 0);
    keep_step(w->keep, w->now);
    assert_int_equal(w->told.ratings, 1);
    assert_true(w->told.rating.sigma == 0 && w->told.rating.result == WIRE_MATCH_OK);
    assert_int_equal(w->told.settled, 1);
    assert_int_equal(w->told.reads, 1);
    assert_int_equal(w->told.pages, 1);
    assert_int_equal(w->told.ready, 1);
    world_free(w);
}

/* --- at random
 *
 * Keys 1 to KEYS have a ticket and a party each, which are always put, or erased, in one group and say the same; between
 * two groups other documents are put, which belong to nothing. What was said to be durable is remembered with what was put
 * then: what persist has is that, or something newer. */

#define KEYS  40
#define MARKS 100000

struct promise {
    uint64_t mark;
    uint32_t key, step; /* step: that put it */
};

struct chance {
    struct world *w;
    struct promise promises[MARKS];
    uint32_t promise_count, checked, begun; /* begun: those from here on were made by this keep */
    uint32_t steps;
};

static uint32_t step_of(const struct world *w, enum wire_document_kind kind, uint64_t key) {
    struct model_document_key id = {(uint64_t)kind, key};
    struct model_document *d;
    HASH_FIND(hh, w->model->documents, &id, sizeof id, d);
    uint32_t step = 0;
    if (d && d->len > 0) memcpy(&step, d->bytes, sizeof step);
    return step;
}

static void check_whole(void *context) {
    const struct chance *c = context;
    for (uint64_t key = 1; key <= KEYS; key++)
        assert_int_equal(step_of(c->w, WIRE_DOCUMENT_TICKET, key), step_of(c->w, WIRE_DOCUMENT_PARTY, key));
}

/* A step that erases leaves 0 behind, so a promise is kept by a later step, or by nothing where a later one erased. */
static void check_promises(struct chance *c) {
    static uint32_t erased[KEYS + 1];
    memset(erased, 0, sizeof erased);
    for (uint32_t i = 0; i < c->promise_count; i++)
        if (c->promises[i].step & 1) erased[c->promises[i].key] = c->promises[i].step;
    for (; c->checked < c->promise_count && keep_is_durable(c->w->keep, c->promises[c->checked].mark); c->checked++) {
        const struct promise *p = &c->promises[c->checked];
        uint32_t step = step_of(c->w, WIRE_DOCUMENT_TICKET, p->key);
        assert_true(step >= p->step || (step == 0 && erased[p->key] >= p->step));
    }
}

static void change(struct chance *c) {
    struct world *w = c->w;
    uint8_t bytes[512] = {0};
    uint32_t key = 1 + (uint32_t)model_random(w->model) % KEYS, step = 2 * ++c->steps;
    uint32_t len = 4 + (uint32_t)(model_random(w->model) % (sizeof bytes - 4));
    bool erases = model_random(w->model) % 3 == 0;
    keep_cut(w->keep);
    if (erases) {
        step++;
        assert_int_equal(keep_erase(w->keep, WIRE_DOCUMENT_TICKET, key), 0);
        assert_int_equal(keep_erase(w->keep, WIRE_DOCUMENT_PARTY, key), 0);
    } else {
        memcpy(bytes, &step, sizeof step);
        assert_int_equal(keep_put(w->keep, WIRE_DOCUMENT_PARTY, key, bytes, len), 0);
        assert_int_equal(keep_put(w->keep, WIRE_DOCUMENT_TICKET, key, bytes, len), 0);
    }
    if (model_random(w->model) % 2) keep_cut(w->keep);
    c->promises[c->promise_count++] = (struct promise){keep_mark(w->keep), key, step};
    if (model_random(w->model) % 2)
        assert_int_equal(keep_put(w->keep, WIRE_DOCUMENT_INSTANCE, 1 + model_random(w->model) % 9, bytes, len), 0);
}

/* restart begins anew with what persist has; what was not durable may be there, or not. */
static void restart(struct chance *c) {
    struct world *w = c->w;
    for (uint32_t shard = 0; shard < w->model->shard_count; shard++) model_lose(w->model, w->keep, shard);
    keep_destroy(w->keep);
    memset(&w->told, 0, sizeof w->told);
    begin_keep(w, FIRST_VERSION + (uint64_t)c->steps * 1000);
    c->promise_count = c->begun = c->checked;
    uint32_t count = 0;
    for (const struct model_document *d = w->model->documents; d; d = d->hh.next) count += d->len > 0;
    for (uint32_t i = 0; i < 5 && !keep_is_ready(w->keep); i++) {
        model_connect(w->model, w->keep, 0);
        (void)(model_take(w->model, w->keep, 0) && model_work(w->model, 0) && model_tell(w->model, w->keep, 0));
        if (model_random(w->model) % 2) model_lose(w->model, w->keep, 0);
    }
    model_settle_down(w->model, w->keep, &w->now);
    assert_int_equal(w->told.recalled, count);
    for (uint32_t i = 0; i < c->promise_count; i++) c->promises[i].mark = 0; /* all that is promised was durable */
}

static void let_pass(struct chance *c) {
    struct world *w = c->w;
    uint32_t shard = (uint32_t)model_random(w->model) % w->model->shard_count;
    switch (model_random(w->model) % 16) {
    case 0: model_lose(w->model, w->keep, shard); break;
    case 1:
    case 2: model_connect(w->model, w->keep, shard); break;
    case 3:
    case 4:
    case 5:
    case 6: (void)model_take(w->model, w->keep, shard); break;
    case 7:
    case 8:
    case 9: (void)model_work(w->model, shard); break;
    case 10:
    case 11:
    case 12: (void)model_tell(w->model, w->keep, shard); break;
    case 13: assert_int_equal(keep_lookup(w->keep, 1 + model_random(w->model) % 50, MODE), 0); break;
    case 14:
        assert_int_equal(keep_settle(w->keep, &(struct wire_settle){.match = 1 + model_random(w->model) % 50,
                                                                    .player = 1 + model_random(w->model) % 5}),
                         0);
        break;
    case 15:
        w->now = mono_add_ms(w->now, 100);
        keep_step(w->keep, w->now);
        break;
    }
}

static void check_end(struct chance *c) {
    struct world *w = c->w;
    model_settle_down(w->model, w->keep, &w->now);
    check_promises(c);
    assert_int_equal(c->checked, c->promise_count);
    assert_int_equal(keep_stats_get(w->keep).asks, 0);
    assert_int_equal(keep_stats_get(w->keep).pending, 0);
    for (uint64_t key = 1; key <= KEYS; key++) {
        uint32_t last = 0;
        for (uint32_t i = c->begun; i < c->promise_count; i++)
            if (c->promises[i].key == key) last = c->promises[i].step;
        if (last > 0) assert_int_equal(step_of(w, WIRE_DOCUMENT_TICKET, key), last & 1 ? 0 : last);
    }
}

static void test_keep_random_faults_lose_nothing_that_was_durable(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct chance *c = calloc(1, sizeof *c);
        assert_non_null(c);
        c->w = world_new(1 + (uint32_t)seed % 3);
        c->w->model->random = seed * 0x9e3779b97f4a7c15ULL;
        c->w->model->not_now = 5;
        c->w->model->on_transaction = check_whole;
        c->w->model->context = c;
        printf("seed %u\n", (unsigned)seed);
        for (uint32_t i = 0; i < 3000; i++) {
            if (model_random(c->w->model) % 4 == 0) change(c);
            let_pass(c);
            check_promises(c);
            if (model_random(c->w->model) % 500 == 0) restart(c);
        }
        check_end(c);
        world_free(c->w);
        free(c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep_put_is_durable_when_persist_says_so),
        cmocka_unit_test(test_keep_put_after_erase_wins_and_erase_after_put),
        cmocka_unit_test(test_keep_lost_on_the_way_is_sent_again),
        cmocka_unit_test(test_keep_new_is_new_over_one_connection_only),
        cmocka_unit_test(test_keep_answer_for_a_message_that_was_never_sent_makes_nothing_durable),
        cmocka_unit_test(test_keep_group_that_does_not_fit_waits_for_the_next_message),
        cmocka_unit_test(test_keep_full_refuses_puts_and_still_erases),
        cmocka_unit_test(test_keep_recall_that_is_interrupted_tells_each_once),
        cmocka_unit_test(test_keep_clock_set_back_still_makes_newer_versions),
        cmocka_unit_test(test_keep_lookup_is_asked_once_and_told_once),
        cmocka_unit_test(test_keep_not_now_is_asked_again_after_a_while),
        cmocka_unit_test(test_keep_settlement_whose_answer_is_lost_is_done_once),
        cmocka_unit_test(test_keep_read_finds_a_result_or_tells_that_there_is_none),
        cmocka_unit_test(test_keep_asks_full_are_refused),
        cmocka_unit_test(test_keep_page_merges_the_rows_of_all_shards),
        cmocka_unit_test(test_keep_page_with_a_shard_away_is_told_as_not_whole),
        cmocka_unit_test(test_keep_pages_full_are_refused),
        cmocka_unit_test(test_keep_without_shards_answers_and_forgets),
        cmocka_unit_test(test_keep_random_faults_lose_nothing_that_was_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
