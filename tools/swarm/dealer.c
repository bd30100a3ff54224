/* dealer.c: see dealer.h. */
#include "tools/swarm/dealer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/item_kinds.h"

int market_init(struct market *market, uint32_t count) {
    *market = (struct market){.dealers = calloc(count, sizeof(*market->dealers)), .count = count};
    return market->dealers ? 0 : MARCH_ERR_SYSTEM;
}

void market_deinit(struct market *market) {
    free(market->dealers);
    *market = (struct market){0};
}

void dealer_enter(struct market *market, uint32_t index, uint64_t now_ms) {
    struct dealer *d = &market->dealers[index];
    d->is_playing = true;
    d->has_asked = false;
    d->trade_count = 0;
    order_reconnected(&d->order, now_ms);
}

void dealer_leave(struct market *market, uint32_t index) {
    market->dealers[index].is_playing = false;
}

/* --- what is heard */

static void remember_trade(struct dealer *d, const struct march_trade *trade) {
    for (unsigned i = 0; i < d->trade_count; i++)
        if (d->trades[i].trade == trade->trade) return;
    d->trades[d->trade_next] = *trade;
    d->trade_next = (d->trade_next + 1) % DEALER_TRADES_MAX;
    if (d->trade_count < DEALER_TRADES_MAX) d->trade_count++;
}

static void forget_trade(struct dealer *d, uint64_t trade) {
    for (unsigned i = 0; i < d->trade_count; i++)
        if (d->trades[i].trade == trade) d->trades[i].trade = 0;
}

static void hear_auction(struct market *market, const struct march_auction *told) {
    struct market_auction *known = NULL;
    for (unsigned i = 0; i < market->auction_count; i++)
        if (market->auctions[i].auction == told->auction) known = &market->auctions[i];
    if (told->phase != 1) {
        if (known) known->auction = 0;
        return;
    }
    if (!known) {
        known = &market->auctions[market->auction_next];
        market->auction_next = (market->auction_next + 1) % MARKET_AUCTIONS_MAX;
        if (market->auction_count < MARKET_AUCTIONS_MAX) market->auction_count++;
    }
    *known = (struct market_auction){.auction = told->auction,
                                     .seller = told->seller,
                                     .price = told->bid > told->min_bid ? told->bid : told->min_bid,
                                     .buyout = told->buyout};
}

void dealer_hear(struct market *market, uint32_t index, const struct march_event *event) {
    struct dealer *d = &market->dealers[index];
    switch (event->kind) {
    case MARCH_EVENT_TRADE_OFFERED: remember_trade(d, &event->trade); break;
    case MARCH_EVENT_TRADE_CLOSED: forget_trade(d, event->trade_closed.trade); break;
    case MARCH_EVENT_GUILD_INVITED: d->invite = event->invited.guild; break;
    case MARCH_EVENT_GUILD:
        d->guild = event->guild.guild;
        d->rank = event->guild.rank;
        break;
    case MARCH_EVENT_AUCTION: hear_auction(market, &event->auction); break;
    default: break;
    }
}

void dealer_done(struct market *market, uint32_t index) {
    struct dealer *d = &market->dealers[index];
    const struct order *o = &d->order;
    bool ok = o->status == MARCH_STATUS_OK;
    switch (o->command.verb) {
    case MARCH_VERB_GUILD_CREATE:
        if (ok) d->guild = o->object, d->rank = 2;
        break;
    case MARCH_VERB_GUILD_JOIN:
        if (ok) d->guild = o->command.object, d->rank = 0;
        d->invite = 0;
        break;
    case MARCH_VERB_GUILD_LEAVE:
        if (ok) d->guild = 0;
        break;
    case MARCH_VERB_TRADE_OFFER:
        if (ok) remember_trade(d, &(struct march_trade){.trade = o->object, .offerer = d->player});
        break;
    case MARCH_VERB_TRADE_ACCEPT:
    case MARCH_VERB_TRADE_CANCEL: forget_trade(d, o->command.object); break;
    case MARCH_VERB_AUCTION_LIST:
        if (!ok) break;
        hear_auction(market, &(struct march_auction){.auction = o->object,
                                                     .seller = d->player,
                                                     .phase = 1,
                                                     .min_bid = o->command.gold,
                                                     .buyout = o->command.price});
        break;
    default: break;
    }
}

/* --- what is asked for */

static const struct march_item *any_item(const struct dealer *d, struct mind *mind) {
    const struct march_inventory *inventory = d->inventory;
    return inventory->count == 0 ? NULL : &inventory->items[mind_draw(mind, inventory->count)];
}

static uint16_t free_slot(const struct dealer *d, struct mind *mind) {
    bool taken[MARCH_INVENTORY_MAX] = {false};
    for (uint32_t i = 0; i < d->inventory->count; i++)
        if (d->inventory->items[i].slot < MARCH_INVENTORY_MAX) taken[d->inventory->items[i].slot] = true;
    uint32_t slot = mind_draw(mind, MARCH_INVENTORY_MAX);
    for (uint32_t i = 0; i < MARCH_INVENTORY_MAX && taken[slot]; i++) slot = (slot + 1) % MARCH_INVENTORY_MAX;
    return (uint16_t)slot;
}

static const struct march_item *of_same_kind(const struct dealer *d, const struct march_item *item) {
    const struct item_kind_info *kind = item_kind_find(item->kind);
    for (uint32_t i = 0; kind != NULL && kind->stack_max > 1 && i < d->inventory->count; i++) {
        const struct march_item *other = &d->inventory->items[i];
        if (other->kind == item->kind && other->id != item->id && other->count < kind->stack_max) return other;
    }
    return NULL;
}

static void name_item(struct march_command *c, enum march_verb verb, const struct march_item *item) {
    c->verb = (uint8_t)verb;
    c->item = item->id;
    c->version = item->version;
}

static bool tidy(const struct dealer *d, struct mind *mind, struct march_command *c) {
    const struct march_item *item = any_item(d, mind);
    if (item == NULL) return false;
    const struct item_kind_info *kind = item_kind_find(item->kind);
    const struct march_item *other = of_same_kind(d, item);
    uint32_t choice = mind_draw(mind, 100);
    if (choice < 10 && kind != NULL && kind->effect != ITEM_EFFECT_NONE) {
        name_item(c, MARCH_VERB_USE, item);
    } else if (other != NULL && choice < 60) {
        name_item(c, MARCH_VERB_STACK, item);
        c->other_item = other->id;
        c->other_version = other->version;
    } else if (item->count > 1 && choice < 75 && d->inventory->count < MARCH_INVENTORY_MAX / 2) {
        name_item(c, MARCH_VERB_SPLIT, item);
        c->count = 1 + mind_draw(mind, item->count - 1);
        c->slot = free_slot(d, mind);
    } else if (choice >= 97 || d->inventory->count > MARCH_INVENTORY_MAX * 3 / 4) {
        name_item(c, MARCH_VERB_DROP, item);
        c->count = 1;
    } else {
        name_item(c, MARCH_VERB_MOVE, item);
        c->slot = free_slot(d, mind);
    }
    return true;
}

/* another returns another bot of the swarm that plays, NULL when none was found. */
static const struct dealer *another(const struct market *market, const struct dealer *d, struct mind *mind) {
    for (unsigned tries = 0; tries < 4; tries++) {
        const struct dealer *other = &market->dealers[mind_draw(mind, market->count)];
        if (other != d && other->is_playing && other->inventory->whole) return other;
    }
    return NULL;
}

static bool answer_offer(const struct dealer *d, struct mind *mind, struct march_command *c) {
    for (unsigned i = 0; i < d->trade_count; i++) {
        const struct march_trade *trade = &d->trades[i];
        bool is_mine = trade->offerer == d->player;
        if (trade->trade == 0 || (is_mine && mind_draw(mind, 10) > 0)) continue;
        c->object = trade->trade;
        if (is_mine || mind_draw(mind, 5) == 0) {
            c->verb = MARCH_VERB_TRADE_CANCEL;
            return true;
        }
        c->verb = MARCH_VERB_TRADE_ACCEPT;
        c->gold = trade->want_gold;
        c->give_count = trade->want_count;
        for (unsigned k = 0; k < trade->want_count; k++) {
            const struct march_item *item = &trade->want[k];
            c->give[k] = (struct march_item_ref){.id = item->id, .version = item->version, .count = item->count};
        }
        return true;
    }
    return false;
}

static struct march_item_ref some_of(const struct march_item *item, struct mind *mind) {
    return (struct march_item_ref){.id = item->id, .version = item->version, .count = 1 + mind_draw(mind, item->count)};
}

static bool offer(const struct market *market, const struct dealer *d, struct mind *mind, struct march_command *c) {
    const struct dealer *other = another(market, d, mind);
    const struct march_item *mine = any_item(d, mind);
    if (other == NULL || (mine == NULL && d->inventory->gold == 0)) return false;
    const struct march_item *theirs = any_item(other, mind);
    c->verb = MARCH_VERB_TRADE_OFFER;
    c->player = other->player;
    c->duration_s = DEALER_TRADE_S;
    if (mine != NULL && mind_draw(mind, 4) > 0) c->give[c->give_count++] = some_of(mine, mind);
    if (c->give_count == 0) c->gold = 1 + mind_draw(mind, (uint32_t)(d->inventory->gold % UINT32_MAX) / 10 + 1);
    if (theirs != NULL && mind_draw(mind, 2) > 0) c->want[c->want_count++] = some_of(theirs, mind);
    if (c->want_count == 0) c->price = mind_draw(mind, (uint32_t)(other->inventory->gold % UINT32_MAX) / 10 + 1);
    return true;
}

static bool auction(const struct market *market, const struct dealer *d, struct mind *mind, struct march_command *c) {
    const struct market_auction *known =
        market->auction_count == 0 ? NULL : &market->auctions[mind_draw(mind, market->auction_count)];
    const struct march_item *item = any_item(d, mind);
    if (known != NULL && known->auction != 0 && mind_draw(mind, 3) > 0) {
        c->object = known->auction;
        if (known->seller == d->player) {
            c->verb = MARCH_VERB_AUCTION_CANCEL;
        } else if (known->buyout != 0 && mind_draw(mind, 3) == 0) {
            c->verb = MARCH_VERB_AUCTION_BUY;
            c->gold = known->buyout;
        } else {
            c->verb = MARCH_VERB_AUCTION_BID;
            c->gold = known->price + 1 + mind_draw(mind, 5);
        }
        return true;
    }
    if (item == NULL) return false;
    name_item(c, MARCH_VERB_AUCTION_LIST, item);
    c->count = 1 + mind_draw(mind, item->count);
    c->gold = 1 + mind_draw(mind, 10);
    c->price = c->gold + 10 + mind_draw(mind, 20);
    c->duration_s = DEALER_AUCTION_S;
    return true;
}

static bool trade(const struct market *market, const struct dealer *d, struct mind *mind, struct march_command *c) {
    if (answer_offer(d, mind, c)) return true;
    return mind_draw(mind, 3) == 0 ? auction(market, d, mind, c) : offer(market, d, mind, c);
}

static bool join_guild(const struct dealer *d, struct mind *mind, struct march_command *c) {
    if (d->invite != 0) {
        c->verb = MARCH_VERB_GUILD_JOIN;
        c->object = d->invite;
        return true;
    }
    if (mind_draw(mind, 10) > 0) return false;
    c->verb = MARCH_VERB_GUILD_CREATE;
    snprintf(c->text, sizeof(c->text), "g%" PRIu64 "-%" PRIu32, d->player, mind_draw(mind, 1000000));
    return true;
}

static bool bank(const struct dealer *d, struct mind *mind, struct march_command *c) {
    const struct march_item *item = any_item(d, mind);
    if (d->rank > 0 && mind_draw(mind, 3) == 0) {
        c->verb = MARCH_VERB_GUILD_WITHDRAW;
        c->gold = 1 + mind_draw(mind, 5);
    } else if (item != NULL && mind_draw(mind, 2) == 0) {
        name_item(c, MARCH_VERB_GUILD_DEPOSIT, item);
        c->count = 1;
    } else if (d->inventory->gold > 0) {
        c->verb = MARCH_VERB_GUILD_DEPOSIT;
        c->gold = 1 + mind_draw(mind, d->inventory->gold < 10 ? (uint32_t)d->inventory->gold : 10);
    } else {
        c->verb = MARCH_VERB_GUILD_INFO;
    }
    return true;
}

static bool guild(const struct market *market, const struct dealer *d, struct mind *mind, struct march_command *c) {
    if (d->guild == 0) return join_guild(d, mind, c);
    const struct dealer *other = another(market, d, mind);
    uint32_t choice = mind_draw(mind, 100);
    bool is_fellow = other != NULL && other->guild == d->guild;
    if (choice < 4) {
        c->verb = MARCH_VERB_GUILD_LEAVE;
    } else if (choice < 40 && d->rank > 0 && other != NULL && other->guild == 0) {
        c->verb = MARCH_VERB_GUILD_INVITE;
        c->player = other->player;
    } else if (choice < 50 && d->rank == 2 && is_fellow) {
        c->verb = choice < 43 ? MARCH_VERB_GUILD_KICK : MARCH_VERB_GUILD_RANK;
        c->player = other->player;
        c->rank = c->verb == MARCH_VERB_GUILD_RANK ? (uint8_t)mind_draw(mind, 2) : 0;
    } else if (choice < 55) {
        c->verb = MARCH_VERB_GUILD_INFO;
    } else {
        return bank(d, mind, c);
    }
    return true;
}

static bool look(const struct market *market, const struct dealer *d, struct mind *mind, struct march_command *c) {
    static const char *const boards[] = {"experience", "gold"};
    const struct dealer *other = another(market, d, mind);
    c->verb = mind_draw(mind, 2) == 0 ? MARCH_VERB_BOARD : MARCH_VERB_PROFILE;
    if (c->verb == MARCH_VERB_PROFILE) {
        if (other != NULL) c->player = other->player;
        return true;
    }
    snprintf(c->text, sizeof(c->text), "%s", boards[mind_draw(mind, 2)]);
    c->count = 10;
    c->player = mind_draw(mind, 2) == 0 ? d->player : 0;
    return true;
}

static bool live(const struct market *market, const struct dealer *d, struct mind *mind, struct march_command *c) {
    uint32_t choice = mind_draw(mind, 100);
    if (choice < 35) return tidy(d, mind, c);
    if (choice < 75) return trade(market, d, mind, c);
    if (choice < 92) return guild(market, d, mind, c);
    return look(market, d, mind, c);
}

bool dealer_decide(struct market *market, uint32_t index, enum behaviour behaviour, struct mind *mind,
                   struct march_command *c) {
    struct dealer *d = &market->dealers[index];
    *c = (struct march_command){0};
    if (!d->has_asked) {
        d->has_asked = true;
        c->verb = MARCH_VERB_INVENTORY;
        return true;
    }
    switch (behaviour) {
    case BEHAVIOUR_LOOT: return tidy(d, mind, c);
    case BEHAVIOUR_TRADE: return trade(market, d, mind, c);
    case BEHAVIOUR_GUILD: return guild(market, d, mind, c);
    case BEHAVIOUR_LIVE: return live(market, d, mind, c);
    default: return false;
    }
}
