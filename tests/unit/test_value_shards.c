/* Trades and auctions between players of two shards: value goes across as transfers, each carried and answered by the test
 * in the place of the driver, also twice, and over restarts of either side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/item_kinds.h"
#include "common/shard.h"
#include "persist/migrate.h"
#include "tests/unit/value_harness.h"

enum { SHARDS = 2 };

static struct pg_fixture fixture, databases[SHARDS];
static struct value_harness shards[SHARDS];
static uint64_t epochs[SHARDS];
static uint64_t players[SHARDS][2]; /* two of each shard */

static void open_shard(uint32_t index) {
    value_harness_open(&shards[index], databases[index].uri,
                       (struct value_config){.shard_index = index, .shard_count = SHARDS, .epoch = epochs[index]});
    shards[index].next_key = 1 + mono_now().ns;
    harness_until(&shards[index].pool, shards[index].started);
}

static int setup(void **state) {
    (void)state;
    char error[256];
    pg_fixture_open(&fixture, NULL);
    for (uint32_t i = 0; i < SHARDS; i++) {
        const char *name = i ? "shard_b" : "shard_a";
        pg_fixture_execute(&fixture, i ? "create database shard_b" : "create database shard_a");
        databases[i] = fixture;
        pg_fixture_uri(&fixture, name, databases[i].uri, sizeof(databases[i].uri));
        struct shard_state opened;
        assert_int_equal(shard_open(databases[i].uri, i, SHARDS, 10000, &opened, error, sizeof(error)), 0);
        epochs[i] = (uint64_t)opened.epoch;
        uint32_t found = 0;
        for (uint64_t player = 1; found < 2; player++)
            if (shard_of_player(player, SHARDS) == i) players[i][found++] = player;
    }
    return 0;
}

static int teardown(void **state) {
    (void)state;
    pg_fixture_close(&fixture);
    return 0;
}

static int each(void **state) {
    (void)state;
    for (uint32_t i = 0; i < SHARDS; i++) {
        pg_fixture_execute(&databases[i], "truncate accounts, items, commands, trades, auctions, transfers, events, outbox");
        open_shard(i);
    }
    return 0;
}

static int64_t sum(const char *sql) {
    return pg_fixture_number(&databases[0], sql) + pg_fixture_number(&databases[1], sql);
}

static int after_each(void **state) {
    (void)state;
    for (uint32_t i = 0; i < SHARDS; i++) {
        value_harness_close(&shards[i]);
        assert_int_equal(value_harness_differences(&databases[i]), 0);
    }
    assert_int_equal(sum("select coalesce(sum(delta), 0)::bigint from event_entries where owner_kind = 5"), 0);
    assert_int_equal(sum("select count(*) from transfers"), 0);
    return 0;
}

static struct ledger_result run(uint32_t shard, struct ledger_command command) {
    return value_harness_do(&shards[shard], command);
}

static uint64_t grant(uint64_t player, uint32_t kind, uint32_t count, int64_t gold) {
    struct ledger_result result = run(shard_of_player(player, SHARDS), (struct ledger_command){.verb = LEDGER_GRANT,
                                                                                               .domain = LEDGER_DOMAIN_LOOT,
                                                                                               .player = player,
                                                                                               .kind = kind,
                                                                                               .count = count,
                                                                                               .gold = gold});
    assert_int_equal(result.status, LEDGER_OK);
    return result.object;
}

struct outstanding {
    struct ledger_transfer list[16];
    uint32_t count;
};

static void keep(void *ctx, const struct ledger_transfer *transfer) {
    struct outstanding *out = ctx;
    assert_true(out->count < 16);
    out->list[out->count++] = *transfer;
}

/* carry takes every transfer of a shard across, twice, and tells the source; returns how many there were. */
static uint32_t carry(uint32_t source) {
    struct outstanding out = {0};
    value_each_transfer(shards[source].value, keep, &out);
    for (uint32_t i = 0; i < out.count; i++) {
        struct ledger_command in, done;
        ledger_transfer_command(&out.list[i], &in);
        struct ledger_result first = value_harness_run(&shards[out.list[i].dest_shard], &in);
        struct ledger_result second = value_harness_run(&shards[out.list[i].dest_shard], &in);
        assert_int_equal(first.status, second.status);
        ledger_done_command(&out.list[i], first.status == LEDGER_OK, &done);
        assert_int_equal(value_harness_run(&shards[source], &done).status, LEDGER_OK);
        assert_int_equal(value_harness_run(&shards[source], &done).status, LEDGER_OK);
    }
    return out.count;
}

static void settle(void) {
    while (carry(0) + carry(1) > 0) continue;
}

static struct value_harness_view view_of(uint64_t player) {
    return value_harness_player(&shards[shard_of_player(player, SHARDS)], player);
}

static void test_value_shards_trade_swaps_across(void **state) {
    (void)state;
    uint64_t anne = players[0][0], bert = players[1][0];
    uint64_t sword = grant(anne, ITEM_KIND_SWORD, 1, 10), ore = grant(bert, ITEM_KIND_ORE, 30, 100);
    uint64_t trade = run(0, (struct ledger_command){.verb = LEDGER_TRADE_OFFER,
                                                    .player = anne,
                                                    .other = bert,
                                                    .gold = 4,
                                                    .price = 25,
                                                    .give_count = 1,
                                                    .give = {{.id = sword}},
                                                    .want_count = 1,
                                                    .want = {{.id = ore, .count = 12}}})
                         .object;
    struct ledger_command accept = {.verb = LEDGER_TRADE_ACCEPT,
                                    .player = bert,
                                    .object = trade,
                                    .gold = 24,
                                    .give_count = 1,
                                    .give = {{.id = ore, .count = 12}}};
    assert_int_equal(run(1, accept).status, LEDGER_OK); /* on its way, with too little */
    assert_int_equal(shards[1].transfers_created, 1);
    settle();
    assert_non_null(value_trade(shards[0].value, trade));
    assert_int_equal(view_of(bert).gold, 100);
    accept.gold = 25;
    accept.give[0].id = view_of(bert).items[0].id; /* the refused part came back beside the rest */
    struct value_harness_view bert_view = view_of(bert);
    assert_int_equal(value_harness_count(&bert_view, ITEM_KIND_ORE), 30);
    accept.give[0].id = ore;
    assert_int_equal(run(1, accept).status, LEDGER_OK);
    settle();
    struct value_harness_view anne_view = view_of(anne);
    bert_view = view_of(bert);
    assert_int_equal(anne_view.gold, 31);
    assert_int_equal(bert_view.gold, 79);
    assert_int_equal(value_harness_count(&anne_view, ITEM_KIND_ORE), 12);
    assert_int_equal(value_harness_count(&bert_view, ITEM_KIND_ORE), 18);
    assert_int_equal(value_harness_count(&bert_view, ITEM_KIND_SWORD), 1);
    assert_null(value_trade(shards[0].value, trade));
}

static void test_value_shards_auction_is_bid_for_outbid_and_won_across(void **state) {
    (void)state;
    uint64_t seller = players[0][0], near = players[0][1], far = players[1][0];
    uint64_t gems = grant(seller, ITEM_KIND_GEM, 5, 0);
    (void)grant(near, 0, 0, 100);
    (void)grant(far, 0, 0, 100);
    struct ledger_command list = {
        .verb = LEDGER_AUCTION_LIST, .player = seller, .item = gems, .gold = 10, .duration_ms = 500};
    uint64_t auction = run(0, list).object;
    struct ledger_command bid = {.verb = LEDGER_AUCTION_BID, .player = far, .object = auction, .gold = 20};
    assert_int_equal(run(1, bid).status, LEDGER_OK);
    settle();
    assert_int_equal(view_of(far).gold, 80);
    bid.player = near;
    bid.gold = 30;
    assert_int_equal(run(0, bid).status, LEDGER_OK);
    settle();
    assert_int_equal(view_of(far).gold, 100);
    bid.player = far;
    bid.gold = 25; /* too little by now: comes back */
    assert_int_equal(run(1, bid).status, LEDGER_OK);
    settle();
    assert_int_equal(view_of(far).gold, 100);
    bid.gold = 45;
    assert_int_equal(run(1, bid).status, LEDGER_OK);
    settle();
    harness_until(&shards[0].pool, !value_auction(shards[0].value, auction));
    settle();
    struct value_harness_view won = view_of(far);
    assert_int_equal(won.gold, 55);
    assert_int_equal(value_harness_count(&won, ITEM_KIND_GEM), 5);
    assert_int_equal(view_of(seller).gold, 45);
    assert_int_equal(view_of(near).gold, 100);
}

static void test_value_shards_restart_goes_on_with_what_was_under_way(void **state) {
    (void)state;
    uint64_t seller = players[0][0], far = players[1][0];
    uint64_t gems = grant(seller, ITEM_KIND_GEM, 5, 0);
    (void)grant(far, 0, 0, 100);
    uint64_t auction =
        run(0, (struct ledger_command){.verb = LEDGER_AUCTION_LIST, .player = seller, .item = gems, .gold = 10, .price = 60})
            .object;
    struct ledger_command buy = {.verb = LEDGER_AUCTION_BUY, .player = far, .object = auction, .gold = 60};
    assert_int_equal(run(1, buy).status, LEDGER_OK);
    value_harness_close(&shards[1]);
    open_shard(1);
    struct outstanding out = {0};
    value_each_transfer(shards[1].value, keep, &out);
    assert_int_equal(out.count, 1);
    struct ledger_command in;
    ledger_transfer_command(&out.list[0], &in);
    assert_int_equal(value_harness_run(&shards[0], &in).status, LEDGER_OK);
    value_harness_close(&shards[0]); /* before the source hears of it */
    open_shard(0);
    settle();
    struct value_harness_view bought = view_of(far);
    assert_int_equal(bought.gold, 40);
    assert_int_equal(value_harness_count(&bought, ITEM_KIND_GEM), 5);
    assert_int_equal(view_of(seller).gold, 60);
}

/* A destination that has died with its answer knows what it has done from the database alone; the items are there already.
 */
static void test_value_shards_transfer_offered_again_after_a_restart_is_done_once(void **state) {
    (void)state;
    uint64_t anne = players[0][0], bert = players[1][0];
    uint64_t sword = grant(anne, ITEM_KIND_SWORD, 1, 10);
    (void)grant(bert, 0, 0, 100);
    uint64_t trade =
        run(0,
            (struct ledger_command){
                .verb = LEDGER_TRADE_OFFER, .player = anne, .other = bert, .give_count = 1, .give = {{.id = sword}}})
            .object;
    assert_int_equal(run(1, (struct ledger_command){.verb = LEDGER_TRADE_ACCEPT, .player = bert, .object = trade}).status,
                     LEDGER_OK);
    assert_int_equal(carry(1), 1);
    struct outstanding out = {0};
    value_each_transfer(shards[0].value, keep, &out);
    assert_int_equal(out.count, 1); /* the sword, on its way to bert */
    struct ledger_command in;
    ledger_transfer_command(&out.list[0], &in);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(value_harness_run(&shards[1], &in).status, LEDGER_OK);
        value_harness_close(&shards[1]);
        open_shard(1);
    }
    settle();
    struct value_harness_view owner = view_of(bert);
    assert_int_equal(value_harness_count(&owner, ITEM_KIND_SWORD), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, each, after_each)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_value_shards_trade_swaps_across),
        TEST(test_value_shards_auction_is_bid_for_outbid_and_won_across),
        TEST(test_value_shards_restart_goes_on_with_what_was_under_way),
        TEST(test_value_shards_transfer_offered_again_after_a_restart_is_done_once),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
