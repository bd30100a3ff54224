/* ledger_guilds.c: guilds, their members by rank, and their bank.
 *
 *   who may                 member  officer  leader
 *   deposit, leave             x       x        x
 *   invite, withdraw                   x        x
 *   kick a lower rank                  x        x
 *   give ranks                                  x   giving away the leader's own makes the giver an officer
 *
 * A leader that leaves hands over to the highest rank, among equals to who joined first. With the last member the guild ends
 * and its bank goes to that member. */
#include <string.h>

#include "common/utf8.h"
#include "persist/ledger_set.h"

static struct ledger_row *own_account(struct ledger *ledger, uint64_t player) {
    return account_of(ledger, LEDGER_OWNER_PLAYER, player);
}

/* own_guild returns the player's guild and its place in it; NULL when it has none. */
static struct ledger_row *own_guild(struct ledger *ledger, uint64_t player, struct ledger_member *self) {
    uint64_t id = own_account(ledger, player)->body.account.guild;
    struct ledger_row *row = id ? row_present(ledger, LEDGER_ROW_GUILD, id) : NULL;
    const struct ledger_member *member = row ? ledger_guild_member(row->body.guild, player) : NULL;
    if (!member) return NULL;
    *self = *member;
    return row;
}

static void set_guild_of(struct ledger *ledger, uint64_t player, uint64_t guild) {
    struct ledger_row *account = own_account(ledger, player);
    row_write(ledger, account);
    account->body.account.guild = guild;
    ledger_notify(ledger, LEDGER_NOTICE_GUILD_CHANGED, player, guild, ledger->command->player);
}

static struct ledger_member *member_of(struct ledger_guild *guild, uint64_t player) {
    for (uint32_t i = 0; i < guild->member_count; i++)
        if (guild->members[i].player == player) return &guild->members[i];
    return NULL;
}

static void remove_member(struct ledger_guild *guild, uint64_t player) {
    uint32_t at = (uint32_t)(member_of(guild, player) - guild->members);
    guild->member_count--;
    memmove(&guild->members[at], &guild->members[at + 1], (guild->member_count - at) * sizeof(guild->members[0]));
}

static bool name_valid(const char *name) {
    size_t len = strlen(name);
    return len >= LEDGER_NAME_MIN && utf8_text_valid(name, len, LEDGER_NAME_MAX) && name[0] != ' ' && name[len - 1] != ' ';
}

enum ledger_status ledger_do_guild_create(struct ledger *ledger, const struct ledger_command *command) {
    if (!name_valid(command->text)) return LEDGER_INVALID;
    uint64_t name = ledger_name_hash(command->text);
    if (own_account(ledger, command->player)->body.account.guild != 0) return LEDGER_EXISTS;
    if (row_need(ledger, LEDGER_ROW_GUILD_NAME, 0, name)->present) return LEDGER_EXISTS;
    uint64_t id = ledger_make_id(ledger);
    struct ledger_row *row = row_new(ledger, LEDGER_ROW_GUILD, 0, id);
    struct ledger_guild *guild = row->body.guild;
    *guild = (struct ledger_guild){.leader = command->player, .member_count = 1};
    memcpy(guild->name, command->text, strlen(command->text) + 1);
    guild->members[0] = (struct ledger_member){.player = command->player, .rank = LEDGER_RANK_LEADER};
    row_begin(ledger, row);
    struct ledger_row *taken = row_new(ledger, LEDGER_ROW_GUILD_NAME, 0, name);
    taken->body.guild_of_name = id;
    row_begin(ledger, taken);
    row_write(ledger, row_new(ledger, LEDGER_ROW_ACCOUNT, LEDGER_OWNER_GUILD, id));
    set_guild_of(ledger, command->player, id);
    ledger->result->object = id;
    return LEDGER_OK;
}

/* drop_invites removes a player's invitation (0: nobody's) and all that have expired. */
static void drop_invites(struct ledger_guild *guild, uint64_t player, uint64_t now_ms) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < guild->invite_count; i++)
        if (guild->invites[i].player != player && guild->invites[i].expires_ms > now_ms)
            guild->invites[kept++] = guild->invites[i];
    guild->invite_count = kept;
}

static bool is_invited(const struct ledger_guild *guild, uint64_t player, uint64_t now_ms) {
    for (uint32_t i = 0; i < guild->invite_count; i++)
        if (guild->invites[i].player == player) return guild->invites[i].expires_ms > now_ms;
    return false;
}

enum ledger_status ledger_do_guild_invite(struct ledger *ledger, const struct ledger_command *command) {
    struct ledger_member self;
    struct ledger_row *row = own_guild(ledger, command->player, &self);
    if (!player_id_valid(command->other)) return LEDGER_INVALID;
    if (!row) return LEDGER_NOT_FOUND;
    if (self.rank < LEDGER_RANK_OFFICER || !ledger_is_local(ledger, command->other)) return LEDGER_FORBIDDEN;
    if (member_of(row->body.guild, command->other)) return LEDGER_EXISTS;
    row_write(ledger, row);
    struct ledger_guild *guild = row->body.guild;
    drop_invites(guild, command->other, ledger->now_ms);
    if (guild->invite_count >= LEDGER_INVITES_MAX || guild->member_count >= LEDGER_MEMBERS_MAX) return LEDGER_NO_ROOM;
    guild->invites[guild->invite_count++] = (struct ledger_invite){
        .player = command->other, .by = command->player, .expires_ms = ledger->now_ms + LEDGER_INVITE_MS};
    ledger->result->object = row->key.id;
    ledger->event_other = command->other;
    ledger_notify(ledger, LEDGER_NOTICE_GUILD_INVITED, command->other, row->key.id, command->player);
    return LEDGER_OK;
}

enum ledger_status ledger_do_guild_join(struct ledger *ledger, const struct ledger_command *command) {
    if (own_account(ledger, command->player)->body.account.guild != 0) return LEDGER_EXISTS;
    struct ledger_row *row = row_present(ledger, LEDGER_ROW_GUILD, command->object);
    if (ledger_is_abroad(ledger, command->object)) return LEDGER_FORBIDDEN;
    if (!row) return LEDGER_NOT_FOUND;
    if (!is_invited(row->body.guild, command->player, ledger->now_ms)) return LEDGER_FORBIDDEN;
    if (row->body.guild->member_count >= LEDGER_MEMBERS_MAX) return LEDGER_NO_ROOM;
    row_write(ledger, row);
    struct ledger_guild *guild = row->body.guild;
    drop_invites(guild, command->player, ledger->now_ms);
    guild->members[guild->member_count++] = (struct ledger_member){.player = command->player, .rank = LEDGER_RANK_MEMBER};
    set_guild_of(ledger, command->player, row->key.id);
    return LEDGER_OK;
}

/* dissolve ends a guild of one: what its bank holds goes to that member. */
static enum ledger_status dissolve(struct ledger *ledger, struct ledger_row *row, uint64_t last) {
    struct ledger_row *bank = account_of(ledger, LEDGER_OWNER_GUILD, row->key.id);
    struct ledger_parcel parcels[LEDGER_ACCOUNT_ITEMS_MAX];
    int64_t gold = 0;
    uint32_t count = bank->present ? account_empty(ledger, bank, parcels, &gold) : 0;
    enum ledger_status status = deliver(ledger, last, parcels, count, gold);
    if (status != LEDGER_OK) return status;
    if (bank->present) row_delete(ledger, bank);
    struct ledger_row *name = row_need(ledger, LEDGER_ROW_GUILD_NAME, 0, ledger_name_hash(row->body.guild->name));
    if (name->present) row_delete(ledger, name);
    row_delete(ledger, row);
    return LEDGER_OK;
}

/* hand_over_lead makes the next member the leader. */
static void hand_over_lead(struct ledger *ledger, struct ledger_row *row) {
    struct ledger_guild *guild = row->body.guild;
    struct ledger_member *next = &guild->members[0];
    for (uint32_t i = 1; i < guild->member_count; i++)
        if (guild->members[i].rank > next->rank) next = &guild->members[i];
    next->rank = LEDGER_RANK_LEADER;
    guild->leader = next->player;
    ledger_notify(ledger, LEDGER_NOTICE_GUILD_CHANGED, next->player, row->key.id, ledger->command->player);
}

enum ledger_status ledger_do_guild_leave(struct ledger *ledger, const struct ledger_command *command) {
    struct ledger_member self;
    struct ledger_row *row = own_guild(ledger, command->player, &self);
    if (!row) return LEDGER_NOT_FOUND;
    ledger->result->object = row->key.id;
    if (row->body.guild->member_count == 1) {
        enum ledger_status status = dissolve(ledger, row, command->player);
        if (status != LEDGER_OK) return status;
    } else {
        row_write(ledger, row);
        remove_member(row->body.guild, command->player);
        if (self.rank == LEDGER_RANK_LEADER) hand_over_lead(ledger, row);
    }
    set_guild_of(ledger, command->player, 0);
    return LEDGER_OK;
}

enum ledger_status ledger_do_guild_kick(struct ledger *ledger, const struct ledger_command *command) {
    struct ledger_member self;
    struct ledger_row *row = own_guild(ledger, command->player, &self);
    if (command->other == command->player) return LEDGER_INVALID;
    if (!row) return LEDGER_NOT_FOUND;
    const struct ledger_member *target = member_of(row->body.guild, command->other);
    if (!target) return LEDGER_NOT_FOUND;
    if (self.rank < LEDGER_RANK_OFFICER || target->rank >= self.rank) return LEDGER_FORBIDDEN;
    row_write(ledger, row);
    remove_member(row->body.guild, command->other);
    set_guild_of(ledger, command->other, 0);
    ledger->result->object = row->key.id;
    ledger->event_other = command->other;
    return LEDGER_OK;
}

enum ledger_status ledger_do_guild_rank(struct ledger *ledger, const struct ledger_command *command) {
    struct ledger_member self;
    struct ledger_row *row = own_guild(ledger, command->player, &self);
    if (command->rank > LEDGER_RANK_LEADER || command->other == command->player) return LEDGER_INVALID;
    if (!row) return LEDGER_NOT_FOUND;
    if (!member_of(row->body.guild, command->other)) return LEDGER_NOT_FOUND;
    if (self.rank != LEDGER_RANK_LEADER) return LEDGER_FORBIDDEN;
    row_write(ledger, row);
    struct ledger_guild *guild = row->body.guild;
    member_of(guild, command->other)->rank = command->rank;
    if (command->rank == LEDGER_RANK_LEADER) {
        member_of(guild, command->player)->rank = LEDGER_RANK_OFFICER;
        guild->leader = command->other;
        ledger_notify(ledger, LEDGER_NOTICE_GUILD_CHANGED, command->player, row->key.id, command->player);
    }
    ledger_notify(ledger, LEDGER_NOTICE_GUILD_CHANGED, command->other, row->key.id, command->player);
    ledger->result->object = row->key.id;
    ledger->event_other = command->other;
    return LEDGER_OK;
}

enum ledger_status guild_take_deposit(struct ledger *ledger, uint64_t guild, uint64_t player,
                                      const struct ledger_parcel *parcels, uint32_t count, int64_t gold) {
    struct ledger_row *row = row_present(ledger, LEDGER_ROW_GUILD, guild);
    if (!row) return LEDGER_NOT_FOUND;
    if (!member_of(row->body.guild, player)) return LEDGER_FORBIDDEN;
    struct ledger_row *bank = account_of(ledger, LEDGER_OWNER_GUILD, guild);
    enum ledger_status status = account_put(ledger, bank, parcels, count);
    return status == LEDGER_OK ? account_put_gold(ledger, bank, gold) : status;
}

/* shift moves what the command names, gold or an item, from one account to another. */
static enum ledger_status shift(struct ledger *ledger, const struct ledger_command *command, struct ledger_row *from,
                                struct ledger_row *to) {
    if ((command->item == 0) == (command->gold == 0)) return LEDGER_INVALID;
    if (command->item == 0) {
        enum ledger_status status = account_take_gold(ledger, from, command->gold);
        return status == LEDGER_OK ? account_put_gold(ledger, to, command->gold) : status;
    }
    struct ledger_ref ref = {.id = command->item, .version = command->version, .count = command->count};
    struct ledger_parcel parcel;
    enum ledger_status status = account_take(ledger, from, &ref, &parcel);
    if (status == LEDGER_OK) ledger->result->object = parcel.item.id;
    return status == LEDGER_OK ? account_put(ledger, to, &parcel, 1) : status;
}

enum ledger_status ledger_do_guild_deposit(struct ledger *ledger, const struct ledger_command *command) {
    struct ledger_member self;
    struct ledger_row *row = own_guild(ledger, command->player, &self);
    if (!row) return LEDGER_NOT_FOUND;
    return shift(ledger, command, own_account(ledger, command->player), account_of(ledger, LEDGER_OWNER_GUILD, row->key.id));
}

enum ledger_status ledger_do_guild_withdraw(struct ledger *ledger, const struct ledger_command *command) {
    struct ledger_member self;
    struct ledger_row *row = own_guild(ledger, command->player, &self);
    if (!row) return LEDGER_NOT_FOUND;
    if (self.rank < LEDGER_RANK_OFFICER) return LEDGER_FORBIDDEN;
    return shift(ledger, command, account_of(ledger, LEDGER_OWNER_GUILD, row->key.id), own_account(ledger, command->player));
}
