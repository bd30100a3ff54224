/* key_map.c: see key_map.h. */
#include "gateway/key_map.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

_Static_assert(KEY_MAP_SECRET_BYTES == crypto_shorthash_KEYBYTES, "SipHash-2-4");

int key_map_create(struct key_map *map, uint32_t count_max, const uint8_t secret[KEY_MAP_SECRET_BYTES]) {
    CHECK(count_max >= 1 && count_max <= 1u << 24);
    uint32_t size = 4;
    while (size < 2 * count_max) size *= 2;
    *map = (struct key_map){.mask = size - 1, .count_max = count_max};
    memcpy(map->secret, secret, KEY_MAP_SECRET_BYTES);
    map->entries = malloc(size * sizeof(map->entries[0]));
    if (map->entries == NULL) return MARCH_ERR_SYSTEM;
    for (uint32_t i = 0; i < size; i++) map->entries[i] = (struct key_map_entry){.value = KEY_MAP_NONE};
    return 0;
}

void key_map_destroy(struct key_map *map) {
    free(map->entries);
    *map = (struct key_map){0};
}

static uint32_t hash_of(const struct key_map *map, const void *key) {
    uint64_t hash;
    crypto_shorthash((uint8_t *)&hash, key, KEY_MAP_KEY_BYTES, map->secret);
    return (uint32_t)hash;
}

/* probe returns the entry with the key, or the empty one where it would go. */
static uint32_t probe(const struct key_map *map, const void *key, uint32_t hash) {
    uint32_t at = hash & map->mask;
    for (;; at = (at + 1) & map->mask) {
        const struct key_map_entry *entry = &map->entries[at];
        if (entry->value == KEY_MAP_NONE) return at;
        if (entry->hash == hash && memcmp(entry->key, key, KEY_MAP_KEY_BYTES) == 0) return at;
    }
}

uint32_t key_map_find(const struct key_map *map, const void *key) {
    return map->entries[probe(map, key, hash_of(map, key))].value;
}

int key_map_insert(struct key_map *map, const void *key, uint32_t value) {
    CHECK(value != KEY_MAP_NONE);
    uint32_t hash = hash_of(map, key);
    struct key_map_entry *entry = &map->entries[probe(map, key, hash)];
    if (entry->value != KEY_MAP_NONE) return MARCH_ERR_EXISTS;
    if (map->count == map->count_max) return MARCH_ERR_FULL;
    memcpy(entry->key, key, KEY_MAP_KEY_BYTES);
    entry->hash = hash;
    entry->value = value;
    map->count++;
    return 0;
}

int key_map_remove(struct key_map *map, const void *key) {
    uint32_t hole = probe(map, key, hash_of(map, key));
    if (map->entries[hole].value == KEY_MAP_NONE) return MARCH_ERR_NOT_FOUND;
    for (uint32_t at = (hole + 1) & map->mask; map->entries[at].value != KEY_MAP_NONE; at = (at + 1) & map->mask) {
        uint32_t home = map->entries[at].hash & map->mask;
        /* An entry may move back into the hole only if its home is not between the hole and itself. */
        if (((at - home) & map->mask) < ((at - hole) & map->mask)) continue;
        map->entries[hole] = map->entries[at];
        hole = at;
    }
    map->entries[hole].value = KEY_MAP_NONE;
    map->count--;
    return 0;
}
