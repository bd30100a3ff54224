/* shard.h: which persist keeps what.
 *
 * A player belongs to the shard that shard_of_player names, for as long as the count of shards stays as it is. Every other
 * id (items, trades, auctions, guilds, transfers, events) is `shard index << 48 | counter`, made where the thing began, so
 * it names its home itself. No id is ever 0.
 */
#ifndef MARCH_COMMON_SHARD_H
#define MARCH_COMMON_SHARD_H

#include <stdbool.h>
#include <stdint.h>

#define SHARD_ID_SHIFT 48

/* player_id_valid tells whether an id may be a player's: 1 to 2^63 - 1, as a bigint of PostgreSQL takes it. */
static inline bool player_id_valid(uint64_t player) {
    return player != 0 && player <= INT64_MAX;
}

/* shard_of_player spreads players evenly over `shard_count` (at least 1) shards. The mix is the finaliser of splitmix64
 * (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014). */
static inline uint32_t shard_of_player(uint64_t player, uint32_t shard_count) {
    uint64_t z = player + 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (uint32_t)((z ^ (z >> 31)) % shard_count);
}

/* shard_of_id returns the shard whose counter made an id that is no player's. */
static inline uint32_t shard_of_id(uint64_t id) {
    return (uint32_t)(id >> SHARD_ID_SHIFT);
}

static inline uint64_t shard_id(uint32_t shard_index, uint64_t counter) {
    return (uint64_t)shard_index << SHARD_ID_SHIFT | counter;
}

#endif
