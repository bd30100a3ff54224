/* Value against a real PostgreSQL: every verb, and what it leaves in the database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/item_kinds.h"
#include "common/shard.h"
#include "tests/unit/value_harness.h"

static struct pg_fixture fixture;
static struct value_harness harness;
static uint64_t epoch;

enum { ANNE = 1, BERT = 2, CARL = 3, DORA = 4 };

static int setup(void **state) {
    (void)state;
    pg_fixture_open(&fixture, NULL);
    epoch = (uint64_t)pg_fixture_migrate(&fixture);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    pg_fixture_close(&fixture);
    return 0;
}

static void open_value_with(uint32_t rows_max) {
    value_harness_open(&harness, fixture.uri,
                       (struct value_config){.epoch = epoch, .guild_window_ms = 10, .rows_max = rows_max});
    harness_until(&harness.pool, harness.started);
    harness.next_key = (uint64_t)pg_fixture_number(&fixture, "select coalesce(max(key), 0) + 1 from commands");
}

static void open_value(void) {
    open_value_with(0);
}

static int each(void **state) {
    (void)state;
    pg_fixture_execute(&fixture, "truncate accounts, items, commands, trades, auctions, guilds, guild_members, "
                                 "guild_invites, transfers, events, outbox");
    open_value();
    return 0;
}

static int after_each(void **state) {
    (void)state;
    value_harness_close(&harness);
    assert_int_equal(value_harness_differences(&fixture), 0);
    return 0;
}

/* grant gives loot; returns the item. */
static uint64_t grant(uint64_t player, uint32_t kind, uint32_t count, int64_t gold) {
    struct ledger_result result = value_harness_do(&harness, (struct ledger_command){.verb = LEDGER_GRANT,
                                                                                     .domain = LEDGER_DOMAIN_LOOT,
                                                                                     .player = player,
                                                                                     .kind = kind,
                                                                                     .count = count,
                                                                                     .gold = gold});
    assert_int_equal(result.status, LEDGER_OK);
    return result.object;
}

#define DO(...)           value_harness_do(&harness, (struct ledger_command){__VA_ARGS__})
#define ASSERT_OK(...)    assert_int_equal(DO(__VA_ARGS__).status, LEDGER_OK)
#define REFUSED(why, ...) assert_int_equal(DO(__VA_ARGS__).status, why)

static void assert_notice(enum ledger_notice_type type, uint64_t player, uint64_t object) {
    for (uint32_t i = 0; i < harness.notice_count; i++)
        if (harness.notices[i].type == type && harness.notices[i].player == player && harness.notices[i].object == object)
            return;
    fail_msg("player %d was not told %d", (int)player, (int)type);
}

static void test_value_items_are_moved_stacked_split_used_and_dropped(void **state) {
    (void)state;
    uint64_t herbs = grant(ANNE, ITEM_KIND_HERB, 50, 7);
    ASSERT_OK(.verb = LEDGER_MOVE, .player = ANNE, .item = herbs, .version = 1, .slot = 9);
    REFUSED(LEDGER_CONFLICT, .verb = LEDGER_MOVE, .player = ANNE, .item = herbs, .version = 1, .slot = 10);
    REFUSED(LEDGER_INVALID, .verb = LEDGER_MOVE, .player = ANNE, .item = herbs, .slot = 128);
    uint64_t part = DO(.verb = LEDGER_SPLIT, .player = ANNE, .item = herbs, .count = 20, .slot = LEDGER_SLOT_ANY).object;
    assert_int_not_equal(part, 0);
    assert_int_equal(harness.difference.added_count, 1);
    assert_int_equal(harness.difference.updated_count, 1);
    assert_int_equal(harness.difference.added[0].count, 20);
    REFUSED(LEDGER_NO_ROOM, .verb = LEDGER_MOVE, .player = ANNE, .item = part, .slot = 9);
    ASSERT_OK(.verb = LEDGER_MOVE, .player = ANNE, .item = part, .other_item = herbs);
    ASSERT_OK(.verb = LEDGER_STACK, .player = ANNE, .item = part, .other_item = herbs, .count = 5);
    REFUSED(LEDGER_NOT_ENOUGH, .verb = LEDGER_STACK, .player = ANNE, .item = part, .other_item = herbs, .count = 16);
    struct ledger_result used = DO(.verb = LEDGER_USE, .player = ANNE, .item = part);
    assert_int_equal(used.status, LEDGER_OK);
    assert_int_equal(used.effect, ITEM_EFFECT_HEAL);
    assert_int_equal(used.power, 5);
    uint64_t sword = grant(ANNE, ITEM_KIND_SWORD, 1, 0);
    REFUSED(LEDGER_INVALID, .verb = LEDGER_USE, .player = ANNE, .item = sword);
    REFUSED(LEDGER_NOT_FOUND, .verb = LEDGER_DROP, .player = BERT, .item = sword);
    ASSERT_OK(.verb = LEDGER_DROP, .player = ANNE, .item = part);
    assert_int_equal(harness.difference.removed_count, 1);
    assert_int_equal(harness.difference.removed[0], part);
    struct value_harness_view view = value_harness_player(&harness, ANNE);
    assert_int_equal(view.gold, 7);
    assert_int_equal(value_harness_count(&view, ITEM_KIND_HERB), 35);
    assert_int_equal(value_harness_count(&view, ITEM_KIND_SWORD), 1);
    assert_int_equal(pg_fixture_number(&fixture, "select slot from items where kind = 2"), 0);
}

static void test_value_after_a_restart_everything_is_as_it_was(void **state) {
    (void)state;
    uint64_t herbs = grant(ANNE, ITEM_KIND_HERB, 50, 1000);
    uint64_t ore = grant(BERT, ITEM_KIND_ORE, 30, 100);
    uint64_t trade = DO(.verb = LEDGER_TRADE_OFFER, .player = ANNE, .other = BERT, .gold = 5, .price = 6, .give_count = 1,
                        .give = {{.id = herbs, .count = 10}}, .want_count = 1, .want = {{.id = ore}})
                         .object;
    uint64_t auction =
        DO(.verb = LEDGER_AUCTION_LIST, .player = ANNE, .item = herbs, .count = 7, .gold = 10, .price = 90).object;
    ASSERT_OK(.verb = LEDGER_AUCTION_BID, .player = BERT, .object = auction, .gold = 11);
    uint64_t guild = DO(.verb = LEDGER_GUILD_CREATE, .player = ANNE, .text = "The Bakers").object;
    ASSERT_OK(.verb = LEDGER_GUILD_INVITE, .player = ANNE, .other = BERT);
    struct ledger_trade before = *value_trade(harness.value, trade);
    struct ledger_auction auction_before = *value_auction(harness.value, auction);
    value_harness_close(&harness);
    open_value();
    const struct ledger_trade *after = value_trade(harness.value, trade);
    assert_non_null(after);
    assert_memory_equal(after, &before, sizeof(before));
    assert_non_null(value_auction(harness.value, auction));
    assert_memory_equal(value_auction(harness.value, auction), &auction_before, sizeof(auction_before));
    /* the offer names the stack as it was: what was sold from it since has changed it */
    REFUSED(LEDGER_CONFLICT, .verb = LEDGER_TRADE_ACCEPT, .player = BERT, .object = trade);
    ASSERT_OK(.verb = LEDGER_GUILD_JOIN, .player = BERT, .object = guild);
    ASSERT_OK(.verb = LEDGER_AUCTION_BUY, .player = BERT, .object = auction, .gold = 90);
    assert_int_equal(value_harness_player(&harness, BERT).guild, guild);
    assert_int_equal(value_harness_player(&harness, BERT).gold, 10);
}

static void test_value_trade_swaps_both_sides_or_nothing(void **state) {
    (void)state;
    uint64_t sword = grant(ANNE, ITEM_KIND_SWORD, 1, 10);
    uint64_t ore = grant(BERT, ITEM_KIND_ORE, 30, 100);
    struct ledger_command offer = {.verb = LEDGER_TRADE_OFFER,
                                   .player = ANNE,
                                   .other = BERT,
                                   .gold = 10,
                                   .price = 40,
                                   .give_count = 1,
                                   .give = {{.id = sword}},
                                   .want_count = 1,
                                   .want = {{.id = ore, .count = 12}}};
    uint64_t trade = value_harness_do(&harness, offer).object;
    assert_notice(LEDGER_NOTICE_TRADE_OFFERED, BERT, trade);
    REFUSED(LEDGER_FORBIDDEN, .verb = LEDGER_TRADE_ACCEPT, .player = CARL, .object = trade);
    REFUSED(LEDGER_NOT_FOUND, .verb = LEDGER_TRADE_ACCEPT, .player = BERT, .object = trade + 1);
    ASSERT_OK(.verb = LEDGER_TRADE_ACCEPT, .player = BERT, .object = trade);
    assert_notice(LEDGER_NOTICE_TRADE_DONE, ANNE, trade);
    REFUSED(LEDGER_NOT_FOUND, .verb = LEDGER_TRADE_ACCEPT, .player = BERT, .object = trade);
    struct value_harness_view anne = value_harness_player(&harness, ANNE), bert = value_harness_player(&harness, BERT);
    assert_int_equal(anne.gold, 40);
    assert_int_equal(bert.gold, 70);
    assert_int_equal(value_harness_count(&anne, ITEM_KIND_ORE), 12);
    assert_int_equal(value_harness_count(&bert, ITEM_KIND_ORE), 18);
    assert_int_equal(bert.items[value_harness_count(&bert, ITEM_KIND_SWORD)].id, sword);
    offer.give_count = offer.want_count = 0;
    offer.gold = 40;
    trade = value_harness_do(&harness, offer).object;
    ASSERT_OK(.verb = LEDGER_TRADE_CANCEL, .player = BERT, .object = trade);
    assert_notice(LEDGER_NOTICE_TRADE_CANCELLED, ANNE, trade);
    offer.duration_ms = 30;
    trade = value_harness_do(&harness, offer).object;
    harness_until(&harness.pool, !value_trade(harness.value, trade));
    assert_notice(LEDGER_NOTICE_TRADE_EXPIRED, ANNE, trade);
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from trades"), 0);
}

static void test_value_auction_pays_each_what_is_due(void **state) {
    (void)state;
    uint64_t gems = grant(ANNE, ITEM_KIND_GEM, 10, 0);
    (void)grant(BERT, 0, 0, 100);
    (void)grant(CARL, 0, 0, 100);
    uint64_t auction =
        DO(.verb = LEDGER_AUCTION_LIST, .player = ANNE, .item = gems, .count = 4, .gold = 10, .duration_ms = 400).object;
    REFUSED(LEDGER_NOT_ENOUGH, .verb = LEDGER_AUCTION_BID, .player = BERT, .object = auction, .gold = 9);
    ASSERT_OK(.verb = LEDGER_AUCTION_BID, .player = BERT, .object = auction, .gold = 10);
    REFUSED(LEDGER_NOT_ENOUGH, .verb = LEDGER_AUCTION_BID, .player = CARL, .object = auction, .gold = 10);
    ASSERT_OK(.verb = LEDGER_AUCTION_BID, .player = CARL, .object = auction, .gold = 30);
    assert_notice(LEDGER_NOTICE_AUCTION_OUTBID, BERT, auction);
    assert_int_equal(value_harness_player(&harness, BERT).gold, 100);
    REFUSED(LEDGER_FORBIDDEN, .verb = LEDGER_AUCTION_CANCEL, .player = ANNE, .object = auction);
    harness_until(&harness.pool, !value_auction(harness.value, auction));
    assert_notice(LEDGER_NOTICE_AUCTION_SOLD, ANNE, auction);
    struct value_harness_view carl = value_harness_player(&harness, CARL);
    assert_int_equal(carl.gold, 70);
    assert_int_equal(value_harness_count(&carl, ITEM_KIND_GEM), 4);
    assert_int_equal(value_harness_player(&harness, ANNE).gold, 30);
    auction = DO(.verb = LEDGER_AUCTION_LIST, .player = ANNE, .item = gems, .gold = 5, .price = 50).object;
    ASSERT_OK(.verb = LEDGER_AUCTION_BID, .player = CARL, .object = auction, .gold = 6);
    REFUSED(LEDGER_CONFLICT, .verb = LEDGER_AUCTION_BUY, .player = BERT, .object = auction, .gold = 49);
    ASSERT_OK(.verb = LEDGER_AUCTION_BUY, .player = BERT, .object = auction, .gold = 50);
    assert_int_equal(value_harness_player(&harness, CARL).gold, 70);
    assert_int_equal(value_harness_player(&harness, ANNE).gold, 80);
    auction = DO(.verb = LEDGER_AUCTION_LIST, .player = BERT, .item = gems, .gold = 5).object;
    ASSERT_OK(.verb = LEDGER_AUCTION_CANCEL, .player = BERT, .object = auction);
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from accounts where owner_kind = 3"), 0);
}

static void test_value_guild_lives_by_its_ranks_and_ends_with_its_last_member(void **state) {
    (void)state;
    uint64_t herbs = grant(ANNE, ITEM_KIND_HERB, 9, 50);
    uint64_t guild = DO(.verb = LEDGER_GUILD_CREATE, .player = ANNE, .text = "Bakers").object;
    REFUSED(LEDGER_EXISTS, .verb = LEDGER_GUILD_CREATE, .player = BERT, .text = "Bakers");
    REFUSED(LEDGER_INVALID, .verb = LEDGER_GUILD_CREATE, .player = BERT, .text = "no");
    REFUSED(LEDGER_FORBIDDEN, .verb = LEDGER_GUILD_JOIN, .player = BERT, .object = guild);
    ASSERT_OK(.verb = LEDGER_GUILD_INVITE, .player = ANNE, .other = BERT);
    ASSERT_OK(.verb = LEDGER_GUILD_INVITE, .player = ANNE, .other = CARL);
    assert_notice(LEDGER_NOTICE_GUILD_INVITED, CARL, guild);
    ASSERT_OK(.verb = LEDGER_GUILD_JOIN, .player = BERT, .object = guild);
    ASSERT_OK(.verb = LEDGER_GUILD_JOIN, .player = CARL, .object = guild);
    REFUSED(LEDGER_FORBIDDEN, .verb = LEDGER_GUILD_INVITE, .player = BERT, .other = DORA);
    ASSERT_OK(.verb = LEDGER_GUILD_RANK, .player = ANNE, .other = CARL, .rank = LEDGER_RANK_OFFICER);
    ASSERT_OK(.verb = LEDGER_GUILD_DEPOSIT, .player = ANNE, .item = herbs, .count = 4);
    ASSERT_OK(.verb = LEDGER_GUILD_DEPOSIT, .player = ANNE, .gold = 50);
    REFUSED(LEDGER_FORBIDDEN, .verb = LEDGER_GUILD_WITHDRAW, .player = BERT, .gold = 1);
    ASSERT_OK(.verb = LEDGER_GUILD_WITHDRAW, .player = CARL, .gold = 20);
    REFUSED(LEDGER_FORBIDDEN, .verb = LEDGER_GUILD_KICK, .player = CARL, .other = ANNE);
    ASSERT_OK(.verb = LEDGER_GUILD_LEAVE, .player = ANNE);
    assert_int_equal(pg_fixture_number(&fixture, "select leader from guilds"), CARL);
    ASSERT_OK(.verb = LEDGER_GUILD_KICK, .player = CARL, .other = BERT);
    assert_int_equal(value_harness_player(&harness, BERT).guild, 0);
    ASSERT_OK(.verb = LEDGER_GUILD_LEAVE, .player = CARL);
    struct value_harness_view carl = value_harness_player(&harness, CARL);
    assert_int_equal(carl.gold, 50);
    assert_int_equal(value_harness_count(&carl, ITEM_KIND_HERB), 4);
    assert_int_equal(pg_fixture_number(&fixture, "select (select count(*) from guilds) + (select count(*) from "
                                                 "guild_members) + (select count(*) from accounts where owner_kind = 2)"),
                     0);
    assert_true(harness.guild_changes > 0);
    ASSERT_OK(.verb = LEDGER_GUILD_CREATE, .player = BERT, .text = "Bakers");
}

static void test_value_repeated_key_gives_the_same_answer_once(void **state) {
    (void)state;
    struct ledger_command loot = {.verb = LEDGER_GRANT,
                                  .domain = LEDGER_DOMAIN_LOOT,
                                  .player = ANNE,
                                  .key = 77,
                                  .kind = ITEM_KIND_GEM,
                                  .count = 3,
                                  .gold = 9};
    struct value_answer answers[3];
    for (int i = 0; i < 3; i++) value_harness_submit(&harness, &loot, &answers[i]); /* in one batch */
    for (int i = 0; i < 3; i++) harness_until(&harness.pool, answers[i].done);
    for (int i = 0; i < 3; i++) assert_int_equal(answers[i].result.object, answers[0].result.object);
    struct ledger_command poor = {
        .verb = LEDGER_TRADE_OFFER, .domain = LEDGER_DOMAIN_CLIENT, .key = 5, .player = ANNE, .other = BERT, .gold = 10};
    assert_int_equal(value_harness_run(&harness, &poor).status, LEDGER_NOT_ENOUGH);
    value_harness_close(&harness);
    open_value(); /* which remembers nothing but the database */
    struct ledger_result again = value_harness_run(&harness, &loot);
    assert_true(again.repeated);
    assert_int_equal(again.object, answers[0].result.object);
    (void)grant(ANNE, 0, 0, 100);
    assert_int_equal(value_harness_run(&harness, &poor).status, LEDGER_NOT_ENOUGH);
    assert_int_equal(value_harness_player(&harness, ANNE).gold, 109);
    assert_int_equal(value_stats(harness.value)->key_conflicts, 2);
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from commands where key = 77"), 1);
}

static void test_value_switched_off_is_refused_at_once(void **state) {
    (void)state;
    harness.off[VALUE_GUILD] = harness.off[VALUE_LOOT] = true;
    REFUSED(LEDGER_DISABLED, .verb = LEDGER_GUILD_CREATE, .player = ANNE, .text = "Bakers");
    struct ledger_command loot = {.verb = LEDGER_GRANT, .domain = LEDGER_DOMAIN_LOOT, .player = ANNE, .key = 901, .gold = 1};
    assert_int_equal(value_harness_run(&harness, &loot).status, LEDGER_OK); /* its zone was told that it is durable */
    REFUSED(LEDGER_NOT_FOUND, .verb = LEDGER_USE, .player = ANNE, .item = 1);
    REFUSED(LEDGER_INVALID, .verb = LEDGER_INVENTORY, .player = ANNE);
}

static void test_value_cache_is_bounded_and_loads_again(void **state) {
    (void)state;
    enum { PLAYERS = 60 };
    value_harness_close(&harness);
    value_harness_open(&harness, fixture.uri, (struct value_config){.epoch = epoch, .rows_max = 16});
    harness_until(&harness.pool, harness.started);
    for (uint64_t player = 1; player <= PLAYERS; player++) (void)grant(player, ITEM_KIND_ORE, 2, (int64_t)player);
    assert_true(value_stats(harness.value)->cached_rows <= 16);
    assert_true(value_stats(harness.value)->evicted > 0);
    for (uint64_t player = 1; player <= PLAYERS; player++) {
        struct value_harness_view view = value_harness_player(&harness, player);
        assert_int_equal(view.gold, player);
        assert_int_equal(value_harness_count(&view, ITEM_KIND_ORE), 2);
        (void)grant(player, ITEM_KIND_ORE, 2, 0);
    }
    assert_false(value_harness_player(&harness, 1000).exists);
}

static void test_value_event_and_outbox_row_for_each_change(void **state) {
    (void)state;
    uint64_t herbs = grant(ANNE, ITEM_KIND_HERB, 9, 50);
    ASSERT_OK(.verb = LEDGER_MOVE, .player = ANNE, .item = herbs, .slot = 3); /* of no value */
    ASSERT_OK(.verb = LEDGER_USE, .player = ANNE, .item = herbs);
    REFUSED(LEDGER_NOT_FOUND, .verb = LEDGER_USE, .player = BERT, .item = herbs);
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from events"), 2);
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from outbox o join events e on e.id = o.event"), 2);
    assert_int_equal(pg_fixture_number(&fixture, "select count(*) from commands"), 4);
    assert_int_equal(harness.committed, 2);
}

/* --- what is in memory is what is stored */

enum { SOAK_PLAYERS = 8, SOAK_COMMANDS = 900, SOAK_GUILDS = 64, SOAK_SEEDS = 3 };

struct soak {
    uint64_t random;
    uint64_t guilds[SOAK_GUILDS], trades[8], auctions[8];
    uint32_t guild_count, trade_count, auction_count;
    uint32_t done[LEDGER_VERB_COUNT];
};

/* What a shard holds, as value tells it. */
struct picture {
    struct value_harness_view players[SOAK_PLAYERS], banks[SOAK_GUILDS];
    struct ledger_guild guilds[SOAK_GUILDS];
};

static uint64_t soak_next(struct soak *soak) {
    uint64_t z = (soak->random += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (z ^ (z >> 31)) >> 8;
}

static uint64_t soak_item(struct soak *soak, const struct value_harness_view *view) {
    return view->item_count ? view->items[soak_next(soak) % view->item_count].id : 1;
}

static struct ledger_command soak_command(struct soak *soak) {
    static const enum ledger_verb verbs[] = {
        LEDGER_GRANT,        LEDGER_GRANT,        LEDGER_MOVE,        LEDGER_STACK,          LEDGER_SPLIT,
        LEDGER_USE,          LEDGER_DROP,         LEDGER_TRADE_OFFER, LEDGER_TRADE_ACCEPT,   LEDGER_TRADE_CANCEL,
        LEDGER_AUCTION_LIST, LEDGER_AUCTION_BID,  LEDGER_AUCTION_BUY, LEDGER_AUCTION_CANCEL, LEDGER_GUILD_CREATE,
        LEDGER_GUILD_INVITE, LEDGER_GUILD_INVITE, LEDGER_GUILD_JOIN,  LEDGER_GUILD_JOIN,     LEDGER_GUILD_LEAVE,
        LEDGER_GUILD_KICK,   LEDGER_GUILD_RANK,   LEDGER_GUILD_RANK,  LEDGER_GUILD_DEPOSIT,  LEDGER_GUILD_WITHDRAW};
    struct ledger_command command = {.verb = verbs[soak_next(soak) % (sizeof(verbs) / sizeof(verbs[0]))],
                                     .domain = LEDGER_DOMAIN_CLIENT,
                                     .key = harness.next_key++,
                                     .player = 1 + soak_next(soak) % SOAK_PLAYERS,
                                     .other = 1 + soak_next(soak) % SOAK_PLAYERS,
                                     .count = (uint32_t)(soak_next(soak) % 5),
                                     .slot = (uint16_t)(soak_next(soak) % 30),
                                     .kind = (uint32_t)(1 + soak_next(soak) % (ITEM_KIND_COUNT - 1)),
                                     .rank = (uint8_t)(soak_next(soak) % 3),
                                     .gold = (int64_t)(soak_next(soak) % 40),
                                     .price = (int64_t)(soak_next(soak) % 60)};
    struct value_harness_view own = value_harness_player(&harness, command.player);
    struct value_harness_view other = value_harness_player(&harness, command.other);
    command.item = soak_item(soak, &own);
    if (command.verb == LEDGER_STACK || command.slot % 2) command.other_item = soak_item(soak, &own);
    if (command.verb == LEDGER_TRADE_OFFER) {
        command.give_count = command.want_count = 1;
        command.give[0] = (struct ledger_ref){.id = soak_item(soak, &own), .count = command.count % 2};
        command.want[0].id = soak_item(soak, &other);
    }
    if (command.verb <= LEDGER_TRADE_CANCEL)
        command.object = soak->trades[soak_next(soak) % 8];
    else if (command.verb <= LEDGER_AUCTION_CANCEL)
        command.object = soak->auctions[soak_next(soak) % 8];
    else
        command.object = soak->guilds[soak->guild_count ? soak_next(soak) % soak->guild_count : 0];
    const struct ledger_trade *trade = value_trade(harness.value, command.object);
    if (command.verb == LEDGER_TRADE_ACCEPT && trade) command.player = trade->accepter;
    const struct ledger_auction *auction = value_auction(harness.value, command.object);
    if (command.verb == LEDGER_AUCTION_BUY && auction) command.gold = auction->buyout;
    if (command.verb == LEDGER_GUILD_CREATE) snprintf(command.text, sizeof(command.text), "Guild %d", command.rank);
    if (command.verb == LEDGER_GUILD_WITHDRAW || command.verb == LEDGER_GUILD_DEPOSIT) {
        struct value_harness_view bank = value_harness_account(&harness, LEDGER_OWNER_GUILD, own.guild);
        if (command.verb == LEDGER_GUILD_WITHDRAW) command.item = soak_item(soak, &bank);
        if (command.slot % 2)
            command.item = 0;
        else
            command.gold = 0;
    }
    return command;
}

static void keep_guild(void *ctx, enum ledger_status status, const struct ledger_guild *guild) {
    struct ledger_guild *out = ctx;
    out->version = UINT64_MAX; /* answered */
    assert_true(status == LEDGER_OK || status == LEDGER_NOT_FOUND);
    if (guild) *out = *guild;
}

/* soak_lead lets the leader of a guild speak, of its last member. */
static void soak_lead(struct ledger_command *command) {
    static struct ledger_guild guild;
    guild.version = guild.member_count = 0;
    value_guild(harness.value, command->object, keep_guild, &guild);
    harness_until(&harness.pool, guild.version != 0);
    if (guild.member_count < 2) return;
    command->player = guild.leader;
    command->other = guild.members[guild.member_count - 1].player;
}

static void soak_note(struct soak *soak, const struct ledger_command *command, struct ledger_result result) {
    if (result.status != LEDGER_OK) return;
    soak->done[command->verb]++;
    if (command->verb == LEDGER_TRADE_OFFER) soak->trades[soak->trade_count++ % 8] = result.object;
    if (command->verb == LEDGER_AUCTION_LIST) soak->auctions[soak->auction_count++ % 8] = result.object;
    if (command->verb == LEDGER_GUILD_CREATE && soak->guild_count < SOAK_GUILDS)
        soak->guilds[soak->guild_count++] = result.object;
}

static void take_picture(const struct soak *soak, struct picture *picture) {
    memset(picture, 0, sizeof(*picture));
    for (uint32_t i = 0; i < SOAK_PLAYERS; i++) picture->players[i] = value_harness_player(&harness, i + 1);
    for (uint32_t i = 0; i < soak->guild_count; i++) {
        value_guild(harness.value, soak->guilds[i], keep_guild, &picture->guilds[i]);
        harness_until(&harness.pool, picture->guilds[i].version != 0);
        picture->banks[i] = value_harness_account(&harness, LEDGER_OWNER_GUILD, soak->guilds[i]);
        struct ledger_guild *guild = &picture->guilds[i]; /* behind the counts there may be anything */
        memset(&guild->members[guild->member_count], 0,
               (LEDGER_MEMBERS_MAX - guild->member_count) * sizeof(guild->members[0]));
        memset(&guild->invites[guild->invite_count], 0,
               (LEDGER_INVITES_MAX - guild->invite_count) * sizeof(guild->invites[0]));
    }
}

static void test_value_random_commands_are_stored_as_they_are_in_memory(void **state) {
    (void)state;
    static struct picture before, after;
    struct soak soak = {0};
    for (uint64_t seed = 1; seed <= SOAK_SEEDS; seed++) {
        print_message("seed %d\n", (int)seed);
        soak.random = seed;
        for (uint32_t i = 0; i < SOAK_COMMANDS / 4; i++) { /* four at a time, so that they share batches */
            struct ledger_command commands[4];
            struct value_answer answers[4];
            for (uint32_t j = 0; j < 4; j++) {
                commands[j] = soak_command(&soak);
                if (commands[j].verb == LEDGER_GUILD_KICK || commands[j].verb == LEDGER_GUILD_RANK) soak_lead(&commands[j]);
            }
            for (uint32_t j = 0; j < 4; j++) value_harness_submit(&harness, &commands[j], &answers[j]);
            for (uint32_t j = 0; j < 4; j++) {
                harness_until(&harness.pool, answers[j].done);
                soak_note(&soak, &commands[j], answers[j].result);
            }
        }
        take_picture(&soak, &before);
        value_harness_close(&harness);
        open_value_with(seed + 1 == SOAK_SEEDS ? 1 : 0); /* the last without a cache: whatever a command needs is loaded */
        take_picture(&soak, &after);
        for (uint32_t i = 0; i < SOAK_PLAYERS; i++)
            assert_memory_equal(&after.players[i], &before.players[i], sizeof(after.players[i]));
        for (uint32_t i = 0; i < SOAK_GUILDS; i++) {
            assert_memory_equal(&after.guilds[i], &before.guilds[i], sizeof(after.guilds[i]));
            assert_memory_equal(&after.banks[i], &before.banks[i], sizeof(after.banks[i]));
        }
        assert_int_equal(value_harness_differences(&fixture), 0);
    }
    for (uint32_t verb = LEDGER_MOVE; verb <= LEDGER_GUILD_WITHDRAW; verb++)
        if (soak.done[verb] == 0) fail_msg("verb %u never succeeded", verb);
}

/* Nobody has told of the change yet: its version does. */
static void test_value_change_by_hand_is_not_stored_over(void **state) {
    (void)state;
    (void)grant(ANNE, 0, 0, 100);
    pg_fixture_execute(&fixture, "update accounts set gold = 500 where owner_kind = 1 and owner = 1");
    (void)grant(ANNE, 0, 0, 5);
    assert_int_equal(pg_fixture_number(&fixture, "select gold from accounts where owner_kind = 1 and owner = 1"), 505);
    assert_int_equal(value_stats(harness.value)->conflicts, 1);
    pg_fixture_execute(&fixture, "update accounts set gold = 105 where owner_kind = 1 and owner = 1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, each, after_each)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_value_items_are_moved_stacked_split_used_and_dropped),
        TEST(test_value_after_a_restart_everything_is_as_it_was),
        TEST(test_value_trade_swaps_both_sides_or_nothing),
        TEST(test_value_auction_pays_each_what_is_due),
        TEST(test_value_guild_lives_by_its_ranks_and_ends_with_its_last_member),
        TEST(test_value_repeated_key_gives_the_same_answer_once),
        TEST(test_value_switched_off_is_refused_at_once),
        TEST(test_value_cache_is_bounded_and_loads_again),
        TEST(test_value_change_by_hand_is_not_stored_over),
        TEST(test_value_event_and_outbox_row_for_each_change),
        TEST(test_value_random_commands_are_stored_as_they_are_in_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
