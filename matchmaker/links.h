/* links.h: the matchmaker's edges: what zones, gateways and persists say goes into the atlas, or where it is about matches
 * to the handlers; what is decided goes out.
 *
 * Zones and gateways are listened for, persists are dialled. A peer that is UP gets the newest directory once it is there,
 * and each version after it; where the bus refuses, the newest one later. A persist gets the fences that it has not done, at
 * once when there are others, else again every LINKS_FENCES_MS until they are done.
 *
 * What players are told is gathered (tells.h) and goes out with links_flush. Instance orders and match asks go out at once;
 * one that the bus refuses is for the caller to send again.
 *
 * All on the loop's thread; nothing blocks. Limits: LINK_RECEIVES_MAX messages of a peer are taken at a time; a message to a
 * player for which no gateway is up, or has room, is lost and counted.
 */
#ifndef MARCH_MATCHMAKER_LINKS_H
#define MARCH_MATCHMAKER_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/error.h"
#include "matchmaker/atlas.h"
#include "schemas/link.h"

#define LINKS_FENCES_MS 200

struct ev_loop;
struct links;

/* What is about matches; each may be NULL. Pointers hold during the call. Called from links_update, and from the loop when
 * something came. */
struct links_handlers {
    void *context;
    void (*zone_up)(void *context, uint32_t slot, uint64_t incarnation, struct mono now);
    void (*zone_lost)(void *context, uint32_t slot, struct mono now);
    void (*persist_up)(void *context, uint32_t shard, struct mono now); /* a connection: nothing was told over it */
    void (*persist_lost)(void *context, uint32_t shard, struct mono now);
    void (*asks)(void *context, uint32_t gateway, const struct wire_gateway_asks *asks, struct mono now);
    void (*report)(void *context, uint32_t slot, const struct wire_instance_report *report, struct mono now);
    void (*told)(void *context, uint32_t shard, const struct wire_match_told *told, struct mono now);
};

struct links_config {
    const struct config *config;
    const char *run_dir;
    struct wire_hello hello;
    const uint8_t *key; /* the cluster key, NULL with ipc */
    struct atlas *atlas;
    struct links_handlers handlers;
};

struct links_stats {
    uint64_t received, bad, sent, refused, losses;
    uint64_t tells, tells_lost; /* messages to players: on their way, each by way of all gateways once; without room */
    uint32_t zones_up, gateways_up, persists_up;
};

must_check int links_open(struct links **out, struct ev_loop *loop, const struct links_config *config, char *error,
                          size_t error_size);
/* links_close: NULL is fine. */
void links_close(struct links *links);

/* links_update runs all edges and takes what came: at least every 50 ms. */
void links_update(struct links *links, struct mono now);

/* links_flush tells everybody what is due: after each step of the atlas. */
void links_flush(struct links *links, struct mono now);

/* links_tell tells a player something, by way of the gateway from which it asked last; of one whose gateway is not known, or
 * away, by way of all. */
void links_tell(struct links *links, uint64_t player, const struct wire_server_message *message);

/* links_order and links_ask send at once; errors as of link_send. */
must_check int links_order(struct links *links, uint32_t slot, const struct wire_instance_orders *orders);
must_check int links_ask(struct links *links, uint32_t shard, const struct wire_match_ask *ask);

bool links_zone_is_up(const struct links *links, uint32_t slot);
bool links_gateway_is_up(const struct links *links, uint32_t index);
bool links_persist_is_up(const struct links *links, uint32_t shard);

struct links_stats links_stats_get(const struct links *links);

#endif
