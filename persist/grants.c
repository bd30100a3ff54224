/* grants.c: a ring in the order of positions, and chains by (player, key) through it. */
#include "persist/grants.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/shard.h"
#include "persist/journal.h"

#define NONE UINT32_MAX

_Static_assert((GRANTS_MAX & (GRANTS_MAX - 1)) == 0, "the numbers' modulus may come round");
_Static_assert(GRANTS_REPLAYED_MAX % GRANTS_MAX == 0, "reached by doubling");
_Static_assert(sizeof(struct wire_loot_grant) == 32, "a journal record is these bytes");

enum grant_state { GRANT_WAITING = 0, GRANT_APPLYING = 1, GRANT_APPLIED = 2, GRANT_STATE_COUNT = 3 };

struct entry {
    struct wire_loot_grant grant;
    uint64_t position;
    enum grant_state state;
    uint32_t next; /* slot in the same bucket */
};

/* Entries are numbered as they come; number n lies in slot n % capacity. */
struct grants {
    struct grants_config config;
    struct entry *entries;
    uint32_t *buckets;           /* slot, or NONE */
    uint32_t capacity;           /* of both; a power of two, GRANTS_MAX unless a replay needed more */
    uint64_t oldest, newest_end; /* numbers: oldest that is not applied, one past the newest */
    uint64_t offer;              /* none before this one waits */
    uint32_t applying;
    struct grants_stats stats;
};

/* arrays_make takes memory for `capacity` entries, none of them in a bucket. */
static int arrays_make(struct grants *g, uint32_t capacity) {
    struct entry *entries = calloc(capacity, sizeof *entries);
    uint32_t *buckets = malloc(capacity * sizeof *buckets);
    if (!entries || !buckets) {
        free(entries);
        free(buckets);
        return MARCH_ERR_SYSTEM;
    }
    memset(buckets, 0xff, capacity * sizeof *buckets);
    g->entries = entries;
    g->buckets = buckets;
    g->capacity = capacity;
    return 0;
}

int grants_create(const struct grants_config *config, struct grants **out) {
    struct grants *g = calloc(1, sizeof *g);
    if (!g) return MARCH_ERR_SYSTEM;
    g->config = *config;
    if (arrays_make(g, GRANTS_MAX) != 0) {
        free(g);
        return MARCH_ERR_SYSTEM;
    }
    *out = g;
    return 0;
}

void grants_destroy(struct grants *g) {
    if (!g) return;
    free(g->entries);
    free(g->buckets);
    free(g);
}

/* --- the ring and its chains */

static struct entry *entry_at(const struct grants *g, uint64_t number) {
    return &g->entries[number % g->capacity];
}

static uint32_t *bucket_of(const struct grants *g, const struct wire_loot_grant *grant) {
    uint64_t z = (grant->player ^ (grant->key << 32 | grant->key >> 32)) * 0x9e3779b97f4a7c15;
    return &g->buckets[(z ^ z >> 32) % g->capacity];
}

static struct entry *find_key(const struct grants *g, const struct wire_loot_grant *grant) {
    for (uint32_t slot = *bucket_of(g, grant); slot != NONE; slot = g->entries[slot].next) {
        struct entry *entry = &g->entries[slot];
        if (entry->grant.player == grant->player && entry->grant.key == grant->key) return entry;
    }
    return NULL;
}

static void push(struct grants *g, const struct wire_loot_grant *grant, uint64_t position) {
    uint32_t slot = (uint32_t)(g->newest_end++ % g->capacity);
    uint32_t *bucket = bucket_of(g, grant);
    g->entries[slot] = (struct entry){.grant = *grant, .position = position, .next = *bucket};
    *bucket = slot;
}

static void pop(struct grants *g) {
    uint32_t slot = (uint32_t)(g->oldest++ % g->capacity);
    uint32_t *link = bucket_of(g, &g->entries[slot].grant);
    while (*link != slot) link = &g->entries[*link].next;
    *link = g->entries[slot].next;
}

static bool is_full(const struct grants *g) {
    return g->newest_end - g->oldest >= GRANTS_MAX;
}

/* number_of finds the entry with a position by bisection; newest_end when there is none. */
static uint64_t number_of(const struct grants *g, uint64_t position) {
    uint64_t low = g->oldest, high = g->newest_end;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (entry_at(g, middle)->position < position) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < g->newest_end && entry_at(g, low)->position == position ? low : g->newest_end;
}

/* grow doubles the room, before anything was handed out. */
static int grow(struct grants *g) {
    if (g->capacity == GRANTS_REPLAYED_MAX) return MARCH_ERR_FULL;
    struct grants old = *g;
    int result = arrays_make(g, 2 * old.capacity);
    if (result) return result;
    g->newest_end = g->oldest;
    for (uint64_t number = old.oldest; number < old.newest_end; number++)
        push(g, &entry_at(&old, number)->grant, entry_at(&old, number)->position);
    free(old.entries);
    free(old.buckets);
    return 0;
}

/* --- in */

int grants_replay(struct grants *g, uint64_t position, const uint8_t *bytes, size_t len) {
    struct wire_loot_grant grant;
    if (len != sizeof grant) return MARCH_ERR_INVALID;
    memcpy(&grant, bytes, sizeof grant);
    if (!player_id_valid(grant.player)) return MARCH_ERR_INVALID;
    int result = g->newest_end - g->oldest == g->capacity ? grow(g) : 0;
    if (result) return result;
    push(g, &grant, position);
    g->stats.replayed++;
    return 0;
}

int grants_add(struct grants *g, const struct wire_loot_grant *grant, uint64_t *position) {
    if (!player_id_valid(grant->player)) return MARCH_ERR_INVALID;
    const struct entry *same = find_key(g, grant);
    if (same) {
        *position = same->position;
        return 0;
    }
    int result =
        is_full(g) ? MARCH_ERR_FULL : journal_append(g->config.journal, GRANTS_RECORD, grant, sizeof *grant, position);
    if (result) {
        g->stats.refused++;
        return result;
    }
    push(g, grant, *position);
    g->stats.added++;
    return 0;
}

/* --- out */

void grants_update(struct grants *g) {
    uint64_t durable = journal_durable(g->config.journal);
    for (uint32_t offered = 0; offered < GRANTS_APPLYING_MAX && g->applying < GRANTS_APPLYING_MAX;) {
        if (g->offer == g->newest_end) return;
        uint64_t number = g->offer;
        struct entry *entry = entry_at(g, number);
        if (entry->state == GRANT_WAITING && entry->position > durable) return;
        g->offer++; /* before the call, which may move it */
        if (entry->state != GRANT_WAITING) continue;
        struct wire_loot_grant grant = entry->grant;
        entry->state = GRANT_APPLYING;
        g->applying++;
        offered++;
        if (g->config.apply(g->config.ctx, entry->position, &grant) == 0) continue;
        entry->state = GRANT_WAITING;
        g->applying--;
        g->offer = number;
        return;
    }
}

void grants_applied(struct grants *g, uint64_t position) {
    uint64_t number = number_of(g, position);
    CHECK(number < g->newest_end && entry_at(g, number)->state == GRANT_APPLYING);
    entry_at(g, number)->state = GRANT_APPLIED;
    g->applying--;
    g->stats.applied++;
    while (g->oldest < g->newest_end && entry_at(g, g->oldest)->state == GRANT_APPLIED) pop(g);
    if (g->offer < g->oldest) g->offer = g->oldest;
}

void grants_retry(struct grants *g, uint64_t position) {
    uint64_t number = number_of(g, position);
    CHECK(number < g->newest_end && entry_at(g, number)->state == GRANT_APPLYING);
    entry_at(g, number)->state = GRANT_WAITING;
    g->applying--;
    g->stats.retries++;
    if (number < g->offer) g->offer = number;
}

uint64_t grants_watermark(const struct grants *g) {
    return g->oldest < g->newest_end ? entry_at(g, g->oldest)->position - 1 : UINT64_MAX;
}

struct grants_stats grants_stats_get(const struct grants *g) {
    struct grants_stats stats = g->stats;
    stats.waiting = (uint32_t)(g->newest_end - g->oldest);
    stats.is_replaying = g->oldest < stats.replayed; /* numbers begin at 0, and with those */
    stats.applying = g->applying;
    return stats;
}
