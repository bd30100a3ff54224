/* Documents on their way into PostgreSQL: groups are whole or not there, what is durable outlives whoever crashes, and the
 * journal is kept for as long as it is needed. Against a real PostgreSQL and a journal on the disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "persist/document_table.h"
#include "persist/documents.h"
#include "tests/unit/journal_fixture.h"
#include "tests/unit/pg_fixture.h"
#include "tests/unit/pg_harness.h"

enum { KIND = WIRE_DOCUMENT_TICKET, KEYS = 40, STEPS = 3000, RECORDS_MAX = 512 };

static struct pg_fixture server;
static struct journal_fixture f;
static struct harness harness;
static struct documents *documents;
static int64_t epoch;
static uint64_t applied; /* the watermark that the database would have */
static bool is_fenced;

/* --- the world */

static int start_server(void **state) {
    (void)state;
    pg_fixture_open(&server, "-c fsync=on");
    epoch = pg_fixture_migrate(&server);
    return 0;
}

static int stop_server(void **state) {
    (void)state;
    pg_fixture_close(&server);
    return 0;
}

static void fenced(void *ctx) {
    (void)ctx;
    is_fenced = true;
}

static int replay(void *ctx, uint64_t position, uint16_t type, const uint8_t *bytes, size_t len) {
    (void)ctx;
    return type == DOCUMENTS_RECORD ? documents_replay(documents, position, bytes, len) : 0;
}

static void open_documents(void) {
    harness_open(&harness,
                 &(struct pg_config){.name = "documents", .uri = server.uri, .connections = 2, .connect_ms = 1000});
    assert_int_equal(journal_open(&f.config, &f.journal, f.error, sizeof f.error), 0);
    const struct documents_config config = {.journal = f.journal, .pg = harness.pg, .epoch = epoch, .fenced = fenced};
    assert_int_equal(documents_create(&documents, &config), 0);
    assert_int_equal(journal_recover(f.journal, applied, replay, NULL, f.error, sizeof f.error), 0);
    harness_until(&harness, pg_is_available(harness.pg));
}

static void close_documents(void) {
    harness_close(&harness);
    documents_destroy(documents);
    journal_fixture_stop(&f);
}

static int open_all(void **state) {
    (void)state;
    pg_fixture_execute(&server, "truncate match_documents");
    journal_fixture_init(&f);
    applied = 0;
    is_fenced = false;
    open_documents();
    return 0;
}

static int close_all(void **state) {
    (void)state;
    close_documents();
    journal_fixture_deinit(&f);
    return 0;
}

/* A watermark that was committed outlives us; records after it are replayed. */
static void note_watermark(void) {
    uint64_t reach = documents_watermark(documents), durable = journal_durable(f.journal);
    reach = reach < durable ? reach : durable;
    if (reach <= applied) return;
    applied = reach;
    journal_release(f.journal, applied);
}

static bool turn(void) {
    journal_update(f.journal, mono_now());
    documents_update(documents, mono_now());
    return true;
}

#define turn_until(condition) harness_until(&harness, turn() && (condition))

/* A document is a number here, as text; 0: it is erased. */
static uint64_t put(uint64_t key, uint64_t version, int number) {
    char text[16];
    uint32_t len = number ? (uint32_t)snprintf(text, sizeof text, "%d", number) : 0;
    const struct wire_document document = {.key = key, .version = version, .kind = KIND, .len = len};
    return documents_put(documents, &document, 1, (const uint8_t *)text);
}

/* number_of returns what would be found after a restart: what is here, else what PostgreSQL has; 0 for none. */
static int number_of(uint64_t key) {
    const uint8_t *bytes;
    const struct wire_document *document = documents_find(documents, KIND, key, &bytes);
    char text[16] = "";
    if (document) {
        if (document->len > 0) memcpy(text, bytes, document->len);
        return atoi(text);
    }
    char sql[160];
    snprintf(sql, sizeof sql,
             "select coalesce(max(convert_from(body, 'utf8')::bigint), 0) from match_documents where key = %lld",
             (long long)key);
    return (int)pg_fixture_number(&server, sql);
}

static uint64_t put_new(uint64_t key, uint64_t version, int number) {
    char text[16];
    const struct wire_document document = {.key = key,
                                           .version = version,
                                           .kind = KIND,
                                           .len = (uint32_t)snprintf(text, sizeof text, "%d", number),
                                           .flags = WIRE_DOCUMENT_NEW};
    return documents_put(documents, &document, 1, (const uint8_t *)text);
}

static int64_t rows(void) {
    return pg_fixture_number(&server, "select count(*) from match_documents");
}

/* --- what PostgreSQL never hears of */

static void test_documents_that_are_new_and_erased_soon_are_never_stored(void **state) {
    (void)state;
    documents_hold(documents, true);
    (void)put_new(1, 1, 11);
    (void)put(1, 2, 12); /* changed meanwhile */
    (void)put(2, 3, 21); /* nobody says that this one is new */
    (void)put(1, 4, 0);
    uint64_t group = put(2, 5, 0);
    turn_until(documents_durable(documents) == group);
    assert_int_equal(documents_stats_get(documents).waiting, 1);
    documents_hold(documents, false);
    turn_until(documents_is_clean(documents));
    assert_int_equal(rows(), 1);
    assert_int_equal(number_of(1), 0);
    assert_true(documents_watermark(documents) == UINT64_MAX);
}

static void test_documents_that_are_being_stored_are_erased_there_too(void **state) {
    (void)state;
    documents_hold(documents, true);
    uint64_t group = put_new(1, 1, 11);
    turn_until(documents_durable(documents) == group);
    documents_hold(documents, false);
    documents_flush(documents); /* sent; that it arrived is not known here yet */
    group = put(1, 2, 0);
    while (documents_durable(documents) < group) (void)turn();
    assert_int_equal(documents_stats_get(documents).waiting, 1);
    turn_until(documents_is_clean(documents));
    assert_int_equal(rows(), 1);
    assert_int_equal(number_of(1), 0);
}

static void test_documents_are_not_new_after_a_restart(void **state) {
    (void)state;
    documents_hold(documents, true);
    uint64_t group = put_new(1, 1, 11);
    turn_until(documents_durable(documents) == group);
    close_documents();
    open_documents(); /* it may have been sent before */
    group = put(1, 2, 0);
    turn_until(documents_durable(documents) >= group && documents_is_clean(documents));
    assert_int_equal(rows(), 1);
}

/* --- what is durable */

static void test_documents_outlive_a_restart_before_postgres_has_them(void **state) {
    (void)state;
    documents_hold(documents, true);
    uint64_t group = put(UINT64_MAX, 1, 11);
    put(2, 2, 12);
    assert_int_equal(put(2, 3, 0), group + 2);
    turn_until(documents_durable(documents) == group + 2);
    assert_int_equal(pg_fixture_number(&server, "select count(*) from match_documents"), 0);
    close_documents();
    open_documents();
    assert_int_equal(documents_stats_get(documents).replayed, 3);
    assert_int_equal(number_of(UINT64_MAX), 11);
    turn_until(documents_is_clean(documents));
    assert_int_equal(number_of(UINT64_MAX), 11);
    assert_int_equal(number_of(2), 0);
    assert_int_equal(pg_fixture_number(&server, "select count(*) from match_documents where body is null"), 1);
}

static void test_documents_older_versions_change_nothing(void **state) {
    (void)state;
    put(1, 20, 21);
    put(1, 19, 22);
    put(2, 20, 0);
    turn_until(documents_is_clean(documents));
    put(2, 19, 23);
    put(1, 18, 24);
    turn_until(documents_is_clean(documents));
    assert_int_equal(number_of(1), 21);
    assert_int_equal(number_of(2), 0);
    put(2, 21, 25);
    turn_until(documents_is_clean(documents));
    assert_int_equal(number_of(2), 25);
}

static void test_documents_that_change_often_are_stored_seldom(void **state) {
    (void)state;
    uint64_t group = 0;
    for (uint64_t i = 1; i <= 3000; i++) group = put(1 + i % 3, i, 31);
    turn_until(documents_durable(documents) == group && documents_is_clean(documents));
    assert_true(documents_stats_get(documents).stored < 100);
    assert_int_equal(pg_fixture_number(&server, "select max(version) from match_documents"), 3000);
}

/* --- groups */

static struct {
    uint64_t position;
    size_t len;
    uint8_t bytes[JOURNAL_RECORD_BYTES_MAX];
} records[RECORDS_MAX];
static uint32_t record_count;

static int keep_record(void *ctx, uint64_t position, uint16_t type, const uint8_t *bytes, size_t len) {
    (void)ctx, (void)type;
    assert_true(record_count < RECORDS_MAX);
    records[record_count].position = position;
    records[record_count].len = len;
    memcpy(records[record_count++].bytes, bytes, len);
    return 0;
}

static void put_large_group(uint64_t version, uint32_t count) {
    static uint8_t blob[WIRE_MATCH_BLOB_MAX];
    static struct wire_document list[WIRE_MATCH_ITEMS_MAX];
    memset(blob, 'a' + (int)(version % 26), sizeof blob);
    for (uint32_t i = 0; i < count; i++)
        list[i] = (struct wire_document){
            .key = i + 1, .version = version, .kind = KIND, .offset = i * 100, .len = WIRE_DOCUMENT_BYTES_MAX - i};
    documents_put(documents, list, count, blob);
}

/* replay_some begins anew with the first records only. */
static void replay_some(uint32_t count) {
    documents_destroy(documents);
    const struct documents_config config = {.journal = f.journal, .pg = harness.pg, .epoch = epoch, .fenced = fenced};
    assert_int_equal(documents_create(&documents, &config), 0);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(documents_replay(documents, records[i].position, records[i].bytes, records[i].len), 0);
}

static void test_documents_a_group_is_there_whole_or_not_at_all(void **state) {
    (void)state;
    const uint32_t count = 20;
    documents_hold(documents, true);
    put_large_group(1, count);
    put_large_group(2, count);
    turn_until(documents_durable(documents) == 2);
    journal_fixture_stop(&f);
    assert_int_equal(journal_open(&f.config, &f.journal, f.error, sizeof f.error), 0);
    record_count = 0;
    assert_int_equal(journal_recover(f.journal, 0, keep_record, NULL, f.error, sizeof f.error), 0);
    assert_true(record_count % 2 == 0 && record_count > 2 * count);
    uint32_t one = record_count / 2;
    for (uint32_t i = 0; i <= record_count; i++) {
        const uint8_t *bytes;
        replay_some(i);
        for (uint32_t key = 1; key <= count; key++) {
            const struct wire_document *document = documents_find(documents, KIND, key, &bytes);
            uint64_t version = i == record_count ? 2 : i >= one ? 1 : 0;
            assert_true(version ? document && document->version == version : !document);
            if (document) assert_true(document->len == WIRE_DOCUMENT_BYTES_MAX - key + 1 && bytes[0] == 'a' + version);
        }
    }
    replay_some(one - 1); /* the first never was whole; then another process went on */
    for (uint32_t i = one; i < record_count; i++)
        assert_int_equal(documents_replay(documents, records[i].position, records[i].bytes, records[i].len), 0);
    assert_int_equal(documents_stats_get(documents).replayed, 1);
    replay_some(0); /* of the first PostgreSQL has all, and the watermark is within it */
    for (uint32_t i = 1; i < one; i++)
        assert_int_equal(documents_replay(documents, records[i].position, records[i].bytes, records[i].len), 0);
    assert_true(documents_is_clean(documents));
}

static void test_documents_records_that_are_none_are_refused(void **state) {
    (void)state;
    struct {
        uint32_t offset, total;
        uint64_t key, version;
        uint32_t kind, len;
    } piece = {0, 24, 1, 1, KIND, 0};
    assert_int_equal(documents_replay(documents, 1, (uint8_t *)&piece, 32), 0);
    assert_int_equal(documents_replay(documents, 2, (uint8_t *)&piece, 8), MARCH_ERR_INVALID);
    assert_int_equal(documents_replay(documents, 2, (uint8_t *)&piece, 3), MARCH_ERR_INVALID);
    piece.len = 1; /* more than there is */
    assert_int_equal(documents_replay(documents, 2, (uint8_t *)&piece, 32), MARCH_ERR_INVALID);
    piece.len = 0, piece.total = 20; /* less than there is */
    assert_int_equal(documents_replay(documents, 2, (uint8_t *)&piece, 32), MARCH_ERR_INVALID);
    piece.total = UINT32_MAX;
    assert_int_equal(documents_replay(documents, 2, (uint8_t *)&piece, 32), MARCH_ERR_INVALID);
    piece.total = 60;
    assert_int_equal(documents_replay(documents, 2, (uint8_t *)&piece, 32), 0);
    piece.offset = 25; /* one byte is missing */
    assert_int_equal(documents_replay(documents, 3, (uint8_t *)&piece, 32), MARCH_ERR_INVALID);
    close_documents(); /* nothing of it is for the journal of this test */
    open_documents();
}

/* --- the journal's room */

static void test_documents_the_watermark_stays_below_what_postgres_lacks(void **state) {
    (void)state;
    assert_true(documents_watermark(documents) == UINT64_MAX);
    documents_hold(documents, true);
    put(1, 1, 41);
    put(2, 2, 42);
    turn_until(documents_durable(documents) == 2);
    assert_int_equal(documents_watermark(documents), 0);
    put(1, 3, 43);
    assert_int_equal(documents_watermark(documents), 0); /* what replaces it is not durable */
    turn_until(documents_durable(documents) == 3);
    assert_int_equal(documents_watermark(documents), 1);
    put(2, 4, 44);
    turn_until(documents_durable(documents) == 4);
    assert_int_equal(documents_watermark(documents), 2);
    documents_hold(documents, false);
    turn_until(documents_is_clean(documents));
    assert_true(documents_watermark(documents) == UINT64_MAX);
}

static void test_documents_wait_while_the_journal_is_full(void **state) {
    (void)state;
    uint64_t versions = 0;
    documents_hold(documents, true);
    while (documents_has_room(documents)) {
        put_large_group(++versions, 25);
        if (documents_has_room(documents)) continue;
        (void)!journal_wait(f.journal);
        turn();
    }
    put_large_group(++versions, 25); /* that was under way already */
    assert_true(documents_durable(documents) < versions - 1);
    assert_true((versions - documents_durable(documents)) * 25 * WIRE_DOCUMENT_BYTES_MAX > DOCUMENTS_OUT_MAX);
    assert_true(documents_watermark(documents) < journal_durable(f.journal)); /* PostgreSQL has none of them */
    documents_hold(documents, false);
    turn_until((documents_flush(documents), note_watermark(), documents_durable(documents) == versions));
    turn_until(documents_is_clean(documents));
    assert_int_equal(pg_fixture_number(&server, "select min(version) from match_documents"), (int64_t)versions);
    assert_true(documents_has_room(documents));
}

/* --- PostgreSQL */

static void test_documents_outlive_crashes_of_postgres(void **state) {
    (void)state;
    uint64_t version = 0, group = 0;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 200; i++, version++) group = put(1 + version % 7, version + 1, 31);
        turn_until(documents_durable(documents) == group);
        pg_fixture_crash(&server);
        turn();
        pg_fixture_start(&server);
        turn_until(documents_is_clean(documents));
        assert_int_equal(pg_fixture_number(&server, "select max(version) from match_documents"), (int64_t)version);
        assert_int_equal(pg_fixture_number(&server, "select count(*) from match_documents"), 7);
    }
}

/* A transaction that PostgreSQL carries out when it wakes up changes nothing that is newer. */
static void test_documents_that_come_late_change_nothing(void **state) {
    (void)state;
    put(1, 1, 22);
    turn_until(documents_durable(documents) == 1);
    pg_fixture_freeze(&server);
    documents_flush(documents);
    put(1, 2, 0);
    turn_until(documents_stats_get(documents).failures > 0);
    pg_fixture_thaw(&server);
    turn_until(documents_is_clean(documents));
    assert_int_equal(number_of(1), 0);
}

static void test_documents_are_fenced(void **state) {
    (void)state;
    pg_fixture_execute(&server, "select march_raise_epoch()");
    put(1, 1, 51);
    turn_until(is_fenced);
    assert_int_equal(pg_fixture_number(&server, "select count(*) from match_documents"), 0);
}

/* --- against a model */

static uint64_t draw(uint64_t *random, uint64_t below) {
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (*random >> 33) % below;
}

/* Whatever happens between, each document is as it was put last. */
static void test_documents_are_as_a_model_says(void **state) {
    (void)state;
    int model[KEYS] = {0};
    uint64_t random = 7, version = 0, group = 0;
    for (int step = 0; step < STEPS; step++) {
        uint64_t key = draw(&random, KEYS);
        version++;
        model[key] = draw(&random, 3) > 0 ? step + 1 : 0;
        group = put(key + 1, version, model[key]);
        if (draw(&random, 4) == 0) turn();
        if (draw(&random, 20) == 0) ev_run(harness.loop, EVRUN_NOWAIT);
        if (draw(&random, 50) == 0) documents_flush(documents);
        if (draw(&random, 10) == 0) note_watermark();
        if (draw(&random, STEPS / 8) > 0) continue;
        turn_until(documents_durable(documents) == group);
        close_documents();
        open_documents();
        for (key = 0; key < KEYS; key++) assert_int_equal(number_of(key + 1), model[key]);
    }
    turn_until(documents_is_clean(documents));
    for (uint64_t key = 0; key < KEYS; key++) assert_int_equal(number_of(key + 1), model[key]);
}

static void test_documents_the_table_grows_and_forgets(void **state) {
    (void)state;
    struct document_table table;
    assert_int_equal(document_table_init(&table), 0);
    for (uint64_t key = 1; key <= 5000; key++) {
        const struct wire_document document = {
            .key = key, .version = 1, .kind = 1 + (uint32_t)key % 3, .len = 1 + (uint32_t)key % 2};
        assert_int_equal(document_table_put(&table, &document, (const uint8_t *)"xy", key), 0);
    }
    assert_int_equal(table.count, 5000);
    assert_int_equal(table.bytes, 7500);
    for (uint64_t key = 2; key <= 5000; key += 2) {
        uint32_t index = document_table_find(&table, 1 + (uint32_t)key % 3, key);
        assert_true(index != DOCUMENT_NONE);
        document_table_remove(&table, index);
        assert_true(document_table_find(&table, 1 + (uint32_t)key % 3, key) == DOCUMENT_NONE);
    }
    assert_int_equal(table.count, 2500);
    uint64_t key = 1;
    for (uint32_t i = table.head; i != DOCUMENT_NONE; i = table.entries[i].after, key += 2)
        assert_int_equal(table.entries[i].position, key);
    assert_int_equal(key, 5001);
    assert_true(document_table_find(&table, 1 + 1, 3) == DOCUMENT_NONE); /* the key is there, in another kind */
    document_table_deinit(&table);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_all, close_all)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_documents_that_are_new_and_erased_soon_are_never_stored),
        TEST(test_documents_that_are_being_stored_are_erased_there_too),
        TEST(test_documents_are_not_new_after_a_restart),
        TEST(test_documents_outlive_a_restart_before_postgres_has_them),
        TEST(test_documents_older_versions_change_nothing),
        TEST(test_documents_that_change_often_are_stored_seldom),
        TEST(test_documents_a_group_is_there_whole_or_not_at_all),
        TEST(test_documents_records_that_are_none_are_refused),
        TEST(test_documents_the_watermark_stays_below_what_postgres_lacks),
        TEST(test_documents_wait_while_the_journal_is_full),
        TEST(test_documents_outlive_crashes_of_postgres),
        TEST(test_documents_that_come_late_change_nothing),
        TEST(test_documents_are_as_a_model_says),
        cmocka_unit_test(test_documents_the_table_grows_and_forgets),
        TEST(test_documents_are_fenced), /* the last one: the epoch is another after it */
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
