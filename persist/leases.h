/* leases.h: which zone process speaks for a slot of the configuration.
 *
 * A lease is a row of table `leases`: slot (by the zone's name, in the column `partition`), owner, epoch. It has nothing to
 * do with the directory's partitions, rectangles that move from slot to slot. A zone that has none claims it when it
 * connects, and the epoch rises by one; each report carries it, and one with another epoch than the newest is refused. So a
 * zone that was taken for dead and replaced, and then goes on, is not heard. Leases have no time: nobody loses one by being
 * silent.
 *
 *     claim, held 0           granted under the next epoch, whoever had it
 *     claim, held E           granted again if the row is still this owner's; else stale
 *     claim, no row           granted under E + 1
 *
 *     fence of an owner       the row is nobody's under E + 1, if it was his; his claims are refused from then on,
 *                             for a month also by a persist that has been started since (table `fences`)
 *
 *     fence of all others     the row is nobody's under E + 1, if it was another's. Who has had it can't get it back; who
 *                             never had one may claim
 *
 * A fence is how the matchmaker has a zone replaced that it takes for dead, or whoever has the slot unknown to it: its
 * reports are refused as soon as the fence is asked for, and another zone may have its partitions once it is done.
 *
 * What the database said last is kept, so that checks cost nothing, and so that a zone that lost its connection only gets
 * its lease back while the database is away. A claim that needs the database then is MARCH_ERR_UNAVAILABLE.
 *
 * Limits: one claim and one fence of each slot under way; another one meanwhile is MARCH_ERR_FULL. LEASES_FENCED_MAX
 * incarnations of each are remembered as fenced. One thread.
 */
#ifndef MARCH_PERSIST_LEASES_H
#define MARCH_PERSIST_LEASES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/error.h"
#include "schemas/wire.h"

#define LEASES_DEADLINE_MS 3000
#define LEASES_FENCED_MAX  16

struct pg;
struct leases;

/* Who claims: `index` of the slot in the configuration, its name, the incarnation, and the epoch that it holds, 0 for
 * none. */
struct lease_claim {
    uint32_t index;
    const char *name;
    uint64_t incarnation, held;
};

/* error: 0, MARCH_ERR_FENCED (a newer zone has it, under `epoch`), MARCH_ERR_UNAVAILABLE. */
typedef void (*lease_done)(void *ctx, uint32_t index, uint64_t incarnation, int error, uint64_t epoch);

/* error: 0, MARCH_ERR_UNAVAILABLE. */
typedef void (*lease_fenced)(void *ctx, const struct wire_fence *fence, int error);

struct leases_stats {
    uint64_t granted;  /* under a new epoch */
    uint64_t kept;     /* to the same owner */
    uint64_t stale;    /* claims of one that has lost it */
    uint64_t refused;  /* checks that failed: reports of an old owner */
    uint64_t failures; /* the database did not answer */
    uint64_t fenced;
};

/* leases_create: `fence` is the shard's epoch; `done` gets every answer, possibly from within leases_claim. NULL when memory
 * is short. leases_destroy: after the pool. */
struct leases *leases_create(struct pg *pg, int64_t fence, lease_done done, void *ctx);
void leases_destroy(struct leases *leases);

/* leases_claim begins a claim. MARCH_ERR_FULL when one of this slot is under way. */
must_check int leases_claim(struct leases *leases, const struct lease_claim *claim);

/* leases_fence takes the lease of a slot from an incarnation for good, or from whoever else has it; `fenced` is told,
 * possibly from within. An incarnation that is named is not heard any more from now on, whatever becomes of the fence;
 * others once it is done. MARCH_ERR_FULL when one of this slot is under way. */
must_check int leases_fence(struct leases *leases, const char *name, const struct wire_fence *fence, lease_fenced fenced,
                            void *ctx);

/* leases_check tells whether a report of this incarnation under `epoch` is to be heard; false is counted. */
bool leases_check(struct leases *leases, uint32_t index, uint64_t incarnation, uint64_t epoch);

/* leases_epoch returns the newest epoch of a slot that is known, 0 for none. */
uint64_t leases_epoch(const struct leases *leases, uint32_t index);

struct leases_stats leases_stats_get(const struct leases *leases);

#endif
