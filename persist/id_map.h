/* id_map.h: a map from ids (64 bits, not 0) to numbers (32 bits).
 *
 * Open addressing with linear probing, at most half full, sized when it is made, never grows: an insert into a full map is
 * refused. Removal shifts what is behind back, so that lookups don't slow down with age. Ids are mixed (splitmix64), for
 * they come in runs; who may choose ids freely must not be able to choose them here.
 */
#ifndef MARCH_PERSIST_ID_MAP_H
#define MARCH_PERSIST_ID_MAP_H

#include <stdint.h>

#include "common/error.h"

#define ID_MAP_NONE UINT32_MAX
#define ID_MAP_MAX  (1u << 26)

struct id_map_entry {
    uint64_t id; /* 0: empty */
    uint32_t value;
};

struct id_map {
    struct id_map_entry *entries;
    uint32_t mask, count, count_max;
};

/* id_map_create takes room for `count_max` ids, 1 to ID_MAP_MAX; MARCH_ERR_SYSTEM when memory is short. */
must_check int id_map_create(struct id_map *map, uint32_t count_max);
void id_map_destroy(struct id_map *map);

/* id_map_find returns the id's number, or ID_MAP_NONE. */
uint32_t id_map_find(const struct id_map *map, uint64_t id);

/* id_map_put sets the id's number, new or not; MARCH_ERR_FULL when it is new and there is no room. */
must_check int id_map_put(struct id_map *map, uint64_t id, uint32_t value);

/* id_map_remove forgets an id; one that is not there is fine. */
void id_map_remove(struct id_map *map, uint64_t id);

#endif
