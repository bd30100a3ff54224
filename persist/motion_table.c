/* motion_table.c: see the header. */
#include "persist/motion_table.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

/* The finaliser of splitmix64; the seed keeps others from choosing ids that collide. */
static uint64_t hash(const struct motion_table *table, uint64_t player) {
    uint64_t z = player ^ table->seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

int motion_table_init(struct motion_table *table, uint32_t capacity, uint64_t seed) {
    CHECK(capacity > 0 && capacity <= MOTION_PLAYERS_MAX);
    uint32_t slots = 4;
    while (slots < 2 * capacity) slots *= 2;
    *table = (struct motion_table){.capacity = capacity, .slot_mask = slots - 1, .seed = seed, .free_head = MOTION_NONE};
    for (unsigned i = 0; i < MOTION_QUEUES_COUNT; i++)
        table->queues[i] = (struct motion_queue){.head = MOTION_NONE, .tail = MOTION_NONE};
    table->entries = calloc(capacity, sizeof *table->entries);
    table->slots = calloc(slots, sizeof *table->slots);
    if (table->entries && table->slots) return 0;
    motion_table_deinit(table);
    return MARCH_ERR_SYSTEM;
}

void motion_table_deinit(struct motion_table *table) {
    free(table->entries);
    free(table->slots);
    table->entries = NULL;
    table->slots = NULL;
}

/* slot_of returns the player's slot, or the empty one where it would go. */
static uint32_t slot_of(const struct motion_table *table, uint64_t player) {
    uint32_t slot = (uint32_t)hash(table, player) & table->slot_mask;
    while (table->slots[slot] != 0 && table->entries[table->slots[slot] - 1].state.player != player)
        slot = (slot + 1) & table->slot_mask;
    return slot;
}

struct motion_entry *motion_table_find(const struct motion_table *table, uint64_t player) {
    uint32_t slot = slot_of(table, player);
    return table->slots[slot] ? &table->entries[table->slots[slot] - 1] : NULL;
}

int motion_table_grow(struct motion_table *table) {
    if (table->capacity > MOTION_PLAYERS_MAX / 2) return MARCH_ERR_FULL;
    struct motion_table larger;
    int result = motion_table_init(&larger, 2 * table->capacity, table->seed);
    if (result) return result;
    memcpy(larger.entries, table->entries, table->fresh * sizeof *table->entries);
    for (uint32_t i = 0; i < table->fresh; i++) {
        if (table->entries[i].used) larger.slots[slot_of(&larger, table->entries[i].state.player)] = i + 1;
    }
    motion_table_deinit(table);
    table->entries = larger.entries;
    table->slots = larger.slots;
    table->slot_mask = larger.slot_mask;
    table->capacity = larger.capacity;
    return 0;
}

static struct motion_entry *entry_new(struct motion_table *table) {
    if (table->free_head != MOTION_NONE) {
        struct motion_entry *entry = &table->entries[table->free_head];
        table->free_head = entry->next[MOTION_QUEUE_DIRTY];
        return entry;
    }
    return table->fresh < table->capacity ? &table->entries[table->fresh++] : NULL;
}

struct motion_entry *motion_table_take(struct motion_table *table, uint64_t player) {
    uint32_t slot = slot_of(table, player);
    if (table->slots[slot]) return &table->entries[table->slots[slot] - 1];
    struct motion_entry *entry = entry_new(table);
    if (!entry) return NULL;
    *entry = (struct motion_entry){.state.player = player, .used = true};
    table->slots[slot] = motion_table_index(table, entry) + 1;
    table->count++;
    return entry;
}

/* close_gap moves later entries of the run back, so that none is behind an empty slot on its way. */
static void close_gap(struct motion_table *table, uint32_t gap) {
    uint32_t mask = table->slot_mask;
    for (uint32_t slot = (gap + 1) & mask; table->slots[slot] != 0; slot = (slot + 1) & mask) {
        uint32_t home = (uint32_t)hash(table, table->entries[table->slots[slot] - 1].state.player) & mask;
        if (((slot - home) & mask) < ((slot - gap) & mask)) continue; /* its home lies behind the gap */
        table->slots[gap] = table->slots[slot];
        gap = slot;
    }
    table->slots[gap] = 0;
}

void motion_table_drop(struct motion_table *table, struct motion_entry *entry) {
    CHECK(entry->used && !entry->queued[MOTION_QUEUE_DIRTY] && !entry->queued[MOTION_QUEUE_HOT] && !entry->flushing);
    close_gap(table, slot_of(table, entry->state.player));
    entry->used = false;
    entry->next[MOTION_QUEUE_DIRTY] = table->free_head;
    table->free_head = motion_table_index(table, entry);
    table->count--;
}

void motion_table_push(struct motion_table *table, unsigned which, struct motion_entry *entry) {
    if (entry->queued[which]) return;
    struct motion_queue *queue = &table->queues[which];
    uint32_t index = motion_table_index(table, entry);
    entry->queued[which] = true;
    entry->next[which] = MOTION_NONE;
    if (queue->tail == MOTION_NONE) {
        queue->head = index;
    } else {
        table->entries[queue->tail].next[which] = index;
    }
    queue->tail = index;
    queue->count++;
}

static struct motion_entry *peek(const struct motion_table *table, unsigned which) {
    uint32_t head = table->queues[which].head;
    return head == MOTION_NONE ? NULL : &table->entries[head];
}

struct motion_entry *motion_table_pop(struct motion_table *table, unsigned which) {
    struct motion_entry *entry = peek(table, which);
    if (!entry) return NULL;
    struct motion_queue *queue = &table->queues[which];
    queue->head = entry->next[which];
    if (queue->head == MOTION_NONE) queue->tail = MOTION_NONE;
    queue->count--;
    entry->queued[which] = false;
    return entry;
}
