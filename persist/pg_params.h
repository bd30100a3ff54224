/* pg_params.h: PostgreSQL values in binary: parameters built, results read.
 *
 * struct pg_params grows by doubling and keeps its memory across pg_params_reset, so that a reused one does not allocate.
 * Errors stick: once something did not fit (PG_PARAMS_MAX values, PG_PARAMS_BYTES_MAX bytes, memory), `error` is set,
 * further calls do nothing and pg_run refuses it. Arrays are built a column at a time, as unnest wants them:
 *
 *     pg_params_array(&p, PG_INT8);
 *     for (...) pg_params_push_int8(&p, row->id);
 *     pg_params_end(&p);
 *
 * Ids are u64 bit patterns; SQL keeps them in bigint. Cast as `(int64_t)id`, read back by pg_row_u64.
 *
 * struct pg_row reads a row of a result with checks of type, length and NULL, for the data comes from outside. Errors stick
 * here too: a bad field gives 0 or an empty string and sets `error` and `bad`; look once after the last field. Only binary
 * results.
 */
#ifndef MARCH_PERSIST_PG_PARAMS_H
#define MARCH_PERSIST_PG_PARAMS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define PG_PARAMS_MAX       32                  /* values of one call */
#define PG_PARAMS_BYTES_MAX (64u * 1024 * 1024) /* of one call; 10,000 players' states are below 1 MB */

/* The types that we use, by their fixed object ids (pg_type.dat). */
enum pg_type {
    PG_BOOL = 16,
    PG_BYTEA = 17,
    PG_INT8 = 20,
    PG_INT2 = 21,
    PG_INT4 = 23,
    PG_TEXT = 25,
    PG_JSON = 114,
    PG_VARCHAR = 1043,
    PG_DATE = 1082,
    PG_TIMESTAMPTZ = 1184,
    PG_UUID = 2950,
    PG_JSONB = 3802
};

#define PG_UUID_BYTES 16

struct pg_params {
    uint8_t *bytes;
    size_t len, capacity;
    size_t offsets[PG_PARAMS_MAX];
    int32_t lengths[PG_PARAMS_MAX];
    unsigned count;
    int error;
    /* the array that is open */
    uint32_t element_type; /* 0: none */
    uint32_t element_count;
};

/* pg_params_init makes an empty set; pg_params_reset empties it and keeps its memory; pg_params_deinit frees it. */
void pg_params_init(struct pg_params *params);
void pg_params_reset(struct pg_params *params);
void pg_params_deinit(struct pg_params *params);

/* Each adds the next value, $1 first. */
void pg_params_int8(struct pg_params *params, int64_t value);
void pg_params_int4(struct pg_params *params, int32_t value);
void pg_params_bool(struct pg_params *params, bool value);
void pg_params_text(struct pg_params *params, const char *text, size_t len);
void pg_params_bytea(struct pg_params *params, const void *bytes, size_t len);
void pg_params_uuid(struct pg_params *params, const uint8_t uuid[PG_UUID_BYTES]);
void pg_params_timestamp(struct pg_params *params, int64_t unix_us); /* timestamptz, from microseconds since 1970 */

/* pg_params_array opens a one-dimensional array as the next value; push its elements, then pg_params_end. An element of
 * another type than the array's is a bug and aborts. */
void pg_params_array(struct pg_params *params, enum pg_type type);
void pg_params_push_int8(struct pg_params *params, int64_t value);
void pg_params_push_int4(struct pg_params *params, int32_t value);
void pg_params_push_int2(struct pg_params *params, int16_t value);
void pg_params_push_text(struct pg_params *params, const char *text, size_t len);
void pg_params_push_bytea(struct pg_params *params, const void *bytes, size_t len);
void pg_params_push_jsonb(struct pg_params *params, const char *text, size_t len);
void pg_params_push_timestamp(struct pg_params *params, int64_t unix_us);
void pg_params_end(struct pg_params *params);

/* Whole arrays at once. */
void pg_params_int8_array(struct pg_params *params, const int64_t *values, size_t count);
void pg_params_u64_array(struct pg_params *params, const uint64_t *values, size_t count); /* as bigint[] */

struct pg_row {
    const PGresult *result;
    int row;
    int bad;   /* the first column that was not as asked, -1 for none */
    int error; /* 0, or MARCH_ERR_INVALID */
};

/* pg_rows returns the number of rows of a result; pg_affected how many rows a statement without results changed. */
int pg_rows(const PGresult *result);
uint64_t pg_affected(const PGresult *result);

/* pg_row_at begins to read row `row`, 0 first; one that is not there sets the error. */
struct pg_row pg_row_at(const PGresult *result, int row);

/* pg_row_is_null tells whether a field is NULL; every other reader takes NULL for an error. */
bool pg_row_is_null(struct pg_row *row, int column);
int64_t pg_row_int8(struct pg_row *row, int column); /* int8 */
uint64_t pg_row_u64(struct pg_row *row, int column); /* int8, as bit pattern */
int32_t pg_row_int4(struct pg_row *row, int column); /* int4 or int2 */
int16_t pg_row_int2(struct pg_row *row, int column);
bool pg_row_bool(struct pg_row *row, int column);
int64_t pg_row_timestamp(struct pg_row *row, int column); /* microseconds since 1970 */
/* text, varchar, json or jsonb; ends in '\0' and lives as long as the result. `len` may be NULL. */
const char *pg_row_text(struct pg_row *row, int column, size_t *len);
const uint8_t *pg_row_bytea(struct pg_row *row, int column, size_t *len);
const uint8_t *pg_row_uuid(struct pg_row *row, int column); /* PG_UUID_BYTES, or zeros on error */

#endif
