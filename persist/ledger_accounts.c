/* ledger_accounts.c: what moves into and out of accounts. */
#include <stdlib.h>
#include <string.h>

#include "common/item_kinds.h"
#include "persist/ledger_set.h"

struct ledger_row *account_of(struct ledger *ledger, uint32_t owner_kind, uint64_t owner) {
    return row_need(ledger, LEDGER_ROW_ACCOUNT, owner_kind, owner);
}

enum ledger_status account_find(const struct ledger_row *account, uint64_t item, uint32_t version, uint32_t *index) {
    const struct ledger_item *found = ledger_holding_find(&account->body.account, item);
    if (!found) return LEDGER_NOT_FOUND;
    if (version != 0 && version != found->version) return LEDGER_CONFLICT;
    *index = (uint32_t)(found - account->body.account.items);
    return LEDGER_OK;
}

uint32_t account_free_slot(const struct ledger_row *account) {
    const struct ledger_holding *holding = &account->body.account;
    uint32_t slot = 0;
    while (slot < holding->item_count && holding->items[slot].slot == slot) slot++;
    return slot < LEDGER_ACCOUNT_ITEMS_MAX ? slot : LEDGER_SLOT_ANY;
}

bool account_slot_is_free(const struct ledger_row *account, uint32_t slot) {
    const struct ledger_holding *holding = &account->body.account;
    for (uint32_t i = 0; i < holding->item_count; i++)
        if (holding->items[i].slot == slot) return false;
    return slot < LEDGER_ACCOUNT_ITEMS_MAX;
}

void account_insert(struct ledger *ledger, struct ledger_row *account, struct ledger_item item) {
    row_write(ledger, account);
    struct ledger_holding *holding = &account->body.account;
    CHECK(holding->item_count < LEDGER_ACCOUNT_ITEMS_MAX && account_slot_is_free(account, item.slot));
    if (holding->item_count == holding->item_room) {
        holding->item_room = holding->item_room ? holding->item_room * 2 : 8;
        holding->items = realloc(holding->items, holding->item_room * sizeof(*holding->items));
        CHECK(holding->items);
    }
    uint32_t at = 0;
    while (at < holding->item_count && holding->items[at].slot < item.slot) at++;
    memmove(&holding->items[at + 1], &holding->items[at], (holding->item_count - at) * sizeof(*holding->items));
    holding->items[at] = item;
    holding->item_count++;
}

void account_remove(struct ledger *ledger, struct ledger_row *account, uint32_t index) {
    row_write(ledger, account);
    struct ledger_holding *holding = &account->body.account;
    CHECK(index < holding->item_count);
    holding->item_count--;
    memmove(&holding->items[index], &holding->items[index + 1], (holding->item_count - index) * sizeof(*holding->items));
}

void account_set_count(struct ledger *ledger, struct ledger_row *account, uint32_t index, uint32_t count) {
    if (count == 0) {
        account_remove(ledger, account, index);
        return;
    }
    row_write(ledger, account);
    account->body.account.items[index].count = count;
    account->body.account.items[index].version++;
}

enum ledger_status account_take(struct ledger *ledger, struct ledger_row *account, const struct ledger_ref *ref,
                                struct ledger_parcel *parcel) {
    uint32_t index = 0;
    enum ledger_status status = account_find(account, ref->id, ref->version, &index);
    if (status != LEDGER_OK) return status;
    struct ledger_item item = account->body.account.items[index];
    if (ref->count > item.count) return LEDGER_NOT_ENOUGH;
    uint32_t count = ref->count ? ref->count : item.count;
    account_set_count(ledger, account, index, item.count - count);
    *parcel = (struct ledger_parcel){.item = item, .origin = item.id};
    if (count < item.count) {
        parcel->item.id = ledger_make_id(ledger);
        parcel->item.count = count;
        parcel->item.version = 0;
    }
    return LEDGER_OK;
}

enum ledger_status account_put(struct ledger *ledger, struct ledger_row *account, const struct ledger_parcel *parcels,
                               uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = account_free_slot(account);
        if (slot == LEDGER_SLOT_ANY) return LEDGER_NO_ROOM;
        if (ledger_holding_find(&account->body.account, parcels[i].item.id)) return LEDGER_CONFLICT; /* sent twice */
        struct ledger_item item = parcels[i].item;
        item.slot = (uint16_t)slot;
        item.version++;
        account_insert(ledger, account, item);
    }
    return LEDGER_OK;
}

enum ledger_status account_take_gold(struct ledger *ledger, struct ledger_row *account, int64_t gold) {
    if (gold == 0) return LEDGER_OK;
    if (account->body.account.gold < gold) return LEDGER_NOT_ENOUGH;
    row_write(ledger, account);
    account->body.account.gold -= gold;
    return LEDGER_OK;
}

enum ledger_status account_put_gold(struct ledger *ledger, struct ledger_row *account, int64_t gold) {
    if (gold == 0) return LEDGER_OK;
    if (gold > LEDGER_GOLD_MAX - account->body.account.gold) return LEDGER_NO_ROOM;
    row_write(ledger, account);
    account->body.account.gold += gold;
    return LEDGER_OK;
}

uint32_t account_empty(struct ledger *ledger, struct ledger_row *account, struct ledger_parcel *parcels, int64_t *gold) {
    row_write(ledger, account);
    struct ledger_holding *holding = &account->body.account;
    uint32_t count = holding->item_count;
    for (uint32_t i = 0; i < count; i++)
        parcels[i] = (struct ledger_parcel){.item = holding->items[i], .origin = holding->items[i].id};
    holding->item_count = 0;
    *gold = holding->gold;
    holding->gold = 0;
    return count;
}
