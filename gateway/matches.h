/* matches.h: what players ask of the matchmaker through this gateway, and what it tells them.
 *
 * Such messages of clients go to the matchmaker as they are, and never to a zone. They count as commands do
 * (admission.h): beyond ADMISSION_COMMANDS_PER_S, with the batch full, and while the matchmaker is away or there is none,
 * the gateway answers by itself that it can't be told now.
 *
 * The matchmaker tells a player, not a session: who has no session here, or one that persist has not granted yet, is not
 * told.
 */
#ifndef MARCH_GATEWAY_MATCHES_H
#define MARCH_GATEWAY_MATCHES_H

#include "gateway/gateway.h"

/* matches_ask takes a message of a client; returns false when it is not for the matchmaker. */
bool matches_ask(struct gateway *gateway, struct session *session, const uint8_t *bytes, size_t len);

/* matches_tells is the guide's handler; `context` is the gateway. */
void matches_tells(void *context, const struct wire_gateway_tells *tells);

/* matches_flush sends what waits; matches_sleep_ns returns how long that may wait. */
void matches_flush(struct gateway *gateway);
uint64_t matches_sleep_ns(const struct gateway *gateway, uint64_t sleep_ns);

#endif
