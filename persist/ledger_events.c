/* ledger_events.c: the double-entry event of a command, and its JSON. */
#include <inttypes.h>
#include <stdio.h>

#include "common/item_kinds.h"
#include "persist/ledger_set.h"

void ledger_mint(struct ledger *ledger, uint32_t owner_kind, uint64_t owner, uint32_t item_kind, int64_t delta) {
    if (delta == 0) return;
    CHECK(ledger->minted_count < LEDGER_MINTED_MAX);
    ledger->minted[ledger->minted_count++] =
        (struct ledger_minted){.owner_kind = owner_kind, .item_kind = item_kind, .owner = owner, .delta = delta};
}

static void entry_add(struct ledger *ledger, struct ledger_entry entry) {
    LEDGER_GROW(ledger->entries, ledger->entry_count, ledger->entry_room);
    ledger->entries[ledger->entry_count++] = entry;
}

static void entry_item(struct ledger *ledger, const struct ledger_key *key, const struct ledger_item *item, int64_t delta) {
    if (delta == 0) return;
    entry_add(
        ledger,
        (struct ledger_entry){
            .owner = key->id, .item = item->id, .owner_kind = key->owner_kind, .item_kind = item->kind, .delta = delta});
}

/* entries_of_account compares an account before and after: most items are in the same place of both lists. */
static void entries_of_account(struct ledger *ledger, const struct ledger_key *key, const struct ledger_holding *before,
                               const struct ledger_holding *after) {
    if (after->gold != before->gold)
        entry_add(ledger, (struct ledger_entry){
                              .owner = key->id, .owner_kind = key->owner_kind, .delta = after->gold - before->gold});
    for (uint32_t i = 0; i < after->item_count; i++) {
        const struct ledger_item *item = &after->items[i];
        const struct ledger_item *was = i < before->item_count && before->items[i].id == item->id
                                            ? &before->items[i]
                                            : ledger_holding_find(before, item->id);
        entry_item(ledger, key, item, (int64_t)item->count - (was ? (int64_t)was->count : 0));
    }
    for (uint32_t i = 0; i < before->item_count; i++) {
        const struct ledger_item *item = &before->items[i];
        if (i < after->item_count && after->items[i].id == item->id) continue;
        if (!ledger_holding_find(after, item->id)) entry_item(ledger, key, item, -(int64_t)item->count);
    }
}

static void check_balance(const struct ledger *ledger, uint32_t first) {
    int64_t sums[ITEM_KIND_COUNT] = {0};
    for (uint32_t i = first; i < ledger->entry_count; i++) {
        CHECK(ledger->entries[i].item_kind < ITEM_KIND_COUNT);
        sums[ledger->entries[i].item_kind] += ledger->entries[i].delta;
    }
    for (uint32_t kind = 0; kind < ITEM_KIND_COUNT; kind++) CHECK(sums[kind] == 0);
}

void event_close(struct ledger *ledger) {
    const struct ledger_command *command = ledger->command;
    uint32_t first = ledger->entry_count;
    for (uint32_t i = ledger->image_mark; i < ledger->image_count; i++) {
        const struct ledger_image *image = &ledger->images[i];
        if (image->row->key.type != LEDGER_ROW_ACCOUNT) continue;
        const struct ledger_holding *after = &image->row->body.account;
        if (!image->row->present) CHECK(after->item_count == 0 && after->gold == 0);
        entries_of_account(ledger, &image->row->key, &image->body.account, after);
    }
    for (uint32_t i = 0; i < ledger->minted_count; i++) {
        const struct ledger_minted *minted = &ledger->minted[i];
        entry_add(ledger, (struct ledger_entry){.owner = minted->owner,
                                                .owner_kind = minted->owner_kind,
                                                .item_kind = minted->item_kind,
                                                .delta = minted->delta});
    }
    check_balance(ledger, first);
    if (ledger->image_count == ledger->image_mark || (command->verb == LEDGER_MOVE && ledger->entry_count == first)) return;
    uint64_t object = ledger->result->object ? ledger->result->object : command->object;
    LEDGER_GROW(ledger->events, ledger->event_count, ledger->event_room);
    ledger->events[ledger->event_count++] = (struct ledger_event){.id = ledger_make_id(ledger),
                                                                  .player = command->player,
                                                                  .key = command->key,
                                                                  .object = object,
                                                                  .other = ledger->event_other,
                                                                  .verb = command->verb,
                                                                  .domain = command->domain,
                                                                  .entry_first = first,
                                                                  .entry_count = ledger->entry_count - first};
}

const struct ledger_event *ledger_events(const struct ledger *ledger, uint32_t *count) {
    *count = ledger->event_count;
    return ledger->events;
}

const struct ledger_entry *ledger_entries(const struct ledger *ledger) {
    return ledger->entries;
}

int ledger_event_detail(const struct ledger *ledger, const struct ledger_event *event, char *buf, size_t size) {
    int len =
        snprintf(buf, size, "{\"object\":%" PRIu64 ",\"other\":%" PRIu64 ",\"entries\":[", event->object, event->other);
    for (uint32_t i = 0; i < event->entry_count && len >= 0 && (size_t)len < size; i++) {
        const struct ledger_entry *entry = &ledger->entries[event->entry_first + i];
        int more = snprintf(buf + len, size - (size_t)len, "%s[%" PRIu32 ",%" PRIu64 ",%" PRIu64 ",%" PRIu32 ",%" PRId64 "]",
                            i ? "," : "", entry->owner_kind, entry->owner, entry->item, entry->item_kind, entry->delta);
        if (more < 0) return MARCH_ERR_FULL;
        len += more;
    }
    if (len < 0 || (size_t)len + 3 > size) return MARCH_ERR_FULL;
    buf[len++] = ']';
    buf[len++] = '}';
    buf[len] = '\0';
    return len;
}
