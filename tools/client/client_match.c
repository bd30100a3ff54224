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
 * has four fields at most. What those of Enter point to follows. */
enum {
    AT_ROOT_VTABLE = 4,
    AT_ROOT = 12,
    AT_VTABLE = 24,
    VTABLE_SIZE = 12,
    AT_TABLE = 40, /* a multiple of 8: the player of Party is the second field */
    FIRST = 4,     /* where the fields lie in the table */
    SECOND = 8,
    THIRD = 12,
    FOURTH = 16,
    AT_REST = AT_TABLE + FOURTH + 4, /* of Enter */
    KIND_ENTER = 5,
    KIND_TICKET = 6,
    KIND_PARTY = 7
};

/* write_frame writes all but the fields; `size` is that of the body's table, and `count` how many fields it has. Returns
 * where the message ends. */
static int write_frame(uint8_t bytes[CLIENT_MATCH_BYTES_MAX], unsigned kind, unsigned size, unsigned count) {
    memset(bytes, 0, CLIENT_MATCH_BYTES_MAX);
    store_le(bytes, AT_ROOT, 4);
    store_le(bytes + AT_ROOT_VTABLE, 8, 2);
    store_le(bytes + AT_ROOT_VTABLE + 2, 12, 2); /* ClientMessage: its type at 4, its body at 8 */
    store_le(bytes + AT_ROOT_VTABLE + 4, 4, 2);
    store_le(bytes + AT_ROOT_VTABLE + 6, 8, 2);
    store_le(bytes + AT_ROOT, AT_ROOT - AT_ROOT_VTABLE, 4);
    store_le(bytes + AT_ROOT + 4, kind, 1);
    store_le(bytes + AT_ROOT + 8, AT_TABLE - (AT_ROOT + 8), 4);
    store_le(bytes + AT_VTABLE, VTABLE_SIZE, 2);
    store_le(bytes + AT_VTABLE + 2, size, 2);
    for (unsigned i = 0; i < count; i++) store_le(bytes + AT_VTABLE + 4 + i * 2, FIRST + i * 4, 2);
    store_le(bytes + AT_TABLE, AT_TABLE - AT_VTABLE, 4);
    return (int)(AT_TABLE + size);
}

/* What fields point to. Each is written at `to`, pointed to by the field at `from`; returns where what follows may begin. */

static void point(uint8_t *bytes, size_t from, size_t to) {
    store_le(bytes + from, to - from, 4);
}

static size_t write_text(uint8_t *bytes, size_t from, size_t to, const char *text) {
    size_t len = strlen(text);
    point(bytes, from, to);
    store_le(bytes + to, len, 4);
    memcpy(bytes + to + 4, text, len);
    return to + (4 + len + 1 + 3) / 4 * 4;
}

/* write_latencies writes tables that share a vtable, and the names of regions behind all of them. */
static size_t write_latencies(uint8_t *bytes, size_t from, size_t to, const struct march_wish *wish) {
    enum { LATENCY_SIZE = 12 };
    size_t vtable = to + 4 + wish->latency_count * 4, table = vtable + 8, rest = table + wish->latency_count * LATENCY_SIZE;
    point(bytes, from, to);
    store_le(bytes + to, wish->latency_count, 4);
    store_le(bytes + vtable, 8, 2);
    store_le(bytes + vtable + 2, LATENCY_SIZE, 2);
    store_le(bytes + vtable + 4, FIRST, 2);
    store_le(bytes + vtable + 6, SECOND, 2);
    for (uint32_t i = 0; i < wish->latency_count; i++, table += LATENCY_SIZE) {
        point(bytes, to + 4 + i * 4, table);
        store_le(bytes + table, table - vtable, 4);
        store_le(bytes + table + SECOND, wish->latencies[i].ms, 2);
        rest = write_text(bytes, table + FIRST, rest, wish->latencies[i].region);
    }
    return rest;
}

static size_t write_avoid(uint8_t *bytes, size_t from, size_t to, const struct march_wish *wish) {
    to += to % 8 == 0 ? 4 : 0; /* so that the players themselves lie at a multiple of 8 */
    point(bytes, from, to);
    store_le(bytes + to, wish->avoid_count, 4);
    for (uint32_t i = 0; i < wish->avoid_count; i++) store_le(bytes + to + 4 + i * 8, wish->avoid[i], 8);
    return to + 4 + wish->avoid_count * 8;
}

static bool is_name(const char *text) {
    return text && utf8_text_valid(text, strnlen(text, MARCH_NAME_SIZE), MARCH_NAME_SIZE - 1);
}

static bool is_wish(const struct march_wish *wish) {
    bool is_sound =
        is_name(wish->mode) && wish->latency_count <= MARCH_LATENCIES_MAX && wish->avoid_count <= MARCH_AVOID_MAX;
    for (uint32_t i = 0; is_sound && i < wish->latency_count; i++) is_sound = is_name(wish->latencies[i].region);
    return is_sound;
}

int client_match_write_enter(const struct march_wish *wish, uint8_t bytes[CLIENT_MATCH_BYTES_MAX]) {
    enum { TEXT_MAX = 4 + MARCH_NAME_SIZE };
    _Static_assert(AT_REST + TEXT_MAX + 4 + 8 + MARCH_LATENCIES_MAX * (4 + 12 + TEXT_MAX) + 8 + MARCH_AVOID_MAX * 8 <=
                       CLIENT_MATCH_BYTES_MAX,
                   "the longest names fit");
    if (!is_wish(wish)) return MARCH_ERR_INVALID;
    size_t at = (size_t)write_frame(bytes, KIND_ENTER, AT_REST - AT_TABLE, 4);
    store_le(bytes + AT_TABLE + SECOND, wish->roles, 4);
    at = write_text(bytes, AT_TABLE + FIRST, at, wish->mode);
    at = write_latencies(bytes, AT_TABLE + THIRD, at, wish);
    return (int)write_avoid(bytes, AT_TABLE + FOURTH, at, wish);
}

int client_match_write_ticket(enum march_ticket_verb verb, uint8_t bytes[CLIENT_MATCH_BYTES_MAX]) {
    if ((unsigned)verb >= MARCH_TICKET_VERB_COUNT) return MARCH_ERR_INVALID;
    int len = write_frame(bytes, KIND_TICKET, 8, 1);
    store_le(bytes + AT_TABLE + FIRST, (unsigned)verb, 1);
    return len;
}

int client_match_write_party(enum march_party_verb verb, uint64_t player, uint8_t bytes[CLIENT_MATCH_BYTES_MAX]) {
    if ((unsigned)verb >= MARCH_PARTY_VERB_COUNT) return MARCH_ERR_INVALID;
    int len = write_frame(bytes, KIND_PARTY, 16, 2);
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
