/* player_map.h: a map from player ids (64 bits, not 0) to numbers (32 bits), for millions of them in few bytes.
 *
 * Open addressing with linear probing in an array one and a half times the most entries there may be, 12 bytes each: 18
 * bytes a player. Sized at create, never grows. Removal shifts what is behind back, so that lookups don't slow down with
 * age. Ids are mixed with a seed, as players may have chosen theirs. Memory is touched as it is used: by small pages until
 * there is a player to three of them, then by huge ones.
 */
#ifndef MARCH_MATCHMAKER_PLAYER_MAP_H
#define MARCH_MATCHMAKER_PLAYER_MAP_H

#include <stdint.h>

#include "common/error.h"

#define PLAYER_MAP_NONE UINT32_MAX
#define PLAYER_MAP_MAX  (1u << 27)

/* Halves, for a 64-bit field would make it 16 bytes. */
struct player_map_entry {
    uint32_t id_low, id_high; /* both 0: empty */
    uint32_t value;
};

struct player_map {
    struct player_map_entry *entries;
    uint64_t seed;
    uint32_t size, count, count_max;
    uint32_t fills_at; /* so many players are many; 0: that was so */
};

/* player_map_create takes room for `count_max` players, 1 to PLAYER_MAP_MAX; MARCH_ERR_SYSTEM when memory is short. */
must_check int player_map_create(struct player_map *map, uint32_t count_max, uint64_t seed);
void player_map_destroy(struct player_map *map);

/* player_map_find returns the player's number, or PLAYER_MAP_NONE. */
uint32_t player_map_find(const struct player_map *map, uint64_t id);

/* player_map_prefetch begins to load the place of a player who will be looked for, added or removed. */
void player_map_prefetch(const struct player_map *map, uint64_t id);

/* player_map_add adds a player who is not there yet; there must be room. */
void player_map_add(struct player_map *map, uint64_t id, uint32_t value);

/* player_map_remove forgets a player, who must be there. */
void player_map_remove(struct player_map *map, uint64_t id);

#endif
