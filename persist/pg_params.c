#include "persist/pg_params.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

#define FIRST_BYTES    256
#define UNIX_TO_PG_US  (946684800ll * 1000000) /* PostgreSQL counts from 2000-01-01 */
#define ARRAY_COUNT_AT 12                      /* of the length of an array's only dimension, in its header */
#define JSONB_VERSION  1

void pg_params_init(struct pg_params *params) {
    *params = (struct pg_params){0};
}

void pg_params_reset(struct pg_params *params) {
    params->len = 0;
    params->count = 0;
    params->error = 0;
    params->element_type = 0;
}

void pg_params_deinit(struct pg_params *params) {
    free(params->bytes);
    *params = (struct pg_params){0};
}

/* --- bytes */

static bool reserve(struct pg_params *params, size_t more) {
    if (params->error != 0) return false;
    if (more > PG_PARAMS_BYTES_MAX || params->len + more > PG_PARAMS_BYTES_MAX) {
        params->error = MARCH_ERR_FULL;
        return false;
    }
    if (params->len + more <= params->capacity) return true;
    size_t capacity = params->capacity ? params->capacity : FIRST_BYTES;
    while (capacity < params->len + more) capacity *= 2;
    uint8_t *bytes = realloc(params->bytes, capacity);
    if (!bytes) {
        params->error = MARCH_ERR_FULL;
        return false;
    }
    params->bytes = bytes;
    params->capacity = capacity;
    return true;
}

static void put(struct pg_params *params, const void *bytes, size_t len) {
    if (!reserve(params, len) || len == 0) return;
    memcpy(params->bytes + params->len, bytes, len);
    params->len += len;
}

static void put_u16(struct pg_params *params, uint16_t value) {
    value = htobe16(value);
    put(params, &value, sizeof value);
}

static void put_u32(struct pg_params *params, uint32_t value) {
    value = htobe32(value);
    put(params, &value, sizeof value);
}

static void put_u64(struct pg_params *params, uint64_t value) {
    value = htobe64(value);
    put(params, &value, sizeof value);
}

/* --- values */

static void begin_value(struct pg_params *params) {
    CHECK(params->element_type == 0); /* an array is open */
    if (params->error == 0 && params->count == PG_PARAMS_MAX) params->error = MARCH_ERR_FULL;
    if (params->error == 0) params->offsets[params->count] = params->len;
}

static void end_value(struct pg_params *params) {
    if (params->error != 0) return;
    params->lengths[params->count] = (int32_t)(params->len - params->offsets[params->count]);
    params->count++;
}

void pg_params_int8(struct pg_params *params, int64_t value) {
    begin_value(params);
    put_u64(params, (uint64_t)value);
    end_value(params);
}

void pg_params_int4(struct pg_params *params, int32_t value) {
    begin_value(params);
    put_u32(params, (uint32_t)value);
    end_value(params);
}

void pg_params_bool(struct pg_params *params, bool value) {
    begin_value(params);
    put(params, &(uint8_t){value}, 1);
    end_value(params);
}

void pg_params_text(struct pg_params *params, const char *text, size_t len) {
    pg_params_bytea(params, text, len);
}

void pg_params_bytea(struct pg_params *params, const void *bytes, size_t len) {
    begin_value(params);
    put(params, bytes, len);
    end_value(params);
}

void pg_params_uuid(struct pg_params *params, const uint8_t uuid[PG_UUID_BYTES]) {
    pg_params_bytea(params, uuid, PG_UUID_BYTES);
}

void pg_params_timestamp(struct pg_params *params, int64_t unix_us) {
    pg_params_int8(params, unix_us - UNIX_TO_PG_US);
}

/* --- arrays: dimensions (1), that there are no NULLs, type of the elements, their count, lower bound; then length and bytes
 * of each element (array_recv in PostgreSQL's arrayfuncs.c). An empty one has no dimension. */

void pg_params_array(struct pg_params *params, enum pg_type type) {
    begin_value(params);
    params->element_type = type;
    params->element_count = 0;
    put_u32(params, 1);
    put_u32(params, 0);
    put_u32(params, type);
    put_u32(params, 0);
    put_u32(params, 1);
}

static void push(struct pg_params *params, enum pg_type type, uint32_t len) {
    CHECK(params->element_type == (uint32_t)type);
    put_u32(params, len);
    params->element_count++;
}

void pg_params_push_int8(struct pg_params *params, int64_t value) {
    push(params, PG_INT8, sizeof value);
    put_u64(params, (uint64_t)value);
}

void pg_params_push_int4(struct pg_params *params, int32_t value) {
    push(params, PG_INT4, sizeof value);
    put_u32(params, (uint32_t)value);
}

void pg_params_push_int2(struct pg_params *params, int16_t value) {
    push(params, PG_INT2, sizeof value);
    put_u16(params, (uint16_t)value);
}

static void push_bytes(struct pg_params *params, uint32_t type, const void *bytes, size_t len) {
    if (len > PG_PARAMS_BYTES_MAX) {
        params->error = MARCH_ERR_FULL;
        return;
    }
    push(params, type, (uint32_t)len);
    put(params, bytes, len);
}

void pg_params_push_text(struct pg_params *params, const char *text, size_t len) {
    push_bytes(params, PG_TEXT, text, len);
}

void pg_params_push_bytea(struct pg_params *params, const void *bytes, size_t len) {
    push_bytes(params, PG_BYTEA, bytes, len);
}

void pg_params_push_jsonb(struct pg_params *params, const char *text, size_t len) {
    if (len > PG_PARAMS_BYTES_MAX) {
        params->error = MARCH_ERR_FULL;
        return;
    }
    push(params, PG_JSONB, (uint32_t)len + 1);
    put(params, &(uint8_t){JSONB_VERSION}, 1);
    put(params, text, len);
}

void pg_params_push_timestamp(struct pg_params *params, int64_t unix_us) {
    push(params, PG_TIMESTAMPTZ, sizeof unix_us);
    put_u64(params, (uint64_t)(unix_us - UNIX_TO_PG_US));
}

static void patch_u32(struct pg_params *params, size_t at, uint32_t value) {
    value = htobe32(value);
    memcpy(params->bytes + at, &value, sizeof value);
}

void pg_params_end(struct pg_params *params) {
    CHECK(params->element_type != 0);
    params->element_type = 0;
    if (params->error != 0) return;
    size_t header = params->offsets[params->count];
    if (params->element_count == 0) {
        patch_u32(params, header, 0);
        params->len = header + ARRAY_COUNT_AT;
    } else {
        patch_u32(params, header + ARRAY_COUNT_AT, params->element_count);
    }
    end_value(params);
}

void pg_params_int8_array(struct pg_params *params, const int64_t *values, size_t count) {
    pg_params_array(params, PG_INT8);
    for (size_t i = 0; i < count; i++) pg_params_push_int8(params, values[i]);
    pg_params_end(params);
}

void pg_params_u64_array(struct pg_params *params, const uint64_t *values, size_t count) {
    pg_params_array(params, PG_INT8);
    for (size_t i = 0; i < count; i++) pg_params_push_int8(params, (int64_t)values[i]);
    pg_params_end(params);
}
