#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <string.h>

#include "persist/pg_params.h"
#include "tests/unit/pg_fixture.h"

static struct pg_fixture fixture;
static PGconn *conn;

static int setup(void **state) {
    (void)state;
    pg_fixture_open(&fixture, NULL);
    conn = PQconnectdb(fixture.uri);
    return PQstatus(conn) == CONNECTION_OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    PQfinish(conn);
    pg_fixture_close(&fixture);
    return 0;
}

/* Runs SQL with these parameters and binary results. */
static PGresult *run(const char *sql, const struct pg_params *params) {
    const char *values[PG_PARAMS_MAX];
    int formats[PG_PARAMS_MAX];
    unsigned count = params ? params->count : 0;
    for (unsigned i = 0; i < count; i++) {
        values[i] = (const char *)params->bytes + params->offsets[i];
        formats[i] = 1;
    }
    PGresult *result = PQexecParams(conn, sql, (int)count, NULL, values, params ? params->lengths : NULL, formats, 1);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) fail_msg("%s", PQerrorMessage(conn));
    return result;
}

static void test_params_come_back_as_they_were(void **state) {
    (void)state;
    static const uint8_t uuid[PG_UUID_BYTES] = {1, 2, 3, 250, 251};
    struct pg_params params;
    pg_params_init(&params);
    for (int round = 0; round < 2; round++) { /* the second reuses its memory */
        pg_params_reset(&params);
        pg_params_int8(&params, INT64_MIN);
        pg_params_int8(&params, (int64_t)0xfedcba9876543210);
        pg_params_int4(&params, -7);
        pg_params_bool(&params, true);
        pg_params_text(&params, "h\xc3\xa9", 3);
        pg_params_bytea(&params, "a\0b", 3);
        pg_params_uuid(&params, uuid);
        pg_params_timestamp(&params, 1234567890123456);
        pg_params_text(&params, "", 0);
        assert_int_equal(params.error, 0);
        PGresult *result =
            run("select $1::int8, $2::int8, $3::int4, (-32768)::int2, $4::bool, $5::text, $6::bytea, $7::uuid, "
                "'{\"a\": 1}'::jsonb, $8::timestamptz, null::int8, $9::text, extract(epoch from $8::timestamptz)::int8",
                &params);
        struct pg_row row = pg_row_at(result, 0);
        size_t len;
        assert_true(pg_row_int8(&row, 0) == INT64_MIN);
        assert_true(pg_row_u64(&row, 1) == 0xfedcba9876543210);
        assert_int_equal(pg_row_int4(&row, 2), -7);
        assert_int_equal(pg_row_int2(&row, 3), -32768);
        assert_int_equal(pg_row_int4(&row, 3), -32768);
        assert_true(pg_row_bool(&row, 4));
        assert_string_equal(pg_row_text(&row, 5, &len), "h\xc3\xa9");
        assert_int_equal(len, 3);
        assert_memory_equal(pg_row_bytea(&row, 6, &len), "a\0b", 3);
        assert_int_equal(len, 3);
        assert_memory_equal(pg_row_uuid(&row, 7), uuid, sizeof uuid);
        assert_string_equal(pg_row_text(&row, 8, &len), "{\"a\": 1}");
        assert_int_equal(len, 8);
        assert_true(pg_row_timestamp(&row, 9) == 1234567890123456);
        assert_true(pg_row_is_null(&row, 10));
        assert_false(pg_row_is_null(&row, 11));
        assert_string_equal(pg_row_text(&row, 11, NULL), "");
        assert_int_equal(pg_row_int8(&row, 12), 1234567890);
        assert_int_equal(row.error, 0);
        assert_int_equal(row.bad, -1);
        PQclear(result);
    }
    pg_params_deinit(&params);
}

static void test_params_arrays_unnest_to_rows(void **state) {
    (void)state;
    struct pg_params params;
    pg_params_init(&params);
    static const int64_t ids[] = {1, -1, INT64_MAX};
    static const uint64_t patterns[] = {UINT64_MAX, 1, 2};
    pg_params_int8_array(&params, ids, 3);
    pg_params_u64_array(&params, patterns, 3);
    pg_params_array(&params, PG_INT4);
    for (int32_t i = 5; i < 8; i++) pg_params_push_int4(&params, i);
    pg_params_end(&params);
    pg_params_array(&params, PG_INT2);
    for (int16_t i = 0; i < 3; i++) pg_params_push_int2(&params, i);
    pg_params_end(&params);
    pg_params_array(&params, PG_TEXT);
    pg_params_push_text(&params, "one", 3);
    pg_params_push_text(&params, "two", 3);
    pg_params_push_text(&params, "", 0);
    pg_params_end(&params);
    pg_params_array(&params, PG_JSONB);
    for (int i = 0; i < 3; i++) pg_params_push_jsonb(&params, "[1]", 3);
    pg_params_end(&params);
    pg_params_array(&params, PG_TIMESTAMPTZ);
    for (int i = 0; i < 3; i++) pg_params_push_timestamp(&params, i);
    pg_params_end(&params);
    assert_int_equal(params.error, 0);
    PGresult *result = run("select * from unnest($1::int8[], $2::int8[], $3::int4[], $4::int2[], $5::text[], $6::jsonb[], "
                           "$7::timestamptz[])",
                           &params);
    assert_int_equal(pg_rows(result), 3);
    struct pg_row row = pg_row_at(result, 1);
    assert_int_equal(pg_row_int8(&row, 0), -1);
    assert_int_equal(pg_row_u64(&row, 1), 1);
    assert_int_equal(pg_row_int4(&row, 2), 6);
    assert_int_equal(pg_row_int2(&row, 3), 1);
    assert_string_equal(pg_row_text(&row, 4, NULL), "two");
    assert_string_equal(pg_row_text(&row, 5, NULL), "[1]");
    assert_int_equal(pg_row_timestamp(&row, 6), 1);
    assert_int_equal(row.error, 0);
    row = pg_row_at(result, 0);
    assert_true(pg_row_u64(&row, 1) == UINT64_MAX);
    assert_string_equal(pg_row_text(&row, 4, NULL), "one");
    PQclear(result);
    pg_params_deinit(&params);
}

static void test_params_empty_array_is_one(void **state) {
    (void)state;
    struct pg_params params;
    pg_params_init(&params);
    pg_params_int8_array(&params, NULL, 0);
    pg_params_array(&params, PG_TEXT);
    pg_params_end(&params);
    PGresult *result = run("select cardinality($1::int8[]), cardinality($2::text[]), $1 is null", &params);
    struct pg_row row = pg_row_at(result, 0);
    assert_int_equal(pg_row_int4(&row, 0), 0);
    assert_int_equal(pg_row_int4(&row, 1), 0);
    assert_false(pg_row_bool(&row, 2));
    assert_int_equal(row.error, 0);
    PQclear(result);
    pg_params_deinit(&params);
}

static void test_params_past_their_limit_keep_the_error(void **state) {
    (void)state;
    struct pg_params params;
    pg_params_init(&params);
    for (int i = 0; i < PG_PARAMS_MAX; i++) pg_params_int8(&params, i);
    assert_int_equal(params.error, 0);
    pg_params_int8(&params, 0);
    assert_int_equal(params.error, MARCH_ERR_FULL);
    pg_params_array(&params, PG_INT8); /* nothing more happens */
    pg_params_push_int8(&params, 1);
    pg_params_end(&params);
    assert_int_equal(params.count, PG_PARAMS_MAX);
    pg_params_reset(&params);
    static const char byte[1];
    pg_params_array(&params, PG_TEXT);
    pg_params_push_text(&params, byte, (size_t)PG_PARAMS_BYTES_MAX + 1);
    pg_params_end(&params);
    assert_int_equal(params.error, MARCH_ERR_FULL);
    pg_params_deinit(&params);
}

static void test_row_of_another_shape_is_an_error(void **state) {
    (void)state;
    PGresult *result = run("select 1::int4, null::int8, 'x'::text, 2::int8, 'infinity'::timestamptz", NULL);
    size_t len;
    struct pg_row row = pg_row_at(result, 0);
    assert_int_equal(pg_row_int8(&row, 0), 0); /* a type too small */
    assert_int_equal(row.error, MARCH_ERR_INVALID);
    assert_int_equal(row.bad, 0);
    assert_int_equal(pg_row_int8(&row, 3), 0); /* sticks */
    assert_int_equal(row.bad, 0);
    row = pg_row_at(result, 0);
    assert_int_equal(pg_row_int8(&row, 1), 0); /* NULL */
    assert_int_equal(row.bad, 1);
    row = pg_row_at(result, 0);
    assert_int_equal(pg_row_bytea(&row, 2, &len)[0], 0);
    assert_int_equal(len, 0);
    assert_int_equal(row.bad, 2);
    row = pg_row_at(result, 0);
    assert_string_equal(pg_row_text(&row, 3, &len), "");
    assert_int_equal(row.bad, 3);
    row = pg_row_at(result, 0);
    assert_int_equal(pg_row_timestamp(&row, 4), 0); /* past what fits */
    assert_int_equal(row.bad, 4);
    row = pg_row_at(result, 0);
    assert_int_equal(pg_row_int8(&row, 5), 0); /* no such column */
    assert_int_equal(row.error, MARCH_ERR_INVALID);
    row = pg_row_at(result, 1);
    assert_int_equal(row.error, MARCH_ERR_INVALID); /* no such row */
    assert_true(pg_row_is_null(&row, 0));
    PQclear(result);
    PGresult *text = PQexec(conn, "select 1::int8"); /* not binary */
    row = pg_row_at(text, 0);
    assert_int_equal(pg_row_int8(&row, 0), 0);
    assert_int_equal(row.error, MARCH_ERR_INVALID);
    PQclear(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_params_come_back_as_they_were),
        cmocka_unit_test(test_params_arrays_unnest_to_rows),
        cmocka_unit_test(test_params_empty_array_is_one),
        cmocka_unit_test(test_params_past_their_limit_keep_the_error),
        cmocka_unit_test(test_row_of_another_shape_is_an_error),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
