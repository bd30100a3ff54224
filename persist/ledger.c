/* ledger.c: the set of rows, batches, and taking back. */
#include "persist/ledger.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "persist/ledger_set.h"

/* --- memory */

void *ledger_grow(void *array, uint32_t count, uint32_t *room, size_t size) {
    if (count < *room) return array;
    *room = *room ? *room * 2 : 64;
    array = realloc(array, *room * size);
    CHECK(array);
    return array;
}

struct ledger *ledger_create(const struct ledger_config *config) {
    CHECK(config->shard_count > 0 && config->shard_index < config->shard_count);
    struct ledger *ledger = calloc(1, sizeof(*ledger));
    if (!ledger) return NULL;
    ledger->config = *config;
    ledger->next_id = 1;
    return ledger;
}

void ledger_destroy(struct ledger *ledger) {
    if (!ledger) return;
    ledger_clear(ledger);
    free(ledger->images);
    free(ledger->changes);
    free(ledger->events);
    free(ledger->entries);
    free(ledger->notices);
    free(ledger);
}

void ledger_set_next_id(struct ledger *ledger, uint64_t next_id) {
    if (next_id > ledger->next_id) ledger->next_id = next_id;
}

uint64_t ledger_next_id(const struct ledger *ledger) {
    return ledger->next_id;
}

uint64_t ledger_make_id(struct ledger *ledger) {
    CHECK(ledger->next_id < (1ull << SHARD_ID_SHIFT));
    return shard_id(ledger->config.shard_index, ledger->next_id++);
}

bool ledger_is_local(const struct ledger *ledger, uint64_t player) {
    return shard_of_player(player, ledger->config.shard_count) == ledger->config.shard_index;
}

bool ledger_is_abroad(const struct ledger *ledger, uint64_t id) {
    uint32_t shard = shard_of_id(id);
    return shard < ledger->config.shard_count && shard != ledger->config.shard_index;
}

/* --- rows */

static bool is_resident(const struct ledger_key *key) {
    if (key->type == LEDGER_ROW_ACCOUNT) return key->owner_kind >= LEDGER_OWNER_AUCTION;
    return key->type == LEDGER_ROW_TRADE || key->type == LEDGER_ROW_AUCTION || key->type == LEDGER_ROW_TRANSFER;
}

struct ledger_row *row_find(struct ledger *ledger, enum ledger_row_type type, uint32_t owner_kind, uint64_t id) {
    struct ledger_key key = {.id = id, .type = type, .owner_kind = owner_kind};
    struct ledger_row *row;
    HASH_FIND(hh, ledger->rows, &key, sizeof(key), row);
    return row;
}

void row_used(struct ledger *ledger, struct ledger_row *row) {
    if (is_resident(&row->key)) return;
    DL_DELETE(ledger->used, row);
    DL_APPEND(ledger->used, row);
}

struct ledger_row *row_need(struct ledger *ledger, enum ledger_row_type type, uint32_t owner_kind, uint64_t id) {
    struct ledger_row *row = row_find(ledger, type, owner_kind, id);
    CHECK(row);
    row_used(ledger, row);
    return row;
}

struct ledger_row *row_present(struct ledger *ledger, enum ledger_row_type type, uint64_t id) {
    struct ledger_row *row = row_find(ledger, type, 0, id);
    if (!row || !row->present) return NULL;
    row_used(ledger, row);
    return row;
}

static struct ledger_row *row_add(struct ledger *ledger, const struct ledger_key *key) {
    struct ledger_row *row = calloc(1, sizeof(*row));
    CHECK(row);
    row->key = *key;
    row->first_image = LEDGER_IMAGE_NONE;
    HASH_ADD(hh, ledger->rows, key, sizeof(row->key), row);
    if (!is_resident(key)) {
        DL_APPEND(ledger->used, row);
        ledger->used_count++;
    }
    return row;
}

static void row_drop(struct ledger *ledger, struct ledger_row *row) {
    HASH_DEL(ledger->rows, row);
    if (!is_resident(&row->key)) {
        DL_DELETE(ledger->used, row);
        ledger->used_count--;
    }
    body_free(row->key.type, &row->body);
    free(row);
}

/* tally_add counts an open trade or auction of a player more or less. */
static void tally_add(struct ledger *ledger, uint64_t player, int trades, int auctions) {
    struct ledger_tally *tally;
    HASH_FIND(hh, ledger->tallies, &player, sizeof(player), tally);
    if (!tally) {
        tally = calloc(1, sizeof(*tally));
        CHECK(tally);
        tally->player = player;
        HASH_ADD(hh, ledger->tallies, player, sizeof(player), tally);
    }
    tally->trades += (uint32_t)trades;
    tally->auctions += (uint32_t)auctions;
    if (tally->trades == 0 && tally->auctions == 0) {
        HASH_DEL(ledger->tallies, tally);
        free(tally);
    }
}

struct ledger_tally ledger_tally_of(struct ledger *ledger, uint64_t player) {
    struct ledger_tally *tally;
    HASH_FIND(hh, ledger->tallies, &player, sizeof(player), tally);
    return tally ? *tally : (struct ledger_tally){0};
}

/* Presence changes here alone, with the body in place, so that what is counted is right. */
static void row_set_present(struct ledger *ledger, struct ledger_row *row, bool present) {
    if (row->present == present) return;
    int step = present ? 1 : -1;
    row->present = present;
    ledger->resident[row->key.type] += (uint32_t)step;
    if (row->key.type == LEDGER_ROW_TRADE) tally_add(ledger, row->body.trade.offerer, step, 0);
    if (row->key.type == LEDGER_ROW_AUCTION) tally_add(ledger, row->body.auction.seller, 0, step);
}

static void raise_version(struct ledger_row *row) {
    switch (row->key.type) {
    case LEDGER_ROW_ACCOUNT: row->body.account.version++; break;
    case LEDGER_ROW_TRADE: row->body.trade.version++; break;
    case LEDGER_ROW_AUCTION: row->body.auction.version++; break;
    case LEDGER_ROW_GUILD: row->body.guild->version++; break;
    default: break;
    }
}

/* image_keep remembers how a row is before this command changes it. */
static void image_keep(struct ledger *ledger, struct ledger_row *row) {
    CHECK(ledger->open && ledger->command);
    if (row->serial == ledger->serial) return;
    row->serial = ledger->serial;
    LEDGER_GROW(ledger->images, ledger->image_count, ledger->image_room);
    struct ledger_image *image = &ledger->images[ledger->image_count];
    *image = (struct ledger_image){.row = row, .type = row->key.type, .present = row->present};
    body_copy(row->key.type, &image->body, &row->body);
    if (row->first_image == LEDGER_IMAGE_NONE) {
        row->first_image = ledger->image_count;
        LEDGER_GROW(ledger->changes, ledger->change_count, ledger->change_room);
        ledger->changes[ledger->change_count++] = ledger->image_count;
    }
    ledger->image_count++;
}

void row_write(struct ledger *ledger, struct ledger_row *row) {
    if (row->serial == ledger->serial && row->present) return;
    image_keep(ledger, row);
    if (row->key.type == LEDGER_ROW_ACCOUNT) row_set_present(ledger, row, true);
    raise_version(row);
}

struct ledger_row *row_new(struct ledger *ledger, enum ledger_row_type type, uint32_t owner_kind, uint64_t id) {
    struct ledger_row *row = row_find(ledger, type, owner_kind, id);
    CHECK(!row || !row->present);
    struct ledger_key key = {.id = id, .type = type, .owner_kind = owner_kind};
    if (!row) row = row_add(ledger, &key);
    image_keep(ledger, row);
    if (type == LEDGER_ROW_GUILD && !row->body.guild) {
        row->body.guild = calloc(1, sizeof(*row->body.guild));
        CHECK(row->body.guild);
    }
    return row;
}

void row_begin(struct ledger *ledger, struct ledger_row *row) {
    row_set_present(ledger, row, true);
    raise_version(row);
}

void row_delete(struct ledger *ledger, struct ledger_row *row) {
    CHECK(row->present);
    image_keep(ledger, row);
    row_set_present(ledger, row, false);
}

/* row_restore puts a row back to an image, which is used up. */
static void row_restore(struct ledger *ledger, struct ledger_image *image) {
    struct ledger_row *row = image->row;
    if (!image->present) row_set_present(ledger, row, false);
    body_free(row->key.type, &row->body);
    row->body = image->body;
    if (image->present) row_set_present(ledger, row, true);
    row->serial = 0;
}

/* row_drop_if_gone forgets a trade, an auction, a transfer or its escrow that is no more: not to be in the set says enough.
 */
static void row_drop_if_gone(struct ledger *ledger, struct ledger_row *row) {
    if (!row->present && is_resident(&row->key)) row_drop(ledger, row);
}

/* undo_to takes back every change after the first `mark` images. */
static void undo_to(struct ledger *ledger, uint32_t mark) {
    while (ledger->image_count > mark) {
        struct ledger_image *image = &ledger->images[--ledger->image_count];
        row_restore(ledger, image);
        if (image->row->first_image != ledger->image_count) continue;
        image->row->first_image = LEDGER_IMAGE_NONE;
        CHECK(ledger->changes[ledger->change_count - 1] == ledger->image_count);
        ledger->change_count--;
        row_drop_if_gone(ledger, image->row);
    }
}

/* lists_drop lets go of what the last batch left to read. */
static void lists_drop(struct ledger *ledger) {
    CHECK(!ledger->open);
    for (uint32_t i = 0; i < ledger->change_count; i++) {
        struct ledger_row *row = ledger->images[ledger->changes[i]].row;
        if (!row->present && !is_resident(&row->key)) body_free(row->key.type, &row->body);
        row_drop_if_gone(ledger, row);
    }
    for (uint32_t i = 0; i < ledger->image_count; i++) body_free(ledger->images[i].type, &ledger->images[i].body);
    ledger->image_count = ledger->change_count = ledger->event_count = ledger->entry_count = 0;
    ledger->notice_count = ledger->new_answer_count = ledger->command_count = 0;
}

/* --- loading */

int ledger_know(struct ledger *ledger, const struct ledger_key *key, const union ledger_body *body) {
    lists_drop(ledger);
    if (body && !body_valid(key, body)) return MARCH_ERR_INVALID;
    struct ledger_row *row = row_find(ledger, key->type, key->owner_kind, key->id);
    if (row || (!body && is_resident(key))) return 0;
    row = row_add(ledger, key);
    if (!body) return 0;
    body_copy(key->type, &row->body, body);
    row_set_present(ledger, row, true);
    return 0;
}

/* answer_find looks by the first three fields. */
static struct ledger_answer_row *answer_find(struct ledger *ledger, uint64_t domain, uint64_t player, uint64_t key) {
    struct ledger_answer wanted = {.domain = domain, .player = player, .key = key};
    struct ledger_answer_row *row;
    HASH_FIND(hh, ledger->answers, &wanted, offsetof(struct ledger_answer, object), row);
    return row;
}

static void answer_add(struct ledger *ledger, const struct ledger_answer *answer) {
    struct ledger_answer_row *row = malloc(sizeof(*row));
    CHECK(row);
    row->answer = *answer;
    HASH_ADD(hh, ledger->answers, answer, offsetof(struct ledger_answer, object), row);
    if (HASH_COUNT(ledger->answers) <= LEDGER_ANSWERS_MAX) return;
    struct ledger_answer_row *oldest = ledger->answers; /* the hash keeps the order of entry */
    HASH_DEL(ledger->answers, oldest);
    free(oldest);
}

void ledger_know_answer(struct ledger *ledger, enum ledger_domain domain, uint64_t player, uint64_t key,
                        enum ledger_status status, uint64_t object) {
    if (answer_find(ledger, domain, player, key)) return;
    answer_add(ledger,
               &(struct ledger_answer){.domain = domain, .player = player, .key = key, .object = object, .status = status});
}

void ledger_clear(struct ledger *ledger) {
    if (ledger->open) ledger_rollback(ledger);
    lists_drop(ledger);
    struct ledger_row *row, *next_row;
    HASH_ITER(hh, ledger->rows, row, next_row) row_drop(ledger, row);
    struct ledger_tally *tally, *next_tally;
    HASH_ITER(hh, ledger->tallies, tally, next_tally) {
        HASH_DEL(ledger->tallies, tally);
        free(tally);
    }
    struct ledger_answer_row *answer, *next_answer;
    HASH_ITER(hh, ledger->answers, answer, next_answer) {
        HASH_DEL(ledger->answers, answer);
        free(answer);
    }
    memset(ledger->resident, 0, sizeof(ledger->resident));
}

/* --- batches */

void ledger_begin(struct ledger *ledger) {
    lists_drop(ledger);
    ledger->open = true;
}

void ledger_commit(struct ledger *ledger) {
    CHECK(ledger->open);
    for (uint32_t i = 0; i < ledger->change_count; i++)
        ledger->images[ledger->changes[i]].row->first_image = LEDGER_IMAGE_NONE;
    ledger->open = false;
}

void ledger_rollback(struct ledger *ledger) {
    CHECK(ledger->open);
    undo_to(ledger, 0);
    for (uint32_t i = 0; i < ledger->new_answer_count; i++) {
        const struct ledger_answer *answer = &ledger->new_answers[i];
        struct ledger_answer_row *row = answer_find(ledger, answer->domain, answer->player, answer->key);
        CHECK(row);
        HASH_DEL(ledger->answers, row);
        free(row);
    }
    ledger->open = false;
    lists_drop(ledger);
}

uint32_t ledger_trim(struct ledger *ledger) {
    lists_drop(ledger);
    uint32_t dropped = 0;
    while (ledger->used_count > ledger->config.rows_max) {
        row_drop(ledger, ledger->used);
        dropped++;
    }
    return dropped;
}

void ledger_forget(struct ledger *ledger, const struct ledger_key *key) {
    CHECK(!is_resident(key));
    lists_drop(ledger);
    struct ledger_row *row = row_find(ledger, key->type, key->owner_kind, key->id);
    if (row) row_drop(ledger, row);
}

uint32_t ledger_change_count(const struct ledger *ledger) {
    return ledger->change_count;
}

struct ledger_change ledger_change_at(const struct ledger *ledger, uint32_t index) {
    CHECK(index < ledger->change_count);
    const struct ledger_image *image = &ledger->images[ledger->changes[index]];
    return (struct ledger_change){.key = image->row->key,
                                  .before = image->present ? &image->body : NULL,
                                  .after = image->row->present ? &image->row->body : NULL};
}

const struct ledger_answer *ledger_new_answers(const struct ledger *ledger, uint32_t *count) {
    *count = ledger->new_answer_count;
    return ledger->new_answers;
}

/* --- commands */

typedef enum ledger_status (*ledger_do)(struct ledger *ledger, const struct ledger_command *command);

static const ledger_do verbs[LEDGER_VERB_COUNT] = {
    [LEDGER_MOVE] = ledger_do_move,
    [LEDGER_STACK] = ledger_do_stack,
    [LEDGER_SPLIT] = ledger_do_split,
    [LEDGER_USE] = ledger_do_use,
    [LEDGER_DROP] = ledger_do_drop,
    [LEDGER_TRADE_OFFER] = ledger_do_trade_offer,
    [LEDGER_TRADE_ACCEPT] = ledger_do_trade_accept,
    [LEDGER_TRADE_CANCEL] = ledger_do_trade_cancel,
    [LEDGER_AUCTION_LIST] = ledger_do_auction_list,
    [LEDGER_AUCTION_BID] = ledger_do_auction_bid,
    [LEDGER_AUCTION_BUY] = ledger_do_auction_buy,
    [LEDGER_AUCTION_CANCEL] = ledger_do_auction_cancel,
    [LEDGER_GUILD_CREATE] = ledger_do_guild_create,
    [LEDGER_GUILD_INVITE] = ledger_do_guild_invite,
    [LEDGER_GUILD_JOIN] = ledger_do_guild_join,
    [LEDGER_GUILD_LEAVE] = ledger_do_guild_leave,
    [LEDGER_GUILD_KICK] = ledger_do_guild_kick,
    [LEDGER_GUILD_RANK] = ledger_do_guild_rank,
    [LEDGER_GUILD_DEPOSIT] = ledger_do_guild_deposit,
    [LEDGER_GUILD_WITHDRAW] = ledger_do_guild_withdraw,
    [LEDGER_GRANT] = ledger_do_grant,
    [LEDGER_TRADE_EXPIRE] = ledger_do_trade_expire,
    [LEDGER_AUCTION_EXPIRE] = ledger_do_auction_expire,
    [LEDGER_TRANSFER_IN] = ledger_do_transfer_in,
    [LEDGER_TRANSFER_DONE] = ledger_do_transfer_done,
};

bool ledger_command_valid(const struct ledger *ledger, const struct ledger_command *command) {
    if (command->verb <= LEDGER_NONE || command->verb >= LEDGER_VERB_COUNT || !verbs[command->verb]) return false;
    if (command->give_count > LEDGER_TRADE_ITEMS_MAX || command->want_count > LEDGER_TRADE_ITEMS_MAX) return false;
    if (command->gold < 0 || command->gold > LEDGER_GOLD_MAX || command->price < 0 || command->price > LEDGER_GOLD_MAX)
        return false;
    if (memchr(command->text, 0, sizeof(command->text)) == NULL) return false;
    if (command->verb >= LEDGER_TRADE_EXPIRE) return true;
    return player_id_valid(command->player) && ledger_is_local(ledger, command->player);
}

/* answer_keep remembers the answer to the command under way, unless it has no key. */
static void answer_keep(struct ledger *ledger, const struct ledger_command *command, const struct ledger_result *result) {
    if (command->domain == LEDGER_DOMAIN_NONE || ledger->transient) return;
    struct ledger_answer answer = {.domain = command->domain,
                                   .player = command->player,
                                   .key = command->key,
                                   .object = result->object,
                                   .status = result->status};
    answer_add(ledger, &answer);
    ledger->new_answers[ledger->new_answer_count++] = answer;
}

static enum ledger_status apply(struct ledger *ledger, const struct ledger_command *command, struct ledger_result *result) {
    uint32_t notice_mark = ledger->notice_count;
    ledger->serial++;
    ledger->command = command;
    ledger->result = result;
    ledger->image_mark = ledger->image_count;
    ledger->minted_count = 0;
    ledger->event_other = 0;
    ledger->transient = false;
    result->status = verbs[command->verb](ledger, command);
    if (result->status == LEDGER_OK) {
        event_close(ledger);
    } else {
        undo_to(ledger, ledger->image_mark);
        ledger->notice_count = notice_mark;
        *result = (struct ledger_result){.status = result->status};
    }
    answer_keep(ledger, command, result);
    ledger->command = NULL;
    return result->status;
}

enum ledger_status ledger_apply(struct ledger *ledger, const struct ledger_command *command, uint64_t now_ms,
                                struct ledger_result *result) {
    CHECK(ledger->open && ledger->command_count < LEDGER_BATCH_MAX);
    *result = (struct ledger_result){.status = LEDGER_INVALID};
    if (!ledger_command_valid(ledger, command)) return LEDGER_INVALID;
    ledger->command_count++;
    if (command->domain != LEDGER_DOMAIN_NONE) {
        const struct ledger_answer_row *known = answer_find(ledger, command->domain, command->player, command->key);
        if (known) {
            *result =
                (struct ledger_result){.status = known->answer.status, .object = known->answer.object, .repeated = true};
            return result->status;
        }
    }
    ledger->now_ms = now_ms;
    return apply(ledger, command, result);
}

void ledger_notify(struct ledger *ledger, enum ledger_notice_type type, uint64_t player, uint64_t object, uint64_t by) {
    LEDGER_GROW(ledger->notices, ledger->notice_count, ledger->notice_room);
    ledger->notices[ledger->notice_count++] =
        (struct ledger_notice){.type = type, .player = player, .object = object, .by = by};
}

const struct ledger_notice *ledger_notices(const struct ledger *ledger, uint32_t *count) {
    *count = ledger->notice_count;
    return ledger->notices;
}

/* --- reading */

/* committed returns a row as it was before the open batch; NULL: it did not exist. */
static const union ledger_body *committed(const struct ledger *ledger, const struct ledger_row *row) {
    if (row->first_image == LEDGER_IMAGE_NONE) return row->present ? &row->body : NULL;
    const struct ledger_image *image = &ledger->images[row->first_image];
    return image->present ? &image->body : NULL;
}

static const union ledger_body *read_row(struct ledger *ledger, enum ledger_row_type type, uint32_t owner_kind, uint64_t id,
                                         bool *known) {
    struct ledger_row *row = row_find(ledger, type, owner_kind, id);
    if (known) *known = row != NULL;
    if (!row) return NULL;
    row_used(ledger, row);
    return committed(ledger, row);
}

const struct ledger_holding *ledger_account(struct ledger *ledger, uint32_t owner_kind, uint64_t owner, bool *known) {
    const union ledger_body *body = read_row(ledger, LEDGER_ROW_ACCOUNT, owner_kind, owner, known);
    return body ? &body->account : NULL;
}

const struct ledger_guild *ledger_guild(struct ledger *ledger, uint64_t guild, bool *known) {
    const union ledger_body *body = read_row(ledger, LEDGER_ROW_GUILD, 0, guild, known);
    return body ? body->guild : NULL;
}

const struct ledger_trade *ledger_trade(struct ledger *ledger, uint64_t trade) {
    const union ledger_body *body = read_row(ledger, LEDGER_ROW_TRADE, 0, trade, NULL);
    return body ? &body->trade : NULL;
}

const struct ledger_auction *ledger_auction(struct ledger *ledger, uint64_t auction) {
    const union ledger_body *body = read_row(ledger, LEDGER_ROW_AUCTION, 0, auction, NULL);
    return body ? &body->auction : NULL;
}

const struct ledger_transfer *ledger_transfer(struct ledger *ledger, uint64_t transfer) {
    const union ledger_body *body = read_row(ledger, LEDGER_ROW_TRANSFER, 0, transfer, NULL);
    return body ? &body->transfer : NULL;
}

void ledger_each(struct ledger *ledger, enum ledger_row_type type,
                 void (*visit)(void *ctx, const struct ledger_key *key, const union ledger_body *body), void *ctx) {
    for (const struct ledger_row *row = ledger->rows; row; row = row->hh.next) {
        const union ledger_body *body = row->key.type == (uint32_t)type ? committed(ledger, row) : NULL;
        if (body) visit(ctx, &row->key, body);
    }
}

uint32_t ledger_row_count(const struct ledger *ledger) {
    return ledger->used_count;
}

uint32_t ledger_resident_count(const struct ledger *ledger, enum ledger_row_type type) {
    return ledger->resident[type];
}
