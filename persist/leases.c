#include "persist/leases.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "common/step.h"
#include "persist/pg.h"

#define OWNER_SIZE 64

struct lease {
    struct leases *leases;
    uint32_t index;
    uint64_t epoch;       /* the newest that is known; 0: none */
    uint64_t incarnation; /* of who has it; 0: not known */
    bool is_claimed;      /* a claim is under way: of this incarnation, holding this epoch */
    uint64_t claimer, held;
    bool is_overtaken; /* the claim, by a fence of all others */
    bool is_fencing;
    struct wire_fence fencing;
    lease_fenced fenced;
    void *fenced_ctx;
    uint64_t gone[LEASES_FENCED_MAX]; /* incarnations that were fenced, a ring */
    uint32_t gone_count;
};

struct leases {
    struct pg *pg;
    int64_t fence;
    lease_done done;
    void *ctx;
    struct pg_params params, fence_params;
    struct lease leases[CONFIG_ZONES_MAX];
    struct leases_stats stats;
};

static const struct pg_statement fence_statement = {"lease_fence", "select march_fence($1::bigint)"};

/* Gives the newest epoch, and whether it is this owner's. Who was fenced changes nothing and has nothing. */
static const struct pg_statement claim_statement = {
    "lease_claim",
    "with old as (select owner, epoch from leases where partition = $1::text),"
    " gone as (select from fences where owner = $2::text),"
    " given as ("
    "  insert into leases (partition, owner, epoch) select $1::text, $2::text, $3::bigint + 1 where not exists (table gone)"
    "  on conflict (partition) do update set owner = excluded.owner, epoch = leases.epoch + 1, granted_at = now()"
    "  where leases.owner <> excluded.owner and $3::bigint = 0"
    "  returning epoch)"
    " select coalesce((select epoch from given), (select epoch from old), 0), exists (table given),"
    "  not exists (table gone) and (exists (table given) or (select owner from old) = $2::text)"};

/* Takes the row from its owner, and remembers that it was fenced, with a row or without. */
static const struct pg_statement take_statement = {
    "lease_take", "with forgotten as (delete from fences where at < now() - interval '30 days'),"
                  " kept as (insert into fences (owner) values ($2::text) on conflict do nothing)"
                  " update leases set owner = 'fenced', epoch = epoch + 1, granted_at = now()"
                  " where partition = $1::text and owner = $2::text returning epoch"};

static const struct pg_statement take_others_statement = {
    "lease_take_others", "update leases set owner = 'fenced', epoch = epoch + 1, granted_at = now()"
                         " where partition = $1::text and owner <> $2::text and owner <> 'fenced' returning epoch"};

struct leases *leases_create(struct pg *pg, int64_t fence, lease_done done, void *ctx) {
    struct leases *leases = calloc(1, sizeof *leases);
    if (!leases) return NULL;
    leases->pg = pg;
    leases->fence = fence;
    leases->done = done;
    leases->ctx = ctx;
    pg_params_init(&leases->params);
    pg_params_init(&leases->fence_params);
    for (uint32_t i = 0; i < CONFIG_ZONES_MAX; i++) {
        leases->leases[i].leases = leases;
        leases->leases[i].index = i;
    }
    return leases;
}

void leases_destroy(struct leases *leases) {
    if (!leases) return;
    pg_params_deinit(&leases->params);
    pg_params_deinit(&leases->fence_params);
    free(leases);
}

static bool is_gone(const struct lease *lease, uint64_t incarnation) {
    for (uint32_t i = 0; i < LEASES_FENCED_MAX && i < lease->gone_count; i++)
        if (lease->gone[i] == incarnation) return true;
    return false;
}

/* is_other tells whether a fence of all others is one of this incarnation, too. */
static bool is_other(const struct wire_fence *fence, uint64_t incarnation) {
    return fence->kind == WIRE_FENCE_OTHERS && fence->incarnation != incarnation;
}

/* Ends the claim that is under way. */
static void answer(struct lease *lease, int error) {
    struct leases *leases = lease->leases;
    lease->is_claimed = false;
    if (error == MARCH_ERR_FENCED) leases->stats.stale++;
    if (error == MARCH_ERR_UNAVAILABLE) leases->stats.failures++;
    leases->done(leases->ctx, lease->index, lease->claimer, error, lease->epoch);
}

/* The database does not answer: what it said before holds, for the same process under the same epoch. */
static void answer_from_memory(struct lease *lease) {
    bool known = lease->incarnation == lease->claimer && lease->held != 0 && lease->epoch == lease->held;
    lease->leases->stats.kept += known;
    answer(lease, known ? 0 : MARCH_ERR_UNAVAILABLE);
}

static void claimed(void *ctx, const struct pg_reply *reply) {
    struct lease *lease = ctx;
    if (reply->error) {
        if (reply->error != MARCH_ERR_UNAVAILABLE && reply->error != MARCH_ERR_EXPIRED)
            log_error("lease.failed", "error=\"%s\" sqlstate=%s", march_error_text(reply->error), reply->sqlstate);
        answer_from_memory(lease);
        return;
    }
    struct pg_row row = pg_row_at(reply->results[1], 0);
    uint64_t epoch = pg_row_u64(&row, 0);
    bool is_new = pg_row_bool(&row, 1), is_ours = pg_row_bool(&row, 2);
    if (row.error || lease->is_overtaken) { /* what it says may be of before the fence */
        answer(lease, MARCH_ERR_UNAVAILABLE);
        return;
    }
    if (is_gone(lease, lease->claimer)) is_ours = false; /* fenced while the claim was under way */
    lease->epoch = epoch;
    lease->incarnation = is_ours ? lease->claimer : 0;
    lease->leases->stats.granted += is_new;
    lease->leases->stats.kept += is_ours && !is_new;
    STEP("persist.lease_written");
    answer(lease, is_ours ? 0 : MARCH_ERR_FENCED);
}

/* The parameters that both statements begin with: the slot's name and owner. */
static void begin_params(struct leases *leases, const char *name, uint64_t incarnation) {
    char owner[OWNER_SIZE];
    int len = snprintf(owner, sizeof owner, "%s/%016" PRIx64, name, incarnation);
    CHECK(len > 0 && (size_t)len < sizeof owner);
    pg_params_reset(&leases->fence_params);
    pg_params_int8(&leases->fence_params, leases->fence);
    pg_params_reset(&leases->params);
    pg_params_text(&leases->params, name, strlen(name));
    pg_params_text(&leases->params, owner, (size_t)len);
}

int leases_claim(struct leases *leases, const struct lease_claim *claim) {
    CHECK(claim->index < CONFIG_ZONES_MAX);
    struct lease *lease = &leases->leases[claim->index];
    if (lease->is_claimed) return MARCH_ERR_FULL;
    lease->is_claimed = true;
    lease->claimer = claim->incarnation;
    lease->held = claim->held;
    lease->is_overtaken = lease->is_fencing && is_other(&lease->fencing, claim->incarnation);
    if (is_gone(lease, claim->incarnation)) {
        answer(lease, MARCH_ERR_FENCED);
        return 0;
    }
    begin_params(leases, claim->name, claim->incarnation);
    pg_params_int8(&leases->params, (int64_t)claim->held);
    const struct pg_call calls[] = {{&fence_statement, &leases->fence_params}, {&claim_statement, &leases->params}};
    if (pg_run(leases->pg, calls, 2, PG_TRANSACTION, LEASES_DEADLINE_MS, claimed, lease)) answer_from_memory(lease);
    return 0;
}

static void answer_fence(struct lease *lease, int error) {
    const struct wire_fence fence = lease->fencing;
    lease->is_fencing = false;
    lease->leases->stats.fenced += error == 0;
    lease->leases->stats.failures += error != 0;
    lease->fenced(lease->fenced_ctx, &fence, error);
}

static void taken(void *ctx, const struct pg_reply *reply) {
    struct lease *lease = ctx;
    if (!reply->error && pg_rows(reply->results[1]) > 0) {
        struct pg_row row = pg_row_at(reply->results[1], 0);
        uint64_t epoch = pg_row_u64(&row, 0);
        if (!row.error && epoch > lease->epoch) lease->epoch = epoch;
    }
    STEP("persist.fence_written");
    answer_fence(lease, reply->error ? MARCH_ERR_UNAVAILABLE : 0);
}

static void forget_one(struct lease *lease, uint64_t incarnation) {
    if (lease->incarnation == incarnation) lease->incarnation = 0;
    if (!is_gone(lease, incarnation)) lease->gone[lease->gone_count++ % LEASES_FENCED_MAX] = incarnation;
}

static void forget_others(struct lease *lease, const struct wire_fence *fence) {
    if (is_other(fence, lease->incarnation)) lease->incarnation = 0;
    if (lease->is_claimed && is_other(fence, lease->claimer)) lease->is_overtaken = true;
}

int leases_fence(struct leases *leases, const char *name, const struct wire_fence *fence, lease_fenced fenced, void *ctx) {
    CHECK(fence->slot < CONFIG_ZONES_MAX);
    struct lease *lease = &leases->leases[fence->slot];
    bool is_of_others = fence->kind == WIRE_FENCE_OTHERS;
    if (lease->is_fencing) return MARCH_ERR_FULL;
    lease->is_fencing = true;
    lease->fencing = *fence;
    lease->fenced = fenced;
    lease->fenced_ctx = ctx;
    if (is_of_others) {
        forget_others(lease, fence);
    } else {
        forget_one(lease, fence->incarnation);
    }
    begin_params(leases, name, fence->incarnation);
    const struct pg_call calls[] = {{&fence_statement, &leases->fence_params},
                                    {is_of_others ? &take_others_statement : &take_statement, &leases->params}};
    if (pg_run(leases->pg, calls, 2, PG_TRANSACTION, LEASES_DEADLINE_MS, taken, lease))
        answer_fence(lease, MARCH_ERR_UNAVAILABLE);
    return 0;
}

bool leases_check(struct leases *leases, uint32_t index, uint64_t incarnation, uint64_t epoch) {
    CHECK(index < CONFIG_ZONES_MAX);
    const struct lease *lease = &leases->leases[index];
    bool holds = epoch != 0 && lease->epoch == epoch && lease->incarnation == incarnation;
    leases->stats.refused += !holds;
    return holds;
}

uint64_t leases_epoch(const struct leases *leases, uint32_t index) {
    CHECK(index < CONFIG_ZONES_MAX);
    return leases->leases[index].epoch;
}

struct leases_stats leases_stats_get(const struct leases *leases) {
    return leases->stats;
}
