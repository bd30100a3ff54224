/* ledger_items.c: what a player does with its own items, and what it is granted. */
#include "common/item_kinds.h"
#include "persist/ledger_set.h"

static struct ledger_row *own_account(struct ledger *ledger, const struct ledger_command *command) {
    return account_of(ledger, LEDGER_OWNER_PLAYER, command->player);
}

/* change_places puts two items each into the other's slot. */
static enum ledger_status change_places(struct ledger *ledger, struct ledger_row *account,
                                        const struct ledger_command *command) {
    uint32_t first = 0, second = 0;
    if (command->item == command->other_item) return LEDGER_INVALID;
    enum ledger_status status = account_find(account, command->item, command->version, &first);
    if (status == LEDGER_OK) status = account_find(account, command->other_item, command->other_version, &second);
    if (status != LEDGER_OK) return status;
    row_write(ledger, account);
    struct ledger_item *items = account->body.account.items;
    struct ledger_item moved = items[first];
    uint16_t slot = moved.slot, other_slot = items[second].slot;
    items[first] = items[second];
    items[second] = moved;
    items[first].slot = slot;
    items[second].slot = other_slot;
    items[first].version++;
    items[second].version++;
    return LEDGER_OK;
}

enum ledger_status ledger_do_move(struct ledger *ledger, const struct ledger_command *command) {
    struct ledger_row *account = own_account(ledger, command);
    uint32_t index = 0;
    if (command->other_item != 0) return change_places(ledger, account, command);
    if (command->slot >= LEDGER_ACCOUNT_ITEMS_MAX) return LEDGER_INVALID;
    enum ledger_status status = account_find(account, command->item, command->version, &index);
    if (status != LEDGER_OK) return status;
    struct ledger_item item = account->body.account.items[index];
    if (item.slot == command->slot) return LEDGER_OK;
    if (!account_slot_is_free(account, command->slot)) return LEDGER_NO_ROOM;
    account_remove(ledger, account, index);
    item.slot = command->slot;
    item.version++;
    account_insert(ledger, account, item);
    return LEDGER_OK;
}

enum ledger_status ledger_do_stack(struct ledger *ledger, const struct ledger_command *command) {
    struct ledger_row *account = own_account(ledger, command);
    uint32_t from = 0, to = 0;
    if (command->item == command->other_item) return LEDGER_INVALID;
    enum ledger_status status = account_find(account, command->item, command->version, &from);
    if (status == LEDGER_OK) status = account_find(account, command->other_item, command->other_version, &to);
    if (status != LEDGER_OK) return status;
    const struct ledger_item *items = account->body.account.items;
    if (items[from].kind != items[to].kind) return LEDGER_INVALID;
    if (command->count > items[from].count) return LEDGER_NOT_ENOUGH;
    uint32_t room = item_kind_find(items[to].kind)->stack_max - items[to].count;
    uint32_t count = command->count;
    if (count == 0) count = items[from].count < room ? items[from].count : room;
    if (count == 0 || count > room) return LEDGER_NO_ROOM;
    account_set_count(ledger, account, to, items[to].count + count);
    account_set_count(ledger, account, from, account->body.account.items[from].count - count);
    return LEDGER_OK;
}

enum ledger_status ledger_do_split(struct ledger *ledger, const struct ledger_command *command) {
    struct ledger_row *account = own_account(ledger, command);
    uint32_t index = 0;
    if (command->count == 0) return LEDGER_INVALID;
    enum ledger_status status = account_find(account, command->item, command->version, &index);
    if (status != LEDGER_OK) return status;
    struct ledger_item item = account->body.account.items[index];
    if (command->count >= item.count) return LEDGER_NOT_ENOUGH;
    uint32_t slot = command->slot == LEDGER_SLOT_ANY ? account_free_slot(account) : command->slot;
    if (slot == LEDGER_SLOT_ANY) return LEDGER_NO_ROOM;
    if (slot >= LEDGER_ACCOUNT_ITEMS_MAX) return LEDGER_INVALID;
    if (!account_slot_is_free(account, slot)) return LEDGER_NO_ROOM;
    account_set_count(ledger, account, index, item.count - command->count);
    struct ledger_item part = {
        .id = ledger_make_id(ledger), .kind = item.kind, .count = command->count, .version = 1, .slot = (uint16_t)slot};
    account_insert(ledger, account, part);
    ledger->result->object = part.id;
    return LEDGER_OK;
}

enum ledger_status ledger_do_use(struct ledger *ledger, const struct ledger_command *command) {
    struct ledger_row *account = own_account(ledger, command);
    uint32_t index = 0;
    enum ledger_status status = account_find(account, command->item, command->version, &index);
    if (status != LEDGER_OK) return status;
    struct ledger_item item = account->body.account.items[index];
    const struct item_kind_info *kind = item_kind_find(item.kind);
    if (kind->effect == ITEM_EFFECT_NONE) return LEDGER_INVALID;
    account_set_count(ledger, account, index, item.count - 1);
    ledger_mint(ledger, LEDGER_OWNER_SINK, 0, item.kind, 1);
    ledger->result->object = item.id;
    ledger->result->effect = kind->effect;
    ledger->result->power = kind->power;
    return LEDGER_OK;
}

enum ledger_status ledger_do_drop(struct ledger *ledger, const struct ledger_command *command) {
    struct ledger_row *account = own_account(ledger, command);
    uint32_t index = 0;
    enum ledger_status status = account_find(account, command->item, command->version, &index);
    if (status != LEDGER_OK) return status;
    struct ledger_item item = account->body.account.items[index];
    if (command->count > item.count) return LEDGER_NOT_ENOUGH;
    uint32_t count = command->count ? command->count : item.count;
    account_set_count(ledger, account, index, item.count - count);
    ledger_mint(ledger, LEDGER_OWNER_SINK, 0, item.kind, count);
    return LEDGER_OK;
}

/* grant_items fills stacks of the kind, then opens new ones. Returns how many found no room. */
static uint32_t grant_items(struct ledger *ledger, struct ledger_row *account, const struct item_kind_info *kind,
                            uint32_t count) {
    for (uint32_t i = 0; i < account->body.account.item_count && count > 0; i++) {
        struct ledger_item item = account->body.account.items[i];
        if (item.kind != kind->kind || item.count >= kind->stack_max) continue;
        uint32_t room = kind->stack_max - item.count;
        uint32_t more = count < room ? count : room;
        account_set_count(ledger, account, i, item.count + more);
        ledger->result->object = item.id;
        count -= more;
    }
    while (count > 0) {
        uint32_t slot = account_free_slot(account);
        if (slot == LEDGER_SLOT_ANY) break;
        struct ledger_item item = {.id = ledger_make_id(ledger),
                                   .kind = kind->kind,
                                   .count = count < kind->stack_max ? count : kind->stack_max,
                                   .version = 1,
                                   .slot = (uint16_t)slot};
        account_insert(ledger, account, item);
        ledger->result->object = item.id;
        count -= item.count;
    }
    return count;
}

enum ledger_status ledger_do_grant(struct ledger *ledger, const struct ledger_command *command) {
    struct ledger_row *account = own_account(ledger, command);
    const struct item_kind_info *kind = item_kind_find(command->kind);
    if ((command->count > 0 && !kind) || (command->count == 0 && command->gold == 0)) return LEDGER_INVALID;
    int64_t room = LEDGER_GOLD_MAX - account->body.account.gold;
    int64_t gold = command->gold < room ? command->gold : room;
    enum ledger_status status = account_put_gold(ledger, account, gold);
    if (status != LEDGER_OK) return status;
    uint32_t left = command->count > 0 ? grant_items(ledger, account, kind, command->count) : 0,
             taken = command->count - left;
    if (gold == 0 && taken == 0) return LEDGER_NO_ROOM;
    ledger->result->is_part = left > 0 || gold < command->gold;
    ledger_mint(ledger, LEDGER_OWNER_SOURCE, 0, ITEM_KIND_GOLD, -gold);
    if (taken > 0) ledger_mint(ledger, LEDGER_OWNER_SOURCE, 0, command->kind, -(int64_t)taken);
    return LEDGER_OK;
}
