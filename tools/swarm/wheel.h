/* wheel.h: which clients are due, by the millisecond.
 *
 * A timing wheel: WHEEL_SLOTS lists, one a millisecond, each client in at most one, linked through an array. Adding and
 * taking cost a few instructions whatever the number of clients. A time farther off than the wheel reaches is cut to its
 * reach: the client comes early and is added again. Fails never.
 */
#ifndef MARCH_SWARM_WHEEL_H
#define MARCH_SWARM_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

#define WHEEL_SLOTS 1024
#define WHEEL_NONE  UINT32_MAX

struct wheel {
    uint64_t now_ms; /* every slot up to this one has been emptied */
    uint32_t *next;  /* by client */
    uint32_t heads[WHEEL_SLOTS];
};

/* wheel_init makes room for clients 0 to count - 1. MARCH_ERR_SYSTEM when memory is short. */
must_check int wheel_init(struct wheel *w, uint32_t count, uint64_t now_ms);

void wheel_deinit(struct wheel *w);

/* wheel_add makes a client due at `at_ms`, at the soonest in the slot after the present one. It must not be in the wheel. */
void wheel_add(struct wheel *w, uint32_t client, uint64_t at_ms);

/* wheel_take removes a client that is due at `now_ms` and returns it; WHEEL_NONE when there is none left. */
uint32_t wheel_take(struct wheel *w, uint64_t now_ms);

#endif
