#include "gateway/compass.h"

#include <string.h>

#include "schemas/cells.h"

_Static_assert(WIRE_WORKERS_MAX <= 64, "a set of slots is a word");

static uint32_t spread(uint64_t player, uint32_t count) {
    return (uint32_t)((player * 0x9e3779b97f4a7c15u >> 32) % count);
}

static int32_t middle(int32_t min_m, int32_t max_m) {
    return (int32_t)(((int64_t)min_m + max_m) * 32768);
}

/* is_home tells whether a partition has an owner to whom players may be sent who have to be somewhere. Nobody has to be in a
 * block. */
static bool is_home(const struct wire_directory_partition *partition) {
    return partition->owner < WIRE_WORKERS_MAX && !cells_is_block(partition->id);
}

static void remember_one(struct compass *compass, const struct wire_directory_partition *partition) {
    struct compass_memory *memory = &compass->owned[partition->owner];
    if (memory->count == COMPASS_PLACES_MAX) return;
    const struct wire_rect *r = &partition->rect;
    memory->places[memory->count++] = (struct compass_place){middle(r->min_x, r->max_x), middle(r->min_y, r->max_y)};
}

static void remember(struct compass *compass) {
    const struct directory *d = &compass->directory;
    for (uint32_t i = 0; i < WIRE_WORKERS_MAX; i++)
        if (directory_owns(d, i)) compass->owned[i].count = 0;
    for (uint32_t i = 0; i < d->partition_count; i++)
        if (is_home(&d->partitions[i])) remember_one(compass, &d->partitions[i]);
}

void compass_init(struct compass *compass, const struct directory *directory) {
    memset(compass, 0, sizeof *compass);
    compass->directory = *directory;
    remember(compass);
}

bool compass_take(struct compass *compass, const struct wire_directory *directory) {
    if (!directory_take(&compass->directory, directory)) return false;
    remember(compass);
    return true;
}

uint32_t compass_spawn(const struct compass *compass, uint64_t player) {
    const struct directory *d = &compass->directory;
    uint64_t owners = 0;
    for (uint32_t i = 0; i < d->partition_count; i++)
        if (is_home(&d->partitions[i])) owners |= 1ull << d->partitions[i].owner;
    if (owners == 0) return 0;
    for (uint32_t skip = spread(player, (uint32_t)__builtin_popcountll(owners)); skip > 0; skip--) owners &= owners - 1;
    return (uint32_t)__builtin_ctzll(owners);
}

/* last_owner returns the slot that had a partition which nobody owns, WIRE_SLOT_NONE when that is not known. */
static uint32_t last_owner(const struct compass *compass, const struct wire_directory_partition *partition) {
    for (uint32_t slot = 0; slot < WIRE_WORKERS_MAX; slot++) {
        const struct compass_memory *memory = &compass->owned[slot];
        for (uint32_t i = 0; i < memory->count; i++)
            if (directory_at(&compass->directory, memory->places[i].x, memory->places[i].y) == partition) return slot;
    }
    return WIRE_SLOT_NONE;
}

uint32_t compass_at(const struct compass *compass, int32_t x, int32_t y, uint64_t player) {
    const struct wire_directory_partition *partition = directory_at(&compass->directory, x, y);
    if (!partition) return compass_spawn(compass, player);
    uint32_t owner = partition->owner < WIRE_WORKERS_MAX ? partition->owner : last_owner(compass, partition);
    return owner != WIRE_SLOT_NONE ? owner : compass_spawn(compass, player);
}

uint32_t compass_successor(const struct compass *compass, uint32_t slot, uint64_t player) {
    const struct compass_memory *memory = &compass->owned[slot];
    if (memory->count == 0) return compass_spawn(compass, player);
    const struct compass_place *place = &memory->places[spread(player, memory->count)];
    return compass_at(compass, place->x, place->y, player);
}
