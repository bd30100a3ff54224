/* neighbours.h: the zone's links to the other zones (link.h), one for each slot of the configuration, and what goes over
 * them: one batch a tick to each neighbour for which there is anything.
 *
 * A neighbour counts while its link is UP and the directory lists its incarnation; what others say is dropped and counted.
 * When one comes or goes the hooks are told, and both sides begin anew: all ghosts are told of again. One side may hear the
 * other before the other hears it, for the directory comes to each in its own time, and what is said until then is lost. So
 * a batch that begins tells that from now on one is heard, too: ghosts, and creatures that were not answered, are told
 * again.
 *
 * What the sim has for a neighbour (ghosts, hits, speech) is filled in here. Handoffs are filled in and taken by the hooks.
 *
 * Limits: NEIGHBOURS_RECEIVES_MAX batches of one neighbour are taken in a tick. A batch that the bus refuses is lost: the
 * next one begins anew, and the hooks are told that what they filled in did not go. Nothing blocks.
 */
#ifndef MARCH_ZONE_NEIGHBOURS_H
#define MARCH_ZONE_NEIGHBOURS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/error.h"
#include "schemas/directory.h"
#include "schemas/link.h"
#include "zone/sim.h"

#define NEIGHBOURS_RECEIVES_MAX 32

/* Each may be NULL. `slot` is the neighbour's. */
struct neighbours_hooks {
    void *context;
    void (*up)(void *context, uint32_t slot);
    void (*lost)(void *context, uint32_t slot);
    void (*dead)(void *context, uint32_t slot, uint64_t incarnation); /* it will not be heard again */
    void (*take)(void *context, uint32_t slot, const struct wire_peer_batch *batch, struct mono now);
    void (*fill)(void *context, uint32_t slot, struct wire_peer_batch *batch); /* arrays stay valid until `sent` */
    void (*sent)(void *context, uint32_t slot, bool went);                     /* after each fill */
};

struct neighbours_stats {
    uint64_t batches_sent, batches_refused, batches_taken;
    uint64_t unheard; /* batches of incarnations that the directory does not list */
};

struct neighbours;

/* neighbours_open opens a link to every other zone of `config`: listens for those of a greater index, dials the others.
 * `key` is the cluster key, NULL with ipc. Config, sim and directory outlive it. On failure `error` holds a line that names
 * the address. */
must_check int neighbours_open(struct neighbours **out, const struct config *config, uint32_t zone_index,
                               const char *run_dir, const struct wire_hello *hello, const uint8_t *key, struct sim *sim,
                               const struct directory *directory, struct mono now, char *error, size_t error_size);
void neighbours_close(struct neighbours *neighbours);

void neighbours_set_hooks(struct neighbours *neighbours, const struct neighbours_hooks *hooks);

/* neighbours_receive runs the links and takes in what came. Before each tick. */
void neighbours_receive(struct neighbours *neighbours, struct mono now);

/* neighbours_send tells each neighbour of the tick that is over. */
void neighbours_send(struct neighbours *neighbours);

/* neighbours_incarnation is that of the neighbour that is there, or was last. */
uint64_t neighbours_incarnation(const struct neighbours *neighbours, uint32_t slot);

uint32_t neighbours_count(const struct neighbours *neighbours);
struct neighbours_stats neighbours_stats(const struct neighbours *neighbours);
struct link_stats neighbours_link_stats(const struct neighbours *neighbours);

#endif
