/* token_history.c: see token_history.h. */
#include "gateway/token_history.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

/* The MAC as a key of the map, padded with zeros. */
struct mac_key {
    uint8_t bytes[KEY_MAP_KEY_BYTES];
};

static struct mac_key key_of(const uint8_t mac[NETCODE_MAC_BYTES]) {
    struct mac_key key = {0};
    memcpy(key.bytes, mac, NETCODE_MAC_BYTES);
    return key;
}

int token_history_create(struct token_history *history, uint32_t count_max, const uint8_t secret[KEY_MAP_SECRET_BYTES]) {
    *history = (struct token_history){0};
    history->entries = calloc(count_max, sizeof(history->entries[0]));
    if (history->entries == NULL || index_pool_create(&history->pool, count_max) != 0 ||
        key_map_create(&history->map, count_max, secret) != 0) {
        token_history_destroy(history);
        return MARCH_ERR_SYSTEM;
    }
    return 0;
}

void token_history_destroy(struct token_history *history) {
    key_map_destroy(&history->map);
    free(history->entries);
    index_pool_destroy(&history->pool);
    *history = (struct token_history){0};
}

enum token_state token_history_look(const struct token_history *history, const uint8_t mac[NETCODE_MAC_BYTES],
                                    const struct addr *from) {
    struct mac_key key = key_of(mac);
    uint32_t index = key_map_find(&history->map, key.bytes);
    if (index == KEY_MAP_NONE) return TOKEN_NEW;
    const struct token_entry *entry = &history->entries[index];
    return !entry->consumed && addr_equal(&entry->from, from) ? TOKEN_PENDING : TOKEN_USED;
}

int token_history_add(struct token_history *history, const uint8_t mac[NETCODE_MAC_BYTES], const struct addr *from,
                      uint64_t expire_s) {
    CHECK(expire_s != 0);
    if (history->pool.free_count == 0) return MARCH_ERR_FULL;
    uint32_t index = index_pool_take(&history->pool);
    struct mac_key key = key_of(mac);
    int error = key_map_insert(&history->map, key.bytes, index);
    if (error != 0) {
        index_pool_give(&history->pool, index);
        return error;
    }
    history->entries[index] = (struct token_entry){.from = *from, .expire_s = expire_s};
    memcpy(history->entries[index].mac, mac, NETCODE_MAC_BYTES);
    return 0;
}

void token_history_consume(struct token_history *history, const uint8_t mac[NETCODE_MAC_BYTES]) {
    struct mac_key key = key_of(mac);
    uint32_t index = key_map_find(&history->map, key.bytes);
    if (index != KEY_MAP_NONE) history->entries[index].consumed = 1;
}

static void forget(struct token_history *history, uint32_t index) {
    struct mac_key key = key_of(history->entries[index].mac);
    int error = key_map_remove(&history->map, key.bytes);
    CHECK(error == 0);
    history->entries[index].expire_s = 0;
    index_pool_give(&history->pool, index);
}

void token_history_sweep(struct token_history *history, uint64_t elapsed_ns, uint64_t now_s) {
    /* Tokens expire by the second, so a pass may take 25 times the pool's. */
    for (uint32_t n = index_pool_share(&history->pool, elapsed_ns / 25); n > 0; n--) {
        uint32_t index = index_pool_next(&history->pool);
        const struct token_entry *entry = &history->entries[index];
        if (entry->expire_s != 0 && entry->expire_s <= now_s) forget(history, index);
    }
}
