/* client_past.c: see client_past.h. */
#include "tools/client/client_past.h"

#include <stdlib.h>
#include <string.h>

int client_past_init(struct client_past *past, uint32_t max) {
    *past = (struct client_past){.max = max, .entities = calloc(max, sizeof(*past->entities))};
    return past->entities == NULL ? MARCH_ERR_SYSTEM : MARCH_OK;
}

void client_past_deinit(struct client_past *past) {
    free(past->entities);
    *past = (struct client_past){0};
}

void client_past_reset(struct client_past *past) {
    past->count = 0;
}

/* --- a stream ends */

static bool is_newer(uint32_t tick, uint32_t than) {
    return (int32_t)(tick - than) > 0;
}

/* put_state keeps a state in its place among the newest. */
static void put_state(struct client_past_entity *entity, const struct net_state *state) {
    unsigned at = entity->count;
    while (at > 0 && is_newer(state->tick, entity->states[at - 1].tick)) at--;
    if (at == CLIENT_PAST_STATES) return;
    unsigned moved = (entity->count < CLIENT_PAST_STATES ? entity->count : CLIENT_PAST_STATES - 1u) - at;
    memmove(&entity->states[at + 1], &entity->states[at], moved * sizeof(*state));
    entity->states[at] = *state;
    if (entity->count < CLIENT_PAST_STATES) entity->count++;
}

static struct client_past_entity *find(struct client_past *past, uint64_t id) {
    for (uint32_t i = 0; i < past->count; i++)
        if (past->entities[i].id == id) return &past->entities[i];
    return NULL;
}

static struct client_past_entity *find_oldest(struct client_past *past) {
    struct client_past_entity *oldest = &past->entities[0];
    for (uint32_t i = 1; i < past->count; i++)
        if (past->entities[i].since.ns < oldest->since.ns) oldest = &past->entities[i];
    return oldest;
}

/* room_for returns where an entity goes: where it is already, with its states if the new stream went on from them. */
static struct client_past_entity *room_for(struct client_past *past, uint64_t id) {
    struct client_past_entity *entity = past->count > 0 ? find(past, id) : NULL;
    if (entity == NULL) {
        entity = past->count < past->max ? &past->entities[past->count++] : find_oldest(past);
        entity->count = 0;
    } else if (entity->slot == CLIENT_PAST_NO_SLOT) {
        entity->count = 0;
    }
    return entity;
}

void client_past_keep(struct client_past *past, struct mono now, const struct snapshot_table *table) {
    for (uint32_t i = 0; i < table->slots_used; i++) {
        const struct snapshot_slot *slot = &table->slots[i];
        if (slot->id == 0) continue;
        struct client_past_entity *entity = room_for(past, slot->id);
        for (unsigned version = 0; version < SNAPSHOT_VERSIONS; version++)
            if (slot->known >> version & 1) put_state(entity, &slot->states[version]);
        entity->id = slot->id;
        entity->since = now;
        entity->slot = CLIENT_PAST_NO_SLOT;
        entity->own = i == 0;
        entity->taken_away = false;
    }
}

/* --- the new stream fills */

bool client_past_shows(const struct client_past_entity *entity, struct mono now) {
    return entity->slot == CLIENT_PAST_NO_SLOT && !entity->taken_away &&
           !mono_reached(now, mono_add_ms(entity->since, CLIENT_PAST_KEEP_MS));
}

static bool is_over(const struct client_past_entity *entity, struct mono now) {
    uint64_t ms = entity->taken_away ? CLIENT_PAST_BLINK_MS : CLIENT_PAST_KEEP_MS + CLIENT_PAST_BLINK_MS;
    return mono_reached(now, mono_add_ms(entity->since, ms));
}

static void drop(struct client_past *past, struct client_past_entity *entity) {
    *entity = past->entities[--past->count];
}

/* take_away is for a slot that was emptied or has another tenant now. */
static void take_away(struct client_past *past, struct mono now, uint16_t slot, uint64_t tenant) {
    for (uint32_t i = 0; i < past->count; i++) {
        struct client_past_entity *entity = &past->entities[i];
        if (entity->slot != slot || entity->id == tenant) continue;
        entity->slot = CLIENT_PAST_NO_SLOT;
        entity->taken_away = true;
        entity->since = now;
        return;
    }
}

/* hand_on gives an entity to the slot that has it now. Only what was before the new state counts on. */
static void hand_on(struct client_past *past, struct mono now, const struct snapshot_change *change) {
    struct client_past_entity *entity = find(past, change->id);
    if (entity == NULL || entity->slot == change->slot) return;
    if (!client_past_shows(entity, now)) {
        past->blinks += entity->slot == CLIENT_PAST_NO_SLOT;
        drop(past, entity);
        return;
    }
    uint32_t newer = 0;
    while (newer < entity->count && !is_newer(change->state.tick, entity->states[newer].tick)) newer++;
    if (newer == entity->count) {
        drop(past, entity);
        return;
    }
    entity->count = (uint8_t)(entity->count - newer);
    memmove(&entity->states[0], &entity->states[newer], entity->count * sizeof(entity->states[0]));
    entity->slot = change->slot;
}

/* drop_own forgets the own entity where the new stream has another one. */
static void drop_own(struct client_past *past, const struct snapshot_table *table) {
    uint64_t own = table->slots[0].id;
    for (uint32_t i = 0; own != 0 && i < past->count; i++) {
        if (!past->entities[i].own || past->entities[i].id == own) continue;
        drop(past, &past->entities[i]);
        return;
    }
}

void client_past_follow(struct client_past *past, struct mono now, const struct snapshot_table *table) {
    for (uint32_t i = 0; i < past->count;) {
        if (is_over(&past->entities[i], now)) {
            drop(past, &past->entities[i]);
        } else {
            i++;
        }
    }
    if (past->count == 0) return;
    for (uint32_t i = 0; i < table->removal_count; i++) take_away(past, now, table->removals[i], 0);
    for (uint32_t i = 0; i < table->change_count; i++) {
        if (!table->changes[i].full) continue;
        take_away(past, now, table->changes[i].slot, table->changes[i].id);
        hand_on(past, now, &table->changes[i]);
    }
    drop_own(past, table);
}

void client_past_shift(struct client_past *past, int32_t ticks) {
    for (uint32_t i = 0; i < past->count; i++)
        for (unsigned k = 0; k < past->entities[i].count; k++) past->entities[i].states[k].tick += (uint32_t)ticks;
}

void client_past_index(const struct client_past *past, uint16_t of_slot[SNAPSHOT_SLOTS_MAX]) {
    memset(of_slot, 0, SNAPSHOT_SLOTS_MAX * sizeof(of_slot[0]));
    for (uint32_t i = 0; i < past->count; i++)
        if (past->entities[i].slot != CLIENT_PAST_NO_SLOT) of_slot[past->entities[i].slot] = (uint16_t)(i + 1);
}
