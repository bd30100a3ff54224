/* gateway.c: a gateway around the real transfer.h, session.h and compass.h; see world.h. What else it does is what
 * gateway/routing.c, downstream.c, upstream.c, admission.c and guide.c do, in small. */
#include <string.h>

#include "common/check.h"
#include "tests/sim/world.h"

static uint32_t node_of(const void *context) {
    return NODE_GATEWAY + ((const struct gateway *)context)->index;
}

static bool hears(const struct gateway *g, uint32_t zone) {
    uint64_t incarnation = network_peer(node_of(g), zone);
    return incarnation != 0 && directory_hears(&g->compass.directory, zone, incarnation);
}

static uint8_t route_at(const struct gateway *g, int32_t x, int32_t y, uint64_t player) {
    return (uint8_t)(compass_at(&g->compass, x, y, player) % SLOTS);
}

/* --- what transfers ask and tell */

static uint64_t incarnation(void *context, unsigned zone) {
    return zone < SLOTS && hears(context, zone) ? network_peer(node_of(context), zone) : 0;
}

static int tell(const void *context, unsigned zone, const struct message *m) {
    if (!network_is_up(node_of(context), zone)) return MARCH_ERR_NOT_FOUND;
    if (W.weather.full && chance(4)) return MARCH_ERR_FULL;
    return network_send(node_of(context), zone, m) ? 0 : MARCH_ERR_NOT_FOUND;
}

static int activate(void *context, unsigned zone, const struct wire_carried *c) {
    return tell(context, zone, &(struct message){.kind = ACTIVATE, .carried = *c});
}

static int routed(void *context, unsigned zone, const struct wire_routed *r) {
    trace("gateway %u tells zone %u: %x %s %u", node_of(context) - NODE_GATEWAY, zone, (unsigned)r->session,
          r->result == WIRE_ROUTED_DONE ? "done" : "restored", r->attachment);
    return tell(context, zone, &(struct message){.kind = ROUTED, .routed = *r});
}

/* tell_left tells what has not been told; a detach is kept until it can be. */
static void tell_left(struct gateway *g, uint32_t zone) {
    if (!network_is_up(node_of(g), zone)) return;
    if (g->left[zone].total - g->left[zone].told > LEFT_MAX) g->left[zone].told = g->left[zone].total - LEFT_MAX;
    while (g->left[zone].told < g->left[zone].total)
        (void)network_send(node_of(g), zone,
                           &(struct message){.kind = DETACH, .detach = g->left[zone].list[g->left[zone].told++ % LEFT_MAX]});
}

static void detach(void *context, unsigned zone, uint64_t session, uint32_t reason) {
    struct gateway *g = context;
    g->left[zone].list[g->left[zone].total++ % LEFT_MAX] = (struct wire_detach){.session = session, .reason = reason};
}

static uint8_t successor(void *context, const struct wire_carried *c) {
    return route_at(context, c->x, c->y, c->player);
}

static void nothing(void *context, struct session *session) {
    (void)context, (void)session;
}

/* --- life */

void gateway_begin(uint32_t index) {
    struct gateway *g = &W.gateways[index];
    memset(g, 0, sizeof *g);
    g->index = index;
    g->held = NOBODY;
    struct directory none = {0};
    compass_init(&g->compass, &none);
    CHECK(session_table_create(&g->sessions, PLAYERS) == 0);
    struct transfer_handlers handlers = {.context = g,
                                         .incarnation = incarnation,
                                         .activate = activate,
                                         .routed = routed,
                                         .detach = detach,
                                         .successor = successor,
                                         .goes_on = nothing,
                                         .waits = nothing};
    CHECK(transfer_init(&g->transfers, &g->sessions, &handlers) == 0);
}

void gateway_end(uint32_t index) {
    transfer_deinit(&W.gateways[index].transfers);
    session_table_destroy(&W.gateways[index].sessions);
    client_gateway_died(index);
}

/* --- sessions */

struct session *gateway_session(uint32_t index, uint32_t player) {
    return session_at(&W.gateways[index].sessions, player);
}

static void end_session(struct gateway *g, struct session *session, enum wire_detach_reason reason) {
    uint64_t handle = session_handle(&g->sessions, session);
    trace("gateway %u ends the session of %u%s", g->index, player_of(session->player),
          reason == WIRE_DETACH_TAKEN_OVER ? ", taken over" : "");
    uint8_t zone = transfer_session_ended(&g->transfers, session, reason);
    if (session->state != SESSION_CLAIMING && session->attachments > 0) detach(g, zone, handle, reason);
    session_close(&g->sessions, session);
}

/* kick disconnects a client, which may be only where there is a newer session of its player. */
static void kick(struct gateway *g, struct session *session, const char *why) {
    uint32_t player = player_of(session->player);
    bool is_over = session->epoch < W.logins[player].given;
    trace("gateway %u disconnects %u: %s", g->index, player, why);
    end_session(g, session, WIRE_DETACH_LEFT);
    if (W.clients[player].gateway == g->index && !is_over) fail_run("player %u is disconnected: %s", player, why);
}

void gateway_login(uint32_t index, uint32_t player) {
    struct gateway *g = &W.gateways[index];
    struct session *old = gateway_session(index, player);
    if (old) end_session(g, old, WIRE_DETACH_TAKEN_OVER);
    struct session *session =
        session_open_claiming(&g->sessions, player, ++W.clients[player].generations[index], id_of(player));
    packets_begin(player, index, session_handle(&g->sessions, session));
}

void gateway_leave(uint32_t index, uint32_t player) {
    struct session *session = gateway_session(index, player);
    if (session) end_session(&W.gateways[index], session, WIRE_DETACH_LEFT);
}

/* ask_persist asks who may come in; as often as it takes. */
static void ask_persist(struct gateway *g, struct session *session) {
    uint32_t player = player_of(session->player);
    if (W.ms < W.clients[player].asked_ms + 200) return;
    struct message m = {.kind = CLAIM};
    m.attach.session = session_handle(&g->sessions, session);
    m.attach.player = session->player;
    if (network_send(node_of(g), shard_node(player), &m)) W.clients[player].asked_ms = W.ms;
}

static void claimed(struct gateway *g, const struct message *m) {
    struct session *session = session_find(&g->sessions, m->claimed.asked.session);
    if (!session || session->state != SESSION_CLAIMING || g->compass.directory.version == 0) return;
    uint8_t route = (uint8_t)(compass_spawn(&g->compass, session->player) % SLOTS);
    if (m->claimed.is_known) route = route_at(g, m->claimed.x, m->claimed.y, session->player);
    if (m->claimed.zone != NOBODY && hears(g, m->claimed.zone)) route = (uint8_t)m->claimed.zone;
    trace("gateway %u: %u comes in with epoch %llu, zone %u", g->index, player_of(session->player),
          (unsigned long long)m->claimed.asked.session_epoch, route);
    session_claimed(&g->sessions, session, m->claimed.asked.session_epoch, route);
}

static void attach(struct gateway *g, struct session *session) {
    if (!hears(g, session->route)) return;
    struct wire_attach a = {.session = session_handle(&g->sessions, session),
                            .player = session->player,
                            .session_epoch = session->epoch,
                            .attachment = session->attachments + 1};
    if (tell(g, session->route, &(struct message){.kind = ATTACH, .attach = a}) != 0) return;
    trace("gateway %u attaches %u to zone %u under %u", g->index, player_of(session->player), session->route, a.attachment);
    session->attachments = a.attachment;
    session_move(&g->sessions, session, SESSION_ATTACHING);
}

static struct session *find(struct gateway *g, uint32_t zone, uint64_t handle) {
    struct session *session = session_find(&g->sessions, handle);
    return session && session->route == zone && session->state >= SESSION_ATTACHING ? session : NULL;
}

static void take_input(struct gateway *g, struct session *session, const struct frame_input *frame) {
    struct message m = {.kind = INPUT};
    if (!transfer_takes_input(&g->transfers, session)) return;
    if (session_take_input(&g->sessions, session, frame, &m.input) != 0 || session->state < SESSION_ATTACHING) return;
    (void)network_send(node_of(g), session->route, &m);
}

void gateway_packet(uint32_t index, struct session *session, const uint8_t *bytes, size_t len) {
    struct gateway *g = &W.gateways[index];
    struct channel_received received;
    struct frame frame;
    int error = channel_read(session_channel(&g->sessions, session), now(), bytes, len, &received);
    if (error == MARCH_ERR_INVALID) fail_run("gateway %u can't read a packet of %u", index, player_of(session->player));
    if (error) return;
    session->is_heard = true;
    for (uint32_t i = 0; i < received.snapshots_count && session->state == SESSION_PLAYING; i++) {
        struct message m = {.kind = ACK, .ack = {session_handle(&g->sessions, session), received.snapshots[i]}};
        (void)network_send(node_of(g), session->route, &m);
    }
    while (frame_next(&received.frames, &frame) == 1)
        if (frame.type == FRAME_INPUT) take_input(g, session, &frame.input);
}

/* --- zones and directories */

static void pass_on(struct gateway *g, uint32_t zone) {
    const struct directory *d = &g->compass.directory;
    if (directory_owns(d, zone) || directory_hears(d, zone, g->left[zone].incarnation)) return;
    for (uint32_t n = 0; n < PLAYERS; n++) {
        struct session *session = session_at(&g->sessions, n);
        if (!session || session->route != zone || session->state != SESSION_WAITING) continue;
        uint32_t to = compass_successor(&g->compass, zone, session->player) % SLOTS;
        session_reroute(&g->sessions, session, (uint8_t)to);
    }
}

static void silence(struct gateway *g, uint32_t zone) {
    for (uint32_t n = 0; n < PLAYERS; n++) {
        struct session *session = session_at(&g->sessions, n);
        if (!session || session->route != zone || session->state < SESSION_ATTACHING || session->state == SESSION_MOVING)
            continue;
        session_move(&g->sessions, session, SESSION_WAITING);
        channel_forget_snapshots(session_channel(&g->sessions, session));
    }
    pass_on(g, zone);
}

static void take_directory(struct gateway *g, uint32_t version) {
    struct wire_directory view = directory_view(&W.versions[version]);
    bool is_first = g->compass.directory.version == 0;
    if (!compass_take(&g->compass, &view)) return;
    g->held = version;
    const struct directory *d = &g->compass.directory;
    for (uint32_t n = 0; is_first && n < PLAYERS; n++) {
        struct session *session = session_at(&g->sessions, n);
        if (session && session->state == SESSION_WAITING)
            session_reroute(&g->sessions, session, (uint8_t)(compass_spawn(&g->compass, session->player) % SLOTS));
    }
    for (uint32_t zone = 0; zone < SLOTS; zone++) {
        bool is_dead = !directory_hears(d, zone, g->left[zone].incarnation);
        if (is_dead && network_is_up(node_of(g), zone)) silence(g, zone);
        transfer_zone_dead(&g->transfers, zone, d->workers[zone].incarnation, now());
    }
    for (uint32_t zone = 0; zone < SLOTS; zone++) pass_on(g, zone);
}

/* refresh tells a persist of all sessions of its players. */
static void refresh(struct gateway *g, uint32_t shard) {
    for (uint32_t n = 0; n < PLAYERS; n++) {
        const struct session *session = session_at(&g->sessions, n);
        if (!session || session->epoch == 0 || shard_node(n) != shard) continue;
        struct message m = {.kind = REFRESH};
        m.attach = (struct wire_attach){.player = session->player, .session_epoch = session->epoch};
        (void)network_send(node_of(g), shard, &m);
    }
}

void gateway_up(uint32_t index, uint32_t peer) {
    struct gateway *g = &W.gateways[index];
    if (peer >= NODE_SHARD) refresh(g, peer);
    if (peer == NODE_MATCHMAKER) {
        g->is_new = true;
        g->report_ms = W.ms;
    }
    if (peer >= SLOTS) return;
    uint64_t who = network_peer(node_of(g), peer);
    bool is_same = g->left[peer].incarnation == who;
    g->left[peer].incarnation = who;
    g->left[peer].told = g->left[peer].total;
    if (is_same) g->left[peer].told = g->left[peer].total > LEFT_MAX ? g->left[peer].total - LEFT_MAX : 0;
    transfer_zone_up(&g->transfers, peer, who, now());
}

void gateway_lost(uint32_t index, uint32_t peer) {
    struct gateway *g = &W.gateways[index];
    if (peer >= SLOTS) return;
    transfer_zone_lost(&g->transfers, peer);
    silence(g, peer);
}

/* --- a turn */

static void report(struct gateway *g) {
    if (!network_is_up(node_of(g), NODE_MATCHMAKER) || W.ms < g->report_ms) return;
    struct message m = {.kind = GATEWAY_REPORT};
    m.report.held = g->is_new ? g->held : NOBODY;
    m.report.version = g->compass.directory.version;
    (void)network_send(node_of(g), NODE_MATCHMAKER, &m);
    g->is_new = false;
    g->report_ms = W.ms + REPORT_MS;
}

void gateway_turn(uint32_t index) {
    struct gateway *g = &W.gateways[index];
    transfer_update(&g->transfers, now());
    for (uint32_t n = 0; n < PLAYERS; n++) {
        struct session *session = session_at(&g->sessions, n);
        if (session && session->state == SESSION_CLAIMING) ask_persist(g, session);
        if (session && session->state == SESSION_WAITING) attach(g, session);
    }
    for (uint32_t zone = 0; zone < SLOTS; zone++) tell_left(g, zone);
    report(g);
}

/* --- messages */

static void refused(struct gateway *g, struct session *session) {
    uint32_t zone = session->route;
    session_move(&g->sessions, session, SESSION_WAITING);
    if (directory_owns(&g->compass.directory, zone)) return;
    session_reroute(&g->sessions, session, (uint8_t)(compass_successor(&g->compass, zone, session->player) % SLOTS));
}

static void take_attached(struct gateway *g, uint32_t from, const struct wire_attached *attached) {
    struct session *session = find(g, from, attached->session);
    if (!session || session->state != SESSION_ATTACHING) return;
    if (attached->result == WIRE_ATTACHED) {
        session_move(&g->sessions, session, SESSION_PLAYING);
    } else if (attached->result == WIRE_ATTACH_UNAVAILABLE) {
        refused(g, session);
    } else if (attached->result == WIRE_ATTACH_ELSEWHERE) {
        session_move(&g->sessions, session, SESSION_WAITING);
        session_reroute(&g->sessions, session, (uint8_t)attached->zone);
    } else {
        kick(g, session, "its attach is stale");
    }
}

static void take_of_zone(struct gateway *g, uint32_t from, const struct message *m) {
    struct session *session;
    if (!hears(g, from)) return;
    switch (m->kind) {
    case ATTACHED: take_attached(g, from, &m->attached); break;
    case SNAPSHOT:
        session = find(g, from, m->snapshot.session);
        if (session && session->is_heard) packets_snapshot(g, session, m);
        break;
    case ACTIVATED: transfer_activated(&g->transfers, from, &m->activated, now()); break;
    case REROUTE: transfer_reroute(&g->transfers, from, &m->carried, now()); break;
    case FORGOTTEN: transfer_forgotten(&g->transfers, from, &m->routed); break;
    default:
        session = find(g, from, m->session);
        if (session && session->state == SESSION_PLAYING) kick(g, session, "its zone has detached it");
    }
}

void gateway_take(uint32_t index, uint32_t from, const struct message *m) {
    struct gateway *g = &W.gateways[index];
    struct session *session;
    switch (m->kind) {
    case DIRECTORY: take_directory(g, m->version); break;
    case CLAIMED: claimed(g, m); break;
    case TAKEN_OVER:
        session = session_at(&g->sessions, player_of(m->attach.player));
        if (session && session->epoch != 0 && session->epoch < m->attach.session_epoch)
            end_session(g, session, WIRE_DETACH_TAKEN_OVER);
        break;
    default: take_of_zone(g, from, m);
    }
}
