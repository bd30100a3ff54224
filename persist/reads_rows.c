/* reads_rows.c: see reads_rows.h. */
#include "persist/reads_rows.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/item_kinds.h"
#include "persist/json_text.h"

#define PROFILE_COLUMNS                                                                                                     \
    "select p.player, coalesce(m.guild, p.guild, 0), coalesce(s.experience, 0), p.created_at, p.last_seen_at, "             \
    "coalesce(s.level, 1), p.name, p.region, coalesce(g.name, '') from players p "                                          \
    "left join player_state s on s.player = p.player left join guild_members m on m.player = p.player "                     \
    "left join guilds g on g.id = coalesce(m.guild, p.guild) "

const struct pg_statement READS_PROFILES = {"reads_profiles", PROFILE_COLUMNS "where p.player = any($1::bigint[])"};
const struct pg_statement READS_SEEN = {"reads_seen", PROFILE_COLUMNS "order by p.last_seen_at desc limit $1::integer"};
const struct pg_statement READS_NAME = {"reads_name", "select player from players where name = $1::text"};
const struct pg_statement READS_GUILD_NAME = {"reads_guild_name", "select id from guilds where name = $1::text"};
const struct pg_statement READS_GUILD = {"reads_guild",
                                         "select id, leader, version, name from guilds where id = $1::bigint"};
const struct pg_statement READS_GUILD_MEMBERS = {
    "reads_guild_members", "select player, rank from guild_members where guild = $1::bigint order by joined limit 200"};
const struct pg_statement READS_ACCOUNT = {"reads_account",
                                           "select gold, version from accounts where owner_kind = 1 and owner = $1::bigint"};
const struct pg_statement READS_ITEMS = {
    "reads_items",
    "select id, kind, count, version, slot from items where owner_kind = 1 and owner = $1::bigint order by slot"};

/* Boards. Their order is that of boards.h. An index has each region in order of score; which regions there are is found by
 * going from one to the next in it. Region '' is all of them. */
#define BOARD_REGIONS                                                                                                       \
    "with recursive regions(region) as (select case when $3 = '' then "                                                     \
    "(select min(region) from scores where board = $1::text and season = $2::integer) else $3::text end union all "         \
    "select (select min(s.region) from scores s where s.board = $1 and s.season = $2 and s.region > r.region) "             \
    "from regions r where $3 = '' and r.region is not null) "
#define BOARD_OF_REGION    "s.board = $1 and s.season = $2 and s.region = r.region"
#define BOARD_ORDER(table) " order by " table ".score desc, " table ".player::text collate \"C\" desc "
#define BOARD_REVERSED     " order by s.score, s.player::text collate \"C\" "
#define BOARD_TOTAL        "(select count(*) from regions r join scores s on " BOARD_OF_REGION ")"
#define BOARD_BESIDE(compare)                                                                                               \
    "(s.score " compare "= o.score and (s.score " compare " o.score or s.player::text collate \"C\" " compare               \
    " o.player::text collate \"C\"))"

const struct pg_statement READS_BOARD_TOP = {
    "reads_board_top",
    BOARD_REGIONS "select t.player, t.score, $4::integer - 1 + row_number() over (" BOARD_ORDER(
        "t") "), " BOARD_TOTAL " from "
             "(select s.player, s.score from regions r cross join lateral (select s.player, s.score from scores s "
             "where " BOARD_OF_REGION BOARD_ORDER("s") "limit $4 + $5::integer - 1) s" BOARD_ORDER(
                 "s") "offset $4 - 1 limit $5) t "
                      "order by 3"};
/* Those around a player's place, of all regions: `own` has him and his score. */
#define BOARD_ABOVE                                                                                                         \
    "above as (select s.* from own o cross join regions r cross join lateral (select s.player, s.score from scores s "      \
    "where " BOARD_OF_REGION " and " BOARD_BESIDE(">") BOARD_REVERSED "limit $5::integer) s" BOARD_REVERSED "limit $5)"
#define BOARD_BELOW                                                                                                         \
    "below as (select s.* from own o cross join regions r cross join lateral (select s.player, s.score from scores s "      \
    "where " BOARD_OF_REGION " and " BOARD_BESIDE("<") BOARD_ORDER("s") "limit $5) s" BOARD_ORDER("s") "limit $5)"
#define BOARD_HIGHER                                                                                                        \
    "higher as (select count(*) as n from own o cross join regions r join scores s on " BOARD_OF_REGION                     \
    " and " BOARD_BESIDE(">") ")"
#define BOARD_NEAR(own)                                                                                                     \
    BOARD_REGIONS ", own as (" own "), " BOARD_ABOVE ", " BOARD_BELOW ", " BOARD_HIGHER ", near as "                        \
                  "(select * from above union all select * from own union all select * from below) "                        \
                  "select t.player, t.score, (select n from higher) - (select count(*) from above) "                        \
                  "+ row_number() over (" BOARD_ORDER("t") "), " BOARD_TOTAL " from near t order by 3"

const struct pg_statement READS_BOARD_AROUND = {
    "reads_board_around", BOARD_NEAR("select player, score from scores where board = $1 and season = $2 "
                                     "and player = $4::bigint and ($3 = '' or region = $3)")};
const struct pg_statement READS_BOARD_PLACE = {"reads_board_place",
                                               BOARD_NEAR("select $4::bigint as player, $6::bigint as score")};

#define AUCTION_COLUMNS                                                                                                     \
    "select id, seller, bidder, min_bid, buyout, bid, ends_at, item_kind, item_count from auctions where id > $1::bigint "

const struct pg_statement READS_AUCTIONS = {"reads_auctions", AUCTION_COLUMNS "order by id limit $2::integer"};
const struct pg_statement READS_AUCTIONS_KIND = {"reads_auctions_kind", AUCTION_COLUMNS
                                                 "and item_kind = $3::integer order by id limit $2::integer"};
const struct pg_statement READS_DAILY = {
    "reads_daily",
    "select to_char(day, 'YYYY-MM-DD'), type, events, players, least(gold_created, 9007199254740992)::bigint, "
    "least(gold_destroyed, 9007199254740992)::bigint from daily_stats "
    "where day > (now() at time zone 'UTC')::date - $1::integer order by day desc, type"};
const struct pg_statement READS_COUNTS = {
    "reads_counts",
    "select greatest(reltuples, 0)::bigint from pg_class where oid in ('players'::regclass, 'guilds'::regclass)"};
const struct pg_statement READS_PLAYER_NAMES = {
    "reads_player_names", "select name from players where name > $1::text order by name limit $2::integer"};
const struct pg_statement READS_GUILD_NAMES = {
    "reads_guild_names", "select name from guilds where name > $1::text order by name limit $2::integer"};

_Static_assert(LEDGER_MEMBERS_MAX == 200, "as the statement says");

static void read_name(struct pg_row *row, int column, char out[READS_NAME_MAX + 1]) {
    size_t len;
    const char *text = pg_row_text(row, column, &len);
    if (len > READS_NAME_MAX) {
        row->error = MARCH_ERR_INVALID;
        len = 0;
    }
    memcpy(out, text, len);
    out[len] = '\0';
}

int reads_row_profile(const PGresult *result, int row, struct reads_profile *out) {
    struct pg_row at = pg_row_at(result, row);
    *out = (struct reads_profile){.player = pg_row_u64(&at, 0),
                                  .guild = pg_row_u64(&at, 1),
                                  .experience = pg_row_u64(&at, 2),
                                  .created_ms = pg_row_timestamp(&at, 3) / 1000,
                                  .seen_ms = pg_row_timestamp(&at, 4) / 1000,
                                  .level = (uint32_t)pg_row_int4(&at, 5)};
    read_name(&at, 6, out->name);
    read_name(&at, 7, out->region);
    read_name(&at, 8, out->guild_name);
    return at.error;
}

int reads_row_id(const PGresult *result, uint64_t *id) {
    if (pg_rows(result) == 0) return MARCH_ERR_NOT_FOUND;
    struct pg_row at = pg_row_at(result, 0);
    *id = pg_row_u64(&at, 0);
    return at.error;
}

int reads_row_guild(const PGresult *guild, const PGresult *members, struct reads_guild *out) {
    if (pg_rows(guild) == 0) return MARCH_ERR_NOT_FOUND;
    struct pg_row at = pg_row_at(guild, 0);
    out->guild = pg_row_u64(&at, 0);
    out->leader = pg_row_u64(&at, 1);
    out->version = pg_row_u64(&at, 2);
    read_name(&at, 3, out->name);
    int error = at.error;
    int count = pg_rows(members);
    if (count > LEDGER_MEMBERS_MAX) return MARCH_ERR_INVALID;
    out->member_count = (uint32_t)count;
    for (int i = 0; i < count; i++) {
        at = pg_row_at(members, i);
        out->members[i] = (struct ledger_member){.player = pg_row_u64(&at, 0), .rank = (uint32_t)pg_row_int2(&at, 1)};
        if (at.error) error = at.error;
    }
    return error;
}

int reads_row_inventory(uint64_t player, const PGresult *account, const PGresult *items, struct reads_inventory *out) {
    *out = (struct reads_inventory){.player = player};
    int error = 0, count = pg_rows(items);
    if (count > LEDGER_ACCOUNT_ITEMS_MAX) return MARCH_ERR_INVALID;
    if (pg_rows(account) > 0) {
        struct pg_row at = pg_row_at(account, 0);
        out->gold = pg_row_int8(&at, 0);
        out->version = pg_row_u64(&at, 1);
        error = at.error;
    }
    out->item_count = (uint32_t)count;
    for (int i = 0; i < count; i++) {
        struct pg_row at = pg_row_at(items, i);
        out->items[i] = (struct ledger_item){.id = pg_row_u64(&at, 0),
                                             .kind = (uint32_t)pg_row_int4(&at, 1),
                                             .count = (uint32_t)pg_row_int4(&at, 2),
                                             .version = (uint32_t)pg_row_u64(&at, 3),
                                             .slot = (uint16_t)pg_row_int2(&at, 4)};
        if (at.error) error = at.error;
    }
    return error;
}

static json_t *auction_json(const PGresult *result, int row) {
    struct pg_row at = pg_row_at(result, row);
    json_int_t id = pg_row_int8(&at, 0), seller = pg_row_int8(&at, 1), bidder = pg_row_int8(&at, 2);
    json_int_t min_bid = pg_row_int8(&at, 3), buyout = pg_row_int8(&at, 4), bid = pg_row_int8(&at, 5);
    char ends_at[JSON_TIME_SIZE];
    json_time(ends_at, pg_row_timestamp(&at, 6) / 1000);
    int kind = pg_row_int4(&at, 7), count = pg_row_int4(&at, 8);
    if (at.error) return NULL;
    const struct item_kind_info *info = item_kind_find((uint32_t)kind);
    return json_pack("{s:I, s:I, s:{s:i, s:s, s:i}, s:I, s:I, s:I, s:I, s:s}", "auction", id, "seller", seller, "item",
                     "kind", kind, "name", info ? info->name : "unknown", "count", count, "min_bid", min_bid, "buyout",
                     buyout, "bid", bid, "bidder", bidder, "ends_at", ends_at);
}

static json_t *daily_json(const PGresult *result, int row) {
    struct pg_row at = pg_row_at(result, row);
    const char *day = pg_row_text(&at, 0, NULL);
    int type = pg_row_int2(&at, 1);
    json_int_t events = pg_row_int8(&at, 2), players = pg_row_int8(&at, 3);
    json_int_t created = pg_row_int8(&at, 4), destroyed = pg_row_int8(&at, 5);
    if (at.error) return NULL;
    return json_pack("{s:s, s:i, s:I, s:I, s:I, s:I}", "day", day, "type", type, "events", events, "players", players,
                     "gold_created", created, "gold_destroyed", destroyed);
}

static char *rows_json(const PGresult *result, json_t *(*row_json)(const PGresult *result, int row), size_t *len) {
    json_t *rows = json_array();
    bool good = rows != NULL;
    for (int i = 0; good && i < pg_rows(result); i++) {
        json_t *row = row_json(result, i);
        good = row && json_array_append_new(rows, row) == 0;
    }
    char *text = good ? json_dumps(rows, JSON_COMPACT) : NULL;
    json_decref(rows);
    if (text) *len = strlen(text);
    return text;
}

char *reads_row_auctions(const PGresult *result, size_t *len) {
    return rows_json(result, auction_json, len);
}

char *reads_row_daily(const PGresult *result, size_t *len) {
    return rows_json(result, daily_json, len);
}

int reads_row_board(const PGresult *result, uint64_t player, struct reads_board *out) {
    int count = pg_rows(result);
    if (count > READS_BOARD_MAX) return MARCH_ERR_INVALID;
    out->count = (uint32_t)count;
    for (int i = 0; i < count; i++) {
        struct pg_row row = pg_row_at(result, i);
        struct board_entry *entry = &out->entries[i];
        *entry =
            (struct board_entry){.player = pg_row_u64(&row, 0), .score = pg_row_int8(&row, 1), .rank = pg_row_u64(&row, 2)};
        out->total = pg_row_u64(&row, 3);
        if (row.error) return MARCH_ERR_INVALID;
        if (entry->player == player) out->self = *entry;
    }
    return player && !out->self.player ? MARCH_ERR_NOT_FOUND : 0;
}
