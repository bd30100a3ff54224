/* links.h: the matchmaker's edges: what zones, gateways and persists say goes into the atlas, what it decides goes out.
 *
 * Zones and gateways are listened for, persists are dialled. A peer that is UP gets the newest directory once it is there,
 * and each version after it; where the bus refuses, the newest one later. A persist gets the fences that it has not done, at
 * once when there are others, else again every LINKS_FENCES_MS until they are done.
 *
 * All on the loop's thread; nothing blocks. Limits: LINK_RECEIVES_MAX messages of a peer are taken at a time.
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

struct links_config {
    const struct config *config;
    const char *run_dir;
    struct wire_hello hello;
    const uint8_t *key; /* the cluster key, NULL with ipc */
    struct atlas *atlas;
};

struct links_stats {
    uint64_t received, bad, sent, refused, losses;
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

bool links_zone_is_up(const struct links *links, uint32_t slot);
bool links_gateway_is_up(const struct links *links, uint32_t index);
bool links_persist_is_up(const struct links *links, uint32_t shard);

struct links_stats links_stats_get(const struct links *links);

#endif
