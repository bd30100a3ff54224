#include "gateway/drain.h"

#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "common/step.h"
#include "gateway/stream.h"

_Static_assert(WIRE_TOKEN_BYTES == NETCODE_TOKEN_BYTES, "a Reconnect carries one token");

static bool is_asked(const struct gateway *g) {
    const struct directory *d = &g->compass.directory;
    if (!g->drain.config.servers || g->index >= d->gateway_count) return false;
    return d->gateways[g->index].state == WIRE_GATEWAY_DRAINING;
}

/* begin_round has every session told, again. */
static void begin_round(struct gateway *g) {
    g->drain.round_at = mono_add_ms(g->now, (uint64_t)g->drain.token_lifetime_s * 1000);
    for (uint32_t i = 0; i < g->sessions.size; i++) g->sessions.sessions[i].told_reconnect = false;
}

static void turn(struct gateway *g, bool is_draining) {
    g->drain.is_draining = is_draining;
    memset(g->drain.incarnations, 0, sizeof g->drain.incarnations);
    g->drain.step_at = g->drain.servers_at = g->now;
    netcode_server_close(g->netcode, is_draining);
    log_info(is_draining ? "drain.started" : "drain.ended", "sessions=%u",
             g->sessions.size - g->sessions.state_counts[SESSION_FREE]);
    if (is_draining) begin_round(g);
    STEP("gateway.drain_begun");
}

/* see_gateway has the next round begin soon where a gateway was started again. */
static void see_gateway(struct gateway *g, uint32_t index, uint64_t incarnation) {
    uint64_t before = g->drain.incarnations[index];
    struct mono soon = mono_add_ms(g->now, DRAIN_RESTARTED_MS);
    g->drain.incarnations[index] = incarnation;
    if (before != 0 && before != incarnation && mono_reached(g->drain.round_at, soon)) g->drain.round_at = soon;
}

/* find_servers asks for the addresses of the gateways that are up. */
static void find_servers(struct gateway *g) {
    struct drain *drain = &g->drain;
    const struct directory *d = &g->compass.directory;
    if (!mono_reached(g->now, drain->servers_at)) return;
    drain->servers_at = mono_add_ms(g->now, DRAIN_SERVERS_AGE_MS);
    drain->server_count = 0;
    for (uint32_t i = 0; i < d->gateway_count; i++) {
        struct addr addrs[CONFIG_ADDRESSES_MAX];
        if (i == g->index || d->gateways[i].state != WIRE_GATEWAY_UP) continue;
        unsigned count = drain->config.servers(drain->config.context, i, addrs);
        see_gateway(g, i, d->gateways[i].incarnation);
        for (unsigned k = 0; k < count && drain->server_count < NETCODE_TOKEN_SERVERS_MAX; k++)
            drain->servers[drain->server_count++] = addrs[k];
    }
    if (drain->server_count == 0) log_warn("drain.no_servers", "gateway=%u", g->index);
}

static int mint(const struct gateway *g, uint64_t player, uint8_t token[NETCODE_TOKEN_BYTES]) {
    const struct drain *drain = &g->drain;
    uint64_t now_s = g->wall_ns / NS_PER_S;
    struct netcode_token_params params = {.protocol_id = drain->protocol_id,
                                          .client_id = player,
                                          .create_s = now_s,
                                          .expire_s = now_s + drain->token_lifetime_s,
                                          .timeout_s = drain->timeout_s,
                                          .server_count = drain->server_count};
    uint32_t first = (uint32_t)((player * 0x9e3779b97f4a7c15u >> 32) % drain->server_count);
    for (uint32_t i = 0; i < drain->server_count; i++) params.servers[i] = drain->servers[(first + i) % drain->server_count];
    return netcode_token_mint(token, &params, drain->connect_key);
}

static void tell(struct gateway *g, struct session *session) {
    struct wire_server_message message = {.kind = WIRE_SERVER_RECONNECT,
                                          .reconnect.within_ms = g->drain.token_lifetime_s * 1000};
    struct wire_bytes bytes;
    session->told_reconnect = true;
    if (mint(g, session->player, message.reconnect.token) != 0) return; /* in the next round again */
    CHECK(wire_server_message_pack(g->builder, &message, &bytes) == 0);
    g->drain.told += downstream_message(g, session, bytes.data, bytes.len);
}

static void tell_some(struct gateway *g) {
    unsigned told = 0;
    for (unsigned i = 0; i < DRAIN_SCAN && i < g->sessions.size && told < DRAIN_PER_STEP; i++) {
        struct session *session = session_at(&g->sessions, g->drain.cursor);
        g->drain.cursor = g->drain.cursor + 1 == g->sessions.size ? 0 : g->drain.cursor + 1;
        if (!session || !session->is_heard || session->told_reconnect || session->state == SESSION_CLAIMING) continue;
        tell(g, session);
        STEP("gateway.drain_told");
        told++;
    }
}

void drain_update(struct gateway *g) {
    if (is_asked(g) != g->drain.is_draining) turn(g, !g->drain.is_draining);
    if (!g->drain.is_draining || !mono_reached(g->now, g->drain.step_at)) return;
    g->drain.step_at = mono_add_ms(g->now, DRAIN_STEP_MS);
    find_servers(g);
    if (g->drain.server_count == 0) return;
    if (mono_reached(g->now, g->drain.round_at)) begin_round(g);
    tell_some(g);
}
