/* upstream.c: what packets of clients do. */
#include <inttypes.h>

#include "common/check.h"
#include "common/log.h"
#include "gateway/admission.h"
#include "gateway/matches.h"
#include "gateway/routing.h"
#include "gateway/stream.h"

static struct route *route_of(struct gateway *g, const struct session *session) {
    return g->routes[session->route];
}

/* --- sessions that come and go */

void upstream_enter(struct gateway *g, struct session *session) {
    if (!routing_hears(g, session->route)) {
        downstream_zone_status(g, session, WIRE_ZONE_LOST);
    } else {
        (void)downstream_attach_one(g, session);
    }
}

static void join(struct gateway *g, const struct netcode_event *event) {
    struct netcode_slot slot = event->slot;
    uint64_t player = event->client_id;
    log_debug("session.opened", "player=%" PRIu64 " slot=%u", player, slot.index);
    if (g->keeper_count > 0) {
        admission_begin(g, session_open_claiming(&g->sessions, slot.index, slot.generation, player), event);
    } else {
        upstream_enter(g, session_open(&g->sessions, slot.index, slot.generation, player, routing_spawn(g, player)));
    }
}

void upstream_end(struct gateway *g, struct session *session, enum session_end end) {
    uint64_t handle = session_handle(&g->sessions, session);
    enum wire_detach_reason reason = end == SESSION_END_TAKEN_OVER ? WIRE_DETACH_TAKEN_OVER : WIRE_DETACH_LEFT;
    uint8_t route = transfer_session_ended(&g->transfers, session, reason);
    bool was_told = session->state != SESSION_CLAIMING && session->attachments > 0; /* also where the connection is lost */
    if (was_told) route_detach(g->routes[route], handle, reason);
    admission_end(g, session);
    log_debug("session.ended", "player=%" PRIu64 " reason=%s", session->player, session_end_name(end));
    session_close(&g->sessions, session);
    g->stats.ended[end]++;
}

void upstream_disconnect(struct gateway *g, struct session *session, enum session_end end) {
    struct netcode_slot slot = {.index = session_index(&g->sessions, session), .generation = session->generation};
    netcode_server_disconnect(g->netcode, slot, &g->sink);
    upstream_end(g, session, end);
}

/* --- what a packet carries */

void upstream_messages(struct gateway *g, struct session *session) {
    struct route *route = route_of(g, session);
    struct channel *channel = session_channel(&g->sessions, session);
    while (session->state == SESSION_PLAYING && session->transfer == 0) { /* a command's answer may end it */
        uint8_t *room = route_message_room(route);
        if (!room) return;
        int len = channel_next_message(channel, room, FRAME_MESSAGE_BYTES_MAX);
        if (len < 0) return;
        channel_excuse(channel, g->now);
        if (admission_command(g, session, room, (size_t)len) || matches_ask(g, session, room, (size_t)len)) continue;
        route_message_commit(route, session_handle(&g->sessions, session), (size_t)len);
        g->stats.messages_up++;
    }
}

static void take_input(struct gateway *g, struct session *session, const struct frame_input *frame) {
    struct wire_input input;
    if (!transfer_takes_input(&g->transfers, session)) { /* the client's next packet brings them again */
        route_of(g, session)->stats.inputs_dropped++;
        return;
    }
    if (session_take_input(&g->sessions, session, frame, &input) != 0) {
        g->stats.inputs_stale++;
        return;
    }
    struct route *route = route_of(g, session);
    if (session->state < SESSION_ATTACHING) {
        route->stats.inputs_dropped++;
        return;
    }
    route_input(route, &session->input_place, &input);
}

static void take_frames(struct gateway *g, struct session *session, struct frame_reader *frames) {
    struct frame frame;
    while (frame_next(frames, &frame) == 1) {
        if (frame.type == FRAME_INPUT) {
            take_input(g, session, &frame.input);
        } else if (frame.type == FRAME_PING) {
            session->has_ping = true;
            session->ping_client_us = frame.ping_client_us;
            g->stats.pings++;
            downstream_mark(g, session);
        }
    }
}

static void refuse(struct gateway *g, struct session *session, int error) {
    if (error == MARCH_ERR_REPLAY) {
        g->stats.packets_replayed++;
    } else if (error == MARCH_ERR_EXPIRED) {
        g->stats.packets_late++;
    } else {
        g->stats.packets_malformed++;
        if (++session->strikes == GATEWAY_STRIKES_MAX) upstream_disconnect(g, session, SESSION_END_MALFORMED);
    }
}

static void take_packet(struct gateway *g, struct session *session, const uint8_t *bytes, size_t len) {
    struct channel *channel = session_channel(&g->sessions, session);
    struct channel_received received;
    int error = channel_read(channel, g->now, bytes, len, &received);
    if (error != 0) {
        refuse(g, session, error);
        return;
    }
    g->stats.packets_in++;
    if (!session->is_heard) { /* what waited for the client's first packet may go */
        session->is_heard = true;
        downstream_mark(g, session);
    }
    if (session->state == SESSION_PLAYING) {
        uint64_t handle = session_handle(&g->sessions, session);
        for (unsigned i = 0; i < received.snapshots_count; i++) {
            route_ack(route_of(g, session), handle, received.snapshots[i]);
        }
    }
    take_frames(g, session, &received.frames);
    if (channel->owed > 0) downstream_activate(g, session);
    if (received.message_ready) upstream_messages(g, session);
    if ((uint32_t)(g->now.ns / NS_PER_MS) - session->sent_ms > GATEWAY_ACK_MS) downstream_mark(g, session);
}

/* --- datagrams */

/* The session in the way of a player who has come in again ends; the client asks again within 100 ms. */
static void second_login(struct gateway *g, const struct netcode_event *event) {
    struct session *session = session_at(&g->sessions, event->slot.index);
    CHECK(session && session->generation == event->slot.generation);
    admission_goodbye(g, session, WIRE_END_TAKEN_OVER, SESSION_END_TAKEN_OVER);
}

void upstream_datagram(void *context, const struct addr *from, uint8_t *bytes, size_t len) {
    struct gateway *g = context;
    struct netcode_event *event = &g->event;
    netcode_server_receive(g->netcode, g->now, g->wall_ns / NS_PER_S, from, bytes, len, event);
    if (event->reply_len > 0) downstream_raw(g, from, event->reply, event->reply_len);
    if (event->type == NETCODE_EVENT_NONE) {
        if (event->drop == NETCODE_DROP_CLIENT_CONNECTED && g->keeper_count > 0) second_login(g, event);
        return;
    }
    if (event->type == NETCODE_EVENT_CONNECTED) {
        join(g, event);
        return;
    }
    struct session *session = session_at(&g->sessions, event->slot.index);
    CHECK(session && session->generation == event->slot.generation);
    if (event->type == NETCODE_EVENT_PAYLOAD) {
        take_packet(g, session, event->data, event->len);
    } else {
        upstream_end(g, session, SESSION_END_LEFT);
    }
}
