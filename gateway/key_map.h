/* key_map.h: a map from 20-byte keys to 32-bit values, for tables that strangers can fill.
 *
 * Open addressing with linear probing under SipHash with a secret key, so nobody outside can choose keys that collide. At
 * most half full, sized at creation, never grows: an insert into a full map is refused. Removal shifts the entries behind it
 * back, so there are no tombstones and lookups don't slow down with age. Shorter keys are padded with zeros by the caller.
 */
#ifndef MARCH_GATEWAY_KEY_MAP_H
#define MARCH_GATEWAY_KEY_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define KEY_MAP_KEY_BYTES    20
#define KEY_MAP_SECRET_BYTES 16
#define KEY_MAP_NONE         UINT32_MAX

struct key_map_entry {
    uint8_t key[KEY_MAP_KEY_BYTES];
    uint32_t hash;
    uint32_t value; /* KEY_MAP_NONE: empty */
};

struct key_map {
    struct key_map_entry *entries;
    uint32_t mask; /* entries - 1 */
    uint32_t count;
    uint32_t count_max;
    uint8_t secret[KEY_MAP_SECRET_BYTES];
};

/* key_map_create allocates room for count_max keys (1 to 2^24); MARCH_ERR_SYSTEM without memory. */
must_check int key_map_create(struct key_map *map, uint32_t count_max, const uint8_t secret[KEY_MAP_SECRET_BYTES]);
void key_map_destroy(struct key_map *map);

/* key_map_find returns the key's value or KEY_MAP_NONE. */
uint32_t key_map_find(const struct key_map *map, const void *key);

/* key_map_insert adds a key with a value other than KEY_MAP_NONE. MARCH_ERR_EXISTS or MARCH_ERR_FULL change nothing. */
must_check int key_map_insert(struct key_map *map, const void *key, uint32_t value);

/* key_map_remove returns MARCH_ERR_NOT_FOUND when the key is not there. */
must_check int key_map_remove(struct key_map *map, const void *key);

#endif
