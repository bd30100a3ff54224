/* edge.h: the zone's ends of the bus: one edge for each gateway of the configuration.
 *
 *   AWAY ──new connection: our Hello sent──► GREETING ──its Hello──► UP
 *     ▲                                          │                   │
 *     └──────────── connection ended or another began ───────────────┘
 *
 * A gateway that comes back under another incarnation has forgotten its sessions, so the zone drops their players. Under
 * the same incarnation it attaches its sessions again, and they get the players they had: those wait EDGE_KEEP_MS for a
 * lost connection, then leave.
 *
 * edges_receive does to the simulation what the gateways said; edges_send gives each gateway that is UP the output of the
 * tick. A batch that the bus refuses (its queue is full) loses its snapshots; the rest of it is sent with the next. Nothing
 * blocks. Limits: EDGE_RECEIVES_MAX messages of each gateway are taken in a tick, the rest waits in the bus.
 */
#ifndef MARCH_ZONE_EDGE_H
#define MARCH_ZONE_EDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bus.h"
#include "common/clock.h"
#include "common/config.h"
#include "common/error.h"
#include "schemas/wire.h"
#include "zone/book.h"
#include "zone/sim.h"

#define EDGE_KEEP_MS         10000
#define EDGE_RECEIVES_MAX    64 /* a gateway flushes some ten times a tick */
#define EDGE_HEARTBEAT_TICKS 30 /* an empty batch is sent this often */

enum edge_state { EDGE_AWAY = 0, EDGE_GREETING = 1, EDGE_UP = 2, EDGE_STATE_COUNT = 3 };

struct edge_stats {
    uint64_t batches_received;
    uint64_t batches_sent;
    uint64_t bytes_sent;
    uint64_t sends_refused; /* the bus's queue was full */
    uint64_t messages_bad;  /* not of wire.h, or not now */
    uint64_t losses;
    uint64_t incarnations; /* times that sessions were dropped for a new one */
    uint64_t expired;      /* times that sessions were dropped for being away too long */
};

struct edges;

/* edges_open listens for the gateways of `config`. `hello` is what the zone says of itself; `key` is the cluster key, NULL
 * with ipc. Who comes and goes is told to the
 * book. Config, sim and book outlive the edges. On failure `error` holds a line that names the address. */
must_check int edges_open(struct edges **out, const struct config *config, uint32_t zone_index, const char *run_dir,
                          const struct wire_hello *hello, const uint8_t *key, struct sim *sim, struct book *book,
                          struct mono now, char *error, size_t error_size);
void edges_close(struct edges *edges);

/* edges_receive runs the edges and takes in what came. Before each tick. */
void edges_receive(struct edges *edges, struct mono now);

/* edges_send sends the outputs of a tick. */
void edges_send(struct edges *edges, uint64_t tick);

uint32_t edges_count(const struct edges *edges);
enum edge_state edges_state(const struct edges *edges, uint32_t gateway);
const struct edge_stats *edges_stats(const struct edges *edges, uint32_t gateway);
void edges_bus_statistics(const struct edges *edges, uint32_t gateway, struct bus_statistics *out);

#endif
