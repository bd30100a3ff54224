/* The ledger: random commands against what must always hold, and each verb's edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "tests/unit/ledger_world.h"

enum { SEEDS = 12, STEPS = 1500, BYTES = 65536 };

static uint64_t next_random(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static void test_ledger_random_commands_keep_every_rule(void **state) {
    (void)state;
    static uint8_t data[BYTES];
    uint32_t done[LEDGER_VERB_COUNT] = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        print_message("seed %d\n", (int)seed);
        uint64_t random = seed;
        for (size_t i = 0; i < BYTES; i++) data[i] = (uint8_t)next_random(&random);
        struct world *world = world_create();
        struct world_bytes bytes = {data, data + BYTES};
        for (uint32_t i = 0; i < STEPS; i++) world_step(world, &bytes);
        world_settle(world);
        for (uint32_t i = 0; i < LEDGER_VERB_COUNT; i++) done[i] += world->done[i];
        world_destroy(world);
    }
    for (uint32_t verb = LEDGER_MOVE; verb <= LEDGER_TRANSFER_DONE; verb++) {
        bool reads = verb >= LEDGER_GUILD_INFO && verb < LEDGER_GRANT;
        if (!reads && done[verb] == 0) print_error("verb %u never succeeded\n", verb);
        assert_true(reads || done[verb] > 0);
    }
}

static void test_ledger_transfer_too_old_to_be_known_is_left_undecided(void **state) {
    (void)state;
    struct ledger *there = ledger_create(&(struct ledger_config){1, 2, 1000});
    struct ledger_transfer transfer = {
        .id = shard_id(0, 5), .other = 1, .gold = 3, .created_ms = 7, .dest_shard = 1, .purpose = LEDGER_PURPOSE_CREDIT};
    while (shard_of_player(transfer.other, 2) != 1) transfer.other++;
    struct ledger_key account = {.type = LEDGER_ROW_ACCOUNT, .owner_kind = LEDGER_OWNER_PLAYER, .id = transfer.other};
    assert_int_equal(ledger_know(there, &account, NULL), 0);
    struct ledger_command command;
    struct ledger_result result;
    uint32_t answers;
    ledger_transfer_command(&transfer, &command);
    ledger_begin(there);
    assert_int_equal(ledger_apply(there, &command, 7 + LEDGER_TRANSFER_MS_MAX + 1, &result), LEDGER_UNAVAILABLE);
    (void)ledger_new_answers(there, &answers);
    assert_int_equal(answers, 0);
    assert_int_equal(ledger_apply(there, &command, 7 + LEDGER_TRANSFER_MS_MAX, &result), LEDGER_OK);
    ledger_commit(there);
    ledger_begin(there);
    ledger_apply(there, &command, 7 + LEDGER_TRANSFER_MS_MAX + 1, &result); /* known: the same again */
    assert_int_equal(result.status, LEDGER_OK);
    assert_true(result.repeated);
    ledger_destroy(there);
}

/* --- one shard, commands by hand */

enum { ANNE = 1, BERT = 2, CARL = 3 };

static struct ledger *ledger;
static uint64_t now_ms, next_key;

static int each(void **state) {
    (void)state;
    ledger = ledger_create(&(struct ledger_config){0, 1, 1000});
    now_ms = 1000000;
    next_key = 1;
    return ledger ? 0 : -1;
}

static int after_each(void **state) {
    (void)state;
    ledger_destroy(ledger);
    return 0;
}

/* apply does a command in the open batch, or in one of its own. */
static struct ledger_result apply_open(struct ledger_command command) {
    struct ledger_result result;
    if (command.domain == LEDGER_DOMAIN_NONE && command.verb < LEDGER_TRADE_EXPIRE) command.domain = LEDGER_DOMAIN_CLIENT;
    if (command.key == 0) command.key = next_key++;
    ledger_apply(ledger, &command, now_ms, &result);
    return result;
}

static struct ledger_result apply(struct ledger_command command) {
    world_load(ledger, &command);
    ledger_begin(ledger);
    struct ledger_result result = apply_open(command);
    ledger_commit(ledger);
    return result;
}

#define DO(...)           apply((struct ledger_command){__VA_ARGS__})
#define ASSERT_OK(...)    assert_int_equal(DO(__VA_ARGS__).status, LEDGER_OK)
#define REFUSED(why, ...) assert_int_equal(DO(__VA_ARGS__).status, why)

static const struct ledger_holding *holding_of(uint64_t player) {
    return ledger_account(ledger, LEDGER_OWNER_PLAYER, player, NULL);
}

static void test_ledger_full_account_takes_the_part_of_a_grant_that_fits(void **state) {
    (void)state;
    ASSERT_OK(.verb = LEDGER_GRANT, .player = ANNE, .kind = ITEM_KIND_SWORD, .count = 127);
    ASSERT_OK(.verb = LEDGER_GRANT, .player = ANNE, .kind = ITEM_KIND_HERB, .count = 98);
    struct ledger_result part = DO(.verb = LEDGER_GRANT, .player = ANNE, .kind = ITEM_KIND_HERB, .count = 2, .gold = 5);
    assert_true(part.status == LEDGER_OK && part.is_part);
    assert_int_equal(holding_of(ANNE)->gold, 5);
    assert_int_equal(holding_of(ANNE)->items[127].count, 99);
    part = DO(.verb = LEDGER_GRANT, .player = ANNE, .kind = ITEM_KIND_HERB, .count = 2, .gold = 5);
    assert_true(part.status == LEDGER_OK && part.is_part);
    assert_int_equal(holding_of(ANNE)->gold, 10);
    REFUSED(LEDGER_NO_ROOM, .verb = LEDGER_GRANT, .player = ANNE, .kind = ITEM_KIND_HERB, .count = 2);
    part = DO(.verb = LEDGER_GRANT, .player = ANNE, .gold = 5);
    assert_true(part.status == LEDGER_OK && !part.is_part);
    uint64_t herb = holding_of(ANNE)->items[127].id;
    REFUSED(LEDGER_NO_ROOM, .verb = LEDGER_SPLIT, .player = ANNE, .item = herb, .count = 1, .slot = LEDGER_SLOT_ANY);
    /* a swap needs no free slot */
    ASSERT_OK(.verb = LEDGER_GRANT, .player = BERT, .kind = ITEM_KIND_BOW, .count = 1);
    uint64_t trade = DO(.verb = LEDGER_TRADE_OFFER, .player = BERT, .other = ANNE, .give_count = 1,
                        .give = {{.id = holding_of(BERT)->items[0].id}}, .want_count = 1, .want = {{.id = herb}})
                         .object;
    ASSERT_OK(.verb = LEDGER_TRADE_ACCEPT, .player = ANNE, .object = trade);
    trade = DO(.verb = LEDGER_TRADE_OFFER, .player = BERT, .other = ANNE, .give_count = 1, .give = {{.id = herb}}).object;
    REFUSED(LEDGER_NO_ROOM, .verb = LEDGER_TRADE_ACCEPT, .player = ANNE, .object = trade);
    assert_int_equal(holding_of(BERT)->item_count, 1);
}

static void test_ledger_grant_out_of_bounds_is_refused(void **state) {
    (void)state;
    REFUSED(LEDGER_INVALID, .verb = LEDGER_GRANT, .player = ANNE);
    REFUSED(LEDGER_INVALID, .verb = LEDGER_GRANT, .player = ANNE, .kind = ITEM_KIND_COUNT, .count = 1);
    REFUSED(LEDGER_INVALID, .verb = LEDGER_GRANT, .player = ANNE, .gold = -1);
    REFUSED(LEDGER_INVALID, .verb = LEDGER_GRANT, .player = ANNE, .gold = LEDGER_GOLD_MAX + 1);
    REFUSED(LEDGER_INVALID, .verb = LEDGER_GRANT, .player = 0, .gold = 1);
    ASSERT_OK(.verb = LEDGER_GRANT, .player = ANNE, .gold = 2);
    assert_true(DO(.verb = LEDGER_GRANT, .player = ANNE, .gold = LEDGER_GOLD_MAX).is_part);
    assert_int_equal(holding_of(ANNE)->gold, LEDGER_GOLD_MAX);
    REFUSED(LEDGER_NO_ROOM, .verb = LEDGER_GRANT, .player = ANNE, .gold = 1);
}

static void test_ledger_trade_limits(void **state) {
    (void)state;
    ASSERT_OK(.verb = LEDGER_GRANT, .player = ANNE, .kind = ITEM_KIND_HERB, .count = 50, .gold = 10);
    uint64_t herbs = holding_of(ANNE)->items[0].id;
    REFUSED(LEDGER_INVALID, .verb = LEDGER_TRADE_OFFER, .player = ANNE, .other = ANNE, .gold = 1);
    REFUSED(LEDGER_INVALID, .verb = LEDGER_TRADE_OFFER, .player = ANNE, .other = BERT);
    REFUSED(LEDGER_INVALID, .verb = LEDGER_TRADE_OFFER, .player = ANNE, .other = BERT, .give_count = 9);
    REFUSED(LEDGER_INVALID, .verb = LEDGER_TRADE_OFFER, .player = ANNE, .other = BERT, .give_count = 2,
            .give = {{.id = herbs, .count = 1}, {.id = herbs, .count = 1}});
    REFUSED(LEDGER_NOT_ENOUGH, .verb = LEDGER_TRADE_OFFER, .player = ANNE, .other = BERT, .gold = 11);
    REFUSED(LEDGER_INVALID, .verb = LEDGER_TRADE_OFFER, .player = ANNE, .other = BERT, .gold = 1,
            .duration_ms = LEDGER_TRADE_MS_MAX + 1);
    uint64_t last = 0;
    for (uint32_t i = 0; i < LEDGER_TRADES_OPEN_MAX; i++)
        last = DO(.verb = LEDGER_TRADE_OFFER, .player = ANNE, .other = BERT, .gold = 1, .duration_ms = 100).object;
    REFUSED(LEDGER_NO_ROOM, .verb = LEDGER_TRADE_OFFER, .player = ANNE, .other = BERT, .gold = 1);
    REFUSED(LEDGER_CONFLICT, .verb = LEDGER_TRADE_EXPIRE, .object = last);
    now_ms += 99;
    ASSERT_OK(.verb = LEDGER_TRADE_ACCEPT, .player = BERT, .object = last);
    ASSERT_OK(.verb = LEDGER_TRADE_OFFER, .player = ANNE, .other = BERT, .gold = 1);
    now_ms += 1;
    REFUSED(LEDGER_EXPIRED, .verb = LEDGER_TRADE_ACCEPT, .player = BERT, .object = last - 4);
    ASSERT_OK(.verb = LEDGER_TRADE_EXPIRE, .object = last - 4);
    /* what is offered has gone meanwhile */
    last = DO(.verb = LEDGER_TRADE_OFFER, .player = ANNE, .other = BERT, .give_count = 1, .give = {{.id = herbs}}).object;
    ASSERT_OK(.verb = LEDGER_USE, .player = ANNE, .item = herbs);
    REFUSED(LEDGER_CONFLICT, .verb = LEDGER_TRADE_ACCEPT, .player = BERT, .object = last);
}

static void test_ledger_auction_limits(void **state) {
    (void)state;
    ASSERT_OK(.verb = LEDGER_GRANT, .player = ANNE, .kind = ITEM_KIND_SWORD, .count = LEDGER_AUCTIONS_OPEN_MAX + 1);
    ASSERT_OK(.verb = LEDGER_GRANT, .player = BERT, .gold = 100);
    uint64_t sword = holding_of(ANNE)->items[0].id;
    REFUSED(LEDGER_INVALID, .verb = LEDGER_AUCTION_LIST, .player = ANNE, .item = sword);
    REFUSED(LEDGER_INVALID, .verb = LEDGER_AUCTION_LIST, .player = ANNE, .item = sword, .gold = 10, .price = 9);
    REFUSED(LEDGER_NOT_FOUND, .verb = LEDGER_AUCTION_LIST, .player = BERT, .item = sword, .gold = 10);
    uint64_t last = 0;
    for (uint32_t i = 0; i < LEDGER_AUCTIONS_OPEN_MAX; i++)
        last = DO(.verb = LEDGER_AUCTION_LIST, .player = ANNE, .item = holding_of(ANNE)->items[0].id, .gold = 10,
                  .price = 90, .duration_ms = 100)
                   .object;
    REFUSED(LEDGER_NO_ROOM, .verb = LEDGER_AUCTION_LIST, .player = ANNE, .item = holding_of(ANNE)->items[0].id, .gold = 10);
    REFUSED(LEDGER_FORBIDDEN, .verb = LEDGER_AUCTION_BID, .player = ANNE, .object = last, .gold = 10);
    REFUSED(LEDGER_INVALID, .verb = LEDGER_AUCTION_BID, .player = BERT, .object = last, .gold = 90);
    REFUSED(LEDGER_NOT_ENOUGH, .verb = LEDGER_AUCTION_BID, .player = CARL, .object = last, .gold = 10);
    ASSERT_OK(.verb = LEDGER_AUCTION_BID, .player = BERT, .object = last, .gold = 60);
    ASSERT_OK(.verb = LEDGER_AUCTION_BID, .player = BERT, .object = last, .gold = 80); /* with the 60 that come back */
    assert_int_equal(holding_of(BERT)->gold, 20);
    now_ms += 100;
    REFUSED(LEDGER_EXPIRED, .verb = LEDGER_AUCTION_BUY, .player = BERT, .object = last, .gold = 90);
    ASSERT_OK(.verb = LEDGER_GRANT, .player = BERT, .kind = ITEM_KIND_BOW, .count = LEDGER_ACCOUNT_ITEMS_MAX);
    REFUSED(LEDGER_NO_ROOM, .verb = LEDGER_AUCTION_EXPIRE, .object = last); /* it waits for room */
    ASSERT_OK(.verb = LEDGER_DROP, .player = BERT, .item = holding_of(BERT)->items[3].id);
    ASSERT_OK(.verb = LEDGER_AUCTION_EXPIRE, .object = last);
    assert_int_equal(holding_of(ANNE)->gold, 80);
    ASSERT_OK(.verb = LEDGER_AUCTION_EXPIRE, .object = last - 4); /* nobody wanted it */
}

static void test_ledger_guild_limits(void **state) {
    (void)state;
    static const char *const bad[] = {"", "no", " Bakers", "Bakers ", "Ba\nkers", "A name of more than thirty-one bytes"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ledger_command command = {.verb = LEDGER_GUILD_CREATE, .player = ANNE};
        memcpy(command.text, bad[i], strlen(bad[i]) + 1);
        assert_int_equal(apply(command).status, LEDGER_INVALID);
    }
    uint64_t guild = DO(.verb = LEDGER_GUILD_CREATE, .player = ANNE, .text = "Bakers").object;
    REFUSED(LEDGER_EXISTS, .verb = LEDGER_GUILD_CREATE, .player = ANNE, .text = "Brewers");
    for (uint64_t player = 1000; player < 1000 + LEDGER_INVITES_MAX; player++)
        ASSERT_OK(.verb = LEDGER_GUILD_INVITE, .player = ANNE, .other = player);
    ASSERT_OK(.verb = LEDGER_GUILD_INVITE, .player = ANNE, .other = 1000); /* again, in the place of the first */
    REFUSED(LEDGER_NO_ROOM, .verb = LEDGER_GUILD_INVITE, .player = ANNE, .other = 2000);
    now_ms += LEDGER_INVITE_MS;
    REFUSED(LEDGER_FORBIDDEN, .verb = LEDGER_GUILD_JOIN, .player = 1001, .object = guild); /* too late */
    for (uint64_t player = 2000; player < 2000 + LEDGER_MEMBERS_MAX - 1; player++) {
        ASSERT_OK(.verb = LEDGER_GUILD_INVITE, .player = ANNE, .other = player);
        ASSERT_OK(.verb = LEDGER_GUILD_JOIN, .player = player, .object = guild);
    }
    REFUSED(LEDGER_NO_ROOM, .verb = LEDGER_GUILD_INVITE, .player = ANNE, .other = 3000);
    REFUSED(LEDGER_EXISTS, .verb = LEDGER_GUILD_INVITE, .player = ANNE, .other = 2000);
    REFUSED(LEDGER_INVALID, .verb = LEDGER_GUILD_RANK, .player = ANNE, .other = 2000, .rank = 3);
    ASSERT_OK(.verb = LEDGER_GUILD_RANK, .player = ANNE, .other = 2001, .rank = LEDGER_RANK_LEADER);
    assert_int_equal(ledger_guild(ledger, guild, NULL)->leader, 2001);
    REFUSED(LEDGER_FORBIDDEN, .verb = LEDGER_GUILD_KICK, .player = ANNE, .other = 2001);
    ASSERT_OK(.verb = LEDGER_GUILD_RANK, .player = 2001, .other = 2002, .rank = LEDGER_RANK_OFFICER);
    REFUSED(LEDGER_FORBIDDEN, .verb = LEDGER_GUILD_KICK, .player = ANNE, .other = 2002); /* of the same rank */
    ASSERT_OK(.verb = LEDGER_GUILD_KICK, .player = 2002, .other = 2003);
    REFUSED(LEDGER_NOT_FOUND, .verb = LEDGER_GUILD_KICK, .player = 2002, .other = 2003);
    ASSERT_OK(.verb = LEDGER_GUILD_LEAVE, .player = 2001);
    assert_int_equal(ledger_guild(ledger, guild, NULL)->leader, ANNE); /* of two officers the older member */
}

static void test_ledger_key_in_one_batch_and_after_a_rollback(void **state) {
    (void)state;
    struct ledger_command grant = {.verb = LEDGER_GRANT, .domain = LEDGER_DOMAIN_LOOT, .player = ANNE, .key = 7, .gold = 5};
    struct ledger_command poor = {.verb = LEDGER_TRADE_OFFER, .player = ANNE, .key = 8, .other = BERT, .gold = 50};
    uint32_t count = 0;
    world_load(ledger, &grant);
    world_load(ledger, &poor);
    ledger_begin(ledger);
    assert_int_equal(apply_open(grant).status, LEDGER_OK);
    assert_int_equal(apply_open(poor).status, LEDGER_NOT_ENOUGH);
    assert_true(apply_open(grant).repeated);
    (void)ledger_new_answers(ledger, &count);
    assert_int_equal(count, 2);
    assert_int_equal(ledger_change_count(ledger), 1);
    assert_null(holding_of(ANNE)); /* what others see is what was committed */
    ledger_rollback(ledger);
    ledger_begin(ledger);
    assert_false(apply_open(grant).repeated);
    ledger_commit(ledger);
    assert_int_equal(holding_of(ANNE)->gold, 5);
    grant.player = BERT; /* the key of another player is another key */
    assert_false(apply(grant).repeated);
}

static void test_ledger_event_reads_as_documented(void **state) {
    (void)state;
    char detail[LEDGER_DETAIL_BYTES_MAX];
    uint32_t count = 0;
    ASSERT_OK(.verb = LEDGER_GRANT, .player = ANNE, .kind = ITEM_KIND_GEM, .count = 3, .gold = 9);
    const struct ledger_event *events = ledger_events(ledger, &count);
    assert_int_equal(count, 1);
    int len = ledger_event_detail(ledger, &events[0], detail, sizeof(detail));
    assert_string_equal(detail,
                        "{\"object\":1,\"other\":0,\"entries\":[[1,1,0,0,9],[1,1,1,7,3],[8,0,0,0,-9],[8,0,0,7,-3]]}");
    assert_int_equal(len, strlen(detail));
    for (int size = 1; size <= len; size++)
        assert_int_equal(ledger_event_detail(ledger, &events[0], detail, (size_t)size), MARCH_ERR_FULL);
    assert_int_equal(ledger_event_detail(ledger, &events[0], detail, (size_t)len + 1), len);
}

static void test_ledger_rows_that_make_no_sense_are_not_entered(void **state) {
    (void)state;
    struct ledger_item items[2] = {{.id = 1, .kind = ITEM_KIND_HERB, .count = 1, .slot = 4},
                                   {.id = 2, .kind = ITEM_KIND_HERB, .count = 1, .slot = 4}};
    struct ledger_key key = {.type = LEDGER_ROW_ACCOUNT, .owner_kind = LEDGER_OWNER_PLAYER, .id = ANNE};
    union ledger_body body = {.account = {.version = 1, .item_count = 2, .items = items}};
    assert_int_equal(ledger_know(ledger, &key, &body), MARCH_ERR_INVALID); /* one slot for two */
    items[1].slot = 128;
    assert_int_equal(ledger_know(ledger, &key, &body), MARCH_ERR_INVALID);
    items[1].slot = 5;
    items[1].count = 100;
    assert_int_equal(ledger_know(ledger, &key, &body), MARCH_ERR_INVALID); /* higher than it stacks */
    items[1].count = 99;
    body.account.gold = -1;
    assert_int_equal(ledger_know(ledger, &key, &body), MARCH_ERR_INVALID);
    body.account.gold = 1;
    assert_int_equal(ledger_know(ledger, &key, &body), 0);
    assert_int_equal(holding_of(ANNE)->items[1].count, 99);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, each, after_each)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ledger_random_commands_keep_every_rule),
        cmocka_unit_test(test_ledger_transfer_too_old_to_be_known_is_left_undecided),
        TEST(test_ledger_full_account_takes_the_part_of_a_grant_that_fits),
        TEST(test_ledger_grant_out_of_bounds_is_refused),
        TEST(test_ledger_trade_limits),
        TEST(test_ledger_auction_limits),
        TEST(test_ledger_guild_limits),
        TEST(test_ledger_key_in_one_batch_and_after_a_rollback),
        TEST(test_ledger_event_reads_as_documented),
        TEST(test_ledger_rows_that_make_no_sense_are_not_entered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
