/* drain.h: a gateway that is to go sends its clients to the others.
 *
 * While the directory says of this gateway that it is DRAINING, netcode denies who wants to come in, and each client is sent
 * one Reconnect with a fresh connect token for the gateways that are up: their addresses, beginning at one that the player's
 * id draws, so that not all go to the same. Who is still here when the token has expired is sent another; and all are where
 * one of those gateways was started again, as it refuses what was minted before. A client that has come in elsewhere is
 * taken over there (admission.c). When the directory says otherwise, all is as before.
 *
 * Paced, so that the gateways that they come to are not hit by all at once: DRAIN_PER_STEP every DRAIN_STEP_MS, which is
 * also what bounds a turn. Minting a token costs some ten microseconds.
 */
#ifndef MARCH_GATEWAY_DRAIN_H
#define MARCH_GATEWAY_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/clock.h"
#include "common/config.h"
#include "common/netcode_token.h"
#include "schemas/wire_world.h"

#define DRAIN_STEP_MS        10
#define DRAIN_PER_STEP       16   /* 1,600 a second */
#define DRAIN_SCAN           4096 /* slots looked at in a step */
#define DRAIN_SERVERS_AGE_MS 1000 /* after which the others' addresses are asked for anew */
#define DRAIN_RESTARTED_MS   2000 /* a gateway takes tokens of the second after its start, and later ones */

struct gateway;

struct drain_config {
    void *context;
    /* Writes the addresses at which clients reach a gateway, by its index, and returns how many. May read a small file: it
     * is called while draining alone, and seldom. NULL: never drained. */
    unsigned (*servers)(void *context, unsigned gateway, struct addr addrs[CONFIG_ADDRESSES_MAX]);
};

struct drain {
    struct drain_config config;
    uint64_t protocol_id;
    uint32_t token_lifetime_s;
    int32_t timeout_s;
    uint8_t connect_key[NETCODE_KEY_BYTES];
    bool is_draining;
    struct mono step_at, round_at, servers_at; /* next */
    uint32_t cursor;
    uint32_t server_count;
    uint64_t incarnations[WIRE_DIRECTORY_GATES_MAX]; /* of the gateways that were up since it began; 0: was not */
    struct addr servers[NETCODE_TOKEN_SERVERS_MAX];
    uint64_t told;
};

/* drain_update does what the directory and time ask for: each turn. */
void drain_update(struct gateway *gateway);

#endif
