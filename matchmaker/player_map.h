/* player_map.h: a map from player ids (64 bits, not 0) to numbers (32 bits), for millions of them in few bytes.
 *
 * Open addressing with linear probing, 12 bytes an entry, in an array that grows by an eighth when it is three quarters
 * full: 16 to 18 bytes a player. All memory is taken at create, twice what the largest array needs, and touched as it is
 * used: to grow is to move into the other half, which takes some milliseconds for a million players, and to give the first
 * one's pages back. Removal shifts what is behind back, so that lookups don't slow down with age. Ids are mixed with a seed,
 * as players may have chosen theirs.
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
    struct player_map_entry *other; /* where it grows to, all zero; NULL: it has its size */
    uint64_t seed;
    uint32_t size, size_max, count, count_max;
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
