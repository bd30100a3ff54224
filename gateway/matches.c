#include "gateway/matches.h"

#include "common/check.h"
#include "gateway/admission.h"
#include "gateway/stream.h"

/* --- from players */

/* answer tells a player that what it asks can't be done now. */
static void answer(struct gateway *g, struct session *session, enum wire_client_kind kind) {
    struct wire_server_message message = {.kind = WIRE_SERVER_TICKET, .ticket.reason = WIRE_REASON_UNAVAILABLE};
    if (kind == WIRE_CLIENT_PARTY) {
        message = (struct wire_server_message){.kind = WIRE_SERVER_PARTY, .party = {.reason = WIRE_REASON_UNAVAILABLE}};
    }
    struct wire_bytes bytes;
    CHECK(wire_server_message_pack(g->builder, &message, &bytes) == 0);
    (void)downstream_message(g, session, bytes.data, bytes.len);
}

bool matches_ask(struct gateway *g, struct session *session, const uint8_t *bytes, size_t len) {
    enum wire_client_kind kind;
    if (wire_client_message_match_kind(bytes, len, &kind) != 0) return false;
    g->stats.asks++;
    struct wire_session_ref ref = {
        .session = session_handle(&g->sessions, session), .player = session->player, .session_epoch = session->epoch};
    if (g->guide && admission_allows(g, session) && guide_ask(g->guide, &ref, bytes, len) == 0) return true;
    g->stats.asks_refused++;
    answer(g, session, kind);
    return true;
}

/* --- to players */

static void tell(struct gateway *g, const struct wire_player_tell *tell, const uint8_t *blob) {
    struct netcode_slot slot = netcode_server_slot_of(g->netcode, tell->player);
    struct session *session = slot.generation != 0 ? session_at(&g->sessions, slot.index) : NULL;
    if (!session || session->generation != slot.generation || session->state == SESSION_CLAIMING) {
        g->stats.tells_unknown++;
        return;
    }
    g->stats.tells++;
    (void)downstream_message(g, session, blob + tell->offset, tell->len);
}

void matches_tells(void *context, const struct wire_gateway_tells *tells) {
    struct gateway *g = context;
    for (uint32_t i = 0; i < tells->tell_count; i++) tell(g, &tells->tells[i], tells->blob);
}

/* --- time */

void matches_flush(struct gateway *g) {
    if (g->guide) guide_flush(g->guide, g->now);
}

uint64_t matches_sleep_ns(const struct gateway *g, uint64_t sleep_ns) {
    if (!g->guide || !guide_waits(g->guide)) return sleep_ns;
    uint64_t until = mono_since_ns(g->guide->flush_at, g->now);
    return until < sleep_ns ? until : sleep_ns;
}
