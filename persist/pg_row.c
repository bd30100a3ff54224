#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "persist/pg_params.h"

#define UNIX_TO_PG_US (946684800ll * 1000000) /* PostgreSQL counts from 2000-01-01 */
#define JSONB_VERSION 1
#define BINARY        1

static const uint8_t NOTHING[PG_UUID_BYTES];

int pg_rows(const PGresult *result) {
    return PQntuples(result);
}

uint64_t pg_affected(const PGresult *result) {
    return strtoull(PQcmdTuples((PGresult *)(uintptr_t)result), NULL, 10);
}

struct pg_row pg_row_at(const PGresult *result, int row) {
    bool there = row >= 0 && row < PQntuples(result);
    return (struct pg_row){.result = result, .row = row, .bad = -1, .error = there ? 0 : MARCH_ERR_INVALID};
}

static const char *reject(struct pg_row *row, int column) {
    if (row->error == 0) row->bad = column;
    row->error = MARCH_ERR_INVALID;
    return NULL;
}

static bool is_there(const struct pg_row *row, int column) {
    return row->error == 0 && column >= 0 && column < PQnfields(row->result);
}

bool pg_row_is_null(struct pg_row *row, int column) {
    if (!is_there(row, column)) {
        (void)reject(row, column);
        return true;
    }
    return PQgetisnull(row->result, row->row, column) != 0;
}

/* The bytes of a field of type `type`, or `other`; NULL with the error set when it is anything else. */
static const char *field(struct pg_row *row, int column, Oid type, Oid other, size_t *len) {
    if (!is_there(row, column)) return reject(row, column);
    Oid is = PQftype(row->result, column);
    if ((is != type && is != other) || PQfformat(row->result, column) != BINARY ||
        PQgetisnull(row->result, row->row, column))
        return reject(row, column);
    *len = (size_t)PQgetlength(row->result, row->row, column);
    return PQgetvalue(row->result, row->row, column);
}

/* A field of exactly `size` bytes, copied to `out`; zeros when it is not that. */
static void fixed(struct pg_row *row, int column, Oid type, void *out, size_t size) {
    size_t len;
    const char *bytes = field(row, column, type, type, &len);
    memset(out, 0, size);
    if (!bytes) return;
    if (len == size)
        memcpy(out, bytes, size);
    else
        (void)reject(row, column);
}

uint64_t pg_row_u64(struct pg_row *row, int column) {
    uint64_t value;
    fixed(row, column, PG_INT8, &value, sizeof value);
    return be64toh(value);
}

int64_t pg_row_int8(struct pg_row *row, int column) {
    return (int64_t)pg_row_u64(row, column);
}

int16_t pg_row_int2(struct pg_row *row, int column) {
    uint16_t value;
    fixed(row, column, PG_INT2, &value, sizeof value);
    return (int16_t)be16toh(value);
}

int32_t pg_row_int4(struct pg_row *row, int column) {
    if (is_there(row, column) && PQftype(row->result, column) == PG_INT2) return pg_row_int2(row, column);
    uint32_t value;
    fixed(row, column, PG_INT4, &value, sizeof value);
    return (int32_t)be32toh(value);
}

bool pg_row_bool(struct pg_row *row, int column) {
    uint8_t value;
    fixed(row, column, PG_BOOL, &value, sizeof value);
    return value != 0;
}

int64_t pg_row_timestamp(struct pg_row *row, int column) {
    uint64_t value;
    fixed(row, column, PG_TIMESTAMPTZ, &value, sizeof value);
    int64_t unix_us;
    if (__builtin_add_overflow((int64_t)be64toh(value), UNIX_TO_PG_US, &unix_us)) (void)reject(row, column);
    return row->error == 0 ? unix_us : 0;
}

const char *pg_row_text(struct pg_row *row, int column, size_t *len) {
    size_t length = 0;
    if (len) *len = 0;
    Oid type = is_there(row, column) ? PQftype(row->result, column) : PG_TEXT;
    bool known = type == PG_TEXT || type == PG_VARCHAR || type == PG_JSON || type == PG_JSONB;
    const char *text = field(row, column, known ? type : PG_TEXT, PG_TEXT, &length);
    if (text && type == PG_JSONB) {
        if (length < 1 || text[0] != JSONB_VERSION) text = reject(row, column);
        if (text) text++, length--;
    }
    if (!text) return "";
    if (len) *len = length;
    return text;
}

const uint8_t *pg_row_bytea(struct pg_row *row, int column, size_t *len) {
    *len = 0;
    const char *bytes = field(row, column, PG_BYTEA, PG_BYTEA, len);
    if (bytes) return (const uint8_t *)bytes;
    *len = 0;
    return NOTHING;
}

const uint8_t *pg_row_uuid(struct pg_row *row, int column) {
    size_t len;
    const char *bytes = field(row, column, PG_UUID, PG_UUID, &len);
    if (bytes && len != PG_UUID_BYTES) bytes = reject(row, column);
    return bytes ? (const uint8_t *)bytes : NOTHING;
}
