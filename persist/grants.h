/* grants.h: loot on its way into PostgreSQL.
 *
 * A zone's grant is appended to the journal; once durable it may be acknowledged, and it is handed to `apply`, oldest
 * first, until grants_applied says that PostgreSQL has it. grants_watermark tells how far the journal's watermark may go
 * meanwhile. After a restart grants_replay takes back from the journal what was not applied, and what was and the watermark
 * does not show: `apply` must be idempotent by the grant's key.
 *
 * Limits: GRANTS_MAX not applied yet; past that MARCH_ERR_FULL, and the zone keeps what it has. GRANTS_APPLYING_MAX handed
 * out. A replay may find more than GRANTS_MAX, since it also meets those that were applied after the watermark: then the
 * table grows. One thread.
 */
#ifndef MARCH_PERSIST_GRANTS_H
#define MARCH_PERSIST_GRANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "schemas/wire_persist.h"

#define GRANTS_RECORD       2     /* type of a journal record that is a struct wire_loot_grant */
#define GRANTS_MAX          65536 /* a minute's loot of a shard that is very busy; 3 MB */
#define GRANTS_APPLYING_MAX 1024
#define GRANTS_REPLAYED_MAX (GRANTS_MAX << 6) /* an hour's; 270 MB */

struct journal;
struct grants;

struct grants_config {
    struct journal *journal;
    /* `apply` begins to apply a durable grant; the outcome goes to grants_applied or grants_retry, with this position, later
     * or from within. Non-zero when it can't be taken now: it is offered again at the next grants_update. */
    int (*apply)(void *ctx, uint64_t position, const struct wire_loot_grant *grant);
    void *ctx;
};

struct grants_stats {
    uint64_t added;
    uint64_t refused;  /* MARCH_ERR_FULL */
    uint64_t replayed; /* from the journal */
    uint64_t applied;
    uint64_t retries;
    bool is_replaying; /* some of the replayed are not applied */
    uint32_t waiting;  /* not applied */
    uint32_t applying; /* of these, handed out */
};

/* grants_create: MARCH_ERR_SYSTEM when memory is short. grants_destroy(NULL) is fine. */
must_check int grants_create(const struct grants_config *config, struct grants **out);
void grants_destroy(struct grants *grants);

/* grants_replay takes a record of type GRANTS_RECORD at the start, in order. MARCH_ERR_INVALID when it is none,
 * MARCH_ERR_FULL past GRANTS_REPLAYED_MAX, MARCH_ERR_SYSTEM when memory is short. */
must_check int grants_replay(struct grants *grants, uint64_t position, const uint8_t *bytes, size_t len);

/* grants_add journals a grant; it may be acknowledged once journal_durable has reached `*position`. A grant that still waits
 * here and is sent again is not journaled again. MARCH_ERR_FULL when the journal or the table is full. */
must_check int grants_add(struct grants *grants, const struct wire_loot_grant *grant, uint64_t *position);

/* grants_update hands out what is durable; after each journal_update. */
void grants_update(struct grants *grants);

/* grants_applied says that PostgreSQL has the grant, or that it never will take it; grants_retry that its outcome is unknown
 * or that it could not be applied now: it is offered again. */
void grants_applied(struct grants *grants, uint64_t position);
void grants_retry(struct grants *grants, uint64_t position);

/* grants_watermark returns the greatest position up to which no grant waits; UINT64_MAX when none waits at all. */
uint64_t grants_watermark(const struct grants *grants);

struct grants_stats grants_stats_get(const struct grants *grants);

#endif
