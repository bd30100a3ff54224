/* id_map.c: see id_map.h. */
#include "persist/id_map.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

int id_map_create(struct id_map *map, uint32_t count_max) {
    CHECK(count_max >= 1 && count_max <= ID_MAP_MAX);
    uint32_t size = 4;
    while (size < 2 * count_max) size *= 2;
    *map = (struct id_map){.mask = size - 1, .count_max = count_max};
    map->entries = calloc(size, sizeof *map->entries);
    return map->entries ? 0 : MARCH_ERR_SYSTEM;
}

void id_map_destroy(struct id_map *map) {
    free(map->entries);
    *map = (struct id_map){0};
}

/* home_of returns where an id belongs: the finaliser of splitmix64 (S. Vigna, 2015). */
static uint32_t home_of(const struct id_map *map, uint64_t id) {
    id = (id ^ id >> 30) * 0xbf58476d1ce4e5b9ULL;
    id = (id ^ id >> 27) * 0x94d049bb133111ebULL;
    return (uint32_t)(id ^ id >> 31) & map->mask;
}

/* probe returns where the id is, or the empty place where it would go. */
static uint32_t probe(const struct id_map *map, uint64_t id) {
    uint32_t at = home_of(map, id);
    while (map->entries[at].id != 0 && map->entries[at].id != id) at = (at + 1) & map->mask;
    return at;
}

uint32_t id_map_find(const struct id_map *map, uint64_t id) {
    const struct id_map_entry *entry = &map->entries[probe(map, id)];
    return entry->id == id && id != 0 ? entry->value : ID_MAP_NONE;
}

int id_map_put(struct id_map *map, uint64_t id, uint32_t value) {
    CHECK(id != 0 && value != ID_MAP_NONE);
    struct id_map_entry *entry = &map->entries[probe(map, id)];
    if (entry->id == 0) {
        if (map->count == map->count_max) return MARCH_ERR_FULL;
        map->count++;
    }
    *entry = (struct id_map_entry){id, value};
    return 0;
}

void id_map_remove(struct id_map *map, uint64_t id) {
    uint32_t hole = probe(map, id);
    if (id == 0 || map->entries[hole].id == 0) return;
    for (uint32_t at = (hole + 1) & map->mask; map->entries[at].id != 0; at = (at + 1) & map->mask) {
        /* An entry may move back into the hole only if its home is not between the hole and itself. */
        uint32_t home = home_of(map, map->entries[at].id);
        if (((at - home) & map->mask) < ((at - hole) & map->mask)) continue;
        map->entries[hole] = map->entries[at];
        hole = at;
    }
    map->entries[hole] = (struct id_map_entry){0};
    map->count--;
}
