#include "persist/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/pool.h"
#include "common/shard.h"
#include "common/utf8.h"
#include "persist/boards.h"
#include "persist/journal.h"
#include "persist/peers.h"
#include "persist/reads.h"
#include "persist/reads_wire.h"
#include "persist/value.h"
#include "persist/value_wire.h"

#define BOARD_AROUND_MAX 15 /* before and after: together with the player they fit one message */

_Static_assert(2 * BOARD_AROUND_MAX + 1 <= WIRE_BOARD_ROWS_MAX, "a player's neighbours fit one message");

/* A command that is not answered yet. */
struct asked {
    struct handle handle;
    struct commands *commands;
    struct client client;
    uint64_t key, object;
    uint32_t count; /* of a read: its first member */
    uint8_t verb;
    char region[BOARDS_REGION_MAX + 1]; /* "": all */
};

struct commands {
    struct commands_config config;
    struct wire_builder *builder;
    struct pool asked;
    struct commands_stats stats;
};

struct commands *commands_create(const struct commands_config *config) {
    struct commands *commands = calloc(1, sizeof *commands);
    if (!commands) return NULL;
    commands->config = *config;
    commands->builder = wire_builder_create(WIRE_CLIENT_BYTES_MAX);
    if (!commands->builder || pool_init(&commands->asked, COMMANDS_MAX, sizeof(struct asked))) {
        commands_destroy(commands);
        return NULL;
    }
    return commands;
}

void commands_destroy(struct commands *commands) {
    if (!commands) return;
    wire_builder_destroy(commands->builder);
    pool_deinit(&commands->asked);
    free(commands);
}

static uint64_t now_ms(void) {
    return wall_now_ns() / NS_PER_MS;
}

/* --- answers */

static void answer(struct commands *c, const struct client *client, uint64_t key, enum ledger_status status,
                   uint64_t object) {
    c->stats.by_status[status]++;
    struct wire_server_message message = {
        .kind = WIRE_SERVER_COMMAND_RESULT,
        .result = {.key = key, .status = (enum wire_command_status)status, .object = object}};
    clients_tell(c->config.clients, client, &message);
}

/* Answers what was asked and ends it. */
static void conclude(struct asked *asked, enum ledger_status status, uint64_t object) {
    answer(asked->commands, &asked->client, asked->key, status, object);
    pool_give(&asked->commands->asked, asked->handle);
}

static void tell_client(const struct asked *asked, const struct wire_server_message *message) {
    clients_tell(asked->commands->config.clients, &asked->client, message);
}

static enum ledger_status status_of(int error) {
    if (error == 0) return LEDGER_OK;
    if (error == MARCH_ERR_NOT_FOUND) return LEDGER_NOT_FOUND;
    if (error == MARCH_ERR_FULL) return LEDGER_BUSY;
    if (error == MARCH_ERR_INVALID) return LEDGER_INVALID;
    return LEDGER_UNAVAILABLE;
}

/* --- changes */

static void changed(void *ctx, const struct ledger_result *result) {
    struct asked *asked = ctx;
    struct commands *c = asked->commands;
    bool used = asked->verb == LEDGER_USE && result->status == LEDGER_OK && !result->repeated;
    if (used && result->effect != 0) c->config.effect(c->config.ctx, asked->client.player, result->effect, result->power);
    conclude(asked, result->status, result->object);
}

static void change(struct asked *asked, const struct wire_command *in) {
    struct ledger_command command;
    if (value_command_of_wire(in, asked->client.player, &command)) {
        conclude(asked, LEDGER_INVALID, 0);
        return;
    }
    if (journal_is_full(asked->commands->config.journal)) {
        conclude(asked, LEDGER_JOURNAL_FULL, 0);
        return;
    }
    enum ledger_status status = value_submit(asked->commands->config.value, &command, changed, asked);
    if (status != LEDGER_OK) conclude(asked, status, 0);
}

/* --- reads: inventories and guilds */

static void tell_inventory(const struct asked *asked, const struct ledger_holding *holding, uint64_t guild) {
    struct ledger_difference difference;
    struct wire_server_message message = {.kind = WIRE_SERVER_INVENTORY_DIFF, .inventory = {.more = true}};
    ledger_difference_of(NULL, holding, &difference);
    for (uint32_t part = 0; message.inventory.more; part++) {
        value_diff_to_wire(&difference, holding, guild, true, part, &message.inventory);
        tell_client(asked, &message);
    }
}

static void bank_found(void *ctx, enum ledger_status status, const struct ledger_holding *bank) {
    struct asked *asked = ctx;
    if (status == LEDGER_OK) tell_inventory(asked, bank, asked->object);
    conclude(asked, status, 0);
}

static void guild_found(void *ctx, enum ledger_status status, const struct ledger_guild *guild) {
    struct asked *asked = ctx;
    if (status == LEDGER_OK) {
        struct wire_server_message message = {.kind = WIRE_SERVER_GUILD_STATE};
        value_guild_to_wire(asked->object, guild, asked->client.player, asked->count, &message.guild);
        tell_client(asked, &message);
    }
    conclude(asked, status, 0);
}

static void account_found(void *ctx, enum ledger_status status, const struct ledger_holding *holding) {
    struct asked *asked = ctx;
    struct value *value = asked->commands->config.value;
    uint64_t guild = holding ? holding->guild : 0;
    if (status != LEDGER_OK) {
        conclude(asked, status, 0);
    } else if (asked->verb == LEDGER_INVENTORY && asked->object == 0) {
        tell_inventory(asked, holding, 0);
        conclude(asked, LEDGER_OK, 0);
    } else if (asked->verb == LEDGER_INVENTORY) {
        if (asked->object == guild) {
            value_account(value, LEDGER_OWNER_GUILD, guild, bank_found, asked);
        } else {
            conclude(asked, LEDGER_FORBIDDEN, 0);
        }
    } else if (guild == 0) {
        tell_client(asked, &(struct wire_server_message){.kind = WIRE_SERVER_GUILD_STATE});
        conclude(asked, LEDGER_OK, 0);
    } else {
        asked->object = guild;
        value_guild(value, guild, guild_found, asked);
    }
}

/* --- reads: boards and profiles */

static void board_read(void *ctx, int error, const struct reads_board *board, struct reads_meta meta) {
    (void)meta;
    struct asked *asked = ctx;
    if (error == 0) {
        struct wire_server_message message;
        reads_wire_board(board, asked->region[0] ? asked->region : NULL, &message);
        tell_client(asked, &message);
    }
    conclude(asked, status_of(error), 0);
}

static uint32_t at_most(uint64_t value, uint32_t most) {
    return value < most ? (uint32_t)value : most;
}

/* The text is a board, or a board and a region: "gold/main". */
static void read_board(struct asked *asked, const struct wire_command *in) {
    struct reads *reads = asked->commands->config.reads;
    char name[WIRE_COMMAND_TEXT_MAX + 1];
    memcpy(name, in->text, sizeof name);
    char *slash = strchr(name, '/');
    if (slash) *slash++ = '\0';
    enum board board;
    if (board_of(name, &board) || (slash && strlen(slash) > BOARDS_REGION_MAX)) {
        conclude(asked, LEDGER_NOT_FOUND, 0);
        return;
    }
    snprintf(asked->region, sizeof asked->region, "%s", slash ? slash : "");
    const char *region = asked->region[0] ? asked->region : NULL;
    uint32_t count = in->count > 0 ? in->count : WIRE_BOARD_ROWS_MAX;
    if (in->player) {
        reads_board_around(reads, board, 0, region, in->player, at_most(count, BOARD_AROUND_MAX), false, board_read, asked);
    } else {
        uint32_t from = in->object > 0 ? at_most(in->object, UINT32_MAX) : 1;
        reads_board(reads, board, 0, region, from, at_most(count, WIRE_BOARD_ROWS_MAX), false, board_read, asked);
    }
}

static void profile_read(void *ctx, const struct reads_profile_result *results, uint32_t count) {
    struct asked *asked = ctx;
    CHECK(count == 1);
    if (results->error == 0) {
        struct wire_server_message message;
        reads_wire_profile(&results->profile, &message);
        tell_client(asked, &message);
    }
    conclude(asked, status_of(results->error), 0);
}

static void player_named(void *ctx, int error, uint64_t player) {
    struct asked *asked = ctx;
    if (error) {
        conclude(asked, status_of(error), 0);
    } else {
        reads_profiles(asked->commands->config.reads, &player, 1, false, profile_read, asked);
    }
}

/* By id, by name, or the player's own. */
static void read_profile(struct asked *asked, const struct wire_command *in) {
    struct reads *reads = asked->commands->config.reads;
    uint64_t player = in->player ? in->player : asked->client.player;
    if (!in->player && in->text[0]) {
        reads_player_named(reads, in->text, false, player_named, asked);
    } else {
        reads_profiles(reads, &player, 1, false, profile_read, asked);
    }
}

/* --- taking */

static bool is_off(const struct commands *c, uint8_t verb) {
    const struct flags *flags = c->config.flags;
    if (verb == LEDGER_PROFILE) return !flags_is_on(flags, FLAG_READS);
    if (verb == LEDGER_BOARD) return !flags_is_on(flags, FLAG_BOARDS);
    if (verb == LEDGER_GUILD_INFO) return !flags_is_on(flags, FLAG_GUILD);
    return verb == LEDGER_INVENTORY && !flags_is_on(flags, FLAG_ITEMS);
}

void commands_take(struct commands *c, const struct client *client, const struct wire_command *command) {
    c->stats.taken++;
    struct handle handle = pool_take(&c->asked);
    struct asked *asked = pool_get(&c->asked, handle);
    if (!asked) {
        c->stats.busy++;
        answer(c, client, command->key, LEDGER_BUSY, 0);
        return;
    }
    *asked = (struct asked){.handle = handle,
                            .commands = c,
                            .client = *client,
                            .key = command->key,
                            .object = command->object,
                            .count = command->count,
                            .verb = command->verb};
    if (is_off(c, command->verb)) {
        conclude(asked, LEDGER_DISABLED, 0);
        return;
    }
    switch (command->verb) {
    case LEDGER_INVENTORY:
    case LEDGER_GUILD_INFO: value_account(c->config.value, LEDGER_OWNER_PLAYER, client->player, account_found, asked); break;
    case LEDGER_BOARD: read_board(asked, command); break;
    case LEDGER_PROFILE: read_profile(asked, command); break;
    default: change(asked, command);
    }
}

/* --- telling what has changed */

static void tell_player(struct commands *c, uint64_t player, const struct wire_server_message *message) {
    c->stats.told++;
    if (shard_of_player(player, c->config.shard_count) == c->config.shard_index) {
        clients_tell_player(c->config.clients, player, message);
        return;
    }
    struct wire_bytes bytes;
    int error = wire_server_message_pack(c->builder, message, &bytes);
    CHECK(error == 0);
    peers_notice(c->config.peers, player, bytes.data, bytes.len);
}

/* Tells how an account changed to its owner, or with `members` to all of a guild. */
static void tell_change(struct commands *c, const struct value_change *change, const struct ledger_guild *members) {
    struct ledger_difference difference;
    struct wire_server_message message = {.kind = WIRE_SERVER_INVENTORY_DIFF, .inventory = {.more = true}};
    ledger_difference_of(change->before, change->after, &difference);
    for (uint32_t part = 0; message.inventory.more; part++) {
        value_diff_to_wire(&difference, change->after, members ? change->owner : 0, false, part, &message.inventory);
        if (!members) tell_player(c, change->owner, &message);
        for (uint32_t i = 0; members && i < members->member_count; i++) tell_player(c, members->members[i].player, &message);
    }
}

/* A change of a guild's bank, on its way to the members. It holds during the call of commands_changed only. */
struct bank_change {
    struct commands *commands;
    const struct value_change *change; /* NULL: too late */
    bool is_told;
};

static void bank_changed(void *ctx, enum ledger_status status, const struct ledger_guild *guild) {
    struct bank_change *bank = ctx;
    if (!bank->change) {
        free(bank);
        return;
    }
    bank->is_told = true;
    if (status == LEDGER_OK) tell_change(bank->commands, bank->change, guild);
}

/* The guild is nearly always cached, as its bank has just changed; where it is not, members ask for the bank again. */
static void tell_members(struct commands *c, const struct value_change *change) {
    struct bank_change *bank = malloc(sizeof *bank);
    if (!bank) return;
    *bank = (struct bank_change){.commands = c, .change = change};
    value_guild(c->config.value, change->owner, bank_changed, bank);
    bank->change = NULL;
    if (bank->is_told) free(bank);
}

void commands_changed(struct commands *c, const struct value_change *change) {
    if (change->owner_kind == LEDGER_OWNER_PLAYER) {
        tell_change(c, change, NULL);
    } else if (change->owner_kind == LEDGER_OWNER_GUILD) {
        tell_members(c, change);
    }
}

/* A notice about a guild, which may have to be read first. */
struct guild_notice {
    struct commands *commands;
    struct ledger_notice notice;
};

static void tell_guild_notice(void *ctx, enum ledger_status status, const struct ledger_guild *guild) {
    struct guild_notice *g = ctx;
    const struct ledger_notice *notice = &g->notice;
    if (guild) reads_guild_created(g->commands->config.reads, notice->object, guild->name);
    if (status == LEDGER_OK && notice->type == LEDGER_NOTICE_GUILD_INVITED) {
        struct wire_server_message message = {.kind = WIRE_SERVER_GUILD_INVITED,
                                              .guild_invited = {.guild = notice->object, .by = notice->by}};
        memcpy(message.guild_invited.name, guild->name, sizeof message.guild_invited.name);
        tell_player(g->commands, notice->player, &message);
    } else if (notice->type == LEDGER_NOTICE_GUILD_CHANGED && (status == LEDGER_OK || status == LEDGER_NOT_FOUND)) {
        struct wire_server_message message = {.kind = WIRE_SERVER_GUILD_STATE};
        if (guild && ledger_guild_member(guild, notice->player))
            value_guild_to_wire(notice->object, guild, notice->player, 0, &message.guild);
        tell_player(g->commands, notice->player, &message);
    }
    free(g);
}

static void about_guild(struct commands *c, const struct ledger_notice *notice) {
    struct guild_notice *g = malloc(sizeof *g);
    if (!g) return;
    *g = (struct guild_notice){c, *notice};
    value_guild(c->config.value, notice->object, tell_guild_notice, g);
}

/* What became of the item is for the inventory to say, so only an auction that is open names it. */
static void about_auction(struct commands *c, const struct ledger_notice *notice, enum wire_auction_phase phase) {
    struct wire_server_message message = {.kind = WIRE_SERVER_AUCTION_STATE,
                                          .auction = {.auction = notice->object, .phase = phase}};
    const struct ledger_auction *row = value_auction(c->config.value, notice->object);
    struct ledger_item item = {0};
    if (row) item = (struct ledger_item){.kind = row->item_kind, .count = row->item_count};
    if (row) value_auction_to_wire(notice->object, row, &item, now_ms(), phase, &message.auction);
    tell_player(c, notice->player, &message);
}

static void about_trade(struct commands *c, const struct ledger_notice *notice, enum wire_trade_outcome outcome) {
    tell_player(c, notice->player,
                &(struct wire_server_message){.kind = WIRE_SERVER_TRADE_CLOSED,
                                              .trade_closed = {.trade = notice->object, .outcome = outcome}});
}

static void offered(struct commands *c, const struct ledger_notice *notice) {
    const struct ledger_trade *row = value_trade(c->config.value, notice->object);
    if (!row) return; /* closed in the same batch, which is told too */
    struct wire_server_message message = {.kind = WIRE_SERVER_TRADE_OFFERED};
    value_trade_to_wire(notice->object, row, now_ms(), &message.trade_offered);
    tell_player(c, notice->player, &message);
}

void commands_notice(struct commands *c, const struct ledger_notice *notice) {
    switch (notice->type) {
    case LEDGER_NOTICE_TRADE_OFFERED: offered(c, notice); break;
    case LEDGER_NOTICE_TRADE_DONE: about_trade(c, notice, WIRE_TRADE_DONE); break;
    case LEDGER_NOTICE_TRADE_CANCELLED: about_trade(c, notice, WIRE_TRADE_CANCELLED); break;
    case LEDGER_NOTICE_TRADE_FAILED: about_trade(c, notice, WIRE_TRADE_FAILED); break;
    case LEDGER_NOTICE_TRADE_EXPIRED: about_trade(c, notice, WIRE_TRADE_EXPIRED); break;
    case LEDGER_NOTICE_GUILD_INVITED:
    case LEDGER_NOTICE_GUILD_CHANGED: about_guild(c, notice); break;
    case LEDGER_NOTICE_AUCTION_OUTBID:
    case LEDGER_NOTICE_AUCTION_OPEN: about_auction(c, notice, WIRE_AUCTION_OPEN); break;
    case LEDGER_NOTICE_AUCTION_SOLD: about_auction(c, notice, WIRE_AUCTION_SOLD); break;
    case LEDGER_NOTICE_AUCTION_EXPIRED: about_auction(c, notice, WIRE_AUCTION_EXPIRED); break;
    case LEDGER_NOTICE_AUCTION_CANCELLED: about_auction(c, notice, WIRE_AUCTION_CANCELLED); break;
    case LEDGER_NOTICE_COUNT: CHECK(false);
    }
}

struct commands_stats commands_stats(const struct commands *commands) {
    struct commands_stats stats = commands->stats;
    stats.asked = pool_count(&commands->asked);
    return stats;
}
