/* value_harness.h: value on a pool and a loop of its own: commands are submitted and awaited, what they changed for whom is
 * kept, and the books in the database are compared with their events. For tests and benchmarks. */
#ifndef MARCH_TESTS_UNIT_VALUE_HARNESS_H
#define MARCH_TESTS_UNIT_VALUE_HARNESS_H

#include "persist/value.h"
#include "tests/unit/pg_fixture.h"
#include "tests/unit/pg_harness.h"

enum { VALUE_HARNESS_NOTICES = 256 };

struct value_harness {
    struct harness pool;
    struct value *value;
    uint64_t next_key;
    bool off[VALUE_SUBSYSTEM_COUNT]; /* what is switched off */
    bool started, fenced;
    uint32_t changes, committed, guild_changes, transfers_created, transfers_closed;
    uint64_t last_transfer;
    struct ledger_notice notices[VALUE_HARNESS_NOTICES];
    uint32_t notice_count;
    struct ledger_difference difference; /* the last one */
    uint64_t difference_of;
};

struct value_answer {
    bool done;
    struct ledger_result result;
};

static inline bool value_harness_enabled(void *ctx, enum value_subsystem subsystem) {
    const struct value_harness *harness = ctx;
    return !harness->off[subsystem];
}

static inline void value_harness_changed(void *ctx, const struct value_change *change) {
    struct value_harness *harness = ctx;
    harness->changes++;
    harness->difference_of = change->owner;
    ledger_difference_of(change->before, change->after, &harness->difference);
}

static inline void value_harness_notice(void *ctx, const struct ledger_notice *notice) {
    struct value_harness *harness = ctx;
    harness->notices[harness->notice_count++ % VALUE_HARNESS_NOTICES] = *notice;
}

static inline void value_harness_guild_changed(void *ctx, uint64_t guild) {
    (void)guild;
    ((struct value_harness *)ctx)->guild_changes++;
}

static inline void value_harness_created(void *ctx, const struct ledger_transfer *transfer) {
    struct value_harness *harness = ctx;
    harness->transfers_created++;
    harness->last_transfer = transfer->id;
}

static inline void value_harness_closed(void *ctx, uint64_t transfer) {
    (void)transfer;
    ((struct value_harness *)ctx)->transfers_closed++;
}

static inline void value_harness_committed(void *ctx, uint32_t events) {
    ((struct value_harness *)ctx)->committed += events;
}

static inline void value_harness_started(void *ctx) {
    ((struct value_harness *)ctx)->started = true;
}

static inline void value_harness_fenced(void *ctx) {
    ((struct value_harness *)ctx)->fenced = true;
}

static inline void value_harness_keep(void *ctx, const struct ledger_result *result) {
    *(struct value_answer *)ctx = (struct value_answer){.done = true, .result = *result};
}

/* value_harness_open begins on a database that has the schema; the harness must not move afterwards. */
static inline void value_harness_open(struct value_harness *harness, const char *uri, struct value_config config) {
    *harness = (struct value_harness){.next_key = 1};
    harness_open(&harness->pool,
                 &(struct pg_config){.name = "value", .uri = uri, .connections = 1, .seed = 1, .connect_ms = 1000});
    if (config.shard_count == 0) config.shard_count = 1;
    struct value_hooks hooks = {.ctx = harness,
                                .enabled = value_harness_enabled,
                                .changed = value_harness_changed,
                                .notice = value_harness_notice,
                                .guild_changed = value_harness_guild_changed,
                                .transfer_created = value_harness_created,
                                .transfer_closed = value_harness_closed,
                                .committed = value_harness_committed,
                                .started = value_harness_started,
                                .fenced = value_harness_fenced};
    harness->value = value_create(harness->pool.loop, harness->pool.pg, &config, &hooks);
    if (!harness->value) abort();
}

static inline void value_harness_close(struct value_harness *harness) {
    value_destroy(harness->value);
    harness_close(&harness->pool);
}

/* value_harness_submit submits; a refusal at once becomes the answer. */
static inline void value_harness_submit(struct value_harness *harness, const struct ledger_command *command,
                                        struct value_answer *answer) {
    *answer = (struct value_answer){0};
    enum ledger_status status = value_submit(harness->value, command, value_harness_keep, answer);
    if (status != LEDGER_OK) *answer = (struct value_answer){.done = true, .result = {.status = status}};
}

static inline struct ledger_result value_harness_run(struct value_harness *harness, const struct ledger_command *command) {
    struct value_answer answer;
    value_harness_submit(harness, command, &answer);
    harness_until(&harness->pool, answer.done);
    return answer.result;
}

/* value_harness_do runs a client's command under a fresh key. */
static inline struct ledger_result value_harness_do(struct value_harness *harness, struct ledger_command command) {
    if (command.domain == LEDGER_DOMAIN_NONE) command.domain = LEDGER_DOMAIN_CLIENT;
    if (command.key == 0) command.key = harness->next_key++;
    return value_harness_run(harness, &command);
}

struct value_harness_view {
    bool done;
    enum ledger_status status;
    bool exists;
    int64_t gold;
    uint64_t version, guild;
    uint32_t item_count;
    struct ledger_item items[LEDGER_ACCOUNT_ITEMS_MAX];
};

static inline void value_harness_see(void *ctx, enum ledger_status status, const struct ledger_holding *holding) {
    struct value_harness_view *view = ctx;
    *view = (struct value_harness_view){.done = true, .status = status, .exists = holding != NULL};
    if (!holding) return;
    view->gold = holding->gold;
    view->version = holding->version;
    view->guild = holding->guild;
    view->item_count = holding->item_count;
    if (holding->item_count) memcpy(view->items, holding->items, holding->item_count * sizeof(holding->items[0]));
}

static inline struct value_harness_view value_harness_account(struct value_harness *harness, enum ledger_owner_kind kind,
                                                              uint64_t owner) {
    struct value_harness_view view = {0};
    value_account(harness->value, kind, owner, value_harness_see, &view);
    harness_until(&harness->pool, view.done);
    return view;
}

static inline struct value_harness_view value_harness_player(struct value_harness *harness, uint64_t player) {
    return value_harness_account(harness, LEDGER_OWNER_PLAYER, player);
}

/* value_harness_count returns how many of a kind a view has. */
static inline uint32_t value_harness_count(const struct value_harness_view *view, uint32_t kind) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < view->item_count; i++) count += view->items[i].kind == kind ? view->items[i].count : 0;
    return count;
}

/* value_harness_differences counts, by SQL alone, items and gold that are not what the events say, owner by owner and item
 * by item, and kinds whose entries do not add up to nothing. 0: the books are right. */
static inline int64_t value_harness_differences(const struct pg_fixture *fixture) {
    return pg_fixture_number(
        fixture,
        "with booked as (select owner_kind, owner, item, item_kind, sum(delta) amount from event_entries "
        "  where owner_kind < 5 group by 1, 2, 3, 4 having sum(delta) <> 0), "
        "held as (select owner_kind, owner, id item, kind item_kind, count::numeric amount from items "
        "  union all select owner_kind, owner, 0, 0, gold from accounts where gold <> 0), "
        "wrong as (select * from (select * from booked except select * from held) a union all "
        "  select * from (select * from held except select * from booked) b) "
        "select (select count(*) from wrong) + (select count(*) from (select 1 from event_entries group by item_kind "
        "having sum(delta) <> 0) unbalanced)");
}

#endif
