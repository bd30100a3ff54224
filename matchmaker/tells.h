/* tells.h: messages to players on their way to the gateways, one batch for each, and where each player was last heard.
 *
 * A player is where it asked last. Of TELLS_PLAYERS_MAX places each has one, which a newer player may take over: whoever is
 * not known any more is told by way of all gateways, and the one that has no session of it drops the message.
 *
 * Limits: TELLS_MAX messages and TELLS_BLOB_BYTES wait for one gateway; beyond that tells_add refuses, and the owner counts
 * what is lost: the player asks again.
 */
#ifndef MARCH_MATCHMAKER_TELLS_H
#define MARCH_MATCHMAKER_TELLS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "schemas/wire.h"

#define TELLS_MAX         1024
#define TELLS_BLOB_BYTES  (128 * 1024)
#define TELLS_PLAYERS_MAX (1u << 18)
#define TELLS_NOWHERE     UINT32_MAX

_Static_assert(TELLS_MAX <= WIRE_MATCH_ITEMS_MAX && TELLS_BLOB_BYTES <= WIRE_MATCH_BLOB_MAX, "as many as a reader takes");

struct tells;

/* tells_create: MARCH_ERR_SYSTEM when memory is short. tells_destroy: NULL is fine. */
must_check int tells_create(struct tells **tells, uint32_t gateway_count);
void tells_destroy(struct tells *tells);

/* tells_heard: a player asked by way of a gateway. tells_where returns which one that was, or TELLS_NOWHERE. */
void tells_heard(struct tells *tells, uint64_t player, uint32_t gateway);
uint32_t tells_where(const struct tells *tells, uint64_t player);

/* tells_add takes a copy of a packed ServerMessage; MARCH_ERR_FULL where it has no room. */
must_check int tells_add(struct tells *tells, uint32_t gateway, uint64_t player, struct wire_bytes message);

/* tells_fill points to what waits for a gateway, false where that is nothing; good until tells_clear, or tells_add. */
bool tells_fill(const struct tells *tells, uint32_t gateway, struct wire_gateway_tells *out);
void tells_clear(struct tells *tells, uint32_t gateway);

#endif
