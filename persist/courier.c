#include "persist/courier.h"

#include <stdlib.h>

#include <uthash.h>
#include <utlist.h>

#include "common/check.h"

/* In a hash table by id, and in a list by the time when it is due: what was offered goes to the end. */
struct parcel {
    uint64_t transfer;
    struct mono due;
    UT_hash_handle hh;
    struct parcel *prev, *next;
};

struct courier {
    struct parcel *by_id;
    struct parcel *by_due;
};

struct courier *courier_create(void) {
    return calloc(1, sizeof(struct courier));
}

void courier_destroy(struct courier *courier) {
    if (!courier) return;
    struct parcel *parcel, *next;
    HASH_CLEAR(hh, courier->by_id);
    DL_FOREACH_SAFE(courier->by_due, parcel, next) free(parcel);
    free(courier);
}

static struct parcel *find(const struct courier *courier, uint64_t transfer) {
    struct parcel *parcel;
    HASH_FIND(hh, courier->by_id, &transfer, sizeof transfer, parcel);
    return parcel;
}

void courier_add(struct courier *courier, uint64_t transfer, struct mono now) {
    if (find(courier, transfer)) return;
    struct parcel *parcel = calloc(1, sizeof *parcel);
    CHECK(parcel);
    parcel->transfer = transfer;
    parcel->due = now;
    HASH_ADD(hh, courier->by_id, transfer, sizeof parcel->transfer, parcel);
    DL_PREPEND(courier->by_due, parcel);
}

void courier_remove(struct courier *courier, uint64_t transfer) {
    struct parcel *parcel = find(courier, transfer);
    if (!parcel) return;
    HASH_DEL(courier->by_id, parcel);
    DL_DELETE(courier->by_due, parcel);
    free(parcel);
}

void courier_hurry(struct courier *courier, struct mono now) {
    struct parcel *parcel;
    DL_FOREACH(courier->by_due, parcel) parcel->due = now;
}

int courier_next(struct courier *courier, struct mono now, uint64_t *transfer) {
    struct parcel *parcel = courier->by_due;
    if (!parcel || !mono_reached(now, parcel->due)) return MARCH_ERR_EMPTY;
    DL_DELETE(courier->by_due, parcel);
    parcel->due = mono_add_ms(now, COURIER_AGAIN_MS);
    DL_APPEND(courier->by_due, parcel);
    *transfer = parcel->transfer;
    return 0;
}

uint32_t courier_count(const struct courier *courier) {
    return HASH_COUNT(courier->by_id);
}
