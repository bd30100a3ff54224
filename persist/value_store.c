/* value_store.c: statements that write value, and what becomes their arrays. */
#include "persist/value_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "persist/value_columns.h"

/* EXPECTED closes a statement that changes rows: as many as were named, or the batch is refused. */
#define EXPECTED(change, count)                                                                                             \
    "with done as (" change " returning 1) select march_expect((select count(*) from done), " count ")"

static const struct pg_statement statements[CALL_COUNT] = {
    [CALL_FENCE] = {"value.fence", "select march_fence($1::bigint)"},
    [CALL_NEXT_ID] = {"value.ids", EXPECTED("update shard set next_id = $2::bigint where next_id = $1::bigint", "1")},
    [CALL_ITEMS_GONE] = {"value.items_gone",
                         EXPECTED("delete from items i using unnest($2::bigint[], $3::bigint[]) g(id, version) "
                                  "where i.id = g.id and i.version = g.version",
                                  "$1::bigint")},
    [CALL_ITEMS_CHANGED] = {"value.items_changed",
                            EXPECTED("update items i set owner_kind = n.owner_kind, owner = n.owner, slot = n.slot, "
                                     "count = n.count, version = n.version "
                                     "from unnest($2::bigint[], $3::bigint[], $4::smallint[], $5::bigint[], $6::smallint[], "
                                     "$7::integer[], $8::bigint[]) n(id, old, owner_kind, owner, slot, count, version) "
                                     "where i.id = n.id and i.version = n.old",
                                     "$1::bigint")},
    [CALL_ITEMS_NEW] = {"value.items_new", "insert into items (id, owner_kind, owner, slot, kind, count, version) "
                                           "select * from unnest($1::bigint[], $2::smallint[], $3::bigint[], "
                                           "$4::smallint[], $5::integer[], $6::integer[], $7::bigint[])"},
    [CALL_ACCOUNTS_GONE] = {"value.accounts_gone",
                            EXPECTED("delete from accounts a using unnest($2::smallint[], $3::bigint[], $4::bigint[]) "
                                     "g(kind, owner, version) "
                                     "where a.owner_kind = g.kind and a.owner = g.owner and a.version = g.version",
                                     "$1::bigint")},
    [CALL_ACCOUNTS_CHANGED] = {"value.accounts_changed",
                               EXPECTED(
                                   "update accounts a set gold = n.gold, version = n.version "
                                   "from unnest($2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) "
                                   "n(kind, owner, old, gold, version) "
                                   "where a.owner_kind = n.kind and a.owner = n.owner and a.version = n.old",
                                   "$1::bigint")},
    [CALL_ACCOUNTS_NEW] = {"value.accounts_new",
                           "insert into accounts (owner_kind, owner, gold, version) "
                           "select * from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[])"},
    [CALL_TRADES_GONE] = {"value.trades_gone",
                          EXPECTED("delete from trades t using unnest($2::bigint[], $3::bigint[]) g(id, version) "
                                   "where t.id = g.id and t.version = g.version",
                                   "$1::bigint")},
    [CALL_TRADES_NEW] = {"value.trades_new",
                         "insert into trades (id, offerer, accepter, give, want, give_gold, want_gold, expires_at, version) "
                         "select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::jsonb[], $5::jsonb[], "
                         "$6::bigint[], $7::bigint[], $8::timestamptz[], $9::bigint[])"},
    [CALL_AUCTIONS_GONE] = {"value.auctions_gone",
                            EXPECTED("delete from auctions a using unnest($2::bigint[], $3::bigint[]) g(id, version) "
                                     "where a.id = g.id and a.version = g.version",
                                     "$1::bigint")},
    [CALL_AUCTIONS_CHANGED] = {"value.auctions_changed",
                               EXPECTED("update auctions a set bid = n.bid, bidder = n.bidder, version = n.version "
                                        "from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) "
                                        "n(id, old, bid, bidder, version) where a.id = n.id and a.version = n.old",
                                        "$1::bigint")},
    [CALL_AUCTIONS_NEW] = {"value.auctions_new",
                           "insert into auctions (id, seller, item_kind, item_count, min_bid, buyout, bid, bidder, ends_at, "
                           "version) select * from unnest($1::bigint[], $2::bigint[], $3::integer[], $4::integer[], "
                           "$5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::timestamptz[], $10::bigint[])"},
    [CALL_MEMBERS_GONE] = {"value.members_gone",
                           EXPECTED("delete from guild_members m using unnest($2::bigint[], $3::bigint[]) g(player, guild) "
                                    "where m.player = g.player and m.guild = g.guild",
                                    "$1::bigint")},
    [CALL_MEMBERS_CHANGED] = {"value.members_changed",
                              EXPECTED("update guild_members m set rank = n.rank "
                                       "from unnest($2::bigint[], $3::bigint[], $4::smallint[]) n(player, guild, rank) "
                                       "where m.player = n.player and m.guild = n.guild",
                                       "$1::bigint")},
    [CALL_MEMBERS_NEW] = {"value.members_new", "insert into guild_members (player, guild, rank, joined) "
                                               "select * from unnest($1::bigint[], $2::bigint[], $3::smallint[], "
                                               "$4::bigint[])"},
    /* a player who has never logged in has no row yet, which is no error */
    [CALL_PLAYERS] = {"value.players", "update players p set guild = nullif(n.guild, 0) "
                                       "from unnest($1::bigint[], $2::bigint[]) n(player, guild) where p.player = n.player"},
    [CALL_INVITES_GONE] = {"value.invites_gone",
                           EXPECTED("delete from guild_invites i using unnest($2::bigint[], $3::bigint[]) g(guild, player) "
                                    "where i.guild = g.guild and i.player = g.player",
                                    "$1::bigint")},
    [CALL_INVITES_NEW] = {"value.invites_new", "insert into guild_invites (guild, player, invited_by, expires_at) "
                                               "select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], "
                                               "$4::timestamptz[])"},
    [CALL_GUILDS_GONE] = {"value.guilds_gone",
                          EXPECTED("delete from guilds g using unnest($2::bigint[], $3::bigint[]) o(id, version) "
                                   "where g.id = o.id and g.version = o.version",
                                   "$1::bigint")},
    [CALL_GUILDS_CHANGED] = {"value.guilds_changed",
                             EXPECTED("update guilds g set leader = n.leader, version = n.version "
                                      "from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) "
                                      "n(id, old, leader, version) where g.id = n.id and g.version = n.old",
                                      "$1::bigint")},
    [CALL_GUILDS_NEW] = {"value.guilds_new", "insert into guilds (id, name, leader, version) "
                                             "select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[])"},
    [CALL_TRANSFERS_GONE] = {"value.transfers_gone",
                             EXPECTED("delete from transfers where id = any($2::bigint[])", "$1::bigint")},
    [CALL_TRANSFERS_NEW] = {"value.transfers_new",
                            "insert into transfers (id, dest_shard, purpose, payload, created_at) "
                            "select * from unnest($1::bigint[], $2::integer[], $3::smallint[], $4::jsonb[], "
                            "$5::timestamptz[])"},
    [CALL_COMMANDS] = {"value.commands", "insert into commands (domain, player, key, status, object) "
                                         "select * from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::smallint[], "
                                         "$5::bigint[])"},
    [CALL_EVENTS] = {"value.events",
                     "with done as (insert into events (id, player, other, type, domain, key, detail) "
                     "select id, player, nullif(other, 0), type, domain, key, detail "
                     "from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::smallint[], $5::smallint[], $6::bigint[], "
                     "$7::jsonb[]) n(id, player, other, type, domain, key, detail) returning id) "
                     "insert into outbox select id from done"},
};

_Static_assert(CALL_COUNT <= VALUE_STORE_CALLS_MAX && CALL_COUNT <= PG_CALLS_MAX, "a batch is one job");

struct value_store *value_store_create(void) {
    struct value_store *store = calloc(1, sizeof(*store));
    if (!store) return NULL;
    for (unsigned i = 0; i < CALL_COUNT; i++) pg_params_init(&store->params[i]);
    return store;
}

void value_store_destroy(struct value_store *store) {
    if (!store) return;
    for (unsigned i = 0; i < CALL_COUNT; i++) pg_params_deinit(&store->params[i]);
    free(store->changes);
    free(store->rows);
    free(store->before.list);
    free(store->after.list);
    free(store);
}

/* --- changes by kind */

static bool has_fate(const struct ledger_change *change, enum fate fate) {
    if (fate == GONE) return change->before && !change->after;
    if (fate == NEW) return !change->before && change->after;
    return change->before && change->after;
}

uint32_t store_select(struct value_store *store, enum ledger_row_type type, enum fate fate) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < store->change_count; i++) {
        const struct ledger_change *change = &store->changes[i];
        if (change->key.type == (uint32_t)type && has_fate(change, fate)) store->rows[count++] = change;
    }
    return count;
}

static void gather(struct value_store *store) {
    store->change_count = ledger_change_count(store->ledger);
    if (store->change_count > store->change_room) {
        store->change_room = store->change_count * 2;
        store->changes = realloc(store->changes, store->change_room * sizeof(*store->changes));
        store->rows = realloc(store->rows, store->change_room * sizeof(struct ledger_change *));
        CHECK(store->changes && store->rows);
    }
    for (uint32_t i = 0; i < store->change_count; i++) store->changes[i] = ledger_change_at(store->ledger, i);
}

/* --- items: what left one account and came to another is one row that changed */

static void place(struct placed_list *list, const struct ledger_key *owner, const struct ledger_item *item) {
    if (list->count == list->room) {
        list->room = list->room ? list->room * 2 : 1024;
        list->list = realloc(list->list, list->room * sizeof(*list->list));
        CHECK(list->list);
    }
    list->list[list->count++] = (struct placed){*owner, *item};
}

static int compare_placed(const void *a, const void *b) {
    uint64_t x = ((const struct placed *)a)->item.id, y = ((const struct placed *)b)->item.id;
    return x == y ? 0 : (x < y ? -1 : 1);
}

/* place_differences lists the items of an account that are not as they were. */
static void place_differences(struct value_store *store, const struct ledger_change *change) {
    static const struct ledger_holding nothing = {0};
    const struct ledger_holding *before = change->before ? &change->before->account : &nothing;
    const struct ledger_holding *after = change->after ? &change->after->account : &nothing;
    for (uint32_t i = 0; i < before->item_count; i++) {
        const struct ledger_item *was = &before->items[i];
        const struct ledger_item *now = ledger_holding_find(after, was->id);
        if (!now || now->version != was->version) place(&store->before, &change->key, was);
    }
    for (uint32_t i = 0; i < after->item_count; i++) {
        const struct ledger_item *now = &after->items[i];
        const struct ledger_item *was = ledger_holding_find(before, now->id);
        if (!was || was->version != now->version) place(&store->after, &change->key, now);
    }
}

static void items_gone(struct value_store *store, const struct placed *const *gone, uint32_t count) {
    struct pg_params *params = &store->params[CALL_ITEMS_GONE];
    if (count == 0) return;
    const struct placed *const *ROWS = gone;
    pg_params_int8(params, count);
    INT8(params, count, row->item.id);
    INT8(params, count, row->item.version);
}

static void items_changed(struct value_store *store, const struct placed *const *was, const struct placed *const *now,
                          uint32_t count) {
    struct pg_params *params = &store->params[CALL_ITEMS_CHANGED];
    if (count == 0) return;
    const struct placed *const *ROWS = was;
    pg_params_int8(params, count);
    INT8(params, count, row->item.id);
    INT8(params, count, row->item.version);
    ROWS = now;
    INT2(params, count, row->owner.owner_kind);
    INT8(params, count, row->owner.id);
    INT2(params, count, row->item.slot);
    INT4(params, count, row->item.count);
    INT8(params, count, row->item.version);
}

static void items_new(struct value_store *store, const struct placed *const *made, uint32_t count) {
    struct pg_params *params = &store->params[CALL_ITEMS_NEW];
    if (count == 0) return;
    const struct placed *const *ROWS = made;
    INT8(params, count, row->item.id);
    INT2(params, count, row->owner.owner_kind);
    INT8(params, count, row->owner.id);
    INT2(params, count, row->item.slot);
    INT4(params, count, row->item.kind);
    INT4(params, count, row->item.count);
    INT8(params, count, row->item.version);
}

static void put_items(struct value_store *store) {
    store->before.count = store->after.count = 0;
    for (uint32_t i = 0; i < store->change_count; i++)
        if (store->changes[i].key.type == LEDGER_ROW_ACCOUNT) place_differences(store, &store->changes[i]);
    uint32_t before_count = store->before.count, after_count = store->after.count;
    if (before_count + after_count == 0) return;
    struct placed *before = store->before.list, *after = store->after.list;
    if (before_count) qsort(before, before_count, sizeof(*before), compare_placed);
    if (after_count) qsort(after, after_count, sizeof(*after), compare_placed);
    const struct placed **lists = malloc(4 * (size_t)(before_count + after_count) * sizeof(struct placed *));
    CHECK(lists);
    const struct placed **gone = lists, **was = gone + before_count, **now = was + before_count, **made = now + after_count;
    uint32_t gone_count = 0, changed_count = 0, new_count = 0;
    for (uint32_t i = 0, j = 0; i < before_count || j < after_count;) {
        int order = i == before_count ? 1 : (j == after_count ? -1 : compare_placed(&before[i], &after[j]));
        if (order < 0) {
            gone[gone_count++] = &before[i++];
        } else if (order > 0) {
            made[new_count++] = &after[j++];
        } else {
            was[changed_count] = &before[i++];
            now[changed_count++] = &after[j++];
        }
    }
    items_gone(store, gone, gone_count);
    items_changed(store, was, now, changed_count);
    items_new(store, made, new_count);
    free(lists);
}

/* --- accounts, trades, auctions, transfers */

static void put_accounts(struct value_store *store) {
    const struct ledger_change *const *ROWS = store->rows;
    uint32_t count = store_select(store, LEDGER_ROW_ACCOUNT, GONE);
    if (count > 0) {
        struct pg_params *params = &store->params[CALL_ACCOUNTS_GONE];
        pg_params_int8(params, count);
        INT2(params, count, row->key.owner_kind);
        INT8(params, count, row->key.id);
        INT8(params, count, row->before->account.version);
    }
    count = store_select(store, LEDGER_ROW_ACCOUNT, CHANGED);
    if (count > 0) {
        struct pg_params *params = &store->params[CALL_ACCOUNTS_CHANGED];
        pg_params_int8(params, count);
        INT2(params, count, row->key.owner_kind);
        INT8(params, count, row->key.id);
        INT8(params, count, row->before->account.version);
        INT8(params, count, row->after->account.gold);
        INT8(params, count, row->after->account.version);
    }
    count = store_select(store, LEDGER_ROW_ACCOUNT, NEW);
    if (count > 0) {
        struct pg_params *params = &store->params[CALL_ACCOUNTS_NEW];
        INT2(params, count, row->key.owner_kind);
        INT8(params, count, row->key.id);
        INT8(params, count, row->after->account.gold);
        INT8(params, count, row->after->account.version);
    }
}

/* push_side writes a side of a trade: [[id, version, count, kind], ...]. */
static void push_side(struct pg_params *params, const struct ledger_trade_item *items, uint32_t count) {
    char text[LEDGER_TRADE_ITEMS_MAX * 72 + 8] = "[";
    int len = 1;
    for (uint32_t i = 0; i < count; i++)
        len += snprintf(text + len, sizeof(text) - (size_t)len, "%s[%" PRIu64 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 "]",
                        i ? "," : "", items[i].id, items[i].version, items[i].count, items[i].kind);
    text[len++] = ']';
    pg_params_push_jsonb(params, text, (size_t)len);
}

static void put_trades(struct value_store *store) {
    const struct ledger_change *const *ROWS = store->rows;
    uint32_t count = store_select(store, LEDGER_ROW_TRADE, GONE);
    if (count > 0) {
        struct pg_params *params = &store->params[CALL_TRADES_GONE];
        pg_params_int8(params, count);
        INT8(params, count, row->key.id);
        INT8(params, count, row->before->trade.version);
    }
    count = store_select(store, LEDGER_ROW_TRADE, NEW);
    if (count == 0) return;
    struct pg_params *params = &store->params[CALL_TRADES_NEW];
    INT8(params, count, row->key.id);
    INT8(params, count, row->after->trade.offerer);
    INT8(params, count, row->after->trade.accepter);
    pg_params_array(params, PG_JSONB);
    for (uint32_t i = 0; i < count; i++) push_side(params, ROWS[i]->after->trade.give, ROWS[i]->after->trade.give_count);
    pg_params_end(params);
    pg_params_array(params, PG_JSONB);
    for (uint32_t i = 0; i < count; i++) push_side(params, ROWS[i]->after->trade.want, ROWS[i]->after->trade.want_count);
    pg_params_end(params);
    INT8(params, count, row->after->trade.give_gold);
    INT8(params, count, row->after->trade.want_gold);
    TIME(params, count, row->after->trade.expires_ms);
    INT8(params, count, row->after->trade.version);
}

static void put_new_auctions(struct value_store *store, uint32_t count) {
    const struct ledger_change *const *ROWS = store->rows;
    struct pg_params *params = &store->params[CALL_AUCTIONS_NEW];
    INT8(params, count, row->key.id);
    INT8(params, count, row->after->auction.seller);
    INT4(params, count, row->after->auction.item_kind);
    INT4(params, count, row->after->auction.item_count);
    INT8(params, count, row->after->auction.min_bid);
    INT8(params, count, row->after->auction.buyout);
    INT8(params, count, row->after->auction.bid);
    INT8(params, count, row->after->auction.bidder);
    TIME(params, count, row->after->auction.ends_ms);
    INT8(params, count, row->after->auction.version);
}

static void put_auctions(struct value_store *store) {
    const struct ledger_change *const *ROWS = store->rows;
    uint32_t count = store_select(store, LEDGER_ROW_AUCTION, GONE);
    if (count > 0) {
        struct pg_params *params = &store->params[CALL_AUCTIONS_GONE];
        pg_params_int8(params, count);
        INT8(params, count, row->key.id);
        INT8(params, count, row->before->auction.version);
    }
    count = store_select(store, LEDGER_ROW_AUCTION, CHANGED);
    if (count > 0) {
        struct pg_params *params = &store->params[CALL_AUCTIONS_CHANGED];
        pg_params_int8(params, count);
        INT8(params, count, row->key.id);
        INT8(params, count, row->before->auction.version);
        INT8(params, count, row->after->auction.bid);
        INT8(params, count, row->after->auction.bidder);
        INT8(params, count, row->after->auction.version);
    }
    count = store_select(store, LEDGER_ROW_AUCTION, NEW);
    if (count > 0) put_new_auctions(store, count);
}

static void push_payload(struct pg_params *params, const struct ledger_transfer *transfer) {
    char text[LEDGER_TRADE_ITEMS_MAX * 88 + 256];
    int len =
        snprintf(text, sizeof(text),
                 "{\"player\":%" PRIu64 ",\"other\":%" PRIu64 ",\"object\":%" PRIu64 ",\"gold\":%" PRId64 ",\"items\":[",
                 transfer->player, transfer->other, transfer->object, transfer->gold);
    for (uint32_t i = 0; i < transfer->item_count; i++)
        len += snprintf(text + len, sizeof(text) - (size_t)len, "%s[%" PRIu64 ",%" PRIu64 ",%" PRIu32 ",%" PRIu32 "]",
                        i ? "," : "", transfer->items[i].id, transfer->items[i].origin, transfer->items[i].kind,
                        transfer->items[i].count);
    len += snprintf(text + len, sizeof(text) - (size_t)len, "]}");
    pg_params_push_jsonb(params, text, (size_t)len);
}

static void put_transfers(struct value_store *store) {
    const struct ledger_change *const *ROWS = store->rows;
    uint32_t count = store_select(store, LEDGER_ROW_TRANSFER, GONE);
    if (count > 0) {
        struct pg_params *params = &store->params[CALL_TRANSFERS_GONE];
        pg_params_int8(params, count);
        INT8(params, count, row->key.id);
    }
    count = store_select(store, LEDGER_ROW_TRANSFER, NEW);
    if (count == 0) return;
    struct pg_params *params = &store->params[CALL_TRANSFERS_NEW];
    INT8(params, count, row->key.id);
    INT4(params, count, row->after->transfer.dest_shard);
    INT2(params, count, row->after->transfer.purpose);
    pg_params_array(params, PG_JSONB);
    for (uint32_t i = 0; i < count; i++) push_payload(params, &ROWS[i]->after->transfer);
    pg_params_end(params);
    TIME(params, count, row->after->transfer.created_ms);
}

/* --- answers and events */

static void put_answers(struct value_store *store) {
    uint32_t count = 0;
    const struct ledger_answer *answers = ledger_new_answers(store->ledger, &count);
    struct pg_params *params = &store->params[CALL_COMMANDS];
    if (count == 0) return;
    const struct ledger_answer *rows[LEDGER_BATCH_MAX];
    for (uint32_t i = 0; i < count; i++) rows[i] = &answers[i];
    const struct ledger_answer *const *ROWS = rows;
    INT2(params, count, row->domain);
    INT8(params, count, row->player);
    INT8(params, count, row->key);
    INT2(params, count, row->status);
    INT8(params, count, row->object);
}

static void put_events(struct value_store *store) {
    uint32_t count = 0;
    const struct ledger_event *events = ledger_events(store->ledger, &count);
    struct pg_params *params = &store->params[CALL_EVENTS];
    if (count == 0) return;
    const struct ledger_event *rows[LEDGER_BATCH_MAX];
    for (uint32_t i = 0; i < count; i++) rows[i] = &events[i];
    const struct ledger_event *const *ROWS = rows;
    INT8(params, count, row->id);
    INT8(params, count, row->player);
    INT8(params, count, row->other);
    INT2(params, count, row->verb);
    INT2(params, count, row->domain);
    INT8(params, count, row->key);
    pg_params_array(params, PG_JSONB);
    for (uint32_t i = 0; i < count; i++) {
        int len = ledger_event_detail(store->ledger, &events[i], store->detail, sizeof(store->detail));
        CHECK(len > 0);
        pg_params_push_jsonb(params, store->detail, (size_t)len);
    }
    pg_params_end(params);
}

unsigned value_store_build(struct value_store *store, const struct ledger *ledger, uint64_t epoch, uint64_t stored_id,
                           uint64_t next_id, const struct pg_call **calls) {
    CHECK(next_id > stored_id && next_id >= ledger_next_id(ledger));
    store->ledger = ledger;
    for (unsigned i = 0; i < CALL_COUNT; i++) pg_params_reset(&store->params[i]);
    gather(store);
    put_items(store);
    put_accounts(store);
    put_trades(store);
    put_auctions(store);
    store_put_guilds(store);
    put_transfers(store);
    put_answers(store);
    put_events(store);
    unsigned used = 0;
    for (unsigned i = CALL_ITEMS_GONE; i < CALL_COUNT; i++) used += store->params[i].count > 0;
    if (used == 0) return 0;
    pg_params_int8(&store->params[CALL_FENCE], (int64_t)epoch);
    pg_params_int8(&store->params[CALL_NEXT_ID], (int64_t)stored_id);
    pg_params_int8(&store->params[CALL_NEXT_ID], (int64_t)next_id);
    unsigned count = 0;
    for (unsigned i = 0; i < CALL_COUNT; i++)
        if (store->params[i].count > 0)
            store->calls[count++] = (struct pg_call){.statement = &statements[i], .params = &store->params[i]};
    *calls = store->calls;
    return count;
}

bool value_store_is_key_conflict(const struct pg_reply *reply) {
    return reply->error == MARCH_ERR_EXISTS && reply->failed == &statements[CALL_COMMANDS];
}
