/* test_reads.c: reads against a real PostgreSQL; how many queries an answer cost is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ev.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "persist/pg.h"
#include "persist/pg_listen.h"
#include "persist/reads.h"
#include "persist/reads_wire.h"
#include "persist/value.h"
#include "tests/unit/pg_fixture.h"

#define TTL_MS     300
#define PATIENCE_S 20

static struct pg_fixture fixture;
static int64_t epoch;

/* One pool and its reads, with what the last call was told. */
struct bench {
    struct ev_loop *loop;
    struct pg *pg;
    struct value *value; /* NULL but where it is asked for */
    struct reads *reads;
    int told, error;
    struct reads_profile_result results[READS_PROFILES_MAX];
    uint32_t count;
    uint64_t id;
    struct reads_inventory inventory;
    struct reads_guild guild;
    struct reads_board board;
    struct pg *primary;  /* NULL but where `pg` is a replica */
    struct redis *redis; /* NULL but where boards are asked for */
    struct boards *boards;
    struct reads_meta meta;
    char json[65536];
    bool live;
};

static int open_server(void **state) {
    (void)state;
    pg_fixture_open(&fixture, NULL);
    epoch = pg_fixture_migrate(&fixture);
    pg_fixture_execute(&fixture, "insert into players (player, name, region, last_seen_at) select n, 'player ' || n, "
                                 "'main', now() - n * '1 min'::interval "
                                 "from generate_series(1, 300) n;"
                                 "insert into player_state values (7, 1, 1, 4500, 0, 0, 0, 9, 100);"
                                 "insert into guilds values (100, 'The Guild', 7, 3);"
                                 "insert into guild_members select n, 100, (n = 7)::int * 2, n from generate_series(7, 9) n;"
                                 "insert into accounts values (1, 7, 250, 4);"
                                 "insert into items values (1000, 1, 7, 3, 2, 15, 1), (1001, 1, 7, 0, 4, 1, 2);"
                                 "insert into auctions select n, 7, 1 + n % 2, 1, 10, 0, 0, 0, '2030-01-01T00:00:00Z', 1 "
                                 "from generate_series(1, 5) n;"
                                 "insert into accounts select 3, n, 0, 1 from generate_series(1, 5) n;"
                                 "insert into items select 2000 + n, 3, n, 0, 1 + n % 2, 1, 1 from generate_series(1, 5) n;"
                                 "insert into event_history values ((now() at time zone 'UTC')::date, 2, 10, 3, 100, 5);"
                                 "refresh materialized view daily_stats");
    return 0;
}

static int close_server(void **state) {
    (void)state;
    pg_fixture_close(&fixture);
    return 0;
}

/* --- the loop */

static void stop_waiting(struct ev_loop *loop, ev_timer *timer, int events) {
    (void)timer, (void)events;
    ev_break(loop, EVBREAK_ONE);
}

static void turn(struct bench *b) {
    ev_timer timer;
    ev_timer_init(&timer, stop_waiting, 0.02, 0);
    ev_timer_start(b->loop, &timer);
    ev_run(b->loop, EVRUN_ONCE);
    ev_timer_stop(b->loop, &timer);
}

#define AWAIT(b, condition)                                                                                                 \
    do {                                                                                                                    \
        struct mono deadline_ = mono_add_ms(mono_now(), PATIENCE_S * 1000);                                                 \
        while (!(condition)) {                                                                                              \
            turn(b);                                                                                                        \
            if (mono_reached(mono_now(), deadline_)) fail_msg("waited too long for %s", #condition);                        \
        }                                                                                                                   \
    } while (0)

static bool live_of(void *ctx, uint64_t player, struct reads_live *out) {
    const struct bench *b = ctx;
    *out = (struct reads_live){.experience = 9999, .level = 20, .online = true};
    return b->live && player == 7;
}

static void on_changed(void *ctx, const struct value_change *change) {
    struct bench *b = ctx;
    reads_account_changed(b->reads, change->owner_kind, change->owner);
}

static void on_guild_changed(void *ctx, uint64_t guild) {
    struct bench *b = ctx;
    reads_guild_changed(b->reads, guild);
}

static struct value *open_value(struct bench *b) {
    const struct value_hooks hooks = {.ctx = b, .changed = on_changed, .guild_changed = on_guild_changed};
    const struct value_config config = {.shard_count = 1, .epoch = (uint64_t)epoch};
    return value_create(b->loop, b->pg, &config, &hooks);
}

static const char unused_redis[] = "unix:///nowhere/redis";

static void open_boards(struct bench *b, const char *address) {
    const struct redis_config redis = {.address = address, .seed = 1};
    assert_int_equal(redis_open(&b->redis, b->loop, &redis), 0);
    const struct boards_config boards = {.redis = b->redis, .season = 1};
    assert_int_equal(boards_open(&b->boards, b->loop, &boards), 0);
}

static struct bench *open_bench_full(bool with_value, const char *redis, const char *replica) {
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->loop = ev_loop_new(EVFLAG_AUTO);
    struct pg_config pg = {.name = "reads", .uri = fixture.uri, .connections = 2, .connect_ms = 5000, .seed = 1};
    if (replica) assert_int_equal(pg_create(b->loop, &pg, &b->primary), 0);
    if (replica) pg.uri = replica;
    assert_int_equal(pg_create(b->loop, &pg, &b->pg), 0);
    if (with_value) b->value = open_value(b);
    if (redis) open_boards(b, redis);
    const struct reads_config config = {.loop = b->loop,
                                        .pg = b->pg,
                                        .primary = b->primary,
                                        .value = b->value,
                                        .boards = b->boards,
                                        .shard_count = 1,
                                        .season = 1,
                                        .ttl_ms = TTL_MS,
                                        .ctx = b,
                                        .live = live_of};
    b->reads = reads_create(&config);
    assert_non_null(b->reads);
    AWAIT(b, pg_is_available(b->pg) && (!replica || pg_is_available(b->primary)));
    if (b->value) AWAIT(b, value_is_started(b->value));
    return b;
}

static struct bench *open_bench_with(bool with_value) {
    return open_bench_full(with_value, NULL, NULL);
}

static struct bench *open_bench_on(const char *redis) {
    return open_bench_full(false, redis, NULL);
}

static struct bench *open_bench(void) {
    return open_bench_with(false);
}

static void close_bench(struct bench *b) {
    redis_close(b->redis);
    value_destroy(b->value);
    pg_destroy(b->pg);
    pg_destroy(b->primary);
    boards_close(b->boards);
    reads_destroy(b->reads);
    ev_loop_destroy(b->loop);
    free(b);
}

static struct reads_stats stats_of(const struct bench *b) {
    return reads_stats_get(b->reads);
}

/* --- calls */

static void on_profiles(void *ctx, const struct reads_profile_result *results, uint32_t count) {
    struct bench *b = ctx;
    memcpy(b->results, results, count * sizeof *results);
    b->count = count;
    b->error = results[0].error;
    b->meta = results[0].meta;
    b->told++;
}

static void on_id(void *ctx, int error, uint64_t id) {
    struct bench *b = ctx;
    b->error = error;
    b->id = id;
    b->told++;
}

static void on_inventory(void *ctx, int error, const struct reads_inventory *inventory, struct reads_meta meta) {
    struct bench *b = ctx;
    b->error = error;
    b->meta = meta;
    if (inventory) b->inventory = *inventory;
    b->told++;
}

static void on_guild(void *ctx, int error, const struct reads_guild *guild, struct reads_meta meta) {
    struct bench *b = ctx;
    b->error = error;
    b->meta = meta;
    if (guild) b->guild = *guild;
    b->told++;
}

static void on_json(void *ctx, int error, const char *json, size_t len, struct reads_meta meta) {
    struct bench *b = ctx;
    b->error = error;
    b->meta = meta;
    snprintf(b->json, sizeof b->json, "%.*s", (int)len, json ? json : "");
    b->told++;
}

static int profile(struct bench *b, uint64_t player) {
    b->told = 0;
    reads_profiles(b->reads, &player, 1, false, on_profiles, b);
    AWAIT(b, b->told > 0);
    return b->error;
}

static int named(struct bench *b, const char *name) {
    b->told = 0;
    reads_player_named(b->reads, name, false, on_id, b);
    AWAIT(b, b->told > 0);
    return b->error;
}

static int guild(struct bench *b, uint64_t id) {
    b->told = 0;
    reads_guild(b->reads, id, on_guild, b);
    AWAIT(b, b->told > 0);
    return b->error;
}

static int inventory(struct bench *b, uint64_t player) {
    b->told = 0;
    reads_inventory(b->reads, player, on_inventory, b);
    AWAIT(b, b->told > 0);
    return b->error;
}

static int auctions(struct bench *b, uint32_t kind, uint64_t after, uint32_t count) {
    b->told = 0;
    reads_auctions(b->reads, kind, after, count, on_json, b);
    AWAIT(b, b->told > 0);
    return b->error;
}

static void wait_ms(struct bench *b, uint64_t ms) {
    struct mono until = mono_add_ms(mono_now(), ms);
    AWAIT(b, mono_reached(mono_now(), until));
}

/* --- tests */

static void test_reads_profile_is_whole_and_live_where_the_player_plays(void **state) {
    (void)state;
    struct bench *b = open_bench();
    assert_int_equal(profile(b, 7), 0);
    const struct reads_profile *p = &b->results[0].profile;
    assert_string_equal(p->name, "player 7");
    assert_string_equal(p->region, "main");
    assert_string_equal(p->guild_name, "The Guild");
    assert_int_equal(p->guild, 100);
    assert_int_equal(p->experience, 4500);
    assert_int_equal(p->level, 9);
    assert_false(p->online);
    assert_true(p->seen_ms < p->created_ms);
    b->live = true;
    assert_int_equal(profile(b, 7), 0);
    assert_int_equal(p->experience, 9999);
    assert_int_equal(p->level, 20);
    assert_true(p->online);
    assert_int_equal(profile(b, 50), 0); /* has never moved, is in no guild */
    assert_int_equal(p->level, 1);
    assert_int_equal(p->guild, 0);
    assert_string_equal(p->guild_name, "");
    close_bench(b);
}

static void test_reads_many_who_ask_at_once_cost_one_query(void **state) {
    (void)state;
    struct bench *b = open_bench();
    uint64_t players[READS_PROFILES_MAX];
    for (uint64_t i = 0; i < READS_PROFILES_MAX; i++) players[i] = i + 1;
    for (int i = 0; i < 30; i++) reads_profiles(b->reads, players, READS_PROFILES_MAX, false, on_profiles, b);
    for (int i = 0; i < 30; i++) reads_guild(b->reads, 100, on_guild, b);
    for (int i = 0; i < 30; i++) reads_auctions(b->reads, 0, 0, 10, on_json, b);
    AWAIT(b, b->told == 90);
    assert_int_equal(b->count, READS_PROFILES_MAX);
    for (uint32_t i = 0; i < b->count; i++) {
        assert_int_equal(b->results[i].error, 0);
        assert_int_equal(b->results[i].profile.player, i + 1);
    }
    struct reads_stats stats = stats_of(b);
    assert_int_equal(stats.queries, 3);
    assert_int_equal(stats.cache.joined, 29 * (READS_PROFILES_MAX + 2));
    assert_int_equal(pg_stats_get(b->pg).jobs, 3);
    assert_int_equal(profile(b, 7), 0);
    assert_int_equal(stats_of(b).queries, 3);
    wait_ms(b, TTL_MS);
    assert_int_equal(profile(b, 7), 0);
    assert_int_equal(stats_of(b).queries, 4);
    close_bench(b);
}

static void test_reads_what_is_not_there_is_remembered_too(void **state) {
    (void)state;
    struct bench *b = open_bench();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(profile(b, 12345), MARCH_ERR_NOT_FOUND);
        assert_int_equal(named(b, "nobody"), MARCH_ERR_NOT_FOUND);
        assert_int_equal(guild(b, 12345), MARCH_ERR_NOT_FOUND);
    }
    assert_int_equal(stats_of(b).queries, 3);
    assert_int_equal(profile(b, 0), MARCH_ERR_NOT_FOUND);
    assert_int_equal(profile(b, UINT64_MAX), MARCH_ERR_NOT_FOUND);
    assert_int_equal(stats_of(b).queries, 3);
    assert_int_equal(inventory(b, 12345), 0); /* has nothing */
    assert_int_equal(b->inventory.item_count, 0);
    close_bench(b);
}

static void test_reads_changes_are_seen_once_they_are_said(void **state) {
    (void)state;
    struct bench *b = open_bench();
    assert_int_equal(inventory(b, 7), 0);
    assert_int_equal(b->inventory.gold, 250);
    assert_int_equal(b->inventory.version, 4);
    assert_int_equal(b->inventory.item_count, 2);
    assert_int_equal(b->inventory.items[0].id, 1001);
    assert_int_equal(b->inventory.items[1].slot, 3);
    assert_int_equal(b->inventory.items[1].count, 15);
    assert_int_equal(guild(b, 100), 0);
    assert_string_equal(b->guild.name, "The Guild");
    assert_int_equal(b->guild.member_count, 3);
    assert_int_equal(b->guild.members[0].player, 7);
    assert_int_equal(b->guild.members[0].rank, LEDGER_RANK_LEADER);
    assert_int_equal(profile(b, 9), 0);
    pg_fixture_execute(&fixture,
                       "update accounts set gold = 99 where owner = 7; delete from guild_members where player = 9;");
    assert_int_equal(inventory(b, 7), 0);
    assert_int_equal(b->inventory.gold, 250);
    reads_account_changed(b->reads, LEDGER_OWNER_GUILD, 7); /* another account */
    assert_int_equal(inventory(b, 7), 0);
    assert_int_equal(b->inventory.gold, 250);
    reads_account_changed(b->reads, LEDGER_OWNER_PLAYER, 7);
    reads_account_changed(b->reads, LEDGER_OWNER_PLAYER, 9);
    reads_guild_changed(b->reads, 100);
    assert_int_equal(inventory(b, 7), 0);
    assert_int_equal(b->inventory.gold, 99);
    assert_int_equal(guild(b, 100), 0);
    assert_int_equal(b->guild.member_count, 2);
    assert_int_equal(profile(b, 9), 0);
    assert_int_equal(b->results[0].profile.guild, 0);
    pg_fixture_execute(&fixture, "update accounts set gold = 250 where owner = 7;"
                                 "insert into guild_members values (9, 100, 0, 9)");
    static const char *const nonsense[] = {"",          "player",   "player ",  "player x",
                                           "player 7x", "guilds 7", "player 8", "guild 7"};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++)
        assert_int_equal(reads_heard(b->reads, nonsense[i]), i >= 6);
    assert_int_equal(inventory(b, 7), 0);
    assert_int_equal(b->inventory.gold, 99);
    assert_true(reads_heard(b->reads, "player 7"));
    assert_int_equal(inventory(b, 7), 0);
    assert_int_equal(b->inventory.gold, 250);
    uint64_t before = stats_of(b).queries;
    assert_true(reads_heard(b->reads, "all"));
    assert_int_equal(guild(b, 100), 0);
    assert_int_equal(inventory(b, 7), 0);
    assert_int_equal(stats_of(b).queries, before + 2);
    close_bench(b);
}

struct ear {
    struct bench *bench;
    unsigned heard, bad;
};

static void on_heard(void *ctx, const char *payload) {
    struct ear *ear = ctx;
    ear->heard++;
    ear->bad += !reads_heard(ear->bench->reads, payload);
}

static void on_missed(void *ctx) {
    (void)ctx;
}

static struct pg_listen *open_ear(struct bench *b, struct ear *ear) {
    *ear = (struct ear){.bench = b};
    const struct pg_listen_config config = {
        .uri = fixture.uri, .channel = READS_CHANNEL, .heard = on_heard, .missed = on_missed, .ctx = ear};
    struct pg_listen *listen;
    assert_int_equal(pg_listen_open(b->loop, &config, &listen), 0);
    AWAIT(b, pg_listen_stats_get(listen).listening);
    return listen;
}

/* Rows are changed on a connection of its own, as with psql: what value and the cache have of them is forgotten, and the
 * next command counts from what is there now. */
static void test_reads_changes_by_others_are_heard(void **state) {
    (void)state;
    struct bench *b = open_bench_with(true);
    struct ear ear;
    struct pg_listen *listen = open_ear(b, &ear);
    assert_int_equal(inventory(b, 7), 0);
    assert_int_equal(b->inventory.gold, 250);
    uint64_t version = b->inventory.version;
    assert_int_equal(guild(b, 100), 0);
    assert_int_equal(profile(b, 7), 0);
    pg_fixture_execute(&fixture, "update accounts set gold = 77 where owner_kind = 1 and owner = 7");
    AWAIT(b, ear.heard == 1);
    assert_int_equal(inventory(b, 7), 0);
    assert_int_equal(b->inventory.gold, 77);
    assert_int_equal(b->inventory.version, version + 1);
    pg_fixture_execute(&fixture, "update items set count = 14 where id = 1000");
    AWAIT(b, ear.heard == 2);
    assert_int_equal(inventory(b, 7), 0);
    assert_int_equal(b->inventory.items[1].count, 14);
    pg_fixture_execute(&fixture, "update guild_members set rank = 1 where player = 8");
    AWAIT(b, ear.heard == 4);
    assert_int_equal(guild(b, 100), 0);
    assert_int_equal(b->guild.members[1].rank, LEDGER_RANK_OFFICER);
    pg_fixture_execute(&fixture, "update players set region = 'other' where player = 7");
    AWAIT(b, ear.heard == 5);
    assert_int_equal(profile(b, 7), 0);
    assert_string_equal(b->results[0].profile.region, "other");
    pg_fixture_execute(&fixture, "update players set region = 'main' where player = 7;"
                                 "update guild_members set rank = 0 where player = 8;"
                                 "update items set count = 15 where id = 1000;"
                                 "update accounts set gold = 250 where owner = 7;");
    AWAIT(b, ear.heard == 8); /* one transaction: once for each player and the guild */
    assert_int_equal(ear.bad, 0);
    pg_listen_close(listen);
    close_bench(b);
}

static void on_command(void *ctx, const struct ledger_result *result) {
    struct bench *b = ctx;
    b->id = result->object;
    assert_int_equal(result->status, LEDGER_OK);
    reads_inventory(b->reads, 50, on_inventory, b); /* as soon as he may know */
}

/* The replica is held back, so that what it says differs from what the primary says. */
static void test_reads_go_to_the_replica_but_for_what_changed_lately(void **state) {
    (void)state;
    struct pg_fixture replica;
    pg_fixture_replicate(&replica, &fixture);
    struct bench *b = open_bench_full(false, NULL, replica.uri);
    pg_fixture_execute(&replica, "select pg_wal_replay_pause()");
    while (pg_fixture_number(&replica, "select (pg_get_wal_replay_pause_state() = 'paused')::int::text") == 0) turn(b);
    pg_fixture_execute(&fixture, "update players set region = 'other' where player in (31, 32)");
    assert_int_equal(profile(b, 31), 0);
    assert_string_equal(b->results[0].profile.region, "main");
    reads_player_changed(b->reads, 32);
    assert_int_equal(profile(b, 32), 0);
    assert_string_equal(b->results[0].profile.region, "other");
    pg_fixture_close(&replica);
    AWAIT(b, !pg_is_available(b->pg));
    assert_int_equal(profile(b, 33), 0);
    assert_false(b->meta.stale);
    pg_fixture_execute(&fixture, "update players set region = 'main' where player in (31, 32)");
    close_bench(b);
}

static void on_board(void *ctx, int error, const struct reads_board *board, struct reads_meta meta) {
    struct bench *b = ctx;
    b->error = error;
    b->meta = meta;
    if (board) b->board = *board;
    b->told++;
}

static int board_of_rows(struct bench *b, const char *region, uint32_t from, uint32_t count) {
    b->told = 0;
    reads_board(b->reads, BOARD_GOLD, 0, region, from, count, false, on_board, b);
    AWAIT(b, b->told > 0);
    return b->error;
}

static int board_around_rows(struct bench *b, const char *region, uint64_t player) {
    b->told = 0;
    reads_board_around(b->reads, BOARD_GOLD, 0, region, player, 2, false, on_board, b);
    AWAIT(b, b->told > 0);
    return b->error;
}

static int board_place_in_rows(struct bench *b, const char *region, uint64_t player, int64_t score) {
    b->told = 0;
    reads_board_place(b->reads, BOARD_GOLD, 0, region, player, score, 2, on_board, b);
    AWAIT(b, b->told > 0);
    return b->error;
}

/* There is no Redis: boards come out of the table, in the order that Redis has. Every third player has the same score as the
 * two before. */
static void test_reads_boards_without_redis_come_from_rows(void **state) {
    (void)state;
    pg_fixture_execute(&fixture,
                       "insert into scores select 'gold', 1, n, case when n % 2 = 0 then 'north' else 'south' end, "
                       "n / 3 from generate_series(1, 50) n");
    struct bench *b = open_bench_on(unused_redis);
    assert_int_equal(board_of_rows(b, NULL, 1, 4), 0);
    assert_int_equal(b->board.total, 50);
    assert_true(b->meta.stale);
    static const uint64_t first[] = {50, 49, 48, 47}; /* scores 16, 16, 16, 15 */
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(b->board.entries[i].player, first[i]);
        assert_int_equal(b->board.entries[i].rank, i + 1);
    }
    assert_int_equal(board_of_rows(b, "north", 3, 2), 0);
    assert_int_equal(b->board.total, 25);
    assert_int_equal(b->board.entries[0].player, 46);
    assert_int_equal(b->board.entries[0].rank, 3);
    assert_int_equal(board_around_rows(b, NULL, 9), 0); /* 11, 10, 9 have 3 and stand as text: 9, 11, 10 */
    assert_int_equal(b->board.self.rank, 40);
    assert_int_equal(b->board.count, 5);
    static const uint64_t around[] = {13, 12, 9, 11, 10};
    for (uint32_t i = 0; i < 5; i++) assert_int_equal(b->board.entries[i].player, around[i]);
    assert_int_equal(board_around_rows(b, "north", 50), 0);
    assert_int_equal(b->board.self.rank, 1);
    assert_int_equal(b->board.count, 3);
    assert_int_equal(board_around_rows(b, "south", 50), MARCH_ERR_NOT_FOUND);
    assert_int_equal(board_place_in_rows(b, NULL, 600, 3), 0); /* of elsewhere: behind 9, before 11 */
    static const uint64_t placed[] = {12, 9, 600, 11, 10};
    assert_int_equal(b->board.total, 50);
    assert_int_equal(b->board.self.rank, 41);
    assert_int_equal(b->board.count, 5);
    for (uint32_t i = 0; i < 5; i++) assert_int_equal(b->board.entries[i].player, placed[i]);
    assert_int_equal(board_place_in_rows(b, "nowhere", 600, 3), 0);
    assert_int_equal(b->board.self.rank, 1);
    assert_int_equal(b->board.total, 0);
    assert_int_equal(board_of_rows(b, "north", 1000, 2), MARCH_ERR_UNAVAILABLE); /* too far for a query */
    close_bench(b);
    pg_fixture_execute(&fixture, "truncate scores");
}

/* Each command is followed at once by a read, which must know of it, and which costs no query. */
static void test_reads_own_writes_are_read(void **state) {
    (void)state;
    struct bench *b = open_bench_with(true);
    struct ear ear;
    struct pg_listen *listen = open_ear(b, &ear);
    assert_int_equal(inventory(b, 50), 0);
    assert_int_equal(b->inventory.gold, 0);
    for (int i = 1; i <= 20; i++) {
        const struct ledger_command command = {
            .verb = LEDGER_GRANT, .domain = LEDGER_DOMAIN_LOOT, .player = 50, .key = (uint64_t)i, .gold = 10};
        b->told = 0;
        assert_int_equal(value_submit(b->value, &command, on_command, b), LEDGER_OK);
        AWAIT(b, b->told > 0);
        assert_int_equal(b->error, 0);
        assert_int_equal(b->inventory.gold, 10 * i);
    }
    assert_int_equal(stats_of(b).queries, 0);
    assert_int_equal(guild(b, 100), 0);
    assert_string_equal(b->guild.name, "The Guild");
    assert_int_equal(guild(b, 12345), MARCH_ERR_NOT_FOUND);
    assert_int_equal(stats_of(b).queries, 0);
    pg_fixture_execute(&fixture, "delete from accounts where owner = 50");
    AWAIT(b, ear.heard > 0);
    assert_int_equal(ear.heard, 1); /* this one alone: none of ours */
    pg_listen_close(listen);
    close_bench(b);
}

static void test_reads_names_are_filtered_once_the_filter_is_full(void **state) {
    (void)state;
    struct bench *b = open_bench();
    assert_int_equal(named(b, "player 7"), 0);
    assert_int_equal(b->id, 7);
    assert_int_equal(stats_of(b).names_denied, 0);
    reads_player_created(b->reads, 9000, "early"); /* before there is a filter */
    reads_start(b->reads);
    AWAIT(b, stats_of(b).warm);
    struct reads_stats stats = stats_of(b);
    assert_true(stats.names_complete);
    assert_true(stats.names >= 301);
    uint64_t before = stats.queries;
    for (int i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof name, "stranger %d", i);
        assert_int_equal(named(b, name), MARCH_ERR_NOT_FOUND);
    }
    stats = stats_of(b);
    assert_true(stats.names_denied >= 970);
    assert_int_equal(stats.queries - before, 1000 - stats.names_denied);
    assert_int_equal(stats.names_wrong, 1000 - stats.names_denied);
    for (int i = 1; i <= 300; i++) {
        char name[32];
        snprintf(name, sizeof name, "player %d", i);
        assert_int_equal(named(b, name), 0);
        assert_int_equal(b->id, i);
    }
    assert_int_equal(named(b, "The Guild"), MARCH_ERR_NOT_FOUND); /* is no player */
    b->told = 0;
    reads_guild_named(b->reads, "The Guild", on_id, b);
    AWAIT(b, b->told > 0);
    assert_int_equal(b->id, 100);
    assert_int_equal(named(b, "newcomer"), MARCH_ERR_NOT_FOUND);
    pg_fixture_execute(&fixture, "insert into players (player, name) values (400, 'newcomer')");
    reads_player_created(b->reads, 400, "newcomer");
    assert_int_equal(named(b, "newcomer"), 0);
    assert_int_equal(b->id, 400);
    pg_fixture_execute(&fixture, "delete from players where player = 400");
    close_bench(b);
}

static void test_reads_warm_up_makes_the_first_ask_cheap(void **state) {
    (void)state;
    struct bench *b = open_bench();
    reads_start(b->reads);
    AWAIT(b, stats_of(b).warm);
    uint64_t before = stats_of(b).queries;
    assert_int_equal(profile(b, 7), 0);
    assert_string_equal(b->results[0].profile.name, "player 7");
    assert_int_equal(stats_of(b).queries, before);
    close_bench(b);
}

static void test_reads_auctions_come_by_pages_and_kinds(void **state) {
    (void)state;
    struct bench *b = open_bench();
    assert_int_equal(auctions(b, 0, 0, 2), 0);
    assert_non_null(strstr(b->json, "\"auction\":1,"));
    assert_non_null(strstr(b->json, "\"auction\":2,"));
    assert_null(strstr(b->json, "\"auction\":3,"));
    assert_non_null(strstr(b->json, "\"ends_at\":\"2030-01-01T00:00:00.000Z\""));
    assert_int_equal(auctions(b, 0, 2, 10), 0);
    assert_null(strstr(b->json, "\"auction\":2,"));
    assert_non_null(strstr(b->json, "\"auction\":5,"));
    assert_int_equal(auctions(b, 2, 0, 10), 0);
    assert_non_null(strstr(b->json, "\"auction\":3,"));
    assert_null(strstr(b->json, "\"auction\":2,"));
    assert_non_null(strstr(b->json, "\"kind\":2,\"name\":\"herb\""));
    uint64_t before = stats_of(b).queries;
    reads_auctions_changed(b->reads);
    assert_int_equal(auctions(b, 2, 0, 10), 0);
    assert_int_equal(stats_of(b).queries, before + 1);
    b->told = 0;
    reads_daily(b->reads, 7, on_json, b);
    AWAIT(b, b->told > 0);
    assert_int_equal(b->error, 0);
    assert_non_null(strstr(b->json, "\"type\":2,\"events\":10,\"players\":3,\"gold_created\":100,\"gold_destroyed\":5"));
    close_bench(b);
}

static void test_reads_without_database_are_stale_or_unavailable(void **state) {
    (void)state;
    struct bench *b = open_bench();
    assert_int_equal(profile(b, 7), 0);
    assert_false(b->meta.stale);
    pg_fixture_crash(&fixture);
    AWAIT(b, !pg_is_available(b->pg));
    assert_int_equal(profile(b, 8), MARCH_ERR_UNAVAILABLE);
    wait_ms(b, TTL_MS);
    assert_int_equal(profile(b, 7), 0);
    assert_true(b->meta.stale);
    assert_true(b->meta.age_ms >= TTL_MS);
    assert_string_equal(b->results[0].profile.name, "player 7");
    pg_fixture_start(&fixture);
    AWAIT(b, pg_is_available(b->pg));
    assert_int_equal(profile(b, 7), 0);
    assert_false(b->meta.stale);
    close_bench(b);
}

static void test_reads_destroy_tells_who_waits(void **state) {
    (void)state;
    struct bench *b = open_bench();
    uint64_t player = 7;
    reads_profiles(b->reads, &player, 1, false, on_profiles, b);
    reads_guild(b->reads, 100, on_guild, b);
    reads_player_named(b->reads, "player 7", false, on_id, b);
    reads_start(b->reads);
    assert_int_equal(b->told, 0);
    pg_destroy(b->pg);
    b->pg = NULL;
    assert_int_equal(b->told, 3);
    assert_true(b->error == MARCH_ERR_UNAVAILABLE || b->error == MARCH_ERR_EXPIRED);
    close_bench(b);
}

static void test_reads_too_many_at_once_are_refused(void **state) {
    (void)state;
    struct bench *b = open_bench();
    for (uint64_t i = 0; i <= READS_ASKED_MAX; i++) reads_guild(b->reads, i % 500 + 1000, on_guild, b);
    assert_int_equal(b->told, 1);
    assert_int_equal(b->error, MARCH_ERR_FULL);
    assert_int_equal(stats_of(b).refused, 1);
    AWAIT(b, b->told == READS_ASKED_MAX + 1);
    assert_int_equal(stats_of(b).asked, 0);
    assert_int_equal(stats_of(b).queries, 500);
    close_bench(b);
}

static void test_reads_as_messages_fit_and_are_cut_between_characters(void **state) {
    (void)state;
    struct wire_builder *builder = wire_builder_create(WIRE_CLIENT_BYTES_MAX);
    struct wire_server_message message;
    struct wire_bytes bytes;
    struct reads_profile profile = {.player = 7, .experience = 4500, .level = 9, .online = true};
    for (int i = 0; i < 40; i++) strcat(profile.name, "\xc3\xa9");
    reads_wire_profile(&profile, &message);
    assert_int_equal(strlen(message.profile.name), WIRE_VALUE_NAME_MAX - 1); /* 15 characters of two bytes */
    assert_int_equal(wire_server_message_pack(builder, &message, &bytes), 0);
    struct reads_board *board = calloc(1, sizeof *board);
    assert_non_null(board);
    board->count = READS_BOARD_MAX;
    for (uint32_t i = 0; i < READS_BOARD_MAX; i++) board->entries[i] = (struct board_entry){i + 1, 5000 - i, i + 1};
    reads_wire_board(board, "main", &message);
    assert_int_equal(message.board.row_count, WIRE_BOARD_ROWS_MAX);
    assert_int_equal(message.board.rows[31].rank, 32);
    assert_string_equal(message.board.region, "main");
    assert_int_equal(wire_server_message_pack(builder, &message, &bytes), 0);
    free(board);
    wire_builder_destroy(builder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_profile_is_whole_and_live_where_the_player_plays),
        cmocka_unit_test(test_reads_many_who_ask_at_once_cost_one_query),
        cmocka_unit_test(test_reads_what_is_not_there_is_remembered_too),
        cmocka_unit_test(test_reads_changes_are_seen_once_they_are_said),
        cmocka_unit_test(test_reads_changes_by_others_are_heard),
        cmocka_unit_test(test_reads_go_to_the_replica_but_for_what_changed_lately),
        cmocka_unit_test(test_reads_boards_without_redis_come_from_rows),
        cmocka_unit_test(test_reads_own_writes_are_read),
        cmocka_unit_test(test_reads_names_are_filtered_once_the_filter_is_full),
        cmocka_unit_test(test_reads_warm_up_makes_the_first_ask_cheap),
        cmocka_unit_test(test_reads_auctions_come_by_pages_and_kinds),
        cmocka_unit_test(test_reads_without_database_are_stale_or_unavailable),
        cmocka_unit_test(test_reads_destroy_tells_who_waits),
        cmocka_unit_test(test_reads_too_many_at_once_are_refused),
        cmocka_unit_test(test_reads_as_messages_fit_and_are_cut_between_characters),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, open_server, close_server);
}
