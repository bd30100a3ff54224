/* test_dealer.c: what bots ask for makes sense, and over many draws they come to ask for everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/item_kinds.h"
#include "tools/client/client_value.h"
#include "tools/swarm/dealer.h"

#define BOTS  4
#define DRAWS 4000

struct fixture {
    struct market market;
    struct march_inventory inventories[BOTS];
    struct mind mind;
};

static void setup(struct fixture *f) {
    memset(f, 0, sizeof *f);
    assert_int_equal(market_init(&f->market, BOTS), 0);
    mind_init(&f->mind, 3);
    for (uint32_t i = 0; i < BOTS; i++) {
        struct march_inventory *inventory = &f->inventories[i];
        inventory->whole = true;
        inventory->gold = 100;
        inventory->count = 4;
        for (uint32_t k = 0; k < 4; k++) {
            inventory->items[k] = (struct march_item){.id = 100 * i + k + 1, .version = k + 1, .slot = (uint16_t)k};
            inventory->items[k].kind = k < 2 ? ITEM_KIND_HERB : k == 2 ? ITEM_KIND_HEALING_POTION : ITEM_KIND_SWORD;
            inventory->items[k].count = k < 3 ? 5 : 1;
        }
        f->market.dealers[i].player = i + 1;
        f->market.dealers[i].inventory = inventory;
        dealer_enter(&f->market, i, 0);
        f->market.dealers[i].has_asked = true;
    }
}

static const struct march_item *own_item(const struct fixture *f, uint32_t bot, uint64_t id) {
    for (uint32_t i = 0; i < f->inventories[bot].count; i++)
        if (f->inventories[bot].items[i].id == id) return &f->inventories[bot].items[i];
    return NULL;
}

/* check_command looks at what must hold of any command of bot 0. */
static void check_command(const struct fixture *f, const struct march_command *c) {
    uint8_t bytes[CLIENT_COMMAND_BYTES_MAX];
    struct march_command keyed = *c;
    keyed.key = 1;
    assert_true(client_value_write(&keyed, bytes) > 0);
    if (c->item != 0) {
        const struct march_item *item = own_item(f, 0, c->item);
        assert_non_null(item);
        assert_int_equal(c->version, item->version);
        assert_true(c->count <= item->count);
    }
    if (c->verb == MARCH_VERB_SPLIT) assert_true(c->count >= 1 && c->count < own_item(f, 0, c->item)->count);
    if (c->verb == MARCH_VERB_MOVE || c->verb == MARCH_VERB_SPLIT) assert_in_range(c->slot, 4, MARCH_INVENTORY_MAX - 1);
    if (c->verb == MARCH_VERB_STACK) {
        assert_non_null(own_item(f, 0, c->other_item));
        assert_int_equal(own_item(f, 0, c->item)->kind, own_item(f, 0, c->other_item)->kind);
    }
    if (c->verb == MARCH_VERB_TRADE_OFFER) {
        assert_in_range(c->player, 2, BOTS);
        assert_true(c->give_count > 0 || c->gold > 0);
        for (unsigned i = 0; i < c->want_count; i++) assert_non_null(own_item(f, (uint32_t)c->player - 1, c->want[i].id));
    }
    if (c->verb == MARCH_VERB_GUILD_INVITE || c->verb == MARCH_VERB_GUILD_KICK) assert_in_range(c->player, 2, BOTS);
}

static void draw_all(struct fixture *f, enum behaviour behaviour, unsigned counts[MARCH_VERB_COUNT]) {
    for (unsigned i = 0; i < DRAWS; i++) {
        struct march_command c;
        if (!dealer_decide(&f->market, 0, behaviour, &f->mind, &c)) continue;
        assert_in_range(c.verb, 1, MARCH_VERB_COUNT - 1);
        counts[c.verb]++;
        check_command(f, &c);
    }
}

static void test_dealer_asks_for_its_inventory_first(void **state) {
    (void)state;
    static struct fixture f;
    struct march_command c;
    setup(&f);
    dealer_enter(&f.market, 0, 0);
    assert_true(dealer_decide(&f.market, 0, BEHAVIOUR_TRADE, &f.mind, &c));
    assert_int_equal(c.verb, MARCH_VERB_INVENTORY);
    market_deinit(&f.market);
}

static void test_dealer_comes_to_every_verb(void **state) {
    (void)state;
    static struct fixture f;
    unsigned counts[MARCH_VERB_COUNT] = {0};
    setup(&f);
    struct dealer *d = &f.market.dealers[0];
    draw_all(&f, BEHAVIOUR_LOOT, counts);
    draw_all(&f, BEHAVIOUR_GUILD, counts);
    d->invite = 9;
    draw_all(&f, BEHAVIOUR_GUILD, counts);
    d->guild = 9, d->rank = 2, f.market.dealers[1].guild = 9;
    draw_all(&f, BEHAVIOUR_GUILD, counts);
    struct march_event event = {.kind = MARCH_EVENT_AUCTION};
    event.auction = (struct march_auction){.auction = 50, .seller = 2, .phase = 1, .min_bid = 3, .buyout = 20};
    dealer_hear(&f.market, 1, &event);
    event.auction = (struct march_auction){.auction = 51, .seller = 1, .phase = 1, .min_bid = 3};
    dealer_hear(&f.market, 0, &event);
    draw_all(&f, BEHAVIOUR_TRADE, counts);
    event = (struct march_event){.kind = MARCH_EVENT_TRADE_OFFERED, .trade = {.trade = 60, .offerer = 2, .accepter = 1}};
    dealer_hear(&f.market, 0, &event);
    draw_all(&f, BEHAVIOUR_TRADE, counts);
    counts[MARCH_VERB_INVENTORY]++; /* seen above */
    draw_all(&f, BEHAVIOUR_LIVE, counts);
    for (unsigned verb = 1; verb < MARCH_VERB_COUNT; verb++)
        if (counts[verb] == 0) fail_msg("never asked for %s", march_verb_text(verb));
    market_deinit(&f.market);
}

static void test_dealer_accepts_with_what_the_offer_wants(void **state) {
    (void)state;
    static struct fixture f;
    setup(&f);
    struct march_event event = {.kind = MARCH_EVENT_TRADE_OFFERED};
    event.trade = (struct march_trade){.trade = 60, .offerer = 2, .accepter = 1, .want_gold = 4, .want_count = 1};
    event.trade.want[0] = (struct march_item){.id = 1, .version = 1, .count = 2};
    dealer_hear(&f.market, 0, &event);
    struct march_command c;
    do assert_true(dealer_decide(&f.market, 0, BEHAVIOUR_TRADE, &f.mind, &c));
    while (c.verb != MARCH_VERB_TRADE_ACCEPT);
    assert_true(c.object == 60 && c.gold == 4 && c.give_count == 1 && c.give[0].id == 1 && c.give[0].count == 2);
    event = (struct march_event){.kind = MARCH_EVENT_TRADE_CLOSED, .trade_closed = {.trade = 60, .outcome = 1}};
    dealer_hear(&f.market, 0, &event);
    for (unsigned i = 0; i < 100; i++) {
        if (dealer_decide(&f.market, 0, BEHAVIOUR_TRADE, &f.mind, &c)) assert_int_not_equal(c.object, 60);
    }
    market_deinit(&f.market);
}

static void test_dealer_remembers_what_became_of_its_guild(void **state) {
    (void)state;
    static struct fixture f;
    setup(&f);
    struct dealer *d = &f.market.dealers[0];
    d->order = (struct order){.command = {.verb = MARCH_VERB_GUILD_CREATE}, .status = MARCH_STATUS_OK, .object = 33};
    dealer_done(&f.market, 0);
    assert_true(d->guild == 33 && d->rank == 2);
    d->order.command.verb = MARCH_VERB_GUILD_LEAVE;
    dealer_done(&f.market, 0);
    assert_int_equal(d->guild, 0);
    d->order = (struct order){.command = {.verb = MARCH_VERB_GUILD_JOIN, .object = 34}, .status = MARCH_STATUS_EXPIRED};
    d->invite = 34;
    dealer_done(&f.market, 0);
    assert_true(d->guild == 0 && d->invite == 0);
    market_deinit(&f.market);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dealer_asks_for_its_inventory_first),
        cmocka_unit_test(test_dealer_comes_to_every_verb),
        cmocka_unit_test(test_dealer_accepts_with_what_the_offer_wants),
        cmocka_unit_test(test_dealer_remembers_what_became_of_its_guild),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
