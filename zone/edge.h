/* edge.h: the zone's ends of the bus: one link (link.h) for each gateway of the configuration.
 *
 * A gateway that comes back under the same incarnation attaches its sessions again, and they get the players they had. One
 * that comes back as another, that the directory does not list any more, or that is away for EDGE_KEEP_MS is dead: its
 * players are link-dead (crossing.h).
 *
 * edges_receive does to the simulation what the gateways said; edges_send gives each gateway that is UP the output of the
 * tick. A batch that the bus refuses (its queue is full) loses its snapshots; the rest of it is sent with the next. Nothing
 * blocks. Limits: LINK_RECEIVES_MAX messages of each gateway are taken in a tick (a gateway flushes some ten times a tick);
 * the rest waits in the bus.
 */
#ifndef MARCH_ZONE_EDGE_H
#define MARCH_ZONE_EDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/config.h"
#include "common/error.h"
#include "schemas/directory.h"
#include "schemas/link.h"
#include "schemas/wire.h"
#include "zone/book.h"
#include "zone/crossing.h"
#include "zone/sim.h"

#define EDGE_KEEP_MS         10000
#define EDGE_HEARTBEAT_TICKS 30 /* an empty batch is sent this often */

struct edges;

/* edges_open listens for the gateways of `config`. `hello` is what the zone says of itself; `key` is the cluster key, NULL
 * with ipc. Who comes and goes is told to `crossing`. Config, sim, book and crossing outlive the edges. On failure `error`
 * holds a line that names the address. */
must_check int edges_open(struct edges **out, const struct config *config, uint32_t zone_index, const char *run_dir,
                          const struct wire_hello *hello, const uint8_t *key, struct sim *sim, struct book *book,
                          struct crossing *crossing, struct mono now, char *error, size_t error_size);
void edges_close(struct edges *edges);

/* edges_receive runs the edges and takes in what came. Before each tick. `directory` is the newest. */
void edges_receive(struct edges *edges, const struct directory *directory, struct mono now);

/* edges_send sends the outputs of a tick. */
void edges_send(struct edges *edges, uint64_t tick);

uint32_t edges_count(const struct edges *edges);
const struct link *edges_link(const struct edges *edges, uint32_t gateway);

/* edges_expired counts the times that players of a gateway became link-dead for its being away too long, or not listed. */
uint64_t edges_expired(const struct edges *edges, uint32_t gateway);

#endif
