/* client_value.c: see client_value.h. */
#include "tools/client/client_value.h"

#include <string.h>

#include "common/bytes.h"
#include "common/utf8.h"
#include "tools/client/client_match.h"
#include "tools/client/flat.h"

#define ITEM_BYTES   24
#define REF_BYTES    16
#define MEMBER_BYTES 16
#define ROW_BYTES    24
#define RECT_BYTES   16

/* --- reading */

static struct march_item item_of(const uint8_t *bytes) {
    return (struct march_item){.id = load_le(bytes, 8),
                               .kind = (uint32_t)load_le(bytes + 8, 4),
                               .count = (uint32_t)load_le(bytes + 12, 4),
                               .version = (uint32_t)load_le(bytes + 16, 4),
                               .slot = (uint16_t)load_le(bytes + 20, 2)};
}

/* read_items appends a vector of items, as far as `most` have room. */
static uint8_t read_items(const struct flat_table *body, unsigned field, struct march_item *items, uint32_t most) {
    struct flat_vector vector = flat_vector_of(body, field, ITEM_BYTES, most);
    for (uint32_t i = 0; i < vector.count; i++) items[i] = item_of(vector.items + (size_t)i * ITEM_BYTES);
    return (uint8_t)vector.count;
}

static void read_welcome(const struct flat_table *body, struct march_welcome *out) {
    out->entity = flat_u64(body, 0);
    out->player = flat_u64(body, 1);
    flat_text(body, 2, out->zone, sizeof(out->zone));
    out->tick_hz = flat_u16(body, 3);
    out->snapshot_hz = flat_u16(body, 4);
    out->view_radius_m = flat_u16(body, 6);
    const uint8_t *rect = flat_struct(body, 5, RECT_BYTES);
    if (rect == NULL) return;
    out->min_x_m = (int32_t)load_le(rect, 4);
    out->min_y_m = (int32_t)load_le(rect + 4, 4);
    out->max_x_m = (int32_t)load_le(rect + 8, 4);
    out->max_y_m = (int32_t)load_le(rect + 12, 4);
}

static void read_heard(const struct flat_table *body, struct march_heard *out) {
    out->entity = flat_u64(body, 0);
    out->player = flat_u64(body, 1);
    flat_text(body, 2, out->text, sizeof(out->text));
}

static void read_change(const struct flat_table *body, struct march_change *out) {
    out->reset = flat_u8(body, 0, 0) != 0;
    out->more = flat_u8(body, 1, 0) != 0;
    out->version = flat_u64(body, 2);
    out->gold = flat_u64(body, 3);
    out->added_count = read_items(body, 4, out->items, MARCH_CHANGE_MAX);
    out->updated_count = read_items(body, 5, out->items + out->added_count, MARCH_CHANGE_MAX - out->added_count);
    struct flat_vector removed = flat_vector_of(body, 6, 8, MARCH_REMOVED_MAX);
    for (uint32_t i = 0; i < removed.count; i++) out->removed[i] = load_le(removed.items + (size_t)i * 8, 8);
    out->removed_count = (uint8_t)removed.count;
    out->guild = flat_u64(body, 7);
}

static void read_trade(const struct flat_table *body, struct march_trade *out) {
    out->trade = flat_u64(body, 0);
    out->offerer = flat_u64(body, 1);
    out->accepter = flat_u64(body, 2);
    out->give_count = read_items(body, 3, out->give, MARCH_TRADE_MAX);
    out->want_count = read_items(body, 4, out->want, MARCH_TRADE_MAX);
    out->give_gold = flat_u64(body, 5);
    out->want_gold = flat_u64(body, 6);
    out->expires_in_s = flat_u32(body, 7);
}

static void read_guild(const struct flat_table *body, struct march_guild *out) {
    out->guild = flat_u64(body, 0);
    out->version = flat_u64(body, 1);
    flat_text(body, 2, out->name, sizeof(out->name));
    out->rank = flat_u8(body, 3, 0);
    out->members_total = flat_u32(body, 4);
    out->member_first = flat_u32(body, 5);
    struct flat_vector members = flat_vector_of(body, 6, MEMBER_BYTES, MARCH_ROWS_MAX);
    for (uint32_t i = 0; i < members.count; i++) {
        const uint8_t *bytes = members.items + (size_t)i * MEMBER_BYTES;
        out->members[i] = (struct march_member){.player = load_le(bytes, 8), .rank = (uint8_t)load_le(bytes + 8, 4)};
    }
    out->member_count = members.count;
}

static void read_auction(const struct flat_table *body, struct march_auction *out) {
    const uint8_t *item = flat_struct(body, 3, ITEM_BYTES);
    out->auction = flat_u64(body, 0);
    out->seller = flat_u64(body, 1);
    out->phase = flat_u8(body, 2, 1);
    if (item != NULL) out->item = item_of(item);
    out->min_bid = flat_u64(body, 4);
    out->buyout = flat_u64(body, 5);
    out->bid = flat_u64(body, 6);
    out->bidder = flat_u64(body, 7);
    out->ends_in_s = flat_u32(body, 8);
}

static void read_board(const struct flat_table *body, struct march_board *out) {
    flat_text(body, 0, out->board, sizeof(out->board));
    flat_text(body, 1, out->region, sizeof(out->region));
    out->season = flat_u32(body, 2);
    out->total = flat_u32(body, 3);
    struct flat_vector rows = flat_vector_of(body, 4, ROW_BYTES, MARCH_ROWS_MAX);
    for (uint32_t i = 0; i < rows.count; i++) {
        const uint8_t *bytes = rows.items + (size_t)i * ROW_BYTES;
        out->rows[i] = (struct march_board_row){
            .player = load_le(bytes, 8), .score = load_le(bytes + 8, 8), .rank = (uint32_t)load_le(bytes + 16, 4)};
    }
    out->row_count = rows.count;
}

static void read_profile(const struct flat_table *body, struct march_profile *out) {
    out->player = flat_u64(body, 0);
    flat_text(body, 1, out->name, sizeof(out->name));
    flat_text(body, 2, out->region, sizeof(out->region));
    out->guild = flat_u64(body, 3);
    flat_text(body, 4, out->guild_name, sizeof(out->guild_name));
    out->level = flat_u16(body, 5);
    out->experience = flat_u64(body, 6);
    out->online = flat_u8(body, 7, 0) != 0;
}

static void read_reconnect(const struct flat_table *body, struct march_reconnect *out) {
    struct flat_vector token = flat_vector_of(body, 0, 1, MARCH_TOKEN_BYTES);
    if (token.count == MARCH_TOKEN_BYTES) out->token = token.items;
    out->within_ms = flat_u32(body, 1);
}

/* read_body returns the kind, or MARCH_EVENT_OTHER for a number that is not known. */
static enum march_event_kind read_body(unsigned kind, const struct flat_table *body, struct march_event *event) {
    switch (kind) {
    case MARCH_EVENT_WELCOME: read_welcome(body, &event->welcome); break;
    case MARCH_EVENT_ZONE: event->zone_back = flat_u8(body, 0, 1) == 2; break;
    case MARCH_EVENT_HEARD: read_heard(body, &event->heard); break;
    case MARCH_EVENT_DIED: event->died_by = flat_u64(body, 0); break;
    case MARCH_EVENT_RESPAWNED: break;
    case MARCH_EVENT_RESULT:
        event->result =
            (struct march_result){.key = flat_u64(body, 0), .status = flat_u8(body, 1, 0), .object = flat_u64(body, 2)};
        break;
    case MARCH_EVENT_INVENTORY: read_change(body, &event->change); break;
    case MARCH_EVENT_TRADE_OFFERED: read_trade(body, &event->trade); break;
    case MARCH_EVENT_TRADE_CLOSED:
        event->trade_closed = (struct march_trade_closed){.trade = flat_u64(body, 0), .outcome = flat_u8(body, 1, 1)};
        break;
    case MARCH_EVENT_GUILD_INVITED:
        event->invited.guild = flat_u64(body, 0);
        flat_text(body, 1, event->invited.name, sizeof(event->invited.name));
        event->invited.by = flat_u64(body, 2);
        break;
    case MARCH_EVENT_GUILD: read_guild(body, &event->guild); break;
    case MARCH_EVENT_AUCTION: read_auction(body, &event->auction); break;
    case MARCH_EVENT_BOARD: read_board(body, &event->board); break;
    case MARCH_EVENT_PROFILE: read_profile(body, &event->profile); break;
    case MARCH_EVENT_PROGRESS:
        event->progress = (struct march_progress){.level = flat_u16(body, 0), .experience = flat_u64(body, 1)};
        break;
    case MARCH_EVENT_ENDED: event->ended = flat_u8(body, 0, 1); break;
    case MARCH_EVENT_RECONNECT: read_reconnect(body, &event->reconnect); break;
    default:
        if (!client_match_read(kind, body, event)) return MARCH_EVENT_OTHER;
    }
    return (enum march_event_kind)kind;
}

unsigned client_value_kind(const uint8_t *bytes, size_t len) {
    struct flat_message message = {.bytes = bytes, .len = (uint32_t)len};
    struct flat_table root = flat_root(&message);
    unsigned kind = flat_u8(&root, 0, 0);
    return message.bad ? 0 : kind;
}

void client_value_read(const uint8_t *bytes, size_t len, struct march_event *event) {
    struct flat_message message = {.bytes = bytes, .len = (uint32_t)len};
    memset(event, 0, sizeof(*event));
    struct flat_table root = flat_root(&message);
    struct flat_table body = flat_table_of(&root, 1);
    enum march_event_kind kind = body.at == 0 ? MARCH_EVENT_OTHER : read_body(flat_u8(&root, 0, 0), &body, event);
    event->kind = message.bad ? MARCH_EVENT_OTHER : kind;
    event->bytes = bytes;
    event->len = len;
}

/* --- the inventory */

static struct march_item *find_item(struct march_inventory *inventory, uint64_t id) {
    for (uint32_t i = 0; i < inventory->count; i++)
        if (inventory->items[i].id == id) return &inventory->items[i];
    return NULL;
}

static void put_item(struct march_inventory *inventory, const struct march_item *item) {
    struct march_item *known = find_item(inventory, item->id);
    if (known != NULL) {
        *known = *item;
    } else if (inventory->count < MARCH_INVENTORY_MAX) {
        inventory->items[inventory->count++] = *item;
    } else {
        inventory->whole = false;
    }
}

void client_value_apply(struct march_inventory *inventory, const struct march_change *change) {
    if (change->guild != 0) return;
    if (change->reset) *inventory = (struct march_inventory){.whole = true};
    inventory->version = change->version;
    inventory->gold = change->gold;
    for (unsigned i = 0; i < change->removed_count; i++) {
        struct march_item *item = find_item(inventory, change->removed[i]);
        if (item != NULL) *item = inventory->items[--inventory->count];
    }
    for (unsigned i = 0; i < change->added_count + change->updated_count; i++) put_item(inventory, &change->items[i]);
}

/* --- commands */

/* Where the fixed part of a command's message lies: root offset, vtable and table of ClientMessage, vtable and table of
 * Command. The vectors and the text follow. */
enum {
    AT_ROOT_VTABLE = 4,
    AT_ROOT = 12,
    AT_VTABLE = 24,
    AT_TABLE = 68,
    AT_END = 160,
    KIND_COMMAND = 4,
    FIELD_COUNT = 17,
    FIELD_GIVE = 14,
    FIELD_WANT = 15,
    FIELD_TEXT = 16
};

/* Offsets of the fields in the table, in the order of their numbers: key, verb, player, item, other_item, object, version,
 * other_version, count, slot, gold, price, duration_s, rank, give, want, text. */
static const uint8_t field_at[FIELD_COUNT] = {4, 90, 12, 20, 28, 36, 60, 64, 68, 88, 44, 52, 72, 91, 76, 80, 84};

static void write_fixed(const struct march_command *c, uint8_t *bytes) {
    memset(bytes, 0, AT_END);
    store_le(bytes, AT_ROOT, 4);
    store_le(bytes + AT_ROOT_VTABLE, 8, 2);
    store_le(bytes + AT_ROOT_VTABLE + 2, 12, 2); /* ClientMessage: its type at 4, its body at 8 */
    store_le(bytes + AT_ROOT_VTABLE + 4, 4, 2);
    store_le(bytes + AT_ROOT_VTABLE + 6, 8, 2);
    store_le(bytes + AT_ROOT, AT_ROOT - AT_ROOT_VTABLE, 4);
    store_le(bytes + AT_ROOT + 4, KIND_COMMAND, 1);
    store_le(bytes + AT_ROOT + 8, AT_TABLE - (AT_ROOT + 8), 4);
    store_le(bytes + AT_VTABLE, 4 + 2 * FIELD_COUNT, 2);
    store_le(bytes + AT_VTABLE + 2, AT_END - AT_TABLE, 2);
    store_le(bytes + AT_TABLE, AT_TABLE - AT_VTABLE, 4);
    const struct {
        uint64_t value;
        size_t size;
    } fields[FIELD_GIVE] = {{c->key, 8},    {c->verb, 1},    {c->player, 8},        {c->item, 8},  {c->other_item, 8},
                            {c->object, 8}, {c->version, 4}, {c->other_version, 4}, {c->count, 4}, {c->slot, 2},
                            {c->gold, 8},   {c->price, 8},   {c->duration_s, 4},    {c->rank, 1}};
    for (unsigned i = 0; i < FIELD_GIVE; i++) {
        store_le(bytes + AT_TABLE + field_at[i], fields[i].value, fields[i].size);
        store_le(bytes + AT_VTABLE + 4 + 2 * i, field_at[i], 2);
    }
}

/* point makes a field lead to `at`. */
static void point(uint8_t *bytes, unsigned field, size_t at) {
    size_t from = AT_TABLE + field_at[field];
    store_le(bytes + AT_VTABLE + 4 + 2 * field, field_at[field], 2);
    store_le(bytes + from, at - from, 4);
}

/* write_refs appends a vector whose items lie on 8 bytes; returns where the message ends. */
static size_t write_refs(uint8_t *bytes, size_t end, unsigned field, const struct march_item_ref *refs, unsigned count) {
    if (count == 0) return end;
    memset(bytes + end, 0, 4);
    store_le(bytes + end + 4, count, 4);
    point(bytes, field, end + 4);
    end += 8;
    for (unsigned i = 0; i < count; i++, end += REF_BYTES) {
        store_le(bytes + end, refs[i].id, 8);
        store_le(bytes + end + 8, refs[i].version, 4);
        store_le(bytes + end + 12, refs[i].count, 4);
    }
    return end;
}

int client_value_write(const struct march_command *c, uint8_t bytes[CLIENT_COMMAND_BYTES_MAX]) {
    _Static_assert(AT_END + 2 * (8 + MARCH_TRADE_MAX * REF_BYTES) + 4 + MARCH_COMMAND_TEXT_SIZE <= CLIENT_COMMAND_BYTES_MAX,
                   "the longest command fits");
    size_t text_len = strnlen(c->text, sizeof(c->text));
    if (c->key == 0 || c->verb == 0 || c->give_count > MARCH_TRADE_MAX || c->want_count > MARCH_TRADE_MAX ||
        (text_len > 0 && !utf8_text_valid(c->text, text_len, sizeof(c->text) - 1))) {
        return MARCH_ERR_INVALID;
    }
    write_fixed(c, bytes);
    size_t end = write_refs(bytes, AT_END, FIELD_GIVE, c->give, c->give_count);
    end = write_refs(bytes, end, FIELD_WANT, c->want, c->want_count);
    if (text_len > 0) {
        point(bytes, FIELD_TEXT, end);
        store_le(bytes + end, text_len, 4);
        memcpy(bytes + end + 4, c->text, text_len);
        bytes[end + 4 + text_len] = 0;
        end += 4 + text_len + 1;
    }
    return (int)end;
}

/* --- words */

const char *march_status_text(unsigned status) {
    static const char *const texts[MARCH_STATUS_COUNT] = {"ok",           "not found", "conflict", "not enough",  "no room",
                                                          "forbidden",    "invalid",   "expired",  "unavailable", "busy",
                                                          "journal full", "disabled",  "exists"};
    return status < MARCH_STATUS_COUNT ? texts[status] : "unknown";
}

const char *march_verb_text(unsigned verb) {
    static const char *const texts[MARCH_VERB_COUNT] = {
        "none",           "inventory",    "move",         "stack",        "split",       "use",         "drop",
        "trade_offer",    "trade_accept", "trade_cancel", "auction_list", "auction_bid", "auction_buy", "auction_cancel",
        "guild_create",   "guild_invite", "guild_join",   "guild_leave",  "guild_kick",  "guild_rank",  "guild_deposit",
        "guild_withdraw", "guild_info",   "board",        "profile"};
    return verb < MARCH_VERB_COUNT ? texts[verb] : "unknown";
}
