/* Matches against a real PostgreSQL: documents are kept in order and found again, whoever crashes; rewards and ratings are
 * had once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "common/item_kinds.h"
#include "persist/documents.h"
#include "persist/match_keep.h"
#include "tests/unit/journal_fixture.h"
#include "tests/unit/value_harness.h"

enum { PLAYER = 7, OTHER = 8, MANY = 3000, FREEZE_MS = 4000 };

static struct pg_fixture fixture;
static struct journal_fixture trail;
static int64_t epoch;

static int setup(void **state) {
    (void)state;
    pg_fixture_open(&fixture, "-c fsync=on");
    epoch = pg_fixture_migrate(&fixture);
    journal_fixture_init(&trail);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    journal_fixture_deinit(&trail);
    pg_fixture_close(&fixture);
    return 0;
}

struct world {
    struct value_harness value;
    struct documents *kept;
    struct match_keep *matches;
    uint64_t seq, durable_seq;
    bool is_recalled, is_fenced;
    uint64_t erased_version; /* as a recall has told it; 0: it has not */
    uint32_t documents, reads, ratings, settled, rows, ends, no_room;
    uint64_t bytes; /* of documents, added up */
    struct wire_document document, read;
    uint8_t read_bytes[WIRE_DOCUMENT_BYTES_MAX];
    struct wire_rating rating;
    struct wire_settled settle;
    struct wire_page_row page[WIRE_BOARD_PAGE_MAX];
    struct wire_page_end end;
};

static void on_no_room(void *ctx, uint64_t player, uint64_t key, uint64_t object) {
    (void)player, (void)key, (void)object;
    ((struct world *)ctx)->no_room++;
}

static void on_fenced(void *ctx) {
    ((struct world *)ctx)->is_fenced = true;
}

static int replay(void *ctx, uint64_t position, uint16_t type, const uint8_t *bytes, size_t len) {
    assert_int_equal(type, DOCUMENTS_RECORD);
    return documents_replay(ctx, position, bytes, len);
}

/* The whole journal is replayed each time. */
static void open_documents(struct world *w) {
    const struct documents_config config = {
        .pg = w->value.pool.pg, .epoch = epoch, .journal = trail.journal, .fenced = on_fenced, .ctx = w};
    assert_int_equal(documents_create(&w->kept, &config), 0);
    assert_int_equal(journal_recover(trail.journal, 0, replay, w->kept, trail.error, sizeof trail.error), 0);
}

static void open_world(struct world *w) {
    *w = (struct world){0};
    value_harness_open(&w->value, fixture.uri, (struct value_config){.epoch = (uint64_t)epoch});
    assert_int_equal(journal_open(&trail.config, &trail.journal, trail.error, sizeof trail.error), 0);
    open_documents(w);
    const struct match_keep_config config = {.loop = w->value.pool.loop,
                                             .pg = w->value.pool.pg,
                                             .read_pg = w->value.pool.pg,
                                             .look_pg = w->value.pool.pg,
                                             .value = w->value.value,
                                             .documents = w->kept,
                                             .epoch = epoch,
                                             .shard_count = 1,
                                             .no_room = on_no_room,
                                             .fenced = on_fenced,
                                             .ctx = w};
    assert_int_equal(match_keep_create(&w->matches, &config), 0);
    harness_until(&w->value.pool, w->value.started);
    match_keep_begin(w->matches);
}

static void close_world(struct world *w) {
    value_destroy(w->value.value);
    pg_destroy(w->value.pool.pg);
    match_keep_destroy(w->matches);
    documents_destroy(w->kept);
    journal_fixture_stop(&trail);
    ev_loop_destroy(w->value.pool.loop);
}

/* hear takes what is to be told. */
static bool hear(struct world *w) {
    struct wire_match_told told;
    journal_update(trail.journal, mono_now());
    documents_update(w->kept, mono_now());
    match_keep_update(w->matches);
    while (match_keep_fill(w->matches, &told)) {
        w->durable_seq = told.durable_seq;
        w->is_recalled |= told.is_recalled;
        for (uint32_t i = 0; i < told.document_count; i++) {
            if (told.documents[i].key == 0) {
                w->erased_version = told.documents[i].version;
                continue;
            }
            w->documents++;
            w->bytes += told.documents[i].len;
            w->document = told.documents[i];
            assert_true(told.documents[i].offset + told.documents[i].len <= told.blob_len);
        }
        for (uint32_t i = 0; i < told.read_count; i++) {
            w->read = told.reads[i];
            memcpy(w->read_bytes, told.blob + w->read.offset, w->read.len);
        }
        w->reads += told.read_count;
        if (told.rating_count > 0) w->rating = told.ratings[told.rating_count - 1];
        w->ratings += told.rating_count;
        if (told.settled_count > 0) w->settle = told.settled[told.settled_count - 1];
        w->settled += told.settled_count;
        for (uint32_t i = 0; i < told.row_count; i++) w->page[w->rows++ % WIRE_BOARD_PAGE_MAX] = told.rows[i];
        if (told.end_count > 0) w->end = told.ends[told.end_count - 1];
        w->ends += told.end_count;
        match_keep_told(w->matches);
    }
    return true;
}

#define hear_until(w, condition) harness_until(&(w)->value.pool, hear(w) && (condition))

static uint64_t ask(struct world *w, struct wire_match_ask request) {
    request.seq = ++w->seq;
    match_keep_ask(w->matches, &request);
    return w->seq;
}

static uint64_t put_as(struct world *w, uint64_t key, uint64_t version, const char *text, uint32_t flags) {
    const struct wire_document document = {
        .key = key, .version = version, .kind = WIRE_DOCUMENT_TICKET, .len = (uint32_t)strlen(text), .flags = flags};
    return ask(w, (struct wire_match_ask){.documents = &document,
                                          .document_count = 1,
                                          .blob = (const uint8_t *)text,
                                          .blob_len = (uint32_t)strlen(text)});
}

static uint64_t put(struct world *w, uint64_t key, uint64_t version, const char *text) {
    return put_as(w, key, version, text, 0);
}

static const char *get(struct world *w, uint64_t key) {
    const struct wire_document wanted = {.key = key, .kind = WIRE_DOCUMENT_TICKET};
    uint32_t before = w->reads;
    ask(w, (struct wire_match_ask){.reads = &wanted, .read_count = 1});
    hear_until(w, w->reads > before);
    assert_true(w->read.key == key);
    w->read_bytes[w->read.len] = '\0';
    return (const char *)w->read_bytes;
}

static void recall(struct world *w) {
    w->documents = 0;
    w->bytes = 0;
    w->is_recalled = false;
    w->erased_version = 0;
    ask(w, (struct wire_match_ask){.recalls = true});
    hear_until(w, w->is_recalled);
}

static void clear(void) {
    journal_fixture_empty(trail.dir);
    pg_fixture_execute(&fixture, "truncate match_documents, ratings, match_settled");
}

/* --- documents */

static void test_matches_documents_are_found_again(void **state) {
    (void)state;
    struct world w;
    clear();
    open_world(&w);
    uint64_t seq = put(&w, UINT64_MAX, 10, "first");
    put(&w, 5, 11, "second");
    put(&w, 6, 12, "third");
    seq = put(&w, 6, 13, "");
    hear_until(&w, w.durable_seq >= seq);
    assert_string_equal(get(&w, UINT64_MAX), "first");
    assert_string_equal(get(&w, 6), "");
    assert_string_equal(get(&w, 77), "");
    close_world(&w);
    open_world(&w);
    recall(&w);
    assert_int_equal(w.documents, 2);
    assert_int_equal(w.bytes, strlen("firstsecond"));
    assert_int_equal(w.erased_version, 13); /* the next is to be greater, whatever the clock says */
    put(&w, 5, 14, "");
    recall(&w);
    assert_int_equal(w.erased_version, 14);
    seq = put(&w, 5, 15, "again"), seq = put(&w, 6, 16, "again");
    hear_until(&w, w.durable_seq >= seq);
    recall(&w);
    assert_true(w.erased_version == 0 && w.documents == 3);
    close_world(&w);
}

/* put_and_erase has a document live for so short that no flush sees it. */
static void put_and_erase(struct world *w, uint64_t key, uint64_t version) {
    documents_hold(w->kept, true);
    put_as(w, key, version, "short", WIRE_DOCUMENT_NEW);
    uint64_t seq = put(w, key, version + 1, "");
    hear_until(w, w->durable_seq >= seq);
    documents_hold(w->kept, false);
}

static void test_matches_new_documents_that_were_erased_are_not_recalled(void **state) {
    (void)state;
    struct world w;
    clear();
    open_world(&w);
    put_and_erase(&w, 1, 10);
    recall(&w);
    assert_true(w.documents == 0 && w.erased_version == 0); /* nothing is there that a version could be too small for */
    put_as(&w, 2, 12, "stays", WIRE_DOCUMENT_NEW);
    recall(&w);
    assert_int_equal(w.documents, 1);
    put(&w, 2, 13, "");
    recall(&w);
    assert_true(w.documents == 0 && w.erased_version == 13);
    put_and_erase(&w, 3, 20);
    close_world(&w);
    open_world(&w); /* of what the journal has, it can't tell whether it was stored */
    recall(&w);
    assert_true(w.documents == 0 && w.erased_version == 21);
    assert_string_equal(get(&w, 3), "");
    close_world(&w);
}

static void test_matches_older_versions_change_nothing(void **state) {
    (void)state;
    struct world w;
    clear();
    open_world(&w);
    put(&w, 1, 20, "new");
    put(&w, 1, 19, "old");
    put(&w, 2, 20, "");
    uint64_t seq = put(&w, 2, 19, "risen from the dead");
    hear_until(&w, w.durable_seq >= seq);
    assert_string_equal(get(&w, 1), "new");
    assert_string_equal(get(&w, 2), "");
    seq = put(&w, 2, 21, "anew");
    hear_until(&w, w.durable_seq >= seq);
    assert_string_equal(get(&w, 2), "anew");
    close_world(&w);
}

static void test_matches_many_documents_are_recalled_in_pieces(void **state) {
    (void)state;
    struct world w;
    clear();
    open_world(&w);
    char body[1000];
    memset(body, 'x', sizeof body);
    body[999] = '\0';
    uint64_t seq = 0;
    for (uint64_t i = 0; i < MANY; i++) seq = put(&w, i * 0x9e3779b97f4a7c15u + 1, i + 1, body + (i % 900));
    assert_true(match_keep_has_room(w.matches));
    hear_until(&w, w.durable_seq >= seq);
    recall(&w);
    assert_int_equal(w.documents, MANY);
    recall(&w); /* another time, in the same connection */
    assert_int_equal(w.documents, MANY);
    close_world(&w);
}

static uint64_t put_many(struct world *w, uint64_t count) {
    uint64_t seq = 0;
    for (uint64_t i = 1; i <= count; i++) seq = put(w, i, i, "a document of some forty bytes or thereabouts");
    return seq;
}

/* What is kept while a recall goes on is none of it, and waits. */
static void test_matches_a_recall_is_of_one_moment(void **state) {
    (void)state;
    struct world w;
    clear();
    open_world(&w);
    uint64_t seq = put_many(&w, MANY);
    hear_until(&w, w.durable_seq >= seq);
    ask(&w, (struct wire_match_ask){.recalls = true});
    hear_until(&w, w.documents > 0);
    assert_false(w.is_recalled);
    seq = put(&w, INT64_MAX, 1, "of later");
    put(&w, MANY, MANY + 1, "");
    hear_until(&w, w.is_recalled);
    assert_int_equal(w.documents, MANY);
    assert_true(w.document.key == MANY);
    hear_until(&w, w.durable_seq > seq);
    recall(&w);
    assert_int_equal(w.documents, MANY);
    assert_true(w.document.key == INT64_MAX);
    close_world(&w);
}

/* What one matchmaker left under way is found by the next. */
static void test_matches_a_recall_has_what_was_under_way(void **state) {
    (void)state;
    struct world w;
    clear();
    open_world(&w);
    put_many(&w, MANY); /* the first is on its way, the others wait for it */
    match_keep_begin(w.matches);
    w.seq = 0;
    recall(&w);
    assert_int_equal(w.documents, MANY);
    close_world(&w);
}

/* release lets the journal drop what PostgreSQL has. */
static void release(const struct world *w) {
    uint64_t reach = documents_watermark(w->kept), durable = journal_durable(trail.journal);
    journal_release(trail.journal, reach < durable ? reach : durable);
}

/* The journal is full, as nothing of it is released; PostgreSQL goes on taking what there is. */
static void test_matches_no_more_is_taken_than_there_is_room_for(void **state) {
    (void)state;
    static char body[WIRE_DOCUMENT_BYTES_MAX];
    struct world w;
    uint64_t seq = 0, random = 1;
    for (size_t i = 0; i + 1 < sizeof body; i++) body[i] = (char)(1 + (random = random * 6364136223846793005u + 1) % 254);
    clear();
    open_world(&w);
    while (match_keep_has_room(w.matches)) {
        seq = put(&w, seq + 1, seq + 1, body + seq % 1000);
        if (match_keep_has_room(w.matches)) continue;
        (void)!journal_wait(trail.journal);
        hear(&w);
    }
    assert_true(seq * sizeof body > trail.config.bytes_max / 2);
    assert_true(w.durable_seq < seq);
    hear_until(&w, (release(&w), w.durable_seq == seq && match_keep_has_room(w.matches)));
    close_world(&w);
}

static void test_matches_a_new_connection_is_told_nothing_of_the_old_one(void **state) {
    (void)state;
    struct world w;
    clear();
    open_world(&w);
    for (int i = 0; i < 100; i++) put(&w, 1, w.seq + 1, "old");
    match_keep_begin(w.matches);
    w.seq = w.durable_seq = 0;
    uint64_t seq = put(&w, 1, 1000, "new");
    hear_until(&w, w.durable_seq > 0);
    assert_true(w.durable_seq == seq);
    assert_string_equal(get(&w, 1), "new");
    close_world(&w);
}

/* --- ratings and rewards */

static struct wire_settle settle_of(uint64_t match, uint64_t player) {
    return (struct wire_settle){.match = match,
                                .player = player,
                                .mu = 26.123456789012345,
                                .sigma = 7.0000000000000009,
                                .gold = 50,
                                .item_kind = ITEM_KIND_HERB,
                                .item_count = 3,
                                .season = 2,
                                .points = 1567,
                                .flags = WIRE_SETTLE_RATED,
                                .is_won = 1,
                                .mode = "duel"};
}

static enum wire_match_result settle(struct world *w, struct wire_settle settle) {
    uint32_t before = w->settled;
    ask(w, (struct wire_match_ask){.settles = &settle, .settle_count = 1});
    hear_until(w, w->settled > before);
    assert_true(w->settle.match == settle.match && w->settle.player == settle.player);
    return w->settle.result;
}

static struct wire_rating rating_of(struct world *w, uint64_t player, const char *mode) {
    struct wire_rating_lookup lookup = {.player = player};
    snprintf(lookup.mode, sizeof lookup.mode, "%s", mode);
    uint32_t before = w->ratings;
    ask(w, (struct wire_match_ask){.lookups = &lookup, .lookup_count = 1});
    hear_until(w, w->ratings > before);
    return w->rating;
}

static int64_t gold_of(int player) {
    char sql[128];
    snprintf(sql, sizeof sql, "select gold from accounts where owner = %d", player);
    return pg_fixture_number(&fixture, sql);
}

static void test_matches_a_match_is_settled_once(void **state) {
    (void)state;
    struct world w;
    clear();
    open_world(&w);
    assert_true(rating_of(&w, PLAYER, "duel").sigma == 0);
    int64_t before = gold_of(PLAYER);
    for (int i = 0; i < 3; i++) assert_int_equal(settle(&w, settle_of(100, PLAYER)), WIRE_MATCH_OK);
    assert_int_equal(gold_of(PLAYER), before + 50);
    struct wire_rating rating = rating_of(&w, PLAYER, "duel");
    assert_true(rating.mu == 26.123456789012345 && rating.sigma == 7.0000000000000009);
    assert_true(rating.played == 1 && rating.won == 1 && rating.season == 2 && rating.rated_at_s > 1600000000);
    close_world(&w);
    open_world(&w); /* nor by another process, which knows of nothing */
    assert_int_equal(settle(&w, settle_of(100, PLAYER)), WIRE_MATCH_OK);
    assert_int_equal(gold_of(PLAYER), before + 50);
    assert_int_equal(rating_of(&w, PLAYER, "duel").played, 1);
    struct wire_settle next = settle_of(101, PLAYER);
    next.is_won = 0;
    assert_int_equal(settle(&w, next), WIRE_MATCH_OK);
    rating = rating_of(&w, PLAYER, "duel");
    assert_true(rating.played == 2 && rating.won == 1);
    next = settle_of(102, PLAYER);
    next.season = 3;
    assert_int_equal(settle(&w, next), WIRE_MATCH_OK);
    rating = rating_of(&w, PLAYER, "duel");
    assert_true(rating.played == 1 && rating.won == 1 && rating.season == 3);
    close_world(&w);
}

/* One that hung, and the one that was started in its place: whoever of them is heard first. */
static void test_matches_two_matchmakers_settle_a_match_once(void **state) {
    (void)state;
    struct world w;
    clear();
    open_world(&w);
    for (uint64_t match = 160; match < 180; match++) {
        struct wire_settle old = settle_of(match, PLAYER), new = old;
        int64_t before = gold_of(PLAYER);
        uint32_t settled = w.settled;
        int played = (int)(match - 160);
        new.mu = old.mu + 1;
        new.gold = old.gold + 5;
        ask(&w, (struct wire_match_ask){.settles = &old, .settle_count = 1});
        for (uint64_t turns = 0; turns < match % 10; turns++) ev_run(w.value.pool.loop, EVRUN_NOWAIT); /* as far as it got */
        match_keep_begin(w.matches);
        w.seq = 0;
        ask(&w, (struct wire_match_ask){.settles = &new, .settle_count = 1});
        hear_until(&w, w.settled > settled);
        assert_true(w.settle.match == match && w.settle.result == WIRE_MATCH_OK);
        int64_t gained = gold_of(PLAYER) - before;
        struct wire_rating rating = rating_of(&w, PLAYER, "duel");
        assert_true(gained == 50 || gained == 55);
        assert_int_equal(rating.played, played + 1);
        assert_true(gained == 50 ? rating.mu == old.mu : rating.mu == new.mu); /* all of one of them */
    }
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from match_settled"), 20);
    close_world(&w);
}

/* The ledger remembers its keys for a day, that a match is settled is known for months. */
static void test_matches_a_match_is_settled_once_though_the_ledger_forgot(void **state) {
    (void)state;
    struct world w;
    clear();
    open_world(&w);
    assert_int_equal(settle(&w, settle_of(150, PLAYER)), WIRE_MATCH_OK);
    int64_t before = gold_of(PLAYER);
    close_world(&w);
    pg_fixture_execute(&fixture, "delete from commands");
    open_world(&w);
    assert_int_equal(settle(&w, settle_of(150, PLAYER)), WIRE_MATCH_OK);
    assert_int_equal(gold_of(PLAYER), before);
    assert_int_equal(rating_of(&w, PLAYER, "duel").played, 1);
    close_world(&w);
}

/* It was granted, and whoever did it died before it could note that. */
static void test_matches_a_reward_that_was_not_noted_is_granted_once(void **state) {
    (void)state;
    struct world w;
    clear();
    open_world(&w);
    assert_int_equal(settle(&w, settle_of(151, PLAYER)), WIRE_MATCH_OK);
    int64_t before = gold_of(PLAYER);
    close_world(&w);
    clear();
    open_world(&w);
    assert_int_equal(settle(&w, settle_of(151, PLAYER)), WIRE_MATCH_OK);
    assert_int_equal(gold_of(PLAYER), before);
    assert_int_equal(rating_of(&w, PLAYER, "duel").played, 1);
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from match_settled"), 1);
    close_world(&w);
}

static void test_matches_a_reward_without_a_rating_rates_nobody(void **state) {
    (void)state;
    struct world w;
    clear();
    open_world(&w);
    struct wire_settle only = settle_of(200, PLAYER);
    only.flags = 0;
    only.mode[0] = '\0';
    int64_t before = gold_of(PLAYER);
    assert_int_equal(settle(&w, only), WIRE_MATCH_OK);
    assert_int_equal(settle(&w, only), WIRE_MATCH_OK);
    assert_int_equal(gold_of(PLAYER), before + 50);
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from ratings"), 0);
    close_world(&w);
}

static void test_matches_what_makes_no_sense_is_refused(void **state) {
    (void)state;
    struct world w;
    clear();
    open_world(&w);
    struct wire_settle bad[6];
    for (int i = 0; i < 6; i++) bad[i] = settle_of(300, PLAYER);
    bad[0].player = 0;
    bad[1].match = 0;
    bad[2].item_kind = ITEM_KIND_COUNT;
    bad[3].sigma = 0;
    bad[4].gold = UINT64_MAX;
    bad[5].mode[0] = '\0';
    for (int i = 0; i < 6; i++) assert_int_equal(settle(&w, bad[i]), WIRE_MATCH_REFUSED);
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from match_settled"), 0);
    close_world(&w);
}

static void test_matches_settles_outlive_crashes_once(void **state) {
    (void)state;
    struct world w;
    clear();
    open_world(&w);
    int64_t before = gold_of(PLAYER) + gold_of(OTHER);
    uint32_t asked = 0;
    for (uint64_t match = 400; match < 430; match++) {
        struct wire_settle both[2] = {settle_of(match, PLAYER), settle_of(match, OTHER)};
        ask(&w, (struct wire_match_ask){.settles = both, .settle_count = 2});
        asked += 2;
        if (match % 10 != 5) continue;
        hear_until(&w, w.settled >= asked - 8);
        pg_fixture_crash(&fixture);
        pg_fixture_start(&fixture);
    }
    hear_until(&w, w.settled == asked);
    assert_int_equal(gold_of(PLAYER) + gold_of(OTHER), before + 30 * 2 * 50);
    assert_int_equal(pg_fixture_number(&fixture, "select sum(played) from ratings"), 60);
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from match_settled"), 60);
    close_world(&w);
}

static void test_matches_say_when_the_database_does_not_answer(void **state) {
    (void)state;
    struct world w;
    clear();
    open_world(&w);
    pg_fixture_freeze(&fixture);
    uint64_t seq = put(&w, 1, 1, "kept");
    assert_int_equal(rating_of(&w, PLAYER, "duel").result, WIRE_MATCH_UNAVAILABLE);
    assert_true(w.durable_seq >= seq); /* documents need it not */
    assert_string_equal(get(&w, 1), "kept");
    pg_fixture_thaw(&fixture);
    hear_until(&w, documents_is_clean(w.kept));
    assert_string_equal(get(&w, 1), "kept");
    close_world(&w);
}

static void test_matches_pages_are_the_best_first(void **state) {
    (void)state;
    struct world w;
    clear();
    pg_fixture_execute(&fixture, "insert into players (player, name) values (1001, 'ann') on conflict do nothing;"
                                 "insert into ratings select 1000 + n, 'duel', 2, 25, 8, 1000 + n % 50, n, 0, now()"
                                 " from generate_series(1, 300) n;"
                                 "insert into ratings values (5000, 'arena', 2, 25, 8, 9999, 1, 1, now())");
    open_world(&w);
    const struct wire_page_ask page = {.request = 9, .season = 2, .count = 10, .mode = "duel"};
    ask(&w, (struct wire_match_ask){.pages = &page, .page_count = 1});
    hear_until(&w, w.ends == 1);
    assert_int_equal(w.rows, 10);
    assert_true(w.end.request == 9 && w.end.result == WIRE_MATCH_OK);
    assert_true(w.page[0].points == 1049 && w.page[0].player == 1049 && w.page[9].points == 1048);
    assert_string_equal(w.page[0].name, "");
    close_world(&w);
}

static void test_matches_are_fenced(void **state) {
    (void)state;
    struct world w;
    clear();
    open_world(&w);
    pg_fixture_execute(&fixture, "select march_raise_epoch()");
    put(&w, 1, 1, "of a server that is not the shard's any more");
    hear_until(&w, w.is_fenced);
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from match_documents"), 0);
    close_world(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches_documents_are_found_again),
        cmocka_unit_test(test_matches_older_versions_change_nothing),
        cmocka_unit_test(test_matches_new_documents_that_were_erased_are_not_recalled),
        cmocka_unit_test(test_matches_many_documents_are_recalled_in_pieces),
        cmocka_unit_test(test_matches_a_recall_is_of_one_moment),
        cmocka_unit_test(test_matches_a_recall_has_what_was_under_way),
        cmocka_unit_test(test_matches_no_more_is_taken_than_there_is_room_for),
        cmocka_unit_test(test_matches_a_new_connection_is_told_nothing_of_the_old_one),
        cmocka_unit_test(test_matches_a_match_is_settled_once),
        cmocka_unit_test(test_matches_two_matchmakers_settle_a_match_once),
        cmocka_unit_test(test_matches_a_match_is_settled_once_though_the_ledger_forgot),
        cmocka_unit_test(test_matches_a_reward_that_was_not_noted_is_granted_once),
        cmocka_unit_test(test_matches_a_reward_without_a_rating_rates_nobody),
        cmocka_unit_test(test_matches_what_makes_no_sense_is_refused),
        cmocka_unit_test(test_matches_settles_outlive_crashes_once),
        cmocka_unit_test(test_matches_say_when_the_database_does_not_answer),
        cmocka_unit_test(test_matches_pages_are_the_best_first),
        cmocka_unit_test(test_matches_are_fenced), /* the last one: the epoch is another after it */
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
