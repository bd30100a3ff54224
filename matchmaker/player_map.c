/* player_map.c: see player_map.h. */
#include "matchmaker/player_map.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/check.h"
#include "matchmaker/table_memory.h"

#define SIZE_FIRST 4096u /* it is at first, where it may become larger */

_Static_assert(sizeof(struct player_map_entry) == 12, "what the map costs is told in its header");

static uint64_t id_of(const struct player_map_entry *entry) {
    return (uint64_t)entry->id_high << 32 | entry->id_low;
}

/* home_of returns where an id belongs: the finaliser of splitmix64 (S. Vigna, 2015), its top half scaled to the size. */
static uint32_t home_of(const struct player_map *map, uint64_t id) {
    id += map->seed;
    id = (id ^ id >> 30) * 0xbf58476d1ce4e5b9ULL;
    id = (id ^ id >> 27) * 0x94d049bb133111ebULL;
    return (uint32_t)(((id ^ id >> 31) >> 32) * map->size >> 32);
}

static uint32_t after(const struct player_map *map, uint32_t at) {
    return at + 1 == map->size ? 0 : at + 1;
}

/* distance returns how far behind `from` a place is, around the end. */
static uint32_t distance(const struct player_map *map, uint32_t from, uint32_t to) {
    return to >= from ? to - from : to + map->size - from;
}

/* probe returns where the id is, or the empty place where it would go. */
static uint32_t probe(const struct player_map *map, uint64_t id) {
    uint32_t at = home_of(map, id);
    for (uint64_t there; (there = id_of(&map->entries[at])) != 0 && there != id;) at = after(map, at);
    return at;
}

int player_map_create(struct player_map *map, uint32_t count_max, uint64_t seed) {
    CHECK(count_max >= 1 && count_max <= PLAYER_MAP_MAX);
    *map = (struct player_map){.seed = seed, .size_max = count_max + count_max / 2 + 2, .count_max = count_max};
    bool grows = map->size_max > SIZE_FIRST;
    map->size = grows ? SIZE_FIRST : map->size_max;
    map->entries = table_memory_reserve(map->size_max, sizeof *map->entries);
    if (grows) map->other = table_memory_reserve(map->size_max, sizeof *map->other);
    return map->entries && (map->other || !grows) ? 0 : MARCH_ERR_SYSTEM;
}

void player_map_destroy(struct player_map *map) {
    free(map->other);
    free(map->entries);
    *map = (struct player_map){0};
}

/* grow moves all into the other array, in the order of their homes, so through both from one end to the other. */
static void grow(struct player_map *map) {
    struct player_map_entry *old = map->entries;
    uint32_t old_size = map->size, step = old_size / 8;
    map->size = map->size_max - old_size > step ? old_size + step : map->size_max;
    map->entries = map->other;
    table_memory_grow(map->entries, map->size, sizeof *map->entries);
    for (uint32_t i = 0; i < old_size; i++)
        if (id_of(&old[i]) != 0) map->entries[probe(map, id_of(&old[i]))] = old[i];
    table_memory_clear(old, old_size, sizeof *old);
    map->other = old;
}

uint32_t player_map_find(const struct player_map *map, uint64_t id) {
    const struct player_map_entry *entry = &map->entries[probe(map, id)];
    return id != 0 && id_of(entry) == id ? entry->value : PLAYER_MAP_NONE;
}

void player_map_prefetch(const struct player_map *map, uint64_t id) {
    __builtin_prefetch(&map->entries[home_of(map, id)], 1);
}

void player_map_add(struct player_map *map, uint64_t id, uint32_t value) {
    if (map->count >= map->size / 4 * 3 && map->size < map->size_max) grow(map);
    struct player_map_entry *entry = &map->entries[probe(map, id)];
    CHECK(id != 0 && id_of(entry) == 0 && map->count < map->count_max && value != PLAYER_MAP_NONE);
    *entry = (struct player_map_entry){(uint32_t)id, (uint32_t)(id >> 32), value};
    map->count++;
}

void player_map_remove(struct player_map *map, uint64_t id) {
    uint32_t hole = probe(map, id);
    CHECK(id != 0 && id_of(&map->entries[hole]) == id);
    for (uint32_t at = after(map, hole); id_of(&map->entries[at]) != 0; at = after(map, at)) {
        /* An entry may move back into the hole only if its home is not between the hole and itself. */
        uint32_t home = home_of(map, id_of(&map->entries[at]));
        if (distance(map, home, at) < distance(map, hole, at)) continue;
        map->entries[hole] = map->entries[at];
        hole = at;
    }
    map->entries[hole] = (struct player_map_entry){0};
    map->count--;
}
