/* stream.h: what upstream.c and downstream.c do for each other and for the loop of gateway.c. */
#ifndef MARCH_GATEWAY_STREAM_H
#define MARCH_GATEWAY_STREAM_H

#include "gateway/gateway.h"

/* --- upstream.c: what clients send */

/* upstream_datagram is io's handler; `context` is the gateway. */
void upstream_datagram(void *context, const struct addr *from, uint8_t *bytes, size_t len);

/* upstream_messages passes on to the zone, persist or the matchmaker what messages of the client are complete. While the
 * zone is away or the batch is full, or the session has an entry in transfer.h, they stay in the channel, which slows the
 * client down. */
void upstream_messages(struct gateway *gateway, struct session *session);

/* upstream_end ends a session whose netcode slot is gone. */
void upstream_end(struct gateway *gateway, struct session *session, enum session_end end);

/* upstream_enter brings a session that waits to its zone. */
void upstream_enter(struct gateway *gateway, struct session *session);

/* upstream_disconnect tells the client that it is disconnected, and ends its session. */
void upstream_disconnect(struct gateway *gateway, struct session *session, enum session_end end);

/* --- downstream.c: what zones and time do */

/* The handlers of the routes; `context` is the gateway. */
void downstream_zone_up(void *context, unsigned route);
void downstream_zone_lost(void *context, unsigned route);
void downstream_zone_batch(void *context, unsigned route, const struct wire_zone_batch *batch);

/* downstream_zone_status tells a client that its zone is away, or back. */
void downstream_zone_status(struct gateway *gateway, struct session *session, enum wire_zone_state state);

/* downstream_message queues a reliable message; false: there was no room, which breaks the stream, so the session was ended.
 */
bool downstream_message(struct gateway *gateway, struct session *session, const uint8_t *bytes, size_t len);

/* downstream_send_now sends one packet of what waits, if the client can read it already. */
void downstream_send_now(struct gateway *gateway, struct session *session);

/* downstream_mark puts a session in the queue of those to send to. */
void downstream_mark(struct gateway *gateway, struct session *session);

/* downstream_activate puts a session in the list of those with messages under way. */
void downstream_activate(struct gateway *gateway, struct session *session);

/* downstream_attach_one tells the session's zone of it; while there is no room for that it goes on waiting, and
 * downstream_attach comes by. Returns whether there was room. */
bool downstream_attach_one(struct gateway *gateway, struct session *session);

/* downstream_attach tells zones of sessions they don't have yet. */
void downstream_attach(struct gateway *gateway);

/* downstream_due sends packets to the sessions that are due. */
void downstream_due(struct gateway *gateway);

/* downstream_raw queues a packet that netcode made. */
void downstream_raw(void *context, const struct addr *to, const uint8_t *packet, size_t len);

#endif
