/* directory.h: who has which part of the world: one whole version of it, kept by value.
 *
 * The matchmaker makes versions; gateways and zones keep the newest they were told of. A version never changes, and a
 * greater one replaces it. Partitions tile the world without overlap;
 * those called blocks lie beyond it (cells.h). A partition has an owner, and while players and
 * creatures are handed over a former one, which still simulates what has not left it.
 *
 * Without a matchmaker in the configuration there is one version for ever, that of directory_initial, in which any
 * incarnation of a slot may be heard.
 */
#ifndef MARCH_SCHEMAS_DIRECTORY_H
#define MARCH_SCHEMAS_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/error.h"
#include "schemas/wire.h"

struct directory {
    uint64_t version; /* 0: none was told yet */
    bool is_fixed;    /* there is no matchmaker */
    uint32_t worker_count, partition_count, gateway_count;
    struct wire_directory_worker workers[WIRE_WORKERS_MAX];
    struct wire_directory_partition partitions[WIRE_PARTITIONS_MAX];
    struct wire_directory_gateway gateways[WIRE_DIRECTORY_GATES_MAX];
};

/* directory_initial is version 1 of a configuration: each slot with a rectangle owns it, as partition number its index;
 * blocks have no owner yet. */
void directory_initial(struct directory *directory, const struct config *config);

/* directory_take replaces a directory by what came over the bus; false, with nothing changed, where that is not newer. */
bool directory_take(struct directory *directory, const struct wire_directory *in);

/* directory_view is the same for sending: its pointers go into the directory. */
struct wire_directory directory_view(const struct directory *directory);

/* directory_at returns the partition of a place (Q16.16 metres), NULL where there is none. */
const struct wire_directory_partition *directory_at(const struct directory *directory, int32_t x, int32_t y);

/* directory_find returns the partition of an id, NULL when there is none. */
const struct wire_directory_partition *directory_find(const struct directory *directory, uint32_t id);

/* directory_hears tells whether an incarnation of a slot may be heard. */
bool directory_hears(const struct directory *directory, uint32_t slot, uint64_t incarnation);

/* directory_owns tells whether a slot owns a partition. */
bool directory_owns(const struct directory *directory, uint32_t slot);

/* directory_world returns the least rectangle around all partitions but blocks; all 0 when there are none. */
struct wire_rect directory_world(const struct directory *directory);

#endif
