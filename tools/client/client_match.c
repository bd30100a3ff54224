/* client_match.c: see client_match.h. */
#include "tools/client/client_match.h"

#include <string.h>

#include "common/bytes.h"
#include "common/utf8.h"

/* --- reading */

/* read_team: teams are counted by, so one that is too great makes the message bad. */
static uint32_t read_team(const struct flat_table *body, unsigned field) {
    uint32_t team = flat_u32(body, field);
    if (team < MARCH_TEAMS_MAX) return team;
    body->message->bad = true;
    return 0;
}

static void read_ticket(const struct flat_table *body, struct march_ticket *out) {
    out->ticket = flat_u64(body, 0);
    flat_text(body, 1, out->mode, sizeof(out->mode));
    out->state = flat_u8(body, 2, 0);
    out->reason = flat_u8(body, 3, 0);
    out->waited_ms = flat_u32(body, 4);
    out->estimate_ms = flat_u32(body, 5);
    out->position = flat_u32(body, 6);
    out->queued = flat_u32(body, 7);
    out->window = flat_u32(body, 8);
    out->ready_ms = flat_u32(body, 9);
    out->instance = flat_u32(body, 10);
    out->team = read_team(body, 11);
}

static void read_party(const struct flat_table *body, struct march_party *out) {
    out->leader = flat_u64(body, 0);
    out->invited_by = flat_u64(body, 1);
    out->reason = flat_u8(body, 2, 0);
    struct flat_vector members = flat_vector_of(body, 3, 8, MARCH_PARTY_MAX);
    for (uint32_t i = 0; i < members.count; i++) out->members[i] = load_le(members.items + (size_t)i * 8, 8);
    out->member_count = members.count;
}

static void read_match(const struct flat_table *body, struct march_match *out) {
    flat_text(body, 0, out->template_name, sizeof(out->template_name));
    out->instance = flat_u32(body, 1);
    out->phase = flat_u8(body, 2, MARCH_MATCH_STARTING);
    out->goal = flat_u32(body, 3);
    out->wave = flat_u32(body, 4);
    out->team = read_team(body, 5);
    struct flat_vector scores = flat_vector_of(body, 6, 4, MARCH_TEAMS_MAX);
    for (uint32_t i = 0; i < scores.count; i++) out->scores[i] = (uint32_t)load_le(scores.items + (size_t)i * 4, 4);
    out->team_count = scores.count;
    out->gold = flat_u64(body, 7);
    out->item_kind = flat_u32(body, 8);
    out->item_count = flat_u32(body, 9);
    out->points = (int32_t)flat_u32(body, 10);
}

bool client_match_read(unsigned kind, const struct flat_table *body, struct march_event *event) {
    switch (kind) {
    case MARCH_EVENT_TICKET: read_ticket(body, &event->ticket); return true;
    case MARCH_EVENT_PARTY: read_party(body, &event->party); return true;
    case MARCH_EVENT_MATCH: read_match(body, &event->match); return true;
    default: return false;
    }
}

/* --- writing */

/* Where the parts of such a message lie: root offset, vtable and table of ClientMessage, vtable and table of its body, which
 * has two fields at most. A text follows. */
enum {
    AT_ROOT_VTABLE = 4,
    AT_ROOT = 12,
    AT_VTABLE = 24,
    AT_TABLE = 32,
    FIRST = 4, /* where the fields lie in the table */
    SECOND = 8,
    AT_TEXT = 44,
    KIND_ENTER = 5,
    KIND_TICKET = 6,
    KIND_PARTY = 7
};

/* write_frame writes all but the fields; `size` is that of the body's table, and `second` its second field's place, 0 for
 * none. Returns where the message ends. */
static int write_frame(uint8_t *bytes, unsigned kind, unsigned size, unsigned second) {
    memset(bytes, 0, AT_TABLE + size);
    store_le(bytes, AT_ROOT, 4);
    store_le(bytes + AT_ROOT_VTABLE, 8, 2);
    store_le(bytes + AT_ROOT_VTABLE + 2, 12, 2); /* ClientMessage: its type at 4, its body at 8 */
    store_le(bytes + AT_ROOT_VTABLE + 4, 4, 2);
    store_le(bytes + AT_ROOT_VTABLE + 6, 8, 2);
    store_le(bytes + AT_ROOT, AT_ROOT - AT_ROOT_VTABLE, 4);
    store_le(bytes + AT_ROOT + 4, kind, 1);
    store_le(bytes + AT_ROOT + 8, AT_TABLE - (AT_ROOT + 8), 4);
    store_le(bytes + AT_VTABLE, 8, 2);
    store_le(bytes + AT_VTABLE + 2, size, 2);
    store_le(bytes + AT_VTABLE + 4, FIRST, 2);
    store_le(bytes + AT_VTABLE + 6, second, 2);
    store_le(bytes + AT_TABLE, AT_TABLE - AT_VTABLE, 4);
    return (int)(AT_TABLE + size);
}

int client_match_write_enter(const char *mode, uint32_t roles, uint8_t bytes[CLIENT_MATCH_BYTES_MAX]) {
    _Static_assert(AT_TEXT + 4 + MARCH_NAME_SIZE <= CLIENT_MATCH_BYTES_MAX, "the longest name fits");
    size_t len = strnlen(mode, MARCH_NAME_SIZE);
    if (!utf8_text_valid(mode, len, MARCH_NAME_SIZE - 1)) return MARCH_ERR_INVALID;
    write_frame(bytes, KIND_ENTER, AT_TEXT - AT_TABLE, SECOND);
    store_le(bytes + AT_TABLE + FIRST, AT_TEXT - (AT_TABLE + FIRST), 4);
    store_le(bytes + AT_TABLE + SECOND, roles, 4);
    store_le(bytes + AT_TEXT, len, 4);
    memcpy(bytes + AT_TEXT + 4, mode, len);
    bytes[AT_TEXT + 4 + len] = 0;
    return (int)(AT_TEXT + 4 + len + 1);
}

int client_match_write_ticket(enum march_ticket_verb verb, uint8_t bytes[CLIENT_MATCH_BYTES_MAX]) {
    if ((unsigned)verb >= MARCH_TICKET_VERB_COUNT) return MARCH_ERR_INVALID;
    int len = write_frame(bytes, KIND_TICKET, 8, 0);
    store_le(bytes + AT_TABLE + FIRST, (unsigned)verb, 1);
    return len;
}

int client_match_write_party(enum march_party_verb verb, uint64_t player, uint8_t bytes[CLIENT_MATCH_BYTES_MAX]) {
    if ((unsigned)verb >= MARCH_PARTY_VERB_COUNT) return MARCH_ERR_INVALID;
    int len = write_frame(bytes, KIND_PARTY, 16, SECOND);
    store_le(bytes + AT_TABLE + FIRST, (unsigned)verb, 1);
    store_le(bytes + AT_TABLE + SECOND, player, 8);
    return len;
}

/* --- words */

const char *march_ticket_state_text(unsigned state) {
    static const char *const texts[MARCH_TICKET_STATE_COUNT] = {"none", "waiting", "asked", "matched", "ended"};
    return state < MARCH_TICKET_STATE_COUNT ? texts[state] : "unknown";
}

const char *march_ticket_reason_text(unsigned reason) {
    static const char *const texts[MARCH_TICKET_REASON_COUNT] = {
        "no reason", "cancelled",  "timed out",  "declined",    "silent", "unknown mode", "invalid",
        "exists",    "in a match", "not leader", "unavailable", "full",   "not found"};
    return reason < MARCH_TICKET_REASON_COUNT ? texts[reason] : "unknown";
}
