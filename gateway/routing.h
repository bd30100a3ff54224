/* routing.h: what the directory means for sessions: which zones are heard, where sessions without a zone go, and the
 * handlers by which transfer.c tells zones and sessions.
 *
 * An incarnation of a zone that the directory does not list is dead: nothing it says is taken, nothing is told to it. Its
 * sessions wait, and are attached to the successor once the directory names one. So do sessions that wait for a zone that is
 * away and owns nothing. A zone that is up keeps its sessions until it hands them over, whatever it owns.
 */
#ifndef MARCH_GATEWAY_ROUTING_H
#define MARCH_GATEWAY_ROUTING_H

#include "gateway/gateway.h"

/* routing_hears tells whether a zone can be told and may be heard. */
bool routing_hears(const struct gateway *gateway, unsigned zone);

/* routing_spawn returns the zone of a player of whom it is not known where it is: the same one each time. routing_at returns
 * that of a place in Q16.16 metres. */
uint8_t routing_spawn(const struct gateway *gateway, uint64_t player);
uint8_t routing_at(const struct gateway *gateway, int32_t x, int32_t y, uint64_t player);

/* routing_directory is the guide's handler; `context` is the gateway. */
void routing_directory(void *context, const struct wire_directory *directory);

/* routing_zone_silent makes the sessions of a zone wait, which is lost or not heard any more. */
void routing_zone_silent(struct gateway *gateway, unsigned zone);

/* routing_refused has a session wait again whose zone has not got the player and can't take it now: for that zone, or where
 * it owns nothing any more for the one that has its place. */
void routing_refused(struct gateway *gateway, struct session *session);

/* routing_elsewhere has one wait for the zone that has its player, as its own zone says. */
void routing_elsewhere(struct gateway *gateway, struct session *session, unsigned zone);

/* routing_transfers returns the handlers for transfer_init. */
struct transfer_handlers routing_transfers(struct gateway *gateway);

#endif
