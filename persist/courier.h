/* courier.h: which transfers are to be offered to another shard, and when.
 *
 * A transfer is offered at once, and again every COURIER_AGAIN_MS until the other shard's answer was stored; when the other
 * shard comes back, at once again. Offers may be lost or doubled: the other shard applies each id once. Pure; one courier
 * for each other shard. The ledger bounds how many there are (LEDGER_RESIDENT_MAX).
 */
#ifndef MARCH_PERSIST_COURIER_H
#define MARCH_PERSIST_COURIER_H

#include <stdint.h>

#include "common/clock.h"
#include "common/error.h"

#define COURIER_AGAIN_MS 2000

struct courier;

/* courier_create returns NULL when memory is short. */
struct courier *courier_create(void);
void courier_destroy(struct courier *courier);

/* courier_add takes a transfer to be offered; one that it has already stays as it is. */
void courier_add(struct courier *courier, uint64_t transfer, struct mono now);

/* courier_remove ends the offers of a transfer; unknown ones are ignored. */
void courier_remove(struct courier *courier, uint64_t transfer);

/* courier_hurry makes every transfer due now. */
void courier_hurry(struct courier *courier, struct mono now);

/* courier_next hands out a transfer that is due, which then is not due for COURIER_AGAIN_MS. MARCH_ERR_EMPTY when none is.
 */
must_check int courier_next(struct courier *courier, struct mono now, uint64_t *transfer);

uint32_t courier_count(const struct courier *courier);

#endif
