/* audit.c: see audit.h. PostgreSQL does the work and writes the JSON. */
#include "persist/audit.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/check.h"

/* What should be there against what is, both as (owner_kind, owner, item, kind, amount); rows that are equal fall out. */
#define SQL_DIFFERENCES                                                                                                     \
    "differences as (select coalesce(e.owner_kind, f.owner_kind) as owner_kind, coalesce(e.owner, f.owner) as owner,"       \
    " coalesce(e.item, f.item) as item, coalesce(e.kind, f.kind) as kind, coalesce(e.amount, 0) as expected,"               \
    " coalesce(f.amount, 0) as found from expected e full join found f on e.owner_kind = f.owner_kind"                      \
    " and e.owner = f.owner and e.item = f.item and e.kind = f.kind where e.amount is distinct from f.amount)"

#define SQL_TEXT_OF(number) #number
#define SQL_TEXT(number)    SQL_TEXT_OF(number)
#define DIFFERENCES_MAX     SQL_TEXT(AUDIT_DIFFERENCES_MAX)
#define TRANSFERS_MAX       SQL_TEXT(AUDIT_TRANSFERS_MAX)
#define APPLIED_H           SQL_TEXT(AUDIT_APPLIED_H)

static const struct pg_statement AUDIT_PLAYER = {
    "audit_player",
    "with entries as materialized ("
    " select item, item_kind as kind, amount from event_baseline where owner_kind = 1 and owner = $1::bigint"
    " union all"
    " select item, item_kind, delta from event_entries where owner_kind = 1 and owner = $1::bigint),"
    "expected as (select 1 as owner_kind, $1::bigint as owner, item, kind, sum(amount) as amount from entries"
    " group by item, kind having sum(amount) <> 0),"
    "found as materialized ("
    " select 1 as owner_kind, owner, id as item, kind, count::numeric as amount from items"
    "  where owner_kind = 1 and owner = $1::bigint"
    " union all"
    " select 1, owner, 0, 0, gold from accounts where owner_kind = 1 and owner = $1::bigint and gold <> 0)," SQL_DIFFERENCES
    "select json_build_object('player', $1::bigint, 'holds', not exists (select from differences),"
    " 'known', (exists (select from players where player = $1::bigint) or exists (select from entries)"
    "  or exists (select from found)),"
    " 'entries', (select count(*) from entries), 'items', (select count(*) from found where kind <> 0),"
    " 'gold', coalesce((select sum(amount) from found where kind = 0), 0),"
    " 'differences', coalesce((select json_agg(json_build_object('item', item, 'kind', kind, 'expected', expected,"
    "  'found', found)) from (select * from differences order by item limit " DIFFERENCES_MAX ") d), '[]'))::text"};

static const struct pg_statement AUDIT_WORLD = {
    "audit_world",
    "with entries as materialized ("
    " select owner_kind, owner, item, item_kind as kind, sum(amount) as amount from ("
    "  select owner_kind, owner, item, item_kind, amount from event_baseline"
    "  union all"
    "  select owner_kind, owner, item, item_kind, delta from event_entries) e group by 1, 2, 3, 4),"
    "expected as (select * from entries where owner_kind < 5 and amount <> 0),"
    "found as materialized ("
    " select owner_kind, owner, id as item, kind, count::numeric as amount from items"
    " union all"
    " select owner_kind, owner, 0, 0, gold from accounts where gold <> 0)," SQL_DIFFERENCES
    ", kinds as materialized (select kind, coalesce(created, 0) as created, coalesce(destroyed, 0) as destroyed,"
    "  coalesce(abroad, 0) as abroad, coalesce(amount, 0) as exists from ("
    "   select kind, -sum(amount) filter (where owner_kind = 8) as created,"
    "    sum(amount) filter (where owner_kind = 9) as destroyed, sum(amount) filter (where owner_kind = 5) as abroad"
    "   from entries group by kind) e"
    "  full join (select kind, sum(amount) as amount from found group by kind) f using (kind)),"
    "open as (select t.id as transfer, t.dest_shard as shard, f.kind, f.amount from transfers t"
    "  join found f on f.owner_kind = 4 and f.owner = t.id order by t.id, f.kind limit " TRANSFERS_MAX "),"
    "applied as (select key from commands where domain = 3 and status = 0"
    "  and at > now() - interval '" APPLIED_H " h' order by at desc limit " TRANSFERS_MAX ")"
    "select json_build_object('shard', s.shard_index, 'shards', s.shard_count,"
    " 'holds', not exists (select from differences)"
    "  and not exists (select from kinds where created - destroyed - abroad <> exists),"
    " 'kinds', coalesce((select json_agg(k order by k.kind) from kinds k), '[]'),"
    " 'open', coalesce((select json_agg(o) from open o), '[]'),"
    " 'applied', coalesce((select json_agg(key) from applied), '[]'),"
    " 'differences', coalesce((select json_agg(d) from (select * from differences order by owner_kind, owner, item"
    "  limit " DIFFERENCES_MAX ") d), '[]'))::text from shard s"};

/* One audit under way. */
struct request {
    struct audit *audit;
    audit_done done;
    void *ctx;
    bool busy;
};

struct audit {
    struct pg *pg;
    const struct pg *primary;
    struct pg_params params;
    struct request requests[AUDITS_MAX];
};

struct audit *audit_create(struct pg *pg, const struct pg *primary) {
    struct audit *audit = calloc(1, sizeof(*audit));
    if (audit == NULL) return NULL;
    audit->pg = pg;
    audit->primary = primary;
    pg_params_init(&audit->params);
    return audit;
}

void audit_destroy(struct audit *audit) {
    if (audit == NULL) return;
    for (unsigned i = 0; i < AUDITS_MAX; i++) CHECK(!audit->requests[i].busy);
    pg_params_deinit(&audit->params);
    free(audit);
}

static void take_reply(void *ctx, const struct pg_reply *reply) {
    struct request *request = ctx;
    int error = reply->error;
    size_t len = 0;
    const char *json = NULL;
    if (error == 0) {
        struct pg_row row = pg_row_at(reply->results[0], 0);
        json = pg_row_text(&row, 0, &len);
        error = row.error;
    }
    request->busy = false;
    request->done(request->ctx, error, error == 0 ? json : NULL, len);
}

static int begin(struct audit *audit, const struct pg_call *call, audit_done done, void *ctx) {
    if (pg_is_away(audit->primary) || pg_stats_get(audit->pg).ready == 0) return MARCH_ERR_UNAVAILABLE;
    struct request *request = audit->requests;
    struct request *end = request + AUDITS_MAX;
    while (request < end && request->busy) request++;
    if (request == end) return MARCH_ERR_FULL;
    *request = (struct request){.audit = audit, .done = done, .ctx = ctx, .busy = true};
    int result = pg_run(audit->pg, call, 1, PG_READ, AUDIT_DEADLINE_MS, take_reply, request);
    request->busy = result == 0;
    return result;
}

int audit_player(struct audit *audit, uint64_t player, audit_done done, void *ctx) {
    pg_params_reset(&audit->params);
    pg_params_int8(&audit->params, (int64_t)player);
    return begin(audit, &(struct pg_call){&AUDIT_PLAYER, &audit->params}, done, ctx);
}

int audit_world(struct audit *audit, audit_done done, void *ctx) {
    return begin(audit, &(struct pg_call){&AUDIT_WORLD, NULL}, done, ctx);
}
