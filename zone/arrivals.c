#include "zone/arrivals.h"

#include <stdlib.h>

#include "common/check.h"
#include "zone/hash.h"

#define PLACES      (2 * ARRIVALS_MAX) /* half of them in use at most, so that searches are short */
#define MASK        (PLACES - 1)
#define EXPIRE_STEP 128 /* places looked at in a tick; one that was freed counts twice */

_Static_assert((PLACES & MASK) == 0, "a hash is cut to a place by its low bits");

struct arrival {
    uint64_t id;
    uint64_t carried_tick;
    uint64_t noted_tick; /* 0: free */
};

/* Open addressing with linear probing. */
struct arrivals {
    uint64_t keep_ticks;
    uint32_t count;
    uint32_t next; /* place that arrivals_expire looks at next */
    struct arrival places[PLACES];
};

struct arrivals *arrivals_create(uint32_t tick_hz) {
    struct arrivals *a = calloc(1, sizeof *a);
    if (a) a->keep_ticks = (uint64_t)tick_hz * ARRIVALS_KEEP_MS / 1000;
    return a;
}

void arrivals_destroy(struct arrivals *a) {
    free(a);
}

static uint32_t home_of(uint64_t id) {
    return (uint32_t)(id * 0x9e3779b97f4a7c15u >> 32) & MASK;
}

static uint32_t place_of(const struct arrivals *a, uint64_t id) {
    uint32_t place = home_of(id);
    while (a->places[place].noted_tick != 0 && a->places[place].id != id) place = (place + 1) & MASK;
    return place;
}

bool arrivals_has_room(const struct arrivals *a, uint64_t id) {
    return a->count < ARRIVALS_MAX || a->places[place_of(a, id)].noted_tick != 0;
}

void arrivals_note(struct arrivals *a, uint64_t id, uint64_t carried_tick, uint64_t now) {
    CHECK(now > 0 && arrivals_has_room(a, id));
    struct arrival *at = &a->places[place_of(a, id)];
    a->count += at->noted_tick == 0;
    *at = (struct arrival){.id = id, .carried_tick = carried_tick, .noted_tick = now};
}

uint64_t arrivals_find(const struct arrivals *a, uint64_t id) {
    const struct arrival *at = &a->places[place_of(a, id)];
    return at->noted_tick != 0 ? at->carried_tick : 0;
}

void arrivals_renew(struct arrivals *a, uint64_t now) {
    for (uint32_t i = 0; i < PLACES; i++) {
        if (a->places[i].noted_tick != 0) a->places[i].noted_tick = now;
    }
}

/* What follows a place that becomes free moves up, so that no search ends too early. */
static void free_place(struct arrivals *a, uint32_t free_at) {
    for (uint32_t next = (free_at + 1) & MASK; a->places[next].noted_tick != 0; next = (next + 1) & MASK) {
        uint32_t home = home_of(a->places[next].id);
        if (((next - home) & MASK) < ((next - free_at) & MASK)) continue;
        a->places[free_at] = a->places[next];
        free_at = next;
    }
    a->places[free_at] = (struct arrival){0};
    a->count--;
}

/* A place that was freed is looked at again: another entry may have moved there. */
void arrivals_expire(struct arrivals *a, uint64_t now) {
    for (uint32_t i = 0; i < EXPIRE_STEP; i++) {
        const struct arrival *at = &a->places[a->next];
        if (at->noted_tick != 0 && now >= at->noted_tick + a->keep_ticks) {
            free_place(a, a->next);
        } else {
            a->next = (a->next + 1) & MASK;
        }
    }
}

uint32_t arrivals_count(const struct arrivals *a) {
    return a->count;
}

uint64_t arrivals_hash(const struct arrivals *a, uint64_t hash) {
    if (a->count == 0) return hash;
    hash = hash_word(hash, (uint64_t)a->next << 32 | a->count);
    for (uint32_t i = 0; i < PLACES; i++) {
        if (a->places[i].noted_tick == 0) continue;
        hash = hash_word(hash, a->places[i].id);
        hash = hash_word(hash, a->places[i].carried_tick);
        hash = hash_word(hash, a->places[i].noted_tick);
    }
    return hash;
}
