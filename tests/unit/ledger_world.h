/* ledger_world.h: two shards' ledgers played by random bytes, with a naive book beside them that knows only what was
 * answered.
 *
 * For tests and the fuzzer. Each step takes bytes for a command, applies it on the shard of its player, alone or in a batch
 * that is taken back, and checks: what was created less what was destroyed is what is there, the events' entries add up to
 * what each account holds, no item is in two places, slots are unique, nothing is negative, versions rise, a refused
 * command leaves no trace, a repeated one gets the same answer. Transfers are carried to and fro, also twice.
 */
#ifndef MARCH_TESTS_LEDGER_WORLD_H
#define MARCH_TESTS_LEDGER_WORLD_H

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/item_kinds.h"
#include "common/shard.h"
#include "persist/ledger.h"

enum { WORLD_SHARDS = 2, WORLD_PLAYERS = 8, WORLD_OBJECTS = 16, WORLD_PAST = 32, WORLD_BOOK = 8192, WORLD_ROWS = 8192 };

struct world_line { /* what entries say that an owner has of an item */
    uint64_t owner, item;
    uint32_t owner_kind, item_kind;
    int64_t count;
};

struct world_version {
    struct ledger_key key;
    uint64_t version;
};

struct world {
    struct ledger *shards[WORLD_SHARDS];
    uint64_t now_ms, next_key;
    int64_t exists[ITEM_KIND_COUNT];    /* created less destroyed, as the answers say; [0] gold */
    uint64_t objects[3][WORLD_OBJECTS]; /* trades, auctions, guilds that were made */
    uint32_t object_count[3];
    struct ledger_command past[WORLD_PAST];
    struct ledger_result past_results[WORLD_PAST];
    uint32_t past_count;
    struct world_line book[WORLD_SHARDS][WORLD_BOOK];
    uint32_t book_count[WORLD_SHARDS];
    struct world_version versions[WORLD_SHARDS][WORLD_ROWS];
    uint32_t version_count[WORLD_SHARDS];
    uint32_t done[LEDGER_VERB_COUNT]; /* commands that were answered OK */
};

struct world_bytes {
    const uint8_t *at, *end;
};

static inline uint32_t world_take(struct world_bytes *bytes) {
    return bytes->at < bytes->end ? *bytes->at++ : 0;
}

/* world_list tells in which list a verb's object is. */
static inline uint32_t world_list(enum ledger_verb verb) {
    if (verb >= LEDGER_GUILD_CREATE && verb <= LEDGER_GUILD_WITHDRAW) return 2;
    return (verb >= LEDGER_AUCTION_LIST && verb <= LEDGER_AUCTION_CANCEL) || verb == LEDGER_AUCTION_EXPIRE ? 1 : 0;
}

static inline struct world *world_create(void) {
    struct world *world = calloc(1, sizeof(*world));
    CHECK(world);
    world->now_ms = 1000000;
    for (uint32_t i = 0; i < WORLD_SHARDS; i++) {
        world->shards[i] = ledger_create(&(struct ledger_config){i, WORLD_SHARDS, 100000});
        CHECK(world->shards[i]);
    }
    return world;
}

static inline void world_destroy(struct world *world) {
    for (uint32_t i = 0; i < WORLD_SHARDS; i++) ledger_destroy(world->shards[i]);
    free(world);
}

/* --- what is there, read row by row */

struct world_sum {
    struct world *world;
    uint32_t shard;
    int64_t kinds[ITEM_KIND_COUNT];
    uint64_t ids[4096];
    uint32_t id_count;
    uint64_t digest;
};

static inline void world_mix(uint64_t *digest, const void *bytes, size_t len) {
    const uint8_t *at = bytes;
    for (size_t i = 0; i < len; i++) *digest = (*digest ^ at[i]) * 0x100000001b3;
}

static inline void world_check_version(struct world *world, uint32_t shard, const struct ledger_key *key, uint64_t version) {
    for (uint32_t i = 0; i < world->version_count[shard]; i++) {
        struct world_version *seen = &world->versions[shard][i];
        if (memcmp(&seen->key, key, sizeof(*key)) != 0) continue;
        CHECK(version >= seen->version);
        seen->version = version;
        return;
    }
    if (world->version_count[shard] < WORLD_ROWS)
        world->versions[shard][world->version_count[shard]++] = (struct world_version){*key, version};
}

static inline int64_t world_book_of(const struct world *world, uint32_t shard, const struct ledger_key *key, uint64_t item) {
    int64_t count = 0;
    for (uint32_t i = 0; i < world->book_count[shard]; i++) {
        const struct world_line *line = &world->book[shard][i];
        if (line->owner == key->id && line->owner_kind == key->owner_kind && line->item == item) count += line->count;
    }
    return count;
}

static inline void world_sum_account(void *ctx, const struct ledger_key *key, const union ledger_body *body) {
    struct world_sum *sum = ctx;
    const struct ledger_holding *holding = &body->account;
    CHECK(holding->gold >= 0 && holding->gold <= LEDGER_GOLD_MAX && holding->item_count <= LEDGER_ACCOUNT_ITEMS_MAX);
    CHECK(holding->gold == world_book_of(sum->world, sum->shard, key, 0));
    struct ledger *ledger = sum->world->shards[sum->shard]; /* escrow lives as long as what it is for */
    CHECK(key->owner_kind != LEDGER_OWNER_AUCTION || ledger_auction(ledger, key->id));
    CHECK(key->owner_kind != LEDGER_OWNER_TRANSFER || ledger_transfer(ledger, key->id));
    CHECK(key->owner_kind != LEDGER_OWNER_GUILD || ledger_guild(ledger, key->id, NULL));
    sum->kinds[0] += holding->gold;
    for (uint32_t i = 0; i < holding->item_count; i++) {
        const struct ledger_item *item = &holding->items[i];
        const struct item_kind_info *kind = item_kind_find(item->kind);
        CHECK(kind && item->count >= 1 && item->count <= kind->stack_max && item->slot < LEDGER_ACCOUNT_ITEMS_MAX);
        CHECK(i == 0 || item->slot > holding->items[i - 1].slot);
        CHECK(item->count == world_book_of(sum->world, sum->shard, key, item->id));
        for (uint32_t j = 0; j < sum->id_count; j++) CHECK(sum->ids[j] != item->id);
        CHECK(sum->id_count < 4096);
        sum->ids[sum->id_count++] = item->id;
        sum->kinds[item->kind] += item->count;
    }
    uint64_t digest = 0xcbf29ce484222325;
    world_mix(&digest, key, sizeof(*key));
    world_mix(&digest, &holding->gold, sizeof(holding->gold));
    world_mix(&digest, &holding->version, sizeof(holding->version));
    world_mix(&digest, &holding->guild, sizeof(holding->guild));
    for (uint32_t i = 0; i < holding->item_count; i++) world_mix(&digest, &holding->items[i], sizeof(holding->items[i]));
    sum->digest += digest;
    world_check_version(sum->world, sum->shard, key, holding->version);
}

static inline void world_sum_trade(void *ctx, const struct ledger_key *key, const union ledger_body *body) {
    struct world_sum *sum = ctx;
    uint64_t digest = key->id;
    world_mix(&digest, &body->trade.version, sizeof(body->trade.version));
    sum->digest += digest;
}

static inline void world_sum_auction(void *ctx, const struct ledger_key *key, const union ledger_body *body) {
    struct world_sum *sum = ctx;
    uint64_t digest = key->id;
    world_mix(&digest, &body->auction, sizeof(body->auction));
    sum->digest += digest;
    const struct ledger_holding *escrow =
        ledger_account(sum->world->shards[sum->shard], LEDGER_OWNER_AUCTION, key->id, NULL);
    CHECK(escrow && escrow->item_count == 1 && escrow->gold == body->auction.bid);
}

static inline void world_sum_guild(void *ctx, const struct ledger_key *key, const union ledger_body *body) {
    struct world_sum *sum = ctx;
    const struct ledger_guild *guild = body->guild;
    uint64_t digest = key->id;
    uint32_t leaders = 0;
    CHECK(guild->member_count >= 1 && guild->member_count <= LEDGER_MEMBERS_MAX);
    for (uint32_t i = 0; i < guild->member_count; i++) {
        const struct ledger_holding *account =
            ledger_account(sum->world->shards[sum->shard], LEDGER_OWNER_PLAYER, guild->members[i].player, NULL);
        CHECK(account && account->guild == key->id);
        for (uint32_t j = 0; j < i; j++) CHECK(guild->members[j].player != guild->members[i].player);
        leaders += guild->members[i].rank == LEDGER_RANK_LEADER;
    }
    CHECK(leaders == 1 && ledger_guild_member(guild, guild->leader)->rank == LEDGER_RANK_LEADER);
    world_mix(&digest, guild->members, guild->member_count * sizeof(guild->members[0]));
    world_mix(&digest, guild->invites, guild->invite_count * sizeof(guild->invites[0]));
    sum->digest += digest;
}

static inline void world_sum_membership(void *ctx, const struct ledger_key *key, const union ledger_body *body) {
    struct world_sum *sum = ctx;
    if (key->owner_kind != LEDGER_OWNER_PLAYER || body->account.guild == 0) return;
    const struct ledger_guild *guild = ledger_guild(sum->world->shards[sum->shard], body->account.guild, NULL);
    CHECK(guild && ledger_guild_member(guild, key->id));
}

/* world_check checks all that must always hold and returns a digest of every row. */
static inline uint64_t world_check(struct world *world, int64_t kinds[ITEM_KIND_COUNT]) {
    struct world_sum *sum = calloc(1, sizeof(*sum));
    CHECK(sum);
    sum->world = world;
    for (uint32_t i = 0; i < WORLD_SHARDS; i++) {
        sum->shard = i;
        sum->id_count = 0; /* between booking in and booking out an item is on both shards */
        ledger_each(world->shards[i], LEDGER_ROW_ACCOUNT, world_sum_account, sum);
        ledger_each(world->shards[i], LEDGER_ROW_ACCOUNT, world_sum_membership, sum);
        ledger_each(world->shards[i], LEDGER_ROW_TRADE, world_sum_trade, sum);
        ledger_each(world->shards[i], LEDGER_ROW_AUCTION, world_sum_auction, sum);
        ledger_each(world->shards[i], LEDGER_ROW_GUILD, world_sum_guild, sum);
    }
    if (kinds) memcpy(kinds, sum->kinds, sizeof(sum->kinds));
    uint64_t digest = sum->digest;
    free(sum);
    return digest;
}

/* --- applying */

static inline void world_load(struct ledger *ledger, const struct ledger_command *command) {
    struct ledger_need needs[LEDGER_NEEDS_MAX];
    unsigned count;
    while ((count = ledger_needs(ledger, command, needs)) > 0) /* nothing was ever stored elsewhere */
        for (unsigned i = 0; i < count; i++) CHECK(ledger_know(ledger, &needs[i].key, NULL) == 0);
}

static inline void world_book(struct world *world, uint32_t shard) {
    uint32_t count = 0;
    const struct ledger_event *events = ledger_events(world->shards[shard], &count);
    const struct ledger_entry *entries = ledger_entries(world->shards[shard]);
    for (uint32_t i = 0; i < count; i++) {
        char detail[LEDGER_DETAIL_BYTES_MAX];
        CHECK(ledger_event_detail(world->shards[shard], &events[i], detail, sizeof(detail)) > 0);
        for (uint32_t j = 0; j < events[i].entry_count; j++) {
            const struct ledger_entry *entry = &entries[events[i].entry_first + j];
            struct world_line *book = world->book[shard];
            uint32_t at = 0;
            while (at < world->book_count[shard] &&
                   (book[at].owner != entry->owner || book[at].owner_kind != entry->owner_kind ||
                    book[at].item != entry->item || book[at].item_kind != entry->item_kind))
                at++;
            if (at == world->book_count[shard]) {
                CHECK(at < WORLD_BOOK);
                world->book_count[shard]++;
                book[at] = (struct world_line){entry->owner, entry->item, entry->owner_kind, entry->item_kind, 0};
            }
            book[at].count += entry->delta;
        }
    }
}

/* world_now_have counts what an answered command created or destroyed, from its own fields and what its owner had. */
static inline void world_account(struct world *world, const struct ledger_command *command, const struct ledger_item *item) {
    if (command->verb == LEDGER_GRANT) {
        world->exists[0] += command->gold;
        if (command->count > 0) world->exists[command->kind] += command->count;
    } else if (command->verb == LEDGER_USE) {
        world->exists[item->kind] -= 1;
    } else if (command->verb == LEDGER_DROP) {
        world->exists[item->kind] -= command->count ? command->count : item->count;
    }
}

/* world_apply does one command in a batch of its own. */
static inline struct ledger_result world_apply(struct world *world, uint32_t shard, const struct ledger_command *command) {
    struct ledger *ledger = world->shards[shard];
    struct ledger_result result;
    struct ledger_item had = {0};
    world_load(ledger, command);
    const struct ledger_holding *account = ledger_account(ledger, LEDGER_OWNER_PLAYER, command->player, NULL);
    const struct ledger_item *item = account ? ledger_holding_find(account, command->item) : NULL;
    if (item) had = *item;
    uint64_t before = world_check(world, NULL);
    ledger_begin(ledger);
    ledger_apply(ledger, command, world->now_ms, &result);
    world_book(world, shard);
    bool changed = ledger_change_count(ledger) > 0;
    if (result.status != LEDGER_OK || result.repeated) CHECK(!changed);
    ledger_commit(ledger);
    if (!result.repeated && result.status == LEDGER_OK) {
        world_account(world, command, &had);
        world->done[command->verb]++;
        bool made = command->verb == LEDGER_TRADE_OFFER || command->verb == LEDGER_AUCTION_LIST ||
                    command->verb == LEDGER_GUILD_CREATE;
        uint32_t list = world_list(command->verb);
        if (made) world->objects[list][world->object_count[list]++ % WORLD_OBJECTS] = result.object;
    }
    uint64_t after = world_check(world, NULL);
    CHECK(changed || before == after);
    return result;
}

/* world_try does a command and takes it back. */
static inline void world_try(struct world *world, uint32_t shard, const struct ledger_command *command) {
    struct ledger *ledger = world->shards[shard];
    struct ledger_result result;
    world_load(ledger, command);
    uint64_t before = world_check(world, NULL);
    ledger_begin(ledger);
    ledger_apply(ledger, command, world->now_ms, &result);
    ledger_rollback(ledger);
    CHECK(world_check(world, NULL) == before);
}

/* --- transfers */

struct world_outstanding {
    struct ledger_transfer list[256];
    uint32_t count;
};

static inline void world_outstanding_add(void *ctx, const struct ledger_key *key, const union ledger_body *body) {
    struct world_outstanding *out = ctx;
    (void)key;
    if (out->count < 256) out->list[out->count++] = body->transfer;
}

/* world_carry takes one transfer across, and tells the source unless `forget`. */
static inline void world_carry(struct world *world, const struct ledger_transfer *transfer, bool forget) {
    struct ledger_command in, done;
    ledger_transfer_command(transfer, &in);
    struct ledger_result result = world_apply(world, transfer->dest_shard, &in);
    if (forget || (result.status == LEDGER_NO_ROOM && transfer->purpose == LEDGER_PURPOSE_CREDIT)) return;
    ledger_done_command(transfer, result.status == LEDGER_OK, &done);
    (void)world_apply(world, shard_of_id(transfer->id), &done);
}

static inline uint32_t world_carry_all(struct world *world, bool forget) {
    struct world_outstanding *out = calloc(1, sizeof(*out));
    CHECK(out);
    for (uint32_t i = 0; i < WORLD_SHARDS; i++)
        ledger_each(world->shards[i], LEDGER_ROW_TRANSFER, world_outstanding_add, out);
    for (uint32_t i = 0; i < out->count; i++) world_carry(world, &out->list[i], forget);
    uint32_t count = out->count;
    free(out);
    return count;
}

/* world_settle carries what is under way until nothing moves any more, then compares the whole. */
static inline void world_settle(struct world *world) {
    int64_t kinds[ITEM_KIND_COUNT];
    for (uint32_t i = 0; i < 20 && world_carry_all(world, false) > 0; i++) continue;
    if (world_carry_all(world, true) > 0) return; /* somebody has no room for ever */
    world_check(world, kinds);
    CHECK(memcmp(kinds, world->exists, sizeof(kinds)) == 0);
}

/* --- commands out of bytes */

static inline uint64_t world_item_of(struct world *world, uint64_t player, uint32_t choice, uint32_t *version) {
    struct ledger *ledger = world->shards[shard_of_player(player, WORLD_SHARDS)];
    const struct ledger_holding *account = ledger_account(ledger, LEDGER_OWNER_PLAYER, player, NULL);
    if (!account || account->item_count == 0) return choice;
    const struct ledger_item *item = &account->items[choice % account->item_count];
    *version = choice & 0x40 ? item->version : 0;
    return choice == 255 ? 0 : item->id;
}

static inline uint64_t world_bank_item(struct world *world, uint64_t player, uint32_t choice) {
    struct ledger *ledger = world->shards[shard_of_player(player, WORLD_SHARDS)];
    const struct ledger_holding *account = ledger_account(ledger, LEDGER_OWNER_PLAYER, player, NULL);
    const struct ledger_holding *bank =
        account && account->guild ? ledger_account(ledger, LEDGER_OWNER_GUILD, account->guild, NULL) : NULL;
    return bank && bank->item_count ? bank->items[choice % bank->item_count].id : 0;
}

static inline void world_side(struct world *world, uint64_t player, struct world_bytes *bytes, struct ledger_ref *refs,
                              uint32_t *count) {
    *count = world_take(bytes) % 3;
    for (uint32_t i = 0; i < *count; i++) {
        refs[i].id = world_item_of(world, player, world_take(bytes), &refs[i].version);
        refs[i].count = world_take(bytes) % 4;
    }
}

static inline uint64_t world_player(struct world_bytes *bytes) {
    return 1 + world_take(bytes) % WORLD_PLAYERS;
}

/* world_mirror gives an acceptance from abroad what the trade wants. */
static inline void world_mirror(struct world *world, struct ledger_command *command) {
    uint32_t shard = shard_of_id(command->object);
    const struct ledger_trade *trade = shard < WORLD_SHARDS ? ledger_trade(world->shards[shard], command->object) : NULL;
    if (!trade) return;
    command->gold = trade->want_gold;
    command->give_count = trade->want_count;
    for (uint32_t i = 0; i < trade->want_count; i++)
        command->give[i] = (struct ledger_ref){.id = trade->want[i].id, .count = trade->want[i].count};
}

/* world_object picks one of the newest, mostly. */
static inline uint64_t world_object(const struct world *world, uint32_t list, uint32_t choice) {
    uint32_t back = choice & 0x80 ? choice % WORLD_OBJECTS : choice % 3;
    return world->objects[list][(world->object_count[list] + WORLD_OBJECTS - 1 - back) % WORLD_OBJECTS];
}

/* world_suit makes a command likelier to make sense: bytes alone seldom do. */
static inline void world_suit(struct world *world, struct ledger_command *command) {
    uint32_t shard = shard_of_id(command->object) % WORLD_SHARDS;
    const struct ledger_trade *trade = ledger_trade(world->shards[shard], command->object);
    const struct ledger_auction *auction = ledger_auction(world->shards[shard], command->object);
    if (command->verb == LEDGER_TRADE_ACCEPT && trade) command->player = trade->accepter;
    if (command->verb == LEDGER_TRADE_CANCEL && trade) command->player = trade->offerer;
    if (command->verb == LEDGER_TRADE_ACCEPT) world_mirror(world, command);
    if (command->verb == LEDGER_AUCTION_CANCEL && auction) command->player = auction->seller;
    if (command->verb == LEDGER_AUCTION_BID && auction) command->gold = auction->bid + auction->min_bid;
    if (command->verb == LEDGER_AUCTION_BUY && auction) command->gold = auction->buyout;
    if (command->verb == LEDGER_SPLIT) command->count = 1, command->slot = LEDGER_SLOT_ANY;
    if (command->verb < LEDGER_GUILD_INVITE || command->verb > LEDGER_GUILD_RANK) return;
    shard = shard_of_player(command->player, WORLD_SHARDS);
    for (uint32_t i = 0; i < WORLD_PLAYERS && shard_of_player(command->other, WORLD_SHARDS) != shard; i++)
        command->other = 1 + command->other % WORLD_PLAYERS;
    for (uint32_t i = 0; i < WORLD_OBJECTS && command->verb == LEDGER_GUILD_JOIN; i++) {
        const struct ledger_guild *guild = ledger_guild(world->shards[shard], world->objects[2][i], NULL);
        if (guild && guild->invite_count) command->object = world->objects[2][i], command->player = guild->invites[0].player;
    }
    for (uint32_t i = 0; i < WORLD_OBJECTS && command->verb >= LEDGER_GUILD_KICK; i++) {
        const struct ledger_guild *guild = ledger_guild(world->shards[shard], world->objects[2][i], NULL);
        if (guild && guild->member_count > 1)
            command->player = guild->leader, command->other = guild->members[guild->member_count - 1].player;
    }
}

static inline struct ledger_command world_command(struct world *world, struct world_bytes *bytes) {
    static const enum ledger_verb verbs[] = {
        LEDGER_MOVE,           LEDGER_STACK,          LEDGER_SPLIT,         LEDGER_USE,
        LEDGER_DROP,           LEDGER_TRADE_OFFER,    LEDGER_TRADE_OFFER,   LEDGER_TRADE_ACCEPT,
        LEDGER_TRADE_ACCEPT,   LEDGER_TRADE_CANCEL,   LEDGER_AUCTION_LIST,  LEDGER_AUCTION_BID,
        LEDGER_AUCTION_BUY,    LEDGER_AUCTION_CANCEL, LEDGER_GUILD_CREATE,  LEDGER_GUILD_INVITE,
        LEDGER_GUILD_INVITE,   LEDGER_GUILD_JOIN,     LEDGER_GUILD_JOIN,    LEDGER_GUILD_LEAVE,
        LEDGER_GUILD_KICK,     LEDGER_GUILD_RANK,     LEDGER_GUILD_DEPOSIT, LEDGER_GUILD_WITHDRAW,
        LEDGER_GRANT,          LEDGER_GRANT,          LEDGER_GRANT,         LEDGER_TRADE_EXPIRE,
        LEDGER_AUCTION_EXPIRE, LEDGER_AUCTION_BID,    LEDGER_AUCTION_LIST};
    struct ledger_command command = {.domain = LEDGER_DOMAIN_CLIENT, .key = ++world->next_key};
    command.verb = verbs[world_take(bytes) % (sizeof(verbs) / sizeof(verbs[0]))];
    command.player = world_player(bytes);
    command.other = world_player(bytes);
    command.item = world_item_of(world, command.player, world_take(bytes), &command.version);
    command.other_item = world_item_of(world, command.player, world_take(bytes), &command.other_version);
    command.object = world_object(world, world_list(command.verb), world_take(bytes));
    command.count = world_take(bytes) % 8;
    command.slot = (uint16_t)(world_take(bytes) % 140);
    command.kind = world_take(bytes) % (ITEM_KIND_COUNT + 1);
    command.rank = (uint8_t)(world_take(bytes) % 4);
    command.gold = (int64_t)world_take(bytes) * 3 - 4;
    command.price = (int64_t)world_take(bytes) * 4 - 4;
    command.duration_ms = world_take(bytes) * 40;
    if (command.verb == LEDGER_GUILD_CREATE)
        memcpy(command.text, "Guild  A", 8), command.text[7] = (char)('A' + command.rank);
    if (command.verb == LEDGER_GUILD_WITHDRAW && command.gold % 2)
        command.item = world_bank_item(world, command.player, command.slot);
    if (command.verb == LEDGER_GUILD_DEPOSIT || command.verb == LEDGER_GUILD_WITHDRAW)
        *(command.rank % 2 ? &command.item : (uint64_t *)&command.gold) = 0;
    if (command.verb == LEDGER_TRADE_EXPIRE || command.verb == LEDGER_AUCTION_EXPIRE) command.domain = LEDGER_DOMAIN_NONE;
    if (command.verb == LEDGER_TRADE_OFFER) {
        world_side(world, command.player, bytes, command.give, &command.give_count);
        world_side(world, command.other, bytes, command.want, &command.want_count);
    }
    if (command.verb == LEDGER_MOVE && command.slot % 2) command.other_item = 0;
    if (world_take(bytes) % 4) world_suit(world, &command);
    return command;
}

static inline uint32_t world_shard_of(const struct ledger_command *command) {
    if (command->domain == LEDGER_DOMAIN_NONE) return shard_of_id(command->object) % WORLD_SHARDS;
    return shard_of_player(command->player, WORLD_SHARDS);
}

/* world_repeat says an earlier command again. */
static inline void world_repeat(struct world *world, uint32_t choice) {
    uint32_t known = world->past_count < WORLD_PAST ? world->past_count : WORLD_PAST;
    if (known == 0) return;
    const struct ledger_command *past = &world->past[choice % known];
    const struct ledger_result *was = &world->past_results[choice % known];
    struct ledger_result result = world_apply(world, world_shard_of(past), past);
    CHECK(result.status == was->status && result.object == was->object);
}

static inline void world_step(struct world *world, struct world_bytes *bytes) {
    uint32_t how = world_take(bytes);
    world->now_ms += how;
    if (how < 8) {
        world_repeat(world, world_take(bytes));
    } else if (how < 40) {
        world_carry_all(world, how & 1);
    } else {
        struct ledger_command command = world_command(world, bytes);
        uint32_t shard = world_shard_of(&command);
        if (how < 60) world_try(world, shard, &command);
        struct ledger_result result = world_apply(world, shard, &command);
        if (command.domain == LEDGER_DOMAIN_NONE || result.status == LEDGER_INVALID) return;
        world->past[world->past_count % WORLD_PAST] = command;
        world->past_results[world->past_count++ % WORLD_PAST] = result;
    }
}

#endif
