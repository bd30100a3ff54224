/* dealer.h: what bots ask for of things of value, and what they know of each other.
 *
 *     loot    moves, stacks, splits, uses and, now and then, drops what it has
 *     trade   offers to other bots of the swarm and answers their offers; lists, bids in, buys and takes back auctions
 *     guild   founds guilds, invites, joins, leaves, promotes and expels, puts into the bank and takes out
 *     live    all of these, and looks at boards and profiles
 *
 * A bot asks for one thing at a time. The bots of a swarm see each other's inventories and auctions, as players would who
 * talk. Pure but for what it is told: a random state and events in, commands out. Nothing it asks for must succeed: others
 * are quicker, versions pass, gold runs out.
 */
#ifndef MARCH_SWARM_DEALER_H
#define MARCH_SWARM_DEALER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "tools/client/marchland.h"
#include "tools/swarm/behaviour.h"
#include "tools/swarm/order.h"

#define DEALER_TRADES_MAX   4  /* open ones that a bot remembers; older ones it forgets */
#define MARKET_AUCTIONS_MAX 64 /* that the swarm remembers */
#define DEALER_TRADE_S      60
#define DEALER_AUCTION_S    30

struct dealer {
    uint64_t player;
    const struct march_inventory *inventory; /* of its client */
    bool is_playing;
    bool has_asked; /* for its inventory, in this session */
    uint64_t guild, invite;
    uint8_t rank;
    unsigned trade_count, trade_next;
    struct march_trade trades[DEALER_TRADES_MAX];
    struct order order;
    uint64_t next_ms; /* when it asks for something again */
};

struct market_auction {
    uint64_t auction, seller, price, buyout;
};

struct market {
    struct dealer *dealers;
    uint32_t count;
    unsigned auction_next, auction_count;
    struct market_auction auctions[MARKET_AUCTIONS_MAX];
};

/* market_init makes room for the bots' dealers; MARCH_ERR_SYSTEM without memory. */
must_check int market_init(struct market *market, uint32_t count);
void market_deinit(struct market *market);

/* dealer_enter is for a bot that has (again) come into the world, dealer_leave for one whose connection ended. */
void dealer_enter(struct market *market, uint32_t index, uint64_t now_ms);
void dealer_leave(struct market *market, uint32_t index);

/* dealer_hear takes in what the server tells a bot. */
void dealer_hear(struct market *market, uint32_t index, const struct march_event *event);

/* dealer_done takes in what became of the bot's order. */
void dealer_done(struct market *market, uint32_t index);

/* dealer_decide writes what the bot asks for next, without a key; false when there is nothing. */
bool dealer_decide(struct market *market, uint32_t index, enum behaviour behaviour, struct mind *mind,
                   struct march_command *command);

#endif
