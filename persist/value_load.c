/* value_load.c: statements that read value, and their rows. */
#include "persist/value_load.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"

/* With a limit, or `offset 0`, what is looked up for each row stays a look into an index: plans are made once, when tables
 * may be empty, and a join that reads a whole table would be kept while it grows. */
#define ACCOUNTS_ROWS                                                                                                       \
    "select w.kind, w.owner, a.gold, a.version, m.guild from unnest($1::smallint[], $2::bigint[]) w(kind, owner) "          \
    "left join lateral (select gold, version from accounts where owner_kind = w.kind and owner = w.owner limit 1) a "       \
    "on true left join lateral (select guild from guild_members where w.kind = 1 and player = w.owner limit 1) m on true "  \
    "order by 1, 2"
#define ITEMS_ROWS                                                                                                          \
    "select w.kind, w.owner, i.id, i.kind, i.count, i.version, i.slot from "                                                \
    "unnest($1::smallint[], $2::bigint[]) w(kind, owner) cross join lateral "                                               \
    "(select id, kind, count, version, slot from items where owner_kind = w.kind and owner = w.owner offset 0) i "          \
    "order by 1, 2, i.slot"

static const struct pg_statement accounts_sql = {"value.accounts", ACCOUNTS_ROWS};
static const struct pg_statement items_sql = {"value.items", ITEMS_ROWS};
static const struct pg_statement guilds_sql = {
    "value.guilds", "select id, name, leader, version from guilds where id = any($1::bigint[]) order by id"};
static const struct pg_statement members_sql = {
    "value.members",
    "select guild, player, rank from guild_members where guild = any($1::bigint[]) order by guild, joined, player"};
static const struct pg_statement invites_sql = {
    "value.invites", "select guild, player, invited_by, expires_at from guild_invites where guild = any($1::bigint[]) "
                     "order by guild, expires_at, player"};
static const struct pg_statement names_sql = {"value.names", "select name, id from guilds where name = any($1::text[])"};
static const struct pg_statement answers_sql = {
    "value.answers", "select k.domain, k.player, k.key, c.status, c.object from "
                     "unnest($1::smallint[], $2::bigint[], $3::bigint[]) k(domain, player, key) cross join lateral "
                     "(select status, object from commands where domain = k.domain and player = k.player and key = k.key "
                     "limit 1) c"};

static const struct pg_statement fence_sql = {"value.fence_load", "select march_fence($1::bigint)"};
static const struct pg_statement settle_sql = {"value.settle", "update shard set next_id = next_id + 1 returning next_id"};
static const struct pg_statement escrow_sql = {
    "value.escrow", "select owner_kind, owner, gold, version, null::bigint from accounts where owner_kind in (3, 4) "
                    "order by 1, 2"};
static const struct pg_statement escrow_items_sql = {
    "value.escrow_items", "select owner_kind, owner, id, kind, count, version, slot from items where owner_kind in (3, 4) "
                          "order by 1, 2, slot"};
static const struct pg_statement trades_sql = {
    "value.trades", "select id, offerer, accepter, give, want, give_gold, want_gold, expires_at, version from trades"};
static const struct pg_statement auctions_sql = {
    "value.auctions",
    "select id, seller, bidder, item_kind, item_count, min_bid, buyout, bid, ends_at, version from auctions"};
static const struct pg_statement transfers_sql = {"value.transfers",
                                                  "select id, dest_shard, purpose, payload, created_at from transfers"};

enum all_call {
    ALL_FENCE = 0,
    ALL_SETTLE,
    ALL_ESCROW,
    ALL_ESCROW_ITEMS,
    ALL_TRADES,
    ALL_AUCTIONS,
    ALL_TRANSFERS,
    ALL_COUNT
};
_Static_assert(ALL_COUNT <= VALUE_LOAD_CALLS_MAX, "the calls of the first load fit");

/* --- what is asked for */

void value_load_init(struct value_load *load) {
    for (unsigned i = 0; i < VALUE_LOAD_CALLS_MAX; i++) pg_params_init(&load->params[i]);
    value_load_reset(load);
}

void value_load_deinit(struct value_load *load) {
    for (unsigned i = 0; i < VALUE_LOAD_CALLS_MAX; i++) pg_params_deinit(&load->params[i]);
}

void value_load_reset(struct value_load *load) {
    load->account_count = load->guild_count = load->name_count = load->answer_count = 0;
    load->call_count = 0;
}

static void add_guild(struct value_load *load, uint64_t guild) {
    if (load->guild_count < VALUE_LOAD_ROWS_MAX) load->guilds[load->guild_count++] = guild;
}

void value_load_add(struct value_load *load, const struct ledger_need *need) {
    switch (need->key.type) {
    case LEDGER_ROW_ACCOUNT:
        if (load->account_count < VALUE_LOAD_ROWS_MAX) load->accounts[load->account_count++] = need->key;
        break;
    case LEDGER_ROW_GUILD: add_guild(load, need->key.id); break;
    case LEDGER_ROW_GUILD_NAME:
        if (load->name_count < LEDGER_BATCH_MAX) memcpy(load->names[load->name_count++], need->name, sizeof(need->name));
        break;
    default: CHECK(!"a row that is always in memory");
    }
}

void value_load_add_answer(struct value_load *load, enum ledger_domain domain, uint64_t player, uint64_t key) {
    if (load->answer_count == LEDGER_BATCH_MAX) return;
    load->answers[load->answer_count++] = (struct ledger_answer){.domain = domain, .player = player, .key = key};
}

uint32_t value_load_count(const struct value_load *load) {
    return load->account_count + load->guild_count + load->name_count + load->answer_count;
}

static int compare_keys(const void *a, const void *b) {
    const struct ledger_key *x = a, *y = b;
    if (x->owner_kind != y->owner_kind) return x->owner_kind < y->owner_kind ? -1 : 1;
    return x->id == y->id ? 0 : (x->id < y->id ? -1 : 1);
}

static int compare_ids(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x == y ? 0 : (x < y ? -1 : 1);
}

/* sort_out puts what was asked for in order, each once. */
static void sort_out(struct value_load *load) {
    qsort(load->accounts, load->account_count, sizeof(load->accounts[0]), compare_keys);
    qsort(load->guilds, load->guild_count, sizeof(load->guilds[0]), compare_ids);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < load->account_count; i++)
        if (kept == 0 || compare_keys(&load->accounts[kept - 1], &load->accounts[i]) != 0)
            load->accounts[kept++] = load->accounts[i];
    load->account_count = kept;
    kept = 0;
    for (uint32_t i = 0; i < load->guild_count; i++)
        if (kept == 0 || load->guilds[kept - 1] != load->guilds[i]) load->guilds[kept++] = load->guilds[i];
    load->guild_count = kept;
}

static struct pg_params *add_call(struct value_load *load, const struct pg_statement *statement) {
    CHECK(load->call_count < VALUE_LOAD_CALLS_MAX);
    struct pg_params *params = &load->params[load->call_count];
    pg_params_reset(params);
    load->calls[load->call_count++] = (struct pg_call){.statement = statement, .params = params};
    return params;
}

static void add_account_call(struct value_load *load, const struct pg_statement *statement) {
    struct pg_params *params = add_call(load, statement);
    pg_params_array(params, PG_INT2);
    for (uint32_t i = 0; i < load->account_count; i++) pg_params_push_int2(params, (int16_t)load->accounts[i].owner_kind);
    pg_params_end(params);
    pg_params_array(params, PG_INT8);
    for (uint32_t i = 0; i < load->account_count; i++) pg_params_push_int8(params, (int64_t)load->accounts[i].id);
    pg_params_end(params);
}

static void add_answer_call(struct value_load *load) {
    struct pg_params *params = add_call(load, &answers_sql);
    pg_params_array(params, PG_INT2);
    for (uint32_t i = 0; i < load->answer_count; i++) pg_params_push_int2(params, (int16_t)load->answers[i].domain);
    pg_params_end(params);
    pg_params_array(params, PG_INT8);
    for (uint32_t i = 0; i < load->answer_count; i++) pg_params_push_int8(params, (int64_t)load->answers[i].player);
    pg_params_end(params);
    pg_params_array(params, PG_INT8);
    for (uint32_t i = 0; i < load->answer_count; i++) pg_params_push_int8(params, (int64_t)load->answers[i].key);
    pg_params_end(params);
}

void value_load_build(struct value_load *load) {
    sort_out(load);
    if (load->account_count > 0) {
        add_account_call(load, &accounts_sql);
        add_account_call(load, &items_sql);
    }
    if (load->guild_count > 0) {
        pg_params_u64_array(add_call(load, &guilds_sql), load->guilds, load->guild_count);
        pg_params_u64_array(add_call(load, &members_sql), load->guilds, load->guild_count);
        pg_params_u64_array(add_call(load, &invites_sql), load->guilds, load->guild_count);
    }
    if (load->name_count > 0) {
        struct pg_params *params = add_call(load, &names_sql);
        pg_params_array(params, PG_TEXT);
        for (uint32_t i = 0; i < load->name_count; i++) pg_params_push_text(params, load->names[i], strlen(load->names[i]));
        pg_params_end(params);
    }
    if (load->answer_count > 0) add_answer_call(load);
}

void value_load_build_all(struct value_load *load, uint64_t epoch) {
    static const struct pg_statement *const all[ALL_COUNT] = {&fence_sql,  &settle_sql,   &escrow_sql,   &escrow_items_sql,
                                                              &trades_sql, &auctions_sql, &transfers_sql};
    value_load_reset(load);
    for (unsigned i = 0; i < ALL_COUNT; i++) (void)add_call(load, all[i]);
    pg_params_int8(&load->params[ALL_FENCE], (int64_t)epoch);
}

/* --- what comes back */

static int nonsense(const char *what, uint64_t id) {
    log_error("value.row_invalid", "what=%s id=%" PRIu64, what, id);
    return MARCH_ERR_INVALID;
}

/* take_items reads the items of one account from row `*next` on; rows are in the order of accounts. */
static int take_items(const PGresult *items, int *next, const struct ledger_key *key, struct ledger_holding *holding) {
    for (; *next < pg_rows(items); (*next)++) {
        struct pg_row row = pg_row_at(items, *next);
        uint32_t kind = (uint32_t)pg_row_int2(&row, 0);
        uint64_t owner = pg_row_u64(&row, 1);
        if (row.error) return nonsense("item", owner);
        if (kind != key->owner_kind || owner != key->id) return 0;
        if (holding->item_count == LEDGER_ACCOUNT_ITEMS_MAX) return nonsense("account", owner);
        struct ledger_item *item = &holding->items[holding->item_count++];
        *item = (struct ledger_item){.id = pg_row_u64(&row, 2),
                                     .kind = (uint32_t)pg_row_int4(&row, 3),
                                     .count = (uint32_t)pg_row_int4(&row, 4),
                                     .version = (uint32_t)pg_row_int8(&row, 5),
                                     .slot = (uint16_t)pg_row_int2(&row, 6)};
        if (row.error) return nonsense("item", item->id);
    }
    return 0;
}

static int enter_accounts(const PGresult *accounts, const PGresult *items, struct ledger *ledger) {
    struct ledger_item room[LEDGER_ACCOUNT_ITEMS_MAX];
    int next_item = 0;
    for (int i = 0; i < pg_rows(accounts); i++) {
        struct pg_row row = pg_row_at(accounts, i);
        struct ledger_key key = {
            .type = LEDGER_ROW_ACCOUNT, .owner_kind = (uint32_t)pg_row_int2(&row, 0), .id = pg_row_u64(&row, 1)};
        union ledger_body body = {.account = {.items = room}};
        bool is_new = pg_row_is_null(&row, 2);
        if (!is_new) {
            body.account.gold = pg_row_int8(&row, 2);
            body.account.version = pg_row_u64(&row, 3);
        }
        if (!pg_row_is_null(&row, 4)) body.account.guild = pg_row_u64(&row, 4);
        int error = row.error ? nonsense("account", key.id) : take_items(items, &next_item, &key, &body.account);
        if (error == 0 && is_new && (body.account.item_count > 0 || body.account.guild != 0)) error = MARCH_ERR_INVALID;
        if (error == 0) error = ledger_know(ledger, &key, is_new ? NULL : &body);
        if (error != 0) return nonsense("account", key.id);
    }
    return next_item == pg_rows(items) ? 0 : nonsense("items without an account", 0);
}

static int take_members(const PGresult *members, int *next, uint64_t id, struct ledger_guild *guild) {
    for (; *next < pg_rows(members); (*next)++) {
        struct pg_row row = pg_row_at(members, *next);
        if (pg_row_u64(&row, 0) != id) break;
        if (guild->member_count == LEDGER_MEMBERS_MAX) return MARCH_ERR_INVALID;
        guild->members[guild->member_count++] =
            (struct ledger_member){.player = pg_row_u64(&row, 1), .rank = (uint32_t)pg_row_int2(&row, 2)};
        if (row.error) return MARCH_ERR_INVALID;
    }
    return 0;
}

static int take_invites(const PGresult *invites, int *next, uint64_t id, struct ledger_guild *guild) {
    for (; *next < pg_rows(invites); (*next)++) {
        struct pg_row row = pg_row_at(invites, *next);
        if (pg_row_u64(&row, 0) != id) break;
        if (guild->invite_count == LEDGER_INVITES_MAX) return MARCH_ERR_INVALID;
        guild->invites[guild->invite_count++] =
            (struct ledger_invite){.player = pg_row_u64(&row, 1),
                                   .by = pg_row_u64(&row, 2),
                                   .expires_ms = (uint64_t)pg_row_timestamp(&row, 3) / 1000};
        if (row.error) return MARCH_ERR_INVALID;
    }
    return 0;
}

static int enter_guilds(const struct value_load *load, PGresult *const *results, struct ledger *ledger) {
    struct ledger_guild guild;
    int next = 0, next_member = 0, next_invite = 0;
    for (uint32_t i = 0; i < load->guild_count; i++) {
        struct ledger_key key = {.type = LEDGER_ROW_GUILD, .id = load->guilds[i]};
        struct pg_row row = pg_row_at(results[0], next);
        if (next == pg_rows(results[0]) || pg_row_u64(&row, 0) != key.id) {
            if (ledger_know(ledger, &key, NULL) != 0) return MARCH_ERR_INVALID;
            continue;
        }
        next++;
        size_t len = 0;
        const char *name = pg_row_text(&row, 1, &len);
        memset(&guild, 0, sizeof(guild));
        guild.leader = pg_row_u64(&row, 2);
        guild.version = pg_row_u64(&row, 3);
        if (row.error || len > LEDGER_NAME_MAX) return nonsense("guild", key.id);
        memcpy(guild.name, name, len);
        if (take_members(results[1], &next_member, key.id, &guild) != 0 ||
            take_invites(results[2], &next_invite, key.id, &guild) != 0 ||
            ledger_know(ledger, &key, &(union ledger_body){.guild = &guild}) != 0)
            return nonsense("guild", key.id);
    }
    return 0;
}

static int enter_names(const struct value_load *load, const PGresult *names, struct ledger *ledger) {
    for (int i = 0; i < pg_rows(names); i++) {
        struct pg_row row = pg_row_at(names, i);
        struct ledger_key key = {.type = LEDGER_ROW_GUILD_NAME, .id = ledger_name_hash(pg_row_text(&row, 0, NULL))};
        union ledger_body body = {.guild_of_name = pg_row_u64(&row, 1)};
        if (row.error || ledger_know(ledger, &key, &body) != 0) return nonsense("guild", body.guild_of_name);
    }
    for (uint32_t i = 0; i < load->name_count; i++) { /* those that did not come back are free */
        struct ledger_key key = {.type = LEDGER_ROW_GUILD_NAME, .id = ledger_name_hash(load->names[i])};
        if (ledger_know(ledger, &key, NULL) != 0) return MARCH_ERR_INVALID;
    }
    return 0;
}

static int enter_answers(const PGresult *answers, struct ledger *ledger) {
    for (int i = 0; i < pg_rows(answers); i++) {
        struct pg_row row = pg_row_at(answers, i);
        int16_t domain = pg_row_int2(&row, 0);
        uint64_t player = pg_row_u64(&row, 1), key = pg_row_u64(&row, 2);
        int16_t status = pg_row_int2(&row, 3);
        uint64_t object = pg_row_u64(&row, 4);
        if (row.error || domain < 0 || status < 0 || status >= LEDGER_STATUS_COUNT) return nonsense("command", key);
        ledger_know_answer(ledger, (enum ledger_domain)domain, player, key, (enum ledger_status)status, object);
    }
    return 0;
}

int value_load_enter(const struct value_load *load, const struct pg_reply *reply, struct ledger *ledger) {
    unsigned at = 0;
    int error = 0;
    CHECK(reply->count == load->call_count);
    if (load->account_count > 0) {
        error = enter_accounts(reply->results[at], reply->results[at + 1], ledger);
        at += 2;
    }
    if (error == 0 && load->guild_count > 0) {
        error = enter_guilds(load, &reply->results[at], ledger);
        at += 3;
    }
    if (error == 0 && load->name_count > 0) error = enter_names(load, reply->results[at++], ledger);
    if (error == 0 && load->answer_count > 0) error = enter_answers(reply->results[at], ledger);
    return error;
}

/* --- the first load */

/* json_numbers reads an array of `count` whole numbers. */
static bool json_numbers(const json_t *array, uint64_t *out, size_t count) {
    if (!json_is_array(array) || json_array_size(array) != count) return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *number = json_array_get(array, i);
        if (!json_is_integer(number)) return false;
        out[i] = (uint64_t)json_integer_value(number);
    }
    return true;
}

static int take_side(struct pg_row *row, int column, struct ledger_trade_item *items, uint32_t *count) {
    size_t len = 0;
    const char *text = pg_row_text(row, column, &len);
    json_t *side = row->error ? NULL : json_loadb(text, len, 0, NULL);
    int error = json_is_array(side) && json_array_size(side) <= LEDGER_TRADE_ITEMS_MAX ? 0 : MARCH_ERR_INVALID;
    for (size_t i = 0; error == 0 && i < json_array_size(side); i++) {
        uint64_t fields[4];
        if (!json_numbers(json_array_get(side, i), fields, 4))
            error = MARCH_ERR_INVALID;
        else
            items[(*count)++] = (struct ledger_trade_item){
                .id = fields[0], .version = (uint32_t)fields[1], .count = (uint32_t)fields[2], .kind = (uint32_t)fields[3]};
    }
    json_decref(side);
    return error;
}

static int enter_trades(const PGresult *trades, struct ledger *ledger) {
    for (int i = 0; i < pg_rows(trades); i++) {
        struct pg_row row = pg_row_at(trades, i);
        struct ledger_key key = {.type = LEDGER_ROW_TRADE, .id = pg_row_u64(&row, 0)};
        union ledger_body body = {.trade = {.offerer = pg_row_u64(&row, 1),
                                            .accepter = pg_row_u64(&row, 2),
                                            .give_gold = pg_row_int8(&row, 5),
                                            .want_gold = pg_row_int8(&row, 6),
                                            .expires_ms = (uint64_t)pg_row_timestamp(&row, 7) / 1000,
                                            .version = pg_row_u64(&row, 8)}};
        if (take_side(&row, 3, body.trade.give, &body.trade.give_count) != 0 ||
            take_side(&row, 4, body.trade.want, &body.trade.want_count) != 0 || row.error ||
            ledger_know(ledger, &key, &body) != 0)
            return nonsense("trade", key.id);
    }
    return 0;
}

static int enter_auctions(const PGresult *auctions, struct ledger *ledger) {
    for (int i = 0; i < pg_rows(auctions); i++) {
        struct pg_row row = pg_row_at(auctions, i);
        struct ledger_key key = {.type = LEDGER_ROW_AUCTION, .id = pg_row_u64(&row, 0)};
        union ledger_body body = {.auction = {.seller = pg_row_u64(&row, 1),
                                              .bidder = pg_row_u64(&row, 2),
                                              .item_kind = (uint32_t)pg_row_int4(&row, 3),
                                              .item_count = (uint32_t)pg_row_int4(&row, 4),
                                              .min_bid = pg_row_int8(&row, 5),
                                              .buyout = pg_row_int8(&row, 6),
                                              .bid = pg_row_int8(&row, 7),
                                              .ends_ms = (uint64_t)pg_row_timestamp(&row, 8) / 1000,
                                              .version = pg_row_u64(&row, 9)}};
        if (row.error || ledger_know(ledger, &key, &body) != 0) return nonsense("auction", key.id);
        const struct ledger_holding *escrow = ledger_account(ledger, LEDGER_OWNER_AUCTION, key.id, NULL);
        if (!escrow || escrow->item_count != 1 || escrow->gold != body.auction.bid) return nonsense("auction", key.id);
    }
    return 0;
}

/* take_payload reads {"player", "other", "object", "gold", "items": [[id, origin, kind, count], ...]}. */
static int take_payload(struct pg_row *row, int column, struct ledger_transfer *transfer) {
    size_t len = 0;
    const char *text = pg_row_text(row, column, &len);
    json_t *payload = row->error ? NULL : json_loadb(text, len, 0, NULL);
    json_t *items = json_object_get(payload, "items");
    int error = json_is_array(items) && json_array_size(items) <= LEDGER_TRADE_ITEMS_MAX ? 0 : MARCH_ERR_INVALID;
    transfer->player = (uint64_t)json_integer_value(json_object_get(payload, "player"));
    transfer->other = (uint64_t)json_integer_value(json_object_get(payload, "other"));
    transfer->object = (uint64_t)json_integer_value(json_object_get(payload, "object"));
    transfer->gold = json_integer_value(json_object_get(payload, "gold"));
    for (size_t i = 0; error == 0 && i < json_array_size(items); i++) {
        uint64_t fields[4];
        if (!json_numbers(json_array_get(items, i), fields, 4))
            error = MARCH_ERR_INVALID;
        else
            transfer->items[transfer->item_count++] = (struct ledger_transfer_item){
                .id = fields[0], .origin = fields[1], .kind = (uint32_t)fields[2], .count = (uint32_t)fields[3]};
    }
    json_decref(payload);
    return error;
}

static int enter_transfers(const PGresult *transfers, struct ledger *ledger) {
    for (int i = 0; i < pg_rows(transfers); i++) {
        struct pg_row row = pg_row_at(transfers, i);
        struct ledger_key key = {.type = LEDGER_ROW_TRANSFER, .id = pg_row_u64(&row, 0)};
        union ledger_body body = {.transfer = {.id = key.id,
                                               .dest_shard = (uint32_t)pg_row_int4(&row, 1),
                                               .purpose = (enum ledger_purpose)pg_row_int2(&row, 2),
                                               .created_ms = (uint64_t)pg_row_timestamp(&row, 4) / 1000}};
        if (take_payload(&row, 3, &body.transfer) != 0 || row.error || ledger_know(ledger, &key, &body) != 0)
            return nonsense("transfer", key.id);
        if (!ledger_account(ledger, LEDGER_OWNER_TRANSFER, key.id, NULL)) return nonsense("transfer", key.id);
    }
    return 0;
}

int value_load_enter_all(const struct pg_reply *reply, struct ledger *ledger, uint64_t *stored_id) {
    CHECK(reply->count == ALL_COUNT);
    struct pg_row shard = pg_row_at(reply->results[ALL_SETTLE], 0);
    *stored_id = pg_row_u64(&shard, 0);
    if (shard.error) return nonsense("shard", 0);
    ledger_set_next_id(ledger, *stored_id);
    int error = enter_accounts(reply->results[ALL_ESCROW], reply->results[ALL_ESCROW_ITEMS], ledger);
    if (error == 0) error = enter_trades(reply->results[ALL_TRADES], ledger);
    if (error == 0) error = enter_auctions(reply->results[ALL_AUCTIONS], ledger);
    if (error == 0) error = enter_transfers(reply->results[ALL_TRANSFERS], ledger);
    return error;
}
