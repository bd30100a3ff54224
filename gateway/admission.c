#include "gateway/admission.h"

#include <inttypes.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "common/shard.h"
#include "common/step.h"
#include "gateway/routing.h"
#include "gateway/stream.h"

static struct keeper *keeper_of(struct gateway *g, uint64_t player) {
    return g->keepers[shard_of_player(player, g->keeper_count)];
}

static struct wire_session_ref ref_of(const struct gateway *g, const struct session *session) {
    return (struct wire_session_ref){
        .session = session_handle(&g->sessions, session), .player = session->player, .session_epoch = session->epoch};
}

void admission_goodbye(struct gateway *g, struct session *session, enum wire_end_reason reason, enum session_end end) {
    struct wire_server_message message = {.kind = WIRE_SERVER_ENDED, .ended = reason};
    struct wire_bytes bytes;
    uint64_t handle = session_handle(&g->sessions, session);
    CHECK(wire_server_message_pack(g->builder, &message, &bytes) == 0);
    if (!downstream_message(g, session, bytes.data, bytes.len)) return;
    downstream_send_now(g, session);
    session = session_find(&g->sessions, handle);
    if (session) upstream_disconnect(g, session, end);
}

/* --- claims */

static void ask(struct gateway *g, struct session *session) {
    struct admission_claim *claim = &g->claims[session_index(&g->sessions, session)];
    struct wire_session_claim out = {.session = session_handle(&g->sessions, session),
                                     .player = session->player,
                                     .token_lo = claim->token_lo,
                                     .token_hi = claim->token_hi,
                                     .token_expires_s = claim->token_expires_s};
    claim->asked = keeper_claim(keeper_of(g, session->player), &out) == 0;
    g->stats.claims += claim->asked;
}

void admission_begin(struct gateway *g, struct session *session, const struct netcode_event *event) {
    struct admission_claim *claim = &g->claims[session_index(&g->sessions, session)];
    *claim =
        (struct admission_claim){.token_expires_s = event->token_expire_s, .since_ns = g->now.ns, .ask_at_ns = g->now.ns};
    memcpy(&claim->token_lo, event->token_mac, 8);
    memcpy(&claim->token_hi, event->token_mac + 8, 8);
    if (player_id_valid(session->player)) ask(g, session);
}

/* look_at_claim asks where it is time to, and ends a session that has waited for too long. */
static void look_at_claim(struct gateway *g, struct session *session) {
    struct admission_claim *claim = &g->claims[session_index(&g->sessions, session)];
    if (!player_id_valid(session->player)) {
        admission_goodbye(g, session, WIRE_END_REFUSED, SESSION_END_UNCLAIMED);
    } else if (g->now.ns - claim->since_ns > ADMISSION_WAIT_MS * NS_PER_MS) {
        admission_goodbye(g, session, WIRE_END_UNAVAILABLE, SESSION_END_CLAIM_LATE);
    } else if (!claim->asked && claim->ask_at_ns <= g->now.ns) {
        ask(g, session);
    }
}

static void look_at_claims(struct gateway *g) {
    if (g->sessions.state_counts[SESSION_CLAIMING] == 0 || !mono_reached(g->now, g->claims_at)) return;
    g->claims_at = mono_add_ms(g->now, ADMISSION_WALK_MS);
    for (uint32_t i = 0; i < g->sessions.size; i++) {
        struct session *session = session_at(&g->sessions, i);
        if (session && session->state == SESSION_CLAIMING) look_at_claim(g, session);
    }
}

static void admit(struct gateway *g, struct session *session, const struct wire_session_claimed *claimed) {
    bool is_known = (claimed->flags & WIRE_CLAIMED_POSITION_KNOWN) != 0;
    uint64_t player = session->player;
    bool has_zone = (claimed->flags & WIRE_CLAIMED_ZONE_KNOWN) && claimed->zone < g->route_count;
    uint8_t route = has_zone && routing_hears(g, claimed->zone) ? (uint8_t)claimed->zone
                    : is_known                                  ? routing_at(g, claimed->x, claimed->y, player)
                                                                : routing_spawn(g, player);
    session_claimed(&g->sessions, session, claimed->session_epoch, route);
    g->stats.claimed++;
    STEP("gateway.claimed");
    upstream_enter(g, session);
}

static void take_claimed(struct gateway *g, const struct wire_session_claimed *claimed) {
    struct session *session = session_find(&g->sessions, claimed->session);
    if (!session || session->state != SESSION_CLAIMING || session->player != claimed->player) {
        struct wire_session_ref ref = {claimed->session, claimed->player, claimed->session_epoch};
        if (claimed->result == WIRE_CLAIM_OK && !session) keeper_end(keeper_of(g, claimed->player), &ref);
        g->stats.claims_unknown++;
        return;
    }
    struct admission_claim *claim = &g->claims[session_index(&g->sessions, session)];
    switch (claimed->result) {
    case WIRE_CLAIM_OK: admit(g, session, claimed); break;
    case WIRE_CLAIM_UNAVAILABLE:
        claim->asked = false;
        claim->ask_at_ns = g->now.ns + ADMISSION_AGAIN_MS * NS_PER_MS;
        break;
    case WIRE_CLAIM_TOKEN_USED: admission_goodbye(g, session, WIRE_END_TOKEN_USED, SESSION_END_TOKEN_USED); break;
    default:
        log_warn("session.unclaimed", "player=%" PRIu64 " result=%u", session->player, claimed->result);
        admission_goodbye(g, session, WIRE_END_REFUSED, SESSION_END_UNCLAIMED);
    }
}

/* --- sessions that are kept */

/* keep tells persist of a session that it has claimed; false when there is no room. */
static bool keep(struct gateway *g, unsigned shard, const struct session *session) {
    struct wire_session_ref ref = ref_of(g, session);
    return keeper_refresh(g->keepers[shard], &ref) == 0;
}

/* tell_all walks on through the sessions of a persist that is back. */
static void tell_all(struct gateway *g, unsigned shard) {
    for (unsigned i = 0; i < GATEWAY_ATTACH_SCAN && g->tell_cursors[shard] < g->sessions.size; i++) {
        const struct session *session = session_at(&g->sessions, g->tell_cursors[shard]);
        bool is_its =
            session && session->state != SESSION_CLAIMING && shard_of_player(session->player, g->keeper_count) == shard;
        if (is_its && !keep(g, shard, session)) return;
        g->tell_cursors[shard]++;
    }
}

/* refresh_some tells the next hundredth of the table. */
static void refresh_some(struct gateway *g) {
    if (!mono_reached(g->now, g->refresh_at)) return;
    g->refresh_at = mono_add_ms(g->now, ADMISSION_STEP_MS);
    uint32_t count = g->sessions.size / (ADMISSION_REFRESH_MS / ADMISSION_STEP_MS) + 1;
    for (; count > 0; count--) {
        const struct session *session = session_at(&g->sessions, g->refresh_cursor);
        if (session && session->state != SESSION_CLAIMING) {
            bool told = keep(g, shard_of_player(session->player, g->keeper_count), session);
            g->stats.refreshes += told;
            g->stats.refreshes_missed += !told;
        }
        g->refresh_cursor = g->refresh_cursor + 1 == g->sessions.size ? 0 : g->refresh_cursor + 1;
    }
}

void admission_end(struct gateway *g, const struct session *session) {
    if (g->keeper_count == 0 || session->state == SESSION_CLAIMING) return; /* an answer that is late finds it gone */
    struct wire_session_ref ref = ref_of(g, session);
    keeper_end(keeper_of(g, session->player), &ref);
}

static void take_ended(struct gateway *g, const struct wire_session_ended *ended) {
    struct session *session = session_find(&g->sessions, ended->session);
    if (!session || session->player != ended->player || session->epoch != ended->session_epoch) return;
    log_info("session.ended_by_persist", "player=%" PRIu64 " reason=%u", session->player, ended->reason);
    bool is_taken = ended->reason == WIRE_ENDED_TAKEN_OVER;
    admission_goodbye(g, session, is_taken ? WIRE_END_TAKEN_OVER : WIRE_END_REFUSED,
                      is_taken ? SESSION_END_TAKEN_OVER : SESSION_END_UNCLAIMED);
}

/* --- commands */

static void answer(struct gateway *g, struct session *session, uint64_t key, enum wire_command_status status) {
    struct wire_server_message message = {.kind = WIRE_SERVER_COMMAND_RESULT, .result = {.key = key, .status = status}};
    struct wire_bytes bytes;
    CHECK(wire_server_message_pack(g->builder, &message, &bytes) == 0);
    (void)downstream_message(g, session, bytes.data, bytes.len);
}

bool admission_allows(const struct gateway *g, struct session *session) {
    static const struct bucket_rate rate = {.interval_ns = NS_PER_S / ADMISSION_COMMANDS_PER_S,
                                            .burst_ns = ADMISSION_COMMANDS_BURST * (NS_PER_S / ADMISSION_COMMANDS_PER_S)};
    return bucket_take(&session->commands, &rate, g->now);
}

/* forward returns WIRE_STATUS_OK, or what the client is to be told instead of persist's answer. */
static enum wire_command_status forward(struct gateway *g, struct session *session, uint64_t key, const uint8_t *bytes,
                                        size_t len) {
    if (g->keeper_count == 0) return WIRE_STATUS_DISABLED;
    if (!admission_allows(g, session)) return WIRE_STATUS_BUSY;
    struct wire_session_ref ref = ref_of(g, session);
    int result = keeper_command(keeper_of(g, session->player), g->now, &ref, key, bytes, len);
    if (result == MARCH_ERR_NOT_FOUND) return WIRE_STATUS_UNAVAILABLE;
    return result == 0 ? WIRE_STATUS_OK : WIRE_STATUS_BUSY;
}

bool admission_command(struct gateway *g, struct session *session, const uint8_t *bytes, size_t len) {
    uint64_t key;
    if (wire_client_message_command_key(bytes, len, &key) != 0) return false;
    g->stats.commands++;
    enum wire_command_status status = forward(g, session, key, bytes, len);
    if (status == WIRE_STATUS_OK) return true;
    g->stats.commands_refused[status]++;
    answer(g, session, key, status);
    return true;
}

void admission_unanswered(void *context, uint64_t handle, uint64_t key) {
    struct gateway *g = context;
    struct session *session = session_find(&g->sessions, handle);
    if (!session) return;
    g->stats.commands_refused[WIRE_STATUS_UNAVAILABLE]++;
    answer(g, session, key, WIRE_STATUS_UNAVAILABLE);
}

static void take_message(struct gateway *g, unsigned shard, const struct wire_message *message, const uint8_t *blob) {
    const uint8_t *bytes = blob + message->offset;
    uint64_t key;
    if (wire_server_message_result_key(bytes, message->len, &key) == 0) {
        keeper_answered(g->keepers[shard], message->session, key);
    }
    struct session *session = session_find(&g->sessions, message->session);
    if (session) {
        (void)downstream_message(g, session, bytes, message->len);
    } else {
        g->stats.messages_unknown++;
    }
}

/* --- persists */

void admission_persist_up(void *context, unsigned shard) {
    struct gateway *g = context;
    g->tell_cursors[shard] = 0;
}

void admission_persist_lost(void *context, unsigned shard) {
    struct gateway *g = context;
    for (uint32_t i = 0; i < g->sessions.size; i++) {
        const struct session *session = session_at(&g->sessions, i);
        if (!session || session->state != SESSION_CLAIMING) continue;
        if (shard_of_player(session->player, g->keeper_count) == shard) g->claims[i].asked = false;
    }
}

void admission_persist_sessions(void *context, unsigned shard, const struct wire_persist_sessions *sessions) {
    struct gateway *g = context;
    for (uint32_t i = 0; i < sessions->claimed_count; i++) take_claimed(g, &sessions->claimed[i]);
    for (uint32_t i = 0; i < sessions->message_count; i++) take_message(g, shard, &sessions->messages[i], sessions->blob);
    for (uint32_t i = 0; i < sessions->ended_count; i++) take_ended(g, &sessions->ended[i]);
}

/* --- time */

void admission_update(struct gateway *g) {
    if (g->keeper_count == 0) return;
    for (unsigned i = 0; i < g->keeper_count; i++) {
        keeper_update(g->keepers[i], g->now);
        if (g->keepers[i]->link.state == LINK_UP) tell_all(g, i);
    }
    look_at_claims(g);
    refresh_some(g);
}

void admission_flush(struct gateway *g, bool now) {
    if (!now && !mono_reached(g->now, g->keepers_flush_at)) return;
    for (unsigned i = 0; i < g->keeper_count; i++) keeper_flush(g->keepers[i]);
    g->keepers_flush_at = mono_add_ms(g->now, ADMISSION_FLUSH_MS);
}

uint64_t admission_sleep_ns(const struct gateway *g, uint64_t sleep_ns) {
    bool waits = false;
    for (unsigned i = 0; i < g->keeper_count; i++) waits |= keeper_waits(g->keepers[i]);
    if (!waits) return sleep_ns;
    uint64_t until = g->keepers_flush_at.ns > g->now.ns ? g->keepers_flush_at.ns - g->now.ns : 0;
    return until < sleep_ns ? until : sleep_ns;
}
