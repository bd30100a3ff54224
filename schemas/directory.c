#include "schemas/directory.h"

#include <string.h>

#include "common/check.h"
#include "schemas/cells.h"

_Static_assert(WIRE_WORKERS_MAX >= CONFIG_ZONES_MAX && WIRE_DIRECTORY_GATES_MAX >= CONFIG_GATEWAYS_MAX,
               "every process of a configuration has its place");
_Static_assert(WIRE_PARTITIONS_MAX >= CONFIG_ZONES_MAX + CONFIG_BLOCKS_MAX, "every part has its place");

static void add_block(struct directory *d, const struct config *config, uint32_t n) {
    d->partitions[d->partition_count++] = (struct wire_directory_partition){.epoch = 1,
                                                                            .respawn = 1,
                                                                            .rect = cells_block_rect(config, n),
                                                                            .id = CELLS_BLOCK_BIT | n,
                                                                            .owner = WIRE_SLOT_NONE,
                                                                            .former = WIRE_SLOT_NONE};
}

void directory_initial(struct directory *d, const struct config *config) {
    *d = (struct directory){.version = 1,
                            .is_fixed = !config_has_matchmaker(config),
                            .worker_count = config->zones_count,
                            .gateway_count = config->gateways_count};
    for (uint32_t i = 0; i < config->zones_count; i++) {
        const struct config_zone *zone = &config->zones[i];
        d->workers[i].state = config_zone_is_spare(zone) ? WIRE_WORKER_SPARE : WIRE_WORKER_ACTIVE;
        if (config_zone_is_spare(zone)) continue;
        const struct config_rect *r = &zone->rect;
        d->partitions[d->partition_count++] =
            (struct wire_directory_partition){.epoch = 1,
                                              .respawn = 1,
                                              .rect = {r->x_m, r->y_m, r->x_m + r->width_m, r->y_m + r->height_m},
                                              .id = i,
                                              .owner = i,
                                              .former = WIRE_SLOT_NONE,
                                              .creatures = zone->creatures};
    }
    for (uint32_t n = 0; n < config->instances.blocks; n++) add_block(d, config, n);
}

bool directory_take(struct directory *d, const struct wire_directory *in) {
    if (in->version <= d->version || d->is_fixed) return false;
    CHECK(in->worker_count <= WIRE_WORKERS_MAX && in->partition_count <= WIRE_PARTITIONS_MAX &&
          in->gateway_count <= WIRE_DIRECTORY_GATES_MAX);
    *d = (struct directory){.version = in->version,
                            .worker_count = in->worker_count,
                            .partition_count = in->partition_count,
                            .gateway_count = in->gateway_count};
    if (in->worker_count > 0) memcpy(d->workers, in->workers, in->worker_count * sizeof *d->workers);
    if (in->partition_count > 0) memcpy(d->partitions, in->partitions, in->partition_count * sizeof *d->partitions);
    if (in->gateway_count > 0) memcpy(d->gateways, in->gateways, in->gateway_count * sizeof *d->gateways);
    return true;
}

struct wire_directory directory_view(const struct directory *d) {
    return (struct wire_directory){.version = d->version,
                                   .workers = d->workers,
                                   .partitions = d->partitions,
                                   .gateways = d->gateways,
                                   .worker_count = d->worker_count,
                                   .partition_count = d->partition_count,
                                   .gateway_count = d->gateway_count};
}

const struct wire_directory_partition *directory_at(const struct directory *d, int32_t x, int32_t y) {
    int32_t x_m = x >> 16, y_m = y >> 16;
    for (uint32_t i = 0; i < d->partition_count; i++) {
        const struct wire_rect *r = &d->partitions[i].rect;
        if (x_m >= r->min_x && x_m < r->max_x && y_m >= r->min_y && y_m < r->max_y) return &d->partitions[i];
    }
    return NULL;
}

const struct wire_directory_partition *directory_find(const struct directory *d, uint32_t id) {
    for (uint32_t i = 0; i < d->partition_count; i++)
        if (d->partitions[i].id == id) return &d->partitions[i];
    return NULL;
}

bool directory_hears(const struct directory *d, uint32_t slot, uint64_t incarnation) {
    if (d->is_fixed) return true;
    return slot < d->worker_count && incarnation != 0 && d->workers[slot].incarnation == incarnation &&
           d->workers[slot].state != WIRE_WORKER_AWAY;
}

bool directory_owns(const struct directory *d, uint32_t slot) {
    for (uint32_t i = 0; i < d->partition_count; i++)
        if (d->partitions[i].owner == slot) return true;
    return false;
}

static int32_t least(int32_t a, int32_t b) {
    return a < b ? a : b;
}

static int32_t most(int32_t a, int32_t b) {
    return a > b ? a : b;
}

struct wire_rect directory_world(const struct directory *d) {
    struct wire_rect world = {0};
    bool is_first = true;
    for (uint32_t i = 0; i < d->partition_count; i++) {
        const struct wire_rect *r = &d->partitions[i].rect;
        if (cells_is_block(d->partitions[i].id)) continue;
        if (is_first) world = *r;
        is_first = false;
        world = (struct wire_rect){least(world.min_x, r->min_x), least(world.min_y, r->min_y), most(world.max_x, r->max_x),
                                   most(world.max_y, r->max_y)};
    }
    return world;
}
