/* value_store_guilds.c: guilds of a batch: their lists of members and invitations become rows that are gone, changed or new.
 */
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "persist/value_columns.h"

static void put_guild_rows(struct value_store *store) {
    const struct ledger_change *const *ROWS = store->rows;
    uint32_t count = store_select(store, LEDGER_ROW_GUILD, GONE);
    if (count > 0) {
        struct pg_params *params = &store->params[CALL_GUILDS_GONE];
        pg_params_int8(params, count);
        INT8(params, count, row->key.id);
        INT8(params, count, row->before->guild->version);
    }
    count = store_select(store, LEDGER_ROW_GUILD, CHANGED);
    if (count > 0) {
        struct pg_params *params = &store->params[CALL_GUILDS_CHANGED];
        pg_params_int8(params, count);
        INT8(params, count, row->key.id);
        INT8(params, count, row->before->guild->version);
        INT8(params, count, row->after->guild->leader);
        INT8(params, count, row->after->guild->version);
    }
    count = store_select(store, LEDGER_ROW_GUILD, NEW);
    if (count == 0) return;
    struct pg_params *params = &store->params[CALL_GUILDS_NEW];
    INT8(params, count, row->key.id);
    pg_params_array(params, PG_TEXT);
    for (uint32_t i = 0; i < count; i++)
        pg_params_push_text(params, ROWS[i]->after->guild->name, strlen(ROWS[i]->after->guild->name));
    pg_params_end(params);
    INT8(params, count, row->after->guild->leader);
    INT8(params, count, row->after->guild->version);
}

struct seat {
    uint64_t player, guild, other; /* other: who invited, or the time of joining */
    uint64_t expires_ms;
    uint32_t rank;
};

struct seats {
    struct seat *list;
    const struct seat **rows;
    uint32_t count, room;
};

static void seat_add(struct seats *seats, struct seat seat) {
    if (seats->count == seats->room) {
        seats->room = seats->room ? seats->room * 2 : 64;
        seats->list = realloc(seats->list, seats->room * sizeof(*seats->list));
        CHECK(seats->list);
    }
    seats->list[seats->count++] = seat;
}

/* seats_rows gives the list as rows for columns. */
static const struct seat *const *seats_rows(struct seats *seats) {
    seats->rows = realloc(seats->rows, (seats->count + 1) * sizeof(const struct seat *));
    CHECK(seats->rows);
    for (uint32_t i = 0; i < seats->count; i++) seats->rows[i] = &seats->list[i];
    return seats->rows;
}

static void seats_free(struct seats *seats) {
    free(seats->list);
    free(seats->rows);
}

/* compare_members lists who left a guild, whose rank changed, and who joined. */
static void compare_members(const struct ledger_change *change, struct seats *gone, struct seats *changed,
                            struct seats *joined) {
    const struct ledger_guild *before = change->before ? change->before->guild : NULL;
    const struct ledger_guild *after = change->after ? change->after->guild : NULL;
    for (uint32_t i = 0; before && i < before->member_count; i++) {
        const struct ledger_member *was = &before->members[i];
        const struct ledger_member *now = after ? ledger_guild_member(after, was->player) : NULL;
        struct seat seat = {.player = was->player, .guild = change->key.id, .rank = now ? now->rank : 0};
        if (!now)
            seat_add(gone, seat);
        else if (now->rank != was->rank)
            seat_add(changed, seat);
    }
    for (uint32_t i = 0; after && i < after->member_count; i++) {
        const struct ledger_member *now = &after->members[i];
        if (before && ledger_guild_member(before, now->player)) continue;
        seat_add(joined, (struct seat){.player = now->player, .guild = change->key.id, .rank = now->rank});
    }
}

static const struct ledger_invite *invite_of(const struct ledger_guild *guild, uint64_t player) {
    for (uint32_t i = 0; guild && i < guild->invite_count; i++)
        if (guild->invites[i].player == player) return &guild->invites[i];
    return NULL;
}

static void compare_invites(const struct ledger_change *change, struct seats *gone, struct seats *made) {
    const struct ledger_guild *before = change->before ? change->before->guild : NULL;
    const struct ledger_guild *after = change->after ? change->after->guild : NULL;
    for (uint32_t i = 0; before && i < before->invite_count; i++) {
        const struct ledger_invite *was = &before->invites[i];
        const struct ledger_invite *now = invite_of(after, was->player);
        if (!now || now->expires_ms != was->expires_ms || now->by != was->by)
            seat_add(gone, (struct seat){.player = was->player, .guild = change->key.id});
    }
    for (uint32_t i = 0; after && i < after->invite_count; i++) {
        const struct ledger_invite *now = &after->invites[i];
        const struct ledger_invite *was = invite_of(before, now->player);
        if (!was || now->expires_ms != was->expires_ms || now->by != was->by)
            seat_add(made,
                     (struct seat){
                         .player = now->player, .guild = change->key.id, .other = now->by, .expires_ms = now->expires_ms});
    }
}

static void put_members(struct value_store *store, struct seats *gone, struct seats *changed, struct seats *joined) {
    const struct seat *const *ROWS = seats_rows(gone);
    struct pg_params *params = &store->params[CALL_MEMBERS_GONE];
    if (gone->count > 0) {
        pg_params_int8(params, gone->count);
        INT8(params, gone->count, row->player);
        INT8(params, gone->count, row->guild);
    }
    ROWS = seats_rows(changed);
    params = &store->params[CALL_MEMBERS_CHANGED];
    if (changed->count > 0) {
        pg_params_int8(params, changed->count);
        INT8(params, changed->count, row->player);
        INT8(params, changed->count, row->guild);
        INT2(params, changed->count, row->rank);
    }
    /* whoever joins makes an event with an id of its own, so the counter rises from one batch to the next */
    for (uint32_t i = 0; i < joined->count; i++) joined->list[i].other = ledger_next_id(store->ledger) << 8 | (i & 0xFF);
    ROWS = seats_rows(joined);
    params = &store->params[CALL_MEMBERS_NEW];
    if (joined->count == 0) return;
    INT8(params, joined->count, row->player);
    INT8(params, joined->count, row->guild);
    INT2(params, joined->count, row->rank);
    INT8(params, joined->count, row->other);
}

/* put_memberships writes the guild of each player whose guild changed into its row. */
static void put_memberships(struct value_store *store) {
    const struct ledger_change **rows = store->rows;
    uint32_t count = 0;
    for (uint32_t i = 0; i < store->change_count; i++) {
        const struct ledger_change *change = &store->changes[i];
        if (change->key.type != LEDGER_ROW_ACCOUNT || change->key.owner_kind != LEDGER_OWNER_PLAYER || !change->after)
            continue;
        uint64_t before = change->before ? change->before->account.guild : 0;
        if (change->after->account.guild != before) rows[count++] = change;
    }
    if (count == 0) return;
    const struct ledger_change *const *ROWS = store->rows;
    INT8(&store->params[CALL_PLAYERS], count, row->key.id);
    INT8(&store->params[CALL_PLAYERS], count, row->after->account.guild);
}

void store_put_guilds(struct value_store *store) {
    struct seats gone = {0}, changed = {0}, joined = {0}, uninvited = {0}, invited = {0};
    put_guild_rows(store);
    for (uint32_t i = 0; i < store->change_count; i++) {
        if (store->changes[i].key.type != LEDGER_ROW_GUILD) continue;
        compare_members(&store->changes[i], &gone, &changed, &joined);
        compare_invites(&store->changes[i], &uninvited, &invited);
    }
    put_members(store, &gone, &changed, &joined);
    const struct seat *const *ROWS = seats_rows(&uninvited);
    struct pg_params *params = &store->params[CALL_INVITES_GONE];
    if (uninvited.count > 0) {
        pg_params_int8(params, uninvited.count);
        INT8(params, uninvited.count, row->guild);
        INT8(params, uninvited.count, row->player);
    }
    ROWS = seats_rows(&invited);
    params = &store->params[CALL_INVITES_NEW];
    if (invited.count > 0) {
        INT8(params, invited.count, row->guild);
        INT8(params, invited.count, row->player);
        INT8(params, invited.count, row->other);
        TIME(params, invited.count, row->expires_ms);
    }
    put_memberships(store);
    seats_free(&gone);
    seats_free(&changed);
    seats_free(&joined);
    seats_free(&uninvited);
    seats_free(&invited);
}
