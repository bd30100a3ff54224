/* downstream.c: what zones and time do: packets to clients.
 *
 * A packet is built in the sender's arena and sealed in place: channel header, snapshot, answer to a ping, fragments of
 * messages as far as there is room. The bytes of a snapshot are copied once, from the bus's buffer into the packet.
 */
#include <inttypes.h>
#include <string.h>

#include "common/check.h"
#include "common/log.h"
#include "common/step.h"
#include "gateway/routing.h"
#include "gateway/stream.h"

_Static_assert(SENDER_DATAGRAM_MAX >= NETCODE_PACKET_MAX, "any packet fits the sender");
_Static_assert(CHANNEL_PACKET_MAX <= NETCODE_PAYLOAD_MAX, "any session packet fits netcode");

static uint32_t now_ms(const struct gateway *g) {
    return (uint32_t)(g->now.ns / NS_PER_MS);
}

/* --- queues of sessions */

static void queue_push(struct session_queue *queue, uint32_t index) {
    CHECK(queue->count < queue->size);
    uint32_t tail = queue->head + queue->count++;
    queue->indices[tail < queue->size ? tail : tail - queue->size] = index;
}

static uint32_t queue_pop(struct session_queue *queue) {
    uint32_t index = queue->indices[queue->head];
    queue->head = queue->head + 1 == queue->size ? 0 : queue->head + 1;
    queue->count--;
    return index;
}

/* The marks outlive a session that ends, as its slot stays queued: session_open keeps them. */
void downstream_mark(struct gateway *g, struct session *session) {
    if (session->is_due) return;
    session->is_due = true;
    queue_push(&g->due, session_index(&g->sessions, session));
}

void downstream_activate(struct gateway *g, struct session *session) {
    if (session->is_active) return;
    session->is_active = true;
    queue_push(&g->active, session_index(&g->sessions, session));
}

/* --- packets */

void downstream_raw(void *context, const struct addr *to, const uint8_t *packet, size_t len) {
    struct gateway *g = context;
    struct sender *sender = g->senders[to->via];
    uint8_t *room = sender_reserve(sender);
    memcpy(room, packet, len);
    sender_commit(sender, to, room, len);
}

/* answer_ping tells what tick it is, to 1/65536 of a tick. Ticks are numbered from the Unix epoch. */
static void answer_ping(struct gateway *g, struct session *session, struct frame_writer *frames) {
    uint64_t seconds = g->wall_ns / NS_PER_S;
    uint64_t scaled = g->wall_ns % NS_PER_S * g->tick_hz; /* billionths of a tick */
    struct frame_pong pong = {.client_us = session->ping_client_us,
                              .tick_low = (uint32_t)(seconds * g->tick_hz + scaled / NS_PER_S),
                              .tick_fraction = (uint16_t)(scaled % NS_PER_S * 65536 / NS_PER_S)};
    if (frame_write_pong(frames, &pong) == 0) session->has_ping = false;
}

/* send_packet sends one packet, with a snapshot where there is one. */
static void send_packet(struct gateway *g, struct session *session, const struct wire_snapshot *snapshot,
                        const uint8_t *bytes) {
    struct netcode_slot slot = {.index = session_index(&g->sessions, session), .generation = session->generation};
    struct channel *channel = session_channel(&g->sessions, session);
    const struct addr *to = netcode_server_addr(g->netcode, slot);
    CHECK(to);
    struct sender *sender = g->senders[to->via];
    uint8_t *data = sender_reserve(sender) + NETCODE_HEADROOM;
    struct channel_packet packet;
    channel_begin(channel, &packet, data, CHANNEL_PACKET_MAX);
    if (snapshot && channel_put_snapshot(&packet, snapshot->snapshot_seq, bytes, snapshot->len) != 0) {
        g->stats.snapshots_long++;
        return;
    }
    if (session->has_ping) answer_ping(g, session, &packet.frames);
    if (session->is_active) (void)channel_put_fragments(channel, g->now, &packet);
    size_t len = channel_finish(channel, g->now, &packet);
    uint8_t *start;
    int sealed = netcode_server_seal(g->netcode, g->now, slot, data, len, &start);
    if (sealed < 0) {
        g->stats.packets_unsealed++; /* to the channel it is a lost packet */
        return;
    }
    sender_commit(sender, to, start, (size_t)sealed);
    session->sent_ms = now_ms(g);
    g->stats.packets_out++;
    g->stats.snapshots_out += snapshot != NULL;
}

void downstream_send_now(struct gateway *g, struct session *session) {
    if (session->is_heard) send_packet(g, session, NULL, NULL);
}

/* send_due sends what a queued session still waits for: a snapshot may have carried it meanwhile. */
static void send_due(struct gateway *g, struct session *session) {
    if (!session->is_heard) return; /* nothing can be sealed yet; the first packet marks it again */
    bool owes_ack = now_ms(g) - session->sent_ms > GATEWAY_ACK_MS;
    bool has_fragments = session->is_active && channel_due(session_channel(&g->sessions, session), g->now);
    if (session->has_ping || owes_ack || has_fragments) send_packet(g, session, NULL, NULL);
    if (!has_fragments || !channel_due(session_channel(&g->sessions, session), g->now)) return;
    downstream_mark(g, session); /* more fragments than one packet takes */
}

/* look_at_active marks the active sessions that are due, ends those that hold blocks for nothing, and lets go of those with
 * nothing under way. */
static void look_at_active(struct gateway *g) {
    for (uint32_t left = g->active.count; left > 0; left--) {
        uint32_t index = queue_pop(&g->active);
        struct session *session = &g->sessions.sessions[index];
        struct channel *channel = &g->sessions.channels[index];
        session->is_active = false;
        if (session->state == SESSION_FREE) continue;
        if (channel_stalled(channel, g->now)) {
            upstream_disconnect(g, session, SESSION_END_STALLED);
            continue;
        }
        if (channel_due(channel, g->now)) downstream_mark(g, session);
        upstream_messages(g, session);
        if (channel->send_count > 0 || channel->owed > 0 || channel->receive_count > 0) downstream_activate(g, session);
    }
}

void downstream_due(struct gateway *g) {
    if (mono_reached(g->now, g->active_at)) {
        g->active_at = mono_add_ms(g->now, GATEWAY_ACTIVE_MS);
        look_at_active(g);
    }
    uint32_t count = g->due.count < GATEWAY_DUE_PER_TURN ? g->due.count : GATEWAY_DUE_PER_TURN;
    for (; count > 0; count--) {
        struct session *session = &g->sessions.sessions[queue_pop(&g->due)];
        session->is_due = false;
        if (session->state != SESSION_FREE) send_due(g, session);
    }
}

/* --- messages */

bool downstream_message(struct gateway *g, struct session *session, const uint8_t *bytes, size_t len) {
    if (channel_send(session_channel(&g->sessions, session), g->now, bytes, len) != 0) {
        upstream_disconnect(g, session, SESSION_END_SLOW);
        return false;
    }
    g->stats.messages_down++;
    downstream_activate(g, session);
    downstream_mark(g, session);
    return true;
}

void downstream_zone_status(struct gateway *g, struct session *session, enum wire_zone_state state) {
    bool is_lost = state == WIRE_ZONE_LOST;
    session->told_lost = is_lost;
    (void)downstream_message(g, session, is_lost ? g->zone_lost : g->zone_back,
                             is_lost ? g->zone_lost_len : g->zone_back_len);
}

/* --- zones */

void downstream_zone_up(void *context, unsigned route) {
    struct gateway *g = context;
    g->attach_cursors[route] = 0;
    transfer_zone_up(&g->transfers, route, g->routes[route]->link.peer.incarnation, g->now);
}

void downstream_zone_lost(void *context, unsigned route) {
    struct gateway *g = context;
    transfer_zone_lost(&g->transfers, route);
    routing_zone_silent(g, route);
}

/* find returns a session that a zone may speak of: its own, and told of. */
static struct session *find(struct gateway *g, unsigned route, uint64_t handle) {
    struct session *session = session_find(&g->sessions, handle);
    return session && session->route == route && session->state >= SESSION_ATTACHING ? session : NULL;
}

static void take_attached(struct gateway *g, unsigned route, const struct wire_attached *attached) {
    struct session *session = find(g, route, attached->session);
    if (!session || session->state != SESSION_ATTACHING) return;
    if (attached->result == WIRE_ATTACH_UNAVAILABLE) { /* it has asked persist long enough, or has no part of the world */
        routing_refused(g, session);
        return;
    }
    if (attached->result == WIRE_ATTACH_ELSEWHERE && attached->zone < g->route_count) {
        routing_elsewhere(g, session, attached->zone);
        return;
    }
    if (attached->result != WIRE_ATTACHED) {
        log_warn("session.refused", "player=%" PRIu64 " result=%u", session->player, attached->result);
        upstream_disconnect(g, session, SESSION_END_REFUSED);
        return;
    }
    session_move(&g->sessions, session, SESSION_PLAYING);
    g->stats.attached++;
    STEP("gateway.attached");
    if (session->told_lost) downstream_zone_status(g, session, WIRE_ZONE_BACK);
    session = find(g, route, attached->session); /* a full channel ends it */
    if (session) upstream_messages(g, session);
}

static void take_message(struct gateway *g, unsigned route, const struct wire_message *message, const uint8_t *blob) {
    struct session *session = find(g, route, message->session);
    if (session) {
        (void)downstream_message(g, session, blob + message->offset, message->len);
    } else {
        g->stats.messages_unknown++;
    }
}

static void take_snapshot(struct gateway *g, unsigned route, const struct wire_snapshot *snapshot, const uint8_t *blob) {
    struct session *session = find(g, route, snapshot->session);
    if (!session) {
        g->stats.snapshots_unknown++;
    } else if (!session->is_heard) {
        g->stats.snapshots_unconfirmed++;
    } else {
        send_packet(g, session, snapshot, blob + snapshot->offset);
    }
}

/* Sessions of the next snapshots are scattered over 20 MB: their lines are fetched while this one is sealed. */
static void fetch_ahead(const struct gateway *g, const struct wire_snapshot *snapshot) {
    uint32_t index = (uint32_t)snapshot->session;
    if (index >= g->sessions.size) return;
    __builtin_prefetch(&g->sessions.sessions[index]);
    __builtin_prefetch(&g->sessions.channels[index]);
    __builtin_prefetch((const char *)&g->sessions.channels[index] + 64);
}

/* take_returned sends a message of a client, which its zone had no player for any more, after the player. */
static void take_returned(struct gateway *g, const struct wire_message *message, const uint8_t *blob) {
    struct session *session = session_find(&g->sessions, message->session);
    bool has_zone = session && session->state >= SESSION_ATTACHING && message->len <= FRAME_MESSAGE_BYTES_MAX;
    uint8_t *room = has_zone ? route_message_room(g->routes[session->route]) : NULL;
    if (!room) {
        g->stats.returned_dropped++;
        return;
    }
    memcpy(room, blob + message->offset, message->len);
    route_message_commit(g->routes[session->route], message->session, message->len);
    g->stats.returned++;
}

void downstream_zone_batch(void *context, unsigned route, const struct wire_zone_batch *batch) {
    struct gateway *g = context;
    if (!routing_hears(g, route)) {
        g->stats.batches_unheard++;
        return;
    }
    for (uint32_t i = 0; i < batch->attached_count; i++) take_attached(g, route, &batch->attached[i]);
    for (uint32_t i = 0; i < batch->activated_count; i++)
        transfer_activated(&g->transfers, route, &batch->activated[i], g->now);
    for (uint32_t i = 0; i < batch->message_count; i++) take_message(g, route, &batch->messages[i], batch->blob);
    for (uint32_t i = 0; i < batch->snapshot_count; i++) {
        if (i + 2 < batch->snapshot_count) fetch_ahead(g, &batch->snapshots[i + 2]);
        take_snapshot(g, route, &batch->snapshots[i], batch->blob);
    }
    for (uint32_t i = 0; i < batch->returned_count; i++) take_returned(g, &batch->returned[i], batch->blob);
    for (uint32_t i = 0; i < batch->reroute_count; i++) transfer_reroute(&g->transfers, route, &batch->reroutes[i], g->now);
    for (uint32_t i = 0; i < batch->forgotten_count; i++) transfer_forgotten(&g->transfers, route, &batch->forgotten[i]);
    for (uint32_t i = 0; i < batch->detached_count; i++) {
        struct session *session = find(g, route, batch->detached[i].session);
        /* While it is attached or moves this is of before: what the zone has to say now is whether it has it. */
        bool is_late = session && (session->state == SESSION_ATTACHING || session->state == SESSION_MOVING);
        if (session && !is_late) upstream_disconnect(g, session, SESSION_END_ZONE);
    }
}

bool downstream_attach_one(struct gateway *g, struct session *session) {
    struct wire_attach attach = {.session = session_handle(&g->sessions, session),
                                 .player = session->player,
                                 .session_epoch = session->epoch,
                                 .attachment = session->attachments + 1};
    if (route_attach(g->routes[session->route], &attach) != 0) return false;
    session->attachments = attach.attachment;
    session_move(&g->sessions, session, SESSION_ATTACHING);
    return true;
}

/* attach_some walks on through the table from where it stopped, until the batch is full. */
static void attach_some(struct gateway *g, unsigned route) {
    uint32_t *cursor = &g->attach_cursors[route];
    for (unsigned i = 0; i < GATEWAY_ATTACH_SCAN && g->sessions.waiting_counts[route] > 0; i++) {
        struct session *session = session_at(&g->sessions, *cursor);
        if (session && session->route == route && session->state == SESSION_WAITING) {
            if (!downstream_attach_one(g, session)) return;
        }
        *cursor = *cursor + 1 == g->sessions.size ? 0 : *cursor + 1;
    }
}

void downstream_attach(struct gateway *g) {
    for (unsigned i = 0; i < g->route_count; i++) {
        if (g->sessions.waiting_counts[i] > 0 && routing_hears(g, i)) attach_some(g, i);
    }
}
